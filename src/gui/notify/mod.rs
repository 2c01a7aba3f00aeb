//! What the desktop is told while another window is in front: what waits for an answer (offers, calls,
//! symbols to compare), what has ended, messages.
//!
//! [`Watch`] reduces the engine's events to at most one notification a [`Topic`], so that a crowd of offers
//! is one notification that counts; it draws and sends nothing. [`desktop`] shows them. Neither a
//! code nor what a message says is ever in one.

#[cfg(target_os = "linux")]
#[path = "bus.rs"]
pub mod desktop;
#[cfg(not(target_os = "linux"))]
#[path = "nowhere.rs"]
pub mod desktop;
#[cfg(all(test, target_os = "linux"))]
mod nowhere;

use super::format::size;
use super::texts::Texts;
use super::view::View;
use crate::engine::{Event, Offer};
use crate::model::{DeviceId, Direction, Party, Said, Status, Summary, TransferId, displayable};

/// Names in one notification; a count says how many more there are.
const MAX_NAMES: usize = 3;

/// What a notification is about. Of each there is one at most.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Topic {
    Offers,
    Ended,
    Messages,
}

impl Topic {
    const ALL: [Self; 3] = [Self::Offers, Self::Ended, Self::Messages];
}

/// One notification, as text that is not escaped for anything yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Card {
    pub title: String,
    pub body: String,
    /// What pressing the notification itself means.
    pub pressed: Act,
    pub buttons: Vec<(Act, String)>,
    /// Somebody waits.
    pub urgent: bool,
}

/// What a person does to a notification.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    Show,
    ShowTalk(DeviceId),
    Accept(TransferId),
    Decline(TransferId),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Order {
    /// Instead of what is shown on this topic.
    Show(Topic, Card),
    Close(Topic),
}

/// What came back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    Act(Act),
    /// There is nobody on this system who shows it.
    NotShown,
}

/// A transfer that has ended while another window was in front.
struct Ended {
    title: String,
    body: String,
    problem: bool,
}

#[derive(Default)]
pub struct Watch {
    ended: Vec<Ended>,
    /// How many there were, and from whom, the newest last.
    messages: usize,
    writers: Vec<(DeviceId, String)>,
    shown: Vec<(Topic, Card)>,
}

impl Watch {
    /// Before the view has it, while another window is in front.
    pub fn hear(&mut self, event: &Event, view: &View, texts: &Texts) {
        match event {
            Event::Ended(summary) => {
                let row = view.rows.iter().find(|row| row.id == summary.transfer);
                let names = row.map_or(&[][..], |row| row.names.as_slice());
                let picked = row.map_or(0, |row| row.picked);
                let Some(title) = ended_title(summary, texts) else {
                    return;
                };
                let problem = matches!(summary.status, Status::Problems | Status::Failed);
                let body = match &summary.failure {
                    Some(failure) if problem => (texts.failure)(failure),
                    _ => listed(texts, names, picked),
                };
                self.ended.push(Ended {
                    title,
                    body,
                    problem,
                });
            }
            Event::Line(peer, line) => {
                let is_text = matches!(line.what, Said::Text { .. });
                if let Some(device) = peer.device_id
                    && is_text
                    && line.direction == Direction::Receive
                {
                    self.messages += 1;
                    self.writers.retain(|(known, _)| *known != device);
                    self.writers.push((device, peer.name.to_string()));
                }
            }
            _ => {}
        }
    }

    /// What is to be shown from now on: nothing to somebody who sees the window.
    pub fn look(&mut self, view: &View, texts: &Texts, wanted: bool) -> Vec<Order> {
        if !wanted {
            self.ended.clear();
            self.messages = 0;
            self.writers.clear();
        }
        let mut orders = Vec::new();
        for topic in Topic::ALL {
            let card = match topic {
                _ if !wanted => None,
                Topic::Offers => offers(view, texts),
                Topic::Ended => self.ended(texts),
                Topic::Messages => self.messages(texts),
            };
            let shown = self.shown.iter().position(|(known, _)| *known == topic);
            match (card, shown) {
                (None, Some(at)) => {
                    self.shown.swap_remove(at);
                    orders.push(Order::Close(topic));
                }
                (Some(card), at) => {
                    if at
                        .and_then(|at| self.shown.get(at))
                        .is_some_and(|(_, old)| *old == card)
                    {
                        continue;
                    }
                    if let Some(at) = at {
                        self.shown.swap_remove(at);
                    }
                    self.shown.push((topic, card.clone()));
                    orders.push(Order::Show(topic, card));
                }
                (None, None) => {}
            }
        }
        orders
    }

    fn ended(&self, texts: &Texts) -> Option<Card> {
        let (title, body) = match self.ended.as_slice() {
            [] => return None,
            [one] => (one.title.clone(), one.body.clone()),
            many => {
                let problems = many.iter().filter(|one| one.problem).count() as u64;
                let body = match problems {
                    0 => String::new(),
                    problems => (texts.hands.notes_with_problems)(problems),
                };
                ((texts.hands.notes_ended)(many.len() as u64), body)
            }
        };
        Some(Card {
            title,
            body,
            pressed: Act::Show,
            buttons: Vec::new(),
            urgent: false,
        })
    }

