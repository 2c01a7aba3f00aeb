//! What frames mean: one typed struct per control message (JSON), and the enum of all frames.
//!
//! Parsing checks form only; whether a frame is legal now is the machines' business. Unknown keys
//! are ignored, duplicate keys, trailing bytes, wrong types and numbers out of range are not.

use data_encoding::HEXLOWER;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::bulk::{self, Batch, Credit, Data, FileEnd, Groups, Want};
use super::frame::{self, FrameError, RawFrame, kind};
use super::object::{Object, objects, some_object};
use crate::model::{
    Entry, EntryKind, Hold, ManifestError, Modified, Problem, SafeName, UnsafeName, displayable,
};

/// The version of the protocol spoken here.
pub const VERSION: u32 = 1;

/// Features of this implementation, said in the hello.
pub const FEATURES: [&str; 4] = ["batch", "resume", ATTACH, TALK];
/// A server that says this takes further connections for a transfer that runs.
pub const ATTACH: &str = "attach";
/// Who says this takes messages.
pub const TALK: &str = "talk";

/// The peer did something that is not allowed. The connection ends; nothing is answered.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Violation {
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("{0}")]
    Malformed(&'static str),
    #[error("a message that is not the JSON it should be ({0})")]
    Json(String),
    #[error("a frame of type {0:#04x} where it is not allowed")]
    Unexpected(u8),
    #[error("a name that reaches outside: {0}")]
    Name(#[from] UnsafeName),
    #[error("{0}")]
    Manifest(#[from] ManifestError),
}

/// A frame that says nothing where it came: skipped if it may be.
pub fn unexpected(kind: u8) -> Result<(), Violation> {
    match kind & kind::OPTIONAL {
        0 => Err(Violation::Unexpected(kind)),
        _ => Ok(()),
    }
}

/// Fixed-size bytes, lower-case hex in JSON.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hex<const N: usize>(pub [u8; N]);

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&HEXLOWER.encode(&self.0))
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        HEXLOWER
            .decode(text.as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| D::Error::custom(format_args!("{N} bytes in lower-case hex expected")))
    }
}

/// The first frame of both ends. It carries no id: who one is was proven by the TLS handshake.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// Versions of the protocol that the end speaks.
    pub versions: Vec<u32>,
    pub features: Vec<String>,
    /// What the device calls itself; cleaned before it is shown.
    pub name: String,
    /// `linux`, `macos`, `windows`, …: for an icon, nothing else.
    #[serde(default)]
    pub system: String,
    /// Server only: the ways in that it offers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepts: Vec<String>,
}

/// The client chooses a way in and starts the key exchange.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Verify {
    pub method: Method,
    /// The client's SPAKE2 message, where a secret is proven that a person may have chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pake: Option<Hex<33>>,
    /// The transfer that goes on or is attached to, where its session key is proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<Hex<16>>,
    /// The client's random challenge; with [`Method::Ask`] its commitment to the nonce that it reveals
    /// in the answer.
    pub challenge: Hex<32>,
}

/// What kind of secret is proven.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// The one-time code on the server's screen.
    Code,
    /// The server's passphrase, which stays valid.
    Passphrase,
    /// The session key of a transfer that was accepted before.
    Session,
    /// The session key of a transfer that runs: one more connection for it.
    Attach,
    /// The key of two devices that remember each other.
    Pair,
    /// Nothing is proven: both people compare symbols.
    Ask,
    /// The key of a conversation that was opened before.
    Talk,
}

impl Method {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Passphrase => "passphrase",
            Self::Session => "session",
            Self::Attach => "attach",
            Self::Pair => "pair",
            Self::Ask => "ask",
            Self::Talk => "talk",
        }
    }
}

/// The server's half of the key exchange, and its random challenge.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Challenge {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pake: Option<Hex<33>>,
    pub challenge: Hex<32>,
}

/// An HMAC-SHA-256: the client's answer, then the server's proof. With [`Method::Ask`] the answer is the
/// client's nonce.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Proof {
    pub proof: Hex<32>,
}

/// A transfer is offered. What is in it follows in manifest frames, without waiting.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Offer {
    pub transfer: Hex<16>,
}

/// The next entries of the offer. Their numbers follow from their order, starting at 0.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ManifestPart {
    #[serde(deserialize_with = "objects")]
    pub entries: Vec<WireEntry>,
}

/// A file or folder: the JSON header with name and size that comes before the bytes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WireEntry {
    /// Number of the folder it lies in; absent for what was picked itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<u32>,
    pub name: String,
    /// Length of a file in bytes; absent for a folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Seconds since 1970 and nanoseconds within the second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<(i64, u32)>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
}

