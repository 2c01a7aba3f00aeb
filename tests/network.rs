//! Devices on real networks, made of namespaces and bridges: who finds whom, and what goes on when an
//! address changes.

// Helpers of tests are tests, too; clippy only knows the functions that are marked.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

#[path = "support/network.rs"]
mod network;
mod support;

use std::fs;
use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use network::{Host, Lab};
use rustix::process::Signal;
use serde_json::Value;
use support::PASSPHRASE;
use support::program::{Running, outcome};

/// The promise: who starts appears, and who quits is gone.
const SOON: Duration = Duration::from_secs(2);
/// And who vanishes is gone by then; a second for the words to get here.
const VANISHED: Duration = Duration::from_secs(16);

/// A stock firewall: nothing comes in but answers and mDNS.
const ONLY_MDNS: &str = "
table inet filter {
  chain input {
    type filter hook input priority 0; policy drop;
    iif lo accept
    ct state established,related accept
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    udp dport 5353 accept
  }
}";

/// A switch or an access point that does not carry multicast.
const NO_MULTICAST: &str = "
table inet filter {
  chain input {
    type filter hook input priority 0; policy accept;
    ip daddr 224.0.0.0/4 drop
    ip6 daddr ff00::/8 meta l4proto udp drop
  }
  chain output {
    type filter hook output priority 0; policy accept;
    ip daddr 224.0.0.0/4 drop
    ip6 daddr ff00::/8 meta l4proto udp drop
  }
}";

/// A device: its host, its data, and the name it goes by.
struct Device {
    host: Host,
    home: tempfile::TempDir,
}

impl Device {
    fn new(host: &Host, name: &str) -> Self {
        Self::with(host, name, "")
    }

