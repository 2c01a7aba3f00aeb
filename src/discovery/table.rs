//! Who was heard of, and where. No I/O: datagrams, records and the time are handed in.
//!
//! Bounded whatever is sent: so many devices, so many places each, so many devices from one address. Where
//! it is full, one of those who come from one address in numbers makes room for who is alone at another one,
//! and anybody for a device that a person knows.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::beacon::{Announcement, Call, Instance};
use crate::model::{DeviceId, DeviceName, Nearby, System};

pub const MOST_DEVICES: usize = 256;
/// Of one device.
pub const MOST_PLACES: usize = 8;
/// Of those, the ones that only records tell of: a record names what it likes, and a beacon comes from where
/// it says that it is.
const MOST_BY_RECORD: usize = MOST_PLACES / 2;
/// Programs of one device at one address: a window, and one without.
const MOST_PROGRAMS: usize = 2;
/// Devices that come from one address: several programs or people on one computer, or a forger.
pub const MOST_FROM_ONE: usize = 8;
/// Devices that only a record tells of; its addresses are what it says.
pub const MOST_RECORDS: usize = 64;
/// A device that has said nothing for so long is gone.
pub const GONE_AFTER: Duration = Duration::from_secs(15);
/// And is asked for so long, if a record told of it: longer than a resolver takes it to be there (120 s).
const ASKED_FOR: Duration = Duration::from_secs(300);

pub struct Table {
    ours: (DeviceId, Instance),
    /// Whom a person knows: there is always room for those.
    favoured: HashSet<DeviceId>,
    entries: HashMap<DeviceId, Entry>,
    /// By their full names.
    records: HashMap<String, Record>,
    arrivals: u64,
}

/// Some are of devices that are not there any more: those are asked for a while longer. What a resolver
/// remembers it says once, and anybody can take back what another one has said.
#[derive(Clone, Copy)]
struct Record {
    device: DeviceId,
    instance: Instance,
    heard: Instant,
}

struct Entry {
    name: DeviceName,
    system: System,
    /// The larger, the later it came.
    arrival: u64,
    places: Vec<Place>,
}

/// One way in which one running program of a device was heard.
struct Place {
    from: Source,
    instance: Instance,
    /// Its server's port.
    port: Option<u16>,
    /// It asks to be called.
    call: Option<Call>,
    way: Way,
    heard: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Beacon,
    /// A DNS-SD record. How long it says that it is good for does not count.
    Record,
}

/// An address without a port, with the scope of a link-local one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Source {
    pub ip: IpAddr,
    pub scope: u32,
}

impl Source {
    fn with(self, port: u16) -> SocketAddr {
        match self.ip {
            IpAddr::V4(ip) => SocketAddr::new(ip.into(), port),
            IpAddr::V6(ip) => std::net::SocketAddrV6::new(ip, port, 0, self.scope).into(),
        }
    }
}

impl From<SocketAddr> for Source {
    fn from(at: SocketAddr) -> Self {
        let scope = match at {
            SocketAddr::V6(v6) => v6.scope_id(),
            SocketAddr::V4(_) => 0,
        };
        Self {
            ip: at.ip().to_canonical(),
            scope,
        }
    }
}

impl Table {
    pub fn new(device: DeviceId, instance: Instance) -> Self {
        Self {
            ours: (device, instance),
            favoured: HashSet::new(),
            entries: HashMap::new(),
            records: HashMap::new(),
            arrivals: 0,
        }
    }

    /// Whom a person knows.
    pub fn favour(&mut self, devices: HashSet<DeviceId>) {
        self.favoured = devices;
    }

    /// Said by ourselves: our own echo, or another program of this very device.
    pub fn is_ours(&self, device: Option<DeviceId>, instance: Instance) -> bool {
        instance == self.ours.1 || device == Some(self.ours.0)
    }

    pub fn is_heard(&self, from: IpAddr) -> bool {
        self.places().any(|place| place.from.ip == from)
    }

