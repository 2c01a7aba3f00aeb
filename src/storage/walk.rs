//! Walking what was picked: every file and folder in manifest order, one at a time.
//!
//! Nothing is read or hashed here, and nothing is kept but the names of the folders that are open
//! on the way down. Links inside are reported, not followed; special files are never opened.

use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::handle::modified_of;
use super::names::AREA;
use crate::model::name::wire_name;
use crate::model::{Entry, EntryKind, Manifest, Modified, Problem, TransferId};

/// One thing found while walking, in manifest order (parents first): the n-th call of `visit`, from
/// 0, is entry number n.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    pub entry: Entry,
    /// The local name, if it had to be escaped to travel.
    pub real_name: Option<OsString>,
    /// It is listed but cannot be sent: a link, a special file, unreadable, a folder that cannot be
    /// listed. Its kind is then an empty file, whatever it is here, so that nothing is made of it
    /// at the other end.
    pub problem: Option<Problem>,
}

/// What is listed of something that cannot be sent.
const NOTHING: EntryKind = EntryKind::File {
    len_bytes: 0,
    executable: false,
};

/// Walks the picks in order, depth first, sorted by name within a folder, until `visit` breaks.
///
/// Each pick is exactly one top-level entry, even one that is not there. A pick is called by its
/// last component, made absolute first (`.` and `..` by the real folder's name, `/` is `root`). A
/// picked link is followed, because a person pointed at it; it keeps its own name.
pub fn walk(picks: &[PathBuf], visit: &mut dyn FnMut(Found) -> ControlFlow<()>) {
    let mut walker = Walker {
        visit,
        next_number: 0,
    };
    for pick in picks {
        if walker.walk_pick(Pick::new(pick)).is_break() {
            return;
        }
    }
}

/// Where a picked path leads and what it is called.
pub(super) struct Pick {
    pub name: OsString,
    /// Absolute; of a link, what it leads to.
    pub path: PathBuf,
}

impl Pick {
    pub fn new(picked: &Path) -> Self {
        // Only an empty path cannot be made absolute; it is not found later on.
        let mut path = std::path::absolute(picked).unwrap_or_else(|_empty| picked.to_owned());
        if path.file_name().is_none() {
            path = fs::canonicalize(&path).unwrap_or(path);
        }
        let name = path.file_name().unwrap_or(OsStr::new("root")).to_owned();
        // `x/` leads to what `x` is, and so does a link; nothing later has to follow one.
        if fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_symlink()) {
            path = fs::canonicalize(&path).unwrap_or(path);
        }
        Self { name, path }
    }
}

struct Walker<'a> {
    visit: &'a mut dyn FnMut(Found) -> ControlFlow<()>,
    next_number: u32,
}

/// A folder on the way down with what is still to be visited in it.
struct Level {
    number: u32,
    names: std::vec::IntoIter<OsString>,
}

