//! Further connections for a transfer that runs, where one does not fill a long path: each proves the
//! transfer's session key and then carries bulk frames from the same lane as the first one.
//!
//! The connections stand and fall together: when one is lost, frames are missing that only another run
//! brings again.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::Scope;
use std::time::{Duration, Instant};

use super::Sending;
use super::beginning::{Path, seen};
use super::choosing::{Choosing, Sight};
use crate::channel::Channel;
use crate::engine::cut::Cut;
use crate::engine::dial::{Dialed, LONG_PATH, dial_again, suit_path};
use crate::engine::greeting::attach_to_server;
use crate::engine::limits::CLIENT_DEADLINE;
use crate::engine::link::{Link, TICK};
use crate::engine::wire::{Ends, Phase, Purpose, Trace};
use crate::engine::{Shared, lock, spawn};
use crate::model::DeviceId;
use crate::protocol::message::unexpected;
use crate::protocol::verification::SessionKey;
use crate::protocol::{Buffers, Violation};

/// How often it is looked at what limits the transfer.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Bytes the kernel may hold of an attached connection that TCP has not sent yet. All others wait for
/// what stands in the slowest one's queue.
#[cfg(any(target_os = "linux", target_os = "android"))]
const NOT_SENT_BYTES: u32 = 64 << 10;

/// How a further connection gets there.
pub(super) struct Way<'a> {
    pub(super) path: Path,
    /// Who has to be there.
    pub(super) device: DeviceId,
    pub(super) key: SessionKey,
    pub(super) shared: &'a Shared,
}

pub(super) struct Attaching<'a> {
    sending: &'a Sending,
    way: Way<'a>,
    /// The first connection.
    link: &'a Arc<Link>,
    buffers: &'a Buffers,
    /// The transfer has come to its end; what is lost now was not needed.
    reported: &'a AtomicBool,
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    over: bool,
    /// Every further connection, from its socket on.
    cuts: Vec<Arc<Cut>>,
    /// On their way.
    pending: usize,
    carrying: usize,
    /// One did not get there.
    failed: bool,
    /// The shortest that a further connection has seen.
    round_trip: Option<Duration>,
}

impl<'a> Attaching<'a> {
    pub(super) fn new(
        sending: &'a Sending,
        way: Way<'a>,
        link: &'a Arc<Link>,
        buffers: &'a Buffers,
        reported: &'a AtomicBool,
    ) -> Self {
        Self {
            sending,
            way,
            link,
            buffers,
            reported,
            state: Mutex::default(),
            ended: Condvar::new(),
        }
    }

