//! Entries: the files and folders of a transfer, in a list where each names its parent.
//!
//! A parent is always an earlier folder of the same list, so a list that was accepted entry by
//! entry *is* a tree: no cycles, no paths to split, nothing to normalise. A million entries cost
//! their names and 48 bytes each.

use super::name::{SafeName, displayable};

/// Content is compared in groups of this size when a transfer goes on: a file's BLAKE3 hash can be
/// made from the hashes of its groups, and a difference costs no more than one group.
pub const GROUP_BYTES: u64 = 1 << 20;

/// Modification time as the wire and the disk have it: seconds since 1970 (may be negative) and
/// nanoseconds within the second.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord, Hash)]
pub struct Modified {
    pub seconds: i64,
    pub nanos: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntryKind {
    Folder,
    File { len_bytes: u64, executable: bool },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Number of the folder it lies in; `None` for what was picked itself.
    pub parent: Option<u32>,
    pub name: SafeName,
    pub kind: EntryKind,
    pub modified: Option<Modified>,
}

impl Entry {
    pub fn len_bytes(&self) -> u64 {
        match self.kind {
            EntryKind::Folder => 0,
            EntryKind::File { len_bytes, .. } => len_bytes,
        }
    }
}

/// Why an entry cannot be appended to a list. From the wire, each is a reason to end the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("an entry's parent is not an earlier folder")]
    Parent,
    #[error("a path is more than {} folders deep", Manifest::MAX_DEPTH)]
    TooDeep,
    #[error("the list has more than {} entries", Manifest::MAX_ENTRIES)]
    TooMany,
    #[error("the names of the list take more than {} MiB", Manifest::MAX_NAME_BYTES >> 20)]
    TooLarge,
    #[error("the sizes add up to more than a disk can hold")]
    Sum,
}

/// What an entry is called across runs of one transfer, in which its number may change: BLAKE3 over
/// the names from the picked item down, cut to 16 bytes. The picked item's place among the picks is
/// in it, so that two picks of one name are told apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryKey(pub [u8; 16]);

impl std::fmt::Debug for EntryKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

/// The list itself, append-only.
#[derive(Default, Debug)]
pub struct Manifest {
    entries: Vec<Entry>,
    depths: Vec<u8>,
    /// The numbers of the picked items, ascending.
    tops: Vec<u32>,
    name_bytes: usize,
    total_bytes: u64,
}

impl Manifest {
    /// A million is fine; twice that is the end, so that a hostile list stays under 200 MiB.
    pub const MAX_ENTRIES: usize = 2_000_000;
    /// 64 bytes for each of a million names.
    pub const MAX_NAME_BYTES: usize = 64 << 20;
    /// As many as somebody may list who has proven nothing, before a person accepts.
    pub const UNVERIFIED_ENTRIES: usize = 100_000;
    pub const UNVERIFIED_NAME_BYTES: usize = 8 << 20;
    /// Deeper paths break most tools that would have to open them.
    pub const MAX_DEPTH: u8 = 128;

    /// Appends an entry and returns its number.
    pub fn push(&mut self, entry: Entry) -> Result<u32, ManifestError> {
        if self.entries.len() >= Self::MAX_ENTRIES {
            return Err(ManifestError::TooMany);
        }
        let depth = match entry.parent {
            None => 1,
            Some(parent) => {
                let index = parent as usize;
                match self.entries.get(index).map(|entry| entry.kind) {
                    Some(EntryKind::Folder) => self.depths[index].saturating_add(1),
                    Some(EntryKind::File { .. }) | None => return Err(ManifestError::Parent),
                }
            }
        };
        if depth > Self::MAX_DEPTH {
            return Err(ManifestError::TooDeep);
        }
        let name_bytes = self.name_bytes + entry.name.as_str().len();
        if name_bytes > Self::MAX_NAME_BYTES {
            return Err(ManifestError::TooLarge);
        }
        let total_bytes = self
            .total_bytes
            .checked_add(entry.len_bytes())
            .filter(|total| i64::try_from(*total).is_ok())
            .ok_or(ManifestError::Sum)?;
        let number = self.entries.len() as u32;
        if entry.parent.is_none() {
            self.tops.push(number);
        }
        self.name_bytes = name_bytes;
        self.total_bytes = total_bytes;
        self.entries.push(entry);
        self.depths.push(depth);
        Ok(number)
    }

