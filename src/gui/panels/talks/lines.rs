//! What was said and sent, line by line.

use std::borrow::Cow;

use egui::accesskit::Role;
use egui::{Align, Color32, CornerRadius, Frame, Label, Layout, RichText, Ui, WidgetInfo};
use lucide_icons::Icon;

use crate::gui::clock::{Day, day, time};
use crate::gui::format::{lines_from_left, set_from_left, size, size_of};
use crate::gui::panels::{Scope, Want};
use crate::gui::texts::Texts;
use crate::gui::view::{Row, RowState};
use crate::gui::{theme, widgets};
use crate::model::{Delivery, DeviceId, Direction, Line, Outcome, Said, TransferLine, displayable};

/// Text from a peer on several lines: what acts instead of being read is escaped, and joins of
/// emoji, which are drawn one by one, are left out.
pub fn shown(text: &str) -> String {
    let lines = text.split('\n').map(|line| {
        let line = line.trim_end_matches('\r').replace('\t', "    ");
        displayable(&line.replace('\u{200d}', ""))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The same on one line.
pub fn one_line(text: &str) -> String {
    let start: String = text.chars().take(200).collect();
    let words: Vec<_> = start.split_whitespace().collect();
    shown(&words.join(" "))
}

pub fn lines_ui(ui: &mut Ui, scope: &mut Scope, with: DeviceId, lines: &[Line]) {
    let mut before: Option<Day> = None;
    for (index, line) in lines.iter().enumerate() {
        let today = day(line.at);
        if before.as_ref() != Some(&today) {
            ui.add_space(theme::GRID);
            ui.vertical_centered(|ui| {
                let word = (scope.texts.day)(&today);
                ui.label(widgets::muted(ui, word).size(theme::SMALL));
            });
            before = Some(today);
        }
        // Once: what was said again since needs no other try.
        let again = match &line.what {
            Said::Text { text, delivery, .. } => {
                let own = line.direction == Direction::Send;
                let later = lines.get(index + 1..).unwrap_or_default();
                own && *delivery == Delivery::NotDelivered && !says_again(later, text)
            }
            Said::Transfer(_) => false,
        };
        ui.push_id((line.at, index), |ui| {
            line_ui(ui, scope, with, line, again);
        });
    }
}

fn says_again(lines: &[Line], words: &str) -> bool {
    let same = |line: &Line| matches!(&line.what, Said::Text { text, .. } if text == words);
    let own = |line: &&Line| line.direction == Direction::Send;
    lines.iter().filter(own).any(same)
}

fn line_ui(ui: &mut Ui, scope: &mut Scope, with: DeviceId, line: &Line, again: bool) {
    match &line.what {
        Said::Text { id, text, delivery } => {
            let own = line.direction == Direction::Send;
            bubble(ui, own, |ui, palette| {
                text_ui(ui, scope, text, palette);
            });
            under(ui, own, |ui| {
                let texts = scope.texts;
                let color = theme::palette(ui).muted;
                let small = |text: &str| RichText::new(text).size(theme::SMALL).color(color);
                ui.label(small(&time(line.at)));
                if own {
                    let (symbol, word) = match delivery {
                        Delivery::Waiting => (Icon::Clock, texts.delivery_waiting),
                        Delivery::Delivered => (Icon::Check, texts.delivery_delivered),
                        Delivery::NotDelivered => (Icon::X, texts.delivery_not),
                    };
                    let color = match delivery {
                        Delivery::NotDelivered => theme::palette(ui).danger,
                        Delivery::Waiting | Delivery::Delivered => color,
                    };
                    ui.label(widgets::icon(symbol, color).size(theme::SMALL));
                    ui.label(RichText::new(word).size(theme::SMALL).color(color));
                    if *delivery == Delivery::Waiting
                        && widgets::small_icon_button(ui, Icon::Undo2, texts.take_back).clicked()
                    {
                        super::take_back(scope, with, *id);
                    }
                    if again && small_link(ui, texts.say_again) {
                        scope.want(Want::SayAgain(with, text.clone()));
                    }
                }
                if widgets::small_icon_button(ui, Icon::Copy, texts.talks_copy).clicked() {
                    scope.want(Want::Copy(text.clone()));
                }
            });
        }
        Said::Transfer(transfer) => transfer_ui(ui, scope, line, transfer),
    }
}

/// At the right what was said here, at the left what came.
fn bubble(ui: &mut Ui, own: bool, content: impl FnOnce(&mut Ui, &theme::Palette)) {
    let palette = theme::palette(ui);
    let fill = if own {
        palette.accent_soft
    } else {
        palette.inset
    };
    let most = ui.available_width() * theme::BUBBLE_SHARE;
    aside(ui, own, "bubble", 0.0, |ui| {
        Frame::new()
            .fill(fill)
            .corner_radius(CornerRadius::same(theme::RADIUS_CARD))
            .inner_margin(theme::BUBBLE_MARGIN)
            .show(ui, |ui| {
                ui.set_max_width(most);
                // Words are as high as they are; nothing else stands beside them.
                ui.spacing_mut().interact_size.y = theme::TEXT_LINE;
                ui.spacing_mut().item_spacing.y = theme::GRID;
                ui.vertical(|ui| content(ui, palette));
            });
    });
}

/// Small words below a bubble.
fn under(ui: &mut Ui, own: bool, content: impl FnOnce(&mut Ui)) {
    if ui.available_width() < theme::ICON_FROM {
        // More than a line has room for.
        return widgets::flow(ui, content);
    }
    aside(ui, own, "under", theme::UNDER_HEIGHT, |ui| {
        ui.spacing_mut().item_spacing.x = theme::GRID;
        content(ui);
    });
    ui.add_space(theme::GRID);
}

/// A word to click among small ones.
fn small_link(ui: &mut Ui, word: &str) -> bool {
    ui.scope(|ui| {
        let small = theme::small_font();
        ui.style_mut().override_font_id = Some(small);
        widgets::link(ui, word).clicked()
    })
    .inner
}

/// At the right end of the line, or at the left.
fn aside(ui: &mut Ui, right: bool, id: &str, height: f32, content: impl FnOnce(&mut Ui)) {
    let row = egui::vec2(ui.available_width(), height);
    let id = ui.scope_id().with(id);
    ui.allocate_ui_with_layout(row, Layout::left_to_right(Align::Center), |ui| {
        if !right {
            return content(ui);
        }
        // As wide as it was drawn last.
        let known = ui.data(|data| data.get_temp::<f32>(id)).unwrap_or_default();
        let gap = std::mem::take(&mut ui.spacing_mut().item_spacing.x);
        ui.add_space((ui.available_width() - known).max(0.0));
        ui.spacing_mut().item_spacing.x = gap;
        let drawn = ui.scope(content).response.rect.width();
        if (drawn - known).abs() > theme::LINE {
            ui.data_mut(|data| data.insert_temp(id, drawn));
            ui.ctx()
                .request_discard("the width of what stands at the right");
        }
    });
}

/// Words, and addresses of the web, which are opened by a click alone.
fn text_ui(ui: &mut Ui, scope: &mut Scope, text: &str, palette: &theme::Palette) {
    let text = shown(text);
    let mut finder = linkify::LinkFinder::new();
    finder.kinds(&[linkify::LinkKind::Url]);
    let is_web = |url: &str| {
        let start = |scheme: &str| {
            url.get(..scheme.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        };
        start("https://") || start("http://")
    };
    let spans: Vec<_> = finder.spans(&text).collect();
    let linked = |span: &linkify::Span| span.kind().is_some() && is_web(span.as_str());
    if !spans.iter().any(linked) {
        words_ui(ui, &text, palette);
        return;
    }
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = egui::Vec2::ZERO;
        for span in &spans {
            let words = span.as_str();
            if linked(span) {
                let label = RichText::new(words).color(palette.link).underline();
                let response = ui.add(Label::new(label).sense(egui::Sense::click()).wrap());
                response.widget_info(|| WidgetInfo::labeled(Role::Link, true, words));
                widgets::focus_ring(ui, &response);
                let response = response
                    .on_hover_cursor(egui::CursorIcon::PointingHand)
                    .on_hover_text(scope.texts.open_link);
                if response.clicked() {
                    scope.want(Want::OpenUrl(words.to_owned()));
                }
            } else {
                words_ui(ui, words, palette);
            }
        }
    });
}

/// Words without an address; those of right-to-left languages line by line, as the lines are broken.
fn words_ui(ui: &mut Ui, words: &str, palette: &theme::Palette) {
    let label = |words: &str| Label::new(RichText::new(words).color(palette.text)).wrap();
    if matches!(set_from_left(words), Cow::Borrowed(_)) {
        ui.add(label(words));
        return;
    }
    let room = ui.available_width();
    let lines = lines_from_left(words, room, |part| widgets::text_width(ui, part));
    let response = ui.add(label(&lines));
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, words));
}

