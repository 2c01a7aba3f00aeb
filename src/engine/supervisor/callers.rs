//! Devices that are not known, cannot reach this one, and ask it to connect: a person here says whether.
//!
//! Anybody can ask, under any name and as often as they like, so a call alone moves nothing: it takes
//! one of a few places until it is answered or over. What a click allows is a few tries to reach the device
//! that was clicked, which has to prove that it is that one before it is told anything.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::{Supervisor, lock};
use crate::engine::calls::Nonce;
use crate::engine::event::{CallStands, Caller, Event};
use crate::model::DeviceId;

/// What a person has said of a device counts for so long, and anew each time that it is met: a wrong
/// code, a message after a file or a connection that was cut need no second click.
const COUNTS_FOR: Duration = Duration::from_secs(600);
/// A packet may be lost, and another device may have been quicker to answer at its address.
const TRIES: usize = 4;
/// Of those shown, from one address: two programs or people on one computer.
const MOST_FROM_ONE: usize = 2;

#[derive(Default)]
pub(super) struct Callers {
    /// The first come before the others.
    shown: Vec<Shown>,
    allowed: HashMap<DeviceId, Allowed>,
    /// The person does not want to see them until then.
    hidden: HashMap<DeviceId, Instant>,
    told: Vec<Caller>,
}

/// What is said of a device that is not known, by whomever.
#[derive(Clone)]
pub(super) struct OpenCall {
    pub(super) device: DeviceId,
    pub(super) nonce: Nonce,
    pub(super) addresses: Vec<SocketAddr>,
}

struct Shown {
    device: DeviceId,
    /// Somebody may say for it what it does not say.
    calls: Vec<OpenCall>,
    stands: CallStands,
}

struct Allowed {
    until: Instant,
    tries_left: usize,
}

impl Supervisor {
    /// What is called by now, in place of what was before.
    pub(super) fn answer_open_calls(&mut self, mut open: Vec<OpenCall>) {
        let now = Instant::now();
        let known = &self.shared.known;
        let lets_in = match self.server {
            Some(_) => lock(&self.shared.gate).takes_strangers(),
            None => true,
        };
        let callers = &mut self.nearby.callers;
        callers.hidden.retain(|_, until| *until > now);
        callers.allowed.retain(|_, allowed| allowed.until > now);
        open.retain(|call| {
            let hidden = callers.hidden.contains_key(&call.device);
            lets_in && !hidden && !known.is_blocked(call.device)
        });
        callers.place(open);
        for shown in &mut callers.shown {
            // Nobody is asked once more.
            if callers.allowed.contains_key(&shown.device) {
                shown.stands = CallStands::Connecting;
            }
        }
        if self.server.is_some() {
            self.dial_allowed(now);
        }
        self.tell_callers();
    }

    fn dial_allowed(&mut self, now: Instant) {
        let devices = self.nearby.callers.shown.iter().map(|shown| shown.device);
        for device in devices.collect::<Vec<_>>() {
            let Some(allowed) = self.nearby.callers.allowed.get(&device) else {
                continue;
            };
            let tries_left = allowed.tries_left;
            if !self.may_connect_to(device, tries_left > 0, now) {
                continue;
            }
            let callers = &mut self.nearby.callers;
            let Some(shown) = callers.shown.iter_mut().find(|it| it.device == device) else {
                continue;
            };
            if tries_left == 0 {
                // Whoever calls again may be clicked again.
                shown.stands = CallStands::Failed;
                callers.allowed.remove(&device);
                continue;
            }
            // Each in turn.
            let at = tries_left % shown.calls.len().max(1);
            let call = shown.calls.get(at).cloned();
            if let Some(allowed) = callers.allowed.get_mut(&device) {
                allowed.tries_left -= 1;
            }
            if let Some(call) = call {
                self.connect_to_client(device, call.nonce, call.addresses);
            }
        }
    }

    /// The person has seen who asks.
    pub(super) fn let_connect(&mut self, device: DeviceId, yes: bool) {
        let until = Instant::now() + COUNTS_FOR;
        let callers = &mut self.nearby.callers;
        let Some(shown) = callers.shown.iter_mut().find(|it| it.device == device) else {
            return;
        };
        if yes {
            shown.stands = CallStands::Connecting;
            let tries_left = TRIES;
            callers
                .allowed
                .insert(device, Allowed { until, tries_left });
        } else {
            callers.allowed.remove(&device);
            callers.hidden.insert(device, until);
        }
        self.answer_calls();
    }

    /// Whoever was dialled because of that call has proven to be the device.
    pub(super) fn open_call_answered(&mut self, nonce: &Nonce) {
        let callers = &mut self.nearby.callers;
        let with = |shown: &Shown| shown.calls.iter().any(|call| call.nonce == *nonce);
        let Some(at) = callers.shown.iter().position(with) else {
            return;
        };
        let device = callers.shown.remove(at).device;
        if let Some(allowed) = callers.allowed.get_mut(&device) {
            allowed.until = Instant::now() + COUNTS_FOR;
            allowed.tries_left = TRIES;
        }
        self.tell_callers();
    }

