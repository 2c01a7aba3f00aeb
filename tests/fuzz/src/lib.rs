//! What is fuzzed: bytes from the wire, names from the wire, and journals from a disk.
//!
//! Each function takes any bytes and panics when something that must hold does not. They run under
//! libFuzzer (`fuzz_targets`) and, bounded, on any toolchain (`bounded`).

use std::fs;
use std::path::Path;

use ropeway::model::{
    Entry, EntryKey, EntryKind, EntryStatus, Manifest, Modified, SafeName, TransferId,
};
use ropeway::protocol::receiver::{Found, Job, Receiver, ReceiverEvent, WINDOW_BYTES};
use ropeway::protocol::{Buffers, Decoder, Frame, Limit};
use ropeway::storage::inbox::Rest;
use ropeway::storage::{Inbox, Target};

const ROOM: &str = "room on the disk";
const TRANSFER: TransferId = TransferId([0xab; 16]);

/// The first byte chooses how the receiver behaves, the rest is what the peer sends.
///
/// Credit bounds what may wait, jobs never exceed what was listed, and the same bytes in other
/// pieces give the same end.
pub fn frames(data: &[u8]) {
    let Some((choice, stream)) = data.split_first() else {
        return;
    };
    let whole = receive(*choice, stream, stream.len().max(1));
    let pieces = receive(*choice, stream, 1 + usize::from(choice >> 3));
    assert_eq!(whole, pieces, "the edges of reads make a difference");
}

/// What came of it: jobs, control frames' bytes, and the violation that ended it.
fn receive(choice: u8, stream: &[u8], piece: usize) -> (Vec<Job>, Vec<Vec<u8>>, Option<String>) {
    let limit = if choice & 1 == 0 {
        Limit::Session
    } else {
        Limit::Greeting
    };
    let mut decoder = Decoder::new(Buffers::new(1));
    let mut machine = match choice & 2 {
        0 => Receiver::default(),
        _ => Receiver::going_on(),
    };
    if choice & 8 != 0 {
        machine.look_ahead(0);
    }
    let (mut jobs, mut control) = (Vec::new(), Vec::new());
    for mut part in stream.chunks(piece) {
        loop {
            let raw = match decoder.feed(&mut part, limit) {
                Ok(Some(raw)) => raw,
                Ok(None) => break,
                Err(error) => return (jobs, control, Some(error.to_string())),
            };
            let ended = match Frame::parse(raw) {
                Ok(None) => None,
                Ok(Some(frame)) => machine.handle_frame(frame).err(),
                Err(violation) => Some(violation),
            };
            if let Some(violation) = ended {
                return (jobs, control, Some(violation.to_string()));
            }
            react(choice, &mut machine, &mut jobs, &mut control);
        }
    }
    (jobs, control, None)
}

fn react(choice: u8, machine: &mut Receiver, jobs: &mut Vec<Job>, control: &mut Vec<Vec<u8>>) {
    while let Some(event) = machine.poll_event() {
        match event {
            ReceiverEvent::Offered(_) if choice & 6 == 4 => machine.accept(),
            ReceiverEvent::Listed => {
                let entries = (0_u32..).zip(machine.manifest().entries());
                let files = entries.filter(|(_, entry)| entry.kind != EntryKind::Folder);
                let mut found = Found::default();
                for (number, entry) in files {
                    match number % 3 {
                        0 => found.done.push(number),
                        1 if entry.len_bytes() > 1 << 20 => found.partial.push((number, 1 << 20)),
                        _ => {}
                    }
                }
                machine.go_on(&found);
            }
            ReceiverEvent::Counted if choice & 6 == 0 => machine.accept(),
            ReceiverEvent::Offered(_) | ReceiverEvent::Counted => {}
            ReceiverEvent::Cancelled(_) => assert!(machine.ended()),
        }
    }
    let mut waiting = 0;
    while let Some(job) = machine.poll_job() {
        waiting += job.cost();
        assert!(waiting <= WINDOW_BYTES, "more than the credit allows");
        match &job {
            Job::Data { entry, data, .. } => {
                let end = data.offset.checked_add(data.content().len() as u64);
                assert!(
                    end.is_some_and(|end| end <= entry.len_bytes()),
                    "beyond the file"
                );
            }
            Job::Batch { entries, batch } => {
                for (entry, item) in entries.iter().zip(&batch.items) {
                    assert_eq!(entry.len_bytes(), u64::from(item.len_bytes));
                }
            }
            Job::End { entry, end } => assert_eq!(entry.len_bytes(), end.len_bytes),
            Job::Folder { .. }
            | Job::Look { .. }
            | Job::Hashes { .. }
            | Job::Abandon { .. }
            | Job::Finish => {}
        }
        machine.job_done(job.cost(), job.content_bytes());
        let number = match &job {
            Job::Folder { number, .. } | Job::Abandon { number, .. } => Some(*number),
            Job::End { end, .. } => Some(end.entry),
            Job::Data { .. }
            | Job::Batch { .. }
            | Job::Look { .. }
            | Job::Hashes { .. }
            | Job::Finish => None,
        };
        if let Some(number) = number {
            machine.settle(number, 0, &EntryStatus::Arrived);
        }
        if let Job::Hashes { groups, .. } = &job {
            machine.want(groups.entry, vec![(0, 1 << 20)]);
        }
        if let Job::Look { files } = &job {
            // Something stands under some names; the hashes are answered or not.
            let odd = files.iter().filter(|(number, _)| number % 2 == 1);
            machine.ask(&odd.map(|(number, _)| (*number, 1)).collect::<Vec<_>>());
            // The disk leaves out some of what it has looked at, while it may be coming.
            for (number, entry) in files.iter().filter(|(number, _)| number % 2 == 0) {
                if machine.is_undecided(*number) {
                    machine.settle(*number, entry.len_bytes(), &EntryStatus::Skipped);
                }
            }
        }
        if matches!(job, Job::Finish) {
            machine.flush_status();
            machine.safe();
        }
        jobs.push(job);
    }
    assert!(machine.settled() <= machine.manifest().len());
    while let Some(frame) = machine.poll_control() {
        control.push(frame);
    }
}

