//! What exists already at the receiver does not travel: newer versions, the same once more, and what
//! happens when it changes meanwhile. Two engines in one process, real sockets and folders.
#![cfg(unix)]
// Helpers of tests are tests, too; clippy only knows the functions that are marked.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ropeway::engine::{AcceptPolicy, Answer, Bind, Command, Event, ListenOptions};
use ropeway::model::{EntryStatus, OnConflict, Secret, Summary};
use support::{Device, PASSPHRASE, noise, tree};

const MIB: usize = 1 << 20;

fn listen(garden: &mut Device, rule: OnConflict) -> SocketAddr {
    garden.engine.command(Command::Listen(ListenOptions {
        allow: ropeway::model::Allow::Code,
        remember: false,
        bind: Bind::Exact("127.0.0.1:0".parse().unwrap()),
        save_folder: garden.inbox(),
        passphrase: Some(Secret::passphrase(PASSPHRASE).unwrap()),
        accept: AcceptPolicy::Ask,
        on_conflict: rule,
        once: false,
    }));
    garden.wait("Listening", |event| match event {
        Event::Listening(listening) => Some(listening.addr),
        _ => None,
    })
}

/// Sends something, accepts it when all of it is listed, so that nothing travels before it was looked
/// at, and waits until it is safe at both ends.
fn send(study: &mut Device, garden: &mut Device, addr: SocketAddr, what: &Path) -> Summary {
    study.send(&[what], addr, PASSPHRASE);
    let offer = garden.offer();
    let accept = Answer::Accept {
        folder: None,
        on_conflict: None,
        remember: false,
    };
    let answer = Command::Answer(offer.transfer, accept);
    garden.engine.command(answer);
    let summary = study.arrived();
    garden.arrived();
    study.safe();
    garden.safe();
    assert!(!garden.inbox().join(".ropeway").exists());
    summary
}

struct Pair {
    garden: Device,
    study: Device,
    addr: SocketAddr,
    film: PathBuf,
}

impl Pair {
    /// A film that has been sent once.
    fn new(rule: OnConflict, content: &[u8]) -> Self {
        let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
        let addr = listen(&mut garden, rule);
        let film = study.home.path().join("film");
        fs::write(&film, content).unwrap();
        let first = send(&mut study, &mut garden, addr, &film);
        assert_eq!(first.sent_bytes, content.len() as u64);
        Self {
            garden,
            study,
            addr,
            film,
        }
    }

    /// Sends it again with this content.
    fn again(&mut self, content: &[u8]) -> Summary {
        fs::write(&self.film, content).unwrap();
        send(&mut self.study, &mut self.garden, self.addr, &self.film)
    }

    fn there(&self, name: &str) -> Vec<u8> {
        fs::read(self.garden.inbox().join(name)).unwrap()
    }
}

#[test]
fn the_same_files_once_more_do_not_travel_and_make_no_twins() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let addr = listen(&mut garden, OnConflict::Rename);
    let source = study.home.path().join("tree");
    fs::create_dir_all(source.join("deep/empty")).unwrap();
    fs::write(source.join("nothing"), "").unwrap();
    fs::write(source.join("small"), noise(1, 70)).unwrap();
    fs::write(source.join("one group"), noise(2, MIB)).unwrap();
    fs::write(source.join("deep/film"), noise(3, 5 * MIB + 17)).unwrap();
    for n in 0..300 {
        fs::write(source.join(format!("deep/{n}")), noise(n, 60_000)).unwrap();
    }
    let all = send(&mut study, &mut garden, addr, &source);
    assert_eq!(all.sent_bytes, all.bytes);
    let before = tree(&garden.inbox());
    study.said.clear();
    garden.said.clear();
    let again = send(&mut study, &mut garden, addr, &source);
    assert!(tree(&garden.inbox()) == before, "no twin, nothing changed");
    // All of it was listed before anything could travel.
    assert_eq!(again.sent_bytes, 0);
    for device in [&study, &garden] {
        let reports = device.reports();
        assert_eq!(reports.len(), 304);
        assert!(
            reports
                .iter()
                .all(|report| report.status == EntryStatus::AlreadyThere)
        );
        let film = reports.iter().find(|report| report.path.ends_with("film"));
        let hash = *blake3::hash(&noise(3, 5 * MIB + 17)).as_bytes();
        assert_eq!(film.unwrap().blake3, Some(hash), "and its hash is said");
    }
}

