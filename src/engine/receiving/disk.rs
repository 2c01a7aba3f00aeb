//! The `disk` thread of a session: does its orders one after the other, from the first look at a folder to
//! the last flush.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::Receiving;
use super::checking::KeptFile;
use super::comparing::{Answer, Task};
use super::room::Orders;
use super::turns::LOOK_EVERY;
use crate::engine::lock;
use crate::engine::note::Note;
use crate::engine::surveying::Surveying;
use crate::engine::wire::{Flow, Phase, Work};
use crate::model::{Failure, GROUP_BYTES, OnConflict, Problem, Status, TransferId, TransferState};
use crate::protocol::Buffers;
use crate::protocol::bulk::Groups;
use crate::protocol::receiver::Job;
use crate::storage::inbox::{Inbox, LARGE_BYTES};

/// A file waits no longer than this for others to be committed with.
const COMMIT_AFTER: Duration = Duration::from_millis(500);

/// What the disk thread is told.
pub(super) enum Order {
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
    Compared(Answer),
    Job(Job),
    Stop,
}

/// How the disk thread starts the threads that work beside it.
pub(super) struct Beside<Check, Compare> {
    pub(super) check: Check,
    pub(super) compare: Compare,
}

/// What the disk thread keeps.
pub(super) struct Disk {
    pub(super) orders: Orders,
    pub(super) folder: PathBuf,
    pub(super) inbox: Option<Inbox>,
    survey: Option<Surveying>,
    /// The way to the `compare` thread.
    pub(super) compare: mpsc::Sender<Task>,
    /// What goes there, until there is the thread.
    to_compare: Option<mpsc::Receiver<Task>>,
    /// Something stands under the name of an offered file.
    pub(super) compares: bool,
    listed: bool,
    pub(super) pending_since: Option<Instant>,
    pub(super) reported: Instant,
    /// When the save folder was last seen in its place.
    pub(super) looked_at: Instant,
}

impl Disk {
    fn new(orders: mpsc::Receiver<Order>) -> Self {
        let (compare, to_compare) = mpsc::channel();
        Self {
            orders: Orders::new(orders),
            folder: PathBuf::new(),
            inbox: None,
            survey: None,
            compare,
            to_compare: Some(to_compare),
            compares: false,
            listed: false,
            pending_since: None,
            reported: Instant::now(),
            looked_at: Instant::now(),
        }
    }

    /// How long the files that wait may still wait; `None` if none do.
    pub(super) fn commit_due(&self) -> Option<Duration> {
        let since = self.pending_since?;
        Some(COMMIT_AFTER.saturating_sub(since.elapsed()))
    }
}

/// However the thread ends, nobody waits for its turn.
struct LeavesTurns<'a>(&'a Receiving);

impl Drop for LeavesTurns<'_> {
    fn drop(&mut self) {
        self.0.leave_turns();
    }
}

impl Receiving {
    /// The `disk` thread: does the orders, commits in batches, reports as it goes.
    pub(super) fn work(
        &self,
        orders: mpsc::Receiver<Order>,
        buffers: &Buffers,
        beside: &Beside<impl Fn(Vec<KeptFile>) -> bool, impl Fn(mpsc::Receiver<Task>) -> bool>,
    ) {
        let check = &beside.check;
        let trace = &self.notes.trace;
        let mut disk = Disk::new(orders);
        let _over = LeavesTurns(self);
        loop {
            trace.work(match self.turns.waits() {
                true => Work::Turn,
                false => Work::Bytes,
            });
            if disk.compares
                && let Some(tasks) = disk.to_compare.take()
                && !(beside.compare)(tasks)
            {
                self.hang_up();
            }
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
                due if self.turns.waits() => {
                    let look = due.map_or(LOOK_EVERY, |due| due.min(LOOK_EVERY));
                    disk.orders.next(Some(look))
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
                        disk.inbox = Some(inbox);
                        if self.origin.goes_on.is_none() {
                            self.take_first_turn();
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
                    self.leave_turns();
                    trace.phase(Phase::Finishing, None);
                    self.notes.send(Note::State(TransferState::Finishing));
                    if self.commit(&mut disk) {
                        self.finish(disk);
                        return;
                    }
                    break;
                }
                Ok(Order::Job(job)) => self.do_job(&mut disk, job, buffers),
                // What waits to be committed is, above.
                Err(RecvTimeoutError::Timeout) => self.pass_turns(),
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

    pub(super) fn begin(&self) {
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

    /// `false` if the session ended before there was room for all of it.
    pub(super) fn commit(&self, disk: &mut Disk) -> bool {
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
    pub(super) fn ends_if_gone(&self, disk: &mut Disk) -> bool {
        disk.looked_at = Instant::now();
        let gone = disk.inbox.as_mut().is_some_and(Inbox::is_gone);
        if gone && self.machine().cancel(Some(&Problem::Gone)) {
            tracing::warn!(folder = %disk.folder.display(), "the save folder is gone");
            self.report(Status::Failed, Some(Failure::Disk(Problem::Gone)));
            self.finish_up();
        }
        gone
    }

    pub(super) fn flush_status(&self) {
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
}
