//! From what a person typed to an open socket: every resolved address is tried, the first that
//! answers is taken, and giving up takes effect at once.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::wire::Phase;
use crate::model::{Failure, PeerAddress};

/// An address that does not answer for so long is not tried any longer.
const CONNECT_WITHIN: Duration = Duration::from_secs(8);
/// The next address is tried too if the ones before have not answered by then (RFC 8305, §5).
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);
/// How soon a wish to give up is seen.
const LOOK_UP_EVERY: Duration = Duration::from_millis(50);

/// Is told what dialling waits for.
pub type Seen<'a> = dyn Fn(Phase, Option<Instant>) + 'a;

/// A connected socket.
pub struct Dialed {
    pub socket: TcpStream,
    /// From the first packet to the answer: the time there and back, or more. None within this computer.
    pub round_trip: Duration,
}

/// Connects once more to where an earlier socket is connected to.
pub fn dial_again(to: SocketAddr, gave_up: impl Fn() -> bool) -> Option<io::Result<Dialed>> {
    connect(&[to], &gave_up, &|_phase, _until| {})
}

/// Up to here a path is a cable, or this computer: nothing is gained by treating it with care.
const NEAR_PATH: Duration = Duration::from_millis(1);
/// Below this a single stream recovers at once, and what limits it is a processor: a local network. From
/// here on a lost packet is noticed late, and one connection may not fill the line.
pub const LONG_PATH: Duration = Duration::from_millis(5);

/// Chooses the congestion control that suits the path. Which ones a program may choose is for the
/// system's administrator to say; without it everything works. Tells whether it is one that does not
/// take each lost packet for a full line.
#[cfg(target_os = "linux")]
pub fn suit_path(socket: &TcpStream, round_trip: Duration) -> bool {
    let socket = socket2::SockRef::from(socket);
    if round_trip >= LONG_PATH && socket.set_tcp_congestion(PACED).is_err() {
        tracing::debug!("the system's own congestion control stays");
    }
    is_paced(&socket)
}

/// Sends each packet at a moment of its own.
#[cfg(target_os = "linux")]
const PACED: &[u8] = b"bbr";

#[cfg(target_os = "linux")]
fn is_paced(socket: &Socket) -> bool {
    let now = socket.tcp_congestion().unwrap_or_default();
    now.split(|byte| *byte == 0).next() == Some(PACED)
}

/// Before it is known how far it goes: a timer for every packet costs as much as their encryption, and a connection
/// that has had them once keeps them, whatever it is told then (`sk_pacing_status`). Tells whether it is to be told.
#[cfg(target_os = "linux")]
fn put_off_pacing(socket: &Socket) -> bool {
    let chosen = |name: &[u8]| socket.set_tcp_congestion(name).is_ok();
    is_paced(socket) && [&b"cubic"[..], b"reno"].into_iter().any(chosen)
}

#[cfg(target_os = "linux")]
fn pace(socket: &Socket) {
    if let Err(error) = socket.set_tcp_congestion(PACED) {
        tracing::debug!(%error, "the system's own congestion control is not to be had back");
    }
}

#[cfg(not(target_os = "linux"))]
fn put_off_pacing(_socket: &Socket) -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
fn pace(_socket: &Socket) {}

#[cfg(not(target_os = "linux"))]
pub fn suit_path(_socket: &TcpStream, _round_trip: Duration) -> bool {
    false
}

/// Who forges the presence of a device can name new places without end; after so many where it was not, no
/// more are believed for a while.
pub const MOST_WRONG: usize = 32;

/// Where a device may be: addresses at which it was heard of, and what a person wrote.
pub struct Places<'a> {
    pub heard: Vec<SocketAddr>,
    pub given: &'a PeerAddress,
    /// Somebody else was there.
    pub wrong: &'a [SocketAddr],
}

/// Connects to whichever answers first; what is a name is looked up only if none of the rest does.
/// `gave_up` is asked again and again and ends it with `None`.
/// Tells `seen` what it waits for, and until when at most.
pub fn dial_any(
    places: Places,
    gave_up: impl Fn() -> bool,
    seen: &Seen<'_>,
) -> Option<Result<Dialed, Failure>> {
    let given = places.given;
    let literal = given.host.parse().ok();
    let literal = literal.map(|ip| SocketAddr::new(ip, given.port()));
    let mut addresses = places.heard;
    addresses.extend(literal.filter(|at| !addresses.contains(at)));
    addresses.retain(|at| !places.wrong.contains(at));
    let mut refused = None;
    if !addresses.is_empty() {
        match connect(&addresses, &gave_up, seen)? {
            Ok(dialed) => return Some(Ok(dialed)),
            Err(error) => refused = Some(error),
        }
    }
    if literal.is_none() && !given.is_nowhere() {
        seen(Phase::Resolving, None);
        let found = resolve(given, &gave_up)?.unwrap_or_default();
        let unresolvable = found.is_empty() && addresses.is_empty();
        let fresh = |at: &SocketAddr| !addresses.contains(at) && !places.wrong.contains(at);
        let found: Vec<_> = found.into_iter().filter(fresh).collect();
        if unresolvable {
            let host = given.host.clone();
            return Some(Err(Failure::Unresolvable { host }));
        }
        if !found.is_empty() {
            match connect(&found, &gave_up, seen)? {
                Ok(dialed) => return Some(Ok(dialed)),
                Err(error) => refused = Some(error),
            }
        }
    }
    let address = match (given.is_nowhere(), addresses.first()) {
        (true, Some(first)) => first.to_string(),
        (true, None) => String::new(),
        (false, _) => with_port(given).to_string(),
    };
    Some(Err(match refused.map(|error| error.kind()) {
        Some(io::ErrorKind::ConnectionRefused) => Failure::Refused { address },
        Some(_) | None => Failure::Unreachable { address },
    }))
}

