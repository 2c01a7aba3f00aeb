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
pub(super) use portable::{FolderHandle, file_id, is_not_a_folder};
#[cfg(unix)]
pub(super) use unix::{FolderHandle, file_id, is_not_a_folder};

use std::fs::{File, FileTimes};
use std::time::{Duration, SystemTime};

use crate::model::Modified;

/// What a name belongs to, looked at without opening or following it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Standing {
    pub kind: StandingKind,
    pub len_bytes: u64,
    pub modified: Modified,
    /// Of the file itself, whatever name it is reached by.
    pub id: Option<FileId>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum StandingKind {
    File,
    Folder,
    /// A link, a FIFO, a socket, a device.
    Other,
}

/// Device and inode; nothing where there are none.
pub(super) type FileId = (u64, u64);

/// By the magic number that Linux has for a file system (statfs(2)): FAT counts a file's bytes in 32
/// bits.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
fn largest_file_of(file_system: u64) -> Option<u64> {
    const MSDOS_SUPER_MAGIC: u64 = 0x4d44;
    (file_system == MSDOS_SUPER_MAGIC).then_some(u32::MAX.into())
}

/// Gives an open file its modification time. A time this disk cannot hold is no reason to lose a
/// file: it then keeps the one it has.
pub(super) fn set_modified(file: &File, modified: Modified) {
    if let Some(time) = system_time(modified) {
        // Both: file systems in user space, FAT among them, do nothing where only one is to be set.
        let times = FileTimes::new().set_accessed(SystemTime::now());
        let _ = file.set_times(times.set_modified(time));
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
    fn fat_holds_files_up_to_four_gibibytes_less_one() {
        assert_eq!(largest_file_of(0x4d44), Some((4 << 30) - 1));
        const EXT4: u64 = 0xef53;
        assert_eq!(largest_file_of(EXT4), None);
    }

    #[test]
    fn times_before_and_after_1970_read_back() {
        for (seconds, nanos) in [(0, 0), (1, 5), (-1, 0), (-1, 999_999_999), (-86_400, 1)] {
            let modified = Modified { seconds, nanos };
            let time = system_time(modified).expect("a time this system has");
            assert_eq!(modified_of(time), modified);
        }
    }
}
