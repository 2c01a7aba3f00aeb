//! The connection doctor on hosts of their own: what is broken there is found, and the commands that
//! it prints repair it.
#![cfg(target_os = "linux")]
// Helpers of tests are tests, too; clippy only knows the functions that are marked.
#![allow(clippy::unwrap_used)]

#[path = "support/hosts.rs"]
mod hosts;
mod support;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use hosts::{Host, joined};
use serde_json::Value;
use support::program::{Running, ropeway};
use tempfile::TempDir;

/// One run of `ropeway doctor --json`: its exit status, and all that it found.
fn doctor(host: &Host, home: &Path, of: &[&str]) -> (Option<i32>, Vec<Value>) {
    doctor_as(host, home, of, |command| host.on(&command))
}

fn doctor_as(
    _host: &Host,
    home: &Path,
    of: &[&str],
    place: impl FnOnce(Command) -> Command,
) -> (Option<i32>, Vec<Value>) {
    let mut arguments = vec!["doctor", "--json"];
    arguments.extend(of);
    let mut command = place(ropeway(home, &arguments));
    let output = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.last().unwrap()["event"], "diagnosis", "{text}");
    (output.status.code(), lines)
}

fn finding<'a>(found: &'a [Value], kind: &str) -> &'a Value {
    let mut all = found.iter().filter(|line| line["finding"] == kind);
    all.next()
        .unwrap_or_else(|| panic!("no {kind} in {found:#?}"))
}

/// Everything that it says to be typed, without asking for a password: the test is an administrator.
fn commands(finding: &Value) -> String {
    let commands = finding["commands"].as_array().unwrap().iter();
    let commands: Vec<_> = commands
        .map(|command| command.as_str().unwrap().replacen("sudo ", "", 1))
        .collect();
    commands.join(" && ")
}

fn receive(host: &Host, home: &TempDir) -> Running {
    receive_with(host, home, &[])
}

fn receive_with(host: &Host, home: &TempDir, more: &[&str]) -> Running {
    let inbox = home.path().join("inbox");
    let inbox = inbox.to_str().unwrap();
    let mut arguments = vec!["receive", "--json", "--dir", inbox];
    arguments.extend(["--listen", "0.0.0.0:9000"]);
    arguments.extend(more);
    let command = ropeway(home.path(), &arguments);
    let mut command = host.on(&command);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut running = Running::start(command);
    running.wait("listening");
    running
}

fn home() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Whether the one on the right reaches the server on the left.
fn reached(right: &Host) -> (bool, Vec<Value>) {
    let (status, found) = doctor(right, home().path(), &["10.77.0.1"]);
    assert_eq!(
        status == Some(0),
        found.last().unwrap()["reached"] == true,
        "{found:#?}"
    );
    (status == Some(0), found)
}

/// Keeps others out by `rules`, and lets them in by what the doctor says.
fn opened_by_its_command(rules: &str, firewall: &str) {
    let Some((left, right)) = joined() else {
        return;
    };
    let home = home();
    let _server = receive(&left, &home);
    assert!(reached(&right).0, "nothing is in the way yet");
    left.shell(rules);
    let (in_vain, found) = reached(&right);
    assert!(!in_vain);
    assert_eq!(finding(&found, "not-connected")["why"], "timed-out");
    let (status, found) = doctor(&left, home.path(), &[]);
    assert_eq!(status, Some(1), "{found:#?}");
    assert_eq!(finding(&found, "server-on")["port"], 9000);
    let blocked = finding(&found, "firewall-blocks");
    assert_eq!(blocked["firewall"], firewall);
    assert_eq!(blocked["door"]["transfers"]["tcp"], 9000);
    left.shell(&commands(blocked));
    let (opened, found) = reached(&right);
    assert!(opened, "{found:#?}");
    finding(&found, "answers");
    let (_, found) = doctor(&left, home.path(), &[]);
    assert_eq!(
        finding(&found, "firewall-open")["door"]["transfers"]["tcp"],
        9000
    );
}

