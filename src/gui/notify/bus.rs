//! Notifications by the desktop's own service, `org.freedesktop.Notifications` on the session bus
//! (specification 1.2), on threads of their own: whoever shows them may take seconds to answer.
//!
//! `notify-rust` would make a connection for each notification and cannot both wait for an answer to one
//! and replace or close it; zbus is in the tree already.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use zbus::blocking::{Connection, MessageIterator, Proxy, connection};
use zbus::zvariant::Value;

use super::{Act, Card, Heard, Order, Topic};

const SERVICE: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";
/// The service may have to be started first.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Between two changes of one notification; what changes faster is shown as it is then.
const BETWEEN: Duration = Duration::from_secs(1);
/// After nobody was there to show anything.
const TRY_AGAIN: Duration = Duration::from_secs(30);
/// For whoever ends the program while the bus is silent.
const END_WITHIN: Duration = Duration::from_millis(500);
/// More would not be read on any desktop.
const MAX_CHARS: usize = 300;

enum Input {
    Order(Order),
    Invoked(u32, String),
    Closed(u32),
    End,
}

/// Shows what is ordered, until it is dropped.
#[derive(Debug)]
pub struct Desktop {
    inputs: Sender<Input>,
    thread: Option<JoinHandle<()>>,
    /// Nothing is ever said here: it closes when the thread ends.
    ended: Receiver<()>,
}

impl Desktop {
    /// `wake` is called whenever there is something to be heard.
    pub fn start(wake: impl Fn() + Send + 'static) -> (Self, Receiver<Heard>) {
        let (inputs, ordered) = channel();
        let (say, heard) = channel();
        let signals = inputs.clone();
        let (runs, ended) = channel();
        let thread = std::thread::Builder::new().name("notify".into());
        let thread = thread.spawn(move || {
            let mut shower = Shower {
                signals,
                say: Box::new(move |what| {
                    // The window may be gone by then.
                    let _ = say.send(what);
                    wake();
                }),
                bus: None,
                silent_since: None,
                topics: HashMap::new(),
            };
            shower.run(&ordered);
            drop::<Sender<()>>(runs);
        });
        if let Err(error) = &thread {
            tracing::warn!(%error, "there are no notifications");
        }
        let thread = thread.ok();
        let desktop = Self {
            inputs,
            thread,
            ended,
        };
        (desktop, heard)
    }

