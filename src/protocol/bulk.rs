//! Bulk frames: binary, because every byte of them is somebody's file.
//!
//! ```text
//! data      u32 entry │ u64 offset │ bytes
//! batch     (u32 entry │ u32 length │ 32 bytes BLAKE3 │ bytes)*     whole small files
//! file end  u32 entry │ u64 length │ 32 bytes BLAKE3
//! credit    u64 granted │ u64 held
//! groups    u32 entry │ u32 first group │ 32 bytes each      BLAKE3 subtree hashes of 1 MiB groups
//! number    u64                                             of the bulk frame that follows
//! ```
//! All numbers are big-endian. Frames are built in place: the reader of the file leaves room for
//! the head, so content is not copied to be framed.

use super::frame::{HEADER_BYTES, kind, seal};
use super::message::Violation;

/// Content in one data frame, and about as much in one batch. Large enough that the cost per frame
/// vanishes, small enough that a message slips between two of them within milliseconds.
pub const CHUNK_BYTES: usize = 256 << 10;
/// The same where several connections share the frames: what each of them holds back counts against the
/// credit, and all wait for the slowest one's frame.
pub const STRIPED_CHUNK_BYTES: usize = 64 << 10;
/// Files up to this length travel in batches; larger ones gain nothing by it.
pub const SMALL_FILE_BYTES: u64 = 64 << 10;

const DATA_HEAD_BYTES: usize = 12;
const BATCH_HEAD_BYTES: usize = 40;
const HASH_BYTES: usize = 32;

/// What a bulk frame costs of the credit: its body, and a charge for handling it, so that a
/// stream of tiny frames runs out of credit before it fills the receiver's memory.
pub fn cost(body_bytes: usize) -> u64 {
    const HANDLING_BYTES: u64 = 256;
    (body_bytes as u64).saturating_add(HANDLING_BYTES)
}

/// A data frame under construction: fill the [`content`](Self::content), then [`seal`](Self::seal).
#[derive(Debug)]
pub struct DataFrame(Vec<u8>);

impl DataFrame {
    const ROOM: usize = HEADER_BYTES + DATA_HEAD_BYTES;

    /// Makes room for so many bytes of content in a buffer; whatever is in it stays there until it
    /// is overwritten.
    pub fn new(mut buffer: Vec<u8>, content_bytes: usize) -> Self {
        buffer.resize(Self::ROOM.saturating_add(content_bytes), 0);
        Self(buffer)
    }

    pub fn content(&mut self) -> &mut [u8] {
        self.0.get_mut(Self::ROOM..).unwrap_or_default()
    }

    /// The frame as it travels.
    pub fn seal(mut self, entry: u32, offset: u64) -> Vec<u8> {
        if let Some(head) = self.0.get_mut(HEADER_BYTES..Self::ROOM) {
            let (number, position) = head.split_at_mut(4);
            number.copy_from_slice(&entry.to_be_bytes());
            position.copy_from_slice(&offset.to_be_bytes());
        }
        seal(&mut self.0, kind::DATA);
        self.0
    }

    /// What a frame with so much content will cost.
    pub fn cost(content_bytes: usize) -> u64 {
        cost(content_bytes.saturating_add(DATA_HEAD_BYTES))
    }
}

/// A batch frame under construction.
#[derive(Debug)]
pub struct BatchFrame(Vec<u8>);

impl BatchFrame {
    pub fn new(mut buffer: Vec<u8>) -> Self {
        buffer.resize(HEADER_BYTES, 0);
        Self(buffer)
    }

