//! What reaches the supervisor: commands from the front end, notes from the connection threads.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Sender, SyncSender};

use super::calls::Nonce;
use super::command::Command;
use super::event::{Looked, Measured};
use super::listener::Place;
use super::receiving::Receiving;
use super::surveying::Surveyed;
use super::talking::TalkNote;
use super::waiting::{Differs, Waiting};
use super::wire::Trace;
use crate::discovery::Heard;
use crate::model::{
    DeviceId, Diagnosis, Failure, FileReport, Finding, Peer, Problem, Status, Symbols, TransferId,
    TransferState,
};
use crate::protocol::verification::SessionKey;

/// Number of a connection within one engine, never used twice.
pub type ConnectionId = u64;

/// The one enum the supervisor matches.
pub enum Input {
    Command(Command),
    Quit,
    /// A defect of the supervisor, planted.
    #[cfg(test)]
    Defect,
    Accepted(TcpStream, SocketAddr, Place),
    /// Nobody can be accepted just now; most likely there is no descriptor left.
    NotAccepted,
    ListenerEnded(io::Error),
    Note(ConnectionId, Note),
    Measured(Measured),
    Room {
        folder: PathBuf,
        free_bytes: Option<u64>,
    },
    /// What waits since earlier runs.
    Waiting(Vec<Waiting>),
    Looked(Looked),
    /// Who is on the local network now.
    Heard(Heard),
    /// A run of the doctor, by its number.
    Diagnosis(u64, Diagnosis),
    FirewallChecked(u64, Vec<Finding>),
    /// Whether the system keeps the computer awake for us now.
    KeptAwake(bool),
    ListSaved {
        path: PathBuf,
        problem: Option<Problem>,
    },
    Stashed(TransferId, Result<PathBuf, Problem>),
    CommandFailed {
        path: PathBuf,
        problem: Problem,
    },
}

/// News from the threads of one connection.
pub enum Note {
    /// Server: the one-time code was used up or tried; client: never.
    CodeTried,
    WrongSecret {
        from: IpAddr,
        tries_left: u32,
    },
    /// So many tries from there were wrong that none is looked at for a while.
    MustWait(IpAddr),
    /// Both ends have proven themselves, or show the same symbols; said again when people have
    /// compared those.
    Verified(Peer),
    /// Server: it carries content of a transfer that runs in another connection.
    Attached(Peer),
    /// Sending: the person here is to compare these.
    Symbols(Symbols),
    /// The person at the other end wishes to be remembered, and nobody here has said so.
    Wish(Peer),
    /// Both remember each other.
    Paired(Peer),
    /// What is known of devices has changed.
    KnownChanged,
    /// Sending: the device cannot be reached, and is asked to connect. The last one hears when
    /// that is said; it is dropped if it never will be.
    Calls(DeviceId, Nonce, Sender<()>),
    /// Server: the device that asked to be called has been, and is the right one.
    CallAnswered(Nonce),
    /// It is not asked any more.
    CallOver(Nonce),
    /// A typed address was reached.
    RecentChanged,
    State(TransferState),
    /// Sending: it is about to be offered, and may be accepted without our hearing of it. The sender
    /// of the note waits until that is on the disk.
    Offers(DeviceId, SessionKey, SyncSender<()>),
    /// Sending: its device is not there, and it waits. The sender of the note waits until that is on the disk.
    Waits(Box<Waiting>, SyncSender<()>),
    /// Sending: who waits goes on when all that was said before is on the disk.
    Written(SyncSender<()>),
    /// Sending: what is not as it was when it was picked.
    PicksDiffer(Differs),
    /// Sending: accepted, so from now on it can go on with this key.
    CanGoOn(DeviceId, SessionKey),
    Offered(TransferId, Arc<Receiving>),
    /// The open offer holds so much by now.
    Counted(Counted),
    /// What the open offer would meet in its folder.
    Surveyed(Surveyed),
    /// The open offer is gone; or, if it was accepted at that very moment, the transfer has ended.
    Withdrawn(Status, Option<Failure>),
    /// Receiving: the folder is there, and the transfer has its place in it.
    Placed,
    Files(Vec<FileReport>),
    Quiet(u64),
    /// The transfer has ended.
    Ended(Status, Option<Failure>),
    /// All of it is flushed. Delivered: the sender knows.
    Safe {
        delivered: bool,
    },
    /// What arrived could not be flushed.
    NotSafe(Problem),
    /// Of a conversation.
    Talk(TalkNote),
    /// The connection's last word: its thread ends.
    Closed,
}

#[derive(Clone, Default)]
pub struct Counted {
    /// Of the first picked items, escaped for display.
    pub names: Vec<String>,
    pub picked: u64,
    pub entries: u64,
    pub bytes: u64,
    pub counting: bool,
    /// What was picked ([`crate::model::Manifest::picks`]), once everything is listed.
    pub picks: Option<[u8; 32]>,
    pub free_bytes: Option<u64>,
}

impl Counted {
    /// Nothing is listed yet, and there is more to come.
    pub fn is_empty(&self) -> bool {
        self.entries == 0 && self.counting
    }
}

/// A connection's way to the supervisor, and to who watches the wire.
#[derive(Clone)]
pub struct Notes {
    pub connection: ConnectionId,
    pub inputs: Sender<Input>,
    /// What can be seen of it.
    pub trace: Trace,
}

impl Notes {
    /// After the supervisor has ended nobody listens; then there is nothing left to say.
    pub fn send(&self, note: Note) {
        let _ = self.inputs.send(Input::Note(self.connection, note));
    }
}
