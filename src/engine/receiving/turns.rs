//! Who of many transfers may be granted more at the moment: some at a time, in turns.
//!
//! What comes of all of them at once is out of the processor's cache, and often out of the disk's, when the next
//! thread gets to it, and each holds a window of memory. So a few are granted a window each, then the next
//! ones. Nobody waits for one that is slow: a turn is over after a while, and what was granted still
//! comes. As long as nobody waits, turns have no end.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use super::Receiving;
use crate::engine::limits::TURN_FOR;
use crate::engine::lock;
use crate::engine::note::ConnectionId;
use crate::protocol::receiver::Turn;

/// `S` is a session.
pub struct Turns<S>(Mutex<State<S>>);

struct State<S> {
    /// So many at a time; who only sends never asks.
    places: fn() -> usize,
    /// Since when.
    running: Vec<(ConnectionId, Instant)>,
    waiting: VecDeque<(ConnectionId, Weak<S>)>,
    /// So many of those who wait, the first, have not had a turn yet.
    new: usize,
    /// So many of those had theirs since one who was back.
    new_in_a_row: usize,
}

impl<S> Turns<S> {
    pub fn new(places: fn() -> usize) -> Self {
        Self(Mutex::new(State {
            places,
            running: Vec::new(),
            waiting: VecDeque::new(),
            new: 0,
            new_in_a_row: 0,
        }))
    }
}

/// What a session may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// It may be granted one more window.
    Next,
    /// It goes on with what it was granted.
    Stays,
    /// Others first; [`Turns::next`] gives it back.
    Waits,
}

impl<S> Turns<S> {
    /// A session wants to begin. It is before those who have had a turn, for what is small is over by that; but not
    /// again and again, or those who come would keep waiting those who are there.
    pub fn begin(&self, id: ConnectionId, session: &Weak<S>, now: Instant) -> Place {
        let mut state = lock(&self.0);
        state.remove(id);
        if state.waiting.is_empty() && state.has_room(now) {
            state.running.push((id, now));
            return Place::Next;
        }
        let new = state.new;
        state.waiting.insert(new, (id, session.clone()));
        state.new += 1;
        Place::Waits
    }

    /// A session that has begun has come so far with what it may be granted. `busy`: much of that is here, and it is this
    /// computer that has to handle it; then its turn is not over by the time it takes.
    pub fn ask(
        &self,
        id: ConnectionId,
        (left, busy): (Turn, bool),
        session: &Weak<S>,
        now: Instant,
    ) -> Place {
        if left == Turn::Lasts {
            return Place::Stays;
        }
        let mut state = lock(&self.0);
        let mut running = state.running.iter_mut();
        let has = match running.find(|(it, _)| *it == id) {
            Some((_, since)) if busy => {
                *since = now;
                true
            }
            found => found.is_some(),
        };
        if state.waiting.is_empty() && (has || state.has_room(now)) {
            state.remove(id);
            state.running.push((id, now));
            return Place::Next;
        }
        let goes_on = match left {
            Turn::Lasts | Turn::Short => true,
            // Whose turn was over before it was used up comes in time for the next one.
            Turn::Low => has,
            Turn::Used => false,
        };
        if goes_on {
            return Place::Stays;
        }
        state.running.retain(|(it, _)| *it != id);
        if !state.waiting.iter().any(|(it, _)| *it == id) {
            state.waiting.push_back((id, session.clone()));
        }
        Place::Waits
    }

    /// Whose turn it is now, if there is room for one more.
    pub fn next(&self, now: Instant) -> Option<Arc<S>> {
        let mut state = lock(&self.0);
        while state.has_room(now) {
            let (id, session) = state.pop()?;
            if let Some(session) = session.upgrade() {
                state.running.push((id, now));
                return Some(session);
            }
        }
        None
    }

    /// It wants nothing more.
    pub fn leave(&self, id: ConnectionId) {
        lock(&self.0).remove(id);
    }
}

impl<S> State<S> {
    fn has_room(&mut self, now: Instant) -> bool {
        let lasts = |(_, since): &(_, Instant)| now.saturating_duration_since(*since) < TURN_FOR;
        let places = (self.places)();
        if self.running.len() >= places {
            self.running.retain(lasts);
        }
        self.running.len() < places
    }

    fn pop(&mut self) -> Option<(ConnectionId, Weak<S>)> {
        let back = self.new < self.waiting.len();
        if self.new > 0 && !(back && self.new_in_a_row >= (self.places)()) {
            self.new -= 1;
            self.new_in_a_row += 1;
            return self.waiting.pop_front();
        }
        self.new_in_a_row = 0;
        self.waiting.remove(self.new)
    }

