//! Whether this computer's own firewall lets others in, and the exact command that opens it.
//!
//! The rules that are in force have the last word, where they may be read (`nft`, `iptables`, `filter`);
//! else who manages them is asked (`firewalld`, `ufw`). What cannot be told is said to be unclear.
//! Windows and macOS have one firewall each, which tells everybody.

#[cfg(any(target_os = "linux", test))]
mod filter;
#[cfg(any(target_os = "linux", test))]
mod firewalld;
#[cfg(any(target_os = "linux", test))]
mod iptables;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(any(target_os = "macos", test))]
mod macos;
#[cfg(any(target_os = "linux", test))]
mod nft;
#[cfg(any(target_os = "linux", test))]
mod ufw;
#[cfg(any(target_os = "windows", test))]
mod windows;

#[cfg(test)]
mod tests;

use super::Stop;
use super::links::OwnLink;
use crate::model::Finding;

#[cfg(target_os = "linux")]
use linux as here;
#[cfg(target_os = "macos")]
use macos as here;
#[cfg(target_os = "windows")]
use windows as here;

/// Whether others get through to the server at `tcp`, and, if asked, beacons of others at `udp`.
pub fn examine(links: &[OwnLink], tcp: u16, udp: Option<u16>, stop: &Stop) -> Vec<Finding> {
    if links.is_empty() {
        // Nobody could come in anyhow.
        return Vec::new();
    }
    here::examine(links, tcp, udp, stop)
}

#[cfg(not(any(target_os = "linux", target_os = "macos", target_os = "windows")))]
mod here {
    use super::{Finding, OwnLink, Stop};

    pub fn examine(_links: &[OwnLink], _tcp: u16, _udp: Option<u16>, _stop: &Stop) -> Vec<Finding> {
        Vec::new()
    }
}
