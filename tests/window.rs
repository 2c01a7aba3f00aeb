//! The window without a window system: controls are found by label and role, clicks become
//! commands, events become pictures. The test owns both far ends, so nothing is waited for.
#![cfg(feature = "gui")]
// Helpers of tests are tests, too; clippy only knows the functions that are marked.
#![allow(clippy::unwrap_used)]

#[path = "window/fits.rs"]
mod fits;
#[path = "window/flows.rs"]
mod flows;
#[path = "window/hands.rs"]
mod hands;
#[path = "window/sight.rs"]
mod sight;
mod support;
#[path = "support/window.rs"]
mod window;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use egui::accesskit::{Role, Toggled};
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use ropeway::engine::{
    AcceptPolicy, Answer, Command, Event, Existing, Interrupted, Measured, OfferFolder, Recent,
    StopMode,
};
use ropeway::gui::view::{RowState, Server};
use ropeway::model::{
    DeviceId, DeviceName, Direction, EntryStatus, Failure, FileReport, Hold, Holds, OnConflict,
    Party, Problem, Status, Summary, TransferId, TransferState,
};
use ropeway::settings::Language;
use support::{Device, PASSPHRASE};
use window::*;

#[test]
fn dropped_files_and_a_code_become_one_send_command_and_the_list_is_empty_again() {
    let mut window = Window::english();
    window.drop_file("/home/me/报告.pdf");
    window.drop_file("/home/me/报告.pdf");
    window.harness.get_by_label("报告.pdf");
    window.type_into("To", "192.168.1.20");
    window.type_into("Code on its screen", "427 913");
    window.click("Send 1 item");
    let Some(Command::Send(request)) = window.command() else {
        panic!("a send command");
    };
    assert_eq!(request.sources, [PathBuf::from("/home/me/报告.pdf")]);
    assert_eq!(request.to.to_string(), "192.168.1.20");
    assert_eq!(request.secret.unwrap().code_bytes().as_slice(), b"427913");
    assert!(window.harness.query_by_label("报告.pdf").is_none());
    assert!(window.command().is_none(), "only once");
}

#[test]
fn the_send_button_says_what_is_missing() {
    let mut window = Window::english();
    window
        .harness
        .get_by_label("Pick or drop something to send first.");
    window.drop_file("/home/me/a.txt");
    window.harness.get_by_label("Pick a device or an address.");
    window.type_into("To", "192.168.1.20:99999");
    window
        .harness
        .get_by_label("The port behind the colon is a number from 1 to 65535.");
    window.press(Modifiers::COMMAND, Key::Enter);
    assert!(window.command().is_none());
}

#[test]
fn a_link_among_what_the_window_is_opened_with_says_to_whom_it_goes() {
    let mut window = Window::english();
    let opened = ["/home/me/a.txt", "ROPEWAY://192.168.1.20:9001/"].map(PathBuf::from);
    window.harness.state_mut().start(opened.to_vec(), None);
    window.harness.run();
    let state = window.harness.state();
    assert_eq!(state.view.draft.address, "ROPEWAY://192.168.1.20:9001/");
    assert_eq!(state.view.draft.picks.len(), 1);
    // A bad one is shown and complained about, not lost.
    let bad = vec![PathBuf::from("ropeway://192.168.1.20:99999/")];
    window.harness.state_mut().start(bad, None);
    window.harness.run();
    window
        .harness
        .get_by_label("The port behind the colon is a number from 1 to 65535.");
}

#[test]
fn sizes_appear_while_they_are_counted() {
    let mut window = Window::english();
    window.drop_file("/home/me/Holiday");
    for (entries, bytes, counting, shown) in [
        (12, 3_000_000, true, "12 items · 3 MB · counting…"),
        (3412, 18_400_000_000, false, "3,412 items · 18.4 GB"),
    ] {
        window.say(Event::Measured(Measured {
            path: "/home/me/Holiday".into(),
            is_folder: true,
            entries,
            bytes,
            counting,
            problem: None,
        }));
        // Once in the row; the panel's title may say the same.
        assert!(
            window.harness.query_all_by_label(shown).count() >= 1,
            "{shown}"
        );
    }
    window.click("Remove Holiday");
    assert!(window.harness.query_by_label("Holiday").is_none());
}

#[test]
fn a_wrong_code_brings_the_list_back_with_the_sentence() {
    let mut window = Window::english();
    window.drop_file("/home/me/a.txt");
    window.type_into("To", "192.168.1.20");
    window.type_into("Code on its screen", "111111");
    window.press(Modifiers::COMMAND, Key::Enter);
    let Some(Command::Send(request)) = window.command() else {
        panic!("a send command");
    };
    let mut event = started(Direction::Send);
    if let Event::Started(started) = &mut event {
        started.transfer = request.transfer;
    }
    window.say(event);
    let mut event = ended(Direction::Send, Status::Failed, Some(Failure::WrongSecret));
    if let Event::Ended(summary) = &mut event {
        summary.transfer = request.transfer;
    }
    window.say(event);
    window.harness.get_by_label("a.txt");
    window
        .harness
        .get_by_label("That code didn’t work. Type the one on its screen now.");
    assert!(window.harness.state().view.rows.is_empty());
    // The next keys are for the code, and that address is not offered again.
    let code = window
        .harness
        .get_by_role_and_label(Role::TextInput, "Code on its screen");
    assert!(code.accesskit_node().is_focused());
    assert!(window.harness.query_by_label("Recent").is_none());
}

