//! Transfers, both directions, the newest first: how far, how fast, how it ended.

use std::time::SystemTime;

use egui::{Align, Color32, Layout, ScrollArea, Ui, vec2};
use lucide_icons::Icon;

use super::{Scope, Want};
use crate::engine::Command;
use crate::gui::format::{duration, size, size_of};
use crate::gui::view::{Row, RowState, View};
use crate::gui::{theme, widgets};
use crate::model::{Direction, EntryStatus, Progress, Status, Summary, TransferState};

pub fn transfers_ui(ui: &mut Ui, scope: &mut Scope, view: &View) {
    let texts = scope.texts;
    ui.horizontal(|ui| {
        ui.label(widgets::title(texts.transfers));
        if view.rows.iter().any(Row::finished) {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if widgets::link(ui, texts.clear_finished).clicked() {
                    scope.want(Want::ClearFinished);
                }
            });
        }
    });
    if view.rows.is_empty() {
        ui.add_space(theme::GAP);
        ui.label(widgets::muted(ui, texts.transfers_empty));
        ui.add_space(theme::GAP);
    }
    for (index, row) in view.rows.iter().enumerate() {
        if index > 0 {
            ui.separator();
        }
        ui.push_id(row.id, |ui| row_ui(ui, scope, row));
    }
}

/// How a row looks for the state it is in.
struct Looks {
    front: Color32,
    soft: Color32,
    badge: Option<String>,
    line: String,
    bar: bool,
}

fn row_ui(ui: &mut Ui, scope: &mut Scope, row: &Row) {
    let looks = looks(ui, scope, row);
    let palette = theme::palette(ui);
    let wide = ui.available_width() >= theme::PLOT_FROM;
    ui.add_space(theme::GRID);
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
        let right = if wide {
            theme::PLOT.x + theme::SECTION + theme::BADGE_COLUMN * 2.0
        } else {
            0.0
        };
        let width = (ui.available_width() - right).max(theme::FIELD_WIDTH);
        ui.vertical(|ui| {
            ui.set_width(width);
            ui.spacing_mut().item_spacing.y = theme::ROW_LINE_GAP;
            ui.spacing_mut().interact_size.y = theme::TEXT_LINE;
            headline(ui, scope, row);
            if looks.bar {
                widgets::bar(
                    ui,
                    row.fraction(),
                    looks.front,
                    &(scope.texts.progress_label)(&name(scope, row)),
                );
            }
            if looks.bar {
                under_the_bar(ui, row, &looks.line);
            } else {
                ui.label(widgets::muted(ui, &looks.line));
            }
            if !wide {
                ui.horizontal_wrapped(|ui| {
                    if let Some(badge) = &looks.badge {
                        widgets::badge(ui, badge, looks.front, looks.soft);
                    }
                    actions(ui, scope, row);
                });
            }
        });
        if wide {
            let height = if looks.bar {
                theme::ROW_BLOCK
            } else {
                theme::ROW_BLOCK - theme::BAR_HEIGHT - theme::ROW_LINE_GAP
            };
            let size = vec2(ui.available_width(), height);
            ui.allocate_ui_with_layout(size, Layout::right_to_left(Align::Center), |ui| {
                // Drawn from the right, so named in the reverse order of the eye.
                let edge = ui.cursor().right();
                actions(ui, scope, row);
                if let Some(badge) = &looks.badge {
                    if ui.cursor().right() < edge {
                        ui.add_space(theme::GAP);
                    }
                    widgets::badge(ui, badge, looks.front, looks.soft);
                }
                if looks.bar && looks.badge.is_none() {
                    ui.add_space(theme::GAP);
                    widgets::plot(ui, row.speeds.iter().copied(), palette);
                }
            });
        }
    });
    if row.open && !row.failed.is_empty() {
        details(ui, scope, row);
    }
    ui.add_space(theme::GRID);
}

/// One line, whatever it says: percent at the right, words as far as there is room.
fn under_the_bar(ui: &mut Ui, row: &Row, line: &str) {
    let size = vec2(ui.available_width(), theme::TEXT_LINE);
    ui.allocate_ui_with_layout(size, Layout::right_to_left(Align::Center), |ui| {
        let percent = (row.fraction() * 100.0).floor();
        ui.label(widgets::muted(ui, format!("{percent:.0}%")));
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            let words = widgets::muted(ui, line);
            ui.add(egui::Label::new(words).truncate());
        });
    });
}

