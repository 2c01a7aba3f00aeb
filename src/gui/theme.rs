//! The one place for colours, sizes, spacing and fonts.
//!
//! Two palettes with semantic names, a type scale of five sizes, a grid of four points. Nothing
//! else in the window names a colour or a size.

use std::sync::Arc;

use egui::epaint::text::{FontInsert, FontPriority, InsertFontFamily};
use egui::style::ScrollAnimation;
use egui::{
    Color32, Context, CornerRadius, FontData, FontFamily, FontId, Margin, Shadow, Stroke, Style,
    TextStyle, Theme, Vec2, Visuals,
};

use super::desktop::Looks;

/// Colours by meaning. Text on its surface has a contrast of at least 4.5.
#[derive(Clone, Copy, Debug)]
pub struct Palette {
    pub background: Color32,
    pub card: Color32,
    /// A surface within a card.
    pub inset: Color32,
    /// A text field, and the ground of what lies in a hollow.
    pub field: Color32,
    /// A hollow in a card, and what is chosen in it.
    pub well: Color32,
    pub raised: Color32,
    pub border: Color32,
    /// Of a switch that is off: to be seen without its border.
    pub off: Color32,
    /// Between two of a kind.
    pub hairline: Color32,
    pub text: Color32,
    pub muted: Color32,
    pub accent: Color32,
    pub on_accent: Color32,
    /// Links and icons in the accent's colour.
    pub link: Color32,
    pub accent_soft: Color32,
    pub ok: Color32,
    pub ok_soft: Color32,
    pub warn: Color32,
    pub warn_soft: Color32,
    pub danger: Color32,
    pub danger_soft: Color32,
    pub knob: Color32,
    pub dim: Color32,
    /// Over everything, while files are held over the window.
    pub over: Color32,
}

const fn rgb(hex: u32) -> Color32 {
    Color32::from_rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

pub const DARK: Palette = Palette {
    background: rgb(0x0d_15_26),
    card: rgb(0x1a_22_35),
    inset: rgb(0x23_2d_40),
    field: rgb(0x0f_17_2a),
    well: rgb(0x10_18_2a),
    raised: rgb(0x2a_36_4d),
    border: rgb(0x3a_46_5c),
    off: rgb(0x71_80_99),
    hairline: rgb(0x2b_35_49),
    text: rgb(0xf1_f5_f9),
    muted: rgb(0xa3_b1_c6),
    accent: rgb(0x25_63_eb),
    on_accent: rgb(0xff_ff_ff),
    link: rgb(0x7a_b0_ff),
    accent_soft: rgb(0x1c_34_63),
    ok: rgb(0x4a_de_80),
    ok_soft: rgb(0x14_38_2a),
    warn: rgb(0xfb_bf_24),
    warn_soft: rgb(0x43_33_0f),
    danger: rgb(0xfc_8b_8b),
    danger_soft: rgb(0x4a_1c_24),
    knob: rgb(0xff_ff_ff),
    dim: Color32::from_black_alpha(160),
    over: Color32::from_rgb(0x14, 0x22, 0x3f),
};

pub const LIGHT: Palette = Palette {
    background: rgb(0xe9_ee_f6),
    card: rgb(0xff_ff_ff),
    inset: rgb(0xf2_f5_fa),
    field: rgb(0xff_ff_ff),
    well: rgb(0xe6_ec_f5),
    raised: rgb(0xff_ff_ff),
    border: rgb(0xcb_d5_e3),
    off: rgb(0x7c_8a_a0),
    hairline: rgb(0xe2_e8_f1),
    text: rgb(0x0f_17_2a),
    muted: rgb(0x4a_59_70),
    accent: rgb(0x25_63_eb),
    on_accent: rgb(0xff_ff_ff),
    link: rgb(0x1d_4e_d8),
    accent_soft: rgb(0xdb_e7_ff),
    ok: rgb(0x15_6c_36),
    ok_soft: rgb(0xdc_f5_e4),
    warn: rgb(0x92_40_0e),
    warn_soft: rgb(0xfd_ee_cf),
    danger: rgb(0xb4_1f_1f),
    danger_soft: rgb(0xfd_e3_e3),
    knob: rgb(0xff_ff_ff),
    dim: Color32::from_black_alpha(96),
    over: Color32::from_rgb(0xea, 0xf2, 0xff),
};

/// The palette of what is drawn now.
pub fn palette(ui: &egui::Ui) -> &'static Palette {
    of(ui.visuals().dark_mode)
}

