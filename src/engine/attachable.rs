//! Which running transfers take further connections, and how many they have.
//!
//! Only an accepted transfer whose session is alive, and only from the device that sends it: who else
//! asks is answered like one with a wrong key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use super::limits::{ATTACHED, ATTACHED_OF_DEVICE, CONNECTIONS_OF_TRANSFER};
use super::lock;
use crate::model::{DeviceId, TransferId};

/// `S` is the session that carries the transfer.
pub struct Attachable<S>(Mutex<State<S>>);

struct State<S> {
    running: HashMap<TransferId, Running<S>>,
    /// Places that are taken, by device: also those of sessions that have ended or were replaced.
    taken: HashMap<DeviceId, usize>,
}

struct Running<S> {
    device: DeviceId,
    session: Weak<S>,
    attached: usize,
}

/// Held by an attached connection; dropping it makes room.
pub struct Place<S> {
    of: Arc<Attachable<S>>,
    transfer: TransferId,
    device: DeviceId,
    pub session: Arc<S>,
}

impl<S> Default for Attachable<S> {
    fn default() -> Self {
        Self(Mutex::new(State {
            running: HashMap::new(),
            taken: HashMap::new(),
        }))
    }
}

impl<S> Attachable<S> {
    /// From now on connections may be attached to it, and no longer to an earlier session of the same
    /// device. An id that runs already with another device stays that one's.
    pub fn open(&self, transfer: TransferId, device: DeviceId, session: &Arc<S>) {
        let running = Running {
            device,
            session: Arc::downgrade(session),
            attached: 0,
        };
        let all = &mut lock(&self.0).running;
        let taken = all
            .get(&transfer)
            .is_some_and(|it| it.device != device && it.session.strong_count() > 0);
        if !taken {
            all.insert(transfer, running);
        }
    }

    /// The session ends.
    pub fn close(&self, transfer: TransferId, session: &Arc<S>) {
        let running = &mut lock(&self.0).running;
        if running.get(&transfer).is_some_and(|it| it.is(session)) {
            running.remove(&transfer);
        }
    }

    pub fn take(
        self: &Arc<Self>,
        transfer: TransferId,
        device: DeviceId,
        takes: impl Fn(&S) -> bool,
    ) -> Option<Place<S>> {
        let mut state = lock(&self.0);
        let all: usize = state.taken.values().sum();
        let of_device = state.taken.get(&device).copied().unwrap_or_default();
        let it = state
            .running
            .get_mut(&transfer)
            .filter(|it| it.device == device && it.attached + 1 < CONNECTIONS_OF_TRANSFER)
            .filter(|_| all < ATTACHED && of_device < ATTACHED_OF_DEVICE)?;
        let session = it.session.upgrade().filter(|session| takes(session))?;
        it.attached += 1;
        *state.taken.entry(device).or_default() += 1;
        Some(Place {
            of: self.clone(),
            transfer,
            device,
            session,
        })
    }
}

impl<S> Running<S> {
    fn is(&self, session: &Arc<S>) -> bool {
        std::ptr::eq(self.session.as_ptr(), Arc::as_ptr(session))
    }
}

impl<S> Drop for Place<S> {
    fn drop(&mut self) {
        let mut state = lock(&self.of.0);
        let it = state.running.get_mut(&self.transfer);
        if let Some(it) = it.filter(|it| it.is(&self.session)) {
            it.attached = it.attached.saturating_sub(1);
        }
        if let Some(taken) = state.taken.get_mut(&self.device) {
            *taken = taken.saturating_sub(1);
            if *taken == 0 {
                state.taken.remove(&self.device);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: DeviceId = DeviceId([1; 32]);

    fn id(n: usize) -> TransferId {
        TransferId([n as u8; 16])
    }

    #[test]
    fn a_transfer_takes_seven_of_its_own_device_while_its_session_lives() {
        let attachable = Arc::new(Attachable::default());
        let session = Arc::new(true);
        let take = |transfer, device| attachable.take(transfer, device, |accepted| *accepted);
        assert!(take(id(1), DEVICE).is_none(), "nothing runs");
        attachable.open(id(1), DEVICE, &session);
        assert!(take(id(1), DeviceId([2; 32])).is_none(), "another device");
        assert!(take(id(2), DEVICE).is_none(), "another transfer");
        let mut places: Vec<_> = (0..20).filter_map(|_| take(id(1), DEVICE)).collect();
        assert_eq!(places.len(), 7);
        places.pop();
        places.extend(take(id(1), DEVICE));
        assert_eq!(places.len(), 7, "a place is given back");
        // Somebody else's offer under the same id changes nothing.
        attachable.open(id(1), DeviceId([2; 32]), &session);
        drop(places.pop());
        places.extend(take(id(1), DEVICE));
        assert_eq!(places.len(), 7);
        // The next session of the transfer begins with none, whatever is left of the one before.
        let next = Arc::new(true);
        attachable.open(id(1), DEVICE, &next);
        let others: Vec<_> = (0..20).filter_map(|_| take(id(1), DEVICE)).collect();
        assert_eq!(others.len(), 7);
        drop(places);
        assert!(take(id(1), DEVICE).is_none());
        attachable.close(id(1), &session);
        drop(others);
        assert!(take(id(1), DEVICE).is_some(), "the old one closes nothing");
        attachable.close(id(1), &next);
        assert!(take(id(1), DEVICE).is_none());
        attachable.open(id(1), DEVICE, &Arc::new(true));
        assert!(take(id(1), DEVICE).is_none(), "its session is gone");
        let unanswered = Arc::new(false);
        attachable.open(id(1), DEVICE, &unanswered);
        assert!(take(id(1), DEVICE).is_none(), "not accepted");
    }

    #[test]
    fn one_device_and_all_together_get_no_more_than_their_share() {
        let attachable = Arc::new(Attachable::default());
        let session = Arc::new(());
        let mut places = Vec::new();
        for device in 0..20_u8 {
            let device = DeviceId([device; 32]);
            let before = places.len();
            for n in 0..10 {
                let transfer = TransferId([device.0[0] * 10 + n; 16]);
                attachable.open(transfer, device, &session);
                let more = (0..10).map_while(|_| attachable.take(transfer, device, |()| true));
                places.extend(more);
            }
            assert!(places.len() - before <= ATTACHED_OF_DEVICE);
        }
        assert_eq!(places.len(), ATTACHED);
    }

    #[test]
    fn offering_a_running_transfer_again_and_again_makes_no_more_places() {
        let attachable = Arc::new(Attachable::default());
        let mut places = Vec::new();
        for _again in 0..20 {
            let session = Arc::new(());
            attachable.open(id(1), DEVICE, &session);
            places.extend((0..10).map_while(|_| attachable.take(id(1), DEVICE, |()| true)));
        }
        assert_eq!(places.len(), ATTACHED_OF_DEVICE);
        drop(places);
        assert!(lock(&attachable.0).taken.is_empty());
    }
}
