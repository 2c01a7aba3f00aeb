//! Going on: what earlier runs of the transfer left here, compared with what is offered now.

use std::collections::HashSet;
use std::io::{self, ErrorKind};

use super::{Inbox, MEND_AT_MOST_BYTES};
use crate::model::{EntryKey, EntryKind, GROUP_BYTES, Manifest};
use crate::storage::groups::GroupHash;
use crate::storage::journal::Past;
use crate::storage::mending::{KeptReader, Looked};

/// What is there of a transfer that goes on.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Kept {
    /// Files that an earlier run committed and that are still as it left them, ascending.
    pub done: Vec<u32>,
    /// Files of which so many bytes are staged: whole groups, not compared yet.
    pub partial: Vec<(u32, u64)>,
    /// Files that do not come any more: [`over`](Inbox::over) says what became of them.
    pub over: Vec<u32>,
}

/// What may still come of a transfer that goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rest {
    /// It was cut: everything that is not there as it is listed now.
    Missing,
    /// It came to its end: only what did not arrive. What did is the receiver's since, and stays as
    /// it is or wherever it was moved to.
    Failed,
    /// All of it arrived, or was left out; perhaps the sender does not know. Nothing comes any more, and
    /// nothing is made, for the person may have moved all of it.
    Nothing,
}

impl Inbox {
    /// Compares what an earlier run left with what is offered now. Files of which a beginning is
    /// there can be [`read`](Self::read_kept) and are written group by group.
    pub fn kept(&mut self, manifest: &Manifest, rest: Rest) -> Kept {
        self.rest = rest;
        if rest == Rest::Nothing {
            return self.arrived(manifest);
        }
        let mut kept = Kept::default();
        let mut looked = Looked::default();
        let twins = twins(manifest);
        for key in &twins {
            self.staging.journal_mut().forget_past(*key);
        }
        for (number, entry) in (0_u32..).zip(manifest.entries()) {
            let (EntryKind::File { len_bytes, .. }, Some(key)) = (entry.kind, manifest.key(number))
            else {
                continue;
            };
            // Which of them an earlier run had is not known.
            if twins.contains(&key) {
                continue;
            }
            let arrived = self.arrived_before(key);
            let past = self.staging.journal().past(key);
            let past =
                past.filter(|past| past.len_bytes == len_bytes && past.modified == entry.modified);
            // A part that is still there was never renamed.
            if let Some(past) = past.filter(|_| !self.staging.has_left(key))
                && (arrived || looked.is_there(self.destination.root(), past))
            {
                kept.done.push(number);
                // The run that put it there may have ended before it flushed the folder.
                self.destination.touch(entry.parent);
                continue;
            }
            if arrived {
                // It is another file by now; `start` refuses it.
                continue;
            }
            let Some(left) = self.staging.take_left(key) else {
                continue;
            };
            let whole = left.min(len_bytes) / GROUP_BYTES;
            // The list of a file's groups is memory.
            let too_large = len_bytes > MEND_AT_MOST_BYTES;
            if whole == 0 || len_bytes <= GROUP_BYTES || too_large {
                self.staging.remove_part(key);
                continue;
            }
            kept.partial.push((number, whole * GROUP_BYTES));
            self.mending.begin(number, key, len_bytes);
        }
        self.staging.remove_left();
        kept
    }

    /// It arrived in a run that came to its end.
    pub(super) fn arrived_before(&self, key: EntryKey) -> bool {
        let past = self.staging.journal().past(key);
        self.rest != Rest::Missing && past.is_some_and(Past::arrived)
    }

    /// For reading the groups that are there of a kept file, beside the writing.
    pub fn read_kept(&self, number: u32, bytes: u64) -> io::Result<KeptReader> {
        let key = self.mending.key(number).ok_or(ErrorKind::NotFound)?;
        let file = self.staging.read_part(key)?;
        Ok(KeptReader::new(file, bytes / GROUP_BYTES))
    }

    /// What [`KeptReader`] found: until other content comes for them, these groups count as there.
    pub fn checked(&mut self, number: u32, first: u32, hashes: &[GroupHash]) {
        self.mending.checked(number, first as usize, hashes);
    }
}

/// The keys that several entries share: files of one name in one folder. A sender whose disk has
/// them apart can send them, by names that are one when they are escaped.
pub(super) fn twins(manifest: &Manifest) -> HashSet<EntryKey> {
    let numbers = 0..manifest.len() as u32;
    let mut keys: Vec<_> = numbers.filter_map(|number| manifest.key(number)).collect();
    keys.sort_unstable();
    let pairs = keys.windows(2).filter(|pair| pair[0] == pair[1]);
    pairs.map(|pair| pair[0]).collect()
}
