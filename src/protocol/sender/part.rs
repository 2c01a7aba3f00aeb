//! The part of the manifest that fills the next frame of it: what is listed, and the peer has not been told
//! of yet.

use std::collections::VecDeque;

use crate::model::{Entry, Problem};
use crate::protocol::message::{Failed, Frame, ManifestPart, WireEntry, WireProblem};

/// Entries in one manifest frame: about 64 KiB with usual names.
const MANIFEST_PART_ENTRIES: usize = 512;
/// Bytes of names, as JSON has them, after which a manifest frame is sent although it has fewer
/// entries. One more name (6 KiB at most) and 120 bytes of the rest of each entry still fit.
const MANIFEST_PART_NAME_BYTES: usize = 128 << 10;

#[derive(Debug, Default)]
pub(super) struct Part {
    entries: Vec<WireEntry>,
    name_bytes: usize,
    /// Entries that cannot be sent, to be said behind the manifest part that lists them.
    failed: Vec<Failed>,
}

impl Part {
    /// With a problem, one that is named but cannot be sent.
    pub fn push(&mut self, number: u32, entry: &Entry, problem: Option<&Problem>) {
        self.entries.push(WireEntry::from(entry));
        self.name_bytes = self
            .name_bytes
            .saturating_add(escaped_len(entry.name.as_str()));
        if let Some(problem) = problem {
            self.failed.push(Failed {
                entry: number,
                problem: WireProblem::from(problem),
            });
        }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_full(&self) -> bool {
        self.entries.len() >= MANIFEST_PART_ENTRIES || self.name_bytes >= MANIFEST_PART_NAME_BYTES
    }

    /// Moves it to the frames that wait to be sent.
    pub fn flush(&mut self, bulk: &mut VecDeque<Vec<u8>>) {
        if !self.entries.is_empty() {
            let entries = std::mem::take(&mut self.entries);
            self.name_bytes = 0;
            let part = Frame::Manifest(ManifestPart { entries });
            bulk.push_back(part.encode());
        }
        for failed in self.failed.drain(..) {
            bulk.push_back(Frame::Failed(failed).encode());
        }
    }

    pub fn clear(&mut self) {
        self.entries.clear();
        self.failed.clear();
    }
}

/// Bytes that a string takes in JSON.
fn escaped_len(text: &str) -> usize {
    text.bytes().fold(0, |sum: usize, byte| {
        sum.saturating_add(match byte {
            b'"' | b'\\' => 2,
            0..0x20 => 6,
            _ => 1,
        })
    })
}
