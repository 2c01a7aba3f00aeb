//! Two (or many) engines talk with each other over loopback.

// Helpers of tests are tests, too; clippy only knows the functions that are marked.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;

use ropeway::engine::{AcceptPolicy, Bind, Command, Event, ListenOptions, NotSaid, StopMode, Talk};
use ropeway::model::{
    Allow, Conversation, Delivery, DeviceId, Direction, Failure, MAX_MESSAGE_BYTES, OnConflict,
    Outcome, Said, Trust,
};
use support::talk::{
    Wire, all_heard, away, became, delivered, failed, heard, message, open, opened, request, say,
    talk,
};
use support::{Device, PASSPHRASE};

/// Garden, which listens, and Study, which has opened a conversation with it; by which ids they know
/// each other.
fn talking() -> (Device, Device, DeviceId, DeviceId) {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let addr = garden.listen(AcceptPolicy::Ask, Some(PASSPHRASE));
    talk(&study, addr, PASSPHRASE, None);
    let there = opened(&mut study);
    let here = open(&mut garden);
    (garden, study, there, here)
}

/// Listens where people compare symbols, on a port that is free or given.
fn listen_to_anyone(device: &mut Device, at: &str) -> std::net::SocketAddr {
    device.engine.command(Command::Listen(ListenOptions {
        bind: Bind::Exact(at.parse().unwrap()),
        save_folder: device.inbox(),
        passphrase: Some(ropeway::model::Secret::passphrase(PASSPHRASE).unwrap()),
        allow: Allow::Anyone,
        accept: AcceptPolicy::Ask,
        remember: false,
        on_conflict: OnConflict::default(),
        once: false,
    }));
    device.wait("Listening", |event| match event {
        Event::Listening(listening) => Some(listening.addr),
        _ => None,
    })
}

fn conversations(device: &mut Device) -> Vec<Conversation> {
    device.wait("Conversations", |event| match event {
        Event::Conversations(all) => Some(all.clone()),
        _ => None,
    })
}

fn texts(conversation: &Conversation) -> Vec<(Direction, String, Delivery)> {
    let lines = conversation.lines.iter();
    let texts = lines.filter_map(|line| match &line.what {
        Said::Text { text, delivery, .. } => Some((line.direction, text.clone(), *delivery)),
        Said::Transfer(_) => None,
    });
    texts.collect()
}

#[test]
fn two_devices_talk_in_turns_and_each_message_is_told_to_have_arrived() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let addr = garden.listen(AcceptPolicy::Ask, Some(PASSPHRASE));
    talk(&study, addr, PASSPHRASE, Some((0, "hello")));
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
    open(&mut garden);
    study = study.again("Study");
    say(&study, there, 1, "back");
    assert_eq!(heard(&mut garden).1, "back");
    delivered(&mut study, 1);
    assert!(study.engine.opens_anew(there));
}

/// Twenty at once, fifty messages each way with each of them, turn by turn.
#[test]
fn many_devices_talk_at_the_same_time_in_order_and_nothing_is_lost_or_doubled() {
    const DEVICES: u64 = 20;
    const TURNS: u64 = 50;
    let mut garden = Device::new("Garden");
    let addr = garden.listen(AcceptPolicy::Ask, Some(PASSPHRASE));
    let mut others: Vec<_> = (0..DEVICES)
        .map(|n| Device::new(&format!("Device {n}")))
        .collect();
    let mut ids = Vec::new();
    let mut there = None;
    for other in &mut others {
        talk(other, addr, PASSPHRASE, None);
        there = Some(opened(other));
        ids.push(open(&mut garden));
    }
    let there = there.unwrap();
    for turn in 0..TURNS {
        for other in &others {
            say(other, there, turn, &format!("there {turn}"));
        }
        for _ in 0..DEVICES {
            let (from, text) = heard(&mut garden);
            assert_eq!(text, format!("there {turn}"));
            let n = ids.iter().position(|id| *id == from).unwrap() as u64;
            say(
                &garden,
                from,
                1000 + n * TURNS + turn,
                &format!("back {turn}"),
            );
        }
        for other in &mut others {
            assert_eq!(heard(other).1, format!("back {turn}"));
        }
    }
    for other in &mut others {
        delivered_all(other, TURNS, there);
    }
    let expected = |word: &str| {
        (0..TURNS)
            .map(|n| format!("{word} {n}"))
            .collect::<Vec<_>>()
    };
    let all = all_heard(&garden);
    assert_eq!(all.len() as u64, DEVICES);
    assert!(all.values().all(|texts| *texts == expected("there")));
    for other in &others {
        assert_eq!(all_heard(other)[&there], expected("back"));
    }
}

