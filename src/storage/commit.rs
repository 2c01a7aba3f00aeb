//! The last step of a file: flushed, then moved from staging to its final name.
//!
//! If the name is taken by the same content, nothing is made; by another file, the rule of the
//! transfer decides ([`super::conflict`]); by anything else, both are kept. Only a regular file is ever
//! replaced, in one rename.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};

use super::conflict::{Conflicts, Verdict};
use super::handle::{FileId, FolderHandle, StandingKind};
use super::inbox::Committed;
use super::journal::{Intent, Lines, Past, PastEnd, Place, Placed as PlacedLine};
use super::names::DiskName;
use super::staging::{Staging, part_name};
use super::tree::Tree;
use super::walk::modified;
use crate::model::{EntryKey, EntryStatus, Modified, Problem, SafeName};

/// A staged file that is complete and checked.
#[derive(Debug)]
pub(super) struct Ready {
    pub number: u32,
    pub key: EntryKey,
    pub parent: Option<u32>,
    pub name: SafeName,
    pub len_bytes: u64,
    pub hash: [u8; 32],
    /// As the sender listed it.
    pub modified: Option<Modified>,
    /// As this disk holds it.
    pub on_disk: Modified,
    pub id: Option<FileId>,
    /// Still open, which saves opening it again for the flush.
    pub file: Option<File>,
}

/// From so many files on, one flush of the whole file system is cheaper than one each: a flush
/// costs the disk about the same whether it carries one small file or a thousand.
pub(super) const FLUSH_TOGETHER: usize = 16;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Placed {
    New,
    AlreadyThere,
    Skipped,
}

/// A file for which there was no room, and what the disk said.
pub(super) type Left = (Ready, Problem);

/// Flushes the staged files, writes down what is intended, and gives each its name. Also gives back
/// the files for which a full disk had no room.
pub(super) fn commit(
    tree: &mut Tree,
    staging: &mut Staging,
    conflicts: &mut Conflicts,
    ready: Vec<Ready>,
) -> (Vec<Committed>, Vec<Left>) {
    if ready.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let mut intents = Lines::default();
    let mut above = Above::default();
    for file in &ready {
        let name = tree.planned_file_name(&file.name, file.parent);
        let took = match tree.look(file.parent, &name) {
            None => true,
            Some(standing) => {
                let like_ours =
                    standing.len_bytes == file.len_bytes && standing.modified == file.on_disk;
                standing.kind == StandingKind::File && !like_ours
            }
        };
        let above = above.of(tree, file.parent);
        let name = name.as_str();
        intents.push(&Intent::new(file, Place { above, name }, took));
    }
    if let Err(error) = staging.journal_mut().record(&intents) {
        tracing::debug!(%error, "journal not written");
        let problem = Problem::writing(&error);
        if problem.lacks_room() {
            let left = ready.into_iter().map(|file| (file, problem.clone()));
            return (Vec::new(), left.collect());
        }
        // It is a hint; without it the files still arrive.
    }
    let all_flushed = ready.len() >= FLUSH_TOGETHER
        && staging.folder().flush_file_system().is_ok_and(|done| done);
    // No name is given before the disk knows whose it is: after a power cut that took the intent and
    // left the name, a file that has changed since would be kept beside what this transfer put there.
    if all_flushed {
        staging.journal_is_flushed();
    } else if let Err(error) = staging.flush_journal() {
        tracing::debug!(%error, "journal not flushed");
    }
    tree.look_again();
    let mut ended = Vec::with_capacity(ready.len());
    let mut lines = Vec::new();
    let mut left = Vec::new();
    for file in ready {
        if let Some((_, problem)) = left.last() {
            left.push((file, Problem::clone(problem)));
            continue;
        }
        let placed = if all_flushed {
            Ok(())
        } else {
            // After a failed flush of everything, this tells which file it was.
            flush(staging, &file)
        };
        let placed = placed
            .map_err(|error| Problem::writing(&error))
            .map(|()| place(tree, staging, conflicts, &file));
        let placed = match placed {
            Ok((Err(problem), Across::No)) if problem.lacks_room() => {
                left.push((file, problem));
                continue;
            }
            // A file that could not be flushed is not what it was any more: it has to come again.
            Ok((placed, _)) => placed,
            Err(problem) => Err(problem),
        };
        match &placed {
            Ok((name, how @ (Placed::New | Placed::AlreadyThere))) => {
                let ours = *how == Placed::New;
                lines.push(PlacedLine::new(file.key, name, ours));
                if conflicts.wants_claims() {
                    // What was there already counts as arrived: it is this entry's now.
                    let place = tree.place_of(file.parent, name);
                    conflicts.claim(&place, file.key, ours, file.id);
                }
            }
            // Nothing was put there, so nothing is claimed.
            Ok((_, Placed::Skipped)) => {
                staging
                    .journal_mut()
                    .skip(file.key, file.len_bytes, file.modified)
            }
            Err(_) => {}
        }
        ended.push(report(tree, staging, &file, placed));
    }
    if let Err(error) = staging.journal_mut().record_placed(lines) {
        tracing::debug!(%error, "journal not written");
    }
    (ended, left)
}

