//! Conversations in the window: what is typed, said, shown and asked.
#![cfg(feature = "gui")]
// Helpers of tests are tests, too; clippy only knows the functions that are marked.
#![allow(clippy::unwrap_used)]

mod support;
#[path = "support/window.rs"]
mod window;

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use ropeway::engine::{Command, Event, NotSaid, Talk, TalkRequest, TextOffer};
use ropeway::gui::clipboard::{Clip, NoPicture};
use ropeway::model::{
    Conversation, Delivery, DeviceId, DeviceName, Direction, Failure, Line, MessageId, Outcome,
    Peer, PeerAddress, Problem, Said, TransferId, TransferLine, Trust, Way,
};
use ropeway::settings::Language;
use window::*;

const LAPTOP: DeviceId = DeviceId([7; 32]);
const STRANGER: DeviceId = DeviceId([8; 32]);
const TALKS_KEYS: Modifiers = Modifiers {
    shift: true,
    ..Modifiers::COMMAND
};

fn of(id: DeviceId, name: &str, trust: Trust) -> Peer {
    Peer {
        device_id: Some(id),
        trust,
        ..peer(name)
    }
}

fn laptop() -> Peer {
    of(LAPTOP, "Garden laptop", Trust::Known)
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_millis().try_into().unwrap()
}

fn text_line(at: u64, direction: Direction, id: u8, text: &str, delivery: Delivery) -> Line {
    let (id, text) = (MessageId([id; 16]), text.to_owned());
    Line {
        at,
        direction,
        what: Said::Text { id, text, delivery },
    }
}

fn heard(text: &str) -> Event {
    let line = text_line(now(), Direction::Receive, 1, text, Delivery::Delivered);
    Event::Line(laptop(), line)
}

/// The laptop is paired and nearby, and its conversation is open.
fn with_the_laptop(language: Language) -> Window<'static> {
    let mut window = Window::new(language);
    window.say(Event::Devices(vec![known(LAPTOP, "Garden laptop")]));
    window.say(Event::Nearby(vec![nearby(LAPTOP, "Garden laptop", true)]));
    window.press(TALKS_KEYS, Key::M);
    window.click("Garden laptop");
    window
}

/// Somebody who receives is nearby, and not known; the conversation is open.
fn with_a_stranger() -> (Window<'static>, PeerAddress) {
    let mut window = Window::english();
    window.say(Event::Nearby(vec![nearby(STRANGER, "Kitchen PC", true)]));
    window.press(TALKS_KEYS, Key::M);
    window.click("Kitchen PC");
    let at = looked_at(&window).expect("it is asked what it takes");
    (window, at)
}

fn stranger_at(at: &PeerAddress, ways: &[Way]) -> Event {
    found(at, STRANGER, "Kitchen PC", ways)
}

fn write(window: &mut Window, text: &str) {
    let role = Role::MultilineTextInput;
    let field = window.harness.get_by_role(role);
    field.focus();
    window.harness.run();
    window.harness.get_by_role(role).type_text(text);
    window.harness.run();
}

/// What stands in the field.
fn typed(window: &Window) -> String {
    let field = window.harness.get_by_role(Role::MultilineTextInput);
    field.accesskit_node().value().unwrap_or_default()
}

fn said(window: &Window) -> (DeviceId, MessageId, String) {
    match window.command() {
        Some(Command::Say { to, id, text }) => (to, id, text),
        other => panic!("something said, not {other:?}"),
    }
}

fn asked_to_talk(window: &Window) -> TalkRequest {
    match window.command() {
        Some(Command::Talk(request)) => request,
        other => panic!("a conversation, not {other:?}"),
    }
}

/// What the window asked the system for in the last frame.
fn asked_system(window: &Window) -> Vec<egui::OutputCommand> {
    window.harness.output().platform_output.commands.clone()
}

