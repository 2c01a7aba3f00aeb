//! The local network's side of the supervisor: how this device shows itself, who is found, and what
//! goes on because somebody was.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant, SystemTime};

use super::transfers::Handle;
use super::{Supervisor, lock};
use crate::discovery::beacon::{Call, Instance};
use crate::discovery::table::MOST_PLACES;
use crate::discovery::{Discovery, Heard, Ours};
use crate::engine::calls::{self, Nonce};
use crate::engine::command::Bind;
use crate::engine::doctor::Reporter;
use crate::engine::event::Event;
use crate::engine::listener::Listener;
use crate::engine::note::{ConnectionId, Input};
use crate::model::{
    Bond, DEFAULT_PORT, DeviceId, Nearby, PeerAddress, Presence, TransferId, TransferState,
};

/// Whoever forges beacons makes nobody dial oftener.
const HURRY_EVERY: Duration = Duration::from_secs(2);
/// A device that asks to be called is called no oftener.
const CALL_EVERY: Duration = Duration::from_secs(5);
/// Said again, these are not answered again; by then their time is over.
const NONCES: usize = 1_024;
/// A connection that was silent for so long is given up for a new one if its device is somewhere else by
/// now, and no longer where it was.
pub(in crate::engine) const MOVED_AFTER_SECONDS: u64 = 5;

#[derive(Default)]
pub(super) struct Neighbourhood {
    presence: Presence,
    /// From the first time on that it is not off.
    discovery: Option<Discovery>,
    heard: Heard,
    told: Vec<Nearby>,
    hurried: HashMap<TransferId, Instant>,
    /// Where devices that are sent to were heard, and are not any more.
    left: HashMap<DeviceId, HashSet<IpAddr>>,
    /// Whom transfers to be sent ask to connect; one is asked at a time.
    calls: Vec<(DeviceId, Nonce)>,
    /// What is said of the first of them, and through which port.
    call: Option<(Nonce, Call)>,
    /// While the server is off and somebody is to connect.
    listener: Option<Listener>,
    /// Whom we have connected to, and by what.
    answered: HashMap<DeviceId, Instant>,
    answered_nonces: VecDeque<Nonce>,
}

impl Supervisor {
    pub(super) fn set_presence(&mut self, presence: Presence) {
        self.nearby.presence = presence;
        if presence != Presence::Off && self.nearby.discovery.is_none() {
            let mut instance = [0; 8];
            if let Err(error) = getrandom::fill(&mut instance) {
                tracing::warn!(%error, "no discovery");
                return;
            }
            let inputs = self.inputs.clone();
            let device = self.shared.identity.device_id();
            let started = Discovery::start(device, Instance(instance), move |heard| {
                let _ = inputs.send(Input::Heard(heard));
            });
            match started {
                Ok(discovery) => {
                    *lock(&self.shared.discovery) = Some(discovery.watch());
                    self.nearby.discovery = Some(discovery);
                }
                Err(error) => tracing::warn!(%error, "no discovery"),
            }
            self.favour_known();
        }
        self.show_presence();
    }

    pub(super) fn presence(&self) -> Presence {
        self.nearby.presence
    }

    pub(super) fn discovery_reporter(&self) -> Option<Reporter> {
        let discovery = self.nearby.discovery.as_ref()?;
        let watch = discovery.watch();
        Some(Box::new(move || watch.report()))
    }

    /// What this device says of itself, as it is now; costs nothing if nothing has changed.
    pub(super) fn show_presence(&mut self) {
        let Some(discovery) = &self.nearby.discovery else {
            return;
        };
        let bound = self.server.as_ref().map(|server| server.addr());
        let reachable = bound.filter(|addr| !addr.ip().is_loopback());
        let port = reachable.map(|addr| addr.port());
        let listener = self.nearby.listener.as_ref();
        let open = port.or(listener.map(|listener| listener.addr.port()));
        let call = open.and_then(|port| {
            let (device, nonce) = *self.nearby.calls.first()?;
            let before = self.nearby.call.take();
            let same = before.filter(|(said, call)| *said == nonce && call.port == port);
            let key = self.shared.known.pair_key(device)?;
            let ours = self.shared.identity.device_id();
            let now = SystemTime::now();
            let anew = || calls::call(&key, ours, device, port, nonce, now);
            Some((nonce, same.map(|(_, call)| call).or_else(anew)?))
        });
        self.nearby.call.clone_from(&call);
        discovery.set(Ours {
            presence: self.nearby.presence,
            name: lock(&self.shared.name).clone(),
            port,
            call: call.map(|(_, call)| call),
        });
    }