#[test]
fn an_address_that_was_reached_is_at_hand_and_can_be_forgotten() {
    let mut window = Window::english();
    let recent = |address: &str| Recent {
        address: address.parse().unwrap(),
        device: DeviceId([3; 32]),
        name: DeviceName::cleaned("Garden laptop", "?"),
        last: std::time::SystemTime::now(),
    };
    window.say(Event::Recent(vec![recent("192.168.1.20")]));
    window.harness.get_by_label("Recent");
    window.click("Garden laptop · 192.168.1.20");
    assert_eq!(window.harness.state().view.draft.address, "192.168.1.20");
    let link = window.harness.get_by_label("Garden laptop · 192.168.1.20");
    link.click_secondary();
    window.harness.run();
    window.click("Forget this address");
    let forgotten = window.command();
    assert!(
        matches!(&forgotten, Some(Command::ForgetRecent(at)) if at.to_string() == "192.168.1.20"),
        "{forgotten:?}"
    );
    window.say(Event::Recent(Vec::new()));
    assert!(window.harness.query_by_label("Recent").is_none());
}

#[test]
fn a_file_that_got_another_name_here_is_opened_under_that_name() {
    let mut window = Window::english();
    window.say(started(Direction::Receive));
    window.say(Event::Files(
        TRANSFER,
        vec![FileReport {
            path: "Holiday 2026 (1)".into(),
            original: None,
            len_bytes: 5,
            blake3: None,
            status: EntryStatus::Arrived,
        }],
    ));
    window.say(ended(Direction::Receive, Status::Arrived, None));
    window.click("Open: Holiday 2026 (1)");
    let Some(Command::Open(path)) = window.command() else {
        panic!("an open command");
    };
    let there = Path::new("/home/me/Downloads/Ropeway/Holiday 2026 (1)");
    assert_eq!(path, there);
}

#[test]
fn a_wrong_try_is_forgotten_when_somebody_gets_in() {
    let mut window = Window::english();
    window.click("Receive");
    window.say(listening());
    window.say(code());
    window.say(Event::WrongSecret {
        from: "192.168.1.33".parse().unwrap(),
        tries_left: 2,
    });
    let warning = "Wrong code from 192.168.1.33 – 2 tries left.";
    window.harness.get_by_label(warning);
    window.say(offer(5));
    assert!(window.harness.query_by_label(warning).is_none());
}

#[test]
fn the_switch_turns_the_server_on_and_off() {
    let mut window = Window::english();
    let switch = "Receive from other devices";
    let node = window.harness.get_by_role_and_label(Role::Switch, switch);
    assert_eq!(node.accesskit_node().toggled(), Some(Toggled::False));
    window.click(switch);
    let Some(Command::Listen(options)) = window.command() else {
        panic!("a listen command");
    };
    assert_eq!(options.accept, AcceptPolicy::Ask);
    assert!(options.passphrase.is_none());
    assert!(window.harness.state().settings.receive_on);
    window.say(listening());
    window.say(code());
    window.harness.get_by_label("427 913");
    window.harness.get_by_label("192.168.1.20:9000");
    window.click("Hide");
    assert!(window.harness.query_by_label("427 913").is_none());
    window.click("New code");
    assert!(matches!(window.command(), Some(Command::NewCode)));
    window.click(switch);
    assert!(matches!(
        window.command(),
        Some(Command::StopListening(StopMode::LetFinish))
    ));
    assert!(!window.harness.state().settings.receive_on);
}

#[test]
fn switching_off_while_something_arrives_asks_what_to_do() {
    for (answer, expected) in [
        ("Let it finish", Some(StopMode::LetFinish)),
        ("Cancel transfer", Some(StopMode::EndTransfers)),
        ("Stay on", None),
    ] {
        let mut window = Window::english();
        window.say(listening());
        window.say(started(Direction::Receive));
        window.click("Receive from other devices");
        assert!(window.command().is_none(), "first it asks");
        window.click(answer);
        match (window.command(), expected) {
            (Some(Command::StopListening(mode)), Some(expected)) => assert_eq!(mode, expected),
            (None, None) => {}
            (command, _) => panic!("{answer}: {command:?}"),
        }
    }
}

#[test]
fn an_offer_waits_until_it_is_answered() {
    for (button, accepted) in [("Accept", true), ("Decline", false)] {
        let mut window = Window::english();
        window.say(offer(1_200_000_000));
        window
            .harness
            .get_by_label("Garden laptop wants to send you something");
        window.harness.get_by_label("307 items · 1.2 GB");
        window.harness.get_by_label("Kitchen plans");
        window.click(button);
        let Some(Command::Answer(transfer, answer)) = window.command() else {
            panic!("an answer");
        };
        assert_eq!(transfer, TRANSFER);
        assert_eq!(answer != Answer::Decline, accepted);
        assert!(
            window.harness.query_by_label("Accept").is_none(),
            "answered once"
        );
    }
    let mut window = Window::english();
    window.say(offer(3_000_000_000));
    window
        .harness
        .get_by_label("Only 2 GB free, 1 GB short. Choose another folder, or free some space.");
    window.say(Event::OfferWithdrawn(TRANSFER));
    assert!(window.harness.query_by_label("Accept").is_none());
}

