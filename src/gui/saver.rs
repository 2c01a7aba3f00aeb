//! Settings are written on a thread of their own, so that no picture waits for a disk.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use crate::settings::Settings;

/// Of changes that come while one is written only the last one is. Dropping it waits until that is on the disk.
pub struct Saver {
    changed: Option<Sender<Settings>>,
    /// One a change: why it could not be written, in a sentence.
    written: Receiver<Option<String>>,
    waits: usize,
    thread: Option<JoinHandle<()>>,
}

impl Saver {
    /// An error if there is no thread for it.
    pub fn start(data_dir: PathBuf) -> std::io::Result<Self> {
        let (changed, changes) = channel::<Settings>();
        let (says, written) = channel();
        let thread = std::thread::Builder::new()
            .name("settings".into())
            .spawn(move || {
                while let Ok(mut settings) = changes.recv() {
                    let mut answers = 1;
                    for newer in changes.try_iter() {
                        settings = newer;
                        answers += 1;
                    }
                    let trouble = settings.save(&data_dir).err();
                    let mut trouble = trouble.map(|error| error.to_string());
                    for _ in 0..answers {
                        // Nobody may listen any more.
                        let _ = says.send(trouble.take());
                    }
                }
            })?;
        Ok(Self {
            changed: Some(changed),
            written,
            waits: 0,
            thread: Some(thread),
        })
    }

    pub fn save(&mut self, settings: &Settings) {
        if let Some(changed) = &self.changed
            && changed.send(settings.clone()).is_ok()
        {
            self.waits += 1;
        }
    }

    /// What could not be written, once.
    pub fn poll(&mut self) -> Option<String> {
        let answers: Vec<_> = self.written.try_iter().collect();
        self.waits = self.waits.saturating_sub(answers.len());
        answers.into_iter().flatten().next_back()
    }

    /// Something is not known to be written yet.
    pub fn is_waiting(&self) -> bool {
        self.waits > 0
    }
}

impl Drop for Saver {
    fn drop(&mut self) {
        self.changed = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_many_changes_is_on_the_disk_once_it_is_dropped() {
        let home = tempfile::tempdir().unwrap();
        let mut saver = Saver::start(home.path().into()).unwrap();
        for percent in 50..=300 {
            saver.save(&Settings {
                zoom_percent: percent,
                ..Settings::default()
            });
        }
        assert!(saver.is_waiting());
        drop(saver);
        let settings = Settings::load(home.path()).unwrap();
        assert_eq!(settings.zoom_percent, 300);
    }

    #[test]
    fn what_could_not_be_written_is_said_once() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("no folder");
        std::fs::write(&file, "").unwrap();
        let mut saver = Saver::start(file).unwrap();
        saver.save(&Settings::default());
        let said = loop {
            if let Some(said) = saver.poll() {
                break said;
            }
            assert!(saver.is_waiting());
            std::thread::yield_now();
        };
        assert!(!said.is_empty());
        assert!(!saver.is_waiting() && saver.poll().is_none());
    }
}
