//! Offers that wait for an answer: a list above everything else, never a stack of dialogs.

use std::collections::HashMap;

use egui::Ui;
use lucide_icons::Icon;

use super::{Scope, Want};
use crate::engine::{Answer, Existing, Offer};
use crate::gui::format::size;
use crate::gui::{theme, widgets};
use crate::model::{OnConflict, TransferId};

/// What the person has chosen in offers that are not answered yet.
#[derive(Default)]
pub struct OfferPanel {
    chosen: HashMap<TransferId, OnConflict>,
}

pub fn offers_ui(ui: &mut Ui, scope: &mut Scope, offers: &[Offer], panel: &mut OfferPanel) {
    panel
        .chosen
        .retain(|id, _| offers.iter().any(|offer| offer.transfer == *id));
    for offer in offers {
        ui.push_id(offer.transfer, |ui| {
            let drawn = ui.scope(|ui| widgets::card(ui, |ui| offer_ui(ui, scope, offer, panel)));
            widgets::outline(ui, drawn.response.rect);
        });
        ui.add_space(theme::SECTION);
    }
}

fn offer_ui(ui: &mut Ui, scope: &mut Scope, offer: &Offer, panel: &mut OfferPanel) {
    let texts = scope.texts;
    let palette = theme::palette(ui);
    ui.horizontal_top(|ui| {
        widgets::tile(ui, Icon::Download, palette.link);
        ui.add_space(theme::GAP);
        ui.vertical(|ui| {
            ui.horizontal_wrapped(|ui| {
                ui.label(widgets::title(&(texts.offer_title)(
                    offer.from.name.as_str(),
                )));
                if offer.from.trust.is_verified() {
                    widgets::badge(ui, texts.offer_proven, palette.ok, palette.ok_soft);
                }
                let address = offer.from.address.as_str();
                let host = address
                    .rsplit_once(':')
                    .map_or(address, |(host, _port)| host);
                ui.label(widgets::muted(ui, host));
            });
            let mut what = format!("{} · {}", (texts.items)(offer.entries), size(offer.bytes));
            if offer.counting {
                what = format!("{what} · {}", texts.counting);
            }
            ui.label(widgets::strong(what));
            for name in &offer.names {
                let width = ui.available_width();
                widgets::name_label(ui, name, theme::body_font(), palette.text, width);
            }
            let more = offer.picked.saturating_sub(offer.names.len() as u64);
            if more > 0 {
                ui.label(widgets::muted(ui, (texts.offer_more)(more)));
            }
            let folder = crate::model::displayable(&offer.folder.to_string_lossy());
            ui.horizontal_wrapped(|ui| {
                ui.label(widgets::muted(ui, (texts.offer_into)(&folder)));
                if let Some(free) = offer.free_bytes {
                    let shown = size(free);
                    if free < offer.bytes {
                        ui.colored_label(palette.danger, (texts.offer_no_room)(&shown));
                    } else {
                        ui.label(widgets::muted(
                            ui,
                            format!("· {}", (texts.offer_free)(&shown)),
                        ));
                    }
                }
                if widgets::link(ui, texts.offer_change).clicked() {
                    scope.want(Want::PickOfferFolder(offer.transfer));
                }
            });
            let existing = offer.existing.as_deref();
            if let Some(existing) = existing.filter(|existing| existing.picked > 0) {
                conflicts_ui(ui, scope, offer, existing, panel);
            }
            ui.add_space(theme::GRID);
            ui.horizontal(|ui| {
                if widgets::primary(ui, true, texts.accept).clicked() {
                    let answer = Answer::Accept {
                        folder: None,
                        on_conflict: panel.chosen.get(&offer.transfer).copied(),
                        remember: false,
                    };
                    scope.want(Want::Answer(offer.transfer, answer));
                }
                if widgets::button(ui, texts.decline).clicked() {
                    scope.want(Want::Answer(offer.transfer, Answer::Decline));
                }
            });
        });
    });
}

/// What is there already, and what is to happen with it.
fn conflicts_ui(
    ui: &mut Ui,
    scope: &mut Scope,
    offer: &Offer,
    existing: &Existing,
    panel: &mut OfferPanel,
) {
    let texts = scope.texts;
    ui.add_space(theme::GRID);
    ui.label(widgets::strong((texts.offer_exists)(existing)));
    let chosen = panel.chosen.get(&offer.transfer).copied();
    let chosen = chosen.unwrap_or(offer.on_conflict);
    // Only a folder can be put beside one that is there.
    let folders = existing.same_names + existing.new > existing.picked
        || existing.same_names < existing.picked
        || chosen == OnConflict::Separate;
    ui.horizontal_wrapped(|ui| {
        for rule in [
            OnConflict::Rename,
            OnConflict::Newer,
            OnConflict::Replace,
            OnConflict::Skip,
            OnConflict::Separate,
        ] {
            if rule == OnConflict::Separate && !folders {
                continue;
            }
            if widgets::choice(ui, rule == chosen, (texts.on_conflict)(rule)) {
                panel.chosen.insert(offer.transfer, rule);
            }
        }
    });
    let hint = (texts.on_conflict_hint)(chosen);
    ui.label(widgets::muted(ui, hint).size(theme::SMALL));
}
