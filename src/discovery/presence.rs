//! The threads: one that speaks and keeps the time, and one for each socket that listens.
//!
//! Idle, each of them is blocked; a device costs a datagram a way every [`EVERY`].

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use super::air::Air;
use super::beacon::{Announcement, Beacon, Call, Instance};
use super::bucket::{Gate, Passage};
use super::networks::{Network, on_link};
use super::report::{Family, Report};
use super::table::{Source, Table};
use crate::model::{DeviceId, DeviceName, Nearby, Presence, System};

/// After a start, or a change: who was not listening yet, or lost a datagram, hears the next one.
const AT_FIRST: [Duration; 4] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];
/// Three may be lost before a device seems to be gone.
const EVERY: Duration = Duration::from_secs(4);
/// Which of the first announcements are preceded by a query.
const ASKS_BEFORE: [usize; 2] = [0, 3];
const LOOK_AT_NETWORKS_EVERY: Duration = Duration::from_secs(3);
/// What changed is told at most four times a second.
const TELL_EVERY: Duration = Duration::from_millis(250);
/// The calendar ran on while we did not.
const ASLEEP: Duration = Duration::from_secs(10);

/// What this device says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ours {
    pub presence: Presence,
    pub name: DeviceName,
    /// Of its server; `None`: it does not receive.
    pub port: Option<u16>,
    pub call: Option<Call>,
}

/// What is known of others now.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    pub nearby: Vec<Nearby>,
    /// Who asks to be called: what was said, and where it may be.
    pub calls: Vec<(DeviceId, Call, Vec<SocketAddr>)>,
}

/// Dropping it says goodbye and joins every thread.
pub struct Discovery {
    inner: Arc<Inner>,
    thread: Option<JoinHandle<()>>,
}

/// Looks at how discovery does, from anywhere.
#[derive(Clone)]
pub struct Watch(Arc<Inner>);

impl Watch {
    pub fn report(&self) -> Report {
        self.0.lock().report()
    }
}

/// What the threads share. No lock is held across a socket call.
pub(super) struct Inner {
    pub(super) device: DeviceId,
    pub(super) instance: Instance,
    state: Mutex<State>,
    rung: Condvar,
}

pub(super) struct State {
    pub(super) table: Table,
    gate: Gate,
    answers: Gate,
    ours: Ours,
    /// Goes out as the answer to a query.
    pub(super) answer: Option<Vec<u8>>,
    pub(super) networks: Vec<Network>,
    pub(super) report: Report,
    pub(super) came_back: HashSet<(String, Family)>,
    /// The table is not as it was told.
    pub(super) changed: bool,
    stop: bool,
}

impl Discovery {
    /// Nothing is opened before [`Self::set`] says so. `heard` is told on a thread of its own, at most
    /// four times a second.
    pub fn start(
        device: DeviceId,
        instance: Instance,
        heard: impl Fn(Heard) + Send + 'static,
    ) -> io::Result<Self> {
        let now = Instant::now();
        let inner = Arc::new(Inner {
            device,
            instance,
            state: Mutex::new(State {
                table: Table::new(device, instance),
                gate: Gate::new(now),
                answers: Gate::of_answers(now),
                ours: Ours {
                    presence: Presence::Off,
                    name: DeviceName::cleaned("", "?"),
                    port: None,
                    call: None,
                },
                answer: None,
                networks: Vec::new(),
                report: Report::default(),
                came_back: HashSet::new(),
                changed: false,
                stop: false,
            }),
            rung: Condvar::new(),
        });
        let running = inner.clone();
        let thread = std::thread::Builder::new()
            .name("presence".into())
            .spawn(move || run(&running, &heard))?;
        Ok(Self {
            inner,
            thread: Some(thread),
        })
    }

    /// Said at once. Never waits for a socket.
    pub fn set(&self, ours: Ours) {
        let mut state = self.inner.lock();
        if state.ours != ours {
            state.ours = ours;
            self.inner.rung.notify_all();
        }
    }

    /// There is always room for these.
    pub fn favour(&self, devices: HashSet<DeviceId>) {
        self.inner.lock().table.favour(devices);
    }

    pub fn watch(&self) -> Watch {
        Watch(self.inner.clone())
    }
}

