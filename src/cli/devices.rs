//! `ropeway devices`: without an engine, straight from the data folder.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::args::DevicesAction;
use super::output::{Output, size, table};
use super::{Exit, Trouble, target};
use crate::engine::KnownDevice;
use crate::engine::KnownDevices;
use crate::model::{Bond, Rule};

/// As many digits of an id as are shown.
const LEAST_DIGITS: usize = 8;

pub fn run(
    action: Option<DevicesAction>,
    data_dir: &Path,
    output: &Output,
) -> Result<Exit, Trouble> {
    let (known, problem) = KnownDevices::open(data_dir);
    let action = action.unwrap_or(DevicesAction::List);
    match (&action, problem) {
        (DevicesAction::List, Some(sentence)) if known.is_unread() => {
            return Err(Trouble {
                exit: Exit::Disk,
                code: "disk",
                sentence,
            });
        }
        (_, Some(problem)) => output.warn(&problem),
        (_, None) => {}
    }
    match action {
        DevicesAction::List => {
            list(&known.all(), output);
            Ok(Exit::Arrived)
        }
        DevicesAction::Forget { name } => forget(&known, &name, output),
    }
}

fn list(all: &[KnownDevice], output: &Output) {
    if all.is_empty() {
        output.say("No device is known yet. Remember one with --pair when you send or receive.");
    }
    for device in all {
        let met = device.met.duration_since(UNIX_EPOCH).unwrap_or_default();
        output.json(&json!({
            "event": "device",
            "name": device.shown().as_str(),
            "device_id": device.id.to_string(),
            "bond": device.bond,
            "rule": device.rule,
            "addr": device.address,
            "met": met.as_secs(),
        }));
    }
    let rows: Vec<_> = all.iter().map(row).collect();
    table(&rows, output);
}

fn row(device: &KnownDevice) -> [String; 6] {
    let bond = match device.bond {
        Bond::Wished => "to be remembered",
        Bond::Paired => "known",
        Bond::ForgottenThere => "has forgotten this device",
        Bond::Blocked => "blocked",
    };
    let rule = match &device.rule {
        Rule::Ask => "ask".to_owned(),
        Rule::Never => "never".into(),
        Rule::Accept {
            max_bytes: Some(most),
            ..
        } => format!("accept up to {}", size(*most)),
        Rule::Accept {
            max_bytes: None, ..
        } => "accept".into(),
    };
    let met = match SystemTime::now().duration_since(device.met) {
        Ok(since) => format!("{} ago", indicatif::HumanDuration(since)),
        Err(_clock_went_back) => "just now".into(),
    };
    [
        device.shown().to_string(),
        device.id.short(),
        bond.into(),
        rule,
        device.address.clone().unwrap_or_else(|| "-".into()),
        met,
    ]
}

fn forget(known: &KnownDevices, name: &str, output: &Output) -> Result<Exit, Trouble> {
    let digits = name.trim().to_ascii_lowercase();
    let is_id = digits.len() >= LEAST_DIGITS && digits.bytes().all(|c| c.is_ascii_hexdigit());
    let mut all = known.all();
    all.retain(|device| {
        target::is_called(device, name) || is_id && device.id.to_string().starts_with(&digits)
    });
    let device = match all.as_slice() {
        [device] => device,
        [] => {
            let name = crate::model::displayable(name);
            return Err(Trouble::usage(
                "no-such-device",
                format!(
                    "No known device is called {name}. `ropeway devices` lists them; an id needs its \
                     first {LEAST_DIGITS} digits."
                ),
            ));
        }
        several => return Err(target::ambiguous(name, "id", several.iter())),
    };
    known.forget(device.id);
    if let Some(sentence) = known.problem() {
        return Err(Trouble {
            exit: Exit::Disk,
            code: "disk",
            sentence,
        });
    }
    output.json(&json!({
        "event": "forgotten",
        "name": device.shown().as_str(),
        "device_id": device.id.to_string(),
    }));
    output.say(&format!("{} is forgotten.", device.shown()));
    Ok(Exit::Arrived)
}
