//! Looking what a server lets in, before anything is typed: a connection that ends after the hellos.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::Instant;

use super::cut::Cut;
use super::dial::{Dialed, Places, dial_any};
use super::event::{Found, Looked};
use super::failures::{channel_failure, greeting_failure};
use super::greeting::look_at_server;
use super::limits::CLIENT_DEADLINE;
use super::note::Input;
use super::wire::{Closed, Ends, Phase, Purpose};
use super::{Shared, lock, shown};
use crate::channel::Channel;
use crate::model::{Failure, PeerAddress};

/// One look; dropping it ends it and waits for that, a moment at most.
pub struct Looking {
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Stop {
    cut: Cut,
    stopped: AtomicBool,
}

impl Looking {
    /// Fails if the system has no thread for it.
    pub fn start(
        at: PeerAddress,
        shared: Arc<Shared>,
        inputs: Sender<Input>,
    ) -> std::io::Result<Self> {
        let stop = Arc::new(Stop::default());
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("look".into())
            .spawn(move || {
                if let Some(found) = look(&at, &shared, &stopped) {
                    let _ = inputs.send(Input::Looked(Looked { at, found }));
                }
            });
        Ok(Self {
            stop,
            thread: Some(thread?),
        })
    }
}

impl Looking {
    /// Nobody wants to know any more.
    pub fn end(&self) {
        self.stop.stopped.store(true, Ordering::SeqCst);
        self.stop.cut.cut();
    }

    pub fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        self.end();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// `None`: nobody wants to know any more.
fn look(at: &PeerAddress, shared: &Shared, stop: &Stop) -> Option<Result<Found, Failure>> {
    let gave_up = || stop.stopped.load(Ordering::SeqCst);
    let heard = at.device.map(|device| shared.whereabouts.of(device));
    let places = Places {
        heard: heard.unwrap_or_default(),
        given: at,
        wrong: &[],
    };
    let trace = shared
        .wire
        .open("look".into(), Purpose::Look, Phase::Starting);
    let _ends = Ends(trace.clone());
    let dialled = dial_any(places, gave_up, &|phase, until| trace.phase(phase, until));
    let found = dialled?.and_then(|Dialed { socket, .. }| {
        trace.connected(&socket);
        let internal = |error: std::io::Error| Failure::Internal(error.to_string());
        stop.cut.connected(&socket).map_err(internal)?;
        let address = socket.peer_addr().map_or_else(|_| at.to_string(), shown);
        let deadline = Instant::now() + CLIENT_DEADLINE;
        trace.phase(Phase::Handshake, Some(deadline));
        let mut channel = Channel::connect(socket, &shared.identity, deadline)
            .map_err(|error| channel_failure(&error, &address))?;
        let ours = shared.identity.device_id();
        if channel.peer == ours {
            return Err(Failure::Ourselves);
        }
        let name = lock(&shared.name).clone();
        let (name, ways) = look_at_server(&mut channel, ours, &name, &trace)
            .map_err(|error| greeting_failure(error, &address))?;
        // It goes without a goodbye if that would take longer.
        let _ = channel.writer.close();
        trace.close(Closed::Goodbye);
        Ok(Found {
            id: channel.peer,
            name,
            ways,
            paired: shared.known.pair_key(channel.peer).is_some(),
        })
    });
    if let Err(failure) = &found {
        trace.close(Closed::Failed(failure.clone()));
    }
    (!gave_up()).then_some(found)
}
