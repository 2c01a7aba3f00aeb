//! The devices that can be sent to with one click: those found on the network and those that are
//! known, each once.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::engine::{Chosen, KnownDevice};
use crate::model::{Bond, DeviceId, Nearby, System};

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Card {
    pub id: DeviceId,
    /// As it is called here, or calls itself.
    pub name: String,
    /// Another one has this name: its id has to tell them apart.
    pub twin: bool,
    pub system: System,
    pub here: Here,
    /// Nothing if it was never remembered.
    pub bond: Option<Bond>,
    /// Where to send to, as a person would type it.
    pub address: Option<String>,
    /// Everywhere it was heard of, as far as that is more than one place.
    pub places: Vec<String>,
    /// By what it called itself when it was remembered.
    known_as: Option<crate::model::DeviceName>,
    /// It asks this device to connect ([`crate::gui::panels::callers`]).
    pub calls: bool,
}

/// The order is that of the cards.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Here {
    Receiving,
    /// Known, and not found on this network; its address may do all the same.
    Away,
    /// Found, but it does not receive now.
    ReceiveOff,
}

impl Card {
    pub fn is_paired(&self) -> bool {
        self.bond == Some(Bond::Paired)
    }

    /// The device that alone is meant.
    pub fn chosen(&self) -> Chosen {
        Chosen {
            id: self.id,
            name: self.known_as.clone(),
        }
    }

    /// It cannot take anything now, and is not known well enough to wait for it.
    pub fn out_of_reach(&self) -> bool {
        self.here == Here::ReceiveOff && !self.is_paired()
    }
}

/// Whoever can be sent to now first, known ones before others, the one met last before the rest.
pub fn cards(devices: &[KnownDevice], nearby: &[Nearby]) -> Vec<Card> {
    let blocked = |id: DeviceId| {
        let mut devices = devices.iter();
        devices.any(|device| device.id == id && device.bond == Bond::Blocked)
    };
    let of = |id: DeviceId| nearby.iter().find(|found| found.id == id);
    let known = devices.iter().filter(|device| {
        matches!(device.bond, Bond::Paired | Bond::ForgottenThere)
            && (device.address.is_some() || of(device.id).is_some())
    });
    let known = known.map(|device| {
        let found = of(device.id);
        let mut card = Card {
            id: device.id,
            name: device.shown().to_string(),
            twin: false,
            system: found.map(|found| found.system).unwrap_or_default(),
            here: Here::Away,
            bond: Some(device.bond),
            address: device.address.clone(),
            places: Vec::new(),
            known_as: Some(device.name.clone()),
            calls: false,
        };
        if let Some(found) = found {
            card.find(found);
        }
        card
    });
    let wished = |id: DeviceId| devices.iter().find(|device| device.id == id);
    let unknown = nearby.iter().filter(|found| {
        let bond = wished(found.id).map(|device| device.bond);
        matches!(bond, None | Some(Bond::Wished)) && !blocked(found.id)
    });
    let unknown = unknown.map(|found| {
        let mut card = Card {
            id: found.id,
            name: found.name.to_string(),
            twin: false,
            system: found.system,
            here: Here::ReceiveOff,
            bond: None,
            address: None,
            places: Vec::new(),
            known_as: None,
            calls: false,
        };
        card.find(found);
        card
    });
    let mut all: Vec<_> = known.chain(unknown).collect();
    all.sort_by_key(|card| (card.here, Reverse(card.is_paired())));
    let mut names = HashMap::new();
    for card in &all {
        *names.entry(card.name.to_lowercase()).or_insert(0_usize) += 1;
    }
    for card in &mut all {
        card.twin = names.get(&card.name.to_lowercase()).is_some_and(|n| *n > 1);
    }
    all
}

impl Card {
    fn find(&mut self, found: &Nearby) {
        self.here = match found.receiving {
            true => Here::Receiving,
            false => Here::ReceiveOff,
        };
        let places: Vec<_> = found.addresses.iter().map(ToString::to_string).collect();
        if let Some(first) = places.first() {
            self.address = Some(first.clone());
        }
        if places.len() > 1 {
            self.places = places;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DeviceName, Rule};

    fn known(byte: u8, name: &str, bond: Bond) -> KnownDevice {
        KnownDevice {
            id: DeviceId([byte; 32]),
            name: DeviceName::cleaned(name, "?"),
            label: None,
            bond,
            rule: Rule::Ask,
            address: Some("192.168.1.9:9000".into()),
            met: std::time::UNIX_EPOCH,
        }
    }

    fn found(byte: u8, name: &str, receiving: bool) -> Nearby {
        Nearby {
            id: DeviceId([byte; 32]),
            name: DeviceName::cleaned(name, "?"),
            system: System::MacOs,
            receiving,
            addresses: match receiving {
                true => vec![([192, 168, 1, byte], 9001).into()],
                false => Vec::new(),
            },
        }
    }

    #[test]
    fn each_device_is_there_once_whoever_can_be_sent_to_first() {
        let devices = [
            known(1, "Away", Bond::Paired),
            known(2, "Here", Bond::Paired),
            known(3, "Off", Bond::Paired),
            known(4, "Bad", Bond::Blocked),
            known(5, "Wish", Bond::Wished),
        ];
        let nearby = [
            found(3, "Off", false),
            found(6, "New", true),
            found(7, "New off", false),
            found(2, "Calls itself so", true),
            found(4, "Bad", true),
            found(5, "Wish", true),
        ];
        let all = cards(&devices, &nearby);
        let names: Vec<_> = all.iter().map(|card| card.name.as_str()).collect();
        assert_eq!(names, ["Here", "New", "Wish", "Away", "Off", "New off"]);
        let addresses: Vec<_> = all.iter().map(|card| card.address.as_deref()).collect();
        assert_eq!(addresses[0], Some("192.168.1.2:9001"), "where it is now");
        assert_eq!(addresses[3], Some("192.168.1.9:9000"), "where it was");
        assert_eq!(addresses[5], None);
        assert!(all[5].out_of_reach() && !all[4].out_of_reach());
        assert!(all.iter().all(|card| !card.twin));
    }

    #[test]
    fn devices_of_one_name_are_marked() {
        let nearby = [found(1, "Laptop", true), found(2, "laptop", true)];
        assert!(cards(&[], &nearby).iter().all(|card| card.twin));
    }

    #[test]
    fn a_device_at_two_places_is_one_card() {
        let mut both = found(1, "Laptop", true);
        both.addresses.push(([10, 0, 0, 1], 9001).into());
        let all = cards(&[], &[both]);
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].places, ["192.168.1.1:9001", "10.0.0.1:9001"]);
    }
}
