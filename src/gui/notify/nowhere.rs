//! Systems on which nothing is shown yet.

use std::sync::mpsc::{Receiver, channel};

use super::{Heard, Order};

/// Shows nothing.
#[derive(Debug)]
pub struct Desktop;

impl Desktop {
    pub fn start(_wake: impl Fn() + Send + 'static) -> (Self, Receiver<Heard>) {
        let (_nobody, heard) = channel();
        (Self, heard)
    }

    pub fn order(&self, _order: Order) {}
}
