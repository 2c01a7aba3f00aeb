//! How often the window is painted because of what the engine says.
//!
//! A picture takes a graphics card a millisecond or two. Where there is none it takes the processor
//! 30 to 70, and twenty a second would halve the speed of a transfer on a small machine. What a person
//! does is painted at once; egui sees to that.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// When the engine has pictures made.
#[derive(Debug)]
struct Limits {
    /// Between two pictures that nobody but the engine asked for.
    between: Duration,
    /// From news after a quiet moment to its picture: whoever connects has most often something to tell
    /// right away. Never zero, for which egui makes two.
    gather: Duration,
}

const SMOOTH: Limits = Limits {
    between: Duration::from_millis(100),
    gather: Duration::from_millis(5),
};
/// Where the processor paints: numbers that change twice a second can be read.
const COSTLY: Limits = Limits {
    between: Duration::from_millis(500),
    gather: Duration::from_millis(50),
};

/// Shared by the window and the threads that wake it.
#[derive(Debug)]
pub struct Pace {
    costly: bool,
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
            costly,
            state: Mutex::default(),
        }
    }

    /// The pace for this computer.
    pub fn here() -> Self {
        Self::new(processor_paints())
    }

    /// The processor paints.
    pub fn is_costly(&self) -> bool {
        self.costly
    }

    /// There is news. Says after how long a picture is to be asked for, if none is on its way.
    pub fn news(&self, now: Instant) -> Option<Duration> {
        let mut state = self.state();
        if std::mem::replace(&mut state.asked, true) {
            return None;
        }
        let limits = match self.costly {
            true => COSTLY,
            false => SMOOTH,
        };
        let since = match state.painted {
            Some(painted) => now.saturating_duration_since(painted),
            None => limits.between,
        };
        Some(limits.between.saturating_sub(since).max(limits.gather))
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
    fn the_first_news_is_painted_soon_and_a_stream_of_it_at_a_pace() {
        let pace = Pace::new(true);
        let begun = Instant::now();
        let at = |millis| begun + Duration::from_millis(millis);
        assert_eq!(pace.news(at(0)), Some(Duration::from_millis(50)));
        // One picture shows all that came before it.
        assert_eq!(pace.news(at(1)), None);
        pace.paints(at(2));
        assert_eq!(pace.news(at(52)), Some(Duration::from_millis(450)));
        assert_eq!(pace.news(at(60)), None);
        // Painted earlier, because of the mouse: what comes after that is not forgotten.
        pace.paints(at(100));
        assert_eq!(pace.news(at(110)), Some(Duration::from_millis(490)));
        pace.paints(at(600));
        assert_eq!(pace.news(at(5000)), Some(Duration::from_millis(50)));
        // A graphics card takes more.
        let smooth = Pace::new(false);
        smooth.paints(at(0));
        assert_eq!(smooth.news(at(50)), Some(Duration::from_millis(50)));
        smooth.paints(at(100));
        assert_eq!(smooth.news(at(5000)), Some(Duration::from_millis(5)));
    }
}
