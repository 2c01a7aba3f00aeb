//! Verification: both ends prove, inside the channel, that they know the same secret.
//!
//! Four steps after the hellos. SPAKE2 turns what a person typed into a strong key, so that neither
//! a recording nor a fake peer can try guesses offline. HKDF-SHA-256 binds that key to this very
//! TLS connection (its exporter value) and to both device ids. Then the HMAC challenge–response:
//! the server challenges, **the client proves itself first**, then the server. A machine in the
//! middle has two TLS connections, so two exporter values, so both proofs fail.
//!
//! Where nothing is typed (*ask*), people compare four symbols instead. They are made of a nonce of
//! each end: the client commits to its own before it sees the server's, so that somebody in the
//! middle cannot look for two that give the same symbols on both sides.
//!
//! No I/O, no clock; randomness is handed in. Whether a guess is allowed, and what the secret is,
//! the engine decides between two frames.

use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use rand_core::{CryptoRng, RngCore};
use sha2::{Digest as _, Sha256};
use spake2::{Ed25519Group, Identity, Password, Spake2};
use zeroize::Zeroizing;

use super::frame::RawFrame;
use super::message::{Challenge, Frame, Hello, Hex, Method, Proof, VERSION, Verify, Violation};
use crate::model::{DeviceId, Symbols, TransferId};

/// HKDF `info` of the key that the client proves; both device ids follow, client first.
const CLIENT_KEY_LABEL: &[u8] = b"ropeway/1 client key";
const SERVER_KEY_LABEL: &[u8] = b"ropeway/1 server key";
/// HKDF `info` of a session key; both device ids, client first, and the transfer's id follow.
const SESSION_KEY_LABEL: &[u8] = b"ropeway/1 session key";
/// HKDF `info` of a pair key; both device ids, client first, follow.
const PAIR_KEY_LABEL: &[u8] = b"ropeway/1 pair key";
/// HKDF `info` of a conversation key; both device ids, client first, follow.
const CONVERSATION_KEY_LABEL: &[u8] = b"ropeway/1 conversation key";
/// First bytes of what is authenticated; both challenges and the transcript hash follow.
const CLIENT_PROOF_LABEL: &[u8] = b"ropeway/1 client proof";
const SERVER_PROOF_LABEL: &[u8] = b"ropeway/1 server proof";
/// First bytes of what the client commits to; its nonce follows.
const COMMITMENT_LABEL: &[u8] = b"ropeway/1 symbols commitment";
/// HKDF `info` of the symbols; both device ids follow, client first.
const SYMBOLS_LABEL: &[u8] = b"ropeway/1 symbols";

/// What ties a proof to one connection of two devices.
#[derive(Clone, PartialEq, Eq)]
pub struct Binding {
    /// TLS exporter value (RFC 8446 §7.5), label `EXPORTER-ropeway-verification`, no context.
    pub exporter: [u8; 32],
    pub client: DeviceId,
    pub server: DeviceId,
}

/// Why verification ended without success.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// The other end could not prove the secret, or we could not: they look the same.
    #[error("the secrets differ")]
    Secret,
    #[error("no common version of the protocol")]
    Version,
    #[error("{0}")]
    Violation(#[from] Violation),
}

/// The client's side. Feed frames in, send what comes out, until [`Client::verified`].
pub struct Client {
    binding: Binding,
    transcript: Sha256,
    out: Option<Vec<u8>>,
    state: ClientState,
    symbols: Option<Symbols>,
}

enum ClientState {
    AwaitHello,
    /// The server's hello is here; the engine looks for the secret.
    Choosing,
    AwaitChallenge {
        exchange: Exchange,
        challenge: [u8; 32],
    },
    AwaitProof {
        keys: Keys,
        signed: Signed,
    },
    Verified,
    Ended,
}

/// How the key comes about that the proofs are made with.
enum Exchange {
    /// From what a person typed.
    Pake(Spake2<Ed25519Group>),
    /// Strong already.
    Key(Zeroizing<[u8; 32]>),
    /// Nothing is known; the nonce that was committed to.
    Ask([u8; 32]),
}

