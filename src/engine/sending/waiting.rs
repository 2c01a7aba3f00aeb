//! What a send does while its device is not there: it keeps itself for the next start, and looks whether
//! what was picked is still what it was.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, SystemTime};

use super::Sending;
use crate::engine::command::Chosen;
use crate::engine::lock;
use crate::engine::note::Note;
use crate::engine::waiting::{Differs, Picked, Waiting, compare};

/// What was picked, then and now.
#[derive(Default)]
pub(super) struct Picks {
    /// As the person picked it.
    then: Option<Vec<Picked>>,
    now: Vec<Picked>,
    told: Differs,
}

impl Sending {
    /// An earlier process has waited with these.
    pub fn was_picked(&self, picks: Vec<Picked>) {
        lock(&self.picks).then = Some(picks);
    }

    /// Looks at what was picked, and says so if it is not what it was. Only of a send that waits: others
    /// are sent at once.
    pub(super) fn look_at_picks(&self) {
        if !self.request.wait_for_it {
            return;
        }
        let places = self.request.sources.iter();
        let now: Vec<_> = places
            .map(|place| std::path::absolute(place).unwrap_or_else(|_empty| place.clone()))
            .map(|place| Picked::look(&place))
            .collect();
        let mut picks = lock(&self.picks);
        let differs = compare(picks.then.get_or_insert_with(|| now.clone()), &now);
        picks.now = now;
        if picks.told != differs {
            picks.told = differs.clone();
            self.notes.send(Note::PicksDiffer(differs));
        }
    }

    /// Nothing is left of what waited: it would be an empty offer.
    pub(super) fn nothing_is_left(&self) -> bool {
        let picks = lock(&self.picks);
        let gone = |pick: &Picked| pick.state.is_none();
        !picks.now.is_empty() && picks.now.iter().all(gone)
    }

    /// As it is kept; `None` if no device is meant.
    pub fn waiting(&self) -> Option<Waiting> {
        let id = self.device()?;
        let name = self.request.device.as_ref();
        Some(Waiting {
            transfer: self.request.transfer,
            device: Chosen {
                id,
                name: name.and_then(|chosen| chosen.name.clone()),
            },
            to: self.request.to.clone(),
            picks: lock(&self.picks).then.clone().unwrap_or_default(),
            ask: self.request.ask,
            remember: self.request.remember,
            touched: SystemTime::now(),
        })
    }

    /// Once this returns, it waits also after a kill. `false`: it is not to wait.
    pub(super) fn keep_waiting(&self) -> bool {
        let Some(waiting) = self.waiting() else {
            return true;
        };
        let (written, is_written) = mpsc::sync_channel(1);
        self.notes.send(Note::Waits(Box::new(waiting), written));
        // The supervisor drops the other end if it ends the transfer instead.
        self.until_written(&is_written);
        !self.ended.load(std::sync::atomic::Ordering::SeqCst)
    }

    /// With the goodbye the receiver forgets what arrived. By then nothing here may say that it still waits,
    /// or a kill would send it a second time.
    pub(super) fn settle_before_goodbye(&self) {
        if self.request.wait_for_it {
            let (written, is_written) = mpsc::sync_channel(1);
            self.notes.send(Note::Written(written));
            self.until_written(&is_written);
        }
    }

    /// A supervisor that ends reads no notes any more, and waits for this thread once it has cut its connection.
    fn until_written(&self, is_written: &Receiver<()>) {
        /// How soon that is noticed.
        const LOOK_EVERY: Duration = Duration::from_millis(100);
        let waits = || is_written.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout);
        while waits() && !self.cut.is_cut() {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::command::SendRequest;
    use crate::engine::cut::Cut;
    use crate::engine::note::Notes;
    use crate::engine::throttle::Throttle;
    use crate::engine::wire::Trace;
    use crate::model::{DeviceId, PeerAddress, TransferId};

    #[test]
    fn nobody_waits_for_the_disk_once_the_connection_is_cut_although_no_note_is_read() {
        let device = DeviceId([9; 32]);
        let request = SendRequest {
            transfer: TransferId([5; 16]),
            sources: Vec::new(),
            to: PeerAddress::nowhere(device),
            device: Some(Chosen {
                id: device,
                name: None,
            }),
            secret: None,
            ask: false,
            remember: false,
            wait_for_it: true,
        };
        let (inputs, unread) = mpsc::channel();
        let notes = Notes {
            connection: 1,
            inputs,
            trace: Trace::default(),
        };
        let (cut, throttle) = (Arc::new(Cut::default()), Arc::new(Throttle::default()));
        let sending = Sending::new(request, None, cut, throttle, notes);
        let (sender, over) = mpsc::channel();
        let waits = sending.clone();
        std::thread::spawn(move || {
            let kept = waits.keep_waiting();
            waits.settle_before_goodbye();
            sender.send(kept).unwrap();
        });
        // It waits, and then everything ends.
        let note = unread.recv().unwrap();
        sending.interrupt();
        assert_eq!(over.recv_timeout(Duration::from_secs(30)), Ok(false));
        drop((note, unread));
    }
}