impl From<&Entry> for WireEntry {
    fn from(entry: &Entry) -> Self {
        let (size, executable) = match entry.kind {
            EntryKind::Folder => (None, false),
            EntryKind::File {
                len_bytes,
                executable,
            } => (Some(len_bytes), executable),
        };
        Self {
            parent: entry.parent,
            name: entry.name.as_str().to_owned(),
            size,
            modified: entry.modified.map(|time| (time.seconds, time.nanos)),
            executable,
        }
    }
}

impl TryFrom<WireEntry> for Entry {
    type Error = Violation;

    fn try_from(wire: WireEntry) -> Result<Self, Violation> {
        let modified = match wire.modified {
            None => None,
            Some((_, nanos)) if nanos >= 1_000_000_000 => {
                return Err(Violation::Malformed("a time with too many nanoseconds"));
            }
            Some((seconds, nanos)) => Some(Modified { seconds, nanos }),
        };
        Ok(Self {
            parent: wire.parent,
            name: SafeName::try_from(wire.name.as_str())?,
            kind: match wire.size {
                None => EntryKind::Folder,
                Some(len_bytes) => EntryKind::File {
                    len_bytes,
                    executable: wire.executable,
                },
            },
            modified,
        })
    }
}

/// The manifest is complete; the sums let the receiver check that nothing was lost.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ManifestEnd {
    pub entries: u64,
    pub bytes: u64,
}

/// The offer is accepted: content may come, as much as the credit allows.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Accept {
    pub transfer: Hex<16>,
    pub credit: u64,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Decline {
    pub transfer: Hex<16>,
}

/// An entry that failed, at the source (`failed` frame) or at the receiver (in a status).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Failed {
    pub entry: u32,
    #[serde(flatten)]
    pub problem: WireProblem,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WireProblem {
    pub code: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

impl From<&Problem> for WireProblem {
    fn from(problem: &Problem) -> Self {
        Self {
            code: problem.code().to_owned(),
            detail: problem.detail().to_owned(),
        }
    }
}

impl From<&WireProblem> for Problem {
    fn from(wire: &WireProblem) -> Self {
        Self::from_wire(&wire.code, &wire.detail)
    }
}

/// What became of entries at the receiver since the last status, in inclusive ranges. All but
/// *arrived* may name files that have not ended: they need not be sent.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Status {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arrived: Vec<(u32, u32)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub already_there: Vec<(u32, u32)>,
    /// Files that the receiver leaves out: others have their names and stay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<(u32, u32)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<Failed>,
}

/// A transfer goes on: what the receiver has of it already. Comes before *accept*, in as many frames
/// as it takes.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Kept {
    /// Entries that arrived in an earlier run, in inclusive ranges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub done: Vec<(u32, u32)>,
    /// Files of which the beginning is there, and how many bytes of it: whole groups. Their hashes
    /// follow in *groups* frames.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partial: Vec<(u32, u64)>,
}

/// Files under whose names something stands at the receiver: hashes are to come instead of content.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Compare {
    /// Entry, and of how many groups from its beginning.
    pub files: Vec<(u32, u32)>,
}

/// Every entry has its status; what arrived is under its final name.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Received {
    /// Entries that arrived or were there already.
    pub arrived: u64,
    pub failed: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skipped: u64,
    /// Content of the files that arrived or were there already.
    pub bytes: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The transfer ends here. Without a problem a person ended it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cancel {
    #[serde(
        default,
        deserialize_with = "some_object",
        skip_serializing_if = "Option::is_none"
    )]
    pub problem: Option<WireProblem>,
}

/// Every way in which a disk is full has this reason: an older peer knows no other.
const NO_SPACE: &str = "no-space";
const FILES: &str = "files";
const QUOTA: &str = "quota";

/// Content is to stand still until *go on*. Said again when the reason or the need changes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Pause {
    /// `person`, `turn` or `no-space` (of `lacks`); another one is taken for a person's.
    pub reason: String,
    /// Bytes that the disk lacks, as far as known.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub needed: u64,
    /// What the disk lacks, if that is not bytes: `files` or `quota`; another one is taken for bytes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub lacks: String,
}

