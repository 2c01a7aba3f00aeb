//! Files under whose names the receiver has something already: it is told their hashes, and says what it
//! still needs.

use super::{Bulk, Sender, SenderEvent, Slot};
use crate::model::GROUP_BYTES;
use crate::protocol::bulk::{Groups, Want, cost};
use crate::protocol::message::{Compare, Violation};

/// Hashes in one frame: 32 MiB of content, often enough for a person to see it move.
const TOLD_TOGETHER: u32 = 32;
/// Files that wait for an answer at once, at most: each may be held open.
const UNANSWERED: usize = 32;

impl Sender {
    pub(super) fn take_compare(&mut self, compare: &Compare) -> Result<(), Violation> {
        let announced = self.announced();
        let mut check_bytes = 0_u64;
        for &(entry, groups) in &compare.files {
            let slot = self.slots.get_mut(entry as usize);
            let slot = slot.filter(|_| (entry as usize) < announced);
            let len_bytes = self.lens.get(entry as usize).copied().unwrap_or(0);
            let count = len_bytes.div_ceil(GROUP_BYTES);
            let (Some(slot), true) = (slot, groups > 0 && u64::from(groups) <= count) else {
                return Err(Violation::Malformed("a comparison of what is not there"));
            };
            // One that only waits for credit has not begun.
            self.current.take_if(|current| *current == (entry, 0));
            let begun = self.current.is_some_and(|(current, _)| current == entry);
            match slot {
                Slot::Folder => {
                    return Err(Violation::Malformed("a comparison of a folder"));
                }
                Slot::Listed if !begun => {
                    *slot = Slot::Asked;
                    self.asked.push_back((entry, groups, 0));
                    let bytes = u64::from(groups).saturating_mul(GROUP_BYTES);
                    check_bytes = check_bytes.saturating_add(bytes.min(len_bytes));
                }
                Slot::Asked | Slot::Told => {
                    return Err(Violation::Malformed("a comparison asked for twice"));
                }
                // It is on its way, or over.
                Slot::Listed | Slot::Mending | Slot::Sent | Slot::Settled => {}
            }
        }
        self.events.push_back(SenderEvent::Kept(check_bytes));
        Ok(())
    }

    pub(super) fn next_hashes(&mut self) -> Option<Bulk> {
        if self.unanswered >= UNANSWERED {
            return None;
        }
        // Those that were given up, or settled over there, are passed over.
        while let Some((entry, ..)) = self.asked.front()
            && self.slots.get(*entry as usize) != Some(&Slot::Asked)
        {
            self.asked.pop_front();
        }
        let &(entry, groups, told) = self.asked.front()?;
        let count = groups.saturating_sub(told).min(TOLD_TOGETHER);
        let price = cost(Groups::body_bytes(count as usize));
        if !self.budget.allows(price) {
            return None;
        }
        self.budget.pay(price);
        let next = told.saturating_add(count);
        if next >= groups {
            self.asked.pop_front();
            self.unanswered = self.unanswered.saturating_add(1);
            if let Some(slot) = self.slots.get_mut(entry as usize) {
                *slot = Slot::Told;
            }
        } else if let Some(front) = self.asked.front_mut() {
            front.2 = next;
        }
        Some(Bulk::Hash {
            entry,
            first: told,
            count,
        })
    }

    /// The hashes that were asked of the driver last cannot be had: they do not travel.
    pub fn not_hashed(&mut self, count: u32) {
        let price = cost(Groups::body_bytes(count as usize));
        self.budget.take_back(price);
    }

    /// One whose hashes were told was given up here, or settled over there.
    pub(super) fn answered(&mut self) {
        self.unanswered = self.unanswered.saturating_sub(1);
    }

