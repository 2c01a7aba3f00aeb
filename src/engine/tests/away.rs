//! Sends that wait for their device over a restart: none is lost, none is sent twice.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use super::nearby::{closed, hears, id, is_away, listen, pair};
use super::*;
use crate::engine::note::Input;
use crate::engine::waiting::{Picked, Shelf, Waiting};
use crate::model::{DeviceId, Failure, PeerAddress, Problem, TransferId};

fn start(home: tempfile::TempDir) -> Device {
    let config = Config {
        data_dir: home.path().join("data"),
        name: DeviceName::cleaned("Study", "device"),
    };
    let (engine, events) = Engine::start(config, || {}).unwrap();
    Device {
        engine,
        events,
        home,
    }
}

fn restarted(device: Device) -> Device {
    let Device { engine, home, .. } = device;
    drop(engine);
    start(home)
}

/// As a kill leaves its data at this very moment.
fn killed(device: &Device) -> tempfile::TempDir {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().flatten() {
            let (from, to) = (entry.path(), to.join(entry.file_name()));
            match from.is_dir() {
                true => copy(&from, &to),
                // Renamed or removed just now.
                false => drop(fs::copy(from, to)),
            }
        }
    }
    let home = tempfile::tempdir().unwrap();
    copy(&device.home.path().join("data"), &home.path().join("data"));
    home
}

fn waits(from: &Device, names: &[&str], device: DeviceId) -> TransferId {
    let transfer = new_transfer_id();
    let sources = names.iter().map(|name| {
        let file = from.home.path().join(name);
        fs::write(&file, name).unwrap();
        file
    });
    from.engine.command(Command::Send(SendRequest {
        transfer,
        sources: sources.collect(),
        to: PeerAddress::nowhere(device),
        device: Some(Chosen {
            id: device,
            name: Some(DeviceName::cleaned("Garden", "x")),
        }),
        secret: None,
        ask: false,
        remember: false,
        wait_for_it: true,
    }));
    transfer
}

/// How many wait on this disk.
fn written(home: &Path) -> usize {
    fs::read_dir(home.join("data/waiting")).map_or(0, Iterator::count)
}

/// What is taken up, all of it.
fn taken_up(device: &Device) -> Vec<TransferId> {
    let inputs = device.engine.inputs.clone();
    let barrier = move || {
        let (path, problem) = (std::path::PathBuf::new(), Problem::Gone);
        inputs.send(Input::CommandFailed { path, problem }).unwrap();
    };
    let mut all = Vec::new();
    let mut until_there = || loop {
        match device.events.recv_timeout(PATIENCE).unwrap() {
            Event::Started(started) => all.push(started.transfer),
            Event::CommandFailed { .. } => return,
            _ => {}
        }
    };
    device.engine.command(Command::TakeUpWaiting);
    barrier();
    until_there();
    // Behind that in the ledger, and so behind its answer at the supervisor.
    let ledger = &device.engine.shared.ledger;
    ledger.take_up(move |_none| barrier());
    until_there();
    all
}

fn failure(device: &Device) -> Option<Failure> {
    device.wait(|event| match event {
        Event::Ended(summary) => Some(summary.failure),
        _ => None,
    })
}

#[test]
fn a_send_that_waits_outlasts_its_process_and_goes_once_when_its_device_is_heard_of() {
    let (garden, study) = (device("Garden"), device("Study"));
    pair(&garden, &study);
    let at = listen(&garden);
    let sent = waits(&study, &["a"], id(&garden));
    is_away(&study, sent);
    let cancelled = waits(&study, &["b"], id(&garden));
    is_away(&study, cancelled);
    assert_eq!(written(study.home.path()), 2);
    study.engine.command(Command::Cancel(cancelled));
    assert!(matches!(study.ended(), Status::Cancelled(_)));
    // It is shown again in the next process and in the one after that.
    let study = restarted(study);
    assert_eq!(taken_up(&study), [sent]);
    is_away(&study, sent);
    let study = restarted(study);
    assert_eq!(taken_up(&study), [sent]);
    is_away(&study, sent);
    assert_eq!(taken_up(&study), [], "by one process once");
    hears(&study, id(&garden), &[at]);
    assert_eq!(study.ended(), Status::Arrived);
    assert!(garden.home.path().join("inbox/a").exists());
    let study = restarted(study);
    assert_eq!(taken_up(&study), []);
    assert_eq!(written(study.home.path()), 0);
}

#[test]
fn a_receiver_that_quits_without_an_answer_has_not_declined_and_is_offered_the_same_again() {
    let (garden, study) = (device("Garden"), device("Study"));
    pair(&garden, &study);
    let at = garden.listen(AcceptPolicy::Ask);
    hears(&study, id(&garden), &[at]);
    let sent = waits(&study, &["a"], id(&garden));
    garden.wait(|event| match event {
        Event::Offer(offer) if !offer.counting => Some(()),
        _ => None,
    });
    hears(&study, id(&garden), &[]);
    let garden = restarted(garden);
    is_away(&study, sent);
    let at = listen(&garden);
    hears(&study, id(&garden), &[at]);
    assert_eq!(study.ended(), Status::Arrived);
}

