//! The listening socket and the thread that accepts.
//!
//! It accepts and hands over, nothing else; who is too many is the supervisor's decision.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::command::Bind;
use super::event::ListenError;
use super::limits::{ACCEPTED, BACKLOG, REST_AFTER_ERROR};
use super::lock;
use super::note::Input;

/// How many ports after the preferred one are tried.
const PORTS_TRIED: u16 = 100;
/// The knock that ends the accepting thread reaches it at once or never.
const KNOCK_WITHIN: Duration = Duration::from_millis(200);

pub struct Listener {
    pub addr: SocketAddr,
    /// The preferred port was taken.
    pub port_moved: bool,
    stop: Arc<AtomicBool>,
    places: Arc<Places>,
    socket: TcpListener,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Binds and starts to accept.
    pub fn start(bind: Bind, inputs: Sender<Input>) -> Result<Self, ListenError> {
        let (socket, port_moved) = bound(bind)?;
        let other = |error: io::Error| ListenError::Other {
            detail: error.to_string(),
        };
        let addr = socket.local_addr().map_err(other)?;
        let accepting = socket.try_clone().map_err(other)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let places = Arc::new(Places::default());
        let queue = places.clone();
        let thread = thread::Builder::new()
            .name("listen".into())
            .spawn(move || accept(&accepting, &stopped, &queue, &inputs))
            .map_err(other)?;
        Ok(Self {
            addr,
            port_moved,
            stop,
            places,
            socket,
            thread: Some(thread),
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // It may wait for us, who are here.
        self.places.wake();
        // Where the system allows it, this ends the accept at once; elsewhere a knock does.
        let _ = socket2::SockRef::from(&self.socket).shutdown(std::net::Shutdown::Both);
        let knock = SocketAddr::new(reachable(self.addr.ip()), self.addr.port());
        let _ = TcpStream::connect_timeout(&knock, KNOCK_WITHIN);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn reachable(bound: IpAddr) -> IpAddr {
    match bound {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

/// Of accepted sockets on their way to the supervisor.
#[derive(Default)]
struct Places {
    taken: Mutex<usize>,
    freed: Condvar,
}

/// Held until an accepted socket has been looked at.
pub struct Place(Arc<Places>);

impl Places {
    /// Waits until there is one; none once it is to stop.
    fn take(self: &Arc<Self>, stop: &AtomicBool) -> Option<Place> {
        let mut taken = lock(&self.taken);
        while *taken >= ACCEPTED && !stop.load(Ordering::SeqCst) {
            taken = self
                .freed
                .wait(taken)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if stop.load(Ordering::SeqCst) {
            return None;
        }
        *taken += 1;
        Some(Place(self.clone()))
    }

    fn wake(&self) {
        // Under the lock, or it could come between the look at `stop` and the wait.
        let _taken = lock(&self.taken);
        self.freed.notify_all();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.0.taken);
        *taken = taken.saturating_sub(1);
        self.0.freed.notify_one();
    }
}

fn accept(listener: &TcpListener, stop: &AtomicBool, places: &Arc<Places>, inputs: &Sender<Input>) {
    while let Some(place) = places.take(stop) {
        let accepted = listener.accept();
        if stop.load(Ordering::SeqCst) {
            return;
        }
        match accepted {
            Ok((socket, addr)) => {
                if inputs.send(Input::Accepted(socket, addr, place)).is_err() {
                    return;
                }
            }
            // The client was gone before we came to it.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                let _ = inputs.send(Input::ListenerEnded(error));
                return;
            }
            Err(error) => {
                tracing::warn!(%error, "accept failed; resting");
                let _ = inputs.send(Input::NotAccepted);
                thread::sleep(REST_AFTER_ERROR);
            }
        }
    }
}

/// The socket, and whether its port is another one than preferred.
fn bound(bind: Bind) -> Result<(TcpListener, bool), ListenError> {
    match bind {
        Bind::Exact(addr) => match listen(addr) {
            Ok(socket) => Ok((socket, false)),
            Err(error) => Err(refused(&error, addr)),
        },
        Bind::Preferred(port) => {
            let ports = (port..=port.saturating_add(PORTS_TRIED)).chain([0]);
            let mut last = None;
            for candidate in ports {
                match listen_everywhere(candidate) {
                    Ok(socket) => return Ok((socket, candidate != port)),
                    Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = Some(error),
                    Err(error) => {
                        let addr = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), candidate);
                        return Err(refused(&error, addr));
                    }
                }
            }
            let addr = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port);
            Err(refused(
                &last.unwrap_or(io::ErrorKind::AddrInUse.into()),
                addr,
            ))
        }
    }
}

/// IPv6 and IPv4 in one socket, or IPv4 alone where there is no IPv6.
fn listen_everywhere(port: u16) -> io::Result<TcpListener> {
    let dual = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port);
    match listen(dual) {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            listen(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port))
        }
        result => result,
    }
}

fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if let SocketAddr::V6(v6) = addr {
        socket.set_only_v6(!v6.ip().is_unspecified())?;
    }
    // A port that was ours a moment ago may be taken again at once. (On Windows the option means
    // something else: taking a port away from another program.)
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&SockAddr::from(addr))?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn refused(error: &io::Error, addr: SocketAddr) -> ListenError {
    let port = addr.port();
    match error.kind() {
        io::ErrorKind::AddrInUse => ListenError::PortTaken { port },
        io::ErrorKind::PermissionDenied => ListenError::PortForbidden { port },
        io::ErrorKind::AddrNotAvailable => ListenError::AddressNotHere { addr },
        _ => ListenError::Other {
            detail: error.to_string(),
        },
    }
}

/// Addresses at which others may reach a server bound like this, the likeliest first.
pub fn addresses(bound: SocketAddr) -> Vec<IpAddr> {
    if !bound.ip().is_unspecified() {
        return vec![bound.ip()];
    }
    let mut found: Vec<IpAddr> = if_addrs::get_if_addrs()
        .unwrap_or_default()
        .into_iter()
        .filter(|interface| !interface.is_loopback())
        .map(|interface| interface.ip())
        .filter(|ip| bound.is_ipv6() || ip.is_ipv4())
        .filter(|ip| !matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local()))
        .collect();
    // IPv4 is what people read out; among those, the private ranges of home and office networks.
    found.sort_by_key(|ip| match ip {
        IpAddr::V4(v4) if v4.is_private() => 0,
        IpAddr::V4(v4) if v4.is_link_local() => 3,
        IpAddr::V4(_) => 1,
        IpAddr::V6(_) => 2,
    });
    found.dedup();
    if found.is_empty() {
        found.push(reachable(bound.ip()));
    }
    found
}
