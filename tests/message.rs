//! `ropeway message` and what `ropeway receive` makes of it, as processes; killed at any moment, too.

// Helpers of tests are tests, too; clippy only knows the functions that are marked.
#![allow(clippy::unwrap_used)]
#![cfg(unix)]

mod support;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use ropeway::model::{DeviceId, Direction, Failure, MAX_MESSAGE_BYTES, Said};
use ropeway::storage::transcripts::Transcripts;
use rustix::process::Signal;
use support::program::{Running, fields, outcome, ropeway};
use support::talk::{delivered, failed, opened, say, talk};
use support::{Device, PASSPHRASE};

/// `ropeway receive` at an address, and where it listens.
fn receive(home: &Path, at: &str, more: &[&str]) -> (Running, SocketAddr) {
    let inbox = home.join("inbox");
    let inbox = inbox.to_str().unwrap();
    let fixed = ["receive", "--listen", at, "--dir", inbox, "--json"];
    let mut command = ropeway(&home.join("data"), &[&fixed, more].concat());
    command.env("ROPEWAY_CODE", PASSPHRASE);
    let mut running = Running::start(command);
    let listening = running.wait("listening");
    let port = u16::try_from(listening["port"].as_u64().unwrap()).unwrap();
    (running, SocketAddr::from(([127, 0, 0, 1], port)))
}

fn message(home: &Path, to: SocketAddr, text: &str) -> Command {
    let to = to.to_string();
    let mut command = ropeway(&home.join("data"), &["message", text, "--to", &to]);
    command.env("ROPEWAY_CODE", PASSPHRASE);
    command
}

#[test]
fn a_device_that_cannot_keep_a_message_is_not_waited_for_without_end() {
    let (garden, study) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (mut receiving, addr) = receive(garden.path(), "127.0.0.1:0", &[]);
    assert_eq!(outcome(message(study.path(), addr, "first")).0, Some(0));
    let id = receiving.wait("message")["device_id"].clone();
    receiving.signal(Signal::INT);
    receiving.end();
    let kept = garden.path().join("data/conversations");
    let kept = kept.join(format!("{}.jsonl", id.as_str().unwrap()));
    let not_kept = |addr: SocketAddr, text: &str| {
        let (mut receiving, addr) = receive(garden.path(), &addr.to_string(), &[]);
        let mut command = message(study.path(), addr, text);
        command.args(["--wait", "1"]);
        let (status, said) = outcome(command);
        assert_eq!(status, Some(5), "{said}");
        let why = "does not say that it has the message";
        assert!(said.contains(why), "{said}");
        receiving.signal(Signal::INT);
        receiving.end();
    };
    let newer = "{\"version\":99}\n";
    std::fs::write(&kept, newer).unwrap();
    not_kept(addr, "second");
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), newer);
    std::fs::remove_file(&kept).unwrap();
    std::fs::create_dir(&kept).unwrap();
    not_kept(addr, "third");
}

#[test]
fn a_key_that_was_used_at_an_impossible_time_is_not_used_again_and_ends_nothing() {
    let (garden, study) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (mut receiving, addr) = receive(garden.path(), "127.0.0.1:0", &[]);
    assert_eq!(outcome(message(study.path(), addr, "first")).0, Some(0));
    let kept = std::fs::read_dir(study.path().join("data/conversations")).unwrap();
    let kept = kept.map(|entry| entry.unwrap().path());
    let kept: Vec<_> = kept.filter(|path| path.extension().is_some()).collect();
    let text = std::fs::read_to_string(&kept[0]).unwrap();
    let (before, after) = text.split_once("\"used\":").unwrap();
    let after = after.trim_start_matches(|digit: char| digit.is_ascii_digit());
    // As late as can be said.
    let changed = format!("{before}\"used\":{}{after}", i64::MAX);
    std::fs::write(&kept[0], changed).unwrap();
    let (status, said) = outcome(message(study.path(), addr, "second"));
    assert_eq!(status, Some(0), "{said}");
    receiving.wait("message");
    assert_eq!(receiving.wait("message")["text"], "second");
    receiving.signal(Signal::INT);
    receiving.end();
}

