//! `iptables-save -t filter` and `ip6tables-save -t filter`, as rules (iptables(8), iptables-extensions(8)).

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use super::filter::{Action, Asks, Base, ChainName, Condition, Rule, Rules};
use super::nft::target_action;
use crate::engine::doctor::links::Network;

/// `family`: `ip` or `ip6`.
pub fn parse(text: &str, family: &str) -> Rules {
    let mut rules = Rules::default();
    let chain = |name: &str| ChainName {
        family: family.to_owned(),
        table: "filter".to_owned(),
        name: name.to_owned(),
    };
    let mut in_filter = false;
    for line in text.lines() {
        if let Some(table) = line.strip_prefix('*') {
            in_filter = table.trim() == "filter";
        } else if !in_filter {
        } else if let Some(declared) = line.strip_prefix(':') {
            let mut words = declared.split(' ');
            let (Some(name), Some(policy)) = (words.next(), words.next()) else {
                continue;
            };
            rules.chains.entry(chain(name)).or_default();
            if name == "INPUT" {
                rules.bases.push(Base {
                    chain: chain(name),
                    accepts: policy != "DROP",
                    // After all that nftables has in other hooks; the order in one does not matter.
                    priority: i64::MAX,
                });
            }
        } else if let Some(added) = line.strip_prefix("-A ") {
            let words = words(added);
            let mut words = words.iter().map(String::as_str);
            if let Some(name) = words.next() {
                let rule = rule(words.collect());
                rules.chains.entry(chain(name)).or_default().push(rule);
            }
        }
    }
    rules
}

/// As a shell would take it apart, which `iptables-save` writes for.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut quoted, mut any) = (false, false);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                quoted = !quoted;
                any = true;
            }
            '\\' if quoted => word.extend(chars.next()),
            ' ' if !quoted => {
                if any || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                any = false;
            }
            c => word.push(c),
        }
    }
    if any || !word.is_empty() {
        words.push(word);
    }
    words
}

fn rule(words: Vec<&str>) -> Rule {
    let mut conditions = Vec::new();
    let mut negated = false;
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap_or_default();
        let asks = match word {
            "!" => {
                negated = true;
                continue;
            }
            "-j" | "--jump" => {
                // What follows belongs to it.
                let action = match value() {
                    "" => Action::Continue,
                    target => match target_action(target) {
                        // Extensions are in capitals, and so is no chain of a sane person's.
                        Action::Unknown if !is_extension(target) => Action::Jump(target.into()),
                        action => action,
                    },
                };
                return Rule { conditions, action };
            }
            "-g" | "--goto" => {
                let action = Action::Goto(value().into());
                return Rule { conditions, action };
            }
            "-i" => Asks::Link(vec![value().replace('+', "*")]),
            "-p" => Asks::Protocol(vec![value().into()]),
            "-s" => network(value()).map_or(Asks::Unknown, |net| Asks::From(vec![net])),
            "-d" => network(value()).map_or(Asks::Unknown, |net| Asks::To(vec![net])),
            // Nothing that comes in goes out.
            "-o" => {
                value();
                Asks::Never
            }
            "-m" => match value() {
                "tcp" | "udp" | "conntrack" | "state" | "multiport" | "comment" | "addrtype" => {
                    continue;
                }
                // Of packets with a routing header, which nobody sends.
                "rt" | "icmp" | "icmp6" | "ipv6-icmp" => Asks::Never,
                _says_more => Asks::Unknown,
            },
            "--comment" => {
                value();
                continue;
            }
            "--dport" | "--destination-port" | "--dports" | "--destination-ports" => {
                ports(value()).map_or(Asks::Unknown, |ports| Asks::Port(None, ports))
            }
            "--syn" => Asks::Flags {
                of: flags("FIN,SYN,RST,ACK"),
                are: flags("SYN"),
            },
            "--tcp-flags" => Asks::Flags {
                of: flags(value()),
                are: flags(value()),
            },
            "--dst-type" => Asks::ToKind(value().split(',').map(str::to_owned).collect()),
            "--ctstate" | "--state" => Asks::State(value().split(',').map(str::to_owned).collect()),
            _option => {
                while words
                    .next_if(|next| !next.starts_with('-') && *next != "!")
                    .is_some()
                {}
                Asks::Unknown
            }
        };
        conditions.push(Condition { asks, negated });
        negated = false;
    }
    Rule {
        conditions,
        action: Action::Continue,
    }
}

fn is_extension(target: &str) -> bool {
    const OTHERS: &[&str] = &[
        "QUEUE",
        "NFQUEUE",
        "DNAT",
        "SNAT",
        "REDIRECT",
        "MASQUERADE",
        "TPROXY",
        "TEE",
        "SYNPROXY",
        "TARPIT",
        "DELUDE",
        "CHAOS",
        "HMARK",
        "IDLETIMER",
        "LED",
        "RATEEST",
        "SECMARK",
        "CONNSECMARK",
        "CLUSTERIP",
        "ECN",
        "HL",
        "TTL",
        "NETMAP",
        "TCPOPTSTRIP",
        "XT_DNETMAP",
    ];
    OTHERS.contains(&target)
}

fn flags(text: &str) -> BTreeSet<String> {
    const ALL: &str = "fin,syn,rst,psh,ack,urg";
    let text = match text {
        "ALL" => ALL.to_owned(),
        "NONE" => return BTreeSet::new(),
        text => text.to_ascii_lowercase(),
    };
    text.split(',').map(str::to_owned).collect()
}

fn network(text: &str) -> Option<Network> {
    match text.split_once('/') {
        Some((address, bits)) => Some(Network {
            address: address.parse().ok()?,
            // A mask with holes is beyond us.
            bits: bits.parse().ok()?,
        }),
        None => text.parse::<IpAddr>().ok().map(Network::only),
    }
}

fn ports(text: &str) -> Option<Vec<RangeInclusive<u16>>> {
    let range = |text: &str| {
        let (from, to) = text.split_once(':').unwrap_or((text, text));
        Some(from.parse().ok()?..=to.parse().ok()?)
    };
    text.split(',').map(range).collect()
}
