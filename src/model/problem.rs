//! What went wrong, as data: the window and the command line make the sentences.
//!
//! A [`Problem`] belongs to one entry, the rest of the transfer goes on. A [`Failure`] ends the
//! transfer. Both carry a stable code for machines; `Display` is the English sentence, with the
//! next step where there is one.

use std::io;

use super::name::displayable;
use super::transfer::Party;

/// Why one entry did not arrive.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Problem {
    #[error("it cannot be read; check its permissions")]
    Unreadable,
    #[error("it is gone from the sending device")]
    Vanished,
    #[error("it changed while it was being sent; send it again")]
    Changed,
    #[error("links are not followed")]
    Link,
    #[error("it is neither a file nor a folder")]
    Special,
    #[error("the content did not match its checksum")]
    Corrupt,
    #[error("there is no room left on the disk")]
    NoSpace,
    #[error("the file is too large for this disk")]
    TooLarge,
    #[error("the disk is read-only")]
    ReadOnly,
    #[error("no permission to write there")]
    NotWritable,
    #[error("this disk cannot hold the name")]
    Name,
    #[error("the folder it belongs in could not be made")]
    Folder,
    #[error("{0}")]
    Other(String),
}

impl Problem {
    /// Long enough for any system message, short enough for a status frame.
    const MAX_DETAIL_CHARS: usize = 200;

    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Vanished => "vanished",
            Self::Changed => "changed",
            Self::Link => "link",
            Self::Special => "special",
            Self::Corrupt => "corrupt",
            Self::NoSpace => "no-space",
            Self::TooLarge => "too-large",
            Self::ReadOnly => "read-only",
            Self::NotWritable => "not-writable",
            Self::Name => "name",
            Self::Folder => "folder",
            Self::Other(_) => "other",
        }
    }

    /// Reads code and detail as a peer sent them; what is not known becomes `Other`, cleaned.
    pub fn from_wire(code: &str, detail: &str) -> Self {
        let known = [
            Self::Unreadable,
            Self::Vanished,
            Self::Changed,
            Self::Link,
            Self::Special,
            Self::Corrupt,
            Self::NoSpace,
            Self::TooLarge,
            Self::ReadOnly,
            Self::NotWritable,
            Self::Name,
            Self::Folder,
        ];
        known
            .into_iter()
            .find(|problem| problem.code() == code)
            .unwrap_or_else(|| Self::other(if detail.is_empty() { code } else { detail }))
    }

    pub fn other(detail: &str) -> Self {
        Self::Other(
            displayable(detail)
                .chars()
                .take(Self::MAX_DETAIL_CHARS)
                .collect(),
        )
    }

    /// The disk is full; what it refused can be tried again when there is room.
    pub fn lacks_room(&self) -> bool {
        matches!(self, Self::NoSpace)
    }

    /// What travels beside the code.
    pub fn detail(&self) -> &str {
        match self {
            Self::Other(detail) => detail,
            _known => "",
        }
    }

    /// An error while reading on the sending side.
    pub fn reading(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::PermissionDenied => Self::Unreadable,
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Vanished,
            _ => Self::other(&error.to_string()),
        }
    }

    /// An error while writing on the receiving side.
    pub fn writing(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            io::ErrorKind::FileTooLarge => Self::TooLarge,
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            io::ErrorKind::PermissionDenied => Self::NotWritable,
            io::ErrorKind::InvalidFilename | io::ErrorKind::InvalidInput => Self::Name,
            _ => Self::other(&error.to_string()),
        }
    }
}

/// Why a whole transfer (or the attempt at one) ended.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Failure {
    #[error("no device is known under the name {host}; check the spelling or use its address")]
    Unresolvable { host: String },
    #[error("nobody is listening at {address}; switch Receive on there")]
    Refused { address: String },
    #[error("no answer from {address}; check that both devices are in the same network")]
    Unreachable { address: String },
    #[error("the other device does not have this transfer any more; send it again")]
    Forgotten,
    #[error("what answers at {address} is not Ropeway")]
    NotRopeway { address: String },
    #[error("that is this device itself")]
    Ourselves,
    #[error("the other device is busy; try again in a moment")]
    Busy,
    #[error("the other device asks for its code; type the one on its screen")]
    SecretNeeded,
    #[error("that code didn't work; type the one on its screen now")]
    WrongSecret,
    #[error("the other device speaks a version of the protocol that this one does not know")]
    Version,
    #[error("the connection was lost")]
    Lost,
    #[error("the other device has not answered for 30 seconds")]
    Silent,
    #[error("the other person declined")]
    Declined,
    #[error("{}", match .0 { Party::Us => "it was cancelled here", Party::Peer => "it was cancelled on the other device" })]
    Cancelled(Party),
    #[error("none of it could be read")]
    NothingToSend,
    #[error("the save folder cannot be used: {0}")]
    Disk(Problem),
    #[error("the other device's disk: {0}")]
    PeerDisk(Problem),
    #[error("the other device broke the protocol: {0}")]
    Protocol(String),
    #[error("something went wrong here: {0}")]
    Internal(String),
}

impl Failure {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unresolvable { .. } => "unresolvable",
            Self::Refused { .. } => "refused",
            Self::Unreachable { .. } => "unreachable",
            Self::NotRopeway { .. } => "not-ropeway",
            Self::Ourselves => "ourselves",
            Self::Busy => "busy",
            Self::SecretNeeded => "secret-needed",
            Self::WrongSecret => "wrong-secret",
            Self::Forgotten => "forgotten",
            Self::Version => "version",
            Self::Lost => "lost",
            Self::Silent => "silent",
            Self::Declined => "declined",
            Self::Cancelled(_) => "cancelled",
            Self::NothingToSend => "nothing-to-send",
            Self::Disk(_) => "disk",
            Self::PeerDisk(_) => "peer-disk",
            Self::Protocol(_) => "protocol",
            Self::Internal(_) => "internal",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_survives_the_wire_and_a_foreign_one_is_cleaned() {
        let problem = Problem::from_wire(Problem::Changed.code(), "");
        assert_eq!(problem, Problem::Changed);
        let foreign = Problem::from_wire("gremlins", "red\u{1b}[31m");
        assert_eq!(foreign, Problem::Other("red\\u{1b}[31m".into()));
    }
}
