//! The wire panel: off until it is asked for; then it says what each connection waits for and how its
//! frames met the stream.
#![cfg(feature = "gui")]
// Helpers of tests are tests, too; clippy only knows the functions that are marked.
#![allow(clippy::unwrap_used)]

#[path = "support/window.rs"]
mod window;

use std::time::{Duration, Instant};

use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use ropeway::engine::{
    Closed, Command, Counts, Event, Flow, Frames, Phase, Purpose, Seen, What, WireConnection,
};
use ropeway::model::{DeviceName, Failure};
use ropeway::settings::Language;
use window::*;

fn frame(out: bool, kind: u8, name: &'static str, calls: (u64, u64)) -> What {
    What::Frames(Frames {
        out,
        kind,
        name,
        count: 1,
        bytes: 52,
        last_call: calls.1,
        calls: calls.1 - calls.0 + 1,
    })
}

fn connection(phase: Phase, within: Option<u64>) -> WireConnection {
    let now = Instant::now();
    let stream = What::Frames(Frames {
        out: true,
        kind: 0x20,
        name: "data",
        count: 1234,
        bytes: 323_500_000,
        last_call: 1242,
        calls: 1234,
    });
    let seen = [
        frame(true, 0x02, "verify", (2, 2)),
        What::Phase(Phase::Challenge),
        frame(false, 0x03, "challenge", (2, 3)),
        frame(false, 0x13, "accept", (4, 4)),
        frame(false, 0x16, "status", (4, 4)),
        frame(false, 0x23, "credit", (4, 4)),
        stream,
    ];
    let seen: Vec<_> = (13..)
        .zip(seen)
        .map(|(millis, what)| Seen {
            at: Duration::from_millis(millis),
            what,
        })
        .collect();
    WireConnection {
        id: 3,
        label: "send-3".into(),
        purpose: Purpose::Send,
        dialled: true,
        peer: Some(DeviceName::cleaned("Garden laptop", "?")),
        local: Some("192.168.1.7:50312".parse().unwrap()),
        remote: Some("192.168.1.20:9000".parse().unwrap()),
        opened: now,
        phase,
        since: now,
        // Half a second more, so that a slow test still counts the same.
        until: within.map(|seconds| now + Duration::from_millis(seconds * 1000 - 500)),
        dead_at: None,
        counts: Counts {
            reads: 61,
            frames_in: 80,
            bytes_in: 1_700,
            writes: 1240,
            frames_out: 1241,
            bytes_out: 323_500_500,
        },
        seen: seen.into(),
    }
}

fn listener() -> WireConnection {
    WireConnection {
        id: 1,
        label: "listen".into(),
        purpose: Purpose::Listen,
        dialled: false,
        peer: None,
        local: Some("[::]:9000".parse().unwrap()),
        remote: None,
        until: None,
        counts: Counts::default(),
        seen: [].into(),
        ..connection(Phase::Listening, None)
    }
}

fn shown(language: Language) -> Window<'static> {
    let mut window = Window::new(language);
    window.press(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::W);
    assert!(matches!(window.command(), Some(Command::WatchWire(true))));
    window
}

/// Without the seconds that a wait without an end counts, a window at rest stays at rest.
fn say(window: &mut Window, connections: Vec<WireConnection>) {
    window.events.send(Event::Wire(connections)).unwrap();
    window.harness.run_steps(4);
}

fn opened(window: &mut Window) {
    let label = "Show the frames of send-3";
    window.harness.get_by_label(label).click();
    window.harness.run_steps(4);
}

#[test]
fn the_panel_is_off_until_it_is_asked_for_by_keys_or_in_the_settings() {
    let mut window = Window::english();
    assert!(window.harness.query_by_label("Wire").is_none());
    assert!(window.command().is_none());
    window.click("Settings");
    window.click("Advanced");
    let switch = |window: &Window| {
        let found = window
            .harness
            .get_by_role_and_label(Role::Switch, "Wire panel");
        found.click();
    };
    switch(&window);
    window.harness.run();
    assert!(matches!(window.command(), Some(Command::WatchWire(true))));
    assert!(window.harness.state().settings.wire);
    window.click("Done");
    window.harness.get_by_label("Wire");
    window.harness.get_by_label_contains("No connection.");
    window.click("Hide");
    assert!(matches!(window.command(), Some(Command::WatchWire(false))));
    assert!(!window.harness.state().settings.wire);
    assert!(window.harness.query_by_label("Wire").is_none());
}

#[test]
fn a_row_says_who_is_there_what_it_waits_for_and_what_ends_the_wait() {
    let mut window = shown(Language::English);
    let waits = connection(Phase::Challenge, Some(4));
    say(&mut window, vec![listener(), waits]);
    let said = [
        "[::]:9000",
        "Waits for somebody to connect · ends when you switch Receive off",
        "Garden laptop",
        "sending · 192.168.1.20:9000 · we connected",
        "Said how it comes in – waits for the challenge · ends when it comes, at latest in 4 s",
        "→ 1,241 frames · 323.5 MB · 1,240 writes",
        "← 80 frames · 1.7 kB · 61 reads",
    ];
    for line in said {
        window.harness.get_by_label(line);
    }
    let retry = connection(Phase::Retry(Failure::Lost), Some(5));
    say(&mut window, vec![retry]);
    let label = "No connection – the connection was lost · tries again in 5 s";
    window.harness.get_by_label(label);
    let closed = connection(Phase::Closed(Closed::NotLetIn), None);
    say(&mut window, vec![closed]);
    let label = "Closed – they did not prove what was asked";
    window.harness.get_by_label(label);
}

