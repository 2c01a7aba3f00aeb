//! `ropeway discover`: who is on the local network.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::args::Discover;
use super::input::{Input, Inputs};
use super::output::{Output, table};
use super::{Exit, Session, Trouble};
use crate::engine::{Caller, Event, KnownDevice};
use crate::model::{Bond, Nearby, Presence};

pub fn run(arguments: &Discover, data_dir: &Path, output: &Output) -> Result<Exit, Trouble> {
    let session = Session::start(data_dir, Inputs::new()?, output)?;
    if session.show(Presence::Hidden)? == Presence::Off {
        return Err(Trouble::usage(
            "presence",
            "Discovery is off, in the settings or by ROPEWAY_PRESENCE.",
        ));
    }
    let until = Instant::now() + Duration::from_secs(arguments.seconds);
    let mut found: Vec<Nearby> = Vec::new();
    let mut callers: Vec<Caller> = Vec::new();
    loop {
        match session.inputs.next_before(until) {
            Some(Input::Event(Event::Nearby(nearby))) => {
                let known = session.engine.known();
                let nearby = nearby.into_iter().map(|it| called(it, &known));
                let nearby: Vec<_> = nearby.collect();
                tell(&found, &nearby, &known, output);
                found = nearby;
            }
            Some(Input::Event(Event::Callers(now))) => {
                for caller in now.iter().filter(|caller| !callers.contains(caller)) {
                    output.caller(caller);
                }
                callers = now;
            }
            Some(Input::Event(Event::DevicesNotRead(why) | Event::ConversationsNotRead(why))) => {
                output.warn(&why);
            }
            Some(Input::Event(_) | Input::Line(..)) => {}
            Some(Input::Interrupt) => return Ok(Exit::Interrupted),
            None => break,
        }
    }
    list(&found, &session.engine.known(), output);
    Ok(Exit::Arrived)
}

/// One line for each that is new, changed, or gone.
fn tell(before: &[Nearby], now: &[Nearby], known: &[KnownDevice], output: &Output) {
    let gone = |was: &&Nearby| now.iter().all(|nearby| nearby.id != was.id);
    for was in before.iter().filter(gone) {
        output.json(&json!({
            "event": "gone",
            "name": was.name.as_str(),
            "device_id": was.id.to_string(),
        }));
    }
    for nearby in now.iter().filter(|nearby| !before.contains(nearby)) {
        let first = nearby.addresses.first();
        output.json(&json!({
            "event": "peer",
            "name": nearby.name.as_str(),
            "device_id": nearby.id.to_string(),
            "addr": first.map(|at| at.ip().to_string()),
            "port": first.map(std::net::SocketAddr::port),
            "addresses": nearby.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "system": nearby.system.as_str(),
            "receiving": nearby.receiving,
            "paired": is_paired(nearby, known),
        }));
    }
}

/// A known device by the name that it has here, whatever is said in its name on the network.
fn called(nearby: Nearby, known: &[KnownDevice]) -> Nearby {
    let mut known = known.iter();
    match known.find(|device| device.id == nearby.id && device.bond == Bond::Paired) {
        Some(device) => Nearby {
            name: device.shown().clone(),
            ..nearby
        },
        None => nearby,
    }
}

fn is_paired(nearby: &Nearby, known: &[KnownDevice]) -> bool {
    let mut known = known.iter();
    known.any(|device| device.id == nearby.id && device.bond == Bond::Paired)
}

fn list(found: &[Nearby], known: &[KnownDevice], output: &Output) {
    if found.is_empty() {
        output.say("No device was found on the local network.");
    }
    let rows = found.iter().map(|nearby| {
        let at = match nearby.addresses.first() {
            Some(first) => first.to_string(),
            None => "does not receive now".into(),
        };
        [
            nearby.name.to_string(),
            nearby.system.as_str().into(),
            nearby.id.short(),
            if is_paired(nearby, known) {
                "known"
            } else {
                "-"
            }
            .into(),
            at,
        ]
    });
    table(&rows.collect::<Vec<_>>(), output);
}
