//! The command line: arguments in, lines (or JSON) out, over the same engine as the window.
//!
//! Knows no sockets, no files of a transfer, no frames. Every way out is an exit status with a
//! meaning ([`Exit`]).

mod args;
mod devices;
mod discover;
mod doctor;
mod input;
mod message;
mod output;
mod papers;
mod receive;
mod remarks;
mod secret;
mod send;
mod target;

use std::cell::Cell;
use std::ffi::OsString;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

pub use args::{Arguments, Demo, DemoLanguage, DemoTheme, Log, Subcommand};

use crate::engine::{Command, Config, Engine, ListenError, StartError};
use crate::model::{Failure, PeerAddress, Presence, Status, Summary};
use crate::settings::{self, Settings};
use input::{Inputs, Waking};
use output::Output;

/// Writes what `--demo --shot` took, a PNG.
pub fn write_picture(to: &Path, picture: &[u8]) -> anyhow::Result<()> {
    std::fs::write(to, picture)
        .with_context(|| format!("the picture cannot be written to {}", to.display()))
}

/// Exit statuses, as `--help` lists them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    Arrived = 0,
    /// The doctor has found what keeps others from this computer.
    Trouble = 1,
    Usage = 2,
    Declined = 3,
    Verification = 4,
    Connection = 5,
    SomeFailed = 6,
    Disk = 7,
    Interrupted = 130,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A sentence for a person, a code for machines, a status for the shell.
#[derive(Debug)]
pub struct Trouble {
    pub exit: Exit,
    pub code: &'static str,
    pub sentence: String,
}

impl Trouble {
    fn usage(code: &'static str, sentence: impl Into<String>) -> Self {
        Self {
            exit: Exit::Usage,
            code,
            sentence: sentence.into(),
        }
    }

    fn interrupted() -> Self {
        Self {
            exit: Exit::Interrupted,
            code: "interrupted",
            sentence: "Interrupted.".into(),
        }
    }
}

impl From<&Failure> for Trouble {
    fn from(failure: &Failure) -> Self {
        Self {
            exit: exit_of_failure(failure),
            code: failure.code(),
            sentence: secret::capital(failure),
        }
    }
}

impl From<StartError> for Trouble {
    fn from(error: StartError) -> Self {
        Self {
            exit: Exit::Disk,
            code: "start",
            sentence: secret::capital(&error),
        }
    }
}

impl From<ListenError> for Trouble {
    fn from(error: ListenError) -> Self {
        let (exit, code) = match &error {
            ListenError::PortTaken { .. } => (Exit::Connection, "port-taken"),
            ListenError::PortForbidden { .. } => (Exit::Connection, "port-forbidden"),
            ListenError::AddressNotHere { .. } => (Exit::Connection, "address-not-here"),
            ListenError::Folder { .. } => (Exit::Disk, "disk"),
            ListenError::Other { .. } => (Exit::Connection, "listen"),
        };
        Self {
            exit,
            code,
            sentence: secret::capital(&error),
        }
    }
}

/// Where this run keeps identity, settings and log.
pub fn data_dir(arguments: &Arguments) -> PathBuf {
    let given = arguments.data_dir.clone();
    given.unwrap_or_else(settings::default_data_dir)
}

/// What is to be sent is there, as far as a look at the names tells.
fn must_exist(paths: &[PathBuf]) -> Result<(), Trouble> {
    for path in paths {
        if let Err(error) = path.symlink_metadata() {
            let shown = crate::model::displayable(&path.to_string_lossy());
            let sentence = match error.kind() {
                std::io::ErrorKind::NotFound => format!("There is no {shown}."),
                _ => format!("{shown} cannot be read: {error}."),
            };
            return Err(Trouble::usage("no-such-file", sentence));
        }
    }
    Ok(())
}

