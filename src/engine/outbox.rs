//! What waits to be written on one connection.
//!
//! Two lanes: control frames go first; bulk frames keep their order, are bounded, and make their
//! producer wait. Pings, pongs and credit are slots, not queues: only the newest counts, so the
//! reader never blocks however fast the peer talks.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::protocol::bulk::Credit;
use crate::protocol::message::Frame;

/// Bulk frames ready while the socket is busy: 1 MiB, enough to keep it so.
const BULK_FRAMES: usize = 4;

#[derive(Default)]
pub struct Outbox {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    control: VecDeque<Vec<u8>>,
    bulk: VecDeque<Vec<u8>>,
    credit: Option<Credit>,
    ping: bool,
    pong: bool,
    flush: bool,
    end: End,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum End {
    #[default]
    Open,
    /// Control frames still go out, then goodbye.
    Closing,
    /// Nothing goes out any more.
    Aborted,
}

/// What the writer does next.
pub enum Next {
    Write(Vec<u8>),
    /// TLS itself has something to say.
    Flush,
    /// Everything is written: say goodbye.
    Close,
    Abort,
}

impl Outbox {
    pub fn control(&self, frame: Vec<u8>) {
        self.with(|state| state.control.push_back(frame));
    }

    /// Waits for room. `false`: the connection is ending, stop producing.
    pub fn bulk(&self, frame: Vec<u8>) -> bool {
        let mut state = self.lock();
        while state.end == End::Open && state.bulk.len() >= BULK_FRAMES {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if state.end != End::Open {
            return false;
        }
        state.bulk.push_back(frame);
        self.changed.notify_all();
        true
    }

    pub fn credit(&self, credit: Credit) {
        self.with(|state| state.credit = Some(credit));
    }

    pub fn ping(&self) {
        self.with(|state| state.ping = true);
    }

    pub fn pong(&self) {
        self.with(|state| state.pong = true);
    }

    pub fn flush(&self) {
        self.with(|state| state.flush = true);
    }

    /// Control frames that wait still go out, bulk frames do not; then goodbye.
    pub fn close(&self) {
        self.with(|state| {
            if state.end == End::Open {
                state.end = End::Closing;
                state.bulk.clear();
            }
        });
    }

    pub fn abort(&self) {
        self.with(|state| {
            state.end = End::Aborted;
            state.bulk.clear();
        });
    }

    /// The connection is ending.
    pub fn ended(&self) -> bool {
        self.lock().end != End::Open
    }

    /// Waits for something to do.
    pub fn next(&self) -> Next {
        let mut state = self.lock();
        loop {
            if state.end == End::Aborted {
                return Next::Abort;
            }
            if std::mem::take(&mut state.flush) {
                return Next::Flush;
            }
            if let Some(frame) = state.take_frame() {
                self.changed.notify_all();
                return Next::Write(frame);
            }
            if state.end == End::Closing {
                return Next::Close;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn with(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take_frame(&mut self) -> Option<Vec<u8>> {
        if let Some(frame) = self.control.pop_front() {
            return Some(frame);
        }
        if std::mem::take(&mut self.pong) {
            return Some(Frame::Pong.encode());
        }
        if std::mem::take(&mut self.ping) {
            return Some(Frame::Ping.encode());
        }
        if let Some(credit) = self.credit.take() {
            return Some(credit.encode());
        }
        self.bulk.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    fn frame(next: Next) -> Vec<u8> {
        match next {
            Next::Write(frame) => frame,
            Next::Flush | Next::Close | Next::Abort => panic!("a frame expected"),
        }
    }

    #[test]
    fn a_message_overtakes_bulk_and_only_the_newest_credit_goes_out() {
        let outbox = Outbox::default();
        assert!(outbox.bulk(vec![1]));
        for granted in 0..1000 {
            outbox.credit(Credit { granted, held: 0 });
            outbox.pong();
        }
        outbox.control(vec![2]);
        assert_eq!(frame(outbox.next()), [2]);
        assert_eq!(frame(outbox.next()), Frame::Pong.encode());
        let newest = Credit {
            granted: 999,
            held: 0,
        };
        assert_eq!(frame(outbox.next()), newest.encode());
        assert_eq!(frame(outbox.next()), [1]);
    }

    #[test]
    fn closing_lets_control_out_drops_bulk_and_frees_the_producer() {
        let outbox = Arc::new(Outbox::default());
        for n in 0..BULK_FRAMES {
            assert!(outbox.bulk(vec![n as u8]));
        }
        let producer = outbox.clone();
        let blocked = thread::spawn(move || producer.bulk(vec![9]));
        outbox.control(vec![7]);
        outbox.close();
        assert!(!blocked.join().unwrap());
        assert_eq!(frame(outbox.next()), [7]);
        assert!(matches!(outbox.next(), Next::Close));
    }
}
