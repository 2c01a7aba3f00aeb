//! Transfers over a disk that forgets what was not flushed: killed, cut, without power, changed,
//! deleted from, cancelled and taken up again at random, against the plain rule of what must be there.
//!
//! *Real* are the sending and the receiving machine, their frames and the manifest. *A model* are the
//! wire, the source and the receiving disk: [`Disk`] has files, names and a journal, each as written
//! and as flushed, and [`Run`] does to it what `storage` does, in its order: the intents go into the
//! journal, it and the staged files are flushed (each, or all together with everything else there is), renamed
//! one by one, written down as placed; folders are flushed before *safe*. What `storage` itself does is
//! tested under `tests/storage`; here it is the order that is on trial.
//!
//! A power cut may take any of the writes that were not flushed and leave any other, whatever their
//! order. A rename is there or not, never half; a file's time is flushed with its content. A kill takes
//! nothing. Either may come between any two steps of the disk.
//!
//! One seed is one story. `ROPEWAY_SEEDS=100000` tells more of them, from the first on.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::bulk::{BatchFrame, DataFrame, Groups};
use super::going_on_tests::{Dice, GROUP, group_hash, merged};
use super::message::Frame;
use super::receiver::{Found, Job, Receiver, ReceiverEvent};
use super::sender::{Bulk, Sender, SenderEvent};
use super::{Buffers, Decoder, Limit};
use crate::model::{
    Entry, EntryKey, EntryKind, EntryStatus, GROUP_BYTES, Manifest, Modified, SafeName, TransferId,
};

const TRANSFER: TransferId = TransferId([9; 16]);
/// The picked folder and one in it.
const FOLDERS: [&str; 2] = ["album", "album/more"];

fn hash(content: &[u8]) -> [u8; 32] {
    *blake3::hash(content).as_bytes()
}

#[derive(Clone)]
struct Version {
    content: Rc<Vec<u8>>,
    modified: i64,
}

/// What is sent: the picked folder, one in it, and files in both.
struct Source {
    files: BTreeMap<(usize, String), Version>,
    /// Everything that was ever under a name, by its hash.
    ever: BTreeMap<String, BTreeSet<[u8; 32]>>,
    clock: i64,
}

impl Source {
    fn new(dice: &mut Dice) -> Self {
        let mut source = Self {
            files: BTreeMap::new(),
            ever: BTreeMap::new(),
            clock: 0,
        };
        for n in 0..1 + dice.below(7) {
            source.write(dice.below(2), format!("file {n}"), dice);
        }
        source
    }

    /// Long files are rare: they cost the most time, and are the only ones that go on in part.
    fn write(&mut self, folder: usize, name: String, dice: &mut Dice) {
        let len = match dice.below(40) {
            0 => GROUP + 1 + dice.below(2 * GROUP),
            1..8 => dice.below(3),
            _ => dice.below(3000),
        };
        let mut content = dice.content(len);
        // Names with a number behind them must not be mistaken for another version of this one.
        content.extend(name.as_bytes());
        self.put(folder, name, content);
    }

    fn put(&mut self, folder: usize, name: String, content: Vec<u8>) {
        self.clock += 1;
        let place = format!("{}/{name}", FOLDERS[folder]);
        self.ever.entry(place).or_default().insert(hash(&content));
        let version = Version {
            content: Rc::new(content),
            modified: self.clock,
        };
        self.files.insert((folder, name), version);
    }

    /// As somebody works with it: written anew, changed in one byte, deleted, or made.
    fn change(&mut self, dice: &mut Dice) {
        let chosen = dice.below(self.files.len());
        let Some(((folder, name), version)) = self.files.iter().nth(chosen) else {
            return self.write(0, "new".into(), dice);
        };
        let (folder, name, version) = (*folder, name.clone(), version.clone());
        match dice.below(5) {
            0 => self.write(folder, name, dice),
            1 | 2 => {
                let mut content = version.content.to_vec();
                let at = dice.below(content.len());
                content[at] ^= 1;
                self.put(folder, name, content);
            }
            3 => drop(self.files.remove(&(folder, name))),
            _ => self.write(dice.below(2), format!("new {}", dice.below(3)), dice),
        }
    }

