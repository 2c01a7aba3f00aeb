//! The client's way into a conversation: the addresses where the device may be, one after the other,
//! then whatever opens it – the pair key, the conversation's key, what a person typed, symbols.

use std::net::{SocketAddr, TcpStream};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{Came, Ended, KeyOf, TalkNote, Talking};
use crate::channel::Channel;
use crate::engine::calls::{Called, Calling, Subject};
use crate::engine::command::Chosen;
use crate::engine::cut::Cut;
use crate::engine::dial::{Dialed, MOST_WRONG, Places, dial_any};
use crate::engine::failures::{channel_failure, greeting_failure, not_chosen};
use crate::engine::greeting::{GreetingError, Met, Plan, Talk, greet_server};
use crate::engine::limits::CLIENT_DEADLINE;
use crate::engine::link::{Link, TICK};
use crate::engine::nearby::place;
use crate::engine::note::{Note, Notes};
use crate::engine::wire::Phase;
use crate::engine::{Shared, lock, shown};
use crate::model::{Failure, Peer, PeerAddress, Secret, Trust};
use crate::protocol::talking::Talking as Machine;
use crate::protocol::verification::{ConversationKey, PairKey};

/// A crowd at the door has so long to make room.
const KNOCK_FOR: Duration = Duration::from_secs(10);
const KNOCK_EVERY: Duration = Duration::from_millis(250);

/// Whom to call, and what there is to show.
pub struct Call {
    /// Where it may be, the likeliest first.
    pub at: Vec<PeerAddress>,
    /// Where it was heard of once; what is heard of now is asked for by itself.
    pub seen: Vec<SocketAddr>,
    pub device: Option<Chosen>,
    pub secret: Option<Secret>,
    pub ask: bool,
    pub remember: bool,
}

struct Connected {
    channel: Channel,
    met: Met,
    key: KeyOf,
    /// For people.
    address: String,
    /// As it was asked for.
    given: PeerAddress,
    at: Option<SocketAddr>,
}

/// The whole life of a connection that was opened from here, on its own thread.
pub fn call(call: &Call, cut: &Cut, shared: &Arc<Shared>, notes: &Notes) {
    let failed = |failure| notes.send(Note::Talk(TalkNote::Ended(Ended::Failed(failure))));
    match reach(call, cut, shared, notes) {
        // Nobody wants it any more.
        None => {}
        Some(Err(failure)) => failed(failure),
        Some(Ok(connected)) => {
            if let Err(failure) = talk(connected, call.remember, shared, notes) {
                failed(failure);
            }
        }
    }
}

/// Somebody else was at an address of the device that is meant, which may be anywhere else.
pub fn is_elsewhere(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::NotTheDevice { .. }
            | Failure::NotTheLinked { .. }
            | Failure::Moved { .. }
            | Failure::Ourselves
    )
}

fn reach(
    call: &Call,
    cut: &Cut,
    shared: &Arc<Shared>,
    notes: &Notes,
) -> Option<Result<Connected, Failure>> {
    let begun = Instant::now();
    // Where the device was not just now; and where nobody had time for us, which is asked again.
    let (mut wrong, mut busy) = (Vec::new(), Vec::new());
    let mut found = None;
    let subject = Subject {
        device: call.device.as_ref().map(|chosen| chosen.id),
        stopped: &|| cut.is_cut(),
        asks_person: &|| notes.send(Note::Talk(TalkNote::Called)),
    };
    let mut calling = Calling::new(subject, shared, notes);
    loop {
        let passed_over = [wrong.as_slice(), busy.as_slice()].concat();
        let (socket, given) = match dial(call, &passed_over, &calling, shared, notes) {
            Some(Ok(dialed)) => dialed,
            Some(Err(_)) if !busy.is_empty() && begun.elapsed() < KNOCK_FOR => {
                std::thread::sleep(KNOCK_EVERY);
                if cut.is_cut() {
                    return None;
                }
                busy.clear();
                continue;
            }
            other => {
                let called = match calling.wait() {
                    ControlFlow::Continue(()) => {
                        wrong.clear();
                        continue;
                    }
                    ControlFlow::Break(called) => called,
                };
                return match (called, other) {
                    (Some(called), _) => reach_called(called, call, cut, shared, notes),
                    (None, Some(Err(failure))) => Some(Err(found.unwrap_or(failure))),
                    (None, _gave_up) => None,
                };
            }
        };
        if let Err(error) = cut.connected(&socket) {
            return Some(Err(Failure::Internal(error.to_string())));
        }
        notes.trace.connected(&socket);
        let at = socket.peer_addr().ok();
        let address = at.map_or_else(|| given.to_string(), shown);
        let greeted = greet(socket, call, shared, notes, &address);
        if cut.is_cut() {
            return None;
        }
        let (failure, aside) = match greeted {
            Ok((channel, met, key)) => {
                return Some(Ok(Connected {
                    channel,
                    met,
                    key,
                    address,
                    given,
                    at,
                }));
            }
            // Without the key that was of no use there may be another way.
            Err(Refused::Key(_)) if begun.elapsed() < KNOCK_FOR => continue,
            Err(Refused::Key(failure) | Refused::For(failure)) => return Some(Err(failure)),
            Err(Refused::Busy(failure)) => (failure, &mut busy),
            Err(Refused::Elsewhere(failure)) => (failure, &mut wrong),
        };
        match at.filter(|at| !passed_over.contains(at)) {
            Some(at) => aside.push(at),
            // It would be dialled for ever.
            None => return Some(Err(failure)),
        }
        found = Some(failure);
    }
}

