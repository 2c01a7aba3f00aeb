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
    // Most names, by far.
    if raw.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return raw.to_owned();
    }
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

    use proptest::prelude::*;

    /// Undoes [`wire_name`].
    fn local_name(name: &SafeName, changed: bool) -> Vec<u8> {
        let wire = name.as_str().as_bytes();
        if !changed {
            return wire.to_vec();
        }
        let mut raw = Vec::new();
        let mut rest = wire;
        while let Some((first, others)) = rest.split_first() {
            if *first == b'%' {
                let hex = std::str::from_utf8(&others[..2]).expect("two digits");
                raw.push(u8::from_str_radix(hex, 16).expect("hex digits"));
                rest = &others[2..];
            } else {
                raw.push(*first);
                rest = others;
            }
        }
        raw
    }

    /// What a Unix file system may hold: up to 255 bytes of anything but `/` and NUL.
    fn unix_name() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            any::<u8>().prop_map(|byte| vec![byte]),
            any::<char>().prop_map(|character| character.to_string().into_bytes()),
            prop::sample::select(vec!["..", ".", "C:", "%41", "%", "\\", "文", "a"])
                .prop_map(|text| text.as_bytes().to_vec()),
        ];
        prop::collection::vec(piece, 1..60).prop_map(|pieces| {
            let mut raw = pieces.concat();
            raw.retain(|byte| !matches!(byte, b'/' | 0));
            raw.truncate(255);
            raw
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text_is_one_component_for_every_system_or_refused(
            raw in prop_oneof![
                any::<String>(),
                "[a-cC:./\\\\\u{0} ]{0,4}",
                "[a-z]{1020,1030}",
            ],
        ) {
            let drive = raw.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)
                && raw.as_bytes().get(1) == Some(&b':');
            let allowed = !raw.is_empty()
                && raw != "."
                && raw != ".."
                && !raw.contains(['/', '\\', '\0'])
                && !drive
                && raw.len() <= 1024;
            match SafeName::try_from(raw.as_str()) {
                Ok(name) => {
                    prop_assert!(allowed, "{raw:?}");
                    prop_assert_eq!(name.as_str(), &raw);
                    let path = std::path::Path::new(name.as_str());
                    let mut components = path.components();
                    let only = components.next();
                    prop_assert!(matches!(only, Some(std::path::Component::Normal(_))), "{raw:?}");
                    prop_assert_eq!(components.next(), None);
                    prop_assert!(!name.to_string().chars().any(acts_on_display), "{raw:?}");
                }
                Err(_refused) => prop_assert!(!allowed, "{raw:?}"),
            }
        }

        #[test]
        fn every_local_name_travels_and_can_be_told_from_what_travels(raw in unix_name()) {
            prop_assume!(!raw.is_empty());
            let (name, changed) = wire_name(&raw);
            prop_assert!(SafeName::try_from(name.as_str()).is_ok(), "{name:?}");
            prop_assert_eq!(local_name(&name, changed), raw);
        }
    }
}