    fn entries(&self) -> Vec<Entry> {
        let entry = |parent, name: &str, kind, modified| Entry {
            parent,
            name: SafeName::try_from(name).unwrap(),
            kind,
            modified: Some(Modified {
                seconds: modified,
                nanos: 0,
            }),
        };
        let mut entries = vec![
            entry(None, "album", EntryKind::Folder, 1),
            entry(Some(0), "more", EntryKind::Folder, 1),
        ];
        for ((folder, name), version) in &self.files {
            let kind = EntryKind::File {
                len_bytes: version.content.len() as u64,
                executable: false,
            };
            entries.push(entry(Some(*folder as u32), name, kind, version.modified));
        }
        entries
    }

    fn content(&self, number: u32) -> &[u8] {
        let mut files = self.files.values();
        &files.nth(number as usize - FOLDERS.len()).unwrap().content
    }
}

/// The machine is off, or the process is gone: nothing after this step was done.
struct Dead;

/// A file of the disk, with or without a name.
#[derive(Default)]
struct Inode {
    /// As everybody reads it.
    content: Vec<u8>,
    modified: i64,
    /// As it would be after a power cut that takes everything it can.
    flushed: (Vec<u8>, i64),
    /// Where it was written since.
    dirty: Vec<std::ops::Range<usize>>,
}

/// Something about names that is not flushed yet.
enum Naming {
    Folder(String),
    Name(String, usize),
    /// There or not, whether or not the name before was ever flushed.
    Rename {
        inode: usize,
        from: String,
        to: String,
    },
    Remove(String),
}

#[derive(Clone, Default)]
struct Names {
    folders: BTreeSet<String>,
    files: BTreeMap<String, usize>,
}

impl Names {
    fn apply(&mut self, naming: &Naming) {
        match naming {
            Naming::Folder(place) => drop(self.folders.insert(place.clone())),
            Naming::Name(place, inode) => drop(self.files.insert(place.clone(), *inode)),
            Naming::Rename { inode, from, to } => {
                if self.files.get(from) == Some(inode) {
                    self.files.remove(from);
                }
                self.files.insert(to.clone(), *inode);
            }
            Naming::Remove(place) => drop(self.files.remove(place)),
        }
    }
}

#[derive(Clone)]
enum Line {
    Intent {
        key: EntryKey,
        past: Past,
    },
    Placed {
        key: EntryKey,
        place: String,
        ours: bool,
    },
}

/// What the journal says of a file: as `storage::journal::Past`.
#[derive(Clone)]
struct Past {
    place: String,
    len: usize,
    modified: i64,
    hash: [u8; 32],
    took: bool,
    /// Whether it was ours, if anything was written down after the intent.
    ours: Option<bool>,
    before: Option<Box<Past>>,
}

/// Staging names begin with this; nothing else does.
const STAGING: &str = ".ropeway/";

#[derive(Default)]
struct Disk {
    inodes: Vec<Inode>,
    names: Names,
    flushed: Names,
    /// Not flushed, in the order in which it was done.
    naming: Vec<Naming>,
    journal: Vec<(Line, bool)>,
    /// Steps until it dies; nothing happens by itself without.
    steps_left: Option<usize>,
}

