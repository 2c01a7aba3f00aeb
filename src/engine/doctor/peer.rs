//! The device that is not reached: its name, the way to it, who answers there.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::links::{OwnLink, is_own, link_local_interfaces, road};
use super::stranger;
use super::{Chart, Stop};
use crate::channel::{Channel, ChannelError};
use crate::engine::dial::{self, Dialed};
use crate::engine::event::Found;
use crate::engine::failures::greeting_failure;
use crate::engine::greeting::look_at_server;
use crate::engine::limits::CLIENT_DEADLINE;
use crate::engine::wire::{Ends, Phase, Purpose};
use crate::engine::{Shared, lock, shown};
use crate::model::finding::{NoConnection, Road, Speaks};
use crate::model::{Bond, DeviceName, Failure, Finding, PeerAddress, Way};

/// Whoever has not found a name by then has other trouble.
const NAME_WITHIN: Duration = Duration::from_secs(10);
/// A little longer than it takes to find out that nobody in a local network has an address (three
/// questions, a second apart).
const CONNECT_WITHIN: Duration = Duration::from_secs(6);
/// Of one name: two networks, both kinds of addresses, and some old ones.
const MAX_ADDRESSES: usize = 8;
/// Looking for a neighbour takes longer than this; an answer that comes sooner came from somebody.
const AT_ONCE: Duration = Duration::from_millis(700);

pub fn examine(of: &PeerAddress, links: &[OwnLink], shared: &Shared, chart: &mut Chart) {
    let Some(mut addresses) = resolved(of, chart) else {
        return;
    };
    // A device that has moved is where it is heard of.
    let heard = of.device.map(|device| shared.whereabouts.of(device));
    for (place, at) in heard.into_iter().flatten().enumerate() {
        addresses.retain(|other| *other != at);
        addresses.insert(place.min(addresses.len()), at);
    }
    addresses.truncate(MAX_ADDRESSES);
    let unscoped = addresses.iter().find_map(|each| match each {
        SocketAddr::V6(v6) if v6.scope_id() == 0 && v6.ip().is_unicast_link_local() => Some(*v6),
        SocketAddr::V6(_) | SocketAddr::V4(_) => None,
    });
    if let Some(unscoped) = unscoped {
        addresses.retain(|each| *each != SocketAddr::V6(unscoped));
        chart.add(Finding::ScopeMissing {
            address: (*unscoped.ip()).into(),
            forms: scoped_forms(*unscoped.ip(), of.port),
        });
        if addresses.is_empty() {
            return;
        }
    }
    if let Some(own) = addresses.iter().find(|each| is_own(links, each.ip())) {
        let address = own.ip().to_canonical();
        return chart.add(Finding::ThisComputer { address });
    }
    let mut reachable = Vec::new();
    for address in addresses {
        let road = road(links, address);
        let leads = road != Road::None;
        // Of several addresses some need not be reached.
        if leads || address.is_ipv4() {
            let address = address.ip().to_canonical();
            chart.add(Finding::Road { address, road });
        }
        if leads {
            reachable.push(address);
        }
    }
    let tried = connect_all(&reachable, chart.stop);
    if chart.stop.wanted() {
        return;
    }
    let elsewhere = tried.iter().any(|(_, result)| result.is_ok());
    let mut looked = false;
    for (address, result) in tried {
        match result {
            Ok(Dialed { socket, round_trip }) => {
                chart.add(Finding::Connected {
                    address: plain(address),
                    millis: u64::try_from(round_trip.as_millis()).unwrap_or(u64::MAX),
                });
                // One is enough: the others are other ways to the same device, mostly.
                if !std::mem::replace(&mut looked, true) {
                    let look = look(socket, shared, chart.stop);
                    if let Some(finding) = who(address, look, of, shared) {
                        chart.add(finding);
                    }
                }
            }
            Err(why) => chart.add(Finding::NotConnected {
                address: plain(address),
                why,
                elsewhere,
            }),
        }
    }
}

/// Such an address is in every network anew: with each interface on which it may be, as it is typed.
fn scoped_forms(ip: Ipv6Addr, port: Option<u16>) -> Vec<String> {
    let forms = link_local_interfaces()
        .into_iter()
        .map(|interface| match port {
            Some(port) => format!("[{ip}%{interface}]:{port}"),
            None => format!("{ip}%{interface}"),
        });
    forms.collect()
}

