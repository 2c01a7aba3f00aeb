//! The staging folder of one transfer, `<save folder>/.ropeway/<transfer id>/`: names of our own
//! choosing, for the owner's eyes only, locked while its process lives, gone when everything has arrived.
//!
//! It holds `lock`, `journal` and one `<entry key>.part` for each file on its way. It stays when the
//! transfer is interrupted, so that a later run can go on from it; what nobody came back to for a
//! week is found by [`sweep`].

use std::collections::{HashMap, HashSet};
use std::fs::{File, Metadata, TryLockError};
use std::io::{self, BufRead as _, BufReader, ErrorKind, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize, Serializer};

use super::commit::Ready;
use super::handle::{FolderHandle, is_not_a_folder};
use super::hex::Hex;
use super::names::AREA;
use crate::model::{Entry, EntryKey, Modified, Problem, SafeName, TransferId};

const LOCK: &str = "lock";
const JOURNAL: &str = "journal";
const PART: &str = ".part";
const JOURNAL_VERSION: u32 = 2;
/// The journal's first line is shorter, every other line makes it longer.
const HEADER_AT_MOST: u64 = 96;
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
    journal: Option<File>,
    /// The names that lead to the journal are flushed.
    reachable: bool,
    /// What earlier runs wrote into the journal.
    history: History,
    /// What became of intents and could not be written down on a full disk.
    unsaid: Vec<Placed>,
    /// What was left out and is not written down yet.
    left_out: Vec<Skipped>,
    /// Parts that an earlier run left, and how long they are.
    left: HashMap<EntryKey, u64>,
    /// Nothing is left to go on from.
    done: bool,
    /// Locked, which tells other processes that this one lives.
    lock: Option<File>,
}

/// The journal's first line.
#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    transfer: String,
}

/// A line of the journal. It is a hint only: what it says is compared with the disk.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Intent(Intent),
    Placed(Placed),
    Making(Making),
    Undone(Undone),
    Folder(FolderLine),
    Skipped(Skipped),
}

/// A file about to get its final name. Written before the rename, so that a kill in between leaves
/// the trace that the name is ours.
#[derive(Serialize, Deserialize)]
pub(super) struct Intent<P = Vec<String>> {
    /// The entry's key.
    commit: Hex<16>,
    /// From the save folder down, as planned.
    place: P,
    len_bytes: u64,
    /// As the sender listed it.
    modified: Option<(i64, u32)>,
    /// As this disk holds it.
    on_disk: (i64, u32),
    blake3: Hex<32>,
    /// The name was free, or another file had it: who finds ours there finds what we put there.
    #[serde(default)]
    took: bool,
}

/// What became of an intent.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Placed {
    /// The entry's key.
    placed: Hex<16>,
    name: String,
    /// We made it. Otherwise the same content was there already, and it is somebody else's file.
    ours: bool,
}

/// A folder about to be made where nothing had its name. A later run finds it there and still owes
/// it the sender's time, unlike one that was there before the transfer.
#[derive(Serialize, Deserialize)]
struct Making {
    /// From the save folder down.
    making: Vec<String>,
}

/// A file that an earlier run had committed failed when it came in another state.
#[derive(Serialize, Deserialize)]
struct Undone {
    /// The entry's key, hex.
    undone: String,
}

/// A picked folder that is to stay apart from what was there before, about to be made or made.
#[derive(Serialize, Deserialize)]
struct FolderLine {
    /// The entry's key, hex.
    folder: String,
    name: String,
    made: bool,
}

/// A file that was left out, since the person wanted to keep what has its name. A program that does not
/// know this line passes over it.
#[derive(Debug, Serialize, Deserialize)]
struct Skipped {
    /// The entry's key.
    skipped: Hex<16>,
    len_bytes: u64,
    /// As the sender listed it.
    modified: Option<(i64, u32)>,
}

/// What earlier runs did.
#[derive(Debug, Default)]
struct History {
    files: HashMap<EntryKey, Past>,
    /// Places of folders that they made, or were about to.
    made: HashSet<Vec<String>>,
    /// Picked folders that stay apart.
    folders: HashMap<EntryKey, PastFolder>,
    /// Files that were left out, each with its length and time.
    skipped: HashSet<(EntryKey, u64, Option<Modified>)>,
}

