//! Where a peer is said to be: `HOST`, `HOST:PORT`, `[IPv6]:PORT`, an IPv6 address with a scope, or a
//! link that also says which device it is: `ropeway://HOST[:PORT][/][?id=DEVICE]`. No link has a code
//! in it.
//!
//! Parsing only; resolving names is the engine's work.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::device::DeviceId;

/// Where a server listens unless somebody chose otherwise.
pub const DEFAULT_PORT: u16 = 9000;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PeerAddress {
    /// A name or an address without brackets; an IPv6 scope (`%eth0`) is part of it.
    pub host: String,
    /// `None` when the person gave none; then [`DEFAULT_PORT`] is meant.
    pub port: Option<u16>,
    /// The one that is meant, as a link says; another one at the address is not.
    pub device: Option<DeviceId>,
}

const SCHEME: &str = "ropeway";
/// What stays as it is in the host of a link (RFC 3986, the unreserved characters, and the colons of
/// IPv6). The percent sign before a scope does not (RFC 6874).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':');

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AddressError {
    #[error("the address is empty")]
    Empty,
    #[error("the port must be a number from 1 to 65535")]
    Port,
    #[error("the address is not a host name or IP address")]
    Host,
    #[error("the device's id in the address is damaged; copy the address once more")]
    Device,
}

impl PeerAddress {
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(DEFAULT_PORT)
    }

    /// Where a device's server can be reached.
    pub fn of_server(ip: IpAddr, port: u16, device: DeviceId) -> Self {
        Self {
            host: ip.to_canonical().to_string(),
            port: Some(port),
            device: Some(device),
        }
    }

    /// Where a device was heard of.
    pub fn of(at: SocketAddr, device: DeviceId) -> Self {
        let host = match at {
            SocketAddr::V6(v6) if v6.scope_id() != 0 => format!("{}%{}", v6.ip(), v6.scope_id()),
            at => at.ip().to_canonical().to_string(),
        };
        Self {
            host,
            port: Some(at.port()),
            device: Some(device),
        }
    }

    /// Of a device of which no address is known.
    pub fn nowhere(device: DeviceId) -> Self {
        Self {
            host: String::new(),
            port: None,
            device: Some(device),
        }
    }

    pub fn is_nowhere(&self) -> bool {
        self.host.is_empty()
    }

    /// To be copied: `ropeway://192.168.1.20:9000/?id=…`, which reads back as the same.
    pub fn link(&self) -> String {
        let host = utf8_percent_encode(&self.host, ENCODED);
        let mut link = match self.host.contains(':') {
            true => format!("{SCHEME}://[{host}]"),
            false => format!("{SCHEME}://{host}"),
        };
        if let Some(port) = self.port {
            link.push_str(&format!(":{port}"));
        }
        link.push('/');
        if let Some(device) = self.device {
            link.push_str(&format!("?id={device}"));
        }
        link
    }

    /// Whether a text means to be a link, be it a good one or not.
    pub fn is_link(text: &str) -> bool {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME))
    }

    /// What stands behind `ropeway://`.
    fn from_link(rest: &str) -> Result<Self, AddressError> {
        let rest = rest.split('#').next().unwrap_or(rest);
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let place = place.strip_suffix('/').unwrap_or(place);
        let place = percent_decode_str(place).decode_utf8();
        let mut address = Self::from_place(&place.map_err(|_bytes| AddressError::Host)?)?;
        for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            if key != "id" {
                continue;
            }
            let device = value.to_ascii_lowercase().parse();
            let device = device.map_err(|_hex| AddressError::Device)?;
            if address
                .device
                .replace(device)
                .is_some_and(|first| first != device)
            {
                return Err(AddressError::Device);
            }
        }
        Ok(address)
    }

    fn from_place(text: &str) -> Result<Self, AddressError> {
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (host, rest) = rest.split_once(']').ok_or(AddressError::Host)?;
            if !is_ipv6(host) {
                return Err(AddressError::Host);
            }
            match rest {
                "" => (host, None),
                rest => (
                    host,
                    Some(rest.strip_prefix(':').ok_or(AddressError::Port)?),
                ),
            }
        } else if is_ipv6(text) {
            (text, None)
        } else {
            let (host, port) = match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
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
            (host, port)
        };
        Ok(Self {
            host: host.to_owned(),
            port: port.map(parse_port).transpose()?,
            device: None,
        })
    }
}

