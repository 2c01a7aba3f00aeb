//! How many connections a transfer is worth. No clock and no socket of its own.
//!
//! One stream of TCP takes each lost packet for a full line, so on a long path that loses some it stays
//! far below what the line carries; several do not. As long as what is ready waits for the network, and
//! not for a disk, a limit or a person, and each step has brought something, there are twice as many. Where
//! the path is far and much is to come, the first steps are taken without looking: each costs several
//! round trips, in which a transfer of some hundred MiB would be over.

use std::time::Duration;

use crate::engine::dial::LONG_PATH;
use crate::engine::limits::CONNECTIONS_OF_TRANSFER;
use crate::engine::outbox::Flow;

/// How long a step is looked at, at least: what a disk does in between evens out.
const STEP: Duration = Duration::from_millis(200);
/// Round trips for a new stream to show what it can.
const STEP_ROUND_TRIPS: u32 = 5;
/// Frames in a step, at least: with fewer one more or less would make all the difference.
const STEP_FRAMES: u64 = 4;
/// What a step has to bring to be worth another one.
const GROWTH: f64 = 1.2;
/// A stream that grows so much in a step has not found its speed yet.
const GATHERING: f64 = 1.5;
/// Steps without that before it is settled: a line that others use as well is uneven.
const MISSES: u32 = 4;
/// From so long a way there and back on, and with so much to come, it begins with that many connections.
const FAR: Duration = Duration::from_millis(20);
const FAR_BYTES: u64 = 64 << 20;
const FAR_CONNECTIONS: usize = 4;
/// Streams that do not take a lost packet for a full line fill a gigabit a second with so many; more
/// only stand in each other's way, and each waits for the others' lost packets.
const PACED_CONNECTIONS: usize = 4;
/// Unless their windows, some MiB each as systems have it, are on their way for so long.
const PACED_ROUND_TRIP: Duration = Duration::from_millis(100);
/// With less to come a new connection is there when everything is over.
const WORTH_BYTES: u64 = 4 << 20;
/// Round trips until a new connection carries something, and is worth it.
const WORTH_ROUND_TRIPS: u32 = 10;

/// What can be seen of a transfer.
#[derive(Clone, Copy, Debug)]
pub struct Sight {
    /// How long it has been looked at.
    pub at: Duration,
    pub flow: Flow,
    /// Connections that carry something.
    pub connections: usize,
    /// The shortest time there and back that was seen.
    pub round_trip: Duration,
    /// Content that is still to come.
    pub left_bytes: u64,
    /// A person, a disk or a limit holds it up.
    pub held: bool,
}

#[derive(Debug)]
pub struct Choosing {
    most: usize,
    /// The streams do not take a lost packet for a full line.
    paced: bool,
    /// As many as there were when it was first looked at what they bring.
    first: usize,
    /// Where the present step began.
    since: Option<Sight>,
    /// Bytes a second in the step before, and of the connections of then.
    before: Option<(usize, f64)>,
    /// Bytes a second that the last addition has to exceed.
    to_exceed: f64,
    /// Steps of the present connections that did not exceed it.
    misses: u32,
    settled: bool,
}

impl Choosing {
    /// At most so many connections, since earlier ones were lost.
    pub fn new(most: usize, paced: bool) -> Self {
        Self {
            most: most.min(CONNECTIONS_OF_TRANSFER),
            paced,
            first: 1,
            since: None,
            before: None,
            to_exceed: 0.0,
            misses: 0,
            settled: most <= 1,
        }
    }

    /// Nothing will change any more.
    pub fn settled(&self) -> bool {
        self.settled
    }

    /// Further connections cannot be had.
    pub fn settle(&mut self) {
        self.settled = true;
    }

