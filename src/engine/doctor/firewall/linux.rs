//! Which firewall a Linux computer has, and what it does with somebody new.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::filter::{ChainName, Packet, Protocol, Rules, Verdict};
use super::{firewalld, iptables, nft, ufw};
use crate::engine::doctor::Stop;
use crate::engine::doctor::links::{Network, OwnLink};
use crate::engine::doctor::program::{Answer, ask};
use crate::model::Finding;
use crate::model::finding::{Door, Firewall, LinkKind, Remedy, Unclear};

const NFT: &[&str] = &["/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft"];
const IPTABLES_SAVE: &[&str] = &["/usr/sbin/iptables-save", "/sbin/iptables-save"];
const IP6TABLES_SAVE: &[&str] = &["/usr/sbin/ip6tables-save", "/sbin/ip6tables-save"];
const FIREWALL_CMD: &[&str] = &["/usr/bin/firewall-cmd", "/bin/firewall-cmd"];
const UFW_CONF: &str = "/etc/ufw/ufw.conf";
const UFW_DEFAULTS: &str = "/etc/default/ufw";
const UFW_RULES: &str = "/etc/ufw/user.rules";
const MDNS_PORT: u16 = 5353;

pub fn examine(links: &[OwnLink], tcp: u16, udp: Option<u16>, stop: &Stop) -> Vec<Finding> {
    let here = Here {
        links,
        rules: rules_in_force(stop),
        stop,
    };
    let mut found = vec![here.transfers(tcp)];
    found.extend(udp.and_then(|udp| here.discovery(udp)));
    found
}

struct Here<'a> {
    links: &'a [OwnLink],
    /// `None`: this process may not read them.
    rules: Option<Rules>,
    stop: &'a Stop,
}

impl Here<'_> {
    fn transfers(&self, tcp: u16) -> Finding {
        let door = Door::Transfers { tcp };
        match self.look(Protocol::Tcp, &[tcp]) {
            Found::NoFilter => Finding::FirewallOff,
            Found::Open(firewall) => Finding::FirewallOpen { firewall, door },
            Found::Blocked(firewall, remedy) => Finding::FirewallBlocks {
                firewall,
                door,
                remedy,
            },
            Found::Unclear(firewall, why, commands) => Finding::FirewallUnclear {
                firewall,
                door,
                why,
                commands,
            },
        }
    }

    fn discovery(&self, udp: u16) -> Option<Finding> {
        let Found::Blocked(..) = self.look(Protocol::Udp, &[udp]) else {
            return None;
        };
        let (door, ports): (_, &[u16]) = match self.look(Protocol::Udp, &[MDNS_PORT]) {
            Found::Blocked(..) => (Door::AllDiscovery { udp }, &[udp, MDNS_PORT]),
            Found::NoFilter | Found::Open(_) => (Door::Discovery { udp }, &[udp]),
            Found::Unclear(..) => return None,
        };
        match self.look(Protocol::Udp, ports) {
            Found::Blocked(firewall, remedy) => Some(Finding::FirewallBlocks {
                firewall,
                door,
                remedy,
            }),
            Found::NoFilter | Found::Open(_) | Found::Unclear(..) => None,
        }
    }

    /// What becomes of somebody new at the first of those ports, and what opens all of them.
    fn look(&self, protocol: Protocol, ports: &[u16]) -> Found {
        let Some(&port) = ports.first() else {
            return Found::NoFilter;
        };
        match &self.rules {
            Some(rules) => {
                let verdict = verdict(rules, self.links, protocol, port);
                by_rules(rules, verdict, self.links, protocol, ports, self.stop)
            }
            None => by_manager(self.links, protocol, ports, self.stop),
        }
    }
}

enum Found {
    NoFilter,
    Open(Firewall),
    Blocked(Firewall, Remedy),
    Unclear(Option<Firewall>, Unclear, Vec<String>),
}

/// `None`: this process may not read them.
fn rules_in_force(stop: &Stop) -> Option<Rules> {
    let Answer { succeeded, text } = ask(NFT, &["-j", "list", "ruleset"], stop)?;
    let mut ruleset = nft::parse(&text).filter(|_| succeeded)?;
    for (family, save) in [("ip", IPTABLES_SAVE), ("ip6", IP6TABLES_SAVE)] {
        let Some(saved) = ask(save, &["-t", "filter"], stop).filter(|saved| saved.succeeded) else {
            continue;
        };
        let saved = iptables::parse(&saved.text, family);
        let says_more = ruleset.by_iptables.iter().any(|each| each == family);
        let theirs = |chain: &ChainName| chain.family == family && chain.table == "filter";
        let in_nft = ruleset.rules.chains.keys().any(theirs);
        // Its own table is seen by both; the old kind is seen by iptables alone.
        if says_more {
            ruleset.rules.bases.retain(|base| !theirs(&base.chain));
            ruleset.rules.chains.retain(|chain, _| !theirs(chain));
        }
        if says_more || !in_nft {
            ruleset.rules.add(saved);
        }
    }
    Some(ruleset.rules)
}

