//! Clients that have proven a secret and then take more than their share, as raw connections that
//! speak the protocol by the library's own machines.
#![cfg(target_os = "linux")]
// Helpers of tests are tests, too; clippy only knows the functions that are marked.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::HashSet;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ropeway::channel::{Channel, Identity, Received};
use ropeway::engine::{AcceptPolicy, Command, Event, KnownDevices, Limits, StopMode};
use ropeway::model::{DeviceId, DeviceName, Hold, TransferState};
use ropeway::protocol::frame::{encode, kind};
use ropeway::protocol::message::{
    FEATURES, Hello, Hex, ManifestEnd, ManifestPart, Method, Offer, Pause, VERSION,
};
use ropeway::protocol::verification::{Binding, Client, PairKey, Refusal};
use ropeway::protocol::{Buffers, Decoder, Frame, Limit};
use socket2::{Domain, Socket, Type};
use support::program::ropeway;
use support::random::Random;
use support::{Device, PASSPHRASE, PATIENCE, noise};

/// They count this process's memory and connections, so one after the other.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A client that has proven the passphrase and is left to the test.
struct Guest(Channel);

impl Guest {
    fn enter(to: SocketAddr, identity: &Identity) -> Self {
        Self::enter_as(to, identity, "Guest")
    }

    fn enter_as(to: SocketAddr, identity: &Identity, name: &str) -> Self {
        let here = Ipv4Addr::LOCALHOST;
        Self::greet(to, here, identity, name, |machine| {
            machine.prove(Method::Passphrase, PASSPHRASE.as_bytes(), &mut Random);
        })
        .unwrap()
    }

    fn prove(
        to: SocketAddr,
        from: Ipv4Addr,
        identity: &Identity,
        method: Method,
        secret: &str,
    ) -> Result<Self, Refusal> {
        Self::greet(to, from, identity, "Guest", |machine| {
            machine.prove(method, secret.as_bytes(), &mut Random);
        })
    }

    fn greet(
        to: SocketAddr,
        from: Ipv4Addr,
        identity: &Identity,
        name: &str,
        prove: impl Fn(&mut Client),
    ) -> Result<Self, Refusal> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
        socket.connect(&to.into()).unwrap();
        let socket = socket.into();
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut channel = Channel::connect(socket, identity, deadline).unwrap();
        let binding = Binding {
            exporter: channel.exporter,
            client: identity.device_id(),
            server: channel.peer,
        };
        let hello = Hello {
            versions: vec![VERSION],
            features: FEATURES.map(str::to_owned).to_vec(),
            name: name.into(),
            system: "linux".into(),
            accepts: Vec::new(),
        };
        let mut machine = Client::new(binding, &hello);
        let mut decoder = Decoder::new(Buffers::new(1));
        let mut plaintext = Vec::new();
        while !machine.verified() {
            if let Some(frame) = machine.poll_transmit() {
                channel.writer.write(&frame).unwrap();
            }
            let mut input = plaintext.as_slice();
            let frame = decoder.feed(&mut input, Limit::Greeting).unwrap();
            plaintext = input.to_vec();
            match frame {
                Some(frame) => {
                    if machine.handle_frame(frame)?.is_some() {
                        prove(&mut machine);
                    }
                }
                None => {
                    channel
                        .reader
                        .read(|piece| plaintext.extend_from_slice(piece))
                        .unwrap();
                }
            }
        }
        // What a server owes to a whole test is not waited for any longer.
        channel
            .established(Duration::from_millis(50), || {})
            .unwrap();
        Ok(Self(channel))
    }

    fn say(&mut self, frame: &Frame) -> bool {
        self.0.writer.write(&frame.encode()).is_ok()
    }

    fn offer(&mut self, n: u8) {
        let offer = Offer {
            transfer: Hex([n; 16]),
        };
        self.say(&Frame::Offer(offer));
        self.say(&Frame::ManifestEnd(ManifestEnd {
            entries: 0,
            bytes: 0,
        }));
    }

    /// The server has ended it.
    fn is_closed(&mut self) -> bool {
        let mut came = Vec::new();
        loop {
            match self.0.reader.read(|piece| came.extend_from_slice(piece)) {
                Ok(Received::Bytes(_)) => {}
                Ok(Received::Idle) => return false,
                Ok(Received::Closed) | Err(_) => return true,
            }
        }
    }

    fn wait_for_the_end(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(15);
        while !self.is_closed() {
            assert!(Instant::now() < deadline, "it is still open");
        }
    }
}