    fn places(&self) -> impl Iterator<Item = &Place> {
        self.entries.values().flat_map(|entry| &entry.places)
    }

    /// A beacon that came from there. Says whether that was news.
    pub fn heard(&mut self, from: Source, said: &Announcement, now: Instant) -> bool {
        if self.is_ours(Some(said.device), said.instance) {
            return false;
        }
        let Some(entry) = self.entry_of(from, said, Way::Beacon) else {
            return false;
        };
        entry.put(from, said, Way::Beacon, now)
    }

    /// A record that names these addresses. Often it comes in parts: what it does not name any more is
    /// over a while later.
    pub fn recorded(
        &mut self,
        full_name: &str,
        said: &Announcement,
        addresses: &[Source],
        now: Instant,
    ) {
        if self.is_ours(Some(said.device), said.instance) {
            return;
        }
        if !self.records.contains_key(full_name) && !self.room_for_record(now) {
            return;
        }
        let kept = addresses.iter().take(MOST_PLACES);
        let mut put = false;
        let before = self.records.get(full_name).copied();
        if let Some(before) = before
            && (before.device, before.instance) != (said.device, said.instance)
        {
            self.forget_places(before.device, |place| before.tells_of(place));
        }
        for from in kept {
            if let Some(entry) = self.entry_of(*from, said, Way::Record) {
                entry.put(*from, said, Way::Record, now);
                put = true;
            }
        }
        match put {
            true => {
                let record = Record {
                    device: said.device,
                    instance: said.instance,
                    heard: now,
                };
                self.records.insert(full_name.to_owned(), record);
            }
            false => {
                self.records.remove(full_name);
            }
        }
    }

    pub fn record_gone(&mut self, full_name: &str) {
        if let Some(record) = self.records.get(full_name).copied() {
            self.forget_places(record.device, |place| record.tells_of(place));
        }
    }

    /// Some device is, or lately was, known by its record alone, its beacon silent for so long: records are
    /// to be asked for.
    pub fn asks_for_records(&self, silent: Duration, now: Instant) -> bool {
        self.records.values().any(|record| {
            let entry = self.entries.get(&record.device);
            let places = entry.map(|entry| entry.places.as_slice());
            let beacon = places.unwrap_or_default().iter().any(|place| {
                place.way == Way::Beacon
                    && place.instance == record.instance
                    && now.saturating_duration_since(place.heard) < silent
            });
            !beacon && !record.is_old(now)
        })
    }