impl Client {
    /// `hello` is the first thing to send.
    pub fn new(binding: Binding, hello: &Hello) -> Self {
        let hello = Frame::Hello(hello.clone()).encode();
        let mut transcript = Sha256::new();
        transcript.update(&hello);
        Self {
            binding,
            transcript,
            out: Some(hello),
            state: ClientState::AwaitHello,
            symbols: None,
        }
    }

    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.out.take()
    }

    /// Gives the server's hello when it is the one that came.
    pub fn handle_frame(&mut self, raw: RawFrame) -> Result<Option<Hello>, Refusal> {
        let bytes = super::frame::encode(raw.kind, &raw.body);
        let Some(frame) = Frame::parse(raw)?.filter(|frame| *frame != Frame::Asking) else {
            return Ok(None);
        };
        let kind = frame.kind();
        match (
            std::mem::replace(&mut self.state, ClientState::Ended),
            frame,
        ) {
            (ClientState::AwaitHello, Frame::Hello(hello)) => {
                check_version(&hello)?;
                self.transcript.update(&bytes);
                self.state = ClientState::Choosing;
                Ok(Some(hello))
            }
            (
                ClientState::AwaitChallenge {
                    exchange,
                    challenge,
                },
                Frame::Challenge(theirs),
            ) => {
                self.transcript.update(&bytes);
                let keys = match (exchange, theirs.pake) {
                    (Exchange::Pake(pake), Some(message)) => {
                        Keys::derive(&finish(pake, &message.0)?, &self.binding)
                    }
                    (Exchange::Key(key), None) => Keys::derive(key.as_slice(), &self.binding),
                    (Exchange::Ask(nonce), None) => {
                        let nonces = both(&nonce, &theirs.challenge.0);
                        let keys = Keys::derive(&nonces, &self.binding);
                        self.symbols = Some(keys.symbols(&self.binding));
                        let signed = Signed {
                            client_challenge: challenge,
                            server_challenge: theirs.challenge.0,
                            transcript: self.transcript.clone().finalize().into(),
                        };
                        self.out = Some(Frame::Answer(Proof { proof: Hex(nonce) }).encode());
                        self.state = ClientState::AwaitProof { keys, signed };
                        return Ok(None);
                    }
                    (Exchange::Pake(_) | Exchange::Key(_) | Exchange::Ask(_), _) => {
                        return Err(NOT_THE_METHOD.into());
                    }
                };
                let signed = Signed {
                    client_challenge: challenge,
                    server_challenge: theirs.challenge.0,
                    transcript: self.transcript.clone().finalize().into(),
                };
                let proof = keys.client_proof(&signed).finalize().into_bytes().into();
                self.out = Some(Frame::Answer(Proof { proof: Hex(proof) }).encode());
                self.state = ClientState::AwaitProof { keys, signed };
                Ok(None)
            }
            (ClientState::AwaitProof { keys, signed }, Frame::Proof(theirs)) => {
                keys.server_proof(&signed)
                    .verify_slice(&theirs.proof.0)
                    .map_err(|_different| Refusal::Secret)?;
                self.state = ClientState::Verified;
                Ok(None)
            }
            (
                ClientState::AwaitChallenge { .. } | ClientState::AwaitProof { .. },
                Frame::Refused,
            ) => Err(Refusal::Secret),
            (_any, _frame) => Err(Violation::Unexpected(kind).into()),
        }
    }

    /// After the server's hello: start proving `secret` by one of the ways it accepts.
    pub fn prove(
        &mut self,
        method: Method,
        secret: &[u8],
        random: &mut (impl CryptoRng + RngCore),
    ) {
        let (pake, message) = Spake2::<Ed25519Group>::start_a_with_rng(
            &Password::new(secret),
            &identity(self.binding.client),
            &identity(self.binding.server),
            &mut *random,
        );
        let verify = Verify {
            method,
            pake: Some(Hex(pake_message(&message))),
            transfer: None,
            challenge: Hex(random_challenge(random)),
        };
        self.await_challenge(verify, Exchange::Pake(pake));
    }

    /// The same with the session key of a transfer that goes on.
    pub fn prove_session(
        &mut self,
        transfer: TransferId,
        key: &SessionKey,
        random: &mut (impl CryptoRng + RngCore),
    ) {
        self.prove_key_of(Method::Session, transfer, key, random);
    }

    /// The same for one more connection of a transfer that runs. The method is part of the transcript,
    /// so that neither proof serves for the other.
    pub fn prove_attach(
        &mut self,
        transfer: TransferId,
        key: &SessionKey,
        random: &mut (impl CryptoRng + RngCore),
    ) {
        self.prove_key_of(Method::Attach, transfer, key, random);
    }

    fn prove_key_of(
        &mut self,
        method: Method,
        transfer: TransferId,
        key: &SessionKey,
        random: &mut (impl CryptoRng + RngCore),
    ) {
        let verify = Verify {
            method,
            pake: None,
            transfer: Some(Hex(transfer.0)),
            challenge: Hex(random_challenge(random)),
        };
        self.await_challenge(verify, Exchange::Key(key.0.clone()));
    }

    /// The same with the key of two devices that remember each other.
    pub fn prove_pair(&mut self, key: &PairKey, random: &mut (impl CryptoRng + RngCore)) {
        let verify = Verify {
            method: Method::Pair,
            pake: None,
            transfer: None,
            challenge: Hex(random_challenge(random)),
        };
        self.await_challenge(verify, Exchange::Key(key.0.clone()));
    }

    /// The same with the key of a conversation that was opened before.
    pub fn prove_talk(&mut self, key: &ConversationKey, random: &mut (impl CryptoRng + RngCore)) {
        let verify = Verify {
            method: Method::Talk,
            pake: None,
            transfer: None,
            challenge: Hex(random_challenge(random)),
        };
        self.await_challenge(verify, Exchange::Key(key.0.clone()));
    }

    /// Proves nothing; [`Self::symbols`] are there when the server has answered.
    pub fn ask(&mut self, random: &mut (impl CryptoRng + RngCore)) {
        let nonce = random_challenge(random);
        let verify = Verify {
            method: Method::Ask,
            pake: None,
            transfer: None,
            challenge: Hex(commitment(&nonce)),
        };
        self.await_challenge(verify, Exchange::Ask(nonce));
    }

    /// What both people compare, after [`Self::ask`].
    pub fn symbols(&self) -> Option<Symbols> {
        self.symbols
    }

    fn await_challenge(&mut self, verify: Verify, exchange: Exchange) {
        let challenge = verify.challenge.0;
        let verify = Frame::Verify(verify).encode();
        self.transcript.update(&verify);
        self.out = Some(verify);
        self.state = ClientState::AwaitChallenge {
            exchange,
            challenge,
        };
    }

    pub fn verified(&self) -> bool {
        matches!(self.state, ClientState::Verified)
    }
}

