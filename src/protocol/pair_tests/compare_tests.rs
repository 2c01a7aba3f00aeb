//! Comparing what exists at the receiver: who asks, tells or wishes for what makes no sense is refused.

use super::super::bulk::{Groups, Want};
use super::super::message::Compare;
use super::*;
use crate::model::GROUP_BYTES;

const GROUP: u64 = GROUP_BYTES;

/// Accepted, and nothing sent: a folder, a small file, one of three and a half groups.
fn accepted() -> Pair {
    let mut source = Source::default();
    let top = source.folder(None, "d");
    source.file(Some(top), "small", pattern(10));
    source.file(
        Some(top),
        "large",
        pattern((3 * GROUP + GROUP / 2) as usize),
    );
    let mut pair = Pair::new(source);
    pair.receiver.look_ahead(1, 1);
    while let Some(frame) = pair.sender.poll_control() {
        pair.deliver(frame).unwrap();
    }
    for _ in 0..2 {
        if let Some(Bulk::Frame(frame)) = pair.sender.poll_bulk() {
            pair.deliver(frame).unwrap();
        }
    }
    pair.receiver.accept();
    hear(&mut pair).unwrap();
    assert_eq!(pair.sender.poll_bulk(), None, "no content before the looks");
    pair
}

fn hear(pair: &mut Pair) -> Result<(), Violation> {
    while let Some(frame) = pair.receiver.poll_control() {
        pair.reply(frame)?;
    }
    Ok(())
}

/// The disk has looked; credit comes, behind what it asked for.
fn looked(pair: &mut Pair, ask: &[(u32, u32)]) {
    while let Some(job) = pair.receiver.poll_job() {
        let look = matches!(job, Job::Look { .. });
        assert!(pair.receiver.poll_credit().is_none(), "not before the look");
        let (cost, content) = (job.cost(), job.content_bytes());
        if look {
            pair.receiver.ask(ask);
        } else {
            pair.disk.run(pair.receiver.manifest(), job);
        }
        pair.receiver.job_done(cost, content);
    }
    hear(pair).unwrap();
    let credit = pair.receiver.poll_credit().unwrap();
    pair.reply(credit.encode()).unwrap();
}

fn hashes(entry: u32, first: u32, count: usize) -> Frame {
    Frame::Hashes(Groups {
        entry,
        first,
        hashes: vec![[7; 32]; count],
    })
}

/// What needs no look is passed over without a job: credit comes all the same.
#[test]
fn files_that_need_no_look_hold_no_credit_back() {
    let mut source = Source::default();
    source.file(None, "one", pattern(10));
    for n in 0..300 {
        source.file(None, &format!("empty {n}"), Vec::new());
    }
    let mut pair = Pair::new(source);
    pair.receiver.look_ahead(1, 1);
    while let Some(frame) = pair.sender.poll_control() {
        pair.deliver(frame).unwrap();
    }
    while pair.receiver.counting() {
        let Some(Bulk::Frame(frame)) = pair.sender.poll_bulk() else {
            panic!("only the list may travel");
        };
        pair.deliver(frame).unwrap();
    }
    pair.receiver.accept();
    let look = pair.receiver.poll_job();
    assert!(matches!(look, Some(Job::Look { .. })));
    assert!(!pair.receiver.credit_is_due());
    pair.receiver.job_done(0, 0);
    assert_eq!(pair.receiver.poll_job(), None);
    assert!(pair.receiver.credit_is_due());
    pair.run().unwrap();
    pair.assert_exact();
}

#[test]
fn a_receiver_that_asks_for_what_is_not_there_is_refused() {
    for (what, files) in [
        ("a folder", vec![(0, 1)]),
        ("nothing", vec![(9, 1)]),
        ("no group", vec![(2, 0)]),
        ("more groups than there are", vec![(2, 5)]),
        ("a second time", vec![(2, 1), (2, 1)]),
    ] {
        let mut pair = accepted();
        let asked = Frame::Compare(Compare { files });
        assert!(pair.sender.handle_frame(asked).is_err(), "{what}");
    }
    let mut pair = Pair::new(Source::small_and_large());
    let early = Frame::Compare(Compare {
        files: vec![(1, 1)],
    });
    assert!(pair.sender.handle_frame(early).is_err(), "before accept");
}

