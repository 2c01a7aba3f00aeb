//! Devices: looked at, compared with, remembered, forgotten, blocked.

use std::collections::HashSet;
use std::path::PathBuf;

use super::transfers::Handle;
use super::{Role, Supervisor};
use crate::engine::command::{AcceptPolicy, Answer};
use crate::engine::event::{Event, Looked};
use crate::engine::looking::Looking;
use crate::engine::note::ConnectionId;
use crate::model::{
    Bond, DeviceId, DeviceName, Failure, Party, Peer, PeerAddress, Rule, Status, TransferId, Trust,
};

/// Whether an offer needs no person, and what its device's rule says.
#[derive(Clone)]
pub(super) struct Taken {
    pub(super) folder: Option<PathBuf>,
    /// More is asked about.
    pub(super) max_bytes: Option<u64>,
}

impl Supervisor {
    pub(super) fn tell_devices(&mut self) {
        let all = self.shared.known.all();
        self.events.say(Event::Devices(all));
        self.favour_known();
    }

    pub(super) fn set_rule(&mut self, device: DeviceId, rule: Rule) {
        let never = rule == Rule::Never;
        let folder = |rule: Option<&Rule>| match rule {
            Some(Rule::Accept { folder, .. }) => folder.clone(),
            Some(Rule::Ask | Rule::Never) | None => None,
        };
        let before = self.shared.known.get(device).map(|known| known.rule);
        let named =
            folder(Some(&rule)).filter(|named| Some(named) != folder(before.as_ref()).as_ref());
        if self.shared.known.set_rule(device, rule) {
            self.tell_devices();
            named
                .into_iter()
                .for_each(|named| self.chores.make_folder(named));
        }
        if never {
            self.decline_all_of(device);
        }
    }

