//! Folder handles on Unix: directory descriptors and the `*at` calls.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::SystemTime;

use rustix::fs::{
    AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, Timespec, Timestamps, flock, fstat,
    linkat, mkdirat, openat, renameat, statat, unlinkat, utimensat,
};
use rustix::io::Errno;

use super::{FileId, Standing, StandingKind, modified_of};
use crate::model::Modified;

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

#[derive(Debug)]
pub(in super::super) struct FolderHandle {
    fd: OwnedFd,
}

/// Whatever has the name is not a folder: a file, or a link, which is not followed.
pub(in super::super) fn is_not_a_folder(error: &io::Error) -> bool {
    // FreeBSD says EMLINK for a link that may not be followed.
    matches!(
        Errno::from_io_error(error),
        Some(Errno::NOTDIR | Errno::LOOP | Errno::MLINK)
    )
}

impl FolderHandle {
    /// Opens a folder that a person chose; links on the way to it are theirs and are followed.
    pub fn open(path: &Path) -> io::Result<Self> {
        let fd = rustix::fs::open(path, FOLDER, Mode::empty())?;
        Ok(Self { fd })
    }

    /// Opens the folder of that name in this one. A link is an error ([`is_not_a_folder`]).
    pub fn folder(&self, name: &str) -> io::Result<Self> {
        let fd = openat(&self.fd, name, FOLDER | OFlags::NOFOLLOW, Mode::empty())?;
        Ok(Self { fd })
    }

    /// Makes a folder as any program would: what others may do in it is the umask's business.
    pub fn make_folder(&self, name: &str) -> io::Result<()> {
        Ok(mkdirat(&self.fd, name, Mode::from_raw_mode(0o755))?)
    }

    /// Makes a folder that only the owner can enter.
    pub fn make_private_folder(&self, name: &str) -> io::Result<()> {
        Ok(mkdirat(&self.fd, name, Mode::RWXU)?)
    }

    /// Makes a file that only the owner can read; an error if anything has the name.
    pub fn create_file(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        Ok(File::from(openat(&self.fd, name, flags, mode)?))
    }

