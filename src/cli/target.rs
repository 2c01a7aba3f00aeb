//! Whom `--to` means: a known device by its name, or whoever is at an address.

use super::Trouble;
use crate::engine::Chosen;
use crate::engine::KnownDevice;
use crate::model::{Bond, PeerAddress};

/// Where to send, and to whom.
#[derive(PartialEq, Eq, Debug)]
pub struct Target {
    pub to: PeerAddress,
    pub device: Option<Chosen>,
    /// It was chosen by its name and proves itself: nothing has to be looked at or typed.
    pub paired: bool,
}

/// A name comes before a host name of the same spelling, but never before an IP address or a link:
/// what a device calls itself must not redirect those.
pub fn resolve(text: &str, known: &[KnownDevice]) -> Result<Target, Trouble> {
    let address = text.parse::<PeerAddress>();
    if let Ok(address) = &address
        && (text.contains("://") || address.host.parse::<std::net::IpAddr>().is_ok())
    {
        let named = |id| {
            let device = known.iter().find(|device| device.id == id);
            device.map(|device| device.name.clone())
        };
        return Ok(Target {
            to: address.clone(),
            device: address.device.map(|id| Chosen {
                id,
                name: named(id),
            }),
            paired: false,
        });
    }
    let known = known.iter().filter(|device| device.bond != Bond::Blocked);
    let mut same = known.filter(|device| is_called(device, text));
    match (same.next(), same.next()) {
        (Some(device), None) => chosen(device),
        (Some(first), Some(second)) => {
            let all = [first, second].into_iter().chain(same);
            Err(ambiguous(text, "address", all))
        }
        (None, _) => Ok(Target {
            to: address.map_err(|error| {
                let text = crate::model::displayable(text);
                Trouble::usage(
                    "address",
                    format!("--to {text}: no known device has this name, and {error}."),
                )
            })?,
            device: None,
            paired: false,
        }),
    }
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
    let lines: String = lines.collect();
    Trouble::usage(
        "ambiguous",
        format!("Several known devices are called {text}; name one by its {by}:{lines}"),
    )
}

fn chosen(device: &KnownDevice) -> Result<Target, Trouble> {
    let to = device.address.as_deref().and_then(|at| at.parse().ok());
    let to = to.ok_or_else(|| {
        Trouble::usage(
            "no-address",
            format!(
                "It is not known where {} is: it was never reached from here. Use its address once.",
                device.shown()
            ),
        )
    })?;
    Ok(Target {
        to,
        device: Some(Chosen {
            id: device.id,
            name: Some(device.name.clone()),
        }),
        paired: device.bond == Bond::Paired,
    })
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
    fn what_cannot_be_meant_is_said_with_what_helps() {
        for (text, code, helps) in [
            ("TWIN", "ambiguous", "04040404  192.168.1.4:9000"),
            ("TWIN", "ambiguous", "03030303  no address"),
            ("silent", "no-address", "Silent"),
            ("Study PC", "address", "--to Study PC"),
            ("host:99999", "address", "port"),
            ("", "address", "empty"),
            ("ropeway://host/?id=1", "address", "id"),
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
