//! What is known of conversations: what waits to be said, which numbers were heard, and the keys that
//! open them anew.
//!
//! The lines themselves are on the disk alone ([`crate::storage::transcripts`]) and go to the front
//! end once; in memory is what sending, hearing and greeting need. A thread of its own writes, and
//! tells whoever waits for it that something is kept.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

use super::event::NotSaid;
use super::greeting::random_bytes;
use super::known::KnownDevices;
use super::limits::{CONVERSATION_KEY_LIFE, CONVERSATIONS, WAITING_MESSAGES};
use super::lock;
use crate::model::{
    Bond, Conversation, Delivery, DeviceId, DeviceName, Direction, Line, MAX_MESSAGE_BYTES,
    MessageId, PeerAddress, Said, TransferLine,
};
use crate::protocol::talking::{Place, Saying};
use crate::protocol::verification::ConversationKey;
use crate::storage::transcripts::{
    self, COMPACT_FROM_BYTES, Record, Transcript, Transcripts, Trouble,
};

/// What could not be written is tried again after so long.
const WRITE_AGAIN_AFTER: Duration = Duration::from_secs(2);
/// When a key was used last is written down so often.
const KEY_WRITTEN_EVERY: Duration = Duration::from_secs(3600);
/// Records of one device that may wait for room on the disk. Of more nothing is heard, so that it has no
/// receipt and comes again; and of our own the oldest are lost.
const MOST_UNWRITTEN: usize = 1_000;

/// Dropping it waits until everything is written.
pub struct Conversations {
    known: Arc<KnownDevices>,
    state: Mutex<State>,
    /// What earlier runs kept, for the front end.
    earlier: Mutex<Vec<Conversation>>,
    writes: Option<Sender<Write>>,
    behind: Arc<Behind>,
    thread: Option<JoinHandle<()>>,
}

struct State {
    kept: HashMap<DeviceId, Kept>,
    /// On the disk.
    keeps: bool,
    /// Of the message said last.
    order: u64,
}

struct Kept {
    name: DeviceName,
    address: Option<PeerAddress>,
    /// Said and without a receipt, the oldest first.
    waiting: VecDeque<Waiting>,
    /// What is said in this run.
    stream: [u8; 16],
    next: u64,
    heard: Vec<transcripts::Place>,
    key: Option<(ConversationKey, SystemTime)>,
    touched: SystemTime,
    /// People have said something to each other, and it is kept.
    texts: bool,
    /// Over a connection.
    open: bool,
}

struct Waiting {
    order: u64,
    /// Over some connection in this run: the other end may have it.
    said: bool,
    saying: Saying,
}

impl Kept {
    fn new(name: DeviceName) -> Self {
        Self {
            name,
            address: None,
            waiting: VecDeque::new(),
            stream: random_bytes(),
            next: 1,
            heard: Vec::new(),
            key: None,
            touched: SystemTime::now(),
            texts: false,
            open: false,
        }
    }
}

/// What waits for something to be on the disk.
struct Then {
    /// Not even told when it cannot be written.
    only_if_kept: bool,
    then: Box<dyn FnOnce() + Send>,
}

/// How much of each device could not be written.
type Behind = Mutex<HashMap<DeviceId, usize>>;

enum Write {
    Add(DeviceId, Option<Record>, Option<Then>),
    /// With or without what was said and heard.
    Compact(DeviceId, bool),
    Remove(DeviceId),
}

