//! A socket in the file system, in a folder that is this user's alone.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

const SOCKET: &str = "socket";
/// What fits into a socket's address on every Unix, with its terminating zero.
const MAX_ADDRESS: usize = 103;

#[derive(Debug)]
pub struct Listener {
    listener: UnixListener,
    path: PathBuf,
}

impl Listener {
    /// Only for whoever holds the lock: what is in the way is of a process that is gone.
    pub fn bind(data_dir: &Path) -> io::Result<Self> {
        let mut failed = io::Error::other("no place for a socket");
        for path in places(data_dir) {
            let _ = fs::remove_file(&path);
            match UnixListener::bind(&path) {
                Ok(listener) => {
                    fs::set_permissions(&path, Permissions::from_mode(0o600))?;
                    return Ok(Self { listener, path });
                }
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    pub fn accept(&self) -> io::Result<Stream> {
        let (stream, _) = self.listener.accept()?;
        if !is_of_this_user(&stream) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(stream)
    }

    pub fn waker(&self) -> Waker {
        Waker {
            path: self.path.clone(),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Gets a thread out of `accept`.
#[derive(Debug)]
pub struct Waker {
    path: PathBuf,
}

impl Waker {
    /// `false` if it sits there still.
    pub fn wake(&self) -> bool {
        UnixStream::connect(&self.path).is_ok()
    }
}

pub type Stream = UnixStream;

/// How long the next read or write may take.
pub fn limit(stream: &Stream, within: Duration) -> io::Result<()> {
    let within = Some(within.max(Duration::from_millis(1)));
    stream.set_read_timeout(within)?;
    stream.set_write_timeout(within)
}

/// `None` if nobody listens there, or somebody else does.
pub fn connect(data_dir: &Path) -> Option<Stream> {
    let mut streams = places(data_dir).filter_map(|path| UnixStream::connect(path).ok());
    streams.find(is_of_this_user)
}

/// In the data folder; where its path is too long or its file system knows no sockets, where the system
/// keeps what belongs to this user's session.
fn places(data_dir: &Path) -> impl Iterator<Item = PathBuf> {
    let own = data_dir.join(super::FOLDER).join(SOCKET);
    let other = session_folder().map(|folder| {
        let data_dir = fs::canonicalize(data_dir).unwrap_or_else(|_| data_dir.to_owned());
        let hash = blake3::hash(data_dir.as_os_str().as_bytes()).to_hex();
        folder.join(format!("ropeway-{}", hash.get(..16).unwrap_or_default()))
    });
    let fits = |path: &PathBuf| path.as_os_str().len() <= MAX_ADDRESS;
    [Some(own), other].into_iter().flatten().filter(fits)
}

fn session_folder() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("XDG_RUNTIME_DIR")?);
    let about = fs::metadata(&folder).ok()?;
    let private = about.is_dir()
        && about.uid() == rustix::process::geteuid().as_raw()
        && about.mode() & 0o077 == 0;
    (private && folder.is_absolute()).then_some(folder)
}

/// The socket's rights say so already, where the system looks at them.
#[cfg(target_os = "linux")]
fn is_of_this_user(stream: &UnixStream) -> bool {
    rustix::net::sockopt::socket_peercred(stream)
        .is_ok_and(|peer| peer.uid == rustix::process::geteuid() || peer.uid.is_root())
}

#[cfg(not(target_os = "linux"))]
fn is_of_this_user(_stream: &UnixStream) -> bool {
    true
}

pub fn path_bytes(path: &Path) -> Vec<u8> {
    path.as_os_str().as_bytes().to_vec()
}

pub fn path_of(bytes: &[u8]) -> Option<PathBuf> {
    Some(PathBuf::from(OsStr::from_bytes(bytes)))
}
