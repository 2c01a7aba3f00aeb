//! An outgoing transfer: dial, greet, then four threads until it has ended.
//!
//! `walk` lists what was picked, `files` reads and hashes, `write` encrypts and sends, and the
//! connection's own thread reads what the receiver answers. They share the sending machine under a
//! lock that is never held while a file or a socket is touched.

mod answers;
mod attaching;
mod beginning;
mod choosing;
mod listing;
mod reading;
mod retrying;
mod source;
mod waiting;

use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use super::command::SendRequest;
use super::cut::Cut;
use super::failures::ending_failure;
use super::limits::CONNECTIONS_OF_TRANSFER;
use super::link::{Ending, Link, TICK};
use super::live::Live;
use super::meeting::Meeting;
use super::nearby::place;
use super::note::{Note, Notes};
use super::throttle::Throttle;
use super::wire::{Phase, Trace};
use super::{Shared, begun, lock, shown, spawn};
use crate::channel::{Channel, ChannelError};
use crate::model::{
    DeviceId, DeviceName, Failure, Hold, Party, Peer, Status, TransferId, TransferState,
};
use crate::protocol::Buffers;
use crate::protocol::bulk::Groups;
use crate::protocol::sender::Sender;
use crate::protocol::verification::{PairKey, SessionKey};
use answers::Answers;
use attaching::{Attaching, Way};
use beginning::{Greeted, Offered};
use reading::Reading;
use source::Source;
use waiting::Picks;

/// Buffers in flight between reading and writing, as many as eight connections need.
const BUFFERS: usize = 20;

pub struct Sending {
    request: SendRequest,
    machine: Mutex<Sender>,
    source: Source,
    /// Rung whenever the machine may have something new to do.
    changed: Condvar,
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
            source: Source::default(),
            changed: Condvar::new(),
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
        let answers = Answers {
            sending: self,
            link: &link,
            reported: &reported,
            accepted,
            on_accept,
            compares: Cell::new(false),
        };
        let (compare, to_compare) = mpsc::channel();
        *lock(&self.compare) = Some(compare);
        let ending = thread::scope(|scope| {
            let threads = [
                spawn(scope, "write", &link, || {
                    link.write_frames(writer, &buffers)
                }),
                spawn(scope, "walk", &link, || self.walk(&offered)),
                spawn(scope, "files", &link, || {
                    Reading::new(self, &link, &buffers).send_files();
                }),
            ];
            if let Some(attaching) = &attaching {
                attaching.start(scope);
            }
            let started = threads.iter().all(Result::is_ok);
            let mut to_compare = Some(to_compare);
            let ending = if started {
                link.read_frames(
                    reader,
                    Buffers::new(1),
                    |frame| {
                        answers.handle(frame)?;
                        if answers.compares.get()
                            && let Some(groups) = to_compare.take()
                            && !begun(spawn(scope, "check", &link, move || self.compare(&groups)))
                        {
                            link.shutdown.shutdown();
                        }
                        Ok(())
                    },
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
