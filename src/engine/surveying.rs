//! While an offer waits for its answer: what it would meet in its folder, looked at in small steps by
//! the session's disk thread, which has nothing else to do until then.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::event::{Existing, Offer};
use crate::model::{Entry, Manifest, displayable};
use crate::storage::Survey;

/// Entries looked at before orders are heard again.
const STEP_ENTRIES: usize = 512;
/// A slow disk is not asked for longer than this; what it has told by then is shown.
const LOOK_FOR: Duration = Duration::from_secs(20);
/// The growing count is told this often.
const TELL_EVERY: Duration = Duration::from_millis(200);

pub(super) struct Surveying {
    survey: Survey,
    free_bytes: Option<u64>,
    /// Of picked items whose names are taken.
    names: Vec<String>,
    spent: Duration,
    told: Option<(Instant, Existing)>,
    /// There may be entries that were not looked at.
    more: bool,
}

/// What is known of the folder an offer would go to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Surveyed {
    pub folder: PathBuf,
    pub free_bytes: Option<u64>,
    pub existing: Existing,
}

impl Surveying {
    pub fn new(folder: &Path) -> Self {
        let survey = Survey::new(folder);
        Self {
            free_bytes: survey.free_bytes(),
            survey,
            names: Vec::new(),
            spent: Duration::ZERO,
            told: None,
            more: true,
        }
    }

    /// The list has grown, or has ended.
    pub fn more(&mut self) {
        self.more = self.spent < LOOK_FOR;
    }

    /// There is a step to do.
    pub fn is_due(&self) -> bool {
        self.more
    }

    /// What is to be looked at next.
    pub fn next(&self, manifest: &Manifest) -> Vec<Entry> {
        let unseen = manifest.entries().iter().skip(self.survey.looked());
        unseen.take(STEP_ENTRIES).cloned().collect()
    }

    /// One step, for the entries that [`next`](Self::next) gave; `all`: there are no others. Gives what
    /// is to be told, if anything.
    pub fn step(&mut self, entries: &[Entry], all: bool) -> Option<Surveyed> {
        let begun = Instant::now();
        for entry in entries {
            let before = self.survey.seen().picked.len();
            self.survey.look(entry);
            let taken = self.survey.seen().picked.len() > before;
            if taken && self.names.len() < Offer::MAX_NAMES {
                self.names.push(displayable(entry.name.as_str()));
            }
        }
        self.spent += begun.elapsed();
        let gave_up = self.spent >= LOOK_FOR;
        self.more = entries.len() == STEP_ENTRIES && !gave_up;
        let seen = self.survey.seen();
        let existing = Existing {
            names: self.names.clone(),
            picked: seen.picked.len() as u64,
            same_names: seen.same_names,
            new: seen.new,
            complete: all && !self.more && !gave_up,
        };
        let news = match &self.told {
            None => true,
            Some((at, told)) => *told != existing && (!self.more || at.elapsed() >= TELL_EVERY),
        };
        if !news {
            return None;
        }
        self.told = Some((Instant::now(), existing.clone()));
        Some(Surveyed {
            folder: self.survey.folder().to_owned(),
            free_bytes: self.free_bytes,
            existing,
        })
    }
}
