//! `ropeway message`.

use std::io::Read as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::args::Message;
use super::input::{self, Input, Inputs};
use super::output::Output;
use super::send::proof;
use super::target::find;
use super::{Exit, Session, Trouble, is_yes, secret};
use crate::engine::{Command, Event, Found, Talk, TalkRequest, new_message_id, new_transfer_id};
use crate::model::{
    Delivery, DeviceId, Failure, MAX_MESSAGE_BYTES, MessageId, Peer, Presence, TransferId,
};

/// After Ctrl-C, or when the time is over, the message is taken back; nobody waits longer for that.
const TAKE_BACK_WITHIN: Duration = Duration::from_secs(1);

pub fn run(
    arguments: Message,
    data_dir: PathBuf,
    wait: Duration,
    output: &Output,
) -> Result<Exit, Trouble> {
    let waking = Inputs::new()?;
    let text = text(arguments.text.as_deref())?;
    let given = secret::to_prove(arguments.code_file.as_deref(), output)?;
    let session = Session::start(&data_dir, waking, output)?;
    // What others say stays with them, for a process that shows it.
    session.engine.command(Command::OnlySay);
    let keep = session.settings.keep_conversations;
    session.engine.command(Command::KeepConversations(keep));
    let target = find(&session, &arguments.to, output)?;
    if target.device.is_some() {
        // If it cannot be reached, it has to hear that it is asked to connect.
        session.show(Presence::Visible)?;
    }
    let opens_anew = |found: &Found| session.engine.opens_anew(found.id);
    let proof = proof(&session, &target, given, opens_anew, output)?;
    if proof.ask {
        // From now on, so that nothing typed before the question is taken for its answer.
        session.inputs.read_lines();
    }
    let (id, message) = (new_transfer_id(), new_message_id());
    session.engine.command(Command::Talk(TalkRequest {
        id,
        to: target.to,
        device: target.device,
        secret: proof.secret,
        ask: proof.ask,
        remember: arguments.pair,
        first: Some((message, text)),
    }));
    let mut saying = Saying {
        session: &session,
        output,
        id,
        message,
        remembers: arguments.pair,
        to: None,
        lost: None,
        open: None,
        wait,
        asked: None,
        over: None,
    };
    saying.follow()
}

/// What is to be said: the argument, or everything that comes on standard input.
fn text(argument: Option<&str>) -> Result<String, Trouble> {
    let text = match argument {
        Some(text) if text != "-" => text.to_owned(),
        Some(_) | None => {
            let mut bytes = Vec::new();
            let most = MAX_MESSAGE_BYTES as u64 + 2;
            let read = std::io::stdin().take(most).read_to_end(&mut bytes);
            read.map_err(|error| {
                Trouble::usage("text", format!("The text could not be read: {error}."))
            })?;
            let text = String::from_utf8(bytes)
                .map_err(|_bytes| Trouble::usage("text", "The text is not valid UTF-8."))?;
            let stripped = text.strip_suffix('\n').unwrap_or(&text);
            stripped.strip_suffix('\r').unwrap_or(stripped).to_owned()
        }
    };
    if text.is_empty() {
        return Err(Trouble::usage(
            "text",
            "There is nothing to say: the text is empty.",
        ));
    }
    if text.len() > MAX_MESSAGE_BYTES {
        return Err(Trouble::usage(
            "too-long",
            format!(
                "The text has more than {MAX_MESSAGE_BYTES} bytes. Send it as a file: ropeway send."
            ),
        ));
    }
    Ok(text)
}

struct Saying<'a> {
    session: &'a Session,
    output: &'a Output,
    id: TransferId,
    message: MessageId,
    remembers: bool,
    /// To whom, once that is known.
    to: Option<Peer>,
    /// When the connection was lost, or never came about, since it was open.
    lost: Option<(Instant, Failure)>,
    /// Since when it is open, and the message should be there.
    open: Option<Instant>,
    wait: Duration,
    /// When the question was put; what was typed before is no answer to it.
    asked: Option<Instant>,
    /// It is being taken back, with this as the end, until then.
    over: Option<(Result<Exit, Failure>, Instant)>,
}

