//! Transfers that can go on: what each end keeps of an accepted one until it is over. The sender
//! writes it down before it offers, since the answer may come to nobody.
//!
//! Known in memory to whoever greets, kept on disk as one record a transfer, readable by the owner
//! alone: the session key in it opens that one transfer and nothing else. A thread of its own
//! writes, so that no transfer waits for that.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::lock;
use super::waiting::{MAX_WAITING, Shelf, Waiting};
use crate::model::{DeviceId, Direction, OnConflict, TransferId};
use crate::protocol::verification::SessionKey;
use crate::storage::inbox::KEPT_FOR;
use crate::storage::record;

const FOLDER: &str = "transfers";
const VERSION: u32 = 1;

/// A transfer that is not over.
#[derive(Clone)]
pub struct Kept {
    pub transfer: TransferId,
    pub direction: Direction,
    /// Sending: it was offered, and no answer was heard. Only the receiver knows whether it can go on.
    pub unanswered: bool,
    pub peer: DeviceId,
    pub peer_name: String,
    /// Where the sender dials again; at the receiver, where it came from.
    pub address: String,
    pub key: SessionKey,
    /// Sending: what was picked. Receiving: the save folder alone.
    pub places: Vec<PathBuf>,
    /// Names of what was picked, for display.
    pub names: Vec<String>,
    pub picked: u64,
    pub entries: u64,
    pub bytes: u64,
    /// Content the receiver held when it was last written down.
    pub held_bytes: u64,
    /// The person here ended it: going on asks again.
    pub cancelled_here: bool,
    /// The person here paused it.
    pub paused: bool,
    /// Receiving: it has had a place in its folder. Before that, a folder that is not there is not
    /// gone, but still to be made.
    pub placed: bool,
    /// Receiving: it went to the save folder, because nobody said otherwise for it.
    pub by_default: bool,
    /// Receiving: what was picked, as far as it was ever listed to its end. Nothing else may go on.
    pub picks: Option<[u8; 32]>,
    /// Receiving: what happens to names that are taken.
    pub on_conflict: OnConflict,
    /// Receiving: it has arrived; it is kept until the sender knows.
    pub arrived: bool,
    /// It came to its end and so many entries failed. What arrived stays as it is; only the rest
    /// may still come, and unless it counts as arrived, another try may bring it.
    pub failed: u64,
    /// When it was last written down.
    pub touched: SystemTime,
}

impl Kept {
    /// It came to its end, and another try may bring what failed.
    pub fn can_retry(&self) -> bool {
        self.failed > 0 && !self.arrived
    }

    /// Until when it can go on.
    pub fn until(&self) -> SystemTime {
        self.touched.checked_add(KEPT_FOR).unwrap_or(self.touched)
    }
}

#[derive(Serialize, Deserialize)]
struct KeptRecord {
    sending: bool,
    #[serde(default)]
    unanswered: bool,
    peer: String,
    peer_name: String,
    address: String,
    key: Zeroizing<String>,
    places: Vec<PathBuf>,
    names: Vec<String>,
    picked: u64,
    entries: u64,
    bytes: u64,
    held_bytes: u64,
    cancelled_here: bool,
    #[serde(default)]
    paused: bool,
    #[serde(default)]
    placed: bool,
    #[serde(default)]
    by_default: bool,
    picks: Option<String>,
    #[serde(default)]
    on_conflict: OnConflict,
    arrived: bool,
    #[serde(default)]
    failed: u64,
    /// Seconds since 1970.
    touched: u64,
}

/// What waits for a record to be on the disk.
type Then = Box<dyn FnOnce() + Send>;

enum Write {
    Save(Box<Kept>, Option<Then>),
    Remove(TransferId),
    Wait(Box<Waiting>, Then),
    NoWait(TransferId),
    TakeUp(Box<dyn FnOnce(Vec<Waiting>) + Send>),
}

/// Dropping it waits until everything is written.
pub struct Ledger {
    kept: Mutex<HashMap<TransferId, Kept>>,
    /// What waits for its device in this process, and is written down.
    waiting: Arc<Mutex<HashSet<TransferId>>>,
    writes: Option<Sender<Write>>,
    thread: Option<JoinHandle<()>>,
}

