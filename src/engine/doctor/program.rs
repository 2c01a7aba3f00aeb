//! Programs of the system that are asked something: by their full path, without a shell, in plain
//! English, with no input and for a short time.

use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::Stop;

/// Nothing that is asked here takes longer, unless it hangs. PowerShell takes its time to start.
const ANSWER_WITHIN: Duration = Duration::from_secs(if cfg!(windows) { 20 } else { 5 });
/// How soon a wish to give up is seen.
const LOOK_UP_EVERY: Duration = Duration::from_millis(50);
const ENDS_WITHIN: Duration = Duration::from_millis(2);
/// A ruleset of ten thousand rules fits.
const MAX_OUTPUT_BYTES: u64 = 8 << 20;

pub struct Answer {
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    pub succeeded: bool,
    pub text: String,
}

/// Runs the first of `places` that exists; standard output and errors come together. `None`: it does
/// not exist, did not answer in time, or nobody wants to know any more.
pub fn ask(places: &[&str], arguments: &[&str], stop: &Stop) -> Option<Answer> {
    let program = places.iter().map(Path::new).find(|place| place.is_file())?;
    let child = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .env("LANGUAGE", "C")
        .current_dir(if cfg!(windows) { "C:\\" } else { "/" })
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let answer = match child {
        Ok(child) => listen(child, stop),
        Err(error) => {
            tracing::info!(program = %program.display(), %error, "not asked");
            return None;
        }
    };
    if answer.is_none() {
        tracing::info!(program = %program.display(), "no answer");
    }
    answer
}

fn listen(mut child: Child, stop: &Stop) -> Option<Answer> {
    let output = child.stdout.take()?;
    let (said, heard) = channel();
    let reader = std::thread::Builder::new()
        .name("doctor-ask".into())
        .spawn(move || {
            let mut text = Vec::new();
            let _ = output.take(MAX_OUTPUT_BYTES).read_to_end(&mut text);
            let _ = said.send(text);
        });
    let deadline = Instant::now() + ANSWER_WITHIN;
    let text = loop {
        match heard.recv_timeout(LOOK_UP_EVERY) {
            Ok(text) => break Some(text),
            Err(RecvTimeoutError::Timeout) if !stop.wanted() && Instant::now() < deadline => {}
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break None,
        }
    };
    // With its output closed it has said all, and ends in a moment.
    let mut status = None;
    while text.is_some() && status.is_none() && !stop.wanted() && Instant::now() < deadline {
        status = child.try_wait().ok()?;
        if status.is_none() {
            std::thread::sleep(ENDS_WITHIN);
        }
    }
    if status.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
    // A grandchild could keep the pipe open; its reader ends when that does.
    if text.is_some()
        && let Ok(reader) = reader
    {
        let _ = reader.join();
    }
    let text = String::from_utf8_lossy(&text?).into_owned();
    Some(Answer {
        succeeded: status.is_some_and(|status| status.success()),
        text,
    })
}
