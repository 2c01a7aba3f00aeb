//! Being called: a device that cannot be reached connects to the one that wants to send or to say
//! something to it (PROTOCOL.md, "Being called").
//!
//! Here is what a call says and who waits for one; `waiting` is the caller's side of it, and
//! `supervisor::callers` the side of who is called.

mod waiting;

use std::collections::HashMap;
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::lock;
pub use waiting::{Calling, Subject};

use crate::channel::Channel;
use crate::discovery::beacon::Call;
use crate::model::DeviceId;
use crate::protocol::verification::PairKey;

const LABEL: &[u8] = b"ropeway/1 call";
const OPEN_LABEL: &[u8] = b"ropeway/1 open call";
/// How far two clocks may be apart.
const TIME_OFF: Duration = Duration::from_secs(600);

pub type Nonce = [u8; 16];

/// Who has connected because it was asked to; it waits for a hello.
pub struct Called {
    pub channel: Channel,
    /// To end it by.
    pub socket: TcpStream,
    pub at: SocketAddr,
}

/// What a call is made with.
#[derive(Clone, Copy)]
pub enum By<'a> {
    /// Whoever hears it knows that it comes from the paired device: it connects.
    Pair(&'a PairKey),
    /// Nothing: it tells only whom it is for, to those who know that device's id. A person there has to
    /// click before anything comes of it.
    Nothing,
}

/// What waits for a device to connect.
#[derive(Default)]
pub struct Calls(Mutex<HashMap<Nonce, (DeviceId, Sender<Called>)>>);

impl Calls {
    /// Waits for that device from now on, until [`Self::stop`].
    pub fn wait(&self, device: DeviceId) -> Option<(Nonce, Receiver<Called>)> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).ok()?;
        let (sender, comes) = channel();
        lock(&self.0).insert(nonce, (device, sender));
        Some((nonce, comes))
    }

    pub fn stop(&self, nonce: &Nonce) {
        lock(&self.0).remove(nonce);
    }

    pub fn is_any(&self) -> bool {
        !lock(&self.0).is_empty()
    }

    /// Hands it over, if that very device was asked; each nonce works once.
    pub fn arrived(&self, nonce: &Nonce, called: Called) -> bool {
        let mut waiting = lock(&self.0);
        let asked = waiting.get(nonce).map(|(device, _)| *device);
        if asked != Some(called.channel.peer) {
            return false;
        }
        let waits = waiting.remove(nonce);
        waits.is_some_and(|(_, sender)| sender.send(called).is_ok())
    }
}

/// What `caller` says so that `called` connects to it.
pub fn call(
    by: By,
    caller: DeviceId,
    called: DeviceId,
    port: u16,
    nonce: Nonce,
    now: SystemTime,
) -> Option<Call> {
    let time = now.duration_since(UNIX_EPOCH).ok()?.as_secs();
    let mac = mac(by, caller, called, (port, time, &nonce))?;
    Some(Call {
        port,
        time,
        nonce,
        proof: mac.finalize().into_bytes().into(),
    })
}

/// Whether `caller` asks this device, and lately. By [`By::Nothing`] anybody may have said that.
pub fn is_for_us(by: By, caller: DeviceId, ours: DeviceId, call: &Call, now: SystemTime) -> bool {
    let said = UNIX_EPOCH.checked_add(Duration::from_secs(call.time));
    let off = said.map(|said| match now.duration_since(said) {
        Ok(since) => since,
        Err(ahead) => ahead.duration(),
    });
    off.is_some_and(|off| off <= TIME_OFF)
        && mac(by, caller, ours, (call.port, call.time, &call.nonce))
            .is_some_and(|mac| mac.verify_slice(&call.proof).is_ok())
}

