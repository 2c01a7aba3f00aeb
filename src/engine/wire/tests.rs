//! Frames meet a stream in any pieces, and whoever watches sees in which.

use std::net::{SocketAddr, TcpListener, TcpStream};

use super::*;
use crate::protocol::bulk::{Credit, DataFrame};
use crate::protocol::frame::{encode, kind};
use crate::protocol::{Buffers, Decoder, Limit};

fn watched() -> (Wire, Trace) {
    let wire = Wire::default();
    wire.watch(true);
    let trace = wire.open("send-1".into(), Purpose::Send, Phase::Resolving);
    (wire, trace)
}

/// Feeds a stream as [`super::super::link::Link`] does, so many bytes a read.
fn feed(trace: &Trace, stream: &[u8], piece: usize) {
    let mut decoder = Decoder::new(Buffers::new(1));
    for mut read in stream.chunks(piece) {
        trace.read(read.len(), decoder.is_within_frame());
        while let Some(frame) = decoder.feed(&mut read, Limit::Session).unwrap() {
            trace.came(frame.kind, frame.body.len());
        }
        trace.read_over();
    }
}

fn frames(wire: &Wire) -> Vec<Frames> {
    let connection = wire.look(Instant::now()).remove(0);
    let seen = connection.seen.iter();
    seen.filter_map(|seen| match &seen.what {
        What::Frames(frames) => Some(*frames),
        What::Phase(_) => None,
    })
    .collect()
}

fn three() -> Vec<u8> {
    let offer = encode(kind::OFFER, b"{}");
    let end = encode(kind::MANIFEST_END, b"{...}");
    [offer, end, encode(kind::FINISH, b"")].concat()
}

#[test]
fn three_frames_in_one_read_are_seen_as_that_and_byte_by_byte_as_one_in_many() {
    let (wire, trace) = watched();
    feed(&trace, &three(), usize::MAX);
    let together = frames(&wire);
    let story: Vec<_> = together.iter().map(|f| (f.name, f.bytes)).collect();
    assert_eq!(story, [("offer", 7), ("manifest end", 10), ("finish", 5)]);
    assert!(together.iter().all(|f| (f.last_call, f.calls) == (1, 1)));

    let (wire, trace) = watched();
    feed(&trace, &three(), 1);
    let apart: Vec<_> = frames(&wire).iter().map(|f| f.calls).collect();
    assert_eq!(apart, [7, 10, 5], "a read a byte");
    let counts = wire.look(Instant::now())[0].counts;
    assert_eq!(
        (counts.reads, counts.frames_in, counts.bytes_in),
        (22, 3, 22)
    );
}

#[test]
fn a_read_may_bring_the_end_of_one_frame_and_the_beginning_of_another() {
    let (wire, trace) = watched();
    // 7 + 10 + 5 bytes in reads of 9: 0..9, 9..18, 18..22.
    feed(&trace, &three(), 9);
    let calls: Vec<_> = frames(&wire)
        .iter()
        .map(|f| (f.last_call, f.calls))
        .collect();
    assert_eq!(calls, [(1, 1), (2, 2), (3, 2)]);
}

#[test]
fn two_frames_written_together_are_one_write() {
    let (wire, trace) = watched();
    trace.wrote(&three());
    trace.wrote(&encode(kind::PING, b""));
    let calls: Vec<_> = frames(&wire).iter().map(|f| (f.out, f.last_call)).collect();
    assert_eq!(calls, [(true, 1), (true, 1), (true, 1), (true, 2)]);
    let counts = wire.look(Instant::now())[0].counts;
    assert_eq!((counts.writes, counts.frames_out), (2, 4));
    // Of a length that lies nothing is read that is not there.
    trace.wrote(&[0xff, 0xff, 0xff, 0xff, 1, 2]);
    trace.wrote(&[0, 0]);
}

#[test]
fn a_stream_runs_together_and_the_story_around_it_stays_within_bounds() {
    let (wire, trace) = watched();
    trace.wrote(&three());
    for n in 0..1234_u64 {
        trace.wrote(&DataFrame::new(Vec::new(), 100).seal(0, n * 100));
        if n % 16 == 0 {
            let credit = Credit {
                granted: n,
                held: n,
            };
            feed(&trace, &credit.encode(), usize::MAX);
        }
    }
    let seen = frames(&wire);
    let story: Vec<_> = seen.iter().map(|f| (f.name, f.count)).collect();
    let names = [("offer", 1), ("manifest end", 1), ("finish", 1)];
    assert_eq!(
        story,
        [&names[..], &[("data", 1234), ("credit", 78)]].concat()
    );
    assert_eq!((seen[3].bytes, seen[3].calls), (1234 * 117, 1234));
    assert_eq!(seen[4].calls, 78);
    for _ in 0..1000 {
        trace.wrote(&encode(kind::PAUSE, b""));
    }
    assert_eq!(frames(&wire).len(), 200);
}

