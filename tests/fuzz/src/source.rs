//! Entries that the targets list and send: few, of lengths at which something changes.

use ropeway::model::{Entry, EntryKind, GROUP_BYTES, Modified, SafeName};

use super::input::Input;

pub const LENGTHS: [u64; 10] = [
    0,
    1,
    1000,
    65_536,
    65_537,
    300_000,
    GROUP_BYTES,
    GROUP_BYTES + 1,
    2 * GROUP_BYTES,
    2 * GROUP_BYTES + 5,
];

/// The next entry of a list that has these; folders are few.
pub fn next_entry(input: &mut Input, listed: &[Entry]) -> Entry {
    let what = input.byte();
    let folders = (0_u32..).zip(listed);
    let folders: Vec<u32> = folders
        .filter(|(_, entry)| entry.kind == EntryKind::Folder)
        .map(|(number, _)| number)
        .collect();
    let parent = match folders.len() {
        0 => None,
        _ if what & 0x80 == 0 => None,
        _ => Some(folders[input.below(folders.len())]),
    };
    let kind = match what % 12 {
        11 | 10 => EntryKind::Folder,
        length => EntryKind::File {
            len_bytes: LENGTHS[usize::from(length)],
            executable: what & 0x40 != 0,
        },
    };
    Entry {
        parent,
        name: SafeName::try_from(format!("entry {}", listed.len()).as_str()).expect("a plain name"),
        kind,
        modified: Some(Modified {
            seconds: 1_764_000_000,
            nanos: 5,
        }),
    }
}

pub fn is_file(entry: &Entry) -> bool {
    entry.kind != EntryKind::Folder
}

/// How many groups a file has; none if it is empty.
pub fn groups(len_bytes: u64) -> u32 {
    u32::try_from(len_bytes.div_ceil(GROUP_BYTES)).unwrap_or(u32::MAX)
}

/// Some of the first whole groups of a file, as a receiver that has the others wants them.
pub fn ranges(input: &mut Input, len_bytes: u64) -> Vec<(u64, u64)> {
    if len_bytes <= GROUP_BYTES {
        return vec![(0, len_bytes)];
    }
    let chosen = input.byte();
    let few = groups(len_bytes).min(8);
    let numbers = (0..u64::from(few)).filter(|group| chosen >> group & 1 == 1);
    numbers
        .map(|group| {
            let from = group * GROUP_BYTES;
            (from, (from + GROUP_BYTES).min(len_bytes))
        })
        .collect()
}