    /// Adds a whole file; `read` fills its content and gives its hash. If it fails the file is
    /// left out and the error handed through.
    pub fn add<E>(
        &mut self,
        entry: u32,
        len_bytes: u32,
        read: impl FnOnce(&mut [u8]) -> Result<[u8; HASH_BYTES], E>,
    ) -> Result<(), E> {
        let start = self.0.len();
        let content_at = start.saturating_add(BATCH_HEAD_BYTES);
        self.0
            .resize(content_at.saturating_add(len_bytes as usize), 0);
        let content = self.0.get_mut(content_at..).unwrap_or_default();
        let hash = match read(content) {
            Ok(hash) => hash,
            Err(error) => {
                self.0.truncate(start);
                return Err(error);
            }
        };
        if let Some(head) = self.0.get_mut(start..content_at) {
            let (number, rest) = head.split_at_mut(4);
            let (length, digest) = rest.split_at_mut(4);
            number.copy_from_slice(&entry.to_be_bytes());
            length.copy_from_slice(&len_bytes.to_be_bytes());
            digest.copy_from_slice(&hash);
        }
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.0.len() <= HEADER_BYTES
    }

    pub fn seal(mut self) -> Vec<u8> {
        seal(&mut self.0, kind::BATCH);
        self.0
    }

    /// The part of a batch frame's body that one more file takes.
    pub fn item_bytes(len_bytes: u64) -> u64 {
        len_bytes.saturating_add(BATCH_HEAD_BYTES as u64)
    }
}

/// Content as it came in a data frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Data {
    pub entry: u32,
    pub offset: u64,
    body: Vec<u8>,
}

impl Data {
    pub fn parse(body: Vec<u8>) -> Result<Self, Violation> {
        let mut rest = body.as_slice();
        let entry = take_u32(&mut rest)?;
        let offset = take_u64(&mut rest)?;
        Ok(Self {
            entry,
            offset,
            body,
        })
    }

    pub fn content(&self) -> &[u8] {
        self.body.get(DATA_HEAD_BYTES..).unwrap_or_default()
    }

    pub fn body_bytes(&self) -> usize {
        self.body.len()
    }

    /// The buffer, for the next frame.
    pub fn into_buffer(self) -> Vec<u8> {
        self.body
    }
}

/// Whole small files as they came in a batch frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Batch {
    pub items: Vec<BatchItem>,
    body: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BatchItem {
    pub entry: u32,
    pub len_bytes: u32,
    pub hash: [u8; HASH_BYTES],
    at: usize,
}

impl Batch {
    pub fn parse(body: Vec<u8>) -> Result<Self, Violation> {
        let mut items = Vec::new();
        let mut rest = body.as_slice();
        while !rest.is_empty() {
            let entry = take_u32(&mut rest)?;
            let len_bytes = take_u32(&mut rest)?;
            let hash = take_hash(&mut rest)?;
            let at = body.len().saturating_sub(rest.len());
            take(&mut rest, len_bytes as usize)?;
            items.push(BatchItem {
                entry,
                len_bytes,
                hash,
                at,
            });
        }
        Ok(Self { items, body })
    }

    pub fn content(&self, item: &BatchItem) -> &[u8] {
        let end = item.at.saturating_add(item.len_bytes as usize);
        self.body.get(item.at..end).unwrap_or_default()
    }

    pub fn body_bytes(&self) -> usize {
        self.body.len()
    }

    pub fn into_buffer(self) -> Vec<u8> {
        self.body
    }
}

/// All bytes of a file have been sent; this is what they hash to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileEnd {
    pub entry: u32,
    pub len_bytes: u64,
    pub hash: [u8; HASH_BYTES],
}

impl FileEnd {
    pub const BODY_BYTES: usize = 4 + 8 + HASH_BYTES;

    pub fn parse(body: &[u8]) -> Result<Self, Violation> {
        let mut rest = body;
        let parsed = Self {
            entry: take_u32(&mut rest)?,
            len_bytes: take_u64(&mut rest)?,
            hash: take_hash(&mut rest)?,
        };
        nothing_left(rest)?;
        Ok(parsed)
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(Self::BODY_BYTES);
        body.extend_from_slice(&self.entry.to_be_bytes());
        body.extend_from_slice(&self.len_bytes.to_be_bytes());
        body.extend_from_slice(&self.hash);
        super::frame::encode(kind::FILE_END, &body)
    }
}

/// How much the sender may have sent in all, and how much content the receiver holds in all.
/// Both only grow, so a later frame makes every earlier one worthless.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Credit {
    pub granted: u64,
    pub held: u64,
}

