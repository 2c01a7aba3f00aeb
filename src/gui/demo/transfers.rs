//! States of a transfer, each as a row.

use std::time::{Duration, SystemTime};

use super::cast::{self, Cast, Done, Role, on_the_way, progress, wavering};
use super::main::{backup, kitchen_plans, thesis};
use super::sending::NAMES;
use super::{Act, Scene};
use crate::engine::{Event, Interrupted};
use crate::gui::panels::Want;
use crate::model::{
    DeviceName, Direction, Failure, Hold, Holds, Party, Peer, Progress, Status, Summary,
    TransferId, TransferState, Trust,
};

pub const SCENES: &[Scene] = &[
    Scene::still("connecting", "the connection is being opened", |cast| {
        state(cast, TransferState::Connecting)
    }),
    Scene::still("verifying", "both ends prove themselves", |cast| {
        state(cast, TransferState::Verifying)
    }),
    Scene::still("waiting", "the other person has to answer", |cast| {
        state(cast, TransferState::Waiting)
    }),
    Scene {
        name: "sending",
        about: "a folder is being sent; it moves",
        acts: |cast| running(cast, Direction::Send),
        moves: Some(on),
    },
    Scene {
        name: "receiving",
        about: "a folder is being received; it moves",
        acts: |cast| running(cast, Direction::Receive),
        moves: Some(on),
    },
    Scene::still("paused", "the person here has paused it", |cast| {
        held(cast, Some(Hold::Person), None)
    }),
    Scene::still("paused-there", "the person there has paused it", |cast| {
        held(cast, None, Some(Hold::Person))
    }),
    Scene::still("turn", "others go first", |cast| {
        held(cast, Some(Hold::Turn), None)
    }),
    Scene::still("full-here", "no room on the disk here", |cast| {
        let full = Hold::NoRoom {
            needed_bytes: 3_400_000_000,
        };
        let mut acts = running(cast, Direction::Receive);
        acts.push(hold(Some(full), None).into());
        acts
    }),
    Scene::still("full-there", "no room on the disk there", |cast| {
        let full = Hold::NoRoom {
            needed_bytes: 3_400_000_000,
        };
        held(cast, None, Some(full))
    }),
    Scene::still("checking", "what is there already is looked at", |cast| {
        state(cast, TransferState::Checking)
    }),
    Scene::still(
        "comparing",
        "bytes move while kept ones are compared",
        |cast| {
            let mut acts = running(cast, Direction::Send);
            acts.push(
                Event::Progress(Progress {
                    transfer: cast::transfer(1),
                    bytes: FOLDER.bytes,
                    total_bytes: FOLDER.total_bytes,
                    entries_done: FOLDER.entries,
                    entries: FOLDER.all_entries,
                    checked_bytes: 2_100_000_000,
                    check_bytes: 6_400_000_000,
                    bytes_per_second: FOLDER.bytes_per_second,
                    eta: Some(Duration::from_secs(114)),
                })
                .into(),
            );
            acts
        },
    ),
    Scene::still("finishing", "the last files are checked", |cast| {
        let mut acts = running(cast, Direction::Send);
        let all = Done {
            bytes: FOLDER.total_bytes,
            entries: FOLDER.all_entries - 2,
            ..FOLDER
        };
        acts.push(progress(1, all).into());
        acts.push(Event::State(cast::transfer(1), TransferState::Finishing).into());
        acts
    }),
    Scene::still("quiet", "no answer for some seconds", |cast| {
        let mut acts = running(cast, Direction::Send);
        acts.push(
            Event::Quiet {
                transfer: cast::transfer(1),
                seconds: 8,
            }
            .into(),
        );
        acts
    }),
    Scene::still(
        "interrupted",
        "the connection is lost; it will go on",
        |cast| {
            let mut acts = backup(cast, cast.peer(Role::Garden, Trust::Known));
            acts.extend(running(cast, Direction::Send));
            acts.push(Event::State(cast::transfer(1), TransferState::Interrupted).into());
            acts
        },
    ),
    Scene::still(
        "queued",
        "the device is away; it begins when that appears",
        |cast| state(cast, TransferState::Away),
    ),
    Scene::still("kept", "what earlier runs left unfinished", kept),
    Scene::still(
        "give-up",
        "what has arrived of one is to be thrown away",
        |cast| {
            let mut acts = kept(cast);
            acts.push(Want::Delete(cast::transfer(2)).into());
            acts
        },
    ),
    Scene::still("finished", "received and sent, checked, safe", |cast| {
        let mut acts = kitchen_plans(cast, cast.peer(Role::Living, Trust::Known));
        acts.extend(ended(cast, Status::Arrived, None));
        acts
    }),
    Scene::still("remember", "who sent it can be remembered", |cast| {
        kitchen_plans(cast, cast.peer(Role::Garden, Trust::Verified))
    }),
    Scene::still(
        "problems",
        "some could not be read; the list is open",
        |cast| {
            let mut acts = thesis(cast);
            acts.push(Act::change(|app| {
                if let Some(row) = app.view.row(cast::transfer(4)) {
                    row.open = true;
                }
            }));
            acts
        },
    ),
    Scene::still("declined", "the other person has said no", |cast| {
        ended(cast, Status::Declined, None)
    }),
    Scene::still("cancelled", "the person there has ended it", |cast| {
        ended(cast, Status::Cancelled(Party::Peer), None)
    }),
    Scene::still("failed", "the other device’s disk failed", |cast| {
        let why = Failure::PeerDisk(crate::model::Problem::ReadOnly);
        ended(cast, Status::Failed, Some(why))
    }),
    Scene::still(
        "all-states",
        "every state of a transfer in one list",
        all_states,
    ),
    Scene::still(
        "long-names",
        "transfers with names that are hard to show",
        long_names,
    ),
    Scene {
        name: "transfers-200",
        about: "two hundred transfers; twenty move",
        acts: many,
        moves: Some(many_on),
    },
];

