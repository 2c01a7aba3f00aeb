//! Keeps the computer from falling asleep by itself while content moves. A person can still send it
//! to sleep.
//!
//! Asking the system may take its time, so a thread of its own does it.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::note::Input;

/// Not asked for anew in every gap between two files.
const REST_BEFORE_SLEEP: Duration = Duration::from_secs(10);

/// What is over sooner need not ask, which costs more than a small transfer does: no computer falls
/// asleep within seconds of a person's doing.
const ASKED_AFTER: Duration = Duration::from_secs(3);

/// The system may not answer; then the thread is left to it.
const LEAVE_AFTER: Duration = Duration::from_millis(500);

/// Dropping it lets the computer sleep again.
pub struct Awake {
    inputs: Sender<Input>,
    asking: Option<Asking>,
    wanted: bool,
    moves: Option<Moves>,
}

/// Content moves, without a long rest.
#[derive(Clone, Copy)]
struct Moves {
    since: Instant,
    last: Instant,
}

impl Awake {
    /// [`Input::KeptAwake`] says what became of each wish.
    pub fn new(inputs: Sender<Input>) -> Self {
        Self {
            inputs,
            asking: None,
            wanted: false,
            moves: None,
        }
    }

    /// To be told often whether content moves.
    pub fn look(&mut self, moving: bool) {
        self.look_at(Instant::now(), moving);
    }

    fn look_at(&mut self, now: Instant, moving: bool) {
        self.moves = self
            .moves
            .filter(|moves| now.duration_since(moves.last) < REST_BEFORE_SLEEP)
            .or_else(|| {
                moving.then_some(Moves {
                    since: now,
                    last: now,
                })
            });
        if let Some(moves) = self.moves.as_mut().filter(|_| moving) {
            moves.last = now;
        }
        let wanted = self
            .moves
            .is_some_and(|moves| self.wanted || moves.last - moves.since >= ASKED_AFTER);
        if wanted == self.wanted {
            return;
        }
        self.wanted = wanted;
        let asking = self
            .asking
            .get_or_insert_with(|| Asking::begin(&self.inputs));
        if let Some(wants) = &asking.wants {
            let _ = wants.send(wanted);
        }
    }

    /// When to look again although nothing happens.
    pub fn next_look(&self) -> Option<Duration> {
        self.next_look_after(Instant::now())
    }

    fn next_look_after(&self, now: Instant) -> Option<Duration> {
        let moves = self.moves?;
        let asked = ASKED_AFTER.checked_sub(now.duration_since(moves.since));
        let over = || REST_BEFORE_SLEEP.saturating_sub(now.duration_since(moves.last));
        Some(asked.filter(|_| !self.wanted).unwrap_or_else(over))
    }
}

/// The thread that asks.
struct Asking {
    wants: Option<Sender<bool>>,
    thread: Option<JoinHandle<()>>,
    /// Hangs up when the thread ends.
    alive: Receiver<()>,
}

impl Asking {
    fn begin(inputs: &Sender<Input>) -> Self {
        let (wants, wanted) = channel();
        let (living, alive) = channel();
        let inputs = inputs.clone();
        let thread = std::thread::Builder::new()
            .name("awake".into())
            .spawn(move || {
                let _living = living;
                keep(&wanted, &inputs);
            });
        if let Err(error) = &thread {
            tracing::warn!(%error, "the computer may fall asleep during transfers");
        }
        Self {
            wants: Some(wants),
            thread: thread.ok(),
            alive,
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.wants = None;
        let ended = self.alive.recv_timeout(LEAVE_AFTER) == Err(RecvTimeoutError::Disconnected);
        if let Some(thread) = self.thread.take().filter(|_| ended) {
            let _ = thread.join();
        }
    }
}

#[cfg(feature = "gui")]
fn keep(wanted: &Receiver<bool>, inputs: &Sender<Input>) {
    let mut held = None;
    for wanted in wanted {
        held = None;
        if wanted {
            let asked = keepawake::Builder::default()
                .idle(true)
                .app_name("Ropeway")
                .app_reverse_domain("ropeway")
                .reason("Files are being transferred")
                .create();
            match asked {
                Ok(handle) => held = Some(handle),
                // No session that could sleep, or one that does not take wishes.
                Err(error) => tracing::info!(%error, "nobody keeps the computer awake"),
            }
        }
        let _ = inputs.send(Input::KeptAwake(held.is_some()));
    }
    drop(held);
}

/// The headless program has no way to ask.
#[cfg(not(feature = "gui"))]
fn keep(wanted: &Receiver<bool>, inputs: &Sender<Input>) {
    for _wish in wanted {
        let _ = inputs.send(Input::KeptAwake(false));
    }
}

/// Notices that the computer, or only this program, has not run for a while.
pub struct Nap {
    last: Option<Duration>,
}

/// A busy machine does not keep us waiting for so long.
const ASLEEP: Duration = Duration::from_secs(20);

impl Nap {
    pub fn new() -> Self {
        Self { last: None }
    }

