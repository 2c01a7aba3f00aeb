//! Two hosts joined by a cable: network namespaces of their own, where tests may make them.

// Each test binary uses its own part of this.
#![allow(dead_code)]

use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

static MADE: AtomicU32 = AtomicU32::new(0);

/// A network namespace with an interface `eth0`; removed when dropped.
pub struct Host {
    pub name: String,
}

/// Two hosts in one network, `10.77.0.1` and `10.77.0.2`; `None`, with a note, where tests may not make
/// them.
pub fn joined() -> Option<(Host, Host)> {
    let made = Host::new().zip(Host::new());
    let Some((left, right)) = made else {
        assert!(
            std::env::var_os("ROPEWAY_SKIP_NOTHING").is_none(),
            "this test needs the right to make network namespaces"
        );
        eprintln!("skipped: this test needs the right to make network namespaces");
        return None;
    };
    run(Command::new("ip")
        .args(["link", "add", "eth0", "netns", &left.name, "type", "veth"])
        .args(["peer", "name", "eth0", "netns", &right.name]));
    for (host, address) in [(&left, "10.77.0.1/24"), (&right, "10.77.0.2/24")] {
        host.shell(&format!(
            "ip addr add {address} dev eth0 && ip link set eth0 up && ip link set lo up"
        ));
    }
    Some((left, right))
}

impl Host {
    fn new() -> Option<Self> {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("ropeway-{}-{number}", std::process::id());
        let made = Command::new("ip").args(["netns", "add", &name]).output();
        made.is_ok_and(|made| made.status.success())
            .then_some(Self { name })
    }

    /// The same command, to be run on this host.
    pub fn on(&self, command: &Command) -> Command {
        let mut here = Command::new("ip");
        here.args(["netns", "exec", &self.name]);
        here.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => here.env(name, value),
                None => here.env_remove(name),
            };
        }
        here
    }

    /// What an administrator types here.
    pub fn shell(&self, line: &str) {
        let mut shell = Command::new("sh");
        shell.args(["-c", line]);
        run(&mut self.on(&shell));
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = Command::new("ip")
            .args(["netns", "del", &self.name])
            .output();
    }
}

fn run(command: &mut Command) {
    let Output { status, stderr, .. } = command.output().unwrap();
    let said = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{command:?}: {said}");
}
