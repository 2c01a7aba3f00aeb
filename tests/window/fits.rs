//! Large text and small windows: every state of the window, at sizes where there is hardly room.

use egui::accesskit::Role;
use egui::{Rect, Shape};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use ropeway::engine::{Command, Event};
use ropeway::gui::demo::{Scene, Stage, scene, scenes};
use ropeway::gui::theme;
use ropeway::model::{Direction, Status};
use ropeway::settings::{Language, Theme};

use crate::window::{Window, ended, listening, sees, started};

/// In points: 520 × 720 with text at 100, 150, 200 and 300 %, and 900 × 640 at 200 %.
const SIZES: [[f32; 2]; 5] = [
    [520.0, 720.0],
    [347.0, 480.0],
    [260.0, 360.0],
    [173.0, 240.0],
    [450.0, 320.0],
];
/// Of those that are laid out alike, one.
const SCENES: [&str; 20] = [
    "main",
    "first-start",
    "names",
    "code-or-ask",
    "another-key",
    "server-clients",
    "code-rests",
    "firewall",
    "all-states",
    "problems",
    "offer-hard",
    "symbols",
    "settings",
    "settings-devices",
    "settings-advanced",
    "doctor-blocked",
    "talk-stranger",
    "help",
    "wire-frames",
    "quit",
];
/// Rounding, and the line around what has the keyboard.
const SLACK: f64 = 1.0;
/// What stands at the right is measured in one and placed in the next.
const FRAMES: usize = 3;

/// Shown when it is where it should not be.
#[derive(Debug)]
#[allow(dead_code)]
struct Control {
    role: Role,
    label: String,
    /// Left, top, right, bottom.
    at: [f64; 4],
}

/// One window for all scenes: fonts are read once.
fn harness() -> Harness<'static, Option<Stage>> {
    Harness::builder()
        .with_theme(egui::Theme::Light)
        // A person's own fonts have more than the bundled ones.
        .allow_missing_glyphs()
        .with_context_setup(theme::install)
        .build_ui_state(
            |ui, stage: &mut Option<Stage>| {
                if let Some(stage) = stage {
                    stage.logic(ui.ctx(), None);
                    stage.ui(ui, None);
                }
            },
            None,
        )
}

fn is_control(role: Role) -> bool {
    matches!(
        role,
        Role::Button
            | Role::CheckBox
            | Role::RadioButton
            | Role::Switch
            | Role::TextInput
            | Role::MultilineTextInput
            | Role::Link
            | Role::ListItem
            | Role::ProgressIndicator
            | Role::Label
    )
}

fn controls(harness: &Harness<Option<Stage>>) -> Vec<Control> {
    let nodes = harness.query_all_by(|node| is_control(node.role()));
    let all = nodes.filter_map(|node| {
        let node = node.accesskit_node();
        let rect = node.bounding_box()?;
        Some(Control {
            role: node.role(),
            label: node.label().or_else(|| node.value()).unwrap_or_default(),
            at: [rect.x0, rect.y0, rect.x1, rect.y1],
        })
    });
    all.collect()
}

/// What stands beside the window.
fn wrong(
    harness: &mut Harness<Option<Stage>>,
    scene: &'static Scene,
    at: Language,
    size: [f32; 2],
) -> Vec<String> {
    *harness.state_mut() = Some(Stage::new(scene, Theme::Light, at).still(true));
    harness.set_size(size.into());
    for _ in 0..FRAMES {
        harness.step();
    }
    let width = f64::from(size[0]);
    let all = controls(harness);
    let beside = all.iter().filter(|one| {
        let [left, _, right, _] = one.at;
        left < -SLACK || right > width + SLACK
    });
    let said = beside.map(|one| format!("{} {at:?} {size:?}: {one:?}", scene.name));
    said.collect()
}

#[test]
fn nothing_stands_beside_the_window_however_large_the_text_is() {
    let mut harness = harness();
    let mut found = Vec::new();
    for name in SCENES {
        let scene = scene(name).unwrap();
        found.extend(wrong(
            &mut harness,
            scene,
            Language::English,
            [260.0, 360.0],
        ));
        found.extend(wrong(
            &mut harness,
            scene,
            Language::Chinese,
            [173.0, 240.0],
        ));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Every filled rectangle of the colour of a card, as wide as one.
fn cards(shape: &Shape, found: &mut Vec<Rect>) {
    const WIDE: f32 = 300.0;
    match shape {
        Shape::Vec(shapes) => shapes.iter().for_each(|shape| cards(shape, found)),
        Shape::Rect(it) if it.fill == theme::DARK.card && it.rect.width() >= WIDE => {
            found.push(it.rect);
        }
        _other => {}
    }
}

#[test]
fn no_card_is_painted_over_another_one() {
    let mut harness = harness();
    for (name, size) in [
        ("main", [520.0, 720.0]),
        ("firewall", [520.0, 720.0]),
        ("offers", [520.0, 720.0]),
        ("names", [900.0, 640.0]),
        ("sending", [900.0, 640.0]),
        ("offer-hard", [1280.0, 860.0]),
    ] {
        let stage = Stage::new(scene(name).unwrap(), Theme::Dark, Language::English);
        *harness.state_mut() = Some(stage.still(true));
        harness.set_size(size.into());
        for _ in 0..FRAMES {
            harness.step();
        }
        let mut found = Vec::new();
        let shapes = &harness.output().shapes;
        shapes.iter().for_each(|it| cards(&it.shape, &mut found));
        assert!(found.len() >= 2, "{name}: {found:?}");
        for (index, one) in found.iter().enumerate() {
            for other in &found[index + 1..] {
                let both = one.intersect(*other);
                assert!(!both.is_positive(), "{name}: {one:?} {other:?}");
            }
        }
    }
}

/// Two minutes; for whoever changes a layout.
#[test]
#[ignore = "takes two minutes"]
fn nothing_stands_beside_the_window_in_any_state_at_any_size() {
    let mut harness = harness();
    let mut found = Vec::new();
    for scene in scenes() {
        for language in [Language::English, Language::Chinese] {
            for size in SIZES {
                found.extend(wrong(&mut harness, scene, language, size));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_save_folder_says_how_much_is_free_there() {
    let mut window = Window::english();
    let asked = |window: &Window| {
        window
            .commands
            .try_iter()
            .find_map(|command| match command {
                Command::MeasureRoom(folder) => Some(folder),
                _ => None,
            })
    };
    assert_eq!(asked(&window), None, "nobody can send");
    window.say(listening());
    let folder = asked(&window).unwrap();
    let room = |folder: &str, free_bytes| Event::Room {
        folder: folder.into(),
        free_bytes: Some(free_bytes),
    };
    window.say(room(folder.to_str().unwrap(), 214_000_000_000));
    assert!(sees(&window, "· 214 GB free"));
    assert_eq!(asked(&window), None, "not with every picture");
    // Of a folder that was changed meanwhile.
    window.say(room("/elsewhere", 1_000));
    assert!(sees(&window, "· 214 GB free"));
    // There may be less; it does not come and go meanwhile.
    window.say(started(Direction::Receive));
    window.say(ended(Direction::Receive, Status::Arrived, None));
    assert_eq!(asked(&window), Some(folder));
    assert!(sees(&window, "· 214 GB free"));
}
