//! A staged file that goes on from what an earlier run left: read in groups to be compared, written
//! group by group, hashed without being read again.
//!
//! Nothing that is there counts because it is there. A group counts when its hash was told to the
//! sender, who sends it again if the source differs; the hash of the whole file, merged from those
//! of its groups, has the last word.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};

use super::groups::{GroupHash, GroupHasher, group_count, merge};
use super::handle::FolderHandle;
use super::journal::Past;
use super::staging::Staging;
use crate::model::{EntryKey, GROUP_BYTES, Problem};

#[derive(Debug)]
pub(super) struct Mending {
    key: EntryKey,
    len_bytes: u64,
    hashes: Vec<Option<GroupHash>>,
    /// Groups for which other content came: what was kept of them says nothing any more.
    came: HashSet<usize>,
    /// The group that is coming, and how far.
    current: Option<(GroupHasher, u64)>,
    /// Opened for the first write, and closed when another file is written.
    file: Option<File>,
}

impl Mending {
    fn new(key: EntryKey, len_bytes: u64) -> Self {
        Self {
            key,
            len_bytes,
            hashes: vec![None; group_count(len_bytes)],
            came: HashSet::new(),
            current: None,
            file: None,
        }
    }

    fn groups(&self) -> usize {
        self.hashes.len()
    }

    /// These groups are there as they are, until other content comes for them.
    fn checked(&mut self, first: usize, hashes: &[GroupHash]) {
        for (number, hash) in (first..).zip(hashes) {
            if let Some(slot) = self.hashes.get_mut(number)
                && !self.came.contains(&number)
            {
                *slot = Some(*hash);
            }
        }
    }

    /// Content of one group: its beginning, or what follows on what came of it last.
    fn write(&mut self, staging: &Staging, offset: u64, bytes: &[u8]) -> Result<(), Problem> {
        let end = offset.saturating_add(bytes.len() as u64);
        if bytes.is_empty() || end > self.len_bytes {
            return Err(Problem::Corrupt);
        }
        let goes_on = matches!(&self.current, Some((_, next)) if *next == offset);
        if !goes_on && !offset.is_multiple_of(GROUP_BYTES) {
            return Err(Problem::Corrupt);
        }
        let group = offset / GROUP_BYTES;
        if (end - 1) / GROUP_BYTES != group {
            return Err(Problem::Corrupt);
        }
        let number = usize::try_from(group).map_err(|_too_large| Problem::Corrupt)?;
        let hash = self.hashes.get_mut(number).ok_or(Problem::Corrupt)?;
        // Half of it is new: it counts again when it is complete.
        self.came.insert(number);
        *hash = None;
        let mut put = || -> io::Result<()> {
            let file = self.file(staging)?;
            file.seek(SeekFrom::Start(offset))?;
            file.write_all(bytes)
        };
        // Hashed after that, so that it can be tried again on a disk that was full.
        put().map_err(|error| Problem::writing(&error))?;
        let hasher = self.current.take().filter(|_| goes_on);
        let mut hasher = hasher.map_or_else(|| GroupHasher::new(group), |(hasher, _)| hasher);
        hasher.update(bytes);
        if end == self.len_bytes || end.is_multiple_of(GROUP_BYTES) {
            if let Some(hash) = self.hashes.get_mut(number) {
                *hash = Some(hasher.finish());
            }
        } else {
            self.current = Some((hasher, end));
        }
        Ok(())
    }

    /// The file, if all of its groups are there and make up the hash.
    pub fn complete(mut self, staging: &Staging, hash: &[u8; 32]) -> Result<File, Problem> {
        let hashes: Option<Vec<_>> = self.hashes.iter().copied().collect();
        // One group alone has no tree; such a file is sent as a whole and never mended.
        let whole = hashes.filter(|hashes| hashes.len() >= 2);
        if whole.is_none_or(|hashes| merge(&hashes) != *hash) {
            return Err(Problem::Corrupt);
        }
        let mut finish = || -> io::Result<()> {
            let len_bytes = self.len_bytes;
            // An earlier version may have been longer.
            self.file(staging)?.set_len(len_bytes)
        };
        finish().map_err(|error| Problem::writing(&error))?;
        self.file.ok_or(Problem::Vanished)
    }

