//! An incoming session: after the greeting, three threads until it has ended.
//!
//! The connection's own thread reads and checks frames, `disk` does what they ask for in order, and
//! `write` sends what both have to say. The disk's queue needs no bound of its own: the sender
//! cannot have more on its way than the credit that the disk gave back.

mod checking;
mod comparing;
mod counting;
mod disk;
mod jobs;
mod merging;
mod origin;
mod room;
mod settling;
mod turns;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, mpsc};
use std::thread;

use super::failures::ending_failure;
use super::greeting::Greeted;
use super::link::{Ending, Link};
use super::live::Live;
use super::meeting::Meeting;
use super::note::{Counted, Note, Notes};
use super::seats::Seat;
use super::throttle::Throttle;
use super::wire::Phase;
use super::{Shared, begun, limits, lock, spawn};
use crate::channel::Channel;
use crate::model::{Failure, Hold, Manifest, OnConflict, Party, Peer, Status, Symbols, TransferId};
use crate::protocol::bulk::Credit;
use crate::protocol::message::Frame;
use crate::protocol::receiver::{Receiver, ReceiverEvent};
use crate::protocol::striping::Stripe;
use crate::protocol::verification::{PairKey, SessionKey};
use crate::protocol::{Buffers, Violation};
use crate::storage::free_bytes;
use crate::storage::inbox::Inbox;
use comparing::Task;
use counting::Counting;
use disk::{Beside, Disk, Order};
use merging::{Merging, Over};
use origin::Origin;
use turns::Taking;
pub use turns::Turns;

/// Frames between the readers and the disk that are recycled, for each of the turns.
const BUFFERS: usize = 8;

pub struct Receiving {
    machine: Mutex<Receiver>,
    link: Arc<Link>,
    orders: mpsc::Sender<Order>,
    stopped: AtomicBool,
    /// The transfer's end has been noted.
    reported: AtomicBool,
    accepted: AtomicBool,
    /// The person here lets nothing come.
    paused: AtomicBool,
    /// The disk is full: what it lacks.
    needs: Mutex<Option<Hold>>,
    /// The save folder when the session began.
    save_folder: PathBuf,
    /// The limit for all transfers together.
    throttle: Arc<Throttle>,
    turns: Taking,
    pub meeting: Meeting,
    /// Of who asked; both show them.
    pub symbols: Option<Symbols>,
    /// The place of who asked, until it is verified.
    seat: Mutex<Option<Seat>>,
    origin: Origin,
    /// Bulk frames that come over several connections.
    merging: Merging,
    counting: Mutex<Counting>,
    /// Everything arrived and is flushed.
    finished: Mutex<Option<Inbox>>,
    pub live: Arc<Live>,
    notes: Notes,
}

impl Receiving {
    /// The offer is taken. The folder is prepared first; only then does the sender hear of it.
    pub fn accept(
        &self,
        transfer: TransferId,
        folder: PathBuf,
        on_conflict: OnConflict,
        must_exist: bool,
    ) {
        self.accepted.store(true, Ordering::SeqCst);
        self.notes.trace.phase(Phase::Opening, None);
        let _ = self.orders.send(Order::Open {
            folder,
            transfer,
            on_conflict,
            must_exist,
        });
    }

    /// The person here has compared the symbols, and says that they are the same: two yeses.
    pub fn confirm(&self) -> Peer {
        lock(&self.seat).take();
        self.meeting.confirmed(&self.link.outbox)
    }

    /// The person here wants to remember the sender.
    pub fn wish(&self) {
        self.meeting.wish(&self.link.outbox);
    }

    /// Looks what the offer would meet in a folder, until it is answered.
    pub fn survey(&self, folder: PathBuf) {
        let _ = self.orders.send(Order::Survey(folder));
    }

    /// The only transfer that this session may go on with.
    pub fn goes_on(&self) -> Option<TransferId> {
        self.origin.goes_on
    }

    /// The key with which a transfer offered here can go on later.
    pub fn session_key(&self, transfer: TransferId) -> SessionKey {
        self.origin.session_key(transfer)
    }

    /// Connections may be attached: it is accepted and has not ended.
    pub fn takes_connections(&self) -> bool {
        self.accepted.load(Ordering::SeqCst) && !self.stopped.load(Ordering::SeqCst)
    }

    /// The person here is asked: the sender hears it if it thought that it just goes on.
    pub fn asks_person(&self) {
        if self.origin.goes_on.is_some() && self.machine().ask_person() {
            self.notes.trace.phase(Phase::PersonHere, None);
            self.pump();
        }
    }

    pub fn decline(&self) {
        self.machine().decline();
        self.reported.store(true, Ordering::SeqCst);
        self.finish_up();
    }