#[test]
fn a_receiver_that_wishes_for_what_makes_no_sense_is_refused() {
    let end = 3 * GROUP + GROUP / 2;
    let bad = [
        ("in the middle of a group", 2, vec![(5, GROUP)]),
        ("to the middle of a group", 2, vec![(0, GROUP + 1)]),
        ("nothing", 2, vec![(GROUP, GROUP)]),
        ("backwards", 2, vec![(GROUP, 0)]),
        ("twice", 2, vec![(0, 2 * GROUP), (GROUP, 3 * GROUP)]),
        ("beyond the end", 2, vec![(0, 4 * GROUP)]),
        ("a file that nobody asked about", 1, vec![(0, 10)]),
        ("a folder", 0, vec![]),
        ("nobody", 77, vec![]),
    ];
    for (what, entry, ranges) in bad {
        let mut pair = accepted();
        looked(&mut pair, &[(2, 4)]);
        let told = pair.sender.poll_bulk();
        assert!(matches!(told, Some(Bulk::Hash { entry: 2, .. })));
        let want = Frame::Want(Want { entry, ranges });
        assert!(pair.sender.handle_frame(want).is_err(), "{what}");
    }
    let mut pair = accepted();
    let compare = Frame::Compare(Compare {
        files: vec![(2, 4)],
    });
    pair.sender.handle_frame(compare).unwrap();
    let want = Frame::Want(Want {
        entry: 2,
        ranges: vec![(0, end)],
    });
    assert!(pair.sender.handle_frame(want).is_err(), "before the hashes");
}

#[test]
fn a_sender_that_tells_other_hashes_than_were_asked_for_is_refused() {
    let bad: Vec<(&str, Vec<Frame>)> = vec![
        ("nobody asked", vec![hashes(1, 0, 1)]),
        ("of a folder", vec![hashes(0, 0, 1)]),
        ("of nothing", vec![hashes(9, 0, 1)]),
        ("not from the beginning", vec![hashes(2, 1, 1)]),
        ("a gap", vec![hashes(2, 0, 1), hashes(2, 2, 1)]),
        ("twice", vec![hashes(2, 0, 2), hashes(2, 0, 2)]),
        ("too many", vec![hashes(2, 0, 4)]),
        ("none", vec![hashes(2, 0, 0)]),
        ("and content", vec![hashes(2, 0, 1), data(2, 0, 10)]),
    ];
    for (what, frames) in bad {
        let mut pair = accepted();
        looked(&mut pair, &[(2, 3)]);
        let results: Vec<_> = frames
            .into_iter()
            .map(|frame| pair.receiver.handle_frame(frame))
            .collect();
        let (last, before) = results.split_last().unwrap();
        assert!(last.is_err(), "{what} must be refused");
        assert!(before.iter().all(Result::is_ok), "{what}: not before");
    }
}

#[test]
fn content_that_was_on_its_way_when_it_was_asked_about_comes_as_usual() {
    let mut pair = accepted();
    looked(&mut pair, &[]);
    // The small one goes first; then the large one has begun.
    for _ in 0..2 {
        let bulk = pair.sender.poll_bulk().unwrap();
        let frame = pair.read(bulk).unwrap();
        pair.deliver(frame).unwrap();
    }
    pair.receiver.ask(&[(1, 1), (2, 4)]);
    assert_eq!(pair.receiver.poll_control(), None, "it has come already");
    let compare = Frame::Compare(Compare {
        files: vec![(1, 1), (2, 4)],
    });
    pair.sender.handle_frame(compare).unwrap();
    pair.run().unwrap();
    pair.assert_exact();
}
