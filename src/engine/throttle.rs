//! A limit on how fast content moves: each piece is let go at the time at which the limit has paid for
//! the ones before it.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::lock;

/// What may go at once after a rest, so that a limit is kept over seconds and not over packets.
const BURST: Duration = Duration::from_millis(250);
/// Larger pieces than there are would overflow a clock.
const MOST_BYTES: u64 = 1 << 30;
/// Nobody waits longer without looking whether the limit has changed.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Shared by whoever moves content under the same limit.
#[derive(Debug, Default)]
pub struct Throttle(Mutex<Option<Rate>>);

#[derive(Debug)]
struct Rate {
    bytes_per_second: u64,
    /// When everything let go so far is paid for.
    paid: Instant,
}

impl Throttle {
    /// `None` or 0: no limit.
    pub fn set(&self, bytes_per_second: Option<u64>) {
        let mut rate = lock(&self.0);
        let asked = bytes_per_second.filter(|asked| *asked > 0);
        if rate.as_ref().map(|rate| rate.bytes_per_second) != asked {
            *rate = asked.map(|bytes_per_second| Rate {
                bytes_per_second,
                paid: Instant::now(),
            });
        }
    }

    pub fn is_set(&self) -> bool {
        lock(&self.0).is_some()
    }

    /// Pays for a piece; says how long it takes until it is paid for.
    fn pay(&self, bytes: u64, now: Instant) -> Duration {
        let mut rate = lock(&self.0);
        let Some(rate) = rate.as_mut() else {
            return Duration::ZERO;
        };
        let price = bytes.min(MOST_BYTES) as f64 / rate.bytes_per_second as f64;
        let rested = now.checked_sub(BURST).unwrap_or(now);
        rate.paid = rate.paid.max(rested) + Duration::from_secs_f64(price);
        rate.paid.saturating_duration_since(now)
    }

    /// Until everything that was let go is paid for.
    fn owed(&self, now: Instant) -> Duration {
        let rate = lock(&self.0);
        let paid = rate.as_ref().map(|rate| rate.paid);
        paid.map_or(Duration::ZERO, |paid| paid.saturating_duration_since(now))
    }
}

/// Lets a piece go under several limits at once. `rest` waits, and says `false` if there is nothing
/// to wait for any more; then so does this.
pub fn let_go(limits: [&Throttle; 2], bytes: u64, mut rest: impl FnMut(Duration) -> bool) -> bool {
    let now = Instant::now();
    let most = |waits: [Duration; 2]| waits.into_iter().max().unwrap_or_default();
    let turn = now + most(limits.map(|limit| limit.pay(bytes, now)));
    loop {
        let now = Instant::now();
        // A limit that was lifted owes nothing.
        let owed = most(limits.map(|limit| limit.owed(now)));
        let left = turn.saturating_duration_since(now).min(owed);
        if left.is_zero() {
            return true;
        }
        if !rest(left.min(LOOK_AGAIN)) {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_kept_over_many_pieces() {
        let limit = Throttle::default();
        limit.set(Some(1_000_000));
        let now = Instant::now();
        let waits: Vec<_> = (0..40).map(|_| limit.pay(250_000, now)).collect();
        let last = waits[39];
        let expected = Duration::from_secs(10);
        assert!(last <= expected && last >= expected - BURST, "{last:?}");
        // Ten seconds later all of it is paid for, and a rest has earned no more than a burst.
        let later = now + Duration::from_secs(60);
        assert_eq!(limit.owed(later), Duration::ZERO);
        assert!(limit.pay(1_000_000, later) >= Duration::from_secs(1) - BURST);
    }

    #[test]
    fn without_a_limit_nobody_rests_and_a_lifted_one_owes_nothing() {
        let (one, other) = (Throttle::default(), Throttle::default());
        assert!(let_go([&one, &other], u64::MAX, |_| panic!("no rest")));
        one.set(Some(1));
        let mut rests = 0;
        let gone = let_go([&one, &other], 1_000_000, |rest| {
            assert!(rest <= LOOK_AGAIN);
            rests += 1;
            if rests == 3 {
                one.set(None);
            }
            true
        });
        assert!(gone);
        assert_eq!(rests, 3);
    }

    #[test]
    fn who_has_nothing_to_wait_for_is_let_go_at_once() {
        let (one, other) = (Throttle::default(), Throttle::default());
        one.set(Some(1));
        assert!(!let_go([&one, &other], 1_000_000, |_| false));
    }

    #[test]
    fn the_lower_of_two_limits_counts() {
        let (all, this) = (Throttle::default(), Throttle::default());
        all.set(Some(10));
        this.set(Some(1000));
        let now = Instant::now();
        let waits = [&all, &this].map(|limit| limit.pay(100, now));
        assert!(waits[0] > waits[1]);
    }
}
