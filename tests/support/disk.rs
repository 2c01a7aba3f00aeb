//! Small disks of their own, where tests may mount them.

// Each test binary uses its own part of this.
#![allow(dead_code)]

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// A small disk of its own; `None`, with a note, where tests may not mount one.
pub struct SmallDisk {
    dir: TempDir,
}

impl SmallDisk {
    pub fn mount(bytes: usize) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        Self::mount_at(dir.path(), &format!("size={bytes}")).then(|| Self { dir })
    }

    /// It holds so many files and folders, and bytes as many as it likes.
    pub fn of_files(files: usize) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let options = format!("size=64m,nr_inodes={files}");
        Self::mount_at(dir.path(), &options).then(|| Self { dir })
    }

    pub fn mount_at(path: &Path, options: &str) -> bool {
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "none"])
            .arg(path)
            .output();
        let mounted = mount.is_ok_and(|output| output.status.success());
        if !mounted {
            assert!(
                std::env::var_os("ROPEWAY_SKIP_NOTHING").is_none(),
                "this test needs the right to mount a disk"
            );
            eprintln!("skipped: this test needs the right to mount a disk");
        }
        mounted
    }

    pub fn unmount(path: &Path) {
        let unmounted = Command::new("umount").arg("-l").arg(path).status();
        assert!(unmounted.unwrap().success());
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn resize(&self, bytes: usize) {
        self.remount(&format!("size={bytes}"));
    }

    pub fn hold_files(&self, files: usize) {
        self.remount(&format!("nr_inodes={files}"));
    }

    pub fn make_read_only(&self) {
        self.remount("ro");
    }

    fn remount(&self, options: &str) {
        let remount = Command::new("mount")
            .args(["-o", &format!("remount,{options}")])
            .arg(self.path())
            .status();
        assert!(remount.unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Self::unmount(self.dir.path());
    }
}
