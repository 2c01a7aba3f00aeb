//! The question that is asked before something is ended.

use egui::{Context, Ui};

use crate::gui::texts::Texts;
use crate::gui::{theme, widgets};

/// A question with a main answer, others, and a way back.
pub struct Question<'a> {
    pub title: &'a str,
    pub text: String,
    /// In the order of the eye; the last one is the main one.
    pub answers: &'a [&'a str],
    /// The number of the one that changes nothing, which is what Escape means.
    pub back: usize,
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
    chosen.or(dismissed.then_some(question.back))
}

fn answers(ui: &mut Ui, answers: &[&str]) -> Option<usize> {
    let mut chosen = None;
    widgets::answers(ui, |ui| {
        for (index, answer) in answers.iter().enumerate().rev() {
            let response = if index + 1 == answers.len() {
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

/// An answer to [`stop_question`], by its number.
pub const CANCEL: usize = 0;
pub const STAY_ON: usize = 1;
pub const LET_FINISH: usize = 2;

/// Whether what has arrived of a transfer is thrown away.
pub const GIVE_UP: usize = 0;
pub const KEEP: usize = 1;

/// What to do about transfers that are being received when the server is switched off: what is asked, what
/// is so, and the answers.
pub fn stop_question(
    texts: &'static Texts,
    running: usize,
) -> (&'static str, String, [&'static str; 3]) {
    let running = running as u64;
    let mut answers = [texts.keep_on; 3];
    answers[CANCEL] = (texts.stop_now)(running);
    answers[LET_FINISH] = (texts.let_finish)(running);
    (
        (texts.stop_title)(running),
        (texts.stop_text)(running),
        answers,
    )
}
