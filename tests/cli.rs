//! The whole program between two terminals: arguments in, JSON lines, files and exit statuses out.

// Helpers of tests are tests, too; clippy only knows the functions that are marked.
#![allow(clippy::unwrap_used)]
#![cfg(unix)]

mod support;

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use rustix::process::Signal;
use serde_json::Value;
use support::program::{Running, fields, outcome, ropeway};
use support::{BIG_BYTES, PASSPHRASE, noise, tree};

/// A folder for two devices, and the receiving one already running.
struct Pair {
    folder: tempfile::TempDir,
    receiver: Running,
    to: String,
}

impl Pair {
    fn new(more: &[&str]) -> Self {
        Self::with(more, Some(PASSPHRASE))
    }

    fn with(more: &[&str], passphrase: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let inbox = folder.path().join("inbox");
        let mut arguments = vec!["receive", "--json", "--listen", "127.0.0.1:0", "--dir"];
        arguments.push(inbox.to_str().unwrap());
        arguments.extend(more);
        let mut command = ropeway(&folder.path().join("garden"), &arguments);
        if let Some(passphrase) = passphrase {
            command.env("ROPEWAY_CODE", passphrase);
        }
        let mut receiver = Running::start(command);
        let listening = receiver.wait("listening");
        let to = format!("127.0.0.1:{}", listening["port"]);
        Self {
            folder,
            receiver,
            to,
        }
    }

    /// After the receiver has ended: another one of the same device at the same port.
    fn restart_receiver(&mut self, port: &str, more: &[&str]) {
        let inbox = self.inbox();
        let listen = format!("127.0.0.1:{port}");
        let mut arguments = vec!["receive", "--json", "--listen", &listen, "--dir"];
        arguments.push(inbox.to_str().unwrap());
        arguments.extend(more);
        let mut command = ropeway(&self.path("garden"), &arguments);
        command.env("ROPEWAY_CODE", PASSPHRASE);
        self.receiver = Running::start(command);
        self.receiver.wait("listening");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn inbox(&self) -> PathBuf {
        self.path("inbox")
    }

    fn sending(&self, what: &Path, secret: &str) -> Command {
        let arguments = ["send", what.to_str().unwrap(), "--to", &self.to, "--json"];
        let mut command = ropeway(&self.path("study"), &arguments);
        command.env("ROPEWAY_CODE", secret);
        command
    }

    fn send(&self, what: &Path, secret: &str) -> Running {
        Running::start(self.sending(what, secret))
    }

    fn big(&self) -> PathBuf {
        let path = self.path("big.bin");
        fs::File::create(&path).unwrap().set_len(BIG_BYTES).unwrap();
        path
    }

    /// Final names in the save folder: everything that is not our staging.
    fn final_names(&self) -> Vec<PathBuf> {
        let inbox = self.inbox();
        if !inbox.exists() {
            return Vec::new();
        }
        let names = fs::read_dir(inbox).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into());
        names
            .filter(|name: &PathBuf| name != Path::new(".ropeway"))
            .collect()
    }
}

#[test]
fn a_folder_travels_between_two_terminals_and_both_say_so_in_json() {
    let mut pair = Pair::new(&["--once", "--accept", "all"]);
    let holiday = pair.path("Holiday 2026");
    fs::create_dir_all(holiday.join("day 1/empty")).unwrap();
    fs::write(holiday.join("nothing"), b"").unwrap();
    fs::write(holiday.join("合同（已签）.pdf"), noise(1, 2_000_001)).unwrap();
    let run = holiday.join("day 1/run.sh");
    fs::write(&run, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&run, fs::Permissions::from_mode(0o755)).unwrap();
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(86_400);
    fs::File::open(&run)
        .unwrap()
        .set_modified(long_ago)
        .unwrap();

    let mut sender = pair.send(&holiday, PASSPHRASE);
    assert_eq!(sender.code(), Some(0), "{:#?}", sender.said);
    assert_eq!(pair.receiver.code(), Some(0), "{:#?}", pair.receiver.said);

    assert_eq!(tree(&holiday), tree(&pair.inbox().join("Holiday 2026")));
    assert_eq!(pair.final_names(), [Path::new("Holiday 2026")]);
    assert!(
        !pair.inbox().join(".ropeway").exists(),
        "no staging is left"
    );
    let there = pair.inbox().join("Holiday 2026/day 1/run.sh");
    let there = fs::metadata(there).unwrap();
    assert_eq!(there.modified().unwrap(), long_ago);
    assert_eq!(there.permissions().mode() & 0o111, 0o111);

    let offer = pair.receiver.last("offer");
    fields(offer, &["transfer", "from", "entries", "bytes"]);
    for end in [&sender, &pair.receiver] {
        fields(end.last("state"), &["transfer", "state"]);
        let progress = end.last("progress");
        fields(progress, &["transfer", "bytes_per_second"]);
        assert_eq!(progress["bytes"], 2_000_011);
        assert_eq!(progress["total_bytes"], 2_000_011);
        assert!(progress.as_object().unwrap().contains_key("eta_seconds"));
        let transfer = end.last("transfer");
        assert_eq!(transfer["status"], "arrived");
        assert_eq!(transfer["entries"], 6);
        assert_eq!(transfer["bytes"], 2_000_011);
        assert_eq!(transfer["failed"], 0);
        fields(transfer, &["direction", "seconds", "sent_bytes"]);
        assert_eq!(end.all("transfer").len(), 1, "once a transfer and process");
        assert_eq!(end.last("safe")["transfer"], transfer["transfer"]);
        let files = end.all("file");
        let contract = files
            .iter()
            .find(|file| file["bytes"] == 2_000_001)
            .unwrap();
        assert_eq!(contract["path"], "Holiday 2026/合同（已签）.pdf");
        assert_eq!(contract["status"], "arrived");
        let hash = blake3::hash(&noise(1, 2_000_001)).to_hex();
        assert_eq!(contract["blake3"], hash.as_str());
    }
    assert_eq!(sender.last("transfer")["sent_bytes"], 2_000_011);
    assert_eq!(sender.last("transfer")["direction"], "send");
    assert_eq!(pair.receiver.last("transfer")["direction"], "receive");
}

