//! What the connection doctor finds: data first, so that each front end says it in its own words.
//!
//! A [`Finding`]'s `Display` is the sentence, [`Finding::next`] what to do about it, both in English;
//! [`Finding::commands`] are exact and meant to be copied.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use super::{DeviceName, PeerAddress, Way};

/// All that was found by now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnosis {
    /// Who is not reached; `None`: this computer alone.
    pub of: Option<PeerAddress>,
    /// In the order they were found in; only more come.
    pub findings: Vec<Finding>,
    pub complete: bool,
}

impl Diagnosis {
    pub fn problems(&self) -> usize {
        let findings = self.findings.iter();
        findings
            .filter(|finding| finding.severity() == Severity::Problem)
            .count()
    }

    /// A Ropeway answered at the address that was asked about, or it is this computer's own and Receive is
    /// on there.
    pub fn reached(&self) -> bool {
        let asked = self.of.as_ref().map(PeerAddress::port);
        let on = |finding: &Finding| match finding {
            Finding::ServerOn { port, .. } => asked.is_none_or(|asked| asked == *port),
            _another => false,
        };
        self.findings.iter().any(|finding| match finding {
            Finding::Answers { .. } => true,
            Finding::ThisComputer { .. } => self.findings.iter().any(on),
            _another => false,
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// As it should be.
    Good,
    /// It explains something, or could not be found out.
    Note,
    /// It keeps devices from each other.
    Problem,
}

/// What a finding is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// Own interfaces and addresses.
    Network,
    /// The server on this computer.
    Server,
    /// This computer's firewall.
    Firewall,
    /// Whether others find this device by themselves.
    Discovery,
    /// Where the other device is said to be.
    Name,
    /// Which way packets take to it.
    Road,
    /// Whether it answers.
    Connection,
    /// Who answers.
    Device,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "finding", rename_all = "kebab-case")]
pub enum Finding {
    /// No interface but loopback has an address.
    NoNetwork,
    Link(Link),
    /// There is a network, but no local one.
    NoLocalNetwork,

    /// Others can be let in at this port.
    ServerOn {
        port: u16,
        addresses: Vec<IpAddr>,
    },
    /// It listens where only this computer comes.
    ServerAlone {
        listens: SocketAddr,
    },
    /// Nobody listens there on this computer.
    ServerOff {
        port: u16,
    },
    /// Somebody listens there on this computer, and is not reached from this computer itself.
    OwnBlocked {
        port: u16,
        why: NoConnection,
    },
    /// Another program has the port that the server would take.
    PortTaken {
        port: u16,
        speaks: Speaks,
    },
    /// The server does not answer at an address of its own.
    OwnAddressFails {
        address: SocketAddr,
        why: NoConnection,
    },

    /// No firewall filters what comes in.
    FirewallOff,
    FirewallOpen {
        firewall: Firewall,
        door: Door,
    },
    FirewallBlocks {
        firewall: Firewall,
        door: Door,
        remedy: Remedy,
    },
    /// It could not be found out. The commands look, or open the door in any case.
    FirewallUnclear {
        firewall: Option<Firewall>,
        door: Door,
        why: Unclear,
        commands: Vec<String>,
    },

    /// Whether what this device says of itself on an interface comes back to it.
    Beacon {
        link: String,
        returned: bool,
    },
    /// What others say of themselves at this UDP port is not heard.
    DiscoveryDeaf {
        port: u16,
    },
    /// It is switched off, so that nobody is found.
    DiscoveryOff,

