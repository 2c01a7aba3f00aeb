//! Sends that wait for a device that is not there, as they are kept so that they outlast this process.
//!
//! One record each, in `waiting` in the data folder: from the moment in which a person is told that it
//! waits, until it is accepted or over. The secret that was typed is not in it. [`super::ledger`] writes
//! them on its thread, in one order with its own records: what was accepted stands there before it goes
//! here. A record is locked as long as the process lives that waits, so that two never send the same.

use std::collections::HashMap;
#[cfg(unix)]
use std::fs::TryLockError;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::command::{Chosen, SendRequest};
use crate::model::{DeviceName, PeerAddress, Problem, TransferId};
use crate::storage::inbox::KEPT_FOR;
use crate::storage::record;
use crate::storage::source::modified;

const FOLDER: &str = "waiting";
const VERSION: u32 = 1;
/// More than a person keeps in mind. Each costs a thread while it waits.
pub const MAX_WAITING: usize = 200;

/// A send that waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiting {
    pub transfer: TransferId,
    pub device: Chosen,
    pub to: PeerAddress,
    pub picks: Vec<Picked>,
    pub ask: bool,
    pub remember: bool,
    /// When somebody last waited for it.
    pub touched: SystemTime,
}

/// What was picked, and what it was then; `None` if it was not there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Picked {
    pub place: PathBuf,
    pub state: Option<PickState>,
}

/// Of a folder no more than that: what is in it is listed when it is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum PickState {
    Folder,
    File {
        len_bytes: u64,
        modified: Option<(i64, u32)>,
    },
    /// Nothing that can be sent.
    Other,
}

/// What is not as it was when it was picked: places.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Differs {
    pub gone: Vec<PathBuf>,
    pub changed: Vec<PathBuf>,
}

impl Waiting {
    pub fn is_over(&self) -> bool {
        let until = self.touched.checked_add(KEPT_FOR);
        until.is_some_and(|until| until < SystemTime::now())
    }

    pub fn request(&self) -> SendRequest {
        SendRequest {
            transfer: self.transfer,
            sources: self.picks.iter().map(|pick| pick.place.clone()).collect(),
            to: self.to.clone(),
            device: Some(self.device.clone()),
            secret: None,
            ask: self.ask,
            remember: self.remember,
            wait_for_it: true,
        }
    }
}

impl Picked {
    /// Looks at the disk.
    pub fn look(place: &Path) -> Self {
        let state = match fs::metadata(place) {
            Ok(found) if found.is_dir() => Some(PickState::Folder),
            Ok(found) if found.is_file() => Some(PickState::File {
                len_bytes: found.len(),
                modified: modified(&found).map(|it| (it.seconds, it.nanos)),
            }),
            Err(error) if Problem::reading(&error) == Problem::Vanished => None,
            // It cannot be read, or not be sent, and that is said when it is sent.
            Ok(_) | Err(_) => Some(PickState::Other),
        };
        Self {
            place: place.to_owned(),
            state,
        }
    }
}

/// What is not as it was. What was not there from the first on is none of it: that is said when it is sent.
pub fn compare(before: &[Picked], now: &[Picked]) -> Differs {
    let mut differs = Differs::default();
    for (before, now) in before.iter().zip(now) {
        match (before.state, now.state) {
            (Some(_), None) => differs.gone.push(now.place.clone()),
            (Some(before), Some(after)) if before != after => {
                differs.changed.push(now.place.clone());
            }
            (_, _) => {}
        }
    }
    differs
}

#[derive(Serialize, Deserialize)]
struct WaitingRecord {
    device: String,
    name: Option<String>,
    /// Empty: none is known.
    address: String,
    picks: Vec<PickedRecord>,
    ask: bool,
    remember: bool,
    /// Seconds since 1970.
    touched: u64,
}

#[derive(Serialize, Deserialize)]
struct PickedRecord {
    place: Place,
    state: Option<PickState>,
}

/// Names need not be text.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Place {
    Text(String),
    Bytes { bytes: Vec<u8> },
}

impl Place {
    fn of(path: &Path) -> Self {
        match path.to_str() {
            Some(text) => Self::Text(text.to_owned()),
            None => Self::Bytes {
                bytes: path.as_os_str().as_encoded_bytes().to_vec(),
            },
        }
    }

