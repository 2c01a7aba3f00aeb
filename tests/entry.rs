//! Who may enter, between two whole engines: asking with symbols, remembering, forgetting, blocking.

// Helpers of tests are tests, too; clippy only knows the functions that are marked.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ropeway::engine::{
    AcceptPolicy, Answer, Bind, Chosen, Command, Event, Found, KnownDevice, KnownDevices,
    ListenOptions, Offer, SendRequest, new_transfer_id,
};
use ropeway::model::{
    Allow, Bond, DeviceId, DeviceName, Failure, OnConflict, Party, Peer, Problem, Rule, Secret,
    Status, Symbols, TransferId, TransferState, Trust, Way,
};
use support::{Device, PASSPHRASE, noise};

const NOTHING_COMES_WITHIN: Duration = Duration::from_millis(300);

/// How a server is switched on.
fn options(device: &Device, allow: Allow, accept: AcceptPolicy) -> ListenOptions {
    ListenOptions {
        bind: Bind::Exact("127.0.0.1:0".parse().unwrap()),
        save_folder: device.inbox(),
        passphrase: Some(Secret::passphrase(PASSPHRASE).unwrap()),
        allow,
        accept,
        remember: false,
        on_conflict: OnConflict::default(),
        once: false,
    }
}

fn listen(device: &mut Device, options: ListenOptions) -> SocketAddr {
    device.engine.command(Command::Listen(options));
    device.wait("Listening", |event| match event {
        Event::Listening(listening) => Some(listening.addr),
        _ => None,
    })
}

fn file(device: &Device, name: &str, content: &[u8]) -> PathBuf {
    let path = device.home.path().join(name);
    fs::write(&path, content).unwrap();
    path
}

fn request(source: PathBuf, to: SocketAddr) -> SendRequest {
    SendRequest {
        transfer: new_transfer_id(),
        sources: vec![source],
        to: to.to_string().parse().unwrap(),
        device: None,
        secret: None,
        ask: false,
        remember: false,
        wait_for_it: false,
    }
}

fn with_passphrase(request: SendRequest) -> SendRequest {
    SendRequest {
        secret: Some(Secret::new(PASSPHRASE).unwrap()),
        ..request
    }
}

fn send(device: &Device, request: SendRequest) -> TransferId {
    let transfer = request.transfer;
    device.engine.command(Command::Send(request));
    transfer
}

fn symbols(device: &mut Device) -> (TransferId, Symbols) {
    device.wait("Symbols", |event| match event {
        Event::Symbols(transfer, symbols) => Some((*transfer, *symbols)),
        _ => None,
    })
}

/// The first word of an offer, whatever is known of it.
fn first_offer(device: &mut Device) -> Offer {
    device.wait("Offer", |event| match event {
        Event::Offer(offer) => Some(offer.clone()),
        _ => None,
    })
}

/// It may have been said already.
fn said<T>(device: &mut Device, what: &str, wanted: impl Fn(&Event) -> Option<T>) -> T {
    let before = device.said.iter().find_map(&wanted);
    before.unwrap_or_else(|| device.wait(what, wanted))
}

fn paired(device: &mut Device) -> Peer {
    said(device, "Paired", |event| match event {
        Event::Paired(peer) => Some(peer.clone()),
        _ => None,
    })
}

fn devices(device: &mut Device, wanted: impl Fn(&[KnownDevice]) -> bool) -> Vec<KnownDevice> {
    said(device, "Devices", |event| match event {
        Event::Devices(all) if wanted(all) => Some(all.clone()),
        _ => None,
    })
}

fn accept() -> Answer {
    Answer::Accept {
        folder: None,
        on_conflict: None,
        remember: false,
    }
}

/// A folder that was named in a rule is made when the rule is.
fn made(folder: &Path) {
    let deadline = std::time::Instant::now() + support::PATIENCE;
    while !folder.is_dir() {
        assert!(
            std::time::Instant::now() < deadline,
            "the folder is not made"
        );
        std::thread::yield_now();
    }
}

/// Nothing of this kind comes now.
fn silent(device: &mut Device, unwanted: impl Fn(&Event) -> bool) {
    let until = std::time::Instant::now() + NOTHING_COMES_WITHIN;
    while let Ok(event) = device
        .events
        .recv_timeout(until.saturating_duration_since(std::time::Instant::now()))
    {
        assert!(!unwanted(&event), "{event:?}");
        device.said.push(event);
    }
}