    fn with(host: &Host, name: &str, settings: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let text = format!(r#"{{"version": 1, "name": "{name}"{settings}}}"#);
        fs::write(home.path().join("settings.json"), text).unwrap();
        Self {
            host: host.clone(),
            home,
        }
    }

    fn receive(&self, more: &[&str]) -> Running {
        let inbox = self.home.path().join("inbox");
        let inbox = inbox.to_str().unwrap();
        let usual = ["receive", "--json", "--accept", "all", "--dir", inbox];
        let mut command = self
            .host
            .ropeway(self.home.path(), &[&usual, more].concat());
        command.env("ROPEWAY_CODE", PASSPHRASE);
        let mut running = Running::start(command);
        running.wait("listening");
        running
    }

    fn discover(&self) -> Running {
        let arguments = ["discover", "--seconds", "600", "--json"];
        Running::start(self.host.ropeway(self.home.path(), &arguments))
    }

    fn send(&self, file: &str, to: &str) -> std::process::Command {
        let path = self.home.path().join(file);
        let arguments = ["send", path.to_str().unwrap(), "--to", to, "--json"];
        let mut command = self.host.ropeway(self.home.path(), &arguments);
        command.env("ROPEWAY_CODE", PASSPHRASE);
        command
    }
}

impl Device {
    fn message(&self, text: &str, to: &str) -> std::process::Command {
        let arguments = ["message", text, "--to", to, "--json"];
        let mut command = self.host.ropeway(self.home.path(), &arguments);
        command.env("ROPEWAY_CODE", PASSPHRASE);
        command
    }
}

fn appears(discovering: &mut Running, name: &str) -> Value {
    discovering.wait_for(name, |line| line["event"] == "peer" && line["name"] == name)
}

fn leaves(discovering: &mut Running, name: &str) {
    discovering.wait_for("its leaving", |line| {
        line["event"] == "gone" && line["name"] == name
    });
}

/// Everything heard of, by name.
fn names(discovering: &Running) -> Vec<&str> {
    let mut names: Vec<_> = discovering
        .all("peer")
        .iter()
        .filter_map(|line| line["name"].as_str())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[test]
fn devices_find_each_other_at_once_on_every_network_and_leave_as_fast() {
    let Some(mut lab) = Lab::new(2) else { return };
    let (study, garden, attic, cellar) = (
        lab.host("study"),
        lab.host("garden"),
        lab.host("attic"),
        lab.host("cellar"),
    );
    lab.plug(&study, "eth0", 0, "10.77.0.1/24");
    lab.plug(&garden, "eth0", 0, "10.77.0.2/24");
    // It is in both networks, and so is the garden.
    lab.plug(&attic, "eth0", 0, "10.77.0.3/24");
    lab.plug(&attic, "eth1", 1, "10.78.0.3/24");
    lab.plug(&garden, "eth1", 1, "10.78.0.2/24");
    lab.plug(&cellar, "eth0", 1, "10.78.0.4/24");
    let mut from_study = Device::new(&study, "Study").discover();
    let mut from_attic = Device::new(&attic, "Attic").discover();
    let mut from_cellar = Device::new(&cellar, "Cellar").discover();
    let device = Device::new(&garden, "Garden");
    let mut receiving = device.receive(&[]);
    let started = Instant::now();
    for discovering in [&mut from_study, &mut from_attic, &mut from_cellar] {
        let peer = appears(discovering, "Garden");
        assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
        assert_eq!(
            (&peer["port"], &peer["receiving"]),
            (&9000.into(), &true.into())
        );
    }
    // One device, reached over both.
    let both = |line: &Value| {
        let addresses = line["addresses"].to_string();
        addresses.contains("10.77.0.2:9000") && addresses.contains("10.78.0.2:9000")
    };
    if !from_attic.said.iter().any(both) {
        from_attic.wait_for("both addresses", both);
    }
    assert_eq!(names(&from_attic), ["Garden"]);
    receiving.signal(Signal::INT);
    let quit = Instant::now();
    for discovering in [&mut from_study, &mut from_attic, &mut from_cellar] {
        leaves(discovering, "Garden");
    }
    assert!(quit.elapsed() < SOON, "{:?}", quit.elapsed());
    receiving.end();
    // Hidden ones are not found; that others are is the sign that there was time for it.
    let _hidden = device.receive(&["--hidden"]);
    let _visible = Device::new(&attic, "Visible").receive(&[]);
    appears(&mut from_study, "Visible");
    assert_eq!(names(&from_study), ["Garden", "Visible"]);
}

#[test]
fn who_vanishes_is_gone_after_a_while_and_others_stay() {
    let Some(mut lab) = Lab::new(1) else { return };
    let (study, garden, attic) = (lab.host("study"), lab.host("garden"), lab.host("attic"));
    lab.plug(&study, "eth0", 0, "10.77.0.1/24");
    lab.plug(&garden, "eth0", 0, "10.77.0.2/24");
    lab.plug(&attic, "eth0", 0, "10.77.0.3/24");
    let mut discovering = Device::new(&study, "Study").discover();
    let _attic = Device::new(&attic, "Attic").receive(&[]);
    let garden = Device::new(&garden, "Garden");
    let receiving = garden.receive(&[]);
    appears(&mut discovering, "Garden");
    receiving.signal(Signal::KILL);
    let killed = Instant::now();
    leaves(&mut discovering, "Garden");
    assert!(killed.elapsed() < VANISHED, "{:?}", killed.elapsed());
    assert_eq!(discovering.all("gone").len(), 1);
    // And is back at once.
    let _again = garden.receive(&[]);
    let started = Instant::now();
    appears(&mut discovering, "Garden");
    assert!(started.elapsed() < SOON);
}

#[test]
fn where_multicast_is_blocked_broadcast_finds_and_where_all_is_blocked_but_mdns_that_does() {
    let Some(mut lab) = Lab::new(1) else { return };
    let (study, garden, attic) = (lab.host("study"), lab.host("garden"), lab.host("attic"));
    lab.plug(&study, "eth0", 0, "10.77.0.1/24");
    lab.plug(&garden, "eth0", 0, "10.77.0.2/24");
    lab.plug(&attic, "eth0", 0, "10.77.0.3/24");
    garden.filter(NO_MULTICAST);
    attic.filter(ONLY_MDNS);
    let (study, garden, attic) = (
        Device::new(&study, "Study"),
        Device::new(&garden, "Garden"),
        Device::new(&attic, "Attic"),
    );
    let mut from_study = study.discover();
    let mut from_garden = garden.discover();
    let mut from_attic = attic.discover();
    let _garden = Device::new(&garden.host, "Garden PC").receive(&[]);
    let started = Instant::now();
    appears(&mut from_study, "Garden PC");
    assert!(started.elapsed() < SOON);
    let study_pc = Device::new(&study.host, "Study PC").receive(&[]);
    let started = Instant::now();
    // It hears broadcasts alone, and those have no IPv6 address.
    let peer = appears(&mut from_garden, "Study PC");
    assert_eq!(peer["addr"], "10.77.0.1");
    appears(&mut from_attic, "Study PC");
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    let _attic = Device::new(&attic.host, "Attic PC").receive(&[]);
    appears(&mut from_study, "Attic PC");
    // What is known by its record alone goes as it came, and as others do.
    let quit = Instant::now();
    study_pc.signal(Signal::INT);
    leaves(&mut from_attic, "Study PC");
    leaves(&mut from_garden, "Study PC");
    assert!(quit.elapsed() < SOON, "{:?}", quit.elapsed());
    let vanishes = Device::new(&study.host, "Study 2").receive(&[]);
    appears(&mut from_attic, "Study 2");
    vanishes.signal(Signal::KILL);
    let killed = Instant::now();
    leaves(&mut from_attic, "Study 2");
    assert!(killed.elapsed() < VANISHED, "{:?}", killed.elapsed());
}

#[test]
fn a_device_is_sent_to_by_its_name_and_two_of_one_name_are_told_apart() {
    let Some(mut lab) = Lab::new(1) else { return };
    let (study, garden, attic) = (lab.host("study"), lab.host("garden"), lab.host("attic"));
    lab.plug(&study, "eth0", 0, "10.77.0.1/24");
    lab.plug(&garden, "eth0", 0, "10.77.0.2/24");
    lab.plug(&attic, "eth0", 0, "10.77.0.3/24");
    let study = Device::new(&study, "Study");
    fs::write(study.home.path().join("a.txt"), "hello").unwrap();
    let garden = Device::new(&garden, "Laptop");
    let mut receiving = garden.receive(&[]);
    let (code, said) = outcome(study.send("a.txt", "laptop"));
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        fs::read_to_string(garden.home.path().join("inbox/a.txt")).unwrap(),
        "hello"
    );
    let twin = Device::new(&attic, "Laptop");
    let _twin = twin.receive(&[]);
    let (code, said) = outcome(study.send("a.txt", "laptop"));
    let listening = receiving.said[0].clone();
    let id = listening["device_id"].as_str().unwrap();
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.is_empty(),
        "with --json nothing is said to people: {said}"
    );
    let (code, said) = outcome(study.send("a.txt", &id[..8]));
    assert_eq!(code, Some(0), "{said}");
    let (code, _) = outcome(study.send("a.txt", "nobody here"));
    assert_eq!(code, Some(2));
    receiving.signal(Signal::INT);
    receiving.end();
}

