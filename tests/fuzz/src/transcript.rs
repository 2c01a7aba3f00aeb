//! A conversation's file that somebody left in the data folder.

use std::fs;

use ropeway::model::{Delivery, DeviceId, MessageId, Said};
use ropeway::storage::transcripts::{MOST_LINES, MOST_STREAMS, Record, Transcript, Transcripts};

const DEVICE: DeviceId = DeviceId([1; 32]);

/// It is bounded, the same when it is read again, and what is added to it is there, whatever stood
/// there before; a newer one stays as it is.
pub fn transcript(data: &[u8]) {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("conversations");
    fs::create_dir(&folder).expect("a folder in it");
    let path = folder.join(format!("{DEVICE}.jsonl"));
    fs::write(&path, data).expect("a file in it");
    let transcripts = Transcripts::new(home.path());
    let (first, trouble) = transcripts.read(DEVICE);
    assert!(first.known.len() <= MOST_STREAMS);
    let again = transcripts.read(DEVICE);
    assert!(again.1.is_none() || trouble.is_some());
    same(&first, &again.0);
    let heard = Record::Heard {
        at: 5,
        id: MessageId([9; 16]),
        stream: [8; 16],
        number: u64::MAX,
        text: "hello".into(),
    };
    let added = transcripts
        .lock()
        .and_then(|locked| locked.append(DEVICE, &[heard]));
    if added.is_err() {
        assert_eq!(fs::read(&path).expect("it is still there"), data);
        return;
    }
    let (after, _) = transcripts.read(DEVICE);
    let last = after.lines.last().map(|(line, _)| &line.what);
    assert!(matches!(last, Some(Said::Text { text, .. }) if text == "hello"));
    assert!(after.known.last() == Some(&([8; 16], u64::MAX)));
    transcripts.compact(DEVICE, true).expect("room for it");
    let (compact, trouble) = transcripts.read(DEVICE);
    assert!(trouble.is_none());
    same(&after, &compact);
    let waiting =
        |what: &Said| matches!(what, Said::Text { delivery, .. } if *delivery == Delivery::Waiting);
    let over = compact
        .lines
        .iter()
        .filter(|(line, _)| !waiting(&line.what));
    assert!(over.count() <= MOST_LINES);
    transcripts.compact(DEVICE, false).expect("room for it");
    let (cleared, _) = transcripts.read(DEVICE);
    assert!(cleared.lines.is_empty() && cleared.known == compact.known);
}

fn same(a: &Transcript, b: &Transcript) {
    assert!(a.lines == b.lines && a.known == b.known && a.key == b.key);
    assert!(a.name == b.name && (a.name.is_none() || a.address == b.address));
}
