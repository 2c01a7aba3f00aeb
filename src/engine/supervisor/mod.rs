//! The supervisor: one thread that owns every connection, offer and transfer and matches one
//! [`Input`] enum. It never blocks on a disk or a socket; the threads it starts do.
//!
//! Here is what it holds, what it matches and how it ends; what it does stands in `server`,
//! `offers` and `transfers`.

mod callers;
mod crowd;
mod devices;
mod doctor;
mod nearby;
mod offers;
mod server;
mod talks;
mod transfers;
mod waiting;
mod wire;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::awake::{Awake, Nap};
use super::chores::Chores;
use super::command::{Command, Limits, SendRequest};
use super::cut::Cut;
use super::event::{Client, Event, ListenError};
use super::greeting::new_code;
use super::ledger::Kept;
use super::looking::Looking;
use super::note::{ConnectionId, Input, Note};
use super::receiving::Receiving;
use super::{Reporter, Shared, lock};
use crate::model::{DeviceId, DeviceName, Failure, Status, TransferId, TransferState};
use crowd::{TellingPace, TurnedAway};
use doctor::Doctor;
#[cfg(test)]
pub(super) use nearby::MOVED_AFTER_SECONDS;
use nearby::Neighbourhood;
use offers::OpenOffer;
use server::{Incoming, Server, Standing};
use talks::Talks;
use transfers::Transfer;
use wire::Watch;

/// Progress is told at most twenty times a second a transfer.
const PROGRESS_EVERY: Duration = Duration::from_millis(50);
/// Where nobody watches it, what holds a transfer is still told in time for a person.
const UNWATCHED_EVERY: Duration = Duration::from_millis(250);
/// So much more is handled before the rest is seen to.
const TOGETHER: usize = 64;
const NO_CONNECTION: ConnectionId = 0;
/// When the engine ends, connections have so long to say goodbye.
const GOODBYE_WITHIN: Duration = Duration::from_millis(1500);
/// And so long to end once they are cut: longer than any of them takes whose disk answers.
const CUT_WITHIN: Duration = Duration::from_secs(5);

pub struct Supervisor {
    shared: Arc<Shared>,
    inputs: Sender<Input>,
    events: Reporter,
    chores: Chores,
    server: Option<Server>,
    connections: HashMap<ConnectionId, Connection>,
    offers: HashMap<TransferId, OpenOffer>,
    transfers: HashMap<TransferId, Transfer>,
    /// What is to be sent when nobody over there knows the unanswered offer that is tried first.
    anew: HashMap<TransferId, SendRequest>,
    /// Ended, but "safe" may still follow.
    settling: HashMap<ConnectionId, TransferId>,
    /// Arrived in this process, and said so; nothing more comes of it.
    arrived: HashSet<TransferId>,
    /// Connections that only tell the sender again what has arrived.
    unsaid: HashMap<ConnectionId, TransferId>,
    /// Staging that nobody wants, to be removed when its connection is gone.
    unwanted: HashMap<ConnectionId, (PathBuf, TransferId)>,
    /// Who goes on when the connection before is gone.
    waiting: HashMap<ConnectionId, (ConnectionId, TransferId, Arc<Receiving>)>,
    next_connection: ConnectionId,
    awake: Awake,
    /// When the engine started.
    stash_is_there: bool,
    kept_awake: bool,
    nap: Nap,
    /// Transfers to one device that move at once.
    at_once: usize,
    /// The last one is wanted, those before are about to end.
    looks: Vec<Looking>,
    doctor: Doctor,
    /// Verified in this process, by what they called themselves.
    met: HashMap<DeviceId, DeviceName>,
    /// Of whom it was said that they must wait, and when.
    waits: HashMap<IpAddr, Instant>,
    turned_away: TurnedAway,
    progress_every: Duration,
    nearby: Neighbourhood,
    talks: Talks,
    told_clients: Vec<Client>,
    clients_changed: bool,
    clients_pace: TellingPace,
    wire: Watch,
}

struct Connection {
    thread: JoinHandle<()>,
    cut: Arc<Cut>,
    role: Role,
}

enum Role {
    Outgoing,
    Incoming(Incoming),
}