/// Clicks, and draws one frame alone, whose wishes can still be seen.
fn click_once(window: &mut Window, role: Role, label: &str) {
    window.harness.get_by_role_and_label(role, label).click();
    window.harness.step();
}

#[test]
fn the_header_counts_what_is_unread_and_the_keys_open_and_close_conversations() {
    let mut window = Window::english();
    window.say(Event::Devices(vec![known(LAPTOP, "Garden laptop")]));
    window.say(heard("one"));
    window.say(heard("two"));
    let button = window.harness.get_by(|node| {
        let label = node.label().unwrap_or_default();
        label.starts_with("Conversations") && label.contains('2')
    });
    button.click();
    window.harness.run();
    // The newest conversation is in sight, and so it is read.
    assert!(sees(&window, "two"));
    window.press(TALKS_KEYS, Key::M);
    assert!(!sees(&window, "two"));
    window.harness.get_by_label("Conversations");
    window.press(TALKS_KEYS, Key::M);
    assert!(sees(&window, "two"));
    window.say(heard("three"));
    window.click("Transfers");
    // What was in sight when it came is read.
    window.harness.get_by_label("Conversations");
}

#[test]
fn enter_says_what_is_typed_and_shift_enter_makes_a_new_line() {
    let mut window = with_the_laptop(Language::English);
    write(&mut window, "Tea");
    window.press(Modifiers::SHIFT, Key::Enter);
    assert!(window.command().is_none());
    write(&mut window, "is ready ");
    window.press(Modifiers::NONE, Key::Enter);
    let (to, id, text) = said(&window);
    assert_eq!((to, text.as_str()), (LAPTOP, "Tea\nis ready"));
    assert_eq!(typed(&window), "");
    // The field waits for more, and what was said is seen when the engine has taken it.
    write(&mut window, "   ");
    window.press(Modifiers::NONE, Key::Enter);
    assert!(window.command().is_none(), "nothing but blanks is nothing");
    assert_eq!(typed(&window), "   ", "Enter alone makes no line");
    let what = Said::Text {
        id,
        text,
        delivery: Delivery::Waiting,
    };
    let (at, direction) = (now(), Direction::Send);
    let line = Line {
        at,
        direction,
        what,
    };
    window.say(Event::Line(laptop(), line));
    window.harness.get_by_label("Tea\nis ready");
}

#[test]
fn what_could_not_be_said_comes_back_with_the_reason() {
    let mut window = with_the_laptop(Language::English);
    write(&mut window, "Tea");
    window.press(Modifiers::NONE, Key::Enter);
    let (to, id, _) = said(&window);
    // The person is about the next message already.
    write(&mut window, "Cake");
    let why = NotSaid::TooMany;
    window.say(Event::NotSaid { to, id, why });
    assert_eq!(
        typed(&window),
        "Tea\nCake",
        "nothing that was typed is lost"
    );
    let sentence = "So much waits for this device that no more is taken.";
    window.harness.get_by_label(sentence);
    window.press(Modifiers::NONE, Key::Enter);
    let (_, id, text) = said(&window);
    let what = Said::Text {
        id,
        text,
        delivery: Delivery::Waiting,
    };
    let (at, direction) = (now(), Direction::Send);
    window.say(Event::Line(
        laptop(),
        Line {
            at,
            direction,
            what,
        },
    ));
    assert!(!sees(&window, sentence));
}

#[test]
fn text_that_is_too_long_is_kept_and_the_way_out_is_named() {
    let mut window = with_the_laptop(Language::English);
    write(&mut window, "x");
    let field = window.harness.get_by_role(Role::MultilineTextInput);
    field.type_text(&"语".repeat(16 * 1024 / 3 + 1));
    // The field grows to its last height, and what is above gives way.
    window.harness.run_steps(10);
    window.press(Modifiers::NONE, Key::Enter);
    assert!(window.command().is_none());
    window
        .harness
        .get_by_label("Too long for a message; send it as a file.");
    assert!(typed(&window).len() > 16 * 1024);
}

