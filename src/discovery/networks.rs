//! Which interfaces there are to speak on and to listen on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use if_addrs::{IfAddr, Interface, get_if_addrs};

/// A computer with more has them for machines inside of it.
const MOST: usize = 16;
/// Addresses of one interface from which announcements go out.
const MOST_ADDRESSES: usize = 4;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Network {
    pub name: String,
    pub index: Option<u32>,
    pub v4: Vec<V4>,
    /// With the length of the prefix that is on the link.
    pub v6: Vec<(Ipv6Addr, u8)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct V4 {
    pub ip: Ipv4Addr,
    pub prefix: u8,
    pub broadcast: Option<Ipv4Addr>,
}

impl Network {
    /// Its address for what stays on the link; without one there is no multicast.
    pub fn link_local(&self) -> Option<Ipv6Addr> {
        let mut all = self.v6.iter().map(|(ip, _)| *ip);
        all.find(|ip| ip.is_unicast_link_local() || ip.is_loopback())
    }

    fn has(&self, ip: IpAddr, scope: u32) -> bool {
        match ip {
            IpAddr::V4(ip) => self.v4.iter().any(|own| {
                let mask = u32::MAX
                    .checked_shl(32 - u32::from(own.prefix))
                    .unwrap_or(0);
                (ip.to_bits() ^ own.ip.to_bits()) & mask == 0
            }),
            IpAddr::V6(ip) if ip.is_unicast_link_local() => {
                self.index.is_none_or(|index| scope == index)
            }
            IpAddr::V6(ip) => self.v6.iter().any(|(own, prefix)| {
                let mask = u128::MAX.checked_shl(128 - u32::from(*prefix)).unwrap_or(0);
                (ip.to_bits() ^ own.to_bits()) & mask == 0
            }),
        }
    }
}

/// It can be reached without a router.
pub fn on_link(networks: &[Network], ip: IpAddr, scope: u32) -> bool {
    networks.iter().any(|network| network.has(ip, scope))
}

/// Those that run; lines between two points only if there is nothing else, and the computer's own
/// loop only if there is not even that: then at least its own programs find each other.
pub fn suitable() -> Vec<Network> {
    let all = get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "the network interfaces cannot be listed");
        Vec::new()
    });
    chosen(all)
}

fn chosen(all: Vec<Interface>) -> Vec<Network> {
    let rank = |interface: &Interface| match (interface.is_loopback(), interface.is_p2p()) {
        (false, false) => 0,
        (false, true) => 1,
        (true, _) => 2,
    };
    let up: Vec<_> = all
        .into_iter()
        .filter(|interface| interface.is_oper_up() || interface.is_loopback())
        .collect();
    let best = up.iter().map(rank).min();
    let mut networks: Vec<Network> = Vec::new();
    for interface in up.iter().filter(|up| Some(rank(up)) == best) {
        let at = networks
            .iter()
            .position(|known| known.name == interface.name);
        let at = match at {
            Some(at) => at,
            None if networks.len() < MOST => {
                networks.push(Network {
                    name: interface.name.clone(),
                    index: interface.index,
                    v4: Vec::new(),
                    v6: Vec::new(),
                });
                networks.len() - 1
            }
            None => continue,
        };
        let network = &mut networks[at];
        match &interface.addr {
            IfAddr::V4(v4) if network.v4.len() < MOST_ADDRESSES => network.v4.push(V4 {
                ip: v4.ip,
                prefix: v4.prefixlen.min(32),
                broadcast: v4.broadcast.filter(|to| !to.is_unspecified()).or_else(|| {
                    // The loop has one, though nobody set it.
                    v4.ip
                        .is_loopback()
                        .then_some(Ipv4Addr::new(127, 255, 255, 255))
                }),
            }),
            IfAddr::V6(v6) if network.v6.len() < MOST_ADDRESSES => {
                network.v6.push((v6.ip, v6.prefixlen.min(128)));
            }
            IfAddr::V4(_) | IfAddr::V6(_) => {}
        }
    }
    networks
}

#[cfg(test)]
mod tests {
    use if_addrs::{IfOperStatus, Ifv4Addr};

    use super::*;

    fn interface(name: &str, ip: [u8; 4], is_p2p: bool, up: bool) -> Interface {
        Interface {
            name: name.into(),
            addr: IfAddr::V4(Ifv4Addr {
                ip: ip.into(),
                netmask: [255, 255, 255, 0].into(),
                prefixlen: 24,
                broadcast: Some([ip[0], ip[1], ip[2], 255].into()),
            }),
            index: Some(1),
            oper_status: if up {
                IfOperStatus::Up
            } else {
                IfOperStatus::Down
            },
            is_p2p,
            #[cfg(windows)]
            adapter_name: name.into(),
        }
    }

    #[test]
    fn a_tunnel_or_the_loop_is_taken_only_where_there_is_nothing_else() {
        let lo = || interface("lo", [127, 0, 0, 1], false, true);
        let tun = || interface("tun0", [10, 8, 0, 2], true, true);
        let eth = || interface("eth0", [192, 168, 1, 2], false, true);
        let down = || interface("eth1", [192, 168, 2, 2], false, false);
        let names = |all| {
            let names = chosen(all).into_iter().map(|network| network.name);
            names.collect::<Vec<_>>()
        };
        assert_eq!(names(vec![lo(), tun(), eth(), down()]), ["eth0"]);
        assert_eq!(names(vec![lo(), tun(), down()]), ["tun0"]);
        assert_eq!(names(vec![lo(), down()]), ["lo"]);
        assert_eq!(names(vec![eth(), eth()]), ["eth0"], "two addresses of one");
    }

    #[test]
    fn what_needs_no_router_is_on_the_link() {
        let networks = chosen(vec![interface("eth0", [192, 168, 1, 2], false, true)]);
        for (ip, scope, expected) in [
            ("192.168.1.77", 0, true),
            ("192.168.2.77", 0, false),
            ("8.8.8.8", 0, false),
            ("fe80::1", 1, true),
            ("fe80::1", 2, false),
            ("2001:db8::1", 0, false),
        ] {
            assert_eq!(
                on_link(&networks, ip.parse().unwrap(), scope),
                expected,
                "{ip}"
            );
        }
    }
}
