//! One connection of a conversation, the same at both ends but for who asks: whether text is welcome,
//! then messages and their receipts, both ways.
//!
//! The machine keeps order and bounds within the connection. What outlives it – which numbers are
//! known, what still has no receipt – is the engine's; so is how fast messages may come.

use std::collections::VecDeque;

use super::message::{Empty, Frame, Hex, Message, Receipt, Violation, unexpected};
use crate::model::{MAX_MESSAGE_BYTES, MessageId};

/// Messages without a receipt in one direction: what a slow disk takes its time for, half a mebibyte.
pub const MOST_IN_FLIGHT: usize = 32;

/// A message's place among all that its sender has said to this device.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Place {
    pub stream: [u8; 16],
    /// Ascends within the stream; some may be missing.
    pub number: u64,
}

/// Something that was said, or is to be.
#[derive(Clone, PartialEq, Eq)]
pub struct Saying {
    pub place: Place,
    pub id: MessageId,
    /// Not empty, and at most [`MAX_MESSAGE_BYTES`].
    pub text: String,
}

/// What was said goes to no log.
impl std::fmt::Debug for Saying {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Saying({:?}, {} bytes)", self.place, self.text.len())
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TalkingEvent {
    /// Server: the client wants to talk; answer with [`Talking::welcome`] or [`Talking::decline`].
    Asked,
    /// Both ends welcome what the other says.
    Opened,
    /// The other end does not; or, before this one said so, its person has changed their mind.
    Unwelcome,
    /// Answer with [`Talking::receipt`] once it is kept, or with nothing.
    Heard(Saying),
    /// These have arrived, in the order in which they were said.
    Receipted(Vec<Place>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Server: *talk* has not come.
    Idle,
    /// Whether text is welcome is still to be said by one end or by both.
    Asked {
        said: bool,
        heard: bool,
    },
    Open,
    /// One end has said no. What crosses that means nothing.
    Over,
}

#[derive(Debug)]
pub struct Talking {
    state: State,
    out: VecDeque<Frame>,
    events: VecDeque<TalkingEvent>,
    /// Said here; no receipt yet.
    said: VecDeque<Place>,
    /// Heard; no receipt said yet.
    heard: VecDeque<Place>,
    last_heard: Option<Place>,
}

impl Talking {
    /// *talk* is the first thing to send.
    pub fn client() -> Self {
        let mut talking = Self::server();
        talking.out.push_back(Frame::Talk(Empty {}));
        talking.state = State::Asked {
            said: false,
            heard: false,
        };
        talking
    }

    pub fn server() -> Self {
        Self {
            state: State::Idle,
            out: VecDeque::new(),
            events: VecDeque::new(),
            said: VecDeque::new(),
            heard: VecDeque::new(),
            last_heard: None,
        }
    }

    /// This end takes what the other says: its person, or what was proven, says so.
    pub fn welcome(&mut self) {
        if let State::Asked { said: false, heard } = self.state {
            self.out.push_back(Frame::Welcome(Empty {}));
            self.agree(true, heard);
        }
    }

    /// It does not. The connection is to be closed then.
    pub fn decline(&mut self) {
        if let State::Asked { .. } = self.state {
            self.out.push_back(Frame::Unwelcome(Empty {}));
            self.state = State::Over;
        }
    }

    fn agree(&mut self, said: bool, heard: bool) {
        self.state = State::Asked { said, heard };
        if said && heard {
            self.state = State::Open;
            self.events.push_back(TalkingEvent::Opened);
        }
    }

    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// One more message may be said.
    pub fn has_room(&self) -> bool {
        self.is_open() && self.said.len() < MOST_IN_FLIGHT
    }

    /// Without a receipt.
    pub fn is_on_its_way(&self, place: Place) -> bool {
        self.said.contains(&place)
    }

    /// `false`: not open, or too many have no receipt.
    pub fn say(&mut self, saying: Saying) -> bool {
        let room = self.has_room();
        if room {
            self.said.push_back(saying.place);
            self.out.push_back(Frame::Message(Message {
                stream: Hex(saying.place.stream),
                number: saying.place.number,
                id: Hex(saying.id.0),
                text: saying.text,
            }));
        }
        room
    }

    /// What was heard up to here is kept.
    pub fn receipt(&mut self, place: Place) {
        let kept = self.heard.iter().position(|heard| *heard == place);
        if let Some(last) = kept {
            self.heard.drain(..=last);
            self.out.push_back(Frame::Receipt(Receipt {
                stream: Hex(place.stream),
                number: place.number,
            }));
        }
    }

    pub fn handle_frame(&mut self, frame: Frame) -> Result<(), Violation> {
        let kind = frame.kind();
        match (self.state, frame) {
            (State::Idle, Frame::Talk(_)) => {
                self.state = State::Asked {
                    said: false,
                    heard: false,
                };
                self.events.push_back(TalkingEvent::Asked);
            }
            (State::Asked { said, heard: false }, Frame::Welcome(_)) => self.agree(said, true),
            (State::Asked { .. }, Frame::Unwelcome(_)) => {
                self.state = State::Over;
                self.events.push_back(TalkingEvent::Unwelcome);
            }
            (State::Open, Frame::Message(message)) => return self.hear(message),
            (State::Open, Frame::Receipt(receipt)) => return self.take_receipt(&receipt),
            (State::Over, Frame::Welcome(_) | Frame::Unwelcome(_)) => {}
            (State::Idle | State::Asked { .. } | State::Open | State::Over, _) => {
                return unexpected(kind);
            }
        }
        Ok(())
    }

    fn hear(&mut self, message: Message) -> Result<(), Violation> {
        if message.text.is_empty() {
            return Err(Violation::Malformed("a message without text"));
        }
        if message.text.len() > MAX_MESSAGE_BYTES {
            return Err(Violation::Malformed("too long a message"));
        }
        let place = Place {
            stream: message.stream.0,
            number: message.number,
        };
        let last = self.last_heard.replace(place);
        if last.is_some_and(|last| last.stream == place.stream && last.number >= place.number) {
            return Err(Violation::Malformed("messages out of order"));
        }
        if self.heard.len() >= MOST_IN_FLIGHT {
            return Err(Violation::Malformed("too many messages at once"));
        }
        self.heard.push_back(place);
        self.events.push_back(TalkingEvent::Heard(Saying {
            place,
            id: MessageId(message.id.0),
            text: message.text,
        }));
        Ok(())
    }

    fn take_receipt(&mut self, receipt: &Receipt) -> Result<(), Violation> {
        let place = Place {
            stream: receipt.stream.0,
            number: receipt.number,
        };
        let last = self.said.iter().position(|said| *said == place);
        let last = last.ok_or(Violation::Malformed("a receipt for nothing"))?;
        let arrived = self.said.drain(..=last).collect();
        self.events.push_back(TalkingEvent::Receipted(arrived));
        Ok(())
    }

    pub fn poll_transmit(&mut self) -> Option<Frame> {
        self.out.pop_front()
    }

    pub fn poll_event(&mut self) -> Option<TalkingEvent> {
        self.events.pop_front()
    }
}
