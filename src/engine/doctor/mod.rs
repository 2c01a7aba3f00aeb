//! The connection doctor: why two devices do not reach each other, as findings that stream in.
//!
//! Each run has a thread of its own, which looks at this computer (`links`, `own`, `firewall`) and then
//! at the other one (`peer`). Every probe has a deadline, programs are run by their full path and
//! never as administrator (`program`), and nothing is ever changed. It can be ended at any time.

mod beacon;
mod firewall;
mod links;
mod own;
mod peer;
mod program;
mod stranger;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;

pub use beacon::Reporter;

use super::Shared;
use super::cut::Cut;
use super::note::Input;
use crate::model::{Diagnosis, Finding, PeerAddress, Presence};

/// Of the beacons; mDNS has 5353.
pub const BEACON_PORT: u16 = crate::discovery::PORT;
/// A sick network must not fill a screen, or memory.
const MAX_FINDINGS: usize = 64;

/// What is to be found out.
pub struct Question {
    /// Tells the runs of one engine apart.
    pub run: u64,
    pub subject: Subject,
}

pub enum Subject {
    /// This computer, and the one that is not reached.
    All {
        of: Option<PeerAddress>,
        server: OwnServer,
        presence: Presence,
        /// Unless discovery was never switched on.
        reporter: Option<Reporter>,
    },
    /// Only whether the own firewall lets others in at this port.
    Firewall { port: u16 },
}

/// The own server, as the supervisor knows it.
#[derive(Clone, Copy)]
pub enum OwnServer {
    /// In this very process.
    On(SocketAddr),
    /// Off, or in another process; it would take this port.
    Off { port: u16 },
}

impl OwnServer {
    fn port(self) -> u16 {
        match self {
            Self::On(addr) => addr.port(),
            Self::Off { port } => port,
        }
    }
}

/// One run; dropping it ends it and waits for that, a moment at most.
pub struct Diagnosing {
    pub run: u64,
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
pub(super) struct Stop {
    cut: Cut,
    stopped: AtomicBool,
}

impl Stop {
    pub fn wanted(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// For the connection that is open now.
    pub fn cut(&self) -> &Cut {
        &self.cut
    }
}

impl Diagnosing {
    /// Fails if the system has no thread for it.
    pub fn start(
        question: Question,
        shared: Arc<Shared>,
        inputs: Sender<Input>,
    ) -> std::io::Result<Self> {
        let stop = Arc::new(Stop::default());
        let stopped = stop.clone();
        let run = question.run;
        let thread = std::thread::Builder::new()
            .name("doctor".into())
            .spawn(move || examine(question, &shared, &stopped, inputs))?;
        Ok(Self {
            run,
            stop,
            thread: Some(thread),
        })
    }

    /// Nobody wants to know any more.
    pub fn end(&self) {
        self.stop.stopped.store(true, Ordering::SeqCst);
        self.stop.cut.cut();
    }

    pub fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Diagnosing {
    fn drop(&mut self) {
        self.end();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn examine(question: Question, shared: &Shared, stop: &Stop, inputs: Sender<Input>) {
    let Question { run, subject } = question;
    match subject {
        Subject::Firewall { port } => {
            let links = links::links();
            let findings = firewall::examine(&links, port, None, stop);
            if !stop.wanted() {
                let _ = inputs.send(Input::FirewallChecked(run, findings));
            }
        }
        Subject::All {
            of,
            server,
            presence,
            reporter,
        } => {
            let diagnosis = Diagnosis {
                of: of.clone(),
                findings: Vec::new(),
                complete: false,
            };
            let mut chart = Chart {
                run,
                diagnosis,
                stop,
                inputs,
            };
            let links = links::links();
            chart.add_all(links::findings(&links));
            own::server(server, &links, shared, &mut chart);
            let (tcp, udp) = (server.port(), Some(BEACON_PORT));
            chart.add_all(firewall::examine(&links, tcp, udp, stop));
            chart.add_all(beacon::examine(presence, reporter.as_ref(), stop));
            if let Some(of) = of {
                peer::examine(&of, &links, shared, &mut chart);
            }
            chart.complete();
        }
    }
}

/// What was found so far, told with every finding.
struct Chart<'a> {
    run: u64,
    diagnosis: Diagnosis,
    stop: &'a Stop,
    inputs: Sender<Input>,
}

impl Chart<'_> {
    fn add(&mut self, finding: Finding) {
        self.add_all([finding]);
    }

    fn add_all(&mut self, findings: impl IntoIterator<Item = Finding>) {
        let room = MAX_FINDINGS.saturating_sub(self.diagnosis.findings.len());
        self.diagnosis
            .findings
            .extend(findings.into_iter().take(room));
        self.tell();
    }

    fn complete(&mut self) {
        self.diagnosis.complete = true;
        self.tell();
    }

    fn tell(&self) {
        if !self.stop.wanted() {
            let diagnosis = self.diagnosis.clone();
            let _ = self.inputs.send(Input::Diagnosis(self.run, diagnosis));
        }
    }
}
