//! What else than Ropeway may listen at a port, as far as it says so itself.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use super::{Stop, peer};
use crate::model::finding::Speaks;

/// Those who speak first do so at once.
const SPEAKS_WITHIN: Duration = Duration::from_millis(800);
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// A first line is shorter.
const MAX_BYTES: usize = 512;

/// Listens for a moment, then asks as a browser would. `None`: it hung up, or was never there.
pub fn listen(at: SocketAddr, stop: &Stop) -> Option<Speaks> {
    let said = heard(at, b"", stop)?;
    if let Some(speaks) = recognised(&said) {
        return Some(speaks);
    }
    let host = at.ip();
    let question = format!("HEAD / HTTP/1.0\r\nHost: {host}\r\n\r\n");
    match heard(at, question.as_bytes(), stop) {
        Some(said) => recognised(&said).or(Some(match said.is_empty() {
            true => Speaks::Silence,
            false => Speaks::Unknown,
        })),
        None if said.is_empty() => None,
        None => Some(Speaks::Unknown),
    }
}

/// What comes first in a connection of its own; empty if nothing came in time, `None` if it ended.
fn heard(at: SocketAddr, question: &[u8], stop: &Stop) -> Option<Vec<u8>> {
    let mut socket = peer::connect(at, CONNECT_WITHIN, stop)?.ok()?;
    stop.cut().connected(&socket).ok()?;
    if stop.wanted() {
        return None;
    }
    socket.set_read_timeout(Some(SPEAKS_WITHIN)).ok()?;
    socket.set_write_timeout(Some(SPEAKS_WITHIN)).ok()?;
    socket.write_all(question).ok()?;
    let mut first = [0; MAX_BYTES];
    match socket.read(&mut first) {
        Ok(0) => None,
        Ok(count) => first.get(..count).map(<[u8]>::to_vec),
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::TimedOut | std::io::ErrorKind::WouldBlock
            ) =>
        {
            Some(Vec::new())
        }
        Err(_ended) => None,
    }
}

fn recognised(said: &[u8]) -> Option<Speaks> {
    let text = String::from_utf8_lossy(said).to_ascii_uppercase();
    if text.starts_with("SSH-") {
        return Some(Speaks::Ssh);
    }
    if text.starts_with("HTTP/") || text.starts_with("<!DOCTYPE HTML") || text.starts_with("<HTML")
    {
        return Some(Speaks::Http);
    }
    if text.starts_with("220") {
        return Some(match text.contains("SMTP") || text.contains("MAIL") {
            true => Speaks::Smtp,
            false => Speaks::Ftp,
        });
    }
    // A TLS record: an alert, because a question in plain text is none.
    if matches!(said, [0x15, 0x03, ..]) {
        return Some(Speaks::Tls);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_known_by_their_first_words() {
        for (said, speaks) in [
            (
                &b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"[..],
                Some(Speaks::Ssh),
            ),
            (b"HTTP/1.0 400 Bad Request\r\n", Some(Speaks::Http)),
            (
                b"220 mail.example.org ESMTP Postfix\r\n",
                Some(Speaks::Smtp),
            ),
            (b"220 (vsFTPd 3.0.3)\r\n", Some(Speaks::Ftp)),
            (b"\x15\x03\x01\x00\x02\x02\x16", Some(Speaks::Tls)),
            (b"\xff\xfe\x00", None),
            (b"", None),
        ] {
            assert_eq!(recognised(said), speaks, "{said:?}");
        }
    }
}
