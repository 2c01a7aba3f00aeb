//! Who may enter, between real processes: symbols compared on two terminals, devices that remember each
//! other, and what happens when one of them forgets or another one stands in its place.

// Helpers of tests are tests, too; clippy only knows the functions that are marked.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use serde_json::Value;
use support::program::{Running, ropeway};
use support::{PASSPHRASE, PATIENCE};

/// `ropeway` on a terminal of its own (`script` of util-linux makes one).
struct Terminal {
    child: Child,
    keyboard: ChildStdin,
    screen: Receiver<String>,
    shown: String,
}

impl Terminal {
    fn start(home: &Path, arguments: &[&str]) -> Self {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
        let mut line = quoted(env!("CARGO_BIN_EXE_ropeway"));
        for argument in arguments
            .iter()
            .chain(&["--data-dir", home.to_str().unwrap()])
        {
            line.push(' ');
            line.push_str(&quoted(argument));
        }
        let mut child = Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .env_remove("ROPEWAY_CODE")
            .env("ROPEWAY_PRESENCE", "off")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script of util-linux");
        let mut out = child.stdout.take().unwrap();
        let (sender, screen) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = out.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
                if sender.send(text).is_err() {
                    return;
                }
            }
        });
        Self {
            keyboard: child.stdin.take().unwrap(),
            child,
            screen,
            shown: String::new(),
        }
    }

    /// Waits until that is on the screen; gives what stands behind it on its line.
    fn wait(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.shown.find(text) {
                let rest = &self.shown[at + text.len()..];
                // A question has no end of line.
                if let Some(end) = rest.find(['\n', '?', ']']) {
                    return rest[..end].trim().to_owned();
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(more) => self.shown.push_str(&more),
                Err(_) => panic!("no {text:?} on the screen:\n{}", self.shown),
            }
        }
    }

    /// The same for a prompt, which nothing follows.
    fn wait_prompt(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.shown.contains(text) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(more) => self.shown.push_str(&more),
                Err(_) => panic!("no {text:?} on the screen:\n{}", self.shown),
            }
        }
    }

    fn wait_times(&mut self, text: &str, times: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.shown.matches(text).count() < times {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(more) => self.shown.push_str(&more),
                Err(_) => panic!("{text:?} is not there {times} times:\n{}", self.shown),
            }
        }
    }

    /// Types `line` each time that `question` is asked, until it is taken.
    fn answer(&mut self, question: &str, line: &str, taken: &str) {
        let deadline = Instant::now() + PATIENCE;
        let mut answered = 0;
        while !self.shown.contains(taken) {
            let asked = self.shown.matches(question).count();
            if asked > answered {
                self.type_line(line);
                answered = asked;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(more) => self.shown.push_str(&more),
                Err(_) => panic!("{taken:?} does not come:\n{}", self.shown),
            }
        }
    }

    /// The whole terminal goes.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn type_keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    fn type_line(&mut self, line: &str) {
        self.keyboard
            .write_all(format!("{line}\n").as_bytes())
            .unwrap();
        self.keyboard.flush().unwrap();
    }

    /// Waits for the end of the program; the screen is in `shown` then.
    fn code(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        while let Ok(more) = self
            .screen
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            self.shown.push_str(&more);
        }
        self.child.wait().unwrap().code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The terminal goes with `script`, and what runs on it is hung up.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two devices: "Study PC" sends, "Garden laptop" receives.
struct Two {
    folder: tempfile::TempDir,
}

