//! Transfers that are cut at random and go on, against the plain rule of what must be on the disk:
//! in the end exactly the source, whatever happened to it and to what was staged in between.
//!
//! One seed is one story. `ROPEWAY_SEEDS=5000` tells more of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use blake3::hazmat::{HasherExt as _, Mode, merge_subtrees_non_root, merge_subtrees_root};

use super::bulk::{BatchFrame, DataFrame, Groups};
use super::message::Frame;
use super::receiver::{Found, Job, Receiver, ReceiverEvent};
use super::sender::{Bulk, Sender, SenderEvent};
use super::{Buffers, Decoder, Limit, Violation};
use crate::model::{
    Entry, EntryKey, EntryKind, EntryStatus, GROUP_BYTES, Hold, Manifest, Modified, Problem,
    SafeName, TransferId,
};

const TRANSFER: TransferId = TransferId([9; 16]);
pub(super) const GROUP: usize = GROUP_BYTES as usize;

/// xorshift64*: reproducible and good enough to choose with.
pub(super) struct Dice(u64);

impl Dice {
    pub fn of_seed(seed: u64) -> Self {
        Self(u64::wrapping_mul(seed, 0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound.max(1)
    }

    pub fn content(&mut self, len: usize) -> Vec<u8> {
        let seed = self.below(1 << 30) as u64;
        let mut bytes = vec![0; len];
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_be_bytes());
        hasher.finalize_xof().fill(&mut bytes);
        bytes
    }
}

struct SourceFile {
    content: Vec<u8>,
    modified: i64,
}

struct Source(BTreeMap<String, SourceFile>);

impl Source {
    fn new(dice: &mut Dice) -> Self {
        let mut files = BTreeMap::new();
        for n in 0..1 + dice.below(6) {
            let len = match dice.below(4) {
                0 => dice.below(2000),
                1 => dice.below(GROUP),
                2 => GROUP * (1 + dice.below(3)),
                _ => GROUP + dice.below(3 * GROUP),
            };
            let content = dice.content(len);
            files.insert(
                format!("file {n}"),
                SourceFile {
                    content,
                    modified: 1,
                },
            );
        }
        Self(files)
    }

    /// As somebody works with it: some bytes change, or the length does.
    fn change(&mut self, dice: &mut Dice) {
        let chosen = dice.below(self.0.len());
        let file = self.0.values_mut().nth(chosen).unwrap();
        file.modified += 1;
        if file.content.is_empty() || dice.below(3) == 0 {
            let len = dice.below(2 * GROUP);
            file.content = dice.content(len);
        } else {
            let at = dice.below(file.content.len());
            file.content[at] ^= 1;
        }
    }

    fn entries(&self) -> Vec<Entry> {
        let files = self.0.iter();
        files
            .map(|(name, file)| Entry {
                parent: None,
                name: SafeName::try_from(name.as_str()).unwrap(),
                kind: EntryKind::File {
                    len_bytes: file.content.len() as u64,
                    executable: false,
                },
                modified: Some(Modified {
                    seconds: file.modified,
                    nanos: 0,
                }),
            })
            .collect()
    }

    fn content(&self, number: u32) -> &[u8] {
        &self.0.values().nth(number as usize).unwrap().content
    }
}

pub(super) fn group_hash(content: &[u8], group: usize) -> [u8; 32] {
    let end = content.len().min((group + 1) * GROUP);
    let mut hasher = blake3::Hasher::new();
    hasher.set_input_offset((group * GROUP) as u64);
    hasher.update(&content[group * GROUP..end]);
    hasher.finalize_non_root()
}

/// What a sender tells of a group that it was asked about.
fn told_hash(content: &[u8], group: usize) -> [u8; 32] {
    match content.len() <= GROUP {
        true => *blake3::hash(content).as_bytes(),
        false => group_hash(content, group),
    }
}

/// The hash of a file from those of its groups, the way the tree is built.
pub(super) fn merged(groups: &[[u8; 32]]) -> [u8; 32] {
    fn below(groups: &[[u8; 32]]) -> [u8; 32] {
        match groups {
            [only] => *only,
            several => {
                let (left, right) = several.split_at(several.len().next_power_of_two() / 2);
                merge_subtrees_non_root(&below(left), &below(right), Mode::Hash)
            }
        }
    }
    let (left, right) = groups.split_at(groups.len().next_power_of_two() / 2);
    merge_subtrees_root(&below(left), &below(right), Mode::Hash).into()
}

/// What survives a run.
#[derive(Default)]
struct Disk {
    parts: BTreeMap<EntryKey, Vec<u8>>,
    done: BTreeMap<EntryKey, (Vec<u8>, Option<Modified>)>,
    /// What the last run was told to leave out before it had ended.
    left_out: BTreeSet<EntryKey>,
}

impl Disk {
    /// A kill, a power cut, a bad sector: less is there than was written, or something else.
    fn suffer(&mut self, dice: &mut Dice) {
        for part in self.parts.values_mut() {
            match dice.below(5) {
                0 => part.truncate(dice.below(part.len() + 1)),
                1 if !part.is_empty() => {
                    let at = dice.below(part.len());
                    part[at] ^= 0x40;
                }
                2 => part.extend(dice.content(1000)),
                _ => {}
            }
        }
    }

