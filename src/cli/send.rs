//! `ropeway send`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::args::Send;
use super::input::{self, Input, Inputs};
use super::output::Output;
use super::target::{Target, find};
use super::{Exit, Session, Trouble, exit_of, is_yes, secret};
use crate::engine::{Command, EarlierSend, Event, Found, Looked, SendRequest, new_transfer_id};
use crate::model::{
    Failure, PeerAddress, Presence, Secret, Status, Summary, TransferId, TransferState, Way,
};

/// What takes longer than this may outlast the address it goes to: then where the device is has to be known before it
/// is somewhere else. Shorter ones ask the network for nothing.
const ALONE_FOR: Duration = Duration::from_secs(5);
/// Whoever lets a device in without asking has answered by then.
const ASKS_AFTER: Duration = Duration::from_millis(300);
/// After Ctrl-C the other side is told; nobody waits longer for that.
const CANCEL_WITHIN: Duration = Duration::from_secs(2);
/// What has arrived is flushed over there; a disk may take its time.
const SAFE_WITHIN: Duration = Duration::from_secs(120);
/// Longer than the engine itself tries.
const LOOK_WITHIN: Duration = Duration::from_secs(12);

pub fn run(
    arguments: Send,
    data_dir: PathBuf,
    wait: Duration,
    output: &Output,
) -> Result<Exit, Trouble> {
    super::must_exist(&arguments.paths)?;
    let waking = Inputs::new()?;
    let session = Session::start(&data_dir, waking, output)?;
    let target = find(&session, &arguments.to, output)?;
    if target.device.is_some() {
        // If it cannot be reached, it has to hear that it is asked to connect.
        session.show(Presence::Visible)?;
    }
    let how = Follow {
        wait,
        remembers: arguments.pair,
    };
    let device = target.device.as_ref().map(|chosen| chosen.id);
    let engine = &session.engine;
    let interrupted = engine.interrupted(&arguments.paths, &target.to, device);
    if let Some(earlier) = interrupted {
        let (EarlierSend::Accepted(transfer) | EarlierSend::Unanswered(transfer)) = earlier;
        // It was let in before: no code, no question. It may be somewhere else by now.
        session.show(Presence::Hidden)?;
        session.engine.command(Command::Resume(transfer));
        match (follow(&session, transfer, how, output)?, earlier) {
            (Outcome::Exit(exit), _) => return Ok(exit),
            (Outcome::Forgotten, EarlierSend::Accepted(_)) => output.warn("It is sent anew."),
            // It was never begun, so there is nothing to say.
            (Outcome::Forgotten, EarlierSend::Unanswered(_)) => {}
        }
    }
    let given = secret::to_prove(arguments.code_file.as_deref(), output)?;
    let Proof { secret, ask } = proof(&session, &target, given, |_found| false, output)?;
    if ask {
        // From now on, so that nothing typed before the question is taken for its answer.
        session.inputs.read_lines();
    }
    let transfer = new_transfer_id();
    session.engine.command(Command::Send(SendRequest {
        device: target.device,
        ask,
        remember: arguments.pair,
        transfer,
        sources: arguments.paths,
        to: target.to,
        secret,
        wait_for_it: false,
    }));
    match follow(&session, transfer, how, output)? {
        Outcome::Exit(exit) => Ok(exit),
        Outcome::Forgotten => Ok(Exit::Connection),
    }
}

/// How this device shows who it is.
#[derive(Default)]
pub struct Proof {
    pub secret: Option<Secret>,
    /// Nothing is proven: people compare symbols.
    pub ask: bool,
}

/// Asks the person only for what the other device wants to know; nothing, where it `lets_in` by itself.
pub fn proof(
    session: &Session,
    target: &Target,
    given: Option<Secret>,
    lets_in: impl Fn(&Found) -> bool,
    output: &Output,
) -> Result<Proof, Trouble> {
    if given.is_some() || target.paired {
        let secret = given;
        return Ok(Proof { secret, ask: false });
    }
    let found = match look(session, &target.to, output)? {
        Some(Looked {
            found: Ok(found), ..
        }) => Some(found),
        // It may let itself be called, and what it lets in then is for the person to know.
        Some(Looked {
            found: Err(Failure::Unreachable { .. } | Failure::Refused { .. }),
            ..
        }) if target.device.is_some() && secret::can_ask() => None,
        Some(Looked {
            found: Err(failure),
            ..
        }) => return Err(Trouble::from(&failure)),
        // Sending fails with the reason.
        None => return Ok(Proof::default()),
    };
    let accepts = |way| match &found {
        Some(found) => found.ways.contains(&way),
        None => matches!(way, Way::Code | Way::Ask),
    };
    if found
        .as_ref()
        .is_some_and(|found| found.paired || lets_in(found))
    {
        return Ok(Proof::default());
    }
    let (code, passphrase, ask) = (
        accepts(Way::Code),
        accepts(Way::Passphrase),
        accepts(Way::Ask),
    );
    if !code && !passphrase && !ask {
        return Err(Trouble::from(&Failure::KnownOnly));
    }
    if !secret::can_ask() {
        if code || passphrase {
            return Err(Trouble::from(&Failure::SecretNeeded));
        }
        return Err(Trouble {
            exit: Exit::Verification,
            code: "terminal-needed",
            sentence:
                "Without a code, four symbols are compared with the other screen: run this on a \
                       terminal."
                    .into(),
        });
    }
    let secret = if code || passphrase {
        let what = match code {
            true => "Code on the other screen",
            false => "Passphrase of the other device",
        };
        let or = if ask {
            " (or Enter to compare symbols)"
        } else {
            ""
        };
        secret::typed(&format!("{what}{or}: "), ask)?
    } else {
        None
    };
    Ok(Proof {
        ask: secret.is_none(),
        secret,
    })
}

