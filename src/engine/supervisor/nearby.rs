//! The local network's side of the supervisor: how this device shows itself, who is found, and what
//! goes on because somebody was.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant, SystemTime};

use super::callers::{Callers, OpenCall};
use super::transfers::Handle;
use super::{Supervisor, lock};
use crate::discovery::beacon::{Call, Instance};
use crate::discovery::table::MOST_PLACES;
use crate::discovery::{Discovery, Heard, Ours};
use crate::engine::calls::{self, By, Nonce};
use crate::engine::command::Bind;
use crate::engine::doctor::Reporter;
use crate::engine::event::Event;
use crate::engine::listener::Listener;
use crate::engine::note::{ConnectionId, Input};
use crate::model::{Bond, DEFAULT_PORT, DeviceId, Nearby, PeerAddress, Presence, TransferState};

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
    pub(super) heard: Heard,
    told: Vec<Nearby>,
    /// For whom everything that waits was tried lately, and when it may be tried again.
    hurried: HashMap<DeviceId, Instant>,
    /// Those of them that have appeared once more since.
    due: HashSet<DeviceId>,
    /// Where devices that are sent to were heard, and are not any more.
    left: HashMap<DeviceId, HashSet<IpAddr>>,
    /// Whom transfers to be sent, and messages, ask to connect; one is asked at a time.
    calls: Vec<Asking>,
    /// What is said of the first of them, and through which port.
    call: Option<(Nonce, Call)>,
    /// While the server is off and somebody is to connect.
    listener: Option<Listener>,
    /// Whom we have tried to connect to.
    answered: HashMap<DeviceId, Instant>,
    /// The ones by which we did.
    answered_nonces: VecDeque<Nonce>,
    /// Somebody asks that was called only just before.
    pub(super) answer_at: Option<Instant>,
    /// Who asks without being known.
    pub(super) callers: Callers,
}