    fn path(self) -> Option<PathBuf> {
        match self {
            Self::Text(text) => Some(text.into()),
            #[cfg(unix)]
            Self::Bytes { bytes } => {
                use std::os::unix::ffi::OsStringExt as _;
                Some(std::ffi::OsString::from_vec(bytes).into())
            }
            #[cfg(not(unix))]
            Self::Bytes { .. } => None,
        }
    }
}

impl WaitingRecord {
    fn of(waiting: &Waiting) -> Self {
        let seconds = waiting.touched.duration_since(UNIX_EPOCH);
        let picks = waiting.picks.iter().map(|pick| PickedRecord {
            place: Place::of(&pick.place),
            state: pick.state,
        });
        let name = waiting.device.name.as_ref();
        Self {
            device: waiting.device.id.to_string(),
            name: name.map(|name| name.as_str().to_owned()),
            address: match waiting.to.is_nowhere() {
                true => String::new(),
                false => waiting.to.to_string(),
            },
            picks: picks.collect(),
            ask: waiting.ask,
            remember: waiting.remember,
            touched: seconds.unwrap_or_default().as_secs(),
        }
    }

    fn understood(self, transfer: TransferId) -> Option<Waiting> {
        let id = self.device.parse().ok()?;
        let picks = self.picks.into_iter().map(|pick| {
            let (place, state) = (pick.place.path()?, pick.state);
            Some(Picked { place, state })
        });
        Some(Waiting {
            transfer,
            device: Chosen {
                id,
                name: self.name.map(|name| DeviceName::cleaned(&name, "?")),
            },
            to: (self.address.parse()).unwrap_or_else(|_none| PeerAddress::nowhere(id)),
            picks: picks.collect::<Option<_>>()?,
            ask: self.ask,
            remember: self.remember,
            touched: UNIX_EPOCH.checked_add(Duration::from_secs(self.touched))?,
        })
    }
}

/// The records as the thread of the ledger writes them.
pub(super) struct Shelf {
    folder: PathBuf,
    /// Ours, and locked.
    held: HashMap<TransferId, File>,
}

impl Shelf {
    pub fn new(data_dir: &Path) -> Self {
        let folder = data_dir.join(FOLDER);
        record::sweep(&folder);
        Self {
            folder,
            held: HashMap::new(),
        }
    }

    fn path(&self, transfer: TransferId) -> PathBuf {
        self.folder.join(format!("{transfer}.json"))
    }

    pub fn save(&mut self, waiting: &Waiting) {
        let path = self.path(waiting.transfer);
        // Some systems do not replace an open file.
        #[cfg(not(unix))]
        self.held.remove(&waiting.transfer);
        match record::save_and_hold(&path, VERSION, &WaitingRecord::of(waiting)) {
            Ok(held) => drop(self.held.insert(waiting.transfer, held)),
            Err(error) => tracing::warn!(%error, "a send waits only while this runs"),
        }
    }

    /// Not even a power cut brings it back once this returns.
    pub fn remove(&mut self, transfers: &[TransferId]) {
        for transfer in transfers {
            #[cfg(not(unix))]
            self.held.remove(transfer);
            let _ = fs::remove_file(self.path(*transfer));
            self.held.remove(transfer);
        }
        #[cfg(unix)]
        if !transfers.is_empty()
            && let Ok(folder) = File::open(&self.folder)
        {
            let _ = folder.sync_all();
        }
    }

