//! The gate: which secret opens the server now, and how many guesses are left.
//!
//! A one-time code dies with its first success, its third wrong try or after ten minutes, and a new
//! one takes its place. A passphrase stays. Every guess costs a token that only success gives back,
//! so renewing codes does not renew guesses. No clock and no randomness of its own.

use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::model::{Code, Secret};
use crate::protocol::message::Method;

/// A code is read aloud and typed at once; later it is only a risk.
pub const CODE_LIFE: Duration = Duration::from_secs(600);
/// Somebody may be typing the old code when its time is over.
const CODE_GRACE: Duration = Duration::from_secs(30);
/// Enough for a slip of the finger.
const CODE_TRIES: u32 = 3;
/// Guesses at codes before the bucket is empty: 10 in a million, and one more a minute.
const CODE_TOKENS: u32 = 10;
/// Many clients may prove a passphrase at the same moment; a passphrase bears more guesses.
const PASSPHRASE_TOKENS: u32 = 256;
const TOKEN_BACK_EVERY: Duration = Duration::from_secs(60);

pub struct Gate {
    mode: Mode,
    tokens: u32,
    refilled: Instant,
    generation: u64,
}

enum Mode {
    Closed,
    Passphrase(Secret),
    Code {
        current: Issued,
        /// Its time is over, but somebody may be typing it.
        previous: Option<Issued>,
    },
}

struct Issued {
    code: Code,
    generation: u64,
    tries_left: u32,
    dies: Instant,
}

/// The right to try one secret once.
pub struct Ticket {
    pub secret: Zeroizing<Vec<u8>>,
    generation: u64,
}

/// What a wrong try led to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wrong {
    pub tries_left: u32,
}

impl Gate {
    pub fn closed(now: Instant) -> Self {
        Self {
            mode: Mode::Closed,
            tokens: CODE_TOKENS,
            refilled: now,
            generation: 0,
        }
    }

    pub fn close(&mut self) {
        self.mode = Mode::Closed;
    }

    pub fn open_with_passphrase(&mut self, passphrase: Secret) {
        self.mode = Mode::Passphrase(passphrase);
        self.tokens = PASSPHRASE_TOKENS;
    }

    /// Opens with a code, or replaces the code. A person's own wish for a new one also ends the
    /// rest that too many guesses brought.
    pub fn open_with_code(&mut self, code: Code, now: Instant, asked_for: bool) {
        self.generation += 1;
        let current = Issued {
            code,
            generation: self.generation,
            tries_left: CODE_TRIES,
            dies: now + CODE_LIFE,
        };
        self.mode = Mode::Code {
            current,
            previous: None,
        };
        self.tokens = self.tokens.min(CODE_TOKENS);
        if asked_for {
            self.tokens = CODE_TOKENS;
        }
    }

    /// What the server's hello says.
    pub fn method(&self) -> Option<Method> {
        match self.mode {
            Mode::Closed => None,
            Mode::Passphrase(_) => Some(Method::Passphrase),
            Mode::Code { .. } => Some(Method::Code),
        }
    }

    pub fn code(&self) -> Option<&Code> {
        match &self.mode {
            Mode::Code { current, .. } => Some(&current.code),
            Mode::Closed | Mode::Passphrase(_) => None,
        }
    }

    /// When [`Self::code_is_over`] is worth asking again.
    pub fn next_change(&self) -> Option<Instant> {
        match &self.mode {
            Mode::Code { current, .. } => Some(current.dies),
            Mode::Closed | Mode::Passphrase(_) => None,
        }
    }

    /// The code's ten minutes are over: the caller makes a new one and calls [`Self::renew`].
    pub fn code_is_over(&self, now: Instant) -> bool {
        self.next_change().is_some_and(|dies| now >= dies)
    }

    /// Replaces a code whose time is over; the old one works a little longer.
    pub fn renew(&mut self, code: Code, now: Instant) {
        let old = std::mem::replace(&mut self.mode, Mode::Closed);
        self.open_with_code(code, now, false);
        if let (
            Mode::Code {
                current: mut old, ..
            },
            Mode::Code { previous, .. },
        ) = (old, &mut self.mode)
        {
            old.dies = now + CODE_GRACE;
            *previous = Some(old);
        }
    }

    /// Takes a token and gives what the client has to prove; `None`: not now, not this way.
    pub fn ticket(&mut self, method: Method, now: Instant) -> Option<Ticket> {
        self.refill(now);
        let ticket = match (&self.mode, method) {
            (Mode::Passphrase(secret), Method::Passphrase) => Ticket {
                secret: secret.passphrase_bytes(),
                generation: 0,
            },
            (Mode::Code { current, previous }, Method::Code) => {
                // In its half minute of grace the old code is the likelier one to be typed.
                let issued = previous
                    .as_ref()
                    .filter(|old| now < old.dies)
                    .unwrap_or(current);
                Ticket {
                    secret: issued.code.secret().code_bytes(),
                    generation: issued.generation,
                }
            }
            (Mode::Closed | Mode::Passphrase(_) | Mode::Code { .. }, _) => return None,
        };
        self.tokens = self.tokens.checked_sub(1)?;
        Some(ticket)
    }

