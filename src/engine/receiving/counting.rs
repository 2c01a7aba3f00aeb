//! What a person sees of an offer while its sender still counts.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::engine::note::Counted;
use crate::engine::{event, lock};
use crate::model::{Manifest, displayable};
use crate::storage::free_bytes;

/// The growing count of an offer is told this often.
const COUNT_EVERY: Duration = Duration::from_millis(100);
/// A disk may be slow to tell how much room it has.
const ASK_FREE_EVERY: Duration = Duration::from_secs(1);

/// The picture of an offer that a person sees while the sender still counts.
pub(super) struct Counting {
    /// Not all that the engine shares: a session may be held longest by the thread that writes the
    /// ledger, which cannot end the ledger.
    save_folder: Arc<Mutex<PathBuf>>,
    told: Option<Instant>,
    asked: Option<Instant>,
    free_bytes: Option<u64>,
    looked_at: usize,
    names: Vec<String>,
    picked: u64,
}

impl Counting {
    pub fn new(save_folder: Arc<Mutex<PathBuf>>) -> Self {
        Self {
            save_folder,
            told: None,
            asked: None,
            free_bytes: None,
            looked_at: 0,
            names: Vec::new(),
            picked: 0,
        }
    }

    /// The picture now, unless the last one is too fresh.
    pub fn look(&mut self, manifest: &Manifest, counting: bool) -> Option<Counted> {
        for entry in manifest.entries().iter().skip(self.looked_at) {
            if entry.parent.is_none() {
                self.picked += 1;
                if self.names.len() < event::Offer::MAX_NAMES {
                    self.names.push(displayable(entry.name.as_str()));
                }
            }
        }
        self.looked_at = manifest.len();
        if counting && self.told.is_some_and(|told| told.elapsed() < COUNT_EVERY) {
            return None;
        }
        self.told = Some(Instant::now());
        Some(Counted {
            names: self.names.clone(),
            picked: self.picked,
            entries: manifest.len() as u64,
            bytes: manifest.total_bytes(),
            counting,
            picks: (!counting).then(|| manifest.picks()),
            free_bytes: None,
        })
    }

    /// Room in the save folder, asked for once a second at most.
    pub fn free_bytes(&mut self) -> Option<u64> {
        let fresh = self
            .asked
            .is_some_and(|asked| asked.elapsed() < ASK_FREE_EVERY);
        if !fresh {
            self.asked = Some(Instant::now());
            let folder = lock(&self.save_folder).clone();
            self.free_bytes = free_bytes(&folder);
        }
        self.free_bytes
    }
}
