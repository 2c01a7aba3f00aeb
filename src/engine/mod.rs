//! Threads and sockets: the only place where protocol, channel and storage meet.
//!
//! A front end starts an [`Engine`], sends it [`Command`]s and reads [`Event`]s; it never sees a
//! socket, a file or a frame. The engine knows nothing of windows: after each event it calls the
//! `wake` callback it was given. Dropping it ends and joins every thread.

mod attachable;
mod awake;
mod calls;
mod chores;
mod command;
mod conversations;
mod cut;
mod dial;
mod doctor;
mod event;
mod failures;
mod gate;
mod greeting;
mod known;
mod ledger;
mod limits;
mod link;
mod listener;
mod live;
mod looking;
mod meeting;
mod nearby;
mod note;
mod outbox;
mod receiving;
mod recent;
mod seats;
mod sending;
mod supervisor;
mod surveying;
mod talking;
mod throttle;
mod waiting;
mod wire;

#[cfg(test)]
mod tests;

pub use command::{
    AcceptPolicy, Answer, Bind, Chosen, Command, Limits, ListenOptions, SendRequest, StopMode,
    TalkRequest,
};
pub use event::{
    CallStands, Caller, Client, Doing, Event, Existing, Found, Interrupted, ListenError, Listening,
    Looked, Measured, NotSaid, Offer, OfferFolder, Recent, StartError, Started, Talk, TextOffer,
};
pub use known::{KnownDevice, KnownDevices};
pub use sending::new_transfer_id;
pub use wire::{
    Closed, Counts, Flow, Frames, LOG_TARGET, Phase, Purpose, Seen, What, WireConnection,
};

/// A fresh id for something that is to be said.
pub fn new_message_id() -> MessageId {
    MessageId(greeting::random_bytes())
}

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::channel::{Channel, Identity};
use crate::discovery::{Report, Watch};
use crate::model::{
    Code, DeviceId, DeviceName, MessageId, OnConflict, Peer, PeerAddress, Problem, TransferId,
};
use crate::protocol::CommonBuffers;
use crate::storage::record::{self, RecordError};
use attachable::Attachable;
use calls::{Called, Calls, Nonce};
use conversations::Conversations;
use cut::Cut;
use gate::Gate;
use greeting::{Doorkeeper, Greeted, GreetingError};
use ledger::Ledger;
use limits::{OFFER_WITHIN, SERVER_DEADLINE};
use link::{Link, TICK};
use nearby::Whereabouts;
use note::{Input, Note, Notes};
use receiving::{Receiving, Turns};
use recent::RecentAddresses;
use seats::Seats;
use supervisor::Supervisor;
use talking::{Talking, wants_to_talk};
use throttle::Throttle;
use wire::Wire;

/// What an engine needs to start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where identity and other records are kept; made if missing.
    pub data_dir: PathBuf,
    pub name: DeviceName,
}

pub struct Engine {
    shared: Arc<Shared>,
    inputs: Sender<Input>,
    supervisor: Option<JoinHandle<()>>,
    /// Dropped last: everything is written then.
    _known: known::Writer,
}

