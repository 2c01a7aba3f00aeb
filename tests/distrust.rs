//! Peers that keep to the protocol and mean harm, as raw connections: what they get for it.

// Helpers of tests are tests, too; clippy only knows the functions that are marked.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ropeway::channel::{Channel, Identity};
use ropeway::engine::{
    AcceptPolicy, Bind, Command, Config, Engine, Event, KnownDevices, ListenOptions, SendRequest,
    new_transfer_id,
};
use ropeway::model::{Allow, Bond, DeviceId, DeviceName, Failure, OnConflict, Secret, Status};
use ropeway::protocol::frame::RawFrame;
use ropeway::protocol::message::{FEATURES, Hello, Hex, ManifestEnd, Offer, VERSION};
use ropeway::protocol::verification::{Binding, Client, PairKey, Server, ServerEvent};
use ropeway::protocol::{Buffers, Decoder, Frame, Limit};
use support::random::Random;
use support::{Device, PATIENCE};

fn hello(accepts: &[&str]) -> Hello {
    Hello {
        versions: vec![VERSION],
        features: FEATURES.map(str::to_owned).to_vec(),
        name: "Garden".into(),
        system: "linux".into(),
        accepts: accepts.iter().map(|way| (*way).to_owned()).collect(),
    }
}

/// The next frame of a greeting.
fn frame(
    channel: &mut Channel,
    decoder: &mut Decoder,
    plaintext: &mut Vec<u8>,
) -> Option<RawFrame> {
    loop {
        let mut input = plaintext.as_slice();
        let frame = decoder.feed(&mut input, Limit::Greeting).ok()?;
        *plaintext = input.to_vec();
        if frame.is_some() {
            return frame;
        }
        if !matches!(
            channel
                .reader
                .read(|piece| plaintext.extend_from_slice(piece)),
            Ok(ropeway::channel::Received::Bytes(_) | ropeway::channel::Received::Idle)
        ) {
            return None;
        }
    }
}

/// A server that hears the client out to its answer and then hangs up, as if it had been too busy.
fn gets_an_answer(
    socket: TcpStream,
    identity: &Identity,
    ways: &[&str],
    answers: &AtomicUsize,
) -> Option<()> {
    let deadline = Instant::now() + PATIENCE;
    let mut channel = Channel::accept(socket, identity, deadline).ok()?;
    let binding = Binding {
        exporter: channel.exporter,
        client: channel.peer,
        server: identity.device_id(),
    };
    let mut machine = Server::new(binding, &hello(ways));
    let (mut decoder, mut plaintext) = (Decoder::new(Buffers::new(1)), Vec::new());
    loop {
        let frame = frame(&mut channel, &mut decoder, &mut plaintext)?;
        match machine.handle_frame(frame) {
            Ok(Some(ServerEvent::Wants(_))) => machine.challenge(b"000000", &mut Random).ok()?,
            Ok(Some(ServerEvent::Asks)) => machine.challenge_ask(&mut Random).ok()?,
            // It has what it wanted: something to hold its guess against, or symbols.
            Ok(Some(ServerEvent::Proven)) | Err(_) => {
                answers.fetch_add(1, Ordering::SeqCst);
                return Some(());
            }
            Ok(_) => {}
        }
        if let Some(frame) = machine.poll_transmit() {
            channel.writer.write(&frame).ok()?;
        }
    }
}

/// How many answers one click of a person gives to such a server.
fn answers_to_a_false_server(ways: &'static [&str]) -> usize {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let answers = Arc::new(AtomicUsize::new(0));
    let counted = answers.clone();
    std::thread::spawn(move || {
        let identity = Identity::generate().unwrap();
        for socket in listener.incoming().flatten() {
            let _ = gets_an_answer(socket, &identity, ways, &counted);
        }
    });
    let mut study = Device::new("Study");
    let source = study.home.path().join("a.txt");
    fs::write(&source, "content").unwrap();
    study.engine.command(Command::Send(SendRequest {
        transfer: new_transfer_id(),
        sources: vec![source],
        to: addr.to_string().parse().unwrap(),
        device: None,
        secret: (ways != ["ask"]).then(|| Secret::new("427913").unwrap()),
        ask: true,
        remember: false,
        wait_for_it: false,
    }));
    let ended = study.ended();
    assert_eq!(ended.status, Status::Failed);
    assert_eq!(ended.failure, Some(Failure::Lost));
    answers.load(Ordering::SeqCst)
}

