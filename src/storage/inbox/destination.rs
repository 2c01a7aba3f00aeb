//! Where the entries of a transfer go: the save folder, the name that each of them has there, and what
//! stands under it already. Of content it knows only what is there.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::{Committed, Full, LARGE_BYTES, MEND_AT_MOST_BYTES, Target};
use crate::model::{Entry, EntryKey, EntryStatus, GROUP_BYTES, OnConflict, Problem};
use crate::storage::commit::{self, Left, Ready};
use crate::storage::conflict::{Conflicts, Verdict};
use crate::storage::groups::group_count;
use crate::storage::handle::{FolderHandle, StandingKind};
use crate::storage::journal::{Intent, Lines, PastEnd, Placed};
use crate::storage::mending::Looked;
use crate::storage::staging::Staging;
use crate::storage::tree::{FolderOrigin, Tree};

#[derive(Debug)]
pub(super) struct Destination {
    tree: Tree,
    conflicts: Conflicts,
    path: PathBuf,
    /// The save folder is not where it was.
    gone: bool,
}

/// Opens the save folder; one that is missing is made.
pub(super) fn open(save_folder: &Path) -> io::Result<FolderHandle> {
    let missing = !save_folder.exists();
    std::fs::create_dir_all(save_folder)?;
    if missing && let Some(Ok(parent)) = save_folder.parent().map(FolderHandle::open) {
        parent.flush()?;
    }
    FolderHandle::open(save_folder)
}

impl Destination {
    pub fn new(path: &Path, tree: Tree) -> Self {
        Self {
            tree,
            conflicts: Conflicts::default(),
            path: path.to_owned(),
            gone: false,
        }
    }

    /// What happens to a file whose name is taken, but for what earlier runs put there.
    pub fn set_rule(&mut self, rule: OnConflict, staging: &Staging) {
        self.conflicts.set_rule(rule);
        if self.conflicts.wants_claims() {
            let mut looked = Looked::default();
            for (key, past) in staging.journal().all_past() {
                // Where a run was killed, what stands there may be ours or still somebody else's.
                let ours = past.end == PastEnd::Ours
                    || past.end == PastEnd::Unknown && looked.is_ours(self.tree.root(), past);
                if ours || past.end == PastEnd::Found {
                    self.conflicts.claim(&past.place, *key, ours, None);
                }
            }
        }
    }

    pub fn root(&self) -> &FolderHandle {
        self.tree.root()
    }

    /// The folder is to be flushed at the end.
    pub fn touch(&mut self, folder: Option<u32>) {
        self.tree.touch(folder);
    }

    pub fn add_folder(
        &mut self,
        number: u32,
        entry: &Entry,
        staging: &mut Staging,
    ) -> Result<Committed, Full> {
        let added = self.tree.add_folder(number, entry, staging);
        let status = match added {
            Ok(FolderOrigin::Made) => EntryStatus::Arrived,
            Ok(FolderOrigin::Merged) => EntryStatus::AlreadyThere,
            Err(problem) if problem.lacks_room() => return Err(Full::of(&problem)),
            Err(problem) => EntryStatus::Failed(problem),
        };
        Ok(Committed {
            number,
            path: self.tree.folder_path(number),
            len_bytes: 0,
            blake3: None,
            status,
        })
    }

    /// A folder of a transfer that had arrived: nothing is made.
    pub fn find_folder(&mut self, Target { number, key, entry }: Target, staging: &Staging) {
        let tree = &mut self.tree;
        let apart = staging.journal().past_folder(key);
        let taken_up = apart
            .filter(|_| entry.parent.is_none())
            .is_some_and(|past| tree.take_up(number, &past.name, entry.modified, past.made));
        if !taken_up {
            tree.find_folder(number, entry, staging);
        }
    }

    pub fn folder_arrived(&self, number: u32) -> Committed {
        Committed {
            number,
            path: self.tree.folder_path(number),
            len_bytes: 0,
            blake3: None,
            status: EntryStatus::AlreadyThere,
        }
    }