pub fn palette_of(context: &Context) -> &'static Palette {
    of(context.theme() == Theme::Dark)
}

fn of(dark: bool) -> &'static Palette {
    if dark { &DARK } else { &LIGHT }
}

/// The type scale, in points.
pub const SMALL: f32 = 12.0;
pub const BODY: f32 = 14.0;
pub const TITLE: f32 = 16.0;
pub const LARGE: f32 = 20.0;
pub const HUGE: f32 = 28.0;
/// Icons beside body text.
pub const ICON: f32 = 16.0;

/// The grid: everything is a multiple of it.
pub const GRID: f32 = 4.0;
pub const GAP: f32 = 8.0;
pub const SECTION: f32 = 16.0;
/// Between two cards, besides the gap that is always there.
pub const CARD_GAP: f32 = 8.0;
pub const CARD_PADDING: i8 = 14;
pub const CARD_SIDE: i8 = 18;
pub const INSET_PADDING: i8 = 14;
pub const WINDOW_MARGIN: i8 = 20;
/// Above and below the top line.
pub const HEADER_MARGIN: i8 = 12;

pub const RADIUS_SMALL: u8 = 3;
pub const RADIUS_CONTROL: u8 = 6;
pub const RADIUS_CARD: u8 = 10;
pub const RADIUS_DIALOG: u8 = 14;