    /// A person here ends it; the other end is told.
    /// `false` if there is nothing to end any more.
    pub fn cancel(&self) -> bool {
        let open = self.machine().cancel(None);
        if open {
            let why = Failure::Cancelled(Party::Us);
            self.notes.trace.because(&why);
            self.reported.store(true, Ordering::SeqCst);
            self.finish_up();
        }
        open
    }

    /// Ends the session itself, offer or not.
    pub fn hang_up(&self) {
        self.finish_up();
    }

    fn finish_up(&self) {
        self.pump();
        self.stopped.store(true, Ordering::SeqCst);
        let _ = self.orders.send(Order::Stop);
        self.link.close();
    }

    /// Runs a verified session to its end on the connection's thread.
    pub fn run(
        channel: Channel,
        link: Arc<Link>,
        peer: Peer,
        greeted: Greeted,
        shared: &Arc<Shared>,
        notes: Notes,
    ) {
        let kept = greeted.session;
        let Channel {
            reader,
            writer,
            peer: device,
            session_secret,
            ..
        } = channel;
        let ours = shared.identity.device_id();
        let meeting = Meeting::new(
            peer,
            shared.remember.load(Ordering::SeqCst),
            PairKey::derive(&session_secret, device, ours),
            shared.known.clone(),
            notes.clone(),
        );
        let (symbols, seat) = greeted
            .asked
            .map(|asked| (asked.symbols, asked.seat))
            .unzip();
        let (orders, ordered) = mpsc::channel();
        let mut machine = match &kept {
            Some(_) => Receiver::going_on(),
            None => Receiver::default(),
        };
        machine.take_turns();
        let session = Arc::new_cyclic(|session| Self {
            machine: Mutex::new(machine),
            turns: Taking::new(shared.turns.clone(), session.clone()),
            link: link.clone(),
            orders,
            stopped: AtomicBool::new(false),
            reported: AtomicBool::new(false),
            accepted: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            needs: Mutex::new(None),
            save_folder: lock(&shared.save_folder).clone(),
            throttle: shared.throttle.clone(),
            meeting,
            symbols,
            seat: Mutex::new(seat),
            origin: Origin::new(device, ours, session_secret, kept),
            merging: Merging::new(
                shared.buffers.get(BUFFERS * limits::turns()),
                shared.attachable.clone(),
            ),
            counting: Mutex::new(Counting::new(shared.save_folder.clone())),
            finished: Mutex::new(None),
            live: Arc::new(Live::default()),
            notes,
        });
        let frames = session.merging.frames.clone();
        let control = Buffers::new(1);
        let mut stripe = Stripe::first();
        let (ending, told) = thread::scope(|scope| {
            let disk = session.clone();
            let recycled = frames.clone();
            let link_of_disk = &link;
            let threads = [
                spawn(scope, "write", &link, || {
                    link.write_frames(writer, &control)
                }),
                spawn(scope, "disk", &link, move || {
                    let beside = Beside {
                        check: |reader| {
                            let checking = disk.clone();
                            begun(spawn(scope, "check", link_of_disk, move || {
                                checking.check(reader)
                            }))
                        },
                        compare: |tasks: mpsc::Receiver<Task>| {
                            let comparing = disk.clone();
                            begun(spawn(scope, "compare", link_of_disk, move || {
                                comparing.compare(&tasks);
                            }))
                        },
                    };
                    disk.work(ordered, &recycled, &beside)
                }),
            ];
            let over = Over(&session);
            let ending = if threads.iter().all(Result::is_ok) {
                link.read_frames(
                    reader,
                    frames,
                    |frame| session.take(&mut stripe, frame),
                    |seconds| session.notes.send(Note::Quiet(seconds)),
                )
            } else {
                Ending::Lost
            };
            drop(over);
            let ending = session.merging.lost_by().unwrap_or(ending);
            let told = lock(&session.finished).is_some() && !link.is_closing();
            // What came before the end is still written.
            let _ = session.orders.send(Order::Stop);
            link.outbox.abort();
            link.shutdown.shutdown();
            (ending, told)
        });
        // A goodbye behind our last word; not one that we asked for.
        let delivered = ending == Ending::Goodbye && told;
        if let Some(mut inbox) = lock(&session.finished).take() {
            // What failed and may be mended needs the journal of what arrived.
            if delivered && session.live.can_pass.get() == 0 {
                inbox.discard_staged();
            }
            // Staging is gone before anybody hears that all is safe.
            drop(inbox);
            session.notes.send(Note::Safe { delivered });
        }
        session.report_ending(ending);
    }

