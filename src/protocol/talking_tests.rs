use super::frame::kind;
use super::message::{Empty, Frame, Hex, Message, Receipt, Violation};
use super::talking::{MOST_IN_FLIGHT, Place, Saying, Talking, TalkingEvent};
use crate::model::{MAX_MESSAGE_BYTES, MessageId};

fn place(number: u64) -> Place {
    Place {
        stream: [1; 16],
        number,
    }
}

fn saying(number: u64, text: &str) -> Saying {
    Saying {
        place: place(number),
        id: MessageId([number as u8; 16]),
        text: text.into(),
    }
}

fn message(number: u64, text: &str) -> Frame {
    Frame::Message(Message {
        stream: Hex([1; 16]),
        number,
        id: Hex([number as u8; 16]),
        text: text.into(),
    })
}

fn receipt(number: u64) -> Frame {
    Frame::Receipt(Receipt {
        stream: Hex([1; 16]),
        number,
    })
}

fn events(end: &mut Talking) -> Vec<TalkingEvent> {
    std::iter::from_fn(|| end.poll_event()).collect()
}

/// Carries everything that waits, both ways.
fn carry(a: &mut Talking, b: &mut Talking) {
    loop {
        let (from_a, from_b) = (a.poll_transmit(), b.poll_transmit());
        if from_a.is_none() && from_b.is_none() {
            return;
        }
        from_a
            .into_iter()
            .for_each(|frame| b.handle_frame(frame).unwrap());
        from_b
            .into_iter()
            .for_each(|frame| a.handle_frame(frame).unwrap());
    }
}

fn open() -> (Talking, Talking) {
    let (mut client, mut server) = (Talking::client(), Talking::server());
    client.welcome();
    carry(&mut client, &mut server);
    assert_eq!(events(&mut server), [TalkingEvent::Asked]);
    server.welcome();
    carry(&mut client, &mut server);
    assert_eq!(events(&mut client), [TalkingEvent::Opened]);
    assert_eq!(events(&mut server), [TalkingEvent::Opened]);
    (client, server)
}

#[test]
fn messages_go_both_ways_in_order_and_each_gets_its_receipt() {
    let (mut a, mut b) = open();
    assert!(a.say(saying(3, "one")) && a.say(saying(7, "two")) && b.say(saying(0, "three")));
    carry(&mut a, &mut b);
    let heard = |number, text| TalkingEvent::Heard(saying(number, text));
    assert_eq!(events(&mut b), [heard(3, "one"), heard(7, "two")]);
    assert_eq!(events(&mut a), [heard(0, "three")]);
    assert!(a.is_on_its_way(place(3)));
    b.receipt(place(7));
    a.receipt(place(0));
    carry(&mut a, &mut b);
    let arrived = TalkingEvent::Receipted(vec![place(3), place(7)]);
    assert_eq!(events(&mut a), [arrived]);
    assert_eq!(events(&mut b), [TalkingEvent::Receipted(vec![place(0)])]);
    assert!(!a.is_on_its_way(place(3)));
}

#[test]
fn nothing_is_said_before_both_ends_welcome_it() {
    let (mut client, mut server) = (Talking::client(), Talking::server());
    assert!(!client.say(saying(1, "early")) && !server.say(saying(1, "early")));
    carry(&mut client, &mut server);
    server.welcome();
    carry(&mut client, &mut server);
    assert!(!client.is_open() && !server.is_open());
    assert!(!client.say(saying(1, "early")) && !server.say(saying(1, "early")));
    client.welcome();
    carry(&mut client, &mut server);
    assert!(client.is_open() && server.is_open());
}

