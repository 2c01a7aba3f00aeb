//! Statuses that are told before a file has ended: what is left out does not travel, what crosses the
//! word is paid for and thrown away, and every entry still has exactly one status.

use super::super::bulk::FileEnd;
use super::super::message::{Accept, Failed, Hex, Received, Status, WireProblem};
use super::*;

fn told(pair: &mut Pair, number: u32, status: &EntryStatus) {
    assert!(pair.receiver.is_undecided(number));
    let len = pair.receiver.manifest().get(number).unwrap().len_bytes();
    pair.receiver.settle(number, len, status);
    pair.receiver.flush_status();
}

/// The sender hears what the receiver has said.
fn hear(pair: &mut Pair) -> Result<(), Violation> {
    while let Some(frame) = pair.receiver.poll_control() {
        pair.reply(frame)?;
    }
    Ok(())
}

/// Offer, manifest and answer are through; nothing of any file is.
fn begun(source: Source) -> Pair {
    let mut pair = Pair::new(source);
    while let Some(frame) = pair.sender.poll_control() {
        pair.deliver(frame).unwrap();
    }
    while pair.receiver.counting() {
        match pair.sender.poll_bulk() {
            Some(Bulk::Frame(frame)) => pair.deliver(frame).unwrap(),
            other => panic!("the manifest comes first: {other:?}"),
        }
    }
    pair.receiver.accept();
    hear(&mut pair).unwrap();
    pair
}

fn received(pair: &Pair) -> Received {
    let found = pair.sender_events.iter().find_map(|event| match event {
        SenderEvent::Received(received) => Some(received.clone()),
        _ => None,
    });
    found.expect("received")
}

/// Everything but these arrived as it was, and both ends agree on the counts.
fn assert_left_out(pair: &mut Pair, left_out: &[u32], failed: u64) {
    assert_eq!(pair.sender_events.last(), Some(&SenderEvent::Safe));
    let received = received(pair);
    let entries = pair.source.entries.len() as u64;
    assert_eq!(received.skipped, left_out.len() as u64);
    assert_eq!(received.failed, failed);
    assert_eq!(received.arrived + received.skipped + failed, entries);
    pair.source.broken.extend(left_out);
    pair.assert_exact();
}

#[test]
fn what_is_left_out_before_it_was_sent_does_not_travel() {
    let mut source = Source::default();
    let top = source.folder(None, "Holiday");
    let small = source.file(Some(top), "small", pattern(1_000));
    let large = source.file(Some(top), "large", pattern(900_000));
    source.file(Some(top), "last", pattern(500));
    let mut pair = begun(source);
    for number in [small, large] {
        told(&mut pair, number, &EntryStatus::Skipped);
    }
    hear(&mut pair).unwrap();
    pair.run().unwrap();
    assert_eq!(pair.sender.sent_bytes(), 500);
    assert_eq!(pair.sender.wanted_bytes(), 500);
    assert_eq!(pair.receiver.wanted_bytes(), 500);
    assert_eq!(received(&pair).bytes, 500);
    assert_left_out(&mut pair, &[small, large], 0);
    assert!(pair.disk.staged.is_empty());
}

#[test]
fn everything_may_be_left_out() {
    let source = Source::small_and_large();
    let mut pair = begun(source);
    let files: Vec<u32> = pair.source.content.keys().copied().collect();
    for &number in &files {
        told(&mut pair, number, &EntryStatus::Skipped);
    }
    hear(&mut pair).unwrap();
    pair.run().unwrap();
    assert_eq!(pair.sender.sent_bytes(), 0);
    assert_left_out(&mut pair, &files, 0);
}

#[test]
fn failed_and_already_there_may_be_told_early_arrived_may_not() {
    for (status, failed) in [
        (EntryStatus::AlreadyThere, 0),
        (EntryStatus::Failed(Problem::TooLarge), 1),
    ] {
        let mut source = Source::default();
        source.file(None, "huge", pattern(700_000));
        let mut pair = begun(source);
        told(&mut pair, 0, &status);
        hear(&mut pair).unwrap();
        pair.run().unwrap();
        assert_eq!(pair.sender.sent_bytes(), 0);
        assert_eq!(received(&pair).failed, failed);
        assert_eq!(received(&pair).arrived, 1 - failed);
        assert_eq!(received(&pair).skipped, 0);
    }
    let mut source = Source::default();
    source.file(None, "huge", pattern(700_000));
    let mut pair = begun(source);
    told(&mut pair, 0, &EntryStatus::Arrived);
    assert!(hear(&mut pair).is_err());
}

