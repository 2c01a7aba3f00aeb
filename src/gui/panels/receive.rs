//! Receive, the server panel: one switch, and what others need to reach this device.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use egui::{Align, Layout, RichText, Ui, vec2};
use lucide_icons::Icon;

use super::doctor::firewall_ui;
use super::{Scope, Want};
use crate::engine::{Command, Listening};
use crate::gui::format::link_of;
use crate::gui::view::{Server, View};
use crate::gui::{theme, widgets};
use crate::model::{Allow, Bond};

/// What the panel keeps between frames.
#[derive(Default)]
pub struct ReceivePanel {
    code_hidden: bool,
    all_addresses: bool,
    /// Its switch takes the keyboard at the first frame, so that Space is the first thing to press.
    pub switched_by_key: bool,
}

pub fn receive_ui(
    ui: &mut Ui,
    scope: &mut Scope,
    view: &View,
    allow: Allow,
    panel: &mut ReceivePanel,
) {
    let texts = scope.texts;
    let palette = theme::palette(ui);
    let on = matches!(view.server, Server::On(_) | Server::Starting);
    ui.horizontal(|ui| {
        ui.label(widgets::title(texts.receive));
        match &view.server {
            Server::On(_) => {
                status_dot(ui, palette.ok);
                ui.colored_label(palette.ok, texts.receive_on);
            }
            Server::Starting => {
                ui.label(widgets::muted(ui, texts.receive_starting));
            }
            Server::Off | Server::Failed(_) => {}
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if widgets::switch(ui, on, texts.receive_switch).clicked() {
                scope.want(if on { Want::SwitchOff } else { Want::SwitchOn });
            }
        });
    });
    ui.add_space(theme::GRID);
    match &view.server {
        Server::Off => off(ui, scope),
        Server::Starting => {}
        Server::Failed(error) => {
            widgets::inset(ui, palette.danger_soft, |ui| {
                ui.colored_label(palette.danger, (texts.listen_error)(error));
            });
            if widgets::button(ui, texts.try_again).clicked() {
                scope.want(Want::SwitchOn);
            }
        }
        Server::On(listening) => {
            match allow {
                Allow::Anyone | Allow::Code => code(ui, scope, view, panel),
                Allow::Paired => no_code(ui, scope, view),
            }
            firewall_ui(ui, scope, &view.firewall);
            ui.add_space(theme::GRID);
            addresses(ui, scope, listening, panel);
            folder(ui, scope, listening);
            who_may(ui, scope, allow);
            clients(ui, scope, view);
        }
    }
}

fn status_dot(ui: &mut Ui, color: egui::Color32) {
    let (rect, _) = ui.allocate_exact_size(vec2(theme::SMALL, theme::SMALL), egui::Sense::hover());
    ui.painter()
        .circle_filled(rect.center(), theme::STATUS_DOT, color);
}

fn off(ui: &mut Ui, scope: &Scope) {
    let palette = theme::palette(ui);
    widgets::inset(ui, palette.inset, |ui| {
        ui.horizontal(|ui| {
            ui.label(widgets::icon(Icon::Download, palette.muted).size(theme::HUGE));
            ui.add_space(theme::GAP);
            ui.vertical(|ui| {
                ui.label(widgets::strong(scope.texts.receive_off_title));
                let words = widgets::muted(ui, scope.texts.receive_off);
                ui.add(egui::Label::new(words).wrap());
            });
        });
    });
}