#[test]
fn a_kill_between_the_offer_and_the_yes_offers_the_same_again() {
    let (garden, study) = (device("Garden"), device("Study"));
    pair(&garden, &study);
    let at = garden.listen(AcceptPolicy::Ask);
    let sent = waits(&study, &["a"], id(&garden));
    is_away(&study, sent);
    hears(&study, id(&garden), &[at]);
    let offered = |accept: bool| {
        let offered = garden.wait(|event| match event {
            Event::Offer(offer) if !offer.counting => Some(offer.transfer),
            Event::Started(started) => panic!("{started:?}"),
            _ => None,
        });
        assert_eq!(offered, sent);
        if accept {
            let answer = Answer::Accept {
                folder: None,
                on_conflict: None,
                remember: false,
            };
            garden.engine.command(Command::Answer(offered, answer));
        }
    };
    offered(false);
    let home = killed(&study);
    drop(study.engine);
    let study = start(home);
    // Its file lies where it was.
    assert_eq!(taken_up(&study), [sent]);
    is_away(&study, sent);
    hears(&study, id(&garden), &[at]);
    offered(true);
    assert_eq!(study.ended(), Status::Arrived);
    assert!(garden.home.path().join("inbox/a").exists());
    let study = restarted(study);
    assert_eq!(taken_up(&study), []);
    assert!(study.engine.shared.ledger.all().is_empty());
}

#[test]
fn what_is_gone_or_changed_meanwhile_is_told_and_nothing_is_offered_if_all_of_it_is_gone() {
    let (garden, study) = (device("Garden"), device("Study"));
    pair(&garden, &study);
    let at = listen(&garden);
    let two = waits(&study, &["a", "b"], id(&garden));
    is_away(&study, two);
    let one = waits(&study, &["c"], id(&garden));
    is_away(&study, one);
    let file = |name: &str| study.home.path().join(name);
    let (a, b, c) = (file("a"), file("b"), file("c"));
    fs::remove_file(&a).unwrap();
    fs::write(&b, "longer").unwrap();
    fs::remove_file(&c).unwrap();
    let study = restarted(study);
    let mut differs = Vec::new();
    study.engine.command(Command::TakeUpWaiting);
    while differs.len() < 2 {
        differs.push(study.wait(|event| match event {
            Event::PicksDiffer {
                transfer,
                gone,
                changed,
            } => Some((transfer, gone, changed)),
            _ => None,
        }));
    }
    assert!(differs.contains(&(two, vec![a], vec![b])), "{differs:?}");
    assert!(differs.contains(&(one, vec![c], vec![])), "{differs:?}");
    // Both wait on: what is gone may come back.
    hears(&study, id(&garden), &[at]);
    let mut ended: Vec<_> = (0..2)
        .map(|_| {
            study.wait(|event| match event {
                Event::Ended(summary) => Some((summary.transfer, summary.status, summary.failure)),
                _ => None,
            })
        })
        .collect();
    ended.sort_by_key(|(id, ..)| *id == two);
    let nothing = Some(Failure::NothingToSend);
    assert_eq!(ended[0], (one, Status::Failed, nothing));
    assert_eq!((ended[1].0, ended[1].1), (two, Status::Problems));
    let arrived = fs::read(garden.home.path().join("inbox/b")).unwrap();
    assert_eq!(arrived, b"longer");
}

#[test]
fn a_send_that_waits_for_long_is_written_down_again_and_again() {
    let (garden, study) = (device("Garden"), device("Study"));
    pair(&garden, &study);
    let sent = waits(&study, &["a"], id(&garden));
    is_away(&study, sent);
    let folder = study.home.path().join("data/waiting");
    fs::remove_file(folder.join(format!("{sent}.json"))).unwrap();
    // It tries once more, and waits on.
    hears(&study, id(&garden), &[closed()]);
    is_away(&study, sent);
    assert_eq!(written(study.home.path()), 1);
}

#[test]
fn a_send_that_has_waited_in_vain_says_so_a_last_time() {
    let home = tempfile::tempdir().unwrap();
    let device = DeviceId([7; 32]);
    let week = crate::storage::inbox::KEPT_FOR + Duration::from_secs(60);
    let waiting = Waiting {
        transfer: TransferId([5; 16]),
        device: Chosen {
            id: device,
            name: Some(DeviceName::cleaned("Garden", "x")),
        },
        to: PeerAddress::nowhere(device),
        picks: vec![Picked::look(home.path())],
        ask: false,
        remember: false,
        touched: SystemTime::now() - week,
    };
    Shelf::new(&home.path().join("data")).save(&waiting);
    let study = start(home);
    study.engine.command(Command::TakeUpWaiting);
    let name = DeviceName::cleaned("Garden", "x");
    assert_eq!(failure(&study), Some(Failure::NeverThere { name }));
    let study = restarted(study);
    assert_eq!(taken_up(&study), []);
    assert_eq!(written(study.home.path()), 0);
}