    fn remove(&mut self, id: ConnectionId) {
        self.running.retain(|(it, _)| *it != id);
        if let Some(place) = self.waiting.iter().position(|(it, _)| *it == id) {
            self.waiting.remove(place);
            self.new -= usize::from(place < self.new);
        }
    }
}

/// Who waits for a turn looks so often whether others have let theirs pass.
pub const LOOK_EVERY: Duration = TURN_FOR;

/// A session's part in it.
pub(super) struct Taking {
    turns: Arc<Turns<Receiving>>,
    session: Weak<Receiving>,
    /// It has begun and not left.
    takes_part: AtomicBool,
    waits: AtomicBool,
}

impl Taking {
    pub(super) fn new(turns: Arc<Turns<Receiving>>, session: Weak<Receiving>) -> Self {
        Self {
            turns,
            session,
            takes_part: AtomicBool::new(false),
            waits: AtomicBool::new(false),
        }
    }

    /// For a turn of its own.
    pub(super) fn waits(&self) -> bool {
        self.waits.load(Ordering::SeqCst)
    }
}

impl Receiving {
    /// Content may come from now on: at once, if there is room, or when it is its turn.
    pub(super) fn take_first_turn(&self) {
        let turns = &self.turns;
        let id = self.notes.connection;
        let place = turns.turns.begin(id, &turns.session, Instant::now());
        turns.takes_part.store(true, Ordering::SeqCst);
        self.take_place(place);
    }

    /// Something was handled: how much of its turn is left, and whether much of it is here. Not to be said while the
    /// machine is locked.
    pub(super) fn take_turn(&self, (left, is_here): (Turn, bool)) {
        let turns = &self.turns;
        if left == Turn::Lasts || !turns.takes_part.load(Ordering::SeqCst) {
            return;
        }
        // Whom a person has limited is slow by that.
        let busy = is_here && !self.live.throttle.is_set();
        let id = self.notes.connection;
        let asked = (left, busy);
        let place = turns.turns.ask(id, asked, &turns.session, Instant::now());
        if turns.takes_part.load(Ordering::SeqCst) {
            self.take_place(place);
        } else {
            turns.turns.leave(id);
        }
    }

    fn take_place(&self, place: Place) {
        match place {
            Place::Next => self.open_turn(),
            Place::Stays => {}
            Place::Waits => {
                self.turns.waits.store(true, Ordering::SeqCst);
                self.pass_turns();
            }
        }
    }

    /// Lets others have what turns there are.
    pub(super) fn pass_turns(&self) {
        while let Some(next) = self.turns.turns.next(Instant::now()) {
            next.open_turn();
        }
    }

    /// Nothing more comes.
    pub(super) fn leave_turns(&self) {
        if self.turns.takes_part.swap(false, Ordering::SeqCst) {
            self.turns.turns.leave(self.notes.connection);
            self.pass_turns();
        }
    }