#[test]
fn a_wrong_code_is_refused_with_status_4_and_nothing_on_disk() {
    let mut pair = Pair::with(&["--accept", "all"], None);
    let code = pair.receiver.last("listening")["code"].clone();
    let code = code.as_str().unwrap();
    assert!(code.len() == 6 && code.bytes().all(|digit| digit.is_ascii_digit()));
    let file = pair.path("a.txt");
    fs::write(&file, "hello").unwrap();
    let wrong = if code == "000000" { "111111" } else { "000000" };

    let mut sender = pair.send(&file, wrong);
    assert_eq!(sender.code(), Some(4), "{:#?}", sender.said);
    fields(sender.last("error"), &["code", "message"]);
    let mut silent = pair.sending(&file, "");
    silent.env_remove("ROPEWAY_CODE");
    let mut silent = Running::start(silent);
    assert_eq!(silent.code(), Some(4), "no code at all: {:#?}", silent.said);
    assert!(tree(&pair.inbox()).is_empty(), "nothing on disk");

    // The right one, as people write it; then it is used up and a new one is told.
    let grouped = format!("{} {}", &code[..3], &code[3..]);
    assert_eq!(pair.send(&file, &grouped).code(), Some(0));
    let next = pair.receiver.wait("code");
    fields(&next, &["code", "seconds"]);
    assert_ne!(next["code"], code);
    assert_eq!(pair.send(&file, code).code(), Some(4), "used up");
    assert_eq!(pair.final_names(), [Path::new("a.txt")]);
}

#[test]
fn a_code_file_loses_one_newline_and_a_short_passphrase_is_a_usage_error() {
    let pair = Pair::new(&["--accept", "all"]);
    let (file, secret) = (pair.path("a.txt"), pair.path("secret"));
    fs::write(&file, "hello").unwrap();
    fs::write(&secret, format!("{PASSPHRASE}\n")).unwrap();
    let with_file = || {
        let mut command = pair.sending(&file, "");
        command
            .env_remove("ROPEWAY_CODE")
            .env("ROPEWAY_PRESENCE", "off")
            .arg("--code-file")
            .arg(&secret);
        command
    };
    let mut sender = Running::start(with_file());
    assert_eq!(sender.code(), Some(0), "{:#?}", sender.said);
    // What was named for this run is meant, whatever the environment has.
    let mut command = with_file();
    command.env("ROPEWAY_CODE", "another passphrase");
    let mut sender = Running::start(command);
    assert_eq!(sender.code(), Some(0), "{:#?}", sender.said);

    fs::write(&secret, format!("{PASSPHRASE}\nsecond\n")).unwrap();
    let mut sender = Running::start(with_file());
    assert_eq!(sender.code(), Some(2), "{:#?}", sender.said);
    let said = sender.last("error").to_string();
    assert!(said.contains("more than one line"), "{said}");

    let mut command = ropeway(&pair.path("other"), &["receive", "--once"]);
    command.env("ROPEWAY_CODE", "short");
    let (code, sentence) = outcome(command);
    assert_eq!(code, Some(2), "{sentence}");
    assert!(sentence.contains('8'), "{sentence}");
}

/// `ropeway` as a user for whom permissions count, also where the tests run as root; the program is
/// copied to where that user can reach it.
fn unprivileged(folder: &Path, home: &Path, arguments: &[&str]) -> Command {
    use std::os::unix::process::CommandExt as _;
    if !rustix::process::getuid().is_root() {
        return ropeway(home, arguments);
    }
    let program = folder.join("ropeway");
    if !program.exists() {
        fs::copy(env!("CARGO_BIN_EXE_ropeway"), &program).unwrap();
    }
    let usual = ropeway(home, arguments);
    let mut command = Command::new(program);
    command
        .args(usual.get_args())
        .uid(65_534)
        .gid(65_534)
        .env_remove("ROPEWAY_CODE")
        .env("ROPEWAY_PRESENCE", "off")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A folder in which nobody, too, may do anything.
fn open_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    folder
}

