//! The sending side: what was found, and files read so that a change while reading is noticed.
//!
//! Nothing is kept open between files and nothing is read twice: the hash is made of the very bytes
//! that are handed out.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::walk::Pick;
use crate::model::{Manifest, ManifestError, Modified, Problem, displayable};

pub use super::walk::{Found, modified, walk};

/// What was found, so that entry numbers lead back to paths. It holds the manifest and, of the few
/// entries where they differ or are in trouble, the local name or the problem.
#[derive(Debug, Default)]
pub struct SourceTree {
    /// Where each pick leads, links resolved; absolute.
    picks: Vec<PathBuf>,
    /// The entry number of each pick found so far, ascending.
    tops: Vec<u32>,
    manifest: Manifest,
    real_names: HashMap<u32, OsString>,
    problems: HashMap<u32, Problem>,
}

impl SourceTree {
    /// For a [`walk`] over the same picks.
    pub fn new(picks: Vec<PathBuf>) -> Self {
        let picks = picks.iter().map(|pick| Pick::new(pick).path).collect();
        Self {
            picks,
            ..Self::default()
        }
    }

    /// Appends what the walk found next and returns its number.
    pub fn add(&mut self, found: Found) -> Result<u32, ManifestError> {
        let top = found.entry.parent.is_none();
        let number = self.manifest.push(found.entry)?;
        if top {
            self.tops.push(number);
        }
        if let Some(name) = found.real_name {
            self.real_names.insert(number, name);
        }
        if let Some(problem) = found.problem {
            self.problems.insert(number, problem);
        }
        Ok(number)
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What the entry is called on this disk; `None` if there is no such entry.
    pub(super) fn name(&self, number: u32) -> Option<OsString> {
        match self.real_names.get(&number) {
            Some(name) => Some(name.clone()),
            None => Some(self.manifest.get(number)?.name.as_str().into()),
        }
    }

    /// Where the entry is on this disk; `None` if there is no such entry.
    pub fn path(&self, number: u32) -> Option<PathBuf> {
        let mut below = Vec::new();
        let mut top = number;
        while let Some(parent) = self.manifest.get(top)?.parent {
            below.push(top);
            top = parent;
        }
        let pick = self.tops.binary_search(&top).ok()?;
        let mut path = self.picks.get(pick)?.clone();
        for number in below.into_iter().rev() {
            match self.real_names.get(&number) {
                Some(name) => path.push(name),
                None => path.push(self.manifest.get(number)?.name.as_str()),
            }
        }
        Some(path)
    }

    /// The path for people as it is on this disk, from the picked item down, if it is not what travels. What is no
    /// text is replaced (U+FFFD).
    pub fn original(&self, number: u32) -> Option<String> {
        if self.real_names.is_empty() {
            return None;
        }
        let mut names = Vec::new();
        let mut differs = false;
        let mut next = Some(number);
        while let Some(number) = next {
            let entry = self.manifest.get(number)?;
            let real = self.real_names.get(&number);
            differs |= real.is_some();
            names.push(match real {
                Some(name) => displayable(&name.to_string_lossy()),
                None => displayable(entry.name.as_str()),
            });
            next = entry.parent;
        }
        names.reverse();
        differs.then(|| names.join("/"))
    }

    /// Why the entry cannot be sent, if it cannot.
    pub fn problem(&self, number: u32) -> Option<&Problem> {
        self.problems.get(&number)
    }
}

/// A file being read, front to back, and hashed (BLAKE3) on the way.
#[derive(Debug)]
pub struct SourceFile {
    file: File,
    announced_len: u64,
    read_bytes: u64,
    hasher: Box<blake3::Hasher>,
    opened: Stamp,
}

impl SourceFile {
    /// Opens a file that was announced with this length and time. Never follows a link in the last
    /// place, never waits (a FIFO is not opened). [`Problem::Changed`] if it is not what was
    /// announced any more.
    pub fn open(
        path: &Path,
        announced_len: u64,
        announced_modified: Option<Modified>,
    ) -> Result<Self, Problem> {
        let (file, opened) = open_announced(path, announced_len, announced_modified)?;
        read_ahead(&file, announced_len);
        Ok(Self {
            file,
            announced_len,
            read_bytes: 0,
            hasher: Box::default(),
            opened,
        })
    }

