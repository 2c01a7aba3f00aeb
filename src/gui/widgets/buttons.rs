//! What is clicked: buttons, links, switches, one of a few.

use std::sync::Arc;

use egui::accesskit::Role;
use egui::{
    Button, CornerRadius, Galley, Rect, Response, RichText, Sense, Stroke, TextWrapMode, Ui, Vec2,
    WidgetInfo, pos2, vec2,
};
use lucide_icons::Icon;

use super::{focus_ring, icon, strong};
use crate::gui::theme::{self, palette};

/// The one button that a panel is about.
pub fn primary(ui: &mut Ui, enabled: bool, text: &str) -> Response {
    let palette = palette(ui);
    let (fill, front) = if enabled {
        (palette.accent, palette.on_accent)
    } else {
        (palette.inset, palette.muted)
    };
    let label = strong(text).color(front);
    let width = primary_width(ui, text);
    let mode = wrap_mode(ui, width);
    let stroke = match enabled {
        true => Stroke::new(theme::LINE, palette.accent),
        false => Stroke::new(theme::LINE, palette.border),
    };
    let button = Button::new(label).fill(fill).stroke(stroke);
    let least = width.min(ui.max_rect().width());
    let button = button.min_size(vec2(least, theme::CONTROL_HEIGHT + theme::GRID));
    let button = button.wrap_mode(mode);
    let response = ui.add_enabled(enabled, button);
    focus_ring(ui, &response);
    response
}

/// How wide [`primary`] is.
pub fn primary_width(ui: &Ui, text: &str) -> f32 {
    let color = palette(ui).text;
    let font = theme::strong_font(theme::BODY);
    let words = ui.painter().layout_no_wrap(text.to_owned(), font, color);
    words.size().x + theme::PRIMARY_PADDING * 2.0
}

pub fn button(ui: &mut Ui, text: &str) -> Response {
    button_if(ui, true, text)
}

/// A button that may be of no use now.
pub fn button_if(ui: &mut Ui, enabled: bool, text: &str) -> Response {
    let mode = wrap_mode(ui, button_width(ui, text));
    let button = Button::new(text).min_size(vec2(0.0, theme::CONTROL_HEIGHT));
    let response = ui.add_enabled(enabled, button.wrap_mode(mode));
    focus_ring(ui, &response);
    response
}

/// How wide [`button`] is.
pub fn button_width(ui: &Ui, text: &str) -> f32 {
    counted_button_width(ui, text, 0)
}

/// How wide some of them are beside each other.
pub fn buttons_width<'a>(ui: &Ui, texts: impl IntoIterator<Item = &'a str>) -> f32 {
    let gap = ui.spacing().item_spacing.x;
    let all = texts.into_iter().map(|text| button_width(ui, text) + gap);
    (all.sum::<f32>() - gap).max(0.0)
}

/// What is `width` wide goes to the next line as a whole, and breaks only where a line of its own is too
/// short for it.
fn wrap_mode(ui: &mut Ui, width: f32) -> TextWrapMode {
    let layout = *ui.layout();
    let line = ui.max_rect();
    let breaks = layout.is_vertical() || layout.main_wrap();
    if width <= line.width() + theme::LINE || !breaks {
        return TextWrapMode::Extend;
    }
    let cursor = ui.cursor();
    let begun = match layout.prefer_right_to_left() {
        true => cursor.right() < line.right() - theme::LINE,
        false => cursor.left() > line.left() + theme::LINE,
    };
    if layout.main_wrap() && begun {
        ui.end_row();
    }
    TextWrapMode::Wrap
}

/// A box to tick, with its words.
pub fn checkbox(ui: &mut Ui, checked: &mut bool, text: &str) -> Response {
    let width = ui.spacing().icon_width + theme::GRID + text_width(ui, text);
    let mode = wrap_mode(ui, width);
    let style = ui.style().clone();
    ui.spacing_mut().icon_spacing = theme::GRID;
    ui.style_mut().wrap_mode = Some(mode);
    // Its rim is all there is of an empty box.
    let rim = palette(ui).muted;
    ui.visuals_mut().widgets.inactive.bg_stroke.color = rim;
    let response = ui.checkbox(checked, text);
    ui.set_style(style);
    focus_ring(ui, &response);
    response
}

/// A button with a number that wants to be seen.
pub fn counted_button(ui: &mut Ui, text: &str, count: usize) -> Response {
    let palette = palette(ui);
    let (words, pill) = count_pill(ui, count);
    let width = counted_button_width(ui, text, count);
    let button = Button::new(text)
        .min_size(vec2(width, theme::CONTROL_HEIGHT))
        .right_text("");
    let response = ui.add(button);
    let called = format!("{text}, {count}");
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &called));
    let right = response.rect.right() - ui.spacing().button_padding.x;
    let rect = Rect::from_min_max(
        pos2(right - pill.x, response.rect.center().y - pill.y / 2.0),
        pos2(right, response.rect.center().y + pill.y / 2.0),
    );
    let round = CornerRadius::same(u8::MAX);
    ui.painter().rect_filled(rect, round, palette.accent);
    let at = rect.center() - words.size() / 2.0;
    ui.painter().galley(at, words, palette.on_accent);
    focus_ring(ui, &response);
    response
}