fn mac(
    by: By,
    caller: DeviceId,
    called: DeviceId,
    (port, time, nonce): (u16, u64, &Nonce),
) -> Option<Hmac<Sha256>> {
    let mut derived = Zeroizing::new([0; 32]);
    let (secret, label) = match by {
        By::Pair(key) => (key.0.as_slice(), LABEL),
        By::Nothing => (called.0.as_slice(), OPEN_LABEL),
    };
    let hkdf = Hkdf::<Sha256>::new(None, secret);
    hkdf.expand(label, derived.as_mut_slice()).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(derived.as_slice()).ok()?;
    mac.update(&caller.0);
    mac.update(&called.0);
    mac.update(&port.to_be_bytes());
    mac.update(&time.to_be_bytes());
    mac.update(nonce);
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_for_one_device_from_one_device_and_for_a_while() {
        let key = PairKey(Zeroizing::new([1; 32]));
        let (study, garden) = (DeviceId([2; 32]), DeviceId([3; 32]));
        let now = UNIX_EPOCH + Duration::from_secs(2_000_000_000);
        let said = call(By::Pair(&key), study, garden, 9000, [4; 16], now).unwrap();
        assert!(is_for_us(
            By::Pair(&key),
            study,
            garden,
            &said,
            now + TIME_OFF
        ));
        assert!(is_for_us(
            By::Pair(&key),
            study,
            garden,
            &said,
            now - TIME_OFF
        ));
        assert!(!is_for_us(By::Pair(&key), garden, study, &said, now));
        let other = PairKey(Zeroizing::new([9; 32]));
        assert!(!is_for_us(By::Pair(&other), study, garden, &said, now));
        for late in [now + TIME_OFF * 2, now - TIME_OFF * 2] {
            assert!(!is_for_us(By::Pair(&key), study, garden, &said, late));
        }
        for bent in [(9001, said.time), (9000, said.time + 1), (9000, u64::MAX)] {
            let bent = Call {
                port: bent.0,
                time: bent.1,
                ..said
            };
            assert!(!is_for_us(By::Pair(&key), study, garden, &bent, now));
        }
    }

    #[test]
    fn an_open_call_is_for_one_device_and_never_taken_for_one_of_a_paired_device() {
        let key = PairKey(Zeroizing::new([1; 32]));
        let (study, garden) = (DeviceId([2; 32]), DeviceId([3; 32]));
        let now = UNIX_EPOCH + Duration::from_secs(2_000_000_000);
        let open = call(By::Nothing, study, garden, 9000, [4; 16], now).unwrap();
        assert!(is_for_us(By::Nothing, study, garden, &open, now + TIME_OFF));
        assert!(!is_for_us(
            By::Nothing,
            study,
            garden,
            &open,
            now + TIME_OFF * 2
        ));
        for (caller, called) in [(garden, study), (study, study), (garden, garden)] {
            assert!(!is_for_us(By::Nothing, caller, called, &open, now));
        }
        assert!(!is_for_us(By::Pair(&key), study, garden, &open, now));
        // Nor with a pair key that somebody makes of what everybody knows.
        let known = PairKey(Zeroizing::new(garden.0));
        assert!(!is_for_us(By::Pair(&known), study, garden, &open, now));
        let close = call(By::Pair(&key), study, garden, 9000, [4; 16], now).unwrap();
        assert!(!is_for_us(By::Nothing, study, garden, &close, now));
    }

    #[test]
    fn calls_are_the_ones_in_the_vector() {
        let vector = include_str!("../../../tests/golden/vectors/call.json");
        let vector: serde_json::Value = serde_json::from_str(vector).unwrap();
        let bytes = |part: &str, name: &str| {
            let hex = vector[part][name].as_str().unwrap();
            data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap()
        };
        let given = |name| <[u8; 32]>::try_from(bytes("given", name)).unwrap();
        let key = PairKey(Zeroizing::new(given("pair_key")));
        let (caller, called) = (DeviceId(given("caller")), DeviceId(given("called")));
        let nonce = bytes("given", "nonce").try_into().unwrap();
        let port = vector["given"]["port"].as_u64().unwrap() as u16;
        let now = UNIX_EPOCH + Duration::from_secs(vector["given"]["time"].as_u64().unwrap());
        for (by, made) in [(By::Pair(&key), "call"), (By::Nothing, "open_call")] {
            let said = call(by, caller, called, port, nonce, now).unwrap();
            assert_eq!(said.to_bytes().as_slice(), bytes("made", made), "{made}");
        }
    }
}
