//! Two ends over a real loopback connection.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::*;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

fn pair() -> (Channel, Channel) {
    let (client, server) = sockets();
    let accepting = thread::spawn(move || {
        Channel::accept(server, &Identity::generate().unwrap(), soon()).unwrap()
    });
    let client = Channel::connect(client, &Identity::generate().unwrap(), soon()).unwrap();
    (client, accepting.join().unwrap())
}

#[test]
fn both_ends_see_the_other_key_and_the_same_exporter() {
    let (client, server) = sockets();
    let (ours, theirs) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let (our_id, their_id) = (ours.device_id(), theirs.device_id());
    let accepting = thread::spawn(move || Channel::accept(server, &theirs, soon()).unwrap());
    let client = Channel::connect(client, &ours, soon()).unwrap();
    let server = accepting.join().unwrap();
    assert_eq!((client.peer, server.peer), (their_id, our_id));
    assert_eq!(client.exporter, server.exporter);
}

#[test]
fn an_identity_reads_back_and_a_mixed_up_one_is_refused() {
    let identity = Identity::generate().unwrap();
    let again = Identity::from_pem(&identity.certificate_pem(), &identity.key_pem()).unwrap();
    assert_eq!(again.device_id(), identity.device_id());
    let other = Identity::generate().unwrap();
    let mixed = Identity::from_pem(&identity.certificate_pem(), &other.key_pem());
    assert!(matches!(mixed, Err(IdentityError::Mismatch)));
    assert!(Identity::from_pem("", "").is_err());
    assert!(!format!("{identity:?}").contains("PRIVATE"));
}

#[test]
fn what_does_not_speak_ropeway_is_closed_within_the_deadline() {
    for said in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        b"\0\0\0\0",
        b"\xff\xff\xff\xff",
        b"",
    ] {
        let (mut client, server) = sockets();
        client.write_all(said).unwrap();
        let begun = Instant::now();
        let deadline = begun + Duration::from_millis(300);
        let refused = Channel::accept(server, &Identity::generate().unwrap(), deadline);
        assert!(refused.is_err());
        assert!(begun.elapsed() < Duration::from_secs(5));
        // Closed: the end of the stream comes, perhaps after an alert.
        let mut rest = Vec::new();
        let _reset_is_fine = client.read_to_end(&mut rest);
        assert!(rest.len() < 100);
    }
}

#[test]
fn one_byte_a_moment_does_not_stretch_the_deadline() {
    let (mut client, server) = sockets();
    let done = Arc::new(AtomicBool::new(false));
    let stop = done.clone();
    let trickle = thread::spawn(move || {
        // The head of a handshake record of 512 bytes, then a byte at a time.
        let _ = client.write_all(&[22, 3, 1, 2, 0, 1, 0, 1, 252]);
        while !stop.load(Ordering::Relaxed) && client.write_all(&[0]).is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let begun = Instant::now();
    let deadline = begun + Duration::from_millis(400);
    let refused = Channel::accept(server, &Identity::generate().unwrap(), deadline);
    done.store(true, Ordering::Relaxed);
    assert!(refused.is_err());
    assert!(begun.elapsed() < Duration::from_secs(3));
    trickle.join().unwrap();
}

#[test]
fn a_stranger_may_not_send_more_than_its_budget() {
    let (mut client, mut server) = pair();
    client.writer.write(&[0; 20_000]).unwrap();
    let mut plain = Vec::new();
    let result = loop {
        match server.reader.read(|piece| plain.extend_from_slice(piece)) {
            Ok(Received::Bytes(_)) => {}
            other => break other,
        }
    };
    assert!(matches!(result, Err(ChannelError::Budget)));
}

#[test]
fn what_follows_a_goodbye_is_ignored_and_does_not_spin() {
    let (mut client, mut server) = pair();
    client.writer.say_goodbye_and(&[0xaa; 9_000]).unwrap();
    let (done, finished) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let mut plain = Vec::new();
        while let Ok(Received::Bytes(_)) =
            server.reader.read(|piece| plain.extend_from_slice(piece))
        {}
        done.send(plain.len()).unwrap();
    });
    assert_eq!(finished.recv_timeout(Duration::from_secs(10)), Ok(0));
}

