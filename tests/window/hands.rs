//! What reaches the window by other ways than its own controls, and everything by the keyboard and for
//! screen readers.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use egui::accesskit::{Live, Role, Toggled};
use egui::{Key, Modifiers, ViewportCommand};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use ropeway::engine::{Answer, CallStands, Caller, Command, Event, KnownDevice, Offer, TextOffer};
use ropeway::gui::clipboard::{Clip, NoPicture, Read, Wanted};
use ropeway::gui::notify::{Act, Card, Heard, Order, Topic};
use ropeway::instance::Handover;
use ropeway::model::{
    Bond, Delivery, DeviceId, DeviceName, Direction, Line, MessageId, Peer, Rule, Said, Status,
    Symbols, TransferId, TransferState, Trust,
};
use ropeway::settings::{Language, OnClose};

use super::window::*;

const WITH_SHIFT: Modifiers = Modifiers::COMMAND.plus(Modifiers::SHIFT);

/// What the last frame asked of the window system.
fn asked_for(window: &Window) -> Vec<ViewportCommand> {
    let viewports = &window.harness.output().viewport_output;
    let root = viewports.get(&egui::ViewportId::ROOT);
    root.map(|root| root.commands.clone()).unwrap_or_default()
}

fn known(id: DeviceId, name: &str) -> KnownDevice {
    KnownDevice {
        id,
        name: DeviceName::cleaned(name, "?"),
        label: None,
        bond: Bond::Paired,
        rule: Rule::Ask,
        address: Some("192.168.1.2:9000".into()),
        met: std::time::SystemTime::UNIX_EPOCH,
    }
}

fn tab_to(window: &mut Window, label: &str) {
    for _ in 0..40 {
        if focused(window, label) {
            return;
        }
        window.press(Modifiers::NONE, Key::Tab);
    }
    panic!("{label} is not reached by Tab");
}

/// One frame with the window's own button for closing pressed.
fn close(window: &mut Window) -> Vec<ViewportCommand> {
    let viewports = &mut window.harness.input_mut().viewports;
    let root = viewports.entry(egui::ViewportId::ROOT).or_default();
    root.events.push(egui::ViewportEvent::Close);
    window.harness.step();
    let asked = asked_for(window);
    if let Some(root) = window
        .harness
        .input_mut()
        .viewports
        .get_mut(&egui::ViewportId::ROOT)
    {
        root.events.clear();
    }
    asked
}

#[test]
fn what_a_later_start_brings_is_in_the_list_and_the_window_comes_to_the_front() {
    let mut window = Window::english();
    let (hand, handed) = channel();
    window.harness.state_mut().hands.handed = Some(handed);
    window.press(WITH_SHIFT, Key::M);
    let paths = vec!["/home/me/报告.pdf".into()];
    hand.send(Handover { paths }).unwrap();
    window.harness.step();
    let asked = asked_for(&window);
    for wish in [ViewportCommand::Visible(true), ViewportCommand::Focus] {
        assert!(asked.contains(&wish), "{asked:?}");
    }
    window.harness.run();
    assert!(sees(&window, "报告.pdf"), "also from the conversations");
}

#[test]
fn closing_asks_once_whether_the_server_goes_on_and_a_later_start_brings_the_window_back() {
    let mut window = Window::english();
    let (hand, handed) = channel();
    let hands = &mut window.harness.state_mut().hands;
    hands.handed = Some(handed);
    hands.order = Some(Box::new(|_shown| {}));
    assert!(
        !close(&mut window).contains(&ViewportCommand::CancelClose),
        "with the server off it just ends"
    );
    window.say(listening());
    assert!(close(&mut window).contains(&ViewportCommand::CancelClose));
    window.harness.run();
    assert!(sees(&window, "Start Ropeway again to see its window."));
    window.press(Modifiers::NONE, Key::Escape);
    assert!(
        !window.harness.state().is_hidden(),
        "Escape keeps the window"
    );
    close(&mut window);
    window.harness.run();
    // Enter is for what is marked.
    window.press(Modifiers::NONE, Key::Enter);
    assert!(window.harness.state().is_hidden());
    assert_eq!(
        window.harness.state().settings.on_close,
        OnClose::Background
    );
    window.say(offer(5_000_000));
    assert!(!sees(&window, "Accept"), "nothing is drawn");
    window.say(Event::OfferWithdrawn(TRANSFER));
    hand.send(Handover { paths: Vec::new() }).unwrap();
    window.harness.run();
    assert!(!window.harness.state().is_hidden());
    assert!(sees(&window, "Settings"));
    // From now on without a question.
    let asked = close(&mut window);
    for wish in [
        ViewportCommand::CancelClose,
        ViewportCommand::Visible(false),
    ] {
        assert!(asked.contains(&wish), "{asked:?}");
    }
}

