//! Who may enter, as the window shows it: what an address accepts, known devices, symbols that two
//! people compare. Without a window system, as in `window.rs`.
#![cfg(feature = "gui")]
// Helpers of tests are tests, too; clippy only knows the functions that are marked.
#![allow(clippy::unwrap_used)]

#[path = "support/window.rs"]
mod window;

use std::time::{Duration, SystemTime};

use egui::accesskit::{Role, Toggled};
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use ropeway::engine::{
    Answer, Command, Event, Found, KnownDevice, ListenError, Looked, Offer, SendRequest,
};
use ropeway::model::finding::{Door, Firewall, Remedy};
use ropeway::model::{
    Allow, Bond, DeviceId, DeviceName, Direction, Failure, Finding, Peer, PeerAddress, Problem,
    Rule, Status, Symbols, TransferId, TransferState, Trust, Way,
};
use ropeway::settings::{Language, Settings};
use window::*;

const GARDEN: DeviceId = DeviceId([10; 32]);
const STRANGER: DeviceId = DeviceId([9; 32]);
const ADDRESS: &str = "192.168.1.33";

fn device(id: DeviceId, name: &str, bond: Bond) -> KnownDevice {
    KnownDevice {
        bond,
        address: Some("192.168.1.10".into()),
        met: SystemTime::now() - Duration::from_secs(3 * 3600 + 60),
        ..known(id, name)
    }
}

fn garden(bond: Bond) -> Event {
    Event::Devices(vec![device(GARDEN, "Garden laptop", bond)])
}

fn looked(at: &str, found: Result<Found, Failure>) -> Event {
    let at: PeerAddress = at.parse().unwrap();
    Event::Looked(Looked { at, found })
}

fn takes(ways: &[Way]) -> Event {
    found(&ADDRESS.parse().unwrap(), STRANGER, "Kitchen PC", ways)
}

fn stranger(trust: Trust) -> Peer {
    Peer {
        device_id: Some(STRANGER),
        trust,
        ..peer("Kitchen PC")
    }
}

/// Something to send, and an address that was typed and left.
fn addressed(window: &mut Window) {
    window.drop_file("/home/me/a.txt");
    window.type_into("To", ADDRESS);
    window.press(Modifiers::NONE, Key::Enter);
}

fn looks(window: &Window) -> Vec<String> {
    let commands = window.commands.try_iter();
    commands
        .filter_map(|command| match command {
            Command::LookAt(at) => Some(at.to_string()),
            _other => None,
        })
        .collect()
}

/// What the engine says about a request that did not get as far as an offer.
fn fails(window: &mut Window, request: &SendRequest, failure: Failure) {
    let Event::Started(mut begun) = started(Direction::Send) else {
        panic!("a start");
    };
    begun.transfer = request.transfer;
    window.say(Event::Started(begun));
    let Event::Ended(mut summary) = ended(Direction::Send, Status::Failed, Some(failure)) else {
        panic!("an end");
    };
    summary.transfer = request.transfer;
    window.say(Event::Ended(summary));
}

fn toggled(window: &Window, label: &str) -> Option<Toggled> {
    let node = window.harness.get_by_label(label);
    node.accesskit_node().toggled()
}

fn enabled(window: &Window, label: &str) -> bool {
    let node = window.harness.get_by_role_and_label(Role::Button, label);
    !node.accesskit_node().is_disabled()
}

/// Tab until it is reached.
fn tab_to(window: &mut Window, label: &str) {
    let mut tabs = 0;
    while !focused(window, label) {
        window.press(Modifiers::NONE, Key::Tab);
        tabs += 1;
        assert!(tabs < 60, "{label} is not reached by Tab");
    }
}

// Sending: what an address accepts.

#[test]
fn an_address_is_looked_at_when_it_is_left_or_settled_and_not_for_every_key() {
    let mut window = Window::english();
    let field = window.harness.get_by_role_and_label(Role::TextInput, "To");
    field.focus();
    window.harness.step();
    for key in ["1", "92.168.1.3", "3"] {
        let field = window.harness.get_by_role_and_label(Role::TextInput, "To");
        field.type_text(key);
        window.harness.step();
        assert!(looks(&window).is_empty(), "after {key}");
    }
    // A step is a quarter of a second.
    window.harness.run_steps(4);
    assert_eq!(looks(&window), [ADDRESS]);
    window.press(Modifiers::NONE, Key::Enter);
    assert!(looks(&window).is_empty(), "it is being looked at already");
    assert!(sees(&window, "Looking…"));

    let mut window = Window::english();
    window.type_into("To", "garden-laptop");
    window.press(Modifiers::NONE, Key::Tab);
    assert_eq!(looks(&window), ["garden-laptop"], "once");

    let mut window = Window::english();
    window.type_into("To", "  ");
    window.press(Modifiers::NONE, Key::Enter);
    window.harness.run_steps(8);
    assert!(looks(&window).is_empty(), "nothing is no address");
}

