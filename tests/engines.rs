//! Two (or many) engines carry real files to each other over loopback.

// Helpers of tests are tests, too; clippy only knows the functions that are marked.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ropeway::engine::{AcceptPolicy, Answer, Command, Event, OfferFolder, StopMode};
use ropeway::model::{EntryStatus, Failure, OnConflict, Party, Status, TransferState};
use support::{Device, PASSPHRASE, noise, tree, under_way};

/// A folder with everything a folder can hold: nesting, empty things, long and Chinese names.
fn holiday(at: &Path) -> std::path::PathBuf {
    let top = at.join("Holiday 2026");
    fs::create_dir_all(top.join("day 1/deeper/still")).unwrap();
    fs::create_dir_all(top.join("empty")).unwrap();
    fs::write(top.join("nothing.txt"), b"").unwrap();
    fs::write(top.join("合同（已签）.pdf"), noise(1, 70_001)).unwrap();
    fs::write(top.join("day 1/film.mkv"), noise(2, 3_000_000)).unwrap();
    fs::write(top.join("day 1/deeper/still/one"), b"1").unwrap();
    for n in 0..300 {
        fs::write(
            top.join(format!("day 1/{n}.txt")),
            noise(n, n as usize * 13),
        )
        .unwrap();
    }
    top
}

#[test]
fn a_folder_arrives_exactly_and_leaves_no_staging() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let addr = garden.listen(AcceptPolicy::All, Some(PASSPHRASE));
    let top = holiday(study.home.path());
    study.send(&[&top], addr, PASSPHRASE);
    let sent = study.arrived();
    let received = garden.arrived();
    study.safe();
    garden.safe();
    assert_eq!(tree(&garden.inbox().join("Holiday 2026")), tree(&top));
    assert!(!garden.inbox().join(".ropeway").exists());
    assert_eq!((sent.failed, received.failed), (0, 0));
    assert_eq!(
        (sent.entries, sent.bytes),
        (received.entries, received.bytes)
    );
    assert_eq!(sent.sent_bytes, sent.bytes);
    assert_eq!(received.peer.name.as_str(), "Study");
    assert!(received.peer.trust.is_verified());
    // Both ends name the same files with the same hashes: those of the files.
    let (mut ours, mut theirs) = (study.reports(), garden.reports());
    ours.sort_by(|a, b| a.path.cmp(&b.path));
    theirs.sort_by(|a, b| a.path.cmp(&b.path));
    assert_eq!(ours, theirs);
    let film = ours.iter().find(|report| report.path.ends_with("film.mkv"));
    let hash = blake3::hash(&noise(2, 3_000_000));
    assert_eq!(film.and_then(|film| film.blake3), Some(*hash.as_bytes()));
}

#[test]
fn the_person_at_the_receiver_answers_offers() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let addr = garden.listen(AcceptPolicy::Ask, Some(PASSPHRASE));
    let file = study.home.path().join("a.txt");
    fs::write(&file, "hello").unwrap();

    study.send(&[&file], addr, PASSPHRASE);
    let offer = garden.offer();
    assert_eq!((offer.entries, offer.bytes, offer.picked), (1, 5, 1));
    assert_eq!(offer.names, ["a.txt"]);
    assert!(offer.free_bytes.is_some_and(|free| free > 0));
    assert!(!garden.inbox().exists(), "nothing touches the disk before");
    garden
        .engine
        .command(Command::Answer(offer.transfer, Answer::Decline));
    assert_eq!(study.ended().status, Status::Declined);
    assert!(!garden.inbox().exists());

    study.send(&[&file], addr, PASSPHRASE);
    let offer = garden.offer();
    let elsewhere = garden.home.path().join("elsewhere");
    let answer = Answer::Accept {
        folder: Some(elsewhere.clone()),
        on_conflict: None,
        remember: false,
    };
    garden
        .engine
        .command(Command::Answer(offer.transfer, answer));
    study.arrived();
    assert_eq!(fs::read(elsewhere.join("a.txt")).unwrap(), b"hello");
}

