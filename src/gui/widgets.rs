//! The few controls that egui does not have in the look we want.

use egui::accesskit::Role;
use egui::{
    Align2, Button, Color32, Context, CornerRadius, FontId, Frame, Id, Key, Margin, Modal,
    ModalResponse, Modifiers, Pos2, Rect, Response, RichText, ScrollArea, Sense, Shape, Stroke,
    StrokeKind, TextWrapMode, Ui, UiBuilder, Vec2, WidgetInfo, WidgetText, pos2, vec2,
};
use lucide_icons::Icon;

use super::format::elide_middle;
use super::theme::{self, Palette, palette};

/// A calm surface for one subject.
pub fn card<R>(ui: &mut Ui, content: impl FnOnce(&mut Ui) -> R) -> R {
    Frame::new()
        .fill(palette(ui).card)
        .corner_radius(CornerRadius::same(theme::RADIUS_CARD))
        .inner_margin(Margin::same(theme::CARD_PADDING))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            content(ui)
        })
        .inner
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

/// A dialog over everything else. Says whether it was dismissed: Escape, or a click beside it.
pub fn dialog(context: &Context, id: &str, content: impl FnOnce(&mut Ui)) -> bool {
    modal(context, id, theme::DIALOG_WIDTH, content).should_close()
}

/// The same, for what would be hard to read in a narrow one; no wider than the window.
pub fn wide_dialog(context: &Context, id: &str, content: impl FnOnce(&mut Ui)) -> bool {
    let room = context.content_rect().width() - theme::AROUND_DIALOG;
    let width = theme::WIDE_DIALOG.min(room);
    modal(context, id, width, content).should_close()
}

/// A dialog that a click beside it does not end. Says whether Escape was pressed.
pub fn firm_dialog(context: &Context, id: &str, content: impl FnOnce(&mut Ui)) -> bool {
    let response = modal(context, id, theme::DIALOG_WIDTH, content);
    response.is_top_modal
        && !response.any_popup_open
        && context.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape))
}

fn modal(
    context: &Context,
    id: &str,
    width: f32,
    content: impl FnOnce(&mut Ui),
) -> ModalResponse<()> {
    let frame = Frame::popup(&context.global_style())
        .corner_radius(CornerRadius::same(theme::RADIUS_DIALOG))
        .inner_margin(Margin::same(theme::DIALOG_PADDING));
    let modal = Modal::new(Id::unique(id)).frame(frame);
    // A window may be lower than a dialog is.
    let height = context.content_rect().height() - theme::AROUND_DIALOG;
    modal.show(context, |ui| {
        ui.set_width(width);
        ScrollArea::vertical()
            .max_height(height)
            .min_scrolled_height(height)
            .show(ui, content);
    })
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
        .inner_margin(Margin::same(theme::INSET_PADDING))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            content(ui)
        })
        .inner
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
        ui.horizontal_wrapped(|ui| {
            // Lines as close as those of a text.
            ui.spacing_mut().interact_size.y = theme::TEXT_LINE;
            ui.spacing_mut().item_spacing.y = 0.0;
            ui.colored_label(color, text);
            link(ui, word).clicked()
        })
        .inner
    })
    .inner
}

/// The one button that a panel is about.
pub fn primary(ui: &mut Ui, enabled: bool, text: &str) -> Response {
    let palette = palette(ui);
    let (fill, front) = if enabled {
        (palette.accent, palette.on_accent)
    } else {
        (palette.inset, palette.muted)
    };
    let label = strong(text).color(front);
    let button = Button::new(label)
        .fill(fill)
        .stroke(Stroke::NONE)
        .min_size(vec2(0.0, theme::CONTROL_HEIGHT + theme::GRID));
    let response = ui.add_enabled(enabled, button);
    focus_ring(ui, &response);
    response
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
    let number = count.min(999).to_string();
    let words = ui
        .painter()
        .layout_no_wrap(number, theme::small_font(), palette.on_accent);
    let height = words.size().y + theme::BADGE_PADDING.y;
    let pill = vec2(
        (words.size().x + theme::COUNT_PADDING.x * 2.0).max(height),
        height,
    );
    let response = ui
        .scope(|ui| {
            let room = ui.spacing().button_padding.x;
            let galley = WidgetText::from(text).into_galley(
                ui,
                Some(TextWrapMode::Extend),
                f32::INFINITY,
                egui::TextStyle::Button,
            );
            let width = galley.size().x + room * 2.0 + theme::GAP + pill.x;
            let button = Button::new(galley)
                .min_size(vec2(width, theme::CONTROL_HEIGHT))
                .right_text("");
            ui.add(button)
        })
        .inner;
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

/// One of a few: a button that shows whether it is the one.
pub fn choice(ui: &mut Ui, chosen: bool, word: &str) -> bool {
    let palette = palette(ui);
    let (fill, stroke) = if chosen {
        (palette.accent_soft, palette.link)
    } else {
        (palette.inset, palette.border)
    };
    let button = Button::new(word)
        .fill(fill)
        .stroke(Stroke::new(theme::LINE, stroke))
        .min_size(vec2(theme::PORT_WIDTH, theme::CONTROL_HEIGHT));
    let response = ui.add(button);
    response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, chosen, word));
    focus_ring(ui, &response);
    response.clicked()
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

