//! `known.json` as somebody left it. Who is not plainly paired there is not let in, whoever is blocked
//! stays so, and what was read reads the same again.

use std::fs;

use ropeway::engine::KnownDevices;
use ropeway::model::Bond;

pub fn known(data: &[u8]) {
    let dir = tempfile::tempdir().expect("a disk to write on");
    let path = dir.path().join("known.json");
    fs::write(&path, data).expect("a new file");
    let (read, trouble) = KnownDevices::open(dir.path());
    let all = read.all();
    for device in &all {
        let paired = read.pair_key(device.id).is_some();
        assert_eq!(paired, device.bond == Bond::Paired, "{:?}", device.bond);
        assert_eq!(read.is_blocked(device.id), device.bond == Bond::Blocked);
        assert!(!device.shown().as_str().chars().any(char::is_control));
    }
    let left_alone = fs::read(&path).is_ok_and(|now| now == data);
    let aside = fs::read_dir(dir.path()).expect("a folder").flatten();
    let aside = aside.filter(|entry| entry.path() != path);
    let kept = aside.filter_map(|entry| fs::read(entry.path()).ok());
    let kept = kept.into_iter().any(|copy| copy == data);
    assert!(left_alone || kept, "what was there is nowhere: {trouble:?}");
    drop(read);
    assert_eq!(KnownDevices::open(dir.path()).0.all(), all);
}