    /// Reads exactly `buf.len()` bytes; [`Problem::Changed`] if the file ends before.
    pub fn read_exact(&mut self, buf: &mut [u8]) -> Result<(), Problem> {
        self.file
            .read_exact(buf)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => Problem::Changed,
                _ => Problem::reading(&error),
            })?;
        self.hasher.update(buf);
        self.read_bytes += buf.len() as u64;
        Ok(())
    }

    /// After all announced bytes were read: the BLAKE3 hash of them, or [`Problem::Changed`] if
    /// the file was written, cut, extended, replaced or removed since it was opened, or if not all
    /// of it was read. (A file that is replaced loses a link, which its change time tells.)
    pub fn finish(mut self) -> Result<[u8; 32], Problem> {
        // Some files (in /proc) are longer than their length says.
        let more = loop {
            match self.file.read(&mut [0]) {
                Ok(count) => break count > 0,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Problem::reading(&error)),
            }
        };
        let now = self.file.metadata();
        let now = now.map_err(|error| Problem::reading(&error))?;
        if more || self.read_bytes != self.announced_len || Stamp::of(&now) != self.opened {
            return Err(Problem::Changed);
        }
        Ok(self.hasher.finalize().into())
    }
}

/// Opens a file if it is still what was announced, and notes how it looks.
pub(super) fn open_announced(
    path: &Path,
    announced_len: u64,
    announced_modified: Option<Modified>,
) -> Result<(File, Stamp), Problem> {
    let file = open_without_following(path)?;
    let stamp = announced(&file, announced_len, announced_modified)?;
    Ok((file, stamp))
}

/// How an open file looks, if it is what was announced.
pub(super) fn announced(
    file: &File,
    announced_len: u64,
    announced_modified: Option<Modified>,
) -> Result<Stamp, Problem> {
    let metadata = file.metadata().map_err(|error| Problem::reading(&error))?;
    if metadata.is_dir() {
        return Err(Problem::Changed);
    }
    if !metadata.is_file() {
        return Err(Problem::Special);
    }
    let same_time = announced_modified.is_none() || announced_modified == modified(&metadata);
    if metadata.len() != announced_len || !same_time {
        return Err(Problem::Changed);
    }
    Ok(Stamp::of(&metadata))
}

/// What differs after a file was changed.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Stamp {
    len_bytes: u64,
    modified: Option<Modified>,
    /// Change time, which no program can set back.
    #[cfg(unix)]
    changed: (i64, i64),
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt as _;
        Self {
            len_bytes: metadata.len(),
            modified: modified(metadata),
            #[cfg(unix)]
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// A folder that stays open while files in it are read.
#[derive(Debug)]
pub(super) struct OpenFolder {
    #[cfg(unix)]
    fd: std::os::fd::OwnedFd,
}

impl OpenFolder {
    pub const CAN_BE_HELD: bool = cfg!(unix);
}

#[cfg(unix)]
impl OpenFolder {
    /// Links on the way to it are followed, as they are for a file's own path.
    pub fn new(path: &Path) -> Result<Self, Problem> {
        use rustix::fs::{Mode, OFlags};
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty());
        let fd = fd.map_err(|error| Problem::reading(&error.into()))?;
        Ok(Self { fd })
    }

    pub fn file(&self, name: &std::ffi::OsStr) -> Result<File, Problem> {
        use std::os::fd::AsFd as _;
        open_in(self.fd.as_fd(), Path::new(name))
    }
}

#[cfg(not(unix))]
impl OpenFolder {
    pub fn new(_path: &Path) -> Result<Self, Problem> {
        Ok(Self {})
    }

    pub fn file(&self, _name: &std::ffi::OsStr) -> Result<File, Problem> {
        Err(Problem::Vanished)
    }
}

