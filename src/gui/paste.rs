//! What is pasted: by which keys that is asked for, and what is read of the clipboard then.

use egui::{Context, Event, Key};

use super::aside::Aside;
use super::clipboard::{Clip, NoPicture, Read, Wanted};
use crate::model::DeviceId;

/// A key that is held down pastes once.
const HELD_SECONDS: f64 = 0.5;

/// Where the person was when they asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    Window,
    /// In a text field, with the text that was to go there: it does, if the clipboard has nothing else. Empty
    /// if it has no text.
    Field(String),
    /// At the button for pictures, in the conversation with a device.
    Picture(DeviceId),
}

/// At most one paste is read at a time; what is asked for meanwhile is ignored, but for text, which waits.
#[derive(Default)]
pub struct Pastes {
    reading: Aside<Clip>,
    place: Option<Place>,
    /// For the field that is in focus, in the next picture.
    text: Option<String>,
    /// The last paste into a field was things, and their names are no text for it.
    was_things: bool,
    last: Option<f64>,
    /// What the key has brought by now, until it comes up again.
    key: Pressed,
    control: Control,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Pressed {
    /// Nothing, but it may be down all the same: where the clipboard has neither text nor a picture,
    /// pressing it to paste is no event at all, and only that it comes up is one.
    #[default]
    Silent,
    Pasted,
    Letter,
}

/// When Ctrl was down last, as long as nothing but the key was pressed since it went down.
#[derive(Clone, Copy, Default)]
struct Control {
    is_down: bool,
    last: Option<f64>,
}

impl Pastes {
    /// Looks what was pressed, before any field sees it; `busy`: nothing but fields takes anything now.
    pub fn look(&mut self, read: Read, busy: bool, context: &Context) {
        let asked = self.asked(context);
        let in_field = context.text_edit_focused();
        if in_field && !busy {
            self.hold(asked, read, context);
        } else if asked && !busy {
            self.start(Place::Window, read, context);
        }
        if let Some(text) = self.text.take()
            && in_field
        {
            context.input_mut(|input| input.events.insert(0, Event::Paste(text)));
        }
    }

    /// What is pasted into a field waits until it is known whether it is files.
    fn hold(&mut self, asked: bool, read: Read, context: &Context) {
        let mut text = String::new();
        let waits = matches!(self.place, Some(Place::Field(_)));
        if asked || waits || self.was_things {
            context.input_mut(|input| {
                input.events.retain(|event| match event {
                    Event::Paste(pasted) => {
                        text.push_str(pasted);
                        false
                    }
                    _ => true,
                });
            });
        }
        if let Some(Place::Field(before)) = &mut self.place {
            before.push_str(&text);
        } else if asked {
            self.was_things = false;
            self.start(Place::Field(text), read, context);
        }
    }

    pub fn start(&mut self, place: Place, read: Read, context: &Context) {
        let wanted = match &place {
            Place::Window => Wanted::Anything,
            Place::Field(_) => Wanted::InField,
            Place::Picture(_) => Wanted::Picture,
        };
        if self
            .reading
            .start("clipboard", move || read(wanted), context)
        {
            self.place = Some(place);
        } else if let Place::Field(text) = place {
            self.text = (!text.is_empty()).then_some(text);
        }
    }

    /// What was read and for whom, once. Text for a field goes there by itself.
    pub fn poll(&mut self) -> Option<(Place, Clip)> {
        let clip = self.reading.poll()?;
        let clip = clip.unwrap_or(Clip::Nothing(NoPicture::Nothing));
        let place = self.place.take()?;
        let Place::Field(text) = place else {
            return Some((place, clip));
        };
        match &clip {
            Clip::Files(_) | Clip::Picture(_) => self.was_things = true,
            Clip::Text(_) | Clip::Nothing(NoPicture::Nothing) => {
                self.text = (!text.is_empty()).then_some(text);
                return None;
            }
            Clip::Nothing(NoPicture::TooLarge | NoPicture::Problem(_)) => {
                if !text.is_empty() {
                    self.text = Some(text);
                    return None;
                }
            }
        }
        Some((Place::Field(String::new()), clip))
    }

    /// Whether somebody has just asked to paste.
    fn asked(&mut self, context: &Context) -> bool {
        let mut asked = false;
        let (key, control) = (&mut self.key, &mut self.control);
        let now = context.input(|input| {
            let now = input.time;
            for event in &input.raw.events {
                match event {
                    Event::Paste(_) | Event::PasteImage(_) => {
                        *key = Pressed::Pasted;
                        asked = true;
                    }
                    Event::Key {
                        key: Key::V,
                        pressed: false,
                        modifiers,
                        ..
                    } => {
                        // An input method may have taken the pressing of a letter.
                        let held = control.last.is_some_and(|at| now - at < HELD_SECONDS);
                        let meant = modifiers.command || held;
                        asked |= *key == Pressed::Silent && meant;
                        *key = Pressed::Silent;
                    }
                    Event::Key { key: Key::V, .. } => *key = Pressed::Letter,
                    Event::ModifiersChanged(modifiers) => {
                        let was_down = std::mem::replace(&mut control.is_down, modifiers.command);
                        let goes_down = !was_down && control.is_down;
                        if goes_down || (was_down && control.last.is_some()) {
                            control.last = Some(now);
                        }
                    }
                    Event::Key { pressed: true, .. } | Event::Text(_) | Event::Ime(_) => {
                        control.last = None;
                    }
                    _ => {}
                }
            }
            now
        });
        let held = self.last.is_some_and(|last| now - last < HELD_SECONDS);
        if asked {
            self.last = Some(now);
        }
        asked && !held
    }
}
