//! What is printed: sentences and a progress bar for people, or JSON lines for programs.
//!
//! With `--json` nothing but JSON reaches stdout. A reader that went away is no error of ours.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{IsTerminal as _, Write as _};

use data_encoding::HEXLOWER;
use humansize::{DECIMAL, format_size};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr as _;

use super::Trouble;
use super::remarks::Remarks;
use super::secret::capital;
use crate::engine::{CallStands, Caller, Listening, Offer, TextOffer};
use crate::model::{
    Code, Delivery, Direction, EntryStatus, Failure, FileReport, Hold, Holds, MessageId, Peer,
    Problem, Progress, Status, Summary, Symbol, Symbols, TransferId, TransferState, displayable,
};

pub struct Output {
    json: bool,
    remarks: RefCell<HashMap<TransferId, Remarks>>,
    bar: RefCell<Option<ProgressBar>>,
    /// The question that waits for an answer: it stays the last thing on the screen.
    question: RefCell<Option<String>>,
    /// Where the code or passphrase came from, if nobody typed it.
    secret_from: RefCell<Option<String>>,
    /// Why not all of it stands on stdout. A reader that went away is no reason.
    unwritten: RefCell<Option<std::io::Error>>,
}

pub fn size(bytes: u64) -> String {
    format_size(bytes, DECIMAL)
}

/// Rows with their columns under each other.
pub fn table<const COLUMNS: usize>(rows: &[[String; COLUMNS]], output: &Output) {
    let width = |column: usize| rows.iter().map(|row| row[column].width()).max();
    let widths: [_; COLUMNS] = std::array::from_fn(|column| width(column).unwrap_or(0));
    for row in rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| {
            let gap = width.saturating_sub(cell.width());
            format!("{cell}{}", " ".repeat(gap))
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        output.say(line.trim_end());
    }
}