fn open_ones(guests: &mut [Guest]) -> usize {
    guests
        .iter_mut()
        .map(|guest| usize::from(!guest.is_closed()))
        .sum()
}

fn resident_bytes() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

fn honest(garden: &mut Device, to: SocketAddr) {
    let mut study = Device::new("Study");
    let file = study.home.path().join("a.txt");
    fs::write(&file, "hello").unwrap();
    study.send(&[&file], to, PASSPHRASE);
    study.arrived();
    garden.wait("Arrived", |event| match event {
        Event::Ended(summary) => (summary.peer.name.as_str() == "Study").then_some(()),
        _ => None,
    });
}

#[test]
fn one_device_has_64_connections_at_most_and_others_still_get_in() {
    let _alone = alone();
    let mut garden = Device::new("Garden");
    let to = garden.listen(AcceptPolicy::All, Some(PASSPHRASE));
    let greedy = Identity::generate().unwrap();
    let mut guests: Vec<_> = (0..64).map(|_| Guest::enter(to, &greedy)).collect();
    for _ in 0..4 {
        Guest::enter(to, &greedy).wait_for_the_end();
    }
    honest(&mut garden, to);
    // Those who were here stay, until their time to offer something is over.
    assert!(open_ones(&mut guests[32..]) > 0);
}

#[test]
fn no_more_than_256_clients_are_inside_and_whoever_offers_nothing_makes_room() {
    let _alone = alone();
    let mut garden = Device::new("Garden");
    let to = garden.listen(AcceptPolicy::All, Some(PASSPHRASE));
    let mut guests = Vec::new();
    let begun = Instant::now();
    for _ in 0..5 {
        let identity = Identity::generate().unwrap();
        guests.extend((0..52).map(|_| Guest::enter(to, &identity)));
    }
    // Four too many: each time the one goes that has been idle for longest, of the device that has most.
    for device in 0..4 {
        guests[device * 52].wait_for_the_end();
    }
    let slow = begun.elapsed() > Duration::from_secs(15);
    assert!(slow || !guests[1].is_closed(), "no more than four");
    assert!(!guests.last_mut().unwrap().is_closed(), "the newest is in");
    honest(&mut garden, to);
}

#[test]
fn one_device_has_8_offers_waiting_at_most_and_others_still_get_theirs_seen() {
    let _alone = alone();
    let mut garden = Device::new("Garden");
    let to = garden.listen(AcceptPolicy::Ask, Some(PASSPHRASE));
    let greedy = Identity::generate().unwrap();
    let mut guests = Vec::new();
    for n in 0..8 {
        let mut guest = Guest::enter(to, &greedy);
        guest.offer(n);
        garden.offer();
        guests.push(guest);
    }
    let mut ninth = Guest::enter(to, &greedy);
    ninth.offer(9);
    ninth.wait_for_the_end();
    assert_eq!(open_ones(&mut guests), 8);
    let mut other = Guest::enter(to, &Identity::generate().unwrap());
    other.offer(10);
    assert_eq!(garden.offer().transfer.0, [10; 16]);
    // Whoever takes one back makes room for one.
    drop(guests.pop());
    garden.wait("OfferWithdrawn", |event| {
        matches!(event, Event::OfferWithdrawn(_)).then_some(())
    });
    let mut tenth = Guest::enter(to, &greedy);
    tenth.offer(11);
    assert_eq!(garden.offer().transfer.0, [11; 16]);
}

#[test]
fn however_many_devices_offer_no_more_than_32_offers_wait() {
    let _alone = alone();
    let mut garden = Device::new("Garden");
    let to = garden.listen(AcceptPolicy::Ask, Some(PASSPHRASE));
    let mut guests = Vec::new();
    for n in 0..32 {
        let mut guest = Guest::enter(to, &Identity::generate().unwrap());
        guest.offer(n);
        garden.offer();
        guests.push(guest);
    }
    let mut late = Guest::enter(to, &Identity::generate().unwrap());
    late.offer(99);
    late.wait_for_the_end();
    assert_eq!(open_ones(&mut guests), 32);
}

