//! What stands beside the three panels: offers, conversations, settings, what the doctor found, the wire.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cast::{self, Cast, Done, Role, on_the_way};
use super::receiving::on;
use super::sending::ready;
use super::{Act, Scene};
use crate::engine::{
    Counts, Event, Existing, Flow, Frames, Offer, Phase, Purpose, Seen, Talk, TextOffer, What,
    WireConnection,
};
use crate::gui::panels::Want;
use crate::gui::panels::settings::Page;
use crate::gui::view::Notice;
use crate::model::finding::{Door, Firewall, Link, LinkKind, NoConnection, Remedy, Road};
use crate::model::{
    Bond, Conversation, Delivery, Diagnosis, Direction, EntryStatus, Failure, FileReport, Finding,
    Line, MessageId, Outcome, PeerAddress, Problem, Rule, Said, Status, Summary, Symbols,
    TransferLine, TransferState, Trust, Way,
};

pub const SCENES: &[Scene] = &[
    Scene::still("help", "the keys, and the ways on", |cast| {
        let mut acts = on(cast);
        acts.push(Want::OpenHelp.into());
        acts
    }),
    Scene::still("copied", "a word that something was copied", |cast| {
        let mut acts = on(cast);
        acts.push(Want::Copy("427913".to_owned()).into());
        acts
    }),
    Scene::still(
        "offer-code",
        "somebody with the code wants to send",
        |cast| {
            let offer = cast.offer(cast.peer(Role::Anna, Trust::Verified));
            let names = [
                cast.say("Kitchen plans", "厨房图纸"),
                cast.say("Contract – signed.pdf", "合同（已签）.pdf"),
                cast.say("Invoices 2026.xlsx", "2026 年发票.xlsx"),
            ];
            let offer = Offer {
                names: names.map(str::to_owned).to_vec(),
                picked: 14,
                remembers: true,
                counting: true,
                ..offer
            };
            offered(cast, vec![offer])
        },
    ),
    Scene::still(
        "offer-unconfirmed",
        "the person there has not compared yet",
        |cast| {
            let offer = Offer {
                symbols: Some(symbols()),
                names: Vec::new(),
                entries: 0,
                bytes: 0,
                ..cast.offer(cast.peer(Role::Garden, Trust::Asked))
            };
            offered(cast, vec![offer])
        },
    ),
    Scene::still("offers", "three offers wait at once", |cast| {
        let known = cast.offer(cast.peer(Role::Living, Trust::Known));
        let code = cast.offer(cast.peer(Role::Anna, Trust::Verified));
        let asked = Offer {
            symbols: Some(symbols()),
            ..cast.offer(cast.peer(Role::Garden, Trust::Asked))
        };
        offered(cast, vec![known, with_id(code, 91), with_id(asked, 92)])
    }),
    Scene::still(
        "offer-hard",
        "long names, conflicts, and too little room",
        |cast| {
            let name = cast.say(
            "An unbelievably long name of a folder that somebody gave to the photographs of a \
             holiday, and then some more.tar.gz",
            "一个长得难以置信的文件夹名称，里面是去年夏天在海边度假时拍摄的全部照片和视频，还有别的.tar.gz",
        );
            let offer = cast.offer(cast.peer(Role::Office, Trust::Asked));
            let existing = Existing {
                names: vec![name.to_owned()],
                picked: 3,
                same_names: 1041,
                new: 12_266,
                complete: false,
            };
            let offer = Offer {
                symbols: Some(symbols()),
                names: vec![name.to_owned(), "تقرير السنة.pdf".into(), "b.txt".into()],
                picked: 400,
                entries: 13_307,
                bytes: 418_400_000_000,
                free_bytes: Some(2_000_000_000),
                existing: Some(Box::new(existing)),
                ..offer
            };
            offered(cast, vec![offer])
        },
    ),
    Scene::still(
        "text-offer",
        "somebody not known wants to send a text",
        |cast| {
            let mut acts = on(cast);
            acts.push(
                Event::TextOffered(TextOffer {
                    from: cast.peer(Role::Anna, Trust::Asked),
                    symbols: Some(symbols()),
                })
                .into(),
            );
            acts
        },
    ),
    Scene::still("talk", "a conversation, with a transfer in it", |cast| {
        talk(cast, true)
    }),
    Scene::still("talk-empty", "a conversation, nothing said yet", |cast| {
        let mut acts = ready(cast);
        acts.push(Want::ShowTalk(Some(Role::Living.id())).into());
        acts
    }),
    Scene::still(
        "talk-away",
        "messages wait for a device that is away",
        |cast| {
            let mut acts = talk(cast, false);
            let peer = cast.peer(Role::Living, Trust::Known);
            let waits = cast.say("Then I’ll bring the cable.", "那我把线带过去。");
            let lost = cast.say("Can you hear me?", "收到了吗？");
            acts.push(
                Event::Line(
                    peer.clone(),
                    text(Direction::Send, 50, lost, Delivery::NotDelivered),
                )
                .into(),
            );
            acts.push(
                Event::Line(
                    peer.clone(),
                    text(Direction::Send, 51, waits, Delivery::Waiting),
                )
                .into(),
            );
            acts.push(Event::Talk(peer, Talk::Away(Failure::Lost)).into());
            acts
        },
    ),
    Scene::still(
        "talk-stranger",
        "a conversation with a device that is not known",
        |cast| {
            let mut acts = ready(cast);
            acts.push(Want::ShowTalk(Some(Role::Garden.id())).into());
            acts
        },
    ),
    Scene::still(
        "settings-receiving",
        "the settings, about what comes",
        |_cast| settings(Page::Receiving),
    ),
    Scene::still(
        "settings-network",
        "the settings, about the network",
        |_cast| settings(Page::Network),
    ),
    Scene::still(
        "settings-advanced",
        "the settings, about the rest",
        |_cast| {
            vec![Act::change(|app| {
                app.open_settings(|dialog| {
                    dialog
                        .at(Page::Advanced)
                        .keeping("/home/lin/.local/share/ropeway".into())
                });
            })]
        },
    ),
    Scene::still("settings-devices", "known devices in every state", |cast| {
        let mut acts = ready(cast);
        let mut rule = cast.known(Role::Living, Bond::Paired);
        rule.rule = Rule::Accept {
            folder: None,
            max_bytes: Some(2_000_000_000),
        };
        acts.push(
            Event::Devices(vec![
                rule,
                cast.known(Role::Nas, Bond::Paired),
                cast.known(Role::Garden, Bond::Wished),
                cast.known(Role::Kitchen, Bond::ForgottenThere),
                cast.known(Role::Office, Bond::Blocked),
            ])
            .into(),
        );
        acts.push(Act::change(|app| {
            if let Some(device) = app.view.devices.first().cloned() {
                app.open_settings(|dialog| dialog.at_device(&device));
            }
        }));
        acts
    }),
    Scene::still(
        "settings-nobody",
        "the settings, nobody known yet",
        |_cast| settings(Page::Known),
    ),
    Scene::still(
        "doctor-blocked",
        "the doctor found a firewall in the way",
        |cast| doctor(cast, None, this_computer(), true),
    ),
    Scene::still(
        "doctor-device",
        "the doctor, about one device, still looking",
        |cast| {
            let mut findings = this_computer();
            findings.truncate(2);
            findings.extend(other_device(cast));
            doctor(cast, Some("192.168.1.24:9000"), findings, false)
        },
    ),
    Scene::still("doctor-good", "the doctor found nothing wrong", |cast| {
        let mut findings = this_computer();
        findings.retain(|finding| !matches!(finding, Finding::FirewallBlocks { .. }));
        findings.push(Finding::FirewallOff);
        findings.push(Finding::Answers {
            address: (Role::Living.address().ip(), 9000).into(),
            name: cast.name(Role::Living),
            ways: vec![Way::Code],
            known: true,
        });
        doctor(cast, Some("192.168.1.21:9000"), findings, true)
    }),
    Scene::still("wire", "the wire panel", |cast| wire(cast, None)),
    Scene::still(
        "wire-frames",
        "the wire panel with the frames of one connection",
        |cast| wire(cast, Some(3)),
    ),
    Scene::still(
        "failures-10000",
        "a list of ten thousand failures",
        failures,
    ),
    Scene::still(
        "quit",
        "the window is closed while something runs",
        |cast| {
            let mut acts = running(cast);
            acts.push(Act::change(super::super::app::App::ask_to_quit));
            acts
        },
    ),
    Scene::still(
        "stop",
        "the server is switched off while something comes in",
        |cast| {
            let mut acts = running(cast);
            acts.push(Want::SwitchOff.into());
            acts
        },
    ),
    Scene::still("notice", "something to be told above everything", |cast| {
        let mut acts = on(cast);
        let name = cast.name(Role::Anna);
        acts.push(Act::change(move |app| {
            app.view.tell(Notice::Blocked(Role::Anna.id(), name));
        }));
        acts.push(Event::WantsToBeRemembered(cast.peer(Role::Garden, Trust::Verified)).into());
        acts
    }),
];

