//! What honest transfers look like on the disk.

use std::fs;
use std::time::{Duration, SystemTime};

use ropeway::model::{EntryStatus, TransferId};
use ropeway::storage::Inbox;

use crate::support::{Receiver, at, carry, file, folder, listing, target};

#[test]
fn a_tree_arrives_as_it_was_and_a_second_time_nothing_is_doubled() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("Holiday");
    fs::create_dir_all(source.join("day 1/empty")).unwrap();
    fs::write(source.join("day 1/照片.jpg"), vec![7; 3_000_000]).unwrap();
    fs::write(source.join("nothing"), "").unwrap();
    fs::write(source.join("run.sh"), "#!/bin/sh\n").unwrap();
    let old = SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_789);
    let opened = fs::File::options();
    let touch = |path: &str| {
        let path = source.join(path);
        let file = opened.clone().read(true).open(path).unwrap();
        file.set_modified(old).unwrap();
    };
    for path in ["day 1/照片.jpg", "nothing", "day 1/empty", "day 1", "."] {
        touch(path);
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // With the set-user-id bit, which must not travel.
        fs::set_permissions(source.join("run.sh"), fs::Permissions::from_mode(0o4755)).unwrap();
    }
    let save = dir.path().join("to be made/save");

    let first = carry(std::slice::from_ref(&source), &save);
    assert_eq!(listing(&save.join("Holiday")), listing(&source));
    assert_eq!(
        listing(&save).len(),
        listing(&source).len() + 1,
        "no staging left"
    );
    for committed in &first {
        assert_eq!(committed.status, EntryStatus::Arrived, "{}", committed.path);
        let arrived = save.join(&committed.path);
        let sent = dir.path().join(&committed.path);
        if arrived.is_file() {
            let content = fs::read(&arrived).unwrap();
            assert_eq!(content, fs::read(&sent).unwrap());
            assert_eq!(committed.blake3, Some(*blake3::hash(&content).as_bytes()));
        }
        let modified = |path| fs::metadata(path).unwrap().modified().unwrap();
        assert_eq!(modified(&arrived), modified(&sent), "{}", committed.path);
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &str| {
            let metadata = fs::metadata(save.join("Holiday").join(path)).unwrap();
            metadata.permissions().mode() & 0o7777
        };
        assert_eq!(mode("run.sh") & 0o7100, 0o100);
        assert_eq!(mode("nothing") & 0o7111, 0);
        assert_eq!(mode("nothing") & 0o600, 0o600);
    }

    let second = carry(std::slice::from_ref(&source), &save);
    assert_eq!(second.len(), first.len());
    for (again, before) in second.iter().zip(&first) {
        assert_eq!(again.status, EntryStatus::AlreadyThere, "{}", again.path);
        assert_eq!((&again.path, again.blake3), (&before.path, before.blake3));
    }
    assert_eq!(listing(&save.join("Holiday")), listing(&source));
}

#[test]
fn nothing_has_a_final_name_before_the_commit() {
    let mut receiver = Receiver::new();
    let entry = file(None, "long", 6);
    receiver.inbox.write(target(0, &entry), 0, b"abc").unwrap();
    assert_eq!(
        staged(&receiver),
        [
            format!("{}.part", "0".repeat(32)).as_str(),
            "journal",
            "lock"
        ]
    );
    receiver.inbox.write(target(0, &entry), 3, b"def").unwrap();
    receiver
        .inbox
        .complete(target(0, &entry), *blake3::hash(b"abcdef").as_bytes())
        .unwrap();
    assert_eq!(receiver.inbox.pending(), (1, 6));
    assert!(!receiver.save().join("long").exists());

    let committed = receiver.inbox.commit();
    assert_eq!(committed.len(), 1);
    assert_eq!(receiver.read("long"), "abcdef");
    assert_eq!(receiver.inbox.pending(), (0, 0));
    assert_eq!(staged(&receiver), ["journal", "lock"]);
    let dir = receiver.finish();
    assert_eq!(listing(dir.path()), ["save/", "save/long"]);
}

