//! A list of failed entries as a table: CSV (RFC 4180) in UTF-8, for a spreadsheet or a script.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use crate::model::{FailedLine, Problem};

/// By this the common spreadsheet programs know that it is UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Writes the list to a file, which a person has just named.
pub fn save(path: &Path, lines: &[FailedLine]) -> Result<(), Problem> {
    let write = || -> io::Result<()> {
        let mut file = File::create(path)?;
        write_table(&mut file, lines)?;
        file.sync_all()
    };
    write().map_err(|error| match error.kind() {
        ErrorKind::NotFound => Problem::other("that folder is not there"),
        _ => Problem::writing(&error),
    })
}

fn write_table(mut to: impl Write, lines: &[FailedLine]) -> io::Result<()> {
    to.write_all(BYTE_ORDER_MARK.as_bytes())?;
    let mut table = csv::Writer::from_writer(to);
    table.write_record(["path", "bytes", "code", "reason"])?;
    for line in lines {
        let (path, reason) = (harmless(&line.path), harmless(&line.reason));
        table.write_record([&*path, &line.len_bytes.to_string(), line.code, &*reason])?;
    }
    table.flush()
}

/// A cell that a spreadsheet would take for a formula gets an apostrophe in front, which says that
/// it is text (OWASP, "CSV Injection"): names come from other people.
fn harmless(cell: &str) -> Cow<'_, str> {
    match cell.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠') => {
            Cow::Owned(format!("'{cell}"))
        }
        Some(_) | None => Cow::Borrowed(cell),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(path: &str, problem: Problem) -> FailedLine {
        FailedLine {
            path: path.into(),
            len_bytes: 7,
            code: problem.code(),
            reason: problem.to_string(),
        }
    }

    #[test]
    fn a_table_holds_every_line_and_nothing_that_a_spreadsheet_would_run() {
        let lines = [
            line("photos/a, \"b\".jpg", Problem::Corrupt),
            line("=HYPERLINK(\"http://x\")", Problem::Other("+1".into())),
            line("照片/-1.png", Problem::Quota),
            line("-1.png", Problem::Vanished),
        ];
        let mut table = Vec::new();
        write_table(&mut table, &lines).unwrap();
        let text = String::from_utf8(table).unwrap();
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
        let cells = |column| rows.iter().map(|row| &row[column]).collect::<Vec<_>>();
        let formula = "'=HYPERLINK(\"http://x\")";
        let paths = ["photos/a, \"b\".jpg", formula, "照片/-1.png", "'-1.png"];
        assert_eq!(cells(0), paths);
        assert_eq!(cells(1), ["7"; 4]);
        assert_eq!(cells(2), ["corrupt", "other", "quota", "vanished"]);
        assert_eq!(cells(3)[1], "'+1");
    }

    #[test]
    fn a_table_that_cannot_be_written_is_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        let nowhere = folder.path().join("no/such/list.csv");
        assert!(matches!(save(&nowhere, &[]), Err(Problem::Other(_))));
        assert_eq!(save(&folder.path().join("list.csv"), &[]), Ok(()));
    }
}