#[cfg(unix)]
pub(super) fn open_without_following(path: &Path) -> Result<File, Problem> {
    open_in(rustix::fs::CWD, path)
}

#[cfg(unix)]
fn open_in(folder: std::os::fd::BorrowedFd<'_>, path: &Path) -> Result<File, Problem> {
    use rustix::fs::{Mode, OFlags};
    use rustix::io::Errno;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::openat(folder, path, flags, Mode::empty()) {
        Ok(fd) => Ok(File::from(fd)),
        Err(Errno::LOOP | Errno::MLINK) => Err(Problem::Link),
        // A socket, or a device without a driver.
        Err(Errno::NXIO | Errno::NODEV) => Err(Problem::Special),
        Err(error) => Err(Problem::reading(&error.into())),
    }
}

#[cfg(not(unix))]
pub(super) fn open_without_following(path: &Path) -> Result<File, Problem> {
    let problem = |error: io::Error| Problem::reading(&error);
    if std::fs::symlink_metadata(path)
        .map_err(problem)?
        .is_symlink()
    {
        return Err(Problem::Link);
    }
    File::open(path).map_err(problem)
}

/// Tells the system that a long file is read front to back, so that the disk stays ahead of us.
fn read_ahead(file: &File, len_bytes: u64) {
    /// Shorter ones are read ahead in whole anyway.
    const WORTH_A_CALL_BYTES: u64 = 1 << 20;
    #[cfg(target_os = "linux")]
    if len_bytes >= WORTH_A_CALL_BYTES {
        let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::Sequential);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (file, len_bytes, WORTH_A_CALL_BYTES);
}