impl Engine {
    /// Loads (or makes) this device's identity and starts the supervisor. `wake` is called after
    /// each event, from engine threads.
    pub fn start(
        config: Config,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Result<(Self, Receiver<Event>), StartError> {
        let mut probe = [0; 1];
        getrandom::fill(&mut probe)
            .map_err(|error| StartError::Thread(io::Error::other(error.to_string())))?;
        raise_descriptor_limit();
        let identity = load_identity(&config.data_dir)?;
        let ledger = Ledger::open(&config.data_dir).map_err(StartError::Thread)?;
        let (known, trouble) = KnownDevices::open(&config.data_dir);
        let known = Arc::new(known);
        let writer = known.write_beside();
        let recent = RecentAddresses::open(&config.data_dir);
        let (conversations, unread) =
            Conversations::open(&config.data_dir, known.clone()).map_err(StartError::Thread)?;
        let (inputs, inbox) = channel();
        let (events, reported) = channel();
        let shared = Arc::new(Shared {
            identity,
            name: Mutex::new(config.name),
            save_folder: Arc::default(),
            on_conflict: Mutex::new(OnConflict::default()),
            gate: Mutex::new(Gate::closed(Instant::now())),
            ledger,
            known,
            conversations,
            seats: Arc::default(),
            attachable: Arc::default(),
            turns: Arc::new(Turns::new(limits::turns)),
            buffers: CommonBuffers::default(),
            remember: AtomicBool::new(false),
            throttle: Arc::default(),
            whereabouts: Whereabouts::default(),
            recent,
            pasted: config.data_dir.join(PASTED_FOLDER),
            wire: Wire::new(),
            calls: Calls::default(),
            discovery: Mutex::default(),
            #[cfg(test)]
            ahead: std::sync::atomic::AtomicU64::new(0),
        });
        let mut reporter = Reporter {
            events,
            wake: Box::new(wake),
            told_code: None,
            told_rests: false,
        };
        if let Some(why) = trouble {
            reporter.say(Event::DevicesNotRead(why));
        }
        if let Some(why) = unread {
            reporter.say(Event::ConversationsNotRead(why));
        }
        let supervisor = Supervisor::new(shared.clone(), inputs.clone(), reporter);
        let thread = thread::Builder::new()
            .name("supervisor".into())
            .spawn(move || supervisor.run(&inbox))
            .map_err(StartError::Thread)?;
        let engine = Self {
            shared,
            inputs,
            supervisor: Some(thread),
            _known: writer,
        };
        Ok((engine, reported))
    }

    /// The interrupted transfer of the same things to the same address, or to that device wherever it
    /// is, to go on with ([`Command::Resume`]) instead of sending anew.
    pub fn interrupted(
        &self,
        sources: &[PathBuf],
        to: &PeerAddress,
        device: Option<DeviceId>,
    ) -> Option<EarlierSend> {
        let places = absolute(sources);
        let like = self.shared.ledger.like(&places, &to.to_string(), device);
        let (unanswered, mut accepted): (Vec<_>, Vec<_>) =
            like.into_iter().partition(|kept| kept.unanswered);
        let accepted = accepted
            .pop()
            .map(|kept| EarlierSend::Accepted(kept.transfer));
        let mut unanswered = unanswered.into_iter();
        accepted.or_else(|| {
            unanswered
                .next()
                .map(|kept| EarlierSend::Unanswered(kept.transfer))
        })
    }

    /// Everybody remembered, wished for or blocked, as [`Event::Devices`] tells.
    pub fn known(&self) -> Vec<KnownDevice> {
        self.shared.known.look_again();
        self.shared.known.all()
    }

    /// A conversation was opened with this device not long ago, so that it opens anew without a code.
    pub fn opens_anew(&self, device: DeviceId) -> bool {
        self.shared.conversations.key(device).is_some()
    }

    /// How discovery does: on which networks, what could not leave, whether our own words came back.
    /// `None` if it was never on.
    pub fn discovery(&self) -> Option<Report> {
        lock(&self.shared.discovery).as_ref().map(Watch::report)
    }

    /// Never blocks. After the engine has ended it does nothing.
    pub fn command(&self, command: Command) {
        let _ = self.inputs.send(Input::Command(command));
    }
}

/// What an earlier run left of sending something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EarlierSend {
    Accepted(TransferId),
    /// It was offered and no answer was heard. Perhaps the other device has never accepted it.
    Unanswered(TransferId),
}

impl Engine {
    /// Ends and joins every thread. An error is a defect of the supervisor, after which some may be left.
    fn end(&mut self) -> thread::Result<()> {
        let _ = self.inputs.send(Input::Quit);
        self.supervisor.take().map_or(Ok(()), JoinHandle::join)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if self.end().is_err() {
            tracing::error!("the supervisor ended by a defect");
        }
    }
}

