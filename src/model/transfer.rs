//! A transfer: one offer of entries from one device to another, and how it stands.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use data_encoding::HEXLOWER;

use super::device::Peer;
use super::problem::{Failure, Problem};

/// Sixteen random bytes chosen by the sender; hex on the wire and in file names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransferId(pub [u8; 16]);

impl fmt::Display for TransferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for TransferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransferId({})", HEXLOWER.encode(&self.0[..4]))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a transfer id is 32 lower-case hex digits")]
pub struct TransferIdError;

impl FromStr for TransferId {
    type Err = TransferIdError;

    fn from_str(text: &str) -> Result<Self, TransferIdError> {
        let bytes = HEXLOWER
            .decode(text.as_bytes())
            .map_err(|_e| TransferIdError)?;
        Ok(Self(bytes.try_into().map_err(|_e| TransferIdError)?))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Direction {
    Send,
    Receive,
}

impl Direction {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Receive => "receive",
        }
    }
}

/// Which end did something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Party {
    /// The person at this device.
    Us,
    /// The person at the other device.
    Peer,
}

/// Where a transfer that has not ended stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransferState {
    /// The name is looked up and the connection opened.
    Connecting,
    /// It cannot be reached from here. A person there is asked to let it connect to this device.
    Calling,
    /// Connected; both ends prove themselves.
    Verifying,
    /// The person here compares symbols with the other screen.
    Confirming,
    /// Offered; a person has to answer.
    Waiting,
    /// It goes on: what is there is looked at.
    Checking,
    /// Bytes move.
    Running,
    /// All bytes are there; the last files are checked and put in place.
    Finishing,
    /// The connection is gone. It goes on when the other end is back.
    Interrupted,
    /// The chosen device is not there, and nothing was offered yet. It begins when it appears.
    Away,
}

impl TransferState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Calling => "calling",
            Self::Verifying => "verifying",
            Self::Confirming => "confirming",
            Self::Waiting => "waiting",
            Self::Checking => "checking",
            Self::Running => "running",
            Self::Finishing => "finishing",
            Self::Interrupted => "interrupted",
            Self::Away => "away",
        }
    }

    /// Nothing is wrong but that the other device was not reached.
    pub fn seeks_peer(self) -> bool {
        matches!(self, Self::Away | Self::Calling)
    }
}

/// How a transfer ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// Every entry is verified and under its final name, or was left out as the receiver chose.
    Arrived,
    /// It went through, but some entries failed.
    Problems,
    Declined,
    Cancelled(Party),
    /// The connection was lost on the way.
    Interrupted,
    Failed,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Arrived => "arrived",
            Self::Problems => "problems",
            Self::Declined => "declined",
            Self::Cancelled(_) => "cancelled",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
        }
    }
}

/// What became of one entry at the receiver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EntryStatus {
    /// Verified and under its final name, which may differ from the sent one to keep both.
    Arrived,
    /// The same content was there already, under the same name.
    AlreadyThere,
    /// Left out: another file has its name, and the receiver chose to keep that.
    Skipped,
    Failed(Problem),
}

impl EntryStatus {
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Arrived => "arrived",
            Self::AlreadyThere => "already-there",
            Self::Skipped => "skipped",
            Self::Failed(_) => "failed",
        }
    }
}

/// One line of the detailed list: a file that reached its end or was left out, or an entry that failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileReport {
    /// For people: components joined by `/`, escaped for display.
    pub path: String,
    /// The path at the sender, where it is another one: to the receiver as it was listed, to the sender as it is on
    /// its disk, what is no text there replaced (U+FFFD).
    pub original: Option<String>,
    pub len_bytes: u64,
    /// BLAKE3 of the content as it is under the final name; `None` if it failed before.
    pub blake3: Option<[u8; 32]>,
    pub status: EntryStatus,
}

/// A line of the list of failed entries that a person saves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FailedLine {
    pub path: String,
    pub len_bytes: u64,
    /// [`Problem::code`]
    pub code: &'static str,
    /// In the person's language.
    pub reason: String,
}

/// Said once when a transfer has ended, whichever way.
#[derive(Clone, PartialEq, Debug)]
pub struct Summary {
    pub transfer: TransferId,
    pub direction: Direction,
    pub peer: Peer,
    pub status: Status,
    /// The reason, when the status alone does not say it.
    pub failure: Option<Failure>,
    /// Entries of the offer, folders included.
    pub entries: u64,
    /// Content held by the receiver under final names.
    pub bytes: u64,
    /// Entries that failed.
    pub failed: u64,
    /// It is kept: another try brings what failed, as far as that can be mended.
    pub can_retry: bool,
    /// Entries that the receiver chose to leave out.
    pub skipped: u64,
    /// Time from the first byte offered to the end.
    pub elapsed: Duration,
    /// Content bytes this process put on the wire.
    pub sent_bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_id_reads_back_what_it_prints() {
        let id = TransferId(*b"0123456789abcdef");
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in [
            "",
            "00",
            "../../../../../../../../etc/passwd",
            "0123456789ABCDEF0123456789ABCDEF",
        ] {
            assert_eq!(wrong.parse::<TransferId>(), Err(TransferIdError));
        }
    }
}