#[test]
fn a_file_in_the_middle_ends_with_failed_and_the_next_one_follows() {
    // So many chunks are on their way when the word comes; the fourth one is the last, and then the
    // end.
    for chunks in 1..=5 {
        for read_ahead in [false, true] {
            let mut source = Source::default();
            let film = source.file(None, "film", pattern(4 * CHUNK_BYTES));
            source.file(None, "next", pattern(300_000));
            let mut pair = begun(source);
            for _ in 0..chunks {
                let bulk = pair.sender.poll_bulk().unwrap();
                if let Some(frame) = pair.read(bulk) {
                    pair.deliver(frame).unwrap();
                }
            }
            let ahead = read_ahead.then(|| pair.sender.poll_bulk().unwrap());
            let undecided = pair.receiver.is_undecided(film);
            assert!(undecided, "its end has not come");
            told(&mut pair, film, &EntryStatus::Skipped);
            hear(&mut pair).unwrap();
            // What was being read when the word came is sent, and thrown away.
            if let Some(frame) = ahead.and_then(|bulk| pair.read(bulk)) {
                pair.deliver(frame).unwrap();
            }
            pair.run().unwrap();
            let most = (chunks.min(4) + usize::from(read_ahead)).min(4) * CHUNK_BYTES;
            let sent = pair.sender.sent_bytes();
            assert!(sent <= (most + 300_000) as u64, "{chunks} {read_ahead}");
            assert_left_out(&mut pair, &[film], 0);
        }
    }
}

#[test]
fn of_a_batch_that_crosses_only_what_is_wanted_reaches_the_disk() {
    for left_out in [vec![1], vec![0, 2], vec![0, 1, 2]] {
        let mut source = Source::default();
        for name in ["a", "b", "c"] {
            source.file(None, name, pattern(1_000));
        }
        let mut pair = begun(source);
        let batch = pair.sender.poll_bulk().unwrap();
        assert!(matches!(&batch, Bulk::Batch(items) if items.len() == 3));
        for &number in &left_out {
            told(&mut pair, number, &EntryStatus::Skipped);
        }
        hear(&mut pair).unwrap();
        let frame = pair.read(batch).unwrap();
        pair.deliver(frame).unwrap();
        pair.run().unwrap();
        assert_left_out(&mut pair, &left_out, 0);
    }
}

#[test]
fn a_file_given_up_at_both_ends_at_once_has_one_status() {
    let mut source = Source::default();
    source.file(None, "a", pattern(300_000));
    source.file(None, "b", pattern(1_000));
    let mut pair = begun(source);
    let chunk = pair.sender.poll_bulk().unwrap();
    assert!(matches!(chunk, Bulk::Chunk { entry: 0, .. }));
    pair.sender.file_ended(0, Err(Problem::Changed));
    told(&mut pair, 0, &EntryStatus::Skipped);
    pair.run().unwrap();
    assert_left_out(&mut pair, &[0], 0);
}

#[test]
fn what_is_thrown_away_gives_its_credit_back() {
    let mut source = Source::default();
    source.file(None, "big", pattern(40 << 20));
    source.file(None, "after", pattern(100_000));
    let mut pair = begun(source);
    told(&mut pair, 0, &EntryStatus::Skipped);
    // The word is slow: the sender goes on to the end, and is never stopped for want of credit.
    let mut late = Vec::new();
    while let Some(frame) = pair.receiver.poll_control() {
        late.push(frame);
    }
    while let Some(bulk) = pair.sender.poll_bulk() {
        if let Some(frame) = pair.read(bulk) {
            pair.deliver(frame).unwrap();
        }
        assert!(late.is_empty() || pair.receiver.poll_job().is_none());
        if pair.receiver.credit_is_due()
            && let Some(credit) = pair.receiver.poll_credit()
        {
            pair.reply(credit.encode()).unwrap();
        }
        if pair.sender.sent_bytes() > 20 << 20 {
            for frame in late.drain(..) {
                pair.reply(frame).unwrap();
            }
            break;
        }
    }
    pair.run().unwrap();
    assert_eq!(pair.sender_events.last(), Some(&SenderEvent::Safe));
    assert!(pair.sender.sent_bytes() < 21 << 20);
}

