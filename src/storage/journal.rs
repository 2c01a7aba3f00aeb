//! The journal of a transfer: what is about to get which name, and what became of it. A later run reads
//! what earlier ones wrote.
//!
//! It is a hint only: what it says is compared with the disk.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Seek as _, SeekFrom, Write as _};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize, Serializer};

use super::commit::Ready;
use super::handle::FolderHandle;
use super::hex::Hex;
use super::staging::key_of;
use crate::model::{Entry, EntryKey, Modified, SafeName};

pub(super) const JOURNAL: &str = "journal";
const JOURNAL_VERSION: u32 = 2;
/// The journal's first line is shorter, every other line makes it longer.
const HEADER_AT_MOST: u64 = 96;

#[derive(Debug)]
pub(super) struct Journal {
    /// `None`: it is closed.
    file: Option<File>,
    /// What earlier runs wrote.
    history: History,
    /// What became of intents and could not be written down on a full disk.
    unsaid: Vec<Placed>,
    /// What was left out and is not written down yet.
    left_out: Vec<Skipped>,
}

/// The journal's first line.
#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    transfer: String,
}

/// A line of the journal.
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

impl Journal {
    /// Opens the journal in that folder, or begins one if there is none that can be understood.
    pub fn open(folder: &FolderHandle, transfer: &str) -> io::Result<Self> {
        let (file, history) = open_or_begin(folder, transfer)?;
        Ok(Self {
            file: Some(file),
            history,
            unsaid: Vec::new(),
            left_out: Vec::new(),
        })
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
        match &mut self.file {
            Some(file) => write_lines(file, [line]),
            None => Ok(()),
        }
    }

    /// Writes down what is about to be renamed, which is to be flushed before it is.
    pub fn record(&mut self, intents: &Lines) -> io::Result<()> {
        match &mut self.file {
            Some(file) => write(file, intents),
            None => Ok(()),
        }
    }

    /// Writes down that a folder is about to be made.
    pub fn record_making(&mut self, place: &[String]) -> io::Result<()> {
        let making = place.to_vec();
        match &mut self.file {
            Some(file) => write_lines(file, [Making { making }]),
            None => Ok(()),
        }
    }

    /// Writes down which files of earlier runs have failed since.
    pub fn record_undone(&mut self, keys: Vec<EntryKey>) -> io::Result<()> {
        let lines = keys.iter().map(|key| Undone {
            undone: HEXLOWER.encode(&key.0),
        });
        match &mut self.file {
            Some(file) if !keys.is_empty() => write_lines(file, lines),
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
        if let (Some(file), false) = (&mut self.file, left_out.is_empty())
            && let Err(error) = write_lines(file, left_out)
        {
            // A hint: without it a sender that did not hear it may be told that it has changed.
            tracing::debug!(%error, "journal not written");
        }
    }

    /// Writes down what became of the intents.
    pub fn record_placed(&mut self, placed: Vec<Placed>) -> io::Result<()> {
        match &mut self.file {
            Some(file) => {
                // What found no room before comes first.
                self.unsaid.extend(placed);
                write_lines(file, &self.unsaid)?;
                self.unsaid.clear();
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// What was written is on the disk from now on, if the names that lead to it are.
    pub fn flush(&self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), File::sync_data)
    }

    /// This or an earlier run has written something down.
    pub fn is_written(&self) -> bool {
        let journal = self.file.as_ref().map(File::metadata);
        journal.is_some_and(|now| now.is_ok_and(|now| now.len() > HEADER_AT_MOST))
    }

    /// Nothing is written down any more.
    pub fn close(&mut self) {
        self.file = None;
    }
}

fn open_or_begin(folder: &FolderHandle, transfer: &str) -> io::Result<(File, History)> {
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
