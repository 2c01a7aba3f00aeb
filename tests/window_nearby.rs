//! Devices nearby in the window: their cards, the way to them, and how this one shows itself.
#![cfg(feature = "gui")]
// Helpers of tests are tests, too; clippy only knows the functions that are marked.
#![allow(clippy::unwrap_used)]

mod support;
#[path = "support/window.rs"]
mod window;

use std::net::SocketAddr;

use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use ropeway::engine::{CallStands, Caller, Command, Event, Found, Looked};
use ropeway::model::{DeviceId, DeviceName, Failure, Nearby, PeerAddress, Presence, Way};
use ropeway::settings::Language;
use window::*;

fn id(byte: u8) -> DeviceId {
    DeviceId([byte; 32])
}

fn at(text: &str) -> PeerAddress {
    text.parse().unwrap()
}

/// The cards, from the left to the right, row by row: name and what stands below it.
const WHO_MAY: [&str; 2] = ["Who may send", "谁可以发送"];

fn cards(window: &Window) -> Vec<String> {
    let cards = window
        .harness
        .query_all_by(|node| node.role() == Role::RadioButton && node.description().is_some())
        // Nor who may send, which is one of a few as well.
        .filter(|card| !WHO_MAY.contains(&card.accesskit_node().description().unwrap().as_str()));
    let mut cards: Vec<_> = cards
        .map(|card| {
            let node = card.accesskit_node();
            let (name, about) = (node.label(), node.description());
            let text = format!(
                "{}: {}",
                name.unwrap_or_default(),
                about.unwrap_or_default()
            );
            let place = card.rect().left_top();
            ((place.y as i64, place.x as i64), text)
        })
        .collect();
    cards.sort();
    cards.into_iter().map(|(_, text)| text).collect()
}

#[test]
fn whoever_can_be_sent_to_stands_first_and_says_how_it_is() {
    let mut window = Window::english();
    window.say(Event::Devices(vec![
        known(id(1), "Away"),
        known(id(2), "Attic PC"),
    ]));
    window.say(Event::Nearby(vec![
        nearby(id(3), "Silent", false),
        nearby(id(4), "New one", true),
        nearby(id(2), "Attic PC", true),
    ]));
    assert_eq!(
        cards(&window),
        [
            "Attic PC: known · Linux",
            "New one: not known · Linux",
            "Away: known · not nearby",
            "Silent: receive is off",
        ]
    );
}

#[test]
fn devices_of_one_name_show_their_ids() {
    let mut window = Window::english();
    window.say(Event::Nearby(vec![
        nearby(id(3), "Laptop", true),
        nearby(id(4), "Laptop", true),
    ]));
    let of = |byte| format!("Laptop: not known · {}", id(byte).short());
    assert_eq!(cards(&window), [of(3), of(4)]);
}

fn caller(byte: u8, name: &str, stands: CallStands) -> Caller {
    Caller {
        device: id(byte),
        name: DeviceName::cleaned(name, "?"),
        stands,
    }
}

fn lets_connect(window: &Window) -> Option<(DeviceId, bool)> {
    window
        .commands
        .try_iter()
        .find_map(|command| match command {
            Command::LetConnect(device, yes) => Some((device, yes)),
            _ => None,
        })
}

