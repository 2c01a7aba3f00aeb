//! Offers: told, answered, withdrawn; and transfers that were accepted before and go on.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::devices::Taken;
use super::server::Standing;
use super::transfers::{Handle, Transfer};
use super::{Role, Supervisor};
use crate::engine::command::Answer;
use crate::engine::event::{Doing, Event, Offer, OfferFolder, Started};
use crate::engine::ledger::Kept;
use crate::engine::lock;
use crate::engine::note::{ConnectionId, Counted};
use crate::engine::receiving::Receiving;
use crate::engine::surveying::Surveyed;
use crate::model::{Direction, Failure, Meter, OnConflict, Peer, Status, Summary, TransferId};

pub(super) struct OpenOffer {
    pub(super) connection: ConnectionId,
    pub(super) session: Arc<Receiving>,
    pub(super) from: Peer,
    pub(super) counted: Counted,
    /// Where it would go, and what is known of that.
    folder: PathBuf,
    /// Because the device's rule says so: then it is there, or on a drive that is not.
    of_rule: Option<PathBuf>,
    surveyed: Option<Surveyed>,
    on_conflict: OnConflict,
}

impl Supervisor {
    pub(super) fn answer(&mut self, transfer: TransferId, answer: Answer) {
        let unlisted =
            |offer: &OpenOffer| offer.session.symbols.is_some() && offer.counted.is_empty();
        if matches!(answer, Answer::Accept { .. })
            && self.offers.get(&transfer).is_some_and(unlisted)
        {
            // The person there has not compared the symbols yet; nobody can accept before that.
            return;
        }
        let Some(mut offer) = self.offers.remove(&transfer) else {
            return;
        };
        match answer {
            Answer::Decline => {
                offer.session.decline();
                if let Some(incoming) = self.incoming(offer.connection) {
                    incoming.offer = None;
                    incoming.doing = Doing::Idle;
                }
                if offer.session.goes_on().is_some()
                    && let Some(kept) = self.shared.ledger.forget(transfer)
                    && let Some(folder) = kept.places.into_iter().next()
                {
                    self.chores.discard(folder, transfer);
                }
                self.transfers.remove(&transfer);
                self.refused(transfer, offer, Status::Declined, Failure::Declined);
                self.events.say(Event::OfferWithdrawn(transfer));
            }
            Answer::Accept {
                folder,
                on_conflict,
                remember,
            } => {
                if offer.session.symbols.is_some() {
                    offer.from = offer.session.confirm();
                    if let Some(from) = self.incoming(offer.connection).map(|it| it.from) {
                        lock(&self.shared.gate).accepted(from);
                    }
                    self.verified_peer(offer.connection, &offer.from);
                }
                if remember {
                    offer.session.wish();
                } else if offer.session.meeting.remembers() {
                    // The offer said so; now it is nobody's any more.
                    self.events
                        .say(Event::WantsToBeRemembered(offer.from.clone()));
                }
                let folder = folder.unwrap_or_else(|| offer.folder.clone());
                let on_conflict = on_conflict.unwrap_or(offer.on_conflict);
                let must_exist = offer.of_rule.as_ref() == Some(&folder);
                let by_default = folder == *lock(&self.shared.save_folder);
                let started = Started {
                    transfer,
                    direction: Direction::Receive,
                    peer: offer.from.clone(),
                    names: offer.counted.names.clone(),
                    picked: offer.counted.picked,
                    places: vec![folder.clone()],
                };
                self.events.say(Event::Started(started.clone()));
                let handle = Handle::Receiving(offer.session.clone());
                let live = offer.session.live.clone();
                let running = Transfer::new(offer.connection, started, handle, live);
                let picks = offer.counted.picks;
                let session = offer.session.clone();
                let place = folder.clone();
                let accept = move || session.accept(transfer, place, on_conflict, must_exist);
                match (offer.from.device_id, offer.session.goes_on()) {
                    (_, Some(_)) => {
                        self.shared.ledger.update(transfer, |kept| {
                            kept.cancelled_here = false;
                            kept.paused = false;
                            kept.placed = false;
                            kept.places = vec![folder];
                            kept.on_conflict = on_conflict;
                        });
                        accept();
                    }
                    (Some(peer), None) => {
                        let key = offer.session.session_key(transfer);
                        let kept = Kept {
                            picks,
                            on_conflict,
                            by_default,
                            ..running.kept(peer, key)
                        };
                        // The sender sends from then on, and can be told to go on only by this.
                        self.shared.ledger.keep_first(kept, accept);
                    }
                    (None, None) => accept(),
                }
                self.transfers.insert(transfer, running);
                if let Some(incoming) = self.incoming(offer.connection) {
                    incoming.doing = Doing::Sending;
                    incoming.about = Some(transfer);
                }
                if let Some(server) = &mut self.server {
                    server.taken = true;
                    if server.once {
                        for other in self.offers.keys().copied().collect::<Vec<_>>() {
                            self.answer(other, Answer::Decline);
                        }
                    }
                }
            }
        }
    }

