//! The connection doctor's place in the supervisor: which runs are wanted.

use super::Supervisor;
use crate::engine::doctor::{Diagnosing, OwnServer, Question, Subject};
use crate::engine::event::Event;
use crate::model::{Diagnosis, Finding, PeerAddress};

#[derive(Default)]
pub(super) struct Doctor {
    /// The last one is wanted, those before are about to end.
    runs: Vec<Diagnosing>,
    checks: Vec<Diagnosing>,
    /// Of the one that was started last.
    last: u64,
}

impl Doctor {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

impl Supervisor {
    /// Starts anew whatever is being found out.
    pub(super) fn diagnose(&mut self, of: Option<PeerAddress>, usual_port: u16) {
        let server = match &self.server {
            Some(server) => OwnServer::On(server.addr()),
            None => OwnServer::Off { port: usual_port },
        };
        let asked = of.clone();
        let question = Question {
            run: self.doctor.next(),
            subject: Subject::All {
                of,
                server,
                presence: self.presence(),
                reporter: self.discovery_reporter(),
            },
        };
        self.doctor.runs.iter().for_each(Diagnosing::end);
        self.doctor.runs.retain(|run| !run.is_over());
        match Diagnosing::start(question, self.shared.clone(), self.inputs.clone()) {
            Ok(run) => self.doctor.runs.push(run),
            Err(error) => {
                tracing::warn!(%error, "no thread for the doctor");
                self.events.say(Event::Diagnosis(Diagnosis {
                    of: asked,
                    findings: Vec::new(),
                    complete: true,
                }));
            }
        }
    }

    pub(super) fn diagnosed(&mut self, run: u64, diagnosis: Diagnosis) {
        if self.doctor.runs.last().is_some_and(|last| last.run == run) {
            self.events.say(Event::Diagnosis(diagnosis));
        }
    }

    /// Whether others get through to the server that is on.
    pub(super) fn check_firewall(&mut self) {
        let Some(server) = &self.server else { return };
        let listens = server.addr();
        if listens.ip().is_loopback() {
            return;
        }
        let port = listens.port();
        let question = Question {
            run: self.doctor.next(),
            subject: Subject::Firewall { port },
        };
        self.doctor.checks.iter().for_each(Diagnosing::end);
        self.doctor.checks.retain(|check| !check.is_over());
        match Diagnosing::start(question, self.shared.clone(), self.inputs.clone()) {
            Ok(check) => self.doctor.checks.push(check),
            Err(error) => tracing::warn!(%error, "no thread for the doctor"),
        }
    }

    pub(super) fn firewall_checked(&mut self, run: u64, findings: Vec<Finding>) {
        let wanted = self
            .doctor
            .checks
            .last()
            .is_some_and(|last| last.run == run);
        if wanted && self.server.is_some() {
            self.events.say(Event::Firewall(findings));
        }
    }
}
