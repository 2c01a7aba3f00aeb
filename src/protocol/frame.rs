//! The frame codec: TCP has no message edges, so every message says its length first.
//!
//! ```text
//! u32 big-endian length │ u8 type │ body (length − 1 bytes)
//! ```
//! The length is checked against the limit of the present state, and after the next byte against
//! the limit of that type, *before* anything is allocated for it.

use super::buffers::Buffers;

/// Length and type.
pub const HEADER_BYTES: usize = 5;

/// Hellos and proofs are a few hundred bytes; a stranger gets no more room than that needs.
pub const MAX_GREETING_BYTES: u32 = 4 << 10;
/// A control message: one JSON object of modest size.
pub const MAX_CONTROL_BYTES: u32 = 64 << 10;
/// A manifest frame: about two thousand entries.
pub const MAX_MANIFEST_BYTES: u32 = 256 << 10;
/// A bulk frame: twice what this program sends, so that others may choose larger ones.
pub const MAX_BULK_BYTES: u32 = 512 << 10;

/// A message: every byte of its text may take six in JSON.
pub const MAX_MESSAGE_FRAME_BYTES: u32 = 128 << 10;

/// How much may come now, by state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    /// Before verification.
    Greeting,
    /// After it.
    Session,
}

impl Limit {
    fn max_bytes(self) -> u32 {
        match self {
            Self::Greeting => MAX_GREETING_BYTES,
            Self::Session => MAX_BULK_BYTES,
        }
    }

    /// The limit for one type; types nobody knows get the control limit.
    fn max_bytes_of(self, kind: u8) -> u32 {
        match self {
            Self::Greeting => MAX_GREETING_BYTES,
            Self::Session => match kind {
                kind::MANIFEST => MAX_MANIFEST_BYTES,
                kind::DATA..=kind::LAST_BULK => MAX_BULK_BYTES,
                kind::MESSAGE => MAX_MESSAGE_FRAME_BYTES,
                _control => MAX_CONTROL_BYTES,
            },
        }
    }
}

/// Frame types. Bit 7 marks a frame that a peer who does not know it may skip.
pub mod kind {
    pub const HELLO: u8 = 0x01;
    pub const VERIFY: u8 = 0x02;
    pub const CHALLENGE: u8 = 0x03;
    pub const ANSWER: u8 = 0x04;
    pub const PROOF: u8 = 0x05;
    pub const REFUSED: u8 = 0x06;
    /// Before the hello, from a server that has connected to its client.
    pub const CALL: u8 = 0x07;

    pub const OFFER: u8 = 0x10;
    pub const MANIFEST: u8 = 0x11;
    pub const MANIFEST_END: u8 = 0x12;
    pub const ACCEPT: u8 = 0x13;
    pub const DECLINE: u8 = 0x14;
    pub const FAILED: u8 = 0x15;
    pub const STATUS: u8 = 0x16;
    pub const FINISH: u8 = 0x17;
    pub const RECEIVED: u8 = 0x18;
    pub const SAFE: u8 = 0x19;
    pub const CANCEL: u8 = 0x1a;
    pub const PAUSE: u8 = 0x1b;
    pub const GO_ON: u8 = 0x1c;
    pub const KEPT: u8 = 0x1d;
    pub const COMPARE: u8 = 0x1e;
    pub const REMEMBER: u8 = 0x1f;

    pub const DATA: u8 = 0x20;
    pub const BATCH: u8 = 0x21;
    pub const FILE_END: u8 = 0x22;
    pub const CREDIT: u8 = 0x23;
    pub const GROUPS: u8 = 0x24;
    pub const WANT: u8 = 0x25;
    pub const HASHES: u8 = 0x26;
    pub const NUMBER: u8 = 0x27;
    /// Types up to here are binary and may be large.
    pub const LAST_BULK: u8 = 0x2f;

    pub const MESSAGE: u8 = 0x30;
    pub const RECEIPT: u8 = 0x31;
    pub const TALK: u8 = 0x32;
    pub const WELCOME: u8 = 0x33;
    pub const UNWELCOME: u8 = 0x34;

    pub const PING: u8 = 0x40;
    pub const PONG: u8 = 0x41;

    /// Set in types that may be skipped.
    pub const OPTIONAL: u8 = 0x80;
    pub const ASKING: u8 = 0x80;
}

