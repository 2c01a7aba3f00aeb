//! What two devices have said and sent to each other, in order.

use std::fmt;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::device::{DeviceId, DeviceName};
use super::transfer::{Direction, TransferId};

/// Sixteen random bytes chosen by whoever says it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub [u8; 16]);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl Serialize for MessageId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MessageId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(D::Error::custom)?;
        let wrong = |_bytes| D::Error::custom("16 bytes expected");
        Ok(Self(bytes.try_into().map_err(wrong)?))
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({})", HEXLOWER.encode(&self.0[..4]))
    }
}

/// Bytes of UTF-8 in one message; longer text travels as a file.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024;

/// Of one pasted picture; a screen of 8K does not take as much.
pub const MAX_PASTED_BYTES: usize = 64 << 20;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// Not there yet; it is sent when the other device is back.
    Waiting,
    /// The other device has it.
    Delivered,
    /// It will not be sent any more: the person took it back, or the other one declined.
    NotDelivered,
}

/// All that is kept of what was exchanged with one device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Conversation {
    pub with: DeviceId,
    pub name: DeviceName,
    /// The oldest first; bounded.
    pub lines: Vec<Line>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// Milliseconds since 1970 by this device's clock, when it was said or came here.
    pub at: u64,
    pub direction: Direction,
    pub what: Said,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Said {
    /// `delivery` is [`Delivery::Delivered`] for what came from there. Raw text: not to be shown unescaped.
    Text {
        id: MessageId,
        text: String,
        delivery: Delivery,
    },
    /// A transfer that has ended; one that runs is told by its own events.
    Transfer(TransferLine),
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TransferLine {
    #[serde(with = "super::conversation::hex")]
    pub transfer: TransferId,
    /// Names of what was picked, at most as many as an offer shows, escaped for display.
    pub names: Vec<String>,
    pub picked: u64,
    pub entries: u64,
    pub bytes: u64,
    pub failed: u64,
    pub outcome: Outcome,
}

/// How a transfer ended, as a conversation keeps it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Arrived,
    Problems,
    Declined,
    Cancelled,
    Failed,
}

pub(crate) mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::TransferId;

    pub fn serialize<S: Serializer>(id: &TransferId, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(id)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<TransferId, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        text.parse().map_err(D::Error::custom)
    }
}
