//! What became of entries: told to the machine, counted, and reported line by line.

use std::collections::HashSet;
use std::sync::MutexGuard;

use super::Receiving;
use super::disk::Disk;
use crate::engine::note::Note;
use crate::model::{EntryKind, EntryStatus, FileReport};
use crate::protocol::receiver::Receiver;
use crate::storage::inbox::{Committed, Target};

impl Receiving {
    /// Tells machine, counters and front end what became of entries.
    pub(super) fn settle(&self, committed: Vec<Committed>) {
        if !committed.is_empty() {
            self.settle_with(self.machine(), committed);
        }
    }

    /// Gigabytes of a file that the disk refuses need not travel.
    pub(super) fn give_back(&self, disk: &mut Disk, target: Target) {
        if let Some(inbox) = &mut disk.inbox
            && let Some(refused) = inbox.refused(target)
            && !self.settle_early(vec![refused]).is_empty()
        {
            inbox.leave_out(target.number, target.key);
        }
    }

    /// The same for files that had not ended when the disk looked. Those that have ended meanwhile are
    /// decided when they are committed; the others are given back: nobody wants them any more.
    pub(super) fn settle_early(&self, mut decided: Vec<Committed>) -> HashSet<u32> {
        if decided.is_empty() {
            return HashSet::new();
        }
        let mut machine = self.machine();
        decided.retain(|file| machine.is_undecided(file.number));
        let left_out = decided.iter().map(|file| file.number).collect();
        self.settle_with(machine, decided);
        machine = self.machine();
        machine.flush_status();
        drop(machine);
        self.pump();
        left_out
    }

    fn settle_with(&self, mut machine: MutexGuard<'_, Receiver>, committed: Vec<Committed>) {
        let mut reports = Vec::new();
        for entry in committed {
            let failed = match &entry.status {
                EntryStatus::Failed(problem) => {
                    self.live.can_pass.add(u64::from(problem.can_pass()));
                    true
                }
                EntryStatus::Arrived | EntryStatus::AlreadyThere | EntryStatus::Skipped => false,
            };
            machine.settle(entry.number, entry.len_bytes, &entry.status);
            let folder = machine
                .manifest()
                .get(entry.number)
                .is_some_and(|entry| entry.kind == EntryKind::Folder);
            match entry.status {
                EntryStatus::Arrived | EntryStatus::AlreadyThere => {
                    self.live.arrived_bytes.add(entry.len_bytes);
                }
                EntryStatus::Skipped => self.live.skipped.add(1),
                EntryStatus::Failed(_) => self.live.failed.add(1),
            }
            if failed || !folder {
                let list = machine.manifest();
                let same = list.is_displayed_as(entry.number, &entry.path);
                reports.push(FileReport {
                    original: (!same).then(|| list.display_path(entry.number)),
                    path: entry.path,
                    len_bytes: entry.len_bytes,
                    blake3: entry.blake3,
                    status: entry.status,
                });
            }
        }
        self.live.settled.set(machine.settled() as u64);
        self.live.total_bytes.set(machine.wanted_bytes());
        drop(machine);
        if !reports.is_empty() {
            self.notes.send(Note::Files(reports));
        }
    }
}
