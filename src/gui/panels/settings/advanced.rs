//! What few people need: the wire panel, where the data is, and the way back to the defaults.

use egui::Ui;
use lucide_icons::Icon;

use super::SettingsDialog;
use super::rows::{group, row, tall_row};
use crate::engine::Command;
use crate::gui::panels::{Scope, Want};
use crate::gui::{theme, widgets};
use crate::settings::Settings;

pub fn advanced_ui(
    ui: &mut Ui,
    scope: &mut Scope,
    settings: &Settings,
    dialog: &mut SettingsDialog,
) {
    group(ui, |ui| wire(ui, scope, settings));
    group(ui, |ui| data(ui, scope, dialog));
    group(ui, |ui| reset(ui, scope, dialog));
}

fn wire(ui: &mut Ui, scope: &mut Scope, settings: &Settings) {
    let texts = &scope.texts.wire;
    row(ui, texts.setting, texts.setting_hint, |ui, _label| {
        if widgets::switch(ui, settings.wire, texts.setting).clicked() {
            scope.want(Want::ShowWire(!settings.wire));
        }
    });
}

fn data(ui: &mut Ui, scope: &mut Scope, dialog: &SettingsDialog) {
    let texts = &scope.texts.set;
    let Some(folder) = &dialog.data_dir else {
        return;
    };
    tall_row(ui, texts.data, texts.data_hint, |ui, _label| {
        let shown = crate::model::displayable(&folder.to_string_lossy());
        let color = theme::palette(ui).text;
        let room = widgets::room_beside_button(ui, texts.open_data, theme::NAME_WIDTH);
        widgets::name_label(ui, &shown, theme::body_font(), color, room);
        if widgets::button(ui, texts.open_data).clicked() {
            scope.want(Want::Engine(Command::Open(folder.clone())));
        }
    });
}

/// Asks once, in place.
fn reset(ui: &mut Ui, scope: &mut Scope, dialog: &mut SettingsDialog) {
    let texts = &scope.texts.set;
    row(ui, texts.reset, texts.reset_hint, |ui, _label| {
        if !dialog.resetting && widgets::button(ui, texts.reset_ask).clicked() {
            dialog.resetting = true;
        }
    });
    if !dialog.resetting {
        return;
    }
    ui.add_space(theme::GRID);
    let color = theme::palette(ui).warn;
    widgets::sentence(ui, Icon::TriangleAlert, color, texts.reset_question);
    ui.horizontal_wrapped(|ui| {
        if widgets::button(ui, texts.reset_yes).clicked() {
            scope.want(Want::ResetSettings);
        }
        if widgets::button(ui, texts.reset_no).clicked() {
            dialog.resetting = false;
        }
    });
}