    /// One frame from the sender. What it adds to the offer is [told](Self::tell_count) afterwards.
    fn handle(self: &Arc<Self>, frame: Frame) -> Result<Option<Counted>, Violation> {
        if frame == Frame::Remember {
            self.meeting.hear(&self.link.outbox);
            return Ok(None);
        }
        let mut machine = self.machine();
        machine.handle_frame(frame)?;
        self.live.holds(machine.holds());
        let mut events = Vec::new();
        while let Some(event) = machine.poll_event() {
            events.push(event);
        }
        self.send_jobs(&mut machine);
        // What was thrown away gives its credit back here; no job of the disk does.
        if machine.credit_is_due()
            && let Some(credit) = machine.poll_credit()
        {
            self.grant(&mut machine, credit);
        }
        let left = machine.turn();
        let mut counted = None;
        for event in events {
            match event {
                ReceiverEvent::Offered(transfer) => {
                    if self.origin.goes_on.is_some_and(|only| only != transfer) {
                        return Err(Violation::Malformed("another transfer than the proven one"));
                    }
                    self.merging.open(transfer, self);
                    let waits = match self.origin.goes_on {
                        Some(_) => Phase::Checking,
                        None => Phase::PersonHere,
                    };
                    self.notes.trace.phase(waits, None);
                    self.notes.send(Note::Offered(transfer, self.clone()));
                    // Not before: what follows our proof at once would be lost with the greeting.
                    self.meeting.begin(&self.link.outbox);
                }
                ReceiverEvent::Listed => {
                    // What was accepted goes on, nothing else under its name.
                    let picks = machine.manifest().picks();
                    if self.origin.picks.is_some_and(|accepted| accepted != picks) {
                        return Err(Violation::Malformed("other things than were accepted"));
                    }
                    let _ = self.orders.send(Order::Listed);
                }
                ReceiverEvent::Counted => {
                    let manifest = machine.manifest();
                    let much = manifest.len() > Manifest::UNVERIFIED_ENTRIES
                        || manifest.name_bytes() > Manifest::UNVERIFIED_NAME_BYTES;
                    if much && lock(&self.seat).is_some() {
                        return Err(Violation::Malformed("too long a list for a stranger"));
                    }
                    self.live.entries.set(manifest.len() as u64);
                    self.live.total_bytes.set(machine.wanted_bytes());
                    counted = lock(&self.counting).look(manifest, machine.counting());
                }
                ReceiverEvent::Cancelled(problem) => {
                    let (status, failure) = match problem {
                        None => (
                            Status::Cancelled(Party::Peer),
                            Failure::Cancelled(Party::Peer),
                        ),
                        Some(problem) => (Status::Failed, Failure::PeerDisk(problem)),
                    };
                    self.report(status, Some(failure));
                    self.stopped.store(true, Ordering::SeqCst);
                    let _ = self.orders.send(Order::Stop);
                    self.link.close();
                }
            }
        }
        drop(machine);
        self.take_turn(left);
        self.pump();
        Ok(counted)
    }

    /// Asks the disk, so not under a lock that anybody else waits for.
    fn tell_count(&self, counted: Option<Counted>) {
        if let Some(mut counted) = counted {
            counted.free_bytes = Counting::free_bytes(&self.counting, free_bytes);
            self.notes.send(Note::Counted(counted));
            if !self.accepted.load(Ordering::SeqCst) {
                let _ = self.orders.send(Order::Counted);
            }
        }
    }

    /// Says once how it ended: an offer that nobody answered is withdrawn, a transfer has ended.
    fn report(&self, status: Status, failure: Option<Failure>) {
        if !self.reported.swap(true, Ordering::SeqCst) {
            if let Some(why) = &failure {
                self.notes.trace.because(why);
            }
            self.notes.send(if self.accepted.load(Ordering::SeqCst) {
                Note::Ended(status, failure)
            } else {
                Note::Withdrawn(status, failure)
            });
        }
    }

    fn report_ending(&self, ending: Ending) {
        let (status, failure) = ending_failure(ending);
        self.report(status, Some(failure));
    }

    /// Jobs go to the disk in the order in which the machine gave them out.
    fn send_jobs(&self, machine: &mut Receiver) {
        while let Some(job) = machine.poll_job() {
            let _ = self.orders.send(Order::Job(job));
        }
        // The last look may have been one that found nothing to look at.
        if machine.credit_is_due()
            && let Some(credit) = machine.poll_credit()
        {
            self.grant(machine, credit);
        }
    }

    /// What was said before goes first: a credit that overtakes *accept* means nothing there.
    fn grant(&self, machine: &mut Receiver, credit: Credit) {
        self.pump_from(machine);
        self.link.outbox.credit(credit);
    }

    fn pump(&self) {
        self.pump_from(&mut self.machine());
    }

    fn pump_from(&self, machine: &mut Receiver) {
        while let Some(frame) = machine.poll_control() {
            self.link.outbox.control(frame);
        }
    }

    fn machine(&self) -> MutexGuard<'_, Receiver> {
        lock(&self.machine)
    }
}
