//! A later run goes on from what an earlier one left, and believes none of it.

use std::fs;
use std::path::{Path, PathBuf};

use ropeway::model::{Entry, GROUP_BYTES, Manifest, Problem};
use ropeway::storage::{Committed, Inbox, Kept, Rest, Target};

use crate::support::{TRANSFER, at, file, folder, listing, problem};

const GROUP: usize = GROUP_BYTES as usize;

/// A save folder and a manifest, both of which outlive an inbox.
struct Run {
    dir: tempfile::TempDir,
    manifest: Manifest,
}

impl Run {
    fn new(entries: Vec<Entry>) -> Self {
        let mut manifest = Manifest::default();
        for entry in entries {
            manifest.push(entry).unwrap();
        }
        Self {
            dir: tempfile::tempdir().unwrap(),
            manifest,
        }
    }

    fn save(&self) -> &Path {
        self.dir.path()
    }

    fn target(&self, number: u32) -> Target<'_> {
        Target {
            number,
            key: self.manifest.key(number).unwrap(),
            entry: self.manifest.get(number).unwrap(),
        }
    }

    fn first(&self) -> Inbox {
        Inbox::create(self.save(), TRANSFER).unwrap()
    }

    fn again(&self) -> (Inbox, Kept) {
        let mut inbox = Inbox::go_on(self.save(), TRANSFER).unwrap();
        let kept = inbox.kept(&self.manifest, Rest::Missing);
        (inbox, kept)
    }

    fn write(&self, inbox: &mut Inbox, number: u32, content: &[u8], from: usize, to: usize) {
        let mut at = from;
        while at < to {
            let end = (at + GROUP / 4).min(to);
            inbox
                .write(self.target(number), at as u64, &content[at..end])
                .unwrap();
            at = end;
        }
    }

    /// Reads what was kept as the engine does; gives the groups that differ from the source.
    fn check(&self, inbox: &mut Inbox, number: u32, bytes: u64, content: &[u8]) -> Vec<usize> {
        let mut reader = inbox.read_kept(number, bytes).unwrap();
        let mut different = Vec::new();
        let mut group = 0;
        while let Some(hash) = reader.next_hash().unwrap() {
            inbox.checked(number, group as u32, &[hash]);
            if hash != hash_of_group(content, group) {
                different.push(group);
            }
            group += 1;
        }
        assert_eq!(group as u64 * GROUP_BYTES, bytes);
        different
    }

    fn complete(&self, inbox: &mut Inbox, number: u32, content: &[u8]) -> Committed {
        let hash = *blake3::hash(content).as_bytes();
        inbox.complete(self.target(number), hash).unwrap();
        inbox.commit().remove(0)
    }

    fn part(&self) -> PathBuf {
        let staging = self.save().join(".ropeway").join(TRANSFER.to_string());
        let parts = fs::read_dir(staging)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let mut parts = parts.filter(|path| path.extension().is_some_and(|kind| kind == "part"));
        parts.next().unwrap()
    }

    fn journal(&self) -> PathBuf {
        let staging = self.save().join(".ropeway").join(TRANSFER.to_string());
        staging.join("journal")
    }
}

fn hash_of_group(content: &[u8], group: usize) -> [u8; 32] {
    use blake3::hazmat::HasherExt as _;
    let end = content.len().min((group + 1) * GROUP);
    let mut hasher = blake3::Hasher::new();
    hasher.set_input_offset((group * GROUP) as u64);
    hasher.update(&content[group * GROUP..end]);
    hasher.finalize_non_root()
}