#[test]
fn of_a_newer_version_only_the_groups_that_differ_travel() {
    let old = noise(1, 20 * MIB + 300);
    let mut pair = Pair::new(OnConflict::Replace, &old);
    let group = MIB as u64;

    let mut changed = old;
    changed[3 * MIB + 5] ^= 1;
    changed[17 * MIB] ^= 1;
    let summary = pair.again(&changed);
    assert_eq!(summary.sent_bytes, 2 * group);
    assert!(pair.there("film") == changed);

    let mut longer = changed.clone();
    longer.extend(noise(2, 3 * MIB));
    let summary = pair.again(&longer);
    // The group that was the short last one, and what is new.
    assert_eq!(summary.sent_bytes, 3 * group + 300);
    assert!(pair.there("film") == longer);

    let shorter = &longer[..6 * MIB + 9];
    let summary = pair.again(shorter);
    assert_eq!(summary.sent_bytes, 0, "a beginning of what is there");
    assert!(pair.there("film") == shorter);

    let other = noise(9, 6 * MIB + 9);
    let summary = pair.again(&other);
    assert_eq!(summary.sent_bytes, other.len() as u64);
    assert!(pair.there("film") == other);

    let small = noise(4, 900);
    let summary = pair.again(&small);
    assert_eq!(summary.sent_bytes, 900);
    assert!(pair.there("film") == small);
    let mut changed = small.clone();
    changed[7] ^= 1;
    let summary = pair.again(&changed);
    assert_eq!(summary.sent_bytes, 900, "a small file travels whole");
    assert!(pair.there("film") == changed);
    assert_eq!(tree(&pair.garden.inbox()).len(), 1);
}

#[test]
fn keeping_both_saves_the_same_bytes_and_leaves_the_old_version_alone() {
    let old = noise(1, 8 * MIB);
    let mut pair = Pair::new(OnConflict::Rename, &old);
    let mut changed = old.clone();
    changed[0] ^= 1;
    let summary = pair.again(&changed);
    assert_eq!(summary.sent_bytes, MIB as u64);
    assert!(pair.there("film") == old);
    assert!(pair.there("film (1)") == changed);
}

#[test]
fn what_stands_there_and_is_no_file_is_not_read() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let addr = listen(&mut garden, OnConflict::Rename);
    let source = study.home.path().join("tree");
    fs::create_dir_all(&source).unwrap();
    let outside = garden.home.path().join("outside");
    fs::write(&outside, noise(1, 3 * MIB)).unwrap();
    let save = garden.inbox().join("tree");
    fs::create_dir_all(save.join("a folder")).unwrap();
    std::os::unix::fs::symlink(&outside, save.join("a link")).unwrap();
    let fifo = std::process::Command::new("mkfifo")
        .arg(save.join("a pipe"))
        .status();
    assert!(fifo.unwrap().success());
    for name in ["a folder", "a link", "a pipe"] {
        fs::write(source.join(name), noise(1, 3 * MIB)).unwrap();
    }
    let summary = send(&mut study, &mut garden, addr, &source);
    // The link's target has the same content; nobody may learn that.
    assert_eq!(summary.sent_bytes, 9 * MIB as u64);
    for name in ["a folder (1)", "a link (1)", "a pipe (1)"] {
        assert!(fs::read(save.join(name)).unwrap() == noise(1, 3 * MIB));
    }
    assert!(fs::read(&outside).unwrap() == noise(1, 3 * MIB));
}

/// The last look finds nothing to look at, and nobody else asks for credit.
#[test]
fn a_list_that_ends_with_what_needs_no_look_does_not_stand_still() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let addr = listen(&mut garden, OnConflict::Rename);
    for (files, empty) in [(256, 1), (512, 3), (1, 600), (0, 5)] {
        let source = study.home.path().join(format!("{files} {empty}"));
        fs::create_dir_all(source.join("z/z")).unwrap();
        for n in 0..files {
            fs::write(source.join(format!("a {n}")), "x").unwrap();
        }
        for n in 0..empty {
            fs::write(source.join(format!("b {n}")), "").unwrap();
        }
        for expected in [files, 0] {
            let summary = send(&mut study, &mut garden, addr, &source);
            assert_eq!(summary.sent_bytes, expected);
        }
    }
}