/// The device has connected to us, since we could not to it.
fn reach_called(
    called: Called,
    call: &Call,
    cut: &Cut,
    shared: &Arc<Shared>,
    notes: &Notes,
) -> Option<Result<Connected, Failure>> {
    if let Err(error) = cut.connected(&called.socket) {
        return Some(Err(Failure::Internal(error.to_string())));
    }
    notes.trace.connected(&called.socket);
    let address = shown(called.at);
    let greeted = greet_over(called.channel, call, shared, notes, &address);
    if cut.is_cut() {
        return None;
    }
    Some(match greeted {
        Ok((channel, met, key)) => Ok(Connected {
            given: PeerAddress::nowhere(channel.peer),
            channel,
            met,
            key,
            address,
            // It came from a port of its own, where nobody listens.
            at: None,
        }),
        Err(
            Refused::Key(failure)
            | Refused::For(failure)
            | Refused::Busy(failure)
            | Refused::Elsewhere(failure),
        ) => Err(failure),
    })
}

/// Whoever answers first of all places where it may be, and which of those that were asked for that is.
fn dial(
    call: &Call,
    passed_over: &[SocketAddr],
    calling: &Calling,
    shared: &Shared,
    notes: &Notes,
) -> Option<Result<(TcpStream, PeerAddress), Failure>> {
    let told = |phase, until| notes.trace.phase(phase, until);
    let device = call.device.as_ref().map(|chosen| chosen.id);
    let mut heard = device.map_or_else(Vec::new, |device| shared.whereabouts.of(device));
    if passed_over.len() >= MOST_WRONG {
        heard.clear();
    }
    heard.extend(
        call.seen
            .iter()
            .filter(|at| !heard.contains(at))
            .copied()
            .collect::<Vec<_>>(),
    );
    let mut given = call.at.clone();
    if given.is_empty() {
        given.extend(device.map(PeerAddress::nowhere));
    }
    let mut failure = Failure::Unresolvable {
        host: String::new(),
    };
    for to in given {
        let places = Places {
            heard: std::mem::take(&mut heard),
            given: &to,
            wrong: passed_over,
        };
        match dial_any(places, || calling.gives_up(), &told)? {
            Ok(Dialed { socket, .. }) => return Some(Ok((socket, to))),
            Err(error) => failure = error,
        }
    }
    Some(Err(failure))
}

enum Refused {
    For(Failure),
    /// A key of ours is not known there any more, and is not kept here either.
    Key(Failure),
    /// It has hung up, and may have time in a moment.
    Busy(Failure),
    /// Whoever is there has not proven to be the device that is meant.
    Elsewhere(Failure),
}

/// TLS and verification, against one deadline.
fn greet(
    socket: TcpStream,
    call: &Call,
    shared: &Arc<Shared>,
    notes: &Notes,
    address: &str,
) -> Result<(Channel, Met, KeyOf), Refused> {
    let deadline = Instant::now() + CLIENT_DEADLINE;
    notes.trace.phase(Phase::Handshake, Some(deadline));
    let channel =
        Channel::connect(socket, &shared.identity, deadline).map_err(
            |error| match channel_failure(&error, address) {
                failure @ Failure::Busy => Refused::Busy(failure),
                failure if call.device.is_some() => Refused::Elsewhere(failure),
                failure => Refused::For(failure),
            },
        )?;
    greet_over(channel, call, shared, notes, address)
}