fn noise(seed: u8, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new()
        .update(&[seed])
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

#[test]
fn a_file_goes_on_from_its_whole_groups_and_arrives_exactly() {
    let film = noise(1, 5 * GROUP + 77);
    let run = Run::new(vec![file(None, "film", film.len())]);
    let mut inbox = run.first();
    run.write(&mut inbox, 0, &film, 0, 3 * GROUP + 1000);
    drop(inbox);
    assert_eq!(
        listing(run.save())
            .iter()
            .filter(|name| !name.contains(".ropeway"))
            .count(),
        0
    );

    let (mut inbox, kept) = run.again();
    assert_eq!(kept.partial, [(0, 3 * GROUP_BYTES)]);
    run.write(&mut inbox, 0, &film, 3 * GROUP, film.len());
    assert_eq!(
        run.check(&mut inbox, 0, 3 * GROUP_BYTES, &film),
        [] as [usize; 0]
    );
    let committed = run.complete(&mut inbox, 0, &film);
    assert_eq!(problem(&committed), None);
    assert_eq!(fs::read(run.save().join("film")).unwrap(), film);
    inbox.finish().unwrap();
    inbox.discard_staged();
    drop(inbox);
    assert_eq!(listing(run.save()), ["film"]);
}

#[test]
fn staging_that_was_touched_is_found_and_only_that_travels_again() {
    let film = noise(1, 4 * GROUP + 5);
    let run = Run::new(vec![file(None, "film", film.len())]);
    let mut inbox = run.first();
    run.write(&mut inbox, 0, &film, 0, 4 * GROUP);
    drop(inbox);
    let mut touched = fs::read(run.part()).unwrap();
    touched[2 * GROUP + 7] ^= 1;
    fs::write(run.part(), &touched).unwrap();

    let (mut inbox, kept) = run.again();
    assert_eq!(kept.partial, [(0, 4 * GROUP_BYTES)]);
    run.write(&mut inbox, 0, &film, 4 * GROUP, film.len());
    let different = run.check(&mut inbox, 0, 4 * GROUP_BYTES, &film);
    assert_eq!(different, [2]);
    run.write(&mut inbox, 0, &film, 2 * GROUP, 3 * GROUP);
    let committed = run.complete(&mut inbox, 0, &film);
    assert_eq!(problem(&committed), None);
    assert_eq!(fs::read(run.save().join("film")).unwrap(), film);
}

#[test]
fn what_was_kept_never_arrives_unchecked() {
    let film = noise(1, 3 * GROUP);
    let run = Run::new(vec![file(None, "film", film.len())]);
    let mut inbox = run.first();
    run.write(&mut inbox, 0, &film, 0, 2 * GROUP);
    drop(inbox);
    // The sender claims the end although nobody has compared what was kept.
    let (mut inbox, _) = run.again();
    run.write(&mut inbox, 0, &film, 2 * GROUP, 3 * GROUP);
    let committed = run.complete(&mut inbox, 0, &film);
    assert_eq!(problem(&committed), Some(&Problem::Corrupt));
    drop(inbox);
    // Compared, but with a difference that was not sent again.
    let mut inbox = run.first();
    let mut other = film.clone();
    other[0] ^= 1;
    run.write(&mut inbox, 0, &other, 0, 2 * GROUP);
    drop(inbox);
    let (mut inbox, _) = run.again();
    run.write(&mut inbox, 0, &film, 2 * GROUP, 3 * GROUP);
    assert_eq!(run.check(&mut inbox, 0, 2 * GROUP_BYTES, &film), [0]);
    let committed = run.complete(&mut inbox, 0, &film);
    assert_eq!(problem(&committed), Some(&Problem::Corrupt));
    assert!(!run.save().join("film").exists());
}

fn holiday() -> Run {
    let timed = |mut entry: Entry| {
        entry.modified = at(1_700_000_000, 5);
        entry
    };
    Run::new(vec![
        folder(None, "Holiday"),
        timed(file(Some(0), "a.txt", 5)),
        timed(file(Some(0), "b.txt", 5)),
    ])
}

fn put(run: &Run, inbox: &mut Inbox, number: u32, content: &[u8]) -> Committed {
    inbox.add_folder(0, run.manifest.get(0).unwrap()).unwrap();
    inbox
        .whole(
            run.target(number),
            content,
            *blake3::hash(content).as_bytes(),
        )
        .unwrap();
    inbox.commit().remove(0)
}

#[test]
fn what_was_committed_counts_as_done_and_makes_no_twin() {
    let run = holiday();
    let mut inbox = run.first();
    put(&run, &mut inbox, 1, b"hello");
    drop(inbox);
    let (mut inbox, kept) = run.again();
    assert_eq!((kept.done, kept.partial), (vec![1], vec![]));
    put(&run, &mut inbox, 2, b"world");
    drop(inbox);
    let (inbox, kept) = run.again();
    assert_eq!(kept.done, [1, 2]);
    drop(inbox);

    // Whatever somebody did to it since: then it comes again.
    fs::remove_file(run.save().join("Holiday/a.txt")).unwrap();
    fs::write(run.save().join("Holiday/b.txt"), "mine!").unwrap();
    let (mut inbox, kept) = run.again();
    assert_eq!(kept.done, [] as [u32; 0]);
    let again = put(&run, &mut inbox, 2, b"world");
    assert_eq!(again.path, "Holiday/b (1).txt", "somebody's own file stays");
}

#[test]
fn a_file_that_changed_at_its_source_takes_the_place_of_its_own_earlier_version() {
    let run = holiday();
    let mut inbox = run.first();
    put(&run, &mut inbox, 1, b"hello");
    drop(inbox);
    let mut changed = holiday();
    changed.dir = run.dir;
    let mut entry = file(Some(0), "a.txt", 7);
    entry.modified = at(1_700_000_900, 0);
    changed.manifest = Manifest::default();
    changed.manifest.push(folder(None, "Holiday")).unwrap();
    changed.manifest.push(entry).unwrap();
    let (mut inbox, kept) = changed.again();
    assert_eq!(kept.done, [] as [u32; 0]);
    put(&changed, &mut inbox, 1, b"changed");
    let path = changed.save().join("Holiday/a.txt");
    assert_eq!(fs::read(path).unwrap(), b"changed");
    let names = listing(changed.save());
    assert!(!names.iter().any(|name| name.contains("(1)")), "{names:?}");
}

#[test]
fn an_intent_that_a_kill_left_alone_does_not_make_the_earlier_version_somebody_elses() {
    let run = holiday();
    let mut inbox = run.first();
    put(&run, &mut inbox, 1, b"hello");
    drop(inbox);
    let mut changed = holiday();
    changed.dir = run.dir;
    let mut entry = file(Some(0), "a.txt", 7);
    entry.modified = at(1_700_000_900, 0);
    changed.manifest = Manifest::default();
    changed.manifest.push(folder(None, "Holiday")).unwrap();
    changed.manifest.push(entry).unwrap();
    let (name, aside) = ("Holiday/a.txt", changed.dir.path().join("aside"));
    fs::hard_link(changed.save().join(name), &aside).unwrap();
    let (mut inbox, _) = changed.again();
    put(&changed, &mut inbox, 1, b"changed");
    drop(inbox);
    // As if it had been killed after the intent and before the rename.
    fs::rename(&aside, changed.save().join(name)).unwrap();
    let journal = fs::read_to_string(changed.journal()).unwrap();
    let (before, _placed) = journal.trim_end().rsplit_once('\n').unwrap();
    fs::write(changed.journal(), format!("{before}\n")).unwrap();
    let (mut inbox, kept) = changed.again();
    assert_eq!(kept.done, [] as [u32; 0]);
    assert_eq!(put(&changed, &mut inbox, 1, b"changed").path, name);
    let names = listing(changed.save());
    assert!(!names.iter().any(|name| name.contains("(1)")), "{names:?}");
}

#[test]
fn a_folder_that_an_earlier_run_made_still_gets_the_senders_time() {
    let old = at(1_000_000_000, 7);
    let timed = |parent, name| Entry {
        modified: old,
        ..folder(parent, name)
    };
    let run = Run::new(vec![
        timed(None, "Holiday"),
        timed(Some(0), "empty"),
        timed(Some(0), "theirs"),
        timed(Some(0), "taken"),
    ]);
    let there = run.save().join("Holiday");
    let add = |inbox: &mut Inbox| -> Vec<_> {
        let entries = (0..).zip(run.manifest.entries());
        let added = entries.map(|(number, entry)| inbox.add_folder(number, entry).unwrap());
        added.map(|one| (one.path, one.status.as_str())).collect()
    };
    fs::create_dir(&there).unwrap();
    fs::create_dir(there.join("theirs")).unwrap();
    fs::write(there.join("taken"), "a file").unwrap();
    let expected = [
        ("Holiday".to_owned(), "already-there"),
        ("Holiday/empty".to_owned(), "arrived"),
        ("Holiday/theirs".to_owned(), "already-there"),
        ("Holiday/taken (1)".to_owned(), "arrived"),
    ];
    let mut inbox = run.first();
    assert_eq!(add(&mut inbox), expected);
    drop(inbox);

    let (mut inbox, _) = run.again();
    assert_eq!(add(&mut inbox), expected);
    inbox.finish().unwrap();
    let then = std::time::UNIX_EPOCH + std::time::Duration::new(1_000_000_000, 7);
    for (name, ours) in [
        ("", false),
        ("empty", true),
        ("theirs", false),
        ("taken (1)", true),
    ] {
        let modified = fs::metadata(there.join(name)).unwrap().modified().unwrap();
        assert_eq!(modified == then, ours, "{name}");
    }
}

#[test]
fn two_files_of_one_name_in_one_folder_are_told_apart_in_every_run() {
    // `a%FF` and the byte 0xff behind an `a` are one name on the wire. So both have one key, too.
    let timed = |mut entry: Entry| {
        entry.modified = at(1_700_000_000, 5);
        entry
    };
    let run = Run::new(vec![
        folder(None, "Holiday"),
        timed(file(Some(0), "a%FF", 5)),
        timed(file(Some(0), "a%FF", 5)),
        timed(file(Some(0), "film", 3 * GROUP)),
        timed(file(Some(0), "film", 3 * GROUP)),
    ]);
    let hash = |content: &[u8]| *blake3::hash(content).as_bytes();
    let mut inbox = run.first();
    inbox.add_folder(0, run.manifest.get(0).unwrap()).unwrap();
    inbox
        .whole(run.target(1), b"first", hash(b"first"))
        .unwrap();
    inbox.commit();
    drop(inbox);
    let (mut inbox, kept) = run.again();
    assert_eq!(kept.done, [] as [u32; 0], "which one it was is not known");
    inbox.add_folder(0, run.manifest.get(0).unwrap()).unwrap();
    inbox
        .whole(run.target(1), b"first", hash(b"first"))
        .unwrap();
    inbox
        .whole(run.target(2), b"other", hash(b"other"))
        .unwrap();
    let films = [noise(1, 3 * GROUP), noise(2, 3 * GROUP)];
    for (number, film) in (3..).zip(&films) {
        run.write(&mut inbox, number, film, 0, film.len());
        inbox.complete(run.target(number), hash(film)).unwrap();
    }
    let mut committed = inbox.commit();
    committed.sort_by_key(|one| one.number);
    let ended: Vec<_> = committed
        .iter()
        .map(|one| (one.number, one.path.as_str(), problem(one)))
        .collect();
    assert_eq!(
        ended,
        [
            (1, "Holiday/a%FF", None),
            (2, "Holiday/a%FF (1)", None),
            (3, "Holiday/film", None),
            (4, "Holiday/film (1)", None),
        ]
    );
    let there = |name: &str| fs::read(run.save().join("Holiday").join(name)).unwrap();
    assert_eq!(there("a%FF"), b"first");
    assert_eq!(there("a%FF (1)"), b"other");
    assert_eq!(there("film"), films[0]);
    assert_eq!(there("film (1)"), films[1]);
    // What is staged of one is not taken for a beginning of the other either.
    drop(inbox);
    let mut inbox = Inbox::create(run.save(), TRANSFER).unwrap();
    run.write(&mut inbox, 3, &films[0], 0, 2 * GROUP);
    drop(inbox);
    let (_inbox, kept) = run.again();
    assert_eq!(kept, Kept::default());
}

#[test]
fn a_name_that_was_taken_is_remembered_as_it_became() {
    let run = holiday();
    fs::create_dir(run.save().join("Holiday")).unwrap();
    fs::write(run.save().join("Holiday/a.txt"), "older").unwrap();
    let mut inbox = run.first();
    assert_eq!(put(&run, &mut inbox, 1, b"hello").path, "Holiday/a (1).txt");
    drop(inbox);
    let (_inbox, kept) = run.again();
    assert_eq!(kept.done, [1]);
}

#[test]
fn a_journal_that_lies_is_torn_or_foreign_only_costs_time() {
    let run = holiday();
    let mut inbox = run.first();
    put(&run, &mut inbox, 1, b"hello");
    drop(inbox);
    let honest = fs::read_to_string(run.journal()).unwrap();
    let outside = run.save().parent().unwrap().join("outside.txt");
    for (journal, done) in [
        (honest.clone(), vec![1]),
        (honest.clone() + "{\"commit\":\"7f", vec![1]),
        (honest.replace("\"len_bytes\":5", "\"len_bytes\":6"), vec![]),
        (honest.replace("\"Holiday\",", "\"..\","), vec![]),
        (
            honest.replace("\"Holiday\",\"a.txt\"", "\"..\",\"outside.txt\""),
            vec![],
        ),
        (honest.replace("\"version\":2", "\"version\":3"), vec![]),
        (honest.replace("abab", "cdcd"), vec![]),
        (String::new(), vec![]),
        ("\u{0}\u{1}garbage".into(), vec![]),
    ] {
        fs::write(run.journal(), &journal).unwrap();
        let (mut inbox, kept) = run.again();
        assert_eq!(kept.done, done, "{journal}");
        // What is not believed comes again, and is found to be there already.
        let again = put(&run, &mut inbox, 1, b"hello");
        assert_eq!(again.path, "Holiday/a.txt", "{journal}");
        drop(inbox);
        assert!(!outside.exists());
    }
}

/// The journal without the lines about what became of the intents: a kill between the two.
fn forget_what_became(run: &Run) {
    let journal = fs::read_to_string(run.journal()).unwrap();
    let lines = journal.lines().filter(|line| !line.contains("\"placed\""));
    let kept: String = lines.map(|line| format!("{line}\n")).collect();
    assert_ne!(kept, journal);
    fs::write(run.journal(), kept).unwrap();
}

#[test]
fn a_kill_between_rename_and_journal_makes_no_twin() {
    let run = holiday();
    let mut inbox = run.first();
    put(&run, &mut inbox, 1, b"hello");
    drop(inbox);
    forget_what_became(&run);
    let (inbox, kept) = run.again();
    assert_eq!(kept.done, [1]);
    drop(inbox);
    // Looks the same, but its content is another one: it is not ours.
    let path = run.save().join("Holiday/a.txt");
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, "mine!").unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(before).unwrap();
    let (mut inbox, kept) = run.again();
    assert_eq!(kept.done, [] as [u32; 0]);
    let again = put(&run, &mut inbox, 1, b"hello");
    assert_eq!(again.path, "Holiday/a (1).txt");
    assert_eq!(fs::read(&path).unwrap(), b"mine!");
}

