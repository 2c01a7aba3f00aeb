//! What a person sees of an offer while its sender still counts.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::engine::note::Counted;
use crate::engine::{event, lock};
use crate::model::{Manifest, displayable};

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

    /// Room in the save folder, asked for once a second at most. `ask` may hang with the share it asks,
    /// and is called without the lock, which others want under that of the machine.
    pub fn free_bytes(
        counting: &Mutex<Self>,
        ask: impl FnOnce(&Path) -> Option<u64>,
    ) -> Option<u64> {
        let mut this = lock(counting);
        let fresh = this
            .asked
            .is_some_and(|asked| asked.elapsed() < ASK_FREE_EVERY);
        if fresh {
            return this.free_bytes;
        }
        this.asked = Some(Instant::now());
        let save_folder = Arc::clone(&this.save_folder);
        drop(this);
        let folder = lock(&save_folder).clone();
        let free_bytes = ask(&folder);
        lock(counting).free_bytes = free_bytes;
        free_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_for_a_disk_that_is_asked_how_much_room_it_has() {
        let save_folder = Arc::new(Mutex::new(PathBuf::from("somewhere")));
        let counting = Mutex::new(Counting::new(Arc::clone(&save_folder)));
        let told = Counting::free_bytes(&counting, |folder| {
            assert_eq!(folder, Path::new("somewhere"));
            let mut meanwhile = counting.try_lock().expect("nobody holds it");
            assert!(meanwhile.look(&Manifest::default(), true).is_some());
            assert!(save_folder.try_lock().is_ok());
            Some(7)
        });
        assert_eq!(told, Some(7));
        let again = Counting::free_bytes(&counting, |_folder| panic!("asked too often"));
        assert_eq!(again, Some(7));
    }
}
