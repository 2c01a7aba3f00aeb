//! What the next commit does: files that wait for their names, and what it only reports.

use super::Committed;
use crate::model::{EntryKey, GROUP_BYTES};
use crate::storage::commit::Ready;

#[derive(Debug, Default)]
pub(super) struct Pending {
    ready: Vec<Ready>,
    ready_bytes: u64,
    ready_small_bytes: u64,
    /// What the next commit reports beside what is ready: failures, what was skipped, and what had
    /// to be committed early.
    ended: Vec<Committed>,
    /// Of these, files that an earlier run had committed in another state.
    undone: Vec<EntryKey>,
}

impl Pending {
    pub fn push(&mut self, file: Ready) {
        self.ready_bytes += file.len_bytes;
        if file.len_bytes <= GROUP_BYTES {
            self.ready_small_bytes += file.len_bytes;
        }
        self.ready.push(file);
    }

    pub fn end(&mut self, ended: Committed) {
        self.ended.push(ended);
    }

    pub fn undo(&mut self, key: EntryKey) {
        self.undone.push(key);
    }

    /// Files that wait for their names.
    pub fn ready(&self) -> &[Ready] {
        &self.ready
    }

    /// All that waits.
    pub fn len(&self) -> usize {
        self.ready.len() + self.ended.len()
    }

    pub fn bytes(&self) -> u64 {
        self.ready_bytes
    }

    /// Of that, bytes in files of a single group.
    pub fn small_bytes(&self) -> u64 {
        self.ready_small_bytes
    }

    pub fn take_ready(&mut self) -> Vec<Ready> {
        self.ready_bytes = 0;
        self.ready_small_bytes = 0;
        std::mem::take(&mut self.ready)
    }

    pub fn take_ended(&mut self) -> Vec<Committed> {
        std::mem::take(&mut self.ended)
    }

    pub fn take_undone(&mut self) -> Vec<EntryKey> {
        std::mem::take(&mut self.undone)
    }
}
