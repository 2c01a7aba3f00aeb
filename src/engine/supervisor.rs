//! The supervisor: one thread that owns every connection, offer and transfer and matches one
//! [`Input`] enum. It never blocks on a disk or a socket; the threads it starts do.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::chores::Chores;
use super::command::{AcceptPolicy, Answer, Command, ListenOptions, SendRequest, StopMode};
use super::cut::Cut;
use super::event::{Client, Doing, Event, Interrupted, ListenError, Listening, Offer, Started};
use super::gate::CODE_LIFE;
use super::greeting::new_code;
use super::ledger::Kept;
use super::listener::{Listener, addresses};
use super::live::Live;
use super::note::{ConnectionId, Counted, Input, Note, Notes};
use super::receiving::Receiving;
use super::sending::Sending;
use super::{LastWord, Reporter, Shared, absolute, incoming, lock, shown};
use crate::model::{
    DeviceId, DeviceName, Direction, Failure, Meter, Party, Peer, Progress, Status, Summary,
    TransferId, TransferState, displayable,
};
use crate::protocol::verification::SessionKey;

/// Progress is told at most twenty times a second a transfer.
const PROGRESS_EVERY: Duration = Duration::from_millis(50);
/// Connections that have not proven themselves, at most.
const MAX_STRANGERS: usize = 64;
/// Of those, from one address.
const MAX_STRANGERS_PER_ADDRESS: usize = 8;
/// Verified clients connected at once; each costs three threads and up to a window of memory.
const MAX_CLIENTS: usize = 256;
/// Who has proven itself and then offers nothing is holding a place.
const OFFER_WITHIN: Duration = Duration::from_secs(20);
/// So that a list of what was interrupted tells how much is there, also after a kill.
const WRITE_HELD_EVERY: Duration = Duration::from_secs(2);
const NO_CONNECTION: ConnectionId = 0;
/// When the engine ends, connections have so long to say goodbye.
const GOODBYE_WITHIN: Duration = Duration::from_millis(1500);

pub struct Supervisor {
    shared: Arc<Shared>,
    inputs: Sender<Input>,
    events: Reporter,
    chores: Chores,
    server: Option<Server>,
    connections: HashMap<ConnectionId, Connection>,
    offers: HashMap<TransferId, OpenOffer>,
    transfers: HashMap<TransferId, Transfer>,
    /// Ended, but "safe" may still follow.
    settling: HashMap<ConnectionId, TransferId>,
    /// Arrived in this process, and said so.
    arrived: HashSet<TransferId>,
    /// Connections that only tell the sender again what has arrived.
    unsaid: HashMap<ConnectionId, TransferId>,
    /// Who goes on when the connection before is gone.
    waiting: HashMap<ConnectionId, (ConnectionId, TransferId, Arc<Receiving>)>,
    next_connection: ConnectionId,
    told_clients: Vec<Client>,
    clients_changed: bool,
}

struct Server {
    /// Held: dropping it ends the accepting.
    _listener: Listener,
    accept: AcceptPolicy,
    once: bool,
    /// An offer was accepted.
    taken: bool,
}

struct Connection {
    thread: JoinHandle<()>,
    cut: Arc<Cut>,
    role: Role,
}

enum Role {
    Outgoing,
    Incoming(Incoming),
}

struct Incoming {
    from: IpAddr,
    since: Instant,
    peer: Peer,
    doing: Doing,
    standing: Standing,
    session: Option<Arc<Receiving>>,
    offer: Option<TransferId>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Stranger,
    /// It has proven itself.
    Verified,
    /// It was cut; its thread is about to say so.
    Leaving,
}

struct OpenOffer {
    connection: ConnectionId,
    session: Arc<Receiving>,
    from: Peer,
    counted: Counted,
}

struct Transfer {
    /// [`NO_CONNECTION`] while it is interrupted.
    connection: ConnectionId,
    started: Started,
    handle: Handle,
    live: Arc<Live>,
    begun: Instant,
    meter: Meter,
    told: Option<Progress>,
    /// When the ledger was last told how far it is.
    written: Instant,
}

enum Handle {
    Sending(Arc<Sending>),
    Receiving(Arc<Receiving>),
}

impl Supervisor {
    pub fn new(shared: Arc<Shared>, inputs: Sender<Input>, events: Reporter) -> Self {
        Self {
            chores: Chores::new(inputs.clone()),
            shared,
            inputs,
            events,
            server: None,
            connections: HashMap::new(),
            offers: HashMap::new(),
            transfers: HashMap::new(),
            settling: HashMap::new(),
            arrived: HashSet::new(),
            unsaid: HashMap::new(),
            waiting: HashMap::new(),
            next_connection: NO_CONNECTION + 1,
            told_clients: Vec::new(),
            clients_changed: false,
        }
    }