    fn decline_all_of(&mut self, device: DeviceId) {
        let offers = self.offers.iter();
        let offers = offers.filter(|(_, offer)| offer.from.device_id == Some(device));
        for id in offers.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.answer(id, Answer::Decline);
        }
    }

    /// The looks before are not wanted any more.
    pub(super) fn look_at(&mut self, at: PeerAddress) {
        self.looks.iter().for_each(Looking::end);
        self.looks.retain(|look| !look.is_over());
        match Looking::start(at.clone(), self.shared.clone(), self.inputs.clone()) {
            Ok(look) => self.looks.push(look),
            Err(error) => {
                let found = Err(Failure::Internal(error.to_string()));
                self.events.say(Event::Looked(Looked { at, found }));
            }
        }
    }

    /// What the person says of the symbols of a transfer to be sent.
    pub(super) fn confirm(&mut self, id: TransferId, same: bool) {
        if self.confirm_talk(id, same) {
            return;
        }
        let Some(transfer) = self.transfers.get(&id) else {
            return;
        };
        let Handle::Sending(sending) = &transfer.handle else {
            return;
        };
        if same {
            sending.confirm();
        } else if sending.unconfirmed() && sending.cancel() {
            let by = Party::Us;
            self.ended(id, Status::Cancelled(by), Some(Failure::NotConfirmed));
        }
    }

    pub(super) fn remember(&mut self, device: DeviceId) {
        let known = self.shared.known.get(device);
        let name = known.map(|known| known.name);
        let Some(name) = name.or_else(|| self.met.get(&device).cloned()) else {
            return;
        };
        if self.shared.known.wish(device, &name) {
            self.tell_devices();
        }
        // Sessions that are open hear of it at once.
        self.wish_in_talks(device);
        for connection in self.connections.values() {
            if let Role::Incoming(incoming) = &connection.role
                && incoming.peer.device_id == Some(device)
                && let Some(session) = &incoming.session
            {
                session.wish();
            }
        }
        for transfer in self.transfers.values() {
            if let Handle::Sending(sending) = &transfer.handle
                && transfer.started.peer.device_id == Some(device)
            {
                sending.wish();
            }
        }
    }

    pub(super) fn forget_device(&mut self, device: DeviceId) {
        let changed = self.shared.known.forget(device);
        self.part_with(device);
        if changed {
            self.tell_devices();
        }
    }

    pub(super) fn block(&mut self, device: DeviceId) {
        let known = self.shared.known.get(device).map(|known| known.name);
        let name = known
            .or_else(|| self.met.get(&device).cloned())
            .or_else(|| self.name_of_client(device))
            .unwrap_or_else(|| DeviceName::cleaned("", &device.short()));
        let changed = self.shared.known.block(device, &name);
        self.part_with(device);
        if changed {
            self.tell_devices();
        }
    }

    /// Nothing that runs with it, or could go on, outlives the acquaintance.
    fn part_with(&mut self, device: DeviceId) {
        let theirs = |peer: &Peer| peer.device_id == Some(device);
        self.decline_all_of(device);
        self.part_talks(device);
        let kept = self.shared.ledger.all().into_iter();
        let kept = kept.filter(|kept| kept.peer == device);
        let mut ended: Vec<_> = kept.map(|kept| kept.transfer).collect();
        let running = self.transfers.iter();
        // One that has not been met yet is about to be looked for.
        let running = running.filter(|(_, transfer)| {
            let meant = matches!(&transfer.handle, Handle::Sending(sending)
                if sending.device() == Some(device));
            meant || theirs(&transfer.started.peer)
        });
        ended.extend(running.map(|(id, _)| *id));
        for id in ended {
            self.forget(id);
        }
        for connection in self.connections.values_mut() {
            if matches!(&connection.role, Role::Incoming(incoming) if theirs(&incoming.peer)) {
                connection.hang_up();
            }
        }
    }

    /// Its key was looked up by another thread; the person may have forgotten or blocked it since.
    pub(super) fn still_stands(&self, peer: &Peer) -> bool {
        let known = peer.device_id.and_then(|id| self.shared.known.get(id));
        let bond = known.map(|known| known.bond);
        match peer.trust {
            Trust::Known => bond == Some(Bond::Paired),
            Trust::None | Trust::Asked | Trust::Verified => bond != Some(Bond::Blocked),
        }
    }

    pub(super) fn part_with_connection(&mut self, connection: ConnectionId) {
        if let Some(id) = self.transfer_of(connection) {
            self.cancel(id);
        }
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.hang_up();
        }
    }

    fn name_of_client(&self, device: DeviceId) -> Option<DeviceName> {
        let mut incoming = self.connections.values();
        incoming.find_map(|connection| match &connection.role {
            Role::Incoming(incoming) if incoming.peer.device_id == Some(device) => {
                Some(incoming.peer.name.clone())
            }
            Role::Incoming(_) | Role::Outgoing => None,
        })
    }

    /// The person there wants to be remembered. An open offer says it itself.
    pub(super) fn wished(&mut self, connection: ConnectionId, peer: Peer) {
        let offer = self
            .incoming(connection)
            .and_then(|incoming| incoming.offer);
        match offer.filter(|offer| self.offers.contains_key(offer)) {
            Some(offer) => self.tell_offer(offer),
            None => self.events.say(Event::WantsToBeRemembered(peer)),
        }
    }

    pub(super) fn paired(&mut self, connection: ConnectionId, peer: Peer) {
        if !self.still_stands(&peer) {
            return;
        }
        if let Some(id) = peer.device_id {
            let address = self.reachable_at(connection, id);
            self.shared.known.met(id, &peer.name, address);
        }
        self.tell_devices();
        self.paired_in_talks(&peer);
        self.verified_peer(connection, &peer);
        self.events.say(Event::Paired(peer));
    }

    /// Where it was reached; or, of a device that came to us, where it may be if it receives as well.
    fn reachable_at(&mut self, connection: ConnectionId, device: DeviceId) -> Option<String> {
        if let Some(id) = self.transfer_of(connection)
            && let Some(transfer) = self.transfers.get(&id)
            && let Handle::Sending(sending) = &transfer.handle
        {
            return Some(sending.address());
        }
        if let Some(address) = self.talk_reached_at(connection) {
            return Some(address);
        }
        let known = self.shared.known.get(device)?;
        let guess = PeerAddress {
            host: self.incoming(connection)?.from.to_string(),
            port: None,
            device: None,
        };
        Some(known.address.unwrap_or_else(|| guess.to_string()))
    }

    /// Whoever knows a passphrase may come as many devices; the names of a few are enough.
    pub(super) fn meet(&mut self, id: DeviceId, name: &DeviceName) {
        const MOST_MET: usize = 1024;
        if self.met.len() < MOST_MET || self.met.contains_key(&id) {
            self.met.insert(id, name.clone());
        }
    }

    /// Sessions of devices that another process, or the other end, has forgotten.
    pub(super) fn part_with_who_is_gone(&mut self) {
        let incoming = self.connections.values();
        let incoming = incoming.filter_map(|connection| match &connection.role {
            Role::Incoming(incoming) => Some(&incoming.peer),
            Role::Outgoing => None,
        });
        let sending = self.transfers.values().map(|it| &it.started.peer);
        let gone = incoming
            .chain(sending)
            .cloned()
            .chain(self.talked_with())
            .filter(|peer| !self.still_stands(peer))
            .filter_map(|peer| peer.device_id);
        for device in gone.collect::<HashSet<_>>() {
            self.part_with(device);
        }
    }

    /// More is known of who is at the other end of a connection.
    pub(super) fn verified_peer(&mut self, connection: ConnectionId, peer: &Peer) {
        if let Some(id) = peer.device_id {
            self.meet(id, &peer.name);
        }
        if let Some(incoming) = self.incoming(connection) {
            incoming.peer = peer.clone();
        }
        for offer in self.offers.values_mut() {
            if offer.connection == connection {
                offer.from = peer.clone();
            }
        }
        if let Some(id) = self.transfer_of(connection) {
            if let Some(transfer) = self.transfers.get_mut(&id) {
                transfer.started.peer = peer.clone();
            }
            self.events.say(Event::PeerKnown(id, peer.clone()));
        }
    }

    /// The person wants nothing from the device of this connection, by whichever way it came: the
    /// handshake proves which one it is.
    pub(super) fn never(&mut self, connection: ConnectionId) -> bool {
        let device = self
            .incoming(connection)
            .and_then(|incoming| incoming.peer.device_id);
        let known = device.and_then(|id| self.shared.known.get(id));
        known.is_some_and(|known| known.bond == Bond::Paired && known.rule == Rule::Never)
    }

    /// Only who has proven the pair key is treated by its rule.
    fn rule_of(&self, peer: &Peer) -> Option<Rule> {
        if peer.trust != Trust::Known {
            return None;
        }
        let known = self.shared.known.get(peer.device_id?)?;
        (known.bond == Bond::Paired).then_some(known.rule)
    }

    /// `None`: a person is asked.
    pub(super) fn taken_by_itself(&self, id: TransferId, from: &Peer) -> Option<Taken> {
        let takes_all = self.server.as_ref()?.accept == AcceptPolicy::All;
        let kept = self.shared.ledger.get(id);
        if kept.is_some_and(|kept| kept.cancelled_here) && !takes_all {
            // The person has ended it; a rule does not begin it again.
            return None;
        }
        let rule = self.rule_of(from);
        match rule {
            Some(Rule::Accept { folder, max_bytes }) => return Some(Taken { folder, max_bytes }),
            Some(Rule::Never) => return None,
            Some(Rule::Ask) | None => {}
        }
        let takes = match self.server.as_ref()?.accept {
            AcceptPolicy::Ask => false,
            AcceptPolicy::Paired => from.trust == Trust::Known,
            AcceptPolicy::All => from.trust.is_verified(),
        };
        takes.then_some(Taken {
            folder: None,
            max_bytes: None,
        })
    }
}