impl Disk {
    fn step(&mut self) -> Result<(), Dead> {
        match &mut self.steps_left {
            Some(0) => Err(Dead),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn name(&mut self, naming: Naming) -> Result<(), Dead> {
        self.step()?;
        self.names.apply(&naming);
        self.naming.push(naming);
        Ok(())
    }

    fn write(&mut self, place: &str, at: usize, bytes: &[u8]) -> Result<(), Dead> {
        if !self.names.files.contains_key(place) {
            self.inodes.push(Inode::default());
            let inode = self.inodes.len() - 1;
            self.name(Naming::Name(place.to_owned(), inode))?;
        }
        self.step()?;
        let inode = &mut self.inodes[self.names.files[place]];
        if inode.content.len() < at + bytes.len() {
            inode.content.resize(at + bytes.len(), 0);
        }
        inode.content[at..at + bytes.len()].copy_from_slice(bytes);
        inode.dirty.push(at..at + bytes.len());
        Ok(())
    }

    fn flush(&mut self, place: &str) -> Result<(), Dead> {
        self.step()?;
        let inode = self.names.files[place];
        self.inodes[inode].flush();
        Ok(())
    }

    fn flush_folder(&mut self, folder: &str) -> Result<(), Dead> {
        self.step()?;
        let within = |place: &str| parent(place) == folder;
        for naming in std::mem::take(&mut self.naming) {
            let here = match &naming {
                Naming::Folder(place) | Naming::Name(place, _) | Naming::Remove(place) => {
                    within(place)
                }
                Naming::Rename { from, to, .. } => within(from) || within(to),
            };
            match here {
                true => self.flushed.apply(&naming),
                false => self.naming.push(naming),
            }
        }
        Ok(())
    }

    /// All of the file system.
    fn flush_all(&mut self) -> Result<(), Dead> {
        self.step()?;
        self.inodes.iter_mut().for_each(Inode::flush);
        self.flushed = self.names.clone();
        self.naming.clear();
        self.journal
            .iter_mut()
            .for_each(|(_, flushed)| *flushed = true);
        Ok(())
    }

    fn record(&mut self, lines: Vec<Line>) -> Result<(), Dead> {
        self.step()?;
        self.journal
            .extend(lines.into_iter().map(|line| (line, false)));
        Ok(())
    }

    fn flush_journal(&mut self) -> Result<(), Dead> {
        self.step()?;
        for (_, flushed) in &mut self.journal {
            *flushed = true;
        }
        Ok(())
    }

    /// Any of what was not flushed is lost, any other is there. Whether a line of the journal was lost.
    fn lose_power(&mut self, dice: &mut Dice) -> bool {
        // Sometimes all of it, sometimes hardly any.
        let lost_of_four = dice.below(5);
        let mut lost = || dice.below(4) < lost_of_four;
        for naming in std::mem::take(&mut self.naming) {
            if !lost() {
                self.flushed.apply(&naming);
            }
        }
        let lines = self.journal.len();
        self.journal.retain(|(_, flushed)| *flushed || !lost());
        let forgot = self.journal.len() < lines;
        for (_, flushed) in &mut self.journal {
            *flushed = true;
        }
        for inode in &mut self.inodes {
            let (mut content, mut modified) = std::mem::take(&mut inode.flushed);
            for range in std::mem::take(&mut inode.dirty) {
                // A file may have its length and not what was written there.
                if !lost() && content.len() < range.end {
                    content.resize(range.end, 0);
                }
                if !lost() && content.len() >= range.end {
                    content[range.clone()].copy_from_slice(&inode.content[range]);
                }
            }
            if modified != inode.modified && !lost() {
                modified = inode.modified;
            }
            *inode = Inode {
                flushed: (content.clone(), modified),
                content,
                modified,
                dirty: Vec::new(),
            };
        }
        // What lies in a folder that is not there is not there either.
        let there = self.flushed.folders.clone();
        let reached = |place: &str| {
            let mut folder = parent(place);
            while !folder.is_empty() && there.contains(folder) {
                folder = parent(folder);
            }
            folder.is_empty() || place.starts_with(STAGING)
        };
        self.flushed.folders.retain(|place| reached(place));
        self.flushed.files.retain(|place, _| reached(place));
        self.names = self.flushed.clone();
        forgot
    }

    fn read(&self, place: &str) -> Option<&Inode> {
        self.names
            .files
            .get(place)
            .map(|inode| &self.inodes[*inode])
    }

    fn final_names(&self) -> impl Iterator<Item = (&String, &Inode)> {
        let files = self.names.files.iter();
        let files = files.filter(|(place, _)| !place.starts_with(STAGING));
        files.map(|(place, inode)| (place, &self.inodes[*inode]))
    }

    fn holds(&self, place: &str, wanted: &[u8; 32]) -> bool {
        self.read(place)
            .is_some_and(|file| hash(&file.content) == *wanted)
    }

    fn history(&self) -> BTreeMap<EntryKey, Past> {
        let mut history = BTreeMap::<EntryKey, Past>::new();
        for (line, _) in &self.journal {
            match line {
                Line::Intent { key, past } => {
                    let before = history.remove(key).map(Box::new);
                    let past = past.clone();
                    history.insert(*key, Past { before, ..past });
                }
                Line::Placed { key, place, ours } => {
                    if let Some(past) = history.get_mut(key) {
                        past.place.clone_from(place);
                        past.ours = Some(*ours);
                        past.before = None;
                    }
                }
            }
        }
        history
    }

    fn looks_the_same(&self, past: &Past) -> bool {
        self.read(&past.place)
            .is_some_and(|file| file.content.len() == past.len && file.modified == past.modified)
    }

    fn is_ours(&self, past: &Past, place: &str) -> bool {
        let before = past.before.as_ref();
        before.is_some_and(|before| self.is_ours(before, place))
            || past.place == place
                && self.looks_the_same(past)
                && match past.ours {
                    Some(ours) => ours,
                    None => past.took && self.holds(place, &past.hash),
                }
    }

    fn is_there(&self, past: &Past) -> bool {
        match past.ours {
            Some(true) => self.looks_the_same(past),
            Some(false) | None => self.holds(&past.place, &past.hash),
        }
    }

    /// As `storage::inbox::Inbox::kept`.
    fn kept(&mut self, manifest: &Manifest, past: &BTreeMap<EntryKey, Past>) -> Found {
        let mut found = Found::default();
        let mut left: BTreeSet<String> = self.names.files.keys().cloned().collect();
        left.retain(|place| place.starts_with(STAGING));
        for (number, entry) in (0..).zip(manifest.entries()) {
            let EntryKind::File { len_bytes, .. } = entry.kind else {
                continue;
            };
            let key = manifest.key(number).unwrap();
            let part = part(key);
            let modified = entry.modified.unwrap().seconds;
            let same = |past: &&Past| past.len as u64 == len_bytes && past.modified == modified;
            let past = past.get(&key).filter(same);
            if !left.contains(&part) {
                if past.is_some_and(|past| self.is_there(past)) {
                    found.done.push(number);
                }
                continue;
            }
            let groups = self
                .read(&part)
                .unwrap()
                .content
                .len()
                .min(len_bytes as usize)
                / GROUP;
            if groups > 0 && len_bytes > GROUP_BYTES {
                left.remove(&part);
                found.partial.push((number, (groups * GROUP) as u64));
            }
        }
        for place in left {
            // Nobody minds when that is not done.
            let _ = self.name(Naming::Remove(place));
        }
        found
    }
}

impl Inode {
    fn flush(&mut self) {
        self.dirty.clear();
        self.flushed = (self.content.clone(), self.modified);
    }
}

fn parent(place: &str) -> &str {
    place.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn part(key: EntryKey) -> String {
    format!("{STAGING}{}", data_encoding::HEXLOWER.encode(&key.0))
}

/// A complete file that waits for its name.
struct Ready {
    number: u32,
    key: EntryKey,
    place: String,
    len: usize,
    modified: i64,
    hash: [u8; 32],
}

/// How a run ended.
#[derive(PartialEq, Debug)]
enum End {
    /// The sender knows that it is safe.
    Safe,
    Cut,
    Cancelled,
}

/// One run of both machines over a wire that is cut after so many frames.
struct Run<'a> {
    source: &'a Source,
    disk: &'a mut Disk,
    past: BTreeMap<EntryKey, Past>,
    sender: Sender,
    receiver: Receiver,
    there: Decoder,
    back: Decoder,
    frames_left: usize,
    answers_left: usize,
    goes_on: bool,
    ready: Vec<Ready>,
    touched: BTreeSet<String>,
    groups: BTreeMap<u32, Vec<Option<[u8; 32]>>>,
    to_tell: Vec<(u32, usize, usize)>,
    received: bool,
    safe: bool,
    cancelled: bool,
    told_received: &'a mut bool,
    told_safe: &'a mut bool,
}

impl Run<'_> {
    fn run(mut self, dice: &mut Dice, mut cancel: bool) -> Result<End, Dead> {
        loop {
            let mut moved = false;
            if cancel && dice.below(8) == 0 {
                cancel = false;
                match dice.below(2) {
                    0 => drop(self.sender.cancel(None)),
                    _ => drop(self.receiver.cancel(None)),
                }
            }
            while let Some(frame) = self.sender.poll_control() {
                moved = true;
                if !self.deliver(&frame) {
                    return Ok(End::Cut);
                }
            }
            if let Some(bulk) = self.sender.poll_bulk() {
                moved = true;
                if let Some(frame) = self.read(bulk)
                    && !self.deliver(&frame)
                {
                    return Ok(End::Cut);
                }
            }
            moved |= self.receive(dice)?;
            if self.safe {
                return Ok(End::Safe);
            }
            if self.cancelled || self.receiver.ended() && !*self.told_safe {
                return Ok(End::Cancelled);
            }
            if self.answers_left == 0 {
                return Ok(End::Cut);
            }
            assert!(moved, "it stands still");
        }
    }

    fn deliver(&mut self, mut bytes: &[u8]) -> bool {
        if self.frames_left == 0 {
            return false;
        }
        self.frames_left -= 1;
        while let Some(raw) = self.there.feed(&mut bytes, Limit::Session).unwrap() {
            if let Some(frame) = Frame::parse(raw).unwrap() {
                // After a cancel the other end may still be told things.
                let handled = self.receiver.handle_frame(frame);
                assert!(handled.is_ok() || self.receiver.ended(), "{handled:?}");
            }
        }
        true
    }

    fn receive(&mut self, dice: &mut Dice) -> Result<bool, Dead> {
        let mut moved = false;
        while let Some(event) = self.receiver.poll_event() {
            moved = true;
            match event {
                ReceiverEvent::Offered(_) if !self.goes_on => self.receiver.accept(),
                ReceiverEvent::Listed if self.goes_on => self.look(),
                ReceiverEvent::Cancelled(_) => self.cancelled = true,
                ReceiverEvent::Offered(_) | ReceiverEvent::Listed | ReceiverEvent::Counted => {}
            }
        }
        while let Some(job) = self.receiver.poll_job() {
            moved = true;
            let (cost, content) = (job.cost(), job.content_bytes());
            self.do_job(job)?;
            self.receiver.job_done(cost, content);
        }
        if dice.below(3) == 0 && !self.to_tell.is_empty() {
            self.tell_a_group();
        }
        moved |= !self.to_tell.is_empty();
        if !self.ready.is_empty() {
            moved = true;
            if dice.below(4) == 0 {
                self.commit(dice)?;
            }
        }
        self.receiver.flush_status();
        if self.receiver.received() && !*self.told_safe && !self.receiver.ended() {
            // The word is out while the folders are flushed.
            moved |= self.reply();
            self.finish(dice)?;
            self.receiver.safe();
            *self.told_safe = true;
        }
        moved |= self.reply();
        Ok(moved)
    }

    /// What the receiver has to say reaches the sender.
    fn reply(&mut self) -> bool {
        let mut frames = Vec::new();
        while let Some(frame) = self.receiver.poll_control() {
            frames.push(frame);
        }
        frames.extend(self.receiver.poll_credit().map(|credit| credit.encode()));
        for frame in &frames {
            let Some(left) = self.answers_left.checked_sub(1) else {
                self.frames_left = 0;
                break;
            };
            self.answers_left = left;
            let mut input = frame.as_slice();
            while let Some(raw) = self.back.feed(&mut input, Limit::Session).unwrap() {
                if let Some(frame) = Frame::parse(raw).unwrap() {
                    let handled = self.sender.handle_frame(frame);
                    assert!(handled.is_ok() || self.sender.ended(), "{handled:?}");
                }
            }
        }
        while let Some(event) = self.sender.poll_event() {
            match event {
                SenderEvent::Groups(groups) => self.compare(&groups),
                SenderEvent::Received(result) => {
                    assert_eq!(result.failed, 0);
                    self.received = true;
                    *self.told_received = true;
                }
                SenderEvent::Safe => {
                    assert!(self.received);
                    self.safe = true;
                }
                SenderEvent::Cancelled(_) => self.cancelled = true,
                SenderEvent::Declined => panic!("nobody said no"),
                SenderEvent::PersonAsked
                | SenderEvent::Accepted
                | SenderEvent::Settled(_)
                | SenderEvent::Kept(_) => {}
            }
        }
        !frames.is_empty()
    }

    fn look(&mut self) {
        let found = self.disk.kept(self.receiver.manifest(), &self.past);
        for number in &found.done {
            let parent = self.receiver.manifest().get(*number).unwrap().parent;
            let folder = FOLDERS[parent.unwrap() as usize];
            self.touched.insert(folder.to_owned());
        }
        for (number, bytes) in &found.partial {
            let len = self.receiver.manifest().get(*number).unwrap().len_bytes();
            let count = len.div_ceil(GROUP_BYTES) as usize;
            self.groups.insert(*number, vec![None; count]);
            self.to_tell.push((*number, 0, *bytes as usize / GROUP));
        }
        self.receiver.go_on(&found);
    }

    fn tell_a_group(&mut self) {
        let (number, group, count) = self.to_tell[0];
        let place = part(self.receiver.manifest().key(number).unwrap());
        let hash = group_hash(&self.disk.read(&place).unwrap().content, group);
        self.groups.get_mut(&number).unwrap()[group] = Some(hash);
        self.receiver.tell_groups(&Groups {
            entry: number,
            first: group as u32,
            hashes: vec![hash],
        });
        self.to_tell[0].1 += 1;
        if group + 1 == count {
            self.to_tell.remove(0);
        }
    }

    fn compare(&mut self, told: &Groups) {
        let content = self.source.content(told.entry);
        let groups = (told.first..).zip(&told.hashes);
        let differ = groups.filter(|(group, hash)| group_hash(content, *group as usize) != **hash);
        let different: Vec<_> = differ.map(|(group, _)| group).collect();
        let count = told.hashes.len() as u32;
        self.sender.compared(told.entry, count, &different);
    }

    fn do_job(&mut self, job: Job) -> Result<(), Dead> {
        let key = |run: &Self, number| run.receiver.manifest().key(number).unwrap();
        match job {
            Job::Folder { number, entry } => {
                let place = FOLDERS[number as usize];
                let status = match self.disk.names.folders.contains(place) {
                    true => EntryStatus::AlreadyThere,
                    false => {
                        self.disk.name(Naming::Folder(place.to_owned()))?;
                        EntryStatus::Arrived
                    }
                };
                // Flushed in any case: the run that made it may have been killed.
                self.touched.insert(parent(place).to_owned());
                self.receiver.settle(number, entry.len_bytes(), &status);
            }
            Job::Data { entry, data, .. } => {
                let place = part(key(self, data.entry));
                let from = data.offset as usize;
                let end = from + data.content().len();
                self.disk.write(&place, from, data.content())?;
                if let Some(groups) = self.groups.get_mut(&data.entry) {
                    let whole = end == entry.len_bytes() as usize || end.is_multiple_of(GROUP);
                    let content = &self.disk.read(&place).unwrap().content;
                    let group = from / GROUP;
                    groups[group] = whole.then(|| group_hash(&content[..end], group));
                }
            }
            Job::End { entry, end } => {
                let place = part(key(self, end.entry));
                let len = entry.len_bytes() as usize;
                if self.disk.read(&place).is_none() {
                    self.disk.write(&place, 0, &[])?;
                }
                self.disk.step()?;
                let inode = self.disk.names.files[&place];
                let inode = &mut self.disk.inodes[inode];
                inode.content.truncate(len);
                inode.dirty.retain(|range| range.end <= len);
                let hash = match self.groups.remove(&end.entry) {
                    None => hash(&inode.content),
                    Some(groups) => {
                        let groups: Option<Vec<_>> = groups.into_iter().collect();
                        merged(&groups.expect("the sender said the end too early"))
                    }
                };
                assert_eq!(hash, end.hash, "what came is not what was sent");
                self.queue(end.entry, &entry, hash);
            }
            Job::Batch { entries, batch } => {
                for (entry, item) in entries.iter().zip(&batch.items) {
                    let place = part(key(self, item.entry));
                    self.disk.write(&place, 0, batch.content(item))?;
                    self.queue(item.entry, entry, item.hash);
                }
            }
            Job::Look { .. } | Job::Hashes { .. } | Job::Abandon { .. } => {
                panic!("there is nothing like that")
            }
            Job::Finish => {}
        }
        Ok(())
    }

    fn queue(&mut self, number: u32, entry: &Entry, hash: [u8; 32]) {
        let key = self.receiver.manifest().key(number).unwrap();
        let modified = entry.modified.unwrap().seconds;
        let inode = self.disk.names.files[&part(key)];
        self.disk.inodes[inode].modified = modified;
        let folder = FOLDERS[entry.parent.unwrap() as usize];
        self.ready.push(Ready {
            number,
            key,
            place: format!("{folder}/{}", entry.name.as_str()),
            len: entry.len_bytes() as usize,
            modified,
            hash,
        });
    }

    /// As `storage::commit::commit`.
    fn commit(&mut self, dice: &mut Dice) -> Result<(), Dead> {
        let ready = std::mem::take(&mut self.ready);
        let intents = ready.iter().map(|file| Line::Intent {
            key: file.key,
            past: Past {
                place: file.place.clone(),
                len: file.len,
                modified: file.modified,
                hash: file.hash,
                took: self.disk.read(&file.place).is_none_or(|standing| {
                    standing.content.len() != file.len || standing.modified != file.modified
                }),
                ours: None,
                before: None,
            },
        });
        let intents = intents.collect();
        self.disk.record(intents)?;
        let together = dice.below(3) == 0;
        match together {
            true => self.disk.flush_all()?,
            false => self.disk.flush_journal()?,
        }
        let mut placed = Vec::new();
        for file in ready {
            if !together {
                self.disk.flush(&part(file.key))?;
            }
            let (place, status) = self.place(&file)?;
            let ours = status == EntryStatus::Arrived;
            let key = file.key;
            placed.push(Line::Placed { key, place, ours });
            self.receiver.settle(file.number, file.len as u64, &status);
        }
        self.disk.record(placed)
    }

    /// As `storage::commit::place` with the rule that keeps both.
    fn place(&mut self, file: &Ready) -> Result<(String, EntryStatus), Dead> {
        let part = part(file.key);
        self.touched.insert(parent(&file.place).to_owned());
        for n in 0.. {
            let place = match n {
                0 => file.place.clone(),
                n => format!("{} ({n})", file.place),
            };
            let free = self.disk.read(&place).is_none();
            if !free && self.disk.holds(&place, &file.hash) {
                self.disk.name(Naming::Remove(part))?;
                return Ok((place, EntryStatus::AlreadyThere));
            }
            let past = self.past.get(&file.key);
            if free || past.is_some_and(|past| self.disk.is_ours(past, &place)) {
                let inode = self.disk.names.files[&part];
                let (from, to) = (part, place.clone());
                self.disk.name(Naming::Rename { inode, from, to })?;
                return Ok((place, EntryStatus::Arrived));
            }
        }
        unreachable!("some name is free")
    }

    fn finish(&mut self, dice: &mut Dice) -> Result<(), Dead> {
        if dice.below(4) == 0 {
            return self.disk.flush_all();
        }
        for folder in std::mem::take(&mut self.touched) {
            self.disk.flush_folder(&folder)?;
        }
        Ok(())
    }

    fn read(&mut self, bulk: Bulk) -> Option<Vec<u8>> {
        match bulk {
            Bulk::Hash { .. } => panic!("nobody asked for hashes"),
            Bulk::Frame(frame) => Some(frame),
            Bulk::Chunk { entry, offset, len } => {
                let mut frame = DataFrame::new(Vec::new(), len);
                let from = offset as usize;
                let content = &self.source.content(entry)[from..from + len];
                frame.content().copy_from_slice(content);
                Some(frame.seal(entry, offset))
            }
            Bulk::End { entry } => {
                let hash = hash(self.source.content(entry));
                self.sender.file_ended(entry, Ok(hash));
                None
            }
            Bulk::Batch(items) => {
                let mut frame = BatchFrame::new(Vec::new());
                for (entry, len) in items {
                    let content = self.source.content(entry);
                    let read = |into: &mut [u8]| {
                        into.copy_from_slice(content);
                        Ok::<_, crate::model::Problem>(hash(content))
                    };
                    frame.add(entry, len, read).unwrap();
                }
                Some(frame.seal())
            }
        }
    }
}

/// What happened to a story, as far as it matters to what may be on the disk.
#[derive(Default)]
struct Told {
    received: bool,
    safe: bool,
    /// How often each thing happened, so that a test that tests nothing is noticed.
    counts: BTreeMap<&'static str, usize>,
}

impl Told {
    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }
}