pub const CONTROL_HEIGHT: f32 = 34.0;
/// Of the one button, left and right of its words.
pub const PRIMARY_PADDING: f32 = 18.0;
pub const ROW_HEIGHT: f32 = 30.0;
/// A transfer's row without its details.
pub const ROW_BLOCK: f32 = 54.0;
/// Between the lines of a row and its bar.
pub const ROW_LINE_GAP: f32 = 6.0;
pub const BADGE_PADDING: Vec2 = Vec2::new(10.0, 4.0);
pub const TEXT_LINE: f32 = 18.0;
pub const TILE: f32 = 32.0;
/// The keys on the help page.
pub const KEYS_COLUMN: f32 = 150.0;
/// A known device in the settings.
pub const KNOWN_ROW: f32 = 44.0;
/// A device to choose, and the middle of the icon in it.
pub const DEVICE_HEIGHT: f32 = 60.0;
pub const DEVICE_ICON: f32 = 24.0;
pub const DEVICE_WIDTH: f32 = 176.0;
/// How high it is in a low window.
pub const LOW_DEVICE: f32 = 50.0;
/// There, of a line without a control in it, and between two.
pub const LOW_LINE: f32 = 26.0;
pub const LOW_GAP: f32 = 6.0;
/// Between a card's icon and its words.
pub const DEVICE_TEXT: f32 = 48.0;
/// From so wide a card on, an address stands in it at full size.
pub const ADDRESS_FROM: f32 = 220.0;
/// Of the height of a picture with a word below it, where the picture's middle is.
pub const PICTURE_MIDDLE: f32 = 0.4;
/// The program's mark, and the stations in it.
pub const MARK: Vec2 = Vec2::new(28.0, 24.0);
/// Where in it the rope begins and ends, what hangs on it, and the cabin's corners.
pub const ROPE: [Vec2; 2] = [Vec2::new(0.08, 0.18), Vec2::new(0.92, 0.40)];
pub const HANGER: [Vec2; 2] = [Vec2::new(0.5, 0.29), Vec2::new(0.5, 0.5)];
pub const CABIN: [Vec2; 2] = [Vec2::new(0.29, 0.48), Vec2::new(0.71, 0.96)];
pub const STATION: f32 = 2.5;
/// A round surface that holds one line.
pub const PILL_HEIGHT: f32 = 32.0;
pub const PILL_PADDING: f32 = 14.0;
/// The rim of a hollow.
pub const WELL_PADDING: f32 = 3.0;
/// What is said while files are held over the window.
pub const OVERLAY_ICON: f32 = 56.0;
/// A symbol to compare, with its word.
pub const PICTURE: Vec2 = Vec2::new(116.0, 104.0);
pub const PICTURE_ICON: f32 = 44.0;
pub const BAR_HEIGHT: f32 = 6.0;
pub const SWITCH: Vec2 = Vec2::new(44.0, 24.0);
pub const SWITCH_INSET: f32 = 3.0;
/// How much of its colour is left of what cannot be pressed: to be read, and to be told from what can.
pub const DISABLED: f32 = 0.7;
pub const PLOT: Vec2 = Vec2::new(150.0, 34.0);
/// In a line of words.
pub const PLOT_LOW: Vec2 = Vec2::new(96.0, 18.0);
pub const PLOT_LINE: f32 = 1.5;
pub const LABEL_COLUMN: f32 = 104.0;
/// What can be done with a transfer.
pub const ACTIONS_COLUMN: f32 = 300.0;
/// The same where it takes only what it needs.
pub const ACTIONS_LEAST: f32 = 190.0;
/// Of a row's width, at most; the other device has the rest.
pub const ROW_NAME_SHARE: f32 = 0.6;
pub const DIALOG_WIDTH: f32 = 420.0;
/// A dialog with sentences and commands.
pub const WIDE_DIALOG: f32 = 600.0;
pub const DIALOG_PADDING: i8 = 20;
pub const COMMAND_MARGIN: Margin = Margin::symmetric(10, 6);
pub const FIELD_WIDTH: f32 = 220.0;
pub const CODE_WIDTH: f32 = 160.0;
pub const PORT_WIDTH: f32 = 72.0;
pub const NAME_WIDTH: f32 = 180.0;
/// So much of a name is always shown.
pub const NAME_LEAST: f32 = 48.0;
pub const LIST_HEIGHT: f32 = 190.0;
pub const LOW_LIST: f32 = 120.0;
pub const TALKS_WIDTH: f32 = 280.0;
/// Of the thread's width, at most.
pub const BUBBLE_SHARE: f32 = 0.72;
pub const UNDER_HEIGHT: f32 = 22.0;
pub const COMPOSER_ROWS: usize = 6;
pub const COMPOSER_HEIGHT: f32 = 140.0;
pub const DETAILS_HEIGHT: f32 = 240.0;
/// Of a line in a list of failures; the reason has the rest.
pub const PATH_SHARE: f32 = 0.4;
/// Of a line that says more than a name; the rest has the rest.
pub const NAME_SHARE: f32 = 0.5;
/// A frame's line, and where its columns end or begin.
pub const WIRE_LINE: f32 = 19.0;
pub const WIRE_TIME: f32 = 62.0;
pub const WIRE_ARROW: f32 = 74.0;
pub const WIRE_KIND: f32 = 92.0;
pub const WIRE_NAME: f32 = 130.0;
pub const WIRE_BYTES: f32 = 318.0;
/// A speed or a size while it is typed.
pub const AMOUNT_WIDTH: f32 = 108.0;
pub const STATUS_DOT: f32 = 5.0;
/// From the middle of a device's icon to the dot that says it is connected.
pub const PRESENCE_OFFSET: f32 = 9.0;
/// Around a number that wants to be seen.
pub const COUNT_PADDING: Vec2 = Vec2::new(6.0, 2.0);
pub const BUBBLE_MARGIN: Margin = Margin::symmetric(12, 8);
pub const COMPOSER_MARGIN: Margin = Margin::symmetric(10, 8);
pub const FRAMES_HEIGHT: f32 = 270.0;
/// What a window keeps free around a dialog, both sides together.
pub const AROUND_DIALOG: f32 = 40.0;
/// A word that comes and goes, above the window's lower edge.
pub const TOAST_ABOVE: f32 = 28.0;
pub const TOAST_PADDING: Vec2 = Vec2::new(16.0, 4.0);
/// Where there is nothing: what is said about that, and its icon.
pub const EMPTY_HEIGHT: f32 = 150.0;
pub const EMPTY_LEAST: f32 = 100.0;
pub const EMPTY_WIDTH: f32 = 380.0;
pub const EMPTY_ICON: f32 = 40.0;
/// A conversation in a window that is too low for one.
pub const TALK_LEAST: f32 = 340.0;
/// Behind a frame's length: how it went with others.
pub const WIRE_SAID: f32 = 130.0;
/// Below this what can be done about a notice stands under it.
pub const NOTICE_BESIDE_FROM: f32 = 640.0;

