//! What is sent, as one run of the transfer finds it on the disk: the list, the files that the receiver
//! has a beginning of, and the hashes of what was read, until it is said what became of it. Knows
//! neither the machine nor the wire.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::engine::lock;
use crate::model::{
    EntryKind, EntryStatus, FileReport, Manifest, ManifestError, Modified, Problem,
};
use crate::protocol::message::Status;
use crate::storage::GroupedSource;
use crate::storage::small::SmallFiles;
use crate::storage::source::{Found, SourceFile, SourceTree};

#[derive(Default)]
pub(super) struct Source {
    tree: Mutex<SourceTree>,
    hashes: Mutex<HashMap<u32, [u8; 32]>>,
    /// Files of which the receiver has a beginning.
    mended: Mutex<HashMap<u32, Arc<GroupedSource>>>,
}

/// So much is listed.
#[derive(Clone, Copy)]
pub(super) struct Listed {
    entries: usize,
    name_bytes: usize,
}

impl Listed {
    /// More than a stranger's memory is for.
    pub fn is_much(self) -> bool {
        self.entries > Manifest::UNVERIFIED_ENTRIES
            || self.name_bytes > Manifest::UNVERIFIED_NAME_BYTES
    }
}

impl Source {
    /// A run begins: nothing of what was picked is listed or read yet.
    pub fn begin(&self, picks: Vec<PathBuf>) {
        *lock(&self.tree) = SourceTree::new(picks);
        lock(&self.hashes).clear();
        lock(&self.mended).clear();
    }

    pub fn list(&self, found: Found) -> Result<Listed, ManifestError> {
        let mut tree = lock(&self.tree);
        tree.add(found)?;
        Ok(Listed {
            entries: tree.manifest().len(),
            name_bytes: tree.manifest().name_bytes(),
        })
    }

    pub fn open(&self, entry: u32) -> Result<SourceFile, Problem> {
        let (path, len, modified) = self.place(entry)?;
        SourceFile::open(&path, len, modified)
    }

    /// Where an entry is, and what was announced of it.
    fn place(&self, entry: u32) -> Result<(PathBuf, u64, Option<Modified>), Problem> {
        let tree = lock(&self.tree);
        let path = tree.path(entry).ok_or(Problem::Vanished)?;
        let (len, modified) = tree
            .manifest()
            .get(entry)
            .map(|entry| (entry.len_bytes(), entry.modified))
            .ok_or(Problem::Vanished)?;
        Ok((path, len, modified))
    }

    /// Reads a whole small file.
    pub fn read_small(
        &self,
        files: &mut SmallFiles,
        entry: u32,
        content: &mut [u8],
    ) -> Result<[u8; 32], Problem> {
        let located = files.locate(&lock(&self.tree), entry);
        files.read(located.ok_or(Problem::Vanished)?, content)
    }

    /// The source of a file that the receiver has a beginning of.
    pub fn grouped(&self, entry: u32) -> Result<Arc<GroupedSource>, Problem> {
        if let Some(known) = lock(&self.mended).get(&entry) {
            return Ok(known.clone());
        }
        let (path, len, modified) = self.place(entry)?;
        let opened = Arc::new(GroupedSource::open(&path, len, modified)?);
        let mut mended = lock(&self.mended);
        // The other thread may have been quicker.
        Ok(mended.entry(entry).or_insert(opened).clone())
    }

    /// No more is read of a file that the receiver has a beginning of.
    pub fn close(&self, entry: u32) {
        lock(&self.mended).remove(&entry);
    }

    pub fn close_all_but(&self, is_wanted: impl Fn(u32) -> bool) {
        lock(&self.mended).retain(|entry, _source| is_wanted(*entry));
    }

    /// If all of a file is hashed, that is its hash, as long as nothing else is said.
    pub fn hashed(&self, entry: u32) {
        let mut mended = lock(&self.mended);
        if let Some(source) = mended.get(&entry) {
            if let Some(hash) = source.whole() {
                lock(&self.hashes).insert(entry, hash);
            }
            if source.is_single() {
                mended.remove(&entry);
            }
        }
    }

    /// These were read to their end.
    pub fn keep_hashes(&self, hashes: impl IntoIterator<Item = (u32, [u8; 32])>) {
        lock(&self.hashes).extend(hashes);
    }

    /// Turns the receiver's statuses into lines of the detailed list.
    pub fn reports(&self, status: &Status) -> Vec<FileReport> {
        let tree = lock(&self.tree);
        let mut hashes = lock(&self.hashes);
        let mut reports = Vec::new();
        let mut add = |number: u32, status: EntryStatus| {
            let Some(entry) = tree.manifest().get(number) else {
                return;
            };
            let hash = hashes.remove(&number);
            let failed = matches!(status, EntryStatus::Failed(_));
            if failed || entry.kind != EntryKind::Folder {
                reports.push(FileReport {
                    path: tree.manifest().display_path(number),
                    original: tree.original(number),
                    len_bytes: entry.len_bytes(),
                    blake3: hash.filter(|_| !failed && status != EntryStatus::Skipped),
                    status,
                });
            }
        };
        for &(first, last) in &status.arrived {
            (first..=last).for_each(|number| add(number, EntryStatus::Arrived));
        }
        for &(first, last) in &status.already_there {
            (first..=last).for_each(|number| add(number, EntryStatus::AlreadyThere));
        }
        for &(first, last) in &status.skipped {
            (first..=last).for_each(|number| add(number, EntryStatus::Skipped));
        }
        for failed in &status.failed {
            let problem = Problem::from(&failed.problem);
            add(failed.entry, EntryStatus::Failed(problem));
        }
        reports
    }
}
