//! One window for a data folder: the first start keeps it, a later one hands over what it was started with
//! and ends.
//!
//! A lock in the data folder says who is first; a local socket beside it, for this user alone, takes in
//! what later starts bring. What comes over it is checked like anything from outside. Knows
//! nothing of windows: whoever serves says what happens with what came.

#[cfg(unix)]
#[path = "unix.rs"]
mod local;
#[cfg(windows)]
#[path = "windows.rs"]
mod local;
mod message;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use local::{Listener, Stream};

const FOLDER: &str = "window";
const LOCK: &str = "lock";
/// The first start may still be opening its disk and its window.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Who has something to hand over has it at hand.
const HANDED_WITHIN: Duration = Duration::from_secs(2);
const BETWEEN_TRIES: Duration = Duration::from_millis(50);
/// Later starts whose paths the window has not taken in yet.
const WAITING: usize = 64;
const ANSWER: &[u8] = b"ok\n";

/// What a later start was started with: absolute paths, none if it is only to show the window.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Handover {
    pub paths: Vec<PathBuf>,
}

/// How a start stands to the others of its data folder.
#[derive(Debug)]
pub enum Claim {
    /// It is the first one.
    First(Door),
    /// Another one has the window, and has taken the paths.
    HandedOver,
}

#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    #[error("the data folder {} cannot be used: {error}", folder.display())]
    Folder { folder: PathBuf, error: io::Error },
    #[error(
        "Ropeway is open already with the data folder {}, but does not answer; end it first",
        folder.display()
    )]
    NoAnswer { folder: PathBuf },
    #[error("these are too many paths to hand over to the window that is open")]
    TooMany,
}

/// Becomes the one window of this data folder, or hands `paths` (made absolute) to the one there is. Blocks
/// for ten seconds at most.
pub fn claim(data_dir: &Path, paths: &[PathBuf]) -> Result<Claim, InstanceError> {
    let unusable = |error| InstanceError::Folder {
        folder: data_dir.to_owned(),
        error,
    };
    let lock = open_lock(data_dir).map_err(unusable)?;
    let until = Instant::now() + ANSWER_WITHIN;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(Claim::First(Door::new(data_dir, Some(lock)))),
            // The one that has it will answer, or is just about to end.
            Err(TryLockError::WouldBlock) => {
                if hand_over(data_dir, paths, until)? {
                    return Ok(Claim::HandedOver);
                }
            }
            // A file system without locks: whoever answers is there.
            Err(TryLockError::Error(_)) => {
                if hand_over(data_dir, paths, until)? {
                    return Ok(Claim::HandedOver);
                }
                return Ok(Claim::First(Door::new(data_dir, None)));
            }
        }
        if Instant::now() >= until {
            return Err(InstanceError::NoAnswer {
                folder: data_dir.to_owned(),
            });
        }
        std::thread::sleep(BETWEEN_TRIES);
    }
}

/// Whether a window is open with this data folder.
pub fn is_open(data_dir: &Path) -> bool {
    let lock = File::open(data_dir.join(FOLDER).join(LOCK));
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

fn open_lock(data_dir: &Path) -> io::Result<File> {
    fs::create_dir_all(data_dir)?;
    let folder = data_dir.join(FOLDER);
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    // A socket's own rights come a moment after the socket.
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&folder)?;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(folder.join(LOCK))
}

/// `false` if nobody is there to take it yet.
fn hand_over(data_dir: &Path, paths: &[PathBuf], until: Instant) -> Result<bool, InstanceError> {
    let bytes = message::encode(paths).ok_or(InstanceError::TooMany)?;
    let Some(mut stream) = local::connect(data_dir) else {
        return Ok(false);
    };
    let exchange = || -> io::Result<()> {
        local::limit(&stream, until.saturating_duration_since(Instant::now()))?;
        stream.write_all(&bytes)?;
        let mut answer = [0; ANSWER.len()];
        stream.read_exact(&mut answer)?;
        match answer == ANSWER {
            true => Ok(()),
            false => Err(io::ErrorKind::InvalidData.into()),
        }
    };
    // It ended in between: then the next round finds nobody, or gets the lock.
    Ok({ exchange }().is_ok())
}

/// The first start's, from the moment on that it is the first. Later starts wait at it until it is served.
#[derive(Debug)]
pub struct Door {
    listener: Option<Listener>,
    lock: Option<File>,
}

impl Door {
    fn new(data_dir: &Path, lock: Option<File>) -> Self {
        let listener = Listener::bind(data_dir);
        if let Err(error) = &listener {
            // This window is as good as any; only a later start cannot reach it.
            tracing::warn!(%error, "a later start cannot hand anything over");
        }
        Self {
            listener: listener.ok(),
            lock,
        }
    }

    /// Takes in what later starts bring, on a thread of its own, until this is dropped; `wake` is called
    /// whenever something is there.
    pub fn serve(
        self,
        wake: impl Fn() + Send + 'static,
    ) -> io::Result<(Serving, Receiver<Handover>)> {
        let (hand, handed) = sync_channel(WAITING);
        let ends = Arc::new(AtomicBool::new(false));
        let mut serving = Serving {
            ends: ends.clone(),
            thread: None,
            waker: None,
            _lock: self.lock,
        };
        if let Some(listener) = self.listener {
            serving.waker = Some(listener.waker());
            let thread = std::thread::Builder::new().name("instance".into());
            serving.thread = Some(thread.spawn(move || {
                take_in(&listener, &ends, &hand, &wake);
            })?);
        }
        Ok((serving, handed))
    }
}

/// Ends the thread and frees the data folder when dropped.
#[derive(Debug)]
pub struct Serving {
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    waker: Option<local::Waker>,
    /// Last: whoever gets it finds no socket of ours any more.
    _lock: Option<File>,
}

impl Serving {
    /// Whether a later start can reach this one, and so bring a hidden window back.
    pub fn is_reachable(&self) -> bool {
        self.waker.is_some()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        let woken = self.waker.take().is_some_and(|waker| waker.wake());
        if let Some(thread) = self.thread.take()
            && woken
        {
            // It is at its end, or at the one client that it takes its two seconds for.
            let _ = thread.join();
        }
    }
}

fn take_in(listener: &Listener, ends: &AtomicBool, hand: &SyncSender<Handover>, wake: &impl Fn()) {
    loop {
        let stream = listener.accept();
        if ends.load(Ordering::SeqCst) {
            return;
        }
        match stream {
            Ok(stream) => match take(stream, hand) {
                Ok(()) => wake(),
                Err(error) => tracing::info!(%error, "a later start was not understood"),
            },
            // Out of descriptors, for example; it is not to spin.
            Err(error) => {
                tracing::warn!(%error, "a later start was not heard");
                std::thread::sleep(BETWEEN_TRIES);
            }
        }
    }
}

fn take(mut stream: Stream, hand: &SyncSender<Handover>) -> io::Result<()> {
    let paths = message::read(&mut stream, HANDED_WITHIN)?;
    match hand.try_send(Handover { paths }) {
        Ok(()) => {}
        Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
            return Err(io::Error::other("the window does not take anything in"));
        }
    }
    stream.write_all(ANSWER)?;
    stream.flush()
}

#[cfg(test)]
mod tests;
