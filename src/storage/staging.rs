//! The staging folder of one transfer, `<save folder>/.ropeway/<transfer id>/`: names of our own
//! choosing, for the owner's eyes only, locked while its process lives, gone when everything has arrived.
//!
//! It holds `lock`, `journal` and one `<entry key>.part` for each file on its way. It stays when the
//! transfer is interrupted, so that a later run can go on from it; what nobody came back to for a
//! week is found by [`sweep`].

use std::collections::HashMap;
use std::fs::{File, Metadata, TryLockError};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;

use super::handle::{FolderHandle, is_not_a_folder};
use super::journal::{JOURNAL, Journal};
use super::names::AREA;
use crate::model::{EntryKey, Problem, TransferId};

const LOCK: &str = "lock";
const PART: &str = ".part";
/// An interrupted transfer can go on for a week.
pub const KEPT_FOR: Duration = Duration::from_secs(7 * 86_400);

/// Whether there is something to go on from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Run {
    First,
    GoingOn,
}

#[derive(Debug)]
pub(super) struct Staging {
    save_folder: Arc<FolderHandle>,
    area: Arc<FolderHandle>,
    folder: FolderHandle,
    name: String,
    lock_metadata: Metadata,
    journal: Journal,
    /// The names that lead to the journal are flushed.
    reachable: bool,
    /// Parts that an earlier run left, and how long they are.
    left: HashMap<EntryKey, u64>,
    /// Nothing is left to go on from.
    done: bool,
    /// Locked, which tells other processes that this one lives.
    lock: Option<File>,
}