#[test]
fn a_goodbye_is_told_apart_from_a_cut() {
    let (mut client, mut server) = pair();
    client.writer.write(b"all").unwrap();
    client.writer.close().unwrap();
    let mut plain = Vec::new();
    assert_eq!(
        server
            .reader
            .read(|piece| plain.extend_from_slice(piece))
            .unwrap(),
        Received::Bytes(3)
    );
    assert_eq!(
        server
            .reader
            .read(|piece| plain.extend_from_slice(piece))
            .unwrap(),
        Received::Closed
    );

    let (mut client, mut server) = pair();
    client.writer.write(b"all").unwrap();
    client.shutdown_handle().unwrap().shutdown();
    let mut plain = Vec::new();
    assert_eq!(
        server
            .reader
            .read(|piece| plain.extend_from_slice(piece))
            .unwrap(),
        Received::Bytes(3)
    );
    assert!(
        server
            .reader
            .read(|piece| plain.extend_from_slice(piece))
            .is_err()
    );
}

#[test]
fn a_shutdown_ends_a_read_that_is_blocked() {
    let (mut client, _server) = pair();
    client.established(Duration::from_secs(60), || {}).unwrap();
    let handle = client.shutdown_handle().unwrap();
    let reading = thread::spawn(move || client.reader.read(|_piece| {}));
    handle.shutdown();
    assert!(reading.join().unwrap().is_err());
}

/// The owner of a write half: writes, and flushes when the reader says so.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    sound: Condvar,
}

/// One end under load: its writer sends `total` bytes and changes its keys now and then, its
/// reader checks what comes.
fn load(mut end: Channel, seed: u8, total: usize) -> thread::JoinHandle<(usize, bool)> {
    let bell = Arc::new(Bell::default());
    let ring = bell.clone();
    end.established(Duration::from_secs(20), move || {
        *ring.rung.lock().unwrap() = true;
        ring.sound.notify_all();
    })
    .unwrap();
    let Channel {
        mut reader,
        mut writer,
        ..
    } = end;
    let reading = Arc::new(AtomicBool::new(true));
    let still_reading = reading.clone();
    let wake = bell.clone();
    let writing = thread::spawn(move || {
        let piece = vec![seed; 200_000];
        let mut written = 0;
        while written < total {
            let count = piece.len().min(total - written);
            writer.write(&piece[..count]).unwrap();
            written += count;
            if (written / piece.len()).is_multiple_of(7) {
                writer.refresh_keys().unwrap();
            }
        }
        // The peer's key updates still want their answers.
        while still_reading.load(Ordering::SeqCst) {
            let rung = wake.rung.lock().unwrap();
            let (mut rung, _) = wake
                .sound
                .wait_timeout_while(rung, Duration::from_secs(20), |rung| !*rung)
                .unwrap();
            *rung = false;
            drop(rung);
            writer.flush().unwrap();
        }
        // Kept open until the other end has read all; the drop closes it.
        writer
    });
    thread::spawn(move || {
        let mut plain = Vec::new();
        let (mut count, mut exact) = (0, true);
        while count < total {
            plain.clear();
            match reader.read(|piece| plain.extend_from_slice(piece)).unwrap() {
                Received::Bytes(bytes) => count += bytes,
                Received::Idle | Received::Closed => break,
            }
            exact &= plain.iter().all(|byte| *byte != seed);
        }
        reading.store(false, Ordering::SeqCst);
        *bell.rung.lock().unwrap() = true;
        bell.sound.notify_all();
        drop(writing.join().unwrap());
        (count, exact)
    })
}

#[test]
fn full_load_both_ways_while_keys_change_does_not_stall() {
    const TOTAL: usize = 96 << 20;
    let (client, server) = pair();
    let ends = [load(client, 1, TOTAL), load(server, 2, TOTAL)];
    for end in ends {
        assert_eq!(end.join().unwrap(), (TOTAL, true));
    }
}