fn code(ui: &mut Ui, scope: &mut Scope, view: &View, panel: &mut ReceivePanel) {
    let texts = scope.texts;
    let palette = theme::palette(ui);
    let Some(code) = &view.code else { return };
    let rests = view.code_rests;
    let (fill, front) = match rests {
        true => (palette.warn_soft, palette.warn),
        false => (palette.inset, palette.muted),
    };
    let small = |text: &str| RichText::new(text).small().color(front);
    let shown = match panel.code_hidden || rests {
        true => "••• •••".to_owned(),
        false => code.grouped(),
    };
    let toggle = match panel.code_hidden {
        true => texts.show,
        false => texts.hide,
    };
    let mut buttons = |ui: &mut Ui| {
        if rests {
            if widgets::primary(ui, true, texts.new_code).clicked() {
                scope.want(Want::Engine(Command::NewCode));
            }
            return;
        }
        if widgets::button(ui, texts.copy).clicked() {
            scope.want(Want::Copy(code.digits().to_owned()));
        }
        if widgets::button(ui, toggle).clicked() {
            panel.code_hidden = !panel.code_hidden;
        }
        if widgets::icon_button(ui, Icon::RefreshCw, texts.new_code).clicked() {
            scope.want(Want::Engine(Command::NewCode));
        }
    };
    widgets::inset(ui, fill, |ui| {
        let width = match rests {
            true => widgets::primary_width(ui, texts.new_code),
            false => {
                let words =
                    [texts.copy, toggle].map(|word| widgets::counted_button_width(ui, word, 0));
                words.iter().sum::<f32>() + widgets::icon_button_width() + theme::GAP * 2.0
            }
        };
        let room = ui.available_width() - width - theme::CODE_WIDTH;
        let beside = room >= 0.0;
        let hint_beside = room >= theme::HINT_LEAST;
        ui.horizontal(|ui| {
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing.y = theme::GRID / 2.0;
                ui.label(small(texts.pairing_code));
                let color = if rests { palette.warn } else { palette.text };
                let big = RichText::new(shown).font(theme::strong_font(theme::HUGE));
                ui.label(big.color(color));
                if !hint_beside && !rests {
                    ui.label(small(texts.code_once));
                }
            });
            if hint_beside && !rests {
                ui.add_space(theme::GAP);
                ui.label(small(texts.code_once));
            }
            if beside {
                let rest = ui.available_width() - width;
                ui.add_space(rest.max(0.0));
                buttons(ui);
            }
        });
        if !beside {
            ui.horizontal_wrapped(&mut buttons);
        }
        if rests {
            let why = RichText::new(texts.code_rests).color(palette.warn);
            ui.add(egui::Label::new(why).wrap());
        }
    });
    let wrong = view.wrong_code.filter(|_| !rests);
    let wrong = wrong.map(|(from, left)| (texts.wrong_code)(from, left));
    let sentence = wrong.or_else(|| view.must_wait.map(texts.must_wait));
    if let Some(sentence) = sentence {
        widgets::sentence(ui, Icon::TriangleAlert, palette.warn, &sentence);
    }
}

/// Where a code would be of no use.
fn no_code(ui: &mut Ui, scope: &Scope, view: &View) {
    let texts = scope.texts;
    let palette = theme::palette(ui);
    let anybody = view
        .devices
        .iter()
        .any(|device| device.bond == Bond::Paired);
    let (symbol, color, words) = match anybody {
        true => (Icon::Laptop, palette.muted, texts.only_known),
        false => (Icon::TriangleAlert, palette.warn, texts.only_known_nobody),
    };
    widgets::inset(ui, palette.inset, |ui| {
        ui.horizontal(|ui| {
            ui.label(widgets::icon(symbol, color));
            ui.add(egui::Label::new(widgets::muted(ui, words)).wrap());
        });
    });
}

/// Who gets as far as an offer.
fn who_may(ui: &mut Ui, scope: &mut Scope, allow: Allow) {
    let texts = scope.texts;
    let all = [Allow::Anyone, Allow::Code, Allow::Paired].map(|one| (one, (texts.allow)(one)));
    ui.horizontal(|ui| {
        let beside = ui.available_width() >= theme::LABELS_FROM;
        if beside {
            label(ui, texts.who_may, theme::CONTROL_HEIGHT);
        }
        ui.vertical(|ui| {
            if !beside {
                ui.label(widgets::muted(ui, texts.who_may));
            }
            if let Some(one) = widgets::segmented(ui, texts.who_may, allow, &all)
                && one != allow
            {
                scope.want(Want::SetAllow(one));
            }
        });
    });
}

/// What stands in the first column.
fn label(ui: &mut Ui, text: &str, height: f32) {
    let column = vec2(theme::LABEL_COLUMN, height);
    let text = widgets::muted(ui, text);
    ui.allocate_ui_with_layout(column, Layout::left_to_right(Align::Center), |ui| {
        ui.set_width(theme::LABEL_COLUMN);
        ui.label(text);
    });
}