#[test]
fn what_a_newer_version_has_kept_is_left_alone_and_receive_says_so() {
    let home = tempfile::tempdir().unwrap();
    let kept = home.path().join("data/conversations");
    std::fs::create_dir_all(&kept).unwrap();
    let kept = kept.join(format!("{}.jsonl", "0a".repeat(32)));
    std::fs::write(&kept, "{\"version\":99}\n").unwrap();
    let inbox = home.path().join("inbox");
    let fixed = ["receive", "--listen", "127.0.0.1:0", "--json", "--dir"];
    let mut command = ropeway(
        &home.path().join("data"),
        &[&fixed[..], &[inbox.to_str().unwrap()]].concat(),
    );
    command
        .env("ROPEWAY_CODE", PASSPHRASE)
        .stderr(Stdio::piped());
    let mut running = Running::start(command);
    running.wait("listening");
    running.signal(Signal::INT);
    running.end();
    let mut said = String::new();
    let mut stderr = running.child.stderr.take().unwrap();
    std::io::Read::read_to_string(&mut stderr, &mut said).unwrap();
    assert!(said.contains("newer version"), "{said}");
    assert_eq!(
        std::fs::read_to_string(&kept).unwrap(),
        "{\"version\":99}\n"
    );
}

#[test]
fn a_message_arrives_as_an_event_and_needs_no_code_the_next_time() {
    let (garden, study) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (mut receiving, addr) = receive(garden.path(), "127.0.0.1:0", &[]);
    let text = "Lunch?\n\u{1b}]0;title\u{7}\u{9b}31m\u{202e}好";
    assert_eq!(outcome(message(study.path(), addr, text)).0, Some(0));
    let came = receiving.wait("message");
    fields(&came, &["id", "from", "device_id", "text", "verified"]);
    assert_eq!(came["text"], text);
    assert_eq!(came["verified"], true);
    // Without the code, from standard input, and told as JSON.
    let mut command = message(study.path(), addr, "-");
    command
        .env_remove("ROPEWAY_CODE")
        .arg("--json")
        .stdin(Stdio::piped());
    let mut saying = Running::start(command);
    let mut stdin = saying.child.stdin.take().unwrap();
    stdin.write_all("two\nlines\n".as_bytes()).unwrap();
    drop(stdin);
    let told = saying.wait("delivery");
    fields(&told, &["id", "to", "device_id"]);
    assert_eq!(told["delivery"], "delivered");
    assert_eq!(saying.code(), Some(0));
    assert_eq!(receiving.wait("message")["text"], "two\nlines");
}

