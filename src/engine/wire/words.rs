//! The log's lines, in English: `send-3 waits for the answer, at latest in 4.0 s`.

use std::net::SocketAddr;
use std::time::Instant;

use super::phase::{Closed, Flow, Phase};
use super::ring::Frames;
use super::trace::left;
use crate::model::{DeviceName, Hold, Holds, displayable};

pub fn phase(phase: &Phase, until: Option<Instant>, now: Instant) -> String {
    let words = waits(phase);
    let Some(until) = until else { return words };
    let seconds = left(until, now).as_secs_f64();
    match phase {
        Phase::Retry(_) => format!("{words}, tries again in {seconds:.1} s"),
        _other => format!("{words}, at latest in {seconds:.1} s"),
    }
}

fn waits(phase: &Phase) -> String {
    match phase {
        Phase::Starting => "starts",
        Phase::Listening => "waits for somebody to connect, until Receive is switched off",
        Phase::Resolving => "waits for the system to resolve the name",
        Phase::Connecting { to, at, of } => {
            return format!("waits for {to} to answer (address {at} of {of})");
        }
        Phase::Calling => "could not connect; waits for the other device to connect instead",
        Phase::Handshake => "waits for the TLS handshake",
        Phase::Hello => "waits for the hello",
        Phase::Choice => "waits for the client's way in",
        Phase::Challenge => "waits for the challenge",
        Phase::Answer => "has sent its challenge and waits for the answer",
        Phase::Proof => "has answered and waits for the proof",
        Phase::Comparing => "waits for two people to compare symbols",
        Phase::Offer => "waits for an offer",
        Phase::PersonHere => "waits for the person here to answer the offer",
        Phase::PersonThere => "waits for the person there to answer the offer",
        Phase::Opening => "waits for the save folder",
        Phase::Checking => "compares what is there already",
        Phase::Sending(flow) => return format!("sends{}", flow_words(*flow)),
        Phase::Receiving(flow) => return format!("receives{}", flow_words(*flow)),
        Phase::Held(holds) => return held(*holds),
        Phase::Finishing => "waits for the last files to get their names",
        Phase::Safe => "waits until all is safe on the other disk",
        Phase::Flushing => "waits until all is safe on this disk",
        Phase::Carrying => "carries frames of its transfer",
        Phase::Talking => "waits for somebody to say something",
        Phase::Goodbye => "waits for the other goodbye",
        Phase::Retry(failure) => return format!("has no connection ({})", failure.code()),
        Phase::Closed(closed) => return format!("closed: {}", closed_words(closed)),
    }
    .to_owned()
}

fn flow_words(flow: Flow) -> &'static str {
    match flow {
        Flow::Moves => "",
        Flow::Source => ", waits for the disk it reads from",
        Flow::Credit => ", waits for credit from the receiver",
        Flow::Socket => ", waits for the system to take more bytes",
        Flow::Limit => ", waits for the speed limit",
        Flow::Bytes => ", waits for bytes",
        Flow::Disk => ", waits for the disk it writes to",
        Flow::Turn => ", waits for its turn to allow more",
    }
}

fn held(holds: Holds) -> String {
    let one = |hold: Hold, whose: &str| match hold {
        Hold::Person => format!("paused {whose}"),
        Hold::Turn => format!("waits for its turn {whose}"),
        Hold::NoFiles => format!("the disk can hold no more files {whose}"),
        Hold::Quota => format!("the quota is used up {whose}"),
        Hold::NoRoom { needed_bytes: 0 } => format!("the disk is full {whose}"),
        Hold::NoRoom { needed_bytes } => {
            format!("the disk is full {whose}, {needed_bytes} bytes are missing")
        }
    };
    let here = holds.here.map(|hold| one(hold, "here"));
    let there = holds.there.map(|hold| one(hold, "there"));
    let both: Vec<_> = here.into_iter().chain(there).collect();
    format!("stands still: {}", both.join("; "))
}

/// Codes, no sentences: those may name what is on a disk.
fn closed_words(closed: &Closed) -> &'static str {
    match closed {
        Closed::Goodbye => "goodbye",
        Closed::Lost => "the connection was lost",
        Closed::Silent => "no answer for too long",
        Closed::Ended => "ended here",
        Closed::SwitchedOff => "switched off",
        Closed::NotLetIn => "not let in",
        Closed::TooSlow => "not verified in time",
        Closed::Failed(failure) => failure.code(),
    }
}

pub fn quiet(dead_at: Option<Instant>, now: Instant) -> String {
    match dead_at {
        Some(at) => format!(
            "has no answer, given up in {:.1} s",
            left(at, now).as_secs_f64()
        ),
        None => "has an answer again".to_owned(),
    }
}

pub fn peer(name: &DeviceName) -> String {
    format!("talks with \"{}\"", displayable(name.as_str()))
}

pub fn ends((local, remote, dialled): (Option<SocketAddr>, Option<SocketAddr>, bool)) -> String {
    let shown = |addr: Option<SocketAddr>| addr.map_or_else(|| "?".into(), |a| a.to_string());
    let arrow = if dialled { "→" } else { "←" };
    format!("is connected, {} {arrow} {}", shown(local), shown(remote))
}

pub fn frames(frames: &Frames) -> String {
    let Frames {
        kind, name, bytes, ..
    } = frames;
    let arrow = if frames.out { "→" } else { "←" };
    let calls = match frames.calls {
        1 => String::new(),
        calls => format!(" (one frame in {calls} reads)"),
    };
    format!("{arrow} 0x{kind:02x} {name} {bytes} bytes{calls}")
}

pub fn in_one_read(frames: u64) -> String {
    format!("← {frames} frames in one read")
}

pub fn in_one_write(frames: u64) -> String {
    format!("→ {frames} frames in one write")
}
