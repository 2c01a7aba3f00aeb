//! Transfers, both directions: begun, told about, interrupted, ended, and kept to go on.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Connection, NO_CONNECTION, Role, Supervisor};
use crate::engine::command::SendRequest;
use crate::engine::cut::Cut;
use crate::engine::event::{Event, Interrupted, Offer, Started};
use crate::engine::failures::may_go_on;
use crate::engine::ledger::Kept;
use crate::engine::live::Live;
use crate::engine::note::{ConnectionId, Notes};
use crate::engine::receiving::Receiving;
use crate::engine::sending::{Earlier, Sending};
use crate::engine::waiting::Picked;
use crate::engine::wire::{Closed, Phase, Purpose};
use crate::engine::{LastWord, absolute};
use crate::model::{
    DeviceId, DeviceName, Direction, Failure, Hold, Holds, Meter, OnConflict, Party, Peer,
    PeerAddress, Progress, Status, Summary, TransferId, TransferState, Trust, displayable,
};
use crate::protocol::verification::SessionKey;

/// So that a list of what was interrupted tells how much is there, also after a kill.
const WRITE_HELD_EVERY: Duration = Duration::from_secs(2);

pub(super) struct Transfer {
    /// [`NO_CONNECTION`] while it is interrupted.
    pub(super) connection: ConnectionId,
    pub(super) started: Started,
    pub(super) handle: Handle,
    pub(super) live: Arc<Live>,
    pub(super) begun: Instant,
    pub(super) meter: Meter,
    pub(super) told: Option<Progress>,
    pub(super) told_holds: Holds,
    /// By the person here.
    pub(super) paused: bool,
    pub(super) state: TransferState,
    /// For it alone; also in connections to come.
    pub(super) limit: Option<u64>,
    /// When the ledger was last told how far it is.
    pub(super) written: Instant,
}

pub(super) enum Handle {
    Sending(Arc<Sending>),
    Receiving(Arc<Receiving>),
}

impl Supervisor {
    /// If the same things were offered there and no answer was heard, they may have been accepted all
    /// the same: then that goes on, and nobody is asked again.
    pub(super) fn send_or_go_on(&mut self, request: SendRequest) {
        let places = absolute(&request.sources);
        let device = request.device.as_ref().map(|chosen| chosen.id);
        let ledger = &self.shared.ledger;
        let like = ledger.like(&places, &request.to.to_string(), device);
        let mut like = like.into_iter();
        let known = |id| self.transfers.contains_key(&id) || self.anew.contains_key(&id);
        // What waits has been tried under the id it has.
        let free = !known(request.transfer) && !ledger.waits(request.transfer);
        let Some(kept) = like.find(|kept| free && kept.unanswered && !known(kept.transfer)) else {
            return self.send(request, None);
        };
        self.events.say(Event::Renamed {
            was: request.transfer,
            now: kept.transfer,
        });
        let mut first = request.clone();
        first.transfer = kept.transfer;
        self.anew.insert(kept.transfer, request);
        self.send(first, Some(kept));
    }

    pub(super) fn send(&mut self, request: SendRequest, kept: Option<Kept>) {
        self.send_picked(request, kept, None);
    }