#[test]
fn the_picture_that_hides_the_window_is_whole_however_often_it_is_laid_out() {
    let mut window = Window::english();
    window.say(listening());
    window.harness.state_mut().settings.on_close = OnClose::Background;
    let context = window.harness.ctx.clone();
    context.options_mut(|options| options.max_passes = 3.try_into().unwrap());
    let again = |ui: &mut egui::Ui| ui.ctx().request_discard("once more");
    context.on_end_pass("once more", std::sync::Arc::new(again));
    let asked = close(&mut window);
    assert!(
        asked.contains(&ViewportCommand::Visible(false)),
        "{asked:?}"
    );
    assert!(sees(&window, "Settings"), "a desktop may fade it out");
    window.harness.step();
    assert!(!sees(&window, "Settings"));
}

#[test]
fn quitting_asks_while_something_runs_and_may_leave_it_running() {
    let mut window = Window::english();
    window.say(started(Direction::Send));
    window.press(Modifiers::COMMAND, Key::Q);
    assert!(sees(&window, "Keep going in the background?"));
    window.press(Modifiers::NONE, Key::Escape);
    assert!(!sees(&window, "Keep going in the background?"));
    window.press(Modifiers::COMMAND, Key::Q);
    window.harness.get_by_label("Quit, resume later").click();
    window.harness.step();
    assert!(asked_for(&window).contains(&ViewportCommand::Close));
    assert_eq!(
        window.harness.state().settings.on_close,
        OnClose::Ask,
        "what is answered about a transfer is not a rule"
    );
}

/// As [`close`], while the window is minimised: eframe runs the logic alone then.
fn close_minimised(window: &mut Window) -> Vec<ViewportCommand> {
    let mut input = egui::RawInput::default();
    let root = input.viewports.entry(egui::ViewportId::ROOT).or_default();
    root.events.push(egui::ViewportEvent::Close);
    let context = window.harness.ctx.clone();
    let state = window.harness.state_mut();
    let mut output = context.run_logic(&input, |context| state.attend(context));
    let commands = output.viewport_commands.remove(&egui::ViewportId::ROOT);
    commands.unwrap_or_default()
}

#[test]
fn a_minimised_window_that_is_closed_comes_up_to_ask_or_goes_on_in_the_background() {
    let mut window = Window::english();
    assert_eq!(close_minimised(&mut window), [], "it just ends");
    window.say(listening());
    let asked = close_minimised(&mut window);
    for wish in [
        ViewportCommand::CancelClose,
        ViewportCommand::Minimized(false),
    ] {
        let times = asked.iter().filter(|asked| **asked == wish).count();
        assert_eq!(times, 1, "{asked:?}");
    }
    window.harness.run();
    assert!(sees(&window, "Start Ropeway again to see its window."));
    window.press(Modifiers::NONE, Key::Escape);
    window.harness.state_mut().settings.on_close = OnClose::Background;
    let asked = close_minimised(&mut window);
    assert!(asked.contains(&ViewportCommand::CancelClose), "{asked:?}");
    assert!(window.harness.state().is_hidden());
}

#[test]
fn where_a_hidden_window_could_not_come_back_it_is_only_made_small() {
    let mut window = Window::english();
    window.harness.state_mut().hands.can_hide = false;
    window.harness.state_mut().settings.on_close = OnClose::Background;
    window.say(listening());
    assert!(close(&mut window).contains(&ViewportCommand::Minimized(true)));
    assert!(!window.harness.state().is_hidden());
}

fn paste(window: &mut Window, read: Read, mut until: impl FnMut(&mut Window) -> bool) {
    window.harness.state_mut().hands.read_clipboard = read;
    // The one before is not a key that is held down.
    window.harness.run_steps(8);
    window.harness.event(egui::Event::Paste("anything".into()));
    window.harness.step();
    let end = Instant::now() + Duration::from_secs(30);
    while !until(window) {
        assert!(Instant::now() < end, "it never came");
        std::thread::yield_now();
        window.harness.step();
    }
    window.harness.run_steps(5);
}

