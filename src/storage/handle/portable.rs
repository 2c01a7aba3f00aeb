//! Folder handles where there are no directory descriptors: an absolute path, checked before use.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf, absolute};

use super::{FileId, Standing, StandingKind, modified_of, set_modified};
use crate::model::Modified;

#[derive(Debug)]
pub(in super::super) struct FolderHandle {
    path: PathBuf,
}

/// Whatever has the name is not a folder: a file, or a link, which is not followed.
pub(in super::super) fn is_not_a_folder(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotADirectory
}

impl FolderHandle {
    /// Opens a folder that a person chose; links on the way to it are theirs and are followed.
    pub fn open(path: &Path) -> io::Result<Self> {
        if !fs::metadata(path)?.is_dir() {
            return Err(ErrorKind::NotADirectory.into());
        }
        let path = absolute(path)?;
        Ok(Self { path })
    }

    /// Opens the folder of that name in this one. A link is an error ([`is_not_a_folder`]).
    pub fn folder(&self, name: &str) -> io::Result<Self> {
        let path = self.path.join(name);
        // Junctions count as links here.
        if !fs::symlink_metadata(&path)?.is_dir() {
            return Err(ErrorKind::NotADirectory.into());
        }
        Ok(Self { path })
    }

    pub fn make_folder(&self, name: &str) -> io::Result<()> {
        fs::create_dir(self.path.join(name))
    }

    /// The user's own folders are private by the rights they inherit.
    pub fn make_private_folder(&self, name: &str) -> io::Result<()> {
        self.make_folder(name)
    }

    /// Makes a file; an error if anything has the name.
    pub fn create_file(&self, name: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        options.open(self.path.join(name))
    }

    /// Files have the rights they inherit here.
    pub fn create_received(&self, name: &str, _executable: bool) -> io::Result<File> {
        self.create_file(name)
    }

    /// Opens (or makes) a file to be locked.
    pub fn lock_file(&self, name: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        options.open(self.path.join(name))
    }

    /// Opens a file if the name belongs to a regular one. Writable where possible, because only
    /// then it can be flushed here.
    pub fn regular_file(&self, name: &str) -> io::Result<Option<File>> {
        let path = self.path.join(name);
        if !fs::symlink_metadata(&path)?.is_file() {
            return Ok(None);
        }
        let writable = OpenOptions::new().read(true).write(true).open(&path);
        writable.or_else(|_read_only| File::open(&path)).map(Some)
    }

    /// Opens a file of ours to go on writing it; an error if the name belongs to anything else.
    pub fn open_to_write(&self, name: &str) -> io::Result<File> {
        let path = self.path.join(name);
        match fs::symlink_metadata(&path)?.is_file() {
            true => OpenOptions::new().read(true).write(true).open(&path),
            false => Err(ErrorKind::InvalidInput.into()),
        }
    }

    /// What has that name; `None` if it is free. Opens and follows nothing.
    pub fn look(&self, name: &str) -> io::Result<Option<Standing>> {
        let found = match fs::symlink_metadata(self.path.join(name)) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let kind = match found.file_type() {
            kind if kind.is_file() => StandingKind::File,
            kind if kind.is_dir() => StandingKind::Folder,
            _other => StandingKind::Other,
        };
        Ok(Some(Standing {
            kind,
            len_bytes: found.len(),
            modified: modified_of(found.modified()?),
            id: None,
        }))
    }

    /// Moves a file from this folder to `new` in folder `to`, over the file that has the name.
    pub fn move_over(&self, name: &str, to: &Self, new: &str) -> io::Result<()> {
        fs::rename(self.path.join(name), to.path.join(new))
    }

    /// Moves a file from this folder to `new` in folder `to`, never over anything:
    /// [`ErrorKind::AlreadyExists`] if the name is taken.
    pub fn move_new(&self, name: &str, to: &Self, new: &str) -> io::Result<()> {
        let (from, to) = (self.path.join(name), to.path.join(new));
        match fs::hard_link(&from, &to) {
            Ok(()) => {
                let _ = fs::remove_file(&from);
                return Ok(());
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(error),
            // No hard links here: the name is taken with an empty file, which is then replaced.
            Err(_unsupported) => {}
        }
        drop(File::create_new(&to)?);
        fs::rename(&from, &to).inspect_err(|_error| {
            let _ = fs::remove_file(&to);
        })
    }

    pub fn remove_file(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    /// Only an empty folder can be removed.
    pub fn remove_folder(&self, name: &str) -> io::Result<()> {
        fs::remove_dir(self.path.join(name))
    }

    /// Everything in the folder, in no order.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        let entries = fs::read_dir(&self.path)?;
        entries.map(|entry| Ok(entry?.file_name())).collect()
    }

    /// Folders cannot be flushed here; the file system's own journal has to do.
    pub fn flush(&self) -> io::Result<()> {
        Ok(())
    }

    /// There is no such call here.
    pub fn flush_file_system(&self) -> io::Result<bool> {
        Ok(false)
    }

    /// Through a handle that has no other right, and is the link's own where there is one.
    pub fn set_folder_modified(&self, name: &str, modified: Modified) -> io::Result<()> {
        let mut options = OpenOptions::new();
        #[cfg(windows)]
        {
            use std::os::windows::fs::OpenOptionsExt as _;
            // As CreateFileW and SetFileTime want it for a folder; the values are those of winnt.h and winbase.h.
            const FILE_WRITE_ATTRIBUTES: u32 = 0x100;
            const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
            const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
            options.access_mode(FILE_WRITE_ATTRIBUTES);
            options.custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT);
        }
        let folder = options.open(self.path.join(name))?;
        set_modified(&folder, modified);
        Ok(())
    }

    /// The longest file that the file system can hold: the standard library does not tell.
    pub fn largest_file(&self) -> Option<u64> {
        None
    }

    /// Two handles are of one folder.
    pub fn is_same_as(&self, other: &Self) -> io::Result<bool> {
        Ok(fs::canonicalize(&self.path)? == fs::canonicalize(&other.path)?)
    }

    /// Rights are inherited from the parent here.
    pub fn is_ours(&self, _parent: &Self) -> io::Result<bool> {
        Ok(true)
    }

    /// Folders cannot be locked here.
    pub fn guard(&self) -> Option<Guard> {
        None
    }

    /// There is no executable bit here; files keep the rights they inherited.
    pub fn received_mode(lock: &Metadata, _executable: bool) -> Permissions {
        lock.permissions()
    }

    pub fn has_mode(file: &Metadata, wanted: &Permissions) -> bool {
        file.permissions() == *wanted
    }
}

/// The standard library does not tell.
pub(in super::super) fn file_id(_metadata: &Metadata) -> Option<FileId> {
    None
}

/// Held until dropped.
pub(in super::super) struct Guard;