/// Garden and Study remember each other; Study has sent `first` for that.
fn acquainted(accept: AcceptPolicy) -> (Device, Device, SocketAddr) {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let on = ListenOptions {
        remember: true,
        ..options(&garden, Allow::Code, AcceptPolicy::All)
    };
    let addr = listen(&mut garden, on);
    let first = file(&study, "first.txt", b"first");
    let wish = SendRequest {
        remember: true,
        ..with_passphrase(request(first, addr))
    };
    send(&study, wish);
    study.arrived();
    paired(&mut study);
    paired(&mut garden);
    said(&mut garden, "its end", |event| {
        matches!(event, Event::Safe(_)).then_some(())
    });
    let again = options(&garden, Allow::Paired, accept);
    let addr = listen(&mut garden, again);
    (garden, study, addr)
}

fn id_of(device: &Device) -> DeviceId {
    let mut said = device.said.iter().rev();
    said.find_map(|event| match event {
        Event::Listening(listening) => Some(listening.device_id),
        _ => None,
    })
    .expect("it has listened")
}

#[test]
fn who_asks_compares_symbols_before_a_name_leaves_and_two_yeses_verify() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let on = options(&garden, Allow::Anyone, AcceptPolicy::All);
    let addr = listen(&mut garden, on);
    let secret_plan = file(&study, "secret plan.txt", b"content");
    let asking = SendRequest {
        ask: true,
        ..request(secret_plan, addr)
    };
    send(&study, asking);

    let (transfer, shown) = symbols(&mut study);
    let offer = first_offer(&mut garden);
    assert_eq!(offer.symbols, Some(shown), "both screens show the same");
    assert_eq!(offer.transfer, transfer);
    assert_eq!(offer.from.trust, Trust::Asked);
    assert!(offer.names.is_empty() && offer.entries == 0 && offer.counting);
    // Nobody can accept what the person there has not confirmed, and nothing more is told of it.
    let early = Command::Answer(transfer, accept());
    garden.engine.command(early);
    silent(&mut garden, |event| {
        matches!(event, Event::Started(_))
            || matches!(event, Event::Offer(offer) if offer.entries > 0)
    });

    study.engine.command(Command::Confirm(transfer, true));
    let offer = garden.offer();
    assert_eq!(offer.names, ["secret plan.txt"]);
    assert_eq!(offer.symbols, Some(shown));
    // The server takes all by itself, but not from somebody who has proven nothing.
    silent(&mut garden, |event| matches!(event, Event::Started(_)));
    assert!(!garden.inbox().exists());

    garden.engine.command(Command::Answer(transfer, accept()));
    assert_eq!(study.arrived().peer.trust, Trust::Verified);
    assert_eq!(garden.arrived().peer.trust, Trust::Verified);
    let arrived = fs::read(garden.inbox().join("secret plan.txt")).unwrap();
    assert_eq!(arrived, b"content");
}

#[test]
fn a_no_to_the_symbols_ends_it_before_anything_is_said() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let on = options(&garden, Allow::Anyone, AcceptPolicy::Ask);
    let addr = listen(&mut garden, on);
    let source = file(&study, "a.txt", b"content");
    send(
        &study,
        SendRequest {
            ask: true,
            ..request(source, addr)
        },
    );
    let (transfer, _) = symbols(&mut study);
    first_offer(&mut garden);
    study.engine.command(Command::Confirm(transfer, false));
    let ended = study.ended();
    assert_eq!(ended.status, Status::Cancelled(Party::Us));
    assert_eq!(ended.failure, Some(Failure::NotConfirmed));
    garden.wait("OfferWithdrawn", |event| {
        matches!(event, Event::OfferWithdrawn(_)).then_some(())
    });
    let named = |event: &Event| matches!(event, Event::Offer(offer) if !offer.names.is_empty());
    assert!(!garden.said.iter().any(named));
}

