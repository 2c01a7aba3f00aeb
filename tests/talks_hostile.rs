//! Peers of a conversation that mean harm or are too old, as raw connections.

// Helpers of tests are tests, too; clippy only knows the functions that are marked.
#![allow(clippy::unwrap_used)]
#![cfg(unix)]

mod support;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use ropeway::channel::{Channel, Identity, Received};
use ropeway::engine::{AcceptPolicy, Event};
use ropeway::model::{Failure, MAX_MESSAGE_BYTES, TransferId};
use ropeway::protocol::message::{
    Empty, FEATURES, Hello, Hex, ManifestEnd, ManifestPart, Message, Method, Offer, Receipt,
    VERSION, WireEntry,
};
use ropeway::protocol::talking::MOST_IN_FLIGHT;
use ropeway::protocol::verification::{Binding, Client, ConversationKey, Server, SessionKey};
use ropeway::protocol::{Buffers, Decoder, Frame, Limit};
use support::random::Random;
use support::talk::{all_heard, failed, heard, say, talk, text_of};
use support::{Device, PASSPHRASE, PATIENCE};

fn hello(features: &[&str], accepts: &[&str]) -> Hello {
    let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
    Hello {
        versions: vec![VERSION],
        features: owned(features),
        name: "Guest".into(),
        system: "linux".into(),
        accepts: owned(accepts),
    }
}

/// A client that speaks frames.
struct Guest {
    channel: Channel,
    decoder: Decoder,
    plaintext: Vec<u8>,
}

enum Way {
    Passphrase,
    Talk(ConversationKey),
    Session(TransferId, SessionKey),
}

impl Guest {
    fn new(channel: Channel) -> Self {
        Self {
            channel,
            decoder: Decoder::new(Buffers::new(1)),
            plaintext: Vec::new(),
        }
    }

    /// Let in, and nothing said yet.
    fn enter(to: SocketAddr, identity: &Identity, way: Way) -> Option<Self> {
        let socket = TcpStream::connect(to).unwrap();
        let channel = Channel::connect(socket, identity, Instant::now() + PATIENCE).unwrap();
        let binding = Binding {
            exporter: channel.exporter,
            client: identity.device_id(),
            server: channel.peer,
        };
        let mut machine = Client::new(binding, &hello(&FEATURES, &[]));
        let mut guest = Self::new(channel);
        guest.write(&machine.poll_transmit().unwrap());
        while !machine.verified() {
            let raw = guest.raw(Limit::Greeting)?;
            match machine.handle_frame(raw) {
                Ok(Some(_hello)) => match &way {
                    Way::Passphrase => {
                        machine.prove(Method::Passphrase, PASSPHRASE.as_bytes(), &mut Random);
                    }
                    Way::Talk(key) => machine.prove_talk(key, &mut Random),
                    Way::Session(id, key) => machine.prove_session(*id, key, &mut Random),
                },
                Ok(None) => {}
                Err(_refused) => return None,
            }
            if let Some(frame) = machine.poll_transmit() {
                guest.write(&frame);
            }
        }
        Some(guest)
    }

    /// A conversation that is open.
    fn talking(to: SocketAddr, identity: &Identity) -> Self {
        let mut guest = Self::enter(to, identity, Way::Passphrase).unwrap();
        guest.say(&Frame::Talk(Empty {}));
        guest.say(&Frame::Welcome(Empty {}));
        assert!(matches!(guest.hear(), Some(Frame::Welcome(_))));
        guest
    }

    fn write(&mut self, bytes: &[u8]) -> bool {
        self.channel.writer.write(bytes).is_ok()
    }

    fn say(&mut self, frame: &Frame) -> bool {
        self.write(&frame.encode())
    }

    fn raw(&mut self, limit: Limit) -> Option<ropeway::protocol::RawFrame> {
        loop {
            let mut input = self.plaintext.as_slice();
            let frame = self.decoder.feed(&mut input, limit).unwrap();
            self.plaintext = input.to_vec();
            if frame.is_some() {
                return frame;
            }
            let more = &mut self.plaintext;
            match self
                .channel
                .reader
                .read(|piece| more.extend_from_slice(piece))
            {
                Ok(Received::Bytes(_) | Received::Idle) => {}
                Ok(Received::Closed) | Err(_) => return None,
            }
        }
    }

    /// The next frame that means something; `None` when the other end has ended it.
    fn hear(&mut self) -> Option<Frame> {
        loop {
            let frame = Frame::parse(self.raw(Limit::Session)?).unwrap();
            if let Some(frame) = frame.filter(|it| !matches!(it, Frame::Ping | Frame::Pong)) {
                return Some(frame);
            }
        }
    }

    fn is_ended(&mut self) -> bool {
        std::iter::from_fn(|| self.hear()).count() < 1_000
    }
}

fn message(stream: u8, number: u64, text: &str) -> Frame {
    Frame::Message(Message {
        stream: Hex([stream; 16]),
        number,
        id: Hex([number as u8; 16]),
        text: text.into(),
    })
}

fn garden() -> (Device, SocketAddr) {
    let mut garden = Device::new("Garden");
    let addr = garden.listen(AcceptPolicy::All, Some(PASSPHRASE));
    (garden, addr)
}

