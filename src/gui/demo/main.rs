//! The main picture: a bit of everything, and it moves.

use super::cast::{self, Cast, Done, Role, on_the_way, progress, wavering};
use super::{Act, Scene};
use crate::engine::{Client, Doing, Event, Talk};
use crate::model::{
    Bond, Conversation, Delivery, Direction, EntryStatus, Failure, FileReport, Line, MessageId,
    Peer, Problem, Said, Status, Summary, TransferState, Trust,
};

pub const SCENES: &[Scene] = &[
    Scene {
        name: "main",
        about: "a bit of everything; it moves",
        acts: main,
        moves: Some(moves),
    },
    Scene::still(
        "first-start",
        "nothing yet: two panels that say what to do",
        |_cast| Vec::new(),
    ),
];

/// How far the video is.
const VIDEO: Done = Done {
    bytes: 7_700_000_000,
    total_bytes: 18_400_000_000,
    entries: 1284,
    all_entries: 3412,
    bytes_per_second: 94_200_000,
};

fn main(cast: &Cast) -> Vec<Act> {
    let known = Event::Devices(vec![cast.known(Role::Living, Bond::Paired)]);
    let here = [Role::Living, Role::Garden].map(|role| cast.nearby(role, true));
    let mut acts = vec![Act::from(known), Event::Nearby(here.to_vec()).into()];
    acts.extend(Act::all(unread(cast)));
    acts.push(cast.listening().into());
    acts.extend(cast::code(427_913).map(Act::from));
    let garden = cast.peer(Role::Garden, Trust::Verified);
    acts.push(
        Event::Clients(vec![Client {
            peer: garden,
            doing: Doing::Idle,
        }])
        .into(),
    );
    acts.extend(picked(cast));
    acts.push(choose(Role::Living));
    acts.extend(thesis(cast));
    acts.extend(kitchen_plans(cast, cast.peer(Role::Living, Trust::Known)));
    acts.extend(backup(cast, cast.peer(Role::Garden, Trust::Known)));
    let living = cast.peer(Role::Living, Trust::Known);
    let name = cast.say("Wedding videos", "婚礼视频");
    acts.push(cast.started(1, Direction::Send, living, name).into());
    acts.push(Event::State(cast::transfer(1), TransferState::Running).into());
    acts.extend(Act::all(on_the_way(1, VIDEO)));
    acts
}

fn moves(_cast: &Cast, step: u64) -> Vec<Event> {
    let on = step.saturating_mul(VIDEO.bytes_per_second / 2);
    // It begins anew before it ends.
    let room = VIDEO.total_bytes - VIDEO.bytes;
    let on = on % room;
    let files = on * (VIDEO.all_entries - VIDEO.entries) / room;
    vec![progress(
        1,
        Done {
            bytes: VIDEO.bytes + on,
            entries: VIDEO.entries + files,
            bytes_per_second: wavering(VIDEO.bytes_per_second, 60 + step),
            ..VIDEO
        },
    )]
}

/// A folder and a file to be sent.
pub fn picked(cast: &Cast) -> Vec<Act> {
    let folder = cast.say("Holiday 2026", "2026 假期照片");
    let file = cast.say("Contract – signed.pdf", "合同（已签）.pdf");
    let paths = [cast.pictures(folder), cast.pictures(file)];
    vec![
        Act::change(move |app| {
            for path in paths {
                app.view.draft.add(path);
            }
        }),
        cast.measured(folder, true, 3412, 18_400_000_000).into(),
        cast.measured(file, false, 1, 2_100_000).into(),
    ]
}

/// The person clicks the card of a device. What it takes is not asked for; a scene says that.
pub fn choose(role: Role) -> Act {
    Act::change(move |app| {
        let cards = crate::gui::view::cards(&app.view.devices, &app.view.nearby);
        if let Some(card) = cards.iter().find(|card| card.id == role.id()) {
            app.view.draft.choose(card);
            app.view.draft.look_now = false;
        }
    })
}

