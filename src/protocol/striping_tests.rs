//! Any interleaving gives the order back, and no sequence holds more than the bounds say.

use proptest::prelude::*;

use super::super::bulk::{Data, DataFrame};
use super::super::frame::HEADER_BYTES;
use super::super::message::{Cancel, Failed, ManifestPart, WireProblem};
use super::*;

/// What the peers here were granted.
const CREDIT: u64 = 4 << 20;

fn data(offset: u64, len: usize) -> Frame {
    let frame = DataFrame::new(Vec::new(), len).seal(0, offset);
    Frame::Data(Data::parse(frame[HEADER_BYTES..].to_vec()).unwrap())
}

fn failed(entry: u32, detail: usize) -> Frame {
    Frame::Failed(Failed {
        entry,
        problem: WireProblem {
            code: "other".into(),
            detail: "x".repeat(detail),
        },
    })
}

/// Hands a frame with its number to a connection, and on.
fn bring(
    merger: &mut Merger,
    stripe: &mut Stripe,
    number: u64,
    frame: Frame,
) -> Result<Taken, Violation> {
    assert_eq!(stripe.sort(Frame::Number(number))?, Sorted::Nothing);
    match stripe.sort(frame)? {
        Sorted::Numbered(number, frame) => merger.take(stripe, number, frame, CREDIT),
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_interleaving_of_up_to_eight_connections_gives_the_order_back(
        ways in prop::collection::vec(0_usize..8, 1..200),
        turns in prop::collection::vec(any::<prop::sample::Index>(), 200),
    ) {
        // Number 0 goes by the first connection, as does nothing that costs no credit.
        let free = |number: usize| number % 5 == 4;
        let way = |number: usize| match (number, ways[number]) {
            (0, _) => 0,
            (number, 0) if free(number) => 1,
            (_, way) => way,
        };
        let frame = |number: usize| match free(number) {
            true => failed(number as u32, 60_000),
            false => data(number as u64, 20_000),
        };
        let mut queues = vec![std::collections::VecDeque::new(); 8];
        for number in 0..ways.len() {
            queues[way(number)].push_back(number);
        }
        let mut stripes: Vec<_> = (0..8)
            .map(|at| if at == 0 { Stripe::first() } else { Stripe::attached() })
            .collect();
        // What an unread connection has in hand.
        let mut in_hand: Vec<Option<(u64, Frame)>> = vec![None; 8];
        let mut merger = Merger::default();
        let mut given = Vec::new();
        let mut turns = turns.iter().cycle();
        let mut idle = 0;
        while given.len() < ways.len() {
            let at = turns.next().unwrap().index(8);
            let (number, frame) = match in_hand[at].take() {
                Some(again) => again,
                None => {
                    // Whoever is chosen by chance may have nothing left.
                    let at = (0..8).map(|n| (at + n) % 8)
                        .find(|at| in_hand[*at].is_some() || !queues[*at].is_empty())
                        .unwrap();
                    match in_hand[at].take() {
                        Some(again) => again,
                        None => {
                            let number = queues[at].pop_front().unwrap();
                            stripes[at].sort(Frame::Number(number as u64)).unwrap();
                            match stripes[at].sort(frame(number)).unwrap() {
                                Sorted::Numbered(number, frame) => (number, frame),
                                other => panic!("{other:?}"),
                            }
                        }
                    }
                }
            };
            let at = way(number as usize);
            match merger.take(&stripes[at], number, frame, CREDIT).unwrap() {
                Taken::Kept => idle = 0,
                Taken::TooEarly(frame) => {
                    in_hand[at] = Some((number, frame));
                    idle += 1;
                    prop_assert!(idle < 2000, "all wait for each other");
                }
            }
            while let Some(frame) = merger.poll() {
                given.push(frame);
            }
            prop_assert!(merger.paid <= CREDIT && merger.free <= FREE_BYTES + 61_000);
        }
        prop_assert!(!merger.is_waiting());
        prop_assert_eq!((merger.paid, merger.free), (0, 0));
        for (number, given) in given.into_iter().enumerate() {
            prop_assert_eq!(given, frame(number));
        }
    }

    #[test]
    fn whatever_a_peer_numbers_no_more_waits_than_the_window_and_a_few_free_frames(
        said in prop::collection::vec((0_usize..3, 0_u64..40, 0_usize..3, 0_usize..300_000), 1..150),
    ) {
        let mut stripes = [Stripe::first(), Stripe::attached(), Stripe::attached()];
        let mut merger = Merger::default();
        let mut held = 0;
        for (at, number, what, len) in said {
            let frame = match what {
                0 => data(0, len),
                1 => failed(0, len),
                _ => Frame::Finish,
            };
            // A violation would end it; here the peer goes on all the same.
            let _ = bring(&mut merger, &mut stripes[at], number, frame);
            while merger.poll().is_some() {}
            held = held.max(merger.waiting.len());
            prop_assert!(merger.paid <= CREDIT);
            prop_assert!(merger.free <= FREE_BYTES + 300_000 + FRAME_BYTES);
        }
        prop_assert!(held <= 40);
    }
}

#[test]
fn numbers_out_of_order_twice_or_behind_are_violations() {
    for (attached, numbers) in [
        (false, vec![1]),
        (false, vec![0, 0]),
        (false, vec![0, 2, 1]),
        (true, vec![0]),
        (true, vec![3, 3]),
        (true, vec![3, 2]),
    ] {
        let mut merger = Merger::default();
        let mut stripe = match attached {
            true => Stripe::attached(),
            false => Stripe::first(),
        };
        let mut numbers = numbers.iter();
        let last = *numbers.next_back().unwrap();
        for number in numbers {
            bring(&mut merger, &mut stripe, *number, data(0, 1)).unwrap();
        }
        let refused = bring(&mut merger, &mut stripe, last, data(0, 1));
        assert!(refused.is_err(), "{attached} {last}");
    }
    // Over two connections.
    let (mut first, mut attached) = (Stripe::first(), Stripe::attached());
    let mut merger = Merger::default();
    bring(&mut merger, &mut first, 0, data(0, 1)).unwrap();
    bring(&mut merger, &mut attached, 2, data(0, 1)).unwrap();
    assert!(bring(&mut merger, &mut first, 2, data(0, 1)).is_err());
    assert!(merger.poll().is_some() && merger.poll().is_none());
    let mut other = Stripe::attached();
    bring(&mut merger, &mut other, 1, data(0, 1)).unwrap();
    while merger.poll().is_some() {}
    let mut late = Stripe::attached();
    assert!(bring(&mut merger, &mut late, 1, data(0, 1)).is_err());
}

#[test]
fn a_number_belongs_to_the_bulk_frame_behind_it_and_to_nothing_else() {
    let cancel = || Frame::Cancel(Cancel { problem: None });
    let number = |stripe: &mut Stripe, number| stripe.sort(Frame::Number(number)).unwrap();
    // Before numbering begins the first connection is as it always was.
    let mut first = Stripe::first();
    assert!(matches!(first.sort(data(0, 1)), Ok(Sorted::Plain(_))));
    assert!(matches!(first.sort(cancel()), Ok(Sorted::Plain(_))));
    number(&mut first, 0);
    assert!(first.sort(cancel()).is_err(), "nothing in between");
    let mut first = Stripe::first();
    number(&mut first, 0);
    assert!(first.sort(Frame::Number(1)).is_err(), "two numbers");
    let mut first = Stripe::first();
    number(&mut first, 0);
    assert!(first.sort(data(0, 1)).is_ok());
    assert!(
        matches!(first.sort(cancel()), Ok(Sorted::Plain(_))),
        "control goes on plain"
    );
    assert!(first.sort(data(0, 1)).is_err(), "bulk does not");
    for frame in [cancel(), data(0, 1), Frame::GoOn, Frame::Remember] {
        assert!(Stripe::attached().sort(frame).is_err());
    }
}

#[test]
fn too_much_credit_is_a_violation_and_too_many_free_frames_wait_on_attached_connections_alone() {
    let mut merger = Merger::default();
    let mut attached = Stripe::attached();
    let refused = (1..)
        .find(|number| bring(&mut merger, &mut attached, *number, data(0, 256 << 10)).is_err());
    assert_eq!(refused, Some(CREDIT.div_euclid((256 << 10) + 268) + 1));

    let mut merger = Merger::default();
    let (mut first, mut attached) = (Stripe::first(), Stripe::attached());
    let too_early = (1..).find(|number| {
        let taken = bring(&mut merger, &mut attached, *number, failed(0, 60_000));
        matches!(taken, Ok(Taken::TooEarly(_)))
    });
    assert_eq!(too_early, Some(FREE_BYTES / (60_000 + 5 + FRAME_BYTES) + 1));
    let part = ManifestPart {
        entries: Vec::new(),
    };
    let mut other = Stripe::attached();
    let kept = bring(&mut merger, &mut other, 2000, Frame::Manifest(part));
    assert!(matches!(kept, Ok(Taken::Kept)), "a small one has room");
    // What all wait for is taken, however much waits.
    bring(&mut merger, &mut first, 0, failed(0, 60_000)).unwrap();
    let refused = bring(&mut merger, &mut first, 1000, failed(0, 60_000));
    assert!(
        refused.is_err(),
        "the first connection is never left unread"
    );
}

#[test]
fn only_frames_that_cost_credit_are_told_apart_as_such() {
    for (frame, costs) in [
        (DataFrame::new(Vec::new(), 3).seal(1, 2), true),
        (Frame::Finish.encode(), false),
        (failed(1, 2).encode(), false),
        (Vec::new(), false),
    ] {
        assert_eq!(costs_credit(&frame), costs);
    }
}
