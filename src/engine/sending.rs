//! An outgoing transfer: dial, greet, then four threads until it has ended.
//!
//! `walk` lists what was picked, `files` reads and hashes, `write` encrypts and sends, and the
//! connection's own thread reads what the receiver answers. They share the sending machine under a
//! lock that is never held while a file or a socket is touched.

mod attaching;
mod beginning;
mod choosing;
mod waiting;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::command::SendRequest;
use super::cut::Cut;
use super::failures::{ending_failure, is_absence, may_go_on};
use super::limits::CONNECTIONS_OF_TRANSFER;
use super::link::{Ending, Link, TICK};
use super::live::Live;
use super::meeting::Meeting;
use super::nearby::place;
use super::note::{Note, Notes};
use super::throttle::{Throttle, let_go};
use super::wire::{Closed, Flow, Phase, Trace, Work};
use super::{Shared, lock, shown, spawn};
use crate::channel::{Channel, ChannelError};
use crate::model::{
    DeviceId, DeviceName, EntryKind, EntryStatus, Failure, FileReport, GROUP_BYTES, Hold, Manifest,
    Modified, Party, Peer, Problem, Status, TransferId, TransferState, Trust,
};
use crate::protocol::bulk::{BatchFrame, CHUNK_BYTES, DataFrame, Groups};
use crate::protocol::message::{self, Frame};
use crate::protocol::sender::{Bulk, Sender, SenderEvent};
use crate::protocol::verification::{PairKey, SessionKey};
use crate::protocol::{Buffers, Violation};
use crate::storage::GroupedSource;
use crate::storage::small::SmallFiles;
use crate::storage::source::{Found, SourceFile, SourceTree, walk};
use attaching::{Attaching, Way};
use beginning::{Greeted, Offered};
use waiting::Picks;

/// Manifest frames that may wait to be sent before the walk pauses: 32,000 entries.
const WALK_AHEAD_FRAMES: usize = 64;
/// A slow disk's first entries are told after this long, although the frame is not full.
const TELL_ENTRIES_AFTER: Duration = Duration::from_millis(100);
/// Before the first new try after an interruption: a cable is back at once, or not soon.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// A crowd at the door has so long to make room.
const KNOCK_FOR: Duration = Duration::from_secs(10);
const KNOCK_EVERY: Duration = Duration::from_millis(250);
/// Doubled each time up to here, so that somebody who comes back is met within half a minute.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// Where its device is not heard of, but may be there all the same.
const AWAY_PAUSE: Duration = Duration::from_secs(30);
/// So old is what the disk says of when somebody last waited, at most.
#[cfg(not(test))]
const KEEPS_EVERY: Duration = Duration::from_secs(86_400);
#[cfg(test)]
const KEEPS_EVERY: Duration = Duration::ZERO;
/// Buffers in flight between reading and writing, as many as eight connections need.
const BUFFERS: usize = 20;

pub struct Sending {
    request: SendRequest,
    machine: Mutex<Sender>,
    tree: Mutex<SourceTree>,
    /// Rung whenever the machine may have something new to do.
    changed: Condvar,
    hashes: Mutex<HashMap<u32, [u8; 32]>>,
    /// Files of which the receiver has a beginning.
    mended: Mutex<HashMap<u32, Arc<GroupedSource>>>,
    compare: Mutex<Option<mpsc::Sender<Groups>>>,
    /// This run of it is over.
    stopped: AtomicBool,
    /// The person ended it, or gave up waiting.
    ended: AtomicBool,
    /// Nothing was said yet that somebody could try a guess on, so another knock costs nothing.
    knocks: AtomicBool,
    /// The person does not want to wait for the next try.
    hurry: AtomicBool,
    /// The person lets nothing out.
    paused: AtomicBool,
    /// Others to the same device go first.
    waits: AtomicBool,
    /// The limit for all transfers together.
    throttle: Arc<Throttle>,
    link: Mutex<Option<Arc<Link>>>,
    meeting: Mutex<Option<Arc<Meeting>>>,
    /// Names stay here until the person has compared the symbols.
    unconfirmed: AtomicBool,
    picks: Mutex<Picks>,
    cut: Arc<Cut>,
    /// Connections that a run may use at once; fewer after a run with several was lost.
    most_connections: AtomicUsize,
    /// Where the device was met last.
    reached: Mutex<Option<SocketAddr>>,
    /// Who accepted it. Somebody else at its address is not told of it.
    accepted_by: Mutex<Option<DeviceId>>,
    /// An earlier run offered it to that device, and nobody here has heard that it was accepted.
    unanswered: AtomicBool,
    /// Content put on the wire by earlier runs of this process.
    sent_before: AtomicU64,
    pub live: Arc<Live>,
    notes: Notes,
}

