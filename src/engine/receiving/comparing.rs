//! Files that exist already under the names of offered ones: the `compare` thread reads them beside the
//! writing, and what is the same does not travel.

use std::fs::File;
use std::sync::atomic::Ordering;
use std::sync::mpsc;

use super::{Disk, Order, Receiving};
use crate::model::{Entry, EntryStatus, GROUP_BYTES};
use crate::protocol::bulk::Groups;
use crate::storage::GroupHash;
use crate::storage::existing::{Compared, Seen, missing};
use crate::storage::inbox::Target;

/// The file that stands there, and in which state it was when it was opened.
type Existing = Option<(File, Seen)>;

/// What the `compare` thread is told. The sender says the hashes of one file after the other.
pub(super) enum Task {
    /// The next hashes of a file; with the first of them, what stands under its name.
    Compare {
        groups: Groups,
        offered_bytes: u64,
        existing: Existing,
        last: bool,
    },
    Copy {
        number: u32,
        compared: Compared,
        existing: File,
        part: File,
    },
}

/// What it answers.
pub(super) enum Answer {
    Same {
        number: u32,
        blake3: [u8; 32],
        seen: Seen,
    },
    Different {
        number: u32,
        compared: Compared,
    },
    /// These groups are in the part.
    Copied {
        number: u32,
        have: Vec<(u32, GroupHash)>,
    },
}

impl Receiving {
    /// The `compare` thread.
    pub(super) fn compare(&self, tasks: &mpsc::Receiver<Task>) {
        let mut now: Option<(u32, Compared, Existing)> = None;
        for task in tasks {
            if self.is_over() {
                return;
            }
            let answer = match task {
                Task::Compare {
                    groups,
                    offered_bytes,
                    existing,
                    last,
                } => {
                    let number = groups.entry;
                    // Of a file that was given up in the middle the rest is dropped here.
                    let begun = now.take().filter(|(begun, ..)| *begun == number);
                    let (_, mut compared, file) =
                        begun.unwrap_or_else(|| (number, Compared::new(offered_bytes), existing));
                    let here = file.as_ref().map(|(file, _)| file);
                    compared.compare(here, &groups.hashes);
                    let bytes = groups.hashes.len() as u64 * GROUP_BYTES;
                    self.live.checked_bytes.add(bytes.min(offered_bytes));
                    if !last {
                        now = Some((number, compared, file));
                        continue;
                    }
                    let same = file.and_then(|(file, seen)| {
                        let blake3 = compared.all_the_same(&file)?;
                        Some(Answer::Same {
                            number,
                            blake3,
                            seen,
                        })
                    });
                    match same {
                        Some(same) => same,
                        None => Answer::Different { number, compared },
                    }
                }
                Task::Copy {
                    number,
                    compared,
                    existing,
                    part,
                } => {
                    let have = compared.copy(&existing, &part, || !self.is_over());
                    Answer::Copied { number, have }
                }
            };
            let _ = self.orders.send(Order::Compared(answer));
        }
    }

    /// The session ends; nobody waits for an answer any more.
    pub(super) fn is_over(&self) -> bool {
        self.stopped.load(Ordering::SeqCst) || self.link.outbox.ended()
    }

    /// Something stands under the names of these files.
    pub(super) fn ask(&self, disk: &mut Disk, comparable: &[(u32, u32)]) {
        if comparable.is_empty() {
            return;
        }
        disk.compares = true;
        let mut machine = self.machine();
        machine.ask(comparable);
        let bytes = comparable.iter().map(|(number, groups)| {
            let len_bytes = machine.manifest().get(*number).map_or(0, Entry::len_bytes);
            (u64::from(*groups) * GROUP_BYTES).min(len_bytes)
        });
        self.live.check_bytes.add(bytes.sum());
        drop(machine);
        self.pump();
    }

    pub(super) fn take_hashes(&self, disk: &mut Disk, entry: &Entry, groups: &Groups, last: bool) {
        let Some(inbox) = &mut disk.inbox else {
            return;
        };
        let existing = (groups.first == 0).then(|| inbox.existing(entry)).flatten();
        let existing = existing.and_then(|file| {
            let seen = Seen::of(&file)?;
            Some((file, seen))
        });
        let _ = disk.compare.send(Task::Compare {
            groups: groups.clone(),
            offered_bytes: entry.len_bytes(),
            existing,
            last,
        });
    }

    pub(super) fn compared(&self, disk: &mut Disk, answer: Answer) {
        match answer {
            Answer::Same {
                number,
                blake3,
                seen,
            } => {
                let (Some(entry), Some(inbox)) = (self.undecided(number), &mut disk.inbox) else {
                    return;
                };
                // Somebody may have changed it, or put something else there, while it was read.
                let now = inbox.existing(&entry).as_ref().and_then(Seen::of);
                if now != Some(seen) {
                    self.want(number, missing(entry.len_bytes(), &[]));
                } else {
                    let there = EntryStatus::AlreadyThere;
                    self.decide(disk, number, &entry, there, Some(blake3));
                }
            }
            Answer::Different { number, compared } => {
                if let Some(entry) = self.undecided(number) {
                    self.mix(disk, number, &entry, compared);
                }
            }
            Answer::Copied { number, have } => {
                let Some(entry) = self.undecided(number) else {
                    return;
                };
                if let Some(inbox) = &mut disk.inbox {
                    for (group, hash) in &have {
                        inbox.checked(number, *group, std::slice::from_ref(hash));
                    }
                }
                self.want(number, missing(entry.len_bytes(), &have));
            }
        }
    }

    /// Takes what is the same from what is there; the rest is to come.
    fn mix(&self, disk: &mut Disk, number: u32, entry: &Entry, compared: Compared) {
        let key = self.machine().manifest().key(number);
        let existing = match &mut disk.inbox {
            Some(inbox) if compared.is_worth_a_copy() && inbox.can_mix(entry) => {
                inbox.existing(entry)
            }
            Some(_) | None => None,
        };
        let (Some(key), Some(existing)) = (key, existing) else {
            self.want(number, missing(entry.len_bytes(), &[]));
            return;
        };
        let target = Target { number, key, entry };
        match self.with_room(disk, |inbox| inbox.mix(target)) {
            None => {}
            Some(Ok(part)) => {
                let _ = disk.compare.send(Task::Copy {
                    number,
                    compared,
                    existing,
                    part,
                });
            }
            Some(Err(problem)) => {
                self.decide(disk, number, entry, EntryStatus::Failed(problem), None);
            }
        }
    }

    fn want(&self, number: u32, ranges: Vec<(u64, u64)>) {
        let mut machine = self.machine();
        machine.want(number, ranges);
        self.live.held_bytes.set(machine.held_bytes());
        drop(machine);
        self.pump();
    }

    /// The entry, if nothing was told of it and it has not ended.
    fn undecided(&self, number: u32) -> Option<Entry> {
        let machine = self.machine();
        let entry = machine.manifest().get(number).cloned();
        entry.filter(|_| machine.is_undecided(number))
    }

    /// It need not come, or cannot.
    fn decide(
        &self,
        disk: &mut Disk,
        number: u32,
        entry: &Entry,
        status: EntryStatus,
        blake3: Option<[u8; 32]>,
    ) {
        let key = self.machine().manifest().key(number);
        let (Some(inbox), Some(key)) = (&mut disk.inbox, key) else {
            return;
        };
        let decided = inbox.decided(Target { number, key, entry }, status, blake3);
        let left_out = self.settle_early(vec![decided]);
        if left_out.contains(&number) {
            inbox.leave_out(number, key);
        }
    }
}