/// What it is called: its only name, or the first and how many more.
fn name(scope: &Scope, row: &Row) -> String {
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
        let width = (ui.available_width() * 0.6).max(theme::NAME_WIDTH);
        let font = theme::strong_font(theme::BODY);
        widgets::name_label(ui, &name(scope, row), font, palette.text, width);
        ui.add(egui::Label::new(about).truncate())
            .on_hover_text(&row.peer.address);
    });
}

fn looks(ui: &Ui, scope: &Scope, row: &Row) -> Looks {
    let palette = theme::palette(ui);
    let texts = scope.texts;
    match &row.state {
        RowState::Kept(until) => {
            let left = until.duration_since(SystemTime::now()).unwrap_or_default();
            let days = left.as_secs().div_ceil(86_400);
            let line = match row.direction {
                Direction::Send => (texts.kept_send)(days),
                Direction::Receive => (texts.kept_receive)(row.peer.name.as_str(), days),
            };
            Looks {
                front: palette.warn,
                soft: palette.warn_soft,
                badge: Some(texts.badge_interrupted.into()),
                line: with_bytes(scope, row, line),
                bar: true,
            }
        }
        RowState::Active(state @ TransferState::Interrupted) => Looks {
            front: palette.warn,
            soft: palette.warn_soft,
            badge: Some(texts.badge_interrupted.into()),
            line: with_bytes(scope, row, (texts.state)(*state, row.peer.name.as_str())),
            bar: true,
        },
        RowState::Active(state) => {
            let moving = matches!(state, TransferState::Running | TransferState::Finishing);
            let line = match (&row.progress, moving) {
                (Some(progress), true) if progress.total_bytes > 0 => {
                    running(scope, row, progress, *state)
                }
                (_, _) => (texts.state)(*state, row.peer.name.as_str()),
            };
            Looks {
                front: palette.link,
                soft: palette.accent_soft,
                badge: None,
                line,
                bar: true,
            }
        }
        RowState::Ended(summary) => {
            let (front, soft, badge) = match summary.status {
                Status::Arrived => {
                    let word = match row.direction {
                        Direction::Send => texts.badge_sent,
                        Direction::Receive => texts.badge_received,
                    };
                    (palette.ok, palette.ok_soft, format!("✓ {word}"))
                }
                Status::Problems => (
                    palette.danger,
                    palette.danger_soft,
                    (texts.badge_failed_items)(summary.failed),
                ),
                Status::Declined => (palette.warn, palette.warn_soft, texts.badge_declined.into()),
                Status::Cancelled(_) => (
                    palette.warn,
                    palette.warn_soft,
                    texts.badge_cancelled.into(),
                ),
                Status::Interrupted => (
                    palette.warn,
                    palette.warn_soft,
                    texts.badge_interrupted.into(),
                ),
                Status::Failed => (
                    palette.danger,
                    palette.danger_soft,
                    texts.badge_failed.into(),
                ),
            };
            Looks {
                front,
                soft,
                badge: Some(badge),
                line: ended(scope, row, summary),
                bar: false,
            }
        }
    }
}

/// `7.7 of 18.4 GB · …`
fn with_bytes(scope: &Scope, row: &Row, line: String) -> String {
    match &row.progress {
        Some(progress) if progress.total_bytes > 0 => {
            let (done, all) = size_of(progress.bytes, progress.total_bytes);
            format!("{} · {line}", (scope.texts.bytes_of)(&done, &all))
        }
        Some(_) | None => line,
    }
}

/// `7.7 of 18.4 GB · 94.2 MB/s · 1 min 54 s left`
fn running(scope: &Scope, row: &Row, progress: &Progress, state: TransferState) -> String {
    let texts = scope.texts;
    let (done, all) = size_of(progress.bytes, progress.total_bytes);
    let mut parts = vec![(texts.bytes_of)(&done, &all)];
    if progress.checked_bytes < progress.check_bytes {
        let (done, all) = size_of(progress.checked_bytes, progress.check_bytes);
        parts.push((texts.comparing)(&done, &all));
    }
    if row.quiet_seconds > 0 {
        parts.push((texts.quiet)(row.quiet_seconds));
    } else if state == TransferState::Finishing {
        parts.push((texts.state)(state, row.peer.name.as_str()));
    } else {
        parts.push((texts.speed)(&size(progress.bytes_per_second)));
        if let Some(eta) = progress.eta {
            parts.push((texts.left)(&duration(texts, eta)));
        }
    }
    parts.join(" · ")
}

