//! The front door: without a subcommand the window, with one a headless run.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use ropeway::cli::{self, Arguments};

fn main() -> ExitCode {
    let mut arguments = Arguments::parse();
    if let Some(scene) = arguments.demo.scene.take() {
        // Before anything is read or written.
        return demo(scene, arguments.demo);
    }
    let data_dir = cli::data_dir(&arguments);
    let wire = arguments.log == Some(cli::Log::Wire);
    if arguments.subcommand.is_some() && arguments.uses_data() {
        ropeway::logging::start(&data_dir, wire);
    }
    match arguments.subcommand {
        Some(subcommand) => {
            let wait = Duration::from_secs(arguments.wait);
            cli::run(subcommand, data_dir, wait).into()
        }
        None => match cli::opened_with(&arguments) {
            Ok(paths) => window(data_dir, paths, wire),
            Err(exit) => exit.into(),
        },
    }
}

#[cfg(feature = "gui")]
fn window(data_dir: std::path::PathBuf, paths: Vec<std::path::PathBuf>, wire: bool) -> ExitCode {
    let logs = data_dir.clone();
    let log = move || ropeway::logging::start(&logs, wire);
    match ropeway::gui::run(data_dir, paths, log) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            eprintln!("The window could not be opened: {error:#}");
            cli::Exit::Usage.into()
        }
    }
}

/// The window without an engine, for designers and pictures.
#[cfg(feature = "gui")]
fn demo(scene: String, how: cli::Demo) -> ExitCode {
    use ropeway::gui::demo;
    use ropeway::settings::{Language, Theme};
    if scene == "list" {
        let printed = std::io::Write::write_all(&mut std::io::stdout(), demo::list().as_bytes());
        return match printed {
            Ok(()) => ExitCode::SUCCESS,
            Err(_closed) => ExitCode::FAILURE,
        };
    }
    let options = demo::Options {
        scene: Some(scene),
        theme: match how.theme {
            Some(cli::DemoTheme::Dark) => Theme::Dark,
            Some(cli::DemoTheme::Light) => Theme::Light,
            None => Theme::System,
        },
        language: match how.language {
            Some(cli::DemoLanguage::En) => Language::English,
            Some(cli::DemoLanguage::Zh) => Language::Chinese,
            None => Language::System,
        },
        size: how.size.map(|size| size.map(f32::from)),
        scale: how.scale,
        shot: how.shot.is_some(),
        frames: how.frames,
    };
    let written = demo::run(&options).and_then(|picture| match (picture, how.shot) {
        (Some(picture), Some(to)) => cli::write_picture(&to, &picture),
        _ => Ok(()),
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            cli::Exit::Usage.into()
        }
    }
}

#[cfg(not(feature = "gui"))]
fn demo(_scene: String, _how: cli::Demo) -> ExitCode {
    window(std::path::PathBuf::new(), Vec::new(), false)
}

#[cfg(not(feature = "gui"))]
fn window(_data_dir: std::path::PathBuf, _paths: Vec<std::path::PathBuf>, _wire: bool) -> ExitCode {
    eprintln!("This build has no window. Use `ropeway send` and `ropeway receive`; see --help.");
    cli::Exit::Usage.into()
}