fn transfer_ui(ui: &mut Ui, scope: &mut Scope, line: &Line, transfer: &TransferLine) {
    let texts = scope.texts;
    let own = line.direction == Direction::Send;
    bubble(ui, own, |ui, palette| {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = theme::GRID;
            ui.label(widgets::icon(arrow(line.direction), palette.link));
            let name = names(texts, &transfer.names, transfer.picked);
            let room = ui.available_width();
            let font = theme::strong_font(theme::BODY);
            widgets::name_label(ui, &name, font, palette.text, room);
        });
        let (word, color) = outcome(texts, line.direction, transfer, palette);
        let items = (texts.items)(transfer.entries);
        // Of what was declined nothing went: that is not how large it is.
        let about = match transfer.bytes {
            0 => format!("{items} · "),
            bytes => format!("{items} · {} · ", size(bytes)),
        };
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 0.0;
            ui.label(widgets::muted(ui, about).size(theme::SMALL));
            ui.label(RichText::new(word).size(theme::SMALL).color(color));
        });
    });
    under(ui, own, |ui| {
        ui.label(widgets::muted(ui, time(line.at)).size(theme::SMALL));
    });
}

fn arrow(direction: Direction) -> Icon {
    match direction {
        Direction::Send => Icon::ArrowUp,
        Direction::Receive => Icon::ArrowDown,
    }
}

