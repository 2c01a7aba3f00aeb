//! What the disk thread does with a job of the machine, and what follows from it: credit, further jobs, and
//! a commit when enough waits for one.

use std::time::{Duration, Instant};

use super::Receiving;
use super::disk::Disk;
use crate::model::EntryKey;
use crate::protocol::Buffers;
use crate::protocol::receiver::Job;
use crate::storage::inbox::Target;

/// Files that wait to be committed together, at most: one flush for all of them.
const COMMIT_FILES: usize = 512;
/// Content that waits to be committed, at most.
const COMMIT_BYTES: u64 = 64 << 20;
/// Of that, content of files of a single group, which travels again if we are killed before.
const COMMIT_SMALL_BYTES: u64 = 6 << 20;
/// Credit and progress are told this often, or when a quarter of the window is used.
const REPORT_EVERY: Duration = Duration::from_millis(100);
/// A drive that is pulled out is noticed so soon.
const LOOK_FOR_FOLDER_EVERY: Duration = Duration::from_secs(1);

impl Receiving {
    pub(super) fn do_job(&self, disk: &mut Disk, job: Job, buffers: &Buffers) {
        let (cost, content) = (job.cost(), job.content_bytes());
        self.keep_limits(disk, content);
        let mut committed = Vec::new();
        let keys = self.keys(&job);
        let target = |at: usize, number, entry| {
            let key = keys.get(at).copied()?;
            Some(Target { number, key, entry })
        };
        match &job {
            Job::Folder { number, entry } => {
                let picked = target(0, *number, entry);
                let added = self.with_room(disk, |inbox| match picked {
                    Some(target) => inbox.add_picked_folder(target),
                    None => inbox.add_folder(*number, entry),
                });
                committed.extend(added);
            }
            Job::Look { files } => {
                let files = files.iter().zip(&keys);
                let targets = files.map(|((number, entry), key)| Target {
                    number: *number,
                    key: *key,
                    entry,
                });
                let Some(inbox) = &mut disk.inbox else { return };
                let foreseen = inbox.look(targets.clone());
                let left_out = self.settle_early(foreseen.decided);
                for target in targets.filter(|target| left_out.contains(&target.number)) {
                    inbox.leave_out(target.number, target.key);
                }
                self.ask(disk, &foreseen.comparable);
            }
            Job::Hashes {
                entry,
                groups,
                last,
            } => self.take_hashes(disk, entry, groups, *last),
            Job::Data { entry, data, .. } => {
                if let Some(target) = target(0, data.entry, entry) {
                    self.with_room(disk, |inbox| {
                        inbox.write(target, data.offset, data.content())
                    });
                    self.give_back(disk, target);
                }
            }
            Job::End { entry, end } => {
                if let Some(target) = target(0, end.entry, entry) {
                    self.with_room(disk, |inbox| inbox.complete(target, end.hash));
                }
            }
            Job::Batch { entries, batch } => {
                for (at, (entry, item)) in entries.iter().zip(&batch.items).enumerate() {
                    if let Some(target) = target(at, item.entry, entry) {
                        let content = batch.content(item);
                        let put =
                            self.with_room(disk, |inbox| inbox.whole(target, content, item.hash));
                        if put.is_none() {
                            break;
                        }
                    }
                }
            }
            Job::Abandon {
                number,
                entry,
                problem,
            } => {
                if let Some(target) = target(0, *number, entry)
                    && let Some(inbox) = &mut disk.inbox
                {
                    inbox.abandon(target, problem.clone());
                }
            }
            Job::Finish => {}
        }
        match job {
            Job::Data { data, .. } => buffers.give_back(data.into_buffer()),
            Job::Batch { batch, .. } => buffers.give_back(batch.into_buffer()),
            Job::Folder { .. }
            | Job::Look { .. }
            | Job::Hashes { .. }
            | Job::End { .. }
            | Job::Abandon { .. }
            | Job::Finish => {}
        }
        let Some(inbox) = &disk.inbox else { return };
        let small_bytes = inbox.pending_small_bytes();
        let (files, bytes) = inbox.pending();
        if files > 0 {
            disk.pending_since.get_or_insert_with(Instant::now);
        }
        let made = committed.first().map(|folder| folder.number);
        let made = made.filter(|folder| inbox.is_new(*folder));
        let mut machine = self.machine();
        if let Some(folder) = made {
            machine.folder_is_new(folder);
        }
        machine.job_done(cost, content);
        self.live.held_bytes.set(machine.held_bytes());
        let due = disk.reported.elapsed() >= REPORT_EVERY;
        if due || machine.credit_is_due() {
            disk.reported = Instant::now();
            if let Some(credit) = machine.poll_credit() {
                self.grant(&mut machine, credit);
            }
        }
        // There may be jobs that had to wait for this one.
        self.send_jobs(&mut machine);
        let left = machine.turn();
        drop(machine);
        self.take_turn(left);
        self.settle(committed);
        if disk.looked_at.elapsed() >= LOOK_FOR_FOLDER_EVERY && self.ends_if_gone(disk) {
            return;
        }
        if files >= COMMIT_FILES || bytes >= COMMIT_BYTES || small_bytes >= COMMIT_SMALL_BYTES {
            self.commit(disk);
        }
    }

    /// The keys of the entries a job is about, in its order.
    fn keys(&self, job: &Job) -> Vec<EntryKey> {
        let machine = self.machine();
        let manifest = machine.manifest();
        let numbers: Vec<u32> = match job {
            Job::Data { data, .. } => vec![data.entry],
            Job::End { end, .. } => vec![end.entry],
            Job::Batch { batch, .. } => batch.items.iter().map(|item| item.entry).collect(),
            Job::Abandon { number, .. } => vec![*number],
            Job::Look { files } => files.iter().map(|(number, _)| *number).collect(),
            // What is in the folder has keys of its own.
            Job::Folder { number, entry } if entry.parent.is_none() => vec![*number],
            Job::Folder { .. } | Job::Hashes { .. } | Job::Finish => Vec::new(),
        };
        let keys = numbers.into_iter();
        keys.filter_map(|number| manifest.key(number)).collect()
    }
}
