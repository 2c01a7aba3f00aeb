//! What waits to be written on the connections of one transfer; usually that is one.
//!
//! Two lanes: control frames go first; bulk frames keep their order, are bounded, and make their
//! producer wait. Pings, pongs and credit are slots, not queues: only the newest counts, so the
//! reader never blocks however fast the peer talks.
//!
//! Attached connections share the bulk lane: whichever has room takes the next frame. From the first
//! one on, frames are numbered ([`crate::protocol::striping`]), and stay so.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::protocol::bulk::Credit;
use crate::protocol::message::Frame;
use crate::protocol::striping::costs_credit;

/// Bulk frames ready while the socket is busy: 1 MiB, enough to keep it so. For more connections one
/// frame each.
const BULK_FRAMES: usize = 4;
/// Of them, at first: each frame more is memory that is touched for the first time and pushes others' out of the
/// processor's caches. That pays over 32 MiB, and many short transfers at once are a twentieth faster without.
const FRAMES_AT_FIRST: usize = 2;
const AT_FIRST: u64 = 128;

/// One connection's view of it.
#[derive(Default)]
pub struct Outbox {
    shared: Arc<Shared>,
    /// The first connection is 0.
    place: usize,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    connections: Vec<Own>,
    bulk: VecDeque<Vec<u8>>,
    numbering: Numbering,
    flow: Flow,
    end: End,
}

/// What goes by one connection and no other.
#[derive(Default)]
struct Own {
    control: VecDeque<Vec<u8>>,
    credit: Option<Credit>,
    ping: bool,
    pong: bool,
    flush: bool,
}

#[derive(Clone, Copy)]
enum Numbering {
    /// There is one connection.
    Off,
    /// It begins with the next frame that may be the first one.
    Wanted,
    /// The number of the next frame.
    On(u64),
}

/// How the bulk lane has moved so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Flow {
    /// Taken by connections.
    pub bytes: u64,
    /// Frames that were put in, and those of them that had to wait for room.
    pub put: u64,
    pub waited: u64,
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

impl Default for State {
    fn default() -> Self {
        Self {
            connections: vec![Own::default()],
            bulk: VecDeque::new(),
            numbering: Numbering::Off,
            flow: Flow::default(),
            end: End::default(),
        }
    }
}

impl Outbox {
    /// For one more connection. It has to be written from now on, until the outbox ends.
    pub fn attach(&self) -> Self {
        let mut state = self.lock();
        state.connections.push(Own::default());
        if let Numbering::Off = state.numbering {
            state.numbering = Numbering::Wanted;
        }
        Self {
            shared: self.shared.clone(),
            place: state.connections.len() - 1,
        }
    }

    pub fn control(&self, frame: Vec<u8>) {
        self.with(|own| own.control.push_back(frame));
    }

    /// Waits for room. `false`: the connection is ending, stop producing.
    pub fn bulk(&self, frame: Vec<u8>) -> bool {
        let mut state = self.lock();
        let full = |state: &State| {
            let ready = match state.flow.put {
                ..=AT_FIRST => FRAMES_AT_FIRST,
                _ => BULK_FRAMES,
            };
            state.bulk.len() >= ready.max(state.connections.len())
        };
        state.flow.put += 1;
        state.flow.waited += u64::from(full(&state));
        while state.end == End::Open && full(&state) {
            state = self.wait(state);
        }
        if state.end != End::Open {
            return false;
        }
        state.bulk.push_back(frame);
        self.shared.changed.notify_all();
        true
    }

    pub fn flow(&self) -> Flow {
        self.lock().flow
    }

    pub fn credit(&self, credit: Credit) {
        self.with(|own| own.credit = Some(credit));
    }

    pub fn ping(&self) {
        self.with(|own| own.ping = true);
    }

    pub fn pong(&self) {
        self.with(|own| own.pong = true);
    }

    pub fn flush(&self) {
        self.with(|own| own.flush = true);
    }

    /// Control frames that wait still go out, bulk frames do not; then goodbye. For all connections.
    pub fn close(&self) {
        let mut state = self.lock();
        if state.end == End::Open {
            state.end = End::Closing;
            state.bulk.clear();
        }
        self.shared.changed.notify_all();
    }

    /// For all connections.
    pub fn abort(&self) {
        let mut state = self.lock();
        state.end = End::Aborted;
        state.bulk.clear();
        self.shared.changed.notify_all();
    }

