//! How often the window is painted because of what the engine says.
//!
//! A picture takes a graphics card a millisecond or two. Where there is none it takes the processor
//! 30 to 70, and twenty a second would halve the speed of a transfer on a small machine. What a person
//! does is painted at once; egui sees to that.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Between two pictures that nobody but the engine asked for. What begins or ends after a quiet moment
/// is still seen at once.
const BETWEEN_PICTURES: Duration = Duration::from_millis(100);
/// The same where the processor paints: numbers that change twice a second can be read.
const BETWEEN_COSTLY_PICTURES: Duration = Duration::from_millis(500);

/// Shared by the window and the threads that wake it.
#[derive(Debug)]
pub struct Pace {
    between: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    painted: Option<Instant>,
    /// A picture has been asked for and is still to come.
    asked: bool,
}

impl Pace {
    pub fn new(costly: bool) -> Self {
        Self {
            between: match costly {
                true => BETWEEN_COSTLY_PICTURES,
                false => BETWEEN_PICTURES,
            },
            state: Mutex::default(),
        }
    }

    /// The pace for this computer.
    pub fn here() -> Self {
        Self::new(processor_paints())
    }

    /// There is news. Says after how long a picture is to be asked for, if none is on its way.
    pub fn news(&self, now: Instant) -> Option<Duration> {
        let mut state = self.state();
        if std::mem::replace(&mut state.asked, true) {
            return None;
        }
        let since = match state.painted {
            Some(painted) => now.saturating_duration_since(painted),
            None => self.between,
        };
        Some(self.between.saturating_sub(since))
    }

    /// Events are about to be taken and painted, for whatever reason. What comes from now on needs
    /// another picture.
    pub fn paints(&self, now: Instant) {
        let mut state = self.state();
        state.painted = Some(now);
        state.asked = false;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// There is no graphics card to paint with, or it is not to be used (Mesa's own switch).
#[cfg(target_os = "linux")]
fn processor_paints() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
    set("LIBGL_ALWAYS_SOFTWARE") || !std::path::Path::new("/dev/dri").exists()
}

#[cfg(not(target_os = "linux"))]
fn processor_paints() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_news_is_painted_at_once_and_a_stream_of_it_at_a_pace() {
        let pace = Pace::new(true);
        let begun = Instant::now();
        let at = |millis| begun + Duration::from_millis(millis);
        assert_eq!(pace.news(at(0)), Some(Duration::ZERO));
        // One picture shows all that came before it.
        assert_eq!(pace.news(at(1)), None);
        pace.paints(at(2));
        assert_eq!(pace.news(at(52)), Some(Duration::from_millis(450)));
        assert_eq!(pace.news(at(60)), None);
        // Painted earlier, because of the mouse: what comes after that is not forgotten.
        pace.paints(at(100));
        assert_eq!(pace.news(at(110)), Some(Duration::from_millis(490)));
        pace.paints(at(600));
        assert_eq!(pace.news(at(5000)), Some(Duration::ZERO));
        // A graphics card takes more.
        let smooth = Pace::new(false);
        smooth.paints(at(0));
        assert_eq!(smooth.news(at(50)), Some(Duration::from_millis(50)));
    }
}