/// Each of the messages 0 to `count` has its receipt, once.
fn delivered_all(device: &mut Device, count: u64, to: DeviceId) {
    let told = |device: &Device| {
        let deliveries = device.said.iter().filter_map(|event| match event {
            Event::Delivery(peer, id, delivery) => Some((*peer, *id, *delivery)),
            _ => None,
        });
        deliveries.collect::<Vec<_>>()
    };
    while told(device).len() < count as usize {
        device.wait("Delivery", |event| {
            matches!(event, Event::Delivery(..)).then_some(())
        });
    }
    let expected: Vec<_> = (0..count)
        .map(|n| (to, message(n), Delivery::Delivered))
        .collect();
    assert_eq!(told(device), expected);
}

#[test]
fn without_a_secret_nothing_is_said_before_both_people_have_said_yes() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let addr = listen_to_anyone(&mut garden, "127.0.0.1:0");
    let id = talk(&study, addr, "", Some((1, "hello")));
    let here = study.wait("Symbols", |event| match event {
        Event::Symbols(which, symbols) if *which == id => Some(*symbols),
        _ => None,
    });
    let offer = garden.wait("TextOffered", |event| match event {
        Event::TextOffered(offer) => Some(offer.clone()),
        _ => None,
    });
    assert_eq!(offer.symbols, Some(here));
    assert_eq!(offer.from.trust, Trust::Asked);
    let device = offer.from.device_id.unwrap();
    // One yes alone, whosever it is.
    garden.engine.command(Command::AnswerText(device, true));
    let came = all_heard_within(&mut garden);
    assert_eq!(came, 0);
    study.engine.command(Command::Confirm(id, true));
    assert_eq!(heard(&mut garden), (device, "hello".into()));
    let there = opened(&mut study);
    delivered(&mut study, 1);
    // Both have said yes, so it is verified, and opens anew.
    say(&garden, device, 2, "back");
    assert_eq!(heard(&mut study).1, "back");
    study = study.again("Study");
    say(&study, there, 3, "again");
    assert_eq!(heard(&mut garden).1, "again");
}

/// What has come by now, and a moment later.
fn all_heard_within(device: &mut Device) -> usize {
    let moment = std::time::Duration::from_millis(300);
    while let Ok(event) = device.events.recv_timeout(moment) {
        device.said.push(event);
    }
    all_heard(device).values().flatten().count()
}

#[test]
fn a_no_of_either_person_ends_it_and_is_told() {
    for sender_says_no in [true, false] {
        let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
        let addr = listen_to_anyone(&mut garden, "127.0.0.1:0");
        let id = talk(&study, addr, "", Some((1, "hello")));
        let device = garden.wait("TextOffered", |event| match event {
            Event::TextOffered(offer) => offer.from.device_id,
            _ => None,
        });
        let no = Command::Confirm(id, !sender_says_no);
        study.wait("Symbols", |event| {
            matches!(event, Event::Symbols(..)).then_some(())
        });
        study.engine.command(no);
        let failure = if sender_says_no {
            garden.wait("TextWithdrawn", |event| {
                matches!(event, Event::TextWithdrawn(id) if *id == device).then_some(())
            });
            Failure::NotConfirmed
        } else {
            garden.engine.command(Command::AnswerText(device, false));
            Failure::Declined
        };
        assert_eq!(failed(&mut study), failure);
        for device in [&garden, &study] {
            assert!(
                !device
                    .said
                    .iter()
                    .any(|event| matches!(event, Event::Line(..)))
            );
        }
    }
}

