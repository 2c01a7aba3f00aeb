//! What comes into sight by itself, what leaves by itself, and what a screen reader is told of rows.

use egui::accesskit::{Live, Role};
use egui::{Key, Modifiers, Rect, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use ropeway::engine::{Command, Event, Listening, Started};
use ropeway::model::{Direction, Problem, TransferId, TransferState};
use ropeway::settings::Language;

use super::window::*;

/// Less than all of it fits into this.
const SMALL: egui::Vec2 = vec2(520.0, 480.0);

fn small(language: Language) -> Window<'static> {
    let mut window = Window::new(language);
    window.harness.set_size(SMALL);
    window.say(listening());
    window.say(code());
    window.harness.run_steps(10);
    window
}

#[test]
fn the_settings_end_where_their_dialog_does_whatever_the_size_of_the_window() {
    for size in [vec2(520.0, 720.0), vec2(900.0, 640.0), vec2(1280.0, 860.0)] {
        let mut window = small(Language::Chinese);
        window.harness.set_size(size);
        window.press(Modifiers::COMMAND, Key::Comma);
        window.harness.run_steps(4);
        let done = place(&window, "完成").expect("the button");
        // A margin below the button, and one below the dialog.
        let lowest = size.y - 40.0;
        assert!(done.bottom() <= lowest + 1.0, "{size}: {done}");
        let top = place(&window, "设置").expect("the title");
        assert!(top.top() > 0.0 && done.bottom() > size.y / 2.0, "{size}");
    }
}

/// Where it is, if it is drawn at all.
fn place(window: &Window, label: &str) -> Option<Rect> {
    let mut nodes = window.harness.query_all_by_label(label);
    nodes.next().map(|node| node.rect())
}

fn in_sight(window: &Window, label: &str) -> bool {
    let whole = Rect::from_min_size(egui::Pos2::ZERO, SMALL).expand(1.0);
    place(window, label).is_some_and(|rect| whole.contains_rect(rect))
}

fn scroll(window: &mut Window, by: f32) {
    turn(window, by);
    window.harness.run_steps(20);
}

fn turn(window: &mut Window, by: f32) {
    let at = egui::pos2(SMALL.x / 2.0, SMALL.y - 40.0);
    window.harness.event(egui::Event::PointerMoved(at));
    window.harness.event(egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: vec2(0.0, by),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Unknown,
        modifiers: Modifiers::NONE,
    });
    window.harness.step();
}

/// Long enough for a person to have stopped scrolling.
fn calm(window: &mut Window) {
    window.harness.run_steps(60);
}

fn row(number: u8, direction: Direction) -> Event {
    Event::Started(Started {
        transfer: TransferId([number; 16]),
        direction,
        peer: peer("Garden laptop"),
        names: vec![format!("photo {number}.zip")],
        picked: 1,
        places: vec!["/home/me/Downloads/Ropeway".into()],
    })
}

#[test]
fn what_is_dropped_comes_into_sight_wherever_the_person_has_scrolled_to() {
    let mut window = small(Language::English);
    for number in 0..9 {
        window.drop_file(&format!("/home/me/{number}.txt"));
    }
    scroll(&mut window, -5_000.0);
    assert!(!in_sight(&window, "8.txt"));
    window.drop_file("/home/me/new.txt");
    window.harness.run_steps(40);
    assert!(
        in_sight(&window, "new.txt"),
        "{:?}",
        place(&window, "new.txt")
    );
    // From the conversations, too, where none is open.
    window.press(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::M);
    window.drop_file("/home/me/newer.txt");
    window.harness.run_steps(40);
    assert!(in_sight(&window, "newer.txt"));
}

#[test]
fn an_offer_comes_into_sight_once_but_not_below_somebody_who_writes_or_scrolls() {
    let mut window = small(Language::English);
    scroll(&mut window, -5_000.0);
    turn(&mut window, -10.0);
    window.events.send(offer(5_000_000)).unwrap();
    window.harness.run_steps(4);
    assert!(!in_sight(&window, "Accept"));
    calm(&mut window);
    assert!(
        in_sight(&window, "Accept"),
        "{:?}",
        place(&window, "Accept")
    );
    // Once.
    scroll(&mut window, -5_000.0);
    calm(&mut window);
    assert!(!in_sight(&window, "Accept"));
    window.say(offer(6_000_000));
    calm(&mut window);
    assert!(!in_sight(&window, "Accept"), "it is the same one");
    window.say(Event::OfferWithdrawn(TRANSFER));
    let field = window.harness.get_by_role_and_label(Role::TextInput, "To");
    field.focus();
    calm(&mut window);
    scroll(&mut window, -400.0);
    calm(&mut window);
    let before = place(&window, "To");
    window.say(offer(5_000_000));
    calm(&mut window);
    let offered = window.harness.get_by_label("Accept").rect();
    let moved = place(&window, "To").map(|rect| rect.top()) != before.map(|rect| rect.top());
    assert!(offered.top() < 0.0 || moved, "{offered:?}");
    assert!(!in_sight(&window, "Accept"), "somebody writes");
}

#[test]
fn what_began_behind_the_conversations_does_not_scroll_when_the_person_comes_back() {
    let mut window = small(Language::English);
    window.press(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::M);
    window.say(row(1, Direction::Receive));
    calm(&mut window);
    window.press(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::M);
    calm(&mut window);
    assert!(in_sight(&window, "Drop files or folders here"));
    assert!(!in_sight(&window, "Cancel: photo 1.zip"));
}

