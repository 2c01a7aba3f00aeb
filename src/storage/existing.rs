//! A file that stands under the name of one that is offered: what is the same in both need not travel.
//!
//! It is read twice at most: to compare, and, only if something differs, to copy what is the same.
//! Each time what was read is hashed, and before it is called the same it is looked at once more, so
//! that a file that changes meanwhile only costs time.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};

use super::groups::{GroupHash, GroupHasher, group_count, merge};
use super::handle::{FileId, file_id};
use super::source::Stamp;
use crate::model::GROUP_BYTES;

/// Which file it is, and in which state.
#[derive(PartialEq, Debug)]
pub struct Seen {
    stamp: Stamp,
    id: Option<FileId>,
}

impl Seen {
    pub fn of(file: &File) -> Option<Self> {
        let metadata = file.metadata().ok()?;
        Some(Self {
            stamp: Stamp::of(&metadata),
            id: file_id(&metadata),
        })
    }
}

/// What the sender says of its file, compared with the one that is here.
#[derive(Debug)]
pub struct Compared {
    offered_bytes: u64,
    /// Of the sender's file, from the beginning.
    hashes: Vec<GroupHash>,
    /// Which of these are the same here.
    same: Vec<bool>,
}

impl Compared {
    pub fn new(offered_bytes: u64) -> Self {
        Self {
            offered_bytes,
            hashes: Vec::new(),
            same: Vec::new(),
        }
    }

    /// Takes the next hashes of the sender's file. What cannot be read here counts as different.
    pub fn compare(&mut self, mut here: Option<&File>, theirs: &[GroupHash]) {
        for hash in theirs {
            let group = self.hashes.len() as u64;
            let ours = here.and_then(|mut file| {
                hash_group(&mut file, group, self.offered_bytes, |_bytes| Ok(())).ok()
            });
            if ours.is_none() {
                // The rest of it is not there either.
                here = None;
            }
            self.same.push(ours.as_ref() == Some(hash));
            self.hashes.push(*hash);
        }
    }

    /// The hash of the whole, if everything was compared and is the same.
    pub fn all_the_same(&self, here: &File) -> Option<[u8; 32]> {
        let whole = self.hashes.len() == group_count(self.offered_bytes);
        let len_bytes = here.metadata().map(|metadata| metadata.len()).ok()?;
        if !whole || len_bytes != self.offered_bytes || self.same.contains(&false) {
            return None;
        }
        match self.hashes.as_slice() {
            [] => None,
            [only] => Some(*only),
            several => Some(merge(several)),
        }
    }

    /// Something of a file that travels in groups need not travel.
    pub fn is_worth_a_copy(&self) -> bool {
        self.offered_bytes > GROUP_BYTES && self.same.contains(&true)
    }

    /// Copies what is the same to its place in a part, as long as it `goes_on`, which is asked before
    /// each group. Says which groups are there then.
    pub fn copy(
        &self,
        here: &File,
        part: &File,
        goes_on: impl Fn() -> bool,
    ) -> Vec<(u32, GroupHash)> {
        let mut have = Vec::new();
        let (mut here, mut part) = (here, part);
        for (group, (hash, same)) in (0_u32..).zip(self.hashes.iter().zip(&self.same)) {
            if !same {
                continue;
            }
            if !goes_on() {
                break;
            }
            let offset = u64::from(group) * GROUP_BYTES;
            let copied = part.seek(SeekFrom::Start(offset)).and_then(|_| {
                hash_group(&mut here, group.into(), self.offered_bytes, |bytes| {
                    part.write_all(bytes)
                })
            });
            // Otherwise it travels: it changed meanwhile, or found no room here.
            if copied.is_ok_and(|copied| copied == *hash) {
                have.push((group, *hash));
            }
        }
        have
    }
}