/// What PROTOCOL.md calls a type.
pub fn name(kind: u8) -> &'static str {
    match kind {
        kind::HELLO => "hello",
        kind::VERIFY => "verify",
        kind::CHALLENGE => "challenge",
        kind::ANSWER => "answer",
        kind::PROOF => "proof",
        kind::REFUSED => "refused",
        kind::CALL => "call",
        kind::OFFER => "offer",
        kind::MANIFEST => "manifest",
        kind::MANIFEST_END => "manifest end",
        kind::ACCEPT => "accept",
        kind::DECLINE => "decline",
        kind::FAILED => "failed",
        kind::STATUS => "status",
        kind::FINISH => "finish",
        kind::RECEIVED => "received",
        kind::SAFE => "safe",
        kind::CANCEL => "cancel",
        kind::PAUSE => "pause",
        kind::GO_ON => "go on",
        kind::KEPT => "kept",
        kind::COMPARE => "compare",
        kind::REMEMBER => "remember",
        kind::ASKING => "asking",
        kind::DATA => "data",
        kind::BATCH => "batch",
        kind::FILE_END => "file end",
        kind::CREDIT => "credit",
        kind::GROUPS => "groups",
        kind::WANT => "want",
        kind::HASHES => "hashes",
        kind::NUMBER => "number",
        kind::MESSAGE => "message",
        kind::RECEIPT => "receipt",
        kind::TALK => "talk",
        kind::WELCOME => "welcome",
        kind::UNWELCOME => "unwelcome",
        kind::PING => "ping",
        kind::PONG => "pong",
        _unknown => "unknown",
    }
}

/// A frame cut out of the stream, not yet understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RawFrame {
    pub kind: u8,
    pub body: Vec<u8>,
}

/// The stream cannot be understood any more; the connection has to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FrameError {
    #[error("a frame without a type")]
    Empty,
    #[error("a frame of {length} bytes where at most {limit} are allowed")]
    TooLong { length: u32, limit: u32 },
}

/// Cuts frames out of a stream that arrives in any pieces.
#[derive(Debug)]
pub struct Decoder {
    header: [u8; HEADER_BYTES],
    header_filled: usize,
    /// Body bytes still to come; the body is complete at 0.
    missing: usize,
    body: Vec<u8>,
    buffers: Buffers,
}

impl Decoder {
    pub fn new(buffers: Buffers) -> Self {
        Self {
            header: [0; HEADER_BYTES],
            header_filled: 0,
            missing: 0,
            body: Vec::new(),
            buffers,
        }
    }

    /// The stream so far ends within a frame.
    pub fn is_within_frame(&self) -> bool {
        self.header_filled > 0
    }

    /// Takes bytes from the front of `input` until a frame is complete or the input is used up.
    ///
    /// The caller handles the frame before it calls again, so that the limit may change between
    /// two frames of one read.
    pub fn feed(
        &mut self,
        input: &mut &[u8],
        limit: Limit,
    ) -> Result<Option<RawFrame>, FrameError> {
        while self.header_filled < HEADER_BYTES {
            let Some((byte, rest)) = input.split_first() else {
                return Ok(None);
            };
            if let Some(slot) = self.header.get_mut(self.header_filled) {
                *slot = *byte;
            }
            *input = rest;
            self.header_filled = self.header_filled.saturating_add(1);
            let [a, b, c, d, kind] = self.header;
            let length = u32::from_be_bytes([a, b, c, d]);
            if self.header_filled == HEADER_BYTES - 1 {
                check(length, limit.max_bytes())?;
            } else if self.header_filled == HEADER_BYTES {
                check(length, limit.max_bytes_of(kind))?;
                self.missing = length.saturating_sub(1) as usize;
                self.body = self.buffers.take(self.missing);
            }
        }
        let (taken, rest) = input.split_at(self.missing.min(input.len()));
        self.body.extend_from_slice(taken);
        *input = rest;
        self.missing = self.missing.saturating_sub(taken.len());
        if self.missing > 0 {
            return Ok(None);
        }
        self.header_filled = 0;
        let [.., kind] = self.header;
        Ok(Some(RawFrame {
            kind,
            body: std::mem::take(&mut self.body),
        }))
    }
}

fn check(length: u32, limit: u32) -> Result<(), FrameError> {
    match length {
        0 => Err(FrameError::Empty),
        length if length > limit => Err(FrameError::TooLong { length, limit }),
        _ => Ok(()),
    }
}