/// A long name must not push who sends it off the screen.
fn shortened(name: &str) -> String {
    const MOST_CHARS: usize = 60;
    match name.char_indices().nth(MOST_CHARS) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

fn same(symbols: &Symbols) -> String {
    format!("Does the other screen show {}?", symbols.words())
}

fn items(count: u64) -> String {
    match count {
        1 => "1 item".into(),
        count => format!("{count} items"),
    }
}

impl Output {
    pub fn new(json: bool) -> Self {
        Self {
            json,
            remarks: RefCell::default(),
            bar: RefCell::new(None),
            question: RefCell::new(None),
            secret_from: RefCell::new(None),
            unwritten: RefCell::new(None),
        }
    }

    /// What is proven was not typed: it is nothing that stands on the other screen now.
    pub fn secret_is_from(&self, place: String) {
        *self.secret_from.borrow_mut() = Some(place);
    }

    /// Why something ended, as a sentence.
    pub fn reason(&self, failure: &Failure) -> String {
        match (&*self.secret_from.borrow(), failure) {
            (Some(place), Failure::WrongSecret) => format!(
                "The code or passphrase in {place} didn't work; see what the other device asks for now."
            ),
            _ => capital(failure),
        }
    }

    pub fn listening(&self, listening: &Listening, code: Option<&Code>) {
        if self.json {
            let mut line = json!({
                "event": "listening",
                "addr": listening.addr.ip().to_string(),
                "port": listening.addr.port(),
                "device_id": listening.device_id.to_string(),
                "name": listening.name.as_str(),
            });
            if let Some(code) = code {
                line["code"] = json!(code.digits());
            }
            self.line(&line);
            return;
        }
        let port = listening.addr.port();
        self.say(&format!("{} is ready to receive.", listening.name));
        for ip in listening.addresses.iter().take(3) {
            let address = std::net::SocketAddr::new(*ip, port);
            self.say(&format!("  Address  {address}"));
        }
        self.say(&format!("  Saves to {}", listening.save_folder.display()));
        if let Some(code) = code {
            self.say(&format!("  Code     {}   (works once)", code.grouped()));
        }
    }

    pub fn code(&self, code: &Code, seconds: u64) {
        if self.json {
            self.line(&json!({"event": "code", "code": code.digits(), "seconds": seconds}));
        } else {
            self.say(&format!("  Code     {}   (works once)", code.grouped()));
        }
    }

    pub fn offer(&self, offer: &Offer) {
        if self.json {
            let mut line = json!({
                "event": "offer",
                "transfer": offer.transfer.to_string(),
                "from": offer.from.name.as_str(),
                "trust": offer.from.trust.as_str(),
                "entries": offer.entries,
                "bytes": offer.bytes,
            });
            if let Some(symbols) = &offer.symbols {
                line["symbols"] = json!(symbols.0.map(Symbol::name));
            }
            self.line(&line);
        } else {
            self.say(&format!("{}.", Self::offered(offer)));
        }
    }

    /// The offer in words: who, how much, what.
    pub fn offered(offer: &Offer) -> String {
        let more = offer.picked.saturating_sub(offer.names.len() as u64);
        let names = offer.names.iter().map(|name| shortened(name));
        let mut names = names.collect::<Vec<_>>().join(", ");
        if more > 0 {
            names.push_str(&format!(" and {more} more"));
        }
        format!(
            "“{}” ({}) offers {} ({}): {names}",
            offer.from.name,
            offer.from.address,
            items(offer.entries),
            size(offer.bytes),
        )
    }

    pub fn question(&self, offer: &Offer) {
        let room = match offer.free_bytes {
            Some(free) if free < offer.bytes => " There is not enough room!",
            Some(_) | None => "",
        };
        let so_far = if offer.counting { " so far" } else { "" };
        let offered = Self::offered(offer);
        self.put(match &offer.symbols {
            Some(symbols) => {
                format!("{offered}{so_far}.{room} {} Accept? [y/N] ", same(symbols))
            }
            None => format!("{offered}{so_far}.{room} Accept? [y/N] "),
        });
    }

    fn put(&self, question: String) {
        let mut err = std::io::stderr().lock();
        let _ = write!(err, "{question}").and_then(|()| err.flush());
        *self.question.borrow_mut() = Some(question);
    }

    /// Whoever typed has ended the line.
    pub fn answered(&self) {
        self.question.borrow_mut().take();
    }

    /// Nothing is asked any more.
    pub fn take_question_back(&self) {
        if self.question.borrow_mut().take().is_some() {
            self.warn("");
        }
    }

    /// What was typed is no answer to it.
    pub fn ask_again(&self) {
        // Given back before it is asked: an `if let` would hold it till its end.
        let question = self.question.borrow_mut().take();
        if let Some(question) = question {
            self.put(question);
        }
    }

    /// Tells something while a question may be open, so that an answer is never given to what only
    /// looks like one: the question comes once more.
    fn beside_question(&self, tell: impl FnOnce()) {
        let open = self.question.borrow_mut().take();
        if open.is_some() {
            let _ = writeln!(std::io::stderr().lock());
        }
        tell();
        if let Some(question) = open {
            self.put(question);
        }
    }

    /// Asks whether this very device is at the other end.
    pub fn compare(&self, symbols: &Symbols) {
        self.put(format!("{} [y/N] ", same(symbols)));
    }

    /// What both screens show, if nobody is in between.
    pub fn symbols(&self, transfer: TransferId, symbols: &Symbols) {
        if self.json {
            self.line(&json!({
                "event": "symbols",
                "transfer": transfer.to_string(),
                "symbols": symbols.0.map(Symbol::name),
            }));
        }
    }

    /// Of an offer whose sender has still to confirm the symbols, and looks at this screen.
    pub fn shows(&self, from: &Peer, symbols: &Symbols) {
        self.say(&format!(
            "“{}” ({}), not verified, wants to send. This screen shows {}.",
            from.name,
            from.address,
            symbols.words()
        ));
    }

    /// What somebody says: never as it is, or a terminal would obey it.
    pub fn message(&self, from: &Peer, id: MessageId, text: &str) {
        if self.json {
            self.line(&json!({
                "event": "message",
                "id": id.to_string(),
                "from": from.name.as_str(),
                "device_id": from.device_id.map(|id| id.to_string()),
                "text": text,
                // From anybody else none is taken.
                "verified": true,
                "trust": from.trust.as_str(),
            }));
        } else {
            self.say(&format!("{}: {}", from.name, displayable(text)));
        }
    }

    /// What became of what was said here.
    pub fn delivery(&self, to: Option<&Peer>, id: MessageId, delivery: Delivery) {
        let name = to.map_or("?", |peer| peer.name.as_str());
        if self.json {
            self.line(&json!({
                "event": "delivery",
                "id": id.to_string(),
                "to": name,
                "device_id": to.and_then(|peer| peer.device_id).map(|id| id.to_string()),
                "delivery": delivery,
            }));
            return;
        }
        self.say(&match delivery {
            Delivery::Waiting => format!("{name} does not have it yet."),
            Delivery::Delivered => format!("{name} has it."),
            Delivery::NotDelivered => format!("{name} does not have it."),
        });
    }

    /// Somebody who has proven nothing wants to say something.
    pub fn text_offer(&self, offer: &TextOffer) {
        if self.json {
            let mut line = json!({
                "event": "text-offer",
                "from": offer.from.name.as_str(),
                "device_id": offer.from.device_id.map(|id| id.to_string()),
                "trust": offer.from.trust.as_str(),
            });
            if let Some(symbols) = &offer.symbols {
                line["symbols"] = json!(symbols.0.map(Symbol::name));
            }
            self.line(&line);
        }
    }

    pub fn text_question(&self, TextOffer { from, symbols }: &TextOffer) {
        let who = format!("“{}” ({}), not verified", from.name, from.address);
        let symbols = symbols.as_ref();
        let same = symbols.map(|symbols| format!(" {}", same(symbols)));
        let same = same.unwrap_or_default();
        self.put(format!(
            "{who}, wants to send a text.{same} Show it? [y/N] "
        ));
    }

    /// It is called, and a person there is asked.
    pub fn calling(&self) {
        self.say(
            "The other device cannot be reached from here. Its screen asks whether to let it connect \
             to this one.",
        );
    }

    pub fn caller(&self, caller: &Caller) {
        self.json(&json!({
            "event": "caller",
            "name": caller.name.as_str(),
            "device_id": caller.device.to_string(),
            "state": match caller.stands {
                CallStands::Asks => "asks",
                CallStands::Connecting => "connecting",
                CallStands::Failed => "failed",
            },
        }));
        let name = &caller.name;
        match caller.stands {
            CallStands::Asks => self.say(&format!(
                "{name} wants to send you something and cannot reach this device."
            )),
            CallStands::Connecting => {}
            CallStands::Failed => self.say(&format!("{name} could not be reached.")),
        }
    }

    pub fn caller_question(&self, caller: &Caller) {
        let (name, id) = (&caller.name, caller.device.short());
        self.put(format!(
            "“{name}” ({id}), not verified, wants to send you something and cannot reach this device. \
             Connect to it? [y/N] "
        ));
    }

    pub fn paired(&self, peer: &Peer) {
        if self.json {
            self.line(&json!({
                "event": "paired",
                "name": peer.name.as_str(),
                "device_id": peer.device_id.map(|id| id.to_string()),
            }));
        } else {
            self.say(&format!("{} is remembered from now on.", peer.name));
        }
    }

    pub fn wants_to_be_remembered(&self, peer: &Peer) {
        self.say(&format!(
            "{} wants to be remembered. With --pair it would be, and need no code again.",
            peer.name
        ));
    }

    /// One JSON line; nothing for people.
    pub fn json(&self, value: &Value) {
        if self.json {
            self.line(value);
        }
    }

    pub fn is_json(&self) -> bool {
        self.json
    }

    pub fn state(&self, transfer: TransferId, state: TransferState) {
        if state == TransferState::Checking
            && let Some(remarks) = self.remarks.borrow_mut().get_mut(&transfer)
        {
            remarks.forget_failures();
        }
        if self.json {
            self.line(&json!({
                "event": "state",
                "transfer": transfer.to_string(),
                "state": state.as_str(),
            }));
            return;
        }
        match state {
            TransferState::Checking => self.say("Going on: what is there already is compared."),
            TransferState::Interrupted => {
                if let Some(bar) = self.bar.borrow_mut().take() {
                    bar.finish_and_clear();
                }
                self.say("The connection is gone; it goes on when the other device is back.");
            }
            TransferState::Calling => self.calling(),
            TransferState::Away => {
                self.say("The other device is not there; it is sent when it appears.");
            }
            TransferState::Running if self.shows_progress() => {
                let bar = ProgressBar::new(0);
                bar.set_draw_target(ProgressDrawTarget::stderr());
                // The template is a constant; the plain bar would do as well.
                if let Ok(style) = ProgressStyle::with_template(
                    "{bar:30} {percent:>3}%  {decimal_bytes} of {decimal_total_bytes}  {msg}",
                ) {
                    bar.set_style(style);
                }
                *self.bar.borrow_mut() = Some(bar);
            }
            // Where nobody is asked the answer comes at once: `waits` says it where somebody is.
            TransferState::Waiting
            | TransferState::Running
            | TransferState::Connecting
            | TransferState::Verifying
            | TransferState::Confirming
            | TransferState::Finishing => {}
        }
    }

    /// The offer is out, and has no answer yet.
    pub fn waits(&self) {
        self.say("Waiting for the other person to accept.");
    }

    /// Who holds it up, or that nobody does any more.
    pub fn held(&self, transfer: TransferId, holds: Holds) {
        let (by, hold) = match (holds.here, holds.there) {
            (Some(hold), _) => ("us", Some(hold)),
            (None, there) => ("peer", there),
        };
        if self.json {
            let mut line = json!({
                "event": "state",
                "transfer": transfer.to_string(),
                "state": if hold.is_some() { "paused" } else { TransferState::Running.as_str() },
            });
            if let Some(hold) = hold {
                line["by"] = json!(by);
                line["reason"] = json!(hold.as_str());
            }
            if let Some(Hold::NoRoom { needed_bytes }) = hold {
                line["needed_bytes"] = json!(needed_bytes);
            }
            self.line(&line);
            return;
        }
        let whose = if by == "us" { "This" } else { "The other" };
        self.say(&match hold {
            None => "It goes on.".to_owned(),
            Some(Hold::Person) => format!("{whose} device paused it."),
            Some(Hold::Turn) => "It waits for its turn: others are sent first.".to_owned(),
            Some(Hold::NoFiles) => format!(
                "{whose} device's disk can hold no more files. It goes on once some are deleted."
            ),
            Some(Hold::Quota) => format!(
                "The quota on {} device's disk is used up. It goes on once there is room.",
                whose.to_lowercase()
            ),
            Some(Hold::NoRoom { needed_bytes: 0 }) => {
                format!("{whose} device's disk is full. It goes on once there is room.")
            }
            Some(Hold::NoRoom { needed_bytes }) => format!(
                "{whose} device's disk needs {} more. It goes on once there is room.",
                size(needed_bytes)
            ),
        });
    }

    pub fn slept(&self, slept: std::time::Duration) {
        let slept = indicatif::HumanDuration(slept);
        self.say(&format!(
            "This computer slept for {slept}. Checking, then resuming."
        ));
    }

    /// To a program or on a terminal; otherwise nobody sees it.
    pub fn shows_progress(&self) -> bool {
        self.json || std::io::stderr().is_terminal()
    }

    pub fn progress(&self, progress: &Progress) {
        if self.json {
            self.line(&json!({
                "event": "progress",
                "transfer": progress.transfer.to_string(),
                "bytes": progress.bytes,
                "total_bytes": progress.total_bytes,
                "bytes_per_second": progress.bytes_per_second,
                "eta_seconds": progress.eta.map(|eta| eta.as_secs()),
            }));
        } else if let Some(bar) = &*self.bar.borrow() {
            bar.set_length(progress.total_bytes);
            bar.set_position(progress.bytes);
            let speed = size(progress.bytes_per_second);
            let left = progress.eta.map_or(String::new(), |eta| {
                format!("  {} left", indicatif::HumanDuration(eta))
            });
            bar.set_message(format!("{speed}/s{left}"));
        }
    }

    /// What became of files. Of many small ones much comes at once, and is written at once.
    pub fn files(&self, transfer: TransferId, files: &[FileReport]) {
        if self.json {
            let transfer = transfer.to_string();
            let mut lines = Vec::new();
            for file in files {
                let line = FileLine::new(&transfer, file);
                // Memory does not refuse it.
                let _ = serde_json::to_writer(&mut lines, &line);
                lines.push(b'\n');
            }
            self.print(&lines);
            return;
        }
        let mut remarks = self.remarks.borrow_mut();
        let remarks = remarks.entry(transfer).or_default();
        files.iter().for_each(|file| remarks.note(file));
    }

    pub fn transfer(&self, summary: &Summary) {
        if let Some(bar) = self.bar.borrow_mut().take() {
            bar.finish_and_clear();
        }
        let remarks = match summary.status {
            // It may go on.
            Status::Interrupted => None,
            _over => self.remarks.borrow_mut().remove(&summary.transfer),
        };
        if self.json {
            self.line(&json!({
                "event": "transfer",
                "transfer": summary.transfer.to_string(),
                "direction": summary.direction.as_str(),
                "status": summary.status.as_str(),
                "entries": summary.entries,
                "bytes": summary.bytes,
                "failed": summary.failed,
                "skipped": summary.skipped,
                "seconds": summary.elapsed.as_secs_f64(),
                "sent_bytes": summary.sent_bytes,
            }));
            let declined_here =
                summary.status == Status::Declined && summary.direction == Direction::Receive;
            if declined_here {
                self.error("declined", "It was declined here.");
            } else if let (Some(failure), false) =
                (&summary.failure, summary.status == Status::Arrived)
            {
                self.error(failure.code(), &self.reason(failure));
            }
            return;
        }
        let (verb, with) = match summary.direction {
            Direction::Send => ("Sent", format!("to {}", summary.peer.name)),
            Direction::Receive => ("Received", format!("from {}", summary.peer.name)),
        };
        match summary.status {
            Status::Arrived | Status::Problems => {
                let missing = summary.failed.saturating_add(summary.skipped);
                let arrived = summary.entries.saturating_sub(missing);
                let mut sentence = format!(
                    "{verb} {} ({}) {with} in {:.1} s, checked.",
                    items(arrived),
                    size(summary.bytes),
                    summary.elapsed.as_secs_f64(),
                );
                if summary.skipped > 0 {
                    let skipped = items(summary.skipped);
                    sentence.push_str(&format!(" {skipped} left out: others have their names."));
                }
                if summary.failed > 0 {
                    sentence.push_str(&format!(" {} failed.", items(summary.failed)));
                }
                self.say(&sentence);
                let lines = remarks.unwrap_or_default().lines(summary);
                lines.iter().for_each(|line| self.say(line));
            }
            Status::Declined if summary.direction == Direction::Receive => self.warn("Declined."),
            Status::Declined | Status::Cancelled(_) | Status::Interrupted | Status::Failed => {
                let reason = summary.failure.as_ref();
                let reason = reason.map(|failure| self.reason(failure));
                self.warn(&reason.unwrap_or_else(|| "It did not arrive.".into()));
            }
        }
    }

    pub fn safe(&self, transfer: TransferId) {
        if self.json {
            self.line(&json!({"event": "safe", "transfer": transfer.to_string()}));
        }
    }

    /// It arrived, but a power cut now might still lose it.
    pub fn not_safe(&self, problem: Option<&Problem>) {
        let reason = match problem {
            Some(problem) => format!("the disk says: {problem}"),
            None => "the connection ended before the other side said so".into(),
        };
        let sentence =
            format!("It arrived, but it is not certain that it survives a power cut: {reason}.");
        match self.json {
            true => self.error("not-safe", &sentence),
            false => self.warn(&sentence),
        }
    }

    pub fn trouble(&self, trouble: &Trouble) {
        if self.json {
            self.error(trouble.code, &trouble.sentence);
        }
        // Where nothing can be written for a program, a person may still read it.
        if !self.json || self.unwritten().is_some() {
            self.warn(&trouble.sentence);
        }
    }

    /// A sentence for people on stderr, also with `--json`.
    pub fn warn(&self, sentence: &str) {
        self.beside_question(|| {
            let _ = writeln!(std::io::stderr().lock(), "{sentence}");
        });
    }

    /// A sentence for people on stdout, above the progress bar if there is one.
    pub fn say(&self, sentence: &str) {
        if self.json {
            return;
        }
        let print = || {
            let mut out = std::io::stdout().lock();
            self.noted(writeln!(out, "{sentence}").and_then(|()| out.flush()));
        };
        self.beside_question(|| match &*self.bar.borrow() {
            Some(bar) if std::io::stderr().is_terminal() => bar.suspend(print),
            Some(_) | None => print(),
        });
    }

    fn error(&self, code: &str, message: &str) {
        self.line(&json!({"event": "error", "code": code, "message": message}));
    }

    fn line(&self, value: &Value) {
        let mut line = harmless(value.to_string());
        line.push('\n');
        self.print(line.as_bytes());
    }

    fn print(&self, lines: &[u8]) {
        let mut out = std::io::stdout().lock();
        self.noted(out.write_all(lines).and_then(|()| out.flush()));
    }

    fn noted(&self, written: std::io::Result<()>) {
        if let Err(error) = written
            && error.kind() != std::io::ErrorKind::BrokenPipe
        {
            self.unwritten.borrow_mut().get_or_insert(error);
        }
    }

    /// Why not all that was said can be read, if so.
    pub fn unwritten(&self) -> Option<String> {
        self.unwritten.borrow().as_ref().map(ToString::to_string)
    }
}

/// JSON leaves some characters as they are that terminals obey, or that turn a line around. Escaped they
/// mean the same.
fn harmless(json: String) -> String {
    let acts = |character: char| {
        matches!(character, '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !json.chars().any(acts) {
        return json;
    }
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        if acts(character) {
            escaped.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// One of possibly a million.
#[derive(Serialize)]
struct FileLine<'a> {
    event: &'static str,
    transfer: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    original: Option<&'a str>,
    bytes: u64,
    blake3: Option<String>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl<'a> FileLine<'a> {
    fn new(transfer: &'a str, file: &'a FileReport) -> Self {
        Self {
            event: "file",
            transfer,
            path: &file.path,
            original: file.original.as_deref(),
            bytes: file.len_bytes,
            blake3: file.blake3.map(|hash| HEXLOWER.encode(&hash)),
            status: file.status.as_str(),
            reason: match &file.status {
                EntryStatus::Failed(problem) => Some(problem.to_string()),
                EntryStatus::Arrived | EntryStatus::AlreadyThere | EntryStatus::Skipped => None,
            },
        }
    }
}