/// How far the folder is.
const FOLDER: Done = Done {
    bytes: 7_700_000_000,
    total_bytes: 18_400_000_000,
    entries: 1284,
    all_entries: 3412,
    bytes_per_second: 94_200_000,
};

fn begun(cast: &Cast, id: u8, direction: Direction) -> Event {
    let peer = cast.peer(Role::Living, Trust::Known);
    let name = cast.say("Wedding videos", "婚礼视频");
    cast.started(id, direction, peer, name)
}

fn state(cast: &Cast, state: TransferState) -> Vec<Act> {
    vec![
        begun(cast, 1, Direction::Send).into(),
        Event::State(cast::transfer(1), state).into(),
    ]
}

fn running(cast: &Cast, direction: Direction) -> Vec<Act> {
    let mut acts = vec![
        Act::from(begun(cast, 1, direction)),
        Event::State(cast::transfer(1), TransferState::Running).into(),
    ];
    acts.extend(Act::all(on_the_way(1, FOLDER)));
    acts
}

fn on(_cast: &Cast, step: u64) -> Vec<Event> {
    let room = FOLDER.total_bytes - FOLDER.bytes;
    let moved = step.saturating_mul(FOLDER.bytes_per_second / 2) % room;
    vec![progress(
        1,
        Done {
            bytes: FOLDER.bytes + moved,
            entries: FOLDER.entries + moved * (FOLDER.all_entries - FOLDER.entries) / room,
            bytes_per_second: wavering(FOLDER.bytes_per_second, 60 + step),
            ..FOLDER
        },
    )]
}

fn hold(here: Option<Hold>, there: Option<Hold>) -> Event {
    Event::Held(cast::transfer(1), Holds { here, there })
}

fn held(cast: &Cast, here: Option<Hold>, there: Option<Hold>) -> Vec<Act> {
    let mut acts = running(cast, Direction::Send);
    acts.push(hold(here, there).into());
    acts
}

fn ended(cast: &Cast, status: Status, failure: Option<Failure>) -> Vec<Act> {
    let mut acts = running(cast, Direction::Send);
    let peer = cast.peer(Role::Living, Trust::Known);
    let arrived = status == Status::Arrived;
    let summary = cast.ended(1, Direction::Send, peer, status);
    let all = Done {
        bytes: FOLDER.total_bytes,
        entries: FOLDER.all_entries,
        ..FOLDER
    };
    if arrived {
        acts.push(progress(1, all).into());
    }
    acts.push(
        Event::Ended(Summary {
            failure,
            entries: FOLDER.all_entries,
            bytes: FOLDER.total_bytes,
            elapsed: Duration::from_secs(195),
            ..summary
        })
        .into(),
    );
    if arrived {
        acts.push(Event::Safe(cast::transfer(1)).into());
    }
    acts
}