impl Ledger {
    /// Reads what earlier runs kept. Records that cannot be read are left alone; their time will
    /// be over one day.
    pub fn open(data_dir: &Path) -> std::io::Result<Self> {
        let folder = data_dir.join(FOLDER);
        record::sweep(data_dir);
        record::sweep(&folder);
        let kept = read_all(&folder);
        let (writes, asked) = channel();
        let shelf = Shelf::new(data_dir);
        let thread = thread::Builder::new()
            .name("ledger".into())
            .spawn(move || write_all(&folder, shelf, &asked))?;
        Ok(Self {
            kept: Mutex::new(kept),
            waiting: Arc::default(),
            writes: Some(writes),
            thread: Some(thread),
        })
    }

    pub fn get(&self, transfer: TransferId) -> Option<Kept> {
        let known = lock(&self.kept).get(&transfer).cloned();
        known.filter(|kept| kept.until() >= SystemTime::now())
    }

    pub fn all(&self) -> Vec<Kept> {
        let mut all: Vec<_> = lock(&self.kept).values().cloned().collect();
        all.sort_by_key(|kept| kept.touched);
        all
    }

    /// What was kept of sending these things to this address, or to this device wherever it is; last
    /// written down first.
    pub fn like(&self, places: &[PathBuf], address: &str, device: Option<DeviceId>) -> Vec<Kept> {
        let now = SystemTime::now();
        let mut all = self.all();
        all.retain(|kept| {
            let there = kept.address == address || device == Some(kept.peer);
            let same = kept.places == places && there;
            kept.direction == Direction::Send && same && kept.until() >= now
        });
        all.reverse();
        all
    }

    pub fn keep(&self, kept: Kept) {
        self.save(kept, None);
    }

    /// Calls `then` once it is written down, or cannot be: whatever happens from then on, a kill
    /// included, the transfer goes on.
    pub fn keep_first(&self, kept: Kept, then: impl FnOnce() + Send + 'static) {
        self.save(kept, Some(Box::new(then)));
    }

    fn save(&self, mut kept: Kept, then: Option<Then>) {
        kept.touched = SystemTime::now();
        lock(&self.kept).insert(kept.transfer, kept.clone());
        self.write(Write::Save(Box::new(kept), then));
    }

    /// Changes what is known of a kept transfer; one that is not kept stays so.
    pub fn update(&self, transfer: TransferId, change: impl FnOnce(&mut Kept)) {
        if let Some(mut kept) = self.get(transfer) {
            change(&mut kept);
            self.keep(kept);
        }
    }

    /// The other end knows how it ended: nothing is left to do, unless failed entries wait for
    /// another try.
    pub fn settle(&self, transfer: TransferId) {
        if !self.get(transfer).is_some_and(|kept| kept.can_retry()) {
            self.forget(transfer);
        }
    }

    pub fn forget(&self, transfer: TransferId) -> Option<Kept> {
        let known = lock(&self.kept).remove(&transfer);
        if known.is_some() {
            self.write(Write::Remove(transfer));
        }
        known
    }

    /// Calls `then` once it is written down that the send waits, or cannot be. `false`: too many do.
    pub fn wait(&self, waiting: Waiting, then: impl FnOnce() + Send + 'static) -> bool {
        let mut all = lock(&self.waiting);
        if !all.contains(&waiting.transfer) && all.len() >= MAX_WAITING {
            return false;
        }
        all.insert(waiting.transfer);
        drop(all);
        self.write(Write::Wait(Box::new(waiting), Box::new(then)));
        true
    }

    /// It waits no longer: it is accepted, which is to be [kept](Self::keep) before this, or over.
    pub fn waits_no_longer(&self, transfer: TransferId) {
        if lock(&self.waiting).remove(&transfer) {
            self.write(Write::NoWait(transfer));
        }
    }

    pub fn waits(&self, transfer: TransferId) -> bool {
        lock(&self.waiting).contains(&transfer)
    }

    /// Hands over what waits since earlier processes, as far as no living one does.
    pub fn take_up(&self, then: impl FnOnce(Vec<Waiting>) + Send + 'static) {
        let waiting = self.waiting.clone();
        self.write(Write::TakeUp(Box::new(move |taken: Vec<Waiting>| {
            lock(&waiting).extend(taken.iter().map(|one| one.transfer));
            then(taken);
        })));
    }