/// Left and right of a choice's word, where there is room, and at least.
pub const SEGMENT_PADDING: f32 = 12.0;
pub const SEGMENT_LEAST: f32 = 5.0;
/// Below this a setting's control stands under its words.
pub const SETTING_BESIDE_FROM: f32 = 480.0;
/// From this on an offer's symbols stand beside what is offered.
pub const SYMBOLS_BESIDE_FROM: f32 = 960.0;
/// Four symbols side by side.
pub const SYMBOLS_WIDTH: f32 = 488.0;
pub const SETTINGS_HEIGHT: f32 = 560.0;
/// What the dialog of the settings needs besides its page, before that was measured.
pub const SETTINGS_REST: f32 = 140.0;
pub const LINE: f32 = 1.0;
pub const FOCUS_LINE: f32 = 2.0;
pub const DASH: f32 = 4.0;

/// Below these the window is a small one: narrow, low, or so low that nothing may stand still in it.
/// In points: where text is twice as large, a window has half as many.
pub const NARROW_BELOW: f32 = 400.0;
pub const LOW_BELOW: f32 = 760.0;
pub const FLAT_BELOW: f32 = 420.0;
/// Of what is beside or within something in a narrow window.
pub const NARROW_MARGIN: i8 = 8;
/// Below this a row has no icon before its words.
pub const TILE_FROM: f32 = 240.0;
/// The same of a large icon.
pub const ICON_FROM: f32 = 160.0;
/// Below this what is said of a thing stands under its name.
pub const BESIDE_NAME_FROM: f32 = 320.0;
/// A thing with its name above what is said of it.
pub const TWO_LINES: f32 = 46.0;
/// Below this the mark stands for the name of the program.
pub const TITLE_FROM: f32 = 560.0;
/// Below this the two panels stand one above the other.
pub const TWO_COLUMNS_FROM: f32 = 840.0;
/// Below this a label stands above a choice that it is about.
pub const LABELS_FROM: f32 = 480.0;
/// With less room a hint stands above the buttons it is about.
pub const HINT_LEAST: f32 = 220.0;
/// The same beside the button that sends, which is not to move for a longer number.
pub const SEND_HINT_LEAST: f32 = 170.0;
/// From this on a transfer's speed or its badge has a column of its own.
pub const ROW_WIDE_FROM: f32 = 1000.0;
/// Below this a transfer's buttons stand under its words.
pub const ROW_BESIDE_FROM: f32 = 720.0;
pub const WINDOW_SIZE: [f32; 2] = [1280.0, 860.0];
pub const WINDOW_MIN: [f32; 2] = [520.0, 480.0];

/// Of the handle of a scroll bar.
const HANDLE_OPACITY: f32 = 0.6;
/// Short enough to explain and be gone.
const MOTION_SECONDS: f32 = 0.12;

fn window(context: &Context) -> Vec2 {
    context.content_rect().size()
}

pub fn is_narrow(context: &Context) -> bool {
    window(context).x < NARROW_BELOW
}

/// Every line counts.
pub fn is_low(context: &Context) -> bool {
    window(context).y < LOW_BELOW
}

/// What stands still would leave no room for what scrolls.
pub fn is_flat(context: &Context) -> bool {
    window(context).y < FLAT_BELOW
}

