//! The connections of conversations: called or taken in, opened, fed, ended, and when the next one is
//! due.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Line, Request, Stands, Talks};
use crate::engine::LastWord;
use crate::engine::command::Chosen;
use crate::engine::cut::Cut;
use crate::engine::event::{Doing, Event, TextOffer};
use crate::engine::failures::may_go_on;
use crate::engine::limits::{
    OFFER_WITHIN, RESTS_AFTER, TALKS_OF_DEVICE, TRY_AGAIN_AFTER, TRY_AGAIN_AT_LATEST,
};
use crate::engine::lock;
use crate::engine::note::{ConnectionId, Notes};
use crate::engine::supervisor::server::Standing;
use crate::engine::supervisor::{Connection, Role, Supervisor};
use crate::engine::talking::{Call, Ended, KeyOf, TalkNote, Talking, call, is_elsewhere};
use crate::engine::wire::{Phase, Purpose};
use crate::model::{Delivery, DeviceId, Failure, PeerAddress, Trust};
use crate::protocol::talking::{Place, Saying};

impl Supervisor {
    pub(in crate::engine::supervisor) fn talk_note(
        &mut self,
        connection: ConnectionId,
        note: TalkNote,
    ) {
        match note {
            TalkNote::Called => self.line_calls(connection),
            TalkNote::Connected(talking) => self.line_connected(connection, talking),
            TalkNote::Opened => self.line_opened(connection),
            TalkNote::Heard(saying) => self.was_said(connection, saying),
            TalkNote::Receipted(places) => self.receipted(connection, &places),
            TalkNote::Ended(ended) => self.line_ended(connection, ended),
        }
    }

    fn line_calls(&mut self, connection: ConnectionId) {
        if let Some(line) = self.talks.lines.get_mut(&connection) {
            line.called = true;
            if let Some(device) = line.device {
                self.tell_talk(device);
            }
        }
    }

    fn line_connected(&mut self, connection: ConnectionId, talking: Arc<Talking>) {
        let device = talking.device;
        let peer = talking.meeting.peer();
        // The device may have been forgotten since its key was read.
        let by_key = matches!(talking.key, KeyOf::Before);
        let has_key = !by_key || self.shared.conversations.key(device).is_some();
        if !has_key || !self.still_stands(&peer) {
            talking.close();
            return self.line_ended(connection, Ended::Closed);
        }
        let there = &self.shared.conversations;
        if !there.takes_in(device) {
            talking.decline();
            return self.line_ended(connection, Ended::Failed(Failure::TooManyTalks));
        }
        let asked = talking.symbols;
        if let Some(line) = self.talks.lines.get_mut(&connection) {
            line.device = Some(device);
            line.talking = Some(talking.clone());
            line.stands = Stands::Asking;
            line.since = Instant::now();
            let id = line.request.as_ref().map(|request| request.id);
            self.with(device).peer = peer;
            match (asked, id) {
                (Some(symbols), Some(id)) => self.events.say(Event::Symbols(id, symbols)),
                (None, _) => self.welcome(talking),
                // Nobody is there to compare them.
                (Some(_), None) => {
                    talking.decline();
                    return self.line_ended(connection, Ended::Closed);
                }
            }
            return self.tell_talk(device);
        }
        let stays = self
            .incoming(connection)
            .is_some_and(|incoming| incoming.standing == Standing::Verified);
        if !stays {
            return talking.close();
        }
        let never = self.never(connection);
        if let Some(incoming) = self.incoming(connection) {
            incoming.talking = Some(talking.clone());
            incoming.doing = match asked {
                Some(_) => Doing::Waiting,
                None => Doing::Talking,
            };
        }
        if never || self.talks.only_says {
            return talking.decline();
        }
        self.make_room_for_talk(device);
        self.talks.lines.insert(
            connection,
            Line {
                device: Some(device),
                talking: Some(talking.clone()),
                stands: Stands::Asking,
                outgoing: false,
                request: None,
                said: 0,
                since: Instant::now(),
                confirmed: false,
                called: false,
            },
        );
        match asked {
            None => {
                self.with(device).peer = peer;
                self.welcome(talking);
            }
            symbols @ Some(_) => {
                let offer = TextOffer {
                    from: peer,
                    symbols,
                };
                self.events.say(Event::TextOffered(offer));
            }
        }
    }

