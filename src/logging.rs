//! The log: a text file for each run in the data folder, for the time after something went wrong; and, where it
//! was asked for, what goes on at every connection, line by line on stderr.
//!
//! Nothing secret is ever logged. Without a place for the log the program runs on.

use std::fmt::{self, Write as _};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime as _;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

const FOLDER: &str = "logs";
const START: &str = "ropeway";
const END: &str = ".log";
/// A long run keeps its last two pieces of this size.
const PIECE_BYTES: u64 = 4 << 20;
/// When a run begins, the oldest go until there are no more than these; a run that goes on keeps its own.
const MOST_FILES: usize = 20;
const MOST_BYTES: u64 = 32 << 20;
/// For example `ropeway=debug`, or `ropeway=info,wire=trace`.
const FILTER_VARIABLE: &str = "ROPEWAY_LOG";
const DEFAULT_FILTER: &str = "ropeway=info,warn";
/// The target under which the engine says what goes on at its connections.
const WIRE_TARGET: &str = "wire";

/// Starts logging for this process; a second call does nothing. `wire`: lines on stderr, too.
pub fn start(data_dir: &Path, wire: bool) {
    let folder = data_dir.join(FOLDER);
    let file = RunLog::begin(&folder).ok().map(|file| {
        let asked = std::env::var(FILTER_VARIABLE).ok();
        let asked = asked.filter(|filter| !filter.is_empty());
        let asked = asked.and_then(|filter| filter.parse().ok());
        let filter: Targets = asked
            .or_else(|| DEFAULT_FILTER.parse().ok())
            .unwrap_or_default();
        tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(Mutex::new(file))
            .with_filter(filter)
    });
    sweep(&folder);
    let lines = wire.then(|| {
        let wire = Targets::new().with_target(WIRE_TARGET, LevelFilter::TRACE);
        Lines.with_filter(wire)
    });
    // A second subscriber is refused; the first one stays.
    let _ = tracing_subscriber::registry()
        .with(file)
        .with(lines)
        .try_init();
    let (system, machine) = (std::env::consts::OS, std::env::consts::ARCH);
    tracing::info!(
        version = env!("ROPEWAY_VERSION"),
        system,
        machine,
        "started"
    );
}

/// The log of this run. It is locked as long as the run goes on, which tells others to leave it.
struct RunLog {
    path: PathBuf,
    file: File,
    written: u64,
}

impl RunLog {
    fn begin(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let process = std::process::id();
        let path = folder.join(format!("{START}-{}-{process}{END}", stamp()));
        let file = Self::open(&path)?;
        let written = file.metadata()?.len();
        Ok(Self {
            path,
            file,
            written,
        })
    }

    fn open(path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        // Where there are no locks, only its age protects it. On Windows a lock would keep people from reading it.
        #[cfg(unix)]
        let _ = file.try_lock();
        Ok(file)
    }

    /// The piece becomes the one before, and another one is begun.
    fn turn(&mut self) {
        self.written = 0;
        let before = self.path.with_extension(format!("1{END}"));
        // If it cannot be renamed it grows on.
        if fs::rename(&self.path, before).is_ok()
            && let Ok(file) = Self::open(&self.path)
        {
            self.file = file;
        }
    }
}

impl io::Write for RunLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.written > PIECE_BYTES {
            self.turn();
        }
        let count = self.file.write(bytes)?;
        self.written = self.written.saturating_add(count as u64);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Logs of runs in a folder, the youngest first: their names begin with the time.
fn runs(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let logs = entries.filter(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // Earlier versions had one `ropeway.log` and one `ropeway.log.1`.
        name.starts_with(START) && (name.ends_with(END) || name.ends_with(".log.1"))
    });
    let mut logs: Vec<_> = logs.map(|entry| entry.path()).collect();
    logs.sort_by(|a, b| key(b).cmp(&key(a)));
    logs
}

/// Those without a time in their name are the oldest.
fn key(path: &Path) -> (bool, Option<&std::ffi::OsStr>) {
    let name = path.file_name();
    let dated = name.is_some_and(|name| name.to_string_lossy().starts_with("ropeway-"));
    (dated, name)
}

fn sweep(folder: &Path) {
    let mut bytes = 0_u64;
    for (index, path) in runs(folder).iter().enumerate() {
        let Ok(file) = File::open(path) else { continue };
        bytes = bytes.saturating_add(file.metadata().map_or(0, |log| log.len()));
        let too_much = index >= MOST_FILES || bytes > MOST_BYTES;
        let in_use = || matches!(file.try_lock(), Err(TryLockError::WouldBlock));
        if too_much && !in_use() {
            // What cannot be removed is tried again by the next run.
            let _ = fs::remove_file(path);
        }
    }
}

