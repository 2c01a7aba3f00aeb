//! Defects of ours, which no peer can bring about: they are planted.

mod asking;
mod attached;
mod away;
mod nearby;
mod talks;
mod unheard;
mod waiting;

use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::Receiver;

use super::*;
use crate::model::{Allow, Secret, Status};

/// A client of this name meets a defect as soon as it is let in.
pub(super) const DEFECT: &str = "Defect";

/// A sender of this name takes every path for a long one.
pub(super) const FAR: &str = "Far";

const PATIENCE: Duration = Duration::from_secs(30);
const PASSPHRASE: &str = "correct horse battery";

struct Device {
    engine: Engine,
    events: Receiver<Event>,
    home: tempfile::TempDir,
}

fn device(name: &str) -> Device {
    let home = tempfile::tempdir().unwrap();
    let config = Config {
        data_dir: home.path().join("data"),
        name: DeviceName::cleaned(name, "device"),
    };
    let (engine, events) = Engine::start(config, || {}).unwrap();
    Device {
        engine,
        events,
        home,
    }
}

impl Device {
    fn wait<T>(&self, wanted: impl Fn(Event) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if let Some(found) = wanted(self.events.recv_timeout(left).unwrap()) {
                return found;
            }
        }
    }

    fn send(&self, to: SocketAddr) {
        let file = self.home.path().join("a.txt");
        std::fs::write(&file, "hello").unwrap();
        self.engine.command(Command::Send(SendRequest {
            transfer: new_transfer_id(),
            sources: vec![file],
            to: to.to_string().parse().unwrap(),
            device: None,
            secret: Some(Secret::new(PASSPHRASE).unwrap()),
            ask: false,
            remember: false,
            wait_for_it: false,
        }));
    }

    fn ended(&self) -> Status {
        self.wait(|event| match event {
            Event::Ended(summary) => Some(summary.status),
            _ => None,
        })
    }
}

#[test]
fn a_defect_in_one_connection_leaves_the_others_alone() {
    let (garden, study, defect) = (device("Garden"), device("Study"), device(DEFECT));
    garden.engine.command(Command::Listen(ListenOptions {
        bind: Bind::Exact("127.0.0.1:0".parse().unwrap()),
        save_folder: garden.home.path().join("inbox"),
        passphrase: Some(Secret::passphrase(PASSPHRASE).unwrap()),
        allow: Allow::Code,
        accept: AcceptPolicy::Ask,
        remember: false,
        on_conflict: OnConflict::default(),
        once: false,
    }));
    let to = garden.wait(|event| match event {
        Event::Listening(listening) => Some(listening.addr),
        _ => None,
    });
    study.send(to);
    let offered = garden.wait(|event| match event {
        Event::Offer(offer) if !offer.counting => Some(offer.transfer),
        _ => None,
    });
    defect.send(to);
    assert_ne!(defect.ended(), Status::Arrived);
    // The one who met it is gone from the list, the other one is served.
    garden.wait(|event| match event {
        Event::Clients(clients) => (clients.len() == 1).then_some(()),
        _ => None,
    });
    let answer = Answer::Accept {
        folder: None,
        on_conflict: None,
        remember: false,
    };
    garden.engine.command(Command::Answer(offered, answer));
    assert_eq!(study.ended(), Status::Arrived);
    assert_eq!(garden.ended(), Status::Arrived);
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        lock(&self.0).extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_defect_of_the_supervisor_is_in_the_log_when_the_engine_has_ended() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        drop(device("Study"));
        assert!(!String::from_utf8_lossy(&lock(&log.0)).contains("defect"));
        let study = device("Study");
        study.engine.inputs.send(Input::Defect).unwrap();
        drop(study);
    });
    let said = String::from_utf8_lossy(&lock(&log.0)).into_owned();
    assert!(said.contains("the supervisor ended by a defect"), "{said}");
}

#[test]
fn a_defect_in_one_thread_of_a_connection_ends_the_others() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let there = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (here, _) = listener.accept().unwrap();
    let deadline = Instant::now() + PATIENCE;
    let identity = Identity::generate().unwrap();
    let other = Identity::generate().unwrap();
    let client = thread::spawn(move || Channel::connect(there, &other, deadline).unwrap());
    let channel = Channel::accept(here, &identity, deadline).unwrap();
    let _open = client.join().unwrap();
    let link = Link::new(channel.shutdown_handle().unwrap(), wire::Trace::default());
    let mut reader = channel.reader;
    thread::scope(|scope| {
        let producer = scope.spawn(|| while link.outbox.bulk(vec![0]) {});
        let reading = scope.spawn(move || reader.read(|_piece| {}).is_err());
        let defect = spawn(scope, "defect", &link, || panic!("planted")).unwrap();
        assert!(defect.join().is_err());
        producer.join().unwrap();
        assert!(reading.join().unwrap());
    });
    assert!(matches!(link.outbox.next(), outbox::Next::Abort));
}