    pub fn get(&self, number: u32) -> Option<&Entry> {
        self.entries.get(number as usize)
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of all names together.
    pub fn name_bytes(&self) -> usize {
        self.name_bytes
    }

    /// Content of all files together.
    pub fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The components from the picked item down to this entry; empty if there is no such entry.
    pub fn path(&self, number: u32) -> Vec<&SafeName> {
        let mut components = Vec::new();
        let mut next = Some(number);
        while let Some(entry) = next.and_then(|number| self.get(number)) {
            components.push(&entry.name);
            next = entry.parent;
        }
        components.reverse();
        components
    }

    /// What was picked, in a number: BLAKE3 over the names of the picked items in their order.
    pub fn picks(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        for entry in self.tops.iter().filter_map(|top| self.get(*top)) {
            hasher.update(entry.name.as_str().as_bytes());
            hasher.update(&[0]);
        }
        hasher.finalize().into()
    }

    /// What the entry is called across runs; `None` if there is no such entry.
    pub fn key(&self, number: u32) -> Option<EntryKey> {
        let mut hasher = blake3::Hasher::new();
        let mut next = Some(number);
        while let Some(number) = next {
            let entry = self.get(number)?;
            hasher.update(entry.name.as_str().as_bytes());
            // No name holds a NUL.
            hasher.update(&[0]);
            if entry.parent.is_none() {
                let place = self.tops.binary_search(&number).ok()?;
                hasher.update(&(place as u64).to_be_bytes());
            }
            next = entry.parent;
        }
        let mut key = [0; 16];
        hasher.finalize_xof().fill(&mut key);
        Some(EntryKey(key))
    }

    /// Whether [`Manifest::display_path`] would say the same, which this finds out without saying it.
    pub fn is_displayed_as(&self, number: u32, path: &str) -> bool {
        let mut components = path.rsplit('/');
        let mut next = Some(number);
        while let Some(entry) = next.and_then(|number| self.get(number)) {
            let name = entry.name.as_str();
            let same = |shown: &str| shown == name || shown == displayable(name);
            if !components.next().is_some_and(same) {
                return false;
            }
            next = entry.parent;
        }
        components.next().is_none()
    }

    /// The path for people: components joined by `/`, escaped for display.
    pub fn display_path(&self, number: u32) -> String {
        let names: Vec<_> = self
            .path(number)
            .into_iter()
            .map(|name| displayable(name.as_str()))
            .collect();
        names.join("/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(parent: Option<u32>, name: &str, kind: EntryKind) -> Entry {
        Entry {
            parent,
            name: SafeName::try_from(name).expect("safe"),
            kind,
            modified: None,
        }
    }

    fn file(len_bytes: u64) -> EntryKind {
        EntryKind::File {
            len_bytes,
            executable: false,
        }
    }

    #[test]
    fn paths_follow_the_parents() {
        let mut list = Manifest::default();
        list.push(entry(None, "Holiday", EntryKind::Folder))
            .unwrap();
        list.push(entry(Some(0), "day 1", EntryKind::Folder))
            .unwrap();
        let photo = list.push(entry(Some(1), "a.jpg", file(7))).unwrap();
        assert_eq!(list.display_path(photo), "Holiday/day 1/a.jpg");
        assert!(list.is_displayed_as(photo, "Holiday/day 1/a.jpg"));
        for other in [
            "Holiday/day 1/a (1).jpg",
            "Holiday (1)/day 1/a.jpg",
            "day 1/a.jpg",
            "x/Holiday/day 1/a.jpg",
            "",
        ] {
            assert!(!list.is_displayed_as(photo, other), "{other}");
        }
        let odd = list.push(entry(None, "a\u{202e}b", file(0))).unwrap();
        assert!(list.is_displayed_as(odd, &list.display_path(odd)));
        assert_eq!(list.total_bytes(), 7);
    }

    #[test]
    fn a_key_stays_when_numbers_change_and_tells_two_picks_of_one_name_apart() {
        let list = |more: usize| {
            let mut list = Manifest::default();
            list.push(entry(None, "x", EntryKind::Folder)).unwrap();
            for n in 0..more {
                list.push(entry(Some(0), &format!("new {n}"), file(1)))
                    .unwrap();
            }
            let old = list.push(entry(Some(0), "a", file(1))).unwrap();
            let second = list.push(entry(None, "x", file(1))).unwrap();
            (list.key(old), list.key(second), list.key(0))
        };
        assert_eq!(list(0), list(3));
        let (old, second, first) = list(0);
        assert!(old != second && second != first && first != old);
        assert_eq!(Manifest::default().key(0), None);
    }

    #[test]
    fn a_parent_must_be_an_earlier_folder() {
        let mut list = Manifest::default();
        list.push(entry(None, "a", file(1))).unwrap();
        for parent in [0, 1, u32::MAX] {
            let refused = list.push(entry(Some(parent), "b", file(1)));
            assert_eq!(refused, Err(ManifestError::Parent));
        }
    }

    #[test]
    fn sizes_that_no_disk_can_hold_are_refused() {
        let mut list = Manifest::default();
        let refused = list.push(entry(None, "a", file(1 << 63)));
        assert_eq!(refused, Err(ManifestError::Sum));
        list.push(entry(None, "a", file(i64::MAX as u64))).unwrap();
        let refused = list.push(entry(None, "b", file(1)));
        assert_eq!(refused, Err(ManifestError::Sum));
    }

    #[test]
    fn the_depth_of_a_path_is_bounded() {
        let mut list = Manifest::default();
        let mut parent = None;
        for _ in 0..Manifest::MAX_DEPTH {
            parent = Some(list.push(entry(parent, "d", EntryKind::Folder)).unwrap());
        }
        let refused = list.push(entry(parent, "d", EntryKind::Folder));
        assert_eq!(refused, Err(ManifestError::TooDeep));
    }
}
