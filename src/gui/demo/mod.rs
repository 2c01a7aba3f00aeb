//! `ropeway --demo [STATE]`: the real window on scripted events instead of an engine, with every state
//! reachable, for designers and for pictures.
//!
//! A [`Scene`] says what the engine would have said and what a person has done by then; a [`Stage`] plays
//! it to the real `App`. [`cast`] has the devices and things that appear, the files
//! beside it have the scenes. No engine is started, no socket opened, and no file is read or written.

mod asides;
pub mod cast;
mod dialogs;
mod film;
mod main;
mod receiving;
mod sending;
mod stage;
mod transfers;
mod understudy;

use crate::engine::Event;
use crate::settings::{Language, Settings, Theme};

use super::app::App;
use super::panels::Want;
use cast::Cast;
pub use film::run;
pub use stage::Stage;

/// A state of the window, by name.
pub struct Scene {
    pub name: &'static str,
    /// What is to be seen, in a few words.
    pub about: &'static str,
    /// All that happens before the first picture, in this order.
    pub acts: fn(&Cast) -> Vec<Act>,
    /// What the engine says after so many steps of [`Stage::STEP`]; without it the picture stands still.
    pub moves: Option<fn(&Cast, u64) -> Vec<Event>>,
}

impl Scene {
    pub const fn still(
        name: &'static str,
        about: &'static str,
        acts: fn(&Cast) -> Vec<Act>,
    ) -> Self {
        Self {
            name,
            about,
            acts,
            moves: None,
        }
    }
}

/// One thing that happens in a scene.
pub enum Act {
    /// The engine says something.
    Say(Box<Event>),
    /// A person wants something: settings, the conversations, …
    Want(Want),
    /// A person has typed or chosen something, or the settings are others.
    Change(Box<dyn FnOnce(&mut App)>),
    /// The keyboard or the mouse, from the second picture on, one a picture.
    Input(egui::Event),
    /// Files are held over the window from now on.
    Hover,
}

impl From<Event> for Act {
    fn from(event: Event) -> Self {
        Self::Say(Box::new(event))
    }
}

impl From<Want> for Act {
    fn from(want: Want) -> Self {
        Self::Want(want)
    }
}

impl Act {
    pub fn change(change: impl FnOnce(&mut App) + 'static) -> Self {
        Self::Change(Box::new(change))
    }

    /// Each of these events, in order.
    pub fn all(events: impl IntoIterator<Item = Event>) -> Vec<Self> {
        events.into_iter().map(Self::from).collect()
    }
}

/// How a scene is shown.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The name of a scene; none for the first one.
    pub scene: Option<String>,
    pub theme: Theme,
    pub language: Language,
    /// Width and height in points.
    pub size: Option<[f32; 2]>,
    pub scale: Option<f32>,
    /// A picture is taken as soon as it stands still, and the window closes.
    pub shot: bool,
    /// So many pictures are painted one after the other; how long they took is printed, and the program
    /// ends.
    pub frames: Option<usize>,
}

/// All scenes, the main picture first.
pub fn scenes() -> impl Iterator<Item = &'static Scene> {
    [
        main::SCENES,
        sending::SCENES,
        receiving::SCENES,
        transfers::SCENES,
        dialogs::SCENES,
        asides::SCENES,
    ]
    .into_iter()
    .flatten()
}

/// The scene of that name.
pub fn scene(name: &str) -> Option<&'static Scene> {
    scenes().find(|scene| scene.name == name)
}

/// A line a scene: its name and what is to be seen.
pub fn list() -> String {
    let width = scenes().map(|scene| scene.name.len()).max().unwrap_or(0);
    scenes()
        .map(|scene| format!("{:width$}  {}\n", scene.name, scene.about))
        .collect()
}

fn settings(theme: Theme, language: Language, cast: &Cast) -> Settings {
    Settings {
        name: cast.study().to_string(),
        save_folder: cast.save_folder(),
        theme,
        language,
        ..Settings::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scene_has_a_name_of_its_own() {
        let mut names: Vec<_> = scenes().map(|scene| scene.name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
        assert!(scene("list").is_none(), "that is how they are listed");
    }
}
