//! What conversations leave on the disk: a file for each device, `conversations/<device id>.jsonl`,
//! to which lines are only ever added.
//!
//! The first line has the version, every other one is a [`Record`]. A last line that a kill or a power
//! cut tore is dropped. Several processes may have the same folder: all writing is done under one
//! lock, and whoever makes a file smaller reads first what stands in it. Readable by the owner alone:
//! there are keys in it. No threads here.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::record;
use crate::model::{
    Delivery, DeviceId, DeviceName, Direction, Line, MessageId, PeerAddress, Said, TransferLine,
    displayable,
};

const FOLDER: &str = "conversations";
const LOCK: &str = ".lock";
const VERSION: u32 = 1;

/// Lines that are kept of a conversation: more than anybody scrolls through.
pub const MOST_LINES: usize = 2_000;
/// Text that is kept of it, as it is written.
pub const MOST_TEXT_BYTES: usize = 4 << 20;
/// A file twice as long as it could have to be is made smaller.
pub const COMPACT_FROM_BYTES: u64 = 16 << 20;
/// Streams whose numbers are known, the last ones. Each run of the other device has one.
pub const MOST_STREAMS: usize = 64;
/// Nothing that was written here is so long.
const LONGEST_FILE_BYTES: u64 = 64 << 20;

/// One line of a file.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Record {
    /// What the device calls itself, and where it was last reached.
    Peer {
        name: String,
        address: Option<String>,
    },
    Said {
        /// Milliseconds since 1970.
        at: u64,
        id: MessageId,
        #[serde(with = "super::hex")]
        stream: [u8; 16],
        number: u64,
        text: String,
        delivery: Delivery,
    },
    /// What became of something that was said.
    Became {
        id: MessageId,
        delivery: Delivery,
    },
    Heard {
        at: u64,
        id: MessageId,
        #[serde(with = "super::hex")]
        stream: [u8; 16],
        number: u64,
        text: String,
    },
    /// Everything of the stream up to this number was heard.
    Number {
        #[serde(with = "super::hex")]
        stream: [u8; 16],
        number: u64,
    },
    Transfer {
        at: u64,
        sent: bool,
        transfer: TransferLine,
    },
    Key {
        /// 32 bytes in hex.
        key: Zeroizing<String>,
        /// Seconds since 1970.
        used: u64,
    },
    NoKey,
}

#[derive(Serialize, Deserialize)]
struct Head {
    version: u32,
}

/// What the records of a file come to.
#[derive(Default)]
pub struct Transcript {
    pub name: Option<DeviceName>,
    pub address: Option<PeerAddress>,
    /// The oldest first. Of text: its place among all that its sender has said.
    pub lines: Vec<(Line, Option<Place>)>,
    /// The one heard last comes last.
    pub known: Vec<Place>,
    pub key: Option<(Zeroizing<String>, u64)>,
}

/// Stream and number.
pub type Place = ([u8; 16], u64);

/// Adds a place to those that are known; `false` if it was.
pub fn note_place(known: &mut Vec<Place>, (stream, number): Place) -> bool {
    let before = known.iter().position(|(known, _)| *known == stream);
    let before = before.map(|at| known.remove(at).1);
    let is_new = before.is_none_or(|before| before < number);
    known.push((stream, before.map_or(number, |before| before.max(number))));
    if known.len() > MOST_STREAMS {
        known.remove(0);
    }
    is_new
}

impl Transcript {
    fn add(&mut self, record: Record) {
        match record {
            Record::Peer { name, address } => {
                self.name = Some(DeviceName::cleaned(&name, "?"));
                self.address = address.and_then(|address| address.parse().ok());
            }
            Record::Said {
                at,
                id,
                stream,
                number,
                text,
                delivery,
            } => self.add_line(
                Line {
                    at,
                    direction: Direction::Send,
                    what: Said::Text { id, text, delivery },
                },
                Some((stream, number)),
            ),
            Record::Heard {
                at,
                id,
                stream,
                number,
                text,
            } => {
                note_place(&mut self.known, (stream, number));
                self.add_line(
                    Line {
                        at,
                        direction: Direction::Receive,
                        what: Said::Text {
                            id,
                            text,
                            delivery: Delivery::Delivered,
                        },
                    },
                    Some((stream, number)),
                );
            }
            Record::Became { id, delivery } => self.became(id, delivery),
            Record::Number { stream, number } => {
                note_place(&mut self.known, (stream, number));
            }
            Record::Transfer {
                at,
                sent,
                mut transfer,
            } => {
                // They are shown as they stand.
                transfer.names = transfer
                    .names
                    .iter()
                    .map(|name| displayable(name))
                    .collect();
                let direction = if sent {
                    Direction::Send
                } else {
                    Direction::Receive
                };
                let what = Said::Transfer(transfer);
                self.add_line(
                    Line {
                        at,
                        direction,
                        what,
                    },
                    None,
                );
            }
            Record::Key { key, used } => self.key = Some((key, used)),
            Record::NoKey => self.key = None,
        }
    }

