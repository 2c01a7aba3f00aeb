//! The receiving machine: one transfer from offer to "safe", without I/O.
//!
//! Frames go in; jobs for the disk, events for the engine and frames for the peer come out. Nothing
//! is given to the disk before [`Receiver::accept`]. The disk reports back what it has done; credit
//! and statuses follow from that. Every name, number, length and order is checked here, so that the
//! disk sees only what a well-behaved peer could have meant.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::bulk::{Batch, Credit, Data, FileEnd, Groups, Want, cost};
use super::message::{
    Accept, Cancel, Compare, Decline, Failed, Frame, Hex, Kept, Pause, Received, Violation,
    WireProblem,
};
use super::outcomes::{Outcomes, extend};
use crate::model::{
    Entry, EntryKind, EntryStatus, GROUP_BYTES, Hold, Holds, Manifest, Problem, TransferId,
};

/// Credit given ahead of the disk: bounds what one connection can hold in memory, and what travels
/// twice if it is cut.
pub const WINDOW_BYTES: u64 = 8 << 20;
/// The same for a transfer over several connections: what a gigabit a second holds on a path of 40 ms and
/// in its queue (10 MB), and as much again that came too early while a lost packet is sent anew.
pub const WIDE_WINDOW_BYTES: u64 = 24 << 20;
/// Items in one frame about what was kept; each takes less than 40 bytes of the control limit.
const KEPT_ITEMS: usize = 1024;

/// Jobs with the disk at once: more would only be memory. Content is bounded by credit besides.
const OUTSTANDING_JOBS: usize = 1024;
/// Files whose hashes came and which were not answered, at most.
const COMPARED_AT_ONCE: usize = 64;
/// Entries looked at before any content may come: some ten milliseconds of a local disk's time.
const LOOK_FIRST: usize = 16_384;
/// Entries in one job to look at: some milliseconds of a local disk's time.
const LOOK_ENTRIES: usize = 256;
/// Failures before the offer is answered whose words are kept.
const EARLY_DETAILS: usize = 1000;

/// Work for the disk, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Job {
    Folder {
        number: u32,
        entry: Entry,
    },
    /// Files whose folders are there and of which nothing, or not all, has come: what stands under
    /// their names may decide what becomes of them ([`Receiver::settle`]) before they travel.
    Look {
        files: Vec<(u32, Entry)>,
    },
    /// Hashes of a file that was [asked](Receiver::ask) about; compare, and [say](Receiver::want)
    /// what is needed of it.
    Hashes {
        entry: Entry,
        groups: Groups,
        last: bool,
    },
    /// Content of a file; offsets follow each other without gaps. Of a file that was kept from an
    /// earlier run any group may come, from its beginning and in one go.
    Data {
        entry: Entry,
        data: Data,
        /// It takes the place of content that was counted as held already.
        again: bool,
    },
    /// The file is complete.
    End {
        entry: Entry,
        end: FileEnd,
    },
    /// Whole small files, each with its entry.
    Batch {
        entries: Vec<Entry>,
        batch: Batch,
    },
    /// The sender gave an entry up.
    Abandon {
        number: u32,
        entry: Entry,
        problem: Problem,
    },
    /// Everything was sent: commit what waits, then make it safe.
    Finish,
}

impl Job {
    /// What handling it gives back to the credit.
    pub fn cost(&self) -> u64 {
        match self {
            Self::Data { data, .. } => cost(data.body_bytes()),
            Self::Batch { batch, .. } => cost(batch.body_bytes()),
            Self::End { .. } => cost(FileEnd::BODY_BYTES),
            Self::Hashes { groups, .. } => cost(Groups::body_bytes(groups.hashes.len())),
            Self::Folder { .. } | Self::Look { .. } | Self::Abandon { .. } | Self::Finish => 0,
        }
    }