impl Conversations {
    /// Also gives a sentence if not all that earlier runs kept could be read.
    pub fn open(
        data_dir: &Path,
        known: Arc<KnownDevices>,
    ) -> std::io::Result<(Self, Option<String>)> {
        let transcripts = Transcripts::new(data_dir);
        let mut state = State {
            kept: HashMap::new(),
            keeps: true,
            order: 0,
        };
        let mut troubles = Vec::new();
        let mut conversations = Vec::new();
        // More are none of ours.
        for device in transcripts.devices().into_iter().take(4 * CONVERSATIONS) {
            let (transcript, trouble) = transcripts.read(device);
            if let Some(trouble) = trouble {
                tracing::warn!(%trouble, ?device, "a conversation was not read");
                troubles.push(trouble);
            }
            state.take_in(device, transcript, &mut conversations);
        }
        conversations.sort_by_key(|conversation: &Conversation| {
            std::cmp::Reverse(conversation.lines.last().map(|line| line.at))
        });
        let (writes, asked) = channel();
        let behind = Arc::new(Behind::default());
        let told = behind.clone();
        let thread = thread::Builder::new()
            .name("conversations".into())
            .spawn(move || write_all(&transcripts, &asked, &told))?;
        let conversations_open = Self {
            known,
            state: Mutex::new(state),
            earlier: Mutex::new(conversations),
            writes: Some(writes),
            behind,
            thread: Some(thread),
        };
        Ok((conversations_open, sentence(&troubles)))
    }

    /// What earlier runs kept, the last one first; once.
    pub fn take_earlier(&self) -> Vec<Conversation> {
        std::mem::take(&mut lock(&self.earlier))
    }

    /// From now on nothing of what is said and heard is on the disk, or all.
    pub fn keep(&self, keeps: bool) {
        let mut state = lock(&self.state);
        if std::mem::replace(&mut state.keeps, keeps) == keeps {
            return;
        }
        if !keeps {
            for (device, kept) in &mut state.kept {
                kept.texts = false;
                self.write(Write::Compact(*device, false));
            }
        }
    }

    /// Devices to which something waits to be said.
    pub fn waiting(&self) -> Vec<DeviceId> {
        let state = lock(&self.state);
        let waiting = state
            .kept
            .iter()
            .filter(|(_, kept)| !kept.waiting.is_empty());
        waiting.map(|(device, _)| *device).collect()
    }

    pub fn waits(&self, device: DeviceId) -> bool {
        let state = lock(&self.state);
        state
            .kept
            .get(&device)
            .is_some_and(|kept| !kept.waiting.is_empty())
    }

    /// By what it called itself, if there is anything of a conversation with it.
    pub fn name(&self, device: DeviceId) -> Option<DeviceName> {
        lock(&self.state)
            .kept
            .get(&device)
            .map(|kept| kept.name.clone())
    }

    /// Where it was last reached, or may be.
    pub fn address(&self, device: DeviceId) -> Option<PeerAddress> {
        lock(&self.state).kept.get(&device)?.address.clone()
    }

    /// Whether a conversation with this device can be had: it has one, or there is room for it.
    pub fn takes_in(&self, device: DeviceId) -> bool {
        let state = lock(&self.state);
        state.kept.len() < CONVERSATIONS
            || state.kept.contains_key(&device)
            || state.kept.values().any(Kept::gives_way)
    }

    /// It is open over a connection, or not any more.
    pub fn set_open(&self, device: DeviceId, open: bool) {
        if let Some(kept) = lock(&self.state).kept.get_mut(&device) {
            kept.open = open;
        }
    }

    /// It was met, and is to be found there as far as that is known.
    pub fn met(&self, device: DeviceId, name: &DeviceName, address: Option<PeerAddress>) {
        let mut state = lock(&self.state);
        let Some(kept) = self.kept(&mut state, device, name) else {
            return;
        };
        let address = address.or_else(|| kept.address.clone());
        let changed = (&kept.name, &kept.address) != (name, &address);
        if changed {
            kept.name = name.clone();
            kept.address = address;
            let record = kept.peer_record();
            self.write(Write::Add(device, Some(record), None));
        }
    }

