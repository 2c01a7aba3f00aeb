//! Pictures that were pasted: files of our own, until they have been sent.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::model::{MAX_PASTED_BYTES, SafeName};

/// A transfer of it can be resumed for seven days.
const KEPT_FOR: Duration = Duration::from_secs(8 * 24 * 3600);
/// Nobody pastes more within a second, which is what names tell apart.
const MAX_TWINS: u32 = 100;

/// Writes it into the folder, under this name or one with a number. For the person here alone.
pub fn keep(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    let invalid = |why: &str| io::Error::other(why.to_owned());
    if bytes.len() > MAX_PASTED_BYTES {
        return Err(invalid("the picture has more than 64 MiB"));
    }
    let name = SafeName::try_from(name).map_err(|unsafe_name| invalid(&unsafe_name.to_string()))?;
    make_private(folder)?;
    let (stem, extension) = match name.as_str().rsplit_once('.') {
        Some((stem, extension)) => (stem, format!(".{extension}")),
        None => (name.as_str(), String::new()),
    };
    let numbered = (1..MAX_TWINS).map(|n| format!("{stem} ({n}){extension}"));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    for name in std::iter::once(name.as_str().to_owned()).chain(numbered) {
        let path = folder.join(name);
        let mut file = match options.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            opened => opened?,
        };
        if let Err(error) = file.write_all(bytes) {
            drop(file);
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        return Ok(path);
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Removes what no transfer can want any more. What has no age is kept.
pub fn sweep(folder: &Path, now: SystemTime) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let old = entry.metadata().is_ok_and(|about| {
            let age = about.modified().ok().map(|then| now.duration_since(then));
            about.is_file() && age.is_some_and(|age| age.is_ok_and(|age| age > KEPT_FOR))
        });
        if old && let Err(error) = fs::remove_file(entry.path()) {
            tracing::debug!(%error, "a pasted picture stays");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("pasted");
        (home, folder)
    }

    fn count(folder: &Path) -> usize {
        fs::read_dir(folder).map_or(0, Iterator::count)
    }

    #[test]
    fn pictures_of_one_name_stay_apart_and_are_private() {
        let (_home, folder) = folder();
        let first = keep(&folder, "Picture 1.5.png", b"one").unwrap();
        let second = keep(&folder, "Picture 1.5.png", b"two").unwrap();
        assert_eq!(first, folder.join("Picture 1.5.png"));
        assert_eq!(second, folder.join("Picture 1.5 (1).png"));
        assert_eq!(fs::read(first).unwrap(), b"one");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&second), 0o600);
            assert_eq!(mode(&folder), 0o700);
        }
    }

    #[test]
    fn what_is_too_large_or_leads_elsewhere_is_refused() {
        let (home, folder) = folder();
        assert!(keep(&folder, "a.png", &vec![0; MAX_PASTED_BYTES + 1]).is_err());
        assert!(keep(&folder, "../a.png", b"one").is_err());
        assert!(keep(&folder, "..", b"one").is_err());
        assert_eq!(count(home.path()), 0);
    }

    #[test]
    #[cfg(unix)]
    fn a_link_under_the_name_is_not_written_through() {
        let (home, folder) = folder();
        fs::create_dir(&folder).unwrap();
        let elsewhere = home.path().join("elsewhere");
        std::os::unix::fs::symlink(&elsewhere, folder.join("a.png")).unwrap();
        assert_eq!(
            keep(&folder, "a.png", b"one").unwrap(),
            folder.join("a (1).png")
        );
        assert!(!elsewhere.exists());
    }

    #[test]
    fn only_what_nothing_can_want_any_more_is_swept() {
        let (_home, folder) = folder();
        // No folder is no trouble.
        sweep(&folder, SystemTime::now());
        keep(&folder, "a.png", b"one").unwrap();
        fs::create_dir(folder.join("made by somebody")).unwrap();
        let days = |days: u64| SystemTime::now() + Duration::from_secs(days * 24 * 3600 + 60);
        sweep(&folder, days(7));
        assert_eq!(count(&folder), 2);
        sweep(&folder, days(8));
        assert_eq!(count(&folder), 1, "a folder is not ours");
    }
}
