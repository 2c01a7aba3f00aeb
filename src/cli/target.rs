//! Whom `--to` means: a known device by its name, or whoever is at an address.

use std::time::{Duration, Instant};

use super::input::Input;
use super::output::Output;
use super::{Session, Trouble};
use crate::engine::{Chosen, Event, KnownDevice};
use crate::model::address::AddressError;
use crate::model::{Bond, DeviceId, Nearby, PeerAddress, Presence};

/// Where to send, and to whom.
#[derive(PartialEq, Eq, Debug)]
pub struct Target {
    pub to: PeerAddress,
    pub device: Option<Chosen>,
    /// It was chosen by its name and proves itself: nothing has to be looked at or typed.
    pub paired: bool,
}

/// A device of the network answers within so long, or not at all.
const NEARBY_WITHIN: Duration = Duration::from_secs(3);
/// What could be the name of a host as well does not wait as long for a device of that name.
const PERHAPS_WITHIN: Duration = Duration::from_millis(1500);
/// It is where it was, or it is heard of by then.
const KNOWN_WITHIN: Duration = Duration::from_millis(700);
/// Others of the same name are heard of by then.
const OTHERS_WITHIN: Duration = Duration::from_millis(500);
/// As many digits of an id as are shown.
const LEAST_DIGITS: usize = 8;

/// Finds out whom `--to` means: known devices come first, then those on the network, then hosts. At an address
/// nobody has to be found: then this device takes no part in discovery yet.
pub fn find(session: &Session, text: &str, output: &Output) -> Result<Target, Trouble> {
    // What is wrong with how it may show itself is said in any case.
    session.may_show(Presence::Hidden)?;
    let resolved = resolve(text, &session.engine.known())?;
    let mut known = None;
    let (wait, target) = match resolved {
        Resolved::Address(target) => return Ok(target),
        Resolved::Known(target) => {
            known = target.device.as_ref().map(|device| device.id);
            let wait = match target.to.is_nowhere() {
                true => NEARBY_WITHIN,
                false => KNOWN_WITHIN,
            };
            (wait, Ok(target))
        }
        Resolved::Perhaps(Ok(target)) => (PERHAPS_WITHIN, Ok(target)),
        Resolved::Perhaps(Err(trouble)) => (NEARBY_WITHIN, Err(trouble)),
    };
    let mut until = Instant::now();
    if session.show(Presence::Hidden)? != Presence::Off {
        until += wait;
    }
    let mut found: Vec<Nearby> = Vec::new();
    loop {
        match session.inputs.next_before(until) {
            Some(Input::Event(Event::Nearby(nearby))) => {
                let first = found.is_empty();
                let meant = |nearby: &Nearby| match known {
                    Some(id) => nearby.id == id,
                    None => is_meant(nearby, text),
                };
                found = nearby.into_iter().filter(meant).collect();
                if first && !found.is_empty() {
                    // Another one of this name speaks as soon; a known device is one alone.
                    let more = if known.is_some() {
                        Duration::ZERO
                    } else {
                        OTHERS_WITHIN
                    };
                    until = until.min(Instant::now() + more);
                }
            }
            // Said at the start, and never again.
            Some(Input::Event(Event::DevicesNotRead(why) | Event::ConversationsNotRead(why))) => {
                output.warn(&why);
            }
            Some(Input::Event(_) | Input::Line(..)) => {}
            Some(Input::Interrupt) => return Err(Trouble::interrupted()),
            None => break,
        }
    }
    // Where a known device was is tried as well.
    let has_place = known.is_some() && target.as_ref().is_ok_and(|it| !it.to.is_nowhere());
    match found.as_slice() {
        _ if has_place => return target,
        [] => {}
        [one] => return of_nearby(one, &session.engine.known()),
        several => return Err(several_nearby(text, several)),
    }
    match target {
        Ok(target) if target.to.is_nowhere() => Err(Trouble::usage(
            "no-address",
            format!(
                "It is not known where {} is: it was never reached from here, and it is not on this \
                 network. Use its address once.",
                crate::model::displayable(text.trim())
            ),
        )),
        target => target,
    }
}

