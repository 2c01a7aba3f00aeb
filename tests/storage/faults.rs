//! Killed processes, full and read-only disks, folders that vanish in the middle.

use std::fs;
use std::path::Path;
use std::process::Command;

use ropeway::model::{EntryStatus, Problem, TransferId};
use ropeway::storage::inbox::{KEPT_FOR, discard};
use ropeway::storage::{Inbox, sweep};

use crate::disk::SmallDisk;
use crate::support::{Receiver, TRANSFER, carry, file, folder, listing, problem, target};

#[test]
fn an_inbox_that_is_dropped_keeps_what_is_staged_for_later_and_names_nothing() {
    let mut receiver = Receiver::new();
    receiver.arrive(None, "committed", "x");
    receiver.file(None, "queued", "y");
    receiver
        .inbox
        .write(target(7, &file(None, "half", 9)), 0, b"half")
        .unwrap();
    let Receiver { dir, inbox, .. } = receiver;
    drop(inbox);
    let names = listing(dir.path());
    assert_eq!(names.last().unwrap(), "save/committed");
    let staged = names.iter().filter(|name| name.ends_with(".part"));
    assert_eq!(staged.count(), 2, "{names:?}");
    discard(&dir.path().join("save"), TRANSFER);
    assert_eq!(listing(dir.path()), ["save/", "save/committed"]);

    let nothing = Receiver::new();
    let Receiver { dir, inbox, .. } = nothing;
    drop(inbox);
    assert_eq!(listing(dir.path()), ["save/"], "nothing would be missed");
}

#[test]
fn an_entry_that_the_sender_gives_up_is_reported_and_leaves_nothing() {
    let mut receiver = Receiver::new();
    let entry = file(None, "given up", 9);
    receiver.inbox.write(target(0, &entry), 0, b"half").unwrap();
    receiver.inbox.abandon(target(0, &entry), Problem::Changed);
    receiver
        .inbox
        .abandon(target(1, &file(None, "link", 0)), Problem::Link);
    let committed = receiver.inbox.commit();
    let problems: Vec<_> = committed.iter().map(problem).collect();
    assert_eq!(problems, [Some(&Problem::Changed), Some(&Problem::Link)]);
    assert_eq!(committed[0].path, "given up");
    let dir = receiver.finish();
    assert_eq!(listing(dir.path()), ["save/"]);
}

#[test]
fn a_transfer_has_one_inbox_at_a_time() {
    let receiver = Receiver::new();
    let second = Inbox::create(&receiver.save(), TRANSFER);
    assert!(matches!(second, Err(Problem::Other(_))));
    let other = Inbox::create(&receiver.save(), TransferId([1; 16])).unwrap();
    let save = receiver.save();
    let dir = receiver.finish();
    assert_eq!(listing(&save).len(), 4, "the other one goes on");
    drop(other);
    Inbox::create(&save, TRANSFER).unwrap();
    assert_eq!(listing(dir.path()), ["save/"]);
}