    fn found(&mut self, manifest: &Manifest) -> Found {
        let mut found = Found::default();
        for (number, entry) in (0..).zip(manifest.entries()) {
            let key = manifest.key(number).unwrap();
            let done = self.done.get(&key);
            if done.is_some_and(|(content, modified)| {
                content.len() as u64 == entry.len_bytes() && *modified == entry.modified
            }) {
                found.done.push(number);
            } else if let Some(part) = self.parts.get(&key) {
                let groups = part.len().min(entry.len_bytes() as usize) / GROUP;
                if groups > 0 && entry.len_bytes() > GROUP_BYTES {
                    found.partial.push((number, (groups * GROUP) as u64));
                } else {
                    self.parts.remove(&key);
                }
            }
        }
        found
    }
}

/// One run of both machines over a wire that is cut after so many frames.
struct Run<'a> {
    source: &'a Source,
    disk: &'a mut Disk,
    sender: Sender,
    receiver: Receiver,
    there: Decoder,
    back: Decoder,
    frames_left: usize,
    /// Hashes of the groups of kept files, as the receiving disk knows them.
    groups: BTreeMap<u32, Vec<Option<[u8; 32]>>>,
    /// What is still to be told (entry, next group, how many in all), and to be compared.
    to_tell: Vec<(u32, usize, u64)>,
    to_compare: Vec<Groups>,
    /// Answers on their way back.
    late: VecDeque<Vec<u8>>,
    /// So many files, at most, are told of before they have ended.
    early: usize,
    /// Files that may still be compared with what stands under their names.
    asks: usize,
    /// Their hashes as far as they came, and whether that is all.
    told: BTreeMap<u32, (Vec<[u8; 32]>, bool)>,
    received: bool,
}

#[derive(PartialEq, Debug)]
enum End {
    Arrived,
    Cut,
}

impl<'a> Run<'a> {
    fn new(source: &'a Source, disk: &'a mut Disk, first: bool, frames_left: usize) -> Self {
        let (mut sender, receiver) = match first {
            true => (Sender::new(TRANSFER), Receiver::default()),
            false => (Sender::going_on(TRANSFER), Receiver::going_on()),
        };
        for entry in source.entries() {
            sender.list(&entry, None);
        }
        sender.listed_all();
        disk.left_out.clear();
        Self {
            source,
            disk,
            sender,
            receiver,
            there: Decoder::new(Buffers::new(1)),
            back: Decoder::new(Buffers::new(1)),
            frames_left,
            groups: BTreeMap::new(),
            to_tell: Vec::new(),
            to_compare: Vec::new(),
            late: VecDeque::new(),
            early: 0,
            asks: 0,
            told: BTreeMap::new(),
            received: false,
        }
    }

    fn run(mut self, dice: &mut Dice) -> Result<End, Violation> {
        loop {
            let mut moved = self.hold(dice);
            while let Some(frame) = self.sender.poll_control() {
                if !self.deliver(&frame)? {
                    return Ok(End::Cut);
                }
                moved = true;
            }
            if let Some(bulk) = self.sender.poll_bulk() {
                moved = true;
                if dice.below(4) == 0 {
                    // Answers come also while something is being read.
                    self.receive(dice)?;
                }
                if let Some(frame) = self.read(bulk)
                    && !self.deliver(&frame)?
                {
                    return Ok(End::Cut);
                }
            }
            moved |= self.receive(dice)?;
            moved |= self.compare(dice);
            if self.received {
                return Ok(End::Arrived);
            }
            assert!(moved, "it stands still");
        }
    }

