//! Devices to choose from, and symbols to compare.

use egui::accesskit::Role;
use egui::{
    Align2, Color32, CornerRadius, FontId, Frame, Rect, Response, RichText, Sense, Stroke,
    StrokeKind, TextEdit, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};
use lucide_icons::Icon;

use super::focus_ring;
use crate::gui::format::{elide_middle, set_from_left};
use crate::gui::theme::{self, palette};

const BETWEEN_STATES: &str = " · ";

/// What a device's card shows.
pub struct Face<'a> {
    pub symbol: Icon,
    pub name: &'a str,
    /// A few words about it.
    pub about: &'a str,
    /// It cannot take anything now.
    pub faded: bool,
}

/// One of several devices.
pub fn device_card(ui: &mut Ui, width: f32, chosen: bool, face: &Face) -> Response {
    let size = vec2(width, theme::device_height(ui.ctx()));
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, chosen, face.name));
    ui.ctx().accesskit_node_builder(response.id, |node| {
        node.set_description(face.about);
    });
    let palette = palette(ui);
    let marked = chosen || response.hovered();
    let fill = if marked {
        palette.accent_soft
    } else {
        palette.inset
    };
    let radius = CornerRadius::same(theme::RADIUS_CARD);
    ui.painter().rect_filled(rect, radius, fill);
    if chosen {
        let stroke = Stroke::new(theme::LINE, palette.link);
        ui.painter()
            .rect_stroke(rect, radius, stroke, StrokeKind::Inside);
    }
    let color = if chosen { palette.link } else { palette.muted };
    card_tile(ui, rect, face.symbol, color);
    let left = rect.left() + theme::DEVICE_TEXT;
    let room = rect.right() - theme::GAP - left;
    let fits = |text: &str, font: &FontId| {
        let galley = ui
            .painter()
            .layout_no_wrap(text.to_owned(), font.clone(), palette.text);
        galley.size().x <= room
    };
    let line = |shown: &str, font: FontId, color: Color32, y: f32, align: Align2| {
        let set = set_from_left(shown);
        ui.painter().text(pos2(left, y), align, set, font, color);
    };
    let middle = rect.center().y;
    let apart = theme::GRID / 2.0;
    let strong = theme::strong_font(theme::BODY);
    let front = match face.faded && !chosen {
        true => palette.muted,
        false => palette.text,
    };
    line(
        &elide_middle(face.name, |text| fits(text, &strong)),
        strong,
        front,
        middle + apart / 2.0,
        Align2::LEFT_BOTTOM,
    );
    let small = theme::small_font();
    line(
        &first_states(face.about, |text| fits(text, &small)),
        small,
        palette.muted,
        middle + apart,
        Align2::LEFT_TOP,
    );
    focus_ring(ui, &response);
    response.on_hover_cursor(egui::CursorIcon::PointingHand)
}

/// As many states as fit, the first ones: with its middle left out, a sentence may say the opposite.
pub fn first_states(about: &str, fits: impl Fn(&str) -> bool) -> String {
    let mut shown = about;
    while !fits(shown) {
        match shown.rsplit_once(BETWEEN_STATES) {
            Some((first, _)) => shown = first,
            None => return elide_end(shown, fits),
        }
    }
    shown.to_owned()
}

fn elide_end(text: &str, fits: impl Fn(&str) -> bool) -> String {
    let ends = text.char_indices().rev().map(|(at, _)| at);
    let mut shorter = ends.map(|at| format!("{}…", text[..at].trim_end()));
    shorter
        .find(|text| fits(text))
        .unwrap_or_else(|| "…".to_owned())
}

/// The icon at the left of a card.
fn card_tile(ui: &Ui, card: Rect, symbol: Icon, color: Color32) {
    let center = pos2(card.left() + theme::DEVICE_ICON, card.center().y);
    let tile = Rect::from_center_size(center, vec2(theme::TILE, theme::TILE));
    let radius = CornerRadius::same(theme::RADIUS_CONTROL);
    ui.painter().rect_filled(tile, radius, palette(ui).well);
    ui.painter().text(
        center,
        Align2::CENTER_CENTER,
        char::from(symbol),
        FontId::new(theme::ICON, theme::icons()),
        color,
    );
}

