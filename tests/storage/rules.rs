//! What a person chose for names that are taken: every rule against everything that may have the name,
//! and never against what the transfer itself put there.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use ropeway::model::{Entry, EntryStatus, Manifest, OnConflict, Problem};
use ropeway::storage::inbox::Rest;
use ropeway::storage::{Committed, Inbox, Target};

use crate::support::{TRANSFER, at, file, folder, listing};

/// When the sender modified what it sends.
const SENT: i64 = 1_700_000_000;

const RULES: [OnConflict; 5] = [
    OnConflict::Rename,
    OnConflict::Skip,
    OnConflict::Replace,
    OnConflict::Newer,
    OnConflict::Separate,
];

struct Run {
    dir: tempfile::TempDir,
    rule: OnConflict,
    manifest: Manifest,
}

impl Run {
    fn new(rule: OnConflict, entries: Vec<Entry>) -> Self {
        let mut run = Self {
            dir: tempfile::tempdir().unwrap(),
            rule,
            manifest: Manifest::default(),
        };
        run.list(entries);
        run
    }

    fn list(&mut self, entries: Vec<Entry>) {
        self.manifest = Manifest::default();
        for entry in entries {
            self.manifest.push(entry).unwrap();
        }
    }

    fn save(&self) -> &Path {
        self.dir.path()
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.save().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap()
    }

    fn target(&self, number: u32) -> Target<'_> {
        Target {
            number,
            key: self.manifest.key(number).unwrap(),
            entry: self.manifest.get(number).unwrap(),
        }
    }

    fn first(&self) -> Inbox {
        let mut inbox = Inbox::create(self.save(), TRANSFER).unwrap();
        inbox.set_rule(self.rule);
        inbox
    }

    /// A later run, and what it finds done.
    fn again(&self) -> (Inbox, Vec<u32>) {
        let mut inbox = Inbox::go_on(self.save(), TRANSFER).unwrap();
        inbox.set_rule(self.rule);
        let kept = inbox.kept(&self.manifest, Rest::Missing);
        (inbox, kept.done)
    }

    fn put(&self, inbox: &mut Inbox, number: u32, content: &str) -> Committed {
        let hash = *blake3::hash(content.as_bytes()).as_bytes();
        inbox
            .whole(self.target(number), content.as_bytes(), hash)
            .unwrap();
        let mut committed = inbox.commit();
        assert_eq!(committed.len(), 1);
        committed.remove(0)
    }

    fn foreseen(&self, inbox: &mut Inbox, number: u32) -> Option<EntryStatus> {
        let mut decided = inbox.look([self.target(number)]).decided;
        assert!(decided.len() <= 1);
        decided.pop().map(|committed| committed.status)
    }

    fn journal(&self) -> std::path::PathBuf {
        let staging = self.save().join(".ropeway").join(TRANSFER.to_string());
        staging.join("journal")
    }

    /// A kill before the lines with this word were written.
    fn forget(&self, word: &str) {
        let journal = fs::read_to_string(self.journal()).unwrap();
        let lines = journal.lines().filter(|line| !line.contains(word));
        let kept: String = lines.map(|line| format!("{line}\n")).collect();
        assert_ne!(kept, journal, "nothing to forget");
        fs::write(self.journal(), kept).unwrap();
    }
}

fn sent(parent: Option<u32>, name: &str, content: &str) -> Entry {
    let mut entry = file(parent, name, content.len());
    entry.modified = at(SENT, 5);
    entry
}

/// Somebody's own file, modified so much later than the sent one.
fn theirs(path: &Path, content: &str, later: i64) {
    fs::write(path, content).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::new((SENT + later) as u64, 5);
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(time).unwrap();
}

