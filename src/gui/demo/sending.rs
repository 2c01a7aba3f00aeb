//! States of the panel for sending.

use std::path::PathBuf;

use super::cast::{Cast, Role};
use super::main::{attempt, choose, forgotten_there, picked};
use super::{Act, Scene};
use crate::engine::{Event, Found, Looked, Measured, Recent};
use crate::gui::view::draft::Look;
use crate::model::{DeviceId, DeviceName, Failure, PeerAddress, Problem, Trust, Way};

pub const SCENES: &[Scene] = &[
    Scene::still("nearby", "devices are around, nothing is picked", |cast| {
        Act::all(cast.neighbours())
    }),
    Scene::still("hover", "files are held over the window", |cast| {
        let mut acts = ready(cast);
        acts.push(Act::Hover);
        acts
    }),
    Scene::still("picked", "two things picked, nobody chosen", ready),
    Scene::still(
        "counting",
        "a large folder is still being counted",
        counting,
    ),
    Scene::still("ready", "picked, and a known device chosen", |cast| {
        let mut acts = ready(cast);
        acts.push(choose(Role::Living));
        acts
    }),
    Scene::still("list-10000", "ten thousand picked files", |_cast| {
        vec![Act::change(|app| {
            for number in 1..=10_000 {
                let path = format!("/home/lin/scans/2026/scan-{number:05}.tif");
                app.view.draft.add(PathBuf::from(path));
            }
            for pick in &mut app.view.draft.picks {
                pick.bytes = 24_300_000;
                pick.counting = false;
            }
        })]
    }),
    Scene::still("names", "very long, right-to-left and Chinese names", names),
    Scene {
        name: "peers",
        about: "devices appear and disappear",
        acts: ready,
        moves: Some(come_and_go),
    },
    Scene::still("many-devices", "more devices than fit", many_devices),
    Scene::still("looking", "a typed address is looked at", |cast| {
        let mut acts = ready(cast);
        acts.push(typed("10.8.0.17"));
        acts.push(Act::change(|app| {
            if let Some(to) = app.view.draft.to() {
                app.view.draft.look = Look::Asked(to);
            }
        }));
        acts
    }),
    Scene::still(
        "code-or-ask",
        "a device that is not known takes a code, or asks",
        |cast| {
            let mut acts = ready(cast);
            acts.push(choose(Role::Garden));
            acts.push(takes(cast, Role::Garden, vec![Way::Code, Way::Ask]));
            acts
        },
    ),
    Scene::still("passphrase", "a server that takes a passphrase", |cast| {
        let mut acts = ready(cast);
        acts.push(typed("10.8.0.17"));
        acts.push(found_at(
            "10.8.0.17",
            cast.name(Role::Office),
            vec![Way::Passphrase],
        ));
        acts
    }),
    Scene::still(
        "known-only",
        "a device that takes known devices only",
        |cast| {
            let mut acts = ready(cast);
            acts.push(choose(Role::Garden));
            acts.push(takes(cast, Role::Garden, vec![Way::Pair]));
            acts
        },
    ),
    Scene::still("no-answer", "nothing answers at a typed address", |cast| {
        let mut acts = ready(cast);
        acts.push(typed("10.8.0.17"));
        acts.extend(at("10.8.0.17").map(|at| {
            let address = at.to_string();
            let found = Err(Failure::Unreachable { address });
            Act::from(Event::Looked(Looked { at, found }))
        }));
        acts
    }),
    Scene::still("recent", "addresses used before", |cast| {
        let mut acts = ready(cast);
        let recent = |address: &str, name: &str, byte: u8| {
            at(address).map(|address| Recent {
                address,
                device: DeviceId([byte; 32]),
                name: DeviceName::cleaned(name, "?"),
                last: std::time::SystemTime::now(),
            })
        };
        let office = cast.say("Office", "办公室");
        let all = [
            recent("files.example.org:9001", office, 61),
            recent("10.8.0.17", "Laptop", 62),
        ];
        acts.push(Event::Recent(all.into_iter().flatten().collect()).into());
        acts
    }),
    Scene::still(
        "wrong-code",
        "the code did not work; the list is still there",
        |cast| {
            let mut acts = ready(cast);
            acts.push(choose(Role::Garden));
            acts.push(takes(cast, Role::Garden, vec![Way::Code, Way::Ask]));
            acts.push(Act::change(|app| app.view.draft.code = "427 193".into()));
            acts.extend(attempt(cast, Role::Garden, Failure::WrongSecret));
            acts
        },
    ),
    Scene::still(
        "another-key",
        "another key than the known device’s answers",
        |cast| {
            let mut acts = ready(cast);
            acts.push(choose(Role::Living));
            let name = cast.name(Role::Living);
            acts.extend(attempt(cast, Role::Living, Failure::NotTheDevice { name }));
            acts
        },
    ),
    Scene::still(
        "forgotten-there",
        "a known device that has forgotten this one",
        |cast| {
            let mut acts = ready(cast);
            acts.push(forgotten_there(cast).into());
            acts.push(choose(Role::Living));
            acts.push(takes(cast, Role::Living, vec![Way::Code]));
            acts
        },
    ),
    Scene::still(
        "receive-off-there",
        "nearby, but receive is off there",
        |cast| {
            let mut acts = ready(cast);
            acts.push(
                Event::Nearby(vec![
                    cast.nearby(Role::Living, false),
                    cast.nearby(Role::Garden, false),
                    cast.nearby(Role::Nas, true),
                ])
                .into(),
            );
            acts.push(choose(Role::Garden));
            acts
        },
    ),
    Scene::still("away", "a known device that is not nearby", |cast| {
        let mut acts = ready(cast);
        acts.push(Event::Nearby(vec![cast.nearby(Role::Garden, true)]).into());
        acts.push(choose(Role::Nas));
        acts
    }),
    Scene::still(
        "unreadable",
        "a picked folder that cannot be read",
        |cast| {
            let mut acts = ready(cast);
            let path = cast.pictures(cast.say("Private", "私人文件"));
            acts.push(pick(path.clone()));
            acts.push(
                Event::Measured(Measured {
                    path,
                    is_folder: true,
                    entries: 1,
                    bytes: 0,
                    counting: false,
                    problem: Some(Problem::Unreadable),
                })
                .into(),
            );
            acts
        },
    ),
];