fn ended(scope: &Scope, row: &Row, summary: &Summary) -> String {
    let texts = scope.texts;
    match (summary.status, &summary.failure) {
        (Status::Arrived, _) => {
            let time = duration(texts, summary.elapsed);
            let bytes = size(summary.bytes);
            let done = match row.direction {
                Direction::Send => (texts.finished_sent)(&bytes, &time),
                Direction::Receive => (texts.finished_received)(&bytes, &time),
            };
            let checked = if row.safe {
                texts.checked_safe
            } else {
                texts.checked
            };
            let mut line = format!("{done} · {checked}");
            if summary.skipped > 0 {
                line = format!("{line} · {}", (texts.some_skipped)(summary.skipped));
            }
            line
        }
        (Status::Problems, _) => (texts.some_failed)(summary.failed, summary.entries),
        (_, Some(failure)) => (texts.failure)(failure),
        (Status::Declined, None) => texts.badge_declined.into(),
        (Status::Cancelled(_), None) => texts.badge_cancelled.into(),
        (Status::Interrupted, None) => texts.badge_interrupted.into(),
        (Status::Failed, None) => texts.badge_failed.into(),
    }
}

fn actions(ui: &mut Ui, scope: &mut Scope, row: &Row) {
    let texts = scope.texts;
    match &row.state {
        RowState::Kept(_) => {
            if widgets::button(ui, texts.delete).clicked() {
                scope.want(Want::Delete(row.id));
            }
            if row.can_resume() && widgets::button(ui, texts.resume).clicked() {
                scope.want(Want::Engine(Command::Resume(row.id)));
            }
        }
        RowState::Active(state) => {
            if widgets::button(ui, texts.cancel).clicked() {
                scope.want(Want::Engine(Command::Cancel(row.id)));
            }
            let waits = *state == TransferState::Interrupted && row.direction == Direction::Send;
            if waits && widgets::button(ui, texts.resume_now).clicked() {
                scope.want(Want::Engine(Command::Resume(row.id)));
            }
        }
        RowState::Ended(summary) => {
            let something_arrived = matches!(summary.status, Status::Arrived | Status::Problems);
            if row.direction == Direction::Receive
                && something_arrived
                && let Some(path) = row.result_path()
            {
                if widgets::button(ui, texts.show_in_folder).clicked() {
                    scope.want(Want::Engine(Command::Reveal(path.clone())));
                }
                if widgets::button(ui, texts.open).clicked() {
                    scope.want(Want::Engine(Command::Open(path)));
                }
            }
            if row.can_resume() {
                if widgets::button(ui, texts.delete).clicked() {
                    scope.want(Want::Delete(row.id));
                }
                if widgets::button(ui, texts.resume).clicked() {
                    scope.want(Want::Engine(Command::Resume(row.id)));
                }
            } else if row.direction == Direction::Send && summary.status != Status::Arrived {
                let again = widgets::button(ui, texts.send_again);
                if again.clicked() {
                    scope.want(Want::SendAgain(row.id));
                }
            }
            if !row.failed.is_empty() {
                let word = if row.open {
                    texts.hide_details
                } else {
                    texts.details
                };
                if widgets::button(ui, word).clicked() {
                    scope.want(Want::ToggleDetails(row.id));
                }
            }
        }
    }
}

/// The entries that failed, each with its reason.
fn details(ui: &mut Ui, scope: &mut Scope, row: &Row) {
    let texts = scope.texts;
    let palette = theme::palette(ui);
    widgets::inset(ui, palette.inset, |ui| {
        let height = theme::ROW_HEIGHT - theme::GAP;
        ScrollArea::vertical()
            .id_salt("failed")
            .max_height(theme::DETAILS_HEIGHT)
            .auto_shrink([false, true])
            .show_rows(ui, height, row.failed.len(), |ui, range| {
                for file in row.failed.get(range).unwrap_or_default() {
                    let size = vec2(ui.available_width(), height);
                    ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| {
                        let half = ui.available_width() / 2.0;
                        let font = theme::small_font();
                        widgets::name_label(ui, &file.path, font, palette.text, half);
                        if let EntryStatus::Failed(problem) = &file.status {
                            let reason = egui::RichText::new((texts.problem)(problem))
                                .small()
                                .color(palette.danger);
                            ui.add(egui::Label::new(reason).truncate());
                        }
                    });
                }
            });
        if widgets::link(ui, texts.copy_paths).clicked() {
            let paths: Vec<_> = row.failed.iter().map(|file| file.path.as_str()).collect();
            scope.want(Want::Copy(paths.join("\n")));
        }
    });
}
