//! The gate: which secret opens the server now, and how many guesses are left.
//!
//! A one-time code dies with its first success, its third wrong try or after ten minutes, and a new
//! one takes its place. A passphrase stays. Every guess costs a token that only success gives back,
//! so renewing codes does not renew guesses; when those for codes are used up, code entry rests until
//! a person wants a new code. Session keys and pair keys cannot be guessed and cost nothing here. No
//! clock and no randomness of its own.

mod guesses;

use std::net::IpAddr;
use std::time::Instant;

use zeroize::Zeroizing;

use super::limits::{
    ASKS, ASKS_NEAR, CODE_GRACE, CODE_GUESSES, CODE_GUESSES_NEAR, CODE_LIFE, CODE_TRIES,
    PASSPHRASE_GUESSES, PASSPHRASE_GUESSES_NEAR,
};
use crate::model::{Allow, Code, Secret};
use crate::protocol::message::Method;
use guesses::Guesses;

pub struct Gate {
    mode: Mode,
    allow: Allow,
    codes: Guesses,
    passphrases: Guesses,
    /// Asks that were not accepted.
    asked: Guesses,
    /// The guesses for codes were used up. A minute does not change that, a person does.
    rests: bool,
    generation: u64,
}

enum Mode {
    Closed,
    Passphrase(Secret, u64),
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

/// The right to try one secret once. One that is dropped has cost its tokens all the same.
pub struct Ticket {
    pub secret: Zeroizing<Vec<u8>>,
    generation: u64,
    way: Way,
    from: IpAddr,
}

#[derive(Clone, Copy)]
enum Way {
    Code,
    Passphrase,
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
            allow: Allow::default(),
            codes: Guesses::new(CODE_GUESSES, CODE_GUESSES_NEAR, now),
            passphrases: Guesses::new(PASSPHRASE_GUESSES, PASSPHRASE_GUESSES_NEAR, now),
            asked: Guesses::new(ASKS, ASKS_NEAR, now),
            rests: false,
            generation: 0,
        }
    }

    pub fn close(&mut self) {
        self.mode = Mode::Closed;
    }

    /// Who gets as far as an offer, of those who come from now on.
    pub fn set_allow(&mut self, allow: Allow) {
        self.allow = allow;
    }

    pub fn open_with_passphrase(&mut self, passphrase: Secret) {
        self.generation += 1;
        self.mode = Mode::Passphrase(passphrase, self.generation);
        self.passphrases.fill();
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
        if asked_for {
            self.codes.fill();
            self.rests = false;
        }
    }

    /// What the server's hello says of secrets. It does not tell that codes rest.
    pub fn method(&self) -> Option<Method> {
        match self.mode {
            _ if self.allow == Allow::Paired => None,
            Mode::Closed => None,
            Mode::Passphrase(..) => Some(Method::Passphrase),
            Mode::Code { .. } => Some(Method::Code),
        }
    }

    /// Whether who proves nothing may show symbols.
    pub fn asks(&self) -> bool {
        self.allow == Allow::Anyone && !matches!(self.mode, Mode::Closed)
    }

    /// Whether anybody gets in who is not known.
    pub fn takes_strangers(&self) -> bool {
        self.asks() || self.method().is_some()
    }

    /// Takes a token for showing symbols to somebody; [`Self::accepted`] gives it back.
    pub fn ask(&mut self, from: IpAddr, now: Instant) -> bool {
        self.asks() && self.asked.take(from, now)
    }

    /// The person here has compared the symbols.
    pub fn accepted(&mut self, from: IpAddr) {
        self.asked.give_back(from);
    }

    /// No code is taken until [`Self::open_with_code`] is asked for.
    pub fn rests(&self) -> bool {
        self.rests && self.code().is_some()
    }

    /// The one to show; none if it would let nobody in.
    pub fn code(&self) -> Option<&Code> {
        match &self.mode {
            Mode::Code { current, .. } if self.allow != Allow::Paired => Some(&current.code),
            Mode::Closed | Mode::Passphrase(..) | Mode::Code { .. } => None,
        }
    }

    /// When [`Self::code_is_over`] is worth asking again.
    pub fn next_change(&self) -> Option<Instant> {
        match &self.mode {
            Mode::Code { current, .. } => Some(current.dies),
            Mode::Closed | Mode::Passphrase(..) => None,
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
    pub fn ticket(&mut self, method: Method, from: IpAddr, now: Instant) -> Option<Ticket> {
        if self.method() != Some(method) {
            return None;
        }
        let ticket = match &self.mode {
            Mode::Closed => return None,
            Mode::Passphrase(secret, generation) => Ticket {
                secret: secret.passphrase_bytes(),
                generation: *generation,
                way: Way::Passphrase,
                from,
            },
            Mode::Code { current, previous } => {
                // In its half minute of grace the old code is the likelier one to be typed.
                let issued = previous
                    .as_ref()
                    .filter(|old| now < old.dies)
                    .unwrap_or(current);
                Ticket {
                    secret: issued.code.secret().code_bytes(),
                    generation: issued.generation,
                    way: Way::Code,
                    from,
                }
            }
        };
        let taken = match ticket.way {
            Way::Code if self.rests => false,
            Way::Code => {
                let taken = self.codes.take(from, now);
                self.rests = self.codes.left() == 0;
                taken
            }
            Way::Passphrase => self.passphrases.take(from, now),
        };
        taken.then_some(ticket)
    }

    /// The client has proven it, so it was no guess. `false` if somebody else was quicker with the
    /// same code. After a `true` for a code, the code is dead and `new_code` takes its place.
    pub fn succeeded(&mut self, ticket: &Ticket, now: Instant, new_code: Code) -> bool {
        match ticket.way {
            Way::Code => {
                self.codes.give_back(ticket.from);
                self.rests = false;
            }
            Way::Passphrase => self.passphrases.give_back(ticket.from),
        }
        let alive = match &self.mode {
            _ if self.allow == Allow::Paired => false,
            Mode::Closed => false,
            Mode::Passphrase(_, generation) => *generation == ticket.generation,
            Mode::Code { current, previous } => {
                let generations = [Some(current), previous.as_ref()];
                generations
                    .into_iter()
                    .flatten()
                    .any(|issued| issued.generation == ticket.generation)
            }
        };
        if alive && matches!(self.mode, Mode::Code { .. }) {
            self.open_with_code(new_code, now, false);
        }
        alive
    }

    /// The client could not prove it. The third time the code dies and `new_code` takes its place.
    pub fn failed(&mut self, ticket: &Ticket, now: Instant, new_code: Code) -> Wrong {
        let Mode::Code { current, previous } = &mut self.mode else {
            return Wrong {
                tries_left: self.passphrases.left(),
            };
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
            tries_left: current.tries_left.min(self.codes.left()),
        }
    }
}

#[cfg(test)]
mod tests;
