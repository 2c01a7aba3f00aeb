//! What stands where there is nothing yet: in the middle, an icon and a sentence that says what to do.

use egui::{Label, Ui};
use lucide_icons::Icon;

use crate::gui::{theme, widgets};

/// `title` may be empty.
pub fn empty_ui(ui: &mut Ui, symbol: Icon, title: &str, words: &str) {
    let muted = theme::palette(ui).muted;
    let above = (ui.available_height() - theme::EMPTY_HEIGHT) / 2.0;
    ui.add_space(above.max(theme::GAP));
    ui.vertical_centered(|ui| {
        let width = ui.available_width().min(theme::EMPTY_WIDTH);
        ui.set_max_width(width);
        ui.label(widgets::icon(symbol, muted).size(theme::EMPTY_ICON));
        ui.add_space(theme::GRID);
        if !title.is_empty() {
            ui.label(widgets::title(title));
        }
        ui.add(Label::new(widgets::muted(ui, words)).wrap());
    });
}