    /// This connection can carry nothing more. Without the first one that is the end of all; what the
    /// loss of an attached one means is for its reader to say.
    pub fn cannot_write(&self) {
        if self.place == 0 {
            self.abort();
        }
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
            let own = &mut state.connections[self.place];
            if std::mem::take(&mut own.flush) {
                return Next::Flush;
            }
            if let Some(frame) = own.take_frame() {
                return Next::Write(frame);
            }
            if let Some((frame, number)) = state.take_bulk(self.place) {
                self.shared.changed.notify_all();
                drop(state);
                return Next::Write(numbered(frame, number));
            }
            if state.end == End::Closing {
                return Next::Close;
            }
            state = self.wait(state);
        }
    }

    fn with(&self, change: impl FnOnce(&mut Own)) {
        change(&mut self.lock().connections[self.place]);
        self.shared.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        let state = self.shared.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let state = self.shared.changed.wait(state);
        state.unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The next bulk frame, if this connection may carry it, and the number it gets.
    fn take_bulk(&mut self, place: usize) -> Option<(Vec<u8>, Option<u64>)> {
        let paid = costs_credit(self.bulk.front()?);
        let first = place == 0;
        let number = match self.numbering {
            Numbering::Off => None,
            // What came plain before comes by the first connection, so the first number does.
            Numbering::Wanted if first => paid.then_some(0),
            Numbering::Wanted => return None,
            // The receiver does not leave the first one unread, however much waits for its turn.
            Numbering::On(_) if first && !paid => return None,
            Numbering::On(number) => Some(number),
        };
        if let Some(number) = number {
            self.numbering = Numbering::On(number + 1);
        }
        let frame = self.bulk.pop_front()?;
        self.flow.bytes += frame.len() as u64;
        Some((frame, number))
    }
}

impl Own {
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
        self.credit.take().map(|credit| credit.encode())
    }
}

/// Both frames in one write. Content is moved by a few bytes for it, on long paths alone.
fn numbered(mut frame: Vec<u8>, number: Option<u64>) -> Vec<u8> {
    if let Some(number) = number {
        frame.splice(0..0, Frame::Number(number).encode());
    }
    frame
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;
    use crate::protocol::bulk::DataFrame;

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
        for n in 0..FRAMES_AT_FIRST {
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

    /// A frame that costs credit.
    fn data(offset: u64) -> Vec<u8> {
        DataFrame::new(Vec::new(), 3).seal(0, offset)
    }

    fn with_number(number: u64, frame: &[u8]) -> Vec<u8> {
        [Frame::Number(number).encode().as_slice(), frame].concat()
    }

    #[test]
    fn attached_connections_share_the_bulk_lane_and_number_it_from_the_first_one_on() {
        let first = Outbox::default();
        let finish = Frame::Finish.encode();
        assert!(first.bulk(data(0)) && first.bulk(finish.clone()));
        assert_eq!(frame(first.next()), data(0), "nothing is attached");
        assert!(first.bulk(data(1)));
        let attached = first.attach();
        attached.ping();
        assert_eq!(frame(attached.next()), Frame::Ping.encode(), "its own");
        assert_eq!(frame(first.next()), finish, "not the first number");
        assert_eq!(frame(first.next()), with_number(0, &data(1)));
        assert!(first.bulk(data(2)) && first.bulk(finish.clone()));
        assert_eq!(frame(attached.next()), with_number(1, &data(2)));
        assert!(first.bulk(data(3)));
        // What costs no credit is left to the attached one.
        first.ping();
        assert_eq!(frame(first.next()), Frame::Ping.encode());
        assert_eq!(frame(attached.next()), with_number(2, &finish));
        assert_eq!(frame(first.next()), with_number(3, &data(3)));
        let all = 3 * data(0).len() + finish.len() + data(3).len() + finish.len();
        assert_eq!(first.flow().bytes, all as u64);
        first.close();
        assert!(matches!(attached.next(), Next::Close));
        attached.abort();
        assert!(matches!(first.next(), Next::Abort));
    }

    #[test]
    fn the_flow_tells_who_had_to_wait() {
        let outbox = Arc::new(Outbox::default());
        for n in 0..FRAMES_AT_FIRST {
            assert!(outbox.bulk(data(n as u64)));
        }
        assert_eq!(outbox.flow().waited, 0);
        let producer = outbox.clone();
        let blocked = thread::spawn(move || producer.bulk(data(9)));
        while outbox.flow().waited == 0 {
            thread::yield_now();
        }
        frame(outbox.next());
        assert!(blocked.join().unwrap());
        assert_eq!(outbox.flow().put, FRAMES_AT_FIRST as u64 + 1);
    }

    #[test]
    fn more_is_ready_when_a_transfer_lasts() {
        let outbox = Arc::new(Outbox::default());
        let put = |frames| {
            let producer = outbox.clone();
            thread::spawn(move || (0..frames).all(|n| producer.bulk(data(n))))
        };
        let until = |producer: &thread::JoinHandle<bool>, put, waited| {
            while outbox.flow().waited < waited && !producer.is_finished() {
                thread::yield_now();
            }
            assert_eq!((outbox.flow().put, outbox.flow().waited), (put, waited));
        };
        for n in 0..AT_FIRST - 3 {
            assert!(outbox.bulk(data(n)));
            frame(outbox.next());
        }
        // The last one that finds two places, and finds them taken.
        let last_of_few = put(3);
        until(&last_of_few, AT_FIRST, 1);
        frame(outbox.next());
        assert!(last_of_few.join().unwrap());
        // Two wait already, and two more have a place.
        let more = put(3);
        until(&more, AT_FIRST + 3, 2);
        frame(outbox.next());
        assert!(more.join().unwrap());
    }
}