#[test]
fn who_offers_nothing_is_hung_up_on_after_twenty_seconds() {
    let _alone = alone();
    let mut garden = Device::new("Garden");
    let to = garden.listen(AcceptPolicy::Ask, Some(PASSPHRASE));
    let mut idle = Guest::enter(to, &Identity::generate().unwrap());
    let begun = Instant::now();
    while !idle.is_closed() {
        // Life alone is not enough.
        idle.say(&Frame::Ping);
        assert!(begun.elapsed() < Duration::from_secs(40));
    }
    assert!(begun.elapsed() > Duration::from_secs(15));
}

/// Sends frames as fast as they go and never reads an answer; gives how much memory that took.
fn flood(frames: &[Frame], offers: bool) -> u64 {
    let mut garden = Device::new("Garden");
    let to = garden.listen(AcceptPolicy::Ask, Some(PASSPHRASE));
    let mut guest = Guest::enter(to, &Identity::generate().unwrap());
    if offers {
        guest.say(&Frame::Offer(Offer {
            transfer: Hex([1; 16]),
        }));
    }
    let bytes: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
    let many = bytes.repeat((64 << 10) / bytes.len());
    let send = |guest: &mut Guest, seconds: u64| {
        let begun = Instant::now();
        let mut sent = 0;
        while begun.elapsed() < Duration::from_secs(seconds) {
            if guest.0.writer.write(&many).is_err() {
                break;
            }
            sent += many.len();
        }
        sent
    };
    assert!(send(&mut guest, 1) > 0);
    let before = resident_bytes();
    let sent = send(&mut guest, 3);
    let grown = resident_bytes().saturating_sub(before);
    eprintln!("{frames:?}: {sent} bytes sent, {grown} bytes of memory");
    // It costs its own connection, and others are served.
    garden
        .engine
        .command(Command::StopListening(StopMode::LetFinish));
    let to = garden.listen(AcceptPolicy::All, Some(PASSPHRASE));
    honest(&mut garden, to);
    grown
}

#[test]
fn whoever_floods_and_never_reads_costs_bounded_memory() {
    let _alone = alone();
    for (frames, offers) in [
        (vec![Frame::Ping], false),
        (vec![Frame::Pong], false),
        (
            vec![Frame::Manifest(ManifestPart {
                entries: Vec::new(),
            })],
            true,
        ),
        (
            vec![Frame::Pause(Pause::from(Hold::Person)), Frame::GoOn],
            true,
        ),
    ] {
        let grown = flood(&frames, offers);
        assert!(grown < 16 << 20, "{frames:?}: {grown}");
    }
}

#[test]
fn wrong_codes_from_two_addresses_rest_the_code_keep_no_known_device_out_and_a_person_ends_that() {
    let _alone = alone();
    // It remembers somebody.
    let home = tempfile::tempdir().unwrap();
    let (known, _) = KnownDevices::open(&home.path().join("data"));
    let friend = Identity::generate().unwrap();
    let key = PairKey::derive(&[7; 32], friend.device_id(), DeviceId([0; 32]));
    let name = DeviceName::cleaned("Friend", "");
    known.wish(friend.device_id(), &name);
    assert!(known.pair(friend.device_id(), &name, key.clone()));
    let mut garden = Device::at(home, "Garden");
    let to = garden.listen(AcceptPolicy::All, None);
    garden.code();
    let guesser = Identity::generate().unwrap();
    // The first address alone cannot do it, however often it tries.
    for (host, tries) in [(2, 8), (3, 5)] {
        for _ in 0..tries {
            let from = Ipv4Addr::new(127, 0, 0, host);
            let tried = Guest::prove(to, from, &guesser, Method::Code, "not it");
            assert_eq!(
                tried.err(),
                Some(Refusal::Secret),
                "all failures look alike"
            );
        }
    }
    // What was not evaluated is no wrong try.
    let (mut wrong, mut resting) = (0, false);
    garden.wait("the rest after ten wrong tries", |event| {
        wrong += usize::from(matches!(event, Event::WrongSecret { .. }));
        resting |= matches!(event, Event::CodeRests(true));
        (resting && wrong == 10).then_some(())
    });
    // Not even the right one is taken now.
    let shown = |garden: &Device| {
        let codes = garden.said.iter().rev().find_map(|event| match event {
            Event::Code { code, .. } => Some(code.digits().to_owned()),
            _ => None,
        });
        codes.unwrap()
    };
    let here = Ipv4Addr::LOCALHOST;
    let right = shown(&garden);
    let resting = Guest::prove(to, here, &guesser, Method::Code, &right);
    assert_eq!(resting.err(), Some(Refusal::Secret));
    // Whom it remembers gets in all the while, also from the address that has used up its tries.
    for from in [here, Ipv4Addr::new(127, 0, 0, 2)] {
        let prove = |machine: &mut Client| machine.prove_pair(&key, &mut Random);
        assert!(Guest::greet(to, from, &friend, "Friend", prove).is_ok());
    }
    garden.engine.command(Command::NewCode);
    garden.wait("the end of the rest", |event| match event {
        Event::CodeRests(rests) => (!rests).then_some(()),
        _ => None,
    });
    let fresh = garden.code();
    let fresh = fresh.replace(' ', "");
    assert!(Guest::prove(to, here, &guesser, Method::Code, &fresh).is_ok());
}