#[test]
fn whoever_is_blocked_at_the_question_is_gone_and_cannot_ask_again() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let addr = listen_to_anyone(&mut garden, "127.0.0.1:0");
    talk(&study, addr, "", Some((1, "hello")));
    let device = garden.wait("TextOffered", |event| match event {
        Event::TextOffered(offer) => offer.from.device_id,
        _ => None,
    });
    garden.engine.command(Command::Block(device));
    failed(&mut study);
    talk(&study, addr, "", Some((1, "hello")));
    failed(&mut study);
    say(&garden, device, 1, "to somebody blocked");
    garden.wait("NotSaid", |event| match event {
        Event::NotSaid { why, .. } => {
            assert_eq!(*why, NotSaid::Blocked);
            Some(())
        }
        _ => None,
    });
}

#[test]
fn what_is_said_to_a_device_that_is_away_waits_and_is_said_in_order_when_it_is_back() {
    let (mut garden, mut study, there, _) = talking();
    let addr = garden.wait_listening();
    drop(garden.engine);
    drop(garden.events);
    for n in 0..100 {
        say(&study, there, n, &format!("while away {n}"));
    }
    away(&mut study);
    // A restart does not lose it either.
    study = study.again("Study");
    let kept = conversations(&mut study);
    assert_eq!(texts(&kept[0]).len(), 100);
    study.engine.command(Command::KeepConversations(true));
    assert!(matches!(away(&mut study), Failure::Refused { .. }));
    let home = garden.home;
    garden = Device::at(home, "Garden");
    garden.listen_at(addr, AcceptPolicy::Ask, PASSPHRASE);
    for n in 0..100 {
        assert_eq!(heard(&mut garden).1, format!("while away {n}"));
    }
    delivered(&mut study, 99);
}

#[test]
fn a_blocked_device_at_the_address_of_another_one_settles_nothing() {
    let (mut garden, mut study, there, _) = talking();
    let addr = garden.wait_listening();
    drop(garden.engine);
    drop(garden.events);
    away_or_resting(&mut study);
    let mut other = Device::new("Other");
    other.listen_at(addr, AcceptPolicy::Ask, PASSPHRASE);
    let blocked = other.said.iter().find_map(|event| match event {
        Event::Listening(listening) => Some(listening.device_id),
        _ => None,
    });
    study.engine.command(Command::Block(blocked.unwrap()));
    say(&study, there, 1, "to Garden alone");
    let failure = away(&mut study);
    assert!(
        matches!(failure, Failure::NotTheLinked { .. }),
        "{failure:?}"
    );
    drop(other.engine);
    drop(other.events);
    // It is tried again by itself.
    garden = Device::at(garden.home, "Garden");
    garden.listen_at(addr, AcceptPolicy::Ask, PASSPHRASE);
    assert_eq!(heard(&mut garden).1, "to Garden alone");
    delivered(&mut study, 1);
}

#[test]
fn a_line_that_breaks_again_and_again_loses_nothing_and_doubles_nothing() {
    const ROUNDS: u64 = 12;
    const EACH: u64 = 10;
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let addr = garden.listen(AcceptPolicy::Ask, Some(PASSPHRASE));
    let wire = Wire::new(addr);
    talk(&study, wire.address, PASSPHRASE, None);
    let there = opened(&mut study);
    let here = open(&mut garden);
    let padding = "x".repeat(500);
    let text = |word: &str, n: u64| format!("{word} {n} {padding}");
    for (round, bytes) in (0..ROUNDS).zip((9_000..).step_by(211)) {
        // Enough for a greeting; then it breaks anywhere, in a message or in a receipt.
        wire.bears(bytes);
        wire.cut();
        away(&mut study);
        open(&mut study);
        for n in round * EACH..(round + 1) * EACH {
            say(&study, there, n, &text("there", n));
            say(&garden, here, n, &text("back", n));
        }
        away(&mut study);
    }
    wire.bears(usize::MAX);
    let all = ROUNDS * EACH;
    let came = |device: &Device| all_heard(device).values().map(Vec::len).sum::<usize>();
    while came(&garden) < all as usize {
        heard(&mut garden);
    }
    while came(&study) < all as usize {
        heard(&mut study);
    }
    let expected = |word: &str| (0..all).map(|n| text(word, n)).collect::<Vec<_>>();
    assert_eq!(all_heard(&garden)[&here], expected("there"));
    assert_eq!(all_heard(&study)[&there], expected("back"));
    delivered_all(&mut study, all, there);
    delivered_all(&mut garden, all, here);
}