    /// For one more. What stands for a device that is there stays.
    fn room_for_record(&mut self, now: Instant) -> bool {
        self.records.retain(|_, record| !record.is_old(now));
        if self.records.len() >= MOST_RECORDS {
            let stands = |record: &Record| {
                let entry = self.entries.get(&record.device);
                entry.is_some_and(|entry| entry.places.iter().any(|it| record.tells_of(it)))
            };
            let over = self.records.iter().filter(|(_, record)| !stands(record));
            let oldest = over.min_by_key(|(_, record)| record.heard);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                self.records.remove(&oldest);
            }
        }
        self.records.len() < MOST_RECORDS
    }

    /// It ends what was heard from that very address: who ends says so from each of its own, and anybody
    /// can say it for another device.
    pub fn goodbye(&mut self, from: Source, device: DeviceId, instance: Instance) {
        let Some(entry) = self.entries.get(&device) else {
            return;
        };
        let theirs = |place: &Place| place.instance == instance && place.from == from;
        if entry.places.iter().any(theirs) {
            self.forget_places(device, theirs);
            let left = self.entries.get(&device);
            let stays =
                left.is_some_and(|entry| entry.places.iter().any(|it| it.instance == instance));
            let over = |record: &Record| (record.device, record.instance) == (device, instance);
            self.records.retain(|_, record| stays || !over(record));
        }
    }

    /// Those that have said nothing for too long go.
    pub fn expire(&mut self, now: Instant) {
        let late = |place: &Place| now.saturating_duration_since(place.heard) >= GONE_AFTER;
        if !self.places().any(late) {
            return;
        }
        self.entries.retain(|_, entry| {
            entry.places.retain(|place| !late(place));
            !entry.places.is_empty()
        });
    }

    /// When the next one may have to go.
    pub fn next_expiry(&self) -> Option<Instant> {
        self.places().map(|place| place.heard + GONE_AFTER).min()
    }

    /// Everybody, by name.
    pub fn nearby(&self) -> Vec<Nearby> {
        let mut all: Vec<_> = self
            .entries
            .iter()
            .map(|(id, entry)| entry.nearby(*id))
            .collect();
        all.sort_by_cached_key(|nearby| (nearby.name.as_str().to_lowercase(), nearby.id));
        all
    }

    /// Who asks to be called, and where.
    pub fn calls(&self) -> Vec<(DeviceId, Call, Vec<SocketAddr>)> {
        let mut calls: Vec<(DeviceId, Call, Vec<SocketAddr>)> = Vec::new();
        for (id, entry) in &self.entries {
            for place in &entry.places {
                let Some(call) = &place.call else { continue };
                let at = place.from.with(call.port);
                match calls.iter_mut().find(|(_, known, _)| known == call) {
                    Some((_, _, all)) => all.push(at),
                    None => calls.push((*id, call.clone(), vec![at])),
                }
            }
        }
        for (_, _, at) in &mut calls {
            at.sort_unstable_by_key(|at| (likelihood(at.ip()), *at));
            at.dedup();
        }
        calls.sort_unstable_by_key(|(id, call, _)| (*id, call.nonce));
        calls
    }

    pub fn clear(&mut self) {
        self.entries.clear();
        self.records.clear();
    }

    fn forget_places(&mut self, device: DeviceId, which: impl Fn(&Place) -> bool) {
        if let Some(entry) = self.entries.get_mut(&device) {
            entry.places.retain(|place| !which(place));
            if entry.places.is_empty() {
                self.entries.remove(&device);
            }
        }
    }

    /// Where what was said is to be noted, if there is room for it.
    fn entry_of(&mut self, from: Source, said: &Announcement, way: Way) -> Option<&mut Entry> {
        let here = |place: &Place| place.from == from && place.way == way;
        let entry = self.entries.get(&said.device);
        let stands = entry.is_some_and(|entry| entry.places.iter().any(here));
        let favoured = self.favoured.contains(&said.device);
        if !stands {
            let from_there = |entry: &&Entry| {
                let mut places = entry.places.iter();
                places.any(|place| place.from.ip == from.ip)
            };
            let same = self.entries.values().filter(from_there).count();
            if same >= MOST_FROM_ONE && !favoured {
                return None;
            }
            if entry.is_some_and(|entry| !entry.has_room(way)) {
                return None;
            }
            let full = entry.is_none() && self.entries.len() >= MOST_DEVICES;
            // Only who is alone at an address: in a flood the others cost no search.
            if full && !((same == 0 || favoured) && self.make_room(favoured)) {
                return None;
            }
        }
        self.arrivals += 1;
        let arrival = self.arrivals;
        Some(self.entries.entry(said.device).or_insert_with(|| Entry {
            name: said.name.clone(),
            system: said.system,
            arrival,
            places: Vec::new(),
        }))
    }

    /// One of the strangers goes: the last one from the address that has most of them; for a favoured
    /// device also one that is alone at its address. Says whether there is room now.
    fn make_room(&mut self, favoured: bool) -> bool {
        let strangers = || {
            let all = self.entries.iter();
            all.filter(|(id, _)| !self.favoured.contains(id))
        };
        let mut from: HashMap<IpAddr, usize> = HashMap::new();
        for (_, entry) in strangers() {
            let ips: HashSet<_> = entry.places.iter().map(|place| place.from.ip).collect();
            for ip in ips {
                *from.entry(ip).or_default() += 1;
            }
        }
        let most = from.into_iter().max_by_key(|(ip, count)| (*count, *ip));
        let Some((ip, _)) = most.filter(|(_, count)| *count > 1 || favoured) else {
            return false;
        };
        let there = |entry: &Entry| entry.places.iter().any(|place| place.from.ip == ip);
        let theirs = strangers().filter(|(_, entry)| there(entry));
        let last = theirs.max_by_key(|(_, entry)| entry.arrival);
        let Some(last) = last.map(|(id, _)| *id) else {
            return false;
        };
        self.entries.remove(&last);
        true
    }
}

