//! What a sender does besides knocking at a device that knows it and may not be reachable from here: it
//! asks that device to connect.

use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::time::{Duration, Instant};

use super::Sending;
use crate::engine::Shared;
use crate::engine::calls::{Called, Nonce};
use crate::engine::note::Note;
use crate::model::DeviceId;

/// Whoever can be reached answers sooner.
const ASKS_AFTER: Duration = Duration::from_millis(1500);
/// It has heard that by then, and has come.
const COMES_WITHIN: Duration = Duration::from_secs(8);
const LOOK_UP_EVERY: Duration = Duration::from_millis(50);

/// For one run; dropping it takes the request back.
pub(super) struct Calling<'a> {
    sending: &'a Sending,
    shared: &'a Shared,
    /// Remembers us, and is heard of; `None`: nobody is asked.
    device: Option<DeviceId>,
    begun: Instant,
    asked: std::cell::RefCell<Option<Asked>>,
}

struct Asked {
    nonce: Nonce,
    comes: Receiver<Called>,
    came: Option<Called>,
    /// Tells when the device is asked: one after the other is. Ends if it never will be.
    announced: Receiver<()>,
    at: Option<Instant>,
}

impl Asked {
    /// `false`: nobody can be asked.
    fn stands(&mut self) -> bool {
        let said = match self.at {
            Some(_) => return true,
            None => self.announced.try_recv(),
        };
        if said.is_ok() {
            self.at = Some(Instant::now());
        }
        said != Err(TryRecvError::Disconnected)
    }

    fn is_late(&self) -> bool {
        self.at.is_some_and(|at| at.elapsed() >= COMES_WITHIN)
    }
}

impl<'a> Calling<'a> {
    pub(super) fn new(sending: &'a Sending, shared: &'a Shared) -> Self {
        let known = |device: &DeviceId| {
            let paired = shared.known.pair_key(*device).is_some();
            paired && !shared.whereabouts.of(*device).is_empty()
        };
        Self {
            device: sending.device().filter(known),
            sending,
            shared,
            begun: Instant::now(),
            asked: std::cell::RefCell::new(None),
        }
    }

    /// To be asked again and again while it is dialled: the person does not want it any more, or the
    /// device has connected.
    pub(super) fn gives_up(&self) -> bool {
        if self.sending.stopped() {
            return true;
        }
        if self.begun.elapsed() >= ASKS_AFTER {
            self.ask();
        }
        let mut asked = self.asked.borrow_mut();
        let Some(asked) = asked.as_mut() else {
            return false;
        };
        asked.stands();
        if asked.came.is_none() {
            asked.came = asked.comes.try_recv().ok();
        }
        asked.came.is_some()
    }

    fn ask(&self) {
        let Some(device) = self.device else { return };
        let mut asked = self.asked.borrow_mut();
        if asked.is_none()
            && let Some((nonce, comes)) = self.shared.calls.wait(device)
        {
            let (sender, announced) = channel();
            let calls = Note::Calls(device, nonce, sender);
            self.sending.notes.send(calls);
            *asked = Some(Asked {
                nonce,
                comes,
                came: None,
                announced,
                at: None,
            });
        }
    }

    /// Nobody answered here: waits until the device has connected. `None`: it has not, or nobody was
    /// asked, or the person does not want it any more.
    pub(super) fn wait(&mut self) -> Option<Called> {
        if !self.sending.stopped() {
            self.ask();
        }
        let asked = self.asked.get_mut().as_mut()?;
        if let Some(called) = asked.came.take() {
            return Some(called);
        }
        while !self.sending.stopped() && asked.stands() && !asked.is_late() {
            match asked.comes.recv_timeout(LOOK_UP_EVERY) {
                Ok(called) => return Some(called),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        None
    }

    /// It was reached after all.
    pub(super) fn end(&mut self) {
        if let Some(asked) = self.asked.get_mut().take() {
            self.shared.calls.stop(&asked.nonce);
            self.sending.notes.send(Note::CallOver(asked.nonce));
        }
    }
}

impl Drop for Calling<'_> {
    fn drop(&mut self) {
        self.end();
    }
}
