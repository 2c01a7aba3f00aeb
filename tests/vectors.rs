//! What tests/golden/vectors says two implementations come to, this one comes to. The values were computed
//! by another program (`check.py` beside them), from PROTOCOL.md alone. And a peer that was written from nothing else
//! (`tests/peer`) meets the program.

// Helpers of tests are tests, too; clippy only knows the functions that are marked.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use data_encoding::HEXLOWER;
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use rand_core::{CryptoRng, RngCore};
use ropeway::model::{DeviceId, Secret, Symbols, TransferId};
use ropeway::protocol::frame::{RawFrame, kind};
use ropeway::protocol::message::{Hello, Method};
use ropeway::protocol::verification::{
    Binding, Client, ConversationKey, PairKey, Server, ServerEvent, SessionKey,
};
use ropeway::protocol::{Buffers, Decoder, Frame, Limit};
use ropeway::storage::groups::{GroupHasher, group_count, merge};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

struct Vector(Value);

impl Vector {
    fn bytes(&self, part: &str, name: &str) -> Vec<u8> {
        let text = self.0[part][name].as_str();
        hex(text.unwrap_or_else(|| panic!("{part}.{name}")))
    }

    fn given(&self, name: &str) -> Vec<u8> {
        self.bytes("given", name)
    }

    fn made(&self, name: &str) -> Vec<u8> {
        self.bytes("made", name)
    }

    fn frame(&self, number: usize) -> Vec<u8> {
        hex(self.0["frames"][number].as_str().unwrap())
    }

    fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap()
    }

    fn binding(&self) -> Binding {
        Binding {
            exporter: array(self.given("exporter")),
            client: DeviceId(array(self.given("client_id"))),
            server: DeviceId(array(self.given("server_id"))),
        }
    }
}

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).unwrap()
}

fn array<const N: usize>(bytes: Vec<u8>) -> [u8; N] {
    bytes.try_into().unwrap()
}

fn vectors(kind: &str) -> Vec<Vector> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/vectors");
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|end| end == "json"));
    let vectors =
        files.map(|path| Vector(serde_json::from_slice(&fs::read(path).unwrap()).unwrap()));
    vectors
        .filter(|vector| vector.text("kind") == kind)
        .collect()
}

/// Hands out what the vector says, and nothing more.
struct Scripted(Vec<u8>);

impl RngCore for Scripted {
    fn next_u32(&mut self) -> u32 {
        panic!("random bytes are asked for as bytes")
    }
    fn next_u64(&mut self) -> u64 {
        panic!("random bytes are asked for as bytes")
    }
    fn fill_bytes(&mut self, to: &mut [u8]) {
        let rest = self.0.split_off(to.len());
        to.copy_from_slice(&std::mem::replace(&mut self.0, rest));
    }
    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(to);
        Ok(())
    }
}

impl CryptoRng for Scripted {}

fn raw(frame: &[u8]) -> RawFrame {
    let mut input = frame;
    let raw = Decoder::new(Buffers::new(1)).feed(&mut input, Limit::Greeting);
    raw.unwrap().expect("a whole frame")
}

fn hello(frame: &[u8]) -> Hello {
    match Frame::parse(raw(frame)) {
        Ok(Some(Frame::Hello(hello))) => hello,
        other => panic!("{other:?}"),
    }
}

fn secret(vector: &Vector, method: Method) -> Vec<u8> {
    let typed = Secret::new(vector.0["given"]["typed"].as_str().unwrap()).unwrap();
    let bytes = match method {
        Method::Code => typed.code_bytes(),
        _ => typed.passphrase_bytes(),
    };
    assert_eq!(*bytes, vector.given("secret"), "the secret's bytes");
    bytes.to_vec()
}