impl Two {
    fn new() -> Self {
        let two = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        two.device("study", "Study PC");
        two.device("garden", "Garden laptop");
        two.device("stranger", "Stranger");
        fs::write(two.file(), "hello").unwrap();
        two
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn device(&self, home: &str, name: &str) {
        fs::create_dir_all(self.path(home)).unwrap();
        let settings = serde_json::json!({"version": 1, "name": name});
        fs::write(self.path(home).join("settings.json"), settings.to_string()).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.path("letter.txt")
    }

    fn arrived(&self) -> bool {
        self.path("inbox/letter.txt").exists()
    }

    /// Ready for the next one.
    fn clear(&self) {
        fs::remove_file(self.path("inbox/letter.txt")).unwrap();
    }

    /// Without a terminal; with the passphrase.
    fn receiver(&self, home: &str, port: &str, more: &[&str]) -> (Running, String) {
        let (listen, inbox) = (format!("127.0.0.1:{port}"), self.path("inbox"));
        let mut arguments = vec!["receive", "--json", "--listen", &listen, "--dir"];
        arguments.push(inbox.to_str().unwrap());
        arguments.extend(more);
        let mut command = ropeway(&self.path(home), &arguments);
        command.env("ROPEWAY_CODE", PASSPHRASE);
        let mut receiver = Running::start(command);
        let listening = receiver.wait("listening");
        (receiver, listening["port"].to_string())
    }

    fn send(&self, to: &str, secret: Option<&str>, more: &[&str]) -> Running {
        let file = self.file();
        let mut arguments = vec!["send", file.to_str().unwrap(), "--to", to, "--json"];
        arguments.extend(more);
        let mut command = ropeway(&self.path("study"), &arguments);
        if let Some(secret) = secret {
            command.env("ROPEWAY_CODE", secret);
        }
        Running::start(command)
    }

    fn devices(&self, home: &str) -> Vec<Value> {
        let mut list = Running::start(ropeway(&self.path(home), &["devices", "--json"]));
        assert_eq!(list.code(), Some(0));
        std::mem::take(&mut list.said)
    }

    fn forget(&self, home: &str, name: &str) {
        let command = ropeway(&self.path(home), &["devices", "forget", name, "--json"]);
        let mut forget = Running::start(command);
        assert_eq!(forget.code(), Some(0), "{:#?}", forget.said);
    }

    /// Both remember each other; the receiver still runs.
    fn paired(&self) -> (Running, String) {
        let more = ["--pair", "--accept", "all"];
        let (mut receiver, port) = self.receiver("garden", "0", &more);
        let to = format!("127.0.0.1:{port}");
        let mut sender = self.send(&to, Some(PASSPHRASE), &["--pair"]);
        assert_eq!(sender.code(), Some(0), "{:#?}", sender.said);
        assert_eq!(sender.last("paired")["name"], "Garden laptop");
        let paired = receiver.wait("paired");
        assert_eq!(paired["name"], "Study PC");
        assert_eq!(paired["device_id"].as_str().unwrap().len(), 64);
        assert!(self.arrived());
        self.clear();
        (receiver, port)
    }

    /// Ends as Ctrl-C does.
    fn stop(&self, receiver: &mut Running) {
        receiver.signal(rustix::process::Signal::INT);
        assert_eq!(receiver.code(), Some(130), "{:#?}", receiver.said);
    }

    /// The receiver on a terminal of its own, which lets in anyone; and where.
    fn receiver_on_a_terminal(&self) -> (Terminal, String) {
        let inbox = self.path("inbox");
        let inbox = inbox.to_str().unwrap();
        let arguments = [
            "receive",
            "--allow",
            "anyone",
            "--listen",
            "127.0.0.1:0",
            "--dir",
            inbox,
        ];
        let mut receiver = Terminal::start(&self.path("garden"), &arguments);
        let to = receiver.wait("Address  ");
        (receiver, to)
    }

    fn sender_on_a_terminal(&self, to: &str) -> Terminal {
        self.sender_of("study", to)
    }

    fn sender_of(&self, home: &str, to: &str) -> Terminal {
        let file = self.file();
        let arguments = ["send", file.to_str().unwrap(), "--to", to];
        Terminal::start(&self.path(home), &arguments)
    }
}

#[test]
fn two_people_compare_symbols_and_nothing_of_the_offer_is_told_before() {
    let two = Two::new();
    let (mut receiver, to) = two.receiver_on_a_terminal();
    let mut sender = two.sender_on_a_terminal(&to);
    sender.wait_prompt("or Enter to compare symbols");
    sender.type_line("");
    let here = sender.wait("Does the other screen show ");
    let there = receiver.wait("This screen shows ");
    assert_eq!(here, there.trim_end_matches('.'));
    assert_eq!(here.split(" · ").count(), 4);
    assert!(!receiver.shown.contains("letter.txt"), "{}", receiver.shown);
    sender.type_line("y");
    let asked = receiver.wait("Does the other screen show ");
    assert_eq!(asked, here);
    assert!(receiver.shown.contains("letter.txt"), "{}", receiver.shown);
    assert!(!two.arrived());
    receiver.type_line("y");
    assert_eq!(sender.code(), Some(0), "{}", sender.shown);
    assert!(two.arrived());
}

#[test]
fn whoever_sees_other_symbols_stops_it_before_names_leave() {
    let two = Two::new();
    let (mut receiver, to) = two.receiver_on_a_terminal();
    let mut sender = two.sender_on_a_terminal(&to);
    sender.wait_prompt("or Enter to compare symbols");
    sender.type_line("");
    sender.wait("Does the other screen show ");
    receiver.wait("This screen shows ");
    sender.type_line("n");
    assert_eq!(sender.code(), Some(4), "{}", sender.shown);
    assert!(!receiver.shown.contains("letter.txt"), "{}", receiver.shown);
    assert!(!two.arrived());
}

#[test]
fn without_a_terminal_nobody_compares_symbols() {
    let two = Two::new();
    let (mut receiver, port) =
        two.receiver("garden", "0", &["--allow", "anyone", "--accept", "all"]);
    let to = format!("127.0.0.1:{port}");
    // At the sender: a code is needed then.
    let mut silent = two.send(&to, None, &[]);
    assert_eq!(silent.code(), Some(4), "{:#?}", silent.said);
    // At the receiver: what has proven nothing is not taken by itself.
    let mut sender = two.sender_on_a_terminal(&to);
    sender.wait_prompt("or Enter to compare symbols");
    sender.type_line("");
    let symbols = receiver.wait("symbols");
    assert_eq!(symbols["symbols"].as_array().unwrap().len(), 4);
    let offer = receiver.wait("offer");
    assert_eq!(offer["trust"], "asked");
    assert_eq!(offer["symbols"], symbols["symbols"]);
    assert_eq!(sender.code(), Some(3), "{}", sender.shown);
    assert!(!two.arrived());
    // Who has the passphrase gets in, as ever.
    let mut proven = two.send(&to, Some(PASSPHRASE), &[]);
    assert_eq!(proven.code(), Some(0), "{:#?}", proven.said);
    assert_eq!(receiver.wait("offer")["trust"], "verified");
    assert!(two.arrived());
}

#[test]
fn devices_that_remember_each_other_need_a_name_and_no_code() {
    let two = Two::new();
    let (mut receiver, port) = two.paired();
    let mut sender = two.send("garden LAPTOP", None, &[]);
    assert_eq!(sender.code(), Some(0), "{:#?}", sender.said);
    assert!(two.arrived());
    receiver.wait_for("a known sender", |line| {
        line["event"] == "offer" && line["trust"] == "known"
    });
    two.clear();
    // The address alone is enough, too: the key says who is there.
    let mut sender = two.send(&format!("127.0.0.1:{port}"), None, &[]);
    assert_eq!(sender.code(), Some(0), "{:#?}", sender.said);
    two.clear();
    two.stop(&mut receiver);

    for (home, name) in [("study", "Garden laptop"), ("garden", "Study PC")] {
        let devices = two.devices(home);
        assert_eq!(devices.len(), 1, "{devices:#?}");
        assert_eq!(devices[0]["name"], name);
        assert_eq!(devices[0]["bond"], "paired");
    }
    // A restart changes nothing, and neither do the strictest policies.
    let more = ["--allow", "paired", "--accept", "paired"];
    let (_receiver, _port) = two.receiver("garden", &port, &more);
    let mut sender = two.send("Garden laptop", None, &[]);
    assert_eq!(sender.code(), Some(0), "{:#?}", sender.said);
    assert!(two.arrived());
}

#[test]
fn one_who_wants_to_be_remembered_is_not_by_that_alone() {
    let two = Two::new();
    let (mut receiver, port) = two.receiver("garden", "0", &["--accept", "all"]);
    let to = format!("127.0.0.1:{port}");
    let mut sender = two.send(&to, Some(PASSPHRASE), &["--pair"]);
    assert_eq!(sender.code(), Some(0), "{:#?}", sender.said);
    assert!(sender.all("paired").is_empty(), "{:#?}", sender.said);
    two.clear();
    let mut again = two.send(&to, None, &[]);
    assert_eq!(again.code(), Some(4), "{:#?}", again.said);
    two.stop(&mut receiver);
    assert_eq!(two.devices("study")[0]["bond"], "wished");
    assert_eq!(two.devices("garden"), Vec::<Value>::new());
}

#[test]
fn only_known_devices_get_in_where_that_was_chosen() {
    let two = Two::new();
    let more = ["--allow", "paired", "--accept", "all"];
    let (_receiver, port) = two.receiver("garden", "0", &more);
    let to = format!("127.0.0.1:{port}");
    for secret in [Some(PASSPHRASE), None] {
        let mut sender = two.send(&to, secret, &[]);
        assert_eq!(sender.code(), Some(4), "{:#?}", sender.said);
    }
    assert!(!two.arrived());
}

#[test]
fn whom_the_receiver_forgot_is_told_so_and_let_in_no_more() {
    let two = Two::new();
    let (mut receiver, port) = two.paired();
    two.stop(&mut receiver);
    two.forget("garden", "Study PC");
    let (_receiver, _port) = two.receiver("garden", &port, &["--accept", "all"]);
    let mut sender = two.send("Garden laptop", None, &[]);
    assert_eq!(sender.code(), Some(4), "{:#?}", sender.said);
    assert_eq!(sender.last("error")["code"], "forgotten-there");
    assert!(!two.arrived());
    assert_eq!(two.devices("study")[0]["bond"], "forgotten-there");
    // The code still opens the door.
    let mut sender = two.send("Garden laptop", Some(PASSPHRASE), &[]);
    assert_eq!(sender.code(), Some(0), "{:#?}", sender.said);
}

#[test]
fn who_forgot_the_receiver_needs_its_code_again() {
    let two = Two::new();
    let (_receiver, port) = two.paired();
    two.forget("study", "Garden laptop");
    let mut sender = two.send(&format!("127.0.0.1:{port}"), None, &[]);
    assert_eq!(sender.code(), Some(4), "{:#?}", sender.said);
    assert!(!two.arrived());
}

#[test]
fn another_key_in_the_place_of_a_known_device_gets_nothing() {
    let two = Two::new();
    let (mut receiver, port) = two.paired();
    two.stop(&mut receiver);
    two.device("impostor", "Garden laptop");
    two.device("neighbour", "Neighbour");
    for (home, error, status) in [("impostor", "not-the-device", 4), ("neighbour", "moved", 5)] {
        let (mut receiver, _port) = two.receiver(home, &port, &["--accept", "all"]);
        for secret in [None, Some(PASSPHRASE)] {
            let mut sender = two.send("Garden laptop", secret, &[]);
            assert_eq!(sender.code(), Some(status), "{home}: {:#?}", sender.said);
            assert_eq!(sender.last("error")["code"], error);
        }
        assert!(receiver.all("offer").is_empty() && !two.arrived());
        two.stop(&mut receiver);
    }
    assert_eq!(two.devices("study")[0]["bond"], "paired", "the real one");
}

#[test]
fn a_link_to_one_device_does_not_reach_another() {
    let two = Two::new();
    let (receiver, port) = two.receiver("garden", "0", &["--accept", "all"]);
    let id = receiver.last("listening")["device_id"].clone();
    let link = |id: &str| format!("ropeway://127.0.0.1:{port}/?id={id}");
    let mut sender = two.send(&link(&"0f".repeat(32)), Some(PASSPHRASE), &[]);
    assert!(matches!(sender.code(), Some(4 | 5)), "{:#?}", sender.said);
    assert!(!two.arrived());
    let mut sender = two.send(&link(id.as_str().unwrap()), Some(PASSPHRASE), &[]);
    assert_eq!(sender.code(), Some(0), "{:#?}", sender.said);
    assert!(two.arrived());
}

#[test]
fn a_blocked_device_gets_in_by_no_way() {
    let two = Two::new();
    let (mut study, _port) = two.receiver("study", "0", &[]);
    let id = study.last("listening")["device_id"].clone();
    two.stop(&mut study);
    let blocked = serde_json::json!({"id": id, "name": "Study PC", "bond": "blocked", "met": 1});
    let known = serde_json::json!({"version": 1, "devices": [blocked]});
    fs::write(two.path("garden/known.json"), known.to_string()).unwrap();
    let more = ["--allow", "anyone", "--accept", "all"];
    let (receiver, port) = two.receiver("garden", "0", &more);
    let to = format!("127.0.0.1:{port}");
    for secret in [Some(PASSPHRASE), None] {
        let mut sender = two.send(&to, secret, &["--pair"]);
        assert_ne!(sender.code(), Some(0), "{:#?}", sender.said);
    }
    assert!(receiver.all("offer").is_empty() && !two.arrived());
}

#[test]
fn a_stranger_who_comes_meanwhile_does_not_take_the_place_of_the_open_question() {
    let two = Two::new();
    let (mut receiver, to) = two.receiver_on_a_terminal();
    let mut honest = two.sender_on_a_terminal(&to);
    honest.wait_prompt("or Enter to compare symbols");
    honest.type_line("");
    let symbols = honest.wait("Does the other screen show ");
    honest.type_line("y");
    receiver.wait_prompt(&format!(
        "Does the other screen show {symbols}? Accept? [y/N]"
    ));
    let mut stranger = two.sender_of("stranger", &to);
    stranger.wait_prompt("or Enter to compare symbols");
    stranger.type_line("");
    let theirs = stranger.wait("Does the other screen show ");
    let note = format!("This screen shows {theirs}.");
    receiver.wait_prompt(&note);
    let again = format!("Does the other screen show {symbols}? Accept? [y/N]");
    receiver.wait_times(&again, 2);
    let last = receiver.shown.rfind(&again).unwrap();
    assert!(
        receiver.shown.find(&note).unwrap() < last,
        "{}",
        receiver.shown
    );
    // The note has a line of its own.
    let before = receiver.shown.find("“Stranger”").unwrap();
    assert!(
        receiver.shown[..before].ends_with('\n'),
        "{}",
        receiver.shown
    );
    receiver.type_line("y");
    assert_eq!(honest.code(), Some(0), "{}", honest.shown);
    assert!(two.arrived());
}

#[test]
fn what_was_typed_for_a_question_that_is_gone_answers_no_other_one() {
    let two = Two::new();
    let (mut receiver, to) = two.receiver_on_a_terminal();
    let mut first = two.sender_on_a_terminal(&to);
    first.wait_prompt("or Enter to compare symbols");
    first.type_line("");
    let symbols = first.wait("Does the other screen show ");
    first.type_line("y");
    receiver.wait_prompt(&format!(
        "Does the other screen show {symbols}? Accept? [y/N]"
    ));
    // The person is about to say yes when the sender goes.
    receiver.type_keys("y");
    first.kill();
    let mut second = two.sender_of("stranger", &to);
    second.wait_prompt("or Enter to compare symbols");
    second.type_line("");
    let theirs = second.wait("Does the other screen show ");
    second.type_line("y");
    let question = format!("Does the other screen show {theirs}? Accept? [y/N]");
    receiver.wait_prompt(&question);
    // What comes too soon was meant for the first one, and the question comes again.
    receiver.type_line("");
    receiver.wait_times(&question, 2);
    receiver.answer(&question, "n", "Declined.");
    assert_eq!(second.code(), Some(3), "{}", second.shown);
    assert!(!two.arrived());
}

#[test]
fn a_stranger_whom_nobody_lets_in_is_not_the_one_transfer() {
    let two = Two::new();
    let more = ["--once", "--allow", "anyone", "--accept", "all"];
    let (mut receiver, port) = two.receiver("garden", "0", &more);
    let to = format!("127.0.0.1:{port}");
    let mut stranger = two.sender_of("stranger", &to);
    stranger.wait_prompt("or Enter to compare symbols");
    stranger.type_line("");
    assert_eq!(stranger.code(), Some(3), "{}", stranger.shown);
    let mut honest = two.send(&to, Some(PASSPHRASE), &[]);
    assert_eq!(honest.code(), Some(0), "{:#?}", honest.said);
    assert_eq!(receiver.code(), Some(0), "{:#?}", receiver.said);
    assert!(two.arrived());
}

#[test]
fn a_list_that_waits_for_the_yes_is_asked_about() {
    let two = Two::new();
    let many = two.path("many");
    fs::create_dir(&many).unwrap();
    // More than 8 MiB of names.
    for n in 0..34_000 {
        fs::File::create(many.join(format!("{n:0>250}"))).unwrap();
    }
    let (mut receiver, to) = two.receiver_on_a_terminal();
    let arguments = ["send", many.to_str().unwrap(), "--to", &to];
    let mut sender = Terminal::start(&two.path("study"), &arguments);
    sender.wait_prompt("or Enter to compare symbols");
    sender.type_line("");
    sender.wait("Does the other screen show ");
    sender.type_line("y");
    receiver.wait_prompt("Accept? [y/N]");
    receiver.type_line("n");
    assert_eq!(sender.code(), Some(3), "{}", sender.shown);
}
