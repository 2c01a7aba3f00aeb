//! The findings in English.

use std::fmt;

use super::finding::{
    Door, Finding, Firewall, LinkKind, NoConnection, Road, Speaks, Unclear, listed,
};

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transfers { tcp } => write!(f, "TCP port {tcp} (receiving)"),
            Self::Discovery { udp } => write!(f, "UDP port {udp} (finding devices)"),
            Self::AllDiscovery { udp } => write!(f, "UDP ports {udp} and 5353 (finding devices)"),
        }
    }
}

/// As the subject of a sentence.
fn subject(firewall: &Firewall) -> String {
    match firewall {
        Firewall::Ufw | Firewall::Nftables | Firewall::Iptables => {
            format!("The firewall of this computer ({})", firewall.name())
        }
        Firewall::Firewalld { zone } if zone.is_empty() => {
            "The firewall of this computer (firewalld)".into()
        }
        Firewall::Firewalld { zone } => {
            format!("The firewall of this computer (firewalld, zone {zone})")
        }
        Firewall::Windows | Firewall::MacOs => format!("The {} firewall", firewall.name()),
    }
}

fn why(why: &NoConnection) -> String {
    match why {
        NoConnection::Refused => "the computer is there, but nobody listens at that port".into(),
        NoConnection::TimedOut => "no answer at all".into(),
        NoConnection::Reset => "the connection was reset".into(),
        NoConnection::NobodyThere => "nobody in the network has that address".into(),
        NoConnection::TurnedAway => "it was turned away at once".into(),
        NoConnection::NoRoute => "no way leads there".into(),
        NoConnection::Forbidden => "this computer does not let it out".into(),
        NoConnection::Other(said) => said.clone(),
    }
}

/// Where it is known that somebody listens.
fn turned_down(reason: &NoConnection) -> String {
    match reason {
        NoConnection::Refused => "they are refused".into(),
        other => why(other),
    }
}