    pub(super) fn take_want(&mut self, want: Want) -> Result<(), Violation> {
        let Want { entry, ranges } = want;
        let len_bytes = self.lens.get(entry as usize).copied().unwrap_or(0);
        match self.slots.get(entry as usize) {
            Some(Slot::Told) => {}
            // Given up here meanwhile.
            Some(Slot::Sent | Slot::Settled) => return Ok(()),
            Some(Slot::Folder | Slot::Listed | Slot::Asked | Slot::Mending) | None => {
                return Err(Violation::Malformed(
                    "an answer to hashes that were not told",
                ));
            }
        }
        let mut end = 0;
        for &(from, to) in &ranges {
            let whole = |at: u64| at.checked_rem(GROUP_BYTES) == Some(0);
            let fits = end <= from && from < to && to <= len_bytes;
            if !fits || !whole(from) || !(whole(to) || to == len_bytes) {
                return Err(Violation::Malformed("a range that is not of whole groups"));
            }
            end = to;
        }
        self.answered();
        let single = len_bytes <= GROUP_BYTES;
        if single && ranges.is_empty() {
            return Err(Violation::Malformed("a wish for nothing"));
        }
        let Some(slot) = self.slots.get_mut(entry as usize) else {
            return Ok(());
        };
        if single {
            // It travels as if nobody had asked.
            *slot = Slot::Listed;
            if (entry as usize) < self.cursor {
                self.again.push_back(entry);
            }
        } else {
            *slot = Slot::Mending;
            self.mending.begin(entry, 0, ranges);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::model::{Entry, EntryKind, SafeName, TransferId};
    use crate::protocol::message::{Accept, Frame, Hex};

    #[test]
    fn files_that_turn_out_to_differ_are_sent_once_each_and_the_list_is_walked_once() {
        const FILES: u32 = 2000;
        /// Small ones, and some that travel in chunks.
        fn len_bytes(number: u32) -> u64 {
            if number.is_multiple_of(50) {
                100_000
            } else {
                10
            }
        }
        let mut sender = Sender::new(TransferId([1; 16]));
        for number in 0..FILES {
            let entry = Entry {
                parent: None,
                name: SafeName::try_from(format!("{number}").as_str()).unwrap(),
                kind: EntryKind::File {
                    len_bytes: len_bytes(number),
                    executable: false,
                },
                modified: None,
            };
            sender.list(&entry, None);
        }
        sender.listed_all();
        let accept = Accept {
            transfer: Hex([1; 16]),
            credit: u64::MAX / 2,
        };
        sender.handle_frame(Frame::Accept(accept)).unwrap();
        // All but every third one: those are new over there.
        let asked = (0..FILES).filter(|number| number % 3 != 0);
        let files = asked.map(|number| (number, 1)).collect();
        sender
            .handle_frame(Frame::Compare(Compare { files }))
            .unwrap();
        let mut sent = vec![0; FILES as usize];
        let (mut hashed, mut reached) = (VecDeque::new(), 0);
        loop {
            let Some(bulk) = sender.poll_bulk() else {
                // The answers come one by one, while other files travel.
                let entry = hashed.pop_front().expect("an answer is awaited");
                let ranges = vec![(0, len_bytes(entry))];
                let want = Want { entry, ranges };
                sender.handle_frame(Frame::Want(want)).unwrap();
                continue;
            };
            match bulk {
                Bulk::Hash { entry, .. } => hashed.push_back(entry),
                Bulk::Batch(items) => items
                    .iter()
                    .for_each(|(entry, _)| sent[*entry as usize] += 1),
                Bulk::Chunk { .. } => {}
                Bulk::End { entry } => {
                    sent[entry as usize] += 1;
                    sender.file_ended(entry, Ok([0; 32]));
                }
                Bulk::Frame(_) if sender.finishing() => break,
                Bulk::Frame(_) => {}
            }
            assert!(
                sender.cursor >= reached,
                "it goes back to {}",
                sender.cursor
            );
            reached = sender.cursor;
        }
        assert!(hashed.is_empty());
        assert!(sent.iter().all(|times| *times == 1));
    }
}
