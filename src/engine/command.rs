//! What a front end may ask of the engine. Commands are cheap to send and never block.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::model::{
    Allow, DeviceId, DeviceName, FailedLine, MessageId, OnConflict, PeerAddress, Presence, Rule,
    Secret, TransferId,
};

#[derive(Debug)]
pub enum Command {
    /// Turns the server on, or changes how it runs if it is on.
    Listen(ListenOptions),
    /// Turns the server off: nobody new gets in. Transfers under way end at once or are let finish.
    StopListening(StopMode),
    /// Makes a new one-time code at once, and ends the rest that too many guesses brought.
    NewCode,
    /// Who gets as far as an offer from now on.
    SetAllow(Allow),
    /// Asks a server what it lets in; [`super::Event::Looked`] follows. Nothing is proven, nothing sent.
    LookAt(PeerAddress),
    /// The person has compared the symbols that [`super::Event::Symbols`] told for a transfer to be
    /// sent; nothing is listed before. `false` ends it.
    Confirm(TransferId, bool),
    /// The person here wants to remember the device; in effect when the one there does, too. It has
    /// been met and verified in this process, or is known as [`crate::model::Bond::ForgottenThere`].
    Remember(DeviceId),
    /// Ends the acquaintance, open sessions and kept transfers at once. Also unblocks.
    ForgetDevice(DeviceId),
    /// The device gets in by no way any more; its sessions end, its offers are declined.
    Block(DeviceId),
    /// What it is called here; `None` for its own name.
    LabelDevice(DeviceId, Option<DeviceName>),
    SetRule(DeviceId, Rule),
    /// Changes what this device calls itself; peers met from now on see it.
    SetName(DeviceName),
    /// Where offers accepted from now on are saved.
    SetSaveFolder(PathBuf),
    /// What happens to names that are taken in offers accepted from now on.
    SetOnConflict(OnConflict),
    Send(SendRequest),
    /// Takes up what earlier runs left waiting for a device ([`SendRequest::wait_for_it`]);
    /// [`super::Event::Started`] follows for each. For a process that stays: whoever takes one up sends it.
    TakeUpWaiting,
    /// An offer is to go to another folder; [`super::Event::OfferFolder`] follows: how much room is there,
    /// and what exists there.
    LookInto(TransferId, PathBuf),
    /// Answers an offer. Offers that are gone are ignored.
    Answer(TransferId, Answer),
    /// What all transfers together may use.
    SetLimits(Limits),
    /// Nobody watches progress: it is told seldom enough to cost nothing.
    Unwatched,
    /// How fast this one may go, in bytes a second; within the limit for all.
    LimitSpeed(TransferId, Option<u64>),
    /// Ends a transfer of either direction; the other side is told.
    Cancel(TransferId),
    /// Lets no content move until [`Self::Resume`]; the other end is told who did it.
    Pause(TransferId),
    /// Goes on with a transfer that was paused here, or with an interrupted one that this device
    /// sends: at once if it waits for its next try. One that ended with failures is tried again:
    /// only what failed is sent.
    Resume(TransferId),
    /// A transfer that is being received goes to another folder from now on. What has arrived stays
    /// where it is and comes once more.
    MoveTo(TransferId, PathBuf),
    /// No longer waits for an interrupted transfer's other end; it can be resumed all the same.
    GiveUp(TransferId),
    /// Removes what is kept of a transfer, so that it cannot go on. What has arrived stays.
    Forget(TransferId),
    /// How this device shows itself on the local network; [`super::Event::Nearby`] tells who is found.
    SetPresence(Presence),
    /// An address is no longer remembered.
    ForgetRecent(PeerAddress),
    /// Whether this device may connect to the one of which [`super::Event::Callers`] tells. `true` counts
    /// for ten minutes, and starts at once; `false` hides it for as long.
    LetConnect(DeviceId, bool),
    /// Opens a conversation with a device that is not paired, or that is known by its address alone.
    /// [`super::Event::Symbols`] and [`Self::Confirm`] go by its id, as for a transfer.
    Talk(TalkRequest),
    /// Says something to a device that was met before: [`super::Event::Line`] follows at once, or
    /// [`super::Event::NotSaid`]. Without a connection one is opened; what cannot be delivered waits.
    Say {
        to: DeviceId,
        id: MessageId,
        text: String,
    },
    /// A message that waits is not sent any more, unless it is on its way this very moment;
    /// [`super::Event::Delivery`] says which.
    TakeBack(DeviceId, MessageId),
    /// Whether a device that is not known, and of which [`super::Event::TextOffered`] told, may say
    /// something.
    AnswerText(DeviceId, bool),
    /// Removes all that is kept of what was exchanged with a device, here alone; what waits is not sent.
    ClearConversation(DeviceId),
    /// Whether conversations are kept on disk; `false` also removes what is kept. From then on this
    /// process delivers what earlier runs left undelivered, unless it said [`Self::OnlySay`] before.
    KeepConversations(bool),
    /// This process only says something, and has nowhere to show what others say: that stays with
    /// them, for a process that has.
    OnlySay,
    /// Finds out why a device is not reached, or, without one, whether others reach this computer.
    /// [`super::Event::Diagnosis`] follows, again and again until it is complete. A diagnosis under way
    /// is given up.
    Diagnose {
        of: Option<PeerAddress>,
        /// Where the server would listen; asked of if it is off.
        usual_port: u16,
    },
    /// Looks once more whether this computer's firewall lets others in, if the server is on;
    /// [`super::Event::Firewall`] follows.
    CheckFirewall,
    /// Whether anybody looks at the wire: from then on [`super::Event::Wire`] tells.
    WatchWire(bool),
    /// Counts what a picked path holds: [`super::Event::Measured`] follows, repeatedly while counting.
    Measure(PathBuf),
    /// Looks how much is free where a folder is, or will be: [`super::Event::Room`] follows.
    MeasureRoom(PathBuf),
    /// Writes failed entries and their reasons to a table (CSV): [`super::Event::ListSaved`] follows.
    SaveList {
        path: PathBuf,
        lines: Vec<FailedLine>,
    },
    /// Keeps a picture that was pasted as a file of ours, so that it can be sent: for eight days, and
    /// at most [`crate::model::MAX_PASTED_BYTES`]. [`super::Event::Stashed`] follows.
    Stash {
        /// Chosen by the front end, for the answer.
        id: TransferId,
        /// Of the file; one that is taken gets a number.
        name: String,
        bytes: Vec<u8>,
    },
    /// Opens a file or folder with the system's program for it.
    Open(PathBuf),
    /// Shows a file or folder in the system's file manager.
    Reveal(PathBuf),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Sent and received together; `None` for no limit.
    pub bytes_per_second: Option<u64>,
    /// Transfers to one device that move at once; the others wait for their turn.
    pub at_once: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes_per_second: None,
            at_once: 3,
        }
    }
}

