//! Whole transfers in memory: both machines, a wire of bytes that can cut, flip and stop, and a
//! simulated disk that commits nothing but what its checksum promised.

mod compare_tests;
mod early_tests;
mod wrong_way_tests;

use std::collections::BTreeMap;

use super::bulk::{BatchFrame, CHUNK_BYTES, DataFrame};
use super::message::Frame;
use super::receiver::{Job, Receiver, ReceiverEvent, WIDE_WINDOW_BYTES, WINDOW_BYTES};
use super::sender::{Bulk, Sender, SenderEvent};
use super::{Buffers, Decoder, Limit, Violation};
use crate::model::{
    Entry, EntryKind, EntryStatus, Hold, Manifest, Modified, Problem, SafeName, TransferId,
};

const TRANSFER: TransferId = TransferId([5; 16]);

/// What is sent: entries and, for files, their content.
#[derive(Clone, Default)]
struct Source {
    entries: Vec<Entry>,
    content: BTreeMap<u32, Vec<u8>>,
    /// Cannot be read.
    broken: Vec<u32>,
}

impl Source {
    fn folder(&mut self, parent: Option<u32>, name: &str) -> u32 {
        self.push(parent, name, EntryKind::Folder)
    }

    fn file(&mut self, parent: Option<u32>, name: &str, content: Vec<u8>) -> u32 {
        let number = self.push(
            parent,
            name,
            EntryKind::File {
                len_bytes: content.len() as u64,
                executable: name.ends_with(".sh"),
            },
        );
        self.content.insert(number, content);
        number
    }

    fn push(&mut self, parent: Option<u32>, name: &str, kind: EntryKind) -> u32 {
        self.entries.push(Entry {
            parent,
            name: SafeName::try_from(name).unwrap(),
            kind,
            modified: Some(Modified {
                seconds: 1_700_000_000,
                nanos: 5,
            }),
        });
        self.entries.len() as u32 - 1
    }

    fn small_and_large() -> Self {
        let mut source = Self::default();
        let top = source.folder(None, "Holiday");
        source.folder(Some(top), "empty");
        source.file(Some(top), "zero", Vec::new());
        for n in 0..20 {
            source.file(Some(top), &format!("small {n}"), vec![n as u8; 100 * n]);
        }
        let day = source.folder(Some(top), "day 1");
        source.file(Some(day), "film", pattern(700_000));
        source.file(Some(day), "run.sh", pattern(70_000));
        source
    }
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n * 7 + n / 251) as u8).collect()
}

/// The receiving disk: staged bytes, and what got its final name.
#[derive(Default)]
struct Disk {
    staged: BTreeMap<u32, Vec<u8>>,
    names: Manifest,
    done: BTreeMap<String, Option<Vec<u8>>>,
    statuses: Vec<(u32, EntryStatus)>,
}

impl Disk {
    fn run(&mut self, manifest: &Manifest, job: Job) {
        while self.names.len() < manifest.len() {
            let entry = manifest.get(self.names.len() as u32).unwrap().clone();
            self.names.push(entry).unwrap();
        }
        match job {
            Job::Folder { number, .. } => {
                self.done.insert(self.names.display_path(number), None);
                self.statuses.push((number, EntryStatus::Arrived));
            }
            Job::Data { data, .. } => {
                let staged = self.staged.entry(data.entry).or_default();
                assert_eq!(staged.len() as u64, data.offset);
                staged.extend_from_slice(data.content());
            }
            Job::End { end, .. } => {
                let staged = self.staged.remove(&end.entry).unwrap_or_default();
                self.commit(end.entry, staged, end.hash);
            }
            Job::Batch { batch, .. } => {
                for item in &batch.items {
                    let content = batch.content(item).to_vec();
                    self.commit(item.entry, content, item.hash);
                }
            }
            Job::Abandon {
                number, problem, ..
            } => {
                self.staged.remove(&number);
                self.statuses.push((number, EntryStatus::Failed(problem)));
            }
            // The tests about that decide in place of the disk.
            Job::Hashes { .. } => panic!("nobody asked for hashes"),
            Job::Look { .. } | Job::Finish => {}
        }
    }

    fn commit(&mut self, number: u32, content: Vec<u8>, hash: [u8; 32]) {
        let status = if *blake3::hash(&content).as_bytes() == hash {
            let path = self.names.display_path(number);
            self.done.insert(path, Some(content));
            EntryStatus::Arrived
        } else {
            EntryStatus::Failed(Problem::Corrupt)
        };
        self.statuses.push((number, status));
    }
}

