//! The first seconds of a connection, in lockstep on one thread: hellos, then verification.
//!
//! Nothing here waits for a person. Everything is over by the deadline that the channel carries.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand_core::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use super::attachable::{Attachable, Place};
use super::calls::Nonce;
use super::command::Chosen;
use super::conversations::Conversations;
use super::cut::{Cut, Stage};
use super::gate::{Gate, Ticket, Wrong};
use super::known::KnownDevices;
use super::ledger::{Kept, Ledger};
use super::receiving::Receiving;
use super::seats::{Seat, Seats};
use super::wire::{Closed, Phase, Trace};
use crate::channel::{Channel, ChannelError, Received};
use crate::model::{
    Bond, Code, DeviceId, DeviceName, Direction, Failure, Secret, Symbols, TransferId, Trust, Way,
};
use crate::protocol::frame::{HEADER_BYTES, encode, kind};
use crate::protocol::message::{ATTACH, FEATURES, Hello, Method, TALK, VERSION};
use crate::protocol::verification::{
    Binding, Client, ConversationKey, PairKey, Refusal, Server, ServerEvent, SessionKey,
};
use crate::protocol::{Buffers, Decoder, Limit, RawFrame, Violation};

/// Why a connection did not get as far as a session.
#[derive(Debug, thiserror::Error)]
pub enum GreetingError {
    #[error("{0}")]
    Channel(#[from] ChannelError),
    #[error("{0}")]
    Refused(#[from] Refusal),
    #[error("the server asks for a secret and none was given")]
    SecretNeeded,
    #[error("the server lets in only devices that it knows")]
    KnownOnly,
    #[error("{0} is another device than the chosen one")]
    AnotherDevice(DeviceName),
    #[error("the server does not know the pair key")]
    NotPaired(DeviceName),
    #[error("{0} takes no messages")]
    Older(DeviceName),
    #[error("the server does not know the conversation's key")]
    NoTalk,
    #[error("the server has no place for one more who asks")]
    NoSeat,
    #[error("the device is blocked")]
    Blocked,
    #[error("who is known cannot be read")]
    Unread,
    #[error("the connection ended in the middle of the greeting")]
    Ended,
    #[error("no more guesses are allowed now")]
    Resting,
    #[error("wrong secret")]
    Wrong(Wrong),
    #[error("it was asked to connect, and has")]
    Called(Nonce),
}

impl GreetingError {
    /// As the server's own last word on the connection.
    pub fn closed(&self) -> Closed {
        match self {
            Self::Channel(ChannelError::Deadline) => Closed::TooSlow,
            Self::Channel(_) | Self::Ended => Closed::Lost,
            // Another thread goes on with it.
            Self::Called(_) => Closed::Ended,
            Self::Refused(Refusal::Violation(violation)) => {
                Closed::Failed(Failure::Protocol(violation.to_string()))
            }
            Self::Refused(Refusal::Version) => Closed::Failed(Failure::Version),
            Self::Older(name) => Closed::Failed(Failure::Older { name: name.clone() }),
            Self::Refused(Refusal::Secret)
            | Self::SecretNeeded
            | Self::KnownOnly
            | Self::AnotherDevice(_)
            | Self::NotPaired(_)
            | Self::NoTalk
            | Self::NoSeat
            | Self::Blocked
            | Self::Unread
            | Self::Resting
            | Self::Wrong(_) => Closed::NotLetIn,
        }
    }
}

/// The operating system's randomness.
pub struct SystemRandom;

impl RngCore for SystemRandom {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_ne_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_ne_bytes(bytes)
    }

    fn fill_bytes(&mut self, dest: &mut [u8]) {
        getrandom::fill(dest)
            .expect("the engine has checked at its start that the system gives random numbers");
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}

impl CryptoRng for SystemRandom {}

pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom.fill_bytes(&mut bytes);
    bytes
}

/// A fresh one-time code.
pub fn new_code() -> Code {
    let made: Result<_, std::convert::Infallible> = Code::generate(|bytes| {
        SystemRandom.fill_bytes(bytes);
        Ok(())
    });
    match made {
        Ok(code) => code,
        Err(never) => match never {},
    }
}

/// Reads and writes single frames while the connection is still on one thread.
struct Lockstep<'a> {
    channel: &'a mut Channel,
    decoder: Decoder,
    plaintext: VecDeque<u8>,
    trace: &'a Trace,
}