/// The names from the save folder down to the folder that was asked about last: most files lie beside
/// the one before.
#[derive(Default)]
struct Above {
    folder: Option<u32>,
    names: Vec<String>,
}

impl Above {
    fn of(&mut self, tree: &Tree, folder: Option<u32>) -> &[String] {
        if self.folder != folder {
            self.folder = folder;
            self.names = tree.place_of_folder(folder);
        }
        &self.names
    }
}

fn report(
    tree: &Tree,
    staging: &Staging,
    file: &Ready,
    placed: Result<(String, Placed), Problem>,
) -> Committed {
    let (name, blake3, status) = match placed {
        Ok((name, Placed::New)) => (name, Some(file.hash), EntryStatus::Arrived),
        Ok((name, Placed::AlreadyThere)) => {
            staging.remove_part(file.key);
            (name, Some(file.hash), EntryStatus::AlreadyThere)
        }
        Ok((name, Placed::Skipped)) => {
            staging.remove_part(file.key);
            (name, None, EntryStatus::Skipped)
        }
        Err(problem) => {
            staging.remove_part(file.key);
            let name = tree.planned_file_name(&file.name, file.parent);
            (name, None, EntryStatus::Failed(problem))
        }
    };
    Committed {
        number: file.number,
        path: tree.display_path(file.parent, &name),
        len_bytes: file.len_bytes,
        blake3,
        status,
    }
}

fn flush(staging: &Staging, file: &Ready) -> io::Result<()> {
    match &file.file {
        Some(open) => open.sync_data(),
        None => match staging.folder().regular_file(&part_name(file.key))? {
            Some(reopened) => reopened.sync_data(),
            None => Err(ErrorKind::NotFound.into()),
        },
    }
}

/// The final name is on another file system than the staging. If that one is full, the file fails:
/// trying again would copy all of it again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Across {
    No,
    Yes,
}

fn place(
    tree: &mut Tree,
    staging: &Staging,
    conflicts: &Conflicts,
    file: &Ready,
) -> (Result<(String, Placed), Problem>, Across) {
    let past = staging.journal().past(file.key);
    let crossed = std::cell::Cell::new(Across::No);
    let placed = tree.place(
        file.parent,
        |rules| DiskName::file(&file.name, rules, file.parent.is_none()),
        |tree, folder, name| {
            let put = |over| {
                put(staging, file, folder, name, over, || {
                    crossed.set(Across::Yes)
                })
            };
            let error = match put(Over::Nothing) {
                Ok(_moved) => return Ok(Placed::New),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => error,
                Err(error) => return Err(error),
            };
            if holds(folder, name, file.len_bytes, &file.hash) {
                return Ok(Placed::AlreadyThere);
            }
            // What an earlier run of this transfer put there, before the source changed.
            if past.is_some_and(|past| past.is_ours(folder, name)) {
                put(Over::File)?;
                return Ok(Placed::New);
            }
            // A rule is about the file's own name, never about a numbered one.
            if name != tree.planned_file_name(&file.name, file.parent) {
                return Err(error);
            }
            let Some(standing) = folder.look(name)? else {
                return Err(ErrorKind::AlreadyExists.into());
            };
            // As this disk tells times, so that one it has rounded is not older than itself; but not
            // newer than it was listed, where the disk takes no times.
            let offered = file.modified.map(|listed| listed.min(file.on_disk));
            let place = tree.place_of(file.parent, name);
            match conflicts.verdict(&place, file.key, &standing, offered) {
                Verdict::KeepBoth => Err(error),
                Verdict::Skip => Ok(Placed::Skipped),
                Verdict::Replace => {
                    put(Over::File)?;
                    Ok(Placed::New)
                }
            }
        },
    );
    if crossed.get() == Across::Yes {
        tree.set_crossed();
    }
    (placed, crossed.get())
}

/// What a file may be put over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    Nothing,
    /// The regular file that has the name.
    File,
}