    /// Something was proven, so nobody is asked. The key is on the disk before the other end may count
    /// on it.
    fn welcome(&self, talking: Arc<Talking>) {
        let peer = talking.meeting.peer();
        match &talking.key {
            KeyOf::This(key) if peer.trust < Trust::Known => {
                let (key, device) = (key.clone(), talking.device);
                let conversations = &self.shared.conversations;
                conversations.keep_key(device, &peer.name, key, move || talking.welcome());
            }
            KeyOf::This(_) | KeyOf::Before | KeyOf::Pair => talking.welcome(),
        }
    }

    /// The device has as many as it may: the oldest is likely to be dead, or is not needed any more.
    fn make_room_for_talk(&mut self, device: DeviceId) {
        let lines = self.talks.lines.iter();
        let theirs = lines.filter(|(_, line)| line.device == Some(device) && !line.outgoing);
        let mut theirs: Vec<_> = theirs.map(|(id, _)| *id).collect();
        theirs.sort_unstable();
        let too_many = (theirs.len() + 1).saturating_sub(TALKS_OF_DEVICE);
        for old in theirs.into_iter().take(too_many) {
            self.close_line(old);
            self.line_ended(old, Ended::Closed);
        }
    }

    fn line_opened(&mut self, connection: ConnectionId) {
        let Some(line) = self.talks.lines.get_mut(&connection) else {
            return;
        };
        let (Some(device), Some(talking)) = (line.device, line.talking.clone()) else {
            return;
        };
        line.stands = Stands::Open;
        let request = line.request.take();
        let was_asked = talking.symbols.is_some();
        let peer = talking.confirmed();
        if !self.still_stands(&peer) {
            self.close_line(connection);
            return self.line_ended(connection, Ended::Closed);
        }
        let mut address = talking.reached_at.clone();
        let reached = address.is_some();
        if let Some(incoming) = self.incoming(connection) {
            incoming.doing = Doing::Talking;
            // It may be found there again, if it receives as well.
            address = Some(PeerAddress {
                host: incoming.from.to_string(),
                port: None,
                device: None,
            });
            let from = incoming.from;
            if was_asked {
                lock(&self.shared.gate).accepted(from);
            }
        }
        if was_asked {
            self.verified_peer(connection, &peer);
        }
        self.meet(device, &peer.name);
        let conversations = &self.shared.conversations;
        let address = address.filter(|_| reached || conversations.address(device).is_none());
        conversations.met(device, &peer.name, address);
        conversations.set_open(device, true);
        match &talking.key {
            KeyOf::This(key) if was_asked && peer.trust < Trust::Known => {
                conversations.keep_key(device, &peer.name, key.clone(), || {});
            }
            KeyOf::Before => conversations.key_used(device),
            KeyOf::This(_) | KeyOf::Pair => {}
        }
        let with = self.with(device);
        with.peer = peer.clone();
        with.failure = None;
        with.again = None;
        with.pause = TRY_AGAIN_AFTER;
        with.active = Instant::now();
        if let Some(request) = request {
            self.events.say(Event::TalkOpened(request.id, peer));
            self.tell_talk(device);
            if let Some((id, text)) = request.first {
                self.say(device, id, text);
            }
        }
        self.feed(device);
    }

    fn was_said(&mut self, connection: ConnectionId, saying: Saying) {
        let Some((device, talking)) = self.line(connection) else {
            return;
        };
        if self.talks.only_says {
            // Without a receipt it is said again, to a process that shows it.
            return;
        }
        if self.shared.conversations.is_behind(device) {
            // It has no receipt, and is said again.
            self.close_line(connection);
            return self.line_ended(connection, Ended::Failed(Failure::Lost));
        }
        let peer = self.peer_of(device);
        let place = saying.place;
        // A line that is over needs no receipt, and is not held open for one.
        let talking = Arc::downgrade(&talking);
        let line = self
            .shared
            .conversations
            .hear(device, &peer.name, saying, move || {
                if let Some(talking) = talking.upgrade() {
                    talking.receipt(place);
                }
            });
        self.with(device).active = Instant::now();
        if let Some(line) = line {
            self.events.say(Event::Line(peer, line));
        }
    }

    fn receipted(&mut self, connection: ConnectionId, places: &[Place]) {
        let Some((device, _)) = self.line(connection) else {
            return;
        };
        let arrived = self.shared.conversations.arrived(device, places);
        self.tell_deliveries(device, arrived, Delivery::Delivered);
        self.with(device).active = Instant::now();
        self.feed(device);
    }