/// What is there; `None` if that is not known in time.
fn look(session: &Session, to: &PeerAddress, output: &Output) -> Result<Option<Looked>, Trouble> {
    session.engine.command(Command::LookAt(to.clone()));
    let deadline = Instant::now() + LOOK_WITHIN;
    loop {
        match session.inputs.next_before(deadline) {
            Some(Input::Event(Event::Looked(looked))) if looked.at == *to => {
                return Ok(Some(looked));
            }
            Some(Input::Event(Event::DevicesNotRead(why) | Event::ConversationsNotRead(why))) => {
                output.warn(&why);
            }
            Some(Input::Event(_) | Input::Line(..)) => {}
            Some(Input::Interrupt) => return Err(Trouble::interrupted()),
            None => return Ok(None),
        }
    }
}

enum Outcome {
    Exit(Exit),
    /// The other device does not know the transfer that was to go on.
    Forgotten,
}

#[derive(Clone, Copy)]
struct Follow {
    /// For a lost peer, or for room on its disk.
    wait: Duration,
    /// The person wants to remember the other device.
    remembers: bool,
}

/// Reports on a transfer until it is over.
fn follow(
    session: &Session,
    mut transfer: TransferId,
    Follow { wait, remembers }: Follow,
    output: &Output,
) -> Result<Outcome, Trouble> {
    let since = Instant::now();
    let mut cancelled: Option<Instant> = None;
    let mut ended: Option<(Summary, Instant)> = None;
    let mut lost: Option<Instant> = None;
    // Before that, whoever has connected is not lost any more; after it, only once it goes on.
    let mut begun = false;
    let mut full: Option<Instant> = None;
    // When the question was put; what was typed before is no answer to it.
    let mut asked: Option<Instant> = None;
    // When it is to be said that the other person is asked.
    let mut asks_at: Option<Instant> = None;
    let exit = loop {
        let deadline = match (&ended, cancelled, lost.or(full)) {
            (Some((_, at)), _, _) => Some(*at + SAFE_WITHIN),
            (None, Some(at), _) => Some(at + CANCEL_WITHIN),
            (None, None, Some(at)) => Some(at + wait),
            (None, None, None) => asks_at,
        };
        let input = match deadline {
            None => Some(session.inputs.next()),
            Some(deadline) => session.inputs.next_before(deadline),
        };
        match input {
            Some(Input::Event(Event::State(_, state))) => {
                match state {
                    TransferState::Interrupted | TransferState::Away | TransferState::Calling => {
                        // It may come back somewhere else.
                        session.show(Presence::Hidden)?;
                        lost.get_or_insert_with(Instant::now);
                    }
                    TransferState::Checking | TransferState::Running => {
                        (begun, lost) = (true, None)
                    }
                    TransferState::Verifying if !begun => lost = None,
                    TransferState::Connecting
                    | TransferState::Verifying
                    | TransferState::Confirming
                    | TransferState::Waiting
                    | TransferState::Finishing => {}
                }
                let waits = state == TransferState::Waiting;
                asks_at = waits.then(|| Instant::now() + ASKS_AFTER);
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
            Some(Input::Event(Event::Progress(progress))) => {
                if since.elapsed() >= ALONE_FOR {
                    session.show(Presence::Hidden)?;
                }
                output.progress(&progress);
            }
            Some(Input::Event(Event::Files(_, files))) => {
                output.files(transfer, &files);
            }
            Some(Input::Event(Event::Symbols(_, symbols))) => {
                output.symbols(transfer, &symbols);
                // Nothing that was typed before is an answer.
                input::drop_typed();
                asked = Some(Instant::now());
                output.compare(&symbols);
            }
            Some(Input::Event(Event::Paired(peer))) => output.paired(&peer),
            Some(Input::Event(Event::WantsToBeRemembered(peer))) if !remembers => {
                output.wants_to_be_remembered(&peer);
            }
            Some(Input::Event(Event::Ended(summary))) => {
                if asked.take().is_some() {
                    output.take_question_back();
                }
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
            Some(Input::Event(Event::DevicesNotRead(why) | Event::ConversationsNotRead(why))) => {
                output.warn(&why);
            }
            Some(Input::Event(Event::Renamed { now, .. })) => transfer = now,
            Some(Input::Event(_other)) => {}
            Some(Input::Line(line, at)) => {
                if asked.take_if(|asked| at >= *asked).is_some() {
                    output.answered();
                    let same = is_yes(&line);
                    session.engine.command(Command::Confirm(transfer, same));
                }
            }
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
                None if lost.or(full).is_none() => {
                    asks_at = None;
                    output.waits();
                }
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