/// From 10.77.0.2 to another address of its network.
fn moves(host: &Host) {
    host.ip(&["addr", "del", "10.77.0.2/24", "dev", "eth0"]);
    host.ip(&["addr", "add", "10.77.0.9/24", "brd", "+", "dev", "eth0"]);
}

#[test]
fn a_transfer_goes_on_at_the_address_that_its_device_has_by_then() {
    let Some(mut lab) = Lab::new(1) else { return };
    let (study, garden) = (lab.host("study"), lab.host("garden"));
    lab.plug(&study, "eth0", 0, "10.77.0.1/24");
    lab.plug(&garden, "eth0", 0, "10.77.0.2/24");
    let study = Device::with(&study, "Study", r#", "speed_limit": 8000000"#);
    let big = fs::File::create(study.home.path().join("big")).unwrap();
    big.set_len(100_000_000).unwrap();
    let garden = Device::new(&garden, "Garden");
    let mut receiving = garden.receive(&[]);
    let mut sending = Running::start(study.send("big", "Garden"));
    sending.moving();
    moves(&garden.host);
    assert_eq!(sending.code(), Some(0), "{:#?}", sending.said);
    let states = sending.all("state");
    assert!(states.iter().any(|line| line["state"] == "interrupted"));
    let transfer = sending.last("transfer");
    assert_eq!(transfer["bytes"], 100_000_000_u64);
    let twice = transfer["sent_bytes"].as_u64().unwrap() - 100_000_000;
    assert!(twice < 40_000_000, "{twice} bytes went twice");
    receiving.signal(Signal::INT);
    receiving.end();
}

/// That left this host since it was made.
fn datagrams(host: &Host) -> u64 {
    let mut command = host.command("cat");
    let done = command
        .arg("/proc/net/snmp")
        .arg("/proc/net/snmp6")
        .output();
    let text = String::from_utf8(done.unwrap().stdout).unwrap();
    // A line with the names, and one with as many numbers.
    let mut v4 = text.lines().filter(|line| line.starts_with("Udp: "));
    let names = v4.next().unwrap().split_whitespace();
    let numbers = v4.next().unwrap().split_whitespace();
    let v4 = names.zip(numbers).find(|(name, _)| *name == "OutDatagrams");
    let mut lines = text.lines().map(str::split_whitespace);
    let v6 =
        lines.find_map(|mut line| (line.next()? == "Udp6OutDatagrams").then(|| line.next())?);
    v4.unwrap().1.parse::<u64>().unwrap() + v6.unwrap().parse::<u64>().unwrap()
}

#[test]
fn who_sends_to_an_address_asks_the_network_for_nothing_unless_it_takes_long_enough_to_move() {
    let Some(mut lab) = Lab::new(1) else { return };
    let (study, garden) = (lab.host("study"), lab.host("garden"));
    lab.plug(&study, "eth0", 0, "10.77.0.1/24");
    lab.plug(&garden, "eth0", 0, "10.77.0.2/24");
    let study = Device::with(&study, "Study", r#", "speed_limit": 8000000"#);
    fs::write(study.home.path().join("a.txt"), "hello").unwrap();
    let big = fs::File::create(study.home.path().join("big")).unwrap();
    big.set_len(100_000_000).unwrap();
    let garden = Device::new(&garden, "Garden");
    let mut receiving = garden.receive(&[]);
    let port = receiving.said[0]["port"].as_u64().unwrap();
    let to = format!("10.77.0.2:{port}");
    let (code, said) = outcome(study.send("a.txt", &to));
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = outcome(study.message("hello", &to));
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(datagrams(&study.host), 0);
    let mut sending = Running::start(study.send("big", &to));
    sending.moving();
    assert_eq!(datagrams(&study.host), 0);
    // Some seven seconds.
    sending.wait_for("more than half", |line| {
        line["event"] == "progress" && line["bytes"].as_u64() > Some(56_000_000)
    });
    assert!(datagrams(&study.host) > 0);
    moves(&garden.host);
    let moved = Instant::now();
    assert_eq!(sending.code(), Some(0), "{:#?}", sending.said);
    // Not after the thirty seconds of a connection that is dead.
    assert!(
        moved.elapsed() < Duration::from_secs(25),
        "{:?}",
        moved.elapsed()
    );
    receiving.signal(Signal::INT);
    receiving.end();
}

#[test]
fn a_device_behind_a_firewall_is_sent_to_by_those_that_it_knows() {
    let Some(mut lab) = Lab::new(1) else { return };
    let (study, garden, attic) = (lab.host("study"), lab.host("garden"), lab.host("attic"));
    lab.plug(&study, "eth0", 0, "10.77.0.1/24");
    lab.plug(&garden, "eth0", 0, "10.77.0.2/24");
    lab.plug(&attic, "eth0", 0, "10.77.0.3/24");
    let (study, garden) = (Device::new(&study, "Study"), Device::new(&garden, "Garden"));
    fs::write(study.home.path().join("a.txt"), "hello").unwrap();
    fs::write(study.home.path().join("b.txt"), "again").unwrap();
    let mut receiving = garden.receive(&["--pair"]);
    let mut meets = study.send("a.txt", "10.77.0.2");
    meets.arg("--pair");
    let (code, said) = outcome(meets);
    assert_eq!(code, Some(0), "{said}");
    receiving.wait("paired");
    receiving.signal(Signal::INT);
    receiving.end();
    garden.host.filter(ONLY_MDNS);
    let mut receiving = garden.receive(&[]);
    let (code, said) = outcome(study.send("b.txt", "Garden"));
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        fs::read_to_string(garden.home.path().join("inbox/b.txt")).unwrap(),
        "again"
    );
    assert_eq!(receiving.wait("offer")["trust"], "known");
    let (code, said) = outcome(study.message("on my way", "Garden"));
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(receiving.wait("message")["text"], "on my way");
    // Who is not known calls in vain where nobody can be asked.
    let stranger = Device::new(&attic, "Stranger");
    fs::write(stranger.home.path().join("c.txt"), "who?").unwrap();
    let mut sends = stranger.send("c.txt", "Garden");
    let (code, _) = outcome({
        sends.args(["--wait", "2"]);
        sends
    });
    assert_eq!(code, Some(5));
    assert_eq!(receiving.wait("caller")["name"], "Stranger");
    assert!(!garden.home.path().join("inbox/c.txt").exists());
    receiving.signal(Signal::INT);
    receiving.end();
}

/// Runs a program that takes its standard input for a terminal, where what it is told is typed.
const TYPIST: &str = r#"
import ctypes, os, pty, subprocess, sys
master, slave = pty.openpty()
# It ends with the test, however that ends (PR_SET_PDEATHSIG).
ends = lambda: ctypes.CDLL(None).prctl(1, 15)
program = subprocess.Popen(sys.argv[1:], stdin=slave, preexec_fn=ends)
os.close(slave)
for line in sys.stdin:
    os.write(master, line.encode())
program.terminate()
program.wait()
"#;

#[test]
fn a_device_behind_a_firewall_is_sent_to_by_others_once_its_person_lets_it_connect() {
    let Some(mut lab) = Lab::new(1) else { return };
    let (garden, attic) = (lab.host("garden"), lab.host("attic"));
    lab.plug(&garden, "eth0", 0, "10.77.0.2/24");
    lab.plug(&attic, "eth0", 0, "10.77.0.3/24");
    // Whoever is dialled is counted.
    garden.filter(&format!(
        "{ONLY_MDNS}
         table inet count {{
           counter dialled {{}}
           chain output {{ type filter hook output priority 0; tcp flags & (syn | ack) == syn counter name dialled; }}
         }}"
    ));
    let dialled = || {
        let mut counted = garden.command("nft");
        let counted = counted.args(["list", "counters"]).output().unwrap();
        String::from_utf8(counted.stdout).unwrap()
    };
    let stranger = Device::new(&attic, "Stranger");
    for file in ["a.txt", "b.txt"] {
        fs::write(stranger.home.path().join(file), file).unwrap();
    }
    let garden = Device::new(&garden, "Garden");
    let inbox = garden.home.path().join("inbox");
    let receives = [
        "receive",
        "--json",
        "--accept",
        "all",
        "--dir",
        inbox.to_str().unwrap(),
    ];
    let plain = garden.host.ropeway(garden.home.path(), &receives);
    let mut typed = garden.host.command("python3");
    typed.args(["-c", TYPIST]).arg(plain.get_program());
    typed.args(plain.get_args()).envs(
        plain
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    typed.env("ROPEWAY_CODE", PASSPHRASE);
    typed.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut receiving = Running::start(typed);
    let mut types = receiving.child.stdin.take().unwrap();
    receiving.wait("listening");

    let mut sending = Running::start(stranger.send("a.txt", "Garden"));
    let caller = receiving.wait("caller");
    assert_eq!(
        (&caller["name"], &caller["state"]),
        (&"Stranger".into(), &"asks".into())
    );
    sending.wait_for("its waiting", |line| line["state"] == "calling");
    let counted = dialled();
    assert!(counted.contains("packets 0 "), "without a yes: {counted}");
    writeln!(types, "y").unwrap();
    assert_eq!(sending.code(), Some(0), "{:#?}", sending.said);
    assert_eq!(receiving.wait("offer")["trust"], "verified");
    assert_eq!(fs::read_to_string(inbox.join("a.txt")).unwrap(), "a.txt");

    // For a while the same device is not asked about again.
    let (code, said) = outcome(stranger.send("b.txt", "Garden"));
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = outcome(stranger.message("did it arrive?", "Garden"));
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(receiving.wait("message")["text"], "did it arrive?");
    let asked = receiving.all("caller");
    assert!(
        !asked[1..].iter().any(|line| line["state"] == "asks"),
        "{asked:#?}"
    );
    drop(types);
    receiving.end();
}

/// Many devices on many addresses of one host, all invented.
const FORGER: &str = r#"
import os, socket, sys, time
addresses = sys.argv[1].split(",")
socks = []
for at in addresses:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    s.bind((at, 0))
    socks.append(s)
def field(kind, value):
    return bytes([kind, len(value)]) + value
end = time.monotonic() + float(sys.argv[2])
count = 0
while time.monotonic() < end:
    for s in socks:
        fields = field(1, os.urandom(32)) + field(2, os.urandom(8)) + field(3, b"Forged")
        fields += field(5, b"linux") + field(4, b"\x23\x28")
        s.sendto(b"RPWY\x01\x01" + fields, ("10.77.0.255", 9000))
        s.sendto(b"RPWY\x01\x01" + os.urandom(300), ("10.77.0.255", 9000))
        count += 2
    time.sleep(0.002)
print(count)
"#;

/// Seconds of a processor that a process has used.
fn processor_seconds(id: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks = |at: usize| fields[at].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}

#[test]
fn a_flood_of_forged_devices_is_bounded_dials_nobody_and_hides_nobody() {
    let Some(mut lab) = Lab::new(1) else { return };
    let (study, garden, forger) = (lab.host("study"), lab.host("garden"), lab.host("forger"));
    lab.plug(&study, "eth0", 0, "10.77.0.1/24");
    lab.plug(&garden, "eth0", 0, "10.77.0.2/24");
    lab.plug(&forger, "eth0", 0, "10.77.0.100/24");
    let attic = lab.host("attic");
    lab.plug(&attic, "eth0", 0, "10.77.0.3/24");
    let mut addresses = vec!["10.77.0.100".to_owned()];
    for last in 101..140 {
        let address = format!("10.77.0.{last}");
        forger.ip(&[
            "addr",
            "add",
            &format!("{address}/24"),
            "brd",
            "+",
            "dev",
            "eth0",
        ]);
        addresses.push(address);
    }
    // Whoever is dialled would be counted.
    study.filter(
        "table inet filter {
           counter dialled {}
           chain output { type filter hook output priority 0; tcp flags syn counter name dialled; }
         }",
    );
    let mut discovering = Device::new(&study, "Study").discover();
    let _garden = Device::new(&garden, "Garden").receive(&[]);
    appears(&mut discovering, "Garden");
    let before = processor_seconds(discovering.child.id());
    let seconds = 6.0;
    let mut flood = forger.command("python3");
    let flood = flood
        .args(["-c", FORGER, &addresses.join(","), &seconds.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let sent = flood.wait_with_output().unwrap();
    assert!(sent.status.success());
    let sent: u64 = String::from_utf8(sent.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let used = processor_seconds(discovering.child.id()) - before;
    eprintln!("{sent} datagrams in {seconds} s cost {used} s of a processor");
    assert!(sent > 5_000, "{sent} are no flood");
    assert!(used < seconds / 4.0, "{used} s for {sent} datagrams");
    // The list is full of them; a device that comes is found all the same.
    let _attic = Device::new(&attic, "Attic").receive(&[]);
    let started = Instant::now();
    appears(&mut discovering, "Attic");
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    let (mut listed, mut most) = (std::collections::HashSet::new(), 0);
    for line in &discovering.said {
        let id = line["device_id"].as_str().unwrap().to_owned();
        match line["event"].as_str() {
            Some("peer") => listed.insert(id),
            _gone => listed.remove(&id),
        };
        most = most.max(listed.len());
    }
    assert!(most > 9 && most <= 256, "{most} at once");
    let gone = discovering.all("gone");
    assert!(
        gone.iter().all(|line| line["name"] == "Forged"),
        "Garden stays"
    );
    let mut counted = study.command("nft");
    let counted = counted.args(["list", "counters"]).output().unwrap();
    let counted = String::from_utf8(counted.stdout).unwrap();
    assert!(counted.contains("packets 0 "), "{counted}");
}