    /// A line, which waits to be sent from now on.
    pub fn say(
        &self,
        device: DeviceId,
        name: &DeviceName,
        id: MessageId,
        text: String,
    ) -> Result<Line, NotSaid> {
        if text.is_empty() {
            return Err(NotSaid::Empty);
        }
        if text.len() > MAX_MESSAGE_BYTES {
            return Err(NotSaid::TooLong);
        }
        let mut state = lock(&self.state);
        state.order += 1;
        let (order, keeps) = (state.order, state.keeps);
        let kept = self.kept(&mut state, device, name);
        let kept = kept.ok_or(NotSaid::NoRoom)?;
        if kept.waiting.len() >= WAITING_MESSAGES {
            return Err(NotSaid::TooMany);
        }
        let place = Place {
            stream: kept.stream,
            number: kept.next,
        };
        kept.next += 1;
        kept.texts |= keeps;
        let at = now();
        let saying = Saying {
            place,
            id,
            text: text.clone(),
        };
        kept.waiting.push_back(Waiting {
            order,
            said: false,
            saying,
        });
        let record = Record::Said {
            at,
            id,
            stream: place.stream,
            number: place.number,
            text: text.clone(),
            delivery: Delivery::Waiting,
        };
        if keeps {
            self.write(Write::Add(device, Some(record), None));
        }
        Ok(Line {
            at,
            direction: Direction::Send,
            what: Said::Text {
                id,
                text,
                delivery: Delivery::Waiting,
            },
        })
    }

    /// The next to be said behind what has that order, and its own.
    pub fn next(&self, device: DeviceId, behind: u64) -> Option<(u64, Saying)> {
        let state = lock(&self.state);
        let mut waiting = state.kept.get(&device)?.waiting.iter();
        let next = waiting.find(|waiting| waiting.order > behind)?;
        Some((next.order, next.saying.clone()))
    }

    /// These have their receipts; which messages that are.
    pub fn arrived(&self, device: DeviceId, places: &[Place]) -> Vec<MessageId> {
        self.settle(device, Delivery::Delivered, |saying| {
            places.contains(&saying.place)
        })
    }

    /// What has that order was said over a connection.
    pub fn was_said(&self, device: DeviceId, order: u64) {
        let mut state = lock(&self.state);
        let kept = state.kept.get_mut(&device);
        let mut waiting = kept.into_iter().flat_map(|kept| kept.waiting.iter_mut());
        if let Some(found) = waiting.find(|waiting| waiting.order == order) {
            found.said = true;
        }
    }

    /// A message that waits for its receipt alone: the other end may have it.
    pub fn may_be_there(&self, device: DeviceId, id: MessageId) -> bool {
        let state = lock(&self.state);
        let kept = state.kept.get(&device);
        let mut waiting = kept.into_iter().flat_map(|kept| kept.waiting.iter());
        waiting.any(|waiting| waiting.saying.id == id && waiting.said)
    }

    /// One message, or all that waits, is not to be said any more.
    pub fn take_back(&self, device: DeviceId, id: Option<MessageId>) -> Vec<MessageId> {
        self.settle(device, Delivery::NotDelivered, |saying| {
            id.is_none_or(|id| id == saying.id)
        })
    }

    fn settle(
        &self,
        device: DeviceId,
        delivery: Delivery,
        which: impl Fn(&Saying) -> bool,
    ) -> Vec<MessageId> {
        let mut state = lock(&self.state);
        let keeps = state.keeps;
        let Some(kept) = state.kept.get_mut(&device) else {
            return Vec::new();
        };
        let mut settled = Vec::new();
        kept.waiting.retain(|waiting| {
            let over = which(&waiting.saying);
            if over {
                settled.push(waiting.saying.id);
            }
            !over
        });
        if keeps {
            for id in settled.iter().copied() {
                let record = Record::Became { id, delivery };
                self.write(Write::Add(device, Some(record), None));
            }
        }
        settled
    }

    /// The disk takes nothing of this device's now, and more cannot be kept in mind.
    pub fn is_behind(&self, device: DeviceId) -> bool {
        lock(&self.behind)
            .get(&device)
            .is_some_and(|left| *left >= MOST_UNWRITTEN)
    }

    /// The line of what was heard, unless it was heard before. `then` is called when it is kept.
    pub fn hear(
        &self,
        device: DeviceId,
        name: &DeviceName,
        saying: Saying,
        then: impl FnOnce() + Send + 'static,
    ) -> Option<Line> {
        let mut state = lock(&self.state);
        let keeps = state.keeps;
        let kept = self.kept(&mut state, device, name)?;
        kept.texts |= keeps;
        let Place { stream, number } = saying.place;
        let is_new = transcripts::note_place(&mut kept.heard, (stream, number));
        let (at, id, text) = (now(), saying.id, saying.text);
        let record = match (is_new, keeps) {
            // What it waits for is the record before.
            (false, _) => None,
            (true, false) => Some(Record::Number { stream, number }),
            (true, true) => Some(Record::Heard {
                at,
                id,
                stream,
                number,
                text: text.clone(),
            }),
        };
        let then = Then {
            only_if_kept: true,
            then: Box::new(then),
        };
        self.write(Write::Add(device, record, Some(then)));
        is_new.then_some(Line {
            at,
            direction: Direction::Receive,
            what: Said::Text {
                id,
                text,
                delivery: Delivery::Delivered,
            },
        })
    }