#[test]
fn somebody_elses_file_of_the_same_content_is_not_replaced_when_the_source_changes() {
    let run = holiday();
    let theirs = run.save().join("Holiday/a.txt");
    fs::create_dir(run.save().join("Holiday")).unwrap();
    fs::write(&theirs, "hello").unwrap();
    let modified = std::time::UNIX_EPOCH + std::time::Duration::new(1_700_000_000, 5);
    let file = fs::File::options().write(true).open(&theirs).unwrap();
    file.set_modified(modified).unwrap();
    let mut inbox = run.first();
    let found = put(&run, &mut inbox, 1, b"hello");
    assert_eq!(found.status, ropeway::model::EntryStatus::AlreadyThere);
    drop(inbox);

    let (mut inbox, _) = run.again();
    let mut entry = run.manifest.get(1).unwrap().clone();
    entry.kind = ropeway::model::EntryKind::File {
        len_bytes: 7,
        executable: false,
    };
    let target = Target {
        entry: &entry,
        ..run.target(1)
    };
    inbox.add_folder(0, run.manifest.get(0).unwrap()).unwrap();
    inbox
        .whole(target, b"changed", *blake3::hash(b"changed").as_bytes())
        .unwrap();
    let committed = inbox.commit().remove(0);
    assert_eq!(committed.path, "Holiday/a (1).txt");
    assert_eq!(fs::read(&theirs).unwrap(), b"hello");
}