    /// To be asked at least every few seconds while `watching`; says how long nobody asked, if that
    /// was a sleep.
    pub fn over(&mut self, watching: bool) -> Option<Duration> {
        let now = since_boot();
        let gap = self.last.map(|last| now.saturating_sub(last));
        self.last = watching.then_some(now);
        gap.filter(|gap| *gap >= ASLEEP)
    }
}

/// A clock that also runs while the computer sleeps.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn since_boot() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    let nanos = u32::try_from(now.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanos)
}

/// The calendar's: it runs on, too, though somebody may set it.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn since_boot() -> Duration {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_a_sleep_only_while_somebody_watches() {
        let mut nap = Nap::new();
        assert_eq!(nap.over(true), None);
        assert_eq!(nap.over(true), None);
        nap.last = since_boot().checked_sub(ASLEEP * 2);
        assert!(nap.over(true) >= Some(ASLEEP * 2));
        assert_eq!(nap.over(false), None);
        assert_eq!(nap.over(true), None);
    }

    #[test]
    fn a_wish_is_said_once_and_outlives_short_gaps() {
        let (inputs, said) = channel();
        let mut awake = Awake::new(inputs);
        let begun = Instant::now();
        for (second, moving) in [(0, true), (1, false), (4, true), (9, true), (12, false)] {
            awake.look_at(begun + Duration::from_secs(second), moving);
        }
        let now = begun + Duration::from_secs(12);
        assert_eq!(awake.next_look_after(now), Some(Duration::from_secs(7)));
        awake.look_at(begun + Duration::from_secs(18), false);
        assert!(awake.wanted);
        awake.look_at(begun + Duration::from_secs(19), false);
        assert!(!awake.wanted);
        drop(awake);
        let said: Vec<_> = said
            .iter()
            .map(|input| match input {
                Input::KeptAwake(kept) => kept,
                _ => panic!("nothing else is said"),
            })
            .collect();
        assert_eq!(said.len(), 2);
        assert!(!said[1]);
    }

    #[test]
    fn what_is_over_soon_asks_nobody_and_what_goes_on_is_looked_at_in_time() {
        let (inputs, _said) = channel();
        let mut awake = Awake::new(inputs);
        assert_eq!(awake.next_look(), None);
        let begun = Instant::now();
        let at = |tenths: u64| begun + Duration::from_millis(tenths * 100);
        for (tenths, moving, next) in [
            (0, true, 30),
            (29, true, 1),
            (31, false, 98),
            (100, false, 29),
        ] {
            awake.look_at(at(tenths), moving);
            assert!(awake.asking.is_none());
            let next = Some(Duration::from_millis(next * 100));
            assert_eq!(
                awake.next_look_after(at(tenths)),
                next,
                "after {tenths} tenths"
            );
        }
        // After a rest it begins anew.
        for (seconds, asked) in [(20, false), (22, false), (23, true)] {
            awake.look_at(begun + Duration::from_secs(seconds), true);
            assert_eq!(awake.asking.is_some(), asked, "after {seconds} s");
        }
    }
}
