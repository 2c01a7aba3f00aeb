//! What may be typed after `ropeway`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, ValueEnum};

use crate::model::{OnConflict, PeerAddress};

const EXIT_STATUSES: &str = "\
Exit status:
    0  everything arrived, checked and under its final name
    2  the command was not understood, or names something that does not exist
    3  the other person declined or cancelled
    4  the code or passphrase was wrong or missing
    5  no connection, or it was lost
    6  some entries could not be sent or saved
    7  trouble with a disk or the save folder
  130  interrupted with Ctrl-C";

const SECRET_HELP: &str = "\
The code or passphrase comes from the environment variable ROPEWAY_CODE, from --code-file, or is asked
for on the terminal. It is never an argument: other users of a computer can read those.";

/// Carries files and folders straight from one computer to another.
#[derive(Parser, Debug)]
#[command(name = "ropeway", version, after_help = EXIT_STATUSES)]
pub struct Arguments {
    /// Where identity, settings and log are kept [default: the system's place for it]
    #[arg(long, value_name = "DIR", global = true)]
    pub data_dir: Option<PathBuf>,

    /// How long a run without a window waits for a lost device to come back, or for room on a full disk
    #[arg(long, value_name = "SECONDS", global = true, default_value_t = 60,
          value_parser = clap::value_parser!(u64).range(..=31_536_000))]
    pub wait: u64,

    #[command(subcommand)]
    pub subcommand: Option<Subcommand>,

    /// Opens the window with these queued for sending
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
}

#[derive(clap::Subcommand, Debug)]
pub enum Subcommand {
    Receive(Receive),
    Send(Send),
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

    /// What happens to an offer: you are asked, or all are taken. Without a terminal, `ask` declines
    #[arg(long, value_enum, default_value_t = Accept::Ask)]
    pub accept: Accept,

    /// What happens to a file whose name another one has here: both are kept, the new one is left out,
    /// it replaces the other, or does so if it was modified later [default: as in the settings, rename]
    #[arg(long, value_enum, value_name = "RULE")]
    pub on_conflict: Option<Rule>,

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
    Ask,
    All,
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

Examples:
  ropeway send Holiday report.pdf --to 192.168.1.20
  ROPEWAY_CODE='427 913' ropeway send backup.tar --to garden-laptop.local:9001 --json

{EXIT_STATUSES}"))]
pub struct Send {
    /// What to send; folders go with everything in them
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,

    /// The other device: a name or an address, with its port if that is not 9000
    #[arg(long, value_name = "HOST[:PORT]")]
    pub to: PeerAddress,

    /// Reads the code or passphrase from this file
    #[arg(long, value_name = "FILE")]
    pub code_file: Option<PathBuf>,

    /// Prints one JSON object a line
    #[arg(long)]
    pub json: bool,
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
    fn a_secret_is_not_an_argument() {
        let line = ["ropeway", "send", "a", "--to", "h", "--code", "427913"];
        assert!(Arguments::try_parse_from(line).is_err());
    }
}