/// Where the keyboard is.
pub fn focus_ring(ui: &Ui, response: &Response) {
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
    let size = vec2(width, theme::DEVICE_HEIGHT);
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
    ui.painter().text(
        pos2(rect.left() + theme::DEVICE_ICON, rect.center().y),
        Align2::CENTER_CENTER,
        char::from(face.symbol),
        FontId::new(theme::ICON, theme::icons()),
        color,
    );
    let left = rect.left() + theme::DEVICE_ICON * 2.0 - theme::GRID;
    let room = rect.right() - theme::GAP - left;
    let line = |text: &str, font: FontId, color: Color32, y: f32, align: Align2| {
        let shown = elide_middle(text, |text| {
            let galley = ui
                .painter()
                .layout_no_wrap(text.to_owned(), font.clone(), color);
            galley.size().x <= room
        });
        ui.painter().text(pos2(left, y), align, shown, font, color);
    };
    let middle = rect.center().y;
    let strong = theme::strong_font(theme::BODY);
    let front = match face.faded && !chosen {
        true => palette.muted,
        false => palette.text,
    };
    line(face.name, strong, front, middle, Align2::LEFT_BOTTOM);
    let small = theme::small_font();
    line(face.about, small, palette.muted, middle, Align2::LEFT_TOP);
    focus_ring(ui, &response);
    response.on_hover_cursor(egui::CursorIcon::PointingHand)
}

/// Pictures with their words side by side; all together they are read as `words`.
pub fn pictures<const N: usize>(ui: &mut Ui, pictures: [(Icon, &str); N], words: &str) {
    let gap = theme::GAP;
    let count = N as f32;
    let room = (ui.available_width() - gap * (count - 1.0)) / count;
    let width = room.min(theme::PICTURE.x);
    let size = vec2(width * count + gap * (count - 1.0), theme::PICTURE.y);
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, words));
    let palette = palette(ui);
    let radius = CornerRadius::same(theme::RADIUS_CARD);
    let mut left = rect.left();
    for (symbol, word) in pictures {
        let tile = Rect::from_min_size(pos2(left, rect.top()), vec2(width, rect.height()));
        left = tile.right() + gap;
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
        ui.painter().text(
            pos2(tile.center().x, tile.bottom() - theme::GAP),
            Align2::CENTER_BOTTOM,
            word,
            theme::strong_font(theme::BODY),
            palette.text,
        );
    }
}

/// A thin bar; `name` is what a screen reader says.
pub fn bar(ui: &mut Ui, fraction: f32, color: Color32, name: &str) -> Response {
    let width = ui.available_width();
    let size = vec2(width, theme::BAR_HEIGHT);
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    let percent = f64::from((fraction * 100.0).round());
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ProgressIndicator, true, name);
        info.value = Some(percent);
        info
    });
    ui.ctx().accesskit_node_builder(response.id, |node| {
        node.set_min_numeric_value(0.0);
        node.set_max_numeric_value(100.0);
    });
    let radius = CornerRadius::same((theme::BAR_HEIGHT / 2.0) as u8);
    ui.painter()
        .rect_filled(rect, radius, palette(ui).field_or_border());
    if fraction > 0.0 {
        let filled = (rect.width() * fraction).max(theme::BAR_HEIGHT);
        let done = Rect::from_min_size(rect.min, vec2(filled, rect.height()));
        ui.painter().rect_filled(done, radius, color);
    }
    response
}

/// The last speeds as a small filled line.
pub fn plot(ui: &mut Ui, speeds: impl ExactSizeIterator<Item = u64> + Clone, palette: &Palette) {
    let (rect, _) = ui.allocate_exact_size(theme::PLOT, Sense::hover());
    let count = speeds.len();
    let most = speeds.clone().max().unwrap_or(0);
    if count < 2 || most == 0 {
        return;
    }
    let point = |(index, speed): (usize, u64)| -> Pos2 {
        let x = index as f32 / (count - 1) as f32;
        let y = speed as f32 / most as f32;
        pos2(
            rect.left() + rect.width() * x,
            rect.bottom() - (rect.height() - theme::FOCUS_LINE) * y,
        )
    };
    let line: Vec<Pos2> = speeds.enumerate().map(point).collect();
    let mut mesh = egui::Mesh::default();
    for (index, top) in line.iter().enumerate() {
        mesh.colored_vertex(*top, palette.accent_soft);
        mesh.colored_vertex(pos2(top.x, rect.bottom()), palette.accent_soft);
        if index > 0 {
            let at = 2 * index as u32;
            mesh.add_triangle(at - 2, at - 1, at);
            mesh.add_triangle(at - 1, at, at + 1);
        }
    }
    ui.painter().add(Shape::mesh(mesh));
    ui.painter()
        .add(Shape::line(line, Stroke::new(theme::LINE, palette.link)));
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
    let text = WidgetText::from(RichText::new(shown).font(font).color(color));
    let response = ui.add(egui::Label::new(text).extend());
    if cut {
        response.on_hover_text(name)
    } else {
        response
    }
}

impl Palette {
    /// The empty part of a bar.
    fn field_or_border(&self) -> Color32 {
        if self.field == self.card {
            self.border
        } else {
            self.field
        }
    }
}

/// Gives a control without a visible label its name.
pub fn named(response: &Response, role: Role, name: &str) {
    let enabled = response.enabled();
    response.widget_info(|| WidgetInfo::labeled(role, enabled, name));
}