#[test]
fn progress_moves_the_bar_and_the_end_says_how_it_went() {
    let mut window = Window::english();
    window.say(started(Direction::Receive));
    window.say(Event::State(TRANSFER, TransferState::Running));
    for (bytes, percent) in [(0, 0.0), (420_000, 42.0), (990_000, 99.0)] {
        window.say(progress(bytes));
        let bar = window
            .harness
            .get_by_role_and_label(Role::ProgressIndicator, "Progress of Holiday 2026");
        assert_eq!(bar.accesskit_node().numeric_value(), Some(percent));
    }
    window
        .harness
        .get_by_label("990 kB of 1 MB · 94.2 MB/s · 1 min 50 s left");
    window.say(Event::Quiet {
        transfer: TRANSFER,
        seconds: 8,
    });
    window
        .harness
        .get_by_label("990 kB of 1 MB · no answer for 8 s");
    window.click("Cancel: Holiday 2026");
    assert!(matches!(window.command(), Some(Command::Cancel(TRANSFER))));
    window.say(ended(Direction::Receive, Status::Arrived, None));
    window.harness.get_by_label("✓ received");
    window.harness.get_by_label("1 MB in 13 s · checked");
    window.say(Event::Safe(TRANSFER));
    window
        .harness
        .get_by_label("1 MB in 13 s · checked, safe on disk");
    window.click("Show in folder: Holiday 2026");
    let Some(Command::Reveal(path)) = window.command() else {
        panic!("a reveal command");
    };
    assert_eq!(path, Path::new("/home/me/Downloads/Ropeway/Holiday 2026"));
    window.click("Clear finished");
    window
        .harness
        .get_by_label("What you send and receive appears here.");
}

#[test]
fn what_was_interrupted_is_listed_after_a_restart_with_resume_and_delete() {
    let kept = |direction, days: u64| Interrupted {
        transfer: TRANSFER,
        direction,
        peer: peer("Garden laptop"),
        names: vec!["Holiday 2026".into()],
        picked: 1,
        places: vec!["/home/me/Holiday 2026".into()],
        entries: 10,
        bytes: 1_000_000,
        held_bytes: 420_000,
        failed: 0,
        until: std::time::SystemTime::now() + Duration::from_secs(days * 86_400 - 60),
    };
    let mut window = Window::english();
    window.say(Event::Kept(vec![kept(Direction::Send, 7)]));
    window.harness.get_by_label("interrupted");
    window.harness.get_by_label("It can be resumed for 7 days.");
    window.harness.get_by_label("420 kB of 1 MB");
    assert!(window.harness.query_by_label("Clear finished").is_none());
    window.click("Resume: Holiday 2026");
    assert!(matches!(window.command(), Some(Command::Resume(TRANSFER))));
    // It becomes the row that runs; there is no second one.
    window.say(started(Direction::Send));
    window.say(Event::State(TRANSFER, TransferState::Running));
    window.say(progress(500_000));
    assert_eq!(window.harness.state().view.rows.len(), 1);
    window.say(Event::State(TRANSFER, TransferState::Interrupted));
    window
        .harness
        .get_by_label("Connection lost. It resumes when Garden laptop is back.");
    window.click("Resume now: Holiday 2026");
    assert!(matches!(window.command(), Some(Command::Resume(TRANSFER))));

    // Sent again to the same device, it goes on, too.
    let mut window = Window::english();
    window.say(Event::Kept(vec![kept(Direction::Send, 7)]));
    window.drop_file("/home/me/Holiday 2026");
    window.type_into("To", "192.168.1.20:9000");
    window.type_into("Code on its screen", "111111");
    window.press(Modifiers::COMMAND, Key::Enter);
    assert!(matches!(window.command(), Some(Command::Resume(TRANSFER))));

    let mut window = Window::english();
    window.say(Event::Kept(vec![kept(Direction::Receive, 3)]));
    window
        .harness
        .get_by_label("Kept for 3 days. It goes on when Garden laptop resumes it.");
    assert!(
        window
            .harness
            .query_by_label("Resume: Holiday 2026")
            .is_none()
    );
    // What has arrived is not thrown away by one click.
    window.click("Give up: Holiday 2026");
    window.harness.get_by_label("Give up this transfer?");
    window.press(Modifiers::NONE, Key::Escape);
    assert!(window.command().is_none());
    window.click("Give up: Holiday 2026");
    window.click("Keep it");
    assert!(window.command().is_none());
    window.click("Give up: Holiday 2026");
    window.click("Give up");
    assert!(matches!(window.command(), Some(Command::Forget(TRANSFER))));
    window
        .harness
        .get_by_label("What you send and receive appears here.");
}

#[test]
fn what_lies_here_of_a_transfer_that_was_ended_can_be_given_up_at_once_and_is_not_cleared_away() {
    for status in [
        Status::Cancelled(Party::Peer),
        Status::Cancelled(Party::Us),
        Status::Failed,
    ] {
        let mut window = Window::english();
        window.say(started(Direction::Receive));
        window.say(progress(420_000));
        window.say(ended(Direction::Receive, status, None));
        assert!(window.harness.query_by_label("Clear finished").is_none());
        window.click("Give up: Holiday 2026");
        window.harness.get_by_label("Give up this transfer?");
        window.click("Give up");
        assert!(matches!(window.command(), Some(Command::Forget(TRANSFER))));
        assert!(window.harness.query_by_label("Holiday 2026").is_none());
    }
    // Nothing has arrived, nothing lies here.
    let mut window = Window::english();
    window.say(started(Direction::Receive));
    window.say(ended(
        Direction::Receive,
        Status::Cancelled(Party::Peer),
        None,
    ));
    assert!(
        window
            .harness
            .query_by_label("Give up: Holiday 2026")
            .is_none()
    );
    window.click("Clear finished");
    assert!(window.harness.query_by_label("Holiday 2026").is_none());
}

