//! The staging folder of one transfer, `<save folder>/.ropeway/<transfer id>/`: names of our own
//! choosing, for the owner's eyes only, locked while its process lives, gone when it is dropped.
//!
//! It holds `lock`, `journal` and one `<number>.part` for each file on its way. What is left by a
//! process that was killed is found by [`sweep`]. Going on from a journal is not done here yet.

use std::fs::{File, Metadata, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use serde::Serialize;

use super::handle::{FolderHandle, is_not_a_folder};
use super::names::AREA;
use crate::model::{Problem, TransferId};

const LOCK: &str = "lock";
const JOURNAL: &str = "journal";
const PART: &str = ".part";
const JOURNAL_VERSION: u32 = 1;

#[derive(Debug)]
pub(super) struct Staging {
    save_folder: Arc<FolderHandle>,
    area: Arc<FolderHandle>,
    folder: FolderHandle,
    name: String,
    lock_metadata: Metadata,
    journal: Option<File>,
    /// Locked, which tells other processes that this one lives.
    lock: Option<File>,
}

/// The journal's first line.
#[derive(Serialize)]
struct Header<'a> {
    version: u32,
    transfer: &'a str,
}

/// A file about to get its final name. Written before the rename, so that a kill in between leaves
/// the trace that the name is ours.
#[derive(Serialize)]
pub(super) struct Intent {
    pub commit: u32,
    /// As planned; a number may be added if the name is taken.
    pub path: String,
    pub len_bytes: u64,
    /// Hex.
    pub blake3: String,
}

impl Intent {
    pub fn new(number: u32, path: String, len_bytes: u64, hash: &[u8; 32]) -> Self {
        Self {
            commit: number,
            path,
            len_bytes,
            blake3: HEXLOWER.encode(hash),
        }
    }
}

impl Staging {
    /// Makes the staging folder, or takes over what a killed process left under the same id (it is
    /// emptied). An error if a living process has it.
    pub fn create(save_folder: Arc<FolderHandle>, transfer: TransferId) -> Result<Self, Problem> {
        /// Another transfer may remove the empty area between our steps, but hardly this often.
        const ATTEMPTS: usize = 16;
        let writing = |error: io::Error| Problem::writing(&error);
        let name = transfer.to_string();
        for _attempt in 0..ATTEMPTS {
            let area = open_area(&save_folder)?;
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
            remove_ours(&folder, |name| name != LOCK).map_err(writing)?;
            let mut journal = folder.create_file(JOURNAL).map_err(writing)?;
            let header = Header {
                version: JOURNAL_VERSION,
                transfer: &name,
            };
            write_lines(&mut journal, [header]).map_err(writing)?;
            return Ok(Self {
                lock_metadata: lock.metadata().map_err(writing)?,
                journal: Some(journal),
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

    pub fn save_folder(&self) -> &FolderHandle {
        &self.save_folder
    }

    pub fn folder(&self) -> &FolderHandle {
        &self.folder
    }

    /// The id, as it stands in file names.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn create_part(&self, number: u32) -> io::Result<File> {
        self.folder.create_file(&part_name(number))
    }

    /// To be called for a part that may be there; one that is not is fine.
    pub fn remove_part(&self, number: u32) {
        let _ = self.folder.remove_file(&part_name(number));
    }

    /// Gives a complete part the permission bits of a received file. File systems that have none
    /// may refuse, which is fine.
    pub fn set_received_mode(&self, part: &File, executable: bool) {
        let mode = FolderHandle::received_mode(&self.lock_metadata, executable);
        let _ = part.set_permissions(mode);
    }

    /// Writes down what is about to be renamed. It is not flushed by itself: it serves after a
    /// kill, and after a power cut the contents tell the same.
    pub fn record(&mut self, intents: impl IntoIterator<Item = Intent>) -> io::Result<()> {
        match &mut self.journal {
            Some(journal) => write_lines(journal, intents),
            None => Ok(()),
        }
    }
}

impl Drop for Staging {
    /// Removes the folder, and the area if nothing else is in it. What cannot be removed now (the
    /// disk is gone) is left to the sweep.
    fn drop(&mut self) {
        let _guard = self.area.guard();
        // Some systems do not remove open files.
        self.journal = None;
        self.lock = None;
        let _ = remove_ours(&self.folder, |_name| true);
        let _ = self.area.remove_folder(&self.name);
        let _ = self.save_folder.remove_folder(AREA);
    }
}

pub(super) fn part_name(number: u32) -> String {
    format!("{number}{PART}")
}

/// Removes staging folders in `<save_folder>/.ropeway` that were left by a process that was killed:
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
        if let Err(error) = sweep_one(&area, name) {
            tracing::debug!(%error, name, "staging folder left");
        }
    }
    let _ = save_folder.remove_folder(AREA);
}

fn sweep_one(area: &FolderHandle, name: &str) -> io::Result<()> {
    let folder = area.folder(name)?;
    let names = folder.names()?;
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

fn is_ours(name: &str) -> bool {
    name == LOCK
        || name == JOURNAL
        || name
            .strip_suffix(PART)
            .is_some_and(|number| number.parse::<u32>().is_ok())
}

fn open_area(save_folder: &FolderHandle) -> Result<FolderHandle, Problem> {
    let in_the_way = |what: &str| Problem::other(&format!("{AREA} in the save folder {what}"));
    match save_folder.make_private_folder(AREA) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(Problem::writing(&error)),
    }
    let area = save_folder.folder(AREA).map_err(|error| {
        if is_not_a_folder(&error) {
            in_the_way("is not a folder; move it away")
        } else {
            Problem::writing(&error)
        }
    })?;
    match area.is_ours(save_folder) {
        Ok(true) => Ok(area),
        Ok(false) => Err(in_the_way("belongs to another user")),
        Err(error) => Err(Problem::writing(&error)),
    }
}

fn write_lines<T: Serialize>(
    journal: &mut File,
    lines: impl IntoIterator<Item = T>,
) -> io::Result<()> {
    let mut text = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut text, &line)?;
        text.push(b'\n');
    }
    journal.write_all(&text)
}
