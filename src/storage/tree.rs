//! The received folders: which entry became which folder, and handles to reach into them.
//!
//! Every handle is reached from the save folder's by opening one component after the other without
//! following links. The most recent ones stay open, so that a folder full of files costs one walk;
//! their number is bounded whatever the peer sends.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use super::commit::holds;
use super::handle::{FolderHandle, Standing, is_not_a_folder};
use super::names::{DiskName, Rules};
use super::staging::Staging;
use crate::model::{Entry, Modified, Problem, SafeName, displayable};

/// Handles kept open: deeper than people nest folders, few beside the 1024 descriptors of a process.
const OPEN_HANDLES: usize = 32;

/// From so many folders on, one flush of the whole file system is cheaper than one each.
const FLUSH_TOGETHER: usize = 16;

/// Past so many numbered names something else is wrong.
pub(super) const MAX_TWINS: u32 = 100_000;

#[derive(Debug)]
pub(super) struct Tree {
    root: Arc<FolderHandle>,
    /// Our staging area, which may not be merged with under any name.
    area: Arc<FolderHandle>,
    rules: Rules,
    folders: HashMap<u32, Folder>,
    /// The most recent last.
    open: VecDeque<(u32, Arc<FolderHandle>)>,
    /// Folders in which something was made; `None` is the save folder itself.
    touched: HashSet<Option<u32>>,
    crossed: bool,
    /// The folder of the last path that was shown, and how it was shown: most files lie beside the one
    /// before.
    shown: RefCell<(Option<u32>, String)>,
    /// The number from which the next twin of a name has to look for a free one: without it, n
    /// entries of one name would cost n² tries.
    twins: HashMap<(Option<u32>, DiskName), u32>,
}

#[derive(Debug)]
struct Folder {
    parent: Option<u32>,
    /// As it is called on this disk.
    name: Box<str>,
    state: State,
    /// Made in this run, so nothing was in it.
    fresh: bool,
}

#[derive(Debug)]
enum State {
    /// We made it, in this run or an earlier one, and owe it this time.
    Made(Option<Modified>),
    /// It was there already and keeps its time.
    Merged,
    Failed,
}

/// How a folder from the wire came to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FolderOrigin {
    Made,
    Merged,
}

/// What to do when a folder of ours has been removed by somebody.
#[derive(Clone, Copy)]
enum Removed {
    MakeAgain,
    Report,
}

impl Tree {
    pub fn new(root: Arc<FolderHandle>, area: Arc<FolderHandle>) -> Self {
        Self {
            root,
            area,
            rules: Rules::of_this_system(),
            folders: HashMap::new(),
            open: VecDeque::new(),
            touched: HashSet::new(),
            crossed: false,
            shown: RefCell::default(),
            twins: HashMap::new(),
        }
    }

    /// Makes a folder below its parent, or finds the real folder that is there already. Something
    /// else of that name stays as it is: the folder is then `name (1)`.
    pub fn add_folder(
        &mut self,
        number: u32,
        entry: &Entry,
        staging: &mut Staging,
    ) -> Result<FolderOrigin, Problem> {
        let Entry {
            parent,
            ref name,
            modified,
            ..
        } = *entry;
        let fresh = std::cell::Cell::new(false);
        let added = self.place(
            parent,
            |rules| DiskName::folder(name, rules, parent.is_none()),
            |tree, folder, name| {
                let place = tree.place_of(parent, name);
                let there = folder.folder(name);
                if there.is_err_and(|error| error.kind() == ErrorKind::NotFound)
                    && let Err(error) = staging.journal_mut().record_making(&place)
                {
                    // On a full disk; then only its time would be lost.
                    tracing::debug!(%error, "journal not written");
                }
                let origin = tree.make_or_merge(folder, name)?;
                fresh.set(origin == FolderOrigin::Made);
                match origin {
                    FolderOrigin::Merged if staging.journal().made(&place) => {
                        Ok(FolderOrigin::Made)
                    }
                    origin => Ok(origin),
                }
            },
        );
        let (name, state, result) = match added {
            Ok((name, origin @ FolderOrigin::Made)) => (name, State::Made(modified), Ok(origin)),
            Ok((name, origin @ FolderOrigin::Merged)) => (name, State::Merged, Ok(origin)),
            Err(problem) => {
                let name = self.planned_folder_name(name, parent);
                (name, State::Failed, Err(problem))
            }
        };
        self.insert(number, parent, name, state, fresh.get());
        result
    }

