//! Sequences of frames against the receiving machine, with a disk in memory that does its jobs when the
//! input says so, decides early, compares, goes on, and lets a person answer, pause and stop.
//!
//! Frames are mostly such as a sender could mean at that moment, or nearly. What a job may be is
//! kept here a second time, by what PROTOCOL.md says and not by how the machine does it.

use std::collections::{HashSet, VecDeque};

use ropeway::model::{Entry, EntryStatus, GROUP_BYTES, Hold, Problem};
use ropeway::protocol::bulk::{Credit, Groups, cost};
use ropeway::protocol::frame::{RawFrame, kind};
use ropeway::protocol::message::Status;
use ropeway::protocol::receiver::{Found, Job, Receiver, ReceiverEvent, WINDOW_BYTES};
use ropeway::protocol::{Frame, Violation};

use super::input::Input;
use super::source::{self, is_file};

const STEPS: usize = 400;
/// Content that one run may send.
const CONTENT_BYTES: usize = 12 << 20;
/// More jobs than that with the disk are a defect.
const MOST_JOBS: usize = 1024;

pub fn receiving(data: &[u8]) {
    let mut input = Input::new(data);
    let mut run = Run::new(input.byte());
    for _ in 0..STEPS {
        if input.is_empty() || run.step(&mut input).is_err() {
            break;
        }
    }
}

/// What is known of an entry by what came to the disk and what was told.
#[derive(Clone, Copy, Default)]
struct Seen {
    content_bytes: u64,
    /// It was handed over whole, or given up.
    ended: bool,
    looked: bool,
    /// The disk has decided before it ended.
    early: bool,
    /// It was there from an earlier run.
    kept: bool,
    /// Content comes in groups, in any order.
    in_groups: bool,
    told: bool,
}

struct Run {
    machine: Receiver,
    goes_on: bool,
    offered: bool,
    listed: bool,
    accepted: bool,
    over: bool,
    finish: bool,
    received: bool,
    sent: usize,
    /// What the bulk frames cost that were taken.
    came: u64,
    told: Credit,
    seen: Vec<Seen>,
    jobs: VecDeque<Job>,
    waiting: u64,
    /// Ended, and not yet under their names.
    pending: Vec<u32>,
    asked: HashSet<u32>,
}

impl Run {
    fn new(choices: u8) -> Self {
        let goes_on = choices & 1 == 1;
        let mut machine = match goes_on {
            true => Receiver::going_on(),
            false => Receiver::default(),
        };
        if choices & 2 != 0 {
            let from_bytes = if choices & 4 != 0 { 0 } else { GROUP_BYTES };
            machine.look_ahead(from_bytes, from_bytes);
        }
        Self {
            machine,
            goes_on,
            offered: false,
            listed: false,
            accepted: false,
            over: false,
            finish: false,
            received: false,
            sent: 0,
            came: 0,
            told: Credit::default(),
            seen: Vec::new(),
            jobs: VecDeque::new(),
            waiting: 0,
            pending: Vec::new(),
            asked: HashSet::new(),
        }
    }

    fn step(&mut self, input: &mut Input) -> Result<(), Violation> {
        match input.byte() % 32 {
            n @ 0..=19 => {
                let raw = self.make(n, input);
                self.hear(raw)?;
            }
            20..=24 => {
                for _ in 0..=input.below(8) {
                    self.work(input);
                }
            }
            25 => self.commit(input),
            26 => self.accept(input),
            27 => self.decide_early(input),
            28 => {
                let hold = input.pick(&[None, Some(Hold::Person), Some(NO_ROOM)]);
                self.machine.hold(hold);
            }
            29 if input.byte() < 16 => {
                let _ = self.machine.cancel(input.yes().then_some(&Problem::Gone));
                self.over = true;
            }
            30 if input.byte() < 16 => self.machine.decline(),
            31 => {
                let number = input.below(self.seen.len()) as u32;
                let hashes = vec![[0; 32]; input.below(4)];
                self.machine.tell_groups(&Groups {
                    entry: number,
                    first: 0,
                    hashes,
                });
            }
            _ => {}
        }
        self.look();
        Ok(())
    }

