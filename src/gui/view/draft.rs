//! What is about to be sent, to whom, and what has to be typed for that.

use std::path::PathBuf;

use super::cards::Card;
use crate::engine::KnownDevice;
use crate::engine::{Chosen, Found, Looked, Measured};
use crate::model::{
    Bond, DeviceId, Failure, Party, PeerAddress, Problem, Summary, TransferId, Way,
};

/// What is about to be sent.
#[derive(Default)]
pub struct Draft {
    pub picks: Vec<Pick>,
    pub address: String,
    /// Picked from those that are known or nearby.
    pub chosen: Option<Chosen>,
    /// What that one is called, and where else it may be reached.
    called: Option<String>,
    places: Vec<String>,
    pub code: String,
    /// The other device is to be remembered.
    pub remember: bool,
    /// The list stays when it is sent.
    pub keep: bool,
    /// Why the last attempt did not begin.
    pub failure: Option<Failure>,
    /// Who was not found there, if that is why.
    pub missed: Option<Missed>,
    /// The code field wants the next keys: what was typed there was not right.
    pub focus_code: bool,
    pub look: Look,
    /// Why the look before failed, while the same address is looked at again: what is said of it
    /// stays, and can be clicked, meanwhile.
    before: Option<(PeerAddress, Failure)>,
    /// The address is complete: it is looked at without waiting for more keys.
    pub look_now: bool,
    /// Requests whose outcome may still bring them back.
    pub under_way: Vec<UnderWay>,
}

/// A request on its way.
pub struct UnderWay {
    pub transfer: TransferId,
    pub picks: Vec<Pick>,
    pub to: PeerAddress,
    pub chosen: Option<Chosen>,
    pub remember: bool,
    /// What it is called, if it could only be asked to connect.
    called: Option<String>,
}

/// A chosen device whose address another key answered at.
#[derive(Clone, PartialEq, Debug)]
pub struct Missed {
    pub device: DeviceId,
    pub at: PeerAddress,
}

/// What was asked of an address, and what came of it.
#[derive(Default)]
pub enum Look {
    #[default]
    Not,
    Asked(PeerAddress),
    Done(Looked),
}

/// What has to be typed to get in where the draft goes, as far as is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entry {
    /// Nothing: the two devices remember each other.
    Known,
    /// It takes devices that it knows, and this is none.
    Closed,
    /// A code or a passphrase. If it can be asked, its person and the one here compare symbols
    /// instead.
    Secret { passphrase: bool, can_ask: bool },
    /// Nothing; symbols are compared.
    Ask,
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

fn bond(devices: &[KnownDevice], id: DeviceId) -> Option<Bond> {
    let known = devices.iter().find(|device| device.id == id);
    known.map(|device| device.bond)
}

/// The list.
impl Draft {
    /// Adds a path unless it is there already. Says whether it was added.
    pub fn add(&mut self, path: PathBuf) -> bool {
        // As strings: a path is compared part by part, which ten thousand of them are too many for.
        let taken = |pick: &Pick| pick.path.as_os_str() == path.as_os_str();
        let new = !self.picks.iter().any(taken);
        if new {
            self.picks.push(Pick::new(path));
        }
        new
    }

    pub fn entries(&self) -> u64 {
        let readable = self.picks.iter().filter(|pick| pick.problem.is_none());
        readable.map(|pick| pick.entries).sum()
    }

    pub fn bytes(&self) -> u64 {
        self.picks.iter().map(|pick| pick.bytes).sum()
    }

    pub fn counting(&self) -> bool {
        self.picks.iter().any(|pick| pick.counting)
    }

    pub(super) fn measured(&mut self, measured: Measured) {
        let pick = self.picks.iter_mut();
        let meant = measured.path.as_os_str();
        if let Some(pick) = pick.into_iter().find(|pick| pick.path.as_os_str() == meant) {
            pick.is_folder = measured.is_folder;
            pick.entries = measured.entries.max(1);
            pick.bytes = measured.bytes;
            pick.counting = measured.counting;
            pick.problem = measured.problem;
        }
    }
}