#[test]
fn pasted_files_pictures_and_text_become_what_is_sent() {
    let mut window = Window::english();
    window.say(Event::Nearby(vec![nearby(
        DeviceId([2; 32]),
        "Garden laptop",
        true,
    )]));
    let files = |_| Clip::Files(vec!["/home/me/a.txt".into(), "/home/me/b".into()]);
    paste(&mut window, files, |window| sees(window, "b"));
    assert!(sees(&window, "a.txt"));
    // A picture is written down by the engine, and is a file like any other then.
    let mut stash = None;
    paste(
        &mut window,
        |_| Clip::Picture(b"png".to_vec()),
        |window| {
            stash = window.command();
            stash.is_some()
        },
    );
    let Some(Command::Stash { id, name, bytes }) = stash else {
        panic!("{stash:?}");
    };
    assert_eq!(bytes, b"png");
    window.say(Event::Stashed(
        id,
        Ok(PathBuf::from("/data/pasted").join(&name)),
    ));
    assert!(sees(&window, &name));
    // Text waits for a device to go to.
    let prompt = "Choose a device to send the pasted text to.";
    paste(
        &mut window,
        |_| Clip::Text("Tea at five".into()),
        |window| sees(window, prompt),
    );
    window.click("Garden laptop");
    let field = window.harness.get_by_role(Role::MultilineTextInput);
    assert_eq!(
        field.accesskit_node().value().as_deref(),
        Some("Tea at five")
    );
    assert!(!sees(&window, prompt));
    assert!(window.command().is_none(), "nothing goes by itself");
    window.press(WITH_SHIFT, Key::M);
    let nothing = "There is nothing in the clipboard that can be sent.";
    paste(
        &mut window,
        |_| Clip::Nothing(NoPicture::Nothing),
        |window| sees(window, nothing),
    );
}

#[test]
fn files_that_are_nothing_else_are_pasted_when_the_key_comes_up_again() {
    let mut window = Window::english();
    window.harness.state_mut().hands.read_clipboard =
        |_| Clip::Files(vec!["/home/me/a.txt".into()]);
    let end = Instant::now() + Duration::from_secs(30);
    window.press(Modifiers::NONE, Key::V);
    window.harness.run_steps(8);
    assert!(!sees(&window, "a.txt"), "that was a letter");
    // An input method took the letter, and the window sees only that its key comes up.
    come_up(&mut window, Modifiers::NONE);
    window.harness.run_steps(8);
    assert!(!sees(&window, "a.txt"), "nobody has asked for that");
    come_up(&mut window, Modifiers::COMMAND);
    while !sees(&window, "a.txt") {
        assert!(Instant::now() < end, "it never came");
        std::thread::yield_now();
        window.harness.step();
    }
}

/// The key for pasting, as the window hears of it where there is no text to paste.
fn come_up(window: &mut Window, modifiers: Modifiers) {
    window.harness.key_up_modifiers(modifiers, Key::V);
    window.harness.step();
}

fn step_until(window: &mut Window, mut holds: impl FnMut(&mut Window) -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !holds(window) {
        assert!(Instant::now() < end, "it never came");
        std::thread::yield_now();
        window.harness.step();
    }
}

fn value(window: &Window, role: Role, label: &str) -> String {
    let field = window.harness.get_by_role_and_label(role, label);
    field.accesskit_node().value().unwrap_or_default()
}

#[test]
fn text_that_is_pasted_into_a_field_goes_there_and_files_and_pictures_are_sent() {
    let mut window = Window::english();
    let field = window.harness.get_by_role_and_label(Role::TextInput, "To");
    field.focus();
    window.harness.run();
    window.harness.state_mut().hands.read_clipboard = |_| Clip::Text("192.168.1.20".into());
    let pasted = || egui::Event::Paste("192.168.1.20".into());
    window.harness.event(pasted());
    window.harness.step();
    let to = |window: &Window| value(window, Role::TextInput, "To");
    step_until(&mut window, |window| to(window) == "192.168.1.20");
    window.harness.event(pasted());
    window.harness.step();
    let twice = "192.168.1.20192.168.1.20";
    step_until(&mut window, |window| to(window) == twice);
    // File managers give the names as text, too.
    paste(
        &mut window,
        |_| Clip::Files(vec!["/home/me/a.txt".into()]),
        |window| sees(window, "a.txt"),
    );
    assert_eq!(to(&window), twice);
    assert!(focused(&window, "To"));
}

