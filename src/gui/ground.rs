//! What lies below everything.
//!
//! The window is cleared to a colour anyway. Where the processor paints, a layer over all of it costs as
//! much as everything on it, so panels have a colour of their own only in a picture that was cleared to
//! another one: it is cleared before it is known that the looks change.

use egui::{Color32, Context, Frame};

#[derive(Debug, Default)]
pub struct Ground {
    /// To which this picture was cleared; nothing is known of the first one.
    cleared: Option<Color32>,
    last: Option<Color32>,
}

impl Ground {
    /// Of the panels, in each pass.
    pub fn frame(&mut self, context: &Context) -> Frame {
        let color = context.global_style().visuals.panel_fill;
        if context.current_pass_index() == 0 {
            self.cleared = self.last;
        }
        self.last = Some(color);
        match self.cleared == self.last {
            true => Frame::NONE,
            false => Frame::NONE.fill(color),
        }
    }
}

#[cfg(test)]
mod tests {
    use egui::{RawInput, Theme};

    use super::*;

    #[test]
    fn a_picture_that_was_cleared_to_another_color_is_covered_in_all_its_passes() {
        let context = Context::default();
        let mut ground = Ground::default();
        let mut picture = |theme: Theme, passes: usize| {
            let mut fills = Vec::new();
            let output = context.run_ui(RawInput::default(), |ui| {
                ui.ctx().set_theme(theme);
                fills.push(ground.frame(ui.ctx()).fill);
                if fills.len() < passes {
                    ui.ctx().request_discard("another pass");
                }
            });
            output.drop_without_applying_deltas();
            fills
        };
        let [dark, light] =
            [Theme::Dark, Theme::Light].map(|theme| theme.default_visuals().panel_fill);
        let none = Frame::NONE.fill;
        assert_eq!(picture(Theme::Dark, 1), [dark]);
        assert_eq!(picture(Theme::Dark, 1), [none]);
        assert_eq!(picture(Theme::Light, 2), [light, light]);
        assert_eq!(picture(Theme::Light, 2), [none, none]);
    }
}