#[test]
fn who_declined_is_told_apart() {
    let declined = Some(Failure::Declined);
    let mut window = Window::english();
    window.say(started(Direction::Receive));
    window.say(ended(
        Direction::Receive,
        Status::Declined,
        declined.clone(),
    ));
    assert!(
        window
            .harness
            .query_by_label_contains("Declined here")
            .is_some()
    );
    assert!(
        window
            .harness
            .query_by_label_contains("The other person")
            .is_none()
    );
    let mut window = Window::english();
    window.say(started(Direction::Send));
    window.say(ended(Direction::Send, Status::Declined, declined));
    assert!(
        window
            .harness
            .query_by_label_contains("The other person declined")
            .is_some()
    );
}

#[test]
fn a_send_that_waits_says_what_of_its_things_is_gone_or_changed_until_it_is_over() {
    let mut window = Window::english();
    window.say(started(Direction::Send));
    window.say(Event::State(TRANSFER, TransferState::Away));
    let differ = |gone: &[&str], changed: &[&str]| Event::PicksDiffer {
        transfer: TRANSFER,
        gone: gone.iter().map(|place| place.into()).collect(),
        changed: changed.iter().map(|place| place.into()).collect(),
    };
    window.say(differ(&["/home/a/plan.pdf", "/home/b"], &["/home/c.txt"]));
    let gone = "No longer there: plan.pdf, b. Put it back, or it is left out.";
    let changed = "Changed since you picked it: c.txt. What is sent is how it is by then.";
    for line in [gone, changed] {
        window.harness.get_by_label(line);
    }
    window.say(differ(&[], &["/home/c.txt"]));
    assert!(window.harness.query_by_label(gone).is_none());
    window.harness.get_by_label(changed);
}

#[test]
fn both_screens_say_who_holds_a_transfer_up_and_what_is_needed() {
    let person = Some(Hold::Person);
    let full = |needed_bytes| Some(Hold::NoRoom { needed_bytes });
    let mut window = Window::english();
    window.say(started(Direction::Send));
    window.say(Event::State(TRANSFER, TransferState::Running));
    window.say(progress(420_000));
    window.click("Pause: Holiday 2026");
    assert!(matches!(window.command(), Some(Command::Pause(TRANSFER))));
    let holds = |here, there| Event::Held(TRANSFER, Holds { here, there });
    window.say(holds(person, None));
    window.harness.get_by_label("Paused by you.");
    window.harness.get_by_label("paused");
    window.click("Resume: Holiday 2026");
    assert!(matches!(window.command(), Some(Command::Resume(TRANSFER))));
    for (here, there, sentence) in [
        (person, person, "Paused by you and by Garden laptop."),
        (
            None,
            person,
            "Paused by Garden laptop. It goes on when resumed there.",
        ),
        (
            None,
            full(3_200_000_000),
            "Garden laptop needs 3.2 GB more. Sending continues once there is room.",
        ),
        (
            None,
            full(0),
            "The disk of Garden laptop is full. Sending continues once there is room.",
        ),
        (
            None,
            Some(Hold::NoFiles),
            "The disk of Garden laptop can hold no more files. Sending continues once some are deleted there.",
        ),
        (
            Some(Hold::Quota),
            None,
            "Your quota on this disk is used up. Receiving continues once there is room.",
        ),
        (
            full(3_200_000_000),
            None,
            "This disk needs 3.2 GB more. Receiving continues once there is room.",
        ),
    ] {
        window.say(holds(here, there));
        window.harness.get_by_label(sentence);
    }
    // Held there, it can be paused here as well.
    window.say(holds(None, person));
    window.click("Pause: Holiday 2026");
    assert!(matches!(window.command(), Some(Command::Pause(TRANSFER))));
    window.say(holds(None, None));
    assert!(window.harness.query_by_label("paused").is_none());
}

#[test]
fn a_speed_limit_is_typed_for_all_and_chosen_for_one() {
    let mut window = Window::english();
    window.click("Settings");
    window.click("Network");
    window.type_into("Speed limit", "2,5");
    window.press(Modifiers::NONE, Key::Enter);
    let limits = |command| match command {
        Some(Command::SetLimits(limits)) => limits,
        other => panic!("{other:?}"),
    };
    let asked = limits(window.command());
    assert_eq!(asked.bytes_per_second, Some(2_500_000));
    assert_eq!(asked.at_once, 3);
    window.click("1");
    assert_eq!(limits(window.command()).at_once, 1);
    window.type_into("Speed limit", "x");
    window.press(Modifiers::NONE, Key::Enter);
    assert!(window.command().is_none(), "that is no speed");
    window.click("Done");

    window.say(started(Direction::Send));
    window.say(Event::State(TRANSFER, TransferState::Running));
    window.click("Limit: Holiday 2026");
    window.click("5 MB/s");
    let asked = window.command();
    let Some(Command::LimitSpeed(TRANSFER, Some(5_000_000))) = asked else {
        panic!("{asked:?}");
    };
    window.click("Limit, 5 MB/s: Holiday 2026");
    window.click("No limit");
    let asked = window.command();
    assert!(matches!(asked, Some(Command::LimitSpeed(TRANSFER, None))));
}

#[test]
fn a_list_can_be_kept_for_another_device() {
    let mut window = Window::english();
    window.drop_file("/home/me/report.pdf");
    window.type_into("To", "192.168.1.20");
    window.type_into("Code on its screen", "111111");
    window.click("Keep the list after sending");
    window.press(Modifiers::COMMAND, Key::Enter);
    let first = window.command();
    assert!(matches!(first, Some(Command::Send(_))), "{first:?}");
    let draft = &window.harness.state().view.draft;
    assert_eq!((draft.picks.len(), draft.address.as_str()), (1, ""));
    window.type_into("To", "192.168.1.21");
    window.type_into("Code on its screen", "222222");
    window.press(Modifiers::COMMAND, Key::Enter);
    let Some(Command::Send(second)) = window.command() else {
        panic!("it goes to the second device, too");
    };
    assert_eq!(second.to.to_string(), "192.168.1.21");
    assert_eq!(second.sources.len(), 1);
}