#[test]
fn a_message_waits_until_it_is_delivered_or_taken_back() {
    let mut window = with_the_laptop(Language::English);
    let away = Failure::Unreachable {
        address: "192.168.1.20:9000".into(),
    };
    window.say(Event::Talk(laptop(), Talk::Away(away)));
    for id in [2, 3] {
        let text = format!("Message {id}");
        let line = text_line(now(), Direction::Send, id, &text, Delivery::Waiting);
        window.say(Event::Line(laptop(), line));
    }
    window
        .harness
        .get_by_label("2 messages wait until the other device is back.");
    let delivered = MessageId([2; 16]);
    window.say(Event::Delivery(LAPTOP, delivered, Delivery::Delivered));
    window.harness.get_by_label("delivered");
    window.harness.get_by_label("waits");
    window
        .harness
        .get_by_label("1 message waits until the other device is back.");
    // What is delivered can no longer be taken back.
    window.click("Take back");
    let waiting = MessageId([3; 16]);
    match window.command() {
        Some(Command::TakeBack(LAPTOP, id)) => assert_eq!(id, waiting),
        other => panic!("{other:?}"),
    }
    window.say(Event::Delivery(LAPTOP, waiting, Delivery::NotDelivered));
    window.harness.get_by_label("not delivered");
    assert!(!sees(&window, "Take back"));
    // What did not arrive is said once more, as the latest line, and only once.
    window.click("Send again");
    let (to, again, text) = said(&window);
    assert_eq!((to, text.as_str()), (LAPTOP, "Message 3"));
    assert_ne!(again, waiting);
    let line = text_line(now(), Direction::Send, 4, &text, Delivery::Waiting);
    window.say(Event::Line(laptop(), line));
    window.harness.get_by_label("not delivered");
    assert!(!sees(&window, "Send again"));
}

#[test]
fn text_that_would_act_is_shown_escaped_and_copied_as_it_came() {
    let mut window = with_the_laptop(Language::English);
    let raw = "\u{1b}[31mred \u{202e}fdp.exe";
    window.say(heard(raw));
    window
        .harness
        .get_by_label("\\u{1b}[31mred \\u{202e}fdp.exe");
    click_once(&mut window, Role::Button, "Copy this message");
    let copied = asked_system(&window).into_iter().find_map(|command| {
        let egui::OutputCommand::CopyText(text) = command else {
            return None;
        };
        Some(text)
    });
    assert_eq!(copied.as_deref(), Some(raw));
}

#[test]
fn a_link_is_opened_by_a_click_alone_and_only_of_the_web() {
    let mut window = with_the_laptop(Language::English);
    let opened = |window: &Window| {
        asked_system(window).into_iter().find_map(|command| {
            let egui::OutputCommand::OpenUrl(open) = command else {
                return None;
            };
            Some(open.url)
        })
    };
    let url = "https://example.org/a?b=c";
    window
        .events
        .send(heard(&format!("See {url}, please")))
        .unwrap();
    window.harness.step();
    assert_eq!(opened(&window), None);
    window.harness.run();
    click_once(&mut window, Role::Link, url);
    assert_eq!(opened(&window).as_deref(), Some(url));
    window.harness.run();
    for no_link in [
        "javascript:alert(1)",
        "javascript://example.org/%0aalert(1)",
        "file:///etc/passwd",
        "ropeway://192.168.1.9:9000",
        "data:text/html,hello",
        "smb://example.org/share",
    ] {
        window.say(heard(no_link));
        window.harness.get_by_label(no_link);
    }
    let links = window.harness.get_all_by_role(Role::Link).count();
    assert_eq!(links, 1);
}