/// Somebody honest still gets through.
fn still_serves(garden: &mut Device, addr: SocketAddr) {
    let study = Device::new("Study");
    talk(&study, addr, PASSPHRASE, Some((0, "honest")));
    garden.wait("the honest message", |event| {
        text_of(event).filter(|(_, text)| text == "honest")
    });
}

#[test]
fn a_message_that_breaks_a_rule_ends_the_conversation_and_nothing_of_it_is_shown() {
    let too_long = "x".repeat(MAX_MESSAGE_BYTES + 1);
    let invalid = {
        let mut frame = message(1, 2, "abc").encode();
        let at = frame.len() - 4;
        frame[at] = 0xff;
        frame
    };
    let receipt = |number| {
        Frame::Receipt(Receipt {
            stream: Hex([1; 16]),
            number,
        })
    };
    let (mut garden, addr) = garden();
    let identity = Identity::generate().unwrap();
    for wrong in [
        message(1, 2, "").encode(),
        message(1, 2, &too_long).encode(),
        message(1, 1, "again").encode(),
        message(1, 0, "back").encode(),
        invalid,
        receipt(1).encode(),
        Frame::Talk(Empty {}).encode(),
        Frame::Welcome(Empty {}).encode(),
        Frame::Unwelcome(Empty {}).encode(),
        Frame::Offer(Offer {
            transfer: Hex([1; 16]),
        })
        .encode(),
        vec![0, 2, 0, 1, 0x30],
    ] {
        let mut guest = Guest::talking(addr, &identity);
        let first = garden.said.len();
        guest.say(&message(1, 1, "honest so far"));
        guest.write(&wrong);
        guest.say(&message(1, 9, "too late"));
        assert!(guest.is_ended());
        garden.wait("its end", |event| {
            matches!(event, Event::Clients(clients) if clients.is_empty()).then_some(())
        });
        let came = garden.said[first..].iter().filter_map(text_of);
        assert!(came.count() <= 1);
    }
    // It was one and the same message each time.
    assert_eq!(all_heard(&garden).values().flatten().count(), 1);
    still_serves(&mut garden, addr);
}

#[test]
fn nobody_says_anything_before_it_is_welcome() {
    let (mut garden, addr) = garden();
    for early in [
        vec![message(1, 1, "early")],
        vec![Frame::Talk(Empty {}), message(1, 1, "early")],
        vec![Frame::Welcome(Empty {}), message(1, 1, "early")],
    ] {
        let identity = Identity::generate().unwrap();
        let mut guest = Guest::enter(addr, &identity, Way::Passphrase).unwrap();
        for frame in early {
            guest.say(&frame);
        }
        assert!(guest.is_ended());
    }
    still_serves(&mut garden, addr);
    assert_eq!(all_heard(&garden).values().flatten().count(), 1);
}

#[test]
fn whoever_waits_for_no_receipt_is_ended_and_whoever_does_is_read_slowly() {
    let (mut garden, addr) = garden();
    let identity = Identity::generate().unwrap();
    let mut guest = Guest::talking(addr, &identity);
    // All in one write, before any receipt can have been heard. The disk may be quick, but not always.
    let many = 40 * MOST_IN_FLIGHT as u64;
    let flood: Vec<u8> = (1..many)
        .flat_map(|n| message(1, n, "flood").encode())
        .collect();
    let begun = Instant::now();
    let _ = guest.write(&flood);
    let ended = guest.is_ended();
    let heard = all_heard_within(&mut garden, Duration::from_millis(500));
    // Either way it is bounded: by the violation, or by the pace.
    let seconds = begun.elapsed().as_secs_f64() + 0.5;
    assert!(ended);
    assert!(
        (heard as f64) < 121.0 + 31.0 * seconds,
        "{heard} in {seconds} s"
    );
    still_serves(&mut garden, addr);
}

fn all_heard_within(garden: &mut Device, time: Duration) -> usize {
    let until = Instant::now() + time;
    while let Ok(event) = garden
        .events
        .recv_timeout(until.saturating_duration_since(Instant::now()))
    {
        garden.said.push(event);
    }
    all_heard(garden).values().flatten().count()
}

#[test]
fn a_message_that_comes_once_more_is_not_shown_again_and_gets_its_receipt() {
    let (mut garden, addr) = garden();
    let identity = Identity::generate().unwrap();
    for round in 0..3 {
        let mut guest = Guest::talking(addr, &identity);
        for n in 1..=5 + round {
            guest.say(&message(1, n, &format!("message {n}")));
            let Some(Frame::Receipt(receipt)) = guest.hear() else {
                panic!("no receipt for {n} in round {round}");
            };
            assert_eq!((receipt.stream.0, receipt.number), ([1; 16], n));
        }
        if round == 1 {
            garden = garden.again("Garden");
            garden.listen_at(addr, AcceptPolicy::All, PASSPHRASE);
        }
    }
    let (_, last) = heard(&mut garden);
    assert_eq!(last, "message 7");
    // Another stream begins where it likes.
    let mut guest = Guest::talking(addr, &identity);
    guest.say(&message(2, 1, "another run"));
    assert_eq!(heard(&mut garden).1, "another run");
}

