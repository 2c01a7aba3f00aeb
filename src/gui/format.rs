//! Numbers and names as people read them.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use humansize::{DECIMAL, format_size};

use super::texts::Texts;
use crate::engine::Listening;
use crate::model::PeerAddress;

/// Bytes in decimal units with one place, as file managers show them: `18.4 GB`.
pub fn size(bytes: u64) -> String {
    format_size(bytes, DECIMAL.decimal_places(1).decimal_zeroes(0))
}

/// The same always with its place behind the point, for numbers that run: `94.0 MB`.
pub fn speed(bytes: u64) -> String {
    let places = if bytes < 1000 { 0 } else { 1 };
    format_size(bytes, DECIMAL.decimal_places(1).decimal_zeroes(places))
}

/// Two sizes in the unit of the larger one: `7.7` and `18.4 GB`.
pub fn size_of(done: u64, total: u64) -> (String, String) {
    let all = size(total);
    let part = size(done);
    let unit = |text: &str| text.rsplit(' ').next().map(str::to_owned);
    if unit(&part) == unit(&all)
        && let Some((number, _unit)) = part.split_once(' ')
    {
        return (number.to_owned(), all);
    }
    (part, all)
}

/// What another device needs to find this one, and nobody in its place: address and device.
pub fn link_of(listening: &Listening, ip: IpAddr) -> String {
    PeerAddress::of_server(ip, listening.addr.port(), listening.device_id).link()
}

/// Whole hours from then to now; 0 for what is yet to come.
pub fn hours_since(then: SystemTime, now: SystemTime) -> u64 {
    now.duration_since(then).unwrap_or_default().as_secs() / 3600
}

/// `3412` as `3,412`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Coarse enough not to flicker: seconds, then minutes and seconds in fives, then hours.
pub fn duration(texts: &Texts, time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => (texts.seconds)(seconds.max(1)),
        60..600 => (texts.minutes_seconds)(seconds / 60, seconds % 60 / 5 * 5),
        600..3600 => (texts.minutes_seconds)(seconds / 60, 0),
        _ => (texts.hours_minutes)(seconds / 3600, seconds % 3600 / 60),
    }
}

/// Shortens a name in the middle until it fits, keeping its end, so that the extension stays.
///
/// `fits` says whether a text is narrow enough.
pub fn elide_middle(name: &str, mut fits: impl FnMut(&str) -> bool) -> String {
    if fits(name) {
        return name.to_owned();
    }
    let characters: Vec<char> = name.chars().collect();
    let extension = name
        .rfind('.')
        .map_or(0, |at| name[at..].chars().count())
        .min(12);
    // How many characters stay: found by halving, as wider text never fits where narrower did not.
    let shortened = |kept: usize| {
        let tail = (kept / 3).max(extension.min(kept / 2));
        let head: String = characters[..kept - tail].iter().collect();
        let end: String = characters[characters.len() - tail..].iter().collect();
        format!("{}…{}", head.trim_end(), end.trim_start())
    };
    let (mut low, mut high) = (0, characters.len().saturating_sub(1));
    while low < high {
        let middle = (low + high).div_ceil(2);
        if fits(&shortened(middle)) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    shortened(low)
}

/// The words of a right-to-left name in the order in which they are set from the left.
///
/// egui 0.37 shapes each such word as it is written, but sets words one after the other from the left, as
/// those of English. What is not right-to-left, an extension too, stays where it is.
pub fn set_from_left(name: &str) -> Cow<'_, str> {
    if !name.chars().any(is_right_to_left) {
        return Cow::Borrowed(name);
    }
    let is_gap = |c: char| c == ' ' || c == '…';
    let mut words: Vec<&str> = Vec::new();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let end = rest
            .find(|c| is_gap(c) != is_gap(first))
            .unwrap_or(rest.len());
        let (word, others) = rest.split_at(end);
        let (word, extension) = word.split_at(without_extension(word));
        words.extend([word, extension].iter().filter(|part| !part.is_empty()));
        rest = others;
    }
    let turns = |word: &&str| word.chars().any(is_right_to_left);
    let gap = |word: &&str| word.starts_with(is_gap);
    let mut at = 0;
    while let Some(from) = words.iter().skip(at).position(&turns) {
        let from = at + from;
        let mut to = from;
        while words.get(to + 1).is_some_and(gap) && words.get(to + 2).is_some_and(turns) {
            to += 2;
        }
        words[from..=to].reverse();
        at = to + 1;
    }
    Cow::Owned(words.concat())
}