#[test]
fn a_no_ends_it_and_what_crosses_it_means_nothing() {
    let (mut client, mut server) = (Talking::client(), Talking::server());
    carry(&mut client, &mut server);
    client.welcome();
    server.decline();
    carry(&mut client, &mut server);
    assert_eq!(events(&mut client), [TalkingEvent::Unwelcome]);
    assert_eq!(events(&mut server), [TalkingEvent::Asked]);
    assert!(!client.is_open() && !server.is_open());
    assert!(server.handle_frame(message(1, "all the same")).is_err());
    client.welcome();
    server.welcome();
    assert_eq!(
        (client.poll_transmit(), server.poll_transmit()),
        (None, None)
    );
}

#[test]
fn frames_are_legal_in_their_state_alone() {
    let empty = Empty {};
    let all = [
        Frame::Talk(empty.clone()),
        Frame::Welcome(empty.clone()),
        Frame::Unwelcome(empty),
        message(1, "text"),
        receipt(1),
    ];
    let asked = || {
        let mut server = Talking::server();
        server.handle_frame(Frame::Talk(Empty {})).unwrap();
        server
    };
    let over = || {
        let mut server = asked();
        server.decline();
        server
    };
    // A receipt is legal for something that was said.
    let opened = || {
        let (mut client, _server) = open();
        client.say(saying(1, "text"));
        client
    };
    let legal: [(&dyn Fn() -> Talking, &[u8]); 5] = [
        (&Talking::server, &[kind::TALK]),
        (&Talking::client, &[kind::WELCOME, kind::UNWELCOME]),
        (&asked, &[kind::WELCOME, kind::UNWELCOME]),
        (&opened, &[kind::MESSAGE, kind::RECEIPT]),
        (&over, &[kind::WELCOME, kind::UNWELCOME]),
    ];
    for (row, (state, kinds)) in legal.iter().enumerate() {
        for frame in &all {
            let handled = state().handle_frame(frame.clone());
            assert_eq!(
                handled.is_ok(),
                kinds.contains(&frame.kind()),
                "{row} {frame:?}"
            );
        }
        for foreign in [Frame::Finish, Frame::GoOn, Frame::Refused] {
            assert!(state().handle_frame(foreign).is_err());
        }
    }
    let mut twice = asked();
    twice.handle_frame(Frame::Welcome(Empty {})).unwrap();
    assert!(twice.handle_frame(Frame::Welcome(Empty {})).is_err());
}

#[test]
fn a_hostile_message_or_receipt_is_a_violation() {
    let longest = "x".repeat(MAX_MESSAGE_BYTES);
    let too_long = "x".repeat(MAX_MESSAGE_BYTES + 1);
    let refused = |frames: &[Frame]| {
        let (mut client, _server) = open();
        client.say(saying(5, "said"));
        let mut frames = frames.iter().cloned();
        frames.try_for_each(|frame| client.handle_frame(frame))
    };
    assert_eq!(refused(&[message(1, &longest), receipt(5)]), Ok(()));
    for frames in [
        vec![message(1, "")],
        vec![message(1, &too_long)],
        vec![message(2, "a"), message(2, "a")],
        vec![message(2, "a"), message(1, "a")],
        vec![receipt(4)],
        vec![receipt(6)],
        vec![receipt(5), receipt(5)],
        (0..=MOST_IN_FLIGHT as u64)
            .map(|number| message(number, "a"))
            .collect(),
    ] {
        assert!(
            matches!(refused(&frames), Err(Violation::Malformed(_))),
            "{frames:?}"
        );
    }
}

#[test]
fn so_many_wait_for_a_receipt_and_a_receipt_makes_room() {
    let (mut a, mut b) = open();
    for number in 0..MOST_IN_FLIGHT as u64 {
        assert!(a.say(saying(number, "a")));
    }
    assert!(!a.has_room() && !a.say(saying(99, "a")));
    carry(&mut a, &mut b);
    // What is not kept gets no receipt; what was not heard cannot get one.
    b.receipt(place(99));
    assert_eq!(b.poll_transmit(), None);
    b.receipt(place(0));
    carry(&mut a, &mut b);
    assert!(a.has_room() && a.say(saying(99, "a")) && !a.has_room());
}