#[test]
fn a_device_that_is_not_known_is_asked_for_its_code_in_the_conversation() {
    let (mut window, at) = with_a_stranger();
    window.say(stranger_at(&at, &[Way::Code]));
    write(&mut window, "Hello");
    window.press(Modifiers::NONE, Key::Enter);
    assert!(window.command().is_none(), "no code, no conversation");
    window
        .harness
        .get_by_label("Type the code shown on the other device.");
    window.type_into("Code on its screen", "123 456");
    let field = window.harness.get_by_role(Role::MultilineTextInput).rect();
    let send = window.harness.get_by_label("Send").rect();
    assert!((send.right() - field.right()).abs() <= 1.0, "in one line");
    window.click("Send");
    let request = asked_to_talk(&window);
    assert_eq!(request.to, at);
    assert_eq!(request.device.unwrap().id, STRANGER);
    assert!(!request.ask);
    let secret = request.secret.unwrap();
    assert_eq!(secret, ropeway::model::Secret::new("123 456").unwrap());
    assert_eq!(request.first.unwrap().1, "Hello");
    assert_eq!(typed(&window), "");

    window.say(Event::TalkFailed(request.id, Failure::WrongSecret));
    assert_eq!(typed(&window), "Hello", "nothing that was typed is lost");
    window
        .harness
        .get_by_label("That code didn’t work. Type the one on its screen now.");

    // The engine says so of the device, too: it is asked for its code all the same.
    let away = Talk::Away(Failure::WrongSecret);
    window.say(Event::Talk(of(STRANGER, "Kitchen PC", Trust::None), away));
    // Now it does, and Enter says what was written here: nothing else goes anywhere.
    window.type_into("Code on its screen", "654 321");
    window.press(Modifiers::NONE, Key::Enter);
    let request = asked_to_talk(&window);
    assert_eq!(request.first.as_ref().unwrap().1, "Hello");
    let kitchen = of(STRANGER, "Kitchen PC", Trust::Verified);
    window.say(Event::TalkOpened(request.id, kitchen.clone()));
    window.say(Event::Talk(kitchen, Talk::Open));
    window.harness.get_by_label("connected");
    assert!(!sees(&window, "Code on its screen"));
    write(&mut window, "Again");
    window.press(Modifiers::NONE, Key::Enter);
    assert_eq!(said(&window).2, "Again");
}

#[test]
fn a_device_that_allows_it_is_asked_without_a_code() {
    let (mut window, at) = with_a_stranger();
    window.say(stranger_at(&at, &[Way::Code, Way::Ask]));
    window.click("Ask without a code");
    assert!(window.command().is_none(), "there is nothing to say yet");
    write(&mut window, "Hello");
    window.click("Ask without a code");
    let request = asked_to_talk(&window);
    assert!(request.ask && request.secret.is_none());
    assert_eq!(request.first.unwrap().1, "Hello");
    window.say(Event::Symbols(request.id, symbols()));
    let question = "Does the other screen show the same four?";
    window.harness.get_by_label(question);
    let hint = "Nothing is sent to Kitchen PC before you answer, not even names.";
    window.harness.get_by_label(hint);
    let yes = window
        .harness
        .get_by_role_and_label(Role::Button, "Yes, send");
    yes.click();
    window.harness.run();
    assert!(matches!(window.command(), Some(Command::Confirm(id, true)) if id == request.id));
}

#[test]
fn whoever_switches_receiving_on_can_be_written_to_at_once() {
    let mut window = Window::english();
    window.say(Event::Nearby(vec![nearby(STRANGER, "Kitchen PC", false)]));
    window.press(TALKS_KEYS, Key::M);
    window.click("Kitchen PC");
    window
        .harness
        .get_by_label("Receive is off there. Switch it on at that device first.");
    assert!(looked_at(&window).is_none());
    window.say(Event::Nearby(vec![nearby(STRANGER, "Kitchen PC", true)]));
    let at = looked_at(&window).expect("it is asked what it takes");
    window.say(stranger_at(&at, &[Way::Code]));
    window.type_into("Code on its screen", "123456");
    write(&mut window, "Hello");
    window.press(Modifiers::NONE, Key::Enter);
    assert_eq!(asked_to_talk(&window).to, at);
}

