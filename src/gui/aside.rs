//! What takes its time and is done on a short-lived thread, so that no frame waits for it.

use std::sync::mpsc::{Receiver, TryRecvError, channel};

use egui::Context;

/// At most one at a time.
pub struct Aside<T> {
    open: Option<Receiver<T>>,
}

impl<T> Default for Aside<T> {
    fn default() -> Self {
        Self { open: None }
    }
}

/// Its thread has ended without an answer: a defect of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoAnswer;

impl<T: Send + 'static> Aside<T> {
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// `false`: it is still at the one before, or there is no thread for it.
    pub fn start(
        &mut self,
        thread: &str,
        work: impl FnOnce() -> T + Send + 'static,
        context: &Context,
    ) -> bool {
        if self.open.is_some() {
            return false;
        }
        let (answer, answered) = channel();
        let context = context.clone();
        let started = std::thread::Builder::new()
            .name(thread.into())
            .spawn(move || {
                // The window may be gone by then.
                let _ = answer.send(work());
                context.request_repaint();
            });
        match started {
            Ok(_detached) => self.open = Some(answered),
            Err(error) => tracing::warn!(%error, thread, "there is no thread"),
        }
        self.open.is_some()
    }

    /// What came of it, once.
    pub fn poll(&mut self) -> Option<Result<T, NoAnswer>> {
        let answer = match self.open.as_ref()?.try_recv() {
            Ok(answer) => Ok(answer),
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => Err(NoAnswer),
        };
        self.open = None;
        Some(answer)
    }
}