    /// Runs until [`Input::Quit`], then ends every connection and waits for its threads.
    pub fn run(mut self, inputs: &Receiver<Input>) {
        self.tell_kept();
        loop {
            let input = match self.next_wake() {
                None => inputs
                    .recv()
                    .map_err(|_gone| RecvTimeoutError::Disconnected),
                Some(wait) => inputs.recv_timeout(wait),
            };
            match input {
                Ok(Input::Quit) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(input) => self.handle(input),
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.tell_progress();
            self.renew_code();
            self.end_idle();
            if std::mem::take(&mut self.clients_changed) {
                self.tell_clients();
            }
        }
        self.end(inputs);
    }

    fn handle(&mut self, input: Input) {
        match input {
            Input::Command(command) => self.command(command),
            Input::Accepted(socket, addr) => self.accepted(socket, addr),
            Input::ListenerEnded(error) => {
                self.server = None;
                lock(&self.shared.gate).close();
                self.events.say(Event::ListenFailed(ListenError::Other {
                    detail: error.to_string(),
                }));
            }
            Input::Note(connection, note) => self.note(connection, note),
            Input::Measured(measured) => self.events.say(Event::Measured(measured)),
            Input::CommandFailed { path, problem } => {
                self.events.say(Event::CommandFailed { path, problem });
            }
            Input::Quit => {}
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Listen(options) => self.listen(options),
            Command::StopListening(mode) => self.stop_listening(mode),
            Command::NewCode => {
                let now = Instant::now();
                let mut gate = lock(&self.shared.gate);
                if gate.code().is_some() {
                    gate.open_with_code(new_code(), now, true);
                }
                drop(gate);
                self.tell_code();
            }
            Command::SetName(name) => *lock(&self.shared.name) = name,
            Command::SetSaveFolder(folder) => {
                self.chores.sweep(folder.clone());
                *lock(&self.shared.save_folder) = folder;
            }
            Command::Send(request) => self.send(request, None),
            Command::Answer(transfer, answer) => self.answer(transfer, answer),
            Command::Cancel(transfer) => self.cancel(transfer),
            Command::Resume(transfer) => self.resume(transfer),
            Command::GiveUp(transfer) => self.give_up(transfer),
            Command::Forget(transfer) => self.forget(transfer),
            Command::Measure(path) => self.chores.measure(path),
            Command::Open(path) => self.chores.open(path),
            Command::Reveal(path) => self.chores.reveal(path),
        }
    }

    // ---- the server ----

    fn listen(&mut self, options: ListenOptions) {
        // Its port may be the one that is asked for.
        self.server = None;
        *lock(&self.shared.save_folder) = options.save_folder.clone();
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
        match options.passphrase {
            Some(passphrase) => lock(&self.shared.gate).open_with_passphrase(passphrase),
            None => lock(&self.shared.gate).open_with_code(new_code(), Instant::now(), true),
        }
        self.server = Some(Server {
            _listener: listener,
            accept: options.accept,
            once: options.once,
            taken: false,
        });
        self.tell_code();
    }

    fn stop_listening(&mut self, mode: StopMode) {
        if self.server.take().is_none() {
            return;
        }
        lock(&self.shared.gate).close();
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
            if matches!(connection.role, Role::Incoming(_)) && !busy {
                connection.hang_up();
            }
        }
        self.events.say(Event::ListenStopped);
    }

