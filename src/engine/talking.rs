//! A connection that carries a conversation: after the greeting two threads, one that reads and one
//! that writes, the same at both ends.
//!
//! It knows nothing of what waits to be said or was heard before; the supervisor hands it messages and
//! takes what comes. `calling` is how a client gets here, `lobby` how a server does.

mod calling;
mod lobby;
mod pace;

use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use super::failures::ending_failure;
use super::greeting::Greeted;
use super::link::{Ending, Link};
use super::meeting::Meeting;
use super::note::{Note, Notes};
use super::seats::Seat;
use super::{Shared, lock, spawn};
use crate::channel::{Channel, ReadHalf, WriteHalf};
use crate::model::{DeviceId, Failure, Peer, PeerAddress, Symbols};
use crate::protocol::message::Frame;
use crate::protocol::talking::{Place, Saying, Talking as Machine, TalkingEvent};
use crate::protocol::verification::{ConversationKey, PairKey};
use crate::protocol::{Buffers, Violation};
pub use calling::{Call, call, is_elsewhere};
pub use lobby::wants_to_talk;
use pace::Pace;

/// Frames between reading and understanding that are recycled.
const BUFFERS: usize = 4;

/// News of a conversation's connection.
pub enum TalkNote {
    /// Client: a person there is asked to let its device connect.
    Called,
    /// Client: greeted, and *talk* is said. Server: *talk* came.
    Connected(Arc<Talking>),
    /// Both ends welcome what the other says.
    Opened,
    Heard(Saying),
    Receipted(Vec<Place>),
    /// There is no connection any more, or it never came about.
    Ended(Ended),
}

#[derive(Debug)]
pub enum Ended {
    /// Politely, by either end.
    Closed,
    /// The other end has said that it takes no text; it has proven who it is.
    Unwelcome,
    Failed(Failure),
}

pub struct Talking {
    machine: Mutex<Machine>,
    link: Arc<Link>,
    pub device: DeviceId,
    pub meeting: Meeting,
    /// Both screens show them, where nothing was proven.
    pub symbols: Option<Symbols>,
    /// The place of who asked, until both people have said yes.
    seat: Mutex<Option<Seat>>,
    pub key: KeyOf,
    /// Where it was called.
    pub reached_at: Option<PeerAddress>,
    pace: Mutex<Pace>,
    notes: Notes,
}

/// What opens the conversation the next time.
pub enum KeyOf {
    /// Of this connection, once it is open.
    This(ConversationKey),
    /// The one that it was opened with now.
    Before,
    /// The pair key.
    Pair,
}

/// What was found out on the way to a connection.
struct Came {
    peer: Peer,
    symbols: Option<Symbols>,
    seat: Option<Seat>,
    key: KeyOf,
    reached_at: Option<PeerAddress>,
    remember: bool,
    /// Made of this connection, by who is client and who server in it.
    pair: PairKey,
}

impl Talking {
    /// The server's part, on the connection's thread, after *talk* was seen.
    pub fn serve(
        channel: Channel,
        link: Arc<Link>,
        peer: Peer,
        greeted: Greeted,
        shared: &Arc<Shared>,
        notes: Notes,
    ) {
        let ours = shared.identity.device_id();
        let (symbols, seat) = greeted
            .asked
            .map(|asked| (asked.symbols, asked.seat))
            .unzip();
        let key = match greeted.trust {
            _ if greeted.by_talk => KeyOf::Before,
            crate::model::Trust::Known => KeyOf::Pair,
            _ => KeyOf::This(ConversationKey::derive(
                &channel.session_secret,
                channel.peer,
                ours,
            )),
        };
        let came = Came {
            peer,
            symbols,
            seat,
            key,
            reached_at: None,
            remember: shared.remember.load(std::sync::atomic::Ordering::SeqCst),
            pair: PairKey::derive(&channel.session_secret, channel.peer, ours),
        };
        let talking = Self::new(Machine::server(), &channel, link, came, shared, notes);
        talking.run(channel.reader, channel.writer);
    }

