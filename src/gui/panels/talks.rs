//! Conversations: who on the left, what was said and sent on the right, and a field to say more.

mod lines;
mod list;

use egui::{
    Key, KeyboardShortcut, Modifiers, Response, ScrollArea, TextEdit, Ui, accesskit::Role, vec2,
};
use lucide_icons::Icon;

use super::destination::{Around, entry_ui, look_ui, status_ui, way_in};
use super::devices::symbol;
use super::empty::empty_ui;
use super::{Scope, Want};
use crate::engine::{Command, Talk};
use crate::gui::view::talks::{Thread, Untyped};
use crate::gui::view::{Card, Entry, Row, View, cards};
use crate::gui::{theme, widgets};
use crate::model::{DeviceId, System, Trust};
use list::{Names, list_ui, name_of};

/// Not Enter, which sends.
const NEW_LINE: KeyboardShortcut = KeyboardShortcut::new(Modifiers::SHIFT, Key::Enter);

/// What is kept between frames.
#[derive(Default)]
pub struct TalksPanel {
    /// The person is asked whether it may be cleared.
    clearing: Option<DeviceId>,
    /// In whose field the next keys are to go.
    pub focus: Option<DeviceId>,
    composer_height: f32,
}

pub fn talks_ui(ui: &mut Ui, scope: &mut Scope, view: &mut View, panel: &mut TalksPanel) {
    let cards = cards(&view.devices, &view.nearby);
    let beside = ui.available_width() >= theme::TWO_COLUMNS_FROM;
    let open = view.talks.open;
    let mut size = ui.available_size();
    if theme::is_flat(ui.ctx()) {
        // It scrolls.
        size.y = theme::TALK_LEAST;
    }
    if beside {
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = theme::SECTION;
            ui.allocate_ui(vec2(theme::TALKS_WIDTH, size.y), |ui| {
                full_card(ui, size.y, |ui| {
                    // As deep as the name beside it, whose line is as high as a button.
                    ui.add_space(theme::GAP);
                    list_ui(ui, scope, view, &cards);
                });
            });
            full_card(ui, size.y, |ui| thread_card(ui, scope, view, &cards, panel));
        });
    } else if open.is_some() {
        full_card(ui, size.y, |ui| {
            if widgets::link(ui, scope.texts.talks_all).clicked() {
                scope.want(Want::ShowTalk(None));
            }
            thread_card(ui, scope, view, &cards, panel);
        });
    } else {
        full_card(ui, size.y, |ui| list_ui(ui, scope, view, &cards));
    }
}

/// A card that takes all the height there is.
fn full_card(ui: &mut Ui, height: f32, content: impl FnOnce(&mut Ui)) {
    widgets::card(ui, |ui| {
        ui.set_height(height - 2.0 * f32::from(theme::CARD_PADDING));
        // Not that between the cards.
        ui.spacing_mut().item_spacing.x = theme::GAP;
        ui.vertical(|ui| content(ui));
    });
}

fn thread_card(
    ui: &mut Ui,
    scope: &mut Scope,
    view: &mut View,
    cards: &[Card],
    panel: &mut TalksPanel,
) {
    let open = view.talks.open;
    let around = Around {
        cards: cards.to_vec(),
        devices: &view.devices,
        recent: &view.recent,
    };
    let rows: Vec<_> = view
        .rows
        .iter()
        .filter(|row| open.is_some() && row.peer.device_id == open && row.active())
        .collect();
    let names = Names::of(&view.talks.threads, cards);
    let thread = open.and_then(|with| {
        let mut threads = view.talks.threads.iter_mut();
        threads.find(|thread| thread.with == with)
    });
    let Some(thread) = thread else {
        return empty_ui(ui, Icon::MessagesSquare, "", scope.texts.talks_pick);
    };
    let card = around.cards.iter().find(|card| card.id == thread.with);
    let twin = names.is_twin(thread.with, name_of(thread, card));
    ui.push_id(thread.with, |ui| {
        top_ui(ui, scope, thread, card, twin, panel);
        ui.separator();
        // What is below has as much room as it took last.
        let rest = ui.available_height() - panel.composer_height - theme::GAP;
        let size = vec2(ui.available_width(), rest.max(theme::LIST_HEIGHT / 2.0));
        ui.allocate_ui(size, |ui| {
            ui.set_min_size(size);
            history_ui(ui, scope, thread, &rows);
        });
        let composer = ui.scope(|ui| composer_ui(ui, scope, thread, card, &around, panel));
        let height = composer.response.rect.height();
        if (height - panel.composer_height).abs() > theme::LINE {
            panel.composer_height = height;
            ui.ctx().request_repaint();
        }
    });
}

