//! What can be done with a transfer, in the order of the eye.

use egui::accesskit::Role;
use egui::{Ui, vec2};
use lucide_icons::Icon;

use super::row::name;
use crate::engine::Command;
use crate::gui::format::size;
use crate::gui::panels::{Scope, Want};
use crate::gui::view::{Row, RowState};
use crate::gui::{theme, widgets};
use crate::model::{Direction, Status, TransferState};

/// A button of a row.
pub enum Action {
    Word(&'static str, Box<Want>),
    /// How fast it may go, as a menu.
    Limit,
}

impl Action {
    fn word(word: &'static str, want: Want) -> Self {
        Self::Word(word, Box::new(want))
    }

    fn engine(word: &'static str, command: Command) -> Self {
        Self::word(word, Want::Engine(command))
    }
}

pub fn actions(scope: &Scope, row: &Row) -> Vec<Action> {
    let texts = scope.texts;
    let mut all = Vec::new();
    match &row.state {
        RowState::Kept(_) => {
            if row.can_resume() {
                all.push(Action::engine(texts.resume, Command::Resume(row.id)));
            }
            all.extend(retry(scope, row));
            all.push(Action::word(texts.delete, Want::Delete(row.id)));
        }
        RowState::Active(state) => {
            let connected = row.moving() && *state != TransferState::Interrupted;
            let waits = matches!(*state, TransferState::Interrupted | TransferState::Away);
            if waits && row.direction == Direction::Send && !row.paused() {
                let word = match *state {
                    TransferState::Away => texts.try_now,
                    _ => texts.resume_now,
                };
                all.push(Action::engine(word, Command::Resume(row.id)));
            }
            let full = row.holds.here.is_some_and(|hold| hold.problem().is_some());
            if full && row.direction == Direction::Receive {
                let elsewhere = Want::PickOtherFolder(row.id);
                all.push(Action::word(texts.other_folder, elsewhere));
            } else if connected {
                all.push(Action::Limit);
            }
            if row.paused() {
                all.push(Action::engine(texts.resume, Command::Resume(row.id)));
            } else if connected {
                all.push(Action::engine(texts.pause, Command::Pause(row.id)));
            }
            all.push(Action::engine(texts.cancel, Command::Cancel(row.id)));
        }
        RowState::Ended(summary) => {
            if !row.failed.is_empty() {
                let word = match row.open {
                    true => texts.hide_details,
                    false => texts.details,
                };
                all.push(Action::word(word, Want::ToggleDetails(row.id)));
            }
            let kept = row.is_kept() || row.can_resume() || row.is_held_here();
            if row.can_resume() {
                all.push(Action::engine(texts.resume, Command::Resume(row.id)));
            } else if row.direction == Direction::Send && !kept && summary.status != Status::Arrived
            {
                all.push(Action::word(texts.send_again, Want::SendAgain(row.id)));
            }
            all.extend(retry(scope, row));
            // Where there is a list, it stands below it.
            let listed = row.is_kept() && !row.failed.is_empty();
            if kept && !listed {
                all.push(Action::word(texts.delete, Want::Delete(row.id)));
            }
            let something_arrived = matches!(summary.status, Status::Arrived | Status::Problems);
            if row.direction == Direction::Receive
                && something_arrived
                && let Some(path) = row.result_path()
            {
                if row.peer.device_id.is_some() {
                    all.push(Action::word(texts.send_back, Want::SendBack(row.id)));
                }
                all.push(Action::engine(texts.open, Command::Open(path.clone())));
                all.push(Action::engine(texts.show_in_folder, Command::Reveal(path)));
            }
        }
    }
    all
}

/// Sends what failed once more, if that can help.
fn retry(scope: &Scope, row: &Row) -> Option<Action> {
    let word = match row.all_failed() {
        0 => scope.texts.try_again,
        _some => scope.texts.retry_failed,
    };
    row.can_retry()
        .then(|| Action::engine(word, Command::Resume(row.id)))
}

/// How much room the buttons take.
pub fn width(ui: &Ui, scope: &Scope, row: &Row, actions: &[Action]) -> f32 {
    let gap = ui.spacing().item_spacing.x;
    let wide = actions.iter().map(|action| match action {
        Action::Word(word, _) => widgets::counted_button_width(ui, word, 0),
        Action::Limit => match row.limit {
            None => widgets::icon_button_width(),
            limit => widgets::counted_button_width(ui, &limit_word(scope, limit), 0),
        },
    });
    wide.sum::<f32>() + gap * actions.len().saturating_sub(1) as f32
}

pub fn actions_ui(ui: &mut Ui, scope: &mut Scope, row: &Row, actions: Vec<Action>) {
    for action in actions {
        match action {
            Action::Word(word, want) => {
                let response = widgets::button(ui, word);
                // Of many buttons with the same word, for who does not see beside what they stand.
                let called = (scope.texts.hands.act_on)(word, &name(scope, row));
                widgets::named(&response, Role::Button, &called);
                if widgets::meant(&response) {
                    scope.want(*want);
                }
            }
            Action::Limit => limit(ui, scope, row),
        }
    }
}

fn limit_word(scope: &Scope, limit: Option<u64>) -> String {
    match limit {
        None => scope.texts.no_limit.to_owned(),
        Some(limit) => (scope.texts.speed)(&size(limit)),
    }
}

/// How fast this one may go.
fn limit(ui: &mut Ui, scope: &mut Scope, row: &Row) {
    /// In bytes a second: a phone's connection, a home's, a wire that is shared.
    const SPEEDS: [u64; 6] = [
        500_000, 1_000_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000,
    ];
    let palette = theme::palette(ui);
    let menu = match row.limit {
        None => {
            let glyph = widgets::icon(Icon::Gauge, palette.muted);
            let small = egui::Vec2::splat(theme::ROW_HEIGHT);
            egui::Button::new(glyph).frame(false).min_size(small)
        }
        limit => {
            let high = vec2(0.0, theme::CONTROL_HEIGHT);
            egui::Button::new(limit_word(scope, limit)).min_size(high)
        }
    };
    let (response, _) = egui::containers::menu::MenuButton::from_button(menu).ui(ui, |ui| {
        for speed in std::iter::once(None).chain(SPEEDS.map(Some)) {
            let word = limit_word(scope, speed);
            if ui.selectable_label(row.limit == speed, word).clicked() {
                scope.want(Want::LimitSpeed(row.id, speed));
                ui.close();
            }
        }
    });
    let called = match row.limit {
        None => scope.texts.limit.to_owned(),
        limit => format!("{}, {}", scope.texts.limit, limit_word(scope, limit)),
    };
    let called = (scope.texts.hands.act_on)(&called, &name(scope, row));
    widgets::named(&response, Role::Button, &called);
    widgets::focus_ring(ui, &response);
    response.on_hover_text(scope.texts.limit);
}
