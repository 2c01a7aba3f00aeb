//! What the disk is asked to do: it does its jobs in order and reports each one back.

use std::collections::VecDeque;

use crate::model::{Entry, Manifest, Problem};
use crate::protocol::bulk::{Batch, Data, FileEnd, Groups, cost};

/// Jobs with the disk at once: more would only be memory. Content is bounded by credit besides.
const OUTSTANDING_JOBS: usize = 1024;

/// Work for the disk, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Job {
    Folder {
        number: u32,
        entry: Entry,
    },
    /// Files whose folders are there and of which nothing, or not all, has come: what stands under
    /// their names may decide what becomes of them ([`Receiver::settle`](super::Receiver::settle)) before they travel.
    Look {
        files: Vec<(u32, Entry)>,
    },
    /// Hashes of a file that was [asked](super::Receiver::ask) about; compare, and [say](super::Receiver::want)
    /// what is needed of it.
    Hashes {
        entry: Entry,
        groups: Groups,
        last: bool,
    },
    /// Content of a file; offsets follow each other without gaps. Of a file that was kept from an
    /// earlier run any group may come, from its beginning and in one go.
    Data {
        entry: Entry,
        data: Data,
        /// It takes the place of content that was counted as held already.
        again: bool,
    },
    /// The file is complete.
    End {
        entry: Entry,
        end: FileEnd,
    },
    /// Whole small files, each with its entry.
    Batch {
        entries: Vec<Entry>,
        batch: Batch,
    },
    /// The sender gave an entry up.
    Abandon {
        number: u32,
        entry: Entry,
        problem: Problem,
    },
    /// Everything was sent: commit what waits, then make it safe.
    Finish,
}

impl Job {
    /// What handling it gives back to the credit.
    pub fn cost(&self) -> u64 {
        match self {
            Self::Data { data, .. } => cost(data.body_bytes()),
            Self::Batch { batch, .. } => cost(batch.body_bytes()),
            Self::End { .. } => cost(FileEnd::BODY_BYTES),
            Self::Hashes { groups, .. } => cost(Groups::body_bytes(groups.hashes.len())),
            Self::Folder { .. } | Self::Look { .. } | Self::Abandon { .. } | Self::Finish => 0,
        }
    }

    /// Content in it.
    pub fn content_bytes(&self) -> u64 {
        match self {
            Self::Data { again: true, .. } => 0,
            Self::Data { data, .. } => data.content().len() as u64,
            Self::Batch { batch, .. } => batch
                .items
                .iter()
                .map(|item| u64::from(item.len_bytes))
                .sum(),
            Self::End { .. }
            | Self::Folder { .. }
            | Self::Look { .. }
            | Self::Hashes { .. }
            | Self::Abandon { .. }
            | Self::Finish => 0,
        }
    }
}
/// What the disk is at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Look,
    Other,
}

impl From<&Job> for Kind {
    fn from(job: &Job) -> Self {
        match job {
            Job::Look { .. } => Self::Look,
            Job::Folder { .. }
            | Job::Hashes { .. }
            | Job::Data { .. }
            | Job::End { .. }
            | Job::Batch { .. }
            | Job::Abandon { .. }
            | Job::Finish => Self::Other,
        }
    }
}

/// A job that waits. What may come in great numbers and without credit stays small.
#[derive(Debug)]
enum Queued {
    Job(Job),
    Abandon(u32, Problem),
}

/// Jobs that wait for the disk, and those that it has.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    waiting: VecDeque<Queued>,
    /// Those that the disk has not reported back.
    outstanding: VecDeque<Kind>,
}

impl Jobs {
    pub fn push(&mut self, job: Job) {
        self.waiting.push_back(Queued::Job(job));
    }

    /// The sender gave that file up.
    pub fn abandon(&mut self, number: u32, problem: Problem) {
        self.waiting.push_back(Queued::Abandon(number, problem));
    }

    /// The one that has waited longest.
    pub fn next(&mut self, manifest: &Manifest) -> Option<Job> {
        Some(match self.waiting.pop_front()? {
            Queued::Job(job) => job,
            Queued::Abandon(number, problem) => Job::Abandon {
                number,
                entry: manifest.get(number)?.clone(),
                problem,
            },
        })
    }

    /// The disk has as many as it may.
    pub fn is_full(&self) -> bool {
        self.outstanding.len() >= OUTSTANDING_JOBS
    }

    /// The disk has them all done.
    pub fn is_idle(&self) -> bool {
        self.outstanding.is_empty()
    }

    pub fn is_looking(&self) -> bool {
        self.outstanding.contains(&Kind::Look)
    }

    pub fn gave_out(&mut self, job: &Job) {
        self.outstanding.push_back(Kind::from(job));
    }

    pub fn reported_back(&mut self) {
        self.outstanding.pop_front();
    }

    /// What waits is not done any more.
    pub fn clear(&mut self) {
        self.waiting.clear();
    }
}