/// Who it is, how it stands, and what can be done with all of it.
fn top_ui(
    ui: &mut Ui,
    scope: &mut Scope,
    thread: &Thread,
    card: Option<&Card>,
    twin: bool,
    panel: &mut TalksPanel,
) {
    let texts = scope.texts;
    let palette = theme::palette(ui);
    let paired = card.is_some_and(Card::is_paired);
    let asks = panel.clearing == Some(thread.with);
    let can_clear = !thread.lines.is_empty();
    let gap = ui.spacing().item_spacing.x;
    let question = widgets::text_width(ui, texts.talks_clear_question) + gap;
    let question = question + widgets::buttons_width(ui, [texts.talks_clear_yes, texts.no]);
    let question_beside = ui.available_width() - question >= theme::FIELD_WIDTH;
    let width = match (asks && question_beside, can_clear && !asks) {
        (true, _) => question,
        (false, true) => widgets::link_width(ui, texts.talks_clear),
        (false, false) => 0.0,
    };
    // As high as with the buttons of the question.
    let left = |ui: &mut Ui| {
        let room = ui.available_width() - width - gap;
        let font = theme::strong_font(theme::TITLE);
        let name = name_of(thread, card);
        let share = match room < theme::BESIDE_NAME_FROM {
            true => room,
            false => room * theme::NAME_SHARE,
        };
        widgets::name_label(ui, name, font, palette.text, share);
        if twin {
            ui.label(widgets::muted(ui, thread.with.short()));
        }
        let (word, front, back) = match (paired, thread.trust) {
            (true, _) | (_, Trust::Known) => (texts.known, palette.ok, palette.ok_soft),
            (_, Trust::Verified) => (texts.talks_confirmed, palette.ok, palette.ok_soft),
            (_, Trust::Asked | Trust::None) => (texts.not_known, palette.muted, palette.inset),
        };
        widgets::badge(ui, word, front, back);
        if let Some(state) = &thread.state {
            let color = match state {
                Talk::Open => palette.ok,
                Talk::Connecting | Talk::Calling | Talk::Asking | Talk::Resting => palette.muted,
                Talk::Away(_) => palette.warn,
            };
            let words = (texts.talk_state)(state);
            let taken = ui.cursor().left() - ui.max_rect().left() + width + gap;
            let rest = ui.max_rect().width() - taken;
            let most = match rest >= widgets::text_width(ui, words).min(theme::NAME_WIDTH) {
                true => rest,
                false => ui.max_rect().width(),
            };
            let font = theme::body_font();
            let response = widgets::name_label(ui, words, font, color, most);
            if let Talk::Away(failure) = state {
                response.on_hover_text((texts.failure)(failure));
            }
        }
    };
    let mut answer = None;
    let question = |ui: &mut Ui| {
        ui.label(widgets::muted(ui, texts.talks_clear_question));
        for (word, yes) in [(texts.talks_clear_yes, true), (texts.no, false)] {
            if widgets::button(ui, word).clicked() {
                answer = Some(yes);
            }
        }
    };
    if asks && !question_beside {
        ui.horizontal_wrapped(left);
        ui.horizontal_wrapped(question);
    } else if asks {
        widgets::ends(ui, width, left, question);
    } else {
        widgets::ends(ui, width, left, |ui| {
            if can_clear && widgets::link(ui, texts.talks_clear).clicked() {
                panel.clearing = Some(thread.with);
            }
        });
    }
    if let Some(yes) = answer {
        panel.clearing = None;
        if yes {
            scope.want(Want::ClearTalk(thread.with));
        }
    }
}