/// Both ends, with the vector's randomness; gives what they said in order.
fn greet(vector: &Vector, method: Method) -> Vec<Vec<u8>> {
    let mut client_random = Scripted(vector.given("client_random"));
    let mut server_random = Scripted(vector.given("server_random"));
    let mut client = Client::new(vector.binding(), &hello(&vector.frame(0)));
    let mut server = Server::new(vector.binding(), &hello(&vector.frame(1)));
    let mut said = vec![client.poll_transmit().unwrap()];
    let event = server.handle_frame(raw(&said[0])).unwrap();
    assert!(matches!(event, Some(ServerEvent::Hello(_))));
    said.push(server.poll_transmit().unwrap());
    client.handle_frame(raw(&said[1])).unwrap();
    match method {
        Method::Session => {
            let transfer = TransferId(array(vector.given("transfer")));
            let key = SessionKey(array::<32>(vector.made("K")).into());
            client.prove_session(transfer, &key, &mut client_random);
            said.push(client.poll_transmit().unwrap());
            let event = server.handle_frame(raw(&said[2])).unwrap();
            assert_eq!(event, Some(ServerEvent::GoesOn(transfer)));
            server.challenge_session(&key, &mut server_random).unwrap();
        }
        Method::Attach => {
            let transfer = TransferId(array(vector.given("transfer")));
            let key = SessionKey(array::<32>(vector.made("K")).into());
            client.prove_attach(transfer, &key, &mut client_random);
            said.push(client.poll_transmit().unwrap());
            let event = server.handle_frame(raw(&said[2])).unwrap();
            assert_eq!(event, Some(ServerEvent::Attaches(transfer)));
            server.challenge_attach(&key, &mut server_random).unwrap();
        }
        Method::Pair => {
            let key = PairKey(array::<32>(vector.made("K")).into());
            client.prove_pair(&key, &mut client_random);
            said.push(client.poll_transmit().unwrap());
            let event = server.handle_frame(raw(&said[2])).unwrap();
            assert_eq!(event, Some(ServerEvent::IsPaired));
            server.challenge_pair(&key, &mut server_random).unwrap();
        }
        Method::Talk => {
            let key = ConversationKey(array::<32>(vector.made("K")).into());
            client.prove_talk(&key, &mut client_random);
            said.push(client.poll_transmit().unwrap());
            let event = server.handle_frame(raw(&said[2])).unwrap();
            assert_eq!(event, Some(ServerEvent::Talks));
            server.challenge_talk(&key, &mut server_random).unwrap();
        }
        Method::Ask => {
            client.ask(&mut client_random);
            said.push(client.poll_transmit().unwrap());
            let event = server.handle_frame(raw(&said[2])).unwrap();
            assert_eq!(event, Some(ServerEvent::Asks));
            server.challenge_ask(&mut server_random).unwrap();
        }
        Method::Code | Method::Passphrase => {
            let secret = secret(vector, method);
            client.prove(method, &secret, &mut client_random);
            said.push(client.poll_transmit().unwrap());
            let event = server.handle_frame(raw(&said[2])).unwrap();
            assert_eq!(event, Some(ServerEvent::Wants(method)));
            server.challenge(&secret, &mut server_random).unwrap();
        }
    }
    said.push(server.poll_transmit().unwrap());
    client.handle_frame(raw(&said[3])).unwrap();
    said.push(client.poll_transmit().unwrap());
    let event = server.handle_frame(raw(&said[4])).unwrap();
    assert_eq!(event, Some(ServerEvent::Proven));
    server.admit();
    said.push(server.poll_transmit().unwrap());
    client.handle_frame(raw(&said[5])).unwrap();
    assert!(client.verified() && server.verified());
    if method == Method::Ask {
        let shown = client.symbols().expect("symbols").0;
        let shown: Vec<_> = shown.iter().map(|one| one.index() as u64).collect();
        let expected = vector.0["made"]["symbols"].as_array().unwrap();
        let expected: Vec<_> = expected.iter().filter_map(Value::as_u64).collect();
        assert_eq!(shown, expected);
        assert_eq!(client.symbols(), server.symbols());
    }
    said
}

