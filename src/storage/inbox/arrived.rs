//! A transfer that had arrived and is offered once more, because its sender did not hear of it. The
//! journal has the last word: what arrived is its person's, wherever they have put it.

use super::kept::twins;
use super::{Committed, Inbox, Kept, Rest, Target};
use crate::model::{EntryKind, EntryStatus, Manifest, Problem};
use crate::storage::mending::Looked;

impl Inbox {
    /// Compares what is offered with what arrived. Nothing is partial: nothing may come.
    pub(super) fn arrived(&mut self, manifest: &Manifest) -> Kept {
        let mut kept = Kept::default();
        let mut looked = Looked::default();
        let twins = twins(manifest);
        for (number, entry) in (0_u32..).zip(manifest.entries()) {
            let Some(key) = manifest.key(number) else {
                continue;
            };
            let target = Target { number, key, entry };
            if entry.kind == EntryKind::Folder {
                self.destination.find_folder(target, &self.staging);
                continue;
            }
            // Which of the twins is meant is not known, but all of them arrived.
            let twin = twins.contains(&key);
            let state = (entry.len_bytes(), entry.modified);
            let past = self.staging.journal().past(key);
            let past = past.filter(|past| twin || (past.len_bytes, past.modified) == state);
            let arrived = past.is_some_and(|past| {
                past.arrived() || looked.is_there(self.destination.root(), past)
            });
            if arrived {
                kept.done.push(number);
                // The run that put it there may have ended before it flushed the folder.
                self.destination.touch(entry.parent);
            } else {
                kept.over.push(number);
            }
        }
        self.staging.remove_left();
        kept
    }

    /// What became of a file that does not come any more, although it is not among those that arrived:
    /// it was left out, or it is new, or another one by now. It stays so when it is
    /// [left out](Self::leave_out).
    pub fn over(&self, target: Target) -> Committed {
        let status = match self.was_skipped(target) {
            true => EntryStatus::Skipped,
            false => EntryStatus::Failed(Problem::ChangedSince),
        };
        self.destination.as_planned(target, status, None)
    }

    pub(super) fn was_skipped(&self, Target { key, entry, .. }: Target) -> bool {
        let (len_bytes, modified) = (entry.len_bytes(), entry.modified);
        self.rest == Rest::Nothing && self.staging.journal().skipped(key, len_bytes, modified)
    }
}
