//! How far somebody at the other end of a connection has proven itself.

/// From nothing to everything; the order is meant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Trust {
    /// Its key, by the handshake, and nothing else.
    #[default]
    None,
    /// Both ends show the same symbols, if nobody is in between; not both people have said so.
    Asked,
    /// It knew a code, a passphrase or a session key, or both people have compared the symbols.
    Verified,
    /// The device is remembered and has proven the pair key.
    Known,
}

impl Trust {
    pub fn is_verified(self) -> bool {
        self >= Self::Verified
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Asked => "asked",
            Self::Verified => "verified",
            Self::Known => "known",
        }
    }
}
