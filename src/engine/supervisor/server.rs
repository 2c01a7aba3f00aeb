//! The server's side of the supervisor: who is at the door, who is let in, who has to go.

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use super::{Connection, Role, Supervisor};
use crate::engine::calls::Nonce;
use crate::engine::command::{AcceptPolicy, Answer, ListenOptions, StopMode};
use crate::engine::cut::{Cut, Stage};
use crate::engine::dial::{Places, dial_any};
use crate::engine::event::{Client, Doing, Event, Listening};
use crate::engine::greeting::new_code;
use crate::engine::limits::{
    ASKING_WITHIN, CODE_LIFE, GUESS_BACK_EVERY, LEAVING, LEAVING_NEAR, NEIGHBOURHOODS,
    OFFER_WITHIN, SERVER_DEADLINE, neighbourhood,
};
use crate::engine::listener::{Listener, addresses};
use crate::engine::note::{ConnectionId, Notes};
use crate::engine::receiving::Receiving;
use crate::engine::talking::Talking;
use crate::engine::wire::{Closed, Phase, Purpose, Trace};
use crate::engine::{Arriving, LastWord, incoming, lock, shown};
use crate::model::{DeviceId, DeviceName, Direction, Peer, PeerAddress, TransferId, Trust};

pub(super) struct Server {
    /// Dropping it ends the accepting.
    listener: Listener,
    pub(super) accept: AcceptPolicy,
    pub(super) once: bool,
    /// An offer was accepted.
    pub(super) taken: bool,
    pub(super) trace: Trace,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.trace.close(Closed::SwitchedOff);
    }
}

impl Server {
    /// As bound; the port is the real one.
    pub(super) fn addr(&self) -> SocketAddr {
        self.listener.addr
    }
}

pub(super) struct Incoming {
    pub(super) from: IpAddr,
    pub(super) since: Instant,
    pub(super) peer: Peer,
    pub(super) doing: Doing,
    pub(super) standing: Standing,
    pub(super) session: Option<Arc<Receiving>>,
    /// In place of a session.
    pub(super) talking: Option<Arc<Talking>>,
    pub(super) offer: Option<TransferId>,
    /// The transfer it carries, or has carried.
    pub(super) about: Option<TransferId>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Stranger,
    /// It has proven itself.
    Verified,
    /// It carries content of a session that another connection has, and ends with that.
    Attached,
    /// It was cut; its thread is about to say so.
    Leaving,
}

impl Incoming {
    /// It shows symbols, and nobody here has said yet that they are the same.
    pub(super) fn is_asking(&self) -> bool {
        self.standing == Standing::Verified
            && self.peer.trust == Trust::Asked
            && self.about.is_none()
    }
}

impl Supervisor {
    pub(super) fn listen(&mut self, options: ListenOptions) {
        // Its port may be the one that is asked for.
        self.server = None;
        self.nearby.stop_listening();
        *lock(&self.shared.save_folder) = options.save_folder.clone();
        *lock(&self.shared.on_conflict) = options.on_conflict;
        let listener = match Listener::start(options.bind, self.inputs.clone()) {
            Ok(listener) => listener,
            Err(error) => {
                lock(&self.shared.gate).close();
                self.events.say(Event::ListenFailed(error));
                return;
            }
        };
        tracing::info!(addr = %listener.addr, "listening");
        self.chores.sweep(options.save_folder.clone());
        self.events.say(Event::Listening(Listening {
            addr: listener.addr,
            addresses: addresses(listener.addr),
            port_moved: listener.port_moved,
            device_id: self.shared.identity.device_id(),
            name: lock(&self.shared.name).clone(),
            save_folder: options.save_folder,
        }));
        self.shared
            .remember
            .store(options.remember, std::sync::atomic::Ordering::SeqCst);
        lock(&self.shared.gate).set_allow(options.allow);
        match options.passphrase {
            Some(passphrase) => lock(&self.shared.gate).open_with_passphrase(passphrase),
            None => lock(&self.shared.gate).open_with_code(new_code(), Instant::now(), true),
        }
        let wire = &self.shared.wire;
        let trace = wire.open("listen".into(), Purpose::Listen, Phase::Listening);
        trace.bound(listener.addr);
        self.server = Some(Server {
            listener,
            accept: options.accept,
            once: options.once,
            taken: false,
            trace,
        });
        self.tell_code();
        self.check_firewall();
        self.answer_calls();
    }