/// A card with a text field in it, beside those of devices; `label` is what the field is called, and `hint`
/// stands in it while it is empty. A click anywhere in it is a click in the field.
pub fn field_card(
    ui: &mut Ui,
    width: f32,
    (symbol, label, hint): (Icon, &str, &str),
    field: TextEdit<'_>,
) -> Response {
    let size = vec2(width, theme::device_height(ui.ctx()));
    let (rect, around) = ui.allocate_exact_size(size, Sense::hover());
    let behind = ui.painter().add(egui::Shape::Noop);
    let left = rect.left() + theme::DEVICE_TEXT;
    let right = rect.right() - theme::GAP;
    let middle = rect.center().y;
    let small = theme::small_font().size;
    let words = Rect::from_min_max(
        pos2(left, middle - small - theme::GAP),
        pos2(right, middle - theme::GRID / 2.0),
    );
    let line = Rect::from_min_max(
        pos2(left, middle - theme::GRID / 2.0),
        pos2(right, rect.bottom() - theme::GAP),
    );
    let mut within = |rect: Rect| {
        ui.new_child(
            UiBuilder::new()
                .max_rect(rect)
                .layout(egui::Layout::left_to_right(egui::Align::Center)),
        )
    };
    let mut above = within(words);
    let text = super::muted(&above, label).size(small);
    let label = above.label(text);
    let mut below = within(line);
    let font = match rect.width() >= theme::ADDRESS_FROM {
        true => theme::body_font(),
        false => theme::small_font(),
    };
    let field = field
        .hint_text(RichText::new(hint).font(font.clone()))
        .font(font)
        .frame(Frame::NONE)
        .margin(egui::Margin::ZERO)
        .desired_width(line.width());
    let response = below.add(field).labelled_by(label.id);
    // No widget of its own: it would cover the field, and be one more thing to Tab to.
    let over = around.contains_pointer();
    let pressed = ui.input(|input| input.pointer.primary_pressed());
    if over && pressed && !response.contains_pointer() {
        response.request_focus();
    }
    let palette = palette(ui);
    let radius = CornerRadius::same(theme::RADIUS_CARD);
    let (fill, line) = match (response.has_focus(), over) {
        (true, _) => (palette.field, Stroke::new(theme::FOCUS_LINE, palette.link)),
        (false, true) => (palette.accent_soft, Stroke::NONE),
        (false, false) => (palette.inset, Stroke::NONE),
    };
    let ground = egui::epaint::RectShape::new(rect, radius, fill, line, StrokeKind::Inside);
    ui.painter().set(behind, ground);
    card_tile(ui, rect, symbol, palette.muted);
    response
}

/// Pictures with their words side by side, or two by two where that is too narrow for their words; all
/// together they are read as `words`.
pub fn pictures<const N: usize>(ui: &mut Ui, pictures: [(Icon, &str); N], words: &str) {
    let gap = theme::GAP;
    let font = || theme::strong_font(theme::BODY);
    let palette = palette(ui);
    let lay = |word: &str| {
        let word = word.to_owned();
        ui.painter().layout_no_wrap(word, font(), palette.text)
    };
    let named = pictures.map(|(symbol, word)| (symbol, lay(word)));
    let least = named.iter().map(|(_, word)| word.size().x);
    let least = least.fold(theme::PICTURE_ICON, f32::max) + theme::GAP;
    let room = ui.available_width();
    let width_of = |count: usize| (room - gap * (count as f32 - 1.0)) / count as f32;
    let in_a_row = [N, N.div_ceil(2)];
    let in_a_row = in_a_row.into_iter().find(|count| width_of(*count) >= least);
    let in_a_row = in_a_row.unwrap_or(1);
    let tile = vec2(width_of(in_a_row).min(theme::PICTURE.x), theme::PICTURE.y);
    let all = |count: usize, one: f32| (one + gap) * count as f32 - gap;
    let lines = N.div_ceil(in_a_row);
    let size = vec2(all(in_a_row, tile.x), all(lines, tile.y));
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, words));
    let radius = CornerRadius::same(theme::RADIUS_CARD);
    for (index, (symbol, word)) in named.into_iter().enumerate() {
        let (column, line) = (index % in_a_row, index / in_a_row);
        let away = (tile + vec2(gap, gap)) * vec2(column as f32, line as f32);
        let tile = Rect::from_min_size(rect.min + away, tile);
        ui.painter().rect_filled(tile, radius, palette.inset);
        ui.painter().text(
            pos2(
                tile.center().x,
                tile.top() + tile.height() * theme::PICTURE_MIDDLE,
            ),
            Align2::CENTER_CENTER,
            char::from(symbol),
            FontId::new(theme::PICTURE_ICON, theme::icons()),
            palette.text,
        );
        let at = pos2(
            tile.center().x - word.size().x / 2.0,
            tile.bottom() - theme::GAP - word.size().y,
        );
        ui.painter().galley(at, word, palette.text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_device_is_never_cut_to_its_opposite() {
        let shown = |about: &str, most: usize| {
            first_states(about, |text: &str| text.chars().count() <= most)
        };
        let about = "needs its code again · not nearby";
        assert_eq!(shown(about, 40), about);
        assert_eq!(shown(about, 32), "needs its code again");
        assert_eq!(shown(about, 12), "needs its c…");
        assert_eq!(shown(about, 11), "needs its…");
        assert_eq!(shown(about, 0), "…");
    }
}
