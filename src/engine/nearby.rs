//! Where devices are, as was heard on the local network last. Hearsay: whoever dials finds out.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Mutex;

use super::{lock, shown};
use crate::model::{DeviceId, Nearby, PeerAddress};

#[derive(Default)]
pub struct Whereabouts(Mutex<HashMap<DeviceId, Vec<SocketAddr>>>);

impl Whereabouts {
    /// In place of all that was known.
    pub fn set(&self, nearby: &[Nearby]) {
        let receiving = nearby.iter().filter(|nearby| nearby.receiving);
        let known = receiving.map(|nearby| (nearby.id, nearby.addresses.clone()));
        *lock(&self.0) = known.collect();
    }

    /// The likeliest first; empty if nothing is known.
    pub fn of(&self, device: DeviceId) -> Vec<SocketAddr> {
        lock(&self.0).get(&device).cloned().unwrap_or_default()
    }
}

/// What is remembered of where a device is, which was asked for at one place and met at another, perhaps:
/// whether it is what a person typed, which is never given up for what was heard, and how it reads.
pub fn place(to: &PeerAddress, at: Option<SocketAddr>) -> (bool, Option<String>) {
    // The number of an interface is another one tomorrow.
    let numbered = to
        .host
        .split_once('%')
        .is_some_and(|(_, scope)| scope.parse::<u32>().is_ok());
    let literal = to.host.parse().ok();
    let literal = literal.map(|ip| SocketAddr::new(ip, to.port()));
    // A name may be any of its addresses.
    let as_given = !to.is_nowhere() && !numbered && (literal.is_none() || at == literal);
    let address = match at {
        _ if as_given => Some(to.to_string()),
        Some(SocketAddr::V6(v6)) if v6.ip().is_unicast_link_local() => None,
        Some(at) => Some(shown(at)),
        None => None,
    };
    (as_given, address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_remembered_and_no_number_of_an_interface() {
        let met = |to: &str, at: &str| place(&to.parse().unwrap(), at.parse().ok());
        let typed = |address: &str| (true, Some(address.to_owned()));
        let found = |address: &str| (false, Some(address.to_owned()));
        let home = "192.168.1.20:9000";
        assert_eq!(met("nas.example", home), typed("nas.example"));
        assert_eq!(met(home, home), typed(home));
        assert_eq!(met("192.168.1.7:9000", home), found(home));
        assert_eq!(
            met("[fe80::1%eth0]:9000", "[fe80::1%3]:9000"),
            typed("[fe80::1%eth0]:9000")
        );
        assert_eq!(met("[fe80::1%3]:9000", "[fe80::1%3]:9000"), (false, None));
        assert_eq!(met(home, "[fe80::1%3]:9000"), (false, None));
        let nowhere = PeerAddress::nowhere(DeviceId([1; 32]));
        assert_eq!(place(&nowhere, home.parse().ok()), found(home));
    }
}
