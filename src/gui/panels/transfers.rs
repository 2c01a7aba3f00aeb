//! Transfers, both directions, the newest first: how far, how fast, how it ended.

use std::time::SystemTime;

use egui::{Align, Color32, Layout, Ui, vec2};
use lucide_icons::Icon;

use super::failures::failures_ui;
use super::picks::picks_ui;
use super::{Scope, Want};
use crate::engine::Command;
use crate::gui::format::{duration, size, size_of};
use crate::gui::view::{Row, RowState, View};
use crate::gui::{theme, widgets};
use crate::model::{
    Bond, Direction, Hold, Progress, Status, Summary, TransferId, TransferState, Trust,
};

pub fn transfers_ui(ui: &mut Ui, scope: &mut Scope, view: &View) {
    let texts = scope.texts;
    ui.horizontal(|ui| {
        ui.label(widgets::title(texts.transfers));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            // Drawn from the right.
            if view.rows.iter().any(Row::finished)
                && widgets::link(ui, texts.clear_finished).clicked()
            {
                scope.want(Want::ClearFinished);
            }
            all(ui, scope, view);
        });
    });
    if view.slept && view.active() > 0 {
        let color = theme::palette(ui).warn;
        ui.colored_label(color, texts.slept);
    } else if view.kept_awake && view.active() > 0 {
        ui.label(widgets::muted(ui, texts.kept_awake));
    }
    if view.rows.is_empty() {
        ui.add_space(theme::GAP);
        ui.label(widgets::muted(ui, texts.transfers_empty));
        ui.add_space(theme::GAP);
    }
    for (index, row) in view.rows.iter().enumerate() {
        if index > 0 {
            ui.separator();
        }
        ui.push_id(row.id, |ui| {
            row_ui(ui, scope, row);
            picks_ui(ui, scope, row);
            let mut newer = view.rows.iter().take(index);
            if newer.all(|newer| newer.peer.device_id != row.peer.device_id) {
                remember_ui(ui, scope, view, row);
            }
        });
    }
}

/// Once for a device: it has proven itself and is not remembered, or not by both.
fn remember_ui(ui: &mut Ui, scope: &mut Scope, view: &View, row: &Row) {
    let texts = scope.texts;
    let Some(device) = row.peer.device_id else {
        return;
    };
    let met = !matches!(row.state, RowState::Kept(_));
    let bond = view.bond(device);
    let can = met && row.peer.trust == Trust::Verified;
    let can = can && matches!(bond, None | Some(Bond::ForgottenThere));
    if !can && bond != Some(Bond::Wished) {
        return;
    }
    let name = row.peer.name.as_str();
    beside_the_tile(ui, |ui| {
        if can {
            if widgets::link(ui, &(texts.remember_peer)(name)).clicked() {
                scope.want(Want::Engine(Command::Remember(device)));
            }
        } else {
            let words = widgets::muted(ui, (texts.remembered_here)(name));
            ui.add(egui::Label::new(words.size(theme::SMALL)).wrap());
        }
    });
    ui.add_space(theme::GRID);
}

fn beside_the_tile(ui: &mut Ui, content: impl FnOnce(&mut Ui)) {
    ui.horizontal(|ui| {
        ui.add_space(theme::TILE + theme::GRID + ui.spacing().item_spacing.x);
        content(ui);
    });
}

/// Pause and go on with everything, where that is more than one click.
fn all(ui: &mut Ui, scope: &mut Scope, view: &View) {
    const MANY: usize = 2;
    let texts = scope.texts;
    let ids = |which: fn(&Row) -> bool| -> Vec<TransferId> {
        let rows = view.rows.iter().filter(|row| which(row));
        rows.map(|row| row.id).collect()
    };
    let paused = ids(Row::paused);
    let moving = ids(|row| row.moving() && !row.paused());
    if paused.len() + moving.len() < MANY {
        return;
    }
    if !paused.is_empty() && widgets::link(ui, texts.resume_all).clicked() {
        for id in paused {
            scope.want(Want::Engine(Command::Resume(id)));
        }
    }
    if !moving.is_empty() && widgets::link(ui, texts.pause_all).clicked() {
        for id in moving {
            scope.want(Want::Engine(Command::Pause(id)));
        }
    }
}

