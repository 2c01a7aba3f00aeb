//! What holds a transfer up, at either end: a person, or a disk without room. Two engines in one
//! process, real sockets and disks.
#![cfg(unix)]
// Helpers of tests are tests, too; clippy only knows the functions that are marked.
#![allow(clippy::unwrap_used)]

#[path = "support/disk.rs"]
mod disk;
mod support;

use std::fs;
use std::path::Path;

use disk::SmallDisk;
use ropeway::engine::{AcceptPolicy, Answer, Bind, Command, Event, Limits, ListenOptions};
use ropeway::model::{
    Failure, Hold, Holds, OnConflict, Problem, Secret, Status, TransferId, TransferState,
};
use support::{Device, PASSPHRASE, noise, under_way};

const MIB: usize = 1 << 20;

fn held(device: &mut Device, wanted: impl Fn(Holds) -> bool) -> Holds {
    device.wait("holds", |event| match event {
        Event::Held(_, holds) if wanted(*holds) => Some(*holds),
        _ => None,
    })
}

fn held_bytes(device: &Device) -> u64 {
    let mut said = device.said.iter().rev();
    let last = said.find_map(|event| match event {
        Event::Progress(progress) => Some(progress.bytes),
        _ => None,
    });
    last.unwrap_or(0)
}

fn transfer(device: &Device) -> TransferId {
    let mut said = device.said.iter();
    let started = said.find_map(|event| match event {
        Event::Started(started) => Some(started.transfer),
        _ => None,
    });
    started.unwrap()
}

fn nobody(holds: Holds) -> bool {
    !holds.any()
}

#[test]
fn a_pause_at_either_end_stops_the_bytes_and_both_know_who_did_it() {
    let (mut garden, mut study) = under_way();
    let id = transfer(&study);
    let by_us = |holds: Holds| holds.here == Some(Hold::Person) && holds.there.is_none();
    let by_peer = |holds: Holds| holds.there == Some(Hold::Person) && holds.here.is_none();

    study.engine.command(Command::Pause(id));
    held(&mut study, by_us);
    held(&mut garden, by_peer);
    // What was on its way comes to rest: from then on nothing moves, in both counts.
    let rest = |device: &mut Device| {
        let mut last = u64::MAX;
        loop {
            while let Ok(event) = device
                .events
                .recv_timeout(std::time::Duration::from_millis(400))
            {
                device.said.push(event);
            }
            let now = held_bytes(device);
            if now == last {
                return now;
            }
            last = now;
        }
    };
    let before = rest(&mut garden);
    assert_eq!(rest(&mut garden), before);
    assert!(before < support::BIG_BYTES);

    garden.engine.command(Command::Pause(id));
    held(&mut study, |holds| {
        holds.here.is_some() && holds.there.is_some()
    });
    study.engine.command(Command::Resume(id));
    held(&mut study, by_peer);
    held(&mut garden, by_us);
    assert_eq!(rest(&mut garden), before, "the other one holds it still");

    garden.engine.command(Command::Resume(id));
    held(&mut study, nobody);
    held(&mut garden, nobody);
    garden.wait("bytes moving again", |event| match event {
        Event::Progress(progress) => (progress.bytes > before + 1_000_000).then_some(()),
        _ => None,
    });
}

#[test]
fn a_pause_outlives_an_interruption() {
    let (mut garden, mut study) = under_way();
    let id = transfer(&study);
    garden.engine.command(Command::Pause(id));
    held(&mut study, |holds| holds.there == Some(Hold::Person));
    let addr = study.said.iter().find_map(|event| match event {
        Event::Started(started) => Some(started.peer.address.clone()),
        _ => None,
    });
    let addr = addr.unwrap();
    let inbox = garden.inbox();
    let home = garden.home.path().join("data");
    // The whole receiver goes and comes back.
    drop(garden.engine);
    study.wait("interruption", |event| match event {
        Event::State(_, TransferState::Interrupted) => Some(()),
        _ => None,
    });
    let (engine, events) = ropeway::engine::Engine::start(
        ropeway::engine::Config {
            data_dir: home,
            name: ropeway::model::DeviceName::cleaned("Garden", "device"),
        },
        || {},
    )
    .unwrap();
    garden.engine = engine;
    garden.events = events;
    garden.said.clear();
    garden.engine.command(Command::Listen(ListenOptions {
        allow: ropeway::model::Allow::Code,
        remember: false,
        bind: Bind::Exact(addr.parse().unwrap()),
        save_folder: inbox,
        passphrase: Some(Secret::passphrase(PASSPHRASE).unwrap()),
        accept: AcceptPolicy::All,
        once: false,
        on_conflict: OnConflict::default(),
    }));
    garden.wait("it is back", |event| match event {
        Event::Held(_, holds) if holds.here == Some(Hold::Person) => Some(()),
        _ => None,
    });
    study.wait("it is back, and held", |event| match event {
        Event::Held(_, holds) if holds.there == Some(Hold::Person) => Some(()),
        _ => None,
    });
    garden.engine.command(Command::Resume(id));
    held(&mut study, nobody);
    study.engine.command(Command::Cancel(id));
    assert!(matches!(study.ended().status, Status::Cancelled(_)));
}