#[test]
fn what_an_address_accepts_unfolds() {
    let (code, passphrase) = ("Code on its screen", "Its passphrase");
    let (ask, remember) = ("Ask without a code", "Remember this device");
    for (ways, shown, hidden) in [
        (
            &[Way::Code, Way::Ask, Way::Pair][..],
            &[code, ask, remember][..],
            &[passphrase][..],
        ),
        (&[Way::Code, Way::Pair], &[code, remember], &[ask]),
        (&[Way::Passphrase, Way::Pair], &[passphrase], &[code, ask]),
        (&[Way::Ask, Way::Pair], &[remember], &[code, passphrase]),
        (&[Way::Pair], &[], &[code, passphrase, ask, remember]),
    ] {
        let mut window = Window::english();
        for label in [code, passphrase, ask, remember] {
            assert!(!sees(&window, label), "nothing typed yet, but {label}");
        }
        addressed(&mut window);
        window.say(takes(ways));
        assert!(sees(&window, "Kitchen PC"));
        for label in shown {
            assert!(sees(&window, label), "{ways:?}: no {label}");
        }
        for label in hidden {
            assert!(!sees(&window, label), "{ways:?}: {label}");
        }
    }
}

#[test]
fn where_only_known_devices_are_taken_nothing_is_sent() {
    let mut window = Window::english();
    addressed(&mut window);
    window.say(takes(&[Way::Pair]));
    let why = "· takes known devices only. Ask its owner to choose “With code”.";
    assert!(sees(&window, why));
    window.press(Modifiers::COMMAND, Key::Enter);
    assert!(window.command().is_none());
}

#[test]
fn asking_sends_neither_code_nor_passphrase() {
    let mut window = Window::english();
    addressed(&mut window);
    window.say(takes(&[Way::Code, Way::Ask, Way::Pair]));
    assert!(!enabled(&window, "Send 1 item"), "that is with the code");
    tab_to(&mut window, "Ask without a code");
    window.press(Modifiers::NONE, Key::Space);
    let request = sent(&window);
    assert!(request.ask && request.secret.is_none() && !request.remember);
    assert_eq!(request.device, None, "the symbols tell who it is");
    assert!(!sees(&window, "a.txt"), "the list is empty again");

    // Where nothing else is taken, Send itself asks.
    let mut window = Window::english();
    addressed(&mut window);
    window.say(takes(&[Way::Ask, Way::Pair]));
    window.click("Send 1 item");
    let request = sent(&window);
    assert!(request.ask && request.secret.is_none());
}

#[test]
fn a_device_can_be_remembered_with_its_code() {
    let mut window = Window::english();
    addressed(&mut window);
    window.say(takes(&[Way::Code, Way::Pair]));
    assert_eq!(
        toggled(&window, "Remember this device"),
        Some(Toggled::False)
    );
    tab_to(&mut window, "Remember this device");
    window.press(Modifiers::NONE, Key::Space);
    assert!(sees(
        &window,
        "Once both of you have done so, no code is needed."
    ));
    window.type_into("Code on its screen", "427 913");
    window.press(Modifiers::NONE, Key::Enter);
    let request = sent(&window);
    assert!(request.remember && !request.ask && request.secret.is_some());
}

#[test]
fn an_address_that_cannot_be_looked_at_says_why_and_takes_a_code_all_the_same() {
    let mut window = Window::english();
    addressed(&mut window);
    let address = format!("{ADDRESS}:9000");
    window.say(looked(ADDRESS, Err(Failure::Refused { address })));
    assert!(sees(
        &window,
        "Nobody is receiving at 192.168.1.33:9000. Switch Receive on there."
    ));
    window.type_into("Code on its screen", "427913");
    window.press(Modifiers::COMMAND, Key::Enter);
    assert!(sent(&window).secret.is_some());
}

#[test]
fn what_is_said_about_another_address_is_not_shown() {
    let mut window = Window::english();
    addressed(&mut window);
    window.type_into("To", "0");
    window.say(takes(&[Way::Ask, Way::Pair]));
    assert!(!sees(&window, "Kitchen PC"));
    assert!(sees(&window, "Code on its screen"));
}

#[test]
fn a_known_device_at_a_typed_address_needs_nothing_typed() {
    let mut window = Window::english();
    window.say(garden(Bond::Paired));
    addressed(&mut window);
    window.say(looked(
        ADDRESS,
        Ok(Found {
            id: GARDEN,
            name: DeviceName::cleaned("Garden laptop", "?"),
            ways: vec![Way::Code, Way::Pair],
            paired: true,
        }),
    ));
    assert!(sees(&window, "· known device, nothing to type"));
    assert!(!sees(&window, "Code on its screen"));
    window.click("Send 1 item");
    let request = sent(&window);
    assert_eq!(request.device.unwrap().id, GARDEN, "and nobody else");
    assert!(request.secret.is_none() && !request.ask && !request.remember);
}

// Sending: known devices.