impl History {
    fn is_empty(&self) -> bool {
        self.files.is_empty()
            && self.folders.is_empty()
            && self.made.is_empty()
            && self.skipped.is_empty()
    }
}

/// The name that an earlier run took for a picked folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct PastFolder {
    pub name: String,
    /// Made; otherwise the run was killed at about that moment.
    pub made: bool,
}

/// A file that an earlier run committed, or was about to.
#[derive(Clone, Debug)]
pub(super) struct Past {
    pub place: Vec<String>,
    pub len_bytes: u64,
    pub modified: Option<Modified>,
    pub on_disk: Modified,
    pub hash: [u8; 32],
    pub took: bool,
    pub end: PastEnd,
    /// It came again in another state since, and that failed.
    pub undone: bool,
    /// What earlier intents said, as long as nobody knows whether anything became of this one: any of
    /// them may stand there.
    pub before: Vec<Past>,
}

impl Past {
    /// It and all that was known before it.
    fn and_before(mut self) -> Vec<Self> {
        let mut all = std::mem::take(&mut self.before);
        all.push(self);
        all
    }
}

/// How far it came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PastEnd {
    /// Nothing was written down after the intent: only its content can tell.
    Unknown,
    /// We made the file.
    Ours,
    /// The same content was there already.
    Found,
}

/// Where something is to be, as an intent is written: the folder it lies in, and its name there.
pub(super) struct Place<'a> {
    pub above: &'a [String],
    pub name: &'a str,
}

impl Serialize for Place<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let above = self.above.iter().map(String::as_str);
        serializer.collect_seq(above.chain([self.name]))
    }
}

/// Lines for the journal.
#[derive(Default)]
pub(super) struct Lines(Vec<u8>);

impl Lines {
    pub fn push(&mut self, line: &impl Serialize) {
        let before = self.0.len();
        match serde_json::to_writer(&mut self.0, line) {
            Ok(()) => self.0.push(b'\n'),
            // Nothing of ours cannot be written; if it were so, without it the files still arrive.
            Err(_impossible) => self.0.truncate(before),
        }
    }
}

impl<T: Serialize> FromIterator<T> for Lines {
    fn from_iter<I: IntoIterator<Item = T>>(all: I) -> Self {
        let mut lines = Self::default();
        all.into_iter().for_each(|line| lines.push(&line));
        lines
    }
}

impl<'a> Intent<Place<'a>> {
    pub fn new(ready: &Ready, place: Place<'a>, took: bool) -> Self {
        let pair = |time: Modified| (time.seconds, time.nanos);
        Self {
            commit: Hex(ready.key.0),
            place,
            len_bytes: ready.len_bytes,
            modified: ready.modified.map(pair),
            on_disk: pair(ready.on_disk),
            blake3: Hex(ready.hash),
            took,
        }
    }
}

impl Intent {
    /// Of a file that was there already.
    pub fn found(
        key: EntryKey,
        entry: &Entry,
        place: Vec<String>,
        on_disk: Modified,
        hash: &[u8; 32],
    ) -> Self {
        let pair = |time: Modified| (time.seconds, time.nanos);
        Self {
            commit: Hex(key.0),
            place,
            len_bytes: entry.len_bytes(),
            modified: entry.modified.map(pair),
            on_disk: pair(on_disk),
            blake3: Hex(*hash),
            took: false,
        }
    }
}

impl Placed {
    pub fn new(key: EntryKey, name: &str, ours: bool) -> Self {
        Self {
            placed: Hex(key.0),
            name: name.to_owned(),
            ours,
        }
    }
}