    /// Content in it.
    pub fn content_bytes(&self) -> u64 {
        match self {
            Self::Data { again: true, .. } => 0,
            Self::Data { data, .. } => data.content().len() as u64,
            Self::Batch { batch, .. } => batch
                .items
                .iter()
                .map(|item| u64::from(item.len_bytes))
                .sum(),
            Self::End { .. }
            | Self::Folder { .. }
            | Self::Look { .. }
            | Self::Hashes { .. }
            | Self::Abandon { .. }
            | Self::Finish => 0,
        }
    }
}

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

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Slot {
    /// It has not come to its end.
    Listed,
    /// Handed to the disk whole, or given up by the sender.
    Handed,
    /// Its status was told before it had ended. What crosses that, up to its end, is thrown away.
    Told,
    Settled,
}

/// What the disk is at. It does its jobs in order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Look,
    Other,
}

/// A job that waits. What may come in great numbers and without credit stays small.
#[derive(Debug)]
enum Queued {
    Job(Job),
    Abandon(u32, Problem),
}

#[derive(Debug)]
pub struct Receiver {
    state: State,
    transfer: Option<TransferId>,
    /// Shared with whoever compares the disk with it; complete by then.
    manifest: Arc<Manifest>,
    complete: bool,
    slots: Vec<Slot>,
    /// Files that have not ended.
    open_files: usize,
    /// Entries before this one have had their folder job.
    folders_handed: usize,
    /// Files of this length and longer are looked at before they travel; `None`: none are.
    look_from_bytes: Option<u64>,
    /// The same for files in [new folders](Self::folder_is_new).
    look_in_new_from_bytes: u64,
    /// Ascending.
    new_folders: Vec<u32>,
    /// Entries before this one have been given out to be looked at.
    looked: usize,
    /// What is listed is looked at before any content may come, so that what need not travel does not
    /// begin to.
    look_first: bool,
    /// It is the turn of a look; they take turns with what has come.
    look_next: bool,
    /// Jobs that the disk has not reported back.
    outstanding: VecDeque<Kind>,
    /// Given up by the sender before the offer was answered.
    abandoned_early: Vec<(u32, Problem)>,
    /// The file whose content is coming, and how far.
    current: Option<(u32, u64)>,
    /// The transfer was accepted in an earlier run.
    goes_on: bool,
    /// Files kept from an earlier run.
    mending: HashMap<u32, Mending>,
    /// Files whose hashes were asked for: how many groups, and how many of them came.
    asked: HashMap<u32, (u32, u32)>,
    /// Those of which hashes came and which were not answered.
    comparing: HashSet<u32>,
    /// Cost of all bulk frames that came.
    came: u64,
    consumed: u64,
    told: Credit,
    window_bytes: u64,
    held: u64,
    outcomes: Outcomes,
    /// Content of files that are left out, or were told of before they had ended.
    left_out_bytes: u64,
    settled: usize,
    holds: Holds,
    /// What the sender knows of `holds.here`.
    told_hold: Option<Hold>,
    control: VecDeque<Vec<u8>>,
    jobs: VecDeque<Queued>,
    events: VecDeque<ReceiverEvent>,
}

impl Default for Receiver {
    fn default() -> Self {
        Self {
            state: State::Idle,
            transfer: None,
            manifest: Arc::default(),
            complete: false,
            slots: Vec::new(),
            open_files: 0,
            folders_handed: 0,
            look_from_bytes: None,
            look_in_new_from_bytes: 0,
            new_folders: Vec::new(),
            looked: 0,
            look_first: false,
            look_next: false,
            outstanding: VecDeque::new(),
            abandoned_early: Vec::new(),
            current: None,
            goes_on: false,
            mending: HashMap::new(),
            asked: HashMap::new(),
            comparing: HashSet::new(),
            came: 0,
            consumed: 0,
            told: Credit::default(),
            window_bytes: WINDOW_BYTES,
            held: 0,
            outcomes: Outcomes::default(),
            left_out_bytes: 0,
            settled: 0,
            holds: Holds::default(),
            told_hold: None,
            control: VecDeque::new(),
            jobs: VecDeque::new(),
            events: VecDeque::new(),
        }
    }
}

