//! A file that is sent to somebody who has a beginning of it: two threads read it, one to compare
//! its groups with those over there, one to send what differs or is missing there.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::groups::{GroupHash, GroupHasher, group_count, merge};
use super::source::{Stamp, open_announced};
use crate::model::{GROUP_BYTES, Modified, Problem};

#[derive(Debug)]
pub struct GroupedSource {
    file: File,
    len_bytes: u64,
    opened: Stamp,
    hashes: Mutex<Hashes>,
}

#[derive(Debug)]
struct Hashes {
    /// Of the groups that are the same over there, or were sent.
    known: Vec<Option<GroupHash>>,
    /// The group that is being sent, and how far.
    current: Option<(GroupHasher, u64)>,
}

impl GroupedSource {
    /// As [`super::SourceFile::open`].
    pub fn open(
        path: &Path,
        announced_len: u64,
        announced_modified: Option<Modified>,
    ) -> Result<Self, Problem> {
        let (file, opened) = open_announced(path, announced_len, announced_modified)?;
        Ok(Self {
            file,
            len_bytes: announced_len,
            opened,
            hashes: Mutex::new(Hashes {
                known: vec![None; group_count(announced_len)],
                current: None,
            }),
        })
    }

    /// Which of these groups differ here, as their numbers.
    pub fn compare(&self, first: u32, theirs: &[GroupHash]) -> Result<Vec<u32>, Problem> {
        let mut buffer = vec![0; GROUP_BYTES as usize];
        let mut different = Vec::new();
        for (number, hash) in (first..).zip(theirs) {
            let offset = u64::from(number) * GROUP_BYTES;
            let len = self.len_bytes.saturating_sub(offset).min(GROUP_BYTES) as usize;
            let bytes = buffer.get_mut(..len).unwrap_or_default();
            read_exact_at(&self.file, bytes, offset)?;
            let mut hasher = GroupHasher::new(number.into());
            hasher.update(bytes);
            if hasher.finish() != *hash {
                different.push(number);
            } else if let Some(known) = self.hashes().known.get_mut(number as usize) {
                *known = Some(*hash);
            }
        }
        Ok(different)
    }

    /// The hashes of so many groups; of a file with a single one, the BLAKE3 hash of all of it.
    pub fn hash(&self, first: u32, count: u32) -> Result<Vec<GroupHash>, Problem> {
        let mut buffer = vec![0; GROUP_BYTES.min(self.len_bytes) as usize];
        let mut told = Vec::with_capacity(count as usize);
        for number in first..first.saturating_add(count) {
            let offset = u64::from(number) * GROUP_BYTES;
            let len = self.len_bytes.saturating_sub(offset).min(GROUP_BYTES) as usize;
            let bytes = buffer.get_mut(..len).unwrap_or_default();
            read_exact_at(&self.file, bytes, offset)?;
            let hash = if self.is_single() {
                blake3::hash(bytes).into()
            } else {
                let mut hasher = GroupHasher::new(number.into());
                hasher.update(bytes);
                hasher.finish()
            };
            if let Some(known) = self.hashes().known.get_mut(number as usize) {
                *known = Some(hash);
            }
            told.push(hash);
        }
        // Hashes of two versions would tell of a file that never was.
        let now = self.file.metadata();
        let now = now.map_err(|error| Problem::reading(&error))?;
        if Stamp::of(&now) == self.opened {
            Ok(told)
        } else {
            Err(Problem::Changed)
        }
    }

    /// It has a single group, and so no tree.
    pub fn is_single(&self) -> bool {
        self.len_bytes <= GROUP_BYTES
    }

    /// The BLAKE3 hash, if all groups are known.
    pub fn whole(&self) -> Option<[u8; 32]> {
        let known: Option<Vec<_>> = self.hashes().known.iter().copied().collect();
        match known?.as_slice() {
            [] => None,
            [only] => Some(*only),
            several => Some(merge(several)),
        }
    }

    /// Reads what is sent: groups from their beginning, piece by piece.
    pub fn read(&self, offset: u64, bytes: &mut [u8]) -> Result<(), Problem> {
        read_exact_at(&self.file, bytes, offset)?;
        let end = offset + bytes.len() as u64;
        let mut hashes = self.hashes();
        let mut hasher = match hashes.current.take() {
            Some((hasher, next)) if next == offset => hasher,
            Some(_) | None => GroupHasher::new(offset / GROUP_BYTES),
        };
        hasher.update(bytes);
        if end == self.len_bytes || end.is_multiple_of(GROUP_BYTES) {
            let group = usize::try_from(offset / GROUP_BYTES).unwrap_or(usize::MAX);
            if let Some(known) = hashes.known.get_mut(group) {
                *known = Some(hasher.finish());
            }
        } else {
            hashes.current = Some((hasher, end));
        }
        Ok(())
    }

    /// The hash of the whole file, once every group is known; [`Problem::Changed`] if it was touched
    /// since it was opened.
    pub fn finish(&self) -> Result<[u8; 32], Problem> {
        let now = self.file.metadata();
        let now = now.map_err(|error| Problem::reading(&error))?;
        let known: Option<Vec<_>> = self.hashes().known.iter().copied().collect();
        match known {
            Some(known) if known.len() >= 2 && Stamp::of(&now) == self.opened => Ok(merge(&known)),
            Some(_) | None => Err(Problem::Changed),
        }
    }

    fn hashes(&self) -> MutexGuard<'_, Hashes> {
        self.hashes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> Result<(), Problem> {
    use std::os::unix::fs::FileExt as _;
    file.read_exact_at(bytes, offset)
        .map_err(|error| problem(&error))
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> Result<(), Problem> {
    use std::os::windows::fs::FileExt as _;
    while !bytes.is_empty() {
        match file.seek_read(bytes, offset) {
            Ok(0) => return Err(Problem::Changed),
            Ok(count) => {
                offset += count as u64;
                bytes = bytes.get_mut(count..).unwrap_or_default();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(problem(&error)),
        }
    }
    Ok(())
}

fn problem(error: &io::Error) -> Problem {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Problem::Changed,
        _ => Problem::reading(error),
    }
}
