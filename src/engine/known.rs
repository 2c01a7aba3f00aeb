//! Devices that are remembered, wished for or blocked, in `known.json` in the data folder.
//!
//! What cannot be understood lets nobody in: a damaged file means that no device is known, a damaged
//! rule that its device is declined, an entry that might have been a blocked one that it is. Known in
//! memory to whoever greets; each change is written on the spot or by a [`Writer`], and no lock that
//! lookups need is held meanwhile. Another process may change the file: [`KnownDevices::look_again`].

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use super::lock;
use crate::model::{Bond, DeviceId, DeviceName, PeerAddress, Rule};
use crate::protocol::verification::PairKey;
use crate::storage::record::{self, RecordError};

const FILE: &str = "known.json";
const VERSION: u32 = 1;
/// Wishes come from `--pair` and a server that remembers whoever proves a secret; nobody looks
/// through more.
const MOST_WISHES: usize = 1_000;
/// That a device was met again is not worth a flush each time.
const MET_WRITTEN_EVERY: Duration = Duration::from_secs(3600);

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownDevice {
    pub id: DeviceId,
    /// As it called itself when last met.
    pub name: DeviceName,
    /// As the person here calls it.
    pub label: Option<DeviceName>,
    pub bond: Bond,
    pub rule: Rule,
    /// Where it was last reached by us, as a person would type it.
    pub address: Option<String>,
    pub met: SystemTime,
}

impl KnownDevice {
    /// What it is called here.
    pub fn shown(&self) -> &DeviceName {
        self.label.as_ref().unwrap_or(&self.name)
    }
}

/// All methods that change something return whether anything changed that a person can see.
pub struct KnownDevices {
    path: PathBuf,
    /// What is there now is of a newer version or could not be read: it is not ours to replace.
    read_only: bool,
    state: Mutex<State>,
    /// The file as it was last read or written. Held while it is.
    seen: Mutex<Option<Stamp>>,
    problem: Mutex<Option<String>>,
    beside: Mutex<Beside>,
}

#[derive(Default)]
struct State {
    entries: HashMap<DeviceId, Entry>,
    /// Since the file was written.
    changed: HashSet<DeviceId>,
}

struct Entry {
    device: KnownDevice,
    /// With [`Bond::Paired`] alone.
    key: Option<PairKey>,
    /// `device.met` as the file has it.
    met_written: SystemTime,
}

/// Where changes are written.
enum Beside {
    /// On the spot.
    No,
    /// On a thread that the first change begins.
    Wanted(Weak<KnownDevices>),
    /// On this thread, woken by that.
    Thread(Sender<()>, JoinHandle<()>),
}

impl Beside {
    /// Whether it will be written.
    fn wake(&mut self) -> bool {
        if let Self::Wanted(known) = self {
            let Some(known) = known.upgrade() else {
                return false;
            };
            let (changed, changes) = channel();
            let thread = std::thread::Builder::new()
                .name("known".into())
                .spawn(move || changes.iter().for_each(|()| known.save()));
            match thread {
                Ok(thread) => *self = Self::Thread(changed, thread),
                Err(error) => {
                    tracing::warn!(%error, "known devices are written on the spot");
                    return false;
                }
            }
        }
        match self {
            Self::Thread(changed, _) => changed.send(()).is_ok(),
            Self::No | Self::Wanted(_) => false,
        }
    }
}

/// As long as it is there changes are written on a thread of their own, so that who makes them does not wait for a
/// disk. Dropping it waits until all are.
pub struct Writer(Arc<KnownDevices>);

impl Drop for Writer {
    fn drop(&mut self) {
        let beside = std::mem::replace(&mut *lock(&self.0.beside), Beside::No);
        if let Beside::Thread(changed, thread) = beside {
            drop(changed);
            let _ = thread.join();
        }
    }
}

impl KnownDevices {
    /// From now on changes are written on a thread of their own.
    pub fn write_beside(self: &Arc<Self>) -> Writer {
        *lock(&self.beside) = Beside::Wanted(Arc::downgrade(self));
        Writer(self.clone())
    }

    /// Reads what earlier runs kept. A sentence says what is wrong with it, if anything is.
    pub fn open(data_dir: &Path) -> (Self, Option<String>) {
        let path = data_dir.join(FILE);
        belongs_to_the_owner_alone(&path);
        let mut known = Self {
            seen: Mutex::new(Stamp::of(&path)),
            path,
            read_only: false,
            state: Mutex::default(),
            problem: Mutex::new(None),
            beside: Mutex::new(Beside::No),
        };
        let problem = known.read();
        if let Some(problem) = &problem {
            tracing::warn!("{problem}");
        }
        *lock(&known.problem) = problem.clone();
        (known, problem)
    }

