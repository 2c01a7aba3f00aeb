//! Offers that wait for an answer: a list above everything else, never a stack of dialogs.

use std::collections::HashMap;

use egui::{Response, Ui};
use lucide_icons::Icon;

use super::confirm::pictures_ui;
use super::destination::remember_box;
use super::{Scope, Want};
use crate::engine::{Answer, Existing, Offer};
use crate::gui::format::{elide_middle, size};
use crate::gui::widgets::segmented;
use crate::gui::{theme, widgets};
use crate::model::{OnConflict, Peer, Symbols, TransferId, Trust};

/// What the person has chosen in offers that are not answered yet.
#[derive(Default)]
pub struct OfferPanel {
    chosen: HashMap<TransferId, OnConflict>,
    remember: HashMap<TransferId, bool>,
}

pub fn offers_ui(ui: &mut Ui, scope: &mut Scope, offers: &[Offer], panel: &mut OfferPanel) {
    let waits = |id: &TransferId| offers.iter().any(|offer| offer.transfer == *id);
    panel.chosen.retain(|id, _| waits(id));
    panel.remember.retain(|id, _| waits(id));
    for offer in offers {
        ui.push_id(offer.transfer, |ui| {
            let drawn = ui.scope(|ui| widgets::card(ui, |ui| offer_ui(ui, scope, offer, panel)));
            widgets::outline(ui, drawn.response.rect);
        });
        ui.add_space(theme::SECTION);
    }
}

fn offer_ui(ui: &mut Ui, scope: &mut Scope, offer: &Offer, panel: &mut OfferPanel) {
    let palette = theme::palette(ui);
    ui.horizontal_top(|ui| {
        if ui.available_width() >= theme::TILE_FROM {
            widgets::tile(ui, Icon::Download, palette.link);
            ui.add_space(theme::GAP);
        }
        ui.vertical(|ui| {
            let room = ui.available_width();
            match &offer.symbols {
                Some(symbols) if room >= theme::SYMBOLS_BESIDE_FROM => {
                    ui.horizontal_top(|ui| {
                        ui.vertical(|ui| {
                            ui.set_width(room - theme::SYMBOLS_WIDTH - theme::SECTION);
                            thing_ui(ui, scope, offer);
                        });
                        ui.vertical(|ui| symbols_ui(ui, scope, symbols));
                    });
                }
                Some(symbols) => {
                    thing_ui(ui, scope, offer);
                    ui.add_space(theme::GRID);
                    symbols_ui(ui, scope, symbols);
                }
                None => thing_ui(ui, scope, offer),
            }
            if !unconfirmed(offer) {
                let existing = offer.existing.as_deref();
                if let Some(existing) = existing.filter(|existing| existing.picked > 0) {
                    conflicts_ui(ui, scope, offer, existing, panel);
                }
                remember_ui(ui, scope, offer, panel);
            }
            ui.add_space(theme::GRID);
            answers_ui(ui, scope, offer, panel);
        });
    });
}

/// Who wants to send what, and where it would go.
fn thing_ui(ui: &mut Ui, scope: &mut Scope, offer: &Offer) {
    who_ui(ui, scope, offer);
    if unconfirmed(offer) {
        let waits = (scope.texts.offer_unconfirmed)(offer.from.name.as_str());
        ui.label(widgets::muted(ui, waits));
    } else {
        what_ui(ui, scope, offer);
        where_ui(ui, scope, offer);
    }
}

fn symbols_ui(ui: &mut Ui, scope: &Scope, symbols: &Symbols) {
    ui.label(widgets::strong(scope.texts.offer_same));
    pictures_ui(ui, scope.texts, symbols);
}

/// The person there has not said yet that the symbols are the same: nothing is told before.
fn unconfirmed(offer: &Offer) -> bool {
    offer.symbols.is_some() && offer.names.is_empty() && offer.entries == 0
}