    pub(super) fn offered(
        &mut self,
        connection: ConnectionId,
        id: TransferId,
        session: Arc<Receiving>,
    ) {
        let stays = self
            .incoming(connection)
            .is_some_and(|incoming| incoming.standing == Standing::Verified);
        if !stays {
            // What it said before it was turned out.
            session.hang_up();
            return;
        }
        if self.never(connection) {
            if let Some(incoming) = self.incoming(connection) {
                incoming.session = Some(session.clone());
            }
            session.decline();
            return;
        }
        if session.goes_on() == Some(id) {
            return self.offered_again(connection, id, session);
        }
        let known = self.offers.contains_key(&id)
            || self.transfers.contains_key(&id)
            || self.shared.ledger.get(id).is_some();
        let listening = self.server.is_some();
        let full = self.server.as_ref().is_some_and(|on| on.once && on.taken);
        let Some(incoming) = self.incoming(connection) else {
            return;
        };
        incoming.session = Some(session.clone());
        if known || !listening {
            session.hang_up();
            return;
        }
        if full {
            session.decline();
            return;
        }
        self.open_offer(connection, id, session);
    }

    pub(super) fn open_offer(
        &mut self,
        connection: ConnectionId,
        id: TransferId,
        session: Arc<Receiving>,
    ) {
        let Some(incoming) = self.incoming(connection) else {
            return;
        };
        let from = incoming.peer.clone();
        if !self.may_offer(&from) {
            session.hang_up();
            return;
        }
        let Some(incoming) = self.incoming(connection) else {
            return;
        };
        incoming.doing = Doing::Waiting;
        incoming.offer = Some(id);
        // What goes on stays where it began and as it began, unless the person says otherwise.
        let began = session.goes_on().and_then(|id| self.shared.ledger.get(id));
        let on_conflict = began.as_ref().map(|kept| kept.on_conflict);
        let on_conflict = on_conflict.unwrap_or_else(|| *lock(&self.shared.on_conflict));
        let began = began.and_then(|kept| kept.places.into_iter().next());
        let taken = self.taken_by_itself(id, &from);
        let may_be_asked = taken.as_ref().is_none_or(|taken| taken.max_bytes.is_some());
        let of_rule = taken.and_then(|taken| taken.folder);
        let of_rule = of_rule.filter(|_| began.is_none());
        let folder = began.or_else(|| of_rule.clone());
        let folder = folder.unwrap_or_else(|| lock(&self.shared.save_folder).clone());
        if may_be_asked && session.goes_on().is_none() {
            session.survey(folder.clone());
        }
        self.offers.insert(
            id,
            OpenOffer {
                connection,
                session,
                from,
                counted: Counted {
                    counting: true,
                    ..Counted::default()
                },
                folder,
                of_rule,
                surveyed: None,
                on_conflict,
            },
        );
        if self
            .offers
            .get(&id)
            .is_some_and(|offer| offer.session.symbols.is_some())
        {
            // Its symbols are to be compared before anything else is known of it.
            self.tell_offer(id);
        }
    }

