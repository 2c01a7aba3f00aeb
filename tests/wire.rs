//! Who watches the wire sees a transfer as PROTOCOL.md tells it, and nothing that is secret.

// Helpers of tests are tests, too; clippy only knows the functions that are marked.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use ropeway::engine::{
    AcceptPolicy, Closed, Command, Event, Flow, Phase, Purpose, What, WireConnection,
};
use support::{Device, PASSPHRASE, noise};

fn watch(device: &Device) {
    device.engine.command(Command::WatchWire(true));
}

/// The first that stands like that.
fn see(device: &mut Device, wanted: impl Fn(&WireConnection) -> bool) -> WireConnection {
    device.wait("such a connection", |event| match event {
        Event::Wire(all) => all.iter().find(|one| wanted(one)).cloned(),
        _ => None,
    })
}

fn ended(device: &mut Device, purpose: Purpose) -> WireConnection {
    see(device, |one| {
        one.purpose == purpose && one.phase == Phase::Closed(Closed::Goodbye)
    })
}

/// `→ hello`, `data ×3` and so on; and where it stood in between.
fn story(one: &WireConnection) -> (Vec<String>, Vec<Phase>) {
    let (mut frames, mut phases) = (Vec::new(), Vec::new());
    for seen in one.seen.iter() {
        match &seen.what {
            What::Phase(phase) => phases.push(phase.clone()),
            What::Frames(frame) => {
                let arrow = if frame.out { "→" } else { "←" };
                frames.push(format!("{arrow} {} {}", frame.name, frame.count));
            }
        }
    }
    (frames, phases)
}

/// Whichever way it went.
fn count_of(one: &WireConnection, name: &str) -> u64 {
    let seen = one.seen.iter();
    seen.map(|seen| match &seen.what {
        What::Frames(frames) if frames.name == name => frames.count,
        What::Frames(_) | What::Phase(_) => 0,
    })
    .sum()
}

const ONCE: [(&str, u64); 9] = [
    ("offer", 1),
    ("manifest", 1),
    ("manifest end", 1),
    ("accept", 1),
    ("file end", 1),
    ("finish", 1),
    ("received", 1),
    ("safe", 1),
    ("pause", 0),
];

#[test]
fn a_watcher_sees_a_whole_transfer_in_its_phases_and_frames() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    watch(&garden);
    watch(&study);
    let addr = garden.listen(AcceptPolicy::All, Some(PASSPHRASE));
    let listens = see(&mut garden, |one| one.purpose == Purpose::Listen);
    assert_eq!(
        (&listens.phase, listens.local),
        (&Phase::Listening, Some(addr))
    );
    let file = study.home.path().join("film.bin");
    fs::write(&file, noise(1, 700_000)).unwrap();
    study.send(&[&file], addr, PASSPHRASE);

    let sent = ended(&mut study, Purpose::Send);
    let received = ended(&mut garden, Purpose::Receive);
    assert_eq!(sent.peer.as_ref().unwrap().as_str(), "Garden");
    assert_eq!(received.peer.as_ref().unwrap().as_str(), "Study");
    assert_eq!((sent.local, sent.remote), (received.remote, received.local));
    assert!(sent.dialled && !received.dialled);

    let (frames, phases) = story(&sent);
    let closed = Phase::Closed(Closed::Goodbye);
    let connecting = Phase::Connecting {
        to: addr,
        at: 1,
        of: 1,
    };
    let wanted = [
        connecting,
        Phase::Handshake,
        Phase::Hello,
        Phase::Challenge,
        Phase::Proof,
        Phase::PersonThere,
        Phase::Sending(Flow::Moves),
        Phase::Finishing,
        Phase::Safe,
        Phase::Goodbye,
        closed.clone(),
    ];
    assert_eq!(phases, wanted);
    let greeting = [
        "→ hello 1",
        "← hello 1",
        "→ verify 1",
        "← challenge 1",
        "→ answer 1",
        "← proof 1",
        "→ offer 1",
        "→ manifest 1",
        "→ manifest end 1",
        "← accept 1",
    ];
    assert_eq!(frames[..greeting.len()], greeting);
    // 700,000 bytes in chunks of 256 KiB, then the file's end and the transfer's.
    for (name, count) in ONCE.iter().chain(&[("data", 3)]) {
        assert_eq!(count_of(&sent, name), *count, "{name} in {frames:?}");
    }

    let (came, phases) = story(&received);
    for (name, count) in ONCE.iter().chain(&[("data", 3)]) {
        assert_eq!(count_of(&received, name), *count, "{name} in {came:?}");
    }
    let order = [
        Phase::Handshake,
        Phase::Hello,
        Phase::Choice,
        Phase::Answer,
        Phase::Offer,
        Phase::PersonHere,
        Phase::Opening,
        Phase::Receiving(Flow::Moves),
        Phase::Finishing,
        Phase::Flushing,
        Phase::Goodbye,
        closed,
    ];
    assert_eq!(phases, order);

    // What one end wrote is what the other one read, to the byte.
    assert_eq!(sent.counts.frames_out, received.counts.frames_in);
    assert_eq!(sent.counts.bytes_out, received.counts.bytes_in);
    assert_eq!(received.counts.frames_out, sent.counts.frames_in);
    assert_eq!(received.counts.bytes_out, sent.counts.bytes_in);
}