    /// What other processes left here, and no living one waits for; what was asked for first comes first.
    pub fn take_up(&mut self) -> Vec<Waiting> {
        let mut all = Vec::new();
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let id = name.and_then(|name| name.strip_suffix(".json"));
            let Some(Ok(transfer)) = id.map(str::parse) else {
                continue;
            };
            if self.held.contains_key(&transfer) || self.held.len() >= MAX_WAITING {
                continue;
            }
            let Ok(file) = File::open(&path) else {
                continue;
            };
            // Where a lock keeps everybody from reading, whose it is shows below.
            #[cfg(unix)]
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => continue,
                // A file system without locks.
                Err(TryLockError::Error(_unsupported)) => {}
            }
            // Read after it is locked: the process before may have just ended with it.
            match record::load::<WaitingRecord>(&path, VERSION) {
                Ok(Some(found)) => match found.understood(transfer) {
                    Some(waiting) => {
                        self.held.insert(transfer, file);
                        all.push(waiting);
                    }
                    None => tracing::warn!(%transfer, "a send that waits was not understood"),
                },
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "a send that waits was not read"),
            }
        }
        all.sort_by_key(|waiting| waiting.touched);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DeviceId;

    fn waiting(number: u8, picks: Vec<Picked>) -> Waiting {
        let id = DeviceId([number; 32]);
        Waiting {
            transfer: TransferId([number; 16]),
            device: Chosen {
                id,
                name: Some(DeviceName::cleaned("花园", "?")),
            },
            to: PeerAddress::nowhere(id),
            picks,
            ask: true,
            remember: false,
            touched: UNIX_EPOCH + Duration::from_secs(1_000_000 + u64::from(number)),
        }
    }

    #[test]
    fn what_waits_reads_back_in_order_once_its_process_is_gone_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        fs::write(&file, "content").unwrap();
        let picks = vec![Picked::look(&file), Picked::look(&dir.path().join("b"))];
        let mut first = Shelf::new(dir.path());
        for number in [2, 1, 3] {
            first.save(&waiting(number, picks.clone()));
        }
        let mut second = Shelf::new(dir.path());
        assert!(second.take_up().is_empty());
        first.remove(&[TransferId([3; 16])]);
        // Written anew, it is still held.
        first.save(&waiting(1, picks.clone()));
        assert!(second.take_up().is_empty());
        drop(first);
        let expected = [waiting(1, picks.clone()), waiting(2, picks)];
        assert_eq!(second.take_up(), expected);
        assert!(second.take_up().is_empty());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let path = second.path(TransferId([1; 16]));
            let mode = fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_is_no_text_is_kept_as_it_is() {
        use std::os::unix::ffi::OsStringExt as _;
        let dir = tempfile::tempdir().unwrap();
        let odd: PathBuf = std::ffi::OsString::from_vec(b"/tmp/\xff\xfe".to_vec()).into();
        let picks = vec![Picked {
            place: odd,
            state: None,
        }];
        Shelf::new(dir.path()).save(&waiting(1, picks.clone()));
        assert_eq!(Shelf::new(dir.path()).take_up(), [waiting(1, picks)]);
    }

    #[test]
    fn a_newer_or_damaged_record_is_left_to_its_owner_and_the_others_wait() {
        let dir = tempfile::tempdir().unwrap();
        let mut shelf = Shelf::new(dir.path());
        shelf.save(&waiting(1, Vec::new()));
        let newer = shelf.path(TransferId([2; 16]));
        record::save(
            &newer,
            VERSION + 1,
            &WaitingRecord::of(&waiting(2, Vec::new())),
        )
        .unwrap();
        let damaged = shelf.path(TransferId([3; 16]));
        fs::write(&damaged, "{\"version\":1").unwrap();
        drop(shelf);
        let taken = Shelf::new(dir.path()).take_up();
        assert_eq!(taken, [waiting(1, Vec::new())]);
        assert!(newer.exists() && !damaged.exists());
        assert!(
            record::free_name_beside(&damaged)
                .ends_with(format!("{}.json.damaged-2", TransferId([3; 16])))
        );
    }

    #[test]
    fn what_is_gone_or_changed_since_it_was_picked_is_found_and_a_folder_only_if_it_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["same", "longer", "gone"] {
            fs::write(at(name), "1").unwrap();
        }
        fs::create_dir(at("folder")).unwrap();
        let look = || -> Vec<_> {
            let names = ["same", "longer", "gone", "folder", "never"];
            names.iter().map(|name| Picked::look(&at(name))).collect()
        };
        let before = look();
        assert_eq!(compare(&before, &look()), Differs::default());
        fs::write(at("longer"), "12").unwrap();
        fs::remove_file(at("gone")).unwrap();
        fs::write(at("folder").join("new"), "").unwrap();
        let expected = Differs {
            gone: vec![at("gone")],
            changed: vec![at("longer")],
        };
        assert_eq!(compare(&before, &look()), expected);
    }
}
