//! Who stops in the middle of the greeting is waited for, visibly, and not for ever.

use super::*;
use crate::engine::greeting::look_at_server;
use crate::engine::wire::{Closed, Phase, Trace, WireConnection};

impl Device {
    /// The first connection that stands like that.
    fn see(&self, wanted: impl Fn(&WireConnection) -> bool) -> WireConnection {
        self.wait(|event| match event {
            Event::Wire(all) => all.into_iter().find(|one| wanted(one)),
            _ => None,
        })
    }
}

#[test]
fn a_client_that_stops_after_its_hello_is_waited_for_until_the_time_that_is_told() {
    let garden = device("Garden");
    garden.engine.command(Command::WatchWire(true));
    let to = garden.listen(AcceptPolicy::Ask);
    let socket = TcpStream::connect(to).unwrap();
    let identity = Identity::generate().unwrap();
    let deadline = Instant::now() + PATIENCE;
    let mut channel = Channel::connect(socket, &identity, deadline).unwrap();
    let name = DeviceName::cleaned("Silent\u{202e}", "");
    let ours = identity.device_id();
    look_at_server(&mut channel, ours, &name, &Trace::default()).unwrap();
    // It says no more, and stays.
    let waits = garden.see(|one| one.phase == Phase::Choice);
    assert_eq!((waits.counts.frames_in, waits.counts.frames_out), (1, 1));
    assert_eq!(waits.peer.unwrap().as_str(), "Silent\\u{202e}");
    let until = waits.until.unwrap();
    let ends = garden.see(|one| one.id == waits.id && matches!(one.phase, Phase::Closed(_)));
    assert_eq!(ends.phase, Phase::Closed(Closed::TooSlow));
    assert!(ends.since >= until, "not before");
    assert!(ends.since <= until + SERVER_DEADLINE);
    // How it went is still there: a hello each way, and what came between.
    assert!(ends.seen.len() >= 5);
}
