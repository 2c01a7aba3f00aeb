//! What the window knows: the engine's events reduced to the state that is drawn.
//!
//! Pure: [`View::apply`] takes an event and changes fields; nothing here draws or sends.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::engine::{Client, Event, Interrupted, ListenError, Listening, Measured, Offer, Started};
use crate::model::{
    Code, Direction, EntryStatus, Failure, FileReport, Hold, Holds, Party, Peer, PeerAddress,
    Problem, Progress, Status, Summary, TransferId, TransferState,
};

/// Speeds kept for the plot: a minute and a half at one a second and a half.
const PLOT_POINTS: usize = 60;
/// Addresses kept at hand: what fits in a line.
const MAX_RECENT: usize = 4;
/// Failed entries kept for a row; the count says how many there are in all.
const MAX_FAILED_SHOWN: usize = 10_000;

#[derive(Default)]
pub struct View {
    pub server: Server,
    pub code: Option<Code>,
    /// The last wrong try, until the next right one or the next switch.
    pub wrong_code: Option<(IpAddr, u32)>,
    pub clients: Vec<Client>,
    pub offers: Vec<Offer>,
    /// The newest first.
    pub rows: Vec<Row>,
    pub draft: Draft,
    /// The computer does not fall asleep by itself now.
    pub kept_awake: bool,
    /// The computer slept; until what it interrupted moves again.
    pub slept: bool,
    /// Something could not be opened or saved; shown until dismissed.
    pub notice: Option<Notice>,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Notice {
    CommandFailed(PathBuf, Problem),
    ListSaved(PathBuf),
    ListNotSaved(PathBuf, Problem),
    NotSaved(String),
    NotRead(String),
}

#[derive(Default)]
pub enum Server {
    #[default]
    Off,
    Starting,
    On(Listening),
    Failed(ListenError),
}

/// What is about to be sent.
#[derive(Default)]
pub struct Draft {
    pub picks: Vec<Pick>,
    pub address: String,
    pub code: String,
    /// The list stays when it is sent.
    pub keep: bool,
    /// Why the last attempt did not begin.
    pub failure: Option<Failure>,
    /// The code field wants the next keys: what was typed there was not right.
    pub focus_code: bool,
    /// Addresses reached since the start, the latest first.
    pub recent: Vec<PeerAddress>,
    /// Where the requests went whose outcome may still bring them back.
    pub under_way: Vec<(TransferId, Vec<Pick>, PeerAddress)>,
}

/// A picked file or folder.
#[derive(Clone, PartialEq, Debug)]
pub struct Pick {
    pub path: PathBuf,
    pub is_folder: bool,
    pub entries: u64,
    pub bytes: u64,
    pub counting: bool,
    pub problem: Option<Problem>,
}

impl Pick {
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            is_folder: false,
            entries: 1,
            bytes: 0,
            counting: true,
            problem: None,
        }
    }

    pub fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        crate::model::displayable(&name.to_string_lossy())
    }
}

/// A transfer's row.
pub struct Row {
    pub id: TransferId,
    pub direction: Direction,
    pub peer: Peer,
    pub names: Vec<String>,
    pub picked: u64,
    pub places: Vec<PathBuf>,
    pub state: RowState,
    pub progress: Option<Progress>,
    /// Bytes a second, the newest last.
    pub speeds: VecDeque<u64>,
    pub quiet_seconds: u64,
    /// Who holds it up.
    pub holds: Holds,
    /// How fast it may go, in bytes a second.
    pub limit: Option<u64>,
    pub failed: Vec<FileReport>,
    /// Of a row from an earlier run: how many entries failed.
    pub failed_before: u64,
    /// Narrows the list of what failed.
    pub filter: String,
    /// The details are unfolded.
    pub open: bool,
    pub safe: bool,
}

pub enum RowState {
    /// An earlier run of the program left it unfinished. It is kept until then.
    Kept(SystemTime),
    Active(TransferState),
    Ended(Summary),
}

impl Row {
    fn new(started: Started) -> Self {
        Self {
            id: started.transfer,
            direction: started.direction,
            peer: started.peer,
            names: started.names,
            picked: started.picked,
            places: started.places,
            state: RowState::Active(TransferState::Connecting),
            progress: None,
            speeds: VecDeque::new(),
            quiet_seconds: 0,
            holds: Holds::default(),
            limit: None,
            failed: Vec::new(),
            failed_before: 0,
            filter: String::new(),
            open: false,
            safe: false,
        }
    }