/// How wide [`counted_button`] is, or [`button`] if there is nothing to count.
pub fn counted_button_width(ui: &Ui, text: &str, count: usize) -> f32 {
    let words = text_width(ui, text);
    let counted = match count {
        0 => 0.0,
        count => theme::GAP + count_pill(ui, count).1.x,
    };
    words + counted + ui.spacing().button_padding.x * 2.0
}

/// Of a line of the usual size.
pub fn text_width(ui: &Ui, text: &str) -> f32 {
    let color = palette(ui).text;
    let words = ui
        .painter()
        .layout_no_wrap(text.to_owned(), theme::body_font(), color);
    words.size().x
}

fn count_pill(ui: &Ui, count: usize) -> (Arc<Galley>, Vec2) {
    let number = count.min(999).to_string();
    let color = palette(ui).on_accent;
    let words = ui
        .painter()
        .layout_no_wrap(number, theme::small_font(), color);
    let height = words.size().y + theme::BADGE_PADDING.y;
    let width = (words.size().x + theme::COUNT_PADDING.x * 2.0).max(height);
    (words, vec2(width, height))
}

/// One of a few, side by side in a hollow, or on several lines where there is no room. Gives the one
/// that was clicked.
pub fn segmented<T: Copy + PartialEq>(
    ui: &mut Ui,
    about: &str,
    chosen: T,
    all: &[(T, &str)],
) -> Option<T> {
    let rim = theme::WELL_PADDING;
    let places = Segments::of(ui, all.iter().map(|(_, word)| *word));
    let (well, _) = ui.allocate_exact_size(places.size + Vec2::splat(rim * 2.0), Sense::hover());
    let colors = palette(ui);
    ui.painter()
        .rect_filled(well, CornerRadius::same(theme::RADIUS_CARD), colors.well);
    let origin = well.min.to_vec2() + Vec2::splat(rim);
    let mut clicked = None;
    for ((value, word), rect) in all.iter().zip(places.rects) {
        let rect = rect.translate(origin);
        let is_it = *value == chosen;
        let id = ui.scope_id().with(("segment", about, *word));
        let response = ui.interact(rect, id, Sense::click());
        response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, is_it, *word));
        ui.ctx().accesskit_node_builder(response.id, |node| {
            node.set_description(about);
        });
        let radius = CornerRadius::same(theme::RADIUS_CONTROL);
        let front = match is_it || response.hovered() {
            true => colors.text,
            false => colors.muted,
        };
        if is_it {
            ui.painter().rect_filled(rect, radius, colors.raised);
        }
        let words = segment_words(ui, word, rect.width(), front);
        let at = pos2(rect.center().x, rect.center().y - words.size().y / 2.0);
        ui.painter().galley(at, words, front);
        focus_ring(ui, &response);
        if response.clicked() {
            clicked = Some(*value);
        }
    }
    clicked
}

fn segment_words(ui: &Ui, word: &str, width: f32, color: egui::Color32) -> Arc<Galley> {
    let room = width - theme::SEGMENT_LEAST * 2.0 + theme::LINE;
    let font = theme::body_font();
    let mut job = egui::text::LayoutJob::simple(word.to_owned(), font, color, room);
    job.halign = egui::Align::Center;
    ui.painter().layout_job(job)
}

/// Where the segments are, from the corner of the first one.
struct Segments {
    rects: Vec<Rect>,
    size: Vec2,
}

impl Segments {
    fn of<'a>(ui: &Ui, words: impl Iterator<Item = &'a str>) -> Self {
        let words: Vec<_> = words.collect();
        let count = words.len() as f32;
        let room = ui.available_width() - theme::WELL_PADDING * 2.0;
        let bare: Vec<f32> = words.iter().map(|word| text_width(ui, word)).collect();
        let total: f32 = bare.iter().sum();
        // Narrow before they break into lines, and not if they do so all the same.
        let spare = (room - total) / (count * 2.0);
        let padding = match spare < theme::SEGMENT_LEAST {
            true => theme::SEGMENT_PADDING,
            false => spare.min(theme::SEGMENT_PADDING),
        };
        let widths: Vec<f32> = bare
            .iter()
            .map(|width| (width + padding * 2.0).min(room))
            .collect();
        let lines = Self::lines(&widths, room);
        let taken = |line: &std::ops::Range<usize>| widths[line.clone()].iter().sum::<f32>();
        let width = lines.iter().map(taken).fold(0.0, f32::max);
        let mut rects = Vec::new();
        let mut top = 0.0;
        for line in &lines {
            // All lines are as long as the longest one.
            let more = (width - taken(line)) / line.len() as f32;
            let mut left = 0.0;
            let mut height = theme::CONTROL_HEIGHT - theme::WELL_PADDING;
            let first = rects.len();
            for index in line.clone() {
                let wide = widths[index] + more;
                let words = segment_words(ui, words[index], wide, palette(ui).text);
                height = height.max(words.size().y + theme::GAP);
                rects.push(Rect::from_min_size(pos2(left, top), vec2(wide, height)));
                left += wide;
            }
            for rect in rects.iter_mut().skip(first) {
                rect.max.y = top + height;
            }
            top += height;
        }
        Self {
            rects,
            size: vec2(width, top),
        }
    }

    /// Few stand in one line, or one a line: two and one would look as if they belonged together.
    fn lines(widths: &[f32], room: f32) -> Vec<std::ops::Range<usize>> {
        const FEW: usize = 3;
        let fits = widths.iter().sum::<f32>() <= room + theme::LINE;
        let mut lines: Vec<std::ops::Range<usize>> = Vec::new();
        let mut used = 0.0;
        for (index, width) in widths.iter().enumerate() {
            let goes_on = fits || (widths.len() > FEW && used + width <= room);
            match lines.last_mut().filter(|_| goes_on) {
                Some(line) => line.end = index + 1,
                None => {
                    lines.push(index..index + 1);
                    used = 0.0;
                }
            }
            used += width;
        }
        lines
    }
}

