//! How much may come in: token buckets, one for each source and two for all together.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// A device says at most two datagrams a way and interval; some in a row at its start.
const PER_SOURCE: Rate = Rate {
    a_second: 20.0,
    at_once: 60.0,
};
/// Who is in the table already, and everybody else: a flood of strangers does not make those disappear.
const HEARD: Rate = Rate {
    a_second: 400.0,
    at_once: 800.0,
};
const STRANGERS: Rate = Rate {
    a_second: 200.0,
    at_once: 400.0,
};
/// Beyond these, strangers that have not come lately are forgotten; who is in the table is let in up to
/// four times as many.
const SOURCES: usize = 1_024;
/// Looking for those costs time.
const SWEEP_EVERY: Duration = Duration::from_millis(250);

#[derive(Clone, Copy)]
pub struct Rate {
    pub a_second: f64,
    pub at_once: f64,
}

pub struct Bucket {
    rate: Rate,
    tokens: f64,
    last: Instant,
}

impl Bucket {
    pub fn new(rate: Rate, now: Instant) -> Self {
        Self {
            rate,
            tokens: rate.at_once,
            last: now,
        }
    }

    pub fn take(&mut self, now: Instant) -> bool {
        self.refill(now);
        let some = self.tokens >= 1.0;
        if some {
            self.tokens -= 1.0;
        }
        some
    }

    fn refill(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.last).as_secs_f64();
        self.tokens = (self.tokens + since * self.rate.a_second).min(self.rate.at_once);
        self.last = now;
    }

    fn is_full(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.tokens >= self.rate.at_once
    }
}

/// Answers to queries; who asks more often has heard the ones before.
const ANSWERS_TO_ONE: Rate = Rate {
    a_second: 2.0,
    at_once: 4.0,
};
const ANSWERS: Rate = Rate {
    a_second: 50.0,
    at_once: 50.0,
};

/// Decides which datagrams are looked at.
pub struct Gate {
    per_source: Rate,
    heard: Bucket,
    strangers: Bucket,
    sources: HashMap<IpAddr, Bucket>,
    swept: Option<Instant>,
}

/// What becomes of a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Passage {
    Free,
    /// Its source has had its share.
    Busy,
    /// All sources together have; nothing is lost by not listening for a moment.
    Flood,
}

impl Gate {
    pub fn new(now: Instant) -> Self {
        Self {
            per_source: PER_SOURCE,
            heard: Bucket::new(HEARD, now),
            strangers: Bucket::new(STRANGERS, now),
            sources: HashMap::new(),
            swept: None,
        }
    }

    /// Decides which queries are answered.
    pub fn of_answers(now: Instant) -> Self {
        Self {
            per_source: ANSWERS_TO_ONE,
            heard: Bucket::new(ANSWERS, now),
            strangers: Bucket::new(ANSWERS, now),
            sources: HashMap::new(),
            swept: None,
        }
    }

    /// `heard` says whether a device in the table has this address; it is asked only in a flood.
    pub fn pass(&mut self, from: IpAddr, heard: impl Fn() -> bool, now: Instant) -> Passage {
        if self.sources.len() >= SOURCES && !self.sources.contains_key(&from) {
            let most = if heard() { SOURCES * 4 } else { SOURCES };
            let swept = self.swept.map(|at| now.saturating_duration_since(at));
            if swept.is_none_or(|since| since >= SWEEP_EVERY) {
                self.swept = Some(now);
                self.sources.retain(|_, bucket| !bucket.is_full(now));
            }
            if self.sources.len() >= most {
                return Passage::Flood;
            }
        }
        let source = self.sources.entry(from);
        let source = source.or_insert_with(|| Bucket::new(self.per_source, now));
        if !source.take(now) {
            return Passage::Busy;
        }
        match self.strangers.take(now) || (heard() && self.heard.take(now)) {
            true => Passage::Free,
            false => Passage::Flood,
        }
    }

    #[cfg(test)]
    pub fn sources(&self) -> usize {
        self.sources.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn one_source_has_its_share_and_no_more() {
        let start = Instant::now();
        let mut gate = Gate::new(start);
        let from = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
        let passed = |gate: &mut Gate, at| {
            let tries = (0..1_000).filter(|_| gate.pass(from, || false, at) == Passage::Free);
            tries.count()
        };
        assert_eq!(passed(&mut gate, start), 60);
        assert_eq!(passed(&mut gate, start + Duration::from_secs(1)), 20);
        let other = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
        assert_eq!(gate.pass(other, || false, start), Passage::Free);
    }

    #[test]
    fn a_flood_of_strangers_leaves_room_for_who_was_heard_before() {
        let start = Instant::now();
        let mut gate = Gate::new(start);
        for n in 0..100_000_u32 {
            gate.pass(Ipv4Addr::from(0x0a00_0000 + n).into(), || false, start);
        }
        assert!(gate.sources() <= SOURCES);
        let stranger = IpAddr::V4(Ipv4Addr::new(172, 16, 0, 1));
        assert_eq!(gate.pass(stranger, || false, start), Passage::Flood);
        for n in 0..50_u32 {
            let heard = IpAddr::V4(Ipv4Addr::from(0xc0a8_0100 + n));
            assert_eq!(gate.pass(heard, || true, start), Passage::Free);
        }
        // Sources that have come back to rest make room.
        let later = start + Duration::from_secs(1);
        assert_eq!(gate.pass(stranger, || false, later), Passage::Free);
        assert!(gate.sources() < SOURCES);
    }
}
