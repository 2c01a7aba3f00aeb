//! The datagrams by which devices find each other (PROTOCOL.md, "Discovery").
//!
//! Strict and small: a datagram has at most [`MAX_BYTES`], each field is checked, unknown fields are
//! skipped so that later versions can say more, and what does not fit is not understood at all.

use crate::model::{DeviceId, DeviceName, System};

/// No datagram is larger; a query always has this size, so that no answer exceeds it.
pub const MAX_BYTES: usize = 512;
pub const MAGIC: [u8; 4] = *b"RPWY";
pub const VERSION: u8 = 1;

mod kind {
    pub const ANNOUNCE: u8 = 1;
    pub const QUERY: u8 = 2;
    pub const GOODBYE: u8 = 3;
}

mod field {
    pub const PADDING: u8 = 0;
    pub const DEVICE: u8 = 1;
    pub const INSTANCE: u8 = 2;
    pub const NAME: u8 = 3;
    pub const PORT: u8 = 4;
    pub const SYSTEM: u8 = 5;
    pub const CALL: u8 = 6;
}

/// A field's length is one byte.
const MAX_FIELD_BYTES: usize = 255;
const MAX_SYSTEM_BYTES: usize = 16;

/// Told apart from all other running programs, this device's own included.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Instance(pub [u8; 8]);

/// What a device says of itself. Nothing of it is proven.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Announcement {
    pub device: DeviceId,
    pub instance: Instance,
    pub name: DeviceName,
    pub system: System,
    /// Of its server; `None`: it does not receive.
    pub port: Option<u16>,
    /// It cannot reach a device that knows it, and asks to be called.
    pub call: Option<Call>,
}

/// Asks one paired device to connect (PROTOCOL.md, "Being called").
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Call {
    /// Where it listens for that.
    pub port: u16,
    /// Seconds since 1970, as the caller's clock says.
    pub time: u64,
    pub nonce: [u8; 16],
    /// HMAC under the pair key of the one that is asked.
    pub proof: [u8; 32],
}

impl Call {
    pub const BYTES: usize = 2 + 8 + 16 + 32;

    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..2].copy_from_slice(&self.port.to_be_bytes());
        bytes[2..10].copy_from_slice(&self.time.to_be_bytes());
        bytes[10..26].copy_from_slice(&self.nonce);
        bytes[26..].copy_from_slice(&self.proof);
        bytes
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::BYTES] = bytes.try_into().ok()?;
        let (port, rest) = bytes.split_first_chunk::<2>()?;
        let (time, rest) = rest.split_first_chunk::<8>()?;
        let (nonce, proof) = rest.split_first_chunk::<16>()?;
        Some(Self {
            port: nonzero(u16::from_be_bytes(*port))?,
            time: u64::from_be_bytes(*time),
            nonce: *nonce,
            proof: proof.try_into().ok()?,
        })
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Beacon {
    Announce(Announcement),
    /// Who is there? It says nothing of who asks.
    Query(Instance),
    Goodbye(DeviceId, Instance),
}

/// Why a datagram is not a beacon that this version understands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BeaconError {
    #[error("larger than {MAX_BYTES} bytes")]
    TooLong,
    #[error("not one of ours")]
    Foreign,
    #[error("of another version")]
    Version,
    #[error("of an unknown kind")]
    Kind,
    #[error("cut short")]
    Cut,
    #[error("a field has a wrong value")]
    Field,
    #[error("a field stands there twice")]
    Twice,
    #[error("a field is missing")]
    Missing,
}