fn greet_over(
    mut channel: Channel,
    call: &Call,
    shared: &Arc<Shared>,
    notes: &Notes,
    address: &str,
) -> Result<(Channel, Met, KeyOf), Refused> {
    let chosen = call.device.as_ref();
    let (ours, there) = (shared.identity.device_id(), channel.peer);
    // Whatever somebody else says is not said by the device that is meant.
    let is_meant = chosen.is_none_or(|chosen| chosen.id == there);
    if there == ours {
        return Err(match is_meant {
            true => Refused::For(Failure::Ourselves),
            false => Refused::Elsewhere(Failure::Ourselves),
        });
    }
    if shared.known.look_again() {
        notes.send(Note::KnownChanged);
    }
    if is_meant && shared.known.is_blocked(there) {
        return Err(Refused::For(Failure::Declined));
    }
    let answered = AtomicBool::new(false);
    let name = lock(&shared.name).clone();
    let pair = shared.known.pair_key(there);
    let before = shared.conversations.key(there);
    let plan = Plan {
        chosen,
        session: None,
        pair: pair.as_ref(),
        talk: Some(Talk {
            key: before.as_ref(),
        }),
        secret: call.secret.as_ref(),
        ask: call.ask,
        answering: &|| answered.store(true, Ordering::SeqCst),
        trace: &notes.trace,
    };
    let met = greet_server(&mut channel, ours, &name, &plan);
    let shows_more = call.secret.is_some() || call.ask;
    let refused_key = |failure, more| match more || shows_more {
        true => Refused::Key(failure),
        false => Refused::For(failure),
    };
    let met = met.map_err(|error| match (error, chosen) {
        (GreetingError::AnotherDevice(found), Some(chosen)) => {
            Refused::Elsewhere(not_chosen(chosen, found))
        }
        (error, _) if !is_meant => {
            tracing::info!(%error, "somebody else than the device that is meant");
            let address = address.to_owned();
            Refused::Elsewhere(Failure::Unreachable { address })
        }
        (GreetingError::NotPaired(name), _) => {
            if shared.known.forgotten_there(there) {
                notes.send(Note::KnownChanged);
            }
            refused_key(Failure::ForgottenThere { name }, before.is_some())
        }
        (GreetingError::NoTalk, _) => {
            shared.conversations.drop_key(there);
            refused_key(Failure::SecretNeeded, false)
        }
        // It has said no; it would say so again.
        (GreetingError::NoSeat, _) => Refused::For(Failure::Busy),
        (error, _) => match greeting_failure(error, address) {
            failure @ (Failure::Busy | Failure::Lost) if !answered.load(Ordering::SeqCst) => {
                Refused::Busy(failure)
            }
            failure => Refused::For(failure),
        },
    })?;
    let key = match (met.trust, before) {
        (Trust::Known, _) => KeyOf::Pair,
        (_, Some(_)) => KeyOf::Before,
        (_, None) => KeyOf::This(ConversationKey::derive(
            &channel.session_secret,
            ours,
            there,
        )),
    };
    Ok((channel, met, key))
}

/// From the greeting to the end.
fn talk(
    connected: Connected,
    remember: bool,
    shared: &Arc<Shared>,
    notes: &Notes,
) -> Result<(), Failure> {
    let Connected {
        mut channel,
        met,
        key,
        address,
        given,
        at,
    } = connected;
    let (_, place) = place(&given, at);
    let internal = |error: crate::channel::ChannelError| Failure::Internal(error.to_string());
    let link = Arc::new(Link::new(
        channel.shutdown_handle().map_err(internal)?,
        notes.trace.clone(),
    ));
    let ring = link.clone();
    channel
        .established(TICK, move || ring.outbox.flush())
        .map_err(internal)?;
    let ours = shared.identity.device_id();
    if shared.known.met(channel.peer, &met.name, place.clone()) {
        notes.send(Note::KnownChanged);
    }
    let came = Came {
        peer: Peer {
            name: met.name,
            device_id: Some(channel.peer),
            address,
            trust: met.trust,
        },
        symbols: met.symbols,
        seat: None,
        key,
        reached_at: place.and_then(|place| place.parse().ok()),
        remember,
        pair: PairKey::derive(&channel.session_secret, ours, channel.peer),
    };
    let talking = Talking::new(
        Machine::client(),
        &channel,
        link,
        came,
        shared,
        notes.clone(),
    );
    notes.trace.phase(Phase::Talking, None);
    talking.pump(&mut talking.machine());
    notes.send(Note::Talk(TalkNote::Connected(talking.clone())));
    talking.run(channel.reader, channel.writer);
    Ok(())
}
