//! An incoming session: after the greeting, three threads until it has ended.
//!
//! The connection's own thread reads and checks frames, `disk` does what they ask for in order, and
//! `write` sends what both have to say. The disk's queue needs no bound of its own: the sender
//! cannot have more on its way than the credit that the disk gave back.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use super::link::{Ending, Link, TICK};
use super::live::Live;
use super::note::{Counted, Note, Notes};
use super::sending::ending_failure;
use super::{Shared, event, lock, spawn};
use crate::channel::{Channel, ChannelError};
use crate::model::{
    EntryKind, EntryStatus, Failure, FileReport, Manifest, Party, Status, TransferId,
    TransferState, displayable,
};
use crate::protocol::message::Frame;
use crate::protocol::receiver::{Job, Receiver, ReceiverEvent};
use crate::protocol::{Buffers, Violation};
use crate::storage::free_bytes;
use crate::storage::inbox::{Committed, Inbox};

/// Files that wait to be committed together, at most: one flush for all of them.
const COMMIT_FILES: usize = 512;
/// Content that waits to be committed, at most.
const COMMIT_BYTES: u64 = 64 << 20;
/// A file waits no longer than this for others to be committed with.
const COMMIT_AFTER: Duration = Duration::from_millis(500);
/// Credit and progress are told this often, or when a quarter of the window is used.
const REPORT_EVERY: Duration = Duration::from_millis(100);
/// The growing count of an offer is told this often.
const COUNT_EVERY: Duration = Duration::from_millis(100);
/// A disk may be slow to tell how much room it has.
const ASK_FREE_EVERY: Duration = Duration::from_secs(1);
/// Frames between the reader and the disk that are recycled.
const BUFFERS: usize = 16;

pub struct Receiving {
    machine: Mutex<Receiver>,
    link: Arc<Link>,
    orders: mpsc::Sender<Order>,
    stopped: AtomicBool,
    /// The transfer's end has been noted.
    reported: AtomicBool,
    accepted: AtomicBool,
    pub live: Arc<Live>,
    notes: Notes,
}

/// What the disk thread is told.
enum Order {
    /// The offer is accepted into this folder.
    Open(PathBuf, TransferId),
    Job(Job),
    Stop,
}