impl Staging {
    /// Makes the staging folder. What an earlier run left under the same id is taken over by a run
    /// that goes on and removed otherwise. An error if a living process has it.
    pub fn open(
        save_folder: Arc<FolderHandle>,
        transfer: TransferId,
        run: Run,
    ) -> Result<Self, Problem> {
        /// Another transfer may remove the empty area between our steps, but hardly this often.
        const ATTEMPTS: usize = 16;
        let writing = |error: io::Error| Problem::writing(&error);
        let name = transfer.to_string();
        for _attempt in 0..ATTEMPTS {
            let Some(area) = open_area(&save_folder)? else {
                continue;
            };
            // Nobody sweeps or removes the area until the lock is taken.
            let _guard = area.guard();
            match area.make_private_folder(&name) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(writing(error)),
            }
            let folder = area.folder(&name).map_err(writing)?;
            let lock = folder.lock_file(LOCK).map_err(writing)?;
            match lock.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let detail = "this transfer is being received by another process already";
                    return Err(Problem::other(detail));
                }
                // A file system without locks; then the sweep, which cannot lock either, keeps off.
                Err(TryLockError::Error(_unsupported)) => {}
            }
            if run == Run::First {
                remove_ours(&folder, |name| name != LOCK).map_err(writing)?;
            }
            let journal = Journal::open(&folder, &name).map_err(writing)?;
            let left = parts(&folder).map_err(writing)?;
            return Ok(Self {
                lock_metadata: lock.metadata().map_err(writing)?,
                journal,
                reachable: false,
                left,
                done: false,
                lock: Some(lock),
                area: Arc::new(area),
                save_folder,
                folder,
                name,
            });
        }
        Err(Problem::other("the staging folder keeps being removed"))
    }

    /// The area that all transfers into this save folder share.
    pub fn area(&self) -> &Arc<FolderHandle> {
        &self.area
    }

    pub fn folder(&self) -> &FolderHandle {
        &self.folder
    }

    /// The id, as it stands in file names.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    pub fn journal_mut(&mut self) -> &mut Journal {
        &mut self.journal
    }

    /// Takes the part that an earlier run left of the entry out of the list; its length.
    pub fn take_left(&mut self, key: EntryKey) -> Option<u64> {
        self.left.remove(&key)
    }

    /// An earlier run left a part of the entry.
    pub fn has_left(&self, key: EntryKey) -> bool {
        self.left.contains_key(&key)
    }

    /// Removes the parts of earlier runs that nobody took: their sources are gone.
    pub fn remove_left(&mut self) {
        for key in std::mem::take(&mut self.left).into_keys() {
            self.remove_part(key);
        }
    }

    /// A new part.
    pub fn create_part(&self, key: EntryKey) -> io::Result<File> {
        self.folder.create_file(&part_name(key))
    }

    /// A new part that is complete in a moment, with the permission bits of a received file already.
    pub fn create_whole_part(&self, key: EntryKey, executable: bool) -> io::Result<File> {
        self.folder.create_received(&part_name(key), executable)
    }

    /// A part of an earlier run, to be written on.
    pub fn open_part(&self, key: EntryKey) -> io::Result<File> {
        self.folder.open_to_write(&part_name(key))
    }

    /// A part of an earlier run, to be read beside the writing.
    pub fn read_part(&self, key: EntryKey) -> io::Result<File> {
        let part = self.folder.regular_file(&part_name(key))?;
        part.ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// What the parts that are there take of the disk.
    pub fn taken_bytes(&self) -> u64 {
        let names = self.folder.names().unwrap_or_default();
        let parts = names.iter().filter_map(|name| {
            let name = name.to_str()?;
            part_key(name)?;
            self.folder.regular_file(name).ok().flatten()
        });
        parts
            .map(|part| part.metadata().map_or(0, |it| on_disk(&it)))
            .sum()
    }

    /// To be called for a part that may be there; one that is not is fine.
    pub fn remove_part(&self, key: EntryKey) {
        let _ = self.folder.remove_file(&part_name(key));
    }

    /// Everything has arrived, or nobody wants the rest: dropping it removes the folder.
    pub fn set_done(&mut self) {
        self.done = true;
    }

    /// Nothing that an earlier or this run did would be missed.
    fn holds_nothing(&self) -> bool {
        let parts = parts(&self.folder).is_ok_and(|parts| parts.is_empty());
        parts && !self.journal.is_written()
    }

    /// Gives a complete part the permission bits of a received file, if it does not look as if it had
    /// them. File systems that have none may refuse, which is fine.
    pub fn set_received_mode(&self, part: &File, looks: Option<&Metadata>, executable: bool) {
        let mode = FolderHandle::received_mode(&self.lock_metadata, executable);
        if !looks.is_some_and(|looks| FolderHandle::has_mode(looks, &mode)) {
            let _ = part.set_permissions(mode);
        }
    }

    /// What was recorded survives a power cut from now on.
    pub fn flush_journal(&mut self) -> io::Result<()> {
        self.journal.flush()?;
        if !self.reachable {
            self.folder.flush()?;
            self.area.flush()?;
            self.save_folder.flush()?;
            self.reachable = true;
        }
        Ok(())
    }

    /// The whole file system was flushed.
    pub fn journal_is_flushed(&mut self) {
        self.reachable = true;
    }
}

impl Drop for Staging {
    /// If there is nothing to go on from, removes the folder, and the area if nothing else is in it.
    /// What cannot be removed now (the disk is gone) is left to the sweep.
    fn drop(&mut self) {
        if !self.done && !self.holds_nothing() {
            return;
        }
        let _guard = self.area.guard();
        // Some systems do not remove open files.
        self.journal.close();
        self.lock = None;
        let _ = remove_ours(&self.folder, |_name| true);
        let _ = self.area.remove_folder(&self.name);
        let _ = self.save_folder.remove_folder(AREA);
    }
}

pub(super) fn part_name(key: EntryKey) -> String {
    let mut name = String::with_capacity(2 * key.0.len() + PART.len());
    HEXLOWER.encode_append(&key.0, &mut name);
    name.push_str(PART);
    name
}

/// The parts that are there, and how long they are.
fn parts(folder: &FolderHandle) -> io::Result<HashMap<EntryKey, u64>> {
    let mut parts = HashMap::new();
    for name in folder.names()? {
        if let Some(key) = name.to_str().and_then(part_key)
            && let Some(part) = folder.regular_file(&part_name(key))?
        {
            parts.insert(key, part.metadata()?.len());
        }
    }
    Ok(parts)
}

pub(super) fn key_of(hex: &str) -> Option<EntryKey> {
    let bytes = HEXLOWER.decode(hex.as_bytes()).ok()?;
    Some(EntryKey(bytes.try_into().ok()?))
}

