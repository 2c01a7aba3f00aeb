//! A staged file that comes from its beginning to its end: written and hashed in one go.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};

use crate::model::Problem;

/// A file under way.
#[derive(Debug)]
pub(super) struct Writing {
    file: File,
    hasher: Box<blake3::Hasher>,
    written_bytes: u64,
    /// The disk was told to start writing up to here.
    pushed_bytes: u64,
}

impl Writing {
    /// Takes its room.
    pub fn begin(file: File, len_bytes: u64) -> io::Result<Self> {
        reserve(&file, len_bytes)?;
        Ok(Self {
            file,
            hasher: Box::default(),
            written_bytes: 0,
            pushed_bytes: 0,
        })
    }

    /// Takes the bytes that follow on what was written, up to that length.
    pub fn write(&mut self, offset: u64, bytes: &[u8], len_bytes: u64) -> Result<(), Problem> {
        let end = offset.checked_add(bytes.len() as u64);
        if offset != self.written_bytes || end.is_none_or(|end| end > len_bytes) {
            return Err(Problem::Corrupt);
        }
        self.append(bytes).map_err(|error| Problem::writing(&error))
    }

    /// The file, if all of it was written and makes up the hash.
    pub fn complete(self, len_bytes: u64, hash: &[u8; 32]) -> Result<File, Problem> {
        if self.written_bytes == len_bytes && self.hasher.finalize() == *hash {
            Ok(self.file)
        } else {
            Err(Problem::Corrupt)
        }
    }

    pub fn into_file(self) -> File {
        self.file
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(bytes) {
            // Some of it may be there: the next try begins where this one began.
            self.file.seek(SeekFrom::Start(self.written_bytes))?;
            return Err(error);
        }
        self.hasher.update(bytes);
        self.written_bytes += bytes.len() as u64;
        self.push();
        Ok(())
    }

    /// Tells the disk to start writing what has come, without waiting for it: otherwise it would
    /// begin with gigabytes at the flush, and the end of a transfer would take as long as the rest.
    fn push(&mut self) {
        /// Large enough for the disk to write in long strokes.
        const STEP_BYTES: u64 = 8 << 20;
        let waiting = self.written_bytes - self.pushed_bytes;
        if waiting < STEP_BYTES {
            return;
        }
        // On Linux this starts the writing of dirty pages and drops only clean ones.
        #[cfg(target_os = "linux")]
        if let Some(len) = std::num::NonZeroU64::new(waiting) {
            let advice = rustix::fs::Advice::DontNeed;
            let _ = rustix::fs::fadvise(&self.file, self.pushed_bytes, Some(len), advice);
        }
        self.pushed_bytes = self.written_bytes;
    }
}

/// Takes the room for a file, so that a full disk is known before the bytes have travelled.
/// Systems and disks that cannot do that cheaply find out while writing.
fn reserve(file: &File, len_bytes: u64) -> io::Result<()> {
    /// A shorter file is written sooner than its room is taken.
    const WORTH_A_CALL_BYTES: u64 = 1 << 20;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if len_bytes >= WORTH_A_CALL_BYTES {
        use rustix::fs::FallocateFlags;
        use rustix::io::Errno;
        if let Some(free_bytes) = free_in_memory(file) {
            return match free_bytes < len_bytes {
                true => Err(Errno::NOSPC.into()),
                false => Ok(()),
            };
        }
        let reserved = rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, 0, len_bytes);
        return match reserved {
            Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) => Err(error.into()),
            Ok(()) | Err(_) => Ok(()),
        };
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = (file, len_bytes, WORTH_A_CALL_BYTES);
    Ok(())
}

/// What is free where the file is, if that is memory: there, taking the room means to find every page
/// first, a fifth of a second a gibibyte in which nothing arrives.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn free_in_memory(file: &File) -> Option<u64> {
    /// `TMPFS_MAGIC` of `linux/magic.h`.
    const TMPFS: u64 = 0x0102_1994;
    let about = rustix::fs::fstatfs(file).ok()?;
    let in_memory = u64::try_from(about.f_type) == Ok(TMPFS);
    // Without a limit of its own it tells of no blocks at all.
    (in_memory && about.f_blocks > 0).then(|| {
        about
            .f_bavail
            .saturating_mul(u64::try_from(about.f_bsize).unwrap_or(0))
    })
}
