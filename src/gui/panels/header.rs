//! The top line: the mark, this device's name (editable in place), the ways to conversations, help and settings.

use egui::accesskit::Role;
use egui::{
    CornerRadius, CursorIcon, Frame, Key, Margin, Sense, Stroke, TextEdit, Ui, WidgetInfo, pos2,
    vec2,
};
use lucide_icons::Icon;

use super::{Scope, Want};
use crate::gui::format::{elide_middle, set_from_left};
use crate::gui::{keys, theme, widgets};
use crate::model::DeviceName;

/// The name while it is being edited.
#[derive(Default)]
pub struct NameEditor {
    text: Option<String>,
}

/// The way to conversations and back.
pub struct TalksButton {
    pub unread: usize,
    pub open: bool,
}

pub fn header_ui(
    ui: &mut Ui,
    scope: &mut Scope,
    name: &str,
    talks: TalksButton,
    editor: &mut NameEditor,
) {
    let fits = Fits::of(ui, scope, &talks);
    ui.horizontal(|ui| {
        if fits.mark {
            widgets::mark(ui);
        }
        if fits.title {
            ui.label(widgets::title("Ropeway"));
        }
        // The buttons at the right are drawn last, as the eye goes, and have their room all the same.
        let buttons_width = buttons_width(ui, scope, &talks, fits.word);
        let taken = match fits.one_line {
            true => buttons_width + theme::SECTION,
            false => 0.0,
        };
        let room = ui.available_width() - taken;
        match &mut editor.text {
            None => {
                if name_pill(ui, scope, name, room).clicked() {
                    editor.text = Some(name.to_owned());
                }
            }
            Some(_) => edit(ui, scope, name, editor, room),
        }
        if fits.one_line {
            let right = ui.available_size_before_wrap();
            ui.add_space(right.x - buttons_width);
            buttons(ui, scope, &talks, fits.word);
        }
    });
    if !fits.one_line {
        ui.horizontal(|ui| buttons(ui, scope, &talks, fits.word));
    }
}

/// What there is room for. It goes in this order: the program's name, the word on the way to
/// conversations, the mark, and being one line.
struct Fits {
    title: bool,
    word: bool,
    mark: bool,
    one_line: bool,
}

impl Fits {
    fn of(ui: &Ui, scope: &Scope, talks: &TalksButton) -> Self {
        let room = ui.available_width();
        let mark = theme::MARK.x + theme::GAP;
        let name = theme::NAME_LEAST + theme::PILL_PADDING * 2.0 + theme::GAP + theme::BODY;
        let rest = |word| room - name - theme::SECTION - buttons_width(ui, scope, talks, word);
        let word = rest(true) >= mark;
        Self {
            title: room >= theme::TITLE_FROM,
            word,
            mark: rest(word) >= mark,
            one_line: rest(word) >= 0.0,
        }
    }
}

/// This device's name; a click makes it a field.
fn name_pill(ui: &mut Ui, scope: &Scope, name: &str, room: f32) -> egui::Response {
    let palette = theme::palette(ui);
    let texts = scope.texts;
    let lay = |text: &str, font: egui::FontId, color| {
        ui.painter().layout_no_wrap(text.to_owned(), font, color)
    };
    let pencil = lay(
        &char::from(Icon::Pencil).to_string(),
        egui::FontId::new(theme::BODY, theme::icons()),
        palette.muted,
    );
    let strong = || theme::strong_font(theme::BODY);
    let label = lay(texts.this_device, theme::body_font(), palette.muted);
    let ends = theme::PILL_PADDING * 2.0 + theme::GAP + pencil.size().x;
    let full = lay(name, strong(), palette.text).size().x + label.size().x + theme::GAP + ends;
    let labelled = full <= room;
    let before = if labelled {
        label.size().x + theme::GAP
    } else {
        0.0
    };
    let for_name = (room - ends - before).max(theme::NAME_LEAST);
    let shown = elide_middle(name, |text| {
        lay(text, strong(), palette.text).size().x <= for_name
    });
    let called = lay(&set_from_left(&shown), strong(), palette.text);
    let size = vec2(before + called.size().x + ends, theme::PILL_HEIGHT);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, texts.rename));
    ui.ctx().accesskit_node_builder(response.id, |node| {
        node.set_description(name);
    });
    let fill = if response.hovered() {
        palette.accent_soft
    } else {
        palette.card
    };
    let painter = ui.painter();
    painter.rect_filled(rect, CornerRadius::same(u8::MAX), fill);
    let mut left = rect.left() + theme::PILL_PADDING;
    let words = labelled.then_some(label).into_iter();
    for galley in words.chain([called, pencil]) {
        let at = pos2(left, rect.center().y - galley.size().y / 2.0);
        left += galley.size().x + theme::GAP;
        painter.galley(at, galley, palette.text);
    }
    widgets::focus_ring(ui, &response);
    response
        .on_hover_cursor(CursorIcon::Text)
        .on_hover_text(format!("{name}\n{}", texts.rename))
}

