//! What is pasted: by which keys that is asked for, and what is read of the clipboard then.

use std::time::Duration;

use egui::{Context, Event, Id, Key};

use super::aside::Aside;
use super::clipboard::{Clip, NoPicture, Read, Wanted};
use crate::model::DeviceId;

/// A key that is held down pastes once.
const HELD_SECONDS: f64 = 0.5;
/// Text waits so long for a clipboard whose owner does not hand over the rest.
const TEXT_WAITS_SECONDS: f64 = 1.0;

/// What was pasted into.
#[derive(Debug)]
enum Target {
    Window,
    /// The text that was to go there does, if the clipboard has nothing else. Empty if it has no text.
    Field(Held),
    /// The button for pictures.
    Picture,
}

#[derive(Debug)]
struct Held {
    text: String,
    field: Option<Id>,
    /// By the window's clock.
    until: f64,
}

impl Held {
    fn text(self) -> Option<(Option<Id>, String)> {
        (!self.text.is_empty()).then_some((self.field, self.text))
    }
}

/// At most one paste is read at a time; what is asked for meanwhile is ignored, but for text, which waits.
#[derive(Default)]
pub struct Pastes {
    reading: Aside<Clip>,
    /// What is read for, and the device whose conversation was open: another one may be by the time it is read.
    place: Option<(Target, Option<DeviceId>)>,
    /// For that field, in the next picture.
    text: Option<(Option<Id>, String)>,
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
    /// Looks what was pressed, before any field sees it. `talk`: with whom a conversation is open. `busy`: nothing but
    /// fields takes anything now.
    pub fn look(&mut self, read: Read, talk: Option<DeviceId>, busy: bool, context: &Context) {
        let asked = self.asked(context);
        let in_field = context.text_edit_focused();
        self.give_up_waiting(context);
        if in_field && !busy {
            self.hold(asked, read, talk, context);
        } else if asked && !busy {
            self.start(Target::Window, talk, read, context);
        }
        // Who has gone to another field meanwhile does not find there what may be secret.
        if let Some((field, text)) = self.text.take()
            && in_field
            && field == context.memory(|memory| memory.focused())
        {
            context.input_mut(|input| input.events.insert(0, Event::Paste(text)));
        }
    }

    /// The text goes where it was pasted; if files or a picture come after all, they are taken, too.
    fn give_up_waiting(&mut self, context: &Context) {
        let now = context.input(|input| input.time);
        if let Some((Target::Field(held), _)) = &mut self.place
            && !held.text.is_empty()
        {
            if now >= held.until {
                self.text = Some((held.field, std::mem::take(&mut held.text)));
            } else {
                context.request_repaint_after(Duration::from_secs_f64(held.until - now));
            }
        }
    }

    /// What is pasted into a field waits until it is known whether it is files.
    fn hold(&mut self, asked: bool, read: Read, talk: Option<DeviceId>, context: &Context) {
        let mut text = String::new();
        let now = context.input(|input| input.time);
        let waits = matches!(&self.place, Some((Target::Field(held), _)) if now < held.until);
        // A clipboard that is not read to its end is only good for text.
        if !waits && self.place.is_some() {
            return;
        }
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
        if let Some((Target::Field(held), _)) = &mut self.place {
            held.text.push_str(&text);
        } else if asked {
            self.was_things = false;
            let held = Held {
                text,
                field: context.memory(|memory| memory.focused()),
                until: now + TEXT_WAITS_SECONDS,
            };
            context.request_repaint_after(Duration::from_secs_f64(TEXT_WAITS_SECONDS));
            self.start(Target::Field(held), talk, read, context);
        }
    }

    /// Asks for a picture, for the conversation with this device.
    pub fn picture(&mut self, talk: DeviceId, read: Read, context: &Context) {
        self.start(Target::Picture, Some(talk), read, context);
    }

    fn start(&mut self, place: Target, talk: Option<DeviceId>, read: Read, context: &Context) {
        let wanted = match (&place, talk) {
            (Target::Window, None) => Wanted::Anything,
            // Whoever is written to gets it at once, so that no address in what somebody wrote may count.
            (Target::Window, Some(_)) | (Target::Field(_), _) => Wanted::Listed,
            (Target::Picture, _) => Wanted::Picture,
        };
        if self
            .reading
            .start("clipboard", move || read(wanted), context)
        {
            self.place = Some((place, talk));
        } else if let Target::Field(held) = place {
            self.text = held.text();
        }
    }

    /// What was read, and the device of the conversation it was pasted into, once. Text for a field goes there by
    /// itself.
    pub fn poll(&mut self) -> Option<(Option<DeviceId>, Clip)> {
        let clip = self.reading.poll()?;
        let clip = clip.unwrap_or(Clip::Nothing(NoPicture::Nothing));
        let (place, talk) = self.place.take()?;
        let Target::Field(held) = place else {
            return Some((talk, clip));
        };
        match &clip {
            Clip::Files(_) | Clip::Picture(_) => self.was_things = true,
            Clip::Text(_) | Clip::Nothing(NoPicture::Nothing) => {
                self.text = held.text();
                return None;
            }
            Clip::Nothing(NoPicture::TooLarge | NoPicture::Problem(_)) => {
                self.text = held.text();
                if self.text.is_some() {
                    return None;
                }
            }
        }
        Some((talk, clip))
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