/// The server's side. It decides nothing alone: [`ServerEvent`]s ask the engine.
pub struct Server {
    binding: Binding,
    hello: Vec<u8>,
    transcript: Sha256,
    out: Option<Vec<u8>>,
    state: ServerState,
    symbols: Option<Symbols>,
}

enum ServerState {
    AwaitHello,
    AwaitVerify,
    /// The engine looks up the secret and whether a guess is allowed.
    Choosing(Verify),
    AwaitAnswer {
        keys: Keys,
        signed: Signed,
    },
    /// The client reveals the nonce that it has committed to.
    AwaitNonce {
        signed: Signed,
    },
    /// The client has proven itself; the engine has the last word.
    Proven {
        keys: Keys,
        signed: Signed,
    },
    Verified,
    Ended,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ServerEvent {
    Hello(Hello),
    /// Answer with [`Server::challenge`] or [`Server::refuse`].
    Wants(Method),
    /// Answer with [`Server::challenge_session`] or [`Server::refuse`].
    GoesOn(TransferId),
    /// Answer with [`Server::challenge_attach`] or [`Server::refuse`].
    Attaches(TransferId),
    /// Answer with [`Server::challenge_pair`] or [`Server::refuse`].
    IsPaired,
    /// Answer with [`Server::challenge_ask`] or [`Server::refuse`].
    Asks,
    /// Answer with [`Server::challenge_talk`] or [`Server::refuse`].
    Talks,
    /// The client knows the secret; or has revealed its nonce, and [`Server::symbols`] are there. Answer with [`Server::admit`] or [`Server::refuse`].
    Proven,
}

impl Server {
    pub fn new(binding: Binding, hello: &Hello) -> Self {
        Self {
            binding,
            hello: Frame::Hello(hello.clone()).encode(),
            transcript: Sha256::new(),
            out: None,
            state: ServerState::AwaitHello,
            symbols: None,
        }
    }

    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.out.take()
    }