    fn read(&mut self) -> Option<String> {
        let file = match record::load::<KnownFile>(&self.path, VERSION) {
            Ok(file) => file?,
            Err(error @ RecordError::Damaged { .. }) => {
                return Some(format!(
                    "The list of known devices was not read: {error}. No device is known or blocked \
                     until you say so again."
                ));
            }
            Err(error @ (RecordError::Newer { .. } | RecordError::Io { .. })) => {
                self.read_only = true;
                return Some(format!(
                    "The list of known devices was not read: {error}. No device is known, and \
                     changes last until Ropeway ends."
                ));
            }
        };
        let mut damaged = 0_usize;
        let mut entries = HashMap::new();
        for value in &file.devices {
            let Some((entry, whole)) = Entry::understood(value) else {
                damaged += 1;
                continue;
            };
            damaged += usize::from(!whole);
            let id = entry.device.id;
            let twin = entries.get(&id).map(|twin: &Entry| twin.device.bond);
            if twin != Some(Bond::Blocked) {
                entries.insert(id, entry);
            }
        }
        self.state = Mutex::new(State {
            entries,
            changed: HashSet::new(),
        });
        if damaged == 0 {
            return None;
        }
        let kept = match put_a_copy_aside(&self.path) {
            Ok(aside) => {
                // From now on it is whole, and the same is not said at each start.
                self.write(&mut lock(&self.seen));
                format!("the file as it was is {}", aside.display())
            }
            Err(error) => format!("the file could not be copied: {error}"),
        };
        Some(format!(
            "Entries of the list of known devices were damaged ({damaged}); {kept}. Look through the \
             list: whom it does not name has to be remembered or blocked again."
        ))
    }

    /// Who is known stands in a file that cannot be read, so that nobody can be told from a stranger.
    pub fn is_unread(&self) -> bool {
        self.read_only
    }

    /// Why the file could not be read or written, in a sentence; `None` once all is well.
    pub fn problem(&self) -> Option<String> {
        lock(&self.problem).clone()
    }

    /// By the shown name, then the id.
    pub fn all(&self) -> Vec<KnownDevice> {
        let state = lock(&self.state);
        let devices = state.entries.values().map(|entry| entry.device.clone());
        let mut all: Vec<_> = devices.collect();
        all.sort_by_cached_key(|device| (device.shown().as_str().to_lowercase(), device.id));
        all
    }

    pub fn get(&self, id: DeviceId) -> Option<KnownDevice> {
        let state = lock(&self.state);
        state.entries.get(&id).map(|entry| entry.device.clone())
    }

    /// Of a device that is [`Bond::Paired`].
    pub fn pair_key(&self, id: DeviceId) -> Option<PairKey> {
        let state = lock(&self.state);
        let entry = state.entries.get(&id);
        entry
            .filter(|entry| entry.device.bond == Bond::Paired)
            .and_then(|entry| entry.key.clone())
    }

    pub fn is_blocked(&self, id: DeviceId) -> bool {
        self.bond(id) == Some(Bond::Blocked)
    }

    /// The person here wants to remember it, and that has not come into effect.
    pub fn wishes(&self, id: DeviceId) -> bool {
        self.bond(id) == Some(Bond::Wished)
    }

    fn bond(&self, id: DeviceId) -> Option<Bond> {
        let state = lock(&self.state);
        state.entries.get(&id).map(|entry| entry.device.bond)
    }

    /// The person wants to remember it. Who is paired or blocked stays so.
    pub fn wish(&self, id: DeviceId, name: &DeviceName) -> bool {
        self.change(id, |entries| {
            let is_new = !entries.contains_key(&id);
            let device = &mut Entry::of(entries, id, name, Bond::Wished).device;
            let changed = match device.bond {
                Bond::Paired | Bond::Blocked => false,
                before @ (Bond::Wished | Bond::ForgottenThere) => {
                    let before = (before, std::mem::replace(&mut device.name, name.clone()));
                    device.bond = Bond::Wished;
                    is_new || before != (Bond::Wished, name.clone())
                }
            };
            limit_wishes(entries, id);
            changed
        })
    }

    /// The person no longer wants to.
    pub fn unwish(&self, id: DeviceId) -> bool {
        self.change(id, |entries| {
            let wished = entries.get(&id).map(|entry| entry.device.bond) == Some(Bond::Wished);
            wished && entries.remove(&id).is_some()
        })
    }

