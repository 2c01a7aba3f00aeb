//! What the receiver answers in one run, on the connection's own thread: the machine takes it in, and
//! what follows from it is told.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Sending;
use crate::engine::link::Link;
use crate::engine::lock;
use crate::engine::note::Note;
use crate::engine::wire::{Flow, Phase};
use crate::model::{Failure, Party, Problem, Status, TransferState, Trust};
use crate::protocol::Violation;
use crate::protocol::message::{self, Frame};
use crate::protocol::sender::SenderEvent;

pub(super) struct Answers<'a, OnAccept> {
    pub(super) sending: &'a Sending,
    pub(super) link: &'a Link,
    /// The transfer's end has been noted.
    pub(super) reported: &'a AtomicBool,
    pub(super) accepted: &'a AtomicBool,
    pub(super) on_accept: OnAccept,
    /// The first hashes have come.
    pub(super) compares: Cell<bool>,
}

impl<OnAccept: Fn()> Answers<'_, OnAccept> {
    /// One frame from the receiver.
    pub(super) fn handle(&self, frame: Frame) -> Result<(), Violation> {
        let sending = self.sending;
        if frame == Frame::Remember {
            if let Some(meeting) = &*lock(&sending.meeting) {
                meeting.hear(&self.link.outbox);
            }
            return Ok(());
        }
        let mut machine = sending.machine();
        machine.handle_frame(frame)?;
        sending.live.held_bytes.set(machine.held_bytes());
        sending.live.settled.set(machine.settled() as u64);
        sending.live.holds(machine.holds());
        sending.live.total_bytes.set(machine.wanted_bytes());
        let mut events = Vec::new();
        while let Some(event) = machine.poll_event() {
            events.push(event);
        }
        drop(machine);
        for event in events {
            self.follow(event)?;
        }
        sending.pump();
        sending.changed.notify_all();
        Ok(())
    }

    fn follow(&self, event: SenderEvent) -> Result<(), Violation> {
        let (sending, link) = (self.sending, self.link);
        match event {
            SenderEvent::Accepted => {
                if sending.unconfirmed() {
                    return Err(Violation::Malformed("accepted before anything was listed"));
                }
                if let Some(meeting) = &*lock(&sending.meeting)
                    && meeting.peer().trust == Trust::Asked
                {
                    // Two yeses.
                    let peer = meeting.confirmed(&link.outbox);
                    sending.notes.send(Note::Verified(peer));
                }
                self.accepted.store(true, Ordering::SeqCst);
                (self.on_accept)();
                sending.trace().phase(Phase::Sending(Flow::Moves), None);
                sending.notes.send(Note::State(TransferState::Running));
            }
            // Symbols are compared first, and whoever has seen them is asked anyway.
            SenderEvent::PersonAsked if sending.unconfirmed() => {}
            SenderEvent::PersonAsked => {
                sending.trace().phase(Phase::PersonThere, None);
                sending.notes.send(Note::State(TransferState::Waiting));
            }
            SenderEvent::Kept(check_bytes) => {
                sending.live.check_bytes.add(check_bytes);
            }
            SenderEvent::Groups(groups) => {
                if let Some(compare) = &*lock(&sending.compare) {
                    let _ = compare.send(groups);
                    self.compares.set(true);
                }
            }
            SenderEvent::Settled(status) => self.report(&status),
            SenderEvent::Declined => self.end(Status::Declined, Some(Failure::Declined)),
            SenderEvent::Cancelled(None) => {
                let by = Party::Peer;
                let failure = Some(Failure::Cancelled(by));
                self.end(Status::Cancelled(by), failure);
            }
            SenderEvent::Cancelled(Some(problem)) if self.reported.load(Ordering::Relaxed) => {
                sending.notes.send(Note::NotSafe(problem));
                link.close();
            }
            SenderEvent::Cancelled(Some(problem)) => {
                let failure = Some(Failure::PeerDisk(problem));
                self.end(Status::Failed, failure);
            }
            SenderEvent::Received(received) => {
                sending.live.arrived_bytes.set(received.bytes);
                sending.live.failed.set(received.failed);
                sending.live.skipped.set(received.skipped);
                self.reported.store(true, Ordering::Relaxed);
                sending.trace().phase(Phase::Safe, None);
                let status = if received.failed == 0 {
                    Status::Arrived
                } else {
                    Status::Problems
                };
                sending.notes.send(Note::Ended(status, None));
            }
            SenderEvent::Safe => {
                sending.settle_before_goodbye();
                sending.notes.send(Note::Safe { delivered: true });
                link.close();
            }
        }
        Ok(())
    }

    fn end(&self, status: Status, failure: Option<Failure>) {
        self.reported.store(true, Ordering::Relaxed);
        if let Some(why) = &failure {
            self.sending.trace().because(why);
        }
        self.sending.notes.send(Note::Ended(status, failure));
        self.link.close();
    }

    /// What became of entries over there.
    fn report(&self, status: &message::Status) {
        let sending = self.sending;
        let reports = sending.source.reports(status);
        for failed in &status.failed {
            sending.live.failed.add(1);
            let problem = Problem::from(&failed.problem);
            sending.live.can_pass.add(u64::from(problem.can_pass()));
        }
        // Of those that were settled before they were sent, no more is read.
        let machine = sending.machine();
        sending
            .source
            .close_all_but(|entry| machine.is_wanted(entry));
        drop(machine);
        if !reports.is_empty() {
            sending.notes.send(Note::Files(reports));
        }
    }
}
