//! What is open while this device takes part: sockets, the threads that listen to them, and the networks
//! they are used on.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::beacon::{Announcement, Beacon, MAX_BYTES};
use super::mdns::Records;
use super::networks::{Network, suitable};
use super::presence::Inner;
use super::report::{Family, NetworkReport, Report};
use super::sockets::{Line, is_harmless};

/// In a flood, nobody listens for so long after so many datagrams that were not looked at.
const REST: Duration = Duration::from_millis(10);
const REST_AFTER: u32 = 128;
/// A goodbye that gets lost costs others [`super::table::GONE_AFTER`].
const GOODBYE_AGAIN_AFTER: Duration = Duration::from_millis(30);

/// The thread of one socket.
fn listen(line: &Line, voice: &Line, inner: &Inner) {
    let mut buffer = [0; MAX_BYTES + 1];
    let mut unseen = 0;
    loop {
        line.wait();
        if line.is_over() {
            return;
        }
        let received = line.socket.recv_from(&mut buffer);
        let (length, from) = match received {
            Ok(received) => received,
            Err(error) if is_harmless(&error) => continue,
            Err(error) => {
                tracing::debug!(%error, "a datagram could not be received");
                std::thread::sleep(REST);
                continue;
            }
        };
        let (answer, too_much) = inner.datagram(&buffer[..length], from);
        if let Some(answer) = answer {
            // Who asked may be gone by now.
            let _ = voice.socket.send_to(&answer, from);
        }
        unseen += u32::from(too_much);
        if unseen >= REST_AFTER {
            unseen = 0;
            std::thread::sleep(REST);
        }
    }
}

/// What is open while this device takes part.
pub(super) struct Air {
    ears: Vec<Arc<Line>>,
    voices: Vec<Arc<Line>>,
    threads: Vec<JoinHandle<()>>,
    networks: Vec<Network>,
    reports: HashMap<(String, Family), NetworkReport>,
    deaf: Vec<(Family, String)>,
    records: Result<Records, String>,
}

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

impl Air {
    pub(super) fn open(inner: &Arc<Inner>) -> Self {
        let mut air = Self {
            ears: Vec::new(),
            voices: Vec::new(),
            threads: Vec::new(),
            networks: Vec::new(),
            reports: HashMap::new(),
            deaf: Vec::new(),
            records: Records::start(inner),
        };
        if let Err(error) = &air.records {
            tracing::warn!(%error, "no DNS-SD");
        }
        air.open_lines(inner);
        air
    }

    /// Those that are not open yet. What is in the way is logged once.
    fn open_lines(&mut self, inner: &Arc<Inner>) {
        let deaf_before = std::mem::take(&mut self.deaf);
        for family in FAMILIES {
            let has = |lines: &[Arc<Line>]| lines.iter().any(|line| line.family == family);
            if !has(&self.voices) {
                match Line::voice(family) {
                    Ok(voice) => {
                        let voice = Arc::new(voice);
                        self.voices.push(voice.clone());
                        self.listen(inner, voice.clone(), voice);
                    }
                    Err(error) => self.deaf.push((family, error.to_string())),
                }
            }
            let voice = self.voices.iter().find(|voice| voice.family == family);
            if let Some(voice) = voice.cloned()
                && !has(&self.ears)
            {
                match Line::ear(family) {
                    Ok(ear) => {
                        let ear = Arc::new(ear);
                        self.ears.push(ear.clone());
                        self.networks.clear();
                        self.listen(inner, ear, voice);
                    }
                    Err(error) => self.deaf.push((family, error.to_string())),
                }
            }
        }
        if self.deaf != deaf_before {
            for (family, error) in &self.deaf {
                tracing::warn!(?family, %error, "others cannot be heard");
            }
        }
    }

    fn listen(&mut self, inner: &Arc<Inner>, line: Arc<Line>, voice: Arc<Line>) {
        let inner = inner.clone();
        let thread = std::thread::Builder::new().name("hear".into());
        match thread.spawn(move || listen(&line, &voice, &inner)) {
            Ok(thread) => self.threads.push(thread),
            Err(error) => tracing::warn!(%error, "no thread to listen"),
        }
    }

