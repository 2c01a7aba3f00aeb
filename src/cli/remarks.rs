//! What the end of a transfer names: entries that failed, and names that are not the sender's.

use crate::model::{Direction, EntryStatus, FileReport, Summary};

/// Of each kind so many: what fits on a screen. `--json` names all.
const NAMED: usize = 20;

/// Gathered while a transfer runs, in constant memory.
#[derive(Default, Debug)]
pub struct Remarks {
    failed: Vec<String>,
    /// Up to the component that differs, here and at the sender.
    renamed: Vec<(String, String)>,
    more_renamed: bool,
}

impl Remarks {
    pub fn note(&mut self, file: &FileReport) {
        if let EntryStatus::Failed(problem) = &file.status {
            if self.failed.len() < NAMED {
                let path = shortened(&file.path);
                self.failed.push(format!("  {path}: {problem}."));
            }
            return;
        }
        if file.status == EntryStatus::Skipped {
            return;
        }
        let Some(original) = &file.original else {
            return;
        };
        let (here, there) = as_far_as_they_differ(&file.path, original);
        if self.renamed.iter().any(|(known, _)| known == here) {
            return;
        }
        if self.renamed.len() == NAMED {
            self.more_renamed = true;
            return;
        }
        self.renamed.push((here.to_owned(), there.to_owned()));
    }

    /// What still fails is said anew.
    pub fn forget_failures(&mut self) {
        self.failed.clear();
    }

    /// The lines below the sentence about the whole.
    pub fn lines(self, summary: &Summary) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.renamed.is_empty() {
            lines.push(match summary.direction {
                Direction::Receive => "These have other names than at the sender:".to_owned(),
                Direction::Send => "These names cannot travel as they are:".to_owned(),
            });
            let renamed = self.renamed.iter().map(|(here, there)| {
                let (here, there) = (shortened(here), shortened(there));
                match summary.direction {
                    Direction::Receive => format!("  {here} (there {there})"),
                    Direction::Send => format!("  {there} (sent as {here})"),
                }
            });
            lines.extend(renamed);
            if self.more_renamed {
                lines.push("  and others".to_owned());
            }
        }
        if summary.failed > 0 {
            lines.push("These failed:".to_owned());
            let more = summary.failed.saturating_sub(self.failed.len() as u64);
            lines.extend(self.failed);
            if more > 0 {
                lines.push(format!("  and {more} more"));
            }
            if summary.can_retry {
                lines.push(
                    match summary.direction {
                        Direction::Send => "Send the same again to retry only these.",
                        Direction::Receive => {
                            "The other device can send the same again to retry these."
                        }
                    }
                    .to_owned(),
                );
            }
        }
        lines
    }
}

/// Both ends of a long path: a deep tree would fill the screen.
fn shortened(path: &str) -> String {
    const MOST_CHARS: usize = 160;
    let count = path.chars().count();
    if count <= MOST_CHARS {
        return path.to_owned();
    }
    let front: String = path.chars().take(MOST_CHARS / 2).collect();
    let back: String = path.chars().skip(count - MOST_CHARS / 2).collect();
    format!("{front}…{back}")
}

/// Both paths down to their first different component: of a folder with another name not each file in it
/// is worth a line.
fn as_far_as_they_differ<'a>(here: &'a str, there: &'a str) -> (&'a str, &'a str) {
    let mut end = 0;
    for (a, b) in here.split('/').zip(there.split('/')) {
        if a != b {
            return (&here[..end + a.len()], &there[..end + b.len()]);
        }
        end += a.len() + 1;
    }
    (here, there)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_another_name_is_one_line_not_one_for_each_file() {
        for (here, there, named) in [
            ("a (1).txt", "a.txt", ("a (1).txt", "a.txt")),
            ("h (1)/x/y", "h/x/y", ("h (1)", "h")),
            ("h/x (1)/y", "h/x/y", ("h/x (1)", "h/x")),
            ("h/x/y (1)", "h/x/y", ("h/x/y (1)", "h/x/y")),
        ] {
            assert_eq!(as_far_as_they_differ(here, there), named);
        }
    }
}
