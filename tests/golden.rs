//! Every file under tests/golden is a frame with what it means; peers in other languages can check
//! themselves against the same files.

// Helpers of tests are tests, too; clippy only knows the functions that are marked.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use data_encoding::HEXLOWER;
use ropeway::discovery::beacon::{Announcement, Beacon};
use ropeway::model::Entry;
use ropeway::protocol::{Buffers, Decoder, Frame, Limit, Violation};
use serde_json::{Value, json};

fn understand(limit: Limit, bytes: &[u8]) -> Result<Option<Frame>, Violation> {
    let mut input = bytes;
    let raw = Decoder::new(Buffers::new(1)).feed(&mut input, limit)?;
    let frame = Frame::parse(raw.expect("a whole frame"))?;
    // The receiving machine makes entries of a manifest at once; that is where names are refused.
    if let Some(Frame::Manifest(part)) = &frame {
        for wire in &part.entries {
            Entry::try_from(wire.clone())?;
        }
    }
    Ok(frame)
}

fn fields(frame: Option<&Frame>) -> Value {
    let hex = |bytes: &[u8]| HEXLOWER.encode(bytes);
    match frame {
        None => json!({"skipped": true}),
        Some(Frame::Data(data)) => json!({
            "entry": data.entry, "offset": data.offset, "content": hex(data.content()),
        }),
        Some(Frame::Batch(batch)) => {
            let items = batch.items.iter().map(|item| {
                json!({
                    "entry": item.entry,
                    "hash": hex(&item.hash),
                    "content": hex(batch.content(item)),
                })
            });
            json!({"items": items.collect::<Vec<_>>()})
        }
        Some(Frame::FileEnd(end)) => json!({
            "entry": end.entry, "length": end.len_bytes, "hash": hex(&end.hash),
        }),
        Some(Frame::Credit(credit)) => json!({"granted": credit.granted, "held": credit.held}),
        Some(Frame::Number(number)) => json!({"number": number}),
        Some(Frame::Want(want)) => json!({"entry": want.entry, "ranges": want.ranges}),
        Some(Frame::Groups(groups) | Frame::Hashes(groups)) => json!({
            "entry": groups.entry,
            "first": groups.first,
            "hashes": groups.hashes.iter().map(|hash| hex(hash)).collect::<Vec<_>>(),
        }),
        Some(_empty) => json!({}),
    }
}

fn check(path: &Path) {
    let name = path.display();
    let golden: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let bytes = HEXLOWER
        .decode(golden["frame"].as_str().unwrap().as_bytes())
        .unwrap();
    let limit = match golden["limit"].as_str() {
        Some("greeting") => Limit::Greeting,
        Some("session") => Limit::Session,
        other => panic!("{name}: limit {other:?}"),
    };
    let understood = understand(limit, &bytes);
    if golden["violation"] == json!(true) {
        assert!(understood.is_err(), "{name} must be refused");
        return;
    }
    let frame = understood.unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(json!(bytes[4]), golden["type"], "{name}");
    if let Some(expected) = golden.get("json") {
        let body: Value = serde_json::from_slice(&bytes[5..]).unwrap();
        assert_eq!(&body, expected, "{name}: the frame's own body");
        let again = frame.expect("a known frame").encode();
        let body: Value = serde_json::from_slice(&again[5..]).unwrap();
        assert_eq!(&body, expected, "{name}: read and written again");
    } else {
        assert_eq!(fields(frame.as_ref()), golden["fields"], "{name}");
    }
}

#[test]
fn every_golden_frame_means_what_its_file_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut checked = 0;
    // The folders beside the frames have tests of their own.
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    for path in files.filter(|path| path.is_file()) {
        check(&path);
        checked += 1;
    }
    assert!(checked >= 70, "only {checked} golden frames were found");
}

#[test]
fn every_golden_beacon_means_what_its_file_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/beacons");
    let mut checked = 0;
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.display();
        let golden: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let bytes = golden["datagram"].as_str().unwrap().as_bytes();
        let bytes = HEXLOWER.decode(bytes).unwrap();
        let understood = Beacon::parse(&bytes);
        checked += 1;
        if golden["refused"] == json!(true) {
            assert!(understood.is_err(), "{name} must be refused");
            continue;
        }
        let beacon = understood.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(meaning(&beacon), golden["means"], "{name}");
        let again = Beacon::parse(&beacon.to_bytes()).unwrap();
        assert_eq!(again, beacon, "{name}: written and read again");
    }
    assert!(checked >= 18, "only {checked} golden beacons were found");
}

fn meaning(beacon: &Beacon) -> Value {
    let instance = HEXLOWER.encode(&beacon.instance().0);
    match beacon {
        Beacon::Announce(Announcement {
            device,
            name,
            system,
            port,
            call,
            ..
        }) => json!({
            "kind": "announce", "device": device.to_string(), "instance": instance,
            "name": name.as_str(), "system": system.as_str(), "port": port,
            "call": call.as_ref().map(|call| HEXLOWER.encode(&call.to_bytes())),
        }),
        Beacon::Query(_) => json!({"kind": "query", "instance": instance}),
        Beacon::Goodbye(device, _) => json!({
            "kind": "goodbye", "device": device.to_string(), "instance": instance,
        }),
    }
}