/// A client costs up to 60 descriptors (sockets, folders held open, files to be flushed together), and
/// the usual soft limit of 1024 is meant for programs that cannot handle more.
fn raise_descriptor_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        /// `OPEN_MAX`: macOS refuses "no limit" here, which is what it says is the most, and begins with 256.
        const MOST_ON_MACOS: u64 = 10_240;
        let limit = getrlimit(Resource::Nofile);
        let most = limit.maximum.unwrap_or(u64::MAX).min(MOST_ON_MACOS);
        let raised = Rlimit {
            current: match cfg!(target_vendor = "apple") {
                true => Some(most.max(limit.current.unwrap_or(0))),
                false => limit.maximum,
            },
            maximum: limit.maximum,
        };
        // Some systems have a lower limit than they say; then it stays as it is.
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::debug!(%error, "the descriptor limit stays");
        }
    }
}

/// As they are kept, so that they mean the same in another working directory.
fn absolute(paths: &[PathBuf]) -> Vec<PathBuf> {
    paths
        .iter()
        .map(|path| std::path::absolute(path).unwrap_or_else(|_empty| path.clone()))
        .collect()
}

/// What all threads of an engine share.
struct Shared {
    identity: Identity,
    name: Mutex<DeviceName>,
    save_folder: Arc<Mutex<PathBuf>>,
    /// Unless the person says otherwise for an offer.
    on_conflict: Mutex<OnConflict>,
    gate: Mutex<Gate>,
    ledger: Ledger,
    known: Arc<KnownDevices>,
    conversations: Conversations,
    seats: Arc<Seats>,
    attachable: Arc<Attachable<Receiving>>,
    turns: Arc<Turns<Receiving>>,
    /// Content that comes passes through these.
    buffers: CommonBuffers,
    /// Whoever proves a secret to the server is to be remembered.
    remember: AtomicBool,
    /// For all transfers together.
    throttle: Arc<Throttle>,
    /// As was heard on the local network.
    whereabouts: Whereabouts,
    recent: RecentAddresses,
    /// Where pasted pictures wait.
    pasted: PathBuf,
    /// What can be seen of every connection.
    wire: Wire,
    /// Who waits to be called.
    calls: Calls,
    /// Once discovery was on.
    discovery: Mutex<Option<Watch>>,
    /// So many seconds later than it is: what takes minutes is tested in moments.
    #[cfg(test)]
    ahead: std::sync::atomic::AtomicU64,
}

impl Shared {
    /// By which clients are told that they have waited long enough.
    fn now(&self) -> Instant {
        #[cfg(test)]
        let ahead = self.ahead.load(std::sync::atomic::Ordering::SeqCst);
        #[cfg(not(test))]
        let ahead = 0;
        Instant::now() + Duration::from_secs(ahead)
    }
}

/// The way of events to the front end.
struct Reporter {
    events: Sender<Event>,
    wake: Box<dyn Fn() + Send + Sync>,
    told_code: Option<Code>,
    told_rests: bool,
}

impl Reporter {
    fn say(&mut self, event: Event) {
        // A front end that no longer listens is about to drop the engine.
        let _ = self.events.send(event);
        (self.wake)();
    }

    fn say_code(&mut self, code: Code, valid: Duration) {
        if self.told_code.as_ref() != Some(&code) {
            self.told_code = Some(code.clone());
            self.say(Event::Code { code, valid });
        }
    }

    fn say_rests(&mut self, rests: bool) {
        if std::mem::replace(&mut self.told_rests, rests) != rests {
            self.say(Event::CodeRests(rests));
        }
    }
}

/// Who has just connected.
struct Arriving<'a> {
    from: IpAddr,
    address: String,
    cut: &'a Cut,
    /// We have connected to it, since it asks to be called.
    called: Option<(DeviceId, Nonce)>,
    /// The server is off: only who was called gets in.
    only_called: bool,
}

