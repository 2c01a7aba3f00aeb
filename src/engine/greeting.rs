//! The first seconds of a connection, in lockstep on one thread: hellos, then verification.
//!
//! Nothing here waits for a person. Everything is over by the deadline that the channel carries.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Instant;

use rand_core::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use super::cut::{Cut, Stage};
use super::gate::{Gate, Wrong};
use super::ledger::{Kept, Ledger};
use crate::channel::{Channel, ChannelError, Received};
use crate::model::{Code, DeviceId, DeviceName, Direction, Secret, TransferId};
use crate::protocol::message::{FEATURES, Hello, Method, VERSION};
use crate::protocol::verification::{Binding, Client, Refusal, Server, ServerEvent, SessionKey};
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
    #[error("the connection ended in the middle of the greeting")]
    Ended,
    #[error("no more guesses are allowed now")]
    Resting,
    #[error("wrong secret")]
    Wrong(Wrong),
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
}

impl<'a> Lockstep<'a> {
    fn new(channel: &'a mut Channel) -> Self {
        Self {
            channel,
            decoder: Decoder::new(Buffers::new(1)),
            plaintext: VecDeque::new(),
        }
    }

    fn send(&mut self, frame: Option<Vec<u8>>) -> Result<(), GreetingError> {
        if let Some(frame) = frame {
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
                return Ok(frame);
            }
            let mut came = Vec::new();
            match self.channel.reader.read(&mut came)? {
                Received::Bytes(_) => self.plaintext.extend(came),
                Received::Idle => {}
                Received::Closed => return Err(GreetingError::Ended),
            }
        }
    }

    /// Bytes of a session frame that came along early would be lost with this greeting.
    fn finish(self) -> Result<(), GreetingError> {
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

fn hello(name: &DeviceName, accepts: Vec<String>) -> Hello {
    Hello {
        versions: vec![VERSION],
        features: FEATURES.map(str::to_owned).to_vec(),
        name: name.as_str().to_owned(),
        system: std::env::consts::OS.to_owned(),
        accepts,
    }
}

fn nobodys_key() -> SessionKey {
    let mut key = Zeroizing::new([0; 32]);
    SystemRandom.fill_bytes(key.as_mut_slice());
    SessionKey(key)
}

fn peer_name(hello: &Hello) -> DeviceName {
    DeviceName::cleaned(&hello.name, "Unnamed device")
}

/// What the client proves.
pub enum Proving<'a> {
    /// What the person typed, if anything.
    Secret(Option<&'a Secret>),
    /// That a transfer goes on.
    Session(TransferId, &'a SessionKey),
}

/// The client's part: gives the server's name once both ends have proven themselves.
pub fn greet_server(
    channel: &mut Channel,
    ours: DeviceId,
    name: &DeviceName,
    proving: &Proving,
) -> Result<DeviceName, GreetingError> {
    let binding = Binding {
        exporter: channel.exporter,
        client: ours,
        server: channel.peer,
    };
    let mut machine = Client::new(binding, &hello(name, Vec::new()));
    let mut wire = Lockstep::new(channel);
    wire.send(machine.poll_transmit())?;
    let theirs = loop {
        let frame = wire.receive()?;
        if let Some(hello) = machine.handle_frame(frame)? {
            break hello;
        }
    };
    let accepts = |method: Method| theirs.accepts.iter().any(|way| way == method.as_str());
    match proving {
        Proving::Session(transfer, key) => {
            machine.prove_session(*transfer, key, &mut SystemRandom);
        }
        Proving::Secret(None) => return Err(GreetingError::SecretNeeded),
        Proving::Secret(Some(secret)) if accepts(Method::Passphrase) => {
            let bytes = secret.passphrase_bytes();
            machine.prove(Method::Passphrase, &bytes, &mut SystemRandom);
        }
        Proving::Secret(Some(secret)) if accepts(Method::Code) => {
            machine.prove(Method::Code, &secret.code_bytes(), &mut SystemRandom);
        }
        Proving::Secret(Some(_)) => return Err(Refusal::Secret.into()),
    }
    wire.send(machine.poll_transmit())?;
    while !machine.verified() {
        let frame = wire.receive()?;
        machine.handle_frame(frame)?;
        wire.send(machine.poll_transmit())?;
    }
    wire.finish()?;
    Ok(peer_name(&theirs))
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
}

/// Who was let in, and for what.
pub struct Greeted {
    pub name: DeviceName,
    /// Only for this transfer to go on.
    pub session: Option<Kept>,
}

impl Doorkeeper<'_> {
    /// The server's part: gives the client's name once the client has proven itself and was let in.
    pub fn greet_client(&self, channel: &mut Channel) -> Result<Greeted, GreetingError> {
        let binding = Binding {
            exporter: channel.exporter,
            client: channel.peer,
            server: self.ours,
        };
        let accepts = self.gate().method().map(|way| way.as_str().to_owned());
        let mut machine = Server::new(
            binding.clone(),
            &hello(self.name, accepts.into_iter().collect()),
        );
        let mut wire = Lockstep::new(channel);
        let mut client_name = None;
        let mut ticket = None;
        let mut session = None;
        while !machine.verified() {
            let frame = wire.receive()?;
            let event = match machine.handle_frame(frame) {
                Ok(event) => event,
                Err(refusal) => {
                    // It counts before it is answered: a client that is gone by then has tried, too.
                    let wrong = match (&refusal, &ticket) {
                        (Refusal::Secret, Some(ticket)) => {
                            Some(self.gate().failed(ticket, Instant::now(), new_code()))
                        }
                        _ => None,
                    };
                    let _gone_already = wire.send(machine.poll_transmit());
                    return Err(wrong.map_or(refusal.into(), GreetingError::Wrong));
                }
            };
            let stage = match &event {
                None | Some(ServerEvent::Hello(_)) => Stage::Stranger,
                Some(ServerEvent::Wants(_) | ServerEvent::GoesOn(_)) => Stage::Challenged,
                Some(ServerEvent::Proven) => Stage::Proven,
            };
            // Nobody is let in, and no code is used up, for a client that was turned away.
            if !self.cut.reached(stage) {
                return Err(GreetingError::Ended);
            }
            match event {
                None => {}
                Some(ServerEvent::Hello(hello)) => client_name = Some(peer_name(&hello)),
                Some(ServerEvent::Wants(method)) => {
                    ticket = self.gate().ticket(method, self.from, Instant::now());
                    match &ticket {
                        Some(ticket) => machine.challenge(&ticket.secret, &mut SystemRandom)?,
                        None => {
                            machine.refuse();
                            wire.send(machine.poll_transmit())?;
                            return Err(GreetingError::Resting);
                        }
                    }
                }
                Some(ServerEvent::GoesOn(transfer)) => {
                    // Only its own sender can prove it. A stranger to it fails like one with a wrong
                    // key, against a key that nobody has.
                    let known = self.ledger.get(transfer).filter(|kept| {
                        kept.direction == Direction::Receive && kept.peer == binding.client
                    });
                    let key = known
                        .as_ref()
                        .map_or_else(nobodys_key, |kept| kept.key.clone());
                    machine.challenge_session(&key, &mut SystemRandom)?;
                    session = known;
                }
                Some(ServerEvent::Proven) if session.is_some() => machine.admit(),
                Some(ServerEvent::Proven) => {
                    let now = Instant::now();
                    let admitted = ticket
                        .as_ref()
                        .is_some_and(|ticket| self.gate().succeeded(ticket, now, new_code()));
                    if !admitted {
                        machine.refuse();
                        wire.send(machine.poll_transmit())?;
                        return Err(Refusal::Secret.into());
                    }
                    machine.admit();
                }
            }
            wire.send(machine.poll_transmit())?;
        }
        wire.finish()?;
        let name = client_name.unwrap_or_else(|| DeviceName::cleaned("", "Unnamed device"));
        Ok(Greeted { name, session })
    }

    fn gate(&self) -> std::sync::MutexGuard<'_, Gate> {
        super::lock(self.gate)
    }
}