fn unread(cast: &Cast) -> Vec<Event> {
    let peer = cast.peer(Role::Living, Trust::Known);
    let line = |id: u8, text: &str| Line {
        at: 1_764_000_000_000,
        direction: Direction::Receive,
        what: Said::Text {
            id: MessageId([id; 16]),
            text: text.to_owned(),
            delivery: Delivery::Delivered,
        },
    };
    let first = cast.say("Are the videos on their way?", "视频发了吗？");
    let second = cast.say("Ah, I see them coming.", "看到了，正在收。");
    vec![
        Event::Conversations(vec![Conversation {
            with: Role::Living.id(),
            name: cast.name(Role::Living),
            lines: Vec::new(),
        }]),
        Event::Line(peer.clone(), line(1, first)),
        Event::Line(peer.clone(), line(2, second)),
        Event::Talk(peer, Talk::Open),
    ]
}

/// Interrupted on its way here.
pub fn backup(cast: &Cast, peer: Peer) -> Vec<Act> {
    let done = Done {
        bytes: 31_200_000_000,
        total_bytes: 40_500_000_000,
        entries: 0,
        all_entries: 1,
        bytes_per_second: 0,
    };
    let mut acts = vec![
        cast.started(2, Direction::Receive, peer, "backup-2026-11.tar")
            .into(),
        Event::State(cast::transfer(2), TransferState::Running).into(),
    ];
    acts.extend(Act::all(on_the_way(
        2,
        Done {
            bytes_per_second: 61_000_000,
            ..done
        },
    )));
    acts.push(progress(2, done).into());
    acts.push(Event::State(cast::transfer(2), TransferState::Interrupted).into());
    acts
}

/// Received, checked and safe.
pub fn kitchen_plans(cast: &Cast, peer: Peer) -> Vec<Act> {
    let name = cast.say("Kitchen plans", "厨房图纸");
    let all = Done {
        bytes: 1_200_000_000,
        total_bytes: 1_200_000_000,
        entries: 307,
        all_entries: 307,
        bytes_per_second: 92_000_000,
    };
    let ended = cast.ended(3, Direction::Receive, peer.clone(), Status::Arrived);
    let mut acts = vec![Act::from(cast.started(3, Direction::Receive, peer, name))];
    acts.extend(Act::all(on_the_way(3, all)));
    acts.push(Event::Ended(ended).into());
    acts.push(Event::Safe(cast::transfer(3)).into());
    acts
}

/// Sent, but for seven that could not be read.
pub fn thesis(cast: &Cast) -> Vec<Act> {
    let nas = cast.peer(Role::Nas, Trust::Known);
    let name = cast.say("Thesis", "论文");
    let all = Done {
        bytes: 880_000_000,
        total_bytes: 900_000_000,
        entries: 300,
        all_entries: 307,
        bytes_per_second: 40_000_000,
    };
    let report = |number: u64| FileReport {
        path: format!("{name}/figures/figure-{number:02}.tif"),
        len_bytes: 2_100_000 + number * 310_000,
        original: None,
        blake3: None,
        status: EntryStatus::Failed(Problem::Unreadable),
    };
    let ended = Summary {
        failed: 7,
        bytes: 880_000_000,
        can_retry: true,
        ..cast.ended(4, Direction::Send, nas.clone(), Status::Problems)
    };
    vec![
        cast.started(4, Direction::Send, nas, name).into(),
        progress(4, all).into(),
        Event::Files(cast::transfer(4), (1..=7).map(report).collect()).into(),
        Event::Ended(ended).into(),
        Act::change(|app| {
            if let Some(row) = app.view.row(cast::transfer(4)) {
                row.open = false;
            }
        }),
    ]
}

/// What the panel for sending says after an attempt that did not begin.
pub fn attempt(cast: &Cast, role: Role, why: Failure) -> Vec<Act> {
    let peer = cast.peer(role, Trust::Asked);
    let ended = cast.failed(9, Direction::Send, peer, why);
    vec![
        Act::change(|app| {
            if let Some(to) = app.view.draft.to() {
                app.view.draft.sent(cast::transfer(9), to);
            }
        }),
        ended.into(),
    ]
}

/// Known to this device and here, but not paired any more over there.
pub fn forgotten_there(cast: &Cast) -> Event {
    Event::Devices(vec![cast.known(Role::Living, Bond::ForgottenThere)])
}
