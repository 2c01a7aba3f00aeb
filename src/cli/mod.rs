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
mod receive;
mod secret;
mod send;
mod target;

use std::path::PathBuf;
use std::time::Duration;

pub use args::{Arguments, Demo, DemoLanguage, DemoTheme, Log, Subcommand};

use crate::engine::{Command, Config, Engine, ListenError, StartError};
use crate::model::{Failure, Presence, Status, Summary};
use crate::settings::{self, Settings};
use input::{Inputs, Waking};
use output::Output;

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

/// For the window: complains about paths that are not there, as a mistyped subcommand would be.
pub fn check_paths(arguments: &Arguments) -> Result<(), Exit> {
    must_exist(&arguments.paths).map_err(|trouble| {
        let output = Output::new(false);
        output.trouble(&trouble);
        output.warn("See `ropeway --help` for what Ropeway understands.");
        trouble.exit
    })
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
    };
    let output = Output::new(json);
    let result = match subcommand {
        Subcommand::Receive(arguments) => receive::run(arguments, data_dir, wait, &output),
        Subcommand::Send(arguments) => send::run(arguments, data_dir, wait, &output),
        Subcommand::Discover(arguments) => discover::run(&arguments, &data_dir, &output),
        Subcommand::Doctor(arguments) => doctor::run(arguments, data_dir, &output),
        Subcommand::Message(arguments) => message::run(arguments, data_dir, wait, &output),
        Subcommand::Devices(arguments) => devices::run(arguments.action, &data_dir, &output),
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
}

impl Session {
    /// `waking` is made first of all, so that Ctrl-C is watched from the beginning.
    fn start(
        data_dir: &std::path::Path,
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
        Ok(Self {
            settings,
            engine,
            inputs: waking.with(events),
        })
    }
}

/// Where nobody can be asked for settings, an environment variable says how a run shows itself.
const PRESENCE: &str = "ROPEWAY_PRESENCE";

impl Session {
    /// Takes part in discovery: as `wanted`, or more reserved if the person says so.
    fn show(&self, wanted: Presence) -> Result<Presence, Trouble> {
        let chosen = match std::env::var(PRESENCE) {
            Ok(text) => Presence::parse(&text).ok_or_else(|| {
                let sentence = format!("{PRESENCE} is one of visible, hidden, off.");
                Trouble::usage("presence", sentence)
            })?,
            Err(_unset) => self.settings.presence,
        };
        let presence = wanted.min(chosen);
        self.engine.command(Command::SetPresence(presence));
        Ok(presence)
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
        | Failure::Lost
        | Failure::Silent
        | Failure::Protocol(_)
        | Failure::Internal(_) => Exit::Connection,
    }
}