#[test]
fn several_transfers_are_paused_and_resumed_together() {
    let mut window = Window::english();
    let id = |n| TransferId([n; 16]);
    for n in 1..=2 {
        let Event::Started(mut more) = started(Direction::Send) else {
            panic!("it is a start");
        };
        more.transfer = id(n);
        window.say(Event::Started(more));
        assert!(window.harness.query_by_label("Pause all").is_none());
        window.say(Event::State(id(n), TransferState::Running));
    }
    window.click("Pause all");
    let asked: Vec<_> = window.commands.try_iter().collect();
    assert!(
        matches!(
            asked[..],
            [Command::Pause(second), Command::Pause(first)] if second == id(2) && first == id(1)
        ),
        "{asked:?}"
    );
    let here = Some(Hold::Person);
    for n in 1..=2 {
        window.say(Event::Held(id(n), Holds { here, there: None }));
    }
    assert!(window.harness.query_by_label("Pause all").is_none());
    window.click("Resume all");
    let asked = window.commands.try_iter();
    assert_eq!(
        asked
            .filter(|command| matches!(command, Command::Resume(_)))
            .count(),
        2
    );
}

#[test]
fn what_is_compared_is_shown_with_its_progress() {
    let mut window = Window::english();
    window.say(started(Direction::Send));
    window.say(Event::State(TRANSFER, TransferState::Running));
    let Event::Progress(mut picture) = progress(420_000) else {
        panic!("a picture");
    };
    picture.checked_bytes = 100_000;
    picture.check_bytes = 400_000;
    window.say(Event::Progress(picture));
    window
        .harness
        .get_by_label("420 kB of 1 MB · checking 100 of 400 kB · 94.2 MB/s · 1 min 50 s left");
}

#[test]
fn failed_entries_are_listed_with_their_reasons() {
    let mut window = Window::english();
    window.say(started(Direction::Send));
    window.say(Event::Files(
        TRANSFER,
        vec![FileReport {
            path: "Holiday 2026/link".into(),
            original: None,
            len_bytes: 0,
            blake3: None,
            status: EntryStatus::Failed(Problem::Link),
        }],
    ));
    window.say(ended(Direction::Send, Status::Problems, None));
    window.harness.get_by_label("Holiday 2026/link");
    window
        .harness
        .get_by_label("Links are not sent. Send what it leads to.");
    window.click("Send again: Holiday 2026");
    let draft = &window.harness.state().view.draft;
    assert_eq!(draft.picks.len(), 1);
    assert_eq!(draft.address, "192.168.1.20:9000");
}

/// A transfer that ended with so many failures, links among them.
fn with_failures(window: &mut Window, direction: Direction, count: usize, can_retry: bool) {
    window.say(started(direction));
    let report = |n: usize| FileReport {
        path: format!("Holiday 2026/photo {n}.jpg"),
        original: None,
        len_bytes: 5,
        blake3: None,
        status: EntryStatus::Failed(match n {
            0 => Problem::Link,
            1 => Problem::Quota,
            _ => Problem::Changed,
        }),
    };
    window.say(Event::Files(TRANSFER, (0..count).map(report).collect()));
    let Event::Ended(summary) = ended(direction, Status::Problems, None) else {
        panic!("an end");
    };
    window.say(Event::Ended(Summary {
        failed: count as u64,
        can_retry,
        ..summary
    }));
}

#[test]
fn a_list_of_failures_is_narrowed_by_name_or_reason_and_copied_as_shown() {
    let mut window = Window::english();
    with_failures(&mut window, Direction::Send, 10, true);
    window.harness.get_by_label("10 failed");
    window.harness.get_by_label("Holiday 2026/photo 0.jpg");
    for (typed, shown) in [
        ("QUOTA", &["photo 1.jpg"][..]),
        ("photo 1", &["photo 1.jpg"]),
        ("links", &["photo 0.jpg"]),
        ("no such thing", &[]),
    ] {
        window.type_into("Filter the failures", typed);
        for n in 0..10 {
            let name = format!("photo {n}.jpg");
            let path = format!("Holiday 2026/{name}");
            let there = window.harness.query_by_label(&path).is_some();
            assert_eq!(there, shown.contains(&name.as_str()), "{typed}: {name}");
        }
        window.harness.get_by_label("Copy paths").click();
        window.harness.step();
        let expected: Vec<_> = shown
            .iter()
            .map(|name| format!("Holiday 2026/{name}"))
            .collect();
        assert_eq!(copied(&window), [expected.join("\n")], "{typed}");
        window.harness.run();
        window.press(Modifiers::COMMAND, Key::A);
        for _ in 0..typed.len() {
            window
                .harness
                .get_by_role_and_label(Role::TextInput, "Filter the failures")
                .focus();
            window.press(Modifiers::NONE, Key::Backspace);
        }
        assert_eq!(window.harness.state().view.rows[0].filter, "");
    }
    window.harness.get_by_label("Save as CSV…");
}

#[test]
fn a_short_list_of_failures_needs_no_filter() {
    let mut window = Window::english();
    with_failures(&mut window, Direction::Receive, 3, true);
    let filter = "Filter the failures";
    assert!(window.harness.query_by_label(filter).is_none());
    window.harness.get_by_label("Copy paths");
    window
        .harness
        .get_by_label("Garden laptop can retry what failed.");
    assert!(
        window
            .harness
            .query_by_label("Retry failed: Holiday 2026")
            .is_none()
    );
    window.click("Give up");
    assert!(matches!(window.command(), Some(Command::Forget(TRANSFER))));
}

