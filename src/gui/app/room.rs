//! How much is free where things are saved: looked at now and then while somebody looks at the window.

use std::path::PathBuf;

use egui::Context;

use super::{App, Page};
use crate::engine::{Command, Event};
use crate::gui::view::Server;

/// Nobody sees a number that is older, and nothing is drawn for its sake.
const LOOK_EVERY_SECONDS: f64 = 15.0;

#[derive(Default)]
pub struct Room {
    /// Where it was looked last, and when by the window's clock.
    looked: Option<(PathBuf, f64)>,
    /// The answer is not here yet: a disk may be slow, and is asked once.
    waits: bool,
}

impl App {
    /// Asks the engine; the window itself touches no disk.
    pub(super) fn look_at_room(&mut self, context: &Context) {
        let Server::On(listening) = &self.view.server else {
            self.room.looked = None;
            return;
        };
        if self.page != Page::Transfers || self.room.waits {
            return;
        }
        let now = context.input(|input| input.time);
        let folder = &listening.save_folder;
        let fresh =
            self.room.looked.as_ref().is_some_and(|(looked, at)| {
                looked == folder && (now - at).abs() < LOOK_EVERY_SECONDS
            });
        if fresh {
            return;
        }
        if self.room.looked.as_ref().is_none_or(|(at, _)| at != folder) {
            self.view.free_bytes = None;
        }
        self.room = Room {
            looked: Some((folder.clone(), now)),
            waits: true,
        };
        (self.commands)(Command::MeasureRoom(folder.clone()));
    }

    /// Before the view has it.
    pub(super) fn room_told(&mut self, event: &Event) {
        match event {
            Event::Room { .. } => self.room.waits = false,
            // There is less than there was.
            Event::Ended(_) => {
                if let Some((_, at)) = &mut self.room.looked {
                    *at = f64::NEG_INFINITY;
                }
            }
            _no_matter => {}
        }
    }
}