    pub fn add_picked_folder(
        &mut self,
        target: Target,
        staging: &mut Staging,
    ) -> Result<Committed, Full> {
        let Target { number, key, entry } = target;
        if self.conflicts.rule() != OnConflict::Separate || entry.parent.is_some() {
            return self.add_folder(number, entry, staging);
        }
        let tree = &mut self.tree;
        let taken_up = staging
            .journal()
            .past_folder(key)
            .is_some_and(|past| tree.take_up(number, &past.name, entry.modified, past.made));
        let made = match taken_up {
            true => Ok(()),
            false => tree.add_apart(number, &entry.name, entry.modified, |name| {
                // Written before it is made: a kill in between leaves the trace that it is ours.
                if let Err(error) = staging.journal_mut().record_folder(key, name, false) {
                    tracing::debug!(%error, "journal not written");
                }
            }),
        };
        if let Err(problem) = &made
            && problem.lacks_room()
        {
            return Err(Full::of(problem));
        }
        let path = self.tree.folder_path(number);
        if made.is_ok()
            && let Some(name) = self.tree.folder_name(number)
            && let Err(error) = staging.journal_mut().record_folder(key, name, true)
        {
            tracing::debug!(%error, "journal not written");
        }
        Ok(Committed {
            number,
            path,
            len_bytes: 0,
            blake3: None,
            status: match made {
                Ok(()) => EntryStatus::Arrived,
                Err(problem) => EntryStatus::Failed(problem),
            },
        })
    }

    pub fn is_new(&self, folder: u32) -> bool {
        self.tree.is_new(Some(folder))
    }

    /// What lies in that folder can have a place.
    pub fn is_usable(&self, folder: Option<u32>) -> bool {
        self.tree.is_usable(folder)
    }

    /// The name that a file would have first.
    pub fn planned_name(&self, entry: &Entry) -> String {
        self.tree.planned_file_name(&entry.name, entry.parent)
    }

    /// The report on a file under the name that it would have had first.
    pub fn as_planned(
        &self,
        target: Target,
        status: EntryStatus,
        blake3: Option<[u8; 32]>,
    ) -> Committed {
        let Target { number, entry, .. } = target;
        let name = self.tree.planned_file_name(&entry.name, entry.parent);
        Committed {
            number,
            path: self.tree.display_path(entry.parent, &name),
            len_bytes: entry.len_bytes(),
            blake3,
            status,
        }
    }

    /// What becomes of a file is decided before it comes.
    pub fn foreseen(&mut self, entry: &Entry, key: EntryKey, name: &str) -> Option<EntryStatus> {
        if !self.tree.is_usable(entry.parent) {
            return Some(EntryStatus::Failed(Problem::Folder));
        }
        let len_bytes = entry.len_bytes();
        if len_bytes >= LARGE_BYTES
            && let Some(largest) = self.tree.largest_file(entry.parent)
            && len_bytes > largest
        {
            return Some(EntryStatus::Failed(Problem::TooLarge));
        }
        if !self.conflicts.rule().leaves_out() {
            return None;
        }
        let standing = self.tree.look(entry.parent, name)?;
        let place = self.tree.place_of(entry.parent, name);
        match self
            .conflicts
            .verdict(&place, key, &standing, entry.modified)
        {
            Verdict::Skip => Some(EntryStatus::Skipped),
            Verdict::KeepBoth | Verdict::Replace => None,
        }
    }

    /// Something stands under the name and may be the same, or partly: in so many groups from the
    /// beginning.
    pub fn comparable(&mut self, entry: &Entry, name: &str) -> Option<u32> {
        let len_bytes = entry.len_bytes();
        if len_bytes == 0 || len_bytes > MEND_AT_MOST_BYTES || self.tree.is_new(entry.parent) {
            return None;
        }
        let standing = self.tree.look(entry.parent, name)?;
        let all = group_count(len_bytes);
        let groups = match standing.len_bytes {
            _ if standing.kind != StandingKind::File => 0,
            // With one group there is only all or nothing.
            same if same == len_bytes => all,
            _other if all == 1 => 0,
            longer if longer > len_bytes => all,
            shorter => usize::try_from(shorter / GROUP_BYTES).ok()?,
        };
        u32::try_from(groups).ok().filter(|groups| *groups > 0)
    }