#[test]
fn who_quits_with_an_offer_open_is_gone_and_has_not_declined() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let addr = garden.listen(AcceptPolicy::Ask, Some(PASSPHRASE));
    let file = study.home.path().join("a.txt");
    fs::write(&file, "hello").unwrap();
    study.send(&[&file], addr, PASSPHRASE);
    garden.offer();
    let mut garden = garden.again("Garden");
    let summary = study.ended();
    assert_eq!(
        (summary.status, summary.failure),
        (Status::Interrupted, Some(Failure::Lost))
    );
    garden.listen_at(addr, AcceptPolicy::All, PASSPHRASE);
    study.send(&[&file], addr, PASSPHRASE);
    study.arrived();
    assert_eq!(fs::read(garden.inbox().join("a.txt")).unwrap(), b"hello");
}

#[test]
fn a_wrong_code_leaves_nothing_and_a_right_one_works_once() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let addr = garden.listen(AcceptPolicy::All, None);
    let code = garden.code();
    let wrong = if code == "000 000" {
        "111 111"
    } else {
        "000 000"
    };
    let file = study.home.path().join("a.txt");
    fs::write(&file, "hello").unwrap();

    study.send(&[&file], addr, wrong);
    assert_eq!(study.ended().failure, Some(Failure::WrongSecret));
    garden.wait("WrongSecret", |event| match event {
        Event::WrongSecret { tries_left, .. } => {
            assert_eq!(*tries_left, 2);
            Some(())
        }
        _ => None,
    });
    study.send(&[&file], addr, "");
    assert_eq!(study.ended().failure, Some(Failure::SecretNeeded));
    assert!(!garden.inbox().exists());

    study.send(&[&file], addr, &code);
    study.arrived();
    let next = garden.code();
    assert_ne!(next, code);
    study.send(&[&file], addr, &code);
    assert_eq!(study.ended().failure, Some(Failure::WrongSecret));
}

#[test]
fn many_clients_are_served_at_once_and_none_waits_for_an_answer_to_another() {
    let mut garden = Device::new("Garden");
    let addr = garden.listen(AcceptPolicy::Ask, Some(PASSPHRASE));
    // One whose offer nobody answers.
    let mut patient = Device::new("Patient");
    let waiting = patient.home.path().join("waiting");
    fs::write(&waiting, "w").unwrap();
    patient.send(&[&waiting], addr, PASSPHRASE);
    let unanswered = garden.offer().transfer;

    let mut clients: Vec<_> = (0..6)
        .map(|n| Device::new(&format!("client {n}")))
        .collect();
    for (n, client) in clients.iter_mut().enumerate() {
        let file = client.home.path().join(format!("file {n}"));
        fs::write(&file, noise(n as u64, 2_000_000)).unwrap();
        client.send(&[&file], addr, PASSPHRASE);
    }
    let mut done = 0;
    while done < clients.len() {
        let accept = garden.wait("an offer or an end", |event| match event {
            Event::Offer(offer) if !offer.counting => Some(Some(offer.transfer)),
            Event::Ended(summary) => {
                assert_eq!(summary.status, Status::Arrived);
                Some(None)
            }
            _ => None,
        });
        match accept {
            Some(transfer) => {
                assert_ne!(transfer, unanswered);
                let answer = Answer::Accept {
                    folder: None,
                    on_conflict: None,
                    remember: false,
                };
                garden.engine.command(Command::Answer(transfer, answer));
            }
            None => done += 1,
        }
    }
    for (n, client) in clients.iter_mut().enumerate() {
        client.arrived();
        let got = fs::read(garden.inbox().join(format!("file {n}"))).unwrap();
        assert_eq!(got, noise(n as u64, 2_000_000));
    }
    // The patient one gives up: its offer goes away.
    drop(patient);
    garden.wait("OfferWithdrawn", |event| match event {
        Event::OfferWithdrawn(transfer) => {
            assert_eq!(*transfer, unanswered);
            Some(())
        }
        _ => None,
    });
}

#[test]
fn cancel_from_either_side_takes_effect_within_a_second_on_both() {
    for sender_cancels in [true, false] {
        let (mut garden, mut study) = under_way();
        let (here, there) = if sender_cancels {
            (&mut study, &mut garden)
        } else {
            (&mut garden, &mut study)
        };
        let transfer = here.said.iter().find_map(|event| match event {
            Event::Started(started) => Some(started.transfer),
            _ => None,
        });
        let begun = Instant::now();
        here.engine.command(Command::Cancel(transfer.unwrap()));
        assert_eq!(here.ended().status, Status::Cancelled(Party::Us));
        assert_eq!(there.ended().status, Status::Cancelled(Party::Peer));
        assert!(
            begun.elapsed() < Duration::from_secs(1),
            "{:?}",
            begun.elapsed()
        );
        // Joined: nothing of it can still be written.
        let inbox = garden.inbox();
        let Device { engine, home, .. } = garden;
        drop(engine);
        assert_eq!(final_names(&inbox), [] as [&str; 0], "nothing partial");
        drop(home);
    }
}

