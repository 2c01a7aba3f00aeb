//! The diagnostic report, made on a thread of its own, since it reads files.

use std::sync::mpsc::{Receiver, TryRecvError, channel};

use egui::Context;

/// At most one is being made; a second wish is ignored while it is.
#[derive(Default)]
pub struct Reporting {
    made: Option<Receiver<String>>,
}

impl Reporting {
    pub fn start(&mut self, make: impl FnOnce() -> String + Send + 'static, context: &Context) {
        if self.made.is_some() {
            return;
        }
        let (answer, made) = channel();
        let context = context.clone();
        let started = std::thread::Builder::new()
            .name("report".into())
            .spawn(move || {
                // The window may be gone by then.
                let _ = answer.send(make());
                context.request_repaint();
            });
        match started {
            Ok(_detached) => self.made = Some(made),
            Err(error) => tracing::warn!(%error, "no thread for a report"),
        }
    }

    /// The text, once.
    pub fn poll(&mut self) -> Option<String> {
        let made = self.made.as_ref()?.try_recv();
        if made != Err(TryRecvError::Empty) {
            self.made = None;
        }
        made.ok()
    }
}
