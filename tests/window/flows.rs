//! Two windows, each over an engine of its own: what the one person presses, the other person sees.
//! Words come from the texts and outcomes from the view, so that only a change of what can be done
//! is felt here.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use ropeway::engine::{Bind, Command, Config, Engine};
use ropeway::gui::app::App;
use ropeway::gui::texts::ENGLISH;
use ropeway::gui::theme;
use ropeway::gui::view::{RowState, Server, View};
use ropeway::model::{Bond, Delivery, DeviceName, Hold, OnConflict, Party, Presence, Said, Status};
use ropeway::settings::{Language, Settings};

use crate::support::{BIG_BYTES, PATIENCE, noise, tree};
use crate::window::drop_file;

/// A window over a real engine, as `gui::run` puts them together, but for the window system.
struct Live {
    harness: Harness<'static, App>,
    news: Receiver<()>,
    home: tempfile::TempDir,
}

impl Live {
    fn new(name: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let config = Config {
            data_dir: home.path().join("data"),
            name: DeviceName::cleaned(name, "?"),
        };
        let (wake, news) = sync_channel(1);
        let (engine, events) = Engine::start(config, move || _ = wake.try_send(())).unwrap();
        let settings = Settings {
            name: name.into(),
            save_folder: home.path().join("inbox"),
            language: Language::English,
            presence: Presence::Off,
            ..Settings::default()
        };
        let commands = move |mut command| {
            if let Command::Listen(options) = &mut command {
                // Nobody else is to find it, and no two tests want the same port.
                options.bind = Bind::Exact("127.0.0.1:0".parse().unwrap());
            }
            engine.command(command);
        };
        let mut app = App::new(settings, None, Box::new(commands), events);
        app.start(Vec::new(), None);
        let harness = Harness::builder()
            .with_size([1280.0, 1200.0])
            .with_context_setup(theme::install)
            .build_ui_state(
                |ui, app: &mut App| {
                    app.drain();
                    app.ui(ui, None);
                },
                app,
            );
        Self {
            harness,
            news,
            home,
        }
    }

    fn view(&self) -> &View {
        &self.harness.state().view
    }

    fn has(&self, label: &str) -> bool {
        self.harness.query_all_by_label(label).next().is_some()
    }

    /// Draws until it holds; each time that the engine says something.
    fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        self.harness.step();
        while !holds(self) {
            assert!(Instant::now() < deadline, "never {what}");
            let _ = self.news.recv_timeout(Duration::from_millis(20));
            self.harness.step();
        }
    }

    fn until_shown(&mut self, label: &str) {
        self.until(label, |window| window.has(label));
    }

    fn click(&mut self, label: &str) {
        self.until_shown(label);
        self.harness.get_by_label(label).click();
        self.harness.run_steps(3);
    }

    /// A device's card, or a page.
    fn choose(&mut self, word: &str) {
        let role = Role::RadioButton;
        self.until(word, |window| {
            let mut found = window.harness.query_all_by_role_and_label(role, word);
            found.next().is_some()
        });
        self.harness.get_by_role_and_label(role, word).click();
        self.harness.run_steps(3);
    }

    fn press(&mut self, modifiers: Modifiers, key: Key) {
        self.harness.key_press_modifiers(modifiers, key);
        self.harness.run_steps(3);
    }

    fn type_into(&mut self, role: Role, label: &str, text: &str) {
        self.until(label, |window| {
            let mut fields = window.harness.query_all_by_role_and_label(role, label);
            fields.next().is_some()
        });
        self.harness.get_by_role_and_label(role, label).focus();
        self.harness.run_steps(2);
        let field = self.harness.get_by_role_and_label(role, label);
        field.type_text(text);
        self.harness.run_steps(2);
    }

    /// Switches Receive on; where, and with which code.
    fn receives(&mut self) -> (SocketAddr, String) {
        self.click(ENGLISH.receive_switch);
        self.until("a code", |window| {
            matches!(window.view().server, Server::On(_)) && window.view().code.is_some()
        });
        let view = self.view();
        let Server::On(listening) = &view.server else {
            panic!("it is on");
        };
        let code = view.code.as_ref().unwrap().grouped();
        assert!(self.has(&code), "{code} is there to be read");
        (listening.addr, code)
    }

    /// Drops something on the window, and sends it to whoever shows that code.
    fn sends(&mut self, path: &Path, (to, code): &(SocketAddr, String), remember: bool) {
        drop_file(&mut self.harness, path);
        self.type_into(Role::TextInput, ENGLISH.address_label, &to.to_string());
        self.press(Modifiers::NONE, Key::Enter);
        self.type_into(Role::TextInput, ENGLISH.code_label, code);
        if remember {
            self.click(ENGLISH.remember_this);
        }
        self.press(Modifiers::COMMAND, Key::Enter);
    }

    /// How the newest transfer has ended.
    fn ended(&mut self) -> Status {
        self.until("the end of a transfer", |window| {
            let row = window.view().rows.first();
            row.is_some_and(|row| matches!(row.state, RowState::Ended(_)) && window.settled())
        });
        match &self.view().rows[0].state {
            RowState::Ended(summary) => summary.status,
            RowState::Active(_) | RowState::Kept(_) => unreachable!("it has ended"),
        }
    }

    /// Nothing is on its way to the disk any more.
    fn settled(&self) -> bool {
        let rows = self.view().rows.iter();
        rows.filter(
            |row| matches!(&row.state, RowState::Ended(end) if end.status == Status::Arrived),
        )
        .all(|row| row.safe)
    }

    fn inbox(&self) -> PathBuf {
        self.home.path().join("inbox")
    }

    fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.home.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }
}