#[test]
fn a_sender_that_vanishes_interrupts_and_leaves_no_partial_file() {
    let (mut garden, study) = under_way();
    // The engine's end says goodbye; a process that is killed is in tests/cli.rs.
    drop(study.engine);
    garden.wait("interrupted", |event| {
        matches!(event, Event::State(_, TransferState::Interrupted)).then_some(())
    });
    let inbox = garden.inbox();
    let _home = garden.home;
    drop(garden.engine);
    assert_eq!(final_names(&inbox), [] as [&str; 0]);
}

/// What stands in a save folder besides our staging.
fn final_names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != ".ropeway").collect()
}

#[test]
fn progress_is_told_at_most_twenty_times_a_second() {
    let (mut garden, _study) = under_way();
    let begun = Instant::now();
    let mut pictures = 0;
    while begun.elapsed() < Duration::from_secs(1) {
        garden.wait("progress", |event| {
            matches!(event, Event::Progress(_)).then_some(())
        });
        pictures += 1;
    }
    assert!((3..=22).contains(&pictures), "{pictures}");
}

#[test]
fn strangers_are_closed_and_do_not_keep_an_honest_sender_out() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let addr = garden.listen(AcceptPolicy::All, Some(PASSPHRASE));
    let mut strangers: Vec<_> = (0..100)
        .map(|n| {
            let mut stranger = TcpStream::connect(addr).unwrap();
            let said: &[u8] = match n % 4 {
                0 => b"GET / HTTP/1.1\r\n\r\n",
                1 => b"\xff\xff\xff\xff",
                2 => b"\x16\x03\x01",
                _ => b"",
            };
            // Some are closed already to make room; that is the point.
            let _ = stranger.write_all(said);
            stranger
        })
        .collect();
    let file = study.home.path().join("a.txt");
    fs::write(&file, "hello").unwrap();
    study.send(&[&file], addr, PASSPHRASE);
    study.arrived();
    strangers.clear();
}

#[test]
fn what_cannot_be_read_is_reported_and_the_rest_arrives() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let addr = garden.listen(AcceptPolicy::All, Some(PASSPHRASE));
    let top = study.home.path().join("mixed");
    fs::create_dir(&top).unwrap();
    fs::write(top.join("good"), "good").unwrap();
    std::os::unix::fs::symlink("good", top.join("link")).unwrap();
    let fifo = std::process::Command::new("mkfifo")
        .arg(top.join("pipe"))
        .status();
    assert!(fifo.unwrap().success());
    study.send(&[&top], addr, PASSPHRASE);
    let ended = study.ended();
    assert_eq!((ended.status, ended.failed), (Status::Problems, 2));
    assert_eq!(garden.ended().failed, 2);
    assert_eq!(
        tree(&garden.inbox().join("mixed")),
        [("good".into(), Some(b"good".to_vec()))]
    );
    let failed: Vec<_> = study
        .reports()
        .into_iter()
        .filter(|report| matches!(report.status, EntryStatus::Failed(_)))
        .map(|report| report.path)
        .collect();
    assert_eq!(failed, ["mixed/link", "mixed/pipe"]);
}

#[test]
fn sent_again_the_same_file_is_already_there_and_another_one_keeps_both() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let addr = garden.listen(AcceptPolicy::All, Some(PASSPHRASE));
    let file = study.home.path().join("a.txt");
    for (content, files) in [("one", 1), ("one", 1), ("two", 2)] {
        fs::write(&file, content).unwrap();
        study.send(&[&file], addr, PASSPHRASE);
        study.arrived();
        garden.arrived();
        garden.safe();
        assert_eq!(tree(&garden.inbox()).len(), files, "{content}");
    }
    let second = fs::read(garden.inbox().join("a (1).txt")).unwrap();
    assert_eq!(second, b"two");
}

#[test]
fn a_save_folder_that_cannot_be_used_is_named_on_both_sides() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let addr = garden.listen(AcceptPolicy::All, Some(PASSPHRASE));
    fs::write(garden.inbox(), "a file in its place").unwrap();
    let file = study.home.path().join("a.txt");
    fs::write(&file, "hello").unwrap();
    study.send(&[&file], addr, PASSPHRASE);
    assert!(matches!(study.ended().failure, Some(Failure::PeerDisk(_))));
    assert!(matches!(garden.ended().failure, Some(Failure::Disk(_))));
}

