//! States of the panel for receiving.

use std::net::IpAddr;

use super::cast::{self, Cast, Role};
use super::{Act, Scene};
use crate::engine::{Client, Doing, Event, ListenError, Listening};
use crate::gui::view::Server;
use crate::model::finding::{Door, Firewall, Remedy};
use crate::model::{Allow, Finding, Problem, Trust};

pub const SCENES: &[Scene] = &[
    Scene::still("server-on", "the server is on, nobody connected", on),
    Scene::still(
        "server-starting",
        "the server is being switched on",
        |_cast| vec![Act::change(|app| app.view.server = Server::Starting)],
    ),
    Scene::still(
        "server-clients",
        "devices are connected, each doing something",
        |cast| {
            let mut acts = on(cast);
            acts.push(clients(cast).into());
            acts
        },
    ),
    Scene::still(
        "port-moved",
        "the usual port was taken, another one is used",
        |cast| {
            let mut acts = on(cast);
            let moved = Listening {
                addr: (std::net::Ipv6Addr::UNSPECIFIED, 9001).into(),
                port_moved: true,
                ..cast.listens()
            };
            acts.push(Event::Listening(moved).into());
            acts
        },
    ),
    Scene::still(
        "port-taken",
        "the server cannot listen: the port is taken",
        |_cast| vec![Event::ListenFailed(ListenError::PortTaken { port: 9000 }).into()],
    ),
    Scene::still("folder-trouble", "the save folder cannot be used", |cast| {
        let folder = cast.save_folder();
        let problem = Problem::NotWritable;
        vec![Event::ListenFailed(ListenError::Folder { folder, problem }).into()]
    }),
    Scene::still("wrong-tries", "somebody typed a wrong code", |cast| {
        let mut acts = on(cast);
        let from = stranger();
        acts.push(
            Event::WrongSecret {
                from,
                tries_left: 1,
            }
            .into(),
        );
        acts
    }),
    Scene::still(
        "must-wait",
        "too many wrong codes from one address",
        |cast| {
            let mut acts = on(cast);
            acts.push(Event::MustWait { from: stranger() }.into());
            acts
        },
    ),
    Scene::still(
        "code-rests",
        "too many wrong codes from everywhere",
        |cast| {
            let mut acts = on(cast);
            acts.push(Event::CodeRests(true).into());
            acts
        },
    ),
    Scene::still("known-may-send", "known devices only may send", |cast| {
        let mut acts = Act::all(cast.neighbours());
        acts.extend(on(cast));
        acts.push(Act::change(|app| app.settings.allow = Allow::Paired));
        acts
    }),
    Scene::still(
        "nobody-may-send",
        "known devices only, and none is known",
        |cast| {
            let mut acts = on(cast);
            acts.push(Act::change(|app| app.settings.allow = Allow::Paired));
            acts
        },
    ),
    Scene::still(
        "firewall",
        "this computer’s firewall keeps others out",
        |cast| {
            let mut acts = on(cast);
            acts.push(firewall().into());
            acts
        },
    ),
    Scene::still(
        "wants-remembering",
        "a device wants to be remembered",
        |cast| {
            let mut acts = on(cast);
            let peer = cast.peer(Role::Garden, Trust::Verified);
            acts.push(Event::WantsToBeRemembered(peer).into());
            acts
        },
    ),
];

/// The server is on, with a code.
pub fn on(cast: &Cast) -> Vec<Act> {
    let mut acts = vec![Act::from(cast.listening())];
    acts.extend(cast::code(427_913).map(Act::from));
    acts
}

fn stranger() -> IpAddr {
    [192, 168, 1, 77].into()
}

fn clients(cast: &Cast) -> Event {
    let doing = [
        (Role::Living, Doing::Sending),
        (Role::Garden, Doing::Waiting),
        (Role::Anna, Doing::Verifying),
        (Role::Kitchen, Doing::Talking),
    ];
    let clients = doing.map(|(role, doing)| Client {
        peer: cast.peer(role, Trust::Verified),
        doing,
    });
    Event::Clients(clients.to_vec())
}

fn firewall() -> Event {
    let commands = vec!["sudo ufw allow 9000/tcp".to_owned()];
    Event::Firewall(vec![Finding::FirewallBlocks {
        firewall: Firewall::Ufw,
        door: Door::Transfers { tcp: 9000 },
        remedy: Remedy {
            commands,
            lasting: true,
        },
    }])
}