/// A file for which content may come.
struct Open {
    file: Entry,
    /// Its status was told already.
    told: bool,
}

/// A file of which a beginning was kept.
#[derive(Debug)]
struct Mending {
    kept_bytes: u64,
    /// Where the group that is coming goes on.
    next: u64,
}

/// What the disk has of a transfer that goes on.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Found {
    /// Files that arrived, ascending.
    pub done: Vec<u32>,
    /// Files of which so many whole groups are there, as bytes.
    pub partial: Vec<(u32, u64)>,
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
            (State::Offered | State::Accepted, Frame::Manifest(part)) if !self.complete => {
                // Nobody shares it before it is complete.
                let manifest = Arc::get_mut(&mut self.manifest);
                let manifest = manifest.ok_or(Violation::Unexpected(kind))?;
                for wire in part.entries {
                    let entry = Entry::try_from(wire)?;
                    if entry.kind != EntryKind::Folder {
                        self.open_files = self.open_files.saturating_add(1);
                    }
                    manifest.push(entry)?;
                    self.slots.push(Slot::Listed);
                }
                self.events.push_back(ReceiverEvent::Counted);
                Ok(())
            }
            (State::Offered | State::Accepted, Frame::ManifestEnd(end)) if !self.complete => {
                if end.entries != self.manifest.len() as u64
                    || end.bytes != self.manifest.total_bytes()
                {
                    return Err(Violation::Malformed("the manifest's sums are wrong"));
                }
                self.complete = true;
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
                if !self.complete
                    || self.open_files > 0
                    || self.current.is_some()
                    || !self.mending.is_empty()
                {
                    return Err(Violation::Malformed("finish before everything was sent"));
                }
                self.state = State::Finishing;
                self.jobs.push_back(Queued::Job(Job::Finish));
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
            (_state, _frame) => Err(Violation::Unexpected(kind)),
        }
    }

    /// From now on files of that length and longer are looked at, so that their fate may be told
    /// before they travel; in new folders those of another one.
    pub fn look_ahead(&mut self, from_bytes: u64, in_new_from_bytes: u64) {
        self.look_from_bytes = Some(from_bytes);
        self.look_in_new_from_bytes = in_new_from_bytes;
    }

    /// The disk has made that folder just now, so nothing stands in it. To be said before its job is
    /// [reported](Self::job_done).
    pub fn folder_is_new(&mut self, number: u32) {
        if self.new_folders.last().is_none_or(|last| *last < number) {
            self.new_folders.push(number);
        }
    }

    /// The offer is taken: jobs begin to come out. Without an open offer nothing happens.
    pub fn accept(&mut self) {
        let (State::Offered, Some(transfer)) = (self.state, self.transfer) else {
            return;
        };
        self.state = State::Accepted;
        if self.look_from_bytes.is_some() {
            self.look_first = !self.manifest.is_empty();
        }
        let credit = match self.look_first {
            false => self.window_bytes,
            true => 0,
        };
        self.told.granted = credit;
        self.control.push_back(
            Frame::Accept(Accept {
                transfer: Hex(transfer.0),
                credit,
            })
            .encode(),
        );
        self.tell_hold();
        let early = std::mem::take(&mut self.abandoned_early);
        let early = early.into_iter();
        self.jobs
            .extend(early.map(|(number, problem)| Queued::Abandon(number, problem)));
    }

    /// Goes on with what is there. Tells the sender, then takes the offer.
    pub fn go_on(&mut self, found: &Found) {
        if self.state != State::Offered || !self.complete {
            return;
        }
        let mut kept = Kept::default();
        for &number in &found.done {
            // The sender gave it up this time: its copy here stays, and its failure is told.
            if !self.is_listed_file(number) {
                continue;
            }
            self.mark_handed(number);
            let len_bytes = self.entry(number).map_or(0, Entry::len_bytes);
            if let Some(slot) = self.slots.get_mut(number as usize) {
                *slot = Slot::Settled;
            }
            self.held = self.held.saturating_add(len_bytes);
            self.settled = self.settled.saturating_add(1);
            self.outcomes.add_kept(len_bytes);
            extend(&mut kept.done, number);
            if kept.done.len() >= KEPT_ITEMS {
                self.tell_kept(&mut kept);
            }
        }
        for &(number, bytes) in &found.partial {
            if !self.is_listed_file(number) {
                continue;
            }
            let mending = Mending {
                kept_bytes: bytes,
                next: bytes,
            };
            self.mending.insert(number, mending);
            self.held = self.held.saturating_add(bytes);
            kept.partial.push((number, bytes));
            if kept.partial.len() >= KEPT_ITEMS {
                self.tell_kept(&mut kept);
            }
        }
        if kept != Kept::default() {
            self.tell_kept(&mut kept);
        }
        self.told.held = self.held;
        self.accept();
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

    fn tell_kept(&mut self, kept: &mut Kept) {
        let kept = std::mem::take(kept);
        self.control.push_back(Frame::Kept(kept).encode());
    }

    fn is_listed_file(&self, number: u32) -> bool {
        self.slots.get(number as usize) == Some(&Slot::Listed)
            && self
                .entry(number)
                .is_some_and(|entry| entry.kind != EntryKind::Folder)
    }

    /// The next hashes of a kept file's groups, for the sender to compare.
    pub fn tell_groups(&mut self, groups: &Groups) {
        if matches!(self.state, State::Accepted)
            && self.is_undecided(groups.entry)
            && self.mending.contains_key(&groups.entry)
        {
            self.control
                .push_back(Frame::Groups(groups.clone()).encode());
        }
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
        self.outstanding.pop_front();
        self.consumed = self.consumed.saturating_add(cost);
        self.held = self.held.saturating_add(content_bytes);
    }

    /// The disk knows what became of an entry: of one that has ended, or of a file that need not
    /// travel any more ([`Self::is_undecided`]), which the sender then leaves out.
    pub fn settle(&mut self, number: u32, len_bytes: u64, status: &EntryStatus) {
        if self.state == State::Ended {
            return;
        }
        let mut early = false;
        match self.slots.get_mut(number as usize) {
            Some(slot @ Slot::Handed) => *slot = Slot::Settled,
            Some(slot @ Slot::Listed) => {
                *slot = Slot::Told;
                self.comparing.remove(&number);
                self.open_files = self.open_files.saturating_sub(1);
                early = true;
            }
            Some(Slot::Told | Slot::Settled) | None => return,
        }
        if early || *status == EntryStatus::Skipped {
            self.left_out_bytes = self.left_out_bytes.saturating_add(len_bytes);
        }
        self.settled = self.settled.saturating_add(1);
        if self.outcomes.add(number, len_bytes, status) {
            self.flush_status();
        }
        self.tell_received_if_settled();
    }

    /// Something stands under the names of these files: their hashes are to come first, of so many
    /// groups from the beginning. Those of which content has come already are passed over.
    pub fn ask(&mut self, files: &[(u32, u32)]) {
        let open = files.iter().copied().filter(|&(number, groups)| {
            let begun = self.current.is_some_and(|(current, _)| current == number);
            let known = self.mending.contains_key(&number) || self.asked.contains_key(&number);
            self.is_undecided(number) && !begun && !known && groups > 0
        });
        let open: Vec<_> = open.collect();
        for files in open.chunks(KEPT_ITEMS) {
            let files = files.to_vec();
            self.asked
                .extend(files.iter().map(|(number, groups)| (*number, (*groups, 0))));
            let compare = Frame::Compare(Compare { files });
            self.control.push_back(compare.encode());
        }
    }

    /// What is needed of a file whose hashes have come; the rest of it is here. `false`: nobody waits
    /// for that any more.
    pub fn want(&mut self, number: u32, ranges: Vec<(u64, u64)>) -> bool {
        let all_told = self
            .asked
            .get(&number)
            .is_some_and(|(all, told)| all == told);
        if !all_told || !self.is_undecided(number) {
            return false;
        }
        self.asked.remove(&number);
        self.comparing.remove(&number);
        let ranges = few(ranges);
        let len_bytes = self.entry(number).map_or(0, Entry::len_bytes);
        if len_bytes > GROUP_BYTES {
            let wanted = ranges.iter().fold(0_u64, |sum, (from, to)| {
                sum.saturating_add(to.saturating_sub(*from))
            });
            self.held = self.held.saturating_add(len_bytes.saturating_sub(wanted));
            let mending = Mending {
                kept_bytes: 0,
                next: 0,
            };
            self.mending.insert(number, mending);
        }
        let want = Want {
            entry: number,
            ranges,
        };
        self.control.push_back(Frame::Want(want).encode());
        true
    }

    fn take_hashes(&mut self, groups: Groups) -> Result<(), Violation> {
        let body_bytes = Groups::body_bytes(groups.hashes.len());
        self.pay(body_bytes)?;
        let number = groups.entry;
        let Open { file, told } = self.open_file(number)?;
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
            self.comparing.insert(number);
            // Each is a file held open here.
            if self.comparing.len() > COMPARED_AT_ONCE {
                return Err(Violation::Malformed("hashes of too many files at once"));
            }
        }
        if told {
            self.throw_away(body_bytes);
        } else {
            let job = Job::Hashes {
                entry: file,
                groups,
                last,
            };
            self.jobs.push_back(Queued::Job(job));
        }
        Ok(())
    }

    /// Content of it comes although its hashes were asked for: it was on its way already. Once its
    /// hashes have come the answer to them is due first.
    fn not_asked(&mut self, number: u32) -> Result<(), Violation> {
        match self.asked.get(&number) {
            Some((_, 1..)) if self.is_undecided(number) => Err(Violation::Malformed(
                "content of a file that is being compared",
            )),
            Some(_) => {
                self.asked.remove(&number);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The file has not ended and nothing was told of it.
    pub fn is_undecided(&self, number: u32) -> bool {
        self.state == State::Accepted && self.slots.get(number as usize) == Some(&Slot::Listed)
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
        if !self.looks_first() {
            self.look_first = false;
        }
        let granted = match self.holds.here {
            None if !self.look_first => self.consumed.saturating_add(self.window_bytes),
            None | Some(_) => self.told.granted,
        };
        let now = Credit {
            granted,
            held: self.held,
        };
        (now != self.told).then(|| {
            self.told = now;
            now
        })
    }

    /// There is still something to look at before any content may come. A sender that lists slowly is
    /// not waited for.
    fn looks_first(&self) -> bool {
        let known = self.manifest.len().min(LOOK_FIRST);
        self.look_first && (self.looked < known || !self.outstanding.is_empty())
    }

    /// Several connections carry it: from now on more may be on its way.
    pub fn widen(&mut self) {
        self.window_bytes = WIDE_WINDOW_BYTES;
    }

    /// Grown by a quarter of the window since it was told (less of a wide one, of which more is on its
    /// way): tell it now, or the sender may stall.
    pub fn credit_is_due(&self) -> bool {
        let granted = self.consumed.saturating_add(self.window_bytes);
        let looking = self.looks_first();
        let grown = granted.saturating_sub(self.told.granted);
        let due = match self.window_bytes {
            WINDOW_BYTES => WINDOW_BYTES / 4,
            _wide => WIDE_WINDOW_BYTES / 24,
        };
        self.holds.here.is_none() && !looking && grown >= due
    }

    pub fn poll_control(&mut self) -> Option<Vec<u8>> {
        self.control.pop_front()
    }

    /// The next job for the disk; none while it has `OUTSTANDING_JOBS`, so ask again when it has
    /// reported one back.
    pub fn poll_job(&mut self) -> Option<Job> {
        if self.outstanding.len() >= OUTSTANDING_JOBS {
            return None;
        }
        let job = match self.next_folder() {
            Some(folder) => folder,
            None if self.look_next => match self.next_look() {
                Some(look) => look,
                None => self.next_queued()?,
            },
            None => match self.next_queued() {
                Some(job) => job,
                None => self.next_look()?,
            },
        };
        // A slow disk that has much to look at must not keep content waiting.
        self.look_next = !matches!(job, Job::Look { .. });
        self.outstanding
            .push_back(if matches!(job, Job::Look { .. }) {
                Kind::Look
            } else {
                Kind::Other
            });
        Some(job)
    }

    pub fn poll_event(&mut self) -> Option<ReceiverEvent> {
        self.events.pop_front()
    }

    /// The list, for comparing the disk with it while frames are taken in: before [`Self::go_on`] the
    /// sender may still give files up.
    pub fn lend_manifest(&self) -> Arc<Manifest> {
        Arc::clone(&self.manifest)
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The sender is still counting.
    pub fn counting(&self) -> bool {
        !self.complete
    }

    pub fn held_bytes(&self) -> u64 {
        self.held
    }

    pub fn settled(&self) -> usize {
        self.settled
    }

    /// Counts so far; final once every entry is settled.
    pub fn result(&self) -> &Received {
        self.outcomes.result()
    }

    /// Content of all files but those that are left out, or need not come any more.
    pub fn wanted_bytes(&self) -> u64 {
        let total = self.manifest.total_bytes();
        total.saturating_sub(self.left_out_bytes)
    }

    /// What a disk needs that gives each file and folder whole blocks, for all that has not come to its
    /// end: of what is there of them already, too. Looks at each entry.
    pub fn needed_room(&self, block_bytes: u64) -> u64 {
        /// What is written down of each.
        const NOTES_BYTES: u64 = 400;
        let blocks = |entry: &Entry| match entry.kind {
            EntryKind::Folder => block_bytes,
            EntryKind::File { len_bytes, .. } => len_bytes
                .checked_next_multiple_of(block_bytes)
                .unwrap_or(len_bytes)
                .saturating_add(NOTES_BYTES),
        };
        let slots = self.slots.iter().zip(self.manifest.entries());
        let open = slots.filter(|(slot, _)| matches!(slot, Slot::Listed | Slot::Handed));
        open.fold(0, |sum: u64, (_, entry)| sum.saturating_add(blocks(entry)))
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
        while let Some(entry) = self.manifest.entries().get(self.folders_handed) {
            let index = self.folders_handed;
            self.folders_handed = self.folders_handed.saturating_add(1);
            if entry.kind == EntryKind::Folder
                && let (Ok(number), Some(slot)) = (u32::try_from(index), self.slots.get_mut(index))
            {
                *slot = Slot::Handed;
                return Some(Job::Folder {
                    number,
                    entry: entry.clone(),
                });
            }
        }
        None
    }

    fn next_queued(&mut self) -> Option<Job> {
        Some(match self.jobs.pop_front()? {
            Queued::Job(job) => job,
            Queued::Abandon(number, problem) => Job::Abandon {
                number,
                entry: self.manifest.get(number)?.clone(),
                problem,
            },
        })
    }

    /// The next files to look at. Their folders were given out before.
    fn next_look(&mut self) -> Option<Job> {
        let from_bytes = self.look_from_bytes?;
        // One at a time, so that content which comes meanwhile does not stand behind many.
        if self.state != State::Accepted || self.outstanding.contains(&Kind::Look) {
            return None;
        }
        let mut files = Vec::new();
        while self.looked < self.folders_handed && files.len() < LOOK_ENTRIES {
            let index = self.looked;
            self.looked = self.looked.saturating_add(1);
            let (Ok(number), Some(entry)) =
                (u32::try_from(index), self.manifest.entries().get(index))
            else {
                break;
            };
            let listed = self.slots.get(index) == Some(&Slot::Listed);
            let new = |parent: u32| self.new_folders.binary_search(&parent).is_ok();
            let from_bytes = match entry.parent {
                Some(parent) if new(parent) => self.look_in_new_from_bytes,
                Some(_) | None => from_bytes,
            };
            if listed && entry.kind != EntryKind::Folder && entry.len_bytes() >= from_bytes {
                files.push((number, entry.clone()));
            }
        }
        (!files.is_empty()).then_some(Job::Look { files })
    }

    fn abandon(&mut self, failed: &Failed) -> Result<(), Violation> {
        let number = failed.entry;
        if self
            .entry(number)
            .is_none_or(|entry| entry.kind == EntryKind::Folder)
        {
            return Err(Violation::Malformed(
                "a failure of something that is not a listed file",
            ));
        }
        let told = match self.slots.get(number as usize) {
            Some(Slot::Listed) => false,
            Some(Slot::Told) => true,
            Some(Slot::Handed | Slot::Settled) | None => {
                return Err(Violation::Malformed(
                    "a failure of an entry that was sent or failed",
                ));
            }
        };
        if self.current.is_some_and(|(current, _)| current == number) {
            self.current = None;
        }
        self.mending.remove(&number);
        self.asked.remove(&number);
        self.comparing.remove(&number);
        self.mark_handed(number);
        if told {
            return Ok(());
        }
        let problem = Problem::from(&failed.problem);
        if self.state == State::Offered {
            // Nobody has accepted anything yet: the words of many failures are not kept.
            let wordy = matches!(problem, Problem::Other(_));
            let problem = if wordy && self.abandoned_early.len() >= EARLY_DETAILS {
                Problem::Unreadable
            } else {
                problem
            };
            self.abandoned_early.push((number, problem));
        } else {
            self.jobs.push_back(Queued::Abandon(number, problem));
        }
        Ok(())
    }

    fn take_data(&mut self, data: Data) -> Result<(), Violation> {
        self.pay(data.body_bytes())?;
        let Open { file, told } = self.open_file(data.entry)?;
        self.not_asked(data.entry)?;
        let len_bytes = file.len_bytes();
        let again = if let Some(mending) = self.mending.get_mut(&data.entry) {
            mending.take(&data, len_bytes)?
        } else {
            let received = match self.current {
                Some((current, received)) if current == data.entry => received,
                Some(_) => {
                    return Err(Violation::Malformed("a second file before the first ended"));
                }
                None => 0,
            };
            if data.offset != received {
                return Err(Violation::Malformed("content that does not follow on"));
            }
            let end = received.saturating_add(data.content().len() as u64);
            if data.content().is_empty() || end > len_bytes {
                return Err(Violation::Malformed("more content than announced, or none"));
            }
            self.current = Some((data.entry, end));
            false
        };
        if told {
            self.throw_away(data.body_bytes());
        } else {
            let entry = file;
            self.jobs
                .push_back(Queued::Job(Job::Data { entry, data, again }));
        }
        Ok(())
    }

    fn take_end(&mut self, end: FileEnd) -> Result<(), Violation> {
        self.pay(FileEnd::BODY_BYTES)?;
        let Open { file, told } = self.open_file(end.entry)?;
        let len_bytes = file.len_bytes();
        // Whether every group of a kept file is there, only its hash can tell.
        let kept = self.mending.remove(&end.entry).is_some();
        let whole = kept || self.current == Some((end.entry, len_bytes));
        if end.len_bytes != len_bytes || !whole {
            return Err(Violation::Malformed("a file that ends too early"));
        }
        if !kept {
            self.current = None;
        }
        self.mark_handed(end.entry);
        if told {
            self.throw_away(FileEnd::BODY_BYTES);
        } else {
            let entry = file;
            self.jobs.push_back(Queued::Job(Job::End { entry, end }));
        }
        Ok(())
    }

    fn take_batch(&mut self, mut batch: Batch) -> Result<(), Violation> {
        self.pay(batch.body_bytes())?;
        if self.current.is_some() || batch.items.is_empty() {
            return Err(Violation::Malformed(
                "a batch inside a file, or an empty one",
            ));
        }
        let mut entries = Vec::with_capacity(batch.items.len());
        let mut wanted = Vec::with_capacity(batch.items.len());
        for item in &batch.items {
            let Open { file, told } = self.open_file(item.entry)?;
            self.not_asked(item.entry)?;
            if self.mending.contains_key(&item.entry) {
                return Err(Violation::Malformed("a kept file in a batch"));
            }
            if u64::from(item.len_bytes) != file.len_bytes() {
                return Err(Violation::Malformed("a small file of another length"));
            }
            self.mark_handed(item.entry);
            wanted.push(!told);
            if !told {
                entries.push(file);
            }
        }
        if entries.is_empty() {
            self.throw_away(batch.body_bytes());
            return Ok(());
        }
        let mut wanted = wanted.into_iter();
        batch.items.retain(|_item| wanted.next().unwrap_or(false));
        self.jobs
            .push_back(Queued::Job(Job::Batch { entries, batch }));
        Ok(())
    }

    /// What nobody wants any more is paid for and handled by that.
    fn throw_away(&mut self, body_bytes: usize) {
        self.consumed = self.consumed.saturating_add(cost(body_bytes));
    }

    /// How much content may still come, at its cost; `None` before an offer is accepted, when none may.
    pub fn credit_left(&self) -> Option<u64> {
        let accepted = !matches!(self.state, State::Idle | State::Offered);
        accepted.then(|| self.told.granted.saturating_sub(self.came))
    }

    fn pay(&mut self, body_bytes: usize) -> Result<(), Violation> {
        self.came = self.came.saturating_add(cost(body_bytes));
        if self.came > self.told.granted {
            return Err(Violation::Malformed("more content than the credit allows"));
        }
        Ok(())
    }

    /// A listed file that has not ended.
    fn open_file(&self, number: u32) -> Result<Open, Violation> {
        let told = match self.slots.get(number as usize) {
            Some(Slot::Listed) => false,
            Some(Slot::Told) => true,
            Some(Slot::Handed | Slot::Settled) | None => {
                return Err(Violation::Malformed("content for no open file"));
            }
        };
        match self.entry(number) {
            Some(file) if file.kind != EntryKind::Folder => Ok(Open {
                file: file.clone(),
                told,
            }),
            Some(_) | None => Err(Violation::Malformed("content for a folder")),
        }
    }

    fn entry(&self, number: u32) -> Option<&Entry> {
        self.manifest.get(number)
    }

    /// It has come to its end. One that was told of before needs nothing more.
    fn mark_handed(&mut self, number: u32) {
        if let Some(slot) = self.slots.get_mut(number as usize) {
            if *slot == Slot::Told {
                *slot = Slot::Settled;
                return;
            }
            *slot = Slot::Handed;
        }
        self.open_files = self.open_files.saturating_sub(1);
    }

    fn tell_received_if_settled(&mut self) {
        if self.state == State::Finishing && self.settled >= self.manifest.len() {
            self.flush_status();
            self.control
                .push_back(Frame::Received(self.result().clone()).encode());
            self.state = State::Received;
        }
    }

    fn end(&mut self) {
        self.state = State::Ended;
        self.jobs.clear();
        self.folders_handed = self.manifest.len();
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

impl Mending {
    /// Whether the content takes the place of content that was kept.
    fn take(&mut self, data: &Data, len_bytes: u64) -> Result<bool, Violation> {
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
