//! What packages need of the command line's own definition: completions of shells and manual pages.

use std::io::{self, Write as _};

use clap::CommandFactory as _;

use super::args::{Arguments, Completions, Manual};
use super::{Exit, Trouble};

pub fn completions(arguments: &Completions) -> Result<Exit, Trouble> {
    let mut text = Vec::new();
    let mut command = Arguments::command();
    clap_complete::generate(arguments.shell, &mut command, "ropeway", &mut text);
    let printed = io::stdout().lock().write_all(&text);
    printed.map_or_else(not_written, |()| Ok(Exit::Arrived))
}

pub fn manual(arguments: &Manual) -> Result<Exit, Trouble> {
    let made = std::fs::create_dir_all(&arguments.dir);
    let written =
        made.and_then(|()| clap_mangen::generate_to(Arguments::command(), &arguments.dir));
    written.map_or_else(not_written, |()| Ok(Exit::Arrived))
}

fn not_written(error: io::Error) -> Result<Exit, Trouble> {
    Err(Trouble {
        exit: Exit::Disk,
        code: "disk",
        sentence: format!("It could not be written: {error}."),
    })
}
