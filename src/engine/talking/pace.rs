//! How fast messages are read: many at once, then a steady few.

use std::time::{Duration, Instant};

use crate::engine::limits::{MESSAGES_A_SECOND, MESSAGES_AT_ONCE};

pub struct Pace {
    left: u32,
    since: Instant,
}

impl Pace {
    pub fn new() -> Self {
        Self {
            left: MESSAGES_AT_ONCE,
            since: Instant::now(),
        }
    }

    /// Counts one message, and takes the time that it takes.
    pub fn wait(&mut self) {
        let wait = self.take(Instant::now());
        if !wait.is_zero() {
            std::thread::sleep(wait);
        }
    }

    fn take(&mut self, now: Instant) -> Duration {
        let each = Duration::from_secs(1) / MESSAGES_A_SECOND;
        let passed = now.saturating_duration_since(self.since);
        let back = u32::try_from(passed.as_nanos() / each.as_nanos()).unwrap_or(u32::MAX);
        if back > 0 {
            self.left = self.left.saturating_add(back).min(MESSAGES_AT_ONCE);
            self.since = now;
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                Duration::ZERO
            }
            None => each,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_come_at_once_then_some_a_second_and_a_pause_brings_them_back() {
        let mut pace = Pace::new();
        let begun = pace.since;
        for _ in 0..MESSAGES_AT_ONCE {
            assert_eq!(pace.take(begun), Duration::ZERO);
        }
        let each = pace.take(begun);
        assert!(each > Duration::ZERO && each * MESSAGES_A_SECOND <= Duration::from_secs(1));
        let later = begun + Duration::from_secs(3600);
        for _ in 0..MESSAGES_AT_ONCE {
            assert_eq!(pace.take(later), Duration::ZERO);
        }
        assert_eq!(pace.take(later), each);
    }
}
