//! What may be typed after `ropeway`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, ValueEnum};

use crate::model::OnConflict;

const EXIT_STATUSES: &str = "\
Exit status:
    0  everything arrived, checked and under its final name
    2  the command was not understood, or names a file or a known device that is not there
    3  the other person declined or cancelled
    4  the code or passphrase was wrong or missing, the symbols were not confirmed, or it is another
       device than the one that was meant
    5  no connection, or it was lost
    6  some entries could not be sent or saved
    7  trouble with a disk or the save folder
  130  interrupted with Ctrl-C";

const SECRET_HELP: &str = "\
The code or passphrase comes from --code-file, from the environment variable ROPEWAY_CODE, or is asked
for on the terminal. It is never an argument: other users of a computer can read those.";

/// Carries files and folders straight from one computer to another.
#[derive(Parser, Debug)]
#[command(name = "ropeway", version = env!("ROPEWAY_VERSION"), after_help = EXIT_STATUSES)]
pub struct Arguments {
    /// Where identity, settings and log are kept [default: the system's place for it]
    #[arg(long, value_name = "DIR", global = true)]
    pub data_dir: Option<PathBuf>,

    /// How long a run without a window waits for a lost device to come back, or for room on a full disk
    #[arg(long, value_name = "SECONDS", global = true, default_value_t = 60, allow_negative_numbers = true,
          value_parser = clap::value_parser!(u64).range(..=31_536_000))]
    pub wait: u64,

    /// Says on stderr, line by line, what goes on: at every connection where it is, what it waits for,
    /// and each frame's type, length and time (UTC), but never content, names of files or secrets
    #[arg(long, value_enum, value_name = "WHAT", global = true)]
    pub log: Option<Log>,

    #[command(subcommand)]
    pub subcommand: Option<Subcommand>,

    /// Opens the window with these queued for sending; a ropeway:// link says to whom
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    #[command(flatten)]
    pub demo: Demo,
}

/// The window on scripted events, for designers and pictures; ARCHITECTURE.md tells. Not for everyday
/// use, so not in the help.
#[derive(Args, Debug)]
pub struct Demo {
    /// Opens the window in the scene of that name; `list` prints them all
    #[arg(long = "demo", value_name = "STATE", hide = true, num_args = 0..=1, default_missing_value = "main")]
    pub scene: Option<String>,

    #[arg(long, value_enum, hide = true, requires = "scene")]
    pub theme: Option<DemoTheme>,

    #[arg(long, value_enum, hide = true, requires = "scene")]
    pub language: Option<DemoLanguage>,

    /// In points, as 1280x860
    #[arg(long, value_name = "WxH", hide = true, requires = "scene", value_parser = size_of_window)]
    pub size: Option<[u16; 2]>,

    #[arg(long, hide = true, requires = "scene")]
    pub scale: Option<f32>,

    /// Writes a PNG there and ends
    #[arg(long, value_name = "FILE", hide = true, requires = "scene")]
    pub shot: Option<PathBuf>,

    /// Paints so many pictures, says how long they took, and ends
    #[arg(long, value_name = "N", hide = true, requires = "scene")]
    pub frames: Option<usize>,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum DemoTheme {
    Dark,
    Light,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum DemoLanguage {
    En,
    Zh,
}

fn size_of_window(text: &str) -> Result<[u16; 2], &'static str> {
    const WRONG: &str = "a size is written as 1280x860";
    let (width, height) = text.split_once('x').ok_or(WRONG)?;
    let number = |text: &str| text.parse::<u16>().map_err(|_e| WRONG);
    Ok([number(width)?, number(height)?])
}

impl Arguments {
    /// It uses the data folder, and so leaves a log there.
    pub fn uses_data(&self) -> bool {
        !matches!(
            self.subcommand,
            Some(Subcommand::Completions(_) | Subcommand::Manual(_))
        )
    }
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Log {
    /// What goes on at every connection
    Wire,
}

#[derive(clap::Subcommand, Debug)]
pub enum Subcommand {
    Receive(Receive),
    Send(Send),
    Discover(Discover),
    Message(Message),
    Devices(Devices),
    Doctor(Doctor),
    Completions(Completions),
    #[command(hide = true)]
    Manual(Manual),
}

/// Waits for others to send here
#[derive(Args, Debug)]
#[command(after_help = format!("\
{SECRET_HELP}
A secret given to `receive` is a passphrase (at least 8 characters) and stays valid; without one, a
new one-time code is made and printed for each sender.

Examples:
  ropeway receive --dir Downloads
  ROPEWAY_CODE='correct horse battery' ropeway receive --accept all --listen 0.0.0.0:9000
  ropeway receive --once --accept all --json
  ropeway receive --allow anyone --pair

{EXIT_STATUSES}"))]
pub struct Receive {
    // Not a doc comment: rustdoc takes the address for a link.
    #[arg(
        long,
        value_name = "ADDR:PORT",
        help = "Listens exactly here, for example 192.168.1.20:9000 or [::]:9000; port 0 takes a \
                free one [default: all addresses, port 9000 or the next free one]"
    )]
    pub listen: Option<SocketAddr>,

