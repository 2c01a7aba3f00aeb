//! One transfer: what it is, how far, and what can be done with it.

use egui::{Align, Layout, Ui, Vec2, vec2};
use lucide_icons::Icon;

use super::actions::{self, Action, actions_ui};
use super::looks::{Looks, looks};
use crate::gui::clock;
use crate::gui::format::{grouped, set_from_left};
use crate::gui::panels::Scope;
use crate::gui::panels::failures::failures_ui;
use crate::gui::view::Row;
use crate::gui::{theme, widgets};
use crate::model::Direction;

/// What stands beside a row's words.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    /// A column for the speed or the badge, and one for the buttons.
    All,
    /// The buttons; the speed or the badge stands in the first line.
    Buttons,
    /// Nothing: the buttons stand below.
    Nothing,
}

impl Beside {
    fn of(ui: &Ui) -> Self {
        match ui.available_width() {
            room if room >= theme::ROW_WIDE_FROM => Self::All,
            room if room >= theme::ROW_BESIDE_FROM => Self::Buttons,
            _narrow => Self::Nothing,
        }
    }
}

/// `last`: below it is the edge of the card, and no line.
pub fn row_ui(ui: &mut Ui, scope: &mut Scope, row: &Row, last: bool) {
    let looks = looks(ui, scope, row);
    let beside = Beside::of(ui);
    let height = match looks.bar {
        true => theme::ROW_BLOCK,
        false => theme::ROW_BLOCK - theme::BAR_HEIGHT - theme::ROW_LINE_GAP,
    };
    // The same above as below, where the list and the line add theirs.
    ui.add_space(match theme::is_low(ui.ctx()) {
        true => ui.spacing().item_spacing.y,
        false => ui.spacing().item_spacing.y * 2.0,
    });
    ui.horizontal_top(|ui| {
        if ui.available_width() >= theme::TILE_FROM {
            let symbol = match row.direction {
                Direction::Send => Icon::ArrowUp,
                Direction::Receive => Icon::ArrowDown,
            };
            ui.vertical(|ui| {
                ui.add_space(match beside {
                    Beside::Nothing => theme::GRID,
                    Beside::All | Beside::Buttons => (height - theme::TILE) / 2.0,
                });
                widgets::tile(ui, symbol, looks.front);
            });
            ui.add_space(theme::GRID);
        }
        let mut actions = actions::actions(scope, row);
        let buttons = actions::width(ui, scope, row, &actions);
        // A short row has its badge beside its words, or that would make the first line higher than the second.
        let badge = looks.badge.as_deref();
        let badge = badge.filter(|_| beside == Beside::Buttons && !looks.bar);
        let badge = badge.map_or(0.0, |badge| {
            widgets::badge_width(ui, badge) + theme::SECTION
        });
        let right = match beside {
            Beside::All => {
                theme::PLOT.x + theme::ACTIONS_COLUMN + theme::SECTION * 2.0 + theme::GAP
            }
            // Most rows have as much to press.
            Beside::Buttons if buttons > 0.0 => {
                buttons.max(theme::ACTIONS_LEAST) + theme::SECTION + badge
            }
            Beside::Buttons => badge,
            Beside::Nothing => 0.0,
        };
        let width = ui.available_width() - right;
        ui.vertical(|ui| {
            ui.set_width(width);
            ui.spacing_mut().item_spacing.y = theme::ROW_LINE_GAP;
            ui.scope(|ui| {
                ui.spacing_mut().interact_size.y = theme::TEXT_LINE;
                let ends_with = (beside == Beside::Buttons && looks.bar).then_some(&looks);
                headline(ui, scope, row, ends_with);
                words(ui, scope, row, &looks);
            });
            if beside == Beside::Nothing {
                foot(ui, scope, row, &looks, std::mem::take(&mut actions));
            }
        });
        if beside == Beside::Nothing || right == 0.0 {
            return;
        }
        ui.add_space(theme::SECTION - ui.spacing().item_spacing.x);
        let said = match beside {
            Beside::All => theme::PLOT.x,
            Beside::Buttons | Beside::Nothing => badge - theme::SECTION,
        };
        if said > 0.0 {
            let middle = Layout::right_to_left(Align::Center);
            ui.allocate_ui_with_layout(vec2(said, height), middle, |ui| {
                ui.set_min_size(vec2(said, height));
                speed_or_badge(ui, scope, row, &looks, theme::PLOT);
            });
        }
        if actions.is_empty() {
            return;
        }
        let size = vec2(ui.available_width(), height);
        let layout = Layout::left_to_right(Align::Center);
        ui.allocate_ui_with_layout(size, layout, |ui| {
            ui.add_space((ui.available_width() - buttons).max(0.0));
            actions_ui(ui, scope, row, actions);
        });
    });
    if row.open && !row.failed.is_empty() {
        failures_ui(ui, scope, row);
    }
    if !last && !theme::is_low(ui.ctx()) {
        // To where the next thing would stand.
        ui.add_space(0.0);
    }
}

/// What stands between the words and the buttons: how fast it was, or how it stands.
fn speed_or_badge(ui: &mut Ui, scope: &Scope, row: &Row, looks: &Looks, plot: Vec2) {
    if let Some(badge) = &looks.badge {
        widgets::badge(ui, badge, looks.front, looks.soft);
    } else if looks.bar {
        let said = (scope.texts.hands.speed_of)(&name(scope, row), &looks.speed);
        let colors = (looks.front, looks.soft);
        widgets::plot(ui, plot, row.speeds.points(), colors, &said);
    }
}