fn history_ui(ui: &mut Ui, scope: &mut Scope, thread: &mut Thread, rows: &[&Row]) {
    let texts = scope.texts;
    let height = ui.available_height();
    ScrollArea::vertical()
        .id_salt("history")
        .max_height(height)
        .auto_shrink([false, false])
        .stick_to_bottom(true)
        .show(ui, |ui| {
            if thread.lines.is_empty() && rows.is_empty() {
                return empty_ui(ui, Icon::MessageSquare, "", texts.talks_empty);
            }
            let hidden = thread.lines.len().saturating_sub(thread.shown);
            if hidden > 0 && widgets::link(ui, texts.talks_earlier).clicked() {
                thread.shown += crate::gui::view::talks::PAGE;
            }
            lines::lines_ui(ui, scope, thread.with, &thread.lines[hidden..]);
            for row in rows {
                lines::row_ui(ui, scope, row);
            }
        });
}

fn composer_ui(
    ui: &mut Ui,
    scope: &mut Scope,
    thread: &mut Thread,
    card: Option<&Card>,
    around: &Around,
    panel: &mut TalksPanel,
) {
    let texts = scope.texts;
    let palette = theme::palette(ui);
    let paired = card.is_some_and(Card::is_paired);
    let open = thread.is_open(paired);
    if let Some(failure) = &thread.failure {
        let text = (texts.failure)(failure);
        widgets::sentence(ui, Icon::CircleAlert, palette.danger, &text);
    }
    if let Some(why) = thread.not_said {
        widgets::sentence(ui, Icon::CircleAlert, palette.danger, (texts.not_said)(why));
    }
    if let Some(why) = &thread.no_picture {
        let text = (texts.no_picture)(why);
        widgets::sentence(ui, Icon::CircleAlert, palette.warn, &text);
    }
    let waiting = thread.waiting();
    if waiting > 0 && matches!(thread.state, Some(Talk::Away(_)) | None) {
        let text = (texts.talks_waiting)(waiting as u64);
        ui.label(widgets::muted(ui, text).size(theme::SMALL));
    }
    let asks = !open && thread.attempt.is_none();
    let mut entered = false;
    if asks {
        look_ui(scope, &mut thread.way, around.devices);
        let symbol = symbol(card.map_or(System::Other, |card| card.system));
        status_ui(ui, scope, &thread.way, around.devices, symbol);
        if thread.way.to().is_some() {
            entered = widgets::part(ui, "talk entry", |ui| {
                entry_ui(ui, texts, &mut thread.way, around.devices)
            });
        }
    }
    let way = match open {
        true => Ok(()),
        false if thread.way.to().is_none() => Err(texts.need_receive),
        false => way_in(&thread.way, around.devices, texts, false).map(|_way| ()),
    };
    let may_ask = asks
        && matches!(
            thread.way.entry(around.devices),
            Entry::Secret { can_ask: true, .. }
        );
    let typed = match thread.typed() {
        Ok(_text) => Ok(()),
        Err(Untyped::Nothing) => Err(""),
        Err(Untyped::TooLong) => Err(texts.talks_too_long),
    };
    let can_say = typed.is_ok() && way.is_ok() && thread.attempt.is_none();
    let rows = thread.text.lines().count().clamp(1, theme::COMPOSER_ROWS);
    // The keys stay in it, whatever appears above.
    let id = egui::Id::unique(("message", thread.with));
    let field = TextEdit::multiline(&mut thread.text)
        .id(id)
        .hint_text(texts.talks_hint)
        .desired_rows(rows)
        .return_key(NEW_LINE)
        .margin(theme::COMPOSER_MARGIN)
        .desired_width(f32::INFINITY);
    let response = ScrollArea::vertical()
        .id_salt("composer")
        .max_height(theme::COMPOSER_HEIGHT)
        .show(ui, |ui| ui.add(field))
        .inner;
    widgets::named(&response, Role::MultilineTextInput, texts.talks_field);
    if response.changed() {
        thread.no_picture = None;
    }
    if panel.focus == Some(thread.with) {
        panel.focus = None;
        response.request_focus();
    }
    let enter = response.has_focus()
        && ui.input(|input| input.key_pressed(Key::Enter) && !input.modifiers.shift);
    let hint = match (typed, way) {
        (Err(missing), _) if !missing.is_empty() => Some((missing, palette.danger)),
        (_, Err(missing)) => Some((missing, palette.muted)),
        (_, Ok(())) => None,
    };
    if let Some((words, color)) = hint {
        let words = egui::RichText::new(words).size(theme::SMALL).color(color);
        ui.add(egui::Label::new(words).wrap());
    }
    let ask_width = match may_ask {
        true => widgets::button_width(ui, texts.ask_without) + theme::GAP,
        false => 0.0,
    };
    let width = widgets::primary_width(ui, texts.talks_say) + ask_width;
    let with = thread.with;
    let mut wants = Vec::new();
    let things = |ui: &mut Ui| {
        let files = widgets::icon_button(ui, Icon::Paperclip, texts.talks_files);
        if files.clicked() {
            scope.want(Want::PickForTalk(with));
        }
        if widgets::icon_button(ui, Icon::ClipboardPaste, texts.talks_paste).clicked() {
            scope.want(Want::PastePicture(with));
        }
    };
    widgets::ends(ui, width, things, |ui| {
        if may_ask {
            let asks = typed.is_ok() && thread.attempt.is_none();
            let response = widgets::button_if(ui, asks, texts.ask_without);
            if response.on_hover_text(texts.ask_hint).clicked() {
                wants.push(Want::Say(with, true));
            }
        }
        let say = widgets::primary(ui, can_say, texts.talks_say);
        if (say.on_hover_text("Enter").clicked() || enter || entered) && can_say {
            panel.focus = Some(with);
            wants.push(Want::Say(with, false));
        }
    });
    wants.into_iter().for_each(|want| scope.want(want));
}

