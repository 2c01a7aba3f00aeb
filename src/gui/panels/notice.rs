//! Sentences about something that is nobody's row, above everything that scrolls.

use std::time::Duration;

use egui::accesskit::Live;
use egui::{Color32, Frame, Label, Margin, Response, RichText, Ui};
use lucide_icons::Icon;

use super::{Scope, Want};
use crate::gui::clipboard::NoPicture;
use crate::gui::texts::Texts;
use crate::gui::view::{Notice, View};
use crate::gui::{theme, widgets};
use crate::model::{DeviceId, displayable};

/// Good news leave by themselves, once they could be read.
const GOOD_SECONDS: f64 = 6.0;

pub fn notices_ui(ui: &mut Ui, scope: &mut Scope, view: &View, panel: &mut NoticePanel) {
    panel
        .good
        .retain(|good| view.notices.contains(&good.notice));
    if view.wishes.is_empty() && view.notices.is_empty() {
        return;
    }
    let margin = Margin {
        top: 0,
        bottom: theme::HEADER_MARGIN,
        ..Margin::same(theme::window_margin(ui.ctx()))
    };
    Frame::new().inner_margin(margin).show(ui, |ui| {
        for peer in &view.wishes {
            if let Some(device) = peer.device_id {
                ui.push_id(device, |ui| {
                    wish_ui(ui, scope, device, peer.name.as_str());
                });
            }
        }
        for notice in &view.notices {
            let drawn = ui.scope(|ui| notice_ui(ui, scope, notice));
            if notice.is_good() && panel.has_been_read(ui, drawn.response.rect, notice) {
                scope.want(Want::Dismiss(notice.clone()));
            }
        }
    });
}

/// What is kept between frames.
#[derive(Default)]
pub struct NoticePanel {
    good: Vec<Good>,
}

struct Good {
    notice: Notice,
    /// When it leaves by the window's clock, in seconds.
    until: f64,
    /// Where the window was when it was last painted.
    in_front: bool,
}

impl NoticePanel {
    /// Not while the pointer is on it, and not while another window is in front.
    fn has_been_read(&mut self, ui: &Ui, rect: egui::Rect, notice: &Notice) -> bool {
        let (now, in_front) = ui.input(|input| (input.time, input.focused));
        let place = self.good.iter().position(|good| good.notice == *notice);
        let place = place.unwrap_or_else(|| {
            self.good.push(Good {
                notice: notice.clone(),
                until: now + GOOD_SECONDS,
                in_front,
            });
            self.good.len() - 1
        });
        let Some(good) = self.good.get_mut(place) else {
            return false;
        };
        // Behind another window it was not painted for as long as nothing happened.
        let was_in_front = std::mem::replace(&mut good.in_front, in_front);
        if !in_front || !was_in_front || ui.rect_contains_pointer(rect) {
            good.until = now + GOOD_SECONDS;
        }
        let left = good.until - now;
        if in_front && left > 0.0 {
            ui.request_repaint_after(Duration::from_secs_f64(left));
        }
        left <= 0.0
    }
}

/// A sentence, and what can be done about it: behind it, or below where it is narrow.
/// `width` is that of what can be done.
fn bar(ui: &mut Ui, look: &Look, sentence: &str, width: f32, answers: impl FnOnce(&mut Ui)) {
    widgets::inset(ui, look.soft, |ui| {
        // On one line with its answers a long one would make everything wider than the window.
        let gaps = ui.spacing().item_spacing.x * 2.0;
        let beside = theme::ICON + widgets::text_width(ui, sentence) + width + gaps;
        let narrow = ui.available_width() < theme::NOTICE_BESIDE_FROM.max(beside);
        ui.horizontal_top(|ui| {
            let symbol = widgets::icon(look.symbol, look.front);
            if narrow {
                ui.label(symbol);
                ui.vertical(|ui| {
                    let words = RichText::new(sentence).color(look.words);
                    let words = ui.add(Label::new(words).wrap());
                    said(ui, look, &words);
                    ui.horizontal_wrapped(answers);
                });
            } else {
                ui.horizontal(|ui| {
                    ui.label(symbol);
                    let words = ui.colored_label(look.words, sentence);
                    said(ui, look, &words);
                    answers(ui);
                });
            }
        });
    });
}

/// Read out when it appears.
fn said(ui: &Ui, look: &Look, words: &Response) {
    ui.ctx().accesskit_node_builder(words.id, |node| {
        node.set_live(match look.good {
            true => Live::Polite,
            false => Live::Assertive,
        });
    });
}

/// How a bar is drawn.
struct Look {
    good: bool,
    symbol: Icon,
    front: Color32,
    words: Color32,
    soft: Color32,
}

fn wish_ui(ui: &mut Ui, scope: &mut Scope, device: DeviceId, name: &str) {
    let texts = scope.texts;
    let palette = theme::palette(ui);
    let look = Look {
        good: true,
        symbol: Icon::UserPlus,
        front: palette.link,
        words: palette.text,
        soft: palette.accent_soft,
    };
    let sentence = (texts.wants_to_be_remembered)(name);
    let width = widgets::buttons_width(ui, [texts.remember, texts.no]);
    bar(ui, &look, &sentence, width, |ui| {
        for (word, remember) in [(texts.remember, true), (texts.no, false)] {
            if widgets::button(ui, word).clicked() {
                scope.want(Want::AnswerWish(device, remember));
            }
        }
    });
}

