//! What a name from the wire is called on this disk.
//!
//! A [`SafeName`] leads nowhere else already; here it is made into something this disk can hold and
//! a file manager can show: escaped, cut, kept apart from our own staging area. Whether the name is
//! free is not known here.

use std::fmt::Write as _;

use crate::model::SafeName;

/// Our own folder in the save folder; nothing from the wire may get this name there.
pub(super) const AREA: &str = ".ropeway";

/// What the disk accepts. Starts with what the system usually does and is tightened when the disk
/// refuses a name (a FAT stick under Linux, an encrypted home folder).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Rules {
    max_bytes: usize,
    /// Without the characters and names that Windows file systems refuse.
    windows: bool,
}

impl Rules {
    /// As everywhere on Unix; on NTFS it would be 255 UTF-16 units, which is never less.
    const MAX_BYTES: usize = 255;
    /// What eCryptfs leaves of a name.
    const SHORT_BYTES: usize = 143;

    pub fn of_this_system() -> Self {
        Self {
            max_bytes: Self::MAX_BYTES,
            windows: cfg!(not(unix)),
        }
    }

    /// The rules to try after the disk refused a name as too long; `None` if it makes no difference.
    pub fn shorter(self) -> Option<Self> {
        (self.max_bytes > Self::SHORT_BYTES).then_some(Self {
            max_bytes: Self::SHORT_BYTES,
            ..self
        })
    }

    /// The rules to try after the disk refused a name as invalid; `None` if it makes no difference.
    pub fn stricter(self) -> Option<Self> {
        (!self.windows).then_some(Self {
            windows: true,
            ..self
        })
    }
}

/// A name for this disk and its numbered variants, for when it is taken.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct DiskName {
    stem: String,
    /// With its dot; empty for folders and for names without one.
    extension: String,
    rules: Rules,
    /// It lies beside our staging area.
    top_level: bool,
}

impl DiskName {
    /// Longer endings are not extensions but sentences with a dot.
    const MAX_EXTENSION_BYTES: usize = 32;

    /// `top_level`: it will lie directly in the save folder, where our staging area is.
    pub fn file(name: &SafeName, rules: Rules, top_level: bool) -> Self {
        let mut stem = writable(name.as_str(), rules, top_level);
        let extension = match stem.rfind('.') {
            Some(dot)
                if dot > 0 && (2..=Self::MAX_EXTENSION_BYTES).contains(&(stem.len() - dot)) =>
            {
                stem.split_off(dot)
            }
            Some(_) | None => String::new(),
        };
        Self {
            stem,
            extension,
            rules,
            top_level,
        }
    }

    /// Folders have no extension: `v1.2` becomes `v1.2 (1)`.
    pub fn folder(name: &SafeName, rules: Rules, top_level: bool) -> Self {
        Self {
            stem: writable(name.as_str(), rules, top_level),
            extension: String::new(),
            rules,
            top_level,
        }
    }

    /// The name itself for 0, then `name (1).ext`, `name (2).ext`; never longer than the disk takes.
    pub fn nth(&self, n: u32) -> String {
        let whole = self.stem.len() + self.extension.len();
        if n == 0 && !self.rules.windows && !self.top_level && whole <= self.rules.max_bytes {
            return [self.stem.as_str(), &self.extension].concat();
        }
        let number = match n {
            0 => String::new(),
            n => format!(" ({n})"),
        };
        let room = self
            .rules
            .max_bytes
            .saturating_sub(number.len() + self.extension.len());
        let stem = cut(&self.stem, room);
        // A cut may leave one that was none before.
        let reserved = self.rules.windows && is_reserved(stem) && number.is_empty();
        let mark = if reserved { "_" } else { "" };
        let made = format!("{mark}{stem}{number}{}", self.extension);
        if self.top_level && is_area(&made) {
            return format!("{} ({})", &AREA[1..], n.saturating_add(1));
        }
        made
    }
}

/// The longest beginning that fits, ending between characters and not in white space or dots, which
/// could be all that is left: `..` and a long blank must not become `..`.
fn cut(text: &str, max_bytes: usize) -> &str {
    if text.len() <= max_bytes {
        return text;
    }
    let beginning = &text[..text.floor_char_boundary(max_bytes)];
    match beginning.trim_end_matches(|last: char| last == '.' || last.is_whitespace()) {
        "" => "_",
        rest => rest,
    }
}