    /// A frame of the peer: what could come now, or nearly.
    fn make(&mut self, which: u8, input: &mut Input) -> RawFrame {
        let odd = input.byte() < 16;
        let entries = self.machine.manifest().entries();
        let number = input.below(entries.len() + usize::from(odd)) as u32;
        let entry = entries.get(number as usize);
        let len_bytes = entry.map_or(0, Entry::len_bytes);
        let at = self
            .seen
            .get(number as usize)
            .map_or(0, |seen| seen.content_bytes);
        let json = |kind, text: String| RawFrame {
            kind,
            body: text.into_bytes(),
        };
        let empty = |kind| RawFrame {
            kind,
            body: Vec::new(),
        };
        let id = if odd { "cd" } else { "ab" }.repeat(16);
        match which {
            0 => json(kind::OFFER, format!(r#"{{"transfer":"{id}"}}"#)),
            1 | 2 => {
                let body = match odd {
                    true => odd_entry(input),
                    false => {
                        let mut listed = entries.to_vec();
                        let mut parts = Vec::new();
                        for _ in 0..=input.below(4) {
                            listed.push(source::next_entry(input, &listed));
                            parts.push(plain_entry(&listed[listed.len() - 1]));
                        }
                        parts.join(",")
                    }
                };
                json(kind::MANIFEST, format!(r#"{{"entries":[{body}]}}"#))
            }
            3 => {
                let count = entries.len() + usize::from(odd);
                let bytes = self.machine.manifest().total_bytes();
                json(
                    kind::MANIFEST_END,
                    format!(r#"{{"entries":{count},"bytes":{bytes}}}"#),
                )
            }
            4..=8 => {
                let offset = match input.below(8) {
                    0 => 0,
                    1 => GROUP_BYTES * u64::from(input.byte() % 4),
                    2 if odd => u64::MAX,
                    _ => at,
                };
                let left = len_bytes.saturating_sub(offset);
                let to_edge = GROUP_BYTES - offset % GROUP_BYTES;
                let most = match input.below(4) {
                    0 => 1,
                    1 => 1000,
                    2 => to_edge,
                    _ => 262_144,
                };
                let length = left.min(most).min(524_000) as usize + usize::from(odd);
                let length = length.min(CONTENT_BYTES.saturating_sub(self.sent));
                self.sent += length;
                let mut body = number.to_be_bytes().to_vec();
                body.extend(offset.to_be_bytes());
                body.resize(body.len() + length, 9);
                RawFrame {
                    kind: kind::DATA,
                    body,
                }
            }
            9..=10 => {
                let mut body = Vec::new();
                for n in 0..=input.below(3) as u32 {
                    let length = self.machine.manifest().get(number + n);
                    let length = length.map_or(0, Entry::len_bytes).min(65_536) as u32;
                    let length = length + u32::from(odd);
                    self.sent += length as usize;
                    body.extend((number + n).to_be_bytes());
                    body.extend(length.to_be_bytes());
                    body.extend([7; 32]);
                    body.resize(body.len() + length as usize, 9);
                }
                RawFrame {
                    kind: kind::BATCH,
                    body,
                }
            }
            11 | 12 => {
                let mut body = number.to_be_bytes().to_vec();
                body.extend((len_bytes + u64::from(odd)).to_be_bytes());
                body.extend([8; 32]);
                RawFrame {
                    kind: kind::FILE_END,
                    body,
                }
            }
            13 => {
                let code = input.pick(&["changed", "unreadable", "", "\\u202e"]);
                json(
                    kind::FAILED,
                    format!(r#"{{"entry":{number},"code":"{code}","detail":"x"}}"#),
                )
            }
            14 => {
                let first = input.byte() % 4;
                let mut body = number.to_be_bytes().to_vec();
                body.extend(u32::from(first).to_be_bytes());
                body.resize(body.len() + 32 * input.below(5), 6);
                RawFrame {
                    kind: kind::HASHES,
                    body,
                }
            }
            15 => empty(kind::FINISH),
            16 => json(
                kind::CANCEL,
                input
                    .pick(&["{}", r#"{"problem":{"code":"no-space"}}"#])
                    .into(),
            ),
            17 => json(kind::PAUSE, r#"{"reason":"person"}"#.into()),
            18 => empty(kind::GO_ON),
            _ => RawFrame {
                kind: input.byte(),
                body: input.piece().to_vec(),
            },
        }
    }

    fn hear(&mut self, raw: RawFrame) -> Result<(), Violation> {
        let (kind, body_bytes) = (raw.kind, raw.body.len());
        let Some(frame) = Frame::parse(raw)? else {
            return Ok(());
        };
        let over = self.machine.ended();
        self.machine.handle_frame(frame)?;
        if over {
            return Ok(());
        }
        let content = [kind::DATA, kind::BATCH, kind::FILE_END, kind::HASHES].contains(&kind);
        if content || kind == kind::FINISH {
            assert!(
                self.accepted && !self.finish,
                "content before the yes or after the end"
            );
        }
        if content {
            self.came += cost(body_bytes);
            assert!(self.came <= self.told.granted, "more than was granted");
        }
        self.finish |= kind == kind::FINISH;
        let offers = [
            kind::OFFER,
            kind::MANIFEST,
            kind::MANIFEST_END,
            kind::FAILED,
            kind::CANCEL,
            kind::PAUSE,
            kind::GO_ON,
            kind::FINISH,
        ];
        assert!(content || offers.contains(&kind), "{kind:#x} was taken");
        Ok(())
    }

    /// What came out of the machine, after every step.
    fn look(&mut self) {
        self.seen
            .resize(self.machine.manifest().len(), Seen::default());
        assert!(self.machine.manifest().total_bytes() < 1 << 63);
        while let Some(event) = self.machine.poll_event() {
            match event {
                ReceiverEvent::Offered(transfer) => {
                    assert!(!self.offered && transfer.0[0] != 0);
                    self.offered = true;
                }
                ReceiverEvent::Counted => assert!(self.offered),
                ReceiverEvent::Listed => {
                    assert!(self.goes_on && !self.listed && !self.machine.counting());
                    self.listed = true;
                }
                ReceiverEvent::Cancelled(_) => {
                    assert!(self.machine.ended());
                    self.over = true;
                }
            }
        }
        while let Some(job) = self.machine.poll_job() {
            assert!(
                self.accepted && !self.machine.ended(),
                "{job:?} before the yes"
            );
            self.waiting += job.cost();
            assert!(self.waiting <= WINDOW_BYTES, "more than the credit allows");
            self.check(&job);
            self.jobs.push_back(job);
            assert!(self.jobs.len() <= MOST_JOBS);
        }
        if let Some(credit) = self.machine.poll_credit() {
            assert!(self.accepted && !self.machine.ended());
            assert!(credit.granted >= self.told.granted && credit.held >= self.told.held);
            assert!(credit.held <= self.machine.manifest().total_bytes());
            self.told = credit;
        }
        while let Some(frame) = self.machine.poll_control() {
            self.overhear(&frame);
        }
        assert!(self.machine.settled() <= self.seen.len());
    }

    /// A job must be one that a well-behaved peer could have meant.
    fn check(&mut self, job: &Job) {
        let seen = &mut self.seen;
        match job {
            Job::Folder { number, entry } => {
                assert!(!is_file(entry) && !seen[*number as usize].ended);
                assert!(
                    entry
                        .parent
                        .is_none_or(|parent| seen[parent as usize].ended)
                );
                seen[*number as usize].ended = true;
            }
            Job::Look { files } => {
                for (number, entry) in files {
                    assert!(is_file(entry) && !seen[*number as usize].looked);
                    assert!(
                        entry
                            .parent
                            .is_none_or(|parent| seen[parent as usize].ended)
                    );
                    seen[*number as usize].looked = true;
                }
            }
            Job::Hashes {
                groups,
                last,
                entry,
            } => {
                assert!(self.asked.contains(&groups.entry));
                assert!(!groups.hashes.is_empty() && !seen[groups.entry as usize].ended);
                let end = groups.first as usize + groups.hashes.len();
                assert!(end <= source::groups(entry.len_bytes()) as usize);
                if *last {
                    self.asked.remove(&groups.entry);
                }
            }
            Job::Data { entry, data, .. } => {
                let seen = &mut seen[data.entry as usize];
                let length = data.content().len() as u64;
                let end = data.offset.checked_add(length).expect("an end");
                assert!(is_file(entry) && !seen.ended && !seen.kept && length > 0);
                assert!(end <= entry.len_bytes(), "beyond the file");
                if seen.in_groups {
                    assert_eq!(data.offset / GROUP_BYTES, (end - 1) / GROUP_BYTES);
                } else {
                    assert_eq!(data.offset, seen.content_bytes, "a gap");
                }
                seen.content_bytes = end;
            }
            Job::End { entry, end } => {
                let seen = &mut seen[end.entry as usize];
                assert!(is_file(entry) && !seen.ended && !seen.kept);
                assert_eq!(end.len_bytes, entry.len_bytes());
                assert!(
                    seen.in_groups || seen.content_bytes == end.len_bytes,
                    "too early"
                );
                seen.ended = true;
            }
            Job::Batch { entries, batch } => {
                assert_eq!(entries.len(), batch.items.len());
                for (entry, item) in entries.iter().zip(&batch.items) {
                    let seen = &mut seen[item.entry as usize];
                    assert!(is_file(entry) && !seen.ended && !seen.kept && !seen.in_groups);
                    assert_eq!(entry.len_bytes(), u64::from(item.len_bytes));
                    assert_eq!(batch.content(item).len() as u64, entry.len_bytes());
                    assert_eq!(seen.content_bytes, 0);
                    seen.ended = true;
                }
            }
            Job::Abandon { number, entry, .. } => {
                let seen = &mut seen[*number as usize];
                assert!(is_file(entry) && !seen.ended && !seen.kept);
                seen.ended = true;
            }
            Job::Finish => {
                assert!(self.finish);
                assert!(
                    seen.iter()
                        .all(|seen| seen.ended || seen.early || seen.kept)
                );
            }
        }
    }

    /// The disk does its next job.
    fn work(&mut self, input: &mut Input) {
        let Some(job) = self.jobs.pop_front() else {
            return;
        };
        self.waiting -= job.cost();
        self.machine.job_done(job.cost(), job.content_bytes());
        match job {
            Job::Folder { number, .. } => {
                let there = input.yes();
                self.settle(
                    number,
                    &if there {
                        EntryStatus::AlreadyThere
                    } else {
                        EntryStatus::Arrived
                    },
                );
            }
            Job::End { end, .. } => self.pending.push(end.entry),
            Job::Batch { batch, .. } => {
                self.pending
                    .extend(batch.items.iter().map(|item| item.entry));
            }
            Job::Abandon {
                number, problem, ..
            } => {
                self.settle(number, &EntryStatus::Failed(problem));
            }
            Job::Look { files } => self.compare(input, &files),
            Job::Hashes {
                groups,
                last: true,
                entry,
            } => {
                self.answer(input, groups.entry, entry.len_bytes());
            }
            Job::Hashes { .. } | Job::Data { .. } => {}
            Job::Finish => {
                self.commit(input);
                if self.machine.received() && input.byte() < 200 {
                    self.look();
                    self.machine.safe();
                }
            }
        }
    }

    fn compare(&mut self, input: &mut Input, files: &[(u32, Entry)]) {
        let chosen = input.byte();
        let mut ask = Vec::new();
        for (at, (number, entry)) in files.iter().enumerate() {
            let groups = source::groups(entry.len_bytes());
            let undecided = self.machine.is_undecided(*number);
            if groups > 0 && undecided && chosen >> (at % 8) & 1 == 1 {
                ask.push((*number, 1 + u32::from(input.byte()) % groups));
                self.asked.insert(*number);
            }
        }
        self.machine.ask(&ask);
    }

    fn answer(&mut self, input: &mut Input, number: u32, len_bytes: u64) {
        if input.yes() && self.machine.is_undecided(number) {
            self.seen[number as usize].early = true;
            self.settle(number, &EntryStatus::AlreadyThere);
        } else if self.machine.want(number, source::ranges(input, len_bytes)) {
            self.seen[number as usize].in_groups = len_bytes > GROUP_BYTES;
        }
    }

    /// What has ended gets its name, or not.
    fn commit(&mut self, input: &mut Input) {
        for number in std::mem::take(&mut self.pending) {
            let status = match input.byte() {
                0..200 => EntryStatus::Arrived,
                200..230 => EntryStatus::Failed(Problem::Corrupt),
                _ => EntryStatus::Skipped,
            };
            self.settle(number, &status);
        }
        self.machine.flush_status();
    }

    fn settle(&mut self, number: u32, status: &EntryStatus) {
        let len_bytes = self
            .machine
            .manifest()
            .get(number)
            .map_or(0, Entry::len_bytes);
        self.machine.settle(number, len_bytes, status);
    }

    fn decide_early(&mut self, input: &mut Input) {
        let number = input.below(self.seen.len()) as u32;
        if self.machine.is_undecided(number)
            && self.machine.manifest().get(number).is_some_and(is_file)
        {
            self.seen[number as usize].early = true;
            let status = match input.below(3) {
                0 => EntryStatus::Skipped,
                1 => EntryStatus::AlreadyThere,
                _ => EntryStatus::Failed(Problem::TooLarge),
            };
            self.settle(number, &status);
            self.machine.flush_status();
        }
    }

    fn accept(&mut self, input: &mut Input) {
        if !self.offered || self.accepted || self.machine.ended() {
            return;
        }
        if !self.goes_on {
            self.accepted = true;
            self.machine.accept();
            return;
        }
        if !self.listed {
            return;
        }
        self.accepted = true;
        let manifest = self.machine.lend_manifest();
        let mut found = Found::default();
        for (number, entry) in (0_u32..)
            .zip(manifest.entries())
            .filter(|(_, entry)| is_file(entry))
        {
            match input.byte() % 4 {
                0 => found.done.push(number),
                1 if entry.len_bytes() > GROUP_BYTES => found.partial.push((number, GROUP_BYTES)),
                _ => {}
            }
        }
        self.machine.go_on(&found);
        self.seen
            .resize(self.machine.manifest().len(), Seen::default());
        for (number, _) in found.partial {
            // One that was given up before is not told of.
            self.seen[number as usize].in_groups = true;
        }
    }

    fn overhear(&mut self, frame: &[u8]) {
        let raw = RawFrame {
            kind: frame[4],
            body: frame[5..].to_vec(),
        };
        let frame = Frame::parse(raw)
            .expect("our own frame")
            .expect("a known frame");
        match frame {
            Frame::Accept(accept) => {
                assert!(self.accepted && accept.transfer.0[0] != 0);
                self.told.granted = self.told.granted.max(accept.credit);
                assert!(accept.credit <= WINDOW_BYTES);
            }
            Frame::Kept(kept) => {
                assert!(self.goes_on && self.accepted);
                for number in kept.done.iter().flat_map(|(first, last)| *first..=*last) {
                    self.seen[number as usize].kept = true;
                    self.told_of(number);
                }
            }
            Frame::Status(status) => self.take_status(&status),
            Frame::Received(received) => {
                assert!(self.finish && !self.received, "received twice or too early");
                self.received = true;
                assert!(
                    self.seen.iter().all(|seen| seen.told),
                    "received without a status"
                );
                let sum = received.arrived + received.failed + received.skipped;
                assert_eq!(sum, self.seen.len() as u64);
                assert!(received.bytes <= self.machine.manifest().total_bytes());
            }
            Frame::Safe => assert!(self.received),
            Frame::Compare(compare) => {
                assert!(
                    compare
                        .files
                        .iter()
                        .all(|(entry, _)| self.asked.contains(entry))
                );
            }
            Frame::Want(_) | Frame::Groups(_) => assert!(self.accepted),
            Frame::Decline(_) => assert!(!self.accepted),
            Frame::Cancel(_) | Frame::Pause(_) | Frame::GoOn => {}
            other => panic!("a receiver said {other:?}"),
        }
    }

    fn take_status(&mut self, status: &Status) {
        assert!(self.accepted && !self.received);
        for ranges in [&status.arrived, &status.already_there, &status.skipped] {
            for number in ranges.iter().flat_map(|(first, last)| *first..=*last) {
                self.told_of(number);
            }
        }
        for number in status
            .arrived
            .iter()
            .flat_map(|(first, last)| *first..=*last)
        {
            assert!(
                self.seen[number as usize].ended,
                "arrived before it was sent"
            );
        }
        for failed in &status.failed {
            self.told_of(failed.entry);
        }
    }

    fn told_of(&mut self, number: u32) {
        let told = &mut self.seen[number as usize].told;
        assert!(!std::mem::replace(told, true), "two statuses of one entry");
    }
}

const NO_ROOM: Hold = Hold::NoRoom { needed_bytes: 4096 };

fn plain_entry(entry: &Entry) -> String {
    let parent = entry
        .parent
        .map_or(String::new(), |parent| format!(r#""parent":{parent},"#));
    let size = match is_file(entry) {
        true => format!(r#","size":{}"#, entry.len_bytes()),
        false => String::new(),
    };
    format!(r#"{{{parent}"name":"{}"{size}}}"#, entry.name.as_str())
}

fn odd_entry(input: &mut Input) -> String {
    let name = input.pick(&["a", "..", "", "a/b", "C:", "\\u0000", "\\u202e", "\\ud800"]);
    let size = input.pick(&[
        "1",
        "9223372036854775807",
        "18446744073709551615",
        "18446744073709551616",
        "-1",
        "1.5",
        "1e400",
        "null",
    ]);
    let parent = input.pick(&["0", "1", "4294967295", "4294967296", "-1"]);
    format!(r#"{{"parent":{parent},"name":"{name}","size":{size}}}"#)
}
