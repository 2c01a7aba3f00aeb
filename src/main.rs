//! The front door: without a subcommand the window, with one a headless run.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use ropeway::cli::{self, Arguments};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let data_dir = cli::data_dir(&arguments);
    let wire = arguments.log == Some(cli::Log::Wire);
    if arguments.uses_data() {
        ropeway::logging::start(&data_dir, wire);
    }
    match arguments.subcommand {
        Some(subcommand) => {
            let wait = Duration::from_secs(arguments.wait);
            cli::run(subcommand, data_dir, wait).into()
        }
        None => match cli::opened_with(&arguments) {
            Ok(paths) => window(data_dir, paths),
            Err(exit) => exit.into(),
        },
    }
}

#[cfg(feature = "gui")]
fn window(data_dir: std::path::PathBuf, paths: Vec<std::path::PathBuf>) -> ExitCode {
    match ropeway::gui::run(data_dir, paths) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            eprintln!("The window could not be opened: {error:#}");
            cli::Exit::Usage.into()
        }
    }
}

#[cfg(not(feature = "gui"))]
fn window(_data_dir: std::path::PathBuf, _paths: Vec<std::path::PathBuf>) -> ExitCode {
    eprintln!("This build has no window. Use `ropeway send` and `ropeway receive`; see --help.");
    cli::Exit::Usage.into()
}
