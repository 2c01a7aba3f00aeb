//! Files of which a part is here already, from an earlier run or from what stands under their names: only
//! what is missing comes, in whole groups.

use super::{Receiver, State};
use crate::model::GROUP_BYTES;
use crate::protocol::bulk::{Data, Groups};
use crate::protocol::message::{Frame, Kept, Violation};
use crate::protocol::outcomes::extend;

/// Items in one frame about what was kept; each takes less than 40 bytes of the control limit.
const KEPT_ITEMS: usize = 1024;

/// What the disk has of a transfer that goes on.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Found {
    /// Files that arrived, ascending.
    pub done: Vec<u32>,
    /// Files of which so many whole groups are there, as bytes.
    pub partial: Vec<(u32, u64)>,
}

/// A file of which a beginning was kept.
#[derive(Debug)]
pub(super) struct Mending {
    kept_bytes: u64,
    /// Where the group that is coming goes on.
    next: u64,
}

impl Mending {
    pub fn new(kept_bytes: u64) -> Self {
        Self {
            kept_bytes,
            next: kept_bytes,
        }
    }

    /// Whether the content takes the place of content that was kept.
    pub fn take(&mut self, data: &Data, len_bytes: u64) -> Result<bool, Violation> {
        let len = data.content().len() as u64;
        let end = data.offset.saturating_add(len);
        let begins = data.offset.checked_rem(GROUP_BYTES) == Some(0);
        let group = |at: u64| at.checked_div(GROUP_BYTES);
        if len == 0 || end > len_bytes || !(begins || data.offset == self.next) {
            return Err(Violation::Malformed("content where none was missing"));
        }
        if group(data.offset) != group(end.saturating_sub(1)) {
            return Err(Violation::Malformed("content across two groups"));
        }
        self.next = end;
        Ok(data.offset < self.kept_bytes)
    }
}

impl Receiver {
    /// Goes on with what is there. Tells the sender, then takes the offer.
    pub fn go_on(&mut self, found: &Found) {
        if self.state != State::Offered || !self.entries.complete() {
            return;
        }
        let mut kept = Kept::default();
        for &number in &found.done {
            // The sender gave it up this time: its copy here stays, and its failure is told.
            if !self.entries.is_listed_file(number) {
                continue;
            }
            self.entries.settle_kept(number);
            let len_bytes = self.entries.len_bytes(number);
            self.window.hold(len_bytes);
            self.outcomes.add_kept(len_bytes);
            extend(&mut kept.done, number);
            if kept.done.len() >= KEPT_ITEMS {
                self.tell_kept(&mut kept);
            }
        }
        for &(number, bytes) in &found.partial {
            if !self.entries.is_listed_file(number) {
                continue;
            }
            self.mending.insert(number, Mending::new(bytes));
            self.window.hold(bytes);
            kept.partial.push((number, bytes));
            if kept.partial.len() >= KEPT_ITEMS {
                self.tell_kept(&mut kept);
            }
        }
        if kept != Kept::default() {
            self.tell_kept(&mut kept);
        }
        self.window.held_is_told();
        self.accept();
    }

    fn tell_kept(&mut self, kept: &mut Kept) {
        let kept = std::mem::take(kept);
        self.control.push_back(Frame::Kept(kept).encode());
    }

    /// The next hashes of a kept file's groups, for the sender to compare.
    pub fn tell_groups(&mut self, groups: &Groups) {
        if self.is_undecided(groups.entry) && self.mending.contains_key(&groups.entry) {
            self.control
                .push_back(Frame::Groups(groups.clone()).encode());
        }
    }
}
