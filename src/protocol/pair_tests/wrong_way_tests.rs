//! What only the other end may say, in every state; and credit beyond all measure.

use super::super::bulk::{Credit, FileEnd, Groups, Want};
use super::super::message::{
    Accept, Challenge, Compare, Decline, Failed, Hello, Hex, Kept, ManifestEnd, ManifestPart,
    Method, Offer, Proof, Received, Status, Verify, WireProblem,
};
use super::*;

fn greeting() -> Vec<Frame> {
    let proof = Proof {
        proof: Hex([0; 32]),
    };
    vec![
        Frame::Hello(Hello {
            versions: vec![1],
            features: Vec::new(),
            name: "x".into(),
            system: String::new(),
            accepts: Vec::new(),
        }),
        Frame::Verify(Verify {
            method: Method::Code,
            pake: Some(Hex([0; 33])),
            transfer: None,
            challenge: Hex([0; 32]),
        }),
        Frame::Challenge(Challenge {
            pake: None,
            challenge: Hex([0; 32]),
        }),
        Frame::Answer(proof.clone()),
        Frame::Proof(proof),
        Frame::Refused,
    ]
}

fn of_a_server() -> Vec<Frame> {
    let transfer = Hex(TRANSFER.0);
    let groups = Groups {
        entry: 2,
        first: 0,
        hashes: vec![[0; 32]],
    };
    vec![
        Frame::Accept(Accept {
            transfer,
            credit: 1,
        }),
        Frame::Decline(Decline { transfer }),
        Frame::Status(Status::default()),
        Frame::Received(Received::default()),
        Frame::Safe,
        Frame::Kept(Kept::default()),
        Frame::Compare(Compare {
            files: vec![(2, 1)],
        }),
        Frame::Credit(Credit {
            granted: 1,
            held: 0,
        }),
        Frame::Groups(groups),
        Frame::Want(Want {
            entry: 2,
            ranges: Vec::new(),
        }),
    ]
}

fn of_a_client() -> Vec<Frame> {
    let groups = Groups {
        entry: 2,
        first: 0,
        hashes: vec![[0; 32]],
    };
    vec![
        Frame::Offer(Offer {
            transfer: Hex(TRANSFER.0),
        }),
        Frame::Manifest(ManifestPart {
            entries: Vec::new(),
        }),
        Frame::ManifestEnd(ManifestEnd {
            entries: 0,
            bytes: 0,
        }),
        Frame::Failed(Failed {
            entry: 1,
            problem: WireProblem {
                code: "link".into(),
                detail: String::new(),
            },
        }),
        Frame::Finish,
        small(1, 10),
        data(2, 0, 10),
        Frame::FileEnd(FileEnd {
            entry: 2,
            len_bytes: 1,
            hash: [0; 32],
        }),
        Frame::Hashes(groups),
    ]
}

fn source() -> Source {
    let mut source = Source::default();
    let top = source.folder(None, "d");
    source.file(Some(top), "small", pattern(10));
    source.file(Some(top), "large", pattern(700_000));
    source
}

/// Both ends after so many steps of a transfer from its beginning to its end.
fn after(steps: usize) -> (Pair, bool) {
    let mut pair = Pair::new(source());
    for _ in 0..steps {
        let frame = match pair.sender.poll_control() {
            Some(frame) => Some(frame),
            None => match pair.sender.poll_bulk() {
                Some(bulk) => pair.read(bulk),
                None => None,
            },
        };
        let moved = frame.is_some();
        if let Some(frame) = frame {
            pair.deliver(frame).unwrap();
        }
        if !pair.answer().unwrap() && !moved {
            return (pair, true);
        }
    }
    (pair, false)
}

#[test]
fn what_only_the_other_end_may_say_is_refused_in_every_state() {
    let mut states = 0;
    for steps in 0.. {
        let wrong_here = greeting().into_iter().chain(of_a_server());
        for frame in wrong_here {
            let (mut pair, _) = after(steps);
            let kind = frame.kind();
            let heard = pair.receiver.handle_frame(frame);
            assert!(heard.is_err(), "0x{kind:02x} to a receiver after {steps}");
        }
        let wrong_there = greeting().into_iter().chain(of_a_client());
        for frame in wrong_there {
            let (mut pair, _) = after(steps);
            let kind = frame.kind();
            let heard = pair.sender.handle_frame(frame);
            assert!(heard.is_err(), "0x{kind:02x} to a sender after {steps}");
        }
        states += 1;
        if after(steps).1 {
            break;
        }
    }
    assert!(states > 5, "offer, list, content, end: {states}");
}

#[test]
fn credit_beyond_all_measure_changes_nothing_but_the_pace() {
    let mut pair = Pair::new(source());
    pair.accept = false;
    pair.run().unwrap();
    let most = Credit {
        granted: u64::MAX,
        held: u64::MAX,
    };
    let accept = Accept {
        transfer: Hex(TRANSFER.0),
        credit: u64::MAX,
    };
    pair.sender.handle_frame(Frame::Accept(accept)).unwrap();
    pair.sender.handle_frame(Frame::Credit(most)).unwrap();
    let mut sent = 0;
    while let Some(bulk) = pair.sender.poll_bulk() {
        if let Some(frame) = pair.read(bulk) {
            sent += frame.len();
        }
    }
    let content = 700_010;
    assert!((content..content + 10_000).contains(&sent), "{sent}");
    assert!(pair.sender.held_bytes() <= content as u64);
}
