//! The receiving side: one accepted transfer's place on this disk.
//!
//! Bytes go to staging files and are hashed on the way; a file gets its final name only complete,
//! checked and flushed, in [`Inbox::commit`]. Every entry reaches exactly one [`Committed`].
//! Progress, credit and what the peer is told are the engine's business.

mod arrived;

use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, ErrorKind, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::commit::{self, FLUSH_TOGETHER, Ready};
use super::conflict::{Conflicts, Verdict};
use super::groups::{GroupHash, group_count};
use super::handle::{FolderHandle, StandingKind, file_id, set_modified};
use super::mending::{Looked, Mending};
use super::staging::{Intent, Lines, Past, PastEnd, Placed, Run, Staging};
use super::tree::{FolderOrigin, Tree};
use super::walk::modified;
use crate::model::{
    Entry, EntryKey, EntryKind, EntryStatus, GROUP_BYTES, Manifest, Modified, OnConflict, Problem,
    TransferId,
};

pub use super::mending::KeptReader;
pub use super::space::{Room, free_bytes, room};
pub use super::staging::{KEPT_FOR, discard, sweep};

/// The shortest file that some disk could not hold (FAT).
pub const LARGE_BYTES: u64 = 1 << 32;

/// Files under way at once. The protocol sends them one after the other; this bounds descriptors.
const MAX_WRITING: usize = 64;

/// Of a file whose time this disk does not tell.
const NO_TIME: Modified = Modified {
    seconds: 0,
    nanos: 0,
};
/// Longer files begin anew: 4 TiB are 4 million groups, 140 MB of hashes.
const MEND_AT_MOST_BYTES: u64 = 4 << 40;
/// Groups of files that are mixed from what exists, all together: 1 TiB, 35 MB of hashes.
const MIX_AT_MOST_GROUPS: usize = 1 << 20;

/// What became of an entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Committed {
    pub number: u32,
    /// As finally named, relative to the save folder, escaped for display. Of a failed entry: as it
    /// would have been.
    pub path: String,
    pub len_bytes: u64,
    /// Of the content under the final name; `None` for folders and failures.
    pub blake3: Option<[u8; 32]>,
    /// A folder that was there before and is merged with is [`EntryStatus::AlreadyThere`].
    pub status: EntryStatus,
}

/// What can be said of files before they come.
#[derive(Default, Debug)]
pub struct Foreseen {
    /// These need not come.
    pub decided: Vec<Committed>,
    /// Something stands under the names of these: how many groups may be the same.
    pub comparable: Vec<(u32, u32)>,
}

/// The disk is full. Nothing of what was asked is done; it can be asked again when there is room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full {
    /// It has room, but not for who writes here.
    pub quota: bool,
}

impl Full {
    fn of(problem: &Problem) -> Self {
        Self {
            quota: *problem == Problem::Quota,
        }
    }
}

/// An entry as the wire numbers it now, and as every run knows it.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    pub number: u32,
    pub key: EntryKey,
    pub entry: &'a Entry,
}

/// What is there of a transfer that goes on.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Kept {
    /// Files that an earlier run committed and that are still as it left them, ascending.
    pub done: Vec<u32>,
    /// Files of which so many bytes are staged: whole groups, not compared yet.
    pub partial: Vec<(u32, u64)>,
    /// Files that do not come any more: [`over`](Inbox::over) says what became of them.
    pub over: Vec<u32>,
}

/// What may still come of a transfer that goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rest {
    /// It was cut: everything that is not there as it is listed now.
    Missing,
    /// It came to its end: only what did not arrive. What did is the receiver's since, and stays as
    /// it is or wherever it was moved to.
    Failed,
    /// All of it arrived, or was left out; perhaps the sender does not know. Nothing comes any more, and
    /// nothing is made, for the person may have moved all of it.
    Nothing,
}