#[test]
fn switched_off_nobody_gets_in_and_what_runs_may_finish() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let addr = garden.listen(AcceptPolicy::Ask, Some(PASSPHRASE));
    let file = study.home.path().join("a.bin");
    fs::write(&file, noise(3, 30_000_000)).unwrap();
    study.send(&[&file], addr, PASSPHRASE);
    let offer = garden.offer();
    let answer = Answer::Accept {
        folder: None,
        on_conflict: None,
        remember: false,
    };
    garden
        .engine
        .command(Command::Answer(offer.transfer, answer));
    garden.wait("Running", |event| {
        matches!(event, Event::State(_, TransferState::Running)).then_some(())
    });
    garden
        .engine
        .command(Command::StopListening(StopMode::LetFinish));
    study.arrived();
    garden.arrived();
    study.send(&[&file], addr, PASSPHRASE);
    assert!(matches!(
        study.ended().failure,
        Some(Failure::Refused { .. })
    ));
    // On again at the same port, at once.
    let again = garden.listen(AcceptPolicy::All, Some(PASSPHRASE));
    study.send(&[&file], again, PASSPHRASE);
    study.arrived();
}

#[test]
fn a_device_does_not_send_to_itself() {
    let mut garden = Device::new("Garden");
    let addr = garden.listen(AcceptPolicy::All, Some(PASSPHRASE));
    let file = garden.home.path().join("a.txt");
    fs::write(&file, "hello").unwrap();
    garden.send(&[&file], addr, PASSPHRASE);
    assert_eq!(garden.ended().failure, Some(Failure::Ourselves));
}

#[test]
fn an_engine_ends_at_once_though_its_peer_never_says_a_word() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut study = Device::new("Study");
    let file = study.home.path().join("a.txt");
    fs::write(&file, "hello").unwrap();
    study.send(&[&file], silent.local_addr().unwrap(), PASSPHRASE);
    let _connected = silent.accept().unwrap();
    study.wait("verifying", |event| {
        matches!(event, Event::State(_, TransferState::Verifying)).then_some(())
    });
    let begun = Instant::now();
    drop(study);
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn failures_alone_are_told_and_many_of_them_do_not_stall() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let addr = garden.listen(AcceptPolicy::Ask, Some(PASSPHRASE));
    let thesis = study.home.path().join("Thesis");
    fs::create_dir(&thesis).unwrap();
    // They are listed as files and turn into something else before they are read.
    for n in 0..100 {
        fs::write(thesis.join(format!("{n}")), noise(n, 300_000)).unwrap();
    }
    study.send(&[&thesis], addr, PASSPHRASE);
    let offer = garden.offer();
    for n in 0..100 {
        fs::write(thesis.join(format!("{n}")), b"changed").unwrap();
    }
    garden.engine.command(Command::Answer(
        offer.transfer,
        Answer::Accept {
            folder: None,
            on_conflict: None,
            remember: false,
        },
    ));
    let ended = study.ended();
    assert_eq!((ended.status, ended.failed), (Status::Problems, 100));
    assert_eq!(study.reports().len(), 100);
}

#[test]
fn a_forgotten_transfer_leaves_neither_staging_nor_record() {
    let (garden, mut study) = under_way();
    let transfer = garden.said.iter().find_map(|event| match event {
        Event::Started(started) => Some(started.transfer),
        _ => None,
    });
    garden.engine.command(Command::Forget(transfer.unwrap()));
    assert_eq!(study.ended().status, Status::Cancelled(Party::Peer));
    let (inbox, records) = (garden.inbox(), garden.home.path().join("data/transfers"));
    let Device { engine, home, .. } = garden;
    // Dropping it waits for what it has begun.
    let deadline = Instant::now() + Duration::from_secs(10);
    while inbox.join(".ropeway").exists() && Instant::now() < deadline {
        std::thread::yield_now();
    }
    drop(engine);
    assert_eq!(tree(&inbox), []);
    assert_eq!(fs::read_dir(records).unwrap().count(), 0);
    drop(home);
}

