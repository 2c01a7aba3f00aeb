//! What a packet filter does with a packet that comes in, as far as that can be told from its rules.
//!
//! Rules come from `nft` and `iptables`; what they say that is not understood here is `Unknown`, and a
//! verdict counts only if it is the same whatever the unknown parts are.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::ops::RangeInclusive;

use crate::engine::doctor::links::{Network, within};

/// Steps through rules until it is not clear any more.
const MAX_STEPS: u32 = 100_000;
/// The kernel allows sixteen jumps within each other.
const MAX_DEPTH: u32 = 16;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    Tcp,
    Udp,
}

/// The first packet of somebody new, from a neighbour.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    pub link: String,
    pub protocol: Protocol,
    pub port: u16,
    /// The network that the neighbour is in; all its addresses are meant.
    pub from: Network,
    /// `None`: one of several.
    pub to: Option<IpAddr>,
    /// Not to this computer alone.
    pub multicast: bool,
}

/// What of a packet a rule asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Asks {
    /// Names of interfaces; `*` at the end stands for anything.
    Link(Vec<String>),
    Protocol(Vec<String>),
    Port(Option<Protocol>, Vec<RangeInclusive<u16>>),
    From(Vec<Network>),
    To(Vec<Network>),
    /// `local`, `multicast`, `broadcast`
    ToKind(Vec<String>),
    /// `ip` or `ip6`.
    Family(String),
    /// States of a connection.
    State(Vec<String>),
    /// What a first packet of a neighbour never has, such as an ICMP type.
    Never,
    /// Of those TCP flags exactly these; the first packet of a connection has `syn` alone.
    Flags {
        of: BTreeSet<String>,
        are: BTreeSet<String>,
    },
    Unknown,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Condition {
    pub asks: Asks,
    pub negated: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    Accept,
    Drop,
    Return,
    Jump(String),
    Goto(String),
    /// Counts, logs, marks: the next rule follows.
    Continue,
    Unknown,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    pub conditions: Vec<Condition>,
    pub action: Action,
}

/// Where packets that come in pass.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Base {
    pub chain: ChainName,
    pub accepts: bool,
    pub priority: i64,
}

/// Chains are called alike in different tables.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ChainName {
    pub family: String,
    pub table: String,
    pub name: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rules {
    pub bases: Vec<Base>,
    pub chains: HashMap<ChainName, Vec<Rule>>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// There is nothing that could keep it out.
    NoFilter,
    Accepts,
    /// These keep it out.
    Drops(Vec<ChainName>),
    Unclear,
}

/// What may become of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Outcomes {
    accept: bool,
    drop: bool,
    through: bool,
}

impl Outcomes {
    const ANY: Self = Self {
        accept: true,
        drop: true,
        through: true,
    };
}

impl Rules {
    /// Takes in other rules of the same computer.
    pub fn add(&mut self, other: Self) {
        self.bases.extend(other.bases);
        self.chains.extend(other.chains);
    }

    pub fn verdict(&self, packet: &Packet) -> Verdict {
        let mut bases: Vec<_> = self
            .bases
            .iter()
            .filter(|base| concerns(&base.chain.family, packet))
            .collect();
        bases.sort_by_key(|base| base.priority);
        let filters = |base: &&&Base| {
            let rules = self.chains.get(&base.chain);
            !base.accepts || rules.is_some_and(|rules| !rules.is_empty())
        };
        if !bases.iter().any(|base| filters(&base)) {
            return Verdict::NoFilter;
        }
        let mut steps = MAX_STEPS;
        let mut dropping = Vec::new();
        let mut clear = true;
        for base in bases {
            let outcomes = self.walk(&base.chain, packet, MAX_DEPTH, &mut steps);
            let accepts = outcomes.accept || outcomes.through && base.accepts;
            let drops = outcomes.drop || outcomes.through && !base.accepts;
            match (accepts, drops) {
                (false, true) => dropping.push(base.chain.clone()),
                (true, true) => clear = false,
                (_, false) => {}
            }
        }
        if !dropping.is_empty() {
            // Each of them has to let it in.
            Verdict::Drops(dropping)
        } else if clear && steps > 0 {
            Verdict::Accepts
        } else {
            Verdict::Unclear
        }
    }

