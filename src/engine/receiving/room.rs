//! What the disk thread does while the disk is full: it waits, both ends say so, and it goes on.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::{Disk, Order, Receiving};
use crate::engine::lock;
use crate::engine::throttle::let_go;
use crate::engine::wire::Work;
use crate::model::{Hold, Problem};
use crate::storage::inbox::{Full, Inbox, Room, room};

/// The disk is looked at so often while it is full.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What is free may not be ours: a quota is only known by trying.
const TRY_EVERY: Duration = Duration::from_secs(10);
/// With less, the next file would fill it again.
const WORTH_A_TRY_BYTES: u64 = 16 << 20;
/// A need that changed by less is not told again.
const NEWS_BYTES: u64 = 1 << 20;

/// The orders of a disk thread. Those that come while it waits for room keep their turn; their
/// number is bounded by the credit, which does not grow meanwhile.
pub(super) struct Orders {
    queue: mpsc::Receiver<Order>,
    later: VecDeque<Order>,
    /// The session ends; what waits is not done any more.
    ended: bool,
}

impl Orders {
    pub fn new(queue: mpsc::Receiver<Order>) -> Self {
        Self {
            queue,
            later: VecDeque::new(),
            ended: false,
        }
    }

    pub fn next(&mut self, within: Option<Duration>) -> Result<Order, RecvTimeoutError> {
        if self.ended {
            return Ok(Order::Stop);
        }
        if let Some(order) = self.later.pop_front() {
            return Ok(order);
        }
        match within {
            None => self
                .queue
                .recv()
                .map_err(|_gone| RecvTimeoutError::Disconnected),
            Some(within) => self.queue.recv_timeout(within),
        }
    }

    /// `false` if the session is to end.
    fn pause(&mut self, pause: Duration) -> bool {
        if self.ended {
            return false;
        }
        let until = Instant::now() + pause;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.queue.recv_timeout(left) {
                Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => {
                    self.ended = true;
                    return false;
                }
                Ok(order) => self.later.push_back(order),
                Err(RecvTimeoutError::Timeout) => return true,
            }
        }
    }
}

/// A disk that makes names of its free room has none left for either when it is full.
fn holds_no_more_files(left: Room) -> bool {
    const FULL_BYTES: u64 = 1 << 20;
    left.free_files == Some(0) && left.free_bytes >= FULL_BYTES
}

/// What was free then was not enough.
fn has_more(before: Room, now: Room, hold: Hold) -> bool {
    match hold {
        Hold::NoFiles => now.free_files > before.free_files,
        Hold::NoRoom { needed_bytes } => {
            let more = needed_bytes.clamp(1, WORTH_A_TRY_BYTES);
            now.free_bytes >= before.free_bytes.saturating_add(more)
        }
        // Which may not be seen at all.
        Hold::Quota => now.free_bytes > before.free_bytes,
        Hold::Person | Hold::Turn => true,
    }
}

impl Receiving {
    /// Does something that needs room, as soon as there is some. `None`: the session ended before.
    pub(super) fn with_room<T>(
        &self,
        disk: &mut Disk,
        mut attempt: impl FnMut(&mut Inbox) -> Result<T, Full>,
    ) -> Option<T> {
        loop {
            let full = match attempt(disk.inbox.as_mut()?) {
                Ok(done) => {
                    self.has_room();
                    return Some(done);
                }
                Err(full) => full,
            };
            // What is complete gets its name: it may be all that arrives for a while.
            let committed = disk.inbox.as_mut()?.commit();
            self.settle(committed);
            self.flush_status();
            if !self.wait_for_room(disk, full) {
                return None;
            }
        }
    }

    /// The same before there is a place on the disk at all.
    pub(super) fn open_with_room(
        &self,
        disk: &mut Disk,
        open: impl Fn() -> Result<Inbox, Problem>,
    ) -> Option<Result<Inbox, Problem>> {
        loop {
            match open() {
                Err(problem) if problem.lacks_room() => {
                    let quota = problem == Problem::Quota;
                    if !self.wait_for_room(disk, Full { quota }) {
                        return None;
                    }
                }
                opened => {
                    self.has_room();
                    return Some(opened);
                }
            }
        }
    }

    /// `false` if the session ended before there was room.
    fn wait_for_room(&self, disk: &mut Disk, full: Full) -> bool {
        let tried = Instant::now();
        let before = room(&disk.folder);
        if lock(&self.needs).is_none() {
            tracing::warn!(folder = %disk.folder.display(), ?before, ?full, "the disk is full");
        }
        loop {
            let hold = match room(&disk.folder) {
                _ if full.quota => Hold::Quota,
                Some(left) if holds_no_more_files(left) => Hold::NoFiles,
                left => Hold::NoRoom {
                    needed_bytes: left.map_or(0, |left| self.needed_bytes(disk, left)),
                },
            };
            self.needs_room(hold);
            if !disk.orders.pause(LOOK_EVERY) || self.stopped.load(Ordering::SeqCst) {
                return false;
            }
            let enough = match (before, room(&disk.folder)) {
                (Some(before), Some(now)) => has_more(before, now, hold),
                (_, _) => true,
            };
            if enough || tried.elapsed() >= TRY_EVERY {
                return true;
            }
        }
    }

    /// What the disk lacks for all that is still to come; 0 if it does not look full.
    fn needed_bytes(&self, disk: &Disk, left: Room) -> u64 {
        let all = self.machine().needed_room(left.block_bytes);
        let taken = disk.inbox.as_ref().map_or(0, Inbox::taken_bytes);
        all.saturating_sub(taken).saturating_sub(left.free_bytes)
    }

    fn needs_room(&self, hold: Hold) {
        let mut needs = lock(&self.needs);
        let news = match (*needs, hold) {
            (
                Some(Hold::NoRoom {
                    needed_bytes: before,
                }),
                Hold::NoRoom { needed_bytes: now },
            ) => before.abs_diff(now) >= NEWS_BYTES,
            (before, now) => before != Some(now),
        };
        if news {
            *needs = Some(hold);
            drop(needs);
            self.tell_hold();
        }
    }

    fn has_room(&self) {
        let waited = lock(&self.needs).take().is_some();
        if waited {
            tracing::info!("there is room again");
            self.tell_hold();
        }
    }

    /// Takes its time with content, so that the credit, and with it the sender, takes it too.
    pub(super) fn keep_limits(&self, disk: &mut Disk, content_bytes: u64) {
        if content_bytes > 0 {
            let limits = [&*self.throttle, &self.live.throttle];
            self.notes.trace.work(Work::Limit);
            let _ended = let_go(limits, content_bytes, |rest| {
                // A piece may rest for long; what is complete does not.
                if disk.commit_due() == Some(Duration::ZERO) {
                    self.commit(disk);
                }
                disk.orders.pause(rest)
            });
            self.notes.trace.work(Work::Disk);
        }
    }

    /// A person lets no content come, or lets it come again.
    pub fn pause(&self, paused: bool) {
        self.paused.store(paused, Ordering::SeqCst);
        self.tell_hold();
    }

    /// Whatever holds it up, a person before a disk: that is who has to act first.
    fn tell_hold(&self) {
        // Read under the machine's lock, or an older answer could come last.
        let mut machine = self.machine();
        let no_room = *lock(&self.needs);
        let paused = self.paused.load(Ordering::SeqCst).then_some(Hold::Person);
        machine.hold(paused.or(no_room));
        self.live.holds(machine.holds());
        if let Some(credit) = machine.poll_credit() {
            self.link.outbox.credit(credit);
        }
        drop(machine);
        self.pump();
    }
}
