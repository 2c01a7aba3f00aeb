//! Right secrets get in; everything else is refused, and nobody learns why.

use super::*;
use crate::protocol::frame::encode;
use crate::protocol::{Buffers, Decoder, Limit};

/// Reproducible randomness: SHA-256 in counter mode over a seed.
struct Seeded(u64);

impl RngCore for Seeded {
    fn next_u32(&mut self) -> u32 {
        self.next_u64() as u32
    }
    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }
    fn fill_bytes(&mut self, dest: &mut [u8]) {
        for chunk in dest.chunks_mut(32) {
            self.0 += 1;
            let block = Sha256::digest(self.0.to_le_bytes());
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}

impl CryptoRng for Seeded {}

fn binding() -> Binding {
    Binding {
        exporter: [7; 32],
        client: DeviceId([1; 32]),
        server: DeviceId([2; 32]),
    }
}

fn hello(name: &str) -> Hello {
    Hello {
        versions: vec![VERSION],
        features: Vec::new(),
        name: name.into(),
        system: String::new(),
        accepts: Vec::new(),
    }
}

fn raw(bytes: &[u8]) -> RawFrame {
    let mut input = bytes;
    Decoder::new(Buffers::new(1))
        .feed(&mut input, Limit::Greeting)
        .unwrap()
        .expect("a whole frame")
}

/// The two ends and what they said, in order.
struct Meeting {
    client: Client,
    server: Server,
    random: Seeded,
}

impl Meeting {
    fn new(client: Binding, server: Binding) -> Self {
        Self {
            client: Client::new(client, &hello("client")),
            server: Server::new(server, &hello("server")),
            random: Seeded(1),
        }
    }

    /// Hellos are exchanged and the client has started; gives its verify frame.
    fn until_verify(&mut self, secret: &[u8]) -> Vec<u8> {
        let client_hello = self.client.poll_transmit().expect("hello");
        self.server.handle_frame(raw(&client_hello)).unwrap();
        let server_hello = self.server.poll_transmit().expect("hello");
        let got = self.client.handle_frame(raw(&server_hello)).unwrap();
        assert_eq!(got, Some(hello("server")));
        self.client.prove(Method::Code, secret, &mut self.random);
        self.client.poll_transmit().expect("verify")
    }

    /// Gives the server's challenge frame.
    fn until_challenge(&mut self, client_secret: &[u8], server_secret: &[u8]) -> Vec<u8> {
        let verify = self.until_verify(client_secret);
        let wants = self.server.handle_frame(raw(&verify)).unwrap();
        assert_eq!(wants, Some(ServerEvent::Wants(Method::Code)));
        self.server
            .challenge(server_secret, &mut self.random)
            .unwrap();
        self.server.poll_transmit().expect("challenge")
    }

    /// Gives the client's answer frame.
    fn until_answer(&mut self, client_secret: &[u8], server_secret: &[u8]) -> Vec<u8> {
        let challenge = self.until_challenge(client_secret, server_secret);
        self.client.handle_frame(raw(&challenge)).unwrap();
        self.client.poll_transmit().expect("answer")
    }
}

#[test]
fn the_right_secret_lets_both_ends_in_the_client_proving_first() {
    let mut meeting = Meeting::new(binding(), binding());
    let answer = meeting.until_answer(b"427913", b"427913");
    let event = meeting.server.handle_frame(raw(&answer)).unwrap();
    assert_eq!(event, Some(ServerEvent::Proven));
    assert_eq!(meeting.server.poll_transmit(), None, "not before admit");
    assert!(!meeting.server.verified() && !meeting.client.verified());
    meeting.server.admit();
    let proof = meeting.server.poll_transmit().expect("proof");
    meeting.client.handle_frame(raw(&proof)).unwrap();
    assert!(meeting.server.verified() && meeting.client.verified());
}

#[test]
fn a_wrong_secret_is_refused_and_the_server_proves_nothing() {
    let long = vec![b'x'; 10_240];
    for wrong in [&b"427914"[..], b"", b"4", &long] {
        let mut meeting = Meeting::new(binding(), binding());
        let answer = meeting.until_answer(wrong, b"427913");
        let refused = meeting.server.handle_frame(raw(&answer));
        assert_eq!(refused, Err(Refusal::Secret));
        let said = meeting.server.poll_transmit().expect("one answer");
        assert_eq!(said, Frame::Refused.encode());
        let told = meeting.client.handle_frame(raw(&said));
        assert_eq!(told, Err(Refusal::Secret));
        assert!(!meeting.client.verified() && !meeting.server.verified());
    }
}

#[test]
fn a_relay_in_the_middle_has_two_exporters_and_fails_both_proofs() {
    let mut other = binding();
    other.exporter[31] ^= 1;
    let mut meeting = Meeting::new(binding(), other);
    let answer = meeting.until_answer(b"427913", b"427913");
    assert_eq!(
        meeting.server.handle_frame(raw(&answer)),
        Err(Refusal::Secret)
    );
}

#[test]
fn a_proof_for_other_devices_is_refused() {
    for change in [0, 1] {
        let mut other = binding();
        if change == 0 {
            other.client.0[0] ^= 1;
        } else {
            other.server.0[0] ^= 1;
        }
        let mut meeting = Meeting::new(binding(), other);
        let answer = meeting.until_answer(b"427913", b"427913");
        let refused = meeting.server.handle_frame(raw(&answer));
        assert_eq!(refused, Err(Refusal::Secret));
    }
}

#[test]
fn what_a_client_said_turned_back_at_it_is_refused() {
    // Its own key exchange message, as the server's.
    let mut meeting = Meeting::new(binding(), binding());
    let verify = meeting.until_verify(b"427913");
    let Ok(Some(Frame::Verify(verify))) = Frame::parse(raw(&verify)) else {
        panic!("a verify frame");
    };
    let echo = Frame::Challenge(Challenge {
        pake: verify.pake,
        challenge: verify.challenge,
    });
    assert!(meeting.client.handle_frame(raw(&echo.encode())).is_err());

    // Its own answer, as the server's proof.
    let mut meeting = Meeting::new(binding(), binding());
    let answer = raw(&meeting.until_answer(b"427913", b"427913"));
    let echo = encode(crate::protocol::frame::kind::PROOF, &answer.body);
    let refused = meeting.client.handle_frame(raw(&echo));
    assert_eq!(refused, Err(Refusal::Secret));
    assert!(!meeting.client.verified());
}

#[test]
fn a_recording_played_again_is_refused() {
    let mut first = Meeting::new(binding(), binding());
    let client_hello = Frame::Hello(hello("client")).encode();
    let verify = first.until_verify(b"427913");
    first.server.handle_frame(raw(&verify)).unwrap();
    first.server.challenge(b"427913", &mut Seeded(50)).unwrap();
    let challenge = first.server.poll_transmit().unwrap();
    first.client.handle_frame(raw(&challenge)).unwrap();
    let answer = first.client.poll_transmit().unwrap();

    let mut server = Server::new(binding(), &hello("server"));
    server.handle_frame(raw(&client_hello)).unwrap();
    server.handle_frame(raw(&verify)).unwrap();
    server.challenge(b"427913", &mut Seeded(99)).unwrap();
    let replayed = server.handle_frame(raw(&answer));
    assert_eq!(replayed, Err(Refusal::Secret));
}

#[test]
fn answers_cut_short_padded_or_zero_are_refused() {
    let bodies = [
        r#"{"proof":""}"#.to_owned(),
        format!(r#"{{"proof":"{}"}}"#, "0".repeat(62)),
        format!(r#"{{"proof":"{}"}}"#, "0".repeat(64)),
        format!(r#"{{"proof":"{}"}}"#, "0".repeat(66)),
        "{}".to_owned(),
    ];
    for body in bodies {
        let mut meeting = Meeting::new(binding(), binding());
        meeting.until_challenge(b"427913", b"427913");
        let answer = encode(crate::protocol::frame::kind::ANSWER, body.as_bytes());
        assert!(meeting.server.handle_frame(raw(&answer)).is_err(), "{body}");
        assert!(!meeting.server.verified());
    }
}

#[test]
fn no_step_can_be_skipped_or_taken_twice() {
    let frames = [
        Frame::Hello(hello("x")),
        Frame::Answer(Proof {
            proof: Hex([0; 32]),
        }),
        Frame::Proof(Proof {
            proof: Hex([0; 32]),
        }),
        Frame::Offer(crate::protocol::message::Offer {
            transfer: Hex([0; 16]),
        }),
        Frame::Ping,
        Frame::Refused,
        Frame::Finish,
    ];
    for frame in &frames {
        // After the hellos a server expects verify and nothing else.
        let mut meeting = Meeting::new(binding(), binding());
        meeting.until_verify(b"427913");
        assert!(meeting.server.handle_frame(raw(&frame.encode())).is_err());
        assert!(!meeting.server.verified());
        // A client that has not chosen its secret yet expects nothing.
        let mut client = Client::new(binding(), &hello("client"));
        client
            .handle_frame(raw(&Frame::Hello(hello("server")).encode()))
            .unwrap();
        assert!(client.handle_frame(raw(&frame.encode())).is_err());
    }
    // Content, the control of a transfer, what belongs to a conversation: no type but that one.
    use crate::protocol::frame::kind::{OPTIONAL, VERIFY};
    for kind in (0..OPTIONAL).filter(|kind| *kind != VERIFY) {
        let mut meeting = Meeting::new(binding(), binding());
        meeting.until_verify(b"427913");
        for body in [&b""[..], b"{}", &[0; 100]] {
            let frame = raw(&encode(kind, body));
            assert!(meeting.server.handle_frame(frame).is_err(), "{kind:#04x}");
        }
    }
    // An ended server stays ended.
    let mut meeting = Meeting::new(binding(), binding());
    let answer = meeting.until_answer(b"1", b"2");
    assert!(meeting.server.handle_frame(raw(&answer)).is_err());
    assert!(meeting.server.handle_frame(raw(&answer)).is_err());
    meeting.server.admit();
    assert!(!meeting.server.verified());
}

#[test]
fn a_peer_of_another_version_is_told_apart_from_a_wrong_secret() {
    let mut newer = hello("server");
    newer.versions = vec![2, 3];
    let mut client = Client::new(binding(), &hello("client"));
    let refused = client.handle_frame(raw(&Frame::Hello(newer).encode()));
    assert_eq!(refused, Err(Refusal::Version));
}

#[test]
fn the_greeting_cut_at_every_byte_gives_the_same_result() {
    // Everything the client says in a whole verification, fed to the server in two pieces.
    let mut meeting = Meeting::new(binding(), binding());
    let mut said = Frame::Hello(hello("client")).encode();
    let first = said.len();
    said.extend(meeting.until_verify(b"427913"));
    for cut in 0..said.len() {
        let mut server = Server::new(binding(), &hello("server"));
        let mut decoder = Decoder::new(Buffers::new(2));
        let (a, b) = said.split_at(cut);
        let mut events = Vec::new();
        for mut part in [a, b] {
            while let Some(frame) = decoder.feed(&mut part, Limit::Greeting).unwrap() {
                events.push(server.handle_frame(frame).unwrap().unwrap());
            }
        }
        assert_eq!(
            events,
            [
                ServerEvent::Hello(hello("client")),
                ServerEvent::Wants(Method::Code)
            ],
            "cut at {cut}, the hello ends at {first}"
        );
    }
}

fn session_key(seed: u8) -> SessionKey {
    let transfer = TransferId([3; 16]);
    SessionKey::derive(&[seed; 32], binding().client, binding().server, transfer)
}

/// Until the client's answer, with session keys.
fn session_answer(meeting: &mut Meeting, client: &SessionKey, server: &SessionKey) -> Vec<u8> {
    key_answer(meeting, Method::Session, client, server)
}

fn key_answer(
    meeting: &mut Meeting,
    method: Method,
    client: &SessionKey,
    server: &SessionKey,
) -> Vec<u8> {
    let attach = method == Method::Attach;
    let client_hello = meeting.client.poll_transmit().expect("hello");
    meeting.server.handle_frame(raw(&client_hello)).unwrap();
    let server_hello = meeting.server.poll_transmit().expect("hello");
    meeting.client.handle_frame(raw(&server_hello)).unwrap();
    let transfer = TransferId([3; 16]);
    let random = &mut meeting.random;
    match attach {
        true => meeting.client.prove_attach(transfer, client, random),
        false => meeting.client.prove_session(transfer, client, random),
    }
    let verify = meeting.client.poll_transmit().expect("verify");
    let event = meeting.server.handle_frame(raw(&verify)).unwrap();
    let random = &mut meeting.random;
    match attach {
        true => {
            assert_eq!(event, Some(ServerEvent::Attaches(transfer)));
            meeting.server.challenge_attach(server, random).unwrap();
        }
        false => {
            assert_eq!(event, Some(ServerEvent::GoesOn(transfer)));
            meeting.server.challenge_session(server, random).unwrap();
        }
    }
    let challenge = meeting.server.poll_transmit().expect("challenge");
    meeting.client.handle_frame(raw(&challenge)).unwrap();
    meeting.client.poll_transmit().expect("answer")
}

#[test]
fn a_session_key_lets_its_transfer_go_on_and_another_key_does_not() {
    let mut meeting = Meeting::new(binding(), binding());
    let answer = session_answer(&mut meeting, &session_key(1), &session_key(1));
    let event = meeting.server.handle_frame(raw(&answer)).unwrap();
    assert_eq!(event, Some(ServerEvent::Proven));
    meeting.server.admit();
    let proof = meeting.server.poll_transmit().expect("proof");
    meeting.client.handle_frame(raw(&proof)).unwrap();
    assert!(meeting.client.verified());

    let mut meeting = Meeting::new(binding(), binding());
    let answer = session_answer(&mut meeting, &session_key(1), &session_key(2));
    let refused = meeting.server.handle_frame(raw(&answer));
    assert_eq!(refused, Err(Refusal::Secret));

    let mut other = binding();
    other.exporter = [77; 32];
    let mut meeting = Meeting::new(binding(), other);
    let answer = session_answer(&mut meeting, &session_key(1), &session_key(1));
    let refused = meeting.server.handle_frame(raw(&answer));
    assert_eq!(refused, Err(Refusal::Secret), "a relay in the middle");
}

#[test]
fn a_session_key_attaches_and_neither_proof_serves_for_the_other_method() {
    let mut meeting = Meeting::new(binding(), binding());
    let answer = key_answer(
        &mut meeting,
        Method::Attach,
        &session_key(1),
        &session_key(1),
    );
    let event = meeting.server.handle_frame(raw(&answer)).unwrap();
    assert_eq!(event, Some(ServerEvent::Proven));
    meeting.server.admit();
    let proof = meeting.server.poll_transmit().expect("proof");
    meeting.client.handle_frame(raw(&proof)).unwrap();
    assert!(meeting.client.verified());

    let mut meeting = Meeting::new(binding(), binding());
    let answer = key_answer(
        &mut meeting,
        Method::Attach,
        &session_key(1),
        &session_key(2),
    );
    let refused = meeting.server.handle_frame(raw(&answer));
    assert_eq!(refused, Err(Refusal::Secret));

    // Somebody in between who turns one method into the other.
    for (said, heard) in [("session", "attach"), ("attach", "session")] {
        let mut meeting = Meeting::new(binding(), binding());
        let hello = meeting.client.poll_transmit().expect("hello");
        meeting.server.handle_frame(raw(&hello)).unwrap();
        let hello = meeting.server.poll_transmit().expect("hello");
        meeting.client.handle_frame(raw(&hello)).unwrap();
        let (key, transfer) = (session_key(1), TransferId([3; 16]));
        let random = &mut meeting.random;
        match said {
            "session" => meeting.client.prove_session(transfer, &key, random),
            _ => meeting.client.prove_attach(transfer, &key, random),
        }
        let verify = meeting.client.poll_transmit().expect("verify");
        let body = String::from_utf8(verify[5..].to_vec()).unwrap();
        let bent = super::super::frame::encode(verify[4], body.replace(said, heard).as_bytes());
        meeting.server.handle_frame(raw(&bent)).unwrap();
        match heard {
            "session" => meeting.server.challenge_session(&key, random).unwrap(),
            _ => meeting.server.challenge_attach(&key, random).unwrap(),
        }
        let challenge = meeting.server.poll_transmit().expect("challenge");
        meeting.client.handle_frame(raw(&challenge)).unwrap();
        let answer = meeting.client.poll_transmit().expect("answer");
        let refused = meeting.server.handle_frame(raw(&answer));
        assert_eq!(refused, Err(Refusal::Secret), "{said} taken for {heard}");
    }
}

#[test]
fn a_session_key_is_of_one_transfer_between_two_devices_in_these_roles() {
    let (client, server) = (binding().client, binding().server);
    let transfer = TransferId([3; 16]);
    let key =
        |secret, client, server, transfer| *SessionKey::derive(&secret, client, server, transfer).0;
    let keys = [
        key([1; 32], client, server, transfer),
        key([2; 32], client, server, transfer),
        key([1; 32], server, client, transfer),
        key([1; 32], client, client, transfer),
        key([1; 32], client, server, TransferId([4; 16])),
    ];
    for (at, one) in keys.iter().enumerate() {
        assert!(!keys[at + 1..].contains(one));
    }
}

#[test]
fn methods_and_their_messages_must_fit_each_other() {
    let transfer = Some(Hex([3; 16]));
    let pake = Some(Hex([7; 33]));
    for (method, pake, transfer) in [
        (Method::Session, None, None),
        (Method::Session, pake, transfer),
        (Method::Attach, None, None),
        (Method::Attach, pake, transfer),
        (Method::Code, None, None),
        (Method::Code, pake, transfer),
        (Method::Passphrase, None, transfer),
    ] {
        let mut server = Server::new(binding(), &hello("server"));
        let client = Frame::Hello(hello("client")).encode();
        server.handle_frame(raw(&client)).unwrap();
        let verify = Frame::Verify(Verify {
            method,
            pake,
            transfer,
            challenge: Hex([1; 32]),
        });
        let refused = server.handle_frame(raw(&verify.encode()));
        assert!(matches!(refused, Err(Refusal::Violation(_))), "{method:?}");
    }
}

/// Runs an ask through; gives both ends' symbols.
fn asked(client: Binding, server: Binding) -> (Client, Server) {
    let mut meeting = Meeting::new(client, server);
    let hello = meeting.client.poll_transmit().expect("hello");
    meeting.server.handle_frame(raw(&hello)).unwrap();
    let hello = meeting.server.poll_transmit().expect("hello");
    meeting.client.handle_frame(raw(&hello)).unwrap();
    meeting.client.ask(&mut meeting.random);
    let verify = meeting.client.poll_transmit().expect("verify");
    let event = meeting.server.handle_frame(raw(&verify)).unwrap();
    assert_eq!(event, Some(ServerEvent::Asks));
    meeting.server.challenge_ask(&mut meeting.random).unwrap();
    let challenge = meeting.server.poll_transmit().expect("challenge");
    meeting.client.handle_frame(raw(&challenge)).unwrap();
    let answer = meeting.client.poll_transmit().expect("answer");
    let event = meeting.server.handle_frame(raw(&answer)).unwrap();
    assert_eq!(event, Some(ServerEvent::Proven));
    meeting.server.admit();
    (meeting.client, meeting.server)
}

#[test]
fn who_asks_sees_the_same_symbols_at_both_ends_and_somebody_between_others() {
    let (mut client, mut server) = asked(binding(), binding());
    assert_eq!(client.symbols(), server.symbols());
    assert!(client.symbols().is_some());
    let proof = server.poll_transmit().expect("proof");
    client.handle_frame(raw(&proof)).unwrap();
    assert!(client.verified() && server.verified());
    // Two connections, so two exporters.
    let other = Binding {
        exporter: [8; 32],
        ..binding()
    };
    let (mut client, mut server) = asked(binding(), other);
    assert_ne!(client.symbols(), server.symbols());
    let proof = server.poll_transmit().expect("proof");
    assert_eq!(client.handle_frame(raw(&proof)), Err(Refusal::Secret));
}

#[test]
fn a_nonce_other_than_the_one_committed_to_is_refused() {
    let mut server = Server::new(binding(), &hello("server"));
    let mut client = Client::new(binding(), &hello("client"));
    let mut random = Seeded(1);
    let hello = client.poll_transmit().expect("hello");
    server.handle_frame(raw(&hello)).unwrap();
    let hello = server.poll_transmit().expect("hello");
    client.handle_frame(raw(&hello)).unwrap();
    client.ask(&mut random);
    let verify = client.poll_transmit().expect("verify");
    server.handle_frame(raw(&verify)).unwrap();
    server.challenge_ask(&mut random).unwrap();
    let chosen_later = Frame::Answer(Proof {
        proof: Hex([9; 32]),
    });
    let refused = server.handle_frame(raw(&chosen_later.encode()));
    assert!(matches!(refused, Err(Refusal::Violation(_))));
    server.admit();
    assert!(!server.verified() && server.symbols().is_none());
}

#[test]
fn a_pair_key_opens_and_another_one_does_not() {
    let key = |n| PairKey::derive(&[n; 32], DeviceId([1; 32]), DeviceId([2; 32]));
    for (theirs, opens) in [(key(1), true), (key(2), false)] {
        let mut meeting = Meeting::new(binding(), binding());
        let hello = meeting.client.poll_transmit().expect("hello");
        meeting.server.handle_frame(raw(&hello)).unwrap();
        let hello = meeting.server.poll_transmit().expect("hello");
        meeting.client.handle_frame(raw(&hello)).unwrap();
        meeting.client.prove_pair(&key(1), &mut meeting.random);
        let verify = meeting.client.poll_transmit().expect("verify");
        let event = meeting.server.handle_frame(raw(&verify)).unwrap();
        assert_eq!(event, Some(ServerEvent::IsPaired));
        meeting
            .server
            .challenge_pair(&theirs, &mut meeting.random)
            .unwrap();
        let challenge = meeting.server.poll_transmit().expect("challenge");
        meeting.client.handle_frame(raw(&challenge)).unwrap();
        let answer = meeting.client.poll_transmit().expect("answer");
        let proven = meeting.server.handle_frame(raw(&answer));
        assert_eq!(proven.is_ok(), opens);
        assert_eq!(format!("{theirs:?}"), "PairKey(***)");
    }
}
