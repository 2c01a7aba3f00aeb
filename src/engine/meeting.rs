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
            // Unless the person has changed their mind in between.
            if self.known.pair(id, &name, self.key.clone()) {
                state.peer.trust = Trust::Known;
                self.notes.send(Note::Paired(state.peer.clone()));
            }
        } else if state.heard && !state.asked && before != Some(Bond::Blocked) {
            state.asked = true;
            self.notes.send(Note::Wish(state.peer.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;
    use crate::engine::note::Input;
    use crate::engine::outbox::Next;
    use crate::model::{DeviceId, DeviceName};

    struct Ours {
        meeting: Meeting,
        known: Arc<KnownDevices>,
        outbox: Outbox,
        inputs: Receiver<Input>,
        _home: tempfile::TempDir,
    }

    const THERE: DeviceId = DeviceId([2; 32]);

    fn met(trust: Trust, wishes: bool) -> Ours {
        let home = tempfile::tempdir().unwrap();
        let known = Arc::new(KnownDevices::open(home.path()).0);
        let (sender, inputs) = channel();
        let peer = Peer {
            name: DeviceName::cleaned("Garden", ""),
            device_id: Some(THERE),
            address: String::new(),
            trust,
        };
        let key = PairKey::derive(&[1; 32], DeviceId([1; 32]), THERE);
        let notes = Notes {
            connection: 1,
            inputs: sender,
            trace: crate::engine::wire::Trace::default(),
        };
        Ours {
            meeting: Meeting::new(peer, wishes, key, known.clone(), notes),
            known,
            outbox: Outbox::default(),
            inputs,
            _home: home,
        }
    }

    impl Ours {
        fn paired(&self) -> bool {
            let said = self.inputs.try_iter();
            let said = said
                .filter(|input| matches!(input, Input::Note(_, Note::Paired(_))))
                .count();
            assert_eq!(said == 1, self.known.pair_key(THERE).is_some());
            said == 1
        }

        fn says(&self) -> bool {
            self.outbox.close();
            matches!(self.outbox.next(), Next::Write(frame) if frame == Frame::Remember.encode())
        }
    }

    #[test]
    fn two_wishes_pair_in_either_order() {
        let ours = met(Trust::Verified, true);
        ours.meeting.begin(&ours.outbox);
        assert!(!ours.paired());
        ours.meeting.hear(&ours.outbox);
        assert!(ours.paired() && ours.says());
        let ours = met(Trust::Verified, false);
        ours.meeting.hear(&ours.outbox);
        assert!(ours.meeting.remembers() && !ours.paired());
        ours.meeting.wish(&ours.outbox);
        assert!(ours.paired() && ours.says());
    }

    #[test]
    fn nothing_is_said_or_kept_before_people_have_compared_the_symbols() {
        let ours = met(Trust::Asked, true);
        ours.meeting.begin(&ours.outbox);
        ours.meeting.hear(&ours.outbox);
        assert!(!ours.paired());
        assert_eq!(ours.known.all(), []);
        assert_eq!(ours.meeting.confirmed(&ours.outbox).trust, Trust::Known);
        assert!(ours.paired() && ours.says());
        let ours = met(Trust::Asked, true);
        ours.meeting.begin(&ours.outbox);
        assert!(!ours.says());
    }

    #[test]
    fn a_wish_that_was_taken_back_pairs_nobody_however_late_the_other_one_is() {
        let ours = met(Trust::Verified, true);
        ours.meeting.begin(&ours.outbox);
        ours.known.forget(THERE);
        ours.meeting.hear(&ours.outbox);
        assert!(!ours.paired());
        assert_eq!(ours.meeting.peer().trust, Trust::Verified);
        let ours = met(Trust::Verified, true);
        ours.meeting.begin(&ours.outbox);
        ours.known.block(THERE, &DeviceName::cleaned("Garden", ""));
        ours.meeting.hear(&ours.outbox);
        assert!(!ours.paired() && ours.known.is_blocked(THERE));
    }
}
