//! The nouns everybody shares: devices, names, entries, transfers, secrets, progress.
//!
//! No I/O, no clocks, no threads here: every type can be made and compared in a test without a
//! disk or a socket. Whatever comes from a peer or a person is parsed into one of these types once;
//! from then on the type is the proof that it was checked.

pub mod address;
pub mod conflict;
pub mod conversation;
pub mod device;
pub mod entry;
pub mod finding;
mod finding_words;
pub mod hold;
pub mod known;
pub mod name;
pub mod nearby;
pub mod problem;
pub mod progress;
pub mod secret;
pub mod symbols;
pub mod transfer;
pub mod trust;

pub use address::{DEFAULT_PORT, PeerAddress};
pub use conflict::OnConflict;
pub use conversation::{
    Conversation, Delivery, Line, MAX_MESSAGE_BYTES, MAX_PASTED_BYTES, MessageId, Outcome, Said,
    TransferLine,
};
pub use device::{DeviceId, DeviceName, Peer};
pub use entry::{Entry, EntryKey, EntryKind, GROUP_BYTES, Manifest, ManifestError, Modified};
pub use finding::{Diagnosis, Finding, Severity};
pub use hold::{Hold, Holds};
pub use known::{Allow, Bond, Rule, Way};
pub use name::{SafeName, UnsafeName, displayable};
pub use nearby::{Nearby, Presence, System};
pub use problem::{Failure, Problem};
pub use progress::{Meter, Progress};
pub use secret::{Code, Secret};
pub use symbols::{Symbol, Symbols};
pub use transfer::{
    Direction, EntryStatus, FailedLine, FileReport, Party, Status, Summary, TransferId,
    TransferState,
};
pub use trust::Trust;
