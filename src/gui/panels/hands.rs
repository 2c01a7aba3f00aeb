//! Settings about closing, notifications and the size of text.

use egui::Ui;
use lucide_icons::Icon;

use super::settings::rows::{between, row};
use super::{Scope, Want};
use crate::gui::widgets::segmented;
use crate::gui::{keys, widgets};
use crate::settings::{OnClose, Settings};

pub fn text_size_ui(ui: &mut Ui, scope: &mut Scope, settings: &Settings) {
    let words = &scope.texts.hands;
    let hint = scope.texts.set.text_size_hint;
    row(ui, words.set_text_size, hint, |ui, _label| {
        let percent = settings.zoom_percent;
        if widgets::icon_button(ui, Icon::Minus, words.smaller).clicked() {
            let smaller = percent.saturating_sub(keys::ZOOM_STEP);
            scope.want(Want::SetZoom(smaller.max(*keys::ZOOM.start())));
        }
        ui.label(format!("{percent} %"));
        if widgets::icon_button(ui, Icon::Plus, words.larger).clicked() {
            let larger = percent.saturating_add(keys::ZOOM_STEP);
            scope.want(Want::SetZoom(larger.min(*keys::ZOOM.end())));
        }
    });
}

pub fn background_ui(ui: &mut Ui, scope: &mut Scope, settings: &Settings) {
    let words = &scope.texts.hands;
    row(ui, words.set_notify, words.set_notify_hint, |ui, _label| {
        if widgets::switch(ui, settings.notify, words.set_notify).clicked() {
            scope.want(Want::SetNotify(!settings.notify));
        }
    });
    between(ui);
    row(ui, words.set_close, words.set_close_hint, |ui, _label| {
        let all = [
            (OnClose::Ask, words.set_close_ask),
            (OnClose::Background, words.set_close_hide),
            (OnClose::Quit, words.set_close_quit),
        ];
        if let Some(on_close) = segmented(ui, words.set_close, settings.on_close, &all) {
            scope.want(Want::SetOnClose(on_close));
        }
    });
}
