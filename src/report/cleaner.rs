//! Takes out of a line what is nobody else's business.

use std::net::IpAddr;

/// From this many on, hexadecimal digits are an id, and not a number or a commit.
const ID_DIGITS: usize = 8;
/// Shorter than this, a name would be found within words.
const LEAST_NAME: usize = 3;
/// Places that are the same everywhere, and say much.
const COMMON_PLACES: &[&str] = &["/usr/", "/bin/", "/sbin/", "/etc/", "/proc/", "/sys/"];

/// Knows what it has replaced: the same again gets the same word.
pub struct Cleaner {
    /// What is hidden wherever it stands, and the word for it; the longest first.
    hidden: Vec<(String, String)>,
    addresses: Vec<IpAddr>,
    ids: Vec<String>,
    names: Vec<String>,
    hosts: Vec<String>,
}

impl Cleaner {
    pub fn new() -> Self {
        let mut cleaner = Self {
            hidden: Vec::new(),
            addresses: Vec::new(),
            ids: Vec::new(),
            names: Vec::new(),
            hosts: Vec::new(),
        };
        let host = gethostname::gethostname().to_string_lossy().into_owned();
        let short = host.split('.').next().unwrap_or_default().to_owned();
        cleaner.hide(&host, "this computer");
        cleaner.hide(&short, "this computer");
        for variable in ["USER", "LOGNAME", "USERNAME"] {
            // Everybody's root is called so.
            let user = std::env::var(variable).ok().filter(|user| user != "root");
            cleaner.hide(&user.unwrap_or_default(), "user");
        }
        cleaner
    }

    /// From now on `text` is `<kind>`.
    pub fn hide(&mut self, text: &str, kind: &str) {
        // "localhost" and the like are no secret, and an address is replaced as one.
        let plain = text.parse::<IpAddr>().is_ok() || text == "localhost";
        if plain || text.chars().count() < LEAST_NAME {
            return;
        }
        self.hidden.push((text.to_owned(), format!("<{kind}>")));
        self.hidden
            .sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
    }

    pub fn clean(&mut self, line: &str) -> String {
        let mut line = crate::model::displayable(line);
        for (text, word) in &self.hidden {
            line = line.replace(text, word);
        }
        line = self.without_names(&line);
        line = without_places(&line);
        line = self.without_hosts(&line);
        self.without_numbers(&line)
    }

    /// What stands in quotes is a name that somebody gave.
    fn without_names(&mut self, line: &str) -> String {
        let mut clean = String::new();
        let mut rest = line;
        while let Some((before, quoted)) = rest.split_once('“') {
            let (name, after) = quoted.split_once('”').unwrap_or((quoted, ""));
            let number = numbered(&mut self.names, name.to_owned());
            clean.push_str(&format!("{before}“<name {number}>”"));
            rest = after;
        }
        clean.push_str(rest);
        clean
    }

    /// `garden-laptop.local`; a name without a dot looks like any other word.
    fn without_hosts(&mut self, line: &str) -> String {
        let part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.');
        let mut clean = String::new();
        for piece in line.split_inclusive(|c| !part(c)) {
            let word = piece.trim_end_matches(|c| !part(c));
            let host = word.trim_end_matches('.');
            let after = piece.get(host.len()..).unwrap_or_default();
            match is_host(host) {
                true => {
                    let number = numbered(&mut self.hosts, host.to_lowercase());
                    clean.push_str(&format!("<host {number}>{after}"));
                }
                false => clean.push_str(piece),
            }
        }
        clean
    }

    /// Addresses and ids, word by word.
    fn without_numbers(&mut self, line: &str) -> String {
        let part = |c: char| c.is_ascii_hexdigit() || matches!(c, ':' | '.');
        let mut clean = String::new();
        let mut word = String::new();
        // Letters before it make it part of another word ("connection.cut").
        let mut after_letter = false;
        for c in line.chars().chain(['\n']) {
            if part(c) && !(after_letter && word.is_empty()) {
                word.push(c);
                continue;
            }
            let joined = c.is_alphanumeric() || c == '_';
            if word.is_empty() || joined {
                clean.push_str(&word);
            } else {
                clean.push_str(&self.word(&word));
            }
            word.clear();
            after_letter = joined;
            clean.push(c);
        }
        clean.pop();
        clean
    }

    fn word(&mut self, word: &str) -> String {
        let core = word.trim_end_matches(['.', ':']);
        let end = word.get(core.len()..).unwrap_or_default();
        if let Ok(ip) = core.parse::<IpAddr>() {
            return format!("{}{end}", self.address(ip));
        }
        if let Some((ip, port)) = core.rsplit_once(':')
            && let Ok(ip) = ip.parse::<IpAddr>()
            && port.parse::<u16>().is_ok()
        {
            return format!("{}:{port}{end}", self.address(ip));
        }
        let is_id = core.len() >= ID_DIGITS
            && core.chars().all(|c| c.is_ascii_hexdigit())
            && core.chars().any(|c| !c.is_ascii_digit());
        // A hash of digits alone would be a rare one; a count of bytes is not.
        if is_id || core.len() >= 4 * ID_DIGITS {
            let number = numbered(&mut self.ids, core.to_owned());
            return format!("<id {number}>{end}");
        }
        word.to_owned()
    }

