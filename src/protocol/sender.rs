//! The sending machine: one transfer from offer to "received", without I/O.
//!
//! The driver lists entries as it finds them ([`Sender::list`]), hands frames in, and asks two
//! questions: [`Sender::poll_control`] for what goes out at once, [`Sender::poll_bulk`] for what
//! goes out in order as fast as the wire and the receiver's credit allow. Bulk answers are frames
//! to send or pieces of files to read; only one thread may ask for them. The machine never sees
//! content, only counts.

mod budget;
mod comparing;
mod mending;
mod part;
mod statuses;

use std::collections::VecDeque;

use super::bulk::{
    BatchFrame, CHUNK_BYTES, DataFrame, FileEnd, Groups, SMALL_FILE_BYTES, STRIPED_CHUNK_BYTES,
    cost,
};
use super::message::{
    Accept, Cancel, Decline, Failed, Frame, Hex, ManifestEnd, Offer, Pause, Received, Status,
    Violation, WireProblem, unexpected,
};
use crate::model::{Entry, EntryKind, Hold, Holds, Problem, TransferId};
use budget::Budget;
use mending::Mendings;
use part::Part;

/// What the driver does next for the ordered lane.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Bulk {
    /// Send this.
    Frame(Vec<u8>),
    /// Read so many bytes of a file and send them as a data frame.
    Chunk { entry: u32, offset: u64, len: usize },
    /// All bytes of the file are sent: check it and call [`Sender::file_ended`].
    End { entry: u32 },
    /// Hash these groups of a file (of one with a single group: all of it) and send them as a
    /// *hashes* frame.
    Hash { entry: u32, first: u32, count: u32 },
    /// Read these whole files (number and length) and send them as one batch frame.
    Batch(Vec<(u32, u32)>),
}

/// What the driver has to know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SenderEvent {
    /// It does not just go on: a person there is asked again.
    PersonAsked,
    Accepted,
    Declined,
    /// What became of entries; each is named once, in inclusive ranges.
    Settled(Status),
    /// The receiver has something from an earlier run; so many bytes of it are to be compared.
    Kept(u64),
    /// Compare these with the source and tell [`Sender::compared`].
    Groups(Groups),
    /// Everything has its status; what arrived is under its final name over there.
    Received(Received),
    /// It is flushed to the disk over there. The last word.
    Safe,
    /// The other end ended it: a person, or its disk.
    Cancelled(Option<Problem>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Offered,
    Sending,
    /// `finish` is queued; statuses are awaited.
    Finishing,
    /// `received` came; only `safe` may follow.
    Received,
    Ended,
}

/// How one entry stands. Its length is kept apart, so that a million entries cost 9 MB.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Slot {
    Folder,
    /// A file that is still to be sent.
    Listed,
    /// A file whose hashes the receiver wants to compare with what it has under its name.
    Asked,
    /// The hashes were told; its answer is awaited.
    Told,
    /// A file of which the receiver has a part.
    Mending,
    /// Sent whole, or given up here; its status is awaited.
    Sent,
    Settled,
}

#[derive(Debug)]
pub struct Sender {
    state: State,
    transfer: TransferId,
    goes_on: bool,
    /// It was said that a person is asked.
    asks_person: bool,
    slots: Vec<Slot>,
    lens: Vec<u64>,
    total_bytes: u64,
    complete: bool,
    part: Part,
    control: VecDeque<Vec<u8>>,
    bulk: VecDeque<Vec<u8>>,
    events: VecDeque<SenderEvent>,
    /// The first entry that may still have to be sent; it never goes back.
    cursor: usize,
    /// Files before it that are to be sent after all, and ahead of it: the receiver has compared them.
    again: VecDeque<u32>,
    /// The file whose chunks are on their way, and how far.
    current: Option<(u32, u64)>,
    mending: Mendings,
    /// Files whose hashes are to be told: entry, groups asked for, groups told.
    asked: VecDeque<(u32, u32, u32)>,
    /// Files whose hashes were told, and which the receiver has not answered.
    unanswered: usize,
    budget: Budget,
    held: u64,
    /// Content in one frame.
    chunk_bytes: usize,
    /// Content of files that the receiver leaves out, or settled before they had ended.
    left_out_bytes: u64,
    settled: usize,
    finish_queued: bool,
    holds: Holds,
}