#[test]
fn the_command_that_is_printed_for_nftables_lets_others_in() {
    opened_by_its_command(
        "nft -f - <<'END'
         table inet filter {
             chain input {
                 type filter hook input priority filter; policy drop;
                 iif lo accept
                 ct state established,related accept
                 tcp dport 22 accept
                 counter reject with icmpx type admin-prohibited comment \"unless dropped before\"
             }
             chain early {
                 type filter hook prerouting priority -300; policy accept;
                 iifname != \"lo\" meta l4proto { tcp, udp } goto stop
             }
             chain stop { drop; }
         }
END",
        "nftables",
    );
}

#[test]
fn the_command_that_is_printed_for_iptables_lets_others_in() {
    opened_by_its_command(
        "iptables -P INPUT DROP && iptables -A INPUT -i lo -j ACCEPT && \
         iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT && \
         iptables -A INPUT -p tcp --dport 9001 -j ACCEPT",
        "iptables",
    );
}

/// A shell on a host, whose files of ufw are its own.
struct WithUfw {
    shell: Child,
}

impl WithUfw {
    fn new(host: &Host, files: &Path) -> Self {
        let script = format!(
            "set -e; mount --make-rprivate /
             for place in /etc/ufw /lib/ufw; do
                 copy={}$place; mkdir -p $copy; cp -a $place/. $copy; mount --bind $copy $place
             done
             echo ready; read wait",
            files.display()
        );
        let mut shell = Command::new("unshare");
        shell.args(["--mount", "sh", "-c", &script]);
        let mut shell = host.on(&shell);
        let mut shell = shell
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut said = BufReader::new(shell.stdout.as_mut().unwrap());
        said.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self { shell }
    }

    fn on(&self, command: &Command) -> Command {
        let mut here = Command::new("nsenter");
        let target = self.shell.id().to_string();
        here.args(["--target", &target, "--mount", "--net", "--"]);
        here.arg(command.get_program()).args(command.get_args());
        here
    }

    fn shell(&self, line: &str) {
        let mut shell = Command::new("sh");
        shell.args(["-c", line]);
        let output = self.on(&shell).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{line}: {said}");
    }
}