    /// Somebody pauses it or lets it go on, and a disk fills up or gets room, at any moment; but
    /// nobody for ever.
    fn hold(&mut self, dice: &mut Dice) -> bool {
        let stands = self.sender.holds().any();
        let chosen = match dice.below(if stands { 4 } else { 20 }) {
            0 if stands => None,
            0 => Some(Hold::Person),
            1 => Some(Hold::NoRoom {
                needed_bytes: dice.below(1000) as u64,
            }),
            _ => return stands,
        };
        match dice.below(2) {
            0 => self.sender.hold(chosen),
            _ => self.receiver.hold(chosen),
        }
        true
    }

    /// `false`: the wire is cut.
    fn deliver(&mut self, bytes: &[u8]) -> Result<bool, Violation> {
        if self.frames_left == 0 {
            return Ok(false);
        }
        self.frames_left -= 1;
        let mut input = bytes;
        while let Some(raw) = self.there.feed(&mut input, Limit::Session)? {
            if let Some(frame) = Frame::parse(raw)? {
                self.receiver.handle_frame(frame)?;
            }
        }
        Ok(true)
    }

    fn reply(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        let mut input = bytes;
        while let Some(raw) = self.back.feed(&mut input, Limit::Session)? {
            if let Some(frame) = Frame::parse(raw)? {
                self.sender.handle_frame(frame)?;
            }
        }
        while let Some(event) = self.sender.poll_event() {
            match event {
                SenderEvent::Groups(groups) => self.to_compare.push(groups),
                SenderEvent::Received(_) => self.received = true,
                _other => {}
            }
        }
        Ok(())
    }

    fn receive(&mut self, dice: &mut Dice) -> Result<bool, Violation> {
        let mut moved = false;
        while let Some(event) = self.receiver.poll_event() {
            moved = true;
            match event {
                ReceiverEvent::Offered(_) if !self.goes_on() => self.receiver.accept(),
                ReceiverEvent::Listed => {
                    let found = self.disk.found(self.receiver.manifest());
                    for (number, bytes) in &found.partial {
                        let len = self.receiver.manifest().get(*number).unwrap().len_bytes();
                        let count = len.div_ceil(GROUP_BYTES) as usize;
                        self.groups.insert(*number, vec![None; count]);
                        self.to_tell.push((*number, 0, bytes / GROUP_BYTES));
                    }
                    self.receiver.go_on(&found);
                }
                _other => {}
            }
        }
        while let Some(job) = self.receiver.poll_job() {
            moved = true;
            let (cost, content) = (job.cost(), job.content_bytes());
            match job {
                Job::Hashes { groups, last, .. } => {
                    let told = self.told.entry(groups.entry).or_default();
                    told.0.extend(groups.hashes);
                    told.1 = last;
                }
                job => self.do_job(job),
            }
            self.receiver.job_done(cost, content);
        }
        // The check runs beside the writing, sometimes far behind it.
        if dice.below(3) == 0 && !self.to_tell.is_empty() {
            moved = true;
            self.tell_a_group();
        }
        moved |= !self.to_tell.is_empty();
        if self.early > 0 && dice.below(4) == 0 {
            self.tell_early(dice);
        }
        if self.asks > 0 && dice.below(3) == 0 {
            self.ask(dice);
        }
        if dice.below(3) == 0 {
            self.answer(dice);
        }
        moved |= self.told.values().any(|(_, last)| *last);
        self.receiver.flush_status();
        while let Some(frame) = self.receiver.poll_control() {
            self.late.push_back(frame);
        }
        if let Some(credit) = self.receiver.poll_credit() {
            self.late.push_back(credit.encode());
        }
        moved |= !self.late.is_empty();
        while dice.below(3) > 0
            && let Some(frame) = self.late.pop_front()
        {
            self.reply(&frame)?;
        }
        Ok(moved)
    }