impl Sender {
    /// For a transfer that was accepted in an earlier run.
    pub fn going_on(transfer: TransferId) -> Self {
        Self {
            goes_on: true,
            ..Self::new(transfer)
        }
    }

    pub fn new(transfer: TransferId) -> Self {
        let offer = Frame::Offer(Offer {
            transfer: Hex(transfer.0),
        });
        Self {
            state: State::Offered,
            transfer,
            goes_on: false,
            asks_person: false,
            slots: Vec::new(),
            lens: Vec::new(),
            total_bytes: 0,
            complete: false,
            part: Part::default(),
            control: VecDeque::from([offer.encode()]),
            bulk: VecDeque::new(),
            events: VecDeque::new(),
            cursor: 0,
            again: VecDeque::new(),
            current: None,
            mending: Mendings::default(),
            asked: VecDeque::new(),
            unanswered: 0,
            budget: Budget::default(),
            held: 0,
            chunk_bytes: CHUNK_BYTES,
            left_out_bytes: 0,
            settled: 0,
            finish_queued: false,
            holds: Holds::default(),
        }
    }

    /// Adds the next entry of the manifest; with a problem, one that is named but cannot be sent.
    pub fn list(&mut self, entry: &Entry, problem: Option<&Problem>) {
        let number = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.slots.push(match (problem, entry.kind) {
            (Some(_), _) => Slot::Sent,
            (None, EntryKind::Folder) => Slot::Folder,
            (None, EntryKind::File { .. }) => Slot::Listed,
        });
        self.lens.push(entry.len_bytes());
        self.total_bytes = self.total_bytes.saturating_add(entry.len_bytes());
        self.part.push(number, entry, problem);
        if self.part.is_full() {
            self.flush_part();
        }
    }

    /// Sends what is listed so far, although the part is not full: nothing was found for a while.
    pub fn flush_part(&mut self) {
        self.part.flush(&mut self.bulk);
    }

    /// The walk is over.
    pub fn listed_all(&mut self) {
        self.flush_part();
        self.complete = true;
        let end = Frame::ManifestEnd(ManifestEnd {
            entries: self.slots.len() as u64,
            bytes: self.total_bytes,
        });
        self.bulk.push_back(end.encode());
    }

    /// Entries are listed that the peer has not been told of yet.
    pub fn has_unsaid_entries(&self) -> bool {
        self.part.len() > 0
    }

    /// Entries before this one are in a manifest frame.
    fn announced(&self) -> usize {
        self.slots.len().saturating_sub(self.part.len())
    }

    /// Bulk frames that wait to be sent; the walk pauses while there are many.
    pub fn backlog(&self) -> usize {
        self.bulk.len()
    }

    /// Ends the transfer from here; with a problem if it was not a person's wish. `false` if there
    /// is nothing to end any more: it has arrived, or it is over.
    pub fn cancel(&mut self, problem: Option<&Problem>) -> bool {
        let open = !matches!(self.state, State::Received | State::Ended);
        if open {
            let problem = problem.map(WireProblem::from);
            self.control
                .push_back(Frame::Cancel(Cancel { problem }).encode());
            self.end();
        }
        open
    }

    /// Lets no content out, or lets it out again; the other end is told.
    pub fn hold(&mut self, hold: Option<Hold>) {
        let open = matches!(
            self.state,
            State::Offered | State::Sending | State::Finishing
        );
        if open && self.holds.here != hold {
            let frame = hold.map_or(Frame::GoOn, |hold| Frame::Pause(Pause::from(hold)));
            self.control.push_back(frame.encode());
        }
        self.holds.here = hold;
    }

