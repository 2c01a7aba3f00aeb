//! Telling who watches what goes on at every connection.

use std::time::{Duration, Instant};

use super::Supervisor;
use crate::engine::event::Event;
use crate::engine::wire::WireConnection;

/// As often as a person can follow.
const TELL_EVERY: Duration = Duration::from_millis(250);

#[derive(Default)]
pub(super) struct Watch {
    looked: Option<Instant>,
    told: Vec<WireConnection>,
}

impl Supervisor {
    pub(super) fn watch_wire(&mut self, on: bool) {
        self.shared.wire.watch(on);
        self.wire = Watch::default();
        if on {
            // Also that there is nothing: then the panel is not waiting for anything.
            self.events.say(Event::Wire(Vec::new()));
        }
    }

    pub(super) fn next_look_at_wire(&self) -> Option<Duration> {
        let watched = self.shared.wire.is_watched();
        watched.then(|| match self.wire.looked {
            Some(looked) => TELL_EVERY.saturating_sub(looked.elapsed()),
            None => Duration::ZERO,
        })
    }

    pub(super) fn tell_wire(&mut self) {
        if self.next_look_at_wire() != Some(Duration::ZERO) {
            return;
        }
        let now = Instant::now();
        self.wire.looked = Some(now);
        let found = self.shared.wire.look(now);
        if self.shared.wire.is_shown() && found != self.wire.told {
            self.wire.told.clone_from(&found);
            self.events.say(Event::Wire(found));
        }
    }
}