#[test]
fn bad_input_gets_one_clear_sentence_and_the_right_status() {
    let folder = open_folder();
    let home = folder.path().join("home");
    let file = folder.path().join("a.txt");
    fs::write(&file, "hello").unwrap();
    let file = file.to_str().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let nobody_there = {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        closed.local_addr().unwrap().to_string()
    };
    let locked = folder.path().join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o500)).unwrap();
    let locked = locked.to_str().unwrap();
    let there = folder.path().join("there");
    let there = there.to_str().unwrap();
    let nowhere = folder.path().join("nowhere");
    std::os::unix::fs::symlink("gone", &nowhere).unwrap();
    let nowhere = nowhere.to_str().unwrap();
    let unlisted = folder.path().join("no-such-file");
    let unlisted = unlisted.to_str().unwrap();
    let cases: &[(&[&str], i32, &str)] = &[
        (&["send", unlisted, "--to", "127.0.0.1"], 2, "no-such-file"),
        (&["send", file, "--to", ""], 2, "--to"),
        (&["send", file, "--to", "host:99999"], 2, "99999"),
        (&["send", file], 2, "--to"),
        (&["send", "--to", "host"], 2, "PATH"),
        (&["receive", "--accept", "some"], 2, "some"),
        (&["receive", "--on-conflict", "merge"], 2, "merge"),
        (&["receive", "--listen", "nonsense"], 2, "nonsense"),
        (
            &["send", file, "--to", "no.such.host.invalid"],
            5,
            "no.such.host.invalid",
        ),
        (&["send", file, "--to", &nobody_there], 5, &nobody_there),
        (
            &["receive", "--dir", there, "--listen", &taken],
            5,
            taken.rsplit(':').next().unwrap(),
        ),
        (&["receive", "--dir", locked], 7, "locked"),
        (&["receive", "--dir", file], 7, "not a folder"),
        (&["receive", "--dir", nowhere], 7, "leads nowhere"),
        (&["send", file, "--to", "h", "--wait", "-1"], 2, "-1"),
        (&["bogus"], 2, "There is no bogus"),
        (
            &["send", file, "--to", "h", "--code-file", unlisted],
            2,
            "no-such-file",
        ),
    ];
    for (arguments, status, hint) in cases {
        let mut command = unprivileged(folder.path(), &home, arguments);
        command.env("ROPEWAY_CODE", PASSPHRASE);
        if arguments.contains(&"--code-file") {
            command.env_remove("ROPEWAY_CODE");
        }
        let (code, sentence) = outcome(command);
        assert_eq!(code, Some(*status), "{arguments:?}: {sentence}");
        assert!(sentence.contains(hint), "{arguments:?}: {sentence}");
        assert!(!sentence.contains("panicked"), "{sentence}");
        if *status != 2 {
            assert_eq!(sentence.trim_end().lines().count(), 1, "{sentence}");
        }
    }
}

#[test]
fn what_cannot_be_read_fails_alone_with_status_6_and_its_reason() {
    let folder = open_folder();
    let mut receiver = {
        let inbox = folder.path().join("inbox");
        let listen = [
            "receive",
            "--json",
            "--once",
            "--accept",
            "all",
            "--listen",
            "127.0.0.1:0",
            "--dir",
        ];
        let mut arguments = listen.to_vec();
        arguments.push(inbox.to_str().unwrap());
        let mut command = ropeway(&folder.path().join("garden"), &arguments);
        command.env("ROPEWAY_CODE", PASSPHRASE);
        Running::start(command)
    };
    let port = receiver.wait("listening")["port"].clone();
    let thesis = folder.path().join("Thesis");
    fs::create_dir(&thesis).unwrap();
    fs::write(thesis.join("fine"), "hello").unwrap();
    let locked = thesis.join("locked");
    fs::write(&locked, "secret").unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    let to = format!("127.0.0.1:{port}");
    let arguments = ["send", thesis.to_str().unwrap(), "--to", &to, "--json"];
    let home = folder.path().join("study");
    let mut command = unprivileged(folder.path(), &home, &arguments);
    command.env("ROPEWAY_CODE", PASSPHRASE);
    let mut sender = Running::start(command);
    assert_eq!(sender.code(), Some(6), "{:#?}", sender.said);
    assert_eq!(receiver.code(), Some(6), "{:#?}", receiver.said);
    for end in [&sender, &receiver] {
        let failed = end
            .all("file")
            .into_iter()
            .find(|file| file["status"] == "failed");
        let failed = failed.unwrap_or_else(|| panic!("{:#?}", end.said));
        assert_eq!(failed["path"], "Thesis/locked");
        fields(failed, &["reason"]);
        let transfer = end.last("transfer");
        assert_eq!(
            (&transfer["status"], &transfer["failed"]),
            (&"problems".into(), &1.into())
        );
    }
    let there = tree(&folder.path().join("inbox/Thesis"));
    assert_eq!(there, [(PathBuf::from("fine"), Some(b"hello".to_vec()))]);
}

#[test]
fn without_a_terminal_ask_declines_and_the_sender_ends_with_3() {
    let mut pair = Pair::new(&["--once"]);
    let file = pair.path("a.txt");
    fs::write(&file, "hello").unwrap();
    let mut sender = pair.send(&file, PASSPHRASE);
    assert_eq!(sender.code(), Some(3), "{:#?}", sender.said);
    assert_eq!(sender.last("transfer")["status"], "declined");
    assert_eq!(pair.receiver.code(), Some(3), "{:#?}", pair.receiver.said);
    assert_eq!(pair.receiver.last("offer")["bytes"], 5);
    assert_eq!(pair.receiver.last("transfer")["status"], "declined");
    assert!(!pair.inbox().join(".ropeway").exists());
    assert!(pair.final_names().is_empty());
}

#[test]
fn once_takes_one_transfer_and_lets_no_other_cut_it_short() {
    let mut pair = Pair::new(&["--once", "--accept", "all"]);
    let mut sender = pair.send(&pair.big(), PASSPHRASE);
    pair.receiver.moving();
    let small = pair.path("small");
    fs::write(&small, "hello").unwrap();
    let mut second = pair.send(&small, PASSPHRASE);
    assert_eq!(second.code(), Some(3), "{:#?}", second.said);
    sender.moving();
    sender.signal(Signal::INT);
    assert_eq!(sender.code(), Some(130), "{:#?}", sender.said);
    assert_eq!(pair.receiver.code(), Some(3), "{:#?}", pair.receiver.said);
    let cut = pair.receiver.last("transfer");
    assert_eq!(cut["status"], "cancelled");
    assert!(pair.final_names().is_empty());
}

#[test]
fn a_save_folder_that_is_moved_away_is_noticed() {
    let mut pair = Pair::new(&["--once", "--accept", "all"]);
    // An eighth of it can be over on a fast machine before anybody has looked for the folder.
    let mut sender = pair.send(&pair.big(), PASSPHRASE);
    pair.receiver.moving();
    fs::rename(pair.inbox(), pair.path("elsewhere")).unwrap();
    assert_eq!(sender.code(), Some(7), "{:#?}", sender.said);
    assert_eq!(pair.receiver.code(), Some(7));
    let error = pair.receiver.last("error")["message"].clone();
    assert!(error.as_str().unwrap().contains("moved"), "{error}");
    let sent = sender.last("transfer")["sent_bytes"].as_u64();
    assert!(sent < Some(BIG_BYTES), "it ended at once: {sent:?}");
}

