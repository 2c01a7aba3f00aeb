//! Devices that are heard of: tried wherever they may be, waited for, and remembered.

use std::net::{Ipv4Addr, Shutdown};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::RecvTimeoutError;

use super::*;
use crate::discovery::Heard;
use crate::engine::note::Note;
use crate::engine::supervisor::MOVED_AFTER_SECONDS;
use crate::model::{
    Bond, DeviceId, Failure, Hold, Nearby, Presence, System, TransferId, TransferState,
};
use crate::protocol::verification::PairKey;

pub(super) fn listen(device: &Device) -> SocketAddr {
    device.engine.command(Command::Listen(ListenOptions {
        bind: Bind::Exact("127.0.0.1:0".parse().unwrap()),
        save_folder: device.home.path().join("inbox"),
        passphrase: Some(Secret::passphrase(PASSPHRASE).unwrap()),
        allow: Allow::Code,
        accept: AcceptPolicy::All,
        remember: false,
        on_conflict: OnConflict::default(),
        once: false,
    }));
    device.wait(|event| match event {
        Event::Listening(listening) => Some(listening.addr),
        _ => None,
    })
}

pub(super) fn id(device: &Device) -> DeviceId {
    device.engine.shared.identity.device_id()
}

/// As discovery tells it.
pub(super) fn hears(device: &Device, of: DeviceId, addresses: &[SocketAddr]) {
    let nearby = Nearby {
        id: of,
        name: DeviceName::cleaned("Garden", "x"),
        system: System::Linux,
        receiving: !addresses.is_empty(),
        addresses: addresses.to_vec(),
    };
    let heard = Heard {
        nearby: vec![nearby],
        calls: Vec::new(),
    };
    device.engine.inputs.send(Input::Heard(heard)).unwrap();
}

fn request(from: &Device, name: &str, to: PeerAddress, device: DeviceId) -> SendRequest {
    let file = from.home.path().join(name);
    std::fs::write(&file, name).unwrap();
    SendRequest {
        transfer: new_transfer_id(),
        sources: vec![file],
        to,
        device: Some(Chosen {
            id: device,
            name: Some(DeviceName::cleaned("Garden", "x")),
        }),
        secret: Some(Secret::new(PASSPHRASE).unwrap()),
        ask: false,
        remember: false,
        wait_for_it: false,
    }
}

fn send(device: &Device, request: SendRequest) -> TransferId {
    let transfer = request.transfer;
    device.engine.command(Command::Send(request));
    transfer
}

pub(super) fn is_away(device: &Device, transfer: TransferId) {
    device.wait(|event| match event {
        Event::State(id, TransferState::Away) if id == transfer => Some(()),
        Event::Ended(summary) => panic!("{summary:?}"),
        _ => None,
    });
}

pub(super) fn address(at: SocketAddr) -> PeerAddress {
    at.to_string().parse().unwrap()
}

/// Nobody is there.
pub(super) fn closed() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

#[test]
fn a_send_waits_for_its_device_and_begins_when_it_is_heard_of() {
    let (garden, study) = (device("Garden"), device("Study"));
    let at = listen(&garden);
    let waits = |name| SendRequest {
        wait_for_it: true,
        ..request(&study, name, PeerAddress::nowhere(id(&garden)), id(&garden))
    };
    let first = send(&study, waits("a"));
    is_away(&study, first);
    let second = send(&study, waits("b"));
    is_away(&study, second);
    let cancelled = send(&study, waits("c"));
    is_away(&study, cancelled);
    study.engine.command(Command::Cancel(cancelled));
    assert!(matches!(study.ended(), Status::Cancelled(_)));
    hears(&study, id(&garden), &[]);
    hears(&study, id(&garden), &[at]);
    assert_eq!(study.ended(), Status::Arrived);
    assert_eq!(study.ended(), Status::Arrived);
    let inbox = garden.home.path().join("inbox");
    assert!(inbox.join("a").exists() && inbox.join("b").exists() && !inbox.join("c").exists());
}

