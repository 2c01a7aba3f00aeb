//! Where a connection stands and what it waits for.

use std::net::SocketAddr;

use crate::model::{Failure, Holds};

/// Each says what the connection is waiting for at that moment, in the order of a connection's life.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Its thread is about to say what it waits for.
    Starting,
    /// Somebody may connect; ends when the server is switched off.
    Listening,
    /// The system looks the name up.
    Resolving,
    /// For an answer from that address, the `at`-th of `of`, counted from 1.
    Connecting {
        to: SocketAddr,
        at: usize,
        of: usize,
    },
    /// Nobody was reached: until the device that is meant has connected to this one.
    Calling,
    /// The TLS handshake.
    Handshake,
    Hello,
    /// Server: by which way the client comes in.
    Choice,
    /// Client: for the server's challenge.
    Challenge,
    /// Server: for the answer to its challenge.
    Answer,
    /// Client: for the server's own proof.
    Proof,
    /// Two people compare symbols, and the one here has not said anything yet.
    Comparing,
    /// Server: for the offer.
    Offer,
    /// For the person here to take the offer.
    PersonHere,
    /// For the person at the other end to take it.
    PersonThere,
    /// The save folder is prepared.
    Opening,
    /// What an earlier run has left is compared with the source.
    Checking,
    Sending(Flow),
    Receiving(Flow),
    /// It stands still although both ends are there.
    Held(Holds),
    /// Sender: for *received*; receiver: the last files get their names.
    Finishing,
    /// Sender: for *safe*.
    Safe,
    /// Receiver: what arrived is flushed to the disk.
    Flushing,
    /// It carries what its transfer gives it.
    Carrying,
    /// It is open and nobody has said anything for now.
    Talking,
    /// For the other end's goodbye.
    Goodbye,
    /// For the next try, because of that.
    Retry(Failure),
    Closed(Closed),
}

/// What content waits for while a transfer runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// For nothing: bytes move.
    Moves,
    /// Sender: for the disk with the source.
    Source,
    /// Sender: for the receiver to allow more.
    Credit,
    /// For the system to take more bytes: the network or the other end is slow.
    Socket,
    /// For the speed limit.
    Limit,
    /// Receiver: for bytes from the sender.
    Bytes,
    /// Receiver: for the disk.
    Disk,
    /// Receiver: for its turn, to allow more.
    Turn,
}

/// The last word on a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Closed {
    /// Both said goodbye, or it is known that nothing is missing.
    Goodbye,
    Lost,
    Silent,
    /// It ended here, by our own will.
    Ended,
    /// The server was switched off.
    SwitchedOff,
    /// It did not prove what was asked.
    NotLetIn,
    /// It was not verified in the time allowed.
    TooSlow,
    Failed(Failure),
}