    /// Who, and never what: notifications are seen on locked screens.
    fn messages(&self, texts: &Texts) -> Option<Card> {
        let words = &texts.hands;
        let (title, body, pressed) = match (self.messages, self.writers.as_slice()) {
            (_, []) => return None,
            (1, [(device, who)]) => (
                (words.note_message)(who),
                String::new(),
                Act::ShowTalk(*device),
            ),
            (count, writers) => {
                let names: Vec<_> = writers.iter().rev().map(|(_, name)| name.clone()).collect();
                let pressed = match writers {
                    [(device, _)] => Act::ShowTalk(*device),
                    _several => Act::Show,
                };
                let body = listed(texts, &names, names.len() as u64);
                ((words.notes_messages)(count as u64), body, pressed)
            }
        };
        Some(Card {
            title,
            body,
            pressed,
            buttons: vec![(pressed, words.show.to_owned())],
            urgent: false,
        })
    }
}

/// How a transfer has ended; nothing if the person here has ended it.
pub fn ended_title(summary: &Summary, texts: &Texts) -> Option<String> {
    let who = summary.peer.name.as_str();
    let words = &texts.hands;
    Some(match (summary.status, summary.direction) {
        (Status::Arrived, Direction::Receive) => (words.note_received)(who),
        (Status::Arrived, Direction::Send) => (words.note_sent)(who),
        (Status::Problems | Status::Failed, _) => (words.note_problems)(who),
        (Status::Declined, Direction::Send) => (words.note_declined)(who),
        (Status::Cancelled(Party::Peer), _) => (words.note_cancelled)(who),
        (Status::Interrupted, _) => (words.note_interrupted)(who),
        (Status::Declined, Direction::Receive) | (Status::Cancelled(Party::Us), _) => return None,
    })
}

/// Of everything that waits for an answer.
fn offers(view: &View, texts: &Texts) -> Option<Card> {
    let words = &texts.hands;
    let to_show = (Act::Show, words.show.to_owned());
    let calls: Vec<_> = view.calls().map(|caller| caller.name.as_str()).collect();
    let questions = view.questions.iter();
    let compares: Vec<_> = questions.map(|(id, _)| view.receiver(*id)).collect();
    let of_offers = (view.offers.as_slice(), view.talks.offers.as_slice());
    let asked = (calls.as_slice(), compares.as_slice());
    let (title, body, buttons) = match (of_offers, asked) {
        (([], []), ([], [])) => return None,
        (([offer], []), ([], [])) => {
            let title = (texts.offer_title)(offer.from.name.as_str());
            let mut buttons = vec![(Act::Decline(offer.transfer), texts.decline.to_owned())];
            match may_accept(offer) {
                true => buttons.insert(0, (Act::Accept(offer.transfer), texts.accept.to_owned())),
                false => buttons.insert(0, to_show),
            }
            (title, about(offer, texts), buttons)
        }
        (([], [text]), ([], [])) => {
            let title = (texts.text_offer_title)(text.from.name.as_str());
            (title, String::new(), vec![to_show])
        }
        (([], []), ([who], [])) => {
            let about = words.note_call_about.to_owned();
            ((words.note_call)(who), about, vec![to_show])
        }
        (([], []), ([], [who])) => {
            let title = who.map_or_else(|| words.offer_compare.to_owned(), words.note_compare);
            let about = words.note_compare_about.to_owned();
            (title, about, vec![to_show])
        }
        ((files, text), (calls, compares)) => {
            let mut names: Vec<String> = Vec::new();
            let offers = files.iter().map(|offer| &offer.from);
            let offers = offers.chain(text.iter().map(|offer| &offer.from));
            let asked = calls.iter().copied();
            let asked = asked.chain(compares.iter().copied().flatten());
            for name in offers.map(|from| from.name.as_str()).chain(asked) {
                if !names.iter().any(|known| known == name) {
                    names.push(name.to_owned());
                }
            }
            let asked = calls.len() + compares.len();
            let count = files.len() + text.len() + asked;
            let body = listed(texts, &names, names.len() as u64);
            let title = match asked {
                0 => words.offers_wait,
                _ => words.answers_wait,
            };
            (title(count as u64), body, vec![to_show])
        }
    };
    Some(Card {
        title,
        body,
        pressed: Act::Show,
        buttons,
        urgent: true,
    })
}

/// Without a look at the window: no symbols are to be compared, and there is room.
pub fn may_accept(offer: &Offer) -> bool {
    offer.symbols.is_none() && offer.free_bytes.is_none_or(|free| free >= offer.bytes)
}

fn about(offer: &Offer, texts: &Texts) -> String {
    if offer.symbols.is_some() {
        return texts.hands.offer_compare.to_owned();
    }
    let names = listed(texts, &offer.names, offer.picked);
    // A number that grows would be another notification each time.
    if offer.counting {
        return names;
    }
    let count = (texts.items)(offer.entries);
    let mut about = format!("{names}\n{count} · {}", size(offer.bytes));
    if let Some(free) = offer.free_bytes.filter(|free| *free < offer.bytes) {
        let short = offer.bytes - free;
        about = format!(
            "{about}\n{}",
            (texts.offer_no_room)(&size(free), &size(short))
        );
    }
    about
}

/// The first few of so many.
pub fn listed(texts: &Texts, names: &[String], all: u64) -> String {
    let shown: Vec<_> = names
        .iter()
        .take(MAX_NAMES)
        .map(|name| displayable(name))
        .collect();
    let more = all.saturating_sub(shown.len() as u64);
    let between = texts.picks_between;
    let shown = shown.join(between);
    match more {
        0 => shown,
        more => format!("{shown}{between}{}", (texts.offer_more)(more)),
    }
}
