//! Small work on threads of its own, so that neither supervisor nor window ever waits for a disk:
//! counting what was picked, opening things with other programs.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use super::event::Measured;
use super::note::Input;
use crate::model::{EntryKind, FailedLine, Problem, TransferId};
use crate::storage::inbox::{discard, sweep};
use crate::storage::source::{Found, walk};
use crate::storage::{failed_list, free_bytes, pasted};

/// The growing count is told this often.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// What a thread still does when everything ends has so long; then it is left. A share whose server is gone holds
/// one for as long as it likes, and the program has to end.
const END_WITHIN: Duration = Duration::from_secs(2);

/// The threads under way; all end soon after it is dropped, and it waits a moment for that.
pub struct Chores {
    inputs: Sender<Input>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    /// Each thread holds a sender, so that the receiver hears when the last one has ended.
    under_way: Sender<Infallible>,
    ended: Receiver<Infallible>,
    /// Not among them: see [`Self::measure_room`].
    room: Option<JoinHandle<()>>,
}

impl Chores {
    pub fn new(inputs: Sender<Input>) -> Self {
        let (under_way, ended) = mpsc::channel();
        Self {
            inputs,
            stop: Arc::new(AtomicBool::new(false)),
            threads: Vec::new(),
            under_way,
            ended,
            room: None,
        }
    }

    pub fn measure(&mut self, path: PathBuf) {
        let inputs = self.inputs.clone();
        let stop = self.stop.clone();
        let subject = path.clone();
        self.start("measure", path, move || measure(subject, &stop, &inputs));
    }

    /// Nobody waits for its thread, and one looks at a time: a share whose server is gone holds it for as long as it
    /// likes. It changes nothing.
    pub fn measure_room(&mut self, folder: PathBuf) {
        if self.room.as_ref().is_some_and(|room| !room.is_finished()) {
            return;
        }
        let inputs = self.inputs.clone();
        let look = std::thread::Builder::new().name("room".into());
        let look = look.spawn(move || {
            let free_bytes = free_bytes(&folder);
            let _ = inputs.send(Input::Room { folder, free_bytes });
        });
        match look {
            Ok(room) => self.room = Some(room),
            Err(error) => tracing::warn!(%error, "how much is free is not looked at"),
        }
    }

    /// Removes what killed runs left in a save folder.
    pub fn sweep(&mut self, save_folder: PathBuf) {
        let subject = save_folder.clone();
        self.start("sweep", save_folder, move || sweep(&subject));
    }

    /// Makes a folder that a rule names, while the person who named it is there.
    pub fn make_folder(&mut self, folder: PathBuf) {
        let inputs = self.inputs.clone();
        let path = folder.clone();
        self.start("make", folder, move || {
            if let Err(error) = std::fs::create_dir_all(&path) {
                let problem = Problem::writing(&error);
                let _ = inputs.send(Input::CommandFailed { path, problem });
            }
        });
    }

    /// Removes what is kept of an interrupted transfer.
    pub fn discard(&mut self, save_folder: PathBuf, transfer: TransferId) {
        let subject = save_folder.clone();
        self.start("sweep", save_folder, move || discard(&subject, transfer));
    }

    /// Writes a table of failed entries.
    pub fn save_list(&mut self, path: PathBuf, lines: Vec<FailedLine>) {
        let inputs = self.inputs.clone();
        let subject = path.clone();
        self.start("list", path, move || {
            let problem = failed_list::save(&subject, &lines).err();
            let path = subject;
            let _ = inputs.send(Input::ListSaved { path, problem });
        });
    }

    /// Keeps a pasted picture until it has been sent.
    pub fn stash(&mut self, folder: PathBuf, id: TransferId, name: String, bytes: Vec<u8>) {
        let inputs = self.inputs.clone();
        self.start("stash", folder.clone(), move || {
            let stored = pasted::keep(&folder, &name, &bytes);
            let stored = stored.map_err(|error| Problem::writing(&error));
            let _ = inputs.send(Input::Stashed(id, stored));
        });
    }

