//! The keys of the window, each once: what they do is asked here, and the help page lists them from here.

use egui::gui_zoom::kb_shortcuts::{ZOOM_IN, ZOOM_IN_SECONDARY, ZOOM_OUT, ZOOM_RESET};
use egui::{Context, Key, KeyboardShortcut, Modifiers};

use super::texts::HandsTexts;

const WITH_SHIFT: Modifiers = Modifiers::COMMAND.plus(Modifiers::SHIFT);

pub const PICK_FILES: KeyboardShortcut = KeyboardShortcut::new(Modifiers::COMMAND, Key::O);
pub const PICK_FOLDER: KeyboardShortcut = KeyboardShortcut::new(WITH_SHIFT, Key::O);
pub const SEND: KeyboardShortcut = KeyboardShortcut::new(Modifiers::COMMAND, Key::Enter);
pub const TALKS: KeyboardShortcut = KeyboardShortcut::new(WITH_SHIFT, Key::M);
pub const WIRE: KeyboardShortcut = KeyboardShortcut::new(WITH_SHIFT, Key::W);
pub const DOCTOR: KeyboardShortcut = KeyboardShortcut::new(WITH_SHIFT, Key::D);
pub const HELP: KeyboardShortcut = KeyboardShortcut::new(Modifiers::NONE, Key::F1);
pub const SETTINGS: KeyboardShortcut = KeyboardShortcut::new(Modifiers::COMMAND, Key::Comma);
pub const QUIT: KeyboardShortcut = KeyboardShortcut::new(Modifiers::COMMAND, Key::Q);
/// Never asked for: the system makes an event of its own of it.
const PASTE: KeyboardShortcut = KeyboardShortcut::new(Modifiers::COMMAND, Key::V);

/// Whether these keys were pressed. Of two with one key the one with more modifiers is asked for first, or
/// the other one would take it.
pub fn pressed(context: &Context, keys: &KeyboardShortcut) -> bool {
    context.input_mut(|input| input.consume_shortcut(keys))
}

/// How far the size of text goes, in percent of the usual one.
pub const ZOOM: std::ops::RangeInclusive<u16> = 50..=300;
pub const ZOOM_STEP: u16 = 10;
pub const USUAL_ZOOM: u16 = 100;

/// The size of text after the keys that were pressed.
pub fn zoomed(context: &Context, percent: u16) -> u16 {
    // Held down it may be pressed more than once between two pictures.
    let times = |keys: &KeyboardShortcut| {
        let (modifiers, key) = (keys.modifiers, keys.logical_key);
        let times = context.input_mut(|input| input.count_and_consume_key(modifiers, key));
        u16::try_from(times).unwrap_or_default()
    };
    let mut percent = percent;
    if times(&ZOOM_RESET) > 0 {
        percent = USUAL_ZOOM;
    }
    // On many keyboards plus is Shift with the key for the equals sign.
    let larger = times(&ZOOM_IN) + times(&ZOOM_IN_SECONDARY);
    percent = percent.saturating_add(larger.saturating_mul(ZOOM_STEP));
    percent = percent.saturating_sub(times(&ZOOM_OUT).saturating_mul(ZOOM_STEP));
    percent.clamp(*ZOOM.start(), *ZOOM.end())
}

/// Keys as they are written on them, and what they do.
pub type Row = (String, &'static str);

/// As they are written on the keys of this system.
pub fn name(context: &Context, keys: &KeyboardShortcut) -> String {
    let (word, sign) = (keys.logical_key.name(), keys.logical_key.symbol_or_name());
    let name = context.format_shortcut(keys);
    match name.strip_suffix(word) {
        Some(modifiers) => format!("{modifiers}{sign}"),
        None => name,
    }
}

/// What the help page lists: for sending, and for the window.
pub fn listed(context: &Context, texts: &'static HandsTexts) -> [(&'static str, Vec<Row>); 2] {
    let name = |keys: &KeyboardShortcut| name(context, keys);
    let sending = [
        (PICK_FILES, texts.key_files),
        (PICK_FOLDER, texts.key_folder),
        (PASTE, texts.key_paste),
        (SEND, texts.key_send),
    ];
    let window = [
        (TALKS, texts.key_talks),
        (SETTINGS, texts.key_settings),
        (WIRE, texts.key_wire),
        (DOCTOR, texts.key_doctor),
        (HELP, texts.key_help),
        (QUIT, texts.key_quit),
    ];
    let rows = |keys: &[(KeyboardShortcut, &'static str)]| -> Vec<Row> {
        keys.iter()
            .map(|(keys, what)| (name(keys), *what))
            .collect()
    };
    let mut window = rows(&window);
    let zoom = format!("{}, −, 0", name(&ZOOM_IN));
    window.extend([
        (zoom, texts.key_text_size),
        ("Tab, Shift+Tab".to_owned(), texts.key_move),
        ("Space, Enter".to_owned(), texts.key_press),
        ("Esc".to_owned(), texts.key_back),
    ]);
    [
        (texts.keys_send, rows(&sending)),
        (texts.keys_window, window),
    ]
}