/// A device that is not known wants to say something.
pub fn text_offers_ui(ui: &mut Ui, scope: &mut Scope, view: &View) {
    for offer in &view.talks.offers {
        let Some(device) = offer.from.device_id else {
            continue;
        };
        ui.push_id(("text", device), |ui| {
            let drawn = ui.scope(|ui| {
                widgets::card(ui, |ui| text_offer_ui(ui, scope, offer, device));
            });
            widgets::outline(ui, drawn.response.rect);
        });
        ui.add_space(theme::SECTION);
    }
}

fn text_offer_ui(
    ui: &mut Ui,
    scope: &mut Scope,
    offer: &crate::engine::TextOffer,
    device: DeviceId,
) {
    let texts = scope.texts;
    let palette = theme::palette(ui);
    ui.horizontal_top(|ui| {
        if ui.available_width() >= theme::TILE_FROM {
            widgets::tile(ui, Icon::MessageSquare, palette.link);
            ui.add_space(theme::GAP);
        }
        ui.vertical(|ui| {
            ui.horizontal_wrapped(|ui| {
                let title = (texts.text_offer_title)(offer.from.name.as_str());
                ui.label(widgets::title(&title));
                let colors = [palette.warn, palette.warn_soft];
                super::offers::standing_ui(ui, texts.offer_not_verified, colors, &offer.from);
            });
            if let Some(symbols) = &offer.symbols {
                ui.label(widgets::strong(texts.text_offer_same));
                super::confirm::pictures_ui(ui, texts, symbols);
            }
            ui.add_space(theme::GRID);
            let ripe = widgets::is_ripe(ui, widgets::Comes::Text(device));
            let clicked = |response: Response| widgets::meant_when_ripe(&response, ripe);
            ui.horizontal_wrapped(|ui| {
                if clicked(widgets::primary(ui, true, texts.text_offer_show)) {
                    scope.want(Want::AnswerText(device, true));
                }
                if clicked(widgets::button(ui, texts.decline)) {
                    scope.want(Want::AnswerText(device, false));
                }
                if clicked(widgets::button(ui, texts.block)) {
                    scope.want(Want::BlockText(offer.from.clone()));
                }
            });
        });
    });
}

/// Takes back what waits.
pub(super) fn take_back(scope: &mut Scope, with: DeviceId, message: crate::model::MessageId) {
    scope.want(Want::Engine(Command::TakeBack(with, message)));
}