/// Gives a staged file its name, in one step.
fn put(
    staging: &Staging,
    file: &Ready,
    folder: &FolderHandle,
    name: &str,
    over: Over,
    crosses: impl Fn(),
) -> io::Result<()> {
    let part = part_name(file.key);
    match rename(staging.folder(), &part, folder, name, over) {
        Err(error) if error.kind() == ErrorKind::CrossesDevices => {
            crosses();
            copy_across(staging, file, folder, name, over)
        }
        renamed => renamed,
    }
}

fn rename(
    from: &FolderHandle,
    part: &str,
    to: &FolderHandle,
    name: &str,
    over: Over,
) -> io::Result<()> {
    match over {
        Over::Nothing => from.move_new(part, to, name),
        Over::File => from.move_over(part, to, name),
    }
}

impl Past {
    /// It got its name, and that is the last that was heard of it.
    pub(super) fn arrived(&self) -> bool {
        self.end != PastEnd::Unknown && !self.undone
    }

    /// The file of that name is the one that an earlier run made, and as it made it.
    pub(super) fn is_ours(&self, folder: &FolderHandle, name: &str) -> bool {
        let named = self.place.last().is_some_and(|last| last == name);
        let mut before = self.before.iter();
        before.any(|before| before.is_ours(folder, name))
            || named
                && self.looks_the_same(folder, name)
                && match self.end {
                    PastEnd::Ours => true,
                    // Killed before it was written down; but what was there before looked otherwise.
                    PastEnd::Unknown => {
                        self.took && holds(folder, name, self.len_bytes, &self.hash)
                    }
                    PastEnd::Found => false,
                }
    }

    /// The content that an earlier run committed stands under that name.
    pub(super) fn is_there(&self, folder: &FolderHandle, name: &str) -> bool {
        match self.end {
            PastEnd::Ours => self.looks_the_same(folder, name),
            // Perhaps never renamed, or somebody else's: only the content can tell.
            PastEnd::Found | PastEnd::Unknown => holds(folder, name, self.len_bytes, &self.hash),
        }
    }

    fn looks_the_same(&self, folder: &FolderHandle, name: &str) -> bool {
        let look = || -> io::Result<bool> {
            let Some(file) = folder.regular_file(name)? else {
                return Ok(false);
            };
            let now = file.metadata()?;
            Ok(now.len() == self.len_bytes && modified(&now) == Some(self.on_disk))
        };
        look().unwrap_or(false)
    }
}

/// The name belongs to a regular file of the very same content. Whatever cannot be read counts as
/// different.
pub(super) fn holds(folder: &FolderHandle, name: &str, len_bytes: u64, hash: &[u8; 32]) -> bool {
    let compare = || -> io::Result<bool> {
        let Some(mut existing) = folder.regular_file(name)? else {
            return Ok(false);
        };
        if existing.metadata()?.len() != len_bytes {
            return Ok(false);
        }
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; COPY_BYTES.min(len_bytes as usize + 1)];
        loop {
            match existing.read(&mut buffer) {
                Ok(0) => return Ok(hasher.finalize() == *hash),
                Ok(count) => {
                    hasher.update(&buffer[..count]);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    };
    compare().unwrap_or(false)
}

/// Long enough for BLAKE3 to use every lane of the processor.
const COPY_BYTES: usize = 256 << 10;

/// For a received folder that is another file system (something mounted inside the save folder):
/// the content is copied to a hidden file beside its final name, flushed, and renamed there.
fn copy_across(
    staging: &Staging,
    file: &Ready,
    folder: &FolderHandle,
    name: &str,
    over: Over,
) -> io::Result<()> {
    let part = part_name(file.key);
    let Some(mut from) = staging.folder().regular_file(&part)? else {
        return Err(ErrorKind::NotFound.into());
    };
    let beside = format!(".ropeway-{}-{part}", staging.name());
    // A run that was killed may have left one.
    let _ = folder.remove_file(&beside);
    let mut to = folder.create_file(&beside)?;
    let mut copy = || -> io::Result<()> {
        io::copy(&mut from, &mut to)?;
        let metadata = from.metadata()?;
        let _ = to.set_permissions(metadata.permissions());
        let _ = to.set_modified(metadata.modified()?);
        to.sync_data()?;
        rename(folder, &beside, folder, name, over)
    };
    match copy() {
        Ok(()) => {
            staging.remove_part(file.key);
            Ok(())
        }
        Err(error) => {
            let _ = folder.remove_file(&beside);
            Err(error)
        }
    }
}