    /// A transfer to be sent asks its device to connect.
    pub(super) fn call(&mut self, device: DeviceId, nonce: Nonce) {
        if self.nearby.presence != Presence::Visible {
            return;
        }
        self.nearby.calls.push((device, nonce));
        if self.server.is_none() && self.nearby.listener.is_none() {
            match Listener::start(Bind::Preferred(DEFAULT_PORT), self.inputs.clone()) {
                Ok(listener) => self.nearby.listener = Some(listener),
                Err(error) => tracing::warn!(%error, "nobody can be asked to connect"),
            }
        }
    }

    pub(super) fn call_over(&mut self, nonce: &Nonce) {
        self.nearby.calls.retain(|(_, asked)| asked != nonce);
        if self.nearby.calls.is_empty() {
            self.nearby.stop_listening();
        }
    }

    /// Connects to devices that ask for it: known ones alone, and each at most once in a while.
    fn answer_calls(&mut self) {
        if self.server.is_none() {
            return;
        }
        let ours = self.shared.identity.device_id();
        for (device, call, addresses) in self.nearby.heard.calls.clone() {
            let answered = self.nearby.answered.get(&device);
            let lately = answered.is_some_and(|at| at.elapsed() < CALL_EVERY)
                || self.nearby.answered_nonces.contains(&call.nonce);
            let key = self.shared.known.pair_key(device).filter(|_| !lately);
            let asks = key
                .is_some_and(|key| calls::is_for_us(&key, device, ours, &call, SystemTime::now()));
            if asks {
                tracing::info!(device = device.short(), "asks to be called");
                self.nearby.answered.insert(device, Instant::now());
                self.nearby.answered_nonces.push_front(call.nonce);
                self.nearby.answered_nonces.truncate(NONCES);
                self.connect_to_client(device, call.nonce, addresses);
            }
        }
    }

    /// There is always room for known devices; and none for blocked ones.
    pub(super) fn favour_known(&mut self) {
        if let Some(discovery) = &self.nearby.discovery {
            let known = self.shared.known.all().into_iter();
            let known = known.filter(|device| device.bond != Bond::Blocked);
            discovery.favour(known.map(|device| device.id).collect());
        }
        self.tell_nearby();
    }

    pub(super) fn heard(&mut self, heard: Heard) {
        let before = std::mem::replace(&mut self.nearby.heard, heard);
        let heard = &self.nearby.heard;
        self.shared.whereabouts.set(&heard.nearby);
        let mut known: HashMap<DeviceId, HashSet<SocketAddr>> = HashMap::new();
        for nearby in &before.nearby {
            known
                .entry(nearby.id)
                .or_default()
                .extend(&nearby.addresses);
        }
        let appeared: HashSet<_> = heard
            .nearby
            .iter()
            .filter(|nearby| {
                let known = known.get(&nearby.id);
                let mut addresses = nearby.addresses.iter();
                addresses.any(|at| known.is_none_or(|known| !known.contains(at)))
            })
            .map(|nearby| nearby.id)
            .collect();
        self.note_who_left(&before.nearby);
        self.hurry_to(&appeared);
        let heard = self.nearby.heard.nearby.iter();
        let appeared: Vec<_> = heard
            .filter(|nearby| appeared.contains(&nearby.id))
            .map(|nearby| (nearby.id, nearby.addresses.clone()))
            .collect();
        for (device, addresses) in appeared {
            self.device_appeared(device, &addresses);
        }
        self.answer_calls();
        self.tell_nearby();
    }