#[test]
fn a_known_device_is_sent_to_with_the_keyboard_and_without_a_code() {
    let mut window = Window::english();
    let mut known = device(GARDEN, "Garden laptop", Bond::Paired);
    known.label = Some(DeviceName::cleaned("Laptop of Anna", "?"));
    let blocked = device(STRANGER, "Kitchen PC", Bond::Blocked);
    window.say(Event::Devices(vec![known, blocked]));
    assert!(
        !sees(&window, "Kitchen PC"),
        "nobody sends to a blocked one"
    );
    window.drop_file("/home/me/a.txt");
    tab_to(&mut window, "Laptop of Anna");
    window.press(Modifiers::NONE, Key::Space);
    assert_eq!(toggled(&window, "Laptop of Anna"), Some(Toggled::True));
    let away = "Laptop of Anna is not nearby · sent as soon as it can be reached";
    assert!(sees(&window, away));
    window.say(Event::Nearby(vec![nearby(GARDEN, "Garden laptop", true)]));
    assert!(sees(&window, "To Laptop of Anna, encrypted"));
    assert!(!sees(&window, "Code on its screen"));
    assert!(looks(&window).is_empty(), "there is nothing to find out");
    window.press(Modifiers::COMMAND, Key::Enter);
    let request = sent(&window);
    let chosen = request.device.unwrap();
    assert_eq!(chosen.id, GARDEN);
    // By the name it says, not by the one it is called here.
    assert_eq!(chosen.name.unwrap().as_str(), "Garden laptop");
    assert_eq!(request.to.to_string(), "192.168.1.10");
    assert!(request.secret.is_none());
}

#[test]
fn another_address_is_another_device() {
    let mut window = Window::english();
    window.say(garden(Bond::Paired));
    window.drop_file("/home/me/a.txt");
    window.click("Garden laptop");
    window.type_into("To", "0");
    assert_eq!(toggled(&window, "Garden laptop"), Some(Toggled::False));
    window.type_into("Code on its screen", "427913");
    window.press(Modifiers::COMMAND, Key::Enter);
    assert_eq!(sent(&window).device, None);
}

#[test]
fn another_key_at_a_chosen_device_is_not_sent_to_until_the_person_says_why() {
    let warning = "This isn’t the Garden laptop you know. Somebody may be posing as it.";
    let mut window = Window::english();
    let refuse = |window: &mut Window| {
        window.say(garden(Bond::Paired));
        window.drop_file("/home/me/a.txt");
        window.click("Garden laptop");
        window.click("Send 1 item");
        let request = sent(window);
        let name = DeviceName::cleaned("Garden laptop", "?");
        fails(window, &request, Failure::NotTheDevice { name });
        assert!(sees(window, warning));
        assert!(sees(window, "a.txt"), "the list is kept");
        window.press(Modifiers::COMMAND, Key::Enter);
        assert!(window.command().is_none(), "not before an answer");
    };
    refuse(&mut window);
    window.click("Don’t connect");
    assert!(!sees(&window, warning) && sees(&window, "a.txt"));
    assert_eq!(toggled(&window, "Garden laptop"), Some(Toggled::False));
    assert!(window.command().is_none());

    let mut window = Window::english();
    refuse(&mut window);
    window.click("It was reinstalled – remember it again");
    assert!(matches!(window.command(), Some(Command::ForgetDevice(id)) if id == GARDEN));
    window.say(Event::Devices(vec![]));
    assert!(!sees(&window, warning) && sees(&window, "a.txt"));
    assert_eq!(
        toggled(&window, "Remember this device"),
        Some(Toggled::True)
    );
    assert!(focused(&window, "Code on its screen"));
    let field = window
        .harness
        .get_by_role_and_label(Role::TextInput, "Code on its screen");
    field.type_text("427913");
    window.harness.run();
    window.press(Modifiers::NONE, Key::Enter);
    let request = sent(&window);
    assert_eq!(request.device, None, "whoever knows the code");
    assert_eq!(request.to.to_string(), "192.168.1.10");
    assert!(request.remember && request.secret.is_some());
}

#[test]
fn a_device_that_has_forgotten_this_one_is_let_in_by_its_code_and_wanted_back() {
    let mut window = Window::english();
    window.say(garden(Bond::Paired));
    window.drop_file("/home/me/a.txt");
    window.click("Garden laptop");
    window.click("Send 1 item");
    let request = sent(&window);
    window.say(garden(Bond::ForgottenThere));
    let name = DeviceName::cleaned("Garden laptop", "?");
    fails(&mut window, &request, Failure::ForgottenThere { name });
    assert!(sees(&window, "a.txt"));
    assert!(focused(&window, "Code on its screen"));
    assert_eq!(
        toggled(&window, "Remember this device"),
        Some(Toggled::True)
    );
    let field = window
        .harness
        .get_by_role_and_label(Role::TextInput, "Code on its screen");
    field.type_text("427913");
    window.harness.run();
    window.press(Modifiers::NONE, Key::Enter);
    let request = sent(&window);
    assert_eq!(request.device.unwrap().id, GARDEN);
    assert!(request.remember && request.secret.is_some());
}