    /// A transfer between the two has ended.
    pub fn transferred(
        &self,
        device: DeviceId,
        name: &DeviceName,
        direction: Direction,
        transfer: TransferLine,
    ) -> Line {
        let at = now();
        let mut state = lock(&self.state);
        let keeps = state.keeps;
        if self.kept(&mut state, device, name).is_some() && keeps {
            let record = Record::Transfer {
                at,
                sent: direction == Direction::Send,
                transfer: transfer.clone(),
            };
            self.write(Write::Add(device, Some(record), None));
        }
        Line {
            at,
            direction,
            what: Said::Transfer(transfer),
        }
    }

    /// What was said and heard is nobody's business any more; what waits is not sent.
    pub fn clear(&self, device: DeviceId) {
        let mut state = lock(&self.state);
        if let Some(kept) = state.kept.get_mut(&device) {
            kept.waiting.clear();
            kept.texts = false;
            self.write(Write::Compact(device, false));
        }
    }

    pub fn key(&self, device: DeviceId) -> Option<ConversationKey> {
        let state = lock(&self.state);
        let (key, used) = state.kept.get(&device)?.key.as_ref()?;
        // A file may say any time.
        let until = used.checked_add(CONVERSATION_KEY_LIFE)?;
        (until >= SystemTime::now()).then(|| key.clone())
    }

    /// A conversation is opened, and can be opened anew with this key. `then` is called when it is kept,
    /// or cannot be.
    pub fn keep_key(
        &self,
        device: DeviceId,
        name: &DeviceName,
        key: ConversationKey,
        then: impl FnOnce() + Send + 'static,
    ) {
        let mut state = lock(&self.state);
        let used = SystemTime::now();
        let Some(kept) = self.kept(&mut state, device, name) else {
            drop(state);
            return then();
        };
        let record = key_record(&key, used);
        kept.key = Some((key, used));
        let then = Then {
            only_if_kept: false,
            then: Box::new(then),
        };
        self.write(Write::Add(device, Some(record), Some(then)));
    }

    /// It has been opened with the key that is kept.
    pub fn key_used(&self, device: DeviceId) {
        let mut state = lock(&self.state);
        let Some(kept) = state.kept.get_mut(&device) else {
            return;
        };
        let Some((key, used)) = &mut kept.key else {
            return;
        };
        // Each time would not be worth a flush.
        if used.elapsed().is_ok_and(|since| since >= KEY_WRITTEN_EVERY) {
            *used = SystemTime::now();
            let record = key_record(key, *used);
            self.write(Write::Add(device, Some(record), None));
        }
    }

    /// The device gets in by no conversation any more.
    pub fn drop_key(&self, device: DeviceId) {
        let mut state = lock(&self.state);
        let Some(kept) = state.kept.get_mut(&device) else {
            return;
        };
        if kept.key.take().is_some() {
            // Rather than to add that it is gone: it is not to be found any more.
            self.write(Write::Add(device, Some(Record::NoKey), None));
            self.write(Write::Compact(device, true));
        }
    }

