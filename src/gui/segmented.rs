//! One of a few, side by side on one track: all of them can be read, the chosen one stands out.

use egui::accesskit::Role;
use egui::{Button, CornerRadius, Frame, Margin, RichText, Stroke, Ui, WidgetInfo, vec2};

use super::theme::{self, palette};
use super::widgets::focus_ring;

/// What was chosen, if something was. `about` is what it is a choice of, for screen readers.
pub fn segmented<T: Copy + PartialEq>(
    ui: &mut Ui,
    about: &str,
    now: T,
    all: &[(T, &str)],
) -> Option<T> {
    let colors = palette(ui);
    let mut chosen = None;
    // Narrow before they wrap, and not if they wrap all the same.
    let words: f32 = all.iter().map(|(_, word)| width(ui, word)).sum();
    let rim = 2.0 * f32::from(theme::TRACK_PADDING) + theme::LINE;
    let room = (ui.available_width() - rim - words) / (2.0 * all.len() as f32);
    let padding = match room < theme::SEGMENT_LEAST {
        true => theme::SEGMENT_PADDING,
        false => room.min(theme::SEGMENT_PADDING),
    };
    Frame::new()
        .fill(colors.well)
        .corner_radius(CornerRadius::same(theme::RADIUS_TRACK))
        .inner_margin(Margin::same(theme::TRACK_PADDING))
        .show(ui, |ui| {
            ui.spacing_mut().item_spacing = vec2(0.0, 0.0);
            ui.spacing_mut().button_padding = vec2(padding, theme::GRID);
            ui.horizontal_wrapped(|ui| {
                for (value, word) in all {
                    let is_now = *value == now;
                    let (fill, front) = match is_now {
                        true => (colors.raised, colors.text),
                        false => (colors.well, colors.muted),
                    };
                    let button = Button::new(RichText::new(*word).color(front))
                        .fill(fill)
                        .stroke(Stroke::NONE)
                        .wrap_mode(egui::TextWrapMode::Extend)
                        .min_size(vec2(0.0, theme::SEGMENT_HEIGHT));
                    let response = ui.add(button);
                    response.widget_info(|| {
                        WidgetInfo::selected(Role::RadioButton, true, is_now, *word)
                    });
                    ui.ctx().accesskit_node_builder(response.id, |node| {
                        node.set_description(about);
                    });
                    focus_ring(ui, &response);
                    if response.clicked() {
                        chosen = Some(*value);
                    }
                }
            });
        });
    chosen
}

fn width(ui: &Ui, word: &str) -> f32 {
    let color = palette(ui).text;
    let words = ui
        .painter()
        .layout_no_wrap(word.to_owned(), theme::body_font(), color);
    words.size().x.ceil()
}