    /// Saves here [default: Ropeway in the download folder]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,

    /// Who may send here
    #[arg(long, value_enum, value_name = "WHO", default_value_t = Allow::Code)]
    pub allow: Allow,

    /// Whose offers are taken without asking you; a known device may have a rule of its own. Where you
    /// would be asked and there is no terminal, offers are declined
    #[arg(long, value_enum, value_name = "WHOSE", default_value_t = Accept::Ask)]
    pub accept: Accept,

    /// Remembers who sends here, if the other person wants that, too: from then on no code is needed
    #[arg(long)]
    pub pair: bool,

    /// What happens to a file whose name another one has here: both are kept, the new one is left out,
    /// it replaces the other, or does so if it was modified later [default: as in the settings, rename]
    #[arg(long, value_enum, value_name = "RULE")]
    pub on_conflict: Option<Rule>,

    /// Is not found by others; whoever knows the address can send here all the same
    #[arg(long)]
    pub hidden: bool,

    /// Ends after the first transfer
    #[arg(long)]
    pub once: bool,

    /// Reads the passphrase from this file
    #[arg(long, value_name = "FILE")]
    pub code_file: Option<PathBuf>,

    /// Prints one JSON object a line
    #[arg(long)]
    pub json: bool,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Accept {
    /// Nobody's
    Ask,
    /// Those of known devices
    Paired,
    /// Those of everybody who has proven a code, or is known
    All,
}

/// Each includes those below.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Allow {
    /// Everybody; without a code, both people compare four symbols
    Anyone,
    /// Who has the code or the passphrase
    Code,
    /// Known devices alone
    Paired,
}

impl From<Allow> for crate::model::Allow {
    fn from(allow: Allow) -> Self {
        match allow {
            Allow::Anyone => Self::Anyone,
            Allow::Code => Self::Code,
            Allow::Paired => Self::Paired,
        }
    }
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    Rename,
    Skip,
    Replace,
    Newer,
}

impl From<Rule> for OnConflict {
    fn from(rule: Rule) -> Self {
        match rule {
            Rule::Rename => Self::Rename,
            Rule::Skip => Self::Skip,
            Rule::Replace => Self::Replace,
            Rule::Newer => Self::Newer,
        }
    }
}

/// Sends files and folders to another device
#[derive(Args, Debug)]
#[command(after_help = format!("\
{SECRET_HELP}
A known device needs none. Where the other device lets in anyone, an empty code means that both \
people compare four symbols.

Examples:
  ropeway send Holiday report.pdf --to 192.168.1.20 --pair
  ropeway send report.pdf --to 'Study PC'
  ROPEWAY_CODE='427 913' ropeway send backup.tar --to garden-laptop.local:9001 --json

{EXIT_STATUSES}"))]
pub struct Send {
    /// What to send; folders go with everything in them
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,

    /// The other device: the name of a known device or of one on the local network, the first 8 or more
    /// digits of its id, a host name or an address, with its port if that is not 9000, or its ropeway://
    /// link
    #[arg(long, value_name = "HOST[:PORT]|NAME")]
    pub to: String,

    /// Remembers the other device, if its person wants that, too: from then on no code is needed
    #[arg(long)]
    pub pair: bool,

    /// Reads the code or passphrase from this file
    #[arg(long, value_name = "FILE")]
    pub code_file: Option<PathBuf>,

    /// Prints one JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// Lists the devices on the local network
#[derive(Args, Debug)]
#[command(after_help = format!("\
With --json a line `peer` tells of each device found or changed, a line `gone` of each that has left.
ROPEWAY_PRESENCE=visible, hidden or off says how a run shows itself on the network.

Examples:
  ropeway discover
  ropeway discover --seconds 60 --json

{EXIT_STATUSES}"))]
pub struct Discover {
    /// How long to look
    #[arg(long, value_name = "SECONDS", default_value_t = 3,
          value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    pub seconds: u64,

