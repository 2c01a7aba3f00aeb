//! What is asked and told beside the three panels: offers, symbols, settings, the doctor, conversations.

use super::cast::{self, Cast, Role};
use super::receiving::on;
use super::sending::ready;
use super::{Act, Scene};
use crate::engine::{Event, Existing, Offer};
use crate::gui::panels::Want;
use crate::model::{Direction, Symbols, TransferState, Trust};

pub const SCENES: &[Scene] = &[
    Scene::still("offer", "a known device wants to send", |cast| {
        offered(cast, cast.offer(cast.peer(Role::Living, Trust::Known)))
    }),
    Scene::still(
        "offer-not-verified",
        "somebody not verified wants to send: symbols",
        |cast| {
            let offer = cast.offer(cast.peer(Role::Anna, Trust::Asked));
            offered(
                cast,
                Offer {
                    symbols: Some(symbols()),
                    ..offer
                },
            )
        },
    ),
    Scene::still("offer-conflicts", "some of it is there already", |cast| {
        let offer = cast.offer(cast.peer(Role::Living, Trust::Known));
        let name = cast.say("Kitchen plans", "厨房图纸").to_owned();
        let existing = Existing {
            names: vec![name],
            picked: 1,
            same_names: 41,
            new: 266,
            complete: true,
        };
        offered(
            cast,
            Offer {
                existing: Some(Box::new(existing)),
                ..offer
            },
        )
    }),
    Scene::still("offer-no-room", "there is not enough room for it", |cast| {
        let offer = cast.offer(cast.peer(Role::Living, Trust::Known));
        offered(
            cast,
            Offer {
                bytes: 18_400_000_000,
                free_bytes: Some(2_000_000_000),
                ..offer
            },
        )
    }),
    Scene::still(
        "symbols",
        "four symbols are to be compared before sending",
        |cast| {
            let mut acts = ready(cast);
            let garden = cast.peer(Role::Garden, Trust::Asked);
            let name = cast.say("Holiday 2026", "2026 假期照片");
            acts.push(cast.started(1, Direction::Send, garden, name).into());
            acts.push(Event::State(cast::transfer(1), TransferState::Confirming).into());
            acts.push(Event::Symbols(cast::transfer(1), symbols()).into());
            acts
        },
    ),
    Scene::still("settings", "the settings", |cast| {
        let mut acts = ready(cast);
        acts.push(Want::OpenSettings.into());
        acts
    }),
    Scene::still(
        "settings-known",
        "the settings, at the known devices",
        |cast| {
            let mut acts = ready(cast);
            acts.push(Want::OpenKnown.into());
            acts
        },
    ),
    Scene::still("doctor", "the connection doctor", |cast| {
        let mut acts = ready(cast);
        acts.push(Want::OpenDoctor(None).into());
        acts
    }),
    Scene::still("talks", "conversations, nobody chosen", |cast| {
        let mut acts = ready(cast);
        acts.push(Want::OpenTalks.into());
        acts
    }),
];

fn offered(cast: &Cast, offer: Offer) -> Vec<Act> {
    let mut acts = on(cast);
    acts.push(Event::Offer(offer).into());
    acts
}

/// Four that are easy to tell apart.
pub fn symbols() -> Symbols {
    Symbols::from_bits([0x1c, 0xa3, 0x75])
}
