//! DNS-SD (RFC 6763) in addition: stock firewalls let it through where they drop everything else.
//!
//! What it tells goes into the same table. How long a record says that it is good for (an hour or so)
//! does not count: while some device is known by its record alone, records are asked for again.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use mdns_sd::{
    IfKind, IfPredicate, RecvTimeoutError, ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent,
    ServiceInfo,
};

use super::beacon::{Announcement, Call, Instance};
use super::bucket::{Bucket, Rate};
use super::networks::Network;
use super::presence::Inner;
use super::table::Source;
use crate::model::{DeviceId, DeviceName, System};

pub const SERVICE: &str = "_ropeway._tcp.local.";
/// A record needs a port, also of a device that does not receive (`rx=0`).
const NO_PORT: u16 = 9;
const VERSION: &str = "1";
/// A label has at most 63 bytes; the rest tells programs apart.
const MAX_LABEL_NAME_BYTES: usize = 40;
/// Of a string in a TXT record, its key included.
const MAX_TXT_BYTES: usize = 255;
const ASK_EVERY: Duration = Duration::from_secs(4);
/// Names beyond these are a flood.
const MOST_NAMES: usize = 512;
/// Of records that are looked at.
const INTAKE: Rate = Rate {
    a_second: 50.0,
    at_once: 200.0,
};
const LOOK_UP_EVERY: Duration = Duration::from_secs(2);
/// The daemon does not answer for so long: then it is left to itself.
const END_WITHIN: Duration = Duration::from_millis(500);
/// Networks come and go.
const LOOK_AT_NETWORKS_SECONDS: u32 = 3;

/// Dropping it takes the own record back.
pub struct Records {
    daemon: ServiceDaemon,
    thread: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    names: Arc<Mutex<Vec<String>>>,
    registered: Option<String>,
}

impl Records {
    pub fn start(inner: &Arc<Inner>) -> Result<Self, String> {
        let said = |error: mdns_sd::Error| error.to_string();
        let daemon = ServiceDaemon::new().map_err(said)?;
        let names: Arc<Mutex<Vec<String>>> = Arc::default();
        let wanted = names.clone();
        let suits = IfPredicate::new(move |interface| {
            let names = wanted.lock().unwrap_or_else(PoisonError::into_inner);
            names.contains(&interface.name)
        });
        let _ = daemon.set_ip_check_interval(LOOK_AT_NETWORKS_SECONDS);
        daemon.disable_interface(IfKind::All).map_err(said)?;
        let enabled = daemon.enable_interface(IfKind::Predicate(suits));
        enabled.map_err(said)?;
        let stop = Arc::new(AtomicBool::new(false));
        let thread = {
            let (daemon, stop, inner) = (daemon.clone(), stop.clone(), inner.clone());
            let thread = std::thread::Builder::new().name("records".into());
            thread
                .spawn(move || browse(&daemon, &stop, &inner))
                .map_err(|error| error.to_string())?
        };
        Ok(Self {
            daemon,
            thread: Some(thread),
            stop,
            names,
            registered: None,
        })
    }

    /// Speaks and listens on these from now on.
    pub fn keep_to(&self, networks: &[Network]) {
        let names = networks.iter().map(|network| network.name.clone());
        let wanted = self.names.clone();
        *wanted.lock().unwrap_or_else(PoisonError::into_inner) = names.collect();
        // Said anew, it is looked at anew at once.
        let suits = IfPredicate::new(move |interface| {
            let names = wanted.lock().unwrap_or_else(PoisonError::into_inner);
            names.contains(&interface.name)
        });
        let _ = self.daemon.enable_interface(IfKind::Predicate(suits));
    }

