//! Conversations with devices that are heard of, truly or not.

use super::nearby::{address, closed, hears, id, listen};
use super::*;
use crate::engine::event::NotSaid;
use crate::engine::limits::CONVERSATIONS;
use crate::model::{DeviceId, Failure, MessageId, PeerAddress};
use crate::protocol::talking::{Place, Saying};
use crate::storage::transcripts::Transcripts;

fn talk(from: &Device, to: PeerAddress, device: DeviceId) {
    from.engine.command(Command::Talk(TalkRequest {
        id: new_transfer_id(),
        to,
        device: Some(Chosen {
            id: device,
            name: None,
        }),
        secret: Some(Secret::new(PASSPHRASE).unwrap()),
        ask: false,
        remember: false,
        first: None,
    }));
}

fn opened(device: &Device) -> Option<DeviceId> {
    device.wait(|event| match event {
        Event::TalkOpened(_, peer) => Some(peer.device_id),
        Event::TalkFailed(_, failure) => panic!("{failure:?}"),
        _ => None,
    })
}

/// Takes every connection and hangs up.
fn hangs_up() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().for_each(drop));
    at
}

#[test]
fn a_device_that_has_moved_is_talked_to_where_it_is_heard_of() {
    let (garden, study) = (device("Garden"), device("Study"));
    hears(&study, id(&garden), &[listen(&garden)]);
    talk(&study, address(closed()), id(&garden));
    assert_eq!(opened(&study), Some(id(&garden)));
}

#[test]
fn whoever_hangs_up_at_addresses_of_a_device_does_not_keep_it_from_being_reached() {
    let (garden, study) = (device("Garden"), device("Study"));
    // Being knocked at for as long as a crowd may take, these would outlast everybody's patience.
    let forged: Vec<_> = (0..4).map(|_| hangs_up()).collect();
    hears(&study, id(&garden), &forged);
    talk(&study, address(listen(&garden)), id(&garden));
    assert_eq!(opened(&study), Some(id(&garden)));
}

#[test]
fn somebody_else_at_the_only_address_of_a_device_is_told() {
    let (other, study) = (device("Other"), device("Study"));
    talk(&study, address(listen(&other)), DeviceId([9; 32]));
    let failure = study.wait(|event| match event {
        Event::TalkFailed(_, failure) => Some(failure),
        _ => None,
    });
    assert!(
        matches!(failure, Failure::NotTheLinked { .. }),
        "{failure:?}"
    );
}

#[test]
fn whoever_comes_under_many_ids_takes_no_place_of_what_people_have_said() {
    let study = device("Study");
    let conversations = &study.engine.shared.conversations;
    let name = DeviceName::cleaned("Friend", "x");
    let numbered = |n: u8| DeviceId([n; 32]);
    let said = |n: u8| {
        let line = conversations.say(numbered(n), &name, MessageId([n; 16]), "hello".into());
        line.map(drop)
    };
    let friend = numbered(0);
    assert_eq!(said(0), Ok(()));
    // It has its receipt, so nothing waits.
    let (order, saying) = conversations.next(friend, 0).unwrap();
    assert!(!conversations.may_be_there(friend, saying.id));
    conversations.was_said(friend, order);
    assert!(conversations.may_be_there(friend, saying.id));
    conversations.arrived(friend, &[saying.place]);
    assert!(!conversations.may_be_there(friend, saying.id));
    // With nothing said they take each other's place alone.
    for n in 1..=200 {
        assert!(conversations.takes_in(numbered(n)));
        conversations.met(numbered(n), &name, None);
    }
    assert!(conversations.name(friend).is_some());
    assert!(conversations.name(numbered(1)).is_none());
    // What was said stays, and is refused rather.
    let taken = (1..=200).filter(|n| said(*n).is_ok()).count();
    assert_eq!(taken, CONVERSATIONS - 1);
    assert_eq!(said(201), Err(NotSaid::NoRoom));
    assert!(!conversations.takes_in(numbered(201)));
    assert!(conversations.name(friend).is_some());
    conversations.clear(friend);
    assert!(conversations.takes_in(numbered(201)));
}

#[test]
fn what_cannot_be_written_has_no_receipt_and_of_too_much_nothing_more_is_heard() {
    let study = device("Study");
    let folder = study.home.path().join("data/conversations");
    std::fs::write(&folder, "in the way").unwrap();
    let conversations = &study.engine.shared.conversations;
    let (friend, name) = (DeviceId([1; 32]), DeviceName::cleaned("Friend", "x"));
    let (kept, receipts) = std::sync::mpsc::channel();
    let until = Instant::now() + PATIENCE;
    let mut heard = 0;
    while !conversations.is_behind(friend) {
        assert!(Instant::now() < until, "{heard} are not enough");
        if heard == 2_000 {
            thread::yield_now();
            continue;
        }
        heard += 1;
        let place = Place {
            stream: [1; 16],
            number: heard,
        };
        let saying = Saying {
            place,
            id: MessageId([2; 16]),
            text: "hello".into(),
        };
        let kept = kept.clone();
        let then = move || kept.send(()).unwrap();
        assert!(conversations.hear(friend, &name, saying, then).is_some());
    }
    assert!(receipts.try_recv().is_err());
    std::fs::remove_file(&folder).unwrap();
    for _ in 0..heard {
        receipts.recv_timeout(PATIENCE).unwrap();
    }
    let Device { engine, home, .. } = study;
    drop(engine);
    let (transcript, trouble) = Transcripts::new(&home.path().join("data")).read(friend);
    assert!(trouble.is_none(), "{trouble:?}");
    assert_eq!(transcript.lines.len() as u64, heard);
}
