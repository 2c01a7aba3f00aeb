//! How many wrong tries are left: one bucket for all, and one for each neighbourhood.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

use crate::engine::limits::{GUESS_BACK_EVERY, NEIGHBOURHOODS, neighbourhood};

pub struct Guesses {
    common: Bucket,
    near_most: u32,
    /// Only those that have taken something. One is made only for a token of the common bucket, so
    /// their number grows no faster than that gives.
    near: HashMap<IpAddr, Bucket>,
}

struct Bucket {
    tokens: u32,
    most: u32,
    /// Up to then what came back has been counted.
    refilled: Instant,
}

impl Guesses {
    pub fn new(most: u32, near_most: u32, now: Instant) -> Self {
        Self {
            common: Bucket::full(most, now),
            near_most,
            near: HashMap::new(),
        }
    }

    /// Takes a token from both buckets, or from none if one of them is empty.
    pub fn take(&mut self, from: IpAddr, now: Instant) -> bool {
        self.common.refill(now);
        if self.common.tokens == 0 {
            return false;
        }
        let near = neighbourhood(from);
        if !self.near.contains_key(&near) {
            self.make_room(now);
        }
        let most = self.near_most;
        let near = self.near.entry(near);
        let near = near.or_insert_with(|| Bucket::full(most, now));
        near.refill(now);
        let taken = near.take();
        if taken {
            self.common.take();
        }
        taken
    }

    /// It was no guess.
    pub fn give_back(&mut self, from: IpAddr) {
        self.common.give_back();
        if let Some(near) = self.near.get_mut(&neighbourhood(from)) {
            near.give_back();
        }
    }

    pub fn fill(&mut self) {
        self.common.tokens = self.common.most;
        self.near.clear();
    }

    /// Counts what has come back.
    #[cfg(test)]
    pub fn refill(&mut self, now: Instant) {
        self.common.refill(now);
    }

    /// Of the common bucket.
    pub fn left(&self) -> u32 {
        self.common.tokens
    }

    fn make_room(&mut self, now: Instant) {
        if self.near.len() < NEIGHBOURHOODS {
            return;
        }
        self.near.retain(|_, bucket| {
            bucket.refill(now);
            bucket.tokens < bucket.most
        });
        if self.near.len() >= NEIGHBOURHOODS {
            let oldest = self.near.iter().min_by_key(|(_, bucket)| bucket.refilled);
            if let Some(oldest) = oldest.map(|(near, _)| *near) {
                self.near.remove(&oldest);
            }
        }
    }
}