/// The first packets of neighbours. IPv4 decides where there is both.
fn packets(links: &[OwnLink], protocol: Protocol, port: u16) -> Vec<Packet> {
    let local = |link: &&OwnLink| matches!(link.kind, LinkKind::Local | LinkKind::SelfAssigned);
    let mut wanted: Vec<_> = links.iter().filter(local).collect();
    if wanted.is_empty() {
        wanted = links.iter().collect();
    }
    let packet = |link: &OwnLink| {
        // IPv4 comes first.
        let from: Network = *link.networks.first()?;
        let mdns: IpAddr = match from.address {
            IpAddr::V4(_) => Ipv4Addr::new(224, 0, 0, 251).into(),
            IpAddr::V6(_) => Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb).into(),
        };
        let multicast = protocol == Protocol::Udp;
        Some(Packet {
            link: link.name.clone(),
            protocol,
            port,
            from,
            to: match (multicast, port) {
                (false, _) => Some(from.address),
                (true, MDNS_PORT) => Some(mdns),
                (true, _) => None,
            },
            multicast,
        })
    };
    wanted.into_iter().filter_map(packet).collect()
}

fn verdict(rules: &Rules, links: &[OwnLink], protocol: Protocol, port: u16) -> Verdict {
    let verdicts = packets(links, protocol, port);
    let verdicts = verdicts.iter().map(|packet| rules.verdict(packet));
    let rank = |verdict: &Verdict| match verdict {
        Verdict::NoFilter => 0,
        Verdict::Accepts => 1,
        Verdict::Unclear => 2,
        Verdict::Drops(_) => 3,
    };
    verdicts.max_by_key(rank).unwrap_or(Verdict::NoFilter)
}

fn by_rules(
    rules: &Rules,
    verdict: Verdict,
    links: &[OwnLink],
    protocol: Protocol,
    ports: &[u16],
    stop: &Stop,
) -> Found {
    match verdict {
        Verdict::NoFilter => Found::NoFilter,
        Verdict::Accepts => Found::Open(manager(rules)),
        Verdict::Unclear => {
            let firewall = manager(rules);
            // Who made them may know better than who reads them.
            if matches!(firewall, Firewall::Ufw | Firewall::Firewalld { .. }) {
                let found = by_manager(links, protocol, ports, stop);
                if !matches!(found, Found::Unclear(..)) {
                    return found;
                }
            }
            let commands = vec!["sudo nft list ruleset".into()];
            Found::Unclear(Some(firewall), Unclear::Rules, commands)
        }
        Verdict::Drops(chains) => blocked(rules, &chains, links, protocol, ports, stop),
    }
}

fn is_firewalld(chain: &ChainName) -> bool {
    chain.table == "firewalld"
}

fn is_iptables(chain: &ChainName) -> bool {
    matches!(chain.family.as_str(), "ip" | "ip6")
        && chain.table == "filter"
        && chain.name == "INPUT"
}

fn by_ufw(rules: &Rules) -> bool {
    let mut chains = rules.chains.keys();
    chains.any(|chain| chain.name == "ufw-user-input" || chain.name == "ufw6-user-input")
}

/// Who made the rules, as far as they tell.
fn manager(rules: &Rules) -> Firewall {
    if by_ufw(rules) {
        Firewall::Ufw
    } else if rules.bases.iter().any(|base| is_firewalld(&base.chain)) {
        Firewall::Firewalld {
            zone: String::new(),
        }
    } else if rules.bases.iter().all(|base| is_iptables(&base.chain)) {
        Firewall::Iptables
    } else {
        Firewall::Nftables
    }
}

/// One command for each chain that keeps it out, in the words of who made that chain.
fn blocked(
    rules: &Rules,
    chains: &[ChainName],
    links: &[OwnLink],
    protocol: Protocol,
    ports: &[u16],
    stop: &Stop,
) -> Found {
    let set = set(ports);
    let mut commands: Vec<String> = Vec::new();
    let mut lasting = true;
    let mut firewall = None;
    for chain in chains {
        let (by, these) = if is_firewalld(chain) {
            let Some(zone) = zone_of(links, stop) else {
                continue;
            };
            let these = firewalld::remedies(&zone, protocol, ports);
            (Firewall::Firewalld { zone }, these)
        } else if is_iptables(chain) && by_ufw(rules) {
            let port = ports.first().copied().unwrap_or_default();
            let refused = matches!(ufw_rules(protocol, port), Some(ufw::Verdict::Drops(true)));
            let list: Vec<_> = ports.iter().map(u16::to_string).collect();
            let command = ufw::remedy(protocol, &list.join(","), refused);
            (Firewall::Ufw, vec![command])
        } else if is_iptables(chain) {
            lasting = false;
            let program = if chain.family == "ip" {
                "iptables"
            } else {
                "ip6tables"
            };
            let word = if protocol == Protocol::Tcp {
                "tcp"
            } else {
                "udp"
            };
            let one =
                |port: &u16| format!("sudo {program} -I INPUT -p {word} --dport {port} -j ACCEPT");
            (Firewall::Iptables, ports.iter().map(one).collect())
        } else {
            lasting = false;
            let command = nft::remedy(chain, protocol, &set);
            (Firewall::Nftables, command.into_iter().collect())
        };
        firewall.get_or_insert(by);
        for command in these {
            if !commands.contains(&command) {
                commands.push(command);
            }
        }
    }
    let firewall = firewall.unwrap_or_else(|| manager(rules));
    Found::Blocked(firewall, Remedy { commands, lasting })
}