#[test]
fn the_key_of_a_conversation_opens_a_conversation_and_no_transfer() {
    let (mut garden, addr) = garden();
    let identity = Identity::generate().unwrap();
    let guest = Guest::talking(addr, &identity);
    let there = guest.channel.peer;
    let key = ConversationKey::derive(&guest.channel.session_secret, identity.device_id(), there);
    drop(guest);
    let offer = Frame::Offer(Offer {
        transfer: Hex([1; 16]),
    });
    let mut guest = Guest::enter(addr, &identity, Way::Talk(key.clone())).unwrap();
    guest.say(&offer);
    assert!(guest.is_ended());
    let mut guest = Guest::enter(addr, &identity, Way::Talk(key.clone())).unwrap();
    guest.say(&Frame::Talk(Empty {}));
    guest.say(&Frame::Welcome(Empty {}));
    assert!(matches!(guest.hear(), Some(Frame::Welcome(_))));
    guest.say(&message(1, 1, "by key"));
    assert_eq!(heard(&mut garden).1, "by key");
    assert!(
        !garden
            .said
            .iter()
            .any(|event| matches!(event, Event::Offer(_)))
    );
    // Of another device, or a wrong one, it is worth nothing.
    let other = Identity::generate().unwrap();
    assert!(Guest::enter(addr, &other, Way::Talk(key)).is_none());
    let wrong = ConversationKey::derive(&[1; 32], identity.device_id(), there);
    assert!(Guest::enter(addr, &identity, Way::Talk(wrong)).is_none());
    still_serves(&mut garden, addr);
}

#[test]
fn the_key_of_a_transfer_opens_no_conversation() {
    let (mut garden, addr) = garden();
    let identity = Identity::generate().unwrap();
    let mut guest = Guest::enter(addr, &identity, Way::Passphrase).unwrap();
    let id = TransferId([1; 16]);
    let offer = Frame::Offer(Offer {
        transfer: Hex(id.0),
    });
    guest.say(&offer);
    let entries = Frame::Manifest(ManifestPart {
        entries: vec![WireEntry {
            parent: None,
            name: "a.txt".into(),
            size: Some(5),
            modified: None,
            executable: false,
        }],
    });
    guest.say(&entries);
    guest.say(&Frame::ManifestEnd(ManifestEnd {
        entries: 1,
        bytes: 5,
    }));
    assert!(matches!(guest.hear(), Some(Frame::Accept(_))));
    let (ours, there) = (identity.device_id(), guest.channel.peer);
    let key = SessionKey::derive(&guest.channel.session_secret, ours, there, id);
    drop(guest);
    let mut guest = Guest::enter(addr, &identity, Way::Session(id, key)).unwrap();
    guest.say(&Frame::Talk(Empty {}));
    guest.say(&Frame::Welcome(Empty {}));
    assert_eq!(guest.hear(), None);
    still_serves(&mut garden, addr);
    assert_eq!(all_heard(&garden).values().flatten().count(), 1);
}

#[test]
fn a_device_has_two_conversations_at_most_and_the_newest_is_heard() {
    let (mut garden, addr) = garden();
    let identity = Identity::generate().unwrap();
    let mut guests: Vec<_> = (0..4).map(|_| Guest::talking(addr, &identity)).collect();
    assert!(guests[0].is_ended() && guests[1].is_ended());
    for (n, guest) in guests[2..].iter_mut().enumerate() {
        guest.say(&message(n as u8, 1, &format!("guest {n}")));
        assert_eq!(heard(&mut garden).1, format!("guest {n}"));
    }
    say(&garden, identity.device_id(), 7, "to the newest");
    let answer = guests[3].hear();
    // Its receipt may come first.
    let answer = match answer {
        Some(Frame::Receipt(_)) => guests[3].hear(),
        other => other,
    };
    assert!(matches!(answer, Some(Frame::Message(message)) if message.text == "to the newest"));
}

#[test]
fn an_older_peer_is_told_apart_and_nothing_is_proven_to_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let identity = Identity::generate().unwrap();
        let (socket, _) = listener.accept().unwrap();
        let channel = Channel::accept(socket, &identity, Instant::now() + PATIENCE).unwrap();
        let binding = Binding {
            exporter: channel.exporter,
            client: channel.peer,
            server: identity.device_id(),
        };
        let before = hello(&["batch", "resume", "attach"], &["passphrase", "pair"]);
        let mut machine = Server::new(binding, &before);
        let mut guest = Guest::new(channel);
        let raw = guest.raw(Limit::Greeting).unwrap();
        machine.handle_frame(raw).unwrap();
        guest.write(&machine.poll_transmit().unwrap());
        guest.raw(Limit::Greeting).is_none()
    });
    let mut study = Device::new("Study");
    talk(&study, addr, PASSPHRASE, Some((0, "hello")));
    let failure = failed(&mut study);
    assert!(matches!(failure, Failure::Older { .. }), "{failure:?}");
    assert!(server.join().unwrap(), "something was said to it");
}