    /// Whether the networks are others than at the last look.
    pub(super) fn look(&mut self, inner: &Arc<Inner>) -> bool {
        self.open_lines(inner);
        let networks = suitable();
        if networks == self.networks {
            return false;
        }
        tracing::debug!(?networks, "the networks have changed");
        let mut reports = HashMap::new();
        for network in &networks {
            for ear in &self.ears {
                let Some(joined) = ear.join(network) else {
                    continue;
                };
                let address = match ear.family {
                    Family::V4 => network.v4.first().map(|own| own.ip.into()),
                    Family::V6 => network.link_local().map(Into::into),
                };
                let which = (network.name.clone(), ear.family);
                let before = self.reports.remove(&which);
                let join_failed = joined.err().map(|error| error.to_string());
                if let Some(error) = &join_failed {
                    tracing::info!(network = network.name, error, "the group was not joined");
                }
                if let Some(address) = address {
                    let report = NetworkReport {
                        name: network.name.clone(),
                        family: ear.family,
                        address,
                        send_failed: before.and_then(|before| before.send_failed),
                        join_failed,
                        came_back: false,
                    };
                    reports.insert(which, report);
                }
            }
        }
        self.reports = reports;
        if let Ok(records) = &self.records {
            records.keep_to(&networks);
        }
        let mut state = inner.lock();
        state.networks.clone_from(&networks);
        let present = |(name, _): &(String, Family)| networks.iter().any(|it| it.name == *name);
        state.came_back.retain(present);
        drop(state);
        self.networks = networks;
        true
    }

    /// By every way there is.
    pub(super) fn say(&mut self, bytes: &[u8]) {
        for voice in &self.voices {
            for network in &self.networks {
                let said = match voice.family {
                    Family::V4 => {
                        // All of them: one that was just taken away says nothing of the others.
                        let all = network.v4.iter();
                        let said: Vec<_> = all.map(|own| voice.say_v4(bytes, *own)).collect();
                        said.into_iter().collect()
                    }
                    Family::V6 => match (network.index, network.link_local()) {
                        (Some(index), Some(_)) => voice.say_v6(bytes, index),
                        _ => continue,
                    },
                };
                let failed = said.err().map(|error| error.to_string());
                let which = (network.name.clone(), voice.family);
                if let Some(report) = self.reports.get_mut(&which) {
                    if failed.is_some() && report.send_failed.is_none() {
                        tracing::info!(network = network.name, family = ?voice.family, ?failed,
                                       "an announcement could not leave");
                    }
                    report.send_failed = failed;
                }
            }
        }
    }

    pub(super) fn tell_report(&self, inner: &Inner) {
        let mut networks: Vec<_> = self.reports.values().cloned().collect();
        networks.sort_by(|a, b| (&a.name, a.family).cmp(&(&b.name, b.family)));
        let mut state = inner.lock();
        state.report.networks = networks;
        state.report.deaf.clone_from(&self.deaf);
        state.report.records_failed = self.records.as_ref().err().cloned();
    }

    pub(super) fn set_record(&mut self, announcement: Option<Announcement>) {
        if let Ok(records) = &mut self.records {
            records.set(announcement);
        }
    }

    pub(super) fn say_goodbye(&mut self, inner: &Inner) {
        let goodbye = Beacon::Goodbye(inner.device, inner.instance).to_bytes();
        self.say(&goodbye);
        std::thread::sleep(GOODBYE_AGAIN_AFTER);
        self.say(&goodbye);
    }

    pub(super) fn end(self, inner: &Inner) {
        let visible = inner.lock().answer.take().is_some();
        self.end_after(inner, visible);
    }

    pub(super) fn end_after(mut self, inner: &Inner, was_visible: bool) {
        if was_visible {
            self.say_goodbye(inner);
        }
        for line in self.ears.iter().chain(&self.voices) {
            line.end();
        }
        for thread in self.threads {
            let _ = thread.join();
        }
        drop(self.records);
        let mut state = inner.lock();
        state.table.clear();
        state.networks.clear();
        state.report = Report::default();
        state.came_back.clear();
        state.changed = true;
    }
}