#[test]
fn a_server_that_says_nothing_is_waited_for_until_the_time_that_is_told() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = silent.local_addr().unwrap();
    let mut study = Device::new("Study");
    watch(&study);
    let file = study.home.path().join("a.txt");
    fs::write(&file, "hello").unwrap();
    study.send(&[&file], addr, PASSPHRASE);
    let (_open, _) = silent.accept().unwrap();
    let waits = see(&mut study, |one| one.phase == Phase::Handshake);
    let until = waits.until.unwrap();
    let ends = see(&mut study, |one| matches!(one.phase, Phase::Closed(_)));
    assert!(ends.since >= until, "not before");
    assert!(ends.since <= until + Duration::from_secs(2));
    assert!(matches!(ends.phase, Phase::Closed(Closed::Failed(_))));
}

#[test]
fn a_client_that_stops_after_its_first_bytes_is_shown_with_the_end_of_its_time() {
    let mut garden = Device::new("Garden");
    watch(&garden);
    let addr = garden.listen(AcceptPolicy::All, Some(PASSPHRASE));
    let mut client = std::net::TcpStream::connect(addr).unwrap();
    let waits = see(&mut garden, |one| one.phase == Phase::Handshake);
    assert_eq!(waits.remote, Some(client.local_addr().unwrap()));
    let until = waits.until.unwrap();
    assert!(until > Instant::now());
    // It hears nothing but the end.
    let _ = client.read(&mut [0; 64]);
    let ends = see(&mut garden, |one| {
        one.id == waits.id && matches!(one.phase, Phase::Closed(_))
    });
    assert_eq!(ends.phase, Phase::Closed(Closed::TooSlow));
    assert!(ends.since >= until && ends.since <= until + Duration::from_secs(2));
}

#[test]
fn nothing_is_told_to_who_does_not_watch_any_more() {
    let mut garden = Device::new("Garden");
    watch(&garden);
    garden.listen(AcceptPolicy::All, Some(PASSPHRASE));
    see(&mut garden, |one| one.phase == Phase::Listening);
    garden.engine.command(Command::WatchWire(false));
    garden
        .engine
        .command(Command::StopListening(ropeway::engine::StopMode::LetFinish));
    garden.wait("ListenStopped", |event| {
        matches!(event, Event::ListenStopped).then_some(())
    });
    let rest: Vec<_> = garden.events.try_iter().collect();
    assert!(rest.iter().all(|event| !matches!(event, Event::Wire(_))));
}

#[cfg(unix)]
mod lines {
    use std::fs::{self, File};

    use super::support::program::{Running, ropeway};

    /// A time, who, and what; nothing else.
    fn well_formed(line: &str) -> bool {
        let Some((clock, rest)) = line.split_once(' ') else {
            return false;
        };
        let clock = clock.as_bytes();
        let who = rest.split(' ').next().unwrap();
        clock.len() == 12
            && (clock[2], clock[5], clock[8]) == (b':', b':', b'.')
            && ["listen", "client-1", "send-1"].contains(&who)
    }

    #[test]
    fn the_log_says_it_in_lines_and_nothing_secret_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let inbox = path("inbox");
        let mut receiver = ropeway(
            &path("garden"),
            &[
                "receive",
                "--json",
                "--once",
                "--accept",
                "all",
                "--listen",
                "127.0.0.1:0",
                "--log",
                "wire",
                "--dir",
                inbox.to_str().unwrap(),
            ],
        );
        receiver.stderr(File::create(path("garden.log")).unwrap());
        // Nothing but JSON is on its stdout, or this panics.
        let mut receiver = Running::start(receiver);
        let listening = receiver.wait("listening");
        let code = listening["code"].as_str().unwrap().to_owned();
        let secret = path("Diary of Anna");
        fs::create_dir(&secret).unwrap();
        fs::write(secret.join("confession.txt"), "it was me").unwrap();
        fs::write(secret.join("film.bin"), vec![0x61; 300_000]).unwrap();
        let to = format!("127.0.0.1:{}", listening["port"]);
        let mut sender = ropeway(
            &path("study"),
            &[
                "send",
                "--json",
                "--log",
                "wire",
                secret.to_str().unwrap(),
                "--to",
                &to,
            ],
        );
        sender.env("ROPEWAY_CODE", &code);
        sender.stderr(File::create(path("study.log")).unwrap());
        assert_eq!(Running::start(sender).code(), Some(0));
        assert_eq!(receiver.code(), Some(0));
        for (log, lines) in [
            (
                "study.log",
                [
                    "send-1 → 0x02 verify ",
                    "send-1 waits for the challenge, at latest in ",
                    "send-1 ← 0x05 proof ",
                    "send-1 → 0x10 offer ",
                    "send-1 closed: goodbye",
                ],
            ),
            (
                "garden.log",
                [
                    "listen waits for somebody to connect, until Receive is switched off",
                    "client-1 has sent its challenge and waits for the answer, at latest in ",
                    "client-1 → 0x05 proof ",
                    "client-1 ← 0x21 batch ",
                    "client-1 closed: goodbye",
                ],
            ),
        ] {
            let log = fs::read_to_string(path(log)).unwrap();
            for line in lines {
                assert!(log.contains(line), "{line} in {log}");
            }
            assert!(log.lines().all(well_formed), "{log}");
            let plain = code.replace(' ', "");
            for secret in [
                &*code,
                &plain,
                "Diary",
                "confession",
                "film",
                "it was",
                "aaaa",
            ] {
                assert!(!log.contains(secret), "{secret} in {log}");
            }
            // Hashes, keys and proofs would be long.
            let hex = |run: &&str| run.len() >= 16 && run.bytes().all(|b| b.is_ascii_hexdigit());
            let mut words = log.split(|c: char| !c.is_ascii_alphanumeric());
            assert_eq!(words.find(hex), None);
        }
    }
}