    fn kept(kept: Interrupted) -> Self {
        let started = Started {
            transfer: kept.transfer,
            direction: kept.direction,
            peer: kept.peer,
            names: kept.names,
            picked: kept.picked,
            places: kept.places,
        };
        Self {
            state: RowState::Kept(kept.until),
            failed_before: kept.failed,
            progress: Some(Progress {
                transfer: kept.transfer,
                bytes: kept.held_bytes,
                total_bytes: kept.bytes,
                entries_done: 0,
                entries: kept.entries,
                checked_bytes: 0,
                check_bytes: 0,
                bytes_per_second: 0,
                eta: None,
            }),
            ..Self::new(started)
        }
    }

    pub fn active(&self) -> bool {
        matches!(self.state, RowState::Active(_))
    }

    /// Content moves, or would if nobody held it up.
    pub fn moving(&self) -> bool {
        matches!(
            self.state,
            RowState::Active(
                TransferState::Checking | TransferState::Running | TransferState::Interrupted
            )
        )
    }

    /// The person here paused it.
    pub fn paused(&self) -> bool {
        self.active() && self.holds.here == Some(Hold::Person)
    }

    /// Nobody paused it; others go first.
    pub fn queued(&self) -> bool {
        let Holds { here, there } = self.holds;
        let by = |hold, one: Option<Hold>| one == Some(hold);
        (by(Hold::Turn, here) || by(Hold::Turn, there))
            && !by(Hold::Person, here)
            && !by(Hold::Person, there)
    }

    /// It is over; nothing of it is kept or under way.
    pub fn finished(&self) -> bool {
        matches!(self.state, RowState::Ended(_)) && !self.is_kept()
    }

    /// Entries that failed, listed here or not.
    pub fn all_failed(&self) -> u64 {
        match &self.state {
            RowState::Kept(_) => self.failed_before,
            RowState::Active(_) => self.failed.len() as u64,
            RowState::Ended(summary) => summary.failed,
        }
    }

    /// It came to its end, and what failed may arrive in another try.
    pub fn is_kept(&self) -> bool {
        match &self.state {
            RowState::Kept(_) => self.failed_before > 0,
            RowState::Active(_) => false,
            RowState::Ended(summary) => summary.can_retry,
        }
    }

    /// The sender is the one to try again.
    pub fn can_retry(&self) -> bool {
        self.is_kept() && self.direction == Direction::Send
    }

    /// This device sends it, it was accepted, and it ended before everything was there.
    pub fn can_resume(&self) -> bool {
        let begun = self.progress.is_some_and(|progress| progress.bytes > 0);
        match &self.state {
            RowState::Kept(_) => self.direction == Direction::Send && self.failed_before == 0,
            RowState::Active(_) => false,
            RowState::Ended(summary) => {
                if summary.can_retry {
                    return false;
                }
                let early = matches!(summary.status, Status::Cancelled(_) | Status::Interrupted);
                self.direction == Direction::Send && early && begun
            }
        }
    }

    /// 0 to 1; 0 while the total is not known.
    pub fn fraction(&self) -> f32 {
        match &self.progress {
            Some(progress) if progress.total_bytes > 0 => {
                (progress.bytes as f64 / progress.total_bytes as f64).min(1.0) as f32
            }
            Some(_) | None => 0.0,
        }
    }

    /// The one thing that was picked may stand under another name here than it had there.
    fn learn_name(&mut self, files: &[FileReport]) {
        if self.direction == Direction::Receive
            && self.picked == 1
            && let Some(file) = files.first()
            && let Some(top) = file.path.split('/').next()
        {
            self.names = vec![top.to_owned()];
        }
    }

    /// What arrived, where it is now: the picked item itself if there was one, else the folder.
    pub fn result_path(&self) -> Option<PathBuf> {
        let folder = self.places.first()?;
        match self.names.as_slice() {
            [only] if self.picked == 1 => {
                let path = folder.join(only);
                Some(if path.starts_with(folder) {
                    path
                } else {
                    folder.clone()
                })
            }
            _ => Some(folder.clone()),
        }
    }
}

