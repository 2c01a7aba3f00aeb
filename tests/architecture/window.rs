//! What the window's code leaves to others: sizes and colours are the theme's, words the tables'.

use std::fs;
use std::path::{Path, PathBuf};

use super::sources;

/// Calls whose numbers are sizes.
const SIZED: &[&str] = &[
    "add_space",
    "vec2",
    "pos2",
    "splat",
    "Vec2::new",
    "Pos2::new",
    "Margin::same",
    "Margin::symmetric",
    "CornerRadius::same",
    "FontId::new",
    "FontId::proportional",
    "FontId::monospace",
    "Stroke::new",
    "size",
    "width",
    "exact_size",
    "default_size",
    "min_size",
    "max_size",
    "desired_width",
    "set_width",
    "set_height",
    "set_min_width",
    "set_min_height",
    "set_max_width",
    "set_max_height",
    "max_height",
    "max_width",
    "min_scrolled_height",
    "inner_margin",
    "outer_margin",
    "margin",
    "corner_radius",
    "expand",
    "shrink",
    "expand2",
    "shrink2",
    "rect_filled",
    "rect_stroke",
    "circle_filled",
    "circle_stroke",
    "show_rows",
    "spacing",
];

/// Calls whose words nobody reads in the window: names of parts, threads, formats, the log.
const UNSEEN: &[&str] = &[
    "id_salt",
    "Id::unique",
    "IdSalt::new",
    "push_id",
    "with",
    "indent",
    "part",
    "dialog",
    "wide_dialog",
    "firm_dialog",
    "ask",
    "aside",
    "start",
    "Panel::top",
    "Panel::bottom",
    "Panel::left",
    "Panel::right",
    "request_discard",
    "name",
    "set",
    "var",
    "var_os",
    "cfg!",
    "context",
    "strftime",
    "include_bytes!",
    "include_str!",
    "warn!",
    "debug!",
    "info!",
    "error!",
    "extension",
    "Path::new",
    "ends_with",
    "starts_with",
];

/// Words that are the same in every language.
const NAMES: &[&str] = &[
    "Ropeway",
    "Linux",
    "Windows",
    "macOS",
    "CSV",
    "csv",
    "English",
    "简体中文",
    "Ctrl",
    "Shift",
    "Alt",
    "Enter",
    "Esc",
    "Tab",
    "F1",
    "Space",
    "0x",
    "https",
    "http",
];

/// Data, tables, and the theme itself.
const NOT_DRAWN: &[&str] = &["theme.rs", "mod.rs", "texts", "demo"];
/// What is written here is for the system and other programs.
const NOT_SHOWN: &[&str] = &["notify/bus.rs", "paste.rs", "clipboard.rs", "desktop.rs"];
/// Here a number is no size.
const NOT_SIZED: &[&str] = &[
    "view",
    "view.rs",
    "format.rs",
    "pace.rs",
    "clock.rs",
    "demo",
];

/// A literal, and the calls that it stands in, up to the block around them.
struct Literal {
    line: usize,
    text: String,
    quoted: bool,
    calls: Vec<String>,
    /// The statement up to it.
    before: String,
    after: String,
}

/// The literals of a file, without comments, attributes and the tests at its end.
fn literals(text: &str) -> Vec<Literal> {
    let end = text.find("\n#[cfg(test)]\nmod tests {");
    let all: Vec<char> = text[..end.unwrap_or(text.len())].chars().collect();
    let at = |index: usize| all.get(index).copied().unwrap_or('\n');
    let mut found = Vec::new();
    // `None` is a block: what is in it is not in the call that it is given to.
    let mut calls: Vec<Option<String>> = Vec::new();
    let mut statement = String::new();
    let (mut index, mut line) = (0, 1);
    while index < all.len() {
        let start = index;
        let c = at(index);
        index += 1;
        match c {
            '/' if at(index) == '/' => {
                while index < all.len() && at(index) != '\n' {
                    index += 1;
                }
                continue;
            }
            '#' if at(index) == '[' => {
                while index < all.len() && at(index) != ']' {
                    index += 1;
                }
                continue;
            }
            '"' => {
                while index < all.len() && at(index) != '"' {
                    index += if at(index) == '\\' { 2 } else { 1 };
                }
                index += 1;
            }
            // A character, not a lifetime.
            '\'' if at(index) == '\\' || at(index + 1) == '\'' => {
                index += if at(index) == '\\' { 2 } else { 1 };
                while index < all.len() && at(index) != '\'' {
                    index += 1;
                }
                index += 1;
                continue;
            }
            digit if digit.is_ascii_digit() && !part_of_name(before(&all, start)) => {
                while part_of_name(at(index)) || at(index) == '.' && at(index + 1).is_ascii_digit()
                {
                    index += 1;
                }
            }
            '(' => calls.push(Some(callee(&statement))),
            '{' | '[' => calls.push((c == '[').then(String::new)),
            ')' | '}' | ']' => {
                calls.pop();
            }
            _ => {}
        }
        if c == '"' || c.is_ascii_digit() && index > start && !part_of_name(before(&all, start)) {
            let within = calls.iter().rev().map_while(Clone::clone);
            found.push(Literal {
                line,
                text: all[start..index.min(all.len())].iter().collect(),
                quoted: c == '"',
                calls: within.collect(),
                before: statement.clone(),
                after: all[index.min(all.len())..].iter().take(60).collect(),
            });
        }
        line += all[start..index.min(all.len())]
            .iter()
            .filter(|c| **c == '\n')
            .count();
        statement.extend(&all[start..index.min(all.len())]);
        if matches!(c, ';' | '{' | '}') {
            statement.clear();
        }
    }
    found
}

