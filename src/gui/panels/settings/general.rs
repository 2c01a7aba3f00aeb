//! What this device is called, and how the window looks.

use egui::{TextEdit, Ui};

use super::SettingsDialog;
use super::rows::{between, group, row};
use crate::gui::panels::hands::{background_ui, text_size_ui};
use crate::gui::panels::{Scope, Want};
use crate::gui::theme;
use crate::gui::widgets::segmented;
use crate::model::DeviceName;
use crate::settings::{Language, Settings, Theme};

pub fn general_ui(
    ui: &mut Ui,
    scope: &mut Scope,
    settings: &Settings,
    dialog: &mut SettingsDialog,
) {
    group(ui, |ui| name(ui, scope, settings, dialog));
    group(ui, |ui| {
        language(ui, scope, settings);
        between(ui);
        looks(ui, scope, settings);
        between(ui);
        text_size_ui(ui, scope, settings);
    });
    group(ui, |ui| background_ui(ui, scope, settings));
    group(ui, |ui| keep(ui, scope, settings));
}

fn name(ui: &mut Ui, scope: &mut Scope, settings: &Settings, dialog: &mut SettingsDialog) {
    let texts = scope.texts;
    row(ui, texts.set_name, texts.set_name_hint, |ui, label| {
        let field = TextEdit::singleline(&mut dialog.name)
            .char_limit(DeviceName::MAX_CHARS)
            .align(egui::Align2::LEFT_CENTER)
            .desired_width(theme::FIELD_WIDTH.min(ui.available_width()));
        let response = ui.add(field).labelled_by(label);
        let new = dialog.name.trim();
        if response.lost_focus() && !new.is_empty() && new != settings.name {
            scope.want(Want::Rename(new.to_owned()));
        }
    });
}

fn language(ui: &mut Ui, scope: &mut Scope, settings: &Settings) {
    let texts = scope.texts;
    let about = texts.set_language;
    row(ui, about, texts.set.language_hint, |ui, _label| {
        let all = [
            (Language::System, texts.language_system),
            // A language is always named in itself.
            (Language::English, "English"),
            (Language::Chinese, "简体中文"),
        ];
        if let Some(language) = segmented(ui, about, settings.language, &all) {
            scope.want(Want::SetLanguage(language));
        }
    });
}

fn looks(ui: &mut Ui, scope: &mut Scope, settings: &Settings) {
    let texts = scope.texts;
    let about = texts.set_theme;
    row(ui, about, texts.set.theme_hint, |ui, _label| {
        let all = [
            (Theme::System, texts.theme_system),
            (Theme::Light, texts.theme_light),
            (Theme::Dark, texts.theme_dark),
        ];
        if let Some(theme) = segmented(ui, about, settings.theme, &all) {
            scope.want(Want::SetTheme(theme));
        }
    });
}

fn keep(ui: &mut Ui, scope: &mut Scope, settings: &Settings) {
    let texts = scope.texts;
    let about = texts.set_keep;
    row(ui, about, texts.set_keep_hint, |ui, _label| {
        let all = [(true, texts.keep_yes), (false, texts.keep_no)];
        if let Some(keep) = segmented(ui, about, settings.keep_conversations, &all) {
            scope.want(Want::KeepConversations(keep));
        }
    });
}