    /// How many connections there should be, if that is more than there are.
    pub fn look(&mut self, sight: Sight) -> Option<usize> {
        if sight.round_trip < LONG_PATH {
            self.settled = true;
        }
        if self.settled {
            return None;
        }
        let most = match self.paced && sight.round_trip < PACED_ROUND_TRIP {
            true => self.most.min(PACED_CONNECTIONS),
            false => self.most,
        };
        let begins = self.first == 1 && sight.connections == 1 && !sight.held;
        if begins && sight.round_trip >= FAR && sight.left_bytes >= FAR_BYTES {
            self.first = FAR_CONNECTIONS.min(most);
            return (self.first > 1).then_some(self.first);
        }
        let Some(since) = self
            .since
            .filter(|since| !sight.held && !since.held && since.connections == sight.connections)
        else {
            self.since = Some(sight);
            return None;
        };
        let took = sight.at.saturating_sub(since.at);
        let put = sight.flow.put.saturating_sub(since.flow.put);
        if took < STEP.max(sight.round_trip * STEP_ROUND_TRIPS) || put < STEP_FRAMES {
            return None;
        }
        self.since = Some(sight);
        let bytes = sight.flow.bytes.saturating_sub(since.flow.bytes);
        let waited = sight.flow.waited.saturating_sub(since.flow.waited);
        // Where the lane mostly has room, something else is slower than the network.
        if waited * 2 < put {
            return None;
        }
        let rate = bytes as f64 / took.as_secs_f64();
        let before = self.before.replace((sight.connections, rate));
        let again = before.filter(|(connections, _)| *connections == sight.connections);
        let gathers = again.is_none_or(|(_, before)| rate >= before * GATHERING);
        let exceeds = rate >= self.to_exceed;
        let add = match sight.connections {
            // There is nothing to compare it with.
            first if first == self.first => !gathers,
            _ => exceeds,
        };
        if !add {
            // New streams, too, need a while.
            self.misses = if gathers { 0 } else { self.misses + 1 };
            self.settled = self.misses >= MISSES;
            return None;
        }
        let soon = sight.round_trip * WORTH_ROUND_TRIPS;
        if sight.left_bytes < WORTH_BYTES.max((rate * soon.as_secs_f64()) as u64) {
            return None;
        }
        let wanted = (sight.connections * 2).min(most);
        if wanted <= sight.connections {
            self.settled = true;
            return None;
        }
        self.to_exceed = rate * GROWTH;
        self.misses = 0;
        Some(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A path that gives each stream so many bytes a second, up to so many for all of them.
    struct Path {
        round_trip: Duration,
        stream: u64,
        all: u64,
    }

    impl Path {
        /// What is chosen within 10 s, and what the transfer would see at each look.
        fn chosen(&self, most: usize, change: impl Fn(&mut Sight)) -> usize {
            self.chosen_by(Choosing::new(most, false), change)
        }

        fn chosen_by(&self, mut choosing: Choosing, change: impl Fn(&mut Sight)) -> usize {
            let mut sight = Sight {
                at: Duration::ZERO,
                flow: Flow::default(),
                connections: 1,
                round_trip: self.round_trip,
                left_bytes: 1 << 40,
                held: false,
            };
            const LOOK: Duration = Duration::from_millis(50);
            for _ in 0..200 {
                sight.at += LOOK;
                let rate = self.all.min(self.stream * sight.connections as u64);
                sight.flow.bytes += rate / 20;
                sight.flow.put += 20;
                sight.flow.waited += 15;
                let mut seen = sight;
                change(&mut seen);
                if let Some(wanted) = choosing.look(seen) {
                    assert!(wanted > sight.connections);
                    sight.connections = wanted;
                }
            }
            sight.connections
        }
    }

    const LONG: Path = Path {
        round_trip: Duration::from_millis(19),
        stream: 3_000_000,
        all: 125_000_000,
    };

    #[test]
    fn streams_that_add_up_are_added_up_to_eight_or_what_earlier_losses_leave() {
        assert_eq!(LONG.chosen(8, |_| {}), 8);
        assert_eq!(LONG.chosen(100, |_| {}), 8);
        assert_eq!(LONG.chosen(3, |_| {}), 3);
        assert_eq!(LONG.chosen(1, |_| {}), 1);
    }

    #[test]
    fn streams_that_bear_losses_stay_at_four_but_on_the_longest_paths() {
        let over = |round_trip| Path { round_trip, ..LONG };
        let chosen = |path: Path| path.chosen_by(Choosing::new(8, true), |_| {});
        assert_eq!(chosen(LONG), 4);
        assert_eq!(chosen(over(FAR)), 4);
        assert_eq!(chosen(over(PACED_ROUND_TRIP)), 8);
    }

    #[test]
    fn a_step_that_brought_nothing_is_the_last_one() {
        let full = Path {
            all: 3_000_000,
            ..LONG
        };
        assert_eq!(full.chosen(8, |_| {}), 2);
        let half = Path {
            all: 6_500_000,
            ..LONG
        };
        assert_eq!(half.chosen(8, |_| {}), 4);
    }

    #[test]
    fn a_short_path_a_limit_or_anything_but_the_network_leaves_it_at_one() {
        let near = Path {
            round_trip: Duration::from_micros(4900),
            ..LONG
        };
        assert_eq!(near.chosen(8, |_| {}), 1);
        assert_eq!(LONG.chosen(8, |sight| sight.held = true), 1);
        let disk = |sight: &mut Sight| sight.flow.waited = sight.flow.put / 3;
        assert_eq!(LONG.chosen(8, disk), 1);
        assert_eq!(LONG.chosen(8, |sight| sight.left_bytes = 1 << 20), 1);
    }

    #[test]
    fn a_stream_that_still_gathers_speed_is_left_to_it() {
        let quickly = |sight: &mut Sight| {
            // Twice as fast with each step, for more steps than any stream takes.
            let seconds = sight.at.as_secs_f64();
            sight.flow.bytes = (1e3 * (seconds * 4.0).exp2()) as u64;
        };
        assert_eq!(LONG.chosen(8, quickly), 1);
    }

    #[test]
    fn a_far_path_with_much_to_come_begins_with_four() {
        let far = Path {
            round_trip: FAR,
            ..LONG
        };
        assert_eq!(far.chosen(8, |_| {}), 8);
        assert_eq!(far.chosen(3, |_| {}), 3);
        assert_eq!(far.chosen(1, |_| {}), 1);
        // Something other than the network is what limits: no more than those.
        let disk = |sight: &mut Sight| sight.flow.waited = sight.flow.put / 3;
        assert_eq!(far.chosen(8, disk), 4);
        assert_eq!(far.chosen(8, |sight| sight.held = true), 1);
        let little = |sight: &mut Sight| {
            sight.left_bytes = FAR_BYTES - 1;
            sight.flow.waited = 0;
        };
        assert_eq!(far.chosen(8, little), 1);
        let mut choosing = Choosing::new(8, false);
        let sight = Sight {
            at: Duration::ZERO,
            flow: Flow::default(),
            connections: 1,
            round_trip: FAR,
            left_bytes: FAR_BYTES,
            held: false,
        };
        assert_eq!(choosing.look(sight), Some(4), "before anything was sent");
    }

    #[test]
    fn a_shorter_round_trip_seen_later_ends_it() {
        let lost_at_first = |sight: &mut Sight| {
            if sight.connections > 1 {
                sight.round_trip = Duration::from_micros(100);
            }
        };
        assert_eq!(LONG.chosen(8, lost_at_first), 2);
    }
}