#[test]
fn a_send_that_does_not_wait_fails_with_the_reason() {
    let (garden, study) = (device("Garden"), device("Study"));
    let at = closed();
    send(&study, request(&study, "a", address(at), id(&garden)));
    let failure = study.wait(|event| match event {
        Event::Ended(summary) => Some(summary.failure),
        _ => None,
    });
    let address = at.to_string();
    assert_eq!(failure, Some(Failure::Refused { address }));
}

#[test]
fn a_forger_that_is_always_somewhere_else_holds_no_send_for_ever() {
    let (garden, study) = (device("Garden"), device("Study"));
    let (of, shared) = (id(&garden), study.engine.shared.clone());
    let over = Arc::new(AtomicBool::new(false));
    let tries = Arc::new(AtomicUsize::new(0));
    let (stop, tried) = (over.clone(), tries.clone());
    let (first, there) = channel();
    let forger = thread::spawn(move || {
        let mut hangs_up = None;
        while !stop.load(Ordering::SeqCst) {
            // Never the same one again.
            let number = u32::try_from(tried.load(Ordering::SeqCst)).unwrap();
            let ip = Ipv4Addr::from_bits(Ipv4Addr::new(127, 1, 0, 1).to_bits() + number);
            let listener = TcpListener::bind((ip, 0)).unwrap();
            shared.whereabouts.set(&[Nearby {
                id: of,
                name: DeviceName::cleaned("Garden", "x"),
                system: System::Linux,
                receiving: true,
                addresses: vec![listener.local_addr().unwrap()],
            }]);
            first.send(()).ok();
            drop(hangs_up.take());
            listener.set_nonblocking(true).unwrap();
            while !stop.load(Ordering::SeqCst) && hangs_up.is_none() {
                hangs_up = listener.accept().ok();
                thread::yield_now();
            }
            tried.fetch_add(1, Ordering::SeqCst);
        }
    });
    there.recv().unwrap();
    send(&study, request(&study, "a", PeerAddress::nowhere(of), of));
    assert_eq!(study.ended(), Status::Failed);
    over.store(true, Ordering::SeqCst);
    forger.join().unwrap();
    assert!(tries.load(Ordering::SeqCst) > 1);
}

#[test]
fn somebody_else_at_one_address_of_a_device_is_passed_over_for_the_next() {
    let (garden, other, study) = (device("Garden"), device("Other"), device("Study"));
    let (right, wrong) = (listen(&garden), listen(&other));
    hears(&study, id(&garden), &[wrong, closed(), right]);
    let alone = PeerAddress::nowhere(id(&garden));
    send(&study, request(&study, "a", alone, id(&garden)));
    assert_eq!(study.ended(), Status::Arrived);
    // What was typed is the last that is tried, and if nobody else is left, it says who was there.
    send(&study, request(&study, "b", address(wrong), id(&garden)));
    assert_eq!(study.ended(), Status::Arrived);
    let stranger = DeviceId([9; 32]);
    send(&study, request(&study, "c", address(wrong), stranger));
    let failure = study.wait(|event| match event {
        Event::Ended(summary) => Some(summary.failure),
        _ => None,
    });
    assert!(
        matches!(failure, Some(Failure::Moved { .. })),
        "{failure:?}"
    );
    assert!(!other.home.path().join("inbox").exists());
}

/// Whoever connects is hung up on; says how often that was.
fn hangs_up() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let times = Arc::new(AtomicUsize::new(0));
    let counted = times.clone();
    thread::spawn(move || {
        for _socket in listener.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    (at, times)
}

/// Passes on what is said to that address, and gives its sockets.
fn relay(to: SocketAddr) -> (SocketAddr, Receiver<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let (sender, sockets) = channel();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let (here, there) = (socket.unwrap(), TcpStream::connect(to).unwrap());
            let pairs = [(&here, &there), (&there, &here)];
            for (from, to) in pairs {
                let mut from = from.try_clone().unwrap();
                let mut to = to.try_clone().unwrap();
                thread::spawn(move || std::io::copy(&mut from, &mut to));
            }
            sender.send(here).unwrap();
            sender.send(there).unwrap();
        }
    });
    (at, sockets)
}