#[test]
fn an_opened_row_tells_how_frames_met_the_stream_and_copies_it() {
    let mut window = shown(Language::English);
    say(
        &mut window,
        vec![connection(Phase::Sending(Flow::Moves), None)],
    );
    window.harness.set_size(egui::vec2(1280.0, 1400.0));
    opened(&mut window);
    let lines = [
        "+0.013 → 0x02 verify 52 bytes",
        "+0.014   Said how it comes in – waits for the challenge",
        "+0.015 ← 0x03 challenge 52 bytes · 2 reads",
        "+0.016 ← 0x13 accept 52 bytes",
        "+0.017 ← 0x16 status 52 bytes · 3 in one read",
        "+0.018 ← 0x23 credit 52 bytes",
        "+0.019 → 0x20 data ×1,234 323.5 MB · 1,234 writes",
    ];
    for line in lines {
        window.harness.get_by_label(line);
    }
    let copy = "Copy the frames of send-3";
    window.harness.get_by_label(copy).click();
    window.harness.step();
    let commands = window.harness.output().platform_output.commands.clone();
    let copied = commands.into_iter().find_map(|command| match command {
        egui::OutputCommand::CopyText(text) => Some(text),
        _ => None,
    });
    let copied = copied.unwrap();
    let head = "send-3 Garden laptop 192.168.1.7:50312 → 192.168.1.20:9000\nSending\n";
    assert_eq!(copied, format!("{head}{}", lines.join("\n")));
    window
        .harness
        .get_by_label("Hide the frames of send-3")
        .click();
    window.harness.run_steps(4);
    assert!(window.harness.query_by_label(lines[0]).is_none());
}

#[test]
fn the_frames_are_reached_with_the_keyboard_alone() {
    let mut window = shown(Language::English);
    say(
        &mut window,
        vec![connection(Phase::Sending(Flow::Moves), None)],
    );
    let focused = |window: &Window| {
        let label = window.harness.query_by_label("Show the frames of send-3");
        label.is_some_and(|node| node.accesskit_node().is_focused())
    };
    for _ in 0..40 {
        if focused(&window) {
            break;
        }
        window.press(Modifiers::NONE, Key::Tab);
    }
    assert!(focused(&window));
    window.press(Modifiers::NONE, Key::Enter);
    window.harness.get_by_label("+0.013 → 0x02 verify 52 bytes");
}

#[test]
fn the_panel_speaks_chinese_and_fits_a_narrow_window() {
    let mut window = shown(Language::Chinese);
    window.harness.set_size(egui::vec2(520.0, 1400.0));
    window.harness.run_steps(4);
    window.harness.get_by_label("线路");
    window.harness.get_by_label_contains("当前没有连接");
    say(&mut window, vec![connection(Phase::Answer, Some(4))]);
    window
        .harness
        .get_by_label("已发出质询 – 等待应答 · 收到后结束，最迟 4 秒后");
    window.harness.get_by_label("显示 send-3 的帧").click();
    window.harness.run_steps(4);
    let line = "+0.017 ← 0x16 status 52 字节 · 一次读到 3 帧";
    let line = window.harness.get_by_label(line);
    assert!(line.rect().right() <= 520.0);
}

#[test]
fn a_wait_is_counted_once_a_second_and_what_waits_for_nobody_is_not_repainted() {
    let mut window = shown(Language::English);
    let repaint = |window: &Window| {
        let viewports = &window.harness.output().viewport_output;
        viewports[&egui::ViewportId::ROOT].repaint_delay
    };
    say(&mut window, vec![connection(Phase::Challenge, Some(4))]);
    let delay = repaint(&window);
    assert!(
        delay > Duration::from_millis(900) && delay <= Duration::from_secs(1),
        "{delay:?}"
    );
    say(&mut window, vec![listener()]);
    assert_eq!(repaint(&window), Duration::MAX);
}

#[test]
fn a_panel_that_was_on_is_on_again_after_a_restart() {
    let (commands, told) = std::sync::mpsc::channel();
    let (_events, events) = std::sync::mpsc::channel();
    let settings = ropeway::settings::Settings {
        wire: true,
        ..ropeway::settings::Settings::default()
    };
    let send = move |command| commands.send(command).unwrap();
    let mut app = ropeway::gui::app::App::new(settings, None, Box::new(send), events);
    app.start(Vec::new(), None);
    assert!(
        told.try_iter()
            .any(|command| matches!(command, Command::WatchWire(true)))
    );
}