    /// What waits for these is tried at once, in the order in which it was asked for.
    fn hurry_to(&mut self, devices: &HashSet<DeviceId>) {
        let hurried = &mut self.nearby.hurried;
        hurried.retain(|_, at| at.elapsed() < HURRY_EVERY);
        let mut waiting: Vec<_> = self
            .transfers
            .iter()
            .filter_map(|(id, transfer)| match &transfer.handle {
                Handle::Sending(sending) => Some((transfer.connection, *id, transfer, sending)),
                Handle::Receiving(_) => None,
            })
            .filter(|(_, id, transfer, sending)| {
                let waits = matches!(
                    transfer.state,
                    TransferState::Interrupted | TransferState::Away
                );
                let there = sending.device().is_some_and(|it| devices.contains(&it));
                waits && there && !hurried.contains_key(id)
            })
            .collect();
        waiting.sort_unstable_by_key(|(connection, ..)| *connection);
        for (_, id, _, sending) in waiting {
            hurried.insert(id, Instant::now());
            sending.hurry();
        }
    }

    fn note_who_left(&mut self, before: &[Nearby]) {
        let sent_to: HashSet<_> = self
            .transfers
            .values()
            .filter_map(|transfer| match &transfer.handle {
                Handle::Sending(sending) => sending.device(),
                Handle::Receiving(_) => None,
            })
            .collect();
        let left = &mut self.nearby.left;
        left.retain(|device, _| sent_to.contains(device));
        let ips = |nearby: &Nearby| -> Vec<_> {
            let addresses = nearby.addresses.iter();
            addresses.map(SocketAddr::ip).collect()
        };
        for nearby in before.iter().filter(|it| sent_to.contains(&it.id)) {
            let left = left.entry(nearby.id).or_default();
            // The last ones; a forger makes up as many as it likes.
            if left.len() > MOST_PLACES {
                left.clear();
            }
            left.extend(ips(nearby));
        }
        for nearby in &self.nearby.heard.nearby {
            if let Some(left) = left.get_mut(&nearby.id) {
                left.retain(|ip| !ips(nearby).contains(ip));
            }
        }
    }

    /// The other end of a transfer to be sent has been silent. If its device is heard of somewhere else
    /// by now and no longer there, nobody waits for the silence to become long enough.
    pub(super) fn quiet(&self, connection: ConnectionId, seconds: u64) {
        if seconds < MOVED_AFTER_SECONDS {
            return;
        }
        let Some(transfer) = self.transfer_of(connection) else {
            return;
        };
        let Some(Handle::Sending(sending)) = self.transfers.get(&transfer).map(|it| &it.handle)
        else {
            return;
        };
        let Some((device, at)) = sending.device().zip(sending.reached()) else {
            return;
        };
        // Many a device has several addresses, and anybody can say of it that it has one more.
        let left = self.nearby.left.get(&device);
        if left.is_some_and(|left| left.contains(&at.ip()))
            && !self.shared.whereabouts.of(device).is_empty()
            && let Some(connection) = self.connections.get(&connection)
        {
            tracing::info!(%transfer, "its device is somewhere else by now");
            connection.cut.lose();
        }
    }

    fn tell_nearby(&mut self) {
        let blocked = |nearby: &&Nearby| self.shared.known.is_blocked(nearby.id);
        let heard = self.nearby.heard.nearby.iter();
        let nearby: Vec<_> = heard.filter(|it| !blocked(it)).cloned().collect();
        if nearby != self.nearby.told {
            self.nearby.told.clone_from(&nearby);
            self.events.say(Event::Nearby(nearby));
        }
    }

    pub(super) fn tell_recent(&mut self) {
        self.events.say(Event::Recent(self.shared.recent.all()));
    }

    pub(super) fn forget_recent(&mut self, address: &PeerAddress) {
        if self.shared.recent.forget(address) {
            let shared = self.shared.clone();
            self.chores.remember_recent(move || shared.recent.save());
            self.tell_recent();
        }
    }
}

impl Neighbourhood {
    /// For calls; the server listens for itself.
    pub(super) fn stop_listening(&mut self) {
        self.listener = None;
    }

    /// Others are told that this device leaves; nobody waits for it.
    pub(super) fn leave(&mut self) {
        if let Some(discovery) = &self.discovery {
            discovery.set(Ours {
                presence: Presence::Off,
                name: crate::model::DeviceName::cleaned("", "?"),
                port: None,
                call: None,
            });
        }
    }
}
