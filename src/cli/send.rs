//! `ropeway send`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::args::Send;
use super::input::{Input, Inputs};
use super::output::Output;
use super::{Exit, Session, Trouble, exit_of, secret};
use crate::engine::{Command, Event, SendRequest, new_transfer_id};
use crate::model::{Status, Summary};

/// After Ctrl-C the other side is told; nobody waits longer for that.
const CANCEL_WITHIN: Duration = Duration::from_secs(2);
/// What has arrived is flushed over there; a disk may take its time.
const SAFE_WITHIN: Duration = Duration::from_secs(120);

pub fn run(arguments: Send, data_dir: PathBuf, output: &Output) -> Result<Exit, Trouble> {
    super::must_exist(&arguments.paths)?;
    let waking = Inputs::new()?;
    let secret = secret::to_prove(arguments.code_file.as_deref())?;
    let session = Session::start(&data_dir, waking, output)?;
    let transfer = new_transfer_id();
    session.engine.command(Command::Send(SendRequest {
        transfer,
        sources: arguments.paths,
        to: arguments.to,
        secret,
    }));
    let mut cancelled: Option<Instant> = None;
    let mut ended: Option<(Summary, Instant)> = None;
    loop {
        let deadline = match (&ended, cancelled) {
            (Some((_, at)), _) => Some(*at + SAFE_WITHIN),
            (None, Some(at)) => Some(at + CANCEL_WITHIN),
            (None, None) => None,
        };
        let input = match deadline {
            None => Some(session.inputs.next()),
            Some(deadline) => session.inputs.next_before(deadline),
        };
        match input {
            Some(Input::Event(Event::State(_, state))) => output.state(transfer, state),
            Some(Input::Event(Event::Progress(progress))) => output.progress(&progress),
            Some(Input::Event(Event::Files(_, files))) => {
                files.iter().for_each(|file| output.file(transfer, file));
            }
            Some(Input::Event(Event::Ended(summary))) => {
                output.transfer(&summary);
                let arrived = matches!(summary.status, Status::Arrived | Status::Problems);
                if !arrived {
                    return Ok(exit_of(&summary));
                }
                ended = Some((summary, Instant::now()));
            }
            Some(Input::Event(Event::Safe(_))) => {
                output.safe(transfer);
                if let Some((summary, _)) = &ended {
                    return Ok(exit_of(summary));
                }
            }
            Some(Input::Event(Event::NotSafe(_, problem))) => {
                output.not_safe(problem.as_ref());
                if let Some((summary, _)) = &ended {
                    return Ok(exit_of(summary));
                }
            }
            Some(Input::Event(_other)) => {}
            Some(Input::Line(..)) => {}
            Some(Input::Interrupt) => match &ended {
                Some((summary, _)) => return Ok(exit_of(summary)),
                None if cancelled.is_some() => return Ok(Exit::Interrupted),
                None => {
                    cancelled = Some(Instant::now());
                    session.engine.command(Command::Cancel(transfer));
                }
            },
            None => {
                return Ok(ended.map_or(Exit::Interrupted, |(summary, _)| exit_of(&summary)));
            }
        }
    }
}
