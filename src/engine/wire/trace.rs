//! One connection's record, written by its threads.

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::phase::{Closed, Flow, Phase};
use super::ring::{self, Frames, Seen, What};
use super::{LOG, LOG_TARGET, Purpose, WINDOW, WireConnection, words};
use crate::engine::lock;
use crate::engine::note::ConnectionId;
use crate::model::{DeviceName, Failure, Holds};
use crate::protocol::frame::HEADER_BYTES;

/// Fewer bytes between two looks are no content that moves.
const MOVES_BYTES: u64 = 4 << 10;

/// What the thread that reads the source or writes the disk does now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Work {
    Nothing,
    Source,
    Credit,
    Room,
    Limit,
    Bytes,
    Disk,
    Turn,
}

/// So far, as counted where frames meet the stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// That brought bytes of frames.
    pub reads: u64,
    pub frames_in: u64,
    pub bytes_in: u64,
    pub writes: u64,
    pub frames_out: u64,
    pub bytes_out: u64,
}

#[derive(Clone)]
pub struct Trace(Arc<Record>);

struct Record {
    watched: Arc<AtomicU8>,
    id: u64,
    connection: Option<ConnectionId>,
    label: String,
    opened: Instant,
    counters: Counters,
    /// A [`Work`].
    work: AtomicU8,
    /// A thread is in the system's hands with bytes to be sent.
    writing: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct Counters {
    reads: AtomicU64,
    frames_in: AtomicU64,
    bytes_in: AtomicU64,
    writes: AtomicU64,
    frames_out: AtomicU64,
    bytes_out: AtomicU64,
}

struct State {
    purpose: Purpose,
    dialled: bool,
    peer: Option<DeviceName>,
    local: Option<SocketAddr>,
    remote: Option<SocketAddr>,
    phase: Phase,
    since: Instant,
    until: Option<Instant>,
    dead_at: Option<Instant>,
    /// Why it is about to be closed with a goodbye.
    because: Option<Failure>,
    holds: Holds,
    held_since: Instant,
    flow: Flow,
    flow_since: Instant,
    /// Bytes both ways at the last look.
    moved: u64,
    reading: Reading,
    ring: VecDeque<Seen>,
    /// As it was told last, if nothing has come since.
    told: Option<Arc<[Seen]>>,
}

/// The read that is being taken apart.
#[derive(Default)]
struct Reading {
    number: u64,
    /// The read that brought the first byte of the next frame.
    first: u64,
    frames: u64,
}

impl Default for Trace {
    /// Of a connection that nobody will look at.
    fn default() -> Self {
        Self::new(Arc::default(), 0, None, String::new(), Purpose::Unknown)
    }
}

impl Trace {
    pub(super) fn new(
        watched: Arc<AtomicU8>,
        id: u64,
        connection: Option<ConnectionId>,
        label: String,
        purpose: Purpose,
    ) -> Self {
        let now = Instant::now();
        let state = State {
            purpose,
            dialled: matches!(purpose, Purpose::Send | Purpose::Look),
            peer: None,
            local: None,
            remote: None,
            phase: Phase::Starting,
            since: now,
            until: None,
            dead_at: None,
            because: None,
            holds: Holds::default(),
            held_since: now,
            flow: Flow::Moves,
            flow_since: now,
            moved: 0,
            reading: Reading::default(),
            ring: VecDeque::new(),
            told: None,
        };
        Self(Arc::new(Record {
            watched,
            id,
            connection,
            label,
            opened: now,
            counters: Counters::default(),
            work: AtomicU8::new(Work::Nothing as u8),
            writing: AtomicBool::new(false),
            state: Mutex::new(state),
        }))
    }

    pub(super) fn connection(&self) -> Option<ConnectionId> {
        self.0.connection
    }

    pub fn label(&self) -> &str {
        &self.0.label
    }