/// A button that looks like a word.
pub fn link(ui: &mut Ui, text: &str) -> Response {
    let label = RichText::new(text).color(palette(ui).link);
    let mode = wrap_mode(ui, link_width(ui, text));
    let button = Button::new(label).frame(false).wrap_mode(mode);
    // As high as the words around it, so that they share a line. No scope: it would not go to the next line.
    let style = ui.style().clone();
    ui.spacing_mut().interact_size.y = theme::SECTION;
    let response = ui.add(button);
    ui.set_style(style);
    focus_ring(ui, &response);
    response.on_hover_cursor(egui::CursorIcon::PointingHand)
}

/// How wide [`link`] is: without a frame there is no padding.
pub fn link_width(ui: &Ui, text: &str) -> f32 {
    text_width(ui, text)
}

/// A button with an icon alone; `name` is what it is called.
pub fn icon_button(ui: &mut Ui, symbol: Icon, name: &str) -> Response {
    let glyph = icon(symbol, palette(ui).muted);
    bare_button(ui, glyph, theme::ROW_HEIGHT, name)
}

/// The same with a dot where there is something to count.
pub fn counted_icon_button(ui: &mut Ui, symbol: Icon, name: &str, count: usize) -> Response {
    let called = match count {
        0 => name.to_owned(),
        count => format!("{name}, {count}"),
    };
    let response = icon_button(ui, symbol, &called);
    if count > 0 {
        let away = vec2(theme::PRESENCE_OFFSET, -theme::PRESENCE_OFFSET);
        let at = response.rect.center() + away;
        ui.painter()
            .circle_filled(at, theme::STATUS_DOT, palette(ui).accent);
    }
    response
}

/// How wide [`icon_button`] is.
pub fn icon_button_width() -> f32 {
    // Without a frame there is no padding.
    theme::ROW_HEIGHT.max(theme::ICON)
}

/// The same beside small words.
pub fn small_icon_button(ui: &mut Ui, symbol: Icon, name: &str) -> Response {
    let glyph = icon(symbol, palette(ui).muted).size(theme::BODY);
    let style = ui.style().clone();
    ui.spacing_mut().button_padding = Vec2::ZERO;
    ui.spacing_mut().interact_size.y = theme::UNDER_HEIGHT;
    let response = bare_button(ui, glyph, theme::UNDER_HEIGHT, name);
    ui.set_style(style);
    response
}

fn bare_button(ui: &mut Ui, glyph: RichText, size: f32, name: &str) -> Response {
    let button = Button::new(glyph).frame(false);
    let response = ui.add(button.min_size(Vec2::splat(size)));
    let enabled = response.enabled();
    response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, name));
    focus_ring(ui, &response);
    response.on_hover_text(name)
}

/// On and off, by click, Space or Enter.
pub fn switch(ui: &mut Ui, on: bool, name: &str) -> Response {
    let (rect, mut response) = ui.allocate_exact_size(theme::SWITCH, Sense::click());
    let enabled = response.enabled();
    response.widget_info(|| WidgetInfo::selected(Role::Switch, enabled, on, name));
    if ui.is_rect_visible(rect) {
        let palette = palette(ui);
        let moved = ui.ctx().animate_bool(response.id, on);
        let track = if on { palette.ok } else { palette.off };
        let round = CornerRadius::same((rect.height() / 2.0) as u8);
        ui.painter().rect_filled(rect, round, track);
        let radius = rect.height() / 2.0 - theme::SWITCH_INSET;
        let from = rect.left() + radius + theme::SWITCH_INSET;
        let to = rect.right() - radius - theme::SWITCH_INSET;
        let center = pos2(egui::lerp(from..=to, moved), rect.center().y);
        ui.painter().circle_filled(center, radius, palette.knob);
    }
    focus_ring(ui, &response);
    if response.clicked() {
        response.mark_changed();
    }
    response.on_hover_cursor(egui::CursorIcon::PointingHand)
}
