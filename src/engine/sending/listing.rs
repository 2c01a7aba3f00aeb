//! The `walk` thread: lists what was picked, as fast as the wire takes it.

use std::ops::ControlFlow;

use super::Sending;
use super::beginning::Offered;
use crate::engine::note::Note;
use crate::engine::wire::Phase;
use crate::model::{Failure, Problem, Status, TransferState};
use crate::storage::source::{Found, walk};

/// Manifest frames that may wait to be sent before the walk pauses: 32,000 entries.
const WALK_AHEAD_FRAMES: usize = 64;

impl Sending {
    /// The `walk` thread: lists entries as they are found.
    pub(super) fn walk(&self, offered: &Offered) {
        let asked = offered.asked;
        if asked {
            let mut machine = self.machine();
            while self.unconfirmed() && !self.stopped() {
                machine = self.wait(machine);
            }
            drop(machine);
            if self.stopped() {
                return;
            }
            self.write_down(offered);
            self.trace().phase(Phase::PersonThere, None);
            self.notes.send(Note::State(TransferState::Waiting));
        }
        walk(&self.request.sources, &mut |found: Found| {
            let problem = found.problem.clone();
            let entry = found.entry.clone();
            let listed = match self.source.list(found) {
                Ok(listed) => listed,
                Err(error) => {
                    self.end_with(Problem::other(&error.to_string()));
                    return ControlFlow::Break(());
                }
            };
            let mut machine = self.machine();
            // Strangers get no more memory than this, so the rest follows their yes.
            while asked && listed.is_much() && !machine.accepted() && !self.stopped() {
                machine = self.wait(machine);
            }
            let (waiting, unsaid) = (machine.backlog(), machine.has_unsaid_entries());
            machine.list(&entry, problem.as_ref());
            self.live.entries.set(machine.entries() as u64);
            self.live.total_bytes.set(machine.wanted_bytes());
            // The first entry of a frame starts the time after which the frame goes out as it is; those
            // behind it wake nobody.
            if machine.backlog() > waiting || !unsaid {
                self.changed.notify_all();
            }
            while machine.backlog() > WALK_AHEAD_FRAMES && !self.stopped() {
                machine = self.wait(machine);
            }
            if self.stopped() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        if !self.stopped() {
            self.machine().listed_all();
            self.changed.notify_all();
        }
    }

    /// Something here makes going on impossible.
    fn end_with(&self, problem: Problem) {
        self.machine().cancel(Some(&problem));
        self.pump();
        let failure = Failure::Internal(problem.to_string());
        self.notes.send(Note::Ended(Status::Failed, Some(failure)));
        self.stop();
        if let Some(link) = self.link() {
            link.close();
        }
    }
}
