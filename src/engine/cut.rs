//! The way to end a connection from its first moment on, whatever thread is blocked in it.

use std::net::{Shutdown, TcpStream};
use std::sync::Mutex;
use std::time::Instant;

use super::lock;

/// Holds a connection's socket besides the threads that use it. One that was cut before there was a
/// socket cuts the socket it then gets.
#[derive(Default)]
pub struct Cut(Mutex<Held>);

#[derive(Default)]
struct Held {
    state: State,
    stage: Stage,
    challenged: Option<Instant>,
}

#[derive(Default)]
enum State {
    #[default]
    Unconnected,
    Connected(TcpStream),
    Cut,
}

/// How far a client has come in being verified.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Stage {
    #[default]
    Stranger,
    /// It has said by which way it enters, and perhaps paid for it; its proof is on its way.
    Challenged,
    /// Its proof has come, and is being looked at.
    Answered,
    /// It knows the secret: it is not turned away for others any more.
    Proven,
}

/// Whether something lies in the socket that its thread has had no time to read.
#[cfg(unix)]
fn has_unread(socket: &TcpStream) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let mut watched = [PollFd::new(socket, PollFlags::IN)];
    poll(&mut watched, Some(&now)).is_ok_and(|ready| ready > 0)
}

/// Without poll(2) it is not known.
#[cfg(not(unix))]
fn has_unread(_socket: &TcpStream) -> bool {
    false
}

impl Cut {
    /// An error if the system has no descriptor left: such a connection could not be ended.
    pub fn connected(&self, socket: &TcpStream) -> std::io::Result<()> {
        let mut held = lock(&self.0);
        match held.state {
            State::Cut => socket.shutdown(Shutdown::Both),
            State::Unconnected | State::Connected(_) => {
                held.state = State::Connected(socket.try_clone()?);
                Ok(())
            }
        }
    }

    /// Says how far the client has come. `false`: it was cut before that, and is not to go on.
    pub fn reached(&self, stage: Stage) -> bool {
        let mut held = lock(&self.0);
        held.stage = held.stage.max(stage);
        if held.stage == Stage::Challenged {
            held.challenged.get_or_insert_with(Instant::now);
        }
        !matches!(held.state, State::Cut)
    }

    /// Nobody wants it any more.
    pub fn is_cut(&self) -> bool {
        matches!(lock(&self.0).state, State::Cut)
    }

    pub fn stage(&self) -> Stage {
        lock(&self.0).stage
    }

    /// When it got its challenge, if it has not answered that.
    pub fn owes_answer_since(&self) -> Option<Instant> {
        let held = lock(&self.0);
        let since = held.challenged?;
        let read = held.stage >= Stage::Answered;
        let comes = || matches!(&held.state, State::Connected(socket) if has_unread(socket));
        (!read && !comes()).then_some(since)
    }

    /// Ends it, unless the client has come further than this in the meantime. The client is not told yet: it
    /// is when the socket that this gives is dropped.
    pub fn turn_away(&self, stage: Stage) -> Option<TcpStream> {
        let mut held = lock(&self.0);
        if held.stage > stage {
            return None;
        }
        match std::mem::replace(&mut held.state, State::Cut) {
            State::Connected(socket) => {
                // On other systems this alone does not end a read that is blocked.
                let how = if cfg!(unix) {
                    Shutdown::Read
                } else {
                    Shutdown::Both
                };
                // It may be closed already; that is what was wanted.
                let _ = socket.shutdown(how);
                Some(socket)
            }
            State::Unconnected | State::Cut => None,
        }
    }

    /// As if the network had ended it: who wants can connect anew.
    pub fn lose(&self) {
        if let State::Connected(socket) = &lock(&self.0).state {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// Reads and writes blocked in the connection come back at once.
    pub fn cut(&self) {
        let state = std::mem::replace(&mut lock(&self.0).state, State::Cut);
        if let State::Connected(socket) = state {
            // It may be closed already; that is what was wanted.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}