impl View {
    pub fn apply(&mut self, event: Event) {
        match event {
            Event::Listening(listening) => self.server = Server::On(listening),
            Event::ListenFailed(error) => self.server_gone(Server::Failed(error)),
            Event::ListenStopped => self.server_gone(Server::Off),
            Event::Code { code, .. } => self.code = Some(code),
            Event::WrongSecret { from, tries_left } => self.wrong_code = Some((from, tries_left)),
            Event::Clients(clients) => self.clients = clients,
            Event::Offer(offer) => {
                self.wrong_code = None;
                self.offer(offer);
            }
            Event::OfferFolder(known) => {
                let mut offers = self.offers.iter_mut();
                if let Some(offer) = offers.find(|offer| offer.transfer == known.transfer) {
                    offer.folder = known.folder;
                    offer.free_bytes = known.free_bytes;
                    offer.existing = known.existing;
                }
            }
            Event::OfferWithdrawn(transfer) => self.forget_offer(transfer),
            Event::Kept(kept) => {
                let rows = kept.into_iter().map(Row::kept);
                self.rows.extend(rows.collect::<Vec<_>>().into_iter().rev());
            }
            Event::Renamed { was, now } => {
                self.draft.renamed(was, now);
                if let Some(row) = self.row(was) {
                    row.id = now;
                }
            }
            Event::Started(started) => {
                self.forget_offer(started.transfer);
                // It goes on: one transfer, one row.
                self.rows.retain(|row| row.id != started.transfer);
                self.rows.insert(0, Row::new(started));
            }
            Event::State(id, state) => {
                if state == TransferState::Running {
                    self.slept = false;
                }
                if let Some(row) = self.row(id)
                    && row.active()
                {
                    if state == TransferState::Checking {
                        // What still fails is said anew.
                        row.failed.clear();
                    }
                    row.state = RowState::Active(state);
                }
            }
            Event::Held(id, holds) => {
                if let Some(row) = self.row(id) {
                    row.holds = holds;
                    row.speeds.clear();
                }
            }
            Event::PeerKnown(id, peer) => {
                self.draft.reached(id);
                if let Some(row) = self.row(id) {
                    row.peer = peer;
                }
            }
            Event::Progress(progress) => self.progress(progress),
            Event::Files(id, files) => {
                if let Some(row) = self.row(id) {
                    row.learn_name(&files);
                    let failed = files
                        .into_iter()
                        .filter(|file| matches!(file.status, EntryStatus::Failed(_)));
                    let room = MAX_FAILED_SHOWN.saturating_sub(row.failed.len());
                    row.failed.extend(failed.take(room));
                }
            }
            Event::Ended(summary) => self.ended(summary),
            Event::Safe(id) => {
                if let Some(row) = self.row(id) {
                    row.safe = true;
                }
            }
            // It has arrived and is checked; the row just does not promise more than that.
            Event::NotSafe(..) => {}
            Event::Quiet { transfer, seconds } => {
                if let Some(row) = self.row(transfer) {
                    row.quiet_seconds = seconds;
                }
            }
            Event::KeptAwake(kept) => self.kept_awake = kept,
            Event::Slept(_) => self.slept = true,
            Event::ListSaved { path, problem } => {
                self.notice = Some(match problem {
                    None => Notice::ListSaved(path),
                    Some(problem) => Notice::ListNotSaved(path, problem),
                });
            }
            Event::CodeRests(_)
            | Event::Looked(_)
            | Event::Symbols(..)
            | Event::Devices(_)
            | Event::WantsToBeRemembered(_)
            | Event::Paired(_) => {}
            Event::Measured(measured) => self.draft.measured(measured),
            Event::CommandFailed { path, problem } => {
                self.notice = Some(Notice::CommandFailed(path, problem));
            }
        }
    }

    /// Transfers under way.
    pub fn active(&self) -> usize {
        self.rows.iter().filter(|row| row.active()).count()
    }

    pub fn receiving(&self) -> usize {
        let rows = self.rows.iter();
        rows.filter(|row| row.active() && row.direction == Direction::Receive)
            .count()
    }

    pub fn row(&mut self, id: TransferId) -> Option<&mut Row> {
        self.rows.iter_mut().find(|row| row.id == id)
    }

    /// What an earlier run left of sending these things to this address.
    pub fn kept_like(&self, sources: &[PathBuf], to: &PeerAddress) -> Option<TransferId> {
        let address = to.to_string();
        let mut rows = self.rows.iter();
        rows.find(|row| {
            (matches!(row.state, RowState::Kept(_)) || row.can_retry())
                && row.direction == Direction::Send
                && row.places == sources
                && row.peer.address == address
        })
        .map(|row| row.id)
    }

    fn server_gone(&mut self, server: Server) {
        self.server = server;
        self.code = None;
        self.wrong_code = None;
    }

    fn offer(&mut self, offer: Offer) {
        let known = self
            .offers
            .iter_mut()
            .find(|known| known.transfer == offer.transfer);
        match known {
            Some(known) => *known = offer,
            None => self.offers.push(offer),
        }
    }

    fn forget_offer(&mut self, transfer: TransferId) {
        self.offers.retain(|offer| offer.transfer != transfer);
    }