    /// The fate of some file that has not ended is known: it need not travel any further.
    fn tell_early(&mut self, dice: &mut Dice) {
        let number = dice.below(self.receiver.manifest().len()) as u32;
        if !self.receiver.is_undecided(number) {
            return;
        }
        self.early -= 1;
        let manifest = self.receiver.manifest();
        let key = manifest.key(number).unwrap();
        let len_bytes = manifest.get(number).unwrap().len_bytes();
        let status = match dice.below(3) {
            0 => EntryStatus::Skipped,
            1 => EntryStatus::AlreadyThere,
            _ => EntryStatus::Failed(Problem::TooLarge),
        };
        self.receiver.settle(number, len_bytes, &status);
        self.disk.parts.remove(&key);
        self.disk.left_out.insert(key);
        self.groups.remove(&number);
        self.to_tell.retain(|(told, ..)| *told != number);
    }

    /// Something stands under the name of some file.
    fn ask(&mut self, dice: &mut Dice) {
        let number = dice.below(self.receiver.manifest().len()) as u32;
        let Some(entry) = self.receiver.manifest().get(number) else {
            return;
        };
        let count = entry.len_bytes().div_ceil(GROUP_BYTES) as usize;
        if count > 0 {
            self.asks -= 1;
            let groups = 1 + dice.below(count) as u32;
            self.receiver.ask(&[(number, groups)]);
        }
    }

    /// What stands there is the same, or some of its groups are, or none.
    fn answer(&mut self, dice: &mut Dice) {
        let all_told = self.told.iter().find(|(_, (_, last))| *last);
        let Some((&number, _)) = all_told else { return };
        let (hashes, _) = self.told.remove(&number).unwrap();
        if !self.receiver.is_undecided(number) {
            return;
        }
        let content = self.source.content(number).to_vec();
        for (group, hash) in hashes.iter().enumerate() {
            assert_eq!(
                *hash,
                told_hash(&content, group),
                "the sender said another hash"
            );
        }
        let manifest = self.receiver.manifest();
        let (key, entry) = (manifest.key(number).unwrap(), manifest.get(number).unwrap());
        let (len_bytes, modified) = (entry.len_bytes(), entry.modified);
        let count = len_bytes.div_ceil(GROUP_BYTES) as usize;
        if hashes.len() == count && dice.below(2) == 0 {
            self.disk.parts.remove(&key);
            self.disk.done.insert(key, (content, modified));
            let there = EntryStatus::AlreadyThere;
            return self.receiver.settle(number, len_bytes, &there);
        }
        if count == 1 {
            assert!(self.receiver.want(number, vec![(0, len_bytes)]));
            return;
        }
        let mut part = vec![0; content.len()];
        let mut known = vec![None; count];
        let mut missing = Vec::new();
        for group in 0..count {
            let range = group * GROUP..content.len().min((group + 1) * GROUP);
            if group < hashes.len() && dice.below(2) == 0 {
                part[range.clone()].copy_from_slice(&content[range]);
                known[group] = Some(hashes[group]);
            } else {
                missing.push((range.start as u64, range.end as u64));
            }
        }
        self.disk.parts.insert(key, part);
        self.groups.insert(number, known);
        assert!(self.receiver.want(number, missing));
    }

    fn goes_on(&self) -> bool {
        !self.groups.is_empty() || self.sender.goes_on()
    }

    fn tell_a_group(&mut self) {
        let (number, group, count) = self.to_tell[0];
        let known = self.groups.get_mut(&number).unwrap();
        let key = self.receiver.manifest().key(number).unwrap();
        let hash = group_hash(&self.disk.parts[&key], group);
        known[group] = Some(hash);
        self.receiver.tell_groups(&Groups {
            entry: number,
            first: group as u32,
            hashes: vec![hash],
        });
        self.to_tell[0].1 += 1;
        if group as u64 + 1 == count {
            self.to_tell.remove(0);
        }
    }

    fn compare(&mut self, dice: &mut Dice) -> bool {
        if self.to_compare.is_empty() || dice.below(2) == 0 {
            return !self.to_compare.is_empty();
        }
        let told = self.to_compare.remove(0);
        let content = self.source.content(told.entry);
        let differs = (told.first..)
            .zip(&told.hashes)
            .filter(|(group, hash)| group_hash(content, *group as usize) != **hash);
        let different: Vec<_> = differs.map(|(group, _)| group).collect();
        self.sender
            .compared(told.entry, told.hashes.len() as u32, &different);
        true
    }

