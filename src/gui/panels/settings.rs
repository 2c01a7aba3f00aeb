//! Settings: each acts at once and is saved at once.

use egui::{Align, Context, Id, Layout, TextEdit, Ui, vec2};

use super::hands::hands_settings_ui;
use super::known::{KnownPanel, known_ui};
use super::{Scope, Want};
use crate::engine::KnownDevice;
use crate::gui::texts::Texts;
use crate::gui::{theme, widgets};
use crate::model::{DeviceName, OnConflict, Presence};
use crate::settings::{Language, Settings, Theme};

/// The fields while they are edited.
pub struct SettingsDialog {
    page: Page,
    known: KnownPanel,
    name: String,
    folder: String,
    port: String,
    speed: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Page {
    General,
    Network,
    Known,
    Window,
    Advanced,
}

impl SettingsDialog {
    pub fn new(settings: &Settings) -> Self {
        Self {
            page: Page::General,
            known: KnownPanel::default(),
            name: settings.name.clone(),
            folder: settings.save_folder.to_string_lossy().into_owned(),
            port: settings.port.to_string(),
            speed: megabytes(settings.speed_limit),
        }
    }

    /// Opened where the known devices are.
    pub fn at_known(settings: &Settings) -> Self {
        Self {
            page: Page::Known,
            ..Self::new(settings)
        }
    }
}

/// Draws the dialog; `false` when it was closed.
pub fn settings_ui(
    context: &Context,
    scope: &mut Scope,
    settings: &Settings,
    devices: &[KnownDevice],
    dialog: &mut SettingsDialog,
) -> bool {
    let texts = scope.texts;
    let mut open = true;
    let dismissed = widgets::dialog(context, "settings", |ui| {
        ui.label(widgets::title(texts.settings));
        ui.add_space(theme::GRID);
        ui.horizontal(|ui| {
            for (page, word) in [
                (Page::General, texts.set_general),
                (Page::Network, texts.set_network),
                (Page::Known, texts.known_devices),
                (Page::Window, texts.hands.keys_window),
                (Page::Advanced, texts.set_advanced),
            ] {
                if widgets::choice(ui, dialog.page == page, word) {
                    dialog.page = page;
                }
            }
        });
        ui.add_space(theme::GAP);
        match dialog.page {
            Page::Known => known_ui(ui, scope, settings, devices, &mut dialog.known),
            Page::General => {
                name(ui, scope, settings, dialog);
                folder(ui, scope, settings, dialog);
                choices(ui, scope, settings);
            }
            Page::Network => {
                port(ui, scope, settings, dialog);
                presence(ui, scope, settings);
                speed(ui, scope, settings, dialog);
                at_once(ui, scope, settings);
            }
            Page::Window => hands_settings_ui(ui, scope, settings),
            Page::Advanced => advanced(ui, scope, settings),
        }
        ui.add_space(theme::SECTION);
        let size = vec2(ui.available_width(), theme::CONTROL_HEIGHT + theme::GRID);
        ui.allocate_ui_with_layout(size, Layout::right_to_left(Align::Center), |ui| {
            if widgets::primary(ui, true, texts.done).clicked() {
                open = false;
            }
        });
    });
    open && !dismissed
}

pub(super) fn row(ui: &mut Ui, label: &str, hint: &str, content: impl FnOnce(&mut Ui, Id)) {
    let label = ui.label(widgets::strong(label));
    ui.horizontal(|ui| content(ui, label.id));
    if !hint.is_empty() {
        ui.label(widgets::muted(ui, hint).size(theme::SMALL));
    }
    ui.add_space(theme::GAP);
}

fn name(ui: &mut Ui, scope: &mut Scope, settings: &Settings, dialog: &mut SettingsDialog) {
    let texts = scope.texts;
    row(ui, texts.set_name, texts.set_name_hint, |ui, label| {
        let field = TextEdit::singleline(&mut dialog.name)
            .char_limit(DeviceName::MAX_CHARS)
            .align(egui::Align2::LEFT_CENTER)
            .desired_width(theme::FIELD_WIDTH);
        let response = ui.add(field).labelled_by(label);
        let new = dialog.name.trim();
        if response.lost_focus() && !new.is_empty() && new != settings.name {
            scope.want(Want::Rename(new.to_owned()));
        }
    });
}

fn folder(ui: &mut Ui, scope: &mut Scope, settings: &Settings, dialog: &mut SettingsDialog) {
    let texts = scope.texts;
    row(ui, texts.set_folder, "", |ui, label| {
        let field = TextEdit::singleline(&mut dialog.folder)
            .align(egui::Align2::LEFT_CENTER)
            .desired_width(theme::DIALOG_WIDTH - theme::LABEL_COLUMN);
        let response = ui.add(field).labelled_by(label);
        let present = settings.save_folder.to_string_lossy();
        let typed = std::path::PathBuf::from(dialog.folder.trim());
        if response.lost_focus() {
            if typed.is_absolute() && dialog.folder.trim() != present {
                scope.want(Want::SetSaveFolder(typed));
            }
        } else if !response.has_focus() && dialog.folder != present {
            // Chosen in the system's dialog meanwhile.
            dialog.folder = present.into_owned();
        }
        if widgets::link(ui, texts.change).clicked() {
            scope.want(Want::PickSaveFolder);
        }
    });
}

fn port(ui: &mut Ui, scope: &mut Scope, settings: &Settings, dialog: &mut SettingsDialog) {
    let texts = scope.texts;
    row(ui, texts.set_port, texts.set_port_hint, |ui, label| {
        let field = TextEdit::singleline(&mut dialog.port)
            .char_limit(5)
            .align(egui::Align2::LEFT_CENTER)
            .desired_width(theme::PORT_WIDTH);
        let response = ui.add(field).labelled_by(label);
        match dialog.port.trim().parse::<u16>() {
            Ok(port) if port > 0 => {
                if response.lost_focus() && port != settings.port {
                    scope.want(Want::SetPort(port));
                }
            }
            Ok(_) | Err(_) => {
                let color = theme::palette(ui).danger;
                let why = (texts.address_error)(crate::model::address::AddressError::Port);
                ui.colored_label(color, why);
            }
        }
    });
}

/// As it is typed: megabytes with a fraction, nothing for no limit.
fn megabytes(bytes: u64) -> String {
    match bytes {
        0 => String::new(),
        bytes => (bytes as f64 / 1e6).to_string(),
    }
}

/// `None` if it is no speed.
fn bytes(typed: &str) -> Option<u64> {
    let typed = typed.trim().replace(',', ".");
    if typed.is_empty() {
        return Some(0);
    }
    let megabytes: f64 = typed.parse().ok()?;
    let range: std::ops::RangeInclusive<f64> = 0.001..=1e6;
    (megabytes == 0.0 || range.contains(&megabytes)).then_some((megabytes * 1e6) as u64)
}

fn speed(ui: &mut Ui, scope: &mut Scope, settings: &Settings, dialog: &mut SettingsDialog) {
    let texts = scope.texts;
    row(ui, texts.set_speed, texts.set_speed_hint, |ui, label| {
        let field = TextEdit::singleline(&mut dialog.speed)
            .char_limit(9)
            .hint_text(texts.no_limit)
            .align(egui::Align2::LEFT_CENTER)
            .desired_width(theme::AMOUNT_WIDTH);
        let response = ui.add(field).labelled_by(label);
        let typed = bytes(&dialog.speed);
        let color = match typed {
            Some(_) => theme::palette(ui).muted,
            None => theme::palette(ui).danger,
        };
        ui.colored_label(color, texts.speed_unit);
        if let Some(limit) = typed
            && response.lost_focus()
            && limit != settings.speed_limit
        {
            scope.want(Want::SetSpeedLimit(limit));
        }
    });
}

fn advanced(ui: &mut Ui, scope: &mut Scope, settings: &Settings) {
    let texts = &scope.texts.wire;
    row(ui, texts.setting, texts.setting_hint, |ui, _label| {
        if widgets::switch(ui, settings.wire, texts.setting).clicked() {
            scope.want(Want::ShowWire(!settings.wire));
        }
    });
}

fn at_once(ui: &mut Ui, scope: &mut Scope, settings: &Settings) {
    let texts = scope.texts;
    row(
        ui,
        texts.set_at_once,
        texts.set_at_once_hint,
        |ui, _label| {
            for at_once in [1_u32, 2, 3, 5, 10] {
                if widgets::choice(ui, settings.at_once == at_once, &at_once.to_string()) {
                    scope.want(Want::SetAtOnce(at_once));
                }
            }
        },
    );
}

fn presence(ui: &mut Ui, scope: &mut Scope, settings: &Settings) {
    let texts = scope.texts;
    let presence = settings.presence;
    let hint = (texts.presence_hint)(presence);
    row(ui, texts.set_presence, hint, |ui, _label| {
        for choice in [Presence::Visible, Presence::Hidden, Presence::Off] {
            if widgets::choice(ui, presence == choice, (texts.presence)(choice)) {
                scope.want(Want::SetPresence(choice));
            }
        }
    });
}

fn choices(ui: &mut Ui, scope: &mut Scope, settings: &Settings) {
    let texts: &'static Texts = scope.texts;
    row(ui, texts.set_conflict, "", |ui, _label| {
        for rule in [
            OnConflict::Rename,
            OnConflict::Newer,
            OnConflict::Replace,
            OnConflict::Skip,
        ] {
            let word = (texts.on_conflict)(rule);
            if widgets::choice(ui, settings.on_conflict == rule, word) {
                scope.want(Want::SetOnConflict(rule));
            }
        }
    });
    row(ui, texts.set_keep, texts.set_keep_hint, |ui, _label| {
        for (keep, word) in [(true, texts.keep_yes), (false, texts.keep_no)] {
            if widgets::choice(ui, settings.keep_conversations == keep, word) {
                scope.want(Want::KeepConversations(keep));
            }
        }
    });
    row(ui, texts.set_theme, "", |ui, _label| {
        for (theme, word) in [
            (Theme::System, texts.theme_system),
            (Theme::Light, texts.theme_light),
            (Theme::Dark, texts.theme_dark),
        ] {
            if widgets::choice(ui, settings.theme == theme, word) {
                scope.want(Want::SetTheme(theme));
            }
        }
    });
    row(ui, texts.set_language, "", |ui, _label| {
        for (language, word) in [
            (Language::System, texts.language_system),
            // A language is always named in itself.
            (Language::English, "English"),
            (Language::Chinese, "简体中文"),
        ] {
            if widgets::choice(ui, settings.language == language, word) {
                scope.want(Want::SetLanguage(language));
            }
        }
    });
}