/// To whom a conversation is opened, and how this device gets in; as in [`SendRequest`].
#[derive(Clone, Debug)]
pub struct TalkRequest {
    /// Chosen by the front end, for the events of this attempt.
    pub id: TransferId,
    pub to: PeerAddress,
    pub device: Option<Chosen>,
    pub secret: Option<Secret>,
    pub ask: bool,
    pub remember: bool,
    /// What is to be said first, as far as there is anything; sent when the conversation is open.
    pub first: Option<(MessageId, String)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StopMode {
    LetFinish,
    EndTransfers,
}

#[derive(Clone, Debug)]
pub struct ListenOptions {
    pub bind: Bind,
    pub save_folder: PathBuf,
    /// Stays valid for as many connections as come; without one, one-time codes are made.
    pub passphrase: Option<Secret>,
    pub allow: Allow,
    pub accept: AcceptPolicy,
    /// Whoever proves a secret is to be remembered, as far as its person wants the same.
    pub remember: bool,
    /// What happens to names that are taken, unless an answer says otherwise.
    pub on_conflict: OnConflict,
    /// Only one offer is taken; all others are declined from then on.
    pub once: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bind {
    /// All addresses, IPv4 and IPv6, at this port or, if it is taken, the next free one.
    Preferred(u16),
    /// Exactly this; taken is an error.
    Exact(SocketAddr),
}

/// What happens to an offer, unless the device's own rule says otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AcceptPolicy {
    /// A person answers each.
    Ask,
    /// What paired devices offer is accepted; a person answers the rest.
    Paired,
    /// Whatever comes from whom has proven a secret or is paired is accepted.
    All,
}

#[derive(Clone, Debug)]
pub struct SendRequest {
    /// Chosen by the front end ([`super::new_transfer_id`]), so that it can match events at once.
    pub transfer: TransferId,
    pub sources: Vec<PathBuf>,
    /// Besides this one, every address at which the chosen device is heard of is tried. A chosen device
    /// may have none at all ([`PeerAddress::nowhere`]).
    pub to: PeerAddress,
    /// The device that was chosen; another one at the address is not sent to.
    pub device: Option<Chosen>,
    /// What the person typed: a code or a passphrase, whichever the other device asks for. A paired
    /// device needs none.
    pub secret: Option<Secret>,
    /// Without a secret, symbols are compared, if the other device allows that.
    pub ask: bool,
    /// The other device is to be remembered, as far as its person wants the same.
    pub remember: bool,
    /// If the chosen device is not there ([`crate::model::TransferState::Away`]), it is tried again when
    /// it appears on the local network, and twice a minute, until it is cancelled; after a restart once
    /// [`Command::TakeUpWaiting`] was said, but without `secret`.
    pub wait_for_it: bool,
}

/// A device that a person picked from those that are known, or an address that names one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chosen {
    pub id: DeviceId,
    /// Tells a reinstalled device from another one at its old address.
    pub name: Option<DeviceName>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// As it was offered ([`super::Offer`]), or into another folder, by another rule.
    Accept {
        folder: Option<PathBuf>,
        on_conflict: Option<OnConflict>,
        /// The sender is to be remembered ([`Command::Remember`]).
        remember: bool,
    },
    Decline,
}
