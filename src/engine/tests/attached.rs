//! A transfer over several connections, and who may open them.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};

use socket2::{Domain, Socket, Type};

use super::*;
use crate::channel::Received;
use crate::engine::greeting::{Plan, attach_to_server, greet_server};
use crate::engine::limits::CONNECTIONS_OF_TRANSFER;
use crate::engine::wire::Trace;
use crate::model::{DeviceId, TransferId};
use crate::protocol::bulk::DataFrame;
use crate::protocol::message::{Frame, Hex, ManifestEnd, ManifestPart, Offer, WireEntry};
use crate::protocol::verification::{Refusal, SessionKey};
use crate::protocol::{Buffers, Decoder, Limit};

/// Between two devices; each connection gets so many bytes a second and no more.
struct Relay {
    addr: SocketAddr,
    open: Arc<AtomicUsize>,
    /// The most at once, each time from none on.
    runs: Arc<Mutex<Vec<usize>>>,
    sockets: Arc<Mutex<Vec<TcpStream>>>,
}

const STREAM_BYTES_PER_SECOND: u64 = 4 << 20;
/// What the relay and the kernel hold of a connection, so that who sends notices the speed.
const RELAY_BUFFER: usize = 64 << 10;

impl Relay {
    fn to(there: SocketAddr) -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.set_recv_buffer_size(RELAY_BUFFER).unwrap();
        let here: SocketAddr = "127.0.0.1:0".parse().unwrap();
        listener.bind(&here.into()).unwrap();
        listener.listen(64).unwrap();
        let listener = TcpListener::from(listener);
        let relay = Self {
            addr: listener.local_addr().unwrap(),
            open: Arc::default(),
            runs: Arc::default(),
            sockets: Arc::default(),
        };
        let (open, runs) = (relay.open.clone(), relay.runs.clone());
        let sockets = relay.sockets.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(there).unwrap());
                let sending = socket2::SockRef::from(&server);
                sending.set_send_buffer_size(RELAY_BUFFER).unwrap();
                let mut held = lock(&sockets);
                held.push(client.try_clone().unwrap());
                drop(held);
                let now = open.fetch_add(1, Ordering::SeqCst) + 1;
                let mut runs = lock(&runs);
                match runs.last_mut() {
                    Some(most) if now > 1 => *most = now.max(*most),
                    Some(_) | None => runs.push(now),
                }
                drop(runs);
                let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || carry(back.0, back.1, None));
                let open = open.clone();
                thread::spawn(move || {
                    carry(client, server, Some(STREAM_BYTES_PER_SECOND));
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        relay
    }

    /// Ends one connection, counted from the first one on.
    fn cut(&self, at: usize) {
        let _ = lock(&self.sockets)[at].shutdown(Shutdown::Both);
    }

    fn opened(&self) -> usize {
        lock(&self.sockets).len()
    }

    fn wait(&self, until: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !until(self) {
            assert!(
                Instant::now() < deadline,
                "{} are open",
                self.open.load(Ordering::SeqCst)
            );
            thread::yield_now();
        }
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, bytes_per_second: Option<u64>) {
    let mut piece = vec![0; 32 << 10];
    loop {
        let count = match from.read(&mut piece) {
            Ok(count) if count > 0 => count,
            _ => break,
        };
        if let Some(speed) = bytes_per_second {
            thread::sleep(Duration::from_secs_f64(count as f64 / speed as f64));
        }
        if to.write_all(&piece[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

fn content(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..len).map(next).collect()
}

impl Device {
    pub(super) fn listen(&self, accept: AcceptPolicy) -> SocketAddr {
        self.engine.command(Command::Listen(ListenOptions {
            bind: Bind::Exact("127.0.0.1:0".parse().unwrap()),
            save_folder: self.home.path().join("inbox"),
            passphrase: Some(Secret::passphrase(PASSPHRASE).unwrap()),
            allow: Allow::Code,
            accept,
            remember: false,
            on_conflict: OnConflict::default(),
            once: false,
        }));
        self.wait(|event| match event {
            Event::Listening(listening) => Some(listening.addr),
            _ => None,
        })
    }

    fn send_content(&self, content: &[u8], to: SocketAddr) -> TransferId {
        let file = self.home.path().join("big.bin");
        std::fs::write(&file, content).unwrap();
        let transfer = new_transfer_id();
        self.engine.command(Command::Send(SendRequest {
            transfer,
            sources: vec![file],
            to: to.to_string().parse().unwrap(),
            device: None,
            secret: Some(Secret::new(PASSPHRASE).unwrap()),
            ask: false,
            remember: false,
            wait_for_it: false,
        }));
        transfer
    }

    fn arrived(&self) -> Vec<u8> {
        std::fs::read(self.home.path().join("inbox/big.bin")).unwrap()
    }
}

#[test]
fn a_long_path_is_shared_by_up_to_eight_connections_and_what_arrives_is_exact() {
    let (garden, far) = (device("Garden"), device(FAR));
    let relay = Relay::to(garden.listen(AcceptPolicy::All));
    let content = content(48 << 20);
    far.send_content(&content, relay.addr);
    assert_eq!(garden.ended(), Status::Arrived);
    assert_eq!(far.ended(), Status::Arrived);
    let runs = lock(&relay.runs).clone();
    let most = runs[0];
    assert!((2..=CONNECTIONS_OF_TRANSFER).contains(&most), "{runs:?}");
    assert!(garden.arrived() == content);
    // Nobody is listed for each of them.
    relay.wait(|relay| relay.open.load(Ordering::SeqCst) == 0);
}

#[test]
fn a_short_path_stays_at_one_connection() {
    let (garden, near) = (device("Garden"), device("Near"));
    let relay = Relay::to(garden.listen(AcceptPolicy::All));
    let content = content(12 << 20);
    near.send_content(&content, relay.addr);
    assert_eq!(near.ended(), Status::Arrived);
    assert_eq!(relay.opened(), 1);
    assert!(garden.arrived() == content);
}

#[test]
fn one_connection_lost_interrupts_all_and_it_goes_on_with_fewer_and_exact() {
    let (garden, far) = (device("Garden"), device(FAR));
    let relay = Relay::to(garden.listen(AcceptPolicy::All));
    let content = content(32 << 20);
    far.send_content(&content, relay.addr);
    relay.wait(|relay| relay.opened() >= 4);
    // The last ones may not have proven themselves yet; this one has carried something.
    relay.cut(1);
    assert_eq!(garden.ended(), Status::Arrived);
    assert_eq!(far.ended(), Status::Arrived);
    let runs = lock(&relay.runs).clone();
    assert!(runs.len() == 2 && runs[1] <= runs[0] / 2, "{runs:?}");
    assert!(garden.arrived() == content);
}

#[test]
fn a_cancel_from_either_end_ends_all_connections() {
    for from_here in [true, false] {
        let (garden, far) = (device("Garden"), device(FAR));
        let relay = Relay::to(garden.listen(AcceptPolicy::All));
        let transfer = far.send_content(&content(24 << 20), relay.addr);
        relay.wait(|relay| relay.opened() >= 4);
        let who = if from_here { &far } else { &garden };
        who.engine.command(Command::Cancel(transfer));
        assert!(matches!(garden.ended(), Status::Cancelled(_)));
        assert!(matches!(far.ended(), Status::Cancelled(_)));
        relay.wait(|relay| relay.open.load(Ordering::SeqCst) == 0);
    }
}

#[test]
fn an_engine_that_is_dropped_ends_its_connections_whichever_end_it_is() {
    for sender in [true, false] {
        let (garden, far) = (device("Garden"), device(FAR));
        let relay = Relay::to(garden.listen(AcceptPolicy::All));
        far.send_content(&content(24 << 20), relay.addr);
        relay.wait(|relay| relay.opened() >= 4);
        let stays = match sender {
            true => {
                drop(far);
                garden
            }
            false => {
                drop(garden);
                far
            }
        };
        stays.wait(|event| {
            let interrupted = crate::model::TransferState::Interrupted;
            matches!(event, Event::State(_, state) if state == interrupted).then_some(())
        });
    }
}

/// A client by hand.
pub(super) struct Guest {
    identity: Identity,
    pub(super) channel: Channel,
    there: DeviceId,
    decoder: Decoder,
    /// What came in one read with a frame that was waited for, and after it.
    heard: VecDeque<Frame>,
}

fn connected(to: SocketAddr, identity: &Identity) -> Channel {
    let socket = TcpStream::connect(to).unwrap();
    Channel::connect(socket, identity, Instant::now() + PATIENCE).unwrap()
}

impl Guest {
    pub(super) fn enter(to: SocketAddr) -> Self {
        Self::met(to, Identity::generate().unwrap(), None)
    }

    /// Comes again to go on with a transfer.
    pub(super) fn again(self, to: SocketAddr, transfer: TransferId, key: &SessionKey) -> Self {
        Self::met(to, self.identity, Some((transfer, key)))
    }

    fn met(to: SocketAddr, identity: Identity, session: Option<(TransferId, &SessionKey)>) -> Self {
        let mut channel = connected(to, &identity);
        let secret = Secret::new(PASSPHRASE).unwrap();
        let plan = Plan {
            chosen: None,
            session,
            pair: None,
            talk: None,
            secret: session.is_none().then_some(&secret),
            ask: false,
            answering: &|| {},
            trace: &Trace::default(),
        };
        let name = DeviceName::cleaned("Guest", "");
        let met = greet_server(&mut channel, identity.device_id(), &name, &plan).unwrap();
        assert!(met.attaches);
        channel
            .established(Duration::from_millis(50), || {})
            .unwrap();
        Self {
            there: channel.peer,
            identity,
            channel,
            decoder: Decoder::new(Buffers::new(1)),
            heard: VecDeque::new(),
        }
    }

    pub(super) fn say(&mut self, frame: &Frame) {
        self.channel.writer.write(&frame.encode()).unwrap();
    }

    fn offer(&mut self, transfer: TransferId, bytes: u64) {
        self.say(&Frame::Offer(Offer {
            transfer: Hex(transfer.0),
        }));
        self.say(&Frame::Manifest(ManifestPart {
            entries: vec![WireEntry {
                parent: None,
                name: "big.bin".into(),
                size: Some(bytes),
                modified: None,
                executable: false,
            }],
        }));
        self.say(&Frame::ManifestEnd(ManifestEnd { entries: 1, bytes }));
    }

    fn hear(&mut self, wanted: impl Fn(&Frame) -> bool) {
        self.hear_until(|frame| wanted(frame).then_some(()));
    }

    pub(super) fn hear_until<T>(&mut self, mut wanted: impl FnMut(&Frame) -> Option<T>) -> T {
        loop {
            while let Some(frame) = self.heard.pop_front() {
                if let Some(found) = wanted(&frame) {
                    return found;
                }
            }
            let mut came = Vec::new();
            self.channel
                .reader
                .read(|piece| came.extend_from_slice(piece))
                .unwrap();
            let mut input = came.as_slice();
            while let Some(raw) = self.decoder.feed(&mut input, Limit::Session).unwrap() {
                self.heard.extend(Frame::parse(raw).unwrap());
            }
        }
    }

    pub(super) fn key(&self, transfer: TransferId) -> SessionKey {
        let secret = &self.channel.session_secret;
        SessionKey::derive(secret, self.identity.device_id(), self.there, transfer)
    }

    fn attach(
        &self,
        to: SocketAddr,
        who: &Identity,
        transfer: TransferId,
        key: &SessionKey,
    ) -> Option<Channel> {
        let mut channel = connected(to, who);
        let name = DeviceName::cleaned("Guest", "");
        let attached = attach_to_server(
            &mut channel,
            who.device_id(),
            &name,
            (transfer, key),
            &Trace::default(),
        );
        if let Err(error) = &attached {
            let refused = matches!(error, GreetingError::Refused(Refusal::Secret));
            assert!(refused, "{error}");
        }
        attached.ok().map(|()| channel)
    }
}

fn is_over(channel: &mut Channel) -> bool {
    loop {
        match channel.reader.read(|_piece| {}) {
            Ok(Received::Bytes(_)) => {}
            Ok(Received::Idle) => return false,
            Ok(Received::Closed) | Err(_) => return true,
        }
    }
}

#[test]
fn only_the_device_of_an_accepted_transfer_attaches_with_its_key_and_seven_times() {
    let garden = device("Garden");
    let to = garden.listen(AcceptPolicy::Ask);
    let mut guest = Guest::enter(to);
    let (transfer, other) = (TransferId([1; 16]), TransferId([2; 16]));
    let key = guest.key(transfer);
    guest.offer(transfer, 1000);
    let identity = Identity::generate().unwrap();
    garden.wait(|event| match event {
        Event::Offer(offer) if !offer.counting => Some(()),
        _ => None,
    });
    assert!(
        guest.attach(to, &guest.identity, transfer, &key).is_none(),
        "not accepted yet"
    );
    garden.engine.command(Command::Answer(
        transfer,
        Answer::Accept {
            folder: None,
            on_conflict: None,
            remember: false,
        },
    ));
    guest.hear(|frame| matches!(frame, Frame::Accept(_)));
    let attach = |who: &Identity, transfer, key: &SessionKey| guest.attach(to, who, transfer, key);
    assert!(attach(&identity, transfer, &key).is_none(), "a stranger");
    assert!(
        attach(&guest.identity, other, &key).is_none(),
        "another transfer"
    );
    let wrong = guest.key(other);
    assert!(attach(&guest.identity, transfer, &wrong).is_none());
    let mut attached: Vec<_> = (0..9)
        .filter_map(|_| attach(&guest.identity, transfer, &key))
        .collect();
    assert_eq!(attached.len(), CONNECTIONS_OF_TRANSFER - 1);
    // A connection that has carried nothing may go; there is room for another one then.
    drop(attached.pop());
    let deadline = Instant::now() + PATIENCE;
    while attached.len() < CONNECTIONS_OF_TRANSFER - 1 {
        assert!(Instant::now() < deadline);
        attached.extend(attach(&guest.identity, transfer, &key));
    }
    // What nobody may say on an attached connection ends all of them.
    let tick = Duration::from_secs(10);
    for channel in &mut attached {
        channel.established(tick, || {}).unwrap();
    }
    let frame = DataFrame::new(Vec::new(), 10).seal(0, 0);
    attached[0].writer.write(&frame).unwrap();
    assert!(attached.iter_mut().all(is_over));
    assert!(garden.wait(|event| match event {
        Event::Ended(summary) => Some(summary.status == Status::Failed),
        _ => None,
    }));
}

#[test]
fn numbered_frames_before_the_offer_is_accepted_end_the_session() {
    let garden = device("Garden");
    let mut guest = Guest::enter(garden.listen(AcceptPolicy::Ask));
    guest.offer(TransferId([1; 16]), 1000);
    garden.wait(|event| match event {
        Event::Offer(offer) if !offer.counting => Some(()),
        _ => None,
    });
    let mut whole = Frame::Number(0).encode();
    whole.extend(DataFrame::new(Vec::new(), 1000).seal(0, 0));
    guest.channel.writer.write(&whole).unwrap();
    assert!(is_over(&mut guest.channel));
}

#[test]
fn frames_of_several_connections_make_one_file_and_a_second_end_after_it_means_nothing() {
    let garden = device("Garden");
    let to = garden.listen(AcceptPolicy::All);
    let mut guest = Guest::enter(to);
    let transfer = TransferId([1; 16]);
    let content = content(100_000);
    guest.offer(transfer, content.len() as u64);
    guest.hear(|frame| matches!(frame, Frame::Credit(_) | Frame::Accept(_)));
    let key = guest.key(transfer);
    let mut channels: Vec<_> = (0..2)
        .map(|_| guest.attach(to, &guest.identity, transfer, &key).unwrap())
        .collect();
    let piece = |number: usize| {
        let from = number * 10_000;
        let mut frame = DataFrame::new(Vec::new(), 10_000);
        frame
            .content()
            .copy_from_slice(&content[from..from + 10_000]);
        let mut whole = Frame::Number(number as u64).encode();
        whole.extend(frame.seal(0, from as u64));
        whole
    };
    // Those that are too early wait for the first one.
    for number in [1, 3, 4, 8] {
        channels[0].writer.write(&piece(number)).unwrap();
    }
    for number in [2, 5, 6, 7, 9] {
        channels[1].writer.write(&piece(number)).unwrap();
    }
    let end = crate::protocol::bulk::FileEnd {
        entry: 0,
        len_bytes: content.len() as u64,
        hash: *blake3::hash(&content).as_bytes(),
    };
    let mut last = Frame::Number(10).encode();
    last.extend(end.encode());
    last.extend(Frame::Number(11).encode());
    last.extend(Frame::Finish.encode());
    channels[0].writer.write(&last).unwrap();
    guest.channel.writer.write(&piece(0)).unwrap();
    guest.hear(|frame| matches!(frame, Frame::Received(_)));
    // Everything has come: nobody misses these any more.
    drop(channels);
    guest.hear(|frame| matches!(frame, Frame::Safe));
    assert_eq!(garden.ended(), Status::Arrived);
    assert!(garden.arrived() == content);
}