#[test]
fn nothing_that_acts_on_a_terminal_is_printed_for_people_or_as_json() {
    let (garden, study) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let inbox = garden.path().join("inbox");
    for json in [false, true] {
        let port = free_port();
        let at = SocketAddr::from(([127, 0, 0, 1], port));
        let listen = at.to_string();
        let mut arguments = vec![
            "receive",
            "--listen",
            &listen,
            "--dir",
            inbox.to_str().unwrap(),
        ];
        if json {
            arguments.push("--json");
        }
        let mut command = ropeway(&garden.path().join("data"), &arguments);
        let child = command.env("ROPEWAY_CODE", PASSPHRASE).spawn().unwrap();
        let evil = "\u{1b}[2J\u{9b}1m\r\u{8}\u{202e}\u{2066}end";
        while outcome(message(study.path(), at, evil)).0 != Some(0) {}
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, Signal::INT).unwrap();
        let printed = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        assert!(printed.contains("end"), "{printed:?}");
        let acts = |c: char| {
            (c.is_control() && c != '\n')
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        assert!(!printed.chars().any(acts), "{printed:?}");
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn the_exit_status_says_why_a_message_did_not_arrive() {
    let (garden, study) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_receiving, addr) = receive(garden.path(), "127.0.0.1:0", &[]);
    let nobody = SocketAddr::from(([127, 0, 0, 1], free_port()));
    assert_eq!(outcome(message(study.path(), nobody, "x")).0, Some(5));
    let mut wrong = message(study.path(), addr, "x");
    wrong.env("ROPEWAY_CODE", "wrong horse battery");
    assert_eq!(outcome(wrong).0, Some(4));
    let mut without = message(study.path(), addr, "x");
    without.env_remove("ROPEWAY_CODE");
    assert_eq!(outcome(without).0, Some(4));
    assert_eq!(outcome(message(study.path(), addr, "")).0, Some(2));
    let too_long = "x".repeat(MAX_MESSAGE_BYTES + 1);
    assert_eq!(outcome(message(study.path(), addr, &too_long)).0, Some(2));
}

#[test]
fn without_a_terminal_a_text_from_somebody_unknown_is_declined() {
    let home = tempfile::tempdir().unwrap();
    let (mut receiving, addr) = receive(home.path(), "127.0.0.1:0", &["--allow", "anyone"]);
    let mut study = Device::new("Study");
    talk(&study, addr, "", Some((1, "hello")));
    let asked = receiving.wait("text-offer");
    fields(&asked, &["from", "device_id", "symbols"]);
    assert_eq!(asked["trust"], "asked");
    assert_eq!(failed(&mut study), Failure::Declined);
    assert!(receiving.all("message").is_empty());
}

/// What stands in the conversation's file of a device.
fn texts(home: &Path, with: DeviceId, direction: Direction) -> Vec<String> {
    let (transcript, trouble) = Transcripts::new(&home.join("data")).read(with);
    assert!(trouble.is_none(), "{trouble:?}");
    let lines = transcript.lines.into_iter().map(|(line, _)| line);
    let ours = lines.filter(|line| line.direction == direction);
    let texts = ours.filter_map(|line| match line.what {
        Said::Text { text, .. } => Some(text),
        Said::Transfer(_) => None,
    });
    texts.collect()
}

fn id_of(running: &Running) -> DeviceId {
    let id = running.last("listening")["device_id"].as_str().unwrap();
    id.parse().unwrap()
}

#[test]
fn a_receiver_killed_at_any_moment_has_each_message_once_and_in_order() {
    const ROUNDS: u64 = 6;
    const EACH: u64 = 25;
    let home = tempfile::tempdir().unwrap();
    let (mut receiving, addr) = receive(home.path(), "127.0.0.1:0", &[]);
    let there = id_of(&receiving);
    let mut study = Device::new("Study");
    talk(&study, addr, PASSPHRASE, None);
    assert_eq!(opened(&mut study), there);
    for round in 0..ROUNDS {
        for n in round * EACH..(round + 1) * EACH {
            say(&study, there, n, &format!("message {n}"));
        }
        // In the middle of them, each time somewhere else.
        for _ in 0..=round * 3 {
            receiving.wait("message");
        }
        receiving.signal(Signal::KILL);
        receiving.end();
        receiving = receive(home.path(), &addr.to_string(), &[]).0;
    }
    delivered(&mut study, ROUNDS * EACH - 1);
    receiving.signal(Signal::KILL);
    receiving.end();
    let folder = home.path().join("data/conversations");
    let mut devices = std::fs::read_dir(folder).unwrap().filter_map(|entry| {
        let name = entry.unwrap().file_name();
        name.to_str()?
            .strip_suffix(".jsonl")?
            .parse::<DeviceId>()
            .ok()
    });
    let here = devices.next().unwrap();
    let expected: Vec<_> = (0..ROUNDS * EACH).map(|n| format!("message {n}")).collect();
    assert_eq!(texts(home.path(), here, Direction::Receive), expected);
}

#[test]
fn a_sender_killed_at_any_moment_doubles_nothing_and_says_the_rest_later() {
    const ROUNDS: u64 = 24;
    let (garden, study) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (mut receiving, addr) = receive(garden.path(), "127.0.0.1:0", &[]);
    // Opened once, so that what is left can be said without a code.
    assert_eq!(outcome(message(study.path(), addr, "first")).0, Some(0));
    let mut certain = vec!["first".to_owned()];
    for n in 0..ROUNDS {
        let text = format!("message {n}");
        let mut child = message(study.path(), addr, &text).spawn().unwrap();
        let until = std::time::Instant::now() + Duration::from_millis(3 * n);
        let mut status = None;
        while status.is_none() && std::time::Instant::now() < until {
            status = child.try_wait().unwrap();
        }
        let _ = child.kill();
        if child.wait().unwrap().code() == Some(0) {
            certain.push(text);
        }
    }
    let there = id_of(&receiving);
    // Whatever was said is said to the end, by whoever runs next.
    assert_eq!(outcome(message(study.path(), addr, "last")).0, Some(0));
    certain.push("last".to_owned());
    let came = loop {
        receiving.wait("message");
        let came: Vec<_> = receiving
            .all("message")
            .iter()
            .map(|line| line["text"].as_str().unwrap().to_owned())
            .collect();
        if came.last().is_some_and(|text| text == "last") {
            break came;
        }
    };
    assert!(
        certain.iter().all(|text| came.contains(text)),
        "{certain:?} {came:?}"
    );
    // What was killed before its own disk had it may have arrived all the same, once.
    let said = texts(study.path(), there, Direction::Send);
    assert!(
        said.iter().all(|text| came.contains(text)),
        "{said:?} {came:?}"
    );
    let numbers: Vec<_> = came
        .iter()
        .filter_map(|text| text.strip_prefix("message ")?.parse::<u64>().ok())
        .collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{came:?}");
}