#[test]
fn asking_needs_a_server_that_allows_it() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    for (allow, failure, ways) in [
        (
            Allow::Code,
            Failure::SecretNeeded,
            vec![Way::Passphrase, Way::Pair],
        ),
        (Allow::Paired, Failure::KnownOnly, vec![Way::Pair]),
    ] {
        let on = options(&garden, allow, AcceptPolicy::Ask);
        let addr = listen(&mut garden, on);
        study
            .engine
            .command(Command::LookAt(addr.to_string().parse().unwrap()));
        let looked = study.wait("Looked", |event| match event {
            Event::Looked(looked) => Some(looked.clone()),
            _ => None,
        });
        let found = Found {
            id: id_of(&garden),
            name: DeviceName::cleaned("Garden", ""),
            ways,
            paired: false,
        };
        assert_eq!(looked.found, Ok(found));
        let source = file(&study, "a.txt", b"content");
        send(
            &study,
            SendRequest {
                ask: true,
                ..request(source, addr)
            },
        );
        assert_eq!(study.ended().failure, Some(failure));
    }
}

#[test]
fn remembered_devices_need_no_secret_and_nobody_else_gets_in_by_that() {
    let (mut garden, mut study, addr) = acquainted(AcceptPolicy::Paired);
    let second = file(&study, "second.txt", b"second");
    send(&study, request(second.clone(), addr));
    assert_eq!(study.arrived().peer.trust, Trust::Known);
    assert_eq!(garden.arrived().peer.trust, Trust::Known);
    assert_eq!(
        fs::read(garden.inbox().join("second.txt")).unwrap(),
        b"second"
    );
    // Another device, even with the passphrase, is not known.
    let mut stranger = Device::new("Study");
    send(&stranger, with_passphrase(request(second, addr)));
    assert_eq!(stranger.ended().failure, Some(Failure::KnownOnly));
}

#[test]
fn the_way_back_is_open_as_well() {
    let (mut garden, mut study, _) = acquainted(AcceptPolicy::Ask);
    let on = options(&study, Allow::Paired, AcceptPolicy::Paired);
    let addr = listen(&mut study, on);
    let back = file(&garden, "back.txt", b"back");
    send(&garden, request(back, addr));
    garden.arrived();
    assert_eq!(fs::read(study.inbox().join("back.txt")).unwrap(), b"back");
}

#[test]
fn one_wish_alone_changes_nothing_and_is_met_the_next_time() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let on = options(&garden, Allow::Code, AcceptPolicy::All);
    let addr = listen(&mut garden, on);
    let source = file(&study, "a.txt", b"content");
    let wish = SendRequest {
        remember: true,
        ..with_passphrase(request(source.clone(), addr))
    };
    send(&study, wish);
    study.arrived();
    let wanted = said(&mut garden, "WantsToBeRemembered", |event| match event {
        Event::WantsToBeRemembered(peer) => Some(peer.clone()),
        _ => None,
    });
    said(&mut garden, "Safe", |event| {
        matches!(event, Event::Safe(_)).then_some(())
    });
    let known = study.engine.known();
    assert_eq!(known[0].bond, Bond::Wished);
    assert_eq!(garden.engine.known(), []);
    // Neither is let in by a key that is not there.
    let on = options(&garden, Allow::Paired, AcceptPolicy::All);
    let closed = listen(&mut garden, on);
    send(&study, request(source, closed));
    assert_eq!(study.ended().failure, Some(Failure::KnownOnly));

    garden
        .engine
        .command(Command::Remember(wanted.device_id.unwrap()));
    let on = options(&garden, Allow::Code, AcceptPolicy::All);
    let addr = listen(&mut garden, on);
    let other = file(&study, "b.txt", b"content");
    send(&study, with_passphrase(request(other, addr)));
    paired(&mut study);
    paired(&mut garden);
}

#[test]
fn a_person_who_accepts_may_remember_and_the_offer_says_who_wishes_it() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let on = options(&garden, Allow::Anyone, AcceptPolicy::Ask);
    let addr = listen(&mut garden, on);
    let source = file(&study, "a.txt", b"content");
    let wish = SendRequest {
        remember: true,
        ..with_passphrase(request(source, addr))
    };
    let transfer = send(&study, wish);
    garden.wait("an offer that says so", |event| {
        matches!(event, Event::Offer(offer) if offer.remembers).then_some(())
    });
    let answer = Answer::Accept {
        folder: None,
        on_conflict: None,
        remember: true,
    };
    garden.engine.command(Command::Answer(transfer, answer));
    let known = paired(&mut garden);
    assert_eq!(known.trust, Trust::Known);
    study.arrived();
    let all = devices(&mut study, |all| {
        all.iter().any(|one| one.bond == Bond::Paired)
    });
    assert_eq!(all[0].name.as_str(), "Garden");
    assert_eq!(all[0].address, Some(addr.to_string()));
}