/// A label in its column, then whatever belongs to it.
fn line(ui: &mut Ui, words: &str, content: impl FnOnce(&mut Ui)) {
    let size = vec2(ui.available_width(), theme::ROW_HEIGHT);
    ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| {
        label(ui, words, theme::ROW_HEIGHT);
        content(ui);
    });
}

fn addresses(ui: &mut Ui, scope: &mut Scope, listening: &Listening, panel: &mut ReceivePanel) {
    let texts = scope.texts;
    let palette = theme::palette(ui);
    let port = listening.addr.port();
    let shown = |ip: &IpAddr| SocketAddr::new(*ip, port).to_string();
    let mut copy = |ui: &mut Ui, ip: &IpAddr| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let response = widgets::link(ui, texts.copy).on_hover_text(texts.copy_link_hint);
            if response.clicked() {
                scope.want(Want::Copy(link_of(listening, *ip)));
            }
        });
    };
    let mut all = listening.addresses.iter();
    let Some(first) = all.next() else { return };
    line(ui, texts.addresses, |ui| {
        ui.label(widgets::strong(shown(first)));
        if all.len() > 0 {
            let word = if panel.all_addresses {
                texts.fewer
            } else {
                texts.more
            };
            if widgets::link(ui, word).clicked() {
                panel.all_addresses = !panel.all_addresses;
            }
        }
        copy(ui, first);
    });
    if panel.all_addresses {
        for address in all {
            line(ui, "", |ui| {
                ui.label(shown(address));
                copy(ui, address);
            });
        }
    }
    if listening.port_moved {
        ui.colored_label(palette.warn, (texts.port_moved)(port));
    }
}

fn folder(ui: &mut Ui, scope: &mut Scope, listening: &Listening) {
    let texts = scope.texts;
    let palette = theme::palette(ui);
    let folder = listening.save_folder.clone();
    line(ui, texts.save_to, |ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if widgets::link(ui, texts.open).clicked() {
                scope.want(Want::Engine(Command::Open(folder.clone())));
            }
            if widgets::link(ui, texts.change).clicked() {
                scope.want(Want::PickSaveFolder);
            }
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                let width = ui.available_width();
                let font = theme::body_font();
                let full = crate::model::displayable(&folder.to_string_lossy());
                widgets::name_label(ui, &short_path(&folder), font, palette.text, width)
                    .on_hover_text(full);
            });
        });
    });
}

/// The last two folders: `Downloads / Ropeway`.
fn short_path(folder: &Path) -> String {
    let mut last = folder
        .iter()
        .rev()
        .take(2)
        .map(|part| part.to_string_lossy());
    let (Some(name), above) = (last.next(), last.next()) else {
        return folder.to_string_lossy().into_owned();
    };
    let shown = match above {
        Some(above) if above != std::path::MAIN_SEPARATOR_STR => format!("{above} / {name}"),
        Some(_) | None => name.into_owned(),
    };
    crate::model::displayable(&shown)
}

fn clients(ui: &mut Ui, scope: &Scope, view: &View) {
    let texts = scope.texts;
    let palette = theme::palette(ui);
    if view.clients.is_empty() {
        line(ui, texts.connected, |ui| {
            ui.label(widgets::muted(ui, texts.nobody));
        });
    }
    for (index, client) in view.clients.iter().enumerate() {
        let label = if index == 0 { texts.connected } else { "" };
        line(ui, label, |ui| {
            let doing = format!("· {}", (texts.doing)(client.doing));
            let said =
                ui.painter()
                    .layout_no_wrap(doing.clone(), theme::body_font(), palette.muted);
            // The name gives way, not what it is doing.
            let width = ui.available_width() - said.size().x - theme::GAP;
            let name = client.peer.name.as_str();
            widgets::name_label(ui, name, theme::body_font(), palette.text, width)
                .on_hover_text(&client.peer.address);
            ui.label(widgets::muted(ui, doing));
        });
    }
}
