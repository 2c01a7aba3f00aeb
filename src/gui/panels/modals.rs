//! The question that is asked before something is ended.

use egui::{Context, Ui};

use crate::gui::texts::Texts;
use crate::gui::{theme, widgets};

/// A question with a main answer, other answers, and a way back.
pub struct Question<'a> {
    pub title: &'a str,
    pub text: String,
    /// In the order of the eye; the last one is the way back and what Escape means.
    pub answers: &'a [&'a str],
}

/// Gives the number of the answer that was chosen.
pub fn ask(context: &Context, id: &str, question: &Question) -> Option<usize> {
    let mut chosen = None;
    let dismissed = widgets::dialog(context, id, |ui| {
        ui.label(widgets::title(question.title));
        ui.add_space(theme::GAP);
        ui.label(&question.text);
        ui.add_space(theme::SECTION);
        chosen = answers(ui, question.answers);
    });
    if chosen.is_none() && dismissed {
        chosen = question.answers.len().checked_sub(1);
    }
    chosen
}

fn answers(ui: &mut Ui, answers: &[&str]) -> Option<usize> {
    let mut chosen = None;
    widgets::answers(ui, |ui| {
        for (index, answer) in answers.iter().enumerate().rev() {
            let way_back = index + 1 == answers.len();
            let response = if way_back {
                let response = widgets::primary(ui, true, answer);
                if ui.memory(|memory| memory.focused().is_none()) {
                    response.request_focus();
                }
                response
            } else {
                widgets::button(ui, answer)
            };
            if response.clicked() {
                chosen = Some(index);
            }
        }
    });
    chosen
}

/// What to do about transfers that are being received when the server is switched off.
pub fn stop_question(texts: &'static Texts, running: usize) -> (String, [&'static str; 3]) {
    let text = (texts.stop_text)(running as u64);
    (text, [texts.stop_now, texts.let_finish, texts.keep_on])
}