#[test]
fn ctrl_c_at_the_sender_cancels_cleanly_and_the_receiver_says_so() {
    let mut pair = Pair::new(&["--once", "--accept", "all"]);
    let mut sender = pair.send(&pair.big(), PASSPHRASE);
    sender.moving();
    sender.signal(Signal::INT);
    assert_eq!(sender.code(), Some(130), "{:#?}", sender.said);
    assert_eq!(sender.last("transfer")["status"], "cancelled");
    assert_eq!(pair.receiver.code(), Some(3), "{:#?}", pair.receiver.said);
    assert_eq!(pair.receiver.last("transfer")["status"], "cancelled");
    assert!(pair.final_names().is_empty());
}

#[test]
fn ctrl_c_at_the_receiver_cancels_cleanly_and_the_sender_says_so() {
    let mut pair = Pair::new(&["--accept", "all"]);
    let mut sender = pair.send(&pair.big(), PASSPHRASE);
    sender.moving();
    pair.receiver.moving();
    pair.receiver.signal(Signal::INT);
    assert_eq!(pair.receiver.code(), Some(130), "{:#?}", pair.receiver.said);
    assert_eq!(sender.code(), Some(3), "{:#?}", sender.said);
    assert_eq!(sender.last("transfer")["status"], "cancelled");
    assert!(pair.final_names().is_empty());
}

#[test]
fn killing_either_side_leaves_no_partial_file_under_a_final_name() {
    let mut pair = Pair::new(&["--accept", "all"]);
    let big = pair.big();
    let mut sender = pair.send(&big, PASSPHRASE);
    pair.receiver.moving();
    sender.signal(Signal::KILL);
    sender.end();
    pair.receiver
        .wait_for("interrupted", |line| line["state"] == "interrupted");
    assert!(pair.final_names().is_empty());

    // The receiver goes on to serve, and is the next to be killed.
    let mut again = pair.sending(&big, PASSPHRASE);
    again.args(["--wait", "1"]);
    let mut sender = Running::start(again);
    pair.receiver.moving();
    pair.receiver.signal(Signal::KILL);
    pair.receiver.end();
    assert_eq!(sender.code(), Some(5), "{:#?}", sender.said);
    assert_eq!(sender.last("transfer")["status"], "interrupted");
    assert!(pair.final_names().is_empty());
}

/// Content that travels long enough to be interrupted.
const FILM_BYTES: usize = 192 << 20;

/// A folder with a large file, a middle one and many small ones.
fn film_night(pair: &Pair) -> PathBuf {
    let folder = pair.path("Film night");
    fs::create_dir_all(folder.join("subtitles/empty")).unwrap();
    fs::write(folder.join("film.mkv"), noise(1, FILM_BYTES)).unwrap();
    fs::write(folder.join("a trailer"), noise(2, 3_000_001)).unwrap();
    for n in 0..300 {
        let content = noise(n, n as usize * 17);
        fs::write(folder.join(format!("subtitles/{n}.srt")), content).unwrap();
    }
    folder
}

fn bytes_of(line: &Value, field: &str) -> u64 {
    line[field].as_u64().unwrap()
}

fn half_way(running: &mut Running, share: f64) -> u64 {
    let enough = (FILM_BYTES as f64 * share) as u64;
    let line = running.wait_for("half of it", |line| {
        line["event"] == "progress" && line["bytes"].as_u64() >= Some(enough)
    });
    bytes_of(&line, "bytes")
}

#[test]
fn after_kills_it_goes_on_without_the_code_and_little_travels_twice() {
    // With a one-time code: the session key carries it on, no second code, no second question.
    let mut pair = Pair::with(&["--accept", "all"], None);
    let code = pair.receiver.last("listening")["code"].clone();
    let night = film_night(&pair);
    let whole = FILM_BYTES as u64 + 3_000_001 + (0..300).map(|n| n * 17).sum::<u64>();
    let mut sender = pair.send(&night, code.as_str().unwrap());
    half_way(&mut sender, 0.3);
    sender.signal(Signal::KILL);
    sender.end();
    pair.receiver
        .wait_for("interrupted", |line| line["state"] == "interrupted");

    // Sent again, it goes on; then both are killed.
    let mut again = pair.sending(&night, "");
    again.env_remove("ROPEWAY_CODE");
    let mut sender = Running::start(again);
    let held = half_way(&mut sender, 0.6);
    sender.signal(Signal::KILL);
    pair.receiver.signal(Signal::KILL);
    sender.end();
    pair.receiver.end();
    assert!(!pair.inbox().join("Film night/film.mkv").exists());

    let port = pair.to.rsplit(':').next().unwrap().to_owned();
    pair.restart_receiver(&port, &["--accept", "all", "--once"]);
    let mut again = pair.sending(&night, "");
    again.env_remove("ROPEWAY_CODE");
    let mut sender = Running::start(again);
    assert_eq!(sender.code(), Some(0), "{:#?}", sender.said);
    assert_eq!(pair.receiver.code(), Some(0), "{:#?}", pair.receiver.said);
    assert_eq!(tree(&night), tree(&pair.inbox().join("Film night")));
    assert_eq!(pair.final_names(), [Path::new("Film night")], "no twins");
    assert!(!pair.inbox().join(".ropeway").exists());
    for device in ["study", "garden"] {
        let kept = fs::read_dir(pair.path(device).join("transfers")).unwrap();
        assert_eq!(kept.count(), 0, "nothing is kept when it is over");
    }
    let transfer = sender.last("transfer");
    assert_eq!(bytes_of(transfer, "bytes"), whole);
    // What the receiver had said to hold before the kill does not come again.
    let twice = (bytes_of(transfer, "sent_bytes") + held).saturating_sub(whole);
    let allowed = (16 << 20) + held / 100;
    assert!(twice <= allowed, "{twice} bytes travelled twice");
    assert!(bytes_of(transfer, "sent_bytes") < whole / 2, "{transfer}");
}