    /// `picks`: what they were when an earlier process began to wait with them.
    pub(super) fn send_picked(
        &mut self,
        request: SendRequest,
        kept: Option<Kept>,
        picks: Option<Vec<Picked>>,
    ) {
        let transfer = request.transfer;
        if self.transfers.contains_key(&transfer) || self.offers.contains_key(&transfer) {
            return;
        }
        let connection = self.next_connection;
        self.next_connection += 1;
        let label = format!("send-{connection}");
        let wire = &self.shared.wire;
        let trace = wire.open_for(
            connection,
            label.clone(),
            Purpose::Send,
            (Phase::Starting, None),
        );
        let notes = Notes {
            connection,
            inputs: self.inputs.clone(),
            trace: trace.clone(),
        };
        let cut = Arc::new(Cut::default());
        let sources = absolute(&request.sources);
        let address = request.to.to_string();
        let known = kept.as_ref().map(|kept| kept.peer_name.as_str());
        let chosen = request.device.as_ref();
        let chosen = chosen.and_then(|chosen| chosen.name.as_ref().map(DeviceName::as_str));
        let known = known.or(chosen);
        let peer = Peer {
            name: DeviceName::cleaned(known.unwrap_or(&request.to.host), "?"),
            device_id: None,
            address,
            trust: Trust::None,
        };
        let names = sources.iter().take(Offer::MAX_NAMES).map(|path| {
            let name = path.file_name().unwrap_or(path.as_os_str());
            displayable(&name.to_string_lossy())
        });
        let started = Started {
            transfer,
            direction: Direction::Send,
            peer,
            names: names.collect(),
            picked: sources.len() as u64,
            places: sources,
        };
        self.events.say(Event::Started(started.clone()));
        let earlier = kept.as_ref().map(|kept| Earlier {
            peer: kept.peer,
            unanswered: kept.unanswered,
        });
        let sending = Sending::new(
            request,
            earlier,
            cut.clone(),
            self.shared.throttle.clone(),
            notes.clone(),
        );
        if let Some(picks) = picks {
            sending.was_picked(picks);
        }
        if let Some(kept) = &kept {
            // Until the first word from over there.
            sending.live.entries.set(kept.entries);
            sending.live.total_bytes.set(kept.bytes);
            sending.live.held_bytes.set(kept.held_bytes);
        }
        let handle = Handle::Sending(sending.clone());
        let live = sending.live.clone();
        let running = Transfer::new(connection, started, handle, live);
        self.transfers.insert(transfer, running);
        let key = kept.map(|kept| kept.key);
        let shared = self.shared.clone();
        let thread = std::thread::Builder::new().name(label).spawn(move || {
            let _last = LastWord(notes);
            sending.run(key, &shared);
        });
        match thread {
            Ok(thread) => {
                let role = Role::Outgoing;
                self.connections
                    .insert(connection, Connection { thread, cut, role });
            }
            Err(error) => {
                let failure = Failure::Internal(error.to_string());
                trace.close(Closed::Failed(failure.clone()));
                self.ended(transfer, Status::Failed, Some(failure));
            }
        }
    }

    pub(super) fn cancel(&mut self, transfer: TransferId) {
        let open = self
            .transfers
            .get(&transfer)
            .is_some_and(|running| running.handle.cancel());
        if !open {
            return;
        }
        let by = Party::Us;
        self.ended(
            transfer,
            Status::Cancelled(by),
            Some(Failure::Cancelled(by)),
        );
    }

    /// A receiver waits for its sender; a sender says itself when it stops to try.
    pub(super) fn can_go_on(&self, id: TransferId) -> bool {
        let receives = self
            .transfers
            .get(&id)
            .is_some_and(|running| running.started.direction == Direction::Receive);
        receives && self.shared.ledger.get(id).is_some()
    }

    pub(super) fn interrupted(&mut self, id: TransferId) {
        if let Some(running) = self.transfers.get_mut(&id) {
            running.connection = NO_CONNECTION;
            running.state = TransferState::Interrupted;
            let progress = running.progress(id);
            let held_bytes = progress.bytes;
            self.shared
                .ledger
                .update(id, |kept| kept.held_bytes = held_bytes);
            self.events.say(Event::Progress(progress));
            self.events
                .say(Event::State(id, TransferState::Interrupted));
        }
    }

    pub(super) fn transfer_of(&self, connection: ConnectionId) -> Option<TransferId> {
        let mut running = self.transfers.iter();
        running
            .find(|(_, transfer)| transfer.connection == connection)
            .map(|(id, _)| *id)
    }

    pub(super) fn state(&mut self, connection: ConnectionId, state: TransferState) {
        if let Some(id) = self.transfer_of(connection)
            && let Some(transfer) = self.transfers.get_mut(&id)
        {
            transfer.state = state;
            if state == TransferState::Running {
                // Waiting for a person is not part of the speed.
                transfer.begun = Instant::now();
                transfer.meter = Meter::default();
            }
            self.events.say(Event::State(id, state));
        }
    }

