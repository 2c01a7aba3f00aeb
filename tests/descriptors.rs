//! Alone in its process, because it leaves it no descriptors.
#![cfg(target_os = "linux")]
// Helpers of tests are tests, too; clippy only knows the functions that are marked.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::time::{Duration, Instant};

use ropeway::engine::AcceptPolicy;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};
use support::{Device, PASSPHRASE};

/// What this process has used of the processor.
fn processor_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let behind_name = stat.rsplit(") ").next().unwrap();
    let fields: Vec<_> = behind_name.split(' ').collect();
    // utime and stime, in hundredths of a second.
    let ticks = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

#[test]
fn without_descriptors_accepting_rests_and_goes_on_when_there_are_some() {
    let (mut garden, mut study) = (Device::new("Garden"), Device::new("Study"));
    let to = garden.listen(AcceptPolicy::All, Some(PASSPHRASE));
    let callers: Vec<_> = (0..20)
        .map(|_| Socket::new(Domain::IPV4, Type::STREAM, None).unwrap())
        .collect();
    let usual = getrlimit(Resource::Nofile);
    let limited = |current| setrlimit(Resource::Nofile, Rlimit { current, ..usual }).unwrap();
    // Reading it needs a descriptor.
    let before = processor_time();
    // Not by taking them all: one that comes free would be the server's before it is taken again.
    limited(Some(0));
    for caller in &callers {
        caller.connect(&to.into()).unwrap();
    }
    // For two seconds accepting fails, and there are callers. The accept that was under way had its
    // descriptor already: the first caller may have been accepted, the last one cannot.
    let last = callers.last().unwrap();
    last.set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        let heard = last.recv(&mut [std::mem::MaybeUninit::uninit()]);
        assert!(heard.is_err(), "nobody could have answered: {heard:?}");
    }
    limited(usual.current);
    let used = processor_time() - before;
    eprintln!("two seconds without descriptors used {used:?} of the processor");
    assert!(used < Duration::from_millis(500), "{used:?}");

    let file = study.home.path().join("a.txt");
    fs::write(&file, "hello").unwrap();
    study.send(&[&file], to, PASSPHRASE);
    study.arrived();
    garden.arrived();
    drop(callers);
}