fn who_ui(ui: &mut Ui, scope: &Scope, offer: &Offer) {
    let texts = scope.texts;
    let palette = theme::palette(ui);
    ui.horizontal_wrapped(|ui| {
        let title = (texts.offer_title)(offer.from.name.as_str());
        ui.label(widgets::title(&title));
        let (word, front, back) = match offer.from.trust {
            Trust::Known => (texts.known, palette.ok, palette.ok_soft),
            // Verified without a code: both have compared the symbols.
            Trust::Verified => (texts.offer_proven, palette.ok, palette.ok_soft),
            Trust::Asked | Trust::None => {
                (texts.offer_not_verified, palette.warn, palette.warn_soft)
            }
        };
        standing_ui(ui, word, [front, back], &offer.from);
    });
}

/// Behind the title, or together below it: how far somebody is known, and where.
pub fn standing_ui(ui: &mut Ui, word: &str, [front, back]: [egui::Color32; 2], peer: &Peer) {
    let host = host(peer);
    let wide = widgets::badge_width(ui, word) + ui.spacing().item_spacing.x;
    if ui.available_size_before_wrap().x < wide + widgets::text_width(ui, host) {
        ui.end_row();
    }
    widgets::badge(ui, word, front, back);
    ui.label(widgets::muted(ui, host));
}

/// Where a device is; its port says nothing to a person.
fn host(peer: &Peer) -> &str {
    let address = peer.address.as_str();
    let split = address.rsplit_once(':');
    split.map_or(address, |(host, _port)| host)
}

fn what_ui(ui: &mut Ui, scope: &Scope, offer: &Offer) {
    let texts = scope.texts;
    let palette = theme::palette(ui);
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
}

fn where_ui(ui: &mut Ui, scope: &mut Scope, offer: &Offer) {
    let texts = scope.texts;
    let palette = theme::palette(ui);
    let folder = crate::model::displayable(&offer.folder.to_string_lossy());
    let into = (texts.offer_into)(&folder);
    let fits = |free: &u64| *free >= offer.bytes;
    let free = offer.free_bytes.filter(fits);
    let free = free.map(|free| (texts.offer_free)(&size(free)));
    ui.horizontal_wrapped(|ui| {
        let gap = ui.spacing().item_spacing.x;
        let line = ui.available_width();
        let dotted = free.as_deref().map(|free| format!("· {free}"));
        let free_width = dotted
            .as_deref()
            .map(|free| widgets::text_width(ui, free) + gap);
        let rest = widgets::link_width(ui, texts.offer_change) + gap + free_width.unwrap_or(0.0);
        // A line of its own rather than a folder of a few letters.
        let beside = line - rest >= theme::NAME_WIDTH;
        let room = if beside { line - rest } else { line };
        if beside && dotted.is_some() {
            // As close to the dot as what follows it.
            ui.spacing_mut().item_spacing.x = theme::GRID;
        }
        widgets::name_label(ui, &into, theme::body_font(), palette.muted, room);
        ui.spacing_mut().item_spacing.x = gap;
        if !beside {
            ui.end_row();
        }
        if let Some(free) = if beside { dotted } else { free } {
            ui.label(widgets::muted(ui, free));
        }
        if widgets::link(ui, texts.offer_change).clicked() {
            scope.want(Want::PickOfferFolder(offer.transfer));
        }
    });
    if let Some((free, short)) = lacks_room(offer) {
        let sentence = (texts.offer_no_room)(&size(free), &size(short));
        widgets::sentence(ui, Icon::HardDrive, palette.danger, &sentence);
    }
}

/// How much is free, and how much less that is than what would come.
fn lacks_room(offer: &Offer) -> Option<(u64, u64)> {
    let free = offer.free_bytes?;
    let short = offer.bytes.saturating_sub(free);
    (short > 0).then_some((free, short))
}

