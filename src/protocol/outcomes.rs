//! What became of entries, gathered for the next *status* frame and counted for *received*.

use super::message::{Failed, Received, Status, WireProblem};
use crate::model::EntryStatus;

/// Items in one status frame; with the longest details it stays below the control limit.
const STATUS_ITEMS: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Outcomes {
    status: Status,
    items: usize,
    result: Received,
}

impl Outcomes {
    /// Says whether there is enough for a frame now.
    pub fn add(&mut self, number: u32, len_bytes: u64, status: &EntryStatus) -> bool {
        let result = &mut self.result;
        match status {
            EntryStatus::Arrived => extend(&mut self.status.arrived, number),
            EntryStatus::AlreadyThere => extend(&mut self.status.already_there, number),
            EntryStatus::Skipped => extend(&mut self.status.skipped, number),
            EntryStatus::Failed(problem) => self.status.failed.push(Failed {
                entry: number,
                problem: WireProblem::from(problem),
            }),
        }
        match status {
            EntryStatus::Arrived | EntryStatus::AlreadyThere => {
                result.arrived = result.arrived.saturating_add(1);
                result.bytes = result.bytes.saturating_add(len_bytes);
            }
            EntryStatus::Skipped => result.skipped = result.skipped.saturating_add(1),
            EntryStatus::Failed(_) => result.failed = result.failed.saturating_add(1),
        }
        self.items = self
            .status
            .arrived
            .len()
            .saturating_add(self.status.already_there.len())
            .saturating_add(self.status.skipped.len())
            .saturating_add(self.status.failed.len());
        self.items >= STATUS_ITEMS
    }

    /// Counts one that arrived in an earlier run; that is told otherwise.
    pub fn add_kept(&mut self, len_bytes: u64) {
        self.result.arrived = self.result.arrived.saturating_add(1);
        self.result.bytes = self.result.bytes.saturating_add(len_bytes);
    }

    /// What was gathered since the last time.
    pub fn take(&mut self) -> Option<Status> {
        (std::mem::take(&mut self.items) > 0).then(|| std::mem::take(&mut self.status))
    }

    pub fn result(&self) -> &Received {
        &self.result
    }
}

/// Adds a number to the last range if it follows on, else as a range of its own.
pub(super) fn extend(ranges: &mut Vec<(u32, u32)>, number: u32) {
    match ranges.last_mut() {
        Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
        Some(_) | None => ranges.push((number, number)),
    }
}