/// Hashes a group, of a file of that length: a subtree of it, or all of it if there is only one.
fn hash_group(
    file: &mut &File,
    group: u64,
    file_bytes: u64,
    mut each: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<GroupHash> {
    /// Long enough for BLAKE3 to use every lane of the processor.
    const PIECE_BYTES: u64 = 256 << 10;
    let offset = group * GROUP_BYTES;
    let mut left = file_bytes.saturating_sub(offset).min(GROUP_BYTES);
    let mut buffer = vec![0; left.min(PIECE_BYTES) as usize];
    let single = file_bytes <= GROUP_BYTES;
    let (mut whole, mut subtree) = (blake3::Hasher::new(), GroupHasher::new(group));
    file.seek(SeekFrom::Start(offset))?;
    while left > 0 {
        let len = left.min(PIECE_BYTES) as usize;
        let bytes = &mut buffer[..len];
        file.read_exact(bytes)?;
        match single {
            true => {
                whole.update(bytes);
            }
            false => subtree.update(bytes),
        }
        each(bytes)?;
        left -= len as u64;
    }
    Ok(match single {
        true => whole.finalize().into(),
        false => subtree.finish(),
    })
}

/// The ranges of a file of that length which are not among these groups.
pub fn missing(file_bytes: u64, have: &[(u32, GroupHash)]) -> Vec<(u64, u64)> {
    let mut missing: Vec<(u64, u64)> = Vec::new();
    let mut have = have.iter().map(|(group, _)| u64::from(*group)).peekable();
    for group in 0..group_count(file_bytes) as u64 {
        if have.next_if_eq(&group).is_some() {
            continue;
        }
        let from = group * GROUP_BYTES;
        let to = (from + GROUP_BYTES).min(file_bytes);
        match missing.last_mut() {
            Some((_, end)) if *end == from => *end = to,
            Some(_) | None => missing.push((from, to)),
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: usize = GROUP_BYTES as usize;

    fn file(content: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file
    }

    fn hashes(content: &[u8]) -> Vec<GroupHash> {
        let file = file(content);
        (0..group_count(content.len() as u64) as u64)
            .map(|group| {
                let len = content.len() as u64;
                hash_group(&mut &file, group, len, |_| Ok(())).unwrap()
            })
            .collect()
    }

    fn content(len: usize) -> Vec<u8> {
        (0..len).map(|n| (n * 31 % 251) as u8).collect()
    }

    #[test]
    fn the_same_file_is_known_by_its_hash_and_any_other_is_not() {
        for len in [1, GROUP - 1, GROUP, GROUP + 1, 3 * GROUP, 3 * GROUP + 5] {
            let offered = content(len);
            let compare = |here: &[u8]| {
                let here = file(here);
                let mut compared = Compared::new(len as u64);
                for told in hashes(&offered).chunks(2) {
                    compared.compare(Some(&here), told);
                }
                compared.all_the_same(&here)
            };
            let hash = *blake3::hash(&offered).as_bytes();
            assert_eq!(compare(&offered), Some(hash), "{len}");
            let mut longer = offered.clone();
            longer.push(0);
            assert_eq!(compare(&longer), None, "{len}");
            assert_eq!(compare(&offered[..len - 1]), None, "{len}");
            let mut other = offered.clone();
            other[len / 2] ^= 1;
            assert_eq!(compare(&other), None, "{len}");
        }
        let unread = Compared::new(GROUP_BYTES);
        assert_eq!(unread.all_the_same(&file(&content(GROUP))), None);
    }

    #[test]
    fn what_is_the_same_is_copied_to_its_place_and_the_rest_is_missing() {
        let offered = content(4 * GROUP + 9);
        let mut here = content(3 * GROUP);
        here[GROUP] ^= 1;
        let here = file(&here);
        let mut compared = Compared::new(offered.len() as u64);
        compared.compare(Some(&here), &hashes(&offered)[..3]);
        assert!(compared.is_worth_a_copy());
        let part = file(&[]);
        let stopped = compared.copy(&here, &part, || false);
        assert!(stopped.is_empty(), "whoever quits does not wait for it");
        let have = compared.copy(&here, &part, || true);
        let groups: Vec<_> = have.iter().map(|(group, _)| *group).collect();
        assert_eq!(groups, [0, 2]);
        let group = GROUP as u64;
        let rest = [(group, 2 * group), (3 * group, 4 * group + 9)];
        assert_eq!(missing(offered.len() as u64, &have), rest);
        let mut copied = vec![0; GROUP];
        (&part).seek(SeekFrom::Start(2 * group)).unwrap();
        (&part).read_exact(&mut copied).unwrap();
        assert!(copied == offered[2 * GROUP..3 * GROUP]);
        // It changes between the two readings.
        (&here).seek(SeekFrom::Start(5)).unwrap();
        (&here).write_all(b"!").unwrap();
        let have = compared.copy(&here, &part, || true);
        assert_eq!(have.len(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_read_has_nothing_in_common() {
        let offered = content(2 * GROUP);
        let mut compared = Compared::new(offered.len() as u64);
        compared.compare(None, &hashes(&offered));
        assert!(!compared.is_worth_a_copy());
        assert_eq!(missing(2 * GROUP_BYTES, &[]), [(0, 2 * GROUP_BYTES)]);
    }
}
