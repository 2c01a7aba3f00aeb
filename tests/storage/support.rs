//! A receiving end with short names for the things tests do.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use ropeway::model::{
    Entry, EntryKey, EntryKind, EntryStatus, Modified, Problem, SafeName, TransferId,
};
use ropeway::storage::{Committed, Inbox, SourceFile, SourceTree, Target, walk};
use tempfile::TempDir;

pub const TRANSFER: TransferId = TransferId([0xab; 16]);

/// A save folder and one transfer into it that is given its entries by hand.
pub struct Receiver {
    pub dir: TempDir,
    pub inbox: Inbox,
    next_number: u32,
}

impl Receiver {
    pub fn new() -> Self {
        Self::with(|_save| {})
    }

    /// `prepare` puts things into the save folder first.
    pub fn with(prepare: impl FnOnce(&Path)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let save = dir.path().join("save");
        fs::create_dir(&save).unwrap();
        prepare(&save);
        let inbox = Inbox::create(&save, TRANSFER).unwrap();
        Self {
            dir,
            inbox,
            next_number: 0,
        }
    }

    pub fn save(&self) -> PathBuf {
        self.dir.path().join("save")
    }

    pub fn number(&mut self) -> u32 {
        self.next_number += 1;
        self.next_number - 1
    }

    pub fn folder(&mut self, parent: Option<u32>, name: &str) -> (u32, Committed) {
        let number = self.number();
        let committed = self
            .inbox
            .add_folder(number, &folder(parent, name))
            .unwrap();
        (number, committed)
    }

    pub fn file(&mut self, parent: Option<u32>, name: &str, content: &str) -> u32 {
        let number = self.number();
        let entry = file(parent, name, content.len());
        let hash = *blake3::hash(content.as_bytes()).as_bytes();
        self.inbox
            .whole(target(number, &entry), content.as_bytes(), hash)
            .unwrap();
        number
    }

    /// One file, committed at once.
    pub fn arrive(&mut self, parent: Option<u32>, name: &str, content: &str) -> Committed {
        self.file(parent, name, content);
        let mut committed = self.inbox.commit();
        assert_eq!(committed.len(), 1);
        committed.remove(0)
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.save().join(path)).unwrap()
    }

    /// Ends the transfer; gives the folder back, which lives as long.
    pub fn finish(mut self) -> TempDir {
        self.inbox.finish().unwrap();
        self.inbox.discard_staged();
        self.dir
    }
}

/// An entry as the inbox is told of it; its key is as good as any other.
pub fn target(number: u32, entry: &Entry) -> Target<'_> {
    let mut key = [0; 16];
    key[..4].copy_from_slice(&number.to_be_bytes());
    Target {
        number,
        key: EntryKey(key),
        entry,
    }
}

pub fn folder(parent: Option<u32>, name: &str) -> Entry {
    Entry {
        parent,
        name: SafeName::try_from(name).unwrap(),
        kind: EntryKind::Folder,
        modified: None,
    }
}

pub fn file(parent: Option<u32>, name: &str, len: usize) -> Entry {
    let kind = EntryKind::File {
        len_bytes: len as u64,
        executable: false,
    };
    Entry {
        kind,
        ..folder(parent, name)
    }
}

pub fn at(seconds: i64, nanos: u32) -> Option<Modified> {
    Some(Modified { seconds, nanos })
}

pub fn problem(committed: &Committed) -> Option<&Problem> {
    match &committed.status {
        EntryStatus::Failed(problem) => Some(problem),
        EntryStatus::Arrived | EntryStatus::AlreadyThere | EntryStatus::Skipped => None,
    }
}

/// Sends `picks` into `save` as the engine would, with a commit every few files.
pub fn carry(picks: &[PathBuf], save: &Path) -> Vec<Committed> {
    let mut tree = SourceTree::new(picks.to_vec());
    walk(picks, &mut |found| {
        tree.add(found).unwrap();
        ControlFlow::Continue(())
    });
    let mut inbox = Inbox::create(save, TRANSFER).unwrap();
    let mut committed = Vec::new();
    for (number, entry) in (0..).zip(tree.manifest().entries()) {
        if let Some(problem) = tree.problem(number) {
            inbox.abandon(target(number, entry), problem.clone());
            continue;
        }
        match entry.kind {
            EntryKind::Folder => committed.push(inbox.add_folder(number, entry).unwrap()),
            EntryKind::File { len_bytes, .. } => {
                let path = tree.path(number).unwrap();
                let mut source = SourceFile::open(&path, len_bytes, entry.modified).unwrap();
                let mut offset = 0;
                while offset < len_bytes {
                    let mut piece = vec![0; (len_bytes - offset).min(300_000) as usize];
                    source.read_exact(&mut piece).unwrap();
                    inbox.write(target(number, entry), offset, &piece).unwrap();
                    offset += piece.len() as u64;
                }
                inbox
                    .complete(target(number, entry), source.finish().unwrap())
                    .unwrap();
            }
        }
        if inbox.pending().0 >= 40 {
            committed.extend(inbox.commit());
        }
    }
    committed.extend(inbox.commit());
    inbox.finish().unwrap();
    inbox.discard_staged();
    committed.sort_by_key(|committed| committed.number);
    committed
}

/// All names below a folder, sorted, folders with a slash.
pub fn listing(folder: &Path) -> Vec<String> {
    fn list(folder: &Path, prefix: &str, all: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_type().unwrap().is_dir() {
                let name = format!("{name}/");
                list(&entry.path(), &name, all);
                all.push(name);
            } else {
                all.push(name);
            }
        }
    }
    let mut all = Vec::new();
    list(folder, "", &mut all);
    all.sort();
    all
}