    /// Both remember each other from now on. `false` if the person here does not want it, or not any
    /// more: who is not wished for or paired already stays as it is.
    pub fn pair(&self, id: DeviceId, name: &DeviceName, key: PairKey) -> bool {
        self.change(id, |entries| {
            let wanted = |entry: &&mut Entry| match entry.device.bond {
                Bond::Wished | Bond::Paired => true,
                Bond::ForgottenThere | Bond::Blocked => false,
            };
            let Some(entry) = entries.get_mut(&id).filter(wanted) else {
                return false;
            };
            entry.device.bond = Bond::Paired;
            entry.device.name = name.clone();
            entry.device.met = SystemTime::now();
            entry.key = Some(key);
            true
        })
    }

    /// A paired device does not know this one any more.
    pub fn forgotten_there(&self, id: DeviceId) -> bool {
        self.change(id, |entries| match entries.get_mut(&id) {
            Some(entry) if entry.device.bond == Bond::Paired => {
                entry.device.bond = Bond::ForgottenThere;
                entry.key = None;
                true
            }
            Some(_) | None => false,
        })
    }

    /// Also unblocks.
    pub fn forget(&self, id: DeviceId) -> bool {
        self.change(id, |entries| entries.remove(&id).is_some())
    }

    /// Whoever it was until now.
    pub fn block(&self, id: DeviceId, name: &DeviceName) -> bool {
        self.change(id, |entries| {
            let is_new = !entries.contains_key(&id);
            let entry = Entry::of(entries, id, name, Bond::Blocked);
            let before = std::mem::replace(&mut entry.device.bond, Bond::Blocked);
            entry.key = None;
            is_new || before != Bond::Blocked
        })
    }

    /// What it is called here; `None` for its own name.
    pub fn label(&self, id: DeviceId, label: Option<DeviceName>) -> bool {
        self.change(id, |entries| match entries.get_mut(&id) {
            Some(entry) if entry.device.label != label => {
                entry.device.label = label;
                true
            }
            Some(_) | None => false,
        })
    }

    /// A folder whose name is not Unicode cannot be written down: then nothing changes, and
    /// [`Self::problem`] says so.
    pub fn set_rule(&self, id: DeviceId, rule: Rule) -> bool {
        if serde_json::to_value(&rule).is_err() {
            let sentence = "The rule was not kept: the folder's name is not valid Unicode.";
            tracing::warn!("{sentence}");
            *lock(&self.problem) = Some(sentence.into());
            return false;
        }
        self.change(id, |entries| match entries.get_mut(&id) {
            Some(entry) if entry.device.rule != rule => {
                entry.device.rule = rule;
                true
            }
            Some(_) | None => false,
        })
    }

    /// A device that has proven its key is here, at `address` if it was reached by us. Strangers are
    /// not kept.
    pub fn met(&self, id: DeviceId, name: &DeviceName, address: Option<String>) -> bool {
        self.met_at(id, name, address, SystemTime::now())
    }

    fn met_at(
        &self,
        id: DeviceId,
        name: &DeviceName,
        address: Option<String>,
        now: SystemTime,
    ) -> bool {
        self.change(id, |entries| {
            let Some(entry) = entries.get_mut(&id) else {
                return false;
            };
            let address = address.or_else(|| entry.device.address.clone());
            // A clock that was set back makes it due as well.
            let long_ago = now
                .duration_since(entry.met_written)
                .map_or(true, |since| since >= MET_WRITTEN_EVERY);
            let changed = entry.device.name != *name || entry.device.address != address || long_ago;
            entry.device.name = name.clone();
            entry.device.address = address;
            entry.device.met = now;
            changed
        })
    }

    /// Changes the entries, and writes them down if that is what `change` says.
    fn change(
        &self,
        id: DeviceId,
        change: impl FnOnce(&mut HashMap<DeviceId, Entry>) -> bool,
    ) -> bool {
        {
            let mut state = lock(&self.state);
            if !change(&mut state.entries) {
                return false;
            }
            state.changed.insert(id);
        }
        let beside = lock(&self.beside).wake();
        if !beside {
            self.save();
        }
        true
    }

    fn save(&self) {
        let mut seen = lock(&self.seen);
        if self.read_only || lock(&self.state).changed.is_empty() {
            return;
        }
        self.write(&mut seen);
    }

