//! A word at the bottom of the window that something small was done, gone by itself.

use std::time::Duration;

use egui::accesskit::Live;
use egui::{Align2, Area, Context, CornerRadius, Frame, Id, Margin, Order, vec2};
use lucide_icons::Icon;

use super::{theme, widgets};

/// Long enough to be read.
const SHOWN: Duration = Duration::from_millis(1800);

#[derive(Default)]
pub struct Toast {
    /// What is said, and until when by the window's clock, in seconds.
    said: Option<(&'static str, f64)>,
}

impl Toast {
    pub fn say(&mut self, context: &Context, words: &'static str) {
        let now = context.input(|input| input.time);
        self.said = Some((words, now + SHOWN.as_secs_f64()));
    }

    pub fn ui(&mut self, context: &Context) {
        let Some((words, until)) = self.said else {
            return;
        };
        let left = until - context.input(|input| input.time);
        if left <= 0.0 {
            self.said = None;
            return;
        }
        context.request_repaint_after(Duration::from_secs_f64(left));
        let palette = theme::palette_of(context);
        Area::new(Id::unique("toast"))
            .order(Order::Tooltip)
            .interactable(false)
            .anchor(Align2::CENTER_BOTTOM, vec2(0.0, -theme::TOAST_ABOVE))
            .show(context, |ui| {
                Frame::popup(ui.style())
                    .fill(palette.text)
                    .corner_radius(CornerRadius::same(u8::MAX))
                    .inner_margin(Margin::from(theme::TOAST_PADDING))
                    .show(ui, |ui| {
                        ui.horizontal(|ui| {
                            ui.label(widgets::icon(Icon::Check, palette.card));
                            let response = ui.colored_label(palette.card, words);
                            ui.ctx().accesskit_node_builder(response.id, |node| {
                                node.set_live(Live::Polite);
                            });
                        });
                    });
            });
    }
}
