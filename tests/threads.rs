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
    // Those of the library that speaks to the system's bus stay for the whole process.
    let foreign = ["async-io", "zbus", "blocking"];
    let names = || -> Vec<String> {
        let tasks = fs::read_dir("/proc/self/task").unwrap();
        let names =
            tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
        names
            .filter(|name| !foreign.iter().any(|start| name.starts_with(start)))
            .collect()
    };
    let before = names();
    for _ in 0..3 {
        let (garden, study) = under_way();
        assert!(
            names().len() >= before.len() + 8,
            "supervisors, listener, connections"
        );
        let begun = Instant::now();
        drop(study);
        drop(garden);
        assert!(begun.elapsed() < Duration::from_secs(5));
        assert_eq!(names().len(), before.len(), "{:?}", names());
    }
}
