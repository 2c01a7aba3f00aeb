//! What fails is named at both ends, waits for a week, and is all that a retry sends.

// Helpers of tests are tests, too; clippy only knows the functions that are marked.
#![allow(clippy::unwrap_used)]
#![cfg(unix)]

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};

use ropeway::engine::{AcceptPolicy, Answer, Command, Event, Interrupted};
use ropeway::model::{
    EntryStatus, FailedLine, Failure, FileReport, Problem, Status, Summary, TransferId,
};
use serde_json::Value;
use support::{Device, PASSPHRASE, noise, tree};

/// Lists `folder`, lets `spoil` change what is listed before it is read, and waits for the end of
/// it at both ends.
fn spoiled(
    garden: &mut Device,
    study: &mut Device,
    folder: &Path,
    spoil: impl FnOnce(),
) -> (TransferId, Summary) {
    let addr = garden.listen(AcceptPolicy::Ask, Some(PASSPHRASE));
    let transfer = study.send(&[folder], addr, PASSPHRASE);
    let offer = garden.offer();
    spoil();
    let accept = Answer::Accept {
        folder: None,
        on_conflict: None,
        remember: false,
    };
    garden
        .engine
        .command(Command::Answer(offer.transfer, accept));
    let sent = study.ended();
    let received = garden.ended();
    assert_eq!(sent.failed, received.failed);
    assert_eq!(sent.can_retry, received.can_retry);
    study.safe();
    garden.safe();
    (transfer, sent)
}

fn retry(garden: &mut Device, study: &mut Device, transfer: TransferId) -> Summary {
    for device in [&mut *garden, &mut *study] {
        device.said.clear();
    }
    study.engine.command(Command::Resume(transfer));
    let sent = study.ended();
    let received = garden.ended();
    assert_eq!(
        (sent.status, sent.failed),
        (received.status, received.failed)
    );
    study.safe();
    garden.safe();
    let asked = |event: &Event| matches!(event, Event::Offer(_) | Event::OfferWithdrawn(_));
    assert!(!garden.said.iter().any(asked), "nobody is asked again");
    sent
}

fn failed(reports: Vec<FileReport>) -> Vec<(String, Problem)> {
    let mut failed: Vec<_> = reports
        .into_iter()
        .filter_map(|report| match report.status {
            EntryStatus::Failed(problem) => Some((report.path, problem)),
            EntryStatus::Arrived | EntryStatus::AlreadyThere | EntryStatus::Skipped => None,
        })
        .collect();
    failed.sort_by(|a, b| a.0.cmp(&b.0));
    failed
}

/// Of what it keeps, once everything is written.
fn records(device: Device) -> usize {
    let home = end(device);
    let folder = home.path().join("data/transfers");
    fs::read_dir(folder).map_or(0, Iterator::count)
}

/// Ends an engine, so that everything it writes is written.
fn end(device: Device) -> tempfile::TempDir {
    let Device { engine, home, .. } = device;
    drop(engine);
    home
}

fn thesis(at: &Path) -> PathBuf {
    let folder = at.join("Thesis");
    fs::create_dir_all(folder.join("data")).unwrap();
    fs::write(folder.join("film"), noise(1, 3_000_000)).unwrap();
    fs::write(folder.join("log"), noise(2, 200_000)).unwrap();
    fs::write(folder.join("data/table"), noise(3, 100_000)).unwrap();
    fs::write(folder.join("data/small"), "small").unwrap();
    folder
}

#[test]
fn a_retry_sends_only_what_failed_and_then_nothing_is_kept() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let folder = thesis(study.home.path());
    let spoil = || {
        fs::write(folder.join("log"), noise(4, 200_001)).unwrap();
        fs::write(folder.join("data/small"), "changed").unwrap();
    };
    let (transfer, sent) = spoiled(&mut garden, &mut study, &folder, spoil);
    assert_eq!((sent.status, sent.failed), (Status::Problems, 2));
    assert!(sent.can_retry);
    let expected = [
        ("Thesis/data/small".to_owned(), Problem::Changed),
        ("Thesis/log".to_owned(), Problem::Changed),
    ];
    assert_eq!(failed(study.reports()), expected);
    assert_eq!(failed(garden.reports()), expected);
    assert!(garden.inbox().join(".ropeway").exists(), "it is kept");

    let sent = retry(&mut garden, &mut study, transfer);
    assert_eq!((sent.status, sent.failed), (Status::Arrived, 0));
    assert_eq!(sent.sent_bytes, 200_001 + 7, "nothing else travels");
    assert!(!sent.can_retry);
    let started = |event: &&Event| matches!(event, Event::Started(_));
    for device in [&study, &garden] {
        assert_eq!(device.said.iter().filter(started).count(), 1);
    }
    assert_eq!(
        tree(&garden.inbox()).len(),
        tree(&folder).len() + 1,
        "no twins"
    );
    assert_eq!(tree(&garden.inbox().join("Thesis")), tree(&folder));
    let inbox = garden.inbox();
    let homes = (end(garden), end(study));
    assert!(!inbox.join(".ropeway").exists());
    for home in [&homes.0, &homes.1] {
        let kept = fs::read_dir(home.path().join("data/transfers")).unwrap();
        assert_eq!(kept.count(), 0);
    }
}

