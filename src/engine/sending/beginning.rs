//! The beginning of a run: who is there, whether it is the one that was chosen, what is proven, and
//! what is written down before anything is offered.

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::Sending;
use crate::channel::Channel;
use crate::engine::calls::{Called, Calling, Subject};
use crate::engine::dial::{Dialed, MOST_WRONG, Places, dial_any, suit_path};
use crate::engine::failures::{channel_failure, greeting_failure, is_absence, not_chosen};
use crate::engine::greeting::{GreetingError, Met, Plan, greet_server};
use crate::engine::limits::CLIENT_DEADLINE;
use crate::engine::note::Note;
use crate::engine::wire::Phase;
use crate::engine::{Shared, lock, shown};
use crate::model::{Bond, DeviceId, Failure, TransferState};
use crate::protocol::verification::SessionKey;

/// A server that knows us by now.
pub(super) struct Greeted {
    pub(super) channel: Channel,
    pub(super) met: Met,
    /// For people.
    pub(super) address: String,
    /// `None`: it takes no further connections.
    pub(super) path: Option<Path>,
}

/// The way to a server.
#[derive(Clone, Copy)]
pub(super) struct Path {
    pub(super) at: SocketAddr,
    pub(super) round_trip: Duration,
    /// Its congestion control does not take each lost packet for a full line.
    pub(super) paced: bool,
}

/// What a run offers.
pub(super) struct Offered {
    /// To whom, and the key with which it can go on if it is accepted; `None` if it goes on already.
    pub(super) to: Option<(DeviceId, SessionKey)>,
    /// Nothing is listed before the person has compared symbols, and not all before the other one has.
    pub(super) asked: bool,
}

impl Sending {
    /// Connects and greets. A device that no longer knows this one is met once more as a stranger, if
    /// there is something to be met with. `None`: the person gave up.
    pub(super) fn meet(
        &self,
        key: Option<&SessionKey>,
        shared: &Shared,
    ) -> Option<Result<Greeted, Failure>> {
        let subject = Subject {
            device: self.device(),
            stopped: &|| self.stopped(),
            asks_person: &|| self.notes.send(Note::State(TransferState::Calling)),
        };
        let mut calling = Calling::new(subject, shared, &self.notes);
        let internal = |error: std::io::Error| Failure::Internal(error.to_string());
        // Where the device that is meant was not just now, and what was found there last.
        let mut wrong = Vec::new();
        let mut found = None;
        loop {
            // While a person is asked it is dialled beside that.
            self.notes.send(Note::State(match calling.asks_person() {
                true => TransferState::Calling,
                false => TransferState::Connecting,
            }));
            let heard = self.device().map(|device| shared.whereabouts.of(device));
            let heard = heard.filter(|_| wrong.len() < MOST_WRONG);
            let heard = heard.unwrap_or_default();
            let given = self.typed();
            let hearsay: Vec<_> = heard
                .iter()
                .copied()
                .filter(|at| Some(*at) != given)
                .collect();
            let places = Places {
                heard,
                given: &self.request.to,
                wrong: &wrong,
            };
            let trace = &self.notes.trace;
            let told = |phase, until| trace.phase(phase, until);
            let dialed = dial_any(places, || calling.gives_up(), &told);
            let (socket, round_trip) = match dialed {
                Some(Ok(Dialed { socket, round_trip })) => (socket, round_trip),
                other => match calling.wait() {
                    ControlFlow::Continue(()) => {
                        wrong.clear();
                        continue;
                    }
                    ControlFlow::Break(Some(called)) => {
                        return self.meet_called(called, key, shared);
                    }
                    ControlFlow::Break(None) => {
                        let failure = other.and_then(Result::err)?;
                        return Some(Err(found.unwrap_or(failure)));
                    }
                },
            };
            if let Err(error) = self.cut.connected(&socket) {
                return Some(Err(internal(error)));
            }
            trace.connected(&socket);
            let at = socket.peer_addr().ok();
            let address = at.map_or_else(|| self.request.to.to_string(), shown);
            let paced = suit_path(&socket, round_trip);
            self.notes.send(Note::State(TransferState::Verifying));
            let opened = self.secure(socket, shared, &address);
            let there = opened.as_ref().ok().map(|channel| channel.peer);
            // As long as it has not proven who it is, whatever went wrong says nothing of the device.
            let elsewhere = self.device().is_some_and(|device| there != Some(device));
            let greeted = opened.and_then(|it| self.greet_over(it, key, shared, &address));
            if self.stopped() {
                return None;
            }
            if let (Err(failure), Some(at)) = (&greeted, at)
                && elsewhere
                && !wrong.contains(&at)
            {
                wrong.push(at);
                // At a place that was only heard of, it may be a forger that says so.
                if !hearsay.contains(&at) || is_absence(failure) {
                    found = Some(failure.clone());
                }
                continue;
            }
            *lock(&self.reached) = at;
            let otherwise = self.request.secret.is_some() || self.request.ask;
            if matches!(greeted, Err(Failure::ForgottenThere { .. })) && otherwise {
                continue;
            }
            return Some(greeted.map(|(channel, met)| {
                Greeted {
                    channel,
                    address,
                    path: at.filter(|_| met.attaches).map(|at| Path {
                        at,
                        // A single packet may have been lost, or waited for a radio.
                        round_trip: seen(round_trip.min(met.answered_within), shared),
                        paced,
                    }),
                    met,
                }
            }));
        }
    }