    /// With the server, what was allowed is over.
    pub(super) fn disallow_callers(&mut self) {
        self.nearby.callers.allowed.clear();
        for shown in &mut self.nearby.callers.shown {
            shown.stands = CallStands::Asks;
        }
        self.tell_callers();
    }

    fn tell_callers(&mut self) {
        let heard = &self.nearby.heard.nearby;
        let called = |device: DeviceId| {
            let known = self.shared.known.get(device);
            let known = known.map(|known| known.shown().clone());
            let heard = || heard.iter().find(|nearby| nearby.id == device);
            known.or_else(|| heard().map(|nearby| nearby.name.clone()))
        };
        let shown = self.nearby.callers.shown.iter().filter_map(|shown| {
            Some(Caller {
                device: shown.device,
                name: called(shown.device)?,
                stands: shown.stands,
            })
        });
        let shown: Vec<_> = shown.collect();
        if shown != self.nearby.callers.told {
            self.nearby.callers.told.clone_from(&shown);
            self.events.say(Event::Callers(shown));
        }
    }
}

impl Callers {
    /// Who is shown stays so as long as it calls. Of the others those come first that do not share their
    /// address with many.
    fn place(&mut self, open: Vec<OpenCall>) {
        let mut calls: HashMap<DeviceId, Vec<OpenCall>> = HashMap::new();
        for call in open {
            calls.entry(call.device).or_default().push(call);
        }
        self.shown.retain_mut(|shown| {
            let stays = calls.remove(&shown.device);
            if let Some(calls) = &stays {
                let same = |call: &OpenCall| shown.calls.iter().any(|it| it.nonce == call.nonce);
                if shown.stands == CallStands::Failed && !calls.iter().any(same) {
                    // It tries once more.
                    shown.stands = CallStands::Asks;
                }
                shown.calls.clone_from(calls);
            }
            stays.is_some()
        });
        let mut from: HashMap<IpAddr, usize> = HashMap::new();
        for ip in calls.values().flat_map(|calls| ips(calls)) {
            *from.entry(ip).or_default() += 1;
        }
        let crowd = |calls: &[OpenCall]| {
            let counts = ips(calls).filter_map(|ip| from.get(&ip).copied());
            counts.max().unwrap_or_default()
        };
        let mut others: Vec<_> = calls.into_iter().collect();
        others.sort_by_cached_key(|(device, calls)| (crowd(calls), *device));
        for (device, calls) in others {
            if self.shown.len() >= Caller::MOST {
                break;
            }
            let near = |shown: &&Shown| {
                let mut theirs = ips(&shown.calls);
                theirs.any(|ip| ips(&calls).any(|other| ip == other))
            };
            if self.shown.iter().filter(near).count() < MOST_FROM_ONE {
                let stands = CallStands::Asks;
                self.shown.push(Shown {
                    device,
                    calls,
                    stands,
                });
            }
        }
    }
}

/// Where a device calls from.
fn ips(calls: &[OpenCall]) -> impl Iterator<Item = IpAddr> {
    let addresses = calls.iter().flat_map(|call| &call.addresses);
    addresses.map(SocketAddr::ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(device: u16, from: [u8; 4]) -> OpenCall {
        let mut id = [0; 32];
        id[..2].copy_from_slice(&device.to_be_bytes());
        OpenCall {
            device: DeviceId(id),
            nonce: [device as u8; 16],
            addresses: vec![(from, 9000).into()],
        }
    }

    fn shown(callers: &Callers) -> Vec<DeviceId> {
        callers.shown.iter().map(|shown| shown.device).collect()
    }

    #[test]
    fn a_flood_of_calls_takes_a_few_places_and_none_of_who_is_shown_or_alone_at_an_address() {
        let mut callers = Callers::default();
        let (first, second) = (call(900, [10, 0, 0, 9]), call(901, [10, 0, 0, 8]));
        callers.place(vec![first.clone()]);
        // All from one address, and with ids that come before.
        let flood: Vec<_> = (0..500).map(|at| call(at, [10, 0, 0, 66])).collect();
        let said = [flood, vec![first.clone(), second.clone()]].concat();
        callers.place(said);
        let all = shown(&callers);
        assert_eq!(all[..2], [first.device, second.device]);
        assert_eq!(all.len(), 2 + MOST_FROM_ONE);
        // From as many addresses as there are.
        let spread = (0..250).map(|at| call(at, [10, 0, 1, at as u8]));
        let said = spread.chain([first.clone(), second.clone()]).collect();
        callers.place(said);
        let all = shown(&callers);
        assert_eq!(all[..2], [first.device, second.device]);
        assert_eq!(all.len(), Caller::MOST);
        callers.place(vec![second.clone()]);
        assert_eq!(shown(&callers), [second.device]);
        callers.place(Vec::new());
        assert!(callers.shown.is_empty());
    }
}