#[test]
fn the_text_of_a_stranger_is_shown_declined_or_blocked() {
    let offer = || {
        Event::TextOffered(TextOffer {
            from: of(STRANGER, "Kitchen PC", Trust::Asked),
            symbols: Some(symbols()),
        })
    };
    let mut window = Window::english();
    let title = "Kitchen PC wants to send a text";
    let same = "Does the other screen show the same?";

    window.say(offer());
    window.harness.get_by_label(title);
    window.harness.get_by_label("not known");
    window.harness.get_by_label(same);
    window.harness.get_by_label("Fish · Key · Cloud · Tree");
    window.say(Event::TextWithdrawn(STRANGER));
    assert!(!sees(&window, title));

    window.say(offer());
    // Said again it is the same one.
    window.say(offer());
    window.click("Decline");
    assert!(matches!(
        window.command(),
        Some(Command::AnswerText(STRANGER, false))
    ));
    assert!(!sees(&window, title));

    window.say(offer());
    window.click("Block");
    let commands: Vec<_> = window.commands.try_iter().collect();
    assert!(matches!(
        commands.as_slice(),
        [
            Command::AnswerText(STRANGER, false),
            Command::Block(STRANGER)
        ]
    ));
    assert!(!sees(&window, title));

    window.say(offer());
    window.click("Same symbols – show");
    assert!(matches!(
        window.command(),
        Some(Command::AnswerText(STRANGER, true))
    ));
    // Its conversation is in sight when the text comes.
    let kitchen = of(STRANGER, "Kitchen PC", Trust::Verified);
    window.say(Event::Talk(kitchen.clone(), Talk::Open));
    let line = text_line(now(), Direction::Receive, 1, "Hi", Delivery::Delivered);
    window.say(Event::Line(kitchen, line));
    window.harness.get_by_label("Hi");
}

#[test]
fn devices_of_one_name_are_told_apart_by_their_ids() {
    let mut window = with_the_laptop(Language::English);
    window.say(heard("Tea"));
    assert!(!sees(&window, &LAPTOP.short()), "there is no other one");
    // Somebody calls itself like the known one, and is not nearby.
    let twin = of(STRANGER, "garden Laptop", Trust::Verified);
    let line = text_line(now(), Direction::Receive, 2, "Tea?", Delivery::Delivered);
    window.say(Event::Line(twin, line));
    window.harness.get_by_label(&LAPTOP.short());
    let rows = window.harness.query_all_by_role(Role::ListItem);
    let abouts: Vec<_> = rows
        .filter_map(|row| row.accesskit_node().description())
        .collect();
    let about = |id: DeviceId, text: &str| format!("{} · {text}", id.short());
    assert_eq!(abouts, [about(STRANGER, "Tea?"), about(LAPTOP, "Tea")]);
}

#[test]
fn clearing_asks_once_more() {
    let mut window = with_the_laptop(Language::English);
    assert!(!sees(&window, "Clear"), "there is nothing yet");
    window.say(heard("Tea"));
    window.click("Clear");
    window
        .harness
        .get_by_label("Remove all of it from this device?");
    window.click("No");
    assert!(window.command().is_none());
    window.click("Clear");
    window.click("Remove");
    assert!(matches!(
        window.command(),
        Some(Command::ClearConversation(LAPTOP))
    ));
    assert!(!sees(&window, "Tea"));
}

