//! The sockets: ears at the known port, one a family, and voices at any port, one a family.
//!
//! Several programs of one computer share the ears' port, and each of them hears what comes to a group
//! or to all. What is said goes out from a voice, so that an answer comes back to whoever asked.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockAddr, SockRef, Socket, Type};

use super::networks::{Network, V4};
use super::report::Family;

/// UDP; the same number as the server's own TCP port, so that one sentence tells what a firewall has
/// to let in.
pub const PORT: u16 = 9000;
/// Administratively scoped (RFC 2365): it stays within a site.
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(239, 255, 82, 87);
/// Transient (not assigned by IANA), link-local (RFC 4291, §2.7).
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff12, 0, 0, 0, 0, 0, 0, 0x5257);
/// Where a wait cannot be ended from outside, it looks up this often.
const LOOK_UP_EVERY: Duration = Duration::from_secs(2);

/// A socket of one family; both kinds are read from.
pub struct Line {
    pub family: Family,
    pub socket: UdpSocket,
    over: AtomicBool,
    /// Ends a wait for the socket: its other end is shut down.
    #[cfg(unix)]
    bell: (UnixStream, UnixStream),
}

impl Line {
    /// At the known port.
    pub fn ear(family: Family) -> io::Result<Self> {
        let socket = open(family)?;
        socket.set_reuse_address(true)?;
        #[cfg(all(unix, not(target_os = "linux")))]
        socket.set_reuse_port(true)?;
        Self::bound(socket, family, PORT)
    }

    /// At any port.
    pub fn voice(family: Family) -> io::Result<Self> {
        let socket = open(family)?;
        match family {
            Family::V4 => {
                socket.set_broadcast(true)?;
                socket.set_multicast_ttl_v4(1)?;
                socket.set_multicast_loop_v4(true)?;
            }
            Family::V6 => {
                socket.set_multicast_hops_v6(1)?;
                socket.set_multicast_loop_v6(true)?;
            }
        }
        Self::bound(socket, family, 0)
    }

    fn bound(socket: Socket, family: Family, port: u16) -> io::Result<Self> {
        let everywhere: IpAddr = match family {
            Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
            Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
        };
        socket.bind(&SockAddr::from(SocketAddr::new(everywhere, port)))?;
        socket.set_read_timeout(Some(LOOK_UP_EVERY))?;
        let socket = socket.into();
        Ok(Self {
            family,
            socket,
            over: AtomicBool::new(false),
            #[cfg(unix)]
            bell: UnixStream::pair()?,
        })
    }

    /// Hears the group there. `None`: the network has no address of this family.
    pub fn join(&self, network: &Network) -> Option<io::Result<()>> {
        let socket = SockRef::from(&self.socket);
        let joined = match (self.family, network.index) {
            (Family::V4, index) => {
                let first = network.v4.first()?.ip;
                let interface = match index {
                    Some(index) if cfg!(target_os = "linux") => {
                        InterfaceIndexOrAddress::Index(index)
                    }
                    Some(_) | None => InterfaceIndexOrAddress::Address(first),
                };
                socket.join_multicast_v4_n(&GROUP_V4, &interface)
            }
            (Family::V6, Some(index)) => {
                network.link_local()?;
                socket.join_multicast_v6(&GROUP_V6, index)
            }
            (Family::V6, None) => return None,
        };
        Some(match joined {
            // From before.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(()),
            joined => joined,
        })
    }

    /// To the group and to all, from one address of one network.
    pub fn say_v4(&self, bytes: &[u8], from: V4) -> io::Result<()> {
        let to_all = from
            .broadcast
            .map(|to| self.socket.send_to(bytes, (to, PORT)));
        let socket = SockRef::from(&self.socket);
        let to_group = socket
            .set_multicast_if_v4(&from.ip)
            .and_then(|()| self.socket.send_to(bytes, (GROUP_V4, PORT)));
        // One of them is enough.
        match (to_group, to_all) {
            (Ok(_), _) | (_, Some(Ok(_))) => Ok(()),
            (Err(error), _) => Err(error),
        }
    }

    /// To the group, out of one network.
    pub fn say_v6(&self, bytes: &[u8], index: u32) -> io::Result<()> {
        SockRef::from(&self.socket).set_multicast_if_v6(index)?;
        let group = SocketAddrV6::new(GROUP_V6, PORT, 0, index);
        self.socket.send_to(bytes, group).map(|_sent| ())
    }

    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Waits until something may have come, or it is over.
    pub fn wait(&self) {
        #[cfg(unix)]
        {
            use rustix::event::{PollFd, PollFlags, poll};
            let mut watched = [
                PollFd::new(&self.socket, PollFlags::IN),
                PollFd::new(&self.bell.0, PollFlags::IN),
            ];
            // Whatever it says, the socket itself is asked next.
            let _ = poll(&mut watched, None);
        }
    }

    pub fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
        #[cfg(unix)]
        let _ = self.bell.1.shutdown(std::net::Shutdown::Both);
    }
}

fn open(family: Family) -> io::Result<Socket> {
    let domain = match family {
        Family::V4 => Domain::IPV4,
        Family::V6 => Domain::IPV6,
    };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if family == Family::V6 {
        socket.set_only_v6(true)?;
    }
    // Otherwise a socket hears the groups that any other one of the computer has joined.
    #[cfg(target_os = "linux")]
    match family {
        Family::V4 => socket.set_multicast_all_v4(false)?,
        Family::V6 => socket.set_multicast_all_v6(false)?,
    }
    Ok(socket)
}

/// Nothing went wrong: nobody spoke for a while, or an earlier datagram of ours met a closed port.
pub fn is_harmless(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock
            | io::ErrorKind::TimedOut
            | io::ErrorKind::Interrupted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}