fn is_meant(nearby: &Nearby, text: &str) -> bool {
    let text = text.trim().to_lowercase();
    nearby.name.as_str().to_lowercase() == text || is_id(nearby.id, &text)
}

fn is_id(id: DeviceId, text: &str) -> bool {
    text.len() >= LEAST_DIGITS && id.to_string().starts_with(text)
}

fn of_nearby(nearby: &Nearby, known: &[KnownDevice]) -> Result<Target, Trouble> {
    let Some(first) = nearby.addresses.first() else {
        return Err(Trouble {
            exit: super::Exit::Connection,
            code: "not-receiving",
            sentence: format!(
                "{} does not receive now: switch that on there.",
                nearby.name
            ),
        });
    };
    let mut known = known.iter();
    Ok(Target {
        to: PeerAddress::of(*first, nearby.id),
        device: Some(Chosen {
            id: nearby.id,
            name: Some(nearby.name.clone()),
        }),
        paired: known.any(|device| device.id == nearby.id && device.bond == Bond::Paired),
    })
}

fn several_nearby(text: &str, all: &[Nearby]) -> Trouble {
    let lines = all.iter().map(|nearby| {
        let at = nearby.addresses.first().map(ToString::to_string);
        let at = at.unwrap_or_else(|| "does not receive now".into());
        format!("\n  {}  {}  {at}", nearby.name, nearby.id.short())
    });
    let text = crate::model::displayable(text);
    let lines = bounded(lines);
    Trouble::usage(
        "ambiguous",
        format!("Several devices here are called {text}; name one by its id:{lines}"),
    )
}

#[derive(Debug)]
enum Resolved {
    /// Of an IP address or a link: what a device calls itself must not redirect those.
    Address(Target),
    /// A known device; its address may not be known.
    Known(Target),
    /// Nobody known is called so: a device on the network, or a host if it can be the name of one.
    Perhaps(Result<Target, Trouble>),
}

fn resolve(text: &str, known: &[KnownDevice]) -> Result<Resolved, Trouble> {
    let address = text.parse::<PeerAddress>();
    if let Ok(address) = &address
        && (text.contains("://") || address.host.parse::<std::net::IpAddr>().is_ok())
    {
        let named = |id| {
            let device = known.iter().find(|device| device.id == id);
            device.map(|device| device.name.clone())
        };
        return Ok(Resolved::Address(Target {
            to: address.clone(),
            device: address.device.map(|id| Chosen {
                id,
                name: named(id),
            }),
            paired: false,
        }));
    }
    let digits = text.trim().to_lowercase();
    let known = known.iter().filter(|device| device.bond != Bond::Blocked);
    let mut same = known.filter(|device| is_called(device, text) || is_id(device.id, &digits));
    match (same.next(), same.next()) {
        (Some(device), None) => Ok(Resolved::Known(chosen(device))),
        (Some(first), Some(second)) => {
            let all = [first, second].into_iter().chain(same);
            Err(ambiguous(text, "id or address", all))
        }
        (None, _) => {
            let why = address
                .as_ref()
                .err()
                .and_then(|error| malformed(text, error));
            if let Some(why) = why {
                let text = crate::model::displayable(text);
                return Err(Trouble::usage("address", format!("--to {text}: {why}.")));
            }
            // With a port, a scope or a domain it is a place; and this computer is no device of a network.
            let placed = |to: &PeerAddress| {
                to.port.is_some() || to.host.contains(['.', ':']) || to.host == "localhost"
            };
            let target = address.map(|to| Target {
                to,
                device: None,
                paired: false,
            });
            match target {
                Ok(target) if placed(&target.to) => Ok(Resolved::Address(target)),
                Ok(target) => Ok(Resolved::Perhaps(Ok(target))),
                Err(error) => Ok(Resolved::Perhaps(Err(Trouble::usage(
                    "address",
                    format!(
                        "--to {}: no known device has this name, nor one on this network, and {error}.",
                        crate::model::displayable(text)
                    ),
                )))),
            }
        }
    }
}