    pub fn handle_frame(&mut self, raw: RawFrame) -> Result<Option<ServerEvent>, Refusal> {
        let bytes = super::frame::encode(raw.kind, &raw.body);
        let Some(frame) = Frame::parse(raw)?.filter(|frame| *frame != Frame::Asking) else {
            return Ok(None);
        };
        let kind = frame.kind();
        match (
            std::mem::replace(&mut self.state, ServerState::Ended),
            frame,
        ) {
            (ServerState::AwaitHello, Frame::Hello(hello)) => {
                self.transcript.update(&bytes);
                self.transcript.update(&self.hello);
                // Said even to a client of another version, so that it can tell its person.
                self.out = Some(self.hello.clone());
                check_version(&hello)?;
                self.state = ServerState::AwaitVerify;
                Ok(Some(ServerEvent::Hello(hello)))
            }
            (ServerState::AwaitVerify, Frame::Verify(verify)) => {
                self.transcript.update(&bytes);
                let event = match (verify.method, verify.pake, verify.transfer) {
                    (Method::Session, None, Some(transfer)) => {
                        ServerEvent::GoesOn(TransferId(transfer.0))
                    }
                    (Method::Attach, None, Some(transfer)) => {
                        ServerEvent::Attaches(TransferId(transfer.0))
                    }
                    (method @ (Method::Code | Method::Passphrase), Some(_), None) => {
                        ServerEvent::Wants(method)
                    }
                    (Method::Pair, None, None) => ServerEvent::IsPaired,
                    (Method::Ask, None, None) => ServerEvent::Asks,
                    (Method::Talk, None, None) => ServerEvent::Talks,
                    (
                        Method::Session
                        | Method::Attach
                        | Method::Code
                        | Method::Passphrase
                        | Method::Pair
                        | Method::Ask
                        | Method::Talk,
                        _,
                        _,
                    ) => {
                        return Err(NOT_THE_METHOD.into());
                    }
                };
                self.state = ServerState::Choosing(verify);
                Ok(Some(event))
            }
            (ServerState::AwaitAnswer { keys, signed }, Frame::Answer(theirs)) => {
                if keys
                    .client_proof(&signed)
                    .verify_slice(&theirs.proof.0)
                    .is_err()
                {
                    self.refuse();
                    return Err(Refusal::Secret);
                }
                self.state = ServerState::Proven { keys, signed };
                Ok(Some(ServerEvent::Proven))
            }
            (ServerState::AwaitNonce { signed }, Frame::Answer(theirs)) => {
                let nonce = theirs.proof.0;
                if commitment(&nonce) != signed.client_challenge {
                    return Err(Violation::Malformed("another nonce than committed to").into());
                }
                let nonces = both(&nonce, &signed.server_challenge);
                let keys = Keys::derive(&nonces, &self.binding);
                self.symbols = Some(keys.symbols(&self.binding));
                self.state = ServerState::Proven { keys, signed };
                Ok(Some(ServerEvent::Proven))
            }
            (_any, _frame) => Err(Violation::Unexpected(kind).into()),
        }
    }