    fn watched(&self) -> u8 {
        self.0.watched.load(Ordering::Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }

    fn log(&self, watched: u8, line: impl FnOnce() -> String) {
        if watched & LOG != 0 {
            tracing::trace!(target: LOG_TARGET, "{} {}", self.0.label, line());
        }
    }

    // Where it stands.

    /// It waits for something else from now on, and by then at the latest.
    pub fn phase(&self, phase: Phase, until: Option<Instant>) {
        let now = Instant::now();
        let watched = self.watched();
        let mut state = self.state();
        if state.phase == phase {
            state.until = until;
            return;
        }
        state.phase = phase.clone();
        state.since = now;
        state.until = until;
        if matches!(state.phase, Phase::Retry(_) | Phase::Closed(_)) {
            // Nobody is there to say anything.
            state.dead_at = None;
        }
        (state.flow, state.flow_since) = (Flow::Moves, now);
        self.saw(&mut state, watched, now, || What::Phase(phase.clone()));
        drop(state);
        self.log(watched, || words::phase(&phase, until, now));
    }

    /// The same within the time that was given for several steps together.
    pub fn step(&self, phase: Phase) {
        let until = self.state().until;
        self.phase(phase, until);
    }

    /// The last word, if there was none before.
    pub fn close(&self, closed: Closed) {
        if self.ended().is_none() {
            let because = self.state().because.take();
            let closed = match (closed, because) {
                (Closed::Goodbye | Closed::Ended, Some(why)) => Closed::Failed(why),
                (closed, _) => closed,
            };
            self.phase(Phase::Closed(closed), None);
        }
    }

    /// The goodbye that follows has this reason.
    pub fn because(&self, why: &Failure) {
        self.state().because.get_or_insert_with(|| why.clone());
    }

    /// Who holds its transfer up, if anybody does.
    pub fn held(&self, holds: Holds) {
        let now = Instant::now();
        let watched = self.watched();
        let mut state = self.state();
        if state.holds == holds {
            return;
        }
        state.holds = holds;
        state.held_since = now;
        let phase = match holds.any() {
            true => Phase::Held(holds),
            false => state.phase.clone(),
        };
        self.saw(&mut state, watched, now, || What::Phase(phase.clone()));
        drop(state);
        self.log(watched, || words::phase(&phase, None, now));
    }

    /// The peer says nothing, and is dead at that time; or it speaks again.
    pub fn quiet(&self, dead_at: Option<Instant>) {
        let watched = self.watched();
        let before = std::mem::replace(&mut self.state().dead_at, dead_at);
        if before.is_none() != dead_at.is_none() {
            self.log(watched, || words::quiet(dead_at, Instant::now()));
        }
    }

    pub fn peer(&self, name: &DeviceName) {
        let watched = self.watched();
        let mut state = self.state();
        let known = state.peer.replace(name.clone());
        drop(state);
        if known.as_ref() != Some(name) {
            self.log(watched, || words::peer(name));
        }
    }

    pub fn purpose(&self) -> Purpose {
        self.state().purpose
    }

    pub fn is_for(&self, purpose: Purpose) {
        self.state().purpose = purpose;
    }

    /// From where somebody comes, who looks at the socket only later.
    pub fn comes_from(&self, addr: SocketAddr) {
        self.state().remote = Some(plain(addr));
    }

    /// Where the other end is.
    pub fn connected(&self, socket: &TcpStream) {
        let watched = self.watched();
        let mut state = self.state();
        state.local = socket.local_addr().ok().map(plain);
        state.remote = socket.peer_addr().ok().map(plain);
        let ends = (state.local, state.remote, state.dialled);
        drop(state);
        self.log(watched, || words::ends(ends));
    }

    /// Where the server's socket is bound.
    pub fn bound(&self, addr: SocketAddr) {
        self.state().local = Some(addr);
    }

    /// When its last word was said, if it was.
    pub(super) fn ended(&self) -> Option<Instant> {
        let state = self.state();
        matches!(state.phase, Phase::Closed(_)).then_some(state.since)
    }

    // What its threads do. Cheap enough for every frame.

    pub fn work(&self, work: Work) {
        self.0.work.store(work as u8, Ordering::Relaxed);
    }

    pub fn writing(&self, writing: bool) {
        self.0.writing.store(writing, Ordering::Relaxed);
    }

    // How frames meet the stream.

    /// A read brought so many bytes. `within`: the read before it ended within a frame.
    pub fn read(&self, bytes: usize, within: bool) {
        if bytes == 0 {
            return;
        }
        let counters = &self.0.counters;
        let number = counters.reads.fetch_add(1, Ordering::Relaxed) + 1;
        counters.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
        let watched = self.watched();
        if watched != 0 {
            let mut state = self.state();
            let before = state.reading.frames;
            // What began before anybody watched is counted from here on.
            let seen = state.reading.number + 1 == number;
            let first = match within && seen {
                true => state.reading.first.max(1),
                false => number,
            };
            state.reading = Reading {
                number,
                first,
                frames: 0,
            };
            drop(state);
            self.log_read(watched, before);
        }
    }

    /// A frame of that read is complete.
    pub fn came(&self, kind: u8, body_bytes: usize) {
        let counters = &self.0.counters;
        counters.frames_in.fetch_add(1, Ordering::Relaxed);
        let watched = self.watched();
        if watched == 0 {
            return;
        }
        let now = Instant::now();
        let mut state = self.state();
        let reading = &mut state.reading;
        let frames = Frames {
            out: false,
            kind,
            name: ring::name(kind),
            count: 1,
            bytes: (HEADER_BYTES + body_bytes) as u64,
            last_call: reading.number,
            calls: reading.number.saturating_sub(reading.first) + 1,
        };
        reading.first = reading.number;
        reading.frames += 1;
        self.saw(&mut state, watched, now, || What::Frames(frames));
        drop(state);
        self.log(watched, || words::frames(&frames));
    }

    /// All frames of the read have been told.
    pub fn read_over(&self) {
        let watched = self.watched();
        if watched & LOG != 0 {
            let before = std::mem::take(&mut self.state().reading.frames);
            self.log_read(watched, before);
        }
    }

    fn log_read(&self, watched: u8, frames: u64) {
        if frames > 1 {
            self.log(watched, || words::in_one_read(frames));
        }
    }

    /// These whole frames are about to be written together.
    pub fn wrote(&self, written: &[u8]) {
        let counters = &self.0.counters;
        let number = counters.writes.fetch_add(1, Ordering::Relaxed) + 1;
        let bytes = written.len() as u64;
        counters.bytes_out.fetch_add(bytes, Ordering::Relaxed);
        let watched = self.watched();
        let now = (watched != 0).then(Instant::now);
        let mut rest = written;
        let mut count = 0;
        while let Some((&[a, b, c, d, kind], _)) = rest.split_first_chunk::<HEADER_BYTES>() {
            let len = (u32::from_be_bytes([a, b, c, d]) as usize).saturating_add(HEADER_BYTES - 1);
            rest = rest.get(len..).unwrap_or_default();
            count += 1;
            if let Some(now) = now {
                let frames = Frames {
                    out: true,
                    kind,
                    name: ring::name(kind),
                    count: 1,
                    bytes: len as u64,
                    last_call: number,
                    calls: 1,
                };
                let mut state = self.state();
                self.saw(&mut state, watched, now, || What::Frames(frames));
                drop(state);
                self.log(watched, || words::frames(&frames));
            }
        }
        counters.frames_out.fetch_add(count, Ordering::Relaxed);
        if count > 1 {
            self.log(watched, || words::in_one_write(count));
        }
    }

    fn saw(&self, state: &mut State, watched: u8, now: Instant, what: impl FnOnce() -> What) {
        if watched & WINDOW != 0 {
            state.told = None;
            let at = now.saturating_duration_since(self.0.opened);
            ring::push(&mut state.ring, at, what());
        }
    }

    // For who watches.

    pub(super) fn forget_seen(&self) {
        let mut state = self.state();
        state.ring = VecDeque::new();
        state.told = None;
    }

    /// As it stands now. What content waits for is told when nothing has moved since the last look.
    pub(super) fn look(&self, now: Instant) -> WireConnection {
        let counts = self.0.counters.now();
        let watched = self.watched();
        let mut state = self.state();
        let moved = counts.bytes_in + counts.bytes_out;
        let moves = moved >= state.moved + MOVES_BYTES;
        state.moved = moved;
        let flow = match moves {
            true => Flow::Moves,
            false => self.flow(state.flow),
        };
        let stalls = flow != state.flow;
        if stalls {
            (state.flow, state.flow_since) = (flow, now);
        }
        let (mut phase, mut since) = (state.phase.clone(), state.since);
        match &mut phase {
            Phase::Sending(_) | Phase::Receiving(_) | Phase::Checking if state.holds.any() => {
                (phase, since) = (Phase::Held(state.holds), state.held_since);
            }
            Phase::Sending(now) | Phase::Receiving(now) => {
                (*now, since) = (flow, state.flow_since.max(since));
                if stalls {
                    let said = phase.clone();
                    self.log(watched, || words::phase(&said, None, since));
                }
            }
            _other => {}
        }
        let seen = match &state.told {
            Some(told) => told.clone(),
            None => {
                let seen: Arc<[Seen]> = state.ring.iter().cloned().collect();
                state.told = Some(seen.clone());
                seen
            }
        };
        WireConnection {
            id: self.0.id,
            label: self.0.label.clone(),
            purpose: state.purpose,
            dialled: state.dialled,
            peer: state.peer.clone(),
            local: state.local,
            remote: state.remote,
            opened: self.0.opened,
            phase,
            since,
            until: state.until,
            dead_at: state.dead_at,
            counts,
            seen,
        }
    }

    fn flow(&self, before: Flow) -> Flow {
        let work = self.0.work.load(Ordering::Relaxed);
        let writing = self.0.writing.load(Ordering::Relaxed);
        match work {
            _ if work == Work::Source as u8 => Flow::Source,
            _ if work == Work::Credit as u8 && !writing => Flow::Credit,
            _ if work == Work::Limit as u8 => Flow::Limit,
            _ if work == Work::Disk as u8 => Flow::Disk,
            _ if work == Work::Bytes as u8 => Flow::Bytes,
            _ if work == Work::Turn as u8 => Flow::Turn,
            _ if writing => Flow::Socket,
            _ => before,
        }
    }
}

impl Counters {
    fn now(&self) -> Counts {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            reads: get(&self.reads),
            frames_in: get(&self.frames_in),
            bytes_in: get(&self.bytes_in),
            writes: get(&self.writes),
            frames_out: get(&self.frames_out),
            bytes_out: get(&self.bytes_out),
        }
    }
}

/// Says that a connection has ended when its thread does, however that happens.
pub struct Ends(pub Trace);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.close(Closed::Ended);
    }
}

/// How long from then to now.
pub(super) fn left(until: Instant, now: Instant) -> Duration {
    until.saturating_duration_since(now)
}

/// IPv4 as such, also where it comes by a socket for both.
fn plain(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}