/// The destination.
impl Draft {
    /// A device that is known or was found: where it is, or was last reached. One that is not paired
    /// is asked what it takes; one that has forgotten this device is wanted back.
    pub fn choose(&mut self, card: &Card) {
        self.address = card.address.clone().unwrap_or_default();
        self.chosen = Some(card.chosen());
        self.called = Some(card.name.clone());
        self.places = card.places.iter().skip(1).cloned().collect();
        self.forget_failure();
        // It was meant for another device.
        self.code.clear();
        self.look = Look::Not;
        self.remember = card.bond == Some(Bond::ForgottenThere);
        self.look_now = !card.is_paired();
        // As soon as it is known that one is needed, it can be typed.
        self.focus_code = !card.is_paired();
    }

    /// An address that is complete as it is.
    pub fn go_to(&mut self, address: String) {
        if self.address != address {
            self.code.clear();
        }
        self.address = address;
        self.edited();
        self.look_now = true;
    }

    /// The person types another address: it is no longer the device that was chosen.
    /// A link says itself which one is meant.
    pub fn edited(&mut self) {
        let meant = self.to().and_then(|to| to.device);
        self.chosen = meant.map(|id| Chosen { id, name: None });
        self.called = None;
        self.places.clear();
        self.forget_failure();
    }

    pub fn no_destination(&mut self) {
        self.address.clear();
        self.code.clear();
        self.remember = false;
        self.edited();
    }

    pub fn forget_failure(&mut self) {
        self.failure = None;
        self.missed = None;
    }

    /// The chosen device was reinstalled: its address is let in anew, by its code.
    pub fn pair_again(&mut self, missed: &Missed) {
        self.go_to(missed.at.to_string());
        self.look = Look::Not;
        self.remember = true;
        self.focus_code = true;
    }

    pub fn to(&self) -> Option<PeerAddress> {
        self.address.parse().ok()
    }

    /// What answers at the address, if that was looked at.
    pub fn looked(&self) -> Option<&Result<Found, Failure>> {
        match &self.look {
            Look::Done(looked) if self.to().as_ref() == Some(&looked.at) => Some(&looked.found),
            Look::Not | Look::Asked(_) | Look::Done(_) => None,
        }
    }

    /// Why the last look failed, also while another one is under way.
    pub fn look_failure(&self) -> Option<&Failure> {
        match (self.looked(), &self.before) {
            (Some(Err(failure)), _) => Some(failure),
            (None, Some((at, failure))) if self.looking() && self.to().as_ref() == Some(at) => {
                Some(failure)
            }
            _nothing_failed => None,
        }
    }

    pub fn looking(&self) -> bool {
        matches!(&self.look, Look::Asked(at) if self.to().as_ref() == Some(at))
    }

    /// What is to be looked at now, once: an address that nobody is known at. One that did not
    /// answer is tried again.
    pub fn look_at(&mut self, devices: &[KnownDevice]) -> Option<PeerAddress> {
        let to = self.to()?;
        let known = matches!(self.looked(), Some(Ok(_)));
        if known || self.looking() || self.chosen_bond(devices) == Some(Bond::Paired) {
            return None;
        }
        self.before = match self.looked() {
            Some(Err(failure)) => Some((to.clone(), failure.clone())),
            Some(Ok(_)) | None => None,
        };
        self.look = Look::Asked(to.clone());
        Some(to)
    }

    pub(super) fn found(&mut self, looked: Looked) {
        // What is said about an address that was left meanwhile is of no use.
        if self.to().as_ref() != Some(&looked.at) {
            return;
        }
        let another = match (&looked.found, &self.chosen) {
            (Ok(found), Some(chosen)) => found.id != chosen.id,
            (Ok(_), None) => false,
            (Err(_), _) => true,
        };
        if another && !self.places.is_empty() {
            // It was heard of elsewhere, too.
            self.address = self.places.remove(0);
            self.look = Look::Not;
            self.look_now = true;
        } else {
            self.look = Look::Done(looked);
        }
    }