/// Of a device that is not known yet.
fn remember_ui(ui: &mut Ui, scope: &Scope, offer: &Offer, panel: &mut OfferPanel) {
    let texts = scope.texts;
    if offer.from.trust == Trust::Known || offer.from.device_id.is_none() {
        return;
    }
    ui.horizontal_wrapped(|ui| {
        let remember = panel.remember.entry(offer.transfer).or_default();
        remember_box(ui, texts, remember);
        let about = if offer.remembers {
            (texts.offer_remembers)(offer.from.name.as_str())
        } else if *remember {
            texts.remember_hint.to_owned()
        } else {
            return;
        };
        ui.label(widgets::muted(ui, about));
    });
}

fn answers_ui(ui: &mut Ui, scope: &mut Scope, offer: &Offer, panel: &OfferPanel) {
    let texts = scope.texts;
    let transfer = offer.transfer;
    // It comes up under the pointer, perhaps while somebody clicks.
    let ripe = widgets::is_ripe(ui, widgets::Comes::Offer(transfer));
    let clicked = |response: Response| widgets::meant_when_ripe(&response, ripe);
    ui.horizontal_wrapped(|ui| {
        let accept = match offer.symbols {
            Some(_) => texts.accept_same,
            None => texts.accept,
        };
        // It can be accepted all the same: room may be made while it arrives.
        let elsewhere = lacks_room(offer).is_some() && !unconfirmed(offer);
        if elsewhere && clicked(widgets::primary(ui, true, texts.other_folder)) {
            scope.want(Want::PickOfferFolder(transfer));
        }
        let accepted = match elsewhere {
            true => widgets::button(ui, accept),
            false => widgets::primary(ui, !unconfirmed(offer), accept),
        };
        if clicked(accepted) {
            let answer = Answer::Accept {
                folder: None,
                on_conflict: panel.chosen.get(&transfer).copied(),
                remember: panel.remember.get(&transfer).copied().unwrap_or_default(),
            };
            scope.want(Want::Answer(transfer, answer));
        }
        if clicked(widgets::button(ui, texts.decline)) {
            scope.want(Want::Answer(transfer, Answer::Decline));
        }
        let blockable = offer.from.trust != Trust::Known && offer.from.device_id.is_some();
        if blockable && clicked(widgets::button(ui, texts.block)) {
            scope.want(Want::Block(transfer, offer.from.clone()));
        }
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
    let chosen = panel.chosen.get(&offer.transfer).copied();
    let chosen = chosen.unwrap_or(offer.on_conflict);
    // Only a folder can be put beside one that is there.
    let folders = existing.same_names + existing.new > existing.picked
        || existing.same_names < existing.picked
        || chosen == OnConflict::Separate;
    let all = [
        OnConflict::Rename,
        OnConflict::Newer,
        OnConflict::Replace,
        OnConflict::Skip,
        OnConflict::Separate,
    ];
    let all = all.map(|rule| (rule, (texts.on_conflict)(rule)));
    let possible = if folders { all.len() } else { all.len() - 1 };
    ui.add_space(theme::GRID);
    let palette = theme::palette(ui);
    widgets::inset(ui, palette.inset, |ui| {
        // As short as it stands above: the sentence is about what is said behind it.
        let mut existing = existing.clone();
        let room = ui.available_width() * theme::NAME_SHARE;
        if let Some(name) = existing.names.first_mut() {
            *name = elide_middle(name, |text| widgets::text_width(ui, text) <= room);
        }
        let exists = (texts.offer_exists)(&existing);
        ui.horizontal_top(|ui| {
            ui.label(widgets::icon(Icon::Copy, palette.muted));
            ui.add(egui::Label::new(widgets::strong(exists)).wrap());
        });
        let all = all.get(..possible).unwrap_or(&all);
        if let Some(rule) = segmented(ui, texts.set_conflict, chosen, all) {
            panel.chosen.insert(offer.transfer, rule);
        }
        let hint = (texts.on_conflict_hint)(chosen);
        ui.add(egui::Label::new(widgets::muted(ui, hint).size(theme::SMALL)).wrap());
    });
}