/// Names, one a line, a `/` before those that are folders and a `>` before what lies in the last
/// folder. As many as were taken are on the disk, and nothing is outside the save folder.
pub fn names(data: &[u8]) {
    /// Enough to meet each other, few enough for a disk.
    const AT_MOST: usize = 16;
    let text = String::from_utf8_lossy(data);
    let dir = tempfile::tempdir().expect("a disk to write on");
    let save = dir.path().join("save");
    let mut inbox = Inbox::create(&save, TRANSFER).expect("a new folder");
    let (mut last, mut taken, mut merged) = (None, 0, 0);
    for (number, line) in (0_u32..).zip(text.split('\n').take(AT_MOST)) {
        let (inside, line) = line
            .strip_prefix('>')
            .map_or((false, line), |rest| (true, rest));
        let (is_folder, raw) = line
            .strip_prefix('/')
            .map_or((false, line), |rest| (true, rest));
        let Ok(name) = SafeName::try_from(raw) else {
            continue;
        };
        let content = format!("{number:4}");
        let kind = match is_folder {
            true => EntryKind::Folder,
            false => EntryKind::File {
                len_bytes: 4,
                executable: false,
            },
        };
        let entry = Entry {
            parent: last.filter(|_| inside),
            name,
            kind,
            modified: None,
        };
        if is_folder {
            let added = inbox.add_folder(number, &entry).expect(ROOM);
            match added.status {
                EntryStatus::Arrived => taken += 1,
                EntryStatus::AlreadyThere => merged += 1,
                EntryStatus::Skipped => panic!("{raw:?}: nobody said so"),
                EntryStatus::Failed(problem) => panic!("{raw:?}: {problem:?}"),
            }
            last = Some(number);
        } else {
            let mut key = [0; 16];
            key[..4].copy_from_slice(&number.to_be_bytes());
            let target = Target {
                number,
                key: EntryKey(key),
                entry: &entry,
            };
            let hash = *blake3::hash(content.as_bytes()).as_bytes();
            inbox.whole(target, content.as_bytes(), hash).expect(ROOM);
            taken += 1;
        }
    }
    for committed in inbox.commit() {
        assert_eq!(committed.status, EntryStatus::Arrived, "{}", committed.path);
    }
    let _ = inbox.finish();
    inbox.discard_staged();
    drop(inbox);
    assert_eq!(entries(&save), taken, "{merged} folders merged");
    assert_eq!(entries(dir.path()), taken + 1, "something is outside");
}

/// A journal that somebody left in the staging folder. It may cost a file its place in the list of
/// what is done, never more: nothing is written, and nothing outside is looked at as ours.
pub fn journal(data: &[u8]) {
    let dir = tempfile::tempdir().expect("a disk to write on");
    let (save, outside) = (dir.path().join("save"), dir.path().join("outside"));
    let staging = save.join(".ropeway").join(TRANSFER.to_string());
    fs::create_dir_all(&staging).expect("a new folder");
    fs::write(&outside, "five!").expect("a new file");
    fs::write(staging.join("journal"), data).expect("a new file");
    let mut manifest = Manifest::default();
    for (parent, name, is_folder) in [
        (None, "top", true),
        (Some(0), "a", false),
        (None, "b", false),
    ] {
        let kind = match is_folder {
            true => EntryKind::Folder,
            false => EntryKind::File {
                len_bytes: 5,
                executable: false,
            },
        };
        let name = SafeName::try_from(name).expect("a plain name");
        let modified = Some(Modified {
            seconds: 1,
            nanos: 0,
        });
        manifest
            .push(Entry {
                parent,
                name,
                kind,
                modified,
            })
            .expect("a plain list");
    }
    let mut inbox = Inbox::go_on(&save, TRANSFER).expect("a new folder");
    let kept = inbox.kept(&manifest, Rest::Missing);
    assert!(
        kept.done.is_empty() && kept.partial.is_empty(),
        "nothing is there: {kept:?}"
    );
    for (number, entry) in (0_u32..).zip(manifest.entries()) {
        if entry.kind == EntryKind::Folder {
            inbox.add_folder(number, entry).expect(ROOM);
            continue;
        }
        let key = manifest.key(number).expect("it is listed");
        let hash = *blake3::hash(b"hello").as_bytes();
        let target = Target { number, key, entry };
        inbox.whole(target, b"hello", hash).expect(ROOM);
    }
    for committed in inbox.commit() {
        assert_eq!(committed.status, EntryStatus::Arrived, "{}", committed.path);
    }
    inbox.finish().expect("the disk is there");
    inbox.discard_staged();
    drop(inbox);
    assert_eq!(entries(&save), 3);
    assert_eq!(fs::read(&outside).expect("it was there"), b"five!");
    assert_eq!(entries(dir.path()), 5);
}

/// How many files and folders are below a folder.
fn entries(folder: &Path) -> usize {
    let listed = fs::read_dir(folder).expect("a folder");
    let counts = listed.map(|entry| {
        let entry = entry.expect("a readable entry");
        let is_folder = entry.file_type().expect("a type").is_dir();
        1 + if is_folder { entries(&entry.path()) } else { 0 }
    });
    counts.sum()
}
