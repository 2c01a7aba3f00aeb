//! Sends that wait for a device: written down, and taken up again after a restart.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use super::Supervisor;
use super::transfers::{Handle, Transfer};
use crate::engine::command::SendRequest;
use crate::engine::event::{Event, Started};
use crate::engine::note::{ConnectionId, Input};
use crate::engine::sending::Sending;
use crate::engine::waiting::{Differs, Picked, Waiting};
use crate::model::{
    DeviceName, Direction, Failure, Peer, Status, Summary, TransferId, Trust, displayable,
};

impl Supervisor {
    /// A sender has not found its device. It says so to nobody before that is on the disk.
    pub(super) fn keep_waiting(
        &mut self,
        connection: ConnectionId,
        waiting: Waiting,
        written: SyncSender<()>,
    ) {
        let Some(id) = self.transfer_of(connection) else {
            return;
        };
        let then = move || {
            let _ = written.send(());
        };
        if !self.shared.ledger.wait(waiting, then) {
            if let Some(sending) = self.sending(id) {
                sending.interrupt();
            }
            self.ended(id, Status::Failed, Some(Failure::TooManyWait));
        }
    }

    pub(super) fn picks_differ(&mut self, connection: ConnectionId, differs: Differs) {
        if let Some(transfer) = self.transfer_of(connection) {
            let Differs { gone, changed } = differs;
            self.events.say(Event::PicksDiffer {
                transfer,
                gone,
                changed,
            });
        }
    }

    pub(super) fn take_up_waiting(&mut self) {
        let inputs = self.inputs.clone();
        self.shared.ledger.take_up(move |all| {
            let _ = inputs.send(Input::Waiting(all));
        });
    }

    /// What earlier runs left waiting waits here from now on.
    pub(super) fn wait_on(&mut self, all: Vec<Waiting>) {
        for waiting in all {
            let id = waiting.transfer;
            let kept = self.shared.ledger.get(id);
            if self.transfers.contains_key(&id) || self.offers.contains_key(&id) {
                continue;
            }
            if kept.as_ref().is_some_and(|kept| !kept.unanswered) {
                // Killed after the yes, before this was removed: it goes on like any other.
                self.shared.ledger.waits_no_longer(id);
                continue;
            }
            if waiting.is_over() {
                self.in_vain(&waiting);
                continue;
            }
            let request = waiting.request();
            if kept.is_some() {
                // It was offered, and perhaps accepted. If not, it is offered anew.
                self.anew.insert(id, request.clone());
            }
            self.send_picked(request, kept, Some(waiting.picks));
        }
    }

    /// The device did not appear while anybody waited for it; what was to be sent is told a last time.
    fn in_vain(&mut self, waiting: &Waiting) {
        let name = waiting.device.name.clone();
        let name = name.unwrap_or_else(|| DeviceName::cleaned("", "?"));
        let peer = Peer {
            name: name.clone(),
            device_id: Some(waiting.device.id),
            address: waiting.to.to_string(),
            trust: Trust::None,
        };
        let places: Vec<_> = waiting.request().sources;
        let names = places.iter().take(crate::engine::event::Offer::MAX_NAMES);
        self.events.say(Event::Started(Started {
            transfer: waiting.transfer,
            direction: Direction::Send,
            peer: peer.clone(),
            names: names
                .map(|path| {
                    let name = path.file_name().unwrap_or(path.as_os_str());
                    displayable(&name.to_string_lossy())
                })
                .collect(),
            picked: places.len() as u64,
            places,
        }));
        self.shared.ledger.forget(waiting.transfer);
        self.shared.ledger.waits_no_longer(waiting.transfer);
        self.events.say(Event::Ended(Summary {
            transfer: waiting.transfer,
            direction: Direction::Send,
            peer,
            status: Status::Failed,
            failure: Some(Failure::NeverThere { name }),
            entries: 0,
            bytes: 0,
            failed: 0,
            can_retry: false,
            skipped: 0,
            elapsed: Duration::ZERO,
            sent_bytes: 0,
        }));
    }

    /// It is offered anew, perhaps by another id: if it waits, that is written down under this one first.
    /// What was picked then.
    pub(super) fn waits_as(
        &mut self,
        was: TransferId,
        transfer: &Transfer,
        request: &SendRequest,
    ) -> Option<Vec<Picked>> {
        let Handle::Sending(sending) = &transfer.handle else {
            return None;
        };
        let waiting = sending.waiting();
        let waiting = waiting.filter(|_| self.shared.ledger.waits(was))?;
        let picks = waiting.picks.clone();
        if was != request.transfer {
            let transfer = request.transfer;
            self.shared.ledger.wait(
                Waiting {
                    transfer,
                    ..waiting
                },
                || {},
            );
            self.shared.ledger.waits_no_longer(was);
        }
        Some(picks)
    }

    fn sending(&self, id: TransferId) -> Option<Arc<Sending>> {
        match &self.transfers.get(&id)?.handle {
            Handle::Sending(sending) => Some(sending.clone()),
            Handle::Receiving(_) => None,
        }
    }
}