    /// The same with the permission bits of a received file, as far as the umask leaves them: in a
    /// folder that only the owner can enter, where it saves setting them afterwards.
    pub fn create_received(&self, name: &str, executable: bool) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(received_bits(executable));
        Ok(File::from(openat(&self.fd, name, flags, mode)?))
    }

    /// Opens (or makes) a file to be locked. Made with every permission bit the umask leaves, so
    /// that [`received_mode`](Self::received_mode) can read the umask off it without changing it.
    pub fn lock_file(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RWXU | Mode::RWXG | Mode::RWXO;
        Ok(File::from(openat(&self.fd, name, flags, mode)?))
    }

    /// Opens a file for reading if the name belongs to a regular one. Neither follows a link nor
    /// waits for the other end of a FIFO.
    pub fn regular_file(&self, name: &str) -> io::Result<Option<File>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => File::from(fd),
            // A link, a socket, a device without a driver.
            Err(Errno::LOOP | Errno::MLINK | Errno::NXIO | Errno::NODEV) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Ok(file.metadata()?.is_file().then_some(file))
    }

    /// Opens a file of ours to go on writing it; an error if the name belongs to anything else.
    pub fn open_to_write(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(openat(&self.fd, name, flags, Mode::empty())?);
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// What has that name; `None` if it is free. Opens and follows nothing.
    pub fn look(&self, name: &str) -> io::Result<Option<Standing>> {
        let stat = match statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => StandingKind::File,
            FileType::Directory => StandingKind::Folder,
            _other => StandingKind::Other,
        };
        // The fields have other widths on other systems.
        #[allow(clippy::unnecessary_cast)]
        Ok(Some(Standing {
            kind,
            len_bytes: u64::try_from(stat.st_size).unwrap_or(0),
            modified: Modified {
                seconds: stat.st_mtime as i64,
                nanos: stat.st_mtime_nsec as u32,
            },
            id: Some((stat.st_dev as u64, stat.st_ino as u64)),
        }))
    }

    /// Moves a file from this folder to `new` in folder `to`, over the file that has the name.
    pub fn move_over(&self, name: &str, to: &Self, new: &str) -> io::Result<()> {
        Ok(renameat(&self.fd, name, &to.fd, new)?)
    }

    /// Moves a file from this folder to `new` in folder `to`, in one step and never over anything:
    /// [`io::ErrorKind::AlreadyExists`] if the name is taken.
    pub fn move_new(&self, name: &str, to: &Self, new: &str) -> io::Result<()> {
        #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
        match rename_new(self, name, to, new) {
            // This file system (or an old kernel) does not know the flag.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            done => return Ok(done?),
        }
        match link_new(self, name, to, new) {
            // No hard links here: FAT, some network shares, Android.
            Err(Errno::PERM | Errno::ACCESS | Errno::NOSYS | Errno::NOTSUP | Errno::MLINK) => {}
            done => return Ok(done?),
        }
        Ok(replace_placeholder(self, name, to, new)?)
    }

    pub fn remove_file(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.fd, name, AtFlags::empty())?)
    }

    /// Only an empty folder can be removed.
    pub fn remove_folder(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.fd, name, AtFlags::REMOVEDIR)?)
    }

    /// Everything in the folder but `.` and `..`, in no order.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.fd)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(OsStr::from_bytes(name).to_owned());
            }
        }
        Ok(names)
    }

    /// What was made, renamed or removed in the folder survives a power cut from here on.
    pub fn flush(&self) -> io::Result<()> {
        match rustix::fs::fsync(&self.fd) {
            // Some network file systems cannot flush a folder; there is nothing better to do.
            Err(Errno::INVAL | Errno::BADF | Errno::NOTSUP) => Ok(()),
            done => Ok(done?),
        }
    }

    /// Flushes the whole file system in one go; `false` where there is no such call.
    pub fn flush_file_system(&self) -> io::Result<bool> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            rustix::fs::syncfs(&self.fd)?;
            Ok(true)
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        Ok(false)
    }

    /// Sets the time of a folder in this one; a link of that name is not followed.
    pub fn set_folder_modified(&self, name: &str, modified: Modified) -> io::Result<()> {
        // Both, as in `set_modified`.
        let now = modified_of(SystemTime::now());
        let times = Timestamps {
            last_access: Timespec {
                tv_sec: now.seconds,
                tv_nsec: now.nanos.into(),
            },
            last_modification: Timespec {
                tv_sec: modified.seconds,
                tv_nsec: modified.nanos.min(999_999_999).into(),
            },
        };
        Ok(utimensat(
            &self.fd,
            name,
            &times,
            AtFlags::SYMLINK_NOFOLLOW,
        )?)
    }

    /// The longest file that the file system can hold, where that is little.
    pub fn largest_file(&self) -> Option<u64> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            let found = rustix::fs::fstatfs(&self.fd).ok()?;
            // The field has other widths on other processors.
            #[allow(clippy::unnecessary_cast)]
            super::largest_file_of(found.f_type as u64)
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        None
    }

    /// Two handles are of one folder.
    pub fn is_same_as(&self, other: &Self) -> io::Result<bool> {
        let (one, two) = (fstat(&self.fd)?, fstat(&other.fd)?);
        Ok((one.st_dev, one.st_ino) == (two.st_dev, two.st_ino))
    }

    /// The folder is this user's, or at least of whoever the `parent` belongs to (a FAT stick has
    /// one owner for everything): nobody else can exchange what lies in it.
    pub fn is_ours(&self, parent: &Self) -> io::Result<bool> {
        let owner = fstat(&self.fd)?.st_uid;
        Ok(owner == rustix::process::geteuid().as_raw() || owner == fstat(&parent.fd)?.st_uid)
    }

    /// Waits for whoever else holds the folder's guard, then holds it until the guard is dropped.
    /// Where folders cannot be locked there is none.
    pub fn guard(&self) -> Option<Guard> {
        let own = openat(&self.fd, ".", FOLDER, Mode::empty()).ok()?;
        loop {
            match flock(&own, FlockOperation::LockExclusive) {
                Ok(()) => return Some(Guard { _locked: own }),
                Err(Errno::INTR) => {}
                Err(_unsupported) => return None,
            }
        }
    }

    /// Gives a received file its permission bits: readable (and executable) as far as the umask
    /// that `lock` (of [`lock_file`](Self::lock_file)) shows allows, never set-user-id.
    pub fn received_mode(lock: &Metadata, executable: bool) -> std::fs::Permissions {
        // The owner has to be able to read what arrived, whatever the disk says of itself.
        std::fs::Permissions::from_mode((received_bits(executable) & lock.mode()) | 0o600)
    }

    /// A file that looks like that has these permission bits already.
    pub fn has_mode(file: &Metadata, wanted: &std::fs::Permissions) -> bool {
        const BITS: u32 = 0o7777;
        file.mode() & BITS == wanted.mode() & BITS
    }
}

