//! How much room there is where a transfer would go.

use std::path::{Path, absolute};

/// Free bytes for an ordinary user at the folder, or at its nearest existing parent if it is still
/// to be made; `None` if the system does not tell.
pub fn free_bytes(folder: &Path) -> Option<u64> {
    let folder = absolute(folder).ok()?;
    let existing = folder.ancestors().find(|ancestor| ancestor.is_dir())?;
    fs4::available_space(existing).ok()
}

/// What is left of a disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Room {
    pub free_bytes: u64,
    /// A file takes whole blocks of so many bytes.
    pub block_bytes: u64,
    /// So many more files and folders; `None` if it has no limit of its own.
    pub free_files: Option<u64>,
}

/// The room at the folder, or at its nearest existing parent; `None` if the system does not tell.
pub fn room(folder: &Path) -> Option<Room> {
    let folder = absolute(folder).ok()?;
    let existing = folder.ancestors().find(|ancestor| ancestor.is_dir())?;
    #[cfg(unix)]
    {
        let about = rustix::fs::statvfs(existing).ok()?;
        Some(Room {
            free_bytes: about.f_bavail.saturating_mul(about.f_frsize),
            block_bytes: about.f_frsize.max(1),
            free_files: (about.f_files > 0).then_some(about.f_favail),
        })
    }
    #[cfg(not(unix))]
    {
        let about = fs4::statvfs(existing).ok()?;
        Some(Room {
            free_bytes: about.available_space(),
            block_bytes: about.allocation_granularity().max(1),
            free_files: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_still_to_be_made_has_the_room_of_its_parent() {
        let dir = tempfile::tempdir().unwrap();
        let here = free_bytes(dir.path()).expect("a disk");
        let below = free_bytes(&dir.path().join("to be/made")).expect("the same disk");
        // Others write to the same disk while this runs.
        assert!(here.abs_diff(below) < 1 << 30, "{here} {below}");
        let room = room(&dir.path().join("to be/made")).expect("the same disk");
        assert!(here.abs_diff(room.free_bytes) < 1 << 30, "{here} {room:?}");
        assert!(room.block_bytes.is_power_of_two(), "{room:?}");
    }
}
