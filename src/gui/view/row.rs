//! A transfer as its row shows it.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::engine::{Interrupted, Started};
use crate::model::{
    Direction, FileReport, Hold, Holds, Peer, Progress, Status, Summary, TransferId, TransferState,
};

/// A transfer's row.
pub struct Row {
    pub id: TransferId,
    pub direction: Direction,
    pub peer: Peer,
    pub names: Vec<String>,
    pub picked: u64,
    pub places: Vec<PathBuf>,
    pub state: RowState,
    pub progress: Option<Progress>,
    pub speeds: Speeds,
    /// The time left as it is shown.
    pub left: Option<Duration>,
    /// Milliseconds since 1970, of what ended in this run.
    pub ended_at: Option<u64>,
    pub quiet_seconds: u64,
    /// Who holds it up.
    pub holds: Holds,
    /// How fast it may go, in bytes a second.
    pub limit: Option<u64>,
    /// Of what was picked and had to wait: what is not there any more, and what has changed since.
    pub gone: Vec<PathBuf>,
    pub changed: Vec<PathBuf>,
    pub failed: Vec<FileReport>,
    /// Of a row from an earlier run: how many entries failed.
    pub failed_before: u64,
    /// Narrows the list of what failed.
    pub filter: String,
    /// The details are unfolded.
    pub open: bool,
    pub safe: bool,
}

pub enum RowState {
    /// An earlier run of the program left it unfinished. It is kept until then.
    Kept(SystemTime),
    Active(TransferState),
    Ended(Summary),
}

impl Row {
    pub(super) fn new(started: Started) -> Self {
        Self {
            id: started.transfer,
            direction: started.direction,
            peer: started.peer,
            names: started.names,
            picked: started.picked,
            places: started.places,
            state: RowState::Active(TransferState::Connecting),
            progress: None,
            speeds: Speeds::default(),
            left: None,
            ended_at: None,
            quiet_seconds: 0,
            holds: Holds::default(),
            limit: None,
            gone: Vec::new(),
            changed: Vec::new(),
            failed: Vec::new(),
            failed_before: 0,
            filter: String::new(),
            open: false,
            safe: false,
        }
    }

    pub(super) fn kept(kept: Interrupted) -> Self {
        let started = Started {
            transfer: kept.transfer,
            direction: kept.direction,
            peer: kept.peer,
            names: kept.names,
            picked: kept.picked,
            places: kept.places,
        };
        Self {
            state: RowState::Kept(kept.until),
            failed_before: kept.failed,
            progress: Some(Progress {
                transfer: kept.transfer,
                bytes: kept.held_bytes,
                total_bytes: kept.bytes,
                entries_done: 0,
                entries: kept.entries,
                checked_bytes: 0,
                check_bytes: 0,
                bytes_per_second: 0,
                eta: None,
            }),
            ..Self::new(started)
        }
    }

    pub fn active(&self) -> bool {
        matches!(self.state, RowState::Active(_))
    }

    /// Content moves, or would if nobody held it up.
    pub fn moving(&self) -> bool {
        matches!(
            self.state,
            RowState::Active(
                TransferState::Checking | TransferState::Running | TransferState::Interrupted
            )
        )
    }

    /// The person here paused it.
    pub fn paused(&self) -> bool {
        self.active() && self.holds.here == Some(Hold::Person)
    }

    /// Nobody paused it; others go first.
    pub fn queued(&self) -> bool {
        let Holds { here, there } = self.holds;
        let by = |hold, one: Option<Hold>| one == Some(hold);
        (by(Hold::Turn, here) || by(Hold::Turn, there))
            && !by(Hold::Person, here)
            && !by(Hold::Person, there)
    }

    /// It is over; nothing of it is kept or under way.
    pub fn finished(&self) -> bool {
        matches!(self.state, RowState::Ended(_)) && !self.is_kept() && !self.is_held_here()
    }

    /// Entries that failed, listed here or not.
    pub fn all_failed(&self) -> u64 {
        match &self.state {
            RowState::Kept(_) => self.failed_before,
            RowState::Active(_) => self.failed.len() as u64,
            RowState::Ended(summary) => summary.failed,
        }
    }

    /// It came to its end, and what failed may arrive in another try.
    pub fn is_kept(&self) -> bool {
        match &self.state {
            RowState::Kept(_) => self.failed_before > 0,
            RowState::Active(_) => false,
            RowState::Ended(summary) => summary.can_retry,
        }
    }

    /// The sender is the one to try again.
    pub fn can_retry(&self) -> bool {
        self.is_kept() && self.direction == Direction::Send
    }

    /// Something of it lies here, out of sight, until it goes on or is given up.
    pub fn is_held_here(&self) -> bool {
        self.direction == Direction::Receive && self.held_bytes() > 0
    }

    /// What would be lost if it were given up now: of what failed nothing is held.
    pub fn held_bytes(&self) -> u64 {
        let goes_on = match &self.state {
            RowState::Kept(_) => self.failed_before == 0,
            RowState::Active(_) => false,
            RowState::Ended(summary) => match summary.status {
                Status::Cancelled(_) | Status::Interrupted => true,
                Status::Failed => self.direction == Direction::Receive,
                Status::Arrived | Status::Problems | Status::Declined => false,
            },
        };
        let held = self.progress.filter(|_| goes_on);
        held.map_or(0, |progress| progress.bytes)
    }