    pub(super) fn resume(&mut self, id: TransferId) {
        self.pause(id, false);
        if let Some(running) = self.transfers.get(&id) {
            if let Handle::Sending(sending) = &running.handle {
                sending.hurry();
            }
            return;
        }
        let kept = self.shared.ledger.get(id);
        if let Some(kept) = kept.filter(|kept| kept.direction == Direction::Send) {
            let to = kept.address.parse();
            let to = to.unwrap_or_else(|_none| PeerAddress::nowhere(kept.peer));
            let request = SendRequest {
                device: None,
                ask: false,
                remember: false,
                transfer: id,
                sources: kept.places.clone(),
                to,
                secret: None,
                wait_for_it: false,
            };
            self.send(request, Some(kept));
        }
    }

    /// Holds it up, or lets it go on; it stays so over an interruption.
    pub(super) fn pause(&mut self, id: TransferId, paused: bool) {
        let Some(running) = self.transfers.get_mut(&id) else {
            return;
        };
        if running.paused == paused {
            return;
        }
        running.paused = paused;
        match &running.handle {
            Handle::Sending(sending) => sending.pause(paused),
            Handle::Receiving(receiving) => receiving.pause(paused),
        }
        self.shared.ledger.update(id, |kept| kept.paused = paused);
        self.tell_holds();
    }

    /// Those that were asked for first go first.
    pub(super) fn give_turns(&mut self) {
        let mut outgoing: Vec<_> = self
            .transfers
            .values()
            .filter_map(|transfer| match &transfer.handle {
                Handle::Sending(sending) => Some((transfer.connection, transfer, sending)),
                Handle::Receiving(_) => None,
            })
            .collect();
        outgoing.sort_unstable_by_key(|(connection, ..)| *connection);
        // A device may be reached at several addresses, and is not known of each before it has accepted.
        let mut moving: HashMap<String, usize> = HashMap::new();
        let mut moving_to: HashMap<DeviceId, usize> = HashMap::new();
        for (_, transfer, sending) in outgoing {
            let there = moving.entry(sending.address()).or_default();
            let device = sending.device().map(|id| moving_to.entry(id).or_default());
            let before = device
                .as_deref()
                .map_or(*there, |count| (*there).max(*count));
            // Who is held up over there gives its turn to others, too.
            let held = transfer.paused || transfer.live.held_by().there.is_some();
            let waits_for_it = matches!(
                transfer.state,
                TransferState::Interrupted | TransferState::Away
            );
            let takes_part = !held && !waits_for_it;
            let waits = takes_part && before >= self.at_once;
            sending.wait_for_turn(waits);
            let moves = matches!(
                transfer.state,
                TransferState::Checking | TransferState::Running
            );
            if takes_part && moves && !waits {
                *there += 1;
                if let Some(device) = device {
                    *device += 1;
                }
            }
        }
    }

    pub(super) fn keep_awake(&mut self) {
        let mut running = self.transfers.values();
        let moving = running.any(|transfer| {
            let moves = matches!(
                transfer.state,
                TransferState::Checking | TransferState::Running | TransferState::Finishing
            );
            moves && !transfer.live.held_by().any()
        });
        self.awake.look(moving || !self.settling.is_empty());
    }

    /// After a sleep nobody knows whether the other end is still there. Sooner than to wait for its
    /// silence, connections are made anew; what runs goes on from what is there.
    pub(super) fn look_for_sleep(&mut self) {
        let Some(slept) = self.nap.over(!self.transfers.is_empty()) else {
            return;
        };
        tracing::info!(seconds = slept.as_secs(), "slept");
        for transfer in self.transfers.values() {
            let accepted = match (&transfer.handle, transfer.state) {
                (Handle::Receiving(_), _) => true,
                // An offer that waits for its answer could not go on.
                (Handle::Sending(_), state) => matches!(
                    state,
                    TransferState::Checking | TransferState::Running | TransferState::Finishing
                ),
            };
            if accepted && let Some(held) = self.connections.get(&transfer.connection) {
                held.cut.lose();
            }
            if let Handle::Sending(sending) = &transfer.handle {
                sending.hurry();
            }
        }
        self.events.say(Event::Slept(slept));
    }

    pub(super) fn limit_speed(&mut self, id: TransferId, limit: Option<u64>) {
        if let Some(running) = self.transfers.get_mut(&id) {
            running.limit = limit;
            running.live.throttle.set(limit);
        }
    }

