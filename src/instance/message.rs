//! What a later start says to the window: paths as bytes, so that any name goes through.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::local::{self, Stream};
use crate::model::PeerAddress;

const HEAD: &[u8] = b"ropeway window 1\n";
/// More than a command line holds.
const MAX_BYTES: usize = 8 << 20;
const MAX_PATH_BYTES: usize = 64 << 10;

/// `None` if it is too much. Relative paths are relative to where this process was started.
pub fn encode(paths: &[PathBuf]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    for path in paths {
        let path = match is_link(path) {
            true => path.clone(),
            false => std::path::absolute(path).unwrap_or_else(|_| path.clone()),
        };
        let bytes = local::path_bytes(&path);
        if bytes.len() > MAX_PATH_BYTES {
            return None;
        }
        body.extend(u32::try_from(bytes.len()).ok()?.to_be_bytes());
        body.extend(bytes);
    }
    if body.len() > MAX_BYTES {
        return None;
    }
    let mut message = HEAD.to_vec();
    message.extend(u32::try_from(body.len()).ok()?.to_be_bytes());
    message.extend(body);
    Some(message)
}

/// Everything within a time, or nothing.
pub fn read(stream: &mut Stream, within: Duration) -> io::Result<Vec<PathBuf>> {
    let until = Instant::now() + within;
    let mut head = [0; HEAD.len() + 4];
    fill(stream, &mut head, until)?;
    let (head, length) = head.split_at(HEAD.len());
    if head != HEAD {
        return Err(nonsense("another greeting"));
    }
    let length = u32::from_be_bytes(length.try_into().unwrap_or([u8::MAX; 4])) as usize;
    if length > MAX_BYTES {
        return Err(nonsense("too long"));
    }
    let mut body = vec![0; length];
    fill(stream, &mut body, until)?;
    decode(&body)
}

/// A time for all of it: a byte now and then does not hold anybody up.
fn fill(stream: &mut Stream, buffer: &mut [u8], until: Instant) -> io::Result<()> {
    let mut filled = 0;
    while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        local::limit(stream, left)?;
        match stream.read(room) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn decode(mut body: &[u8]) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    while !body.is_empty() {
        let (length, rest) = body
            .split_first_chunk::<4>()
            .ok_or_else(|| nonsense("cut"))?;
        let length = u32::from_be_bytes(*length) as usize;
        if length > MAX_PATH_BYTES || length > rest.len() {
            return Err(nonsense("a path that is too long"));
        }
        let (bytes, rest) = rest.split_at(length);
        let path = local::path_of(bytes).filter(|path| is_sound(path));
        paths.push(path.ok_or_else(|| nonsense("no path"))?);
        body = rest;
    }
    Ok(paths)
}

fn is_sound(path: &Path) -> bool {
    (path.is_absolute() || is_link(path)) && !path.as_os_str().as_encoded_bytes().contains(&0)
}

/// Says to whom, and is no place here.
fn is_link(path: &Path) -> bool {
    path.to_str().is_some_and(PeerAddress::is_link)
}

fn nonsense(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}