/// What clears a screen, changes a title, colours, begins a line, turns one around or hides in it.
const ACTS: &str = "\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\r\n\u{8}\u{202e}\u{2066}\u{200b}\u{2028}";

fn acts(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
}

/// All that a running `ropeway receive` says and writes down of peers that mean harm.
fn said_and_logged(more: &[&str]) -> (String, String) {
    let home = tempfile::tempdir().unwrap();
    let (data, inbox) = (home.path().join("data"), home.path().join("inbox"));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    drop(listener);
    let at = to.to_string();
    let fixed = ["receive", "--listen", &at, "--dir", inbox.to_str().unwrap()];
    let mut command = ropeway(&data, &[&fixed, more].concat());
    command
        .env("ROPEWAY_CODE", PASSPHRASE)
        .env("ROPEWAY_LOG", "ropeway=debug,wire=trace")
        .stdout(File::create(home.path().join("out")).unwrap())
        .stderr(File::create(home.path().join("err")).unwrap());
    let mut receiving = command.spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    while std::net::TcpStream::connect(to).is_err() {
        assert!(
            Instant::now() < deadline,
            "{}",
            read(&home.path().join("err"))
        );
    }

    // Before it has proven anything: JSON whose error quotes what came.
    let identity = Identity::generate().unwrap();
    let socket = std::net::TcpStream::connect(to).unwrap();
    let mut channel = Channel::connect(socket, &identity, deadline).unwrap();
    let name = format!("Stranger{ACTS}");
    let hello = serde_json::json!({
        "versions": [VERSION], "features": [], "name": name, "system": name,
    });
    let forged = format!("{ACTS}2026-01-01T00:00:00.000000Z  INFO ropeway::engine: forged");
    let verify = serde_json::json!({"method": forged, "challenge": "00".repeat(32)});
    for (kind, body) in [(kind::HELLO, hello), (kind::VERIFY, verify)] {
        let frame = encode(kind, &serde_json::to_vec(&body).unwrap());
        channel.writer.write(&frame).unwrap();
    }
    let mut stranger = Guest(channel);
    stranger
        .0
        .established(Duration::from_millis(50), || {})
        .unwrap();
    stranger.wait_for_the_end();

    // Who knows the secret: its name, the names of files, why one cannot be read, and at last a code.
    let mut guest = Guest::enter_as(to, &identity, &format!("Evil{ACTS}"));
    let transfer = Hex([1; 16]);
    guest.say(&Frame::Offer(Offer { transfer }));
    let file = serde_json::json!({"entries": [{"name": format!("file{ACTS}"), "size": 1}]});
    let manifest = encode(kind::MANIFEST, &serde_json::to_vec(&file).unwrap());
    let failed = serde_json::json!({"entry": 0, "code": format!("code{ACTS}"), "detail": format!("detail{ACTS}")});
    let failed = encode(kind::FAILED, &serde_json::to_vec(&failed).unwrap());
    let cancel = serde_json::json!({"problem": {"code": format!("over{ACTS}"), "detail": format!("why{ACTS}")}});
    let cancel = encode(kind::CANCEL, &serde_json::to_vec(&cancel).unwrap());
    let end = Frame::ManifestEnd(ManifestEnd {
        entries: 1,
        bytes: 1,
    })
    .encode();
    for frame in [manifest, failed, end] {
        guest.0.writer.write(&frame).unwrap();
    }
    let out = home.path().join("out");
    while !read(&out).contains("Evil") {
        assert!(Instant::now() < deadline, "{}", read(&out));
    }
    let _ = guest.0.writer.write(&cancel);
    guest.wait_for_the_end();
    let pid = rustix::process::Pid::from_child(&receiving);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    receiving.wait().unwrap();
    let said = read(&out) + &read(&home.path().join("err"));
    let log = fs::read_dir(data.join("logs")).unwrap();
    let log = log.map(|entry| read(&entry.unwrap().path())).collect();
    (said, log)
}