#[test]
fn what_has_arrived_stays_as_it_is_and_where_it_was_moved_to() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let folder = thesis(study.home.path());
    let spoil = || fs::write(folder.join("log"), "changed").unwrap();
    let (transfer, _) = spoiled(&mut garden, &mut study, &folder, spoil);
    // The receiver tidies up; the sender works on, and one thing is new.
    let there = garden.inbox().join("Thesis");
    fs::rename(there.join("film"), garden.home.path().join("film")).unwrap();
    fs::write(folder.join("data/table"), "another table").unwrap();
    fs::remove_file(folder.join("data/small")).unwrap();
    fs::create_dir(folder.join("data/small")).unwrap();
    fs::write(folder.join("new"), "new").unwrap();

    let sent = retry(&mut garden, &mut study, transfer);
    assert_eq!((sent.status, sent.failed), (Status::Problems, 1));
    let expected = [("Thesis/data/table".to_owned(), Problem::ChangedSince)];
    assert_eq!(failed(study.reports()), expected);
    assert_eq!(failed(garden.reports()), expected);
    assert!(!sent.can_retry, "another try would not help");
    assert!(!there.join("film").exists(), "it is not sent twice");
    assert_eq!(
        fs::read(there.join("data/table")).unwrap(),
        noise(3, 100_000)
    );
    assert_eq!(fs::read(there.join("data/small")).unwrap(), b"small");
    assert_eq!(fs::read(there.join("log")).unwrap(), b"changed");
    assert_eq!(fs::read(there.join("new")).unwrap(), b"new");
    assert!(!garden.inbox().join(".ropeway").exists());
    assert_eq!(records(study), 0);
}

#[test]
fn after_a_restart_it_is_listed_as_failed_and_delete_removes_what_is_kept() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let folder = thesis(study.home.path());
    let spoil = || fs::write(folder.join("log"), "changed").unwrap();
    let (transfer, _) = spoiled(&mut garden, &mut study, &folder, spoil);
    let inbox = garden.inbox();
    let homes = [end(garden), end(study)];
    let mut engines = homes.each_ref().map(|home| {
        let config = ropeway::engine::Config {
            data_dir: home.path().join("data"),
            name: ropeway::model::DeviceName::cleaned("again", "?"),
        };
        let (engine, events) = ropeway::engine::Engine::start(config, || {}).unwrap();
        let kept = loop {
            match events.recv_timeout(support::PATIENCE).unwrap() {
                Event::Kept(kept) => break kept,
                _about_devices => {}
            }
        };
        let [Interrupted { failed, .. }] = kept.as_slice() else {
            panic!("{kept:?}");
        };
        assert_eq!(*failed, 1);
        engine.command(Command::Forget(transfer));
        Some(engine)
    });
    engines.iter_mut().for_each(|engine| drop(engine.take()));
    assert!(!inbox.join(".ropeway").exists());
    for home in &homes {
        let kept = fs::read_dir(home.path().join("data/transfers")).unwrap();
        assert_eq!(kept.count(), 0);
    }
}

#[test]
fn what_a_retry_cannot_help_is_not_kept() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let folder = thesis(study.home.path());
    std::os::unix::fs::symlink("film", folder.join("link")).unwrap();
    let (_, sent) = spoiled(&mut garden, &mut study, &folder, || {});
    assert_eq!((sent.status, sent.failed), (Status::Problems, 1));
    assert!(!sent.can_retry);
    assert!(!garden.inbox().join(".ropeway").exists());
    assert_eq!(records(study), 0);
}