fn plain(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
        IpAddr::V6(_) => address,
    }
}

/// `None`: nothing to go on with, which is told.
fn resolved(of: &PeerAddress, chart: &mut Chart) -> Option<Vec<SocketAddr>> {
    let asked = Instant::now();
    let stop = chart.stop;
    let gave_up = || stop.wanted() || asked.elapsed() >= NAME_WITHIN;
    let host = crate::model::displayable(&of.host);
    let found = dial::resolve(of, &gave_up);
    if stop.wanted() {
        return None;
    }
    let Some(found) = found else {
        chart.add(Finding::NameSilent {
            host,
            seconds: NAME_WITHIN.as_secs(),
        });
        return None;
    };
    let mut addresses = found.unwrap_or_default();
    let mut seen = std::collections::HashSet::new();
    addresses.retain(|address| seen.insert(*address));
    addresses.truncate(MAX_ADDRESSES);
    if addresses.is_empty() {
        chart.add(Finding::NameUnknown { host });
        return None;
    }
    if of.host.parse::<IpAddr>().is_err() {
        let ips = addresses.iter().map(|each| each.ip().to_canonical());
        chart.add(Finding::NameFound {
            host,
            addresses: ips.collect(),
            millis: u64::try_from(asked.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
    }
    Some(addresses)
}

/// All at the same time, or many that drop everything would take a minute.
fn connect_all(
    addresses: &[SocketAddr],
    stop: &Stop,
) -> Vec<(SocketAddr, Result<Dialed, NoConnection>)> {
    thread::scope(|scope| {
        let tries = addresses.iter().map(|address| {
            let thread = thread::Builder::new()
                .name("doctor-dial".into())
                .spawn_scoped(scope, || dialed(*address, CONNECT_WITHIN, stop));
            (*address, thread)
        });
        let tries: Vec<_> = tries.collect();
        tries
            .into_iter()
            .filter_map(
                |(address, thread)| match thread.map(|thread| thread.join()) {
                    Ok(Ok(result)) => Some((address, result?)),
                    Ok(Err(_)) | Err(_) => None,
                },
            )
            .collect()
    })
}

/// `None`: nobody wants to know any more.
pub fn connect(
    to: SocketAddr,
    within: Duration,
    stop: &Stop,
) -> Option<Result<TcpStream, NoConnection>> {
    dialed(to, within, stop).map(|result| result.map(|Dialed { socket, .. }| socket))
}

fn dialed(to: SocketAddr, within: Duration, stop: &Stop) -> Option<Result<Dialed, NoConnection>> {
    let begun = Instant::now();
    let gave_up = || stop.wanted() || begun.elapsed() >= within;
    match dial::dial_again(to, gave_up) {
        Some(Ok(dialed)) => Some(Ok(dialed)),
        Some(Err(error)) => Some(Err(why(&error, begun.elapsed()))),
        None if stop.wanted() => None,
        None => Some(Err(NoConnection::TimedOut)),
    }
}

fn why(error: &std::io::Error, after: Duration) -> NoConnection {
    match error.kind() {
        ErrorKind::ConnectionRefused => NoConnection::Refused,
        ErrorKind::TimedOut => NoConnection::TimedOut,
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => NoConnection::Reset,
        ErrorKind::HostUnreachable if after < AT_ONCE => NoConnection::TurnedAway,
        ErrorKind::HostUnreachable => NoConnection::NobodyThere,
        ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable => NoConnection::NoRoute,
        ErrorKind::PermissionDenied => NoConnection::Forbidden,
        _ => NoConnection::Other(crate::model::displayable(&error.to_string())),
    }
}

/// Who answers in a connection.
pub enum Look {
    Found(Found),
    Ourselves,
    Version,
    Busy,
    Stranger(Speaks),
    Failed(Failure),
    GaveUp,
}

/// Greets whoever is there and leaves; nothing is proven. What does not understand a greeting is
/// listened to in a connection of its own.
pub fn look(socket: TcpStream, shared: &Shared, stop: &Stop) -> Look {
    let address = socket.peer_addr();
    if stop.cut().connected(&socket).is_err() || stop.wanted() {
        return Look::GaveUp;
    }
    let deadline = Instant::now() + CLIENT_DEADLINE;
    let channel = Channel::connect(socket, &shared.identity, deadline);
    if stop.wanted() {
        return Look::GaveUp;
    }
    let mut channel = match channel {
        Ok(channel) => channel,
        Err(error) => {
            tracing::info!(%error, "no channel");
            let tls = match &error {
                // It has greeted us as TLS does, and there is nothing more to find out.
                ChannelError::AnotherTls => return Look::Stranger(Speaks::Tls),
                // Its certificate is none that we take.
                ChannelError::Tls(_) => true,
                ChannelError::NotRopeway
                | ChannelError::Deadline
                | ChannelError::Budget
                | ChannelError::Io(_) => false,
            };
            let speaks = address.ok().map(|at| stranger::listen(at, stop));
            return match speaks {
                _ if stop.wanted() => Look::GaveUp,
                Some(Some(speaks)) => Look::Stranger(speaks),
                Some(None) if tls => Look::Stranger(Speaks::Tls),
                Some(None) if hung_up(&error) => Look::Busy,
                Some(None) | None => Look::Stranger(Speaks::Silence),
            };
        }
    };
    let ours = shared.identity.device_id();
    if channel.peer == ours {
        return Look::Ourselves;
    }
    let name = lock(&shared.name).clone();
    let trace = shared
        .wire
        .open("doctor".into(), Purpose::Look, Phase::Hello);
    let _ends = Ends(trace.clone());
    let looked = look_at_server(&mut channel, ours, &name, &trace);
    let _ = channel.writer.close();
    match looked {
        Ok((name, ways)) => Look::Found(Found {
            id: channel.peer,
            name,
            ways,
            paired: shared.known.pair_key(channel.peer).is_some(),
        }),
        Err(_) if stop.wanted() => Look::GaveUp,
        Err(error) => match greeting_failure(error, &address.map_or_else(|_| String::new(), shown))
        {
            Failure::Version => Look::Version,
            Failure::Busy => Look::Busy,
            other => Look::Failed(other),
        },
    }
}

fn hung_up(error: &ChannelError) -> bool {
    matches!(error, ChannelError::Io(error) if matches!(
        error.kind(),
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
    ))
}

fn who(address: SocketAddr, look: Look, of: &PeerAddress, shared: &Shared) -> Option<Finding> {
    let address = plain(address);
    let found = match look {
        Look::GaveUp => return None,
        Look::Ourselves => {
            let address = address.ip();
            return Some(Finding::ThisComputer { address });
        }
        Look::Version => return Some(Finding::OtherVersion { address }),
        Look::Busy => return Some(Finding::Busy { address }),
        Look::Stranger(speaks) => return Some(Finding::Stranger { address, speaks }),
        Look::Failed(failure) => {
            let why = failure.to_string();
            return Some(Finding::Greeting { address, why });
        }
        Look::Found(found) => found,
    };
    let meant = of.device.filter(|meant| *meant != found.id);
    if meant.is_some() {
        let meant = meant.and_then(|id| shared.known.get(id));
        return Some(Finding::AnotherDevice {
            address,
            found: found.name,
            meant: meant.map(|known| known.shown().clone()),
        });
    }
    if of.device.is_none()
        && let Some(meant) = last_there(of, shared)
        && meant.0 != found.id
    {
        return Some(Finding::AnotherDevice {
            address,
            found: found.name,
            meant: Some(meant.1),
        });
    }
    let typed = found.ways.iter().any(|way| *way != Way::Pair);
    if !found.paired && !typed {
        let name = found.name;
        return Some(Finding::KnownOnly { address, name });
    }
    Some(Finding::Answers {
        address,
        name: found.name,
        ways: found.ways,
        known: found.paired,
    })
}

/// Which known device was last at this very address.
fn last_there(of: &PeerAddress, shared: &Shared) -> Option<(crate::model::DeviceId, DeviceName)> {
    let here = |text: &str| {
        text.parse::<PeerAddress>()
            .is_ok_and(|known| known.host == of.host && known.port() == of.port())
    };
    let all = shared.known.all();
    let mut there = all
        .iter()
        .filter(|known| known.bond == Bond::Paired && known.address.as_deref().is_some_and(here));
    let first = there.next()?;
    // Several have been there: any of them may be meant.
    there
        .next()
        .is_none()
        .then(|| (first.id, first.shown().clone()))
}