/// A receiver whose save folder is a small disk, and a sender with something too large for it.
fn full(disk: &SmallDisk, policy: AcceptPolicy) -> (Device, Device, TransferId) {
    to_disk(disk, policy, |source| {
        fs::create_dir_all(source.join("empty")).unwrap();
        fs::write(source.join("a small one"), noise(1, 9_000)).unwrap();
        fs::write(source.join("film"), noise(2, 20 * MIB)).unwrap();
        for n in 0..60 {
            fs::write(source.join(format!("z {n}")), noise(n, 50_000)).unwrap();
        }
    })
}

fn to_disk(
    disk: &SmallDisk,
    policy: AcceptPolicy,
    make: impl FnOnce(&Path),
) -> (Device, Device, TransferId) {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    garden.engine.command(Command::Listen(ListenOptions {
        allow: ropeway::model::Allow::Code,
        remember: false,
        bind: Bind::Exact("127.0.0.1:0".parse().unwrap()),
        save_folder: disk.path().to_owned(),
        passphrase: Some(Secret::passphrase(PASSPHRASE).unwrap()),
        accept: policy,
        once: false,
        on_conflict: OnConflict::default(),
    }));
    let addr = garden.wait("Listening", |event| match event {
        Event::Listening(listening) => Some(listening.addr),
        _ => None,
    });
    let source = study.home.path().join("tree");
    fs::create_dir(&source).unwrap();
    make(&source);
    let id = study.send(&[&source], addr, PASSPHRASE);
    (garden, study, id)
}

fn assert_arrived(study: &Device, save: &Path) {
    let sent = support::tree(&study.home.path().join("tree"));
    assert!(support::tree(&save.join("tree")) == sent, "byte for byte");
    assert!(!save.join(".ropeway").exists());
}

fn lacks_room(hold: Option<Hold>) -> Option<u64> {
    match hold {
        Some(Hold::NoRoom { needed_bytes }) => Some(needed_bytes),
        Some(Hold::Person | Hold::Turn | Hold::NoFiles | Hold::Quota) | None => None,
    }
}

#[test]
fn a_full_disk_pauses_both_ends_and_goes_on_by_itself_when_there_is_room() {
    let Some(disk) = SmallDisk::mount(12 * MIB) else {
        return;
    };
    let (mut garden, mut study, _) = full(&disk, AcceptPolicy::All);
    let here = held(&mut garden, |holds| lacks_room(holds.here).is_some());
    let there = held(&mut study, |holds| lacks_room(holds.there).is_some());
    let needed = lacks_room(here.here).unwrap();
    assert_eq!(lacks_room(there.there), Some(needed), "the same number");
    // 23 MB are to come, and there are less than 12.
    assert!(needed > 8_000_000 && needed < 16_000_000, "{needed}");
    disk.resize(64 * MIB);
    held(&mut garden, nobody);
    held(&mut study, nobody);
    let summary = study.arrived();
    assert_eq!(summary.failed, 0);
    assert!(
        summary.sent_bytes < summary.bytes + MIB as u64,
        "nothing travels twice"
    );
    garden.arrived();
    study.safe();
    garden.safe();
    assert_arrived(&study, disk.path());
}

#[test]
fn what_a_disk_lacks_for_many_small_files_counts_their_whole_blocks() {
    // A page each, whatever is in it.
    const FILES: usize = 3_000;
    let Some(disk) = SmallDisk::mount(4 * MIB) else {
        return;
    };
    let (mut garden, mut study, _) = to_disk(&disk, AcceptPolicy::All, |source| {
        for n in 0..FILES as u64 {
            fs::write(source.join(format!("{n}")), noise(n, 100)).unwrap();
        }
    });
    // Once all is listed, no more than that is told.
    let whole = (FILES * 4096 - 4 * MIB) as u64;
    let needed = held(&mut garden, |holds| {
        lacks_room(holds.here).is_some_and(|needed| needed.abs_diff(whole) < 2 * MIB as u64)
    });
    let needed = lacks_room(needed.here).unwrap() as usize;
    // With just that it does not stand still again.
    disk.resize(4 * MIB + needed + (64 << 10));
    held(&mut garden, nobody);
    garden.arrived();
    let held_again = garden.said.iter().rev().find_map(|event| match event {
        Event::Held(_, holds) => Some(*holds),
        _ => None,
    });
    assert_eq!(held_again, Some(Holds::default()));
    assert_eq!(study.arrived().failed, 0);
    study.safe();
    garden.safe();
    assert_arrived(&study, disk.path());
}