#[test]
fn files_and_pictures_pasted_into_the_message_go_to_its_device_and_the_message_stays() {
    let id = DeviceId([2; 32]);
    let mut window = Window::english();
    window.say(Event::Devices(vec![known(id, "Garden laptop")]));
    window.say(heard(2, "Tea?"));
    window.press(WITH_SHIFT, Key::M);
    let message = |window: &Window| value(window, Role::MultilineTextInput, "Message");
    window.harness.run();
    window.harness.get_by_role(Role::MultilineTextInput).focus();
    window.harness.run();
    window.harness.event(egui::Event::Text("Look: ".into()));
    window.harness.run();
    let mut told = None;
    let files = |_| Clip::Files(vec!["/home/me/a.txt".into()]);
    paste(&mut window, files, |window| {
        told = window.command();
        told.is_some()
    });
    let Some(Command::Send(request)) = told else {
        panic!("{told:?}");
    };
    assert_eq!(request.device.unwrap().id, id);
    assert_eq!(request.sources, [PathBuf::from("/home/me/a.txt")]);
    assert_eq!(message(&window), "Look: ");
    come_up(&mut window, Modifiers::COMMAND);
    // Files alone are no event that says so, but for the key that comes up.
    window.harness.state_mut().hands.read_clipboard = |_| Clip::Picture(b"png".to_vec());
    window.harness.run_steps(40);
    come_up(&mut window, Modifiers::COMMAND);
    let mut told = None;
    step_until(&mut window, |window| {
        told = window.command();
        told.is_some()
    });
    let Some(Command::Stash { id: stash, .. }) = told else {
        panic!("{told:?}");
    };
    window.say(Event::Stashed(stash, Ok("/data/pasted/Picture.png".into())));
    assert!(matches!(window.command(), Some(Command::Send(_))));
    assert_eq!(message(&window), "Look: ");
}

/// A clipboard that is read only as long as this is not held.
static SLOW: Mutex<()> = Mutex::new(());

fn slowly(_wanted: Wanted) -> Clip {
    let _waits = SLOW.lock();
    Clip::Files(vec!["/home/me/a.txt".into()])
}

#[test]
fn what_is_pasted_goes_to_the_conversation_it_was_pasted_into_whichever_is_open_when_it_is_read() {
    let mut window = Window::english();
    let (garden, study) = (DeviceId([2; 32]), DeviceId([3; 32]));
    let devices = vec![known(garden, "Garden laptop"), known(study, "Study")];
    window.say(Event::Devices(devices));
    window.say(heard(2, "Tea?"));
    window.press(WITH_SHIFT, Key::M);
    window.harness.run_steps(8);
    let held = SLOW.lock().unwrap();
    window.harness.state_mut().hands.read_clipboard = slowly;
    window.harness.event(egui::Event::Paste("a.txt".into()));
    window.harness.step();
    window.click("Study");
    assert_eq!(window.harness.state().view.talks.open, Some(study));
    drop(held);
    let mut sent = None;
    step_until(&mut window, |window| {
        sent = window
            .commands
            .try_iter()
            .find_map(|command| match command {
                Command::Send(request) => Some(request),
                _ => None,
            });
        sent.is_some()
    });
    assert_eq!(sent.unwrap().device.unwrap().id, garden);
}

#[test]
fn text_that_is_pasted_does_not_follow_the_person_into_another_field_nor_wait_for_a_slow_clipboard()
{
    static HELD: Mutex<()> = Mutex::new(());
    let mut window = Window::english();
    let read: Read = |_| {
        let _waits = HELD.lock();
        Clip::Text("secret".into())
    };
    window.harness.state_mut().hands.read_clipboard = read;
    let pasted = || egui::Event::Paste("secret".into());
    let to = |window: &Window| value(window, Role::TextInput, "To");
    window
        .harness
        .get_by_role_and_label(Role::TextInput, "To")
        .focus();
    window.harness.run();
    let held = HELD.lock().unwrap();
    window.harness.event(pasted());
    window.harness.step();
    assert_eq!(to(&window), "", "it may be files");
    // Some seconds.
    window.harness.run_steps(60);
    assert_eq!(to(&window), "secret");
    window.harness.event(pasted());
    window.harness.run_steps(2);
    assert_eq!(to(&window), "secretsecret", "as if nothing were read");
    drop(held);
    window.harness.run_steps(60);
    assert_eq!(to(&window), "secretsecret");
}

#[test]
fn f1_shows_the_keys_and_the_size_of_text_is_kept() {
    for (language, title, keys, done) in [
        (Language::English, "Keys and help", "Choose files", "Done"),
        (Language::Chinese, "按键与帮助", "选择文件", "完成"),
    ] {
        let mut window = Window::new(language);
        window.press(Modifiers::NONE, Key::F1);
        assert!(sees(&window, title) && sees(&window, keys));
        window.harness.set_size(egui::vec2(520.0, 480.0));
        window.harness.run();
        let done = window.harness.get_by_label(done);
        assert!(done.rect().right() <= 520.0);
        window.press(Modifiers::NONE, Key::Escape);
        assert!(!sees(&window, keys));
        for (key, percent) in [
            (Key::Plus, 110),
            (Key::Equals, 120),
            (Key::Minus, 110),
            (Key::Num0, 100),
        ] {
            window.press(Modifiers::COMMAND, key);
            let state = window.harness.state();
            assert_eq!(state.settings.zoom_percent, percent, "{key:?}");
            let zoom = window.harness.ctx.zoom_factor();
            assert!((zoom - f32::from(percent) / 100.0).abs() < 0.01, "{zoom}");
        }
    }
}

