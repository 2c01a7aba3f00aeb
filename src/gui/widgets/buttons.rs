//! What is clicked: buttons, links, switches, one of a few.

use std::sync::Arc;

use egui::accesskit::Role;
use egui::{
    Align2, Button, CornerRadius, Galley, Rect, Response, RichText, Sense, Stroke, TextWrapMode,
    Ui, Vec2, WidgetInfo, pos2, vec2,
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
    let button = Button::new(label).fill(fill).stroke(Stroke::NONE);
    let width = primary_width(ui, text);
    let button = button.min_size(vec2(width, theme::CONTROL_HEIGHT + theme::GRID));
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
    let button = Button::new(text).min_size(vec2(0.0, theme::CONTROL_HEIGHT));
    let response = ui.add(button);
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

fn text_width(ui: &Ui, text: &str) -> f32 {
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

/// One of a few, side by side in a hollow, or one below the other where there is no room. Gives the one
/// that was clicked.
pub fn segmented<T: Copy + PartialEq>(
    ui: &mut Ui,
    about: &str,
    chosen: T,
    all: &[(T, &str)],
) -> Option<T> {
    let rim = theme::WELL_PADDING;
    // Narrow before they stand below each other, and not if they do so all the same.
    let words: f32 = all.iter().map(|(_, word)| text_width(ui, word)).sum();
    let spare = (ui.available_width() - rim * 2.0 - words) / (all.len() as f32 * 2.0);
    let padding = match spare < theme::SEGMENT_LEAST {
        true => theme::SEGMENT_PADDING,
        false => spare.min(theme::SEGMENT_PADDING),
    };
    let widths = all
        .iter()
        .map(|(_, word)| text_width(ui, word) + padding * 2.0);
    let widths: Vec<f32> = widths.collect();
    let height = theme::CONTROL_HEIGHT - rim;
    let room = ui.available_width();
    let in_a_row = widths.iter().sum::<f32>() + rim * 2.0 <= room;
    let inner = match in_a_row {
        true => vec2(widths.iter().sum(), height),
        false => vec2(
            widths
                .iter()
                .copied()
                .fold(0.0, f32::max)
                .min(room - rim * 2.0),
            height * all.len() as f32,
        ),
    };
    let (well, _) = ui.allocate_exact_size(inner + Vec2::splat(rim * 2.0), Sense::hover());
    let colors = palette(ui);
    ui.painter()
        .rect_filled(well, CornerRadius::same(theme::RADIUS_CARD), colors.well);
    let mut at = well.min + Vec2::splat(rim);
    let mut clicked = None;
    for ((value, word), width) in all.iter().zip(widths) {
        let size = vec2(if in_a_row { width } else { inner.x }, height);
        let rect = Rect::from_min_size(at, size);
        match in_a_row {
            true => at.x += size.x,
            false => at.y += size.y,
        }
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
        ui.painter().text(
            rect.center(),
            Align2::CENTER_CENTER,
            *word,
            theme::body_font(),
            front,
        );
        focus_ring(ui, &response);
        if response.clicked() {
            clicked = Some(*value);
        }
    }
    clicked
}

/// A button that looks like a word.
pub fn link(ui: &mut Ui, text: &str) -> Response {
    let label = RichText::new(text).color(palette(ui).link);
    // A word goes to the next line as a whole.
    let button = Button::new(label)
        .frame(false)
        .wrap_mode(TextWrapMode::Extend);
    // As high as the words around it, so that they share a line.
    let response = ui
        .scope(|ui| {
            ui.spacing_mut().interact_size.y = theme::SECTION;
            ui.spacing_mut().button_padding = vec2(theme::GRID / 2.0, theme::GRID / 2.0);
            ui.add(button)
        })
        .inner;
    focus_ring(ui, &response);
    response.on_hover_cursor(egui::CursorIcon::PointingHand)
}

/// A button with an icon alone; `name` is what it is called.
pub fn icon_button(ui: &mut Ui, symbol: Icon, name: &str) -> Response {
    let glyph = icon(symbol, palette(ui).muted);
    bare_button(ui, glyph, theme::ROW_HEIGHT, name)
}

/// How wide [`icon_button`] is.
pub fn icon_button_width() -> f32 {
    // Without a frame there is no padding.
    theme::ROW_HEIGHT.max(theme::ICON)
}

/// The same beside small words.
pub fn small_icon_button(ui: &mut Ui, symbol: Icon, name: &str) -> Response {
    let glyph = icon(symbol, palette(ui).muted).size(theme::BODY);
    ui.scope(|ui| {
        ui.spacing_mut().button_padding = Vec2::ZERO;
        ui.spacing_mut().interact_size.y = theme::UNDER_HEIGHT;
        bare_button(ui, glyph, theme::UNDER_HEIGHT, name)
    })
    .inner
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
        let track = if on { palette.ok } else { palette.border };
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