/// In a narrow window the buttons stand below the words.
fn foot(ui: &mut Ui, scope: &mut Scope, row: &Row, looks: &Looks, actions: Vec<Action>) {
    ui.add_space(theme::GRID / 2.0);
    ui.horizontal_wrapped(|ui| {
        // The buttons first, so that none comes under the pointer when a badge appears.
        actions_ui(ui, scope, row, actions);
        let room = ui.available_size_before_wrap().x;
        let badge = looks.badge.as_deref();
        if room >= badge.map_or(theme::PLOT.x, |badge| widgets::badge_width(ui, badge)) {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                speed_or_badge(ui, scope, row, looks, theme::PLOT);
            });
        } else if badge.is_some() {
            speed_or_badge(ui, scope, row, looks, theme::PLOT);
        }
    });
}

/// The bar and the line below it; the note has a line of its own where it finds no room in that.
fn words(ui: &mut Ui, scope: &Scope, row: &Row, looks: &Looks) {
    if !looks.bar {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = theme::GRID;
            let line = match row.ended_at {
                // It goes on.
                Some(_at) => looks.line.trim_end_matches(['.', '。']),
                None => &looks.line,
            };
            ui.label(widgets::muted(ui, line));
            if let Some(at) = row.ended_at {
                let time = clock::time(at);
                let dotted = format!("·\u{a0}{time}");
                // At the beginning of a line there is nothing before the dot.
                let fits = ui.available_size_before_wrap().x >= widgets::text_width(ui, &dotted);
                ui.label(widgets::muted(ui, if fits { dotted } else { time }));
            }
        });
        return;
    }
    let name = (scope.texts.progress_label)(&name(scope, row));
    widgets::bar(ui, row.fraction(), looks.front, &name);
    let percent = format!("{:.0}%", (row.fraction() * 100.0).floor());
    let wide = |text: &str| widgets::text_width(ui, text);
    let room = ui.available_width() - wide("100%") - theme::SECTION;
    // In the line, if both fit: it reads as one sentence, and the row stays as high as the others.
    let note = looks
        .note
        .as_deref()
        .filter(|note| wide(&looks.line) + wide(" · ") + wide(note) + theme::GAP * 2.0 <= room);
    ui.horizontal_top(|ui| {
        ui.vertical(|ui| {
            ui.set_width(room);
            let Some(note) = note else {
                let words = widgets::muted(ui, &looks.line);
                ui.add(egui::Label::new(words).wrap());
                return;
            };
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = theme::GRID;
                if !looks.line.is_empty() {
                    ui.label(widgets::muted(ui, &looks.line));
                    ui.label(widgets::muted(ui, "·"));
                }
                ui.label(widgets::muted(ui, note));
            });
        });
        ui.with_layout(Layout::right_to_left(Align::Min), |ui| {
            ui.label(widgets::muted(ui, percent));
        });
    });
    if let Some(note) = looks.note.as_ref().filter(|_| note.is_none()) {
        ui.add(egui::Label::new(widgets::muted(ui, note)).wrap());
    }
}

/// What it is called: its only name, or the first and how many more.
pub(super) fn name(scope: &Scope, row: &Row) -> String {
    let first = row.names.first().map_or("…", String::as_str);
    match row.picked {
        0 | 1 => first.to_owned(),
        picked => (scope.texts.names_and_more)(first, picked - 1),
    }
}

fn headline(ui: &mut Ui, scope: &Scope, row: &Row, ends_with: Option<&Looks>) {
    let palette = theme::palette(ui);
    let arrow = match row.direction {
        Direction::Send => "→",
        Direction::Receive => "←",
    };
    let set = set_from_left(row.peer.name.as_str());
    let peer = format!("{arrow} {set}");
    let mut about = peer.clone();
    let mut shorter = None;
    if let Some(progress) = &row.progress
        && progress.entries > 1
    {
        let (done, all) = (progress.entries_done, progress.entries);
        let count = if row.active() {
            let bare = (scope.texts.bytes_of)(&grouped(done), &grouped(all));
            shorter = Some(format!("{peer} · {bare}"));
            (scope.texts.done_of)(done, all)
        } else {
            (scope.texts.items)(all)
        };
        about = format!("{about} · {count}");
    }
    let font = theme::strong_font(theme::BODY);
    if ui.available_width() < theme::BESIDE_NAME_FROM {
        let room = ui.available_width();
        widgets::name_label(ui, &name(scope, row), font, palette.text, room);
        ui.add(egui::Label::new(widgets::muted(ui, about)).wrap())
            .on_hover_text(&row.peer.address);
        return;
    }
    ui.horizontal(|ui| {
        let taken = match ends_with {
            Some(looks) => match &looks.badge {
                Some(badge) => widgets::badge_width(ui, badge) + theme::GAP,
                None if looks.bar => theme::PLOT_LOW.x + theme::GAP,
                None => 0.0,
            },
            None => 0.0,
        };
        let room = ui.available_width() - taken;
        let width = (room * theme::ROW_NAME_SHARE).max(theme::NAME_WIDTH);
        let left = ui.cursor().left();
        widgets::name_label(ui, &name(scope, row), font, palette.text, width);
        ui.scope(|ui| {
            let rest = room - (ui.cursor().left() - left);
            ui.set_max_width(rest);
            // What is counted is left out before the numbers are cut.
            let fits = widgets::text_width(ui, &about) <= rest;
            let about = if fits {
                about
            } else {
                shorter.unwrap_or(about)
            };
            ui.add(egui::Label::new(widgets::muted(ui, about)).truncate())
                .on_hover_text(&row.peer.address);
        });
        if let Some(looks) = ends_with {
            let rest = ui.available_width() - taken + theme::GAP;
            ui.add_space(rest.max(0.0));
            speed_or_badge(ui, scope, row, looks, theme::PLOT_LOW);
        }
    });
}