/// Dropping it keeps what is staged, for a later run to go on from, unless
/// [`discard_staged`](Self::discard_staged) said that nobody will.
#[derive(Debug)]
pub struct Inbox {
    // Dropped in this order: open files are closed before their folder is removed.
    writing: HashMap<u32, Writing>,
    /// Files that go on from what an earlier run left.
    mending: HashMap<u32, Mending>,
    /// The one of them that was written last; only its file stays open.
    mended: Option<u32>,
    /// Remembered until the end of the file is reached; what still comes for it is ignored.
    failed: HashMap<u32, Problem>,
    /// Their fate was told before they had come; what still comes is ignored.
    left_out: HashSet<u32>,
    ready: Vec<Ready>,
    ready_bytes: u64,
    ready_small_bytes: u64,
    /// What the next commit reports beside what is ready: failures, what was skipped, and what had
    /// to be committed early.
    ended: Vec<Committed>,
    /// Of these, files that an earlier run had committed in another state.
    undone: Vec<EntryKey>,
    rest: Rest,
    conflicts: Conflicts,
    left_because: Full,
    /// The save folder is not where it was.
    gone: bool,
    tree: Tree,
    staging: Staging,
    save_folder: PathBuf,
}

/// A file under way.
#[derive(Debug)]
struct Writing {
    file: File,
    hasher: Box<blake3::Hasher>,
    written_bytes: u64,
    /// The disk was told to start writing up to here.
    pushed_bytes: u64,
}

impl Inbox {
    /// Makes the save folder if it is missing and takes a place in it: `.ropeway/<transfer id>/`,
    /// for the owner alone, locked as long as the inbox lives.
    pub fn create(save_folder: &Path, transfer: TransferId) -> Result<Self, Problem> {
        Self::open(save_folder, transfer, Run::First)
    }

    /// Takes the place of an earlier run of the same transfer. Call [`kept`](Self::kept) next.
    pub fn go_on(save_folder: &Path, transfer: TransferId) -> Result<Self, Problem> {
        Self::open(save_folder, transfer, Run::GoingOn)
    }

    fn open(save_folder: &Path, transfer: TransferId, run: Run) -> Result<Self, Problem> {
        let open = || -> io::Result<FolderHandle> {
            let missing = !save_folder.exists();
            std::fs::create_dir_all(save_folder)?;
            if missing && let Some(Ok(parent)) = save_folder.parent().map(FolderHandle::open) {
                parent.flush()?;
            }
            FolderHandle::open(save_folder)
        };
        let root = Arc::new(open().map_err(|error| Problem::writing(&error))?);
        let staging = Staging::open(Arc::clone(&root), transfer, run)?;
        Ok(Self {
            writing: HashMap::new(),
            mending: HashMap::new(),
            mended: None,
            failed: HashMap::new(),
            left_out: HashSet::new(),
            ready: Vec::new(),
            ready_bytes: 0,
            ready_small_bytes: 0,
            ended: Vec::new(),
            undone: Vec::new(),
            rest: Rest::Missing,
            conflicts: Conflicts::default(),
            left_because: Full { quota: false },
            gone: false,
            tree: Tree::new(root, Arc::clone(staging.area())),
            staging,
            save_folder: save_folder.to_owned(),
        })
    }

    /// What happens to a file whose name is taken; without it both are kept. To be called before
    /// anything else.
    pub fn set_rule(&mut self, rule: OnConflict) {
        self.conflicts.set_rule(rule);
        if self.conflicts.wants_claims() {
            let mut looked = Looked::default();
            for (key, past) in self.staging.all_past() {
                // Where a run was killed, what stands there may be ours or still somebody else's.
                let ours = past.end == PastEnd::Ours
                    || past.end == PastEnd::Unknown && looked.is_ours(self.tree.root(), past);
                if ours || past.end == PastEnd::Found {
                    self.conflicts.claim(&past.place, *key, ours, None);
                }
            }
        }
    }

