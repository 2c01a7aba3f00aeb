//! Threads and sockets: the only place where protocol, channel and storage meet.
//!
//! A front end starts an [`Engine`], sends it [`Command`]s and reads [`Event`]s; it never sees a
//! socket, a file or a frame. The engine knows nothing of windows: after each event it calls the
//! `wake` callback it was given. Dropping it ends and joins every thread.

mod command;
mod event;

pub use command::{AcceptPolicy, Answer, Bind, Command, ListenOptions, SendRequest, StopMode};
pub use event::{
    Client, Doing, Event, ListenError, Listening, Measured, Offer, StartError, Started,
};

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender};

use crate::model::{DeviceName, TransferId};

/// What an engine needs to start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where identity and other records are kept; made if missing.
    pub data_dir: PathBuf,
    pub name: DeviceName,
}

pub struct Engine {
    commands: Sender<Command>,
}

impl Engine {
    pub fn start(
        _config: Config,
        _wake: impl Fn() + Send + Sync + 'static,
    ) -> Result<(Self, Receiver<Event>), StartError> {
        let (commands, _inputs) = std::sync::mpsc::channel();
        let (_events_tx, events) = std::sync::mpsc::channel();
        Ok((Self { commands }, events))
    }

    /// Never blocks. After the engine has ended it does nothing.
    pub fn command(&self, command: Command) {
        let _ = self.commands.send(command);
    }
}

/// A fresh random id for [`SendRequest`].
pub fn new_transfer_id() -> TransferId {
    TransferId([0; 16])
}
