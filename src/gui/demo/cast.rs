//! Who and what appears in the scenes, in the language of the window.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::engine::{Event, KnownDevice, Listening, Measured, Offer, Started};
use crate::model::{
    Bond, Code, DeviceId, DeviceName, Direction, Failure, Nearby, OnConflict, Peer, Progress, Rule,
    Status, Summary, System, TransferId, Trust,
};

/// How much of a transfer is done when its picture is taken.
#[derive(Clone, Copy)]
pub struct Done {
    pub bytes: u64,
    pub total_bytes: u64,
    pub entries: u64,
    pub all_entries: u64,
    pub bytes_per_second: u64,
}

/// A device of the scenes; the number is also the end of its address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Living = 21,
    Garden = 22,
    Nas = 23,
    Anna = 24,
    Kitchen = 25,
    Office = 26,
}

pub const ROLES: [Role; 6] = [
    Role::Living,
    Role::Garden,
    Role::Nas,
    Role::Anna,
    Role::Kitchen,
    Role::Office,
];

impl Role {
    pub fn id(self) -> DeviceId {
        DeviceId([self as u8; 32])
    }

    pub fn address(self) -> SocketAddr {
        ([192, 168, 1, self as u8], 9000).into()
    }

    fn system(self) -> System {
        match self {
            Self::Living | Self::Nas => System::Linux,
            Self::Garden | Self::Kitchen => System::MacOs,
            Self::Anna | Self::Office => System::Windows,
        }
    }
}

/// Words in the window's language.
#[derive(Clone, Copy)]
pub struct Cast {
    pub chinese: bool,
}

impl Cast {
    /// The one of both that fits.
    pub fn say(&self, english: &'static str, chinese: &'static str) -> &'static str {
        if self.chinese { chinese } else { english }
    }

    /// This device.
    pub fn study(&self) -> DeviceName {
        DeviceName::cleaned(self.say("Study PC", "书房电脑"), "?")
    }

    pub fn save_folder(&self) -> PathBuf {
        PathBuf::from(self.say("/home/lin/Downloads/Ropeway", "/home/lin/下载/Ropeway"))
    }

    pub fn name(&self, role: Role) -> DeviceName {
        let name = match role {
            Role::Living => self.say("Living-room laptop", "客厅笔记本"),
            Role::Garden => self.say("Garden laptop", "花园笔记本"),
            Role::Nas => "NAS",
            Role::Anna => self.say("Anna’s PC", "小安的电脑"),
            Role::Kitchen => self.say("Kitchen Mac", "厨房 Mac"),
            Role::Office => self.say("Office workstation", "办公室工作站"),
        };
        DeviceName::cleaned(name, "?")
    }

    pub fn peer(&self, role: Role, trust: Trust) -> Peer {
        Peer {
            name: self.name(role),
            device_id: Some(role.id()),
            address: role.address().to_string(),
            trust,
        }
    }

    pub fn known(&self, role: Role, bond: Bond) -> KnownDevice {
        let days = Duration::from_secs(86_400 * u64::from(role as u8 % 20));
        KnownDevice {
            id: role.id(),
            name: self.name(role),
            label: None,
            bond,
            rule: Rule::Ask,
            address: Some(role.address().to_string()),
            met: SystemTime::now()
                .checked_sub(days)
                .unwrap_or(SystemTime::UNIX_EPOCH),
        }
    }

    pub fn nearby(&self, role: Role, receiving: bool) -> Nearby {
        Nearby {
            id: role.id(),
            name: self.name(role),
            system: role.system(),
            receiving,
            addresses: receiving.then(|| role.address()).into_iter().collect(),
        }
    }

    /// Paired: living room, NAS. Here as well: the garden's. That is whom most scenes have around.
    pub fn neighbours(&self) -> Vec<Event> {
        vec![
            Event::Devices(vec![
                self.known(Role::Living, Bond::Paired),
                self.known(Role::Nas, Bond::Paired),
            ]),
            Event::Nearby(vec![
                self.nearby(Role::Living, true),
                self.nearby(Role::Garden, true),
                self.nearby(Role::Nas, true),
            ]),
        ]
    }

    pub fn listening(&self) -> Event {
        Event::Listening(self.listens())
    }

    pub fn listens(&self) -> Listening {
        let addresses = [
            [192, 168, 1, 20].into(),
            [10, 8, 0, 6].into(),
            std::net::Ipv6Addr::new(0xfd12, 0x3456, 0, 0, 0, 0, 0, 0x20).into(),
        ];
        Listening {
            addr: (std::net::Ipv6Addr::UNSPECIFIED, 9000).into(),
            addresses: addresses.to_vec(),
            port_moved: false,
            device_id: DeviceId([20; 32]),
            name: self.study(),
            save_folder: self.save_folder(),
        }
    }

    pub fn started(&self, id: u8, direction: Direction, peer: Peer, name: &str) -> Event {
        Event::Started(Started {
            transfer: transfer(id),
            direction,
            peer,
            names: vec![name.to_owned()],
            picked: 1,
            places: match direction {
                Direction::Send => vec![self.pictures(name)],
                Direction::Receive => vec![self.save_folder()],
            },
        })
    }

    /// Where picked things are.
    pub fn pictures(&self, name: &str) -> PathBuf {
        PathBuf::from(self.say("/home/lin/Pictures", "/home/lin/图片")).join(name)
    }

    pub fn measured(&self, name: &str, is_folder: bool, entries: u64, bytes: u64) -> Event {
        Event::Measured(Measured {
            path: self.pictures(name),
            is_folder,
            entries,
            bytes,
            counting: false,
            problem: None,
        })
    }

    pub fn ended(&self, id: u8, direction: Direction, peer: Peer, status: Status) -> Summary {
        Summary {
            transfer: transfer(id),
            direction,
            peer,
            status,
            failure: None,
            entries: 307,
            bytes: 1_200_000_000,
            failed: 0,
            can_retry: false,
            skipped: 0,
            elapsed: Duration::from_secs(13),
            sent_bytes: 1_200_000_000,
        }
    }

    pub fn failed(&self, id: u8, direction: Direction, peer: Peer, why: Failure) -> Event {
        Event::Ended(Summary {
            failure: Some(why),
            bytes: 0,
            ..self.ended(id, direction, peer, Status::Failed)
        })
    }

    pub fn offer(&self, from: Peer) -> Offer {
        Offer {
            transfer: transfer(90),
            from,
            symbols: None,
            remembers: false,
            names: vec![self.say("Kitchen plans", "厨房图纸").to_owned()],
            picked: 1,
            entries: 307,
            bytes: 1_200_000_000,
            counting: false,
            folder: self.save_folder(),
            free_bytes: Some(214_000_000_000),
            on_conflict: OnConflict::default(),
            existing: None,
        }
    }
}