/// `file 1 (2)` was put there for `file 1`.
fn without_number(place: &str) -> &str {
    match place.rsplit_once(" (") {
        Some((name, _)) => name,
        None => place,
    }
}

/// Whatever stands under a final name is whole, was once the source of that name, and stands there once.
fn nothing_is_partial_or_twice(seed: u64, disk: &Disk, source: &Source) {
    let mut seen = BTreeSet::new();
    for (place, file) in disk.final_names() {
        let ever = &source.ever[without_number(place)];
        let content = hash(&file.content);
        assert!(ever.contains(&content), "seed {seed}: partial: {place}");
        let first = seen.insert((without_number(place), content));
        assert!(first, "seed {seed}: twice: {place}");
    }
}

/// Everything that is listed is there as it is.
fn all_is_there(seed: u64, disk: &Disk, source: &Source) {
    for ((folder, name), version) in &source.files {
        let place = format!("{}/{name}", FOLDERS[*folder]);
        let wanted = hash(&version.content);
        assert!(
            disk.holds(&place, &wanted),
            "seed {seed}: {place} is missing"
        );
    }
    let numbered = disk.final_names().find(|(place, _)| place.contains(" ("));
    let numbered = numbered.map(|(place, _)| place);
    assert_eq!(numbered, None, "seed {seed}: nobody else had the name");
    for folder in FOLDERS {
        assert!(disk.names.folders.contains(folder), "seed {seed}: {folder}");
    }
}