/// One direction of a connection. Bytes go in whole and come out as the fault allows.
struct Wire {
    decoder: Decoder,
    carried: usize,
    /// Largest piece that is delivered at once.
    piece: usize,
    fault: Option<(usize, Fault)>,
    limit: Limit,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Fault {
    /// Nothing is delivered from this byte on.
    Cut,
    /// This byte arrives with one bit turned.
    Flip,
}

impl Wire {
    fn new(piece: usize) -> Self {
        Self {
            decoder: Decoder::new(Buffers::new(4)),
            carried: 0,
            piece,
            fault: None,
            limit: Limit::Session,
        }
    }

    fn carry(&mut self, mut bytes: Vec<u8>) -> Result<Vec<Frame>, Violation> {
        if let Some((at, fault)) = self.fault {
            let from = self.carried;
            match fault {
                Fault::Cut => bytes.truncate(at.saturating_sub(from)),
                Fault::Flip => {
                    if let Some(byte) = at.checked_sub(from).and_then(|i| bytes.get_mut(i)) {
                        *byte ^= 0x10;
                    }
                }
            }
        }
        self.carried += bytes.len();
        let mut frames = Vec::new();
        for mut part in bytes.chunks(self.piece) {
            while let Some(raw) = self.decoder.feed(&mut part, self.limit)? {
                frames.extend(Frame::parse(raw)?);
            }
        }
        Ok(frames)
    }
}

struct Pair {
    source: Source,
    sender: Sender,
    receiver: Receiver,
    disk: Disk,
    there: Wire,
    back: Wire,
    accept: bool,
    sender_events: Vec<SenderEvent>,
    receiver_events: Vec<ReceiverEvent>,
    most_ahead: u64,
}

impl Pair {
    fn new(source: Source) -> Self {
        let mut sender = Sender::new(TRANSFER);
        for (number, entry) in source.entries.iter().enumerate() {
            let broken = source.broken.contains(&(number as u32));
            let problem = (broken && entry.len_bytes() == 0).then_some(Problem::Link);
            sender.list(entry, problem.as_ref());
        }
        sender.listed_all();
        Self {
            source,
            sender,
            receiver: Receiver::default(),
            disk: Disk::default(),
            there: Wire::new(usize::MAX),
            back: Wire::new(usize::MAX),
            accept: true,
            sender_events: Vec::new(),
            receiver_events: Vec::new(),
            most_ahead: 0,
        }
    }

    /// Runs until nothing moves any more.
    fn run(&mut self) -> Result<(), Violation> {
        loop {
            let mut moved = false;
            while let Some(frame) = self.sender.poll_control() {
                self.deliver(frame)?;
                moved = true;
            }
            if let Some(bulk) = self.sender.poll_bulk() {
                if let Some(frame) = self.read(bulk) {
                    self.deliver(frame)?;
                }
                moved = true;
            }
            moved |= self.answer()?;
            if !moved {
                return Ok(());
            }
        }
    }

    /// The receiving end's turn.
    fn answer(&mut self) -> Result<bool, Violation> {
        let mut moved = false;
        while let Some(event) = self.receiver.poll_event() {
            if matches!(event, ReceiverEvent::Offered(_)) && self.accept {
                self.receiver.accept();
            }
            self.receiver_events.push(event);
            moved = true;
        }
        while let Some(job) = self.receiver.poll_job() {
            let (cost, content) = (job.cost(), job.content_bytes());
            self.disk.run(self.receiver.manifest(), job);
            self.receiver.job_done(cost, content);
            for (number, status) in self.disk.statuses.drain(..) {
                let len = self.receiver.manifest().get(number).unwrap().len_bytes();
                self.receiver.settle(number, len, &status);
            }
            moved = true;
        }
        self.receiver.flush_status();
        if self.receiver.received() {
            while let Some(frame) = self.receiver.poll_control() {
                self.reply(frame)?;
            }
            self.receiver.safe();
        }
        while let Some(frame) = self.receiver.poll_control() {
            self.reply(frame)?;
            moved = true;
        }
        if let Some(credit) = self.receiver.poll_credit() {
            self.reply(credit.encode())?;
            moved = true;
        }
        Ok(moved)
    }