#[test]
fn what_was_kept_stands_in_its_order_with_its_days() {
    let mut window = Window::english();
    window.say(Event::Devices(vec![known(LAPTOP, "Garden laptop")]));
    let day = |days: u64| now() - Duration::from_secs(days * 24 * 3600).as_millis() as u64;
    // March 3 at noon, wherever this runs.
    let march = 1_741_003_200_000;
    let sent = Line {
        at: day(1),
        direction: Direction::Send,
        what: Said::Transfer(TransferLine {
            transfer: TRANSFER,
            names: vec!["Holiday 2026".into(), "b".into()],
            picked: 3,
            entries: 7,
            bytes: 1_000_000,
            failed: 0,
            outcome: Outcome::Arrived,
        }),
    };
    let text = |at, id, text| text_line(at, Direction::Receive, id, text, Delivery::Delivered);
    let name = DeviceName::cleaned("Garden laptop", "?");
    window.say(Event::Conversations(vec![Conversation {
        with: LAPTOP,
        name,
        lines: vec![text(march, 1, "First"), sent, text(now(), 2, "Last")],
    }]));
    window.say(heard("And now"));
    window.press(TALKS_KEYS, Key::M);
    let height = |label: &str| window.harness.get_by_label(label).rect().top();
    let order = [
        "3 March 2025",
        "First",
        "Yesterday",
        "Holiday 2026 and 2 more",
        "Today",
        "Last",
        "And now",
    ];
    let heights: Vec<_> = order.into_iter().map(height).collect();
    assert!(heights.is_sorted_by(|a, b| a < b), "{heights:?}");
    window.harness.get_by_label("sent");
}

#[test]
fn a_long_history_is_drawn_page_by_page() {
    let mut window = Window::english();
    window.say(Event::Devices(vec![known(LAPTOP, "Garden laptop")]));
    let lines = (0..150).map(|n| {
        let text = format!("Message {n}");
        text_line(now(), Direction::Receive, n, &text, Delivery::Delivered)
    });
    window.say(Event::Conversations(vec![Conversation {
        with: LAPTOP,
        name: DeviceName::cleaned("Garden laptop", "?"),
        lines: lines.collect(),
    }]));
    window.press(TALKS_KEYS, Key::M);
    assert!(sees(&window, "Message 149") && !sees(&window, "Message 49"));
    // It is above what is in sight.
    let earlier = window.harness.get_by_label("Show earlier");
    earlier.click_accesskit();
    window.harness.run();
    assert!(sees(&window, "Message 0") && !sees(&window, "Show earlier"));
}

#[test]
fn files_dropped_on_the_conversation_of_a_paired_device_go_there_at_once() {
    let mut window = with_the_laptop(Language::English);
    window.drop_file("/home/me/plan.pdf");
    let request = sent(&window);
    assert_eq!(request.device.unwrap().id, LAPTOP);
    assert_eq!(request.sources, [PathBuf::from("/home/me/plan.pdf")]);
    assert!(request.wait_for_it && request.secret.is_none());
    // The conversation stays, and shows it.
    window.say(Event::Started(ropeway::engine::Started {
        transfer: request.transfer,
        direction: Direction::Send,
        peer: laptop(),
        names: vec!["plan.pdf".into()],
        picked: 1,
        places: request.sources,
    }));
    window.harness.get_by_role(Role::MultilineTextInput);
    window.harness.get_by_label("plan.pdf");
}

#[test]
fn files_dropped_on_the_conversation_of_a_stranger_wait_for_the_code_in_the_send_panel() {
    let (mut window, at) = with_a_stranger();
    window.drop_file("/home/me/plan.pdf");
    assert!(window.command().is_none(), "nothing goes without a code");
    window.harness.get_by_label("plan.pdf");
    let field = window.harness.get_by_role_and_label(Role::TextInput, "To");
    let value = field.accesskit_node().value().unwrap_or_default();
    assert_eq!(value, at.to_string());
}

/// Takes in what a thread has read, in its own time.
fn wait_until(window: &mut Window, mut holds: impl FnMut(&mut Window) -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !holds(window) {
        assert!(Instant::now() < end, "it never came");
        std::thread::yield_now();
        window.harness.step();
    }
    // The field below gives way to a sentence, and the thread asks for one frame more.
    window.harness.run_steps(10);
}

