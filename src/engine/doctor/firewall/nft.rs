//! `nft -j list ruleset`, as rules (libnftables-json(5)).

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::ops::RangeInclusive;

use serde_json::Value;

use super::filter::{Action, Asks, Base, ChainName, Condition, Protocol, Rule, Rules};
use crate::engine::doctor::links::Network;

/// A ruleset, and whether parts of it were made by `iptables`, which say more there.
pub struct Ruleset {
    pub rules: Rules,
    /// Families (`ip`, `ip6`) whose table `filter` is better asked of `iptables`.
    pub by_iptables: Vec<String>,
}

/// Sets by family, table and name.
type Sets = HashMap<ChainName, Value>;

/// `None` if it is no ruleset.
pub fn parse(text: &str) -> Option<Ruleset> {
    let all: Value = serde_json::from_str(text).ok()?;
    let all = all.get("nftables")?.as_array()?;
    let objects = |kind: &'static str| all.iter().filter_map(move |object| object.get(kind));
    let mut sets = Sets::new();
    for set in objects("set") {
        if let (Some(name), Some(elements)) = (named(set, "name"), set.get("elem")) {
            sets.insert(name, elements.clone());
        }
    }
    let mut rules = Rules::default();
    for chain in objects("chain") {
        let Some(name) = named(chain, "name") else {
            continue;
        };
        rules.chains.entry(name.clone()).or_default();
        let comes_in = matches!(
            text_of(chain, "hook"),
            Some("prerouting" | "input" | "ingress")
        );
        if comes_in && text_of(chain, "type") == Some("filter") {
            rules.bases.push(Base {
                chain: name,
                accepts: text_of(chain, "policy") != Some("drop"),
                priority: hook_order(chain)
                    + chain.get("prio").and_then(Value::as_i64).unwrap_or(0),
            });
        }
    }
    let mut by_iptables = Vec::new();
    for rule in objects("rule") {
        let (Some(chain), Some(statements)) = (named(rule, "chain"), rule.get("expr")) else {
            continue;
        };
        let nothing = Vec::new();
        let statements = statements.as_array().unwrap_or(&nothing);
        let foreign = statements.iter().any(|each| each.get("xt").is_some());
        if foreign && chain.table == "filter" && !by_iptables.contains(&chain.family) {
            by_iptables.push(chain.family.clone());
        }
        let read = read(statements, &chain, &sets);
        rules.chains.entry(chain).or_default().extend(read);
    }
    Some(Ruleset { rules, by_iptables })
}

/// Hooks come one after the other, whatever the priorities are.
fn hook_order(chain: &Value) -> i64 {
    const APART: i64 = 1 << 40;
    match text_of(chain, "hook") {
        Some("ingress") => 0,
        Some("prerouting") => APART,
        _input => 2 * APART,
    }
}

fn text_of<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get(key)?.as_str()
}

fn named(object: &Value, key: &str) -> Option<ChainName> {
    Some(ChainName {
        family: text_of(object, "family")?.to_owned(),
        table: text_of(object, "table")?.to_owned(),
        name: text_of(object, key)?.to_owned(),
    })
}

/// One rule, or several if it chooses by a map.
fn read(statements: &[Value], chain: &ChainName, sets: &Sets) -> Vec<Rule> {
    let mut conditions = Vec::new();
    for statement in statements {
        let Some((kind, about)) = statement.as_object().and_then(|each| each.iter().next()) else {
            conditions.push(unknown());
            continue;
        };
        match kind.as_str() {
            "match" => conditions.push(condition(about, chain, sets)),
            // Lets through only so many.
            "limit" | "ct count" | "quota" => conditions.push(unknown()),
            "vmap" => return choices(about, &conditions, chain, sets),
            "xt" => match (text_of(about, "type"), text_of(about, "name")) {
                (Some("target"), Some(target)) => {
                    let action = target_action(target);
                    return vec![Rule { conditions, action }];
                }
                _match => conditions.push(unknown()),
            },
            kind => match verdict(kind, about) {
                Some(Action::Continue) => {}
                Some(action) => return vec![Rule { conditions, action }],
                None => {
                    let action = Action::Unknown;
                    return vec![Rule { conditions, action }];
                }
            },
        }
    }
    Vec::new()
}

/// What an extension of `iptables` does.
pub fn target_action(target: &str) -> Action {
    match target {
        "ACCEPT" => Action::Accept,
        "DROP" | "REJECT" => Action::Drop,
        "RETURN" => Action::Return,
        "LOG" | "NFLOG" | "ULOG" | "MARK" | "CONNMARK" | "TCPMSS" | "CT" | "NOTRACK" | "TRACE"
        | "CLASSIFY" | "SET" | "DSCP" | "TOS" | "CHECKSUM" | "AUDIT" => Action::Continue,
        _other => Action::Unknown,
    }
}

