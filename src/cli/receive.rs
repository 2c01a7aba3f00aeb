//! `ropeway receive`.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::args::{Accept, Allow, Receive};
use super::doctor::Style;
use super::input::{self, Input, Inputs};
use super::output::Output;
use super::{Exit, Session, Trouble, exit_of, is_yes, secret};
use crate::engine::{
    AcceptPolicy, Answer, Bind, CallStands, Caller, Command, Event, ListenError, ListenOptions,
    Listening, Offer, TextOffer,
};
use crate::instance;
use crate::model::{
    Bond, Direction, Manifest, Presence, Problem, Rule, SafeName, Said, Severity, Status, Summary,
    TransferId, TransferState, Trust,
};

/// What has arrived is flushed; a disk may take its time.
const SAFE_WITHIN: Duration = Duration::from_secs(120);
/// A list so long may be the whole that a sender who has proven nothing gives before it is accepted.
const ASKED_FROM: u64 = (Manifest::UNVERIFIED_NAME_BYTES / SafeName::MAX_BYTES) as u64;
/// A question that takes the place of another one by itself is no answer's for so long: the person may
/// have been about to answer the one before.
const DEAF_FOR: Duration = Duration::from_secs(1);
const BESIDE_WINDOW: &str = "Ropeway’s window is open with the same data folder and stays as it is; \
    what is sent to this run is answered here, on a port of its own.";
const NOBODY_PAIRED: &str = "No device is paired with this one yet, so nobody can send. To pair one, receive \
    once with --pair and without --allow paired.";
/// After Ctrl-C the other side is told; nobody waits longer for that.
const CANCEL_WITHIN: Duration = Duration::from_secs(2);

pub fn run(
    arguments: Receive,
    data_dir: PathBuf,
    wait: Duration,
    output: &Output,
) -> Result<Exit, Trouble> {
    let passphrase = secret::passphrase(arguments.code_file.as_deref())?;
    let beside_window = instance::is_open(&data_dir);
    if beside_window {
        output.warn(BESIDE_WINDOW);
    }
    let session = Session::start(&data_dir, Inputs::new()?, output)?;
    let folder = arguments.dir.clone();
    let folder = folder.unwrap_or_else(|| session.settings.save_folder.clone());
    let folder = usable(&folder)?;
    let bind = match arguments.listen {
        Some(addr) => Bind::Exact(addr),
        None => Bind::Preferred(session.settings.port),
    };
    session.engine.command(Command::Listen(ListenOptions {
        allow: arguments.allow.into(),
        remember: arguments.pair,
        bind,
        save_folder: folder,
        passphrase: passphrase.clone(),
        accept: match arguments.accept {
            Accept::Ask => AcceptPolicy::Ask,
            Accept::Paired => AcceptPolicy::Paired,
            Accept::All => AcceptPolicy::All,
        },
        on_conflict: arguments
            .on_conflict
            .map_or(session.settings.on_conflict, Into::into),
        once: arguments.once,
    }));
    session.show(match arguments.hidden {
        true => Presence::Hidden,
        false => Presence::Visible,
    })?;
    let (listening, unread) = wait_for_listening(&session, output)?;
    if listening.port_moved && !beside_window {
        let (taken, got) = (session.settings.port, listening.addr.port());
        output.warn(&format!(
            "Port {taken} is used by another program; listening on {got} this time."
        ));
    }
    // What an earlier run left undelivered is delivered by this one.
    let keep = session.settings.keep_conversations;
    session.engine.command(Command::KeepConversations(keep));
    let mut receiving = Receiving {
        session,
        output,
        arguments,
        has_passphrase: passphrase.is_some(),
        listening: Some(listening),
        offered: HashSet::new(),
        shown: HashSet::new(),
        questions: VecDeque::new(),
        asked: None,
        begun: HashSet::new(),
        deaf_until: Instant::now(),
        wait,
        lost: HashMap::new(),
        full: HashMap::new(),
        last: None,
        running: HashSet::new(),
        callers: Vec::new(),
        reads_lines: false,
    };
    if passphrase.is_some() || receiving.arguments.allow == Allow::Paired {
        receiving.announce(None);
        let known = receiving.session.engine.known();
        let paired = known.iter().any(|device| device.bond == Bond::Paired);
        if receiving.arguments.allow == Allow::Paired && !paired && !unread {
            output.warn(NOBODY_PAIRED);
        }
    }
    let (allow, accept) = (receiving.arguments.allow, receiving.arguments.accept);
    if allow == Allow::Anyone || accept != Accept::All {
        // Otherwise there is seldom a question, and a run in the background may not read.
        receiving.read_lines();
    }
    receiving.serve()
}