#[test]
fn symbols_that_both_have_confirmed_are_enough_to_remember() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let on = options(&garden, Allow::Anyone, AcceptPolicy::Ask);
    let addr = listen(&mut garden, on);
    let source = file(&study, "a.txt", b"content");
    let wish = SendRequest {
        ask: true,
        remember: true,
        ..request(source, addr)
    };
    send(&study, wish);
    let (transfer, _) = symbols(&mut study);
    // A wish of somebody who has proven nothing has no effect.
    silent(&mut garden, |event| {
        matches!(event, Event::Devices(_) | Event::Paired(_))
    });
    study.engine.command(Command::Confirm(transfer, true));
    garden.offer();
    let answer = Answer::Accept {
        folder: None,
        on_conflict: None,
        remember: true,
    };
    garden.engine.command(Command::Answer(transfer, answer));
    study.arrived();
    paired(&mut study);
    paired(&mut garden);
    let on = options(&garden, Allow::Paired, AcceptPolicy::Paired);
    let addr = listen(&mut garden, on);
    let other = file(&study, "b.txt", b"content");
    send(&study, request(other, addr));
    study.arrived();
}

#[test]
fn what_garden_forgets_is_over_at_once_and_study_learns_it() {
    let (mut garden, mut study, addr) = acquainted(AcceptPolicy::Ask);
    // An offer that waits belongs to it.
    let waiting = file(&study, "waiting.txt", b"content");
    send(&study, request(waiting, addr));
    let offer = garden.offer();
    let device = offer.from.device_id.unwrap();
    garden.engine.command(Command::ForgetDevice(device));
    devices(&mut garden, |all| all.is_empty());
    assert_ne!(study.ended().status, Status::Arrived);

    let source = file(&study, "a.txt", b"content");
    send(&study, request(source.clone(), addr));
    let ended = study.ended();
    let name = DeviceName::cleaned("Garden", "");
    assert_eq!(ended.failure, Some(Failure::ForgottenThere { name }));
    assert_eq!(study.engine.known()[0].bond, Bond::ForgottenThere);
    assert!(!garden.inbox().join("a.txt").exists());
    // With a secret it is met as a stranger, in the same breath.
    let on = options(&garden, Allow::Code, AcceptPolicy::All);
    let addr = listen(&mut garden, on);
    send(&study, with_passphrase(request(source, addr)));
    assert_eq!(study.arrived().peer.trust, Trust::Verified);
}

#[test]
fn a_transfer_under_way_ends_when_its_device_is_forgotten() {
    let (mut garden, mut study, addr) = acquainted(AcceptPolicy::Paired);
    let big = study.home.path().join("big");
    fs::File::create(&big).unwrap().set_len(4 << 30).unwrap();
    send(&study, request(big, addr));
    let from = garden.wait("Started", |event| match event {
        Event::Started(started) if !started.places.is_empty() => Some(started.peer.clone()),
        _ => None,
    });
    garden.wait("bytes moving", |event| match event {
        Event::Progress(progress) => (progress.bytes > 1_000_000).then_some(()),
        _ => None,
    });
    garden
        .engine
        .command(Command::ForgetDevice(from.device_id.unwrap()));
    assert_ne!(garden.ended().status, Status::Arrived);
    let ended = study.ended();
    assert_ne!(ended.status, Status::Arrived);
    // Its session key opens nothing any more.
    study.engine.command(Command::Resume(ended.transfer));
    let again = study.ended();
    assert_eq!(again.failure, Some(Failure::Forgotten));
    let staging = garden.inbox().join(".ropeway");
    let left = || fs::read_dir(&staging).map_or(0, Iterator::count);
    let deadline = std::time::Instant::now() + support::PATIENCE;
    while left() > 0 {
        let late = std::time::Instant::now() > deadline;
        assert!(!late, "nothing is kept of it");
        std::thread::yield_now();
    }
}

