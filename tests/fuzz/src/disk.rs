//! Names from the wire and journals from a disk, against a real folder.

use std::fs;
use std::path::Path;

use ropeway::model::{
    Entry, EntryKey, EntryKind, EntryStatus, Manifest, Modified, SafeName, TransferId,
};
use ropeway::storage::inbox::Rest;
use ropeway::storage::{Inbox, Target};

const ROOM: &str = "room on the disk";
const TRANSFER: TransferId = TransferId([0xab; 16]);

/// Names, one a line, a `/` before those that are folders and a `>` before what lies in the last
/// folder. As many as were taken are on the disk, and nothing is outside the save folder.
pub fn names(data: &[u8]) {
    /// Enough to meet each other, few enough for a disk.
    const AT_MOST: usize = 16;
    let text = String::from_utf8_lossy(data);
    let dir = tempfile::tempdir().expect("a disk to write on");
    let save = dir.path().join("save");
    let mut inbox = Inbox::create(&save, TRANSFER).expect("a new folder");
    let (mut last, mut taken, mut merged) = (None, 0, 0);
    for (number, line) in (0_u32..).zip(text.split('\n').take(AT_MOST)) {
        let (inside, line) = line
            .strip_prefix('>')
            .map_or((false, line), |rest| (true, rest));
        let (is_folder, raw) = line
            .strip_prefix('/')
            .map_or((false, line), |rest| (true, rest));
        let Ok(name) = SafeName::try_from(raw) else {
            continue;
        };
        let content = format!("{number:4}");
        let kind = match is_folder {
            true => EntryKind::Folder,
            false => EntryKind::File {
                len_bytes: 4,
                executable: false,
            },
        };
        let entry = Entry {
            parent: last.filter(|_| inside),
            name,
            kind,
            modified: None,
        };
        if is_folder {
            let added = inbox.add_folder(number, &entry).expect(ROOM);
            match added.status {
                EntryStatus::Arrived => taken += 1,
                EntryStatus::AlreadyThere => merged += 1,
                EntryStatus::Skipped => panic!("{raw:?}: nobody said so"),
                EntryStatus::Failed(problem) => panic!("{raw:?}: {problem:?}"),
            }
            last = Some(number);
        } else {
            let mut key = [0; 16];
            key[..4].copy_from_slice(&number.to_be_bytes());
            let target = Target {
                number,
                key: EntryKey(key),
                entry: &entry,
            };
            let hash = *blake3::hash(content.as_bytes()).as_bytes();
            inbox.whole(target, content.as_bytes(), hash).expect(ROOM);
            taken += 1;
        }
    }
    for committed in inbox.commit() {
        assert_eq!(committed.status, EntryStatus::Arrived, "{}", committed.path);
    }
    let _ = inbox.finish();
    inbox.discard_staged();
    drop(inbox);
    assert_eq!(entries(&save), taken, "{merged} folders merged");
    assert_eq!(entries(dir.path()), taken + 1, "something is outside");
}

/// A journal that somebody left in the staging folder. It may cost a file its place in the list of
/// what is done, never more: nothing is written, and nothing outside is looked at as ours.
pub fn journal(data: &[u8]) {
    let dir = tempfile::tempdir().expect("a disk to write on");
    let (save, outside) = (dir.path().join("save"), dir.path().join("outside"));
    let staging = save.join(".ropeway").join(TRANSFER.to_string());
    fs::create_dir_all(&staging).expect("a new folder");
    fs::write(&outside, "five!").expect("a new file");
    fs::write(staging.join("journal"), data).expect("a new file");
    let mut manifest = Manifest::default();
    for (parent, name, is_folder) in [
        (None, "top", true),
        (Some(0), "a", false),
        (None, "b", false),
    ] {
        let kind = match is_folder {
            true => EntryKind::Folder,
            false => EntryKind::File {
                len_bytes: 5,
                executable: false,
            },
        };
        let name = SafeName::try_from(name).expect("a plain name");
        let modified = Some(Modified {
            seconds: 1,
            nanos: 0,
        });
        manifest
            .push(Entry {
                parent,
                name,
                kind,
                modified,
            })
            .expect("a plain list");
    }
    let mut inbox = Inbox::go_on(&save, TRANSFER).expect("a new folder");
    let kept = inbox.kept(&manifest, Rest::Missing);
    assert!(
        kept.done.is_empty() && kept.partial.is_empty(),
        "nothing is there: {kept:?}"
    );
    for (number, entry) in (0_u32..).zip(manifest.entries()) {
        if entry.kind == EntryKind::Folder {
            inbox.add_folder(number, entry).expect(ROOM);
            continue;
        }
        let key = manifest.key(number).expect("it is listed");
        let hash = *blake3::hash(b"hello").as_bytes();
        let target = Target { number, key, entry };
        inbox.whole(target, b"hello", hash).expect(ROOM);
    }
    for committed in inbox.commit() {
        assert_eq!(committed.status, EntryStatus::Arrived, "{}", committed.path);
    }
    inbox.finish().expect("the disk is there");
    inbox.discard_staged();
    drop(inbox);
    assert_eq!(entries(&save), 3);
    assert_eq!(fs::read(&outside).expect("it was there"), b"five!");
    assert_eq!(entries(dir.path()), 5);
}

/// How many files and folders are below a folder.
fn entries(folder: &Path) -> usize {
    let listed = fs::read_dir(folder).expect("a folder");
    let counts = listed.map(|entry| {
        let entry = entry.expect("a readable entry");
        let is_folder = entry.file_type().expect("a type").is_dir();
        1 + if is_folder { entries(&entry.path()) } else { 0 }
    });
    counts.sum()
}