/// The folder, made if it is missing, absolute; or why it cannot be used.
fn usable(folder: &Path) -> Result<PathBuf, Trouble> {
    if folder.exists() && !folder.is_dir() {
        return Err(Trouble::from(ListenError::Folder {
            folder: folder.to_owned(),
            problem: Problem::other("it is not a folder"),
        }));
    }
    let tried = std::fs::create_dir_all(folder)
        .and_then(|()| std::path::absolute(folder))
        .and_then(|absolute| tempfile::tempfile_in(&absolute).map(|_probe| absolute));
    tried.map_err(|error| {
        Trouble::from(ListenError::Folder {
            folder: folder.to_owned(),
            problem: Problem::writing(&error),
        })
    })
}

/// And whether who is paired could not be read.
fn wait_for_listening(session: &Session, output: &Output) -> Result<(Listening, bool), Trouble> {
    let mut unread = false;
    loop {
        match session.inputs.next() {
            Input::Event(Event::Listening(listening)) => return Ok((listening, unread)),
            Input::Event(Event::ListenFailed(error)) => return Err(error.into()),
            // Said at the start, and never again.
            Input::Event(Event::DevicesNotRead(why)) => {
                unread = true;
                output.warn(&why);
            }
            Input::Event(Event::ConversationsNotRead(why)) => output.warn(&why),
            Input::Event(_other) => {}
            Input::Line(..) => {}
            Input::Interrupt => {
                return Err(Trouble::interrupted());
            }
        }
    }
}

struct Receiving<'a> {
    session: Session,
    output: &'a Output,
    arguments: Receive,
    has_passphrase: bool,
    /// Until it has been announced, with the first code if codes are used.
    listening: Option<Listening>,
    offered: HashSet<TransferId>,
    /// Whose symbols were shown.
    shown: HashSet<TransferId>,
    /// What waits for the person; the first is being asked about.
    questions: VecDeque<Question>,
    /// From when on what is typed answers the question on the screen.
    asked: Option<Instant>,
    /// A transfer has begun in this run.
    begun: HashSet<TransferId>,
    deaf_until: Instant,
    wait: Duration,
    /// Transfers whose sender is gone, and since when.
    lost: HashMap<TransferId, Instant>,
    /// Transfers for which the disk has no room, and since when.
    full: HashMap<TransferId, Instant>,
    /// With `--once`: the transfer that ended, and when.
    last: Option<(Summary, Instant)>,
    /// Accepted and not over.
    running: HashSet<TransferId>,
    /// Who asks to be connected to, as was told last.
    callers: Vec<Caller>,
    reads_lines: bool,
}

enum Question {
    Offer(Offer),
    Text(TextOffer),
    /// Not known, and cannot reach this device: it may be connected to.
    Caller(Caller),
}

