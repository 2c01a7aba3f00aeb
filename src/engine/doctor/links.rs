//! This computer's own interfaces and addresses, and which way a packet takes.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use if_addrs::{IfAddr, Interface};

use crate::model::Finding;
use crate::model::finding::{Link, LinkKind, Road};

/// More interfaces than that are no computer of a person's; the first ones are told.
const MAX_LINKS: usize = 24;

/// An interface with the networks it is in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnLink {
    pub name: String,
    pub kind: LinkKind,
    pub networks: Vec<Network>,
}

/// An address of this computer's own, and how many of its bits are the network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    pub address: IpAddr,
    pub bits: u8,
}

impl Network {
    /// A single address.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    pub fn only(address: IpAddr) -> Self {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        Self { address, bits }
    }

    pub fn contains(self, other: IpAddr) -> bool {
        within(other, self.address, self.bits)
    }
}

/// Whether both have their first `bits` in common.
pub fn within(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    match (address.to_canonical(), network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            let shift = 32_u32.saturating_sub(bits.into());
            u32::from(a).checked_shr(shift) == u32::from(b).checked_shr(shift)
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            let shift = 128_u32.saturating_sub(bits.into());
            u128::from(a).checked_shr(shift) == u128::from(b).checked_shr(shift)
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

/// All but loopback, local networks first.
pub fn links() -> Vec<OwnLink> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "the interfaces are not known");
        Vec::new()
    });
    grouped(interfaces)
}

/// Those that have a link-local address, by name.
pub fn link_local_interfaces() -> Vec<String> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let local = interfaces.into_iter().filter(|each| {
        let ip = each.ip();
        !each.is_loopback() && matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local())
    });
    let mut names: Vec<_> = local.map(|each| each.name).collect();
    names.sort_unstable();
    names.dedup();
    names.truncate(MAX_LINKS);
    names
}

fn grouped(interfaces: Vec<Interface>) -> Vec<OwnLink> {
    let mut links: BTreeMap<String, (bool, Vec<Network>)> = BTreeMap::new();
    // An IPv6 link has an address of this kind always; it says nothing of a network there.
    let bare = |ip: IpAddr| matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local());
    let interfaces = interfaces.into_iter();
    for interface in interfaces.filter(|each| !each.is_loopback() && !bare(each.ip())) {
        let point_to_point = interface.is_p2p();
        let network = match interface.addr {
            IfAddr::V4(v4) => Network {
                address: v4.ip.into(),
                bits: v4.prefixlen,
            },
            IfAddr::V6(v6) => Network {
                address: v6.ip.into(),
                bits: v6.prefixlen,
            },
        };
        let link = links.entry(interface.name).or_default();
        link.0 |= point_to_point;
        link.1.push(network);
    }
    let mut links: Vec<_> = links
        .into_iter()
        .map(|(name, (point_to_point, mut networks))| {
            networks.sort_by_key(|network| (network.address.is_ipv6(), network.address));
            OwnLink {
                kind: kind(&name, point_to_point, &networks),
                name,
                networks,
            }
        })
        .collect();
    let rank = |kind| match kind {
        LinkKind::Local => 0,
        LinkKind::SelfAssigned => 1,
        LinkKind::Vpn => 2,
        LinkKind::Virtual => 3,
    };
    links.sort_by_key(|link| rank(link.kind));
    links.truncate(MAX_LINKS);
    links
}

/// Systems say at most that an interface has no neighbours; the rest is in its name.
fn kind(name: &str, point_to_point: bool, networks: &[Network]) -> LinkKind {
    const VPN: &[&str] = &[
        "tun",
        "tap",
        "wg",
        "utun",
        "ppp",
        "ipsec",
        "tailscale",
        "zt",
        "nordlynx",
        "proton",
        "mullvad",
        "wireguard",
        "openvpn",
        "vpn",
        "gpd",
        "cscotun",
    ];
    const VIRTUAL: &[&str] = &[
        "docker",
        "br-",
        "veth",
        "virbr",
        "vnet",
        "vmnet",
        "vboxnet",
        "lxc",
        "lxd",
        "podman",
        "cni",
        "flannel",
        "cali",
        "vethernet",
        "bridge10",
        "awdl",
        "llw",
    ];
    let name = name.to_ascii_lowercase();
    let is = |all: &[&str]| all.iter().any(|start| name.starts_with(start));
    if is(VIRTUAL) {
        return LinkKind::Virtual;
    }
    if is(VPN) || point_to_point || name.contains("vpn") {
        return LinkKind::Vpn;
    }
    let made_up = |network: &Network| match network.address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    if networks.iter().all(made_up) {
        LinkKind::SelfAssigned
    } else {
        LinkKind::Local
    }
}

pub fn findings(links: &[OwnLink]) -> Vec<Finding> {
    if links.is_empty() {
        return vec![Finding::NoNetwork];
    }
    let mut found: Vec<_> = links.iter().map(OwnLink::finding).collect();
    let local = |link: &OwnLink| matches!(link.kind, LinkKind::Local | LinkKind::SelfAssigned);
    if !links.iter().any(local) {
        found.push(Finding::NoLocalNetwork);
    }
    found
}

