//! The disk from outside: what a walk finds arrives through an inbox as it was, or not at all.

// Helpers of tests are tests, too; clippy only knows the functions that are marked.
#![allow(clippy::unwrap_used)]

mod arriving;
mod conflicts;
#[path = "../support/disk.rs"]
mod disk;
mod faults;
mod full;
mod going_on;
mod hostile;
mod rules;
mod support;
mod survey;
mod transcripts;
