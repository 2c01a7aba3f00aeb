//! Send, the client panel: pick or drop, say to whom, send.

use std::path::PathBuf;

use egui::accesskit::Role;
use egui::{Align, Layout, RichText, ScrollArea, TextEdit, Ui, vec2};
use lucide_icons::Icon;

use super::destination::{Around, DestinationPanel, Ready, destination_ui, ready};
use super::{Scope, Want};
use crate::gui::format::size;
use crate::gui::view::{Draft, Entry, Here, Pick};
use crate::gui::{keys, theme, widgets};

/// What the panel keeps between frames, besides the draft.
#[derive(Default)]
pub struct SendPanel {
    /// There is no file dialog on this system: a path can be typed instead.
    pub without_dialog: bool,
    /// The end of the list comes into sight.
    pub show_newest: bool,
    path: String,
    destination: DestinationPanel,
}

pub fn send_ui(
    ui: &mut Ui,
    scope: &mut Scope,
    draft: &mut Draft,
    around: &Around,
    panel: &mut SendPanel,
) {
    let texts = scope.texts;
    let picked = !draft.picks.is_empty();
    let clear = widgets::link_width(ui, texts.clear_list);
    let mut cleared = false;
    widgets::ends(
        ui,
        clear,
        |ui| {
            ui.label(widgets::title(texts.send));
            if picked {
                let count = (texts.items)(draft.entries());
                let summary = format!("{count} · {}", size(draft.bytes()));
                ui.label(widgets::muted(ui, summary));
            }
        },
        |ui| cleared = picked && widgets::link(ui, texts.clear_list).clicked(),
    );
    if cleared {
        scope.want(Want::ClearPicks);
    }
    ui.add_space(theme::GRID);
    drop_zone(ui, scope, picked);
    if panel.without_dialog {
        path_field(ui, scope, panel);
    }
    ui.scope(|ui| picks(ui, scope, draft, panel.show_newest));
    ui.add_space(theme::GRID);
    destination_ui(ui, scope, draft, around, &mut panel.destination);
    ui.add_space(theme::GRID);
    widgets::part(ui, "send", |ui| {
        send_button(ui, scope, draft, around, panel);
    });
}

/// `picked`: something is in the list already, so that nobody has to be told what this is for.
fn drop_zone(ui: &mut Ui, scope: &mut Scope, picked: bool) {
    let texts = scope.texts;
    let palette = theme::palette(ui);
    let brief = picked && theme::is_low(ui.ctx());
    let padding = theme::inset_padding(ui.ctx());
    let margin = match brief {
        true => egui::Margin::symmetric(padding, theme::NARROW_MARGIN),
        false => egui::Margin::same(padding),
    };
    let drawn = egui::Frame::new().inner_margin(margin).show(ui, |ui| {
        ui.set_width(ui.available_width());
        let icon = |ui: &mut Ui| {
            ui.label(widgets::icon(Icon::Upload, palette.link).size(theme::HUGE));
        };
        let words = |ui: &mut Ui| {
            ui.spacing_mut().item_spacing.y = theme::GRID / 2.0;
            ui.add(egui::Label::new(widgets::strong(texts.drop_title)).wrap());
            if !brief {
                let hint = widgets::muted(ui, texts.drop_hint);
                ui.add(egui::Label::new(hint).wrap());
            }
        };
        let buttons = |ui: &mut Ui, scope: &mut Scope| {
            for (text, keys, want) in [
                (texts.files, keys::PICK_FILES, Want::PickFiles),
                (texts.folder, keys::PICK_FOLDER, Want::PickFolder),
                (texts.text, keys::TALKS, Want::WriteText),
            ] {
                let keys = keys::name(ui.ctx(), &keys);
                if widgets::button(ui, text).on_hover_text(keys).clicked() {
                    scope.want(want);
                }
            }
        };
        let gap = ui.spacing().item_spacing.x;
        let buttons_width = widgets::buttons_width(ui, [texts.files, texts.folder, texts.text]);
        let icon_width = theme::HUGE + gap + theme::GAP;
        // Its letters are wider, and the hint is the longer one.
        let said = [texts.drop_title, texts.drop_hint].map(|words| widgets::text_width(ui, words));
        let words_width = said.into_iter().fold(0.0, f32::max) + theme::SECTION;
        let room = ui.available_width();
        if icon_width + words_width + gap + buttons_width <= room {
            ui.horizontal(|ui| {
                icon(ui);
                ui.add_space(theme::GAP);
                ui.vertical(words);
                ui.add_space((ui.available_width() - buttons_width).max(0.0));
                buttons(ui, scope);
            });
        } else if brief && icon_width + buttons_width <= room {
            let line = vec2(room, theme::CONTROL_HEIGHT);
            let centred = Layout::left_to_right(Align::Center);
            ui.allocate_ui_with_layout(line, centred, |ui| {
                icon(ui);
                ui.add_space((ui.available_width() - buttons_width).max(0.0));
                buttons(ui, scope);
            });
        } else {
            ui.horizontal(|ui| {
                if room >= theme::ICON_FROM {
                    icon(ui);
                    ui.add_space(theme::GAP);
                }
                ui.vertical(words);
            });
            ui.add_space(theme::GRID);
            ui.horizontal_wrapped(|ui| buttons(ui, scope));
        }
    });
    widgets::dashed(ui, drawn.response.rect);
}