#[test]
fn both_ends_of_a_greeting_say_what_the_vectors_say() {
    let mut checked = 0;
    for vector in vectors("greeting") {
        let method = match vector.text("method") {
            "code" => Method::Code,
            "passphrase" => Method::Passphrase,
            "session" => Method::Session,
            "attach" => Method::Attach,
            "ask" => Method::Ask,
            "pair" => Method::Pair,
            "talk" => Method::Talk,
            other => panic!("a method {other}"),
        };
        for (number, said) in greet(&vector, method).iter().enumerate() {
            let expected = vector.frame(number);
            let about = vector.text("about");
            assert_eq!(
                HEXLOWER.encode(said),
                HEXLOWER.encode(&expected),
                "{about}: {number}"
            );
        }
        checked += 1;
    }
    assert!(checked >= 7, "only {checked} greetings were found");
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

/// With the crates that the program uses, but by the text of PROTOCOL.md: the values in between, too.
#[test]
fn keys_proofs_and_symbols_of_every_greeting_follow_from_its_frames() {
    let mut symbols = 0;
    for vector in vectors("greeting") {
        let about = vector.text("about");
        let (client, server) = (vector.given("client_id"), vector.given("server_id"));
        let (prk, hkdf) =
            Hkdf::<Sha256>::extract(Some(&vector.given("exporter")), &vector.made("K"));
        assert_eq!(prk.to_vec(), vector.made("prk"), "{about}");
        let expand = |label: &[u8], out: &mut [u8]| {
            hkdf.expand_multi_info(&[label, &client, &server], out)
                .unwrap();
        };
        let (mut key_client, mut key_server) = ([0; 32], [0; 32]);
        expand(b"ropeway/1 client key", &mut key_client);
        expand(b"ropeway/1 server key", &mut key_server);
        assert_eq!(key_client.to_vec(), vector.made("key_client"), "{about}");
        assert_eq!(key_server.to_vec(), vector.made("key_server"), "{about}");

        let mut transcript = Sha256::new();
        let challenge = |number: usize| {
            let body: Value = serde_json::from_slice(&vector.frame(number)[5..]).unwrap();
            hex(body["challenge"].as_str().unwrap())
        };
        for number in 0..4 {
            transcript.update(vector.frame(number));
        }
        let transcript = transcript.finalize();
        assert_eq!(transcript.to_vec(), vector.made("transcript"), "{about}");
        let (theirs, ours) = (challenge(2), challenge(3));
        let proof = |key: &[u8], label: &[u8]| mac(key, &[label, &theirs, &ours, &transcript]);
        let server_proof = proof(&key_server, b"ropeway/1 server proof");
        assert_eq!(server_proof, vector.made("proof"), "{about}");
        let answer = vector.made("answer");
        if vector.text("method") == "ask" {
            let commitment = Sha256::new()
                .chain_update(b"ropeway/1 symbols commitment")
                .chain_update(&answer);
            assert_eq!(commitment.finalize().to_vec(), theirs, "{about}");
            assert_eq!(vector.made("K"), [answer, ours].concat(), "{about}");
            let mut bits = [0; 3];
            expand(b"ropeway/1 symbols", &mut bits);
            let shown = Symbols::from_bits(bits)
                .0
                .map(|symbol| symbol.index() as u64);
            let expected = vector.0["made"]["symbols"].as_array().unwrap();
            let expected: Vec<_> = expected.iter().filter_map(Value::as_u64).collect();
            assert_eq!(shown.as_slice(), expected, "{about}");
            symbols += 1;
        } else {
            assert_eq!(
                answer,
                proof(&key_client, b"ropeway/1 client proof"),
                "{about}"
            );
        }
        let kinds: Vec<_> = (0..6).map(|number| vector.frame(number)[4]).collect();
        let expected = [
            kind::HELLO,
            kind::HELLO,
            kind::VERIFY,
            kind::CHALLENGE,
            kind::ANSWER,
            kind::PROOF,
        ];
        assert_eq!(kinds, expected, "{about}");
    }
    assert_eq!(symbols, 1);
}

#[test]
fn session_pair_and_conversation_keys_are_the_ones_of_the_vectors() {
    let mut checked = 0;
    for vector in vectors("key") {
        let (client, server) = (vector.given("client_id"), vector.given("server_id"));
        let secret = vector.given("secret");
        let label = vector.0["label"].as_str().unwrap();
        let transfer = match vector.0["given"].get("transfer") {
            Some(_) => vector.given("transfer"),
            None => Vec::new(),
        };
        let (prk, hkdf) = Hkdf::<Sha256>::extract(None, &secret);
        assert_eq!(prk.to_vec(), vector.made("prk"));
        let mut key = [0; 32];
        hkdf.expand_multi_info(&[label.as_bytes(), &client, &server, &transfer], &mut key)
            .unwrap();
        assert_eq!(key.to_vec(), vector.made("key"), "{label}");
        if label == "ropeway/1 session key" {
            let (client, server) = (DeviceId(array(client)), DeviceId(array(server)));
            let transfer = TransferId(array(transfer));
            let ours = SessionKey::derive(&array(secret), client, server, transfer);
            assert_eq!(ours.0.to_vec(), vector.made("key"));
        } else if label == "ropeway/1 conversation key" {
            let (client, server) = (DeviceId(array(client)), DeviceId(array(server)));
            let ours = ConversationKey::derive(&array(secret), client, server);
            assert_eq!(ours.0.to_vec(), vector.made("key"));
        } else {
            let (client, server) = (DeviceId(array(client)), DeviceId(array(server)));
            let ours = PairKey::derive(&array(secret), client, server);
            assert_eq!(ours.0.to_vec(), vector.made("key"));
        }
        checked += 1;
    }
    assert_eq!(checked, 3);
}

#[test]
fn group_hashes_and_their_merge_are_the_ones_of_the_vectors() {
    let files = vectors("groups").remove(0);
    let files = files.0["files"].as_array().unwrap().clone();
    assert!(files.len() >= 5);
    for file in files {
        let length = file["length"].as_u64().unwrap();
        let content: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
        let whole = *blake3::hash(&content).as_bytes();
        assert_eq!(
            whole.to_vec(),
            hex(file["blake3"].as_str().unwrap()),
            "{length}"
        );
        let expected = file["groups"].as_array().unwrap().iter();
        let expected: Vec<_> = expected.map(|hash| hex(hash.as_str().unwrap())).collect();
        assert_eq!(group_count(length), expected.len(), "{length}");
        if expected.len() < 2 {
            assert!(expected.iter().all(|only| *only == whole), "{length}");
            continue;
        }
        let groups: Vec<_> = (0..)
            .zip(content.chunks(1 << 20))
            .map(|(number, bytes)| {
                let mut hasher = GroupHasher::new(number);
                hasher.update(bytes);
                hasher.finish()
            })
            .collect();
        let ours: Vec<_> = groups.iter().map(|hash| hash.to_vec()).collect();
        assert_eq!(ours, expected, "{length}");
        assert_eq!(merge(&groups), whole, "{length}");
    }
}

#[cfg(unix)]
#[test]
fn a_peer_written_from_the_protocol_alone_finds_sends_goes_on_talks_and_receives() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peer/run.py");
    let peer = std::process::Command::new(script)
        .arg(env!("CARGO_BIN_EXE_ropeway"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output();
    let (code, said) = match peer {
        Ok(out) => (
            out.status.code(),
            String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned(),
        ),
        Err(error) => (Some(77), format!("there is no /usr/bin/python3: {error}")),
    };
    if code == Some(77) {
        let may_skip = std::env::var_os("ROPEWAY_SKIP_NOTHING").is_none();
        assert!(may_skip, "{said}");
        eprintln!("skipped: {said}");
    } else {
        assert_eq!(code, Some(0), "{said}");
    }
}
