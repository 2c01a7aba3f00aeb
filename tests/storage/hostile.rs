//! A peer or a local program that means harm: nothing lands outside, nothing unchecked lands at all.

use std::fs;

use ropeway::model::{EntryStatus, Problem};
use ropeway::storage::Inbox;

use crate::support::{Receiver, TRANSFER, file, folder, listing, problem, target};

#[test]
fn content_that_is_not_what_was_promised_gets_no_name() {
    let mut receiver = Receiver::new();
    let right = *blake3::hash(b"12345").as_bytes();
    let wrong = *blake3::hash(b"other").as_bytes();
    let entry = file(None, "x", 5);
    let inbox = &mut receiver.inbox;

    inbox.whole(target(0, &entry), b"12345", wrong);
    inbox.whole(
        target(1, &entry),
        b"1234",
        *blake3::hash(b"1234").as_bytes(),
    );
    inbox.write(target(2, &entry), 0, b"12345");
    inbox.complete(target(2, &entry), wrong);
    // Fewer bytes, none at all, more, not in order, twice the same.
    inbox.write(target(3, &entry), 0, b"1234");
    inbox.complete(target(3, &entry), *blake3::hash(b"1234").as_bytes());
    inbox.complete(target(4, &entry), right);
    inbox.write(target(5, &entry), 0, b"123456");
    inbox.complete(target(5, &entry), *blake3::hash(b"123456").as_bytes());
    inbox.write(target(6, &entry), 3, b"45");
    inbox.write(target(6, &entry), 0, b"12345");
    inbox.complete(target(6, &entry), right);
    inbox.write(target(7, &entry), 0, b"123");
    inbox.write(target(7, &entry), 0, b"12345");
    inbox.complete(target(7, &entry), right);
    inbox.write(target(8, &entry), u64::MAX, b"12345");
    inbox.complete(target(8, &entry), right);
    inbox.complete(target(9, &folder(None, "x")), right);

    assert_eq!(inbox.pending(), (10, 0), "each failure waits to be told");
    let committed = inbox.commit();
    assert_eq!(committed.len(), 10);
    for committed in &committed {
        assert_eq!(problem(committed), Some(&Problem::Corrupt), "{committed:?}");
        assert_eq!(committed.blake3, None);
    }
    assert!(inbox.commit().is_empty(), "each is reported once");
    let dir = receiver.finish();
    assert_eq!(listing(dir.path()), ["save/"]);
}

#[test]
fn no_name_from_the_wire_reaches_the_staging_area() {
    let mut receiver = Receiver::new();
    for (n, name) in [".ropeway", ".Ropeway", ".ROPEWAY"].into_iter().enumerate() {
        let (folder, committed) = receiver.folder(None, name);
        assert_eq!(committed.path, "ropeway (1)");
        let committed = receiver.arrive(Some(folder), "lock", &format!("{n}"));
        assert_eq!(committed.status, EntryStatus::Arrived);
        assert!(committed.path.starts_with("ropeway (1)/lock"));
    }
    let committed = receiver.arrive(None, ".ropeway", "as a file");
    assert_eq!(committed.path, "ropeway (1) (1)");
    // Further down it is a name like any other.
    let (docs, _) = receiver.folder(None, "docs");
    let (_, committed) = receiver.folder(Some(docs), ".ropeway");
    assert_eq!(committed.path, "docs/.ropeway");
}

#[test]
fn names_that_act_on_a_screen_are_escaped_on_the_disk_and_in_reports() {
    let mut receiver = Receiver::new();
    let committed = receiver.arrive(None, "a\u{1b}[2J\u{202e}gpj.exe", "x");
    assert_eq!(committed.path, "a\\u{1b}[2J\\u{202e}gpj.exe");
    assert_eq!(receiver.read(&committed.path), "x");
}

#[test]
fn what_lies_in_no_known_folder_fails() {
    let mut receiver = Receiver::new();
    receiver.arrive(None, "file", "x");
    for parent in [0, 77] {
        let committed = receiver.arrive(Some(parent), "inside", "x");
        assert_eq!(problem(&committed), Some(&Problem::Folder));
        let (number, committed) = receiver.folder(Some(parent), "folder");
        assert_eq!(problem(&committed), Some(&Problem::Folder));
        let committed = receiver.arrive(Some(number), "deeper", "x");
        assert_eq!(problem(&committed), Some(&Problem::Folder));
    }
}