fn verdict(kind: &str, about: &Value) -> Option<Action> {
    let target = || text_of(about, "target").map(str::to_owned);
    Some(match kind {
        "accept" => Action::Accept,
        "drop" | "reject" => Action::Drop,
        "return" => Action::Return,
        "jump" => Action::Jump(target()?),
        "goto" => Action::Goto(target()?),
        "counter" | "log" | "mangle" | "notrack" | "set" | "map" | "meter" | "comment" | "last"
        | "continue" | "ct helper" | "ct timeout" | "ct expectation" | "flow" | "secmark" => {
            Action::Continue
        }
        _other => return None,
    })
}

/// `ct state vmap { established : accept, … }`
fn choices(about: &Value, before: &[Condition], chain: &ChainName, sets: &Sets) -> Vec<Rule> {
    let key = about.get("key");
    let data = about.get("data").and_then(|data| data.get("set"));
    let pairs = data.and_then(Value::as_array);
    let (Some(key), Some(pairs)) = (key, pairs) else {
        let conditions = before.iter().cloned().chain([unknown()]).collect();
        let action = Action::Unknown;
        return vec![Rule { conditions, action }];
    };
    let rule = |pair: &Value| {
        let value = pair.get(0)?;
        let (kind, about) = pair.get(1)?.as_object()?.iter().next()?;
        let action = verdict(kind, about).unwrap_or(Action::Unknown);
        let one = Condition {
            asks: asks(key, value, chain, sets),
            negated: false,
        };
        let conditions = before.iter().cloned().chain([one]).collect();
        Some(Rule { conditions, action })
    };
    pairs.iter().filter_map(rule).collect()
}

fn unknown() -> Condition {
    Condition {
        asks: Asks::Unknown,
        negated: false,
    }
}

fn condition(about: &Value, chain: &ChainName, sets: &Sets) -> Condition {
    // `tcp flags syn` asks for any of them, `==` for exactly these.
    let any_flag = text_of(about, "op") == Some("in")
        && about.pointer("/left/payload/field") == Some(&Value::from("flags"));
    let negated = match text_of(about, "op") {
        Some("==" | "in") => false,
        Some("!=") => true,
        _less_or_more => return unknown(),
    };
    let (Some(left), Some(right)) = (about.get("left"), about.get("right")) else {
        return unknown();
    };
    if any_flag {
        return match flags(right) {
            Some(flags) if !flags.contains("syn") => Condition {
                asks: Asks::Never,
                negated,
            },
            Some(_) | None => unknown(),
        };
    }
    Condition {
        asks: asks(left, right, chain, sets),
        negated,
    }
}

fn asks(left: &Value, right: &Value, chain: &ChainName, sets: &Sets) -> Asks {
    let values = match values(right, chain, sets) {
        Some(values) => values,
        None => return Asks::Unknown,
    };
    known(left, &values).unwrap_or(Asks::Unknown)
}

/// What is compared with, one by one; `None` if it is a set that is not known.
fn values(right: &Value, chain: &ChainName, sets: &Sets) -> Option<Vec<Value>> {
    let elements = match right {
        Value::String(name) if name.starts_with('@') => {
            let name = ChainName {
                name: name.trim_start_matches('@').to_owned(),
                ..chain.clone()
            };
            sets.get(&name)?.as_array()?.clone()
        }
        Value::Array(all) => all.clone(),
        Value::Object(object) => match object.get("set") {
            Some(set) => set.as_array()?.clone(),
            None => vec![right.clone()],
        },
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => vec![right.clone()],
    };
    // An element with a comment or a counter of its own.
    let plain = elements.into_iter().map(|element| {
        let inner = element.get("elem").and_then(|inner| inner.get("val"));
        inner.cloned().unwrap_or(element)
    });
    Some(plain.collect())
}

