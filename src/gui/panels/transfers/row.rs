//! One transfer: what it is, how far, and what can be done with it.

use egui::{Align, Layout, Ui, vec2};
use lucide_icons::Icon;

use super::actions::{self, actions_ui};
use super::beside_the_tile;
use super::looks::{Looks, looks};
use crate::gui::clock;
use crate::gui::panels::Scope;
use crate::gui::panels::failures::failures_ui;
use crate::gui::view::Row;
use crate::gui::{theme, widgets};
use crate::model::Direction;

pub fn row_ui(ui: &mut Ui, scope: &mut Scope, row: &Row) {
    let looks = looks(ui, scope, row);
    let wide = ui.available_width() >= theme::ROW_WIDE_FROM;
    ui.add_space(theme::GAP);
    let mut said = false;
    ui.horizontal_top(|ui| {
        let symbol = match row.direction {
            Direction::Send => Icon::ArrowUp,
            Direction::Receive => Icon::ArrowDown,
        };
        ui.vertical(|ui| {
            ui.add_space(theme::GRID);
            widgets::tile(ui, symbol, looks.front);
        });
        ui.add_space(theme::GRID);
        let right = match wide {
            true => theme::PLOT.x + theme::ACTIONS_COLUMN + theme::SECTION * 2.0 + theme::GAP,
            false => 0.0,
        };
        let width = (ui.available_width() - right).max(theme::FIELD_WIDTH);
        ui.vertical(|ui| {
            ui.set_width(width);
            ui.spacing_mut().item_spacing.y = theme::ROW_LINE_GAP;
            ui.scope(|ui| {
                ui.spacing_mut().interact_size.y = theme::TEXT_LINE;
                headline(ui, scope, row);
                said = words(ui, scope, row, &looks);
            });
            if !wide {
                foot(ui, scope, row, &looks);
            }
        });
        if wide {
            let height = match looks.bar {
                true => theme::ROW_BLOCK,
                false => theme::ROW_BLOCK - theme::BAR_HEIGHT - theme::ROW_LINE_GAP,
            };
            ui.add_space(theme::SECTION - ui.spacing().item_spacing.x);
            let middle = Layout::right_to_left(Align::Center);
            ui.allocate_ui_with_layout(vec2(theme::PLOT.x, height), middle, |ui| {
                ui.set_min_size(vec2(theme::PLOT.x, height));
                beside(ui, scope, row, &looks);
            });
            let size = vec2(ui.available_width(), height);
            let layout = Layout::left_to_right(Align::Center);
            ui.allocate_ui_with_layout(size, layout, |ui| {
                let actions = actions::actions(scope, row);
                let rest = ui.available_width() - actions::width(ui, scope, row, &actions);
                ui.add_space(rest.max(0.0));
                actions_ui(ui, scope, row, actions);
            });
        }
    });
    if let Some(note) = looks.note.as_ref().filter(|_| !said) {
        beside_the_tile(ui, |ui| {
            let note = egui::RichText::new(note).small().color(looks.front);
            ui.add(egui::Label::new(note).wrap());
        });
    }
    if row.open && !row.failed.is_empty() {
        failures_ui(ui, scope, row);
    }
    ui.add_space(theme::GRID);
}

/// What stands between the words and the buttons: how fast it was, or how it stands.
fn beside(ui: &mut Ui, scope: &Scope, row: &Row, looks: &Looks) {
    if let Some(badge) = &looks.badge {
        widgets::badge(ui, badge, looks.front, looks.soft);
    } else if looks.bar {
        let said = (scope.texts.hands.speed_of)(&name(scope, row), &looks.speed);
        widgets::plot(ui, row.speeds.points(), looks.front, looks.soft, &said);
    }
}

/// In a narrow window the buttons stand below the words.
fn foot(ui: &mut Ui, scope: &mut Scope, row: &Row, looks: &Looks) {
    ui.add_space(theme::GRID / 2.0);
    ui.horizontal_wrapped(|ui| {
        // The buttons first, so that none comes under the pointer when a badge appears.
        actions_ui(ui, scope, row, actions::actions(scope, row));
        if ui.available_width() >= theme::PLOT.x || looks.badge.is_some() {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                beside(ui, scope, row, looks);
            });
        }
    });
}

/// The bar and the line below it. Says whether the note has found room in the line.
fn words(ui: &mut Ui, scope: &Scope, row: &Row, looks: &Looks) -> bool {
    if !looks.bar {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = theme::GRID;
            ui.label(widgets::muted(ui, &looks.line));
            if let Some(at) = row.ended_at {
                ui.label(widgets::muted(ui, format!("· {}", clock::time(at))));
            }
        });
        return false;
    }
    let name = (scope.texts.progress_label)(&name(scope, row));
    widgets::bar(ui, row.fraction(), looks.front, &name);
    let percent = format!("{:.0}%", (row.fraction() * 100.0).floor());
    let palette = theme::palette(ui);
    let lay = |text: &str| {
        let font = theme::body_font();
        ui.painter()
            .layout_no_wrap(text.to_owned(), font, palette.muted)
            .size()
            .x
    };
    let room = ui.available_width() - lay("100%") - theme::SECTION;
    // In the line, if both fit: it reads as one sentence, and the row stays as high as the others.
    let note = looks
        .note
        .as_deref()
        .filter(|note| lay(&looks.line) + lay(" · ") + lay(note) + theme::GAP * 2.0 <= room);
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
    note.is_some()
}

/// What it is called: its only name, or the first and how many more.
pub(super) fn name(scope: &Scope, row: &Row) -> String {
    let first = row.names.first().map_or("…", String::as_str);
    match row.picked {
        0 | 1 => first.to_owned(),
        picked => (scope.texts.names_and_more)(first, picked - 1),
    }
}

fn headline(ui: &mut Ui, scope: &Scope, row: &Row) {
    let palette = theme::palette(ui);
    ui.horizontal(|ui| {
        let arrow = match row.direction {
            Direction::Send => "→",
            Direction::Receive => "←",
        };
        let mut about = format!("{arrow} {}", row.peer.name);
        if let Some(progress) = &row.progress
            && progress.entries > 1
        {
            let count = if row.active() {
                (scope.texts.done_of)(progress.entries_done, progress.entries)
            } else {
                (scope.texts.items)(progress.entries)
            };
            about = format!("{about} · {count}");
        }
        let about = widgets::muted(ui, about);
        let width = (ui.available_width() * theme::ROW_NAME_SHARE).max(theme::NAME_WIDTH);
        let font = theme::strong_font(theme::BODY);
        widgets::name_label(ui, &name(scope, row), font, palette.text, width);
        ui.add(egui::Label::new(about).truncate())
            .on_hover_text(&row.peer.address);
    });
}