    /// Compares what an earlier run left with what is offered now. Files of which a beginning is
    /// there can be [`read`](Self::read_kept) and are written group by group.
    pub fn kept(&mut self, manifest: &Manifest, rest: Rest) -> Kept {
        self.rest = rest;
        if rest == Rest::Nothing {
            return self.arrived(manifest);
        }
        let mut kept = Kept::default();
        let mut looked = Looked::default();
        let twins = twins(manifest);
        for key in &twins {
            self.staging.forget_past(*key);
        }
        for (number, entry) in (0_u32..).zip(manifest.entries()) {
            let (EntryKind::File { len_bytes, .. }, Some(key)) = (entry.kind, manifest.key(number))
            else {
                continue;
            };
            // Which of them an earlier run had is not known.
            if twins.contains(&key) {
                continue;
            }
            let arrived = self.arrived_before(key);
            let past = self.staging.past(key);
            let past =
                past.filter(|past| past.len_bytes == len_bytes && past.modified == entry.modified);
            // A part that is still there was never renamed.
            if let Some(past) = past.filter(|_| !self.staging.has_left(key))
                && (arrived || looked.is_there(self.tree.root(), past))
            {
                kept.done.push(number);
                // The run that put it there may have ended before it flushed the folder.
                self.tree.touch(entry.parent);
                continue;
            }
            if arrived {
                // It is another file by now; `start` refuses it.
                continue;
            }
            let Some(left) = self.staging.take_left(key) else {
                continue;
            };
            let whole = left.min(len_bytes) / GROUP_BYTES;
            // The list of a file's groups is memory.
            let too_large = len_bytes > MEND_AT_MOST_BYTES;
            if whole == 0 || len_bytes <= GROUP_BYTES || too_large {
                self.staging.remove_part(key);
                continue;
            }
            kept.partial.push((number, whole * GROUP_BYTES));
            self.mending.insert(number, Mending::new(key, len_bytes));
        }
        self.staging.remove_left();
        kept
    }

    /// It arrived in a run that came to its end.
    fn arrived_before(&self, key: EntryKey) -> bool {
        let past = self.staging.past(key);
        self.rest != Rest::Missing && past.is_some_and(Past::arrived)
    }

    /// For reading the groups that are there of a kept file, beside the writing.
    pub fn read_kept(&self, number: u32, bytes: u64) -> io::Result<KeptReader> {
        let mending = self.mending.get(&number).ok_or(ErrorKind::NotFound)?;
        let file = self.staging.read_part(mending.key)?;
        Ok(KeptReader::new(file, bytes / GROUP_BYTES))
    }

    /// What [`KeptReader`] found: until other content comes for them, these groups count as there.
    pub fn checked(&mut self, number: u32, first: u32, hashes: &[GroupHash]) {
        if let Some(mending) = self.mending.get_mut(&number) {
            mending.checked(first as usize, hashes);
        }
    }

    /// Nobody will go on with it: what is staged goes when the inbox is dropped.
    pub fn discard_staged(&mut self) {
        self.staging.set_done();
    }