impl From<Hold> for Pause {
    fn from(hold: Hold) -> Self {
        let (reason, needed, lacks) = match hold {
            Hold::Person | Hold::Turn => (hold.as_str(), 0, ""),
            Hold::NoRoom { needed_bytes } => (NO_SPACE, needed_bytes, ""),
            Hold::NoFiles => (NO_SPACE, 0, FILES),
            Hold::Quota => (NO_SPACE, 0, QUOTA),
        };
        Self {
            reason: reason.to_owned(),
            needed,
            lacks: lacks.to_owned(),
        }
    }
}

impl From<&Pause> for Hold {
    fn from(pause: &Pause) -> Self {
        match (pause.reason.as_str(), pause.lacks.as_str()) {
            (NO_SPACE, FILES) => Self::NoFiles,
            (NO_SPACE, QUOTA) => Self::Quota,
            (NO_SPACE, _) => Self::NoRoom {
                needed_bytes: pause.needed,
            },
            (turn, _) if turn == Self::Turn.as_str() => Self::Turn,
            (_, _) => Self::Person,
        }
    }
}

/// The client wants to talk, or an end takes messages from the other. There is room for more.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Empty {}

/// Something that a person says.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Chosen by the sender, anew whenever it does not know any more what it numbered last.
    pub stream: Hex<16>,
    /// Ascends within the stream.
    pub number: u64,
    pub id: Hex<16>,
    pub text: String,
}

/// What was said goes to no log.
impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Message({}, {} bytes)", self.number, self.text.len())
    }
}

/// That message, and all before it in this connection, are in the other end's conversation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Receipt {
    pub stream: Hex<16>,
    pub number: u64,
}

/// Every frame of the protocol.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Frame {
    Hello(Hello),
    Verify(Verify),
    Challenge(Challenge),
    Answer(Proof),
    Proof(Proof),
    Refused,
    Offer(Offer),
    Manifest(ManifestPart),
    ManifestEnd(ManifestEnd),
    Kept(Kept),
    Compare(Compare),
    Accept(Accept),
    Decline(Decline),
    Failed(Failed),
    Status(Status),
    Finish,
    Received(Received),
    Safe,
    Cancel(Cancel),
    Pause(Pause),
    GoOn,
    Data(Data),
    Batch(Batch),
    FileEnd(FileEnd),
    Credit(Credit),
    Groups(Groups),
    Want(Want),
    Hashes(Groups),
    /// The place of the bulk frame that follows among all bulk frames.
    Number(u64),
    /// The person at this end wants to remember the device at the other.
    Remember,
    /// The person at the receiver is asked whether a transfer that could have gone on may.
    Asking,
    Talk(Empty),
    Welcome(Empty),
    Unwelcome(Empty),
    Message(Message),
    Receipt(Receipt),
    Ping,
    Pong,
}

impl Frame {
    /// Understands a frame; `None` for one that is unknown but may be skipped.
    pub fn parse(raw: RawFrame) -> Result<Option<Self>, Violation> {
        let body = raw.body.as_slice();
        Ok(Some(match raw.kind {
            kind::HELLO => Self::Hello(json(body)?),
            kind::VERIFY => Self::Verify(json(body)?),
            kind::CHALLENGE => Self::Challenge(json(body)?),
            kind::ANSWER => Self::Answer(json(body)?),
            kind::PROOF => Self::Proof(json(body)?),
            kind::REFUSED => empty(body, Self::Refused)?,
            kind::OFFER => Self::Offer(json(body)?),
            kind::MANIFEST => Self::Manifest(json(body)?),
            kind::MANIFEST_END => Self::ManifestEnd(json(body)?),
            kind::KEPT => Self::Kept(json(body)?),
            kind::COMPARE => Self::Compare(json(body)?),
            kind::ACCEPT => Self::Accept(json(body)?),
            kind::DECLINE => Self::Decline(json(body)?),
            kind::FAILED => Self::Failed(json(body)?),
            kind::STATUS => Self::Status(json(body)?),
            kind::FINISH => empty(body, Self::Finish)?,
            kind::RECEIVED => Self::Received(json(body)?),
            kind::SAFE => empty(body, Self::Safe)?,
            kind::CANCEL => Self::Cancel(json(body)?),
            kind::PAUSE => Self::Pause(json(body)?),
            kind::GO_ON => empty(body, Self::GoOn)?,
            kind::DATA => Self::Data(Data::parse(raw.body)?),
            kind::BATCH => Self::Batch(Batch::parse(raw.body)?),
            kind::FILE_END => Self::FileEnd(FileEnd::parse(body)?),
            kind::CREDIT => Self::Credit(Credit::parse(body)?),
            kind::GROUPS => Self::Groups(Groups::parse(body)?),
            kind::WANT => Self::Want(Want::parse(body)?),
            kind::HASHES => Self::Hashes(Groups::parse(body)?),
            kind::NUMBER => Self::Number(bulk::number(body)?),
            kind::REMEMBER => empty(body, Self::Remember)?,
            kind::ASKING => Self::Asking,
            kind::TALK => Self::Talk(json(body)?),
            kind::WELCOME => Self::Welcome(json(body)?),
            kind::UNWELCOME => Self::Unwelcome(json(body)?),
            kind::MESSAGE => Self::Message(json(body)?),
            kind::RECEIPT => Self::Receipt(json(body)?),
            kind::PING => empty(body, Self::Ping)?,
            kind::PONG => empty(body, Self::Pong)?,
            unknown if unknown & kind::OPTIONAL != 0 => return Ok(None),
            unknown => return Err(Violation::Unexpected(unknown)),
        }))
    }