    fn write(&self, seen: &mut Option<Stamp>) {
        let _one_process_at_a_time = self.lock_file();
        self.take_over(seen);
        if version_of(&self.path).is_some_and(|version| version > VERSION) {
            let sentence = "The list of known devices is of a newer version and was left alone.";
            *lock(&self.problem) = Some(sentence.into());
            return;
        }
        let (changed, file) = {
            let mut state = lock(&self.state);
            let changed = std::mem::take(&mut state.changed);
            (changed, KnownFile::of(&mut state.entries))
        };
        let saved = record::save(&self.path, VERSION, &file);
        match &saved {
            Ok(()) => *seen = Stamp::of(&self.path),
            Err(_later) => lock(&self.state).changed.extend(changed),
        }
        *lock(&self.problem) = saved.err().map(|error| {
            tracing::error!(%error, "known devices were not written down");
            format!("The list of known devices could not be written: {error}.")
        });
    }

    /// Looks whether another process has changed the file: a device that was forgotten on the
    /// command line does not get in by what a window remembers. Says whether anything is new.
    pub fn look_again(&self) -> bool {
        let mut seen = lock(&self.seen);
        self.take_over(&mut seen)
    }

    /// What the file says counts, but for what was changed here and is not written yet. A file that
    /// cannot be read whole, or is gone, says nothing.
    fn take_over(&self, seen: &mut Option<Stamp>) -> bool {
        let now = Stamp::of(&self.path);
        if self.read_only || now.is_none() || now == *seen {
            return false;
        }
        *seen = now;
        let Some(mut theirs) = entries_of(&self.path) else {
            return false;
        };
        let mut state = lock(&self.state);
        let State { entries, changed } = &mut *state;
        entries.retain(|id, _| changed.contains(id) || theirs.contains_key(id));
        theirs.retain(|id, _| !changed.contains(id));
        entries.extend(theirs);
        true
    }

    /// Held while the file is read, merged and written. Without locks it is as if there were one
    /// process.
    fn lock_file(&self) -> Option<fs::File> {
        let path = self.path.with_extension("lock");
        let file = fs::File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .ok()?;
        file.lock().ok().map(|()| file)
    }
}

/// Tells one state of a file from another: each is a file of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stamp {
    modified: SystemTime,
    len_bytes: u64,
    number: u64,
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        #[cfg(unix)]
        let number = std::os::unix::fs::MetadataExt::ino(&metadata);
        #[cfg(not(unix))]
        let number = 0;
        Some(Self {
            modified: metadata.modified().ok()?,
            len_bytes: metadata.len(),
            number,
        })
    }
}

/// Of the file that is there now.
fn version_of(path: &Path) -> Option<u32> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let bytes = Zeroizing::new(fs::read(path).ok()?);
    let file: Versioned = serde_json::from_slice(&bytes).ok()?;
    Some(file.version)
}

/// All that stands in a file, if all of it is understood.
fn entries_of(path: &Path) -> Option<HashMap<DeviceId, Entry>> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
        devices: Vec<Value>,
    }
    let bytes = Zeroizing::new(fs::read(path).ok()?);
    let file: Versioned = serde_json::from_slice(&bytes).ok()?;
    let entries = file.devices.iter().map(|value| {
        let (entry, whole) = Entry::understood(value)?;
        whole.then_some((entry.device.id, entry))
    });
    (file.version == VERSION)
        .then(|| entries.collect())
        .flatten()
}

/// The keys in it open this device's doors.
fn belongs_to_the_owner_alone(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let Ok(metadata) = fs::metadata(path) else {
            return;
        };
        if metadata.is_file() && metadata.permissions().mode() & 0o077 != 0 {
            let tightened = fs::set_permissions(path, fs::Permissions::from_mode(0o600));
            tracing::warn!(
                tightened = tightened.is_ok(),
                "other users of this computer could read the keys of known devices"
            );
        }
    }
    #[cfg(not(unix))]
    let _ = path;
}

