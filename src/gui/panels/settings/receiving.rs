//! Who may send, where it is saved, and what happens with names that are taken.

use std::path::PathBuf;

use egui::{TextEdit, Ui};

use super::SettingsDialog;
use super::rows::{group, tall_row};
use crate::gui::panels::{Scope, Want};
use crate::gui::widgets::segmented;
use crate::gui::{theme, widgets};
use crate::model::{Allow, OnConflict};
use crate::settings::Settings;

pub fn receiving_ui(
    ui: &mut Ui,
    scope: &mut Scope,
    settings: &Settings,
    dialog: &mut SettingsDialog,
) {
    group(ui, |ui| folder(ui, scope, settings, dialog));
    group(ui, |ui| who_may(ui, scope, settings));
    group(ui, |ui| conflict(ui, scope, settings));
}

fn folder(ui: &mut Ui, scope: &mut Scope, settings: &Settings, dialog: &mut SettingsDialog) {
    let texts = scope.texts;
    tall_row(ui, texts.set_folder, texts.set.folder_hint, |ui, label| {
        let width = widgets::room_beside_button(ui, texts.offer_change, theme::CODE_WIDTH);
        let field = TextEdit::singleline(&mut dialog.folder)
            .align(egui::Align2::LEFT_CENTER)
            .desired_width(width);
        let response = ui.add(field).labelled_by(label);
        let present = settings.save_folder.to_string_lossy();
        let typed = PathBuf::from(dialog.folder.trim());
        if response.lost_focus() {
            if typed.is_absolute() && dialog.folder.trim() != present {
                scope.want(Want::SetSaveFolder(typed));
            }
        } else if !response.has_focus() && dialog.folder != present {
            // Chosen in the system's dialog meanwhile.
            dialog.folder = present.into_owned();
        }
        if widgets::button(ui, texts.offer_change).clicked() {
            scope.want(Want::PickSaveFolder);
        }
    });
}

fn who_may(ui: &mut Ui, scope: &mut Scope, settings: &Settings) {
    let texts = scope.texts;
    let hint = (texts.set.allow_hint)(settings.allow);
    tall_row(ui, texts.who_may, hint, |ui, _label| {
        let all = [Allow::Anyone, Allow::Code, Allow::Paired];
        let all = all.map(|allow| (allow, (texts.allow)(allow)));
        if let Some(allow) = segmented(ui, texts.who_may, settings.allow, &all) {
            scope.want(Want::SetAllow(allow));
        }
    });
}

fn conflict(ui: &mut Ui, scope: &mut Scope, settings: &Settings) {
    let texts = scope.texts;
    let hint = (texts.on_conflict_hint)(settings.on_conflict);
    tall_row(ui, texts.set_conflict, hint, |ui, _label| {
        let all = [
            OnConflict::Rename,
            OnConflict::Newer,
            OnConflict::Replace,
            OnConflict::Skip,
        ];
        let all = all.map(|rule| (rule, (texts.on_conflict)(rule)));
        if let Some(rule) = segmented(ui, texts.set_conflict, settings.on_conflict, &all) {
            scope.want(Want::SetOnConflict(rule));
        }
    });
}