#[test]
fn the_sweep_leaves_what_lives_and_what_is_not_ours() {
    let receiver = Receiver::with(|save| {
        let area = save.join(".ropeway");
        let dead = area.join("11".repeat(16));
        fs::create_dir_all(&dead).unwrap();
        let part = format!("{}.part", "7f".repeat(16));
        for name in [
            "lock",
            "journal",
            part.as_str(),
            "00000000000000000000000000000000.part",
        ] {
            fs::write(dead.join(name), "x").unwrap();
        }
        let journal = fs::File::options()
            .write(true)
            .open(dead.join("journal"))
            .unwrap();
        let long_ago = std::time::SystemTime::now() - KEPT_FOR - std::time::Duration::from_secs(60);
        journal.set_modified(long_ago).unwrap();
        fs::create_dir(area.join("22".repeat(16))).unwrap();
        let interrupted = area.join("66".repeat(16));
        fs::create_dir(&interrupted).unwrap();
        for name in ["lock", "journal", part.as_str()] {
            fs::write(interrupted.join(name), "x").unwrap();
        }
        for foreign in [
            format!("{}/diary.txt", "33".repeat(16)),
            format!("{}/x.part", "44".repeat(16)),
            format!("{}/lock/nested", "55".repeat(16)),
            "not a transfer/0.part".to_owned(),
            "AA".repeat(16) + "/0.part",
        ] {
            let path = area.join(foreign);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
    });
    let before = listing(&receiver.save());
    sweep(&receiver.save());
    let after = listing(&receiver.save());
    let gone: Vec<_> = before.iter().filter(|name| !after.contains(name)).collect();
    let ours = ["11".repeat(16), "22".repeat(16)];
    assert_eq!(gone.len(), 6);
    assert!(
        gone.iter()
            .all(|name| ours.iter().any(|our| name.contains(our)))
    );
    sweep(Path::new("/no/such/folder"));
}

/// The other half of the test below; by itself it does nothing.
#[test]
fn child_that_is_killed_while_it_receives() {
    let Some(save) = std::env::var_os("ROPEWAY_TEST_KILLED_IN") else {
        return;
    };
    let mut inbox = Inbox::create(Path::new(&save), TRANSFER).unwrap();
    inbox
        .write(target(0, &file(None, "half", 9)), 0, b"half")
        .unwrap();
    inbox.add_folder(1, &folder(None, "folder")).unwrap();
    let hash = *blake3::hash(b"done").as_bytes();
    inbox
        .whole(target(2, &file(Some(1), "done", 4)), b"done", hash)
        .unwrap();
    inbox.commit();
    std::process::abort();
}

#[test]
fn what_a_killed_process_left_is_kept_discarded_or_taken_over() {
    for take_over in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "faults::child_that_is_killed_while_it_receives"])
            .env("ROPEWAY_TEST_KILLED_IN", dir.path())
            .output()
            .unwrap();
        assert!(!child.status.success(), "it was to be killed");
        let left = listing(dir.path());
        assert!(left.iter().any(|name| name.ends_with(".part")), "{left:?}");
        assert!(!left.iter().any(|name| name == "half"));
        if take_over {
            let mut inbox = Inbox::create(dir.path(), TRANSFER).unwrap();
            inbox.finish().unwrap();
            inbox.discard_staged();
        } else {
            sweep(dir.path());
            assert_eq!(listing(dir.path()), left, "somebody may come back to it");
            discard(dir.path(), TRANSFER);
        }
        assert_eq!(listing(dir.path()), ["folder/", "folder/done"]);
    }
}

#[cfg(unix)]
#[test]
fn a_folder_removed_in_the_middle_is_made_again() {
    let mut receiver = Receiver::new();
    let (top, _) = receiver.folder(None, "top");
    let (sub, _) = receiver.folder(Some(top), "sub");
    receiver.arrive(Some(sub), "before", "x");
    fs::remove_dir_all(receiver.save().join("top")).unwrap();
    let committed = receiver.arrive(Some(sub), "after", "x");
    assert_eq!(committed.status, EntryStatus::Arrived);
    fs::remove_dir_all(receiver.save().join("top")).unwrap();
    let dir = receiver.finish();
    assert_eq!(listing(dir.path()), ["save/"], "but not after the end");
}

#[cfg(unix)]
#[test]
fn a_staging_folder_removed_in_the_middle_fails_files_and_nothing_else() {
    let mut receiver = Receiver::new();
    receiver.file(None, "queued", "x");
    fs::remove_dir_all(receiver.save().join(".ropeway")).unwrap();
    receiver.file(None, "later", "x");
    let committed = receiver.inbox.commit();
    assert_eq!(committed.len(), 2);
    assert!(committed.iter().all(|one| problem(one).is_some()));
    let dir = receiver.finish();
    assert_eq!(listing(dir.path()), ["save/"]);
}

#[test]
fn a_size_that_no_disk_has_fails_at_once() {
    let mut receiver = Receiver::new();
    let mut entry = file(None, "x", 0);
    entry.kind = ropeway::model::EntryKind::File {
        len_bytes: i64::MAX as u64,
        executable: false,
    };
    receiver.inbox.write(target(0, &entry), 0, b"x").unwrap();
    receiver.inbox.complete(target(0, &entry), [0; 32]).unwrap();
    let committed = receiver.inbox.commit();
    #[cfg(target_os = "linux")]
    assert!(matches!(
        problem(&committed[0]),
        Some(Problem::TooLarge | Problem::NoSpace)
    ));
    assert!(problem(&committed[0]).is_some());
}

#[test]
fn a_file_that_is_refused_at_its_beginning_is_told_before_its_end_and_then_once() {
    let mut receiver = Receiver::new();
    let entry = file(None, "x", 10);
    let target = target(0, &entry);
    assert_eq!(receiver.inbox.refused(target), None);
    // Nobody sends it so; it stands for whatever a disk says.
    receiver.inbox.write(target, 5, b"x").unwrap();
    let refused = receiver.inbox.refused(target).unwrap();
    assert_eq!(problem(&refused), Some(&Problem::Corrupt));
    receiver.inbox.leave_out(0, target.key);
    receiver.inbox.write(target, 6, b"x").unwrap();
    assert_eq!(receiver.inbox.refused(target), None);
    receiver.inbox.complete(target, [0; 32]).unwrap();
    assert_eq!(receiver.inbox.commit(), []);
}

