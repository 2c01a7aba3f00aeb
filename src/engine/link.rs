//! One verified connection: the two loops that turn bytes into frames and frames into bytes, and
//! the watch over the peer's life.
//!
//! A read that brings nothing for a tick is the occasion to look at the clock: any byte counts as
//! life; after two quiet seconds a ping asks for one; after thirty the peer is dead. The peer can
//! change none of this.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::outbox::{Next, Outbox};
use super::wire::{Closed, Phase, Trace};
use crate::channel::{ReadHalf, Received, Shutdown, WriteHalf};
use crate::model::Failure;
use crate::protocol::{Buffers, Decoder, Frame, FrameError, Limit, RawFrame, Violation};

/// How often a silent connection is looked at.
pub const TICK: Duration = Duration::from_millis(500);
/// Quiet for so long: ask.
const PING_AFTER: Duration = Duration::from_secs(2);
/// Quiet for so long: say so on the screen.
const SAY_QUIET_AFTER: Duration = Duration::from_secs(3);
/// Quiet for so long: dead.
const DEAD_AFTER: Duration = Duration::from_secs(30);
/// After our goodbye the peer has so long for its own.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);

/// What the threads of one connection share.
pub struct Link {
    pub outbox: Outbox,
    pub shutdown: Shutdown,
    closing: Mutex<Option<Instant>>,
    trace: Trace,
}

/// Why the reading ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ending {
    /// The peer said goodbye, or we did and its time to answer is over.
    Goodbye,
    Lost,
    Silent,
    Violation(Violation),
}

impl Link {
    pub fn new(shutdown: Shutdown, trace: Trace) -> Self {
        Self {
            outbox: Outbox::default(),
            shutdown,
            closing: Mutex::new(None),
            trace,
        }
    }

    /// Of a connection that is attached to another one; its bulk frames come from there.
    pub fn attached(shutdown: Shutdown, to: &Outbox, trace: Trace) -> Self {
        Self {
            outbox: to.attach(),
            shutdown,
            closing: Mutex::new(None),
            trace,
        }
    }

    /// Ends the connection politely: what is queued in the control lane goes out, then goodbye.
    pub fn close(&self) {
        let since = *self.closing_since().get_or_insert_with(Instant::now);
        self.trace
            .phase(Phase::Goodbye, Some(since + GOODBYE_WITHIN));
        self.outbox.close();
    }

    /// We have begun to end it.
    pub fn is_closing(&self) -> bool {
        self.closing_since().is_some()
    }

    fn closing_since(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.closing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads until the connection ends. `handle` gets every frame but pings and pongs; `quiet` is
    /// told how many seconds the peer has been silent, and 0 when it speaks again.
    pub fn read_frames(
        &self,
        reader: ReadHalf,
        buffers: Buffers,
        handle: impl FnMut(Frame) -> Result<(), Violation>,
        quiet: impl FnMut(u64),
    ) -> Ending {
        let ending = self.read_on(reader, buffers, handle, quiet);
        self.trace.close(match &ending {
            Ending::Goodbye => Closed::Goodbye,
            Ending::Lost => Closed::Lost,
            Ending::Silent => Closed::Silent,
            Ending::Violation(violation) => {
                Closed::Failed(Failure::Protocol(violation.to_string()))
            }
        });
        ending
    }

    fn read_on(
        &self,
        mut reader: ReadHalf,
        buffers: Buffers,
        mut handle: impl FnMut(Frame) -> Result<(), Violation>,
        mut quiet: impl FnMut(u64),
    ) -> Ending {
        let mut decoder = Decoder::new(buffers);
        let mut frames: Vec<Result<RawFrame, FrameError>> = Vec::new();
        let mut heard = Instant::now();
        let mut asked = heard;
        let mut said_quiet = 0;
        loop {
            let within = decoder.is_within_frame();
            let received = reader.read(|mut piece| {
                while let Some(frame) = decoder.feed(&mut piece, Limit::Session).transpose() {
                    let over = frame.is_err();
                    frames.push(frame);
                    if over {
                        return;
                    }
                }
            });
            match received {
                Ok(Received::Bytes(bytes)) => {
                    if said_quiet > 0 {
                        said_quiet = 0;
                        self.trace.quiet(None);
                        quiet(0);
                    }
                    self.trace.read(bytes, within);
                    for frame in frames.iter().flatten() {
                        self.trace.came(frame.kind, frame.body.len());
                    }
                    self.trace.read_over();
                    for frame in frames.drain(..) {
                        let parsed = frame.map_err(Violation::from).and_then(Frame::parse);
                        let handled = match parsed {
                            Ok(None) | Ok(Some(Frame::Pong)) => Ok(()),
                            Ok(Some(Frame::Ping)) => {
                                self.outbox.pong();
                                Ok(())
                            }
                            Ok(Some(frame)) => handle(frame),
                            Err(violation) => Err(violation),
                        };
                        if let Err(violation) = handled {
                            tracing::warn!(%violation, "the peer broke the protocol");
                            return Ending::Violation(violation);
                        }
                    }
                    // A frame may have waited for its turn; meanwhile the peer was not listened to.
                    heard = Instant::now();
                }
                Ok(Received::Idle) => {}
                Ok(Received::Closed) => return Ending::Goodbye,
                Err(error) => {
                    tracing::debug!(%error, "connection ended while reading");
                    let ours = self.closing_since().is_some();
                    return if ours { Ending::Goodbye } else { Ending::Lost };
                }
            }
            if let Some(since) = *self.closing_since()
                && since.elapsed() > GOODBYE_WITHIN
            {
                return Ending::Goodbye;
            }
            let silent = heard.elapsed();
            if silent >= DEAD_AFTER {
                return Ending::Silent;
            }
            if silent >= SAY_QUIET_AFTER && silent.as_secs() != said_quiet {
                said_quiet = silent.as_secs();
                self.trace.quiet(Some(heard + DEAD_AFTER));
                quiet(said_quiet);
            }
            if silent >= PING_AFTER && asked.elapsed() >= PING_AFTER {
                asked = Instant::now();
                self.outbox.ping();
            }
        }
    }

    /// Writes until the outbox is closed or the socket fails. A failure also ends the reading.
    pub fn write_frames(&self, mut writer: WriteHalf, buffers: &Buffers) {
        loop {
            let written = match self.outbox.next() {
                Next::Write(frame) => {
                    self.trace.wrote(&frame);
                    self.trace.writing(true);
                    let written = writer.write(&frame);
                    self.trace.writing(false);
                    buffers.give_back(frame);
                    written
                }
                Next::Flush => writer.flush(),
                Next::Close => {
                    let _gone_already = writer.close();
                    return;
                }
                Next::Abort => return,
            };
            if let Err(error) = written {
                tracing::debug!(%error, "connection ended while writing");
                self.outbox.cannot_write();
                self.shutdown.shutdown();
                return;
            }
        }
    }
}
