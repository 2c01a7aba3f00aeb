//! Conversations on the disk: torn, damaged, newer, too long, and written by two at once.

use std::fs;
use std::path::{Path, PathBuf};

use ropeway::model::{Delivery, DeviceId, Line, MessageId, Said};
use ropeway::storage::transcripts::{MOST_LINES, Record, Transcript, Transcripts, Trouble};

const DEVICE: DeviceId = DeviceId([3; 32]);

fn heard(n: u64) -> Record {
    Record::Heard {
        at: n,
        id: MessageId([n as u8; 16]),
        stream: [1; 16],
        number: n,
        text: format!("message {n}"),
    }
}

fn said(n: u64) -> Record {
    Record::Said {
        at: n,
        id: MessageId([n as u8; 16]),
        stream: [2; 16],
        number: n,
        text: format!("answer {n}"),
        delivery: Delivery::Waiting,
    }
}

fn append(at: &Path, records: &[Record]) {
    let transcripts = Transcripts::new(at);
    let locked = transcripts.lock().unwrap();
    locked.append(DEVICE, records).unwrap();
}

fn read(at: &Path) -> Transcript {
    let (transcript, trouble) = Transcripts::new(at).read(DEVICE);
    assert!(trouble.is_none(), "{trouble:?}");
    transcript
}

fn file(at: &Path) -> PathBuf {
    at.join("conversations").join(format!("{DEVICE}.jsonl"))
}

fn texts(transcript: &Transcript) -> Vec<&str> {
    let lines = transcript.lines.iter();
    let texts = lines.filter_map(|(line, _)| match line {
        Line {
            what: Said::Text { text, .. },
            ..
        } => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

#[test]
fn a_file_torn_at_any_byte_keeps_every_whole_line_and_can_be_added_to() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    append(at, &[heard(1), said(2), heard(3)]);
    let whole = fs::read(file(at)).unwrap();
    for cut in 0..=whole.len() {
        let ends = whole[..cut].iter().filter(|byte| **byte == b'\n').count();
        let lines = ends.saturating_sub(1);
        fs::write(file(at), &whole[..cut]).unwrap();
        assert_eq!(texts(&read(at)).len(), lines, "cut at {cut}");
        append(at, &[heard(9)]);
        let after = read(at);
        assert_eq!(texts(&after).len(), lines + 1, "cut at {cut}");
        assert_eq!(texts(&after).last(), Some(&"message 9"));
    }
}

#[cfg(unix)]
#[test]
fn a_file_belongs_to_its_owner_alone_and_so_does_a_compacted_one() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = tempfile::tempdir().unwrap();
    append(home.path(), &[heard(1)]);
    let mode = || {
        fs::metadata(file(home.path()))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode(), 0o600);
    Transcripts::new(home.path()).compact(DEVICE, true).unwrap();
    assert_eq!(mode(), 0o600);
}

#[test]
fn a_damaged_line_is_put_aside_with_its_file_and_said_once() {
    let home = tempfile::tempdir().unwrap();
    append(home.path(), &[heard(1), heard(2), heard(3)]);
    let text = fs::read_to_string(file(home.path())).unwrap();
    let damaged = text.replacen("message 2", "message \u{0} 2", 1);
    fs::write(file(home.path()), &damaged).unwrap();
    let (transcript, trouble) = Transcripts::new(home.path()).read(DEVICE);
    assert_eq!(texts(&transcript), ["message 1", "message 3"]);
    let Some(Trouble::Damaged { aside }) = trouble else {
        panic!("{trouble:?}");
    };
    assert_eq!(fs::read_to_string(aside).unwrap(), damaged);
    assert_eq!(texts(&read(home.path())), ["message 1", "message 3"]);
    // Without a first line that says what it is, all of it is put aside.
    fs::write(file(home.path()), "garbage\n").unwrap();
    let (transcript, trouble) = Transcripts::new(home.path()).read(DEVICE);
    assert!(transcript.lines.is_empty() && matches!(trouble, Some(Trouble::Damaged { .. })));
    assert!(!file(home.path()).exists());
}

#[test]
fn a_newer_file_is_neither_read_nor_changed() {
    let home = tempfile::tempdir().unwrap();
    append(home.path(), &[heard(1)]);
    let newer = "{\"version\":2}\n{\"is\":\"picture\"}\n{\"is\":\"pi";
    fs::write(file(home.path()), newer).unwrap();
    let transcripts = Transcripts::new(home.path());
    let (transcript, trouble) = transcripts.read(DEVICE);
    assert!(transcript.lines.is_empty() && matches!(trouble, Some(Trouble::Newer { found: 2 })));
    let locked = transcripts.lock().unwrap();
    assert!(locked.append(DEVICE, &[heard(2)]).is_err());
    assert!(locked.compact(DEVICE, true).is_err());
    assert_eq!(fs::read_to_string(file(home.path())).unwrap(), newer);
}

#[test]
fn too_many_lines_lose_the_oldest_but_not_what_waits_and_no_number() {
    let home = tempfile::tempdir().unwrap();
    let many = 3 * MOST_LINES as u64;
    let records: Vec<_> = std::iter::once(said(1))
        .chain((2..many).map(heard))
        .collect();
    append(home.path(), &records);
    let before = fs::metadata(file(home.path())).unwrap().len();
    Transcripts::new(home.path()).compact(DEVICE, true).unwrap();
    assert!(fs::metadata(file(home.path())).unwrap().len() < before / 2);
    let kept = read(home.path());
    assert_eq!(texts(&kept).len(), MOST_LINES + 1);
    assert_eq!(texts(&kept)[0], "answer 1");
    assert_eq!(
        texts(&kept).last(),
        Some(&format!("message {}", many - 1).as_str())
    );
    assert_eq!(kept.known, [([1; 16], many - 1)]);
}

#[test]
fn two_writers_lose_nothing_of_each_other() {
    let home = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for writer in [heard, said] {
            let at = home.path();
            scope.spawn(move || {
                for n in 0..100 {
                    append(at, &[writer(n)]);
                    if n % 10 == 0 {
                        Transcripts::new(at).compact(DEVICE, true).unwrap();
                    }
                }
            });
        }
    });
    let kept = read(home.path());
    for word in ["message", "answer"] {
        let ours: Vec<_> = texts(&kept)
            .into_iter()
            .filter(|text| text.starts_with(word))
            .collect();
        let expected: Vec<_> = (0..100).map(|n| format!("{word} {n}")).collect();
        assert_eq!(ours, expected);
    }
}