    /// What is kept of a device. One too many takes the place of the one that was longest silent, of
    /// paired ones last, but of none with which people talk or have talked: whoever knows a passphrase
    /// may come under as many ids as they like. `None`: there is no such place.
    fn kept<'a>(
        &self,
        state: &'a mut State,
        device: DeviceId,
        name: &DeviceName,
    ) -> Option<&'a mut Kept> {
        if !state.kept.contains_key(&device) {
            if state.kept.len() >= CONVERSATIONS {
                let paired = |id| self.known.get(id).is_some_and(|it| it.bond == Bond::Paired);
                let others = state.kept.iter();
                let others = others.filter(|(_, kept)| kept.gives_way());
                let oldest = others.min_by_key(|(id, kept)| (paired(**id), kept.touched));
                let oldest = *oldest?.0;
                state.kept.remove(&oldest);
                self.write(Write::Remove(oldest));
            }
            let kept = Kept::new(name.clone());
            self.write(Write::Add(device, Some(kept.peer_record()), None));
            state.kept.insert(device, kept);
        }
        let kept = state.kept.entry(device);
        let kept = kept.or_insert_with(|| Kept::new(name.clone()));
        kept.touched = SystemTime::now();
        Some(kept)
    }

    fn write(&self, write: Write) {
        if let Some(writes) = &self.writes {
            let _ = writes.send(write);
        }
    }
}

