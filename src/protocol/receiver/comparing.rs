//! Files under whose names something stands here already: the sender is asked for their hashes, and told
//! what is still needed of them.

use std::collections::{HashMap, HashSet};

use super::Receiver;
use super::entries::Open;
use super::jobs::Job;
use super::mending::Mending;
use crate::model::GROUP_BYTES;
use crate::protocol::bulk::{Groups, Want};
use crate::protocol::message::{Compare, Frame, Violation};

/// Files in one frame; each takes less than 40 bytes of the control limit.
const ASKED_TOGETHER: usize = 1024;
/// Files whose hashes came and which were not answered, at most.
const COMPARED_AT_ONCE: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Comparing {
    /// Files whose hashes were asked for: how many groups, and how many of them came.
    asked: HashMap<u32, (u32, u32)>,
    /// Those of which hashes came and which were not answered.
    unanswered: HashSet<u32>,
}

impl Comparing {
    /// Takes in the next hashes of a file; says whether they were the last ones.
    fn take(&mut self, groups: &Groups, told: bool) -> Result<bool, Violation> {
        let number = groups.entry;
        let count = u32::try_from(groups.hashes.len()).unwrap_or(u32::MAX);
        let Some((all, came)) = self.asked.get_mut(&number) else {
            return Err(Violation::Malformed("hashes that nobody asked for"));
        };
        let next = came.saturating_add(count);
        if groups.first != *came || count == 0 || next > *all {
            return Err(Violation::Malformed("hashes out of order"));
        }
        *came = next;
        let last = next == *all;
        if !told {
            self.unanswered.insert(number);
            // Each is a file held open here.
            if self.unanswered.len() > COMPARED_AT_ONCE {
                return Err(Violation::Malformed("hashes of too many files at once"));
            }
        }
        Ok(last)
    }

    /// All hashes of the file have come.
    fn is_complete(&self, number: u32) -> bool {
        let asked = self.asked.get(&number);
        asked.is_some_and(|(all, came)| all == came)
    }

    /// Content of it comes although its hashes were asked for: it was on its way already. Once its
    /// hashes have come the answer to them is due first.
    pub fn content_comes(&mut self, number: u32, undecided: bool) -> Result<(), Violation> {
        match self.asked.get(&number) {
            Some((_, 1..)) if undecided => Err(Violation::Malformed(
                "content of a file that is being compared",
            )),
            Some(_) => {
                self.asked.remove(&number);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// It was told what became of the file; its hashes may still come.
    pub fn was_settled(&mut self, number: u32) {
        self.unanswered.remove(&number);
    }

    pub fn remove(&mut self, number: u32) {
        self.asked.remove(&number);
        self.unanswered.remove(&number);
    }
}

impl Receiver {
    /// Something stands under the names of these files: their hashes are to come first, of so many
    /// groups from the beginning. Those of which content has come already are passed over.
    pub fn ask(&mut self, files: &[(u32, u32)]) {
        let asked = &self.comparing.asked;
        let open = files.iter().copied().filter(|&(number, groups)| {
            let begun = self.current.is_some_and(|(current, _)| current == number);
            let known = self.mending.contains_key(&number) || asked.contains_key(&number);
            self.is_undecided(number) && !begun && !known && groups > 0
        });
        let open: Vec<_> = open.collect();
        for files in open.chunks(ASKED_TOGETHER) {
            let files = files.to_vec();
            let asked = files.iter().map(|(number, groups)| (*number, (*groups, 0)));
            self.comparing.asked.extend(asked);
            let compare = Frame::Compare(Compare { files });
            self.control.push_back(compare.encode());
        }
    }

    /// What is needed of a file whose hashes have come; the rest of it is here. `false`: nobody waits
    /// for that any more.
    pub fn want(&mut self, number: u32, ranges: Vec<(u64, u64)>) -> bool {
        if !self.comparing.is_complete(number) || !self.is_undecided(number) {
            return false;
        }
        self.comparing.remove(number);
        let ranges = few(ranges);
        let len_bytes = self.entries.len_bytes(number);
        if len_bytes > GROUP_BYTES {
            let wanted = ranges.iter().fold(0_u64, |sum, (from, to)| {
                sum.saturating_add(to.saturating_sub(*from))
            });
            self.window.hold(len_bytes.saturating_sub(wanted));
            self.mending.insert(number, Mending::new(0));
        }
        let want = Want {
            entry: number,
            ranges,
        };
        self.control.push_back(Frame::Want(want).encode());
        true
    }

    pub(super) fn take_hashes(&mut self, groups: Groups) -> Result<(), Violation> {
        let body_bytes = Groups::body_bytes(groups.hashes.len());
        self.window.pay(body_bytes)?;
        let Open { file, told } = self.entries.open_file(groups.entry)?;
        let last = self.comparing.take(&groups, told)?;
        if told {
            self.window.throw_away(body_bytes);
        } else {
            self.jobs.push(Job::Hashes {
                entry: file,
                groups,
                last,
            });
        }
        Ok(())
    }
}

/// As many ranges as a frame holds: beyond that some of what is here comes again.
fn few(mut ranges: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    const MOST_RANGES: usize = 16_384;
    if let (Some(&(from, _)), Some(&(_, to))) = (ranges.get(MOST_RANGES - 1), ranges.last()) {
        ranges.truncate(MOST_RANGES - 1);
        ranges.push((from, to));
    }
    ranges
}
