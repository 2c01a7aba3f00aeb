//! The firewall of Windows, as its PowerShell module NetSecurity tells; everybody may ask. It lets
//! programs in by name, network by network. Written from Microsoft's documentation; not run here.
#![cfg_attr(test, allow(dead_code))]

use serde_json::Value;

use crate::engine::doctor::Stop;
use crate::engine::doctor::links::OwnLink;
use crate::engine::doctor::program::ask;
use crate::model::Finding;
use crate::model::finding::{Door, Firewall, Remedy, Unclear};

const POWERSHELL: &[&str] = &["C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe"];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Off,
    Accepts,
    /// `true`: by a rule of its own, which counts more than one that allows it. Windows makes one when
    /// somebody presses Cancel in its question.
    Drops(bool),
    Unclear,
}

pub fn examine(_links: &[OwnLink], tcp: u16, _udp: Option<u16>, stop: &Stop) -> Vec<Finding> {
    let door = Door::Transfers { tcp };
    let firewall = Firewall::Windows;
    let program = std::env::current_exe().unwrap_or_default();
    let program = program.to_string_lossy();
    let script = script(&program, tcp);
    let arguments = ["-NoProfile", "-NonInteractive", "-Command", script.as_str()];
    let answer = ask(POWERSHELL, &arguments, stop);
    let (verdict, networks) = answer.map_or_else(
        || (Verdict::Unclear, Vec::new()),
        |answer| read(&answer.text),
    );
    vec![match verdict {
        Verdict::Off => Finding::FirewallOff,
        Verdict::Accepts => Finding::FirewallOpen { firewall, door },
        Verdict::Drops(by_rule) => Finding::FirewallBlocks {
            firewall,
            door,
            remedy: Remedy {
                commands: remedy(&program, &networks, by_rule),
                lasting: true,
            },
        },
        Verdict::Unclear => Finding::FirewallUnclear {
            firewall: Some(firewall),
            door,
            why: Unclear::NoAnswer,
            commands: Vec::new(),
        },
    }]
}

/// Between single quotes, as PowerShell reads it.
fn quoted(text: &str) -> String {
    // It takes typographic ones for the same.
    let doubled = text.chars().flat_map(|c| match c {
        '\'' | '‘' | '’' | '‚' | '‛' => vec![c, c],
        c => vec![c],
    });
    format!("'{}'", doubled.collect::<String>())
}

/// Asks for names, not numbers, which differ between versions.
fn script(program: &str, tcp: u16) -> String {
    let program = quoted(program);
    format!(
        "$ErrorActionPreference='SilentlyContinue';$ProgressPreference='SilentlyContinue';\
         $rules=@(Get-NetFirewallApplicationFilter -PolicyStore ActiveStore -Program {program} | Get-NetFirewallRule)+\
         @(Get-NetFirewallPortFilter -PolicyStore ActiveStore -Protocol TCP | Where-Object {{ $_.LocalPort -eq '{tcp}' }} | Get-NetFirewallRule);\
         ConvertTo-Json -Compress -Depth 3 @{{\
         networks=@(Get-NetConnectionProfile | ForEach-Object {{ [string]$_.NetworkCategory }});\
         profiles=@(Get-NetFirewallProfile -PolicyStore ActiveStore | ForEach-Object {{ @{{name=[string]$_.Name;enabled=[string]$_.Enabled;inbound=[string]$_.DefaultInboundAction}} }});\
         rules=@($rules | Where-Object {{ [string]$_.Direction -eq 'Inbound' -and [string]$_.Enabled -eq 'True' }} | ForEach-Object {{ @{{action=[string]$_.Action;profile=[string]$_.Profile}} }})}}"
    )
}