#[test]
fn retry_is_offered_where_it_can_help_and_becomes_the_same_row() {
    let mut window = Window::english();
    with_failures(&mut window, Direction::Send, 2, false);
    assert!(
        window
            .harness
            .query_by_label("Retry failed: Holiday 2026")
            .is_none()
    );
    window.harness.get_by_label("Send again: Holiday 2026");

    let mut window = Window::english();
    with_failures(&mut window, Direction::Send, 3, true);
    assert!(
        window
            .harness
            .query_by_label("Send again: Holiday 2026")
            .is_none()
    );
    assert!(
        window.harness.query_by_label("Clear finished").is_none(),
        "it is kept"
    );
    window.click("Retry failed: Holiday 2026");
    assert!(matches!(window.command(), Some(Command::Resume(TRANSFER))));
    window.say(started(Direction::Send));
    window.say(Event::State(TRANSFER, TransferState::Checking));
    assert_eq!(window.harness.state().view.rows.len(), 1);
    assert!(window.harness.state().view.rows[0].failed.is_empty());
    window.say(ended(Direction::Send, Status::Arrived, None));
    window.harness.get_by_label("✓ sent");
    window.harness.get_by_label("Clear finished");
}

#[test]
fn after_a_restart_failures_can_be_retried_or_deleted() {
    let kept = |direction| {
        Event::Kept(vec![Interrupted {
            transfer: TRANSFER,
            direction,
            peer: peer("Garden laptop"),
            names: vec!["Holiday 2026".into()],
            picked: 1,
            places: vec!["/home/me/Holiday 2026".into()],
            entries: 10,
            bytes: 1_000_000,
            held_bytes: 420_000,
            failed: 2,
            until: std::time::SystemTime::now() + Duration::from_secs(7 * 86_400 - 60),
        }])
    };
    for (language, badge, line, retry, delete) in [
        (
            Language::English,
            "2 failed",
            "It can be retried for 7 days.",
            "Retry failed: Holiday 2026",
            "Give up: Holiday 2026",
        ),
        (
            Language::Chinese,
            "2 项失败",
            "7 天内可以重试。",
            "重试失败项：Holiday 2026",
            "放弃：Holiday 2026",
        ),
    ] {
        let mut window = Window::new(language);
        window.say(kept(Direction::Send));
        window.harness.get_by_label(badge);
        window.harness.get_by_label(line);
        window.click(retry);
        assert!(matches!(window.command(), Some(Command::Resume(TRANSFER))));
        window.click(delete);
        assert!(matches!(window.command(), Some(Command::Forget(TRANSFER))));
    }
    let mut window = Window::english();
    window.say(kept(Direction::Receive));
    window
        .harness
        .get_by_label("Garden laptop can retry it for 7 days.");
    assert!(
        window
            .harness
            .query_by_label("Retry failed: Holiday 2026")
            .is_none()
    );
}

#[test]
fn the_list_of_failures_can_be_used_with_the_keyboard_alone() {
    let mut window = Window::english();
    with_failures(&mut window, Direction::Send, 10, true);
    for label in [
        "Retry failed: Holiday 2026",
        "Filter the failures",
        "Copy paths",
        "Save as CSV…",
        "Give up",
    ] {
        let mut tabs = 0;
        while !window.harness.get_by_label(label).is_focused() {
            window.press(Modifiers::NONE, Key::Tab);
            tabs += 1;
            assert!(tabs < 40, "{label} is not reached by Tab");
        }
    }
    assert_eq!(window.harness.state().view.rows.len(), 1);
}

#[test]
fn a_list_that_was_saved_or_not_is_said() {
    let mut window = Window::english();
    for (problem, said) in [
        (None, "The list is saved: /home/me/failed.csv"),
        (
            Some(Problem::ReadOnly),
            "The list could not be saved as /home/me/failed.csv: The disk is read-only. Make it \
             writable, or save to another one.",
        ),
    ] {
        window.say(Event::ListSaved {
            path: "/home/me/failed.csv".into(),
            problem,
        });
        window.harness.get_by_label(said);
    }
}

#[test]
fn the_whole_window_speaks_chinese() {
    let mut window = Window::new(Language::Chinese);
    window.drop_file("/home/me/很长的名字.docx");
    for label in [
        "发送",
        "接收",
        "传输",
        "把文件或文件夹拖到这里",
        "接收已关闭",
    ] {
        assert!(
            window.harness.query_all_by_label(label).count() >= 1,
            "{label}"
        );
    }
    window.say(started(Direction::Receive));
    window.say(Event::State(TRANSFER, TransferState::Running));
    window.say(progress(420_000));
    window
        .harness
        .get_by_label("420 kB / 1 MB · 94.2 MB/s · 剩余 1 分 50 秒");
    window.say(ended(
        Direction::Receive,
        Status::Interrupted,
        Some(Failure::Lost),
    ));
    window.harness.get_by_label("已中断");
}

#[test]
fn settings_act_at_once() {
    let mut window = Window::english();
    window.press(Modifiers::COMMAND, Key::Comma);
    window.click("简体中文");
    window.harness.get_by_label("本机名称");
    window.click("浅色");
    assert_eq!(
        window.harness.state().settings.theme,
        ropeway::settings::Theme::Light
    );
    window.click("完成");
    assert!(window.harness.query_by_label("本机名称").is_none());
}