/// Writes length and type into the first [`HEADER_BYTES`] of a frame whose body is already behind
/// them.
///
/// # Panics
/// If the frame is shorter than a header or longer than any limit: a defect of the caller.
pub fn seal(frame: &mut [u8], kind: u8) {
    let length = frame
        .len()
        .checked_sub(HEADER_BYTES - 1)
        .and_then(|length| u32::try_from(length).ok())
        .filter(|length| *length <= MAX_BULK_BYTES)
        .expect("callers make frames with a header and within the limits");
    let (header, _body) = frame.split_at_mut(HEADER_BYTES);
    let [a, b, c, d] = length.to_be_bytes();
    header.copy_from_slice(&[a, b, c, d, kind]);
}

/// A whole frame around a body.
pub fn encode(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(HEADER_BYTES.saturating_add(body.len()));
    frame.extend_from_slice(&[0; HEADER_BYTES]);
    frame.extend_from_slice(body);
    seal(&mut frame, kind);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoder() -> Decoder {
        Decoder::new(Buffers::new(4))
    }

    fn feed_all(stream: &[u8], piece: usize) -> Vec<RawFrame> {
        let mut decoder = decoder();
        let mut frames = Vec::new();
        for mut part in stream.chunks(piece) {
            while let Some(frame) = decoder.feed(&mut part, Limit::Session).unwrap() {
                frames.push(frame);
            }
        }
        frames
    }

    #[test]
    fn every_type_is_called_as_the_protocol_calls_it() {
        let protocol = include_str!("../../PROTOCOL.md");
        let mut named = 0;
        for line in protocol.lines() {
            let mut cells = line.split('|').map(str::trim).skip(1);
            let kind = cells.next().and_then(|cell| cell.strip_prefix("0x"));
            let Some(Ok(kind)) = kind.map(|digits| u8::from_str_radix(digits, 16)) else {
                continue;
            };
            assert_eq!(Some(name(kind)), cells.next(), "{kind:#04x}");
            named += 1;
        }
        let known = (0..=u8::MAX).filter(|kind| name(*kind) != "unknown");
        assert_eq!(named, known.count(), "each stands in the table once");
    }

    #[test]
    fn frames_split_or_glued_anywhere_decode_the_same() {
        let mut stream = encode(kind::PING, b"");
        stream.extend(encode(kind::OFFER, b"{}"));
        stream.extend(encode(kind::DATA, &[7; 300]));
        let whole = feed_all(&stream, stream.len());
        assert_eq!(whole.len(), 3);
        for piece in 1..stream.len() {
            assert_eq!(feed_all(&stream, piece), whole, "pieces of {piece}");
        }
    }

    #[test]
    fn lengths_are_refused_before_the_type_or_body_arrives() {
        for (limit, length, refused) in [
            (Limit::Greeting, 0, true),
            (Limit::Greeting, 1, false),
            (Limit::Greeting, MAX_GREETING_BYTES, false),
            (Limit::Greeting, MAX_GREETING_BYTES + 1, true),
            (Limit::Session, MAX_BULK_BYTES, false),
            (Limit::Session, MAX_BULK_BYTES + 1, true),
            (Limit::Session, 1 << 31, true),
            (Limit::Session, u32::MAX, true),
        ] {
            let bytes = length.to_be_bytes();
            let result = decoder().feed(&mut &bytes[..], limit);
            assert_eq!(result.is_err(), refused, "{limit:?} {length}");
        }
    }

    #[test]
    fn a_control_frame_may_not_be_as_long_as_a_bulk_frame() {
        for (kind, max) in [
            (kind::OFFER, MAX_CONTROL_BYTES),
            (0xff, MAX_CONTROL_BYTES),
            (kind::MANIFEST, MAX_MANIFEST_BYTES),
            (kind::MESSAGE, MAX_MESSAGE_FRAME_BYTES),
            (kind::DATA, MAX_BULK_BYTES),
        ] {
            for (length, refused) in [(max, false), (max + 1, true)] {
                let mut bytes = length.to_be_bytes().to_vec();
                bytes.push(kind);
                let result = decoder().feed(&mut bytes.as_slice(), Limit::Session);
                assert_eq!(result.is_err(), refused, "{kind:#x} {length}");
            }
        }
    }

    #[test]
    fn the_limit_may_change_between_two_frames_of_one_read() {
        let mut stream = encode(kind::HELLO, b"{}");
        stream.extend(encode(kind::DATA, &[1; 10_000]));
        let mut input = stream.as_slice();
        let mut decoder = decoder();
        assert!(decoder.feed(&mut input, Limit::Greeting).unwrap().is_some());
        let data = decoder.feed(&mut input, Limit::Session).unwrap().unwrap();
        assert_eq!(data.body.len(), 10_000);
    }
}
