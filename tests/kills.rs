//! Real processes that are killed at random moments until what they carry has arrived all the same.
//!
//! One seed chooses who is killed and when, by what is seen from outside: bytes on the wire, bytes
//! in staging, names in the save folder, what the processes say. `ROPEWAY_KILL_ROUNDS` is how many
//! kills there are (6), `ROPEWAY_SEED` repeats the choices of a run that failed. A long run by hand:
//!
//! ```text
//! ROPEWAY_KILL_ROUNDS=60 cargo test --locked --test kills -- --nocapture
//! ```

// Helpers of tests are tests, too; clippy only knows the functions that are marked.
#![allow(clippy::unwrap_used)]
#![cfg(unix)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use ropeway::engine::{
    AcceptPolicy, Answer, Bind, Chosen, Command as EngineCommand, Event, ListenOptions,
    SendRequest, new_transfer_id,
};
use ropeway::model::{OnConflict, Secret, TransferState};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use support::{Device, PASSPHRASE, PATIENCE, noise};

/// How much may travel a second time for each interruption, beside a hundredth of what is there.
const TWICE_BYTES: u64 = 16 << 20;

/// xorshift64*: reproducible and good enough to choose with.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        // Small seeds would begin with small numbers, and 0 would stay 0.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 20) % bound.max(1)
    }
}

/// The line between the two. It counts every byte that the sender put on it, whether or not it
/// still reached the receiver, and can be cut.
struct Wire {
    address: SocketAddr,
    seen: Arc<Seen>,
}

struct Seen {
    /// From the sender, TLS and frames included.
    bytes: AtomicU64,
    connections: AtomicU64,
    /// Where the receiver listens now.
    to: Mutex<Option<SocketAddr>>,
    /// The line breaks whenever so many bytes have passed, ascending.
    cuts: Mutex<Vec<u64>>,
    /// What the receiver says gets lost.
    mute: AtomicBool,
    lines: Mutex<Vec<TcpStream>>,
}

impl Wire {
    fn new() -> Self {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen {
            bytes: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            to: Mutex::new(None),
            cuts: Mutex::new(Vec::new()),
            mute: AtomicBool::new(false),
            lines: Mutex::new(Vec::new()),
        });
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let to = *shared.to.lock().unwrap();
                // With nobody there the sender's connection just ends.
                if let (Ok(client), Some(to)) = (client, to)
                    && let Ok(server) = TcpStream::connect(to)
                {
                    shared.connections.fetch_add(1, Ordering::SeqCst);
                    carry(&shared, client, server);
                }
            }
        });
        Self { address, seen }
    }

    fn bytes(&self) -> u64 {
        self.seen.bytes.load(Ordering::SeqCst)
    }

    /// The lines there are break now.
    fn cut(&self) {
        for line in self.seen.lines.lock().unwrap().drain(..) {
            let _ = line.shutdown(Shutdown::Both);
        }
    }

    fn lead_to(&self, to: Option<SocketAddr>) {
        *self.seen.to.lock().unwrap() = to;
    }
}

fn carry(seen: &Arc<Seen>, client: TcpStream, server: TcpStream) {
    let (seen, heard) = (Arc::clone(seen), Arc::clone(seen));
    let (mut back, mut from) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let ends = [client.try_clone().unwrap(), server.try_clone().unwrap()];
    seen.lines.lock().unwrap().extend(ends);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count @ 1..) = from.read(&mut buffer)
            && (heard.mute.load(Ordering::SeqCst) || back.write_all(&buffer[..count]).is_ok())
        {
        }
        // The sender hears of it, and what it has written until then is still counted below.
        let _ = back.shutdown(Shutdown::Write);
    });
    std::thread::spawn(move || forward(&seen, client, server));
}

fn forward(seen: &Seen, mut client: TcpStream, mut server: TcpStream) {
    let mut buffer = vec![0; 64 << 10];
    let mut broken = false;
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        let now = seen.bytes.fetch_add(count as u64, Ordering::SeqCst) + count as u64;
        let mut cuts = seen.cuts.lock().unwrap();
        let cut = cuts.first().is_some_and(|first| *first <= now);
        if cut && !broken {
            cuts.remove(0);
        }
        drop(cuts);
        if !broken && (cut || server.write_all(&buffer[..count]).is_err()) {
            broken = true;
            let _ = server.shutdown(Shutdown::Both);
            let _ = client.shutdown(Shutdown::Write);
        }
    }
    let _ = server.shutdown(Shutdown::Write);
}

