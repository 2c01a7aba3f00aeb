//! Bytes that stand in a record as hex digits.

use data_encoding::HEXLOWER;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// So many bytes, at most 32. Written without a string of its own: the journal has several a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Hex<const N: usize>(pub [u8; N]);

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut digits = [0; 64];
        let digits = digits
            .get_mut(..2 * N)
            .ok_or_else(|| S::Error::custom("too many bytes"))?;
        HEXLOWER.encode_mut(&self.0, digits);
        let text = std::str::from_utf8(digits).map_err(S::Error::custom)?;
        serializer.serialize_str(text)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(D::Error::custom)?;
        let bytes = bytes.try_into();
        Ok(Self(
            bytes.map_err(|_length| D::Error::custom("another length"))?,
        ))
    }
}

/// For fields: `#[serde(with = "hex")]`.
pub(super) fn serialize<S: Serializer, const N: usize>(
    bytes: &[u8; N],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    Hex(*bytes).serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
    deserializer: D,
) -> Result<[u8; N], D::Error> {
    Hex::deserialize(deserializer).map(|Hex(bytes)| bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_read_back_and_other_lengths_and_letters_do_not() {
        let written = serde_json::to_string(&Hex([0x0f, 0xa0])).unwrap();
        assert_eq!(written, "\"0fa0\"");
        assert_eq!(
            serde_json::from_str::<Hex<2>>(&written).unwrap().0,
            [15, 160]
        );
        for bad in ["\"0fa\"", "\"0fa0ff\"", "\"0fag\"", "5"] {
            assert!(serde_json::from_str::<Hex<2>>(bad).is_err(), "{bad}");
        }
    }
}
