//! What a client that was let in begins with: a conversation, or a transfer.

use crate::channel::{ReadHalf, Received};
use crate::protocol::frame::{HEADER_BYTES, kind};

/// Whoever says so much before it says what it wants gets the session that refuses it.
const MOST_BYTES: usize = 4 << 10;

/// Looks, and leaves all of it to be read. `None`: it is gone.
pub fn wants_to_talk(reader: &mut ReadHalf) -> Option<bool> {
    let mut came = Vec::new();
    let talks = loop {
        match begins_with(&came) {
            Some(first) => break first == kind::TALK,
            None if came.len() > MOST_BYTES => break false,
            None => {}
        }
        match reader.read(|piece| came.extend_from_slice(piece)) {
            Ok(Received::Bytes(_) | Received::Idle) => {}
            Ok(Received::Closed) | Err(_) => return None,
        }
    };
    reader.unread(came);
    Some(talks)
}

/// The type of the first frame that says what is wanted.
fn begins_with(mut came: &[u8]) -> Option<u8> {
    loop {
        let (header, _) = came.split_at_checked(HEADER_BYTES)?;
        let (length, first) = header.split_first_chunk::<4>().map(|(length, rest)| {
            let first = rest.first().copied().unwrap_or_default();
            (u32::from_be_bytes(*length) as usize, first)
        })?;
        let says_nothing = matches!(first, kind::PING | kind::PONG | kind::REMEMBER)
            || first & kind::OPTIONAL != 0;
        if !says_nothing || length > MOST_BYTES {
            return Some(first);
        }
        came = came.split_at_checked(length.checked_add(4)?)?.1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::frame::encode;

    #[test]
    fn the_first_frame_that_wants_something_is_found_however_the_stream_is_cut() {
        let mut stream = encode(kind::PING, b"");
        stream.extend(encode(0x90, b"for later versions"));
        stream.extend(encode(kind::REMEMBER, b""));
        stream.extend(encode(kind::TALK, b"{}"));
        let decided = stream.len() - 2;
        for end in 0..stream.len() {
            let found = begins_with(&stream[..end]);
            assert_eq!(found, (end >= decided).then_some(kind::TALK), "{end}");
        }
        assert_eq!(begins_with(&encode(kind::OFFER, b"{}")), Some(kind::OFFER));
        // Nothing is waited for that is refused anyway.
        assert_eq!(
            begins_with(&[0xff, 0xff, 0xff, 0xff, kind::PING]),
            Some(kind::PING)
        );
        assert_eq!(begins_with(&[0, 0, 0, 0, 0]), Some(0));
    }
}
