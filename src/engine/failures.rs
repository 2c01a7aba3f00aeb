//! What went wrong below, as what a person is told of it.

use std::io::ErrorKind;

use super::command::Chosen;
use super::greeting::GreetingError;
use super::link::Ending;
use crate::channel::ChannelError;
use crate::model::{DeviceName, Failure, Status};
use crate::protocol::verification::Refusal;

/// Whether a transfer that was accepted can wait for better times after this.
pub fn may_go_on(failure: &Failure) -> bool {
    match failure {
        Failure::Unresolvable { .. }
        | Failure::Refused { .. }
        | Failure::Unreachable { .. }
        | Failure::NotRopeway { .. }
        | Failure::Busy
        | Failure::Lost
        | Failure::Silent => true,
        Failure::Ourselves
        | Failure::SecretNeeded
        | Failure::WrongSecret
        | Failure::NotTheDevice { .. }
        | Failure::NotTheLinked { .. }
        | Failure::Moved { .. }
        | Failure::ForgottenThere { .. }
        | Failure::KnownOnly
        | Failure::NotConfirmed
        | Failure::Forgotten
        | Failure::Version
        | Failure::Older { .. }
        | Failure::BlockedHere { .. }
        | Failure::NeverThere { .. }
        | Failure::TooManyWait
        | Failure::Declined
        | Failure::Cancelled(_)
        | Failure::NothingToSend
        | Failure::Disk(_)
        | Failure::PeerDisk(_)
        | Failure::Protocol(_)
        | Failure::Internal(_) => false,
    }
}

/// The device that is meant is not to be met now, and nothing else is wrong.
pub fn is_absence(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::Unresolvable { .. }
            | Failure::Refused { .. }
            | Failure::Unreachable { .. }
            | Failure::NotRopeway { .. }
            | Failure::Busy
            | Failure::Lost
            | Failure::Silent
            | Failure::Moved { .. }
            | Failure::NotTheLinked { .. }
    )
}

pub fn channel_failure(error: &ChannelError, address: &str) -> Failure {
    tracing::info!(%error, "no channel");
    let address = address.to_owned();
    match error {
        ChannelError::Deadline => Failure::Unreachable { address },
        // Hung up before a word: it had no room for one more, or was just switched off.
        ChannelError::Io(error)
            if matches!(
                error.kind(),
                ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
            ) =>
        {
            Failure::Busy
        }
        ChannelError::NotRopeway
        | ChannelError::Tls(_)
        | ChannelError::Budget
        | ChannelError::Io(_) => Failure::NotRopeway { address },
    }
}

pub fn greeting_failure(error: GreetingError, address: &str) -> Failure {
    tracing::info!(%error, "greeting failed");
    match error {
        GreetingError::SecretNeeded => Failure::SecretNeeded,
        GreetingError::Refused(Refusal::Secret) | GreetingError::Wrong(_) => Failure::WrongSecret,
        GreetingError::Refused(Refusal::Version) => Failure::Version,
        GreetingError::Refused(Refusal::Violation(violation)) => {
            Failure::Protocol(violation.to_string())
        }
        GreetingError::Channel(ChannelError::Deadline) => Failure::Unreachable {
            address: address.to_owned(),
        },
        GreetingError::Channel(_) | GreetingError::Ended | GreetingError::Called(_) => {
            Failure::Lost
        }
        GreetingError::Resting
        | GreetingError::NoSeat
        | GreetingError::Blocked
        | GreetingError::Unread => Failure::Busy,
        // Without the key it is as for a stranger.
        GreetingError::NoTalk => Failure::SecretNeeded,
        GreetingError::KnownOnly => Failure::KnownOnly,
        GreetingError::AnotherDevice(name) => Failure::NotTheDevice { name },
        GreetingError::NotPaired(name) => Failure::ForgottenThere { name },
        GreetingError::Older(name) => Failure::Older { name },
    }
}

/// What an ending means for a transfer that was not over.
pub fn ending_failure(ending: Ending) -> (Status, Failure) {
    match ending {
        Ending::Goodbye | Ending::Lost => (Status::Interrupted, Failure::Lost),
        Ending::Silent => (Status::Interrupted, Failure::Silent),
        Ending::Violation(violation) => {
            tracing::warn!(%violation, "protocol violation");
            (Status::Failed, Failure::Protocol(violation.to_string()))
        }
    }
}

/// A device that was reinstalled calls itself as before; another one at its old address does not.
pub fn not_chosen(chosen: &Chosen, found: DeviceName) -> Failure {
    match &chosen.name {
        Some(name) if *name != found => Failure::Moved {
            name: name.clone(),
            found,
        },
        Some(_) => Failure::NotTheDevice { name: found },
        None => Failure::NotTheLinked { found },
    }
}
