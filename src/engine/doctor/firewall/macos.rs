//! The application firewall of macOS, as `socketfilterfw` tells; everybody may ask. It lets programs in
//! by name. Written from what others have seen it say; not run here.
#![cfg_attr(test, allow(dead_code))]

use crate::engine::doctor::Stop;
use crate::engine::doctor::links::OwnLink;
use crate::engine::doctor::program::ask;
use crate::model::Finding;
use crate::model::finding::{Door, Firewall, Remedy, Unclear};

const SOCKETFILTERFW: &str = "/usr/libexec/ApplicationFirewall/socketfilterfw";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Off,
    Accepts,
    Drops,
    /// Whatever a program is allowed, nothing comes in.
    DropsAll,
    /// It is not in the list: macOS asks when it listens first.
    Unknown,
    Unclear,
}

pub fn examine(_links: &[OwnLink], tcp: u16, _udp: Option<u16>, stop: &Stop) -> Vec<Finding> {
    let door = Door::Transfers { tcp };
    let firewall = Firewall::MacOs;
    let program = std::env::current_exe().unwrap_or_default();
    let program = program.to_string_lossy();
    let asked = |option: &str| ask(&[SOCKETFILTERFW], &[option], stop).map(|answer| answer.text);
    let state = asked("--getglobalstate").unwrap_or_default();
    let block_all = asked("--getblockall").unwrap_or_default();
    let apps = asked("--listapps").unwrap_or_default();
    let verdict = verdict(&state, &block_all, &apps, &program);
    vec![match verdict {
        Verdict::Off => Finding::FirewallOff,
        Verdict::Accepts => Finding::FirewallOpen { firewall, door },
        Verdict::Drops | Verdict::DropsAll => Finding::FirewallBlocks {
            firewall,
            door,
            remedy: Remedy {
                commands: remedy(&program, verdict),
                lasting: true,
            },
        },
        Verdict::Unknown => Finding::FirewallUnclear {
            firewall: Some(firewall),
            door,
            why: Unclear::Rules,
            commands: remedy(&program, verdict),
        },
        Verdict::Unclear => Finding::FirewallUnclear {
            firewall: Some(firewall),
            door,
            why: Unclear::NoAnswer,
            commands: Vec::new(),
        },
    }]
}

/// From `--getglobalstate`, `--getblockall` and `--listapps`. (`--getappblocked` says "permitted" of
/// programs that it has never heard of.)
fn verdict(state: &str, block_all: &str, apps: &str, program: &str) -> Verdict {
    let number = state.split("State =").nth(1).map(|rest| {
        let digits = rest.trim_start().chars();
        digits.take_while(char::is_ascii_digit).collect::<String>()
    });
    match number.as_deref() {
        Some("0") => return Verdict::Off,
        Some("1") => {}
        Some("2") => return Verdict::DropsAll,
        Some(_) | None => return Verdict::Unclear,
    }
    let block_all = block_all.to_ascii_lowercase();
    if block_all.contains("set to enabled")
        || block_all.contains("set to block all")
        || block_all.contains("block all enabled")
    {
        return Verdict::DropsAll;
    }
    let mut lines = apps.lines();
    while let Some(line) = lines.next() {
        let path = line
            .split_once(':')
            .map_or(line, |(_number, path)| path)
            .trim();
        // An app is listed by its bundle, a program by itself.
        let ours = path == program
            || path.ends_with(".app") && program.starts_with(&format!("{path}/Contents/"));
        if !ours {
            continue;
        }
        let said = lines.next().unwrap_or_default().to_ascii_lowercase();
        return match (said.contains("allow"), said.contains("block")) {
            (true, false) => Verdict::Accepts,
            (false, true) => Verdict::Drops,
            (true, true) | (false, false) => Verdict::Unclear,
        };
    }
    Verdict::Unknown
}

fn remedy(program: &str, verdict: Verdict) -> Vec<String> {
    let program = format!("'{}'", program.replace('\'', "'\\''"));
    let mut commands = Vec::new();
    if verdict == Verdict::DropsAll {
        commands.push(format!("sudo {SOCKETFILTERFW} --setblockall off"));
    }
    commands.push(format!("sudo {SOCKETFILTERFW} --add {program}"));
    commands.push(format!("sudo {SOCKETFILTERFW} --unblockapp {program}"));
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON: &str = "Firewall is enabled. (State = 1) \n";
    const NOT_ALL: &str = "Block all DISABLED! \n";
    const APPS: &str = "ALF: total number of apps = 3 \n\n\
        1 :  /Applications/Ropeway.app \n \t ( Allow incoming connections ) \n\n\
        2 :  /usr/local/bin/ropeway \n \t ( Block incoming connections ) \n\n\
        3 :  /usr/libexec/sshd-keygen-wrapper \n \t ( Allow incoming connections ) \n\n";

    #[test]
    fn a_program_is_found_in_the_list_by_its_bundle_or_itself() {
        for (state, block_all, program, expected) in [
            ("Firewall is disabled. (State = 0)", "", "/x", Verdict::Off),
            (
                "Firewall is enabled. (State = 2)",
                NOT_ALL,
                "/Applications/Ropeway.app/Contents/MacOS/ropeway",
                Verdict::DropsAll,
            ),
            (
                ON,
                NOT_ALL,
                "/Applications/Ropeway.app/Contents/MacOS/ropeway",
                Verdict::Accepts,
            ),
            (ON, NOT_ALL, "/usr/local/bin/ropeway", Verdict::Drops),
            (ON, NOT_ALL, "/opt/ropeway", Verdict::Unknown),
            (
                ON,
                "Firewall has block all state set to disabled.",
                "/usr/local/bin/ropeway",
                Verdict::Drops,
            ),
            (
                ON,
                "Firewall has block all state set to enabled.",
                "/Applications/Ropeway.app/Contents/MacOS/ropeway",
                Verdict::DropsAll,
            ),
            (
                ON,
                "Firewall is set to block all non-essential incoming connections",
                "/opt/ropeway",
                Verdict::DropsAll,
            ),
            ("", "", "/opt/ropeway", Verdict::Unclear),
        ] {
            let found = verdict(state, block_all, APPS, program);
            assert_eq!(found, expected, "{state} {block_all} {program}");
        }
    }

    #[test]
    fn the_commands_name_the_program() {
        let commands = remedy("/Users/anna's/ropeway", Verdict::DropsAll);
        assert_eq!(commands.len(), 3);
        assert!(commands[0].ends_with("--setblockall off"));
        assert!(commands[2].ends_with("--unblockapp '/Users/anna'\\''s/ropeway'"));
    }
}
