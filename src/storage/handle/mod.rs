//! A folder held open: every step below it is taken from the handle, one component at a time, and
//! never through a link.
//!
//! On Unix a handle is a descriptor, so a folder that is replaced by a link meanwhile changes
//! nothing. Elsewhere it is a path that is checked before each use, which is weaker; that variant
//! is the place to improve when those systems are taken up.

#[cfg(not(unix))]
mod portable;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
pub(super) use portable::{FolderHandle, is_not_a_folder};
#[cfg(unix)]
pub(super) use unix::{FolderHandle, is_not_a_folder};

use std::fs::{File, FileTimes};
use std::time::{Duration, SystemTime};

use crate::model::Modified;

/// Gives an open file its modification time. A time this disk cannot hold is no reason to lose a
/// file: it then keeps the one it has.
pub(super) fn set_modified(file: &File, modified: Modified) {
    if let Some(time) = system_time(modified) {
        let _ = file.set_times(FileTimes::new().set_modified(time));
    }
}

/// `None` if this system has no such time.
fn system_time(modified: Modified) -> Option<SystemTime> {
    let epoch = SystemTime::UNIX_EPOCH;
    let whole = Duration::from_secs(modified.seconds.unsigned_abs());
    let second = if modified.seconds < 0 {
        epoch.checked_sub(whole)?
    } else {
        epoch.checked_add(whole)?
    };
    second.checked_add(Duration::from_nanos(modified.nanos.min(999_999_999).into()))
}

/// The other way round: what a file's time is on the wire.
pub(super) fn modified_of(time: SystemTime) -> Modified {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => Modified {
            seconds: i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
            nanos: after.subsec_nanos(),
        },
        Err(before) => {
            let before = before.duration();
            let seconds = i64::try_from(before.as_secs()).map_or(i64::MIN, |seconds| -seconds);
            match before.subsec_nanos() {
                0 => Modified { seconds, nanos: 0 },
                nanos => Modified {
                    seconds: seconds.saturating_sub(1),
                    nanos: 1_000_000_000 - nanos,
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_and_after_1970_read_back() {
        for (seconds, nanos) in [(0, 0), (1, 5), (-1, 0), (-1, 999_999_999), (-86_400, 1)] {
            let modified = Modified { seconds, nanos };
            let time = system_time(modified).expect("a time this system has");
            assert_eq!(modified_of(time), modified);
        }
    }
}
