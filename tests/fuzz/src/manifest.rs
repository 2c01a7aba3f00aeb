//! The body of a manifest frame: what is taken is a tree of names that lead nowhere else.

use ropeway::model::{Entry, EntryKind, Manifest};
use ropeway::protocol::Frame;
use ropeway::protocol::frame::{RawFrame, kind};
use ropeway::protocol::message::WireEntry;

pub fn manifest(data: &[u8]) {
    let raw = RawFrame {
        kind: kind::MANIFEST,
        body: data.to_vec(),
    };
    let Ok(Some(Frame::Manifest(part))) = Frame::parse(raw) else {
        return;
    };
    let mut list = Manifest::default();
    for wire in part.entries {
        let Ok(entry) = Entry::try_from(wire.clone()) else {
            return;
        };
        let mut again = WireEntry::from(&entry);
        // Nobody says it of a folder.
        again.executable |= wire.executable && wire.size.is_none();
        assert_eq!(again, wire, "said in another way");
        if list.push(entry).is_err() {
            return;
        }
        let number = list.len() as u32 - 1;
        check(&list, number);
    }
    assert!(list.total_bytes() < 1 << 63);
    let _ = list.picks();
}

fn check(list: &Manifest, number: u32) {
    let entry = list.get(number).expect("it was just listed");
    if let Some(parent) = entry.parent {
        assert!(parent < number, "a parent that comes later");
        let parent = list.get(parent).expect("an earlier entry");
        assert_eq!(parent.kind, EntryKind::Folder);
    }
    let path = list.path(number);
    assert!((1..=usize::from(Manifest::MAX_DEPTH)).contains(&path.len()));
    for name in path {
        let name = name.as_str();
        let drive =
            name.as_bytes().get(1) == Some(&b':') && name.as_bytes()[0].is_ascii_alphabetic();
        assert!(!drive && !["", ".", ".."].contains(&name), "{name:?}");
        assert!(
            !name.contains(['/', '\\', '\0']) && name.len() <= 1024,
            "{name:?}"
        );
    }
    let shown = list.display_path(number);
    let acts = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
    assert!(!shown.contains(acts), "{shown:?} acts on a screen");
    assert!(list.key(number).is_some());
}
