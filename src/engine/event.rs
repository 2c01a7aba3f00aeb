//! What the engine reports. Progress may be skipped; everything else is said exactly once.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::known::KnownDevice;
use super::wire::WireConnection;
use crate::model::{
    Code, Conversation, Delivery, DeviceId, DeviceName, Diagnosis, Direction, Failure, FileReport,
    Finding, Holds, Line, MessageId, Nearby, OnConflict, Peer, PeerAddress, Problem, Progress,
    Summary, Symbols, TransferId, TransferState, Way,
};

#[derive(Clone, Debug)]
pub enum Event {
    /// The server is on.
    Listening(Listening),
    /// The server could not be turned on (or died); it is off.
    ListenFailed(ListenError),
    /// The server is off; what ran may still be finishing.
    ListenStopped,
    /// The one-time code to show from now on.
    Code {
        code: Code,
        valid: Duration,
    },
    /// Somebody tried a wrong code. After the last try a new [`Event::Code`] follows.
    WrongSecret {
        from: IpAddr,
        tries_left: u32,
    },
    /// So many tries from there were wrong that even a right one is refused for a minute; said once a
    /// minute. Others are not concerned.
    MustWait {
        from: IpAddr,
    },
    /// So many codes were wrong that none is taken until [`super::Command::NewCode`]; `false` when
    /// that is over. Who is paired, and transfers that go on, are not concerned.
    CodeRests(bool),
    /// Asked for with [`super::Command::LookAt`].
    Looked(Looked),
    /// A transfer to be sent waits until the person has compared these with the other screen
    /// ([`super::Command::Confirm`]).
    Symbols(TransferId, Symbols),
    /// Everybody remembered, wished for or blocked; said at the start and on each change.
    Devices(Vec<KnownDevice>),
    /// Said at the start if the list could not be read, or not all of it: a sentence with the reason. Who
    /// is not in the list is not known, and not blocked.
    DevicesNotRead(String),
    /// The person there wants to be remembered here, and the one here has not said so yet. It can be
    /// answered with [`super::Command::Remember`] while the device is connected.
    WantsToBeRemembered(Peer),
    /// Both remember each other from now on.
    Paired(Peer),
    /// Everybody connected now; said anew on each change.
    Clients(Vec<Client>),

    /// Somebody wants to send; said again with the same id while the count grows.
    Offer(Offer),
    /// What is known by now of the folder an offer would go to, and which one that is.
    OfferFolder(OfferFolder),
    /// The sender took the offer back, or its connection is gone.
    OfferWithdrawn(TransferId),

    /// What earlier runs left unfinished; said once, when the engine starts, if there is any.
    Kept(Vec<Interrupted>),
    /// What was asked to be sent as `was` goes by another id from now on: an offer that nobody has
    /// answered is tried first, or is not known over there and is made anew.
    Renamed {
        was: TransferId,
        now: TransferId,
    },
    /// A transfer exists from now on: a send was asked for, or an offer was accepted.
    Started(Started),
    State(TransferId, TransferState),
    /// What was picked for a send that waits for its device is not there any more, or is not what it was.
    /// Said on each change; both empty: all is as it was.
    PicksDiffer {
        transfer: TransferId,
        gone: Vec<PathBuf>,
        changed: Vec<PathBuf>,
    },
    /// Who holds it up now; nobody any more if both ends are free.
    Held(TransferId, Holds),
    /// Who is at the other end, as soon as it is known or proven.
    PeerKnown(TransferId, Peer),
    Progress(Progress),
    /// Entries that reached their end since the last such event.
    Files(TransferId, Vec<FileReport>),
    /// The last word on a transfer, but for [`Event::Safe`] or [`Event::NotSafe`] after what arrived.
    Ended(Summary),
    /// What arrived has been flushed: it survives a power cut.
    Safe(TransferId),
    /// What arrived may not be flushed: the disk said no, or the other end was gone before it said.
    NotSafe(TransferId, Option<Problem>),
    /// The other end has been silent for so many seconds; 0 when it answers again.
    Quiet {
        transfer: TransferId,
        seconds: u64,
    },

    /// Everybody found on the local network, blocked devices apart; said anew on each change, at
    /// most four times a second.
    Nearby(Vec<Nearby>),
    /// Devices that are not paired, want to send or say something, cannot reach this one and ask it to
    /// connect ([`super::Command::LetConnect`]): at most [`Caller::MOST`], said anew on each change. As all
    /// that is heard of, it may be made up.
    Callers(Vec<Caller>),
    /// Addresses that a person has used, the last success first; said at the start if there are any, and
    /// on each change.
    Recent(Vec<Recent>),

