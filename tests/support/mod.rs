//! Two engines in one process, real sockets on loopback, real folders.

// Each test binary uses its own part of this.
#![allow(dead_code)]

pub mod program;
#[cfg(unix)]
pub mod random;
pub mod talk;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use ropeway::engine::{
    AcceptPolicy, Bind, Command, Config, Engine, Event, ListenOptions, Offer, SendRequest,
    new_transfer_id,
};
use ropeway::model::{DeviceName, FileReport, OnConflict, Secret, Status, Summary, TransferId};

pub const PASSPHRASE: &str = "correct horse battery";

/// Nothing in these tests takes longer, unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// An engine with its own data folder and what it has said so far.
pub struct Device {
    pub engine: Engine,
    pub events: Receiver<Event>,
    pub home: tempfile::TempDir,
    pub said: Vec<Event>,
    /// For the next [`listen`](Self::listen).
    pub on_conflict: OnConflict,
}

impl Device {
    pub fn new(name: &str) -> Self {
        Self::at(tempfile::tempdir().unwrap(), name)
    }

    /// With a data folder that is there already.
    pub fn at(home: tempfile::TempDir, name: &str) -> Self {
        let config = Config {
            data_dir: home.path().join("data"),
            name: DeviceName::cleaned(name, "device"),
        };
        let (engine, events) = Engine::start(config, || {}).unwrap();
        Self {
            engine,
            events,
            home,
            said: Vec::new(),
            on_conflict: OnConflict::default(),
        }
    }

    /// Ends, and starts with the same data folder.
    pub fn again(self, name: &str) -> Self {
        let Self { engine, home, .. } = self;
        drop(engine);
        Self::at(home, name)
    }

    pub fn inbox(&self) -> PathBuf {
        self.home.path().join("inbox")
    }

    /// Waits for the event that `wanted` finds; everything that came is kept in `said`.
    pub fn wait<T>(&mut self, what: &str, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(event) => {
                    let found = wanted(&event);
                    self.said.push(event);
                    if let Some(found) = found {
                        return found;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("no {what}; said: {:?}", self.said),
                Err(RecvTimeoutError::Disconnected) => panic!("the engine ended before {what}"),
            }
        }
    }

    /// Listens on a free loopback port with a passphrase.
    pub fn listen(&mut self, accept: AcceptPolicy, passphrase: Option<&str>) -> SocketAddr {
        self.engine.command(Command::Listen(ListenOptions {
            allow: ropeway::model::Allow::Code,
            remember: false,
            bind: Bind::Exact("127.0.0.1:0".parse().unwrap()),
            save_folder: self.inbox(),
            passphrase: passphrase.map(|text| Secret::passphrase(text).unwrap()),
            accept,
            on_conflict: self.on_conflict,
            once: false,
        }));
        self.wait("Listening", |event| match event {
            Event::Listening(listening) => Some(listening.addr),
            _ => None,
        })
    }

    /// The same at a given address.
    pub fn listen_at(&mut self, addr: SocketAddr, accept: AcceptPolicy, passphrase: &str) {
        self.engine.command(Command::Listen(ListenOptions {
            allow: ropeway::model::Allow::Code,
            remember: false,
            bind: Bind::Exact(addr),
            save_folder: self.inbox(),
            passphrase: Some(Secret::passphrase(passphrase).unwrap()),
            accept,
            on_conflict: self.on_conflict,
            once: false,
        }));
        self.wait_listening();
    }

    /// Where it listens, or has said before that it does.
    pub fn wait_listening(&mut self) -> SocketAddr {
        let listening = |event: &Event| match event {
            Event::Listening(listening) => Some(listening.addr),
            _ => None,
        };
        let before = self.said.iter().rev().find_map(listening);
        before.unwrap_or_else(|| self.wait("Listening", listening))
    }

    pub fn code(&mut self) -> String {
        self.wait("Code", |event| match event {
            Event::Code { code, .. } => Some(code.grouped()),
            _ => None,
        })
    }

    pub fn send(&mut self, sources: &[&Path], to: SocketAddr, secret: &str) -> TransferId {
        let transfer = new_transfer_id();
        self.engine.command(Command::Send(SendRequest {
            device: None,
            ask: false,
            remember: false,
            transfer,
            sources: sources.iter().map(|path| path.to_path_buf()).collect(),
            to: to.to_string().parse().unwrap(),
            secret: (!secret.is_empty()).then(|| Secret::new(secret).unwrap()),
            wait_for_it: false,
        }));
        transfer
    }

    pub fn offer(&mut self) -> Offer {
        self.wait("Offer", |event| match event {
            Event::Offer(offer) if !offer.counting => Some(offer.clone()),
            _ => None,
        })
    }

    pub fn ended(&mut self) -> Summary {
        self.wait("Ended", |event| match event {
            Event::Ended(summary) => Some(summary.clone()),
            _ => None,
        })
    }

    pub fn arrived(&mut self) -> Summary {
        let summary = self.ended();
        assert_eq!(summary.status, Status::Arrived, "{summary:?}");
        summary
    }

    pub fn safe(&mut self) {
        self.wait("Safe", |event| {
            matches!(event, Event::Safe(_)).then_some(())
        });
    }

    /// All lines of the detailed lists so far.
    pub fn reports(&self) -> Vec<FileReport> {
        let files = self.said.iter().filter_map(|event| match event {
            Event::Files(_, files) => Some(files.clone()),
            _ => None,
        });
        files.flatten().collect()
    }
}

/// Takes seconds to travel, and fits on a small disk: the receiver reserves the room.
pub const BIG_BYTES: u64 = 4 << 30;

/// A transfer of a large sparse file under way.
pub fn under_way() -> (Device, Device) {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let addr = garden.listen(AcceptPolicy::All, Some(PASSPHRASE));
    let big = study.home.path().join("big");
    fs::File::create(&big).unwrap().set_len(BIG_BYTES).unwrap();
    study.send(&[&big], addr, PASSPHRASE);
    for device in [&mut study, &mut garden] {
        device.wait("bytes moving", |event| match event {
            Event::Progress(progress) => (progress.bytes > 1_000_000).then_some(()),
            _ => None,
        });
    }
    (garden, study)
}

/// Reproducible bytes that do not compress and do not repeat.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    let mut bytes = vec![0; len];
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

/// Everything below a folder: relative path, and content for files.
pub fn tree(folder: &Path) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let mut found: Vec<_> = walkdir::WalkDir::new(folder)
        .min_depth(1)
        .into_iter()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let relative = entry.path().strip_prefix(folder).unwrap().to_path_buf();
            let content = entry
                .file_type()
                .is_file()
                .then(|| fs::read(entry.path()).unwrap());
            (relative, content)
        })
        .collect();
    found.sort();
    found
}
