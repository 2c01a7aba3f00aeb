//! `ropeway doctor`: why devices do not reach each other, as a checklist.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr as _;

use super::args::Doctor;
use super::input::{Input, Inputs};
use super::output::Output;
use super::{Exit, Session, Trouble, target};
use crate::engine::{Command, Event};
use crate::model::{Diagnosis, Finding, PeerAddress, Presence, Severity};

/// Longer lines are hard to read.
const MAX_COLUMNS: usize = 100;

pub fn run(arguments: Doctor, data_dir: PathBuf, output: &Output) -> Result<Exit, Trouble> {
    let session = Session::start(&data_dir, Inputs::new()?, output)?;
    session.show(Presence::Hidden)?;
    let of = match &arguments.host {
        Some(host) => Some(meant(host, &session, output)?),
        None => None,
    };
    session.engine.command(Command::Diagnose {
        of,
        usual_port: session.settings.port,
    });
    let style = Style::of_this_terminal();
    let mut told = 0;
    let report = |diagnosis: &Diagnosis| {
        let known = session.engine.known();
        let names = known.iter().map(|known| known.shown().to_string());
        let names: Vec<_> = names.collect();
        crate::report::write(&session.settings, &data_dir, Some(diagnosis), &names)
    };
    loop {
        let diagnosis = match session.inputs.next() {
            Input::Interrupt => return Err(Trouble::interrupted()),
            Input::Event(Event::Diagnosis(diagnosis)) => diagnosis,
            Input::Event(Event::DevicesNotRead(why) | Event::ConversationsNotRead(why)) => {
                output.warn(&why);
                continue;
            }
            Input::Event(_) | Input::Line(..) => continue,
        };
        if arguments.report {
            if diagnosis.complete {
                output.say(&report(&diagnosis));
                return Ok(exit_of(&diagnosis));
            }
            continue;
        }
        for finding in diagnosis.findings.iter().skip(told) {
            output.json(&line(finding));
            output.say(&style.finding(finding));
        }
        told = diagnosis.findings.len();
        if diagnosis.complete {
            output.json(&json!({
                "event": "diagnosis",
                "problems": diagnosis.problems(),
                "reached": diagnosis.of.is_some().then(|| diagnosis.reached()),
            }));
            output.say(&style.summary(&diagnosis));
            return Ok(exit_of(&diagnosis));
        }
    }
}

/// An address, or a known device by its name.
fn meant(host: &str, session: &Session, output: &Output) -> Result<PeerAddress, Trouble> {
    let target = target::find(session, host, output).map_err(|trouble| {
        let sentence = trouble.sentence.replace("--to ", "");
        Trouble {
            sentence,
            ..trouble
        }
    })?;
    let device = target.device.map(|chosen| chosen.id);
    Ok(PeerAddress {
        device: device.or(target.to.device),
        ..target.to
    })
}

fn exit_of(diagnosis: &Diagnosis) -> Exit {
    if diagnosis.of.is_some() && !diagnosis.reached() {
        Exit::Connection
    } else if diagnosis.problems() > 0 {
        Exit::Trouble
    } else {
        Exit::Arrived
    }
}

/// A finding as one JSON object: its facts, and what people are told.
pub fn line(finding: &Finding) -> Value {
    // A structure of strings and numbers cannot be refused.
    let mut line = serde_json::to_value(finding).unwrap_or_else(|_| json!({}));
    line["event"] = json!("finding");
    line["check"] = json!(finding.check());
    line["severity"] = json!(finding.severity());
    line["message"] = json!(finding.to_string());
    if let Some(next) = finding.next() {
        line["next"] = json!(next);
    }
    if !finding.commands().is_empty() {
        line["commands"] = json!(finding.commands());
    }
    line
}

/// How it is written here.
pub struct Style {
    unicode: bool,
    /// `None`: lines are not broken.
    columns: Option<usize>,
}

impl Style {
    pub fn of_this_terminal() -> Self {
        let terminal = std::io::stdout().is_terminal();
        Self {
            unicode: !terminal || speaks_utf8(),
            columns: columns().filter(|_| terminal),
        }
    }

