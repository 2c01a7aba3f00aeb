use std::sync::mpsc::channel;

use super::*;

fn first(data_dir: &Path) -> Door {
    match claim(data_dir, &[]) {
        Ok(Claim::First(door)) => door,
        other => panic!("the first: {other:?}"),
    }
}

#[test]
fn a_second_start_hands_its_paths_to_the_first_and_the_next_first_finds_the_folder_free() {
    let home = tempfile::tempdir().unwrap();
    assert!(!is_open(home.path()));
    let door = first(home.path());
    assert!(is_open(home.path()));
    let (woke, woken) = channel();
    let (serving, handed) = door.serve(move || woke.send(()).unwrap()).unwrap();
    assert!(serving.is_reachable());
    // With its drive where there are some.
    let far = std::path::absolute("/home/me/报告 1\n.pdf").unwrap();
    let mut paths = vec![far, "near".into()];
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStringExt as _;
        paths.push(std::ffi::OsString::from_vec(b"/not/\xff\xfe/text".to_vec()).into());
    }
    paths.push("ropeway://192.168.1.20:9000/?id=3f9a".into());
    let claimed = claim(home.path(), &paths).unwrap();
    assert!(matches!(claimed, Claim::HandedOver));
    woken.recv().unwrap();
    paths[1] = std::env::current_dir().unwrap().join("near");
    assert_eq!(handed.recv().unwrap(), Handover { paths });
    // Without paths it is only to be shown.
    claim(home.path(), &[]).unwrap();
    assert_eq!(handed.recv().unwrap().paths, Vec::<PathBuf>::new());
    drop(serving);
    assert!(!is_open(home.path()));
    drop(first(home.path()));
}

#[test]
fn a_second_start_waits_until_the_first_serves() {
    let home = tempfile::tempdir().unwrap();
    let door = first(home.path());
    let path = home.path().to_owned();
    let paths = [std::path::absolute("/a").unwrap()];
    let handed_over = paths.clone();
    let second = std::thread::spawn(move || claim(&path, &handed_over));
    let (_serving, handed) = door.serve(|| {}).unwrap();
    assert_eq!(handed.recv().unwrap().paths, paths);
    assert!(matches!(second.join().unwrap(), Ok(Claim::HandedOver)));
}

#[cfg(unix)]
mod hostile {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    fn socket(data_dir: &Path) -> PathBuf {
        data_dir.join(FOLDER).join("socket")
    }

    #[test]
    fn what_a_killed_process_left_behind_is_replaced_and_only_its_user_gets_in() {
        let home = tempfile::tempdir().unwrap();
        drop(open_lock(home.path()).unwrap());
        // The socket of a process that is gone stays where it was.
        drop(UnixListener::bind(socket(home.path())).unwrap());
        assert!(socket(home.path()).exists());
        let (_serving, handed) = first(home.path()).serve(|| {}).unwrap();
        claim(home.path(), &["/a".into()]).unwrap();
        assert_eq!(handed.recv().unwrap().paths, [PathBuf::from("/a")]);
        for (path, mode) in [
            (socket(home.path()), 0o600),
            (home.path().join(FOLDER), 0o700),
        ] {
            let about = fs::metadata(&path).unwrap();
            assert_eq!(about.permissions().mode() & 0o777, mode, "{path:?}");
        }
    }

    #[test]
    fn garbage_is_passed_over_and_whoever_comes_next_is_heard() {
        let home = tempfile::tempdir().unwrap();
        let (_serving, handed) = first(home.path()).serve(|| {}).unwrap();
        let head = b"ropeway window 1\n";
        let with = |rest: &[u8]| [head.as_slice(), rest].concat();
        for garbage in [
            b"GET / HTTP/1.1\r\n\r\n and so on".to_vec(),
            // More than is ever allocated.
            with(&u32::MAX.to_be_bytes()),
            // A path that ends beyond the message, one that is relative, one with a zero in it.
            with(&[0, 0, 0, 6, 0, 0, 0, 9, b'/', b'a']),
            with(&[0, 0, 0, 5, 0, 0, 0, 1, b'a']),
            with(&[0, 0, 0, 7, 0, 0, 0, 3, b'/', 0, b'a']),
            with(&[0, 0, 0, 2, 0, 0]),
            Vec::new(),
        ] {
            let mut stream = UnixStream::connect(socket(home.path())).unwrap();
            stream.write_all(&garbage).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            let mut answer = Vec::new();
            // Cut, which may be said as an error, and never answered.
            let _ = stream.read_to_end(&mut answer);
            assert!(answer.is_empty(), "{garbage:?}");
        }
        claim(home.path(), &["/a".into()]).unwrap();
        assert_eq!(handed.recv().unwrap().paths, [PathBuf::from("/a")]);
        assert!(handed.try_recv().is_err());
    }

    #[test]
    fn a_data_folder_whose_path_is_too_long_for_a_socket_opens_all_the_same() {
        let home = tempfile::tempdir().unwrap();
        let long = home.path().join("a".repeat(120));
        let (serving, _handed) = first(&long).serve(|| {}).unwrap();
        assert!(is_open(&long));
        assert!(!serving.is_reachable());
    }
}
