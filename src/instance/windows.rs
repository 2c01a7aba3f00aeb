//! A named pipe, called by the data folder. Its usual rights let this user and administrators write.

use std::io;
use std::os::windows::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use interprocess::local_socket::traits::{Listener as _, Stream as _};
use interprocess::local_socket::{self, GenericNamespaced, ListenerOptions, Name, ToNsName as _};

#[derive(Debug)]
pub struct Listener {
    listener: local_socket::Listener,
    data_dir: PathBuf,
}

impl Listener {
    pub fn bind(data_dir: &Path) -> io::Result<Self> {
        let options = ListenerOptions::new().name(name(data_dir)?);
        Ok(Self {
            listener: options.create_sync()?,
            data_dir: data_dir.to_owned(),
        })
    }

    pub fn accept(&self) -> io::Result<Stream> {
        self.listener.accept()
    }

    pub fn waker(&self) -> Waker {
        Waker {
            data_dir: self.data_dir.clone(),
        }
    }
}

/// Gets a thread out of `accept`.
#[derive(Debug)]
pub struct Waker {
    data_dir: PathBuf,
}

impl Waker {
    /// `false` if it sits there still.
    pub fn wake(&self) -> bool {
        connect(&self.data_dir).is_some()
    }
}

pub type Stream = local_socket::Stream;

/// Pipes know no time limits; only this user's programs get here.
#[expect(clippy::unnecessary_wraps, reason = "as for a socket")]
pub fn limit(_stream: &Stream, _within: Duration) -> io::Result<()> {
    Ok(())
}

/// `None` if nobody listens.
pub fn connect(data_dir: &Path) -> Option<Stream> {
    let name = name(data_dir).ok()?;
    Stream::connect(name).ok()
}

fn name(data_dir: &Path) -> io::Result<Name<'static>> {
    let data_dir = std::fs::canonicalize(data_dir).unwrap_or_else(|_| data_dir.to_owned());
    let hash = blake3::hash(data_dir.as_os_str().as_encoded_bytes()).to_hex();
    format!("ropeway-{}", hash.get(..16).unwrap_or_default()).to_ns_name::<GenericNamespaced>()
}

pub fn path_bytes(path: &Path) -> Vec<u8> {
    path.as_os_str()
        .encode_wide()
        .flat_map(u16::to_be_bytes)
        .collect()
}

pub fn path_of(bytes: &[u8]) -> Option<PathBuf> {
    let (units, rest) = bytes.as_chunks::<2>();
    let units: Vec<u16> = units.iter().map(|unit| u16::from_be_bytes(*unit)).collect();
    rest.is_empty()
        .then(|| std::ffi::OsString::from_wide(&units).into())
}
