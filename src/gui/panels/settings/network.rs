//! How others find and reach this device, and how much of the line it takes.

use egui::{TextEdit, Ui};

use super::SettingsDialog;
use super::rows::{between, group, row};
use crate::gui::panels::{Scope, Want};
use crate::gui::theme;
use crate::gui::widgets::segmented;
use crate::model::Presence;
use crate::settings::Settings;

pub fn network_ui(
    ui: &mut Ui,
    scope: &mut Scope,
    settings: &Settings,
    dialog: &mut SettingsDialog,
) {
    group(ui, |ui| {
        presence(ui, scope, settings);
        between(ui);
        port(ui, scope, settings, dialog);
    });
    group(ui, |ui| {
        speed(ui, scope, settings, dialog);
        between(ui);
        at_once(ui, scope, settings);
    });
}

fn presence(ui: &mut Ui, scope: &mut Scope, settings: &Settings) {
    let texts = scope.texts;
    let about = texts.set_presence;
    let hint = (texts.presence_hint)(settings.presence);
    row(ui, about, hint, |ui, _label| {
        let all = [Presence::Visible, Presence::Hidden, Presence::Off];
        let all = all.map(|presence| (presence, (texts.presence)(presence)));
        if let Some(presence) = segmented(ui, about, settings.presence, &all) {
            scope.want(Want::SetPresence(presence));
        }
    });
}

fn port(ui: &mut Ui, scope: &mut Scope, settings: &Settings, dialog: &mut SettingsDialog) {
    let texts = scope.texts;
    let parsed = dialog.port.trim().parse::<u16>();
    row(ui, texts.set_port, texts.set_port_hint, |ui, label| {
        let field = TextEdit::singleline(&mut dialog.port)
            .char_limit(5)
            .align(egui::Align2::LEFT_CENTER)
            .desired_width(theme::PORT_WIDTH);
        let response = ui.add(field).labelled_by(label);
        if let Ok(port) = dialog.port.trim().parse::<u16>()
            && port > 0
            && response.lost_focus()
            && port != settings.port
        {
            scope.want(Want::SetPort(port));
        }
    });
    if !parsed.is_ok_and(|port| port > 0) {
        let why = (texts.address_error)(crate::model::address::AddressError::Port);
        ui.colored_label(theme::palette(ui).danger, why);
    }
}

/// As it is typed: megabytes with a fraction, nothing for no limit.
pub fn megabytes(bytes: u64) -> String {
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

fn at_once(ui: &mut Ui, scope: &mut Scope, settings: &Settings) {
    let texts = scope.texts;
    let about = texts.set_at_once;
    row(ui, about, texts.set_at_once_hint, |ui, _label| {
        let words = [1_u32, 2, 3, 5, 10].map(|count| (count, count.to_string()));
        let all = words
            .each_ref()
            .map(|(count, word)| (*count, word.as_str()));
        if let Some(at_once) = segmented(ui, about, settings.at_once, &all) {
            scope.want(Want::SetAtOnce(at_once));
        }
    });
}