#[test]
fn the_picture_in_the_clipboard_is_kept_and_goes_to_the_device_at_once() {
    for (language, button, start) in [
        (
            Language::English,
            "Send the picture in the clipboard",
            "Picture ",
        ),
        (Language::Chinese, "发送剪贴板中的图片", "图片 "),
    ] {
        let mut window = with_the_laptop(language);
        window.harness.state_mut().hands.read_clipboard = |_| Clip::Picture(b"a picture".to_vec());
        write(&mut window, "Look at this");
        window.click(button);
        let mut stash = None;
        wait_until(&mut window, |window| {
            stash = window.command();
            stash.is_some()
        });
        let Some(Command::Stash { id, name, bytes }) = stash else {
            panic!("{stash:?}");
        };
        assert_eq!(bytes, b"a picture");
        assert!(name.starts_with(start) && name.ends_with(".png"), "{name}");
        let rest = name.strip_prefix(start).unwrap();
        assert!(
            rest.chars()
                .all(|c| c.is_ascii_alphanumeric() || "-. ".contains(c))
        );
        let path = PathBuf::from("/home/me/.local/share/ropeway/pasted").join(name);
        window.say(Event::Stashed(
            TransferId([99; 16]),
            Ok("/etc/passwd".into()),
        ));
        assert!(window.command().is_none(), "that was not asked for");
        window.say(Event::Stashed(id, Ok(path.clone())));
        let request = sent(&window);
        assert_eq!(request.device.unwrap().id, LAPTOP);
        assert_eq!(request.sources, std::slice::from_ref(&path));
        assert!(request.wait_for_it);
        assert_eq!(typed(&window), "Look at this");
        // One answer sends it once.
        window.say(Event::Stashed(id, Ok(path)));
        assert!(window.command().is_none());
    }
}

#[test]
fn a_picture_for_a_stranger_waits_for_the_code_in_the_send_panel() {
    let (mut window, at) = with_a_stranger();
    window.harness.state_mut().hands.read_clipboard = |_| Clip::Picture(vec![0]);
    window.click("Send the picture in the clipboard");
    let mut id = None;
    wait_until(&mut window, |window| {
        if let Some(Command::Stash { id: asked, .. }) = window.command() {
            id = Some(asked);
        }
        id.is_some()
    });
    window.say(Event::Stashed(
        id.unwrap(),
        Ok("/data/pasted/Picture.png".into()),
    ));
    assert!(window.command().is_none(), "nothing goes without a code");
    window.harness.get_by_label("Picture.png");
    let field = window.harness.get_by_role_and_label(Role::TextInput, "To");
    let value = field.accesskit_node().value().unwrap_or_default();
    assert_eq!(value, at.to_string());
}

#[test]
fn without_a_picture_in_the_clipboard_the_conversation_says_so_until_something_else_is_done() {
    for (language, button, why) in [
        (
            Language::English,
            "Send the picture in the clipboard",
            "There is no picture in the clipboard.",
        ),
        (
            Language::Chinese,
            "发送剪贴板中的图片",
            "剪贴板中没有图片。",
        ),
    ] {
        let mut window = with_the_laptop(language);
        window.harness.state_mut().hands.read_clipboard = |_| Clip::Nothing(NoPicture::Nothing);
        window.click(button);
        wait_until(&mut window, |window| sees(window, why));
        assert!(window.command().is_none());
        write(&mut window, "Then not");
        assert!(!sees(&window, why));
    }
}