#[test]
fn each_rule_decides_between_two_files_of_one_name() {
    use EntryStatus::{AlreadyThere, Arrived, Skipped};
    use OnConflict::{Newer, Rename, Replace, Separate, Skip};
    const OLDER: i64 = -60;
    const SAME_TIME: i64 = 0;
    const NEWER: i64 = 60;
    // What is there, and by rule: status, name, what stands under the name afterwards.
    type Outcome = (OnConflict, EntryStatus, &'static str, &'static str);
    type There = Option<(&'static str, i64)>;
    let cases: [(There, [Outcome; 5]); 5] = [
        (None, RULES.map(|rule| (rule, Arrived, "a.txt", "sent"))),
        (
            Some(("sent", NEWER)),
            RULES.map(|rule| (rule, AlreadyThere, "a.txt", "sent")),
        ),
        (
            Some(("theirs", OLDER)),
            [
                (Rename, Arrived, "a (1).txt", "theirs"),
                (Skip, Skipped, "a.txt", "theirs"),
                (Replace, Arrived, "a.txt", "sent"),
                (Newer, Arrived, "a.txt", "sent"),
                (Separate, Arrived, "a (1).txt", "theirs"),
            ],
        ),
        (
            Some(("theirs", SAME_TIME)),
            [
                (Rename, Arrived, "a (1).txt", "theirs"),
                (Skip, Skipped, "a.txt", "theirs"),
                (Replace, Arrived, "a.txt", "sent"),
                (Newer, Skipped, "a.txt", "theirs"),
                (Separate, Arrived, "a (1).txt", "theirs"),
            ],
        ),
        (
            Some(("theirs", NEWER)),
            [
                (Rename, Arrived, "a (1).txt", "theirs"),
                (Skip, Skipped, "a.txt", "theirs"),
                (Replace, Arrived, "a.txt", "sent"),
                (Newer, Skipped, "a.txt", "theirs"),
                (Separate, Arrived, "a (1).txt", "theirs"),
            ],
        ),
    ];
    for (there, outcomes) in cases {
        for (rule, status, name, after) in outcomes {
            let run = Run::new(rule, vec![sent(None, "a.txt", "sent")]);
            if let Some((content, later)) = there {
                theirs(&run.at("a.txt"), content, later);
            }
            let mut inbox = run.first();
            let committed = run.put(&mut inbox, 0, "sent");
            let case = format!("{rule:?}, there: {there:?}");
            assert_eq!(committed.status, status, "{case}");
            assert_eq!(committed.path, name, "{case}");
            assert_eq!(run.read("a.txt"), after, "{case}");
            let hash = (status != Skipped).then(|| *blake3::hash(b"sent").as_bytes());
            assert_eq!(committed.blake3, hash, "{case}");
            inbox.finish().unwrap();
            inbox.discard_staged();
            drop(inbox);
            let files = if name == "a.txt" { 1 } else { 2 };
            assert_eq!(
                listing(run.save()).len(),
                files,
                "{case}: no staging, no twin"
            );
        }
    }
}

#[test]
fn a_file_without_a_time_is_newer_than_nothing() {
    let mut entry = sent(None, "a.txt", "sent");
    entry.modified = None;
    let run = Run::new(OnConflict::Newer, vec![entry]);
    theirs(&run.at("a.txt"), "theirs", -1_000_000);
    let mut inbox = run.first();
    assert_eq!(run.foreseen(&mut inbox, 0), Some(EntryStatus::Skipped));
    let committed = run.put(&mut inbox, 0, "sent");
    assert_eq!(committed.status, EntryStatus::Skipped);
    assert_eq!(run.read("a.txt"), "theirs");
}

#[cfg(unix)]
#[test]
fn only_a_regular_file_is_ever_replaced_or_a_reason_to_skip() {
    use std::os::unix::fs::{FileTypeExt as _, symlink};
    for rule in RULES {
        let names = ["folder", "link", "dead", "fifo"];
        let entries = names.map(|name| sent(None, name, "sent"));
        let run = Run::new(rule, entries.to_vec());
        let outside = tempfile::tempdir().unwrap();
        let victim = outside.path().join("victim");
        fs::write(&victim, "victim").unwrap();
        fs::create_dir(run.at("folder")).unwrap();
        symlink(&victim, run.at("link")).unwrap();
        symlink("nowhere", run.at("dead")).unwrap();
        let fifo = std::process::Command::new("mkfifo")
            .arg(run.at("fifo"))
            .status();
        assert!(fifo.unwrap().success());
        // A rule is about the name itself, never about a numbered one that somebody has, too.
        theirs(&run.at("folder (1)"), "theirs", -60);
        let mut inbox = run.first();
        for (number, name) in (0..).zip(names) {
            assert_eq!(run.foreseen(&mut inbox, number), None, "{rule:?} {name}");
            let committed = run.put(&mut inbox, number, "sent");
            assert_eq!(committed.status, EntryStatus::Arrived, "{rule:?} {name}");
            let expected = match name {
                "folder" => "folder (2)".to_owned(),
                name => format!("{name} (1)"),
            };
            assert_eq!(committed.path, expected, "{rule:?}");
        }
        assert_eq!(fs::read_to_string(&victim).unwrap(), "victim");
        assert_eq!(run.read("folder (1)"), "theirs");
        let kind = |name| fs::symlink_metadata(run.at(name)).unwrap().file_type();
        assert!(kind("folder").is_dir() && kind("fifo").is_fifo());
        assert!(kind("link").is_symlink() && kind("dead").is_symlink());
        assert!(!run.at("nowhere").exists());
    }
}

#[cfg(unix)]
#[test]
fn a_read_only_file_is_replaced_whole_and_whoever_has_it_open_keeps_the_old_one() {
    use std::io::Read as _;
    use std::os::unix::fs::PermissionsExt as _;
    let run = Run::new(OnConflict::Replace, vec![sent(None, "a.txt", "sent")]);
    theirs(&run.at("a.txt"), "theirs", 60);
    fs::hard_link(run.at("a.txt"), run.at("other name")).unwrap();
    fs::set_permissions(run.at("a.txt"), fs::Permissions::from_mode(0o444)).unwrap();
    let mut open = fs::File::open(run.at("a.txt")).unwrap();
    let mut inbox = run.first();
    let committed = run.put(&mut inbox, 0, "sent");
    assert_eq!(committed.status, EntryStatus::Arrived);
    assert_eq!(run.read("a.txt"), "sent");
    let mut old = String::new();
    open.read_to_string(&mut old).unwrap();
    assert_eq!(old, "theirs", "one rename, not a write into it");
    assert_eq!(run.read("other name"), "theirs");
}

#[test]
fn what_is_foreseen_is_what_would_be_decided() {
    for rule in RULES {
        for later in [-60, 0, 60] {
            let entries = vec![
                folder(None, "Holiday"),
                sent(Some(0), "taken", "sent"),
                sent(Some(0), "free", "sent"),
            ];
            let run = Run::new(rule, entries);
            fs::create_dir(run.at("Holiday")).unwrap();
            theirs(&run.at("Holiday/taken"), "theirs", later);
            let mut inbox = run.first();
            inbox.add_picked_folder(run.target(0)).unwrap();
            let foreseen = run.foreseen(&mut inbox, 1);
            assert_eq!(run.foreseen(&mut inbox, 2), None);
            let committed = run.put(&mut inbox, 1, "sent");
            let skipped = committed.status == EntryStatus::Skipped;
            assert_eq!(foreseen.is_some(), skipped, "{rule:?} {later}");
            assert!(foreseen.is_none_or(|status| status == EntryStatus::Skipped));
        }
    }
}

#[test]
fn what_lies_in_a_folder_that_could_not_be_made_need_not_travel() {
    let run = Run::new(OnConflict::Rename, vec![sent(None, "a", "x")]);
    let mut inbox = run.first();
    let mut lost = sent(None, "b", "x");
    lost.parent = Some(77);
    let target = Target {
        entry: &lost,
        ..run.target(0)
    };
    let decided = inbox.look([target]).decided;
    assert_eq!(decided[0].status, EntryStatus::Failed(Problem::Folder));
}

#[test]
fn a_file_that_is_left_out_half_way_leaves_nothing_and_what_still_comes_is_ignored() {
    let run = Run::new(OnConflict::Skip, vec![sent(None, "a.txt", "123456789")]);
    theirs(&run.at("a.txt"), "theirs", 0);
    let mut inbox = run.first();
    inbox.write(run.target(0), 0, b"1234").unwrap();
    assert_eq!(run.foreseen(&mut inbox, 0), Some(EntryStatus::Skipped));
    inbox.leave_out(0, run.target(0).key);
    let parts = |run: &Run| {
        let names = listing(run.save()).into_iter();
        names.filter(|name| name.ends_with(".part")).count()
    };
    assert_eq!(parts(&run), 0);
    inbox.write(run.target(0), 4, b"56789").unwrap();
    inbox
        .complete(run.target(0), *blake3::hash(b"123456789").as_bytes())
        .unwrap();
    inbox.whole(run.target(0), b"123456789", [0; 32]).unwrap();
    inbox.abandon(run.target(0), Problem::Changed);
    assert_eq!(inbox.commit(), [], "its status was told");
    assert_eq!(parts(&run), 0);
    assert_eq!(run.read("a.txt"), "theirs");
}

#[test]
fn twins_within_one_transfer_are_kept_whatever_the_rule() {
    for rule in RULES {
        let twins = ["one", "two", "three"].map(|content| sent(None, "twin.txt", content));
        let run = Run::new(rule, twins.to_vec());
        let mut inbox = run.first();
        for (number, (content, name)) in (0..).zip([
            ("one", "twin.txt"),
            ("two", "twin (1).txt"),
            ("three", "twin (2).txt"),
        ]) {
            assert_eq!(run.foreseen(&mut inbox, number), None, "{rule:?}");
            let committed = run.put(&mut inbox, number, content);
            assert_eq!(committed.path, name, "{rule:?}");
            assert_eq!(run.read(name), content, "{rule:?}");
        }
    }
}

#[test]
fn of_twins_one_replaces_what_was_there_and_the_other_is_kept_also_in_a_later_run() {
    for later_run in [false, true] {
        let twins = ["one", "two"].map(|content| sent(None, "twin.txt", content));
        let run = Run::new(OnConflict::Replace, twins.to_vec());
        theirs(&run.at("twin.txt"), "theirs", 60);
        let mut inbox = run.first();
        assert_eq!(run.put(&mut inbox, 0, "one").path, "twin.txt");
        if later_run {
            drop(inbox);
            let done;
            (inbox, done) = run.again();
            assert_eq!(done, [0]);
        }
        assert_eq!(run.put(&mut inbox, 1, "two").path, "twin (1).txt");
        assert_eq!(run.read("twin.txt"), "one");
    }
}

/// The first twin is there already, which counts as arrived: the second may not take its place.
#[test]
fn what_was_there_already_belongs_to_its_entry_and_no_twin_replaces_it() {
    for later_run in [false, true] {
        for rule in [OnConflict::Replace, OnConflict::Newer] {
            let twins = ["one", "two"].map(|content| sent(None, "twin.txt", content));
            let run = Run::new(rule, twins.to_vec());
            theirs(&run.at("twin.txt"), "one", -60);
            let mut inbox = run.first();
            let first = run.put(&mut inbox, 0, "one");
            assert_eq!(first.status, EntryStatus::AlreadyThere);
            if later_run {
                drop(inbox);
                let done;
                (inbox, done) = run.again();
                assert_eq!(done, [0]);
            }
            assert_eq!(run.put(&mut inbox, 1, "two").path, "twin (1).txt");
            assert_eq!(run.read("twin.txt"), "one", "{rule:?}");
        }
    }
}

#[test]
fn a_newer_version_of_what_was_there_already_replaces_it_all_the_same() {
    let mut run = Run::new(OnConflict::Replace, vec![sent(None, "a.txt", "one")]);
    theirs(&run.at("a.txt"), "one", -60);
    let mut inbox = run.first();
    assert_eq!(
        run.put(&mut inbox, 0, "one").status,
        EntryStatus::AlreadyThere
    );
    drop(inbox);
    let mut changed = sent(None, "a.txt", "changed");
    changed.modified = at(SENT + 9, 0);
    run.list(vec![changed]);
    let (mut inbox, done) = run.again();
    assert_eq!(done, [] as [u32; 0]);
    assert_eq!(run.put(&mut inbox, 0, "changed").path, "a.txt");
    assert_eq!(run.read("a.txt"), "changed");
}

#[test]
fn a_later_run_applies_the_rule_to_what_was_there_and_not_to_what_an_earlier_run_put_there() {
    // The source changed in between, to a time before that of everything.
    for rule in RULES {
        for killed_before_the_journal in [false, true] {
            let mut run = Run::new(rule, vec![sent(None, "a.txt", "sent")]);
            let mut inbox = run.first();
            assert_eq!(run.put(&mut inbox, 0, "sent").path, "a.txt");
            drop(inbox);
            if killed_before_the_journal {
                run.forget("\"placed\"");
            }
            let (inbox, done) = run.again();
            assert_eq!(done, [0], "{rule:?}");
            drop(inbox);
            let mut changed = sent(None, "a.txt", "changed");
            changed.modified = at(SENT - 1_000_000, 0);
            run.list(vec![changed]);
            let (mut inbox, done) = run.again();
            assert_eq!(done, [] as [u32; 0]);
            assert_eq!(run.foreseen(&mut inbox, 0), None, "{rule:?}");
            let committed = run.put(&mut inbox, 0, "changed");
            let case = format!("{rule:?} {killed_before_the_journal}");
            assert_eq!(committed.path, "a.txt", "{case}");
            assert_eq!(committed.status, EntryStatus::Arrived, "{case}");
            assert_eq!(run.read("a.txt"), "changed", "{case}");
        }
    }
}

#[test]
fn a_kill_between_rename_and_journal_makes_no_twin_of_what_was_replaced() {
    for rule in [OnConflict::Replace, OnConflict::Newer] {
        let run = Run::new(rule, vec![sent(None, "a.txt", "sent")]);
        theirs(&run.at("a.txt"), "theirs", -60);
        let mut inbox = run.first();
        run.put(&mut inbox, 0, "sent");
        drop(inbox);
        run.forget("\"placed\"");
        let (mut inbox, done) = run.again();
        assert_eq!(done, [0], "{rule:?}");
        inbox.finish().unwrap();
        inbox.discard_staged();
        drop(inbox);
        assert_eq!(listing(run.save()), ["a.txt"]);
    }
}

#[test]
fn a_kill_between_journal_and_rename_claims_nothing() {
    for (rule, status, name) in [
        (OnConflict::Replace, EntryStatus::Arrived, "a.txt"),
        (OnConflict::Newer, EntryStatus::Arrived, "a.txt"),
        (OnConflict::Skip, EntryStatus::Skipped, "a.txt"),
        (OnConflict::Rename, EntryStatus::Arrived, "a (1).txt"),
    ] {
        let run = Run::new(rule, vec![sent(None, "a.txt", "sent")]);
        let mut inbox = run.first();
        run.put(&mut inbox, 0, "sent");
        drop(inbox);
        // As if the rename had not happened: the name still belongs to somebody's own file.
        run.forget("\"placed\"");
        theirs(&run.at("a.txt"), "theirs", -60);
        let (mut inbox, done) = run.again();
        assert_eq!(done, [] as [u32; 0], "{rule:?}");
        let skips = status == EntryStatus::Skipped;
        assert_eq!(run.foreseen(&mut inbox, 0).is_some(), skips, "{rule:?}");
        let committed = run.put(&mut inbox, 0, "sent");
        assert_eq!((committed.status, committed.path.as_str()), (status, name));
    }
}

#[test]
fn somebody_elses_file_of_the_same_content_is_not_ours_after_a_kill() {
    // Same content, other time: it was there already, and stays theirs when the source changes.
    let mut run = Run::new(OnConflict::Rename, vec![sent(None, "a.txt", "sent")]);
    theirs(&run.at("a.txt"), "sent", 60);
    let mut inbox = run.first();
    let found = run.put(&mut inbox, 0, "sent");
    assert_eq!(found.status, EntryStatus::AlreadyThere);
    drop(inbox);
    run.forget("\"placed\"");
    run.list(vec![sent(None, "a.txt", "changed")]);
    let (mut inbox, _) = run.again();
    assert_eq!(run.put(&mut inbox, 0, "changed").path, "a (1).txt");
    assert_eq!(run.read("a.txt"), "sent");
}

fn holiday() -> Vec<Entry> {
    let mut top = folder(None, "Holiday");
    top.modified = at(SENT, 0);
    vec![
        top,
        sent(Some(0), "a.txt", "sent"),
        sent(Some(0), "b.txt", "b"),
    ]
}

#[test]
fn a_separate_folder_arrives_beside_the_one_that_is_there_and_a_later_run_finds_it() {
    for taken in [false, true] {
        let run = Run::new(OnConflict::Separate, holiday());
        let expected = if taken { "Holiday (1)" } else { "Holiday" };
        if taken {
            fs::create_dir(run.at("Holiday")).unwrap();
            theirs(&run.at("Holiday/a.txt"), "theirs", 0);
        }
        let mut inbox = run.first();
        let made = inbox.add_picked_folder(run.target(0)).unwrap();
        assert_eq!(
            (made.status, made.path.as_str()),
            (EntryStatus::Arrived, expected)
        );
        let path = run.put(&mut inbox, 1, "sent").path;
        assert_eq!(path, format!("{expected}/a.txt"));
        drop(inbox);
        let (mut inbox, done) = run.again();
        assert_eq!(done, [1]);
        let again = inbox.add_picked_folder(run.target(0)).unwrap();
        assert_eq!(
            (again.status, again.path.as_str()),
            (EntryStatus::Arrived, expected)
        );
        let path = run.put(&mut inbox, 2, "b").path;
        assert_eq!(path, format!("{expected}/b.txt"));
        inbox.finish().unwrap();
        inbox.discard_staged();
        drop(inbox);
        let tops = fs::read_dir(run.save()).unwrap().count();
        assert_eq!(tops, if taken { 2 } else { 1 });
        let time = fs::metadata(run.at(expected)).unwrap().modified().unwrap();
        assert_eq!(
            time,
            SystemTime::UNIX_EPOCH + Duration::from_secs(SENT as u64)
        );
    }
}

#[test]
fn a_separate_folder_is_found_after_a_kill_around_its_making_and_nobody_elses_is_taken() {
    let made = "\"made\":true";
    // Killed after it was made, before that was written down.
    let run = Run::new(OnConflict::Separate, holiday());
    fs::create_dir(run.at("Holiday")).unwrap();
    let mut inbox = run.first();
    inbox.add_picked_folder(run.target(0)).unwrap();
    drop(inbox);
    run.forget(made);
    let (mut inbox, _) = run.again();
    let path = inbox.add_picked_folder(run.target(0)).unwrap().path;
    assert_eq!(path, "Holiday (1)");
    drop(inbox);
    // Killed before it was made; somebody has made one of that name since, with something in it.
    run.forget(made);
    fs::write(run.at("Holiday (1)/theirs"), "x").unwrap();
    let (mut inbox, _) = run.again();
    let path = inbox.add_picked_folder(run.target(0)).unwrap().path;
    assert_eq!(path, "Holiday (2)");
    drop(inbox);
    // A link in its place is not entered, and a journal that lies does not lead out.
    fs::remove_dir(run.at("Holiday (2)")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("Holiday", run.at("Holiday (2)")).unwrap();
    let lying = fs::read_to_string(run.journal()).unwrap();
    for journal in [lying.clone(), lying.replace("Holiday (2)", "..")] {
        fs::write(run.journal(), journal).unwrap();
        let (mut inbox, _) = run.again();
        let path = inbox.add_picked_folder(run.target(0)).unwrap().path;
        assert!(path.starts_with("Holiday ("), "{path}");
        assert_ne!(path, "Holiday (2)");
    }
}

#[test]
fn only_picked_folders_stay_apart() {
    let entries = vec![folder(None, "top"), folder(Some(0), "sub")];
    let run = Run::new(OnConflict::Separate, entries);
    fs::create_dir_all(run.at("top/sub")).unwrap();
    let mut inbox = run.first();
    inbox.add_picked_folder(run.target(0)).unwrap();
    let sub = inbox.add_picked_folder(run.target(1)).unwrap();
    assert_eq!(sub.path, "top (1)/sub");
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_on_another_disk_within_the_save_folder_is_replaced_as_well() {
    use crate::disk::SmallDisk;
    let run = Run::new(OnConflict::Replace, holiday());
    fs::create_dir(run.at("Holiday")).unwrap();
    let mounted = run.at("Holiday");
    if !SmallDisk::mount_at(&mounted, "size=1m") {
        return;
    }
    theirs(&run.at("Holiday/a.txt"), "theirs", 60);
    let mut inbox = run.first();
    inbox.add_picked_folder(run.target(0)).unwrap();
    let committed = run.put(&mut inbox, 1, "sent");
    let names = listing(&mounted);
    let content = run.read("Holiday/a.txt");
    drop(inbox);
    SmallDisk::unmount(&mounted);
    assert_eq!(committed.status, EntryStatus::Arrived);
    assert_eq!(
        (names, content),
        (vec!["a.txt".to_owned()], "sent".to_owned())
    );
}

#[test]
fn of_two_files_of_one_length_the_content_decides_before_the_rule() {
    for (content, status) in [
        ("sent", EntryStatus::AlreadyThere),
        ("mine", EntryStatus::Skipped),
    ] {
        for rule in [OnConflict::Skip, OnConflict::Newer] {
            let run = Run::new(rule, vec![sent(None, "a.txt", "sent")]);
            theirs(&run.at("a.txt"), content, 60);
            let mut inbox = run.first();
            let committed = run.put(&mut inbox, 0, "sent");
            assert_eq!(committed.status, status, "{rule:?}");
            assert_eq!(run.read("a.txt"), content);
            let parts = listing(run.save()).into_iter();
            assert_eq!(parts.filter(|name| name.ends_with(".part")).count(), 0);
        }
    }
}
