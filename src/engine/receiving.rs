//! An incoming session: after the greeting, three threads until it has ended.
//!
//! The connection's own thread reads and checks frames, `disk` does what they ask for in order, and
//! `write` sends what both have to say. The disk's queue needs no bound of its own: the sender
//! cannot have more on its way than the credit that the disk gave back.

mod checking;
mod comparing;
mod counting;
mod merging;
mod room;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::failures::ending_failure;
use super::greeting::Greeted;
use super::link::{Ending, Link};
use super::live::Live;
use super::meeting::Meeting;
use super::note::{Counted, Note, Notes};
use super::seats::Seat;
use super::surveying::Surveying;
use super::throttle::Throttle;
use super::wire::{Flow, Phase, Work};
use super::{Shared, lock, spawn};
use crate::channel::Channel;
use crate::model::{
    DeviceId, EntryKey, EntryKind, EntryStatus, Failure, FileReport, GROUP_BYTES, Hold, Manifest,
    OnConflict, Party, Peer, Problem, Status, Symbols, TransferId, TransferState,
};
use crate::protocol::bulk::{Credit, Groups};
use crate::protocol::message::Frame;
use crate::protocol::receiver::{Job, Receiver, ReceiverEvent};
use crate::protocol::striping::Stripe;
use crate::protocol::verification::{PairKey, SessionKey};
use crate::protocol::{Buffers, Violation};
use crate::storage::free_bytes;
use crate::storage::inbox::{Committed, Inbox, LARGE_BYTES, Rest, Target};
use checking::KeptFile;
use comparing::Task;
use counting::Counting;
use merging::{Merging, Over};
use room::Orders;

/// Files that wait to be committed together, at most: one flush for all of them.
const COMMIT_FILES: usize = 512;
/// Content that waits to be committed, at most.
const COMMIT_BYTES: u64 = 64 << 20;
/// Of that, content of files of a single group, which travels again if we are killed before.
const COMMIT_SMALL_BYTES: u64 = 6 << 20;
/// A file waits no longer than this for others to be committed with.
const COMMIT_AFTER: Duration = Duration::from_millis(500);
/// Credit and progress are told this often, or when a quarter of the window is used.
const REPORT_EVERY: Duration = Duration::from_millis(100);
/// A drive that is pulled out is noticed so soon.
const LOOK_FOR_FOLDER_EVERY: Duration = Duration::from_secs(1);
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
    /// The person here lets nothing come.
    paused: AtomicBool,
    /// The disk is full: what it lacks.
    needs: Mutex<Option<Hold>>,
    /// The save folder when the session began.
    save_folder: PathBuf,
    /// The limit for all transfers together.
    throttle: Arc<Throttle>,
    pub meeting: Meeting,
    /// Of who asked; both show them.
    pub symbols: Option<Symbols>,
    /// The place of who asked, until it is verified.
    seat: Mutex<Option<Seat>>,
    /// Who is at both ends and what the session keys of this channel are made of.
    origin: Origin,
    /// Bulk frames that come over several connections.
    merging: Merging,
    counting: Mutex<Counting>,
    /// Everything arrived and is flushed.
    finished: Mutex<Option<Inbox>>,
    pub live: Arc<Live>,
    notes: Notes,
}

struct Origin {
    peer: DeviceId,
    ours: DeviceId,
    secret: Zeroizing<[u8; 32]>,
    /// The transfer that this session may go on with, and nothing else.
    goes_on: Option<TransferId>,
    /// What was picked when it was accepted.
    picks: Option<[u8; 32]>,
    rest: Rest,
    /// The save folder in which it began.
    began_in: Option<PathBuf>,
    /// Because that was the save folder then.
    by_default: bool,
}

