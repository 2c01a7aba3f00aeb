//! How far a transfer is, how fast, and how long it will still take.
//!
//! The meter is handed the time; it owns no clock.

use std::time::Duration;

use super::transfer::TransferId;

/// One picture of a running transfer. May be skipped; the next one says everything again.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Progress {
    pub transfer: TransferId,
    /// Content held by the receiver.
    pub bytes: u64,
    /// Content of the offer as far as it is counted.
    pub total_bytes: u64,
    /// Files that reached their end, failed ones included.
    pub entries_done: u64,
    pub entries: u64,
    /// Of what was kept from an earlier run: compared so far, and to be compared.
    pub checked_bytes: u64,
    pub check_bytes: u64,
    pub bytes_per_second: u64,
    /// `None` while it cannot be told.
    pub eta: Option<Duration>,
}

/// Smooths the speed so that it can be read: an exponential average whose memory is about three
/// seconds, however unevenly the samples come.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    last: Option<(Duration, u64)>,
    /// When the first bytes began to move.
    moving_since: Option<Duration>,
    bytes_per_second: f64,
}

impl Meter {
    /// Long enough that a speed can be read, short enough that a stall shows.
    const MEMORY_SECONDS: f64 = 3.0;
    /// Closer samples would divide by almost nothing.
    const MIN_GAP: Duration = Duration::from_millis(10);

    /// Takes the time since the start and the bytes held so far.
    pub fn sample(&mut self, now: Duration, bytes: u64) {
        let Some((then, before)) = self.last else {
            self.last = Some((now, bytes));
            return;
        };
        let gap = now.saturating_sub(then);
        if gap < Self::MIN_GAP {
            return;
        }
        let seconds = gap.as_secs_f64();
        let speed = bytes.saturating_sub(before) as f64 / seconds;
        let since = match self.moving_since {
            Some(since) => since,
            None if bytes == before => then,
            None => *self.moving_since.insert(then),
        };
        // Until there is enough to remember it is the plain average, so that neither nothing nor the
        // first fifth of a second weighs too much.
        let share = seconds / now.saturating_sub(since).as_secs_f64();
        let weight = (1.0 - (-seconds / Self::MEMORY_SECONDS).exp()).max(share);
        self.bytes_per_second += (speed - self.bytes_per_second) * weight;
        self.last = Some((now, bytes));
    }

    /// When the last sample was taken, since the start.
    pub fn last_sample(&self) -> Option<Duration> {
        self.last.map(|(at, _)| at)
    }

    pub fn bytes_per_second(&self) -> u64 {
        self.bytes_per_second as u64
    }

    /// Time left for so many more bytes; `None` while nothing moves or beyond 99 days.
    pub fn eta(&self, remaining_bytes: u64) -> Option<Duration> {
        const TOO_LONG_SECONDS: f64 = 99.0 * 86_400.0;
        if self.bytes_per_second < 1.0 {
            return None;
        }
        let seconds = remaining_bytes as f64 / self.bytes_per_second;
        (seconds < TOO_LONG_SECONDS).then(|| Duration::from_secs_f64(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_stream_shows_its_speed_and_a_stall_fades_out() {
        let mut meter = Meter::default();
        for tenth in 0..=50_u64 {
            meter.sample(Duration::from_millis(tenth * 100), tenth * 1_000_000);
        }
        let steady = meter.bytes_per_second();
        assert!((9_900_000..=10_100_000).contains(&steady), "{steady}");
        let eta = meter.eta(100_000_000).expect("moving").as_secs_f64();
        assert!((9.9..=10.1).contains(&eta), "{eta}");
        for tenth in 51..=250_u64 {
            meter.sample(Duration::from_millis(tenth * 100), 50_000_000);
        }
        assert!(meter.bytes_per_second() < steady / 100);
    }

    #[test]
    fn the_first_moments_do_not_colour_the_speed_of_the_next_second() {
        let mut meter = Meter::default();
        meter.sample(Duration::ZERO, 0);
        meter.sample(Duration::from_millis(50), 0);
        meter.sample(Duration::from_millis(100), 10_000);
        for step in 1..=18_u64 {
            meter.sample(Duration::from_millis(100 + step * 50), step * 500_000);
        }
        let speed = meter.bytes_per_second();
        assert!((9_000_000..=10_500_000).contains(&speed), "{speed}");
    }

    #[test]
    fn nothing_moving_means_no_time_left_is_shown() {
        let mut meter = Meter::default();
        assert_eq!(meter.eta(1), None);
        meter.sample(Duration::ZERO, 0);
        meter.sample(Duration::from_secs(1), 0);
        assert_eq!(meter.eta(1), None);
    }
}