/// One story, from the first offer until it is safe, or given up.
fn tell(seed: u64, told: &mut Told) {
    let dice = &mut Dice::of_seed(seed);
    let mut source = Source::new(dice);
    let mut disk = Disk::default();
    let troubled_runs = dice.below(7);
    for run in 0.. {
        let troubled = run < troubled_runs;
        // Most stories have some frames and some dozen steps of the disk; long files have more.
        let reach = [6, 20, 60][dice.below(3)];
        let within = |dice: &mut Dice, on: bool| match on && dice.below(2) == 0 {
            true => dice.below(reach),
            false => usize::MAX,
        };
        let (frames, answers) = (within(dice, troubled), within(dice, troubled));
        disk.steps_left = Some(within(dice, troubled));
        let goes_on = run > 0;
        let (mut sender, receiver) = match goes_on {
            false => (Sender::new(TRANSFER), Receiver::default()),
            true => (Sender::going_on(TRANSFER), Receiver::going_on()),
        };
        for entry in source.entries() {
            sender.list(&entry, None);
        }
        sender.listed_all();
        (told.received, told.safe) = (false, false);
        let past = disk.history();
        let run = Run {
            source: &source,
            disk: &mut disk,
            past,
            sender,
            receiver,
            there: Decoder::new(Buffers::new(1)),
            back: Decoder::new(Buffers::new(1)),
            frames_left: frames,
            answers_left: answers,
            goes_on,
            ready: Vec::new(),
            touched: BTreeSet::new(),
            groups: BTreeMap::new(),
            to_tell: Vec::new(),
            received: false,
            safe: false,
            cancelled: false,
            told_received: &mut told.received,
            told_safe: &mut told.safe,
        };
        let cancel = troubled && dice.below(5) == 0;
        let end = run.run(dice, cancel);
        disk.steps_left = None;
        nothing_is_partial_or_twice(seed, &disk, &source);
        if told.received {
            all_is_there(seed, &disk, &source);
        }
        let power = dice.below(3) == 0;
        if power {
            told.count("power cut");
            if disk.lose_power(dice) {
                told.count("the journal lost a line");
            }
            nothing_is_partial_or_twice(seed, &disk, &source);
            if told.safe {
                told.count("power cut after safe");
                all_is_there(seed, &disk, &source);
            } else if told.received {
                told.count("power cut between received and safe");
            }
        }
        match end {
            Ok(End::Safe) => return told.count("safe"),
            Ok(End::Cut) => told.count("cut"),
            Ok(End::Cancelled) => {
                told.count("cancelled");
                // Somebody may go on with it all the same.
                if dice.below(3) == 0 {
                    return told.count("given up");
                }
            }
            Err(Dead) => told.count("killed"),
        }
        if dice.below(2) == 0 {
            told.count("changed");
            source.change(dice);
        }
    }
}

#[test]
fn what_the_power_takes_comes_again_and_what_is_safe_stays() {
    let seeds = std::env::var("ROPEWAY_SEEDS").map_or(3000, |seeds| seeds.parse().unwrap());
    let mut counts = BTreeMap::<&str, usize>::new();
    for seed in 1..=seeds {
        let mut told = Told::default();
        tell(seed, &mut told);
        for (what, count) in told.counts {
            *counts.entry(what).or_default() += count;
        }
    }
    eprintln!("{seeds} seeds: {counts:?}");
    assert!(
        seeds < 1000 || counts.len() == 10,
        "all of it happens: {counts:?}"
    );
}
