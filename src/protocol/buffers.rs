//! Recycled byte buffers, so that moving gigabytes allocates a handful of times.

use std::sync::{Arc, Mutex, PoisonError, Weak};

/// A bounded stack of used buffers, shared by the threads of one connection or of several.
#[derive(Clone, Debug)]
pub struct Buffers {
    free: Arc<Mutex<Vec<Vec<u8>>>>,
    keep: usize,
}

/// Where several connections find the same buffers: the one that was used last is still in the processor's
/// cache, whoever used it. When none of them is left, the memory is given back.
#[derive(Default, Debug)]
pub struct CommonBuffers(Mutex<Weak<Mutex<Vec<Vec<u8>>>>>);

impl CommonBuffers {
    /// As [`Buffers::new`], or those that others have already.
    pub fn get(&self, keep: usize) -> Buffers {
        let mut common = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(free) = common.upgrade() {
            return Buffers { free, keep };
        }
        let new = Buffers::new(keep);
        *common = Arc::downgrade(&new.free);
        new
    }
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
        let mut buffer = self.take_used();
        buffer.clear();
        buffer.reserve(capacity_bytes);
        buffer
    }

    /// A buffer with what was last in it, for who overwrites all of it: clearing a quarter of a
    /// mebibyte takes as long as a tenth of its encryption.
    pub fn take_used(&self) -> Vec<u8> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.pop().unwrap_or_default()
    }

    pub fn give_back(&self, buffer: Vec<u8>) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < self.keep && buffer.capacity() > 0 {
            free.push(buffer);
        }
    }
}