#[test]
fn a_read_only_disk_is_named_as_such() {
    let Some(disk) = SmallDisk::mount(1 << 20) else {
        return;
    };
    let save = disk.path().join("save");
    fs::create_dir(&save).unwrap();
    disk.make_read_only();
    for folder in [save.clone(), save.join("to be made")] {
        let refused = Inbox::create(&folder, TRANSFER);
        assert_eq!(refused.unwrap_err(), Problem::ReadOnly);
    }
}

#[test]
fn a_read_only_disk_inside_the_save_folder_fails_only_what_goes_there() {
    let mut receiver = Receiver::new();
    let (top, _) = receiver.folder(None, "top");
    let mounted = receiver.save().join("top");
    if !SmallDisk::mount_at(&mounted, "ro,size=1m") {
        return;
    }
    // Sees the disk that is mounted now, not the folder it covers.
    let (again, _) = receiver.folder(None, "top");
    let (_, refused) = receiver.folder(Some(again), "folder");
    receiver.file(Some(again), "inside", "x");
    receiver.file(None, "beside", "x");
    receiver.file(Some(top), "below", "x");
    let committed = receiver.inbox.commit();
    SmallDisk::unmount(&mounted);
    assert_eq!(problem(&refused), Some(&Problem::ReadOnly));
    let problems: Vec<_> = committed.iter().map(problem).collect();
    assert_eq!(problems[..2], [Some(&Problem::ReadOnly), None]);
}

#[cfg(unix)]
#[test]
fn a_save_folder_without_permission_is_named_as_such() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let mode = |mode| fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
    mode(0o555);
    if fs::create_dir(dir.path().join("probe")).is_ok() {
        eprintln!("skipped: this user may write everywhere");
        return;
    }
    let refused = Inbox::create(&dir.path().join("save"), TRANSFER);
    mode(0o755);
    assert_eq!(refused.unwrap_err(), Problem::NotWritable);
}

#[test]
fn a_folder_that_is_another_disk_takes_files_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let save = dir.path().join("save");
    let mounted = save.join("top");
    fs::create_dir_all(&mounted).unwrap();
    if !SmallDisk::mount_at(&mounted, "size=1m") {
        return;
    }
    let source = dir.path().join("top");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("a.txt"), "sent").unwrap();
    fs::write(source.join("b.txt"), "b").unwrap();
    fs::write(source.join("big"), vec![0; 2 << 20]).unwrap();
    fs::write(mounted.join("a.txt"), "theirs").unwrap();
    let committed = carry(&[source], &save);
    let found = listing(&mounted);
    let problems: Vec<_> = committed.iter().filter_map(problem).collect();
    SmallDisk::unmount(&mounted);
    assert_eq!(found, ["a (1).txt", "a.txt", "b.txt"]);
    assert_eq!(problems, [&Problem::NoSpace]);
}

#[cfg(unix)]
#[test]
fn links_and_unreadable_things_in_a_source_are_reported_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source");
    fs::create_dir(&source).unwrap();
    std::os::unix::fs::symlink("/etc", source.join("link")).unwrap();
    fs::write(source.join("file"), "x").unwrap();
    let save = dir.path().join("save");
    let committed = carry(&[source, dir.path().join("gone")], &save);
    let shown: Vec<_> = committed
        .iter()
        .map(|one| (one.path.as_str(), one.status.as_str(), problem(one)))
        .collect();
    assert_eq!(
        shown,
        [
            ("source", "arrived", None),
            ("source/file", "arrived", None),
            ("source/link", "failed", Some(&Problem::Link)),
            ("gone", "failed", Some(&Problem::Vanished)),
        ]
    );
    assert_eq!(listing(&save), ["source/", "source/file"]);
}

#[test]
fn a_drive_that_is_pulled_out_is_named_as_such() {
    let dir = tempfile::tempdir().unwrap();
    if !SmallDisk::mount_at(dir.path(), "size=1m") {
        return;
    }
    let save = dir.path().join("save");
    let mut inbox = Inbox::create(&save, TRANSFER).unwrap();
    let small = file(None, "small", 5);
    let hash = *blake3::hash(b"12345").as_bytes();
    inbox.whole(target(0, &small), b"12345", hash).unwrap();
    SmallDisk::unmount(dir.path());
    let committed = inbox.commit();
    assert_eq!(problem(&committed[0]), Some(&Problem::Gone));
    inbox.discard_staged();
    drop(inbox);
    assert_eq!(listing(dir.path()), [""; 0], "nothing lands in its place");
}
