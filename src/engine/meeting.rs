//! Whether the two devices of a session remember each other from now on.
//!
//! Each end says once that its person wishes it (*remember*), in a verified session; when both have,
//! both make the same pair key of this very channel and keep it. What was said too early counts from
//! the moment on in which the session is verified.

use std::sync::{Arc, Mutex};

use super::known::KnownDevices;
use super::lock;
use super::note::{Note, Notes};
use super::outbox::Outbox;
use crate::model::{Bond, Peer, Trust};
use crate::protocol::message::Frame;
use crate::protocol::verification::PairKey;

pub struct Meeting {
    key: PairKey,
    known: Arc<KnownDevices>,
    notes: Notes,
    state: Mutex<State>,
}

struct State {
    peer: Peer,
    /// The person here would remember the other device as soon as it is verified.
    wishes: bool,
    said: bool,
    heard: bool,
    asked: bool,
    done: bool,
}

impl Meeting {
    /// `wishes`: the person here has said so for this meeting.
    pub fn new(
        peer: Peer,
        wishes: bool,
        key: PairKey,
        known: Arc<KnownDevices>,
        notes: Notes,
    ) -> Self {
        let state = State {
            done: peer.trust == Trust::Known,
            peer,
            wishes,
            said: false,
            heard: false,
            asked: false,
        };
        Self {
            key,
            known,
            notes,
            state: Mutex::new(state),
        }
    }

    pub fn peer(&self) -> Peer {
        lock(&self.state).peer.clone()
    }

    /// The person there wishes to be remembered.
    pub fn remembers(&self) -> bool {
        let state = lock(&self.state);
        state.heard && !state.done
    }

    /// Both people have compared the symbols. Says who it is that is verified now.
    pub fn confirmed(&self, outbox: &Outbox) -> Peer {
        let mut state = lock(&self.state);
        state.peer.trust = state.peer.trust.max(Trust::Verified);
        self.look(&mut state, outbox);
        state.peer.clone()
    }

    /// The session may say something from now on.
    pub fn begin(&self, outbox: &Outbox) {
        self.look(&mut lock(&self.state), outbox);
    }

    /// The person here wishes it.
    pub fn wish(&self, outbox: &Outbox) {
        let mut state = lock(&self.state);
        state.wishes = true;
        self.look(&mut state, outbox);
    }

    /// *remember* came.
    pub fn hear(&self, outbox: &Outbox) {
        let mut state = lock(&self.state);
        state.heard = true;
        self.look(&mut state, outbox);
    }

    fn look(&self, state: &mut State, outbox: &Outbox) {
        let Some(id) = state.peer.device_id else {
            return;
        };
        if state.done || !state.peer.trust.is_verified() {
            return;
        }
        let name = state.peer.name.clone();
        let bond = |known: &KnownDevices| known.get(id).map(|known| known.bond);
        let before = bond(&self.known);
        if std::mem::take(&mut state.wishes) && self.known.wish(id, &name) {
            self.notes.send(Note::KnownChanged);
        }
        let wishes = match bond(&self.known) {
            Some(Bond::Wished) => true,
            // It has lost what we still have.
            Some(Bond::Paired) => state.heard,
            Some(Bond::ForgottenThere | Bond::Blocked) | None => false,
        };
        if wishes && !state.said {
            state.said = true;
            outbox.control(Frame::Remember.encode());
        }
        if state.heard && state.said {
            state.done = true;
            state.peer.trust = Trust::Known;
            self.known.pair(id, &name, self.key.clone());
            self.notes.send(Note::Paired(state.peer.clone()));
        } else if state.heard && !state.asked && before != Some(Bond::Blocked) {
            state.asked = true;
            self.notes.send(Note::Wish(state.peer.clone()));
        }
    }
}
