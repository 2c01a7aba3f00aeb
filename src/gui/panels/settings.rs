//! Settings: each says what it does, acts at once and is saved at once.

mod advanced;
mod general;
mod network;
mod receiving;
pub mod rows;

use std::path::PathBuf;

use egui::{Context, ScrollArea, Ui};

use super::Scope;
use super::known::{KnownPanel, known_ui};
use crate::engine::KnownDevice;
use crate::gui::widgets::segmented;
use crate::gui::{theme, widgets};
use crate::settings::Settings;

/// The fields while they are edited.
pub struct SettingsDialog {
    page: Page,
    known: KnownPanel,
    /// Where everything is kept; nothing in a window that keeps nothing.
    data_dir: Option<PathBuf>,
    /// Whether the person is asked about the way back to the defaults.
    resetting: bool,
    name: String,
    folder: String,
    port: String,
    speed: String,
}

/// One of its pages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Page {
    General,
    Receiving,
    Network,
    Known,
    Advanced,
}

impl SettingsDialog {
    pub fn new(settings: &Settings, data_dir: Option<PathBuf>) -> Self {
        Self {
            page: Page::General,
            known: KnownPanel::default(),
            data_dir,
            resetting: false,
            name: settings.name.clone(),
            folder: settings.save_folder.to_string_lossy().into_owned(),
            port: settings.port.to_string(),
            speed: network::megabytes(settings.speed_limit),
        }
    }

    /// Opened at one of its pages.
    pub fn at(self, page: Page) -> Self {
        Self { page, ..self }
    }

    /// As if everything was kept there.
    pub fn keeping(self, data_dir: PathBuf) -> Self {
        let data_dir = Some(data_dir);
        Self { data_dir, ..self }
    }

    /// Opened at a known device.
    pub fn at_device(self, device: &KnownDevice) -> Self {
        Self {
            page: Page::Known,
            known: KnownPanel::at(device),
            ..self
        }
    }
}

/// Draws the dialog; `false` when it was closed.
pub fn settings_ui(
    context: &Context,
    scope: &mut Scope,
    settings: &Settings,
    devices: &[KnownDevice],
    dialog: &mut SettingsDialog,
) -> bool {
    let texts = scope.texts;
    let mut open = true;
    let dismissed = widgets::wide_dialog(context, "settings", |ui| {
        ui.label(widgets::title(texts.settings).size(theme::LARGE));
        ui.add_space(theme::GRID);
        let pages = [
            (Page::General, texts.set_general),
            (Page::Receiving, texts.set.receiving),
            (Page::Network, texts.set_network),
            (Page::Known, texts.known_devices),
            (Page::Advanced, texts.set_advanced),
        ];
        if let Some(page) = segmented(ui, texts.settings, dialog.page, &pages) {
            dialog.page = page;
            dialog.resetting = false;
        }
        ui.add_space(theme::GAP);
        // One height for all pages: nothing jumps from one to the other. In a low window the dialog
        // scrolls, and what scrolls within it would be too low to read.
        let rest_id = ui.scope_id().with("rest");
        let rest = ui.data(|data| data.get_temp::<f32>(rest_id));
        let rest = rest.unwrap_or(theme::SETTINGS_REST);
        let height = theme::dialog_room(context).y - rest;
        let page_top = ui.cursor().top();
        if height < theme::LIST_HEIGHT {
            page_ui(ui, scope, settings, devices, dialog);
        } else {
            let height = height.min(theme::SETTINGS_HEIGHT);
            ScrollArea::vertical()
                .id_salt("settings page")
                .max_height(height)
                .min_scrolled_height(height)
                .auto_shrink([false, false])
                .show(ui, |ui| page_ui(ui, scope, settings, devices, dialog));
        }
        let page = ui.min_rect().bottom() - page_top;
        ui.add_space(theme::GAP);
        let done = widgets::primary_width(ui, texts.done);
        widgets::ends(
            ui,
            done,
            |ui| _ = ui.label(widgets::muted(ui, texts.set.at_once).size(theme::SMALL)),
            |ui| open = !widgets::primary(ui, true, texts.done).clicked(),
        );
        // What stands around the page is as high as its words are.
        let drawn = ui.min_rect().height() - page;
        if (drawn - rest).abs() > theme::LINE / 2.0 {
            ui.data_mut(|data| data.insert_temp(rest_id, drawn));
            context.request_discard("what the settings' page leaves to the rest");
        }
    });
    open && !dismissed
}

fn page_ui(
    ui: &mut Ui,
    scope: &mut Scope,
    settings: &Settings,
    devices: &[KnownDevice],
    dialog: &mut SettingsDialog,
) {
    match dialog.page {
        Page::General => general::general_ui(ui, scope, settings, dialog),
        Page::Receiving => receiving::receiving_ui(ui, scope, settings, dialog),
        Page::Network => network::network_ui(ui, scope, settings, dialog),
        Page::Known => known_ui(ui, scope, settings, devices, &mut dialog.known),
        Page::Advanced => advanced::advanced_ui(ui, scope, settings, dialog),
    }
}
