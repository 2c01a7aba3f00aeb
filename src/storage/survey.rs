//! What an offer would meet in a folder, before anybody has accepted it: names are compared, one entry
//! after the other, and nothing is opened for reading, followed, made or changed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::handle::{FolderHandle, StandingKind};
use super::names::{DiskName, Rules};
use super::space::free_bytes;
use crate::model::{Entry, EntryKind};

/// Take in the entries of a manifest in their order.
#[derive(Debug)]
pub struct Survey {
    folder: PathBuf,
    /// `None` if the save folder is not there yet: then all is new.
    root: Option<FolderHandle>,
    /// Folders of the offer that are there: what they lie in, and their names.
    there: HashMap<u32, (Option<u32>, String)>,
    /// Neighbours share the walk.
    last: Option<(u32, FolderHandle)>,
    looked: usize,
    seen: Seen,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Seen {
    /// Picked items whose names are taken, by whatever.
    pub picked: Vec<u32>,
    /// Files whose names are taken.
    pub same_names: u64,
    /// Files whose names are free.
    pub new: u64,
}

impl Survey {
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            root: FolderHandle::open(folder).ok(),
            there: HashMap::new(),
            last: None,
            looked: 0,
            seen: Seen::default(),
        }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Free room there; `None` if the system does not tell.
    pub fn free_bytes(&self) -> Option<u64> {
        free_bytes(&self.folder)
    }

    /// The number of the entry that is to be looked at next.
    pub fn looked(&self) -> usize {
        self.looked
    }

    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Looks for the next entry.
    pub fn look(&mut self, entry: &Entry) {
        let number = u32::try_from(self.looked).unwrap_or(u32::MAX);
        self.looked += 1;
        let (rules, top) = (Rules::of_this_system(), entry.parent.is_none());
        let name = match entry.kind {
            EntryKind::Folder => DiskName::folder(&entry.name, rules, top),
            EntryKind::File { .. } => DiskName::file(&entry.name, rules, top),
        };
        let name = name.nth(0);
        let standing = self
            .reach(entry.parent)
            .and_then(|folder| folder.look(&name).ok().flatten());
        if standing.is_some() && top {
            self.seen.picked.push(number);
        }
        match (entry.kind, standing) {
            (EntryKind::Folder, Some(standing)) if standing.kind == StandingKind::Folder => {
                self.there.insert(number, (entry.parent, name));
            }
            (EntryKind::Folder, _) => {}
            (EntryKind::File { .. }, Some(_)) => self.seen.same_names += 1,
            (EntryKind::File { .. }, None) => self.seen.new += 1,
        }
    }

    /// The folder, if it is there.
    fn reach(&mut self, number: Option<u32>) -> Option<&FolderHandle> {
        let Some(number) = number else {
            return self.root.as_ref();
        };
        if self.last.as_ref().is_none_or(|(last, _)| *last != number) {
            let mut names = Vec::new();
            let mut next = Some(number);
            while let Some(folder) = next {
                let (parent, name) = self.there.get(&folder)?;
                names.push(name);
                next = *parent;
            }
            let mut names = names.into_iter().rev();
            let mut handle = self.root.as_ref()?.folder(names.next()?).ok()?;
            for name in names {
                handle = handle.folder(name).ok()?;
            }
            self.last = Some((number, handle));
        }
        self.last.as_ref().map(|(_, handle)| handle)
    }
}
