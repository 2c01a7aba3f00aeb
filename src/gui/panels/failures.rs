//! The list that a row unfolds: every entry that failed, why, and what to do about it.

use std::borrow::Cow;

use egui::accesskit::Role;
use egui::{Align, Layout, ScrollArea, TextEdit, Ui, vec2};

use super::{Scope, Want};
use crate::gui::format::size;
use crate::gui::texts::Texts;
use crate::gui::view::Row;
use crate::gui::{theme, widgets};
use crate::model::{Direction, EntryStatus, FailedLine, FileReport};

/// A shorter list is seen at a glance.
const FILTER_FROM: usize = 8;

pub fn failures_ui(ui: &mut Ui, scope: &mut Scope, row: &Row) {
    let palette = theme::palette(ui);
    let texts = scope.texts;
    widgets::inset(ui, palette.inset, |ui| {
        if row.failed.len() > FILTER_FROM || !row.filter.is_empty() {
            filter_ui(ui, scope, row);
        }
        let shown = shown(texts, row);
        if shown.is_empty() {
            ui.label(widgets::muted(ui, texts.filter_finds_nothing));
        } else {
            list_ui(ui, texts, &shown);
        }
        let all = row.all_failed();
        if all > row.failed.len() as u64 {
            let said = (texts.first_failed)(row.failed.len() as u64, all);
            ui.label(widgets::muted(ui, said));
        }
        ui.add_space(theme::GRID);
        ui.horizontal_wrapped(|ui| {
            if widgets::button(ui, texts.copy_paths).clicked() {
                let paths: Vec<_> = shown.iter().map(|file| file.path.as_str()).collect();
                scope.want(Want::Copy(paths.join("\n")));
            }
            if widgets::button(ui, texts.save_list).clicked() {
                scope.want(Want::SaveList(lines(texts, &shown)));
            }
            if row.is_kept() && widgets::button(ui, texts.delete).clicked() {
                scope.want(Want::Delete(row.id));
            }
            if row.is_kept() && row.direction == Direction::Receive {
                let who_can = (texts.peer_can_retry)(row.peer.name.as_str());
                ui.label(widgets::muted(ui, who_can));
            }
        });
    });
}

fn filter_ui(ui: &mut Ui, scope: &mut Scope, row: &Row) {
    let texts = scope.texts;
    let mut filter = row.filter.clone();
    let field = TextEdit::singleline(&mut filter)
        .hint_text(texts.filter_hint)
        .align(egui::Align2::LEFT_CENTER)
        .min_size(vec2(0.0, theme::CONTROL_HEIGHT))
        .desired_width(ui.available_width());
    let response = ui.add(field);
    widgets::named(&response, Role::TextInput, texts.filter_label);
    if response.changed() {
        scope.want(Want::Filter(row.id, filter));
    }
    ui.add_space(theme::GRID);
}

/// What the filter lets through: it looks at paths and at reasons as they are shown.
fn shown<'a>(texts: &Texts, row: &'a Row) -> Vec<&'a FileReport> {
    let wanted = row.filter.trim().to_lowercase();
    let files = row.failed.iter();
    files
        .filter(|file| {
            wanted.is_empty()
                || file.path.to_lowercase().contains(&wanted)
                || reason(texts, file).to_lowercase().contains(&wanted)
        })
        .collect()
}

fn reason(texts: &Texts, file: &FileReport) -> Cow<'static, str> {
    match &file.status {
        EntryStatus::Failed(problem) => (texts.problem)(problem).into(),
        EntryStatus::Arrived | EntryStatus::AlreadyThere | EntryStatus::Skipped => "".into(),
    }
}

fn lines(texts: &Texts, shown: &[&FileReport]) -> Vec<FailedLine> {
    let failed = shown.iter().filter_map(|file| match &file.status {
        EntryStatus::Failed(problem) => Some(FailedLine {
            path: file.path.clone(),
            len_bytes: file.len_bytes,
            code: problem.code(),
            reason: (texts.problem)(problem),
        }),
        EntryStatus::Arrived | EntryStatus::AlreadyThere | EntryStatus::Skipped => None,
    });
    failed.collect()
}

fn list_ui(ui: &mut Ui, texts: &Texts, shown: &[&FileReport]) {
    let palette = theme::palette(ui);
    let beside = ui.available_width() >= theme::BESIDE_NAME_FROM;
    let height = match beside {
        true => theme::ROW_HEIGHT - theme::GAP,
        false => theme::TWO_LINES,
    };
    let reason_label = |file: &FileReport| {
        let reason = egui::RichText::new(reason(texts, file)).small();
        egui::Label::new(reason.color(palette.muted)).truncate()
    };
    ScrollArea::vertical()
        .id_salt("failed")
        .max_height(theme::DETAILS_HEIGHT)
        // Not less because the window ends there: it scrolls, too.
        .min_scrolled_height(theme::DETAILS_HEIGHT)
        .auto_shrink([false, true])
        .show_rows(ui, height, shown.len(), |ui, range| {
            for file in shown.get(range).unwrap_or_default() {
                let line = vec2(ui.available_width(), height);
                let font = theme::small_font();
                if !beside {
                    ui.allocate_ui_with_layout(line, Layout::top_down(Align::Min), |ui| {
                        ui.set_min_size(line);
                        ui.spacing_mut().item_spacing.y = theme::GRID / 2.0;
                        widgets::name_label(ui, &file.path, font, palette.text, line.x)
                            .on_hover_text(size(file.len_bytes));
                        ui.add(reason_label(file));
                    });
                    continue;
                }
                ui.allocate_ui_with_layout(line, Layout::left_to_right(Align::Center), |ui| {
                    let column = ui.available_width() * theme::PATH_SHARE;
                    let left = ui.cursor().left();
                    widgets::name_label(ui, &file.path, font, palette.text, column)
                        .on_hover_text(size(file.len_bytes));
                    // Reasons begin in one line below each other.
                    let used = ui.cursor().left() - left;
                    ui.add_space((column + theme::GAP - used).max(0.0));
                    ui.add(reason_label(file));
                });
            }
        });
}