/// A running `ropeway … --json` whose stderr goes to a file in its data folder.
struct Process {
    what: &'static str,
    child: Child,
    lines: Receiver<Value>,
    said: Vec<Value>,
}

impl Process {
    fn start(what: &'static str, home: &Path, arguments: &[&str], secret: Option<&str>) -> Self {
        fs::create_dir_all(home).unwrap();
        let errors = fs::File::options()
            .create(true)
            .append(true)
            .open(home.join("stderr"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_ropeway"));
        command
            .args(arguments)
            .args(["--json", "--data-dir"])
            .arg(home)
            .env_remove("ROPEWAY_CODE")
            .env("ROPEWAY_PRESENCE", "off")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors.unwrap());
        if let Some(secret) = secret {
            command.env("ROPEWAY_CODE", secret);
        }
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let mut torn = None;
            for line in out.lines() {
                let line = line.unwrap();
                assert_eq!(torn, None, "{what} says something else than JSON");
                match serde_json::from_str(&line) {
                    Ok(line) => {
                        let _ = sender.send(line);
                    }
                    // The last line of a killed process may be cut.
                    Err(_torn) => torn = Some(line),
                }
            }
        });
        Self {
            what,
            child,
            lines,
            said: Vec::new(),
        }
    }

    /// Takes note of what was said, for up to that long.
    fn listen(&mut self, patience: Duration) -> bool {
        match self.lines.recv_timeout(patience) {
            Ok(line) => {
                self.said.push(line);
                true
            }
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => {
                // It is ending; what remains is to see it end.
                std::thread::sleep(patience.min(Duration::from_millis(1)));
                false
            }
        }
    }

    fn listen_to_all(&mut self) {
        while self.listen(Duration::ZERO) {}
    }

    fn wait(&mut self, event: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if self.listen(Duration::from_millis(20))
                && let Some(line) = self.said.last()
                && line["event"] == event
            {
                return line.clone();
            }
            assert!(
                Instant::now() < deadline,
                "{}: no {event}: {:#?}",
                self.what,
                self.said
            );
        }
    }

    fn kill(&mut self) -> ExitStatus {
        let _ = self.child.kill();
        let status = self.child.wait().unwrap();
        while let Ok(line) = self.lines.recv() {
            self.said.push(line);
        }
        status
    }

    /// As with Ctrl-C, and it has to end by that.
    fn stop(mut self) -> Vec<Value> {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.said.push(line);
        }
        let status = self.child.wait().unwrap();
        assert_eq!(status.code(), Some(130), "{:#?}", self.said);
        std::mem::take(&mut self.said)
    }

    fn states(&self, state: &str) -> bool {
        self.said.iter().any(|line| line["state"] == state)
    }

    /// Those of which content was held.
    fn transfers(&self) -> BTreeSet<String> {
        let moved = self
            .said
            .iter()
            .filter(|line| line["event"] == "progress" && line["bytes"].as_u64() > Some(0));
        let transfers = moved.filter_map(|line| line["transfer"].as_str());
        transfers.map(str::to_owned).collect()
    }

    /// What it last said the receiver holds.
    fn held(&self) -> u64 {
        let told = self.said.iter().rev();
        let mut told = told.filter(|line| line["event"] == "progress");
        told.find_map(|line| line["bytes"].as_u64()).unwrap_or(0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is sent: some files of tens of MB, hundreds of small ones, empty folders, executables, each
/// with a time of its own.
fn source(folder: &Path) -> u64 {
    let long = [
        ("film.mkv", 48 << 20),
        ("exactly", 16 << 20),
        ("clip", (9 << 20) + 77),
    ];
    let mut whole = 0;
    let mut write = |path: PathBuf, seed: u64, len: usize| {
        fs::write(path, noise(seed, len)).unwrap();
        whole += len as u64;
    };
    fs::create_dir_all(folder.join("空的/even emptier")).unwrap();
    fs::create_dir_all(folder.join("notes/more/still more")).unwrap();
    for (seed, (name, len)) in (1..).zip(long) {
        write(folder.join(name), seed, len);
    }
    for n in 0..300_usize {
        let place = ["notes", "notes/more", "notes/more/still more"][n % 3];
        // From nothing to more than what travels in a batch; of one group and a little more.
        let len = match n % 50 {
            49 => (1 << 20) + n,
            48 => 1 << 20,
            _ => n * n % 70_000,
        };
        write(folder.join(place).join(format!("{n}.txt")), n as u64, len);
    }
    fs::create_dir(folder.join("locked")).unwrap();
    write(folder.join("locked/run.sh"), 7, 33);
    let run = folder.join("locked/run.sh");
    fs::set_permissions(run, fs::Permissions::from_mode(0o755)).unwrap();
    // Deepest first: making something in a folder changes its time.
    let all = walkdir::WalkDir::new(folder).contents_first(true);
    for (n, entry) in (1_u64..).zip(all) {
        let time = SystemTime::UNIX_EPOCH + Duration::new(n * 1_000_000, n as u32);
        let file = fs::File::open(entry.unwrap().path()).unwrap();
        file.set_modified(time).unwrap();
    }
    whole
}

/// All there is to an entry: content (`None` for folders), time, and whether it can be run.
type Found = (Option<blake3::Hash>, (i64, i64), bool);

fn everything(folder: &Path) -> BTreeMap<PathBuf, Found> {
    let all = walkdir::WalkDir::new(folder).into_iter();
    all.map(|entry| {
        let entry = entry.unwrap();
        let metadata = entry.metadata().unwrap();
        let content = metadata
            .is_file()
            .then(|| blake3::hash(&fs::read(entry.path()).unwrap()));
        let relative = entry.path().strip_prefix(folder).unwrap().to_owned();
        let time = (metadata.mtime(), metadata.mtime_nsec());
        let runs = metadata.is_file() && metadata.mode() & 0o100 != 0;
        (relative, (content, time, runs))
    })
    .collect()
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Victim {
    Sender,
    Receiver,
    Both,
}

/// When it happens, by what can be seen from outside.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// So many bytes have left the sender.
    Wire(u64),
    /// The sender says that so many are held.
    Held(u64),
    /// So many lie in staging.
    Staged(u64),
    /// So many files have their names.
    Named(usize),
    /// The sender or the receiver says that it is in this state.
    State(&'static str),
    /// It is let alone.
    Never,
}

/// Two devices, the line between them, and what has been done to them.
struct Story {
    folder: tempfile::TempDir,
    whole: u64,
    wire: Wire,
    sender: Process,
    receiver: Process,
    /// Everything that was said by processes that are gone.
    told: Vec<String>,
    transfers: BTreeSet<String>,
    interruptions: u64,
    /// Bytes that may have travelled twice by now.
    allowed: u64,
    /// On the wire at the interruption before.
    before: u64,
}

impl Story {
    /// With a passphrase, or with the code that the receiver shows.
    fn begin(passphrase: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let whole = source(&folder.path().join("Film night"));
        let wire = Wire::new();
        let receiver = receive(folder.path(), &wire, passphrase);
        let code = receiver.said.last().and_then(|line| line["code"].as_str());
        let sender = send(folder.path(), &wire, code.or(passphrase));
        Self {
            folder,
            whole,
            wire,
            sender,
            receiver,
            told: Vec::new(),
            transfers: BTreeSet::new(),
            interruptions: 0,
            allowed: 0,
            before: 0,
        }
    }

    fn inbox(&self) -> PathBuf {
        self.folder.path().join("inbox")
    }

    fn note(&mut self, what: String) {
        self.told.push(what);
    }

    fn choose(&self, dice: &mut Dice) -> Moment {
        let held = self.sender.held().max(self.receiver.held());
        let left = self.whole.saturating_sub(held);
        // Not too far each time, so that there is something left for the next one.
        let step = 1 + dice.below(left / 2 + 1);
        match dice.below(10) {
            0 => Moment::Wire(self.wire.bytes() + dice.below(20_000)),
            1 => Moment::Wire(self.wire.bytes() + dice.below(300_000)),
            2 | 3 => Moment::Wire(self.wire.bytes() + step),
            4 => Moment::Held(held + step),
            5 | 6 => Moment::Staged(dice.below(48 << 20)),
            7 => Moment::Named(dice.below(310) as usize),
            8 => Moment::State("checking"),
            _ => Moment::State("finishing"),
        }
    }

    fn has_come(&self, moment: Moment) -> bool {
        match moment {
            Moment::Wire(bytes) => self.wire.bytes() >= bytes,
            Moment::Held(bytes) => self.sender.held() >= bytes,
            Moment::Staged(bytes) => staged(&self.inbox()) >= bytes.max(1),
            Moment::Named(count) => named(&self.inbox()) > count,
            Moment::Never => false,
            Moment::State(state) => self.sender.states(state) || self.receiver.states(state),
        }
    }

    /// Until the moment has come (`true`) or the sender has ended before.
    fn wait(&mut self, moment: Moment) -> bool {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.sender.listen(Duration::from_millis(1));
            self.sender.listen_to_all();
            self.receiver.listen_to_all();
            if self.has_come(moment) {
                return true;
            }
            if let Some(status) = self.sender.child.try_wait().unwrap() {
                // An offer that was lost before the answer is not made again by itself.
                if status.code() == Some(5) && !self.accepted() {
                    self.send_again();
                    continue;
                }
                return false;
            }
            if let Some(status) = self.receiver.child.try_wait().unwrap() {
                self.fail(&format!("the receiver ended by itself: {status}"));
            }
            if Instant::now() > deadline {
                self.fail(&format!("nothing became of {moment:?}"));
            }
        }
    }

    /// One kill and the start after it; `false` if it had arrived before.
    fn interrupt(&mut self, dice: &mut Dice) -> bool {
        let victim = [Victim::Sender, Victim::Receiver, Victim::Both][dice.below(3) as usize];
        let moment = self.choose(dice);
        self.note(format!("{victim:?} at {moment:?}"));
        if !self.wait(moment) {
            return false;
        }
        // A little later, where the machine decides how little.
        for _ in 0..dice.below(20_000) {
            std::hint::spin_loop();
        }
        let sender_first = dice.below(2) == 0;
        let mut ended = None;
        if victim != Victim::Receiver && sender_first {
            ended = Some(self.sender.kill());
        }
        if victim != Victim::Sender {
            self.wire.lead_to(None);
            self.receiver.kill();
        }
        if victim != Victim::Receiver && !sender_first {
            ended = Some(self.sender.kill());
        }
        self.count();
        let folder = self.folder.path();
        if victim != Victim::Sender {
            let next = receive(folder, &self.wire, Some(PASSPHRASE));
            let last = std::mem::replace(&mut self.receiver, next);
            self.remember(&last);
        }
        let Some(ended) = ended else { return true };
        let over = |line: &Value| line["event"] == "transfer" && line["status"] == "arrived";
        if ended.signal().is_none() || self.sender.said.iter().any(over) {
            self.note("the sender had told of the end before it was killed".into());
            return false;
        }
        self.send_again();
        true
    }

    fn send_again(&mut self) {
        let next = send(self.folder.path(), &self.wire, Some(PASSPHRASE));
        let last = std::mem::replace(&mut self.sender, next);
        self.remember(&last);
    }

    /// The sender knows, or has known before, that it is.
    fn accepted(&mut self) -> bool {
        self.sender.listen_to_all();
        self.sender.states("running") || !self.transfers.is_empty()
    }

    /// What this interruption allows to travel again: no more than came since the one before.
    fn count(&mut self) {
        let held = self.sender.held().max(self.receiver.held());
        let now = self.wire.bytes();
        let since = now - self.before;
        self.before = now;
        self.interruptions += 1;
        self.allowed += (TWICE_BYTES + held / 100).min(since);
        self.note(format!("then {now} bytes had left, {held} were held"));
    }

    fn remember(&mut self, process: &Process) {
        self.transfers.extend(process.transfers());
        let ends = process.said.iter().rev().take(6).rev();
        let lines: Vec<_> = ends.map(Value::to_string).collect();
        self.note(format!("{} said: … {}", process.what, lines.join(" ")));
    }

    /// Lets it arrive, and looks at everything.
    fn end(mut self) -> Ended {
        assert!(!self.wait(Moment::Never));
        let status = self.sender.kill();
        if status.code() != Some(0) && status.signal().is_none() {
            self.fail(&format!("the sender ended with {status}"));
        }
        // A receiver that was killed when the sender had heard the end, and not the other way round,
        // keeps its journal for a week: the sender might not have heard it.
        let unheard = |story: &Self| {
            let heard = story
                .receiver
                .said
                .iter()
                .any(|line| line["event"] == "state");
            !heard && staged(&story.inbox()) == 0
        };
        let deadline = Instant::now() + PATIENCE;
        let kept = [
            self.inbox().join(".ropeway"),
            self.folder.path().join("garden/transfers"),
        ];
        for place in kept {
            while !names(&place).is_empty() && !unheard(&self) {
                self.receiver.listen(Duration::from_millis(5));
                if Instant::now() > deadline {
                    let kept = names(&place);
                    self.fail(&format!("is left in {}: {kept:?}", place.display()));
                }
            }
        }
        let (sent, arrived) = (
            everything(&self.folder.path().join("Film night")),
            everything(&self.inbox().join("Film night")),
        );
        if sent != arrived {
            let differs = sent.iter().filter(|one| arrived.get(one.0) != Some(one.1));
            let differs: Vec<_> = differs.map(|one| (one, arrived.get(one.0))).collect();
            let more = arrived.keys().filter(|path| !sent.contains_key(*path));
            let more: Vec<_> = more.collect();
            self.fail(&format!("differs: {differs:#?}; too much: {more:?}"));
        }
        let top = names(&self.inbox());
        let twins: Vec<_> = top.iter().filter(|name| *name != ".ropeway").collect();
        assert_eq!(twins, ["Film night"]);
        let wire = self.wire.bytes();
        let twice = wire.saturating_sub(self.whole);
        // TLS takes 22 bytes in 16 KiB, and each connection its greeting and the list of entries.
        let connections = self.wire.seen.connections.load(Ordering::SeqCst);
        let overhead = wire / 500 + connections * (100 << 10);
        if twice > self.allowed + overhead {
            let (allowed, overhead) = (self.allowed, overhead);
            self.fail(&format!(
                "{twice} bytes came twice, {allowed} + {overhead} may"
            ));
        }
        let kept = names(&self.folder.path().join("study/transfers"));
        if !kept.is_empty() && status.signal().is_none() {
            self.fail(&format!("the sender keeps {kept:?}"));
        }
        self.transfers.extend(self.sender.transfers());
        self.transfers.extend(self.receiver.transfers());
        if self.transfers.len() != 1 {
            self.fail("it did not go on, it began anew");
        }
        Ended {
            interruptions: self.interruptions,
            whole: self.whole,
            connections,
            wire,
            twice,
            allowed: self.allowed,
            sender: std::mem::take(&mut self.sender.said),
            receiver: self.receiver.stop(),
        }
    }

    fn fail(&mut self, why: &str) -> ! {
        for process in [&mut self.sender, &mut self.receiver] {
            process.kill();
        }
        for process in [&self.sender, &self.receiver] {
            let last = process.said.iter().rev().take(8).rev();
            let last: Vec<_> = last.map(Value::to_string).collect();
            self.told
                .push(format!("{} said: … {}", process.what, last.join("\n  ")));
        }
        for device in ["study", "garden"] {
            let home = self.folder.path().join(device);
            let errors = fs::read_to_string(home.join("stderr")).unwrap_or_default();
            self.told.push(format!("{device} complained: {errors}"));
        }
        let (transfers, told) = (&self.transfers, self.told.join("\n"));
        panic!("{why}\n{told}\n{transfers:?}");
    }
}

struct Ended {
    interruptions: u64,
    whole: u64,
    connections: u64,
    wire: u64,
    twice: u64,
    allowed: u64,
    /// What the last processes said.
    sender: Vec<Value>,
    receiver: Vec<Value>,
}

impl Ended {
    fn summary(&self) -> String {
        let Self {
            interruptions,
            whole,
            connections,
            wire,
            twice,
            allowed,
            ..
        } = self;
        format!(
            "{interruptions} interruptions, {connections} connections: for {whole} bytes {wire} were sent, \
             {twice} too many ({allowed} allowed)"
        )
    }
}

fn receive(folder: &Path, wire: &Wire, secret: Option<&str>) -> Process {
    let inbox = folder.join("inbox");
    let dir = inbox.to_str().unwrap();
    let arguments = [
        "receive",
        "--listen",
        "127.0.0.1:0",
        "--accept",
        "all",
        "--dir",
        dir,
    ];
    let mut receiver = Process::start("receiver", &folder.join("garden"), &arguments, secret);
    let port = receiver.wait("listening")["port"].as_u64().unwrap();
    let port = u16::try_from(port).unwrap();
    wire.lead_to(Some(SocketAddr::from(([127, 0, 0, 1], port))));
    receiver
}

fn send(folder: &Path, wire: &Wire, secret: Option<&str>) -> Process {
    let (what, to) = (folder.join("Film night"), wire.address.to_string());
    let arguments = ["send", what.to_str().unwrap(), "--to", &to];
    Process::start("sender", &folder.join("study"), &arguments, secret)
}

/// What is in a folder, nothing if there is none.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    names.collect()
}

/// Bytes in all parts. What disappears while it looks is not counted.
fn staged(inbox: &Path) -> u64 {
    let files = walkdir::WalkDir::new(inbox.join(".ropeway")).into_iter();
    let parts = files.flatten().filter(|entry| {
        let path = entry.path();
        path.extension().is_some_and(|kind| kind == "part")
    });
    let sizes = parts.filter_map(|part| part.metadata().ok());
    sizes.map(|metadata| metadata.len()).sum()
}

/// How many files have their names.
fn named(inbox: &Path) -> usize {
    let files = walkdir::WalkDir::new(inbox.join("Film night")).into_iter();
    let files = files.flatten().filter(|entry| entry.file_type().is_file());
    files.count()
}

fn number_from(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("a number in the environment"))
}