/// With or without a scope; one has the characters of an interface's name or number.
fn is_ipv6(text: &str) -> bool {
    let (ip, scope) = match text.split_once('%') {
        Some((ip, scope)) => (ip, Some(scope)),
        None => (text, None),
    };
    let scoped = scope.is_none_or(|scope| {
        let fits = |c: char| c.is_ascii_graphic() && !matches!(c, '%' | '[' | ']' | '/');
        !scope.is_empty() && scope.chars().all(fits)
    });
    scoped && ip.parse::<Ipv6Addr>().is_ok()
}

impl FromStr for PeerAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case(SCHEME) => Self::from_link(rest),
            Some(_other) => Err(AddressError::Host),
            None => Self::from_place(text),
        }
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
            ("http://x", AddressError::Host),
            ("fe80::1%", AddressError::Port),
            ("[fe80::1%\u{1b}[31m]", AddressError::Host),
            (":9000", AddressError::Host),
        ] {
            assert_eq!(text.parse::<PeerAddress>(), Err(why), "{text}");
        }
    }

    #[test]
    fn a_link_says_where_and_which_device() {
        let id = "0a".repeat(32);
        let device = Some(DeviceId([10; 32]));
        for (text, host, port, device) in [
            (
                "ropeway://192.168.1.20:9000/?id=ID",
                "192.168.1.20",
                Some(9000),
                device,
            ),
            (
                "ROPEWAY://host?ID=x&later=1&id=ID#top",
                "host",
                None,
                device,
            ),
            (
                " ropeway://garden-laptop.local ",
                "garden-laptop.local",
                None,
                None,
            ),
            ("ropeway://host:1/", "host", Some(1), None),
            ("ropeway://[::1]:1/?x", "::1", Some(1), None),
            (
                "ropeway://[fe80::1%25eth0]:2",
                "fe80::1%eth0",
                Some(2),
                None,
            ),
            ("ropeway://[fe80::1%eth0]/", "fe80::1%eth0", None, None),
            (
                "ropeway://%E4%B9%A6%E6%88%BF.local/",
                "书房.local",
                None,
                None,
            ),
        ] {
            let address: PeerAddress = text.replace("ID", &id).parse().expect(text);
            let host = host.to_owned();
            assert_eq!(address, PeerAddress { host, port, device }, "{text}");
            assert_eq!(address.link().parse(), Ok(address.clone()), "{text}");
            let plain: PeerAddress = address.to_string().parse().expect(text);
            assert_eq!((plain.host, plain.device), (address.host, None));
        }
        let upper = format!("ropeway://h/?id={}", "0A".repeat(32));
        assert_eq!(upper.parse::<PeerAddress>().map(|a| a.device), Ok(device));
    }

    #[test]
    fn links_are_written_as_they_are_shown_to_people() {
        let device = DeviceId([10; 32]);
        let link = |ip: &str| PeerAddress::of_server(ip.parse().unwrap(), 9000, device).link();
        let id = "0a".repeat(32);
        assert_eq!(
            link("192.168.1.20"),
            format!("ropeway://192.168.1.20:9000/?id={id}")
        );
        assert_eq!(
            link("::ffff:10.0.0.1"),
            format!("ropeway://10.0.0.1:9000/?id={id}")
        );
        assert_eq!(
            link("fe80::1"),
            format!("ropeway://[fe80::1]:9000/?id={id}")
        );
        let scoped: PeerAddress = "fe80::1%eth0".parse().unwrap();
        assert_eq!(scoped.link(), "ropeway://[fe80::1%25eth0]/");
    }

    #[test]
    fn damaged_links_are_refused_with_their_reason() {
        let (one, two) = ("0a".repeat(32), "0b".repeat(32));
        for (text, why) in [
            ("ropeway://", AddressError::Host),
            ("ropeway:///?id=ID", AddressError::Host),
            ("ropeway://user@host/", AddressError::Host),
            ("ropeway://host/path", AddressError::Host),
            ("ropeway://host//", AddressError::Host),
            ("ropeway://%ff/", AddressError::Host),
            ("ropeway://ho%0ast/", AddressError::Host),
            ("ropeway://[fe80::1%25%1b]/", AddressError::Host),
            ("ropeway://host:0/", AddressError::Port),
            ("ropeway://host:/", AddressError::Port),
            ("ropeway://[::1]9000/", AddressError::Port),
            ("ropeway://host/?id=", AddressError::Device),
            ("ropeway://host/?id=0a", AddressError::Device),
            ("ropeway://host/?id=ID0", AddressError::Device),
            ("ropeway://host/?id=ID&id=TWO", AddressError::Device),
            ("https://host/?id=ID", AddressError::Host),
        ] {
            let text = text.replace("ID", &one).replace("TWO", &two);
            assert_eq!(text.parse::<PeerAddress>(), Err(why), "{text}");
        }
    }
}