impl Drop for WithUfw {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

#[test]
fn the_command_that_is_printed_for_ufw_lets_others_in_even_past_a_rule_that_keeps_them_out() {
    let Some((left, right)) = joined() else {
        return;
    };
    let (home, files) = (home(), home());
    let _server = receive(&left, &home);
    let ufw = WithUfw::new(&left, files.path());
    ufw.shell("ufw --force enable");
    for refused in ["", "ufw deny 9000"] {
        ufw.shell(refused);
        assert!(!reached(&right).0);
        let (status, found) = doctor_as(&left, home.path(), &[], |command| ufw.on(&command));
        assert_eq!(status, Some(1), "{found:#?}");
        let blocked = finding(&found, "firewall-blocks");
        assert_eq!(blocked["firewall"], "ufw");
        assert_eq!(blocked["remedy"]["lasting"], true);
        let commands = commands(blocked);
        ufw.shell(&commands);
        assert!(reached(&right).0, "{commands}");
        let (_, found) = doctor_as(&left, home.path(), &[], |command| ufw.on(&command));
        assert_eq!(finding(&found, "firewall-open")["firewall"], "ufw");
        // mDNS gets through ufw, so others find this device all the same.
        let discovery = finding(&found, "firewall-blocks");
        assert_eq!(discovery["severity"], "note");
        ufw.shell("ufw --force delete allow 9000/tcp");
    }
}

#[test]
fn why_a_host_is_not_reached_is_told_apart() {
    let Some((left, right)) = joined() else {
        return;
    };
    let home = home();
    let mut told = Vec::new();
    for (of, kind, why) in [
        ("10.77.0.1", "not-connected", Some("refused")),
        ("10.77.0.99", "not-connected", Some("nobody-there")),
        ("10.99.0.1", "road", None),
        ("no-such-host.invalid", "name-unknown", None),
    ] {
        let (status, found) = doctor(&right, home.path(), &[of]);
        assert_eq!(status, Some(5), "{of}: {found:#?}");
        let found = finding(&found, kind);
        assert_eq!(found["severity"], "problem");
        assert!(found["next"].is_string(), "{found}");
        if let Some(why) = why {
            assert_eq!(found["why"], why, "{of}");
        }
        told.push(found["message"].as_str().unwrap().to_owned());
    }
    told.dedup();
    assert_eq!(told.len(), 4, "each in words of its own: {told:?}");
    // Its own address: whether others get there is for Receive to say.
    let (status, found) = doctor(&right, home.path(), &["10.77.0.2"]);
    assert_eq!(status, Some(5));
    finding(&found, "this-computer");
    finding(&found, "server-off");
    let server = receive(&right, &home);
    let (status, _) = doctor(&right, home.path(), &["10.77.0.2"]);
    assert_eq!(status, Some(0));
    right.shell(
        "nft add table ip t; nft 'add chain ip t o { type filter hook output priority 0; }'; \
                nft add rule ip t o tcp dport 9000 reject with tcp reset",
    );
    let (status, found) = doctor(&right, home.path(), &["10.77.0.2"]);
    assert_eq!(status, Some(5));
    assert_eq!(finding(&found, "own-blocked")["port"], 9000);
    right.shell("nft delete table ip t");
    drop(server);
    // In every network anew.
    for (of, form) in [
        ("fe80::1", "fe80::1%eth0"),
        ("[fe80::1]:9001", "[fe80::1%eth0]:9001"),
    ] {
        let (status, found) = doctor(&right, home.path(), &[of]);
        assert_eq!(status, Some(5));
        let found = finding(&found, "scope-missing");
        assert_eq!(found["forms"][0], form);
        assert!(found["next"].as_str().unwrap().contains(form), "{found}");
    }
    left.shell(
        "nft add table ip t; nft 'add chain ip t c { type filter hook input priority 0; }'; \
                nft add rule ip t c tcp dport 9000 reject with icmp type admin-prohibited",
    );
    let (_, found) = doctor(&right, home.path(), &["10.77.0.1"]);
    assert_eq!(finding(&found, "not-connected")["why"], "turned-away");
    let (status, found) = doctor(&left, home.path(), &[]);
    assert_eq!(status, Some(1));
    assert_eq!(finding(&found, "server-off")["port"], 9000);
    finding(&found, "firewall-blocks");
}

#[test]
fn a_vpn_that_takes_what_goes_to_a_neighbour_is_found() {
    let Some((left, right)) = joined() else {
        return;
    };
    right.shell(
        "ip link add tun0 type veth peer name far0 && ip addr add 10.8.0.2/24 dev tun0 && \
         ip link set tun0 up && ip link set far0 up && ip route add 10.77.0.1/32 dev tun0",
    );
    let home = home();
    let (status, found) = doctor(&right, home.path(), &["10.77.0.1"]);
    assert_eq!(status, Some(5));
    let road = &finding(&found, "road")["road"]["vpn-in-the-way"];
    assert_eq!(
        (&road["link"], &road["local"]),
        (&"tun0".into(), &"eth0".into())
    );
    let kinds: Vec<_> = found
        .iter()
        .filter(|line| line["finding"] == "link")
        .collect();
    assert_eq!(kinds[0]["kind"], "local");
    assert_eq!(kinds[1]["kind"], "vpn");
    drop(left);
}

/// What speaks first, or answers a browser, or says nothing.
const STRANGERS: &str = "
import socket, ssl, sys, threading
def serve(port, first, answer):
    listener = socket.create_server(('0.0.0.0', port))
    def one(client):
        with client:
            client.sendall(first)
            if client.recv(1000) and answer: client.sendall(answer)
            elif not answer: client.recv(1000)
    def all():
        while True: threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()
    threading.Thread(target=all, daemon=True).start()
serve(9000, b'SSH-2.0-OpenSSH_9.2p1\\r\\n', b'')
serve(9001, b'', b'HTTP/1.1 400 Bad Request\\r\\nContent-Length: 0\\r\\n\\r\\n')
serve(9002, b'', b'')
def website(port):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1])
    listener = socket.create_server(('0.0.0.0', port))
    while True:
        try: context.wrap_socket(listener.accept()[0], server_side=True).recv(1000)
        except OSError: pass
