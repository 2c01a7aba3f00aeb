//! Conversations with devices that are heard of, truly or not.

use super::nearby::{address, closed, hears, id, listen};
use super::*;
use crate::model::{DeviceId, Failure, PeerAddress};

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