fn names(texts: &Texts, names: &[String], picked: u64) -> String {
    let first = names.first().map_or("…", String::as_str);
    match picked {
        0 | 1 => first.to_owned(),
        picked => (texts.names_and_more)(first, picked - 1),
    }
}

fn outcome(
    texts: &Texts,
    direction: Direction,
    transfer: &TransferLine,
    palette: &theme::Palette,
) -> (String, Color32) {
    match transfer.outcome {
        Outcome::Arrived => {
            let word = match direction {
                Direction::Send => texts.badge_sent,
                Direction::Receive => texts.badge_received,
            };
            (word.to_owned(), palette.ok)
        }
        Outcome::Problems => ((texts.badge_failed_items)(transfer.failed), palette.warn),
        Outcome::Declined => (texts.badge_declined.to_owned(), palette.warn),
        Outcome::Cancelled => (texts.badge_cancelled.to_owned(), palette.muted),
        Outcome::Failed => (texts.badge_failed.to_owned(), palette.danger),
    }
}

/// A transfer that has not ended.
pub fn row_ui(ui: &mut Ui, scope: &mut Scope, row: &Row) {
    let texts = scope.texts;
    let RowState::Active(state) = &row.state else {
        return;
    };
    bubble(ui, row.direction == Direction::Send, |ui, palette| {
        ui.set_max_width(theme::DIALOG_WIDTH.min(ui.available_width()));
        let name = names(texts, &row.names, row.picked);
        let room = ui.available_width();
        let font = theme::strong_font(theme::BODY);
        widgets::name_label(ui, &name, font, palette.text, room);
        let about = match row.progress {
            Some(progress) if progress.total_bytes > 0 => {
                let (done, total) = size_of(progress.bytes, progress.total_bytes);
                let fraction = progress.bytes as f32 / progress.total_bytes as f32;
                widgets::bar(ui, fraction.min(1.0), palette.accent, &name);
                (texts.bytes_of)(&done, &total)
            }
            Some(_) | None => (texts.state)(*state, row.peer.name.as_str()),
        };
        ui.horizontal_wrapped(|ui| {
            ui.label(widgets::muted(ui, about).size(theme::SMALL));
            if widgets::link(ui, texts.transfers).clicked() {
                scope.want(Want::ShowTransfers);
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_shown_escaped_and_keeps_its_lines() {
        assert_eq!(shown("a\tb\r\nc"), "a    b\nc");
        assert_eq!(
            shown("\u{1b}[31mred\u{202e}x\u{0}"),
            "\\u{1b}[31mred\\u{202e}x\\u{0}"
        );
        assert_eq!(shown("👩\u{200d}🔬"), "👩🔬");
        assert_eq!(one_line(" a\n\n b\tc "), "a b c");
    }
}