    /// The own record; `None` takes it back.
    pub fn set(&mut self, said: Option<Announcement>) {
        let record = said.and_then(|said| {
            let made = record(&said);
            made.map_err(|error| tracing::warn!(%error, "no DNS-SD record"))
                .ok()
        });
        let name = record
            .as_ref()
            .map(|record| record.get_fullname().to_owned());
        if self.registered != name
            && let Some(before) = std::mem::replace(&mut self.registered, name)
        {
            let _ = self.daemon.unregister(&before);
        }
        if let Some(record) = record
            && let Err(error) = self.daemon.register(record)
        {
            tracing::warn!(%error, "no DNS-SD record");
        }
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(name) = self.registered.take()
            && let Ok(done) = self.daemon.unregister(&name)
        {
            let _ = done.recv_timeout(END_WITHIN);
        }
        // It ends the browsing, too, by which the thread wakes.
        if let Ok(done) = self.daemon.shutdown() {
            let _ = done.recv_timeout(END_WITHIN);
        }
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

/// The thread that hears of records.
fn browse(daemon: &ServiceDaemon, stop: &AtomicBool, inner: &Inner) {
    let Ok(mut events) = daemon.browse(SERVICE) else {
        return;
    };
    let mut intake = Intake::new(Instant::now());
    let mut cut_off = false;
    while !stop.load(Ordering::SeqCst) {
        match events.recv_timeout(LOOK_UP_EVERY) {
            Ok(ServiceEvent::ServiceFound(_, full_name)) => intake.found(full_name),
            Ok(ServiceEvent::ServiceResolved(service)) => {
                if intake.lets_in(Instant::now())
                    && let Some((said, addresses)) = understood(&service)
                {
                    inner.recorded(service.get_fullname(), &said, addresses);
                }
            }
            Ok(ServiceEvent::ServiceRemoved(_, full_name)) => {
                intake.names.remove(&full_name);
                inner.record_gone(&full_name);
            }
            Ok(_other) => {}
            Err(RecvTimeoutError::Timeout) => {}
            // The daemon ends it when it is full, too.
            Err(RecvTimeoutError::Disconnected) => {
                intake.missed = true;
                cut_off = true;
                std::thread::park_timeout(LOOK_UP_EVERY);
            }
        }
        let now = Instant::now();
        if intake.is_time(now) && (intake.asks() || inner.asks_for_records()) {
            if std::mem::take(&mut cut_off) {
                // It forgets only what somebody browses.
                let _ = daemon.browse(SERVICE);
            }
            // Without what it remembers, it asks at once, and everybody answers.
            let again = daemon
                .stop_browse(SERVICE)
                .and_then(|()| daemon.browse(SERVICE));
            match again {
                Ok(again) => {
                    events = again;
                    intake.begun_anew(now);
                }
                Err(error) => {
                    tracing::debug!(%error, "records were not asked for again");
                    intake.asked = now;
                }
            }
        }
    }
}

/// How much comes in, whoever makes it up.
struct Intake {
    bucket: Bucket,
    /// That the daemon keeps by now, and would keep for an hour.
    names: HashSet<String>,
    /// Something that was said was not looked at.
    missed: bool,
    asked: Instant,
}

impl Intake {
    fn new(now: Instant) -> Self {
        Self {
            bucket: Bucket::new(INTAKE, now),
            names: HashSet::new(),
            missed: false,
            asked: now,
        }
    }

    fn found(&mut self, full_name: String) {
        if self.names.len() <= MOST_NAMES {
            self.names.insert(full_name);
        }
    }

    fn lets_in(&mut self, now: Instant) -> bool {
        let some = self.bucket.take(now);
        self.missed |= !some;
        some
    }

    fn is_time(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.asked) >= ASK_EVERY
    }

    /// Whether to ask anew, by which the daemon forgets.
    fn asks(&self) -> bool {
        self.missed || self.names.len() > MOST_NAMES
    }

    fn begun_anew(&mut self, now: Instant) {
        self.names.clear();
        self.missed = false;
        self.asked = now;
    }
}

fn record(said: &Announcement) -> mdns_sd::Result<ServiceInfo> {
    let instance = HEXLOWER.encode(&said.instance.0);
    let short = instance.get(..4).unwrap_or_default();
    let name = cut(said.name.as_str(), MAX_LABEL_NAME_BYTES);
    let label = format!("{name} {}-{short}", said.device.short());
    let host = format!("ropeway-{}-{short}.local.", said.device.short());
    let key_bytes = "name=".len();
    let mut properties = vec![
        ("v", VERSION.to_owned()),
        ("id", said.device.to_string()),
        ("instance", instance.clone()),
        (
            "name",
            cut(said.name.as_str(), MAX_TXT_BYTES - key_bytes).to_owned(),
        ),
        ("system", said.system.as_str().to_owned()),
        ("rx", if said.port.is_some() { "1" } else { "0" }.to_owned()),
    ];
    if let Some(call) = &said.call {
        properties.push(("call", HEXLOWER.encode(&call.to_bytes())));
    }
    let port = said.port.unwrap_or(NO_PORT);
    let info = ServiceInfo::new(SERVICE, &label, &host, "", port, properties.as_slice())?;
    let mut info = info.enable_addr_auto();
    // Nobody else has the device's id in its name.
    info.set_requires_probe(false);
    Ok(info)
}

/// A record of ours that this version understands.
fn understood(service: &ResolvedService) -> Option<(Announcement, Vec<Source>)> {
    let text = |key| service.get_property_val_str(key);
    if text("v")? != VERSION {
        return None;
    }
    let device: DeviceId = text("id")?.parse().ok()?;
    let instance = HEXLOWER.decode(text("instance")?.as_bytes()).ok()?;
    let receives = text("rx") != Some("0");
    let call = text("call").and_then(|hex| HEXLOWER.decode(hex.as_bytes()).ok());
    let said = Announcement {
        device,
        instance: Instance(instance.try_into().ok()?),
        name: DeviceName::cleaned(text("name").unwrap_or_default(), &device.short()),
        system: text("system").map(System::parse).unwrap_or_default(),
        port: Some(service.get_port()).filter(|port| receives && *port != 0),
        call: call.and_then(|bytes| Call::from_bytes(&bytes)),
    };
    let mut addresses: Vec<_> = service.get_addresses().iter().filter_map(source).collect();
    addresses.sort_unstable_by_key(|source| (source.ip, source.scope));
    Some((said, addresses))
}

fn source(ip: &ScopedIp) -> Option<Source> {
    Some(match ip {
        ScopedIp::V4(v4) => Source {
            ip: IpAddr::V4(*v4.addr()),
            scope: 0,
        },
        ScopedIp::V6(v6) => Source {
            ip: IpAddr::V6(*v6.addr()),
            scope: match v6.addr().is_unicast_link_local() {
                true => v6.scope_id().index,
                false => 0,
            },
        },
        _later => return None,
    })
}

/// At most so many bytes, and whole characters.
fn cut(text: &str, most: usize) -> &str {
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    let end = ends.take_while(|end| *end <= most).last();
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_records_is_let_in_slowly_and_what_was_missed_is_asked_for_again() {
        let start = Instant::now();
        let mut intake = Intake::new(start);
        assert!(intake.lets_in(start) && !intake.asks());
        let in_all = (0..10_000).filter(|_| intake.lets_in(start)).count();
        assert!(in_all < 200 && intake.asks());
        assert!(!intake.is_time(start) && intake.is_time(start + ASK_EVERY));
        intake.begun_anew(start + ASK_EVERY);
        assert!(!intake.asks() && intake.lets_in(start + ASK_EVERY));
        // However seldom they come.
        for name in 0..10_000 {
            intake.found(name.to_string());
        }
        assert!(intake.asks() && intake.names.len() == MOST_NAMES + 1);
        intake.begun_anew(start + ASK_EVERY * 2);
        assert!(!intake.asks() && intake.names.is_empty());
    }

    #[test]
    fn a_record_says_what_a_beacon_says() {
        let said = Announcement {
            device: DeviceId([0xab; 32]),
            instance: Instance([0xcd; 8]),
            name: DeviceName::cleaned(&"书房".repeat(32), "x"),
            system: System::MacOs,
            port: Some(9001),
            call: Some(Call {
                port: 9002,
                time: 1,
                nonce: [1; 16],
                proof: [2; 32],
            }),
        };
        let service = record(&said).unwrap().as_resolved_service();
        let label = service.get_fullname().strip_suffix(SERVICE).unwrap();
        assert!(label.len() <= 64, "{label}");
        assert_eq!(understood(&service).unwrap().0, said);
        let off = Announcement {
            port: None,
            call: None,
            ..said
        };
        let service = record(&off).unwrap().as_resolved_service();
        assert_eq!(understood(&service).unwrap().0, off);
    }
}
