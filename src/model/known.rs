//! Devices that are remembered, and what they may.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bond {
    /// The person here wants to remember it; the one there has not said so yet.
    Wished,
    /// Both have.
    Paired,
    /// It no longer knows this device.
    ForgottenThere,
    /// It gets in by no way.
    Blocked,
}

/// What happens to offers of a paired device.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The person is asked, unless the server accepts all.
    #[default]
    Ask,
    /// Accepted by itself, up to so many bytes; more is asked.
    Accept {
        /// The save folder, if none is given.
        folder: Option<PathBuf>,
        max_bytes: Option<u64>,
    },
    /// Declined by itself.
    Never,
}

/// Who gets as far as an offer. Each includes those below.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Allow {
    /// Everybody; who proves nothing shows symbols that both people compare.
    Anyone,
    /// Who knows the code or the passphrase.
    #[default]
    Code,
    /// Paired devices alone.
    Paired,
}

/// By what a server lets in, as its hello says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    Code,
    Passphrase,
    /// Nothing is proven; people compare symbols.
    Ask,
    Pair,
}