fn bytes(len: usize) -> Receiver {
    let mut source = Source::default();
    source.file(None, "file", pattern(len));
    let mut pair = begun(source);
    told(&mut pair, 0, &EntryStatus::Skipped);
    pair.receiver
}

#[test]
fn what_crosses_an_early_status_is_checked_all_the_same() {
    let failed = || {
        let problem = WireProblem {
            code: "changed".into(),
            detail: String::new(),
        };
        Frame::Failed(Failed { entry: 0, problem })
    };
    let end = |len_bytes| {
        Frame::FileEnd(FileEnd {
            entry: 0,
            len_bytes,
            hash: [7; 32],
        })
    };
    let len = 100_000;
    let fine: Vec<(&str, Vec<Frame>)> = vec![
        ("nothing more", vec![Frame::Finish]),
        ("given up", vec![failed(), Frame::Finish]),
        (
            "given up in the middle",
            vec![data(0, 0, 10), failed(), Frame::Finish],
        ),
        (
            "all of it",
            vec![data(0, 0, len), end(len as u64), Frame::Finish],
        ),
    ];
    for (what, frames) in fine {
        let mut receiver = bytes(len);
        for frame in frames {
            receiver.handle_frame(frame).unwrap();
            let job = receiver.poll_job();
            assert!(matches!(job, None | Some(Job::Finish)), "{what}: {job:?}");
        }
        assert!(receiver.received(), "{what}");
    }
    let bad: Vec<(&str, Vec<Frame>)> = vec![
        ("a gap", vec![data(0, 1, 10)]),
        ("too much", vec![data(0, 0, len + 1)]),
        ("a lying end", vec![data(0, 0, len), end(10)]),
        ("an early end", vec![data(0, 0, 10), end(len as u64)]),
        ("given up twice", vec![failed(), failed()]),
        ("content after its end", vec![failed(), data(0, 0, 10)]),
        ("open at the finish", vec![data(0, 0, 10), Frame::Finish]),
    ];
    for (what, frames) in bad {
        let mut receiver = bytes(len);
        let results: Vec<_> = frames
            .into_iter()
            .map(|frame| receiver.handle_frame(frame))
            .collect();
        let (last, before) = results.split_last().unwrap();
        assert!(last.is_err(), "{what} must be refused");
        assert!(before.iter().all(Result::is_ok), "{what}: not before");
    }
}

#[test]
fn a_receiver_that_lies_early_is_refused() {
    let skipped = |first, last| {
        Frame::Status(Status {
            skipped: vec![(first, last)],
            ..Status::default()
        })
    };
    let failed = |entry| {
        let problem = WireProblem {
            code: "too-large".into(),
            detail: String::new(),
        };
        Frame::Status(Status {
            failed: vec![Failed { entry, problem }],
            ..Status::default()
        })
    };
    let bad: Vec<(&str, Vec<Frame>)> = vec![
        ("a folder", vec![skipped(0, 0)]),
        ("a folder in a range", vec![skipped(0, 2)]),
        ("nothing", vec![skipped(3, 3)]),
        ("backwards", vec![skipped(2, 1)]),
        ("all numbers", vec![skipped(1, u32::MAX)]),
        ("twice", vec![skipped(1, 2), skipped(2, 2)]),
        ("in two ways", vec![skipped(1, 1), failed(1)]),
        ("nothing failed", vec![failed(9)]),
        (
            "received before all was told",
            vec![
                skipped(1, 1),
                Frame::Received(Received {
                    arrived: 1,
                    failed: 0,
                    skipped: 2,
                    bytes: 0,
                }),
            ],
        ),
    ];
    for (what, frames) in bad {
        let mut source = Source::default();
        let top = source.folder(None, "d");
        source.file(Some(top), "a", pattern(10));
        source.file(Some(top), "b", pattern(100_000));
        let mut sender = Pair::new(source).sender;
        while sender.poll_bulk().is_some() {}
        let accept = Accept {
            transfer: Hex(TRANSFER.0),
            credit: 0,
        };
        sender.handle_frame(Frame::Accept(accept)).unwrap();
        let results: Vec<_> = frames
            .into_iter()
            .map(|frame| sender.handle_frame(frame))
            .collect();
        let (last, before) = results.split_last().unwrap();
        assert!(last.is_err(), "{what} must be refused");
        assert!(before.iter().all(Result::is_ok), "{what}: not before");
    }
}