    fn accepted(&mut self, socket: TcpStream, addr: SocketAddr) {
        if self.server.is_none() {
            return;
        }
        let from = addr.ip().to_canonical();
        self.make_room(from);
        if self.count(Standing::Verified) >= MAX_CLIENTS
            || self.count(Standing::Leaving) >= MAX_STRANGERS
        {
            tracing::warn!(%from, "turned away: too many clients");
            return;
        }
        let cut = Arc::new(Cut::default());
        if let Err(error) = cut.connected(&socket) {
            tracing::warn!(%from, %error, "turned away: it could not be ended");
            return;
        }
        let connection = self.next_connection;
        self.next_connection += 1;
        let notes = Notes {
            connection,
            inputs: self.inputs.clone(),
        };
        let shared = self.shared.clone();
        let address = shown(addr);
        let peer = Peer {
            name: DeviceName::cleaned("", &address),
            device_id: None,
            address: address.clone(),
            verified: false,
        };
        let thread = std::thread::Builder::new()
            .name(format!("client-{connection}"))
            .spawn(move || {
                let _last = LastWord(notes.clone());
                incoming(socket, from, address, &shared, &notes);
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
                    offer: None,
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
            Err(error) => tracing::warn!(%error, "no thread for a client"),
        }
    }

    /// Ends the oldest stranger of this neighbourhood, or of the busiest one, if there are too many.
    fn make_room(&mut self, from: IpAddr) {
        let mut strangers: HashMap<IpAddr, Vec<(Instant, ConnectionId)>> = HashMap::new();
        for (id, connection) in &self.connections {
            if let Role::Incoming(incoming) = &connection.role
                && incoming.standing == Standing::Stranger
            {
                let same = strangers.entry(neighbourhood(incoming.from)).or_default();
                same.push((incoming.since, *id));
            }
        }
        let total: usize = strangers.values().map(Vec::len).sum();
        let same = strangers.get(&neighbourhood(from));
        let busiest = if same.is_some_and(|same| same.len() >= MAX_STRANGERS_PER_ADDRESS) {
            same
        } else if total >= MAX_STRANGERS {
            strangers.values().max_by_key(|same| same.len())
        } else {
            None
        };
        let oldest = busiest.and_then(|same| same.iter().min().copied());
        if let Some((_, oldest)) = oldest
            && let Some(connection) = self.connections.get_mut(&oldest)
        {
            connection.hang_up();
        }
    }

    fn count(&self, standing: Standing) -> usize {
        let incoming = self.connections.values();
        incoming
            .filter(|connection| match &connection.role {
                Role::Incoming(incoming) => incoming.standing == standing,
                Role::Outgoing => false,
            })
            .count()
    }

    /// To look at or to change.
    fn incoming(&mut self, connection: ConnectionId) -> Option<&mut Incoming> {
        self.clients_changed = true;
        match &mut self.connections.get_mut(&connection)?.role {
            Role::Incoming(incoming) => Some(incoming),
            Role::Outgoing => None,
        }
    }

    // ---- sending ----

    fn send(&mut self, request: SendRequest, kept: Option<Kept>) {
        let transfer = request.transfer;
        if self.transfers.contains_key(&transfer) || self.offers.contains_key(&transfer) {
            return;
        }
        let connection = self.next_connection;
        self.next_connection += 1;
        let notes = Notes {
            connection,
            inputs: self.inputs.clone(),
        };
        let cut = Arc::new(Cut::default());
        let sources = absolute(&request.sources);
        let address = request.to.to_string();
        let known = kept.as_ref().map(|kept| kept.peer_name.as_str());
        let peer = Peer {
            name: DeviceName::cleaned(known.unwrap_or(&request.to.host), "?"),
            device_id: None,
            address,
            verified: false,
        };
        let names = sources.iter().take(Offer::MAX_NAMES).map(|path| {
            let name = path.file_name().unwrap_or(path.as_os_str());
            displayable(&name.to_string_lossy())
        });
        let started = Started {
            transfer,
            direction: Direction::Send,
            peer,
            names: names.collect(),
            picked: sources.len() as u64,
            places: sources,
        };
        self.events.say(Event::Started(started.clone()));
        let accepted_by = kept.as_ref().map(|kept| kept.peer);
        let sending = Sending::new(request, accepted_by, cut.clone(), notes.clone());
        if let Some(kept) = &kept {
            // Until the first word from over there.
            sending.live.entries.set(kept.entries);
            sending.live.total_bytes.set(kept.bytes);
            sending.live.held_bytes.set(kept.held_bytes);
        }
        let handle = Handle::Sending(sending.clone());
        let live = sending.live.clone();
        let running = Transfer::new(connection, started, handle, live);
        self.transfers.insert(transfer, running);
        let key = kept.map(|kept| kept.key);
        let shared = self.shared.clone();
        let thread = std::thread::Builder::new()
            .name(format!("send-{connection}"))
            .spawn(move || {
                let _last = LastWord(notes);
                sending.run(key, &shared);
            });
        match thread {
            Ok(thread) => {
                let role = Role::Outgoing;
                self.connections
                    .insert(connection, Connection { thread, cut, role });
            }
            Err(error) => {
                let failure = Failure::Internal(error.to_string());
                self.ended(transfer, Status::Failed, Some(failure));
            }
        }
    }

    // ---- offers and transfers ----

    fn answer(&mut self, transfer: TransferId, answer: Answer) {
        let Some(offer) = self.offers.remove(&transfer) else {
            return;
        };
        match answer {
            Answer::Decline => {
                offer.session.decline();
                if let Some(incoming) = self.incoming(offer.connection) {
                    incoming.offer = None;
                    incoming.doing = Doing::Idle;
                }
                self.refused(transfer, offer, Status::Declined, Failure::Declined);
                self.events.say(Event::OfferWithdrawn(transfer));
            }
            Answer::Accept { folder } => {
                let folder = folder.unwrap_or_else(|| lock(&self.shared.save_folder).clone());
                let started = Started {
                    transfer,
                    direction: Direction::Receive,
                    peer: offer.from.clone(),
                    names: offer.counted.names.clone(),
                    picked: offer.counted.picked,
                    places: vec![folder.clone()],
                };
                self.events.say(Event::Started(started.clone()));
                let handle = Handle::Receiving(offer.session.clone());
                let live = offer.session.live.clone();
                let running = Transfer::new(offer.connection, started, handle, live);
                if let Some(peer) = offer.from.device_id
                    && offer.session.goes_on().is_none()
                {
                    let key = offer.session.session_key(transfer);
                    self.shared.ledger.keep(running.kept(peer, key));
                }
                self.transfers.insert(transfer, running);
                if let Some(incoming) = self.incoming(offer.connection) {
                    incoming.doing = Doing::Sending;
                }
                offer.session.accept(transfer, folder);
                if let Some(server) = &mut self.server {
                    server.taken = true;
                    if server.once {
                        for other in self.offers.keys().copied().collect::<Vec<_>>() {
                            self.answer(other, Answer::Decline);
                        }
                    }
                }
            }
        }
    }

    fn cancel(&mut self, transfer: TransferId) {
        let open = self
            .transfers
            .get(&transfer)
            .is_some_and(|running| running.handle.cancel());
        if !open {
            return;
        }
        let by = Party::Us;
        self.ended(
            transfer,
            Status::Cancelled(by),
            Some(Failure::Cancelled(by)),
        );
    }

    fn note(&mut self, connection: ConnectionId, note: Note) {
        match note {
            Note::CodeTried => self.tell_code(),
            Note::WrongSecret { from, tries_left } => {
                self.events.say(Event::WrongSecret { from, tries_left });
                self.tell_code();
            }
            Note::Verified(peer) => self.verified(connection, peer),
            Note::State(state) => self.state(connection, state),
            Note::Offered(transfer, session) => self.offered(connection, transfer, session),
            Note::Counted(counted) => self.counted(connection, counted),
            Note::Withdrawn(status, failure) => match self.transfer_of(connection) {
                Some(transfer) => self.ended(transfer, status, failure),
                None => self.withdrawn(connection, status, failure),
            },
            Note::Files(files) => {
                if let Some(transfer) = self.transfer_of(connection) {
                    self.events.say(Event::Files(transfer, files));
                }
            }
            Note::Quiet(seconds) => {
                if let Some(transfer) = self.transfer_of(connection) {
                    self.events.say(Event::Quiet { transfer, seconds });
                }
            }
            Note::Ended(status, failure) => {
                if let Some(transfer) = self.transfer_of(connection) {
                    if matches!(status, Status::Arrived | Status::Problems) {
                        self.settling.insert(connection, transfer);
                    }
                    if status == Status::Interrupted && self.can_go_on(transfer) {
                        self.interrupted(transfer);
                    } else {
                        self.ended(transfer, status, failure);
                    }
                }
            }
            Note::Safe { delivered } => {
                if let Some(transfer) = self.settling.remove(&connection) {
                    self.events.say(Event::Safe(transfer));
                    if delivered {
                        self.shared.ledger.forget(transfer);
                    }
                } else if let Some(transfer) = self.unsaid.remove(&connection)
                    && delivered
                {
                    self.shared.ledger.forget(transfer);
                }
            }
            Note::CanGoOn(peer, key) => {
                if let Some(id) = self.transfer_of(connection)
                    && let Some(running) = self.transfers.get(&id)
                {
                    self.shared.ledger.keep(running.kept(peer, key));
                }
            }
            Note::NotSafe(problem) => {
                if let Some(transfer) = self.settling.remove(&connection) {
                    self.events.say(Event::NotSafe(transfer, Some(problem)));
                }
            }
            Note::Closed => self.closed(connection),
        }
    }

    /// A receiver waits for its sender; a sender says itself when it stops to try.
    fn can_go_on(&self, id: TransferId) -> bool {
        let receives = self
            .transfers
            .get(&id)
            .is_some_and(|running| running.started.direction == Direction::Receive);
        receives && self.shared.ledger.get(id).is_some()
    }

    fn interrupted(&mut self, id: TransferId) {
        if let Some(running) = self.transfers.get_mut(&id) {
            running.connection = NO_CONNECTION;
            let progress = running.progress(id);
            let held_bytes = progress.bytes;
            self.shared
                .ledger
                .update(id, |kept| kept.held_bytes = held_bytes);
            self.events.say(Event::Progress(progress));
            self.events
                .say(Event::State(id, TransferState::Interrupted));
        }
    }

    fn transfer_of(&self, connection: ConnectionId) -> Option<TransferId> {
        let mut running = self.transfers.iter();
        running
            .find(|(_, transfer)| transfer.connection == connection)
            .map(|(id, _)| *id)
    }

    fn verified(&mut self, connection: ConnectionId, peer: Peer) {
        if let Some(incoming) = self.incoming(connection) {
            incoming.peer = peer;
            incoming.doing = Doing::Idle;
            if incoming.standing == Standing::Stranger {
                incoming.standing = Standing::Verified;
            }
        } else if let Some(id) = self.transfer_of(connection) {
            if let Some(transfer) = self.transfers.get_mut(&id) {
                transfer.started.peer = peer.clone();
            }
            self.events.say(Event::PeerKnown(id, peer));
        }
    }

    fn state(&mut self, connection: ConnectionId, state: TransferState) {
        if let Some(id) = self.transfer_of(connection) {
            if state == TransferState::Running
                && let Some(transfer) = self.transfers.get_mut(&id)
            {
                // Waiting for a person is not part of the speed.
                transfer.begun = Instant::now();
                transfer.meter = Meter::default();
            }
            self.events.say(Event::State(id, state));
        }
    }

    fn offered(&mut self, connection: ConnectionId, id: TransferId, session: Arc<Receiving>) {
        if session.goes_on() == Some(id) {
            return self.offered_again(connection, id, session);
        }
        let known = self.offers.contains_key(&id) || self.transfers.contains_key(&id);
        let listening = self.server.is_some();
        let full = self.server.as_ref().is_some_and(|on| on.once && on.taken);
        let Some(incoming) = self.incoming(connection) else {
            return;
        };
        incoming.session = Some(session.clone());
        if known || !listening {
            session.hang_up();
            return;
        }
        if full {
            session.decline();
            return;
        }
        self.open_offer(connection, id, session);
    }

    fn open_offer(&mut self, connection: ConnectionId, id: TransferId, session: Arc<Receiving>) {
        let Some(incoming) = self.incoming(connection) else {
            return;
        };
        incoming.doing = Doing::Waiting;
        incoming.offer = Some(id);
        let from = incoming.peer.clone();
        self.offers.insert(
            id,
            OpenOffer {
                connection,
                session,
                from,
                counted: Counted {
                    counting: true,
                    ..Counted::default()
                },
            },
        );
    }

    /// A transfer that was accepted before goes on; nobody is asked again, unless the person here
    /// had ended it.
    fn offered_again(&mut self, connection: ConnectionId, id: TransferId, session: Arc<Receiving>) {
        let kept = self.shared.ledger.get(id).filter(|_| self.server.is_some());
        let Some(incoming) = self.incoming(connection) else {
            return;
        };
        incoming.session = Some(session.clone());
        let Some(kept) = kept.filter(|_| !self.offers.contains_key(&id)) else {
            session.hang_up();
            return;
        };
        if kept.cancelled_here {
            return self.open_offer(connection, id, session);
        }
        let before = self.transfers.get(&id).map(|running| running.connection);
        let before = before.filter(|before| *before != connection);
        if let Some(before) = before
            && let Some(old) = self.connections.get_mut(&before)
        {
            // The sender has noticed sooner than we that the old connection is dead. What it holds
            // is free when its thread has ended.
            old.hang_up();
            self.waiting.insert(before, (connection, id, session));
            return;
        }
        self.take_up(connection, id, session, &kept);
    }

    fn take_up(
        &mut self,
        connection: ConnectionId,
        id: TransferId,
        session: Arc<Receiving>,
        kept: &Kept,
    ) {
        let Some(incoming) = self.incoming(connection) else {
            return;
        };
        incoming.doing = Doing::Sending;
        let from = incoming.peer.clone();
        let folder = kept.places.first().cloned().unwrap_or_default();
        if self.arrived.contains(&id) {
            // It has arrived and that was said; only the sender does not know yet.
            self.unsaid.insert(connection, id);
        } else if let Some(running) = self.transfers.get_mut(&id) {
            running.connection = connection;
            running.live = session.live.clone();
            running.handle = Handle::Receiving(session.clone());
            running.meter = Meter::default();
        } else {
            let started = Started {
                transfer: id,
                direction: Direction::Receive,
                peer: from,
                names: kept.names.clone(),
                picked: kept.picked,
                places: kept.places.clone(),
            };
            self.events.say(Event::Started(started.clone()));
            let handle = Handle::Receiving(session.clone());
            let running = Transfer::new(connection, started, handle, session.live.clone());
            self.transfers.insert(id, running);
        }
        session.accept(id, folder);
    }

    fn resume(&mut self, id: TransferId) {
        if let Some(running) = self.transfers.get(&id) {
            if let Handle::Sending(sending) = &running.handle {
                sending.hurry();
            }
            return;
        }
        let kept = self.shared.ledger.get(id);
        if let Some(kept) = kept.filter(|kept| kept.direction == Direction::Send)
            && let Ok(to) = kept.address.parse()
        {
            let request = SendRequest {
                transfer: id,
                sources: kept.places.clone(),
                to,
                secret: None,
            };
            self.send(request, Some(kept));
        }
    }

    fn give_up(&mut self, id: TransferId) {
        if let Some(running) = self.transfers.get(&id) {
            if let Handle::Sending(sending) = &running.handle {
                sending.give_up();
            }
            self.ended(id, Status::Interrupted, Some(Failure::Lost));
        }
    }

    fn forget(&mut self, id: TransferId) {
        self.cancel(id);
        if let Some(kept) = self.shared.ledger.forget(id)
            && kept.direction == Direction::Receive
            && let Some(folder) = kept.places.into_iter().next()
        {
            self.chores.discard(folder, id);
        }
    }

    fn counted(&mut self, connection: ConnectionId, counted: Counted) {
        let takes_all = self
            .server
            .as_ref()
            .is_some_and(|server| server.accept == AcceptPolicy::All);
        let Some(incoming) = self.incoming(connection) else {
            return;
        };
        let (Some(id), from) = (incoming.offer, incoming.peer.clone()) else {
            return;
        };
        match self.offers.get_mut(&id) {
            Some(offer) => offer.counted = counted.clone(),
            // Taken by itself: it is counted to its end all the same, so that it can be told.
            None if takes_all => {}
            None => return,
        }
        self.events.say(Event::Offer(Offer {
            transfer: id,
            from,
            names: counted.names,
            picked: counted.picked,
            entries: counted.entries,
            bytes: counted.bytes,
            counting: counted.counting,
            folder: lock(&self.shared.save_folder).clone(),
            free_bytes: counted.free_bytes,
        }));
        if takes_all {
            self.answer(id, Answer::Accept { folder: None });
        }
    }

    fn withdrawn(&mut self, connection: ConnectionId, status: Status, failure: Option<Failure>) {
        let offer = self
            .incoming(connection)
            .and_then(|incoming| incoming.offer.take());
        if let Some(transfer) = offer
            && let Some(offer) = self.offers.remove(&transfer)
        {
            let failure = failure.unwrap_or(Failure::Lost);
            self.refused(transfer, offer, status, failure);
            self.events.say(Event::OfferWithdrawn(transfer));
        }
    }

    /// The end of what never began: an offer that nobody took.
    fn refused(&mut self, id: TransferId, offer: OpenOffer, status: Status, failure: Failure) {
        self.events.say(Event::Ended(Summary {
            transfer: id,
            direction: Direction::Receive,
            peer: offer.from,
            status,
            failure: Some(failure),
            entries: offer.counted.entries,
            bytes: 0,
            failed: 0,
            elapsed: Duration::ZERO,
            sent_bytes: 0,
        }));
    }

    fn ended(&mut self, id: TransferId, status: Status, failure: Option<Failure>) {
        let Some(mut transfer) = self.transfers.remove(&id) else {
            return;
        };
        // The last picture, so that there is at least one.
        let progress = transfer.progress(id);
        self.events.say(Event::Progress(progress));
        tracing::info!(transfer = %id, ?status, "transfer ended");
        self.note_in_ledger(id, &transfer, status);
        if failure == Some(Failure::Forgotten) {
            self.shared.ledger.forget(id);
        }
        if matches!(status, Status::Arrived | Status::Problems) {
            self.arrived.insert(id);
        }
        self.events.say(Event::Ended(Summary {
            transfer: id,
            direction: transfer.started.direction,
            peer: transfer.started.peer,
            status,
            failure,
            entries: transfer.live.entries.get(),
            bytes: transfer.live.arrived_bytes.get(),
            failed: transfer.live.failed.get(),
            elapsed: transfer.begun.elapsed(),
            sent_bytes: transfer.live.sent_bytes.get(),
        }));
    }

    /// What is over need not go on; what was ended early can.
    fn note_in_ledger(&self, id: TransferId, transfer: &Transfer, status: Status) {
        let ledger = &self.shared.ledger;
        let (entries, bytes) = (transfer.live.entries.get(), transfer.live.total_bytes.get());
        let held = transfer.live.held_bytes.get();
        match (status, transfer.started.direction) {
            // The receiver keeps it until the sender knows.
            (Status::Arrived | Status::Problems, Direction::Receive) => {}
            (Status::Arrived | Status::Problems | Status::Declined, _) => {
                ledger.forget(id);
            }
            (Status::Cancelled(_) | Status::Interrupted | Status::Failed, _) => {
                ledger.update(id, |kept| {
                    kept.cancelled_here = status == Status::Cancelled(Party::Us);
                    (kept.entries, kept.bytes, kept.held_bytes) = (entries, bytes, held);
                });
            }
        }
    }

    fn closed(&mut self, connection: ConnectionId) {
        self.withdrawn(connection, Status::Interrupted, None);
        if let Some(transfer) = self.transfer_of(connection) {
            // Its thread said nothing before it ended: that is our own defect, or a thread that
            // could not be started.
            let failure = Failure::Internal("the connection's thread ended".into());
            self.ended(transfer, Status::Failed, Some(failure));
        }
        if let Some(transfer) = self.settling.remove(&connection) {
            self.events.say(Event::NotSafe(transfer, None));
        }
        self.unsaid.remove(&connection);
        let next = self.waiting.remove(&connection);
        if let Some(connection) = self.connections.remove(&connection) {
            self.clients_changed = true;
            let _ = connection.thread.join();
        }
        if let Some((connection, id, session)) = next
            && let Some(kept) = self.shared.ledger.get(id)
        {
            self.take_up(connection, id, session, &kept);
        }
    }

    // ---- what is told by itself ----

    fn tell_kept(&mut self) {
        let kept = self
            .shared
            .ledger
            .all()
            .into_iter()
            .map(|kept| Interrupted {
                transfer: kept.transfer,
                direction: kept.direction,
                peer: Peer {
                    name: DeviceName::cleaned(&kept.peer_name, "?"),
                    device_id: Some(kept.peer),
                    address: kept.address.clone(),
                    verified: true,
                },
                until: kept.until(),
                names: kept.names,
                picked: kept.picked,
                places: kept.places,
                entries: kept.entries,
                bytes: kept.bytes,
                held_bytes: kept.held_bytes,
            });
        let kept: Vec<_> = kept.collect();
        if !kept.is_empty() {
            self.events.say(Event::Kept(kept));
        }
    }

    fn next_wake(&self) -> Option<Duration> {
        let progress = (!self.transfers.is_empty()).then_some(PROGRESS_EVERY);
        let code = lock(&self.shared.gate)
            .next_change()
            .map(|at| at.saturating_duration_since(Instant::now()));
        let idle = self.idle().map(|(_, since)| {
            // A moment later, so that it is over then.
            (OFFER_WITHIN + PROGRESS_EVERY).saturating_sub(since.elapsed())
        });
        [progress, code, idle.min()].into_iter().flatten().min()
    }

    /// Clients that have proven themselves and offered nothing yet.
    fn idle(&self) -> impl Iterator<Item = (ConnectionId, Instant)> {
        self.connections
            .iter()
            .filter_map(|(id, connection)| match &connection.role {
                Role::Incoming(Incoming {
                    standing: Standing::Verified,
                    session: None,
                    since,
                    ..
                }) => Some((*id, *since)),
                Role::Incoming(_) | Role::Outgoing => None,
            })
    }

    fn end_idle(&mut self) {
        let idle = self.idle();
        let late = idle.filter(|(_, since)| since.elapsed() >= OFFER_WITHIN);
        for id in late.map(|(id, _)| id).collect::<Vec<_>>() {
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.hang_up();
            }
        }
    }

