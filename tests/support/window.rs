//! The window without a window system: controls are found by label and role, clicks become
//! commands, events become pictures. The test owns both far ends, so nothing is waited for.

// Each test binary uses its own part of this.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, SystemTime};

use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use ropeway::engine::{
    Command, Event, Found, KnownDevice, Listening, Looked, Offer, SendRequest, Started,
};
use ropeway::gui::app::App;
use ropeway::gui::theme;
use ropeway::model::{
    Bond, Code, DeviceId, DeviceName, Direction, Failure, Nearby, OnConflict, Peer, PeerAddress,
    Progress, Rule, Status, Summary, Symbols, System, TransferId, Way,
};
use ropeway::settings::{Language, Settings};

pub const TRANSFER: TransferId = TransferId([7; 16]);

pub struct Window<'a> {
    pub harness: Harness<'a, App>,
    pub events: Sender<Event>,
    pub commands: Receiver<Command>,
}

impl Window<'_> {
    pub fn new(language: Language) -> Self {
        let (commands_tx, commands) = channel();
        let (events, events_rx) = channel();
        let settings = Settings {
            name: "Study PC".into(),
            save_folder: "/home/me/Downloads/Ropeway".into(),
            language,
            ..Settings::default()
        };
        let send = move |command| {
            let _ = commands_tx.send(command);
        };
        let app = App::new(settings, None, Box::new(send), events_rx);
        let harness = Harness::builder()
            // Other threads may have something drawn once more meanwhile.
            .with_max_steps(32)
            .with_size([1280.0, 860.0])
            .with_theme(egui::Theme::Light)
            .with_context_setup(theme::install)
            .build_ui_state(
                |ui, app: &mut App| {
                    app.drain();
                    app.attend(ui.ctx());
                    app.ui(ui, None);
                },
                app,
            );
        let mut window = Self {
            harness,
            events,
            commands,
        };
        window.harness.run();
        window
    }

    pub fn english() -> Self {
        Self::new(Language::English)
    }

    pub fn say(&mut self, event: Event) {
        self.events.send(event).unwrap();
        self.harness.run();
    }

    pub fn click(&mut self, label: &str) {
        self.harness.get_by_label(label).click();
        self.harness.run();
    }

    pub fn type_into(&mut self, label: &str, text: &str) {
        let field = self.harness.get_by_role_and_label(Role::TextInput, label);
        field.focus();
        self.harness.run();
        let field = self.harness.get_by_role_and_label(Role::TextInput, label);
        field.type_text(text);
        self.harness.run();
    }

    pub fn drop_file(&mut self, path: &str) {
        drop_file(&mut self.harness, Path::new(path));
        self.harness.run();
    }

    pub fn press(&mut self, modifiers: Modifiers, key: Key) {
        self.harness.key_press_modifiers(modifiers, key);
        self.harness.run();
    }

    /// The next command that is not about counting or looking.
    pub fn command(&self) -> Option<Command> {
        self.commands.try_iter().find(|command| {
            !matches!(
                command,
                Command::Measure(_) | Command::MeasureRoom(_) | Command::LookAt(_)
            )
        })
    }
}

/// A file or folder let go over the window.
pub fn drop_file(harness: &mut Harness<App>, path: &Path) {
    harness.input_mut().dropped_files = vec![Arc::new(Dropped(path.into()))];
    harness.step();
    harness.input_mut().dropped_files.clear();
}

#[derive(Debug)]
struct Dropped(PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }
    fn bytes(&self) -> Result<Vec<u8>, String> {
        Err("nobody reads a dropped file into memory".into())
    }
}

pub fn sees(window: &Window, label: &str) -> bool {
    window.harness.query_all_by_label(label).next().is_some()
}

pub fn focused(window: &Window, label: &str) -> bool {
    let nodes = window.harness.query_all_by_label(label);
    nodes.into_iter().any(|node| node.is_focused())
}

/// What was put on the clipboard in the last frame.
pub fn copied(window: &Window) -> Vec<String> {
    let commands = window.harness.output().platform_output.commands.iter();
    let texts = commands.filter_map(|command| match command {
        egui::OutputCommand::CopyText(text) => Some(text.clone()),
        _ => None,
    });
    texts.collect()
}