fn edit(ui: &mut Ui, scope: &mut Scope, name: &str, editor: &mut NameEditor, room: f32) {
    let Some(text) = &mut editor.text else { return };
    let palette = theme::palette(ui);
    let width = (room - theme::PILL_PADDING * 2.0).clamp(theme::NAME_LEAST, theme::NAME_WIDTH);
    let drawn = Frame::new()
        .fill(palette.field)
        .stroke(Stroke::new(theme::FOCUS_LINE, palette.link))
        .corner_radius(CornerRadius::same(u8::MAX))
        .inner_margin(Margin::symmetric(theme::PILL_PADDING as i8, 0))
        .show(ui, |ui| {
            ui.set_height(theme::PILL_HEIGHT - theme::FOCUS_LINE * 2.0);
            let field = TextEdit::singleline(text)
                .frame(Frame::NONE)
                .desired_width(width)
                .font(theme::strong_font(theme::BODY))
                .char_limit(DeviceName::MAX_CHARS)
                .align(egui::Align2::LEFT_CENTER);
            ui.add(field)
        });
    let response = drawn.inner;
    widgets::named(&response, Role::TextInput, scope.texts.rename);
    if response.lost_focus() {
        let escaped = ui.input(|input| input.key_pressed(Key::Escape));
        let new = text.trim().to_owned();
        editor.text = None;
        if !escaped && !new.is_empty() && new != name {
            scope.want(Want::Rename(new));
        }
    } else if !response.has_focus() {
        response.request_focus();
    }
}

/// The word on the way to conversations and back.
fn talks_word(scope: &Scope, talks: &TalksButton) -> &'static str {
    match talks.open {
        true => scope.texts.transfers,
        false => scope.texts.talks,
    }
}

fn buttons_width(ui: &Ui, scope: &Scope, talks: &TalksButton, with_word: bool) -> f32 {
    let unread = if talks.open { 0 } else { talks.unread };
    let word = match with_word {
        true => widgets::counted_button_width(ui, talks_word(scope, talks), unread),
        false => widgets::icon_button_width(),
    };
    let gap = ui.spacing().item_spacing.x;
    word + (widgets::icon_button_width() + gap) * 2.0
}

fn buttons(ui: &mut Ui, scope: &mut Scope, talks: &TalksButton, with_word: bool) {
    let texts = scope.texts;
    let word = talks_word(scope, talks);
    let response = match (with_word, talks.open, talks.unread) {
        (true, true, _) | (true, false, 0) => widgets::button(ui, word),
        (true, false, unread) => widgets::counted_button(ui, word, unread),
        (false, true, _) => widgets::icon_button(ui, Icon::ArrowUpDown, word),
        (false, false, unread) => {
            widgets::counted_icon_button(ui, Icon::MessagesSquare, word, unread)
        }
    };
    let keys = keys::name(ui.ctx(), &keys::TALKS);
    if response.on_hover_text(keys).clicked() {
        scope.want(match talks.open {
            true => Want::ShowTransfers,
            false => Want::OpenTalks,
        });
    }
    let help = widgets::icon_button(ui, Icon::CircleQuestionMark, texts.hands.keys_title);
    if help
        .on_hover_text(keys::name(ui.ctx(), &keys::HELP))
        .clicked()
    {
        scope.want(Want::OpenHelp);
    }
    if widgets::icon_button(ui, Icon::Settings, texts.settings).clicked() {
        scope.want(Want::OpenSettings);
    }
}
