//! Why a transfer stands still although both ends are there.

use super::problem::Problem;

/// Why one end lets no content move for now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hold {
    /// A person paused it.
    Person,
    /// Others to the same device go first.
    Turn,
    /// Its disk is full. So many bytes more are needed; 0 if that is not known.
    NoRoom { needed_bytes: u64 },
    /// Its disk has room, but can hold no more files.
    NoFiles,
    /// Its disk has room, but the person's share of it is used up.
    Quota,
}

impl Hold {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Turn => "turn",
            Self::NoRoom { .. } => "no-space",
            Self::NoFiles => "no-files",
            Self::Quota => "quota",
        }
    }

    /// What a disk lacks, if that is why; otherwise a person or others.
    pub fn problem(self) -> Option<Problem> {
        match self {
            Self::Person | Self::Turn => None,
            Self::NoRoom { .. } => Some(Problem::NoSpace),
            Self::NoFiles => Some(Problem::NoFiles),
            Self::Quota => Some(Problem::Quota),
        }
    }
}

/// Who holds a transfer up. Content moves while nobody does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Holds {
    pub here: Option<Hold>,
    pub there: Option<Hold>,
}

impl Holds {
    /// A disk is full at one of the ends.
    pub fn lacks_room(self) -> bool {
        let full = |hold: Option<Hold>| hold.is_some_and(|hold| hold.problem().is_some());
        full(self.here) || full(self.there)
    }

    pub fn any(self) -> bool {
        self.here.is_some() || self.there.is_some()
    }
}