/// What the window is opened with: places on this computer, and `ropeway://` links as they are. Complains
/// about paths that are not there, as a mistyped subcommand would be; what a link lacks is said where
/// addresses are typed.
pub fn opened_with(arguments: &Arguments) -> Result<Vec<PathBuf>, Exit> {
    let opened = arguments.paths.iter().map(|path| from_desktop(path));
    let opened: Vec<_> = opened.collect();
    let is_path = |path: &&PathBuf| !PeerAddress::is_link(&path.to_string_lossy());
    let paths: Vec<_> = opened.iter().filter(is_path).cloned().collect();
    match must_exist(&paths) {
        Ok(()) => Ok(opened),
        Err(trouble) => {
            let output = Output::new(false);
            output.trouble(&trouble);
            output.warn("See `ropeway --help` for what Ropeway understands.");
            Err(trouble.exit)
        }
    }
}

/// Desktops hand over `file:///home/me/a%20b.txt` (RFC 8089), since they hand over links in the same way.
fn from_desktop(argument: &Path) -> PathBuf {
    let decoded = || {
        let rest = argument.to_str()?.strip_prefix("file://")?;
        let path = rest.strip_prefix("localhost").unwrap_or(rest);
        if !path.starts_with('/') {
            return None;
        }
        let bytes: Vec<u8> = percent_encoding::percent_decode_str(path).collect();
        #[cfg(unix)]
        let path: OsString = std::os::unix::ffi::OsStringExt::from_vec(bytes);
        #[cfg(not(unix))]
        // `/C:/Users/me`.
        let path: OsString = String::from_utf8(bytes)
            .ok()?
            .trim_start_matches('/')
            .into();
        Some(PathBuf::from(path))
    };
    decoded().unwrap_or_else(|| argument.to_owned())
}

/// Runs a subcommand to its end.
pub fn run(subcommand: Subcommand, data_dir: PathBuf, wait: Duration) -> Exit {
    let json = match &subcommand {
        Subcommand::Receive(receive) => receive.json,
        Subcommand::Send(send) => send.json,
        Subcommand::Message(message) => message.json,
        Subcommand::Devices(devices) => devices.json,
        Subcommand::Discover(discover) => discover.json,
        Subcommand::Doctor(doctor) => doctor.json,
        Subcommand::Completions(_) | Subcommand::Manual(_) => false,
    };
    let output = Output::new(json);
    // What others do is done, whoever reads of it.
    let is_what_it_says = matches!(
        &subcommand,
        Subcommand::Discover(_) | Subcommand::Doctor(_) | Subcommand::Devices(_)
    );
    let result = match subcommand {
        Subcommand::Receive(arguments) => receive::run(arguments, data_dir, wait, &output),
        Subcommand::Send(arguments) => send::run(arguments, data_dir, wait, &output),
        Subcommand::Discover(arguments) => discover::run(&arguments, &data_dir, &output),
        Subcommand::Doctor(arguments) => doctor::run(arguments, data_dir, &output),
        Subcommand::Message(arguments) => message::run(arguments, data_dir, wait, &output),
        Subcommand::Devices(arguments) => devices::run(arguments.action, &data_dir, &output),
        Subcommand::Completions(arguments) => papers::completions(&arguments),
        Subcommand::Manual(arguments) => papers::manual(&arguments),
    };
    let result = match (result, output.unwritten()) {
        (Ok(_), Some(why)) if is_what_it_says => Err(Trouble {
            exit: Exit::Disk,
            code: "output",
            sentence: format!("What was found could not be written: {why}."),
        }),
        (Ok(exit), Some(why)) => {
            output.warn(&format!(
                "Not all of what was said here could be written: {why}."
            ));
            Ok(exit)
        }
        (result, _) => result,
    };
    result.unwrap_or_else(|trouble| {
        tracing::warn!(code = trouble.code, "{}", trouble.sentence);
        output.trouble(&trouble);
        trouble.exit
    })
}

/// What both subcommands start with.
struct Session {
    settings: Settings,
    engine: Engine,
    inputs: Inputs,
    /// How it shows itself by now.
    shown: Cell<Presence>,
}

