//! Datagrams from anybody on the network, through the codec into the table.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use ropeway::discovery::beacon::{Beacon, Instance, MAX_BYTES};
use ropeway::discovery::table::{MOST_DEVICES, MOST_PLACES, Source, Table};
use ropeway::model::{DeviceId, DeviceName};

/// Datagrams, each after two bytes for its length and two for where it comes from and how long after the
/// one before.
///
/// What is understood fits, is cleaned for display and reads the same when said again; the table keeps
/// its bounds and is empty when nothing was heard for long enough.
pub fn beacon(data: &[u8]) {
    let mut now = Instant::now();
    let mut table = Table::new(DeviceId([0xee; 32]), Instance([0xee; 8]));
    let mut rest = data;
    while let Some(([high, low, from, wait], after)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
        let (datagram, after) = after.split_at(length);
        rest = after;
        now += Duration::from_millis(u64::from(*wait) * 20);
        let source = Source {
            ip: Ipv4Addr::new(10, 0, 0, *from).into(),
            scope: 0,
        };
        let Ok(beacon) = Beacon::parse(datagram) else {
            continue;
        };
        assert!(datagram.len() <= MAX_BYTES);
        let bytes = beacon.to_bytes();
        assert!(bytes.len() <= MAX_BYTES);
        let again = Beacon::parse(&bytes).expect("what was said is understood");
        match (&again, &beacon) {
            // An overlong name is cut, and a cut escape is escaped no more.
            (Beacon::Announce(again), Beacon::Announce(said)) => {
                assert_eq!((again.device, again.port), (said.device, said.port));
                assert!(said.name.as_str().chars().count() <= DeviceName::MAX_CHARS);
                assert!(!said.name.as_str().chars().any(char::is_control));
            }
            (again, said) => assert_eq!(again, said),
        }
        match beacon {
            Beacon::Announce(said) => {
                table.heard(source, &said, now);
            }
            Beacon::Goodbye(device, instance) => table.goodbye(source, device, instance),
            Beacon::Query(_) => {}
        }
        let nearby = table.nearby();
        assert!(nearby.len() <= MOST_DEVICES);
        for device in &nearby {
            assert!(device.addresses.len() <= MOST_PLACES);
            assert_eq!(device.receiving, !device.addresses.is_empty());
            assert_ne!(device.id, DeviceId([0xee; 32]), "ourselves");
        }
    }
    table.expire(now + Duration::from_secs(15));
    assert!(table.nearby().is_empty() && table.next_expiry().is_none());
}