impl Beacon {
    pub fn instance(&self) -> Instance {
        match self {
            Self::Announce(Announcement { instance, .. })
            | Self::Query(instance)
            | Self::Goodbye(_, instance) => *instance,
        }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(MAX_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.push(VERSION);
        match self {
            Self::Announce(said) => {
                bytes.push(kind::ANNOUNCE);
                put(&mut bytes, field::DEVICE, &said.device.0);
                put(&mut bytes, field::INSTANCE, &said.instance.0);
                put(
                    &mut bytes,
                    field::NAME,
                    fitting(said.name.as_str()).as_bytes(),
                );
                put(&mut bytes, field::SYSTEM, said.system.as_str().as_bytes());
                if let Some(port) = said.port {
                    put(&mut bytes, field::PORT, &port.to_be_bytes());
                }
                if let Some(call) = &said.call {
                    put(&mut bytes, field::CALL, &call.to_bytes());
                }
            }
            Self::Query(instance) => {
                bytes.push(kind::QUERY);
                put(&mut bytes, field::INSTANCE, &instance.0);
                while let Some(left @ 2..) = MAX_BYTES.checked_sub(bytes.len()) {
                    // Never leaves a single byte, which would have no room for a field.
                    let all = left.min(2 + MAX_FIELD_BYTES);
                    let some = if left - all == 1 { all - 1 } else { all };
                    put(
                        &mut bytes,
                        field::PADDING,
                        &[0; MAX_FIELD_BYTES][..some - 2],
                    );
                }
            }
            Self::Goodbye(device, instance) => {
                bytes.push(kind::GOODBYE);
                put(&mut bytes, field::DEVICE, &device.0);
                put(&mut bytes, field::INSTANCE, &instance.0);
            }
        }
        debug_assert!(bytes.len() <= MAX_BYTES, "fields of any length fit");
        bytes
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, BeaconError> {
        if bytes.len() > MAX_BYTES {
            return Err(BeaconError::TooLong);
        }
        let rest = bytes.strip_prefix(&MAGIC).ok_or(BeaconError::Foreign)?;
        let ([version, kind], rest) = rest.split_first_chunk().ok_or(BeaconError::Cut)?;
        if *version != VERSION {
            return Err(BeaconError::Version);
        }
        if !matches!(*kind, kind::ANNOUNCE | kind::QUERY | kind::GOODBYE) {
            return Err(BeaconError::Kind);
        }
        let fields = Fields::parse(rest)?;
        let instance = fields.instance.ok_or(BeaconError::Missing)?;
        let device = || fields.device.ok_or(BeaconError::Missing);
        Ok(match *kind {
            kind::QUERY => Self::Query(instance),
            kind::GOODBYE => Self::Goodbye(device()?, instance),
            _announce => {
                let device = device()?;
                let name = fields.name.ok_or(BeaconError::Missing)?;
                Self::Announce(Announcement {
                    device,
                    instance,
                    name: DeviceName::cleaned(name, &device.short()),
                    system: fields.system.map(System::parse).unwrap_or_default(),
                    port: fields.port,
                    call: fields.call,
                })
            }
        })
    }
}

#[derive(Default)]
struct Fields<'a> {
    device: Option<DeviceId>,
    instance: Option<Instance>,
    name: Option<&'a str>,
    system: Option<&'a str>,
    port: Option<u16>,
    call: Option<Call>,
}

impl<'a> Fields<'a> {
    fn parse(mut rest: &'a [u8]) -> Result<Self, BeaconError> {
        let mut fields = Self::default();
        while !rest.is_empty() {
            let ([kind, length], after) = rest.split_first_chunk().ok_or(BeaconError::Cut)?;
            let value = after.split_at_checked(usize::from(*length));
            let (value, after) = value.ok_or(BeaconError::Cut)?;
            rest = after;
            fields.take(*kind, value)?;
        }
        Ok(fields)
    }