    fn chosen_bond(&self, devices: &[KnownDevice]) -> Option<Bond> {
        let chosen = self.chosen.as_ref()?;
        bond(devices, chosen.id)
    }

    pub fn entry(&self, devices: &[KnownDevice]) -> Entry {
        let unknown = Entry::Secret {
            passphrase: false,
            can_ask: false,
        };
        if self.chosen_bond(devices) == Some(Bond::Paired) {
            return Entry::Known;
        }
        let Some(Ok(found)) = self.looked() else {
            // What it takes, its person sees.
            return match self.may_be_called() {
                true => Entry::Secret {
                    passphrase: false,
                    can_ask: true,
                },
                false => unknown,
            };
        };
        // It may have been forgotten since, here or there.
        if found.paired && bond(devices, found.id) == Some(Bond::Paired) {
            return Entry::Known;
        }
        let passphrase = found.ways.contains(&Way::Passphrase);
        let can_ask = found.ways.contains(&Way::Ask);
        if passphrase || found.ways.contains(&Way::Code) {
            Entry::Secret {
                passphrase,
                can_ask,
            }
        } else if can_ask {
            Entry::Ask
        } else if found.paired {
            unknown
        } else {
            Entry::Closed
        }
    }

    /// The chosen device is heard of, but not reached: it is asked to connect when something is sent.
    pub fn may_be_called(&self) -> bool {
        let unreached = matches!(
            self.look_failure(),
            Some(Failure::Unreachable { .. } | Failure::Refused { .. })
        );
        unreached && self.chosen.is_some() && self.called.is_some()
    }

    /// The device that alone is to be sent to: the one that was chosen, or the known one that
    /// answered at the address.
    pub fn device(&self, devices: &[KnownDevice]) -> Option<Chosen> {
        if self.chosen.is_some() {
            return self.chosen.clone();
        }
        match self.looked() {
            Some(Ok(found)) if self.entry(devices) == Entry::Known => Some(Chosen {
                id: found.id,
                name: Some(found.name.clone()),
            }),
            Some(_) | None => None,
        }
    }

    /// What it is called here, or says that it is called.
    pub fn name(&self, devices: &[KnownDevice]) -> Option<String> {
        let found = self.looked().and_then(|found| found.as_ref().ok());
        let chosen = self.chosen.as_ref().map(|chosen| chosen.id);
        let id = chosen.or_else(|| found.map(|found| found.id));
        let known = devices.iter().find(|device| Some(device.id) == id);
        known
            .map(|device| device.shown().to_string())
            .or_else(|| self.called.clone())
            .or_else(|| found.map(|found| found.name.to_string()))
    }

    /// A chosen device that had no address may have one by now: it is as if it were chosen then.
    pub(super) fn cards_changed(&mut self, cards: &[Card]) {
        let Some(chosen) = &self.chosen else { return };
        let card = cards.iter().find(|card| card.id == chosen.id);
        if let Some(card) = card.filter(|card| card.address.is_some())
            && self.address.trim().is_empty()
        {
            let remember = self.remember;
            self.choose(card);
            self.remember |= remember;
        }
    }

    /// Who is gone cannot stay chosen, and who was found may be known by now, or no longer.
    pub(super) fn devices_changed(&mut self, devices: &[KnownDevice]) {
        if let Look::Done(looked) = &mut self.look
            && let Ok(found) = &mut looked.found
        {
            found.paired = bond(devices, found.id) == Some(Bond::Paired);
        }
        let gone = |chosen: &Chosen| chosen.name.is_some() && bond(devices, chosen.id).is_none();
        if self.chosen.as_ref().is_some_and(gone) {
            self.chosen = None;
            self.look_now = true;
        }
    }
}