#[test]
fn from_the_clipboard_to_send_and_from_an_offer_to_accept_with_the_keyboard_alone() {
    let mut window = Window::english();
    let id = DeviceId([2; 32]);
    window.say(Event::Devices(vec![known(id, "Garden laptop")]));
    window.say(Event::Nearby(vec![nearby(id, "Garden laptop", true)]));
    paste(
        &mut window,
        |_| Clip::Files(vec!["/home/me/a.txt".into()]),
        |window| sees(window, "a.txt"),
    );
    tab_to(&mut window, "Garden laptop");
    window.press(Modifiers::NONE, Key::Space);
    window.press(Modifiers::COMMAND, Key::Enter);
    let Some(Command::Send(request)) = window.command() else {
        panic!("a send command");
    };
    assert_eq!(request.device.unwrap().id, id);
    // The switch by the keyboard.
    tab_to(&mut window, "Receive from other devices");
    window.press(Modifiers::NONE, Key::Space);
    assert!(matches!(window.command(), Some(Command::Listen(_))));
    window.say(offer(5_000_000));
    tab_to(&mut window, "Accept");
    window.press(Modifiers::NONE, Key::Enter);
    let answer = window.command();
    assert!(
        matches!(
            &answer,
            Some(Command::Answer(TRANSFER, Answer::Accept { .. }))
        ),
        "{answer:?}"
    );
}

type Orders = Rc<RefCell<Vec<Order>>>;

/// Another window is in front; what the desktop is told is kept.
fn behind(language: Language) -> (Window<'static>, Orders, std::sync::mpsc::Sender<Heard>) {
    let mut window = Window::new(language);
    let orders = Orders::default();
    let told = orders.clone();
    let (say, heard) = channel();
    let hands = &mut window.harness.state_mut().hands;
    hands.order = Some(Box::new(move |order| told.borrow_mut().push(order)));
    hands.heard = Some(heard);
    hands.in_front = false;
    (window, orders, say)
}

fn last(orders: &Orders, topic: Topic) -> Option<Card> {
    let orders = orders.borrow();
    let about = orders.iter().rev().find(|order| match order {
        Order::Show(about, _) | Order::Close(about) => *about == topic,
    });
    match about {
        Some(Order::Show(_, card)) => Some(card.clone()),
        Some(Order::Close(_)) | None => None,
    }
}

fn offered(change: impl FnOnce(&mut Offer)) -> Event {
    let Event::Offer(mut offer) = offer(5_000_000) else {
        panic!("an offer");
    };
    change(&mut offer);
    Event::Offer(offer)
}

#[test]
fn an_offer_is_answered_from_its_notification() {
    for (language, accept) in [(Language::English, "Accept"), (Language::Chinese, "接受")] {
        let (mut window, orders, say) = behind(language);
        window.say(offer(5_000_000));
        let card = last(&orders, Topic::Offers).expect("a notification");
        assert!(card.title.contains("Garden laptop"), "{card:?}");
        assert!(card.body.contains("Kitchen plans"), "{card:?}");
        let words: Vec<_> = card
            .buttons
            .iter()
            .map(|(act, word)| (*act, word.as_str()))
            .collect();
        assert_eq!(words[0], (Act::Accept(TRANSFER), accept));
        assert_eq!(words[1].0, Act::Decline(TRANSFER));
        let told = orders.borrow().len();
        window.say(offer(5_000_000));
        assert_eq!(orders.borrow().len(), told, "nothing new, nothing said");
        say.send(Heard::Act(Act::Accept(TRANSFER))).unwrap();
        window.harness.run();
        let answer = window.command();
        assert!(
            matches!(
                &answer,
                Some(Command::Answer(
                    TRANSFER,
                    Answer::Accept { folder: None, .. }
                ))
            ),
            "{answer:?}"
        );
        assert!(last(&orders, Topic::Offers).is_none(), "it is taken back");
        // Pressed twice, or about something that is gone.
        say.send(Heard::Act(Act::Accept(TRANSFER))).unwrap();
        say.send(Heard::Act(Act::Decline(TransferId([9; 16]))))
            .unwrap();
        window.harness.run();
        assert!(window.command().is_none());
    }
}