#[test]
fn many_known_devices_stay_in_their_place() {
    let mut window = Window::english();
    window.harness.set_size(egui::vec2(520.0, 720.0));
    let many = (0..50_u8).map(|index| {
        let name = format!("Device {index} {}", "很长的名字 long ".repeat(3));
        let mut device = device(DeviceId([index; 32]), &name, Bond::Paired);
        device.met -= Duration::from_secs(index.into());
        device
    });
    let many: Vec<_> = many.collect();
    let last = many[49].name.to_string();
    window.say(Event::Devices(many));
    assert!(!sees(&window, &last));
    window.click("45 more");
    let card = window.harness.get_by_label(&last);
    assert!(card.rect().right() <= 520.0);
    card.focus();
    window.harness.run();
    window.press(Modifiers::NONE, Key::Space);
    window.click("fewer");
    let card = window.harness.get_by_label(&last);
    assert_eq!(card.accesskit_node().toggled(), Some(Toggled::True));
    let to = window.harness.get_by_role_and_label(Role::TextInput, "To");
    assert!(to.rect().right() <= 520.0);
}

// Sending: symbols.

fn asks(window: &mut Window, transfer: TransferId, symbols: Symbols) {
    let Event::Started(mut begun) = started(Direction::Send) else {
        panic!("a start");
    };
    begun.transfer = transfer;
    window.say(Event::Started(begun));
    window.say(Event::Symbols(transfer, symbols));
    window.say(Event::State(transfer, TransferState::Confirming));
}

#[test]
fn symbols_are_asked_about_and_only_an_answer_counts() {
    let question = "Does the other screen show the same four?";
    for (answer, said) in [("Yes, send", true), ("No, stop", false)] {
        let mut window = Window::english();
        asks(&mut window, TRANSFER, symbols());
        assert!(sees(&window, question));
        assert!(sees(&window, "Fish · Key · Cloud · Tree"), "the pictures");
        // What may still be meant for the window below is no answer; a click beside is none.
        window.press(Modifiers::NONE, Key::Enter);
        window.press(Modifiers::COMMAND, Key::Enter);
        window.press(Modifiers::COMMAND, Key::Comma);
        let beside = egui::pos2(20.0, 20.0);
        window.harness.hover_at(beside);
        for pressed in [true, false] {
            window.harness.event(egui::Event::PointerButton {
                pos: beside,
                button: egui::PointerButton::Primary,
                pressed,
                modifiers: Modifiers::NONE,
            });
        }
        window.harness.run();
        assert!(sees(&window, question));
        assert!(window.command().is_none());
        tab_to(&mut window, answer);
        window.press(Modifiers::NONE, Key::Space);
        let command = window.command();
        assert!(
            matches!(command, Some(Command::Confirm(TRANSFER, yes)) if yes == said),
            "{answer}: {command:?}"
        );
        assert!(!sees(&window, question) && window.command().is_none());
    }
}

#[test]
fn escape_says_no_to_symbols() {
    let mut window = Window::english();
    asks(&mut window, TRANSFER, symbols());
    window.press(Modifiers::NONE, Key::Escape);
    assert!(matches!(
        window.command(),
        Some(Command::Confirm(TRANSFER, false))
    ));
}

#[test]
fn several_questions_come_one_after_the_other_and_go_with_their_transfers() {
    let other = TransferId([8; 16]);
    let mut window = Window::english();
    asks(&mut window, TRANSFER, symbols());
    asks(&mut window, other, Symbols::from_bits([0xff; 3]));
    let (first, second) = (
        "Fish · Key · Cloud · Tree",
        "Umbrella · Umbrella · Umbrella · Umbrella",
    );
    assert!(sees(&window, first) && !sees(&window, second));
    window.click("Yes, send");
    assert!(!sees(&window, first) && sees(&window, second));
    let Event::Ended(mut summary) = ended(Direction::Send, Status::Interrupted, None) else {
        panic!("an end");
    };
    summary.transfer = other;
    window.say(Event::Ended(summary));
    assert!(!sees(&window, second));
    assert!(matches!(
        window.command(),
        Some(Command::Confirm(TRANSFER, true))
    ));
    assert!(window.command().is_none(), "nobody answered the other one");
}

// Receiving.

