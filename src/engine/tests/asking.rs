//! Who asks has a place for ten minutes, by a clock that a test can set.

use std::net::Ipv4Addr;
use std::sync::atomic::Ordering;

use super::super::limits::{ASKING_NEAR, ASKING_WITHIN};
use super::*;

/// What was offered so far is not taken back by the time `after` the beginning.
fn still_asks(garden: &Device, after: Duration) {
    garden
        .engine
        .shared
        .ahead
        .store(after.as_secs(), Ordering::SeqCst);
    // The answer to this comes when the supervisor has looked at the clock, and that twice.
    for _ in 0..2 {
        let path = garden.home.path().to_owned();
        garden.engine.command(Command::Measure(path));
        garden.wait(|event| match event {
            Event::OfferWithdrawn(_) => panic!("it was ended {after:?} after it came"),
            Event::Measured(_) => Some(()),
            _ => None,
        });
    }
}

#[test]
fn who_asks_and_is_not_accepted_gives_its_place_back_after_ten_minutes_and_no_earlier() {
    let (garden, study) = (device("Garden"), device("Study"));
    garden.engine.command(Command::Listen(ListenOptions {
        bind: Bind::Exact("127.0.0.1:0".parse().unwrap()),
        save_folder: garden.home.path().join("inbox"),
        passphrase: None,
        allow: Allow::Anyone,
        accept: AcceptPolicy::Ask,
        remember: false,
        on_conflict: OnConflict::default(),
        once: false,
    }));
    let to = garden.wait(|event| match event {
        Event::Listening(listening) => Some(listening.addr),
        _ => None,
    });
    let file = study.home.path().join("a.txt");
    std::fs::write(&file, "hello").unwrap();
    let transfer = new_transfer_id();
    study.engine.command(Command::Send(SendRequest {
        transfer,
        sources: vec![file],
        to: to.to_string().parse().unwrap(),
        device: None,
        secret: None,
        ask: true,
        remember: false,
        wait_for_it: false,
    }));
    study.wait(|event| matches!(event, Event::Symbols(..)).then_some(()));
    // Its person has compared them; that the one here does nothing is what takes so long.
    study.engine.command(Command::Confirm(transfer, true));
    garden.wait(|event| match event {
        Event::Offer(offer) if !offer.counting => Some(()),
        _ => None,
    });
    let seats = &garden.engine.shared.seats;
    let here = IpAddr::from(Ipv4Addr::LOCALHOST);
    let free = || -> Vec<_> { (0..ASKING_NEAR).map_while(|_| seats.take(here)).collect() };
    assert_eq!(free().len(), ASKING_NEAR - 1);

    // Half a minute on each side, for a machine that is slow.
    let slack = Duration::from_secs(30);
    still_asks(&garden, ASKING_WITHIN - slack);
    assert_eq!(free().len(), ASKING_NEAR - 1);
    let late = ASKING_WITHIN + slack;
    garden
        .engine
        .shared
        .ahead
        .store(late.as_secs(), Ordering::SeqCst);
    garden
        .engine
        .command(Command::Measure(garden.home.path().into()));
    garden.wait(|event| matches!(event, Event::OfferWithdrawn(_)).then_some(()));
    assert_ne!(study.ended(), Status::Arrived);
    // Its place is free once its thread has ended.
    garden.wait(|event| match event {
        Event::Clients(clients) => clients.is_empty().then_some(()),
        _ => None,
    });
    assert_eq!(free().len(), ASKING_NEAR);
    assert!(!garden.home.path().join("inbox").exists());
}