#[test]
fn a_false_server_gets_one_guess_at_a_code_for_one_click() {
    assert_eq!(answers_to_a_false_server(&["code"]), 1);
}

#[test]
fn somebody_between_gets_one_try_at_the_symbols_for_one_click() {
    assert_eq!(answers_to_a_false_server(&["ask"]), 1);
}

/// A device that Garden remembers, as a raw client.
struct Guest {
    identity: Identity,
    key: PairKey,
}

impl Guest {
    fn remembered() -> (Self, Device, SocketAddr) {
        Self::remembered_in(|_file| {})
    }

    /// What becomes of the file before the server starts.
    fn remembered_in(and_then: impl Fn(&Path)) -> (Self, Device, SocketAddr) {
        let identity = Identity::generate().unwrap();
        let key = PairKey::derive(&[7; 32], identity.device_id(), DeviceId([0; 32]));
        let home = tempfile::tempdir().unwrap();
        let data_dir = home.path().join("data");
        let name = DeviceName::cleaned("Guest", "");
        let (known, trouble) = KnownDevices::open(&data_dir);
        assert_eq!(trouble, None);
        known.wish(identity.device_id(), &name);
        assert!(known.pair(identity.device_id(), &name, key.clone()));
        and_then(&data_dir.join("known.json"));
        let config = Config {
            data_dir,
            name: DeviceName::cleaned("Garden", ""),
        };
        let (engine, events) = Engine::start(config, || {}).unwrap();
        let mut garden = Device {
            engine,
            events,
            home,
            said: Vec::new(),
            on_conflict: OnConflict::default(),
        };
        garden.engine.command(Command::Listen(ListenOptions {
            bind: Bind::Exact("127.0.0.1:0".parse().unwrap()),
            save_folder: garden.inbox(),
            passphrase: None,
            allow: Allow::Code,
            accept: AcceptPolicy::All,
            remember: false,
            on_conflict: OnConflict::default(),
            once: false,
        }));
        let addr = garden.wait("Listening", |event| match event {
            Event::Listening(listening) => Some(listening.addr),
            _ => None,
        });
        (Self { identity, key }, garden, addr)
    }

    /// As far as the answer that would let it in, which is given back.
    fn up_to_the_answer(&self, to: SocketAddr) -> (Channel, Vec<u8>) {
        self.answer(to).unwrap()
    }

    /// `None`: the server has ended it before.
    fn answer(&self, to: SocketAddr) -> Option<(Channel, Vec<u8>)> {
        let socket = TcpStream::connect(to).unwrap();
        let mut channel =
            Channel::connect(socket, &self.identity, Instant::now() + PATIENCE).unwrap();
        let binding = Binding {
            exporter: channel.exporter,
            client: self.identity.device_id(),
            server: channel.peer,
        };
        let mut machine = Client::new(binding, &hello(&[]));
        let (mut decoder, mut plaintext) = (Decoder::new(Buffers::new(1)), Vec::new());
        channel
            .writer
            .write(&machine.poll_transmit().unwrap())
            .unwrap();
        for _ in 0..2 {
            let frame = frame(&mut channel, &mut decoder, &mut plaintext)?;
            if machine.handle_frame(frame).unwrap().is_some() {
                machine.prove_pair(&self.key, &mut Random);
                channel
                    .writer
                    .write(&machine.poll_transmit().unwrap())
                    .unwrap();
            }
        }
        let answer = machine.poll_transmit().unwrap();
        Some((channel, answer))
    }
}

/// Answers, offers, and waits for the end of it.
fn offers(mut channel: Channel, answer: &[u8]) {
    let _ = channel.writer.write(answer);
    let offer = Offer {
        transfer: Hex([1; 16]),
    };
    let end = ManifestEnd {
        entries: 0,
        bytes: 0,
    };
    let mut came = Vec::new();
    // Its proof comes first; what follows is for the session.
    let _ = channel.reader.read(|piece| came.extend_from_slice(piece));
    for frame in [Frame::Offer(offer), Frame::ManifestEnd(end)] {
        let _ = channel.writer.write(&frame.encode());
    }
    while let Ok(ropeway::channel::Received::Bytes(_) | ropeway::channel::Received::Idle) =
        channel.reader.read(|piece| came.extend_from_slice(piece))
    {}
}

