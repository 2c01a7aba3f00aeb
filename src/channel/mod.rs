//! The encrypted byte stream between two devices, and the key that makes a device itself.
//!
//! TLS 1.3 and nothing else; no certificate authority, no names, no resumption, no plaintext mode.
//! The handshake proves who holds which key ([`crate::model::DeviceId`]); whether that device may
//! do anything is decided above, by what is proven inside the channel.

mod identity;
mod stream;
mod tls;
mod transport;

pub use identity::{Identity, IdentityError};
pub use stream::{Channel, ReadHalf, Received, Shutdown, WriteHalf};
pub use tls::ChannelError;

#[cfg(test)]
mod tests;
