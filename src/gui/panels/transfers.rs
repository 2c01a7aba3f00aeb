//! Transfers, both directions, the newest first: how far, how fast, how it ended.

mod actions;
mod looks;
mod row;

use egui::accesskit::Role;
use egui::{Align, Layout, Rect, Ui, UiBuilder};

use super::picks::picks_ui;
use super::{Scope, Want};
use crate::engine::Command;
use crate::gui::reveal::{Reveal, What};
use crate::gui::view::{Row, RowState, View};
use crate::gui::{theme, widgets};
use crate::model::{Bond, TransferId, Trust};
use row::row_ui;

/// From so many rows on, those out of sight are not drawn.
const MANY_ROWS: usize = 24;

pub fn transfers_ui(ui: &mut Ui, scope: &mut Scope, view: &View, reveal: &mut Reveal) {
    let texts = scope.texts;
    let awake = match (view.active() > 0, view.slept, view.kept_awake) {
        (true, true, _) => Some((texts.slept, theme::palette(ui).warn)),
        (true, false, true) => Some((texts.kept_awake, theme::palette(ui).muted)),
        (_, _, _) => None,
    };
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
    if let Some((words, color)) = awake {
        let words = egui::RichText::new(words).small().color(color);
        ui.add(egui::Label::new(words).wrap());
    }
    if view.rows.is_empty() {
        ui.add_space(theme::GAP);
        ui.label(widgets::muted(ui, texts.transfers_empty));
        ui.add_space(theme::GAP);
    }
    let list = UiBuilder::new()
        .accessibility_role(Role::List)
        .accessibility_label((texts.hands.rows)(view.rows.len() as u64));
    ui.scope_builder(list, |ui| rows_ui(ui, scope, view, reveal));
}

fn rows_ui(ui: &mut Ui, scope: &mut Scope, view: &View, reveal: &mut Reveal) {
    let all = view.rows.len();
    let many = all >= MANY_ROWS;
    ui.ctx().accesskit_node_builder(ui.unique_id(), |node| {
        // Those out of sight are not in the tree.
        node.set_size_of_set(all);
    });
    for (index, row) in view.rows.iter().enumerate() {
        let top = ui.cursor().top();
        if !(many && out_of_sight(ui, row.id)) {
            if index > 0 {
                widgets::hairline(ui, top);
            }
            let item = UiBuilder::new()
                .id_salt(row.id)
                .accessibility_role(Role::ListItem)
                .accessibility_label(row::name(scope, row));
            ui.scope_builder(item, |ui| {
                ui.ctx().accesskit_node_builder(ui.unique_id(), |node| {
                    node.set_position_in_set(index + 1);
                    node.set_size_of_set(all);
                });
                row_ui(ui, scope, row);
                picks_ui(ui, scope, row);
                let mut newer = view.rows.iter().take(index);
                if newer.all(|newer| newer.peer.device_id != row.peer.device_id) {
                    remember_ui(ui, scope, view, row);
                }
            });
            if many {
                let height = ui.cursor().top() - top;
                ui.data_mut(|data| data.insert_temp(ui.scope_id().with(row.id), height));
            }
        }
        let place = Rect::from_x_y_ranges(ui.max_rect().x_range(), top..=ui.cursor().top());
        reveal.show(ui, What::Row(row.id), place);
    }
}

/// Leaves the room of a row that was drawn before and is more than a screen away.
fn out_of_sight(ui: &mut Ui, row: TransferId) -> bool {
    let id = ui.scope_id().with(row);
    let Some(height) = ui.data(|data| data.get_temp::<f32>(id)) else {
        return false;
    };
    let sight = ui.clip_rect();
    let top = ui.cursor().top();
    let far = top + height < sight.top() - sight.height() || top > sight.bottom() + sight.height();
    if far {
        ui.add_space(height);
    }
    far
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
