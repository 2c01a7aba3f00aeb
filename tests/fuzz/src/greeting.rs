//! The greeting of one end, while the other one is honest, tampered with, or anything at all.
//!
//! An honest partner stands beside the end that is looked at. Its frames are delivered, left out,
//! repeated, bent or mixed with others, as the input says. The end that is looked at may be verified
//! only if the partner knows the secret and every frame that counts came as it was said.

use std::collections::VecDeque;

use rand_core::{CryptoRng, RngCore};
use ropeway::model::{DeviceId, TransferId};
use ropeway::protocol::frame::{RawFrame, encode, kind};
use ropeway::protocol::message::{FEATURES, Hello, Method, VERSION};
use ropeway::protocol::verification::{
    Binding, Client, ConversationKey, PairKey, Refusal, Server, ServerEvent, SessionKey,
};
use ropeway::protocol::{Buffers, Decoder, Limit};

use super::input::Input;

const RIGHT: &[u8] = b"427913";
const WRONG: &[u8] = b"427914";
const TRANSFER: TransferId = TransferId([0xab; 16]);

/// Repeatable, and nothing more is asked of it here.
struct Counter(u64);

impl RngCore for Counter {
    fn next_u32(&mut self) -> u32 {
        self.next_u64() as u32
    }
    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        self.0 ^ (self.0 >> 33)
    }
    fn fill_bytes(&mut self, to: &mut [u8]) {
        for byte in to {
            *byte = self.next_u64() as u8;
        }
    }
    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(to);
        Ok(())
    }
}

impl CryptoRng for Counter {}

fn binding() -> Binding {
    Binding {
        exporter: [7; 32],
        client: DeviceId([1; 32]),
        server: DeviceId([2; 32]),
    }
}

fn hello(accepts: &[&str]) -> Hello {
    Hello {
        versions: vec![VERSION],
        features: FEATURES.map(str::to_owned).to_vec(),
        name: "Study PC".into(),
        system: "linux".into(),
        accepts: accepts.iter().map(|way| (*way).to_owned()).collect(),
    }
}

fn session_key(byte: u8) -> SessionKey {
    SessionKey::derive(&[byte; 32], DeviceId([1; 32]), DeviceId([2; 32]), TRANSFER)
}

fn pair_key(byte: u8) -> PairKey {
    PairKey::derive(&[byte; 32], DeviceId([1; 32]), DeviceId([2; 32]))
}

fn talk_key(byte: u8) -> ConversationKey {
    ConversationKey::derive(&[byte; 32], DeviceId([1; 32]), DeviceId([2; 32]))
}

/// What both ends do when they have a choice. The lowest bits of the first byte of the input.
#[derive(Clone, Copy)]
struct Choices {
    client_is_right: bool,
    session: bool,
    /// The same key, for one more connection.
    attach: bool,
    /// In place of a code: the pair key, or nothing at all.
    pair: bool,
    ask: bool,
    /// A conversation is opened anew.
    talk: bool,
    /// The gate gives no more guesses, or the transfer is over.
    rests: bool,
    /// The code died while the client proved it.
    died: bool,
}

impl Choices {
    fn of(byte: u8) -> Self {
        Self {
            client_is_right: byte & 1 == 0,
            session: byte & 2 != 0,
            attach: byte & 64 != 0,
            pair: byte & 16 != 0,
            ask: byte & 32 != 0,
            talk: byte & 128 != 0,
            rests: byte & 4 != 0,
            died: byte & 8 != 0,
        }
    }

    fn method(self) -> Method {
        if self.talk {
            Method::Talk
        } else if self.attach {
            Method::Attach
        } else if self.session {
            Method::Session
        } else if self.pair {
            Method::Pair
        } else if self.ask {
            Method::Ask
        } else {
            Method::Code
        }
    }
}

/// One end as the engine drives it.
trait End {
    fn transmit(&mut self) -> Option<Vec<u8>>;
    fn handle(&mut self, raw: RawFrame) -> Result<(), Refusal>;
    fn verified(&self) -> bool;
}

struct ServerEnd {
    machine: Server,
    choices: Choices,
    random: Counter,
}

impl ServerEnd {
    fn new(choices: Choices) -> Self {
        Self {
            machine: Server::new(binding(), &hello(&["code"])),
            choices,
            random: Counter(2),
        }
    }
}

impl End for ServerEnd {
    fn transmit(&mut self) -> Option<Vec<u8>> {
        self.machine.poll_transmit()
    }