/// The thread of a connection that somebody opened to us: greeting, then session.
fn incoming(socket: TcpStream, client: Arriving, shared: &Arc<Shared>, notes: &Notes) {
    let Arriving {
        from,
        address,
        cut,
        called,
        only_called,
    } = client;
    let deadline = Instant::now() + SERVER_DEADLINE;
    notes.trace.connected(&socket);
    notes.trace.phase(Phase::Handshake, Some(deadline));
    let name = lock(&shared.name).clone();
    let doorkeeper = Doorkeeper {
        from,
        cut,
        ours: shared.identity.device_id(),
        name: &name,
        gate: &shared.gate,
        ledger: &shared.ledger,
        known: &shared.known,
        conversations: &shared.conversations,
        changed: &|| notes.send(Note::KnownChanged),
        seats: &shared.seats,
        attachable: &shared.attachable,
        trace: &notes.trace,
        only_called,
    };
    let again = socket.try_clone();
    let opened = match called {
        None => Channel::accept(socket, &shared.identity, deadline).map_err(GreetingError::from),
        Some((device, nonce)) => Channel::connect(socket, &shared.identity, deadline)
            .map_err(GreetingError::from)
            .and_then(|channel| greeting::say_called(channel, device, &nonce))
            .inspect(|_proven| notes.send(Note::CallAnswered(nonce))),
    };
    let greeted = opened.and_then(|mut channel| match doorkeeper.greet_client(&mut channel) {
        Ok(greeted) => Ok((channel, greeted)),
        Err(GreetingError::Called(nonce)) => {
            if let (Ok(socket), true) = (again, called.is_none())
                && let Ok(at) = socket.peer_addr()
            {
                let called = Called {
                    channel,
                    socket,
                    at,
                };
                let taken = shared.calls.arrived(&nonce, called);
                tracing::info!(%from, taken, "was called");
            }
            Err(GreetingError::Called(nonce))
        }
        Err(error) => Err(error),
    });
    if matches!(greeted, Err(GreetingError::Called(_))) {
        return;
    }
    // However it ended, a code may have been used up on the way; a wrong try is told before the
    // code that takes its place.
    if !matches!(greeted, Err(GreetingError::Wrong(_))) {
        notes.send(Note::CodeTried);
    }
    if let Err(error) = &greeted {
        notes.trace.close(error.closed());
    }
    match greeted {
        Ok((channel, greeted)) => {
            #[cfg(test)]
            assert_ne!(greeted.name.as_str(), tests::DEFECT, "planted");
            let peer = Peer {
                name: greeted.name.clone(),
                device_id: Some(channel.peer),
                address,
                trust: greeted.trust,
            };
            if let Some(place) = greeted.attached {
                notes.send(Note::Attached(peer));
                return place.session.carry_attached(channel, &notes.trace);
            }
            if shared.known.met(channel.peer, &peer.name, None) {
                notes.send(Note::KnownChanged);
            }
            notes.trace.is_for(Purpose::Receive);
            let offer_within = (greeted.session.is_none()).then_some(OFFER_WITHIN);
            let until = offer_within.map(|within| Instant::now() + within);
            notes.trace.phase(Phase::Offer, until);
            notes.send(Note::Verified(peer.clone()));
            serve(channel, peer, greeted, shared, notes);
        }
        Err(GreetingError::Wrong(wrong)) => {
            tracing::info!(%from, "wrong secret");
            notes.send(Note::WrongSecret {
                from,
                tries_left: wrong.tries_left,
            });
        }
        Err(GreetingError::Resting) => {
            tracing::info!(%from, "no more guesses");
            notes.send(Note::MustWait(from));
        }
        // Of a crowd there is one line, or nothing else would be left in the log.
        Err(_) if cut.is_cut() => tracing::debug!(%from, "turned away"),
        Err(error) => tracing::info!(%from, %error, "a client was not let in"),
    }
}

/// A client that was let in: it says whether it wants to talk or to send.
fn serve(mut channel: Channel, peer: Peer, greeted: Greeted, shared: &Arc<Shared>, notes: &Notes) {
    let link = channel.shutdown_handle().and_then(|handle| {
        let link = Arc::new(Link::new(handle, notes.trace.clone()));
        let ring = link.clone();
        channel.established(TICK, move || ring.outbox.flush())?;
        Ok(link)
    });
    let link = match link {
        Ok(link) => link,
        Err(error) => return tracing::warn!(%error, "a session could not be started"),
    };
    // Who goes on with a transfer may do nothing else.
    let may_talk = greeted.session.is_none();
    match wants_to_talk(&mut channel.reader) {
        None => {}
        Some(true) if may_talk => {
            notes.trace.is_for(Purpose::Talk);
            notes.trace.phase(Phase::Talking, None);
            Talking::serve(channel, link, peer, greeted, shared, notes.clone());
        }
        Some(false) if greeted.by_talk => {
            tracing::warn!("a client offers something in place of a conversation");
        }
        Some(_) => Receiving::run(channel, link, peer, greeted, shared, notes.clone()),
    }
}

