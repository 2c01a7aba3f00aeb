//! The form of a page of settings: groups of rows, each with what it is, what it does, and its control.

use egui::{Align, Id, Label, Layout, Rect, Ui, UiBuilder, Vec2, pos2, vec2};

use crate::gui::{theme, widgets};

/// Rows that belong together, on one surface.
pub fn group(ui: &mut Ui, content: impl FnOnce(&mut Ui)) {
    let fill = theme::palette(ui).inset;
    widgets::inset(ui, fill, content);
    ui.add_space(theme::GRID);
}

/// A line between two rows.
pub fn between(ui: &mut Ui) {
    ui.add_space(theme::GRID);
    ui.separator();
    ui.add_space(theme::GRID);
}

/// The control gets the label's id. It stands at the right where there is room, else below.
pub fn row(ui: &mut Ui, label: &str, hint: &str, control: impl FnOnce(&mut Ui, Id)) {
    let room = ui.available_width();
    if room < theme::SETTING_BESIDE_FROM {
        return tall_row(ui, label, hint, control);
    }
    // The words have what the control left the last time.
    let id = ui.scope_id().with(label);
    let known = ui
        .data(|data| data.get_temp::<Vec2>(id))
        .unwrap_or_default();
    let top = ui.cursor().top();
    let right = ui.max_rect().right();
    let label = ui
        .scope(|ui| {
            let width = room - known.x - theme::SECTION;
            ui.set_max_width(width.max(theme::LABEL_COLUMN));
            ui.vertical(|ui| words(ui, label, hint)).inner
        })
        .inner;
    let bottom = ui.min_rect().bottom().max(top + known.y);
    let at = pos2(right - known.x, (top + bottom - known.y) / 2.0);
    // As wide as it likes: it was measured.
    let place = Rect::from_min_size(at, vec2(room, known.y));
    let builder = UiBuilder::new()
        .max_rect(place)
        .layout(Layout::left_to_right(Align::Center));
    let mut beside = ui.new_child(builder);
    control(&mut beside, label);
    let drawn = beside.min_rect().size();
    if (drawn - known).abs().max_elem() > theme::LINE {
        ui.data_mut(|data| data.insert_temp(id, drawn));
        ui.ctx().request_discard("the width of a setting's control");
    } else {
        let row = Rect::from_x_y_ranges(ui.max_rect().x_range(), top..=bottom);
        ui.advance_cursor_after_rect(row.union(beside.min_rect()));
    }
}

/// A row whose control stands below its words.
pub fn tall_row(ui: &mut Ui, label: &str, hint: &str, control: impl FnOnce(&mut Ui, Id)) {
    ui.vertical(|ui| {
        let label = words(ui, label, hint);
        ui.add_space(theme::GRID);
        ui.horizontal_wrapped(|ui| control(ui, label));
    });
}

fn words(ui: &mut Ui, label: &str, hint: &str) -> Id {
    ui.spacing_mut().item_spacing.y = theme::GRID / 2.0;
    let response = ui.add(Label::new(widgets::strong(label)).wrap());
    if !hint.is_empty() {
        ui.add(Label::new(widgets::muted(ui, hint).size(theme::SMALL)).wrap());
    }
    response.id
}
