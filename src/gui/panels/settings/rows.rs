//! The form of a page of settings: groups of rows, each with what it is, what it does, and its control.

use egui::{Align, Id, Label, Layout, Ui};

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

/// The control gets the label's id. It stands beside the words where there is room, else below.
pub fn row(ui: &mut Ui, label: &str, hint: &str, control: impl FnOnce(&mut Ui, Id)) {
    if ui.available_width() < theme::SETTING_BESIDE_FROM {
        ui.vertical(|ui| {
            let label = words(ui, label, hint);
            ui.add_space(theme::GRID);
            ui.horizontal(|ui| control(ui, label));
        });
        return;
    }
    ui.horizontal(|ui| {
        let width = ui.available_width() * theme::SETTING_SHARE;
        let label = ui
            .vertical(|ui| {
                ui.set_width(width);
                words(ui, label, hint)
            })
            .inner;
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            // In the order of the eye all the same.
            ui.horizontal(|ui| control(ui, label));
        });
    });
}

/// A row whose control needs all of the width.
pub fn tall_row(ui: &mut Ui, label: &str, hint: &str, control: impl FnOnce(&mut Ui, Id)) {
    ui.vertical(|ui| {
        let label = words(ui, label, hint);
        ui.add_space(theme::GRID);
        ui.horizontal_wrapped(|ui| control(ui, label));
    });
}

fn words(ui: &mut Ui, label: &str, hint: &str) -> Id {
    ui.spacing_mut().item_spacing.y = theme::GRID / 2.0;
    let response = ui.label(widgets::strong(label));
    if !hint.is_empty() {
        ui.add(Label::new(widgets::muted(ui, hint).size(theme::SMALL)).wrap());
    }
    response.id
}