fn or_narrow(context: &Context, usual: i8) -> i8 {
    match is_narrow(context) {
        true => NARROW_MARGIN,
        false => usual,
    }
}

/// Left and right of everything.
pub fn window_margin(context: &Context) -> i8 {
    or_narrow(context, WINDOW_MARGIN)
}

/// Within a card.
pub fn card_margin(context: &Context) -> Margin {
    let side = or_narrow(context, CARD_SIDE);
    Margin::symmetric(side, CARD_PADDING)
}

/// Within a surface that lies on a card.
pub fn inset_padding(context: &Context) -> i8 {
    or_narrow(context, INSET_PADDING)
}

/// Within a dialog.
pub fn dialog_padding(context: &Context) -> i8 {
    or_narrow(context, DIALOG_PADDING)
}

/// What the window has for a dialog's content.
pub fn dialog_room(context: &Context) -> Vec2 {
    let around = match is_narrow(context) || is_flat(context) {
        true => f32::from(NARROW_MARGIN) * 2.0,
        false => AROUND_DIALOG,
    };
    let padding = f32::from(dialog_padding(context)) * 2.0;
    window(context) - Vec2::splat(around + padding)
}

/// Lines closer to each other, where every one counts.
pub fn close_up(ui: &mut egui::Ui) {
    if is_low(ui.ctx()) {
        ui.spacing_mut().interact_size.y = LOW_LINE;
        ui.spacing_mut().item_spacing.y = LOW_GAP;
    }
}

/// Above and below the top line.
pub fn header_margin(context: &Context) -> i8 {
    match is_low(context) {
        true => NARROW_MARGIN,
        false => HEADER_MARGIN,
    }
}

/// How high a card of a device is.
pub fn device_height(context: &Context) -> f32 {
    match is_low(context) {
        true => LOW_DEVICE,
        false => DEVICE_HEIGHT,
    }
}

/// How much of a list is in sight.
pub fn list_height(context: &Context) -> f32 {
    match is_low(context) {
        true => LOW_LIST,
        false => LIST_HEIGHT,
    }
}

/// The family of headings and buttons; egui has no synthetic bold.
pub fn strong() -> FontFamily {
    FontFamily::Name("strong".into())
}

/// The icon family.
pub fn icons() -> FontFamily {
    FontFamily::Name("icons".into())
}

pub fn body_font() -> FontId {
    FontId::new(BODY, FontFamily::Proportional)
}

pub fn small_font() -> FontId {
    FontId::new(SMALL, FontFamily::Proportional)
}

/// Columns of numbers.
pub fn mono_font() -> FontId {
    FontId::new(SMALL, FontFamily::Monospace)
}

pub fn strong_font(size: f32) -> FontId {
    FontId::new(size, strong())
}

/// Fonts and both styles. Called once, before the first frame.
pub fn install(context: &Context) {
    install_fonts(context);
    context.style_mut_of(Theme::Dark, |style| apply(style, &DARK, Visuals::dark()));
    context.style_mut_of(Theme::Light, |style| apply(style, &LIGHT, Visuals::light()));
}

/// Does as the desktop wishes.
pub fn follow(context: &Context, looks: Looks) {
    if let Some(dark) = looks.dark {
        // What egui takes where the window system says nothing.
        let theme = if dark { Theme::Dark } else { Theme::Light };
        context.options_mut(|options| options.fallback_theme = theme);
    }
    context.all_styles_mut(|style| {
        let (seconds, scrolling) = match looks.still {
            true => (0.0, ScrollAnimation::none()),
            false => (MOTION_SECONDS, ScrollAnimation::default()),
        };
        style.animation_time = seconds;
        style.scroll_animation = scrolling;
        style.visuals.text_cursor.blink = !looks.still;
    });
}