    /// This device sends it, it was accepted, and it ended before everything was there.
    pub fn can_resume(&self) -> bool {
        let begun = self.progress.is_some_and(|progress| progress.bytes > 0);
        match &self.state {
            RowState::Kept(_) => self.direction == Direction::Send && self.failed_before == 0,
            RowState::Active(_) => false,
            RowState::Ended(summary) => {
                if summary.can_retry {
                    return false;
                }
                let early = matches!(summary.status, Status::Cancelled(_) | Status::Interrupted);
                self.direction == Direction::Send && early && begun
            }
        }
    }

    pub(super) fn moved(&mut self, progress: Progress) {
        self.speeds.add(progress.bytes_per_second);
        self.left = calm(self.left, progress.eta);
        self.progress = Some(progress);
    }

    /// Nothing has come for a while, and nothing says so but that.
    pub(super) fn stands_still(&mut self) {
        self.speeds.add(0);
    }

    /// 0 to 1; 0 while the total is not known.
    pub fn fraction(&self) -> f32 {
        match &self.progress {
            Some(progress) if progress.total_bytes > 0 => {
                (progress.bytes as f64 / progress.total_bytes as f64).min(1.0) as f32
            }
            Some(_) | None => 0.0,
        }
    }

    /// The one thing that was picked may stand under another name here than it had there.
    pub(super) fn learn_name(&mut self, files: &[FileReport]) {
        if self.direction == Direction::Receive
            && self.picked == 1
            && let Some(file) = files.first()
            && let Some(top) = file.path.split('/').next()
        {
            self.names = vec![top.to_owned()];
        }
    }

    /// All that arrived of what was picked, as far as its names are known.
    pub fn result_paths(&self) -> Vec<PathBuf> {
        let Some(folder) = self.places.first() else {
            return Vec::new();
        };
        let paths = self.names.iter().map(|name| folder.join(name));
        paths.filter(|path| path.starts_with(folder)).collect()
    }

    /// What arrived, where it is now: the picked item itself if there was one, else the folder.
    pub fn result_path(&self) -> Option<PathBuf> {
        let folder = self.places.first()?;
        match self.names.as_slice() {
            [only] if self.picked == 1 => {
                let path = folder.join(only);
                Some(if path.starts_with(folder) {
                    path
                } else {
                    folder.clone()
                })
            }
            _ => Some(folder.clone()),
        }
    }
}

/// The time left as it is shown: it runs down, and goes up only when it was really wrong.
fn calm(shown: Option<Duration>, now: Option<Duration>) -> Option<Duration> {
    /// The speed is never quite the same; that much more is no news.
    const NO_NEWS: Duration = Duration::from_secs(3);
    const NO_NEWS_SHARE: u32 = 6;
    match (shown, now) {
        (Some(shown), Some(now))
            if now > shown && now <= shown + NO_NEWS + shown / NO_NEWS_SHARE =>
        {
            Some(shown)
        }
        (_, now) => now,
    }
}

/// How fast it was from the beginning until now, in so few points that they can be drawn.
#[derive(Default)]
pub struct Speeds {
    points: Vec<u64>,
    /// How many reports a point stands for, as a power of two, and those for the next point.
    doublings: u32,
    sum: u64,
    count: u64,
}

impl Speeds {
    const MOST: usize = 120;

    /// Bytes a second, the newest last.
    pub fn points(&self) -> &[u64] {
        &self.points
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn add(&mut self, bytes_per_second: u64) {
        self.sum = self.sum.saturating_add(bytes_per_second);
        self.count += 1;
        if self.count < 1 << self.doublings {
            return;
        }
        self.points.push(self.sum / self.count);
        (self.sum, self.count) = (0, 0);
        if self.points.len() >= Self::MOST {
            let pairs = self.points.chunks(2);
            self.points = pairs
                .map(|pair| pair.iter().sum::<u64>() / pair.len() as u64)
                .collect();
            self.doublings += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_runs_down_and_does_not_tremble() {
        let seconds = |seconds: &[u64]| {
            let mut shown = None;
            let calm = |left: &u64| {
                shown = calm(shown, Some(Duration::from_secs(*left)));
                shown.unwrap_or_default().as_secs()
            };
            seconds.iter().map(calm).collect::<Vec<_>>()
        };
        assert_eq!(seconds(&[60, 62, 58, 61, 57]), [60, 60, 58, 58, 57]);
        assert_eq!(
            seconds(&[60, 59, 180, 175]),
            [60, 59, 180, 175],
            "it stalled"
        );
        assert_eq!(calm(Some(Duration::from_secs(9)), None), None);
    }

    #[test]
    fn however_long_it_takes_the_whole_of_it_is_in_a_few_points() {
        let mut speeds = Speeds::default();
        for report in 0..100_000_u64 {
            speeds.add(report);
        }
        let points = speeds.points();
        assert!((Speeds::MOST / 2..Speeds::MOST).contains(&points.len()));
        assert!(points.is_sorted());
        assert!(points[0] < 2_000 && points[points.len() - 1] > 98_000);
    }
}
