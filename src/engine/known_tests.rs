use super::*;

fn id(byte: u8) -> DeviceId {
    DeviceId([byte; 32])
}

fn name(text: &str) -> DeviceName {
    DeviceName::cleaned(text, "x")
}

fn key(byte: u8) -> PairKey {
    PairKey(Zeroizing::new([byte; 32]))
}

struct Store {
    folder: tempfile::TempDir,
    known: KnownDevices,
}

impl Store {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (known, problem) = KnownDevices::open(folder.path());
        assert_eq!(problem, None, "nothing is there yet");
        Self { folder, known }
    }

    fn holding(content: &str) -> (Self, Option<String>) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), content).unwrap();
        let (known, problem) = KnownDevices::open(folder.path());
        (Self { folder, known }, problem)
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(FILE)
    }

    /// As the next run sees it.
    fn reopened(&self) -> KnownDevices {
        let (known, problem) = KnownDevices::open(self.folder.path());
        assert_eq!(problem, None);
        known
    }

    fn bond(&self, device: u8) -> Option<Bond> {
        let here = self.known.get(id(device)).map(|device| device.bond);
        if self.path().exists() {
            let there = self.reopened().get(id(device)).map(|device| device.bond);
            assert_eq!(here, there, "the file says the same");
        }
        here
    }
}

#[test]
fn a_wish_comes_into_effect_and_the_key_survives_a_restart() {
    let store = Store::new();
    let garden = name("Garden laptop");
    assert!(store.known.wish(id(1), &garden));
    assert!(!store.known.wish(id(1), &garden), "nothing new");
    assert!(store.known.wishes(id(1)));
    assert_eq!(store.known.pair_key(id(1)), None);
    assert_eq!(store.bond(1), Some(Bond::Wished));

    assert!(store.known.pair(id(1), &garden, key(7)));
    assert!(!store.known.wishes(id(1)));
    assert_eq!(store.bond(1), Some(Bond::Paired));
    assert!(!store.known.wish(id(1), &garden), "more than a wish");
    assert!(!store.known.unwish(id(1)));
    let again = store.reopened();
    assert_eq!(again.pair_key(id(1)), Some(key(7)));
    assert_eq!(again.all(), store.known.all().map_seconds());

    assert!(store.known.pair(id(1), &garden, key(8)), "paired anew");
    assert_eq!(store.reopened().pair_key(id(1)), Some(key(8)));
    assert_eq!(store.known.pair_key(id(2)), None, "a stranger");
}

/// The file keeps whole seconds.
trait MapSeconds {
    fn map_seconds(self) -> Self;
}

impl MapSeconds for Vec<KnownDevice> {
    fn map_seconds(mut self) -> Self {
        for device in &mut self {
            let seconds = device.met.duration_since(UNIX_EPOCH).unwrap().as_secs();
            device.met = UNIX_EPOCH + Duration::from_secs(seconds);
        }
        self
    }
}

#[test]
fn a_wish_can_be_taken_back() {
    let store = Store::new();
    store.known.wish(id(1), &name("Garden laptop"));
    assert!(store.known.unwish(id(1)));
    assert!(!store.known.unwish(id(1)));
    assert_eq!(store.bond(1), None);
}

#[test]
fn who_forgot_us_has_no_key_any_more_and_can_be_wished_for_again() {
    let store = Store::new();
    let garden = name("Garden laptop");
    assert!(!store.known.forgotten_there(id(1)), "a stranger");
    store.known.wish(id(1), &garden);
    store.known.pair(id(1), &garden, key(7));
    store.known.label(id(1), Some(name("Gartenrechner")));
    assert!(store.known.forgotten_there(id(1)));
    assert!(!store.known.forgotten_there(id(1)));
    assert_eq!(store.bond(1), Some(Bond::ForgottenThere));
    assert_eq!(store.reopened().pair_key(id(1)), None);
    assert!(!store.known.wishes(id(1)));
    assert!(store.known.wish(id(1), &garden));
    assert_eq!(store.bond(1), Some(Bond::Wished));
    store.known.wish(id(1), &garden);
    store.known.pair(id(1), &garden, key(9));
    let device = store.reopened().get(id(1)).unwrap();
    assert_eq!(device.shown().as_str(), "Gartenrechner");
}