#[test]
fn who_may_send_is_a_choice_that_acts_at_once_and_is_kept() {
    assert_eq!(Settings::default().allow, Allow::Anyone);
    let mut window = Window::english();
    window.click("Receive from other devices");
    let Some(Command::Listen(options)) = window.command() else {
        panic!("a listen command");
    };
    assert_eq!(options.allow, Allow::Anyone);
    window.say(listening());
    window.say(code());
    assert_eq!(toggled(&window, "Anyone, I confirm"), Some(Toggled::True));
    tab_to(&mut window, "Known devices only");
    window.press(Modifiers::NONE, Key::Space);
    assert!(matches!(
        window.command(),
        Some(Command::SetAllow(Allow::Paired))
    ));
    assert_eq!(window.harness.state().settings.allow, Allow::Paired);
    // Nobody gets in by a code, so there is none to show.
    assert!(!sees(&window, "427 913"));
    assert!(sees(&window, "On, but nobody can send yet"));
    assert!(sees(
        &window,
        "No device is known yet, so nobody gets in. Choose “With code” for now, and both choose “Remember this device”."
    ));
    window.click("With code");
    assert!(sees(&window, "427 913") && sees(&window, "On, ready to receive"));
}

#[test]
fn a_firewall_in_the_way_is_said_where_it_is_switched_on() {
    let mut window = Window::english();
    window.say(listening());
    assert!(sees(&window, "On, ready to receive"));
    window.say(Event::Firewall(vec![Finding::FirewallBlocks {
        firewall: Firewall::Ufw,
        door: Door::Transfers { tcp: 9000 },
        remedy: Remedy {
            commands: Vec::new(),
            lasting: true,
        },
    }]));
    assert!(sees(&window, "On, but blocked") && !sees(&window, "On, ready to receive"));
    window.say(Event::Firewall(Vec::new()));
    assert!(sees(&window, "On, ready to receive"));
}

fn retype(window: &mut Window, label: &str, text: &str) {
    let field = window.harness.get_by_role_and_label(Role::TextInput, label);
    field.focus();
    window.harness.run();
    window.press(Modifiers::COMMAND, Key::A);
    window.type_into(label, text);
    window.press(Modifiers::NONE, Key::Tab);
}

#[test]
fn what_keeps_receiving_off_has_its_way_out_beside_it_and_it_is_tried_again_after_that() {
    let mut window = Window::english();
    let tried = |window: &Window| {
        let mut commands = window.commands.try_iter();
        commands.any(|command| matches!(command, Command::Listen(_)))
    };
    let folder = "/home/me/gone".into();
    let problem = Problem::NotWritable;
    window.say(Event::ListenFailed(ListenError::Folder { folder, problem }));
    // The system's dialog does not open in a test.
    assert!(sees(&window, "Try again") && sees(&window, "Change folder…"));
    window.click("Settings");
    window.click("Receiving");
    retype(&mut window, "Save folder", "/home/me/elsewhere");
    assert!(tried(&window));

    window.press(Modifiers::NONE, Key::Escape);
    window.say(Event::ListenFailed(ListenError::PortTaken { port: 9000 }));
    assert!(sees(&window, "Try again") && !sees(&window, "Change folder…"));
    window.click("Change port…");
    retype(&mut window, "Port", "9100");
    assert!(tried(&window));
}

#[test]
fn codes_rest_after_too_many_wrong_ones_until_the_person_wants_a_new_one() {
    let mut window = Window::english();
    window.say(listening());
    window.say(code());
    window.say(Event::WrongSecret {
        from: "192.168.1.33".parse().unwrap(),
        tries_left: 2,
    });
    assert!(sees(
        &window,
        "Wrong code from 192.168.1.33 – 2 tries left."
    ));
    window.say(Event::CodeRests(true));
    let why = "Too many wrong codes. None is taken until you press New code.";
    assert!(sees(&window, why));
    assert!(sees(&window, "On, but no code is taken"));
    assert!(!sees(&window, "427 913"), "it would be typed in vain");
    tab_to(&mut window, "New code");
    window.press(Modifiers::NONE, Key::Enter);
    assert!(matches!(window.command(), Some(Command::NewCode)));
    window.say(Event::CodeRests(false));
    window.say(code());
    assert!(sees(&window, "427 913") && !sees(&window, why));
}

#[test]
fn copying_the_address_copies_a_link_that_names_the_device() {
    let mut window = Window::english();
    let Event::Listening(mut on) = listening() else {
        panic!("listening");
    };
    on.addresses = vec!["192.168.1.20".parse().unwrap(), "fe80::1".parse().unwrap()];
    window.say(Event::Listening(on));
    window.click("more");
    for (index, host) in ["192.168.1.20", "[fe80::1]"].iter().enumerate() {
        let copies: Vec<_> = window.harness.get_all_by_label("Copy").collect();
        copies[index].click();
        window.harness.step();
        let commands = &window.harness.output().platform_output.commands;
        let link = format!("ropeway://{host}:9000/?id={}", DeviceId([1; 32]));
        let copied = commands
            .iter()
            .any(|command| matches!(command, egui::OutputCommand::CopyText(text) if *text == link));
        assert!(copied, "{link}: {commands:?}");
        window.harness.run();
    }
}

// Offers.

fn waiting(change: impl FnOnce(&mut Offer)) -> Event {
    let Event::Offer(mut offer) = offer(5_000_000) else {
        panic!("an offer");
    };
    offer.from = stranger(Trust::Verified);
    change(&mut offer);
    Event::Offer(offer)
}

