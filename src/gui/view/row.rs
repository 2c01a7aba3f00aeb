//! A transfer as its row shows it.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::SystemTime;

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
    /// Bytes a second, the newest last.
    pub speeds: VecDeque<u64>,
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
            speeds: VecDeque::new(),
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
        matches!(self.state, RowState::Ended(_)) && !self.is_kept()
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