impl Supervisor {
    pub fn new(shared: Arc<Shared>, inputs: Sender<Input>, events: Reporter) -> Self {
        Self {
            chores: Chores::new(inputs.clone()),
            stash_is_there: shared.pasted.exists(),
            awake: Awake::new(inputs.clone()),
            kept_awake: false,
            nap: Nap::new(),
            shared,
            inputs,
            events,
            server: None,
            connections: HashMap::new(),
            offers: HashMap::new(),
            transfers: HashMap::new(),
            anew: HashMap::new(),
            settling: HashMap::new(),
            arrived: HashSet::new(),
            unsaid: HashMap::new(),
            unwanted: HashMap::new(),
            waiting: HashMap::new(),
            next_connection: NO_CONNECTION + 1,
            at_once: Limits::default().at_once,
            looks: Vec::new(),
            doctor: Doctor::default(),
            met: HashMap::new(),
            waits: HashMap::new(),
            turned_away: TurnedAway::default(),
            progress_every: PROGRESS_EVERY,
            nearby: Neighbourhood::default(),
            talks: Talks::default(),
            told_clients: Vec::new(),
            clients_changed: false,
            clients_pace: TellingPace::default(),
            wire: Watch::default(),
        }
    }

    /// Runs until [`Input::Quit`], then ends every connection and waits for its threads.
    pub fn run(mut self, inputs: &Receiver<Input>) {
        self.tell_kept();
        if self.stash_is_there {
            self.chores.sweep_stash(self.shared.pasted.clone());
        }
        if !self.shared.known.all().is_empty() {
            self.tell_devices();
        }
        if !self.shared.recent.all().is_empty() {
            self.tell_recent();
        }
        let earlier = self.shared.conversations.take_earlier();
        if !earlier.is_empty() {
            self.events.say(Event::Conversations(earlier));
        }
        loop {
            let input = match self.next_wake() {
                None => inputs
                    .recv()
                    .map_err(|_gone| RecvTimeoutError::Disconnected),
                Some(wait) => inputs.recv_timeout(wait),
            };
            self.look_for_sleep();
            match input {
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                // What has come by now as well: the rest is seen to once for all of it.
                Ok(first) => {
                    let more = std::iter::from_fn(|| inputs.try_recv().ok());
                    if self.handle_all(std::iter::once(first).chain(more.take(TOGETHER))) {
                        break;
                    }
                }
            }
            self.give_turns();
            self.keep_awake();
            self.tell_progress();
            self.renew_code();
            self.end_idle();
            self.turned_away.let_go();
            self.tend_nearby();
            self.show_presence();
            self.tend_talks();
            self.tell_wire();
            if self.next_clients() == Some(Duration::ZERO) {
                self.clients_changed = false;
                self.clients_pace.told(Instant::now());
                self.tell_clients();
            }
        }
        self.end(inputs);
    }

    /// Whether it is over.
    fn handle_all(&mut self, inputs: impl Iterator<Item = Input>) -> bool {
        for input in inputs {
            if matches!(input, Input::Quit) {
                return true;
            }
            self.handle(input);
        }
        false
    }

