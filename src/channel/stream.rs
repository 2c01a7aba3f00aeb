//! Both directions at once from blocking threads.
//!
//! One lock guards rustls's state and is never held across a socket call. Only the write half
//! drains `write_tls` and writes the socket. The read half reads the socket unlocked, then under
//! the lock feeds and processes until its input is used up; if TLS itself wants to say something
//! then (an answer to a key update), it wakes whoever owns the write half.

use std::io::{self, BufRead as _, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls::Connection;
use zeroize::Zeroizing;

use super::identity::Identity;
use super::tls::{ChannelError, Handshaken, Role, handshake};
use super::transport::Transport;
use crate::model::DeviceId;

/// One read of the socket: several TLS records, so that lock and system call are shared.
const READ_BYTES: usize = 128 << 10;
/// Plaintext encrypted under one hold of the lock; the reader waits no longer than that takes. Few
/// enough records that the allocator keeps their memory, instead of giving it back and fetching it
/// again for each frame.
const SEAL_BYTES: usize = 64 << 10;

/// Bytes the peer may send, handshake included, before the channel is established.
const STRANGER_BYTES: usize = 16 << 10;

type Wake = Arc<dyn Fn() + Send + Sync>;

/// A connection after the TLS handshake, still on one thread.
pub struct Channel {
    pub reader: ReadHalf,
    pub writer: WriteHalf,
    /// Proven by the handshake.
    pub peer: DeviceId,
    /// The same at both ends of one TLS connection and nowhere else.
    pub exporter: [u8; 32],
    /// Likewise: what the session key of a transfer offered in it is made of.
    pub session_secret: Zeroizing<[u8; 32]>,
}

impl Channel {
    /// The client's handshake. Everything up to [`Self::established`] is done by the deadline, and
    /// with no more than 16 KiB from the peer.
    pub fn connect(
        socket: TcpStream,
        identity: &Identity,
        deadline: Instant,
    ) -> Result<Self, ChannelError> {
        Self::open(socket, identity, deadline, Role::Client)
    }

    /// The server's handshake, likewise.
    pub fn accept(
        socket: TcpStream,
        identity: &Identity,
        deadline: Instant,
    ) -> Result<Self, ChannelError> {
        Self::open(socket, identity, deadline, Role::Server)
    }

    fn open(
        socket: TcpStream,
        identity: &Identity,
        deadline: Instant,
        role: Role,
    ) -> Result<Self, ChannelError> {
        let mut transport = Transport::new(socket)?;
        transport.set_deadline(deadline);
        transport.set_budget(STRANGER_BYTES);
        let Handshaken {
            tls,
            peer,
            exporter,
            session_secret,
        } = handshake(&mut transport, identity, role)?;
        let tls = Arc::new(Mutex::new(tls));
        let writing = transport.try_clone()?;
        Ok(Self {
            reader: ReadHalf {
                tls: tls.clone(),
                socket: transport,
                raw: vec![0; READ_BYTES],
                unread: Vec::new(),
                wake: None,
            },
            writer: WriteHalf {
                tls,
                socket: writing,
                sealed: Vec::new(),
            },
            peer,
            exporter,
            session_secret,
        })
    }

    /// Ends the time limit: from now on reads come back idle after each `tick`, and `wake` is
    /// called whenever the write half has to [`WriteHalf::flush`].
    pub fn established(
        &mut self,
        tick: Duration,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Result<(), ChannelError> {
        self.reader.wake = Some(Arc::new(wake));
        self.writer.socket.set_tick(tick)?;
        Ok(self.reader.socket.set_tick(tick)?)
    }

    pub fn shutdown_handle(&self) -> Result<Shutdown, ChannelError> {
        Ok(Shutdown(Arc::new(self.writer.socket.try_clone()?)))
    }
}

/// What a read brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Received {
    /// So many bytes of plaintext; 0 if what came was no whole record, or TLS's own.
    Bytes(usize),
    /// A tick passed without a byte.
    Idle,
    /// The peer said goodbye.
    Closed,
}

pub struct ReadHalf {
    tls: Arc<Mutex<Connection>>,
    socket: Transport,
    raw: Vec<u8>,
    /// Comes once more.
    unread: Vec<u8>,
    wake: Option<Wake>,
}

impl ReadHalf {
    /// Hands what came to `take`, in pieces, which it should do no more than copy: the write half
    /// waits meanwhile.
    ///
    /// A connection that ends without TLS's own goodbye is an error: bytes may be missing.
    pub fn read(&mut self, mut take: impl FnMut(&[u8])) -> Result<Received, ChannelError> {
        if !self.unread.is_empty() {
            let unread = std::mem::take(&mut self.unread);
            take(&unread);
            return Ok(Received::Bytes(unread.len()));
        }
        // What was decrypted along with the end of the handshake comes first.
        let taken = hand_out(&mut lock(&self.tls), &mut take)?;
        if taken != Received::Idle {
            return Ok(taken);
        }
        let count = match self.socket.read(&mut self.raw) {
            Ok(0) => return Err(ChannelError::Io(io::ErrorKind::UnexpectedEof.into())),
            Ok(count) => count,
            Err(error) if idle(&error) && self.wake.is_some() => return Ok(Received::Idle),
            Err(error) => return Err(error.into()),
        };
        let mut input = &self.raw[..count];
        let mut tls = lock(&self.tls);
        let mut bytes = 0;
        while !input.is_empty() {
            // After the peer's goodbye nothing is taken any more; what follows it is ignored.
            if tls.read_tls(&mut input)? == 0 {
                break;
            }
            tls.process_new_packets()?;
            if let Received::Bytes(count) = hand_out(&mut tls, &mut take)? {
                bytes += count;
            }
        }
        let says = tls.wants_write();
        drop(tls);
        if says && let Some(wake) = &self.wake {
            wake();
        }
        // Perhaps none: part of a record is life, too, and the caller has a clock to look at,
        // however slowly the pieces come.
        Ok(Received::Bytes(bytes))
    }
}

impl ReadHalf {
    /// What was read comes once more with the next read: somebody only wanted to look at it.
    pub fn unread(&mut self, bytes: Vec<u8>) {
        self.unread = bytes;
    }
}

/// Hands out what is decrypted, record by record, from where it was decrypted to.
fn hand_out(tls: &mut Connection, take: &mut impl FnMut(&[u8])) -> Result<Received, ChannelError> {
    let mut reader = tls.reader();
    let mut bytes = 0;
    loop {
        let count = match reader.fill_buf() {
            Ok([]) if bytes == 0 => return Ok(Received::Closed),
            Ok([]) => return Ok(Received::Bytes(bytes)),
            Ok(piece) => {
                take(piece);
                piece.len()
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Ok(match bytes {
                    0 => Received::Idle,
                    bytes => Received::Bytes(bytes),
                });
            }
            Err(error) => return Err(error.into()),
        };
        reader.consume(count);
        bytes += count;
    }
}

pub struct WriteHalf {
    tls: Arc<Mutex<Connection>>,
    socket: Transport,
    sealed: Vec<u8>,
}

impl WriteHalf {
    /// Encrypts and writes all of it by one call, and whatever TLS itself had to say.
    pub fn write(&mut self, plaintext: &[u8]) -> Result<(), ChannelError> {
        let tls = self.tls.clone();
        // At once, not by doubling: a record's header and tag are less than a hundredth of it.
        self.sealed
            .reserve(plaintext.len() + plaintext.len() / 100 + 64);
        for piece in plaintext.chunks(SEAL_BYTES) {
            let mut tls = lock(&tls);
            tls.writer().write_all(piece)?;
            self.collect(&mut tls)?;
        }
        self.write_out()
    }

    /// Writes what TLS itself has to say, if anything.
    pub fn flush(&mut self) -> Result<(), ChannelError> {
        let tls = self.tls.clone();
        self.collect(&mut lock(&tls))?;
        self.write_out()
    }

    /// Changes the keys of this direction and asks the peer to do the same with its own.
    pub fn refresh_keys(&mut self) -> Result<(), ChannelError> {
        let tls = self.tls.clone();
        let mut tls = lock(&tls);
        tls.refresh_traffic_keys()?;
        self.collect(&mut tls)?;
        drop(tls);
        self.write_out()
    }

    /// Takes the sealed records out, under the lock.
    fn collect(&mut self, tls: &mut Connection) -> Result<(), ChannelError> {
        while tls.wants_write() {
            tls.write_tls(&mut self.sealed)?;
        }
        Ok(())
    }

    /// Writes them, without the lock.
    fn write_out(&mut self) -> Result<(), ChannelError> {
        let written = self.socket.write_all(&self.sealed);
        self.sealed.clear();
        Ok(written?)
    }

    /// A goodbye with bytes behind it in one write, as only a hostile peer sends.
    #[cfg(test)]
    pub fn say_goodbye_and(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut sealed = Vec::new();
        let mut tls = lock(&self.tls);
        tls.send_close_notify();
        while tls.wants_write() {
            tls.write_tls(&mut sealed)?;
        }
        drop(tls);
        sealed.extend_from_slice(bytes);
        self.socket.write_all(&sealed)
    }

    /// Says goodbye: the peer knows that nothing is missing. Reading goes on.
    pub fn close(&mut self) -> Result<(), ChannelError> {
        let tls = self.tls.clone();
        let mut tls = lock(&tls);
        tls.send_close_notify();
        self.collect(&mut tls)?;
        drop(tls);
        self.write_out()?;
        self.socket.finish_writing();
        Ok(())
    }
}

/// Ends a connection from any thread: reads and writes blocked in it come back at once.
#[derive(Clone, Debug)]
pub struct Shutdown(Arc<Transport>);

impl Shutdown {
    pub fn shutdown(&self) {
        self.0.shutdown();
    }
}

fn lock(tls: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    // A panic under the lock is our own defect in this one connection; TLS fails closed after it.
    tls.lock().unwrap_or_else(PoisonError::into_inner)
}

fn idle(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}