#[test]
fn files_under_way_at_once_are_bounded() {
    let mut receiver = Receiver::new();
    let entry = file(None, "x", 2);
    for number in 0..1000 {
        receiver.inbox.write(target(number, &entry), 0, b"a");
    }
    let mut failed = 0;
    for number in 0..1000 {
        receiver
            .inbox
            .abandon(target(number, &entry), Problem::Changed);
    }
    for committed in receiver.inbox.commit() {
        match problem(&committed) {
            Some(Problem::Changed) => {}
            Some(Problem::Other(_)) => failed += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!((900..1000).contains(&failed), "{failed}");
}

#[cfg(unix)]
#[test]
fn a_staging_area_that_is_a_link_or_a_file_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let outside = dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let save = dir.path().join("save");
    fs::create_dir(&save).unwrap();
    std::os::unix::fs::symlink(&outside, save.join(".ropeway")).unwrap();
    assert!(matches!(
        Inbox::create(&save, TRANSFER),
        Err(Problem::Other(_))
    ));
    ropeway::storage::sweep(&save);
    assert!(listing(&outside).is_empty());
    fs::remove_file(save.join(".ropeway")).unwrap();

    fs::write(save.join(".ropeway"), "a file").unwrap();
    assert!(matches!(
        Inbox::create(&save, TRANSFER),
        Err(Problem::Other(_))
    ));
    ropeway::storage::sweep(&save);
    fs::remove_file(save.join(".ropeway")).unwrap();

    // The transfer's own folder as a link.
    fs::create_dir(save.join(".ropeway")).unwrap();
    let own = save.join(".ropeway").join(TRANSFER.to_string());
    std::os::unix::fs::symlink(&outside, own).unwrap();
    assert!(Inbox::create(&save, TRANSFER).is_err());
    ropeway::storage::sweep(&save);
    assert!(listing(&outside).is_empty());
}

#[cfg(unix)]
#[test]
fn a_folder_replaced_by_a_link_before_anything_arrives_leads_nowhere() {
    let mut receiver = Receiver::new();
    let outside = receiver.dir.path().join("outside");
    fs::create_dir_all(outside.join("sub")).unwrap();
    let (top, _) = receiver.folder(None, "top");
    let (sub, _) = receiver.folder(Some(top), "sub");
    // Now a handle to both is held.
    receiver.arrive(Some(sub), "before", "x");
    fs::rename(
        receiver.save().join("top"),
        receiver.dir.path().join("moved"),
    )
    .unwrap();
    std::os::unix::fs::symlink("../outside", receiver.save().join("top")).unwrap();
    for parent in [top, sub] {
        let committed = receiver.arrive(Some(parent), "secret", "x");
        assert_eq!(problem(&committed), Some(&Problem::Folder));
    }
    let (_, committed) = receiver.folder(Some(top), "new");
    assert_eq!(problem(&committed), Some(&Problem::Folder));
    let dir = receiver.finish();
    assert_eq!(listing(&dir.path().join("outside")), ["sub/"]);
}

/// A program that exchanges a folder for a link to the outside as fast as it can, while files come.
#[cfg(unix)]
#[test]
fn a_folder_swapped_for_a_link_while_receiving_lets_nothing_out() {
    use std::sync::atomic::{AtomicBool, Ordering};
    const ROUNDS: usize = 400;
    const FILES_A_ROUND: usize = 4;
    let mut receiver = Receiver::new();
    let save = receiver.save();
    let outside = receiver.dir.path().join("outside");
    fs::create_dir_all(outside.join("sub")).unwrap();
    let (top, _) = receiver.folder(None, "top");
    let (sub, _) = receiver.folder(Some(top), "sub");
    let done = AtomicBool::new(false);
    let (mut arrived, mut refused) = (0, 0);
    let swaps = std::thread::scope(|scope| {
        let swapper = scope.spawn(|| {
            let mut swaps = 0;
            while !done.load(Ordering::Relaxed) {
                let aside = save.join(format!("aside {swaps}"));
                let _ = fs::rename(save.join("top"), aside);
                if std::os::unix::fs::symlink(&outside, save.join("top")).is_ok() {
                    swaps += 1;
                    std::thread::yield_now();
                    let _ = fs::remove_file(save.join("top"));
                }
            }
            swaps
        });
        for round in 0..ROUNDS {
            for n in 0..FILES_A_ROUND {
                let parent = if n % 2 == 0 { top } else { sub };
                receiver.file(Some(parent), &format!("{round}-{n}"), "payload");
            }
            receiver.folder(Some(sub), &format!("folder {round}"));
            let committed = receiver.inbox.commit();
            assert_eq!(committed.len(), FILES_A_ROUND);
            for committed in committed {
                match committed.status {
                    EntryStatus::Arrived => arrived += 1,
                    EntryStatus::AlreadyThere | EntryStatus::Skipped => {
                        panic!("nothing is there twice")
                    }
                    EntryStatus::Failed(_) => refused += 1,
                }
            }
        }
        done.store(true, Ordering::Relaxed);
        swapper.join().unwrap()
    });
    let counts = format!("{swaps} swaps, {arrived} arrived, {refused} refused");
    assert!(swaps > 0 && refused > 0, "{counts}");
    let after = receiver.arrive(Some(top), "after", "payload");
    assert_eq!(after.status, EntryStatus::Arrived);
    assert_eq!(receiver.read("top/after"), "payload");
    receiver.inbox.finish().unwrap();
    assert_eq!(listing(&outside), ["sub/"], "{counts}");
}