    /// Said as often as they change, but no oftener than we look.
    pub(super) fn tell_holds(&mut self) {
        for (id, transfer) in &mut self.transfers {
            let mut holds = transfer.live.held_by();
            if transfer.connection == NO_CONNECTION {
                holds = Holds {
                    here: transfer.paused.then_some(Hold::Person),
                    there: None,
                };
            }
            if transfer.told_holds != holds {
                transfer.told_holds = holds;
                if let Some(trace) = self.shared.wire.of(transfer.connection) {
                    trace.held(holds);
                }
                // The speed before says nothing about the speed from now on.
                transfer.meter = Meter::default();
                self.events.say(Event::Held(*id, holds));
            }
        }
    }

    pub(super) fn give_up(&mut self, id: TransferId) {
        if let Some(running) = self.transfers.get(&id) {
            let holds = running.live.held_by();
            let failure = match (holds.here, holds.there) {
                (_, _) if running.state.seeks_peer() => Failure::Unreachable {
                    address: running.started.peer.address.clone(),
                },
                (here, there) => {
                    match (here.and_then(Hold::problem), there.and_then(Hold::problem)) {
                        (Some(problem), _) => Failure::Disk(problem),
                        (None, Some(problem)) => Failure::PeerDisk(problem),
                        (None, None) => Failure::Lost,
                    }
                }
            };
            let full = matches!(failure, Failure::Disk(_) | Failure::PeerDisk(_));
            match &running.handle {
                Handle::Sending(sending) => sending.interrupt(),
                // Its sender has just come back.
                Handle::Receiving(_) if running.connection != NO_CONNECTION && !full => return,
                Handle::Receiving(receiving) => receiving.hang_up(),
            }
            self.ended(id, Status::Interrupted, Some(failure));
        }
    }

    /// Its connection is ended like one that was cut; when the sender is back a moment later, it goes
    /// on into the other folder.
    pub(super) fn move_to(&mut self, id: TransferId, folder: PathBuf) {
        let Some(running) = self.transfers.get_mut(&id) else {
            return;
        };
        let Handle::Receiving(receiving) = &running.handle else {
            return;
        };
        let old = running.started.places.first().cloned();
        if old.as_ref() == Some(&folder) || self.shared.ledger.get(id).is_none() {
            return;
        }
        running.started.places = vec![folder.clone()];
        let connection = running.connection;
        receiving.hang_up();
        self.shared.ledger.update(id, |kept| {
            kept.places = vec![folder];
            kept.placed = false;
            kept.by_default = false;
        });
        self.events.say(Event::Started(running.started.clone()));
        if let Some(old) = old {
            match self.connections.contains_key(&connection) {
                // Its disk thread still holds the staging.
                true => {
                    self.unwanted.insert(connection, (old, id));
                }
                false => self.chores.discard(old, id),
            }
        }
    }

    pub(super) fn forget(&mut self, id: TransferId) {
        let running = self.transfers.get(&id).map(|running| running.connection);
        // Or it is being flushed.
        let mut settling = self.settling.iter();
        let settling = settling.find(|(_, settling)| **settling == id);
        let running = running.or(settling.map(|(connection, _)| *connection));
        let running = running.filter(|held| self.connections.contains_key(held));
        self.cancel(id);
        if let Some(kept) = self.shared.ledger.forget(id)
            && kept.direction == Direction::Receive
            && let Some(folder) = kept.places.into_iter().next()
        {
            match running {
                // Its disk thread still holds the staging.
                Some(connection) => {
                    self.unwanted.insert(connection, (folder, id));
                }
                None => self.chores.discard(folder, id),
            }
        }
    }