#[test]
fn good_news_makes_room_for_what_went_wrong() {
    let mut window = Window::english();
    let failed = |name: &str| Event::CommandFailed {
        path: name.into(),
        problem: Problem::Gone,
    };
    window.say(failed("/a"));
    window.say(Event::ListSaved {
        path: "/list.csv".into(),
        problem: None,
    });
    window.say(failed("/b"));
    window.say(failed("/c"));
    let notices = &window.harness.state().view.notices;
    assert_eq!(notices.len(), 3);
    assert!(notices.iter().all(|notice| !notice.is_good()));
}

#[test]
fn a_transfer_that_begins_is_seen() {
    let mut window = small(Language::English);
    window.say(row(1, Direction::Receive));
    window.harness.run_steps(40);
    assert!(in_sight(&window, "Cancel: photo 1.zip"));
    // What the person scrolls to stays in sight.
    scroll(&mut window, 5_000.0);
    turn(&mut window, 10.0);
    window.say(row(2, Direction::Receive));
    calm(&mut window);
    assert!(!in_sight(&window, "Cancel: photo 2.zip"));
}

#[test]
fn good_news_leave_by_themselves_and_bad_news_stay() {
    let mut window = Window::english();
    window.say(Event::CommandFailed {
        path: "/home/me/a.txt".into(),
        problem: Problem::Vanished,
    });
    let bad = window.harness.state().view.notices.clone();
    assert_eq!(bad.len(), 1);
    // And said to who does not see it.
    let live = |window: &Window| {
        let mut live = window.harness.query_all_by(|node| node.live() != Live::Off);
        let node = live.next()?;
        Some((node.accesskit_node().value()?, node.accesskit_node().live()))
    };
    let (said, how) = live(&window).unwrap();
    assert!(said.contains("a.txt"), "{said}");
    assert_eq!(how, Live::Assertive);
    window.say(Event::ListSaved {
        path: "/home/me/list.csv".into(),
        problem: None,
    });
    assert_eq!(
        window.harness.state().view.notices.len(),
        2,
        "both are said"
    );
    /// The window's clock in these tests.
    const STEPS_A_SECOND: usize = 4;
    let seconds = |window: &mut Window, seconds| {
        window.harness.run_steps(seconds * STEPS_A_SECOND);
    };
    seconds(&mut window, 4);
    assert_eq!(window.harness.state().view.notices.len(), 2);
    seconds(&mut window, 4);
    assert_eq!(window.harness.state().view.notices, bad);
    window.click("Dismiss");
    assert!(window.harness.state().view.notices.is_empty());
}

#[test]
fn another_port_than_the_chosen_one_is_said_and_only_for_this_time() {
    for (language, said) in [
        (
            Language::English,
            "Port 9000 is used by another program, so this device uses 9001 for now. Once \
             that program has ended, switch Receive off and on to go back to 9000.",
        ),
        (
            Language::Chinese,
            "端口 9000 被其他程序占用，本机暂时使用 9001。等那个程序退出后，关闭接收再打开，即可改回 9000。",
        ),
    ] {
        let mut window = Window::new(language);
        let Event::Listening(usual) = listening() else {
            panic!("a server");
        };
        window.say(Event::Listening(Listening {
            addr: "[::]:9001".parse().unwrap(),
            port_moved: true,
            ..usual.clone()
        }));
        window.harness.get_by_label(said);
        assert_eq!(window.harness.state().settings.port, 9000);
        window.say(Event::Listening(usual));
        assert!(window.harness.query_by_label(said).is_none());
    }
}

#[test]
fn each_button_of_a_row_says_what_it_is_about_and_the_plot_how_fast_it_is() {
    for (language, pause, plot, all) in [
        (
            Language::English,
            "Pause: Holiday 2026",
            "Speed of Holiday 2026: 94.2 MB/s",
            "2 transfers",
        ),
        (
            Language::Chinese,
            "暂停：Holiday 2026",
            "Holiday 2026 的速度：94.2 MB/s",
            "2 个传输",
        ),
    ] {
        let mut window = Window::new(language);
        window.say(row(1, Direction::Send));
        window.say(started(Direction::Send));
        window.say(Event::State(TRANSFER, TransferState::Running));
        window.say(progress(420_000));
        window.say(progress(430_000));
        window.harness.get_by_role_and_label(Role::Button, pause);
        window.harness.get_by_role_and_label(Role::Image, plot);
        let list = window.harness.get_by_role_and_label(Role::List, all);
        let items: Vec<_> = list.query_all_by_role(Role::ListItem).collect();
        let places: Vec<_> = items
            .iter()
            .map(|item| item.accesskit_node().data().position_in_set())
            .collect();
        assert_eq!(places, [Some(1), Some(2)]);
        window.click(pause);
        assert!(matches!(window.command(), Some(Command::Pause(TRANSFER))));
    }
}

#[test]
fn rows_out_of_sight_are_counted_and_reached_by_the_keyboard() {
    const ROWS: u8 = 40;
    let mut window = Window::english();
    for number in 0..ROWS {
        window.events.send(row(number, Direction::Send)).unwrap();
    }
    window.harness.run_steps(10);
    let list = window
        .harness
        .get_by_role_and_label(Role::List, "40 transfers");
    assert_eq!(list.accesskit_node().data().size_of_set(), Some(40));
    let last = "Cancel: photo 0.zip";
    assert!(place(&window, last).is_none(), "it is not drawn yet");
    window.harness.get_by_label("Cancel: photo 39.zip").focus();
    window.harness.run_steps(2);
    for _ in 0..4 * usize::from(ROWS) {
        window.harness.key_press(Key::Tab);
        window.harness.run_steps(3);
        if window
            .harness
            .query_by_label(last)
            .is_some_and(|node| node.is_focused())
        {
            let rect = place(&window, last).unwrap();
            assert!(rect.bottom() <= 860.0 && rect.top() >= 0.0, "{rect:?}");
            return;
        }
    }
    panic!("the last row is not reached");
}
