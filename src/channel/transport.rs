//! What carries the bytes: a TCP connection, with a deadline that covers many reads and writes.
//!
//! The only place of the channel that knows TCP; another transport would be another one of these.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// A write that makes no progress for so long has lost its peer.
const WRITE_STALL: Duration = Duration::from_secs(30);

/// Bytes the kernel may hold that TCP has not sent yet: two chunks, so that a message written now
/// does not wait behind megabytes.
#[cfg(any(target_os = "linux", target_os = "android"))]
const NOT_SENT_BYTES: u32 = 512 << 10;

#[derive(Debug)]
pub(super) struct Transport {
    socket: TcpStream,
    deadline: Option<Instant>,
    /// What may still be read.
    budget: Option<usize>,
}

impl Transport {
    pub fn new(socket: TcpStream) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        // Only a matter of latency; a system without it still works.
        let _ = socket2::SockRef::from(&socket).set_tcp_notsent_lowat(NOT_SENT_BYTES);
        Ok(Self {
            socket,
            deadline: None,
            budget: None,
        })
    }

    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            socket: self.socket.try_clone()?,
            deadline: self.deadline,
            budget: None,
        })
    }

    /// All reads and writes from now on have to be done by then, however many there are.
    pub fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = Some(deadline);
    }

    /// From now on no more than so many bytes are read, or reading fails with `QuotaExceeded`.
    pub fn set_budget(&mut self, bytes: usize) {
        self.budget = Some(bytes);
    }

    /// From now on a read comes back with `WouldBlock` or `TimedOut` after `tick` without a byte.
    pub fn set_tick(&mut self, tick: Duration) -> io::Result<()> {
        self.deadline = None;
        self.budget = None;
        self.socket.set_read_timeout(Some(tick))?;
        self.socket.set_write_timeout(Some(WRITE_STALL))
    }

    /// Ends both directions, also under a read or write that another thread is blocked in.
    pub fn shutdown(&self) {
        // It may be closed already; that is what was wanted.
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// Says that nothing more will be written; the peer can still be read.
    pub fn finish_writing(&self) {
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    fn remaining(&self) -> io::Result<Option<Duration>> {
        match self.deadline {
            None => Ok(None),
            Some(deadline) => match deadline.checked_duration_since(Instant::now()) {
                Some(left) if !left.is_zero() => Ok(Some(left)),
                Some(_) | None => Err(io::ErrorKind::TimedOut.into()),
            },
        }
    }
}

impl Read for Transport {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(left) = self.remaining()? {
            self.socket.set_read_timeout(Some(left))?;
        }
        loop {
            match self.socket.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(count) => {
                    if let Some(left) = &mut self.budget {
                        *left = left
                            .checked_sub(count)
                            .ok_or(io::ErrorKind::QuotaExceeded)?;
                    }
                    return Ok(count);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Write for Transport {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(left) = self.remaining()? {
            self.socket.set_write_timeout(Some(left))?;
        }
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}