    pub(super) fn ended(&mut self, id: TransferId, status: Status, failure: Option<Failure>) {
        let Some(mut transfer) = self.transfers.remove(&id) else {
            return;
        };
        let anew = self.anew.remove(&id);
        if failure == Some(Failure::Forgotten)
            && let Some(request) = anew
        {
            return self.send_anew(id, &transfer, request);
        }
        self.shared.ledger.waits_no_longer(id);
        // The last picture, so that there is at least one.
        let progress = transfer.progress(id);
        self.events.say(Event::Progress(progress));
        tracing::info!(transfer = %id, ?status, "transfer ended");
        self.note_in_ledger(id, &transfer, status, failure.as_ref());
        if failure == Some(Failure::Forgotten) {
            self.shared.ledger.forget(id);
        }
        self.transfer_in_talk(id, status, &transfer);
        let disk = matches!(failure, Some(Failure::Disk(_) | Failure::PeerDisk(_)));
        let kept = self.shared.ledger.get(id);
        let can_retry = kept.is_some_and(|kept| disk || kept.can_retry());
        if matches!(status, Status::Arrived | Status::Problems) && !can_retry {
            self.arrived.insert(id);
        }
        self.events.say(Event::Ended(Summary {
            transfer: id,
            direction: transfer.started.direction,
            peer: transfer.started.peer,
            status,
            failure,
            entries: transfer.live.entries.get(),
            bytes: transfer.live.arrived_bytes.get(),
            failed: transfer.live.failed.get(),
            can_retry,
            skipped: transfer.live.skipped.get(),
            elapsed: transfer.begun.elapsed(),
            sent_bytes: transfer.live.sent_bytes.get(),
        }));
    }

    /// Nobody over there knows the unanswered offer: it is as if it had never been made.
    fn send_anew(&mut self, was: TransferId, transfer: &Transfer, request: SendRequest) {
        self.shared.ledger.forget(was);
        let now = request.transfer;
        let picks = self.waits_as(was, transfer, &request);
        if now != was {
            self.events.say(Event::Renamed { was, now });
        }
        match picks {
            None => self.send_or_go_on(request), // There may be another one.
            Some(_) => self.send_picked(request, None, picks),
        }
        // If there is not, what the person said of this one holds for it.
        self.pause(now, transfer.paused);
        self.limit_speed(now, transfer.limit);
    }

    /// What is over need not go on; what was ended early can, and so can what failed and may be
    /// mended.
    pub(super) fn note_in_ledger(
        &self,
        id: TransferId,
        transfer: &Transfer,
        status: Status,
        failure: Option<&Failure>,
    ) {
        let ledger = &self.shared.ledger;
        if ledger.get(id).is_some_and(|kept| kept.unanswered) {
            // Where the connection was lost, a yes may have been lost with it.
            if !failure.is_some_and(may_go_on) {
                ledger.forget(id);
            }
            return;
        }
        let (entries, bytes) = (transfer.live.entries.get(), transfer.live.total_bytes.get());
        let held = transfer.live.held_bytes.get();
        let (failed, can_pass) = (transfer.live.failed.get(), transfer.live.can_pass.get());
        match (status, transfer.started.direction) {
            (Status::Problems, _) if can_pass > 0 => {
                ledger.update(id, |kept| {
                    kept.failed = failed;
                    kept.cancelled_here = false;
                    (kept.entries, kept.bytes, kept.held_bytes) = (entries, bytes, held);
                });
            }
            // The receiver keeps it until the sender knows.
            (Status::Arrived | Status::Problems, Direction::Receive) => {
                ledger.update(id, |kept| (kept.arrived, kept.failed) = (true, failed));
            }
            (Status::Arrived | Status::Problems | Status::Declined, _) => {
                ledger.forget(id);
            }
            (Status::Cancelled(_) | Status::Interrupted | Status::Failed, _) => {
                ledger.update(id, |kept| {
                    kept.cancelled_here = status == Status::Cancelled(Party::Us);
                    (kept.entries, kept.bytes, kept.held_bytes) = (entries, bytes, held);
                });
            }
        }
    }

    pub(super) fn tell_kept(&mut self) {
        let kept = self
            .shared
            .ledger
            .all()
            .into_iter()
            // Of what was perhaps never accepted there is nothing to be shown.
            .filter(|kept| !kept.unanswered)
            .map(|kept| Interrupted {
                failed: if kept.can_retry() { kept.failed } else { 0 },
                transfer: kept.transfer,
                direction: kept.direction,
                peer: Peer {
                    name: DeviceName::cleaned(&kept.peer_name, "?"),
                    device_id: Some(kept.peer),
                    address: kept.address.clone(),
                    trust: Trust::Verified,
                },
                until: kept.until(),
                names: kept.names,
                picked: kept.picked,
                places: kept.places,
                entries: kept.entries,
                bytes: kept.bytes,
                held_bytes: kept.held_bytes,
            });
        let kept: Vec<_> = kept.collect();
        if !kept.is_empty() {
            self.events.say(Event::Kept(kept));
        }
    }