impl<'a> Lockstep<'a> {
    fn new(channel: &'a mut Channel, trace: &'a Trace) -> Self {
        Self {
            channel,
            trace,
            decoder: Decoder::new(Buffers::new(1)),
            plaintext: VecDeque::new(),
        }
    }

    fn send(&mut self, frame: Option<Vec<u8>>) -> Result<(), GreetingError> {
        if let Some(frame) = frame {
            self.trace.wrote(&frame);
            if let Some(phase) = frame.get(HEADER_BYTES - 1).and_then(|kind| awaited(*kind)) {
                self.trace.step(phase);
            }
            self.channel.writer.write(&frame)?;
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<RawFrame, GreetingError> {
        loop {
            let waiting = self.plaintext.make_contiguous();
            let mut input = &*waiting;
            let frame = self
                .decoder
                .feed(&mut input, Limit::Greeting)
                .map_err(|error| Refusal::Violation(Violation::Frame(error)))?;
            let used = waiting.len() - input.len();
            self.plaintext.drain(..used);
            if let Some(frame) = frame {
                self.trace.came(frame.kind, frame.body.len());
                return Ok(frame);
            }
            let within = self.decoder.is_within_frame();
            let came = &mut self.plaintext;
            match self.channel.reader.read(|piece| came.extend(piece))? {
                Received::Bytes(bytes) => self.trace.read(bytes, within),
                Received::Idle => {}
                Received::Closed => return Err(GreetingError::Ended),
            }
        }
    }

    /// Bytes of a session frame that came along early would be lost with this greeting.
    fn finish(self) -> Result<(), GreetingError> {
        self.trace.read_over();
        if self.plaintext.is_empty() {
            Ok(())
        } else {
            Err(
                Refusal::Violation(Violation::Malformed("a frame before verification ended"))
                    .into(),
            )
        }
    }
}

/// What who sends a frame of that type waits for next.
fn awaited(kind: u8) -> Option<Phase> {
    match kind {
        kind::VERIFY => Some(Phase::Challenge),
        kind::CHALLENGE => Some(Phase::Answer),
        kind::ANSWER => Some(Phase::Proof),
        _other => None,
    }
}

fn hello(name: &DeviceName, accepts: Vec<String>) -> Hello {
    Hello {
        versions: vec![VERSION],
        features: FEATURES.map(str::to_owned).to_vec(),
        name: name.as_str().to_owned(),
        system: std::env::consts::OS.to_owned(),
        accepts,
    }
}

fn nobodys_key() -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    SystemRandom.fill_bytes(key.as_mut_slice());
    key
}

fn peer_name(hello: &Hello) -> DeviceName {
    DeviceName::cleaned(&hello.name, "Unnamed device")
}

/// By what a client may get in, the first that fits.
pub struct Plan<'a> {
    /// The device that has to be there.
    pub chosen: Option<&'a Chosen>,
    /// A transfer goes on.
    pub session: Option<(TransferId, &'a SessionKey)>,
    pub pair: Option<&'a PairKey>,
    /// A conversation is wanted, and perhaps was had before.
    pub talk: Option<Talk<'a>>,
    /// What the person typed.
    pub secret: Option<&'a Secret>,
    /// The person would compare symbols.
    pub ask: bool,
    /// Called before the answer goes out: from then on a server has something to try a guess on.
    pub answering: &'a dyn Fn(),
    pub trace: &'a Trace,
}

pub struct Talk<'a> {
    pub key: Option<&'a ConversationKey>,
}

/// Whom a client has met, and what was proven.
pub struct Met {
    pub name: DeviceName,
    pub trust: Trust,
    pub symbols: Option<Symbols>,
    /// It takes further connections for a transfer that runs.
    pub attaches: bool,
    /// It took so long to answer the hello: the time there and back, or more.
    pub answered_within: Duration,
}