#[test]
fn looks_come_behind_their_folders_take_turns_with_content_and_end() {
    let mut source = Source::default();
    let top = source.folder(None, "top");
    for n in 0..1_000 {
        source.file(Some(top), &format!("before {n}"), pattern(10));
    }
    let sub = source.folder(Some(top), "sub");
    for n in 0..1_000 {
        source.file(Some(sub), &format!("in it {n}"), pattern(70_000));
    }
    let mut pair = begun(source);
    pair.receiver.look_ahead(0, 0);
    let mut folders = Vec::new();
    let mut looked = std::collections::BTreeSet::new();
    let (mut looks, mut in_a_row) = (0, 0);
    loop {
        let bulk = pair.sender.poll_bulk();
        let quiet = bulk.is_none();
        if let Some(frame) = bulk.and_then(|bulk| pair.read(bulk)) {
            pair.deliver(frame).unwrap();
        }
        let Some(job) = pair.receiver.poll_job() else {
            if quiet {
                break;
            }
            continue;
        };
        let (cost, content) = (job.cost(), job.content_bytes());
        match &job {
            Job::Folder { number, .. } => folders.push(*number),
            Job::Hashes { .. } => panic!("nobody asked for hashes"),
            Job::Look { files } => {
                looks += 1;
                in_a_row += 1;
                assert!(files.len() <= 256);
                for (number, entry) in files {
                    assert!(pair.receiver.is_undecided(*number) && looked.insert(*number));
                    assert!(folders.contains(&entry.parent.unwrap()));
                }
            }
            Job::Data { .. } | Job::End { .. } | Job::Batch { .. } => in_a_row = 0,
            Job::Abandon { .. } | Job::Finish => panic!("{job:?}"),
        }
        assert!(in_a_row <= 2, "content waits");
        pair.receiver.job_done(cost, content);
    }
    assert!((4..=8).contains(&looks), "{looks}");
    assert!(looked.len() <= 2_000 && looked.len() >= 1_000);

    // Only what is long enough.
    let mut pair = begun(Source::small_and_large());
    pair.receiver.look_ahead(70_001, 70_001);
    let mut looked = Vec::new();
    while let Some(job) = pair.receiver.poll_job() {
        if let Job::Look { files } = job {
            looked.extend(files.into_iter().map(|(_, entry)| entry.len_bytes()));
        }
    }
    assert_eq!(looked, [700_000]);
}

#[test]
fn folders_made_just_now_need_no_look_and_keep_no_content_waiting() {
    // Also what is too large for the disk has to be known.
    for (in_new_from_bytes, expected) in [(u64::MAX, vec![]), (70_001, vec![700_000])] {
        let mut pair = Pair::new(Source::small_and_large());
        while let Some(frame) = pair.sender.poll_control() {
            pair.deliver(frame).unwrap();
        }
        while let Some(Bulk::Frame(frame)) = pair.sender.poll_bulk() {
            pair.deliver(frame).unwrap();
        }
        pair.receiver.look_ahead(1, in_new_from_bytes);
        pair.receiver.accept();
        let mut looked = Vec::new();
        while let Some(job) = pair.receiver.poll_job() {
            assert!(pair.receiver.poll_credit().is_none(), "not before the look");
            let (cost, content) = (job.cost(), job.content_bytes());
            match job {
                Job::Folder { number, .. } => pair.receiver.folder_is_new(number),
                Job::Look { files } => {
                    looked.extend(files.into_iter().map(|(_, entry)| entry.len_bytes()));
                }
                other => panic!("{other:?}"),
            }
            pair.receiver.job_done(cost, content);
        }
        assert_eq!(looked, expected);
        assert!(pair.receiver.poll_credit().is_some());
    }
}