    fn open_turn(&self) {
        self.turns.waits.store(false, Ordering::SeqCst);
        let mut machine = self.machine();
        machine.open_turn();
        if let Some(credit) = machine.poll_credit() {
            self.grant(&mut machine, credit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURNS: usize = 3;

    struct Crowd {
        turns: Turns<ConnectionId>,
        sessions: Vec<Arc<ConnectionId>>,
        now: Instant,
    }

    impl Crowd {
        fn new(many: usize) -> Self {
            Self {
                turns: Turns::new(|| TURNS),
                sessions: (0..many as ConnectionId).map(Arc::new).collect(),
                now: Instant::now(),
            }
        }

        fn begin(&self, who: usize) -> Place {
            let session = Arc::downgrade(&self.sessions[who]);
            self.turns.begin(who as ConnectionId, &session, self.now)
        }

        fn ask(&self, who: usize, left: Turn) -> Place {
            let session = Arc::downgrade(&self.sessions[who]);
            self.turns
                .ask(who as ConnectionId, (left, false), &session, self.now)
        }

        fn next(&self) -> Vec<ConnectionId> {
            std::iter::from_fn(|| self.turns.next(self.now))
                .map(|session| *session)
                .collect()
        }
    }

    #[test]
    fn a_few_never_wait() {
        let crowd = Crowd::new(TURNS);
        for who in 0..TURNS {
            assert_eq!(crowd.begin(who), Place::Next);
        }
        for _round in 0..3 {
            for who in 0..TURNS {
                assert_eq!(crowd.ask(who, Turn::Used), Place::Next);
                assert_eq!(crowd.ask(who, Turn::Lasts), Place::Stays);
                assert_eq!(crowd.ask(who, Turn::Short), Place::Next);
            }
        }
    }

    #[test]
    fn many_get_their_turns_one_after_the_other() {
        let crowd = Crowd::new(3 * TURNS);
        for who in 0..3 * TURNS {
            let first = who < TURNS;
            let place = if first { Place::Next } else { Place::Waits };
            assert_eq!(crowd.begin(who), place);
        }
        assert!(crowd.next().is_empty());
        // What it was granted it may use up, and no more.
        assert_eq!(crowd.ask(0, Turn::Short), Place::Stays);
        assert_eq!(crowd.ask(0, Turn::Low), Place::Stays);
        let mut had = [0; 3 * TURNS];
        let mut running: VecDeque<_> = (0..TURNS).collect();
        for _turn in 0..8 * TURNS {
            let who = running.pop_front().unwrap();
            assert_eq!(crowd.ask(who, Turn::Used), Place::Waits);
            for next in crowd.next() {
                had[next as usize] += 1;
                running.push_back(next as usize);
            }
        }
        assert_eq!(running.len(), TURNS);
        assert!(had.iter().all(|it| (2..=4).contains(it)), "{had:?}");
    }

    #[test]
    fn nobody_waits_for_one_that_is_slow_or_gone() {
        let mut crowd = Crowd::new(2 * TURNS + 1);
        for who in 0..crowd.sessions.len() {
            crowd.begin(who);
        }
        assert!(crowd.next().is_empty());
        crowd.now += TURN_FOR;
        let waited: Vec<_> = (TURNS..2 * TURNS).map(|it| it as ConnectionId).collect();
        assert_eq!(crowd.next(), waited);
        // It still has what it was granted; half of that used up, it queues again.
        assert_eq!(crowd.ask(0, Turn::Short), Place::Stays);
        assert_eq!(crowd.ask(0, Turn::Low), Place::Waits);
        assert_eq!(crowd.ask(0, Turn::Used), Place::Waits);
        // As many new ones have begun in a row as there are turns.
        crowd.turns.leave(TURNS as ConnectionId);
        assert_eq!(crowd.next(), [0]);
        crowd.turns.leave(0);
        assert_eq!(crowd.next(), [2 * TURNS as ConnectionId]);
        assert_eq!(crowd.ask(1, Turn::Used), Place::Waits);
        assert_eq!(crowd.ask(2, Turn::Used), Place::Waits);
        crowd.sessions.remove(1);
        crowd.now += TURN_FOR;
        assert_eq!(crowd.next(), [2]);
        assert_eq!(crowd.ask(1, Turn::Used), Place::Next);
    }

    #[test]
    fn who_has_had_nothing_comes_before_those_who_have() {
        let crowd = Crowd::new(7);
        for who in 0..6 {
            crowd.begin(who);
        }
        assert_eq!(crowd.ask(0, Turn::Used), Place::Waits);
        assert_eq!(crowd.next(), [3]);
        assert_eq!(crowd.begin(6), Place::Waits);
        // After three new ones in a row the first who is back.
        for (used_up, next) in [(1, 4), (2, 5), (3, 0), (4, 6), (5, 1)] {
            assert_eq!(crowd.ask(used_up, Turn::Used), Place::Waits);
            assert_eq!(crowd.next(), [next]);
        }
    }

    #[test]
    fn who_is_there_has_turns_however_many_come() {
        let crowd = Crowd::new(200);
        for who in 0..=TURNS {
            crowd.begin(who);
        }
        // The last one begins, and then the first is back.
        assert_eq!(crowd.ask(0, Turn::Used), Place::Waits);
        assert_eq!(crowd.next(), [TURNS as ConnectionId]);
        let mut since = 0;
        for newcomer in TURNS + 1..200 {
            crowd.begin(newcomer);
            let running = lock(&crowd.turns.0).running[0].0;
            crowd.turns.leave(running);
            since += 1;
            if crowd.next() == [0] {
                assert!(since <= TURNS + 1, "{since}");
                crowd.ask(0, Turn::Used);
                since = 0;
            }
        }
        assert!(since <= TURNS + 1);
    }

    #[test]
    fn a_slow_disk_has_no_more_to_do_at_once() {
        let mut crowd = Crowd::new(TURNS + 1);
        for who in 0..=TURNS {
            crowd.begin(who);
        }
        for _job in 0..5 {
            crowd.now += TURN_FOR * 2 / 3;
            for who in 0..TURNS {
                let session = Arc::downgrade(&crowd.sessions[who]);
                let asked = (Turn::Short, true);
                let id = who as ConnectionId;
                let place = crowd.turns.ask(id, asked, &session, crowd.now);
                assert_eq!(place, Place::Stays);
            }
            assert!(crowd.next().is_empty());
        }
    }
}
