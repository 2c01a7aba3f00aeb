//! The program as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::PATIENCE;

/// `ropeway` with a data folder of its own and no terminal.
pub fn ropeway(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ropeway"));
    command
        .args(arguments)
        .arg("--data-dir")
        .arg(home)
        .env_remove("ROPEWAY_CODE")
        .env("ROPEWAY_PRESENCE", "off")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A running `ropeway … --json`.
pub struct Running {
    pub child: Child,
    lines: Receiver<Value>,
    pub said: Vec<Value>,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in out.lines() {
                let line = line.unwrap();
                let value = serde_json::from_str(&line).expect("nothing but JSON on stdout");
                if sender.send(value).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            lines,
            said: Vec::new(),
        }
    }

    /// Waits for the next event of that name.
    pub fn wait(&mut self, event: &str) -> Value {
        self.wait_for(event, |line| line["event"] == event)
    }

    pub fn wait_for(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let line = line.unwrap_or_else(|_| panic!("no {what}; said: {:#?}", self.said));
            self.said.push(line.clone());
            if wanted(&line) {
                return line;
            }
        }
    }

    pub fn moving(&mut self) {
        self.wait_for("bytes moving", |line| {
            line["event"] == "progress" && line["bytes"].as_u64() > Some(1_000_000)
        });
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }

    /// Waits for the end; everything it said is in `said` then.
    pub fn end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        while let Ok(line) = self
            .lines
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            self.said.push(line);
        }
        self.child.wait().unwrap()
    }

    pub fn code(&mut self) -> Option<i32> {
        self.end().code()
    }

    pub fn all(&self, event: &str) -> Vec<&Value> {
        let said = self.said.iter();
        said.filter(|line| line["event"] == event).collect()
    }

    pub fn last(&self, event: &str) -> &Value {
        self.all(event)
            .last()
            .unwrap_or_else(|| panic!("no {event}: {:#?}", self.said))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Exit status and what stood on stderr.
pub fn outcome(mut command: Command) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command.output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

pub fn fields(line: &Value, names: &[&str]) {
    for name in names {
        assert!(!line[name].is_null(), "{name} in {line}");
    }
}