/// What an earlier run came to.
#[derive(Clone, Copy)]
pub struct Earlier {
    /// Who accepted it, or was asked to.
    pub peer: DeviceId,
    /// No answer was heard.
    pub unanswered: bool,
}

/// How a run ended, if the machine did not say it itself.
type Attempt = Result<(), (Status, Failure)>;

impl Sending {
    /// It goes on from an earlier run if there was one.
    pub fn new(
        request: SendRequest,
        earlier: Option<Earlier>,
        cut: Arc<Cut>,
        throttle: Arc<Throttle>,
        notes: Notes,
    ) -> Arc<Self> {
        Arc::new(Self {
            machine: Mutex::new(match earlier {
                Some(_) => Sender::going_on(request.transfer),
                None => Sender::new(request.transfer),
            }),
            accepted_by: Mutex::new(earlier.map(|earlier| earlier.peer)),
            unanswered: AtomicBool::new(earlier.is_some_and(|earlier| earlier.unanswered)),
            request,
            tree: Mutex::new(SourceTree::default()),
            changed: Condvar::new(),
            hashes: Mutex::new(HashMap::new()),
            mended: Mutex::new(HashMap::new()),
            compare: Mutex::new(None),
            stopped: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            knocks: AtomicBool::new(true),
            reached: Mutex::new(None),
            hurry: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            waits: AtomicBool::new(false),
            throttle,
            link: Mutex::new(None),
            meeting: Mutex::new(None),
            unconfirmed: AtomicBool::new(false),
            picks: Mutex::default(),
            cut,
            most_connections: AtomicUsize::new(CONNECTIONS_OF_TRANSFER),
            sent_before: AtomicU64::new(0),
            live: Arc::new(Live::default()),
            notes,
        })
    }

    /// A person here ends it; the other end is told. `false` if there is nothing to end any more.
    pub fn cancel(&self) -> bool {
        // Between two runs the machine of the last one is still there.
        let open = self.machine().cancel(None);
        if open {
            self.trace().because(&Failure::Cancelled(Party::Us));
            self.ended.store(true, Ordering::SeqCst);
            self.pump();
            self.stop();
            match self.link() {
                Some(link) => link.close(),
                // Nothing was offered yet, so there is nobody to tell.
                None => self.cut.cut(),
            }
        }
        open
    }

    /// Lets no content out, or lets it out again; also in runs to come.
    pub fn pause(&self, paused: bool) {
        self.paused.store(paused, Ordering::SeqCst);
        self.tell_hold();
    }

    pub fn wait_for_turn(&self, waits: bool) {
        if self.waits.swap(waits, Ordering::SeqCst) != waits {
            self.tell_hold();
        }
    }

    fn tell_hold(&self) {
        let mut machine = self.machine();
        self.apply_hold(&mut machine);
        self.changed.notify_all();
        drop(machine);
        self.pump();
    }

    fn apply_hold(&self, machine: &mut Sender) {
        let set = |flag: &AtomicBool| flag.load(Ordering::SeqCst);
        let waits = set(&self.waits).then_some(Hold::Turn);
        machine.hold(set(&self.paused).then_some(Hold::Person).or(waits));
        self.live.holds(machine.holds());
    }

    /// The person has compared the symbols, and they are the same.
    pub fn confirm(&self) {
        let _machine = self.machine();
        self.unconfirmed.store(false, Ordering::SeqCst);
        self.changed.notify_all();
    }

    /// The person wants to remember the device at the other end.
    pub fn wish(&self) {
        if let (Some(meeting), Some(link)) = (lock(&self.meeting).clone(), self.link()) {
            meeting.wish(&link.outbox);
        }
    }

    /// Where it goes, as the person wrote it; or where the device was found, if the person wrote nothing.
    pub fn address(&self) -> String {
        match self.reached() {
            Some(at) if self.request.to.is_nowhere() => shown(at),
            Some(_) | None => self.request.to.to_string(),
        }
    }

    /// Which device is meant, as far as that is known.
    pub fn device(&self) -> Option<DeviceId> {
        let chosen = self.request.device.as_ref().map(|chosen| chosen.id);
        chosen.or(*lock(&self.accepted_by))
    }

    /// Where the device was met last.
    pub fn reached(&self) -> Option<SocketAddr> {
        *lock(&self.reached)
    }

    /// The very address that the person wrote, if it is no name.
    fn typed(&self) -> Option<SocketAddr> {
        let to = &self.request.to;
        let ip = to.host.parse().ok()?;
        Some(SocketAddr::new(ip, to.port()))
    }

