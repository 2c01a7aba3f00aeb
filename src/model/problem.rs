//! What went wrong, as data: the window and the command line make the sentences.
//!
//! A [`Problem`] belongs to one entry, the rest of the transfer goes on. A [`Failure`] ends the
//! transfer. Both carry a stable code for machines; `Display` is the English sentence, with the
//! next step where there is one.

use std::io;

use super::device::DeviceName;
use super::name::displayable;
use super::transfer::Party;

/// Why one entry did not arrive.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Problem {
    #[error("it cannot be read; check its permissions, or the disk it is on")]
    Unreadable,
    #[error("it is gone from the sending device; put it back, or leave it out")]
    Vanished,
    #[error("it changed while it was being sent; send it when nobody writes to it")]
    Changed,
    #[error("it changed after it had arrived; send it anew")]
    ChangedSince,
    #[error("links are not sent; send what it leads to")]
    Link,
    #[error("it is neither a file nor a folder, so it cannot be sent")]
    Special,
    #[error("more than 128 folders lie in each other there; send the inner ones by themselves")]
    TooDeep,
    #[error("the content did not match its checksum; try again")]
    Corrupt,
    #[error("there is no room left on the disk; make room there")]
    NoSpace,
    /// It has room, but none for one more name.
    #[error("the disk can hold no more files; delete some there")]
    NoFiles,
    #[error("the quota of the user on that disk is used up; make room, or have it raised")]
    Quota,
    #[error("the file is too large for this disk; choose a save folder on another one")]
    TooLarge,
    #[error("the disk is read-only; make it writable, or choose another save folder")]
    ReadOnly,
    #[error("no permission to write there; change it, or choose another save folder")]
    NotWritable,
    #[error("the save folder was moved, removed or unplugged; bring it back")]
    Gone,
    #[error("this disk cannot hold the name; rename it")]
    Name,
    #[error("the folder it belongs in could not be made; see why that folder failed")]
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
            Self::ChangedSince => "changed-since",
            Self::Link => "link",
            Self::Special => "special",
            Self::TooDeep => "too-deep",
            Self::Corrupt => "corrupt",
            Self::NoSpace => "no-space",
            Self::NoFiles => "no-files",
            Self::Quota => "quota",
            Self::TooLarge => "too-large",
            Self::ReadOnly => "read-only",
            Self::NotWritable => "not-writable",
            Self::Gone => "gone",
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
            Self::ChangedSince,
            Self::Link,
            Self::Special,
            Self::TooDeep,
            Self::Corrupt,
            Self::NoSpace,
            Self::NoFiles,
            Self::Quota,
            Self::TooLarge,
            Self::ReadOnly,
            Self::NotWritable,
            Self::Gone,
            Self::Name,
            Self::Folder,
        ];
        known
            .into_iter()
            .find(|problem| problem.code() == code)
            .unwrap_or_else(|| Self::other(if detail.is_empty() { code } else { detail }))
    }

    /// A new try of the same transfer may bring the entry: what stands in its way can pass.
    pub fn can_pass(&self) -> bool {
        match self {
            Self::Unreadable
            | Self::Vanished
            | Self::Changed
            | Self::Corrupt
            | Self::NoSpace
            | Self::NoFiles
            | Self::Quota
            | Self::ReadOnly
            | Self::NotWritable
            | Self::Gone
            | Self::Folder
            | Self::Other(_) => true,
            Self::ChangedSince
            | Self::Link
            | Self::Special
            | Self::TooDeep
            | Self::TooLarge
            | Self::Name => false,
        }
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
        matches!(self, Self::NoSpace | Self::NoFiles | Self::Quota)
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
            _ if disk_is_gone(error) => Self::Unreadable,
            _ => Self::other(&error.to_string()),
        }
    }

    /// An error while writing on the receiving side.
    pub fn writing(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull => Self::NoSpace,
            io::ErrorKind::QuotaExceeded => Self::Quota,
            io::ErrorKind::FileTooLarge => Self::TooLarge,
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            io::ErrorKind::PermissionDenied => Self::NotWritable,
            io::ErrorKind::NotFound => Self::Gone,
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
                Self::other("a file, or a link that leads nowhere, is where a folder should be")
            }
            io::ErrorKind::InvalidFilename | io::ErrorKind::InvalidInput => Self::Name,
            _ if disk_is_gone(error) => Self::Gone,
            _ => Self::other(&error.to_string()),
        }
    }
}

