//! Conversations: what was said and sent, device by device, and what is being typed.

use crate::engine::{Looked, NotSaid, Talk, TextOffer};
use crate::model::{
    Conversation, Delivery, DeviceId, Direction, Failure, Line, MAX_MESSAGE_BYTES, MessageId, Peer,
    Said, TransferId, Trust,
};

use super::cards::Card;
use super::draft::Draft;
use crate::gui::clipboard::NoPicture;

/// Lines kept in memory for one device; the disk keeps as many.
const MAX_LINES: usize = 2_000;
/// Lines drawn at first, and with each wish for earlier ones.
pub const PAGE: usize = 100;

#[derive(Default)]
pub struct Talks {
    /// The one with the latest line first.
    pub threads: Vec<Thread>,
    /// The one in sight, while conversations are shown.
    pub open: Option<DeviceId>,
    /// Who is not known and wants to say something.
    pub offers: Vec<TextOffer>,
}

pub struct Thread {
    pub with: DeviceId,
    /// As it calls itself.
    pub name: String,
    pub trust: Trust,
    /// The oldest first.
    pub lines: Vec<Line>,
    /// Nothing before the first connection of this run.
    pub state: Option<Talk>,
    pub unread: usize,
    /// Of the newest lines so many are drawn.
    pub shown: usize,
    /// What is being typed.
    pub text: String,
    /// Where it is and how to get in, while it is neither paired nor connected.
    pub way: Draft,
    /// The attempt to open it, and what was to be said first.
    pub attempt: Option<(TransferId, String)>,
    /// Why that did not work.
    pub failure: Option<Failure>,
    /// What was said last, until there is a line of it; and why there is none.
    pub said: Option<(MessageId, String)>,
    pub not_said: Option<NotSaid>,
    /// Why the picture in the clipboard was not sent.
    pub no_picture: Option<NoPicture>,
}

impl Thread {
    fn new(with: DeviceId, name: String) -> Self {
        Self {
            with,
            name,
            trust: Trust::None,
            lines: Vec::new(),
            state: None,
            unread: 0,
            shown: PAGE,
            text: String::new(),
            way: Draft::default(),
            attempt: None,
            failure: None,
            said: None,
            not_said: None,
            no_picture: None,
        }
    }

    /// What was not said is in the field again, before what was typed since.
    pub fn give_back(&mut self, text: String) {
        let since = std::mem::replace(&mut self.text, text);
        if !since.trim().is_empty() {
            self.text.push('\n');
            self.text.push_str(&since);
        }
    }

    fn last(&self) -> u64 {
        self.lines.last().map_or(0, |line| line.at)
    }

    /// What is said now needs no code and no question.
    pub fn is_open(&self, paired: bool) -> bool {
        let shut_out = matches!(
            &self.state,
            Some(Talk::Away(
                Failure::WrongSecret | Failure::SecretNeeded | Failure::NotConfirmed
            ))
        );
        paired || (self.state.is_some() && !shut_out)
    }

    /// What is typed, as it would be said.
    pub fn typed(&self) -> Result<&str, Untyped> {
        let text = self.text.trim_end();
        if text.trim().is_empty() {
            Err(Untyped::Nothing)
        } else if text.len() > MAX_MESSAGE_BYTES {
            Err(Untyped::TooLong)
        } else {
            Ok(text)
        }
    }