fn path_field(ui: &mut Ui, scope: &mut Scope, panel: &mut SendPanel) {
    let texts = scope.texts;
    ui.add(egui::Label::new(widgets::muted(ui, texts.no_dialog)).wrap());
    let width = widgets::room_beside_button(ui, texts.add, theme::CODE_WIDTH);
    ui.horizontal_wrapped(|ui| {
        let field = TextEdit::singleline(&mut panel.path)
            .hint_text(texts.path_hint)
            .align(egui::Align2::LEFT_CENTER)
            .desired_width(width);
        let response = ui.add(field);
        widgets::named(&response, Role::TextInput, texts.path_label);
        let enter = response.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
        let clicked = widgets::button(ui, texts.add).clicked();
        if (enter || clicked) && !panel.path.trim().is_empty() {
            scope.want(Want::Add(PathBuf::from(panel.path.trim())));
            panel.path.clear();
        }
    });
}

fn picks(ui: &mut Ui, scope: &mut Scope, draft: &Draft, show_newest: bool) {
    let beside = ui.available_width() >= theme::BESIDE_NAME_FROM;
    let height = match beside {
        true => theme::ROW_HEIGHT,
        false => theme::TWO_LINES,
    };
    let most = theme::list_height(ui.ctx());
    ui.spacing_mut().item_spacing.y = theme::GRID;
    let mut area = ScrollArea::vertical()
        .id_salt("picks")
        .max_height(most)
        .auto_shrink([false, true]);
    if show_newest {
        let all = draft.picks.len() as f32 * (height + theme::GRID) - theme::GRID;
        area = area.vertical_scroll_offset((all - most).max(0.0));
    }
    let drawn = area.show_rows(ui, height, draft.picks.len(), |ui, range| {
        for index in range {
            if let Some(pick) = draft.picks.get(index) {
                let top = ui.cursor().top() - ui.spacing().item_spacing.y / 2.0;
                if index > 0 {
                    widgets::hairline(ui, top);
                }
                pick_row(ui, scope, index, pick, (beside, height));
                if show_newest && index + 1 == draft.picks.len() {
                    let row = top..=ui.cursor().top();
                    let row = egui::Rect::from_x_y_ranges(ui.max_rect().x_range(), row);
                    ui.scroll_to_rect(row, Some(Align::Max));
                }
            }
        }
    });
    if show_newest {
        ui.scroll_to_rect(drawn.inner_rect, None);
    }
}

/// Its size stands beside its name or, in a narrow window, below it.
fn pick_row(
    ui: &mut Ui,
    scope: &mut Scope,
    index: usize,
    pick: &Pick,
    (beside, height): (bool, f32),
) {
    let texts = scope.texts;
    let palette = theme::palette(ui);
    let (about, color) = match &pick.problem {
        Some(problem) => ((texts.problem)(problem), palette.danger),
        None => {
            let mut about = size(pick.bytes);
            if pick.is_folder {
                about = format!("{} · {about}", (texts.items)(pick.entries));
            }
            if pick.counting {
                about = format!("{about} · {}", texts.counting);
            }
            (about, palette.muted)
        }
    };
    let size_of_row = vec2(ui.available_width(), height);
    let layout = Layout::right_to_left(Align::Center);
    ui.allocate_ui_with_layout(size_of_row, layout, |ui| {
        let name = pick.name();
        if widgets::icon_button(ui, Icon::X, &(texts.remove)(&name)).clicked() {
            scope.want(Want::Remove(index));
        }
        let path = || crate::model::displayable(&pick.path.to_string_lossy());
        let named = |ui: &mut Ui| {
            let width = ui.available_width() - theme::GAP;
            let font = theme::body_font();
            widgets::name_label(ui, &name, font, palette.text, width).on_hover_text(path());
        };
        if beside {
            let most = ui.available_width() - theme::NAME_WIDTH / 2.0;
            said(ui, &about, color, most);
        }
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            let symbol = if pick.is_folder {
                Icon::Folder
            } else {
                Icon::File
            };
            ui.label(widgets::icon(symbol, palette.muted));
            if beside {
                named(ui);
            } else {
                ui.vertical(|ui| {
                    ui.spacing_mut().item_spacing.y = 0.0;
                    named(ui);
                    let most = ui.available_width();
                    said(ui, &about, color, most);
                });
            }
        });
    });
}

