//! Plays a scene to the real window's state.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use egui::{Context, RawInput, Ui};

use super::cast::Cast;
use super::understudy::Understudy;
use super::{Act, Scene, settings};
use crate::engine::{Command, Event};
use crate::gui::app::App;
use crate::gui::texts;
use crate::settings::{Language, Theme};

/// The app in a scene.
pub struct Stage {
    pub app: App,
    scene: &'static Scene,
    cast: Cast,
    events: Sender<Event>,
    commands: Receiver<Command>,
    understudy: Understudy,
    begun: bool,
    still: bool,
    hovering: bool,
    /// What the person does with keys and mouse, the next last.
    inputs: Vec<egui::Event>,
    pictures: u64,
    /// Steps that were played, and when the first one began, in seconds.
    steps: u64,
    since: Option<f64>,
}

impl Stage {
    /// Between two things that happen in a scene that moves.
    pub const STEP: Duration = Duration::from_millis(500);

    pub fn new(scene: &'static Scene, theme: Theme, language: Language) -> Self {
        let cast = Cast {
            chinese: texts::is_chinese(language),
        };
        let (events, from_engine) = channel();
        let (to_engine, commands) = channel();
        let send = move |command| {
            let _gone = to_engine.send(command);
        };
        let settings = settings(theme, language, &cast);
        Self {
            app: App::new(settings, None, Box::new(send), from_engine),
            scene,
            cast,
            events,
            commands,
            understudy: Understudy::new(cast),
            begun: false,
            still: false,
            hovering: false,
            inputs: Vec::new(),
            pictures: 0,
            steps: 0,
            since: None,
        }
    }

    /// For a picture, nothing moves.
    pub fn still(self, still: bool) -> Self {
        Self { still, ..self }
    }

    /// What keys and mouse do before the next picture.
    pub fn raw_input(&mut self, input: &mut RawInput) {
        if self.pictures > 0
            && let Some(event) = self.inputs.pop()
        {
            input.events.push(event);
        }
        if self.hovering {
            let file = |name: &str| egui::HoveredFile {
                path: Some(PathBuf::from(name)),
                ..egui::HoveredFile::default()
            };
            input.hovered_files = vec![file("/home/lin/a"), file("/home/lin/b")];
        }
    }

    /// Takes part in everything that is not drawing.
    pub fn logic(&mut self, context: &Context, frame: Option<&eframe::Frame>) {
        if !std::mem::replace(&mut self.begun, true) {
            self.begin(context, frame);
        }
        self.answer();
        if let Some(moves) = self.scene.moves.filter(|_| !self.still) {
            let now = context.input(|input| input.time);
            let since = *self.since.get_or_insert(now);
            let due = ((now - since) / Self::STEP.as_secs_f64()) as u64;
            while self.steps < due {
                self.steps += 1;
                for event in moves(&self.cast, self.steps) {
                    let _gone = self.events.send(event);
                }
            }
            context.request_repaint_after(Self::STEP);
        }
        self.app.drain();
    }

    /// One picture.
    pub fn ui(&mut self, ui: &mut Ui, frame: Option<&eframe::Frame>) {
        self.app.ui(ui, frame);
        self.pictures += 1;
        if self.answer() || !self.inputs.is_empty() {
            ui.ctx().request_repaint();
        }
    }

    fn begin(&mut self, context: &Context, frame: Option<&eframe::Frame>) {
        for act in (self.scene.acts)(&self.cast) {
            match act {
                Act::Say(event) => {
                    let _gone = self.events.send(*event);
                    self.app.drain();
                }
                Act::Want(want) => self.app.fulfil(want, context, frame),
                Act::Change(change) => change(&mut self.app),
                Act::Input(event) => self.inputs.insert(0, event),
                Act::Hover => self.hovering = true,
            }
        }
        // The scene has said already what came of it.
        self.commands.try_iter().for_each(drop);
    }

    /// What a person does after that is answered, so that the window can be used.
    fn answer(&mut self) -> bool {
        let commands: Vec<_> = self.commands.try_iter().collect();
        let mut said = false;
        for command in commands {
            for event in self.understudy.answer(command) {
                let _gone = self.events.send(event);
                said = true;
            }
        }
        said
    }
}