    pub fn kind(&self) -> u8 {
        match self {
            Self::Hello(_) => kind::HELLO,
            Self::Verify(_) => kind::VERIFY,
            Self::Challenge(_) => kind::CHALLENGE,
            Self::Answer(_) => kind::ANSWER,
            Self::Proof(_) => kind::PROOF,
            Self::Refused => kind::REFUSED,
            Self::Offer(_) => kind::OFFER,
            Self::Manifest(_) => kind::MANIFEST,
            Self::ManifestEnd(_) => kind::MANIFEST_END,
            Self::Kept(_) => kind::KEPT,
            Self::Compare(_) => kind::COMPARE,
            Self::Accept(_) => kind::ACCEPT,
            Self::Decline(_) => kind::DECLINE,
            Self::Failed(_) => kind::FAILED,
            Self::Status(_) => kind::STATUS,
            Self::Finish => kind::FINISH,
            Self::Received(_) => kind::RECEIVED,
            Self::Safe => kind::SAFE,
            Self::Cancel(_) => kind::CANCEL,
            Self::Pause(_) => kind::PAUSE,
            Self::GoOn => kind::GO_ON,
            Self::Data(_) => kind::DATA,
            Self::Batch(_) => kind::BATCH,
            Self::FileEnd(_) => kind::FILE_END,
            Self::Credit(_) => kind::CREDIT,
            Self::Groups(_) => kind::GROUPS,
            Self::Want(_) => kind::WANT,
            Self::Hashes(_) => kind::HASHES,
            Self::Number(_) => kind::NUMBER,
            Self::Remember => kind::REMEMBER,
            Self::Asking => kind::ASKING,
            Self::Talk(_) => kind::TALK,
            Self::Welcome(_) => kind::WELCOME,
            Self::Unwelcome(_) => kind::UNWELCOME,
            Self::Message(_) => kind::MESSAGE,
            Self::Receipt(_) => kind::RECEIPT,
            Self::Ping => kind::PING,
            Self::Pong => kind::PONG,
        }
    }

    /// The frame as it travels. Data and batch frames are built in place instead
    /// ([`super::bulk`]); here they give an empty frame of their type.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Hello(message) => control(kind::HELLO, message),
            Self::Verify(message) => control(kind::VERIFY, message),
            Self::Challenge(message) => control(kind::CHALLENGE, message),
            Self::Answer(message) => control(kind::ANSWER, message),
            Self::Proof(message) => control(kind::PROOF, message),
            Self::Offer(message) => control(kind::OFFER, message),
            Self::Manifest(message) => control(kind::MANIFEST, message),
            Self::ManifestEnd(message) => control(kind::MANIFEST_END, message),
            Self::Kept(message) => control(kind::KEPT, message),
            Self::Compare(message) => control(kind::COMPARE, message),
            Self::Accept(message) => control(kind::ACCEPT, message),
            Self::Decline(message) => control(kind::DECLINE, message),
            Self::Failed(message) => control(kind::FAILED, message),
            Self::Status(message) => control(kind::STATUS, message),
            Self::Received(message) => control(kind::RECEIVED, message),
            Self::Cancel(message) => control(kind::CANCEL, message),
            Self::Pause(message) => control(kind::PAUSE, message),
            Self::Talk(message) => control(kind::TALK, message),
            Self::Welcome(message) => control(kind::WELCOME, message),
            Self::Unwelcome(message) => control(kind::UNWELCOME, message),
            Self::Message(message) => control(kind::MESSAGE, message),
            Self::Receipt(message) => control(kind::RECEIPT, message),
            Self::FileEnd(message) => message.encode(),
            Self::Credit(message) => message.encode(),
            Self::Groups(message) => message.encode(kind::GROUPS),
            Self::Want(message) => message.encode(),
            Self::Hashes(message) => message.encode(kind::HASHES),
            Self::Number(number) => frame::encode(kind::NUMBER, &number.to_be_bytes()),
            Self::Refused
            | Self::Finish
            | Self::GoOn
            | Self::Safe
            | Self::Remember
            | Self::Asking
            | Self::Ping
            | Self::Pong
            | Self::Data(_)
            | Self::Batch(_) => frame::encode(self.kind(), &[]),
        }
    }
}

fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Violation> {
    // The error may quote what came.
    serde_json::from_slice(body)
        .map(|Object(message)| message)
        .map_err(|error| Violation::Json(displayable(&error.to_string())))
}

fn empty(body: &[u8], frame: Frame) -> Result<Frame, Violation> {
    if body.is_empty() {
        Ok(frame)
    } else {
        Err(Violation::Malformed("a body where there should be none"))
    }
}

fn control<T: Serialize>(kind: u8, message: &T) -> Vec<u8> {
    let body = serde_json::to_vec(message).expect("plain structs with string keys serialise");
    frame::encode(kind, &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(kind: u8, body: &str) -> Result<Option<Frame>, Violation> {
        Frame::parse(RawFrame {
            kind,
            body: body.as_bytes().to_vec(),
        })
    }

    #[test]
    fn json_that_could_be_read_two_ways_is_refused() {
        for body in [
            "",
            "{}",
            "[1,2]",
            r#"{"entries":1,"bytes":2}x"#,
            r#"{"entries":1,"entries":1,"bytes":2}"#,
            r#"{"entries":-1,"bytes":2}"#,
            r#"{"entries":1.5,"bytes":2}"#,
            r#"{"entries":1e400,"bytes":2}"#,
            r#"{"entries":18446744073709551616,"bytes":2}"#,
            r#"{"entries":"1","bytes":2}"#,
            "{\"entries\":1,\"bytes\":2,\"x\":\"\u{0}\"}",
        ] {
            let parsed = parse(kind::MANIFEST_END, body);
            assert!(matches!(parsed, Err(Violation::Json(_))), "{body}");
        }
        let nested = format!(r#"{{"entries":1,"bytes":2,"x":{}"#, "[".repeat(60_000));
        assert!(parse(kind::MANIFEST_END, &nested).is_err());
        let invalid_utf8 = Frame::parse(RawFrame {
            kind: kind::MANIFEST,
            body: b"{\"entries\":[{\"name\":\"\xff\"}]}".to_vec(),
        });
        assert!(invalid_utf8.is_err());
    }

    #[test]
    fn unknown_keys_are_ignored_and_unknown_frames_only_if_optional() {
        let parsed = parse(kind::MANIFEST_END, r#"{"entries":1,"new":[{}],"bytes":2}"#);
        assert!(matches!(parsed, Ok(Some(Frame::ManifestEnd(_)))));
        assert_eq!(parse(0x7f, ""), Err(Violation::Unexpected(0x7f)));
        assert_eq!(parse(0xff, "anything"), Ok(None));
        assert_eq!(parse(kind::ASKING, "new"), Ok(Some(Frame::Asking)));
    }

    #[test]
    fn an_entry_from_the_wire_is_checked_once_and_for_all() {
        let wire = |name: &str, modified| WireEntry {
            parent: None,
            name: name.into(),
            size: Some(1),
            modified,
            executable: false,
        };
        assert!(Entry::try_from(wire("a", Some((-1, 999_999_999)))).is_ok());
        assert!(Entry::try_from(wire("a", Some((0, 1_000_000_000)))).is_err());
        assert!(Entry::try_from(wire("..", None)).is_err());
    }

    #[test]
    fn bulk_frames_cut_short_or_too_long_are_refused() {
        for (kind, length) in [
            (kind::DATA, 11),
            (kind::FILE_END, 43),
            (kind::FILE_END, 45),
            (kind::CREDIT, 15),
            (kind::CREDIT, 17),
            (kind::NUMBER, 7),
            (kind::NUMBER, 9),
        ] {
            let raw = RawFrame {
                kind,
                body: vec![0; length],
            };
            assert!(Frame::parse(raw).is_err(), "{kind:#x} {length}");
        }
        let mut batch = vec![0; 40];
        batch[7] = 2;
        batch.push(0);
        let raw = RawFrame {
            kind: kind::BATCH,
            body: batch,
        };
        assert!(Frame::parse(raw).is_err(), "content shorter than said");
    }
}