    fn add_line(&mut self, line: Line, place: Option<Place>) {
        self.lines.push((line, place));
        // Now and then, so that a file of any length costs no more memory than a short one.
        if self.lines.len() >= 2 * MOST_LINES {
            self.trim();
        }
    }

    fn became(&mut self, wanted: MessageId, now: Delivery) {
        let lines = self.lines.iter_mut().rev();
        let texts = lines.filter(|(line, _)| line.direction == Direction::Send);
        for (line, _) in texts {
            if let Said::Text { id, delivery, .. } = &mut line.what
                && *id == wanted
            {
                *delivery = now;
                return;
            }
        }
    }

    /// Drops the oldest lines of too many; not what still waits to be sent.
    fn trim(&mut self) {
        let (mut lines, mut bytes) = (0_usize, 0_usize);
        let mut kept: Vec<_> = std::mem::take(&mut self.lines)
            .into_iter()
            .rev()
            .filter(|(line, _)| {
                let (text_bytes, waits) = match &line.what {
                    Said::Text { text, delivery, .. } => {
                        (written_bytes(text), *delivery == Delivery::Waiting)
                    }
                    Said::Transfer(_) => (0, false),
                };
                lines = lines.saturating_add(1);
                bytes = bytes.saturating_add(text_bytes);
                waits || (lines <= MOST_LINES && bytes <= MOST_TEXT_BYTES)
            })
            .collect();
        kept.reverse();
        self.lines = kept;
    }

    /// The shortest file that says the same.
    fn into_records(self) -> Vec<Record> {
        let mut records = Vec::new();
        records.extend(self.name.map(|name| Record::Peer {
            name: name.as_str().to_owned(),
            address: self.address.map(|address| address.to_string()),
        }));
        records.extend(self.key.map(|(key, used)| Record::Key { key, used }));
        for (line, place) in self.lines {
            let at = line.at;
            records.extend(match (line.what, place) {
                (Said::Text { id, text, delivery }, Some((stream, number))) => {
                    Some(match line.direction {
                        Direction::Send => Record::Said {
                            at,
                            id,
                            stream,
                            number,
                            text,
                            delivery,
                        },
                        Direction::Receive => Record::Heard {
                            at,
                            id,
                            stream,
                            number,
                            text,
                        },
                    })
                }
                (Said::Text { .. }, None) => None,
                (Said::Transfer(transfer), _) => Some(Record::Transfer {
                    at,
                    sent: line.direction == Direction::Send,
                    transfer,
                }),
            });
        }
        // Last, so that their order is what counts.
        let known = self.known.into_iter();
        records.extend(known.map(|(stream, number)| Record::Number { stream, number }));
        records
    }
}

/// The length of a text in JSON.
fn written_bytes(text: &str) -> usize {
    let bytes = text.bytes().map(|byte| match byte {
        b'"' | b'\\' => 2,
        0..0x20 => 6,
        _ => 1,
    });
    bytes.sum()
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error("it is of a newer version ({found}) and was left alone")]
    Newer { found: u32 },
    #[error("it was damaged; as it was it is {}", aside.display())]
    Damaged { aside: PathBuf },
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// The folder with the files of all devices.
pub struct Transcripts {
    folder: PathBuf,
}

impl Transcripts {
    /// Removes what a cut write has left, and nothing else.
    pub fn new(data_dir: &Path) -> Self {
        let folder = data_dir.join(FOLDER);
        record::sweep(&folder);
        Self { folder }
    }

    fn path_of(&self, device: DeviceId) -> PathBuf {
        self.folder.join(format!("{device}.jsonl"))
    }

    pub fn devices(&self) -> Vec<DeviceId> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name());
        let ids = names.filter_map(|name| name.to_str()?.strip_suffix(".jsonl")?.parse().ok());
        ids.collect()
    }

    /// What stands in a device's file, as far as it can be understood, and what is wrong with the
    /// rest, of which a copy is put aside.
    pub fn read(&self, device: DeviceId) -> (Transcript, Option<Trouble>) {
        let path = self.path_of(device);
        let (transcript, damaged) = match read(&path) {
            Ok(read) => read,
            Err(Trouble::Damaged { aside }) => {
                return match fs::rename(&path, &aside) {
                    Ok(()) => (Transcript::default(), Some(Trouble::Damaged { aside })),
                    Err(error) => (Transcript::default(), Some(error.into())),
                };
            }
            Err(trouble) => return (Transcript::default(), Some(trouble)),
        };
        if damaged == 0 {
            return (transcript, None);
        }
        let aside = record::free_name_beside(&path);
        let trouble = match fs::copy(&path, &aside) {
            // From now on it is whole, and the same is not said at each start.
            Ok(_bytes) => match self.compact(device, true) {
                Ok(()) => Trouble::Damaged { aside },
                Err(error) => error.into(),
            },
            Err(error) => error.into(),
        };
        (transcript, Some(trouble))
    }

    /// Held while anything is written.
    pub fn lock(&self) -> io::Result<Locked<'_>> {
        fs::create_dir_all(&self.folder)?;
        let lock = private().create(true).open(self.folder.join(LOCK))?;
        // Where there are no locks, there is no other process in practice either.
        let _ = lock.lock();
        Ok(Locked {
            transcripts: self,
            _lock: lock,
        })
    }

    /// Makes a device's file as short as it can be; without `lines`, what was said and heard goes.
    pub fn compact(&self, device: DeviceId, lines: bool) -> io::Result<()> {
        self.lock()?.compact(device, lines)
    }
}