fn sentence(texts: &Texts, notice: &Notice) -> String {
    let path = |path: &std::path::Path| displayable(&path.to_string_lossy());
    match notice {
        Notice::CommandFailed(what, problem) => {
            (texts.command_failed)(&path(what), &(texts.problem)(problem))
        }
        Notice::ListSaved(to) => (texts.list_saved)(&path(to)),
        Notice::ListNotSaved(to, problem) => {
            (texts.list_not_saved)(&path(to), &(texts.problem)(problem))
        }
        Notice::Paired(name) => (texts.paired)(name.as_str()),
        Notice::Blocked(_, name) => (texts.blocked)(name.as_str()),
        Notice::NotSaved(why) => (texts.settings_not_saved)(why),
        Notice::NotRead(why) => (texts.settings_not_read)(why),
        Notice::DevicesNotRead(why) => (texts.devices_not_read)(why),
        Notice::ConversationsNotRead(why) => (texts.talks_not_read)(why),
        Notice::TextPasted => texts.hands.text_pasted.to_owned(),
        Notice::PortMoved { chosen, got } => (texts.hands.port_moved)(*chosen, *got),
        Notice::NotPasted(why) => not_pasted(texts, why),
    }
}

fn notice_ui(ui: &mut Ui, scope: &mut Scope, notice: &Notice) {
    let palette = theme::palette(ui);
    let texts = scope.texts;
    let (front, soft, symbol) = match notice {
        Notice::ListSaved(_) | Notice::Paired(_) => (palette.ok, palette.ok_soft, Icon::Check),
        Notice::TextPasted => (palette.link, palette.accent_soft, Icon::ClipboardPaste),
        Notice::Blocked(..) => (palette.warn, palette.warn_soft, Icon::Ban),
        Notice::CommandFailed(..)
        | Notice::ListNotSaved(..)
        | Notice::NotSaved(_)
        | Notice::NotRead(_)
        | Notice::DevicesNotRead(_)
        | Notice::ConversationsNotRead(_)
        | Notice::PortMoved { .. }
        | Notice::NotPasted(_) => (palette.warn, palette.warn_soft, Icon::TriangleAlert),
    };
    let look = Look {
        good: notice.is_good(),
        symbol,
        front,
        words: front,
        soft,
    };
    let word = match notice {
        Notice::TextPasted => texts.hands.discard,
        _told => texts.hands.dismiss,
    };
    let mut width = widgets::link_width(ui, word);
    if matches!(notice, Notice::Blocked(..)) {
        width += widgets::link_width(ui, texts.undo) + ui.spacing().item_spacing.x;
    }
    bar(ui, &look, &sentence(texts, notice), width, |ui| {
        if let Notice::Blocked(device, _) = notice
            && widgets::link(ui, texts.undo).clicked()
        {
            scope.want(Want::Unblock(*device));
        }
        if widgets::link(ui, word).clicked() {
            scope.want(Want::Dismiss(notice.clone()));
        }
    });
}

fn not_pasted(texts: &Texts, why: &NoPicture) -> String {
    let words = &texts.hands;
    match why {
        NoPicture::Nothing => words.nothing_to_paste.to_owned(),
        NoPicture::TooLarge => words.picture_too_large.to_owned(),
        NoPicture::Problem(problem) => (words.not_pasted)(&(texts.problem)(problem)),
    }
}

#[cfg(test)]
mod tests {
    use egui_kittest::Harness;

    use super::*;
    use crate::gui::texts::texts;
    use crate::settings::Language;

    #[test]
    fn a_long_notice_takes_lines_and_not_the_width_of_the_window() {
        let notice = Notice::DevicesNotRead("It was damaged. ".repeat(20));
        let view = View {
            notices: vec![notice],
            ..View::default()
        };
        let mut wants = Vec::new();
        let mut width = 0.0;
        let mut panel = NoticePanel::default();
        let harness = Harness::builder()
            .with_size(theme::WINDOW_SIZE)
            .with_context_setup(theme::install)
            .build_ui(|ui| {
                let texts = texts(Language::Chinese);
                let mut scope = Scope {
                    texts,
                    wants: &mut wants,
                };
                notices_ui(ui, &mut scope, &view, &mut panel);
                width = ui.min_rect().width();
            });
        drop(harness);
        assert!(0.0 < width && width <= theme::WINDOW_SIZE[0], "{width}");
    }

    #[test]
    fn good_news_stay_until_they_could_be_read() {
        let context = egui::Context::default();
        let mut panel = NoticePanel::default();
        let notice = Notice::ListSaved("list.csv".into());
        let mut read = |time: f64, focused: bool| {
            let mut read = false;
            let input = egui::RawInput {
                time: Some(time),
                focused,
                ..egui::RawInput::default()
            };
            let output = context.run_ui(input, |ui| {
                read = panel.has_been_read(ui, egui::Rect::NOTHING, &notice);
            });
            output.drop_without_applying_deltas();
            read
        };
        // It comes while another window is in front, where nothing else is painted for a minute.
        assert!(!read(1.0, false));
        assert!(!read(60.0, true));
        assert!(!read(59.0 + GOOD_SECONDS, true));
        assert!(read(60.1 + GOOD_SECONDS, true));
    }
}