/// A folder to send, and one of its name with an older file and one of the sender's alone.
fn two_holidays(study: &Device, save: &Path) -> std::path::PathBuf {
    let sent = study.home.path().join("Holiday");
    let there = save.join("Holiday");
    for folder in [&sent, &there] {
        fs::create_dir_all(folder).unwrap();
    }
    fs::write(there.join("a.txt"), "theirs").unwrap();
    fs::write(there.join("mine.txt"), "mine").unwrap();
    fs::write(sent.join("a.txt"), "sent").unwrap();
    fs::write(sent.join("new.txt"), "new").unwrap();
    sent
}

fn surveyed(device: &mut Device, folder: &Path) -> OfferFolder {
    device.wait("what exists", |event| match event {
        Event::OfferFolder(offer) => {
            let complete = offer.existing.as_ref().is_some_and(|found| found.complete);
            (complete && offer.folder == folder).then(|| offer.clone())
        }
        _ => None,
    })
}

#[test]
fn an_offer_tells_what_exists_in_its_folder_and_in_another_one() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    garden.on_conflict = OnConflict::Newer;
    let addr = garden.listen(AcceptPolicy::Ask, Some(PASSPHRASE));
    let inbox = garden.inbox();
    let sent = two_holidays(&study, &inbox);
    let transfer = study.send(&[&sent], addr, PASSPHRASE);
    let offer = surveyed(&mut garden, &inbox);
    let rules = garden.said.iter().filter_map(|event| match event {
        Event::Offer(offer) => Some(offer.on_conflict),
        _ => None,
    });
    assert!(rules.clone().count() > 0);
    assert!(rules.into_iter().all(|rule| rule == OnConflict::Newer));
    let existing = offer.existing.unwrap();
    assert_eq!(existing.names, ["Holiday"]);
    assert_eq!(existing.picked, 1);
    assert_eq!((existing.same_names, existing.new), (1, 1));
    assert!(offer.free_bytes.is_some());

    // Looking makes nothing, and what is accepted goes where it was last looked at.
    let elsewhere = garden.home.path().join("elsewhere");
    garden
        .engine
        .command(Command::LookInto(transfer, elsewhere.clone()));
    let offer = surveyed(&mut garden, &elsewhere);
    let existing = offer.existing.unwrap();
    assert_eq!((existing.picked, existing.same_names), (0, 0));
    assert_eq!(existing.new, 2);
    assert!(offer.free_bytes.is_some());
    assert!(!elsewhere.exists());
    let before = tree(&inbox);
    let answer = Answer::Accept {
        folder: None,
        on_conflict: None,
        remember: false,
    };
    garden.engine.command(Command::Answer(transfer, answer));
    study.arrived();
    garden.arrived();
    assert_eq!(tree(&elsewhere.join("Holiday")), tree(&sent));
    assert_eq!(tree(&inbox), before);
}

#[test]
fn the_answer_to_an_offer_may_choose_another_rule() {
    for (rule, skipped, names) in [
        (OnConflict::Rename, 0, vec!["Holiday"]),
        (OnConflict::Skip, 1, vec!["Holiday"]),
        (OnConflict::Separate, 0, vec!["Holiday", "Holiday (1)"]),
    ] {
        let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
        garden.on_conflict = OnConflict::Replace;
        let addr = garden.listen(AcceptPolicy::Ask, Some(PASSPHRASE));
        let sent = two_holidays(&study, &garden.inbox());
        let before = tree(&garden.inbox());
        study.send(&[&sent], addr, PASSPHRASE);
        let offer = garden.offer();
        let answer = Answer::Accept {
            folder: None,
            on_conflict: Some(rule),
            remember: false,
        };
        garden
            .engine
            .command(Command::Answer(offer.transfer, answer));
        for device in [&mut study, &mut garden] {
            let ended = device.arrived();
            assert_eq!((ended.skipped, ended.failed), (skipped, 0), "{rule:?}");
        }
        garden.safe();
        let mut tops = final_names(&garden.inbox());
        tops.sort();
        assert_eq!(tops, names, "{rule:?}");
        let after = tree(&garden.inbox());
        assert!(before.iter().all(|one| after.contains(one)), "{rule:?}");
        if rule == OnConflict::Separate {
            assert_eq!(tree(&garden.inbox().join("Holiday (1)")), tree(&sent));
            let there = garden.inbox().join("Holiday");
            assert_eq!(tree(&there).len(), 2, "nothing is mixed");
        }
    }
}