impl OwnLink {
    fn finding(&self) -> Finding {
        let told = |network: &Network| match network.address {
            // Nobody types those, if there are others.
            IpAddr::V6(v6) => !v6.is_unicast_link_local() || self.kind == LinkKind::SelfAssigned,
            IpAddr::V4(_) => true,
        };
        let addresses = self.networks.iter().filter(|network| told(network));
        Finding::Link(Link {
            link: crate::model::displayable(&self.name),
            kind: self.kind,
            addresses: addresses.map(|network| network.address).collect(),
        })
    }
}

/// Which way packets to there take, as the system says without sending any.
pub fn road(links: &[OwnLink], to: SocketAddr) -> Road {
    let Some(from) = source(to) else {
        return Road::None;
    };
    let of = |link: &&OwnLink| {
        let mut networks = link.networks.iter();
        networks.any(|network| network.address == from.to_canonical())
    };
    let name = |link: &OwnLink| crate::model::displayable(&link.name);
    let Some(through) = links.iter().find(of) else {
        // Loopback, which is told apart before, or an interface that has just come.
        return Road::OtherNetwork { link: "?".into() };
    };
    let near = |link: &&OwnLink| {
        let mut networks = link.networks.iter();
        link.kind != LinkKind::Vpn && networks.any(|network| network.contains(to.ip()))
    };
    match (through.kind, links.iter().find(near)) {
        (LinkKind::Vpn, Some(local)) => Road::VpnInTheWay {
            link: name(through),
            local: name(local),
        },
        (LinkKind::Vpn, None) => Road::Vpn {
            link: name(through),
        },
        (_, Some(local)) => Road::SameNetwork { link: name(local) },
        (_, None) => Road::OtherNetwork {
            link: name(through),
        },
    }
}

/// The own address that the system would send from. Connecting a UDP socket sends nothing.
fn source(to: SocketAddr) -> Option<IpAddr> {
    let any = match to {
        SocketAddr::V4(_) => SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0),
        SocketAddr::V6(_) => SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0),
    };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(to).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// The address is one of this computer's own.
pub fn is_own(links: &[OwnLink], address: IpAddr) -> bool {
    let address = address.to_canonical();
    let mut networks = links.iter().flat_map(|link| &link.networks);
    address.is_loopback()
        || address.is_unspecified()
        || networks.any(|network| network.address == address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        let (address, bits) = text.split_once('/').unwrap();
        Network {
            address: address.parse().unwrap(),
            bits: bits.parse().unwrap(),
        }
    }

    #[test]
    fn interfaces_are_told_apart_by_what_they_are_called() {
        let lan = [network("192.168.1.20/24"), network("fe80::1/64")];
        for (name, kind) in [
            ("eth0", LinkKind::Local),
            ("wlp3s0", LinkKind::Local),
            ("en0", LinkKind::Local),
            ("Wi-Fi", LinkKind::Local),
            ("wg0", LinkKind::Vpn),
            ("utun3", LinkKind::Vpn),
            ("tailscale0", LinkKind::Vpn),
            ("company-vpn", LinkKind::Vpn),
            ("docker0", LinkKind::Virtual),
            ("br-1a2b", LinkKind::Virtual),
            ("vEthernet (WSL)", LinkKind::Virtual),
            ("virbr0", LinkKind::Virtual),
        ] {
            assert_eq!(super::kind(name, false, &lan), kind, "{name}");
        }
        assert_eq!(super::kind("eth9", true, &lan), LinkKind::Vpn);
        let alone = [network("169.254.3.4/16"), network("fe80::1/64")];
        assert_eq!(super::kind("eth0", false, &alone), LinkKind::SelfAssigned);
    }

    #[test]
    fn networks_contain_what_shares_their_bits() {
        for (net, address, inside) in [
            ("192.168.1.20/24", "192.168.1.99", true),
            ("192.168.1.20/24", "192.168.2.99", false),
            ("192.168.1.20/24", "::ffff:192.168.1.99", true),
            ("10.0.0.1/0", "192.168.2.99", true),
            ("10.0.0.1/32", "10.0.0.2", false),
            ("2001:db8::1/64", "2001:db8::2:3", true),
            ("2001:db8::1/64", "2001:db8:0:1::2", false),
            ("2001:db8::1/64", "192.168.1.1", false),
        ] {
            let contains = network(net).contains(address.parse().unwrap());
            assert_eq!(contains, inside, "{net} {address}");
        }
    }

    #[test]
    fn a_computer_without_a_network_is_told_so() {
        assert_eq!(findings(&[]), [Finding::NoNetwork]);
        let vpn = OwnLink {
            name: "wg0".into(),
            kind: LinkKind::Vpn,
            networks: vec![network("10.8.0.2/24")],
        };
        assert_eq!(findings(&[vpn]).last(), Some(&Finding::NoLocalNetwork));
    }
}
