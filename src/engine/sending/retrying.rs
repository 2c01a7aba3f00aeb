//! The transfer's thread: one run after the other, and the rests between them.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::Sending;
use crate::engine::failures::{is_absence, may_go_on};
use crate::engine::note::Note;
use crate::engine::wire::{Closed, Phase};
use crate::engine::{Shared, lock};
use crate::model::{Failure, Status, TransferState};
use crate::protocol::sender::Sender;
use crate::protocol::verification::SessionKey;

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

/// When it is tried again.
struct Backoff {
    /// After the next interruption.
    pause: Duration,
    /// Since when there may be a crowd at the door.
    knocks_since: Instant,
    /// When the disk last said that somebody waits.
    kept: Option<SystemTime>,
}

impl Backoff {
    fn new() -> Self {
        Self {
            pause: FIRST_PAUSE,
            knocks_since: Instant::now(),
            kept: None,
        }
    }

    fn knocks_on(&self) -> bool {
        self.knocks_since.elapsed() < KNOCK_FOR
    }

    /// By the clock of the day, which goes on while the computer sleeps.
    fn is_to_be_kept(&self) -> bool {
        let age = self.kept.and_then(|kept| kept.elapsed().ok());
        age.is_none_or(|age| age >= KEEPS_EVERY)
    }

    /// It got somewhere: whatever interrupted it is new.
    fn has_moved(&mut self) {
        self.pause = FIRST_PAUSE;
    }

    fn was_interrupted(&mut self) {
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

impl Sending {
    /// The transfer's thread: one run after the other until it is over.
    pub fn run(self: &Arc<Self>, key: Option<SessionKey>, shared: &Shared) {
        let mut key = key;
        let mut backoff = Backoff::new();
        loop {
            // Looks at the disk, so not before there is a thread for it.
            self.look_at_picks();
            self.source.begin(self.request.sources.clone());
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
            if dropped && !over && backoff.knocks_on() && again(KNOCK_EVERY) {
                self.begin_again(key.is_some());
                continue;
            }
            let waits = self.request.wait_for_it
                && !accepted
                && self.device().is_some()
                && is_absence(&failure);
            if waits && !over {
                if backoff.is_to_be_kept() {
                    if !self.keep_waiting() {
                        return;
                    }
                    backoff.kept = Some(SystemTime::now());
                }
                self.notes.send(Note::State(TransferState::Away));
                if !self.rest(AWAY_PAUSE) {
                    return;
                }
                // Whoever appears may have a crowd at its door.
                backoff.knocks_since = Instant::now();
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
                backoff.has_moved();
            }
            self.notes.send(Note::State(TransferState::Interrupted));
            if !again(backoff.pause) {
                return;
            }
            backoff.was_interrupted();
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
        // A cancel that came just now keeps it stopped.
        self.stopped
            .store(self.ended.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}
