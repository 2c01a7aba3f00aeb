//! Pictures that were pasted: kept by the engine as files of its own, for as long as they can be wanted.
// Helpers of tests are tests, too; clippy only knows the functions that are marked.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use ropeway::engine::{Command, Event, new_transfer_id};
use ropeway::model::{MAX_PASTED_BYTES, Problem};
use support::*;

fn stash(device: &mut Device, name: &str, bytes: Vec<u8>) -> Result<PathBuf, Problem> {
    let id = new_transfer_id();
    let name = name.to_owned();
    device.engine.command(Command::Stash { id, name, bytes });
    device.wait("Stashed", |event| match event {
        Event::Stashed(of, stored) if *of == id => Some(stored.clone()),
        _ => None,
    })
}

#[test]
fn a_pasted_picture_is_kept_as_long_as_a_transfer_of_it_can_go_on() {
    let mut device = Device::new("Study PC");
    let folder = device.home.path().join("data/pasted");
    let old = stash(&mut device, "图片 1.png", b"one".to_vec()).unwrap();
    let young = stash(&mut device, "图片 1.png", b"two".to_vec()).unwrap();
    assert_eq!(old.parent(), Some(folder.as_path()));
    assert_eq!(fs::read(&young).unwrap(), b"two");
    let days = |days: u64| SystemTime::now() - Duration::from_secs(days * 24 * 3600 + 60);
    for (path, then) in [(&old, days(8)), (&young, days(7))] {
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(then).unwrap();
    }
    // What was begun is done when the engine has ended.
    let device = device.again("Study PC").again("Study PC");
    assert!(!old.exists() && young.exists());
    drop(device);
}

#[test]
fn what_is_too_large_or_has_no_name_of_a_file_is_refused() {
    let mut device = Device::new("Study PC");
    assert!(stash(&mut device, "a.png", vec![0; MAX_PASTED_BYTES + 1]).is_err());
    assert!(stash(&mut device, "../a.png", vec![0]).is_err());
    assert!(stash(&mut device, "a/b.png", vec![0]).is_err());
    assert!(!device.home.path().join("data/a.png").exists());
}
