//! Sentences about something that is nobody's row, above everything that scrolls.

use egui::{Color32, Frame, Label, Margin, RichText, Ui};
use lucide_icons::Icon;

use super::{Scope, Want};
use crate::gui::clipboard::NoPicture;
use crate::gui::texts::Texts;
use crate::gui::view::{Notice, View};
use crate::gui::{theme, widgets};
use crate::model::{DeviceId, displayable};

pub fn notices_ui(ui: &mut Ui, scope: &mut Scope, view: &View) {
    if view.wishes.is_empty() && view.notice.is_none() {
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
        if let Some(notice) = &view.notice {
            notice_ui(ui, scope, notice);
        }
    });
}

/// A sentence, and what can be done about it: behind it, or below where it is narrow.
fn bar(ui: &mut Ui, look: &Look, sentence: &str, answers: impl FnOnce(&mut Ui)) {
    widgets::inset(ui, look.soft, |ui| {
        // On one line with its answers a long one would make everything wider than the window.
        let line = sentence.to_owned();
        let line = ui
            .painter()
            .layout_no_wrap(line, theme::body_font(), look.words);
        let beside = line.size().x + theme::ACTIONS_COLUMN;
        let narrow = ui.available_width() < theme::NOTICE_BESIDE_FROM.max(beside);
        ui.horizontal_top(|ui| {
            let symbol = widgets::icon(look.symbol, look.front);
            if narrow {
                ui.label(symbol);
                ui.vertical(|ui| {
                    let words = RichText::new(sentence).color(look.words);
                    ui.add(Label::new(words).wrap());
                    ui.horizontal_wrapped(answers);
                });
            } else {
                ui.horizontal(|ui| {
                    ui.label(symbol);
                    ui.colored_label(look.words, sentence);
                    answers(ui);
                });
            }
        });
    });
}

/// How a bar is drawn.
struct Look {
    symbol: Icon,
    front: Color32,
    words: Color32,
    soft: Color32,
}

fn wish_ui(ui: &mut Ui, scope: &mut Scope, device: DeviceId, name: &str) {
    let texts = scope.texts;
    let palette = theme::palette(ui);
    let look = Look {
        symbol: Icon::UserPlus,
        front: palette.link,
        words: palette.text,
        soft: palette.accent_soft,
    };
    let sentence = (texts.wants_to_be_remembered)(name);
    bar(ui, &look, &sentence, |ui| {
        for (word, remember) in [(texts.remember, true), (texts.no, false)] {
            if widgets::button(ui, word).clicked() {
                scope.want(Want::AnswerWish(device, remember));
            }
        }
    });
}

fn notice_ui(ui: &mut Ui, scope: &mut Scope, notice: &Notice) {
    let palette = theme::palette(ui);
    let texts = scope.texts;
    let path = |path: &std::path::Path| displayable(&path.to_string_lossy());
    let sentence = match notice {
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
        Notice::NotPasted(why) => not_pasted(texts, why),
    };
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
        | Notice::NotPasted(_) => (palette.warn, palette.warn_soft, Icon::TriangleAlert),
    };
    let look = Look {
        symbol,
        front,
        words: front,
        soft,
    };
    bar(ui, &look, &sentence, |ui| {
        if let Notice::Blocked(device, _) = notice
            && widgets::link(ui, texts.undo).clicked()
        {
            scope.want(Want::Unblock(*device));
        }
        let word = match notice {
            Notice::TextPasted => texts.hands.discard,
            _told => texts.done,
        };
        if widgets::link(ui, word).clicked() {
            scope.want(Want::DismissNotice);
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
            notice: Some(notice),
            ..View::default()
        };
        let mut wants = Vec::new();
        let mut width = 0.0;
        let harness = Harness::builder()
            .with_size(theme::WINDOW_SIZE)
            .with_context_setup(theme::install)
            .build_ui(|ui| {
                let texts = texts(Language::Chinese);
                let mut scope = Scope {
                    texts,
                    wants: &mut wants,
                };
                notices_ui(ui, &mut scope, &view);
                width = ui.min_rect().width();
            });
        drop(harness);
        assert!(0.0 < width && width <= theme::WINDOW_SIZE[0], "{width}");
    }
}