    fn close(&mut self) {
        self.file = None;
    }

    fn file(&mut self, staging: &Staging) -> io::Result<&mut File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => staging.open_part(self.key)?,
        };
        Ok(self.file.insert(file))
    }
}

/// Files of a transfer that are mended, by their numbers. Only the one that was written last stays open.
#[derive(Debug, Default)]
pub(super) struct Mendings {
    files: HashMap<u32, Mending>,
    last: Option<u32>,
}

impl Mendings {
    pub fn begin(&mut self, number: u32, key: EntryKey, len_bytes: u64) {
        self.files.insert(number, Mending::new(key, len_bytes));
    }

    pub fn key(&self, number: u32) -> Option<EntryKey> {
        Some(self.files.get(&number)?.key)
    }

    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Of all of them together.
    pub fn groups(&self) -> usize {
        self.files.values().map(Mending::groups).sum()
    }

    pub fn checked(&mut self, number: u32, first: usize, hashes: &[GroupHash]) {
        if let Some(mending) = self.files.get_mut(&number) {
            mending.checked(first, hashes);
        }
    }

    /// `None`: that file is none of them.
    pub fn write(
        &mut self,
        number: u32,
        staging: &Staging,
        offset: u64,
        bytes: &[u8],
    ) -> Option<Result<(), Problem>> {
        let mending = self.files.get_mut(&number)?;
        let written = mending.write(staging, offset, bytes);
        if let Some(other) = self.last.replace(number).filter(|last| *last != number)
            && let Some(other) = self.files.get_mut(&other)
        {
            other.close();
        }
        Some(written)
    }

    pub fn remove(&mut self, number: u32) -> Option<Mending> {
        self.files.remove(&number)
    }
}

/// Reads the groups of a kept file one after the other, beside the writing.
#[derive(Debug)]
pub struct KeptReader {
    file: File,
    next: u64,
    end: u64,
    buffer: Vec<u8>,
}

impl KeptReader {
    pub(super) fn new(file: File, groups: u64) -> Self {
        Self {
            file,
            next: 0,
            end: groups,
            buffer: vec![0; GROUP_BYTES as usize],
        }
    }

    /// Passes over a group that cannot be read.
    pub fn skip(&mut self) {
        self.next += 1;
        let _ = self.file.seek(SeekFrom::Start(self.next * GROUP_BYTES));
    }

    /// The hash of the next group; `None` after the last one.
    pub fn next_hash(&mut self) -> io::Result<Option<GroupHash>> {
        if self.next >= self.end {
            return Ok(None);
        }
        self.file.read_exact(&mut self.buffer)?;
        let mut hasher = GroupHasher::new(self.next);
        hasher.update(&self.buffer);
        self.next += 1;
        Ok(Some(hasher.finish()))
    }
}

/// Looks whether files that an earlier run committed are still there. Neighbours share the walk.
#[derive(Default)]
pub(super) struct Looked {
    last: Option<(Vec<String>, Option<FolderHandle>)>,
}

impl Looked {
    pub fn is_there(&mut self, root: &FolderHandle, past: &Past) -> bool {
        self.at(root, past, Past::is_there)
    }

    /// What stands there looks as an earlier run made it, or was about to.
    pub fn is_ours(&mut self, root: &FolderHandle, past: &Past) -> bool {
        self.at(root, past, Past::is_ours)
    }

    fn at(
        &mut self,
        root: &FolderHandle,
        past: &Past,
        ask: fn(&Past, &FolderHandle, &str) -> bool,
    ) -> bool {
        let Some((name, folders)) = past.place.split_last() else {
            return false;
        };
        if folders.is_empty() {
            return ask(past, root, name);
        }
        if self.last.as_ref().is_none_or(|(last, _)| last != folders) {
            self.last = Some((folders.to_vec(), reach(root, folders)));
        }
        let folder = self.last.as_ref().and_then(|(_, handle)| handle.as_ref());
        folder.is_some_and(|folder| ask(past, folder, name))
    }
}

fn reach(root: &FolderHandle, folders: &[String]) -> Option<FolderHandle> {
    let (first, deeper) = folders.split_first()?;
    let mut handle = root.folder(first).ok()?;
    for name in deeper {
        handle = handle.folder(name).ok()?;
    }
    Some(handle)
}