    pub(super) fn stop_listening(&mut self, mode: StopMode) {
        if self.server.take().is_none() {
            return;
        }
        self.turned_away.clear();
        lock(&self.shared.gate).close();
        self.disallow_callers();
        for transfer in self.offers.keys().copied().collect::<Vec<_>>() {
            self.answer(transfer, Answer::Decline);
        }
        let receiving: Vec<_> = self
            .transfers
            .iter()
            .filter(|(_, transfer)| transfer.started.direction == Direction::Receive)
            .map(|(id, transfer)| (*id, transfer.connection))
            .collect();
        if mode == StopMode::EndTransfers {
            for (transfer, _) in &receiving {
                self.cancel(*transfer);
            }
        }
        for (id, connection) in &mut self.connections {
            let busy =
                receiving.iter().any(|(_, busy)| busy == id) || self.settling.contains_key(id);
            // Of one that has proven itself and has not said so yet, it is about to be known whether it
            // carries content of a transfer that is let finish.
            let finishing = mode == StopMode::LetFinish;
            let stays = matches!(&connection.role, Role::Incoming(incoming)
            if match incoming.standing {
                Standing::Attached => true,
                Standing::Stranger => finishing && connection.cut.stage() == Stage::Proven,
                // Whom somebody talks with is not cut short by that.
                Standing::Verified => finishing && incoming.doing == Doing::Talking,
                Standing::Leaving => false,
            });
            if !stays && !busy {
                connection.hang_up();
            }
        }
        self.events.say(Event::ListenStopped);
    }

    pub(super) fn accepted(&mut self, socket: TcpStream, addr: SocketAddr) {
        let only_called = self.server.is_none();
        if only_called && !self.shared.calls.is_any() {
            return;
        }
        let from = neighbourhood(addr.ip());
        let Some(cut) = self.admit(addr) else {
            // Whoever has no part in that is to come back soon.
            if self.is_crowded(from) {
                self.turned_away.keep(socket);
            }
            return;
        };
        if let Err(error) = cut.connected(&socket) {
            tracing::warn!(%addr, %error, "turned away: it could not be ended");
            return;
        }
        self.serve(addr, cut, only_called, None, move |_, _| Some(socket));
    }

    /// Whether there is room for one more.
    fn admit(&mut self, addr: SocketAddr) -> Option<Arc<Cut>> {
        let from = addr.ip().to_canonical();
        if !self.make_room(from) {
            tracing::debug!(%from, "turned away: others are about to be heard");
            return None;
        }
        let near = Some(neighbourhood(from));
        if self.leaving(near) >= LEAVING_NEAR || self.leaving(None) >= LEAVING {
            tracing::debug!(%from, "turned away: too many are about to leave");
            return None;
        }
        Some(Arc::new(Cut::default()))
    }

    /// A device that knows this one cannot reach it, and asks to be called; then it is a client like any
    /// other.
    pub(super) fn connect_to_client(
        &mut self,
        device: DeviceId,
        nonce: Nonce,
        addresses: Vec<SocketAddr>,
    ) {
        let Some(first) = addresses.first().copied() else {
            return;
        };
        if let Some(cut) = self.admit(first) {
            self.serve(
                first,
                cut,
                false,
                Some((device, nonce)),
                move |cut, seen| {
                    let places = Places {
                        heard: addresses,
                        given: &PeerAddress::nowhere(device),
                        wrong: &[],
                    };
                    let over = || !cut.reached(Stage::Stranger);
                    let told = |phase, until| seen.phase(phase, until);
                    let socket = dial_any(places, over, &told)?.ok()?.socket;
                    cut.connected(&socket).ok().map(|()| socket)
                },
            );
        }
    }

    /// The thread of a client.
    fn serve(
        &mut self,
        addr: SocketAddr,
        cut: Arc<Cut>,
        only_called: bool,
        called: Option<(DeviceId, Nonce)>,
        open: impl FnOnce(&Cut, &Trace) -> Option<TcpStream> + Send + 'static,
    ) {
        let from = addr.ip().to_canonical();
        let connection = self.next_connection;
        self.next_connection += 1;
        let label = format!("client-{connection}");
        let wire = &self.shared.wire;
        let trace = wire.open_for(
            connection,
            label.clone(),
            Purpose::Unknown,
            (Phase::Handshake, Some(Instant::now() + SERVER_DEADLINE)),
        );
        trace.comes_from(addr);
        let notes = Notes {
            connection,
            inputs: self.inputs.clone(),
            trace: trace.clone(),
        };
        let shared = self.shared.clone();
        let address = shown(addr);
        let cut_by_thread = cut.clone();
        let peer = Peer {
            name: DeviceName::cleaned("", &address),
            device_id: None,
            address: address.clone(),
            trust: Trust::None,
        };
        let thread = std::thread::Builder::new().name(label).spawn(move || {
            let _last = LastWord(notes.clone());
            let client = Arriving {
                from,
                address,
                cut: &cut_by_thread,
                called,
                only_called,
            };
            if let Some(socket) = open(&cut_by_thread, &notes.trace) {
                incoming(socket, client, &shared, &notes);
            }
        });
        match thread {
            Ok(thread) => {
                let incoming = Incoming {
                    from,
                    since: Instant::now(),
                    peer,
                    doing: Doing::Verifying,
                    standing: Standing::Stranger,
                    session: None,
                    talking: None,
                    offer: None,
                    about: None,
                };
                self.clients_changed = true;
                self.connections.insert(
                    connection,
                    Connection {
                        thread,
                        cut,
                        role: Role::Incoming(incoming),
                    },
                );
            }
            Err(error) => {
                trace.close(Closed::Ended);
                tracing::warn!(%error, "no thread for a client");
            }
        }
    }