fn staged(receiver: &Receiver) -> Vec<String> {
    let area = receiver.save().join(".ropeway");
    let transfers = fs::read_dir(&area).unwrap().map(|entry| entry.unwrap());
    let paths: Vec<_> = transfers.map(|entry| entry.path()).collect();
    assert_eq!(paths.len(), 1);
    #[cfg(unix)]
    for path in [&area, &paths[0]] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{}", path.display());
    }
    listing(&paths[0])
}

#[test]
fn the_journal_names_a_commit_with_its_version_and_transfer() {
    let mut receiver = Receiver::new();
    let (docs, _) = receiver.folder(None, "docs");
    receiver.arrive(Some(docs), "a.txt", "hello");
    let staging = receiver.save().join(".ropeway").join("ab".repeat(16));
    let journal = fs::read_to_string(staging.join("journal")).unwrap();
    let mut lines = journal
        .lines()
        .map(|line| line.parse::<serde_json::Value>().unwrap());
    let header = lines.next().unwrap();
    assert_eq!(header["version"], 2);
    assert_eq!(header["transfer"], "ab".repeat(16));
    let making = lines.next().unwrap();
    assert_eq!(making, serde_json::json!({"making": ["docs"]}));
    let commit = lines.next().unwrap();
    assert_eq!(commit["place"], serde_json::json!(["docs", "a.txt"]));
    assert_eq!(commit["len_bytes"], 5);
    assert_eq!(commit["blake3"], blake3::hash(b"hello").to_hex().as_str());
    let placed = lines.next().unwrap();
    assert_eq!(
        (&placed["name"], &placed["ours"]),
        (&"a.txt".into(), &true.into())
    );
    assert!(lines.next().is_none());
}

#[test]
fn many_small_files_arrive_in_one_commit_with_few_descriptors() {
    const FILES: usize = 1000;
    let mut receiver = Receiver::new();
    let (parent, _) = receiver.folder(None, "many");
    for n in 0..FILES {
        receiver.file(Some(parent), &n.to_string(), &format!("content {n}"));
    }
    #[cfg(target_os = "linux")]
    {
        // Other tests run beside this one and have a few open, too.
        let open = fs::read_dir("/proc/self/fd").unwrap().count();
        assert!(open < FILES / 2, "{open} descriptors");
    }
    assert_eq!(receiver.inbox.pending().0, FILES);
    let committed = receiver.inbox.commit();
    assert_eq!(committed.len(), FILES);
    assert!(
        committed
            .iter()
            .all(|one| one.status == EntryStatus::Arrived)
    );
    assert_eq!(receiver.read("many/999"), "content 999");
    receiver.finish();
}

#[test]
fn a_long_file_arrives_in_pieces() {
    let mut receiver = Receiver::new();
    let content: Vec<u8> = (0..20_u32 << 20).map(|n| (n % 251) as u8).collect();
    let entry = file(None, "long", content.len());
    let mut offset = 0;
    for piece in content.chunks(1 << 20) {
        receiver
            .inbox
            .write(target(0, &entry), offset, piece)
            .unwrap();
        offset += piece.len() as u64;
    }
    receiver
        .inbox
        .complete(target(0, &entry), *blake3::hash(&content).as_bytes())
        .unwrap();
    let committed = receiver.inbox.commit();
    assert_eq!(committed[0].status, EntryStatus::Arrived);
    assert!(fs::read(receiver.save().join("long")).unwrap() == content);
}

#[test]
fn times_that_no_disk_has_do_not_fail_a_transfer() {
    let mut receiver = Receiver::new();
    let times = [
        at(0, 0),
        at(-1, 5),
        at(253_402_300_799, 0),
        at(i64::MAX, u32::MAX),
        at(i64::MIN, u32::MAX),
    ];
    for (n, modified) in (0..).zip(times) {
        let mut as_folder = folder(None, &format!("folder {n}"));
        as_folder.modified = modified;
        let committed = receiver.inbox.add_folder(2 * n, &as_folder).unwrap();
        assert_eq!(committed.status, EntryStatus::Arrived);
        let mut as_file = file(None, &format!("file {n}"), 0);
        as_file.modified = modified;
        let hash = *blake3::hash(b"").as_bytes();
        receiver
            .inbox
            .complete(target(2 * n + 1, &as_file), hash)
            .unwrap();
    }
    let committed = receiver.inbox.commit();
    assert_eq!(committed.len(), times.len());
    assert!(
        committed
            .iter()
            .all(|one| one.status == EntryStatus::Arrived)
    );
    let save = receiver.save();
    let epoch = fs::metadata(save.join("file 0")).unwrap().modified();
    assert_eq!(epoch.unwrap(), SystemTime::UNIX_EPOCH);
    let _dir = receiver.finish();
    let epoch = fs::metadata(save.join("folder 0")).unwrap().modified();
    assert_eq!(epoch.unwrap(), SystemTime::UNIX_EPOCH);
}