    /// The client has proven it. `false` if somebody else was quicker with the same code. After a
    /// `true` for a code, the code is dead and `new_code` takes its place.
    pub fn succeeded(&mut self, ticket: &Ticket, now: Instant, new_code: Code) -> bool {
        let alive = match &self.mode {
            Mode::Closed => false,
            Mode::Passphrase(_) => ticket.generation == 0,
            Mode::Code { current, previous } => {
                let generations = [Some(current), previous.as_ref()];
                generations
                    .into_iter()
                    .flatten()
                    .any(|issued| issued.generation == ticket.generation)
            }
        };
        if alive {
            self.tokens = self.tokens.saturating_add(1);
            if matches!(self.mode, Mode::Code { .. }) {
                self.open_with_code(new_code, now, false);
            }
        }
        alive
    }

    /// The client could not prove it. The third time the code dies and `new_code` takes its place.
    pub fn failed(&mut self, ticket: &Ticket, now: Instant, new_code: Code) -> Wrong {
        let tokens = self.tokens;
        let Mode::Code { current, previous } = &mut self.mode else {
            return Wrong { tries_left: tokens };
        };
        if previous
            .as_ref()
            .is_some_and(|old| old.generation == ticket.generation)
        {
            // The next try is for the code on the screen.
            *previous = None;
        } else if current.generation == ticket.generation {
            current.tries_left = current.tries_left.saturating_sub(1);
            if current.tries_left == 0 {
                self.open_with_code(new_code, now, false);
                return Wrong { tries_left: 0 };
            }
        }
        let Mode::Code { current, .. } = &self.mode else {
            return Wrong { tries_left: 0 };
        };
        Wrong {
            tries_left: current.tries_left.min(self.tokens),
        }
    }

    fn refill(&mut self, now: Instant) {
        let most = match self.mode {
            Mode::Passphrase(_) => PASSPHRASE_TOKENS,
            Mode::Closed | Mode::Code { .. } => CODE_TOKENS,
        };
        while now.saturating_duration_since(self.refilled) >= TOKEN_BACK_EVERY {
            self.refilled += TOKEN_BACK_EVERY;
            if self.tokens >= most {
                self.refilled = now;
                break;
            }
            self.tokens += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(n: u32) -> Code {
        Code::generate(|bytes| {
            bytes.copy_from_slice(&n.to_be_bytes());
            Ok::<(), ()>(())
        })
        .unwrap()
    }

    fn open(now: Instant) -> Gate {
        let mut gate = Gate::closed(now);
        gate.open_with_code(code(1), now, true);
        gate
    }

    #[test]
    fn a_code_is_dead_after_its_first_success_even_for_two_at_once() {
        let now = Instant::now();
        let mut gate = open(now);
        let first = gate.ticket(Method::Code, now).unwrap();
        let second = gate.ticket(Method::Code, now).unwrap();
        assert!(gate.succeeded(&first, now, code(2)));
        assert!(!gate.succeeded(&second, now, code(3)));
        assert_eq!(gate.code().unwrap().digits(), "000002");
    }

    #[test]
    fn three_wrong_tries_kill_a_code() {
        let now = Instant::now();
        let mut gate = open(now);
        for left in [2, 1, 0] {
            let ticket = gate.ticket(Method::Code, now).unwrap();
            assert_eq!(gate.failed(&ticket, now, code(9)).tries_left, left);
        }
        assert_eq!(gate.code().unwrap().digits(), "000009");
    }

    #[test]
    fn new_codes_do_not_renew_the_guesses_but_a_person_does() {
        let now = Instant::now();
        let mut gate = open(now);
        let mut guesses = 0;
        while let Some(ticket) = gate.ticket(Method::Code, now) {
            gate.failed(&ticket, now, code(guesses + 10));
            guesses += 1;
            assert!(guesses <= CODE_TOKENS);
        }
        assert_eq!(guesses, CODE_TOKENS);
        let minute = now + TOKEN_BACK_EVERY;
        assert!(gate.ticket(Method::Code, minute).is_some());
        assert!(gate.ticket(Method::Code, minute).is_none());
        gate.open_with_code(code(1), minute, true);
        assert!(gate.ticket(Method::Code, minute).is_some());
    }

    #[test]
    fn an_expired_code_works_half_a_minute_longer() {
        let now = Instant::now();
        let mut gate = open(now);
        let later = now + CODE_LIFE;
        assert!(!gate.code_is_over(later - Duration::from_secs(1)));
        assert!(gate.code_is_over(later));
        gate.renew(code(2), later);
        let typed = gate.ticket(Method::Code, later).unwrap();
        assert_eq!(typed.secret.as_slice(), b"000001");
        let after = later + CODE_GRACE;
        let typed = gate.ticket(Method::Code, after).unwrap();
        assert_eq!(typed.secret.as_slice(), b"000002");
    }

    #[test]
    fn a_passphrase_stays_valid_and_other_ways_are_closed() {
        let now = Instant::now();
        let mut gate = Gate::closed(now);
        assert!(gate.ticket(Method::Code, now).is_none());
        gate.open_with_passphrase(Secret::passphrase("correct horse").unwrap());
        assert!(gate.ticket(Method::Code, now).is_none());
        for _ in 0..500 {
            let ticket = gate.ticket(Method::Passphrase, now).unwrap();
            assert!(gate.succeeded(&ticket, now, code(0)));
        }
    }
}
