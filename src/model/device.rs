//! A device: one installation, known by the hash of its public key and called by a name.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;

use super::name::displayable;
use super::trust::Trust;

/// SHA-256 of the public key (SubjectPublicKeyInfo, DER) in a device's certificate.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceId(pub [u8; 32]);

impl DeviceId {
    /// The first eight hex digits: enough to tell two devices of one name apart on a screen.
    pub fn short(&self) -> String {
        HEXLOWER.encode(&self.0[..4])
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a device id is 64 lower-case hex digits")]
pub struct DeviceIdError;

impl FromStr for DeviceId {
    type Err = DeviceIdError;

    fn from_str(text: &str) -> Result<Self, DeviceIdError> {
        let bytes = HEXLOWER.decode(text.as_bytes());
        let bytes = bytes.map_err(|_digits| DeviceIdError)?;
        Ok(Self(bytes.try_into().map_err(|_length| DeviceIdError)?))
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceId({})", self.short())
    }
}

/// What a device calls itself: one line of printable text, 1 to 64 characters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceName(String);

impl DeviceName {
    /// Longer names would not fit a card, a beacon or a title.
    pub const MAX_CHARS: usize = 64;

    /// Cleans a name from anywhere: controls and bidirectional marks are escaped, white space at
    /// the ends goes, an overlong name is cut, an empty one becomes `fallback`.
    pub fn cleaned(raw: &str, fallback: &str) -> Self {
        let cleaned: String = displayable(raw.trim())
            .chars()
            .take(Self::MAX_CHARS)
            .collect();
        let cleaned = cleaned.trim();
        Self(if cleaned.is_empty() {
            fallback.to_owned()
        } else {
            cleaned.to_owned()
        })
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The device at the other end of a connection, as far as it has proven itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    pub name: DeviceName,
    /// Known once the TLS handshake has proven the key.
    pub device_id: Option<DeviceId>,
    /// As a person would type it: `192.168.1.20:9000`.
    pub address: String,
    pub trust: Trust,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_id_reads_back_what_it_prints() {
        let id = DeviceId([0xab; 32]);
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in [
            "",
            "ab",
            &"AB".repeat(32),
            &"ab".repeat(33),
            &"xy".repeat(32),
        ] {
            assert_eq!(wrong.parse::<DeviceId>(), Err(DeviceIdError), "{wrong}");
        }
    }

    #[test]
    fn a_name_is_cut_cleaned_and_never_empty() {
        assert_eq!(
            DeviceName::cleaned("  Study PC\n", "x").as_str(),
            "Study PC"
        );
        assert_eq!(DeviceName::cleaned("\u{202e}", "x").as_str(), "\\u{202e}");
        assert_eq!(DeviceName::cleaned("   ", "device").as_str(), "device");
        let long = DeviceName::cleaned(&"长".repeat(100), "x");
        assert_eq!(long.as_str().chars().count(), DeviceName::MAX_CHARS);
    }
}