/// Beside the file, under a name that is free.
fn put_a_copy_aside(path: &Path) -> std::io::Result<PathBuf> {
    let names = (1_u32..).map(|number| path.with_extension(format!("json.damaged-{number}")));
    for aside in names.take(MOST_ASIDE) {
        match fs::File::create_new(&aside) {
            // Carries over the permissions, too.
            Ok(_) => return fs::copy(path, &aside).map(|_bytes| aside),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(std::io::ErrorKind::AlreadyExists.into())
}

/// Whoever has so many has a program that damages them.
const MOST_ASIDE: usize = 100;

/// The oldest go, but not the one that was just wished for.
fn limit_wishes(entries: &mut HashMap<DeviceId, Entry>, newest: DeviceId) {
    let wished = entries.values().map(|entry| &entry.device);
    let mut wished: Vec<_> = wished
        .filter(|device| device.bond == Bond::Wished && device.id != newest)
        .map(|device| (device.met, device.id))
        .collect();
    let too_many = (wished.len() + 1).saturating_sub(MOST_WISHES);
    if too_many > 0 {
        wished.sort_unstable();
        for (_, id) in wished.into_iter().take(too_many) {
            entries.remove(&id);
        }
    }
}

#[derive(Serialize, Deserialize)]
struct KnownFile {
    /// Read one by one, so that a damaged one does not take the others along.
    devices: Vec<Value>,
}

#[derive(Serialize)]
struct EntryRecord<'a> {
    id: String,
    name: &'a str,
    label: Option<&'a str>,
    bond: Bond,
    rule: &'a Rule,
    address: Option<&'a str>,
    /// Seconds since 1970.
    met: u64,
    key: Option<Zeroizing<String>>,
}

impl KnownFile {
    fn of(entries: &mut HashMap<DeviceId, Entry>) -> Self {
        let mut sorted: Vec<_> = entries.values_mut().collect();
        sorted.sort_by_key(|entry| entry.device.id);
        let devices = sorted.into_iter().filter_map(|entry| {
            entry.met_written = entry.device.met;
            let device = &entry.device;
            let met = device.met.duration_since(UNIX_EPOCH).unwrap_or_default();
            let record = EntryRecord {
                id: device.id.to_string(),
                name: device.name.as_str(),
                label: device.label.as_ref().map(DeviceName::as_str),
                bond: device.bond,
                rule: &device.rule,
                address: device.address.as_deref(),
                met: met.as_secs(),
                key: entry
                    .key
                    .as_ref()
                    .map(|key| Zeroizing::new(HEXLOWER.encode(key.0.as_slice()))),
            };
            // Fails for a folder that is not Unicode alone, and `set_rule` lets none in.
            serde_json::to_value(record).ok()
        });
        Self {
            devices: devices.collect(),
        }
    }
}

impl Entry {
    /// The entry of a device, made if it has none.
    fn of<'a>(
        entries: &'a mut HashMap<DeviceId, Self>,
        id: DeviceId,
        name: &DeviceName,
        bond: Bond,
    ) -> &'a mut Self {
        entries.entry(id).or_insert_with(|| {
            let now = SystemTime::now();
            Self {
                device: KnownDevice {
                    id,
                    name: name.clone(),
                    label: None,
                    bond,
                    rule: Rule::default(),
                    address: None,
                    met: now,
                },
                key: None,
                met_written: now,
            }
        })
    }

    /// And whether all of it was. What lets somebody in must be; an entry that names no device
    /// cannot be kept.
    fn understood(value: &Value) -> Option<(Self, bool)> {
        let id: DeviceId = value.get("id")?.as_str()?.parse().ok()?;
        let field = |name| value.get(name).filter(|field| !field.is_null());
        let text = |name| field(name).and_then(Value::as_str);
        let mut whole = true;
        let mut damage = || whole = false;

        let bond = field("bond").and_then(|bond| Bond::deserialize(bond).ok());
        let mut bond = bond.unwrap_or_else(|| {
            damage();
            Bond::Blocked
        });
        let rule = field("rule").map_or(Ok(Rule::default()), Rule::deserialize);
        let rule = rule.unwrap_or_else(|_unknown| {
            damage();
            Rule::Never
        });
        let key = text("key").and_then(|hex| {
            let bytes = Zeroizing::new(HEXLOWER.decode(hex.as_bytes()).ok()?);
            let key = <[u8; 32]>::try_from(bytes.as_slice()).ok()?;
            Some(PairKey(Zeroizing::new(key)))
        });
        if bond == Bond::Paired && key.is_none() {
            damage();
            bond = Bond::Wished;
        }
        let fallback = id.short();
        let name = DeviceName::cleaned(text("name").unwrap_or_default(), &fallback);
        let label = text("label").map(|label| DeviceName::cleaned(label, &fallback));
        // It is shown and dialled as it stands.
        let address = text("address").and_then(|address| address.parse::<PeerAddress>().ok());
        let met = field("met").and_then(Value::as_u64).unwrap_or_default();
        let met = UNIX_EPOCH
            .checked_add(Duration::from_secs(met))
            .unwrap_or(UNIX_EPOCH);
        let entry = Self {
            device: KnownDevice {
                id,
                name,
                label,
                bond,
                rule,
                address: address.map(|address| address.to_string()),
                met,
            },
            key: key.filter(|_| bond == Bond::Paired),
            met_written: met,
        };
        Some((entry, whole))
    }
}

#[cfg(test)]
#[path = "known_tests.rs"]
mod tests;