/// What is wrong with a text that nobody means as the name of a device.
fn malformed(text: &str, error: &AddressError) -> Option<String> {
    let text = text.trim();
    if text.contains("://") {
        return Some(error.to_string());
    }
    let (host, port) = text.rsplit_once(':')?;
    let numbered = !port.is_empty() && port.bytes().all(|c| c.is_ascii_digit());
    if numbered && host.parse::<std::net::Ipv6Addr>().is_ok() {
        return Some(format!(
            "an IPv6 address with a port is written [{host}]:{port}"
        ));
    }
    match error {
        // Behind a number, or before one, nothing but a port is meant.
        AddressError::Port if numbered || host.parse::<std::net::IpAddr>().is_ok() => {
            Some(error.to_string())
        }
        _ => None,
    }
}

/// As many of those who share a name as a person reads through.
const MOST_NAMED: usize = 8;

fn bounded(mut lines: impl Iterator<Item = String>) -> String {
    let mut text: String = lines.by_ref().take(MOST_NAMED).collect();
    let more = lines.count();
    if more > 0 {
        text.push_str(&format!("\n  and {more} more"));
    }
    text
}

pub fn is_called(device: &KnownDevice, text: &str) -> bool {
    device.shown().as_str().to_lowercase() == text.trim().to_lowercase()
}

/// Lists them, so that the person can tell them apart.
pub fn ambiguous<'a>(text: &str, by: &str, all: impl Iterator<Item = &'a KnownDevice>) -> Trouble {
    let lines = all.map(|device| {
        let at = device.address.as_deref().unwrap_or("no address");
        format!("\n  {}  {}  {at}", device.shown(), device.id.short())
    });
    let text = crate::model::displayable(text);
    let lines = bounded(lines);
    Trouble::usage(
        "ambiguous",
        format!("Several known devices are called {text}; name one by its {by}:{lines}"),
    )
}

