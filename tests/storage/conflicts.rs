//! Names that are taken: nothing is ever written over, nothing the same is doubled.

use std::fs;

use ropeway::model::EntryStatus;

use crate::support::{Receiver, listing};

#[test]
fn the_same_content_is_already_there() {
    let mut receiver = Receiver::with(|save| fs::write(save.join("a.txt"), "same").unwrap());
    let committed = receiver.arrive(None, "a.txt", "same");
    assert_eq!(committed.status, EntryStatus::AlreadyThere);
    assert_eq!(committed.path, "a.txt");
    assert_eq!(committed.blake3, Some(*blake3::hash(b"same").as_bytes()));
    let dir = receiver.finish();
    assert_eq!(listing(dir.path()), ["save/", "save/a.txt"]);
}

#[test]
fn different_content_keeps_both_and_is_not_doubled_the_next_time() {
    let mut receiver = Receiver::with(|save| {
        fs::write(save.join("a.tar.gz"), "theirs").unwrap();
        fs::write(save.join("a.tar (1).gz"), "theirs as well").unwrap();
    });
    let committed = receiver.arrive(None, "a.tar.gz", "ours, 6");
    assert_eq!(committed.path, "a.tar (2).gz");
    assert_eq!(committed.status, EntryStatus::Arrived);
    // As long, but not the same.
    let committed = receiver.arrive(None, "a.tar.gz", "others");
    assert_eq!(committed.path, "a.tar (3).gz");
    assert_eq!(receiver.read("a.tar.gz"), "theirs");
    assert_eq!(receiver.read("a.tar (1).gz"), "theirs as well");
    assert_eq!(receiver.read("a.tar (2).gz"), "ours, 6");
    assert_eq!(receiver.read("a.tar (3).gz"), "others");

    let save = receiver.save();
    let _dir = receiver.finish();
    let mut again = Receiver::with(|_| {});
    fs::remove_dir_all(again.save()).unwrap();
    again.inbox = ropeway::storage::Inbox::create(&save, crate::support::TRANSFER).unwrap();
    let committed = again.arrive(None, "a.tar.gz", "ours, 6");
    assert_eq!(committed.path, "a.tar (2).gz");
    assert_eq!(committed.status, EntryStatus::AlreadyThere);
}

#[cfg(unix)]
#[test]
fn whatever_else_has_the_name_of_a_file_stays_as_it_is() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let mut receiver = Receiver::with(|save| {
        fs::create_dir(save.join("folder")).unwrap();
        // Would be opened for writing by a careless receiver, and read by a careless comparison.
        symlink("../victim", save.join("link")).unwrap();
        symlink("nowhere", save.join("dead link")).unwrap();
        fs::write(save.join("read-only"), "theirs").unwrap();
        let mode = fs::Permissions::from_mode(0o444);
        fs::set_permissions(save.join("read-only"), mode).unwrap();
        let fifo = std::process::Command::new("mkfifo")
            .arg(save.join("fifo"))
            .status();
        assert!(fifo.unwrap().success());
    });
    let victim = receiver.dir.path().join("victim");
    fs::write(&victim, "same").unwrap();
    for name in ["folder", "link", "dead link", "read-only", "fifo"] {
        let committed = receiver.arrive(None, name, "same");
        assert_eq!(committed.status, EntryStatus::Arrived, "{name}");
        assert_eq!(committed.path, format!("{name} (1)"));
        assert_eq!(receiver.read(&committed.path), "same");
    }
    assert_eq!(fs::read_to_string(&victim).unwrap(), "same");
    assert_eq!(receiver.read("read-only"), "theirs");
    assert!(!receiver.save().join("nowhere").exists());
}

#[test]
fn folders_merge_with_real_folders_and_keep_what_is_in_them() {
    let mut receiver = Receiver::with(|save| {
        fs::create_dir(save.join("photos")).unwrap();
        fs::write(save.join("photos/mine.jpg"), "mine").unwrap();
    });
    let (photos, committed) = receiver.folder(None, "photos");
    assert_eq!(committed.status, EntryStatus::AlreadyThere);
    assert_eq!(committed.path, "photos");
    receiver.arrive(Some(photos), "mine.jpg", "sent");
    receiver.arrive(Some(photos), "new.jpg", "new");
    assert_eq!(
        listing(&receiver.save().join("photos")),
        ["mine (1).jpg", "mine.jpg", "new.jpg"]
    );
    assert_eq!(receiver.read("photos/mine.jpg"), "mine");
}

#[cfg(unix)]
#[test]
fn a_folder_does_not_merge_with_a_file_or_a_link() {
    let mut receiver = Receiver::with(|save| {
        fs::create_dir(save.join("../outside")).unwrap();
        fs::write(save.join("file"), "theirs").unwrap();
        std::os::unix::fs::symlink("../outside", save.join("link")).unwrap();
        std::os::unix::fs::symlink(".", save.join("here")).unwrap();
    });
    for name in ["file", "link", "here"] {
        let (folder, committed) = receiver.folder(None, name);
        assert_eq!(committed.status, EntryStatus::Arrived);
        assert_eq!(committed.path, format!("{name} (1)"));
        let inside = receiver.arrive(Some(folder), "inside", "x");
        assert_eq!(inside.path, format!("{name} (1)/inside"));
        assert_eq!(receiver.read(&inside.path), "x");
    }
    assert_eq!(listing(&receiver.dir.path().join("outside")).len(), 0);
}

#[test]
fn twins_within_one_transfer_are_all_kept() {
    const TWINS: u32 = 500;
    let mut receiver = Receiver::new();
    for n in 0..TWINS {
        receiver.file(None, "twin.txt", &format!("number {n}"));
    }
    let committed = receiver.inbox.commit();
    assert_eq!(committed.len() as u32, TWINS);
    for (n, committed) in (0..).zip(&committed) {
        let expected = match n {
            0 => "twin.txt".to_owned(),
            n => format!("twin ({n}).txt"),
        };
        assert_eq!(committed.path, expected);
        assert_eq!(receiver.read(&expected), format!("number {n}"));
    }
}

#[test]
fn a_file_and_a_folder_of_one_name_are_both_kept() {
    let mut receiver = Receiver::new();
    receiver.arrive(None, "x", "file");
    let (folder, committed) = receiver.folder(None, "x");
    assert_eq!(committed.path, "x (1)");
    receiver.arrive(Some(folder), "y", "in the folder");
    let other = receiver.arrive(None, "x", "another file");
    assert_eq!(other.path, "x (2)");
    let dir = receiver.finish();
    assert_eq!(
        listing(&dir.path().join("save")),
        ["x", "x (1)/", "x (1)/y", "x (2)"]
    );
}

#[test]
fn a_folder_that_was_there_keeps_its_time_and_a_new_one_gets_the_senders() {
    use crate::support::{at, folder};
    use std::time::{Duration, SystemTime};
    let mut receiver = Receiver::with(|save| fs::create_dir(save.join("old")).unwrap());
    for (number, name) in [(0, "old"), (1, "new")] {
        let mut entry = folder(None, name);
        entry.modified = at(1_000_000_000, 0);
        receiver.inbox.add_folder(number, &entry).unwrap();
    }
    let dir = receiver.finish();
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let time = |name: &str| {
        let metadata = fs::metadata(dir.path().join("save").join(name)).unwrap();
        metadata.modified().unwrap()
    };
    assert_eq!(time("new"), then);
    assert_ne!(time("old"), then);
}