/// Passes one connection after the other on to `to`; each is cut when its share of bytes is through.
fn cutting_proxy(to: String, shares: Vec<usize>) -> String {
    use std::io::Write as _;
    use std::net::{Shutdown, TcpListener, TcpStream};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut shares = shares.into_iter();
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut server = TcpStream::connect(&to).unwrap();
            let (mut back, mut from) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut back);
                let _ = back.shutdown(Shutdown::Both);
            });
            let mut left = shares.next().unwrap_or(usize::MAX);
            std::thread::spawn(move || {
                let mut buffer = vec![0; 64 << 10];
                while left > 0 {
                    let most = left.min(buffer.len());
                    match client.read(&mut buffer[..most]) {
                        Ok(count) if count > 0 => {
                            left -= count;
                            if server.write_all(&buffer[..count]).is_err() {
                                break;
                            }
                        }
                        Ok(_) | Err(_) => break,
                    }
                }
                let _ = client.shutdown(Shutdown::Both);
                let _ = server.shutdown(Shutdown::Both);
            });
        }
    });
    address
}

#[test]
fn while_both_run_a_cut_connection_is_made_again_by_itself() {
    let mut pair = Pair::with(&["--accept", "all", "--once"], None);
    let code = pair.receiver.last("listening")["code"].clone();
    let night = film_night(&pair);
    // In the greeting of the second run, too.
    let shares = vec![60 << 20, 2_000, 50 << 20];
    pair.to = cutting_proxy(pair.to.clone(), shares);
    let mut sender = pair.send(&night, code.as_str().unwrap());
    assert_eq!(sender.code(), Some(0), "{:#?}", sender.said);
    assert_eq!(pair.receiver.code(), Some(0), "{:#?}", pair.receiver.said);
    assert_eq!(tree(&night), tree(&pair.inbox().join("Film night")));
    assert_eq!(pair.final_names(), [Path::new("Film night")]);
    for end in [&sender, &pair.receiver] {
        assert_eq!(end.all("transfer").len(), 1, "one transfer, told once");
        let states = end.all("state");
        assert!(states.iter().any(|line| line["state"] == "interrupted"));
    }
    let sent = bytes_of(sender.last("transfer"), "sent_bytes");
    assert!(sent < FILM_BYTES as u64 + (40 << 20), "{sent}");
}

#[test]
fn a_source_that_changed_in_between_arrives_as_it_is_now() {
    let mut pair = Pair::new(&["--accept", "all"]);
    let night = film_night(&pair);
    let mut sender = pair.send(&night, PASSPHRASE);
    half_way(&mut sender, 0.5);
    sender.signal(Signal::KILL);
    sender.end();
    pair.receiver
        .wait_for("interrupted", |line| line["state"] == "interrupted");
    let film = night.join("film.mkv");
    let mut changed = noise(1, FILM_BYTES);
    changed[5 << 20..6 << 20].reverse();
    changed.truncate(FILM_BYTES - 1000);
    fs::write(&film, &changed).unwrap();
    fs::write(night.join("subtitles/3.srt"), "another text").unwrap();
    fs::remove_file(night.join("subtitles/4.srt")).unwrap();
    fs::write(night.join("new"), "new").unwrap();
    let mut sender = pair.send(&night, PASSPHRASE);
    assert_eq!(sender.code(), Some(0), "{:#?}", sender.said);
    let there = pair.inbox().join("Film night");
    // What had arrived before it was removed over there stays.
    let _ = fs::remove_file(there.join("subtitles/4.srt"));
    assert_eq!(tree(&night), tree(&there));
    let sent = bytes_of(sender.last("transfer"), "sent_bytes");
    assert!(
        sent < FILM_BYTES as u64 * 3 / 4,
        "only what differs: {sent}"
    );
}

#[test]
fn a_cancelled_transfer_can_be_sent_again_and_goes_on() {
    let mut pair = Pair::new(&["--accept", "all"]);
    let night = film_night(&pair);
    let mut sender = pair.send(&night, PASSPHRASE);
    half_way(&mut sender, 0.5);
    sender.signal(Signal::INT);
    assert_eq!(sender.code(), Some(130));
    assert_eq!(pair.receiver.wait("transfer")["status"], "cancelled");
    let mut sender = pair.send(&night, PASSPHRASE);
    assert_eq!(sender.code(), Some(0), "{:#?}", sender.said);
    assert_eq!(tree(&night), tree(&pair.inbox().join("Film night")));
    let sent = bytes_of(sender.last("transfer"), "sent_bytes");
    assert!(sent < FILM_BYTES as u64 * 3 / 4, "{sent}");
}

#[test]
fn only_what_was_accepted_may_go_on_under_its_name() {
    let mut pair = Pair::new(&["--accept", "all"]);
    let night = film_night(&pair);
    let mut sender = pair.send(&night, PASSPHRASE);
    half_way(&mut sender, 0.2);
    sender.signal(Signal::KILL);
    sender.end();
    pair.receiver
        .wait_for("interrupted", |line| line["state"] == "interrupted");
    // A sender that puts something else under the transfer that was accepted.
    let other = pair.path("Something else");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("file"), "not accepted").unwrap();
    let records = fs::read_dir(pair.path("study/transfers")).unwrap();
    let record = records.map(|entry| entry.unwrap().path()).next().unwrap();
    let text = fs::read_to_string(&record).unwrap();
    fs::write(&record, text.replace("Film night", "Something else")).unwrap();
    let mut again = pair.sending(&other, PASSPHRASE);
    again.args(["--wait", "1"]);
    let mut sender = Running::start(again);
    assert_eq!(sender.code(), Some(5), "{:#?}", sender.said);
    assert!(!pair.inbox().join("Something else").exists());
}