/// What systems say of a drive that was pulled out, or of a share that is not there any more.
fn disk_is_gone(error: &io::Error) -> bool {
    /// `EIO`, `ENXIO` and `ENODEV`, the same on every Unix; or `ERROR_NOT_READY`, `ERROR_DEV_NOT_EXIST`,
    /// `ERROR_NO_SUCH_DEVICE` and `ERROR_DEVICE_NOT_CONNECTED`. They have no [`io::ErrorKind`].
    const UNPLUGGED: &[i32] = if cfg!(unix) {
        &[5, 6, 19]
    } else {
        &[21, 55, 433, 1167]
    };
    let unplugged = error
        .raw_os_error()
        .is_some_and(|code| UNPLUGGED.contains(&code));
    error.kind() == io::ErrorKind::StaleNetworkFileHandle || unplugged
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
    /// Who is turned away, or falls into the start or the end of a program, hears no more than that; and
    /// neither does who is cut off before anything was said.
    #[error(
        "the other device hung up: it is busy, or the connection was cut; try again in a moment"
    )]
    Busy,
    #[error("the other device asks for its code; type the one on its screen")]
    SecretNeeded,
    #[error("that code didn't work; type the one on its screen now")]
    WrongSecret,
    /// A device that was chosen by its name, which it says as well, proves another key.
    #[error(
        "this is not the {name} that you paired with; do not connect, or, if it was reinstalled, pair again"
    )]
    NotTheDevice { name: DeviceName },
    /// A link names a device, and another one is at its address.
    #[error(
        "the link means another device than {found}, which is at that address; ask for a new link"
    )]
    NotTheLinked { found: DeviceName },
    /// The address of the chosen device belongs to another one now.
    #[error(
        "another device, {found}, is at the address of {name} now; find out the address of {name}"
    )]
    Moved { name: DeviceName, found: DeviceName },
    /// A paired device refuses the pair key.
    #[error("{name} does not know this device any more; type its code, and remember it again")]
    ForgottenThere { name: DeviceName },
    #[error("only devices that it knows may send to the other device")]
    KnownOnly,
    /// The person here saw other symbols there, or did not want to go on.
    #[error("the symbols were not confirmed")]
    NotConfirmed,
    #[error("the other device speaks a version of the protocol that this one does not know")]
    Version,
    /// The person here does not want to have to do with it.
    #[error("{name} is blocked here")]
    BlockedHere { name: DeviceName },
    /// It takes no messages.
    #[error("{name} runs an older Ropeway that takes no messages; update it there")]
    Older { name: DeviceName },
    /// It waited for its device in vain.
    #[error("{name} was not there for a week; send it again when it is")]
    NeverThere { name: DeviceName },
    #[error("too many things wait for devices already; cancel some of them")]
    TooManyWait,
    #[error(
        "conversations with as many devices as there is room for are kept here; clear one of them first"
    )]
    TooManyTalks,
    #[error("the connection was lost")]
    Lost,
    #[error("the other device has not answered for 30 seconds")]
    Silent,
    #[error("the other person declined")]
    Declined,
    #[error("{}", match .0 { Party::Us => "it was cancelled here", Party::Peer => "it was cancelled on the other device" })]
    Cancelled(Party),
    #[error("nothing of it is there any more, or none of it could be read")]
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
            Self::NotTheDevice { .. } => "not-the-device",
            Self::NotTheLinked { .. } => "not-the-linked",
            Self::Moved { .. } => "moved",
            Self::ForgottenThere { .. } => "forgotten-there",
            Self::KnownOnly => "known-only",
            Self::NotConfirmed => "not-confirmed",
            Self::Forgotten => "forgotten",
            Self::Version => "version",
            Self::Older { .. } => "older",
            Self::BlockedHere { .. } => "blocked-here",
            Self::NeverThere { .. } => "never-there",
            Self::TooManyWait => "too-many-wait",
            Self::TooManyTalks => "too-many-talks",
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
        for problem in [
            Problem::Quota,
            Problem::NoFiles,
            Problem::Gone,
            Problem::ChangedSince,
            Problem::TooDeep,
        ] {
            assert_eq!(Problem::from_wire(problem.code(), ""), problem);
        }
        let foreign = Problem::from_wire("gremlins", "red\u{1b}[31m");
        assert_eq!(foreign, Problem::Other("red\\u{1b}[31m".into()));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_a_disk_says_gets_words_of_its_own() {
        // ENOENT, EIO, ENODEV, ESTALE, EDQUOT, ENOSPC, EROFS, EACCES
        let said = [2, 5, 19, 116, 122, 28, 30, 13].map(io::Error::from_raw_os_error);
        let codes = said.each_ref().map(|error| Problem::writing(error).code());
        let expected = [
            "gone",
            "gone",
            "gone",
            "gone",
            "quota",
            "no-space",
            "read-only",
            "not-writable",
        ];
        assert_eq!(codes, expected);
        let unplugged = io::Error::from_raw_os_error(5);
        assert_eq!(Problem::reading(&unplugged), Problem::Unreadable);
    }
}