    fn tell_progress(&mut self) {
        for (id, transfer) in &mut self.transfers {
            let due = transfer.begun.elapsed() >= transfer.next_progress();
            if !due {
                continue;
            }
            let progress = transfer.progress(*id);
            if transfer.written.elapsed() >= WRITE_HELD_EVERY && progress.bytes > 0 {
                transfer.written = Instant::now();
                self.shared.ledger.update(*id, |kept| {
                    kept.entries = progress.entries;
                    kept.bytes = progress.total_bytes;
                    kept.held_bytes = progress.bytes;
                });
            }
            if transfer.told != Some(progress) && (progress.bytes > 0 || progress.total_bytes > 0) {
                transfer.told = Some(progress);
                self.events.say(Event::Progress(progress));
            }
        }
    }

    fn renew_code(&mut self) {
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

    /// Says the code if it is another one than was said last.
    fn tell_code(&mut self) {
        let code = lock(&self.shared.gate).code().cloned();
        if let Some(code) = code {
            self.events.say_code(code, CODE_LIFE);
        }
    }

    fn tell_clients(&mut self) {
        let mut incoming: Vec<_> = self
            .connections
            .iter()
            .filter_map(|(id, connection)| match &connection.role {
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

    // ---- the end ----

    /// Says goodbye to every peer, waits a moment for theirs, then cuts and joins. What runs is
    /// interrupted by that: it can go on when both are back.
    fn end(mut self, inputs: &Receiver<Input>) {
        self.server = None;
        for (id, transfer) in &self.transfers {
            transfer.handle.interrupt();
            self.note_in_ledger(*id, transfer, Status::Interrupted);
        }
        for offer in self.offers.values() {
            offer.session.decline();
        }
        for connection in self.connections.values_mut() {
            if matches!(connection.role, Role::Incoming(_)) {
                connection.hang_up();
            }
        }
        let deadline = Instant::now() + GOODBYE_WITHIN;
        while !self.connections.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            match inputs.recv_timeout(left) {
                Ok(Input::Note(connection, Note::Closed)) => {
                    if let Some(connection) = self.connections.remove(&connection) {
                        let _ = connection.thread.join();
                    }
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
        // Whoever is left has had its time for a goodbye.
        for connection in self.connections.values() {
            connection.cut.cut();
        }
        for connection in self.connections.into_values() {
            let _ = connection.thread.join();
        }
    }
}

impl Connection {
    /// Ends it: politely if it has a session, at once if not.
    fn hang_up(&mut self) {
        match &mut self.role {
            Role::Incoming(Incoming {
                session: Some(session),
                ..
            }) => session.hang_up(),
            Role::Incoming(incoming) => {
                incoming.standing = Standing::Leaving;
                self.cut.cut();
            }
            Role::Outgoing => self.cut.cut(),
        }
    }
}

impl Handle {
    fn interrupt(&self) {
        match self {
            Self::Sending(sending) => sending.interrupt(),
            Self::Receiving(receiving) => receiving.hang_up(),
        }
    }

    /// `false` if there is nothing to end any more.
    fn cancel(&self) -> bool {
        match self {
            Self::Sending(sending) => sending.cancel(),
            Self::Receiving(receiving) => receiving.cancel(),
        }
    }
}

/// Addresses that one subscriber has are as good as one: an IPv6 network of 64 bits.
fn neighbourhood(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) & !u128::from(u64::MAX)).into()),
    }
}

impl Transfer {
    fn new(connection: ConnectionId, started: Started, handle: Handle, live: Arc<Live>) -> Self {
        Self {
            connection,
            started,
            handle,
            live,
            begun: Instant::now(),
            meter: Meter::default(),
            told: None,
            written: Instant::now(),
        }
    }

    /// What is needed to go on with it.
    fn kept(&self, peer: DeviceId, key: SessionKey) -> Kept {
        Kept {
            transfer: self.started.transfer,
            direction: self.started.direction,
            peer,
            peer_name: self.started.peer.name.as_str().to_owned(),
            address: match &self.handle {
                Handle::Sending(sending) => sending.address(),
                Handle::Receiving(_) => self.started.peer.address.clone(),
            },
            key,
            places: self.started.places.clone(),
            names: self.started.names.clone(),
            picked: self.started.picked,
            entries: self.live.entries.get(),
            bytes: self.live.total_bytes.get(),
            held_bytes: self.live.held_bytes.get(),
            cancelled_here: false,
            touched: std::time::SystemTime::now(),
        }
    }

    fn next_progress(&self) -> Duration {
        self.meter
            .last_sample()
            .map_or(Duration::ZERO, |last| last + PROGRESS_EVERY)
    }

    fn progress(&mut self, id: TransferId) -> Progress {
        let bytes = self.live.held_bytes.get();
        let total_bytes = self.live.total_bytes.get();
        self.meter.sample(self.begun.elapsed(), bytes);
        Progress {
            transfer: id,
            bytes,
            total_bytes,
            entries_done: self.live.settled.get(),
            entries: self.live.entries.get(),
            checked_bytes: self.live.checked_bytes.get(),
            check_bytes: self.live.check_bytes.get(),
            bytes_per_second: self.meter.bytes_per_second(),
            eta: self.meter.eta(total_bytes.saturating_sub(bytes)),
        }
    }
}