impl Session {
    /// `waking` is made first of all, so that Ctrl-C is watched from the beginning.
    fn start(
        data_dir: &Path,
        (waking, wake): (Waking, impl Fn() + Send + Sync + 'static),
        output: &Output,
    ) -> Result<Self, Trouble> {
        let settings = Settings::load(data_dir).unwrap_or_else(|error| {
            output.warn(&format!("The settings were not read: {error}."));
            Settings::default()
        });
        let config = Config {
            data_dir: data_dir.to_owned(),
            name: settings.device_name(),
        };
        let (engine, events) = Engine::start(config, wake)?;
        engine.command(Command::SetLimits(settings.limits()));
        if !output.shows_progress() {
            engine.command(Command::Unwatched);
        }
        Ok(Self {
            settings,
            engine,
            inputs: waking.with(events),
            shown: Cell::new(Presence::Off),
        })
    }
}

impl Session {
    /// Takes part in discovery, if it does not yet: as `wanted`, or more reserved if the person says so.
    fn show(&self, wanted: Presence) -> Result<Presence, Trouble> {
        let presence = self.may_show(wanted)?.max(self.shown.get());
        if self.shown.replace(presence) != presence {
            self.engine.command(Command::SetPresence(presence));
        }
        Ok(presence)
    }

    fn may_show(&self, wanted: Presence) -> Result<Presence, Trouble> {
        let of_run = settings::presence_of_run();
        let of_run = of_run.map_err(|error| Trouble::usage("presence", error.to_string()))?;
        Ok(wanted.min(of_run.unwrap_or(self.settings.presence)))
    }
}

/// What a person typed after a question with `[y/N]`.
fn is_yes(line: &str) -> bool {
    matches!(line.trim(), "y" | "Y" | "yes" | "Yes")
}

/// What a transfer's end means for the shell.
fn exit_of(summary: &Summary) -> Exit {
    match summary.status {
        _ if summary.failure == Some(Failure::NotConfirmed) => Exit::Verification,
        Status::Arrived => Exit::Arrived,
        Status::Problems => Exit::SomeFailed,
        Status::Declined | Status::Cancelled(crate::model::Party::Peer) => Exit::Declined,
        Status::Cancelled(crate::model::Party::Us) => Exit::Interrupted,
        Status::Interrupted | Status::Failed => {
            let failure = summary.failure.as_ref();
            failure.map_or(Exit::Connection, exit_of_failure)
        }
    }
}

fn exit_of_failure(failure: &Failure) -> Exit {
    match failure {
        Failure::WrongSecret
        | Failure::SecretNeeded
        | Failure::NotTheDevice { .. }
        | Failure::NotTheLinked { .. }
        | Failure::ForgottenThere { .. }
        | Failure::KnownOnly
        | Failure::NotConfirmed => Exit::Verification,
        Failure::Disk(_) | Failure::PeerDisk(_) => Exit::Disk,
        Failure::Declined => Exit::Declined,
        Failure::Cancelled(_) => Exit::Interrupted,
        Failure::NothingToSend => Exit::SomeFailed,
        Failure::Unresolvable { .. }
        | Failure::Refused { .. }
        | Failure::Unreachable { .. }
        | Failure::NotRopeway { .. }
        | Failure::Ourselves
        | Failure::Moved { .. }
        | Failure::Forgotten
        | Failure::Busy
        | Failure::Version
        | Failure::Older { .. }
        | Failure::BlockedHere { .. }
        | Failure::NeverThere { .. }
        | Failure::TooManyWait
        | Failure::TooManyTalks
        | Failure::Lost
        | Failure::Silent
        | Failure::Protocol(_)
        | Failure::Internal(_) => Exit::Connection,
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_a_desktop_hands_over_is_a_path_again() {
        for (argument, path) in [
            ("file:///home/me/a%20b%E4%B9%A6.txt", "/home/me/a b书.txt"),
            ("file://localhost/tmp/a", "/tmp/a"),
            ("file://elsewhere/tmp/a", "file://elsewhere/tmp/a"),
            ("file:name", "file:name"),
            ("a%20b.txt", "a%20b.txt"),
            ("ropeway://10.0.0.7:9000/", "ropeway://10.0.0.7:9000/"),
        ] {
            assert_eq!(from_desktop(Path::new(argument)), Path::new(path));
        }
    }
}
