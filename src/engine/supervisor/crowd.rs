//! Who has to go when there are too many: at the door, and of those who have proven themselves.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::server::{Incoming, Standing};
use super::{Role, Supervisor};
use crate::engine::cut::Stage;
use crate::engine::limits::{
    ASKING, ASKING_NEAR, CLIENTS, CLIENTS_OF_DEVICE, OFFERS, OFFERS_OF_DEVICE, STRANGERS,
    STRANGERS_NEAR, TURNED_AWAY, TURNED_AWAY_FOR, neighbourhood,
};
use crate::engine::note::ConnectionId;
use crate::model::{DeviceId, Peer, Trust};

/// Connections that were turned away and do not know it yet: who comes back at once each time it is
/// dropped does so once a second, and leaves others the time to prove themselves.
#[derive(Default)]
pub(super) struct TurnedAway(VecDeque<(Instant, TcpStream)>);

impl TurnedAway {
    /// Nobody reads it any more; what it still sends is thrown away early.
    pub(super) fn keep(&mut self, socket: TcpStream) {
        let _ = socket.shutdown(Shutdown::Read);
        let _ = SockRef::from(&socket).set_recv_buffer_size(TURNED_AWAY_BUFFER);
        if self.0.is_empty() {
            tracing::warn!("too many are at the door; the oldest are turned away");
        }
        if self.0.len() >= TURNED_AWAY {
            self.0.pop_front();
        }
        self.0.push_back((Instant::now(), socket));
    }

