//! The devices that are known: how it stands with each, what it may, and how to be rid of it.

use std::path::PathBuf;
use std::time::SystemTime;

use egui::{Align, Layout, Response, TextEdit, Ui, vec2};
use lucide_icons::Icon;

use super::empty::empty_ui;
use super::{Scope, Want};
use crate::engine::Command;
use crate::engine::KnownDevice;
use crate::gui::format::hours_since;
use crate::gui::widgets::segmented;
use crate::gui::{theme, widgets};
use crate::model::{Bond, DeviceId, DeviceName, Rule};
use crate::settings::Settings;

/// In the unit that is typed.
const SIZE_UNIT_BYTES: f64 = 1e9;

/// What is kept between frames.
#[derive(Default)]
pub struct KnownPanel {
    /// At most one is unfolded.
    open: Option<Open>,
}

impl KnownPanel {
    /// With one of them unfolded.
    pub fn at(device: &KnownDevice) -> Self {
        Self {
            open: Some(Open::new(device)),
        }
    }
}

/// The fields of the device that is unfolded.
struct Open {
    device: DeviceId,
    label: Field,
    folder: Field,
    max_size: Field,
    /// Forgetting is asked once.
    forgetting: bool,
}

impl Open {
    fn new(device: &KnownDevice) -> Self {
        let (folder, max_bytes) = limits(&device.rule);
        Self {
            device: device.id,
            label: Field::new(device.shown().to_string()),
            folder: Field::new(shown_folder(folder.as_ref())),
            max_size: Field::new(shown_size(max_bytes)),
            forgetting: false,
        }
    }
}

/// A text that acts when its field is left, once.
struct Field {
    text: String,
    said: String,
}

impl Field {
    fn new(text: String) -> Self {
        let said = text.clone();
        Self { text, said }
    }

    /// What is to be said now; follows what became of it, and what was chosen elsewhere.
    fn left(&mut self, response: &Response, present: &str) -> Option<&str> {
        if response.lost_focus() {
            if self.text.trim() == self.said {
                return None;
            }
            self.text.trim().clone_into(&mut self.said);
            return Some(&self.said);
        }
        if !response.has_focus() && self.said != present {
            *self = Self::new(present.to_owned());
        }
        None
    }
}

fn limits(rule: &Rule) -> (Option<PathBuf>, Option<u64>) {
    match rule {
        Rule::Accept { folder, max_bytes } => (folder.clone(), *max_bytes),
        Rule::Ask | Rule::Never => (None, None),
    }
}