impl Receiving<'_> {
    fn serve(mut self) -> Result<Exit, Trouble> {
        let mut interrupted: Option<Instant> = None;
        loop {
            if interrupted.is_some() && self.running.is_empty() {
                return Ok(Exit::Interrupted);
            }
            let deadline = match (&self.last, interrupted) {
                (_, Some(at)) => Some(at + CANCEL_WITHIN),
                (Some((_, at)), None) => Some(*at + SAFE_WITHIN),
                // Others may come meanwhile, so without --once nobody is given up.
                (None, None) if self.arguments.once => {
                    let waiting = self.lost.values().chain(self.full.values());
                    waiting.min().map(|at| *at + self.wait)
                }
                (None, None) => None,
            };
            let input = match deadline {
                None => Some(self.session.inputs.next()),
                Some(deadline) => self.session.inputs.next_before(deadline),
            };
            match input {
                None if interrupted.is_some() => return Ok(Exit::Interrupted),
                None => match &self.last {
                    Some((last, _)) => return Ok(exit_of(last)),
                    None => self.give_up(),
                },
                Some(Input::Interrupt) if interrupted.is_some() => return Ok(Exit::Interrupted),
                Some(Input::Interrupt) => {
                    interrupted = Some(Instant::now());
                    for transfer in &self.running {
                        self.session.engine.command(Command::Cancel(*transfer));
                    }
                }
                Some(Input::Line(line, at)) => self.answered(&line, at),
                Some(Input::Event(Event::Started(started))) => {
                    self.running.insert(started.transfer);
                    self.begun.insert(started.transfer);
                    // It was taken without an answer from here.
                    self.take_back(started.transfer);
                    self.ask();
                }
                Some(Input::Event(Event::Ended(summary))) => {
                    self.running.remove(&summary.transfer);
                    self.lost.remove(&summary.transfer);
                    self.full.remove(&summary.transfer);
                    self.take_back(summary.transfer);
                    self.output.transfer(&summary);
                    self.ask();
                    let arrived = matches!(summary.status, Status::Arrived | Status::Problems);
                    if self.arguments.once && self.last.is_none() && self.counts(&summary) {
                        if !arrived {
                            return Ok(exit_of(&summary));
                        }
                        self.last = Some((summary, Instant::now()));
                    }
                }
                Some(Input::Event(Event::Safe(transfer))) => {
                    self.output.safe(transfer);
                    if let Some((last, _)) = &self.last
                        && last.transfer == transfer
                    {
                        return Ok(exit_of(last));
                    }
                }
                Some(Input::Event(Event::NotSafe(transfer, problem))) => {
                    self.output.not_safe(problem.as_ref());
                    if let Some((last, _)) = &self.last
                        && last.transfer == transfer
                    {
                        return Ok(exit_of(last));
                    }
                }
                Some(Input::Event(Event::ListenFailed(error))) => return Err(error.into()),
                Some(Input::Event(event)) => self.event(event),
            }
        }
    }

    /// With `--once`: whether that was the transfer. Strangers whom nobody has let in are none, and
    /// neither is what was declined because another one has begun.
    fn counts(&self, summary: &Summary) -> bool {
        let begun = self.begun.contains(&summary.transfer);
        begun || (self.begun.is_empty() && summary.peer.trust.is_verified())
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Code { code, valid } => match self.listening.take() {
                Some(listening) => self.output.listening(&listening, Some(&code)),
                None => self.output.code(&code, valid.as_secs()),
            },
            Event::WrongSecret { from, tries_left } => {
                self.output.warn(&match tries_left {
                    _ if self.has_passphrase => format!("Wrong passphrase from {from}."),
                    0 => format!("Wrong code from {from}; it was the last try for that code."),
                    1 => format!("Wrong code from {from}; 1 try left."),
                    left => format!("Wrong code from {from}; {left} tries left."),
                });
            }
            Event::MustWait { from } => self.output.warn(&format!(
                "Too many wrong tries from {from}: it has to wait a minute. Others can send."
            )),
            Event::CodeRests(true) => self
                .output
                .warn("Too many wrong codes: none is taken now. Restarting ends that."),
            Event::Paired(peer) => self.output.paired(&peer),
            Event::WantsToBeRemembered(peer) => {
                if !self.arguments.pair {
                    self.output.wants_to_be_remembered(&peer);
                }
            }
            Event::OfferWithdrawn(transfer) => {
                self.take_back(transfer);
                self.ask();
            }
            Event::Offer(offer) => self.offer(offer),
            Event::State(transfer, state) => {
                if state == TransferState::Interrupted {
                    self.lost.entry(transfer).or_insert_with(Instant::now);
                } else {
                    self.lost.remove(&transfer);
                }
                self.output.state(transfer, state);
            }
            Event::Held(transfer, holds) => {
                if holds.lacks_room() {
                    self.full.entry(transfer).or_insert_with(Instant::now);
                } else {
                    self.full.remove(&transfer);
                }
                // Without a connection nobody holds it, and it does not go on either.
                if holds.any() || !self.lost.contains_key(&transfer) {
                    self.output.held(transfer, holds);
                }
            }
            Event::Progress(progress) => self.output.progress(&progress),
            Event::Files(transfer, files) => {
                self.output.files(transfer, &files);
            }
            Event::Firewall(findings) => {
                // What cannot be told is no reason to trouble anybody.
                let style = Style::of_this_terminal();
                for finding in findings {
                    if finding.severity() == Severity::Problem {
                        self.output.warn(&style.finding(&finding));
                    }
                }
            }
            Event::Slept(slept) => self.output.slept(slept),
            Event::DevicesNotRead(why) | Event::ConversationsNotRead(why) => self.output.warn(&why),
            Event::Line(from, line) if line.direction == Direction::Receive => {
                if let Said::Text { id, text, .. } = &line.what {
                    self.output.message(&from, *id, text);
                }
            }
            Event::TextOffered(offer) => self.text_offer(offer),
            Event::TextWithdrawn(device) => {
                self.take_questions_back(|question| match question {
                    Question::Text(offer) => offer.from.device_id == Some(device),
                    Question::Offer(_) | Question::Caller(_) => false,
                });
                self.ask();
            }
            Event::Callers(callers) => self.callers(callers),
            Event::Listening(_)
            | Event::KeptAwake(_)
            | Event::ListenFailed(_)
            | Event::ListenStopped
            | Event::CodeRests(false)
            | Event::Looked(_)
            | Event::Symbols(..)
            | Event::Devices(_)
            | Event::Clients(_)
            | Event::OfferFolder(_)
            | Event::Kept(_)
            | Event::PicksDiffer { .. }
            | Event::Renamed { .. }
            | Event::Started(_)
            | Event::PeerKnown(..)
            | Event::Ended(_)
            | Event::Safe(_)
            | Event::NotSafe(..)
            | Event::Quiet { .. }
            | Event::Nearby(_)
            | Event::Recent(_)
            | Event::Conversations(_)
            | Event::NotSaid { .. }
            | Event::TalkOpened(..)
            | Event::Line(..)
            | Event::Delivery(..)
            | Event::Talk(..)
            | Event::TalkFailed(..)
            | Event::Diagnosis(_)
            | Event::Wire(_)
            | Event::Measured(_)
            | Event::Room { .. }
            | Event::ListSaved { .. }
            | Event::Stashed(..)
            | Event::CommandFailed { .. } => {}
        }
    }

    /// Those who did not come back in time; they can go on all the same when they do.
    fn give_up(&mut self) {
        let wait = self.wait;
        let lost = self.lost.extract_if(|_, at| at.elapsed() >= wait);
        let full = self.full.extract_if(|_, at| at.elapsed() >= wait);
        for (transfer, _) in lost.chain(full) {
            self.session.engine.command(Command::GiveUp(transfer));
        }
    }

    /// Says that the server is on.
    fn announce(&mut self, code: Option<&crate::model::Code>) {
        if let Some(listening) = self.listening.take() {
            self.output.listening(&listening, code);
        }
    }

    fn offer(&mut self, offer: Offer) {
        let has_terminal = std::io::stdin().is_terminal();
        if let Some(symbols) = &offer.symbols
            && self.shown.insert(offer.transfer)
        {
            self.output.symbols(offer.transfer, symbols);
            if has_terminal {
                // The person there compares before names come.
                self.output.shows(&offer.from, symbols);
            }
        }
        let hopeless = offer.symbols.is_some() && !has_terminal;
        // What is taken by itself runs already; its offer is told all the same, once it is counted.
        // Who asked lists no more than this before it is accepted.
        let all = !offer.counting || (offer.symbols.is_some() && offer.entries >= ASKED_FROM);
        if !(all || hopeless) || !self.offered.insert(offer.transfer) {
            return;
        }
        let by_itself = self.taken_by_itself(&offer);
        if self.output.is_json() || by_itself || !has_terminal {
            self.output.offer(&offer);
        }
        if by_itself {
            return;
        }
        if !has_terminal {
            self.output.warn(if hopeless {
                "Declined: symbols are compared by people, and there is no terminal."
            } else {
                "Declined: without a terminal nobody can be asked. Use --accept all."
            });
            self.answer(offer.transfer, false);
            return;
        }
        self.read_lines();
        self.questions.push_back(Question::Offer(offer));
        self.ask();
    }

    /// The engine answers it, by the device's own rule or because of `--accept`.
    fn taken_by_itself(&self, offer: &Offer) -> bool {
        if self.running.contains(&offer.transfer) {
            return true;
        }
        let known = self.session.engine.known();
        let of = |id| known.iter().find(|device| device.id == id);
        let rule = offer.from.device_id.and_then(of);
        let accept = self.arguments.accept;
        match (offer.from.trust, rule.map(|device| &device.rule)) {
            (Trust::Known, Some(Rule::Never)) => true,
            (Trust::Known, Some(Rule::Accept { max_bytes, .. })) => {
                max_bytes.is_none_or(|most| offer.bytes <= most)
            }
            (Trust::Known, Some(Rule::Ask) | None) => accept != Accept::Ask,
            (Trust::Verified, _) => accept == Accept::All,
            (Trust::None | Trust::Asked, _) => false,
        }
    }

    /// From now on what is typed may be an answer.
    fn read_lines(&mut self) {
        if !self.reads_lines && std::io::stdin().is_terminal() {
            self.reads_lines = true;
            self.session.inputs.read_lines();
        }
    }

    /// Puts the question about the first offer that waits, if none is on the screen.
    fn ask(&mut self) {
        if self.asked.is_some() {
            return;
        }
        if let Some(question) = self.questions.front() {
            input::drop_typed();
            self.asked = Some(Instant::now().max(self.deaf_until));
            match question {
                Question::Offer(offer) => self.output.question(offer),
                Question::Text(offer) => self.output.text_question(offer),
                Question::Caller(caller) => self.output.caller_question(caller),
            }
        }
    }

    fn answered(&mut self, line: &str, at: Instant) {
        if self.asked.is_none_or(|asked| at < asked) {
            self.output.ask_again();
            return;
        }
        self.asked = None;
        self.output.answered();
        match self.questions.pop_front() {
            Some(Question::Offer(offer)) => self.answer(offer.transfer, is_yes(line)),
            Some(Question::Text(offer)) => self.answer_text(&offer, is_yes(line)),
            Some(Question::Caller(caller)) => {
                let answer = Command::LetConnect(caller.device, is_yes(line));
                self.session.engine.command(answer);
            }
            None => {}
        }
        self.ask();
    }

    fn answer(&self, transfer: TransferId, yes: bool) {
        let answer = if yes {
            Answer::Accept {
                folder: None,
                on_conflict: None,
                remember: self.arguments.pair,
            }
        } else {
            Answer::Decline
        };
        self.session
            .engine
            .command(Command::Answer(transfer, answer));
    }

    /// Somebody who has proven nothing wants to say something.
    fn text_offer(&mut self, offer: TextOffer) {
        self.output.text_offer(&offer);
        if !std::io::stdin().is_terminal() {
            self.output.warn(
                "A text was declined: symbols are compared by people, and there is no terminal.",
            );
            return self.answer_text(&offer, false);
        }
        self.read_lines();
        self.questions.push_back(Question::Text(offer));
        self.ask();
    }

    /// Devices that are not known ask to be connected to.
    fn callers(&mut self, callers: Vec<Caller>) {
        let asks = |caller: &Caller| caller.stands == CallStands::Asks;
        self.take_questions_back(|question| match question {
            Question::Caller(asked) => !callers
                .iter()
                .any(|it| it.device == asked.device && asks(it)),
            Question::Offer(_) | Question::Text(_) => false,
        });
        let has_terminal = std::io::stdin().is_terminal();
        let before = std::mem::take(&mut self.callers);
        for caller in callers.iter().filter(|caller| !before.contains(caller)) {
            if asks(caller) && has_terminal {
                self.read_lines();
                self.questions.push_back(Question::Caller(caller.clone()));
                self.ask();
            }
            if !asks(caller) || !has_terminal || self.output.is_json() {
                self.output.caller(caller);
            }
        }
        self.callers = callers;
        self.ask();
    }

    fn answer_text(&self, offer: &TextOffer, yes: bool) {
        if let Some(device) = offer.from.device_id {
            let engine = &self.session.engine;
            engine.command(Command::AnswerText(device, yes));
            if yes && self.arguments.pair {
                engine.command(Command::Remember(device));
            }
        }
    }

    /// An offer that is gone needs no answer any more.
    fn take_back(&mut self, transfer: TransferId) {
        self.take_questions_back(|question| match question {
            Question::Offer(offer) => offer.transfer == transfer,
            Question::Text(_) | Question::Caller(_) => false,
        });
    }

    fn take_questions_back(&mut self, gone: impl Fn(&Question) -> bool) {
        let first = self.questions.front().is_some_and(&gone);
        self.questions.retain(|question| !gone(question));
        if first && self.asked.take().is_some() {
            self.output.take_question_back();
            self.deaf_until = Instant::now() + DEAF_FOR;
        }
    }
}