/// Says that a connection's thread ends, also when a defect of ours ends it.
struct LastWord(Notes);

impl Drop for LastWord {
    fn drop(&mut self) {
        self.0.trace.close(Closed::Ended);
        self.0.send(Note::Closed);
    }
}

/// Ends the connection if a defect of ours ends the thread that holds this, so that the other
/// threads of the connection do not wait for it for ever.
struct EndOnPanic<'a>(&'a Link);

impl Drop for EndOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.outbox.abort();
            self.0.shutdown.shutdown();
        }
    }
}

const IDENTITY_FILE: &str = "identity.json";
const PASTED_FOLDER: &str = "pasted";
const IDENTITY_VERSION: u32 = 1;

/// Wiped from memory when it has been written or read.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct IdentityRecord {
    certificate: String,
    private_key: String,
}

/// A device that lost its identity is another device to everybody who knows it: a damaged file is
/// put aside and said, and only the next start makes a new one.
fn load_identity(data_dir: &Path) -> Result<Identity, StartError> {
    let path = data_dir.join(IDENTITY_FILE);
    let none = |detail: String| StartError::Identity { detail };
    let unusable = |problem| StartError::DataDir {
        folder: data_dir.to_owned(),
        problem,
    };
    let known = record::load::<IdentityRecord>(&path, IDENTITY_VERSION);
    match known {
        Ok(Some(known)) => match Identity::from_pem(&known.certificate, &known.private_key) {
            Ok(identity) => Ok(identity),
            Err(error) => {
                tracing::error!(%error, "the identity is damaged");
                match record::put_aside(&path) {
                    Ok(aside) => Err(StartError::IdentityDamaged { aside }),
                    Err(error) => Err(unusable(Problem::writing(&error))),
                }
            }
        },
        Ok(None) => {
            let identity = Identity::generate().map_err(|error| none(error.to_string()))?;
            let record = IdentityRecord {
                certificate: identity.certificate_pem(),
                private_key: identity.key_pem().to_string(),
            };
            match record::save(&path, IDENTITY_VERSION, &record) {
                Ok(()) => Ok(identity),
                Err(RecordError::Io { source, .. }) => Err(unusable(Problem::writing(&source))),
                Err(error) => Err(none(error.to_string())),
            }
        }
        Err(RecordError::Io { source, .. }) => Err(unusable(Problem::writing(&source))),
        Err(RecordError::Newer { found, path }) => Err(StartError::IdentityNewer { found, path }),
        Err(RecordError::Damaged { aside }) => Err(StartError::IdentityDamaged { aside }),
    }
}

/// An address as a person would type it; IPv4 in IPv6 clothes is shown as IPv4.
fn shown(addr: SocketAddr) -> String {
    match addr.ip().to_canonical() {
        IpAddr::V4(v4) => SocketAddr::new(v4.into(), addr.port()).to_string(),
        // With its scope.
        IpAddr::V6(_) => addr.to_string(),
    }
}

/// Locks even after a panic in another thread: one connection's defect must not end the others.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a thread that was not needed before has begun. The session ends without it.
fn begun<T>(thread: io::Result<T>) -> bool {
    if let Err(error) = &thread {
        tracing::warn!(%error, "no thread more can begin");
    }
    thread.is_ok()
}

/// A named thread of a connection within its scope.
fn spawn<'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    link: &'scope Link,
    work: impl FnOnce() + Send + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, ()>> {
    thread::Builder::new()
        .name(name.into())
        .spawn_scoped(scope, move || {
            let _guard = EndOnPanic(link);
            work();
        })
}
