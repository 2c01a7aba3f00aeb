//! A peer or a local program that means harm: nothing lands outside, nothing unchecked lands at all.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ropeway::model::{EntryStatus, Manifest, Problem};
use ropeway::storage::inbox::Rest;
use ropeway::storage::{Inbox, Target};

use crate::support::{Receiver, TRANSFER, file, folder, listing, problem, target};

#[test]
fn content_that_is_not_what_was_promised_gets_no_name() {
    let mut receiver = Receiver::new();
    let right = *blake3::hash(b"12345").as_bytes();
    let wrong = *blake3::hash(b"other").as_bytes();
    let entry = file(None, "x", 5);
    let inbox = &mut receiver.inbox;

    inbox.whole(target(0, &entry), b"12345", wrong).unwrap();
    inbox
        .whole(
            target(1, &entry),
            b"1234",
            *blake3::hash(b"1234").as_bytes(),
        )
        .unwrap();
    inbox.write(target(2, &entry), 0, b"12345").unwrap();
    inbox.complete(target(2, &entry), wrong).unwrap();
    // Fewer bytes, none at all, more, not in order, twice the same.
    inbox.write(target(3, &entry), 0, b"1234").unwrap();
    inbox
        .complete(target(3, &entry), *blake3::hash(b"1234").as_bytes())
        .unwrap();
    inbox.complete(target(4, &entry), right).unwrap();
    inbox.write(target(5, &entry), 0, b"123456").unwrap();
    inbox
        .complete(target(5, &entry), *blake3::hash(b"123456").as_bytes())
        .unwrap();
    inbox.write(target(6, &entry), 3, b"45").unwrap();
    inbox.write(target(6, &entry), 0, b"12345").unwrap();
    inbox.complete(target(6, &entry), right).unwrap();
    inbox.write(target(7, &entry), 0, b"123").unwrap();
    inbox.write(target(7, &entry), 0, b"12345").unwrap();
    inbox.complete(target(7, &entry), right).unwrap();
    inbox.write(target(8, &entry), u64::MAX, b"12345").unwrap();
    inbox.complete(target(8, &entry), right).unwrap();
    inbox
        .complete(target(9, &folder(None, "x")), right)
        .unwrap();

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
fn a_name_that_is_cut_to_what_the_disk_takes_leads_nowhere_else() {
    let mut receiver = Receiver::new();
    for start in ["..", ".", "", ".ropeway", "...."] {
        for filler in [" ", "\u{3000}", ".", " ."] {
            for end in ["", "x", ".txt"] {
                let name = format!("{start}{}{end}", filler.repeat(300));
                let (folder, committed) = receiver.folder(None, &name);
                assert_eq!(problem(&committed), None, "{name:?}");
                receiver.arrive(Some(folder), "plain", "x");
                let outside = fs::read_dir(receiver.dir.path()).unwrap().count();
                assert_eq!(outside, 1, "{name:?}: {:?}", listing(receiver.dir.path()));
                let inside = receiver.arrive(Some(folder), &name, "x");
                assert_eq!(problem(&inside), None, "{name:?}");
                let top = inside.path.split('/').next().unwrap();
                assert_eq!(top, committed.path, "{name:?}");
                assert!(![".", "..", "", ".ropeway"].contains(&top), "{name:?}");
                assert_eq!(receiver.read(&inside.path), "x");
            }
        }
    }
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
        receiver
            .inbox
            .write(target(number, &entry), 0, b"a")
            .unwrap();
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

/// A program that exchanges folders for links to the outside as fast as it can, until it is dropped.
#[cfg(unix)]
struct Swapper {
    done: Arc<AtomicBool>,
    swaps: Arc<AtomicUsize>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[cfg(unix)]
impl Swapper {
    /// Each folder is moved aside, and a link to the one outside stands in its place for a moment.
    fn start(folders: Vec<(std::path::PathBuf, std::path::PathBuf)>) -> Self {
        let (done, swaps) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let (stop, count) = (done.clone(), swaps.clone());
        let thread = std::thread::spawn(move || {
            while !stop.load(Ordering::SeqCst) {
                for (folder, outside) in &folders {
                    let aside = folder.with_extension("aside");
                    let moved = fs::rename(folder, &aside).is_ok();
                    if std::os::unix::fs::symlink(outside, folder).is_ok() {
                        count.fetch_add(1, Ordering::SeqCst);
                        std::thread::yield_now();
                        let _ = fs::remove_file(folder);
                    }
                    if moved {
                        // Fails when the receiver has made it again meanwhile; then that one stays,
                        // and this one may not be in the way of the next swap.
                        if fs::rename(&aside, folder).is_err() {
                            let _ = fs::remove_dir_all(&aside);
                        }
                    }
                }
            }
        });
        let thread = Some(thread);
        Self {
            done,
            swaps,
            thread,
        }
    }

    fn swaps(&self) -> usize {
        self.swaps.load(Ordering::SeqCst)
    }
}

#[cfg(unix)]
impl Drop for Swapper {
    fn drop(&mut self) {
        self.done.store(true, Ordering::SeqCst);
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

/// Run after run of one transfer, with every way to the disk, while folders are swapped.
#[cfg(unix)]
#[test]
fn folders_swapped_for_links_in_run_after_run_let_nothing_out() {
    const RUNS: usize = 6;
    const SWAPS_A_RUN: usize = 60;
    const LONG: usize = (2 << 20) + 4321;
    let dir = tempfile::tempdir().unwrap();
    let (save, outside) = (dir.path().join("save"), dir.path().join("outside"));
    fs::create_dir_all(outside.join("sub/deep")).unwrap();
    fs::create_dir_all(outside.join("deep")).unwrap();
    fs::write(outside.join("long"), "theirs").unwrap();
    let before = listing(&outside);
    let mut manifest = Manifest::default();
    let mut push = |entry| manifest.push(entry).unwrap();
    let top = push(folder(None, "top"));
    let sub = push(folder(Some(top), "sub"));
    let deep = push(folder(Some(sub), "deep"));
    let folders = [top, sub, deep];
    let long: Vec<_> = folders
        .map(|parent| push(file(Some(parent), "long", LONG)))
        .into();
    let content = vec![7; LONG];
    let long_hash = *blake3::hash(&content).as_bytes();
    let small_hash = *blake3::hash(b"payload").as_bytes();
    let small: Vec<_> = (0..300)
        .map(|n| push(file(Some(folders[n % 3]), &format!("small {n}"), 7)))
        .collect();
    let target = |number| Target {
        number,
        key: manifest.key(number).unwrap(),
        entry: manifest.get(number).unwrap(),
    };
    let (mut swaps, mut arrived, mut refused, mut kept_at_all) = (0, 0, 0, 0);
    for run in 0..RUNS {
        let mut inbox = match run {
            0 => Inbox::create(&save, TRANSFER).unwrap(),
            _ => Inbox::go_on(&save, TRANSFER).unwrap(),
        };
        let swapper = Swapper::start(vec![
            (save.join("top"), outside.clone()),
            (save.join("top/sub"), outside.clone()),
            (save.join("top/sub/deep"), outside.join("sub")),
        ]);
        let kept = inbox.kept(&manifest, Rest::Missing);
        kept_at_all += kept.done.len() + kept.partial.len();
        for number in folders {
            inbox
                .add_folder(number, manifest.get(number).unwrap())
                .unwrap();
        }
        let mut round = 0;
        // As long as it takes for enough swaps to have happened between its steps.
        while round < small.len() || swapper.swaps() < SWAPS_A_RUN {
            let number = small[round % small.len()];
            if !kept.done.contains(&number) {
                inbox.whole(target(number), b"payload", small_hash).unwrap();
            }
            inbox
                .add_folder(
                    folders[round % 3],
                    manifest.get(folders[round % 3]).unwrap(),
                )
                .unwrap();
            let long = long[round / 20 % 3];
            if round % 20 == 0 && !kept.done.contains(&long) {
                let kept = kept.partial.iter().find(|(number, _)| *number == long);
                let from = kept.map_or(0, |(_, bytes)| *bytes as usize);
                let complete = run > 0 && (round / 20) % 2 == 1;
                let end = if complete { LONG } else { LONG / 2 };
                for start in (from..end.max(from)).step_by(1 << 19) {
                    let end = end.min(start + (1 << 19));
                    inbox
                        .write(target(long), start as u64, &content[start..end])
                        .unwrap();
                }
                if complete {
                    if let Some((number, bytes)) = kept
                        && let Ok(mut reader) = inbox.read_kept(*number, *bytes)
                    {
                        let mut group = 0;
                        while let Some(hash) = reader.next_hash().unwrap() {
                            inbox.checked(*number, group, &[hash]);
                            group += 1;
                        }
                    }
                    inbox.complete(target(long), long_hash).unwrap();
                }
            }
            if round % 7 == 0 {
                for committed in inbox.commit() {
                    match problem(&committed) {
                        None => arrived += 1,
                        Some(_) => refused += 1,
                    }
                }
            }
            round += 1;
            assert!(round < 1_000_000, "nobody swaps: {}", swapper.swaps());
        }
        inbox.commit();
        swaps += swapper.swaps();
        drop(swapper);
        if run % 2 == 0 {
            // Folder times and flushes go there, too.
            let _ = inbox.finish();
        }
    }
    let counts = format!("{swaps} swaps, {arrived} arrived, {refused} refused, {kept_at_all} kept");
    assert!(swaps >= RUNS * SWAPS_A_RUN, "{counts}");
    assert!(arrived > 0 && refused > 0 && kept_at_all > 0, "{counts}");
    assert_eq!(listing(&outside), before, "{counts}");
    assert_eq!(fs::read_to_string(outside.join("long")).unwrap(), "theirs");
    eprintln!("{counts}");
}

/// A program that exchanges a folder for a link to the outside as fast as it can, while files come.
#[cfg(unix)]
#[test]
fn a_folder_swapped_for_a_link_while_receiving_lets_nothing_out() {
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
