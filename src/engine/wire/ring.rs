//! The last that was seen of a connection, in bounded memory.
//!
//! A transfer is a handful of frames that tell its story and thousands that carry content: those
//! run together into one line a type, so that the story stays.

use std::collections::VecDeque;
use std::time::Duration;

use super::phase::Phase;
use crate::protocol::frame::{self, kind};

/// Lines kept of a connection.
const KEPT: usize = 200;
/// Types that alternate in a stream: data, numbers, ends, credit, statuses and so on.
const STREAM_KINDS: usize = 10;

/// One line.
#[derive(Clone, PartialEq, Debug)]
pub struct Seen {
    /// After the connection was opened; of several frames, the last one.
    pub at: Duration,
    pub what: What,
}

#[derive(Clone, PartialEq, Debug)]
pub enum What {
    Phase(Phase),
    Frames(Frames),
}

/// A frame, or many of one type in a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frames {
    pub out: bool,
    pub kind: u8,
    /// As PROTOCOL.md calls the type.
    pub name: &'static str,
    pub count: u64,
    /// Whole frames: length, type and body.
    pub bytes: u64,
    /// The read (or write) that brought the last byte: frames that came together have the same here.
    pub last_call: u64,
    /// So many reads (or writes) brought a part of it.
    pub calls: u64,
}

pub fn name(kind: u8) -> &'static str {
    frame::name(kind)
}

/// What comes by the thousand.
fn streams(kind: u8) -> bool {
    matches!(
        kind,
        kind::MANIFEST | kind::STATUS | kind::PING | kind::PONG | kind::DATA..=kind::LAST_BULK
    )
}

pub(super) fn push(ring: &mut VecDeque<Seen>, at: Duration, what: What) {
    if let What::Frames(new) = &what
        && streams(new.kind)
    {
        let stream = ring.iter_mut().rev().take(STREAM_KINDS);
        let mut stream = stream.map_while(|seen| match &mut seen.what {
            What::Frames(frames) if streams(frames.kind) => Some((&mut seen.at, frames)),
            What::Frames(_) | What::Phase(_) => None,
        });
        let same = stream.find(|(_, old)| (old.kind, old.out) == (new.kind, new.out));
        if let Some((last, old)) = same {
            *last = at;
            old.count += new.count;
            old.bytes += new.bytes;
            // The first part of this one may have come together with the end of the one before.
            let shared = new.last_call + 1 - new.calls <= old.last_call;
            old.calls += new.calls - u64::from(shared);
            old.last_call = new.last_call;
            return;
        }
    }
    if ring.len() >= KEPT {
        ring.pop_front();
    }
    ring.push_back(Seen { at, what });
}