/// A transfer to be sent, or a message, that asks its device to connect.
struct Asking {
    device: DeviceId,
    nonce: Nonce,
    /// To be told when it is said; dropped, it never is.
    announced: Option<Sender<()>>,
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
        let open = open.filter(|_| self.nearby.presence == Presence::Visible);
        let mut call = None;
        let before = self.nearby.call.take();
        // Those that come by themselves do not wait until a person has clicked somewhere else.
        let known = &self.shared.known;
        self.nearby
            .calls
            .sort_by_key(|asking| known.pair_key(asking.device).is_none());
        while let (None, Some(first)) = (&call, self.nearby.calls.first()) {
            let (device, nonce) = (first.device, first.nonce);
            call = open.and_then(|port| {
                let same = |(said, call): &&(Nonce, Call)| *said == nonce && call.port == port;
                let same = before.as_ref().filter(same);
                let key = self.shared.known.pair_key(device);
                let by = key.as_ref().map_or(By::Nothing, By::Pair);
                let ours = self.shared.identity.device_id();
                let now = SystemTime::now();
                let anew = || calls::call(by, ours, device, port, nonce, now);
                Some((nonce, same.map(|(_, call)| call.clone()).or_else(anew)?))
            });
            if call.is_none() {
                // Nobody waits for what is not said.
                self.nearby.calls.remove(0);
            }
        }
        self.nearby.call.clone_from(&call);
        discovery.set(Ours {
            presence: self.nearby.presence,
            name: lock(&self.shared.name).clone(),
            port,
            call: call.map(|(_, call)| call),
        });
        let first = self.nearby.calls.first_mut();
        if let Some(announced) = first.and_then(|asking| asking.announced.take()) {
            let _ = announced.send(());
        }
        if self.nearby.calls.is_empty() {
            self.nearby.stop_listening();
        }
    }

    /// A transfer to be sent, or a message, asks its device to connect.
    pub(super) fn call(&mut self, device: DeviceId, nonce: Nonce, announced: Sender<()>) {
        if self.nearby.presence != Presence::Visible || self.nearby.discovery.is_none() {
            return;
        }
        self.nearby.calls.push(Asking {
            device,
            nonce,
            announced: Some(announced),
        });
        if self.server.is_none() && self.nearby.listener.is_none() {
            match Listener::start(Bind::Preferred(DEFAULT_PORT), self.inputs.clone()) {
                Ok(listener) => self.nearby.listener = Some(listener),
                Err(error) => tracing::warn!(%error, "nobody can be asked to connect"),
            }
        }
    }

    pub(super) fn call_over(&mut self, nonce: &Nonce) {
        self.nearby.calls.retain(|asking| asking.nonce != *nonce);
        if self.nearby.calls.is_empty() {
            self.nearby.stop_listening();
        }
    }

    /// Connects to devices that ask for it, each at most once in a while: to known ones by itself, and to
    /// others where a person has said so.
    pub(super) fn answer_calls(&mut self) {
        self.nearby.answer_at = None;
        let ours = self.shared.identity.device_id();
        let on = self.server.is_some();
        let mut open = Vec::new();
        for (device, call, addresses) in self.nearby.heard.calls.clone() {
            if self.nearby.answered_nonces.contains(&call.nonce) {
                continue;
            }
            let now = SystemTime::now();
            let key = self.shared.known.pair_key(device);
            let by_pair = |key| calls::is_for_us(By::Pair(key), device, ours, &call, now);
            if key.as_ref().is_some_and(by_pair) {
                if on && self.may_connect_to(device, true, Instant::now()) {
                    self.connect_to_client(device, call.nonce, addresses);
                }
            } else if key.is_none() && calls::is_for_us(By::Nothing, device, ours, &call, now) {
                // Of a device with a key it could only be said in its name.
                open.push(OpenCall {
                    device,
                    nonce: call.nonce,
                    addresses,
                });
            }
        }
        self.answer_open_calls(open);
    }

    /// Whether it is time to connect to it once more, or, where there is to be no other try
    /// (`!tries`), to see that none has worked.
    pub(super) fn may_connect_to(&mut self, device: DeviceId, tries: bool, now: Instant) -> bool {
        let answered = self.nearby.answered.get(&device);
        let next = answered.map(|at| *at + CALL_EVERY);
        let next = next.filter(|next| *next > now);
        let may = next.is_none();
        if may && tries {
            tracing::info!(device = device.short(), "asks to be called");
            self.nearby.answered.insert(device, now);
        }
        if tries || !may {
            // What it says does not change until then, so nothing else wakes us.
            let next = next.unwrap_or(now + CALL_EVERY);
            let at = self.nearby.answer_at.map_or(next, |at| at.min(next));
            self.nearby.answer_at = Some(at);
        }
        may
    }

    /// The device that asked has proven to be the one that we have connected to.
    pub(super) fn call_answered(&mut self, nonce: Nonce) {
        self.nearby.answered_nonces.push_front(nonce);
        self.nearby.answered_nonces.truncate(NONCES);
        self.open_call_answered(&nonce);
    }

    /// What was put off until now.
    pub(super) fn tend_nearby(&mut self) {
        let now = Instant::now();
        if self.nearby.answer_at.is_some_and(|at| at <= now) {
            self.answer_calls();
        }
        if self.nearby.next_due().is_some_and(|at| at <= now) {
            let due = std::mem::take(&mut self.nearby.due);
            self.appeared(due);
        }
    }

    pub(super) fn next_nearby(&self) -> Option<Duration> {
        let next = [self.nearby.next_due(), self.nearby.answer_at];
        let next = next.into_iter().flatten().min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    /// There is always room for known devices; and none for blocked ones.
    pub(super) fn favour_known(&mut self) {
        if let Some(discovery) = &self.nearby.discovery {
            let known = self.shared.known.all().into_iter();
            let known = known.filter(|device| device.bond != Bond::Blocked);
            discovery.favour(known.map(|device| device.id).collect());
        }
        self.answer_calls();
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
        self.appeared(appeared);
        self.answer_calls();
        self.tell_nearby();
    }

    /// Tries what waits for these; for those for whom it was done only just before, a little later.
    fn appeared(&mut self, devices: HashSet<DeviceId>) {
        let devices = self.nearby.not_lately(devices, Instant::now());
        self.hurry_to(&devices);
        let heard = self.nearby.heard.nearby.iter();
        let there: Vec<_> = heard
            .filter(|nearby| devices.contains(&nearby.id))
            .map(|nearby| (nearby.id, nearby.addresses.clone()))
            .collect();
        for (device, addresses) in there {
            self.device_appeared(device, &addresses);
        }
    }

    /// What waits for these is tried at once, in the order in which it was asked for.
    fn hurry_to(&mut self, devices: &HashSet<DeviceId>) {
        let mut waiting: Vec<_> = self
            .transfers
            .iter()
            .filter_map(|(id, transfer)| match &transfer.handle {
                Handle::Sending(sending) => Some((transfer.connection, *id, transfer, sending)),
                Handle::Receiving(_) => None,
            })
            .filter(|(_, _, transfer, sending)| {
                // Or it is about to: this try may have been too early.
                let waits = matches!(
                    transfer.state,
                    TransferState::Interrupted | TransferState::Away | TransferState::Connecting
                );
                let there = sending.device().is_some_and(|it| devices.contains(&it));
                waits && there
            })
            .collect();
        waiting.sort_unstable_by_key(|(connection, ..)| *connection);
        for (.., sending) in waiting {
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
    /// Those of them for whom nothing was tried lately; the others are due when that is a while ago.
    fn not_lately(&mut self, devices: HashSet<DeviceId>, now: Instant) -> HashSet<DeviceId> {
        let Self { hurried, due, .. } = self;
        hurried.retain(|_, until| *until > now);
        let (late, devices): (HashSet<_>, HashSet<_>) =
            devices.into_iter().partition(|it| hurried.contains_key(it));
        hurried.extend(devices.iter().map(|device| (*device, now + HURRY_EVERY)));
        due.retain(|device| !devices.contains(device));
        due.extend(late);
        devices
    }

    fn next_due(&self) -> Option<Instant> {
        let until = self.due.iter().filter_map(|it| self.hurried.get(it));
        until.min().copied()
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_appears_again_and_again_is_tried_now_and_then_and_not_forgotten() {
        let mut nearby = Neighbourhood::default();
        let start = Instant::now();
        let (forged, other) = (DeviceId([1; 32]), DeviceId([2; 32]));
        let alone = |device| HashSet::from([device]);
        assert_eq!(nearby.not_lately(alone(forged), start), alone(forged));
        assert_eq!(nearby.next_due(), None);
        let mut tries = 0;
        for step in 1..80 {
            let now = start + HURRY_EVERY * step / 8;
            tries += nearby.not_lately(alone(forged), now).len();
        }
        assert_eq!(tries, 9);
        // It was said once more since.
        let next = nearby.next_due().unwrap();
        assert_eq!(next, start + HURRY_EVERY * 10);
        let due = std::mem::take(&mut nearby.due);
        assert_eq!(nearby.not_lately(alone(other), next), alone(other));
        assert_eq!(nearby.not_lately(due, next), alone(forged));
        assert_eq!(nearby.next_due(), None);
    }
}
