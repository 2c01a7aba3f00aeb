//! The connection doctor in the window: its dialog, the way to it, and what the Receive panel says.
#![cfg(feature = "gui")]
// Helpers of tests are tests, too; clippy only knows the functions that are marked.
#![allow(clippy::unwrap_used)]

mod support;
#[path = "support/window.rs"]
mod window;

use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use ropeway::engine::{Command, Event, Looked};
use ropeway::model::finding::{Door, Firewall, Link, LinkKind, NoConnection, Remedy, Unclear};
use ropeway::model::{Diagnosis, Failure, Finding, PeerAddress};
use ropeway::settings::Language;
use window::*;

const COMMAND: &str = "sudo ufw allow 9000/tcp";

fn blocked() -> Finding {
    Finding::FirewallBlocks {
        firewall: Firewall::Ufw,
        door: Door::Transfers { tcp: 9000 },
        remedy: Remedy {
            commands: vec![COMMAND.into()],
            lasting: true,
        },
    }
}

fn in_a_network() -> Finding {
    Finding::Link(Link {
        link: "eth0".into(),
        kind: LinkKind::Local,
        addresses: vec!["192.168.1.5".parse().unwrap()],
    })
}

fn not_connected() -> Finding {
    Finding::NotConnected {
        address: "192.168.1.20:9000".parse().unwrap(),
        why: NoConnection::TimedOut,
        elsewhere: false,
    }
}

fn found(of: Option<&PeerAddress>, findings: &[Finding], complete: bool) -> Event {
    Event::Diagnosis(Diagnosis {
        of: of.cloned(),
        findings: findings.to_vec(),
        complete,
    })
}

fn asked(window: &Window) -> Option<PeerAddress> {
    match window.command() {
        Some(Command::Diagnose { of, usual_port }) => {
            assert_eq!(usual_port, 9000);
            of
        }
        other => panic!("a diagnosis, not {other:?}"),
    }
}

#[test]
fn what_is_found_streams_into_the_dialog_and_its_commands_can_be_copied() {
    let mut window = Window::english();
    window.press(Modifiers::COMMAND | Modifiers::SHIFT, Key::D);
    assert_eq!(asked(&window), None);
    window.harness.get_by_label("Looking…");
    window.say(found(None, &[in_a_network()], false));
    window
        .harness
        .get_by_label("In a network: 192.168.1.5 (eth0).");
    window.harness.get_by_label("Looking…");
    let all = [in_a_network(), blocked()];
    window.say(found(None, &all, true));
    window.harness.get_by_label("1 problem was found.");
    window.harness.get_by_label("Problem");
    let copy = format!("Copy: {COMMAND}");
    window
        .harness
        .get_by_role_and_label(Role::Button, &copy)
        .click();
    window.harness.step();
    assert_eq!(copied(&window), [COMMAND]);
    window.harness.run();
    window.click("Check again");
    assert_eq!(asked(&window), None);
    assert!(
        window
            .harness
            .query_by_label("1 problem was found.")
            .is_none()
    );
    window.press(Modifiers::NONE, Key::Escape);
    assert!(window.harness.query_by_label("Looking…").is_none());
}

#[test]
fn a_report_for_whoever_helps_is_copied_with_what_was_found() {
    let mut window = Window::english();
    window.press(Modifiers::COMMAND | Modifiers::SHIFT, Key::D);
    window.say(found(None, &[blocked()], true));
    window.harness.get_by_label("Copy report").click();
    let report = (0..1000).find_map(|_| {
        window.harness.step();
        // Another thread makes it.
        std::thread::yield_now();
        copied(&window).pop()
    });
    let report = report.unwrap();
    assert!(
        report.contains("x The firewall of this computer"),
        "{report}"
    );
    assert!(!report.contains("Study PC"), "{report}");
    window.harness.run();
    window.harness.get_by_label("Copied");
}

#[test]
fn the_help_page_leads_to_it_and_an_address_is_checked_by_the_keyboard_alone() {
    let mut window = Window::english();
    window.click("Keys and help");
    // It stands among the keys, too.
    let button = |window: &Window| {
        let button = window
            .harness
            .get_by_role_and_label(Role::Button, "Why can’t I connect?");
        button.click();
    };
    button(&window);
    window.harness.run();
    assert_eq!(asked(&window), None);
    window.say(found(None, &[in_a_network()], true));
    let field = "Device that cannot be reached";
    window.type_into(field, "192.168.1.20:99999");
    window
        .harness
        .get_by_label("The port behind the colon is a number from 1 to 65535.");
    window.press(Modifiers::NONE, Key::Enter);
    assert!(window.command().is_none());
    for _ in 0..5 {
        window
            .harness
            .get_by_role_and_label(Role::TextInput, field)
            .focus();
        window.press(Modifiers::NONE, Key::Backspace);
    }
    window.press(Modifiers::NONE, Key::Backspace);
    window.press(Modifiers::NONE, Key::Enter);
    let of = "192.168.1.20".parse().unwrap();
    assert_eq!(asked(&window), Some(of));
}

