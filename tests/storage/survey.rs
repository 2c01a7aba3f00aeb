//! What an offer would meet in a folder: names alone are compared, and nothing is followed or made.

use std::fs;

use ropeway::model::Entry;
use ropeway::storage::{Seen, Survey};

use crate::support::{file, folder, listing};

fn seen(save: &std::path::Path, entries: &[Entry]) -> Seen {
    let mut survey = Survey::new(save);
    for entry in entries {
        survey.look(entry);
    }
    assert_eq!(survey.looked(), entries.len());
    survey.seen().clone()
}

fn holiday() -> Vec<Entry> {
    vec![
        folder(None, "Holiday"),
        file(Some(0), "a.jpg", 5),
        folder(Some(0), "day 1"),
        file(Some(2), "b.jpg", 5),
        file(Some(2), "new.jpg", 5),
        // Back in the folder above.
        file(Some(0), "c.jpg", 5),
        file(None, "report.pdf", 5),
        file(None, "other.pdf", 5),
    ]
}

#[test]
fn names_are_counted_in_the_folders_where_they_would_land() {
    let dir = tempfile::tempdir().unwrap();
    let save = dir.path();
    fs::create_dir_all(save.join("Holiday/day 1")).unwrap();
    for path in [
        "Holiday/a.jpg",
        "Holiday/day 1/b.jpg",
        "Holiday/c.jpg",
        "report.pdf",
        "new.jpg",
        "Holiday/new.jpg",
    ] {
        fs::write(save.join(path), "theirs").unwrap();
    }
    let before = listing(save);
    let found = seen(save, &holiday());
    assert_eq!(found.picked, [0, 6]);
    assert_eq!((found.same_names, found.new), (4, 2));
    assert_eq!(listing(save), before, "nothing is made");
}

#[test]
fn where_nothing_is_all_is_new_and_no_folder_is_made() {
    let dir = tempfile::tempdir().unwrap();
    for save in [dir.path().to_owned(), dir.path().join("to be made")] {
        let found = seen(&save, &holiday());
        assert_eq!(found.picked, [] as [u32; 0]);
        assert_eq!((found.same_names, found.new), (0, 6));
    }
    assert_eq!(listing(dir.path()).len(), 0);
}

#[cfg(unix)]
#[test]
fn links_are_not_followed_and_whatever_has_the_name_counts() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let (save, outside) = (dir.path().join("save"), dir.path().join("outside"));
    fs::create_dir_all(&save).unwrap();
    fs::create_dir_all(outside.join("day 1")).unwrap();
    fs::write(outside.join("a.jpg"), "x").unwrap();
    symlink(&outside, save.join("Holiday")).unwrap();
    symlink("nowhere", save.join("report.pdf")).unwrap();
    let fifo = std::process::Command::new("mkfifo")
        .arg(save.join("other.pdf"))
        .status();
    assert!(fifo.unwrap().success());
    let found = seen(&save, &holiday());
    // The folder would arrive beside the link, so what is behind that does not matter.
    assert_eq!(found.picked, [0, 6, 7]);
    assert_eq!((found.same_names, found.new), (2, 4));
}