    /// What earlier runs kept of conversations; said once, at the start, if there is any.
    Conversations(Vec<Conversation>),
    /// Said at the start if conversations could not be read, or not all of them: a sentence.
    ConversationsNotRead(String),
    /// Something was said, or a transfer has ended: the next line of the conversation with that peer.
    Line(Peer, Line),
    /// What was to be said is not; there is no line of it.
    NotSaid {
        to: DeviceId,
        id: MessageId,
        why: NotSaid,
    },
    /// What became of a message that was said here.
    Delivery(DeviceId, MessageId, Delivery),
    /// How the conversation with a peer stands now.
    Talk(Peer, Talk),
    /// A conversation that was asked for ([`super::Command::Talk`]) is open, with this device.
    /// [`Event::Talk`] follows.
    TalkOpened(TransferId, Peer),
    /// It could not be opened; what was to be said first is not said.
    TalkFailed(TransferId, Failure),
    /// A device that is not known wants to say something; [`super::Command::AnswerText`].
    TextOffered(TextOffer),
    /// It is gone before it was answered.
    TextWithdrawn(DeviceId),

    /// What was found out by now, asked for with [`super::Command::Diagnose`].
    Diagnosis(Diagnosis),
    /// Whether this computer's firewall lets others in to the server; said after it was switched on.
    Firewall(Vec<Finding>),

    /// Every connection as it stands, while somebody watches ([`super::Command::WatchWire`]): what is open
    /// first, each the newest first. Said on change, at most four times a second.
    Wire(Vec<WireConnection>),
    Measured(Measured),
    /// Asked for with [`super::Command::MeasureRoom`]; nothing if the system does not say.
    Room {
        folder: PathBuf,
        free_bytes: Option<u64>,
    },
    /// The computer is kept from falling asleep by itself, or not any more.
    KeptAwake(bool),
    /// The computer slept while something was under way. It is checked and goes on.
    Slept(Duration),
    /// Asked for with [`super::Command::SaveList`].
    ListSaved {
        path: PathBuf,
        problem: Option<Problem>,
    },
    /// Where a pasted picture is kept ([`super::Command::Stash`]), or why it is not.
    Stashed(TransferId, Result<PathBuf, Problem>),
    /// A command could not be carried out, for example no program to open a file.
    CommandFailed {
        path: PathBuf,
        problem: Problem,
    },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listening {
    /// As bound; the port is the real one.
    pub addr: SocketAddr,
    /// Addresses at which others may reach it, the likeliest first; never loopback unless alone.
    pub addresses: Vec<IpAddr>,
    /// The preferred port was taken and `addr` has the next free one.
    pub port_moved: bool,
    pub device_id: DeviceId,
    pub name: DeviceName,
    pub save_folder: PathBuf,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ListenError {
    #[error("port {port} is taken by another program; choose another one")]
    PortTaken { port: u16 },
    #[error("no permission to listen on port {port}; choose one above 1023")]
    PortForbidden { port: u16 },
    #[error("{addr} is not an address of this computer")]
    AddressNotHere { addr: SocketAddr },
    #[error("the save folder {} cannot be used: {problem}", folder.display())]
    Folder { folder: PathBuf, problem: Problem },
    #[error("the server cannot listen: {detail}")]
    Other { detail: String },
}

/// What was found at an address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Looked {
    pub at: PeerAddress,
    pub found: Result<Found, Failure>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    pub id: DeviceId,
    pub name: DeviceName,
    /// How it lets somebody in.
    pub ways: Vec<Way>,
    /// This device and that one are paired: nothing has to be typed.
    pub paired: bool,
}

/// A client of the server, connected now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Client {
    pub peer: Peer,
    pub doing: Doing,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Doing {
    /// Has not proven itself yet.
    Verifying,
    /// Verified; nothing offered yet.
    Idle,
    /// Its offer waits for an answer here.
    Waiting,
    Sending,
    /// A conversation.
    Talking,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offer {
    pub transfer: TransferId,
    pub from: Peer,
    /// Of a sender that has proven nothing: the same as on its screen, if nobody is in between. Its
    /// names come when the person there has said so; accepting says the same for the one here.
    pub symbols: Option<Symbols>,
    /// The sender's person wants to remember this device.
    pub remembers: bool,
    /// Names of what was picked, at most [`Offer::MAX_NAMES`], escaped for display.
    pub names: Vec<String>,
    /// Picked items in all, as far as counted.
    pub picked: u64,
    /// Entries (folders included) and content as far as counted.
    pub entries: u64,
    pub bytes: u64,
    /// The sender is still counting.
    pub counting: bool,
    /// Where it would go.
    pub folder: PathBuf,
    /// Free space there; `None` if the system does not tell.
    pub free_bytes: Option<u64>,
    /// What happens to names that are taken, unless the answer says otherwise.
    pub on_conflict: OnConflict,
    /// What is there already; `None` until that was looked at.
    pub existing: Option<Box<Existing>>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OfferFolder {
    pub transfer: TransferId,
    /// As in [`Offer`].
    pub folder: PathBuf,
    pub free_bytes: Option<u64>,
    pub existing: Option<Box<Existing>>,
}

/// What an offer would meet in its folder, as far as was looked.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Existing {
    /// Of picked items whose names are taken, at most [`Offer::MAX_NAMES`], escaped for display.
    pub names: Vec<String>,
    /// Picked items whose names are taken.
    pub picked: u64,
    /// Files whose names are taken, and files whose names are free.
    pub same_names: u64,
    pub new: u64,
    /// Everything was looked at.
    pub complete: bool,
}

impl Offer {
    /// As many as a dialog shows.
    pub const MAX_NAMES: usize = 5;
}

/// A transfer that can go on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interrupted {
    pub transfer: TransferId,
    pub direction: Direction,
    pub peer: Peer,
    pub names: Vec<String>,
    pub picked: u64,
    /// As in [`Started`].
    pub places: Vec<PathBuf>,
    pub entries: u64,
    pub bytes: u64,
    /// Content that the receiver held when last seen.
    pub held_bytes: u64,
    /// It came to its end, but so many entries failed and can be tried again; 0 if it was cut.
    pub failed: u64,
    /// It is kept until then.
    pub until: SystemTime,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Started {
    pub transfer: TransferId,
    pub direction: Direction,
    pub peer: Peer,
    /// Names of what was picked, at most [`Offer::MAX_NAMES`], escaped for display.
    pub names: Vec<String>,
    /// Picked items in all.
    pub picked: u64,
    /// Sending: what was picked. Receiving: the save folder alone.
    pub places: Vec<PathBuf>,
}

/// Who asks to be connected to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    /// What it claims to be.
    pub device: DeviceId,
    pub name: DeviceName,
    pub stands: CallStands,
}

impl Caller {
    /// As many as a person reads through.
    pub const MOST: usize = 4;
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CallStands {
    /// The person here has not said anything yet.
    Asks,
    /// The person has said yes, and it is dialled.
    Connecting,
    /// It was not reached, or somebody else was there.
    Failed,
}

/// An address that a person has used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recent {
    pub address: PeerAddress,
    /// Who was there, by what it called itself.
    pub device: DeviceId,
    pub name: DeviceName,
    /// When it was last reached.
    pub last: SystemTime,
}

/// How a conversation stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Talk {
    Connecting,
    /// It cannot be reached from here. A person there is asked to let it connect to this device.
    Calling,
    /// Connected and verified: what is said is there at once.
    Open,
    /// The person there has not said yet whether it takes text from here.
    Asking,
    /// Closed since nothing was said for a while; it opens again by itself.
    Resting,
    /// Not to be reached; tried again when it is back. What is said waits.
    Away(Failure),
}

