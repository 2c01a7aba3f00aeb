//! Crowds at the door, over real sockets: whatever they do, honest people get in.
//!
//! On Linux every address of 127.0.0.0/8 is a source to connect from.
#![cfg(target_os = "linux")]
// Helpers of tests are tests, too; clippy only knows the functions that are marked.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ropeway::channel::{Channel, Identity, Received};
use ropeway::engine::AcceptPolicy;
use ropeway::protocol::Frame;
use ropeway::protocol::message::{FEATURES, Hello, VERSION};
use socket2::{Domain, Socket, Type};
use support::{Device, PASSPHRASE, noise};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const CROWD: usize = 200;

/// What a stranger does with its connection until it is closed.
#[derive(Clone, Copy, Debug)]
enum Manner {
    Silent,
    /// A byte now and then, of a record that never ends.
    Slow,
    /// A record begun and left.
    Stuck,
    /// The channel is there, and no hello follows.
    NoHello,
    /// A hello, and no secret follows.
    NoVerify,
}

const MANNERS: [Manner; 5] = [
    Manner::Silent,
    Manner::Slow,
    Manner::Stuck,
    Manner::NoHello,
    Manner::NoVerify,
];

impl Manner {
    fn visit(self, mut socket: TcpStream, identity: &Identity, over: &AtomicBool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        match self {
            Self::Silent => {}
            Self::Stuck => drop(socket.write_all(b"\x16\x03\x01\x02\x00\x01")),
            Self::Slow => {
                let _ = socket.write_all(b"\x16\x03\x01\x02\x00");
                let _ = socket.set_read_timeout(Some(Duration::from_millis(100)));
                while !over.load(Ordering::SeqCst) && socket.write_all(b"\x01").is_ok() {
                    match socket.read(&mut [0]) {
                        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                        _ => break,
                    }
                }
                return;
            }
            Self::NoHello | Self::NoVerify => {
                let Ok(mut channel) = Channel::connect(socket, identity, deadline) else {
                    return;
                };
                if matches!(self, Self::NoVerify) {
                    let hello = Hello {
                        versions: vec![VERSION],
                        features: FEATURES.map(str::to_owned).to_vec(),
                        name: "Stranger".into(),
                        system: "linux".into(),
                        accepts: Vec::new(),
                    };
                    let _ = channel.writer.write(&Frame::Hello(hello).encode());
                }
                let mut came = Vec::new();
                while let Ok(Received::Bytes(_)) =
                    channel.reader.read(|piece| came.extend_from_slice(piece))
                {}
                return;
            }
        }
        let _ = socket.read(&mut [0]);
    }
}

/// Strangers, each on a thread of its own, until it is dropped.
struct Crowd {
    over: Arc<AtomicBool>,
    visits: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<()>>,
}

impl Crowd {
    /// `from`: the address of each; `again`: whoever is dropped comes back at once.
    fn gather(
        to: SocketAddr,
        manners: &[Manner],
        from: impl Fn(usize) -> IpAddr,
        again: bool,
    ) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let visits = Arc::new(AtomicUsize::new(0));
        let identity = Arc::new(Identity::generate().unwrap());
        let threads = (0..CROWD).map(|n| {
            let (over, visits, identity) = (over.clone(), visits.clone(), identity.clone());
            let (from, manner) = (from(n), manners[n % manners.len()]);
            thread::spawn(move || {
                loop {
                    if let Some(socket) = connect(from, to) {
                        visits.fetch_add(1, Ordering::SeqCst);
                        manner.visit(socket, &identity, &over);
                    }
                    if !again || over.load(Ordering::SeqCst) {
                        return;
                    }
                }
            })
        });
        let threads = threads.collect();
        let crowd = Self {
            over,
            visits,
            threads,
        };
        // Those who come back have been turned away some times when the honest sender comes.
        while crowd.visits() < if again { 4 * CROWD } else { CROWD } {
            thread::yield_now();
        }
        crowd
    }

    fn visits(&self) -> usize {
        self.visits.load(Ordering::SeqCst)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // The server closes each of them within its five seconds.
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }
}

fn connect(from: IpAddr, to: SocketAddr) -> Option<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(from, 0).into()).ok()?;
    let connected = socket.connect_timeout(&to.into(), Duration::from_secs(10));
    let socket: TcpStream = connected.ok().map(|()| socket.into())?;
    // Once the server is gone its port is free, and TCP can connect a socket to itself.
    let itself = socket.local_addr().ok() == Some(to);
    (!itself).then_some(socket)
}

/// How long an honest sender takes from Send to everything there.
fn honest(garden: &mut Device, study: &mut Device, to: SocketAddr) -> Duration {
    let file = study.home.path().join("a.txt");
    fs::write(&file, noise(1, 1000)).unwrap();
    let begun = Instant::now();
    study.send(&[&file], to, PASSPHRASE);
    study.arrived();
    garden.arrived();
    begun.elapsed()
}

/// How much longer with the crowd than without.
fn delayed(manners: &[Manner], from: impl Fn(usize) -> IpAddr, again: bool) -> Duration {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let to = garden.listen(AcceptPolicy::All, Some(PASSPHRASE));
    let alone = honest(&mut garden, &mut study, to);
    let crowd = Crowd::gather(to, manners, from, again);
    let among = (0..3).map(|_| honest(&mut garden, &mut study, to));
    let among: Vec<_> = among.collect();
    eprintln!(
        "{manners:?} again: {again}: alone {alone:?}, among {among:?}, {} visits",
        crowd.visits()
    );
    // So that nobody has to wait for the end of a deadline.
    drop(garden);
    drop(crowd);
    among.into_iter().max().unwrap().saturating_sub(alone)
}

fn elsewhere(_: usize) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, 2).into()
}

#[test]
fn a_crowd_from_one_address_delays_a_sender_from_another_one_by_less_than_a_second() {
    for manner in MANNERS {
        let delay = delayed(&[manner], elsewhere, false);
        assert!(delay < Duration::from_secs(1), "{manner:?}: {delay:?}");
    }
}

#[test]
fn a_crowd_from_the_same_address_delays_a_sender_by_less_than_six_seconds() {
    for manner in MANNERS {
        let delay = delayed(&[manner], |_| HERE, false);
        assert!(delay < Duration::from_secs(6), "{manner:?}: {delay:?}");
    }
}

#[test]
fn a_crowd_that_comes_back_at_once_delays_a_sender_from_another_address_by_less_than_a_second() {
    for manner in MANNERS {
        let delay = delayed(&[manner], elsewhere, true);
        assert!(delay < Duration::from_secs(1), "{manner:?}: {delay:?}");
    }
}

#[test]
fn a_crowd_that_comes_back_at_once_from_the_same_address_delays_a_sender_by_less_than_six_seconds()
{
    for manner in MANNERS {
        let delay = delayed(&[manner], |_| HERE, true);
        assert!(delay < Duration::from_secs(6), "{manner:?}: {delay:?}");
    }
}

#[test]
fn a_crowd_from_as_many_addresses_lets_a_sender_in_within_a_second() {
    let everywhere = |n: usize| Ipv4Addr::new(127, 0, 1, u8::try_from(n).unwrap()).into();
    let delay = delayed(&MANNERS, everywhere, false);
    assert!(delay < Duration::from_secs(1), "{delay:?}");
}