impl Saying<'_> {
    fn follow(&mut self) -> Result<Exit, Trouble> {
        loop {
            let deadline = match (&self.over, &self.lost, self.open) {
                (Some((_, at)), ..) => Some(*at),
                (None, Some((since, _)), _) => Some(*since + self.wait),
                (None, None, open) => open.map(|since| since + self.wait),
            };
            let input = match deadline {
                None => Some(self.session.inputs.next()),
                Some(deadline) => self.session.inputs.next_before(deadline),
            };
            let ended = match input {
                Some(Input::Event(event)) => self.event(event),
                Some(Input::Line(line, at)) => {
                    if self.asked.take_if(|asked| at >= *asked).is_some() {
                        self.output.answered();
                        let same = is_yes(&line);
                        self.session.engine.command(Command::Confirm(self.id, same));
                    }
                    None
                }
                Some(Input::Interrupt) => match &self.over {
                    Some(_) => Some(Ok(Exit::Interrupted)),
                    None => self.give_up(Ok(Exit::Interrupted)),
                },
                None => match (self.over.take(), self.lost.take()) {
                    (Some((end, _)), _) => Some(end),
                    (None, Some((_, failure))) => self.give_up(Err(failure)),
                    (None, None) => self.unanswered(),
                },
            };
            match ended {
                None => {}
                Some(Ok(exit)) => return Ok(exit),
                Some(Err(failure)) => {
                    return Err(Trouble {
                        sentence: self.output.reason(&failure),
                        ..Trouble::from(&failure)
                    });
                }
            }
        }
    }

    /// The end, if there is nothing to be taken back.
    fn give_up(&mut self, end: Result<Exit, Failure>) -> Option<Result<Exit, Failure>> {
        let Some(to) = self.device() else {
            return Some(end);
        };
        let take_back = Command::TakeBack(to, self.message);
        self.session.engine.command(take_back);
        self.over = Some((end, Instant::now() + TAKE_BACK_WITHIN));
        None
    }

    /// The other device is there and does not say that it has the message.
    fn unanswered(&mut self) -> Option<Result<Exit, Failure>> {
        self.open.take()?;
        let name = self.to.as_ref().map(|peer| peer.name.clone());
        let name = name.map_or_else(String::new, |name| name.to_string());
        self.output.warn(&format!(
            "{name} is connected and does not say that it has the message. There may be no room \
             on its disk."
        ));
        self.give_up(Ok(Exit::Connection))
    }

    fn device(&self) -> Option<DeviceId> {
        self.to.as_ref()?.device_id
    }

    fn event(&mut self, event: Event) -> Option<Result<Exit, Failure>> {
        match event {
            Event::Symbols(id, symbols) if id == self.id => {
                self.lost = None;
                self.output.symbols(id, &symbols);
                // Nothing that was typed before is an answer.
                input::drop_typed();
                self.asked = Some(Instant::now());
                self.output.compare(&symbols);
            }
            Event::TalkOpened(id, peer) if id == self.id => {
                self.lost = None;
                self.to = Some(peer);
            }
            Event::TalkFailed(id, failure) if id == self.id => {
                if self.asked.take().is_some() {
                    self.output.take_question_back();
                }
                return Some(Err(failure));
            }
            Event::Talk(peer, talk) if self.device() == peer.device_id && self.to.is_some() => {
                match talk {
                    Talk::Away(failure) => {
                        // It may come back somewhere else.
                        if let Err(trouble) = self.session.show(Presence::Hidden) {
                            tracing::debug!("{}", trouble.sentence);
                        }
                        let since = self
                            .lost
                            .take()
                            .map_or_else(Instant::now, |(since, _)| since);
                        self.lost = Some((since, failure));
                        self.open = None;
                    }
                    Talk::Open => {
                        self.lost = None;
                        self.open.get_or_insert_with(Instant::now);
                    }
                    Talk::Connecting | Talk::Calling | Talk::Asking | Talk::Resting => {}
                }
            }
            Event::Talk(peer, Talk::Calling) => {
                self.output.calling();
                let address = peer.address;
                self.lost = Some((Instant::now(), Failure::Unreachable { address }));
            }
            Event::Talk(_, Talk::Asking) => {
                self.output
                    .say("Waiting for the other person to say whether it is welcome.");
            }
            Event::Delivery(to, id, delivery)
                if id == self.message && self.device() == Some(to) =>
            {
                self.output.delivery(self.to.as_ref(), id, delivery);
                return match (delivery, self.over.take()) {
                    (Delivery::Delivered, _) => Some(Ok(Exit::Arrived)),
                    (Delivery::NotDelivered, Some((end, _))) => Some(end),
                    (Delivery::NotDelivered, None) => Some(Err(Failure::Declined)),
                    (Delivery::Waiting, _) => None,
                };
            }
            Event::Paired(peer) => self.output.paired(&peer),
            Event::WantsToBeRemembered(peer) if !self.remembers => {
                self.output.wants_to_be_remembered(&peer);
            }
            Event::ConversationsNotRead(why) | Event::DevicesNotRead(why) => {
                self.output.warn(&why);
            }
            _other => {}
        }
        None
    }
}