    fn handle(&mut self, input: Input) {
        match input {
            Input::Command(command) => self.command(command),
            Input::Accepted(socket, addr, _place) => self.accepted(socket, addr),
            // They hold descriptors for no more than that somebody hears of it later.
            Input::NotAccepted => self.turned_away.clear(),
            // It was for calls alone.
            Input::ListenerEnded(_) if self.server.is_none() => self.nearby.stop_listening(),
            Input::ListenerEnded(error) => {
                self.server = None;
                lock(&self.shared.gate).close();
                self.events.say(Event::ListenFailed(ListenError::Other {
                    detail: error.to_string(),
                }));
            }
            Input::Note(connection, note) => self.note(connection, note),
            Input::KeptAwake(kept) => {
                if std::mem::replace(&mut self.kept_awake, kept) != kept {
                    self.events.say(Event::KeptAwake(kept));
                }
            }
            Input::Heard(heard) => self.heard(heard),
            Input::Waiting(all) => self.wait_on(all),
            Input::Looked(looked) => self.events.say(Event::Looked(looked)),
            Input::Diagnosis(run, diagnosis) => self.diagnosed(run, diagnosis),
            Input::FirewallChecked(run, findings) => self.firewall_checked(run, findings),
            Input::Measured(measured) => self.events.say(Event::Measured(measured)),
            Input::Room { folder, free_bytes } => {
                self.events.say(Event::Room { folder, free_bytes });
            }
            Input::ListSaved { path, problem } => {
                self.events.say(Event::ListSaved { path, problem });
            }
            Input::Stashed(id, stored) => self.events.say(Event::Stashed(id, stored)),
            Input::CommandFailed { path, problem } => {
                self.events.say(Event::CommandFailed { path, problem });
            }
            Input::Quit => {}
            #[cfg(test)]
            Input::Defect => panic!("planted"),
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Listen(options) => self.listen(options),
            Command::StopListening(mode) => self.stop_listening(mode),
            Command::NewCode => {
                let now = Instant::now();
                let mut gate = lock(&self.shared.gate);
                if gate.code().is_some() {
                    gate.open_with_code(new_code(), now, true);
                }
                drop(gate);
                self.tell_code();
            }
            Command::SetAllow(allow) => {
                lock(&self.shared.gate).set_allow(allow);
                self.tell_code();
                self.answer_calls();
            }
            Command::LookAt(at) => self.look_at(at),
            Command::Confirm(transfer, same) => self.confirm(transfer, same),
            Command::Remember(device) => self.remember(device),
            Command::ForgetDevice(device) => self.forget_device(device),
            Command::Block(device) => self.block(device),
            Command::LabelDevice(device, label) => {
                if self.shared.known.label(device, label) {
                    self.tell_devices();
                }
            }
            Command::SetRule(device, rule) => {
                self.set_rule(device, rule);
            }
            Command::SetName(name) => *lock(&self.shared.name) = name,
            Command::SetSaveFolder(folder) => self.set_save_folder(folder),
            Command::SetOnConflict(rule) => *lock(&self.shared.on_conflict) = rule,
            Command::Send(request) => self.send_or_go_on(request),
            Command::TakeUpWaiting => self.take_up_waiting(),
            Command::LookInto(transfer, folder) => self.look_into(transfer, folder),
            Command::Answer(transfer, answer) => self.answer(transfer, answer),
            Command::Unwatched => self.progress_every = UNWATCHED_EVERY,
            Command::SetLimits(limits) => {
                self.shared.throttle.set(limits.bytes_per_second);
                self.at_once = limits.at_once.max(1);
            }
            Command::LimitSpeed(transfer, limit) => self.limit_speed(transfer, limit),
            Command::Cancel(transfer) => self.cancel(transfer),
            Command::Pause(transfer) => self.pause(transfer, true),
            Command::Resume(transfer) => self.resume(transfer),
            Command::MoveTo(transfer, folder) => self.move_to(transfer, folder),
            Command::GiveUp(transfer) => self.give_up(transfer),
            Command::Forget(transfer) => self.forget(transfer),
            Command::SetPresence(presence) => self.set_presence(presence),
            Command::ForgetRecent(address) => self.forget_recent(&address),
            Command::LetConnect(device, yes) => self.let_connect(device, yes),
            Command::Talk(request) => self.talk(request),
            Command::Say { to, id, text } => self.say(to, id, text),
            Command::TakeBack(device, message) => self.take_back(device, message),
            Command::AnswerText(device, yes) => self.answer_text(device, yes),
            Command::ClearConversation(device) => self.clear_conversation(device),
            Command::KeepConversations(keep) => self.keep_conversations(keep),
            Command::OnlySay => self.only_say(),
            Command::Diagnose { of, usual_port } => self.diagnose(of, usual_port),
            Command::CheckFirewall => self.check_firewall(),
            Command::WatchWire(on) => self.watch_wire(on),
            Command::Measure(path) => self.chores.measure(path),
            Command::MeasureRoom(folder) => self.chores.measure_room(folder),
            Command::SaveList { path, lines } => self.chores.save_list(path, lines),
            Command::Stash { id, name, bytes } => {
                let folder = self.shared.pasted.clone();
                self.chores.stash(folder, id, name, bytes);
            }
            Command::Open(path) => self.chores.open(path),
            Command::Reveal(path) => self.chores.reveal(path),
        }
    }

