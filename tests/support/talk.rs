//! Engines that talk, and a line between them that can be cut.

use std::collections::HashMap;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ropeway::engine::{Chosen, Command, Event, Talk, TalkRequest, new_transfer_id};
use ropeway::model::{Delivery, DeviceId, Direction, Failure, MessageId, Said, Secret, TransferId};

use super::Device;

/// Opens a conversation with whoever is there; without a secret, symbols are compared.
pub fn talk(
    device: &Device,
    to: SocketAddr,
    secret: &str,
    first: Option<(u64, &str)>,
) -> TransferId {
    request(device, to, secret, first, None)
}

pub fn request(
    device: &Device,
    to: SocketAddr,
    secret: &str,
    first: Option<(u64, &str)>,
    chosen: Option<DeviceId>,
) -> TransferId {
    let id = new_transfer_id();
    device.engine.command(Command::Talk(TalkRequest {
        id,
        to: to.to_string().parse().unwrap(),
        device: chosen.map(|id| Chosen { id, name: None }),
        secret: (!secret.is_empty()).then(|| Secret::new(secret).unwrap()),
        ask: secret.is_empty(),
        remember: false,
        first: first.map(|(id, text)| (message(id), text.into())),
    }));
    id
}

pub fn opened(device: &mut Device) -> DeviceId {
    device.wait("TalkOpened", |event| match event {
        Event::TalkOpened(_, peer) => peer.device_id,
        _ => None,
    })
}

pub fn failed(device: &mut Device) -> Failure {
    device.wait("TalkFailed", |event| match event {
        Event::TalkFailed(_, failure) => Some(failure.clone()),
        _ => None,
    })
}

/// The next time that a conversation is open; with whom.
pub fn open(device: &mut Device) -> DeviceId {
    device.wait("Talk::Open", |event| match event {
        Event::Talk(peer, Talk::Open) => peer.device_id,
        _ => None,
    })
}

pub fn away(device: &mut Device) -> Failure {
    device.wait("Talk::Away", |event| match event {
        Event::Talk(_, Talk::Away(failure)) => Some(failure.clone()),
        _ => None,
    })
}

pub fn message(n: u64) -> MessageId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&n.to_be_bytes());
    MessageId(id)
}

pub fn say(device: &Device, to: DeviceId, n: u64, text: &str) {
    let (id, text) = (message(n), text.to_owned());
    device.engine.command(Command::Say { to, id, text });
}

/// What came from elsewhere, if the event says so.
pub fn text_of(event: &Event) -> Option<(DeviceId, String)> {
    match event {
        Event::Line(peer, line) if line.direction == Direction::Receive => match &line.what {
            Said::Text { text, .. } => Some((peer.device_id?, text.clone())),
            Said::Transfer(_) => None,
        },
        _ => None,
    }
}

/// The next text that comes from elsewhere.
pub fn heard(device: &mut Device) -> (DeviceId, String) {
    device.wait("a message", text_of)
}

/// Everything that came so far, by who said it.
pub fn all_heard(device: &Device) -> HashMap<DeviceId, Vec<String>> {
    let mut all: HashMap<_, Vec<_>> = HashMap::new();
    for (from, text) in device.said.iter().filter_map(text_of) {
        all.entry(from).or_default().push(text);
    }
    all
}

pub fn became(device: &mut Device, n: u64, wanted: Delivery) {
    device.wait("Delivery", |event| match event {
        Event::Delivery(_, id, delivery) if *id == message(n) => {
            assert_eq!(*delivery, wanted);
            Some(())
        }
        _ => None,
    });
}

pub fn delivered(device: &mut Device, n: u64) {
    became(device, n, Delivery::Delivered);
}

/// A line to a server, which can be cut and laid again.
pub struct Wire {
    pub address: SocketAddr,
    seen: Arc<Seen>,
}

struct Seen {
    to: Mutex<Option<SocketAddr>>,
    lines: Mutex<Vec<TcpStream>>,
    /// Bytes that each new line bears before it breaks.
    bears: AtomicUsize,
}

impl Wire {
    pub fn new(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen {
            to: Mutex::new(Some(to)),
            lines: Mutex::default(),
            bears: AtomicUsize::new(usize::MAX),
        });
        let shared = seen.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let to = *shared.to.lock().unwrap();
                if let Some(server) = to.and_then(|to| TcpStream::connect(to).ok()) {
                    let mut lines = shared.lines.lock().unwrap();
                    let copy = |stream: &TcpStream| stream.try_clone().unwrap();
                    lines.extend([copy(&client), copy(&server)]);
                    let bears = shared.bears.load(Ordering::SeqCst);
                    let left = Arc::new(AtomicUsize::new(bears));
                    forward(copy(&client), copy(&server), left.clone());
                    forward(server, client, left);
                }
            }
        });
        Self { address, seen }
    }

    pub fn cut(&self) {
        for line in self.seen.lines.lock().unwrap().drain(..) {
            let _ = line.shutdown(Shutdown::Both);
        }
    }

    pub fn lead_to(&self, to: Option<SocketAddr>) {
        *self.seen.to.lock().unwrap() = to;
    }

    /// How many bytes, both ways, each line that comes bears.
    pub fn bears(&self, bytes: usize) {
        self.seen.bears.store(bytes, Ordering::SeqCst);
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, left: Arc<AtomicUsize>) {
    use std::io::{Read as _, Write as _};
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            let before = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                Some(left.saturating_sub(count))
            });
            let passes = before.unwrap().min(count);
            if to.write_all(&bytes[..passes]).is_err() || passes < count {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    });
}