#[test]
fn forgetting_leaves_nothing_of_a_device_in_the_file() {
    let store = Store::new();
    store.known.wish(id(1), &name("Garden laptop"));
    store.known.pair(id(1), &name("Garden laptop"), key(7));
    store.known.wish(id(2), &name("Study PC"));
    store.known.pair(id(2), &name("Study PC"), key(8));
    assert!(store.known.forget(id(1)));
    assert!(!store.known.forget(id(1)));
    assert_eq!(store.bond(1), None);
    let text = fs::read_to_string(store.path()).unwrap();
    assert!(!text.contains(&id(1).to_string()) && !text.contains(&"07".repeat(32)));
    assert_eq!(store.reopened().pair_key(id(2)), Some(key(8)));
}

#[test]
fn who_is_blocked_stays_so_until_it_is_forgotten() {
    let store = Store::new();
    let garden = name("Garden laptop");
    store.known.wish(id(1), &garden);
    store.known.pair(id(1), &garden, key(7));
    assert!(store.known.block(id(1), &garden));
    assert!(!store.known.block(id(1), &garden));
    assert!(store.known.block(id(2), &name("Stranger")));
    assert!(!store.known.wish(id(1), &garden));
    assert!(!store.known.pair(id(1), &garden, key(8)));
    assert!(!store.known.unwish(id(1)));
    assert!(!store.known.forgotten_there(id(1)));
    for known in [&store.known, &store.reopened()] {
        assert!(known.is_blocked(id(1)) && known.is_blocked(id(2)));
        assert_eq!(known.pair_key(id(1)), None);
    }
    assert!(!fs::read_to_string(store.path()).unwrap().contains("0707"));
    assert!(store.known.forget(id(1)));
    assert!(!store.reopened().is_blocked(id(1)));
}

#[test]
fn names_of_ones_own_and_rules_are_kept() {
    let store = Store::new();
    store.known.wish(id(1), &name("Garden laptop"));
    store.known.pair(id(1), &name("Garden laptop"), key(1));
    store.known.wish(id(2), &name("study pc"));
    store.known.pair(id(2), &name("study pc"), key(2));
    store.known.wish(id(3), &name("Study PC"));
    store.known.pair(id(3), &name("Study PC"), key(3));
    let rule = Rule::Accept {
        folder: Some("/photos".into()),
        max_bytes: Some(u64::MAX),
    };
    assert!(store.known.label(id(1), Some(name("Zoe"))));
    assert!(!store.known.label(id(1), Some(name("Zoe"))));
    assert!(store.known.set_rule(id(1), rule.clone()));
    assert!(!store.known.set_rule(id(1), rule.clone()));
    assert!(!store.known.set_rule(id(9), Rule::Never), "a stranger");
    assert!(!store.known.label(id(9), None));
    let all = store.reopened().all();
    let shown = all.iter().map(|device| device.shown().as_str());
    assert_eq!(shown.collect::<Vec<_>>(), ["study pc", "Study PC", "Zoe"]);
    assert_eq!(all[2].rule, rule);
    assert_eq!(all[2].name.as_str(), "Garden laptop");
    assert!(store.known.label(id(1), None));
    assert_eq!(store.reopened().get(id(1)).unwrap().label, None);
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_down_changes_no_rule_and_is_said() {
    use std::os::unix::ffi::OsStrExt as _;
    let store = Store::new();
    store.known.wish(id(1), &name("Garden laptop"));
    store.known.pair(id(1), &name("Garden laptop"), key(1));
    let folder = std::ffi::OsStr::from_bytes(b"/\xff").into();
    let rule = Rule::Accept {
        folder: Some(folder),
        max_bytes: None,
    };
    assert!(!store.known.set_rule(id(1), rule));
    assert!(store.known.problem().unwrap().contains("Unicode"));
    assert_eq!(store.known.get(id(1)).unwrap().rule, Rule::Ask);
    assert!(store.known.wish(id(2), &name("Study PC")), "others can be");
    assert_eq!(store.known.problem(), None);
    assert_eq!(store.reopened().all().len(), 2);
}

#[test]
fn meeting_a_device_is_written_down_when_it_says_something_new() {
    let store = Store::new();
    let garden = name("Garden laptop");
    let address = Some("192.168.1.20:9000".to_owned());
    assert!(!store.known.met(id(1), &garden, address.clone()));
    assert_eq!(store.known.all(), [], "strangers are not kept");
    store.known.wish(id(1), &garden);
    store.known.pair(id(1), &garden, key(1));
    let now = store.known.get(id(1)).unwrap().met;
    let later = |seconds| now + Duration::from_secs(seconds);
    let met = |name: &DeviceName, address, at| store.known.met_at(id(1), name, address, at);
    assert!(met(&garden, address.clone(), later(1)), "an address");
    let file = || fs::read_to_string(store.path()).unwrap();
    let before = file();
    assert!(!met(&garden, address.clone(), later(60)));
    assert!(!met(&garden, None, later(61)), "it came to us");
    assert_eq!(file(), before);
    assert_eq!(store.known.get(id(1)).unwrap().met, later(61));
    assert!(met(&garden, None, later(1 + 3600)), "an hour later");
    assert_ne!(file(), before);
    assert!(met(&name("Gartenrechner"), None, later(3602)), "a new name");
    assert!(
        met(&name("Gartenrechner"), None, now),
        "the clock went back"
    );
    let device = store.reopened().get(id(1)).unwrap();
    assert_eq!(device.name.as_str(), "Gartenrechner");
    assert_eq!(device.address, address);
}

#[test]
fn wishes_are_bounded_and_the_oldest_go_while_paired_and_blocked_devices_stay() {
    let store = Store::new();
    store.known.wish(id(254), &name("Paired"));
    store.known.pair(id(254), &name("Paired"), key(1));
    store.known.block(id(255), &name("Blocked"));
    let numbered = |n: u32| {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&n.to_be_bytes());
        DeviceId(bytes)
    };
    // Put there at once: a thousand files would be flushed otherwise.
    {
        let mut state = lock(&store.known.state);
        for n in 0..MOST_WISHES as u32 {
            let wished = name("Wished");
            let entry = Entry::of(&mut state.entries, numbered(n), &wished, Bond::Wished);
            entry.device.met = UNIX_EPOCH + Duration::from_secs(u64::from(n));
        }
    }
    let newest = numbered(MOST_WISHES as u32);
    assert!(store.known.wish(newest, &name("Newest")));
    let known = store.reopened();
    assert_eq!(known.all().len(), MOST_WISHES + 2);
    assert!(!known.wishes(numbered(0)), "the oldest");
    assert!(known.wishes(numbered(1)) && known.wishes(newest));
    assert!(known.pair_key(id(254)).is_some() && known.is_blocked(id(255)));
}

