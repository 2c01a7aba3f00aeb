//! Being called: a device that cannot be reached connects to the one that wants to send to it
//! (PROTOCOL.md, "Being called").

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
use crate::channel::Channel;
use crate::discovery::beacon::Call;
use crate::model::DeviceId;
use crate::protocol::verification::PairKey;

const LABEL: &[u8] = b"ropeway/1 call";
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

/// Transfers to be sent that wait for a device to connect.
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
    key: &PairKey,
    caller: DeviceId,
    called: DeviceId,
    port: u16,
    nonce: Nonce,
    now: SystemTime,
) -> Option<Call> {
    let time = now.duration_since(UNIX_EPOCH).ok()?.as_secs();
    let mac = mac(key, caller, called, (port, time, &nonce))?;
    Some(Call {
        port,
        time,
        nonce,
        proof: mac.finalize().into_bytes().into(),
    })
}

/// Whether `caller`, whose pair key that is, asks this device, and lately.
pub fn is_for_us(
    key: &PairKey,
    caller: DeviceId,
    ours: DeviceId,
    call: &Call,
    now: SystemTime,
) -> bool {
    let said = UNIX_EPOCH.checked_add(Duration::from_secs(call.time));
    let off = said.map(|said| match now.duration_since(said) {
        Ok(since) => since,
        Err(ahead) => ahead.duration(),
    });
    off.is_some_and(|off| off <= TIME_OFF)
        && mac(key, caller, ours, (call.port, call.time, &call.nonce))
            .is_some_and(|mac| mac.verify_slice(&call.proof).is_ok())
}

fn mac(
    key: &PairKey,
    caller: DeviceId,
    called: DeviceId,
    (port, time, nonce): (u16, u64, &Nonce),
) -> Option<Hmac<Sha256>> {
    let mut derived = Zeroizing::new([0; 32]);
    let hkdf = Hkdf::<Sha256>::new(None, key.0.as_slice());
    hkdf.expand(LABEL, derived.as_mut_slice()).ok()?;
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
        let said = call(&key, study, garden, 9000, [4; 16], now).unwrap();
        assert!(is_for_us(&key, study, garden, &said, now + TIME_OFF));
        assert!(is_for_us(&key, study, garden, &said, now - TIME_OFF));
        assert!(!is_for_us(&key, garden, study, &said, now));
        let other = PairKey(Zeroizing::new([9; 32]));
        assert!(!is_for_us(&other, study, garden, &said, now));
        for late in [now + TIME_OFF * 2, now - TIME_OFF * 2] {
            assert!(!is_for_us(&key, study, garden, &said, late));
        }
        for bent in [(9001, said.time), (9000, said.time + 1), (9000, u64::MAX)] {
            let bent = Call {
                port: bent.0,
                time: bent.1,
                ..said
            };
            assert!(!is_for_us(&key, study, garden, &bent, now));
        }
    }

    #[test]
    fn the_proof_of_a_call_is_the_one_in_the_golden_beacon() {
        let key = PairKey(Zeroizing::new(std::array::from_fn(|at| at as u8)));
        let caller = DeviceId(std::array::from_fn(|at| 0x20 + at as u8));
        let called = DeviceId(std::array::from_fn(|at| 0x60 + at as u8));
        let nonce = std::array::from_fn(|at| 0x10 + at as u8);
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let said = call(&key, caller, called, 9001, nonce, now).unwrap();
        let proof = data_encoding::HEXLOWER.encode(&said.proof);
        assert_eq!(
            proof,
            "567ffecea1a04608ad99f32cb9fef77a517abaca369d2eccae7c11fa5f67af04"
        );
    }
}
