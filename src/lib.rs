//! Ropeway carries files, folders and text straight from one computer to another.
//!
//! The modules stand in reading order; each knows only those above it, except that the four in the
//! middle (`protocol`, `channel`, `discovery`, `storage`) do not know each other. `tests/architecture.rs` keeps
//! that true. ARCHITECTURE.md tells the story, PROTOCOL.md the wire.

pub mod model;

pub mod channel;
pub mod discovery;
pub mod protocol;
pub mod storage;

pub mod engine;
pub mod instance;
pub mod logging;
pub mod settings;

pub mod cli;
#[cfg(feature = "gui")]
pub mod gui;
