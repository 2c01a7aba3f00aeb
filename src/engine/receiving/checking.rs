//! Going on with what an earlier run left: it is looked at, told, and compared beside the writing of
//! what is missing.

use super::{Disk, Order, Receiving};
use crate::engine::note::Note;
use crate::engine::wire::Phase;
use crate::model::{Entry, EntryKey, GROUP_BYTES, TransferState};
use crate::protocol::bulk::Groups;
use crate::protocol::receiver::Found;
use crate::storage::GroupHash;
use crate::storage::inbox::{KeptReader, Target};

impl Receiving {
    /// Looks what an earlier run left, tells the sender, and lets the rest come.
    pub(super) fn go_on(&self, disk: &mut Disk, check: impl Fn(Vec<KeptFile>) -> bool) {
        let Some(inbox) = &mut disk.inbox else { return };
        self.notes.trace.phase(Phase::Checking, None);
        self.notes.send(Note::State(TransferState::Checking));
        // Without the machine's lock: looking at a million files takes its time.
        let manifest = self.machine().lend_manifest();
        let kept = inbox.kept(&manifest, self.origin.rest);
        let held: u64 = kept
            .done
            .iter()
            .filter_map(|number| manifest.get(*number))
            .map(Entry::len_bytes)
            .sum();
        let readers: Vec<_> = kept
            .partial
            .iter()
            .map(|(number, bytes)| KeptFile {
                number: *number,
                groups: (bytes / GROUP_BYTES) as u32,
                reader: inbox.read_kept(*number, *bytes),
            })
            .collect();
        let mut machine = self.machine();
        self.live.arrived_bytes.set(held);
        let check_bytes = kept.partial.iter().map(|(_, bytes)| bytes).sum();
        self.live.check_bytes.set(check_bytes);
        machine.go_on(&Found {
            done: kept.done,
            partial: kept.partial,
        });
        drop(machine);
        self.tell_over(disk, &kept.over);
        self.take_first_turn();
        self.begin();
        if !readers.is_empty() && !check(readers) {
            self.hang_up();
        }
    }

    /// Nobody accepted that more comes under the name of what has arrived: the rest of the list is told
    /// what became of it before any of it can travel.
    fn tell_over(&self, disk: &mut Disk, over: &[u32]) {
        /// Their reports are in memory at once.
        const TOLD_TOGETHER: usize = 256;
        let Some(inbox) = &mut disk.inbox else { return };
        for numbers in over.chunks(TOLD_TOGETHER) {
            let machine = self.machine();
            let manifest = machine.manifest();
            let known = numbers.iter().filter_map(|&number| {
                Some((number, manifest.key(number)?, manifest.get(number)?.clone()))
            });
            let known: Vec<(u32, EntryKey, Entry)> = known.collect();
            drop(machine);
            let targets = known.iter().map(|(number, key, entry)| Target {
                number: *number,
                key: *key,
                entry,
            });
            let decided = targets.clone().map(|target| inbox.over(target)).collect();
            let left_out = self.settle_early(decided);
            for target in targets.filter(|target| left_out.contains(&target.number)) {
                inbox.leave_out(target.number, target.key);
            }
        }
    }

    /// The `check` thread: hashes what is staged of kept files, beside the writing of what is not.
    pub(super) fn check(&self, files: Vec<KeptFile>) {
        /// 32 MiB of content: often enough for a person to see it move.
        const GROUPS_TOLD_TOGETHER: u32 = 32;
        for mut file in files {
            let mut first = 0;
            while first < file.groups {
                let count = GROUPS_TOLD_TOGETHER.min(file.groups - first);
                let mut hashes = Vec::new();
                for _group in 0..count {
                    if self.is_over() {
                        return;
                    }
                    hashes.push(file.next_hash());
                }
                let groups = Groups {
                    entry: file.number,
                    first,
                    hashes,
                };
                let _ = self.orders.send(Order::Checked(groups));
                first += count;
            }
        }
    }
}

/// A file that is there in part, on its way to the `check` thread.
pub(super) struct KeptFile {
    number: u32,
    groups: u32,
    reader: std::io::Result<KeptReader>,
}

impl KeptFile {
    /// Of a group that cannot be read it tells what no group hashes to, so that it travels again.
    fn next_hash(&mut self) -> GroupHash {
        const NO_HASH: GroupHash = [0; 32];
        let hash = match &mut self.reader {
            Ok(reader) => reader.next_hash().inspect_err(|_error| reader.skip()),
            Err(_cannot_open) => return NO_HASH,
        };
        match hash {
            Ok(Some(hash)) => hash,
            Ok(None) => NO_HASH,
            Err(error) => {
                tracing::warn!(%error, "a staged group cannot be read");
                NO_HASH
            }
        }
    }
}