    pub(super) fn line_ended(&mut self, connection: ConnectionId, ended: Ended) {
        let Some(line) = self.talks.lines.remove(&connection) else {
            return;
        };
        let unwelcome = matches!(ended, Ended::Unwelcome);
        let failure = match ended {
            Ended::Unwelcome => Some(Failure::Declined),
            Ended::Closed if line.stands == Stands::Open => None,
            Ended::Closed => Some(Failure::Lost),
            Ended::Failed(failure) => Some(failure),
        };
        if let Some(request) = line.request {
            let failure = failure.clone().unwrap_or(Failure::Lost);
            self.events.say(Event::TalkFailed(request.id, failure));
        }
        let Some(device) = line.device else {
            return;
        };
        if !line.outgoing && line.stands == Stands::Asking {
            // With a secret nobody was asked.
            if line
                .talking
                .is_some_and(|talking| talking.symbols.is_some())
            {
                self.events.say(Event::TextWithdrawn(device));
            }
            return self.is_back(device);
        }
        let other = self.open_peer(device).is_some();
        self.shared.conversations.set_open(device, other);
        if other {
            // The other connection takes over.
            return self.feed(device);
        }
        if unwelcome {
            let settled = self.shared.conversations.take_back(device, None);
            self.tell_deliveries(device, settled, Delivery::NotDelivered);
        }
        let waits = self.shared.conversations.waits(device);
        let was_open = line.stands == Stands::Open;
        let with = self.with(device);
        let in_use = with.active.elapsed() < RESTS_AFTER;
        let away = |failure: &Failure| may_go_on(failure) || is_elsewhere(failure);
        let lost = failure.as_ref().is_some_and(away);
        // Who called keeps a conversation in use open; the other end may have no way to.
        let held = line.outgoing && in_use && (was_open || with.pause > TRY_AGAIN_AFTER);
        let again = (waits && (lost || failure.is_none())) || (lost && held);
        with.failure = failure;
        if was_open {
            with.pause = TRY_AGAIN_AFTER;
        }
        if again {
            with.again = Some(Instant::now() + with.pause);
            with.pause = (with.pause * 2).min(TRY_AGAIN_AT_LATEST);
        }
        self.tell_talk(device);
    }

    /// Its thread has ended, whatever it said before.
    pub(in crate::engine::supervisor) fn talk_closed(&mut self, connection: ConnectionId) {
        self.line_ended(connection, Ended::Failed(Failure::Lost));
    }

    /// Says what waits, as far as there is room on the way, or sees to it that there is a way.
    pub(super) fn feed(&mut self, device: DeviceId) {
        let open = self
            .talks
            .lines
            .iter()
            .filter(|(_, line)| line.device == Some(device) && line.stands == Stands::Open);
        // What was opened last is the likeliest to be alive. What has no receipt yet is said there
        // once more, before anything else, so that nothing overtakes it.
        let newest = open.max_by_key(|(id, _)| **id).map(|(id, _)| *id);
        let Some(newest) = newest.and_then(|id| self.talks.lines.get_mut(&id)) else {
            if self.shared.conversations.waits(device) {
                self.try_again(device);
            }
            return self.tell_talk(device);
        };
        if let Some(talking) = &newest.talking {
            while talking.has_room()
                && let Some((order, saying)) = self.shared.conversations.next(device, newest.said)
                && talking.say(saying)
            {
                newest.said = order;
                self.shared.conversations.was_said(device, order);
            }
        }
        self.tell_talk(device);
    }

    /// Calls it, unless that is under way or has to wait.
    pub(super) fn try_again(&mut self, device: DeviceId) {
        let mut lines = self.talks.lines.values();
        let under_way = lines.any(|line| line.device == Some(device));
        let with = self.with(device);
        if with.again.is_some_and(|at| at > Instant::now()) {
            return;
        }
        with.again = None;
        if under_way {
            return;
        }
        let shared = &self.shared;
        let has_key =
            shared.known.pair_key(device).is_some() || shared.conversations.key(device).is_some();
        let known = shared.known.get(device);
        let known = known.and_then(|known| known.address?.parse().ok());
        let kept = shared.conversations.address(device);
        let with = self.with(device);
        if !has_key {
            // It may come by itself; a person here has to show who they are.
            with.failure = Some(with.failure.take().unwrap_or(Failure::SecretNeeded));
            return self.tell_talk(device);
        }
        let seen = with.seen.clone();
        let mut at: Vec<PeerAddress> = [known, kept].into_iter().flatten().collect();
        at.dedup();
        if at.is_empty() && seen.is_empty() {
            let host = with.peer.name.to_string();
            with.failure = Some(Failure::Unresolvable { host });
            return self.tell_talk(device);
        }
        let call = Call {
            at,
            seen,
            device: Some(Chosen {
                id: device,
                name: None,
            }),
            secret: None,
            ask: false,
            remember: false,
        };
        self.connect_to_talk(Some(device), call, None);
    }

