//! Conversations: opened, told about, fed with what waits, rested, and tried again when the other
//! device is away.
//!
//! What waits to be said and what was heard is [`crate::engine::conversations`]' business, a connection
//! is [`Talking`]'s; here is which connection says it, and when one is opened or closed.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::server::Standing;
use super::{Connection, Role, Supervisor};
use crate::engine::command::{Chosen, TalkRequest};
use crate::engine::cut::Cut;
use crate::engine::event::{Doing, Event, NotSaid, Talk, TextOffer};
use crate::engine::failures::may_go_on;
use crate::engine::limits::{
    OFFER_WITHIN, RESTS_AFTER, TALKS_OF_DEVICE, TRY_AGAIN_AFTER, TRY_AGAIN_AT_LATEST,
};
use crate::engine::note::{ConnectionId, Notes};
use crate::engine::talking::{Call, Ended, KeyOf, TalkNote, Talking, call};
use crate::engine::wire::{Phase, Purpose};
use crate::engine::{LastWord, lock};
use crate::model::{
    Delivery, DeviceId, DeviceName, Failure, MessageId, Outcome, Peer, PeerAddress, Status,
    TransferId, TransferLine, Trust,
};
use crate::protocol::talking::{Place, Saying};

/// Devices whose standing is remembered although nothing is under way with them; whoever knows a
/// passphrase may come as many.
const MOST_STANDINGS: usize = 256;
/// A device that connects to us may be about to talk by itself.
const BACK_SOON: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct Talks {
    with: HashMap<DeviceId, With>,
    lines: HashMap<ConnectionId, Line>,
    /// What others say is not taken here.
    only_says: bool,
    /// What earlier runs left undelivered is delivered by this one.
    delivers: bool,
}

/// How it stands with one device.
struct With {
    peer: Peer,
    told: Option<Talk>,
    /// Something was said or heard last.
    active: Instant,
    /// Why there is no connection, if there should be one.
    failure: Option<Failure>,
    /// When it is called the next time.
    again: Option<Instant>,
    /// Before the try after that one.
    pause: Duration,
    /// Where it was seen on the network.
    seen: Vec<PeerAddress>,
}

/// A connection for a conversation, or on its way to be one.
struct Line {
    /// As soon as it is known.
    device: Option<DeviceId>,
    talking: Option<Arc<Talking>>,
    stands: Stands,
    outgoing: bool,
    /// The person asked for it.
    request: Option<Request>,
    /// The last that was said over it, in the order of all.
    said: u64,
    since: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stands {
    Calling,
    /// One of the two persons has still to say yes.
    Asking,
    Open,
}

struct Request {
    id: TransferId,
    first: Option<(MessageId, String)>,
}

impl Supervisor {
    pub(super) fn talk(&mut self, request: TalkRequest) {
        let device = request.device.as_ref().map(|chosen| chosen.id);
        if let Some(device) = device
            && let Some(peer) = self.open_peer(device)
        {
            self.events.say(Event::TalkOpened(request.id, peer));
            if let Some((id, text)) = request.first {
                self.say(device, id, text);
            }
            return;
        }
        let asked_for = Request {
            id: request.id,
            first: request.first,
        };
        let call = Call {
            at: vec![request.to],
            device: request.device,
            secret: request.secret,
            ask: request.ask,
            remember: request.remember,
        };
        self.connect_to_talk(device, call, Some(asked_for));
    }

    pub(super) fn say(&mut self, to: DeviceId, id: MessageId, text: String) {
        let not_said = |why| Event::NotSaid { to, id, why };
        if self.shared.known.is_blocked(to) {
            return self.events.say(not_said(NotSaid::Blocked));
        }
        let peer = self.peer_of(to);
        match self.shared.conversations.say(to, &peer.name, id, text) {
            Ok(line) => self.events.say(Event::Line(peer, line)),
            Err(why) => return self.events.say(not_said(why)),
        }
        let with = self.with(to);
        with.active = Instant::now();
        // A person who says something does not want to wait for the next try.
        with.again = None;
        with.pause = TRY_AGAIN_AFTER;
        self.feed(to);
    }

    pub(super) fn take_back(&mut self, device: DeviceId, id: MessageId) {
        let place = self.shared.conversations.place_of(device, id);
        let on_its_way = |place: Place| {
            let mut lines = self.lines_with(device);
            lines.any(|(_, talking)| talking.is_on_its_way(place))
        };
        if place.is_some_and(on_its_way) {
            return;
        }
        let settled = self.shared.conversations.take_back(device, Some(id));
        self.tell_deliveries(device, settled, Delivery::NotDelivered);
    }

    pub(super) fn clear_conversation(&mut self, device: DeviceId) {
        let settled = self.shared.conversations.take_back(device, None);
        self.tell_deliveries(device, settled, Delivery::NotDelivered);
        self.shared.conversations.clear(device);
    }