#[test]
fn a_transfer_that_the_other_device_has_forgotten_is_sent_anew() {
    let mut pair = Pair::new(&["--accept", "all"]);
    let night = film_night(&pair);
    let mut sender = pair.send(&night, PASSPHRASE);
    half_way(&mut sender, 0.2);
    sender.signal(Signal::KILL);
    sender.end();
    pair.receiver.signal(Signal::KILL);
    pair.receiver.end();
    fs::remove_dir_all(pair.path("garden/transfers")).unwrap();
    let port = pair.to.rsplit(':').next().unwrap().to_owned();
    pair.restart_receiver(&port, &["--accept", "all", "--once"]);
    let mut sender = pair.send(&night, PASSPHRASE);
    assert_eq!(sender.code(), Some(0), "{:#?}", sender.said);
    assert_eq!(tree(&night), tree(&pair.inbox().join("Film night")));
}

#[test]
fn people_get_sentences_and_help_names_every_status() {
    let pair = Pair::new(&["--once", "--accept", "all"]);
    let file = pair.path("a.txt");
    fs::write(&file, "hello").unwrap();
    let arguments = ["send", file.to_str().unwrap(), "--to", &pair.to];
    let mut command = ropeway(&pair.path("study"), &arguments);
    let output = command.env("ROPEWAY_CODE", PASSPHRASE).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("Sent 1 item (5 B)"), "{text}");

    for arguments in [&["--help"][..], &["send", "--help"], &["receive", "--help"]] {
        let mut help = String::new();
        let mut child = ropeway(&pair.path("study"), arguments).spawn().unwrap();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut help)
            .unwrap();
        assert!(child.wait().unwrap().success());
        for status in [
            "  0 ", "  2 ", "  3 ", "  4 ", "  5 ", "  6 ", "  7 ", "130 ",
        ] {
            assert!(
                help.contains(status),
                "{arguments:?} lacks {status}: {help}"
            );
        }
    }
}

#[test]
fn no_secret_reaches_a_log_or_an_output() {
    let mut pair = Pair::new(&["--once", "--accept", "all"]);
    let file = pair.path("a.txt");
    fs::write(&file, "hello").unwrap();
    let mut command = pair.sending(&file, PASSPHRASE);
    command.env("ROPEWAY_LOG", "trace");
    let mut sender = Running::start(command);
    assert_eq!(sender.code(), Some(0));
    assert_eq!(pair.receiver.code(), Some(0));
    for device in ["study", "garden"] {
        let logs = fs::read_dir(pair.path(device).join("logs")).unwrap();
        let logs = logs.map(|log| fs::read_to_string(log.unwrap().path()).unwrap());
        let log: String = logs.collect();
        assert!(log.contains("started"), "{log}");
        assert!(!log.contains(PASSPHRASE), "{log}");
        let key = fs::metadata(pair.path(device).join("identity.json")).unwrap();
        assert_eq!(key.permissions().mode() & 0o077, 0, "the key is ours alone");
    }
    for end in [&sender, &pair.receiver] {
        assert!(
            !end.said
                .iter()
                .any(|line| line.to_string().contains(PASSPHRASE))
        );
    }
}

/// A folder to send and an older version of most of it at the receiver; nothing is equal.
fn a_year_later(pair: &Pair) -> (PathBuf, PathBuf) {
    let (sent, there) = (pair.path("Holiday"), pair.inbox().join("Holiday"));
    for folder in [&sent, &there] {
        fs::create_dir_all(folder.join("day 1")).unwrap();
    }
    let write = |path: PathBuf, content: &[u8], day: u64| {
        fs::write(&path, content).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(day * 86_400);
        file.set_modified(time).unwrap();
    };
    for n in 0..40 {
        let name = format!("day 1/{n}.jpg");
        write(sent.join(&name), &noise(n, 20_000), 20_000);
        write(there.join(&name), b"theirs", 19_000 + 50 * n);
    }
    write(sent.join("film"), &noise(99, 9_000_000), 20_000);
    write(there.join("film"), b"their film", 20_001);
    write(sent.join("new"), &noise(98, 500_000), 20_000);
    (sent, there)
}