    /// The file that stands under the name of an offered one.
    pub fn existing(&mut self, entry: &Entry) -> Option<File> {
        let name = self.tree.planned_file_name(&entry.name, entry.parent);
        self.tree.regular_file(entry.parent, &name)
    }

    /// The same content stands under the name already: it need not be staged.
    pub fn is_there(&mut self, entry: &Entry, hash: &[u8; 32]) -> bool {
        if self.tree.is_new(entry.parent) {
            return false;
        }
        let name = self.tree.planned_file_name(&entry.name, entry.parent);
        let standing = self.tree.look(entry.parent, &name);
        let same_length = standing.is_some_and(|standing| {
            standing.kind == StandingKind::File && standing.len_bytes == entry.len_bytes()
        });
        same_length
            && self
                .tree
                .holds(entry.parent, &name, entry.len_bytes(), hash)
    }

    /// Another file has the name, cannot hold the same, and stays: nothing needs to be staged.
    pub fn is_skipped(&mut self, target: Target) -> bool {
        let entry = target.entry;
        if !self.conflicts.rule().leaves_out() {
            return false;
        }
        let name = self.tree.planned_file_name(&entry.name, entry.parent);
        let standing = self.tree.look(entry.parent, &name);
        standing.is_some_and(|standing| {
            let place = self.tree.place_of(entry.parent, &name);
            let verdict = self
                .conflicts
                .verdict(&place, target.key, &standing, entry.modified);
            standing.len_bytes != entry.len_bytes() && verdict == Verdict::Skip
        })
    }

    /// The same content stands under the name of the file already: a later run is told, if it is known
    /// what content.
    pub fn found(&mut self, target: Target, blake3: Option<[u8; 32]>, staging: &mut Staging) {
        let Target { key, entry, .. } = target;
        let name = self.tree.planned_file_name(&entry.name, entry.parent);
        let place = self.tree.place_of(entry.parent, &name);
        if self.conflicts.wants_claims() {
            self.conflicts.claim(&place, key, false, None);
        }
        // Somebody may have put it there a moment ago.
        self.tree.touch(entry.parent);
        let standing = self.tree.look(entry.parent, &name);
        if let (Some(hash), Some(standing)) = (blake3, standing) {
            let found = Intent::found(key, entry, place, standing.modified, &hash);
            let placed = Placed::new(key, &name, false);
            let written = staging.journal_mut().record(&Lines::from_iter([found]));
            let written = written.and_then(|()| staging.journal_mut().record_placed(vec![placed]));
            if let Err(error) = written {
                tracing::debug!(%error, "journal not written");
            }
        }
    }

    /// Gives files their final names. Also says which found no room, and why.
    pub fn commit(
        &mut self,
        ready: Vec<Ready>,
        staging: &mut Staging,
    ) -> (Vec<Committed>, Vec<Left>) {
        commit::commit(&mut self.tree, staging, &mut self.conflicts, ready)
    }

    /// The report on a file that would not be where we say.
    pub fn gone_with(&self, file: &Ready) -> Committed {
        Committed {
            number: file.number,
            path: self.tree.display_path(file.parent, file.name.as_str()),
            len_bytes: file.len_bytes,
            blake3: None,
            status: EntryStatus::Failed(Problem::Gone),
        }
    }

    /// The save folder that was opened is still the one of that path.
    pub fn is_in_place(&mut self) -> bool {
        let in_place = self.place().unwrap_or(false);
        self.gone |= !in_place;
        in_place
    }

    fn place(&self) -> io::Result<bool> {
        FolderHandle::open(&self.path)?.is_same_as(self.tree.root())
    }

    pub fn is_gone(&mut self) -> bool {
        let gone = match self.place() {
            Ok(in_place) => !in_place,
            Err(error) => matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
        };
        self.gone |= gone;
        self.gone
    }

    /// After the last commit: folder times, flushed folders.
    pub fn finish(&mut self) -> Result<(), Problem> {
        self.tree.finish()
    }
}