    /// The device has connected to us, since we could not to it.
    fn meet_called(
        &self,
        called: Called,
        key: Option<&SessionKey>,
        shared: &Shared,
    ) -> Option<Result<Greeted, Failure>> {
        let Called {
            channel,
            socket,
            at,
        } = called;
        if let Err(error) = self.cut.connected(&socket) {
            return Some(Err(Failure::Internal(error.to_string())));
        }
        self.notes.send(Note::State(TransferState::Verifying));
        let address = shown(at);
        let greeted = self.greet_over(channel, key, shared, &address);
        if self.stopped() {
            return None;
        }
        Some(greeted.map(|(channel, met)| Greeted {
            channel,
            address,
            met,
            // Further connections would not get through.
            path: None,
        }))
    }

    /// TLS; verification then goes against the same deadline.
    fn secure(
        &self,
        socket: std::net::TcpStream,
        shared: &Shared,
        address: &str,
    ) -> Result<Channel, Failure> {
        let deadline = Instant::now() + CLIENT_DEADLINE;
        self.notes.trace.phase(Phase::Handshake, Some(deadline));
        Channel::connect(socket, &shared.identity, deadline)
            .map_err(|error| channel_failure(&error, address))
    }

    fn greet_over(
        &self,
        mut channel: Channel,
        key: Option<&SessionKey>,
        shared: &Shared,
        address: &str,
    ) -> Result<(Channel, Met), Failure> {
        if channel.peer == shared.identity.device_id() {
            return Err(Failure::Ourselves);
        }
        if lock(&self.accepted_by).is_some_and(|before| before != channel.peer) {
            return Err(match self.unanswered.load(Ordering::SeqCst) {
                // Whoever is there now can be asked; nothing was begun with the other one.
                true => Failure::Forgotten,
                false => Failure::Unreachable {
                    address: address.to_owned(),
                },
            });
        }
        let name = lock(&shared.name).clone();
        let ours = shared.identity.device_id();
        let there = channel.peer;
        if shared.known.look_again() {
            self.notes.send(Note::KnownChanged);
        }
        if let Some(blocked) = shared
            .known
            .get(there)
            .filter(|it| it.bond == Bond::Blocked)
        {
            // Nothing is proven to it, and no code is shown.
            return Err(Failure::BlockedHere {
                name: blocked.shown().clone(),
            });
        }
        let pair = shared.known.pair_key(there);
        let plan = Plan {
            chosen: self.request.device.as_ref(),
            session: key.map(|key| (self.request.transfer, key)),
            pair: pair.as_ref(),
            talk: None,
            secret: self.request.secret.as_ref(),
            ask: self.request.ask,
            answering: &|| self.knocks.store(false, Ordering::SeqCst),
            trace: &self.notes.trace,
        };
        let met = greet_server(&mut channel, ours, &name, &plan);
        let met = met.map_err(|error| match (error, &self.request.device) {
            (GreetingError::AnotherDevice(found), Some(chosen)) => not_chosen(chosen, found),
            (GreetingError::NotPaired(name), _) => {
                if shared.known.forgotten_there(there) {
                    self.notes.send(Note::KnownChanged);
                }
                Failure::ForgottenThere { name }
            }
            (GreetingError::NoSeat, _) => {
                // It has said no; it would say so again.
                self.knocks.store(false, Ordering::SeqCst);
                Failure::Busy
            }
            (error, _) => match (greeting_failure(error, address), key) {
                (Failure::WrongSecret, Some(_)) => Failure::Forgotten,
                (failure, _) => failure,
            },
        })?;
        Ok((channel, met))
    }

    /// The receiver may accept at the moment in which this device loses its power: what can go on by
    /// then is on the disk before it is offered.
    pub(super) fn write_down(&self, offered: &Offered) {
        /// How soon a cancel is noticed while the disk takes its time.
        const LOOK_EVERY: Duration = Duration::from_millis(100);
        let Some((device, key)) = &offered.to else {
            return;
        };
        let (written, waits) = mpsc::sync_channel(1);
        self.notes.send(Note::Offers(*device, key.clone(), written));
        while !self.stopped() && waits.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {}
    }
}

/// What counts as the time there and back.
pub(super) fn seen(round_trip: Duration, shared: &Shared) -> Duration {
    #[cfg(test)]
    if lock(&shared.name).as_str() == crate::engine::tests::FAR {
        return crate::engine::dial::LONG_PATH;
    }
    let _ = shared;
    round_trip
}