    /// A transfer that was accepted before goes on; nobody is asked again, unless the person here
    /// had ended it.
    pub(super) fn offered_again(
        &mut self,
        connection: ConnectionId,
        id: TransferId,
        session: Arc<Receiving>,
    ) {
        let kept = self.shared.ledger.get(id).filter(|_| self.server.is_some());
        let Some(incoming) = self.incoming(connection) else {
            return;
        };
        incoming.session = Some(session.clone());
        let full = self.server.as_ref().is_some_and(|on| on.once && on.taken);
        let other = full && !self.transfers.contains_key(&id) && !self.arrived.contains(&id);
        let Some(kept) = kept.filter(|_| !other && !self.offers.contains_key(&id)) else {
            session.hang_up();
            return;
        };
        // Whatever connection still has to do with it, also one that is just finishing.
        let mut others = self.connections.iter();
        let before = others.find_map(|(other, held)| match &held.role {
            Role::Incoming(incoming) if *other != connection && incoming.about == Some(id) => {
                Some(*other)
            }
            Role::Incoming(_) | Role::Outgoing => None,
        });
        if let Some(before) = before
            && let Some(old) = self.connections.get_mut(&before)
        {
            // The sender has noticed sooner than we that the old connection is dead. What it holds
            // is free when its thread has ended.
            old.hang_up();
            let next = (connection, id, session);
            if let Some((_, _, dropped)) = self.waiting.insert(before, next) {
                dropped.hang_up();
            }
            return;
        }
        // Ended by the person here, or cut before anybody knew all that it is: asked again.
        if kept.cancelled_here || kept.picks.is_none() {
            return self.open_offer(connection, id, session);
        }
        self.take_up(connection, id, session, &kept);
    }

    pub(super) fn take_up(
        &mut self,
        connection: ConnectionId,
        id: TransferId,
        session: Arc<Receiving>,
        kept: &Kept,
    ) {
        let Some(incoming) = self.incoming(connection) else {
            return;
        };
        incoming.doing = Doing::Sending;
        incoming.about = Some(id);
        let from = incoming.peer.clone();
        if let Some(server) = &mut self.server {
            server.taken = true;
        }
        let folder = kept.places.first().cloned().unwrap_or_default();
        if self.arrived.contains(&id) {
            // It has arrived and that was said; only the sender does not know yet.
            self.unsaid.insert(connection, id);
        } else if let Some(running) = self.transfers.get_mut(&id) {
            running.connection = connection;
            running.live = session.live.clone();
            running.handle = Handle::Receiving(session.clone());
            running.meter = Meter::default();
            running.live.throttle.set(running.limit);
            if running.paused {
                session.pause(true);
            }
        } else {
            let started = Started {
                transfer: id,
                direction: Direction::Receive,
                peer: from,
                names: kept.names.clone(),
                picked: kept.picked,
                places: kept.places.clone(),
            };
            self.events.say(Event::Started(started.clone()));
            let handle = Handle::Receiving(session.clone());
            let mut running = Transfer::new(connection, started, handle, session.live.clone());
            running.paused = kept.paused;
            if running.paused {
                session.pause(true);
            }
            self.transfers.insert(id, running);
        }
        session.accept(id, folder, kept.on_conflict, false);
    }

    pub(super) fn counted(&mut self, connection: ConnectionId, counted: Counted) {
        let Some(incoming) = self.incoming(connection) else {
            return;
        };
        let (Some(id), from) = (incoming.offer, incoming.peer.clone()) else {
            return;
        };
        if self.offers.contains_key(&id) && !self.is_offer_of(id, connection) {
            return;
        }
        let taken = self.taken_by_itself(id, &from);
        if counted.picks.is_some() {
            self.shared
                .ledger
                .update(id, |kept| kept.picks = counted.picks);
        }
        let bytes = counted.bytes;
        let counted_all = !counted.counting;
        match self.offers.get_mut(&id) {
            Some(offer) => offer.counted = counted.clone(),
            // Taken by itself: it is counted to its end all the same, so that it can be told.
            None if taken.is_some() => {}
            None => return,
        }
        match self.offers.get(&id) {
            Some(_) => self.tell_offer(id),
            None => self.events.say(Event::Offer(Offer {
                symbols: None,
                remembers: false,
                transfer: id,
                from,
                names: counted.names.clone(),
                picked: counted.picked,
                entries: counted.entries,
                bytes: counted.bytes,
                counting: counted.counting,
                folder: lock(&self.shared.save_folder).clone(),
                free_bytes: counted.free_bytes,
                on_conflict: *lock(&self.shared.on_conflict),
                existing: None,
            })),
        }
        let fits = |taken: &Taken| {
            let max = taken.max_bytes;
            max.is_none_or(|max| counted_all && bytes <= max)
        };
        let may_yet_fit = taken.is_some() && !counted_all;
        if taken.as_ref().is_some_and(fits) {
            let answer = Answer::Accept {
                folder: None,
                on_conflict: None,
                remember: false,
            };
            self.answer(id, answer);
        } else if let Some(offer) = self.offers.get(&id).filter(|_| !may_yet_fit) {
            offer.session.asks_person();
        }
    }