impl Record {
    fn tells_of(&self, place: &Place) -> bool {
        place.way == Way::Record && place.instance == self.instance
    }

    fn is_old(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.heard) >= ASKED_FOR
    }
}

impl Entry {
    /// Says whether it is news.
    fn put(&mut self, from: Source, said: &Announcement, way: Way, now: Instant) -> bool {
        let renamed = self.name != said.name || self.system != said.system;
        self.name = said.name.clone();
        self.system = said.system;
        let place = Place {
            from,
            instance: said.instance,
            port: said.port,
            call: said.call.clone(),
            way,
            heard: now,
        };
        let same = |other: &Place| {
            other.from == from && other.way == way && other.instance == said.instance
        };
        match self.places.iter().position(same) {
            Some(at) => {
                let before = &self.places[at];
                let moved = before.port != place.port || before.call != place.call;
                self.places[at] = place;
                moved || renamed
            }
            None => match self.make_room(from, way) {
                true => {
                    self.places.push(place);
                    true
                }
                false => renamed,
            },
        }
    }

    fn has_room(&self, way: Way) -> bool {
        let by_record = |place: &&Place| place.way == Way::Record;
        let records = self.places.iter().filter(by_record).count();
        match way {
            Way::Beacon => self.places.len() < MOST_PLACES || records > 0,
            Way::Record => self.places.len() < MOST_PLACES && records < MOST_BY_RECORD,
        }
    }

    /// For one more place: what only a record tells of gives way to a beacon, and the program before on one
    /// address to the one that is started anew there. Says whether there is room now.
    fn make_room(&mut self, from: Source, way: Way) -> bool {
        let from_there = self.places.iter();
        let from_there = from_there.filter(|place| place.from == from && place.way == way);
        let full = match way {
            // Somebody there says it for ever more programs.
            _ if from_there.count() >= MOST_PROGRAMS => true,
            Way::Beacon => self.places.len() >= MOST_PLACES,
            Way::Record => !self.has_room(way),
        };
        if !full {
            return true;
        }
        let oldest = |which: &dyn Fn(&Place) -> bool| {
            let all = self.places.iter().enumerate();
            let those = all.filter(|(_, place)| which(place));
            those.min_by_key(|(_, place)| place.heard).map(|(at, _)| at)
        };
        let before = oldest(&|place| place.from == from && place.way == way);
        let record = || oldest(&|place| place.way == Way::Record).filter(|_| way == Way::Beacon);
        let Some(at) = before.or_else(record) else {
            return false;
        };
        self.places.swap_remove(at);
        true
    }

    fn nearby(&self, id: DeviceId) -> Nearby {
        let ports = self.places.iter().filter_map(|place| {
            let at = place.from.with(place.port?);
            Some((likelihood(at.ip()), at))
        });
        let mut addresses: Vec<_> = ports.collect();
        // Steady, so that nothing changes while nothing does.
        addresses.sort_unstable();
        addresses.dedup();
        let mut addresses: Vec<_> = addresses.into_iter().map(|(_, at)| at).collect();
        addresses.truncate(MOST_PLACES);
        Nearby {
            id,
            name: self.name.clone(),
            system: self.system,
            receiving: !addresses.is_empty(),
            addresses,
        }
    }
}