    /// The receiver has said yes.
    pub fn accepted(&self) -> bool {
        self.state != State::Offered
    }

    /// Who lets no content out.
    pub fn holds(&self) -> Holds {
        self.holds
    }

    pub fn handle_frame(&mut self, frame: Frame) -> Result<(), Violation> {
        let kind = frame.kind();
        if self.state == State::Ended {
            // What crossed our cancel on the way.
            return Ok(());
        }
        match (self.state, frame) {
            (State::Offered, Frame::Accept(Accept { transfer, .. }))
            | (State::Offered, Frame::Decline(Decline { transfer }))
                if transfer.0 != self.transfer.0 =>
            {
                Err(Violation::Malformed("an answer to another transfer"))
            }
            (State::Offered, Frame::Accept(accept)) => {
                self.budget.grant(accept.credit);
                self.state = State::Sending;
                self.events.push_back(SenderEvent::Accepted);
                Ok(())
            }
            (State::Offered, Frame::Kept(kept)) if self.complete && self.goes_on => {
                self.keep(&kept)
            }
            (State::Offered, Frame::Asking) if self.goes_on && !self.asks_person => {
                self.asks_person = true;
                self.events.push_back(SenderEvent::PersonAsked);
                Ok(())
            }
            (State::Sending, Frame::Groups(groups)) => {
                if self.take_groups(&groups)? {
                    self.events.push_back(SenderEvent::Groups(groups));
                }
                Ok(())
            }
            (State::Sending, Frame::Compare(compare)) => self.take_compare(&compare),
            (State::Sending, Frame::Want(want)) => self.take_want(want),
            // Everything was sent, or given up, while that was on its way.
            (State::Finishing, Frame::Compare(_) | Frame::Want(_)) => Ok(()),
            // The file was given up here while they were on their way.
            (State::Finishing, Frame::Groups(_)) => Ok(()),
            (State::Offered, Frame::Decline(_)) => {
                self.end();
                self.events.push_back(SenderEvent::Declined);
                Ok(())
            }
            (State::Sending | State::Finishing, Frame::Credit(credit)) => {
                // Both only grow; an older frame cannot take anything back.
                self.budget.grant(credit.granted);
                self.held = self.held.max(credit.held).min(self.total_bytes);
                Ok(())
            }
            (State::Sending | State::Finishing, Frame::Status(status)) => {
                self.settle(&status)?;
                self.events.push_back(SenderEvent::Settled(status));
                Ok(())
            }
            (State::Finishing, Frame::Received(received)) => {
                let sum = received
                    .arrived
                    .saturating_add(received.failed)
                    .saturating_add(received.skipped);
                if self.settled != self.slots.len() || sum != self.slots.len() as u64 {
                    return Err(Violation::Malformed(
                        "received before every status was told",
                    ));
                }
                self.state = State::Received;
                // The last credit may still be on its way, or never have been worth a frame.
                self.held = received.bytes.min(self.total_bytes);
                self.events.push_back(SenderEvent::Received(received));
                Ok(())
            }
            // Written before `received`, but in the slot that goes out after it.
            (State::Received, Frame::Credit(_)) => Ok(()),
            (State::Received, Frame::Safe) => {
                self.end();
                self.events.push_back(SenderEvent::Safe);
                Ok(())
            }
            // In an offer only the disk that it would go to can be what is full.
            (State::Offered | State::Sending | State::Finishing, Frame::Pause(pause)) => {
                self.holds.there = Some(Hold::from(&pause));
                Ok(())
            }
            (State::Offered | State::Sending | State::Finishing, Frame::GoOn) => {
                self.holds.there = None;
                Ok(())
            }
            (_running, Frame::Cancel(cancel)) => {
                self.end();
                let problem = cancel.problem.as_ref().map(Problem::from);
                self.events.push_back(SenderEvent::Cancelled(problem));
                Ok(())
            }
            (_state, _frame) => unexpected(kind),
        }
    }