    fn take(&mut self, kind: u8, value: &'a [u8]) -> Result<(), BeaconError> {
        match kind {
            field::DEVICE => once(&mut self.device, value.try_into().ok().map(DeviceId)),
            field::INSTANCE => once(&mut self.instance, value.try_into().ok().map(Instance)),
            field::NAME => once(&mut self.name, std::str::from_utf8(value).ok()),
            field::SYSTEM => {
                let text = std::str::from_utf8(value).ok();
                let fits = |text: &&str| text.len() <= MAX_SYSTEM_BYTES;
                once(&mut self.system, text.filter(fits))
            }
            field::PORT => {
                let port = value.try_into().ok().map(u16::from_be_bytes);
                once(&mut self.port, port.and_then(nonzero))
            }
            field::CALL => once(&mut self.call, Call::from_bytes(value)),
            _padding_or_unknown => Ok(()),
        }
    }
}

fn once<T>(field: &mut Option<T>, value: Option<T>) -> Result<(), BeaconError> {
    let value = value.ok_or(BeaconError::Field)?;
    match field.replace(value) {
        None => Ok(()),
        Some(_first) => Err(BeaconError::Twice),
    }
}

fn nonzero(port: u16) -> Option<u16> {
    (port != 0).then_some(port)
}

fn put(bytes: &mut Vec<u8>, kind: u8, value: &[u8]) {
    debug_assert!(value.len() <= MAX_FIELD_BYTES);
    bytes.push(kind);
    // No value is longer.
    bytes.push(u8::try_from(value.len()).unwrap_or(u8::MAX));
    bytes.extend_from_slice(value);
}

/// As much of a name as one field holds.
fn fitting(name: &str) -> &str {
    let ends = name.char_indices().map(|(at, c)| at + c.len_utf8());
    let end = ends.take_while(|end| *end <= MAX_FIELD_BYTES).last();
    name.get(..end.unwrap_or(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn call() -> impl Strategy<Value = Call> {
        (1_u16.., any::<u64>(), any::<[u8; 16]>(), any::<[u8; 32]>()).prop_map(
            |(port, time, nonce, proof)| Call {
                port,
                time,
                nonce,
                proof,
            },
        )
    }

    fn announcement() -> impl Strategy<Value = Announcement> {
        let name = prop_oneof![any::<String>(), "[a-z]{70}", "\u{1f980}{64}"];
        let system = prop::sample::select(vec![System::Linux, System::Windows, System::MacOs]);
        (
            any::<[u8; 32]>(),
            any::<[u8; 8]>(),
            name,
            system,
            prop::option::of(1_u16..),
            prop::option::of(call()),
        )
            .prop_map(
                |(device, instance, name, system, port, call)| Announcement {
                    device: DeviceId(device),
                    instance: Instance(instance),
                    name: DeviceName::cleaned(&name, "x"),
                    system,
                    port,
                    call,
                },
            )
    }

    #[test]
    fn a_query_is_as_large_as_any_answer_may_be() {
        let bytes = Beacon::Query(Instance([7; 8])).to_bytes();
        assert_eq!(bytes.len(), MAX_BYTES);
        assert_eq!(Beacon::parse(&bytes), Ok(Beacon::Query(Instance([7; 8]))));
    }

    #[test]
    fn what_is_not_a_beacon_is_named() {
        let announce = Beacon::Announce(Announcement {
            device: DeviceId([1; 32]),
            instance: Instance([2; 8]),
            name: DeviceName::cleaned("Study PC", "x"),
            system: System::Linux,
            port: Some(9000),
            call: None,
        });
        let whole = announce.to_bytes();
        assert_eq!(Beacon::parse(&whole), Ok(announce.clone()));
        let with = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = whole.clone();
            change(&mut bytes);
            Beacon::parse(&bytes)
        };
        let later = with(&|bytes| bytes.extend([200, 3, 1, 2, 3, 0, 1, 0]));
        assert_eq!(
            later,
            Ok(announce),
            "unknown fields and padding are skipped"
        );
        for (change, error) in [
            (
                &(|bytes: &mut Vec<u8>| bytes[0] = b'X') as &dyn Fn(&mut Vec<u8>),
                BeaconError::Foreign,
            ),
            (&|bytes: &mut Vec<u8>| bytes[4] = 2, BeaconError::Version),
            (&|bytes: &mut Vec<u8>| bytes[5] = 9, BeaconError::Kind),
            (&|bytes: &mut Vec<u8>| bytes.push(1), BeaconError::Cut),
            (
                &|bytes: &mut Vec<u8>| bytes.extend([4, 2, 1, 1]),
                BeaconError::Twice,
            ),
            (
                &|bytes: &mut Vec<u8>| bytes.extend([2, 1, 1]),
                BeaconError::Field,
            ),
            (
                &|bytes: &mut Vec<u8>| bytes.extend([5, 17].iter().chain(&[b'x'; 17])),
                BeaconError::Field,
            ),
            (
                &|bytes: &mut Vec<u8>| bytes.truncate(6),
                BeaconError::Missing,
            ),
            (
                &|bytes: &mut Vec<u8>| bytes.resize(MAX_BYTES + 1, 0),
                BeaconError::TooLong,
            ),
        ] {
            assert_eq!(with(change), Err(error));
        }
        let port_zero = [&whole[..whole.len() - 2], &[0, 0]].concat();
        assert_eq!(Beacon::parse(&port_zero), Err(BeaconError::Field));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_was_said_is_understood_and_always_fits(said in announcement()) {
            let bytes = Beacon::Announce(said.clone()).to_bytes();
            prop_assert!(bytes.len() <= MAX_BYTES);
            let Ok(Beacon::Announce(heard)) = Beacon::parse(&bytes) else {
                return Err(TestCaseError::fail("not understood"));
            };
            prop_assert!(said.name.as_str().starts_with(heard.name.as_str()) || said.name == heard.name);
            prop_assert_eq!(Announcement { name: said.name.clone(), ..heard }, said);
        }

        #[test]
        fn any_bytes_are_refused_or_understood_and_a_cut_is_noticed(
            said in announcement(),
            noise in prop::collection::vec(any::<u8>(), 0..600),
            cut in 0_usize..512,
        ) {
            let _ = Beacon::parse(&noise);
            let bytes = Beacon::Announce(said.clone()).to_bytes();
            let cut = cut.min(bytes.len().saturating_sub(1));
            if let Ok(Beacon::Announce(heard)) = Beacon::parse(&bytes[..cut]) {
                // Cut between two fields: what is left of it is what was said.
                prop_assert_eq!(heard.device, said.device);
                prop_assert!(heard.port.is_none() || heard.port == said.port);
            }
        }
    }
}
