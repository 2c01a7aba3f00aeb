//! What a headless run waits for: the engine's events, Ctrl-C, and the person's answers, in one
//! place, so that the loop sleeps until one of them comes.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::Trouble;
use crate::engine::Event;

const PRESSES_THAT_KILL: u32 = 3;

pub enum Input {
    Event(Event),
    /// Ctrl-C, or the system asks us to end.
    Interrupt,
    /// What the person typed, and when.
    Line(String, Instant),
}

/// Forgets what was typed and not read yet, a line without its end included.
pub fn drop_typed() {
    #[cfg(unix)]
    {
        use rustix::termios::{QueueSelector, tcflush};
        // It fails where there is no terminal, and then nothing was typed.
        let _ = tcflush(std::io::stdin(), QueueSelector::IFlush);
    }
}

enum Token {
    Event,
    Interrupt,
    Line(String, Instant),
}

/// Before the engine is there: the way its wake-ups come.
pub struct Waking {
    tokens: Receiver<Token>,
    sender: Sender<Token>,
}

pub struct Inputs {
    tokens: Receiver<Token>,
    sender: Sender<Token>,
    events: Receiver<Event>,
}

impl Inputs {
    #[allow(clippy::new_ret_no_self)]
    pub fn new() -> Result<(Waking, impl Fn() + Send + Sync + 'static), Trouble> {
        let (sender, tokens) = channel();
        let interrupt = sender.clone();
        let mut pressed = 0;
        ctrlc::set_handler(move || {
            // The first one asks, the second one insists; the third one does not even wait for a
            // disk that does not answer.
            pressed += 1;
            if pressed >= PRESSES_THAT_KILL || super::secret::interrupted_while_typing() {
                std::process::exit(super::Exit::Interrupted as i32);
            }
            let _ = interrupt.send(Token::Interrupt);
        })
        .map_err(|error| {
            Trouble::usage("signals", format!("Ctrl-C cannot be watched: {error}."))
        })?;
        let wake = sender.clone();
        let waking = Waking { tokens, sender };
        Ok((waking, move || {
            let _ = wake.send(Token::Event);
        }))
    }

    /// Waits for the next input.
    pub fn next(&self) -> Input {
        loop {
            match self.tokens.recv() {
                Ok(token) => {
                    if let Some(input) = self.input(token) {
                        return input;
                    }
                }
                // Impossible while this holds a sender; treated as a wish to end.
                Err(_gone) => return Input::Interrupt,
            }
        }
    }

    /// The same, but only until then.
    pub fn next_before(&self, deadline: Instant) -> Option<Input> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.tokens.recv_timeout(left.max(Duration::from_millis(1))) {
                Ok(token) => {
                    if let Some(input) = self.input(token) {
                        return Some(input);
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// From now on lines typed on the terminal come as [`Input::Line`].
    pub fn read_lines(&self) {
        let answer = self.sender.clone();
        let reading = std::thread::Builder::new().name("lines".into());
        // Without the thread nobody answers, and the sender gives up one day.
        let _ = reading.spawn(move || {
            for line in std::io::stdin().lines() {
                let Ok(line) = line else { return };
                if answer.send(Token::Line(line, Instant::now())).is_err() {
                    return;
                }
            }
        });
    }

    fn input(&self, token: Token) -> Option<Input> {
        match token {
            // One event at most for each token: none is lost, none is waited for.
            Token::Event => self.events.try_recv().ok().map(Input::Event),
            Token::Interrupt => Some(Input::Interrupt),
            Token::Line(line, at) => Some(Input::Line(line, at)),
        }
    }
}

impl Waking {
    pub fn with(self, events: Receiver<Event>) -> Inputs {
        Inputs {
            tokens: self.tokens,
            sender: self.sender,
            events,
        }
    }
}