    /// To look at or to change.
    pub(super) fn incoming(&mut self, connection: ConnectionId) -> Option<&mut Incoming> {
        self.clients_changed = true;
        match &mut self.connections.get_mut(&connection)?.role {
            Role::Incoming(incoming) => Some(incoming),
            Role::Outgoing => None,
        }
    }

    pub(super) fn verified(&mut self, connection: ConnectionId, peer: Peer) {
        if !self.still_stands(&peer) {
            return self.part_with_connection(connection);
        }
        if let Some(id) = peer.device_id
            && peer.trust.is_verified()
        {
            self.meet(id, &peer.name);
            self.is_back(id);
        }
        let off = self.server.is_none();
        if let Some(incoming) = self.incoming(connection) {
            if off && incoming.standing == Standing::Stranger {
                // It was on its way in when the server was switched off.
                return self.part_with_connection(connection);
            }
            incoming.peer = peer;
            incoming.doing = Doing::Idle;
            if incoming.standing == Standing::Stranger {
                incoming.standing = Standing::Verified;
            }
            self.make_room_inside(connection);
        } else if let Some(id) = self.transfer_of(connection) {
            if let Some(transfer) = self.transfers.get_mut(&id) {
                transfer.started.peer = peer.clone();
            }
            self.events.say(Event::PeerKnown(id, peer));
        }
    }

    /// One more connection of a session; it is nobody else's client, and none that waits.
    pub(super) fn attached(&mut self, connection: ConnectionId, peer: Peer) {
        if !self.still_stands(&peer) {
            return self.part_with_connection(connection);
        }
        if let Some(incoming) = self.incoming(connection) {
            incoming.peer = peer;
            if incoming.standing == Standing::Stranger {
                incoming.standing = Standing::Attached;
            }
        }
    }

    /// Told once in the time that brings one try back.
    pub(super) fn must_wait(&mut self, from: IpAddr) {
        self.waits.retain(|_, at| at.elapsed() < GUESS_BACK_EVERY);
        let rests = lock(&self.shared.gate).rests();
        if !rests && self.waits.len() < NEIGHBOURHOODS && !self.waits.contains_key(&from) {
            self.waits.insert(from, Instant::now());
            self.events.say(Event::MustWait { from });
        }
    }

    /// Clients that hold a place and have so far offered nothing, or proven nothing; until when.
    pub(super) fn idle(&self) -> impl Iterator<Item = (ConnectionId, Instant)> {
        self.connections
            .iter()
            .filter_map(|(id, connection)| match &connection.role {
                Role::Incoming(incoming) if incoming.standing == Standing::Verified => {
                    let begun = incoming.session.is_some() || incoming.talking.is_some();
                    let within = if !begun {
                        OFFER_WITHIN
                    } else if incoming.peer.trust == Trust::Asked {
                        ASKING_WITHIN
                    } else {
                        return None;
                    };
                    Some((*id, incoming.since + within))
                }
                Role::Incoming(_) | Role::Outgoing => None,
            })
    }

    pub(super) fn end_idle(&mut self) {
        let idle = self.idle();
        let now = self.shared.now();
        let late = idle.filter(|(_, until)| *until <= now);
        for id in late.map(|(id, _)| id).collect::<Vec<_>>() {
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.hang_up();
            }
        }
    }

    pub(super) fn renew_code(&mut self) {
        let now = Instant::now();
        let mut gate = lock(&self.shared.gate);
        let over = gate.code_is_over(now);
        if over {
            gate.renew(new_code(), now);
        }
        drop(gate);
        if over {
            self.tell_code();
        }
    }

    /// Says the code if it is another one than was said last, and whether codes rest.
    pub(super) fn tell_code(&mut self) {
        let gate = lock(&self.shared.gate);
        let (code, rests) = (gate.code().cloned(), gate.rests());
        drop(gate);
        self.events.say_rests(rests);
        if let Some(code) = code {
            self.events.say_code(code, CODE_LIFE);
        }
    }

    pub(super) fn tell_clients(&mut self) {
        let mut incoming: Vec<_> = self
            .connections
            .iter()
            .filter_map(|(id, connection)| match &connection.role {
                Role::Incoming(incoming) if incoming.standing == Standing::Attached => None,
                Role::Incoming(incoming) => Some((*id, incoming)),
                Role::Outgoing => None,
            })
            .collect();
        incoming.sort_by_key(|(id, _)| *id);
        let clients: Vec<_> = incoming
            .into_iter()
            .map(|(_, incoming)| Client {
                peer: incoming.peer.clone(),
                doing: incoming.doing,
            })
            .collect();
        if clients != self.told_clients {
            self.told_clients.clone_from(&clients);
            self.events.say(Event::Clients(clients));
        }
    }
}
