//! Alone in its process, so that no other test's threads are counted.

// Helpers of tests are tests, too; clippy only knows the functions that are marked.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::time::{Duration, Instant};

use support::under_way;

#[test]
#[cfg(target_os = "linux")]
fn dropping_an_engine_under_load_ends_every_thread() {
    let threads = || fs::read_dir("/proc/self/task").unwrap().count();
    let before = threads();
    let (garden, study) = under_way();
    assert!(
        threads() >= before + 8,
        "supervisors, listener, connections"
    );
    let begun = Instant::now();
    drop(study);
    drop(garden);
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(threads(), before);
}
