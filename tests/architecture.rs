//! Who may know whom. The table here is the one in ARCHITECTURE.md; a line that breaks it is named.

// Helpers of tests are tests, too; clippy only knows the functions that are marked.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

#[path = "architecture/window.rs"]
mod window;

/// A room of the house: its name, and the rooms it may know besides itself.
const ROOMS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("protocol", &["model"]),
    ("channel", &["model"]),
    ("discovery", &["model"]),
    ("storage", &["model"]),
    (
        "engine",
        &["model", "protocol", "channel", "discovery", "storage"],
    ),
    ("instance", &["model"]),
    ("logging", &[]),
    ("settings", &["model", "storage", "engine"]),
    ("report", &["model", "settings", "logging"]),
    (
        "cli",
        &["model", "engine", "instance", "settings", "report"],
    ),
    (
        "gui",
        &["model", "engine", "instance", "settings", "report"],
    ),
    ("main", &["cli", "gui", "logging", "settings"]),
    ("lib", &[]),
];

/// What a room deliberately lacks: these do not stand in its code outside tests.
const ABSENT: &[(&str, &[&str])] = &[
    (
        "model",
        &[
            "std::fs",
            "std::thread",
            "TcpStream",
            "Instant",
            "SystemTime",
            "getrandom",
            "egui",
        ],
    ),
    (
        "protocol",
        &[
            "std::fs",
            "std::net",
            "std::thread",
            "Instant",
            "SystemTime",
            "getrandom",
            "OsRng",
        ],
    ),
    ("channel", &["std::fs", "Frame", "thread::spawn", "egui"]),
    ("discovery", &["std::fs", "Tcp", "rustls", "egui"]),
    ("storage", &["std::net", "std::thread", "rustls", "egui"]),
    ("engine", &["egui", "eframe", "rfd", "indicatif", "clap"]),
    ("settings", &["std::net::Tcp", "egui", "clap"]),
    (
        "cli",
        &["TcpStream", "TcpListener", "UdpSocket", "egui", "rustls"],
    ),
    (
        "gui",
        &[
            "TcpStream",
            "TcpListener",
            "UdpSocket",
            "std::fs",
            "rustls",
            "clap",
            "indicatif",
        ],
    ),
    ("main", &["std::net", "std::fs", "std::thread"]),
];

/// Nowhere in the product.
const ABSENT_EVERYWHERE: &[&str] = &[
    "tokio",
    "async_std",
    "async fn",
    ".await",
    "todo!(",
    "dbg!(",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The code of a file by line number: without comments, and without the tests at its end.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let product = text
        .find("\n#[cfg(test)]\nmod tests {")
        .unwrap_or(text.len());
    let product = text.get(..product).unwrap();
    let lines = product.lines().enumerate();
    lines.map(|(index, line)| (index + 1, line.split("//").next().unwrap()))
}

/// The names that stand directly behind `crate::` or `ropeway::`, also within braces.
fn rooms_named(line: &str) -> Vec<&str> {
    let mut named = Vec::new();
    for start in ["crate::", "ropeway::"] {
        for (at, _) in line.match_indices(start) {
            let rest = &line[at + start.len()..];
            match rest.strip_prefix('{') {
                Some(group) => {
                    let group = group.split('}').next().unwrap();
                    named.extend(group.split(',').map(|item| first_name(item.trim())));
                }
                None => named.push(first_name(rest)),
            }
        }
    }
    named
}

fn first_name(path: &str) -> &str {
    let end = path.find(|c: char| !c.is_alphanumeric() && c != '_');
    &path[..end.unwrap_or(path.len())]
}

