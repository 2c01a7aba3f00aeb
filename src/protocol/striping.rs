//! Bulk frames of one transfer over several connections: numbered where they are sent, put in order
//! where they arrive.
//!
//! The first connection of a transfer carries its bulk frames plain until the sender begins to number
//! them. From then on each has a *number* frame directly before it, whichever connection carries it,
//! and [`Merger`] gives them out in that order: the machines see what they would see of one connection.
//!
//! What waits for its turn is bounded. Frames that cost credit cannot be more than what was granted and
//! is not used. Of the others (`failed`, manifests, `finish`) no honest
//! sender puts any on the first connection, so that an attached one may be left unread while too many
//! of them wait, and the first one never is. On one connection numbers ascend, so the frame that all
//! wait for is never behind one that waits.

use std::collections::BTreeMap;

use super::bulk::{FileEnd, Groups, cost};
use super::frame::{HEADER_BYTES, kind};
use super::message::{Frame, Violation, WireEntry};

/// Frames that cost no credit and wait for their turn: some thousand entries or failures.
const FREE_BYTES: u64 = 1 << 20;
/// Memory for a frame that waits, besides what it holds.
const FRAME_BYTES: u64 = 256;

/// What a bulk frame takes while it waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Weight {
    /// Its cost, paid of the credit.
    Paid(u64),
    /// Bytes of memory.
    Free(u64),
}

fn is_bulk(frame: &Frame) -> bool {
    let kind = frame.kind();
    matches!(
        kind,
        kind::MANIFEST
            | kind::MANIFEST_END
            | kind::FAILED
            | kind::FINISH
            | kind::DATA
            | kind::BATCH
            | kind::FILE_END
            | kind::HASHES
    )
}

/// `None` for frames of the control lane.
fn weight(frame: &Frame) -> Option<Weight> {
    Some(match frame {
        Frame::Data(data) => Weight::Paid(cost(data.body_bytes())),
        Frame::Batch(batch) => Weight::Paid(cost(batch.body_bytes())),
        Frame::FileEnd(_) => Weight::Paid(cost(FileEnd::BODY_BYTES)),
        Frame::Hashes(groups) => Weight::Paid(cost(Groups::body_bytes(groups.hashes.len()))),
        Frame::Manifest(part) => {
            let entries = part.entries.iter();
            let bytes =
                entries.map(|entry| size_of::<WireEntry>().saturating_add(entry.name.len()));
            let bytes: u64 = bytes.map(|bytes| bytes as u64).sum();
            Weight::Free(bytes.saturating_add(FRAME_BYTES))
        }
        Frame::Failed(failed) => {
            let words = failed.problem.code.len() as u64;
            let words = words.saturating_add(failed.problem.detail.len() as u64);
            Weight::Free(words.saturating_add(FRAME_BYTES))
        }
        Frame::ManifestEnd(_) | Frame::Finish => Weight::Free(FRAME_BYTES),
        Frame::Hello(_)
        | Frame::Verify(_)
        | Frame::Challenge(_)
        | Frame::Answer(_)
        | Frame::Proof(_)
        | Frame::Refused
        | Frame::Offer(_)
        | Frame::Kept(_)
        | Frame::Compare(_)
        | Frame::Accept(_)
        | Frame::Decline(_)
        | Frame::Status(_)
        | Frame::Received(_)
        | Frame::Safe
        | Frame::Cancel(_)
        | Frame::Pause(_)
        | Frame::GoOn
        | Frame::Credit(_)
        | Frame::Groups(_)
        | Frame::Want(_)
        | Frame::Number(_)
        | Frame::Remember
        | Frame::Asking
        | Frame::Talk(_)
        | Frame::Welcome(_)
        | Frame::Unwelcome(_)
        | Frame::Message(_)
        | Frame::Receipt(_)
        | Frame::Ping
        | Frame::Pong => return None,
    })
}

/// Whether a bulk frame, as it travels, costs credit: only such a one may be numbered on the first
/// connection.
pub fn costs_credit(frame: &[u8]) -> bool {
    let kind = frame.get(HEADER_BYTES.saturating_sub(1)).copied();
    kind.is_some_and(|kind| {
        matches!(
            kind,
            kind::DATA | kind::BATCH | kind::FILE_END | kind::HASHES
        )
    })
}