    fn progress(&mut self, progress: Progress) {
        if let Some(row) = self.row(progress.transfer) {
            row.speeds.push_back(progress.bytes_per_second);
            if row.speeds.len() > PLOT_POINTS {
                row.speeds.pop_front();
            }
            row.progress = Some(progress);
        }
    }

    fn ended(&mut self, summary: Summary) {
        let id = summary.transfer;
        if self.draft.comes_back(&summary) {
            // Nothing was offered: it was an attempt, not a transfer.
            self.rows.retain(|row| row.id != id);
        } else if let Some(row) = self.row(id) {
            row.peer = summary.peer.clone();
            row.quiet_seconds = 0;
            row.open = summary.status == Status::Problems;
            row.state = RowState::Ended(summary);
        }
    }
}

impl Draft {
    /// Adds a path unless it is there already. Says whether it was added.
    pub fn add(&mut self, path: PathBuf) -> bool {
        let new = self.picks.iter().all(|pick| pick.path != path);
        if new {
            self.picks.push(Pick::new(path));
        }
        new
    }

    pub fn entries(&self) -> u64 {
        self.picks.iter().map(|pick| pick.entries).sum()
    }

    pub fn bytes(&self) -> u64 {
        self.picks.iter().map(|pick| pick.bytes).sum()
    }

    pub fn counting(&self) -> bool {
        self.picks.iter().any(|pick| pick.counting)
    }

    /// The list goes on its way; it is empty again, but not forgotten yet. Or it is kept: the same
    /// things go to another device as well.
    pub fn sent(&mut self, transfer: TransferId, to: PeerAddress) {
        let picks = match self.keep {
            true => self.picks.clone(),
            false => std::mem::take(&mut self.picks),
        };
        if self.keep {
            self.address.clear();
        }
        self.under_way.push((transfer, picks, to));
        self.code.clear();
        self.failure = None;
    }

    fn renamed(&mut self, was: TransferId, now: TransferId) {
        for (id, ..) in &mut self.under_way {
            if *id == was {
                *id = now;
            }
        }
    }

    /// A device answered there and let us in: an address worth keeping at hand.
    fn reached(&mut self, transfer: TransferId) {
        let mut under_way = self.under_way.iter();
        if let Some((_, _, to)) = under_way.find(|(id, ..)| *id == transfer) {
            self.recent.retain(|known| known != to);
            self.recent.insert(0, to.clone());
            self.recent.truncate(MAX_RECENT);
        }
    }

    fn measured(&mut self, measured: Measured) {
        let pick = self.picks.iter_mut();
        if let Some(pick) = pick.into_iter().find(|pick| pick.path == measured.path) {
            pick.is_folder = measured.is_folder;
            pick.entries = measured.entries.max(1);
            pick.bytes = measured.bytes;
            pick.counting = measured.counting;
            pick.problem = measured.problem;
        }
    }

    /// An attempt that ended before anything was offered gives back what the person had typed and
    /// picked. Says whether it did.
    fn comes_back(&mut self, summary: &Summary) -> bool {
        let position = self
            .under_way
            .iter()
            .position(|(id, ..)| *id == summary.transfer);
        let Some(position) = position else {
            return false;
        };
        let (_, picks, to) = self.under_way.swap_remove(position);
        let before_the_offer = match &summary.failure {
            Some(
                Failure::Unresolvable { .. }
                | Failure::Refused { .. }
                | Failure::Unreachable { .. }
                | Failure::NotRopeway { .. }
                | Failure::Ourselves
                | Failure::Busy
                | Failure::SecretNeeded
                | Failure::WrongSecret
                | Failure::NotTheDevice { .. }
                | Failure::Moved { .. }
                | Failure::ForgottenThere { .. }
                | Failure::KnownOnly
                | Failure::NotConfirmed
                | Failure::Forgotten
                | Failure::Version,
            ) => true,
            Some(
                Failure::Lost
                | Failure::Silent
                | Failure::Declined
                | Failure::Cancelled(Party::Us | Party::Peer)
                | Failure::NothingToSend
                | Failure::Disk(_)
                | Failure::PeerDisk(_)
                | Failure::Protocol(_)
                | Failure::Internal(_),
            )
            | None => false,
        };
        if before_the_offer {
            for pick in picks {
                if self.picks.iter().all(|known| known.path != pick.path) {
                    self.picks.push(pick);
                }
            }
            if self.address.trim().is_empty() {
                self.address = to.to_string();
            }
            self.focus_code = matches!(
                summary.failure,
                Some(Failure::WrongSecret | Failure::SecretNeeded)
            );
            self.failure.clone_from(&summary.failure);
        }
        before_the_offer
    }
}