    fn deliver(&mut self, bytes: Vec<u8>) -> Result<(), Violation> {
        for frame in self.there.carry(bytes)? {
            self.receiver.handle_frame(frame)?;
        }
        let ahead = self.sender.sent_bytes() - self.receiver.held_bytes();
        self.most_ahead = self.most_ahead.max(ahead);
        Ok(())
    }

    fn reply(&mut self, bytes: Vec<u8>) -> Result<(), Violation> {
        for frame in self.back.carry(bytes)? {
            self.sender.handle_frame(frame)?;
        }
        while let Some(event) = self.sender.poll_event() {
            self.sender_events.push(event);
        }
        Ok(())
    }

    /// Does what the sending driver does with a piece of bulk work.
    fn read(&mut self, bulk: Bulk) -> Option<Vec<u8>> {
        match bulk {
            Bulk::Frame(frame) => Some(frame),
            Bulk::Hash { .. } => panic!("nobody asked for hashes"),
            Bulk::Chunk { entry, offset, len } => {
                if self.source.broken.contains(&entry) && offset > 0 {
                    self.sender.file_ended(entry, Err(Problem::Changed));
                    return None;
                }
                let mut frame = DataFrame::new(Vec::new(), len);
                let from = offset as usize;
                frame
                    .content()
                    .copy_from_slice(&self.source.content[&entry][from..from + len]);
                Some(frame.seal(entry, offset))
            }
            Bulk::End { entry } => {
                let hash = blake3::hash(&self.source.content[&entry]);
                self.sender.file_ended(entry, Ok(*hash.as_bytes()));
                None
            }
            Bulk::Batch(items) => {
                let mut frame = BatchFrame::new(Vec::new());
                for (entry, len) in items {
                    let content = &self.source.content[&entry];
                    let broken = self.source.broken.contains(&entry);
                    let added = frame.add(entry, len, |into| {
                        into.copy_from_slice(content);
                        if broken {
                            Err(Problem::Vanished)
                        } else {
                            Ok(*blake3::hash(content).as_bytes())
                        }
                    });
                    if let Err(problem) = added {
                        self.sender.batch_file_failed(entry, &problem);
                    }
                }
                (!frame.is_empty()).then(|| frame.seal())
            }
        }
    }