#[test]
fn two_people_send_with_a_code_are_remembered_talk_and_forget_each_other() {
    let (mut garden, mut study) = (Live::new("Garden"), Live::new("Study"));
    garden.write("Holiday/day 1/照片.jpg", &noise(1, 700_000));
    garden.write("Holiday/day 2/empty", b"");
    let photos = garden.home.path().join("Holiday");
    let there = study.receives();
    garden.sends(&photos, &there, true);

    study.until_shown(ENGLISH.accept);
    study.click(ENGLISH.remember_this);
    study.click(ENGLISH.accept);
    assert_eq!(garden.ended(), Status::Arrived);
    assert_eq!(study.ended(), Status::Arrived);
    assert_eq!(tree(&study.inbox().join("Holiday")), tree(&photos));
    for window in [&mut garden, &mut study] {
        window.until("both remember each other", |window| {
            let devices = &window.view().devices;
            devices.iter().any(|device| device.bond == Bond::Paired)
        });
    }

    // Without a code from now on.
    let letter = garden.write("letter.txt", b"dear all");
    drop_file(&mut garden.harness, &letter);
    if garden.view().draft.chosen.is_none() {
        garden.choose("Study");
    }
    garden.press(Modifiers::COMMAND, Key::Enter);
    study.click(ENGLISH.accept);
    assert_eq!(study.ended(), Status::Arrived);
    assert_eq!(
        fs::read(study.inbox().join("letter.txt")).unwrap(),
        b"dear all"
    );
    assert_eq!(garden.ended(), Status::Arrived);

    let talks = Modifiers::COMMAND.plus(Modifiers::SHIFT);
    for (window, with) in [(&mut garden, "Study"), (&mut study, "Garden")] {
        window.press(talks, Key::M);
        window.until("a conversation", |window| {
            window.view().talks.threads.len() == 1
        });
        if window.view().talks.open.is_none() {
            window.click(with);
        }
    }
    garden.type_into(Role::MultilineTextInput, ENGLISH.talks_field, "All there?");
    garden.press(Modifiers::NONE, Key::Enter);
    study.until_shown("All there?");
    garden.until("it is delivered", |window| {
        let mut lines = window
            .view()
            .talks
            .threads
            .iter()
            .flat_map(|one| &one.lines);
        lines.any(|line| {
            matches!(
                &line.what,
                Said::Text {
                    delivery: Delivery::Delivered,
                    ..
                }
            )
        })
    });

    garden.press(Modifiers::COMMAND, Key::Comma);
    let page = ENGLISH.known_devices;
    let pages = garden
        .harness
        .get_by_role_and_label(Role::RadioButton, page);
    pages.click();
    garden.harness.run_steps(3);
    garden.click(&(ENGLISH.details_of)("Study"));
    garden.click(ENGLISH.forget);
    garden.click(ENGLISH.forget);
    garden.until("it is forgotten", |window| window.view().devices.is_empty());
}

