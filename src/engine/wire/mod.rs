//! What goes on at every connection, for people who want to see it: where it is, what it waits for
//! and what ends the wait, and how frames met the stream.
//!
//! A [`Trace`] is one connection's record. Where a connection stands is always known, since a person
//! looks when something hangs already; frames are written down only while somebody watches, and
//! otherwise cost a few additions. There is never content in it, nor a file's name, a secret or a
//! proof: types, lengths, times and counts alone.

mod phase;
mod ring;
mod trace;
mod words;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::lock;
use super::note::ConnectionId;
use crate::model::DeviceName;
pub use phase::{Closed, Flow, Phase};
pub use ring::{Frames, Seen, What};
pub use trace::{Counts, Ends, Trace, Work};

/// The target of the log's lines; `--log wire` and `ROPEWAY_LOG=wire=trace` ask for them.
pub const LOG_TARGET: &str = "wire";
/// Somebody looks at the window's panel.
const WINDOW: u8 = 1;
/// Somebody reads the lines.
const LOG: u8 = 2;
/// What has ended can be looked at for so long.
const ENDED_FOR: Duration = Duration::from_secs(60);
/// Of those, at most; the oldest go first.
const ENDED: usize = 64;
/// Connections told at once, the newest first: more than anybody looks at.
const SHOWN: usize = 128;

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// The server's own socket.
    Listen,
    /// Somebody has connected, and has not proven anything yet.
    Unknown,
    Send,
    Receive,
    /// It carries bulk frames of a transfer that has another connection.
    Attached,
    /// It asks which ways in a server has, and leaves.
    Look,
    Talk,
}

/// One connection as it stands now.
#[derive(Clone, PartialEq, Debug)]
pub struct WireConnection {
    /// Never used twice within an engine.
    pub id: u64,
    /// As in the log: `send-3`.
    pub label: String,
    pub purpose: Purpose,
    /// We connected to them.
    pub dialled: bool,
    pub peer: Option<DeviceName>,
    pub local: Option<SocketAddr>,
    pub remote: Option<SocketAddr>,
    pub opened: Instant,
    pub phase: Phase,
    /// In that phase since then.
    pub since: Instant,
    /// What it waits for has come by then, or it ends.
    pub until: Option<Instant>,
    /// The peer is silent: dead if it stays so until then.
    pub dead_at: Option<Instant>,
    pub counts: Counts,
    /// The last [`Seen`] of it, the oldest first.
    pub seen: Arc<[Seen]>,
}

/// All connections of an engine.
#[derive(Default)]
pub struct Wire {
    watched: Arc<AtomicU8>,
    next: AtomicU64,
    traces: Mutex<VecDeque<Trace>>,
}

impl Wire {
    /// With lines in the log if that lets them through.
    pub fn new() -> Self {
        let wire = Self::default();
        if tracing::enabled!(target: LOG_TARGET, tracing::Level::TRACE) {
            wire.watched.store(LOG, Ordering::Relaxed);
        }
        wire
    }

    /// A new connection, from its first moment on.
    pub fn open(&self, label: String, purpose: Purpose, phase: Phase) -> Trace {
        self.add(label, purpose, (phase, None), None)
    }

    /// One that a thread of its own serves.
    pub fn open_for(
        &self,
        connection: ConnectionId,
        label: String,
        purpose: Purpose,
        (phase, until): (Phase, Option<Instant>),
    ) -> Trace {
        self.add(label, purpose, (phase, until), Some(connection))
    }

    fn add(
        &self,
        label: String,
        purpose: Purpose,
        (phase, until): (Phase, Option<Instant>),
        connection: Option<ConnectionId>,
    ) -> Trace {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let trace = Trace::new(self.watched.clone(), id, connection, label, purpose);
        trace.phase(phase, until);
        let mut traces = lock(&self.traces);
        forget_old(&mut traces);
        traces.push_back(trace.clone());
        trace
    }

    /// The connection of that number, if it has not ended.
    pub fn of(&self, connection: ConnectionId) -> Option<Trace> {
        let traces = lock(&self.traces);
        let mut newest = traces.iter().rev();
        newest
            .find(|trace| trace.connection() == Some(connection))
            .cloned()
    }

    /// Somebody looks at the panel, or nobody any more.
    pub fn watch(&self, on: bool) {
        if on {
            self.watched.fetch_or(WINDOW, Ordering::Relaxed);
        } else if self.watched.fetch_and(!WINDOW, Ordering::Relaxed) & WINDOW != 0 {
            lock(&self.traces).iter().for_each(Trace::forget_seen);
        }
    }

    pub fn is_watched(&self) -> bool {
        self.watched.load(Ordering::Relaxed) != 0
    }

    pub fn is_shown(&self) -> bool {
        self.watched.load(Ordering::Relaxed) & WINDOW != 0
    }

    /// Everything as it stands now: what is open first, each the newest first.
    pub fn look(&self, now: Instant) -> Vec<WireConnection> {
        let mut traces = lock(&self.traces);
        forget_old(&mut traces);
        let traces: Vec<Trace> = traces.iter().rev().cloned().collect();
        let (open, ended): (Vec<_>, Vec<_>) = traces
            .into_iter()
            .partition(|trace| trace.ended().is_none());
        let (listening, open): (Vec<_>, Vec<_>) = open
            .into_iter()
            .partition(|trace| trace.purpose() == Purpose::Listen);
        let all = listening.iter().chain(&open).chain(&ended);
        all.take(SHOWN).map(|trace| trace.look(now)).collect()
    }
}

fn forget_old(traces: &mut VecDeque<Trace>) {
    let old = |trace: &Trace| trace.ended().is_some_and(|at| at.elapsed() >= ENDED_FOR);
    traces.retain(|trace| !old(trace));
    let mut ended = traces
        .iter()
        .filter(|trace| trace.ended().is_some())
        .count();
    traces.retain(|trace| {
        let stays = ended <= ENDED || trace.ended().is_none();
        ended -= usize::from(!stays);
        stays
    });
}