/// On its way.
impl Draft {
    /// The list goes on its way; it is empty again, but not forgotten yet. Or it is kept: the same
    /// things go to another device as well.
    pub fn sent(&mut self, transfer: TransferId, to: PeerAddress) {
        let picks = match self.keep {
            true => self.picks.clone(),
            false => std::mem::take(&mut self.picks),
        };
        let called = self.called.clone().filter(|_| self.may_be_called());
        // That nothing answered is settled; it would be read as news of what has just been sent.
        let settled = called.is_some();
        self.under_way.push(UnderWay {
            transfer,
            picks,
            to,
            chosen: self.chosen.clone(),
            remember: self.remember,
            called,
        });
        if self.keep || settled {
            self.no_destination();
        }
        self.remember = false;
        self.code.clear();
        self.forget_failure();
    }

    pub(super) fn renamed(&mut self, was: TransferId, now: TransferId) {
        for request in &mut self.under_way {
            if request.transfer == was {
                request.transfer = now;
            }
        }
    }

    /// An attempt that ended before anything was offered gives back what the person had typed and
    /// picked. Says whether it did.
    pub(super) fn comes_back(&mut self, summary: &Summary) -> bool {
        let position = self
            .under_way
            .iter()
            .position(|request| request.transfer == summary.transfer);
        let Some(position) = position else {
            return false;
        };
        let request = self.under_way.swap_remove(position);
        let Some(failure) = summary.failure.as_ref().filter(|why| before_the_offer(why)) else {
            return false;
        };
        self.forget_failure();
        self.failure = Some(failure.clone());
        for pick in request.picks {
            if self.picks.iter().all(|known| known.path != pick.path) {
                self.picks.push(pick);
            }
        }
        if self.address.trim().is_empty() {
            self.address = request.to.to_string();
        }
        // Unless the person is about another one by now.
        if self.to().as_ref() == Some(&request.to) {
            self.remember = request.remember || matches!(failure, Failure::ForgottenThere { .. });
            self.chosen = request.chosen.clone();
            if request.called.is_some() {
                self.called = request.called.clone();
                self.look_now = true;
            }
        }
        self.focus_code = matches!(
            failure,
            Failure::WrongSecret | Failure::SecretNeeded | Failure::ForgottenThere { .. }
        );
        if matches!(failure, Failure::KnownOnly | Failure::SecretNeeded) {
            // It takes other ways than it did.
            self.look = Look::Not;
            self.look_now = true;
        }
        if let (Failure::NotTheDevice { .. }, Some(chosen)) = (failure, request.chosen) {
            self.missed = Some(Missed {
                device: chosen.id,
                at: request.to,
            });
        }
        true
    }
}

/// Nothing has left this device, and what was typed can be mended.
fn before_the_offer(failure: &Failure) -> bool {
    match failure {
        Failure::Unresolvable { .. }
        | Failure::Refused { .. }
        | Failure::Unreachable { .. }
        | Failure::NotRopeway { .. }
        | Failure::Ourselves
        | Failure::Busy
        | Failure::Older { .. }
        | Failure::BlockedHere { .. }
        | Failure::TooManyWait
        | Failure::SecretNeeded
        | Failure::WrongSecret
        | Failure::NotTheDevice { .. }
        | Failure::NotTheLinked { .. }
        | Failure::Moved { .. }
        | Failure::ForgottenThere { .. }
        | Failure::KnownOnly
        | Failure::NotConfirmed
        | Failure::Forgotten
        | Failure::Version => true,
        Failure::Lost
        | Failure::TooManyTalks
        | Failure::Silent
        | Failure::Declined
        | Failure::Cancelled(Party::Us | Party::Peer)
        | Failure::NeverThere { .. }
        | Failure::NothingToSend
        | Failure::Disk(_)
        | Failure::PeerDisk(_)
        | Failure::Protocol(_)
        | Failure::Internal(_) => false,
    }
}
