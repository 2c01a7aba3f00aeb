//! What discovery can say of itself, for whoever looks for the reason why nobody is found.

use std::net::IpAddr;

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Family {
    V4,
    V6,
}

/// How one family of one interface does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NetworkReport {
    /// Of the interface, as the system calls it.
    pub name: String,
    pub family: Family,
    /// Its own, the one announcements come from.
    pub address: IpAddr,
    /// Why announcements cannot leave; `None` if the last one did.
    pub send_failed: Option<String>,
    /// Why the group could not be joined.
    pub join_failed: Option<String>,
    /// Our own multicast or broadcast came back at least once since this interface came up.
    pub came_back: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Why datagrams of others cannot be heard: the port is taken, or forbidden. By family.
    pub deaf: Vec<(Family, String)>,
    pub networks: Vec<NetworkReport>,
    /// Why DNS-SD does not run.
    pub records_failed: Option<String>,
    /// Datagrams that were not looked at since too many came.
    pub dropped: u64,
    /// Of others, since the start: understood ones.
    pub heard: u64,
}