/// What a server says first that has connected to its client, if the right one is there.
pub fn say_called(
    mut channel: Channel,
    device: DeviceId,
    nonce: &Nonce,
) -> Result<Channel, GreetingError> {
    if channel.peer != device {
        return Err(GreetingError::Ended);
    }
    channel.writer.write(&encode(kind::CALL, nonce))?;
    Ok(channel)
}

fn nonce_of(frame: &RawFrame) -> Option<Nonce> {
    let nonce = frame.body.as_slice().try_into();
    nonce.ok().filter(|_| frame.kind == kind::CALL)
}

/// What a server lets in, without going in.
pub fn look_at_server(
    channel: &mut Channel,
    ours: DeviceId,
    name: &DeviceName,
    trace: &Trace,
) -> Result<(DeviceName, Vec<Way>), GreetingError> {
    let mut wire = Lockstep::new(channel, trace);
    let (_machine, theirs, _) = hellos(&mut wire, ours, name)?;
    let ways = [
        (Method::Code, Way::Code),
        (Method::Passphrase, Way::Passphrase),
        (Method::Ask, Way::Ask),
        (Method::Pair, Way::Pair),
    ];
    let ways = ways.into_iter();
    let accepted = ways.filter(|(method, _)| accepts(&theirs, *method));
    Ok((peer_name(&theirs), accepted.map(|(_, way)| way).collect()))
}

fn accepts(theirs: &Hello, method: Method) -> bool {
    theirs.accepts.iter().any(|way| way == method.as_str())
}

/// The client's first step, and how long its answer took.
fn hellos(
    wire: &mut Lockstep,
    ours: DeviceId,
    name: &DeviceName,
) -> Result<(Client, Hello, Duration), GreetingError> {
    let binding = Binding {
        exporter: wire.channel.exporter,
        client: ours,
        server: wire.channel.peer,
    };
    let mut machine = Client::new(binding, &hello(name, Vec::new()));
    let said = Instant::now();
    wire.trace.step(Phase::Hello);
    wire.send(machine.poll_transmit())?;
    loop {
        let frame = wire.receive()?;
        if let Some(hello) = machine.handle_frame(frame)? {
            wire.trace.peer(&peer_name(&hello));
            return Ok((machine, hello, said.elapsed()));
        }
    }
}

/// The client's part: gives the server once both ends have proven what the plan allows.
pub fn greet_server(
    channel: &mut Channel,
    ours: DeviceId,
    name: &DeviceName,
    plan: &Plan,
) -> Result<Met, GreetingError> {
    let there = channel.peer;
    let mut wire = Lockstep::new(channel, plan.trace);
    let (mut machine, theirs, answered_within) = hellos(&mut wire, ours, name)?;
    let name = peer_name(&theirs);
    if plan.chosen.is_some_and(|chosen| chosen.id != there) {
        return Err(GreetingError::AnotherDevice(name));
    }
    if plan.talk.is_some() && !theirs.features.iter().any(|feature| feature == TALK) {
        return Err(GreetingError::Older(name));
    }
    let accepts = |method| accepts(&theirs, method);
    let random = &mut SystemRandom;
    let mut goes_on = false;
    let trust = if let Some((transfer, key)) = plan.session {
        machine.prove_session(transfer, key, random);
        Trust::Verified
    } else if let Some(key) = plan.pair {
        machine.prove_pair(key, random);
        Trust::Known
    } else if let Some(Talk { key: Some(key) }) = plan.talk {
        machine.prove_talk(key, random);
        goes_on = true;
        Trust::Verified
    } else if let Some(secret) = plan.secret
        && accepts(Method::Passphrase)
    {
        machine.prove(Method::Passphrase, &secret.passphrase_bytes(), random);
        Trust::Verified
    } else if let Some(secret) = plan.secret
        && accepts(Method::Code)
        && secret.is_code()
    {
        machine.prove(Method::Code, &secret.code_bytes(), random);
        Trust::Verified
    } else if plan.secret.is_none() && plan.ask && accepts(Method::Ask) {
        machine.ask(random);
        Trust::Asked
    } else if plan.secret.is_some() && accepts(Method::Code) {
        // No code looks like that: it would cost a try and get nowhere.
        return Err(Refusal::Secret.into());
    } else if accepts(Method::Passphrase) || accepts(Method::Code) {
        return Err(GreetingError::SecretNeeded);
    } else if accepts(Method::Ask) {
        // What was typed is of no use here, and nobody has said that symbols would do.
        return Err(Refusal::Secret.into());
    } else {
        return Err(GreetingError::KnownOnly);
    };
    wire.send(machine.poll_transmit())?;
    while !machine.verified() {
        let frame = wire.receive()?;
        machine
            .handle_frame(frame)
            .map_err(|refusal| match (refusal, trust) {
                (Refusal::Secret, Trust::Known) => GreetingError::NotPaired(name.clone()),
                (Refusal::Secret, _) if goes_on => GreetingError::NoTalk,
                // Its proof does not fit what was said.
                (Refusal::Secret, Trust::Asked) if machine.symbols().is_some() => {
                    Refusal::Violation(Violation::Malformed("a false proof")).into()
                }
                (Refusal::Secret, Trust::Asked) => GreetingError::NoSeat,
                (refusal, _) => refusal.into(),
            })?;
        if let Some(answer) = machine.poll_transmit() {
            (plan.answering)();
            wire.send(Some(answer))?;
        }
    }
    wire.finish()?;
    Ok(Met {
        name,
        trust,
        symbols: machine.symbols(),
        attaches: theirs.features.iter().any(|feature| feature == ATTACH),
        answered_within,
    })
}