#[test]
fn a_message_that_waits_can_be_taken_back_and_is_never_said() {
    let (mut garden, mut study, there, _) = talking();
    let addr = garden.wait_listening();
    drop(garden.engine);
    drop(garden.events);
    away_or_resting(&mut study);
    for n in 0..3 {
        say(&study, there, n, &format!("waits {n}"));
    }
    study.engine.command(Command::TakeBack(there, message(1)));
    became(&mut study, 1, Delivery::NotDelivered);
    study = study.again("Study");
    let kept = conversations(&mut study);
    let states: Vec<_> = texts(&kept[0])
        .into_iter()
        .map(|(.., state)| state)
        .collect();
    let waiting = Delivery::Waiting;
    assert_eq!(states, [waiting, Delivery::NotDelivered, waiting]);
    garden = Device::at(garden.home, "Garden");
    garden.listen_at(addr, AcceptPolicy::Ask, PASSPHRASE);
    study.engine.command(Command::KeepConversations(true));
    assert_eq!(heard(&mut garden).1, "waits 0");
    assert_eq!(heard(&mut garden).1, "waits 2");
}

fn away_or_resting(device: &mut Device) {
    device.wait("the end of the connection", |event| {
        matches!(event, Event::Talk(_, Talk::Away(_) | Talk::Resting)).then_some(())
    });
}

#[test]
fn so_many_messages_wait_and_what_cannot_be_said_is_told() {
    let (garden, mut study, there, _) = talking();
    drop(garden.engine);
    away_or_resting(&mut study);
    let why = |device: &mut Device| {
        device.wait("NotSaid", |event| match event {
            Event::NotSaid { why, .. } => Some(*why),
            _ => None,
        })
    };
    say(&study, there, 0, "");
    assert_eq!(why(&mut study), NotSaid::Empty);
    say(&study, there, 0, &"x".repeat(MAX_MESSAGE_BYTES + 1));
    assert_eq!(why(&mut study), NotSaid::TooLong);
    for n in 0..201 {
        say(&study, there, n, "waits");
    }
    assert_eq!(why(&mut study), NotSaid::TooMany);
    let lines = study
        .said
        .iter()
        .filter(|event| matches!(event, Event::Line(..)));
    assert_eq!(lines.count(), 200);
}

#[test]
fn a_conversation_is_kept_with_its_transfers_and_can_be_cleared_or_not_kept() {
    let (mut garden, mut study, there, here) = talking();
    say(&study, there, 1, "look at this");
    heard(&mut garden);
    let file = study.home.path().join("a.txt");
    fs::write(&file, "hello").unwrap();
    let addr = garden.wait_listening();
    study.send(&[&file], addr, PASSPHRASE);
    let offer = garden.offer();
    let answer = ropeway::engine::Answer::Accept {
        folder: None,
        on_conflict: None,
        remember: false,
    };
    garden
        .engine
        .command(Command::Answer(offer.transfer, answer));
    garden.arrived();
    study.arrived();
    say(&garden, here, 2, "got it");
    heard(&mut study);
    delivered(&mut garden, 2);
    garden = garden.again("Garden");
    study = study.again("Study");
    for device in [&mut garden, &mut study] {
        let kept = conversations(device);
        assert_eq!(kept.len(), 1);
        let lines = &kept[0].lines;
        assert_eq!(lines.len(), 3, "{lines:?}");
        let Said::Transfer(transfer) = &lines[1].what else {
            panic!("{lines:?}");
        };
        assert_eq!(transfer.names, ["a.txt"]);
        assert_eq!((transfer.outcome, transfer.bytes), (Outcome::Arrived, 5));
        assert_ne!(lines[0].direction, lines[2].direction);
    }
    garden.engine.command(Command::ClearConversation(here));
    study.engine.command(Command::KeepConversations(false));
    say(&study, there, 3, "not kept");
    garden = garden.again("Garden");
    study = study.again("Study");
    for device in [&garden, &study] {
        let told = device.events.try_iter();
        assert_eq!(
            told.filter(|it| matches!(it, Event::Conversations(_)))
                .count(),
            0
        );
        let folder = device.home.path().join("data/conversations");
        for file in fs::read_dir(folder).unwrap() {
            let text = fs::read_to_string(file.unwrap().path()).unwrap();
            assert!(
                !text.contains("look") && !text.contains("not kept"),
                "{text}"
            );
        }
    }
    // The numbers are known all the same, and so is the key.
    assert!(study.engine.opens_anew(there));
}

