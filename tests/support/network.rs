//! Hosts of their own on networks of their own: namespaces joined by bridges, where tests may make them.

// Each test binary uses its own part of this.
#![allow(dead_code)]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Bridges (networks) in a namespace of their own, and hosts plugged into them.
pub struct Lab {
    name: String,
    hosts: Vec<String>,
    ports: u32,
}

/// A computer with the interfaces that were plugged in.
#[derive(Clone)]
pub struct Host {
    pub namespace: String,
}

impl Lab {
    /// With so many networks, `net0` and so on. `None`, with a note, where tests may not make any.
    pub fn new(networks: u32) -> Option<Self> {
        static LABS: AtomicU32 = AtomicU32::new(0);
        let number = LABS.fetch_add(1, Ordering::SeqCst);
        let name = format!("rw{}-{number}", std::process::id());
        let made = try_run("ip", &["netns", "add", &name]);
        let filters = Command::new("nft").arg("--version").output().is_ok();
        if !made || !filters {
            assert!(
                std::env::var_os("ROPEWAY_SKIP_NOTHING").is_none(),
                "this test needs the right to make network namespaces, iproute2 and nftables"
            );
            eprintln!("skipped: this test needs network namespaces, iproute2 and nftables");
            if made {
                try_run("ip", &["netns", "del", &name]);
            }
            return None;
        }
        let lab = Self {
            name,
            hosts: Vec::new(),
            ports: 0,
        };
        for network in 0..networks {
            let bridge = format!("net{network}");
            lab.ip(&[
                "link",
                "add",
                &bridge,
                "type",
                "bridge",
                "mcast_snooping",
                "0",
            ]);
            lab.ip(&["link", "set", &bridge, "up"]);
        }
        Some(lab)
    }

    pub fn host(&mut self, name: &str) -> Host {
        let namespace = format!("{}-{name}", self.name);
        run("ip", &["netns", "add", &namespace]);
        self.hosts.push(namespace.clone());
        let host = Host { namespace };
        host.ip(&["link", "set", "lo", "up"]);
        // An address is not tried out for a second before it is used.
        host.shell("echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad");
        host
    }

    /// Gives the host an interface in a network, with an address like `10.0.0.1/24`.
    pub fn plug(&mut self, host: &Host, interface: &str, network: u32, address: &str) {
        let port = format!("port{}", self.ports);
        self.ports += 1;
        host.ip(&[
            "link", "add", interface, "type", "veth", "peer", "name", &port, "netns", &self.name,
        ]);
        self.ip(&["link", "set", &port, "master", &format!("net{network}")]);
        self.ip(&["link", "set", &port, "up"]);
        host.shell(&format!(
            "echo 0 > /proc/sys/net/ipv6/conf/{interface}/accept_dad"
        ));
        host.ip(&["addr", "add", address, "brd", "+", "dev", interface]);
        host.ip(&["link", "set", interface, "up"]);
    }

    fn ip(&self, arguments: &[&str]) {
        run("ip", &[&["-n", &self.name], arguments].concat());
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for namespace in self.hosts.iter().chain([&self.name]) {
            try_run("ip", &["netns", "del", namespace]);
        }
    }
}

impl Host {
    pub fn ip(&self, arguments: &[&str]) {
        run("ip", &[&["-n", &self.namespace], arguments].concat());
    }

    /// A program that runs there.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace, program]);
        command
    }

    pub fn shell(&self, line: &str) {
        let mut command = self.command("sh");
        let done = command.args(["-c", line]).output().unwrap();
        assert!(done.status.success(), "{line}: {done:?}");
    }

    /// `ropeway` with a data folder of its own, which takes part in discovery.
    pub fn ropeway(&self, home: &Path, arguments: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_ropeway"));
        command
            .args(arguments)
            .arg("--data-dir")
            .arg(home)
            .env_remove("ROPEWAY_CODE")
            .env("ROPEWAY_PRESENCE", "visible")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Loads rules into its packet filter.
    pub fn filter(&self, rules: &str) {
        let mut command = self.command("nft");
        let mut nft = command
            .args(["-f", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        nft.stdin
            .take()
            .unwrap()
            .write_all(rules.as_bytes())
            .unwrap();
        assert!(nft.wait().unwrap().success(), "{rules}");
    }
}

fn run(program: &str, arguments: &[&str]) {
    let done = Command::new(program).args(arguments).output().unwrap();
    assert!(done.status.success(), "{program} {arguments:?}: {done:?}");
}

fn try_run(program: &str, arguments: &[&str]) -> bool {
    let done = Command::new(program).args(arguments).output();
    done.is_ok_and(|done| done.status.success())
}
