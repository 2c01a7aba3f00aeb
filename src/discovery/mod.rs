//! Who is on the local network: datagrams of our own and DNS-SD, and the table of what was heard.
//!
//! All of it is hearsay. Nothing here opens a connection, and nothing that is heard opens a door: it
//! says where to knock, and what counts is what a device proves then. PROTOCOL.md, "Discovery", is the
//! wire.

mod air;
pub mod beacon;
mod bucket;
mod mdns;
mod networks;
mod presence;
mod report;
mod sockets;
pub mod table;

pub use presence::{Discovery, Heard, Ours, Watch};
pub use report::{Family, NetworkReport, Report};
pub use sockets::PORT;
