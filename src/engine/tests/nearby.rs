//! Devices that are heard of: tried wherever they may be, waited for, and remembered.

use super::*;
use crate::discovery::Heard;
use crate::model::{Bond, DeviceId, Failure, Nearby, Presence, System, TransferId, TransferState};

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

fn is_away(device: &Device, transfer: TransferId) {
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
fn an_engine_without_a_network_or_with_discovery_off_ends_as_it_began() {
    let study = device("Study");
    for presence in [
        Presence::Hidden,
        Presence::Off,
        Presence::Hidden,
        Presence::Off,
    ] {
        study.engine.command(Command::SetPresence(presence));
    }
    drop(study);
}