/// Before the umask.
fn received_bits(executable: bool) -> u32 {
    if executable { 0o755 } else { 0o644 }
}

/// Which file an open one is.
pub(in super::super) fn file_id(metadata: &Metadata) -> Option<FileId> {
    Some((metadata.dev(), metadata.ino()))
}

/// Held until dropped.
pub(in super::super) struct Guard {
    _locked: OwnedFd,
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_new(
    from: &FolderHandle,
    name: &str,
    to: &FolderHandle,
    new: &str,
) -> rustix::io::Result<()> {
    use rustix::fs::{RenameFlags, renameat_with};
    renameat_with(&from.fd, name, &to.fd, new, RenameFlags::NOREPLACE)
}

fn link_new(
    from: &FolderHandle,
    name: &str,
    to: &FolderHandle,
    new: &str,
) -> rustix::io::Result<()> {
    linkat(&from.fd, name, &to.fd, new, AtFlags::empty())?;
    // It is complete under its final name; what is left in staging goes with the staging folder.
    let _ = unlinkat(&from.fd, name, AtFlags::empty());
    Ok(())
}

/// The last resort: takes the name with an empty file, which only we could have made, and replaces
/// that. For a moment the name shows an empty file, but nothing of anybody's is overwritten.
fn replace_placeholder(
    from: &FolderHandle,
    name: &str,
    to: &FolderHandle,
    new: &str,
) -> rustix::io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    drop(openat(&to.fd, new, flags, Mode::RUSR | Mode::WUSR)?);
    let moved = renameat(&from.fd, name, &to.fd, new);
    if moved.is_err() {
        let _ = unlinkat(&to.fd, new, AtFlags::empty());
    }
    moved
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    type Mover = fn(&FolderHandle, &str, &FolderHandle, &str) -> rustix::io::Result<()>;

    #[test]
    fn every_way_to_take_a_name_refuses_one_that_is_taken() {
        let ways: [(&str, Mover); 3] = [
            ("rename", rename_new),
            ("link", link_new),
            ("placeholder", replace_placeholder),
        ];
        for (way, move_new) in ways {
            let dir = tempfile::tempdir().unwrap();
            let folder = FolderHandle::open(dir.path()).unwrap();
            let at = |name: &str| dir.path().join(name);
            fs::write(at("file"), "theirs").unwrap();
            fs::create_dir(at("folder")).unwrap();
            std::os::unix::fs::symlink("nowhere", at("link")).unwrap();
            for taken in ["file", "folder", "link"] {
                fs::write(at("new"), "ours").unwrap();
                let refused = move_new(&folder, "new", &folder, taken);
                assert_eq!(refused, Err(Errno::EXIST), "{way} to {taken}");
                assert_eq!(fs::read(at("new")).unwrap(), b"ours", "{way} to {taken}");
            }
            assert_eq!(fs::read(at("file")).unwrap(), b"theirs");
            assert!(fs::symlink_metadata(at("nowhere")).is_err());

            move_new(&folder, "new", &folder, "free").unwrap();
            assert_eq!(fs::read(at("free")).unwrap(), b"ours", "{way}");
            assert!(!at("new").exists(), "{way}");
        }
    }

    #[test]
    fn a_failed_placeholder_leaves_nothing_under_the_name() {
        let dir = tempfile::tempdir().unwrap();
        let folder = FolderHandle::open(dir.path()).unwrap();
        let failed = replace_placeholder(&folder, "missing", &folder, "new");
        assert_eq!(failed, Err(Errno::NOENT));
        assert_eq!(folder.names().unwrap().len(), 0);
    }

    #[test]
    fn a_link_is_not_a_folder_and_not_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let folder = FolderHandle::open(dir.path()).unwrap();
        fs::write(dir.path().join("file"), "x").unwrap();
        for (target, link) in [(".", "to-folder"), ("file", "to-file"), ("gone", "dead")] {
            std::os::unix::fs::symlink(target, dir.path().join(link)).unwrap();
            assert!(is_not_a_folder(&folder.folder(link).unwrap_err()), "{link}");
            assert!(folder.regular_file(link).unwrap().is_none(), "{link}");
        }
        assert!(is_not_a_folder(&folder.folder("file").unwrap_err()));
        assert!(folder.regular_file("file").unwrap().is_some());
    }
}