    /// What is remembered of where a device is: an address that was typed, or that reads well.
    fn remember_place(&self, device: DeviceId, name: &DeviceName, shared: &Shared) {
        let at = self.reached();
        let near = shared.whereabouts.of(device);
        let to = &self.request.to;
        let literal = self.typed().is_some();
        let (as_given, address) = place(to, at);
        let heard = at.is_some_and(|at| near.contains(&at));
        let before = shared.known.get(device).and_then(|known| known.address);
        let by_itself = heard || before == address;
        if shared.known.met(device, name, address) {
            self.notes.send(Note::KnownChanged);
        }
        if as_given && !(by_itself && literal) {
            shared.recent.reached(to, device, name);
            shared.recent.save();
            self.notes.send(Note::RecentChanged);
        }
    }

    /// Ends this run politely and makes no other; the transfer can go on in another process.
    pub fn interrupt(&self) {
        self.give_up();
        self.stop();
        match self.link() {
            Some(link) => link.close(),
            None => self.cut.cut(),
        }
    }

    /// No further run is made; what was interrupted stays so.
    fn give_up(&self) {
        let _machine = self.machine();
        self.ended.store(true, Ordering::SeqCst);
        self.changed.notify_all();
    }

    /// Tries again at once, if it waits for the next try.
    pub fn hurry(&self) {
        let _machine = self.machine();
        self.hurry.store(true, Ordering::SeqCst);
        self.changed.notify_all();
    }