    /// What both people compare, if the client asked.
    pub fn symbols(&self) -> Option<Symbols> {
        self.symbols
    }

    /// Goes on with the secret that the client has to prove.
    pub fn challenge(
        &mut self,
        secret: &[u8],
        random: &mut (impl CryptoRng + RngCore),
    ) -> Result<(), Refusal> {
        let (verify, theirs) = match std::mem::replace(&mut self.state, ServerState::Ended) {
            ServerState::Choosing(verify) => match verify.pake {
                Some(theirs) => (verify, theirs),
                None => return Err(NOT_THE_METHOD.into()),
            },
            ServerState::AwaitHello
            | ServerState::AwaitVerify
            | ServerState::AwaitAnswer { .. }
            | ServerState::AwaitNonce { .. }
            | ServerState::Proven { .. }
            | ServerState::Verified
            | ServerState::Ended => return Err(Refusal::Secret),
        };
        let (pake, message) = Spake2::<Ed25519Group>::start_b_with_rng(
            &Password::new(secret),
            &identity(self.binding.client),
            &identity(self.binding.server),
            &mut *random,
        );
        let keys = Keys::derive(&finish(pake, &theirs.0)?, &self.binding);
        let challenge = Challenge {
            pake: Some(Hex(pake_message(&message))),
            challenge: Hex(random_challenge(random)),
        };
        self.await_answer(&verify, keys, challenge);
        Ok(())
    }

    /// Goes on with the key of the transfer that the client named. For one that is not known here a
    /// random key serves: the client then fails like one with a wrong key.
    pub fn challenge_session(
        &mut self,
        key: &SessionKey,
        random: &mut (impl CryptoRng + RngCore),
    ) -> Result<(), Refusal> {
        self.challenge_key(Method::Session, &key.0, random)
    }

    /// The same for one more connection of a transfer that runs.
    pub fn challenge_attach(
        &mut self,
        key: &SessionKey,
        random: &mut (impl CryptoRng + RngCore),
    ) -> Result<(), Refusal> {
        self.challenge_key(Method::Attach, &key.0, random)
    }

    /// Goes on with the key of two devices that remember each other; as for a session, a random one
    /// serves for a client that is not remembered.
    pub fn challenge_pair(
        &mut self,
        key: &PairKey,
        random: &mut (impl CryptoRng + RngCore),
    ) -> Result<(), Refusal> {
        self.challenge_key(Method::Pair, &key.0, random)
    }

    /// Goes on with the key of a conversation; as for a session, a random one serves for a client that
    /// has none here.
    pub fn challenge_talk(
        &mut self,
        key: &ConversationKey,
        random: &mut (impl CryptoRng + RngCore),
    ) -> Result<(), Refusal> {
        self.challenge_key(Method::Talk, &key.0, random)
    }

    fn challenge_key(
        &mut self,
        method: Method,
        key: &[u8; 32],
        random: &mut (impl CryptoRng + RngCore),
    ) -> Result<(), Refusal> {
        let verify = self.chosen(method)?;
        let keys = Keys::derive(key, &self.binding);
        let challenge = Challenge {
            pake: None,
            challenge: Hex(random_challenge(random)),
        };
        self.await_answer(&verify, keys, challenge);
        Ok(())
    }

    /// Goes on with somebody who proves nothing.
    pub fn challenge_ask(
        &mut self,
        random: &mut (impl CryptoRng + RngCore),
    ) -> Result<(), Refusal> {
        let verify = self.chosen(Method::Ask)?;
        let nonce = random_challenge(random);
        let challenge = Frame::Challenge(Challenge {
            pake: None,
            challenge: Hex(nonce),
        });
        let challenge = challenge.encode();
        self.transcript.update(&challenge);
        self.out = Some(challenge);
        self.state = ServerState::AwaitNonce {
            signed: Signed {
                client_challenge: verify.challenge.0,
                server_challenge: nonce,
                transcript: self.transcript.clone().finalize().into(),
            },
        };
        Ok(())
    }

