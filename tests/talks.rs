//! Two (or many) engines talk with each other over loopback.

// Helpers of tests are tests, too; clippy only knows the functions that are marked.
#![allow(clippy::unwrap_used)]

mod support;

use std::net::SocketAddr;

use ropeway::engine::{AcceptPolicy, Command, Event, Talk, TalkRequest, new_transfer_id};
use ropeway::model::{Delivery, DeviceId, Direction, MessageId, Said, Secret, TransferId};
use support::{Device, PASSPHRASE};

/// Opens a conversation with whoever is there.
fn talk(
    device: &Device,
    to: SocketAddr,
    secret: &str,
    first: Option<(MessageId, &str)>,
) -> TransferId {
    let id = new_transfer_id();
    device.engine.command(Command::Talk(TalkRequest {
        id,
        to: to.to_string().parse().unwrap(),
        device: None,
        secret: (!secret.is_empty()).then(|| Secret::new(secret).unwrap()),
        ask: secret.is_empty(),
        remember: false,
        first: first.map(|(id, text)| (id, text.into())),
    }));
    id
}

fn opened(device: &mut Device) -> DeviceId {
    device.wait("TalkOpened", |event| match event {
        Event::TalkOpened(_, peer) => peer.device_id,
        _ => None,
    })
}

fn open_talk(device: &mut Device) -> DeviceId {
    device.wait("Talk::Open", |event| match event {
        Event::Talk(peer, Talk::Open) => peer.device_id,
        _ => None,
    })
}

fn message(n: u64) -> MessageId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&n.to_be_bytes());
    MessageId(id)
}

fn say(device: &Device, to: DeviceId, n: u64, text: &str) {
    let (id, text) = (message(n), text.to_owned());
    device.engine.command(Command::Say { to, id, text });
}

/// The next text that comes from elsewhere.
fn heard(device: &mut Device) -> (DeviceId, String) {
    device.wait("a message", |event| match event {
        Event::Line(peer, line) if line.direction == Direction::Receive => match &line.what {
            Said::Text { text, .. } => Some((peer.device_id?, text.clone())),
            Said::Transfer(_) => None,
        },
        _ => None,
    })
}

fn delivered(device: &mut Device, n: u64) {
    device.wait("Delivery", |event| match event {
        Event::Delivery(_, id, delivery) if *id == message(n) => {
            assert_eq!(*delivery, Delivery::Delivered);
            Some(())
        }
        _ => None,
    });
}

#[test]
fn two_devices_talk_in_turns_and_each_message_is_told_to_have_arrived() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let addr = garden.listen(AcceptPolicy::Ask, Some(PASSPHRASE));
    talk(&study, addr, PASSPHRASE, Some((message(0), "hello")));
    let there = opened(&mut study);
    let (from, text) = heard(&mut garden);
    assert_eq!(text, "hello");
    delivered(&mut study, 0);
    for n in 1..20 {
        let (here, other, to) = match n % 2 {
            1 => (&mut garden, &mut study, from),
            _ => (&mut study, &mut garden, there),
        };
        say(here, to, n, &format!("turn {n}\n\u{202e}\u{1b}[31m"));
        assert_eq!(heard(other).1, format!("turn {n}\n\u{202e}\u{1b}[31m"));
        delivered(here, n);
    }
}

#[test]
fn a_conversation_opens_anew_without_a_code_and_what_waited_is_said() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let addr = garden.listen(AcceptPolicy::Ask, None);
    let code = garden.code();
    talk(&study, addr, &code, None);
    let there = opened(&mut study);
    open_talk(&mut garden);
    study = study.again("Study");
    say(&study, there, 1, "back");
    assert_eq!(heard(&mut garden).1, "back");
    delivered(&mut study, 1);
}