fn writable(raw: &str, rules: Rules, top_level: bool) -> String {
    if top_level && (is_area(raw) || is_area(cut(raw, rules.max_bytes))) {
        return format!("{} (1)", &AREA[1..]);
    }
    // Most names, by far.
    if !rules.windows && raw.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return raw.to_owned();
    }
    let mut name = String::with_capacity(raw.len());
    for character in raw.chars() {
        if misleads(character) {
            // The form in which the screen shows them, except where `\` separates folders.
            let escaped = match rules.windows {
                false => write!(name, "\\u{{{:x}}}", u32::from(character)),
                true => write!(name, "%u{:04X}", u32::from(character)),
            };
            escaped.expect("writing to a String cannot fail");
        } else if rules.windows && matches!(character, '<' | '>' | ':' | '"' | '|' | '?' | '*') {
            name.push('_');
        } else {
            name.push(character);
        }
    }
    if rules.windows {
        name.truncate(name.trim_end_matches(['.', ' ']).len());
        if name.is_empty() || is_reserved(&name) {
            name.insert(0, '_');
        }
    }
    name
}

/// Characters that make a file name look like another one or break a line: controls, separators,
/// bidirectional marks. Joiners stay, unlike on our own screens: Persian and family emoji need them.
fn misleads(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Every spelling by which some file system would find our staging area: any case, with characters
/// that HFS+ ignores, with what Windows drops at the end, its short form in 8.3 names.
fn is_area(raw: &str) -> bool {
    let seen: String = raw
        .chars()
        .filter(|character| !crate::model::name::acts_on_display(*character))
        .flat_map(char::to_lowercase)
        .collect();
    let seen = seen.split(':').next().unwrap_or_default();
    let seen = seen.trim_end_matches(['.', ' ']);
    seen == AREA || seen.starts_with("ropewa~")
}

/// Names of devices under Windows, with any extension:
/// <https://learn.microsoft.com/windows/win32/fileio/naming-a-file>.
fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    let stem = stem.to_ascii_uppercase();
    if matches!(
        stem.as_str(),
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$"
    ) {
        return true;
    }
    let digit = stem
        .strip_prefix("COM")
        .or_else(|| stem.strip_prefix("LPT"));
    digit.is_some_and(|digit| {
        let mut digits = digit.chars();
        let first = digits.next();
        digits.next().is_none() && matches!(first, Some('0'..='9' | '¹' | '²' | '³'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIX: Rules = Rules {
        max_bytes: 255,
        windows: false,
    };
    const WINDOWS: Rules = Rules {
        max_bytes: 255,
        windows: true,
    };

    fn safe(raw: &str) -> SafeName {
        SafeName::try_from(raw).expect("safe")
    }

    fn file(raw: &str, rules: Rules) -> DiskName {
        DiskName::file(&safe(raw), rules, true)
    }

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for raw in [
            "a.txt",
            ".bashrc",
            "...",
            "a.",
            "-rf",
            "100%.txt",
            "合同（已签）.pdf",
            "👨\u{200d}👩\u{200d}👧.png",
            "12:30?",
        ] {
            assert_eq!(file(raw, UNIX).nth(0), raw);
        }
    }

    #[test]
    fn the_number_goes_before_the_extension_of_a_file_and_after_a_folder() {
        assert_eq!(file("a.tar.gz", UNIX).nth(2), "a.tar (2).gz");
        assert_eq!(file(".bashrc", UNIX).nth(1), ".bashrc (1)");
        assert_eq!(file("a.", UNIX).nth(1), "a. (1)");
        let folder = DiskName::folder(&safe("v1.2"), UNIX, true);
        assert_eq!(folder.nth(1), "v1.2 (1)");
    }

    #[test]
    fn an_overlong_name_is_cut_between_characters_and_keeps_its_extension() {
        let name = file(&format!("{}.docx", "长".repeat(100)), UNIX);
        for (n, ending) in [(0, ".docx"), (12, " (12).docx")] {
            let cut = name.nth(n);
            assert!(cut.len() <= 255 && cut.len() > 250, "{}", cut.len());
            assert!(cut.starts_with("长长") && cut.ends_with(ending), "{cut}");
        }
        let short = UNIX.shorter().expect("there are shorter ones");
        let cut = DiskName::file(&safe(&"x".repeat(200)), short, false).nth(0);
        assert_eq!(cut.len(), 143);
        assert_eq!(short.shorter(), None);
    }

    #[test]
    fn characters_that_mislead_are_escaped() {
        assert_eq!(
            file("x\u{202e}gpj\n.exe", UNIX).nth(0),
            "x\\u{202e}gpj\\u{a}.exe"
        );
        assert_eq!(file("x\u{202e}y", WINDOWS).nth(0), "x%u202Ey");
    }

    #[test]
    fn names_that_windows_file_systems_refuse_are_adjusted() {
        for (raw, adjusted) in [
            ("12:30?.txt", "12_30_.txt"),
            ("notes. .", "notes"),
            ("...", "_"),
            ("con", "_con"),
            ("NUL.txt", "_NUL.txt"),
            ("com1 .log", "_com1 .log"),
            ("LPT²", "_LPT²"),
            ("com10", "com10"),
            ("console", "console"),
        ] {
            assert_eq!(file(raw, WINDOWS).nth(0), adjusted, "{raw}");
        }
        assert_eq!(UNIX.stricter(), Some(WINDOWS));
        assert_eq!(WINDOWS.stricter(), None);
    }

    #[test]
    fn no_spelling_of_a_name_reaches_the_staging_area() {
        for raw in [
            ".ropeway",
            ".Ropeway",
            ".ROPEWAY",
            ".rope\u{200c}way",
            "\u{feff}.ropeway",
            ".ropeway.",
            ".ropeway ",
            ".ropeway::$INDEX_ALLOCATION",
            "ROPEWA~1",
        ] {
            assert_eq!(file(raw, UNIX).nth(0), "ropeway (1)", "{raw:?}");
        }
        // Only when it is cut does it look like that.
        let cut = format!("\u{feff}{}ropeway", ".".repeat(300));
        assert_eq!(file(&cut, UNIX).nth(0), "ropeway (1)");
        assert_eq!(file(&cut, UNIX).nth(1), "\u{feff} (1).ropeway");
        let below = DiskName::folder(&safe(".ropeway"), UNIX, false);
        assert_eq!(below.nth(0), ".ropeway");
        assert_eq!(file(".ropeways", UNIX).nth(0), ".ropeways");
    }

    use proptest::prelude::*;

    /// Names as people, other systems and enemies make them.
    fn any_name() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            any::<char>().prop_map(String::from),
            "[a-zA-Z0-9]{1,12}",
            "[\u{4e00}-\u{4fff}]{1,100}",
            "[. ~:$*?<>|\"%_\u{3000}\u{202e}\u{200d}\u{7f}\n]{1,4}",
            // Long enough to be cut, in characters that a cut may take away again.
            (
                prop::sample::select(vec![".", " ", "\u{3000}", "\u{a0}", "x", "\u{202e}"]),
                1..330_usize
            )
                .prop_map(|(what, times)| what.repeat(times)),
            prop::sample::select(vec![
                "..", ".", ".ropeway", "ROPEWA~1", ".tar.gz", "CON", "nul", "COM¹", " (1)",
            ])
            .prop_map(str::to_owned),
        ];
        prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
    }

    fn safe_name() -> impl Strategy<Value = SafeName> {
        any_name().prop_filter_map("not a name", |raw| SafeName::try_from(raw.as_str()).ok())
    }

    fn all_rules() -> impl Strategy<Value = Rules> {
        let mut all = vec![UNIX, WINDOWS];
        all.extend([UNIX, WINDOWS].map(|rules| rules.shorter().expect("there are shorter ones")));
        prop::sample::select(all)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whatever_may_travel_is_one_harmless_component_on_every_disk(
            name in safe_name(),
            rules in all_rules(),
            top_level: bool,
            is_folder: bool,
            n in prop_oneof![Just(0), Just(1), 0..=super::super::tree::MAX_TWINS],
        ) {
            let made = match is_folder {
                true => DiskName::folder(&name, rules, top_level),
                false => DiskName::file(&name, rules, top_level),
            };
            let on_disk = made.nth(n);
            prop_assert!(!matches!(on_disk.as_str(), "" | "." | ".."), "{on_disk:?}");
            prop_assert!(!on_disk.contains(['/', '\0']), "{on_disk:?}");
            prop_assert!(!on_disk.chars().any(misleads), "{on_disk:?}");
            prop_assert!(on_disk.len() <= rules.max_bytes, "{on_disk:?}");
            if top_level {
                prop_assert!(!is_area(&on_disk), "{on_disk:?}");
            }
            if rules.windows {
                let refused = ['/', '\\', '<', '>', ':', '"', '|', '?', '*'];
                prop_assert!(!on_disk.contains(refused), "{on_disk:?}");
                prop_assert!(!on_disk.ends_with(['.', ' ']), "{on_disk:?}");
                prop_assert!(!is_reserved(&on_disk), "{on_disk:?}");
            }
            // A cut name may happen to end in the first number already.
            if n > 1 {
                prop_assert_ne!(made.nth(n - 1), on_disk);
            }
            // What needs no adjusting is not adjusted.
            let raw = name.as_str();
            if !rules.windows && raw.len() <= rules.max_bytes && !raw.chars().any(misleads) && !is_area(raw) {
                prop_assert_eq!(made.nth(0), raw);
            }
        }
    }
}