#[test]
fn what_has_to_be_seen_first_is_not_accepted_from_a_notification() {
    let symbols = || Symbols::from_bits([0, 0x10, 0x83]);
    for change in [
        Box::new(move |offer: &mut Offer| offer.symbols = Some(symbols()))
            as Box<dyn FnOnce(&mut Offer)>,
        Box::new(|offer: &mut Offer| offer.free_bytes = Some(1)),
    ] {
        let (mut window, orders, say) = behind(Language::English);
        window.say(offered(change));
        let card = last(&orders, Topic::Offers).expect("a notification");
        assert!(
            card.buttons
                .iter()
                .all(|(act, _)| !matches!(act, Act::Accept(_))),
            "{card:?}"
        );
        say.send(Heard::Act(Act::Accept(TRANSFER))).unwrap();
        window.harness.step();
        assert!(asked_for(&window).contains(&ViewportCommand::Focus));
        assert!(window.command().is_none(), "it is shown instead");
    }
}

#[test]
fn calls_and_symbols_to_compare_are_told_and_bring_a_hidden_window_back() {
    let caller = |stands| {
        let name = DeviceName::cleaned("Study", "?");
        let device = DeviceId([3; 32]);
        Event::Callers(vec![Caller {
            device,
            name,
            stands,
        }])
    };
    let symbols = || Event::Symbols(TRANSFER, Symbols::from_bits([0, 0x10, 0x83]));
    for (language, call, compare, both, names) in [
        (
            Language::English,
            "Study wants to send to you",
            "Compare the symbols with Garden laptop",
            "2 questions wait for your answer",
            "Study, Garden laptop",
        ),
        (
            Language::Chinese,
            "“Study”想给您发送内容",
            "请与“Garden laptop”核对图案",
            "有 2 项请求等您答复",
            "Study、Garden laptop",
        ),
    ] {
        let (mut window, orders, _say) = behind(language);
        window.say(caller(CallStands::Asks));
        assert!(last(&orders, Topic::Offers).is_none(), "Receive is off");
        window.say(listening());
        assert_eq!(last(&orders, Topic::Offers).unwrap().title, call);
        window.say(started(Direction::Send));
        window.say(symbols());
        let card = last(&orders, Topic::Offers).unwrap();
        assert_eq!(card.title, both);
        assert_eq!(card.body, names);
        window.say(caller(CallStands::Connecting));
        let card = last(&orders, Topic::Offers).unwrap();
        assert_eq!(card.title, compare);
        // Both are answered in the window.
        assert!(card.buttons.iter().all(|(act, _)| *act == Act::Show));
    }
    for event in [caller(CallStands::Asks), symbols()] {
        let (mut window, _orders, say) = behind(Language::English);
        window.say(listening());
        window.harness.state_mut().settings.on_close = OnClose::Background;
        close(&mut window);
        window.say(event);
        assert!(window.harness.state().is_hidden(), "it is told");
        say.send(Heard::NotShown).unwrap();
        window.harness.run();
        assert!(!window.harness.state().is_hidden(), "nobody shows it");
    }
    // Anybody can call again and again.
    let (mut window, _orders, say) = behind(Language::English);
    window.say(listening());
    window.harness.state_mut().settings.on_close = OnClose::Background;
    for comes_up in [true, false, false] {
        close(&mut window);
        window.say(Event::Callers(Vec::new()));
        window.say(caller(CallStands::Asks));
        say.send(Heard::NotShown).unwrap();
        window.harness.run();
        assert_eq!(!window.harness.state().is_hidden(), comes_up);
    }
}

#[test]
fn a_crowd_of_offers_is_one_notification_and_whoever_looks_at_the_window_gets_none() {
    let (mut window, orders, _say) = behind(Language::English);
    for number in 0..50 {
        window
            .events
            .send(offered(|offer| offer.transfer = TransferId([number; 16])))
            .unwrap();
    }
    window.harness.run();
    assert_eq!(orders.borrow().len(), 1);
    let card = last(&orders, Topic::Offers).unwrap();
    assert_eq!(card.title, "50 offers wait for your answer");
    assert!(card.buttons.iter().all(|(act, _)| *act == Act::Show));
    window.harness.state_mut().hands.in_front = true;
    window.harness.run();
    assert!(last(&orders, Topic::Offers).is_none());
    let told = orders.borrow().len();
    window.say(started(Direction::Receive));
    window.say(ended(Direction::Receive, Status::Arrived, None));
    assert_eq!(orders.borrow().len(), told);
    // Nor does somebody who does not want any.
    window.harness.state_mut().settings.notify = false;
    window.harness.state_mut().hands.in_front = false;
    window.say(offer(5_000_000));
    assert_eq!(orders.borrow().len(), told);
}

fn heard(from: u8, text: &str) -> Event {
    let peer = Peer {
        device_id: Some(DeviceId([from; 32])),
        ..peer("Garden laptop")
    };
    let what = Said::Text {
        id: MessageId([from; 16]),
        text: text.into(),
        delivery: Delivery::Delivered,
    };
    Event::Line(
        peer,
        Line {
            at: 0,
            direction: Direction::Receive,
            what,
        },
    )
}

