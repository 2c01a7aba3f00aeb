//! What has become of the things that were picked for a send, while it waited for its device.

use std::path::PathBuf;

use egui::Ui;

use super::Scope;
use super::transfers::beside_the_tile;
use crate::gui::theme;
use crate::gui::view::{Row, RowState};
use crate::model::displayable;

/// Below the row, as long as it is not over.
pub(super) fn picks_ui(ui: &mut Ui, scope: &Scope, row: &Row) {
    if matches!(row.state, RowState::Ended(_)) {
        return;
    }
    let texts = scope.texts;
    let color = theme::palette(ui).warn;
    let lines = [
        (!row.gone.is_empty()).then(|| (texts.picks_gone)(&names(scope, &row.gone))),
        (!row.changed.is_empty()).then(|| (texts.picks_changed)(&names(scope, &row.changed))),
    ];
    let lines: Vec<_> = lines.into_iter().flatten().collect();
    if lines.is_empty() {
        return;
    }
    beside_the_tile(ui, |ui| {
        for line in lines {
            let words = egui::RichText::new(line).size(theme::SMALL).color(color);
            ui.add(egui::Label::new(words).wrap());
        }
    });
    ui.add_space(theme::GRID);
}

fn names(scope: &Scope, places: &[PathBuf]) -> String {
    const SHOWN: usize = 2;
    let all = places.iter().take(SHOWN).map(|place| {
        let name = place.file_name().unwrap_or(place.as_os_str());
        displayable(&name.to_string_lossy())
    });
    let all: Vec<_> = all.collect();
    let names = all.join(scope.texts.picks_between);
    match places.len().saturating_sub(SHOWN) {
        0 => names,
        more => (scope.texts.names_and_others)(&names, more as u64),
    }
}