/// What the disk thread is told.
enum Order {
    /// The offer is accepted.
    Open {
        folder: PathBuf,
        transfer: TransferId,
        on_conflict: OnConflict,
        /// A folder that is not there is not made.
        must_exist: bool,
    },
    /// The manifest of a transfer that goes on is complete.
    Listed,
    /// While the offer waits: what would it meet in this folder?
    Survey(PathBuf),
    /// The offer has grown.
    Counted,
    /// Hashes of groups that are staged: entry, first group.
    Checked(Groups),
    /// From the `compare` thread.
    Compared(comparing::Answer),
    Job(Job),
    Stop,
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
        let Origin {
            peer, ours, secret, ..
        } = &self.origin;
        SessionKey::derive(secret, *peer, *ours, transfer)
    }

    /// Connections may be attached: it is accepted and has not ended.
    pub fn takes_connections(&self) -> bool {
        self.accepted.load(Ordering::SeqCst) && !self.stopped.load(Ordering::SeqCst)
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
        let session = Arc::new(Self {
            machine: Mutex::new(match &kept {
                Some(_) => Receiver::going_on(),
                None => Receiver::default(),
            }),
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
            origin: Origin {
                peer: device,
                ours,
                secret: session_secret,
                goes_on: kept.as_ref().map(|kept| kept.transfer),
                rest: match &kept {
                    Some(kept) if kept.failed > 0 => Rest::Failed,
                    Some(kept) if kept.arrived => Rest::Nothing,
                    Some(_) | None => Rest::Missing,
                },
                by_default: kept.as_ref().is_some_and(|kept| kept.by_default),
                began_in: kept
                    .as_ref()
                    .filter(|kept| kept.placed)
                    .and_then(|kept| kept.places.first().cloned()),
                picks: kept.and_then(|kept| kept.picks),
            },
            merging: Merging::new(Buffers::new(BUFFERS), shared.attachable.clone()),
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
                            spawn(scope, "check", link_of_disk, move || checking.check(reader))
                                .is_ok()
                        },
                        compare: |tasks: mpsc::Receiver<Task>| {
                            let comparing = disk.clone();
                            spawn(scope, "compare", link_of_disk, move || {
                                comparing.compare(&tasks);
                            })
                            .is_ok()
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

    /// The `disk` thread: does the orders, commits in batches, reports as it goes.
    fn work(
        &self,
        orders: mpsc::Receiver<Order>,
        buffers: &Buffers,
        beside: &Beside<impl Fn(Vec<KeptFile>) -> bool, impl Fn(mpsc::Receiver<Task>) -> bool>,
    ) {
        let check = &beside.check;
        let trace = &self.notes.trace;
        let mut disk = Disk::new(orders);
        loop {
            trace.work(Work::Bytes);
            if disk.commit_due() == Some(Duration::ZERO) {
                // However much waits to be done: what is complete does not wait for it.
                trace.work(Work::Disk);
                self.commit(&mut disk);
                continue;
            }
            let order = match disk.commit_due() {
                None if disk.survey.as_ref().is_some_and(Surveying::is_due) => {
                    match disk.orders.next(Some(Duration::ZERO)) {
                        Err(RecvTimeoutError::Timeout) => {
                            self.survey_on(&mut disk);
                            continue;
                        }
                        order => order,
                    }
                }
                due => disk.orders.next(due),
            };
            trace.work(Work::Disk);
            match order {
                Ok(_) if self.stopped.load(Ordering::SeqCst) => break,
                Ok(Order::Survey(folder)) if disk.inbox.is_none() => {
                    disk.survey = Some(Surveying::new(&folder));
                }
                // It came after the answer.
                Ok(Order::Survey(_)) => {}
                Ok(Order::Counted) => {
                    if let Some(survey) = &mut disk.survey {
                        survey.more();
                    }
                }
                Ok(Order::Open {
                    folder,
                    transfer,
                    on_conflict,
                    must_exist,
                }) => match self.open(&mut disk, folder, transfer, must_exist) {
                    None => break,
                    Some(Ok(mut inbox)) => {
                        self.notes.send(Note::Placed);
                        disk.survey = None;
                        inbox.set_rule(on_conflict);
                        self.machine().look_ahead(1, LARGE_BYTES);
                        let (tasks, to_compare) = mpsc::channel();
                        disk.compare = (beside.compare)(to_compare).then_some(tasks);
                        disk.inbox = Some(inbox);
                        if self.origin.goes_on.is_none() {
                            self.machine().accept();
                            self.begin();
                        } else if disk.listed {
                            self.go_on(&mut disk, check);
                        }
                    }
                    Some(Err(problem)) => {
                        self.machine().cancel(Some(&problem));
                        tracing::warn!(%problem, "the save folder cannot be used");
                        self.report(Status::Failed, Some(Failure::Disk(problem)));
                        self.finish_up();
                        return;
                    }
                },
                Ok(Order::Listed) => {
                    disk.listed = true;
                    if disk.inbox.is_some() {
                        self.go_on(&mut disk, check);
                    }
                }
                Ok(Order::Compared(answer)) => self.compared(&mut disk, answer),
                Ok(Order::Checked(groups)) => {
                    if let Some(inbox) = &mut disk.inbox {
                        inbox.checked(groups.entry, groups.first, &groups.hashes);
                        self.live
                            .checked_bytes
                            .add(groups.hashes.len() as u64 * GROUP_BYTES);
                        self.machine().tell_groups(&groups);
                        self.pump();
                    }
                }
                Ok(Order::Job(Job::Finish)) => {
                    trace.phase(Phase::Finishing, None);
                    self.notes.send(Note::State(TransferState::Finishing));
                    if self.commit(&mut disk) {
                        self.finish(disk);
                        return;
                    }
                    break;
                }
                Ok(Order::Job(job)) => self.do_job(&mut disk, job, buffers),
                Err(RecvTimeoutError::Timeout) => {
                    self.commit(&mut disk);
                }
                Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        // What is complete gets its name, so that it need not travel again.
        if let Some(inbox) = &mut disk.inbox {
            let committed = inbox.commit();
            self.settle(committed);
            self.flush_status();
        }
    }

    /// Looks at a few more entries of the offer.
    fn survey_on(&self, disk: &mut Disk) {
        let Some(survey) = &mut disk.survey else {
            return;
        };
        let machine = self.machine();
        let entries = survey.next(machine.manifest());
        let all = !machine.counting();
        drop(machine);
        if let Some(surveyed) = survey.step(&entries, all) {
            self.notes.send(Note::Surveyed(surveyed));
        }
    }

    fn open(
        &self,
        disk: &mut Disk,
        folder: PathBuf,
        transfer: TransferId,
        must_exist: bool,
    ) -> Option<Result<Inbox, Problem>> {
        let chosen = self.save_folder.clone();
        // A drive that was pulled out, for example.
        let was_there = must_exist || self.origin.began_in.as_ref() == Some(&folder);
        let gone = was_there && !folder.exists();
        // A person who has chosen another save folder since has that one.
        let elsewhere = gone && self.origin.by_default && chosen != folder;
        disk.folder = match elsewhere {
            true => chosen.clone(),
            false => folder.clone(),
        };
        self.open_with_room(disk, || match self.origin.goes_on {
            None if gone => Err(Problem::Gone),
            None => Inbox::create(&folder, transfer),
            Some(_) if elsewhere => Inbox::go_on(&chosen, transfer),
            // Its place is not filled with another folder.
            Some(_) if gone => Err(Problem::Gone),
            Some(_) => Inbox::go_on(&folder, transfer),
        })
    }

    fn begin(&self) {
        let mut machine = self.machine();
        self.send_jobs(&mut machine);
        self.live.held_bytes.set(machine.held_bytes());
        self.live.settled.set(machine.settled() as u64);
        // If there is nothing to look at first, content may come.
        let credit = machine.poll_credit();
        drop(machine);
        self.notes.trace.phase(Phase::Receiving(Flow::Moves), None);
        self.notes.send(Note::State(TransferState::Running));
        self.pump();
        if let Some(credit) = credit {
            self.link.outbox.credit(credit);
        }
    }

    fn do_job(&self, disk: &mut Disk, job: Job, buffers: &Buffers) {
        let (cost, content) = (job.cost(), job.content_bytes());
        self.keep_limits(disk, content);
        let mut committed = Vec::new();
        let keys = self.keys(&job);
        let target = |at: usize, number, entry| {
            let key = keys.get(at).copied()?;
            Some(Target { number, key, entry })
        };
        match &job {
            Job::Folder { number, entry } => {
                let picked = target(0, *number, entry);
                let added = self.with_room(disk, |inbox| match picked {
                    Some(target) => inbox.add_picked_folder(target),
                    None => inbox.add_folder(*number, entry),
                });
                committed.extend(added);
            }
            Job::Look { files } => {
                let files = files.iter().zip(&keys);
                let targets = files.map(|((number, entry), key)| Target {
                    number: *number,
                    key: *key,
                    entry,
                });
                let Some(inbox) = &mut disk.inbox else { return };
                let foreseen = inbox.look(targets.clone());
                let left_out = self.settle_early(foreseen.decided);
                for target in targets.filter(|target| left_out.contains(&target.number)) {
                    inbox.leave_out(target.number, target.key);
                }
                self.ask(disk, &foreseen.comparable);
            }
            Job::Hashes {
                entry,
                groups,
                last,
            } => self.take_hashes(disk, entry, groups, *last),
            Job::Data { entry, data, .. } => {
                if let Some(target) = target(0, data.entry, entry) {
                    self.with_room(disk, |inbox| {
                        inbox.write(target, data.offset, data.content())
                    });
                    self.give_back(disk, target);
                }
            }
            Job::End { entry, end } => {
                if let Some(target) = target(0, end.entry, entry) {
                    self.with_room(disk, |inbox| inbox.complete(target, end.hash));
                }
            }
            Job::Batch { entries, batch } => {
                for (at, (entry, item)) in entries.iter().zip(&batch.items).enumerate() {
                    if let Some(target) = target(at, item.entry, entry) {
                        let content = batch.content(item);
                        let put =
                            self.with_room(disk, |inbox| inbox.whole(target, content, item.hash));
                        if put.is_none() {
                            break;
                        }
                    }
                }
            }
            Job::Abandon {
                number,
                entry,
                problem,
            } => {
                if let Some(target) = target(0, *number, entry)
                    && let Some(inbox) = &mut disk.inbox
                {
                    inbox.abandon(target, problem.clone());
                }
            }
            Job::Finish => {}
        }
        match job {
            Job::Data { data, .. } => buffers.give_back(data.into_buffer()),
            Job::Batch { batch, .. } => buffers.give_back(batch.into_buffer()),
            Job::Folder { .. }
            | Job::Look { .. }
            | Job::Hashes { .. }
            | Job::End { .. }
            | Job::Abandon { .. }
            | Job::Finish => {}
        }
        let Some(inbox) = &disk.inbox else { return };
        let small_bytes = inbox.pending_small_bytes();
        let (files, bytes) = inbox.pending();
        if files > 0 {
            disk.pending_since.get_or_insert_with(Instant::now);
        }
        let made = committed.first().map(|folder| folder.number);
        let made = made.filter(|folder| inbox.is_new(*folder));
        let mut machine = self.machine();
        if let Some(folder) = made {
            machine.folder_is_new(folder);
        }
        machine.job_done(cost, content);
        self.live.held_bytes.set(machine.held_bytes());
        let due = disk.reported.elapsed() >= REPORT_EVERY;
        if due || machine.credit_is_due() {
            disk.reported = Instant::now();
            if let Some(credit) = machine.poll_credit() {
                self.grant(&mut machine, credit);
            }
        }
        // There may be jobs that had to wait for this one.
        self.send_jobs(&mut machine);
        drop(machine);
        self.settle(committed);
        if disk.looked_at.elapsed() >= LOOK_FOR_FOLDER_EVERY && self.ends_if_gone(disk) {
            return;
        }
        if files >= COMMIT_FILES || bytes >= COMMIT_BYTES || small_bytes >= COMMIT_SMALL_BYTES {
            self.commit(disk);
        }
    }

    /// The keys of the entries a job is about, in its order.
    fn keys(&self, job: &Job) -> Vec<EntryKey> {
        let machine = self.machine();
        let manifest = machine.manifest();
        let numbers: Vec<u32> = match job {
            Job::Data { data, .. } => vec![data.entry],
            Job::End { end, .. } => vec![end.entry],
            Job::Batch { batch, .. } => batch.items.iter().map(|item| item.entry).collect(),
            Job::Abandon { number, .. } => vec![*number],
            Job::Look { files } => files.iter().map(|(number, _)| *number).collect(),
            // What is in the folder has keys of its own.
            Job::Folder { number, entry } if entry.parent.is_none() => vec![*number],
            Job::Folder { .. } | Job::Hashes { .. } | Job::Finish => Vec::new(),
        };
        let keys = numbers.into_iter();
        keys.filter_map(|number| manifest.key(number)).collect()
    }

    /// `false` if the session ended before there was room for all of it.
    fn commit(&self, disk: &mut Disk) -> bool {
        disk.pending_since = None;
        let all = self.with_room(disk, |inbox| {
            self.settle(inbox.commit());
            match inbox.pending() {
                (0, _) => Ok(()),
                (_left, _) => Err(inbox.full()),
            }
        });
        self.flush_status();
        all.is_some() && !self.ends_if_gone(disk)
    }

    /// Without its folder a transfer ends at once: all that would still come would be thrown away. It
    /// can go on when the folder is back.
    fn ends_if_gone(&self, disk: &mut Disk) -> bool {
        disk.looked_at = Instant::now();
        let gone = disk.inbox.as_mut().is_some_and(Inbox::is_gone);
        if gone && self.machine().cancel(Some(&Problem::Gone)) {
            tracing::warn!(folder = %disk.folder.display(), "the save folder is gone");
            self.report(Status::Failed, Some(Failure::Disk(Problem::Gone)));
            self.finish_up();
        }
        gone
    }

    fn flush_status(&self) {
        let mut machine = self.machine();
        machine.flush_status();
        if let Some(credit) = machine.poll_credit() {
            self.grant(&mut machine, credit);
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
        let (Some(result), Some(mut inbox)) = (result, disk.inbox.take()) else {
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
        self.notes.trace.phase(Phase::Flushing, None);
        match inbox.finish() {
            Ok(()) => {
                // Before the word goes out, so that its answer finds it.
                *lock(&self.finished) = Some(inbox);
                self.notes.trace.phase(Phase::Goodbye, None);
                self.machine().safe();
                self.pump();
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
        if !committed.is_empty() {
            self.settle_with(self.machine(), committed);
        }
    }

    /// Gigabytes of a file that the disk refuses need not travel.
    fn give_back(&self, disk: &mut Disk, target: Target) {
        if let Some(inbox) = &mut disk.inbox
            && let Some(refused) = inbox.refused(target)
            && !self.settle_early(vec![refused]).is_empty()
        {
            inbox.leave_out(target.number, target.key);
        }
    }

    /// The same for files that had not ended when the disk looked. Those that have ended meanwhile are
    /// decided when they are committed; the others are given back: nobody wants them any more.
    fn settle_early(&self, mut decided: Vec<Committed>) -> HashSet<u32> {
        if decided.is_empty() {
            return HashSet::new();
        }
        let mut machine = self.machine();
        decided.retain(|file| machine.is_undecided(file.number));
        let left_out = decided.iter().map(|file| file.number).collect();
        self.settle_with(machine, decided);
        machine = self.machine();
        machine.flush_status();
        drop(machine);
        self.pump();
        left_out
    }

    fn settle_with(&self, mut machine: MutexGuard<'_, Receiver>, committed: Vec<Committed>) {
        let mut reports = Vec::new();
        for entry in committed {
            let failed = match &entry.status {
                EntryStatus::Failed(problem) => {
                    self.live.can_pass.add(u64::from(problem.can_pass()));
                    true
                }
                EntryStatus::Arrived | EntryStatus::AlreadyThere | EntryStatus::Skipped => false,
            };
            machine.settle(entry.number, entry.len_bytes, &entry.status);
            let folder = machine
                .manifest()
                .get(entry.number)
                .is_some_and(|entry| entry.kind == EntryKind::Folder);
            match entry.status {
                EntryStatus::Arrived | EntryStatus::AlreadyThere => {
                    self.live.arrived_bytes.add(entry.len_bytes);
                }
                EntryStatus::Skipped => self.live.skipped.add(1),
                EntryStatus::Failed(_) => self.live.failed.add(1),
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
        self.live.total_bytes.set(machine.wanted_bytes());
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

/// How the disk thread starts the threads that work beside it.
struct Beside<Check, Compare> {
    check: Check,
    compare: Compare,
}

/// What the disk thread keeps.
struct Disk {
    orders: Orders,
    folder: PathBuf,
    inbox: Option<Inbox>,
    survey: Option<Surveying>,
    /// The way to the `compare` thread.
    compare: Option<mpsc::Sender<Task>>,
    listed: bool,
    pending_since: Option<Instant>,
    reported: Instant,
    /// When the save folder was last seen in its place.
    looked_at: Instant,
}

impl Disk {
    fn new(orders: mpsc::Receiver<Order>) -> Self {
        Self {
            orders: Orders::new(orders),
            folder: PathBuf::new(),
            inbox: None,
            survey: None,
            compare: None,
            listed: false,
            pending_since: None,
            reported: Instant::now(),
            looked_at: Instant::now(),
        }
    }

    /// How long the files that wait may still wait; `None` if none do.
    fn commit_due(&self) -> Option<Duration> {
        let since = self.pending_since?;
        Some(COMMIT_AFTER.saturating_sub(since.elapsed()))
    }
}
