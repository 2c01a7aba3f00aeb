//! The numbers of a running transfer, written by its threads and read by the supervisor.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::lock;
use super::throttle::Throttle;
use crate::model::Holds;

/// Counters that only say how far things are; outcomes travel as notes.
#[derive(Debug, Default)]
pub struct Live {
    pub entries: Counter,
    pub total_bytes: Counter,
    /// Content the receiver holds.
    pub held_bytes: Counter,
    /// Entries whose fate is known.
    pub settled: Counter,
    pub failed: Counter,
    /// Of these, entries that another try may bring.
    pub can_pass: Counter,
    /// Entries that the receiver left out.
    pub skipped: Counter,
    /// Content under final names.
    pub arrived_bytes: Counter,
    /// Kept content compared so far, and to be compared.
    pub checked_bytes: Counter,
    pub check_bytes: Counter,
    /// Content this process put on the wire.
    pub sent_bytes: Counter,
    /// For this transfer alone.
    pub throttle: Throttle,
    /// Only the newest counts, however often the other end changes its mind.
    holds: Mutex<Holds>,
}

impl Live {
    pub fn holds(&self, holds: Holds) {
        *lock(&self.holds) = holds;
    }

    pub fn held_by(&self) -> Holds {
        *lock(&self.holds)
    }
}

#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub fn add(&self, value: u64) {
        self.0.fetch_add(value, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