#[test]
fn a_transfer_under_way_ends_when_its_sender_forgets_the_other_device() {
    let (mut garden, mut study, addr) = acquainted(AcceptPolicy::Paired);
    let big = study.home.path().join("big");
    fs::File::create(&big).unwrap().set_len(4 << 30).unwrap();
    let transfer = send(&study, request(big, addr));
    garden.wait("bytes moving", |event| match event {
        Event::Progress(progress) => (progress.bytes > 1_000_000).then_some(()),
        _ => None,
    });
    let there = study.engine.known()[0].id;
    study.engine.command(Command::ForgetDevice(there));
    let ended = study.ended();
    assert_ne!(ended.status, Status::Arrived);
    // At the other end the connection is gone, and nothing more comes.
    garden.wait("that it was cut", |event| match event {
        Event::Ended(summary) => (summary.status != Status::Arrived).then_some(()),
        Event::State(_, TransferState::Interrupted) => Some(()),
        _ => None,
    });
    study.engine.command(Command::Resume(transfer));
    silent(&mut garden, |event| {
        matches!(
            event,
            Event::State(_, TransferState::Running) | Event::Offer(_)
        )
    });
    assert!(!garden.inbox().join("big").exists());
}

#[test]
fn who_is_blocked_gets_in_by_no_way() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let on = options(&garden, Allow::Anyone, AcceptPolicy::Ask);
    let addr = listen(&mut garden, on);
    let source = file(&study, "a.txt", b"content");
    let asking = || SendRequest {
        ask: true,
        ..request(source.clone(), addr)
    };
    send(&study, asking());
    let (transfer, _) = symbols(&mut study);
    let device = first_offer(&mut garden).from.device_id.unwrap();
    garden.engine.command(Command::Block(device));
    devices(&mut garden, |all| {
        all.iter()
            .any(|one| one.bond == Bond::Blocked && one.name.as_str() == "Study")
    });
    assert_eq!(study.ended().transfer, transfer);
    // A right secret does not help, and nobody is told why.
    send(&study, with_passphrase(request(source.clone(), addr)));
    assert_eq!(study.ended().failure, Some(Failure::WrongSecret));
    // Forgetting unblocks.
    garden.engine.command(Command::ForgetDevice(device));
    devices(&mut garden, |all| all.is_empty());
    send(&study, asking());
    symbols(&mut study);
}

#[test]
fn a_chosen_device_that_proves_another_key_is_not_sent_to() {
    let (garden, mut study, _) = acquainted(AcceptPolicy::Paired);
    let chosen = Chosen {
        id: id_of(&garden),
        name: Some(DeviceName::cleaned("Garden", "")),
    };
    for (calls_itself, failure) in [
        (
            "Garden",
            Failure::NotTheDevice {
                name: DeviceName::cleaned("Garden", ""),
            },
        ),
        (
            "Kitchen",
            Failure::Moved {
                name: DeviceName::cleaned("Garden", ""),
                found: DeviceName::cleaned("Kitchen", ""),
            },
        ),
    ] {
        let mut other = Device::new(calls_itself);
        let on = options(&other, Allow::Anyone, AcceptPolicy::All);
        let addr = listen(&mut other, on);
        let source = file(&study, "a.txt", b"content");
        let to_garden = SendRequest {
            device: Some(chosen.clone()),
            ask: true,
            ..with_passphrase(request(source.clone(), addr))
        };
        send(&study, to_garden);
        assert_eq!(study.ended().failure, Some(failure));
        silent(&mut other, |event| matches!(event, Event::Offer(_)));
        // Not chosen, it is just another device: no warning.
        send(&study, with_passphrase(request(source, addr)));
        study.arrived();
    }
    let known = study.engine.known();
    assert_eq!(known.len(), 1);
    assert_eq!(known[0].bond, Bond::Paired, "that changes nothing");
}