    fn write(&self, write: Write) {
        if let Some(writes) = &self.writes {
            let _ = writes.send(write);
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.writes = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn path_of(folder: &Path, transfer: TransferId) -> PathBuf {
    folder.join(format!("{transfer}.json"))
}

fn read_all(folder: &Path) -> HashMap<TransferId, Kept> {
    let mut all = HashMap::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return all;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(Ok(transfer)) = name
            .and_then(|name| name.strip_suffix(".json"))
            .map(str::parse)
        else {
            continue;
        };
        match record::load::<KeptRecord>(&path, VERSION) {
            Ok(Some(record)) => {
                if let Some(kept) = understood(transfer, record) {
                    if kept.until() < SystemTime::now() {
                        let _ = fs::remove_file(&path);
                    } else {
                        all.insert(transfer, kept);
                    }
                }
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "a kept transfer cannot go on"),
        }
    }
    all
}

fn understood(transfer: TransferId, record: KeptRecord) -> Option<Kept> {
    let bytes =
        |hex: &str| -> Option<[u8; 32]> { HEXLOWER.decode(hex.as_bytes()).ok()?.try_into().ok() };
    Some(Kept {
        transfer,
        direction: match record.sending {
            true => Direction::Send,
            false => Direction::Receive,
        },
        unanswered: record.unanswered,
        peer: DeviceId(bytes(&record.peer)?),
        peer_name: record.peer_name,
        address: record.address,
        key: SessionKey(Zeroizing::new(bytes(&record.key)?)),
        places: record.places,
        names: record.names,
        picked: record.picked,
        entries: record.entries,
        bytes: record.bytes,
        held_bytes: record.held_bytes,
        cancelled_here: record.cancelled_here,
        paused: record.paused,
        placed: record.placed,
        by_default: record.by_default,
        picks: record.picks.as_deref().and_then(bytes),
        on_conflict: record.on_conflict,
        arrived: record.arrived,
        failed: record.failed,
        touched: UNIX_EPOCH.checked_add(Duration::from_secs(record.touched))?,
    })
}

/// The last word on a transfer, and who waits for it.
struct Last {
    transfer: TransferId,
    kept: Option<Box<Kept>>,
    waiting: Vec<Then>,
}

fn write_all(folder: &Path, mut shelf: Shelf, asked: &Receiver<Write>) {
    while let Ok(first) = asked.recv() {
        // A flush takes its time. What was asked for meanwhile is written in one go: of each transfer
        // the last word, which is all that would be left of them.
        let mut last: Vec<Last> = Vec::new();
        let mut waits: HashMap<TransferId, Option<Box<Waiting>>> = HashMap::new();
        let mut waiting: Vec<Then> = Vec::new();
        for write in std::iter::once(first).chain(asked.try_iter()) {
            let (transfer, kept, then) = match write {
                Write::Save(kept, then) => (kept.transfer, Some(kept), then),
                Write::Remove(transfer) => (transfer, None, None),
                Write::Wait(one, then) => {
                    waiting.push(then);
                    waits.insert(one.transfer, Some(one));
                    continue;
                }
                Write::NoWait(transfer) => {
                    waits.insert(transfer, None);
                    continue;
                }
                Write::TakeUp(then) => {
                    then(shelf.take_up());
                    continue;
                }
            };
            let before = last.iter().position(|last| last.transfer == transfer);
            let mut waiting = before.map_or_else(Vec::new, |at| last.remove(at).waiting);
            waiting.extend(then);
            last.push(Last {
                transfer,
                kept,
                waiting,
            });
        }
        // In this order there is at every moment a record of what is not over: what begins to wait, what
        // is accepted, what waits no longer, what has arrived.
        for one in waits.values().flatten() {
            shelf.save(one);
        }
        waiting.into_iter().for_each(|then| then());
        let (saved, over): (Vec<_>, Vec<_>) =
            last.into_iter().partition(|last| last.kept.is_some());
        for last in saved {
            if let Some(kept) = last.kept {
                write_one(folder, *kept);
            }
            last.waiting.into_iter().for_each(|then| then());
        }
        let no_longer = waits.iter().filter(|(_, waits)| waits.is_none());
        shelf.remove(&no_longer.map(|(transfer, _)| *transfer).collect::<Vec<_>>());
        for last in over {
            let _ = fs::remove_file(path_of(folder, last.transfer));
            last.waiting.into_iter().for_each(|then| then());
        }
    }
}

fn write_one(folder: &Path, kept: Kept) {
    let path = path_of(folder, kept.transfer);
    let seconds = kept.touched.duration_since(UNIX_EPOCH).unwrap_or_default();
    let record = KeptRecord {
        sending: kept.direction == Direction::Send,
        unanswered: kept.unanswered,
        peer: HEXLOWER.encode(&kept.peer.0),
        peer_name: kept.peer_name,
        address: kept.address,
        key: Zeroizing::new(HEXLOWER.encode(kept.key.0.as_slice())),
        places: kept.places,
        names: kept.names,
        picked: kept.picked,
        entries: kept.entries,
        bytes: kept.bytes,
        held_bytes: kept.held_bytes,
        cancelled_here: kept.cancelled_here,
        paused: kept.paused,
        placed: kept.placed,
        by_default: kept.by_default,
        picks: kept.picks.map(|picks| HEXLOWER.encode(&picks)),
        on_conflict: kept.on_conflict,
        arrived: kept.arrived,
        failed: kept.failed,
        touched: seconds.as_secs(),
    };
    if let Err(error) = record::save(&path, VERSION, &record) {
        tracing::warn!(%error, "a transfer could go on only while this runs");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Chosen;
    use crate::model::PeerAddress;

    fn kept(number: u8) -> Kept {
        Kept {
            transfer: TransferId([number; 16]),
            direction: Direction::Send,
            unanswered: true,
            peer: DeviceId([1; 32]),
            peer_name: "Desk".into(),
            address: "desk:9000".into(),
            key: SessionKey(Zeroizing::new([2; 32])),
            places: vec!["/photos".into()],
            names: vec!["photos".into()],
            picked: 1,
            entries: 0,
            bytes: 0,
            held_bytes: 0,
            cancelled_here: false,
            paused: false,
            placed: false,
            by_default: false,
            picks: None,
            on_conflict: OnConflict::default(),
            arrived: false,
            failed: 0,
            touched: UNIX_EPOCH,
        }
    }

    #[test]
    fn of_each_transfer_the_last_word_is_on_the_disk_and_all_who_wait_hear_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let (told, heard) = channel();
        let ledger = Ledger::open(dir.path()).unwrap();
        for entries in 0..100 {
            for number in [1, 2] {
                let told = told.clone();
                let kept = Kept {
                    entries,
                    ..kept(number)
                };
                ledger.keep_first(kept, move || told.send(number).unwrap());
            }
        }
        ledger.forget(TransferId([1; 16]));
        ledger.update(TransferId([2; 16]), |kept| kept.unanswered = false);
        drop((ledger, told));
        assert_eq!(heard.iter().count(), 200);

        let again = Ledger::open(dir.path()).unwrap();
        let left = again.all();
        assert_eq!(left.len(), 1);
        assert_eq!((left[0].entries, left[0].unanswered), (99, false));
        assert_eq!(left[0].transfer, TransferId([2; 16]));
    }

    #[test]
    fn so_many_sends_wait_and_no_more_until_one_of_them_is_over() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(dir.path()).unwrap();
        let waiting = |number: usize| {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&number.to_be_bytes());
            let device = DeviceId([1; 32]);
            Waiting {
                transfer: TransferId(id),
                device: Chosen {
                    id: device,
                    name: None,
                },
                to: PeerAddress::nowhere(device),
                picks: Vec::new(),
                ask: false,
                remember: false,
                touched: UNIX_EPOCH,
            }
        };
        for number in 0..MAX_WAITING {
            assert!(ledger.wait(waiting(number), || {}), "{number}");
        }
        assert!(ledger.wait(waiting(0), || {}), "it waits already");
        assert!(!ledger.wait(waiting(MAX_WAITING), || {}));
        ledger.waits_no_longer(waiting(1).transfer);
        assert!(ledger.wait(waiting(MAX_WAITING), || {}));
    }
}