/// Why something is not said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotSaid {
    Empty,
    /// More than [`crate::model::MAX_MESSAGE_BYTES`]: it can be sent as a file.
    TooLong,
    /// So much waits for that device already that no more is taken.
    TooMany,
    /// With so many devices conversations are kept that there is no room for one more.
    NoRoom,
    /// The device is blocked here.
    Blocked,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TextOffer {
    pub from: Peer,
    /// As in [`Offer`].
    pub symbols: Option<Symbols>,
}

/// Contents of a picked path, as far as counted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Measured {
    pub path: PathBuf,
    pub is_folder: bool,
    /// Files and folders, the picked one included.
    pub entries: u64,
    pub bytes: u64,
    pub counting: bool,
    /// It cannot be read at all.
    pub problem: Option<Problem>,
}

/// Problems with a disk are otherwise told of the save folder.
fn of_data_folder(problem: &Problem) -> String {
    match problem {
        Problem::Gone => "it is not there, and cannot be made".to_owned(),
        Problem::NotWritable => "no permission to write there".to_owned(),
        other => other.to_string(),
    }
}

/// Why the engine could not start. Nothing was changed on disk, but that what is damaged was put aside.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the data folder {} cannot be used: {}", folder.display(), of_data_folder(problem))]
    DataDir { folder: PathBuf, problem: Problem },
    #[error(
        "this device's identity is of a newer version ({found}) and was left alone; start the newer Ropeway: {}",
        path.display()
    )]
    IdentityNewer { found: u32, path: PathBuf },
    /// What was there is `aside` now.
    #[error(
        "this device's identity is damaged and was put aside; started again, Ropeway begins as a new device: {}",
        aside.display()
    )]
    IdentityDamaged { aside: PathBuf },
    #[error("this device got no identity: {detail}")]
    Identity { detail: String },
    #[error("a thread could not be started: {0}")]
    Thread(std::io::Error),
}