fn install_fonts(context: &Context) {
    let strong = strong();
    let add = |name: &str, bytes: &'static [u8], families: &[(FontFamily, FontPriority)]| {
        let families = families
            .iter()
            .map(|(family, priority)| InsertFontFamily {
                family: family.clone(),
                priority: *priority,
            })
            .collect();
        context.add_font(FontInsert::new(
            name,
            FontData::from_static(bytes),
            families,
        ));
    };
    let text = FontFamily::Proportional;
    let highest = || FontPriority::Highest;
    let lowest = || FontPriority::Lowest;
    // Inserted last stands first: Latin from Inter, everything Chinese from Noto Sans SC.
    add(
        "noto-sc",
        include_bytes!("../../assets/fonts/NotoSansSC-Regular.otf"),
        &[(text.clone(), highest()), (FontFamily::Monospace, lowest())],
    );
    add(
        "inter",
        include_bytes!("../../assets/fonts/Inter-Regular.otf"),
        &[(text.clone(), highest())],
    );
    add(
        "inter-semibold",
        include_bytes!("../../assets/fonts/Inter-SemiBold.otf"),
        &[(strong.clone(), lowest())],
    );
    add(
        "noto-sc-bold",
        include_bytes!("../../assets/fonts/NotoSansSC-Bold.otf"),
        &[(strong.clone(), lowest())],
    );
    add(
        "lucide",
        lucide_icons::LUCIDE_FONT_BYTES,
        &[(icons(), lowest()), (text, lowest()), (strong, lowest())],
    );
}

fn apply(style: &mut Style, palette: &Palette, base: Visuals) {
    style.text_styles = [
        (TextStyle::Small, small_font()),
        (TextStyle::Body, body_font()),
        (TextStyle::Button, body_font()),
        (
            TextStyle::Monospace,
            FontId::new(BODY, FontFamily::Monospace),
        ),
        (TextStyle::Heading, strong_font(TITLE)),
    ]
    .into();
    style.animation_time = MOTION_SECONDS;
    let spacing = &mut style.spacing;
    spacing.item_spacing = Vec2::splat(GAP);
    spacing.button_padding = Vec2::new(12.0, 7.0);
    spacing.interact_size.y = CONTROL_HEIGHT;
    spacing.scroll = egui::style::ScrollStyle {
        // In the colour of text: that of a surface would not be seen on one.
        foreground_color: true,
        dormant_handle_opacity: HANDLE_OPACITY,
        active_handle_opacity: HANDLE_OPACITY,
        interact_handle_opacity: HANDLE_OPACITY,
        ..egui::style::ScrollStyle::thin()
    };
    spacing.window_margin = Margin::same(WINDOW_MARGIN);

    let mut visuals = base;
    visuals.panel_fill = palette.background;
    visuals.window_fill = palette.card;
    visuals.window_stroke = Stroke::NONE;
    visuals.window_corner_radius = CornerRadius::same(RADIUS_DIALOG);
    visuals.window_shadow = Shadow {
        offset: [0, 15],
        blur: 50,
        spread: 0,
        color: palette.dim,
    };
    visuals.popup_shadow = visuals.window_shadow;
    visuals.extreme_bg_color = palette.field;
    visuals.text_edit_bg_color = Some(palette.field);
    visuals.faint_bg_color = palette.inset;
    visuals.hyperlink_color = palette.link;
    visuals.override_text_color = None;
    visuals.weak_text_color = Some(palette.muted);
    visuals.selection.bg_fill = palette.accent_soft;
    visuals.selection.stroke = Stroke::new(FOCUS_LINE, palette.link);
    visuals.warn_fg_color = palette.warn;
    visuals.error_fg_color = palette.danger;
    visuals.disabled_alpha = DISABLED;
    let radius = CornerRadius::same(RADIUS_CONTROL);
    let widgets = &mut visuals.widgets;
    for (widget, fill, border) in [
        (&mut widgets.noninteractive, palette.card, palette.border),
        (&mut widgets.inactive, palette.inset, palette.border),
        (&mut widgets.hovered, palette.accent_soft, palette.link),
        (&mut widgets.active, palette.accent_soft, palette.accent),
        (&mut widgets.open, palette.accent_soft, palette.link),
    ] {
        widget.bg_fill = fill;
        widget.weak_bg_fill = fill;
        widget.bg_stroke = Stroke::new(LINE, border);
        widget.fg_stroke = Stroke::new(LINE, palette.text);
        widget.corner_radius = radius;
        widget.expansion = 0.0;
    }
    style.visuals = visuals;
}