    fn handle(&mut self, raw: RawFrame) -> Result<(), Refusal> {
        match self.machine.handle_frame(raw)? {
            None | Some(ServerEvent::Hello(_)) => Ok(()),
            Some(ServerEvent::Wants(_)) if self.choices.rests => {
                self.machine.refuse();
                Err(Refusal::Secret)
            }
            Some(ServerEvent::Wants(_)) => self.machine.challenge(RIGHT, &mut self.random),
            Some(ServerEvent::GoesOn(transfer)) => {
                let known = !self.choices.rests && transfer == TRANSFER;
                let key = session_key(if known { 3 } else { 99 });
                self.machine.challenge_session(&key, &mut self.random)
            }
            Some(ServerEvent::Attaches(transfer)) => {
                let known = !self.choices.rests && transfer == TRANSFER;
                let key = session_key(if known { 3 } else { 99 });
                self.machine.challenge_attach(&key, &mut self.random)
            }
            Some(ServerEvent::IsPaired) => {
                let key = pair_key(if self.choices.rests { 99 } else { 3 });
                self.machine.challenge_pair(&key, &mut self.random)
            }
            Some(ServerEvent::Talks) => {
                let key = talk_key(if self.choices.rests { 99 } else { 3 });
                self.machine.challenge_talk(&key, &mut self.random)
            }
            Some(ServerEvent::Asks) if self.choices.rests => {
                self.machine.refuse();
                Err(Refusal::Secret)
            }
            Some(ServerEvent::Asks) => self.machine.challenge_ask(&mut self.random),
            Some(ServerEvent::Proven) if self.choices.died => {
                self.machine.refuse();
                Err(Refusal::Secret)
            }
            Some(ServerEvent::Proven) => {
                self.machine.admit();
                Ok(())
            }
        }
    }

    fn verified(&self) -> bool {
        self.machine.verified()
    }
}

struct ClientEnd {
    machine: Client,
    choices: Choices,
    random: Counter,
}

impl ClientEnd {
    fn new(choices: Choices) -> Self {
        Self {
            machine: Client::new(binding(), &hello(&[])),
            choices,
            random: Counter(1),
        }
    }
}

impl End for ClientEnd {
    fn transmit(&mut self) -> Option<Vec<u8>> {
        self.machine.poll_transmit()
    }

    fn handle(&mut self, raw: RawFrame) -> Result<(), Refusal> {
        let right = self.choices.client_is_right;
        let Some(theirs) = self.machine.handle_frame(raw)? else {
            return Ok(());
        };
        let method = self.choices.method();
        match method {
            Method::Session => {
                let key = session_key(if right { 3 } else { 4 });
                self.machine.prove_session(TRANSFER, &key, &mut self.random);
            }
            Method::Attach => {
                let key = session_key(if right { 3 } else { 4 });
                self.machine.prove_attach(TRANSFER, &key, &mut self.random);
            }
            Method::Pair => {
                let key = pair_key(if right { 3 } else { 4 });
                self.machine.prove_pair(&key, &mut self.random);
            }
            Method::Talk => {
                let key = talk_key(if right { 3 } else { 4 });
                self.machine.prove_talk(&key, &mut self.random);
            }
            // Who asks has nothing to be wrong about.
            Method::Ask => self.machine.ask(&mut self.random),
            _ if theirs.accepts.iter().any(|way| way == method.as_str()) => {
                let secret = if right { RIGHT } else { WRONG };
                self.machine.prove(method, secret, &mut self.random);
            }
            _ => return Err(Refusal::Secret),
        }
        Ok(())
    }

    fn verified(&self) -> bool {
        self.machine.verified()
    }
}

pub fn server(data: &[u8]) {
    let mut input = Input::new(data);
    let choices = Choices::of(input.byte());
    let mut meeting = Meeting::new(ServerEnd::new(choices), ClientEnd::new(choices));
    meeting.run(&mut input);
    let said = meeting.said_kinds();
    let whole = [kind::HELLO, kind::CHALLENGE, kind::PROOF];
    match said.split_last() {
        Some((&kind::REFUSED, before)) => assert!(whole[..2].starts_with(before), "{said:?}"),
        _ => assert!(whole.starts_with(&said), "{said:?}"),
    }
    if meeting.looked_at.verified() && choices.method() == Method::Ask {
        // Whoever keeps to the commitment is let in; the symbols are for people.
        assert!(!choices.rests && !choices.died && meeting.looked_at.machine.symbols().is_some());
    } else if meeting.looked_at.verified() {
        assert!(choices.client_is_right && !choices.rests && !choices.died);
        meeting.assert_untouched(&[kind::HELLO, kind::VERIFY, kind::ANSWER]);
    } else {
        assert!(!said.contains(&kind::PROOF), "a proof to a stranger");
    }
}

