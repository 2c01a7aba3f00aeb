//! The few controls that egui does not have in the look we want.

mod buttons;
mod device;
mod dialog;
mod meant;
mod progress;

use egui::accesskit::Role;
use egui::{
    Align, Align2, Color32, CornerRadius, FontId, Frame, Id, Layout, Margin, Rect, Response,
    RichText, Sense, Stroke, StrokeKind, Ui, UiBuilder, Vec2, WidgetInfo, WidgetText, vec2,
};
use lucide_icons::Icon;

use super::format::{elide_middle, set_from_left};
use super::theme::{self, palette};
pub use buttons::*;
pub use device::*;
pub use dialog::*;
pub use meant::*;
pub use progress::*;

/// A calm surface for one subject.
pub fn card<R>(ui: &mut Ui, content: impl FnOnce(&mut Ui) -> R) -> R {
    Frame::new()
        .fill(palette(ui).card)
        .corner_radius(CornerRadius::same(theme::RADIUS_CARD))
        .inner_margin(theme::card_margin(ui.ctx()))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            content(ui)
        })
        .inner
}

/// The program's mark: a line between two stations, and a cabin on it.
pub fn mark(ui: &mut Ui) {
    let (rect, response) = ui.allocate_exact_size(theme::MARK, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, "Ropeway"));
    let palette = palette(ui);
    let [from, to] = theme::ROPE.map(|at| rect.lerp_inside(at));
    let rope = Stroke::new(theme::FOCUS_LINE, palette.text);
    let painter = ui.painter();
    painter.line_segment([from, to], rope);
    for station in [from, to] {
        painter.circle_filled(station, theme::STATION, palette.text);
    }
    let arm = Stroke::new(theme::FOCUS_LINE, palette.accent);
    painter.line_segment(theme::HANGER.map(|at| rect.lerp_inside(at)), arm);
    let [least, most] = theme::CABIN.map(|at| rect.lerp_inside(at));
    let body = Rect::from_min_max(least, most);
    painter.rect_filled(
        body,
        CornerRadius::same(theme::RADIUS_SMALL),
        palette.accent,
    );
}

/// A thin line across, between two of a kind; `y` is where. It takes no room.
pub fn hairline(ui: &Ui, y: f32) {
    let stroke = Stroke::new(theme::LINE, palette(ui).hairline);
    ui.painter().hline(ui.max_rect().x_range(), y, stroke);
}

/// A dashed line around: something may be put here.
pub fn dashed(ui: &Ui, rect: Rect) {
    let stroke = Stroke::new(theme::LINE, palette(ui).border);
    let mut line = Vec::new();
    let radius = CornerRadius::same(theme::RADIUS_CARD);
    let rounded = egui::epaint::RoundedRect::new(rect, radius);
    egui::epaint::tessellator::path::rounded_rectangle(&mut line, rounded);
    line.extend(line.first().copied());
    let shapes = egui::Shape::dashed_line(&line, stroke, theme::DASH, theme::DASH);
    ui.painter().extend(shapes);
}

/// Marks a card that waits for an answer.
pub fn outline(ui: &Ui, rect: Rect) {
    ui.painter().rect_stroke(
        rect,
        CornerRadius::same(theme::RADIUS_CARD),
        Stroke::new(theme::FOCUS_LINE, palette(ui).accent),
        StrokeKind::Inside,
    );
}

/// Something that stays itself, and keeps the keyboard, whatever appears before it.
pub fn part<R>(ui: &mut Ui, id: &str, content: impl FnOnce(&mut Ui) -> R) -> R {
    let builder = UiBuilder::new().scope_id(Id::unique(id));
    ui.scope_builder(builder, content).inner
}

/// A surface within a card.
pub fn inset<R>(ui: &mut Ui, fill: Color32, content: impl FnOnce(&mut Ui) -> R) -> R {
    Frame::new()
        .fill(fill)
        .corner_radius(CornerRadius::same(theme::RADIUS_CARD))
        .inner_margin(Margin::same(theme::inset_padding(ui.ctx())))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            content(ui)
        })
        .inner
}

/// A line with something at both ends. `width` is that of the right one, which ends a line of its own
/// where both do not fit.
pub fn ends(ui: &mut Ui, width: f32, left: impl FnOnce(&mut Ui), right: impl FnOnce(&mut Ui)) {
    // The line is as high as the right one was last: all of it stands in its middle. In a low window that is
    // another height, and a line does not become lower by itself.
    let id = ui.next_auto_id().with(("ends", theme::is_low(ui.ctx())));
    let known = ui.data(|data| data.get_temp::<f32>(id)).unwrap_or_default();
    let drawn = ui.horizontal_wrapped(|ui| {
        let height = known.max(ui.spacing().interact_size.y);
        ui.set_row_height(height);
        left(ui);
        let mut rest = ui.available_size_before_wrap().x;
        if rest < width {
            ui.end_row();
            ui.set_row_height(height);
            rest = ui.available_size_before_wrap().x;
        }
        if rest < width {
            right(ui);
            return known;
        }
        // A hair less: rounding is no reason for another line.
        ui.add_space((rest - width - theme::LINE / 2.0).max(0.0));
        let layout = Layout::left_to_right(Align::Center);
        let right = ui.allocate_ui_with_layout(vec2(width, height), layout, right);
        right.response.rect.height()
    });
    if (drawn.inner - known).abs() > theme::LINE {
        ui.data_mut(|data| data.insert_temp(id, drawn.inner));
        ui.ctx().request_discard("the height of a line");
    }
}