    fn note(&mut self, connection: ConnectionId, note: Note) {
        match note {
            Note::CodeTried => self.tell_code(),
            Note::WrongSecret { from, tries_left } => {
                self.events.say(Event::WrongSecret { from, tries_left });
                self.tell_code();
            }
            Note::MustWait(from) => self.must_wait(from),
            Note::Verified(peer) => self.verified(connection, peer),
            Note::Attached(peer) => self.attached(connection, peer),
            Note::Symbols(symbols) => {
                self.state(connection, TransferState::Confirming);
                if let Some(transfer) = self.transfer_of(connection) {
                    self.events.say(Event::Symbols(transfer, symbols));
                }
            }
            Note::Wish(peer) => self.wished(connection, peer),
            Note::Paired(peer) => self.paired(connection, peer),
            Note::Calls(device, nonce, announced) => self.call(device, nonce, announced),
            Note::CallAnswered(nonce) => self.call_answered(nonce),
            Note::CallOver(nonce) => self.call_over(&nonce),
            Note::RecentChanged => self.tell_recent(),
            Note::KnownChanged => {
                self.part_with_who_is_gone();
                self.tell_devices();
            }
            Note::State(state) => self.state(connection, state),
            Note::Offered(transfer, session) => self.offered(connection, transfer, session),
            Note::Counted(counted) => self.counted(connection, counted),
            Note::Surveyed(surveyed) => self.surveyed(connection, surveyed),
            Note::Withdrawn(status, failure) => match self.transfer_of(connection) {
                // The yes was on its way to the session.
                Some(transfer) if status == Status::Interrupted && self.can_go_on(transfer) => {
                    self.interrupted(transfer);
                }
                Some(transfer) => self.ended(transfer, status, failure),
                None => self.withdrawn(connection, status, failure),
            },
            Note::Placed => {
                if let Some(transfer) = self.transfer_of(connection) {
                    self.shared
                        .ledger
                        .update(transfer, |kept| kept.placed = true);
                }
            }
            Note::Files(files) => {
                if let Some(transfer) = self.transfer_of(connection) {
                    self.events.say(Event::Files(transfer, files));
                }
            }
            Note::Quiet(seconds) => {
                self.quiet(connection, seconds);
                if let Some(transfer) = self.transfer_of(connection) {
                    self.events.say(Event::Quiet { transfer, seconds });
                }
            }
            Note::Ended(status, failure) => {
                if let Some(transfer) = self.transfer_of(connection) {
                    if matches!(status, Status::Arrived | Status::Problems) {
                        self.settling.insert(connection, transfer);
                    }
                    if status == Status::Interrupted && self.can_go_on(transfer) {
                        self.interrupted(transfer);
                    } else {
                        self.ended(transfer, status, failure);
                    }
                }
            }
            Note::Safe { delivered } => {
                if let Some(transfer) = self.settling.remove(&connection) {
                    self.events.say(Event::Safe(transfer));
                    if delivered {
                        self.shared.ledger.settle(transfer);
                    }
                } else if let Some(transfer) = self.unsaid.remove(&connection)
                    && delivered
                {
                    self.shared.ledger.forget(transfer);
                }
            }
            Note::Offers(peer, key, written) => {
                if let Some(id) = self.transfer_of(connection)
                    && let Some(running) = self.transfers.get(&id)
                {
                    let kept = Kept {
                        unanswered: true,
                        ..running.kept(peer, key)
                    };
                    self.shared.ledger.keep_first(kept, move || {
                        let _ = written.send(());
                    });
                }
            }
            Note::CanGoOn(peer, key) => {
                if let Some(id) = self.transfer_of(connection)
                    && let Some(running) = self.transfers.get(&id)
                {
                    self.shared.ledger.keep(running.kept(peer, key));
                    self.shared.ledger.waits_no_longer(id);
                    self.anew.remove(&id);
                }
            }
            Note::Waits(waiting, written) => self.keep_waiting(connection, *waiting, written),
            Note::Written(written) => self.shared.ledger.after_all(move || {
                let _ = written.send(());
            }),
            Note::PicksDiffer(differs) => self.picks_differ(connection, differs),
            Note::NotSafe(problem) => {
                if let Some(transfer) = self.settling.remove(&connection) {
                    self.events.say(Event::NotSafe(transfer, Some(problem)));
                }
            }
            Note::Talk(note) => self.talk_note(connection, note),
            Note::Closed => self.closed(connection),
        }
    }