/// How many seconds something lasts, so that it can be tried for long by hand.
fn seconds(variable: &str, usually: u64) -> Duration {
    let said = std::env::var(variable).ok();
    Duration::from_secs(said.map_or(usually, |seconds| seconds.parse().unwrap()))
}

/// A line of `delay` there and as much back. Until the time in `stalls_until` nothing gets through.
fn slow_line(to: SocketAddr, delay: Duration, stalls_until: Arc<Mutex<Instant>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let carry = move |mut from: TcpStream, mut to: TcpStream| {
        let (sender, arriving) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 64 << 10];
            while let Ok(count @ 1..) = from.read(&mut bytes) {
                let there = Instant::now() + delay;
                if sender.send((there, bytes[..count].to_vec())).is_err() {
                    return;
                }
            }
        });
        let stalls_until = stalls_until.clone();
        std::thread::spawn(move || {
            for (there, bytes) in arriving {
                let there = there.max(*stalls_until.lock().unwrap());
                std::thread::sleep(there.saturating_duration_since(Instant::now()));
                if to.write_all(&bytes).is_err() {
                    break;
                }
            }
            let _ = to.shutdown(Shutdown::Both);
        });
    };
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(to).unwrap();
            carry(client.try_clone().unwrap(), server.try_clone().unwrap());
            carry(server, client);
        }
    });
    addr
}

/// `ROPEWAY_STALL_SECONDS=25` stalls as long as a connection has to bear.
#[test]
fn an_honest_sender_gets_in_over_a_line_of_200_ms_and_a_stall_in_the_middle_interrupts_nothing() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let addr = garden.listen(AcceptPolicy::All, None);
    let code = garden.code();
    let stalls_until = Arc::new(Mutex::new(Instant::now()));
    let addr = slow_line(addr, Duration::from_millis(200), stalls_until.clone());
    let film = study.home.path().join("film.bin");
    fs::write(&film, noise(3, 24 << 20)).unwrap();
    study.send(&[&film], addr, &code);
    for device in [&mut study, &mut garden] {
        device.wait("bytes moving", |event| match event {
            Event::Progress(progress) => (progress.bytes > 1 << 20).then_some(()),
            _ => None,
        });
    }
    *stalls_until.lock().unwrap() = Instant::now() + seconds("ROPEWAY_STALL_SECONDS", 5);
    for device in [&mut study, &mut garden] {
        device.wait("the word that nothing is heard", |event| match event {
            Event::Quiet { seconds, .. } => (*seconds > 0).then_some(()),
            _ => None,
        });
        device.arrived();
        let cut = |event: &Event| matches!(event, Event::State(_, TransferState::Interrupted));
        assert!(!device.said.iter().any(cut));
    }
    assert_eq!(
        fs::read(garden.inbox().join("film.bin")).unwrap(),
        noise(3, 24 << 20)
    );
}

/// `ROPEWAY_BOTH_WAYS_SECONDS=120` does it for minutes.
#[test]
fn two_devices_send_to_each_other_at_the_same_time_and_both_get_exactly_what_was_sent() {
    const BYTES: usize = 24 << 20;
    let mut devices = [Device::new("Garden"), Device::new("Study")];
    let addrs = devices
        .each_mut()
        .map(|device| device.listen(AcceptPolicy::All, Some(PASSPHRASE)));
    let films = devices
        .each_ref()
        .map(|device| device.home.path().join("film.bin"));
    for (n, film) in films.iter().enumerate() {
        fs::write(film, noise(n as u64, BYTES)).unwrap();
    }
    let until = Instant::now() + seconds("ROPEWAY_BOTH_WAYS_SECONDS", 2);
    let mut rounds = 0;
    while rounds == 0 || Instant::now() < until {
        for (n, device) in devices.iter_mut().enumerate() {
            device.said.clear();
            device.send(&[&films[n]], addrs[1 - n], PASSPHRASE);
        }
        for (n, device) in devices.iter_mut().enumerate() {
            // One that it has sent, and one that it has received.
            let sent = device.arrived().sent_bytes + device.arrived().sent_bytes;
            assert!(sent >= BYTES as u64, "all of it has travelled: {sent}");
            let came = device.inbox().join("film.bin");
            assert!(fs::read(&came).unwrap() == noise(1 - n as u64, BYTES));
            fs::remove_file(came).unwrap();
        }
        rounds += 1;
    }
    eprintln!("{rounds} times both ways");
}
