//! The supervisor: one thread that owns every connection, offer and transfer and matches one
//! [`Input`] enum. It never blocks on a disk or a socket; the threads it starts do.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::chores::Chores;
use super::command::{AcceptPolicy, Answer, Command, ListenOptions, SendRequest, StopMode};
use super::cut::Cut;
use super::event::{Client, Doing, Event, ListenError, Listening, Offer, Started};
use super::gate::CODE_LIFE;
use super::greeting::new_code;
use super::listener::{Listener, addresses};
use super::live::Live;
use super::note::{ConnectionId, Counted, Input, Note, Notes};
use super::receiving::Receiving;
use super::sending::Sending;
use super::{LastWord, Reporter, Shared, incoming, lock, shown};
use crate::model::{
    DeviceName, Direction, Failure, Meter, Party, Peer, Progress, Status, Summary, TransferId,
    TransferState, displayable,
};

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
    connection: ConnectionId,
    direction: Direction,
    peer: Peer,
    handle: Handle,
    live: Arc<Live>,
    begun: Instant,
    meter: Meter,
    told: Option<Progress>,
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
            next_connection: 1,
            told_clients: Vec::new(),
            clients_changed: false,
        }
    }

    /// Runs until [`Input::Quit`], then ends every connection and waits for its threads.
    pub fn run(mut self, inputs: &Receiver<Input>) {
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
            Command::Send(request) => self.send(request),
            Command::Answer(transfer, answer) => self.answer(transfer, answer),
            Command::Cancel(transfer) => self.cancel(transfer),
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
            .filter(|(_, transfer)| transfer.direction == Direction::Receive)
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

    fn send(&mut self, request: SendRequest) {
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
        let sending = Sending::new(&request, cut.clone(), notes.clone());
        let peer = Peer {
            name: DeviceName::cleaned(&request.to.host, "?"),
            device_id: None,
            address: request.to.to_string(),
            verified: false,
        };
        let names = request.sources.iter().take(Offer::MAX_NAMES).map(|path| {
            let name = path.file_name().unwrap_or(path.as_os_str());
            displayable(&name.to_string_lossy())
        });
        self.events.say(Event::Started(Started {
            transfer,
            direction: Direction::Send,
            peer: peer.clone(),
            names: names.collect(),
            picked: request.sources.len() as u64,
            places: request.sources.clone(),
        }));
        self.transfers.insert(
            transfer,
            Transfer {
                connection,
                direction: Direction::Send,
                peer,
                live: sending.live.clone(),
                handle: Handle::Sending(sending.clone()),
                begun: Instant::now(),
                meter: Meter::default(),
                told: None,
            },
        );
        let shared = self.shared.clone();
        let thread = std::thread::Builder::new()
            .name(format!("send-{connection}"))
            .spawn(move || {
                let _last = LastWord(notes);
                sending.run(&request, &shared);
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
                self.events.say(Event::Started(Started {
                    transfer,
                    direction: Direction::Receive,
                    peer: offer.from.clone(),
                    names: offer.counted.names.clone(),
                    picked: offer.counted.picked,
                    places: vec![folder.clone()],
                }));
                self.transfers.insert(
                    transfer,
                    Transfer {
                        connection: offer.connection,
                        direction: Direction::Receive,
                        peer: offer.from,
                        live: offer.session.live.clone(),
                        handle: Handle::Receiving(offer.session.clone()),
                        begun: Instant::now(),
                        meter: Meter::default(),
                        told: None,
                    },
                );
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
                    self.ended(transfer, status, failure);
                }
            }
            Note::Safe => {
                if let Some(transfer) = self.settling.remove(&connection) {
                    self.events.say(Event::Safe(transfer));
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
                transfer.peer = peer.clone();
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
        self.events.say(Event::Ended(Summary {
            transfer: id,
            direction: transfer.direction,
            peer: transfer.peer,
            status,
            failure,
            entries: transfer.live.entries.get(),
            bytes: transfer.live.arrived_bytes.get(),
            failed: transfer.live.failed.get(),
            elapsed: transfer.begun.elapsed(),
            sent_bytes: transfer.live.sent_bytes.get(),
        }));
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
        if let Some(connection) = self.connections.remove(&connection) {
            self.clients_changed = true;
            let _ = connection.thread.join();
        }
    }

    // ---- what is told by itself ----

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

    /// Tells every peer, waits a moment for the goodbyes, then cuts and joins.
    fn end(mut self, inputs: &Receiver<Input>) {
        self.server = None;
        for transfer in self.transfers.values() {
            transfer.handle.cancel();
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
            bytes_per_second: self.meter.bytes_per_second(),
            eta: self.meter.eta(total_bytes.saturating_sub(bytes)),
        }
    }
}
