//! Transfers, both directions, the newest first: how far, how fast, how it ended.

mod actions;
mod looks;
mod row;

use egui::accesskit::Role;
use egui::{Id, Rect, Sense, Ui, UiBuilder, WidgetInfo, vec2};
use lucide_icons::Icon;

use super::empty::empty_ui;
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

/// `bottom` is where the card ends if nothing is below it.
pub fn transfers_ui(
    ui: &mut Ui,
    scope: &mut Scope,
    view: &View,
    reveal: &mut Reveal,
    bottom: Option<f32>,
) {
    let texts = scope.texts;
    let awake = match (view.active() > 0, view.slept, view.kept_awake) {
        (true, true, _) => Some((texts.slept, theme::palette(ui).warn)),
        (true, false, true) => Some((texts.kept_awake, theme::palette(ui).muted)),
        (_, _, _) => None,
    };
    let links = links(scope, view);
    // So wide that they are not read as one sentence.
    let gap = theme::SECTION;
    let widths = links
        .iter()
        .map(|(word, _)| widgets::link_width(ui, word) + gap);
    let width = (widths.sum::<f32>() - gap).max(0.0);
    widgets::ends(
        ui,
        width,
        |ui| _ = ui.label(widgets::title(texts.transfers)),
        |ui| {
            ui.spacing_mut().item_spacing.x = gap;
            for (word, wants) in links {
                if widgets::link(ui, word).clicked() {
                    wants.into_iter().for_each(|want| scope.want(want));
                }
            }
        },
    );
    if let Some((words, color)) = awake {
        let words = egui::RichText::new(words).small().color(color);
        ui.add(egui::Label::new(words).wrap());
    }
    if view.rows.is_empty() {
        // The list below it has no height, but its distance.
        let bottom = bottom.map(|bottom| bottom - ui.spacing().item_spacing.y);
        nothing_ui(ui, scope, bottom);
    }
    let list = UiBuilder::new()
        .accessibility_role(Role::List)
        .accessibility_label((texts.hands.rows)(view.rows.len() as u64));
    ui.scope_builder(list, |ui| rows_ui(ui, scope, view, reveal));
    if let Some(bottom) = bottom.filter(|bottom| *bottom > ui.min_rect().bottom()) {
        // Few rows leave no hole in the window.
        ui.expand_to_include_y(bottom);
    }
}

/// In the middle of the room that is left, if that is enough.
fn nothing_ui(ui: &mut Ui, scope: &Scope, bottom: Option<f32>) {
    let words = scope.texts.transfers_empty;
    let room = bottom.map_or(0.0, |bottom| bottom - ui.cursor().top());
    let size = vec2(ui.available_width(), room.max(0.0));
    ui.allocate_ui(size, |ui| {
        ui.set_min_size(size);
        if room >= theme::EMPTY_LEAST {
            return empty_ui(ui, Icon::ArrowUpDown, "", words);
        }
        ui.add_space(theme::GAP);
        ui.add(egui::Label::new(widgets::muted(ui, words)).wrap());
        ui.add_space(theme::GAP);
    });
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
                row_ui(ui, scope, row, index + 1 == all);
                picks_ui(ui, scope, row);
                let mut newer = view.rows.iter().take(index);
                if newer.all(|newer| newer.peer.device_id != row.peer.device_id) {
                    remember_ui(ui, scope, view, row);
                }
            });
            if many {
                let bottom = ui.cursor().top();
                let id = ui.scope_id().with(row.id);
                ui.data_mut(|data| data.insert_temp(id, bottom - top));
                let place = Rect::from_x_y_ranges(ui.max_rect().x_range(), top..=bottom);
                stop_ui(ui, id.with("stop"), place, &row::name(scope, row));
            }
        }
        let place = Rect::from_x_y_ranges(ui.max_rect().x_range(), top..=ui.cursor().top());
        reveal.show(ui, What::Row(row.id), place);
    }
}

/// The keyboard stops at each row, also where there is nothing to press: what comes after it is drawn only
/// when it is near.
fn stop_ui(ui: &mut Ui, id: Id, place: Rect, name: &str) {
    let stop = ui.interact(place, id, Sense::focusable_noninteractive());
    stop.widget_info(|| WidgetInfo::labeled(Role::Label, true, name));
    widgets::focus_ring(ui, &stop);
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

/// Below a row's words.
pub(super) fn beside_the_tile(ui: &mut Ui, content: impl FnOnce(&mut Ui)) {
    if ui.available_width() < theme::TILE_FROM {
        return content(ui);
    }
    ui.horizontal(|ui| {
        ui.add_space(theme::TILE + theme::GRID + ui.spacing().item_spacing.x);
        ui.vertical(content);
    });
}

/// What can be done with all of them, where that is more than one click.
fn links(scope: &Scope, view: &View) -> Vec<(&'static str, Vec<Want>)> {
    const MANY: usize = 2;
    let texts = scope.texts;
    let all = |which: fn(&Row) -> bool, command: fn(TransferId) -> Command| -> Vec<Want> {
        let rows = view.rows.iter().filter(|row| which(row));
        rows.map(|row| Want::Engine(command(row.id))).collect()
    };
    let paused = all(Row::paused, Command::Resume);
    let moving = all(|row| row.moving() && !row.paused(), Command::Pause);
    let mut links = Vec::new();
    if paused.len() + moving.len() >= MANY {
        links.push((texts.pause_all, moving));
        links.push((texts.resume_all, paused));
    }
    if view.rows.iter().any(Row::finished) {
        links.push((texts.clear_finished, vec![Want::ClearFinished]));
    }
    links.retain(|(_, wants)| !wants.is_empty());
    links
}
