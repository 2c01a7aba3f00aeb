//! Receive, the server panel: one switch, and what others need to reach this device.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use egui::{Align, Layout, RichText, Ui, vec2};
use lucide_icons::Icon;

use super::doctor::firewall_ui;
use super::{Scope, Want};
use crate::engine::{Command, ListenError, Listening};
use crate::gui::format::{link_of, size};
use crate::gui::view::{Server, View};
use crate::gui::{theme, widgets};
use crate::model::{Allow, Bond, Finding, Severity};

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
    let status = match &view.server {
        Server::On(_) => Some(how_on(scope, palette, view, allow)),
        // The panel itself says it.
        Server::Starting | Server::Off | Server::Failed(_) => None,
    };
    let gap = ui.spacing().item_spacing.x;
    let words = |text| widgets::text_width(ui, text) + theme::SMALL + gap * 2.0;
    // Its letters are larger.
    let title = widgets::text_width(ui, texts.receive) + theme::SECTION;
    let all = title + theme::SWITCH.x + status.map_or(0.0, |(text, _)| words(text));
    let beside = all <= ui.available_width();
    let say = |ui: &mut Ui| {
        if let Some((text, color)) = status {
            status_dot(ui, color);
            ui.colored_label(color, text);
        }
    };
    widgets::ends(
        ui,
        theme::SWITCH.x,
        |ui| {
            ui.label(widgets::title(texts.receive));
            if beside {
                say(ui);
            }
        },
        |ui| {
            if widgets::switch(ui, on, texts.receive_switch).clicked() {
                scope.want(if on { Want::SwitchOff } else { Want::SwitchOn });
            }
        },
    );
    if !beside && status.is_some() {
        widgets::flow(ui, say);
    }
    ui.add_space(theme::GRID);
    match &view.server {
        Server::Off => off(ui, (texts.receive_off_title, texts.receive_off)),
        Server::Starting => off(ui, (texts.receive_starting, texts.receive_soon)),
        Server::Failed(error) => failed(ui, scope, error),
        Server::On(listening) => {
            match allow {
                Allow::Anyone | Allow::Code => code(ui, scope, view, panel),
                Allow::Paired => no_code(ui, scope, view),
            }
            firewall_ui(ui, scope, &view.firewall);
            ui.add_space(theme::GRID);
            addresses(ui, scope, listening, panel);
            folder(ui, scope, listening, view.free_bytes);
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

/// In the colour of a warning while it is on in vain.
fn how_on(
    scope: &Scope,
    palette: &theme::Palette,
    view: &View,
    allow: Allow,
) -> (&'static str, egui::Color32) {
    let texts = scope.texts;
    let blocked = |finding: &Finding| finding.severity() == Severity::Problem;
    let word = match allow {
        _any if view.firewall.iter().any(blocked) => texts.receive_blocked,
        Allow::Paired if !anybody_known(view) => texts.receive_nobody,
        Allow::Anyone | Allow::Code if view.code_rests => texts.receive_no_code,
        Allow::Anyone | Allow::Code | Allow::Paired => return (texts.receive_on, palette.ok),
    };
    (word, palette.warn)
}

fn anybody_known(view: &View) -> bool {
    let mut devices = view.devices.iter();
    devices.any(|device| device.bond == Bond::Paired)
}

/// Why it could not be switched on, and the ways out.
fn failed(ui: &mut Ui, scope: &mut Scope, error: &ListenError) {
    let texts = scope.texts;
    let palette = theme::palette(ui);
    widgets::inset(ui, palette.danger_soft, |ui| {
        let sentence = (texts.listen_error)(error);
        widgets::sentence(ui, Icon::CircleAlert, palette.danger, &sentence);
    });
    ui.horizontal_wrapped(|ui| {
        if widgets::button(ui, texts.try_again).clicked() {
            scope.want(Want::SwitchOn);
        }
        let way_out = match error {
            ListenError::PortTaken { .. } | ListenError::PortForbidden { .. } => {
                Some((texts.change_port, Want::OpenNetwork))
            }
            ListenError::Folder { .. } => Some((texts.change_folder, Want::PickSaveFolder)),
            ListenError::AddressNotHere { .. } | ListenError::Other { .. } => None,
        };
        if let Some((words, want)) = way_out
            && widgets::button(ui, words).clicked()
        {
            scope.want(want);
        }
    });
}

fn off(ui: &mut Ui, (title, words): (&str, &str)) {
    let palette = theme::palette(ui);
    widgets::inset(ui, palette.inset, |ui| {
        ui.horizontal(|ui| {
            if ui.available_width() >= theme::ICON_FROM {
                ui.label(widgets::icon(Icon::Download, palette.muted).size(theme::HUGE));
                ui.add_space(theme::GAP);
            }
            ui.vertical(|ui| {
                ui.label(widgets::strong(title));
                let words = widgets::muted(ui, words);
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
                let words = widgets::buttons_width(ui, [texts.copy, toggle]);
                words + widgets::icon_button_width() + theme::GAP
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
                let size = match ui.available_width() >= theme::CODE_WIDTH {
                    true => theme::HUGE,
                    false => theme::LARGE,
                };
                let big = RichText::new(shown).font(theme::strong_font(size));
                ui.add(egui::Label::new(big.color(color)).extend());
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
            widgets::sentence(ui, Icon::TriangleAlert, palette.warn, texts.code_rests);
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
    let (symbol, color, words) = match anybody_known(view) {
        true => (Icon::Laptop, palette.muted, texts.only_known),
        false => (Icon::TriangleAlert, palette.warn, texts.only_known_nobody),
    };
    widgets::inset(ui, palette.inset, |ui| {
        ui.horizontal_top(|ui| {
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

/// A label in its column, then whatever belongs to it; a narrow window has them one above the other.
fn line(ui: &mut Ui, words: &str, content: impl FnOnce(&mut Ui)) {
    if is_stacked(ui) {
        if !words.is_empty() {
            ui.label(widgets::muted(ui, words));
        }
        widgets::flow(ui, content);
        ui.add_space(theme::GRID);
        return;
    }
    let size = vec2(ui.available_width(), theme::ROW_HEIGHT);
    ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| {
        label(ui, words, theme::ROW_HEIGHT);
        content(ui);
    });
}

/// There is no room for a column of labels.
fn is_stacked(ui: &Ui) -> bool {
    ui.available_width() < theme::BESIDE_NAME_FROM
}

/// Links at the end of a line, in the order of the eye. Gives the number of the one that was clicked.
fn at_the_end<const N: usize>(ui: &mut Ui, words: [(&str, &str); N]) -> Option<usize> {
    let gap = ui.spacing().item_spacing.x;
    let widths = words.map(|(word, _)| widgets::link_width(ui, word) + gap);
    let width = widths.iter().sum::<f32>() - gap;
    if !ui.layout().main_wrap() {
        ui.add_space((ui.available_width() - width).max(0.0));
    }
    let mut clicked = None;
    for (index, (word, hint)) in words.into_iter().enumerate() {
        let response = widgets::link(ui, word);
        let response = match hint.is_empty() {
            true => response,
            false => response.on_hover_text(hint),
        };
        if response.clicked() {
            clicked = Some(index);
        }
    }
    clicked
}

fn addresses(ui: &mut Ui, scope: &mut Scope, listening: &Listening, panel: &mut ReceivePanel) {
    let texts = scope.texts;
    let palette = theme::palette(ui);
    let port = listening.addr.port();
    let shown = |ip: &IpAddr| SocketAddr::new(*ip, port).to_string();
    let mut copy = |ui: &mut Ui, ip: &IpAddr| {
        if at_the_end(ui, [(texts.copy, texts.copy_link_hint)]).is_some() {
            scope.want(Want::Copy(link_of(listening, *ip)));
        }
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
        let moved = RichText::new((texts.port_moved)(port)).color(palette.warn);
        let moved = egui::Label::new(moved).wrap();
        if is_stacked(ui) {
            ui.add(moved);
        } else {
            // Below the address, which it is about.
            ui.horizontal_top(|ui| {
                ui.add_space(theme::LABEL_COLUMN + ui.spacing().item_spacing.x);
                ui.add(moved);
            });
        }
    }
}

fn folder(ui: &mut Ui, scope: &mut Scope, listening: &Listening, free_bytes: Option<u64>) {
    let texts = scope.texts;
    let palette = theme::palette(ui);
    let folder = listening.save_folder.clone();
    let stacked = is_stacked(ui);
    line(ui, texts.save_to, |ui| {
        let gap = ui.spacing().item_spacing.x;
        let between = theme::GRID;
        let links = [texts.change, texts.open];
        let links_width: f32 = links
            .map(|word| widgets::link_width(ui, word) + gap)
            .iter()
            .sum();
        let free = free_bytes.map(|free| format!("· {}", (texts.offer_free)(&size(free))));
        let free_width = free
            .as_deref()
            .map_or(0.0, |free| widgets::text_width(ui, free) + between);
        let all = ui.max_rect().right() - ui.cursor().left();
        let room = match stacked {
            true => all,
            false => all - links_width,
        };
        let font = theme::body_font();
        // It is there to be seen before its name is cut for that.
        let fits = |name: &str| widgets::text_width(ui, name) + free_width <= room;
        let [name, shortest] = short_paths(&folder);
        let name = if stacked || fits(&name) {
            name
        } else {
            shortest
        };
        let free = free.filter(|_| stacked || fits(&name));
        let full = crate::model::displayable(&folder.to_string_lossy());
        ui.spacing_mut().item_spacing.x = between;
        widgets::name_label(ui, &name, font, palette.text, room).on_hover_text(full);
        if let Some(free) = free {
            ui.label(widgets::muted(ui, free));
        }
        ui.spacing_mut().item_spacing.x = gap;
        match at_the_end(ui, links.map(|word| (word, ""))) {
            Some(0) => scope.want(Want::PickSaveFolder),
            Some(_) => scope.want(Want::Engine(Command::Open(folder.clone()))),
            None => {}
        }
    });
}

/// The last two folders, and the last one alone: `Downloads / Ropeway`.
fn short_paths(folder: &Path) -> [String; 2] {
    let mut last = folder
        .iter()
        .rev()
        .take(2)
        .map(|part| part.to_string_lossy());
    let (name, above) = match (last.next(), last.next()) {
        (Some(name), above) => (name, above),
        (None, _) => (folder.to_string_lossy(), None),
    };
    let above = above.filter(|above| above != std::path::MAIN_SEPARATOR_STR);
    let both = above.map_or_else(|| name.to_string(), |above| format!("{above} / {name}"));
    [both, name.into_owned()].map(|shown| crate::model::displayable(&shown))
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
            // The name gives way, not what it is doing.
            ui.spacing_mut().item_spacing.x = theme::GRID;
            let rest = ui.available_width() - widgets::text_width(ui, &doing) - theme::GRID;
            let width = match ui.layout().main_wrap() {
                true => ui.max_rect().width(),
                false => rest,
            };
            let name = client.peer.name.as_str();
            widgets::name_label(ui, name, theme::body_font(), palette.text, width)
                .on_hover_text(&client.peer.address);
            ui.label(widgets::muted(ui, doing));
        });
    }
}