    pub(super) fn keep_conversations(&mut self, keep: bool) {
        self.shared.conversations.keep(keep);
        if !self.talks.only_says && !std::mem::replace(&mut self.talks.delivers, true) {
            for device in self.shared.conversations.waiting() {
                self.feed(device);
            }
        }
    }

    pub(super) fn only_say(&mut self) {
        self.talks.only_says = true;
    }

    /// It was seen on the network, or heard of in another way: what waits for it is said at once.
    // Discovery calls it.
    #[allow(dead_code)]
    pub(super) fn device_appeared(&mut self, device: DeviceId, addresses: &[SocketAddr]) {
        let known = self.shared.known.get(device).is_some();
        let name = self.shared.conversations.name(device);
        if !known && name.is_none() {
            // Nothing is said to strangers, so nothing is kept of them.
            return;
        }
        let with = self.with(device);
        with.seen = addresses.iter().map(as_typed).collect();
        if self.shared.conversations.waits(device) {
            self.with(device).again = None;
            self.feed(device);
        }
    }

    /// It has connected to us, so it is there.
    pub(super) fn is_back(&mut self, device: DeviceId) {
        if self.shared.conversations.waits(device) {
            self.with(device).again = Some(Instant::now() + BACK_SOON);
        }
    }

    /// What the person says of symbols that were shown for a conversation. `false`: there is none of
    /// this id.
    pub(super) fn confirm_talk(&mut self, id: TransferId, same: bool) -> bool {
        let mut lines = self.talks.lines.iter();
        let line = lines.find(|(_, line)| line.request.as_ref().is_some_and(|it| it.id == id));
        let Some((connection, line)) = line else {
            return false;
        };
        let connection = *connection;
        match (&line.talking, same) {
            (Some(talking), true) => talking.welcome(),
            (Some(talking), false) => {
                talking.decline();
                self.line_ended(connection, Ended::Failed(Failure::NotConfirmed));
            }
            (None, _) => {}
        }
        true
    }

    pub(super) fn answer_text(&mut self, device: DeviceId, yes: bool) {
        let asking = self.talks.lines.iter().find(|(_, line)| {
            line.device == Some(device) && !line.outgoing && line.stands == Stands::Asking
        });
        let Some((connection, line)) = asking else {
            return;
        };
        let connection = *connection;
        match (&line.talking, yes) {
            (Some(talking), true) => {
                let name = talking.meeting.peer().name;
                talking.welcome();
                // From now on it may be wished for.
                self.meet(device, &name);
            }
            (Some(talking), false) => {
                talking.decline();
                self.line_ended(connection, Ended::Closed);
            }
            (None, _) => {}
        }
    }

    /// The person here wants to remember whom they talk with.
    pub(super) fn wish_in_talks(&self, device: DeviceId) {
        for (_, talking) in self.lines_with(device) {
            talking.wish();
        }
    }

    /// The acquaintance is over.
    pub(super) fn part_talks(&mut self, device: DeviceId) {
        let theirs = self.talks.lines.iter();
        let theirs = theirs.filter(|(_, line)| line.device == Some(device));
        for connection in theirs.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.close_line(connection);
            self.line_ended(connection, Ended::Closed);
        }
        self.shared.conversations.drop_key(device);
        let settled = self.shared.conversations.take_back(device, None);
        self.tell_deliveries(device, settled, Delivery::NotDelivered);
        self.talks.with.remove(&device);
    }

    /// Ends all politely, with the engine.
    pub(super) fn end_talks(&mut self) {
        for connection in self.talks.lines.keys().copied().collect::<Vec<_>>() {
            self.close_line(connection);
        }
    }

    /// By its own goodbye, or by cutting what has no session yet.
    fn close_line(&mut self, connection: ConnectionId) {
        let line = self.talks.lines.get(&connection);
        match line.and_then(|line| line.talking.as_ref()) {
            Some(talking) => talking.close(),
            None => {
                if let Some(held) = self.connections.get(&connection) {
                    held.cut.cut();
                }
            }
        }
    }

    /// Both remember each other: the pair key opens everything from now on.
    pub(super) fn paired_in_talks(&mut self, peer: &Peer) {
        if let Some(device) = peer.device_id {
            self.shared.conversations.drop_key(device);
            if let Some(with) = self.talks.with.get_mut(&device) {
                with.peer = peer.clone();
            }
        }
    }

    /// Peers of conversations, to see whether they still stand.
    pub(super) fn talked_with(&self) -> impl Iterator<Item = Peer> {
        let lines = self.talks.lines.values();
        let talking = lines.filter_map(|line| line.talking.as_ref());
        talking.map(|talking| talking.meeting.peer())
    }

