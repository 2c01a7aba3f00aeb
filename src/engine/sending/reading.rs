//! The threads of a run that read what is sent: `files` does what the machine asks for, and `check`
//! compares what the receiver has kept with the source.

use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use super::Sending;
use crate::engine::link::Link;
use crate::engine::note::Note;
use crate::engine::throttle::let_go;
use crate::engine::wire::{Phase, Work};
use crate::model::{GROUP_BYTES, Problem, TransferState};
use crate::protocol::Buffers;
use crate::protocol::bulk::{BatchFrame, CHUNK_BYTES, DataFrame, Groups};
use crate::protocol::message::Frame;
use crate::protocol::sender::{Bulk, Sender};
use crate::storage::small::SmallFiles;
use crate::storage::source::SourceFile;

/// A slow disk's first entries are told after this long, although the frame is not full.
const TELL_ENTRIES_AFTER: Duration = Duration::from_millis(100);

/// What the `files` thread keeps.
pub(super) struct Reading<'a> {
    sending: &'a Sending,
    link: &'a Link,
    buffers: &'a Buffers,
    /// The file whose chunks are on their way.
    open: Option<SourceFile>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(sending: &'a Sending, link: &'a Link, buffers: &'a Buffers) -> Self {
        Self {
            sending,
            link,
            buffers,
            open: None,
        }
    }

    /// The `files` thread: does what the machine asks for, in order.
    pub(super) fn send_files(mut self) {
        let trace = self.sending.trace();
        while let Some(work) = self.next_work() {
            trace.work(Work::Limit);
            if !self.let_go(&work) {
                return;
            }
            trace.work(Work::Source);
            let frame = match work {
                Bulk::Frame(frame) => Some(frame),
                Bulk::Chunk { entry, offset, len } => self.read_chunk(entry, offset, len),
                Bulk::End { entry } => {
                    let result = self.finish(entry);
                    self.file_ended(entry, result);
                    None
                }
                Bulk::Batch(items) => self.read_batch(&items),
                Bulk::Hash {
                    entry,
                    first,
                    count,
                } => self.hash_groups(entry, first, count),
            };
            trace.work(Work::Room);
            let sent = frame.is_none_or(|frame| self.link.outbox.bulk(frame));
            if !sent {
                return;
            }
        }
    }

    /// Waits as long as the limits say; `false` if this run is over.
    fn let_go(&self, work: &Bulk) -> bool {
        let bytes = match work {
            Bulk::Chunk { len, .. } => *len as u64,
            Bulk::Batch(items) => items.iter().map(|(_, len)| u64::from(*len)).sum(),
            Bulk::Frame(_) | Bulk::End { .. } | Bulk::Hash { .. } => return true,
        };
        let sending = self.sending;
        let limits = [&*sending.throttle, &sending.live.throttle];
        let_go(limits, bytes, |rest| {
            let until = Instant::now() + rest;
            let mut machine = sending.machine();
            while !sending.stopped() {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return true;
                }
                let waited = sending.changed.wait_timeout(machine, left);
                machine = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            false
        })
    }

    fn next_work(&self) -> Option<Bulk> {
        let sending = self.sending;
        let mut machine = sending.machine();
        loop {
            if sending.stopped() {
                return None;
            }
            if let Some(work) = machine.poll_bulk() {
                let before = sending.sent_before.load(Ordering::SeqCst);
                sending.live.sent_bytes.set(before + machine.sent_bytes());
                let finishing = machine.finishing();
                drop(machine);
                // The walk may be waiting for room.
                sending.changed.notify_all();
                if finishing {
                    sending.trace().phase(Phase::Finishing, None);
                    sending.notes.send(Note::State(TransferState::Finishing));
                }
                return Some(work);
            }
            let lacks = machine.lacks_credit();
            sending
                .trace()
                .work(if lacks { Work::Credit } else { Work::Nothing });
            machine = self.wait_or_flush(machine);
        }
    }

    /// Waits; and what the walk has found for a while goes out, although a frame is not full yet.
    fn wait_or_flush<'m>(&self, machine: MutexGuard<'m, Sender>) -> MutexGuard<'m, Sender> {
        if !machine.has_unsaid_entries() {
            return self.sending.wait(machine);
        }
        let changed = &self.sending.changed;
        let waited = changed.wait_timeout(machine, TELL_ENTRIES_AFTER);
        let (mut machine, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            machine.flush_part();
        }
        machine
    }

    fn read_chunk(&mut self, entry: u32, offset: u64, len: usize) -> Option<Vec<u8>> {
        let source = &self.sending.source;
        let mut frame = DataFrame::new(self.buffers.take_used(), len);
        let machine = self.sending.machine();
        let (mending, wanted) = (machine.is_mending(entry), machine.is_wanted(entry));
        drop(machine);
        let mut read = || {
            if !wanted {
                // Settled since it was planned; the reason is told to nobody.
                return Err(Problem::Vanished);
            }
            if mending {
                return source.grouped(entry)?.read(offset, frame.content());
            }
            if offset == 0 {
                self.open = Some(source.open(entry)?);
            }
            let file = self.open.as_mut().ok_or(Problem::Vanished)?;
            file.read_exact(frame.content())
        };
        match read() {
            Ok(()) => Some(frame.seal(entry, offset)),
            Err(problem) => {
                if !mending {
                    self.open = None;
                }
                self.file_ended(entry, Err(problem));
                None
            }
        }
    }

    /// Checks a file of which all is sent.
    fn finish(&mut self, entry: u32) -> Result<[u8; 32], Problem> {
        let source = &self.sending.source;
        let mending = self.sending.machine().is_mending(entry);
        if mending {
            let result = source.grouped(entry).and_then(|source| source.finish());
            source.close(entry);
            return result;
        }
        self.open.take().ok_or(Problem::Vanished)?.finish()
    }

    /// What the receiver asked for to compare it with what it has.
    fn hash_groups(&self, entry: u32, first: u32, count: u32) -> Option<Vec<u8>> {
        let source = &self.sending.source;
        let hashed = source
            .grouped(entry)
            .and_then(|source| source.hash(first, count));
        let live = &self.sending.live;
        live.checked_bytes.add(u64::from(count) * GROUP_BYTES);
        match hashed {
            Ok(hashes) => {
                source.hashed(entry);
                let groups = Groups {
                    entry,
                    first,
                    hashes,
                };
                Some(Frame::Hashes(groups).encode())
            }
            Err(problem) => {
                source.close(entry);
                self.sending.machine().not_hashed(count);
                self.file_ended(entry, Err(problem));
                None
            }
        }
    }

    fn read_batch(&self, items: &[(u32, u32)]) -> Option<Vec<u8>> {
        let sending = self.sending;
        let mut frame = BatchFrame::new(self.buffers.take(CHUNK_BYTES + 64));
        let mut files = SmallFiles::default();
        let mut hashes = Vec::with_capacity(items.len());
        for &(entry, len) in items {
            if sending.stopped() {
                return None;
            }
            let added = frame.add(entry, len, |content| {
                let hash = sending.source.read_small(&mut files, entry, content)?;
                hashes.push((entry, hash));
                Ok(hash)
            });
            if let Err(problem) = added {
                sending.machine().batch_file_failed(entry, &problem);
            }
        }
        sending.source.keep_hashes(hashes);
        (!frame.is_empty()).then(|| frame.seal())
    }

    fn file_ended(&self, entry: u32, result: Result<[u8; 32], Problem>) {
        if let Ok(hash) = result {
            self.sending.source.keep_hashes([(entry, hash)]);
        }
        self.sending.machine().file_ended(entry, result);
    }
}

impl Sending {
    /// The `check` thread: compares what the receiver has kept with the source.
    pub(super) fn compare(&self, groups: &mpsc::Receiver<Groups>) {
        for told in groups {
            if self.stopped() {
                return;
            }
            let count = told.hashes.len() as u32;
            let compared = self
                .source
                .grouped(told.entry)
                .and_then(|source| source.compare(told.first, &told.hashes));
            self.live.checked_bytes.add(u64::from(count) * GROUP_BYTES);
            match compared {
                Ok(different) => self.machine().compared(told.entry, count, &different),
                // The `files` thread comes upon the same and says it.
                Err(problem) => {
                    tracing::info!(%problem, "a kept file cannot be compared");
                    let all: Vec<_> = (told.first..told.first + count).collect();
                    self.machine().compared(told.entry, count, &all);
                }
            }
            self.changed.notify_all();
        }
    }
}