fn with_port(address: &PeerAddress) -> PeerAddress {
    PeerAddress {
        host: address.host.clone(),
        port: Some(address.port()),
        device: None,
    }
}

/// The system's resolver cannot be interrupted, so it has a thread of its own, which ends by itself
/// when the resolver answers; nobody waits for it after giving up.
pub fn resolve(
    address: &PeerAddress,
    gave_up: &impl Fn() -> bool,
) -> Option<io::Result<Vec<SocketAddr>>> {
    let target = (address.host.clone(), address.port());
    if let Ok(ip) = target.0.parse() {
        return Some(Ok(vec![SocketAddr::new(ip, target.1)]));
    }
    let (answer, answered) = channel();
    let resolver = thread::Builder::new().name("resolve".into());
    let started = resolver.spawn(move || {
        let found = target.to_socket_addrs().map(Iterator::collect);
        // Nobody may be waiting any more.
        let _ = answer.send(found);
    });
    if let Err(error) = started {
        return Some(Err(error));
    }
    loop {
        match answered.recv_timeout(LOOK_UP_EVERY) {
            Ok(found) => return Some(found),
            Err(RecvTimeoutError::Timeout) if gave_up() => return None,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Some(Err(io::ErrorKind::NotFound.into()));
            }
        }
    }
}

fn connect(
    addresses: &[SocketAddr],
    gave_up: &impl Fn() -> bool,
    seen: &Seen<'_>,
) -> Option<io::Result<Dialed>> {
    let begun = Instant::now();
    let mut untried = addresses.iter().zip(1..);
    let mut trying: Vec<(Socket, Instant)> = Vec::new();
    let mut paces = false;
    let mut refused = None;
    let mut next_at = begun;
    loop {
        if trying.is_empty() || Instant::now() >= next_at {
            match untried.next() {
                Some((address, at)) => {
                    let (to, of) = (*address, addresses.len());
                    let connecting = Phase::Connecting { to, at, of };
                    seen(connecting, Some(begun + CONNECT_WITHIN));
                    match start(address) {
                        Ok((socket, put_off)) => {
                            paces = put_off;
                            trying.push((socket, Instant::now()));
                        }
                        Err(error) => refused = Some(error),
                    }
                }
                None if trying.is_empty() => {
                    return Some(Err(refused.unwrap_or(io::ErrorKind::NotFound.into())));
                }
                None => {}
            }
            next_at = Instant::now() + NEXT_ADDRESS_AFTER;
        }
        wait(&trying);
        let mut still = Vec::new();
        for (socket, since) in trying {
            match state(&socket) {
                Ok(true) => {
                    let round_trip = match is_here(&socket) {
                        true => Duration::ZERO,
                        false => since.elapsed(),
                    };
                    if paces && round_trip >= NEAR_PATH {
                        pace(&socket);
                    }
                    return Some(socket.set_nonblocking(false).map(|()| Dialed {
                        socket: socket.into(),
                        round_trip,
                    }));
                }
                Ok(false) => still.push((socket, since)),
                Err(error) => refused = Some(error),
            }
        }
        trying = still;
        if gave_up() {
            return None;
        }
        if begun.elapsed() >= CONNECT_WITHIN {
            return Some(Err(refused.unwrap_or(io::ErrorKind::TimedOut.into())));
        }
    }
}

/// And whether its pacing is put off.
fn start(address: &SocketAddr) -> io::Result<(Socket, bool)> {
    let socket = Socket::new(
        Domain::for_address(*address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_nonblocking(true)?;
    let put_off = put_off_pacing(&socket);
    match socket.connect(&SockAddr::from(*address)) {
        Ok(()) => Ok((socket, put_off)),
        Err(error) if in_progress(&error) => Ok((socket, put_off)),
        Err(error) => Err(error),
    }
}

fn in_progress(error: &io::Error) -> bool {
    #[cfg(unix)]
    if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) {
        return true;
    }
    error.kind() == io::ErrorKind::WouldBlock
}

/// Connected, not yet, or failed.
fn state(socket: &Socket) -> io::Result<bool> {
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    Ok(socket.peer_addr().is_ok())
}

/// Whether both ends are this computer: what was waited for then is a processor, not a path.
fn is_here(socket: &Socket) -> bool {
    let ip = |end: io::Result<SockAddr>| Some(end.ok()?.as_socket()?.ip());
    let ends = (ip(socket.local_addr()), ip(socket.peer_addr()));
    matches!(ends, (Some(ours), Some(theirs)) if ours == theirs || theirs.is_loopback())
}

/// Sleeps until one of the sockets has news, at most [`LOOK_UP_EVERY`].
#[cfg(unix)]
fn wait(sockets: &[(Socket, Instant)]) {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut watched: Vec<_> = sockets
        .iter()
        .map(|(socket, _)| PollFd::new(socket, PollFlags::OUT))
        .collect();
    let timeout = Timespec {
        tv_sec: 0,
        tv_nsec: LOOK_UP_EVERY.subsec_nanos().into(),
    };
    // Whatever it says, the sockets themselves are asked next.
    let _ = poll(&mut watched, Some(&timeout));
}

/// Without poll(2): looks again soon.
#[cfg(not(unix))]
fn wait(_sockets: &[(Socket, Instant)]) {
    thread::sleep(Duration::from_millis(5));
}
