//! Which files are looked at before they travel: what stands under their names may decide what becomes
//! of them.

use super::entries::Entries;
use super::jobs::Jobs;
use crate::model::Entry;

/// Entries looked at before any content may come: some ten milliseconds of a local disk's time.
const LOOK_FIRST: usize = 16_384;
/// Entries in one job to look at: some milliseconds of a local disk's time.
const LOOK_ENTRIES: usize = 256;

#[derive(Debug, Default)]
pub(super) struct LookAhead {
    /// Files of this length and longer are looked at before they travel; `None`: none are.
    from_bytes: Option<u64>,
    /// The same for files in [new folders](Self::folder_is_new).
    in_new_from_bytes: u64,
    /// Ascending.
    new_folders: Vec<u32>,
    /// Entries before this one have been given out to be looked at.
    looked: usize,
    /// What is listed is looked at before any content may come, so that what need not travel does not
    /// begin to.
    first: bool,
}

impl LookAhead {
    pub fn set(&mut self, from_bytes: u64, in_new_from_bytes: u64) {
        self.from_bytes = Some(from_bytes);
        self.in_new_from_bytes = in_new_from_bytes;
    }

    pub fn folder_is_new(&mut self, number: u32) {
        if self.new_folders.last().is_none_or(|last| *last < number) {
            self.new_folders.push(number);
        }
    }

    /// The offer is taken. Says whether there is something to look at before any content may come.
    pub fn begin(&mut self, entries: &Entries) -> bool {
        if self.from_bytes.is_some() {
            self.first = !entries.manifest().is_empty();
        }
        self.first
    }

    /// There is still something to look at before any content may come. A sender that lists slowly is
    /// not waited for.
    pub fn comes_first(&self, entries: &Entries, jobs: &Jobs) -> bool {
        let known = entries.manifest().len().min(LOOK_FIRST);
        self.first && (self.looked < known || !jobs.is_idle())
    }

    /// Content may come; what is listed later does not change that.
    pub fn lets_content_come(&mut self) {
        self.first = false;
    }

    /// The next files to look at. Their folders were given out before.
    pub fn next(&mut self, entries: &Entries) -> Vec<(u32, Entry)> {
        let mut files = Vec::new();
        let Some(from_bytes) = self.from_bytes else {
            return files;
        };
        while self.looked < entries.folders_handed() && files.len() < LOOK_ENTRIES {
            let index = self.looked;
            self.looked = self.looked.saturating_add(1);
            let Ok(number) = u32::try_from(index) else {
                break;
            };
            let Some(entry) = entries.get(number) else {
                break;
            };
            let new = |parent: u32| self.new_folders.binary_search(&parent).is_ok();
            let from_bytes = match entry.parent {
                Some(parent) if new(parent) => self.in_new_from_bytes,
                Some(_) | None => from_bytes,
            };
            if entries.is_listed_file(number) && entry.len_bytes() >= from_bytes {
                files.push((number, entry.clone()));
            }
        }
        files
    }
}
