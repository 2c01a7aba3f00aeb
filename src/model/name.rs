//! Names: one component of a path, as it may travel and as it may be shown.
//!
//! A [`SafeName`] can only be made of text that cannot lead anywhere else than one level down. What
//! a particular disk can hold is the storage layer's business; what a person may see unescaped is
//! [`displayable`]'s.

use std::fmt;
use std::fmt::Write as _;

/// One path component from the wire that names something directly inside its folder.
#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct SafeName(Box<str>);

/// Why a component may not travel. A peer that sends one is hostile or broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UnsafeName {
    #[error("the name is empty")]
    Empty,
    #[error("the name is . or ..")]
    Dots,
    #[error("the name holds a path separator")]
    Separator,
    #[error("the name holds a NUL character")]
    Nul,
    #[error("the name starts with a drive letter")]
    Drive,
    #[error("the name is longer than 1024 bytes")]
    TooLong,
}

impl SafeName {
    /// No file system in use allows more than 255 UTF-16 units (765 UTF-8 bytes); the rest is room.
    pub const MAX_BYTES: usize = 1024;

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for SafeName {
    type Error = UnsafeName;

    /// Refuses what could reach outside the folder on *any* system, whichever this one is.
    fn try_from(raw: &str) -> Result<Self, UnsafeName> {
        if raw.is_empty() {
            return Err(UnsafeName::Empty);
        }
        if raw == "." || raw == ".." {
            return Err(UnsafeName::Dots);
        }
        if raw.len() > Self::MAX_BYTES {
            return Err(UnsafeName::TooLong);
        }
        for character in raw.chars() {
            match character {
                '/' | '\\' => return Err(UnsafeName::Separator),
                '\0' => return Err(UnsafeName::Nul),
                _ => {}
            }
        }
        let mut start = raw.chars();
        if let (Some(letter), Some(':')) = (start.next(), start.next())
            && letter.is_ascii_alphabetic()
        {
            return Err(UnsafeName::Drive);
        }
        Ok(Self(raw.into()))
    }
}

impl fmt::Display for SafeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&displayable(&self.0))
    }
}

/// Characters that would act on the screen, the terminal or the log instead of being read:
/// controls, line and paragraph separators, bidirectional marks and overrides, invisible joints.
pub fn acts_on_display(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{061c}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Text from anywhere, safe to show: what acts instead of being read becomes `\u{202e}`.
pub fn displayable(raw: &str) -> String {
    let mut shown = String::with_capacity(raw.len());
    for character in raw.chars() {
        if acts_on_display(character) {
            // Writing to a String cannot fail.
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(character));
        } else {
            shown.push(character);
        }
    }
    shown
}

/// The reversible escape for a local name that may not travel as it is: `%` and two hex digits for
/// each offending byte, as in RFC 3986 §2.1, and for `%` itself so that it can be undone.
///
/// Returns the name that travels and whether it had to be changed.
pub fn wire_name(raw: &[u8]) -> (SafeName, bool) {
    if let Ok(text) = std::str::from_utf8(raw)
        && let Ok(name) = SafeName::try_from(text)
    {
        return (name, false);
    }
    let drive = raw.len() >= 2 && raw[0].is_ascii_alphabetic() && raw[1] == b':';
    let only_dots = raw == b"." || raw == b"..";
    let mut escaped = String::with_capacity(raw.len() + 16);
    let escape = |out: &mut String, byte: u8| {
        let _ = write!(out, "%{byte:02X}");
    };
    let mut seen = 0;
    for chunk in raw.utf8_chunks() {
        for character in chunk.valid().chars() {
            let at = seen;
            seen += character.len_utf8();
            let must = matches!(character, '/' | '\\' | '\0' | '%')
                || (drive && at == 1)
                || (only_dots && character == '.');
            if must {
                // All of these are one byte long.
                escape(&mut escaped, character as u8);
            } else {
                escaped.push(character);
            }
        }
        for byte in chunk.invalid() {
            seen += 1;
            escape(&mut escaped, *byte);
        }
    }
    let name = SafeName::try_from(escaped.as_str()).unwrap_or_else(|_| SafeName("unnamed".into()));
    (name, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_that_could_lead_elsewhere_is_refused() {
        for (raw, why) in [
            ("", UnsafeName::Empty),
            (".", UnsafeName::Dots),
            ("..", UnsafeName::Dots),
            ("a/b", UnsafeName::Separator),
            ("/etc", UnsafeName::Separator),
            ("a\\b", UnsafeName::Separator),
            ("\\\\host\\share", UnsafeName::Separator),
            ("a\0b", UnsafeName::Nul),
            ("C:", UnsafeName::Drive),
            ("c:autoexec", UnsafeName::Drive),
        ] {
            assert_eq!(SafeName::try_from(raw), Err(why), "{raw:?}");
        }
        let long = "x".repeat(SafeName::MAX_BYTES + 1);
        assert_eq!(SafeName::try_from(long.as_str()), Err(UnsafeName::TooLong));
    }

    #[test]
    fn honest_names_pass_unchanged() {
        for raw in [
            "a",
            "...",
            ".hidden",
            "-rf",
            "合同（已签）.pdf",
            "12:30",
            "x y",
            "naïve",
        ] {
            assert_eq!(SafeName::try_from(raw).expect("safe").as_str(), raw);
        }
    }

    #[test]
    fn local_names_that_may_not_travel_are_escaped_reversibly() {
        for (raw, wire) in [
            (&b"a\\b"[..], "a%5Cb"),
            (b"C:x", "C%3Ax"),
            (b"100%\xff", "100%25%FF"),
            (b"\xe5\xa5\xbd\xff", "好%FF"),
        ] {
            let (name, changed) = wire_name(raw);
            assert_eq!((name.as_str(), changed), (wire, true));
        }
        assert!(!wire_name("100%.txt".as_bytes()).1);
    }

    #[test]
    fn text_that_acts_on_the_screen_is_shown_escaped() {
        assert_eq!(displayable("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(displayable("x\u{202e}gpj.exe"), "x\\u{202e}gpj.exe");
        assert_eq!(displayable("好的 ok"), "好的 ok");
    }
}