#[test]
fn what_exists_is_replaced_where_the_person_chose_so_and_what_is_declined_says_so() {
    let (mut garden, mut study) = (Live::new("Garden"), Live::new("Study"));
    let plan = garden.write("plan.txt", b"the new plan");
    study.write("inbox/plan.txt", b"the old one");
    let there = study.receives();
    garden.sends(&plan, &there, false);
    study.click((ENGLISH.on_conflict)(OnConflict::Replace));
    study.click(ENGLISH.accept);
    assert_eq!(study.ended(), Status::Arrived);
    assert_eq!(garden.ended(), Status::Arrived);
    assert_eq!(
        tree(&study.inbox()),
        [("plan.txt".into(), Some(b"the new plan".to_vec()))]
    );

    study.until("the next code", |window| {
        window
            .view()
            .code
            .as_ref()
            .is_some_and(|code| code.grouped() != there.1)
    });
    let next = study.view().code.as_ref().unwrap().grouped();
    let other = garden.write("other.txt", b"not wanted");
    drop_file(&mut garden.harness, &other);
    garden.type_into(Role::TextInput, ENGLISH.code_label, &next);
    garden.press(Modifiers::COMMAND, Key::Enter);
    study.click(ENGLISH.decline);
    assert_eq!(garden.ended(), Status::Declined);
    assert!(!study.inbox().join("other.txt").exists());
}

#[test]
fn a_pause_and_a_cancel_are_seen_at_both_ends() {
    let (mut garden, mut study) = (Live::new("Garden"), Live::new("Study"));
    let film = garden.home.path().join("film");
    fs::File::create(&film).unwrap().set_len(BIG_BYTES).unwrap();
    let there = study.receives();
    garden.sends(&film, &there, false);
    study.click(ENGLISH.accept);
    garden.click(&(ENGLISH.hands.act_on)(ENGLISH.pause, "film"));
    study.until("the pause there", |window| {
        window.view().rows[0].holds.there == Some(Hold::Person)
    });
    study.until_shown(&(ENGLISH.paused_by_peer)("Garden"));
    garden.until_shown(ENGLISH.paused_by_us);
    let bytes = |window: &Live| {
        window.view().rows[0]
            .progress
            .as_ref()
            .map_or(0, |now| now.bytes)
    };
    let before = bytes(&study);
    garden.click(&(ENGLISH.hands.act_on)(ENGLISH.resume, "film"));
    study.until("it goes on", |window| {
        !window.view().rows[0].holds.any() && bytes(window) > before
    });
    study.click(&(ENGLISH.hands.act_on)(ENGLISH.cancel, "film"));
    assert_eq!(garden.ended(), Status::Cancelled(Party::Peer));
    assert_eq!(study.ended(), Status::Cancelled(Party::Us));
    assert!(!study.inbox().join("film").exists(), "no half of it");
    assert!(garden.view().rows[0].can_resume());
}

#[test]
fn what_failed_is_named_at_both_ends_and_one_press_sends_it_alone() {
    let (mut garden, mut study) = (Live::new("Garden"), Live::new("Study"));
    garden.write("Thesis/film", &noise(1, 300_000));
    let log = garden.write("Thesis/log", &noise(2, 20_000));
    let there = study.receives();
    garden.sends(&garden.home.path().join("Thesis"), &there, false);
    study.until("all is listed", |window| {
        window.view().offers.iter().any(|offer| !offer.counting)
    });
    fs::write(&log, noise(3, 20_001)).unwrap();
    study.click(ENGLISH.accept);
    for window in [&mut garden, &mut study] {
        assert_eq!(window.ended(), Status::Problems);
        window.until("which one", |window| {
            let failed = &window.view().rows[0].failed;
            failed.len() == 1 && failed[0].path == "Thesis/log"
        });
    }
    assert!(!study.inbox().join("Thesis/log").exists());
    garden.click(&(ENGLISH.hands.act_on)(ENGLISH.retry_failed, "Thesis"));
    for window in [&mut garden, &mut study] {
        window.until("it arrived", |window| {
            let row = &window.view().rows[0];
            row.safe && matches!(&row.state, RowState::Ended(end) if end.status == Status::Arrived)
        });
    }
    let thesis = garden.home.path().join("Thesis");
    assert_eq!(tree(&study.inbox().join("Thesis")), tree(&thesis));
    assert_eq!(study.view().rows.len(), 1, "it is the same row");
}