    pub fn order(&self, order: Order) {
        // Without its thread nothing is shown.
        let _ = self.inputs.send(Input::Order(order));
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        let _ = self.inputs.send(Input::End);
        let ended = self.ended.recv_timeout(END_WITHIN);
        if ended == Err(RecvTimeoutError::Disconnected)
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}

/// What is shown on a topic, and what is to be shown as soon as it may be changed.
#[derive(Default)]
struct Shown {
    /// As the service counts; 0 for nothing.
    id: u32,
    acts: Vec<(String, Act)>,
    pressed: Option<Act>,
    changed: Option<Instant>,
    next: Option<Order>,
}

struct Bus {
    connection: Connection,
    proxy: Proxy<'static>,
    /// What the service can do.
    buttons: bool,
    markup: bool,
    hears: Option<JoinHandle<()>>,
}

struct Shower {
    signals: Sender<Input>,
    say: Box<dyn Fn(Heard)>,
    bus: Option<Bus>,
    silent_since: Option<Instant>,
    topics: HashMap<Topic, Shown>,
}

impl Shower {
    fn run(&mut self, inputs: &Receiver<Input>) {
        loop {
            let now = Instant::now();
            let due = self
                .topics
                .values()
                .filter_map(|shown| shown.due(now))
                .min();
            let input = match due {
                None => inputs.recv().map_err(RecvTimeoutError::from),
                Some(due) => inputs.recv_timeout(due.saturating_duration_since(now)),
            };
            match input {
                Ok(Input::Order(order)) => {
                    let topic = match &order {
                        Order::Show(topic, _) | Order::Close(topic) => *topic,
                    };
                    self.topics.entry(topic).or_default().next = Some(order);
                }
                Ok(Input::Invoked(id, key)) => self.invoked(id, &key),
                Ok(Input::Closed(id)) => {
                    if let Some(shown) = self.topics.values_mut().find(|shown| shown.id == id) {
                        shown.id = 0;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Input::End) | Err(RecvTimeoutError::Disconnected) => break,
            }
            self.show_due();
        }
        self.end();
    }

    fn show_due(&mut self) {
        let now = Instant::now();
        let due = |shown: &Shown| shown.due(now).is_some_and(|due| due <= now);
        let topics = self.topics.iter().filter(|(_, shown)| due(shown));
        let topics: Vec<Topic> = topics.map(|(topic, _)| *topic).collect();
        for topic in topics {
            let Some(mut shown) = self.topics.remove(&topic) else {
                continue;
            };
            shown.changed = Some(now);
            match shown.next.take() {
                Some(Order::Show(_, card)) => self.show(&mut shown, card),
                Some(Order::Close(_)) => self.close(&mut shown),
                None => {}
            }
            self.topics.insert(topic, shown);
        }
    }

    fn show(&mut self, shown: &mut Shown, card: Card) {
        let Some(bus) = self.connected() else {
            (self.say)(Heard::NotShown);
            return;
        };
        match bus.notify(shown.id, &card) {
            Ok(id) => {
                shown.id = id;
                shown.pressed = Some(card.pressed);
                let keys = card.buttons.iter().map(|(act, _)| (key(*act), *act));
                shown.acts = keys.collect();
            }
            Err(error) => {
                tracing::info!(%error, "a notification is not shown");
                self.disconnect();
                (self.say)(Heard::NotShown);
            }
        }
    }

    fn close(&mut self, shown: &mut Shown) {
        if let Some(bus) = &self.bus
            && shown.id != 0
            && let Err(error) = bus.close(shown.id)
        {
            tracing::info!(%error, "a notification stays");
        }
        *shown = Shown {
            changed: shown.changed,
            ..Shown::default()
        };
    }

    fn invoked(&mut self, id: u32, pressed: &str) {
        let Some(shown) = self
            .topics
            .values_mut()
            .find(|shown| shown.id == id && id != 0)
        else {
            return;
        };
        // A button of a card that is replaced by now answers nothing: the window is shown instead.
        let act = shown.acts.iter().find(|(key, _)| key == pressed);
        let act = act.map(|(_, act)| *act).or(shown.pressed);
        (self.say)(Heard::Act(act.unwrap_or(Act::Show)));
    }

    fn connected(&mut self) -> Option<&Bus> {
        let rests = |since: &Instant| since.elapsed() < TRY_AGAIN;
        if self.bus.is_none() && !self.silent_since.as_ref().is_some_and(rests) {
            match Bus::connect(self.signals.clone()) {
                Ok(bus) => self.bus = Some(bus),
                Err(error) => {
                    tracing::info!(%error, "there are no notifications on this system");
                    self.silent_since = Some(Instant::now());
                }
            }
        }
        self.bus.as_ref()
    }

    fn disconnect(&mut self) {
        for shown in self.topics.values_mut() {
            shown.id = 0;
        }
        self.silent_since = Some(Instant::now());
        if let Some(bus) = self.bus.take() {
            bus.end();
        }
    }

    /// What asks for an answer is not left behind by a program that cannot take one.
    fn end(&mut self) {
        if let Some(bus) = self.bus.take() {
            for shown in self.topics.values().filter(|shown| shown.id != 0) {
                let _ = bus.close(shown.id);
            }
            bus.end();
        }
    }
}

impl Shown {
    /// When what comes next may be shown; never before `now`.
    fn due(&self, now: Instant) -> Option<Instant> {
        self.next.as_ref()?;
        let earliest = self.changed.map(|changed| changed + BETWEEN);
        Some(earliest.map_or(now, |earliest| earliest.max(now)))
    }
}

impl Bus {
    fn connect(signals: Sender<Input>) -> zbus::Result<Self> {
        let connection = connection::Builder::session()?
            .method_timeout(ANSWER_WITHIN)
            .build()?;
        let proxy = Proxy::new(&connection, SERVICE, PATH, SERVICE)?;
        let able: Vec<String> = proxy.call("GetCapabilities", &())?;
        // Before the first notification, or an early answer would be missed.
        let rule = zbus::MatchRule::builder()
            .msg_type(zbus::message::Type::Signal)
            .sender(SERVICE)?
            .interface(SERVICE)?
            .path(PATH)?
            .build();
        let said = MessageIterator::for_match_rule(rule, &connection, None)?;
        let thread = std::thread::Builder::new().name("notify-hear".into());
        let hears = thread.spawn(move || hear(said, &signals)).ok();
        Ok(Self {
            connection,
            proxy,
            buttons: able.iter().any(|able| able == "actions"),
            markup: able.iter().any(|able| able == "body-markup"),
            hears,
        })
    }