#[test]
fn a_damaged_file_lets_nobody_in_is_said_and_put_aside() {
    for garbage in [
        "",
        "\u{0}\u{1}garbage",
        "{\"version\":1",
        "{\"version\":1}",
        "{\"version\":1,\"devices\":{}}",
        "{\"version\":1,\"version\":1,\"devices\":[]}",
        "[]",
    ] {
        let (store, problem) = Store::holding(garbage);
        let problem = problem.expect(garbage);
        assert!(problem.contains("known.json.damaged"), "{problem}");
        assert_eq!(store.known.problem(), Some(problem));
        assert_eq!(store.known.all(), []);
        assert!(store.known.wish(id(1), &name("Garden laptop")));
        assert_eq!(store.known.problem(), None, "all is well again");
        assert_eq!(store.bond(1), Some(Bond::Wished));
        let aside = store.folder.path().join("known.json.damaged");
        assert_eq!(fs::read_to_string(aside).unwrap(), garbage);
    }
}

#[test]
fn a_file_of_a_newer_version_is_never_overwritten() {
    let newer = "{\"version\":2,\"devices\":[]}";
    let (store, problem) = Store::holding(newer);
    assert!(problem.unwrap().contains("newer version (2)"));
    assert_eq!(store.known.all(), []);
    store.known.wish(id(1), &name("Garden laptop"));
    assert!(store.known.pair(id(1), &name("Garden laptop"), key(1)));
    assert!(store.known.pair_key(id(1)).is_some(), "for this run");
    assert_eq!(fs::read_to_string(store.path()).unwrap(), newer);
    assert!(store.known.problem().is_some(), "still");
}