    fn do_job(&mut self, job: Job) {
        let manifest = self.receiver.manifest();
        match job {
            Job::Data { entry, data, .. } => {
                let key = manifest.key(data.entry).unwrap();
                let part = self.disk.parts.entry(key).or_default();
                let (from, end) = (
                    data.offset as usize,
                    data.offset as usize + data.content().len(),
                );
                if part.len() < end {
                    part.resize(end, 0);
                }
                part[from..end].copy_from_slice(data.content());
                if let Some(groups) = self.groups.get_mut(&data.entry) {
                    let group = from / GROUP;
                    let whole = end == entry.len_bytes() as usize || end % GROUP == 0;
                    groups[group] = whole.then(|| group_hash(&part[..end], group));
                }
            }
            Job::End { entry, end } => {
                let key = manifest.key(end.entry).unwrap();
                let mut part = self.disk.parts.remove(&key).unwrap_or_default();
                part.truncate(entry.len_bytes() as usize);
                // A kept file's hash is made of what was told and what came, never read again.
                let hash = match self.groups.remove(&end.entry) {
                    None => *blake3::hash(&part).as_bytes(),
                    Some(groups) => {
                        let known: Option<Vec<_>> = groups.into_iter().collect();
                        known.map_or([0; 32], |groups| merged(&groups))
                    }
                };
                assert_eq!(hash, end.hash, "the sender said the end too early");
                self.commit(end.entry, &entry, part, end.hash);
            }
            Job::Batch { entries, batch } => {
                for (entry, item) in entries.iter().zip(&batch.items) {
                    let content = batch.content(item).to_vec();
                    self.commit(item.entry, entry, content, item.hash);
                }
            }
            Job::Hashes { .. } => panic!("they are handled where the dice are"),
            Job::Folder { .. } | Job::Look { .. } | Job::Abandon { .. } => {
                panic!("there is nothing like that")
            }
            Job::Finish => {}
        }
    }

    fn commit(&mut self, number: u32, entry: &Entry, content: Vec<u8>, hash: [u8; 32]) {
        let key = self.receiver.manifest().key(number).unwrap();
        self.disk.parts.remove(&key);
        let status = match *blake3::hash(&content).as_bytes() == hash {
            true => {
                self.disk.done.insert(key, (content, entry.modified));
                EntryStatus::Arrived
            }
            false => EntryStatus::Failed(Problem::Corrupt),
        };
        self.receiver.settle(number, entry.len_bytes(), &status);
    }

    fn read(&mut self, bulk: Bulk) -> Option<Vec<u8>> {
        match bulk {
            Bulk::Frame(frame) => Some(frame),
            Bulk::Hash {
                entry,
                first,
                count,
            } => {
                let content = self.source.content(entry);
                let groups = first..first + count;
                let hashes = groups.map(|group| told_hash(content, group as usize));
                let groups = Groups {
                    entry,
                    first,
                    hashes: hashes.collect(),
                };
                Some(Frame::Hashes(groups).encode())
            }
            // Whoever notices that nobody wants it any more does not send it.
            Bulk::Chunk { entry, .. } if entry % 2 == 0 && !self.sender.is_wanted(entry) => {
                self.sender.file_ended(entry, Err(Problem::Vanished));
                None
            }
            Bulk::Chunk { entry, offset, len } => {
                let mut frame = DataFrame::new(Vec::new(), len);
                let from = offset as usize;
                let content = &self.source.content(entry)[from..from + len];
                frame.content().copy_from_slice(content);
                Some(frame.seal(entry, offset))
            }
            Bulk::End { entry } => {
                let hash = blake3::hash(self.source.content(entry));
                self.sender.file_ended(entry, Ok(*hash.as_bytes()));
                None
            }
            Bulk::Batch(items) => {
                let mut frame = BatchFrame::new(Vec::new());
                for (entry, len) in items {
                    let content = self.source.content(entry);
                    let read = |into: &mut [u8]| -> Result<_, Problem> {
                        into.copy_from_slice(content);
                        Ok(*blake3::hash(content).as_bytes())
                    };
                    frame.add(entry, len, read).unwrap();
                }
                Some(frame.seal())
            }
        }
    }
}