/// The same for a text in lines of at most `room`: its words are turned in each line by itself, as `width`
/// breaks them.
pub fn lines_from_left(text: &str, room: f32, mut width: impl FnMut(&str) -> f32) -> String {
    let gap = width(" ");
    let mut lines: Vec<String> = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        let mut used = 0.0;
        for word in paragraph.split(' ') {
            let wide = width(word);
            if used > 0.0 && used + gap + wide > room {
                lines.push(std::mem::take(&mut line));
                used = 0.0;
            } else if !line.is_empty() {
                line.push(' ');
                used += gap;
            }
            line.push_str(word);
            used += wide;
        }
        lines.push(line);
    }
    let lines: Vec<_> = lines.iter().map(|line| set_from_left(line)).collect();
    lines.join("\n")
}

/// Where the Latin end of a right-to-left word begins: `.pdf` stands behind all of the name, not behind
/// its last word.
fn without_extension(word: &str) -> usize {
    let last = word.char_indices().rfind(|(_, c)| is_right_to_left(*c));
    let end = last.map_or(word.len(), |(at, c)| at + c.len_utf8());
    let is_latin = |rest: &str| rest.chars().any(char::is_alphabetic);
    match word.get(end..) {
        Some(rest) if is_latin(rest) => end,
        _ => word.len(),
    }
}

/// Hebrew, Arabic and their kin.
fn is_right_to_left(c: char) -> bool {
    matches!(u32::from(c), 0x590..=0x8ff | 0xfb1d..=0xfdff | 0xfe70..=0xfeff | 0x1_0800..=0x1_0fff | 0x1_e800..=0x1_efff)
}

#[cfg(test)]
mod tests {
    use super::super::texts::{CHINESE, ENGLISH};
    use super::*;

    #[test]
    fn sizes_share_the_unit_of_the_whole() {
        assert_eq!(size(18_400_000_000), "18.4 GB");
        assert_eq!(
            size_of(7_700_000_000, 18_400_000_000),
            ("7.7".into(), "18.4 GB".into())
        );
        assert_eq!(
            size_of(999, 18_400_000_000),
            ("999 B".into(), "18.4 GB".into())
        );
    }

    #[test]
    fn thousands_are_grouped() {
        let shown: Vec<_> = [0, 999, 1000, 3412, 1_000_000].map(grouped).to_vec();
        assert_eq!(shown, ["0", "999", "1,000", "3,412", "1,000,000"]);
    }

    #[test]
    fn durations_are_coarse_and_never_zero() {
        let shown = |seconds| duration(&ENGLISH, Duration::from_secs(seconds));
        assert_eq!(shown(0), "1 s");
        assert_eq!(shown(114), "1 min 50 s");
        assert_eq!(shown(7260), "2 h 1 min");
        assert_eq!(duration(&CHINESE, Duration::from_secs(114)), "1 分 50 秒");
    }

    #[test]
    fn right_to_left_words_begin_at_the_right_and_the_extension_stays() {
        assert_eq!(
            set_from_left("תמונות משפחה 2026.zip"),
            "משפחה תמונות 2026.zip"
        );
        assert_eq!(set_from_left("my א ב…ג x ד"), "my ג…ב א x ד");
        assert_eq!(set_from_left("تقرير السنة.pdf"), "السنة تقرير.pdf");
        assert_eq!(set_from_left("תמונות משפחה.zip"), "משפחה תמונות.zip");
        assert_eq!(set_from_left("א ב.mp3 ג ד!"), "ב א.mp3 ד! ג");
        assert_eq!(set_from_left("plain name.txt"), "plain name.txt");
    }

    #[test]
    fn right_to_left_text_is_turned_line_by_line() {
        let width = |part: &str| part.chars().count() as f32;
        assert_eq!(lines_from_left("אב גד הו", 5.0, width), "גד אב\nהו");
        assert_eq!(
            lines_from_left("אב גד\nxy הו ז", 80.0, width),
            "גד אב\nxy ז הו"
        );
    }

    #[test]
    fn a_long_name_keeps_its_beginning_and_its_extension() {
        let name = "A very long title of a document about many things.pdf";
        let short = elide_middle(name, |text| text.chars().count() <= 20);
        assert!(
            short.chars().count() <= 20 && short.chars().count() > 14,
            "{short}"
        );
        assert!(
            short.starts_with("A very") && short.ends_with(".pdf"),
            "{short}"
        );
        let chinese = "很长很长的中文文件名".repeat(10) + ".docx";
        let short = elide_middle(&chinese, |text| text.chars().count() <= 12);
        assert!(short.ends_with(".docx") && short.contains('…'), "{short}");
        assert_eq!(elide_middle("short", |_| true), "short");
        assert_eq!(elide_middle("nothing fits", |_| false), "…");
    }
}