    fn closed(&mut self, connection: ConnectionId) {
        self.talk_closed(connection);
        self.withdrawn(connection, Status::Interrupted, None);
        if let Some(transfer) = self.transfer_of(connection) {
            // Its thread said nothing before it ended: that is our own defect, or a thread that
            // could not be started.
            let failure = Failure::Internal("the connection's thread ended".into());
            self.ended(transfer, Status::Failed, Some(failure));
        }
        if let Some(transfer) = self.settling.remove(&connection) {
            self.events.say(Event::NotSafe(transfer, None));
        }
        self.unsaid.remove(&connection);
        let unwanted = self.unwanted.remove(&connection);
        let next = self.waiting.remove(&connection);
        if let Some(connection) = self.connections.remove(&connection) {
            self.clients_changed = true;
            let _ = connection.thread.join();
        }
        if let Some((folder, id)) = unwanted {
            self.chores.discard(folder, id);
        }
        if let Some((connection, id, session)) = next {
            // What the person has said of it meanwhile counts. Where they are asked its sender comes once more:
            // what it has listed by now was told to nobody.
            match self.shared.ledger.get(id) {
                Some(kept) if !kept.cancelled_here && kept.picks.is_some() => {
                    self.offered_again(connection, id, session);
                }
                Some(_) | None => session.hang_up(),
            }
        }
    }

    fn next_wake(&self) -> Option<Duration> {
        let progress = (!self.transfers.is_empty()).then_some(self.progress_every);
        let code = lock(&self.shared.gate)
            .next_change()
            .map(|at| at.saturating_duration_since(Instant::now()));
        let idle = self.idle().map(|(_, until)| {
            // A moment later, so that it is over then.
            PROGRESS_EVERY + until.saturating_duration_since(self.shared.now())
        });
        let awake = self.awake.next_look();
        let away = self.turned_away.next_wake();
        let talk = self.next_talk();
        let wire = self.next_look_at_wire();
        let nearby = self.next_nearby();
        let clients = self.next_clients();
        let next = [
            progress,
            code,
            idle.min(),
            awake,
            away,
            talk,
            wire,
            nearby,
            clients,
        ];
        next.into_iter().flatten().min()
    }

    /// When it is to be told who is connected now, if that has changed.
    fn next_clients(&self) -> Option<Duration> {
        let wait = || self.clients_pace.wait(Instant::now());
        self.clients_changed.then(wait)
    }

    /// Says goodbye to every peer, waits a moment for theirs, then cuts and joins who ends. What runs is
    /// interrupted by that: it can go on when both are back. So is an open offer: nobody has said no to it.
    fn end(mut self, inputs: &Receiver<Input>) {
        self.server = None;
        self.nearby.leave();
        for (id, transfer) in &self.transfers {
            transfer.handle.interrupt();
            self.note_in_ledger(*id, transfer, Status::Interrupted, Some(&Failure::Lost));
        }
        self.end_talks();
        for connection in self.connections.values_mut() {
            if matches!(connection.role, Role::Incoming(_)) {
                connection.hang_up();
            }
        }
        self.join_within(inputs, GOODBYE_WITHIN);
        // Whoever is left has had its time for a goodbye.
        for connection in self.connections.values() {
            connection.cut.cut();
        }
        self.join_within(inputs, CUT_WITHIN);
        // Its disk does not answer, and cannot be made to. What it has written by then is enough to go on from.
        for id in self.connections.keys() {
            tracing::warn!(connection = id, "left behind: it does not end");
        }
    }

    /// Joins the connections that end within this time.
    fn join_within(&mut self, inputs: &Receiver<Input>, within: Duration) {
        let deadline = Instant::now() + within;
        while !self.connections.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            match inputs.recv_timeout(left) {
                Ok(Input::Note(connection, Note::Closed)) => {
                    if let Some(connection) = self.connections.remove(&connection) {
                        let _ = connection.thread.join();
                    }
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
    }
}

impl Connection {
    /// Ends it: politely if it has a session, at once if not.
    fn hang_up(&mut self) {
        match &mut self.role {
            Role::Incoming(Incoming {
                session: Some(session),
                ..
            }) => session.hang_up(),
            Role::Incoming(Incoming {
                talking: Some(talking),
                ..
            }) => talking.close(),
            Role::Incoming(incoming) => {
                incoming.standing = Standing::Leaving;
                self.cut.cut();
            }
            Role::Outgoing => self.cut.cut(),
        }
    }
}
