//! Devices that are not known, cannot reach this one and ask it to connect: whether to let them.

use egui::{Frame, Margin, Ui};
use lucide_icons::Icon;

use super::{Scope, Want};
use crate::engine::{CallStands, Caller, Command};
use crate::gui::view::{Card, Draft, Server, View};
use crate::gui::{theme, widgets};
use crate::model::DeviceId;

/// A line for each, in sight wherever the person has scrolled to. Without a server nobody is let in.
pub fn callers_ui(ui: &mut Ui, scope: &mut Scope, view: &View) {
    if view.callers.is_empty() || !matches!(view.server, Server::On(_)) {
        return;
    }
    let margin = Margin {
        bottom: 0,
        ..Margin::same(theme::window_margin(ui.ctx()))
    };
    Frame::new().inner_margin(margin).show(ui, |ui| {
        for caller in &view.callers {
            ui.push_id(caller.device, |ui| caller_ui(ui, scope, caller));
        }
    });
}

fn caller_ui(ui: &mut Ui, scope: &mut Scope, caller: &Caller) {
    let texts = &scope.texts.callers;
    let palette = theme::palette(ui);
    let name = caller.name.as_str();
    let (sentence, answers): (_, &[_]) = match caller.stands {
        CallStands::Asks => (
            (texts.wants)(name),
            &[(texts.let_connect, true), (texts.not_now, false)],
        ),
        CallStands::Connecting => ((texts.connecting)(name), &[(texts.not_now, false)]),
        CallStands::Failed => (
            (texts.failed)(name),
            &[(texts.try_again, true), (texts.not_now, false)],
        ),
    };
    let ripe = widgets::is_ripe(ui, widgets::Comes::Call(caller.device));
    widgets::inset(ui, palette.accent_soft, |ui| {
        ui.horizontal_wrapped(|ui| {
            ui.label(widgets::icon(Icon::PhoneIncoming, palette.link));
            let sentence = ui.colored_label(palette.text, sentence);
            sentence.on_hover_text((texts.hint)(&caller.device.short()));
            for (word, yes) in answers {
                let response = widgets::button(ui, word);
                // Several may ask, and each has these words.
                let of = name.to_owned();
                ui.ctx().accesskit_node_builder(response.id, |node| {
                    node.set_description(of);
                });
                if widgets::meant_when_ripe(&response, ripe) {
                    let answer = Command::LetConnect(caller.device, *yes);
                    scope.want(Want::Engine(answer));
                }
            }
        });
    });
}

/// The cards of those who ask say so.
pub fn mark(cards: &mut [Card], view: &View) {
    for caller in &view.callers {
        let asks = caller.stands != CallStands::Connecting && matches!(view.server, Server::On(_));
        let mut cards = cards.iter_mut();
        if let Some(card) = cards.find(|card| card.id == caller.device) {
            card.calls = asks;
        }
    }
}

/// Whoever clicks the card of a device that asks lets it connect. One that takes nothing itself is
/// not chosen by that.
pub fn clicked_card(
    scope: &mut Scope,
    draft: &mut Draft,
    cards: &[Card],
    chosen_before: Option<DeviceId>,
) {
    let chosen = draft.chosen.as_ref().map(|chosen| chosen.id);
    let card = cards.iter().find(|card| Some(card.id) == chosen);
    let Some(card) = card.filter(|card| card.calls && chosen_before != chosen) else {
        return;
    };
    scope.want(Want::Engine(Command::LetConnect(card.id, true)));
    if card.out_of_reach() {
        draft.no_destination();
    }
}
