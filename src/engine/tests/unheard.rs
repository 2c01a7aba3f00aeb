//! A sender that did not hear that its transfer arrived asks again.

use std::collections::BTreeSet;
use std::path::Path;

use super::attached::Guest;
use super::*;
use crate::model::TransferId;
use crate::protocol::bulk::BatchFrame;
use crate::protocol::message::{
    Frame, Hex, ManifestEnd, ManifestPart, Offer as OfferFrame, Received, Status as StatusFrame,
    WireEntry,
};

const TRANSFER: TransferId = TransferId([7; 16]);

fn entry(parent: Option<u32>, name: &str, size: Option<u64>) -> WireEntry {
    WireEntry {
        parent,
        name: name.into(),
        size,
        modified: None,
        executable: false,
    }
}

fn offer(guest: &mut Guest, entries: Vec<WireEntry>) {
    let bytes = entries.iter().filter_map(|entry| entry.size).sum();
    let count = entries.len() as u64;
    guest.say(&Frame::Offer(OfferFrame {
        transfer: Hex(TRANSFER.0),
    }));
    guest.say(&Frame::Manifest(ManifestPart { entries }));
    guest.say(&Frame::ManifestEnd(ManifestEnd {
        entries: count,
        bytes,
    }));
}

fn send(guest: &mut Guest, number: u32, content: &[u8]) {
    let mut batch = BatchFrame::new(Vec::new());
    batch
        .add(number, content.len() as u32, |room| {
            room.copy_from_slice(content);
            Ok::<_, ()>(*blake3::hash(content).as_bytes())
        })
        .unwrap();
    guest.channel.writer.write(&batch.seal()).unwrap();
}

/// What the receiver says until it knows what became of the files 1 to `last`. Of the folder, which is 0,
/// it may not say anything before all has come.
fn told(guest: &mut Guest, last: u32) -> StatusFrame {
    let (mut all, mut known) = (StatusFrame::default(), BTreeSet::new());
    guest.hear_until(|frame| {
        match frame {
            Frame::Cancel(cancel) => panic!("it was ended: {cancel:?}"),
            Frame::Kept(kept) => {
                assert!(kept.partial.is_empty());
                all.arrived.extend(&kept.done);
            }
            Frame::Status(status) => {
                all.skipped.extend(&status.skipped);
                all.failed.extend(status.failed.clone());
            }
            _ => {}
        }
        let ranges = all.arrived.iter().chain(&all.skipped);
        known.extend(ranges.flat_map(|(from, to)| *from..=*to));
        known.extend(all.failed.iter().map(|failed| failed.entry));
        (1..=last).all(|file| known.contains(&file)).then_some(())
    });
    all
}

fn finish(guest: &mut Guest) -> Received {
    guest.say(&Frame::Finish);
    let received = guest.hear_until(|frame| match frame {
        Frame::Received(received) => Some(received.clone()),
        _ => None,
    });
    guest.hear_until(|frame| (*frame == Frame::Safe).then_some(()));
    received
}

/// The line breaks, and the receiver has noticed.
fn cut(guest: &Guest, garden: &Device) {
    guest.channel.shutdown_handle().unwrap().shutdown();
    clients(garden, 0);
}

fn clients(garden: &Device, count: usize) {
    garden.wait(|event| match event {
        Event::Clients(clients) => (clients.len() == count).then_some(()),
        _ => None,
    });
}

fn names(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != ".ropeway").collect()
}

#[test]
fn whoever_did_not_hear_that_it_arrived_is_told_so_and_what_was_skipped_wherever_it_is_by_now() {
    let garden = device("Garden");
    let inbox = garden.home.path().join("inbox");
    std::fs::create_dir_all(inbox.join("Holiday")).unwrap();
    std::fs::write(inbox.join("Holiday/theirs"), "of another length").unwrap();
    std::fs::write(inbox.join("Holiday/empty"), "not empty here").unwrap();
    garden.engine.command(Command::Listen(ListenOptions {
        bind: Bind::Exact("127.0.0.1:0".parse().unwrap()),
        save_folder: inbox.clone(),
        passphrase: Some(Secret::passphrase(PASSPHRASE).unwrap()),
        allow: Allow::Code,
        accept: AcceptPolicy::All,
        remember: false,
        on_conflict: OnConflict::Skip,
        once: false,
    }));
    let to = garden.wait(|event| match event {
        Event::Listening(listening) => Some(listening.addr),
        _ => None,
    });
    let listed = || {
        vec![
            entry(None, "Holiday", None),
            entry(Some(0), "theirs", Some(4)),
            entry(Some(0), "empty", Some(0)),
            entry(Some(0), "letter", Some(5)),
            entry(Some(0), "photo", Some(5)),
        ]
    };
    let mut guest = Guest::enter(to);
    let key = guest.key(TRANSFER);
    clients(&garden, 1);
    offer(&mut guest, listed());
    // What exists is looked at before there is any credit: the one is skipped by then, unless it is empty.
    guest.hear_until(|frame| match frame {
        Frame::Accept(accept) => (accept.credit > 0).then_some(()),
        Frame::Credit(_) => Some(()),
        _ => None,
    });
    send(&mut guest, 2, b"");
    send(&mut guest, 3, b"hello");
    send(&mut guest, 4, b"smile");
    let received = finish(&mut guest);
    assert_eq!((received.arrived, received.skipped), (3, 2));
    assert_eq!(garden.ended(), Status::Arrived);
    cut(&guest, &garden);

    // Edited, and then all of it is somewhere else.
    std::fs::write(inbox.join("Holiday/photo"), "a frame around it").unwrap();
    std::fs::rename(inbox.join("Holiday"), garden.home.path().join("Album")).unwrap();
    let moved = || names(&garden.home.path().join("Album")).len();
    assert_eq!(moved(), 4);

    // Its source was worked on: nothing more comes under the name of what has arrived.
    let mut guest = guest.again(to, TRANSFER, &key);
    clients(&garden, 1);
    let mut another = listed();
    another[3].size = Some(6);
    another.push(entry(Some(0), "new", Some(3)));
    offer(&mut guest, another);
    let status = told(&mut guest, 5);
    let failed: Vec<_> = status.failed.iter().map(|failed| failed.entry).collect();
    assert_eq!(failed, [3, 5]);
    let changed = |failed: &crate::protocol::message::Failed| {
        Problem::from(&failed.problem) == Problem::ChangedSince
    };
    assert!(status.failed.iter().all(changed), "{status:?}");
    finish(&mut guest);
    cut(&guest, &garden);

    let mut guest = guest.again(to, TRANSFER, &key);
    clients(&garden, 1);
    offer(&mut guest, listed());
    let status = told(&mut guest, 4);
    assert_eq!(status.arrived, [(3, 4)]);
    assert_eq!(status.skipped, [(1, 2)]);
    let received = finish(&mut guest);
    assert_eq!(
        (received.arrived, received.skipped, received.failed),
        (3, 2, 0)
    );
    cut(&guest, &garden);
    assert_eq!(names(&inbox), [""; 0], "nothing is made anew");
    assert_eq!(moved(), 4);
}