#[test]
fn a_device_has_its_own_rule() {
    let (mut garden, mut study, addr) = acquainted(AcceptPolicy::Ask);
    let device = garden.engine.known()[0].id;
    let elsewhere = garden.home.path().join("from study");
    let rule = Rule::Accept {
        folder: Some(elsewhere.clone()),
        max_bytes: Some(1000),
    };
    garden
        .engine
        .command(Command::SetRule(device, rule.clone()));
    devices(&mut garden, |all| all.iter().any(|one| one.rule == rule));
    made(&elsewhere);
    let small = file(&study, "small", &noise(1, 1000));
    send(&study, request(small, addr));
    study.arrived();
    assert_eq!(fs::read(elsewhere.join("small")).unwrap(), noise(1, 1000));
    // More than it may is asked about.
    let large = file(&study, "large", &noise(2, 1001));
    let transfer = send(&study, request(large, addr));
    let offer = garden.wait("the whole offer", |event| match event {
        Event::Offer(offer) if offer.transfer == transfer && !offer.counting => Some(offer.clone()),
        _ => None,
    });
    assert_eq!(offer.folder, elsewhere);
    silent(&mut garden, |event| matches!(event, Event::Started(_)));
    garden
        .engine
        .command(Command::Answer(transfer, Answer::Decline));
    assert_eq!(study.ended().status, Status::Declined);

    garden.engine.command(Command::SetRule(device, Rule::Never));
    devices(&mut garden, |all| {
        all.iter().any(|one| one.rule == Rule::Never)
    });
    let unwanted = file(&study, "unwanted", b"content");
    let transfer = send(&study, request(unwanted, addr));
    assert_eq!(study.ended().status, Status::Declined);
    let asked = |event: &Event| matches!(event, Event::Offer(offer) if offer.transfer == transfer);
    assert!(!garden.said.iter().any(asked));
}

#[test]
fn a_few_may_ask_at_once_and_the_next_one_is_told_to_wait() {
    let mut garden = Device::new("Garden");
    let on = options(&garden, Allow::Anyone, AcceptPolicy::Ask);
    let addr = listen(&mut garden, on);
    let mut asking = Vec::new();
    for _ in 0..2 {
        let mut study = Device::new("Study");
        let source = file(&study, "a.txt", b"content");
        let request = SendRequest {
            ask: true,
            ..request(source, addr)
        };
        send(&study, request);
        symbols(&mut study);
        asking.push(study);
    }
    let mut third = Device::new("Third");
    let source = file(&third, "a.txt", b"content");
    send(
        &third,
        SendRequest {
            ask: true,
            ..request(source.clone(), addr)
        },
    );
    assert_eq!(third.ended().failure, Some(Failure::Busy));
    // Who has a secret is not concerned, and who leaves makes room.
    let transfer = send(&third, with_passphrase(request(source.clone(), addr)));
    garden.wait("its offer", |event| {
        matches!(event, Event::Offer(offer) if offer.transfer == transfer).then_some(())
    });
    drop(asking);
    send(
        &third,
        SendRequest {
            ask: true,
            ..request(source, addr)
        },
    );
    symbols(&mut third);
}

#[test]
fn a_list_too_long_for_a_stranger_is_held_back_until_it_is_accepted() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let on = options(&garden, Allow::Anyone, AcceptPolicy::Ask);
    let addr = listen(&mut garden, on);
    // Names of 250 bytes: 8 MiB of them are 33,554 entries.
    let many = study.home.path().join("many");
    fs::create_dir(&many).unwrap();
    let count = 34_000;
    for n in 0..count {
        fs::File::create(many.join(format!("{n:0>250}"))).unwrap();
    }
    send(
        &study,
        SendRequest {
            ask: true,
            ..request(many, addr)
        },
    );
    let (transfer, _) = symbols(&mut study);
    study.engine.command(Command::Confirm(transfer, true));
    garden.wait("most of it", |event| {
        matches!(event, Event::Offer(offer) if offer.entries > 30_000 && offer.counting)
            .then_some(())
    });
    silent(
        &mut garden,
        |event| matches!(event, Event::Offer(offer) if !offer.counting || offer.entries > 33_600),
    );
    garden.engine.command(Command::Answer(transfer, accept()));
    assert_eq!(study.arrived().entries, count + 1);
}