pub fn transfer(id: u8) -> TransferId {
    TransferId([id; 16])
}

/// The code on the screen.
pub fn code(digits: u32) -> Option<Event> {
    let fill = |bytes: &mut [u8]| {
        for (byte, value) in bytes.iter_mut().zip(digits.to_be_bytes()) {
            *byte = value;
        }
        Ok::<(), ()>(())
    };
    Code::generate(fill).ok().map(|code| Event::Code {
        code,
        valid: Duration::from_secs(600),
    })
}

pub fn progress(id: u8, done: Done) -> Event {
    let left = done.total_bytes.saturating_sub(done.bytes);
    Event::Progress(Progress {
        transfer: transfer(id),
        bytes: done.bytes,
        total_bytes: done.total_bytes,
        entries_done: done.entries,
        entries: done.all_entries,
        checked_bytes: 0,
        check_bytes: 0,
        bytes_per_second: done.bytes_per_second,
        eta: left
            .checked_div(done.bytes_per_second)
            .map(Duration::from_secs),
    })
}

/// The same after a while at that speed, give or take: as many reports as a plot shows.
pub fn on_the_way(id: u8, done: Done) -> Vec<Event> {
    const STEPS: u64 = 60;
    (0..=STEPS)
        .map(|step| {
            let back = done.bytes_per_second * (STEPS - step) / 2;
            let speed = if step == STEPS {
                done.bytes_per_second
            } else {
                wavering(done.bytes_per_second, step)
            };
            progress(
                id,
                Done {
                    bytes: done.bytes.saturating_sub(back),
                    bytes_per_second: speed,
                    ..done
                },
            )
        })
        .collect()
}

/// A speed as real ones are: it rises at first, then it is never quite the same.
pub fn wavering(bytes_per_second: u64, step: u64) -> u64 {
    let rising = (step as f64 / 8.0).min(1.0).powf(0.6);
    let at = step as f64;
    let wave = 0.06 * (at * 0.9).sin() + 0.05 * (at * 0.37).sin() + 0.03 * (at * 2.3).cos();
    (bytes_per_second as f64 * (rising - 0.08 + wave)).max(0.0) as u64
}
