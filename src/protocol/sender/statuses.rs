//! What the receiver says became of entries: each has one status, and a file that needs no bytes may
//! have it before it has ended.

use std::ops::RangeInclusive;

use super::{Sender, Slot};
use crate::protocol::message::{Failed, Frame, Status, Violation, WireProblem};

/// The code with which a file ends that the receiver settled in the middle. It knows why.
const LEFT_OUT: &str = "settled";

/// When the status of an entry came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum When {
    Early,
    Ended,
}

impl Sender {
    /// Takes in what became of entries over there.
    pub(super) fn settle(&mut self, status: &Status) -> Result<(), Violation> {
        for &range in &status.arrived {
            for number in self.listed(range)? {
                match self.slots.get_mut(number as usize) {
                    Some(slot @ (Slot::Folder | Slot::Sent)) => *slot = Slot::Settled,
                    Some(
                        Slot::Listed | Slot::Asked | Slot::Told | Slot::Mending | Slot::Settled,
                    )
                    | None => {
                        return Err(Violation::Malformed("a status too early or twice"));
                    }
                }
                self.settled = self.settled.saturating_add(1);
            }
        }
        for &range in &status.already_there {
            for number in self.listed(range)? {
                self.settle_any(number)?;
            }
        }
        for &range in &status.skipped {
            for number in self.listed(range)? {
                if self.slots.get(number as usize) == Some(&Slot::Folder) {
                    return Err(Violation::Malformed("a folder that is left out"));
                }
                if self.settle_any(number)? == When::Ended {
                    self.leave_out(number);
                }
            }
        }
        for failed in &status.failed {
            self.settle_any(failed.entry)?;
        }
        Ok(())
    }

    /// The entries of a range in a status, if they all exist.
    fn listed(&self, (first, last): (u32, u32)) -> Result<RangeInclusive<u32>, Violation> {
        if first <= last && (last as usize) < self.slots.len() && last < u32::MAX {
            Ok(first..=last)
        } else {
            Err(Violation::Malformed(
                "a status of entries that do not exist",
            ))
        }
    }

    /// Takes a status that may come before the file has ended: one that has not begun is left out,
    /// one in the middle ends here.
    fn settle_any(&mut self, number: u32) -> Result<When, Violation> {
        let announced = self.announced();
        let slot = self.slots.get_mut(number as usize);
        let slot = slot.filter(|_| (number as usize) < announced);
        let begun = match slot {
            None | Some(Slot::Settled) => {
                return Err(Violation::Malformed("a status twice or of nothing"));
            }
            Some(slot @ (Slot::Folder | Slot::Sent)) => {
                *slot = Slot::Settled;
                self.settled = self.settled.saturating_add(1);
                return Ok(When::Ended);
            }
            Some(slot @ Slot::Listed) => {
                *slot = Slot::Settled;
                self.current
                    .take_if(|(current, _)| *current == number)
                    .is_some()
            }
            Some(slot @ Slot::Asked) => {
                *slot = Slot::Settled;
                false
            }
            Some(slot @ Slot::Told) => {
                *slot = Slot::Settled;
                self.answered();
                false
            }
            Some(slot @ Slot::Mending) => {
                *slot = Slot::Settled;
                self.mending.remove(number);
                true
            }
        };
        self.settled = self.settled.saturating_add(1);
        self.leave_out(number);
        if begun {
            // Behind what of it is being read; ahead of the rest: the receiver has room for one
            // open file.
            let problem = WireProblem {
                code: LEFT_OUT.into(),
                detail: String::new(),
            };
            let failed = Failed {
                entry: number,
                problem,
            };
            self.bulk.push_front(Frame::Failed(failed).encode());
        }
        Ok(When::Early)
    }

    fn leave_out(&mut self, number: u32) {
        let len_bytes = self.lens.get(number as usize).copied().unwrap_or(0);
        self.left_out_bytes = self.left_out_bytes.saturating_add(len_bytes);
    }
}
