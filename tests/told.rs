//! What the command line says to people, where more than an exit status matters.

// Helpers of tests are tests, too; clippy only knows the functions that are marked.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

mod support;

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout};

use support::PASSPHRASE;
use support::program::{Running, ropeway};

/// `ropeway receive --once`, for people.
struct Receiver {
    child: Child,
    out: BufReader<ChildStdout>,
    to: String,
}

impl Receiver {
    fn start(folder: &Path) -> Self {
        let inbox = folder.join("inbox");
        let mut command = ropeway(
            &folder.join("garden"),
            &["receive", "--once", "--accept", "all"],
        );
        command
            .args(["--listen", "127.0.0.1:0", "--dir"])
            .arg(inbox);
        command.env("ROPEWAY_CODE", PASSPHRASE);
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.trim_start().starts_with("Address") {
            line.clear();
            assert!(out.read_line(&mut line).unwrap() > 0, "it listens");
        }
        let to = line.split_whitespace().last().unwrap().to_owned();
        Self { child, out, to }
    }

    fn said(mut self) -> String {
        let mut said = String::new();
        self.out.read_to_string(&mut said).unwrap();
        assert!(self.child.wait().unwrap().success());
        said
    }
}

/// What `ropeway send` says, on both streams, and how it ends.
fn send(folder: &Path, sources: &[&Path], to: &str, secret: &str) -> (Option<i32>, String) {
    let mut command = ropeway(&folder.join("study"), &["send"]);
    command.args(sources).args(["--to", to]);
    let out = command.env("ROPEWAY_CODE", secret).output().unwrap();
    let said = [out.stdout, out.stderr].concat();
    (out.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn names_that_are_not_the_senders_are_told_at_both_ends() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, inbox) = (folder.path(), folder.path().join("inbox"));
    let holiday = folder.join("Holiday");
    fs::create_dir_all(holiday.join("c:drive")).unwrap();
    fs::write(holiday.join("c:drive/one"), "1").unwrap();
    fs::write(holiday.join("c:drive/two"), "2").unwrap();
    fs::write(holiday.join(OsStr::from_bytes(b"bad\x80")), "3").unwrap();
    fs::write(holiday.join("plain"), "4").unwrap();
    fs::create_dir_all(inbox.join("Holiday")).unwrap();
    fs::write(inbox.join("Holiday/plain"), "another").unwrap();

    let receiver = Receiver::start(folder);
    let (code, said) = send(folder, &[&holiday], &receiver.to, PASSPHRASE);
    assert_eq!(code, Some(0), "{said}");
    // A folder once, not each file in it.
    let listed = "These names cannot travel as they are:\n  \
                  Holiday/bad\u{fffd} (sent as Holiday/bad%80)\n  \
                  Holiday/c:drive (sent as Holiday/c%3Adrive)\n";
    assert!(said.contains(listed), "{said}");
    let said = receiver.said();
    let listed = "These have other names than at the sender:\n  \
                  Holiday/plain (1) (there Holiday/plain)\n";
    assert!(said.ends_with(listed), "{said}");
    assert_eq!(fs::read(inbox.join("Holiday/plain (1)")).unwrap(), b"4");

    // And to programs, file by file.
    let mut command = ropeway(&folder.join("garden"), &["receive", "--json", "--once"]);
    command.args(["--accept", "all", "--listen", "127.0.0.1:0", "--dir"]);
    command.arg(&inbox).env("ROPEWAY_CODE", PASSPHRASE);
    let mut receiver = Running::start(command);
    let to = format!("127.0.0.1:{}", receiver.wait("listening")["port"]);
    fs::write(holiday.join("plain"), "5").unwrap();
    let mut command = ropeway(&folder.join("study"), &["send", "--json", "--to", &to]);
    command.arg(&holiday).env("ROPEWAY_CODE", PASSPHRASE);
    let mut sender = Running::start(command);
    assert_eq!((sender.code(), receiver.code()), (Some(0), Some(0)));
    let originals = |run: &Running| {
        let lines = run.all("file").into_iter();
        let mut found: Vec<_> = lines
            .map(|line| (line["path"].clone(), line["original"].clone()))
            .filter(|(_, original)| !original.is_null())
            .map(|(path, original)| format!("{path} {original}").replace('"', ""))
            .collect();
        found.sort();
        found
    };
    assert_eq!(
        originals(&sender),
        [
            "Holiday/bad%80 Holiday/bad\u{fffd}",
            "Holiday/c%3Adrive/one Holiday/c:drive/one",
            "Holiday/c%3Adrive/two Holiday/c:drive/two",
        ]
    );
    assert_eq!(originals(&receiver), ["Holiday/plain (2) Holiday/plain"]);
}

#[test]
fn a_wrong_secret_that_nobody_typed_is_not_called_a_code_on_a_screen() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(folder.path());
    let file = folder.path().join("a");
    fs::write(&file, "a").unwrap();
    let wrong = "wrong horse battery";
    let (code, said) = send(folder.path(), &[&file], &receiver.to, wrong);
    assert_eq!(code, Some(4), "{said}");
    assert!(
        said.contains("passphrase in ROPEWAY_CODE didn't work"),
        "{said}"
    );
    let (code, said) = send(folder.path(), &[&file], &receiver.to, PASSPHRASE);
    assert_eq!(code, Some(0), "{said}");
    receiver.said();
}

#[test]
fn folders_too_deep_in_each_other_are_named_shortly_and_no_retry_is_promised() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("deep");
    let mut path = deep.clone();
    (0..130).for_each(|n| path.push(format!("level {n}")));
    fs::create_dir_all(&path).unwrap();
    let receiver = Receiver::start(folder.path());
    let (code, said) = send(folder.path(), &[&deep], &receiver.to, PASSPHRASE);
    assert_eq!(code, Some(6), "{said}");
    assert!(
        said.contains("more than 128 folders lie in each other"),
        "{said}"
    );
    assert!(!said.contains("retry"), "{said}");
    let named = said.lines().find(|line| line.contains("128")).unwrap();
    assert!(named.starts_with("  deep/level 0/level 1/"), "{named}");
    assert!(named.chars().count() < 250, "{named}");
}