#[test]
fn an_offer_says_how_far_its_sender_has_proven_itself() {
    for (trust, badge, blockable) in [
        (Trust::Known, "known", false),
        (Trust::Verified, "confirmed", true),
        (Trust::Asked, "not known", true),
        (Trust::None, "not known", true),
    ] {
        let mut window = Window::english();
        window.say(waiting(|offer| offer.from.trust = trust));
        assert!(sees(&window, badge), "{trust:?}");
        assert_eq!(sees(&window, "Block"), blockable, "{trust:?}");
        assert_eq!(
            sees(&window, "Remember this device"),
            blockable,
            "{trust:?}"
        );
    }
}

#[test]
fn an_offer_with_symbols_is_accepted_only_when_the_other_person_has_confirmed() {
    let mut window = Window::english();
    window.say(waiting(|offer| {
        offer.from.trust = Trust::Asked;
        offer.symbols = Some(symbols());
        offer.names.clear();
        (offer.picked, offer.entries, offer.bytes) = (0, 0, 0);
        offer.counting = true;
    }));
    assert!(sees(&window, "Does the other screen show the same?"));
    assert!(sees(&window, "Fish · Key · Cloud · Tree"));
    assert!(sees(
        &window,
        "Waiting for the person at Kitchen PC to confirm"
    ));
    assert!(!enabled(&window, "Same symbols – accept"));
    window.click("Same symbols – accept");
    assert!(window.command().is_none());
    window.say(waiting(|offer| {
        offer.from.trust = Trust::Asked;
        offer.symbols = Some(symbols());
    }));
    assert!(sees(&window, "Kitchen plans"));
    window.click("Same symbols – accept");
    assert!(matches!(
        window.command(),
        Some(Command::Answer(
            TRANSFER,
            Answer::Accept {
                remember: false,
                ..
            }
        ))
    ));
}

#[test]
fn accepting_can_remember_the_sender() {
    let mut window = Window::english();
    window.say(waiting(|offer| offer.remembers = true));
    assert!(sees(&window, "Kitchen PC wants to be remembered."));
    window.click("Remember this device");
    window.click("Accept");
    assert!(matches!(
        window.command(),
        Some(Command::Answer(
            TRANSFER,
            Answer::Accept { remember: true, .. }
        ))
    ));
}

#[test]
fn blocking_declines_and_can_be_undone() {
    let mut window = Window::english();
    window.say(waiting(|offer| offer.from.trust = Trust::Asked));
    window.click("Block");
    assert!(!sees(&window, "Kitchen plans"));
    let commands: Vec<_> = window.commands.try_iter().collect();
    assert!(
        matches!(
            commands[..],
            [
                Command::Answer(TRANSFER, Answer::Decline),
                Command::Block(STRANGER)
            ]
        ),
        "{commands:?}"
    );
    assert!(sees(
        &window,
        "Kitchen PC is blocked and cannot get in any more."
    ));
    window.click("Undo");
    assert!(matches!(
        window.command(),
        Some(Command::ForgetDevice(STRANGER))
    ));
    assert!(!sees(&window, "Undo"));
}

// Remembering.

#[test]
fn a_wish_to_be_remembered_is_answered_once() {
    let wish = "Kitchen PC wants to be remembered here. No code is needed from then on.";
    for (answer, remembered) in [("Remember", true), ("No", false)] {
        let mut window = Window::english();
        window.say(Event::WantsToBeRemembered(stranger(Trust::Verified)));
        assert!(sees(&window, wish));
        window.click(answer);
        assert!(!sees(&window, wish));
        let command = window.command();
        let asked = matches!(command, Some(Command::Remember(STRANGER)));
        assert_eq!(asked, remembered, "{answer}: {command:?}");
    }
    let mut window = Window::english();
    window.say(Event::WantsToBeRemembered(stranger(Trust::Verified)));
    window.say(Event::Paired(stranger(Trust::Verified)));
    assert!(!sees(&window, wish));
    assert!(sees(&window, "You and Kitchen PC remember each other now."));
    window.click("Dismiss");
    assert!(!sees(
        &window,
        "You and Kitchen PC remember each other now."
    ));
}