#[test]
fn a_kept_file_that_has_grown_beyond_all_disks_is_not_believed() {
    let film = noise(1, 2 * GROUP);
    let mut run = Run::new(vec![file(None, "film", film.len())]);
    let mut inbox = run.first();
    run.write(&mut inbox, 0, &film, 0, GROUP + GROUP / 2);
    drop(inbox);
    run.manifest = Manifest::default();
    run.manifest
        .push(file(None, "film", usize::MAX >> 2))
        .unwrap();
    let (_inbox, kept) = run.again();
    assert_eq!(kept, Kept::default());
}

#[test]
fn what_arrived_in_a_run_that_ended_stays_whatever_became_of_it() {
    let mut run = Run::new(vec![
        file(None, "arrived", 5),
        file(None, "moved", 5),
        file(None, "changed", 5),
        file(None, "failed", 5),
    ]);
    let hash = *blake3::hash(b"12345").as_bytes();
    let mut inbox = run.first();
    for number in 0..3 {
        inbox.whole(run.target(number), b"12345", hash).unwrap();
    }
    inbox.abandon(run.target(3), Problem::Changed);
    inbox.commit();
    drop(inbox);
    fs::remove_file(run.save().join("moved")).unwrap();
    let mut manifest = Manifest::default();
    for (name, len) in [("arrived", 5), ("moved", 5), ("changed", 6), ("failed", 6)] {
        manifest.push(file(None, name, len)).unwrap();
    }
    run.manifest = manifest;

    let mut inbox = Inbox::go_on(run.save(), TRANSFER).unwrap();
    let kept = inbox.kept(&run.manifest, Rest::Failed);
    assert_eq!(kept.done, [0, 1]);
    let hash = *blake3::hash(b"123456").as_bytes();
    for number in 2..4 {
        inbox.whole(run.target(number), b"123456", hash).unwrap();
    }
    let committed = inbox.commit();
    let problems: Vec<_> = committed.iter().map(problem).collect();
    assert_eq!(problems, [Some(&Problem::ChangedSince), None]);
    inbox.discard_staged();
    drop(inbox);
    assert_eq!(listing(run.save()), ["arrived", "changed", "failed"]);
    assert_eq!(fs::read(run.save().join("changed")).unwrap(), b"12345");
    assert_eq!(fs::read(run.save().join("failed")).unwrap(), b"123456");
}