fn part_key(name: &str) -> Option<EntryKey> {
    key_of(name.strip_suffix(PART)?)
}

/// Removes what is kept of an interrupted transfer: nobody wants to go on with it.
pub fn discard(save_folder: &Path, transfer: TransferId) {
    let Ok(save_folder) = FolderHandle::open(save_folder) else {
        return;
    };
    let Ok(area) = save_folder.folder(AREA) else {
        return;
    };
    let _guard = area.guard();
    let _ = sweep_one(&area, &transfer.to_string(), Duration::ZERO);
    let _ = save_folder.remove_folder(AREA);
}

/// Removes staging folders in `<save_folder>/.ropeway` to which nobody came back for [`KEPT_FOR`]:
/// those that no living process holds locked and that hold nothing but our kinds of files.
/// Whatever goes wrong is left as it is.
pub fn sweep(save_folder: &Path) {
    let Ok(save_folder) = FolderHandle::open(save_folder) else {
        return;
    };
    let Ok(area) = save_folder.folder(AREA) else {
        return;
    };
    let _guard = area.guard();
    for name in area.names().unwrap_or_default() {
        let Some(name) = name.to_str() else {
            continue;
        };
        if name.parse::<TransferId>().is_err() {
            continue;
        }
        if let Err(error) = sweep_one(&area, name, KEPT_FOR) {
            tracing::debug!(%error, name, "staging folder left");
        }
    }
    let _ = save_folder.remove_folder(AREA);
}

fn sweep_one(area: &FolderHandle, name: &str, unused_for: Duration) -> io::Result<()> {
    let folder = area.folder(name)?;
    let names = folder.names()?;
    if let Some(journal) = folder.regular_file(JOURNAL).ok().flatten() {
        let used = journal.metadata()?.modified()?;
        // A clock that was set back makes it look younger, which keeps it longer.
        if used.elapsed().is_ok_and(|since| since < unused_for) {
            return Ok(());
        }
    }
    let ours = |name: &std::ffi::OsString| name.to_str().is_some_and(is_ours);
    if !names.iter().all(ours) {
        return Ok(());
    }
    // Without a lock file it was killed right after making the folder: the guard is ours now, so
    // nobody is between the two steps.
    if names.iter().any(|name| name == LOCK) {
        let Some(lock) = folder.regular_file(LOCK)? else {
            return Ok(());
        };
        lock.try_lock()?;
    }
    remove_ours(&folder, |_name| true)?;
    area.remove_folder(name)
}

fn remove_ours(folder: &FolderHandle, which: impl Fn(&str) -> bool) -> io::Result<()> {
    for name in folder.names()? {
        if let Some(name) = name.to_str()
            && is_ours(name)
            && which(name)
        {
            folder.remove_file(name)?;
        }
    }
    Ok(())
}

/// Also room that was taken beforehand.
fn on_disk(file: &Metadata) -> u64 {
    #[cfg(unix)]
    {
        /// Of `st_blocks`, whatever the file system's own are.
        const BLOCK_BYTES: u64 = 512;
        use std::os::unix::fs::MetadataExt as _;
        file.blocks().saturating_mul(BLOCK_BYTES)
    }
    #[cfg(not(unix))]
    file.len()
}

fn is_ours(name: &str) -> bool {
    name == LOCK || name == JOURNAL || part_key(name).is_some()
}

/// None if somebody removed it, empty as it was, before it was open.
fn open_area(save_folder: &FolderHandle) -> Result<Option<FolderHandle>, Problem> {
    let in_the_way = |what: &str| Problem::other(&format!("{AREA} in the save folder {what}"));
    match save_folder.make_private_folder(AREA) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(Problem::writing(&error)),
    }
    let area = match save_folder.folder(AREA) {
        Ok(area) => area,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) if is_not_a_folder(&error) => {
            return Err(in_the_way("is not a folder; move it away"));
        }
        Err(error) => return Err(Problem::writing(&error)),
    };
    match area.is_ours(save_folder) {
        Ok(true) => Ok(Some(area)),
        Ok(false) => Err(in_the_way("belongs to another user")),
        Err(error) => Err(Problem::writing(&error)),
    }
}