fn shown_folder(folder: Option<&PathBuf>) -> String {
    folder
        .map(|folder| folder.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn shown_size(max_bytes: Option<u64>) -> String {
    max_bytes
        .map(|bytes| (bytes as f64 / SIZE_UNIT_BYTES).to_string())
        .unwrap_or_default()
}

/// `Some(None)` for any size; `None` if it is no size.
fn typed_size(typed: &str) -> Option<Option<u64>> {
    let typed = typed.trim().replace(',', ".");
    if typed.is_empty() {
        return Some(None);
    }
    let units: f64 = typed.parse().ok()?;
    let range = 1e-6..=1e6;
    range
        .contains(&units)
        .then_some(Some((units * SIZE_UNIT_BYTES) as u64))
}

pub fn known_ui(
    ui: &mut Ui,
    scope: &mut Scope,
    settings: &Settings,
    devices: &[KnownDevice],
    panel: &mut KnownPanel,
) {
    let texts = scope.texts;
    if devices.is_empty() {
        return empty_ui(ui, Icon::Laptop, texts.no_known, texts.no_known_hint);
    }
    for device in devices {
        ui.push_id(device.id, |ui| {
            let fill = theme::palette(ui).inset;
            widgets::inset(ui, fill, |ui| {
                device_ui(ui, scope, settings, device, panel);
            });
        });
    }
}

fn device_ui(
    ui: &mut Ui,
    scope: &mut Scope,
    settings: &Settings,
    device: &KnownDevice,
    panel: &mut KnownPanel,
) {
    headline(ui, scope, device, panel);
    if let Some(open) = &mut panel.open
        && open.device == device.id
    {
        let mut stays = true;
        ui.add_space(theme::GRID);
        ui.separator();
        ui.add_space(theme::GRID);
        ui.vertical(|ui| {
            if device.bond != Bond::Blocked {
                label_ui(ui, scope, device, open);
            }
            if device.bond == Bond::Paired {
                rule_ui(ui, scope, settings, device, open);
            }
            stays = end_ui(ui, scope, device, open);
        });
        if !stays {
            panel.open = None;
        }
    }
}

fn headline(ui: &mut Ui, scope: &Scope, device: &KnownDevice, panel: &mut KnownPanel) {
    let texts = scope.texts;
    let palette = theme::palette(ui);
    let is_open = |panel: &KnownPanel| {
        let open = panel.open.as_ref();
        open.is_some_and(|open| open.device == device.id)
    };
    let name = device.shown().as_str();
    let (symbol, color) = match device.bond {
        Bond::Paired => (Icon::Laptop, palette.ok),
        Bond::Wished => (Icon::Hourglass, palette.muted),
        Bond::ForgottenThere => (Icon::TriangleAlert, palette.warn),
        Bond::Blocked => (Icon::Ban, palette.danger),
    };
    let size = vec2(ui.available_width(), theme::KNOWN_ROW);
    ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| {
        if ui.available_width() >= theme::ICON_FROM {
            widgets::tile(ui, symbol, color);
            ui.add_space(theme::GRID);
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let arrow = match is_open(panel) {
                true => Icon::ChevronUp,
                false => Icon::ChevronDown,
            };
            if widgets::icon_button(ui, arrow, &(texts.details_of)(name)).clicked() {
                panel.open = match is_open(panel) {
                    true => None,
                    false => Some(Open::new(device)),
                };
            }
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing.y = theme::GRID / 2.0;
                ui.add_space(theme::GRID);
                let width = ui.available_width();
                let font = theme::strong_font(theme::BODY);
                widgets::name_label(ui, name, font, palette.text, width)
                    .on_hover_text(device.id.short());
                let met = (texts.met)(hours_since(device.met, SystemTime::now()));
                let about = format!("{} · {met}", (texts.bond)(device.bond));
                let about = widgets::muted(ui, about).size(theme::SMALL);
                ui.add(egui::Label::new(about).truncate());
            });
        });
    });
}

fn line(ui: &mut Ui, label: &str, content: impl FnOnce(&mut Ui, egui::Id)) {
    if ui.available_width() < theme::SETTING_BESIDE_FROM {
        let label = ui.label(widgets::muted(ui, label));
        ui.horizontal_wrapped(|ui| content(ui, label.id));
        return;
    }
    ui.horizontal(|ui| {
        // What is asked for begins in one line below each other.
        let left = ui.cursor().left();
        let label = ui.label(widgets::muted(ui, label));
        let used = ui.cursor().left() - left;
        ui.add_space((theme::LABEL_COLUMN - used).max(0.0));
        content(ui, label.id);
    });
}

fn label_ui(ui: &mut Ui, scope: &mut Scope, device: &KnownDevice, open: &mut Open) {
    line(ui, scope.texts.device_label, |ui, label| {
        let field = TextEdit::singleline(&mut open.label.text)
            .char_limit(DeviceName::MAX_CHARS)
            .hint_text(device.name.as_str())
            .align(egui::Align2::LEFT_CENTER)
            .desired_width(theme::FIELD_WIDTH.min(ui.available_width()));
        let response = ui.add(field).labelled_by(label);
        if let Some(typed) = open.label.left(&response, device.shown().as_str()) {
            // Its own name, or nothing: as it calls itself, whatever that will be.
            let own = typed.is_empty() || typed == device.name.as_str();
            let label = (!own).then(|| DeviceName::cleaned(typed, device.name.as_str()));
            scope.want(Want::Engine(Command::LabelDevice(device.id, label)));
        }
    });
}

fn rule_ui(
    ui: &mut Ui,
    scope: &mut Scope,
    settings: &Settings,
    device: &KnownDevice,
    open: &mut Open,
) {
    let texts = scope.texts;
    let accepts = matches!(device.rule, Rule::Accept { .. });
    let kind = |rule: &Rule| match rule {
        Rule::Ask => 0,
        Rule::Accept { .. } => 1,
        Rule::Never => 2,
    };
    let now = kind(&device.rule);
    let all = [
        (0, texts.rule_ask),
        (1, texts.rule_accept),
        (2, texts.rule_never),
    ];
    let mut chosen = None;
    line(ui, texts.rule, |ui, _label| {
        chosen = segmented(ui, texts.rule, now, &all);
    });
    if let Some(chosen) = chosen.filter(|chosen| *chosen != now) {
        let rule = match chosen {
            0 => Rule::Ask,
            1 => Rule::Accept {
                folder: None,
                max_bytes: None,
            },
            _never => Rule::Never,
        };
        scope.want(Want::Engine(Command::SetRule(device.id, rule)));
    }
    if accepts {
        accept_ui(ui, scope, settings, device, open);
    }
}

