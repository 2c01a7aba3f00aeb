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
use crate::storage::free_bytes;
use crate::storage::inbox::{Full, Inbox};

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

impl Receiving {
    /// Does something that needs room, as soon as there is some. `None`: the session ended before.
    pub(super) fn with_room<T>(
        &self,
        disk: &mut Disk,
        mut attempt: impl FnMut(&mut Inbox) -> Result<T, Full>,
    ) -> Option<T> {
        loop {
            if let Ok(done) = attempt(disk.inbox.as_mut()?) {
                self.has_room();
                return Some(done);
            }
            // What is complete gets its name: it may be all that arrives for a while.
            let committed = disk.inbox.as_mut()?.commit();
            self.settle(committed);
            self.flush_status();
            if !self.wait_for_room(disk) {
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
                    if !self.wait_for_room(disk) {
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
    fn wait_for_room(&self, disk: &mut Disk) -> bool {
        let tried = Instant::now();
        let before = free_bytes(&disk.folder);
        if lock(&self.needs).is_none() {
            tracing::warn!(folder = %disk.folder.display(), "the disk is full");
        }
        loop {
            let free = free_bytes(&disk.folder);
            let needed = self.needed_bytes(disk, free);
            self.needs_room(needed);
            if !disk.orders.pause(LOOK_EVERY) || self.stopped.load(Ordering::SeqCst) {
                return false;
            }
            // What was free then was not enough.
            let more = needed.clamp(1, WORTH_A_TRY_BYTES);
            let now = free_bytes(&disk.folder);
            let enough = match (before, now) {
                (Some(before), Some(now)) => now >= before.saturating_add(more),
                (_, _) => true,
            };
            if enough || tried.elapsed() >= TRY_EVERY {
                return true;
            }
        }
    }

    /// What the disk lacks for all that is still to come; 0 if it does not look full.
    fn needed_bytes(&self, disk: &Disk, free: Option<u64>) -> u64 {
        let machine = self.machine();
        let missing = machine.wanted_bytes().saturating_sub(machine.held_bytes());
        drop(machine);
        let taken = disk.inbox.as_ref().map_or(0, Inbox::reserved_bytes);
        free.map_or(0, |free| missing.saturating_sub(taken).saturating_sub(free))
    }

    fn needs_room(&self, needed_bytes: u64) {
        let mut needs = lock(&self.needs);
        let news = needs.is_none_or(|before| before.abs_diff(needed_bytes) >= NEWS_BYTES);
        if news {
            *needs = Some(needed_bytes);
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
            let _ended = let_go(limits, content_bytes, |rest| disk.orders.pause(rest));
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
        let no_room = lock(&self.needs).map(|needed_bytes| Hold::NoRoom { needed_bytes });
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