    /// Prints one JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// Says something to another device
#[derive(Args, Debug)]
#[command(after_help = format!("\
{SECRET_HELP}
A known device needs none, and neither does one with which a conversation was opened in the last seven
days. It ends with 0 when the other device has the message; until then, connected or after the connection
was lost, it waits as long as --wait says. What others say meanwhile is left to `receive` and the window.

Examples:
  ropeway message 'Lunch?' --to 'Study PC'
  git log --oneline -5 | ropeway message --to garden-laptop.local

{EXIT_STATUSES}"))]
pub struct Message {
    /// What to say, up to 16 KiB; - or nothing takes it from standard input
    #[arg(value_name = "TEXT")]
    pub text: Option<String>,

    /// The other device: the name of a known device, a host name or an address, with its port if that
    /// is not 9000, or its ropeway:// link
    #[arg(long, value_name = "HOST[:PORT]|NAME")]
    pub to: String,

    /// Remembers the other device, if its person wants that, too: from then on no code is needed
    #[arg(long)]
    pub pair: bool,

    /// Reads the code or passphrase from this file
    #[arg(long, value_name = "FILE")]
    pub code_file: Option<PathBuf>,

    /// Prints one JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// Lists or forgets devices that are remembered, or blocked
#[derive(Args, Debug)]
#[command(after_help = format!("\
A Ropeway that runs with the same data folder follows with the next device that connects.

Examples:
  ropeway devices
  ropeway devices forget 'Study PC'
  ropeway devices forget 3f9a0c17

{EXIT_STATUSES}"))]
pub struct Devices {
    #[command(subcommand)]
    pub action: Option<DevicesAction>,

    /// Prints one JSON object a line
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(clap::Subcommand, Debug)]
pub enum DevicesAction {
    /// One line a device: name, id, whether both remember each other, what happens to its offers,
    /// address, when it was last met (default)
    List,
    /// Ends the acquaintance; a blocked device is blocked no longer
    Forget {
        /// Its name, or the first 8 or more digits of its id
        name: String,
    },
}

/// Finds out why devices do not reach each other, and what to do about it
#[derive(Args, Debug)]
#[command(after_help = "\
It looks and changes nothing. Run it on both computers: each knows about its own firewall only. Some \
firewalls show their rules to an administrator alone.

Examples:
  ropeway doctor
  ropeway doctor 192.168.1.20
  ropeway doctor garden-laptop.local:9001 --json

Exit status:
    0  no problem was found
    1  a problem was found on this computer; the other one, if one was named, can be reached
    2  the command was not understood
    5  the other device cannot be reached
  130  interrupted with Ctrl-C")]
pub struct Doctor {
    /// The device that cannot be reached: a host name or an address, with its port if that is not 9000,
    /// its ropeway:// link, or the name of a known device
    #[arg(value_name = "HOST[:PORT]")]
    pub host: Option<String>,

    /// Prints a report for whoever is to help: versions, system, settings, findings and the last lines of
    /// the log, without names, addresses and paths
    #[arg(long, conflicts_with = "json")]
    pub report: bool,

    /// Prints one JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// Prints what makes a shell complete Ropeway's commands
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ropeway completions bash >~/.local/share/bash-completion/completions/ropeway
  ropeway completions fish >~/.config/fish/completions/ropeway.fish")]
pub struct Completions {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// Writes the manual pages into a folder, for packages
#[derive(Args, Debug)]
pub struct Manual {
    /// The folder
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_data_folder_may_stand_before_or_after_the_subcommand() {
        for line in [
            ["ropeway", "--data-dir", "d", "receive", "--once"],
            ["ropeway", "receive", "--once", "--data-dir", "d"],
        ] {
            let parsed = Arguments::try_parse_from(line).unwrap();
            assert_eq!(parsed.data_dir, Some("d".into()));
        }
    }

    #[test]
    fn the_wire_can_be_logged_by_every_run_with_or_without_a_window() {
        for line in [
            ["ropeway", "--log", "wire", "devices"].as_slice(),
            &["ropeway", "receive", "--log", "wire"],
            &["ropeway", "--log", "wire"],
        ] {
            let parsed = Arguments::try_parse_from(line).unwrap();
            assert_eq!(parsed.log, Some(Log::Wire));
        }
        assert!(Arguments::try_parse_from(["ropeway", "--log", "all"]).is_err());
    }

    #[test]
    fn a_secret_is_not_an_argument() {
        let line = ["ropeway", "send", "a", "--to", "h", "--code", "427913"];
        assert!(Arguments::try_parse_from(line).is_err());
    }
}