fn seed() -> u64 {
    let since_1970 = SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let seed = number_from("ROPEWAY_SEED").unwrap_or(since_1970.subsec_nanos().into());
    eprintln!("ROPEWAY_SEED={seed}");
    seed
}

#[test]
fn whoever_is_killed_whenever_everything_arrives_and_little_travels_twice() {
    let rounds = number_from("ROPEWAY_KILL_ROUNDS").unwrap_or(6);
    let mut dice = Dice::new(seed());
    let mut done = 0;
    while done < rounds {
        let mut story = Story::begin(Some(PASSPHRASE));
        let at_most = done + 3 + dice.below(6);
        while done < at_most.min(rounds) && story.interrupt(&mut dice) {
            done += 1;
        }
        let ended = story.end();
        eprintln!("{}", ended.summary());
        // One that ended before it could be interrupted counts, so that this ends.
        done += u64::from(ended.interruptions == 0);
    }
}

#[test]
fn a_line_that_breaks_again_and_again_takes_one_code_and_one_answer() {
    const CUTS: u64 = 5;
    let mut dice = Dice::new(seed());
    let mut story = Story::begin(None);
    // Sooner than the sender is verified, and wherever else it happens.
    let mut at = 0;
    for n in 0..CUTS {
        let before = at;
        at += match n {
            1 => dice.below(8_000),
            _ => (1 << 20) + dice.below(20 << 20),
        };
        story.wire.seen.cuts.lock().unwrap().push(at);
        story.allowed += (TWICE_BYTES + at / 100).min(at - before);
    }
    story.interruptions = CUTS;
    let wire = Arc::clone(&story.wire.seen);
    let ended = story.end();
    eprintln!("{}", ended.summary());
    assert_eq!(*wire.cuts.lock().unwrap(), [] as [u64; 0], "all were cut");
    assert!(ended.connections > CUTS, "{}", ended.connections);
    let count = |said: &[Value], event: &str| {
        let said = said.iter().filter(|line| line["event"] == event);
        said.count()
    };
    // The code was used up by the first connection, and the next one by nobody.
    assert_eq!(count(&ended.receiver, "code"), 1);
    assert_eq!(count(&ended.receiver, "offer"), 1);
    for said in [&ended.sender, &ended.receiver] {
        assert_eq!(count(said, "transfer"), 1);
        assert!(said.iter().any(|line| line["state"] == "interrupted"));
    }
}