impl Drop for Conversations {
    fn drop(&mut self) {
        self.writes = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Kept {
    /// Nothing of it is missed.
    fn gives_way(&self) -> bool {
        !self.texts && !self.open && self.waiting.is_empty()
    }

    fn peer_record(&self) -> Record {
        Record::Peer {
            name: self.name.as_str().to_owned(),
            address: self.address.as_ref().map(ToString::to_string),
        }
    }
}

impl State {
    /// What an earlier run left of the conversation with a device.
    fn take_in(
        &mut self,
        device: DeviceId,
        transcript: Transcript,
        conversations: &mut Vec<Conversation>,
    ) {
        let Some(name) = transcript.name else {
            return;
        };
        let mut kept = Kept::new(name.clone());
        kept.address = transcript.address;
        kept.heard = transcript.known;
        kept.key = transcript.key.and_then(|(hex, used)| {
            let bytes = Zeroizing::new(HEXLOWER.decode(hex.as_bytes()).ok()?);
            let key = <[u8; 32]>::try_from(bytes.as_slice()).ok()?;
            let used = UNIX_EPOCH.checked_add(Duration::from_secs(used))?;
            Some((ConversationKey(Zeroizing::new(key)), used))
        });
        let mut last = 0;
        let mut lines = Vec::new();
        for (line, place) in transcript.lines {
            last = line.at.max(last);
            if let (Said::Text { id, text, delivery }, Some((stream, number))) = (&line.what, place)
                && *delivery == Delivery::Waiting
                && !text.is_empty()
                && text.len() <= MAX_MESSAGE_BYTES
            {
                self.order += 1;
                kept.waiting.push_back(Waiting {
                    order: self.order,
                    said: false,
                    saying: Saying {
                        place: Place { stream, number },
                        id: *id,
                        text: text.clone(),
                    },
                });
            }
            kept.texts |= matches!(line.what, Said::Text { .. });
            lines.push(line);
        }
        let touched = UNIX_EPOCH.checked_add(Duration::from_millis(last));
        kept.touched = touched.unwrap_or(UNIX_EPOCH);
        self.kept.insert(device, kept);
        if !lines.is_empty() {
            conversations.push(Conversation {
                with: device,
                name,
                lines,
            });
        }
    }
}

fn key_record(key: &ConversationKey, used: SystemTime) -> Record {
    let used = used.duration_since(UNIX_EPOCH).unwrap_or_default();
    Record::Key {
        key: Zeroizing::new(HEXLOWER.encode(key.0.as_slice())),
        used: used.as_secs(),
    }
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

fn sentence(troubles: &[Trouble]) -> Option<String> {
    let first = troubles.first()?;
    let others = match troubles.len() {
        1 => String::new(),
        many => format!(" ({} more were not read, either)", many - 1),
    };
    Some(format!(
        "A conversation was not read, or not all of it: {first}{others}."
    ))
}

/// Of one device, what is not on the disk yet.
#[derive(Default)]
struct Unwritten {
    items: Vec<Unit>,
}

/// What is kept or lost together.
struct Unit {
    record: Option<Record>,
    then: Option<Then>,
}

impl Unit {
    /// Nobody was told that it is kept, nor counts on it to open anything.
    fn may_be_lost(&self) -> bool {
        let ours = matches!(
            self.record,
            Some(Record::Said { .. } | Record::Became { .. } | Record::Transfer { .. })
        );
        ours && self.then.is_none()
    }
}

fn write_all(transcripts: &Transcripts, asked: &Receiver<Write>, behind: &Behind) {
    let mut unwritten: HashMap<DeviceId, Unwritten> = HashMap::new();
    loop {
        let first = match unwritten.is_empty() {
            true => asked.recv().map_err(|_gone| RecvTimeoutError::Disconnected),
            // The disk was full, or said no for another reason.
            false => asked.recv_timeout(WRITE_AGAIN_AFTER),
        };
        let ended = matches!(first, Err(RecvTimeoutError::Disconnected));
        // A flush takes its time. What was asked for meanwhile is written in one go.
        for write in first.into_iter().chain(asked.try_iter()) {
            match write {
                Write::Add(device, record, then) => {
                    let unwritten = unwritten.entry(device).or_default();
                    unwritten.items.push(Unit { record, then });
                    let mut too_many = unwritten.items.len().saturating_sub(MOST_UNWRITTEN);
                    unwritten.items.retain(|item| {
                        let lost = too_many > 0 && item.may_be_lost();
                        too_many -= usize::from(lost);
                        !lost
                    });
                }
                Write::Compact(device, lines) => {
                    if let Some(all) = unwritten.remove(&device) {
                        add(transcripts, device, all, false, &mut unwritten);
                    }
                    let compacted = transcripts.compact(device, lines);
                    say_if_failed(compacted);
                    if !lines && let Some(left) = unwritten.get_mut(&device) {
                        left.items.retain_mut(|item| {
                            match &item.record {
                                // That it was heard is kept all the same, and told.
                                Some(Record::Heard { stream, number, .. }) => {
                                    let (stream, number) = (*stream, *number);
                                    item.record = Some(Record::Number { stream, number });
                                    true
                                }
                                Some(Record::Said { .. } | Record::Transfer { .. }) => false,
                                _ => true,
                            }
                        });
                    }
                }
                Write::Remove(device) => {
                    unwritten.remove(&device);
                    let removed = transcripts.lock().and_then(|locked| locked.remove(device));
                    say_if_failed(removed);
                }
            }
        }
        for (device, all) in std::mem::take(&mut unwritten) {
            let again = lock(behind).contains_key(&device);
            add(transcripts, device, all, again, &mut unwritten);
        }
        let left = unwritten
            .iter()
            .map(|(device, left)| (*device, left.items.len()));
        *lock(behind) = left.collect();
        if ended {
            return;
        }
    }
}

/// Writes what waits; what cannot be written waits on, which is said once and not `again`.
fn add(
    transcripts: &Transcripts,
    device: DeviceId,
    all: Unwritten,
    again: bool,
    left: &mut HashMap<DeviceId, Unwritten>,
) {
    let records = all.items.iter().filter_map(|item| item.record.clone());
    let records: Vec<_> = records.collect();
    let written = match records.is_empty() {
        true => Ok(0),
        false => transcripts
            .lock()
            .and_then(|locked| locked.append(device, &records)),
    };
    let thens = |all: Unwritten| {
        let thens = all.items.into_iter().filter_map(|item| item.then);
        thens.for_each(|it| (it.then)());
    };
    match written {
        Ok(len_bytes) => {
            if len_bytes > COMPACT_FROM_BYTES {
                say_if_failed(transcripts.compact(device, true));
            }
            thens(all);
        }
        // Of a newer version, too: it gets no receipt, so that its sender keeps it for that one.
        Err(error) => {
            if !again {
                tracing::warn!(%error, "a conversation is not kept yet");
            }
            let mut all = all;
            let mut tried = Vec::new();
            for item in &mut all.items {
                tried.extend(item.then.take_if(|it| !it.only_if_kept));
            }
            left.insert(device, all);
            tried.into_iter().for_each(|it| (it.then)());
        }
    }
}

fn say_if_failed(done: std::io::Result<()>) {
    if let Err(error) = done {
        tracing::warn!(%error, "what is kept of a conversation could not be changed");
    }
}
