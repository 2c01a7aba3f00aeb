//! What comes of files: content and its end, or that the sender gives one up. Every number, length and
//! order is checked, and what is wanted becomes a job for the disk.

use super::entries::Open;
use super::jobs::Job;
use super::{Receiver, State};
use crate::model::Problem;
use crate::protocol::bulk::{Batch, Data, FileEnd};
use crate::protocol::message::{Failed, Violation};

/// Failures before the offer is answered whose words are kept.
const EARLY_DETAILS: usize = 1000;

impl Receiver {
    pub(super) fn abandon(&mut self, failed: &Failed) -> Result<(), Violation> {
        let number = failed.entry;
        let told = self.entries.give_up(number)?;
        if self.current.is_some_and(|(current, _)| current == number) {
            self.current = None;
        }
        self.mending.remove(&number);
        self.comparing.remove(number);
        if told {
            return Ok(());
        }
        let problem = Problem::from(&failed.problem);
        if self.state == State::Offered {
            // Nobody has accepted anything yet: the words of many failures are not kept.
            let wordy = matches!(problem, Problem::Other(_));
            let problem = if wordy && self.abandoned_early.len() >= EARLY_DETAILS {
                Problem::Unreadable
            } else {
                problem
            };
            self.abandoned_early.push((number, problem));
        } else {
            self.jobs.abandon(number, problem);
        }
        Ok(())
    }

    pub(super) fn take_data(&mut self, data: Data) -> Result<(), Violation> {
        self.window.pay(data.body_bytes())?;
        let Open { file, told } = self.entries.open_file(data.entry)?;
        let undecided = self.is_undecided(data.entry);
        self.comparing.content_comes(data.entry, undecided)?;
        let len_bytes = file.len_bytes();
        let again = if let Some(mending) = self.mending.get_mut(&data.entry) {
            mending.take(&data, len_bytes)?
        } else {
            let received = match self.current {
                Some((current, received)) if current == data.entry => received,
                Some(_) => {
                    return Err(Violation::Malformed("a second file before the first ended"));
                }
                None => 0,
            };
            if data.offset != received {
                return Err(Violation::Malformed("content that does not follow on"));
            }
            let end = received.saturating_add(data.content().len() as u64);
            if data.content().is_empty() || end > len_bytes {
                return Err(Violation::Malformed("more content than announced, or none"));
            }
            self.current = Some((data.entry, end));
            false
        };
        if told {
            self.window.throw_away(data.body_bytes());
        } else {
            let entry = file;
            self.jobs.push(Job::Data { entry, data, again });
        }
        Ok(())
    }

    pub(super) fn take_end(&mut self, end: FileEnd) -> Result<(), Violation> {
        self.window.pay(FileEnd::BODY_BYTES)?;
        let Open { file, told } = self.entries.open_file(end.entry)?;
        let len_bytes = file.len_bytes();
        // Whether every group of a kept file is there, only its hash can tell.
        let kept = self.mending.remove(&end.entry).is_some();
        let whole = kept || self.current == Some((end.entry, len_bytes));
        if end.len_bytes != len_bytes || !whole {
            return Err(Violation::Malformed("a file that ends too early"));
        }
        if !kept {
            self.current = None;
        }
        self.entries.mark_handed(end.entry);
        if told {
            self.window.throw_away(FileEnd::BODY_BYTES);
        } else {
            let entry = file;
            self.jobs.push(Job::End { entry, end });
        }
        Ok(())
    }

    pub(super) fn take_batch(&mut self, mut batch: Batch) -> Result<(), Violation> {
        self.window.pay(batch.body_bytes())?;
        if self.current.is_some() || batch.items.is_empty() {
            return Err(Violation::Malformed(
                "a batch inside a file, or an empty one",
            ));
        }
        let mut entries = Vec::with_capacity(batch.items.len());
        let mut wanted = Vec::with_capacity(batch.items.len());
        for item in &batch.items {
            let Open { file, told } = self.entries.open_file(item.entry)?;
            let undecided = self.is_undecided(item.entry);
            self.comparing.content_comes(item.entry, undecided)?;
            if self.mending.contains_key(&item.entry) {
                return Err(Violation::Malformed("a kept file in a batch"));
            }
            if u64::from(item.len_bytes) != file.len_bytes() {
                return Err(Violation::Malformed("a small file of another length"));
            }
            self.entries.mark_handed(item.entry);
            wanted.push(!told);
            if !told {
                entries.push(file);
            }
        }
        if entries.is_empty() {
            self.window.throw_away(batch.body_bytes());
            return Ok(());
        }
        let mut wanted = wanted.into_iter();
        batch.items.retain(|_item| wanted.next().unwrap_or(false));
        self.jobs.push(Job::Batch { entries, batch });
        Ok(())
    }
}