#[test]
fn a_transfer_offers_to_remember_who_has_proven_itself() {
    let remember = "Remember Kitchen PC";
    let mut window = Window::english();
    for (id, trust) in [(1, Trust::Verified), (2, Trust::Verified)] {
        let Event::Started(mut begun) = started(Direction::Receive) else {
            panic!("a start");
        };
        begun.transfer = TransferId([id; 16]);
        begun.peer = stranger(trust);
        window.say(Event::Started(begun));
    }
    let offered = window.harness.query_all_by_label(remember).count();
    assert_eq!(offered, 1, "once for a device");
    window.click(remember);
    assert!(matches!(
        window.command(),
        Some(Command::Remember(STRANGER))
    ));
    window.say(Event::Devices(vec![device(
        STRANGER,
        "Kitchen PC",
        Bond::Wished,
    )]));
    assert!(!sees(&window, remember));
    assert!(sees(
        &window,
        "Remembered here. No code from the next transfer on, if Kitchen PC remembers this device too."
    ));
    window.say(Event::Devices(vec![device(
        STRANGER,
        "Kitchen PC",
        Bond::Paired,
    )]));
    assert!(!sees(&window, remember));

    let mut window = Window::english();
    let Event::Started(mut begun) = started(Direction::Receive) else {
        panic!("a start");
    };
    begun.peer = stranger(Trust::Asked);
    window.say(Event::Started(begun));
    assert!(!sees(&window, remember), "it has proven nothing");
}

// Known devices in the settings.

fn settings_of(window: &mut Window, name: &str) {
    window.press(Modifiers::COMMAND, Key::Comma);
    let page = window
        .harness
        .get_by_role_and_label(Role::RadioButton, "Known devices");
    page.click();
    window.harness.run();
    if !name.is_empty() {
        window.click(&format!("Details of {name}"));
    }
}

#[test]
fn without_known_devices_the_settings_say_how_to_get_one() {
    let mut window = Window::english();
    settings_of(&mut window, "");
    assert!(sees(&window, "No device is known yet"));
}

#[test]
fn how_it_stands_with_each_device_is_said_in_words() {
    let mut window = Window::english();
    let bonds = [
        (Bond::Paired, "known · met 3 hours ago"),
        (
            Bond::Wished,
            "waiting for the other person · met 3 hours ago",
        ),
        (
            Bond::ForgottenThere,
            "doesn’t know this device any more · met 3 hours ago",
        ),
        (Bond::Blocked, "blocked · met 3 hours ago"),
    ];
    let devices = (0_u8..)
        .zip(bonds)
        .map(|(index, (bond, _))| device(DeviceId([index; 32]), &format!("Device {index}"), bond));
    window.say(Event::Devices(devices.collect()));
    settings_of(&mut window, "");
    for (_, words) in bonds {
        assert!(sees(&window, words), "{words}");
    }
}

#[test]
fn a_known_device_is_renamed_in_place_or_called_by_its_own_name_again() {
    let mut window = Window::english();
    window.say(garden(Bond::Paired));
    settings_of(&mut window, "Garden laptop");
    window.type_into("Called here", " of Anna");
    window.press(Modifiers::NONE, Key::Enter);
    let Some(Command::LabelDevice(GARDEN, Some(label))) = window.command() else {
        panic!("a label");
    };
    assert_eq!(label.as_str(), "Garden laptop of Anna");

    let mut known = device(GARDEN, "Garden laptop", Bond::Paired);
    known.label = Some(label);
    window.say(Event::Devices(vec![known]));
    let field = window
        .harness
        .get_by_role_and_label(Role::TextInput, "Called here");
    field.focus();
    window.harness.run();
    window.press(Modifiers::COMMAND, Key::A);
    window.press(Modifiers::NONE, Key::Backspace);
    window.press(Modifiers::NONE, Key::Enter);
    assert!(matches!(
        window.command(),
        Some(Command::LabelDevice(GARDEN, None))
    ));
}

#[test]
fn what_a_known_device_may_is_a_rule_of_its_own() {
    let mut window = Window::english();
    let with = |rule: Rule| {
        let mut known = device(GARDEN, "Garden laptop", Bond::Paired);
        known.rule = rule;
        Event::Devices(vec![known])
    };
    window.say(with(Rule::Ask));
    settings_of(&mut window, "Garden laptop");
    assert!(!sees(&window, "Up to"), "only where something is accepted");
    window.click("Never");
    assert!(matches!(
        window.command(),
        Some(Command::SetRule(GARDEN, Rule::Never))
    ));
    window.click("Accept automatically");
    let Some(Command::SetRule(GARDEN, rule)) = window.command() else {
        panic!("a rule");
    };
    window.say(with(rule));
    window.type_into("Up to", "2.5");
    window.press(Modifiers::NONE, Key::Enter);
    let Some(Command::SetRule(GARDEN, rule)) = window.command() else {
        panic!("a rule");
    };
    let limit = Some(2_500_000_000);
    assert!(matches!(rule, Rule::Accept { folder: None, max_bytes } if max_bytes == limit));
    window.say(with(rule));
    window.type_into("Into folder", "/srv/photos");
    window.press(Modifiers::NONE, Key::Enter);
    let Some(Command::SetRule(GARDEN, Rule::Accept { folder, max_bytes })) = window.command()
    else {
        panic!("a rule");
    };
    assert_eq!(folder, Some("/srv/photos".into()));
    assert_eq!(max_bytes, limit, "the other half stays");
}