#[test]
fn who_accepts_and_hangs_up_at_an_address_that_was_heard_does_not_hide_a_device() {
    let (garden, study) = (device("Garden"), device("Study"));
    let at = listen(&garden);
    let (forged, times) = hangs_up();
    hears(&study, id(&garden), &[forged]);
    send(&study, request(&study, "a", address(at), id(&garden)));
    assert_eq!(study.ended(), Status::Arrived);
    assert_eq!(times.load(Ordering::SeqCst), 1);
}

#[test]
fn a_send_that_waits_outlasts_a_device_that_is_lost_before_it_has_answered() {
    let (garden, study) = (device("Garden"), device("Study"));
    let at = garden.listen(AcceptPolicy::Ask);
    let (between, sockets) = relay(at);
    let waits = SendRequest {
        wait_for_it: true,
        ..request(&study, "a", PeerAddress::nowhere(id(&garden)), id(&garden))
    };
    hears(&study, id(&garden), &[between]);
    let transfer = send(&study, waits);
    garden.wait(|event| match event {
        Event::Offer(offer) if !offer.counting => Some(()),
        _ => None,
    });
    hears(&study, id(&garden), &[]);
    for socket in sockets.try_iter() {
        socket.shutdown(Shutdown::Both).unwrap();
    }
    is_away(&study, transfer);
    let at = listen(&garden);
    hears(&study, id(&garden), &[at]);
    assert_eq!(study.ended(), Status::Arrived);
}

#[test]
fn a_silent_connection_is_given_up_only_if_its_device_is_no_longer_heard_where_it_was() {
    let (garden, study) = (device("Garden"), device("Study"));
    let at = garden.listen(AcceptPolicy::Ask);
    let elsewhere = "127.0.0.9:9".parse().unwrap();
    hears(&study, id(&garden), &[at, elsewhere]);
    // The first connection of it.
    let quiet = || {
        let quiet = Note::Quiet(MOVED_AFTER_SECONDS);
        study.engine.inputs.send(Input::Note(1, quiet)).unwrap();
    };
    let alone = PeerAddress::nowhere(id(&garden));
    let transfer = send(&study, request(&study, "a", alone, id(&garden)));
    let offered = garden.wait(|event| match event {
        Event::Offer(offer) if !offer.counting => Some(offer.transfer),
        _ => None,
    });
    assert_eq!(offered, transfer);
    // It has two addresses; or somebody says so.
    quiet();
    study.wait(|event| match event {
        Event::Quiet { .. } => Some(()),
        Event::Ended(summary) => panic!("{summary:?}"),
        _ => None,
    });
    let moved = |event| match event {
        Event::Ended(summary) => Some(summary.status),
        _ => None,
    };
    hears(&study, id(&garden), &[elsewhere]);
    quiet();
    assert_eq!(study.wait(moved), Status::Interrupted);
}

/// As after a meeting.
pub(super) fn pair(one: &Device, other: &Device) -> PairKey {
    let key = PairKey::derive(&[1; 32], id(one), id(other));
    for (here, there) in [(one, other), (other, one)] {
        let known = &here.engine.shared.known;
        let name = DeviceName::cleaned("Friend", "x");
        assert!(known.wish(id(there), &name) && known.pair(id(there), &name, key.clone()));
    }
    key
}

#[test]
fn a_call_that_could_not_be_answered_is_answered_a_while_later_although_nothing_new_is_heard() {
    let (garden, study) = (device("Garden"), device("Study"));
    let key = pair(&garden, &study);
    listen(&garden);
    let caller = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = caller.local_addr().unwrap();
    let (sender, called) = channel();
    thread::spawn(move || sender.send(caller.accept().is_ok()));
    let (ours, theirs) = (id(&study), id(&garden));
    let now = std::time::SystemTime::now();
    let call = calls::call(calls::By::Pair(&key), ours, theirs, at.port(), [7; 16], now).unwrap();
    for at in [closed(), at] {
        let heard = Heard {
            nearby: Vec::new(),
            calls: vec![(ours, call.clone(), vec![at])],
        };
        garden.engine.inputs.send(Input::Heard(heard)).unwrap();
    }
    assert_eq!(called.recv_timeout(PATIENCE), Ok(true));
}

