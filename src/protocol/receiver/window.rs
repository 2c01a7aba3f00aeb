//! The flow-control window of a transfer: how much content may come, at its cost, and what of it is held.

use crate::protocol::bulk::{Credit, cost};
use crate::protocol::message::Violation;

/// Credit given ahead of the disk: bounds what one connection can hold in memory, and what travels
/// twice if it is cut.
pub const WINDOW_BYTES: u64 = 8 << 20;
/// The same for a transfer over several connections: what a gigabit a second holds on a path of 40 ms and
/// in its queue (10 MB), and as much again that came too early while a lost packet is sent anew.
pub const WIDE_WINDOW_BYTES: u64 = 24 << 20;

/// How much of its turn a transfer has left: what may still be granted or is not handled yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// More than a window.
    Lasts,
    /// No more than a window.
    Short,
    /// No more than half of one.
    Low,
    /// Next to nothing.
    Used,
}

#[derive(Debug)]
pub(super) struct Window {
    size_bytes: u64,
    /// The credit does not grow beyond this: then others have their turns.
    limit: u64,
    /// Cost of all bulk frames that came.
    came: u64,
    /// Of that, what has been handled.
    consumed: u64,
    /// Content that is here.
    held: u64,
    told: Credit,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            size_bytes: WINDOW_BYTES,
            limit: u64::MAX,
            came: 0,
            consumed: 0,
            held: 0,
            told: Credit::default(),
        }
    }
}

impl Window {
    /// The first credit goes out with *accept*.
    pub fn open(&mut self) -> u64 {
        self.told.granted = self.granted();
        self.told.granted
    }

    /// Nothing is granted before its first turn.
    pub fn take_turns(&mut self) {
        self.limit = 0;
    }

    /// One more window may be granted.
    pub fn open_turn(&mut self) {
        self.limit = self.limit.saturating_add(self.size_bytes);
    }

    pub fn turn(&self) -> Turn {
        let left = self.limit.saturating_sub(self.consumed);
        match self.size_bytes {
            size if left > size => Turn::Lasts,
            size if left > size / 2 => Turn::Short,
            // Less than this may be too little for the next frame.
            size if left > size / 8 => Turn::Low,
            _size => Turn::Used,
        }
    }

    /// Several connections carry it: from now on more may be on its way.
    pub fn widen(&mut self) {
        self.size_bytes = WIDE_WINDOW_BYTES;
    }

    /// A bulk frame came.
    pub fn pay(&mut self, body_bytes: usize) -> Result<(), Violation> {
        self.came = self.came.saturating_add(cost(body_bytes));
        if self.came > self.told.granted {
            return Err(Violation::Malformed("more content than the credit allows"));
        }
        Ok(())
    }

    /// What came at this cost has been handled.
    pub fn give_back(&mut self, cost: u64) {
        self.consumed = self.consumed.saturating_add(cost);
    }

    /// What nobody wants any more is paid for and handled by that.
    pub fn throw_away(&mut self, body_bytes: usize) {
        self.give_back(cost(body_bytes));
    }

    /// Much of what came is not handled yet.
    pub fn is_much_here(&self) -> bool {
        self.came.saturating_sub(self.consumed) >= self.size_bytes / 8
    }

    /// So much more content is here, wherever it came from.
    pub fn hold(&mut self, content_bytes: u64) {
        self.held = self.held.saturating_add(content_bytes);
    }

    pub fn held(&self) -> u64 {
        self.held
    }

    /// The sender knows what is held by other words.
    pub fn held_is_told(&mut self) {
        self.told.held = self.held;
    }

    /// How much may still come.
    pub fn left(&self) -> u64 {
        self.told.granted.saturating_sub(self.came)
    }

    fn granted(&self) -> u64 {
        let full = self.consumed.saturating_add(self.size_bytes);
        full.min(self.limit)
    }

    /// What to tell, if it differs from what was told last; the credit stays as it is unless it `grows`.
    pub fn poll(&mut self, grows: bool) -> Option<Credit> {
        let granted = match grows {
            true => self.granted(),
            false => self.told.granted,
        };
        let now = Credit {
            granted,
            held: self.held,
        };
        (now != self.told).then(|| {
            self.told = now;
            now
        })
    }

    /// Grown by a quarter of the window since it was told (less of a wide one, of which more is on its
    /// way), or as far as it may in this turn.
    pub fn is_due(&self) -> bool {
        let grown = self.granted().saturating_sub(self.told.granted);
        let due = match self.size_bytes {
            WINDOW_BYTES => WINDOW_BYTES / 4,
            _wide => WIDE_WINDOW_BYTES / 24,
        };
        grown >= due || (grown > 0 && self.granted() == self.limit)
    }
}
