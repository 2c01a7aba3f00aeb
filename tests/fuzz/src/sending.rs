//! Sequences of frames against the sending machine, with a driver that lists, reads, fails and compares
//! when the input says so. A frame may come while a piece of work is half done.
//!
//! What goes out is held against what PROTOCOL.md allows a client.

use std::collections::HashMap;

use ropeway::model::{Entry, GROUP_BYTES, Hold, Problem, TransferId};
use ropeway::protocol::bulk::{BatchFrame, DataFrame, Groups, Want, cost};
use ropeway::protocol::frame::{RawFrame, kind};
use ropeway::protocol::sender::{Bulk, Sender, SenderEvent};
use ropeway::protocol::{Frame, Violation};

use super::input::Input;
use super::source::{self, is_file};

const TRANSFER: TransferId = TransferId([0xab; 16]);
const STEPS: usize = 600;

pub fn sending(data: &[u8]) {
    let mut input = Input::new(data);
    let mut run = Run::new(input.byte());
    for _ in 0..STEPS {
        if input.is_empty() || run.step(&mut input).is_err() {
            break;
        }
    }
}

/// What went out of a file.
#[derive(Clone, Copy, Default)]
struct Said {
    content_bytes: u64,
    begun: bool,
    ended: bool,
    in_groups: bool,
}

struct Run {
    machine: Sender,
    entries: Vec<Entry>,
    complete: bool,
    said: Vec<Said>,
    /// The plain file that has begun and not ended.
    open: Option<u32>,
    planned: Option<Bulk>,
    /// Groups that the driver has not compared: entry, how many.
    groups: Vec<(u32, u32)>,
    told_groups: HashMap<u32, u32>,
    accepted: bool,
    granted: u64,
    spent: u64,
    finish: bool,
    received: bool,
    over: bool,
}

impl Run {
    fn new(choices: u8) -> Self {
        Self {
            machine: match choices & 1 {
                0 => Sender::new(TRANSFER),
                _ => Sender::going_on(TRANSFER),
            },
            entries: Vec::new(),
            complete: false,
            said: Vec::new(),
            open: None,
            planned: None,
            groups: Vec::new(),
            told_groups: HashMap::new(),
            accepted: false,
            granted: 0,
            spent: 0,
            finish: false,
            received: false,
            over: false,
        }
    }

    fn step(&mut self, input: &mut Input) -> Result<(), Violation> {
        match input.byte() % 32 {
            0..=3 if !self.complete && self.entries.len() < 24 => {
                let entry = source::next_entry(input, &self.entries);
                let broken = is_file(&entry) && input.byte() > 230;
                self.machine
                    .list(&entry, broken.then_some(&Problem::Unreadable));
                self.entries.push(entry);
                self.said.push(Said::default());
            }
            4 => self.machine.flush_part(),
            5 if !self.complete => {
                self.complete = true;
                self.machine.listed_all();
            }
            n @ 6..=18 => {
                let raw = self.make(n, input);
                self.hear(raw)?;
            }
            19..=26 => {
                for _ in 0..=input.below(8) {
                    self.work(input);
                }
            }
            27 | 28 => {
                if let Some((entry, count)) = self.groups.pop() {
                    let different: Vec<u32> = (0..count).filter(|_| input.yes()).collect();
                    self.machine.compared(entry, count, &different);
                }
            }
            29 => {
                let hold = input.pick(&[None, Some(Hold::Person), Some(Hold::Turn)]);
                self.machine.hold(hold);
            }
            30 if input.byte() < 8 => {
                let open = self.machine.cancel(input.yes().then_some(&Problem::Gone));
                assert!(!open || self.machine.ended());
            }
            _ => {}
        }
        self.look();
        Ok(())
    }