#[test]
fn all_settings_go_back_to_the_defaults_once_the_person_has_said_so_twice() {
    let mut window = Window::english();
    window.press(Modifiers::COMMAND, Key::Comma);
    window.click("Receiving");
    window.click("Replace older");
    let conflict = |window: &Window| window.harness.state().settings.on_conflict;
    assert_eq!(conflict(&window), OnConflict::Newer);
    window.click("Advanced");
    for (answer, left) in [
        ("Keep my settings", OnConflict::Newer),
        ("Reset", OnConflict::Rename),
    ] {
        while window.command().is_some() {}
        window.click("Reset to defaults…");
        assert!(window.command().is_none(), "it is asked first");
        window.click(answer);
        assert_eq!(conflict(&window), left);
    }
    let told = std::iter::from_fn(|| window.command());
    let told: Vec<_> = told.collect();
    let rename = |command: &Command| matches!(command, Command::SetOnConflict(OnConflict::Rename));
    assert!(told.iter().any(rename), "the engine hears of it: {told:?}");
}

#[test]
fn very_long_names_do_not_push_anything_out_of_the_window() {
    let mut window = Window::english();
    let name = format!("{} end.pdf", "很长的文件名 long ".repeat(20));
    window.drop_file(&format!("/home/me/{name}"));
    window.harness.set_size(egui::vec2(520.0, 720.0));
    window.harness.run();
    let label = format!("Remove {name}");
    let remove = window.harness.get_by_label(&label);
    assert!(remove.rect().right() <= 520.0);
    let send = window.harness.get_by_label("Send 1 item");
    assert!(send.rect().right() <= 520.0);
}

#[test]
fn the_main_job_can_be_done_with_the_keyboard_alone() {
    let mut window = Window::english();
    window.drop_file("/home/me/a.txt");
    let focused = |window: &Window, label: &str| {
        let nodes = window.harness.query_all_by_label(label);
        nodes.into_iter().any(|node| node.is_focused())
    };
    for (label, text) in [("To", "192.168.1.20"), ("Code on its screen", "427913")] {
        let mut tabs = 0;
        while !focused(&window, label) {
            window.press(Modifiers::NONE, Key::Tab);
            tabs += 1;
            assert!(tabs < 30, "{label} is not reached by Tab");
        }
        window
            .harness
            .get_by_role_and_label(Role::TextInput, label)
            .type_text(text);
        window.harness.run();
    }
    window.press(Modifiers::COMMAND, Key::Enter);
    assert!(matches!(window.command(), Some(Command::Send(_))));
}

#[test]
fn nothing_is_repainted_when_nothing_changes() {
    let mut window = Window::english();
    window.say(listening());
    window.say(code());
    // `run` panics if the window never settles; afterwards no further frame may be asked for.
    let output = window.harness.output();
    let viewport = output.viewport_output.get(&egui::ViewportId::ROOT);
    let delay = viewport.map(|viewport| viewport.repaint_delay);
    assert!(
        delay.is_none_or(|delay| delay > Duration::from_secs(60)),
        "{delay:?}"
    );
}

#[test]
fn two_engines_take_the_view_to_received() {
    let mut sender = Device::new("Study");
    let mut receiver = Device::new("Garden");
    let addr = receiver.listen(AcceptPolicy::Ask, Some(PASSPHRASE));
    let file = sender.home.path().join("a.bin");
    fs::write(&file, support::noise(1, 3_000_000)).unwrap();
    sender.send(&[&file], addr, PASSPHRASE);
    let waiting = receiver.offer();

    let mut window = Window::english();
    for event in receiver.said.drain(..) {
        window.say(event);
    }
    window.click("Accept");
    let answer = window.command().expect("an answer");
    assert!(matches!(&answer, Command::Answer(id, _) if *id == waiting.transfer));
    receiver.engine.command(answer);
    receiver.safe();
    for event in receiver.said.drain(..) {
        window.say(event);
    }
    window.harness.get_by_label("✓ received");
    let view = &window.harness.state().view;
    assert!(matches!(&view.rows[0].state, RowState::Ended(summary) if summary.failed == 0));
    assert!(view.rows[0].safe && matches!(view.server, Server::On(_)));
    let got = fs::read(receiver.inbox().join("a.bin")).unwrap();
    assert_eq!(got, support::noise(1, 3_000_000));
    sender.arrived();
}

#[test]
fn colours_and_sizes_live_in_the_theme_alone() {
    let mut checked = 0;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gui");
    for entry in walkdir::WalkDir::new(source) {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.ends_with(".rs") || name == "theme.rs" {
            continue;
        }
        let text = fs::read_to_string(entry.path()).unwrap();
        for (number, line) in text.lines().enumerate() {
            let literal = [
                "Color32::from_",
                "Color32::WHITE",
                "Color32::BLACK",
                "FontId::proportional(",
            ]
            .iter()
            .find(|literal| line.contains(**literal));
            assert!(literal.is_none(), "{name}:{}: {line}", number + 1);
        }
        checked += 1;
    }
    assert!(checked >= 15, "{checked}");
}

fn meeting(existing: Existing, on_conflict: OnConflict) -> Event {
    let Event::Offer(mut waiting) = offer(5_000_000) else {
        panic!("an offer");
    };
    waiting.existing = Some(Box::new(existing));
    waiting.on_conflict = on_conflict;
    Event::Offer(waiting)
}

fn kitchen(same_names: u64, new: u64, complete: bool) -> Existing {
    Existing {
        names: vec!["Kitchen plans".into()],
        picked: 1,
        same_names,
        new,
        complete,
    }
}

fn chosen(window: &Window, word: &str) -> Option<Toggled> {
    let node = window
        .harness
        .get_by_role_and_label(Role::RadioButton, word);
    node.accesskit_node().toggled()
}

