//! What is pasted into the window as a whole: files, a picture or text, read on a short-lived thread, since
//! whoever owns the clipboard may take seconds to hand it over.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use egui::{Context, Event, Key};

use super::clipboard::{self, NoPicture};

/// What the clipboard has for us.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Clip {
    Files(Vec<PathBuf>),
    /// As PNG.
    Picture(Vec<u8>),
    Text(String),
    Nothing(NoPicture),
}

/// How it is read: from the system, or from a test.
pub type Read = fn() -> Clip;

/// A key that is held down pastes once.
const HELD_SECONDS: f64 = 0.5;

/// At most one is being read; what is pressed meanwhile is ignored.
#[derive(Default)]
pub struct Pastes {
    open: Option<Receiver<Clip>>,
    last: Option<f64>,
    /// What the key has brought by now, until it comes up again.
    key: Pressed,
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

impl Pastes {
    /// Whether somebody has just asked to paste.
    pub fn asked(&mut self, context: &Context) -> bool {
        let mut asked = false;
        let key = &mut self.key;
        let now = context.input(|input| {
            for event in &input.raw.events {
                match event {
                    Event::Paste(_) | Event::PasteImage(_) => {
                        *key = Pressed::Pasted;
                        asked = true;
                    }
                    Event::Key {
                        key: Key::V,
                        pressed,
                        ..
                    } => {
                        asked |= !pressed && *key == Pressed::Silent;
                        *key = match pressed {
                            true => Pressed::Letter,
                            false => Pressed::Silent,
                        };
                    }
                    _ => {}
                }
            }
            input.time
        });
        let held = self.last.is_some_and(|last| now - last < HELD_SECONDS);
        if asked {
            self.last = Some(now);
        }
        asked && !held
    }

    pub fn start(&mut self, read: Read, context: &Context) {
        if self.open.is_some() {
            return;
        }
        let (answer, answered) = channel();
        let context = context.clone();
        let started = std::thread::Builder::new()
            .name("clipboard".into())
            .spawn(move || {
                // The window may be gone by then.
                let _ = answer.send(read());
                context.request_repaint();
            });
        if let Err(error) = started {
            tracing::warn!(%error, "the clipboard is not read");
        }
        self.open = Some(answered);
    }

    /// What was read, once.
    pub fn poll(&mut self) -> Option<Clip> {
        let clip = match self.open.as_ref()?.try_recv() {
            Ok(clip) => clip,
            Err(TryRecvError::Empty) => return None,
            // Without a thread there is nothing.
            Err(TryRecvError::Disconnected) => Clip::Nothing(NoPicture::Nothing),
        };
        self.open = None;
        Some(clip)
    }
}

/// From the system. Files first: file managers give their names as text, too. Text before pictures, since
/// whoever copies words out of a document hands over a picture of them as well.
pub fn read() -> Clip {
    let Ok(mut clipboard) = arboard::Clipboard::new() else {
        return Clip::Nothing(NoPicture::Nothing);
    };
    let files = clipboard.get().file_list().unwrap_or_default();
    let text = clipboard.get_text().unwrap_or_default();
    // A list of files may leave out names that are no text.
    let listed = files_in(&text).filter(|listed| listed.len() >= files.len());
    match listed.unwrap_or(files) {
        files if !files.is_empty() => Clip::Files(files),
        _ if !text.trim().is_empty() => Clip::Text(text),
        _ => match clipboard::read() {
            Ok(picture) => Clip::Picture(picture),
            Err(why) => Clip::Nothing(why),
        },
    }
}

/// The files in text that is nothing but their addresses, one a line, as some file managers write it.
fn files_in(text: &str) -> Option<Vec<PathBuf>> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let marks = ["x-special/nautilus-clipboard", "copy", "cut"];
    let lines = lines.skip_while(|line| marks.contains(line));
    let files: Option<Vec<_>> = lines.map(file_at).collect();
    files.filter(|files| !files.is_empty())
}

/// `file:///home/me/a%20b`; of another host's there is none here.
fn file_at(address: &str) -> Option<PathBuf> {
    let rest = address.strip_prefix("file://")?;
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    if !path.starts_with('/') || path.contains("%00") {
        return None;
    }
    let bytes: Vec<u8> = percent_encoding::percent_decode_str(path).collect();
    #[cfg(unix)]
    let path = {
        use std::os::unix::ffi::OsStringExt as _;
        Some(std::ffi::OsString::from_vec(bytes).into())
    };
    #[cfg(not(unix))]
    let path = String::from_utf8(bytes)
        .ok()
        .map(|path| path.trim_start_matches('/').into());
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_files_are_files_and_other_text_is_text() {
        let files = |text: &str| files_in(text).map(|files| files.len());
        let one = files_in("file:///home/me/a%20b.txt\r\n").unwrap();
        assert_eq!(one, [PathBuf::from("/home/me/a b.txt")]);
        let nautilus = "x-special/nautilus-clipboard\ncopy\nfile:///a\nfile://localhost/b\n";
        assert_eq!(files(nautilus), Some(2));
        for text in [
            "",
            "copy",
            "https://example.org/",
            "file:///a and more\nwords",
            "file://other/share/a",
            "file:///a%00b",
            "see file:///a",
        ] {
            assert_eq!(files(text), None, "{text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_is_no_text_is_found_all_the_same() {
        use std::os::unix::ffi::OsStrExt as _;
        let files = files_in("file:///a%FFb").unwrap();
        assert_eq!(files[0].as_os_str().as_bytes(), b"/a\xffb");
    }
}