/// The last lines of each of the last runs, the one that wrote last first: the name of its file, and `lines` at most.
pub fn last(data_dir: &Path, files: usize, lines: usize) -> Vec<(String, Vec<String>)> {
    /// Longer than the lines anybody wants to read.
    const TAIL_BYTES: u64 = 64 << 10;
    let tail = |path: &PathBuf| -> Option<(String, Vec<String>)> {
        let mut file = File::open(path).ok()?;
        let length = file.metadata().ok()?.len();
        let start = length.saturating_sub(TAIL_BYTES);
        file.seek(SeekFrom::Start(start)).ok()?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        // The first one is cut.
        let whole = text.lines().skip(usize::from(start > 0));
        let all: Vec<_> = whole.map(str::to_owned).collect();
        let kept = all.iter().skip(all.len().saturating_sub(lines)).cloned();
        let name = path.file_name()?.to_string_lossy().into_owned();
        Some((name, kept.collect()))
    };
    let mut runs = runs(&data_dir.join(FOLDER));
    // A window that has been open for days is of more interest than a command of a minute ago.
    runs.sort_by_key(|path| {
        let written = fs::metadata(path).and_then(|about| about.modified()).ok();
        std::cmp::Reverse(written)
    });
    runs.iter().filter_map(tail).take(files).collect()
}

/// Now, in UTC: `20261126T102332`.
fn stamp() -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = tracing_subscriber::fmt::time::SystemTime.format_time(&mut Writer::new(&mut text));
    let digits = text.chars().filter(|c| !matches!(c, '-' | ':'));
    digits.take(15).collect()
}

/// `12:03:04.123 send-3 → 0x10 offer 41 bytes`, and nothing else.
struct Lines;

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut line = Line(clock(SystemTime::now()));
        event.record(&mut line);
        line.0.push('\n');
        // In one piece, so that lines of several threads stay apart. Nobody may be reading.
        let _ = std::io::stderr().lock().write_all(line.0.as_bytes());
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            // Writing to a String cannot fail.
            let _ = write!(self.0, " {value:?}");
        }
    }
}

/// The time of day in UTC, as in the file.
fn clock(now: SystemTime) -> String {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, millis) = (since.as_secs() % 86_400, since.subsec_millis());
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{millis:03}", seconds % 60)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_clock_has_milliseconds() {
        let at = UNIX_EPOCH + Duration::from_millis(86_400_000 * 3 + 43_384_123);
        assert_eq!(clock(at), "12:03:04.123");
    }

    #[test]
    fn each_run_has_a_file_of_its_own_and_a_long_one_keeps_its_last_two_pieces() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = RunLog::begin(folder.path()).unwrap();
        let line = [b'x'; 1 << 16];
        for _ in 0..(3 * PIECE_BYTES / line.len() as u64) {
            log.write_all(&line).unwrap();
        }
        let files = runs(folder.path());
        assert_eq!(files.len(), 2, "{files:?}");
        let bytes: u64 = files.iter().map(|f| f.metadata().unwrap().len()).sum();
        assert!(bytes <= 2 * (PIECE_BYTES + line.len() as u64), "{bytes}");
        assert_eq!(
            files[0], log.path,
            "the piece that is written is the youngest"
        );
    }

    #[cfg(unix)]
    #[test]
    fn the_oldest_logs_go_but_never_that_of_a_run_that_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let running = RunLog::open(&path("ropeway-20260101T000000-1.log")).unwrap();
        fs::write(path("ropeway.log"), "of an earlier version").unwrap();
        for run in 0..MOST_FILES {
            fs::write(path(&format!("ropeway-20260202T0000{run:02}-2.log")), "x").unwrap();
        }
        fs::write(path("notes.txt"), "not ours").unwrap();
        sweep(folder.path());
        assert!(path("ropeway-20260101T000000-1.log").exists());
        assert!(!path("ropeway.log").exists());
        assert!(path("notes.txt").exists());
        assert_eq!(runs(folder.path()).len(), MOST_FILES + 1);
        drop(running);
        sweep(folder.path());
        assert_eq!(runs(folder.path()).len(), MOST_FILES);
    }

    #[test]
    fn the_last_lines_are_those_of_the_youngest_runs() {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join(FOLDER);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("ropeway-20260101T000000-1.log"), "old\n").unwrap();
        let long: String = (0..20_000).map(|line| format!("line {line}\n")).collect();
        fs::write(folder.join("ropeway-20260102T000000-9.log"), long).unwrap();
        let last = last(data.path(), 1, 2);
        assert_eq!(last[0].0, "ropeway-20260102T000000-9.log");
        assert_eq!(last[0].1, ["line 19998", "line 19999"]);
        assert_eq!(last.len(), 1);
    }

    #[test]
    fn a_name_begins_with_the_time_so_that_names_sort_by_it() {
        let stamp = stamp();
        assert_eq!(stamp.len(), 15, "{stamp}");
        assert_eq!(&stamp[8..9], "T");
        assert!(stamp.chars().all(|c| c.is_ascii_digit() || c == 'T'));
    }
}