#[test]
fn what_has_ended_and_who_wrote_is_said_but_never_what_was_written() {
    let (mut window, orders, say) = behind(Language::English);
    window.say(started(Direction::Receive));
    window.say(ended(Direction::Receive, Status::Arrived, None));
    let card = last(&orders, Topic::Ended).unwrap();
    assert_eq!(
        (card.title.as_str(), card.body.as_str()),
        ("Received from Garden laptop", "Holiday 2026")
    );
    window.say(ended(Direction::Receive, Status::Problems, None));
    let card = last(&orders, Topic::Ended).unwrap();
    assert_eq!(card.title, "2 transfers have ended");
    assert_eq!(card.body, "1 of them with problems");
    window.say(heard(2, "the password is 1234"));
    let card = last(&orders, Topic::Messages).unwrap();
    assert_eq!(card.title, "Message from Garden laptop");
    window.say(listening());
    window.say(code());
    let all = format!("{:?}", orders.borrow());
    for secret in ["1234", "427"] {
        assert!(!all.contains(secret), "{all}");
    }
    say.send(Heard::Act(card.pressed)).unwrap();
    window.harness.run();
    assert!(
        sees(&window, "the password is 1234"),
        "the conversation is open"
    );
}

#[test]
fn a_hidden_window_comes_back_for_an_offer_where_the_desktop_shows_no_notifications() {
    let (mut window, _orders, say) = behind(Language::English);
    window.harness.state_mut().settings.on_close = OnClose::Background;
    window.say(listening());
    close(&mut window);
    assert!(window.harness.state().is_hidden());
    say.send(Heard::NotShown).unwrap();
    window.harness.run();
    assert!(window.harness.state().is_hidden(), "nobody waits");
    window.say(offer(5_000_000));
    say.send(Heard::NotShown).unwrap();
    window.harness.run();
    assert!(!window.harness.state().is_hidden());
    assert!(sees(&window, "Accept"));
}

/// The sentence that a screen reader says by itself.
fn spoken(window: &Window) -> Option<(String, Live)> {
    let live = window.harness.query_all_by(|node| node.live() != Live::Off);
    let mut said = live.map(|node| {
        let node = node.accesskit_node();
        (node.value().unwrap_or_default(), node.live())
    });
    said.next()
}

#[test]
fn offers_and_progress_are_announced_in_steps() {
    let mut window = Window::english();
    assert_eq!(spoken(&window), None);
    window.say(started(Direction::Receive));
    window.say(Event::State(TRANSFER, TransferState::Running));
    let mut said = Vec::new();
    for percent in (0..100).step_by(5) {
        window.say(progress(percent * 10_000));
        let (sentence, live) = spoken(&window).unwrap();
        assert_eq!(live, Live::Polite);
        if said.last() != Some(&sentence) {
            said.push(sentence);
        }
    }
    let at = |percent| format!("Receiving Holiday 2026 from Garden laptop: {percent} percent");
    assert_eq!(said, [at(0), at(25), at(50), at(75)]);
    window.say(ended(Direction::Receive, Status::Arrived, None));
    let (sentence, _) = spoken(&window).unwrap();
    assert_eq!(sentence, "Received from Garden laptop");
    window.say(offered(|offer| offer.transfer = TransferId([8; 16])));
    let (sentence, live) = spoken(&window).unwrap();
    assert_eq!(sentence, "Garden laptop wants to send you Kitchen plans");
    assert_eq!(live, Live::Assertive);
}

#[test]
fn tab_goes_as_the_eye_goes_and_what_it_reaches_comes_into_sight() {
    let mut window = Window::english();
    window.say(listening());
    window.say(code());
    window.harness.set_size(egui::vec2(520.0, 480.0));
    window.harness.run();
    let mut reached = Vec::new();
    for _ in 0..40 {
        window.press(Modifiers::NONE, Key::Tab);
        let focused = window.harness.query_all_by(|node| {
            node.is_focused() && !matches!(node.role(), Role::Window | Role::ScrollBar)
        });
        for node in focused {
            let name = node.accesskit_node().label().unwrap_or_default();
            let rect = node.rect();
            assert!(
                rect.top() >= 0.0 && rect.bottom() <= 481.0,
                "{name} at {rect:?}"
            );
            if !reached.contains(&name) {
                reached.push(name);
            }
        }
    }
    let place = |name: &str| {
        let place = reached.iter().position(|reached| reached == name);
        place.unwrap_or_else(|| panic!("{name} is not in {reached:?}"))
    };
    for line in [
        ["Conversations", "Keys and help", "Settings"],
        ["Files…", "Folder…", "Text…"],
        ["Copy", "Hide", "New code"],
    ] {
        let places = line.map(place);
        assert!(places.is_sorted(), "{line:?} in {reached:?}");
    }
}