#[test]
fn forgetting_is_asked_once_and_unblocking_not_at_all() {
    let mut window = Window::english();
    window.say(garden(Bond::Paired));
    settings_of(&mut window, "Garden laptop");
    window.click("Forget");
    let question = "Forget Garden laptop? It ends what runs with it.";
    assert!(sees(&window, question));
    assert!(window.command().is_none());
    window.click("Keep");
    assert!(!sees(&window, question));
    window.click("Forget");
    window.click("Forget");
    assert!(matches!(
        window.command(),
        Some(Command::ForgetDevice(GARDEN))
    ));

    let mut window = Window::english();
    window.say(garden(Bond::Blocked));
    settings_of(&mut window, "Garden laptop");
    assert!(!sees(&window, "What it sends"), "nothing");
    window.click("Unblock");
    assert!(matches!(
        window.command(),
        Some(Command::ForgetDevice(GARDEN))
    ));
}

#[test]
fn fifty_known_devices_scroll_within_a_narrow_window() {
    let mut window = Window::new(Language::Chinese);
    window.harness.set_size(egui::vec2(520.0, 480.0));
    let many = (0..50_u8).map(|index| {
        let name = format!("第{index}台 {}", "很长的名字".repeat(10));
        device(DeviceId([index; 32]), &name, Bond::Paired)
    });
    window.say(Event::Devices(many.collect()));
    window.press(Modifiers::COMMAND, Key::Comma);
    let page = window
        .harness
        .get_by_role_and_label(Role::RadioButton, "已配对设备");
    page.click();
    window.harness.run();
    let done = window.harness.get_by_label("完成");
    assert!(done.rect().bottom() <= 480.0, "{:?}", done.rect());
    let window_rect = egui::Rect::from_min_size(egui::Pos2::ZERO, egui::vec2(520.0, 480.0));
    let first =
        window.harness.query_all(
            egui_kittest::kittest::by()
                .recursive(true)
                .predicate(|node| {
                    node.label()
                        .is_some_and(|label| label.starts_with("“第49台"))
                }),
        );
    let arrow = first.into_iter().next().unwrap();
    assert!(
        window_rect.contains_rect(arrow.rect()),
        "{:?}",
        arrow.rect()
    );
}

#[test]
fn who_may_enter_is_said_in_chinese() {
    let mut window = Window::new(Language::Chinese);
    window.say(listening());
    window.say(code());
    window.say(garden(Bond::Paired));
    window.say(Event::CodeRests(true));
    asks(&mut window, TRANSFER, symbols());
    for label in [
        "设备",
        "谁可以发送",
        "任何人（需我同意）",
        "输错次数过多，按“换一个”之前不接受任何配对码。",
        "对方屏幕上也是这四个图案吗？",
        "鱼 · 钥匙 · 云 · 树",
        "不是，停止",
    ] {
        assert!(sees(&window, label), "{label}");
    }
}

#[test]
fn who_was_looked_at_and_is_remembered_since_needs_no_code() {
    let mut window = Window::english();
    addressed(&mut window);
    window.say(takes(&[Way::Code, Way::Pair]));
    assert!(sees(&window, "Code on its screen"));
    window.say(Event::Devices(vec![device(
        STRANGER,
        "Kitchen PC",
        Bond::Paired,
    )]));
    assert!(!sees(&window, "Code on its screen"));
}

#[test]
fn a_link_says_which_device_is_meant() {
    let mut window = Window::english();
    window.drop_file("/home/me/a.txt");
    let link = format!("ropeway://{ADDRESS}:9000/?id={STRANGER}");
    window.type_into("To", &link);
    window.press(Modifiers::NONE, Key::Enter);
    window.type_into("Code on its screen", "427913");
    window.press(Modifiers::NONE, Key::Enter);
    let mut sends = window.commands.try_iter();
    let request = sends.find_map(|command| match command {
        Command::Send(request) => Some(request),
        _other => None,
    });
    let chosen = request.and_then(|request| request.device);
    assert_eq!(chosen.map(|chosen| chosen.id), Some(STRANGER));
}

#[test]
fn what_a_rule_took_while_it_was_counted_is_a_row_and_no_question() {
    let mut window = Window::english();
    let Event::Started(begun) = started(Direction::Receive) else {
        panic!("a start");
    };
    let Event::Offer(counted) = offer(5) else {
        panic!("an offer");
    };
    let counted = Offer {
        transfer: begun.transfer,
        ..counted
    };
    window.say(Event::Started(begun));
    window.say(Event::Offer(counted));
    assert!(!sees(&window, "Accept"));
}

#[test]
fn who_has_to_wait_is_named_until_there_is_a_new_code() {
    let mut window = Window::english();
    window.say(listening());
    window.say(code());
    let from = "192.168.1.33".parse().unwrap();
    window.say(Event::MustWait { from });
    let sentence =
        "Too many wrong tries from 192.168.1.33. It has to wait a minute; others can send.";
    assert!(sees(&window, sentence));
    window.click("New code");
    assert!(!sees(&window, sentence));
}