fn speaks(speaks: Speaks) -> String {
    match speaks {
        Speaks::Ropeway => "another Ropeway".into(),
        Speaks::Silence => "a program that says nothing".into(),
        Speaks::Unknown => "another program".into(),
        Speaks::Tls => "another program that speaks TLS (a website, for example)".into(),
        Speaks::Http | Speaks::Ssh | Speaks::Ftp | Speaks::Smtp => {
            format!("another program ({})", speaks.name().unwrap_or("?"))
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNetwork => f.write_str("This computer is in no network."),
            Self::Link(link) => {
                let (name, addresses) = (&link.link, listed(&link.addresses));
                match link.kind {
                    LinkKind::Local => write!(f, "In a network: {addresses} ({name})."),
                    LinkKind::SelfAssigned => write!(
                        f,
                        "{name} has only an address that it gave itself: {addresses}."
                    ),
                    LinkKind::Vpn => write!(f, "A VPN is on: {addresses} ({name})."),
                    LinkKind::Virtual => write!(
                        f,
                        "{name} ({addresses}) leads to containers or virtual machines of this computer only."
                    ),
                }
            }
            Self::NoLocalNetwork => f.write_str("This computer is in no local network."),
            Self::ServerOn { port, addresses } if addresses.is_empty() => {
                write!(f, "Receive is on, at port {port}.")
            }
            Self::ServerOn { port, addresses } => write!(
                f,
                "Receive is on, at port {port}, and answers at {}.",
                listed(addresses)
            ),
            Self::ServerAlone { listens } => write!(
                f,
                "Receive is on at {listens}, where only this computer itself can come."
            ),
            Self::ServerOff { port } => write!(
                f,
                "Receive is off on this computer: nobody listens at port {port}."
            ),
            Self::OwnBlocked { port, why: reason } => write!(
                f,
                "Something listens at port {port} of this computer, but this computer's own connections \
                 do not get there: {}.",
                turned_down(reason)
            ),
            Self::PortTaken { port, speaks: what } => write!(
                f,
                "Receive is off on this computer, and {} has port {port}.",
                speaks(*what)
            ),
            Self::OwnAddressFails {
                address,
                why: reason,
            } => write!(
                f,
                "Receive is on, but does not answer at this computer's own address {address}: {}.",
                why(reason)
            ),
            Self::FirewallOff => f.write_str("No firewall on this computer keeps anything out."),
            Self::FirewallOpen { firewall, door } => {
                write!(f, "{} lets in {door}.", subject(firewall))
            }
            Self::FirewallBlocks { firewall, door, .. } => {
                write!(f, "{} blocks {door}.", subject(firewall))?;
                match door {
                    Door::Transfers { .. } | Door::AllDiscovery { .. } => Ok(()),
                    Door::Discovery { .. } => {
                        f.write_str(" mDNS gets through, so this device is found all the same.")
                    }
                }
            }
            Self::FirewallUnclear {
                firewall,
                door,
                why: reason,
                ..
            } => {
                let who = match firewall {
                    Some(firewall) => subject(firewall),
                    None => "A firewall of this computer".into(),
                };
                let reason = match reason {
                    Unclear::NotAllowed => "only an administrator may look",
                    Unclear::Rules => "its rules say more than could be understood",
                    Unclear::NoAnswer => "nothing here could tell",
                };
                match firewall {
                    Some(_) => write!(
                        f,
                        "{who} is on; whether it blocks {door} is not clear: {reason}."
                    ),
                    None => write!(
                        f,
                        "Whether a firewall here blocks {door} is not clear: {reason}."
                    ),
                }
            }
            Self::DiscoveryDeaf { port } => write!(
                f,
                "Devices nearby are not heard: another program has UDP port {port}."
            ),
            Self::DiscoveryOff => f.write_str("Nearby devices are switched off: nobody is found."),
            Self::Beacon {
                link,
                returned: true,
            } => {
                write!(f, "What this device says of itself is heard in {link}.")
            }
            Self::Beacon {
                link,
                returned: false,
            } => {
                write!(
                    f,
                    "What this device says of itself does not come back in {link}."
                )
            }
            Self::NameFound {
                host,
                addresses,
                millis,
            } => write!(
                f,
                "{host} is {} (found in {}).",
                listed(addresses),
                spent(*millis)
            ),
            Self::NameUnknown { host } => write!(f, "Nobody knows the name {host}."),
            Self::NameSilent { host, seconds } => write!(
                f,
                "Nobody has told within {seconds} seconds where {host} is."
            ),
            Self::ScopeMissing { address, .. } => write!(
                f,
                "{address} may be in any network of this computer: it is not clear which interface leads there."
            ),
            Self::ThisComputer { address } => write!(f, "{address} is this computer itself."),
            Self::Road { address, road } => match road {
                Road::SameNetwork { link } => {
                    write!(
                        f,
                        "{address} is in the same network as this computer ({link})."
                    )
                }
                Road::OtherNetwork { link } => write!(
                    f,
                    "{address} is in another network; the way leads through a router ({link})."
                ),
                Road::Vpn { link } => {
                    write!(f, "The way to {address} leads through a VPN ({link}).")
                }
                Road::VpnInTheWay { link, local } => write!(
                    f,
                    "{address} is in the same network ({local}), but a VPN ({link}) takes what goes there."
                ),
                Road::None => write!(f, "No way leads from this computer to {address}."),
            },
            Self::Connected { address, millis } => {
                write!(f, "{address} answers (in {}).", spent(*millis))
            }
            Self::NotConnected {
                address,
                why: reason,
                ..
            } => write!(f, "{address} cannot be reached: {}.", why(reason)),
            Self::Stranger {
                address,
                speaks: what,
            } => write!(
                f,
                "What listens at {address} is not Ropeway but {}.",
                match what {
                    Speaks::Ropeway => "something else".into(),
                    what => speaks(*what),
                }
            ),
            Self::Answers {
                address,
                name,
                known,
                ..
            } => {
                let known = if *known { ", a known device," } else { "" };
                write!(f, "“{name}”{known} is ready to receive at {address}.")
            }
            Self::KnownOnly { name, .. } => write!(
                f,
                "“{name}” answers, but takes only from devices that it knows, and does not know this one."
            ),
            Self::AnotherDevice {
                address,
                found,
                meant,
            } => match meant {
                Some(meant) => write!(f, "{address} belongs to “{found}” now, not to “{meant}”."),
                None => write!(
                    f,
                    "Another device than the one that is meant, “{found}”, is at {address}."
                ),
            },
            Self::OtherVersion { address } => write!(
                f,
                "The Ropeway at {address} has a version that does not fit to this one."
            ),
            Self::Busy { address } => write!(
                f,
                "What listens at {address} hung up at once: it has no room for one more, or is just starting or ending."
            ),
            Self::Greeting { address, why } => {
                write!(f, "The Ropeway at {address} could not be greeted: {why}.")
            }
        }
    }
}

