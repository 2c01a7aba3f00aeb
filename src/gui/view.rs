//! What the window knows: the engine's events reduced to the state that is drawn.
//!
//! Pure: [`View::apply`] takes an event and changes fields; nothing here draws or sends.

pub mod cards;
pub mod draft;
pub mod row;
pub mod talks;

use std::net::IpAddr;
use std::path::PathBuf;

use super::clipboard::NoPicture;
use crate::engine::KnownDevice;
use crate::engine::{
    CallStands, Caller, Client, Event, ListenError, Listening, Offer, Recent, WireConnection,
};
use crate::model::{
    Bond, Code, DeviceId, DeviceName, Diagnosis, Direction, EntryStatus, Finding, Nearby, Peer,
    PeerAddress, Problem, Progress, Status, Summary, Symbols, TransferId, TransferState,
};

pub use cards::{Card, Here, cards};
pub use draft::{Draft, Entry, Pick};
pub use row::{Row, RowState};
pub use talks::{Talks, Thread};

/// Failed entries kept for a row; the count says how many there are in all.
const MAX_FAILED_SHOWN: usize = 10_000;

/// More would leave no room for anything else.
const MAX_NOTICES: usize = 3;

#[derive(Default)]
pub struct View {
    pub server: Server,
    /// What is free where things are saved, as far as it was looked at.
    pub free_bytes: Option<u64>,
    pub code: Option<Code>,
    /// The last wrong try, until the next right one or the next switch.
    pub wrong_code: Option<(IpAddr, u32)>,
    /// Whose tries are not looked at for a while, until the next right one or wrong one.
    pub must_wait: Option<IpAddr>,
    /// No code is taken: too many were wrong.
    pub code_rests: bool,
    pub clients: Vec<Client>,
    pub offers: Vec<Offer>,
    /// The newest first.
    pub rows: Vec<Row>,
    pub draft: Draft,
    /// Remembered, wished for or blocked; the one met last first.
    pub devices: Vec<KnownDevice>,
    /// Found on the local network.
    pub nearby: Vec<Nearby>,
    /// Not known, and asking to be connected to.
    pub callers: Vec<Caller>,
    /// Addresses used before, the last success first.
    pub recent: Vec<Recent>,
    pub talks: Talks,
    /// What the person has to compare before something is sent, the oldest first.
    pub questions: Vec<(TransferId, Symbols)>,
    /// Who wants to be remembered here.
    pub wishes: Vec<Peer>,
    /// The computer does not fall asleep by itself now.
    pub kept_awake: bool,
    /// The computer slept; until what it interrupted moves again.
    pub slept: bool,
    pub wire: WireView,
    /// What the doctor has found by now; `None` until it has said something.
    pub diagnosis: Option<Diagnosis>,
    /// Whether this computer's firewall lets others in, as was found when the server was switched on.
    pub firewall: Vec<Finding>,
    /// What is to be told that is nobody's row, the newest last.
    pub notices: Vec<Notice>,
}