    /// Makes a picked folder beside whatever has its name, never merging. `taking` hears of each name
    /// that is about to be tried.
    pub fn add_apart(
        &mut self,
        number: u32,
        name: &SafeName,
        modified: Option<Modified>,
        mut taking: impl FnMut(&str),
    ) -> Result<(), Problem> {
        let made = self.place(
            None,
            |rules| DiskName::folder(name, rules, true),
            |_tree, folder, name| {
                if folder.look(name)?.is_some() {
                    return Err(ErrorKind::AlreadyExists.into());
                }
                taking(name);
                folder.make_folder(name)
            },
        );
        let (name, state, result) = match made {
            Ok((name, ())) => (name, State::Made(modified), Ok(())),
            Err(problem) => (
                self.planned_folder_name(name, None),
                State::Failed,
                Err(problem),
            ),
        };
        let fresh = result.is_ok();
        self.insert(number, None, name, state, fresh);
        result
    }

    /// Takes up a picked folder that an earlier run made under this name. `false` if it is gone, or
    /// is not certain to be ours: only an empty one may be taken without that.
    pub fn take_up(
        &mut self,
        number: u32,
        name: &str,
        modified: Option<Modified>,
        certain: bool,
    ) -> bool {
        let Ok(folder) = self.root.folder(name) else {
            return false;
        };
        let ours = certain || folder.names().is_ok_and(|names| names.is_empty());
        if ours {
            self.insert(number, None, name.to_owned(), State::Made(modified), false);
            self.touch(None);
        }
        ours
    }

    /// Finds a folder that arrived in an earlier run, if it is still there. Makes nothing.
    pub fn find_folder(&mut self, number: u32, entry: &Entry, staging: &Staging) {
        let Entry {
            parent,
            ref name,
            modified,
            ..
        } = *entry;
        let named = DiskName::folder(name, self.rules, parent.is_none());
        let above = self.reach(parent, Removed::Report).ok();
        let found = above.and_then(|above| {
            let mut names = (0..MAX_TWINS).map(|n| named.nth(n));
            let taken = names.find_map(|name| match above.folder(&name) {
                Ok(_folder) => Some(Some(name)),
                Err(error) if is_not_a_folder(&error) => None,
                Err(_gone) => Some(None),
            });
            taken.flatten()
        });
        let name = found.unwrap_or_else(|| named.nth(0));
        let state = match staging.journal().made(&self.place_of(parent, &name)) {
            true => State::Made(modified),
            false => State::Merged,
        };
        self.insert(number, parent, name, state, false);
    }

    /// What stands in that folder is not safe before the folder is flushed.
    pub fn touch(&mut self, folder: Option<u32>) {
        self.touched.insert(folder);
    }

    fn insert(
        &mut self,
        number: u32,
        parent: Option<u32>,
        name: String,
        state: State,
        fresh: bool,
    ) {
        let name = name.into_boxed_str();
        let folder = Folder {
            parent,
            name,
            state,
            fresh,
        };
        self.folders.insert(number, folder);
        // It may have been tried under another name before.
        self.shown.take();
    }