    pub(super) fn surveyed(&mut self, connection: ConnectionId, surveyed: Surveyed) {
        let incoming = self.incoming(connection);
        let Some(id) = incoming.and_then(|incoming| incoming.offer) else {
            return;
        };
        if self.is_offer_of(id, connection)
            && let Some(offer) = self.offers.get_mut(&id)
            && offer.folder == surveyed.folder
        {
            offer.surveyed = Some(surveyed);
            self.tell_folder(id);
        }
    }

    /// The person would have an offer in another folder, and wants to know how that would be.
    pub(super) fn look_into(&mut self, id: TransferId, folder: PathBuf) {
        if let Some(offer) = self.offers.get_mut(&id) {
            offer.session.survey(folder.clone());
            offer.folder = folder;
            offer.surveyed = None;
            self.tell_folder(id);
        }
    }

    pub(super) fn set_save_folder(&mut self, folder: PathBuf) {
        self.chores.sweep(folder.clone());
        let mut save_folder = lock(&self.shared.save_folder);
        let before = std::mem::replace(&mut *save_folder, folder.clone());
        drop(save_folder);
        // Offers that would have gone there go along.
        let moved = self
            .offers
            .iter()
            .filter(|(_, offer)| offer.folder == before && offer.session.goes_on().is_none());
        for id in moved.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.look_into(id, folder.clone());
        }
    }

    /// A connection before may have offered the same, and be gone only now.
    fn is_offer_of(&self, id: TransferId, connection: ConnectionId) -> bool {
        let offer = self.offers.get(&id);
        offer.is_some_and(|offer| offer.connection == connection)
    }

    pub(super) fn tell_offer(&mut self, id: TransferId) {
        if let Some(offer) = self.offers.get(&id) {
            let offer = offer.told(id, &lock(&self.shared.save_folder));
            self.events.say(Event::Offer(offer));
        }
    }

    /// Says what is known of an offer's folder.
    fn tell_folder(&mut self, id: TransferId) {
        if let Some(offer) = self.offers.get(&id) {
            let offer = offer.told(id, &lock(&self.shared.save_folder));
            self.events.say(Event::OfferFolder(OfferFolder {
                transfer: id,
                folder: offer.folder,
                free_bytes: offer.free_bytes,
                existing: offer.existing,
            }));
        }
    }

    pub(super) fn withdrawn(
        &mut self,
        connection: ConnectionId,
        status: Status,
        failure: Option<Failure>,
    ) {
        let offer = self
            .incoming(connection)
            .and_then(|incoming| incoming.offer.take());
        if let Some(transfer) = offer
            && self.is_offer_of(transfer, connection)
            && let Some(offer) = self.offers.remove(&transfer)
        {
            let failure = failure.unwrap_or(Failure::Lost);
            self.refused(transfer, offer, status, failure);
            self.events.say(Event::OfferWithdrawn(transfer));
        }
    }

    /// The end of what never began: an offer that nobody took.
    pub(super) fn refused(
        &mut self,
        id: TransferId,
        offer: OpenOffer,
        status: Status,
        failure: Failure,
    ) {
        self.events.say(Event::Ended(Summary {
            transfer: id,
            direction: Direction::Receive,
            peer: offer.from,
            status,
            failure: Some(failure),
            entries: offer.counted.entries,
            bytes: 0,
            failed: 0,
            can_retry: false,
            skipped: 0,
            elapsed: Duration::ZERO,
            sent_bytes: 0,
        }));
    }
}

impl OpenOffer {
    /// As it is told. The session itself knows only of the room in the save folder.
    fn told(&self, id: TransferId, save_folder: &Path) -> Offer {
        let counted = &self.counted;
        let here = self.surveyed.as_ref();
        let known = (self.folder == save_folder).then_some(counted.free_bytes);
        Offer {
            transfer: id,
            from: self.from.clone(),
            symbols: self.session.symbols,
            remembers: self.session.meeting.remembers(),
            names: counted.names.clone(),
            picked: counted.picked,
            entries: counted.entries,
            bytes: counted.bytes,
            counting: counted.counting,
            folder: self.folder.clone(),
            free_bytes: here
                .and_then(|surveyed| surveyed.free_bytes)
                .or(known.flatten()),
            on_conflict: self.on_conflict,
            existing: here.map(|surveyed| Box::new(surveyed.existing.clone())),
        }
    }
}