    /// Makes a folder below its parent or merges with the real folder that is there; anything else
    /// of that name makes it `name (1)`. Has to come before what lies in the folder. A folder that
    /// cannot be made fails everything in it with [`Problem::Folder`].
    pub fn add_folder(&mut self, number: u32, entry: &Entry) -> Result<Committed, Full> {
        if self.rest == Rest::Nothing {
            return Ok(self.folder_arrived(number));
        }
        let added = self.tree.add_folder(number, entry, &mut self.staging);
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

    /// Makes a picked folder. Under [`OnConflict::Separate`] it merges with nothing but what an earlier
    /// run of this transfer made for it.
    pub fn add_picked_folder(&mut self, target: Target) -> Result<Committed, Full> {
        let Target { number, key, entry } = target;
        let apart = self.conflicts.rule() == OnConflict::Separate && entry.parent.is_none();
        if self.rest == Rest::Nothing || !apart {
            return self.add_folder(number, entry);
        }
        let (tree, staging) = (&mut self.tree, &mut self.staging);
        let taken_up = staging
            .past_folder(key)
            .is_some_and(|past| tree.take_up(number, &past.name, entry.modified, past.made));
        let made = match taken_up {
            true => Ok(()),
            false => tree.add_apart(number, &entry.name, entry.modified, |name| {
                // Written before it is made: a kill in between leaves the trace that it is ours.
                if let Err(error) = staging.record_folder(key, name, false) {
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
            && let Err(error) = self.staging.record_folder(key, name, true)
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

    /// That folder was made in this run.
    pub fn is_new(&self, folder: u32) -> bool {
        self.tree.is_new(Some(folder))
    }

    /// Looks at what stands under the names of files that have not come yet, and says which of them
    /// need not come: that is decided already. It stays so when each is [left out](Self::leave_out).
    pub fn look<'a>(&mut self, files: impl IntoIterator<Item = Target<'a>>) -> Foreseen {
        let mut foreseen = Foreseen::default();
        for target in files {
            let Target { number, key, entry } = target;
            let name = self.tree.planned_file_name(&entry.name, entry.parent);
            let Some(status) = self.foreseen(entry, key, &name) else {
                if !self.arrived_before(key)
                    && let Some(groups) = self.comparable(entry, &name)
                {
                    foreseen.comparable.push((number, groups));
                }
                continue;
            };
            match status {
                EntryStatus::Failed(_) => self.undo(key),
                EntryStatus::Skipped => self.skip(target),
                EntryStatus::Arrived | EntryStatus::AlreadyThere => {}
            }
            foreseen.decided.push(self.as_planned(target, status, None));
        }
        self.staging.record_skipped();
        foreseen
    }

    /// Something stands under the name and may be the same, or partly: in so many groups from the
    /// beginning.
    fn comparable(&mut self, entry: &Entry, name: &str) -> Option<u32> {
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

    /// The file that stands under the name of an offered one, to be compared with it.
    pub fn existing(&mut self, entry: &Entry) -> Option<File> {
        let name = self.tree.planned_file_name(&entry.name, entry.parent);
        self.tree.regular_file(entry.parent, &name)
    }

    /// There is room in memory for one more file that comes group by group.
    pub fn can_mix(&self, entry: &Entry) -> bool {
        let groups: usize = self.mending.values().map(Mending::groups).sum();
        let more = group_count(entry.len_bytes());
        self.mending.len() < MAX_WRITING && groups.saturating_add(more) <= MIX_AT_MOST_GROUPS
    }

    /// Begins a file of which a part is copied from what exists. What is there then is to be
    /// [told](Self::checked); the rest is [written](Self::write) group by group.
    pub fn mix(&mut self, target: Target) -> Result<Result<File, Problem>, Full> {
        match self.start(target) {
            Ok(writing) => {
                let mending = Mending::new(target.key, target.entry.len_bytes());
                self.mending.insert(target.number, mending);
                Ok(Ok(writing.file))
            }
            Err(problem) if problem.lacks_room() => Err(Full::of(&problem)),
            Err(problem) => Ok(Err(problem)),
        }
    }

    /// How a file that was decided before it came is reported.
    pub fn decided(
        &mut self,
        target: Target,
        status: EntryStatus,
        blake3: Option<[u8; 32]>,
    ) -> Committed {
        let Target { key, entry, .. } = target;
        if status == EntryStatus::AlreadyThere {
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
                let written = self.staging.record(&Lines::from_iter([found]));
                let written = written.and_then(|()| self.staging.record_placed(vec![placed]));
                if let Err(error) = written {
                    tracing::debug!(%error, "journal not written");
                }
            }
        }
        self.as_planned(target, status, blake3)
    }

    /// The report on a file under the name that it would have had first.
    fn as_planned(
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

    fn foreseen(&mut self, entry: &Entry, key: EntryKey, name: &str) -> Option<EntryStatus> {
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

    /// The file's fate was told: what is staged of it is removed, what still comes is ignored.
    pub fn leave_out(&mut self, number: u32, key: EntryKey) {
        self.discard(number, key);
        self.failed.remove(&number);
        self.left_out.insert(number);
    }

    /// Takes bytes of one file, in order; the first call (offset 0) makes its staging file. An error
    /// is remembered and reported by the commit after [`complete`](Self::complete).
    pub fn write(&mut self, target: Target, offset: u64, bytes: &[u8]) -> Result<(), Full> {
        let number = target.number;
        if self.failed.contains_key(&number) || self.left_out.contains(&number) {
            return Ok(());
        }
        let written = match self.mending.get_mut(&number) {
            Some(mending) => {
                let written = mending.write(&self.staging, offset, bytes);
                if let Some(other) = self.mended.replace(number).filter(|last| *last != number)
                    && let Some(other) = self.mending.get_mut(&other)
                {
                    other.close();
                }
                written
            }
            None => self.try_write(target, offset, bytes),
        };
        match written {
            Ok(()) => Ok(()),
            Err(problem) if problem.lacks_room() => Err(Full::of(&problem)),
            Err(problem) => {
                // Its room may be what the next file needs.
                self.discard(number, target.key);
                self.failed.insert(number, problem);
                Ok(())
            }
        }
    }

    /// What [`write`](Self::write) had to give up, as long as its end has not come: the rest of it need not
    /// travel. It stays so when it is [left out](Self::leave_out).
    pub fn refused(&mut self, target: Target) -> Option<Committed> {
        let problem = self.failed.get(&target.number)?.clone();
        if problem != Problem::ChangedSince {
            self.undo(target.key);
        }
        Some(self.as_planned(target, EntryStatus::Failed(problem), None))
    }

    fn try_write(&mut self, target: Target, offset: u64, bytes: &[u8]) -> Result<(), Problem> {
        let entry = target.entry;
        let writing = match self.writing.entry(target.number) {
            Occupied(under_way) => under_way.into_mut(),
            Vacant(_) => {
                let writing = self.start(target)?;
                self.writing.entry(target.number).or_insert(writing)
            }
        };
        let end = offset.checked_add(bytes.len() as u64);
        if offset != writing.written_bytes || end.is_none_or(|end| end > entry.len_bytes()) {
            return Err(Problem::Corrupt);
        }
        writing
            .append(bytes)
            .map_err(|error| Problem::writing(&error))
    }

    fn start(&mut self, target: Target) -> Result<Writing, Problem> {
        let key = target.key;
        let file = self.new_part(target, |staging, key, _executable| staging.create_part(key))?;
        if let Err(error) = reserve(&file, target.entry.len_bytes()) {
            self.staging.remove_part(key);
            return Err(Problem::writing(&error));
        }
        Ok(Writing {
            file,
            hasher: Box::default(),
            written_bytes: 0,
            pushed_bytes: 0,
        })
    }

    /// A staging file for an entry that may come.
    fn new_part(
        &mut self,
        target: Target,
        create_part: fn(&Staging, EntryKey, bool) -> io::Result<File>,
    ) -> Result<File, Problem> {
        let Target { key, entry, .. } = target;
        if self.arrived_before(key) {
            return Err(Problem::ChangedSince);
        }
        if !self.tree.is_usable(entry.parent) {
            return Err(Problem::Folder);
        }
        if self.writing.len() >= MAX_WRITING {
            return Err(Problem::other("too many files are being written at once"));
        }
        let EntryKind::File { executable, .. } = entry.kind else {
            return Err(Problem::Corrupt);
        };
        let file = match create_part(&self.staging, key, executable) {
            // A twin in the same folder is complete: it gets its name, which frees the key.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let committed = self.commit();
                self.ended.extend(committed);
                let again = create_part(&self.staging, key, executable);
                // It found no room for its name.
                if again.is_err() && self.ready.iter().any(|file| file.key == key) {
                    return Err(Problem::NoSpace);
                }
                again
            }
            created => created,
        };
        file.map_err(|error| Problem::writing(&error))
    }

    /// Removes what is staged of a file under way, if it is.
    fn discard(&mut self, number: u32, key: EntryKey) {
        let written = self.writing.remove(&number).is_some();
        let mended = self.mending.remove(&number).is_some();
        if written || mended {
            self.staging.remove_part(key);
        }
    }

    /// All bytes came: compares BLAKE3 over what was handed to the disk with `hash`
    /// ([`Problem::Corrupt`] if it differs or bytes are missing) and queues the file for the next
    /// commit.
    pub fn complete(&mut self, target: Target, hash: [u8; 32]) -> Result<(), Full> {
        let number = target.number;
        if self.left_out.contains(&number) {
            return Ok(());
        }
        if let Some(problem) = self.failed.remove(&number) {
            self.fail(target, problem);
            return Ok(());
        }
        if let Some(mending) = self.mending.remove(&number) {
            match mending.complete(&self.staging, &hash) {
                Ok(file) => self.queue(target, hash, file),
                Err(problem) => {
                    self.staging.remove_part(target.key);
                    self.fail(target, problem);
                }
            }
            return Ok(());
        }
        let writing = match self.writing.remove(&number) {
            Some(writing) => Ok(writing),
            // An empty file: there was nothing to write.
            None => self.start(target),
        };
        let writing = match writing {
            Ok(writing) => writing,
            Err(problem) => return self.fail_to_start(target, problem),
        };
        let complete = writing.written_bytes == target.entry.len_bytes();
        if complete && writing.hasher.finalize() == hash {
            self.queue(target, hash, writing.file);
        } else {
            drop(writing);
            self.staging.remove_part(target.key);
            self.fail(target, Problem::Corrupt);
        }
        Ok(())
    }

    /// A whole small file at once. It is checked before it touches the disk.
    pub fn whole(&mut self, target: Target, bytes: &[u8], hash: [u8; 32]) -> Result<(), Full> {
        if self.left_out.contains(&target.number) {
            return Ok(());
        }
        if bytes.len() as u64 != target.entry.len_bytes() || blake3::hash(bytes) != hash {
            self.fail(target, Problem::Corrupt);
            return Ok(());
        }
        if self.is_skipped(target) {
            self.skip(target);
            self.end(target, EntryStatus::Skipped);
            return Ok(());
        }
        if !self.arrived_before(target.key) && self.is_there(target.entry, &hash) {
            let there = self.decided(target, EntryStatus::AlreadyThere, Some(hash));
            self.ended.push(there);
            return Ok(());
        }
        let mut file = match self.new_part(target, Staging::create_whole_part) {
            Ok(file) => file,
            Err(problem) => return self.fail_to_start(target, problem),
        };
        match file.write_all(bytes) {
            Ok(()) => {
                self.queue(target, hash, file);
                Ok(())
            }
            Err(error) => {
                drop(file);
                self.staging.remove_part(target.key);
                self.fail_to_start(target, Problem::writing(&error))
            }
        }
    }

    /// The same content stands under the name already: it need not be staged.
    fn is_there(&mut self, entry: &Entry, hash: &[u8; 32]) -> bool {
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

    /// Nothing of the file is on the disk.
    fn fail_to_start(&mut self, target: Target, problem: Problem) -> Result<(), Full> {
        if problem.lacks_room() {
            return Err(Full::of(&problem));
        }
        self.fail(target, problem);
        Ok(())
    }

    /// Room that is taken already by files under way, for what is there of them and for what is still to
    /// come. Looks at the disk.
    pub fn taken_bytes(&self) -> u64 {
        self.staging.taken_bytes()
    }

    /// The sender gave this entry up: what is staged of it is removed, and the next commit reports
    /// the problem (or the earlier one that this disk had with it).
    pub fn abandon(&mut self, target: Target, problem: Problem) {
        if self.left_out.contains(&target.number) {
            return;
        }
        self.discard(target.number, target.key);
        if self.arrived_before(target.key) {
            return self.stays(target);
        }
        if self.was_skipped(target) {
            return self.end(target, EntryStatus::Skipped);
        }
        let problem = self.failed.remove(&target.number).unwrap_or(problem);
        self.fail(target, problem);
    }

    /// How much waits for a commit: files (failed ones, which it reports, too), and bytes in them.
    pub fn pending(&self) -> (usize, u64) {
        (self.ready.len() + self.ended.len(), self.ready_bytes)
    }

    /// Of that, bytes in files of a single group: they cannot be kept in part.
    pub fn pending_small_bytes(&self) -> u64 {
        self.ready_small_bytes
    }

    /// Why the last [`commit`](Self::commit) left something.
    pub fn full(&self) -> Full {
        self.left_because
    }

    /// Flushes what is complete and gives it its final names. Reports every file that reached its
    /// end since the last call, failed ones included. If the disk is full some may still be
    /// [`pending`](Self::pending) afterwards.
    pub fn commit(&mut self) -> Vec<Committed> {
        let ready = std::mem::take(&mut self.ready);
        self.ready_bytes = 0;
        self.ready_small_bytes = 0;
        let mut ended = std::mem::take(&mut self.ended);
        if !ready.is_empty() && !self.is_in_place() {
            self.gone = true;
            // What is put into it now would not be where we say.
            for file in ready {
                self.staging.remove_part(file.key);
                self.undo(file.key);
                ended.push(Committed {
                    number: file.number,
                    path: self.tree.display_path(file.parent, file.name.as_str()),
                    len_bytes: file.len_bytes,
                    blake3: None,
                    status: EntryStatus::Failed(Problem::Gone),
                });
            }
        } else {
            let (tree, staging) = (&mut self.tree, &mut self.staging);
            let (done, left) = commit::commit(tree, staging, &mut self.conflicts, ready);
            ended.extend(done);
            if let Some((_, problem)) = left.first() {
                self.left_because = Full::of(problem);
            }
            for (file, _) in left {
                self.wait_for_commit(file);
            }
        }
        self.staging.record_skipped();
        // Without it a later try would take them for arrived; they come again when they are listed
        // in another state, or are there with the same content.
        if let Err(error) = self.staging.record_undone(std::mem::take(&mut self.undone)) {
            tracing::debug!(%error, "journal not written");
        }
        ended
    }

    /// The save folder that was opened is still the one of that path.
    fn is_in_place(&self) -> bool {
        self.place().unwrap_or(false)
    }

    fn place(&self) -> io::Result<bool> {
        FolderHandle::open(&self.save_folder)?.is_same_as(self.staging.save_folder())
    }

    /// The save folder was moved, removed or unplugged: nothing can arrive any more. A disk that only
    /// does not answer is not gone.
    pub fn is_gone(&mut self) -> bool {
        let gone = match self.place() {
            Ok(in_place) => !in_place,
            Err(error) => matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
        };
        self.gone |= gone;
        self.gone
    }

    /// After the last commit: folder times, flushed folders. If this is `Ok`, what arrived survives a
    /// power cut. What is staged stays until [`discard_staged`](Self::discard_staged).
    pub fn finish(&mut self) -> Result<(), Problem> {
        self.tree.finish()
    }

    fn queue(&mut self, target: Target, hash: [u8; 32], file: File) {
        let entry = target.entry;
        let executable = match entry.kind {
            EntryKind::File { executable, .. } => executable,
            EntryKind::Folder => false,
        };
        if let Some(modified) = entry.modified {
            set_modified(&file, modified);
        }
        let metadata = file.metadata().ok();
        self.staging
            .set_received_mode(&file, metadata.as_ref(), executable);
        let on_disk = metadata.as_ref().and_then(modified);
        // Beyond that number all are flushed together, without their descriptors.
        let keep_open = self.ready.len() < FLUSH_TOGETHER;
        self.wait_for_commit(Ready {
            number: target.number,
            key: target.key,
            parent: entry.parent,
            name: entry.name.clone(),
            len_bytes: entry.len_bytes(),
            hash,
            modified: entry.modified,
            on_disk: on_disk.or(entry.modified).unwrap_or(NO_TIME),
            id: metadata.as_ref().and_then(file_id),
            file: keep_open.then_some(file),
        });
    }

    fn wait_for_commit(&mut self, file: Ready) {
        self.ready_bytes += file.len_bytes;
        if file.len_bytes <= GROUP_BYTES {
            self.ready_small_bytes += file.len_bytes;
        }
        self.ready.push(file);
    }

    /// The sender cannot bring it now, but it arrived before.
    fn stays(&mut self, target: Target) {
        let hash = self.staging.past(target.key).map(|past| past.hash);
        let there = self.as_planned(target, EntryStatus::AlreadyThere, hash);
        self.ended.push(there);
    }

    fn undo(&mut self, key: EntryKey) {
        if self.staging.past(key).is_some() {
            self.undone.push(key);
        }
    }

    /// Another file has the name, cannot hold the same, and stays: nothing needs to be staged.
    fn is_skipped(&mut self, target: Target) -> bool {
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

    fn skip(&mut self, target: Target) {
        let Target { key, entry, .. } = target;
        self.staging.skip(key, entry.len_bytes(), entry.modified);
    }

    fn fail(&mut self, target: Target, problem: Problem) {
        if problem != Problem::ChangedSince {
            self.undo(target.key);
        }
        self.end(target, EntryStatus::Failed(problem));
    }

    fn end(&mut self, target: Target, status: EntryStatus) {
        let ended = self.as_planned(target, status, None);
        self.ended.push(ended);
    }
}

/// The keys that several entries share: files of one name in one folder. A sender whose disk has
/// them apart can send them, by names that are one when they are escaped.
fn twins(manifest: &Manifest) -> HashSet<EntryKey> {
    let numbers = 0..manifest.len() as u32;
    let mut keys: Vec<_> = numbers.filter_map(|number| manifest.key(number)).collect();
    keys.sort_unstable();
    let pairs = keys.windows(2).filter(|pair| pair[0] == pair[1]);
    pairs.map(|pair| pair[0]).collect()
}

impl Writing {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(bytes) {
            // Some of it may be there: the next try begins where this one began.
            self.file.seek(SeekFrom::Start(self.written_bytes))?;
            return Err(error);
        }
        self.hasher.update(bytes);
        self.written_bytes += bytes.len() as u64;
        self.push();
        Ok(())
    }

    /// Tells the disk to start writing what has come, without waiting for it: otherwise it would
    /// begin with gigabytes at the flush, and the end of a transfer would take as long as the rest.
    fn push(&mut self) {
        /// Large enough for the disk to write in long strokes.
        const STEP_BYTES: u64 = 8 << 20;
        let waiting = self.written_bytes - self.pushed_bytes;
        if waiting < STEP_BYTES {
            return;
        }
        // On Linux this starts the writing of dirty pages and drops only clean ones.
        #[cfg(target_os = "linux")]
        if let Some(len) = std::num::NonZeroU64::new(waiting) {
            let advice = rustix::fs::Advice::DontNeed;
            let _ = rustix::fs::fadvise(&self.file, self.pushed_bytes, Some(len), advice);
        }
        self.pushed_bytes = self.written_bytes;
    }
}

/// Takes the room for a file, so that a full disk is known before the bytes have travelled.
/// Systems and disks that cannot do that cheaply find out while writing.
fn reserve(file: &File, len_bytes: u64) -> io::Result<()> {
    /// A shorter file is written sooner than its room is taken.
    const WORTH_A_CALL_BYTES: u64 = 1 << 20;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if len_bytes >= WORTH_A_CALL_BYTES {
        use rustix::fs::FallocateFlags;
        use rustix::io::Errno;
        if let Some(free_bytes) = free_in_memory(file) {
            return match free_bytes < len_bytes {
                true => Err(Errno::NOSPC.into()),
                false => Ok(()),
            };
        }
        let reserved = rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, 0, len_bytes);
        return match reserved {
            Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) => Err(error.into()),
            Ok(()) | Err(_) => Ok(()),
        };
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = (file, len_bytes, WORTH_A_CALL_BYTES);
    Ok(())
}

/// What is free where the file is, if that is memory: there, taking the room means to find every page
/// first, a fifth of a second a gibibyte in which nothing arrives.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn free_in_memory(file: &File) -> Option<u64> {
    /// `TMPFS_MAGIC` of `linux/magic.h`.
    const TMPFS: u64 = 0x0102_1994;
    let about = rustix::fs::fstatfs(file).ok()?;
    let in_memory = u64::try_from(about.f_type) == Ok(TMPFS);
    // Without a limit of its own it tells of no blocks at all.
    (in_memory && about.f_blocks > 0).then(|| {
        about
            .f_bavail
            .saturating_mul(u64::try_from(about.f_bsize).unwrap_or(0))
    })
}