    /// Removes pictures that were pasted long ago.
    pub fn sweep_stash(&mut self, folder: PathBuf) {
        let subject = folder.clone();
        self.start("sweep", folder, move || {
            pasted::sweep(&subject, SystemTime::now());
        });
    }

    /// Writes the recent addresses.
    pub fn remember_recent(&mut self, save: impl FnOnce() + Send + 'static) {
        self.start("recent", PathBuf::new(), save);
    }

    /// Another program opens it; that may take its time to start.
    pub fn open(&mut self, path: PathBuf) {
        self.ask_system(path, open);
    }

    /// The file manager shows it.
    pub fn reveal(&mut self, path: PathBuf) {
        self.ask_system(path, reveal);
    }

    fn ask_system(&mut self, path: PathBuf, ask: fn(&Path) -> Result<(), String>) {
        let inputs = self.inputs.clone();
        let subject = path.clone();
        self.start("open", path, move || {
            if let Err(detail) = ask(&subject) {
                let problem = Problem::other(&detail);
                let _ = inputs.send(Input::CommandFailed {
                    path: subject,
                    problem,
                });
            }
        });
    }

    fn start(&mut self, name: &str, path: PathBuf, work: impl FnOnce() + Send + 'static) {
        self.threads.retain(|thread| !thread.is_finished());
        let under_way = self.under_way.clone();
        let work = move || {
            let _under_way = under_way;
            work();
        };
        match std::thread::Builder::new().name(name.into()).spawn(work) {
            Ok(thread) => self.threads.push(thread),
            Err(error) => {
                let problem = Problem::other(&error.to_string());
                let _ = self.inputs.send(Input::CommandFailed { path, problem });
            }
        }
    }
}

impl Drop for Chores {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        self.under_way = mpsc::channel().0;
        if self.ended.recv_timeout(END_WITHIN) == Err(RecvTimeoutError::Disconnected) {
            for thread in self.threads.drain(..) {
                let _ = thread.join();
            }
        } else {
            tracing::warn!("left behind: a disk does not answer");
        }
    }
}

fn measure(path: PathBuf, stop: &AtomicBool, inputs: &Sender<Input>) {
    let mut measured = Measured {
        path: path.clone(),
        is_folder: false,
        entries: 0,
        bytes: 0,
        counting: true,
        problem: None,
    };
    let mut told = Instant::now();
    walk(std::slice::from_ref(&path), &mut |found: Found| {
        if measured.entries == 0 {
            measured.is_folder = found.entry.kind == EntryKind::Folder;
            measured.problem = found.problem;
        }
        measured.entries += 1;
        measured.bytes = measured.bytes.saturating_add(found.entry.len_bytes());
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            let _ = inputs.send(Input::Measured(measured.clone()));
        }
        if stop.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    measured.counting = false;
    let _ = inputs.send(Input::Measured(measured));
}

#[cfg(feature = "gui")]
fn open(path: &Path) -> Result<(), String> {
    opener::open(path).map_err(|error| error.to_string())
}

#[cfg(feature = "gui")]
fn reveal(path: &Path) -> Result<(), String> {
    opener::reveal(path).map_err(|error| error.to_string())
}

/// The headless program opens nothing.
#[cfg(not(feature = "gui"))]
fn open(_path: &Path) -> Result<(), String> {
    Err("this build has no window to open things from".into())
}

#[cfg(not(feature = "gui"))]
fn reveal(path: &Path) -> Result<(), String> {
    open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_whose_disk_does_not_answer_is_left_behind() {
        let (inputs, _heard) = mpsc::channel();
        let mut chores = Chores::new(inputs);
        let (answers, disk) = mpsc::channel::<()>();
        let (ended, over) = mpsc::channel::<()>();
        chores.start("hangs", PathBuf::new(), move || {
            let _ended = ended;
            let _ = disk.recv();
        });
        drop(chores);
        assert_eq!(over.try_recv(), Err(mpsc::TryRecvError::Empty));
        drop(answers);
        assert_eq!(over.recv(), Err(mpsc::RecvError));
    }
}