/// How a row looks for the state it is in.
struct Looks {
    front: Color32,
    soft: Color32,
    badge: Option<String>,
    line: String,
    /// A sentence about what has to happen, which may not be cut.
    note: Option<String>,
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
        let right = if wide { theme::ROW_RIGHT } else { 0.0 };
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
                    // The buttons first, so that none comes under the pointer when a badge appears.
                    actions(ui, scope, row);
                    if let Some(badge) = &looks.badge {
                        widgets::badge(ui, badge, looks.front, looks.soft);
                    }
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
    if let Some(note) = &looks.note {
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
        let width = (ui.available_width() * theme::ROW_NAME_SHARE).max(theme::NAME_WIDTH);
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
            if row.failed_before > 0 {
                let line = match row.direction {
                    Direction::Send => (texts.kept_failed_send)(days),
                    Direction::Receive => (texts.kept_failed_receive)(row.peer.name.as_str(), days),
                };
                return Looks {
                    front: palette.danger,
                    soft: palette.danger_soft,
                    badge: Some((texts.badge_failed_items)(row.failed_before)),
                    line,
                    note: None,
                    bar: false,
                };
            }
            let line = match row.direction {
                Direction::Send => (texts.kept_send)(days),
                Direction::Receive => (texts.kept_receive)(row.peer.name.as_str(), days),
            };
            Looks {
                front: palette.warn,
                soft: palette.warn_soft,
                badge: Some(texts.badge_interrupted.into()),
                line: bytes_held(scope, row),
                note: Some(line),
                bar: true,
            }
        }
        RowState::Active(state @ TransferState::Away) => Looks {
            front: palette.warn,
            soft: palette.warn_soft,
            badge: Some(texts.badge_queued.into()),
            line: (texts.state)(*state, row.peer.name.as_str()),
            note: None,
            bar: false,
        },
        RowState::Active(state @ TransferState::Interrupted) => Looks {
            front: palette.warn,
            soft: palette.warn_soft,
            badge: Some(texts.badge_interrupted.into()),
            line: bytes_held(scope, row),
            note: Some((texts.state)(*state, row.peer.name.as_str())),
            bar: true,
        },
        RowState::Active(_) if row.holds.any() => {
            let full = row.holds.lacks_room();
            Looks {
                front: palette.warn,
                soft: palette.warn_soft,
                badge: Some(match (full, row.queued()) {
                    (true, _) => texts.badge_full.into(),
                    (false, true) => texts.badge_queued.into(),
                    (false, false) => texts.badge_paused.into(),
                }),
                line: bytes_held(scope, row),
                note: Some(held(scope, row)),
                bar: true,
            }
        }
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
                note: None,
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
                note: None,
                bar: false,
            }
        }
    }
}

/// Who has to do something before it goes on.
fn held(scope: &Scope, row: &Row) -> String {
    let texts = scope.texts;
    let peer = row.peer.name.as_str();
    let need = |needed_bytes: u64| (needed_bytes > 0).then(|| size(needed_bytes));
    match (row.holds.here, row.holds.there) {
        (Some(Hold::Person), Some(Hold::Person)) => (texts.paused_by_both)(peer),
        (Some(Hold::Person), _) => texts.paused_by_us.to_owned(),
        (Some(Hold::Turn), _) => (texts.turn_here)(peer),
        (Some(Hold::NoRoom { needed_bytes }), _) => {
            (texts.no_room_here)(need(needed_bytes).as_deref())
        }
        (None, Some(Hold::NoRoom { needed_bytes })) => {
            (texts.no_room_there)(peer, need(needed_bytes).as_deref())
        }
        (Some(Hold::NoFiles), _) => texts.no_files_here.to_owned(),
        (None, Some(Hold::NoFiles)) => (texts.no_files_there)(peer),
        (Some(Hold::Quota), _) => texts.no_quota_here.to_owned(),
        (None, Some(Hold::Quota)) => (texts.no_quota_there)(peer),
        (None, Some(Hold::Turn)) => (texts.turn_there)(peer),
        (None, Some(Hold::Person) | None) => (texts.paused_by_peer)(peer),
    }
}

