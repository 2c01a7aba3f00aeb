//! The symbols that two people compare, and the sender's question about them.

use egui::{Context, Ui};

use super::{Scope, Want};
use crate::gui::symbols::icon;
use crate::gui::texts::Texts;
use crate::gui::view::View;
use crate::gui::{theme, widgets};
use crate::model::Symbols;

/// `Fish · Key · Cloud · Tree`, in the person's language.
pub fn words(texts: &Texts, symbols: &Symbols) -> String {
    symbols.0.map(texts.symbol).join(" · ")
}

pub fn pictures_ui(ui: &mut Ui, texts: &Texts, symbols: &Symbols) {
    let pictures = symbols.0.map(|one| (icon(one), (texts.symbol)(one)));
    widgets::pictures(ui, pictures, &words(texts, symbols));
}

/// Asks about one transfer after the other. Only an answer ends it: a click beside it would be
/// none, and Escape is a no.
pub fn symbols_question_ui(context: &Context, scope: &mut Scope, view: &View) {
    let Some((transfer, symbols)) = &view.questions.first() else {
        return;
    };
    let texts = scope.texts;
    let peer = view.receiver(*transfer);
    let mut answer = None;
    let escaped = widgets::firm_dialog(context, "symbols", |ui| {
        ui.label(widgets::title(texts.symbols_question));
        ui.add_space(theme::SECTION);
        pictures_ui(ui, texts, symbols);
        ui.add_space(theme::SECTION);
        if let Some(peer) = peer {
            let hint = (texts.symbols_hint)(peer);
            ui.label(widgets::muted(ui, hint));
            ui.add_space(theme::SECTION);
        }
        // From the right. Neither has the keyboard: Enter may still be meant for what was typed.
        widgets::answers(ui, |ui| {
            if widgets::primary(ui, true, texts.symbols_yes).clicked() {
                answer = Some(true);
            }
            if widgets::button(ui, texts.symbols_no).clicked() {
                answer = Some(false);
            }
        });
    });
    if escaped {
        answer = Some(false);
    }
    if let Some(same) = answer {
        scope.want(Want::Confirm(*transfer, same));
    }
}
