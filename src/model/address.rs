//! Where a peer is said to be: `HOST`, `HOST:PORT`, `[IPv6]:PORT`, an IPv6 address with a scope.
//!
//! Parsing only; resolving names is the engine's work.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// Where a server listens unless somebody chose otherwise.
pub const DEFAULT_PORT: u16 = 9000;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PeerAddress {
    /// A name or an address without brackets; an IPv6 scope (`%eth0`) is part of it.
    pub host: String,
    /// `None` when the person gave none; then [`DEFAULT_PORT`] is meant.
    pub port: Option<u16>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AddressError {
    #[error("the address is empty")]
    Empty,
    #[error("the port must be a number from 1 to 65535")]
    Port,
    #[error("the address is not a host name or IP address")]
    Host,
}

impl PeerAddress {
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(DEFAULT_PORT)
    }
}

impl FromStr for PeerAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        if let Some(rest) = text.strip_prefix('[') {
            let (host, rest) = rest.split_once(']').ok_or(AddressError::Host)?;
            let bare = host.split('%').next().unwrap_or(host);
            bare.parse::<Ipv6Addr>().map_err(|_e| AddressError::Host)?;
            let port = match rest {
                "" => None,
                rest => Some(parse_port(
                    rest.strip_prefix(':').ok_or(AddressError::Port)?,
                )?),
            };
            return Ok(Self {
                host: host.to_owned(),
                port,
            });
        }
        let bare = text.split('%').next().unwrap_or(text);
        if bare.parse::<Ipv6Addr>().is_ok() {
            return Ok(Self {
                host: text.to_owned(),
                port: None,
            });
        }
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(parse_port(port)?)),
            None => (text, None),
        };
        let plausible = !host.is_empty()
            && host.len() <= 253
            && host
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'));
        if !plausible {
            return Err(AddressError::Host);
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

fn parse_port(text: &str) -> Result<u16, AddressError> {
    match text.parse() {
        Ok(0) | Err(_) => Err(AddressError::Port),
        Ok(port) => Ok(port),
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.host.contains(':'), self.port) {
            (true, Some(port)) => write!(f, "[{}]:{port}", self.host),
            (false, Some(port)) => write!(f, "{}:{port}", self.host),
            (_, None) => f.write_str(&self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_people_type_are_understood() {
        for (text, host, port) in [
            ("192.168.1.20", "192.168.1.20", None),
            (" 192.168.1.20:9001 ", "192.168.1.20", Some(9001)),
            ("garden-laptop.local:80", "garden-laptop.local", Some(80)),
            ("::1", "::1", None),
            ("[::1]", "::1", None),
            ("[fe80::1%eth0]:9000", "fe80::1%eth0", Some(9000)),
            ("fe80::1%eth0", "fe80::1%eth0", None),
        ] {
            let address: PeerAddress = text.parse().expect(text);
            assert_eq!(
                (address.host.as_str(), address.port),
                (host, port),
                "{text}"
            );
        }
    }

    #[test]
    fn nonsense_is_refused_with_its_reason() {
        for (text, why) in [
            ("", AddressError::Empty),
            ("host:", AddressError::Port),
            ("host:0", AddressError::Port),
            ("host:65536", AddressError::Port),
            ("host:9000:1", AddressError::Port),
            ("[::1", AddressError::Host),
            ("[host]:1", AddressError::Host),
            ("a b", AddressError::Host),
            ("http://x", AddressError::Port),
            (":9000", AddressError::Host),
        ] {
            assert_eq!(text.parse::<PeerAddress>(), Err(why), "{text}");
        }
    }
}