threading.Thread(target=website, args=(9003,), daemon=True).start()
print('ready', flush=True)
sys.stdin.read()
";

#[test]
fn what_listens_instead_of_ropeway_is_named() {
    let Some((left, right)) = joined() else {
        return;
    };
    let mut python = Command::new("python3");
    let made = rcgen::generate_simple_self_signed(vec!["example.org".into()]).unwrap();
    let files = home();
    let certificate = files.path().join("certificate.pem");
    let pem = made.cert.pem() + &made.signing_key.serialize_pem();
    std::fs::write(&certificate, pem).unwrap();
    python.args(["-c", STRANGERS, certificate.to_str().unwrap()]);
    let mut strangers = left.on(&python);
    let mut strangers = strangers
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(strangers.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "ready\n");
    let home = home();
    for (port, speaks) in [
        (9000, "ssh"),
        (9001, "http"),
        (9002, "silence"),
        (9003, "tls"),
    ] {
        let (status, found) = doctor(&right, home.path(), &[&format!("10.77.0.1:{port}")]);
        assert_eq!(status, Some(5));
        assert_eq!(finding(&found, "stranger")["speaks"], speaks, "{port}");
    }
    // On its own computer it is in the way of the server.
    let (status, found) = doctor(&left, home.path(), &[]);
    assert_eq!(
        status,
        Some(0),
        "the server takes the next port: {found:#?}"
    );
    assert_eq!(finding(&found, "port-taken")["speaks"], "ssh");
    strangers.kill().unwrap();
    strangers.wait().unwrap();
}

#[test]
fn who_answers_decides_whether_that_is_the_device_that_is_meant() {
    let Some((left, right)) = joined() else {
        return;
    };
    let (server, client) = (home(), home());
    let running = receive_with(&left, &server, &["--allow", "paired"]);
    let (status, found) = doctor(&right, client.path(), &["10.77.0.1"]);
    assert_eq!(status, Some(5), "{found:#?}");
    assert_eq!(finding(&found, "known-only")["check"], "device");
    let link = format!("ropeway://10.77.0.1/?id={}", "0a".repeat(32));
    let (status, found) = doctor(&right, client.path(), &[&link]);
    assert_eq!(status, Some(5), "{found:#?}");
    finding(&found, "another-device");
    // In another process of the same device its own server is known again.
    let (status, found) = doctor(&left, server.path(), &[]);
    assert_eq!(status, Some(0), "{found:#?}");
    assert_eq!(finding(&found, "server-on")["addresses"][0], "10.77.0.1");
    drop(running);
}

#[test]
fn a_server_that_is_switched_on_behind_a_firewall_says_so_at_once() {
    let Some((left, _right)) = joined() else {
        return;
    };
    left.shell("nft add table inet t; nft 'add chain inet t c { type filter hook input priority 0; policy drop; }'");
    let home = home();
    let mut server = receive(&left, &home);
    let errors = BufReader::new(server.child.stderr.take().unwrap());
    let mut lines = errors.lines().map(|line| line.unwrap());
    let command = lines.find(|line| line.contains("sudo nft insert rule"));
    assert_eq!(
        command.unwrap().trim(),
        "sudo nft insert rule inet t c tcp dport 9000 accept"
    );
}