#[test]
fn who_asks_again_and_again_in_vain_has_to_wait() {
    let mut garden = Device::new("Garden");
    let on = options(&garden, Allow::Anyone, AcceptPolicy::Ask);
    let addr = listen(&mut garden, on);
    let mut study = Device::new("Study");
    let source = file(&study, "a.txt", b"content");
    let asking = || SendRequest {
        ask: true,
        ..request(source.clone(), addr)
    };
    for _ in 0..8 {
        send(&study, asking());
        let (transfer, _) = symbols(&mut study);
        garden.wait("the ask", |event| {
            matches!(event, Event::Offer(offer) if offer.transfer == transfer).then_some(())
        });
        garden
            .engine
            .command(Command::Answer(transfer, Answer::Decline));
        assert_eq!(study.ended().transfer, transfer);
    }
    send(&study, asking());
    assert_eq!(study.ended().failure, Some(Failure::Busy));
    // Who has a secret is not concerned.
    send(&study, with_passphrase(request(source, addr)));
    garden.offer();
}

#[test]
fn nothing_is_wanted_of_a_device_by_whichever_way_it_comes() {
    let (mut garden, mut study, _) = acquainted(AcceptPolicy::All);
    let device = garden.engine.known()[0].id;
    garden.engine.command(Command::SetRule(device, Rule::Never));
    devices(&mut garden, |all| {
        all.iter().any(|one| one.rule == Rule::Never)
    });
    // It comes as if it knew nothing of the acquaintance.
    study.engine.command(Command::ForgetDevice(id_of(&garden)));
    devices(&mut study, |all| all.is_empty());
    let on = options(&garden, Allow::Anyone, AcceptPolicy::All);
    let addr = listen(&mut garden, on);
    let source = file(&study, "unwanted", b"content");
    send(&study, with_passphrase(request(source.clone(), addr)));
    assert_eq!(study.ended().status, Status::Declined);
    let asking = SendRequest {
        ask: true,
        ..request(source, addr)
    };
    let transfer = send(&study, asking);
    let ended = study.wait("its end", |event| match event {
        Event::Ended(summary) if summary.transfer == transfer => Some(summary.clone()),
        _ => None,
    });
    assert_eq!(ended.status, Status::Declined);
    silent(&mut garden, |event| {
        matches!(event, Event::Offer(_) | Event::Started(_))
    });
    assert!(!garden.inbox().join("unwanted").exists());
}

#[test]
fn an_offer_that_waits_is_declined_when_nothing_is_wanted_of_its_device_any_more() {
    let (mut garden, mut study, addr) = acquainted(AcceptPolicy::Ask);
    let source = file(&study, "waiting", b"content");
    send(&study, request(source, addr));
    let device = garden.offer().from.device_id.unwrap();
    garden.engine.command(Command::SetRule(device, Rule::Never));
    assert_eq!(study.ended().status, Status::Declined);
}

#[test]
fn the_folder_of_a_rule_is_not_made_anew_where_a_drive_was() {
    let (mut garden, mut study, addr) = acquainted(AcceptPolicy::Ask);
    let device = garden.engine.known()[0].id;
    let drive = garden.home.path().join("drive that is unplugged");
    let rule = Rule::Accept {
        folder: Some(drive.clone()),
        max_bytes: None,
    };
    garden
        .engine
        .command(Command::SetRule(device, rule.clone()));
    devices(&mut garden, |all| all.iter().any(|one| one.rule == rule));
    made(&drive);
    fs::remove_dir(&drive).unwrap();
    let source = file(&study, "a.txt", b"content");
    send(&study, request(source.clone(), addr));
    let failure = study.ended().failure;
    assert_eq!(failure, Some(Failure::PeerDisk(Problem::Gone)));
    assert!(!drive.exists());
    fs::create_dir(&drive).unwrap();
    send(&study, request(source, addr));
    study.arrived();
    assert!(drive.join("a.txt").exists());
}