    fn mark(&self, severity: Severity) -> &'static str {
        match (self.unicode, severity) {
            (true, Severity::Good) => "✓",
            (true, Severity::Note) => "–",
            (true, Severity::Problem) => "✗",
            (false, Severity::Good) => "+",
            (false, Severity::Note) => "-",
            (false, Severity::Problem) => "x",
        }
    }

    /// Its sentence, the next step, and the commands, each on a line that can be copied whole.
    pub fn finding(&self, finding: &Finding) -> String {
        let mark = self.mark(finding.severity());
        let mut lines = self.wrapped(&finding.to_string(), &format!("{mark} "), "  ");
        if let Some(next) = finding.next() {
            lines.extend(self.wrapped(&next, "    ", "    "));
        }
        let commands = finding.commands().iter();
        lines.extend(commands.map(|command| format!("        {command}")));
        let text = lines.join("\n");
        match self.unicode {
            true => text,
            false => text
                .replace(['“', '”'], "\"")
                .replace('’', "'")
                .replace('›', ">"),
        }
    }

    fn summary(&self, diagnosis: &Diagnosis) -> String {
        let reached = diagnosis.of.as_ref().map(|of| (of, diagnosis.reached()));
        let sentence = match (reached, diagnosis.problems()) {
            (Some((of, true)), 0) => format!("{of} can be reached."),
            (Some((of, true)), 1) => format!("{of} can be reached. 1 problem was found."),
            (Some((of, true)), many) => {
                format!("{of} can be reached. {many} problems were found.")
            }
            (Some((of, false)), _) => format!("{of} cannot be reached."),
            (None, 0) => "No problem was found on this computer.".into(),
            (None, 1) => "1 problem was found.".into(),
            (None, many) => format!("{many} problems were found."),
        };
        format!("\n{}", self.wrapped(&sentence, "", "").join("\n"))
    }

    fn wrapped(&self, text: &str, first: &str, others: &str) -> Vec<String> {
        let columns = self.columns.unwrap_or(usize::MAX);
        let mut lines = Vec::new();
        let mut line = first.to_owned();
        let mut empty = true;
        for word in text.split(' ') {
            if !empty && line.width() + 1 + word.width() > columns {
                lines.push(std::mem::replace(&mut line, others.to_owned()));
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(word);
            empty = false;
        }
        lines.push(line);
        lines
    }
}

/// As its locale says; Windows' terminals do without one.
fn speaks_utf8() -> bool {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = set("LC_ALL")
        .or_else(|| set("LC_CTYPE"))
        .or_else(|| set("LANG"));
    match locale {
        Some(locale) => {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        }
        None => !cfg!(unix),
    }
}

fn columns() -> Option<usize> {
    #[cfg(unix)]
    {
        let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
        let columns = usize::from(size.ws_col);
        (columns >= 20).then(|| columns.min(MAX_COLUMNS))
    }
    #[cfg(not(unix))]
    Some(MAX_COLUMNS.min(80))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::finding::{Door, Firewall, NoConnection, Remedy};

    fn blocked() -> Finding {
        Finding::FirewallBlocks {
            firewall: Firewall::Ufw,
            door: Door::Transfers { tcp: 9000 },
            remedy: Remedy {
                commands: vec!["sudo ufw allow 9000/tcp".into()],
                lasting: true,
            },
        }
    }

    #[test]
    fn a_finding_is_a_marked_sentence_with_its_next_step_and_a_command_on_a_line_of_its_own() {
        let style = Style {
            unicode: true,
            columns: Some(40),
        };
        let text = style.finding(&blocked());
        let lines: Vec<_> = text.lines().collect();
        assert!(
            lines[0].starts_with("✗ The firewall of this computer"),
            "{text}"
        );
        assert!(lines.iter().all(|line| line.width() <= 40), "{text}");
        assert_eq!(lines.last(), Some(&"        sudo ufw allow 9000/tcp"));
        let plain = Style {
            unicode: false,
            columns: None,
        };
        let text = plain.finding(&blocked());
        assert!(text.is_ascii(), "{text}");
        assert_eq!(text.lines().count(), 3);
    }

    #[test]
    fn a_finding_for_programs_has_its_facts_and_what_people_are_told() {
        let line = line(&blocked());
        assert_eq!(line["event"], "finding");
        assert_eq!(line["check"], "firewall");
        assert_eq!(line["finding"], "firewall-blocks");
        assert_eq!(line["severity"], "problem");
        assert_eq!(line["door"]["transfers"]["tcp"], 9000);
        assert_eq!(line["commands"][0], "sudo ufw allow 9000/tcp");
        assert!(line["message"].as_str().unwrap().contains("9000"));
        assert!(line["next"].as_str().unwrap().ends_with(':'));
    }

    #[test]
    fn the_exit_status_tells_the_own_trouble_from_a_device_that_is_not_reached() {
        let diagnosis = |of: Option<&str>, findings: Vec<Finding>| Diagnosis {
            of: of.map(|of| of.parse().unwrap()),
            findings,
            complete: true,
        };
        let gone = Finding::NotConnected {
            address: "192.168.1.20:9000".parse().unwrap(),
            why: NoConnection::TimedOut,
            elsewhere: false,
        };
        let own = Finding::ThisComputer {
            address: "192.168.1.20".parse().unwrap(),
        };
        let on = Finding::ServerOn {
            port: 9000,
            addresses: Vec::new(),
        };
        for (diagnosis, exit) in [
            (diagnosis(None, vec![]), Exit::Arrived),
            (diagnosis(None, vec![blocked()]), Exit::Trouble),
            (diagnosis(Some("h"), vec![gone.clone()]), Exit::Connection),
            (
                diagnosis(Some("h"), vec![blocked(), gone]),
                Exit::Connection,
            ),
            (diagnosis(Some("h"), vec![own.clone()]), Exit::Connection),
            (
                diagnosis(Some("h"), vec![on.clone(), own.clone()]),
                Exit::Arrived,
            ),
            (
                diagnosis(Some("h:9001"), vec![on.clone(), own.clone()]),
                Exit::Connection,
            ),
            (
                diagnosis(Some("h"), vec![on, own, blocked()]),
                Exit::Trouble,
            ),
        ] {
            assert_eq!(exit_of(&diagnosis), exit, "{diagnosis:?}");
        }
    }
}