fn kept(cast: &Cast) -> Vec<Act> {
    let days = Duration::from_secs(6 * 86_400);
    let one = |id: u8, direction: Direction, name: &str, failed: u64| Interrupted {
        transfer: cast::transfer(id),
        direction,
        peer: cast.peer(Role::Living, Trust::Known),
        names: vec![name.to_owned()],
        picked: 1,
        places: vec![cast.pictures(name)],
        entries: 3412,
        bytes: 18_400_000_000,
        held_bytes: 7_700_000_000,
        failed,
        until: SystemTime::now() + days,
    };
    let videos = cast.say("Wedding videos", "婚礼视频");
    vec![
        Event::Kept(vec![
            one(1, Direction::Send, videos, 0),
            one(2, Direction::Receive, "backup-2026-11.tar", 0),
            one(4, Direction::Send, cast.say("Thesis", "论文"), 7),
        ])
        .into(),
    ]
}

/// The same scene again, as another transfer.
fn renumbered(acts: Vec<Act>, was: u8, now: u8) -> Vec<Act> {
    let (was, now) = (cast::transfer(was), cast::transfer(now));
    let renamed = Act::from(Event::Renamed { was, now });
    acts.into_iter().chain([renamed]).collect()
}

fn all_states(cast: &Cast) -> Vec<Act> {
    let mut acts = thesis(cast);
    acts.extend(kitchen_plans(
        cast,
        cast.peer(Role::Garden, Trust::Verified),
    ));
    let states = [
        ended(cast, Status::Failed, Some(Failure::Lost)),
        ended(cast, Status::Cancelled(Party::Peer), None),
        ended(cast, Status::Declined, None),
        ended(cast, Status::Arrived, None),
        state(cast, TransferState::Away),
        held(
            cast,
            None,
            Some(Hold::NoRoom {
                needed_bytes: 3_400_000_000,
            }),
        ),
        held(cast, Some(Hold::Turn), None),
        held(cast, Some(Hold::Person), Some(Hold::Person)),
        held(cast, Some(Hold::Person), None),
        state(cast, TransferState::Checking),
        state(cast, TransferState::Waiting),
        state(cast, TransferState::Connecting),
    ];
    for (number, state) in (20_u8..).zip(states) {
        acts.extend(renumbered(state, 1, number));
    }
    acts.extend(backup(cast, cast.peer(Role::Garden, Trust::Known)));
    acts.extend(running(cast, Direction::Send));
    acts
}

fn long_names(cast: &Cast) -> Vec<Act> {
    let mut acts = Vec::new();
    for (id, name) in (1_u8..).zip(NAMES) {
        let direction = match id % 2 {
            0 => Direction::Receive,
            _ => Direction::Send,
        };
        let peer = Peer {
            name: DeviceName::cleaned(NAMES[usize::from(id + 1) % NAMES.len()], "?"),
            ..cast.peer(Role::Living, Trust::Known)
        };
        acts.push(cast.started(id, direction, peer.clone(), name).into());
        acts.push(Event::State(cast::transfer(id), TransferState::Running).into());
        acts.extend(Act::all(on_the_way(id, FOLDER)));
        if id > 3 {
            acts.push(Event::Ended(cast.ended(id, direction, peer, Status::Arrived)).into());
        }
    }
    acts
}

const MANY: u8 = 200;
const MOVING: u8 = 20;

fn many(cast: &Cast) -> Vec<Act> {
    let mut acts = Vec::new();
    for id in 1..=MANY {
        let name = format!("{} {id}", cast.say("Album", "相册"));
        let peer = cast.peer(Role::Living, Trust::Known);
        acts.push(
            cast.started(id, Direction::Send, peer.clone(), &name)
                .into(),
        );
        if id <= MANY - MOVING {
            let ended = cast.ended(id, Direction::Send, peer, Status::Arrived);
            acts.push(Event::Ended(ended).into());
        } else {
            acts.push(Event::State(cast::transfer(id), TransferState::Running).into());
            acts.extend(Act::all(on_the_way(id, FOLDER)));
        }
    }
    acts
}

fn many_on(cast: &Cast, step: u64) -> Vec<Event> {
    let on = on(cast, step);
    let numbers = (MANY - MOVING + 1)..=MANY;
    let as_of = |id: TransferId, event: &Event| match event {
        Event::Progress(progress) => Some(Event::Progress(Progress {
            transfer: id,
            ..*progress
        })),
        _others_do_not_move => None,
    };
    numbers
        .flat_map(|id| {
            on.iter()
                .filter_map(move |event| as_of(cast::transfer(id), event))
        })
        .collect()
}