#[test]
fn a_name_of_a_hundred_chinese_characters_arrives_cut_but_whole_in_its_parts() {
    let mut receiver = Receiver::new();
    let long = format!("{}.pdf", "合".repeat(100));
    for (content, ending) in [("one", "合.pdf"), ("two", "合 (1).pdf")] {
        let committed = receiver.arrive(None, &long, content);
        assert_eq!(committed.status, EntryStatus::Arrived);
        assert!(committed.path.ends_with(ending), "{}", committed.path);
        assert_eq!(receiver.read(&committed.path), content);
    }
    let (folder, committed) = receiver.folder(None, &"夹".repeat(100));
    assert_eq!(committed.status, EntryStatus::Arrived);
    let inside = receiver.arrive(Some(folder), "x", "inside");
    assert_eq!(receiver.read(&inside.path), "inside");
}

#[test]
fn folders_as_deep_as_a_manifest_allows_are_reached_from_any_side() {
    let mut receiver = Receiver::new();
    let mut chain = vec![receiver.folder(None, "d").0];
    for _ in 1..127 {
        let (number, committed) = receiver.folder(chain.last().copied(), "d");
        assert_eq!(committed.status, EntryStatus::Arrived);
        chain.push(number);
    }
    let visits = chain.iter().rev().step_by(9).chain(&chain[..40]);
    for (visit, folder) in visits.enumerate() {
        receiver.file(Some(*folder), &format!("visit {visit}"), "x");
    }
    let committed = receiver.inbox.commit();
    assert!(
        committed
            .iter()
            .all(|one| one.status == EntryStatus::Arrived)
    );
    let dir = receiver.finish();
    let deepest = format!("save/{}visit 0", "d/".repeat(127));
    assert!(dir.path().join(deepest).is_file());
}

/// The other half of the test below; by itself it does nothing.
#[test]
fn child_that_receives_under_a_private_umask() {
    if let Some(dir) = std::env::var_os("ROPEWAY_TEST_PRIVATE_IN") {
        let dir = std::path::PathBuf::from(dir);
        carry(&[dir.join("source")], &dir.join("save"));
    }
}

#[cfg(unix)]
#[test]
fn what_arrives_is_as_private_as_the_umask_asks() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("run"), "x").unwrap();
    fs::set_permissions(source.join("run"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(source.join("read"), "x").unwrap();
    let child = std::process::Command::new("sh")
        .args(["-c", "umask 027; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "arriving::child_that_receives_under_a_private_umask",
        ])
        .env("ROPEWAY_TEST_PRIVATE_IN", dir.path())
        .output()
        .unwrap();
    assert!(child.status.success());
    for (path, expected) in [("", 0o750), ("run", 0o750), ("read", 0o640)] {
        let metadata = fs::metadata(dir.path().join("save/source").join(path)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, expected, "{path}");
    }
}

#[test]
fn transfers_that_end_and_begin_at_the_same_moment_leave_each_other_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    std::thread::scope(|scope| {
        for thread in 0..8_u8 {
            scope.spawn(move || {
                for number in 0..250_u8 {
                    let mut id = [thread; 16];
                    id[0] = number;
                    // Dropped with nothing in it: it removes what it does not share, and tries the rest.
                    Inbox::create(place, TransferId(id)).unwrap();
                }
            });
        }
    });
    assert!(!place.join(".ropeway").exists());
}
