//! The log: one text file in the data folder, for the time after something went wrong; and, where it
//! was asked for, what goes on at every connection, line by line on stderr.
//!
//! Nothing secret is ever logged. Without a place for the log the program runs on.

use std::fmt::{self, Write as _};
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

/// Larger than this, the log becomes `ropeway.log.1` and a new one is begun.
const ROTATE_BYTES: u64 = 5 << 20;
/// For example `ropeway=debug`, or `ropeway=info,wire=trace`.
const FILTER_VARIABLE: &str = "ROPEWAY_LOG";
const DEFAULT_FILTER: &str = "ropeway=info,warn";
/// The target under which the engine says what goes on at its connections.
const WIRE_TARGET: &str = "wire";

/// Starts logging for this process; a second call does nothing. `wire`: lines on stderr, too.
pub fn start(data_dir: &Path, wire: bool) {
    let file = open(data_dir).map(|file| {
        let filter = EnvFilter::try_from_env(FILTER_VARIABLE)
            .unwrap_or_else(|_unset| EnvFilter::new(DEFAULT_FILTER));
        tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(Mutex::new(file))
            .with_filter(filter)
    });
    let lines = wire.then(|| {
        let wire = Targets::new().with_target(WIRE_TARGET, LevelFilter::TRACE);
        Lines.with_filter(wire)
    });
    // A second subscriber is refused; the first one stays.
    let _ = tracing_subscriber::registry()
        .with(file)
        .with(lines)
        .try_init();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "started");
}

fn open(data_dir: &Path) -> Option<File> {
    let folder = data_dir.join("logs");
    fs::create_dir_all(&folder).ok()?;
    let path = folder.join("ropeway.log");
    if fs::metadata(&path).is_ok_and(|log| log.len() > ROTATE_BYTES) {
        // If it cannot be renamed it grows on.
        let _ = fs::rename(&path, folder.join("ropeway.log.1"));
    }
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).ok()
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
}
