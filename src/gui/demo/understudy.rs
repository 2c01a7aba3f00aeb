//! Stands in for the engine: the answers a person would see at once, so that a demo can be clicked.

use std::time::Duration;

use super::cast::{Cast, Done, ROLES, code, on_the_way};
use crate::engine::{Answer, Command, Event, Found, Looked, Measured, Started};
use crate::model::{
    Direction, Hold, Holds, Party, Peer, PeerAddress, Progress, Status, Summary, TransferId,
    TransferState, Trust, Way,
};

pub struct Understudy {
    cast: Cast,
    codes: u32,
}

impl Understudy {
    pub fn new(cast: Cast) -> Self {
        Self { cast, codes: 0 }
    }

    /// What follows a command. Much is just done and said by nobody.
    pub fn answer(&mut self, command: Command) -> Vec<Event> {
        match command {
            Command::Listen(_) => {
                let mut events = vec![self.cast.listening()];
                events.extend(code(427_913));
                events
            }
            Command::StopListening(_) => vec![Event::ListenStopped],
            Command::NewCode => {
                self.codes += 1;
                let digits = 427_913_u32.wrapping_add(self.codes.wrapping_mul(104_729)) % 1_000_000;
                code(digits).into_iter().collect()
            }
            Command::Measure(path) => vec![Event::Measured(Measured {
                path,
                is_folder: false,
                entries: 1,
                bytes: 2_100_000,
                counting: false,
                problem: None,
            })],
            Command::MeasureRoom(folder) => vec![Event::Room {
                folder,
                free_bytes: Some(214_000_000_000),
            }],
            Command::LookAt(at) => vec![self.look(at)],
            Command::Send(request) => {
                let names = request.sources.iter().filter_map(|path| path.file_name());
                let names = names
                    .map(|name| name.to_string_lossy().into_owned())
                    .collect();
                vec![
                    Event::Started(Started {
                        transfer: request.transfer,
                        direction: Direction::Send,
                        peer: self.peer_at(&request.to),
                        picked: request.sources.len() as u64,
                        names,
                        places: request.sources,
                    }),
                    Event::State(request.transfer, TransferState::Waiting),
                ]
            }
            Command::Answer(id, Answer::Accept { .. }) => self.receive(id),
            Command::Pause(id) => vec![Event::Held(
                id,
                Holds {
                    here: Some(Hold::Person),
                    there: None,
                },
            )],
            Command::Resume(id) => vec![
                Event::Held(id, Holds::default()),
                Event::State(id, TransferState::Running),
            ],
            Command::Cancel(id) => vec![self.cancelled(id)],
            _nothing_follows => Vec::new(),
        }
    }

    fn look(&self, at: PeerAddress) -> Event {
        let peer = self.peer_at(&at);
        Event::Looked(Looked {
            found: Ok(Found {
                id: peer.device_id.unwrap_or(crate::model::DeviceId([99; 32])),
                name: peer.name,
                ways: vec![Way::Code, Way::Ask],
                paired: false,
            }),
            at,
        })
    }

    fn peer_at(&self, at: &PeerAddress) -> Peer {
        let address = at.to_string();
        let role = ROLES
            .iter()
            .find(|role| at.device == Some(role.id()) || role.address().to_string() == address);
        let mut peer = self
            .cast
            .peer(role.copied().unwrap_or(ROLES[1]), Trust::Verified);
        if role.is_none() {
            peer.device_id = None;
            peer.address = address;
        }
        peer
    }

    fn receive(&self, id: TransferId) -> Vec<Event> {
        let peer = self.cast.peer(ROLES[1], Trust::Verified);
        let started = Started {
            transfer: id,
            direction: Direction::Receive,
            peer,
            names: vec![self.cast.say("Kitchen plans", "厨房图纸").to_owned()],
            picked: 1,
            places: vec![self.cast.save_folder()],
        };
        let done = Done {
            bytes: 600_000_000,
            total_bytes: 1_200_000_000,
            entries: 120,
            all_entries: 307,
            bytes_per_second: 88_000_000,
        };
        let mut events = vec![
            Event::Started(started),
            Event::State(id, TransferState::Running),
        ];
        events.extend(on_the_way(0, done).into_iter().map(|event| match event {
            Event::Progress(progress) => Event::Progress(Progress {
                transfer: id,
                ..progress
            }),
            other => other,
        }));
        events
    }

    fn cancelled(&self, transfer: TransferId) -> Event {
        Event::Ended(Summary {
            transfer,
            direction: Direction::Send,
            peer: self.cast.peer(ROLES[0], Trust::Known),
            status: Status::Cancelled(Party::Us),
            failure: None,
            entries: 1,
            bytes: 0,
            failed: 0,
            can_retry: false,
            skipped: 0,
            elapsed: Duration::from_secs(1),
            sent_bytes: 0,
        })
    }
}
