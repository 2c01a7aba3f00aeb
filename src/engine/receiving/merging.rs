//! Bulk frames of one session that come over several connections: whoever brings the next one hands
//! it on, and what waited for it, to the session's machine.
//!
//! The connections stand and fall together. An attached one that is lost ends the session as if its
//! first one had been lost, unless everything has come; when the session ends, they end.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::Receiving;
use crate::channel::{Channel, ChannelError};
use crate::engine::attachable::Attachable;
use crate::engine::link::{Ending, Link, TICK};
use crate::engine::wire::{Phase, Purpose, Trace};
use crate::engine::{lock, spawn};
use crate::model::TransferId;
use crate::protocol::frame::kind;
use crate::protocol::message::Frame;
use crate::protocol::striping::{Merger, Sorted, Stripe, Taken};
use crate::protocol::{Buffers, Violation};

pub(super) struct Merging {
    state: Mutex<State>,
    /// Frames had their turn, or the session is over.
    changed: Condvar,
    /// Frames between the readers and the disk that are recycled.
    pub(super) frames: Buffers,
    attachable: Arc<Attachable<Receiving>>,
}

#[derive(Default)]
struct State {
    merger: Merger,
    transfer: Option<TransferId>,
    attached: Vec<Arc<Link>>,
    /// *finish* had its turn: nothing more is to come.
    complete: bool,
    /// The session has ended.
    over: bool,
    /// How an attached connection ended that the session needed.
    lost_by: Option<Ending>,
}

impl Merging {
    pub(super) fn new(frames: Buffers, attachable: Arc<Attachable<Receiving>>) -> Self {
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            frames,
            attachable,
        }
    }

    /// What has been offered may be attached to once it is accepted.
    pub(super) fn open(&self, transfer: TransferId, session: &Arc<Receiving>) {
        lock(&self.state).transfer = Some(transfer);
        self.attachable.open(transfer, session.origin.peer, session);
    }

    pub(super) fn lost_by(&self) -> Option<Ending> {
        lock(&self.state).lost_by.take()
    }

    /// `false`: too late.
    fn join(&self, link: &Arc<Link>) -> bool {
        let mut state = lock(&self.state);
        if !state.over {
            state.attached.push(link.clone());
        }
        !state.over
    }

    fn take(
        &self,
        stripe: &Stripe,
        number: u64,
        mut frame: Frame,
        credit_left: impl Fn() -> Option<u64>,
        mut hand_on: impl FnMut(Frame) -> Result<(), Violation>,
    ) -> Result<(), Violation> {
        let mut state = lock(&self.state);
        loop {
            if state.over {
                // Nobody wants it any more.
                return Ok(());
            }
            // Nothing is kept of what was not accepted.
            let left = credit_left().ok_or(Violation::Unexpected(kind::NUMBER))?;
            match state.merger.take(stripe, number, frame, left)? {
                Taken::Kept => break,
                // Its connection is left unread until then; the one with the next frame is not.
                Taken::TooEarly(back) => frame = back,
            }
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        let mut moved = false;
        while let Some(frame) = state.merger.poll() {
            moved = true;
            state.complete |= frame == Frame::Finish;
            // Under the lock, so that nobody overtakes; the disk's queue takes it without waiting.
            hand_on(frame)?;
        }
        if moved {
            self.changed.notify_all();
        }
        Ok(())
    }
}

/// Ends the attached connections when the session's reading ends, however it does.
pub(super) struct Over<'a>(pub(super) &'a Arc<Receiving>);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        let merging = &self.0.merging;
        let mut state = lock(&merging.state);
        state.over = true;
        let attached = std::mem::take(&mut state.attached);
        let transfer = state.transfer;
        drop(state);
        merging.changed.notify_all();
        if let Some(transfer) = transfer {
            merging.attachable.close(transfer, self.0);
        }
        for link in attached {
            link.outbox.abort();
            link.shutdown.shutdown();
        }
    }
}

/// An attached connection whose thread ends, however it does.
struct Leaving<'a> {
    session: &'a Receiving,
    link: &'a Link,
    ending: Ending,
    /// It has brought something, so the sender counts on it.
    used: bool,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.link.outbox.abort();
        self.link.shutdown.shutdown();
        let mut state = lock(&self.session.merging.state);
        let matters = match self.ending {
            // It says so on all of them at once.
            Ending::Goodbye => false,
            Ending::Violation(_) => true,
            Ending::Lost | Ending::Silent => self.used && !state.complete,
        };
        if matters && !state.over && !self.session.link.is_closing() {
            state.lost_by.get_or_insert(self.ending.clone());
            drop(state);
            self.session.link.outbox.abort();
            self.session.link.shutdown.shutdown();
        }
    }
}

impl Receiving {
    /// One frame of a connection, in the order in which it came there.
    pub(super) fn take(
        self: &Arc<Self>,
        stripe: &mut Stripe,
        frame: Frame,
    ) -> Result<(), Violation> {
        let counted = match stripe.sort(frame)? {
            Sorted::Nothing => None,
            Sorted::Plain(frame) => self.handle(frame)?,
            Sorted::Numbered(number, frame) => {
                let mut counted = None;
                let left = || self.machine().credit_left();
                self.merging.take(stripe, number, frame, left, |frame| {
                    counted = self.handle(frame)?.or(counted.take());
                    Ok(())
                })?;
                counted
            }
        };
        self.tell_count(counted);
        Ok(())
    }

    /// Runs a connection that has proven itself for this session to its end, on its own thread.
    pub fn carry_attached(self: &Arc<Self>, channel: Channel, trace: &Trace) {
        trace.is_for(Purpose::Attached);
        if let Err(error) = self.try_carry(channel, trace) {
            tracing::warn!(%error, "a connection could not be attached");
        }
    }

    fn try_carry(
        self: &Arc<Self>,
        mut channel: Channel,
        trace: &Trace,
    ) -> Result<(), ChannelError> {
        let link = Arc::new(Link::new(channel.shutdown_handle()?, trace.clone()));
        trace.phase(Phase::Carrying, None);
        let ring = link.clone();
        channel.established(TICK, move || ring.outbox.flush())?;
        if !self.merging.join(&link) {
            return Ok(());
        }
        let mut machine = self.machine();
        machine.widen();
        if let Some(credit) = machine.poll_credit() {
            self.grant(&mut machine, credit);
        }
        drop(machine);
        let Channel { reader, writer, .. } = channel;
        let control = Buffers::new(1);
        let mut stripe = Stripe::attached();
        std::thread::scope(|scope| {
            let mut leaving = Leaving {
                session: self,
                link: &link,
                ending: Ending::Lost,
                used: false,
            };
            let used = &mut leaving.used;
            let written = spawn(scope, "write", &link, || {
                link.write_frames(writer, &control)
            });
            if written.is_ok() {
                leaving.ending = link.read_frames(
                    reader,
                    self.merging.frames.clone(),
                    |frame| {
                        *used = true;
                        self.take(&mut stripe, frame)
                    },
                    |_seconds| {},
                );
            }
        });
        Ok(())
    }
}