    NameFound {
        host: String,
        addresses: Vec<IpAddr>,
        millis: u64,
    },
    NameUnknown {
        host: String,
    },
    /// Nobody who knows names has answered.
    NameSilent {
        host: String,
        seconds: u64,
    },
    /// The address is one of each interface anew, so the interface has to be said: in these forms.
    ScopeMissing {
        address: IpAddr,
        forms: Vec<String>,
    },
    /// The address is this computer's own.
    ThisComputer {
        address: IpAddr,
    },
    Road {
        address: IpAddr,
        road: Road,
    },
    Connected {
        address: SocketAddr,
        millis: u64,
    },
    NotConnected {
        address: SocketAddr,
        why: NoConnection,
        /// Another address of the same host answers.
        elsewhere: bool,
    },
    /// Something else than Ropeway answers.
    Stranger {
        address: SocketAddr,
        speaks: Speaks,
    },
    Answers {
        address: SocketAddr,
        #[serde(serialize_with = "as_name")]
        name: DeviceName,
        #[serde(serialize_with = "as_ways")]
        ways: Vec<Way>,
        known: bool,
    },
    /// It lets in devices that it knows, and does not know this one.
    KnownOnly {
        address: SocketAddr,
        #[serde(serialize_with = "as_name")]
        name: DeviceName,
    },
    AnotherDevice {
        address: SocketAddr,
        #[serde(serialize_with = "as_name")]
        found: DeviceName,
        #[serde(serialize_with = "as_perhaps_name")]
        meant: Option<DeviceName>,
    },
    OtherVersion {
        address: SocketAddr,
    },
    /// It hung up at once: it has no room, or was just switched off.
    Busy {
        address: SocketAddr,
    },
    /// The greeting went wrong in another way.
    Greeting {
        address: SocketAddr,
        why: String,
    },
}

/// An interface of this computer with its addresses.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Link {
    pub link: String,
    pub kind: LinkKind,
    pub addresses: Vec<IpAddr>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkKind {
    Local,
    /// Nobody there gave it an address, so it made one up.
    SelfAssigned,
    Vpn,
    /// It leads to containers or virtual machines on this computer.
    Virtual,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Firewall {
    Ufw,
    Firewalld { zone: String },
    Nftables,
    Iptables,
    Windows,
    MacOs,
}

/// What a firewall lets in or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Door {
    Transfers {
        tcp: u16,
    },
    /// By itself, another device is found all the same through mDNS.
    Discovery {
        udp: u16,
    },
    /// Neither discovery nor mDNS.
    AllDiscovery {
        udp: u16,
    },
}

/// How a firewall is opened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Remedy {
    /// One after the other, in a terminal.
    pub commands: Vec<String>,
    /// It survives a restart.
    pub lasting: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unclear {
    /// Only an administrator may look.
    NotAllowed,
    /// Some of its rules say more than is understood here.
    Rules,
    /// The program that tells was not found, or did not answer.
    NoAnswer,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Road {
    /// Both are in the same network.
    SameNetwork {
        link: String,
    },
    /// Through a router.
    OtherNetwork {
        link: String,
    },
    Vpn {
        link: String,
    },
    /// It is in a network of this computer, and a VPN takes what goes there.
    VpnInTheWay {
        link: String,
        local: String,
    },
    None,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoConnection {
    /// The computer is there; nobody listens.
    Refused,
    TimedOut,
    Reset,
    /// Nobody in that network has the address.
    NobodyThere,
    /// Somebody on the way, mostly a firewall there, said no at once.
    TurnedAway,
    NoRoute,
    /// This computer itself does not let it out.
    Forbidden,
    Other(String),
}

/// What something that is not Ropeway sounds like.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Speaks {
    /// Another Ropeway, or this device's own.
    Ropeway,
    Http,
    Ssh,
    Ftp,
    Smtp,
    Tls,
    Silence,
    Unknown,
}

fn as_name<S: serde::Serializer>(name: &DeviceName, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name.as_str())
}

fn as_perhaps_name<S: serde::Serializer>(
    name: &Option<DeviceName>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    name.as_ref().map(DeviceName::as_str).serialize(serializer)
}

fn as_ways<S: serde::Serializer>(ways: &[Way], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(ways.iter().map(|way| match way {
        Way::Code => "code",
        Way::Passphrase => "passphrase",
        Way::Ask => "ask",
        Way::Pair => "pair",
    }))
}

impl Finding {
    pub fn severity(&self) -> Severity {
        match self {
            Self::Link(link) => match link.kind {
                LinkKind::Local => Severity::Good,
                LinkKind::SelfAssigned | LinkKind::Vpn | LinkKind::Virtual => Severity::Note,
            },
            Self::ServerOn { .. }
            | Self::FirewallOff
            | Self::FirewallOpen { .. }
            | Self::Connected { .. }
            | Self::Answers { .. } => Severity::Good,
            Self::NoLocalNetwork
            | Self::ServerOff { .. }
            | Self::OwnBlocked { .. }
            | Self::PortTaken { .. }
            | Self::FirewallUnclear { .. }
            | Self::ThisComputer { .. } => Severity::Note,
            Self::NoNetwork
            | Self::ServerAlone { .. }
            | Self::OwnAddressFails { .. }
            | Self::NameUnknown { .. }
            | Self::NameSilent { .. }
            | Self::ScopeMissing { .. }
            | Self::Stranger { .. }
            | Self::KnownOnly { .. }
            | Self::AnotherDevice { .. }
            | Self::OtherVersion { .. }
            | Self::Busy { .. }
            | Self::Greeting { .. } => Severity::Problem,
            Self::FirewallBlocks { door, .. } => match door {
                Door::Transfers { .. } | Door::AllDiscovery { .. } => Severity::Problem,
                Door::Discovery { .. } => Severity::Note,
            },
            Self::DiscoveryDeaf { .. } => Severity::Problem,
            Self::DiscoveryOff => Severity::Note,
            Self::Beacon { returned: true, .. } => Severity::Good,
            Self::Beacon {
                returned: false, ..
            } => Severity::Note,
            Self::NameFound { millis, .. } if *millis >= SLOW_NAME_MILLIS => Severity::Note,
            Self::NameFound { .. } => Severity::Good,
            Self::Road { road, .. } => match road {
                Road::SameNetwork { .. } => Severity::Good,
                Road::OtherNetwork { .. } | Road::Vpn { .. } => Severity::Note,
                Road::VpnInTheWay { .. } | Road::None => Severity::Problem,
            },
            Self::NotConnected { elsewhere, .. } => match elsewhere {
                true => Severity::Note,
                false => Severity::Problem,
            },
        }
    }