#[test]
fn a_file_that_arrived_and_then_failed_in_another_state_may_come() {
    let mut run = Run::new(vec![file(None, "letter", 5)]);
    let old = *blake3::hash(b"12345").as_bytes();
    let mut inbox = run.first();
    inbox.whole(run.target(0), b"12345", old).unwrap();
    inbox.commit();
    drop(inbox);
    // Cut, changed at the source, and that could not be read to its end.
    let mut manifest = Manifest::default();
    manifest.push(file(None, "letter", 6)).unwrap();
    run.manifest = manifest;
    let (mut inbox, kept) = run.again();
    assert_eq!(kept, Kept::default());
    inbox.abandon(run.target(0), Problem::Changed);
    inbox.commit();
    drop(inbox);

    let mut inbox = Inbox::go_on(run.save(), TRANSFER).unwrap();
    assert_eq!(inbox.kept(&run.manifest, Rest::Failed), Kept::default());
    let new = *blake3::hash(b"123456").as_bytes();
    inbox.whole(run.target(0), b"123456", new).unwrap();
    assert_eq!(problem(&inbox.commit()[0]), None);
    inbox.discard_staged();
    drop(inbox);
    assert_eq!(listing(run.save()), ["letter"], "no twin");
    assert_eq!(fs::read(run.save().join("letter")).unwrap(), b"123456");
}