    /// A whole frame for the fast lane.
    pub fn poll_control(&mut self) -> Option<Vec<u8>> {
        self.control.pop_front()
    }

    pub fn poll_event(&mut self) -> Option<SenderEvent> {
        self.events.pop_front()
    }

    /// The next thing to do for the ordered lane; `None` until something changes.
    pub fn poll_bulk(&mut self) -> Option<Bulk> {
        self.budget.plan_nothing();
        if let Some(frame) = self.bulk.pop_front() {
            return Some(Bulk::Frame(frame));
        }
        if self.state != State::Sending || self.holds.any() {
            return None;
        }
        if let Some((entry, offset)) = self.current {
            return self.next_chunk(entry, offset);
        }
        if let Some(bulk) = self.next_mending() {
            return bulk;
        }
        if let Some(bulk) = self.next_hashes() {
            return Some(bulk);
        }
        if let Some((entry, len)) = self.next_listed() {
            if len <= SMALL_FILE_BYTES {
                return self.next_batch();
            }
            self.current = Some((entry, 0));
            return self.next_chunk(entry, 0);
        }
        if self.cursor < self.slots.len() {
            return None;
        }
        let answered = self.asked.is_empty() && self.unanswered == 0;
        if self.complete && self.mending.is_empty() && answered && !self.finish_queued {
            self.finish_queued = true;
            self.state = State::Finishing;
            return Some(Bulk::Frame(Frame::Finish.encode()));
        }
        None
    }

    /// The driver has checked a file whose chunks it sent, or could not go on reading it.
    pub fn file_ended(&mut self, entry: u32, result: Result<[u8; 32], Problem>) {
        if self.slots.get(entry as usize) == Some(&Slot::Settled) {
            // The receiver told its fate meanwhile; that it ends with *failed* is queued.
            self.budget.not_sent(entry);
            return;
        }
        if self.current.is_some_and(|(current, _)| current == entry) {
            self.current = None;
        }
        self.mending.remove(entry);
        let len_bytes = self.lens.get(entry as usize).copied().unwrap_or(0);
        if let Some(slot) = self.slots.get_mut(entry as usize)
            && matches!(
                slot,
                Slot::Listed | Slot::Asked | Slot::Told | Slot::Mending
            )
        {
            let told = *slot == Slot::Told;
            *slot = Slot::Sent;
            if told {
                self.answered();
            }
        }
        if result.is_err() {
            self.budget.not_sent(entry);
        }
        let frame = match result {
            Ok(hash) => {
                let end = FileEnd {
                    entry,
                    len_bytes,
                    hash,
                };
                self.budget.pay(cost(FileEnd::BODY_BYTES));
                end.encode()
            }
            Err(problem) => Frame::Failed(Failed {
                entry,
                problem: WireProblem::from(&problem),
            })
            .encode(),
        };
        // Ahead of manifest parts: the receiver has room for one open file.
        self.bulk.push_front(frame);
    }

    /// The receiver still wants the file; what was asked of it may be sent.
    pub fn is_wanted(&self, entry: u32) -> bool {
        self.slots.get(entry as usize) != Some(&Slot::Settled)
    }

    /// Content of all files but those that the receiver leaves out, or does not need any more.
    pub fn wanted_bytes(&self) -> u64 {
        self.total_bytes.saturating_sub(self.left_out_bytes)
    }

    /// A file of a batch could not be read; it is not in the batch frame.
    pub fn batch_file_failed(&mut self, entry: u32, problem: &Problem) {
        let len_bytes = self.lens.get(entry as usize).copied().unwrap_or(0);
        self.budget.not_in_batch(len_bytes);
        let failed = Failed {
            entry,
            problem: WireProblem::from(problem),
        };
        self.bulk.push_back(Frame::Failed(failed).encode());
    }