/// Whatever a person can press or type into has a name, and what can be on or off says so.
fn everything_has_a_name(window: &Window, scene: &str) {
    let mut found = 0;
    for node in window.harness.root().children_recursive() {
        let node = node.accesskit_node();
        let role = node.role();
        let pressed = matches!(
            role,
            Role::Button
                | Role::CheckBox
                | Role::RadioButton
                | Role::Switch
                | Role::TextInput
                | Role::MultilineTextInput
                | Role::Link
                | Role::ComboBox
                | Role::Slider
                | Role::SpinButton
                | Role::ProgressIndicator
        );
        let presses = node.data().supports_action(egui::accesskit::Action::Click);
        // What scrolls is egui's own, and says where it is.
        let not_ours = matches!(role, Role::Label | Role::ScrollBar | Role::ScrollView);
        if !pressed && (!presses || not_ours) {
            continue;
        }
        found += 1;
        let name = node.label().unwrap_or_default();
        assert!(
            !name.trim().is_empty(),
            "{scene}: a {role:?} without a name"
        );
        let icons = |character: char| ('\u{e000}'..'\u{f8ff}').contains(&character);
        assert!(!name.contains(icons), "{scene}: {name:?} is no name");
        match role {
            Role::CheckBox | Role::RadioButton | Role::Switch => {
                assert!(node.toggled().is_some(), "{scene}: {name} is on or off");
            }
            Role::ProgressIndicator => {
                assert!(
                    node.numeric_value().is_some(),
                    "{scene}: {name} has a value"
                );
                assert_eq!(node.max_numeric_value(), Some(100.0));
            }
            _ => {}
        }
    }
    assert!(found > 0, "{scene}: nothing can be pressed");
}

#[test]
fn every_control_of_the_main_scenes_has_a_name_a_role_and_a_state() {
    let mut window = Window::english();
    let id = DeviceId([2; 32]);
    everything_has_a_name(&window, "empty");
    window.drop_file("/home/me/a.txt");
    window.say(Event::Devices(vec![known(id, "Garden laptop")]));
    window.say(Event::Nearby(vec![
        nearby(id, "Garden laptop", true),
        nearby(DeviceId([3; 32]), "Kitchen PC", true),
    ]));
    window.type_into("To", "192.168.1.20");
    everything_has_a_name(&window, "picked");
    window.click("Kitchen PC");
    let cards = window
        .harness
        .get_by_role_and_label(Role::RadioButton, "Kitchen PC");
    assert_eq!(cards.accesskit_node().toggled(), Some(Toggled::True));
    window.say(listening());
    window.say(code());
    window.say(offer(5_000_000));
    window.say(Event::TextOffered(TextOffer {
        from: Peer {
            device_id: Some(DeviceId([4; 32])),
            trust: Trust::Verified,
            ..peer("Attic")
        },
        symbols: None,
    }));
    everything_has_a_name(&window, "receiving");
    let switch = window.harness.get_by_role(Role::Switch);
    assert_eq!(switch.accesskit_node().toggled(), Some(Toggled::True));
    window.say(started(Direction::Receive));
    window.say(Event::State(TRANSFER, TransferState::Running));
    window.say(progress(420_000));
    everything_has_a_name(&window, "running");
    let bar = window.harness.get_by_role(Role::ProgressIndicator);
    assert_eq!(bar.accesskit_node().numeric_value(), Some(42.0));
    window.say(ended(Direction::Receive, Status::Interrupted, None));
    everything_has_a_name(&window, "interrupted");
    window.press(WITH_SHIFT, Key::M);
    everything_has_a_name(&window, "conversations");
    window.press(WITH_SHIFT, Key::M);
    window.press(WITH_SHIFT, Key::W);
    everything_has_a_name(&window, "wire");
    for (scene, modifiers, key) in [
        ("help", Modifiers::NONE, Key::F1),
        ("doctor", WITH_SHIFT, Key::D),
        ("settings", Modifiers::COMMAND, Key::Comma),
    ] {
        window.press(modifiers, key);
        everything_has_a_name(&window, scene);
        if scene == "settings" {
            for page in ["Receiving", "Network", "Known devices", "Advanced"] {
                let page = window
                    .harness
                    .get_by_role_and_label(Role::RadioButton, page);
                page.click();
                window.harness.run();
                everything_has_a_name(&window, scene);
            }
        }
        window.press(Modifiers::NONE, Key::Escape);
    }
}