/// Where to, and how much at most.
fn accept_ui(
    ui: &mut Ui,
    scope: &mut Scope,
    settings: &Settings,
    device: &KnownDevice,
    open: &mut Open,
) {
    let texts = scope.texts;
    let (folder, max_bytes) = limits(&device.rule);
    let set = |folder, max_bytes| {
        let rule = Rule::Accept { folder, max_bytes };
        Want::Engine(Command::SetRule(device.id, rule))
    };
    line(ui, texts.rule_folder, |ui, label| {
        let hint = crate::model::displayable(&settings.save_folder.to_string_lossy());
        let room = ui.available_width();
        let beside = room - widgets::link_width(ui, texts.change) - theme::GAP;
        let width = if beside >= theme::CODE_WIDTH {
            beside
        } else {
            room
        };
        let field = TextEdit::singleline(&mut open.folder.text)
            .hint_text(hint)
            .align(egui::Align2::LEFT_CENTER)
            .desired_width(width);
        let response = ui.add(field).labelled_by(label);
        let present = shown_folder(folder.as_ref());
        if let Some(typed) = open.folder.left(&response, &present) {
            let path = (!typed.is_empty()).then(|| PathBuf::from(typed));
            if path.as_ref().is_none_or(|path| path.is_absolute()) {
                scope.want(set(path, max_bytes));
            }
        }
        if widgets::link(ui, texts.change).clicked() {
            scope.want(Want::PickRuleFolder(device.id));
        }
    });
    line(ui, texts.rule_size, |ui, label| {
        let field = TextEdit::singleline(&mut open.max_size.text)
            .char_limit(9)
            .hint_text(texts.rule_any_size)
            .align(egui::Align2::LEFT_CENTER)
            .desired_width(theme::AMOUNT_WIDTH);
        let response = ui.add(field).labelled_by(label);
        let color = match typed_size(&open.max_size.text) {
            Some(_) => theme::palette(ui).muted,
            None => theme::palette(ui).danger,
        };
        ui.colored_label(color, texts.size_unit);
        ui.label(widgets::muted(ui, texts.rule_size_hint).size(theme::SMALL));
        let typed = open.max_size.left(&response, &shown_size(max_bytes));
        if let Some(limit) = typed.and_then(typed_size) {
            scope.want(set(folder.clone(), limit));
        }
    });
}

/// The way out; `false` when it was taken.
fn end_ui(ui: &mut Ui, scope: &mut Scope, device: &KnownDevice, open: &mut Open) -> bool {
    let texts = scope.texts;
    let palette = theme::palette(ui);
    let mut stays = true;
    // Not one more of the choices above it.
    ui.add_space(theme::GAP);
    ui.horizontal_wrapped(|ui| {
        let word = match device.bond {
            Bond::Blocked => texts.unblock,
            Bond::Wished | Bond::Paired | Bond::ForgottenThere => texts.forget,
        };
        if open.forgetting {
            let question = (texts.forget_question)(device.shown().as_str());
            ui.colored_label(palette.warn, question);
        }
        if widgets::button(ui, word).clicked() {
            if open.forgetting || device.bond == Bond::Blocked {
                scope.want(Want::Engine(Command::ForgetDevice(device.id)));
                stays = false;
            } else {
                open.forgetting = true;
            }
        } else if open.forgetting && widgets::button(ui, texts.keep).clicked() {
            open.forgetting = false;
        }
    });
    stays
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_typed_in_gigabytes_or_left_out() {
        assert_eq!(typed_size(""), Some(None));
        assert_eq!(typed_size(" 2 "), Some(Some(2_000_000_000)));
        assert_eq!(typed_size("0,5"), Some(Some(500_000_000)));
        for wrong in ["0", "-1", "many", "1e9", "NaN", "inf"] {
            assert_eq!(typed_size(wrong), None, "{wrong}");
        }
        assert_eq!(shown_size(Some(500_000_000)), "0.5");
        assert_eq!(shown_size(None), "");
    }
}
