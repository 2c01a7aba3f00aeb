//! The receiving side: one accepted transfer's place on this disk.
//!
//! Bytes go to staging files and are hashed on the way; a file gets its final name only complete,
//! checked and flushed, in [`Inbox::commit`]. Every entry reaches exactly one [`Committed`].
//! Progress, credit and what the peer is told are the engine's business.

mod arrived;
mod destination;
mod kept;
mod pending;
mod writing;

use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;
use std::sync::Arc;

use super::commit::{FLUSH_TOGETHER, Ready};
use super::groups::group_count;
use super::handle::{file_id, set_modified};
use super::mending::Mendings;
use super::staging::{Run, Staging};
use super::tree::Tree;
use super::walk::modified;
use crate::model::{
    Entry, EntryKey, EntryKind, EntryStatus, Modified, OnConflict, Problem, TransferId,
};
use destination::Destination;
use pending::Pending;
use writing::Writing;

pub use kept::{Kept, Rest};

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

/// Dropping it keeps what is staged, for a later run to go on from, unless
/// [`discard_staged`](Self::discard_staged) said that nobody will.
#[derive(Debug)]
pub struct Inbox {
    // Dropped in this order: open files are closed before their folder is removed.
    writing: HashMap<u32, Writing>,
    /// Files of which a part is there already.
    mending: Mendings,
    /// Remembered until the end of the file is reached; what still comes for it is ignored.
    failed: HashMap<u32, Problem>,
    /// Their fate was told before they had come; what still comes is ignored.
    left_out: HashSet<u32>,
    pending: Pending,
    rest: Rest,
    left_because: Full,
    destination: Destination,
    staging: Staging,
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
        let root = destination::open(save_folder).map_err(|error| Problem::writing(&error))?;
        let root = Arc::new(root);
        let staging = Staging::open(Arc::clone(&root), transfer, run)?;
        let tree = Tree::new(root, Arc::clone(staging.area()));
        Ok(Self {
            writing: HashMap::new(),
            mending: Mendings::default(),
            failed: HashMap::new(),
            left_out: HashSet::new(),
            pending: Pending::default(),
            rest: Rest::Missing,
            left_because: Full { quota: false },
            destination: Destination::new(save_folder, tree),
            staging,
        })
    }

    /// What happens to a file whose name is taken; without it both are kept. To be called before
    /// anything else.
    pub fn set_rule(&mut self, rule: OnConflict) {
        self.destination.set_rule(rule, &self.staging);
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
            return Ok(self.destination.folder_arrived(number));
        }
        let staging = &mut self.staging;
        self.destination.add_folder(number, entry, staging)
    }

    /// Makes a picked folder. Under [`OnConflict::Separate`] it merges with nothing but what an earlier
    /// run of this transfer made for it.
    pub fn add_picked_folder(&mut self, target: Target) -> Result<Committed, Full> {
        if self.rest == Rest::Nothing {
            return Ok(self.destination.folder_arrived(target.number));
        }
        let staging = &mut self.staging;
        self.destination.add_picked_folder(target, staging)
    }

    /// That folder was made in this run.
    pub fn is_new(&self, folder: u32) -> bool {
        self.destination.is_new(folder)
    }

    /// Looks at what stands under the names of files that have not come yet, and says which of them
    /// need not come: that is decided already. It stays so when each is [left out](Self::leave_out).
    pub fn look<'a>(&mut self, files: impl IntoIterator<Item = Target<'a>>) -> Foreseen {
        let mut foreseen = Foreseen::default();
        for target in files {
            let Target { number, key, entry } = target;
            let name = self.destination.planned_name(entry);
            let Some(status) = self.destination.foreseen(entry, key, &name) else {
                if !self.arrived_before(key)
                    && let Some(groups) = self.destination.comparable(entry, &name)
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
            foreseen
                .decided
                .push(self.destination.as_planned(target, status, None));
        }
        self.staging.journal_mut().record_skipped();
        foreseen
    }

    /// The file that stands under the name of an offered one, to be compared with it.
    pub fn existing(&mut self, entry: &Entry) -> Option<File> {
        self.destination.existing(entry)
    }

    /// There is room in memory for one more file that comes group by group.
    pub fn can_mix(&self, entry: &Entry) -> bool {
        let more = group_count(entry.len_bytes());
        self.mending.len() < MAX_WRITING
            && self.mending.groups().saturating_add(more) <= MIX_AT_MOST_GROUPS
    }

    /// Begins a file of which a part is copied from what exists. What is there then is to be
    /// [told](Self::checked); the rest is [written](Self::write) group by group.
    pub fn mix(&mut self, target: Target) -> Result<Result<File, Problem>, Full> {
        match self.start(target) {
            Ok(writing) => {
                let len_bytes = target.entry.len_bytes();
                self.mending.begin(target.number, target.key, len_bytes);
                Ok(Ok(writing.into_file()))
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
        if status == EntryStatus::AlreadyThere {
            self.destination.found(target, blake3, &mut self.staging);
        }
        self.destination.as_planned(target, status, blake3)
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
        let mended = self.mending.write(number, &self.staging, offset, bytes);
        let written = mended.unwrap_or_else(|| self.try_write(target, offset, bytes));
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
        Some(
            self.destination
                .as_planned(target, EntryStatus::Failed(problem), None),
        )
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
        writing.write(offset, bytes, entry.len_bytes())
    }

    fn start(&mut self, target: Target) -> Result<Writing, Problem> {
        let key = target.key;
        let file = self.new_part(target, |staging, key, _executable| staging.create_part(key))?;
        Writing::begin(file, target.entry.len_bytes()).map_err(|error| {
            self.staging.remove_part(key);
            Problem::writing(&error)
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
        if !self.destination.is_usable(entry.parent) {
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
                for committed in self.commit() {
                    self.pending.end(committed);
                }
                let again = create_part(&self.staging, key, executable);
                // It found no room for its name.
                if again.is_err() && self.pending.ready().iter().any(|file| file.key == key) {
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
        let mended = self.mending.remove(number).is_some();
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
        if let Some(mending) = self.mending.remove(number) {
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
        match writing.complete(target.entry.len_bytes(), &hash) {
            Ok(file) => self.queue(target, hash, file),
            Err(problem) => {
                self.staging.remove_part(target.key);
                self.fail(target, problem);
            }
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
        if self.destination.is_skipped(target) {
            self.skip(target);
            self.end(target, EntryStatus::Skipped);
            return Ok(());
        }
        if !self.arrived_before(target.key) && self.destination.is_there(target.entry, &hash) {
            let there = self.decided(target, EntryStatus::AlreadyThere, Some(hash));
            self.pending.end(there);
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
        (self.pending.len(), self.pending.bytes())
    }

    /// Of that, bytes in files of a single group: they cannot be kept in part.
    pub fn pending_small_bytes(&self) -> u64 {
        self.pending.small_bytes()
    }

    /// Why the last [`commit`](Self::commit) left something.
    pub fn full(&self) -> Full {
        self.left_because
    }

    /// Flushes what is complete and gives it its final names. Reports every file that reached its
    /// end since the last call, failed ones included. If the disk is full some may still be
    /// [`pending`](Self::pending) afterwards.
    pub fn commit(&mut self) -> Vec<Committed> {
        let ready = self.pending.take_ready();
        let mut ended = self.pending.take_ended();
        if !ready.is_empty() && !self.destination.is_in_place() {
            // What is put into it now would not be where we say.
            for file in ready {
                self.staging.remove_part(file.key);
                self.undo(file.key);
                ended.push(self.destination.gone_with(&file));
            }
        } else {
            let (done, left) = self.destination.commit(ready, &mut self.staging);
            ended.extend(done);
            if let Some((_, problem)) = left.first() {
                self.left_because = Full::of(problem);
            }
            for (file, _) in left {
                self.pending.push(file);
            }
        }
        self.staging.journal_mut().record_skipped();
        // Without it a later try would take them for arrived; they come again when they are listed
        // in another state, or are there with the same content.
        if let Err(error) = self
            .staging
            .journal_mut()
            .record_undone(self.pending.take_undone())
        {
            tracing::debug!(%error, "journal not written");
        }
        ended
    }

    /// The save folder was moved, removed or unplugged: nothing can arrive any more. A disk that only
    /// does not answer is not gone.
    pub fn is_gone(&mut self) -> bool {
        self.destination.is_gone()
    }

    /// After the last commit: folder times, flushed folders. If this is `Ok`, what arrived survives a
    /// power cut. What is staged stays until [`discard_staged`](Self::discard_staged).
    pub fn finish(&mut self) -> Result<(), Problem> {
        self.destination.finish()
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
        let keep_open = self.pending.ready().len() < FLUSH_TOGETHER;
        self.pending.push(Ready {
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

    /// The sender cannot bring it now, but it arrived before.
    fn stays(&mut self, target: Target) {
        let hash = self
            .staging
            .journal()
            .past(target.key)
            .map(|past| past.hash);
        let there = self
            .destination
            .as_planned(target, EntryStatus::AlreadyThere, hash);
        self.pending.end(there);
    }

    fn undo(&mut self, key: EntryKey) {
        if self.staging.journal().past(key).is_some() {
            self.pending.undo(key);
        }
    }

    fn skip(&mut self, target: Target) {
        let Target { key, entry, .. } = target;
        let (len_bytes, modified) = (entry.len_bytes(), entry.modified);
        self.staging.journal_mut().skip(key, len_bytes, modified);
    }

    fn fail(&mut self, target: Target, problem: Problem) {
        if problem != Problem::ChangedSince {
            self.undo(target.key);
        }
        self.end(target, EntryStatus::Failed(problem));
    }

    fn end(&mut self, target: Target, status: EntryStatus) {
        let ended = self.destination.as_planned(target, status, None);
        self.pending.end(ended);
    }
}
