//! What may be sent: the receiver's credit, and what of it is used.

use crate::protocol::bulk::{BatchFrame, DataFrame, cost};

/// The price of the frame that is being read, until it is certain that it will be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Planned {
    #[default]
    Nothing,
    Chunk {
        entry: u32,
        len: usize,
    },
    Batch {
        items: usize,
    },
}

#[derive(Debug, Default)]
pub(super) struct Budget {
    granted: u64,
    used: u64,
    /// Content put on the wire.
    sent_bytes: u64,
    /// What was asked of the driver last and is paid for; what it cannot read costs nothing.
    planned: Planned,
}

impl Budget {
    /// It only grows; an older frame cannot take anything back.
    pub fn grant(&mut self, granted: u64) {
        self.granted = self.granted.max(granted);
    }

    pub fn allows(&self, price: u64) -> bool {
        self.used.saturating_add(price) <= self.granted
    }

    pub fn pay(&mut self, price: u64) {
        self.used = self.used.saturating_add(price);
    }

    /// What was paid for does not travel.
    pub fn take_back(&mut self, price: u64) {
        self.used = self.used.saturating_sub(price);
    }

    pub fn sent_bytes(&self) -> u64 {
        self.sent_bytes
    }

    /// Pays for a chunk that is to be read.
    pub fn plan_chunk(&mut self, entry: u32, len: usize) {
        self.pay(DataFrame::cost(len));
        self.sent_bytes = self.sent_bytes.saturating_add(len as u64);
        self.planned = Planned::Chunk { entry, len };
    }

    /// Pays for small files that are to be read.
    pub fn plan_batch(&mut self, items: &[(u32, u32)], body_bytes: u64) {
        for (_entry, len) in items {
            self.sent_bytes = self.sent_bytes.saturating_add(u64::from(*len));
        }
        self.pay(cost(usize::try_from(body_bytes).unwrap_or(usize::MAX)));
        self.planned = Planned::Batch { items: items.len() };
    }

    /// What was planned before is on its way.
    pub fn plan_nothing(&mut self) {
        self.planned = Planned::Nothing;
    }

    /// Takes back the price of a chunk of the file that was asked for last, and does not travel.
    pub fn not_sent(&mut self, entry: u32) {
        if let Planned::Chunk { entry: read, len } = self.planned
            && read == entry
        {
            self.take_back(DataFrame::cost(len));
            self.sent_bytes = self.sent_bytes.saturating_sub(len as u64);
            self.planned = Planned::Nothing;
        }
    }

    /// The same for a file of a batch.
    pub fn not_in_batch(&mut self, len_bytes: u64) {
        self.sent_bytes = self.sent_bytes.saturating_sub(len_bytes);
        self.take_back(BatchFrame::item_bytes(len_bytes));
        if let Planned::Batch { items } = &mut self.planned {
            *items = items.saturating_sub(1);
            if *items == 0 {
                // Nothing is left of it to send.
                self.take_back(cost(0));
            }
        }
    }
}