#[test]
fn damaged_entries_take_no_others_along_and_open_nothing() {
    let good = |byte: u8, more: &str| {
        let id = id(byte);
        format!("{{\"id\":\"{id}\",\"name\":\"Device {byte}\",\"met\":5{more}}}")
    };
    let key_text = "07".repeat(32);
    let paired = format!(",\"bond\":\"paired\",\"key\":\"{key_text}\"");
    let devices = [
        "7".into(),
        "null".into(),
        "{\"id\":\"ab\",\"bond\":\"paired\"}".into(),
        good(1, &paired),
        good(2, ",\"bond\":\"blocked\",\"rule\":\"on-sundays\""),
        good(3, ",\"bond\":\"betrothed\""),
        good(4, ",\"bond\":\"paired\",\"key\":\"07\""),
        good(
            5,
            &format!("{paired},\"rule\":{{\"accept\":{{\"max_bytes\":-1}}}}"),
        ),
        good(6, ",\"bond\":\"wished\",\"met\":-1"),
        good(
            7,
            &format!("{paired},\"address\":\"red\\u001b[31m\",\"later\":[1]"),
        ),
        good(8, ",\"bond\":\"blocked\""),
        good(8, &paired),
        good(9, &format!(",\"bond\":\"blocked\",\"key\":\"{key_text}\"")),
    ];
    let file = format!("{{\"version\":1,\"devices\":[{}]}}", devices.join(","));
    let (store, problem) = Store::holding(&file);
    let problem = problem.expect("damage is said");
    assert!(problem.contains("(7)"), "{problem}");
    for known in [&store.known, &store.reopened()] {
        let bond = |byte| known.get(id(byte)).map(|device| device.bond);
        let rule = |byte| known.get(id(byte)).map(|device| device.rule);
        assert_eq!(known.all().len(), 9);
        assert_eq!(known.pair_key(id(1)), Some(key(7)));
        assert_eq!(rule(1), Some(Rule::Ask));
        assert_eq!(bond(2), Some(Bond::Blocked));
        assert_eq!(bond(3), Some(Bond::Blocked), "it might have been");
        assert_eq!(bond(4), Some(Bond::Wished), "without a key it is not");
        assert_eq!((bond(5), rule(5)), (Some(Bond::Paired), Some(Rule::Never)));
        assert_eq!(bond(6), Some(Bond::Wished));
        assert_eq!(known.get(id(7)).unwrap().address, None);
        assert_eq!(bond(8), Some(Bond::Blocked), "twice in the file");
        assert_eq!(known.pair_key(id(8)), None);
        assert_eq!(known.pair_key(id(9)), None);
    }
    let aside = store.folder.path().join("known.json.damaged-1");
    assert_eq!(fs::read_to_string(aside).unwrap(), file, "nothing is lost");
}

#[cfg(unix)]
#[test]
fn a_file_that_others_could_read_becomes_the_owners_again() {
    use std::os::unix::fs::PermissionsExt as _;
    let store = Store::new();
    store.known.wish(id(1), &name("Garden laptop"));
    store.known.pair(id(1), &name("Garden laptop"), key(1));
    let mode = || fs::metadata(store.path()).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    fs::set_permissions(store.path(), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(store.reopened().pair_key(id(1)).is_some());
    assert_eq!(mode(), 0o600);
}

#[test]
fn what_happens_to_the_file_meanwhile_changes_nothing_in_memory() {
    let store = Store::new();
    store.known.wish(id(1), &name("Garden laptop"));
    store.known.pair(id(1), &name("Garden laptop"), key(1));
    fs::remove_file(store.path()).unwrap();
    assert!(store.known.pair_key(id(1)).is_some());
    store.known.wish(id(2), &name("Study PC"));
    assert_eq!(store.reopened().all().len(), 2, "written anew");
    fs::write(store.path(), "garbage").unwrap();
    store.known.unwish(id(2));
    assert_eq!(store.reopened().pair_key(id(1)), Some(key(1)));
}

#[test]
fn what_cannot_be_written_is_said_and_written_with_the_next_change() {
    let store = Store::new();
    // Nothing can be renamed over a folder that holds something.
    fs::create_dir_all(store.path().join("in the way")).unwrap();
    assert!(store.known.wish(id(1), &name("Garden laptop")));
    assert!(store.known.problem().is_some());
    assert!(store.known.wishes(id(1)), "in memory");
    fs::remove_dir_all(store.path()).unwrap();
    store.known.wish(id(2), &name("Study PC"));
    assert_eq!(store.known.problem(), None);
    assert_eq!(store.reopened().all().len(), 2);
}

#[test]
fn a_file_that_cannot_be_read_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join(FILE).join("in the way");
    fs::create_dir_all(&inside).unwrap();
    let (known, problem) = KnownDevices::open(folder.path());
    assert!(problem.is_some());
    assert_eq!(known.all(), []);
    assert!(known.wish(id(1), &name("Garden laptop")));
    assert!(inside.exists());
}