/// The smaller, the likelier it works, and the better a person can read it out.
fn likelihood(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(v4) if v4.is_private() => 0,
        IpAddr::V4(v4) if v4.is_link_local() => 3,
        IpAddr::V4(_) => 1,
        IpAddr::V6(v6) if v6.is_unicast_link_local() => 4,
        IpAddr::V6(_) => 2,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    fn source(last: u32) -> Source {
        Source {
            ip: Ipv4Addr::from(0x0a00_0000 + last).into(),
            scope: 0,
        }
    }

    fn said(device: u32, name: &str) -> Announcement {
        let mut id = [0; 32];
        id[..4].copy_from_slice(&device.to_be_bytes());
        Announcement {
            device: DeviceId(id),
            instance: Instance(u64::from(device).to_be_bytes()),
            name: DeviceName::cleaned(name, "x"),
            system: System::Linux,
            port: Some(9000),
            call: None,
        }
    }

    fn table() -> (Table, Instant) {
        let table = Table::new(DeviceId([0xff; 32]), Instance([0xff; 8]));
        (table, Instant::now())
    }

    #[test]
    fn one_device_on_two_interfaces_is_one_entry_with_two_addresses() {
        let (mut table, now) = table();
        let garden = said(1, "Garden");
        table.heard(source(1), &garden, now);
        table.heard(source(2), &garden, now);
        table.heard(source(1), &garden, now);
        let nearby = table.nearby();
        assert_eq!(nearby.len(), 1);
        let addresses: Vec<_> = nearby[0]
            .addresses
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(addresses, ["10.0.0.1:9000", "10.0.0.2:9000"]);
    }

    #[test]
    fn two_devices_of_one_name_are_two_and_our_own_echo_is_none() {
        let (mut table, now) = table();
        table.heard(source(1), &said(1, "Twin"), now);
        table.heard(source(2), &said(2, "Twin"), now);
        let mut echo = said(3, "Us");
        echo.instance = Instance([0xff; 8]);
        table.heard(source(3), &echo, now);
        let mut other_program = said(4, "Us");
        other_program.device = DeviceId([0xff; 32]);
        table.heard(source(3), &other_program, now);
        assert_eq!(table.nearby().len(), 2);
    }

    #[test]
    fn who_is_silent_goes_and_who_says_goodbye_goes_at_once() {
        let (mut table, now) = table();
        table.heard(source(1), &said(1, "Garden"), now);
        table.heard(source(2), &said(2, "Study"), now + Duration::from_secs(5));
        assert_eq!(table.next_expiry(), Some(now + GONE_AFTER));
        table.expire(now + GONE_AFTER);
        assert_eq!(table.nearby().len(), 1);
        let study = said(2, "Study");
        table.goodbye(source(9), study.device, study.instance);
        table.goodbye(source(2), study.device, Instance([9; 8]));
        assert_eq!(
            table.nearby().len(),
            1,
            "not from its address, not of its program"
        );
        table.goodbye(source(2), study.device, study.instance);
        assert!(table.nearby().is_empty());
    }

    #[test]
    fn a_forger_who_says_goodbye_for_a_device_ends_its_own_words_alone() {
        let (mut table, now) = table();
        let garden = said(1, "Garden");
        table.heard(source(1), &garden, now);
        table.heard(source(9), &garden, now);
        table.goodbye(source(9), garden.device, garden.instance);
        let [left] = table.nearby().try_into().unwrap();
        assert_eq!(left.addresses.len(), 1, "what the device says itself stays");
    }

    #[test]
    fn a_forger_at_one_address_does_not_fill_the_places_of_a_device() {
        let (mut table, now) = table();
        let garden = said(1, "Garden");
        for instance in 10..30 {
            let forged = Announcement {
                instance: Instance([instance; 8]),
                port: Some(9100 + u16::from(instance)),
                ..garden.clone()
            };
            table.heard(source(9), &forged, now);
        }
        table.heard(source(1), &garden, now);
        let [one] = table.nearby().try_into().unwrap();
        assert_eq!(one.addresses.len(), 1 + MOST_PROGRAMS, "{one:?}");
    }

    #[test]
    fn what_a_device_says_anew_takes_the_place_of_what_it_said() {
        let (mut table, now) = table();
        table.heard(source(1), &said(1, "Garden"), now);
        let mut off = said(1, "Garden laptop");
        off.port = None;
        table.heard(source(1), &off, now);
        let nearby = table.nearby();
        assert_eq!(nearby[0].name.as_str(), "Garden laptop");
        assert!(!nearby[0].receiving && nearby[0].addresses.is_empty());
    }

    #[test]
    fn a_record_counts_like_a_beacon_and_is_asked_for_where_there_is_none() {
        let (mut table, now) = table();
        let garden = said(1, "Garden");
        let later = now + GONE_AFTER / 2;
        table.recorded("g", &garden, &[source(1), source(2)], now);
        assert_eq!(table.nearby()[0].addresses.len(), 2);
        table.recorded("g", &garden, &[source(2)], later);
        assert_eq!(table.nearby()[0].addresses.len(), 2, "a part of it");
        table.expire(now + GONE_AFTER);
        assert_eq!(table.nearby()[0].addresses.len(), 1);
        let silent = Duration::from_secs(6);
        assert!(table.asks_for_records(silent, later));
        table.heard(source(2), &garden, later);
        assert!(!table.asks_for_records(silent, later));
        assert!(table.asks_for_records(silent, later + silent));
        table.record_gone("g");
        assert_eq!(table.nearby().len(), 1, "its beacon is heard");
        table.recorded("g", &garden, &[source(2)], later);
        table.goodbye(source(2), garden.device, garden.instance);
        assert!(table.nearby().is_empty(), "a goodbye ends both");
        table.recorded("g", &garden, &[source(2)], later);
        table.expire(later + GONE_AFTER);
        assert!(table.nearby().is_empty());
    }

    #[test]
    fn a_device_known_by_its_record_is_asked_for_a_while_after_it_is_gone_or_was_said_to_be() {
        let (mut table, now) = table();
        let garden = said(1, "Garden");
        let silent = Duration::from_secs(6);
        table.recorded("g", &garden, &[source(1)], now);
        table.record_gone("g");
        assert!(table.nearby().is_empty());
        assert!(table.asks_for_records(silent, now));
        table.recorded("g", &garden, &[source(1)], now);
        table.expire(now + GONE_AFTER);
        assert!(table.nearby().is_empty());
        assert!(table.asks_for_records(silent, now + GONE_AFTER * 10));
        assert!(!table.asks_for_records(silent, now + ASKED_FOR));
        // Those that are gone make room, the others do not.
        for count in 0..MOST_RECORDS as u32 * 2 {
            let other = said(count + 2, "Other");
            let place = [source(count + 2)];
            table.recorded(&count.to_string(), &other, &place, now);
        }
        assert_eq!(table.nearby().len(), MOST_RECORDS);
        // A goodbye of its own counts.
        table.clear();
        table.recorded("g", &garden, &[source(1)], now);
        table.goodbye(source(1), garden.device, garden.instance);
        assert!(!table.asks_for_records(silent, now));
    }

    #[test]
    fn a_forging_host_pushes_nobody_out_and_a_known_device_always_finds_room() {
        let (mut table, now) = table();
        table.heard(source(1), &said(1, "Garden"), now);
        for id in 2..5_000 {
            table.heard(source(2), &said(id, "Forged"), now);
        }
        assert_eq!(table.nearby().len(), 1 + MOST_FROM_ONE);
        for id in 100..164 {
            for device in 0..MOST_FROM_ONE as u32 {
                table.heard(source(id), &said(id * 100 + device, "Forged"), now);
            }
        }
        assert_eq!(table.nearby().len(), MOST_DEVICES);
        let attic = said(9_000, "Attic");
        table.heard(source(9_000), &attic, now);
        let has = |table: &Table, id| table.nearby().iter().any(|nearby| nearby.id == id);
        assert!(
            has(&table, attic.device),
            "who is alone at an address finds room"
        );
        for id in 10_000..11_000 {
            table.heard(source(id), &said(id, "Forged"), now);
        }
        assert_eq!(table.nearby().len(), MOST_DEVICES);
        assert!(has(&table, attic.device));
        let known = said(30_000, "Known");
        table.heard(source(30_000), &known, now);
        assert!(
            table
                .nearby()
                .iter()
                .all(|nearby| nearby.id != known.device)
        );
        table.favour(HashSet::from([known.device]));
        table.heard(source(30_000), &known, now);
        let nearby = table.nearby();
        assert_eq!(nearby.len(), MOST_DEVICES);
        assert!(nearby.iter().any(|nearby| nearby.id == known.device));
        assert!(nearby.iter().any(|nearby| nearby.name.as_str() == "Garden"));
        for from in 0..100 {
            table.heard(source(from), &known, now);
        }
        let nearby = table.nearby();
        let known = nearby.iter().find(|nearby| nearby.id == known.device);
        assert_eq!(known.unwrap().addresses.len(), MOST_PLACES);
    }

    #[test]
    fn a_forged_record_of_many_addresses_drowns_no_beacon_and_a_program_started_anew_is_noted() {
        let (mut table, now) = table();
        let garden = said(1, "Garden");
        table.favour(HashSet::from([garden.device]));
        let mut forged = said(1, "Garden");
        forged.instance = Instance([7; 8]);
        let named: Vec<_> = (100..100 + MOST_PLACES as u32).map(source).collect();
        let has = |table: &Table, address: &str| {
            let nearby = table.nearby();
            let mut addresses = nearby[0].addresses.iter();
            addresses.any(|at| at.to_string() == address)
        };
        table.recorded("forged", &forged, &named, now);
        for from in 1..=MOST_PLACES as u32 {
            assert!(table.heard(source(from), &garden, now), "{from}");
            table.recorded("forged", &forged, &named, now);
            assert!(has(&table, &format!("10.0.0.{from}:9000")));
        }
        // All places are taken by now, and one of its programs is another one on another port.
        let mut anew = said(1, "Garden");
        anew.instance = Instance([8; 8]);
        anew.port = Some(9001);
        assert!(table.heard(source(3), &anew, now));
        assert!(has(&table, "10.0.0.3:9001") && !has(&table, "10.0.0.3:9000"));
        assert_eq!(table.nearby()[0].addresses.len(), MOST_PLACES);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whatever_is_heard_the_table_keeps_its_bounds(
            steps in prop::collection::vec((0_u8..5, 0_u32..40, 0_u32..400, 0_u64..20), 0..600),
        ) {
            let (mut table, start) = table();
            let mut now = start;
            for (step, from, device, wait) in steps {
                now += Duration::from_millis(wait * 10);
                let words = said(device, "n");
                let name = device.to_string();
                match step {
                    0 | 1 => {
                        table.heard(source(from), &words, now);
                    }
                    2 => table.recorded(&name, &words, &[source(from), source(from + 1)], now),
                    3 => table.record_gone(&name),
                    _ => table.goodbye(source(from), words.device, words.instance),
                }
                prop_assert!(table.entries.len() <= MOST_DEVICES);
                prop_assert!(table.records.len() <= MOST_RECORDS);
                prop_assert!(table.entries.values().all(|entry| (1..=MOST_PLACES).contains(&entry.places.len())));
            }
            table.expire(now + GONE_AFTER);
            prop_assert!(table.next_expiry().is_none());
            prop_assert!(table.entries.is_empty());
            prop_assert!(!table.asks_for_records(Duration::ZERO, now + ASKED_FOR));
        }
    }
}