/// `9000`, or `{ 9000, 5353 }`, quoted for a shell.
fn set(ports: &[u16]) -> String {
    match ports {
        [port] => port.to_string(),
        ports => {
            let list: Vec<_> = ports.iter().map(u16::to_string).collect();
            format!("'{{ {} }}'", list.join(", "))
        }
    }
}

/// Without a look at the rules themselves.
fn by_manager(links: &[OwnLink], protocol: Protocol, ports: &[u16], stop: &Stop) -> Found {
    let port = ports.first().copied().unwrap_or_default();
    let state = ask(FIREWALL_CMD, &["--state"], stop);
    if state.is_some_and(|state| state.succeeded && state.text.trim() == "running") {
        return by_firewalld(links, protocol, ports, stop);
    }
    if fs::read_to_string(UFW_CONF).is_ok_and(|conf| ufw::is_enabled(&conf)) {
        let list: Vec<_> = ports.iter().map(u16::to_string).collect();
        let remedy = |refused| Remedy {
            commands: vec![ufw::remedy(protocol, &list.join(","), refused)],
            lasting: true,
        };
        return match ufw_rules(protocol, port) {
            Some(ufw::Verdict::Accepts) => Found::Open(Firewall::Ufw),
            Some(ufw::Verdict::Drops(refused)) => Found::Blocked(Firewall::Ufw, remedy(refused)),
            Some(ufw::Verdict::Unclear) => {
                let commands = vec!["sudo ufw status verbose".into()];
                Found::Unclear(Some(Firewall::Ufw), Unclear::Rules, commands)
            }
            None => {
                let commands = remedy(false).commands;
                Found::Unclear(Some(Firewall::Ufw), Unclear::NotAllowed, commands)
            }
        };
    }
    let commands = vec!["sudo nft list ruleset".into()];
    // An administrator without the program that lists them is allowed, but cannot look either.
    let why = match rustix::process::geteuid().is_root() {
        true => Unclear::NoAnswer,
        false => Unclear::NotAllowed,
    };
    Found::Unclear(None, why, commands)
}

/// `None`: they may not be read.
fn ufw_rules(protocol: Protocol, port: u16) -> Option<ufw::Verdict> {
    let rules = fs::read_to_string(UFW_RULES).ok()?;
    let defaults = fs::read_to_string(UFW_DEFAULTS).unwrap_or_default();
    let by_default = ufw::accepts_by_default(&defaults);
    // What ufw lets in before its user's rules (before.rules).
    if protocol == Protocol::Udp && port == MDNS_PORT {
        return Some(ufw::Verdict::Accepts);
    }
    Some(ufw::verdict(&rules, by_default, protocol, port))
}

/// The zone of the first local interface.
fn zone_of(links: &[OwnLink], stop: &Stop) -> Option<String> {
    let named = links.iter().find(|link| link.kind == LinkKind::Local);
    let named = named.and_then(|link| {
        let option = format!("--get-zone-of-interface={}", link.name);
        ask(FIREWALL_CMD, &[&option], stop).filter(|answer| answer.succeeded)
    });
    let zone = match named {
        Some(answer) => answer,
        None => ask(FIREWALL_CMD, &["--get-default-zone"], stop)?,
    };
    let zone = zone.text.trim().to_owned();
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/');
    (!zone.is_empty() && zone.chars().all(fits)).then_some(zone)
}

fn by_firewalld(links: &[OwnLink], protocol: Protocol, ports: &[u16], stop: &Stop) -> Found {
    let port = ports.first().copied().unwrap_or_default();
    let unclear = |why| {
        let commands = vec!["sudo firewall-cmd --list-all".into()];
        let firewall = Firewall::Firewalld {
            zone: String::new(),
        };
        Found::Unclear(Some(firewall), why, commands)
    };
    let Some(zone) = zone_of(links, stop) else {
        return unclear(Unclear::NotAllowed);
    };
    let option = format!("--zone={zone}");
    let listed = ask(FIREWALL_CMD, &[&option, "--list-all"], stop);
    let Some(listed) = listed.and_then(|answer| firewalld::zone(&answer.text)) else {
        return unclear(Unclear::NotAllowed);
    };
    match listed.verdict(protocol, port) {
        firewalld::Verdict::Accepts => Found::Open(Firewall::Firewalld { zone }),
        firewalld::Verdict::Unclear => unclear(Unclear::Rules),
        firewalld::Verdict::Drops => {
            let commands = firewalld::remedies(&zone, protocol, ports);
            let remedy = Remedy {
                commands,
                lasting: true,
            };
            Found::Blocked(Firewall::Firewalld { zone }, remedy)
        }
    }
}