fn symbols() -> Symbols {
    super::dialogs::symbols()
}

fn with_id(offer: Offer, id: u8) -> Offer {
    Offer {
        transfer: cast::transfer(id),
        ..offer
    }
}

fn offered(cast: &Cast, offers: Vec<Offer>) -> Vec<Act> {
    let mut acts = on(cast);
    acts.extend(Act::all(offers.into_iter().map(Event::Offer)));
    acts
}

fn settings(page: Page) -> Vec<Act> {
    vec![Act::change(move |app| {
        app.open_settings(|dialog| dialog.at(page))
    })]
}

/// Now, less so many minutes.
fn minutes_ago(minutes: u64) -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.unwrap_or_default().as_millis();
    u64::try_from(now)
        .unwrap_or_default()
        .saturating_sub(minutes * 60_000)
}

fn text(direction: Direction, id: u8, text: &str, delivery: Delivery) -> Line {
    Line {
        at: minutes_ago(60_u64.saturating_sub(u64::from(id))),
        direction,
        what: Said::Text {
            id: MessageId([id; 16]),
            text: text.to_owned(),
            delivery,
        },
    }
}

fn talk(cast: &Cast, open: bool) -> Vec<Act> {
    let peer = cast.peer(Role::Living, Trust::Known);
    let said = |direction, id, words: &str| text(direction, id, words, Delivery::Delivered);
    let (here, there) = (Direction::Send, Direction::Receive);
    let sent = Line {
        at: minutes_ago(45),
        direction: here,
        what: Said::Transfer(TransferLine {
            transfer: cast::transfer(60),
            names: vec![cast.say("Holiday 2026", "2026 假期照片").to_owned()],
            picked: 2,
            entries: 3413,
            bytes: 18_400_000_000,
            failed: 0,
            outcome: Outcome::Arrived,
        }),
    };
    let mut first = said(
        there,
        1,
        cast.say("Are the videos on their way?", "视频发了吗？"),
    );
    first.at = minutes_ago(26 * 60);
    let lines = vec![
        first,
        said(here, 10, cast.say("Yes – all of them. The album is here: https://photos.example.org/2026/holiday", "都发了，相册在这里：https://photos.example.org/2026/holiday")),
        sent,
        said(there, 20, cast.say(
            "Wonderful, thank you! I’ll go through them tonight and tell you which ones we print.\n\nThe one at the harbour is my favourite by far.",
            "太好了，谢谢！今晚我挑一挑，看看哪些要打印出来。\n\n港口那张是我最喜欢的。",
        )),
        said(there, 21, "مرحبا، شكرا جزيلا"),
        said(here, 22, "混排 mixed ✓ 😀 café"),
    ];
    let mut acts = ready(cast);
    acts.push(
        Event::Conversations(vec![
            Conversation {
                with: Role::Living.id(),
                name: cast.name(Role::Living),
                lines,
            },
            Conversation {
                with: Role::Anna.id(),
                name: cast.name(Role::Anna),
                lines: vec![said(there, 5, cast.say("See you tomorrow", "明天见"))],
            },
        ])
        .into(),
    );
    acts.push(
        Event::Line(
            cast.peer(Role::Anna, Trust::Verified),
            said(
                there,
                30,
                cast.say("Shall I bring the disk?", "要我把硬盘带来吗？"),
            ),
        )
        .into(),
    );
    if open {
        acts.push(Event::Talk(peer.clone(), Talk::Open).into());
        let name = cast.say("Wedding videos", "婚礼视频");
        acts.push(cast.started(1, Direction::Send, peer, name).into());
        acts.push(Event::State(cast::transfer(1), TransferState::Running).into());
        acts.extend(Act::all(on_the_way(1, VIDEO)));
    }
    acts.push(Want::ShowTalk(Some(Role::Living.id())).into());
    acts
}

