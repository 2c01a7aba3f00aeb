//! Frames of three connections of one transfer, as they come in any turn, to the merger.

use std::collections::BTreeMap;

use ropeway::protocol::striping::{Merger, Sorted, Stripe, Taken};
use ropeway::protocol::{Buffers, Decoder, Frame, Limit};

const CREDIT: u64 = 1 << 20;

/// Pieces: connection, two bytes of length, bytes. What is given out are the numbers from 0 on without a
/// gap, each once; nothing that an attached connection brought comes before number 0 or without a
/// number; and what waits is within its bounds.
pub fn striping(data: &[u8]) {
    let mut connections = [Stripe::first(), Stripe::attached(), Stripe::attached()]
        .map(|stripe| (stripe, Decoder::new(Buffers::new(1))));
    let mut merger = Merger::default();
    let mut waiting = BTreeMap::new();
    let mut given = 0;
    let mut rest = data;
    while let [which, high, low, more @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(more.len());
        let (mut piece, after) = more.split_at(length);
        rest = after;
        let at = usize::from(*which) % connections.len();
        let (stripe, decoder) = &mut connections[at];
        while let Some(raw) = match decoder.feed(&mut piece, Limit::Session) {
            Ok(raw) => raw,
            Err(_violation) => return,
        } {
            let cost = raw.body.len() as u64 + 256;
            let Ok(frame) = Frame::parse(raw) else { return };
            // These are answered below the stripes.
            let Some(frame) = frame.filter(|frame| !matches!(frame, Frame::Ping | Frame::Pong))
            else {
                continue;
            };
            let content = matches!(frame, Frame::Data(_) | Frame::Batch(_) | Frame::Hashes(_));
            let sorted = match stripe.sort(frame) {
                Ok(sorted) => sorted,
                Err(_violation) => return,
            };
            match sorted {
                Sorted::Nothing => {}
                Sorted::Plain(_) => {
                    assert!(at == 0, "an attached connection carries nothing plain")
                }
                Sorted::Numbered(number, frame) => match merger.take(stripe, number, frame, CREDIT)
                {
                    Err(_violation) => return,
                    Ok(Taken::TooEarly(_)) => {
                        assert!(at > 0 && number > given && !content);
                        // Here nobody waits for its turn.
                        return;
                    }
                    Ok(Taken::Kept) => {
                        assert!(number >= given && (number > 0 || at == 0));
                        let before = waiting.insert(number, if content { cost } else { 0 });
                        assert_eq!(before, None, "a number twice");
                    }
                },
            }
            while merger.poll().is_some() {
                assert!(waiting.remove(&given).is_some(), "nobody brought this one");
                given += 1;
            }
            assert_eq!(merger.is_waiting(), !waiting.is_empty());
            assert!(waiting.values().sum::<u64>() <= CREDIT);
        }
    }
}