impl Walker<'_> {
    fn walk_pick(&mut self, pick: Pick) -> ControlFlow<()> {
        // A picked link that still is one leads nowhere, which is said as "gone", or in circles.
        let metadata = fs::metadata(&pick.path).or_else(|error| {
            let told = matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::PermissionDenied
            );
            let link = fs::symlink_metadata(&pick.path).ok();
            link.filter(|found| found.is_symlink() && !told)
                .ok_or(error)
        });
        let mut levels = Vec::new();
        levels.extend(self.visit_one(None, &pick.name, &pick.path, metadata, 1)?);
        let mut path = pick.path;
        while let Some(level) = levels.last_mut() {
            let parent = level.number;
            let Some(name) = level.names.next() else {
                levels.pop();
                if !levels.is_empty() {
                    path.pop();
                }
                continue;
            };
            path.push(&name);
            if name == AREA && is_staging(&path) {
                // Of other transfers, if what is sent holds a save folder: nobody's files yet.
                path.pop();
                continue;
            }
            let metadata = fs::symlink_metadata(&path);
            let depth = levels.len() + 1;
            match self.visit_one(Some(parent), &name, &path, metadata, depth)? {
                Some(level) => levels.push(level),
                None => {
                    path.pop();
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Reports one thing; gives the level below if it is a folder.
    fn visit_one(
        &mut self,
        parent: Option<u32>,
        name: &OsStr,
        path: &Path,
        metadata: io::Result<Metadata>,
        depth: usize,
    ) -> ControlFlow<(), Option<Level>> {
        let number = self.next_number;
        let modified = metadata.as_ref().ok().and_then(modified);
        let mut below = None;
        let (kind, problem) = match look_at(path, metadata, depth) {
            Ok(Look::Folder(names)) => {
                let names = names.into_iter();
                below = Some(Level { number, names });
                (EntryKind::Folder, None)
            }
            Ok(Look::File(kind)) => (kind, None),
            Err(problem) => (NOTHING, Some(problem)),
        };
        let (wire_name, escaped) = wire_name(name.as_encoded_bytes());
        let found = Found {
            entry: Entry {
                parent,
                name: wire_name,
                kind,
                modified,
            },
            real_name: escaped.then(|| name.to_owned()),
            problem,
        };
        (self.visit)(found)?;
        self.next_number += 1;
        ControlFlow::Continue(below)
    }
}

/// A folder that holds nothing but staging folders; somebody's own of that name is sent.
fn is_staging(path: &Path) -> bool {
    let real = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir());
    let names = sorted_names(path).unwrap_or_default();
    let transfer = |name: &OsString| {
        let id = name.to_str().map(str::parse::<TransferId>);
        matches!(id, Some(Ok(_)))
    };
    real && !names.is_empty() && names.iter().all(transfer)
}

enum Look {
    Folder(Vec<OsString>),
    File(EntryKind),
}

fn look_at(path: &Path, metadata: io::Result<Metadata>, depth: usize) -> Result<Look, Problem> {
    let metadata = metadata.map_err(|error| Problem::reading(&error))?;
    if metadata.is_dir() {
        let names = sorted_names(path).map_err(|error| Problem::reading(&error))?;
        if !names.is_empty() && depth >= Manifest::MAX_DEPTH.into() {
            return Err(Problem::TooDeep);
        }
        Ok(Look::Folder(names))
    } else if metadata.is_file() {
        Ok(Look::File(EntryKind::File {
            len_bytes: metadata.len(),
            executable: is_executable(&metadata),
        }))
    } else if metadata.is_symlink() {
        Err(Problem::Link)
    } else {
        Err(Problem::Special)
    }
}

/// Names only, and the folder closed again: a wide folder costs its names, a deep one no
/// descriptors.
fn sorted_names(folder: &Path) -> io::Result<Vec<OsString>> {
    let entries = fs::read_dir(folder)?;
    let mut names = entries
        .map(|entry| Ok(entry?.file_name()))
        .collect::<io::Result<Vec<_>>>()?;
    names.sort_unstable();
    Ok(names)
}

/// `None` where the file system keeps no times.
pub fn modified(metadata: &Metadata) -> Option<Modified> {
    metadata.modified().ok().map(modified_of)
}

#[cfg(unix)]
fn is_executable(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn is_executable(_metadata: &Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walked(picks: &[PathBuf]) -> Vec<Found> {
        let mut all = Vec::new();
        walk(picks, &mut |found| {
            all.push(found);
            ControlFlow::Continue(())
        });
        all
    }

    /// Each entry as `parent:name`.
    fn shape(all: &[Found]) -> Vec<String> {
        all.iter()
            .map(|found| match found.entry.parent {
                Some(parent) => format!("{parent}:{}", found.entry.name),
                None => format!("-:{}", found.entry.name),
            })
            .collect()
    }

    #[test]
    fn parents_come_first_and_names_are_sorted_within_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().join("top");
        fs::create_dir_all(top.join("b/deep")).unwrap();
        fs::create_dir(top.join("empty")).unwrap();
        for file in ["b/deep/x", "b/a", "c", "a"] {
            fs::write(top.join(file), file).unwrap();
        }
        fs::write(dir.path().join("other"), "").unwrap();
        let all = walked(&[top, dir.path().join("other")]);
        assert_eq!(
            shape(&all),
            [
                "-:top", "0:a", "0:b", "2:a", "2:deep", "4:x", "0:c", "0:empty", "-:other"
            ]
        );
        assert_eq!(all[5].entry.len_bytes(), 8);
        assert_eq!(all[7].entry.kind, EntryKind::Folder);
        assert!(all.iter().all(|found| found.problem.is_none()));
    }

    #[test]
    fn only_real_staging_is_passed_over_and_somebodys_own_of_that_name_is_sent() {
        let dir = tempfile::tempdir().unwrap();
        let make = |path: &str| fs::create_dir_all(dir.path().join(path)).unwrap();
        make("a/.ropeway/0123456789abcdef0123456789abcdef");
        make("b/.ropeway/notes");
        make("c/.ropeway");
        make("d");
        fs::write(dir.path().join("d/.ropeway"), "a file").unwrap();
        let all = walked(&[dir.path().to_owned()]);
        let names = all.iter().map(|found| found.entry.name.as_str());
        let names: Vec<_> = names.skip(1).collect();
        let expected = [
            "a", "b", ".ropeway", "notes", "c", ".ropeway", "d", ".ropeway",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn the_walk_ends_when_it_is_told_to() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "").unwrap();
        let mut seen = 0;
        let picks = [dir.path().to_owned(), dir.path().to_owned()];
        walk(&picks, &mut |_found| {
            seen += 1;
            match seen {
                2 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        });
        assert_eq!(seen, 2);
    }

    #[test]
    fn a_pick_is_called_by_its_real_last_component() {
        let dir = tempfile::tempdir().unwrap();
        let folder = fs::canonicalize(dir.path()).unwrap().join("folder");
        fs::create_dir_all(folder.join("sub")).unwrap();
        assert_eq!(Pick::new(&folder.join("sub/..")).name, "folder");
        assert_eq!(Pick::new(&folder.join("sub/.")).name, "sub");
        assert_eq!(Pick::new(&folder.join("sub/../sub/")).name, "sub");
        assert_eq!(Pick::new(Path::new("/")).name, "root");
        let here = std::env::current_dir().unwrap();
        assert_eq!(Some(&*Pick::new(Path::new(".")).name), here.file_name());
    }

    #[test]
    fn a_pick_that_is_not_there_is_listed_as_gone() {
        let dir = tempfile::tempdir().unwrap();
        let all = walked(&[dir.path().join("gone"), PathBuf::new()]);
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].problem, Some(Problem::Vanished));
        assert!(all[1].problem.is_some());
    }

    #[cfg(unix)]
    #[test]
    fn links_and_special_files_are_reported_and_never_opened() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().join("top");
        fs::create_dir(&top).unwrap();
        symlink(&top, top.join("loop")).unwrap();
        symlink("/etc/passwd", top.join("link")).unwrap();
        // Opening it would wait for a writer for ever.
        super::super::source::test_fifo(&top.join("fifo"));
        let _socket = std::os::unix::net::UnixListener::bind(top.join("socket")).unwrap();
        let all = walked(&[top]);
        let problems: Vec<_> = all.iter().map(|found| found.problem.clone()).collect();
        assert_eq!(
            shape(&all),
            ["-:top", "0:fifo", "0:link", "0:loop", "0:socket"]
        );
        assert_eq!(
            problems,
            [
                None,
                Some(Problem::Special),
                Some(Problem::Link),
                Some(Problem::Link),
                Some(Problem::Special)
            ]
        );
        assert!(all[1..].iter().all(|found| found.entry.kind == NOTHING));
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_cannot_be_listed_is_reported_and_the_rest_goes_on() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let closed = dir.path().join("closed");
        fs::create_dir(&closed).unwrap();
        fs::write(dir.path().join("file"), "x").unwrap();
        let allow = |mode| fs::set_permissions(&closed, fs::Permissions::from_mode(mode)).unwrap();
        allow(0o000);
        if fs::read_dir(&closed).is_ok() {
            eprintln!("skipped: this user may read everything");
            return;
        }
        let all = walked(&[dir.path().to_owned()]);
        allow(0o700);
        assert_eq!(shape(&all)[1..], ["0:closed", "0:file"]);
        assert_eq!(all[1].problem, Some(Problem::Unreadable));
        assert_eq!(all[2].problem, None);
    }

    #[cfg(unix)]
    #[test]
    fn a_picked_link_is_followed_and_keeps_its_name() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().join("real");
        fs::create_dir(&real).unwrap();
        fs::write(real.join("a"), "x").unwrap();
        symlink(&real, dir.path().join("photos")).unwrap();
        symlink("nowhere", dir.path().join("dead")).unwrap();
        let all = walked(&[dir.path().join("photos"), dir.path().join("dead")]);
        assert_eq!(shape(&all), ["-:photos", "0:a", "-:dead"]);
        assert_eq!(all[2].problem, Some(Problem::Vanished));
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_may_not_travel_keeps_its_real_one_beside_it() {
        use std::os::unix::ffi::OsStrExt as _;
        let dir = tempfile::tempdir().unwrap();
        let real = OsStr::from_bytes(b"a\\b\xff");
        fs::write(dir.path().join(real), "").unwrap();
        let all = walked(&[dir.path().to_owned()]);
        assert_eq!(all[1].entry.name.as_str(), "a%5Cb%FF");
        assert_eq!(all[1].real_name.as_deref(), Some(real));
    }

    #[test]
    fn folders_deeper_than_a_manifest_may_be_are_reported() {
        let dir = tempfile::tempdir().unwrap();
        let mut path = dir.path().join("d");
        for _ in 0..140 {
            path.push("d");
        }
        fs::create_dir_all(&path).unwrap();
        let all = walked(&[dir.path().join("d")]);
        assert_eq!(all.len(), usize::from(Manifest::MAX_DEPTH));
        let mut manifest = Manifest::default();
        for found in &all {
            manifest.push(found.entry.clone()).expect("not too deep");
        }
        assert!(all.last().is_some_and(|last| last.problem.is_some()));
    }
}