/// A receiver whose person has said yes while nothing that it says reaches the sender any more, and
/// the transfer.
fn accepted_unheard(garden: &mut Device, wire: &Wire) -> String {
    let offer = garden.offer();
    wire.seen.mute.store(true, Ordering::SeqCst);
    let yes = Answer::Accept {
        folder: None,
        on_conflict: None,
        remember: false,
    };
    let id = offer.transfer;
    garden.engine.command(EngineCommand::Answer(id, yes));
    let record = format!("data/transfers/{id}.json");
    let deadline = Instant::now() + PATIENCE;
    while !garden.home.path().join(&record).exists() {
        assert!(Instant::now() < deadline, "nothing was accepted");
        std::thread::sleep(Duration::from_millis(5));
    }
    id.to_string()
}

/// It came once, as one transfer that one person was asked about once, and nothing is left over.
fn came_once(garden: &mut Device, source: &Path, transfer: &str) {
    assert_eq!(garden.arrived().transfer.to_string(), transfer);
    garden.safe();
    let arrived = everything(&garden.inbox().join("Film night"));
    assert_eq!(everything(source), arrived);
    let offers = garden.said.iter().filter_map(|event| match event {
        Event::Offer(offer) => Some(offer.transfer.to_string()),
        _ => None,
    });
    assert_eq!(offers.collect::<BTreeSet<_>>().len(), 1);
    let deadline = Instant::now() + PATIENCE;
    for place in [
        garden.inbox().join(".ropeway"),
        garden.home.path().join("data/transfers"),
    ] {
        while !names(&place).is_empty() {
            assert!(Instant::now() < deadline, "left: {:?}", names(&place));
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn a_sender_killed_before_it_hears_the_yes_goes_on_without_a_code_or_a_question() {
    let folder = tempfile::tempdir().unwrap();
    let film = folder.path().join("Film night");
    source(&film);
    let wire = Wire::new();
    let mut garden = Device::new("Garden");
    let addr = garden.listen(AcceptPolicy::Ask, None);
    let code = garden.code();
    wire.lead_to(Some(addr));
    let mut sender = send(folder.path(), &wire, Some(&code));
    let transfer = accepted_unheard(&mut garden, &wire);
    sender.kill();
    assert!(!sender.states("running"), "{:?}", sender.said);
    wire.seen.mute.store(false, Ordering::SeqCst);
    let mut sender = send(folder.path(), &wire, None);
    let ended = sender.wait("transfer");
    assert_eq!(ended["status"], "arrived", "{ended}");
    came_once(&mut garden, &film, &transfer);
    assert!(sender.child.wait().unwrap().success());
    assert_eq!(names(&folder.path().join("study/transfers")), [""; 0]);
}

#[test]
fn an_offer_that_was_killed_and_never_accepted_is_made_anew_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    source(&folder.path().join("Film night"));
    let wire = Wire::new();
    let mut garden = Device::new("Garden");
    let addr = garden.listen(AcceptPolicy::Ask, Some(PASSPHRASE));
    wire.lead_to(Some(addr));
    let mut sender = send(folder.path(), &wire, Some(PASSPHRASE));
    let first = garden.offer().transfer;
    sender.kill();
    garden.ended();
    let mut sender = send(folder.path(), &wire, Some(PASSPHRASE));
    let second = garden.offer().transfer;
    assert_ne!(first, second);
    let answer = EngineCommand::Answer(second, Answer::Decline);
    garden.engine.command(answer);
    assert_eq!(sender.wait("transfer")["status"], "declined");
    assert_eq!(sender.child.wait().unwrap().code(), Some(3));
    assert_eq!(names(&folder.path().join("study/transfers")), [""; 0]);
    let errors = fs::read_to_string(folder.path().join("study/stderr")).unwrap();
    assert!(!errors.contains("sent anew"), "{errors}");
}

#[test]
fn a_yes_that_is_lost_with_the_line_is_found_when_the_same_is_sent_again() {
    for known_there in [true, false] {
        let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
        let film = study.home.path().join("Film night");
        source(&film);
        let wire = Wire::new();
        let addr = garden.listen(AcceptPolicy::Ask, Some(PASSPHRASE));
        wire.lead_to(Some(addr));
        let first = study.send(&[&film], wire.address, PASSPHRASE);
        let accepted = accepted_unheard(&mut garden, &wire);
        assert_eq!(accepted, first.to_string());
        wire.cut();
        let ended = study.ended();
        assert_eq!(ended.transfer, first, "{ended:?}");
        wire.seen.mute.store(false, Ordering::SeqCst);
        if !known_there {
            garden.engine.command(EngineCommand::Forget(first));
            garden.ended();
        }
        let second = study.send(&[&film], wire.address, PASSPHRASE);
        if known_there {
            came_once(&mut garden, &film, &accepted);
            assert_eq!(study.arrived().transfer, first);
        } else {
            // There it is an offer like any other, and here it has the id that was asked for.
            assert_eq!(garden.offer().transfer, second);
        }
    }
}

/// What the process of the test below does: it waits for its device, and whatever an earlier one left
/// of that goes on.
const WAITER: &str = "ROPEWAY_WAITER";

#[test]
fn the_process_that_waits_when_the_test_below_asks_for_it() {
    let Ok(asked) = std::env::var(WAITER) else {
        return;
    };
    let asked: Value = serde_json::from_str(&asked).unwrap();
    let text = |field: &str| asked[field].as_str();
    let config = ropeway::engine::Config {
        data_dir: text("data").unwrap().into(),
        name: ropeway::model::DeviceName::cleaned("Study", "device"),
    };
    let (engine, events) = ropeway::engine::Engine::start(config, || {}).unwrap();
    match text("file") {
        Some(file) => engine.command(EngineCommand::Send(SendRequest {
            transfer: new_transfer_id(),
            sources: vec![file.into()],
            to: text("to").unwrap().parse().unwrap(),
            device: Some(Chosen {
                id: text("device").unwrap().parse().unwrap(),
                name: None,
            }),
            secret: None,
            ask: false,
            remember: false,
            wait_for_it: true,
        })),
        None => engine.command(EngineCommand::TakeUpWaiting),
    }
    for event in events {
        match event {
            Event::Kept(all) => all
                .iter()
                .for_each(|kept| engine.command(EngineCommand::Resume(kept.transfer))),
            // There is no discovery here that would say so.
            Event::State(id, TransferState::Away | TransferState::Interrupted)
                if text("file").is_none() =>
            {
                engine.command(EngineCommand::Resume(id));
            }
            Event::State(_, TransferState::Away) => println!("{{\"event\":\"away\"}}"),
            _ => {}
        }
    }
}

fn waiter(asked: &Value) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "the_process_that_waits_when_the_test_below_asks_for_it",
        ])
        .arg("--nocapture")
        .env(WAITER, asked.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Two devices that remember each other.
fn paired() -> (Device, Device, String) {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    garden.engine.command(EngineCommand::Listen(ListenOptions {
        allow: ropeway::model::Allow::Code,
        remember: true,
        bind: Bind::Exact("127.0.0.1:0".parse().unwrap()),
        save_folder: garden.home.path().join("before"),
        passphrase: Some(Secret::passphrase(PASSPHRASE).unwrap()),
        accept: AcceptPolicy::All,
        on_conflict: OnConflict::default(),
        once: false,
    }));
    let file = study.home.path().join("hello");
    fs::write(&file, "hello").unwrap();
    study.engine.command(EngineCommand::Send(SendRequest {
        transfer: new_transfer_id(),
        sources: vec![file],
        to: garden.wait_listening().to_string().parse().unwrap(),
        device: None,
        secret: Some(Secret::new(PASSPHRASE).unwrap()),
        ask: false,
        remember: true,
        wait_for_it: false,
    }));
    let mut id = String::new();
    for device in [&mut garden, &mut study] {
        id = device.wait("Paired", |event| match event {
            Event::Paired(peer) => peer.device_id.map(|id| id.to_string()),
            _ => None,
        });
    }
    for device in [&mut garden, &mut study] {
        device.safe();
    }
    (garden, study, id)
}

#[test]
fn a_send_that_waits_is_neither_lost_nor_doubled_whenever_its_process_is_killed() {
    const BYTES: usize = 3_000_000;
    let (garden, study, id) = paired();
    // Nobody listens there any more, and the wire does soon.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = nobody.local_addr().unwrap();
    drop(nobody);
    let file = study.home.path().join("film");
    fs::write(&file, noise(1, BYTES)).unwrap();
    let mut garden = garden.again("Garden");
    let Device { engine, home, .. } = study;
    drop(engine);
    let data = home.path().join("data");
    let mut asked = serde_json::json!({
        "data": data, "file": file, "device": id, "to": to.to_string(),
    });
    let mut process = waiter(&asked);
    let mut said = BufReader::new(process.stdout.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().contains("away")));
    process.kill().unwrap();
    process.wait().unwrap();
    asked["file"] = Value::Null;

    let wire = Wire::at(to);
    let at = garden.listen(AcceptPolicy::All, Some(PASSPHRASE));
    wire.lead_to(Some(at));
    let seed = seed();
    let mut dice = Dice::new(seed);
    let kills = number_from("ROPEWAY_KILL_ROUNDS").unwrap_or(6);
    let deadline = Instant::now() + PATIENCE;
    let left = || names(&data.join("waiting")).len() + names(&data.join("transfers")).len();
    for round in 0.. {
        let mut process = waiter(&asked);
        // The greeting, the offer, the content; in the end it is let live.
        let reach = [1_000, 4_000, 6_000, BYTES as u64][dice.below(4) as usize];
        let until = wire.bytes() + dice.below(reach);
        let lives = round >= kills;
        while (lives || wire.bytes() < until) && left() > 0 {
            assert!(Instant::now() < deadline, "seed {seed}, round {round}");
            std::thread::sleep(Duration::from_millis(1));
        }
        process.kill().unwrap();
        process.wait().unwrap();
        if left() == 0 {
            break;
        }
    }
    garden.safe();
    let started = garden.said.iter().filter_map(|event| match event {
        Event::Started(started) => Some(started.transfer),
        _ => None,
    });
    let started: BTreeSet<_> = started.collect();
    assert_eq!(started.len(), 1, "seed {seed}: it is one and the same");
    let inbox = garden.inbox();
    // Who was killed before its goodbye may come back; until then there is something to tell it.
    let mut there = names(&inbox);
    there.retain(|name| name != ".ropeway");
    assert_eq!(there, ["film"], "seed {seed}");
    assert!(fs::read(inbox.join("film")).unwrap() == noise(1, BYTES));
}