    fn chosen(&mut self, method: Method) -> Result<Verify, Refusal> {
        match std::mem::replace(&mut self.state, ServerState::Ended) {
            ServerState::Choosing(verify) if verify.method == method => Ok(verify),
            ServerState::AwaitHello
            | ServerState::AwaitVerify
            | ServerState::Choosing(_)
            | ServerState::AwaitAnswer { .. }
            | ServerState::AwaitNonce { .. }
            | ServerState::Proven { .. }
            | ServerState::Verified
            | ServerState::Ended => Err(Refusal::Secret),
        }
    }

    fn await_answer(&mut self, verify: &Verify, keys: Keys, challenge: Challenge) {
        let server_challenge = challenge.challenge.0;
        let challenge = Frame::Challenge(challenge).encode();
        self.transcript.update(&challenge);
        self.out = Some(challenge);
        self.state = ServerState::AwaitAnswer {
            keys,
            signed: Signed {
                client_challenge: verify.challenge.0,
                server_challenge,
                transcript: self.transcript.clone().finalize().into(),
            },
        };
    }

    /// Lets the proven client in: the server's own proof goes out.
    pub fn admit(&mut self) {
        if let ServerState::Proven { keys, signed } =
            std::mem::replace(&mut self.state, ServerState::Ended)
        {
            let proof = keys.server_proof(&signed).finalize().into_bytes().into();
            self.out = Some(Frame::Proof(Proof { proof: Hex(proof) }).encode());
            self.state = ServerState::Verified;
        }
    }

    /// The one answer for every reason.
    pub fn refuse(&mut self) {
        self.out = Some(Frame::Refused.encode());
        self.state = ServerState::Ended;
    }

    pub fn verified(&self) -> bool {
        matches!(self.state, ServerState::Verified)
    }
}

const NOT_THE_METHOD: Violation =
    Violation::Malformed("a verification message that does not fit its method");

fn random_challenge(random: &mut (impl CryptoRng + RngCore)) -> [u8; 32] {
    let mut challenge = [0; 32];
    random.fill_bytes(&mut challenge);
    challenge
}

fn commitment(nonce: &[u8; 32]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(COMMITMENT_LABEL);
    hash.update(nonce);
    hash.finalize().into()
}

/// The client's nonce first.
fn both(client: &[u8; 32], server: &[u8; 32]) -> [u8; 64] {
    let mut nonces = [0; 64];
    nonces[..32].copy_from_slice(client);
    nonces[32..].copy_from_slice(server);
    nonces
}

fn finish(pake: Spake2<Ed25519Group>, message: &[u8]) -> Result<Zeroizing<Vec<u8>>, Violation> {
    let key = pake
        .finish(message)
        .map_err(|_bad| Violation::Malformed("a key exchange message that is none"))?;
    Ok(Zeroizing::new(key))
}

/// What lets one accepted transfer go on: known to its two devices alone, and good for it alone.
#[derive(Clone)]
pub struct SessionKey(pub Zeroizing<[u8; 32]>);

impl SessionKey {
    /// `secret` is the exporter value with the label `EXPORTER-ropeway-session` of the channel in
    /// which the transfer was offered for the first time.
    pub fn derive(
        secret: &[u8; 32],
        client: DeviceId,
        server: DeviceId,
        transfer: TransferId,
    ) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, secret)
            .expand_multi_info(
                &[SESSION_KEY_LABEL, &client.0, &server.0, &transfer.0],
                key.as_mut_slice(),
            )
            .expect("32 bytes are far below HKDF's limit");
        Self(key)
    }
}

/// What two devices that remember each other prove, whichever of them connects.
#[derive(Clone, PartialEq, Eq)]
pub struct PairKey(pub Zeroizing<[u8; 32]>);

