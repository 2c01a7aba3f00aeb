//! The wire, without I/O: frames, messages, verification, and the two machines of a transfer.
//!
//! TCP is a stream, so [`frame`] gives messages their edges; [`message`] gives frames their
//! meaning; [`verification`] proves that both ends know a secret; [`sender`] and [`receiver`] carry
//! one transfer; [`striping`] puts its frames in order where several connections carry them;
//! [`talking`] is a conversation. Everything here takes bytes and facts in and gives bytes and jobs out: sockets,
//! files, clocks and randomness are handed in. PROTOCOL.md is the same in prose.

// Tests may count and index as they like; the library build is held to all of it.
#![cfg_attr(
    not(test),
    warn(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        clippy::wildcard_enum_match_arm
    )
)]

pub mod buffers;
pub mod bulk;
pub mod frame;
pub mod message;
pub mod receiver;
pub mod sender;
pub mod striping;
pub mod talking;
pub mod verification;

mod object;
mod outcomes;

#[cfg(test)]
mod going_on_tests;
#[cfg(test)]
mod pair_tests;
#[cfg(test)]
mod power_cut_tests;
#[cfg(test)]
mod talking_tests;

pub use buffers::{Buffers, CommonBuffers};
pub use frame::{Decoder, FrameError, Limit, RawFrame};
pub use message::{Frame, Violation};
