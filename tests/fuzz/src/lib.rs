//! What is fuzzed. Each target takes any bytes and panics when something that must hold does not.
//!
//! They run under libFuzzer (`fuzz_targets`), with chance alone on any toolchain (`bounded`), and over
//! `corpus` in the program's own tests (`tests/fuzz_corpus.rs` includes this file, so nothing here
//! says `crate::`). README.md tells what each one promises.

pub mod beacon;
pub mod disk;
pub mod frames;
pub mod greeting;
pub mod input;
pub mod known;
pub mod manifest;
pub mod receiving;
pub mod sending;
pub mod settings;
pub mod source;
pub mod striping;
pub mod talking;
pub mod transcript;

pub type Target = fn(&[u8]);

/// By the names of their folders in `corpus` and their files in `fuzz_targets`.
pub const TARGETS: [(&str, Target); 14] = [
    ("frames", frames::frames),
    ("server_greeting", greeting::server),
    ("client_greeting", greeting::client),
    ("receiving", receiving::receiving),
    ("sending", sending::sending),
    ("manifest", manifest::manifest),
    ("names", disk::names),
    ("journal", disk::journal),
    ("settings", settings::settings),
    ("known", known::known),
    ("striping", striping::striping),
    ("talking", talking::talking),
    ("transcript", transcript::transcript),
    ("beacon", beacon::beacon),
];
