//! The diagnostic report: what somebody who helps from afar wants to know, as text that a person can read before
//! it is sent anywhere.
//!
//! Names, addresses, ids and places on the disk are replaced (`Cleaner`): the same one by the same word, so that
//! what belongs together can still be seen. In English, since it is for those who mend Ropeway.

mod cleaner;

use std::path::Path;

use crate::logging;
use crate::model::{Diagnosis, Severity};
use crate::settings::Settings;
use cleaner::Cleaner;

/// Runs whose last lines are told, and how many of each.
const RUNS: usize = 4;
const LINES: usize = 60;

/// Everything that can be said. `names`: of devices, as far as the caller knows them.
pub fn write(
    settings: &Settings,
    data_dir: &Path,
    diagnosis: Option<&Diagnosis>,
    names: &[String],
) -> String {
    let mut cleaner = Cleaner::new();
    for name in names.iter().chain([&settings.name]) {
        cleaner.hide(name, "name");
    }
    if let Some(of) = diagnosis.and_then(|diagnosis| diagnosis.of.as_ref()) {
        cleaner.hide(&of.host, "host");
    }
    let mut lines = vec![
        format!("Ropeway {}", env!("ROPEWAY_VERSION")),
        String::new(),
    ];
    lines.push("System".into());
    lines.extend(system());
    lines.push(String::new());
    lines.push("Settings".into());
    lines.extend(chosen(settings));
    lines.push(String::new());
    lines.push("Findings".into());
    match diagnosis {
        Some(diagnosis) => lines.extend(findings(diagnosis, &mut cleaner)),
        None => lines.push("  not looked for".into()),
    }
    for (file, said) in logging::last(data_dir, RUNS, LINES) {
        lines.push(String::new());
        lines.push(format!("Log {file}"));
        lines.extend(said.iter().map(|line| format!("  {}", cleaner.clean(line))));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// What it runs on.
fn system() -> Vec<String> {
    let mut lines = vec![
        format!("  {} {}", std::env::consts::OS, std::env::consts::ARCH),
        format!(
            "  window: {}",
            word(cfg!(feature = "gui"), "built in", "not built in")
        ),
    ];
    let file = |path: &str| std::fs::read_to_string(path).ok();
    if let Some(release) = file("/etc/os-release") {
        let name = release.lines().find_map(|l| l.strip_prefix("PRETTY_NAME="));
        lines.extend(name.map(|name| format!("  {}", name.trim_matches('"'))));
    }
    let kernel = file("/proc/sys/kernel/osrelease");
    lines.extend(kernel.map(|kernel| format!("  kernel: {}", kernel.trim())));
    // Of the desktop, and nothing that could be a name or a secret.
    for variable in [
        "XDG_CURRENT_DESKTOP",
        "XDG_SESSION_TYPE",
        "LANG",
        "ROPEWAY_PRESENCE",
    ] {
        let value = std::env::var(variable)
            .ok()
            .filter(|value| !value.is_empty());
        lines.extend(value.map(|value| format!("  {variable}: {}", short(&value))));
    }
    for variable in ["DISPLAY", "WAYLAND_DISPLAY", "ROPEWAY_WAYLAND"] {
        let set = std::env::var_os(variable).is_some_and(|value| !value.is_empty());
        lines.push(format!("  {variable}: {}", word(set, "set", "not set")));
    }
    lines
}

fn chosen(settings: &Settings) -> Vec<String> {
    let Settings {
        name: _,
        save_folder,
        port,
        receive_on,
        allow,
        speed_limit,
        at_once,
        on_conflict,
        presence,
        keep_conversations,
        theme,
        language,
        wire,
        on_close,
        notify,
        zoom_percent,
    } = settings;
    let usual = *save_folder == Settings::default().save_folder;
    vec![
        format!(
            "  save folder: {}",
            word(usual, "the usual one", "another one")
        ),
        format!("  port: {port}"),
        format!("  receive: {}", word(*receive_on, "on", "off")),
        format!("  who may send: {allow:?}"),
        format!("  names that are taken: {on_conflict:?}"),
        format!("  speed limit: {speed_limit} bytes/s"),
        format!("  transfers at once: {at_once}"),
        format!("  presence: {presence:?}"),
        format!(
            "  conversations: {}",
            word(*keep_conversations, "kept", "not kept")
        ),
        format!("  theme: {theme:?}, language: {language:?}, wire panel: {wire}"),
        format!("  when closed: {on_close:?}, notifications: {notify}, size: {zoom_percent} %"),
    ]
}

fn findings(diagnosis: &Diagnosis, cleaner: &mut Cleaner) -> Vec<String> {
    let told = diagnosis.findings.iter().map(|finding| {
        let mark = match finding.severity() {
            Severity::Good => "+",
            Severity::Note => "-",
            Severity::Problem => "x",
        };
        format!("  {mark} {}", cleaner.clean(&finding.to_string()))
    });
    let mut lines: Vec<_> = told.collect();
    if !diagnosis.complete {
        lines.push("  (still looking)".into());
    }
    lines
}

fn word<'a>(is: bool, yes: &'a str, no: &'a str) -> &'a str {
    if is { yes } else { no }
}

/// A variable of the environment is whatever somebody put there.
fn short(value: &str) -> String {
    crate::model::displayable(&value.chars().take(40).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_what_helps_and_no_name_address_or_place() {
        let data = tempfile::tempdir().unwrap();
        let logs = data.path().join("logs");
        std::fs::create_dir(&logs).unwrap();
        let said = "2026-11-26T10:23:32Z WARN a file was not read: /home/li/Private letters/a.txt\n\
                    2026-11-26T10:23:33Z INFO listening addr=192.168.1.20:9000\n";
        std::fs::write(logs.join("ropeway-20260101T000000-1.log"), said).unwrap();
        let settings = Settings {
            name: "Li Wei's laptop".into(),
            save_folder: "/home/li/In".into(),
            port: 9123,
            ..Settings::default()
        };
        let diagnosis = Diagnosis {
            of: Some("garden.example.org:9001".parse().unwrap()),
            findings: vec![crate::model::Finding::ThisComputer {
                address: "192.168.1.20".parse().unwrap(),
            }],
            complete: true,
        };
        let report = write(&settings, data.path(), Some(&diagnosis), &["Küche".into()]);
        for there in [
            "Ropeway 0.",
            "port: 9123",
            "save folder: another one",
            "a file was not read: <path>",
            "listening addr=<address 1, private>:9000",
        ] {
            assert!(report.contains(there), "{there}: {report}");
        }
        for not in ["Li Wei", "Private", "letters", "192.168", "garden", "/home"] {
            assert!(!report.contains(not), "{not}: {report}");
        }
    }
}