#[test]
fn a_save_folder_that_is_gone_is_not_made_anew_for_a_retry() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let folder = thesis(study.home.path());
    let spoil = || fs::write(folder.join("log"), "changed").unwrap();
    let (transfer, _) = spoiled(&mut garden, &mut study, &folder, spoil);
    // As if its drive had been pulled out.
    let away = garden.home.path().join("away");
    fs::rename(garden.inbox(), &away).unwrap();
    study.engine.command(Command::Resume(transfer));
    let sent = study.ended();
    assert_eq!(sent.failure, Some(Failure::PeerDisk(Problem::Gone)));
    assert!(sent.can_retry);
    assert_eq!(garden.ended().failure, Some(Failure::Disk(Problem::Gone)));
    assert!(!garden.inbox().exists());
    // Other transfers go on, and so does this one when the drive is back.
    fs::rename(&away, garden.inbox()).unwrap();
    let sent = retry(&mut garden, &mut study, transfer);
    assert_eq!((sent.status, sent.sent_bytes), (Status::Arrived, 7));
    assert_eq!(tree(&garden.inbox().join("Thesis")), tree(&folder));
}

#[test]
fn a_save_folder_that_vanishes_fails_its_own_transfer_and_no_other() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let mut attic = Device::new("Attic");
    let addr = garden.listen(AcceptPolicy::Ask, Some(PASSPHRASE));
    let (drive, film) = (
        garden.home.path().join("drive"),
        study.home.path().join("film"),
    );
    fs::File::create(&film).unwrap().set_len(512 << 20).unwrap();
    study.send(&[&film], addr, PASSPHRASE);
    let offer = garden.offer();
    let folder = Some(drive.clone());
    let accept = Answer::Accept {
        folder,
        on_conflict: None,
        remember: false,
    };
    garden
        .engine
        .command(Command::Answer(offer.transfer, accept));
    study.wait("bytes moving", |event| match event {
        Event::Progress(progress) => (progress.bytes > 1_000_000).then_some(()),
        _ => None,
    });
    fs::rename(&drive, garden.home.path().join("pulled out")).unwrap();
    let letter = attic.home.path().join("letter");
    fs::write(&letter, "hello").unwrap();
    attic.send(&[&letter], addr, PASSPHRASE);
    let other = garden.offer();
    let accept = Answer::Accept {
        folder: None,
        on_conflict: None,
        remember: false,
    };
    garden
        .engine
        .command(Command::Answer(other.transfer, accept));
    attic.arrived();
    let ended = study.ended();
    assert_eq!((ended.status, ended.can_retry), (Status::Failed, true));
    assert_eq!(ended.failure, Some(Failure::PeerDisk(Problem::Gone)));
    assert!(!drive.exists());
    assert_eq!(fs::read(garden.inbox().join("letter")).unwrap(), b"hello");
}

/// One of everything that cannot be sent, besides things that can.
fn odd_things(at: &Path) -> PathBuf {
    let folder = at.join("odd");
    fs::create_dir_all(folder.join("folder")).unwrap();
    fs::write(folder.join("fine"), "fine").unwrap();
    let fifo = std::process::Command::new("mkfifo")
        .arg(folder.join("fifo"))
        .status();
    assert!(fifo.unwrap().success());
    drop(std::os::unix::net::UnixListener::bind(folder.join("socket")).unwrap());
    std::os::unix::fs::symlink("..", folder.join("folder/loop")).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.join("dangling")).unwrap();
    std::os::unix::fs::symlink("fine", folder.join("link")).unwrap();
    let odd = std::ffi::OsStr::from_bytes(b"not \xff utf-8");
    fs::write(folder.join(odd), "odd").unwrap();
    fs::write(folder.join("vanishes"), "soon").unwrap();
    fs::write(folder.join("changes"), noise(1, 300_000)).unwrap();
    // Needs root; its reading is covered by what /dev/null is everywhere.
    let device = std::process::Command::new("mknod")
        .arg(folder.join("device"))
        .args(["c", "1", "3"])
        .status();
    if !device.is_ok_and(|made| made.success()) {
        std::os::unix::fs::symlink("/dev/null", folder.join("device")).unwrap();
    }
    folder
}

