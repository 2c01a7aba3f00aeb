//! firewalld, as `firewall-cmd` tells (firewall-cmd(1), firewalld.zone(5)). Most systems let everybody
//! who is logged in ask.

use std::ops::RangeInclusive;

use super::filter::Protocol;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    Accepts,
    Drops,
    Unclear,
}

/// A zone, as `firewall-cmd --zone=… --list-all` shows it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Zone {
    target: String,
    ports: Vec<(Option<Protocol>, RangeInclusive<u16>)>,
    services: Vec<String>,
    rich_rules: Vec<String>,
}

/// `None` if it is no zone.
pub fn zone(text: &str) -> Option<Zone> {
    let mut zone = Zone::default();
    let mut in_rich_rules = false;
    for line in text.lines() {
        let line = line.trim();
        if let Some((key, value)) = line.split_once(':')
            && !line.starts_with("rule ")
        {
            let value = value.trim();
            in_rich_rules = key == "rich rules";
            match key {
                "target" => zone.target = value.to_owned(),
                "services" => zone.services = value.split(' ').map(str::to_owned).collect(),
                "ports" => zone.ports = value.split(' ').filter_map(port).collect(),
                "rich rules" if !value.is_empty() => zone.rich_rules.push(value.to_owned()),
                _other => {}
            }
        } else if in_rich_rules && !line.is_empty() {
            zone.rich_rules.push(line.to_owned());
        }
    }
    (!zone.target.is_empty()).then_some(zone)
}

/// `9000/tcp`, `1025-65535/udp`
fn port(text: &str) -> Option<(Option<Protocol>, RangeInclusive<u16>)> {
    let (ports, protocol) = text.split_once('/')?;
    let (from, to) = ports.split_once('-').unwrap_or((ports, ports));
    let protocol = match protocol {
        "tcp" => Some(Protocol::Tcp),
        "udp" => Some(Protocol::Udp),
        _neither => return None,
    };
    Some((protocol, from.parse().ok()?..=to.parse().ok()?))
}

impl Zone {
    pub fn verdict(&self, protocol: Protocol, port: u16) -> Verdict {
        // Rules of that kind come first, and may say anything.
        let about = |rule: &String| {
            ["drop", "reject", "accept"]
                .iter()
                .any(|word| rule.contains(word))
                && (rule.contains(&port.to_string()) || !rule.contains("port"))
                && !rule.contains("service name")
        };
        if self.rich_rules.iter().any(about) {
            return Verdict::Unclear;
        }
        let named = |(each, range): &(Option<Protocol>, RangeInclusive<u16>)| {
            each.is_none_or(|each| each == protocol) && range.contains(&port)
        };
        let mdns = protocol == Protocol::Udp && port == 5353;
        if self.ports.iter().any(named)
            || self.target == "ACCEPT"
            || mdns && self.services.iter().any(|service| service == "mdns")
        {
            return Verdict::Accepts;
        }
        Verdict::Drops
    }
}

/// For now and for good.
pub fn remedies(zone: &str, protocol: Protocol, ports: &[u16]) -> Vec<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/');
    if zone.is_empty() || !zone.chars().all(fits) {
        return Vec::new();
    }
    let protocol = match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    };
    let ports: Vec<_> = ports
        .iter()
        .map(|port| format!("--add-port={port}/{protocol}"))
        .collect();
    let ports = ports.join(" ");
    vec![
        format!("sudo firewall-cmd --zone={zone} {ports}"),
        format!("sudo firewall-cmd --permanent --zone={zone} {ports}"),
    ]
}