#[test]
fn a_device_that_cannot_reach_this_one_says_so_and_is_let_connect_by_a_click_or_a_key() {
    let mut window = Window::english();
    window.say(Event::Nearby(vec![nearby(id(3), "Study", false)]));
    let asks = || Event::Callers(vec![caller(3, "Study", CallStands::Asks)]);
    window.say(asks());
    let sentence = "“Study” wants to send you something, but cannot reach this device.";
    assert!(
        window.harness.query_by_label(sentence).is_none(),
        "Receive is off"
    );
    window.say(listening());
    window.harness.get_by_label(sentence);
    assert_eq!(cards(&window), ["Study: wants to send to you"]);
    let button = window.harness.get_by_label("Let it connect");
    let description = button.accesskit_node().description();
    assert_eq!(description.as_deref(), Some("Study"));
    window.click("Let it connect");
    assert_eq!(lets_connect(&window), Some((id(3), true)));
    window.harness.get_by_label("Let it connect").focus();
    window.press(Modifiers::NONE, Key::Enter);
    assert_eq!(lets_connect(&window), Some((id(3), true)));
    // Its card does the same, and is not chosen: it takes nothing.
    window.click("Study");
    assert_eq!(lets_connect(&window), Some((id(3), true)));
    window.say(Event::Callers(vec![caller(
        3,
        "Study",
        CallStands::Connecting,
    )]));
    window.harness.get_by_label("Connecting to “Study”…");
    assert_eq!(cards(&window), ["Study: receive is off"]);
    window.say(Event::Callers(vec![caller(3, "Study", CallStands::Failed)]));
    window.click("Try again");
    assert_eq!(lets_connect(&window), Some((id(3), true)));
    window.click("Not now");
    assert_eq!(lets_connect(&window), Some((id(3), false)));
    window.say(Event::Callers(Vec::new()));
    assert!(window.harness.query_by_label("Not now").is_none());

    let mut window = Window::new(Language::Chinese);
    window.say(listening());
    window.say(asks());
    window
        .harness
        .get_by_label("“Study”想给您发送内容，但连不上本机。");
    window.click("允许连接");
    assert_eq!(lets_connect(&window), Some((id(3), true)));
}

#[test]
fn a_chosen_device_that_is_not_reached_is_sent_to_all_the_same() {
    let mut window = Window::english();
    window.say(Event::Nearby(vec![nearby(id(3), "Garden", true)]));
    window.drop_file("/home/me/plan.pdf");
    window.click("Garden");
    let first = looked_at(&window).unwrap();
    let failure = Failure::Unreachable {
        address: first.to_string(),
    };
    window.say(Event::Looked(Looked {
        at: first,
        found: Err(failure),
    }));
    window.type_into("Code on its screen", "123456");
    window.press(Modifiers::NONE, Key::Enter);
    match window.command() {
        Some(Command::Send(request)) => assert_eq!(request.device.unwrap().id, id(3)),
        other => panic!("{other:?}"),
    }
    // That nothing answered is no news of what is under way now.
    let said = window.harness.query_all_by_label_contains("No answer");
    assert_eq!(said.count(), 0);
}

/// Found at two places.
fn at_two_places() -> Nearby {
    let second: SocketAddr = "10.0.0.3:9000".parse().unwrap();
    let mut device = nearby(id(3), "Laptop", true);
    device.addresses.push(second);
    device
}