    /// Messages that are not there yet.
    pub fn waiting(&self) -> usize {
        let waits = |line: &&Line| {
            matches!(
                line.what,
                Said::Text {
                    delivery: Delivery::Waiting,
                    ..
                }
            )
        };
        self.lines.iter().filter(waits).count()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Untyped {
    Nothing,
    TooLong,
}

impl Talks {
    pub fn unread(&self) -> usize {
        self.threads.iter().map(|thread| thread.unread).sum()
    }

    pub fn thread(&mut self, with: DeviceId) -> Option<&mut Thread> {
        self.threads.iter_mut().find(|thread| thread.with == with)
    }

    pub fn thread_of(&self, with: DeviceId) -> Option<&Thread> {
        self.threads.iter().find(|thread| thread.with == with)
    }

    /// Whose conversation an attempt is to open.
    pub fn attempted(&self, attempt: TransferId) -> Option<&Thread> {
        let ours = |thread: &&Thread| matches!(&thread.attempt, Some((id, _)) if *id == attempt);
        self.threads.iter().find(ours)
    }

    /// A device is in sight, and what it said is read. One that nothing was exchanged with is
    /// asked what it takes.
    pub fn show(&mut self, card: Option<&Card>, with: DeviceId) {
        self.open = Some(with);
        let name = || card.map_or_else(|| with.short(), |card| card.name.clone());
        if self.thread(with).is_none() {
            self.threads.push(Thread::new(with, name()));
        }
        if let Some(thread) = self.thread(with) {
            thread.unread = 0;
            let settled = thread.way.chosen.is_some() || thread.state.is_some();
            if let Some(card) = card
                && !settled
            {
                thread.way.choose(card);
            }
        }
    }

    pub(super) fn kept(&mut self, conversations: Vec<Conversation>) {
        for kept in conversations {
            let thread = self.of(kept.with, kept.name.as_str());
            thread.lines.splice(0..0, kept.lines);
        }
        self.order();
    }

    pub(super) fn line(&mut self, peer: &Peer, line: Line) {
        let Some(with) = peer.device_id else { return };
        let in_sight = self.open == Some(with);
        let thread = self.of(with, peer.name.as_str());
        if line.direction == Direction::Receive && !in_sight {
            thread.unread += 1;
        }
        if let Said::Text { id, .. } = &line.what
            && thread.said.take_if(|(said, _)| said == id).is_some()
        {
            thread.not_said = None;
        }
        thread.lines.push(line);
        if thread.lines.len() > MAX_LINES {
            thread.lines.remove(0);
        }
        self.order();
    }

    /// A device that was chosen when it could not be reached may be by now.
    pub(super) fn cards_changed(&mut self, cards: &[Card]) {
        for thread in &mut self.threads {
            thread.way.cards_changed(cards);
        }
    }

    pub(super) fn found(&mut self, looked: &Looked) {
        for thread in &mut self.threads {
            thread.way.found(looked.clone());
        }
    }

    pub(super) fn delivery(&mut self, with: DeviceId, message: MessageId, now: Delivery) {
        let Some(thread) = self.thread(with) else {
            return;
        };
        for line in thread.lines.iter_mut().rev() {
            if let Said::Text { id, delivery, .. } = &mut line.what
                && *id == message
                && line.direction == Direction::Send
            {
                *delivery = now;
                return;
            }
        }
    }

    pub(super) fn state(&mut self, peer: &Peer, state: Talk) {
        let Some(with) = peer.device_id else { return };
        let thread = self.of(with, peer.name.as_str());
        if state == Talk::Open {
            thread.attempt = None;
            thread.failure = None;
            thread.trust = peer.trust;
            thread.way.code.clear();
        }
        thread.state = Some(state);
    }

    /// What was typed comes back.
    pub(super) fn failed(&mut self, attempt: TransferId, failure: Failure) {
        for thread in &mut self.threads {
            let ours = matches!(&thread.attempt, Some((id, _)) if *id == attempt);
            if ours && let Some((_, text)) = thread.attempt.take() {
                thread.give_back(text);
                thread.way.focus_code = matches!(failure, Failure::WrongSecret);
                if matches!(failure, Failure::KnownOnly | Failure::SecretNeeded) {
                    thread.way.look_now = true;
                }
                thread.failure = Some(failure);
                thread.state = None;
                return;
            }
        }
    }

    pub(super) fn opened(&mut self, attempt: TransferId) {
        for thread in &mut self.threads {
            thread.attempt.take_if(|(id, _)| *id == attempt);
        }
    }

    /// What was typed comes back.
    pub(super) fn not_said(&mut self, to: DeviceId, message: MessageId, why: NotSaid) {
        let Some(thread) = self.thread(to) else {
            return;
        };
        if let Some((_, text)) = thread.said.take_if(|(id, _)| *id == message) {
            thread.give_back(text);
            thread.not_said = Some(why);
        }
    }

    pub fn no_picture(&mut self, device: DeviceId, why: Option<NoPicture>) {
        if let Some(thread) = self.thread(device) {
            thread.no_picture = why;
        }
    }

    pub(super) fn offered(&mut self, offer: TextOffer) {
        let same = |known: &TextOffer| known.from.device_id == offer.from.device_id;
        self.offers.retain(|known| !same(known));
        self.offers.push(offer);
    }

    pub fn answered(&mut self, device: DeviceId) {
        self.offers
            .retain(|offer| offer.from.device_id != Some(device));
    }

    /// Nothing is left of it here.
    pub fn cleared(&mut self, with: DeviceId) {
        if let Some(thread) = self.thread(with) {
            thread.lines.clear();
            thread.unread = 0;
        }
    }

    fn of(&mut self, with: DeviceId, name: &str) -> &mut Thread {
        let index = self.threads.iter().position(|thread| thread.with == with);
        let index = index.unwrap_or_else(|| {
            self.threads.push(Thread::new(with, String::new()));
            self.threads.len() - 1
        });
        let thread = &mut self.threads[index];
        name.clone_into(&mut thread.name);
        thread
    }

    fn order(&mut self) {
        self.threads
            .sort_by_key(|thread| std::cmp::Reverse(thread.last()));
    }
}