fn before(all: &[char], index: usize) -> char {
    index
        .checked_sub(1)
        .and_then(|index| all.get(index))
        .map_or('\n', |c| *c)
}

fn part_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// What is called: `Margin::same`, `add_space` of `ui.add_space`, `warn!` of `tracing::warn!`.
fn callee(statement: &str) -> String {
    let path = |c: char| part_of_name(c) || c == ':' || c == '!';
    let start = statement.rfind(|c| !path(c)).map_or(0, |at| {
        at + statement[at..].chars().next().map_or(1, char::len_utf8)
    });
    let name = statement[start..].trim_start_matches(':');
    match name.rsplit_once("::") {
        // A type's own function keeps the type's name.
        Some((types, function)) => {
            let of = types.rsplit("::").next().unwrap_or_default();
            if of.starts_with(char::is_uppercase) {
                format!("{of}::{function}")
            } else {
                function.to_owned()
            }
        }
        None => name.to_owned(),
    }
}

/// Why a number may not stand here.
fn is_size(literal: &Literal) -> bool {
    let number = literal.text.trim_end_matches("_f32");
    if literal.quoted || number.parse::<f64>().is_ok_and(|number| number == 0.0) {
        return false;
    }
    let before = literal.before.trim_end();
    let after = literal.after.trim_start();
    let scales = before.ends_with(['*', '/']) || after.starts_with('*');
    // Half of a size, or twice; one less of several; per cent.
    let counts = number == "1.0" && before.ends_with('-');
    if counts || number == "100.0" || scales && number == "2.0" {
        return false;
    }
    if literal
        .calls
        .iter()
        .any(|call| SIZED.contains(&call.as_str()))
    {
        return true;
    }
    // Sizes are `f32`; seconds and megabytes are not.
    let is_float = number.contains('.') && number != "1.0";
    is_float && !literal.before.contains("f64")
}

/// Words in a panel, unless they are the same in every language or nobody sees them.
fn is_word(literal: &Literal) -> bool {
    if !literal.quoted {
        return false;
    }
    let unseen = |call: &String| UNSEEN.contains(&call.as_str());
    if literal.calls.iter().any(unseen) {
        return false;
    }
    let mut words = literal.text.clone();
    while let (Some(from), Some(to)) = (words.find('{'), words.find('}')) {
        if from > to {
            break;
        }
        words.replace_range(from..=to, " ");
    }
    let words = words.replace("\\n", " ");
    words
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.chars().filter(|c| c.is_alphabetic()).count() > 1)
        .any(|word| !NAMES.contains(&word))
}

fn is_in(file: &Path, gui: &Path, rooms: &[&str]) -> bool {
    let within = file.strip_prefix(gui).unwrap();
    rooms.iter().any(|room| within.starts_with(room))
}

fn breaches(gui: &Path) -> Vec<String> {
    let mut files = Vec::new();
    sources(gui, &mut files);
    files.sort();
    let mut found = Vec::new();
    for file in files {
        if is_in(&file, gui, NOT_DRAWN) {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let shown = file.display();
        for (number, line) in super::code(&text) {
            for (at, color) in line.match_indices("Color32::") {
                let made = &line[at + color.len()..];
                if made.starts_with("from_") || made.starts_with(char::is_uppercase) {
                    found.push(format!(
                        "{shown}:{number}: a colour that is not the theme's"
                    ));
                }
            }
        }
        for literal in literals(&text) {
            let (line, said) = (literal.line, &literal.text);
            if !is_in(&file, gui, NOT_SIZED) && is_size(&literal) {
                found.push(format!(
                    "{shown}:{line}: the size {said} is not the theme's"
                ));
            }
            if !is_in(&file, gui, NOT_SHOWN) && is_word(&literal) {
                found.push(format!("{shown}:{line}: the words {said} are in no table"));
            }
        }
    }
    found
}

fn gui() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gui")
}

#[test]
fn sizes_and_colours_are_the_themes_and_words_the_tables() {
    let found = breaches(&gui());
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn a_size_a_colour_and_a_word_in_a_panel_are_named_by_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("panels")).unwrap();
    let file = folder.path().join("panels/shed.rs");
    let text = r#"//! 12.0 and "Words" in prose are fine.