/// Everything a journal says that can be understood.
fn history(journal: &mut File, transfer: &str) -> History {
    let mut past = History::default();
    let time = |(seconds, nanos)| Modified { seconds, nanos };
    let mut lines = BufReader::new(journal).split(b'\n').map_while(Result::ok);
    let header = lines
        .next()
        .and_then(|line| serde_json::from_slice(&line).ok());
    let ours = header.is_some_and(|header: Header| {
        header.version == JOURNAL_VERSION && header.transfer == transfer
    });
    if !ours {
        return past;
    }
    // It is a hint from a disk: it may not lead out of the save folder.
    let safe = |name: &String| SafeName::try_from(name.as_str()).is_ok();
    for line in lines {
        match serde_json::from_slice(&line) {
            Ok(Line::Intent(intent)) => {
                let inside = !intent.place.is_empty() && intent.place.iter().all(safe);
                if inside {
                    let key = EntryKey(intent.commit.0);
                    let file = Past {
                        place: intent.place,
                        len_bytes: intent.len_bytes,
                        modified: intent.modified.map(time),
                        on_disk: time(intent.on_disk),
                        hash: intent.blake3.0,
                        took: intent.took,
                        end: PastEnd::Unknown,
                        undone: false,
                        before: past
                            .files
                            .remove(&key)
                            .map_or_else(Vec::new, Past::and_before),
                    };
                    past.files.insert(key, file);
                }
            }
            Ok(Line::Placed(placed)) => {
                let file = past.files.get_mut(&EntryKey(placed.placed.0));
                if let Some(file) = file
                    && safe(&placed.name)
                    && let Some(name) = file.place.last_mut()
                {
                    *name = placed.name;
                    file.before.clear();
                    file.end = match placed.ours {
                        true => PastEnd::Ours,
                        false => PastEnd::Found,
                    };
                }
            }
            // Only compared with places of our own making, never used to reach anything.
            Ok(Line::Making(folder)) => {
                past.made.insert(folder.making);
            }
            Ok(Line::Folder(line)) => {
                if let (Some(key), true) = (key_of(&line.folder), safe(&line.name)) {
                    let (name, made) = (line.name, line.made);
                    past.folders.insert(key, PastFolder { name, made });
                }
            }
            Ok(Line::Skipped(line)) => {
                let (key, modified) = (EntryKey(line.skipped.0), line.modified.map(time));
                past.skipped.insert((key, line.len_bytes, modified));
            }
            Ok(Line::Undone(line)) => {
                let file = key_of(&line.undone).and_then(|key| past.files.get_mut(&key));
                if let Some(file) = file {
                    file.undone = true;
                }
            }
            // Torn by a kill, or the empty one behind such a line.
            Err(_torn) => {}
        }
    }
    past
}