    pub(super) fn talk_note(&mut self, connection: ConnectionId, note: TalkNote) {
        match note {
            TalkNote::Connected(talking) => self.line_connected(connection, talking),
            TalkNote::Opened => self.line_opened(connection),
            TalkNote::Heard(saying) => self.was_said(connection, saying),
            TalkNote::Receipted(places) => self.receipted(connection, &places),
            TalkNote::Ended(ended) => self.line_ended(connection, ended),
        }
    }

    fn line_connected(&mut self, connection: ConnectionId, talking: Arc<Talking>) {
        let device = talking.device;
        let peer = talking.meeting.peer();
        if !self.still_stands(&peer) {
            talking.close();
            return self.line_ended(connection, Ended::Closed);
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
                (Some(_), None) | (None, _) => talking.welcome(),
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
            },
        );
        match asked {
            None => {
                self.with(device).peer = peer;
                talking.welcome();
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
        match &talking.key {
            KeyOf::This(key) if peer.trust < Trust::Known => {
                conversations.keep_key(device, &peer.name, key.clone());
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
        let peer = self.peer_of(device);
        let place = saying.place;
        let line = self
            .shared
            .conversations
            .hear(device, &peer.name, saying, move || {
                talking.receipt(place);
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

    fn tell_deliveries(&mut self, device: DeviceId, ids: Vec<MessageId>, delivery: Delivery) {
        for id in ids {
            self.events.say(Event::Delivery(device, id, delivery));
        }
    }

    /// A transfer has ended: that is part of what the two have exchanged.
    pub(super) fn transfer_in_talk(
        &mut self,
        id: TransferId,
        status: Status,
        transfer: &super::Transfer,
    ) {
        let started = &transfer.started;
        let Some(device) = started.peer.device_id else {
            return;
        };
        let outcome = match status {
            Status::Arrived => Outcome::Arrived,
            Status::Problems => Outcome::Problems,
            Status::Declined => Outcome::Declined,
            Status::Cancelled(_) => Outcome::Cancelled,
            Status::Failed => Outcome::Failed,
            // It is not over.
            Status::Interrupted => return,
        };
        if !started.peer.trust.is_verified() || self.shared.known.is_blocked(device) {
            return;
        }
        let line = TransferLine {
            transfer: id,
            names: started.names.clone(),
            picked: started.picked,
            entries: transfer.live.entries.get(),
            bytes: transfer.live.arrived_bytes.get(),
            failed: transfer.live.failed.get(),
            outcome,
        };
        let (name, direction) = (&started.peer.name, started.direction);
        let conversations = &self.shared.conversations;
        let line = conversations.transferred(device, name, direction, line);
        self.events.say(Event::Line(started.peer.clone(), line));
    }

    fn line_ended(&mut self, connection: ConnectionId, ended: Ended) {
        let Some(line) = self.talks.lines.remove(&connection) else {
            return;
        };
        let failure = match ended {
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
        if self.open_peer(device).is_some() {
            // The other connection takes over.
            return self.feed(device);
        }
        if failure == Some(Failure::Declined) {
            let settled = self.shared.conversations.take_back(device, None);
            self.tell_deliveries(device, settled, Delivery::NotDelivered);
        }
        let waits = self.shared.conversations.waits(device);
        let was_open = line.stands == Stands::Open;
        let with = self.with(device);
        let in_use = with.active.elapsed() < RESTS_AFTER;
        let lost = failure.as_ref().is_some_and(may_go_on);
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
    pub(super) fn talk_closed(&mut self, connection: ConnectionId) {
        self.line_ended(connection, Ended::Failed(Failure::Lost));
    }

    /// Says what waits, as far as there is room on the way, or sees to it that there is a way.
    fn feed(&mut self, device: DeviceId) {
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
            }
        }
        self.tell_talk(device);
    }

    /// Calls it, unless that is under way or has to wait.
    fn try_again(&mut self, device: DeviceId) {
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
        let mut at: Vec<PeerAddress> = with.seen.clone();
        for address in [known, kept].into_iter().flatten() {
            if !at.contains(&address) {
                at.push(address);
            }
        }
        if at.is_empty() {
            let host = with.peer.name.to_string();
            with.failure = Some(Failure::Unresolvable { host });
            return self.tell_talk(device);
        }
        let call = Call {
            at,
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

    fn connect_to_talk(&mut self, device: Option<DeviceId>, what: Call, request: Option<Request>) {
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
    pub(super) fn tend_talks(&mut self) {
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
            let device = self.line(connection).map(|(device, _)| device);
            if device.is_some_and(|device| !self.shared.conversations.waits(device)) {
                self.close_line(connection);
                self.line_ended(connection, Ended::Closed);
            }
        }
    }

    pub(super) fn next_talk(&self) -> Option<Duration> {
        let again = self.talks.with.values().filter_map(|with| with.again);
        let rests = self.talks.rests().map(|(_, at)| at);
        let mute = self.talks.mute().map(|(_, at)| at);
        let next = again.chain(rests).chain(mute).min()?;
        // A moment later, so that it is over then.
        Some(next.saturating_duration_since(Instant::now()) + Duration::from_millis(10))
    }

    fn line(&self, connection: ConnectionId) -> Option<(DeviceId, Arc<Talking>)> {
        let line = self.talks.lines.get(&connection)?;
        Some((line.device?, line.talking.clone()?))
    }

    fn lines_with(&self, device: DeviceId) -> impl Iterator<Item = (ConnectionId, &Arc<Talking>)> {
        let lines = self.talks.lines.iter();
        let theirs = lines.filter(move |(_, line)| line.device == Some(device));
        theirs.filter_map(|(id, line)| Some((*id, line.talking.as_ref()?)))
    }

    fn open_peer(&self, device: DeviceId) -> Option<Peer> {
        let mut lines = self.talks.lines.values();
        let open = lines.find(|line| line.device == Some(device) && line.stands == Stands::Open)?;
        Some(open.talking.as_ref()?.meeting.peer())
    }

    /// The device as far as anything is known of it.
    fn peer_of(&mut self, device: DeviceId) -> Peer {
        self.with(device).peer.clone()
    }

    fn with(&mut self, device: DeviceId) -> &mut With {
        let shared = &self.shared;
        if self.talks.with.len() >= MOST_STANDINGS && !self.talks.with.contains_key(&device) {
            let lines = &self.talks.lines;
            let in_use = |id: &DeviceId| lines.values().any(|line| line.device == Some(*id));
            let with = &mut self.talks.with;
            with.retain(|id, _| in_use(id) || shared.conversations.waits(*id));
        }
        let met = &self.met;
        self.talks.with.entry(device).or_insert_with(|| {
            let known = shared.known.get(device);
            let paired = shared.known.pair_key(device).is_some();
            let address = known.as_ref().and_then(|known| known.address.clone());
            let kept = shared.conversations.address(device);
            let address = address.or_else(|| kept.map(|address| address.to_string()));
            let name = known.map(|known| known.name);
            let name = name.or_else(|| shared.conversations.name(device));
            let name = name.or_else(|| met.get(&device).cloned());
            With {
                peer: Peer {
                    name: name.unwrap_or_else(|| DeviceName::cleaned("", &device.short())),
                    device_id: Some(device),
                    address: address.unwrap_or_default(),
                    trust: match paired {
                        true => Trust::Known,
                        false => Trust::None,
                    },
                },
                told: None,
                active: Instant::now(),
                failure: None,
                again: None,
                pause: TRY_AGAIN_AFTER,
                seen: Vec::new(),
            }
        })
    }

    /// Says how it stands, if that is something new.
    fn tell_talk(&mut self, device: DeviceId) {
        let lines = self.talks.lines.values();
        let theirs = lines.filter(|line| line.device == Some(device));
        // A stranger's question is told by itself.
        let ours = theirs.filter(|line| line.outgoing || line.stands == Stands::Open);
        // Where something was proven, the answer comes by itself.
        let asked = self
            .lines_with(device)
            .any(|(_, talking)| talking.symbols.is_some());
        let best = ours
            .map(|line| line.stands)
            .max_by_key(|stands| match stands {
                Stands::Calling => 0,
                Stands::Asking => 1,
                Stands::Open => 2,
            });
        let with = self.with(device);
        let talk = match best {
            Some(Stands::Open) => Talk::Open,
            Some(Stands::Asking) if asked => Talk::Asking,
            Some(Stands::Asking | Stands::Calling) => Talk::Connecting,
            None => match &with.failure {
                Some(failure) => Talk::Away(failure.clone()),
                None => Talk::Resting,
            },
        };
        // Nothing to tell of somebody with whom nothing has begun.
        let begins = with.told.is_some() || talk != Talk::Resting;
        if begins && with.told.as_ref() != Some(&talk) {
            with.told = Some(talk.clone());
            let peer = with.peer.clone();
            self.events.say(Event::Talk(peer, talk));
        }
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

#[allow(dead_code)]
fn as_typed(address: &SocketAddr) -> PeerAddress {
    PeerAddress {
        host: match address {
            SocketAddr::V4(v4) => v4.ip().to_string(),
            SocketAddr::V6(v6) if v6.scope_id() != 0 => format!("{}%{}", v6.ip(), v6.scope_id()),
            SocketAddr::V6(v6) => v6.ip().to_string(),
        },
        port: Some(address.port()),
        device: None,
    }
}