impl Bucket {
    fn full(most: u32, now: Instant) -> Self {
        Self {
            tokens: most,
            most,
            refilled: now,
        }
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.refilled);
        let back = passed.as_secs() / GUESS_BACK_EVERY.as_secs();
        let back = u32::try_from(back).unwrap_or(u32::MAX);
        self.tokens = self.tokens.saturating_add(back).min(self.most);
        if self.tokens == self.most {
            // A full bucket saves nothing up: the first to be taken is back in a whole minute.
            self.refilled = now;
        } else {
            self.refilled += GUESS_BACK_EVERY * back;
        }
    }

    fn take(&mut self) -> bool {
        let left = self.tokens.checked_sub(1);
        self.tokens = left.unwrap_or(0);
        left.is_some()
    }

    fn give_back(&mut self) {
        self.tokens = self.tokens.saturating_add(1).min(self.most);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::time::Duration;

    use super::*;
    use crate::engine::limits::{
        ASKS, ASKS_NEAR, CODE_GUESSES, CODE_GUESSES_NEAR, PASSPHRASE_GUESSES,
        PASSPHRASE_GUESSES_NEAR,
    };

    fn v4(n: u32) -> IpAddr {
        Ipv4Addr::from(n).into()
    }

    #[test]
    fn addresses_of_one_ipv6_network_share_their_guesses_and_mapped_ipv4_is_ipv4() {
        let now = Instant::now();
        let mut guesses = Guesses::new(100, 5, now);
        let network = 0x2001_0db8_0000_0001_u128 << 64;
        let address = |host: u128| IpAddr::from(Ipv6Addr::from(network | host));
        for host in 0..5 {
            assert!(guesses.take(address(host), now));
        }
        assert!(!guesses.take(address(99), now));
        let other = Ipv6Addr::from(network + (1 << 64));
        assert!(guesses.take(other.into(), now));
        assert!(guesses.take(v4(7), now));
        let mapped = Ipv4Addr::from(7).to_ipv6_mapped();
        for _ in 0..4 {
            assert!(guesses.take(mapped.into(), now));
        }
        assert!(!guesses.take(v4(7), now));
    }

    #[test]
    fn what_is_refused_for_one_neighbourhood_costs_the_others_nothing() {
        let now = Instant::now();
        let mut guesses = Guesses::new(10, 5, now);
        for _ in 0..1000 {
            guesses.take(v4(1), now);
        }
        assert_eq!(guesses.left(), 5);
    }

    #[test]
    fn a_minute_brings_one_back_and_no_earlier() {
        let start = Instant::now();
        let mut guesses = Guesses::new(10, 10, start);
        // It has been full for a while.
        let now = start + GUESS_BACK_EVERY.mul_f32(1.9);
        while guesses.take(v4(1), now) {}
        let almost = now + GUESS_BACK_EVERY - Duration::from_millis(1);
        assert!(!guesses.take(v4(1), almost));
        assert!(guesses.take(v4(1), now + GUESS_BACK_EVERY));
        assert!(!guesses.take(v4(1), now + GUESS_BACK_EVERY));
        // A clock that stands still or goes back brings nothing.
        assert!(!guesses.take(v4(1), start));
    }

    #[test]
    fn however_many_neighbourhoods_come_the_table_is_bounded() {
        let start = Instant::now();
        let mut guesses = Guesses::new(u32::MAX, 2, start);
        let mut now = start;
        for n in 0..5_000 {
            now += Duration::from_millis(1);
            assert!(guesses.take(v4(n), now));
            assert!(guesses.near.len() <= NEIGHBOURHOODS);
        }
        // The youngest is still known, and those that are full again went first.
        assert!(guesses.take(v4(4_999), now));
        assert!(!guesses.take(v4(4_999), now));
        let later = now + 2 * GUESS_BACK_EVERY;
        assert!(guesses.take(v4(9_999), later));
        assert_eq!(guesses.near.len(), 1);
    }

    #[test]
    fn no_crowd_makes_it_forgotten_how_many_guesses_a_neighbourhood_has_had() {
        for (most, near_most) in [
            (CODE_GUESSES, CODE_GUESSES_NEAR),
            (PASSPHRASE_GUESSES, PASSPHRASE_GUESSES_NEAR),
            (ASKS, ASKS_NEAR),
        ] {
            let start = Instant::now();
            let mut guesses = Guesses::new(most, near_most, start);
            let guesser = v4(0);
            for _ in 0..near_most {
                assert!(guesses.take(guesser, start));
            }
            let mut next = 1;
            // Until it would have all of them back: others come as often as they are let, each a moment
            // later, so that what is known of it is always the oldest.
            for minute in 0..near_most {
                let now = start + GUESS_BACK_EVERY * minute;
                let later = now + Duration::from_millis(1);
                if minute > 0 {
                    guesses.common.tokens = 1;
                    assert!(guesses.take(guesser, now), "one is back each minute");
                }
                // Some of them know the secret, so that their tries cost nothing and they may come from
                // everywhere;
                for _ in 0..2 * NEIGHBOURHOODS {
                    next += 1;
                    if guesses.take(v4(next), later) {
                        guesses.give_back(v4(next));
                    }
                }
                // the others use up what there is.
                while guesses.take(v4(next), later) {
                    next += 1;
                }
                guesses.common.tokens = most;
                assert!(!guesses.take(guesser, now), "and no second one");
                guesses.common.tokens = 0;
                assert!(guesses.near.len() <= NEIGHBOURHOODS);
            }
        }
    }

    #[test]
    fn what_is_given_back_never_makes_more_than_there_was() {
        let now = Instant::now();
        let mut guesses = Guesses::new(10, 5, now);
        for _ in 0..100 {
            guesses.give_back(v4(1));
        }
        let mut taken = 0;
        while guesses.take(v4(taken), now) {
            taken += 1;
        }
        assert_eq!(taken, 10);
    }
}
