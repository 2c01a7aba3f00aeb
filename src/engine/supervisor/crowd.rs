//! Who has to go when there are too many: at the door, and of those who have proven themselves.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::server::{Incoming, Standing};
use super::{Role, Supervisor};
use crate::engine::cut::Stage;
use crate::engine::limits::{
    ANSWERS_NEAR, ASKING, ASKING_NEAR, CLIENTS, CLIENTS_OF_DEVICE, OFFERS, OFFERS_OF_DEVICE,
    STRANGERS, STRANGERS_NEAR, TURNED_AWAY, TURNED_AWAY_FOR, neighbourhood,
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
        if total < STRANGERS {
            return Goes::Nobody;
        }
        let now = Instant::now();
        let near = strangers.get(&newcomer);
        let of_them = near.map_or(Goes::Nobody, |near| who_goes_near(near, now));
        if !matches!(of_them, Goes::Nobody) {
            return of_them;
        }
        // Of equally busy ones that of the oldest stranger.
        let oldest = |near: &Vec<_>| near.iter().map(|(_, since, _)| *since).min();
        let busy = strangers.values();
        let busiest = busy.max_by_key(|near| (near.len(), oldest(near).map(std::cmp::Reverse)));
        // Who comes from elsewhere has no part in that.
        let goes = busiest.and_then(|near| first_to_go(near, now));
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
/// As long as that only while there is room: a crowd of those who never answer would keep out all others.
const ANSWERS_AT_BEST: Duration = Duration::from_millis(100);

#[derive(Debug, PartialEq, Eq)]
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

/// For one more of their neighbourhood, who are all its strangers. Who has a challenge has a place besides those who
/// have none yet, or it would be too few that are left to these, each for too short a time to prove anything.
fn who_goes_near(near: &[There], now: Instant) -> Goes {
    if near.len() < STRANGERS_NEAR {
        return Goes::Nobody;
    }
    let new = near.iter().filter(|(it, ..)| *it == Stage::Stranger);
    let new = new.count();
    let is_full = near.len() - new >= ANSWERS_NEAR;
    let patience = if is_full {
        ANSWERS_AT_BEST
    } else {
        ANSWERS_WITHIN
    };
    if let Some(late) = late(near, now, patience) {
        return Goes::this(late);
    }
    if new >= STRANGERS_NEAR {
        return oldest(near, Stage::Stranger).map_or(Goes::Newcomer, Goes::this);
    }
    if is_full {
        Goes::Newcomer
    } else {
        Goes::Nobody
    }
}

/// The oldest that owes an answer for so long, if those who do are more than half: a slow one among others who are slow
/// in their own way is spared.
fn late(near: &[There], now: Instant, patience: Duration) -> Option<There> {
    let challenged = near.iter().filter(|(it, ..)| *it == Stage::Challenged);
    let late = oldest(near, Stage::Challenged)?;
    let is_late = now.saturating_duration_since(late.1) >= patience;
    (is_late && challenged.count() > near.len() / 2).then_some(late)
}

/// Of the busiest neighbourhood, for one more from elsewhere.
fn first_to_go(near: &[There], now: Instant) -> Option<There> {
    late(near, now, ANSWERS_WITHIN)
        .or_else(|| oldest(near, Stage::Stranger))
        .or_else(|| longest_there(near))
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
    fn who_has_a_challenge_keeps_no_newcomer_out_and_is_spared_until_it_is_late() {
        let begun = Instant::now();
        let goes = |stages: &[(Stage, usize)], after: Duration| {
            let stages = stages
                .iter()
                .flat_map(|(it, many)| std::iter::repeat_n(*it, *many));
            let near = stages.zip(1..).map(|(stage, n)| (stage, begun, n));
            who_goes_near(&near.collect::<Vec<_>>(), begun + after)
        };
        let (new, challenged, answered) = (Stage::Stranger, Stage::Challenged, Stage::Answered);
        let (soon, late) = (ANSWERS_AT_BEST / 2, ANSWERS_WITHIN);
        assert_eq!(goes(&[], late), Goes::Nobody);
        assert_eq!(goes(&[(challenged, 7)], late), Goes::Nobody);
        // Of those who have said nothing the oldest, however many others there are.
        assert_eq!(goes(&[(new, 8)], soon), Goes::This(1, new));
        assert_eq!(goes(&[(answered, 1), (new, 8)], late), Goes::This(2, new));
        assert_eq!(goes(&[(challenged, 5), (new, 8)], late), Goes::This(6, new));
        assert_eq!(
            goes(&[(challenged, 9), (new, 8)], soon),
            Goes::This(10, new)
        );
        assert_eq!(
            goes(&[(challenged, 9), (new, 8)], late),
            Goes::This(1, challenged)
        );
        // Their answers may be on the way: the newcomer has a place besides.
        let almost = ANSWERS_WITHIN - Duration::from_millis(1);
        assert_eq!(goes(&[(challenged, 8)], almost), Goes::Nobody);
        assert_eq!(goes(&[(challenged, 8)], late), Goes::This(1, challenged));
        // Not without end, and not for long.
        assert_eq!(goes(&[(challenged, ANSWERS_NEAR)], soon), Goes::Newcomer);
        assert_eq!(
            goes(&[(challenged, ANSWERS_NEAR)], ANSWERS_AT_BEST),
            Goes::This(1, challenged)
        );
        assert_eq!(goes(&[(answered, ANSWERS_NEAR)], late), Goes::Newcomer);
    }
}