#[test]
fn changes_from_many_threads_are_all_written() {
    let store = Store::new();
    std::thread::scope(|scope| {
        for byte in 1..=8 {
            let known = &store.known;
            scope.spawn(move || {
                known.wish(id(byte), &name("Device"));
                known.pair(id(byte), &name("Device"), key(byte));
            });
        }
    });
    let known = store.reopened();
    for byte in 1..=8 {
        assert_eq!(known.pair_key(id(byte)), Some(key(byte)));
    }
}

#[test]
fn debug_prints_no_key() {
    let secret = [7; 32];
    let derived = PairKey::derive(&secret, id(1), id(2));
    assert_eq!(format!("{derived:?}"), "PairKey(***)");
    assert_eq!(derived, PairKey::derive(&secret, id(1), id(2)));
    assert_ne!(derived, PairKey::derive(&secret, id(2), id(1)));
    assert_ne!(derived, PairKey::derive(&[8; 32], id(1), id(2)));
}

#[test]
fn nobody_is_paired_whom_the_person_does_not_want() {
    let store = Store::new();
    let garden = name("Garden laptop");
    assert!(!store.known.pair(id(1), &garden, key(7)), "never wished");
    store.known.wish(id(1), &garden);
    store.known.forget(id(1));
    assert!(!store.known.pair(id(1), &garden, key(7)), "forgotten since");
    store.known.wish(id(1), &garden);
    assert!(store.known.pair(id(1), &garden, key(7)));
    store.known.forgotten_there(id(1));
    assert!(!store.known.pair(id(1), &garden, key(7)), "gone there");
    assert_eq!(store.reopened().pair_key(id(1)), None);
}

#[test]
fn what_another_process_changes_counts_here_and_what_is_changed_here_counts_there() {
    let store = Store::new();
    for (number, called) in [(1, "Garden laptop"), (2, "Study PC"), (3, "Kitchen")] {
        store.known.wish(id(number), &name(called));
        store.known.pair(id(number), &name(called), key(number));
    }
    assert!(!store.known.look_again(), "it is our own file");
    let other = store.reopened();
    assert!(other.forget(id(1)));
    assert!(other.block(id(2), &name("Study PC")));
    // A device that was lost is forgotten on the command line while a window runs.
    assert!(store.known.look_again());
    assert_eq!(store.known.pair_key(id(1)), None);
    assert!(store.known.is_blocked(id(2)));
    assert!(!store.known.look_again());
    // And the other way round; neither brings back what the other has removed.
    assert!(other.forget(id(3)));
    store.known.wish(id(4), &name("Attic"));
    let bonds = |known: &KnownDevices| {
        let all = known.all().into_iter();
        let mut all: Vec<_> = all.map(|device| (device.id, device.bond)).collect();
        all.sort_by_key(|(id, _)| *id);
        all
    };
    let both = [(id(2), Bond::Blocked), (id(4), Bond::Wished)];
    assert_eq!(bonds(&store.known), both);
    assert_eq!(bonds(&store.reopened()), both);
    assert!(other.look_again());
    assert_eq!(bonds(&other), both);
}

#[test]
fn a_file_that_became_newer_meanwhile_is_left_alone() {
    let store = Store::new();
    store.known.wish(id(1), &name("Garden laptop"));
    let newer = r#"{"version":2,"devices":[]}"#;
    fs::write(store.path(), newer).unwrap();
    assert!(!store.known.look_again());
    store.known.wish(id(2), &name("Study PC"));
    assert_eq!(fs::read_to_string(store.path()).unwrap(), newer);
    assert!(store.known.problem().is_some());
    assert_eq!(store.known.all().len(), 2);
}

#[test]
fn changes_are_written_beside_as_long_as_there_is_a_writer() {
    let folder = tempfile::tempdir().unwrap();
    let (known, _) = KnownDevices::open(folder.path());
    let known = Arc::new(known);
    let there = || {
        let (known, problem) = KnownDevices::open(folder.path());
        assert_eq!(problem, None);
        let devices = known.all().into_iter().map(|device| device.id);
        devices.collect::<HashSet<_>>()
    };
    let writer = known.write_beside();
    assert!(matches!(&*lock(&known.beside), Beside::Wanted(_)));
    assert!(known.wish(id(1), &name("Garden laptop")));
    assert!(known.wish(id(2), &name("Study")));
    assert!(matches!(&*lock(&known.beside), Beside::Thread(..)));
    drop(writer);
    assert_eq!(there(), HashSet::from([id(1), id(2)]));
    assert!(known.wish(id(3), &name("NAS")));
    assert_eq!(there().len(), 3, "on the spot");
}