#[test]
fn however_it_is_cut_and_changed_in_the_end_the_source_is_there() {
    let seeds = std::env::var("ROPEWAY_SEEDS").map_or(80, |seeds| seeds.parse().unwrap());
    for seed in 1..=seeds {
        let dice = &mut Dice::of_seed(seed);
        let mut source = Source::new(dice);
        let mut disk = Disk::default();
        for run in 0.. {
            let frames = match run {
                0..5 => dice.below(40),
                _ => usize::MAX,
            };
            let mut this = Run::new(&source, &mut disk, run == 0, frames);
            this.early = if seed % 2 == 0 { dice.below(4) } else { 0 };
            this.asks = if seed % 3 == 0 { 0 } else { dice.below(5) };
            let end = this
                .run(dice)
                .unwrap_or_else(|violation| panic!("seed {seed}, run {run}: {violation}"));
            if end == End::Arrived {
                break;
            }
            disk.suffer(dice);
            if dice.below(3) == 0 {
                source.change(dice);
            }
        }
        let mut manifest = Manifest::default();
        for (number, entry) in (0..).zip(source.entries()) {
            manifest.push(entry).unwrap();
            let key = manifest.key(number).unwrap();
            if !disk.left_out.contains(&key) {
                let there = disk.done.get(&key).map(|(content, _)| content.as_slice());
                assert!(there == Some(source.content(number)), "seed {seed}");
            }
        }
        assert!(disk.done.len() <= manifest.len(), "seed {seed}");
    }
}

/// A file of three groups and a bit, of which a run left two groups and a half.
fn interrupted(source: &Source) -> Disk {
    let mut disk = Disk::default();
    let mut manifest = Manifest::default();
    for entry in source.entries() {
        manifest.push(entry).unwrap();
    }
    let content = source.content(0);
    let part = content[..GROUP * 5 / 2].to_vec();
    disk.parts.insert(manifest.key(0).unwrap(), part);
    disk
}

fn one_film() -> Source {
    let content = Dice(7).content(3 * GROUP + 5);
    let film = SourceFile {
        content,
        modified: 1,
    };
    Source(BTreeMap::from([("film".to_owned(), film)]))
}

#[test]
fn equal_groups_do_not_travel() {
    for differs in [false, true] {
        let source = one_film();
        let mut disk = interrupted(&source);
        if differs {
            disk.parts.values_mut().next().unwrap()[GROUP + 1] ^= 1;
        }
        let mut run = Run::new(&source, &mut disk, false, usize::MAX);
        let dice = &mut Dice(1);
        while !run.received {
            while let Some(frame) = run.sender.poll_control() {
                run.deliver(&frame).unwrap();
            }
            if let Some(bulk) = run.sender.poll_bulk()
                && let Some(frame) = run.read(bulk)
            {
                run.deliver(&frame).unwrap();
            }
            run.receive(dice).unwrap();
            run.compare(dice);
        }
        let missing = (GROUP + 5) as u64;
        let again = if differs { GROUP_BYTES } else { 0 };
        assert_eq!(run.sender.sent_bytes(), missing + again);
    }
}

#[test]
fn claims_that_do_not_fit_the_offer_end_the_connection() {
    use super::message::Kept;
    let source = one_film();
    let listed = |goes_on: bool| {
        let mut sender = match goes_on {
            true => Sender::going_on(TRANSFER),
            false => Sender::new(TRANSFER),
        };
        for entry in source.entries() {
            sender.list(&entry, None);
        }
        sender.listed_all();
        sender
    };
    let kept = |done: &[(u32, u32)], partial: &[(u32, u64)]| {
        Frame::Kept(Kept {
            done: done.to_vec(),
            partial: partial.to_vec(),
        })
    };
    let honest = kept(&[], &[(0, GROUP_BYTES)]);
    assert!(listed(true).handle_frame(honest.clone()).is_ok());
    assert!(listed(false).handle_frame(honest).is_err(), "a first run");
    for claim in [
        kept(&[(1, 1)], &[]),
        kept(&[(1, 0)], &[]),
        kept(&[(0, u32::MAX)], &[]),
        kept(&[(0, 0), (0, 0)], &[]),
        kept(&[(0, 0)], &[(0, GROUP_BYTES)]),
        kept(&[], &[(0, 0)]),
        kept(&[], &[(0, 5)]),
        kept(&[], &[(0, 4 * GROUP_BYTES)]),
        kept(&[], &[(0, u64::MAX)]),
        kept(&[], &[(7, GROUP_BYTES)]),
        kept(&[], &[(0, GROUP_BYTES), (0, GROUP_BYTES)]),
    ] {
        let answer = listed(true).handle_frame(claim.clone());
        assert!(answer.is_err(), "{claim:?}");
    }
    // Hashes of what was never claimed, out of order, or too many.
    for (first, count) in [(0, 3), (1, 1), (u32::MAX, 1), (0, 0)] {
        let mut sender = listed(true);
        let claim = kept(&[], &[(0, 2 * GROUP_BYTES)]);
        sender.handle_frame(claim).unwrap();
        let accept = Frame::Accept(super::message::Accept {
            transfer: super::message::Hex(TRANSFER.0),
            credit: 1 << 20,
        });
        sender.handle_frame(accept).unwrap();
        let groups = |entry| {
            Frame::Groups(Groups {
                entry,
                first,
                hashes: vec![[0; 32]; count],
            })
        };
        assert!(sender.handle_frame(groups(0)).is_err(), "{first} {count}");
        assert!(sender.handle_frame(groups(1)).is_err());
    }
}

