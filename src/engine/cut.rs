//! The way to end a connection from its first moment on, whatever thread is blocked in it.

use std::net::{Shutdown, TcpStream};
use std::sync::Mutex;

use super::lock;

/// Holds a connection's socket besides the threads that use it. One that was cut before there was a
/// socket cuts the socket it then gets.
#[derive(Default)]
pub struct Cut(Mutex<State>);

#[derive(Default)]
enum State {
    #[default]
    Unconnected,
    Connected(TcpStream),
    Cut,
}

impl Cut {
    /// An error if the system has no descriptor left: such a connection could not be ended.
    pub fn connected(&self, socket: &TcpStream) -> std::io::Result<()> {
        let mut state = lock(&self.0);
        match *state {
            State::Cut => socket.shutdown(Shutdown::Both),
            State::Unconnected | State::Connected(_) => {
                *state = State::Connected(socket.try_clone()?);
                Ok(())
            }
        }
    }

    /// As if the network had ended it: who wants can connect anew.
    pub fn lose(&self) {
        if let State::Connected(socket) = &*lock(&self.0) {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// Reads and writes blocked in the connection come back at once.
    pub fn cut(&self) {
        if let State::Connected(socket) = std::mem::replace(&mut *lock(&self.0), State::Cut) {
            // It may be closed already; that is what was wanted.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}