#[test]
fn an_offer_that_meets_nothing_asks_nothing_more() {
    let mut window = Window::english();
    window.say(meeting(Existing::default(), OnConflict::Rename));
    assert!(window.harness.query_by_label("Keep both").is_none());
    window.click("Accept");
    let answer = Answer::Accept {
        folder: None,
        on_conflict: None,
        remember: false,
    };
    assert!(matches!(
        window.command(),
        Some(Command::Answer(TRANSFER, said)) if said == answer
    ));
}

#[test]
fn an_offer_says_what_exists_and_takes_a_choice() {
    for (word, rule) in [
        ("Keep both", OnConflict::Rename),
        ("Replace older", OnConflict::Newer),
        ("Replace", OnConflict::Replace),
        ("Skip existing", OnConflict::Skip),
        ("Separate folder", OnConflict::Separate),
    ] {
        let mut window = Window::english();
        window.say(meeting(kitchen(3392, 20, true), OnConflict::Newer));
        window.harness.get_by_label(
            "“Kitchen plans” is there already: 3,392 files with the same name, 20 new",
        );
        assert_eq!(chosen(&window, "Replace older"), Some(Toggled::True));
        assert_eq!(chosen(&window, "Skip existing"), Some(Toggled::False));
        window.click(word);
        assert_eq!(chosen(&window, word), Some(Toggled::True));
        // Another folder, in which as much exists.
        window.say(Event::OfferFolder(OfferFolder {
            transfer: TRANSFER,
            folder: "/media/stick".into(),
            free_bytes: Some(1_000_000),
            existing: Some(Box::new(kitchen(3392, 20, true))),
        }));
        window.harness.get_by_label("Into /media/stick");
        window
            .harness
            .get_by_label("Only 1 MB free, 4 MB short. Choose another folder, or free some space.");
        // The count goes on; what was chosen stays.
        window.say(meeting(kitchen(3393, 20, true), OnConflict::Newer));
        assert_eq!(chosen(&window, word), Some(Toggled::True));
        window.click("Accept");
        let Some(Command::Answer(TRANSFER, answer)) = window.command() else {
            panic!("an answer");
        };
        let expected = Answer::Accept {
            folder: None,
            on_conflict: Some(rule),
            remember: false,
        };
        assert_eq!(answer, expected, "{word}");
    }
}

#[test]
fn what_exists_is_said_in_both_languages_and_while_it_is_looked_at() {
    let several = Existing {
        picked: 3,
        ..kitchen(2, 1, true)
    };
    for (existing, english, chinese) in [
        (
            kitchen(1, 0, true),
            "“Kitchen plans” is there already",
            "“Kitchen plans”已存在",
        ),
        (
            kitchen(1, 5, true),
            "“Kitchen plans” is there already: 1 file with the same name, 5 new",
            "“Kitchen plans”已存在：1 个同名，5 个新文件",
        ),
        (
            kitchen(7, 1000, false),
            "“Kitchen plans” is there already: 7 files with the same name, 1,000 new so far",
            "“Kitchen plans”已存在：7 个同名，1,000 个新文件（仍在查看）",
        ),
        (
            several,
            "“Kitchen plans” and 2 more are there already",
            "“Kitchen plans”等 3 项已存在",
        ),
    ] {
        for (language, sentence) in [(Language::English, english), (Language::Chinese, chinese)] {
            let mut window = Window::new(language);
            window.say(meeting(existing.clone(), OnConflict::Rename));
            window.harness.get_by_label(sentence);
        }
    }
}

#[test]
fn a_lone_file_cannot_be_put_into_a_folder_of_its_own() {
    let mut window = Window::english();
    window.say(meeting(kitchen(1, 0, true), OnConflict::Rename));
    window.harness.get_by_label("Replace older");
    assert!(window.harness.query_by_label("Separate folder").is_none());
}

#[test]
fn the_default_for_names_that_are_taken_is_a_setting() {
    let mut window = Window::english();
    window.press(Modifiers::COMMAND, Key::Comma);
    window.click("Receiving");
    assert_eq!(chosen(&window, "Keep both"), Some(Toggled::True));
    window.click("Replace older");
    assert!(matches!(
        window.command(),
        Some(Command::SetOnConflict(OnConflict::Newer))
    ));
    let settings = &window.harness.state().settings;
    assert_eq!(settings.on_conflict, OnConflict::Newer);
    window.click("Done");
    window.click("Receive from other devices");
    let Some(Command::Listen(options)) = window.command() else {
        panic!("a listen command");
    };
    assert_eq!(options.on_conflict, OnConflict::Newer);
}

#[test]
fn choices_stay_within_a_narrow_window() {
    for language in [Language::English, Language::Chinese] {
        let mut window = Window::new(language);
        window.say(meeting(kitchen(3392, 20, true), OnConflict::Rename));
        window.harness.set_size(egui::vec2(420.0, 900.0));
        window.harness.run();
        let mut seen = 0;
        for choice in window.harness.query_all_by_role(Role::RadioButton) {
            assert!(choice.rect().right() <= 420.0);
            seen += 1;
        }
        assert_eq!(seen, 5);
    }
}

#[test]
fn what_was_left_out_is_said_at_the_end() {
    let mut window = Window::english();
    window.say(started(Direction::Receive));
    let Event::Ended(mut summary) = ended(Direction::Receive, Status::Arrived, None) else {
        panic!("an end");
    };
    summary.skipped = 3;
    window.say(Event::Ended(summary));
    window
        .harness
        .get_by_label("1 MB in 13 s · checked · 3 items left out");
}