#[test]
fn whatever_peers_call_themselves_and_their_files_acts_on_no_terminal_and_forges_no_line_of_the_log()
 {
    let _alone = alone();
    for more in [
        &["--accept", "all"][..],
        &["--accept", "ask"],
        &["--accept", "all", "--json"],
        &["--accept", "all", "--log", "wire"],
    ] {
        let (said, log) = said_and_logged(more);
        assert!(said.contains("Evil"), "{more:?}: {said}");
        assert!(!said.chars().any(acts), "{more:?}: {said:?}");
        // What was quoted is there, on the line that quotes it.
        assert!(log.contains("forged"), "{more:?}: {log}");
        assert!(!log.chars().any(acts), "{more:?}: {log:?}");
        for line in log.lines() {
            assert!(line.starts_with("20"), "{more:?}: {line}");
            assert!(
                !line.contains("forged") || line.contains("not let in"),
                "{line}"
            );
        }
    }
}

/// Devices, each with as many transfers as there are turns.
const SLOW: usize = 3;

#[test]
fn many_that_are_slow_keep_nobody_else_waiting() {
    let _alone = alone();
    let mut garden = Device::new("Garden");
    let to = garden.listen(AcceptPolicy::All, Some(PASSPHRASE));
    let turns = std::thread::available_parallelism().unwrap().get() + 1;
    // No device may have more than 64 connections.
    let each = turns.min(60);
    let many = SLOW * each;
    let mut slow: Vec<_> = (0..SLOW)
        .map(|n| Device::new(&format!("Slow {n}")))
        .collect();
    for device in &mut slow {
        device.engine.command(Command::SetLimits(Limits {
            bytes_per_second: Some(64 << 10),
            at_once: each,
        }));
        let film = device.home.path().join("film");
        File::create(&film).unwrap().set_len(32 << 20).unwrap();
        for _ in 0..each {
            device.send(&[&film], to, PASSPHRASE);
        }
    }
    let mut begun = HashSet::new();
    garden.wait("all of them begin", |event| match event {
        Event::State(transfer, TransferState::Running) => {
            begun.insert(*transfer);
            (begun.len() == many).then_some(())
        }
        _ => None,
    });
    let mut study = Device::new("Study");
    let quick = study.home.path().join("quick");
    // More than is granted in three turns.
    fs::write(&quick, noise(1, 25 << 20)).unwrap();
    study.send(&[&quick], to, PASSPHRASE);
    study.arrived();
    assert!(fs::read(garden.inbox().join("quick")).unwrap() == noise(1, 25 << 20));
    let over = |event: &Event| matches!(event, Event::Ended(_));
    for device in &slow {
        assert!(!device.events.try_iter().any(|it| over(&it)), "under way");
    }
}

#[test]
fn a_crowd_has_its_turns_and_all_of_it_is_exact() {
    let _alone = alone();
    let mut garden = Device::new("Garden");
    let to = garden.listen(AcceptPolicy::All, Some(PASSPHRASE));
    let many: u64 = 16;
    let mut crowd: Vec<_> = (0..many)
        .map(|n| Device::new(&format!("Guest {n}")))
        .collect();
    let content = |n: u64| noise(n, (17 << 20) + n as usize * 4_099);
    for (n, device) in (0..many).zip(&mut crowd) {
        let file = device.home.path().join(format!("{n}.bin"));
        fs::write(&file, content(n)).unwrap();
        device.send(&[&file], to, PASSPHRASE);
    }
    for device in &mut crowd {
        device.arrived();
    }
    for n in 0..many {
        let came = fs::read(garden.inbox().join(format!("{n}.bin"))).unwrap();
        assert!(came == content(n), "{n}");
    }
}