impl Receiving {
    /// The offer is taken. The folder is prepared first; only then does the sender hear of it.
    pub fn accept(&self, transfer: TransferId, folder: PathBuf) {
        self.accepted.store(true, Ordering::SeqCst);
        let _ = self.orders.send(Order::Open(folder, transfer));
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
    pub fn run(channel: Channel, shared: &Shared, notes: Notes) {
        if let Err(error) = Self::try_run(channel, shared, notes) {
            tracing::warn!(%error, "a session could not be started");
        }
    }

    fn try_run(mut channel: Channel, shared: &Shared, notes: Notes) -> Result<(), ChannelError> {
        let link = Arc::new(Link::new(channel.shutdown_handle()?));
        let ring = link.clone();
        channel.established(TICK, move || ring.outbox.flush())?;
        let Channel { reader, writer, .. } = channel;
        let (orders, ordered) = mpsc::channel();
        let session = Arc::new(Self {
            machine: Mutex::new(Receiver::default()),
            link: link.clone(),
            orders,
            stopped: AtomicBool::new(false),
            reported: AtomicBool::new(false),
            accepted: AtomicBool::new(false),
            live: Arc::new(Live::default()),
            notes,
        });
        let frames = Buffers::new(BUFFERS);
        let control = Buffers::new(1);
        let mut counting = Counting::new(shared);
        let ending = thread::scope(|scope| {
            let disk = session.clone();
            let recycled = frames.clone();
            let threads = [
                spawn(scope, "write", &link, || {
                    link.write_frames(writer, &control)
                }),
                spawn(scope, "disk", &link, move || disk.work(&ordered, &recycled)),
            ];
            let ending = if threads.iter().all(Result::is_ok) {
                link.read_frames(
                    reader,
                    frames,
                    |frame| session.handle(frame, &mut counting),
                    |seconds| session.notes.send(Note::Quiet(seconds)),
                )
            } else {
                Ending::Lost
            };
            session.stopped.store(true, Ordering::SeqCst);
            let _ = session.orders.send(Order::Stop);
            link.outbox.abort();
            link.shutdown.shutdown();
            ending
        });
        session.report_ending(ending);
        Ok(())
    }

    /// One frame from the sender.
    fn handle(self: &Arc<Self>, frame: Frame, counting: &mut Counting) -> Result<(), Violation> {
        let mut machine = self.machine();
        machine.handle_frame(frame)?;
        let mut events = Vec::new();
        while let Some(event) = machine.poll_event() {
            events.push(event);
        }
        self.send_jobs(&mut machine);
        let mut counted = None;
        for event in events {
            match event {
                ReceiverEvent::Offered(transfer) => {
                    self.notes.send(Note::Offered(transfer, self.clone()));
                }
                ReceiverEvent::Counted => {
                    let manifest = machine.manifest();
                    self.live.entries.set(manifest.len() as u64);
                    self.live.total_bytes.set(manifest.total_bytes());
                    counted = counting.look(manifest, machine.counting());
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
        if let Some(mut counted) = counted {
            // Asks the disk, so not under the lock.
            counted.free_bytes = counting.free_bytes();
            self.notes.send(Note::Counted(counted));
        }
        self.pump();
        Ok(())
    }

    /// Says once how it ended: an offer that nobody answered is withdrawn, a transfer has ended.
    fn report(&self, status: Status, failure: Option<Failure>) {
        if !self.reported.swap(true, Ordering::SeqCst) {
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

    /// The `disk` thread: does the orders, commits in batches, reports as it goes.
    fn work(&self, orders: &mpsc::Receiver<Order>, buffers: &Buffers) {
        let mut disk = Disk::default();
        loop {
            let order = match disk.commit_due() {
                None => orders
                    .recv()
                    .map_err(|_gone| RecvTimeoutError::Disconnected),
                Some(due) => orders.recv_timeout(due),
            };
            match order {
                Ok(_) if self.stopped.load(Ordering::SeqCst) => return,
                Ok(Order::Open(folder, transfer)) => match Inbox::create(&folder, transfer) {
                    Ok(inbox) => {
                        disk.inbox = Some(inbox);
                        let mut machine = self.machine();
                        machine.accept();
                        self.send_jobs(&mut machine);
                        drop(machine);
                        self.notes.send(Note::State(TransferState::Running));
                        self.pump();
                    }
                    Err(problem) => {
                        self.machine().cancel(Some(&problem));
                        tracing::warn!(%problem, "the save folder cannot be used");
                        self.report(Status::Failed, Some(Failure::Disk(problem)));
                        self.finish_up();
                        return;
                    }
                },
                Ok(Order::Job(Job::Finish)) => {
                    self.notes.send(Note::State(TransferState::Finishing));
                    self.commit(&mut disk);
                    self.finish(disk);
                    return;
                }
                Ok(Order::Job(job)) => self.do_job(&mut disk, job, buffers),
                Err(RecvTimeoutError::Timeout) => self.commit(&mut disk),
                Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn do_job(&self, disk: &mut Disk, job: Job, buffers: &Buffers) {
        let Some(inbox) = &mut disk.inbox else { return };
        let (cost, content) = (job.cost(), job.content_bytes());
        let mut committed = Vec::new();
        match job {
            Job::Folder { number, entry } => committed.push(inbox.add_folder(number, &entry)),
            Job::Data { entry, data } => {
                inbox.write(data.entry, &entry, data.offset, data.content());
                buffers.give_back(data.into_buffer());
            }
            Job::End { entry, end } => inbox.complete(end.entry, &entry, end.hash),
            Job::Batch { entries, batch } => {
                for (entry, item) in entries.iter().zip(&batch.items) {
                    inbox.whole(item.entry, entry, batch.content(item), item.hash);
                }
                buffers.give_back(batch.into_buffer());
            }
            Job::Abandon {
                number,
                entry,
                problem,
            } => inbox.abandon(number, &entry, problem),
            Job::Finish => {}
        }
        let (files, bytes) = inbox.pending();
        if files > 0 {
            disk.pending_since.get_or_insert_with(Instant::now);
        }
        let mut machine = self.machine();
        machine.job_done(cost, content);
        self.live.held_bytes.set(machine.held_bytes());
        let due = disk.reported.elapsed() >= REPORT_EVERY;
        if due || machine.credit_is_due() {
            disk.reported = Instant::now();
            if let Some(credit) = machine.poll_credit() {
                self.link.outbox.credit(credit);
            }
        }
        // There may be jobs that had to wait for this one.
        self.send_jobs(&mut machine);
        drop(machine);
        self.settle(committed);
        if files >= COMMIT_FILES || bytes >= COMMIT_BYTES {
            self.commit(disk);
        }
    }

    fn commit(&self, disk: &mut Disk) {
        disk.pending_since = None;
        if let Some(inbox) = &mut disk.inbox {
            self.settle(inbox.commit());
        }
        let mut machine = self.machine();
        machine.flush_status();
        if let Some(credit) = machine.poll_credit() {
            self.link.outbox.credit(credit);
        }
        drop(machine);
        self.pump();
    }

    /// Everything came and has its status: "received". Then flushed: "safe".
    fn finish(&self, mut disk: Disk) {
        let result = {
            let machine = self.machine();
            machine.received().then(|| machine.result().clone())
        };
        let (Some(result), Some(inbox)) = (result, disk.inbox.take()) else {
            return;
        };
        self.report(
            if result.failed == 0 {
                Status::Arrived
            } else {
                Status::Problems
            },
            None,
        );
        match inbox.finish() {
            Ok(()) => {
                self.machine().safe();
                self.pump();
                self.notes.send(Note::Safe);
            }
            Err(problem) => {
                tracing::error!(%problem, "what arrived could not be flushed");
                self.machine().cancel(Some(&problem));
                self.notes.send(Note::NotSafe(problem));
                self.finish_up();
            }
        }
    }

    /// Tells machine, counters and front end what became of entries.
    fn settle(&self, committed: Vec<Committed>) {
        if committed.is_empty() {
            return;
        }
        let mut reports = Vec::new();
        let mut machine = self.machine();
        for entry in committed {
            let failed = matches!(entry.status, EntryStatus::Failed(_));
            machine.settle(entry.number, entry.len_bytes, &entry.status);
            let folder = machine
                .manifest()
                .get(entry.number)
                .is_some_and(|entry| entry.kind == EntryKind::Folder);
            if failed {
                self.live.failed.add(1);
            } else {
                self.live.arrived_bytes.add(entry.len_bytes);
            }
            if failed || !folder {
                reports.push(FileReport {
                    path: entry.path,
                    len_bytes: entry.len_bytes,
                    blake3: entry.blake3,
                    status: entry.status,
                });
            }
        }
        self.live.settled.set(machine.settled() as u64);
        drop(machine);
        if !reports.is_empty() {
            self.notes.send(Note::Files(reports));
        }
    }

    /// Jobs go to the disk in the order in which the machine gave them out.
    fn send_jobs(&self, machine: &mut Receiver) {
        while let Some(job) = machine.poll_job() {
            let _ = self.orders.send(Order::Job(job));
        }
    }

    fn pump(&self) {
        let mut machine = self.machine();
        while let Some(frame) = machine.poll_control() {
            self.link.outbox.control(frame);
        }
    }

    fn machine(&self) -> MutexGuard<'_, Receiver> {
        lock(&self.machine)
    }
}

/// What the disk thread keeps.
struct Disk {
    inbox: Option<Inbox>,
    pending_since: Option<Instant>,
    reported: Instant,
}

impl Default for Disk {
    fn default() -> Self {
        Self {
            inbox: None,
            pending_since: None,
            reported: Instant::now(),
        }
    }
}

impl Disk {
    /// How long the files that wait may still wait; `None` if none do.
    fn commit_due(&self) -> Option<Duration> {
        let since = self.pending_since?;
        Some(COMMIT_AFTER.saturating_sub(since.elapsed()))
    }
}

/// The picture of an offer that a person sees while the sender still counts.
struct Counting<'a> {
    shared: &'a Shared,
    told: Option<Instant>,
    asked: Option<Instant>,
    free_bytes: Option<u64>,
    looked_at: usize,
    names: Vec<String>,
    picked: u64,
}

impl<'a> Counting<'a> {
    fn new(shared: &'a Shared) -> Self {
        Self {
            shared,
            told: None,
            asked: None,
            free_bytes: None,
            looked_at: 0,
            names: Vec::new(),
            picked: 0,
        }
    }

    /// The picture now, unless the last one is too fresh.
    fn look(&mut self, manifest: &Manifest, counting: bool) -> Option<Counted> {
        for entry in manifest.entries().iter().skip(self.looked_at) {
            if entry.parent.is_none() {
                self.picked += 1;
                if self.names.len() < event::Offer::MAX_NAMES {
                    self.names.push(displayable(entry.name.as_str()));
                }
            }
        }
        self.looked_at = manifest.len();
        if counting && self.told.is_some_and(|told| told.elapsed() < COUNT_EVERY) {
            return None;
        }
        self.told = Some(Instant::now());
        Some(Counted {
            names: self.names.clone(),
            picked: self.picked,
            entries: manifest.len() as u64,
            bytes: manifest.total_bytes(),
            counting,
            free_bytes: None,
        })
    }

    /// Room in the save folder, asked for once a second at most.
    fn free_bytes(&mut self) -> Option<u64> {
        let fresh = self
            .asked
            .is_some_and(|asked| asked.elapsed() < ASK_FREE_EVERY);
        if !fresh {
            self.asked = Some(Instant::now());
            let folder = lock(&self.shared.save_folder).clone();
            self.free_bytes = free_bytes(&folder);
        }
        self.free_bytes
    }
}