    fn assert_exact(&self) {
        let mut list = Manifest::default();
        for entry in &self.source.entries {
            list.push(entry.clone()).unwrap();
        }
        for (number, entry) in self.source.entries.iter().enumerate() {
            let number = number as u32;
            let got = self.disk.done.get(&list.display_path(number));
            if self.source.broken.contains(&number) {
                assert_eq!(got, None, "{}", entry.name);
            } else {
                let expected = self.source.content.get(&number).cloned();
                assert_eq!(got, Some(&expected), "{}", entry.name);
            }
        }
    }
}

#[test]
fn a_tree_of_small_and_large_files_arrives_exactly() {
    let mut pair = Pair::new(Source::small_and_large());
    pair.run().unwrap();
    pair.assert_exact();
    let entries = pair.source.entries.len() as u64;
    assert_eq!(pair.sender_events.last(), Some(&SenderEvent::Safe));
    assert!(pair.sender_events.iter().any(
        |event| matches!(event, SenderEvent::Received(r) if r.arrived == entries && r.failed == 0)
    ));
    assert_eq!(pair.sender.sent_bytes(), pair.sender.total_bytes());
}

#[test]
fn an_empty_offer_is_received_too() {
    let mut pair = Pair::new(Source::default());
    pair.run().unwrap();
    assert_eq!(pair.sender_events.last(), Some(&SenderEvent::Safe));
}

#[test]
fn pieces_of_any_size_give_the_same_result() {
    for piece in [1, 2, 3, 5, 7, 64, 1000] {
        let mut pair = Pair::new(Source::small_and_large());
        pair.there.piece = piece;
        pair.back.piece = piece;
        pair.run().unwrap();
        pair.assert_exact();
    }
}

#[test]
fn a_small_transfer_cut_at_every_byte_commits_only_whole_files() {
    let mut source = Source::default();
    let top = source.folder(None, "d");
    source.file(Some(top), "a", pattern(50));
    source.file(Some(top), "b", pattern(70_000));
    let mut whole = Pair::new(source.clone());
    whole.run().unwrap();
    let length = whole.there.carried;
    for cut in (0..1_200).chain((1_200..length).step_by(997)) {
        let mut pair = Pair::new(source.clone());
        pair.there.fault = Some((cut, Fault::Cut));
        pair.run().unwrap();
        for (path, content) in &pair.disk.done {
            assert_eq!(Some(content), whole.disk.done.get(path), "cut at {cut}");
        }
        assert!(!pair.sender_events.contains(&SenderEvent::Safe));
    }
}

#[test]
fn a_flipped_bit_never_becomes_a_file_with_other_content() {
    let mut source = Source::default();
    source.file(None, "a", pattern(300));
    source.file(None, "b", pattern(66_000));
    let mut whole = Pair::new(source.clone());
    whole.run().unwrap();
    let length = whole.there.carried;
    let exact: Vec<_> = whole.disk.done.values().collect();
    for at in (0..1_000).chain((1_000..length).step_by(509)) {
        let mut pair = Pair::new(source.clone());
        pair.there.fault = Some((at, Fault::Flip));
        // A violation, a lost file or a file under another name: but never other content.
        let _refused = pair.run();
        for content in pair.disk.done.values().filter(|content| content.is_some()) {
            assert!(exact.contains(&content), "flipped at {at}");
        }
    }
}

#[test]
fn unreadable_entries_fail_alone_and_are_counted() {
    let mut source = Source::small_and_large();
    let link = source.file(None, "a link", Vec::new());
    let film = 24;
    assert_eq!(source.entries[24].name.as_str(), "film");
    source.broken = vec![5, film, link];
    let mut pair = Pair::new(source);
    pair.run().unwrap();
    pair.assert_exact();
    let received = pair.sender_events.iter().find_map(|event| match event {
        SenderEvent::Received(received) => Some(received.failed),
        _ => None,
    });
    assert_eq!(received, Some(3));
}

#[test]
fn what_cannot_be_read_does_not_use_up_the_credit() {
    let mut source = Source::default();
    let top = source.folder(None, "Thesis");
    for n in 0..100 {
        // Together several times the window, as large files and as batches.
        let large = source.file(Some(top), &format!("large {n}"), pattern(300_000));
        source.broken.push(large);
    }
    for n in 0..600 {
        let small = source.file(Some(top), &format!("small {n}"), pattern(60_000));
        if n % 7 > 0 {
            source.broken.push(small);
        }
    }
    source.file(Some(top), "fine", pattern(2_000_000));
    let mut pair = Pair::new(source);
    pair.run().unwrap();
    pair.assert_exact();
    // Of the large ones the second chunk is the one that cannot be read.
    let first_chunks = 100 * CHUNK_BYTES as u64;
    let sent = 2_000_000 + 86 * 60_000 + first_chunks;
    assert_eq!(pair.sender.sent_bytes(), sent);
}

#[test]
fn nothing_reaches_the_disk_before_the_offer_is_accepted() {
    let mut pair = Pair::new(Source::small_and_large());
    pair.accept = false;
    pair.run().unwrap();
    assert!(pair.disk.done.is_empty() && pair.disk.staged.is_empty());
    assert_eq!(pair.sender.sent_bytes(), 0);
    pair.receiver.decline();
    pair.run().unwrap();
    assert_eq!(pair.sender_events, [SenderEvent::Declined]);
    assert!(pair.disk.done.is_empty());
}

#[test]
fn the_sender_stays_within_the_credit_and_a_stuck_disk_stops_it() {
    let mut source = Source::default();
    source.file(None, "big", pattern(40 << 20));
    let mut pair = Pair::new(source);
    pair.run().unwrap();
    pair.assert_exact();
    assert!(pair.most_ahead <= WINDOW_BYTES);

    // A disk that never reports: the sender stops after one window.
    let mut source = Source::default();
    source.file(None, "big", pattern(40 << 20));
    let mut pair = Pair::new(source);
    while let Some(frame) = pair.sender.poll_control() {
        pair.deliver(frame).unwrap();
    }
    pair.receiver.accept();
    while let Some(frame) = pair.receiver.poll_control() {
        pair.reply(frame).unwrap();
    }
    while let Some(bulk) = pair.sender.poll_bulk() {
        if let Some(frame) = pair.read(bulk) {
            pair.deliver(frame).unwrap();
        }
    }
    assert!(pair.sender.sent_bytes() <= WINDOW_BYTES);
    assert!(pair.sender.sent_bytes() > WINDOW_BYTES / 2);

    // Further connections widen it, once.
    pair.receiver.widen();
    let credit = pair.receiver.poll_credit().unwrap();
    assert_eq!(credit.granted, WIDE_WINDOW_BYTES);
    pair.receiver.widen();
    assert_eq!(pair.receiver.poll_credit(), None);
}

#[test]
fn cancel_from_either_side_ends_both_and_what_crosses_it_is_ignored() {
    for sender_cancels in [true, false] {
        let mut pair = Pair::new(Source::small_and_large());
        while let Some(frame) = pair.sender.poll_control() {
            pair.deliver(frame).unwrap();
        }
        pair.answer().unwrap();
        for _ in 0..4 {
            if let Some(bulk) = pair.sender.poll_bulk()
                && let Some(frame) = pair.read(bulk)
            {
                pair.deliver(frame).unwrap();
            }
        }
        if sender_cancels {
            pair.sender.cancel(None);
        } else {
            pair.receiver.cancel(Some(&Problem::NoSpace));
        }
        pair.run().unwrap();
        assert!(pair.sender.ended() && pair.receiver.ended());
        if sender_cancels {
            let last = pair.receiver_events.last();
            assert_eq!(last, Some(&ReceiverEvent::Cancelled(None)));
        } else {
            let last = pair.sender_events.last();
            let told = SenderEvent::Cancelled(Some(Problem::NoSpace));
            assert_eq!(last, Some(&told));
        }
    }
}

#[test]
fn a_hold_at_either_end_stops_content_and_nothing_else_and_is_told() {
    let person = Some(Hold::Person);
    let no_room = Some(Hold::NoRoom {
        needed_bytes: 3_200_000_000,
    });
    let holds = [
        (true, person),
        (false, person),
        (false, no_room),
        (false, Some(Hold::NoFiles)),
        (false, Some(Hold::Quota)),
    ];
    for (at_sender, hold) in holds {
        let mut source = Source::small_and_large();
        source.file(None, "big", pattern(20 << 20));
        let mut pair = Pair::new(source);
        while let Some(frame) = pair.sender.poll_control() {
            pair.deliver(frame).unwrap();
        }
        pair.answer().unwrap();
        for _ in 0..8 {
            if let Some(bulk) = pair.sender.poll_bulk()
                && let Some(frame) = pair.read(bulk)
            {
                pair.deliver(frame).unwrap();
            }
        }
        match at_sender {
            true => pair.sender.hold(hold),
            false => pair.receiver.hold(hold),
        }
        let granted_before = pair.receiver.poll_credit().map(|credit| credit.granted);
        pair.run().unwrap();
        let (here, there) = (pair.sender.holds(), pair.receiver.holds());
        let expected = if at_sender { here.here } else { here.there };
        assert_eq!(expected, hold);
        assert_eq!((here.here, here.there), (there.there, there.here));
        let stood = pair.sender.sent_bytes();
        pair.run().unwrap();
        assert_eq!(pair.sender.sent_bytes(), stood, "nothing moves");
        assert!(pair.sender.held_bytes() < 20 << 20);
        if !at_sender {
            let granted = pair.receiver.poll_credit().map(|credit| credit.granted);
            assert!(granted <= granted_before, "no credit meanwhile");
        }
        match at_sender {
            true => pair.sender.hold(None),
            false => pair.receiver.hold(None),
        }
        pair.run().unwrap();
        assert!(!pair.sender.holds().any() && !pair.receiver.holds().any());
        pair.assert_exact();
    }
}

#[test]
fn a_pause_has_no_place_before_an_offer_or_after_everything_was_received() {
    let frames = || [Frame::Pause(Hold::Person.into()), Frame::GoOn];
    for frame in frames() {
        assert!(Receiver::default().handle_frame(frame).is_err());
    }
    for frame in frames() {
        let mut pair = Pair::new(Source::small_and_large());
        pair.run().unwrap();
        // It has arrived: what the sender says about that now crossed the news.
        assert!(pair.receiver.handle_frame(frame).is_ok());
    }
}

/// A receiver with one accepted offer of a folder, a small and a large file.
fn accepted() -> Receiver {
    let mut source = Source::default();
    let top = source.folder(None, "d");
    source.file(Some(top), "small", pattern(10));
    source.file(Some(top), "large", pattern(100_000));
    let mut pair = Pair::new(source);
    while let Some(frame) = pair.sender.poll_control() {
        pair.deliver(frame).unwrap();
    }
    for _ in 0..2 {
        if let Some(Bulk::Frame(frame)) = pair.sender.poll_bulk() {
            pair.deliver(frame).unwrap();
        }
    }
    pair.receiver.accept();
    pair.receiver
}

fn data(entry: u32, offset: u64, len: usize) -> Frame {
    let mut frame = DataFrame::new(Vec::new(), len);
    frame.content().fill(1);
    decode(frame.seal(entry, offset))
}

fn decode(bytes: Vec<u8>) -> Frame {
    Wire::new(usize::MAX).carry(bytes).unwrap().remove(0)
}

fn small(entry: u32, len: usize) -> Frame {
    let mut frame = BatchFrame::new(Vec::new());
    frame
        .add(entry, len as u32, |_| Ok::<_, ()>([0; 32]))
        .unwrap();
    decode(frame.seal())
}

#[test]
fn content_that_does_not_fit_the_manifest_ends_the_connection() {
    let file_end = |entry, len_bytes| {
        Frame::FileEnd(super::bulk::FileEnd {
            entry,
            len_bytes,
            hash: [0; 32],
        })
    };
    let bad: Vec<(&str, Vec<Frame>)> = vec![
        ("a gap", vec![data(2, 1, 10)]),
        ("an overlap", vec![data(2, 0, 10), data(2, 5, 10)]),
        ("too much", vec![data(2, 0, 100_001)]),
        ("an empty piece", vec![data(2, 0, 0)]),
        (
            "an offset at the end of numbers",
            vec![data(2, u64::MAX, 1)],
        ),
        ("content for a folder", vec![data(0, 0, 1)]),
        ("content for nothing", vec![data(9, 0, 1)]),
        ("an early end", vec![data(2, 0, 10), file_end(2, 100_000)]),
        ("a lying end", vec![data(2, 0, 10), file_end(2, 10)]),
        ("an end without content", vec![file_end(2, 100_000)]),
        (
            "a second file inside one",
            vec![data(2, 0, 10), data(1, 0, 10)],
        ),
        ("a batch inside a file", vec![data(2, 0, 10), small(1, 10)]),
        ("a small file of another length", vec![small(1, 9)]),
        ("a file sent twice", vec![small(1, 10), small(1, 10)]),
        ("finish too early", vec![Frame::Finish]),
        (
            "a second offer",
            vec![Frame::Offer(super::message::Offer {
                transfer: super::message::Hex([1; 16]),
            })],
        ),
        (
            "an accept",
            vec![Frame::Accept(super::message::Accept {
                transfer: super::message::Hex(TRANSFER.0),
                credit: u64::MAX,
            })],
        ),
        ("a hello", vec![Frame::Refused]),
        (
            "more manifest after its end",
            vec![Frame::Manifest(super::message::ManifestPart {
                entries: Vec::new(),
            })],
        ),
    ];
    for (what, frames) in bad {
        let mut receiver = accepted();
        let results: Vec<_> = frames
            .into_iter()
            .map(|frame| receiver.handle_frame(frame))
            .collect();
        let (last, before) = results.split_last().unwrap();
        assert!(last.is_err(), "{what} must be refused");
        assert!(before.iter().all(Result::is_ok), "{what}: not before");
    }
}

#[test]
fn every_frame_is_refused_in_states_where_it_has_no_place() {
    let frames = || {
        vec![
            Frame::Finish,
            Frame::Safe,
            Frame::Refused,
            small(1, 10),
            data(2, 0, 10),
            Frame::Credit(super::bulk::Credit::default()),
            Frame::Status(super::message::Status::default()),
        ]
    };
    for frame in frames() {
        assert!(Receiver::default().handle_frame(frame).is_err());
    }
    for frame in frames() {
        assert!(Sender::new(TRANSFER).handle_frame(frame).is_err());
    }
}

#[test]
fn a_receiver_that_lies_about_statuses_is_refused() {
    let status = |first, last| {
        Frame::Status(super::message::Status {
            arrived: vec![(first, last)],
            ..Default::default()
        })
    };
    for (first, last) in [(0, 25), (3, 2), (24, 24), (0, u32::MAX), (1000, 1000)] {
        let mut pair = Pair::new(Source::small_and_large());
        pair.accept = false;
        pair.run().unwrap();
        pair.sender
            .handle_frame(Frame::Accept(super::message::Accept {
                transfer: super::message::Hex(TRANSFER.0),
                credit: 0,
            }))
            .unwrap();
        let refused = pair.sender.handle_frame(status(first, last));
        assert!(refused.is_err(), "{first}-{last}");
    }
}
