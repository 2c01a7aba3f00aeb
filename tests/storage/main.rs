//! The disk from outside: what a walk finds arrives through an inbox as it was, or not at all.

mod arriving;
mod conflicts;
mod faults;
mod hostile;
mod support;