/// The client's part for one more connection of a transfer that runs.
pub fn attach_to_server(
    channel: &mut Channel,
    ours: DeviceId,
    name: &DeviceName,
    (transfer, key): (TransferId, &SessionKey),
    trace: &Trace,
) -> Result<(), GreetingError> {
    let mut wire = Lockstep::new(channel, trace);
    let (mut machine, _theirs, _) = hellos(&mut wire, ours, name)?;
    machine.prove_attach(transfer, key, &mut SystemRandom);
    wire.send(machine.poll_transmit())?;
    while !machine.verified() {
        let frame = wire.receive()?;
        machine.handle_frame(frame)?;
        wire.send(machine.poll_transmit())?;
    }
    wire.finish()
}

/// What the server's part needs from the engine.
pub struct Doorkeeper<'a> {
    /// Where the client is.
    pub from: IpAddr,
    /// Told how far the client has come.
    pub cut: &'a Cut,
    pub ours: DeviceId,
    pub name: &'a DeviceName,
    pub gate: &'a std::sync::Mutex<Gate>,
    pub ledger: &'a Ledger,
    pub known: &'a KnownDevices,
    pub conversations: &'a Conversations,
    /// Called when the list of devices has changed.
    pub changed: &'a dyn Fn(),
    pub seats: &'a Arc<Seats>,
    pub attachable: &'a Arc<Attachable<Receiving>>,
    pub trace: &'a Trace,
    /// Nobody gets in but who was asked to connect.
    pub only_called: bool,
}

/// Who was let in, and for what.
pub struct Greeted {
    pub name: DeviceName,
    pub trust: Trust,
    /// Only for this transfer to go on.
    pub session: Option<Kept>,
    /// Only to carry bulk frames of that session's transfer.
    pub attached: Option<Place<Receiving>>,
    /// Who has proven nothing.
    pub asked: Option<Asked>,
    /// Only for a conversation, whose key was proven.
    pub by_talk: bool,
}

pub struct Asked {
    pub symbols: Symbols,
    /// Given back when it is verified or gone.
    pub seat: Seat,
}

/// By what a client wants in.
enum Entry {
    Unchosen,
    Secret(Ticket),
    /// A transfer goes on; without one it is a key that nobody has.
    Session(Option<Box<Kept>>),
    /// One more connection of a transfer that runs; without one it is a key that nobody has.
    Attach(Option<Place<Receiving>>),
    Pair,
    Ask(Seat),
    /// A conversation; `false`: it is a key that nobody has.
    Talk(bool),
}