fn nothing_was_taken(garden: &mut Device) {
    let until = Instant::now() + Duration::from_millis(500);
    while let Ok(event) = garden
        .events
        .recv_timeout(until.saturating_duration_since(Instant::now()))
    {
        assert!(
            !matches!(event, Event::Started(_) | Event::Offer(_)),
            "{event:?}"
        );
    }
    assert!(!garden.inbox().exists());
}

#[test]
fn a_remembered_guest_is_let_in_by_its_key() {
    let (guest, mut garden, addr) = Guest::remembered();
    let (channel, answer) = guest.up_to_the_answer(addr);
    std::thread::spawn(move || offers(channel, &answer));
    garden.wait("Started", |event| {
        matches!(event, Event::Started(_)).then_some(())
    });
}

#[test]
fn who_is_forgotten_in_the_middle_of_its_greeting_does_not_get_in() {
    let (guest, mut garden, addr) = Guest::remembered();
    let (channel, answer) = guest.up_to_the_answer(addr);
    let device = guest.identity.device_id();
    garden.engine.command(Command::ForgetDevice(device));
    garden.wait("Devices", |event| {
        matches!(event, Event::Devices(all) if all.is_empty()).then_some(())
    });
    offers(channel, &answer);
    nothing_was_taken(&mut garden);
}

#[test]
fn who_is_blocked_in_the_middle_of_its_greeting_does_not_get_in() {
    let (guest, mut garden, addr) = Guest::remembered();
    let (channel, answer) = guest.up_to_the_answer(addr);
    garden
        .engine
        .command(Command::Block(guest.identity.device_id()));
    garden.wait("Devices", |event| {
        matches!(event, Event::Devices(all) if all[0].bond == Bond::Blocked).then_some(())
    });
    offers(channel, &answer);
    nothing_was_taken(&mut garden);
}

#[test]
fn a_server_that_cannot_read_whom_it_knows_does_not_tell_them_that_they_are_forgotten() {
    let (guest, mut garden, addr) = Guest::remembered_in(|file| {
        let known = fs::read_to_string(file).unwrap();
        fs::write(file, known.replace("\"version\": 1", "\"version\": 2")).unwrap();
    });
    // No *refused*, which would make the client drop its key (and this panic); it just ends.
    assert!(guest.answer(addr).is_none());
    let said = |event: &Event| matches!(event, Event::DevicesNotRead(_)).then_some(());
    let before = garden.said.iter().find_map(said);
    before.unwrap_or_else(|| garden.wait("DevicesNotRead", said));
}

#[test]
fn blocking_ends_a_send_that_waits_and_no_code_is_shown_to_a_blocked_device() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let addr = garden.listen(AcceptPolicy::All, Some(support::PASSPHRASE));
    let at = addr.to_string().parse().unwrap();
    study.engine.command(Command::LookAt(at));
    let id = study.wait("its id", |event| match event {
        Event::Looked(looked) => looked.found.as_ref().ok().map(|found| found.id),
        _ => None,
    });
    let source = study.home.path().join("a.txt");
    fs::write(&source, "content").unwrap();
    // Nobody listens at port 1: it waits.
    let transfer = new_transfer_id();
    study.engine.command(Command::Send(SendRequest {
        device: Some(ropeway::engine::Chosen { id, name: None }),
        ask: false,
        remember: false,
        transfer,
        sources: vec![source.clone()],
        to: "127.0.0.1:1".parse().unwrap(),
        secret: Some(Secret::new(support::PASSPHRASE).unwrap()),
        wait_for_it: true,
    }));
    study.wait("that it waits", |event| match event {
        Event::State(_, ropeway::model::TransferState::Away) => Some(()),
        _ => None,
    });
    study.engine.command(Command::Block(id));
    let summary = study.ended();
    assert!(
        matches!(summary.status, Status::Cancelled(_)),
        "{summary:?}"
    );
    study.send(&[&source], addr, support::PASSPHRASE);
    let failure = study.ended().failure;
    assert!(
        matches!(failure, Some(Failure::BlockedHere { .. })),
        "{failure:?}"
    );
}