fn chosen(device: &KnownDevice) -> Target {
    let to = device.address.as_deref().and_then(|at| at.parse().ok());
    Target {
        to: to.unwrap_or_else(|| PeerAddress::nowhere(device.id)),
        device: Some(Chosen {
            id: device.id,
            name: Some(device.name.clone()),
        }),
        paired: device.bond == Bond::Paired,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DeviceId, DeviceName, Rule};

    fn device(byte: u8, name: &str, label: Option<&str>, address: Option<&str>) -> KnownDevice {
        KnownDevice {
            id: DeviceId([byte; 32]),
            name: DeviceName::cleaned(name, "x"),
            label: label.map(|label| DeviceName::cleaned(label, "x")),
            bond: Bond::Paired,
            rule: Rule::Ask,
            address: address.map(str::to_owned),
            met: std::time::UNIX_EPOCH,
        }
    }

    /// Without a network.
    fn resolve(text: &str, known: &[KnownDevice]) -> Result<Target, Trouble> {
        match super::resolve(text, known)? {
            Resolved::Address(target) | Resolved::Known(target) => Ok(target),
            Resolved::Perhaps(target) => target,
        }
    }

    fn known() -> Vec<KnownDevice> {
        let mut blocked = device(7, "nas", None, Some("192.168.1.7:9000"));
        blocked.bond = Bond::Blocked;
        let mut forgot = device(8, "Old", None, Some("192.168.1.8:9000"));
        forgot.bond = Bond::ForgottenThere;
        vec![
            device(1, "Garden laptop", None, Some("192.168.1.20:9001")),
            device(
                2,
                "DESKTOP-1",
                Some("书房电脑"),
                Some("[fe80::1%eth0]:9000"),
            ),
            device(3, "Twin", None, None),
            device(4, "x", Some("twin"), Some("192.168.1.4:9000")),
            device(5, "Silent", None, None),
            device(6, "192.168.1.20", None, Some("192.168.1.6:9000")),
            blocked,
            forgot,
        ]
    }

    #[test]
    fn a_known_device_is_chosen_by_what_it_is_called_here() {
        let target = resolve(" garden LAPTOP ", &known()).unwrap();
        assert_eq!(target.to.to_string(), "192.168.1.20:9001");
        assert_eq!(target.device.unwrap().id, DeviceId([1; 32]));
        assert!(target.paired);
        let target = resolve("书房电脑", &known()).unwrap();
        assert_eq!(target.to.to_string(), "[fe80::1%eth0]:9000");
        let name = target.device.unwrap().name.unwrap();
        assert_eq!(name.as_str(), "DESKTOP-1", "what it says itself");
        let target = resolve("Old", &known()).unwrap();
        assert!(target.device.is_some() && !target.paired);
        let target = resolve("01010101", &known()).unwrap();
        assert_eq!(target.device.unwrap().id, DeviceId([1; 32]));
        assert!(resolve("silent", &known()).unwrap().to.is_nowhere());
    }

    #[test]
    fn a_name_that_nobody_known_has_is_a_host() {
        for host in ["desktop-1", "nas", "192.168.1.20", "192.168.1.20:9001"] {
            let target = resolve(host, &known()).unwrap();
            assert_eq!(target.to, host.parse().unwrap());
            assert!(target.device.is_none() && !target.paired, "{host}");
        }
    }

    #[test]
    fn a_link_names_the_device() {
        let link = format!("ropeway://somewhere/?id={}", "01".repeat(32));
        let device = resolve(&link, &known()).unwrap().device.unwrap();
        assert_eq!(device.name.unwrap().as_str(), "Garden laptop");
        let link = format!("ropeway://somewhere/?id={}", "0f".repeat(32));
        let device = resolve(&link, &known()).unwrap().device.unwrap();
        assert_eq!((device.id, device.name), (DeviceId([15; 32]), None));
    }

    #[test]
    fn a_device_on_the_network_is_meant_by_its_name_or_its_id() {
        let nearby = Nearby {
            id: DeviceId([0xab; 32]),
            name: DeviceName::cleaned("Garden", "x"),
            system: crate::model::System::Linux,
            receiving: true,
            addresses: vec!["[fe80::1%3]:9001".parse().unwrap()],
        };
        for text in ["garden", " GARDEN ", "abababab", "ABABABABAB"] {
            assert!(is_meant(&nearby, text), "{text}");
        }
        for text in ["gard", "abababa", "ababababac", ""] {
            assert!(!is_meant(&nearby, text), "{text}");
        }
        let target = of_nearby(&nearby, &known()).unwrap();
        assert_eq!(target.to.to_string(), "[fe80::1%3]:9001");
        assert_eq!(
            (target.device.unwrap().id, target.paired),
            (nearby.id, false)
        );
        let off = Nearby {
            addresses: Vec::new(),
            ..nearby
        };
        assert_eq!(of_nearby(&off, &[]).unwrap_err().code, "not-receiving");
    }

    #[test]
    fn what_cannot_be_meant_is_said_with_what_helps() {
        for (text, code, helps) in [
            ("TWIN", "ambiguous", "04040404  192.168.1.4:9000"),
            ("TWIN", "ambiguous", "03030303  no address"),
            ("Study PC", "address", "--to Study PC"),
            ("host:99999", "address", "port"),
            ("192.168.1.4:0", "address", "from 1 to 65535"),
            ("127.0.0.1:abc", "address", "abc: the port must be"),
            ("::1:21999", "address", "is written [::1]:21999"),
            ("2001:db8::1:21999", "address", "[2001:db8::1]:21999"),
            ("", "address", "empty"),
            ("ropeway://host/?id=1", "address", "=1: the device's id"),
            ("http://host", "address", "host: the address is not"),
        ] {
            let trouble = resolve(text, &known()).unwrap_err();
            assert_eq!(
                (trouble.exit, trouble.code),
                (super::super::Exit::Usage, code)
            );
            assert!(trouble.sentence.contains(helps), "{}", trouble.sentence);
        }
    }
}