    /// The transfer's thread: one run after the other until it is over.
    pub fn run(self: &Arc<Self>, key: Option<SessionKey>, shared: &Shared) {
        let mut key = key;
        let mut pause = FIRST_PAUSE;
        let mut begun = Instant::now();
        let mut kept: Option<SystemTime> = None;
        loop {
            // Looks at the disk, so not before there is a thread for it.
            self.look_at_picks();
            *lock(&self.tree) = SourceTree::new(self.request.sources.clone());
            let moved_before = self.live.sent_bytes.get();
            let Err((status, failure)) = self.attempt(&mut key, shared) else {
                return;
            };
            tracing::info!(transfer = %self.request.transfer, ?status, failure = failure.code(), "a run ended");
            let over = self.ended.load(Ordering::SeqCst);
            // As long as nobody has said yes, it fails like an offer that was never made.
            let accepted = key.is_some() && !self.unanswered.load(Ordering::SeqCst);
            // Dropped before it was let in: others were in the way.
            let dropped = status == Status::Failed
                && matches!(failure, Failure::Busy | Failure::Lost)
                && self.knocks.load(Ordering::SeqCst)
                && !accepted;
            let again = |pause| {
                let retry = Phase::Retry(failure.clone());
                self.trace().phase(retry, Some(Instant::now() + pause));
                self.rest(pause)
            };
            if dropped && !over && begun.elapsed() < KNOCK_FOR && again(KNOCK_EVERY) {
                self.begin_again(key.is_some());
                continue;
            }
            let waits = self.request.wait_for_it
                && !accepted
                && self.device().is_some()
                && is_absence(&failure);
            if waits && !over {
                // By the clock of the day, which goes on while the computer sleeps.
                let age = kept.and_then(|kept| kept.elapsed().ok());
                if age.is_none_or(|age| age >= KEEPS_EVERY) {
                    if !self.keep_waiting() {
                        return;
                    }
                    kept = Some(SystemTime::now());
                }
                self.notes.send(Note::State(TransferState::Away));
                if !self.rest(AWAY_PAUSE) {
                    return;
                }
                // Whoever appears may have a crowd at its door.
                begun = Instant::now();
                self.begin_again(key.is_some());
                continue;
            }
            if !accepted || over || !may_go_on(&failure) {
                self.trace().close(Closed::Failed(failure.clone()));
                if !over {
                    self.notes.send(Note::Ended(status, Some(failure)));
                }
                return;
            }
            if self.live.sent_bytes.get() > moved_before {
                pause = FIRST_PAUSE;
            }
            self.notes.send(Note::State(TransferState::Interrupted));
            if !again(pause) {
                return;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
            self.begin_again(true);
        }
    }

    /// Waits for the next try; `false` if there is none.
    fn rest(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        let mut machine = self.machine();
        loop {
            if self.ended.load(Ordering::SeqCst) {
                return false;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.hurry.swap(false, Ordering::SeqCst) {
                return true;
            }
            let waited = self.changed.wait_timeout(machine, left);
            machine = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Everything as before the first run, but for what counts across runs.
    fn begin_again(&self, goes_on: bool) {
        let mut machine = self.machine();
        *machine = match goes_on {
            true => Sender::going_on(self.request.transfer),
            false => Sender::new(self.request.transfer),
        };
        self.apply_hold(&mut machine);
        let sent = self.live.sent_bytes.get();
        self.sent_before.store(sent, Ordering::SeqCst);
        self.live.failed.set(0);
        self.live.can_pass.set(0);
        self.live.skipped.set(0);
        self.live.checked_bytes.set(0);
        self.live.check_bytes.set(0);
        *lock(&self.link) = None;
        *lock(&self.meeting) = None;
        lock(&self.hashes).clear();
        lock(&self.mended).clear();
        // A cancel that came just now keeps it stopped.
        self.stopped
            .store(self.ended.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    fn attempt(self: &Arc<Self>, key: &mut Option<SessionKey>, shared: &Shared) -> Attempt {
        let failed = |failure| (Status::Failed, failure);
        let Some(met) = self.meet(key.as_ref(), shared) else {
            return Ok(());
        };
        let Greeted {
            channel,
            met,
            address,
            path,
        } = met.map_err(failed)?;
        if key.is_none() && self.nothing_is_left() {
            return Err(failed(Failure::NothingToSend));
        }
        let ours = shared.identity.device_id();
        let device = channel.peer;
        let fresh =
            SessionKey::derive(&channel.session_secret, ours, device, self.request.transfer);
        let peer = Peer {
            name: met.name,
            device_id: Some(device),
            address,
            trust: met.trust,
        };
        self.remember_place(device, &peer.name, shared);
        let meeting = Meeting::new(
            peer.clone(),
            self.request.remember,
            PairKey::derive(&channel.session_secret, ours, device),
            shared.known.clone(),
            self.notes.clone(),
        );
        *lock(&self.meeting) = Some(Arc::new(meeting));
        self.notes.send(Note::Verified(peer));
        let going_on = key.is_some();
        self.unconfirmed
            .store(met.symbols.is_some(), Ordering::SeqCst);
        let waits = match met.symbols {
            Some(_) => Phase::Comparing,
            None if going_on => Phase::Checking,
            None => Phase::PersonThere,
        };
        self.trace().phase(waits, None);
        self.notes.send(match met.symbols {
            Some(symbols) => Note::Symbols(symbols),
            None if going_on => Note::State(TransferState::Checking),
            None => Note::State(TransferState::Waiting),
        });
        let accepted = AtomicBool::new(false);
        let session = key.clone().unwrap_or(fresh);
        let offered = Offered {
            to: (!going_on).then(|| (device, session.clone())),
            asked: met.symbols.is_some(),
        };
        let way = path.map(|path| Way {
            path,
            device,
            key: session.clone(),
            shared,
        });
        let result = self.transfer(channel, &accepted, offered, way, || {
            *lock(&self.accepted_by) = Some(device);
            let unheard_before = self.unanswered.swap(false, Ordering::SeqCst);
            if !going_on || unheard_before {
                self.notes.send(Note::CanGoOn(device, session.clone()));
            }
        });
        if accepted.load(Ordering::SeqCst) {
            *key = Some(session);
        }
        result
    }

    /// Everything after verification.
    fn transfer(
        self: &Arc<Self>,
        mut channel: Channel,
        accepted: &AtomicBool,
        offered: Offered,
        way: Option<Way>,
        on_accept: impl Fn(),
    ) -> Attempt {
        let internal = |error: ChannelError| {
            let failure = Failure::Internal(error.to_string());
            (Status::Failed, failure)
        };
        let link = Arc::new(Link::new(
            channel.shutdown_handle().map_err(internal)?,
            self.trace().clone(),
        ));
        let outbox = link.clone();
        channel
            .established(TICK, move || outbox.outbox.flush())
            .map_err(internal)?;
        let Channel { reader, writer, .. } = channel;
        *lock(&self.link) = Some(link.clone());
        if !offered.asked {
            self.write_down(&offered);
        }
        self.pump();
        if let Some(meeting) = &*lock(&self.meeting) {
            meeting.begin(&link.outbox);
        }
        if self.stopped() {
            // Cancelled while the greeting ran: the offer was never made.
            link.close();
        }
        let buffers = Buffers::new(BUFFERS);
        let reported = AtomicBool::new(false);
        let attaching = way.map(|way| Attaching::new(self, way, &link, &buffers, &reported));
        let (compare, to_compare) = mpsc::channel();
        *lock(&self.compare) = Some(compare);
        let ending = thread::scope(|scope| {
            let threads = [
                spawn(scope, "write", &link, || {
                    link.write_frames(writer, &buffers)
                }),
                spawn(scope, "walk", &link, || self.walk(&offered)),
                spawn(scope, "check", &link, move || self.compare(&to_compare)),
                spawn(scope, "files", &link, || self.send_files(&link, &buffers)),
            ];
            if let Some(attaching) = &attaching {
                attaching.start(scope);
            }
            let started = threads.iter().all(Result::is_ok);
            let ending = if started {
                link.read_frames(
                    reader,
                    Buffers::new(1),
                    |frame| self.handle(frame, &link, &reported, accepted, &on_accept),
                    |seconds| self.notes.send(Note::Quiet(seconds)),
                )
            } else {
                Ending::Lost
            };
            self.stop();
            *lock(&self.compare) = None;
            if let Some(attaching) = &attaching {
                attaching.end();
            }
            link.outbox.abort();
            link.shutdown.shutdown();
            ending
        });
        if reported.load(Ordering::Relaxed) || self.machine().ended() {
            return Ok(());
        }
        if let Some(attaching) = &attaching {
            // Perhaps the path does not bear so many.
            let had = attaching.connections();
            if had > 1 {
                self.most_connections.store(had / 2, Ordering::SeqCst);
            }
        }
        Err(ending_failure(ending))
    }

    pub fn unconfirmed(&self) -> bool {
        self.unconfirmed.load(Ordering::SeqCst)
    }

    /// One frame from the receiver.
    fn handle(
        &self,
        frame: Frame,
        link: &Link,
        reported: &AtomicBool,
        accepted: &AtomicBool,
        on_accept: &impl Fn(),
    ) -> Result<(), Violation> {
        if frame == Frame::Remember {
            if let Some(meeting) = &*lock(&self.meeting) {
                meeting.hear(&link.outbox);
            }
            return Ok(());
        }
        let mut machine = self.machine();
        machine.handle_frame(frame)?;
        self.live.held_bytes.set(machine.held_bytes());
        self.live.settled.set(machine.settled() as u64);
        self.live.holds(machine.holds());
        self.live.total_bytes.set(machine.wanted_bytes());
        let mut events = Vec::new();
        while let Some(event) = machine.poll_event() {
            events.push(event);
        }
        drop(machine);
        for event in events {
            match event {
                SenderEvent::Accepted => {
                    if self.unconfirmed() {
                        return Err(Violation::Malformed("accepted before anything was listed"));
                    }
                    if let Some(meeting) = &*lock(&self.meeting)
                        && meeting.peer().trust == Trust::Asked
                    {
                        // Two yeses.
                        let peer = meeting.confirmed(&link.outbox);
                        self.notes.send(Note::Verified(peer));
                    }
                    accepted.store(true, Ordering::SeqCst);
                    on_accept();
                    self.trace().phase(Phase::Sending(Flow::Moves), None);
                    self.notes.send(Note::State(TransferState::Running));
                }
                SenderEvent::Kept(check_bytes) => {
                    self.live.check_bytes.add(check_bytes);
                }
                SenderEvent::Groups(groups) => {
                    if let Some(compare) = &*lock(&self.compare) {
                        let _ = compare.send(groups);
                    }
                }
                SenderEvent::Settled(status) => self.report(&status),
                SenderEvent::Declined => {
                    self.end(link, reported, Status::Declined, Some(Failure::Declined))
                }
                SenderEvent::Cancelled(None) => {
                    let by = Party::Peer;
                    let failure = Some(Failure::Cancelled(by));
                    self.end(link, reported, Status::Cancelled(by), failure);
                }
                SenderEvent::Cancelled(Some(problem)) if reported.load(Ordering::Relaxed) => {
                    self.notes.send(Note::NotSafe(problem));
                    link.close();
                }
                SenderEvent::Cancelled(Some(problem)) => {
                    let failure = Some(Failure::PeerDisk(problem));
                    self.end(link, reported, Status::Failed, failure);
                }
                SenderEvent::Received(received) => {
                    self.live.arrived_bytes.set(received.bytes);
                    self.live.failed.set(received.failed);
                    self.live.skipped.set(received.skipped);
                    reported.store(true, Ordering::Relaxed);
                    self.trace().phase(Phase::Safe, None);
                    let status = if received.failed == 0 {
                        Status::Arrived
                    } else {
                        Status::Problems
                    };
                    self.notes.send(Note::Ended(status, None));
                }
                SenderEvent::Safe => {
                    self.settle_before_goodbye();
                    self.notes.send(Note::Safe { delivered: true });
                    link.close();
                }
            }
        }
        self.pump();
        self.changed.notify_all();
        Ok(())
    }

    fn end(&self, link: &Link, reported: &AtomicBool, status: Status, failure: Option<Failure>) {
        reported.store(true, Ordering::Relaxed);
        if let Some(why) = &failure {
            self.trace().because(why);
        }
        self.notes.send(Note::Ended(status, failure));
        link.close();
    }

    /// Turns the receiver's statuses into lines of the detailed list.
    fn report(&self, status: &message::Status) {
        let tree = lock(&self.tree);
        let mut hashes = lock(&self.hashes);
        let mut reports = Vec::new();
        let mut add = |number: u32, status: EntryStatus| {
            let Some(entry) = tree.manifest().get(number) else {
                return;
            };
            let hash = hashes.remove(&number);
            let failed = matches!(status, EntryStatus::Failed(_));
            if failed || entry.kind != EntryKind::Folder {
                reports.push(FileReport {
                    path: tree.manifest().display_path(number),
                    len_bytes: entry.len_bytes(),
                    blake3: hash.filter(|_| !failed && status != EntryStatus::Skipped),
                    status,
                });
            }
        };
        for &(first, last) in &status.arrived {
            (first..=last).for_each(|number| add(number, EntryStatus::Arrived));
        }
        for &(first, last) in &status.already_there {
            (first..=last).for_each(|number| add(number, EntryStatus::AlreadyThere));
        }
        for &(first, last) in &status.skipped {
            (first..=last).for_each(|number| add(number, EntryStatus::Skipped));
        }
        for failed in &status.failed {
            self.live.failed.add(1);
            let problem = Problem::from(&failed.problem);
            self.live.can_pass.add(u64::from(problem.can_pass()));
            add(failed.entry, EntryStatus::Failed(problem));
        }
        drop((tree, hashes));
        // Of those that were settled before they were sent, no more is read.
        let machine = self.machine();
        lock(&self.mended).retain(|entry, _source| machine.is_wanted(*entry));
        drop(machine);
        if !reports.is_empty() {
            self.notes.send(Note::Files(reports));
        }
    }

    /// The `walk` thread: lists entries as they are found.
    fn walk(&self, offered: &Offered) {
        let asked = offered.asked;
        if asked {
            let mut machine = self.machine();
            while self.unconfirmed() && !self.stopped() {
                machine = self.wait(machine);
            }
            drop(machine);
            if self.stopped() {
                return;
            }
            self.write_down(offered);
            self.trace().phase(Phase::PersonThere, None);
            self.notes.send(Note::State(TransferState::Waiting));
        }
        walk(&self.request.sources, &mut |found: Found| {
            let problem = found.problem.clone();
            let entry = found.entry.clone();
            let mut tree = lock(&self.tree);
            let added = tree.add(found);
            let listed = (tree.manifest().len(), tree.manifest().name_bytes());
            drop(tree);
            if let Err(error) = added {
                self.end_with(Problem::other(&error.to_string()));
                return ControlFlow::Break(());
            }
            let mut machine = self.machine();
            // Strangers get no more memory than this, so the rest follows their yes.
            let much = listed.0 > Manifest::UNVERIFIED_ENTRIES
                || listed.1 > Manifest::UNVERIFIED_NAME_BYTES;
            while asked && much && !machine.accepted() && !self.stopped() {
                machine = self.wait(machine);
            }
            let (waiting, unsaid) = (machine.backlog(), machine.has_unsaid_entries());
            machine.list(&entry, problem.as_ref());
            self.live.entries.set(machine.entries() as u64);
            self.live.total_bytes.set(machine.wanted_bytes());
            // The first entry of a frame starts the time after which the frame goes out as it is; those
            // behind it wake nobody.
            if machine.backlog() > waiting || !unsaid {
                self.changed.notify_all();
            }
            while machine.backlog() > WALK_AHEAD_FRAMES && !self.stopped() {
                machine = self.wait(machine);
            }
            if self.stopped() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        if !self.stopped() {
            self.machine().listed_all();
            self.changed.notify_all();
        }
    }

    /// Something here makes going on impossible.
    fn end_with(&self, problem: Problem) {
        self.machine().cancel(Some(&problem));
        self.pump();
        let failure = Failure::Internal(problem.to_string());
        self.notes.send(Note::Ended(Status::Failed, Some(failure)));
        self.stop();
        if let Some(link) = self.link() {
            link.close();
        }
    }

    /// The `check` thread: compares what the receiver has kept with the source.
    fn compare(&self, groups: &mpsc::Receiver<Groups>) {
        for told in groups {
            if self.stopped() {
                return;
            }
            let count = told.hashes.len() as u32;
            let compared = self
                .grouped(told.entry)
                .and_then(|source| source.compare(told.first, &told.hashes));
            self.live.checked_bytes.add(u64::from(count) * GROUP_BYTES);
            match compared {
                Ok(different) => self.machine().compared(told.entry, count, &different),
                // The `files` thread comes upon the same and says it.
                Err(problem) => {
                    tracing::info!(%problem, "a kept file cannot be compared");
                    let all: Vec<_> = (told.first..told.first + count).collect();
                    self.machine().compared(told.entry, count, &all);
                }
            }
            self.changed.notify_all();
        }
    }

    /// The source of a file that the receiver has a beginning of.
    fn grouped(&self, entry: u32) -> Result<Arc<GroupedSource>, Problem> {
        if let Some(known) = lock(&self.mended).get(&entry) {
            return Ok(known.clone());
        }
        let (path, len, modified) = self.place(entry)?;
        let opened = Arc::new(GroupedSource::open(&path, len, modified)?);
        let mut mended = lock(&self.mended);
        // The other thread may have been quicker.
        Ok(mended.entry(entry).or_insert(opened).clone())
    }

    /// The `files` thread: does what the machine asks for, in order.
    fn send_files(&self, link: &Link, buffers: &Buffers) {
        let mut open: Option<SourceFile> = None;
        while let Some(work) = self.next_work() {
            self.trace().work(Work::Limit);
            if !self.let_go(&work) {
                return;
            }
            self.trace().work(Work::Source);
            let frame = match work {
                Bulk::Frame(frame) => Some(frame),
                Bulk::Chunk { entry, offset, len } => {
                    self.read_chunk(&mut open, entry, offset, len, buffers)
                }
                Bulk::End { entry } if self.machine().is_mending(entry) => {
                    let result = self.grouped(entry).and_then(|source| source.finish());
                    lock(&self.mended).remove(&entry);
                    self.file_ended(entry, result);
                    None
                }
                Bulk::End { entry } => {
                    let result = match open.take() {
                        Some(file) => file.finish(),
                        None => Err(Problem::Vanished),
                    };
                    self.file_ended(entry, result);
                    None
                }
                Bulk::Batch(items) => self.read_batch(&items, buffers),
                Bulk::Hash {
                    entry,
                    first,
                    count,
                } => self.hash_groups(entry, first, count),
            };
            self.trace().work(Work::Room);
            let sent = frame.is_none_or(|frame| link.outbox.bulk(frame));
            if !sent {
                return;
            }
        }
    }

    /// Waits as long as the limits say; `false` if this run is over.
    fn let_go(&self, work: &Bulk) -> bool {
        let bytes = match work {
            Bulk::Chunk { len, .. } => *len as u64,
            Bulk::Batch(items) => items.iter().map(|(_, len)| u64::from(*len)).sum(),
            Bulk::Frame(_) | Bulk::End { .. } | Bulk::Hash { .. } => return true,
        };
        let_go([&self.throttle, &self.live.throttle], bytes, |rest| {
            let until = Instant::now() + rest;
            let mut machine = self.machine();
            while !self.stopped() {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return true;
                }
                let waited = self.changed.wait_timeout(machine, left);
                machine = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            false
        })
    }

    fn next_work(&self) -> Option<Bulk> {
        let mut machine = self.machine();
        loop {
            if self.stopped() {
                return None;
            }
            if let Some(work) = machine.poll_bulk() {
                let before = self.sent_before.load(Ordering::SeqCst);
                self.live.sent_bytes.set(before + machine.sent_bytes());
                let finishing = machine.finishing();
                drop(machine);
                // The walk may be waiting for room.
                self.changed.notify_all();
                if finishing {
                    self.trace().phase(Phase::Finishing, None);
                    self.notes.send(Note::State(TransferState::Finishing));
                }
                return Some(work);
            }
            let lacks = machine.lacks_credit();
            self.trace()
                .work(if lacks { Work::Credit } else { Work::Nothing });
            machine = self.wait_or_flush(machine);
        }
    }

    /// Waits; and what the walk has found for a while goes out, although a frame is not full yet.
    fn wait_or_flush<'a>(&self, machine: MutexGuard<'a, Sender>) -> MutexGuard<'a, Sender> {
        if !machine.has_unsaid_entries() {
            return self.wait(machine);
        }
        let waited = self.changed.wait_timeout(machine, TELL_ENTRIES_AFTER);
        let (mut machine, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            machine.flush_part();
        }
        machine
    }

    fn read_chunk(
        &self,
        open: &mut Option<SourceFile>,
        entry: u32,
        offset: u64,
        len: usize,
        buffers: &Buffers,
    ) -> Option<Vec<u8>> {
        let mut frame = DataFrame::new(buffers.take_used(), len);
        let machine = self.machine();
        let (mending, wanted) = (machine.is_mending(entry), machine.is_wanted(entry));
        drop(machine);
        let mut read = || {
            if !wanted {
                // Settled since it was planned; the reason is told to nobody.
                return Err(Problem::Vanished);
            }
            if mending {
                return self.grouped(entry)?.read(offset, frame.content());
            }
            if offset == 0 {
                *open = Some(self.open(entry)?);
            }
            let file = open.as_mut().ok_or(Problem::Vanished)?;
            file.read_exact(frame.content())
        };
        match read() {
            Ok(()) => Some(frame.seal(entry, offset)),
            Err(problem) => {
                if !mending {
                    *open = None;
                }
                self.file_ended(entry, Err(problem));
                None
            }
        }
    }

    /// What the receiver asked for to compare it with what it has.
    fn hash_groups(&self, entry: u32, first: u32, count: u32) -> Option<Vec<u8>> {
        let hashed = self
            .grouped(entry)
            .and_then(|source| source.hash(first, count));
        self.live.checked_bytes.add(u64::from(count) * GROUP_BYTES);
        match hashed {
            Ok(hashes) => {
                self.hashed(entry);
                let groups = Groups {
                    entry,
                    first,
                    hashes,
                };
                Some(Frame::Hashes(groups).encode())
            }
            Err(problem) => {
                lock(&self.mended).remove(&entry);
                self.machine().not_hashed(count);
                self.file_ended(entry, Err(problem));
                None
            }
        }
    }

    /// If all of a file is hashed, that is its hash, as long as nothing else is said.
    fn hashed(&self, entry: u32) {
        let mut mended = lock(&self.mended);
        if let Some(source) = mended.get(&entry) {
            if let Some(hash) = source.whole() {
                lock(&self.hashes).insert(entry, hash);
            }
            if source.is_single() {
                mended.remove(&entry);
            }
        }
    }

    fn read_batch(&self, items: &[(u32, u32)], buffers: &Buffers) -> Option<Vec<u8>> {
        let mut frame = BatchFrame::new(buffers.take(CHUNK_BYTES + 64));
        let mut files = SmallFiles::default();
        let mut hashes = Vec::with_capacity(items.len());
        for &(entry, len) in items {
            if self.stopped() {
                return None;
            }
            let added = frame.add(entry, len, |content| {
                let located = files.locate(&lock(&self.tree), entry);
                let hash = files.read(located.ok_or(Problem::Vanished)?, content)?;
                hashes.push((entry, hash));
                Ok(hash)
            });
            if let Err(problem) = added {
                self.machine().batch_file_failed(entry, &problem);
            }
        }
        lock(&self.hashes).extend(hashes);
        (!frame.is_empty()).then(|| frame.seal())
    }

    fn open(&self, entry: u32) -> Result<SourceFile, Problem> {
        let (path, len, modified) = self.place(entry)?;
        SourceFile::open(&path, len, modified)
    }

    /// Where an entry is, and what was announced of it.
    fn place(&self, entry: u32) -> Result<(PathBuf, u64, Option<Modified>), Problem> {
        let tree = lock(&self.tree);
        let path = tree.path(entry).ok_or(Problem::Vanished)?;
        let (len, modified) = tree
            .manifest()
            .get(entry)
            .map(|entry| (entry.len_bytes(), entry.modified))
            .ok_or(Problem::Vanished)?;
        Ok((path, len, modified))
    }

    fn file_ended(&self, entry: u32, result: Result<[u8; 32], Problem>) {
        if let Ok(hash) = result {
            lock(&self.hashes).insert(entry, hash);
        }
        self.machine().file_ended(entry, result);
    }

    /// Moves what the machine has for the fast lane to the writer, if there is one yet.
    fn pump(&self) {
        let Some(link) = self.link() else { return };
        let mut machine = self.machine();
        while let Some(frame) = machine.poll_control() {
            link.outbox.control(frame);
        }
    }

    fn trace(&self) -> &Trace {
        &self.notes.trace
    }

    fn link(&self) -> Option<Arc<Link>> {
        lock(&self.link).clone()
    }

    fn stop(&self) {
        // Under the lock, so that no thread can miss it between its look and its wait.
        let _machine = self.machine();
        self.stopped.store(true, Ordering::SeqCst);
        self.changed.notify_all();
    }

    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    fn machine(&self) -> MutexGuard<'_, Sender> {
        lock(&self.machine)
    }

    fn wait<'a>(&self, machine: MutexGuard<'a, Sender>) -> MutexGuard<'a, Sender> {
        self.changed
            .wait(machine)
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A fresh random id.
pub fn new_transfer_id() -> TransferId {
    use rand_core::RngCore as _;
    let mut bytes = [0; 16];
    super::greeting::SystemRandom.fill_bytes(&mut bytes);
    TransferId(bytes)
}