/// A FIFO without a writer, which blocks whoever opens it for reading.
#[cfg(all(test, unix))]
pub(super) fn test_fifo(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status();
    assert!(made.expect("mkfifo is everywhere").success());
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::ops::ControlFlow;

    use super::*;

    fn announced(path: &Path) -> (u64, Option<Modified>) {
        let metadata = fs::metadata(path).unwrap();
        (metadata.len(), modified(&metadata))
    }

    fn open(path: &Path) -> Result<SourceFile, Problem> {
        let (len_bytes, modified) = announced(path);
        SourceFile::open(path, len_bytes, modified)
    }

    fn tree(picks: Vec<PathBuf>) -> SourceTree {
        let mut tree = SourceTree::new(picks.clone());
        walk(&picks, &mut |found| {
            tree.add(found).unwrap();
            ControlFlow::Continue(())
        });
        tree
    }

    #[test]
    fn numbers_lead_back_to_paths() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("folder");
        fs::create_dir_all(folder.join("sub")).unwrap();
        fs::write(folder.join("sub/x"), "x").unwrap();
        fs::write(dir.path().join("file"), "y").unwrap();
        let tree = tree(vec![folder.clone(), dir.path().join("file")]);
        let paths: Vec<_> = (0..4).map(|number| tree.path(number).unwrap()).collect();
        assert_eq!(
            paths,
            [
                folder.clone(),
                folder.join("sub"),
                folder.join("sub/x"),
                dir.path().join("file")
            ]
        );
        assert_eq!(tree.path(4), None);
    }

    #[cfg(unix)]
    #[test]
    fn escaped_names_and_picked_links_lead_back_to_the_real_files() {
        use std::os::unix::ffi::OsStrExt as _;
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().join("real");
        fs::create_dir(&real).unwrap();
        let odd = real.join(std::ffi::OsStr::from_bytes(b"\xff\\"));
        fs::write(&odd, "odd").unwrap();
        std::os::unix::fs::symlink(&real, dir.path().join("link")).unwrap();
        std::os::unix::fs::symlink(&odd, dir.path().join("direct")).unwrap();
        let tree = tree(vec![dir.path().join("link"), dir.path().join("direct")]);
        assert_eq!(tree.manifest().display_path(1), "link/%FF%5C");
        assert_eq!(tree.original(0), None);
        assert_eq!(tree.original(1).as_deref(), Some("link/\u{fffd}\\"));
        for number in [1, 2] {
            let path = tree.path(number).unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"odd");
            let (len_bytes, modified) = announced(&path);
            SourceFile::open(&path, len_bytes, modified).expect("no link in the last place");
        }
    }

    #[test]
    fn a_file_is_read_in_pieces_and_its_hash_is_that_of_the_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let content = b"0123456789".repeat(1000);
        fs::write(&path, &content).unwrap();
        let mut file = open(&path).unwrap();
        let mut read = vec![0; content.len()];
        let (front, back) = read.split_at_mut(4097);
        file.read_exact(front).unwrap();
        file.read_exact(back).unwrap();
        assert_eq!(file.finish(), Ok(*blake3::hash(&content).as_bytes()));
        assert_eq!(read, content);
    }

    #[test]
    fn an_empty_file_has_the_hash_of_nothing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let opened = open(file.path()).unwrap();
        assert_eq!(opened.finish(), Ok(*blake3::hash(b"").as_bytes()));
    }

    #[test]
    fn a_file_that_is_not_as_announced_is_not_opened() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "12345").unwrap();
        let (len_bytes, modified) = announced(file.path());
        let other_time = Modified {
            seconds: 1,
            nanos: 0,
        };
        for (len_bytes, modified) in [(4, modified), (6, modified), (len_bytes, Some(other_time))] {
            let refused = SourceFile::open(file.path(), len_bytes, modified);
            assert_eq!(refused.unwrap_err(), Problem::Changed);
        }
        let gone = SourceFile::open(Path::new("/no/such/file"), 0, None);
        assert_eq!(gone.unwrap_err(), Problem::Vanished);
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_noticed() {
        type Change = fn(&Path);
        let changes: [(&str, Change); 5] = [
            ("grown", |path| {
                let mut file = File::options().append(true).open(path).unwrap();
                file.write_all(b"more").unwrap();
            }),
            ("cut", |path| {
                let file = File::options().write(true).open(path).unwrap();
                file.set_len(3).unwrap();
            }),
            ("rewritten, its time set back", |path| {
                let before = fs::metadata(path).unwrap().modified().unwrap();
                wait_for_the_next_tick(path);
                let mut file = File::options().write(true).open(path).unwrap();
                file.write_all(b"01234X").unwrap();
                file.set_modified(before).unwrap();
            }),
            ("replaced", |path| {
                wait_for_the_next_tick(path);
                let other = path.with_extension("new");
                fs::write(&other, "0123456789").unwrap();
                fs::rename(other, path).unwrap();
            }),
            ("removed", |path| {
                wait_for_the_next_tick(path);
                fs::remove_file(path).unwrap();
            }),
        ];
        for (what, change) in changes {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("file");
            fs::write(&path, "0123456789").unwrap();
            let mut file = open(&path).unwrap();
            file.read_exact(&mut [0; 5]).unwrap();
            change(&path);
            let rest = file.read_exact(&mut [0; 5]);
            let end = rest.and_then(|()| file.finish());
            assert_eq!(end, Err(Problem::Changed), "{what}");
        }
    }

    /// File times move in steps of the kernel's clock: makes files until one has a later time.
    fn wait_for_the_next_tick(path: &Path) {
        let before = fs::metadata(path).unwrap().modified().unwrap();
        let probe = path.with_extension("probe");
        loop {
            fs::write(&probe, "").unwrap();
            if fs::metadata(&probe).unwrap().modified().unwrap() > before {
                return;
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_fifo_a_link_and_a_folder_are_refused_without_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        test_fifo(&at("fifo"));
        fs::write(at("file"), "").unwrap();
        std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
        for (path, problem) in [
            (at("fifo"), Problem::Special),
            (at("link"), Problem::Link),
            (dir.path().to_owned(), Problem::Changed),
        ] {
            assert_eq!(SourceFile::open(&path, 0, None).unwrap_err(), problem);
        }
    }
}