/// Seconds with one digit, or less than that.
pub fn spent(millis: u64) -> String {
    match millis {
        0..1000 => format!("{millis} ms"),
        millis => format!("{}.{} s", millis / 1000, millis % 1000 / 100),
    }
}

impl Finding {
    /// What to do about it; nothing where all is well. The [commands](Self::commands) follow it.
    pub fn next(&self) -> Option<String> {
        let next = match self {
            Self::NoNetwork => "Connect it by cable or Wi-Fi.".to_owned(),
            Self::NoLocalNetwork => {
                "Devices nearby are not found; those that are reached through a VPN or the internet are."
                    .into()
            }
            Self::Link(link) => match link.kind {
                LinkKind::Local | LinkKind::Virtual => return None,
                LinkKind::SelfAssigned => {
                    "Unless two computers are joined by a single cable, check the cable or the Wi-Fi: the router did not answer."
                        .into()
                }
                LinkKind::Vpn => {
                    "If devices nearby are not found or not reached, switch it off for a moment, or allow local networks in it."
                        .into()
                }
            },
            Self::ServerOn { .. }
            | Self::FirewallOff
            | Self::FirewallOpen { .. }
            | Self::Connected { .. }
            | Self::Beacon { returned: true, .. } => return None,
            Self::ServerAlone { .. } => {
                "Start it without --listen, or with an address of the network.".into()
            }
            Self::ServerOff { .. } => {
                "Sending from here works. For others to send here, switch Receive on.".into()
            }
            Self::OwnBlocked { .. } => {
                "So it could not be found out whether that is Ropeway. A firewall or security software here \
                 rejects them: allow connections of this computer to itself."
                    .into()
            }
            Self::PortTaken { port, .. } => format!(
                "Switched on, Receive takes the next free port; others then have to type that one instead of {port}."
            ),
            Self::OwnAddressFails { .. } => {
                "Switch Receive off and on again; if that does not help, look for security software that filters connections."
                    .into()
            }
            Self::FirewallBlocks { firewall, remedy, .. } => blocked(firewall, remedy.lasting),
            Self::FirewallUnclear { why: reason, firewall, .. } => match (reason, firewall) {
                (Unclear::NotAllowed, Some(_)) => {
                    "If others cannot send here, open it; that does no harm if it is open already."
                        .into()
                }
                (Unclear::NotAllowed, None) => "If others cannot send here, look.".into(),
                (Unclear::Rules | Unclear::NoAnswer, _) => {
                    "If others cannot send here, look through its rules.".into()
                }
            },
            Self::DiscoveryDeaf { .. } => {
                "End that program, or use the other device's address.".into()
            }
            Self::DiscoveryOff => "Switch them on in the settings.".into(),
            Self::Beacon { returned: false, .. } => {
                "The network may keep devices apart (guest networks do). Use the other device's address instead."
                    .into()
            }
            Self::NameFound { .. } if self.severity() == super::Severity::Good => return None,
            Self::NameFound { .. } => {
                "That is slow. Use the address itself, or have the name service of this computer looked at."
                    .into()
            }
            Self::NameUnknown { .. } => {
                "Check its spelling, or use the address that the other device shows under Receive."
                    .into()
            }
            Self::NameSilent { .. } => {
                "The name service does not answer. Use the address that the other device shows under Receive."
                    .into()
            }
            Self::ScopeMissing { forms, .. } if forms.is_empty() => {
                "Use another address of the device: no interface here has one of this kind.".into()
            }
            Self::ScopeMissing { forms, .. } => {
                format!("Add the interface behind a percent sign: {}.", listed(forms))
            }
            Self::ThisComputer { .. } => {
                "To send to another device, use the address that it shows under Receive.".into()
            }
            Self::Road { road, .. } => match road {
                Road::SameNetwork { .. } => return None,
                Road::OtherNetwork { .. } => {
                    "If it is not reached, join the same network: routers often let nothing in, and guest networks lead nowhere."
                        .into()
                }
                Road::Vpn { .. } => {
                    "That works if the other device is in the same VPN. If it is nearby, use the address it has in the local network."
                        .into()
                }
                Road::VpnInTheWay { .. } => {
                    "Switch the VPN off, or allow local networks in it.".into()
                }
                Road::None => "Join the network that the other device is in.".into(),
            },
            Self::NotConnected { elsewhere: true, .. } => {
                "Another of its addresses works, and is used.".into()
            }
            Self::NotConnected { why: reason, .. } => match reason {
                NoConnection::Refused => {
                    "Switch Receive on there, and compare the port with the one that it shows.".into()
                }
                NoConnection::TimedOut => {
                    "Mostly a firewall there drops it: run `ropeway doctor` there, or open “Why can’t I connect?” in its window. Or it is off, asleep, or in another network."
                        .into()
                }
                NoConnection::Reset => {
                    "Something in between ends it: a firewall, or security software on one of the two."
                        .into()
                }
                NoConnection::NobodyThere => {
                    "It is off, asleep, or has another address by now: compare the one that it shows under Receive."
                        .into()
                }
                NoConnection::TurnedAway => {
                    "A firewall there rejects it: run `ropeway doctor` there, or open “Why can’t I connect?” in its window."
                        .into()
                }
                NoConnection::NoRoute => "Join the network that the other device is in.".into(),
                NoConnection::Forbidden => {
                    "A firewall or security software of this computer keeps Ropeway from connecting: allow it there."
                        .into()
                }
                NoConnection::Other(_) => {
                    "Try again; if it stays so, restart the network of both computers.".into()
                }
            },
            Self::Stranger { .. } => {
                "Compare the address and the port with those that the other device shows under Receive."
                    .into()
            }
            Self::Answers { known: true, .. } => return None,
            Self::Answers { ways, .. } => entry(ways),
            Self::KnownOnly { .. } => {
                "Let its person choose “with code” under Receive, and remember this device then."
                    .into()
            }
            Self::AnotherDevice { .. } => {
                "Find out the address that the other device has now: it shows it under Receive.".into()
            }
            Self::OtherVersion { .. } => "Update Ropeway on both.".into(),
            Self::Busy { .. } => "Try again in a moment.".into(),
            Self::Greeting { .. } => {
                "Try again; if it stays so, update Ropeway on both.".into()
            }
        };
        Some(next)
    }
}

fn entry(ways: &[super::Way]) -> String {
    use super::Way;
    let what = if ways.contains(&Way::Passphrase) {
        "its passphrase"
    } else if ways.contains(&Way::Code) {
        "the code on its screen"
    } else {
        "nothing; both people compare four symbols"
    };
    format!("It asks for {what}.")
}

fn blocked(firewall: &Firewall, lasting: bool) -> String {
    match firewall {
        Firewall::Windows => {
            "Open Windows Security › Firewall & network protection › Allow an app through firewall, and allow Ropeway in private networks. Or, in a PowerShell that was started as administrator:"
                .into()
        }
        Firewall::MacOs => {
            "Open System Settings › Network › Firewall › Options, and allow incoming connections for Ropeway. Or, in a terminal:"
                .into()
        }
        Firewall::Ufw | Firewall::Firewalld { .. } | Firewall::Nftables | Firewall::Iptables => {
            if lasting {
                "To let it in, run this in a terminal:".into()
            } else {
                "To let it in until the next restart, run this in a terminal (and add it to the firewall's own file to keep it):"
                    .into()
            }
        }
    }
}
