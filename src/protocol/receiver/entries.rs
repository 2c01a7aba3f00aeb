//! The list of what is offered, and how each entry of it stands.

use std::sync::Arc;

use crate::model::{Entry, EntryKind, EntryStatus, Manifest};
use crate::protocol::message::{ManifestEnd, ManifestPart, Violation};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Slot {
    /// It has not come to its end.
    Listed,
    /// Handed to the disk whole, or given up by the sender.
    Handed,
    /// Its status was told before it had ended. What crosses that, up to its end, is thrown away.
    Told,
    Settled,
}

/// When the status of an entry was known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum When {
    /// Before it had come to its end.
    Early,
    Ended,
}

/// A file for which content may come.
pub(super) struct Open {
    pub file: Entry,
    /// Its status was told already.
    pub told: bool,
}

#[derive(Debug, Default)]
pub(super) struct Entries {
    /// Shared with whoever compares the disk with it; complete by then.
    manifest: Arc<Manifest>,
    complete: bool,
    slots: Vec<Slot>,
    /// Files that have not ended.
    open_files: usize,
    /// Entries before this one have had their folder job.
    folders_handed: usize,
    settled: usize,
    /// Content of files that are left out, or were told of before they had ended.
    left_out_bytes: u64,
}

impl Entries {
    pub fn list(&mut self, part: ManifestPart) -> Result<(), Violation> {
        // Nobody shares it before it is complete.
        let manifest = Arc::get_mut(&mut self.manifest);
        let manifest = manifest.ok_or(Violation::Malformed("a complete list goes on"))?;
        for wire in part.entries {
            let entry = Entry::try_from(wire)?;
            if entry.kind != EntryKind::Folder {
                self.open_files = self.open_files.saturating_add(1);
            }
            manifest.push(entry)?;
            self.slots.push(Slot::Listed);
        }
        Ok(())
    }

    pub fn listed_all(&mut self, end: &ManifestEnd) -> Result<(), Violation> {
        if end.entries != self.manifest.len() as u64 || end.bytes != self.manifest.total_bytes() {
            return Err(Violation::Malformed("the manifest's sums are wrong"));
        }
        self.complete = true;
        Ok(())
    }