    fn walk(&self, chain: &ChainName, packet: &Packet, depth: u32, steps: &mut u32) -> Outcomes {
        let mut outcomes = Outcomes::default();
        let Some(depth) = depth.checked_sub(1) else {
            return Outcomes::ANY;
        };
        let nothing = Vec::new();
        for rule in self.chains.get(chain).unwrap_or(&nothing) {
            *steps = steps.saturating_sub(1);
            if *steps == 0 {
                return Outcomes::ANY;
            }
            let Some(certain) = rule.applies(packet) else {
                continue;
            };
            let other = |name: &String| ChainName {
                name: name.clone(),
                ..chain.clone()
            };
            match &rule.action {
                Action::Continue => continue,
                Action::Accept => outcomes.accept = true,
                Action::Drop => outcomes.drop = true,
                Action::Return => outcomes.through = true,
                Action::Unknown => {
                    outcomes.accept = true;
                    outcomes.drop = true;
                    continue;
                }
                Action::Goto(name) => {
                    let there = self.walk(&other(name), packet, depth, steps);
                    outcomes.accept |= there.accept;
                    outcomes.drop |= there.drop;
                    outcomes.through |= there.through;
                }
                Action::Jump(name) => {
                    let there = self.walk(&other(name), packet, depth, steps);
                    outcomes.accept |= there.accept;
                    outcomes.drop |= there.drop;
                    if there.through {
                        continue;
                    }
                }
            }
            if certain {
                return outcomes;
            }
        }
        outcomes.through = true;
        outcomes
    }
}

/// Whether packets of that kind come by a table of that family.
fn concerns(family: &str, packet: &Packet) -> bool {
    match family {
        "ip" => packet.from.address.is_ipv4(),
        "ip6" => packet.from.address.is_ipv6(),
        "inet" | "netdev" => true,
        _bridge_and_arp => false,
    }
}

impl Rule {
    /// `None`: not to this packet; `Some(false)`: perhaps.
    fn applies(&self, packet: &Packet) -> Option<bool> {
        let mut certain = true;
        for condition in &self.conditions {
            match condition.holds(packet) {
                Some(true) => {}
                Some(false) => return None,
                None => certain = false,
            }
        }
        Some(certain)
    }
}

impl Condition {
    /// `None`: it cannot be told.
    fn holds(&self, packet: &Packet) -> Option<bool> {
        self.asks
            .matches(packet)
            .map(|matches| matches != self.negated)
    }
}

impl Asks {
    fn matches(&self, packet: &Packet) -> Option<bool> {
        let v4 = packet.from.address.is_ipv4();
        match self {
            Self::Link(names) => Some(names.iter().any(|name| match name.strip_suffix('*') {
                Some(start) => packet.link.starts_with(start),
                None => packet.link == *name,
            })),
            Self::Protocol(names) => {
                let (word, number) = match packet.protocol {
                    Protocol::Tcp => ("tcp", "6"),
                    Protocol::Udp => ("udp", "17"),
                };
                let is = |name: &String| name == word || name == number || name == "all";
                Some(names.iter().any(is))
            }
            Self::Port(protocol, ranges) => {
                let right = protocol.is_none_or(|protocol| protocol == packet.protocol);
                Some(right && ranges.iter().any(|range| range.contains(&packet.port)))
            }
            Self::From(networks) => meets(packet.from, networks),
            Self::To(networks) => match packet.to {
                Some(to) => Some(networks.iter().any(|network| network.contains(to))),
                None => match networks.iter().any(|net| net.address.is_ipv4() == v4) {
                    true => None,
                    false => Some(false),
                },
            },
            Self::ToKind(kinds) => {
                let kind = if packet.multicast {
                    "multicast"
                } else {
                    "local"
                };
                Some(kinds.iter().any(|each| each.eq_ignore_ascii_case(kind)))
            }
            Self::Family(family) => Some(match family.as_str() {
                "ip" | "ipv4" => v4,
                "ip6" | "ipv6" => !v4,
                _other => false,
            }),
            Self::State(states) => {
                Some(states.iter().any(|state| state.eq_ignore_ascii_case("new")))
            }
            Self::Never => Some(false),
            Self::Flags { of, are } => {
                let syn = BTreeSet::from(["syn".to_owned()]);
                let set: BTreeSet<_> = of.intersection(&syn).cloned().collect();
                Some(packet.protocol == Protocol::Tcp && set == *are)
            }
            Self::Unknown => None,
        }
    }
}

/// Whether everybody in a network is in one of those, or nobody; `None` if some are.
fn meets(all: Network, networks: &[Network]) -> Option<bool> {
    let mut some = false;
    for network in networks {
        if within(all.address, network.address, network.bits) && network.bits <= all.bits {
            return Some(true);
        }
        some |= within(network.address, all.address, all.bits);
    }
    match some {
        true => None,
        false => Some(false),
    }
}
