//! What a caller does besides knocking at a device that may not be reachable from here: it asks that
//! device to connect, and waits.
//!
//! A paired device does so by itself, and soon. Of any other one a person is asked, who takes a while.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::thread;
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
/// Who waits dials again so often: the program there may have been restarted, and nobody needs to click.
#[cfg(not(test))]
const DIALS_EVERY: Duration = Duration::from_secs(15);
#[cfg(test)]
const DIALS_EVERY: Duration = Duration::from_millis(300);
/// And not before that, wherever it is heard of meanwhile: anybody can say so.
const DIALS_AFTER: Duration = Duration::from_millis(1500);
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

/// For one run; dropping it takes the request back. It stands while the device is dialled and greeted: whoever
/// takes a connection may be anybody, until the device has proven itself.
pub struct Calling<'a> {
    subject: Subject<'a>,
    /// A person there has to let it connect.
    by_person: bool,
    shared: &'a Shared,
    notes: &'a Notes,
    begun: Instant,
    /// Where the device was heard of so far.
    seen: Vec<SocketAddr>,
    asked: RefCell<Option<Asked>>,
}

struct Asked {
    nonce: Nonce,
    comes: Receiver<Called>,
    came: Option<Called>,
    /// Tells when the device is asked: one after the other is. Ends if it never will be.
    announced: Receiver<()>,
    at: Option<Instant>,
    /// [`Subject::asks_person`] was told.
    told: bool,
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
        let seen = subject.device.map(|id| shared.whereabouts.of(id));
        Self {
            seen: seen.unwrap_or_default(),
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
        if self.begun.elapsed() >= self.asks_after() {
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

    fn asks_after(&self) -> Duration {
        match self.by_person {
            true => ASKS_PERSON_AFTER,
            false => ASKS_AFTER,
        }
    }

    /// A person there was asked, and is still.
    pub fn asks_person(&self) -> bool {
        self.asked.borrow().as_ref().is_some_and(|asked| asked.told)
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
                told: false,
            });
        }
    }

    /// Nobody answered here: waits until the device has connected, but goes on after a while so that it is
    /// dialled again in between. Breaks with `None` if nobody can be asked, or the device has not come in its
    /// time, or the person does not want it any more.
    pub fn wait(&mut self) -> ControlFlow<Option<Called>> {
        let Some(device) = self.subject.device else {
            return ControlFlow::Break(None);
        };
        let nobody_there = || self.shared.whereabouts.of(device).is_empty();
        // A program that is restarted refuses at once, and is there again a moment later.
        if self.by_person && self.begun.elapsed() < self.asks_after() {
            while self.begun.elapsed() < self.asks_after() {
                if (self.subject.stopped)() || nobody_there() {
                    return ControlFlow::Break(None);
                }
                thread::sleep(LOOK_UP_EVERY);
            }
            return ControlFlow::Continue(());
        }
        if !(self.subject.stopped)() {
            self.ask();
        }
        let by_person = self.by_person;
        let Some(asked) = self.asked.get_mut().as_mut() else {
            return ControlFlow::Break(None);
        };
        let came = asked.came.take().or_else(|| asked.comes.try_recv().ok());
        if came.is_some() {
            return ControlFlow::Break(came);
        }
        let within = match by_person {
            true => PERSON_WITHIN,
            false => COMES_WITHIN,
        };
        let trace = &self.notes.trace;
        let begun = Instant::now();
        let mut traced = false;
        while !(self.subject.stopped)() && asked.stands() && !asked.is_late(within) {
            if let Some(at) = asked.at
                && !std::mem::replace(&mut traced, true)
            {
                trace.phase(Phase::Calling, Some(at + within));
                if by_person && !std::mem::replace(&mut asked.told, true) {
                    (self.subject.asks_person)();
                }
            }
            let heard = self.shared.whereabouts.of(device);
            // Nobody sits there any more.
            if by_person && heard.is_empty() {
                return ControlFlow::Break(None);
            }
            match asked.comes.recv_timeout(LOOK_UP_EVERY) {
                Ok(called) => return ControlFlow::Break(Some(called)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return ControlFlow::Break(None),
            }
            let appeared = heard.iter().any(|at| !self.seen.contains(at));
            let waited = begun.elapsed();
            if waited >= DIALS_EVERY || (appeared && waited >= DIALS_AFTER) {
                self.seen = heard;
                return ControlFlow::Continue(());
            }
        }
        ControlFlow::Break(None)
    }
}

impl Drop for Calling<'_> {
    fn drop(&mut self) {
        if let Some(asked) = self.asked.get_mut().take() {
            self.shared.calls.stop(&asked.nonce);
            self.notes.send(Note::CallOver(asked.nonce));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::Sender;

    use super::*;
    use crate::engine::note::Input;
    use crate::engine::wire::Trace;
    use crate::engine::{Config, Engine};
    use crate::model::{DeviceName, Nearby, System};

    /// Who was to be asked.
    fn calls(said: &Receiver<Input>) -> Vec<Sender<()>> {
        let calls = said.try_iter().filter_map(|input| match input {
            Input::Note(_, Note::Calls(_, _, announced)) => Some(announced),
            _ => None,
        });
        calls.collect()
    }

    #[test]
    fn a_person_is_asked_late_and_once_and_the_device_is_dialled_in_between_also_behind_another_call()
     {
        let home = tempfile::tempdir().unwrap();
        let config = Config {
            data_dir: home.path().join("data"),
            name: DeviceName::cleaned("Study", "device"),
        };
        let (engine, _events) = Engine::start(config, || {}).unwrap();
        let device = DeviceId([9; 32]);
        engine.shared.whereabouts.set(&[Nearby {
            id: device,
            name: DeviceName::cleaned("Garden", "x"),
            system: System::Linux,
            receiving: true,
            addresses: vec!["127.0.0.1:9".parse().unwrap()],
        }]);
        let (inputs, said) = channel();
        let notes = Notes {
            connection: 1,
            inputs,
            trace: Trace::default(),
        };
        let asks = std::cell::Cell::new(0);
        let subject = Subject {
            device: Some(device),
            stopped: &|| false,
            asks_person: &|| asks.set(asks.get() + 1),
        };
        let mut calling = Calling::new(subject, &engine.shared, &notes);
        // Refused at once.
        assert!(calling.wait().is_continue());
        assert!(calling.begun.elapsed() >= ASKS_PERSON_AFTER);
        assert!(calls(&said).is_empty());
        // Refused once more; and others are asked first.
        assert!(calling.wait().is_continue());
        let asked = calls(&said);
        assert_eq!(asked.len(), 1);
        assert!(calling.wait().is_continue());
        assert!(!calling.asks_person());
        asked[0].send(()).unwrap();
        for _again in 0..2 {
            assert!(calling.wait().is_continue());
            assert!(calling.asks_person() && !calling.gives_up());
        }
        assert_eq!((calls(&said).len(), asks.get()), (0, 1));
        engine.shared.whereabouts.set(&[]);
        assert!(matches!(calling.wait(), ControlFlow::Break(None)));
    }
}
