//! The devices to choose from, and the field for an address beside them.

use egui::{ScrollArea, TextEdit, Ui};
use lucide_icons::Icon;

use super::destination::{Around, DestinationPanel, look_ui};
use super::{Scope, Want};
use crate::engine::KnownDevice;
use crate::gui::texts::Texts;
use crate::gui::view::{Card, Draft, Here};
use crate::gui::widgets::Face;
use crate::gui::{theme, widgets};
use crate::model::{Bond, System};

/// Nobody pauses that long within an address.
const LOOK_AFTER_SECONDS: f64 = 0.6;
/// Devices in sight; the others are behind a word.
const MAX_CARDS: usize = 5;

pub fn devices_ui(
    ui: &mut Ui,
    scope: &mut Scope,
    draft: &mut Draft,
    around: &Around,
    panel: &mut DestinationPanel,
) {
    let texts = scope.texts;
    let all: Vec<_> = around.cards.iter().collect();
    widgets::flow(ui, |ui| {
        ui.label(widgets::muted(ui, texts.devices));
        let hidden = all.len().saturating_sub(MAX_CARDS);
        if hidden > 0 {
            let word = match panel.all_devices {
                true => texts.fewer.to_owned(),
                false => (texts.more_devices)(hidden as u64),
            };
            if widgets::link(ui, &word).clicked() {
                panel.all_devices = !panel.all_devices;
            }
        }
        if !around.devices.is_empty() && widgets::link(ui, texts.manage).clicked() {
            scope.want(Want::OpenKnown);
        }
    });
    if all.is_empty() {
        ui.add(egui::Label::new(widgets::muted(ui, texts.nobody_nearby)).wrap());
        if widgets::link(ui, texts.why_nobody).clicked() {
            scope.want(Want::OpenDoctor(None));
        }
    }
    let grid = Grid::of(ui);
    if panel.all_devices {
        ScrollArea::vertical()
            .id_salt("devices")
            .max_height(theme::list_height(ui.ctx()))
            .min_scrolled_height(theme::list_height(ui.ctx()))
            .auto_shrink([false, true])
            .show(ui, |ui| {
                let grid = Grid::of(ui);
                for row in all.chunks(grid.in_a_row) {
                    ui.horizontal(|ui| cards_ui(ui, texts, draft, row, grid.width));
                }
            });
        address_ui(ui, scope, draft, around.devices, panel);
        return;
    }
    // The chosen one stays in sight.
    let chosen = |card: &&&Card| is_chosen(draft, card);
    let mut shown: Vec<_> = all.iter().take(MAX_CARDS).copied().collect();
    if let Some(hidden) = all.iter().skip(MAX_CARDS).find(chosen) {
        shown.pop();
        shown.push(hidden);
    }
    let full = shown.len() / grid.in_a_row * grid.in_a_row;
    let (rows, rest) = shown.split_at(full);
    for row in rows.chunks(grid.in_a_row) {
        ui.horizontal(|ui| cards_ui(ui, texts, draft, row, grid.width));
    }
    // The address has the rest of the last row.
    ui.horizontal(|ui| {
        cards_ui(ui, texts, draft, rest, grid.width);
        address_ui(ui, scope, draft, around.devices, panel);
    });
}

/// How many cards stand side by side, and how wide they are.
struct Grid {
    in_a_row: usize,
    width: f32,
}

impl Grid {
    fn of(ui: &Ui) -> Self {
        let (room, gap) = (ui.available_width(), theme::GAP);
        let in_a_row = ((room + gap) / (theme::DEVICE_WIDTH + gap))
            .floor()
            .max(1.0);
        Self {
            in_a_row: in_a_row as usize,
            width: ((room - gap * (in_a_row - 1.0)) / in_a_row).floor(),
        }
    }
}

pub fn is_chosen(draft: &Draft, card: &Card) -> bool {
    let chosen = draft.chosen.as_ref();
    chosen.is_some_and(|chosen| chosen.id == card.id)
}

fn cards_ui(ui: &mut Ui, texts: &Texts, draft: &mut Draft, cards: &[&Card], width: f32) {
    for card in cards {
        let chosen = is_chosen(draft, card);
        let about = about(texts, card);
        let face = Face {
            symbol: symbol(card.system),
            name: &card.name,
            about: &about,
            faded: card.here != Here::Receiving,
        };
        let response = widgets::device_card(ui, width, chosen, &face);
        if response.clicked() {
            if chosen {
                draft.no_destination();
            } else {
                draft.choose(card);
            }
        }
        let known = card.address.iter().filter(|_| card.places.is_empty());
        let mut lines = vec![card.name.to_string(), about, card.id.short().to_string()];
        lines.extend(card.places.iter().chain(known).cloned());
        response.on_hover_text(lines.join("\n"));
    }
}

pub fn symbol(system: System) -> Icon {
    match system {
        System::Linux | System::Other => Icon::Laptop,
        System::Windows => Icon::Monitor,
        System::MacOs => Icon::LaptopMinimal,
    }
}

/// How it stands with a device, in a few words.
pub fn about(texts: &Texts, card: &Card) -> String {
    let bond = match card.bond {
        Some(Bond::ForgottenThere) => texts.forgotten_there,
        Some(Bond::Paired) => texts.known,
        Some(Bond::Wished | Bond::Blocked) | None => texts.not_known,
    };
    if card.calls {
        return texts.callers.about.to_owned();
    }
    let second = match card.here {
        Here::ReceiveOff if card.is_paired() => texts.receive_is_off.to_owned(),
        Here::ReceiveOff => return texts.receive_is_off.to_owned(),
        Here::Away => texts.not_here.to_owned(),
        Here::Receiving if card.twin => card.id.short(),
        Here::Receiving => match card.system {
            System::Linux => "Linux".to_owned(),
            System::Windows => "Windows".to_owned(),
            System::MacOs => "macOS".to_owned(),
            System::Other => return bond.to_owned(),
        },
    };
    format!("{bond} · {second}")
}

fn address_ui(
    ui: &mut Ui,
    scope: &mut Scope,
    draft: &mut Draft,
    devices: &[KnownDevice],
    panel: &mut DestinationPanel,
) {
    let texts = scope.texts;
    let width = ui.available_width();
    let response = widgets::part(ui, "address", |ui| {
        let field = TextEdit::singleline(&mut draft.address);
        let words = (Icon::Plus, texts.address_label, texts.address_hint);
        widgets::field_card(ui, width, words, field)
    });
    let now = ui.input(|input| input.time);
    if response.changed() {
        panel.address_judged = false;
        panel.edited_at = Some(now);
        draft.edited();
    }
    let left = response.lost_focus();
    panel.address_judged |= left;
    let quiet = panel.edited_at.map(|at| now - at);
    let settled = quiet.is_some_and(|quiet| quiet >= LOOK_AFTER_SECONDS);
    if left || settled || draft.look_now {
        panel.edited_at = None;
        draft.look_now = true;
        look_ui(scope, draft, devices);
    } else if let Some(quiet) = quiet {
        let wait = std::time::Duration::from_secs_f64(LOOK_AFTER_SECONDS - quiet);
        ui.ctx().request_repaint_after(wait);
    }
}