#[test]
fn nobody_waits_for_a_call_that_is_not_said() {
    let study = device("Study");
    let (sender, announced) = channel();
    let calls = Note::Calls(DeviceId([9; 32]), [1; 16], sender);
    study.engine.inputs.send(Input::Note(1, calls)).unwrap();
    let refused = Err(std::sync::mpsc::RecvTimeoutError::Disconnected);
    assert_eq!(announced.recv_timeout(PATIENCE), refused);
}

#[test]
fn transfers_to_two_addresses_of_one_device_take_turns() {
    let (garden, study) = (device("Garden"), device("Study"));
    let at = listen(&garden);
    let (other, _sockets) = relay(at);
    study.engine.command(Command::SetLimits(Limits {
        bytes_per_second: Some(50_000),
        at_once: 1,
    }));
    let to = |name: &str, at: SocketAddr| {
        let request = request(&study, name, address(at), id(&garden));
        std::fs::write(&request.sources[0], vec![0; 5_000_000]).unwrap();
        send(&study, request)
    };
    let first = to("a", at);
    study.wait(|event| match event {
        Event::State(id, TransferState::Running) if id == first => Some(()),
        _ => None,
    });
    let second = to("b", other);
    let held = study.wait(|event| match event {
        Event::Held(id, holds) => Some((id, holds.here)),
        Event::Ended(summary) => panic!("{summary:?}"),
        _ => None,
    });
    assert_eq!(held, (second, Some(Hold::Turn)));
}

#[test]
fn a_blocked_device_does_not_appear_and_an_unblocked_one_does() {
    let (garden, study) = (device("Garden"), device("Study"));
    let at = closed();
    let told = || {
        study.wait(|event| match event {
            Event::Nearby(nearby) => Some(nearby.len()),
            _ => None,
        })
    };
    hears(&study, id(&garden), &[at]);
    assert_eq!(told(), 1);
    study.engine.command(Command::Block(id(&garden)));
    assert_eq!(told(), 0);
    study.engine.command(Command::ForgetDevice(id(&garden)));
    assert_eq!(told(), 1);
    assert!(
        study
            .engine
            .known()
            .iter()
            .all(|known| known.bond != Bond::Blocked)
    );
}

#[test]
fn an_address_that_was_typed_and_reached_is_recent_until_it_is_forgotten() {
    let (garden, study) = (device("Garden"), device("Study"));
    let at = listen(&garden);
    let recent = || {
        study.wait(|event| match event {
            Event::Recent(recent) => Some(recent),
            _ => None,
        })
    };
    study.send(at);
    let reached = recent();
    assert_eq!(reached[0].address, address(at));
    assert_eq!(
        (reached[0].device, reached[0].name.as_str()),
        (id(&garden), "Garden")
    );
    assert_eq!(study.ended(), Status::Arrived);
    // What discovery has found is not typed.
    hears(&study, id(&garden), &[at]);
    study.engine.command(Command::ForgetRecent(address(at)));
    assert!(recent().is_empty());
    send(&study, request(&study, "a", address(at), id(&garden)));
    assert_eq!(study.ended(), Status::Arrived);
    assert!(study.engine.shared.recent.all().is_empty());
}

#[test]
fn an_engine_whose_discovery_was_switched_on_and_off_ends_whole_and_says_nothing_more() {
    let mut study = device("Study");
    for presence in [
        Presence::Hidden,
        Presence::Off,
        Presence::Hidden,
        Presence::Off,
    ] {
        study.engine.command(Command::SetPresence(presence));
    }
    // Done in this order, so the last one was taken in when this is answered.
    let folder = study.home.path().to_path_buf();
    study.engine.command(Command::MeasureRoom(folder));
    study.wait(|event| matches!(event, Event::Room { .. }).then_some(()));
    assert!(study.engine.end().is_ok(), "no defect of the supervisor");
    let deadline = Instant::now() + PATIENCE;
    let over = loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match study.events.recv_timeout(left) {
            Ok(_said) => {}
            Err(over) => break over,
        }
    };
    // Whoever could say something is gone.
    assert_eq!(over, RecvTimeoutError::Disconnected);
}
