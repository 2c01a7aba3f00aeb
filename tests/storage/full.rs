//! A full disk refuses, remembers nothing wrong, and takes the same again when there is room.
#![cfg(unix)]

use ropeway::model::{Entry, EntryStatus, GROUP_BYTES, Manifest};
use ropeway::storage::inbox::Rest;
use ropeway::storage::{Full, Inbox, Target};

use crate::disk::SmallDisk;
use crate::support::{TRANSFER, file, listing, target};

const MIB: usize = 1 << 20;
const FULL: Full = Full { quota: false };

fn noise(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new_derive_key("noise")
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

#[test]
fn what_has_no_room_is_refused_before_its_bytes_have_travelled() {
    let Some(disk) = SmallDisk::mount(4 * MIB) else {
        return;
    };
    let mut inbox = Inbox::create(disk.path(), TRANSFER).unwrap();
    let content = noise(8 * MIB);
    let huge = file(None, "huge", content.len());
    for _try in 0..3 {
        let refused = inbox.write(target(0, &huge), 0, &content[..MIB]);
        assert_eq!(refused, Err(FULL));
        let parts = listing(disk.path());
        assert!(parts.iter().all(|name| !name.ends_with(".part")));
    }
    disk.resize(16 * MIB);
    inbox.write(target(0, &huge), 0, &content[..MIB]).unwrap();
    let rest = inbox.write(target(0, &huge), MIB as u64, &content[MIB..]);
    rest.unwrap();
    let hash = *blake3::hash(&content).as_bytes();
    inbox.complete(target(0, &huge), hash).unwrap();
    assert_eq!(inbox.commit()[0].status, EntryStatus::Arrived);
    assert!(std::fs::read(disk.path().join("huge")).unwrap() == content);
}

/// Not in memory, where it would cost as much as the writing: there it is only looked for.
#[cfg(target_os = "linux")]
#[test]
fn on_a_disk_room_for_a_large_file_is_taken_before_its_bytes_have_travelled() {
    const TMPFS: u64 = 0x0102_1994;
    // Beside the tests' own program, which is hardly ever in memory.
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let about = rustix::fs::statfs(dir.path()).unwrap();
    let in_memory = u64::try_from(about.f_type) == Ok(TMPFS);
    let mut inbox = Inbox::create(dir.path(), TRANSFER).unwrap();
    let content = noise(8 * MIB);
    let huge = file(None, "huge", content.len());
    inbox.write(target(0, &huge), 0, &content[..MIB]).unwrap();
    let taken = if in_memory { MIB } else { 8 * MIB } as u64;
    // Some disks keep a block or two beside it.
    assert!((taken..taken + 65_536).contains(&inbox.taken_bytes()));
}

#[test]
fn small_files_that_found_no_room_arrive_when_there_is_some() {
    let Some(disk) = SmallDisk::mount(4 * MIB) else {
        return;
    };
    let mut inbox = Inbox::create(disk.path(), TRANSFER).unwrap();
    let content = noise(900 << 10);
    let hash = *blake3::hash(&content).as_bytes();
    let entries: Vec<Entry> = (0..6)
        .map(|n| file(None, &format!("small {n}"), content.len()))
        .collect();
    let put =
        |inbox: &mut Inbox, n: usize| inbox.whole(target(n as u32, &entries[n]), &content, hash);
    for n in 0..4 {
        put(&mut inbox, n).unwrap();
    }
    assert_eq!(put(&mut inbox, 4), Err(FULL));
    assert_eq!(inbox.commit().len(), 4, "what fits has arrived");
    assert_eq!(put(&mut inbox, 4), Err(FULL));
    disk.resize(8 * MIB);
    put(&mut inbox, 4).unwrap();
    put(&mut inbox, 5).unwrap();
    let committed = inbox.commit();
    assert_eq!(committed.len(), 2);
    assert!(
        committed
            .iter()
            .all(|one| one.status == EntryStatus::Arrived)
    );
    inbox.finish().unwrap();
    inbox.discard_staged();
    drop(inbox);
    assert_eq!(listing(disk.path()).len(), 6);
}

/// Without room taken beforehand a write may stop in the middle of its bytes.
#[test]
fn a_write_that_stopped_in_the_middle_is_done_again_from_its_beginning() {
    let Some(disk) = SmallDisk::mount(2 * MIB) else {
        return;
    };
    let filler = disk.path().join("filler");
    std::fs::write(&filler, noise(MIB + MIB / 2)).unwrap();
    let mut inbox = Inbox::create(disk.path(), TRANSFER).unwrap();
    let content = noise(MIB - 1);
    let entry = file(None, "film", content.len());
    let piece = 200_000;
    let mut refused = 0;
    for (n, bytes) in content.chunks(piece).enumerate() {
        while inbox.write(target(0, &entry), (n * piece) as u64, bytes) == Err(FULL) {
            refused += 1;
            assert!(refused <= 2, "there is room");
            if refused == 2 {
                std::fs::remove_file(&filler).unwrap();
            }
        }
    }
    assert_eq!(refused, 2);
    let hash = *blake3::hash(&content).as_bytes();
    inbox.complete(target(0, &entry), hash).unwrap();
    assert_eq!(inbox.commit()[0].status, EntryStatus::Arrived);
    assert!(std::fs::read(disk.path().join("film")).unwrap() == content);
}

#[test]
fn a_kept_file_waits_for_room_too_and_is_not_thrown_away_for_the_lack_of_it() {
    let Some(disk) = SmallDisk::mount(8 * MIB) else {
        return;
    };
    let content = noise(6 * MIB);
    let mut manifest = Manifest::default();
    manifest.push(file(None, "film", content.len())).unwrap();
    let film = |manifest: &Manifest| Target {
        number: 0,
        key: manifest.key(0).unwrap(),
        entry: Box::leak(Box::new(manifest.get(0).unwrap().clone())),
    };
    let group = GROUP_BYTES as usize;
    let mut inbox = Inbox::create(disk.path(), TRANSFER).unwrap();
    inbox
        .write(film(&manifest), 0, &content[..3 * group])
        .unwrap();
    drop(inbox);
    // What was reserved goes with the truncation, and somebody else takes it.
    let part = std::fs::read_dir(disk.path().join(".ropeway"))
        .unwrap()
        .flat_map(|staging| std::fs::read_dir(staging.unwrap().path()).unwrap())
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "part"))
        .unwrap();
    let part = std::fs::File::options().write(true).open(part).unwrap();
    part.set_len(3 * GROUP_BYTES).unwrap();
    drop(part);
    let filler = disk.path().join("filler");
    std::fs::write(&filler, noise(4 * MIB + MIB / 2)).unwrap();

    let mut inbox = Inbox::go_on(disk.path(), TRANSFER).unwrap();
    let kept = inbox.kept(&manifest, Rest::Missing);
    assert_eq!(kept.partial, [(0, 3 * GROUP_BYTES)]);
    let mut reader = inbox.read_kept(0, 3 * GROUP_BYTES).unwrap();
    let mut hashes = Vec::new();
    while let Some(hash) = reader.next_hash().unwrap() {
        hashes.push(hash);
    }
    inbox.checked(0, 0, &hashes);
    let piece = group / 4;
    let mut refused = 0;
    for at in (3 * group..content.len()).step_by(piece) {
        let bytes = &content[at..at + piece];
        while inbox.write(film(&manifest), at as u64, bytes) == Err(FULL) {
            refused += 1;
            assert!(refused <= 3, "there is room");
            if refused == 3 {
                std::fs::remove_file(&filler).unwrap();
            }
        }
    }
    assert_eq!(refused, 3);
    let hash = *blake3::hash(&content).as_bytes();
    inbox.complete(film(&manifest), hash).unwrap();
    assert_eq!(inbox.commit()[0].status, EntryStatus::Arrived);
    assert!(std::fs::read(disk.path().join("film")).unwrap() == content);
}
