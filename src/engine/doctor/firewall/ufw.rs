//! ufw, from its own files (ufw(8), ufw-framework(8)): who may read the rules is an administrator.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use super::filter::Protocol;

/// A rule as ufw notes it down: `### tuple ### allow tcp 9000 0.0.0.0/0 any 0.0.0.0/0 in`.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Tuple {
    allows: bool,
    protocol: Option<Protocol>,
    ports: Option<Vec<RangeInclusive<u16>>>,
    /// From anybody, to any address.
    for_all: bool,
    /// An interface, if it is for one alone.
    link: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    Accepts,
    /// `true`: by a rule of its own, before which another has to stand.
    Drops(bool),
    Unclear,
}

/// `/etc/ufw/ufw.conf`
pub fn is_enabled(conf: &str) -> bool {
    setting(conf, "ENABLED").is_some_and(|value| value.eq_ignore_ascii_case("yes"))
}

/// `/etc/default/ufw`
pub fn accepts_by_default(defaults: &str) -> bool {
    setting(defaults, "DEFAULT_INPUT_POLICY")
        .is_some_and(|value| value.eq_ignore_ascii_case("accept"))
}

/// As a shell would set it; the last one counts.
fn setting<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = text.lines().rev();
    lines.find_map(|line| {
        let value = line.trim().strip_prefix(name)?.trim_start();
        Some(value.strip_prefix('=')?.trim().trim_matches(['"', '\'']))
    })
}

/// `/etc/ufw/user.rules`: the first rule that fits counts, then the policy.
pub fn verdict(rules: &str, by_default: bool, protocol: Protocol, port: u16) -> Verdict {
    let tuples = rules.lines().filter_map(tuple);
    for tuple in tuples {
        let fits = tuple.protocol.is_none_or(|each| each == protocol)
            && tuple
                .ports
                .as_ref()
                .is_none_or(|ports| ports.iter().any(|range| range.contains(&port)));
        if !fits {
            continue;
        }
        return match (tuple.for_all && tuple.link.is_none(), tuple.allows) {
            (true, true) => Verdict::Accepts,
            (true, false) => Verdict::Drops(true),
            (false, _) => Verdict::Unclear,
        };
    }
    match by_default {
        true => Verdict::Accepts,
        false => Verdict::Drops(false),
    }
}

fn tuple(line: &str) -> Option<Tuple> {
    let line = line.strip_prefix("### tuple ###")?;
    let mut words = line.split_whitespace();
    let action = words.next()?;
    let protocol = match words.next()? {
        "tcp" => Some(Protocol::Tcp),
        "udp" => Some(Protocol::Udp),
        "any" => None,
        _neither => return None,
    };
    let ports = match words.next()? {
        "any" => None,
        ports => Some(self::ports(ports)?),
    };
    let (to, _source_port, from) = (words.next()?, words.next()?, words.next()?);
    let direction = words.find(|word| word.starts_with("in") || word.starts_with("out"))?;
    let link = direction.strip_prefix("in_").map(str::to_owned);
    if !direction.starts_with("in") {
        return None;
    }
    let anybody = |text: &str| {
        let address = text.split('/').next().unwrap_or(text);
        text == "any"
            || address
                .parse::<IpAddr>()
                .is_ok_and(|ip| ip.is_unspecified())
    };
    // `allow_log`, `route:allow`
    let action = action.split('_').next().unwrap_or(action);
    let allows = match action {
        // A limit is for those who come again and again.
        "allow" | "limit" => true,
        "deny" | "reject" => false,
        _routed => return None,
    };
    Some(Tuple {
        allows,
        protocol,
        ports,
        for_all: anybody(to) && anybody(from),
        link,
    })
}

fn ports(text: &str) -> Option<Vec<RangeInclusive<u16>>> {
    let range = |text: &str| {
        let (from, to) = text.split_once(':').unwrap_or((text, text));
        Some(from.parse().ok()?..=to.parse().ok()?)
    };
    text.split(',').map(range).collect()
}

/// Opens the port for everybody. A rule that refuses it is older, and would count first.
pub fn remedy(protocol: Protocol, ports: &str, refused_by_rule: bool) -> String {
    let protocol = match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    };
    match refused_by_rule {
        true => format!("sudo ufw prepend allow {ports}/{protocol}"),
        false => format!("sudo ufw allow {ports}/{protocol}"),
    }
}