#[test]
fn a_file_may_be_given_up_while_the_disk_is_compared_with_the_list() {
    let source = one_film();
    let mut sender = Sender::going_on(TRANSFER);
    for entry in source.entries() {
        sender.list(&entry, None);
    }
    sender.listed_all();
    let mut frames: Vec<_> = std::iter::from_fn(|| sender.poll_control()).collect();
    while let Some(Bulk::Frame(frame)) = sender.poll_bulk() {
        frames.push(frame);
    }
    let mut receiver = Receiver::going_on();
    let mut decoder = Decoder::new(Buffers::new(1));
    let mut take = |receiver: &mut Receiver, frame: &[u8]| {
        let raw = decoder.feed(&mut &*frame, Limit::Session).unwrap().unwrap();
        receiver.handle_frame(Frame::parse(raw).unwrap().unwrap())
    };
    for frame in &frames {
        take(&mut receiver, frame).unwrap();
    }
    let list = receiver.lend_manifest();
    let failed = |entry| {
        Frame::Failed(super::message::Failed {
            entry,
            problem: super::message::WireProblem::from(&Problem::Vanished),
        })
    };
    assert_eq!(take(&mut receiver, &failed(0).encode()), Ok(()));
    let twice = take(&mut receiver, &failed(0).encode());
    assert!(twice.is_err(), "it is gone already");
    assert_eq!(list.len(), 1);
    drop(list);
    let found = Found {
        done: Vec::new(),
        partial: vec![(0, GROUP_BYTES)],
    };
    receiver.go_on(&found);
    let told: Vec<_> = std::iter::from_fn(|| receiver.poll_control()).collect();
    assert_eq!(told.len(), 1, "accept, and nothing is claimed of it");
    let job = receiver.poll_job();
    assert!(
        matches!(
            job,
            Some(Job::Abandon {
                number: 0,
                problem: Problem::Vanished,
                ..
            })
        ),
        "{job:?}"
    );
}

#[test]
fn that_a_person_is_asked_is_said_once_and_skipped_where_it_says_nothing() {
    let mut receiver = Receiver::going_on();
    assert!(!receiver.ask_person(), "nothing is offered");
    let offer = Frame::Offer(super::message::Offer {
        transfer: super::message::Hex(TRANSFER.0),
    });
    receiver.handle_frame(offer).unwrap();
    assert!(receiver.ask_person());
    assert!(!receiver.ask_person(), "it was said");
    let told: Vec<_> = std::iter::from_fn(|| receiver.poll_control()).collect();
    assert_eq!(told, [Frame::Asking.encode()]);
    assert_eq!(receiver.handle_frame(Frame::Asking), Ok(()));

    for (mut sender, events) in [
        (
            Sender::going_on(TRANSFER),
            vec![SenderEvent::PersonAsked, SenderEvent::Accepted],
        ),
        (Sender::new(TRANSFER), vec![SenderEvent::Accepted]),
    ] {
        let accept = Frame::Accept(super::message::Accept {
            transfer: super::message::Hex(TRANSFER.0),
            credit: 1,
        });
        for frame in [Frame::Asking, Frame::Asking, accept, Frame::Asking] {
            sender.handle_frame(frame).unwrap();
        }
        let told: Vec<_> = std::iter::from_fn(|| sender.poll_event()).collect();
        assert_eq!(told, events);
    }
}