impl PairKey {
    /// `secret` is the exporter value with the label `EXPORTER-ropeway-session` of the channel in
    /// which both ends said that they want to remember each other.
    pub fn derive(secret: &[u8; 32], client: DeviceId, server: DeviceId) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, secret)
            .expand_multi_info(&[PAIR_KEY_LABEL, &client.0, &server.0], key.as_mut_slice())
            .expect("32 bytes are far below HKDF's limit");
        Self(key)
    }
}

/// What opens a conversation of two devices anew, whichever of them connects, and nothing else.
#[derive(Clone, PartialEq, Eq)]
pub struct ConversationKey(pub Zeroizing<[u8; 32]>);

impl ConversationKey {
    /// `secret` is the exporter value with the label `EXPORTER-ropeway-session` of the channel in
    /// which both ends said *welcome*.
    pub fn derive(secret: &[u8; 32], client: DeviceId, server: DeviceId) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, secret)
            .expand_multi_info(
                &[CONVERSATION_KEY_LABEL, &client.0, &server.0],
                key.as_mut_slice(),
            )
            .expect("32 bytes are far below HKDF's limit");
        Self(key)
    }
}

impl std::fmt::Debug for ConversationKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ConversationKey(***)")
    }
}

impl std::fmt::Debug for PairKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PairKey(***)")
    }
}

fn check_version(hello: &Hello) -> Result<(), Refusal> {
    if hello.versions.contains(&VERSION) {
        Ok(())
    } else {
        Err(Refusal::Version)
    }
}

fn identity(device: DeviceId) -> Identity {
    Identity::new(&device.0)
}

fn pake_message(message: &[u8]) -> [u8; 33] {
    message
        .try_into()
        .expect("a SPAKE2 message over Ed25519 is a side byte and a point")
}

/// What both proofs are about, besides their labels.
struct Signed {
    client_challenge: [u8; 32],
    server_challenge: [u8; 32],
    /// SHA-256 over the four frames so far: both hellos (client's first), verify, challenge.
    transcript: [u8; 32],
}

/// One HMAC key a direction, so that no proof can be turned around.
struct Keys {
    client: Zeroizing<[u8; 32]>,
    server: Zeroizing<[u8; 32]>,
    prk: Hkdf<Sha256>,
}

impl Keys {
    fn derive(strong: &[u8], binding: &Binding) -> Self {
        let hkdf = Hkdf::<Sha256>::new(Some(&binding.exporter), strong);
        let key = |label| {
            let mut key = Zeroizing::new([0; 32]);
            hkdf.expand_multi_info(
                &[label, &binding.client.0, &binding.server.0],
                key.as_mut_slice(),
            )
            .expect("32 bytes are far below HKDF's limit");
            key
        };
        Self {
            client: key(CLIENT_KEY_LABEL),
            server: key(SERVER_KEY_LABEL),
            prk: hkdf,
        }
    }

    fn symbols(&self, binding: &Binding) -> Symbols {
        let mut bits = [0; 3];
        self.prk
            .expand_multi_info(
                &[SYMBOLS_LABEL, &binding.client.0, &binding.server.0],
                &mut bits,
            )
            .expect("3 bytes are far below HKDF's limit");
        Symbols::from_bits(bits)
    }

    fn client_proof(&self, signed: &Signed) -> Hmac<Sha256> {
        mac(&self.client, CLIENT_PROOF_LABEL, signed)
    }

    fn server_proof(&self, signed: &Signed) -> Hmac<Sha256> {
        mac(&self.server, SERVER_PROOF_LABEL, signed)
    }
}

fn mac(key: &[u8; 32], label: &[u8], signed: &Signed) -> Hmac<Sha256> {
    let mut mac = Hmac::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(label);
    mac.update(&signed.client_challenge);
    mac.update(&signed.server_challenge);
    mac.update(&signed.transcript);
    mac
}

#[cfg(test)]
#[path = "verification_tests.rs"]
mod tests;
