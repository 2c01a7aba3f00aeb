//! A device heard of on the local network. All of it is hearsay: it says where to knock, and what
//! counts is what the device proves then.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::device::{DeviceId, DeviceName};

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Nearby {
    /// What it claims to be.
    pub id: DeviceId,
    pub name: DeviceName,
    pub system: System,
    /// Its server is on.
    pub receiving: bool,
    /// Where its server may be reached, the likeliest first, with the scope where one is needed;
    /// empty if it does not receive.
    pub addresses: Vec<SocketAddr>,
}

/// What kind of system a device says it runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum System {
    Linux,
    Windows,
    MacOs,
    #[default]
    Other,
}

impl System {
    pub const fn here() -> Self {
        if cfg!(target_os = "linux") {
            Self::Linux
        } else if cfg!(target_os = "windows") {
            Self::Windows
        } else if cfg!(target_os = "macos") {
            Self::MacOs
        } else {
            Self::Other
        }
    }

    /// As in a hello and in a beacon; whatever is not known is [`Self::Other`].
    pub fn parse(text: &str) -> Self {
        match text {
            "linux" => Self::Linux,
            "windows" => Self::Windows,
            "macos" => Self::MacOs,
            _ => Self::Other,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::Windows => "windows",
            Self::MacOs => "macos",
            Self::Other => "other",
        }
    }
}

/// How this device shows itself on the local network, the most reserved first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Presence {
    /// No socket is open; nobody is found.
    #[default]
    Off,
    /// Others are found, this device is not; it is still reached by its address.
    Hidden,
    Visible,
}

impl Presence {
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "off" => Self::Off,
            "hidden" => Self::Hidden,
            "visible" => Self::Visible,
            _ => return None,
        })
    }
}