/// The verdict, and in which networks (`Private`, `Public`, `Domain`) this computer is.
fn read(text: &str) -> (Verdict, Vec<String>) {
    let Ok(told) = serde_json::from_str::<Value>(text.trim_start_matches('\u{feff}').trim()) else {
        return (Verdict::Unclear, Vec::new());
    };
    let list = |key: &str| told[key].as_array().cloned().unwrap_or_default();
    let networks: Vec<String> = list("networks")
        .iter()
        .filter_map(Value::as_str)
        .map(|name| match name {
            "DomainAuthenticated" => "Domain".to_owned(),
            name => name.to_owned(),
        })
        .filter(|name| matches!(name.as_str(), "Domain" | "Private" | "Public"))
        .collect();
    let profiles = list("profiles");
    let profile = |name: &String| profiles.iter().find(|profile| profile["name"] == **name);
    let used: Vec<_> = networks.iter().filter_map(profile).collect();
    if used.is_empty() {
        return (Verdict::Unclear, networks);
    }
    let on = |profile: &&&Value| profile["enabled"] != "False";
    let filtering: Vec<_> = used.iter().filter(on).collect();
    if filtering.is_empty() {
        return (Verdict::Off, networks);
    }
    let rules = list("rules");
    let any = |action: &str, network: &Value| {
        let network = network["name"].as_str().unwrap_or_default();
        rules.iter().any(|rule| {
            let profiles = rule["profile"].as_str().unwrap_or_default();
            let mut profiles = profiles.split(',').map(str::trim);
            rule["action"] == action && profiles.any(|each| each == "Any" || each == network)
        })
    };
    if filtering.iter().any(|profile| any("Block", profile)) {
        return (Verdict::Drops(true), networks);
    }
    let lets_in = |profile: &&&&Value| any("Allow", profile) || profile["inbound"] == "Allow";
    match filtering.iter().all(|profile| lets_in(&profile)) {
        true => (Verdict::Accepts, networks),
        false => (Verdict::Drops(false), networks),
    }
}

fn remedy(program: &str, networks: &[String], by_rule: bool) -> Vec<String> {
    let program = quoted(program);
    let mut networks: Vec<_> = networks.iter().map(String::as_str).collect();
    networks.sort_unstable();
    networks.dedup();
    let profile = match networks.is_empty() {
        true => "Private".to_owned(),
        false => networks.join(","),
    };
    let mut commands = Vec::new();
    if by_rule {
        commands.push(format!(
            "Get-NetFirewallApplicationFilter -Program {program} | Get-NetFirewallRule | Where-Object Action -eq Block | Remove-NetFirewallRule"
        ));
    }
    commands.push(format!(
        "New-NetFirewallRule -DisplayName Ropeway -Direction Inbound -Action Allow -Program {program} -Profile {profile}"
    ));
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(networks: &str, enabled: &str, rules: &str) -> (Verdict, Vec<String>) {
        read(&format!(
            "\u{feff}{{\"networks\":[{networks}],\"profiles\":[{{\"enabled\":\"True\",\"inbound\":\"NotConfigured\",\"name\":\"Domain\"}},\
             {{\"enabled\":\"{enabled}\",\"inbound\":\"Block\",\"name\":\"Private\"}},\
             {{\"enabled\":\"True\",\"inbound\":\"Block\",\"name\":\"Public\"}}],\"rules\":[{rules}]}}\r\n"
        ))
    }

    #[test]
    fn the_network_that_this_computer_is_in_decides() {
        let allow = "{\"action\":\"Allow\",\"profile\":\"Private\"}";
        let both = "{\"action\":\"Allow\",\"profile\":\"Domain, Public\"}";
        let cancelled = "{\"action\":\"Block\",\"profile\":\"Public\"}";
        let any = "{\"action\":\"Allow\",\"profile\":\"Any\"}";
        for (networks, enabled, rules, verdict) in [
            ("\"Private\"", "True", "", Verdict::Drops(false)),
            ("\"Private\"", "False", "", Verdict::Off),
            ("\"Private\"", "True", allow, Verdict::Accepts),
            ("\"Public\"", "True", allow, Verdict::Drops(false)),
            ("\"Public\"", "True", both, Verdict::Accepts),
            ("\"DomainAuthenticated\"", "True", both, Verdict::Accepts),
            (
                "\"Public\"",
                "True",
                &format!("{any},{cancelled}"),
                Verdict::Drops(true),
            ),
            (
                "\"Private\",\"Public\"",
                "True",
                allow,
                Verdict::Drops(false),
            ),
            ("", "True", any, Verdict::Unclear),
        ] {
            assert_eq!(
                told(networks, enabled, rules).0,
                verdict,
                "{networks} {rules}"
            );
        }
        assert_eq!(read("Access denied").0, Verdict::Unclear);
    }

    #[test]
    fn the_command_is_for_this_program_in_those_networks() {
        let networks = ["Private".to_owned(), "Domain".into(), "Private".into()];
        let commands = remedy("C:\\Anna's\\ropeway.exe", &networks, true);
        assert_eq!(commands.len(), 2);
        assert!(commands[0].contains("'C:\\Anna''s\\ropeway.exe'"));
        assert!(commands[0].ends_with("Remove-NetFirewallRule"));
        assert!(commands[1].ends_with("-Profile Domain,Private"));
    }
}
