//! Recycled byte buffers, so that moving gigabytes allocates a handful of times.

use std::sync::{Arc, Mutex, PoisonError};

/// A bounded stack of empty buffers, shared by the threads of a connection.
#[derive(Clone, Debug)]
pub struct Buffers {
    free: Arc<Mutex<Vec<Vec<u8>>>>,
    keep: usize,
}

impl Buffers {
    /// Keeps at most `keep` buffers; more are given back to the allocator.
    pub fn new(keep: usize) -> Self {
        Self {
            free: Arc::new(Mutex::new(Vec::with_capacity(keep))),
            keep,
        }
    }

    /// An empty buffer with room for at least `capacity_bytes`.
    pub fn take(&self, capacity_bytes: usize) -> Vec<u8> {
        let mut buffer = self
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
            .unwrap_or_default();
        buffer.reserve(capacity_bytes);
        buffer
    }

    pub fn give_back(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < self.keep && buffer.capacity() > 0 {
            free.push(buffer);
        }
    }
}