    fn new(
        machine: Machine,
        channel: &Channel,
        link: Arc<Link>,
        came: Came,
        shared: &Arc<Shared>,
        notes: Notes,
    ) -> Arc<Self> {
        Arc::new(Self {
            machine: Mutex::new(machine),
            link,
            device: channel.peer,
            meeting: Meeting::new(
                came.peer,
                came.remember,
                came.pair,
                shared.known.clone(),
                notes.clone(),
            ),
            symbols: came.symbols,
            seat: Mutex::new(came.seat),
            key: came.key,
            reached_at: came.reached_at,
            pace: Mutex::new(Pace::new()),
            notes,
        })
    }

    /// Reads until it is over, and says how it ended.
    fn run(self: &Arc<Self>, reader: ReadHalf, writer: WriteHalf) {
        let link = &*self.link;
        let buffers = Buffers::new(BUFFERS);
        let ending = thread::scope(|scope| {
            let written = buffers.clone();
            let writing = spawn(scope, "write", link, move || {
                link.write_frames(writer, &written);
            });
            let ending = match writing {
                Ok(_) => link.read_frames(reader, buffers, |frame| self.handle(frame), |_quiet| {}),
                Err(_) => Ending::Lost,
            };
            link.outbox.abort();
            link.shutdown.shutdown();
            ending
        });
        let ended = match ending {
            Ending::Goodbye => Ended::Closed,
            other @ (Ending::Lost | Ending::Silent | Ending::Violation(_)) => {
                Ended::Failed(ending_failure(other).1)
            }
        };
        self.tell(TalkNote::Ended(ended));
    }

    /// One frame of the other end.
    fn handle(self: &Arc<Self>, frame: Frame) -> Result<(), Violation> {
        if frame == Frame::Remember {
            self.meeting.hear(&self.link.outbox);
            return Ok(());
        }
        let mut machine = self.machine();
        machine.handle_frame(frame)?;
        let mut heard = false;
        while let Some(event) = machine.poll_event() {
            match event {
                TalkingEvent::Asked => self.tell(TalkNote::Connected(self.clone())),
                TalkingEvent::Opened => self.tell(TalkNote::Opened),
                TalkingEvent::Unwelcome => {
                    self.tell(TalkNote::Ended(Ended::Unwelcome));
                    self.link.close();
                }
                TalkingEvent::Heard(saying) => {
                    heard = true;
                    self.tell(TalkNote::Heard(saying));
                }
                TalkingEvent::Receipted(places) => self.tell(TalkNote::Receipted(places)),
            }
        }
        self.pump(&mut machine);
        drop(machine);
        if heard {
            // Whoever says much is read slowly; what runs beside it is not kept up.
            lock(&self.pace).wait();
        }
        Ok(())
    }

    /// What this end takes what the other says.
    pub fn welcome(&self) {
        let mut machine = self.machine();
        machine.welcome();
        if machine.is_open() {
            self.tell(TalkNote::Opened);
            // The machine says so, too.
            machine.poll_event();
        }
        self.pump(&mut machine);
    }

    pub fn decline(&self) {
        let mut machine = self.machine();
        machine.decline();
        self.pump(&mut machine);
        drop(machine);
        self.close();
    }

    /// Both people have compared the symbols, or there was nothing to compare: who it is.
    pub fn confirmed(&self) -> Peer {
        lock(&self.seat).take();
        match self.symbols {
            Some(_) => self.meeting.confirmed(&self.link.outbox),
            None => {
                self.meeting.begin(&self.link.outbox);
                self.meeting.peer()
            }
        }
    }

    /// The person here wants to remember the other device.
    pub fn wish(&self) {
        self.meeting.wish(&self.link.outbox);
    }

    pub fn has_room(&self) -> bool {
        self.machine().has_room()
    }

    /// `false`: not now.
    pub fn say(&self, saying: Saying) -> bool {
        let mut machine = self.machine();
        let said = machine.say(saying);
        self.pump(&mut machine);
        said
    }

    /// What was heard there is kept.
    pub fn receipt(&self, place: Place) {
        let mut machine = self.machine();
        machine.receipt(place);
        self.pump(&mut machine);
    }

    /// Ends it politely.
    pub fn close(&self) {
        self.link.close();
    }

    fn tell(&self, note: TalkNote) {
        self.notes.send(Note::Talk(note));
    }

    /// What the machine has to say goes out, in its order.
    fn pump(&self, machine: &mut Machine) {
        while let Some(frame) = machine.poll_transmit() {
            self.link.outbox.control(frame.encode());
        }
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        lock(&self.machine)
    }
}