    /// Content the receiver holds.
    pub fn held_bytes(&self) -> u64 {
        self.held
    }

    /// Content put on the wire.
    pub fn sent_bytes(&self) -> u64 {
        self.budget.sent_bytes()
    }

    pub fn entries(&self) -> usize {
        self.slots.len()
    }

    pub fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// Entries whose fate is known.
    pub fn settled(&self) -> usize {
        self.settled
    }

    pub fn ended(&self) -> bool {
        self.state == State::Ended
    }

    /// There is content to send, and the receiver has to allow more first.
    pub fn lacks_credit(&self) -> bool {
        let content = self.current.is_some()
            || self.mending.is_sending()
            || !self.again.is_empty()
            || self.cursor < self.announced();
        self.state == State::Sending
            && content
            && !self.budget.allows(DataFrame::cost(self.chunk_bytes))
    }

    /// Everything is sent; the receiver has the word.
    pub fn finishing(&self) -> bool {
        self.state == State::Finishing
    }

    /// Several connections carry it: frames are smaller from now on.
    pub fn stripe(&mut self) {
        self.chunk_bytes = STRIPED_CHUNK_BYTES;
    }

    fn next_chunk(&mut self, entry: u32, offset: u64) -> Option<Bulk> {
        let len_bytes = self.lens.get(entry as usize).copied().unwrap_or(0);
        let left = len_bytes.saturating_sub(offset);
        if left == 0 {
            return self
                .budget
                .allows(cost(FileEnd::BODY_BYTES))
                .then_some(Bulk::End { entry });
        }
        let len = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(self.chunk_bytes);
        if !self.budget.allows(DataFrame::cost(len)) {
            return None;
        }
        self.budget.plan_chunk(entry, len);
        self.current = Some((entry, offset.saturating_add(len as u64)));
        Some(Bulk::Chunk { entry, offset, len })
    }

    /// As many small files in a row as fit one frame and the credit.
    fn next_batch(&mut self) -> Option<Bulk> {
        let mut items = Vec::new();
        let mut body = 0_u64;
        while let Some((entry, len)) = self.next_listed() {
            if len > SMALL_FILE_BYTES {
                break;
            }
            let grown = body.saturating_add(BatchFrame::item_bytes(len));
            if !items.is_empty() && grown > self.chunk_bytes as u64 {
                break;
            }
            if !self
                .budget
                .allows(cost(usize::try_from(grown).unwrap_or(usize::MAX)))
            {
                break;
            }
            let slot = self.slots.get_mut(entry as usize);
            let (Some(slot), Ok(item)) = (slot, u32::try_from(len)) else {
                break;
            };
            *slot = Slot::Sent;
            body = grown;
            items.push((entry, item));
        }
        if items.is_empty() {
            return None;
        }
        self.budget.plan_batch(&items, body);
        Some(Bulk::Batch(items))
    }

    /// The next file that is to be sent as if nothing of it were over there, and its length. What the
    /// peer has not been told of yet cannot be sent.
    fn next_listed(&mut self) -> Option<(u32, u64)> {
        let listed = |slots: &[Slot], at: usize| slots.get(at) == Some(&Slot::Listed);
        while let Some(&entry) = self.again.front() {
            if listed(&self.slots, entry as usize) {
                return Some((entry, *self.lens.get(entry as usize)?));
            }
            self.again.pop_front();
        }
        while self.cursor < self.slots.len() && !listed(&self.slots, self.cursor) {
            self.cursor = self.cursor.saturating_add(1);
        }
        let next = Some(self.cursor).filter(|at| *at < self.announced())?;
        Some((u32::try_from(next).ok()?, *self.lens.get(next)?))
    }

    #[cfg(test)]
    pub(super) fn goes_on(&self) -> bool {
        self.goes_on
    }

    fn end(&mut self) {
        self.state = State::Ended;
        self.bulk.clear();
        self.part.clear();
    }
}