    /// A short path is left to its one connection, and costs nothing.
    pub(super) fn start<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        let most = self.sending.most_connections.load(Ordering::SeqCst);
        if self.way.path.round_trip < LONG_PATH || most <= 1 {
            return;
        }
        let choosing = Choosing::new(most, self.way.path.paced);
        let started = spawn(scope, "attach", self.link, move || {
            self.choose(choosing, scope);
        });
        if let Err(error) = started {
            tracing::info!(%error, "it stays at one connection");
        }
    }

    /// The run is over, and so are its further connections.
    pub(super) fn end(&self) {
        let mut state = lock(&self.state);
        state.over = true;
        let cuts = std::mem::take(&mut state.cuts);
        drop(state);
        self.ended.notify_all();
        cuts.iter().for_each(|cut| cut.cut());
    }

    /// That carry or have carried something in this run.
    pub(super) fn connections(&self) -> usize {
        lock(&self.state).carrying + 1
    }

    fn choose<'scope>(&'scope self, mut choosing: Choosing, scope: &'scope Scope<'scope, '_>) {
        let begun = Instant::now();
        let mut state = lock(&self.state);
        while !state.over && !choosing.settled() {
            let waited = self.ended.wait_timeout(state, LOOK_EVERY);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if state.over || state.pending > 0 {
                continue;
            }
            if state.failed {
                choosing.settle();
                continue;
            }
            let connections = state.carrying + 1;
            let round_trip = state.round_trip.unwrap_or(self.way.path.round_trip);
            drop(state);
            let more = choosing.look(self.sight(begun.elapsed(), connections, round_trip));
            let more = more.map_or(0, |wanted| wanted - connections);
            if more > 0 {
                tracing::debug!(connections, more, "connections are added");
            }
            lock(&self.state).pending = more;
            for _ in 0..more {
                let started = spawn(scope, "attached", self.link, move || self.attach(scope));
                if let Err(error) = started {
                    tracing::info!(%error, "no thread for a further connection");
                    self.gone();
                }
            }
            state = lock(&self.state);
        }
    }

    fn sight(&self, at: Duration, connections: usize, round_trip: Duration) -> Sight {
        let live = &self.sending.live;
        let limited = self.sending.throttle.is_set() || live.throttle.is_set();
        let accepted = self.sending.machine().accepted();
        let left = live.total_bytes.get();
        Sight {
            at,
            flow: self.link.outbox.flow(),
            connections,
            round_trip: round_trip.min(self.way.path.round_trip),
            left_bytes: left.saturating_sub(live.held_bytes.get()),
            held: limited || !accepted || live.held_by().any(),
        }
    }

    /// It did not get there.
    fn gone(&self) {
        let mut state = lock(&self.state);
        state.pending = state.pending.saturating_sub(1);
        state.failed = true;
    }

    /// The thread of a further connection.
    fn attach<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        let cut = Arc::new(Cut::default());
        let mut state = lock(&self.state);
        if state.over {
            return;
        }
        state.cuts.push(cut.clone());
        let number = state.cuts.len();
        drop(state);
        let wire = &self.way.shared.wire;
        let label = format!("{}+{number}", self.sending.notes.trace.label());
        let connecting = Phase::Connecting {
            to: self.way.path.at,
            at: 1,
            of: 1,
        };
        let trace = wire.open(label, Purpose::Attached, connecting);
        let _ends = Ends(trace.clone());
        match self.open(&cut, &trace) {
            Some(channel) => self.carry(channel, scope, trace),
            None => self.gone(),
        }
    }

    fn open(&self, cut: &Cut, trace: &Trace) -> Option<Channel> {
        let said = |error: &dyn std::fmt::Display| {
            tracing::info!(%error, "a further connection did not get there");
        };
        let over = || lock(&self.state).over;
        let Dialed { socket, round_trip } = dial_again(self.way.path.at, over)?
            .map_err(|error| said(&error))
            .ok()?;
        let round_trip = seen(round_trip, self.way.shared);
        let mut state = lock(&self.state);
        let shortest = state.round_trip.unwrap_or(round_trip);
        state.round_trip = Some(shortest.min(round_trip));
        drop(state);
        cut.connected(&socket).map_err(|error| said(&error)).ok()?;
        trace.connected(&socket);
        suit_path(&socket, LONG_PATH);
        let options = socket.try_clone().map_err(|error| said(&error)).ok()?;
        let deadline = Instant::now() + CLIENT_DEADLINE;
        trace.phase(Phase::Handshake, Some(deadline));
        let shared = self.way.shared;
        let mut channel = Channel::connect(socket, &shared.identity, deadline)
            .map_err(|error| said(&error))
            .ok()?;
        if channel.peer != self.way.device {
            tracing::info!("another device answers there by now");
            return None;
        }
        keep_queue_short(&options);
        let name = lock(&shared.name).clone();
        let ours = shared.identity.device_id();
        let transfer = self.sending.request.transfer;
        let proves = (transfer, &self.way.key);
        attach_to_server(&mut channel, ours, &name, proves, trace)
            .map_err(|error| said(&error))
            .ok()?;
        Some(channel)
    }

    /// Writes and reads it to its end.
    fn carry<'scope>(
        &'scope self,
        mut channel: Channel,
        scope: &'scope Scope<'scope, '_>,
        trace: Trace,
    ) {
        let Ok(shutdown) = channel.shutdown_handle() else {
            return self.gone();
        };
        let link = Arc::new(Link::attached(shutdown, &self.link.outbox, trace.clone()));
        // From here on frames may go by it, and cannot be called back.
        let _lost = Lost(self, &link);
        let ring = link.clone();
        if channel
            .established(TICK, move || ring.outbox.flush())
            .is_err()
        {
            return;
        }
        trace.phase(Phase::Carrying, None);
        self.sending.machine().stripe();
        let Channel { reader, writer, .. } = channel;
        let writing = link.clone();
        let written = spawn(scope, "write", self.link, move || {
            let _lost = Lost(self, &writing);
            writing.write_frames(writer, self.buffers);
        });
        let mut state = lock(&self.state);
        state.carrying += 1;
        state.pending = state.pending.saturating_sub(1);
        drop(state);
        if written.is_ok() {
            let said_nothing = |frame: crate::protocol::Frame| -> Result<(), Violation> {
                unexpected(frame.kind())
            };
            link.read_frames(reader, Buffers::new(1), said_nothing, |_seconds| {});
        }
    }
}

/// Ends the run when a connection of it is lost.
struct Lost<'a>(&'a Attaching<'a>, &'a Link);

impl Drop for Lost<'_> {
    fn drop(&mut self) {
        let Self(attaching, link) = self;
        link.shutdown.shutdown();
        let over = lock(&attaching.state).over || attaching.reported.load(Ordering::SeqCst);
        if !over && !attaching.link.is_closing() {
            tracing::info!("a further connection was lost");
            attaching.link.outbox.abort();
            attaching.link.shutdown.shutdown();
        }
    }
}

fn keep_queue_short(socket: &TcpStream) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // A matter of speed alone.
    let _ = socket2::SockRef::from(socket).set_tcp_notsent_lowat(NOT_SENT_BYTES);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = socket;
}