fn known(left: &Value, values: &[Value]) -> Option<Asks> {
    let word = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _other => None,
    };
    let words = || values.iter().map(word).collect::<Option<Vec<_>>>();
    if let Some(meta) = left.get("meta") {
        return match text_of(meta, "key")? {
            "iifname" => Some(Asks::Link(words()?)),
            "iif" => {
                let names = values.iter().map(|value| value.as_str().map(str::to_owned));
                Some(Asks::Link(names.collect::<Option<_>>()?))
            }
            "l4proto" => Some(Asks::Protocol(words()?)),
            "nfproto" | "protocol" if values.len() == 1 => Some(Asks::Family(words()?.pop()?)),
            _other => None,
        };
    }
    if let Some(ct) = left.get("ct") {
        return match text_of(ct, "key")? {
            "state" => Some(Asks::State(words()?)),
            // Nobody has sent it here from elsewhere.
            "status" if words()?.iter().all(|word| word == "dnat" || word == "snat") => {
                Some(Asks::Never)
            }
            _other => None,
        };
    }
    if let Some([payload, mask]) = left.get("&").and_then(Value::as_array).map(Vec::as_slice) {
        let payload = payload.get("payload")?;
        let is_flags =
            text_of(payload, "protocol")? == "tcp" && text_of(payload, "field")? == "flags";
        return is_flags
            .then(|| {
                Some(Asks::Flags {
                    of: flags(mask)?,
                    are: flags(&Value::Array(values.to_vec()))?,
                })
            })
            .flatten();
    }
    if let Some(fib) = left.get("fib") {
        let flags = fib.get("flags")?;
        // Whether packets from there come by another interface, or from nowhere: not a neighbour's.
        if text_of(fib, "result")? == "oif" && values == [Value::Bool(false)] {
            return Some(Asks::Never);
        }
        let daddr = flags == "daddr" || flags.as_array().is_some_and(|all| all == &["daddr"]);
        return (text_of(fib, "result")? == "type" && daddr).then(|| words().map(Asks::ToKind))?;
    }
    let payload = left.get("payload")?;
    match (text_of(payload, "protocol")?, text_of(payload, "field")?) {
        ("tcp", "dport") => Some(Asks::Port(Some(Protocol::Tcp), ports(values)?)),
        ("udp", "dport") => Some(Asks::Port(Some(Protocol::Udp), ports(values)?)),
        ("tcp", "flags") => Some(Asks::Flags {
            of: ALL_FLAGS.iter().map(|flag| (*flag).to_owned()).collect(),
            are: flags(&Value::Array(values.to_vec()))?,
        }),
        ("icmp" | "icmpv6" | "igmp" | "esp" | "ah" | "sctp" | "dccp", _any) => Some(Asks::Never),
        ("th", "dport") => Some(Asks::Port(None, ports(values)?)),
        ("ip", "protocol") | ("ip6", "nexthdr") => Some(Asks::Protocol(words()?)),
        ("ip" | "ip6", "saddr") => Some(Asks::From(networks(values)?)),
        ("ip" | "ip6", "daddr") => Some(Asks::To(networks(values)?)),
        _other => None,
    }
}

const ALL_FLAGS: &[&str] = &["fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr"];

/// `"syn"`, `["fin", "syn"]`, `{"|": ["fin", "syn"]}` or 0.
fn flags(value: &Value) -> Option<BTreeSet<String>> {
    match value {
        Value::String(flag) => Some(BTreeSet::from([flag.clone()])),
        Value::Array(all) => {
            let mut flags = BTreeSet::new();
            for each in all {
                flags.extend(self::flags(each)?);
            }
            Some(flags)
        }
        Value::Object(object) => flags(object.get("|")?),
        Value::Number(number) => (number.as_u64() == Some(0)).then(BTreeSet::new),
        Value::Null | Value::Bool(_) => None,
    }
}

fn ports(values: &[Value]) -> Option<Vec<RangeInclusive<u16>>> {
    let number = |value: &Value| value.as_u64().and_then(|port| u16::try_from(port).ok());
    let range = |value: &Value| match value.get("range") {
        Some(range) => Some(number(range.get(0)?)?..=number(range.get(1)?)?),
        None => number(value).map(|port| port..=port),
    };
    values.iter().map(range).collect()
}

fn networks(values: &[Value]) -> Option<Vec<Network>> {
    let address = |value: &Value| value.as_str()?.parse::<IpAddr>().ok();
    let network = |value: &Value| match value.get("prefix") {
        Some(prefix) => Some(Network {
            address: address(prefix.get("addr")?)?,
            bits: u8::try_from(prefix.get("len")?.as_u64()?).ok()?,
        }),
        None => address(value).map(Network::only),
    };
    values.iter().map(network).collect()
}

/// The command that lets such packets in by a chain that keeps them out. `None` if a name in it would
/// have to be quoted.
pub fn remedy(chain: &ChainName, protocol: Protocol, ports: &str) -> Option<String> {
    let ChainName {
        family,
        table,
        name,
    } = chain;
    let plain = |text: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(fits)
    };
    let protocol = match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    };
    [family, table, name]
        .iter()
        .all(|text| plain(text))
        .then(|| {
            format!("sudo nft insert rule {family} {table} {name} {protocol} dport {ports} accept")
        })
}
