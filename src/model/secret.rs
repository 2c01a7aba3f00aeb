//! Secrets people read and type: the one-time code and the passphrase.
//!
//! Neither can be printed by accident: `Debug` shows `***`, and memory is wiped when they go.

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// What a person typed to prove that the other person let them in.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Secret(String);

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SecretError {
    #[error("the code or passphrase is empty")]
    Empty,
    #[error("the code or passphrase is longer than 1024 bytes")]
    TooLong,
    #[error("a passphrase needs at least 8 characters")]
    TooShort,
}

impl Secret {
    /// Nobody types more; it bounds what is hashed for a stranger.
    pub const MAX_BYTES: usize = 1024;
    /// Below this a passphrase that stays valid is worth less than a one-time code.
    pub const MIN_PASSPHRASE_CHARS: usize = 8;

    /// Takes what was typed or read from a file. White space at the ends is not part of it.
    pub fn new(typed: &str) -> Result<Self, SecretError> {
        // Some editors put a mark at the beginning of a file.
        let typed = typed.trim_start_matches('\u{feff}').trim();
        if typed.is_empty() {
            return Err(SecretError::Empty);
        }
        if typed.len() > Self::MAX_BYTES {
            return Err(SecretError::TooLong);
        }
        Ok(Self(typed.to_owned()))
    }

    /// The same, for a secret that is to stay valid for many connections.
    pub fn passphrase(typed: &str) -> Result<Self, SecretError> {
        let secret = Self::new(typed)?;
        // As it is proven: a letter and its accent are one, however they were typed.
        if secret.0.nfc().count() < Self::MIN_PASSPHRASE_CHARS {
            return Err(SecretError::TooShort);
        }
        Ok(secret)
    }

    /// The bytes that go into the key exchange when the other end asked for a passphrase:
    /// Unicode NFC, so that composed and decomposed spellings of one text are equal.
    pub fn passphrase_bytes(&self) -> zeroize::Zeroizing<Vec<u8>> {
        let normal: String = self.0.nfc().collect();
        zeroize::Zeroizing::new(normal.into_bytes())
    }

    /// Whether it may be a code at all.
    pub fn is_code(&self) -> bool {
        let bytes = self.code_bytes();
        bytes.len() == Code::DIGITS && bytes.iter().all(u8::is_ascii_digit)
    }

    /// The bytes for a code: its digits (full-width ones too), whatever stands between them.
    pub fn code_bytes(&self) -> zeroize::Zeroizing<Vec<u8>> {
        let digits = self
            .0
            .nfkc()
            .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '\u{2010}'..='\u{2015}'))
            .collect::<String>();
        zeroize::Zeroizing::new(digits.into_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Six digits in two groups, shown by the receiving device: `427 913`.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Code(String);

impl Code {
    pub const DIGITS: usize = 6;

    /// Makes a code of random bytes. The few values that would make some codes likelier are
    /// skipped (rejection sampling); `fill` is asked again for them.
    pub fn generate<E>(mut fill: impl FnMut(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        const SPACE: u32 = 10_u32.pow(Code::DIGITS as u32);
        const FAIR: u32 = u32::MAX - u32::MAX % SPACE;
        loop {
            let mut bytes = [0; 4];
            fill(&mut bytes)?;
            let drawn = u32::from_be_bytes(bytes);
            if drawn < FAIR {
                return Ok(Self(format!("{:06}", drawn % SPACE)));
            }
        }
    }

    /// As people read it aloud: two groups of three.
    pub fn grouped(&self) -> String {
        let (first, second) = self.0.split_at(Self::DIGITS / 2);
        format!("{first} {second}")
    }

    pub fn digits(&self) -> &str {
        &self.0
    }

    pub fn secret(&self) -> Secret {
        Secret(self.0.clone())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_printed_by_debug() {
        let code = Code::generate(|b| {
            b.copy_from_slice(&427_913_u32.to_be_bytes());
            Ok::<(), ()>(())
        })
        .unwrap();
        assert_eq!(code.grouped(), "427 913");
        assert_eq!(
            format!("{code:?} {:?}", code.secret()),
            "Code(***) Secret(***)"
        );
    }

    #[test]
    fn a_code_may_be_typed_with_or_without_its_gap() {
        for typed in [
            "427913",
            "427 913",
            " 427-913\n",
            "４２７９１３",
            "427\u{2009}913",
        ] {
            let secret = Secret::new(typed).unwrap();
            assert_eq!(secret.code_bytes().as_slice(), b"427913", "{typed:?}");
            assert!(secret.is_code(), "{typed:?}");
        }
    }

    #[test]
    fn composed_and_decomposed_passphrases_are_equal() {
        let composed = Secret::passphrase("caf\u{e9} au lait").unwrap();
        let decomposed = Secret::passphrase("cafe\u{301} au lait").unwrap();
        assert_eq!(composed.passphrase_bytes(), decomposed.passphrase_bytes());
    }

    #[test]
    fn empty_short_and_huge_secrets_are_refused() {
        assert_eq!(Secret::new(" \n"), Err(SecretError::Empty));
        assert_eq!(Secret::new(&"x".repeat(10_240)), Err(SecretError::TooLong));
        assert_eq!(Secret::passphrase("1234567"), Err(SecretError::TooShort));
        let seven: String = "äöüéèñç".nfd().collect();
        assert_eq!(Secret::passphrase(&seven), Err(SecretError::TooShort));
        let marked = Secret::new("\u{feff}correct horse\n").unwrap();
        assert_eq!(marked.passphrase_bytes().as_slice(), b"correct horse");
        for no_code in ["12345", "1234567", "abcdef", "12345x"] {
            assert!(!Secret::new(no_code).unwrap().is_code(), "{no_code}");
        }
    }

    #[test]
    fn unfair_draws_are_drawn_again() {
        let mut draws = [u32::MAX, 7].into_iter();
        let code = Code::generate(|b| {
            b.copy_from_slice(&draws.next().unwrap().to_be_bytes());
            Ok::<(), ()>(())
        });
        assert_eq!(code.unwrap().digits(), "000007");
    }
}