impl Drop for Discovery {
    fn drop(&mut self) {
        self.inner.lock().stop = true;
        self.inner.rung.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl State {
    fn report(&self) -> Report {
        let mut report = self.report.clone();
        for network in &mut report.networks {
            let which = (network.name.clone(), network.family);
            network.came_back = self.came_back.contains(&which);
        }
        report
    }

    /// Our own datagram came back: it has left.
    fn note_echo(&mut self, from: SocketAddr) {
        let here = |network: &&Network| match from {
            SocketAddr::V4(v4) => network.v4.iter().any(|own| own.ip == *v4.ip()),
            SocketAddr::V6(v6) => network.index == Some(v6.scope_id()),
        };
        if let Some(network) = self.networks.iter().find(here) {
            let family = match from {
                SocketAddr::V4(_) => Family::V4,
                SocketAddr::V6(_) => Family::V6,
            };
            self.came_back.insert((network.name.clone(), family));
        }
    }
}

impl Inner {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A DNS-SD record. Unlike a datagram's source, its addresses are what it says: only those count
    /// that need no router.
    pub(super) fn recorded(&self, full_name: &str, said: &Announcement, addresses: Vec<Source>) {
        let mut state = self.lock();
        let near =
            |from: &Source| !from.ip.is_loopback() && on_link(&state.networks, from.ip, from.scope);
        let addresses: Vec<_> = addresses.into_iter().filter(near).collect();
        if !addresses.is_empty() {
            state
                .table
                .recorded(full_name, said, &addresses, Instant::now());
            self.note_change(&mut state);
        }
    }

    pub(super) fn record_gone(&self, full_name: &str) {
        let mut state = self.lock();
        state.table.record_gone(full_name);
        self.note_change(&mut state);
    }

    /// Whether records are to be asked for, since some device's beacons do not come through.
    pub(super) fn asks_for_records(&self) -> bool {
        let state = self.lock();
        state
            .table
            .asks_for_records(EVERY + EVERY / 2, Instant::now())
    }

    fn note_change(&self, state: &mut State) {
        if !std::mem::replace(&mut state.changed, true) {
            self.rung.notify_all();
        }
    }

    /// What came in. Gives the answer to be sent, and whether it was too much to be looked at.
    pub(super) fn datagram(&self, bytes: &[u8], from: SocketAddr) -> (Option<Vec<u8>>, bool) {
        let now = Instant::now();
        let mut state = self.lock();
        let source = Source::from(from);
        if source.ip.is_unspecified() || source.ip.is_multicast() {
            return (None, false);
        }
        let State { table, gate, .. } = &mut *state;
        match gate.pass(source.ip, || table.is_heard(source.ip), now) {
            Passage::Free => {}
            Passage::Busy | Passage::Flood => {
                state.report.dropped += 1;
                return (None, true);
            }
        }
        let Ok(beacon) = Beacon::parse(bytes) else {
            return (None, false);
        };
        if beacon.instance() == self.instance {
            state.note_echo(from);
            return (None, false);
        }
        // The computer's own loop says nothing to others, and they nothing on it.
        if !on_link(&state.networks, source.ip, source.scope) && source.ip.is_loopback() {
            return (None, false);
        }
        state.report.heard += 1;
        match beacon {
            Beacon::Announce(said) => {
                if state.table.heard(source, &said, now) {
                    self.note_change(&mut state);
                }
                (None, false)
            }
            Beacon::Goodbye(device, instance) => {
                state.table.goodbye(source, device, instance);
                self.note_change(&mut state);
                (None, false)
            }
            Beacon::Query(_) => {
                let near = on_link(&state.networks, source.ip, source.scope);
                // No answer is larger than its question.
                let fits = |answer: &Vec<u8>| near && answer.len() <= bytes.len();
                let answer = state
                    .answer
                    .clone()
                    .filter(fits)
                    .filter(|_| state.answers.pass(source.ip, || false, now) == Passage::Free);
                (answer, false)
            }
        }
    }
}

/// When to announce next.
struct Pace {
    said: usize,
    next: Instant,
}

impl Pace {
    fn new(now: Instant) -> Self {
        Self { said: 0, next: now }
    }

    /// Gives whether to ask, too.
    fn step(&mut self, now: Instant) -> bool {
        let asks = ASKS_BEFORE.contains(&self.said);
        self.next = now + AT_FIRST.get(self.said).copied().unwrap_or(EVERY);
        self.said = self.said.saturating_add(1);
        asks
    }
}

/// Notices that the computer slept: the monotonic clock of some systems stands still meanwhile.
struct Clock {
    monotonic: Instant,
    calendar: SystemTime,
}

impl Clock {
    fn new() -> Self {
        Self {
            monotonic: Instant::now(),
            calendar: SystemTime::now(),
        }
    }

    fn jumped(&mut self) -> bool {
        let before = std::mem::replace(self, Self::new());
        let ran = self.monotonic.saturating_duration_since(before.monotonic);
        let calendar = self.calendar.duration_since(before.calendar);
        calendar.unwrap_or_default() > ran + ASLEEP
    }
}

/// The thread that speaks, and keeps the table.
fn run(inner: &Arc<Inner>, tell: &dyn Fn(Heard)) {
    let mut air: Option<Air> = None;
    let mut said: Option<Ours> = None;
    let mut pace = Pace::new(Instant::now());
    let mut look_at = Instant::now();
    let mut clock = Clock::new();
    let mut told = (Heard::default(), None::<Instant>);
    loop {
        let (ours, stop) = {
            let state = inner.lock();
            (state.ours.clone(), state.stop)
        };
        if stop {
            break;
        }
        if said.as_ref() != Some(&ours) {
            change(inner, &mut air, &ours);
            said = Some(ours.clone());
            pace = Pace::new(Instant::now());
            look_at = Instant::now();
        }
        if let Some(air) = &mut air {
            let now = Instant::now();
            if clock.jumped() {
                tracing::info!("the computer slept; announcing anew");
                pace = Pace::new(now);
                look_at = now;
            }
            if now >= look_at {
                look_at = now + LOOK_AT_NETWORKS_EVERY;
                if air.look(inner) {
                    pace = Pace::new(now);
                }
            }
            if now >= pace.next {
                if pace.step(now) {
                    air.say(&Beacon::Query(inner.instance).to_bytes());
                }
                let announcement = inner.lock().answer.clone();
                if let Some(announcement) = announcement {
                    air.say(&announcement);
                }
                air.tell_report(inner);
            }
        }
        tell_changes(inner, &mut told, tell);
        let state = inner.lock();
        if state.stop || Some(&state.ours) != said.as_ref() {
            continue;
        }
        let tells = match (state.changed, told.1) {
            (true, Some(at)) => Some(at + TELL_EVERY),
            (true, None) => Some(Instant::now()),
            (false, _) => None,
        };
        let speaks = air.as_ref().map(|_| pace.next.min(look_at));
        let next = [tells, speaks, state.table.next_expiry()];
        let next = next.into_iter().flatten().min();
        // Whatever it says, everything is looked at anew.
        match next {
            Some(at) => {
                let wait = at.saturating_duration_since(Instant::now());
                drop(inner.rung.wait_timeout(state, wait));
            }
            None => drop(inner.rung.wait(state)),
        }
    }
    if let Some(air) = air {
        air.end(inner);
    }
}

/// Says what is known now, if that is not what was said last and it is time.
fn tell_changes(inner: &Inner, told: &mut (Heard, Option<Instant>), tell: &dyn Fn(Heard)) {
    let now = Instant::now();
    let heard = {
        let mut state = inner.lock();
        let gone = state.table.next_expiry().is_some_and(|at| at <= now);
        if gone {
            state.table.expire(now);
            state.changed = true;
        }
        let due = told.1.is_none_or(|at| now >= at + TELL_EVERY);
        if !state.changed || !due {
            return;
        }
        state.changed = false;
        Heard {
            nearby: state.table.nearby(),
            calls: state.table.calls(),
        }
    };
    told.1 = Some(now);
    if heard.nearby != told.0.nearby || heard.calls != told.0.calls {
        told.0 = heard.clone();
        tell(heard);
    }
}

/// Opens, closes or changes what is there, as the new word asks.
fn change(inner: &Arc<Inner>, air: &mut Option<Air>, ours: &Ours) {
    let announcement = (ours.presence == Presence::Visible).then(|| Announcement {
        device: inner.device,
        instance: inner.instance,
        name: ours.name.clone(),
        system: System::here(),
        port: ours.port,
        call: ours.call.clone(),
    });
    let bytes = announcement
        .clone()
        .map(|said| Beacon::Announce(said).to_bytes());
    let was_visible = std::mem::replace(&mut inner.lock().answer, bytes).is_some();
    if ours.presence == Presence::Off {
        if let Some(air) = air.take() {
            air.end_after(inner, was_visible);
        }
        return;
    }
    let air = air.get_or_insert_with(|| Air::open(inner));
    if was_visible && announcement.is_none() {
        air.say_goodbye(inner);
    }
    air.set_record(announcement);
}
