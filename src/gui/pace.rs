//! How often the window is painted because of what the engine says.
//!
//! A picture costs some milliseconds of a graphics card, or of the processor 30 where that has to paint:
//! twenty a second would halve the speed of a transfer on a small machine. What a person does is
//! painted at once; egui sees to that.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Between two pictures that nobody but the engine asked for: numbers that change three times a second
/// can be read, and what begins or ends is still seen at once.
const BETWEEN_PICTURES: Duration = Duration::from_millis(300);

/// Shared by the window and the threads that wake it.
#[derive(Debug, Default)]
pub struct Pace(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    painted: Option<Instant>,
    /// A picture has been asked for and is still to come.
    asked: bool,
}

impl Pace {
    /// There is news. Says after how long a picture is to be asked for, if none is on its way.
    pub fn news(&self, now: Instant) -> Option<Duration> {
        let mut state = self.state();
        if std::mem::replace(&mut state.asked, true) {
            return None;
        }
        let since = state.painted.map_or(BETWEEN_PICTURES, |painted| {
            now.saturating_duration_since(painted)
        });
        Some(BETWEEN_PICTURES.saturating_sub(since))
    }

    /// Events are about to be taken and painted, for whatever reason. What comes from now on needs
    /// another picture.
    pub fn paints(&self, now: Instant) {
        let mut state = self.state();
        state.painted = Some(now);
        state.asked = false;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_news_is_painted_at_once_and_a_stream_of_it_at_a_pace() {
        let pace = Pace::default();
        let begun = Instant::now();
        let at = |millis| begun + Duration::from_millis(millis);
        assert_eq!(pace.news(at(0)), Some(Duration::ZERO));
        // One picture shows all that came before it.
        assert_eq!(pace.news(at(1)), None);
        pace.paints(at(2));
        assert_eq!(pace.news(at(52)), Some(Duration::from_millis(250)));
        assert_eq!(pace.news(at(60)), None);
        // Painted earlier, because of the mouse: what comes after that is not forgotten.
        pace.paints(at(100));
        assert_eq!(pace.news(at(110)), Some(Duration::from_millis(290)));
        pace.paints(at(400));
        assert_eq!(pace.news(at(5000)), Some(Duration::ZERO));
    }
}