/// Two things are picked, and some devices are around.
pub fn ready(cast: &Cast) -> Vec<Act> {
    let mut acts = Act::all(cast.neighbours());
    acts.extend(picked(cast));
    acts
}

fn pick(path: PathBuf) -> Act {
    Act::change(move |app| _ = app.view.draft.add(path))
}

fn counting(cast: &Cast) -> Vec<Act> {
    let mut acts = ready(cast);
    let path = cast.pictures(cast.say("Archive", "归档"));
    acts.push(pick(path.clone()));
    acts.push(
        Event::Measured(Measured {
            path,
            is_folder: true,
            entries: 48_211,
            bytes: 212_700_000_000,
            counting: true,
            problem: None,
        })
        .into(),
    );
    acts
}

/// Names that are hard to show.
pub const NAMES: [&str; 6] = [
    "Minutes of the extraordinary general meeting of the housing cooperative, second draft with all comments, 2026-11-24, final (really).docx",
    "تقرير الاجتماع السنوي الطويل جدا للجمعية التعاونية السكنية لعام 2026.pdf",
    "关于召开二〇二六年第四季度业主委员会扩大会议并讨论地下车库改造方案的通知（修订第三稿，含全部附件）.docx",
    "צילומי משפחה.zip",
    "archive.tar.gz",
    "no-extension-but-a-name-that-does-not-want-to-end-and-goes-on-and-on-and-on-until-the-window-is-full",
];

fn names(cast: &Cast) -> Vec<Act> {
    let mut acts = Act::all(cast.neighbours());
    for (index, name) in NAMES.into_iter().enumerate() {
        acts.push(pick(cast.pictures(name)));
        let bytes = 2_100_000 * (index as u64 + 1);
        acts.push(cast.measured(name, index == 3, 1, bytes).into());
    }
    let long = DeviceName::cleaned("Kitchen tablet with a very long name indeed, upstairs", "?");
    let rtl = DeviceName::cleaned("مكتب غرفة المعيشة", "?");
    let named = |role: Role, name: &DeviceName| {
        let mut nearby = cast.nearby(role, true);
        nearby.name = name.clone();
        nearby
    };
    acts.push(
        Event::Nearby(vec![
            named(Role::Garden, &long),
            named(Role::Kitchen, &rtl),
            named(
                Role::Anna,
                &DeviceName::cleaned("三楼会议室公用的那台很旧的笔记本电脑", "?"),
            ),
        ])
        .into(),
    );
    acts.push(choose(Role::Garden));
    acts.push(takes(cast, Role::Garden, vec![Way::Code, Way::Ask]));
    acts
}

fn come_and_go(cast: &Cast, step: u64) -> Vec<Event> {
    const EVERY: u64 = 4;
    if !step.is_multiple_of(EVERY) {
        return Vec::new();
    }
    let all = [
        Role::Living,
        Role::Garden,
        Role::Nas,
        Role::Anna,
        Role::Kitchen,
    ];
    let turn = step / EVERY;
    let here = all.iter().enumerate();
    let here = here.filter(|(index, _)| !(turn + *index as u64).is_multiple_of(3));
    let nearby = here.map(|(_, role)| cast.nearby(*role, true));
    vec![Event::Nearby(nearby.collect())]
}

fn many_devices(cast: &Cast) -> Vec<Act> {
    let mut acts = ready(cast);
    let office = |number: u8| {
        let name = cast.say("Workstation", "工作站");
        let mut nearby = cast.nearby(Role::Office, !number.is_multiple_of(5));
        nearby.id = DeviceId([100 + number; 32]);
        nearby.name = DeviceName::cleaned(&format!("{name} {number}"), "?");
        nearby
    };
    let mut nearby: Vec<_> = (1..=23).map(office).collect();
    nearby.insert(0, cast.nearby(Role::Living, true));
    acts.push(Event::Nearby(nearby).into());
    acts
}

fn at(address: &str) -> Option<PeerAddress> {
    address.parse().ok()
}

/// The person types an address.
fn typed(address: &'static str) -> Act {
    Act::change(move |app| {
        app.view.draft.address = address.to_owned();
        app.view.draft.edited();
    })
}

/// The chosen device says how it is entered.
pub fn takes(cast: &Cast, role: Role, ways: Vec<Way>) -> Act {
    let found = Found {
        id: role.id(),
        name: cast.peer(role, Trust::Asked).name,
        ways,
        paired: false,
    };
    let at = PeerAddress::of(role.address(), role.id());
    Act::change(move |app| {
        // As the person would have it, whether the address names the device or not.
        let at = app.view.draft.to().unwrap_or(at);
        let found = Ok(found);
        app.view.draft.look = Look::Done(Looked { at, found });
    })
}

fn found_at(address: &str, name: DeviceName, ways: Vec<Way>) -> Act {
    let looked = at(address).map(|at| Looked {
        at,
        found: Ok(Found {
            id: DeviceId([77; 32]),
            name,
            ways,
            paired: false,
        }),
    });
    Act::change(move |app| {
        if let Some(looked) = looked {
            app.view.draft.look = Look::Done(looked);
        }
    })
}
