//! Bytes from the wire, through the decoder, into the receiving machine.

use ropeway::model::{EntryKind, EntryStatus};
use ropeway::protocol::receiver::{Found, Job, Receiver, ReceiverEvent, WINDOW_BYTES};
use ropeway::protocol::{Buffers, Decoder, Frame, Limit};

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
        machine.look_ahead(0, 0);
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
