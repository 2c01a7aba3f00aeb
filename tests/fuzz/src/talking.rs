//! Frames of the other end of a conversation, nearly legal, to the machine of one end; and what this end
//! says meanwhile.

use std::collections::VecDeque;

use ropeway::model::{MAX_MESSAGE_BYTES, MessageId};
use ropeway::protocol::Frame;
use ropeway::protocol::frame::RawFrame;
use ropeway::protocol::message::{Empty, Hex, Message, Receipt};
use ropeway::protocol::talking::{MOST_IN_FLIGHT, Place, Saying, Talking, TalkingEvent};

use super::input::Input;

/// What the machine has to have said and heard, kept beside it.
#[derive(Default)]
struct Model {
    said_welcome: bool,
    heard_welcome: bool,
    /// Said, without a receipt.
    said: VecDeque<Place>,
    /// Heard, without a receipt.
    heard: VecDeque<Place>,
    last_heard: Option<Place>,
    next: u64,
}

/// The first byte chooses the end, every further step is a byte and what it takes.
///
/// Nothing is said or heard before both welcomes; what is heard ascends, is not empty and not too long;
/// at most so many have no receipt, either way; receipts come for what was said, in its order.
pub fn talking(data: &[u8]) {
    let mut input = Input::new(data);
    let mut machine = match input.yes() {
        true => Talking::client(),
        false => Talking::server(),
    };
    let mut model = Model::default();
    while !input.is_empty() {
        let frame = match input.below(10) {
            0 => {
                machine.welcome();
                None
            }
            1 => {
                machine.decline();
                None
            }
            2 => {
                let place = Place {
                    stream: [7; 16],
                    number: model.next,
                };
                model.next += u64::from(input.byte()) + 1;
                let had_room = machine.has_room();
                let said = machine.say(Saying {
                    place,
                    id: MessageId([0; 16]),
                    text: "text".into(),
                });
                assert_eq!(said, had_room);
                if said {
                    model.said.push_back(place);
                }
                None
            }
            3 => {
                let which = input.below(model.heard.len());
                let place = model.heard.get(which).copied();
                if let Some(place) = place {
                    machine.receipt(place);
                    model.heard.drain(..=which);
                }
                None
            }
            4 => Some(Frame::Talk(Empty {})),
            5 => Some(Frame::Welcome(Empty {})),
            6 => Some(Frame::Unwelcome(Empty {})),
            7 => {
                let stream = Hex([input.byte() % 3; 16]);
                let number = u64::from(input.byte());
                let length = match input.byte() {
                    255 => MAX_MESSAGE_BYTES + 1,
                    254 => MAX_MESSAGE_BYTES,
                    short => usize::from(short),
                };
                Some(Frame::Message(Message {
                    stream,
                    number,
                    id: Hex([1; 16]),
                    text: "x".repeat(length),
                }))
            }
            8 => {
                // Of what was said, or of anything.
                let which = input.below(model.said.len() + 1);
                let place = model.said.get(which).copied().unwrap_or(Place {
                    stream: [7; 16],
                    number: u64::from(input.byte()),
                });
                Some(Frame::Receipt(Receipt {
                    stream: Hex(place.stream),
                    number: place.number,
                }))
            }
            _ => {
                let kind = input.byte();
                let body = input.piece().to_vec();
                match Frame::parse(RawFrame { kind, body }) {
                    Ok(frame) => frame,
                    Err(_violation) => return,
                }
            }
        };
        if let Some(frame) = frame {
            let is_welcome = matches!(frame, Frame::Welcome(_));
            if machine.handle_frame(frame).is_err() {
                return;
            }
            model.heard_welcome |= is_welcome;
        }
        while let Some(frame) = machine.poll_transmit() {
            match frame {
                Frame::Welcome(_) => model.said_welcome = true,
                Frame::Message(_) | Frame::Receipt(_) => assert!(model.is_open()),
                Frame::Talk(_) | Frame::Unwelcome(_) => assert!(!machine.is_open()),
                other => panic!("a conversation says {other:?}"),
            }
        }
        while let Some(event) = machine.poll_event() {
            model.take(event);
        }
        assert!(model.said.len() <= MOST_IN_FLIGHT && model.heard.len() <= MOST_IN_FLIGHT);
        assert!(!machine.is_open() || model.is_open());
    }
}

impl Model {
    fn is_open(&self) -> bool {
        self.said_welcome && self.heard_welcome
    }

    fn take(&mut self, event: TalkingEvent) {
        match event {
            TalkingEvent::Asked | TalkingEvent::Unwelcome => assert!(!self.is_open()),
            TalkingEvent::Opened => assert!(self.is_open()),
            TalkingEvent::Heard(saying) => {
                assert!(self.is_open());
                assert!(!saying.text.is_empty() && saying.text.len() <= MAX_MESSAGE_BYTES);
                let last = self.last_heard.replace(saying.place);
                assert!(last.is_none_or(|last| {
                    last.stream != saying.place.stream || last.number < saying.place.number
                }));
                self.heard.push_back(saying.place);
            }
            TalkingEvent::Receipted(places) => {
                assert!(!places.is_empty());
                for place in places {
                    assert_eq!(self.said.pop_front(), Some(place));
                }
            }
        }
    }
}
