//! The receiving machine: one transfer from offer to "safe", without I/O.
//!
//! Frames go in; jobs for the disk, events for the engine and frames for the peer come out. Nothing
//! is given to the disk before [`Receiver::accept`]. The disk reports back what it has done; credit
//! and statuses follow from that. Every name, number, length and order is checked here, so that the
//! disk sees only what a well-behaved peer could have meant. What is known of the offer is in `entries`,
//! how much may come in `window`, what the disk is asked in `jobs`.

mod comparing;
mod content;
mod entries;
mod jobs;
mod look_ahead;
mod mending;
mod window;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::bulk::Credit;
use super::message::{
    Accept, Cancel, Decline, Frame, Hex, Pause, Received, Violation, WireProblem, unexpected,
};
use super::outcomes::Outcomes;
use crate::model::{EntryStatus, Hold, Holds, Manifest, Problem, TransferId};
use comparing::Comparing;
use entries::{Entries, When};
use jobs::Jobs;
use look_ahead::LookAhead;
use mending::Mending;
pub use window::Turn;
use window::Window;

pub use jobs::Job;
pub use mending::Found;
pub use window::{WIDE_WINDOW_BYTES, WINDOW_BYTES};

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReceiverEvent {
    Offered(TransferId),
    /// More of the manifest is known, or all of it.
    Counted,
    /// The manifest of a transfer that goes on is complete: look at what is there and tell
    /// [`Receiver::go_on`].
    Listed,
    /// The other end ended it: a person, or a problem over there.
    Cancelled(Option<Problem>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Idle,
    Offered,
    Accepted,
    /// `finish` came.
    Finishing,
    /// `received` was told.
    Received,
    Ended,
}

#[derive(Debug)]
pub struct Receiver {
    state: State,
    transfer: Option<TransferId>,
    /// The transfer was accepted in an earlier run.
    goes_on: bool,
    /// It was said that a person is asked.
    asks_person: bool,
    entries: Entries,
    jobs: Jobs,
    look_ahead: LookAhead,
    /// It is the turn of a look; they take turns with what has come.
    look_next: bool,
    /// Given up by the sender before the offer was answered.
    abandoned_early: Vec<(u32, Problem)>,
    /// The file whose content is coming, and how far.
    current: Option<(u32, u64)>,
    /// Files of which a part is here.
    mending: HashMap<u32, Mending>,
    comparing: Comparing,
    window: Window,
    outcomes: Outcomes,
    holds: Holds,
    /// What the sender knows of `holds.here`.
    told_hold: Option<Hold>,
    control: VecDeque<Vec<u8>>,
    events: VecDeque<ReceiverEvent>,
}

impl Default for Receiver {
    fn default() -> Self {
        Self {
            state: State::Idle,
            transfer: None,
            goes_on: false,
            asks_person: false,
            entries: Entries::default(),
            jobs: Jobs::default(),
            look_ahead: LookAhead::default(),
            look_next: false,
            abandoned_early: Vec::new(),
            current: None,
            mending: HashMap::new(),
            comparing: Comparing::default(),
            window: Window::default(),
            outcomes: Outcomes::default(),
            holds: Holds::default(),
            told_hold: None,
            control: VecDeque::new(),
            events: VecDeque::new(),
        }
    }
}

impl Receiver {
    /// For a transfer that was accepted in an earlier run and goes on.
    pub fn going_on() -> Self {
        Self {
            goes_on: true,
            ..Self::default()
        }
    }

    pub fn handle_frame(&mut self, frame: Frame) -> Result<(), Violation> {
        let kind = frame.kind();
        if self.state == State::Ended {
            // What crossed our decline or cancel on the way.
            return Ok(());
        }
        match (self.state, frame) {
            (State::Idle, Frame::Offer(offer)) => {
                let transfer = TransferId(offer.transfer.0);
                self.transfer = Some(transfer);
                self.state = State::Offered;
                self.events.push_back(ReceiverEvent::Offered(transfer));
                Ok(())
            }
            (State::Offered | State::Accepted, Frame::Manifest(part))
                if !self.entries.complete() =>
            {
                self.entries.list(part)?;
                self.events.push_back(ReceiverEvent::Counted);
                Ok(())
            }
            (State::Offered | State::Accepted, Frame::ManifestEnd(end))
                if !self.entries.complete() =>
            {
                self.entries.listed_all(&end)?;
                self.events.push_back(ReceiverEvent::Counted);
                if self.goes_on {
                    self.events.push_back(ReceiverEvent::Listed);
                }
                Ok(())
            }
            (State::Offered | State::Accepted, Frame::Failed(failed)) => self.abandon(&failed),
            (State::Accepted, Frame::Data(data)) => self.take_data(data),
            (State::Accepted, Frame::FileEnd(end)) => self.take_end(end),
            (State::Accepted, Frame::Batch(batch)) => self.take_batch(batch),
            (State::Accepted, Frame::Hashes(groups)) => self.take_hashes(groups),
            (State::Accepted, Frame::Finish) => {
                if !self.entries.complete()
                    || !self.entries.all_ended()
                    || self.current.is_some()
                    || !self.mending.is_empty()
                {
                    return Err(Violation::Malformed("finish before everything was sent"));
                }
                self.state = State::Finishing;
                self.jobs.push(Job::Finish);
                self.tell_received_if_settled();
                Ok(())
            }
            (
                State::Offered | State::Accepted | State::Finishing | State::Received,
                Frame::Pause(pause),
            ) => {
                self.holds.there = Some(Hold::from(&pause));
                Ok(())
            }
            (
                State::Offered | State::Accepted | State::Finishing | State::Received,
                Frame::GoOn,
            ) => {
                self.holds.there = None;
                Ok(())
            }
            (
                State::Offered | State::Accepted | State::Finishing | State::Received,
                Frame::Cancel(cancel),
            ) => {
                self.end();
                let problem = cancel.problem.as_ref().map(Problem::from);
                self.events.push_back(ReceiverEvent::Cancelled(problem));
                Ok(())
            }
            (_state, _frame) => unexpected(kind),
        }
    }

    /// From now on files of that length and longer are looked at, so that their fate may be told
    /// before they travel; in new folders those of another one.
    pub fn look_ahead(&mut self, from_bytes: u64, in_new_from_bytes: u64) {
        self.look_ahead.set(from_bytes, in_new_from_bytes);
    }

    /// The disk has made that folder just now, so nothing stands in it. To be said before its job is
    /// [reported](Self::job_done).
    pub fn folder_is_new(&mut self, number: u32) {
        self.look_ahead.folder_is_new(number);
    }

    /// The offer is taken: jobs begin to come out. Without an open offer nothing happens.
    pub fn accept(&mut self) {
        let (State::Offered, Some(transfer)) = (self.state, self.transfer) else {
            return;
        };
        self.state = State::Accepted;
        let credit = match self.look_ahead.begin(&self.entries) {
            false => self.window.open(),
            true => 0,
        };
        self.control.push_back(
            Frame::Accept(Accept {
                transfer: Hex(transfer.0),
                credit,
            })
            .encode(),
        );
        self.tell_hold();
        let early = std::mem::take(&mut self.abandoned_early);
        for (number, problem) in early {
            self.jobs.abandon(number, problem);
        }
    }

    /// Lets no more content come than has been granted, or lets it come again; the sender is told.
    pub fn hold(&mut self, hold: Option<Hold>) {
        self.holds.here = hold;
        self.tell_hold();
    }

    /// Who lets no content come.
    pub fn holds(&self) -> Holds {
        self.holds
    }

    fn tell_hold(&mut self) {
        let open = matches!(
            self.state,
            State::Offered | State::Accepted | State::Finishing
        );
        let hold = self.holds.here;
        if open && self.told_hold != hold {
            self.told_hold = hold;
            let frame = hold.map_or(Frame::GoOn, |hold| Frame::Pause(Pause::from(hold)));
            self.control.push_back(frame.encode());
        }
    }

    /// Says once that a person is asked. `false` if it was said, or is no question any more.
    pub fn ask_person(&mut self) -> bool {
        let asks = self.state == State::Offered && !self.asks_person;
        if asks {
            self.asks_person = true;
            self.control.push_back(Frame::Asking.encode());
        }
        asks
    }

    pub fn decline(&mut self) {
        if let (State::Offered, Some(transfer)) = (self.state, self.transfer) {
            let decline = Decline {
                transfer: Hex(transfer.0),
            };
            self.control.push_back(Frame::Decline(decline).encode());
            self.end();
        }
    }

    /// Ends the transfer from here; with a problem if it was not a person's wish, which after
    /// *received* can only mean that it could not be flushed. `false` if there is nothing to end any
    /// more: it has arrived, or it is over.
    pub fn cancel(&mut self, problem: Option<&Problem>) -> bool {
        let open = match self.state {
            State::Ended => false,
            State::Received => problem.is_some(),
            State::Idle | State::Offered | State::Accepted | State::Finishing => true,
        };
        if open {
            let problem = problem.map(WireProblem::from);
            self.control
                .push_back(Frame::Cancel(Cancel { problem }).encode());
            self.end();
        }
        open
    }

    /// The disk has handled a job with this cost and content.
    pub fn job_done(&mut self, cost: u64, content_bytes: u64) {
        self.jobs.reported_back();
        self.window.give_back(cost);
        self.window.hold(content_bytes);
    }

    /// The disk knows what became of an entry: of one that has ended, or of a file that need not
    /// travel any more ([`Self::is_undecided`]), which the sender then leaves out.
    pub fn settle(&mut self, number: u32, len_bytes: u64, status: &EntryStatus) {
        if self.state == State::Ended {
            return;
        }
        match self.entries.settle(number, len_bytes, status) {
            None => return,
            Some(When::Early) => self.comparing.was_settled(number),
            Some(When::Ended) => {}
        }
        if self.outcomes.add(number, len_bytes, status) {
            self.flush_status();
        }
        self.tell_received_if_settled();
    }

    /// The file has not ended and nothing was told of it.
    pub fn is_undecided(&self, number: u32) -> bool {
        self.state == State::Accepted && self.entries.is_listed(number)
    }

    /// Lets the statuses gathered so far go out.
    pub fn flush_status(&mut self) {
        if let Some(status) = self.outcomes.take() {
            self.control.push_back(Frame::Status(status).encode());
        }
    }

    /// The disk has flushed everything. The last word.
    pub fn safe(&mut self) {
        if self.state == State::Received {
            self.control.push_back(Frame::Safe.encode());
            self.end();
        }
    }

    /// The credit to tell, if it grew since it was last told.
    pub fn poll_credit(&mut self) -> Option<Credit> {
        if !matches!(self.state, State::Accepted | State::Finishing) {
            return None;
        }
        let looks_first = self.looks_first();
        if !looks_first {
            self.look_ahead.lets_content_come();
        }
        self.window.poll(self.holds.here.is_none() && !looks_first)
    }

    /// Credit is given in turns from now on ([`Self::open_turn`]): to be said before it is accepted.
    pub fn take_turns(&mut self) {
        self.window.take_turns();
    }

    /// It may be granted one more window.
    pub fn open_turn(&mut self) {
        self.window.open_turn();
    }

    /// What is left of its turn, and whether much of what came in it is not handled yet.
    pub fn turn(&self) -> (Turn, bool) {
        (self.window.turn(), self.window.is_much_here())
    }

    fn looks_first(&self) -> bool {
        self.look_ahead.comes_first(&self.entries, &self.jobs)
    }

    /// Several connections carry it: from now on more may be on its way.
    pub fn widen(&mut self) {
        self.window.widen();
    }

    /// Much may come that was not told: tell it now, or the sender may stall.
    pub fn credit_is_due(&self) -> bool {
        self.holds.here.is_none() && !self.looks_first() && self.window.is_due()
    }

    pub fn poll_control(&mut self) -> Option<Vec<u8>> {
        self.control.pop_front()
    }

    /// The next job for the disk; none while it has as many as it may, so ask again when it has
    /// reported one back.
    pub fn poll_job(&mut self) -> Option<Job> {
        if self.jobs.is_full() {
            return None;
        }
        let job = match self.next_folder() {
            Some(folder) => folder,
            None if self.look_next => match self.next_look() {
                Some(look) => look,
                None => self.jobs.next(self.entries.manifest())?,
            },
            None => match self.jobs.next(self.entries.manifest()) {
                Some(job) => job,
                None => self.next_look()?,
            },
        };
        // A slow disk that has much to look at must not keep content waiting.
        self.look_next = !matches!(job, Job::Look { .. });
        self.jobs.gave_out(&job);
        Some(job)
    }

    pub fn poll_event(&mut self) -> Option<ReceiverEvent> {
        self.events.pop_front()
    }

    /// The list, for comparing the disk with it while frames are taken in: before [`Self::go_on`] the
    /// sender may still give files up.
    pub fn lend_manifest(&self) -> Arc<Manifest> {
        self.entries.lend_manifest()
    }

    pub fn manifest(&self) -> &Manifest {
        self.entries.manifest()
    }

    /// The sender is still counting.
    pub fn counting(&self) -> bool {
        !self.entries.complete()
    }

    pub fn held_bytes(&self) -> u64 {
        self.window.held()
    }

    pub fn settled(&self) -> usize {
        self.entries.settled()
    }

    /// Counts so far; final once every entry is settled.
    pub fn result(&self) -> &Received {
        self.outcomes.result()
    }

    /// Content of all files but those that are left out, or need not come any more.
    pub fn wanted_bytes(&self) -> u64 {
        self.entries.wanted_bytes()
    }

    /// What a disk needs that gives each file and folder whole blocks, for all that has not come to its
    /// end: of what is there of them already, too. Looks at each entry.
    pub fn needed_room(&self, block_bytes: u64) -> u64 {
        self.entries.needed_room(block_bytes)
    }

    pub fn finishing(&self) -> bool {
        self.state == State::Finishing
    }

    /// Every entry has its status and the peer was told so.
    pub fn received(&self) -> bool {
        self.state == State::Received
    }

    pub fn ended(&self) -> bool {
        self.state == State::Ended
    }

    /// Folders come before everything that may lie in them.
    fn next_folder(&mut self) -> Option<Job> {
        if !matches!(self.state, State::Accepted | State::Finishing) {
            return None;
        }
        let (number, entry) = self.entries.next_folder()?;
        Some(Job::Folder { number, entry })
    }

    fn next_look(&mut self) -> Option<Job> {
        // One at a time, so that content which comes meanwhile does not stand behind many.
        if self.state != State::Accepted || self.jobs.is_looking() {
            return None;
        }
        let files = self.look_ahead.next(&self.entries);
        (!files.is_empty()).then_some(Job::Look { files })
    }

    /// How much content may still come, at its cost; `None` before an offer is accepted, when none may.
    pub fn credit_left(&self) -> Option<u64> {
        let accepted = !matches!(self.state, State::Idle | State::Offered);
        accepted.then(|| self.window.left())
    }

    fn tell_received_if_settled(&mut self) {
        if self.state == State::Finishing && self.entries.all_settled() {
            self.flush_status();
            self.control
                .push_back(Frame::Received(self.result().clone()).encode());
            self.state = State::Received;
        }
    }

    fn end(&mut self) {
        self.state = State::Ended;
        self.jobs.clear();
        self.entries.hand_no_more();
    }
}
