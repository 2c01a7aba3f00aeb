//! F1: the keys, and the ways on: the connection doctor, and the end of the program.

use egui::{Context, Grid, Label, RichText, Ui, vec2};

use super::{Scope, Want};
use crate::gui::{keys, theme, widgets};

/// Draws the dialog; `false` when it was closed.
pub fn help_ui(context: &Context, scope: &mut Scope) -> bool {
    let texts = scope.texts;
    let mut open = true;
    let dismissed = widgets::wide_dialog(context, "help", |ui| {
        ui.label(widgets::title(texts.hands.keys_title).size(theme::LARGE));
        ui.add(Label::new(widgets::muted(ui, texts.hands.keys_about)).wrap());
        for (title, rows) in keys::listed(context, &texts.hands) {
            ui.add_space(theme::GAP);
            ui.label(widgets::strong(title));
            keys_ui(ui, title, &rows);
        }
        ui.add_space(theme::SECTION);
        widgets::answers(ui, |ui| {
            let done = widgets::primary(ui, true, texts.done);
            if ui.memory(|memory| memory.focused().is_none()) {
                done.request_focus();
            }
            open = !done.clicked();
            if widgets::button(ui, texts.doctor).clicked() {
                open = false;
                scope.want(Want::OpenDoctor(None));
            }
            // At the other end, if there is room.
            let rest = ui.available_size_before_wrap().x;
            ui.add_space((rest - widgets::link_width(ui, texts.hands.quit)).max(0.0));
            if widgets::link(ui, texts.hands.quit).clicked() {
                open = false;
                scope.want(Want::Quit);
            }
        });
    });
    open && !dismissed
}

fn keys_ui(ui: &mut Ui, title: &str, rows: &[keys::Row]) {
    let palette = theme::palette(ui);
    if ui.available_width() < theme::KEYS_COLUMN * 2.0 {
        for (keys, what) in rows {
            let keys = RichText::new(keys).monospace().size(theme::SMALL);
            ui.add_space(theme::GRID);
            ui.spacing_mut().item_spacing.y = 0.0;
            ui.add(Label::new(keys.color(palette.text)).wrap());
            ui.add(Label::new(widgets::muted(ui, *what)).wrap());
        }
        return;
    }
    let grid = Grid::new(title)
        .num_columns(2)
        .min_col_width(theme::KEYS_COLUMN)
        .min_row_height(theme::SECTION)
        .spacing(vec2(theme::SECTION, theme::GRID));
    grid.show(ui, |ui| {
        for (keys, what) in rows {
            let keys = RichText::new(keys).monospace().size(theme::SMALL);
            ui.label(keys.color(palette.text));
            ui.add(Label::new(widgets::muted(ui, *what)).wrap());
            ui.end_row();
        }
    });
}
