//! The top line: the mark, this device's name (editable in place), settings.

use egui::{Align, Key, Layout, TextEdit, Ui};
use lucide_icons::Icon;

use super::{Scope, Want};
use crate::gui::{theme, widgets};
use crate::model::DeviceName;

/// The name while it is being edited.
#[derive(Default)]
pub struct NameEditor {
    text: Option<String>,
}

/// The way to conversations and back.
pub struct TalksButton {
    pub unread: usize,
    pub open: bool,
}

pub fn header_ui(
    ui: &mut Ui,
    scope: &mut Scope,
    name: &str,
    talks: TalksButton,
    editor: &mut NameEditor,
) {
    let palette = theme::palette(ui);
    ui.horizontal(|ui| {
        ui.label(widgets::icon(Icon::CableCar, palette.link).size(theme::LARGE));
        ui.label(widgets::title("Ropeway"));
        ui.add_space(theme::GAP);
        match &mut editor.text {
            None => {
                ui.label(widgets::muted(ui, scope.texts.this_device));
                ui.label(widgets::strong(name));
                if widgets::icon_button(ui, Icon::Pencil, scope.texts.rename).clicked() {
                    editor.text = Some(name.to_owned());
                }
            }
            Some(text) => {
                let field = TextEdit::singleline(text)
                    .desired_width(theme::NAME_WIDTH)
                    .char_limit(DeviceName::MAX_CHARS)
                    .align(egui::Align2::LEFT_CENTER);
                let response = ui.add(field);
                widgets::named(
                    &response,
                    egui::accesskit::Role::TextInput,
                    scope.texts.rename,
                );
                let left = response.lost_focus();
                let escaped = ui.input(|input| input.key_pressed(Key::Escape));
                if left {
                    let new = text.trim().to_owned();
                    editor.text = None;
                    if !escaped && !new.is_empty() && new != name {
                        scope.want(Want::Rename(new));
                    }
                } else if !response.has_focus() {
                    response.request_focus();
                }
            }
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if widgets::icon_button(ui, Icon::Settings, scope.texts.settings).clicked() {
                scope.want(Want::OpenSettings);
            }
            let texts = scope.texts;
            let response = match (talks.open, talks.unread) {
                (true, _) => widgets::button(ui, texts.transfers),
                (false, 0) => widgets::button(ui, texts.talks),
                (false, unread) => widgets::counted_button(ui, texts.talks, unread),
            };
            if response.on_hover_text("Ctrl+Shift+M").clicked() {
                scope.want(match talks.open {
                    true => Want::ShowTransfers,
                    false => Want::OpenTalks,
                });
            }
            let help = scope.texts.hands.keys_title;
            let help = widgets::icon_button(ui, Icon::CircleQuestionMark, help);
            if help.on_hover_text("F1").clicked() {
                scope.want(Want::OpenHelp);
            }
        });
    });
}
