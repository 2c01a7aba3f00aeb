//! The client's way into a conversation: the addresses where the device may be, one after the other,
//! then whatever opens it – the pair key, the conversation's key, what a person typed, symbols.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{Came, Ended, KeyOf, TalkNote, Talking};
use crate::channel::Channel;
use crate::engine::command::Chosen;
use crate::engine::cut::Cut;
use crate::engine::dial::{Dialed, Places, dial_any};
use crate::engine::failures::{channel_failure, greeting_failure, may_go_on, not_chosen};
use crate::engine::greeting::{GreetingError, Met, Plan, Talk, greet_server};
use crate::engine::limits::CLIENT_DEADLINE;
use crate::engine::link::{Link, TICK};
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
    at: PeerAddress,
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

fn reach(
    call: &Call,
    cut: &Cut,
    shared: &Arc<Shared>,
    notes: &Notes,
) -> Option<Result<Connected, Failure>> {
    let mut said: Option<Failure> = None;
    for at in &call.at {
        match knock(call, at, cut, shared, notes)? {
            Ok(connected) => return Some(Ok(connected)),
            // What it has said itself counts more than that nobody is somewhere else.
            Err(failure) if said.as_ref().is_none_or(may_go_on) => said = Some(failure),
            Err(_) => {}
        }
    }
    let nowhere = || Failure::Unresolvable {
        host: String::new(),
    };
    Some(Err(said.unwrap_or_else(nowhere)))
}

fn knock(
    call: &Call,
    at: &PeerAddress,
    cut: &Cut,
    shared: &Arc<Shared>,
    notes: &Notes,
) -> Option<Result<Connected, Failure>> {
    let begun = Instant::now();
    loop {
        let trace = &notes.trace;
        let told = |phase, until| trace.phase(phase, until);
        let places = Places {
            heard: Vec::new(),
            given: at,
            wrong: &[],
        };
        let Dialed { socket, .. } = match dial_any(places, || cut.is_cut(), &told)? {
            Ok(dialed) => dialed,
            Err(failure) => return Some(Err(failure)),
        };
        if let Err(error) = cut.connected(&socket) {
            return Some(Err(Failure::Internal(error.to_string())));
        }
        trace.connected(&socket);
        let address = socket.peer_addr().map_or_else(|_| at.to_string(), shown);
        let answered = AtomicBool::new(false);
        let greeted = greet(socket, call, shared, notes, &address, &answered);
        if cut.is_cut() {
            return None;
        }
        match greeted {
            // Without the key that was of no use there may be another way.
            Err(Refused::Key(_)) if begun.elapsed() < KNOCK_FOR => {}
            Err(Refused::Key(failure)) => return Some(Err(failure)),
            Err(Refused::For(Failure::Busy | Failure::Lost))
                if !answered.load(Ordering::SeqCst) && begun.elapsed() < KNOCK_FOR =>
            {
                std::thread::sleep(KNOCK_EVERY);
            }
            Err(Refused::For(failure)) => return Some(Err(failure)),
            Ok((channel, met, key)) => {
                return Some(Ok(Connected {
                    channel,
                    met,
                    key,
                    address,
                    at: at.clone(),
                }));
            }
        }
    }
}

enum Refused {
    For(Failure),
    /// A key of ours is not known there any more, and is not kept here either.
    Key(Failure),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::For(failure)
    }
}

/// TLS and verification, against one deadline.
fn greet(
    socket: std::net::TcpStream,
    call: &Call,
    shared: &Arc<Shared>,
    notes: &Notes,
    address: &str,
    answered: &AtomicBool,
) -> Result<(Channel, Met, KeyOf), Refused> {
    let deadline = Instant::now() + CLIENT_DEADLINE;
    notes.trace.phase(Phase::Handshake, Some(deadline));
    let mut channel = Channel::connect(socket, &shared.identity, deadline)
        .map_err(|error| channel_failure(&error, address))?;
    let (ours, there) = (shared.identity.device_id(), channel.peer);
    if there == ours {
        return Err(Failure::Ourselves.into());
    }
    if shared.known.look_again() {
        notes.send(Note::KnownChanged);
    }
    if shared.known.is_blocked(there) {
        return Err(Failure::Declined.into());
    }
    let name = lock(&shared.name).clone();
    let pair = shared.known.pair_key(there);
    let before = shared.conversations.key(there);
    let plan = Plan {
        chosen: call.device.as_ref(),
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
    let met = met.map_err(|error| match (error, &call.device) {
        (GreetingError::AnotherDevice(found), Some(chosen)) => {
            Refused::For(not_chosen(chosen, found))
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
        (GreetingError::NoSeat, _) => {
            // It has said no; it would say so again.
            answered.store(true, Ordering::SeqCst);
            Refused::For(Failure::Busy)
        }
        (error, _) => Refused::For(greeting_failure(error, address)),
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
        at,
    } = connected;
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
    if shared
        .known
        .met(channel.peer, &met.name, Some(at.to_string()))
    {
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
        reached_at: Some(at),
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