    pub(super) fn tell_progress(&mut self) {
        self.tell_holds();
        for (id, transfer) in &mut self.transfers {
            let due = transfer.begun.elapsed() >= transfer.next_progress(self.progress_every);
            if !due {
                continue;
            }
            let progress = transfer.progress(*id);
            if transfer.written.elapsed() >= WRITE_HELD_EVERY && progress.bytes > 0 {
                transfer.written = Instant::now();
                self.shared.ledger.update(*id, |kept| {
                    kept.entries = progress.entries;
                    kept.bytes = progress.total_bytes;
                    kept.held_bytes = progress.bytes;
                });
            }
            if transfer.told != Some(progress) && (progress.bytes > 0 || progress.total_bytes > 0) {
                transfer.told = Some(progress);
                self.events.say(Event::Progress(progress));
            }
        }
    }
}

impl Handle {
    pub(super) fn interrupt(&self) {
        match self {
            Self::Sending(sending) => sending.interrupt(),
            Self::Receiving(receiving) => receiving.hang_up(),
        }
    }

    /// `false` if there is nothing to end any more.
    pub(super) fn cancel(&self) -> bool {
        match self {
            Self::Sending(sending) => sending.cancel(),
            Self::Receiving(receiving) => receiving.cancel(),
        }
    }
}

impl Transfer {
    pub(super) fn new(
        connection: ConnectionId,
        started: Started,
        handle: Handle,
        live: Arc<Live>,
    ) -> Self {
        Self {
            connection,
            started,
            handle,
            live,
            begun: Instant::now(),
            meter: Meter::default(),
            told: None,
            told_holds: Holds::default(),
            paused: false,
            state: TransferState::Connecting,
            limit: None,
            written: Instant::now(),
        }
    }

    /// What is needed to go on with it.
    pub(super) fn kept(&self, peer: DeviceId, key: SessionKey) -> Kept {
        Kept {
            transfer: self.started.transfer,
            direction: self.started.direction,
            unanswered: false,
            peer,
            peer_name: self.started.peer.name.as_str().to_owned(),
            address: match &self.handle {
                Handle::Sending(sending) => sending.address(),
                Handle::Receiving(_) => self.started.peer.address.clone(),
            },
            key,
            places: self.started.places.clone(),
            names: self.started.names.clone(),
            picked: self.started.picked,
            entries: self.live.entries.get(),
            bytes: self.live.total_bytes.get(),
            held_bytes: self.live.held_bytes.get(),
            cancelled_here: false,
            paused: self.paused,
            placed: false,
            by_default: false,
            picks: None,
            on_conflict: OnConflict::default(),
            arrived: false,
            failed: 0,
            touched: std::time::SystemTime::now(),
        }
    }

    pub(super) fn next_progress(&self, every: Duration) -> Duration {
        self.meter
            .last_sample()
            .map_or(Duration::ZERO, |last| last + every)
    }

    pub(super) fn progress(&mut self, id: TransferId) -> Progress {
        let total_bytes = self.live.total_bytes.get();
        // Of what was left out half-way, some is held and nothing is wanted.
        let bytes = self.live.held_bytes.get().min(total_bytes);
        self.meter.sample(self.begun.elapsed(), bytes);
        let held = self.told_holds.any();
        Progress {
            transfer: id,
            bytes,
            total_bytes,
            entries_done: self.live.settled.get(),
            entries: self.live.entries.get(),
            checked_bytes: self.live.checked_bytes.get(),
            check_bytes: self.live.check_bytes.get(),
            bytes_per_second: if held {
                0
            } else {
                self.meter.bytes_per_second()
            },
            eta: match held {
                true => None,
                false => self.meter.eta(total_bytes.saturating_sub(bytes)),
            },
        }
    }
}
