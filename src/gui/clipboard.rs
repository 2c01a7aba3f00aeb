//! The picture in the system's clipboard, read on a short-lived thread: whoever owns it may take
//! seconds to hand it over, and no frame waits for that.

use std::sync::mpsc::{Receiver, TryRecvError, channel};

use egui::Context;

use crate::model::{DeviceId, MAX_PASTED_BYTES, Problem};

/// As PNG, or why there is none to send.
pub type Picture = Result<Vec<u8>, NoPicture>;

/// How it is read: from the system, or from a test.
pub type Read = fn() -> Picture;

/// Why there is nothing to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NoPicture {
    Nothing,
    TooLarge,
    /// It could not be read, or not be kept.
    Problem(Problem),
}

/// At most one is being read; a second wish is ignored while it is.
#[derive(Default)]
pub struct Pasting {
    open: Option<(DeviceId, Receiver<Picture>)>,
}

impl Pasting {
    pub fn start(&mut self, device: DeviceId, read: Read, context: &Context) {
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
        // Without a thread the answer is that there is none.
        self.open = Some((device, answered));
    }

    /// What was read for which device, once.
    pub fn poll(&mut self) -> Option<(DeviceId, Picture)> {
        let (device, answered) = self.open.as_ref()?;
        let picture = match answered.try_recv() {
            Ok(picture) => picture,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => Err(NoPicture::Nothing),
        };
        let device = *device;
        self.open = None;
        Some((device, picture))
    }
}

/// From the system.
pub fn read() -> Picture {
    let unreadable =
        |detail: &dyn std::fmt::Display| NoPicture::Problem(Problem::other(&detail.to_string()));
    let mut clipboard = arboard::Clipboard::new().map_err(|error| unreadable(&error))?;
    let picture = clipboard.get_image().map_err(|error| match error {
        arboard::Error::ContentNotAvailable => NoPicture::Nothing,
        // Some owners hand over text whatever they are asked for.
        _ if clipboard.get_text().is_ok() => NoPicture::Nothing,
        error => unreadable(&error),
    })?;
    let side = |pixels: usize| u32::try_from(pixels).map_err(|error| unreadable(&error));
    let (width, height) = (side(picture.width)?, side(picture.height)?);
    let png = encode(width, height, &picture.bytes).map_err(|error| unreadable(&error))?;
    match png.len() > MAX_PASTED_BYTES {
        true => Err(NoPicture::TooLarge),
        false => Ok(png),
    }
}

/// Of 8-bit RGBA, row by row.
pub(super) fn encode(
    width: u32,
    height: u32,
    pixels: &[u8],
) -> Result<Vec<u8>, png::EncodingError> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    // A person waits for it.
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_read_back_pixel_by_pixel() {
        let pixels: Vec<u8> = (0..3 * 2 * 4).collect();
        let file = encode(3, 2, &pixels).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(file))
            .read_info()
            .unwrap();
        let mut back = vec![0; reader.output_buffer_size().unwrap()];
        let about = reader.next_frame(&mut back).unwrap();
        assert_eq!((about.width, about.height), (3, 2));
        assert_eq!(back, pixels);
    }

    #[test]
    fn a_picture_of_the_wrong_size_is_an_error() {
        assert!(encode(3, 2, &[0; 3]).is_err());
        assert!(encode(0, 2, &[]).is_err());
    }
}