    pub(super) fn connect_to_talk(
        &mut self,
        device: Option<DeviceId>,
        what: Call,
        request: Option<Request>,
    ) {
        let connection = self.next_connection;
        self.next_connection += 1;
        let label = format!("talk-{connection}");
        let begins = (Phase::Starting, None);
        let wire = &self.shared.wire;
        let trace = wire.open_for(connection, label.clone(), Purpose::Talk, begins);
        let notes = Notes {
            connection,
            inputs: self.inputs.clone(),
            trace,
        };
        let cut = Arc::new(Cut::default());
        let (shared, cut_by_thread) = (self.shared.clone(), cut.clone());
        self.talks.lines.insert(
            connection,
            Line {
                device,
                talking: None,
                stands: Stands::Calling,
                outgoing: true,
                request,
                said: 0,
                since: Instant::now(),
                confirmed: false,
                called: false,
            },
        );
        let thread = std::thread::Builder::new().name(label).spawn(move || {
            let _last = LastWord(notes.clone());
            call(&what, &cut_by_thread, &shared, &notes);
        });
        match thread {
            Ok(thread) => {
                let role = Role::Outgoing;
                let connection_held = Connection { thread, cut, role };
                self.connections.insert(connection, connection_held);
            }
            Err(error) => {
                let failure = Failure::Internal(error.to_string());
                self.line_ended(connection, Ended::Failed(failure));
            }
        }
        if let Some(device) = device {
            self.tell_talk(device);
        }
    }

    /// Tries again whose time has come, and closes what nobody has used for a while.
    pub(in crate::engine::supervisor) fn tend_talks(&mut self) {
        let now = Instant::now();
        let due = self.talks.with.iter();
        let due = due.filter(|(_, with)| with.again.is_some_and(|at| at <= now));
        for device in due.map(|(device, _)| *device).collect::<Vec<_>>() {
            self.try_again(device);
        }
        let mute: Vec<_> = self.talks.mute().filter(|(_, at)| *at <= now).collect();
        for (connection, _) in mute {
            self.close_line(connection);
            self.line_ended(connection, Ended::Failed(Failure::Silent));
        }
        let idle: Vec<_> = self.talks.rests().filter(|(_, at)| *at <= now).collect();
        for (connection, _) in idle {
            // What has no receipt by now is said again over the next one.
            self.close_line(connection);
            self.line_ended(connection, Ended::Closed);
        }
    }

    pub(in crate::engine::supervisor) fn next_talk(&self) -> Option<Duration> {
        let again = self.talks.with.values().filter_map(|with| with.again);
        let rests = self.talks.rests().map(|(_, at)| at);
        let mute = self.talks.mute().map(|(_, at)| at);
        let next = again.chain(rests).chain(mute).min()?;
        // A moment later, so that it is over then.
        Some(next.saturating_duration_since(Instant::now()) + Duration::from_millis(10))
    }
}

impl Talks {
    /// Connections whose other end need not ask anybody and says nothing all the same; until when.
    fn mute(&self) -> impl Iterator<Item = (ConnectionId, Instant)> {
        let lines = self.lines.iter().filter(|(_, line)| {
            let talking = line.talking.as_ref();
            let by_itself = talking.is_some_and(|talking| talking.symbols.is_none());
            line.stands == Stands::Asking && by_itself
        });
        lines.map(|(id, line)| (*id, line.since + OFFER_WITHIN))
    }

    /// Open connections, and when they have been quiet for long enough.
    fn rests(&self) -> impl Iterator<Item = (ConnectionId, Instant)> {
        let open = self
            .lines
            .iter()
            .filter(|(_, line)| line.stands == Stands::Open);
        open.filter_map(|(id, line)| {
            let active = self.with.get(&line.device?)?.active;
            Some((*id, active + RESTS_AFTER))
        })
    }
}