    pub fn check(&self) -> Check {
        match self {
            Self::NoNetwork | Self::Link(_) | Self::NoLocalNetwork => Check::Network,
            Self::ServerOn { .. }
            | Self::ServerAlone { .. }
            | Self::ServerOff { .. }
            | Self::OwnBlocked { .. }
            | Self::PortTaken { .. }
            | Self::OwnAddressFails { .. } => Check::Server,
            Self::FirewallOff
            | Self::FirewallOpen { .. }
            | Self::FirewallBlocks { .. }
            | Self::FirewallUnclear { .. } => Check::Firewall,
            Self::Beacon { .. } | Self::DiscoveryDeaf { .. } | Self::DiscoveryOff => {
                Check::Discovery
            }
            Self::NameFound { .. }
            | Self::NameUnknown { .. }
            | Self::NameSilent { .. }
            | Self::ScopeMissing { .. } => Check::Name,
            Self::ThisComputer { .. } | Self::Road { .. } => Check::Road,
            Self::Connected { .. } | Self::NotConnected { .. } => Check::Connection,
            Self::Stranger { .. }
            | Self::Answers { .. }
            | Self::KnownOnly { .. }
            | Self::AnotherDevice { .. }
            | Self::OtherVersion { .. }
            | Self::Busy { .. }
            | Self::Greeting { .. } => Check::Device,
        }
    }

    /// It is about the other device, not about this computer.
    pub fn is_about_peer(&self) -> bool {
        match self.check() {
            Check::Network | Check::Server | Check::Firewall | Check::Discovery => false,
            Check::Name | Check::Road | Check::Connection | Check::Device => true,
        }
    }

    /// What to type in a terminal, word for word; run by nobody but a person.
    pub fn commands(&self) -> &[String] {
        match self {
            Self::FirewallBlocks { remedy, .. } => &remedy.commands,
            Self::FirewallUnclear { commands, .. } => commands,
            _nothing_to_type => &[],
        }
    }
}

/// Nobody waits longer for a name without noticing.
pub const SLOW_NAME_MILLIS: u64 = 2000;

impl Firewall {
    /// What it is called by those who know it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ufw => "ufw",
            Self::Firewalld { .. } => "firewalld",
            Self::Nftables => "nftables",
            Self::Iptables => "iptables",
            Self::Windows => "Windows Defender",
            Self::MacOs => "macOS",
        }
    }
}

impl Speaks {
    /// A name that needs no translation.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Ropeway => Some("Ropeway"),
            Self::Http => Some("HTTP"),
            Self::Ssh => Some("SSH"),
            Self::Ftp => Some("FTP"),
            Self::Smtp => Some("SMTP"),
            Self::Tls => Some("TLS"),
            Self::Silence | Self::Unknown => None,
        }
    }
}

pub use super::finding_words::spent;

/// With a comma in between.
pub fn listed<T: fmt::Display>(all: &[T]) -> String {
    let all: Vec<_> = all.iter().map(T::to_string).collect();
    all.join(", ")
}