#[test]
fn a_failure_leads_to_what_can_be_found_out_about_that_address() {
    let mut window = Window::english();
    window.type_into("To", "192.168.1.20");
    // Leaves the field, so that the address is looked at.
    window.press(Modifiers::NONE, Key::Enter);
    let at: PeerAddress = "192.168.1.20".parse().unwrap();
    let address = "192.168.1.20:9000".to_owned();
    window.say(Event::Looked(Looked {
        at: at.clone(),
        found: Err(Failure::Unreachable { address }),
    }));
    while window.commands.try_recv().is_ok() {}
    window.click("Why?");
    assert_eq!(asked(&window), Some(at.clone()));
    let field = window
        .harness
        .get_by_role_and_label(Role::TextInput, "Device that cannot be reached");
    assert_eq!(
        field.accesskit_node().value().as_deref(),
        Some("192.168.1.20")
    );
    window.say(found(Some(&at), &[in_a_network(), not_connected()], true));
    window.harness.get_by_label("This computer");
    window.harness.get_by_label("192.168.1.20");
    window
        .harness
        .get_by_label("192.168.1.20:9000 cannot be reached: no answer at all.");
    window.click("Check again");
    assert_eq!(asked(&window), Some(at));
}

#[test]
fn the_first_click_counts_although_it_leaves_the_address_field() {
    let mut window = Window::english();
    window.type_into("To", "192.168.1.20");
    let at: PeerAddress = "192.168.1.20".parse().unwrap();
    let looks = |window: &Window| {
        let mut commands = window.commands.try_iter();
        commands.any(|command| matches!(command, Command::LookAt(_)))
    };
    // The address is looked at a moment after the last key.
    assert!((0..1000).any(|_| {
        window.harness.step();
        looks(&window)
    }));
    let failed = || {
        Event::Looked(Looked {
            at: "192.168.1.20".parse().unwrap(),
            found: Err(Failure::Refused {
                address: "192.168.1.20:9000".into(),
            }),
        })
    };
    window.say(failed());
    window
        .harness
        .get_by_role_and_label(Role::TextInput, "To")
        .focus();
    window.harness.run();
    window.click("Why?");
    assert!(
        window.commands.try_iter().any(|command| {
            matches!(command, Command::Diagnose { of: Some(of), .. } if of == at)
        })
    );
}

#[test]
fn a_failure_that_explains_itself_has_no_such_link() {
    let mut window = Window::english();
    window.type_into("To", "192.168.1.20");
    // Leaves the field, so that the address is looked at.
    window.press(Modifiers::NONE, Key::Enter);
    window.say(Event::Looked(Looked {
        at: "192.168.1.20".parse().unwrap(),
        found: Err(Failure::Ourselves),
    }));
    window.harness.get_by_label("That is this device itself.");
    assert!(window.harness.query_by_label("Why?").is_none());
}

#[test]
fn a_firewall_that_blocks_the_server_speaks_in_its_panel_until_it_lets_others_in() {
    for (language, blocks, copy, again) in [
        (
            Language::English,
            "A firewall is blocking Ropeway: others cannot send here.",
            "Copy the command",
            "Check again",
        ),
        (
            Language::Chinese,
            "防火墙阻挡了 Ropeway：别人无法发送到本机。",
            "复制命令",
            "再次检查",
        ),
    ] {
        let mut window = Window::new(language);
        window.say(listening());
        window.say(code());
        assert!(window.harness.query_by_label(blocks).is_none());
        window.say(Event::Firewall(vec![blocked()]));
        window.harness.get_by_label(blocks);
        window.harness.get_by_label(COMMAND);
        window.harness.get_by_label(copy).click();
        window.harness.step();
        assert_eq!(copied(&window), [COMMAND]);
        window.harness.run();
        window.click(again);
        assert!(matches!(window.command(), Some(Command::CheckFirewall)));
        let firewall = Firewall::Ufw;
        let door = Door::Transfers { tcp: 9000 };
        window.say(Event::Firewall(vec![Finding::FirewallOpen {
            firewall,
            door,
        }]));
        assert!(window.harness.query_by_label(blocks).is_none());
    }
}

#[test]
fn the_panel_of_the_server_is_silent_where_nothing_can_be_told() {
    let mut window = Window::english();
    window.say(listening());
    window.say(Event::Firewall(vec![Finding::FirewallUnclear {
        firewall: None,
        door: Door::Transfers { tcp: 9000 },
        why: Unclear::NotAllowed,
        commands: vec!["sudo nft list ruleset".into()],
    }]));
    assert!(window.harness.query_by_label("Check again").is_none());
    window.say(Event::Firewall(vec![blocked()]));
    window.harness.get_by_label("Check again");
    window.say(Event::ListenStopped);
    assert!(window.harness.query_by_label("Check again").is_none());
}
