//! Where devices are, as was heard on the local network last. Hearsay: whoever dials finds out.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Mutex;

use super::lock;
use crate::model::{DeviceId, Nearby};

#[derive(Default)]
pub struct Whereabouts(Mutex<HashMap<DeviceId, Vec<SocketAddr>>>);

impl Whereabouts {
    /// In place of all that was known.
    pub fn set(&self, nearby: &[Nearby]) {
        let receiving = nearby.iter().filter(|nearby| nearby.receiving);
        let known = receiving.map(|nearby| (nearby.id, nearby.addresses.clone()));
        *lock(&self.0) = known.collect();
    }

    /// The likeliest first; empty if nothing is known.
    pub fn of(&self, device: DeviceId) -> Vec<SocketAddr> {
        lock(&self.0).get(&device).cloned().unwrap_or_default()
    }
}