    fn make_or_merge(&self, folder: &FolderHandle, name: &str) -> io::Result<FolderOrigin> {
        match folder.make_folder(name) {
            Ok(()) => return Ok(FolderOrigin::Made),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        match folder.folder(name) {
            // Some spelling that this file system takes for our own name.
            Ok(found) if found.is_same_as(&self.area)? => Err(ErrorKind::AlreadyExists.into()),
            Ok(_found) => Ok(FolderOrigin::Merged),
            Err(error) if is_not_a_folder(&error) => Err(ErrorKind::AlreadyExists.into()),
            Err(error) => Err(error),
        }
    }

    /// Finds a name in folder `parent` under which `put` succeeds: the name itself, then numbered
    /// ones as long as it says [`ErrorKind::AlreadyExists`]. A name that this disk refuses is
    /// adjusted; a folder that was removed meanwhile is made again, once.
    pub fn place<T>(
        &mut self,
        parent: Option<u32>,
        named: impl Fn(Rules) -> DiskName,
        mut put: impl FnMut(&Self, &FolderHandle, &str) -> io::Result<T>,
    ) -> Result<(String, T), Problem> {
        let mut folder = self.folder(parent)?;
        let mut fresh = false;
        let mut doubtful = None;
        let mut name = named(self.rules);
        let mut n = 0;
        loop {
            let candidate = name.nth(n);
            // `names` never makes one; if it did, this would be the way out of the save folder.
            if matches!(candidate.as_str(), "" | "." | "..") || candidate.contains(['/', '\0']) {
                return Err(Problem::Name);
            }
            let error = match put(self, &folder, &candidate) {
                Ok(done) => {
                    self.touched.insert(parent);
                    if n > 0 {
                        self.twins.insert((parent, name), n + 1);
                    }
                    return Ok((candidate, done));
                }
                Err(error) => error,
            };
            let adjusted = match error.kind() {
                ErrorKind::AlreadyExists => {
                    // The name itself is always tried, it may hold the same content; after it, the
                    // numbers that are known to be taken are passed over.
                    n = match n {
                        0 => self
                            .twins
                            .get(&(parent, name.clone()))
                            .copied()
                            .unwrap_or(1),
                        n => n + 1,
                    };
                    if n > MAX_TWINS {
                        return Err(Problem::Name);
                    }
                    continue;
                }
                ErrorKind::NotFound if !fresh => {
                    fresh = true;
                    self.look_again();
                    folder = self.folder(parent)?;
                    continue;
                }
                ErrorKind::InvalidFilename => self.rules.shorter(),
                ErrorKind::InvalidInput => self.rules.stricter(),
                // FAT in user space says so of a name that it does not take.
                ErrorKind::NotFound | ErrorKind::PermissionDenied if doubtful.is_none() => {
                    let stricter = self.rules.stricter();
                    let stricter = stricter.filter(|rules| named(*rules).nth(n) != candidate);
                    doubtful = stricter.is_some().then_some(self.rules);
                    stricter
                }
                _ => None,
            };
            match adjusted {
                Some(rules) => {
                    self.rules = rules;
                    name = named(rules);
                    n = 0;
                }
                None => {
                    if let Some(rules) = doubtful {
                        // It was not the name.
                        self.rules = rules;
                    }
                    return Err(Problem::writing(&error));
                }
            }
        }
    }

    /// What has a name in a folder; nothing if that cannot be told. Makes nothing.
    pub fn look(&mut self, parent: Option<u32>, name: &str) -> Option<Standing> {
        let folder = self.reach(parent, Removed::Report).ok()?;
        folder.look(name).ok().flatten()
    }

    /// A regular file of this very content has the name.
    pub fn holds(
        &mut self,
        parent: Option<u32>,
        name: &str,
        len_bytes: u64,
        hash: &[u8; 32],
    ) -> bool {
        let folder = self.reach(parent, Removed::Report);
        folder.is_ok_and(|folder| holds(&folder, name, len_bytes, hash))
    }

    /// The regular file that has a name in a folder, to be read.
    pub fn regular_file(&mut self, parent: Option<u32>, name: &str) -> Option<File> {
        let folder = self.reach(parent, Removed::Report).ok()?;
        folder.regular_file(name).ok().flatten()
    }

    /// We made the folder in this run: nothing can stand in it that we did not put there.
    pub fn is_new(&self, folder: Option<u32>) -> bool {
        let folder = folder.and_then(|number| self.folders.get(&number));
        folder.is_some_and(|folder| folder.fresh)
    }

    /// The longest file that the disk under a folder can hold, where that is little.
    pub fn largest_file(&mut self, parent: Option<u32>) -> Option<u64> {
        let folder = self.reach(parent, Removed::Report).ok()?;
        let (here, staging) = (folder.largest_file(), self.area.largest_file());
        [here, staging].into_iter().flatten().min()
    }

    /// Lets go of all handles, so that the next step walks down anew. A handle follows its folder
    /// when somebody moves it away, and what is put into it then would not be where we say.
    pub fn look_again(&mut self) {
        self.open.clear();
    }

    /// The first name that would be tried for a file.
    pub fn planned_file_name(&self, name: &SafeName, parent: Option<u32>) -> String {
        DiskName::file(name, self.rules, parent.is_none()).nth(0)
    }

    pub fn planned_folder_name(&self, name: &SafeName, parent: Option<u32>) -> String {
        DiskName::folder(name, self.rules, parent.is_none()).nth(0)
    }

    /// The folder is there, as far as is known, and things can be put into it.
    pub fn is_usable(&self, folder: Option<u32>) -> bool {
        match folder {
            None => true,
            Some(number) => match self.folders.get(&number).map(|folder| &folder.state) {
                Some(State::Made(_) | State::Merged) => true,
                Some(State::Failed) | None => false,
            },
        }
    }

    /// Path of something in a folder, relative to the save folder, for people.
    pub fn display_path(&self, parent: Option<u32>, name: &str) -> String {
        let mut shown = self.shown.borrow_mut();
        let (folder, above) = &mut *shown;
        if *folder != parent {
            *folder = parent;
            above.clear();
            for name in self.place_of_folder(parent) {
                above.push_str(&displayable(&name));
                above.push('/');
            }
        }
        [above.as_str(), &displayable(name)].concat()
    }

    pub fn root(&self) -> &FolderHandle {
        &self.root
    }

    /// The names on this disk from the save folder down to something in a folder.
    pub fn place_of(&self, parent: Option<u32>, name: &str) -> Vec<String> {
        let mut place = self.place_of_folder(parent);
        place.push(name.to_owned());
        place
    }

    /// The names on this disk from the save folder down to a folder.
    pub fn place_of_folder(&self, folder: Option<u32>) -> Vec<String> {
        let mut place = Vec::new();
        let mut next = folder;
        while let Some(folder) = next.and_then(|number| self.folders.get(&number)) {
            place.push(folder.name.to_string());
            next = folder.parent;
        }
        place.reverse();
        place
    }

    /// What an added folder is called on this disk.
    pub fn folder_name(&self, number: u32) -> Option<&str> {
        self.folders.get(&number).map(|folder| &*folder.name)
    }

    /// Path of an added folder, as it is called here.
    pub fn folder_path(&self, number: u32) -> String {
        match self.folders.get(&number) {
            Some(folder) => self.display_path(folder.parent, &folder.name),
            None => String::new(),
        }
    }

    fn folder(&mut self, number: Option<u32>) -> Result<Arc<FolderHandle>, Problem> {
        self.reach(number, Removed::MakeAgain)
    }

    /// A handle to the folder, from the nearest open one above it downwards.
    fn reach(
        &mut self,
        folder: Option<u32>,
        removed: Removed,
    ) -> Result<Arc<FolderHandle>, Problem> {
        let mut closed = Vec::new();
        let mut next = folder;
        let mut handle = loop {
            let Some(number) = next else {
                break Arc::clone(&self.root);
            };
            if let Some(at) = self.open.iter().position(|(open, _)| *open == number) {
                // Used now, so it goes last.
                let Some(found) = self.open.remove(at) else {
                    return Err(Problem::Folder);
                };
                let handle = Arc::clone(&found.1);
                self.open.push_back(found);
                break handle;
            }
            let folder = self.folders.get(&number).ok_or(Problem::Folder)?;
            if matches!(folder.state, State::Failed) {
                return Err(Problem::Folder);
            }
            closed.push(number);
            next = folder.parent;
        };
        for number in closed.into_iter().rev() {
            let folder = self.folders.get(&number).ok_or(Problem::Folder)?;
            let (name, above) = (&folder.name, folder.parent);
            let opened = handle.folder(name).or_else(|error| match removed {
                Removed::MakeAgain if error.kind() == ErrorKind::NotFound => {
                    handle.make_folder(name)?;
                    self.touched.insert(above);
                    handle.folder(name)
                }
                Removed::MakeAgain | Removed::Report => Err(error),
            });
            handle = Arc::new(opened.map_err(|error| match error.kind() {
                _ if is_not_a_folder(&error) => Problem::Folder,
                ErrorKind::NotFound => Problem::Gone,
                _ => Problem::writing(&error),
            })?);
            if self.open.len() >= OPEN_HANDLES {
                self.open.pop_front();
            }
            self.open.push_back((number, Arc::clone(&handle)));
        }
        Ok(handle)
    }

    /// Gives the folders we made their times, now that nothing more is put into them, and flushes
    /// every folder in which something was made. Folders that somebody removed or replaced since
    /// are passed over: they are that person's now.
    pub fn finish(&mut self) -> Result<(), Problem> {
        self.look_again();
        let mut made: Vec<_> = self
            .folders
            .iter()
            .filter_map(|(number, folder)| match folder.state {
                State::Made(Some(modified)) => Some((*number, folder.parent, modified)),
                State::Made(None) | State::Merged | State::Failed => None,
            })
            .collect();
        // Parents have lower numbers: deepest first, neighbours together.
        made.sort_unstable_by_key(|(number, ..)| std::cmp::Reverse(*number));
        for (number, parent, modified) in made {
            if let Ok(parent) = self.reach(parent, Removed::Report)
                && let Some(folder) = self.folders.get(&number)
            {
                // A time this disk cannot hold is no failure.
                let _ = parent.set_folder_modified(&folder.name, modified);
            }
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<(), Problem> {
        let writing = |error: io::Error| Problem::writing(&error);
        if self.touched.len() >= FLUSH_TOGETHER && !self.crossed {
            let together = self.root.flush_file_system().map_err(writing)?;
            if together {
                return Ok(());
            }
        }
        for folder in std::mem::take(&mut self.touched) {
            match self.reach(folder, Removed::Report) {
                Ok(handle) => handle.flush().map_err(writing)?,
                // Somebody removed or replaced it since; it is theirs now.
                Err(Problem::Folder | Problem::Gone) => {}
                Err(problem) => return Err(problem),
            }
        }
        Ok(())
    }

    /// Something was put on another file system than the save folder's.
    pub fn set_crossed(&mut self) {
        self.crossed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{EntryKind, TransferId};
    use crate::storage::staging::Run;

    fn tree(dir: &tempfile::TempDir) -> Tree {
        std::fs::create_dir(dir.path().join("area")).unwrap();
        let root = Arc::new(FolderHandle::open(dir.path()).unwrap());
        let area = Arc::new(root.folder("area").unwrap());
        Tree::new(root, area)
    }

    fn place(
        tree: &mut Tree,
        raw: &str,
        mut put: impl FnMut(&str) -> io::Result<()>,
    ) -> Result<String, Problem> {
        let name = SafeName::try_from(raw).unwrap();
        tree.place(
            None,
            |rules| DiskName::file(&name, rules, true),
            |_tree, _folder, name| put(name),
        )
        .map(|(name, ())| name)
    }

    #[test]
    fn names_that_the_disk_refuses_are_adjusted_to_what_it_takes() {
        let dir = tempfile::tempdir().unwrap();
        let mut tree = tree(&dir);
        // An encrypted FAT stick in a bad mood, with one name taken.
        let long = format!("12:30 {}.txt", "x".repeat(200));
        let mut put = |name: &str| match name {
            name if name.len() > 143 => Err(ErrorKind::InvalidFilename.into()),
            name if name.contains(':') => Err(ErrorKind::InvalidInput.into()),
            "12_30.txt" => Err(ErrorKind::AlreadyExists.into()),
            _free => Ok(()),
        };
        let placed = place(&mut tree, &long, &mut put).unwrap();
        assert!(placed.starts_with("12_30 xxx") && placed.ends_with(".txt"));
        assert_eq!(placed.len(), 143);
        let placed = place(&mut tree, "12:30.txt", &mut put);
        assert_eq!(placed.as_deref(), Ok("12_30 (1).txt"));
    }

    #[test]
    fn a_name_that_the_disk_refuses_in_every_form_is_a_problem() {
        let dir = tempfile::tempdir().unwrap();
        let mut tree = tree(&dir);
        for kind in [ErrorKind::InvalidFilename, ErrorKind::InvalidInput] {
            let refused = place(&mut tree, "x", |_name| Err(kind.into()));
            assert_eq!(refused, Err(Problem::Name));
        }
    }

    #[test]
    fn the_nth_twin_does_not_try_the_numbers_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut tree = tree(&dir);
        let mut taken = HashSet::new();
        let mut tries = 0;
        for _ in 0..1000 {
            place(&mut tree, "twin", |name| {
                tries += 1;
                match taken.insert(name.to_owned()) {
                    true => Ok(()),
                    false => Err(ErrorKind::AlreadyExists.into()),
                }
            })
            .unwrap();
        }
        assert!(tries <= 2000, "{tries}");
    }

    #[test]
    fn our_own_area_is_not_merged_with_under_whatever_name_it_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let mut tree = tree(&dir);
        let entry = Entry {
            parent: None,
            name: SafeName::try_from("area").unwrap(),
            kind: EntryKind::Folder,
            modified: None,
        };
        let root = Arc::clone(&tree.root);
        let mut staging = Staging::open(root, TransferId([1; 16]), Run::First).unwrap();
        let added = tree.add_folder(0, &entry, &mut staging);
        assert_eq!(added, Ok(FolderOrigin::Made));
        assert_eq!(tree.folder_path(0), "area (1)");
    }
}