impl Credit {
    pub fn parse(body: &[u8]) -> Result<Self, Violation> {
        let mut rest = body;
        let parsed = Self {
            granted: take_u64(&mut rest)?,
            held: take_u64(&mut rest)?,
        };
        nothing_left(rest)?;
        Ok(parsed)
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut body = [0; 16];
        let (granted, held) = body.split_at_mut(8);
        granted.copy_from_slice(&self.granted.to_be_bytes());
        held.copy_from_slice(&self.held.to_be_bytes());
        super::frame::encode(kind::CREDIT, &body)
    }
}

/// Hashes of a file's groups: what the receiver found in its own staging, for the sender to compare
/// with the source (*groups*), or what the sender has, for the receiver to compare with what stands
/// under the file's name (*hashes*). A file of a single group has its BLAKE3 hash instead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Groups {
    pub entry: u32,
    pub first: u32,
    pub hashes: Vec<[u8; HASH_BYTES]>,
}

impl Groups {
    pub fn parse(body: &[u8]) -> Result<Self, Violation> {
        let mut rest = body;
        let entry = take_u32(&mut rest)?;
        let first = take_u32(&mut rest)?;
        let (hashes, left) = rest.as_chunks();
        nothing_left(left)?;
        Ok(Self {
            entry,
            first,
            hashes: hashes.to_vec(),
        })
    }

    /// As a *groups* or a *hashes* frame.
    pub fn encode(&self, kind: u8) -> Vec<u8> {
        let mut body = Vec::new();
        body.extend_from_slice(&self.entry.to_be_bytes());
        body.extend_from_slice(&self.first.to_be_bytes());
        for hash in &self.hashes {
            body.extend_from_slice(hash);
        }
        super::frame::encode(kind, &body)
    }

    /// Length of the body with so many hashes.
    pub fn body_bytes(count: usize) -> usize {
        count.saturating_mul(HASH_BYTES).saturating_add(8)
    }
}

/// What the receiver still needs of a file, the rest of which it has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Want {
    pub entry: u32,
    /// From, to; ascending.
    pub ranges: Vec<(u64, u64)>,
}

impl Want {
    pub fn parse(body: &[u8]) -> Result<Self, Violation> {
        let mut rest = body;
        let entry = take_u32(&mut rest)?;
        let mut ranges = Vec::new();
        while !rest.is_empty() {
            ranges.push((take_u64(&mut rest)?, take_u64(&mut rest)?));
        }
        Ok(Self { entry, ranges })
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut body = self.entry.to_be_bytes().to_vec();
        for (from, to) in &self.ranges {
            body.extend_from_slice(&from.to_be_bytes());
            body.extend_from_slice(&to.to_be_bytes());
        }
        super::frame::encode(kind::WANT, &body)
    }
}

/// The body of a *number* frame.
pub(super) fn number(body: &[u8]) -> Result<u64, Violation> {
    let mut rest = body;
    let number = take_u64(&mut rest)?;
    nothing_left(rest)?;
    Ok(number)
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], Violation> {
    let (head, tail) = rest
        .split_at_checked(count)
        .ok_or(Violation::Malformed("a bulk frame is cut short"))?;
    *rest = tail;
    Ok(head)
}

fn take_array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Violation> {
    let mut array = [0; N];
    array.copy_from_slice(take(rest, N)?);
    Ok(array)
}

fn take_u32(rest: &mut &[u8]) -> Result<u32, Violation> {
    take_array(rest).map(u32::from_be_bytes)
}

fn take_u64(rest: &mut &[u8]) -> Result<u64, Violation> {
    take_array(rest).map(u64::from_be_bytes)
}

fn take_hash(rest: &mut &[u8]) -> Result<[u8; HASH_BYTES], Violation> {
    take_array(rest)
}

fn nothing_left(rest: &[u8]) -> Result<(), Violation> {
    if rest.is_empty() {
        Ok(())
    } else {
        Err(Violation::Malformed("a bulk frame has bytes left over"))
    }
}
