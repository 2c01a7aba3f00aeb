//! `settings.json` as somebody left it. It is read, or put aside whole, or left alone; never lost.

use std::fs;

use ropeway::settings::Settings;
use ropeway::storage::record::RecordError;

pub fn settings(data: &[u8]) {
    let dir = tempfile::tempdir().expect("a disk to write on");
    let path = dir.path().join("settings.json");
    fs::write(&path, data).expect("a new file");
    match Settings::load(dir.path()) {
        Ok(read) => {
            let name = read.device_name();
            assert!((1..=64).contains(&name.as_str().chars().count()));
            assert!(read.limits().at_once >= 1);
            assert_eq!(fs::read(&path).expect("it was there"), data);
            read.save(dir.path()).expect("room on the disk");
            let again = Settings::load(dir.path()).expect("what was just written");
            assert_eq!(again, read, "another one when it is read again");
        }
        Err(RecordError::Newer { .. }) => {
            assert_eq!(fs::read(&path).expect("it is left alone"), data);
        }
        Err(RecordError::Damaged { aside }) => {
            assert!(!path.exists());
            assert_eq!(fs::read(aside).expect("it is kept"), data);
        }
        Err(error @ RecordError::Io { .. }) => panic!("{error}"),
    }
    let left = fs::read_dir(dir.path()).expect("a folder").count();
    assert_eq!(left, 1, "something was left behind");
}
