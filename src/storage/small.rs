//! Small files on the sending side, each read whole.
//!
//! They come in the order of the list, so most lie beside the one before: their folder stays open
//! meanwhile, and the system need not walk down to it again for each. What a file has to be, and how a
//! change is noticed, is as in [`super::source`].

use std::ffi::OsString;
use std::io::{self, IoSliceMut, Read as _};
use std::path::PathBuf;

use super::source::{OpenFolder, SourceTree, Stamp, announced, open_without_following};
use crate::model::{Modified, Problem};

/// Where a small file is, and what was announced of it.
#[derive(Debug)]
pub struct Located {
    at: At,
    len_bytes: u64,
    modified: Option<Modified>,
}

#[derive(Debug)]
enum At {
    /// In the folder that is open.
    Beside(OsString),
    Below {
        number: u32,
        folder: PathBuf,
        name: OsString,
    },
    Path(PathBuf),
}

/// Reads small files. To be kept for a batch, not for longer: a folder that is open cannot be unmounted.
#[derive(Default, Debug)]
pub struct SmallFiles {
    /// The folder of the last file.
    open: Option<(u32, OpenFolder)>,
}

impl SmallFiles {
    /// Finds an entry in the list; `None` if there is no such entry. Asks no disk.
    pub fn locate(&self, tree: &SourceTree, number: u32) -> Option<Located> {
        let entry = tree.manifest().get(number)?;
        let open = self.open.as_ref().map(|(number, _)| *number);
        let at = match entry.parent {
            Some(parent) if open == Some(parent) => At::Beside(tree.name(number)?),
            Some(parent) if OpenFolder::CAN_BE_HELD => At::Below {
                number: parent,
                folder: tree.path(parent)?,
                name: tree.name(number)?,
            },
            Some(_) | None => At::Path(tree.path(number)?),
        };
        Some(Located {
            at,
            len_bytes: entry.len_bytes(),
            modified: entry.modified,
        })
    }

    /// Fills `content`, which is as long as announced, with the whole file; its BLAKE3 hash.
    /// [`Problem::Changed`] if it is not what was announced, or changes meanwhile.
    pub fn read(&mut self, located: Located, content: &mut [u8]) -> Result<[u8; 32], Problem> {
        let reading = |error: io::Error| Problem::reading(&error);
        let mut file = match (located.at, &self.open) {
            (At::Path(path), _) => open_without_following(&path)?,
            (At::Beside(name), Some((_, folder))) => folder.file(&name)?,
            (At::Beside(_), None) => return Err(Problem::Vanished),
            (
                At::Below {
                    number,
                    folder,
                    name,
                },
                _,
            ) => {
                self.open = None;
                let (_, folder) = self.open.insert((number, OpenFolder::new(&folder)?));
                folder.file(&name)?
            }
        };
        let opened = announced(&file, located.len_bytes, located.modified)?;
        let mut read = 0;
        let mut more = [0];
        // One byte of room behind it shows in the same call that the file ends there: less than was
        // asked for is all there is.
        loop {
            let rest = content.get_mut(read..).unwrap_or_default();
            let mut into = [IoSliceMut::new(rest), IoSliceMut::new(&mut more)];
            match file.read_vectored(&mut into) {
                Ok(count) => {
                    read += count;
                    if count == 0 || read >= content.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(reading(error)),
            }
        }
        let now = file.metadata().map_err(reading)?;
        let whole = read == content.len() && located.len_bytes == content.len() as u64;
        if !whole || Stamp::of(&now) != opened {
            return Err(Problem::Changed);
        }
        Ok(blake3::hash(content).into())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::ops::ControlFlow;
    use std::path::Path;

    use super::super::source::walk;
    use super::*;

    fn tree(pick: &Path) -> SourceTree {
        let picks = vec![pick.to_owned()];
        let mut tree = SourceTree::new(picks.clone());
        walk(&picks, &mut |found| {
            tree.add(found).unwrap();
            ControlFlow::Continue(())
        });
        tree
    }

    fn read(small: &mut SmallFiles, tree: &SourceTree, number: u32) -> Result<Vec<u8>, Problem> {
        let located = small.locate(tree, number).unwrap();
        let mut content = vec![0; located.len_bytes as usize];
        let hash = small.read(located, &mut content)?;
        assert_eq!(hash, *blake3::hash(&content).as_bytes());
        Ok(content)
    }

    #[test]
    fn files_of_many_folders_are_read_whole_in_the_order_of_the_list() {
        let dir = tempfile::tempdir().unwrap();
        for (file, content) in [("a", "1"), ("b/x", "22"), ("b/y", ""), ("b/z/q", "333")] {
            let path = dir.path().join("top").join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let tree = tree(&dir.path().join("top"));
        let mut small = SmallFiles::default();
        let files: Vec<_> = (0..tree.manifest().len() as u32)
            .filter(|number| tree.path(*number).unwrap().is_file())
            .map(|number| read(&mut small, &tree, number).unwrap())
            .collect();
        let expected: [&[u8]; 4] = [b"1", b"22", b"", b"333"];
        assert_eq!(files, expected);
        // A picked file has no folder in the list.
        let single = self::tree(&dir.path().join("top/b/x"));
        assert_eq!(read(&mut small, &single, 0).unwrap(), b"22");
    }

    #[test]
    fn a_file_that_is_not_as_announced_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["a", "b", "c", "d", "e"] {
            fs::write(at(name), "12345").unwrap();
        }
        let tree = tree(dir.path());
        fs::write(at("a"), "1234567").unwrap();
        fs::write(at("b"), "123").unwrap();
        fs::remove_file(at("c")).unwrap();
        fs::remove_file(at("d")).unwrap();
        fs::create_dir(at("d")).unwrap();
        let mut small = SmallFiles::default();
        let found: Vec<_> = (1..=5).map(|n| read(&mut small, &tree, n)).collect();
        assert_eq!(
            found,
            [
                Err(Problem::Changed),
                Err(Problem::Changed),
                Err(Problem::Vanished),
                Err(Problem::Changed),
                Ok(b"12345".to_vec())
            ]
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_the_place_of_a_file_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        fs::write(&file, "12345").unwrap();
        fs::write(dir.path().join("other"), "54321").unwrap();
        let tree = tree(dir.path());
        fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink("other", &file).unwrap();
        let mut small = SmallFiles::default();
        assert_eq!(read(&mut small, &tree, 1), Err(Problem::Link));
    }
}