pub fn client(data: &[u8]) {
    let mut input = Input::new(data);
    let choices = Choices::of(input.byte());
    let mut meeting = Meeting::new(ClientEnd::new(choices), ServerEnd::new(choices));
    meeting.run(&mut input);
    let said = meeting.said_kinds();
    let whole = [kind::HELLO, kind::VERIFY, kind::ANSWER];
    assert!(whole.starts_with(&said), "{said:?}");
    if meeting.looked_at.verified() {
        let right = choices.client_is_right || choices.method() == Method::Ask;
        assert!(right && !choices.rests && !choices.died);
        meeting.assert_untouched(&[kind::HELLO, kind::CHALLENGE, kind::PROOF]);
    }
}

struct Meeting<L, P> {
    looked_at: L,
    partner: P,
    partner_is_there: bool,
    /// What the partner has said and nobody has delivered.
    waiting: VecDeque<Vec<u8>>,
    /// All that the partner has said, and all that came, but for frames that may be skipped.
    meant: Vec<RawFrame>,
    came: Vec<RawFrame>,
    /// What the end that is looked at has said.
    said: Vec<Vec<u8>>,
    decoder: Decoder,
}

impl<L: End, P: End> Meeting<L, P> {
    fn new(looked_at: L, partner: P) -> Self {
        Self {
            looked_at,
            partner,
            partner_is_there: true,
            waiting: VecDeque::new(),
            meant: Vec::new(),
            came: Vec::new(),
            said: Vec::new(),
            decoder: Decoder::new(Buffers::new(1)),
        }
    }

    fn run(&mut self, input: &mut Input) {
        self.exchange();
        while !input.is_empty() {
            let bytes = match input.byte() % 8 {
                // As it was said, two of three times.
                0..=3 => self.waiting.pop_front().unwrap_or_default(),
                4 => {
                    let mut bent = self.waiting.pop_front().unwrap_or_default();
                    let at = input.below(bent.len());
                    let by = input.byte();
                    if let Some(byte) = bent.get_mut(at) {
                        *byte ^= by;
                    }
                    bent
                }
                5 => self.said.get(input.below(4)).cloned().unwrap_or_default(),
                6 => encode(input.byte(), input.piece()),
                _ => input.piece().to_vec(),
            };
            if self.feed(&bytes).is_err() {
                // The engine still sends what is to be said, and hangs up.
                self.exchange();
                assert!(!self.looked_at.verified());
                return;
            }
            if self.looked_at.verified() {
                return;
            }
        }
    }

    fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Refusal> {
        while !self.looked_at.verified() {
            let raw = self.decoder.feed(&mut bytes, Limit::Greeting);
            let Some(raw) = raw.map_err(|_error| Refusal::Secret)? else {
                return Ok(());
            };
            assert!(raw.body.len() < 4096);
            if raw.kind & kind::OPTIONAL == 0 {
                self.came.push(raw.clone());
            }
            self.looked_at.handle(raw)?;
            self.exchange();
        }
        Ok(())
    }

    /// What the one says the other hears; its answers wait.
    fn exchange(&mut self) {
        loop {
            if let Some(frame) = self.partner.transmit() {
                self.meant.push(cut(&frame));
                self.waiting.push_back(frame);
                continue;
            }
            let Some(frame) = self.looked_at.transmit() else {
                return;
            };
            if self.partner_is_there {
                self.partner_is_there = self.partner.handle(cut(&frame)).is_ok();
            }
            self.said.push(frame);
        }
    }

    fn said_kinds(&self) -> Vec<u8> {
        self.said.iter().map(|frame| frame[4]).collect()
    }

    fn assert_untouched(&self, kinds: &[u8]) {
        let came: Vec<_> = self.came.iter().map(|raw| raw.kind).collect();
        assert_eq!(came, kinds);
        assert_eq!(self.came, self.meant, "verified by what nobody said");
    }
}

fn cut(frame: &[u8]) -> RawFrame {
    let mut bytes = frame;
    let raw = Decoder::new(Buffers::new(1)).feed(&mut bytes, Limit::Greeting);
    raw.expect("an honest frame").expect("a whole frame")
}
