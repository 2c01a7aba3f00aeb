//! `ropeway send`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::args::Send;
use super::input::{Input, Inputs};
use super::output::Output;
use super::{Exit, Session, Trouble, exit_of, secret};
use crate::engine::{Command, EarlierSend, Event, SendRequest, new_transfer_id};
use crate::model::{Failure, Status, Summary, TransferId, TransferState};

/// After Ctrl-C the other side is told; nobody waits longer for that.
const CANCEL_WITHIN: Duration = Duration::from_secs(2);
/// What has arrived is flushed over there; a disk may take its time.
const SAFE_WITHIN: Duration = Duration::from_secs(120);

pub fn run(
    arguments: Send,
    data_dir: PathBuf,
    wait: Duration,
    output: &Output,
) -> Result<Exit, Trouble> {
    super::must_exist(&arguments.paths)?;
    let waking = Inputs::new()?;
    let session = Session::start(&data_dir, waking, output)?;
    let interrupted = session.engine.interrupted(&arguments.paths, &arguments.to);
    if let Some(earlier) = interrupted {
        let (EarlierSend::Accepted(transfer) | EarlierSend::Unanswered(transfer)) = earlier;
        // It was let in before: no code, no question.
        session.engine.command(Command::Resume(transfer));
        match (follow(&session, transfer, wait, output)?, earlier) {
            (Outcome::Exit(exit), _) => return Ok(exit),
            (Outcome::Forgotten, EarlierSend::Accepted(_)) => output.warn("It is sent anew."),
            // It was never begun, so there is nothing to say.
            (Outcome::Forgotten, EarlierSend::Unanswered(_)) => {}
        }
    }
    let secret = secret::to_prove(arguments.code_file.as_deref())?;
    let transfer = new_transfer_id();
    session.engine.command(Command::Send(SendRequest {
        device: None,
        ask: false,
        remember: false,
        transfer,
        sources: arguments.paths,
        to: arguments.to,
        secret,
    }));
    match follow(&session, transfer, wait, output)? {
        Outcome::Exit(exit) => Ok(exit),
        Outcome::Forgotten => Ok(Exit::Connection),
    }
}

enum Outcome {
    Exit(Exit),
    /// The other device does not know the transfer that was to go on.
    Forgotten,
}

/// Reports on a transfer until it is over.
fn follow(
    session: &Session,
    mut transfer: TransferId,
    wait: Duration,
    output: &Output,
) -> Result<Outcome, Trouble> {
    let mut cancelled: Option<Instant> = None;
    let mut ended: Option<(Summary, Instant)> = None;
    let mut lost: Option<Instant> = None;
    let mut full: Option<Instant> = None;
    let exit = loop {
        let deadline = match (&ended, cancelled, lost.or(full)) {
            (Some((_, at)), _, _) => Some(*at + SAFE_WITHIN),
            (None, Some(at), _) => Some(at + CANCEL_WITHIN),
            (None, None, Some(at)) => Some(at + wait),
            (None, None, None) => None,
        };
        let input = match deadline {
            None => Some(session.inputs.next()),
            Some(deadline) => session.inputs.next_before(deadline),
        };
        match input {
            Some(Input::Event(Event::State(_, state))) => {
                match state {
                    TransferState::Interrupted => {
                        lost.get_or_insert_with(Instant::now);
                    }
                    TransferState::Checking | TransferState::Running => lost = None,
                    TransferState::Connecting
                    | TransferState::Verifying
                    | TransferState::Confirming
                    | TransferState::Waiting
                    | TransferState::Finishing => {}
                }
                output.state(transfer, state);
            }
            Some(Input::Event(Event::Held(_, holds))) => {
                full = holds
                    .lacks_room()
                    .then(|| full.unwrap_or_else(Instant::now));
                // Without a connection nobody holds it, and it does not go on either.
                if holds.any() || lost.is_none() {
                    output.held(transfer, holds);
                }
            }
            Some(Input::Event(Event::Progress(progress))) => output.progress(&progress),
            Some(Input::Event(Event::Files(_, files))) => {
                files.iter().for_each(|file| output.file(transfer, file));
            }
            Some(Input::Event(Event::Ended(summary))) => {
                if summary.failure == Some(Failure::Forgotten) {
                    session.engine.command(Command::Forget(transfer));
                    return Ok(Outcome::Forgotten);
                }
                output.transfer(&summary);
                let arrived = matches!(summary.status, Status::Arrived | Status::Problems);
                if !arrived {
                    break exit_of(&summary);
                }
                ended = Some((summary, Instant::now()));
            }
            Some(Input::Event(Event::Safe(_))) => {
                output.safe(transfer);
                if let Some((summary, _)) = &ended {
                    break exit_of(summary);
                }
            }
            Some(Input::Event(Event::NotSafe(_, problem))) => {
                output.not_safe(problem.as_ref());
                if let Some((summary, _)) = &ended {
                    break exit_of(summary);
                }
            }
            Some(Input::Event(Event::Slept(slept))) => output.slept(slept),
            Some(Input::Event(Event::Renamed { now, .. })) => transfer = now,
            Some(Input::Event(_other)) => {}
            Some(Input::Line(..)) => {}
            Some(Input::Interrupt) => match &ended {
                Some((summary, _)) => break exit_of(summary),
                None if cancelled.is_some() => break Exit::Interrupted,
                None => {
                    cancelled = Some(Instant::now());
                    session.engine.command(Command::Cancel(transfer));
                }
            },
            None => match &ended {
                Some((summary, _)) => break exit_of(summary),
                None if cancelled.is_some() => break Exit::Interrupted,
                None => {
                    // Long enough; the next run goes on.
                    (lost, full) = (None, None);
                    session.engine.command(Command::GiveUp(transfer));
                }
            },
        }
    };
    Ok(Outcome::Exit(exit))
}
