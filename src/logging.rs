//! The log: one text file in the data folder, for the time after something went wrong.
//!
//! Nothing secret is ever logged, and nothing is logged to the terminal. Without a place for the
//! log the program runs on.

use std::fs::{self, File, OpenOptions};
use std::path::Path;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

/// Larger than this, the log becomes `ropeway.log.1` and a new one is begun.
const ROTATE_BYTES: u64 = 5 << 20;
/// For example `ropeway=debug`.
const FILTER_VARIABLE: &str = "ROPEWAY_LOG";
const DEFAULT_FILTER: &str = "ropeway=info,warn";

/// Starts logging for this process; a second call does nothing.
pub fn start(data_dir: &Path) {
    let Some(file) = open(data_dir) else { return };
    let filter = EnvFilter::try_from_env(FILTER_VARIABLE)
        .unwrap_or_else(|_unset| EnvFilter::new(DEFAULT_FILTER));
    // A second subscriber is refused; the first one stays.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(Mutex::new(file))
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