fn key_of(hex: &str) -> Option<EntryKey> {
    let bytes = HEXLOWER.decode(hex.as_bytes()).ok()?;
    Some(EntryKey(bytes.try_into().ok()?))
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
            let (journal, history) = open_journal(&folder, &name).map_err(writing)?;
            let left = parts(&folder).map_err(writing)?;
            return Ok(Self {
                lock_metadata: lock.metadata().map_err(writing)?,
                journal: Some(journal),
                reachable: false,
                history,
                unsaid: Vec::new(),
                left_out: Vec::new(),
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

    /// What an earlier run did with the entry.
    pub fn past(&self, key: EntryKey) -> Option<&Past> {
        self.history.files.get(&key)
    }

    /// An earlier run left the file out.
    pub fn skipped(&self, key: EntryKey, len_bytes: u64, modified: Option<Modified>) -> bool {
        let skipped = &self.history.skipped;
        skipped.contains(&(key, len_bytes, modified))
    }

    /// What the journal says of that key may be about another entry.
    pub fn forget_past(&mut self, key: EntryKey) {
        self.history.files.remove(&key);
    }

    /// An earlier run made the folder of that place, if it is there.
    pub fn made(&self, place: &[String]) -> bool {
        self.history.made.contains(place)
    }

    /// Everything that earlier runs have put, or were about to put, under a name.
    pub fn all_past(&self) -> impl Iterator<Item = (&EntryKey, &Past)> {
        let files = self.history.files.iter();
        files.flat_map(|(key, file)| {
            let all = std::iter::once(file).chain(&file.before);
            all.map(move |past| (key, past))
        })
    }

    /// What an earlier run called a picked folder that is to stay apart.
    pub fn past_folder(&self, key: EntryKey) -> Option<&PastFolder> {
        self.history.folders.get(&key)
    }

    /// Writes down which name such a folder is about to get, or has got.
    pub fn record_folder(&mut self, key: EntryKey, name: &str, made: bool) -> io::Result<()> {
        let line = FolderLine {
            folder: HEXLOWER.encode(&key.0),
            name: name.to_owned(),
            made,
        };
        match &mut self.journal {
            Some(journal) => write_lines(journal, [line]),
            None => Ok(()),
        }
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
        let journal = self.journal.as_ref().map(File::metadata);
        let written = journal.is_some_and(|now| now.is_ok_and(|now| now.len() > HEADER_AT_MOST));
        parts && !written
    }

    /// Gives a complete part the permission bits of a received file, if it does not look as if it had
    /// them. File systems that have none may refuse, which is fine.
    pub fn set_received_mode(&self, part: &File, looks: Option<&Metadata>, executable: bool) {
        let mode = FolderHandle::received_mode(&self.lock_metadata, executable);
        if !looks.is_some_and(|looks| FolderHandle::has_mode(looks, &mode)) {
            let _ = part.set_permissions(mode);
        }
    }

    /// Writes down what is about to be renamed, which is to be flushed before it is.
    pub fn record(&mut self, intents: &Lines) -> io::Result<()> {
        match &mut self.journal {
            Some(journal) => write(journal, intents),
            None => Ok(()),
        }
    }

    /// What was recorded survives a power cut from now on.
    pub fn flush_journal(&mut self) -> io::Result<()> {
        let Some(journal) = &self.journal else {
            return Ok(());
        };
        journal.sync_data()?;
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

    /// Writes down that a folder is about to be made.
    pub fn record_making(&mut self, place: &[String]) -> io::Result<()> {
        let making = place.to_vec();
        match &mut self.journal {
            Some(journal) => write_lines(journal, [Making { making }]),
            None => Ok(()),
        }
    }

    /// Writes down which files of earlier runs have failed since.
    pub fn record_undone(&mut self, keys: Vec<EntryKey>) -> io::Result<()> {
        let lines = keys.iter().map(|key| Undone {
            undone: HEXLOWER.encode(&key.0),
        });
        match &mut self.journal {
            Some(journal) if !keys.is_empty() => write_lines(journal, lines),
            Some(_) | None => Ok(()),
        }
    }

    /// A file is left out; [`record_skipped`](Self::record_skipped) writes it down.
    pub fn skip(&mut self, key: EntryKey, len_bytes: u64, modified: Option<Modified>) {
        self.left_out.push(Skipped {
            skipped: Hex(key.0),
            len_bytes,
            modified: modified.map(|time| (time.seconds, time.nanos)),
        });
    }

    /// Writes down what was left out since the last time.
    pub fn record_skipped(&mut self) {
        let left_out = std::mem::take(&mut self.left_out);
        if let (Some(journal), false) = (&mut self.journal, left_out.is_empty())
            && let Err(error) = write_lines(journal, left_out)
        {
            // A hint: without it a sender that did not hear it may be told that it has changed.
            tracing::debug!(%error, "journal not written");
        }
    }

    /// Writes down what became of the intents.
    pub fn record_placed(&mut self, placed: Vec<Placed>) -> io::Result<()> {
        match &mut self.journal {
            Some(journal) => {
                // What found no room before comes first.
                self.unsaid.extend(placed);
                write_lines(journal, &self.unsaid)?;
                self.unsaid.clear();
                Ok(())
            }
            None => Ok(()),
        }
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
        self.journal = None;
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

fn part_key(name: &str) -> Option<EntryKey> {
    key_of(name.strip_suffix(PART)?)
}

/// Opens the journal, or begins one if there is none that can be understood.
fn open_journal(folder: &FolderHandle, transfer: &str) -> io::Result<(File, History)> {
    if let Ok(mut journal) = folder.open_to_write(JOURNAL) {
        let history = history(&mut journal, transfer);
        if !history.is_empty() {
            // A torn last line must not take the next one with it.
            journal.seek(SeekFrom::End(0))?;
            journal.write_all(b"\n")?;
            return Ok((journal, history));
        }
    }
    match folder.remove_file(JOURNAL) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut journal = folder.create_file(JOURNAL)?;
    let header = Header {
        version: JOURNAL_VERSION,
        transfer: transfer.to_owned(),
    };
    write_lines(&mut journal, [header])?;
    Ok((journal, History::default()))
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

fn write_lines<T: Serialize>(
    journal: &mut File,
    lines: impl IntoIterator<Item = T>,
) -> io::Result<()> {
    write(journal, &lines.into_iter().collect())
}

fn write(journal: &mut File, Lines(text): &Lines) -> io::Result<()> {
    let before = journal.metadata()?.len();
    let written = journal.write_all(text);
    if written.is_err() {
        // Half a line would make the next one unreadable, too.
        journal.set_len(before)?;
        journal.seek(SeekFrom::End(0))?;
    }
    written
}