#[test]
fn a_disk_that_can_hold_no_more_files_says_so_at_both_ends_and_it_goes_on_once_some_are_gone() {
    let Some(disk) = SmallDisk::of_files(40) else {
        return;
    };
    let (mut garden, mut study, id) = to_disk(&disk, AcceptPolicy::All, |source| {
        for n in 0..60 {
            fs::write(source.join(format!("{n}")), noise(n, 100)).unwrap();
        }
    });
    held(&mut garden, |holds| holds.here == Some(Hold::NoFiles));
    held(&mut study, |holds| holds.there == Some(Hold::NoFiles));
    study.engine.command(Command::GiveUp(id));
    let failure = study.ended().failure;
    assert_eq!(failure, Some(Failure::PeerDisk(Problem::NoFiles)));
    study.engine.command(Command::Resume(id));
    held(&mut study, |holds| holds.there == Some(Hold::NoFiles));
    disk.hold_files(400);
    study.arrived();
    garden.arrived();
    study.safe();
    garden.safe();
    assert_arrived(&study, disk.path());
}

#[test]
fn a_disk_that_is_full_from_the_first_byte_pauses_too() {
    let Some(disk) = SmallDisk::mount(4 * MIB) else {
        return;
    };
    let filler = disk.path().join("filler");
    let _ = fs::write(&filler, noise(3, 8 * MIB));
    let (mut garden, mut study, _) = full(&disk, AcceptPolicy::Ask);
    let offer = garden.offer();
    assert!(offer.free_bytes.unwrap() < offer.bytes);
    let answer = Answer::Accept {
        folder: None,
        on_conflict: None,
        remember: false,
    };
    garden
        .engine
        .command(Command::Answer(offer.transfer, answer));
    held(&mut study, |holds| lacks_room(holds.there).is_some());
    fs::remove_file(&filler).unwrap();
    disk.resize(64 * MIB);
    study.arrived();
    garden.arrived();
    study.safe();
    garden.safe();
    assert_arrived(&study, disk.path());
}

#[test]
fn a_cancel_and_a_lost_sender_end_the_wait_for_room_and_what_is_there_is_kept() {
    let Some(disk) = SmallDisk::mount(12 * MIB) else {
        return;
    };
    let (mut garden, mut study, id) = full(&disk, AcceptPolicy::All);
    held(&mut study, |holds| lacks_room(holds.there).is_some());
    study.engine.command(Command::Cancel(id));
    assert!(matches!(garden.ended().status, Status::Cancelled(_)));
    study.ended();
    // The same goes on later: it was let in before.
    disk.resize(64 * MIB);
    study.engine.command(Command::Resume(id));
    let summary = study.arrived();
    garden.arrived();
    study.safe();
    garden.safe();
    assert!(summary.bytes > 20_000_000);
    assert_arrived(&study, disk.path());
}

#[test]
fn who_gives_up_waiting_for_room_is_told_that_it_was_the_disk() {
    let Some(disk) = SmallDisk::mount(12 * MIB) else {
        return;
    };
    let (mut garden, mut study, id) = full(&disk, AcceptPolicy::All);
    held(&mut study, |holds| lacks_room(holds.there).is_some());
    study.engine.command(Command::GiveUp(id));
    let summary = study.ended();
    assert_eq!(summary.status, Status::Interrupted);
    let reason = Failure::PeerDisk(Problem::NoSpace);
    assert_eq!(summary.failure, Some(reason));
    garden.wait("interruption", |event| match event {
        Event::State(_, TransferState::Interrupted) => Some(()),
        _ => None,
    });
    disk.resize(64 * MIB);
    study.engine.command(Command::Resume(id));
    study.arrived();
    garden.arrived();
    study.safe();
    garden.safe();
    assert_arrived(&study, disk.path());
}

#[test]
fn a_speed_limit_is_kept_at_either_end_and_lifting_it_acts_at_once() {
    let limit = |bytes_per_second| {
        Command::SetLimits(Limits {
            bytes_per_second,
            ..Limits::default()
        })
    };
    // The receiver's limit reaches the sender through the credit, which is a window ahead.
    for (at_sender, bytes) in [(true, 3 * MIB), (false, 12 * MIB)] {
        let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
        let addr = garden.listen(AcceptPolicy::All, Some(PASSPHRASE));
        let slow = if at_sender { &study } else { &garden };
        slow.engine.command(limit(Some(2_000_000)));
        let film = study.home.path().join("film");
        fs::write(&film, noise(1, bytes)).unwrap();
        study.send(&[&film], addr, PASSPHRASE);
        let summary = study.arrived();
        garden.arrived();
        let paid = bytes as f64 / 2e6 - 0.5;
        let elapsed = summary.elapsed.as_secs_f64();
        assert!(elapsed > paid, "{elapsed} s for {bytes} bytes");
    }
    let (garden, mut study) = under_way();
    let id = transfer(&study);
    study.engine.command(Command::LimitSpeed(id, Some(1)));
    study.engine.command(Command::LimitSpeed(id, None));
    let now = held_bytes(&study);
    study.wait("bytes moving again", |event| match event {
        Event::Progress(progress) => (progress.bytes > now + 50_000_000).then_some(()),
        _ => None,
    });
    drop(garden);
}