/// How wide a field is with a button behind it; all of the line where less than `least` would be left, and the button
/// goes to the next one.
pub fn room_beside_button(ui: &Ui, button: &str, least: f32) -> f32 {
    let room = ui.available_width();
    let beside = room - button_width(ui, button) - theme::GAP;
    match beside >= least {
        true => beside,
        false => room,
    }
}

/// Words and links one behind the other, on lines as close as those of a text.
pub fn flow<R>(ui: &mut Ui, content: impl FnOnce(&mut Ui) -> R) -> R {
    let usual = ui.spacing().interact_size.y;
    // Before: the first line is as high as it says.
    ui.spacing_mut().interact_size.y = theme::TEXT_LINE;
    let inner = ui.horizontal_wrapped(content).inner;
    ui.spacing_mut().interact_size.y = usual;
    inner
}

/// The buttons at the end of a dialog, from the right; on as many lines as they need.
pub fn answers(ui: &mut Ui, content: impl FnOnce(&mut Ui)) {
    let size = vec2(ui.available_width(), theme::CONTROL_HEIGHT + theme::GRID);
    let layout = Layout::right_to_left(Align::Center).with_main_wrap(true);
    ui.allocate_ui_with_layout(size, layout, content);
}

pub fn title(text: &str) -> RichText {
    RichText::new(text).font(theme::strong_font(theme::TITLE))
}

pub fn strong(text: impl Into<String>) -> RichText {
    RichText::new(text).font(theme::strong_font(theme::BODY))
}

pub fn muted(ui: &Ui, text: impl Into<String>) -> RichText {
    RichText::new(text).color(palette(ui).muted)
}

pub fn icon(icon: Icon, color: Color32) -> RichText {
    RichText::new(char::from(icon).to_string())
        .font(FontId::new(theme::ICON, theme::icons()))
        .color(color)
}

/// A sentence that wants to be seen; its lines stand beside the icon.
pub fn sentence(ui: &mut Ui, symbol: Icon, color: Color32, text: &str) {
    ui.horizontal_top(|ui| {
        ui.label(icon(symbol, color));
        ui.add(egui::Label::new(RichText::new(text).color(color)).wrap());
    });
}

/// The same with a word to click behind it. Says whether it was clicked.
pub fn sentence_with_link(
    ui: &mut Ui,
    symbol: Icon,
    color: Color32,
    text: &str,
    word: &str,
) -> bool {
    ui.horizontal_top(|ui| {
        ui.label(icon(symbol, color));
        flow(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            ui.colored_label(color, text);
            link(ui, word).clicked()
        })
    })
    .inner
}

/// Where the keyboard is.
pub fn focus_ring(ui: &Ui, response: &Response) {
    if response.gained_focus() {
        // It may be below what is in sight.
        response.scroll_to_me(None);
    }
    if response.has_focus() {
        ui.painter().rect_stroke(
            response.rect.expand(theme::FOCUS_LINE),
            CornerRadius::same(theme::RADIUS_CONTROL),
            Stroke::new(theme::FOCUS_LINE, palette(ui).link),
            StrokeKind::Outside,
        );
    }
}

/// A word on a coloured ground.
pub fn badge(ui: &mut Ui, text: &str, front: Color32, back: Color32) -> Response {
    let words = ui
        .painter()
        .layout_no_wrap(text.to_owned(), theme::small_font(), front);
    let size = words.size() + theme::BADGE_PADDING * 2.0;
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
    ui.painter()
        .rect_filled(rect, CornerRadius::same(u8::MAX), back);
    ui.painter()
        .galley(rect.min + theme::BADGE_PADDING, words, front);
    response
}

/// How wide [`badge`] is.
pub fn badge_width(ui: &Ui, text: &str) -> f32 {
    let color = palette(ui).text;
    let words = ui
        .painter()
        .layout_no_wrap(text.to_owned(), theme::small_font(), color);
    words.size().x + theme::BADGE_PADDING.x * 2.0
}

/// A square with an icon, at the left of a row.
pub fn tile(ui: &mut Ui, symbol: Icon, color: Color32) {
    let (rect, _) = ui.allocate_exact_size(Vec2::splat(theme::TILE), Sense::hover());
    let radius = CornerRadius::same(theme::RADIUS_CONTROL);
    ui.painter().rect_filled(rect, radius, palette(ui).inset);
    ui.painter().text(
        rect.center(),
        Align2::CENTER_CENTER,
        char::from(symbol),
        FontId::new(theme::ICON, theme::icons()),
        color,
    );
}

/// A name on one line, shortened in the middle; the tooltip has all of it.
pub fn name_label(ui: &mut Ui, name: &str, font: FontId, color: Color32, width: f32) -> Response {
    let shown = {
        let painter = ui.painter();
        elide_middle(name, |text| {
            painter
                .layout_no_wrap(text.to_owned(), font.clone(), color)
                .size()
                .x
                <= width
        })
    };
    let cut = shown != name;
    let set = set_from_left(&shown);
    let turned = *set != *shown;
    let text = WidgetText::from(RichText::new(set).font(font).color(color));
    let response = ui.add(egui::Label::new(text).extend());
    if turned {
        response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &shown));
    }
    if cut {
        response.on_hover_text(name)
    } else {
        response
    }
}

/// Gives a control without a visible label its name.
pub fn named(response: &Response, role: Role, name: &str) {
    let enabled = response.enabled();
    response.widget_info(|| WidgetInfo::labeled(role, enabled, name));
}
