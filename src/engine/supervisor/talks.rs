//! Conversations: opened, told about, fed with what waits, rested, and tried again when the other
//! device is away.
//!
//! What waits to be said and what was heard is [`crate::engine::conversations`]' business, a connection
//! is [`Talking`]'s; here is which connection says it, and when one is opened or closed.

mod lines;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Supervisor;
use crate::engine::command::TalkRequest;
use crate::engine::event::{Event, NotSaid, Talk};
use crate::engine::limits::TRY_AGAIN_AFTER;
use crate::engine::note::ConnectionId;
use crate::engine::talking::{Call, Ended, Talking};
use crate::model::{
    Delivery, DeviceId, DeviceName, Failure, MessageId, Outcome, Peer, Status, TransferId,
    TransferLine, Trust,
};

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
    seen: Vec<SocketAddr>,
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
    /// The person here has said yes, where that is asked for.
    confirmed: bool,
    /// A person there is asked to let its device connect.
    called: bool,
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
            seen: Vec::new(),
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
        // Over a line that has died since, too: nobody knows whether it is there.
        if self.shared.conversations.may_be_there(device, id) {
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
    pub(super) fn device_appeared(&mut self, device: DeviceId, addresses: &[SocketAddr]) {
        let known = self.shared.known.get(device).is_some();
        let name = self.shared.conversations.name(device);
        if !known && name.is_none() {
            // Nothing is said to strangers, so nothing is kept of them.
            return;
        }
        let with = self.with(device);
        with.seen = addresses.to_vec();
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
        let mut lines = self.talks.lines.iter_mut();
        let line = lines.find(|(_, line)| line.request.as_ref().is_some_and(|it| it.id == id));
        let Some((connection, line)) = line else {
            return false;
        };
        let (connection, device) = (*connection, line.device);
        let Some(talking) = line.talking.clone() else {
            return true;
        };
        if same {
            line.confirmed = true;
            talking.welcome();
            if let Some(device) = device {
                self.tell_talk(device);
            }
        } else {
            talking.decline();
            self.line_ended(connection, Ended::Failed(Failure::NotConfirmed));
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

    /// Where a conversation's device was called.
    pub(super) fn talk_reached_at(&self, connection: ConnectionId) -> Option<String> {
        let (_, talking) = self.line(connection)?;
        Some(talking.reached_at.as_ref()?.to_string())
    }

    /// Peers of conversations, to see whether they still stand.
    pub(super) fn talked_with(&self) -> impl Iterator<Item = Peer> {
        let lines = self.talks.lines.values();
        let talking = lines.filter_map(|line| line.talking.as_ref());
        talking.map(|talking| talking.meeting.peer())
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
        // Where something was proven, the answer comes by itself; and our own person comes first.
        let lines = self.talks.lines.values();
        let asked = lines
            .filter(|line| line.device == Some(device))
            .any(|line| line.confirmed);
        let best = ours
            .map(|line| line.stands)
            .max_by_key(|stands| match stands {
                Stands::Calling => 0,
                Stands::Asking => 1,
                Stands::Open => 2,
            });
        let lines = self.talks.lines.values();
        let called = lines
            .filter(|line| line.device == Some(device))
            .any(|line| line.called && line.stands == Stands::Calling);
        let with = self.with(device);
        let talk = match best {
            Some(Stands::Open) => Talk::Open,
            Some(Stands::Asking) if asked => Talk::Asking,
            Some(Stands::Calling) if called => Talk::Calling,
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