const VIDEO: Done = Done {
    bytes: 7_700_000_000,
    total_bytes: 18_400_000_000,
    entries: 1284,
    all_entries: 3412,
    bytes_per_second: 94_200_000,
};

/// Something is on its way to this device.
fn running(cast: &Cast) -> Vec<Act> {
    let mut acts = on(cast);
    let peer = cast.peer(Role::Living, Trust::Known);
    let name = cast.say("Wedding videos", "婚礼视频");
    acts.push(cast.started(1, Direction::Receive, peer, name).into());
    acts.push(Event::State(cast::transfer(1), TransferState::Running).into());
    acts.extend(Act::all(on_the_way(1, VIDEO)));
    acts
}

fn this_computer() -> Vec<Finding> {
    vec![
        Finding::Link(Link {
            link: "enp3s0".into(),
            kind: LinkKind::Local,
            addresses: vec![IpAddr::from([192, 168, 1, 20])],
        }),
        Finding::ServerOn { port: 9000, addresses: vec![IpAddr::from([192, 168, 1, 20])] },
        Finding::FirewallBlocks {
            firewall: Firewall::Ufw,
            door: Door::Transfers { tcp: 9000 },
            remedy: Remedy {
                commands: vec!["sudo ufw allow from 192.168.1.0/24 to any port 9000 proto tcp comment 'Ropeway'".into()],
                lasting: true,
            },
        },
        Finding::Beacon { link: "enp3s0".into(), returned: true },
    ]
}