    fn address(&mut self, ip: IpAddr) -> String {
        let ip = ip.to_canonical();
        let kind = match ip {
            // The same everywhere.
            ip if ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() => {
                return ip.to_string();
            }
            IpAddr::V4(v4) if v4.is_broadcast() => return ip.to_string(),
            IpAddr::V4(v4) if v4.is_private() => "private",
            IpAddr::V4(v4) if v4.is_link_local() => "link-local",
            IpAddr::V6(v6) if v6.is_unicast_link_local() => "link-local",
            IpAddr::V6(v6) if v6.is_unique_local() => "private",
            IpAddr::V4(_) | IpAddr::V6(_) => "public",
        };
        let number = numbered(&mut self.addresses, ip);
        format!("<address {number}, {kind}>")
    }
}

fn is_host(word: &str) -> bool {
    /// Files of our own and of the system that are spoken of.
    const ENDINGS: &[&str] = &["json", "log", "part", "ron", "rs", "so", "txt"];
    word.rsplit_once('.').is_some_and(|(before, last)| {
        let named = before.chars().any(char::is_alphabetic);
        let domain = last.chars().count() >= 2 && last.chars().all(char::is_alphabetic);
        named && domain && !ENDINGS.contains(&last)
    })
}

/// Its place in what was seen by now, from 1 on.
fn numbered<T: PartialEq>(seen: &mut Vec<T>, one: T) -> usize {
    let known = seen.iter().position(|other| *other == one);
    known.unwrap_or_else(|| {
        seen.push(one);
        seen.len() - 1
    }) + 1
}

/// From the first place of this computer on to the end: a path stands last, and may have blanks in it.
fn without_places(line: &str) -> String {
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        let begins = !before.is_alphanumeric() && !matches!(before, '/' | '.' | '>' | '-');
        let rest = line.get(at..).unwrap_or_default();
        let next = rest.chars().nth(1).unwrap_or(' ');
        let unix = c == '/' && !next.is_whitespace() && next != '/';
        let share = rest.starts_with(r"\\");
        let drive = c.is_ascii_alphabetic() && (rest.get(1..3) == Some(r":\"));
        let home = rest.starts_with("~/");
        let common = COMMON_PLACES.iter().any(|place| rest.starts_with(place));
        if begins && (unix || share || drive || home) && !common {
            return format!("{}<path>", line.get(..at).unwrap_or_default());
        }
        before = c;
    }
    line.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_identifies_is_replaced_and_what_explains_stays() {
        let mut cleaner = Cleaner::new();
        cleaner.hide("Garden laptop", "name");
        for (line, clean) in [
            (
                "accepted from=192.168.1.20:51234, once more 192.168.1.20.",
                "accepted from=<address 1, private>:51234, once more <address 1, private>.",
            ),
            (
                "at [fe80::1%3]:9000, 203.0.113.9 and 127.0.0.1:9000",
                "at [<address 2, link-local>%3]:9000, <address 3, public> and 127.0.0.1:9000",
            ),
            (
                "No answer from Garden-PC.local:9000, settings.json is read, garden-pc.local.",
                "No answer from <host 1>:9000, settings.json is read, <host 1>.",
            ),
            ("Garden laptop was lost", "<name> was lost"),
            ("“Küche 2” is “Küche 2”", "“<name 1>” is “<name 1>”"),
            (
                "transfer=3f9a0c17d2 device 3f9a0c17d2 in 12345678 bytes, commit 3f9a0c1",
                "transfer=<id 1> device <id 1> in 12345678 bytes, commit 3f9a0c1",
            ),
            (
                "No such file: /home/li/My letters/a b.txt",
                "No such file: <path>",
            ),
            (r"it is: C:\Users\li\a.txt", "it is: <path>"),
            (
                "program=/usr/sbin/nft no answer",
                "program=/usr/sbin/nft no answer",
            ),
            (
                "2026-11-26T10:23:32.123456Z INFO ropeway::engine: 5 MB/s and/or 0.8 of it",
                "2026-11-26T10:23:32.123456Z INFO ropeway::engine: 5 MB/s and/or 0.8 of it",
            ),
        ] {
            assert_eq!(cleaner.clean(line), clean);
        }
    }

    #[test]
    fn what_a_stranger_wrote_cannot_steer_a_terminal() {
        let clean = Cleaner::new().clean("name=\u{1b}[2Jx \u{202e}y");
        assert!(
            !clean.contains('\u{1b}') && !clean.contains('\u{202e}'),
            "{clean}"
        );
    }
}