#[test]
fn on_conflict_says_what_happens_to_names_that_are_taken_and_what_is_skipped_does_not_travel() {
    const SMALL: u64 = 40 * 20_000;
    const FILM: u64 = 9_000_000;
    const NEW: u64 = 500_000;
    // Rule, skipped, content that travels, names in the folder afterwards, theirs that stay.
    for (rule, skipped, travels, names, stay) in [
        ("rename", 0, SMALL + FILM + NEW, 40 * 2 + 2 + 1, 41),
        ("replace", 0, SMALL + FILM + NEW, 42, 0),
        ("skip", 41, NEW, 42, 41),
        // Theirs of day 20,000 and later are not older.
        ("newer", 21, 20 * 20_000 + NEW, 42, 21),
    ] {
        let mut pair = Pair::new(&["--once", "--accept", "all", "--on-conflict", rule]);
        let (sent, there) = a_year_later(&pair);
        let mut sender = pair.send(&sent, PASSPHRASE);
        assert_eq!(sender.code(), Some(0), "{rule}: {:#?}", sender.said);
        assert_eq!(pair.receiver.code(), Some(0), "{rule}");
        for end in [&sender, &pair.receiver] {
            let transfer = end.last("transfer");
            assert_eq!(transfer["status"], "arrived", "{rule}");
            assert_eq!(transfer["skipped"], skipped, "{rule}");
            assert_eq!(transfer["failed"], 0, "{rule}");
            assert_eq!(transfer["entries"], 44, "{rule}");
            assert_eq!(transfer["bytes"], travels, "{rule}");
            let files = end.all("file");
            let told = files.iter().filter(|file| file["status"] == "skipped");
            assert_eq!(told.count(), skipped, "{rule}");
            assert_eq!(files.len(), 42, "{rule}: every file once");
            let progress = end.last("progress");
            assert_eq!(progress["bytes"], progress["total_bytes"], "{rule}");
        }
        let on_wire = bytes_of(sender.last("transfer"), "sent_bytes");
        if skipped == 0 {
            assert_eq!(on_wire, travels, "{rule}");
        } else {
            // A frame of small files may be on its way when the word comes, not the film.
            assert!(on_wire >= travels && on_wire < FILM, "{rule}: {on_wire}");
        }
        let after = tree(&there);
        let files = after.iter().filter_map(|(_, content)| content.as_ref());
        assert_eq!(files.clone().count(), names, "{rule}");
        let theirs = files.filter(|content| content.starts_with(b"their"));
        assert_eq!(theirs.count(), stay, "{rule}");
        assert!(!pair.inbox().join(".ropeway").exists(), "{rule}");
    }
}

#[test]
fn a_rule_is_kept_for_a_transfer_that_goes_on_after_kills() {
    let mut pair = Pair::new(&["--accept", "all", "--on-conflict", "skip"]);
    let sent = film_night(&pair);
    let there = pair.inbox().join(sent.file_name().unwrap());
    fs::create_dir_all(&there).unwrap();
    let mut names: Vec<_> = fs::read_dir(&sent)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_file())
        .collect();
    // All but the largest are there.
    names.sort_by_key(|entry| entry.metadata().unwrap().len());
    let largest = names.pop().unwrap();
    for entry in &names {
        fs::write(there.join(entry.file_name()), "theirs").unwrap();
    }
    let mut sender = pair.send(&sent, PASSPHRASE);
    half_way(&mut sender, 0.3);
    let _ = pair.receiver.child.kill();
    let _ = pair.receiver.child.wait();
    sender.signal(Signal::KILL);
    sender.end();
    let port = pair.to.rsplit(':').next().unwrap().to_owned();
    // The next run of the program would keep both; the transfer does not.
    pair.restart_receiver(&port, &["--accept", "all", "--once"]);
    let mut sender = pair.send(&sent, PASSPHRASE);
    assert_eq!(sender.code(), Some(0), "{:#?}", sender.said);
    assert_eq!(sender.last("transfer")["skipped"], names.len());
    for entry in &names {
        let kept = fs::read(there.join(entry.file_name())).unwrap();
        assert_eq!(kept, b"theirs");
    }
    let arrived = fs::read(there.join(largest.file_name())).unwrap();
    assert!(arrived == fs::read(largest.path()).unwrap());
    assert_eq!(fs::read_dir(&there).unwrap().count(), names.len() + 2);
}

/// A data folder that knows four devices.
fn home_with_known(folder: &Path) -> PathBuf {
    let home = folder.join("home");
    let device = |byte: &str, more: &str| format!("{{\"id\":\"{}\",{more}}}", byte.repeat(32));
    let key = format!("\"key\":\"{}\"", "77".repeat(32));
    let devices = [
        device(
            "a1",
            &format!(
                "\"name\":\"DESKTOP-1\",\"label\":\"书房电脑\",\"bond\":\"paired\",\"met\":1700000000,\
                 \"rule\":{{\"accept\":{{\"folder\":null,\"max_bytes\":5000000}}}},\
                 \"address\":\"192.168.1.20:9000\",{key}"
            ),
        ),
        device("b2", "\"name\":\"Twin\",\"bond\":\"wished\",\"met\":1"),
        device(
            "c3",
            "\"name\":\"twin\",\"bond\":\"forgotten-there\",\"met\":1",
        ),
        device(
            "d4",
            "\"name\":\"Stranger\\u001b[31m\",\"bond\":\"blocked\",\"met\":1",
        ),
    ];
    fs::create_dir_all(&home).unwrap();
    let file = format!("{{\"version\":1,\"devices\":[{}]}}", devices.join(","));
    fs::write(home.join("known.json"), file).unwrap();
    home
}