fn other_device(_cast: &Cast) -> Vec<Finding> {
    let address = Role::Anna.address();
    vec![
        Finding::Road {
            address: address.ip(),
            road: Road::SameNetwork {
                link: "enp3s0".into(),
            },
        },
        Finding::NotConnected {
            address,
            why: NoConnection::TimedOut,
            elsewhere: false,
        },
    ]
}

fn doctor(cast: &Cast, of: Option<&str>, findings: Vec<Finding>, complete: bool) -> Vec<Act> {
    let of: Option<PeerAddress> = of.and_then(|of| of.parse().ok());
    let mut acts = on(cast);
    acts.push(Want::OpenDoctor(of.clone()).into());
    acts.push(
        Event::Diagnosis(Diagnosis {
            of,
            findings,
            complete,
        })
        .into(),
    );
    acts
}

fn wire(cast: &Cast, open: Option<u64>) -> Vec<Act> {
    let now = Instant::now();
    let frame = |out, kind, name, count, bytes, call| {
        What::Frames(Frames {
            out,
            kind,
            name,
            count,
            bytes,
            last_call: call,
            calls: 1,
        })
    };
    let seen = [
        What::Phase(Phase::Hello),
        frame(true, 0x01, "hello", 1, 84, 1),
        frame(false, 0x01, "hello", 1, 96, 1),
        frame(true, 0x02, "verify", 1, 52, 2),
        What::Phase(Phase::Challenge),
        frame(false, 0x03, "challenge", 1, 52, 2),
        frame(false, 0x13, "accept", 1, 52, 3),
        frame(false, 0x16, "status", 1, 40, 3),
        frame(false, 0x23, "credit", 1, 16, 3),
        What::Frames(Frames {
            out: true,
            kind: 0x20,
            name: "data",
            count: 1234,
            bytes: 323_500_000,
            last_call: 1242,
            calls: 1234,
        }),
    ];
    let seen: Vec<_> = (13..)
        .zip(seen)
        .map(|(millis, what)| Seen {
            at: Duration::from_millis(millis),
            what,
        })
        .collect();
    let one = |id, label: &str, purpose, role: Option<Role>, phase| WireConnection {
        id,
        label: label.into(),
        purpose,
        dialled: matches!(purpose, Purpose::Send),
        peer: role.map(|role| cast.name(role)),
        local: Some(([192, 168, 1, 20], 50312).into()),
        remote: role.map(Role::address),
        opened: now,
        phase,
        since: now,
        until: None,
        dead_at: None,
        counts: Counts {
            reads: 61,
            frames_in: 80,
            bytes_in: 1_700,
            writes: 1240,
            frames_out: 1241,
            bytes_out: 323_500_500,
        },
        seen: Arc::from([]),
    };
    let sends = WireConnection {
        seen: seen.into(),
        ..one(
            3,
            "send-3",
            Purpose::Send,
            Some(Role::Living),
            Phase::Sending(Flow::Credit),
        )
    };
    let asks = WireConnection {
        until: Some(now + Duration::from_secs(240)),
        ..one(
            4,
            "client-4",
            Purpose::Receive,
            Some(Role::Garden),
            Phase::PersonHere,
        )
    };
    let listens = WireConnection {
        local: Some((std::net::Ipv6Addr::UNSPECIFIED, 9000).into()),
        counts: Counts::default(),
        ..one(1, "listen", Purpose::Listen, None, Phase::Listening)
    };
    let mut acts = running(cast);
    acts.push(Want::ShowWire(true).into());
    acts.push(Event::Wire(vec![listens, sends, asks]).into());
    acts.push(Want::OpenWire(open).into());
    acts
}

fn failures(cast: &Cast) -> Vec<Act> {
    const COUNT: u64 = 10_000;
    let peer = cast.peer(Role::Nas, Trust::Known);
    let name = cast.say("Thesis", "论文");
    let transfer = cast::transfer(4);
    let mut acts = ready(cast);
    acts.push(cast.started(4, Direction::Send, peer.clone(), name).into());
    let why = [
        Problem::Unreadable,
        Problem::Vanished,
        Problem::Changed,
        Problem::Link,
    ];
    let report = |(index, problem): (u64, &Problem)| FileReport {
        path: format!("{name}/{:03}/chapter {index:05} – draft.tex", index / 100),
        len_bytes: 12_345 + index,
        original: None,
        blake3: None,
        status: EntryStatus::Failed(problem.clone()),
    };
    let reports = (0..COUNT).zip(why.iter().cycle()).map(report).collect();
    acts.push(Event::Files(transfer, reports).into());
    let ended = cast.ended(4, Direction::Send, peer, Status::Problems);
    acts.push(
        Event::Ended(Summary {
            entries: 12_000,
            failed: COUNT,
            can_retry: true,
            ..ended
        })
        .into(),
    );
    acts
}