/// The window's own icon, 256 × 256.
pub fn window_icon() -> Option<Arc<egui::IconData>> {
    eframe::icon_data::from_png_bytes(include_bytes!("../../assets/ropeway.png"))
        .ok()
        .map(Arc::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance (WCAG 2.2).
    fn luminance(color: Color32) -> f64 {
        let linear = |channel: u8| {
            let c = f64::from(channel) / 255.0;
            if c <= 0.040_45 {
                c / 12.92
            } else {
                ((c + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * linear(color.r()) + 0.7152 * linear(color.g()) + 0.0722 * linear(color.b())
    }

    fn contrast(one: Color32, other: Color32) -> f64 {
        let (a, b) = (luminance(one), luminance(other));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn what_is_held_or_ticked_is_seen_where_it_lies() {
        let context = Context::default();
        install(&context);
        for (theme, p) in [(Theme::Dark, DARK), (Theme::Light, LIGHT)] {
            let style = context.style_of(theme);
            let scroll = style.spacing.scroll;
            assert!(scroll.foreground_color, "{theme:?}");
            let handle = style.visuals.widgets.inactive.fg_stroke.color;
            let handle = handle.gamma_multiply(scroll.dormant_handle_opacity);
            for ground in [p.field, p.card, p.inset] {
                let shown = ground.blend(handle);
                let got = contrast(shown, ground);
                assert!(got >= 3.0, "{theme:?}: a handle has {got:.2}");
                let got = contrast(p.muted, ground);
                assert!(got >= 3.0, "{theme:?}: the rim of a box has {got:.2}");
            }
        }
    }

    #[test]
    fn text_can_be_read_on_every_surface_it_stands_on() {
        for (name, p) in [("dark", DARK), ("light", LIGHT)] {
            let pairs = [
                ("text on card", p.text, p.card),
                ("text on inset", p.text, p.inset),
                ("text on field", p.text, p.field),
                ("muted on field", p.muted, p.field),
                ("text chosen in a hollow", p.text, p.raised),
                ("muted in a hollow", p.muted, p.well),
                ("text on a chosen card", p.text, p.accent_soft),
                ("muted on a chosen card", p.muted, p.accent_soft),
                ("link on a chosen card", p.link, p.accent_soft),
                ("link on background", p.link, p.background),
                ("link on inset", p.link, p.inset),
                ("warn on inset", p.warn, p.inset),
                ("danger on inset", p.danger, p.inset),
                ("ok on inset", p.ok, p.inset),
                ("text on a warning", p.text, p.warn_soft),
                ("text on a danger", p.text, p.danger_soft),
                ("text on background", p.text, p.background),
                ("muted on card", p.muted, p.card),
                ("muted on inset", p.muted, p.inset),
                ("muted on background", p.muted, p.background),
                ("link on card", p.link, p.card),
                ("button", p.on_accent, p.accent),
                ("ok badge", p.ok, p.ok_soft),
                ("ok on card", p.ok, p.card),
                ("warn badge", p.warn, p.warn_soft),
                ("warn on card", p.warn, p.card),
                ("danger badge", p.danger, p.danger_soft),
                ("danger on card", p.danger, p.card),
                ("hovered button", p.text, p.accent_soft),
                ("a choice", p.muted, p.well),
                ("the chosen one", p.text, p.raised),
            ];
            for (what, front, back) in pairs {
                let got = contrast(front, back);
                assert!(got >= 4.5, "{name}: {what} has {got:.2}");
            }
            // No text, but to be found (WCAG 2.2, 1.4.11).
            for (what, front) in [("a switch", p.off), ("its knob", p.knob)] {
                let back = if what == "a switch" { p.card } else { p.off };
                let got = contrast(front, back);
                assert!(got >= 3.0, "{name}: {what} that is off has {got:.2}");
            }
        }
    }
}