impl Doorkeeper<'_> {
    /// The server's part: gives the client once it has proven itself, or asks, and was let in.
    pub fn greet_client(&self, channel: &mut Channel) -> Result<Greeted, GreetingError> {
        let binding = Binding {
            exporter: channel.exporter,
            client: channel.peer,
            server: self.ours,
        };
        let client = binding.client;
        let mut machine = Server::new(binding, &hello(self.name, self.accepts()));
        let mut wire = Lockstep::new(channel, self.trace);
        self.trace.step(Phase::Hello);
        let mut client_name = None;
        let mut entry = Entry::Unchosen;
        let mut stage = Stage::Stranger;
        while !machine.verified() {
            let frame = wire.receive()?;
            if stage == Stage::Challenged {
                self.cut.reached(Stage::Answered);
            }
            if client_name.is_none() {
                if let Some(nonce) = nonce_of(&frame) {
                    return Err(GreetingError::Called(nonce));
                }
                if self.only_called {
                    return Err(GreetingError::Ended);
                }
            }
            let event = match machine.handle_frame(frame) {
                Ok(event) => event,
                Err(refusal) => {
                    // It counts before it is answered: a client that is gone by then has tried, too.
                    let wrong = match (&refusal, &entry) {
                        (Refusal::Secret, Entry::Secret(ticket)) => {
                            Some(self.gate().failed(ticket, Instant::now(), new_code()))
                        }
                        _ => None,
                    };
                    let _gone_already = wire.send(machine.poll_transmit());
                    return Err(wrong.map_or(refusal.into(), GreetingError::Wrong));
                }
            };
            stage = match &event {
                None | Some(ServerEvent::Hello(_)) => Stage::Stranger,
                Some(
                    ServerEvent::Wants(_)
                    | ServerEvent::GoesOn(_)
                    | ServerEvent::Attaches(_)
                    | ServerEvent::IsPaired
                    | ServerEvent::Asks
                    | ServerEvent::Talks,
                ) => Stage::Challenged,
                Some(ServerEvent::Proven) => Stage::Proven,
            };
            // Nobody is let in, and no code is used up, for a client that was turned away.
            if !self.cut.reached(stage) {
                return Err(GreetingError::Ended);
            }
            let going_on = match event {
                None => Ok(()),
                Some(ServerEvent::Hello(hello)) => {
                    let name = peer_name(&hello);
                    self.trace.peer(&name);
                    self.trace.step(Phase::Choice);
                    client_name = Some(name);
                    Ok(())
                }
                Some(ServerEvent::Proven) => match self.admits(&entry) {
                    true => {
                        machine.admit();
                        Ok(())
                    }
                    false => Err(Refusal::Secret.into()),
                },
                Some(wish) => self.challenge(&mut machine, wish, client, &mut entry),
            };
            if let Err(error) = going_on {
                if !matches!(error, GreetingError::Unread) {
                    machine.refuse();
                    wire.send(machine.poll_transmit())?;
                }
                return Err(error);
            }
            wire.send(machine.poll_transmit())?;
        }
        wire.finish()?;
        let remembers = self.known.get(client);
        let paired = remembers.is_some_and(|known| known.bond == Bond::Paired);
        let trust = match &entry {
            Entry::Ask(_) => Trust::Asked,
            Entry::Pair => Trust::Known,
            Entry::Session(_) | Entry::Attach(_) | Entry::Talk(_) if paired => Trust::Known,
            Entry::Session(_) | Entry::Attach(_) | Entry::Talk(_) => Trust::Verified,
            Entry::Secret(_) | Entry::Unchosen => Trust::Verified,
        };
        let by_talk = matches!(entry, Entry::Talk(_));
        let (mut session, mut attached, mut asked) = (None, None, None);
        match entry {
            Entry::Session(kept) => session = kept.map(|kept| *kept),
            Entry::Attach(place) => attached = place,
            Entry::Ask(seat) => {
                asked = machine.symbols().map(|symbols| Asked { symbols, seat });
            }
            Entry::Pair | Entry::Secret(_) | Entry::Talk(_) | Entry::Unchosen => {}
        }
        Ok(Greeted {
            name: client_name.unwrap_or_else(|| DeviceName::cleaned("", "Unnamed device")),
            trust,
            session,
            attached,
            asked,
            by_talk,
        })
    }

    /// What the server's hello says.
    fn accepts(&self) -> Vec<String> {
        let gate = self.gate();
        let asks = gate.asks().then_some(Method::Ask);
        let ways = [gate.method(), asks, Some(Method::Pair)];
        let ways = ways.into_iter().flatten();
        ways.map(|way| way.as_str().to_owned()).collect()
    }

    /// Answers the client's choice of a way in.
    fn challenge(
        &self,
        machine: &mut Server,
        wish: ServerEvent,
        client: DeviceId,
        entry: &mut Entry,
    ) -> Result<(), GreetingError> {
        let random = &mut SystemRandom;
        if self.known.look_again() {
            (self.changed)();
        }
        if self.known.is_blocked(client) {
            return Err(GreetingError::Blocked);
        }
        match wish {
            ServerEvent::Wants(method) => {
                let ticket = self.gate().ticket(method, self.from, Instant::now());
                let ticket = ticket.ok_or(GreetingError::Resting)?;
                machine.challenge(&ticket.secret, random)?;
                *entry = Entry::Secret(ticket);
            }
            ServerEvent::GoesOn(transfer) => {
                // Only its own sender can prove it. A stranger to it fails like one with a wrong
                // key, against a key that nobody has.
                let kept = self.kept_of(transfer, client);
                let key = kept.as_ref().map(|kept| kept.key.clone());
                let key = key.unwrap_or_else(|| SessionKey(nobodys_key()));
                machine.challenge_session(&key, random)?;
                *entry = Entry::Session(kept.map(Box::new));
            }
            ServerEvent::Attaches(transfer) => {
                let kept = self.kept_of(transfer, client);
                let place = kept.as_ref().and_then(|_| {
                    self.attachable
                        .take(transfer, client, Receiving::takes_connections)
                });
                let key = kept.filter(|_| place.is_some()).map(|kept| kept.key);
                let key = key.unwrap_or_else(|| SessionKey(nobodys_key()));
                machine.challenge_attach(&key, random)?;
                *entry = Entry::Attach(place);
            }
            ServerEvent::IsPaired if self.known.is_unread() => {
                // Refused, the client would take itself for forgotten and forget us.
                return Err(GreetingError::Unread);
            }
            ServerEvent::IsPaired => {
                let key = self.known.pair_key(client);
                let key = key.unwrap_or_else(|| PairKey(nobodys_key()));
                machine.challenge_pair(&key, random)?;
                *entry = Entry::Pair;
            }
            ServerEvent::Talks => {
                let key = self.conversations.key(client);
                *entry = Entry::Talk(key.is_some());
                let key = key.unwrap_or_else(|| ConversationKey(nobodys_key()));
                machine.challenge_talk(&key, random)?;
            }
            ServerEvent::Asks => {
                let seat = self.seats.take(self.from);
                let seat = seat.ok_or(GreetingError::NoSeat)?;
                if !self.gate().ask(self.from, Instant::now()) {
                    return Err(GreetingError::NoSeat);
                }
                machine.challenge_ask(random)?;
                *entry = Entry::Ask(seat);
            }
            ServerEvent::Hello(_) | ServerEvent::Proven => {}
        }
        Ok(())
    }

    /// What this client may go on with or attach to.
    fn kept_of(&self, transfer: TransferId, client: DeviceId) -> Option<Kept> {
        let kept = self.ledger.get(transfer);
        kept.filter(|kept| kept.direction == Direction::Receive && kept.peer == client)
    }

    /// Whether who has proven it is in time.
    fn admits(&self, entry: &Entry) -> bool {
        match entry {
            Entry::Secret(ticket) => self.gate().succeeded(ticket, Instant::now(), new_code()),
            Entry::Session(kept) => kept.is_some(),
            Entry::Attach(place) => place.is_some(),
            Entry::Talk(known) => *known,
            Entry::Pair | Entry::Ask(_) => true,
            Entry::Unchosen => false,
        }
    }

    fn gate(&self) -> std::sync::MutexGuard<'_, Gate> {
        super::lock(self.gate)
    }
}
