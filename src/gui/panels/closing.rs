//! What happens when the window is closed, while others may still send here or something runs.

use egui::Context;

use crate::gui::texts::Texts;
use crate::gui::{theme, widgets};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    Quit,
    /// The window goes; the engine goes on.
    Hide,
    /// The window stays.
    Stay,
}

/// `running`: transfers that are not finished; none if it is the server alone that would go on.
/// `hides`: it can be shown again; otherwise it is only made small.
pub fn closing_ui(
    context: &Context,
    texts: &'static Texts,
    running: usize,
    hides: bool,
) -> Option<Answer> {
    let words = &texts.hands;
    let mut answer = None;
    let dismissed = widgets::dialog(context, "closing", |ui| {
        let (title, text, hide, quit) = match running {
            0 => (
                words.close_title,
                words.close_text.to_owned(),
                words.close_hide,
                words.close_quit,
            ),
            running => (
                words.close_title_running,
                (words.close_text_running)(running as u64),
                words.close_hide_running,
                words.close_quit_running,
            ),
        };
        ui.label(widgets::title(title));
        ui.add_space(theme::GAP);
        ui.label(text);
        let back = match hides {
            true => words.close_back,
            false => words.close_back_small,
        };
        ui.label(back);
        if running == 0 {
            ui.add_space(theme::GAP);
            ui.label(widgets::muted(ui, words.close_kept));
        }
        ui.add_space(theme::SECTION);
        widgets::answers(ui, |ui| {
            let response = widgets::primary(ui, true, hide);
            if ui.memory(|memory| memory.focused().is_none()) {
                response.request_focus();
            }
            if response.clicked() {
                answer = Some(Answer::Hide);
            }
            for (word, means) in [(quit, Answer::Quit), (words.close_cancel, Answer::Stay)] {
                if widgets::button(ui, word).clicked() {
                    answer = Some(means);
                }
            }
        });
    });
    answer.or(dismissed.then_some(Answer::Stay))
}