    /// A frame of the receiver: what could come now, or nearly.
    fn make(&mut self, which: u8, input: &mut Input) -> RawFrame {
        let odd = input.byte() < 16;
        let number = input.below(self.entries.len() + usize::from(odd)) as u32;
        let len_bytes = self
            .entries
            .get(number as usize)
            .map_or(0, Entry::len_bytes);
        let whole = |frame: &[u8]| RawFrame {
            kind: frame[4],
            body: frame[5..].to_vec(),
        };
        let json = |kind, text: String| RawFrame {
            kind,
            body: text.into_bytes(),
        };
        let empty = |kind| RawFrame {
            kind,
            body: Vec::new(),
        };
        let id = if odd { "cd" } else { "ab" }.repeat(16);
        let to = (number + input.below(4) as u32).min(self.entries.len().saturating_sub(1) as u32);
        match which {
            6 | 7 => {
                let credit = input.pick(&[8 << 20, 0, 300, 70_000, u64::MAX]);
                json(
                    kind::ACCEPT,
                    format!(r#"{{"transfer":"{id}","credit":{credit}}}"#),
                )
            }
            8 => {
                let granted = input.pick(&[8 << 20, 24 << 20, 600, u64::MAX]);
                let held = input.pick(&[0, 1000, u64::MAX]);
                let mut body = u64::to_be_bytes(granted).to_vec();
                body.extend(u64::to_be_bytes(held));
                RawFrame {
                    kind: kind::CREDIT,
                    body,
                }
            }
            9..=11 => {
                let what = input.pick(&["arrived", "already_there", "skipped"]);
                match input.below(4) {
                    0 => json(
                        kind::STATUS,
                        format!(r#"{{"failed":[{{"entry":{number},"code":"corrupt"}}]}}"#),
                    ),
                    _ => json(kind::STATUS, format!(r#"{{"{what}":[[{number},{to}]]}}"#)),
                }
            }
            12 => {
                let first = self.told_groups.get(&number).copied().unwrap_or(0) + u32::from(odd);
                let hashes = vec![[5; 32]; 1 + input.below(2)];
                whole(
                    &Groups {
                        entry: number,
                        first,
                        hashes,
                    }
                    .encode(kind::GROUPS),
                )
            }
            13 => {
                let groups = source::groups(len_bytes).max(1) + u32::from(odd && input.yes());
                let groups = 1 + u32::from(input.byte()) % groups;
                json(
                    kind::COMPARE,
                    format!(r#"{{"files":[[{number},{groups}]]}}"#),
                )
            }
            14 => {
                let mut ranges = source::ranges(input, len_bytes);
                if odd {
                    ranges.push((1, u64::MAX));
                }
                whole(
                    &Want {
                        entry: number,
                        ranges,
                    }
                    .encode(),
                )
            }
            15 => {
                let bytes = GROUP_BYTES * (1 + input.below(2) as u64) + u64::from(odd);
                match input.yes() {
                    true => json(kind::KEPT, format!(r#"{{"done":[[{number},{to}]]}}"#)),
                    false => json(kind::KEPT, format!(r#"{{"partial":[[{number},{bytes}]]}}"#)),
                }
            }
            16 => {
                let count = self.entries.len() + usize::from(odd);
                let bytes = self.machine.total_bytes();
                json(
                    kind::RECEIVED,
                    format!(r#"{{"arrived":{count},"failed":0,"bytes":{bytes}}}"#),
                )
            }
            17 => match input.below(8) {
                0 => json(kind::DECLINE, format!(r#"{{"transfer":"{id}"}}"#)),
                1 => json(kind::CANCEL, "{}".into()),
                2 | 3 => json(kind::PAUSE, r#"{"reason":"no-space","needed":7}"#.into()),
                4 | 5 => empty(kind::GO_ON),
                _ => empty(kind::SAFE),
            },
            _ => RawFrame {
                kind: input.byte(),
                body: input.piece().to_vec(),
            },
        }
    }

    fn hear(&mut self, raw: RawFrame) -> Result<(), Violation> {
        let Some(frame) = Frame::parse(raw)? else {
            return Ok(());
        };
        let over = self.machine.ended();
        let heard = frame.clone();
        self.machine.handle_frame(frame)?;
        if over {
            return Ok(());
        }
        match heard {
            Frame::Accept(accept) => {
                assert!(!self.accepted && accept.transfer.0 == TRANSFER.0);
                self.accepted = true;
                self.granted = accept.credit;
            }
            Frame::Credit(credit) => {
                assert!(self.accepted);
                self.granted = self.granted.max(credit.granted);
            }
            Frame::Kept(kept) => {
                assert!(!self.accepted && self.complete);
                for (entry, _) in kept.partial {
                    self.said[entry as usize].in_groups = true;
                }
            }
            Frame::Want(want) => {
                // Behind *finish* nobody listens to it.
                let entry = self.entries.get(want.entry as usize);
                if entry.is_some_and(|entry| entry.len_bytes() > GROUP_BYTES) {
                    self.said[want.entry as usize].in_groups = true;
                }
            }
            Frame::Groups(groups) => {
                let count = groups.hashes.len() as u32;
                *self.told_groups.entry(groups.entry).or_default() += count;
            }
            Frame::Received(_) => assert!(self.finish, "an end before everything was sent"),
            Frame::Safe => assert!(self.received),
            Frame::Decline(_) | Frame::Cancel(_) => assert!(self.machine.ended()),
            // Skipped where it says nothing.
            Frame::Asking => {}
            Frame::Status(_) | Frame::Compare(_) | Frame::Pause(_) | Frame::GoOn => {}
            other => panic!("a sender took {other:?}"),
        }
        Ok(())
    }

    fn look(&mut self) {
        while let Some(event) = self.machine.poll_event() {
            assert!(!self.over, "{event:?} behind the last word");
            match event {
                SenderEvent::PersonAsked => assert!(!self.accepted),
                SenderEvent::Accepted => assert!(self.accepted),
                SenderEvent::Groups(groups) => {
                    self.groups.push((groups.entry, groups.hashes.len() as u32));
                }
                SenderEvent::Received(_) => {
                    assert!(!self.received);
                    assert_eq!(self.machine.settled(), self.entries.len());
                    self.received = true;
                }
                SenderEvent::Declined | SenderEvent::Safe | SenderEvent::Cancelled(_) => {
                    assert!(self.machine.ended());
                    self.over = true;
                }
                SenderEvent::Settled(_) | SenderEvent::Kept(_) => {}
            }
        }
        while let Some(frame) = self.machine.poll_control() {
            let known = [kind::OFFER, kind::CANCEL, kind::PAUSE, kind::GO_ON];
            assert!(known.contains(&frame[4]));
        }
        assert!(self.machine.settled() <= self.entries.len());
        assert!(self.machine.held_bytes() <= self.machine.total_bytes());
        assert!(self.machine.wanted_bytes() <= self.machine.total_bytes());
    }

    /// One half of a piece of work: it is planned, or it is done.
    fn work(&mut self, input: &mut Input) {
        let Some(planned) = self.planned.take() else {
            let held = self.machine.holds().any();
            let next = self.machine.poll_bulk();
            if let Some(Bulk::Frame(frame)) = &next {
                assert!(!held || frame[4] != kind::FINISH, "finish while it is held");
                self.goes_out(frame[4], &frame[5..]);
                return;
            }
            if next.is_some() {
                assert!(self.accepted && !self.machine.ended() && !self.finish);
                assert!(!held, "content while it is held");
            }
            self.planned = next;
            return;
        };
        let fails = input.byte() > 220;
        match planned {
            Bulk::Frame(_) => unreachable!("it went out"),
            Bulk::Chunk { entry, offset, len } => {
                if fails || !self.machine.is_wanted(entry) {
                    self.machine.file_ended(entry, Err(Problem::Changed));
                    return;
                }
                self.pay(DataFrame::cost(len));
                self.content(entry, offset, len as u64);
            }
            Bulk::End { entry } => {
                let result = if fails {
                    Err(Problem::Changed)
                } else {
                    Ok([4; 32])
                };
                self.machine.file_ended(entry, result);
            }
            Bulk::Hash {
                entry,
                first,
                count,
            } => {
                if fails {
                    self.machine.not_hashed(count);
                    self.machine.file_ended(entry, Err(Problem::Vanished));
                    return;
                }
                let groups = source::groups(self.entries[entry as usize].len_bytes());
                assert!(count > 0 && first + count <= groups);
                self.pay(cost(Groups::body_bytes(count as usize)));
            }
            Bulk::Batch(items) => {
                let mut body = 0;
                for (entry, len) in items {
                    assert_eq!(self.entries[entry as usize].len_bytes(), u64::from(len));
                    if input.byte() > 220 {
                        self.machine.batch_file_failed(entry, &Problem::Vanished);
                        continue;
                    }
                    body += BatchFrame::item_bytes(u64::from(len));
                    self.ends(entry);
                }
                if body > 0 {
                    assert!(self.open.is_none(), "a batch inside a file");
                    self.pay(cost(body as usize));
                }
            }
        }
    }

    fn pay(&mut self, price: u64) {
        assert!(self.accepted && !self.finish);
        self.spent += price;
        assert!(self.spent <= self.granted, "more than was granted");
    }

    fn content(&mut self, entry: u32, offset: u64, len: u64) {
        let said = &mut self.said[entry as usize];
        let end = offset + len;
        assert!(len > 0 && end <= self.entries[entry as usize].len_bytes());
        assert!(!said.ended, "content behind the end of a file");
        if said.in_groups {
            assert_eq!(
                offset / GROUP_BYTES,
                (end - 1) / GROUP_BYTES,
                "across groups"
            );
        } else {
            assert_eq!(offset, said.content_bytes, "a gap");
            assert!(
                self.open.is_none_or(|open| open == entry),
                "a second open file"
            );
            self.open = Some(entry);
        }
        said.begun = true;
        said.content_bytes = end;
    }

    fn ends(&mut self, entry: u32) {
        let said = &mut self.said[entry as usize];
        assert!(is_file(&self.entries[entry as usize]));
        assert!(
            !std::mem::replace(&mut said.ended, true),
            "two ends of one file"
        );
        self.open.take_if(|open| *open == entry);
    }

    fn goes_out(&mut self, kind: u8, body: &[u8]) {
        let raw = RawFrame {
            kind,
            body: body.to_vec(),
        };
        let frame = Frame::parse(raw)
            .expect("our own frame")
            .expect("a known frame");
        match frame {
            Frame::Manifest(part) => assert!(part.entries.len() <= self.entries.len()),
            Frame::ManifestEnd(end) => {
                assert!(self.complete && end.entries == self.entries.len() as u64);
            }
            Frame::Failed(failed) => self.ends(failed.entry),
            Frame::FileEnd(end) => {
                let entry = &self.entries[end.entry as usize];
                let said = self.said[end.entry as usize];
                assert_eq!(end.len_bytes, entry.len_bytes());
                assert!(
                    said.in_groups || said.content_bytes == end.len_bytes,
                    "too early"
                );
                self.pay(cost(body.len()));
                self.ends(end.entry);
            }
            Frame::Finish => {
                assert!(self.accepted && self.complete && self.open.is_none());
                assert!(!std::mem::replace(&mut self.finish, true), "two ends");
            }
            other => panic!("a sender said {other:?}"),
        }
    }
}
