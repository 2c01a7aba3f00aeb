//! A name that is taken by a file: what the rule of the transfer says, and which files are none of
//! the rule's business because this transfer put them there itself.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use unicode_normalization::UnicodeNormalization as _;

use super::handle::{FileId, Standing, StandingKind};
use crate::model::{EntryKey, Modified, OnConflict};

/// What becomes of a complete file whose name is taken by other content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    KeepBoth,
    Replace,
    Skip,
}

/// An entry of the transfer has arrived at a place.
#[derive(Clone, Copy, Debug)]
struct Claim {
    key: EntryKey,
    /// We put it there; otherwise the same content was there already, and may be replaced by a newer
    /// version of that entry, but not by another one.
    ours: bool,
}

/// The rule of one transfer, and what the transfer has put under names so far, in this run and in
/// earlier ones.
#[derive(Default, Debug)]
pub(super) struct Conflicts {
    rule: OnConflict,
    /// Numbers made of the places; a million files cost a few bytes each. A collision, or a file
    /// that somebody has put in the place of ours since, is treated as ours: both are kept.
    places: HashMap<u64, Claim>,
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

    /// An entry has arrived there: names from the save folder down. With an id if we put it there in
    /// this run.
    pub fn claim(&mut self, place: &[String], key: EntryKey, ours: bool, id: Option<FileId>) {
        self.places.insert(number_of(place), Claim { key, ours });
        self.files.extend(id.filter(|_| ours));
    }

    /// What the rule says about a file offered with this time, whose name belongs to `standing`.
    pub fn verdict(
        &self,
        place: &[String],
        key: EntryKey,
        standing: &Standing,
        offered: Option<Modified>,
    ) -> Verdict {
        let claim = self.places.get(&number_of(place));
        let claimed = claim.is_some_and(|claim| claim.ours || claim.key != key)
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

/// Spellings that some disk takes for one name are one here: taken for ours, both are kept.
fn number_of(place: &[String]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for name in place {
        let folded: String = name.nfc().flat_map(char::to_lowercase).collect();
        folded.hash(&mut hasher);
    }
    hasher.finish()
}