#[test]
fn where_a_connection_stands_is_known_before_anybody_watches_and_frames_only_then() {
    let wire = Wire::default();
    let trace = wire.open("send-1".into(), Purpose::Send, Phase::Resolving);
    let until = Instant::now() + Duration::from_secs(8);
    trace.phase(Phase::Handshake, Some(until));
    trace.step(Phase::Hello);
    feed(&trace, &three(), usize::MAX);
    wire.watch(true);
    let found = wire.look(Instant::now()).remove(0);
    assert_eq!((&found.phase, found.until), (&Phase::Hello, Some(until)));
    assert_eq!(found.counts.frames_in, 3);
    assert!(found.seen.is_empty());
    trace.step(Phase::Challenge);
    assert_eq!(wire.look(Instant::now())[0].seen.len(), 1);
    wire.watch(false);
    assert!(wire.look(Instant::now())[0].seen.is_empty());
}

#[test]
fn what_has_ended_stays_for_a_while_and_not_all_of_it() {
    let (wire, trace) = watched();
    let last = Closed::Failed(crate::model::Failure::Lost);
    trace.close(last.clone());
    drop(Ends(trace));
    let found = wire.look(Instant::now()).remove(0);
    assert_eq!(
        found.phase,
        Phase::Closed(last),
        "the first last word counts"
    );
    for n in 0..1000 {
        let label = format!("client-{n}");
        drop(Ends(wire.open(label, Purpose::Unknown, Phase::Handshake)));
    }
    wire.open("listen".into(), Purpose::Listen, Phase::Listening);
    wire.open("client-1000".into(), Purpose::Unknown, Phase::Handshake);
    let found = wire.look(Instant::now());
    let labels: Vec<_> = found.iter().map(|found| found.label.as_str()).collect();
    assert_eq!(labels[..3], ["listen", "client-1000", "client-999"]);
    assert!(labels.len() <= ENDED + 2 && labels.len() > ENDED / 2);
}

#[test]
fn a_goodbye_has_the_reason_that_was_said_before_it_and_a_loss_its_own() {
    let declined = crate::model::Failure::Declined;
    for (closed, last) in [
        (Closed::Goodbye, Closed::Failed(declined.clone())),
        (Closed::Lost, Closed::Lost),
    ] {
        let (wire, trace) = watched();
        trace.because(&declined);
        trace.because(&crate::model::Failure::Lost);
        trace.close(closed);
        let found = wire.look(Instant::now()).remove(0);
        assert_eq!(found.phase, Phase::Closed(last));
    }
}

#[test]
fn a_transfer_that_stands_still_says_for_whom() {
    let (wire, trace) = watched();
    trace.phase(Phase::Sending(Flow::Moves), None);
    trace.work(Work::Credit);
    let phase = || wire.look(Instant::now()).remove(0).phase;
    assert_eq!(phase(), Phase::Sending(Flow::Credit));
    trace.writing(true);
    assert_eq!(phase(), Phase::Sending(Flow::Socket));
    trace.wrote(&DataFrame::new(Vec::new(), 10_000).seal(0, 0));
    assert_eq!(phase(), Phase::Sending(Flow::Moves));
    let holds = crate::model::Holds {
        here: None,
        there: Some(crate::model::Hold::Person),
    };
    trace.held(holds);
    assert_eq!(phase(), Phase::Held(holds));
    trace.held(crate::model::Holds::default());
    assert_eq!(phase(), Phase::Sending(Flow::Socket));
}

#[test]
fn both_ends_of_a_socket_are_named() {
    let (wire, trace) = watched();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let there: SocketAddr = listener.local_addr().unwrap();
    let socket = TcpStream::connect(there).unwrap();
    trace.connected(&socket);
    let found = wire.look(Instant::now()).remove(0);
    assert_eq!(found.remote, Some(there));
    assert_eq!(found.local, Some(socket.local_addr().unwrap()));
    assert!(found.dialled);
}