    pub(super) fn let_go(&mut self) {
        let over = |(since, _): &mut (Instant, TcpStream)| since.elapsed() >= TURNED_AWAY_FOR;
        while self.0.front_mut().is_some_and(over) {
            self.0.pop_front();
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn next_wake(&self) -> Option<Duration> {
        let (since, _) = self.0.front()?;
        Some(TURNED_AWAY_FOR.saturating_sub(since.elapsed()))
    }
}

/// What the system may keep of what each of them says: it asks for more by itself, and they are many.
const TURNED_AWAY_BUFFER: usize = 4096;

/// How often it is told who is connected: a crowd that comes and goes would otherwise pile up events for
/// a front end that is busy.
#[derive(Default)]
pub(super) struct TellingPace {
    /// When what was told so far is paid for.
    paid: Option<Instant>,
}

impl TellingPace {
    const EVERY: Duration = Duration::from_millis(100);
    /// More than people bring about, one after the other.
    const AT_ONCE: u32 = 100;

    pub(super) fn wait(&self, now: Instant) -> Duration {
        let owed = self
            .paid
            .map(|paid| paid.saturating_duration_since(now))
            .unwrap_or_default();
        owed.saturating_sub(Self::EVERY * Self::AT_ONCE)
    }

    pub(super) fn told(&mut self, now: Instant) {
        let paid = self.paid.map_or(now, |paid| paid.max(now));
        self.paid = Some(paid + Self::EVERY);
    }
}

impl Supervisor {
    /// Every connection that a client has opened.
    pub(super) fn clients(&self) -> impl Iterator<Item = (ConnectionId, &Incoming)> {
        self.connections
            .iter()
            .filter_map(|(id, connection)| match &connection.role {
                Role::Incoming(incoming) => Some((*id, incoming)),
                Role::Outgoing => None,
            })
    }

    /// Who was turned away and still has a thread, of this neighbourhood or of all.
    pub(super) fn leaving(&self, near: Option<IpAddr>) -> usize {
        let of_them =
            |client: &Incoming| near.is_none_or(|near| neighbourhood(client.from) == near);
        self.clients()
            .filter(|(_, client)| client.standing == Standing::Leaving && of_them(client))
            .count()
    }

    /// Whether others of this neighbourhood are at the door, or on their way from it.
    pub(super) fn is_crowded(&self, near: IpAddr) -> bool {
        self.clients().any(|(_, client)| {
            let here = matches!(client.standing, Standing::Stranger | Standing::Leaving);
            here && neighbourhood(client.from) == near
        })
    }

    /// Turns a stranger of this neighbourhood away, or of the busiest one, if there are too many. `false`: there is no
    /// room for one more of this neighbourhood, since all of them are about to be heard.
    pub(super) fn make_room(&mut self, from: IpAddr) -> bool {
        // Their threads go on meanwhile: who has come further than it had when it was looked at stays.
        for _looked_again in 0..STRANGERS_NEAR {
            match self.who_goes(neighbourhood(from)) {
                Goes::Nobody => return true,
                Goes::Newcomer => return false,
                Goes::This(stranger, stage) => {
                    if self.turn_away(stranger, stage) {
                        return true;
                    }
                }
            }
        }
        false
    }

    fn who_goes(&self, newcomer: IpAddr) -> Goes {
        let mut strangers: HashMap<IpAddr, Vec<There>> = HashMap::new();
        for (id, connection) in &self.connections {
            if let Role::Incoming(incoming) = &connection.role
                && incoming.standing == Standing::Stranger
            {
                // In this order: what it owes is not there any more once it has come further.
                let owes = connection.cut.owes_answer_since();
                let there = match (owes, connection.cut.stage()) {
                    (_, Stage::Proven) => continue,
                    (Some(since), _) => (Stage::Challenged, since, *id),
                    (None, Stage::Stranger) => (Stage::Stranger, incoming.since, *id),
                    (None, _) => (Stage::Answered, incoming.since, *id),
                };
                let near = strangers.entry(neighbourhood(incoming.from)).or_default();
                near.push(there);
            }
        }
        let total: usize = strangers.values().map(Vec::len).sum();
        let now = Instant::now();
        if let Some(near) = strangers.get(&newcomer)
            && near.len() >= STRANGERS_NEAR
        {
            return first_to_go(near, now).map_or(Goes::Newcomer, Goes::this);
        }
        if total < STRANGERS {
            return Goes::Nobody;
        }
        // Of equally busy ones that of the oldest stranger.
        let oldest = |near: &Vec<_>| near.iter().map(|(_, since, _)| *since).min();
        let busy = strangers.values();
        let busiest = busy.max_by_key(|near| (near.len(), oldest(near).map(std::cmp::Reverse)));
        // Who comes from elsewhere has no part in that.
        let goes = busiest.and_then(|near| first_to_go(near, now).or_else(|| longest_there(near)));
        goes.map_or(Goes::Nobody, Goes::this)
    }

    /// `false`: it has come further than that.
    fn turn_away(&mut self, stranger: ConnectionId, stage: Stage) -> bool {
        let Some(connection) = self.connections.get_mut(&stranger) else {
            return true;
        };
        let Some(socket) = connection.cut.turn_away(stage) else {
            return connection.cut.is_cut();
        };
        self.turned_away.keep(socket);
        if let Role::Incoming(incoming) = &mut connection.role {
            incoming.standing = Standing::Leaving;
        }
        true
    }

    /// A client has just proven itself, or shows symbols: somebody has to go if that is one too many.
    pub(super) fn make_room_inside(&mut self, newcomer: ConnectionId) {
        let Some((from, peer)) = self
            .clients()
            .find(|(id, _)| *id == newcomer)
            .map(|(_, client)| (client.from, client.peer.clone()))
        else {
            return;
        };
        if peer.trust == Trust::Asked {
            let asking = self.clients().filter(|(_, client)| client.is_asking());
            let asking: Vec<_> = asking
                .map(|(_, client)| neighbourhood(client.from))
                .collect();
            let near = asking.iter().filter(|near| **near == neighbourhood(from));
            if asking.len() > ASKING || near.count() > ASKING_NEAR {
                // Those who are here are being compared; whoever comes later comes again.
                return self.hang_up(newcomer);
            }
        }
        let of_device = self
            .inside()
            .filter(|(_, client)| client.peer.device_id == peer.device_id);
        if of_device.count() > CLIENTS_OF_DEVICE {
            return self.hang_up(newcomer);
        }
        if self.inside().count() > CLIENTS {
            let idle = self.idlest();
            self.hang_up(idle.unwrap_or(newcomer));
        }
    }

    fn inside(&self) -> impl Iterator<Item = (ConnectionId, &Incoming)> {
        self.clients()
            .filter(|(_, client)| client.standing == Standing::Verified)
    }

    /// Of those who offer nothing: one of the busiest device, and the oldest; paired devices last.
    fn idlest(&self) -> Option<ConnectionId> {
        let mut busy: HashMap<Option<DeviceId>, usize> = HashMap::new();
        for (_, client) in self.inside() {
            *busy.entry(client.peer.device_id).or_default() += 1;
        }
        self.inside()
            .filter(|(_, client)| client.session.is_none())
            .max_by_key(|(_, client)| {
                let of_device = busy.get(&client.peer.device_id).copied();
                let stranger = client.peer.trust < Trust::Known;
                (stranger, of_device, client.since.elapsed())
            })
            .map(|(id, _)| id)
    }

    fn hang_up(&mut self, connection: ConnectionId) {
        tracing::warn!(connection, "turned away: too many clients");
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.hang_up();
        }
    }

    /// Whether one more offer of this peer may wait for an answer. A paired device is not kept out by
    /// what others offer.
    pub(super) fn may_offer(&self, peer: &Peer) -> bool {
        let waiting = || self.offers.values().map(|offer| &offer.from);
        let known = |peer: &Peer| peer.trust == Trust::Known;
        let of_device = waiting().filter(|from| from.device_id == peer.device_id);
        let of_its_kind = waiting().filter(|from| known(from) == known(peer));
        of_device.count() < OFFERS_OF_DEVICE && of_its_kind.count() < OFFERS
    }
}

/// Who has a challenge answers within this time, even if this computer or its own is busy. It does not come back by
/// itself once it has answered: whoever takes its answer and hangs up may be somebody who guesses.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

enum Goes {
    Nobody,
    /// Of its neighbourhood there is nobody who may go.
    Newcomer,
    This(ConnectionId, Stage),
}

impl Goes {
    fn this((stage, _, stranger): There) -> Self {
        Self::This(stranger, stage)
    }
}

/// One of a neighbourhood, since when it is in its stage.
type There = (Stage, Instant, ConnectionId);

/// Of the strangers of one neighbourhood: the oldest that has not come as far as a challenge. But those
/// who have, and say no more, are never more than half: the others would take turns on the few places
/// that are left, each for too short a time to prove anything. None if all have answered, or still may.
fn first_to_go(near: &[There], now: Instant) -> Option<There> {
    let is_late = |since: Instant| now.saturating_duration_since(since) >= ANSWERS_WITHIN;
    let late = oldest(near, Stage::Challenged).filter(|(_, since, _)| is_late(*since));
    let challenged = near.iter().filter(|(it, ..)| *it == Stage::Challenged);
    let is_most = challenged.count() > near.len() / 2;
    let goes = late
        .filter(|_| is_most)
        .or_else(|| oldest(near, Stage::Stranger));
    goes.or(late)
}

/// The last resort, where others would be kept out.
fn longest_there(near: &[There]) -> Option<There> {
    oldest(near, Stage::Challenged).or_else(|| oldest(near, Stage::Answered))
}

fn oldest(near: &[There], stage: Stage) -> Option<There> {
    let those = near.iter().filter(|(it, ..)| *it == stage);
    those.min_by_key(|(_, since, id)| (*since, *id)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_connected_is_told_a_hundred_times_at_once_and_then_ten_times_a_second() {
        let begun = Instant::now();
        let mut pace = TellingPace::default();
        let mut told = Vec::new();
        // A crowd changes it ten thousand times a second, for a minute.
        for step in 0..600_000 {
            let now = begun + Duration::from_micros(100) * step;
            if pace.wait(now).is_zero() {
                pace.told(now);
                told.push(now);
            }
        }
        let at_once = usize::try_from(TellingPace::AT_ONCE).unwrap();
        assert!(told[at_once] - begun < Duration::from_secs(1));
        assert!(told.len() <= at_once + 601, "{}", told.len());
        assert!(told.len() >= at_once + 590, "{}", told.len());
        // Once it is over there is as much again.
        let later = begun + Duration::from_secs(120);
        for _ in 0..at_once {
            assert!(pace.wait(later).is_zero());
            pace.told(later);
        }
    }

    #[test]
    fn those_who_have_a_challenge_are_spared_until_they_are_late_and_more_than_half() {
        let begun = Instant::now();
        let after = |stages: &[Stage], now: Instant| {
            let numbered = stages.iter().zip(1..);
            let near = numbered.map(|(stage, n)| (*stage, begun + Duration::from_millis(n), n));
            first_to_go(&near.collect::<Vec<_>>(), now).map(|(.., id)| id)
        };
        let near = |stages: &[Stage]| after(stages, begun + ANSWERS_WITHIN * 2);
        let (new, challenged) = (Stage::Stranger, Stage::Challenged);
        assert_eq!(near(&[]), None);
        assert_eq!(near(&[new]), Some(1));
        assert_eq!(near(&[challenged]), Some(1));
        assert_eq!(near(&[challenged, new, new]), Some(2));
        assert_eq!(near(&[challenged, challenged, new, new]), Some(3));
        assert_eq!(near(&[new, challenged, challenged]), Some(2));
        // Their answers may be on the way, or have come.
        let soon = |stages: &[Stage]| after(stages, begun + ANSWERS_WITHIN / 2);
        let answered = Stage::Answered;
        assert_eq!(soon(&[challenged, challenged, new]), Some(3));
        assert_eq!(soon(&[challenged, answered]), None);
        assert_eq!(near(&[answered, challenged, answered]), Some(2));
        assert_eq!(near(&[answered, answered]), None);
    }
}