/// On one line; the tooltip has all of it.
fn said(ui: &mut Ui, about: &str, color: egui::Color32, most: f32) {
    let words = |text: &str| RichText::new(text).color(color);
    if widgets::text_width(ui, about) <= most {
        ui.label(words(about));
        return;
    }
    // A whole sentence says more than the beginning of two.
    let first = about.split_once(". ").or_else(|| about.split_once('。'));
    if let Some((first, _)) = first.filter(|(first, _)| widgets::text_width(ui, first) <= most) {
        ui.label(words(first)).on_hover_text(about);
        return;
    }
    let words = words(about);
    ui.scope(|ui| {
        ui.set_max_width(most);
        ui.add(egui::Label::new(words).truncate());
    });
}

fn send_button(
    ui: &mut Ui,
    scope: &mut Scope,
    draft: &mut Draft,
    around: &Around,
    panel: &SendPanel,
) {
    let texts = scope.texts;
    let text = match draft.picks.len() {
        0 => texts.send_nothing.to_owned(),
        _ => (texts.send_items)(draft.entries()),
    };
    let entry = draft.entry(around.devices);
    let can_send = ready(draft, around, texts, false);
    let hint = hint(scope, draft, around, &can_send);
    let may_ask = matches!(entry, Entry::Secret { can_ask: true, .. });
    let wrong_address = panel.destination.address_judged
        && !draft.address.trim().is_empty()
        && draft.to().is_none();
    let palette = theme::palette(ui);
    let color = match wrong_address {
        true => palette.danger,
        false => palette.muted,
    };
    let hint = RichText::new(hint).color(color);
    let can_ask = may_ask.then(|| ready(draft, around, texts, true).is_ok());
    let buttons = widgets::primary_width(ui, &text)
        + can_ask.map_or(0.0, |_| {
            widgets::counted_button_width(ui, texts.ask_without, 0) + theme::GAP
        });
    let room = ui.available_width();
    let beside = room - buttons >= theme::SEND_HINT_LEAST;
    let picked = !draft.picks.is_empty();
    let words = |ui: &mut Ui| {
        ui.add(egui::Label::new(hint).wrap());
        if picked {
            let keep = widgets::checkbox(ui, &mut draft.keep, texts.keep_list);
            keep.on_hover_text(texts.keep_list_hint);
        }
    };
    let mut act = |ui: &mut Ui| {
        // In the order of the eye.
        if let Some(can_ask) = can_ask {
            let response = widgets::button_if(ui, can_ask, texts.ask_without);
            if response.on_hover_text(texts.ask_hint).clicked() {
                scope.want(Want::AskNow);
            }
        }
        let response = widgets::primary(ui, can_send.is_ok(), &text);
        let keys = keys::name(ui.ctx(), &keys::SEND);
        if response.on_hover_text(keys).clicked() {
            scope.want(Want::SendNow);
        }
    };
    // As high as the higher one of the buttons, so that both have one middle.
    let line = vec2(room, theme::CONTROL_HEIGHT + theme::GRID);
    let centred = Layout::left_to_right(Align::Center);
    if beside {
        ui.allocate_ui_with_layout(line, centred, |ui| {
            let said = vec2(room - buttons - theme::SECTION, line.y);
            // A single line stands at the middle of the button.
            let layout = match picked {
                true => Layout::top_down(Align::Min),
                false => centred,
            };
            ui.allocate_ui_with_layout(said, layout, |ui| {
                ui.set_width(said.x);
                words(ui);
            });
            ui.add_space(theme::SECTION - ui.spacing().item_spacing.x);
            act(ui);
        });
    } else {
        words(ui);
        if buttons <= room {
            ui.allocate_ui_with_layout(line, centred, |ui| {
                ui.add_space(room - buttons);
                act(ui);
            });
        } else {
            ui.horizontal_wrapped(act);
        }
    }
}

/// What a click on the button will do, or what is missing for it.
fn hint(
    scope: &Scope,
    draft: &Draft,
    around: &Around,
    can_send: &Result<Ready, &'static str>,
) -> String {
    let texts = scope.texts;
    match can_send {
        Ok(Ready { ask: true, .. }) => texts.ask_hint.to_owned(),
        Ok(Ready { to, .. }) => {
            let name = draft.name(around.devices);
            let name = name.unwrap_or_else(|| to.to_string());
            match (
                draft.entry(around.devices),
                around.chosen(draft).map(|card| card.here),
            ) {
                (Entry::Known, Some(Here::Away)) => (texts.send_to_away)(&name),
                (Entry::Known, Some(Here::ReceiveOff)) => (texts.send_when_on)(&name),
                (Entry::Known, _) => (texts.send_to_known)(&name),
                _typed => (texts.send_to)(&name),
            }
        }
        Err(missing) => (*missing).to_owned(),
    }
}