/// What goes on at every connection, while the panel is open.
#[derive(Default)]
pub struct WireView {
    pub connections: Vec<WireConnection>,
    /// Whose frames are listed.
    pub open: Option<u64>,
    /// A person has just asked for it: it comes into sight.
    pub reveal: bool,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Notice {
    CommandFailed(PathBuf, Problem),
    ListSaved(PathBuf),
    ListNotSaved(PathBuf, Problem),
    Paired(DeviceName),
    Blocked(DeviceId, DeviceName),
    NotSaved(String),
    NotRead(String),
    DevicesNotRead(String),
    ConversationsNotRead(String),
    /// Text was pasted that has nobody to go to yet.
    TextPasted,
    /// The chosen port was taken.
    PortMoved {
        chosen: u16,
        got: u16,
    },
    NotPasted(NoPicture),
}

impl Notice {
    /// Something went as it was to go; nobody has to press anything for that.
    pub fn is_good(&self) -> bool {
        match self {
            Self::ListSaved(_) | Self::Paired(_) => true,
            Self::CommandFailed(..)
            | Self::ListNotSaved(..)
            | Self::Blocked(..)
            | Self::NotSaved(_)
            | Self::NotRead(_)
            | Self::DevicesNotRead(_)
            | Self::ConversationsNotRead(_)
            | Self::TextPasted
            | Self::PortMoved { .. }
            | Self::NotPasted(_) => false,
        }
    }
}

#[derive(Default)]
pub enum Server {
    #[default]
    Off,
    Starting,
    On(Listening),
    Failed(ListenError),
}

impl View {
    pub fn apply(&mut self, event: Event) {
        match event {
            Event::Listening(listening) => self.server = Server::On(listening),
            Event::ListenFailed(error) => self.server_gone(Server::Failed(error)),
            Event::ListenStopped => self.server_gone(Server::Off),
            Event::Code { code, .. } => self.code = Some(code),
            Event::WrongSecret { from, tries_left } => {
                self.must_wait = None;
                self.wrong_code = Some((from, tries_left));
            }
            Event::MustWait { from } => {
                self.wrong_code = None;
                self.must_wait = Some(from);
            }
            Event::Clients(clients) => self.clients = clients,
            Event::Offer(offer) => {
                self.wrong_code = None;
                self.must_wait = None;
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
                for (id, _) in &mut self.questions {
                    if *id == was {
                        *id = now;
                    }
                }
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
                if matches!(
                    state,
                    TransferState::Waiting | TransferState::Interrupted | TransferState::Away
                ) {
                    self.answered(id);
                }
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
            Event::PicksDiffer {
                transfer,
                gone,
                changed,
            } => {
                if let Some(row) = self.row(transfer) {
                    (row.gone, row.changed) = (gone, changed);
                }
            }
            Event::Held(id, holds) => {
                if let Some(row) = self.row(id) {
                    row.holds = holds;
                    row.speeds.clear();
                }
            }
            Event::PeerKnown(id, peer) => {
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
                    if seconds > 0 {
                        row.stands_still();
                    }
                }
            }
            Event::KeptAwake(kept) => self.kept_awake = kept,
            Event::Slept(_) => self.slept = true,
            Event::ListSaved { path, problem } => {
                self.tell(match problem {
                    None => Notice::ListSaved(path),
                    Some(problem) => Notice::ListNotSaved(path, problem),
                });
            }
            Event::CodeRests(rests) => self.code_rests = rests,
            Event::Looked(looked) => {
                self.talks.found(&looked);
                self.draft.found(looked);
            }
            Event::Symbols(id, symbols) => {
                self.answered(id);
                self.questions.push((id, symbols));
            }
            Event::Devices(devices) => self.devices(devices),
            Event::DevicesNotRead(why) => self.tell(Notice::DevicesNotRead(why)),
            Event::WantsToBeRemembered(peer) => {
                self.wishes
                    .retain(|known| known.device_id != peer.device_id);
                self.wishes.push(peer);
            }
            Event::Paired(peer) => {
                self.wishes
                    .retain(|known| known.device_id != peer.device_id);
                self.tell(Notice::Paired(peer.name));
            }
            Event::Nearby(nearby) => {
                self.nearby = nearby;
                let cards = cards(&self.devices, &self.nearby);
                self.draft.cards_changed(&cards);
                self.talks.cards_changed(&cards);
            }
            Event::Callers(callers) => self.callers = callers,
            Event::Recent(recent) => self.recent = recent,
            Event::Conversations(kept) => self.talks.kept(kept),
            Event::ConversationsNotRead(why) => {
                self.tell(Notice::ConversationsNotRead(why));
            }
            Event::NotSaid { to, id, why } => self.talks.not_said(to, id, why),
            Event::TalkOpened(attempt, _peer) => {
                self.answered(attempt);
                self.talks.opened(attempt);
            }
            Event::Line(peer, line) => self.talks.line(&peer, line),
            Event::Delivery(with, message, now) => self.talks.delivery(with, message, now),
            Event::Talk(peer, state) => self.talks.state(&peer, state),
            Event::TalkFailed(attempt, failure) => {
                self.answered(attempt);
                self.talks.failed(attempt, failure);
            }
            Event::TextOffered(offer) => self.talks.offered(offer),
            Event::TextWithdrawn(device) => self.talks.answered(device),
            Event::Wire(connections) => self.wire.connections = connections,
            Event::Diagnosis(diagnosis) => self.diagnosis = Some(diagnosis),
            Event::Firewall(findings) => self.firewall = findings,
            Event::Measured(measured) => self.draft.measured(measured),
            Event::Room { folder, free_bytes } => {
                if let Server::On(listening) = &self.server
                    && listening.save_folder == folder
                {
                    self.free_bytes = free_bytes;
                }
            }
            // It is sent, or its conversation says why not.
            Event::Stashed(..) => {}
            Event::CommandFailed { path, problem } => {
                self.tell(Notice::CommandFailed(path, problem));
            }
        }
    }