#[test]
fn a_complete_file_gets_its_name_although_a_limit_holds_up_what_comes_behind_it() {
    let limit = |bytes_per_second| {
        Command::SetLimits(Limits {
            bytes_per_second,
            ..Limits::default()
        })
    };
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let addr = garden.listen(AcceptPolicy::All, Some(PASSPHRASE));
    garden.engine.command(limit(Some(500_000)));
    let (letter, film) = (
        study.home.path().join("letter"),
        study.home.path().join("film"),
    );
    fs::write(&letter, noise(1, 100_000)).unwrap();
    fs::write(&film, noise(2, 8 * MIB)).unwrap();
    study.send(&[&letter, &film], addr, PASSPHRASE);
    garden.wait("the letter", |event| match event {
        Event::Files(_, files) => files.iter().any(|file| file.path == "letter").then_some(()),
        _ => None,
    });
    // The sender has most of it on its way, and the limit lets it to the disk for a quarter of a minute.
    assert!(garden.inbox().join("letter").exists());
    assert!(!garden.inbox().join("film").exists());
    garden.engine.command(limit(None));
    study.arrived();
    garden.arrived();
}

#[test]
fn transfers_to_one_device_take_turns() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    study.engine.command(Command::SetLimits(Limits {
        bytes_per_second: Some(1_000_000),
        at_once: 1,
    }));
    let addr = garden.listen(AcceptPolicy::All, Some(PASSPHRASE));
    let film = |study: &Device, name: &str| {
        let film = study.home.path().join(name);
        fs::write(&film, noise(1, 9 * MIB)).unwrap();
        film
    };
    let (one, two) = (film(&study, "one"), film(&study, "two"));
    let first = study.send(&[&one], addr, PASSPHRASE);
    study.wait("the first moves", |event| match event {
        Event::Progress(progress) => (progress.bytes > 0).then_some(()),
        _ => None,
    });
    let second = study.send(&[&two], addr, PASSPHRASE);
    let turn = |device: &mut Device, wanted: Holds| {
        device.wait("a turn", |event| match event {
            Event::Held(id, holds) if *id == second && *holds == wanted => Some(()),
            _ => None,
        });
    };
    let waits = Some(Hold::Turn);
    turn(
        &mut study,
        Holds {
            here: waits,
            there: None,
        },
    );
    turn(
        &mut garden,
        Holds {
            here: None,
            there: waits,
        },
    );
    // Who pauses gives up the turn, and who goes on takes it again.
    study.engine.command(Command::Pause(first));
    turn(&mut study, Holds::default());
    study.engine.command(Command::Resume(first));
    turn(
        &mut study,
        Holds {
            here: waits,
            there: None,
        },
    );
    study.engine.command(Command::SetLimits(Limits {
        bytes_per_second: None,
        at_once: 1,
    }));
    study.arrived();
    study.arrived();
    // Which of them ends first is chance: the turn is free as soon as nothing is left to be sent.
    let told = |wanted: &dyn Fn(&Event) -> bool| study.said.iter().rposition(wanted);
    let sent =
        told(&|event| matches!(event, Event::State(id, TransferState::Finishing) if *id == first));
    let turn =
        told(&|event| matches!(event, Event::Held(id, holds) if *id == second && !holds.any()));
    assert!(sent.is_some() && sent < turn, "{:?}", study.said);
    garden.safe();
    garden.safe();
    assert_eq!(support::tree(&garden.inbox()).len(), 2);
}

#[test]
fn a_full_disk_can_be_left_for_another_folder() {
    let Some(disk) = SmallDisk::mount(12 * MIB) else {
        return;
    };
    let (mut garden, mut study, id) = full(&disk, AcceptPolicy::All);
    held(&mut study, |holds| lacks_room(holds.there).is_some());
    let roomy = garden.home.path().join("roomy");
    fs::create_dir(&roomy).unwrap();
    garden.engine.command(Command::MoveTo(id, roomy.clone()));
    study.arrived();
    garden.arrived();
    study.safe();
    garden.safe();
    assert_arrived(&study, &roomy);
    // Nothing of it waits in the old place; what had arrived there stays.
    assert!(!disk.path().join(".ropeway").exists());
}
