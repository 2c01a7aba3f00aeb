//! Addresses that a person has used, in `recent.json` in the data folder: who was there, and when.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::event::Recent;
use super::lock;
use crate::model::{DeviceId, DeviceName, PeerAddress};
use crate::storage::record;

const FILE: &str = "recent.json";
const VERSION: u32 = 1;
/// Nobody looks through more.
const MOST: usize = 32;

/// The last success first.
pub struct RecentAddresses {
    path: PathBuf,
    /// It is of a newer version or cannot be read: it is not ours to replace.
    read_only: bool,
    all: Mutex<Vec<Recent>>,
    /// Held while the file is written, so that the last word wins.
    writing: Mutex<()>,
}

#[derive(Serialize, Deserialize)]
struct File {
    recent: Vec<Line>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    address: String,
    device: String,
    name: String,
    /// Seconds since 1970.
    last: u64,
}

impl RecentAddresses {
    /// What earlier runs kept. What cannot be understood is left out: nothing depends on it.
    pub fn open(data_dir: &Path) -> Self {
        let path = data_dir.join(FILE);
        let (lines, read_only) = match record::load::<File>(&path, VERSION) {
            Ok(file) => (file.map_or_else(Vec::new, |file| file.recent), false),
            Err(error @ record::RecordError::Damaged { .. }) => {
                tracing::warn!(%error, "the recent addresses were not read");
                (Vec::new(), false)
            }
            Err(error) => {
                tracing::warn!(%error, "the recent addresses were not read");
                (Vec::new(), true)
            }
        };
        let mut all: Vec<_> = lines.iter().filter_map(Line::understood).collect();
        all.truncate(MOST);
        Self {
            path,
            read_only,
            all: Mutex::new(all),
            writing: Mutex::default(),
        }
    }

    pub fn all(&self) -> Vec<Recent> {
        lock(&self.all).clone()
    }

    /// It was reached, and proved who it is. Only in memory until [`Self::save`].
    pub fn reached(&self, address: &PeerAddress, device: DeviceId, name: &DeviceName) {
        let mut all = lock(&self.all);
        all.retain(|recent| !same(&recent.address, address));
        let recent = Recent {
            address: address.clone(),
            device,
            name: name.clone(),
            last: SystemTime::now(),
        };
        all.insert(0, recent);
        all.truncate(MOST);
    }

    /// Says whether it was there. Only in memory until [`Self::save`].
    pub fn forget(&self, address: &PeerAddress) -> bool {
        let mut all = lock(&self.all);
        let before = all.len();
        all.retain(|recent| !same(&recent.address, address));
        all.len() != before
    }

    /// Writes what is known now; not for the supervisor's thread.
    pub fn save(&self) {
        if self.read_only {
            return;
        }
        let _writing = lock(&self.writing);
        let file = File {
            recent: self.all().iter().map(Line::of).collect(),
        };
        if let Err(error) = record::save(&self.path, VERSION, &file) {
            tracing::warn!(%error, "the recent addresses were not written");
        }
    }
}

/// A port that was not typed is the usual one.
fn same(one: &PeerAddress, other: &PeerAddress) -> bool {
    one.host.eq_ignore_ascii_case(&other.host) && one.port() == other.port()
}

impl Line {
    fn of(recent: &Recent) -> Self {
        let since = recent.last.duration_since(UNIX_EPOCH);
        Self {
            address: recent.address.to_string(),
            device: recent.device.to_string(),
            name: recent.name.to_string(),
            last: since.unwrap_or_default().as_secs(),
        }
    }

    fn understood(&self) -> Option<Recent> {
        let device: DeviceId = self.device.parse().ok()?;
        Some(Recent {
            address: self.address.parse().ok()?,
            device,
            name: DeviceName::cleaned(&self.name, &device.short()),
            last: UNIX_EPOCH.checked_add(Duration::from_secs(self.last))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> PeerAddress {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_are_kept_in_order_each_once_and_not_too_many() {
        let dir = tempfile::tempdir().unwrap();
        let recent = RecentAddresses::open(dir.path());
        let name = DeviceName::cleaned("书房", "x");
        for n in 0..40 {
            recent.reached(
                &address(&format!("10.0.0.{n}:9001")),
                DeviceId([n; 32]),
                &name,
            );
        }
        recent.reached(&address("10.0.0.20:9001"), DeviceId([1; 32]), &name);
        recent.reached(&address("Garden.local"), DeviceId([2; 32]), &name);
        recent.reached(&address("garden.local:9000"), DeviceId([2; 32]), &name);
        recent.reached(&address("[fe80::1%eth0]:9001"), DeviceId([3; 32]), &name);
        assert!(recent.forget(&address("10.0.0.39:9001")));
        assert!(!recent.forget(&address("10.0.0.39:9001")));
        recent.save();
        let again = RecentAddresses::open(dir.path()).all();
        assert!(again.len() <= MOST);
        let shown: Vec<_> = again
            .iter()
            .map(|recent| recent.address.to_string())
            .collect();
        assert_eq!(
            shown[..4],
            [
                "[fe80::1%eth0]:9001",
                "garden.local:9000",
                "10.0.0.20:9001",
                "10.0.0.38:9001"
            ]
        );
        assert_eq!(again[1].name, name);
    }

    #[test]
    fn what_is_damaged_or_newer_costs_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let text = r#"{"version":1,"recent":[{"address":"","device":"x","name":"","last":0}]}"#;
        std::fs::write(&path, text).unwrap();
        assert!(RecentAddresses::open(dir.path()).all().is_empty());
        std::fs::write(&path, "{").unwrap();
        assert!(RecentAddresses::open(dir.path()).all().is_empty());
        std::fs::write(&path, r#"{"version":2}"#).unwrap();
        RecentAddresses::open(dir.path()).save();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), r#"{"version":2}"#);
    }
}