fn shed_ui(ui: &mut Ui) {
    ui.add_space(theme::GAP * 2.0); // and 3.0 in a comment
    ui.add_space(7.0);
    ui.colored_label(Color32::RED, "Hello");
    let frame = Frame::new().inner_margin(Margin::symmetric(0, 9));
    let share = 0.4;
    let seconds: f64 = 0.5;
    ui.push_id("shed", |ui| ui.label(format!("{share} · 0x{seconds}")));
    ui.allocate(vec2(theme::GAP, 0.0), |ui| { let third = list.get(3); ui.label("Ctrl+O"); });
}

#[cfg(test)]
mod tests {
    const HERE: f32 = 9.5;
}
"#;
    fs::write(&file, text).unwrap();
    let file = file.display();
    assert_eq!(
        breaches(folder.path()),
        [
            format!("{file}:5: a colour that is not the theme's"),
            format!("{file}:4: the size 7.0 is not the theme's"),
            format!("{file}:5: the words \"Hello\" are in no table"),
            format!("{file}:6: the size 9 is not the theme's"),
            format!("{file}:7: the size 0.4 is not the theme's"),
        ]
    );
}

/// The names of the texts in a table's file, and of the tables in it. Empty where it has no table.
fn keys(file: &Path) -> (Vec<String>, Vec<String>) {
    let text = fs::read_to_string(file).unwrap();
    let fields = text.lines().filter_map(|line| {
        let (name, kind) = line.strip_prefix("    pub ")?.split_once(':')?;
        Some((name.to_owned(), kind.ends_with("Texts,")))
    });
    let (tables, keys): (Vec<_>, Vec<_>) = fields.partition(|(_, is_table)| *is_table);
    let name = |(name, _)| name;
    (
        keys.into_iter().map(name).collect(),
        tables.into_iter().map(name).collect(),
    )
}

/// Whether `texts.key` stands in the code, also over a line's end.
fn is_read(code: &str, key: &str, tables: &[String]) -> bool {
    code.match_indices(key).any(|(at, _)| {
        let after = code[at + key.len()..].chars().next();
        let Some(owner) = code[..at].trim_end().strip_suffix('.') else {
            return false;
        };
        let owner = owner.trim_end().trim_end_matches("()");
        let of_table = tables.iter().any(|table| owner.ends_with(table.as_str()));
        !after.is_some_and(part_of_name) && of_table
    })
}

/// A text that is missing in one language does not compile.
#[test]
fn every_text_is_shown_somewhere() {
    let (mut files, mut all) = (Vec::new(), Vec::new());
    sources(&gui().join("texts"), &mut files);
    sources(&gui(), &mut all);
    let code: String = all
        .iter()
        .filter(|file| !is_in(file, &gui(), &["texts"]))
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    let (_, mut tables) = keys(&gui().join("texts/mod.rs"));
    assert!(!tables.is_empty(), "the tables have changed their form");
    tables.extend(["texts", "words", "ENGLISH", "CHINESE"].map(str::to_owned));
    for file in files {
        let (keys, _) = keys(&file);
        let unused: Vec<_> = keys
            .iter()
            .filter(|key| !is_read(&code, key, &tables))
            .collect();
        assert!(
            unused.is_empty(),
            "{}: nobody shows {unused:?}",
            file.display()
        );
    }
}

/// What the Chinese tables say in Latin letters alone, and may.
const LATIN: &[&str] = &[
    "IP",
    "GB",
    "MB/s",
    "Enter",
    "Ropeway",
    "CSV",
    "English",
    "failed.csv",
    "B",
    "KB",
    "home",
    "GET",
    "TLS",
    "SHA",
    "ID",
    "csv",
];

#[test]
fn the_chinese_tables_speak_chinese() {
    let mut english = Vec::new();
    let mut files = Vec::new();
    sources(&gui().join("texts"), &mut files);
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let is_chinese = path
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("zh");
        // The tables of one subject have both languages in one file, Chinese behind.
        let from = text.find("pub const CHINESE").filter(|_| !is_chinese);
        if !is_chinese && from.is_none() {
            continue;
        }
        let first = text[..from.unwrap_or(0)].lines().count();
        for literal in literals(&text).into_iter().filter(|one| one.line > first) {
            let latin = literal
                .text
                .chars()
                .filter(char::is_ascii_alphabetic)
                .count();
            let chinese = literal
                .text
                .chars()
                .any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
            let known = LATIN.iter().any(|word| literal.text.contains(word));
            let unwritten = literal.text.contains('{') || literal.text.contains('/');
            if literal.quoted && latin > 1 && !chinese && !known && !unwritten {
                english.push(format!(
                    "{}:{}: {}",
                    path.display(),
                    literal.line,
                    literal.text
                ));
            }
        }
    }
    assert!(english.is_empty(), "\n{}\n", english.join("\n"));
}