fn room_of(file: &Path, src: &Path) -> String {
    let first = file.strip_prefix(src).unwrap().components().next().unwrap();
    let first = first.as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// Every breach as `file:line: what`.
fn breaches(src: &Path) -> Vec<String> {
    let mut files = Vec::new();
    sources(src, &mut files);
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let room = room_of(&file, src);
        let text = fs::read_to_string(&file).unwrap();
        let shown = file.display();
        let Some((_, known)) = ROOMS.iter().find(|(name, _)| *name == room) else {
            found.push(format!(
                "{shown}:1: `{room}` has no place in the layer table"
            ));
            continue;
        };
        let is_tests = file
            .file_stem()
            .unwrap()
            .to_str()
            .unwrap()
            .ends_with("tests");
        for (number, line) in code(&text) {
            for named in rooms_named(line) {
                let is_room = ROOMS.iter().any(|(name, _)| *name == named);
                if is_room && named != room && !known.contains(&named) {
                    found.push(format!("{shown}:{number}: `{room}` may not know `{named}`"));
                }
            }
            if is_tests {
                continue;
            }
            let absent = ABSENT.iter().filter(|(name, _)| *name == room);
            let absent = absent.flat_map(|(_, words)| words.iter());
            for word in absent.chain(ABSENT_EVERYWHERE) {
                if stands_in(line, word) {
                    found.push(format!(
                        "{shown}:{number}: `{room}` deliberately lacks {word}"
                    ));
                }
            }
        }
    }
    found
}

/// Whether the word stands in the line and not as a part of a longer name.
fn stands_in(line: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(part_of_name) && !after.is_some_and(part_of_name)
    })
}

#[test]
fn every_module_knows_only_what_stands_above_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let found = breaches(&src);
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn a_breach_is_found_and_named_by_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let src = folder.path();
    fs::create_dir(src.join("protocol")).unwrap();
    let text = "//! use crate::engine in prose is fine\n\nuse crate::{model, storage::Inbox};\n\
                use std::net::TcpStream;\n#[cfg(test)]\nmod tests { use crate::engine; }\n";
    fs::write(src.join("protocol/frame.rs"), text).unwrap();
    fs::write(src.join("shed.rs"), "").unwrap();
    let found = breaches(src);
    let file = src.join("protocol/frame.rs");
    let file = file.display();
    assert_eq!(
        found,
        [
            format!("{file}:3: `protocol` may not know `storage`"),
            format!("{file}:4: `protocol` deliberately lacks std::net"),
            format!(
                "{}:1: `shed` has no place in the layer table",
                src.join("shed.rs").display()
            ),
        ]
    );
}

#[test]
fn the_table_stands_in_the_document_too() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    for (room, _) in ROOMS.iter().filter(|(room, _)| *room != "lib") {
        let named = document
            .lines()
            .any(|line| line.starts_with('|') && line.split('|').nth(1).unwrap().contains(room));
        assert!(named, "ARCHITECTURE.md's map lacks `{room}`");
    }
}

/// What is the same in every language: headings by their level, rows of tables, and all code.
fn bones(text: &str) -> Vec<String> {
    let mut fenced = false;
    let mut found = Vec::new();
    for line in text.lines() {
        let fence = line.starts_with("```");
        if fenced || fence || line.starts_with("    ") {
            found.push(line.to_owned());
        } else if line.starts_with('#') {
            let marks = line.chars().take_while(|mark| *mark == '#');
            found.push(marks.collect());
        } else if line.starts_with('|') {
            found.push("|".repeat(line.matches('|').count()));
        } else if line.starts_with("- ") {
            found.push("-".to_owned());
        }
        fenced ^= fence;
    }
    found
}

#[test]
fn the_chinese_readme_has_the_same_chapters_tables_and_commands() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| fs::read_to_string(root.join(name)).unwrap();
    let (english, chinese) = (bones(&read("README.md")), bones(&read("README.zh-CN.md")));
    for (line, (english, chinese)) in english.iter().zip(&chinese).enumerate() {
        assert_eq!(english, chinese, "the {}th of them", line + 1);
    }
    assert_eq!(english.len(), chinese.len());
}