#[test]
fn who_is_forgotten_or_blocked_is_heard_no_more_and_its_key_is_gone() {
    for block in [true, false] {
        let (mut garden, mut study, there, here) = talking();
        let addr = garden.wait_listening();
        garden.engine.command(match block {
            true => Command::Block(here),
            false => Command::ForgetDevice(here),
        });
        away_or_resting(&mut study);
        assert!(!garden.engine.opens_anew(here));
        say(&study, there, 1, "still there?");
        // Which of the two it was is not told.
        assert_eq!(away(&mut study), Failure::SecretNeeded);
        request(&study, addr, "", None, Some(there));
        failed(&mut study);
        assert_eq!(all_heard(&garden).len(), 0);
    }
}

#[test]
fn a_server_that_is_switched_off_lets_people_finish_talking() {
    let (mut garden, mut study, there, here) = talking();
    garden
        .engine
        .command(Command::StopListening(StopMode::LetFinish));
    garden.wait("ListenStopped", |event| {
        matches!(event, Event::ListenStopped).then_some(())
    });
    say(&study, there, 1, "hello");
    assert_eq!(heard(&mut garden).1, "hello");
    say(&garden, here, 2, "hello yourself");
    assert_eq!(heard(&mut study).1, "hello yourself");
}

#[test]
fn both_may_open_a_conversation_at_the_same_moment() {
    let (mut garden, mut study, there, here) = talking();
    let study_addr = study.listen(AcceptPolicy::Ask, Some(PASSPHRASE));
    talk(&garden, study_addr, PASSPHRASE, None);
    opened(&mut garden);
    for n in 0..40 {
        say(&garden, here, n, &format!("garden {n}"));
        say(&study, there, n, &format!("study {n}"));
    }
    for n in 0..40 {
        assert_eq!(heard(&mut study).1, format!("garden {n}"));
        assert_eq!(heard(&mut garden).1, format!("study {n}"));
    }
    delivered_all(&mut garden, 40, here);
    delivered_all(&mut study, 40, there);
}

#[test]
fn a_message_arrives_while_a_transfer_runs_and_before_that_has_ended() {
    let (mut garden, mut study) = support::under_way();
    let addr = garden.wait_listening();
    talk(&study, addr, PASSPHRASE, Some((1, "while it runs")));
    heard(&mut garden);
    delivered(&mut study, 1);
    let over = |device: &Device| device.said.iter().any(|it| matches!(it, Event::Ended(_)));
    assert!(!over(&garden) && !over(&study));
}

#[test]
fn people_who_talk_may_remember_each_other_and_then_need_nothing_else() {
    let (mut garden, mut study, there, here) = talking();
    garden.engine.command(Command::Remember(here));
    study.wait("WantsToBeRemembered", |event| {
        matches!(event, Event::WantsToBeRemembered(_)).then_some(())
    });
    study.engine.command(Command::Remember(there));
    for device in [&mut garden, &mut study] {
        device.wait("Paired", |event| {
            matches!(event, Event::Paired(_)).then_some(())
        });
    }
    say(&study, there, 1, "remember me");
    assert_eq!(heard(&mut garden).1, "remember me");
    // The pair key takes the place of the conversation's.
    assert!(!study.engine.opens_anew(there) && !garden.engine.opens_anew(here));
    study = study.again("Study");
    say(&study, there, 2, "again");
    let trust = garden.wait("the peer", |event| match event {
        Event::Line(peer, line) if line.direction == Direction::Receive => Some(peer.trust),
        _ => None,
    });
    assert_eq!(trust, Trust::Known);
    delivered(&mut study, 2);
    // Forgotten, it is a stranger again.
    garden.engine.command(Command::ForgetDevice(here));
    say(&study, there, 3, "and now?");
    assert!(matches!(
        away(&mut study),
        Failure::Lost | Failure::ForgottenThere { .. }
    ));
    assert!(!garden.engine.opens_anew(here));
}