    /// All of them are listed.
    pub fn complete(&self) -> bool {
        self.complete
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub fn lend_manifest(&self) -> Arc<Manifest> {
        Arc::clone(&self.manifest)
    }

    pub fn get(&self, number: u32) -> Option<&Entry> {
        self.manifest.get(number)
    }

    pub fn len_bytes(&self, number: u32) -> u64 {
        self.get(number).map_or(0, Entry::len_bytes)
    }

    pub fn is_file(&self, number: u32) -> bool {
        self.get(number)
            .is_some_and(|entry| entry.kind != EntryKind::Folder)
    }

    /// It has not come to its end, and nothing was told of it.
    pub fn is_listed(&self, number: u32) -> bool {
        self.slots.get(number as usize) == Some(&Slot::Listed)
    }

    pub fn is_listed_file(&self, number: u32) -> bool {
        self.is_listed(number) && self.is_file(number)
    }

    /// Every file has come to its end.
    pub fn all_ended(&self) -> bool {
        self.open_files == 0
    }

    /// Entries of which the status is known.
    pub fn settled(&self) -> usize {
        self.settled
    }

    pub fn all_settled(&self) -> bool {
        self.settled >= self.manifest.len()
    }

    /// Content of all files but those that are left out, or need not come any more.
    pub fn wanted_bytes(&self) -> u64 {
        let total = self.manifest.total_bytes();
        total.saturating_sub(self.left_out_bytes)
    }

    /// What a disk needs that gives each file and folder whole blocks, for all that has not come to its
    /// end: of what is there of them already, too. Looks at each entry.
    pub fn needed_room(&self, block_bytes: u64) -> u64 {
        /// What is written down of each.
        const NOTES_BYTES: u64 = 400;
        let blocks = |entry: &Entry| match entry.kind {
            EntryKind::Folder => block_bytes,
            EntryKind::File { len_bytes, .. } => len_bytes
                .checked_next_multiple_of(block_bytes)
                .unwrap_or(len_bytes)
                .saturating_add(NOTES_BYTES),
        };
        let slots = self.slots.iter().zip(self.manifest.entries());
        let open = slots.filter(|(slot, _)| matches!(slot, Slot::Listed | Slot::Handed));
        open.fold(0, |sum: u64, (_, entry)| sum.saturating_add(blocks(entry)))
    }

    /// The next folder to make.
    pub fn next_folder(&mut self) -> Option<(u32, Entry)> {
        while let Some(entry) = self.manifest.entries().get(self.folders_handed) {
            let index = self.folders_handed;
            self.folders_handed = self.folders_handed.saturating_add(1);
            if entry.kind == EntryKind::Folder
                && let (Ok(number), Some(slot)) = (u32::try_from(index), self.slots.get_mut(index))
            {
                *slot = Slot::Handed;
                return Some((number, entry.clone()));
            }
        }
        None
    }

    /// Entries before this one have had their folder job.
    pub fn folders_handed(&self) -> usize {
        self.folders_handed
    }

    /// No folder is made any more.
    pub fn hand_no_more(&mut self) {
        self.folders_handed = self.manifest.len();
    }

    /// A listed file that has not ended.
    pub fn open_file(&self, number: u32) -> Result<Open, Violation> {
        let told = match self.slots.get(number as usize) {
            Some(Slot::Listed) => false,
            Some(Slot::Told) => true,
            Some(Slot::Handed | Slot::Settled) | None => {
                return Err(Violation::Malformed("content for no open file"));
            }
        };
        match self.get(number) {
            Some(file) if file.kind != EntryKind::Folder => Ok(Open {
                file: file.clone(),
                told,
            }),
            Some(_) | None => Err(Violation::Malformed("content for a folder")),
        }
    }

    /// The sender gives a file up: it has come to its end. Says whether its status was told already.
    pub fn give_up(&mut self, number: u32) -> Result<bool, Violation> {
        if !self.is_file(number) {
            return Err(Violation::Malformed(
                "a failure of something that is not a listed file",
            ));
        }
        let told = match self.slots.get(number as usize) {
            Some(Slot::Listed) => false,
            Some(Slot::Told) => true,
            Some(Slot::Handed | Slot::Settled) | None => {
                return Err(Violation::Malformed(
                    "a failure of an entry that was sent or failed",
                ));
            }
        };
        self.mark_handed(number);
        Ok(told)
    }

    /// It has come to its end. One that was told of before needs nothing more.
    pub fn mark_handed(&mut self, number: u32) {
        if let Some(slot) = self.slots.get_mut(number as usize) {
            if *slot == Slot::Told {
                *slot = Slot::Settled;
                return;
            }
            *slot = Slot::Handed;
        }
        self.open_files = self.open_files.saturating_sub(1);
    }

    /// The file arrived in an earlier run.
    pub fn settle_kept(&mut self, number: u32) {
        self.mark_handed(number);
        if let Some(slot) = self.slots.get_mut(number as usize) {
            *slot = Slot::Settled;
        }
        self.settled = self.settled.saturating_add(1);
    }

    /// It is known what became of an entry. `None`: it was known before, or there is no such entry.
    pub fn settle(&mut self, number: u32, len_bytes: u64, status: &EntryStatus) -> Option<When> {
        let when = match self.slots.get_mut(number as usize) {
            Some(slot @ Slot::Handed) => {
                *slot = Slot::Settled;
                When::Ended
            }
            Some(slot @ Slot::Listed) => {
                *slot = Slot::Told;
                self.open_files = self.open_files.saturating_sub(1);
                When::Early
            }
            Some(Slot::Told | Slot::Settled) | None => return None,
        };
        if when == When::Early || *status == EntryStatus::Skipped {
            self.left_out_bytes = self.left_out_bytes.saturating_add(len_bytes);
        }
        self.settled = self.settled.saturating_add(1);
        Some(when)
    }
}
