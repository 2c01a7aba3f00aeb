//! What a caller does besides knocking at a device that may not be reachable from here: it asks that
//! device to connect, and waits.
//!
//! A paired device does so by itself, and soon. Of any other one a person is asked, who takes a while.

use std::cell::RefCell;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::time::{Duration, Instant};

use super::{Called, Nonce};
use crate::engine::Shared;
use crate::engine::note::{Note, Notes};
use crate::engine::wire::Phase;
use crate::model::DeviceId;

/// Whoever can be reached answers sooner.
const ASKS_AFTER: Duration = Duration::from_millis(1500);
/// And no person is troubled because a packet was lost.
const ASKS_PERSON_AFTER: Duration = Duration::from_secs(3);
/// A paired device has heard that by then, and has come.
const COMES_WITHIN: Duration = Duration::from_secs(8);
/// A person has seen it by then and has clicked, or will not.
pub const PERSON_WITHIN: Duration = Duration::from_secs(180);
const LOOK_UP_EVERY: Duration = Duration::from_millis(50);

/// Who waits, and for whom.
pub struct Subject<'a> {
    /// The device that alone is meant; `None`: nobody is asked.
    pub device: Option<DeviceId>,
    /// Nobody here wants it any more.
    pub stopped: &'a dyn Fn() -> bool,
    /// Told once it is for a person there to let it connect.
    pub asks_person: &'a dyn Fn(),
}

/// For one run; dropping it takes the request back.
pub struct Calling<'a> {
    subject: Subject<'a>,
    /// A person there has to let it connect.
    by_person: bool,
    shared: &'a Shared,
    notes: &'a Notes,
    begun: Instant,
    asked: RefCell<Option<Asked>>,
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

    fn is_late(&self, within: Duration) -> bool {
        self.at.is_some_and(|at| at.elapsed() >= within)
    }
}

impl<'a> Calling<'a> {
    pub fn new(subject: Subject<'a>, shared: &'a Shared, notes: &'a Notes) -> Self {
        let pair_key = subject.device.and_then(|id| shared.known.pair_key(id));
        Self {
            by_person: pair_key.is_none(),
            subject,
            shared,
            notes,
            begun: Instant::now(),
            asked: RefCell::new(None),
        }
    }

    /// To be asked again and again while it is dialled: the person does not want it any more, or the
    /// device has connected.
    pub fn gives_up(&self) -> bool {
        if (self.subject.stopped)() {
            return true;
        }
        let after = match self.by_person {
            true => ASKS_PERSON_AFTER,
            false => ASKS_AFTER,
        };
        if self.begun.elapsed() >= after {
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

    /// Unless nobody has heard of it: then nobody would hear.
    fn ask(&self) {
        let heard = |device: &DeviceId| !self.shared.whereabouts.of(*device).is_empty();
        let Some(device) = self.subject.device.filter(heard) else {
            return;
        };
        let mut asked = self.asked.borrow_mut();
        if asked.is_none()
            && let Some((nonce, comes)) = self.shared.calls.wait(device)
        {
            let (sender, announced) = channel();
            let calls = Note::Calls(device, nonce, sender);
            self.notes.send(calls);
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
    pub fn wait(&mut self) -> Option<Called> {
        if !(self.subject.stopped)() {
            self.ask();
        }
        let (device, by_person) = (self.subject.device?, self.by_person);
        let asked = self.asked.get_mut().as_mut()?;
        if let Some(called) = asked.came.take() {
            return Some(called);
        }
        let within = match by_person {
            true => PERSON_WITHIN,
            false => COMES_WITHIN,
        };
        let trace = &self.notes.trace;
        let mut told = false;
        while !(self.subject.stopped)() && asked.stands() && !asked.is_late(within) {
            if let Some(at) = asked.at
                && !std::mem::replace(&mut told, true)
            {
                trace.phase(Phase::Calling, Some(at + within));
                if by_person {
                    (self.subject.asks_person)();
                }
            }
            // Nobody sits there any more.
            if by_person && self.shared.whereabouts.of(device).is_empty() {
                return None;
            }
            match asked.comes.recv_timeout(LOOK_UP_EVERY) {
                Ok(called) => return Some(called),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        None
    }

    /// It was reached after all.
    pub fn end(&mut self) {
        if let Some(asked) = self.asked.get_mut().take() {
            self.shared.calls.stop(&asked.nonce);
            self.notes.send(Note::CallOver(asked.nonce));
        }
    }
}

impl Drop for Calling<'_> {
    fn drop(&mut self) {
        self.end();
    }
}
