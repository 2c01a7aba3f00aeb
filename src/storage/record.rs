//! Small files of our own: one JSON object with a version, replaced atomically, readable only by
//! the owner.
//!
//! Written to a temporary file in the same folder, flushed, renamed, the folder flushed: a record
//! is the old one or the new one, never half of either.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// How temporary files begin.
const UNFINISHED: &str = ".unfinished-";

#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("it is of a newer version ({found}) and was left alone: {}", path.display())]
    Newer { found: u32, path: PathBuf },
    #[error("it was damaged and has been put aside as {}", aside.display())]
    Damaged { aside: PathBuf },
    #[error("{source}: {}", path.display())]
    Io { source: io::Error, path: PathBuf },
}

#[derive(Serialize, Deserialize)]
struct Record<T> {
    version: u32,
    #[serde(flatten)]
    content: T,
}

#[derive(Deserialize)]
struct VersionOnly {
    version: u32,
}

/// Reads a record; `None` if there is no such file.
///
/// A damaged file is renamed to `<name>.damaged` (never deleted) so that the next save does not
/// overwrite what a person might still want to rescue.
pub fn load<T: DeserializeOwned>(path: &Path, version: u32) -> Result<Option<T>, RecordError> {
    let io = |source| RecordError::Io {
        source,
        path: path.to_owned(),
    };
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    match serde_json::from_slice::<VersionOnly>(&bytes) {
        Ok(found) if found.version > version => Err(RecordError::Newer {
            found: found.version,
            path: path.to_owned(),
        }),
        Ok(_) | Err(_) => match serde_json::from_slice::<Record<T>>(&bytes) {
            Ok(record) => Ok(Some(record.content)),
            Err(_damage) => {
                let aside = put_aside(path).map_err(io)?;
                Err(RecordError::Damaged { aside })
            }
        },
    }
}

/// Gives a damaged file another name, and says which; nothing is overwritten.
pub fn put_aside(path: &Path) -> io::Result<PathBuf> {
    let aside = free_name_beside(path);
    fs::rename(path, &aside)?;
    Ok(aside)
}

/// How long something is when it is written.
struct Counted(usize);

impl io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether what is there may be replaced: it is not of a newer version, as far as it can be read at all.
fn ours_to_replace(path: &Path, version: u32) -> Result<(), RecordError> {
    let io = |source| RecordError::Io {
        source,
        path: path.to_owned(),
    };
    // It may have a key in it.
    let bytes = match fs::read(path) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io(error)),
    };
    match serde_json::from_slice::<VersionOnly>(&bytes) {
        Ok(there) if there.version > version => Err(RecordError::Newer {
            found: there.version,
            path: path.to_owned(),
        }),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Replaces (or makes) a record. One of a newer version is left alone, and so is what cannot be read.
pub fn save<T: Serialize>(path: &Path, version: u32, content: &T) -> Result<(), RecordError> {
    save_and_hold(path, version, content).map(drop)
}

/// The same, and it is locked as long as what is returned lives: from before it has its name, so that
/// nobody finds it unlocked. File systems without locks lock nothing.
pub fn save_and_hold<T: Serialize>(
    path: &Path,
    version: u32,
    content: &T,
) -> Result<fs::File, RecordError> {
    ours_to_replace(path, version)?;
    // Some records hold a key: a vector that grows would leave copies of it.
    let mut length = Counted(0);
    let record = Record { version, content };
    let counted = serde_json::to_writer_pretty(&mut length, &record);
    let mut text = Zeroizing::new(Vec::with_capacity(length.0.saturating_add(1)));
    let made = counted.and_then(|()| serde_json::to_writer_pretty(&mut *text, &record));
    text.push(b'\n');
    let written = made
        .map_err(io::Error::from)
        .and_then(|()| place(path, &text));
    written.map_err(|source| RecordError::Io {
        source,
        path: path.to_owned(),
    })
}

/// Replaces (or makes) a file of our own with these bytes, or leaves it as it is.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    place(path, bytes).map(drop)
}

fn place(path: &Path, bytes: &[u8]) -> io::Result<fs::File> {
    let write = || -> io::Result<fs::File> {
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        fs::create_dir_all(folder)?;
        // Created exclusively and 0600 on Unix.
        let mut file = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempfile_in(folder)?;
        // Tells a sweep that its process lives; a file system without locks sweeps nothing.
        let _ = file.as_file().try_lock();
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        let file = file.persist(path).map_err(|refused| refused.error)?;
        #[cfg(unix)]
        fs::File::open(folder)?.sync_all()?;
        Ok(file)
    };
    match write() {
        // Swept by another process before it was locked.
        Err(error) if error.kind() == io::ErrorKind::NotFound => write(),
        written => written,
    }
}

/// Removes what processes that were killed while they saved have left in a folder: there may be a
/// key in it, and nobody would ever look at it again.
pub fn sweep(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let unfinished = entry.file_name().to_string_lossy().starts_with(UNFINISHED)
            && entry.file_type().is_ok_and(|kind| kind.is_file());
        if unfinished
            && let Ok(file) = fs::File::open(entry.path())
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

pub fn free_name_beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".damaged");
    let first = PathBuf::from(&name);
    if !first.exists() {
        return first;
    }
    (2_u32..)
        .map(|n| {
            let mut numbered = name.clone();
            numbered.push(format!("-{n}"));
            PathBuf::from(numbered)
        })
        .find(|candidate| !candidate.exists())
        .unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(PartialEq, Debug, Serialize, Deserialize)]
    struct Example {
        name: String,
    }

    fn example() -> Example {
        Example {
            name: "书房电脑".into(),
        }
    }

    #[test]
    fn a_sweep_removes_what_killed_processes_left_and_not_what_is_being_written() {
        let dir = tempfile::tempdir().unwrap();
        for name in [".unfinished-dead", ".unfinished-alive", "other"] {
            fs::write(dir.path().join(name), "key").unwrap();
        }
        fs::create_dir(dir.path().join(".unfinished-folder")).unwrap();
        let alive = fs::File::open(dir.path().join(".unfinished-alive")).unwrap();
        alive.lock().unwrap();
        sweep(dir.path());
        let mut left: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, [".unfinished-alive", ".unfinished-folder", "other"]);
        sweep(&dir.path().join("missing"));
    }

    #[test]
    fn a_record_reads_back_and_belongs_to_the_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new folder").join("example.json");
        assert!(load::<Example>(&path, 1).unwrap().is_none());
        save(&path, 1, &example()).unwrap();
        assert_eq!(load(&path, 1).unwrap(), Some(example()));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_damaged_record_is_put_aside_and_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("example.json");
        for (round, garbage) in ["", "{\"version\":1", "\u{0}\u{1}"].iter().enumerate() {
            fs::write(&path, garbage).unwrap();
            let Err(RecordError::Damaged { aside }) = load::<Example>(&path, 1) else {
                panic!("round {round} must find damage");
            };
            assert_eq!(fs::read_to_string(aside).unwrap(), *garbage);
            assert!(!path.exists());
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
    }

    #[test]
    fn a_record_of_a_newer_version_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("example.json");
        save(&path, 2, &example()).unwrap();
        let refused = load::<Example>(&path, 1);
        assert!(matches!(refused, Err(RecordError::Newer { found: 2, .. })));
        let before = fs::read(&path).unwrap();
        let refused = save(&path, 1, &example());
        assert!(matches!(refused, Err(RecordError::Newer { found: 2, .. })));
        assert_eq!(fs::read(&path).unwrap(), before, "not even when saved");
    }
}