#[test]
fn every_odd_thing_in_a_source_is_reported_at_both_ends_and_nothing_waits_for_it() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let folder = odd_things(study.home.path());
    let spoil = || {
        fs::remove_file(folder.join("vanishes")).unwrap();
        fs::write(folder.join("changes"), "changed").unwrap();
    };
    let (_, sent) = spoiled(&mut garden, &mut study, &folder, spoil);
    let device_is_a_link = folder.join("device").is_symlink();
    let device = if device_is_a_link {
        Problem::Link
    } else {
        Problem::Special
    };
    let expected = [
        ("odd/changes", Problem::Changed),
        ("odd/dangling", Problem::Link),
        ("odd/device", device),
        ("odd/fifo", Problem::Special),
        ("odd/folder/loop", Problem::Link),
        ("odd/link", Problem::Link),
        ("odd/socket", Problem::Special),
        ("odd/vanishes", Problem::Vanished),
    ];
    let expected = expected.map(|(path, problem)| (path.to_owned(), problem));
    assert_eq!(failed(study.reports()), expected);
    assert_eq!(failed(garden.reports()), expected);
    assert_eq!(sent.failed, expected.len() as u64);
    let arrived: Vec<_> = tree(&garden.inbox().join("odd"))
        .into_iter()
        .map(|(path, _)| path)
        .collect();
    let names = ["fine", "folder", "not %FF utf-8"].map(PathBuf::from);
    assert_eq!(arrived, names);
    // The one name that is another one there is said as it is there.
    let mut reports = study.reports().into_iter();
    assert!(reports.any(|report| report.path == "odd/not %FF utf-8"));
}

#[test]
fn the_list_is_written_where_the_person_says() {
    let mut study = Device::new("Study");
    let lines = vec![FailedLine {
        path: "Thesis/log".into(),
        len_bytes: 7,
        code: Problem::Changed.code(),
        reason: "它变了".into(),
    }];
    let there = study.home.path().join("failed.csv");
    let nowhere = study.home.path().join("no/failed.csv");
    for (path, works) in [(&there, true), (&nowhere, false)] {
        study.engine.command(Command::SaveList {
            path: path.clone(),
            lines: lines.clone(),
        });
        study.wait("ListSaved", |event| match event {
            Event::ListSaved {
                path: said,
                problem,
            } => {
                assert_eq!((said, problem.is_none()), (path, works));
                Some(())
            }
            _ => None,
        });
    }
    let table = fs::read_to_string(there).unwrap();
    assert!(table.contains("Thesis/log,7,changed,它变了"), "{table}");
}

/// `ropeway` as somebody for whom permissions count, also where the tests run as root.
struct Nobody {
    folder: tempfile::TempDir,
}

impl Nobody {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        mode(folder.path(), 0o777);
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn ropeway(&self, device: &str, arguments: &[&str]) -> std::process::Command {
        let built = Path::new(env!("CARGO_BIN_EXE_ropeway"));
        let root = rustix::process::getuid().is_root();
        let program = if root {
            let copy = self.path("ropeway");
            if !copy.exists() {
                fs::copy(built, &copy).unwrap();
            }
            copy
        } else {
            built.to_owned()
        };
        let mut command = std::process::Command::new(program);
        command
            .args(arguments)
            .arg("--data-dir")
            .arg(self.path(device))
            .env_remove("ROPEWAY_CODE")
            .env("ROPEWAY_PRESENCE", "off")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if root {
            command.uid(65_534).gid(65_534);
        }
        command
    }

    /// Takes one transfer, from one who knows the passphrase. Gives its address.
    fn receive(&self, listen: &str) -> (Child, String) {
        let inbox = self.path("inbox");
        let arguments = [
            "receive",
            "--once",
            "--json",
            "--accept",
            "all",
            "--listen",
            listen,
            "--dir",
            inbox.to_str().unwrap(),
        ];
        let mut command = self.ropeway("garden", &arguments);
        let mut child = command.env("ROPEWAY_CODE", PASSPHRASE).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let listening: Value = serde_json::from_str(&line).unwrap();
        // Whoever stops to read would end it.
        std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
        (child, format!("127.0.0.1:{}", listening["port"]))
    }

