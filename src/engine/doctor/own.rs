//! The server on this computer: is it on, and can it be reached at its own address.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::links::OwnLink;
use super::peer::{self, Look};
use super::{Chart, OwnServer};
use crate::engine::{Shared, listener};
use crate::model::Finding;
use crate::model::finding::{LinkKind, NoConnection, Speaks};

/// On this very computer an answer takes no time.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

pub fn server(server: OwnServer, links: &[OwnLink], shared: &Shared, chart: &mut Chart) {
    let (listens, here) = match server {
        OwnServer::On(addr) => (addr, true),
        OwnServer::Off { port } => (SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port), false),
    };
    let port = listens.port();
    if !here {
        match peer::connect(listens, ANSWER_WITHIN, chart.stop) {
            Some(Ok(socket)) => match peer::look(socket, shared, chart.stop) {
                // This device's own, in another process, or another device's.
                Look::Ourselves | Look::Found(_) | Look::Version => {}
                Look::Busy => return chart.add(taken(port, Speaks::Unknown)),
                Look::Stranger(speaks) => return chart.add(taken(port, speaks)),
                Look::Failed(_) => return chart.add(taken(port, Speaks::Ropeway)),
                Look::GaveUp => return,
            },
            // A firewall may answer in place of who listens.
            Some(Err(why)) if listens_there(port, &why) => {
                return chart.add(Finding::OwnBlocked { port, why });
            }
            Some(Err(_nobody)) => return chart.add(Finding::ServerOff { port }),
            None => return,
        }
    }
    if listens.ip().is_loopback() && here {
        return chart.add(Finding::ServerAlone { listens });
    }
    let addresses = match here && !listens.ip().is_unspecified() {
        true => vec![listens.ip()],
        false => own_addresses(links),
    };
    let mut answering = Vec::new();
    let mut failing = None;
    for address in addresses {
        let address = SocketAddr::new(address, port);
        match peer::connect(address, ANSWER_WITHIN, chart.stop) {
            Some(Ok(_socket)) => answering.push(address.ip()),
            Some(Err(why)) => failing = failing.or(Some((address, why))),
            None => return,
        }
    }
    match failing {
        // In another process it may listen at another address than all.
        Some((_, NoConnection::Refused)) if !here && answering.is_empty() => {
            chart.add(Finding::ServerAlone { listens });
        }
        Some((address, why)) => chart.add(Finding::OwnAddressFails { address, why }),
        None => chart.add(Finding::ServerOn {
            port,
            addresses: answering,
        }),
    }
}

/// Whether a program of this computer has the port, whatever a connection says.
#[cfg(target_os = "linux")]
fn listens_there(port: u16, _why: &NoConnection) -> bool {
    /// `TCP_LISTEN` (proc_net_tcp.rst).
    const LISTEN: &str = "0A";
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().any(|table| {
        let table = std::fs::read_to_string(table).unwrap_or_default();
        table.lines().skip(1).any(|line| {
            let mut fields = line.split_ascii_whitespace().skip(1);
            let local = fields.next().and_then(|local| local.rsplit_once(':'));
            let state = fields.nth(1);
            let at = local.and_then(|(_, port)| u16::from_str_radix(port, 16).ok());
            at == Some(port) && state == Some(LISTEN)
        })
    })
}

/// Whoever is there does not refuse; a firewall that does in its place is not told apart.
#[cfg(not(target_os = "linux"))]
fn listens_there(_port: u16, why: &NoConnection) -> bool {
    *why != NoConnection::Refused
}

fn taken(port: u16, speaks: Speaks) -> Finding {
    Finding::PortTaken { port, speaks }
}

/// One of each local interface: what others would type.
fn own_addresses(links: &[OwnLink]) -> Vec<IpAddr> {
    let told = listener::addresses(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0));
    let local = links.iter().filter(|link| link.kind == LinkKind::Local);
    let first = local.filter_map(|link| {
        let mut addresses = link.networks.iter().map(|network| network.address);
        addresses.find(|address| told.contains(address))
    });
    first.collect()
}
