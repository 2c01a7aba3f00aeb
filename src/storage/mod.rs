//! The disk: reading what is sent, staging and committing what arrives, records of our own.
//!
//! Knows no sockets and no frames.

pub mod record;