/// The right to write.
pub struct Locked<'a> {
    transcripts: &'a Transcripts,
    _lock: File,
}

impl Locked<'_> {
    /// Adds records; when it comes back they are on the disk. Gives the length of the file.
    /// [`io::ErrorKind::Unsupported`] if it is of a newer version.
    pub fn append(&self, device: DeviceId, records: &[Record]) -> io::Result<u64> {
        let path = self.transcripts.path_of(device);
        let mut file = private().read(true).append(true).create(true).open(&path)?;
        let found = file.metadata()?.len();
        let whole = match found {
            0 => 0,
            _ => {
                newer_is_left_alone(&mut file)?;
                whole_lines(&mut file, found)?
            }
        };
        if whole < found {
            file.set_len(whole)?;
        }
        let mut text = Zeroizing::new(Vec::new());
        if whole == 0 {
            write_line(&mut text, &Head { version: VERSION })?;
        }
        for record in records {
            write_line(&mut text, record)?;
        }
        file.write_all(&text)?;
        file.sync_data()?;
        if found == 0 {
            self.sync_folder()?;
        }
        Ok(whole.saturating_add(text.len() as u64))
    }

    pub fn compact(&self, device: DeviceId, lines: bool) -> io::Result<()> {
        let path = self.transcripts.path_of(device);
        let mut transcript = match read(&path) {
            Ok((transcript, _)) => transcript,
            Err(Trouble::Io(error)) => return Err(error),
            Err(other @ (Trouble::Newer { .. } | Trouble::Damaged { .. })) => {
                return Err(io::Error::other(other.to_string()));
            }
        };
        if lines {
            transcript.trim();
        } else {
            transcript.lines.clear();
        }
        let mut text = Zeroizing::new(Vec::new());
        write_line(&mut text, &Head { version: VERSION })?;
        for record in transcript.into_records() {
            write_line(&mut text, &record)?;
        }
        record::replace(&path, &text)
    }

    pub fn remove(&self, device: DeviceId) -> io::Result<()> {
        match fs::remove_file(self.transcripts.path_of(device)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => self.sync_folder(),
        }
    }

    fn sync_folder(&self) -> io::Result<()> {
        #[cfg(unix)]
        File::open(&self.transcripts.folder)?.sync_all()?;
        Ok(())
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn write_line(text: &mut Vec<u8>, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *text, line)?;
    text.push(b'\n');
    Ok(())
}

fn newer_is_left_alone(file: &mut File) -> io::Result<()> {
    let mut start = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    Read::take(&mut *file, 64).read_to_end(&mut start)?;
    let first = start
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    match serde_json::from_slice::<Head>(first) {
        Ok(head) if head.version > VERSION => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "it is of a newer version",
        )),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// How much of the file is whole lines.
fn whole_lines(file: &mut File, len_bytes: u64) -> io::Result<u64> {
    /// A line may be long, but is seldom torn.
    const STEP_BYTES: u64 = 4 << 10;
    let mut end = len_bytes;
    while end > 0 {
        let start = end.saturating_sub(STEP_BYTES);
        let mut piece = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        Read::take(&mut *file, end.saturating_sub(start)).read_to_end(&mut piece)?;
        if let Some(at) = piece.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start.saturating_add(at as u64).saturating_add(1));
        }
        end = start;
    }
    Ok(0)
}

/// And how many lines could not be understood.
fn read(path: &Path) -> Result<(Transcript, usize), Trouble> {
    let mut transcript = Transcript::default();
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((transcript, 0)),
        Err(error) => return Err(error.into()),
    };
    let damaged_whole = || Trouble::Damaged {
        aside: record::free_name_beside(path),
    };
    if file.metadata()?.len() > LONGEST_FILE_BYTES {
        return Err(damaged_whole());
    }
    let mut lines = io::BufReader::new(file);
    let mut line = Zeroizing::new(Vec::new());
    let mut damaged = 0_usize;
    let mut first = true;
    loop {
        line.clear();
        lines.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            // The end, or a line that was torn there.
            break;
        }
        if std::mem::take(&mut first) {
            match serde_json::from_slice::<Head>(&line) {
                Ok(head) if head.version > VERSION => {
                    let found = head.version;
                    return Err(Trouble::Newer { found });
                }
                Ok(_) => {}
                Err(_damage) => return Err(damaged_whole()),
            }
        } else {
            match serde_json::from_slice::<Record>(&line) {
                Ok(record) => transcript.add(record),
                Err(_damage) => damaged = damaged.saturating_add(1),
            }
        }
    }
    transcript.trim();
    Ok((transcript, damaged))
}