#[test]
fn a_rule_does_not_begin_again_what_the_person_has_cancelled() {
    let (mut garden, mut study, addr) = acquainted(AcceptPolicy::Paired);
    let device = garden.engine.known()[0].id;
    let rule = Rule::Accept {
        folder: None,
        max_bytes: None,
    };
    garden
        .engine
        .command(Command::SetRule(device, rule.clone()));
    devices(&mut garden, |all| all.iter().any(|one| one.rule == rule));
    let big = study.home.path().join("big");
    fs::File::create(&big).unwrap().set_len(4 << 30).unwrap();
    let transfer = send(&study, request(big, addr));
    garden.wait("bytes moving", |event| match event {
        Event::Progress(progress) => (progress.bytes > 1_000_000).then_some(()),
        _ => None,
    });
    garden.engine.command(Command::Cancel(transfer));
    assert_eq!(study.ended().status, Status::Cancelled(Party::Peer));
    assert_eq!(garden.ended().status, Status::Cancelled(Party::Us));
    study.engine.command(Command::Resume(transfer));
    garden.wait("a question", |event| {
        matches!(event, Event::Offer(offer) if offer.transfer == transfer).then_some(())
    });
    silent(&mut garden, |event| matches!(event, Event::Started(_)));
    study.wait("word that somebody is asked", |event| {
        matches!(event, Event::State(id, TransferState::Waiting) if *id == transfer).then_some(())
    });
    garden
        .engine
        .command(Command::Answer(transfer, Answer::Decline));
    assert_eq!(study.ended().status, Status::Declined);
}

#[test]
fn a_device_that_another_process_forgets_does_not_get_in_any_more() {
    let (mut garden, mut study, addr) = acquainted(AcceptPolicy::Ask);
    // It is connected, too.
    let waiting = file(&study, "waiting", b"content");
    send(&study, request(waiting, addr));
    let device = garden.offer().from.device_id.unwrap();
    let data_dir = garden.home.path().join("data");
    let (known, trouble) = KnownDevices::open(&data_dir);
    assert_eq!(trouble, None);
    assert!(known.forget(device));
    let other = file(&study, "other", b"content");
    let transfer = send(&study, request(other, addr));
    let failure = study.wait("its end", |event| match event {
        Event::Ended(summary) if summary.transfer == transfer => Some(summary.failure.clone()),
        _ => None,
    });
    let name = DeviceName::cleaned("Garden", "");
    assert_eq!(failure, Some(Failure::ForgottenThere { name }));
    garden.wait("OfferWithdrawn", |event| {
        matches!(event, Event::OfferWithdrawn(_)).then_some(())
    });
    assert!(garden.engine.known().is_empty());
}

#[test]
fn a_link_to_another_device_is_not_sent_to_and_says_so() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let on = options(&garden, Allow::Code, AcceptPolicy::All);
    let addr = listen(&mut garden, on);
    let source = file(&study, "a.txt", b"content");
    let linked = |id| SendRequest {
        device: Some(Chosen { id, name: None }),
        ..with_passphrase(request(source.clone(), addr))
    };
    send(&study, linked(DeviceId([7; 32])));
    let found = DeviceName::cleaned("Garden", "");
    let failure = study.ended().failure;
    assert_eq!(failure, Some(Failure::NotTheLinked { found }));
    send(&study, linked(id_of(&garden)));
    study.arrived();
}

#[test]
fn whoever_tries_too_often_has_to_wait_and_the_person_is_told_once() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let on = ListenOptions {
        passphrase: None,
        ..options(&garden, Allow::Code, AcceptPolicy::All)
    };
    let addr = listen(&mut garden, on);
    let source = file(&study, "a.txt", b"content");
    let typed = |secret: &str| SendRequest {
        secret: Some(Secret::new(secret).unwrap()),
        ..request(source.clone(), addr)
    };
    // Not even a code: it costs nobody a try.
    for no_code in ["12345", "1234567", "abcdef"] {
        send(&study, typed(no_code));
        assert_eq!(study.ended().failure, Some(Failure::WrongSecret));
    }
    let mut told = 0;
    for _ in 0..7 {
        // One in a million that this is the code.
        send(&study, typed("000000"));
        assert_eq!(study.ended().failure, Some(Failure::WrongSecret));
    }
    silent(&mut garden, |_| false);
    let mut wrong = 0;
    for event in &garden.said {
        wrong += usize::from(matches!(event, Event::WrongSecret { .. }));
        told += usize::from(matches!(event, Event::MustWait { .. }));
    }
    assert_eq!((wrong, told), (5, 1));
    // The code that took the place of the third wrong one is told after the wrong try.
    let order: Vec<_> = garden
        .said
        .iter()
        .filter(|event| matches!(event, Event::WrongSecret { .. } | Event::Code { .. }))
        .map(|event| matches!(event, Event::Code { .. }))
        .collect();
    assert_eq!(order, [true, false, false, false, true, false, false]);
}