/// `7.7 of 18.4 GB`
fn bytes_held(scope: &Scope, row: &Row) -> String {
    match &row.progress {
        Some(progress) if progress.total_bytes > 0 => {
            let (done, all) = size_of(progress.bytes, progress.total_bytes);
            (scope.texts.bytes_of)(&done, &all)
        }
        Some(_) | None => String::new(),
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
            retry(ui, scope, row);
            if row.can_resume() && widgets::button(ui, texts.resume).clicked() {
                scope.want(Want::Engine(Command::Resume(row.id)));
            }
        }
        RowState::Active(state) => {
            if widgets::button(ui, texts.cancel).clicked() {
                scope.want(Want::Engine(Command::Cancel(row.id)));
            }
            if row.paused() {
                if widgets::button(ui, texts.resume).clicked() {
                    scope.want(Want::Engine(Command::Resume(row.id)));
                }
            } else if row.moving()
                && *state != TransferState::Interrupted
                && widgets::button(ui, texts.pause).clicked()
            {
                scope.want(Want::Engine(Command::Pause(row.id)));
            }
            let full = row.holds.here.is_some_and(|hold| hold.problem().is_some());
            if full && row.direction == Direction::Receive {
                if widgets::button(ui, texts.other_folder).clicked() {
                    scope.want(Want::PickOtherFolder(row.id));
                }
            } else if row.moving() && *state != TransferState::Interrupted {
                limit(ui, scope, row);
            }
            let waits = matches!(*state, TransferState::Interrupted | TransferState::Away)
                && row.direction == Direction::Send
                && !row.paused();
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
            let kept = row.is_kept() || row.can_resume();
            // Where there is a list, it stands below it.
            let listed = row.is_kept() && !row.failed.is_empty();
            if kept && !listed && widgets::button(ui, texts.delete).clicked() {
                scope.want(Want::Delete(row.id));
            }
            retry(ui, scope, row);
            if row.can_resume() {
                if widgets::button(ui, texts.resume).clicked() {
                    scope.want(Want::Engine(Command::Resume(row.id)));
                }
            } else if row.direction == Direction::Send && !kept && summary.status != Status::Arrived
            {
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

/// How fast this one may go.
fn limit(ui: &mut Ui, scope: &mut Scope, row: &Row) {
    /// In bytes a second: a phone's connection, a home's, a wire that is shared.
    const SPEEDS: [u64; 6] = [
        500_000, 1_000_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000,
    ];
    let texts = scope.texts;
    let word = |limit: Option<u64>| match limit {
        None => texts.no_limit.to_owned(),
        Some(limit) => (texts.speed)(&size(limit)),
    };
    let title = match row.limit {
        None => texts.limit.to_owned(),
        limit => word(limit),
    };
    let menu = egui::Button::new(title).min_size(vec2(0.0, theme::CONTROL_HEIGHT));
    let (response, _) = egui::containers::menu::MenuButton::from_button(menu).ui(ui, |ui| {
        for speed in std::iter::once(None).chain(SPEEDS.map(Some)) {
            if ui
                .selectable_label(row.limit == speed, word(speed))
                .clicked()
            {
                scope.want(Want::LimitSpeed(row.id, speed));
                ui.close();
            }
        }
    });
    widgets::focus_ring(ui, &response);
}

/// Sends what failed once more, if that can help.
fn retry(ui: &mut Ui, scope: &mut Scope, row: &Row) {
    let texts = scope.texts;
    let word = match row.all_failed() {
        0 => texts.try_again,
        _some => texts.retry_failed,
    };
    if row.can_retry() && widgets::button(ui, word).clicked() {
        scope.want(Want::Engine(Command::Resume(row.id)));
    }
}
