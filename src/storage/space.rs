//! How much room there is where a transfer would go.

use std::path::{Path, absolute};

/// Free bytes for an ordinary user at the folder, or at its nearest existing parent if it is still
/// to be made; `None` if the system does not tell.
pub fn free_bytes(folder: &Path) -> Option<u64> {
    let folder = absolute(folder).ok()?;
    let existing = folder.ancestors().find(|ancestor| ancestor.is_dir())?;
    fs4::available_space(existing).ok()
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
    }
}
