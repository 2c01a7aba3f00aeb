//! Files of which the receiver has a part: what it lacks travels, in whole groups.

use std::collections::{BTreeMap, VecDeque};

use super::{Bulk, Sender, SenderEvent, Slot};
use crate::model::GROUP_BYTES;
use crate::protocol::bulk::{DataFrame, FileEnd, Groups, cost};
use crate::protocol::message::{Kept, Violation};

/// A file of which the receiver has a beginning. What lies behind it travels at once, while both
/// ends compare the groups before it; those that differ follow.
#[derive(Debug)]
struct Mending {
    /// Groups that the receiver has.
    kept: u32,
    /// Of these, hashes that came from the receiver.
    told: u32,
    /// Of these, compared by the driver.
    compared: u32,
    /// What is to be sent: from, to.
    ranges: VecDeque<(u64, u64)>,
}

#[derive(Debug, Default)]
pub(super) struct Mendings {
    files: BTreeMap<u32, Mending>,
    /// The range that is on its way: entry, from, to.
    range: Option<(u32, u64, u64)>,
}

impl Mendings {
    /// The receiver has so many groups, which are to be compared; these ranges travel anyway.
    pub fn begin(&mut self, entry: u32, kept: u32, ranges: impl IntoIterator<Item = (u64, u64)>) {
        let mending = Mending {
            kept,
            told: 0,
            compared: 0,
            ranges: ranges.into_iter().collect(),
        };
        self.files.insert(entry, mending);
    }

    pub fn contains(&self, entry: u32) -> bool {
        self.files.contains_key(&entry)
    }

    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// A range is on its way.
    pub fn is_sending(&self) -> bool {
        self.range.is_some()
    }

    pub fn remove(&mut self, entry: u32) {
        self.files.remove(&entry);
        self.range.take_if(|(current, ..)| *current == entry);
    }

    /// What travels next.
    fn next_range(&mut self) -> Option<(u32, u64, u64)> {
        if self.range.is_none() {
            let mut files = self.files.iter_mut();
            self.range = files.find_map(|(entry, mending)| {
                let (from, to) = mending.ranges.pop_front()?;
                Some((*entry, from, to))
            });
        }
        self.range
    }

    /// A file of which all is compared. Where no range is left to send, it is complete over there.
    fn next_whole(&self) -> Option<u32> {
        let mut whole = self.files.iter();
        let (&entry, _) = whole.find(|(_, mending)| mending.compared == mending.kept)?;
        Some(entry)
    }

    /// The receiver tells the next hashes of what it has; `None` if it has nothing of that file.
    fn take(&mut self, groups: &Groups) -> Option<Result<(), Violation>> {
        let mending = self.files.get_mut(&groups.entry)?;
        let count = u32::try_from(groups.hashes.len()).unwrap_or(u32::MAX);
        let told = mending.told.saturating_add(count);
        if groups.first != mending.told || count == 0 || told > mending.kept {
            return Some(Err(Violation::Malformed("hashes out of order")));
        }
        mending.told = told;
        Some(Ok(()))
    }

    /// So many more groups are compared; these of them differ and travel.
    fn compared(&mut self, entry: u32, len_bytes: u64, count: u32, different: &[u32]) {
        if let Some(mending) = self.files.get_mut(&entry) {
            mending.compared = mending.compared.saturating_add(count);
            for &group in different {
                let from = u64::from(group).saturating_mul(GROUP_BYTES);
                let to = from.saturating_add(GROUP_BYTES).min(len_bytes);
                match mending.ranges.back_mut() {
                    Some((_, end)) if *end == from => *end = to,
                    Some(_) | None => mending.ranges.push_back((from, to)),
                }
            }
        }
    }
}

impl Sender {
    /// The outer `None`: there is nothing to do for files being mended, or not now.
    pub(super) fn next_mending(&mut self) -> Option<Option<Bulk>> {
        if let Some((entry, from, to)) = self.mending.next_range() {
            let len = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
            let len = len.min(self.chunk_bytes);
            if !self.budget.allows(DataFrame::cost(len)) {
                return Some(None);
            }
            self.budget.plan_chunk(entry, len);
            let next = from.saturating_add(len as u64);
            self.mending.range = (next < to).then_some((entry, next, to));
            return Some(Some(Bulk::Chunk {
                entry,
                offset: from,
                len,
            }));
        }
        let entry = self.mending.next_whole()?;
        if !self.budget.allows(cost(FileEnd::BODY_BYTES)) {
            return Some(None);
        }
        Some(Some(Bulk::End { entry }))
    }

    /// The receiver has some of it from an earlier run.
    pub(super) fn keep(&mut self, kept: &Kept) -> Result<(), Violation> {
        const UNFIT: Violation = Violation::Malformed("a claim to have what was not offered");
        for &(first, last) in &kept.done {
            let range = self.slots.get_mut(first as usize..=last as usize);
            let range = range.filter(|_| first <= last && last < u32::MAX);
            for (slot, number) in range.ok_or(UNFIT)?.iter_mut().zip(first..) {
                if *slot != Slot::Listed {
                    return Err(UNFIT);
                }
                *slot = Slot::Settled;
                self.settled = self.settled.saturating_add(1);
                let len_bytes = self.lens.get(number as usize).copied().unwrap_or(0);
                self.held = self.held.saturating_add(len_bytes);
            }
        }
        for &(entry, bytes) in &kept.partial {
            let len_bytes = self.lens.get(entry as usize).copied().unwrap_or(0);
            let slot = self.slots.get_mut(entry as usize).ok_or(UNFIT)?;
            let groups = u32::try_from(bytes.checked_div(GROUP_BYTES).unwrap_or(0));
            let whole = bytes.checked_rem(GROUP_BYTES) == Some(0);
            let (Slot::Listed, Ok(groups @ 1..), true) = (*slot, groups, whole) else {
                return Err(UNFIT);
            };
            if bytes > len_bytes || len_bytes <= GROUP_BYTES {
                return Err(UNFIT);
            }
            *slot = Slot::Mending;
            self.held = self.held.saturating_add(bytes);
            let rest = (bytes < len_bytes).then_some((bytes, len_bytes));
            self.mending.begin(entry, groups, rest);
        }
        let check_bytes = kept.partial.iter().map(|(_, bytes)| bytes).sum();
        self.events.push_back(SenderEvent::Kept(check_bytes));
        Ok(())
    }

    /// Whether anybody wants to know.
    pub(super) fn take_groups(&mut self, groups: &Groups) -> Result<bool, Violation> {
        if let Some(taken) = self.mending.take(groups) {
            return taken.map(|()| true);
        }
        // Given up here while they were on their way; or never claimed.
        match self.slots.get(groups.entry as usize) {
            Some(Slot::Sent | Slot::Settled) => Ok(false),
            Some(Slot::Folder | Slot::Listed | Slot::Asked | Slot::Told | Slot::Mending) | None => {
                Err(Violation::Malformed("hashes of a file that was not kept"))
            }
        }
    }

    /// The driver has compared so many more groups of a kept file; these of them differ and travel.
    pub fn compared(&mut self, entry: u32, count: u32, different: &[u32]) {
        let len_bytes = self.lens.get(entry as usize).copied().unwrap_or(0);
        self.mending.compared(entry, len_bytes, count, different);
    }

    /// The receiver has a beginning of this file.
    pub fn is_mending(&self, entry: u32) -> bool {
        self.mending.contains(entry)
    }
}
