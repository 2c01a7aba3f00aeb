//! What the system's clipboard has for us. Reading it blocks: whoever owns it may take seconds to hand it over.

use std::path::PathBuf;

use crate::model::{MAX_PASTED_BYTES, Problem};

/// What the clipboard has for us.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Clip {
    Files(Vec<PathBuf>),
    /// As PNG.
    Picture(Vec<u8>),
    Text(String),
    Nothing(NoPicture),
}

/// Why there is nothing to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NoPicture {
    Nothing,
    TooLarge,
    /// It could not be read, or not be kept.
    Problem(Problem),
}

/// What is looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wanted {
    Anything,
    /// The same, but of files only those in a real list: addresses that somebody has written are text.
    Listed,
    /// Also where there is text as well.
    Picture,
}

/// How it is read: from the system, or from a test.
pub type Read = fn(Wanted) -> Clip;

/// From the system.
pub fn read(wanted: Wanted) -> Clip {
    let mut clipboard = match arboard::Clipboard::new() {
        Ok(clipboard) => clipboard,
        Err(error) => return Clip::Nothing(unreadable(&error)),
    };
    let rest = match wanted {
        Wanted::Anything => files_or_text(&mut clipboard, true),
        Wanted::Listed => files_or_text(&mut clipboard, false),
        Wanted::Picture => None,
    };
    rest.unwrap_or_else(|| match picture(&mut clipboard) {
        Ok(picture) => Clip::Picture(picture),
        Err(why) => Clip::Nothing(why),
    })
}

/// Files first: file managers give their names as text, too. Text before pictures, since whoever copies words
/// out of a document hands over a picture of them as well.
/// `read_text`: also those that stand in a text alone.
fn files_or_text(clipboard: &mut arboard::Clipboard, read_text: bool) -> Option<Clip> {
    let files = clipboard.get().file_list();
    let text = clipboard.get_text().unwrap_or_default();
    let listed = files_in(&text).filter(|_| read_text || files.is_ok());
    let files = files.unwrap_or_default();
    // A list of files may leave out names that are no text.
    let listed = listed.filter(|listed| listed.len() >= files.len());
    match listed.unwrap_or(files) {
        files if !files.is_empty() => Some(Clip::Files(files)),
        _ if !text.trim().is_empty() => Some(Clip::Text(text)),
        _ => None,
    }
}

fn unreadable(detail: &dyn std::fmt::Display) -> NoPicture {
    NoPicture::Problem(Problem::other(&detail.to_string()))
}

fn picture(clipboard: &mut arboard::Clipboard) -> Result<Vec<u8>, NoPicture> {
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