    fn send(&self, what: &Path, to: &str, secret: Option<&str>) -> (Option<i32>, String) {
        let mut command = self.ropeway("study", &["send", what.to_str().unwrap(), "--to", to]);
        if let Some(secret) = secret {
            command.env("ROPEWAY_CODE", secret);
        }
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().unwrap();
        let said = String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap();
        (status.code(), said)
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn sent_again_after_its_permissions_are_mended_only_what_failed_arrives() {
    let somebody = Nobody::new();
    let album = somebody.path("Album");
    for folder in ["closed/deep", "elsewhere/deep"] {
        fs::create_dir_all(album.join(folder)).unwrap();
    }
    fs::write(album.join("fine"), noise(1, 2_000_000)).unwrap();
    for file in [
        "secret",
        "closed/a",
        "closed/deep/b",
        "elsewhere/c",
        "elsewhere/deep/d",
    ] {
        fs::write(album.join(file), file).unwrap();
    }
    // The sender may not read a file and a folder; the receiver may not write into another folder.
    mode(&album.join("secret"), 0o000);
    mode(&album.join("closed"), 0o000);
    let refusing = somebody.path("inbox/Album/elsewhere");
    fs::create_dir_all(&refusing).unwrap();
    for open in ["inbox", "inbox/Album"] {
        mode(&somebody.path(open), 0o777);
    }
    mode(&refusing, 0o555);

    let (mut receiver, to) = somebody.receive("127.0.0.1:0");
    let (code, said) = somebody.send(&album, &to, Some(PASSPHRASE));
    assert_eq!(code, Some(6), "{said}");
    assert_eq!(receiver.wait().unwrap().code(), Some(6));
    // The people's list: each with its reason, at the end, and what to do.
    for line in [
        "  Album/secret: it cannot be read; check its permissions, or the disk it is on.",
        "  Album/closed: it cannot be read; check its permissions, or the disk it is on.",
        "  Album/elsewhere/c: no permission to write there; change it, or choose another save folder.",
        "  Album/elsewhere/deep/d: the folder it belongs in could not be made; see why that folder failed.",
        "Send the same again to retry only these.",
    ] {
        assert!(said.contains(line), "{line} in {said}");
    }

    // Nothing is mended yet: it fails the same way, without a code and without a twin.
    let (mut receiver, _) = somebody.receive(&to);
    let (code, said) = somebody.send(&album, &to, None);
    assert_eq!(code, Some(6), "{said}");
    assert_eq!(receiver.wait().unwrap().code(), Some(6));

    mode(&album.join("secret"), 0o644);
    mode(&album.join("closed"), 0o755);
    mode(&refusing, 0o777);
    let (mut receiver, _) = somebody.receive(&to);
    let (code, said) = somebody.send(&album, &to, None);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(receiver.wait().unwrap().code(), Some(0));
    assert_eq!(tree(&album), tree(&somebody.path("inbox/Album")));
    let there: Vec<_> = fs::read_dir(somebody.path("inbox")).unwrap().collect();
    assert_eq!(there.len(), 1, "no twin and no staging");
    for device in ["study", "garden"] {
        let kept = fs::read_dir(somebody.path(device).join("transfers")).unwrap();
        assert_eq!(kept.count(), 0, "{device} keeps nothing");
    }
}

#[test]
fn a_long_list_of_failures_ends_with_how_many_more() {
    let somebody = Nobody::new();
    let album = somebody.path("Album");
    fs::create_dir(&album).unwrap();
    for n in 0..50 {
        std::os::unix::fs::symlink("nowhere", album.join(format!("link {n}"))).unwrap();
    }
    let (mut receiver, to) = somebody.receive("127.0.0.1:0");
    let (code, said) = somebody.send(&album, &to, Some(PASSPHRASE));
    assert_eq!(code, Some(6), "{said}");
    assert_eq!(receiver.wait().unwrap().code(), Some(6));
    assert_eq!(said.matches("links are not sent").count(), 20, "{said}");
    assert!(said.contains("and 30 more"), "{said}");
    assert!(!said.contains("to retry"), "a retry would not help: {said}");
}

#[test]
fn who_chose_another_save_folder_since_the_old_one_is_gone_has_the_rest_there() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let folder = thesis(study.home.path());
    let spoil = || fs::write(folder.join("log"), "changed").unwrap();
    let (transfer, _) = spoiled(&mut garden, &mut study, &folder, spoil);
    let moved = garden.home.path().join("moved");
    fs::rename(garden.inbox(), &moved).unwrap();
    garden.engine.command(Command::SetSaveFolder(moved.clone()));
    let sent = retry(&mut garden, &mut study, transfer);
    assert_eq!((sent.status, sent.sent_bytes), (Status::Arrived, 7));
    assert_eq!(tree(&moved.join("Thesis")), tree(&folder));
    assert!(!garden.inbox().exists());
}