fn stdout(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn known_devices_are_listed_for_people_and_for_programs() {
    let folder = tempfile::tempdir().unwrap();
    let home = home_with_known(folder.path());
    let text = stdout(ropeway(&home, &["devices"]));
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert!(!text.contains('\u{1b}') && !text.contains("7777"), "{text}");
    let study = lines.iter().find(|line| line.contains("书房电脑")).unwrap();
    for part in [
        "a1a1a1a1",
        "known",
        "accept up to 5 MB",
        "192.168.1.20:9000",
        "ago",
    ] {
        assert!(study.contains(part), "{part} in {study}");
    }
    assert_eq!(text, stdout(ropeway(&home, &["devices", "list"])));

    for arguments in [&["devices", "--json"][..], &["devices", "list", "--json"]] {
        let text = stdout(ropeway(&home, arguments));
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let lines: Vec<serde_json::Value> = lines.collect();
        assert!(lines.iter().all(|line| line["event"] == "device"));
        let named = |name: &str| lines.iter().find(|line| line["name"] == name).unwrap();
        let study = named("书房电脑");
        assert_eq!(study["device_id"], "a1".repeat(32));
        assert_eq!(study["bond"], "paired");
        assert_eq!(study["rule"]["accept"]["max_bytes"], 5_000_000);
        assert_eq!(study["addr"], "192.168.1.20:9000");
        assert_eq!(study["met"], 1_700_000_000);
        assert_eq!(named("Twin")["rule"], "ask");
        assert!(named("Twin")["addr"].is_null());
        assert_eq!(named("Stranger\\u{1b}[31m")["bond"], "blocked");
    }
    let empty = stdout(ropeway(&folder.path().join("new"), &["devices"]));
    assert!(empty.contains("--pair"), "{empty}");
    let empty = stdout(ropeway(&folder.path().join("new"), &["devices", "--json"]));
    assert_eq!(empty, "");
}

#[test]
fn a_device_is_forgotten_by_its_name_or_its_id() {
    let folder = tempfile::tempdir().unwrap();
    let home = home_with_known(folder.path());
    let forget = |name: &str| outcome(ropeway(&home, &["devices", "forget", name]));
    for (name, helps) in [
        ("DESKTOP-1", "no known device"),
        ("a1a1a1a", "8 digits"),
        ("a1a1a1a2", "no known device"),
        ("", "no known device"),
        ("TWIN", "b2b2b2b2"),
        ("TWIN", "c3c3c3c3"),
    ] {
        let (code, sentence) = forget(name);
        assert_eq!(code, Some(2), "{name}: {sentence}");
        let said = sentence.to_lowercase();
        assert!(said.contains(helps), "{name}: {sentence}");
    }
    let left = || stdout(ropeway(&home, &["devices"])).lines().count();
    assert_eq!(left(), 4);
    assert_eq!(forget("书房电脑").0, Some(0));
    assert_eq!(forget("B2B2B2B2b2").0, Some(0));
    assert_eq!(left(), 2);
    let file = fs::read_to_string(home.join("known.json")).unwrap();
    assert!(!file.contains("7777"), "no key is left");
    let mode = fs::metadata(home.join("known.json")).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    assert_eq!(forget("twin").0, Some(0), "one of that name now");
}

#[cfg(target_os = "linux")]
#[test]
fn a_list_that_cannot_be_written_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let home = home_with_known(folder.path());
    for arguments in [&["devices"] as &[_], &["devices", "--json"], &["doctor"]] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = ropeway(&home, arguments);
        let (code, sentence) = outcome({
            command.stdout(full);
            command
        });
        assert_eq!(code, Some(7), "{arguments:?}: {sentence}");
        assert!(sentence.contains("could not be written"), "{sentence}");
    }
}

#[test]
fn a_damaged_list_of_devices_is_said_and_kept_aside() {
    let folder = tempfile::tempdir().unwrap();
    let home = home_with_known(folder.path());
    fs::write(home.join("known.json"), "garbage").unwrap();
    let (code, sentence) = outcome(ropeway(&home, &["devices", "--json"]));
    assert_eq!(code, Some(0));
    assert!(sentence.contains("known.json.damaged"), "{sentence}");
    fs::write(home.join("known.json"), "{\"version\":9}").unwrap();
    let (code, sentence) = outcome(ropeway(&home, &["devices"]));
    assert_eq!(code, Some(7), "who is known is not told: {sentence}");
    assert!(!sentence.contains("No device is known yet"), "{sentence}");
    let (code, sentence) = outcome(ropeway(&home, &["devices", "forget", "twin"]));
    assert_eq!(code, Some(2), "{sentence}");
    assert!(sentence.contains("newer version"), "{sentence}");
    let file = fs::read_to_string(home.join("known.json")).unwrap();
    assert_eq!(file, "{\"version\":9}");
}

#[test]
fn whom_a_name_means_is_clear_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let home = home_with_known(folder.path());
    let file = folder.path().join("a.txt");
    fs::write(&file, "hello").unwrap();
    let file = file.to_str().unwrap();
    let damaged = format!("ropeway://127.0.0.1/?id={}", "a1".repeat(31));
    for (to, helps) in [
        ("TWIN", "c3c3c3c3"),
        ("Study PC", "Study PC"),
        ("ropeway://127.0.0.1/path", "address"),
        ("http://127.0.0.1/", "address"),
        (&damaged, "id"),
    ] {
        let (code, sentence) = outcome(ropeway(&home, &["send", file, "--to", to]));
        assert_eq!(code, Some(2), "{to}: {sentence}");
        assert!(sentence.contains(helps), "{to}: {sentence}");
    }
    let forgotten = outcome(ropeway(&home, &["devices", "forget", "b2b2b2b2"]));
    assert_eq!(forgotten.0, Some(0));
    let (code, sentence) = outcome(ropeway(&home, &["send", file, "--to", "twin"]));
    assert_eq!(code, Some(2), "{sentence}");
    assert!(sentence.contains("never reached"), "{sentence}");
}

#[test]
fn a_link_is_an_address() {
    let pair = Pair::new(&["--accept", "all"]);
    let file = pair.path("a.txt");
    fs::write(&file, "hello").unwrap();
    let link = format!("ropeway://{}/", pair.to);
    let arguments = ["send", file.to_str().unwrap(), "--to", &link, "--json"];
    let mut command = ropeway(&pair.path("study"), &arguments);
    command.env("ROPEWAY_CODE", PASSPHRASE);
    assert_eq!(Running::start(command).code(), Some(0));
    assert_eq!(pair.final_names(), [Path::new("a.txt")]);
}

#[test]
fn who_may_enter_is_chosen_from_a_list() {
    let folder = tempfile::tempdir().unwrap();
    for wrong in [["--allow", "nobody"], ["--accept", "some"]] {
        let arguments = ["receive", wrong[0], wrong[1]];
        let (code, sentence) = outcome(ropeway(folder.path(), &arguments));
        assert_eq!(code, Some(2));
        assert!(sentence.contains("paired"), "{sentence}");
    }
}