#[test]
fn a_picture_that_cannot_be_kept_is_not_sent_and_the_reason_is_said() {
    let mut window = with_the_laptop(Language::English);
    window.harness.state_mut().hands.read_clipboard = |_| Clip::Picture(vec![0]);
    window.click("Send the picture in the clipboard");
    let mut id = None;
    wait_until(&mut window, |window| {
        if let Some(Command::Stash { id: asked, .. }) = window.command() {
            id = Some(asked);
        }
        id.is_some()
    });
    window.say(Event::Stashed(id.unwrap(), Err(Problem::NoSpace)));
    assert!(window.command().is_none());
    let why = "There is no room left on the disk. Make room there.";
    let sentence = format!("The picture in the clipboard cannot be sent. {why}");
    window.harness.get_by_label(&sentence);
}

#[test]
fn a_narrow_window_shows_whom_or_what_was_said() {
    let mut window = with_the_laptop(Language::English);
    window.say(heard("Tea"));
    window.harness.set_size(egui::vec2(560.0, 700.0));
    window.harness.run_steps(10);
    window.harness.get_by_label("Tea");
    assert!(!sees(&window, "Conversations"));
    window.click("All conversations");
    assert!(!sees(&window, "Tea"));
    window.say(heard("Cake"));
    window.click("Garden laptop, 1 unread");
    window.harness.run_steps(10);
    window.harness.get_by_label("Cake");
}

#[test]
fn whether_conversations_are_kept_is_set_and_told_at_once() {
    let mut window = Window::english();
    window.press(Modifiers::COMMAND, Key::Comma);
    for (word, keep) in [
        ("Forget when it ends", false),
        ("Keep on this device", true),
    ] {
        window.click(word);
        match window.command() {
            Some(Command::KeepConversations(told)) => assert_eq!(told, keep),
            other => panic!("{other:?}"),
        }
        assert_eq!(window.harness.state().settings.keep_conversations, keep);
    }
}

#[test]
fn everything_is_there_in_chinese() {
    let mut window = Window::new(Language::Chinese);
    window.say(Event::Devices(vec![known(LAPTOP, "Garden laptop")]));
    window.press(TALKS_KEYS, Key::M);
    window.harness.get_by_label("选择一台设备，给它写消息。");
    window.click("Garden laptop");
    write(&mut window, "你好");
    window.press(Modifiers::NONE, Key::Enter);
    let (to, id, _) = said(&window);
    let why = NotSaid::TooMany;
    window.say(Event::NotSaid { to, id, why });
    assert_eq!(typed(&window), "你好");
    let waiting = text_line(now(), Direction::Send, 2, "等一下", Delivery::Waiting);
    window.say(Event::Line(laptop(), waiting));
    for label in [
        "等待中",
        "撤回",
        "今天",
        "清空",
        "复制这条消息",
        "发送",
        "等一下",
    ] {
        window.harness.get_by_label(label);
    }
    let english = window.harness.query_all_by(|node| {
        let label = node.label().unwrap_or_default();
        ["Send", "Clear", "waits", "Message", "Copy"]
            .iter()
            .any(|word| label.starts_with(word))
    });
    assert_eq!(english.count(), 0);
}

#[test]
fn everything_is_reached_by_the_keyboard() {
    let mut window = with_the_laptop(Language::English);
    window.say(heard("See https://example.org/"));
    let line = text_line(now(), Direction::Send, 2, "Tea", Delivery::Waiting);
    window.say(Event::Line(laptop(), line));
    write(&mut window, "More");
    let mut reached = std::collections::HashSet::new();
    for _ in 0..60 {
        window.press(Modifiers::NONE, Key::Tab);
        let focused = window.harness.query_all_by(|node| {
            // The window itself has the focus when nothing else has.
            node.is_focused() && node.role() != Role::Window
        });
        let labels = focused.map(|node| node.accesskit_node().label().unwrap_or_default());
        reached.extend(labels.collect::<Vec<_>>());
    }
    for label in [
        "Transfers",
        "Garden laptop",
        "Clear",
        "https://example.org/",
        "Copy this message",
        "Take back",
        "Message",
        "Send files",
        "Send the picture in the clipboard",
        "Send",
    ] {
        assert!(reached.contains(label), "{label} is not in {reached:?}");
    }
}