    /// What is said already is said anew. Of too much it is good news that goes first, then the oldest; never
    /// the text that waits for somebody to go to.
    pub fn tell(&mut self, notice: Notice) {
        self.notices.retain(|known| *known != notice);
        self.notices.push(notice);
        if self.notices.len() > MAX_NOTICES {
            let mut notices = self.notices.iter();
            let goes = notices.position(Notice::is_good).or_else(|| {
                let mut notices = self.notices.iter();
                notices.position(|notice| *notice != Notice::TextPasted)
            });
            self.notices.remove(goes.unwrap_or_default());
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

    /// What is known of a device: nothing if it was never remembered.
    pub fn bond(&self, id: DeviceId) -> Option<Bond> {
        let known = self.devices.iter().find(|device| device.id == id);
        known.map(|device| device.bond)
    }

    /// Devices that ask to be connected to and have no answer yet. Without a server nobody is let in.
    pub fn calls(&self) -> impl Iterator<Item = &Caller> {
        let on = matches!(self.server, Server::On(_));
        let callers = self.callers.iter();
        callers.filter(move |caller| on && caller.stands == CallStands::Asks)
    }

    /// To whom a transfer or a first message goes, if that is known.
    pub fn receiver(&self, transfer: TransferId) -> Option<&str> {
        let row = self.rows.iter().find(|row| row.id == transfer);
        let thread = self.talks.attempted(transfer);
        row.map(|row| row.peer.name.as_str())
            .or(thread.map(|thread| thread.name.as_str()))
    }

    /// Somebody who has proven something, or has shown symbols, waits until the person here has answered.
    pub fn waits(&self) -> bool {
        !self.offers.is_empty() || !self.talks.offers.is_empty() || !self.questions.is_empty()
    }

    /// The symbols of a transfer are no longer to be compared.
    pub fn answered(&mut self, transfer: TransferId) {
        self.questions.retain(|(id, _)| *id != transfer);
    }

    fn devices(&mut self, mut devices: Vec<KnownDevice>) {
        devices.sort_by_key(|device| std::cmp::Reverse(device.met));
        self.draft.devices_changed(&devices);
        self.devices = devices;
        let wishes = std::mem::take(&mut self.wishes);
        let open = |peer: &Peer| match peer.device_id.and_then(|id| self.bond(id)) {
            None | Some(Bond::ForgottenThere) => true,
            Some(Bond::Wished | Bond::Paired | Bond::Blocked) => false,
        };
        self.wishes = wishes.into_iter().filter(open).collect();
    }

    fn server_gone(&mut self, server: Server) {
        self.server = server;
        self.code = None;
        self.wrong_code = None;
        self.must_wait = None;
        self.firewall.clear();
    }

    /// With a new code nobody has to wait.
    pub fn forget_tries(&mut self) {
        self.wrong_code = None;
        self.must_wait = None;
    }

    fn offer(&mut self, offer: Offer) {
        // It was taken by a rule while it was still being counted.
        let runs = |row: &Row| row.id == offer.transfer && row.active();
        if self.rows.iter().any(runs) {
            return;
        }
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
            row.moved(progress);
        }
    }

    fn ended(&mut self, summary: Summary) {
        let id = summary.transfer;
        self.answered(id);
        if self.draft.comes_back(&summary) {
            // Nothing was offered: it was an attempt, not a transfer.
            self.rows.retain(|row| row.id != id);
        } else if let Some(row) = self.row(id) {
            row.peer = summary.peer.clone();
            row.quiet_seconds = 0;
            row.ended_at = now_millis();
            row.open = summary.status == Status::Problems;
            row.state = RowState::Ended(summary);
        }
    }
}

/// For the time of the day beside what has ended.
fn now_millis() -> Option<u64> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since
        .ok()
        .and_then(|since| since.as_millis().try_into().ok())
}
