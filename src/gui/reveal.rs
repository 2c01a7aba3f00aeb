//! What is new comes into sight once, wherever the person has scrolled to; but nothing moves below somebody
//! who writes or scrolls.

use std::time::Duration;

use egui::{Context, Rect, Ui};

use crate::model::TransferId;

/// Who has just scrolled wants to see what is there.
const CALM_SECONDS: f64 = 2.0;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// What is to be sent, at its end.
    Picks,
    /// Who asks whether something may be sent.
    Offers,
    Row(TransferId),
}

#[derive(Default)]
pub struct Reveal {
    wanted: Option<What>,
    /// It has come by itself, and can wait.
    waits: bool,
    scrolled: Option<f64>,
}

impl Reveal {
    /// The person has just done that.
    pub fn mine(&mut self, what: What) {
        (self.wanted, self.waits) = (Some(what), false);
    }

    /// It has come by itself: what the person did has precedence.
    pub fn came(&mut self, what: What) {
        if self.wanted.is_none() || self.waits {
            (self.wanted, self.waits) = (Some(what), true);
        }
    }

    /// The page that is shown has nothing but offers above it: what belongs to another one is not waited for.
    pub fn offers_only(&mut self) {
        self.wanted.take_if(|wanted| *wanted != What::Offers);
    }

    /// It is over before it was seen.
    pub fn over(&mut self, what: What) {
        self.wanted.take_if(|wanted| *wanted == what);
    }

    /// Before anything is drawn; `busy`: a dialog is in the way.
    pub fn look(&mut self, context: &Context, busy: bool) {
        let writes = context.text_edit_focused();
        let (now, scrolls, holds) = context.input(|input| {
            let scrolls = input.smooth_scroll_delta() != egui::Vec2::ZERO;
            (input.time, scrolls, input.pointer.any_down())
        });
        if scrolls || holds {
            self.scrolled = Some(now);
        }
        let rest = self.scrolled.map_or(0.0, |at| at + CALM_SECONDS - now);
        if !self.waits || !(writes || busy || rest > 0.0) {
            self.waits = false;
        } else if matches!(self.wanted, Some(What::Offers)) {
            // Somebody waits for an answer.
            if rest > 0.0 {
                context.request_repaint_after(Duration::from_secs_f64(rest));
            }
        } else {
            self.wanted = None;
        }
    }

    /// Whether this is to come into sight now, once.
    pub fn takes(&mut self, what: What) -> bool {
        let taken = !self.waits && self.wanted == Some(what);
        if taken {
            self.wanted = None;
        }
        taken
    }

    /// Where it was drawn.
    pub fn show(&mut self, ui: &Ui, what: What, rect: Rect) {
        if self.takes(what) && rect.is_positive() {
            ui.scroll_to_rect(rect, None);
        }
    }
}