#[test]
fn a_device_that_does_not_answer_at_one_address_is_asked_at_the_next() {
    let mut window = Window::english();
    window.say(Event::Nearby(vec![at_two_places()]));
    window.click("Laptop");
    let first = looked_at(&window).unwrap();
    assert_eq!(first, at("192.168.1.3:9000"));
    let failure = Failure::Unreachable {
        address: first.to_string(),
    };
    window.say(Event::Looked(Looked {
        at: first,
        found: Err(failure),
    }));
    let second = looked_at(&window).unwrap();
    assert_eq!(second, at("10.0.0.3:9000"));
    let found = Found {
        id: id(3),
        name: DeviceName::cleaned("Laptop", "?"),
        ways: vec![Way::Code],
        paired: false,
    };
    window.say(Event::Looked(Looked {
        at: second.clone(),
        found: Ok(found),
    }));
    window.drop_file("/home/me/plan.pdf");
    window.type_into("Code on its screen", "123456");
    window.press(Modifiers::NONE, Key::Enter);
    match window.command() {
        Some(Command::Send(request)) => {
            assert_eq!(request.to, second);
            assert_eq!(request.device.unwrap().id, id(3));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn another_device_at_the_first_address_means_the_next_one_and_the_last_failure_is_said() {
    let mut window = Window::english();
    window.say(Event::Nearby(vec![at_two_places()]));
    window.click("Laptop");
    let first = looked_at(&window).unwrap();
    window.say(Event::Looked(Looked {
        at: first,
        found: Ok(Found {
            id: id(9),
            name: DeviceName::cleaned("Somebody else", "?"),
            ways: vec![Way::Code],
            paired: false,
        }),
    }));
    let second = looked_at(&window).unwrap();
    assert_eq!(second, at("10.0.0.3:9000"));
    window.say(Event::Looked(Looked {
        at: second,
        found: Err(Failure::Ourselves),
    }));
    assert!(looked_at(&window).is_none(), "there is no third address");
    window.harness.get_by_label("That is this device itself.");
}

#[test]
fn a_chosen_device_is_asked_as_soon_as_it_receives() {
    let mut window = Window::english();
    window.say(Event::Nearby(vec![nearby(id(3), "Laptop", false)]));
    window.click("Laptop");
    assert!(looked_at(&window).is_none());
    window.say(Event::Nearby(vec![nearby(id(3), "Laptop", true)]));
    assert_eq!(looked_at(&window), Some(at("192.168.1.3:9000")));
    // It does not change by itself what a person has typed.
    window.type_into("To", "1");
    window.say(Event::Nearby(vec![nearby(id(3), "Laptop", true)]));
    let field = window.harness.get_by_role_and_label(Role::TextInput, "To");
    let value = field.accesskit_node().value().unwrap_or_default();
    assert_eq!(value, "192.168.1.3:90001");
}

#[test]
fn a_known_device_that_is_away_is_waited_for() {
    let mut window = Window::english();
    window.say(Event::Devices(vec![known(id(1), "Attic PC")]));
    window.drop_file("/home/me/plan.pdf");
    window.click("Attic PC");
    let sentence = "Attic PC is not nearby · sent as soon as it can be reached";
    window.harness.get_by_label(sentence);
    window.press(Modifiers::COMMAND, Key::Enter);
    match window.command() {
        Some(Command::Send(request)) => {
            assert!(request.wait_for_it);
            assert_eq!(request.device.unwrap().id, id(1));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_run_may_show_itself_in_another_way_than_the_setting_says() {
    for (of_run, expected) in [
        (None, Presence::Visible),
        (Some(Presence::Off), Presence::Off),
    ] {
        let (commands, told) = std::sync::mpsc::channel();
        let (_events, events) = std::sync::mpsc::channel();
        let send = move |command| commands.send(command).unwrap();
        let settings = ropeway::settings::Settings::default();
        let mut app = ropeway::gui::app::App::new(settings, None, Box::new(send), events);
        app.presence_of_run = of_run;
        app.start(Vec::new(), None);
        let shown: Vec<_> = told
            .try_iter()
            .filter_map(|command| match command {
                Command::SetPresence(presence) => Some(presence),
                _ => None,
            })
            .collect();
        assert_eq!(shown, [expected]);
    }
}

#[test]
fn how_this_device_shows_itself_is_set_and_told_at_once() {
    for (language, page, words) in [
        (Language::English, "Network", ["Hidden", "Off", "Visible"]),
        (Language::Chinese, "网络", ["隐藏", "关闭", "可见"]),
    ] {
        let mut window = Window::new(language);
        window.press(Modifiers::COMMAND, Key::Comma);
        window.click(page);
        let all = [Presence::Hidden, Presence::Off, Presence::Visible];
        for (word, presence) in words.into_iter().zip(all) {
            window
                .harness
                .get_by_role_and_label(Role::RadioButton, word)
                .click();
            window.harness.run();
            match window.command() {
                Some(Command::SetPresence(told)) => assert_eq!(told, presence),
                other => panic!("{other:?}"),
            }
            assert_eq!(window.harness.state().settings.presence, presence);
        }
    }
}

#[test]
fn whoever_finds_nobody_is_led_to_the_doctor() {
    let mut window = Window::english();
    window.click("Why is nobody here?");
    assert!(matches!(
        window.command(),
        Some(Command::Diagnose { of: None, .. })
    ));
    window.press(Modifiers::NONE, Key::Escape);
    window.say(Event::Nearby(vec![nearby(id(3), "Laptop", true)]));
    assert!(
        window
            .harness
            .query_by_label("Why is nobody here?")
            .is_none()
    );
}
