//! What happens when a name is taken where a transfer arrives: decided once for all of it.

use serde::{Deserialize, Serialize};

/// A rule is about a file whose name belongs to a *file that was there before the transfer* and holds
/// something else. Same content is already there, and folders, links and devices stay, whatever the
/// rule; then both are kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnConflict {
    /// Both are kept; the new one is called `name (1).ext`.
    #[default]
    Rename,
    /// The one that is there stays, the new one is left out.
    Skip,
    /// The new one takes the place of the one that is there.
    Replace,
    /// As `Replace` where the new one was modified later, else as `Skip`.
    Newer,
    /// As `Rename`, and a picked folder does not merge with one that is there: it arrives beside it,
    /// as `name (1)`.
    Separate,
}

impl OnConflict {
    /// Whether what stands under a name can decide that a file is left out.
    pub fn leaves_out(self) -> bool {
        match self {
            Self::Skip | Self::Newer => true,
            Self::Rename | Self::Replace | Self::Separate => false,
        }
    }
}