    fn notify(&self, replaces: u32, card: &Card) -> zbus::Result<u32> {
        let mut actions: Vec<String> = Vec::new();
        if self.buttons {
            actions.extend(["default".to_owned(), card.title.clone()]);
            for (act, word) in &card.buttons {
                actions.extend([key(*act), word.clone()]);
            }
        }
        let body: String = card.body.chars().take(MAX_CHARS).collect();
        let body = if self.markup { escaped(&body) } else { body };
        let title: String = card.title.chars().take(MAX_CHARS).collect();
        // Normal; critical ones would stay over everything until they are closed.
        let urgency = Value::from(1_u8);
        let hints: HashMap<&str, Value> = [
            ("urgency", urgency),
            ("desktop-entry", Value::from(crate::gui::APP_ID)),
            ("category", Value::from("transfer")),
        ]
        .into();
        // An offer waits as long as it takes; everything else as long as this desktop likes.
        let expires = if card.urgent { 0 } else { -1_i32 };
        let icon = crate::gui::APP_ID;
        let call = (
            "Ropeway", replaces, icon, title, body, actions, hints, expires,
        );
        self.proxy.call("Notify", &call)
    }

    fn close(&self, id: u32) -> zbus::Result<()> {
        self.proxy.call("CloseNotification", &id)
    }

    fn end(self) {
        // Ends the iterator of who hears.
        let closed = self.connection.close();
        if let (Ok(()), Some(hears)) = (closed, self.hears) {
            let _ = hears.join();
        }
    }
}

fn hear(said: MessageIterator, inputs: &Sender<Input>) {
    for message in said {
        let Ok(message) = message else { return };
        let header = message.header();
        let member = header.member().map(|member| member.as_str().to_owned());
        let input = match member.as_deref() {
            Some("ActionInvoked") => {
                let body = message.body().deserialize::<(u32, String)>();
                body.ok().map(|(id, key)| Input::Invoked(id, key))
            }
            Some("NotificationClosed") => {
                let body = message.body().deserialize::<(u32, u32)>();
                body.ok().map(|(id, _why)| Input::Closed(id))
            }
            _ => None,
        };
        if let Some(input) = input
            && inputs.send(input).is_err()
        {
            return;
        }
    }
}

/// Names what it answers, so that a press which crosses a change does not answer something else.
fn key(act: Act) -> String {
    let hex = |id: TransferBytes| data_encoding::HEXLOWER.encode(&id);
    match act {
        Act::Show => "show".to_owned(),
        Act::ShowTalk(_) => "talk".to_owned(),
        Act::Accept(transfer) => format!("accept-{}", hex(transfer.0)),
        Act::Decline(transfer) => format!("decline-{}", hex(transfer.0)),
    }
}

type TransferBytes = [u8; 16];

/// For services that read markup in the body.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_card_is_shown_at_once_and_the_next_one_a_second_later() {
        let now = Instant::now();
        let mut shown = Shown::default();
        assert_eq!(shown.due(now), None);
        shown.next = Some(Order::Close(Topic::Offers));
        assert_eq!(shown.due(now), Some(now));
        shown.changed = Some(now);
        assert_eq!(shown.due(now), Some(now + BETWEEN));
        assert_eq!(shown.due(now + BETWEEN * 2), Some(now + BETWEEN * 2));
    }

    #[test]
    fn names_are_no_markup() {
        let name = "<b>a</b> & \"<a href='x'>";
        let shown = escaped(name);
        assert!(!shown.contains(['<', '>', '"']), "{shown}");
        assert_eq!(escaped("a & b"), "a &amp; b");
    }
}
