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
use ropeway::engine::{AcceptPolicy, Command, Event, Limits};
use ropeway::model::{Status, TransferState};
use ropeway::protocol::Frame;
use ropeway::protocol::message::{FEATURES, Hello, Hex, Method, VERSION, Verify};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;
use socket2::{Domain, Socket, Type};
use support::program::{Running, ropeway};
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
    /// A hello, and no secret follows.
    NoVerify,
    /// It says by which way it enters, one that costs nothing, and never answers.
    NoAnswer,
    /// It says all that it may before it has proven anything, and then nothing.
    Wordy,
}

const MANNERS: [Manner; 5] = [
    Manner::Silent,
    Manner::Slow,
    Manner::Stuck,
    Manner::NoVerify,
    Manner::NoAnswer,
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
            Self::NoVerify | Self::NoAnswer | Self::Wordy => {
                let Ok(mut channel) = Channel::connect(socket, identity, deadline) else {
                    return;
                };
                let hello = |name: String| {
                    Frame::Hello(Hello {
                        versions: vec![VERSION],
                        features: FEATURES.map(str::to_owned).to_vec(),
                        name,
                        system: "linux".into(),
                        accepts: Vec::new(),
                    })
                };
                let says = match self {
                    Self::NoVerify => hello("Stranger".into()).encode(),
                    Self::NoAnswer => [
                        hello("Stranger".into()).encode(),
                        Frame::Verify(Verify {
                            method: Method::Pair,
                            pake: None,
                            transfer: None,
                            challenge: Hex([7; 32]),
                        })
                        .encode(),
                    ]
                    .concat(),
                    // The longest hello, then a frame of a type that is skipped, as long, again and again.
                    Self::Wordy => {
                        let mut says = hello("x".repeat(3_900)).encode();
                        for _ in 0..2 {
                            says.extend_from_slice(&4_096_u32.to_be_bytes());
                            says.push(0xff);
                            says.extend(std::iter::repeat_n(b'x', 4_095));
                        }
                        says
                    }
                    _ => Vec::new(),
                };
                let _ = channel.writer.write(&says);
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
        // Those that do their part of the handshake take this processor from the server.
        let many = match manners {
            [Manner::NoVerify | Manner::NoAnswer] => CROWD / 2,
            _ => CROWD,
        };
        let over = Arc::new(AtomicBool::new(false));
        let visits = Arc::new(AtomicUsize::new(0));
        let identity = Arc::new(Identity::generate().unwrap());
        let threads = (0..many).map(|n| {
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
        while crowd.visits() < if again { 4 * many } else { many } {
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

/// How long an honest sender takes from Send to being let in; then its file arrives.
fn honest(garden: &mut Device, study: &mut Device, to: SocketAddr) -> Duration {
    let file = study.home.path().join("a.txt");
    fs::write(&file, noise(1, 1000)).unwrap();
    let begun = Instant::now();
    let transfer = study.send(&[&file], to, PASSPHRASE);
    // Not until it has arrived: how long a disk takes is nothing that strangers have a part in.
    garden.wait("that it is let in", |event| match event {
        Event::Started(started) => (started.transfer == transfer).then_some(()),
        _ => None,
    });
    let elapsed = begun.elapsed();
    study.arrived();
    elapsed
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

/// Sockets that one thread holds, as from another computer: they cost this one nothing but themselves.
struct Swarm {
    since: Instant,
    over: Arc<AtomicBool>,
    visits: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Swarm {
    /// `says`: each time it connects, before it waits to be closed.
    fn gather(to: SocketAddr, many: usize, from: IpAddr, says: &'static [u8]) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let visits = Arc::new(AtomicUsize::new(0));
        let (ends, visited) = (over.clone(), visits.clone());
        let since = Instant::now();
        let thread = thread::spawn(move || {
            let mut sockets: Vec<TcpStream> = Vec::new();
            while !ends.load(Ordering::SeqCst) {
                while sockets.len() < many {
                    let Some(mut socket) = connect(from, to) else {
                        break;
                    };
                    let _ = socket.write_all(says);
                    visited.fetch_add(1, Ordering::SeqCst);
                    sockets.push(socket);
                }
                let waits = sockets.iter();
                let mut waits: Vec<_> = waits
                    .map(|socket| PollFd::new(socket, PollFlags::IN))
                    .collect();
                let moment = Timespec {
                    tv_sec: 0,
                    tv_nsec: 10_000_000,
                };
                poll(&mut waits, Some(&moment)).unwrap();
                let closed: Vec<_> = waits
                    .iter()
                    .map(|wait| !wait.revents().is_empty())
                    .collect();
                let mut closed = closed.into_iter();
                sockets.retain(|_| !closed.next().unwrap());
            }
        });
        let swarm = Self {
            since,
            over,
            visits,
            thread: Some(thread),
        };
        while swarm.visits() < 2 * many {
            thread::yield_now();
        }
        swarm
    }

    fn visits(&self) -> usize {
        self.visits.load(Ordering::SeqCst)
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// How late an honest sender is among sockets that come back the moment they are closed, silent ones and
/// such that have begun to say something, beside a transfer that has begun before.
fn among_a_swarm(many: usize, from: IpAddr) -> Duration {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let to = garden.listen(AcceptPolicy::All, Some(PASSPHRASE));
    let alone = honest(&mut garden, &mut study, to);
    // So slow that it lasts as long as the swarm.
    let mut office = Device::new("Office");
    let limit = Limits {
        bytes_per_second: Some(1 << 20),
        ..Limits::default()
    };
    office.engine.command(Command::SetLimits(limit));
    let film = office.home.path().join("film.bin");
    fs::write(&film, noise(2, 32 << 20)).unwrap();
    office.send(&[&film], to, PASSPHRASE);
    let progress = |event: &Event| match event {
        Event::Progress(progress) if progress.bytes > 0 => Some(progress.bytes),
        _ => None,
    };
    let before = office.wait("bytes", progress);

    let mut late = Duration::ZERO;
    for says in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
        let swarm = Swarm::gather(to, many, from, says);
        for _ in 0..3 {
            let among = honest(&mut garden, &mut study, to);
            eprintln!(
                "{many} from {from}: alone {alone:?}, among {among:?}, {} visits",
                swarm.visits()
            );
            late = late.max(among.saturating_sub(alone));
        }
        // Whoever is turned away hears it a second later, however fast the machine is.
        let visits = swarm.visits() as u64;
        let seconds = swarm.since.elapsed().as_secs();
        assert!(
            visits <= many as u64 * (seconds + 2),
            "{visits} in {seconds} s"
        );
    }
    // The transfer under way has neither stood still nor been begun again.
    office.wait("more bytes", |event| {
        progress(event).filter(|now| *now > before)
    });
    office.engine.command(Command::SetLimits(Limits::default()));
    assert_eq!(office.ended().status, Status::Arrived);
    let cut = |event: &Event| matches!(event, Event::State(_, TransferState::Interrupted));
    assert!(!office.said.iter().any(cut));
    let came = fs::read(garden.inbox().join("film.bin")).unwrap();
    assert!(came == noise(2, 32 << 20));
    late
}

#[test]
fn six_hundred_sockets_that_come_back_at_once_delay_others_by_less_than_a_second_and_cut_nobody() {
    let late = among_a_swarm(600, elsewhere(0));
    assert!(late < Duration::from_secs(1), "{late:?}");
}

#[test]
fn six_hundred_sockets_that_come_back_at_once_delay_their_neighbours_by_less_than_six_seconds() {
    let late = among_a_swarm(600, HERE);
    assert!(late < Duration::from_secs(6), "{late:?}");
}

/// A line of `/proc/…/status`, in bytes.
fn memory_of(process: u32, what: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    let kilobytes = line.split_whitespace().nth(1).unwrap();
    kilobytes.parse::<u64>().unwrap() << 10
}

#[test]
fn a_crowd_that_says_all_it_may_costs_a_server_a_few_megabytes_and_no_more_when_it_is_larger() {
    let home = tempfile::tempdir().unwrap();
    let inbox = home.path().join("inbox");
    let arguments = ["receive", "--listen", "127.0.0.1:0", "--json", "--dir"];
    let mut command = ropeway(
        &home.path().join("data"),
        &[&arguments[..], &[inbox.to_str().unwrap()]].concat(),
    );
    command.env("ROPEWAY_CODE", PASSPHRASE);
    let mut receiving = Running::start(command);
    let port = receiving.wait("listening")["port"].as_u64().unwrap();
    let to = SocketAddr::new(HERE, u16::try_from(port).unwrap());
    let before = memory_of(receiving.child.id(), "VmRSS");
    // From everywhere, or no more than a few of them would be there at a time.
    let everywhere = |n: usize| Ipv4Addr::new(127, 0, 2, u8::try_from(n).unwrap()).into();
    let mut peaks = Vec::new();
    for _ in 0..2 {
        let crowd = Crowd::gather(to, &[Manner::Wordy], everywhere, false);
        drop(crowd);
        peaks.push(memory_of(receiving.child.id(), "VmHWM"));
    }
    eprintln!("{before} bytes before, at most {peaks:?} with the crowds");
    // 64 at a time: what each may say, TLS, a thread's stack, and what the allocator keeps besides.
    assert!(peaks[0] - before < 40 << 20, "{before}, {peaks:?}");
    // Nothing of the first crowd is left when the second one comes.
    assert!(peaks[1] - peaks[0] < 24 << 20, "{before}, {peaks:?}");
    let mut study = Device::new("Study");
    let file = study.home.path().join("a.txt");
    fs::write(&file, "hello").unwrap();
    study.send(&[&file], to, PASSPHRASE);
    let offer = receiving.wait("offer");
    assert_eq!(offer["from"], "Study");
}

#[test]
fn as_long_as_there_is_room_nobody_has_to_go() {
    /// Many more than of one address may stay when others want in.
    const MANY: usize = 48;
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let to = garden.listen(AcceptPolicy::All, Some(PASSPHRASE));
    let sockets: Vec<_> = (0..MANY).filter_map(|_| connect(HERE, to)).collect();
    assert_eq!(sockets.len(), MANY);
    honest(&mut garden, &mut study, to);
    // Who is turned away hears of it within so long.
    let heard = Timespec {
        tv_sec: 1,
        tv_nsec: 500_000_000,
    };
    let waits = sockets.iter().map(|it| PollFd::new(it, PollFlags::IN));
    let mut waits: Vec<_> = waits.collect();
    assert_eq!(poll(&mut waits, Some(&heard)).unwrap(), 0);
}