/// What is looked at next, and all that was asked besides it is dropped.
pub fn looked_at(window: &Window) -> Option<PeerAddress> {
    let mut commands = window.commands.try_iter();
    commands.find_map(|command| match command {
        Command::LookAt(at) => Some(at),
        _ => None,
    })
}

pub fn sent(window: &Window) -> SendRequest {
    match window.command() {
        Some(Command::Send(request)) => request,
        command => panic!("a send command, not {command:?}"),
    }
}

pub fn symbols() -> Symbols {
    Symbols::from_bits([0, 0x10, 0x83])
}

/// Somebody answers there.
pub fn found(at: &PeerAddress, id: DeviceId, name: &str, ways: &[Way]) -> Event {
    Event::Looked(Looked {
        at: at.clone(),
        found: Ok(Found {
            id,
            name: DeviceName::cleaned(name, "?"),
            ways: ways.to_vec(),
            paired: false,
        }),
    })
}

/// A device that is remembered by both.
pub fn known(id: DeviceId, name: &str) -> KnownDevice {
    KnownDevice {
        id,
        name: DeviceName::cleaned(name, "?"),
        label: None,
        bond: Bond::Paired,
        rule: Rule::Ask,
        address: Some(format!("192.168.1.{}:9000", id.0[0])),
        met: SystemTime::UNIX_EPOCH,
    }
}

pub fn peer(name: &str) -> Peer {
    Peer {
        name: DeviceName::cleaned(name, "?"),
        device_id: None,
        address: "192.168.1.20:9000".into(),
        trust: ropeway::model::Trust::Verified,
    }
}

/// Found on the network.
pub fn nearby(id: DeviceId, name: &str, receiving: bool) -> Nearby {
    let at = std::net::SocketAddr::from(([192, 168, 1, id.0[0]], 9000));
    Nearby {
        id,
        name: DeviceName::cleaned(name, "?"),
        system: System::Linux,
        receiving,
        addresses: receiving.then_some(at).into_iter().collect(),
    }
}

pub fn started(direction: Direction) -> Event {
    Event::Started(Started {
        transfer: TRANSFER,
        direction,
        peer: peer("Garden laptop"),
        names: vec!["Holiday 2026".into()],
        picked: 1,
        places: vec!["/home/me/Downloads/Ropeway".into()],
    })
}

pub fn progress(bytes: u64) -> Event {
    Event::Progress(Progress {
        transfer: TRANSFER,
        bytes,
        total_bytes: 1_000_000,
        entries_done: 3,
        entries: 10,
        checked_bytes: 0,
        check_bytes: 0,
        bytes_per_second: 94_200_000,
        eta: Some(Duration::from_secs(114)),
    })
}

pub fn ended(direction: Direction, status: Status, failure: Option<Failure>) -> Event {
    Event::Ended(Summary {
        transfer: TRANSFER,
        direction,
        peer: peer("Garden laptop"),
        status,
        failure,
        entries: 10,
        bytes: 1_000_000,
        failed: 0,
        can_retry: false,
        skipped: 0,
        elapsed: Duration::from_secs(13),
        sent_bytes: 1_000_000,
    })
}

pub fn listening() -> Event {
    Event::Listening(Listening {
        addr: "[::]:9000".parse().unwrap(),
        addresses: vec!["192.168.1.20".parse().unwrap()],
        port_moved: false,
        device_id: DeviceId([1; 32]),
        name: DeviceName::cleaned("Study PC", "?"),
        save_folder: "/home/me/Downloads/Ropeway".into(),
    })
}

pub fn code() -> Event {
    let code = Code::generate(|bytes| {
        bytes.copy_from_slice(&427_913_u32.to_be_bytes());
        Ok::<(), ()>(())
    });
    Event::Code {
        code: code.unwrap(),
        valid: Duration::from_secs(600),
    }
}

pub fn offer(bytes: u64) -> Event {
    Event::Offer(Offer {
        symbols: None,
        remembers: false,
        transfer: TRANSFER,
        from: peer("Garden laptop"),
        names: vec!["Kitchen plans".into()],
        picked: 1,
        entries: 307,
        bytes,
        counting: false,
        folder: "/home/me/Downloads/Ropeway".into(),
        free_bytes: Some(2_000_000_000),
        on_conflict: OnConflict::default(),
        existing: None,
    })
}
