//! A name that is taken by a file: what the rule of the transfer says, and which files are none of
//! the rule's business because this transfer put them there itself.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::handle::{FileId, Standing, StandingKind};
use crate::model::{Modified, OnConflict};

/// What becomes of a complete file whose name is taken by other content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    KeepBoth,
    Replace,
    Skip,
}

/// The rule of one transfer, and what the transfer has put under names so far, in this run and in
/// earlier ones.
#[derive(Default, Debug)]
pub(super) struct Conflicts {
    rule: OnConflict,
    /// Numbers made of the places; a million files cost a few bytes each. A collision, or a file
    /// that somebody has put in the place of ours since, is treated as ours: both are kept.
    places: HashSet<u64>,
    /// The same file may be found under a second spelling where the disk does not tell `A` from `a`.
    files: HashSet<FileId>,
}

impl Conflicts {
    pub fn set_rule(&mut self, rule: OnConflict) {
        self.rule = rule;
    }

    pub fn rule(&self) -> OnConflict {
        self.rule
    }

    /// Only some rules ask what the transfer put there.
    pub fn wants_claims(&self) -> bool {
        match self.rule {
            OnConflict::Skip | OnConflict::Replace | OnConflict::Newer => true,
            OnConflict::Rename | OnConflict::Separate => false,
        }
    }

    /// The transfer has put a file there: names from the save folder down.
    pub fn claim(&mut self, place: &[String], id: Option<FileId>) {
        self.places.insert(number_of(place));
        self.files.extend(id);
    }

    /// What the rule says about a file offered with this time, whose name belongs to `standing`.
    pub fn verdict(
        &self,
        place: &[String],
        standing: &Standing,
        offered: Option<Modified>,
    ) -> Verdict {
        let claimed = self.places.contains(&number_of(place))
            || standing.id.is_some_and(|id| self.files.contains(&id));
        if standing.kind != StandingKind::File || claimed {
            return Verdict::KeepBoth;
        }
        match self.rule {
            OnConflict::Rename | OnConflict::Separate => Verdict::KeepBoth,
            OnConflict::Skip => Verdict::Skip,
            OnConflict::Replace => Verdict::Replace,
            OnConflict::Newer if offered.is_some_and(|offered| offered > standing.modified) => {
                Verdict::Replace
            }
            OnConflict::Newer => Verdict::Skip,
        }
    }
}

fn number_of(place: &[String]) -> u64 {
    let mut hasher = DefaultHasher::new();
    place.hash(&mut hasher);
    hasher.finish()
}