/// One connection of a transfer, as the receiver sees it.
#[derive(Debug)]
pub struct Stripe {
    attached: bool,
    /// The number of the last bulk frame.
    last: Option<u64>,
    /// Its bulk frame has to come next.
    announced: Option<u64>,
}

/// What a frame of a connection is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Sorted {
    /// For the machine, now.
    Plain(Frame),
    /// For [`Merger::take`].
    Numbered(u64, Frame),
    /// It only said a number.
    Nothing,
}

impl Stripe {
    pub fn first() -> Self {
        Self {
            attached: false,
            last: None,
            announced: None,
        }
    }

    pub fn attached() -> Self {
        Self {
            attached: true,
            ..Self::first()
        }
    }

    pub fn sort(&mut self, frame: Frame) -> Result<Sorted, Violation> {
        // It says nothing to a receiver, wherever it comes.
        if frame == Frame::Asking {
            return Ok(Sorted::Nothing);
        }
        if let Frame::Number(number) = frame {
            // Number 0 follows all that came plain, so it comes where that came.
            let begins = !self.attached && self.last.is_none();
            if self.announced.is_some()
                || begins != (number == 0)
                || self.last.is_some_and(|last| number <= last)
            {
                return Err(Violation::Malformed("a number out of order"));
            }
            self.announced = Some(number);
            return Ok(Sorted::Nothing);
        }
        let bulk = is_bulk(&frame);
        match self.announced.take() {
            Some(number) if bulk => {
                self.last = Some(number);
                Ok(Sorted::Numbered(number, frame))
            }
            Some(_) => Err(Violation::Malformed("a number for no bulk frame")),
            None if self.attached => Err(Violation::Unexpected(frame.kind())),
            None if bulk && self.last.is_some() => {
                Err(Violation::Malformed("a bulk frame without its number"))
            }
            None => Ok(Sorted::Plain(frame)),
        }
    }
}

/// What became of a numbered frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Taken {
    /// It has its place; perhaps it is its turn.
    Kept,
    /// Too much waits already. Offer it again when others have had their turn.
    TooEarly(Frame),
}

/// Puts numbered frames of all connections in order.
#[derive(Debug, Default)]
pub struct Merger {
    next: u64,
    waiting: BTreeMap<u64, Frame>,
    paid: u64,
    free: u64,
}

impl Merger {
    /// From the connection `of`, in the order in which they came there. `credit_left` is what was
    /// granted and not used by frames that have had their turn.
    pub fn take(
        &mut self,
        of: &Stripe,
        number: u64,
        frame: Frame,
        credit_left: u64,
    ) -> Result<Taken, Violation> {
        if number < self.next || self.waiting.contains_key(&number) {
            return Err(Violation::Malformed("a number twice"));
        }
        let weight = weight(&frame).ok_or(Violation::Unexpected(frame.kind()))?;
        let next = number == self.next;
        match weight {
            Weight::Paid(cost) => {
                let paid = self.paid.saturating_add(cost);
                if paid > credit_left {
                    return Err(Violation::Malformed("more than the credit allows"));
                }
                self.paid = paid;
            }
            Weight::Free(bytes) => {
                let free = self.free.saturating_add(bytes);
                let too_much = self.free > 0 && free > FREE_BYTES && !next;
                match too_much {
                    true if of.attached => return Ok(Taken::TooEarly(frame)),
                    true => return Err(Violation::Malformed("too much out of order")),
                    false => self.free = free,
                }
            }
        }
        self.waiting.insert(number, frame);
        Ok(Taken::Kept)
    }

    /// The frame whose turn it is, if it is there.
    pub fn poll(&mut self) -> Option<Frame> {
        let frame = self.waiting.remove(&self.next)?;
        self.next = self.next.saturating_add(1);
        match weight(&frame) {
            Some(Weight::Paid(cost)) => self.paid = self.paid.saturating_sub(cost),
            Some(Weight::Free(bytes)) => self.free = self.free.saturating_sub(bytes),
            None => {}
        }
        Some(frame)
    }

    /// Frames wait for one that has not come.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }
}

#[cfg(test)]
#[path = "striping_tests.rs"]
mod tests;
