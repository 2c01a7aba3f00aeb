//! English.

use super::{Day, Texts};
use crate::engine::{Doing, Existing, ListenError, NotSaid, Talk};
use crate::gui::clipboard::NoPicture;
use crate::model::address::AddressError;
use crate::model::{
    Allow, Bond, Failure, Finding, OnConflict, Party, Presence, Problem, Severity, Symbol,
    TransferState,
};

pub const ENGLISH: Texts = Texts {
    this_device: "This device",
    rename: "Rename this device",
    settings: "Settings",
    done: "Done",
    copy: "Copy",

    send: "Send",
    drop_title: "Drop files or folders here",
    drop_hint: "any size, straight to the other device",
    drop_now: "Let go to add to the list",
    files: "Files…",
    folder: "Folder…",
    pick_files_title: "Files to send",
    pick_folder_title: "Folder to send",
    no_dialog: "This system has no file dialog. Drop files here, or type a path:",
    path_label: "Path",
    path_hint: "/home/me/report.pdf",
    add: "Add",
    counting: "counting…",
    remove: |name| format!("Remove {name}"),
    clear_list: "Clear list",
    items,
    address_label: "To",
    address_hint: "IP address or name",
    address_error: |error| match error {
        AddressError::Empty => "Type the address shown on the other device.",
        AddressError::Port => "The port behind the colon is a number from 1 to 65535.",
        AddressError::Host => {
            "That is not an address. It looks like 192.168.1.20 or garden-laptop."
        }
        AddressError::Device => "The part behind id= is damaged. Copy the address once more.",
    },
    code_label: "Code on its screen",
    code_hint: "000 000",
    recent: "Recent",
    send_nothing: "Send",
    send_items: |count| format!("Send {}", items(count)),
    send_to: |to| format!("To {to} · encrypted and checked"),
    send_to_known: |to| format!("To {to}, encrypted"),
    known_devices: "Known devices",
    devices: "Devices",
    not_known: "not known",
    receive_is_off: "receive is off",
    not_here: "not nearby",
    send_to_away: |to| format!("{to} is not nearby · sent as soon as it can be reached"),
    send_when_on: |to| format!("Receive is off at {to} · sent as soon as it is on"),
    need_receive: "Receive is off there. Switch it on at that device first.",
    set_network: "Network",
    set_keep: "Conversations",
    set_keep_hint: "“Forget” also removes what is kept already.",
    keep_yes: "Keep on this device",
    keep_no: "Forget when it ends",
    set_presence: "Nearby devices",
    presence: |presence| match presence {
        Presence::Visible => "Visible",
        Presence::Hidden => "Hidden",
        Presence::Off => "Off",
    },
    presence_hint: |presence| match presence {
        Presence::Visible => "Others on this network see this device by its name.",
        Presence::Hidden => "You see others; this device is found by its address alone.",
        Presence::Off => "No device is looked for, and this one is found by its address alone.",
    },
    nobody_nearby: "Nobody found yet. Switch Receive on at the other device, or type its address below.",
    why_nobody: "Why is nobody here?",
    forget_address: "Forget this address",
    manage: "Manage",
    known: "known",
    forgotten_there: "needs its code again",
    more_devices: |count| format!("{count} more"),
    looking: "Looking…",
    looking_there: "Looking…",
    copy_report: "Copy report",
    copy_report_hint: "Versions, settings, findings and the last lines of the log as text, without names and \
                       addresses, for whoever is to help",
    report_copied: "Copied",
    nothing_to_type: "known device, nothing to type",
    not_known_yet: "not known yet",
    known_only: "takes known devices only. Ask its owner to choose “With code”.",
    passphrase_label: "Its passphrase",
    ask_without: "Ask without a code",
    ask_hint: "Both of you compare four symbols before anything is sent.",
    remember_this: "Remember this device",
    remember_hint: "Once both of you have done so, no code is needed.",
    nothing_sent: "Nothing was sent.",
    dont_connect: "Don’t connect",
    pair_again: "It was reinstalled – remember it again",
    keep_list: "Keep the list after sending",
    keep_list_hint: "To send it to another device as well.",
    need_picks: "Pick or drop something to send first.",
    need_address: "Pick a device or an address.",
    need_code: "Type the code shown on the other device.",
    need_code_or_ask: "Type its code, or ask without one.",
    need_known: "Nothing can be sent there yet.",
    need_passphrase: "Type the passphrase of the other device.",
    symbols_question: "Does the other screen show the same four?",
    symbols_hint: |peer| format!("Nothing is sent to {peer} before you answer, not even names."),
    symbols_yes: "Yes, send",
    symbols_no: "No, stop",
    symbol: Symbol::name,

    receive: "Receive",
    receive_switch: "Receive from other devices",
    receive_off: "Switch it on and others can send to this device. You are asked before anything is saved.",
    receive_off_title: "Receiving is off",
    receive_starting: "Switching on…",
    receive_soon: "Others can send to this device in a moment. You are asked before anything is saved.",
    receive_on: "On, ready to receive",
    receive_nobody: "On, but nobody can send yet",
    receive_blocked: "On, but blocked",
    receive_no_code: "On, but no code is taken",
    pairing_code: "Code for the other device",
    code_once: "type it there · works once",
    code_rests: "Too many wrong codes. None is taken until you press New code.",
    hide: "Hide",
    show: "Show",
    new_code: "New code",
    addresses: "Address",
    copy_link_hint: "Copies a link that the other person pastes into “To”",
    more: "more",
    fewer: "fewer",
    save_to: "Save to",
    change: "Change",
    open: "Open",
    pick_save_title: "Where to save what arrives",
    who_may: "Who may send",
    allow: |allow| match allow {
        Allow::Anyone => "Anyone, I confirm",
        Allow::Code => "With code",
        Allow::Paired => "Known devices only",
    },
    only_known: "No code is needed. Only devices that remember each other get in.",
    only_known_nobody: "No device is known yet, so nobody gets in. Choose “With code” for now, and both choose “Remember this device”.",
    connected: "Connected",
    nobody: "nobody at the moment",
    doing: |doing| match doing {
        Doing::Verifying => "proving who it is",
        Doing::Idle => "connected",
        Doing::Waiting => "waiting for your answer",
        Doing::Sending => "sending",
        Doing::Talking => "conversation",
    },
    must_wait: |from| {
        format!("Too many wrong tries from {from}. It has to wait a minute; others can send.")
    },
    wrong_code: |from, left| match left {
        0 => format!("Wrong code from {from}. There is a new code now."),
        1 => format!("Wrong code from {from} – 1 try left."),
        left => format!("Wrong code from {from} – {left} tries left."),
    },
    listen_error: |error| match error {
        ListenError::PortTaken { port } => {
            format!("Port {port} is used by another program. Choose another one in the settings.")
        }
        ListenError::PortForbidden { port } => {
            format!(
                "This computer does not allow port {port}. Choose one above 1023 in the settings."
            )
        }
        ListenError::AddressNotHere { addr } => {
            format!("{addr} is not an address of this computer.")
        }
        ListenError::Folder { folder, problem } => {
            format!(
                "{} cannot be used: {}",
                folder.display(),
                problem_text(problem)
            )
        }
        ListenError::Other { detail } => format!("Receiving could not be switched on: {detail}."),
    },
    port_moved: |port| format!("Port {port} for now: the usual one is used by another program."),
    try_again: "Try again",
    change_folder: "Change folder…",
    change_port: "Change port…",

    offer_title: |name| format!("{name} wants to send you something"),
    offer_proven: "confirmed",
    offer_not_verified: "not known",
    offer_same: "Does the other screen show the same?",
    offer_unconfirmed: |name| format!("Waiting for the person at {name} to confirm"),
    offer_remembers: |name| format!("{name} wants to be remembered."),
    offer_more: |count| format!("and {count} more"),
    offer_into: |folder| format!("Into {folder}"),
    offer_free: |free| format!("{free} free"),
    offer_no_room: |free, short| {
        format!("Only {free} free, {short} short. Choose another folder, or free some space.")
    },
    offer_change: "Change…",
    offer_exists,
    on_conflict: |rule| match rule {
        OnConflict::Rename => "Keep both",
        OnConflict::Skip => "Skip existing",
        OnConflict::Replace => "Replace",
        OnConflict::Newer => "Replace older",
        OnConflict::Separate => "Separate folder",
    },
    on_conflict_hint: |rule| match rule {
        OnConflict::Rename => {
            "New files are added. A different file of the same name is kept beside yours."
        }
        OnConflict::Skip => "New files are added. Yours stay; files of the same name are left out.",
        OnConflict::Replace => {
            "New files are added. Different files of the same name replace yours."
        }
        OnConflict::Newer => {
            "New files are added. Yours are replaced where the other one was changed later."
        }
        OnConflict::Separate => "Arrives in a folder of its own beside yours; nothing is mixed.",
    },
    accept: "Accept",
    accept_same: "Same symbols – accept",
    decline: "Decline",
    block: "Block",
    blocked: |name| format!("{name} is blocked and cannot get in any more."),
    undo: "Undo",
    wants_to_be_remembered: |name| {
        format!("{name} wants to be remembered here. No code is needed from then on.")
    },
    remember: "Remember",
    no: "No",
    paired: |name| format!("You and {name} remember each other now."),
    remember_peer: |name| format!("Remember {name}"),
    remembered_here: |name| {
        format!(
            "Remembered here. No code from the next transfer on, if {name} remembers this device too."
        )
    },

    talks: "Conversations",
    talks_all: "All conversations",
    talks_nobody: "Nobody to talk to yet. Devices that are nearby or known appear here.",
    talks_pick: "Pick a device to write to.",
    talks_empty: "Nothing said yet. What you write here goes straight to the other device, encrypted.",
    talks_earlier: "Show earlier",
    talks_unread: |unread| format!("{unread} unread"),
    talks_clear: "Clear",
    talks_clear_question: "Remove all of it from this device?",
    talks_clear_yes: "Remove",
    talks_hint: "Write a message · Shift+Enter for a new line",
    talks_field: "Message",
    talks_say: "Send",
    talks_files: "Send files",
    talks_paste: "Send the picture in the clipboard",
    talks_confirmed: "confirmed",
    picture_name: |stamp| format!("Picture {stamp}.png"),
    no_picture: |why| match why {
        NoPicture::Nothing => "There is no picture in the clipboard.".to_owned(),
        NoPicture::TooLarge => {
            "The picture in the clipboard is too large. Save it as a file and send that.".to_owned()
        }
        NoPicture::Problem(why) => {
            format!(
                "The picture in the clipboard cannot be sent. {}",
                problem_text(why)
            )
        }
    },
    talks_copy: "Copy this message",
    talks_too_long: "Too long for a message; send it as a file.",
    talks_waiting: |waiting| match waiting {
        1 => "1 message waits until the other device is back.".to_owned(),
        waiting => format!("{waiting} messages wait until the other device is back."),
    },
    not_said: |why| match why {
        NotSaid::Empty => "There is nothing to send.",
        NotSaid::TooLong => "Too long for a message; send it as a file.",
        NotSaid::TooMany => "So much waits for this device that no more is taken.",
        NotSaid::NoRoom => "There is no room for one more conversation. Clear one first.",
        NotSaid::Blocked => "This device is blocked. Unblock it in the settings first.",
    },
    talks_not_read: |why| format!("Earlier conversations cannot be shown: {why}"),
    talk_state: |state| match state {
        Talk::Connecting => "connecting…",
        Talk::Open => "connected",
        Talk::Calling => "cannot be reached – waiting for the person there to let it connect",
        Talk::Asking => "waiting for the person there",
        Talk::Resting => "",
        Talk::Away(_) => "not reachable now",
    },
    day: |day| match day {
        Day::Today => "Today".to_owned(),
        Day::Yesterday => "Yesterday".to_owned(),
        Day::Other { year, month, day } => {
            let names = [
                "January",
                "February",
                "March",
                "April",
                "May",
                "June",
                "July",
                "August",
                "September",
                "October",
                "November",
                "December",
            ];
            let index = usize::try_from(*month)
                .unwrap_or_default()
                .saturating_sub(1);
            let month = names.get(index).copied().unwrap_or_default();
            format!("{day} {month} {year}")
        }
    },
    delivery_waiting: "waits",
    delivery_delivered: "delivered",
    delivery_not: "not delivered",
    take_back: "Take back",
    say_again: "Send again",
    open_link: "Opens in the browser",
    text_offer_title: |name| format!("{name} wants to send a text"),
    text_offer_same: "Does the other screen show the same?",
    text_offer_show: "Same symbols – show",
    text: "Text…",

    transfers: "Transfers",
    transfers_empty: "What you send and receive appears here.",
    clear_finished: "Clear finished",
    names_and_more: |name, more| format!("{name} and {more} more"),
    names_and_others: |names, more| format!("{names} and {more} more"),
    done_of: |done, all| format!("{} of {}", crate::gui::format::grouped(done), items(all)),
    bytes_of: |done, all| format!("{done} of {all}"),
    speed: |speed| format!("{speed}/s"),
    left: |time| format!("{time} left"),
    hours_minutes: |hours, minutes| format!("{hours} h {minutes} min"),
    minutes_seconds: |minutes, seconds| format!("{minutes} min {seconds} s"),
    seconds: |seconds| format!("{seconds} s"),
    state: |state, peer| match state {
        TransferState::Connecting => format!("Connecting to {peer}…"),
        TransferState::Calling => "Waiting for “Let it connect” on its screen".to_owned(),
        TransferState::Verifying => format!("Making sure it is {peer}…"),
        TransferState::Confirming => format!("Compare the symbols with the screen of {peer}"),
        TransferState::Waiting => format!("Waiting for {peer} to accept"),
        TransferState::Checking => "Looking at what is there already…".to_owned(),
        TransferState::Running => "Starting…".to_owned(),
        TransferState::Finishing => "Checking the last files…".to_owned(),
        TransferState::Interrupted => {
            format!("Connection lost. It resumes when {peer} is back.")
        }
        TransferState::Away => format!("{peer} isn’t here. It is sent when it appears."),
    },
    comparing: |done, all| format!("checking {done} of {all}"),
    kept_send: |days| match days {
        0 | 1 => "It can be resumed until tomorrow.".to_owned(),
        days => format!("It can be resumed for {days} days."),
    },
    kept_receive: |peer, days| match days {
        0 | 1 => format!("Kept until tomorrow. It goes on when {peer} resumes it."),
        days => format!("Kept for {days} days. It goes on when {peer} resumes it."),
    },
    kept_awake: "This computer stays awake while files move.",
    slept: "This computer slept. Checking, then resuming.",
    pause: "Pause",
    limit: "Limit",
    other_folder: "Other folder…",
    pause_all: "Pause all",
    resume_all: "Resume all",
    paused_by_us: "Paused by you.",
    paused_by_peer: |peer| format!("Paused by {peer}. It goes on when resumed there."),
    paused_by_both: |peer| format!("Paused by you and by {peer}."),
    turn_here: |peer| format!("Waits until another transfer to {peer} is done."),
    turn_there: |peer| format!("Waits until another transfer from {peer} is done."),
    no_room_here: |need| match need {
        Some(need) => {
            format!("This disk needs {need} more. Receiving continues once there is room.")
        }
        None => "This disk is full. Receiving continues once there is room.".to_owned(),
    },
    no_room_there: |peer, need| match need {
        Some(need) => format!("{peer} needs {need} more. Sending continues once there is room."),
        None => format!("The disk of {peer} is full. Sending continues once there is room."),
    },
    no_files_here: "This disk can hold no more files. Receiving continues once some are deleted.",
    no_files_there: |peer| {
        format!(
            "The disk of {peer} can hold no more files. Sending continues once some are deleted there."
        )
    },
    no_quota_here: "Your quota on this disk is used up. Receiving continues once there is room.",
    no_quota_there: |peer| {
        format!("The quota on the disk of {peer} is used up. Sending continues once there is room.")
    },
    picks_between: ", ",
    picks_gone: |names| format!("No longer there: {names}. Put it back, or it is left out."),
    picks_changed: |names| {
        format!("Changed since you picked it: {names}. What is sent is how it is by then.")
    },
    resume: "Resume",
    resume_now: "Resume now",
    try_now: "Try now",
    delete: "Give up",
    quiet: |seconds| format!("no answer for {seconds} s"),
    progress_label: |name| format!("Progress of {name}"),
    cancel: "Cancel",
    show_in_folder: "Show in folder",
    send_again: "Send again",
    send_back: "Send back",
    details: "Show",
    hide_details: "Hide",
    copy_paths: "Copy paths",
    retry_failed: "Retry failed",
    peer_can_retry: |peer| format!("{peer} can retry what failed."),
    kept_failed_send: |days| match days {
        0 | 1 => "It can be retried until tomorrow.".to_owned(),
        days => format!("It can be retried for {days} days."),
    },
    kept_failed_receive: |peer, days| match days {
        0 | 1 => format!("{peer} can retry it until tomorrow."),
        days => format!("{peer} can retry it for {days} days."),
    },
    filter_label: "Filter the failures",
    filter_hint: "Filter by name or reason",
    filter_finds_nothing: "Nothing here has that in its name or reason.",
    first_failed: |listed, all| {
        let (listed, all) = (
            crate::gui::format::grouped(listed),
            crate::gui::format::grouped(all),
        );
        format!("The first {listed} of {all} that failed.")
    },
    save_list: "Save as CSV…",
    save_list_title: "Where to save the list",
    list_file_name: "failed.csv",
    list_saved: |path| format!("The list is saved: {path}"),
    list_not_saved: |path, why| format!("The list could not be saved as {path}: {why}"),
    badge_received: "received",
    badge_sent: "sent",
    badge_failed_items: |count| format!("{} failed", crate::gui::format::grouped(count)),
    badge_declined: "declined",
    declined_here: "Declined here.",
    badge_cancelled: "cancelled",
    badge_interrupted: "interrupted",
    badge_paused: "paused",
    badge_queued: "queued",
    badge_full: "disk full",
    badge_failed: "failed",
    finished_received: |size, time| format!("{size} in {time}"),
    finished_sent: |size, time| format!("{size} in {time}"),
    checked: "checked",
    checked_safe: "checked, safe on disk",
    some_failed: |failed, all| {
        let grouped = crate::gui::format::grouped;
        format!(
            "{} of {} arrived · {} could not be sent or saved",
            grouped(all - failed.min(all)),
            items(all),
            grouped(failed)
        )
    },
    some_skipped: |count| format!("{} left out", items(count)),
    failure,
    problem: problem_text,
    command_failed: |what, why| format!("{what} could not be opened: {why}"),

    doctor: "Why can’t I connect?",
    doctor_hint: "Looks at this computer and its network. Nothing is changed.",
    doctor_address: "Device that cannot be reached",
    doctor_address_hint: "IP address or name; empty for this computer alone",
    doctor_check: "Check",
    this_computer: "This computer",
    why: "Why?",
    check_again: "Check again",
    problems_found: |count| match count {
        0 => "No problem was found.".to_owned(),
        1 => "1 problem was found.".to_owned(),
        count => format!("{count} problems were found."),
    },
    severity: |severity| match severity {
        Severity::Good => "Good",
        Severity::Note => "Note",
        Severity::Problem => "Problem",
    },
    finding: Finding::to_string,
    finding_next,
    copy_command: |command| format!("Copy: {command}"),
    copy_the_command: "Copy the command",
    firewall_blocks: "A firewall is blocking Ropeway: others cannot send here.",

    stop_title: |count| match count {
        1 => "Let it finish before Receive goes off?",
        _more => "Let them finish before Receive goes off?",
    },
    stop_text: |count| match count {
        1 => "1 transfer is still running.".to_owned(),
        count => format!("{count} transfers are still running."),
    },
    let_finish: |count| match count {
        1 => "Let it finish",
        _more => "Let them finish",
    },
    stop_now: |count| match count {
        1 => "Cancel transfer",
        _more => "Cancel transfers",
    },
    keep_on: "Stay on",
    give_up_title: "Give up this transfer?",
    give_up_text: |bytes, here| match here {
        true => format!(
            "{bytes} that have arrived here will be removed. Sent again, it starts from the beginning."
        ),
        false => {
            format!("{bytes} have arrived there. Sent again, it may start from the beginning.")
        }
    },
    give_up_back: "Keep it",

    set_general: "General",
    no_known: "No device is known yet",
    no_known_hint: "Choose “Remember this device” when you send or accept something, and let the other person do the same. From then on no code is needed between the two.",
    bond: |bond| match bond {
        Bond::Wished => "waiting for the other person",
        Bond::Paired => "known",
        Bond::ForgottenThere => "doesn’t know this device any more",
        Bond::Blocked => "blocked",
    },
    met: |hours| match (hours, hours / 24) {
        (0, _) => "met within the hour".to_owned(),
        (1, _) => "met an hour ago".to_owned(),
        (hours, 0) => format!("met {hours} hours ago"),
        (_, 1) => "met a day ago".to_owned(),
        (_, days) => format!("met {} days ago", crate::gui::format::grouped(days)),
    },
    details_of: |name| format!("Details of {name}"),
    device_label: "Called here",
    rule: "What it sends",
    rule_ask: "Always ask",
    rule_accept: "Accept automatically",
    rule_never: "Never",
    rule_folder: "Into folder",
    rule_size: "Up to",
    rule_size_hint: "You are asked about anything larger.",
    rule_any_size: "any size",
    size_unit: "GB",
    forget: "Forget",
    forget_question: |name| format!("Forget {name}? It ends what runs with it."),
    keep: "Keep",
    unblock: "Unblock",

    set_name: "Name of this device",
    set_name_hint: "What other devices call this one.",
    set_folder: "Save folder",
    set_port: "Port",
    set_port_hint: "The number behind the address. Usually 9000.",
    set_speed: "Speed limit",
    set_speed_hint: "The most that everything together may take.",
    set_at_once: "Transfers at once",
    set_at_once_hint: "To one device at the same time; the others wait for their turn.",
    no_limit: "No limit",
    speed_unit: "MB/s",
    set_conflict: "If a file exists already",
    set_theme: "Theme",
    set_language: "Language",
    theme_system: "System",
    theme_light: "Light",
    theme_dark: "Dark",
    language_system: "System",
    set_advanced: "Advanced",
    set: super::settings::ENGLISH,
    hands: super::hands::ENGLISH,
    unstarted: super::unstarted::ENGLISH,
    wire: super::wire::ENGLISH,
    callers: super::callers::ENGLISH,
    settings_not_saved: |why| format!("The settings could not be saved: {why}"),
    devices_not_read: |why| why.to_owned(),
    settings_not_read: |why| format!("The settings were not read: {why}"),
};

fn items(count: u64) -> String {
    match count {
        1 => "1 item".to_owned(),
        count => format!("{} items", crate::gui::format::grouped(count)),
    }
}

/// Commands are for who has no window.
fn finding_next(finding: &Finding) -> Option<String> {
    let next = finding.next()?;
    Some(next.replace("run `ropeway doctor` there, or ", ""))
}

fn offer_exists(existing: &Existing) -> String {
    let grouped = crate::gui::format::grouped;
    let what = match (existing.names.first(), existing.picked) {
        (Some(name), 1) => format!("“{name}” is there already"),
        (Some(name), picked) => format!(
            "“{name}” and {} more are there already",
            grouped(picked.saturating_sub(1))
        ),
        (None, _) => return String::new(),
    };
    let (same, new) = (existing.same_names, existing.new);
    if existing.complete && same + new <= existing.picked {
        return what;
    }
    let names = match same {
        1 => "1 file with the same name".to_owned(),
        same => format!("{} files with the same name", grouped(same)),
    };
    let so_far = if existing.complete { "" } else { " so far" };
    format!("{what}: {names}, {} new{so_far}", grouped(new))
}

fn failure(failure: &Failure) -> String {
    match failure {
        Failure::Unresolvable { host } => {
            format!("No device named {host} was found. Check the spelling or use its address.")
        }
        Failure::Refused { address } => {
            format!("Nobody is receiving at {address}. Switch Receive on there.")
        }
        Failure::Unreachable { address } => {
            format!("No answer from {address}. Are both devices on the same network?")
        }
        Failure::NotRopeway { address } => format!("What answers at {address} is not Ropeway."),
        Failure::Ourselves => "That is this device itself.".to_owned(),
        Failure::Busy => {
            "The other device hung up: it is busy, or the connection was cut. Try again in a moment.".to_owned()
        }
        Failure::TooManyTalks => {
            "Conversations with as many devices as there is room for are kept here. Clear one of them first.".to_owned()
        }
        Failure::SecretNeeded => "Type the code shown on the other device.".to_owned(),
        Failure::WrongSecret => "That code didn’t work. Type the one on its screen now.".to_owned(),
        Failure::NotTheLinked { found } => {
            format!(
                "The link means another device than {found}, which is there now. Ask for a new link."
            )
        }
        Failure::NotTheDevice { name } => {
            format!("This isn’t the {name} you know. Somebody may be posing as it.")
        }
        Failure::Moved { name, found } => {
            format!("{found} has the address of {name} now. Type the new address of {name}.")
        }
        Failure::ForgottenThere { name } => {
            format!(
                "{name} does not know this device any more. Type its code to send all the same."
            )
        }
        Failure::KnownOnly => {
            "Only devices it knows may send to it. Let its person switch on “with code”.".to_owned()
        }
        Failure::NotConfirmed => "The symbols were not the same, so nothing was sent.".to_owned(),
        Failure::Forgotten => {
            "The other device does not have this transfer any more. Send it again.".to_owned()
        }
        Failure::Version => {
            "The two devices have versions of Ropeway that do not fit. Update both.".to_owned()
        }
        Failure::BlockedHere { name } => {
            format!("{name} is blocked here. Unblock it in the settings to send to it.")
        }
        Failure::Older { name } => {
            format!("{name} runs an older Ropeway that takes no messages. Update it there.")
        }
        Failure::Lost => {
            "The connection was lost. Send it again when the other device is back.".to_owned()
        }
        Failure::Silent => "The other device did not answer for 30 seconds.".to_owned(),
        Failure::Declined => "The other person declined.".to_owned(),
        Failure::Cancelled(Party::Us) => "Cancelled here.".to_owned(),
        Failure::Cancelled(Party::Peer) => "Cancelled on the other device.".to_owned(),
        Failure::NothingToSend => "None of it is there any more, or none could be read.".to_owned(),
        Failure::NeverThere { name } => {
            format!("{name} did not appear for a week. Send it again when it is there.")
        }
        Failure::TooManyWait => {
            "Too many things wait for devices already. Cancel some of them.".to_owned()
        }
        Failure::Disk(problem) => {
            format!("The save folder cannot be used: {}", problem_text(problem))
        }
        Failure::PeerDisk(problem) => {
            format!(
                "On the other device: {}",
                problem_text(problem)
            )
        }
        Failure::Protocol(_) => {
            "The other device sent something that makes no sense, so the connection was closed."
                .to_owned()
        }
        Failure::Internal(detail) => format!("Something went wrong here: {detail}."),
    }
}

fn problem_text(problem: &Problem) -> String {
    match problem {
        Problem::Unreadable => "It cannot be read. Check its permissions, or the disk it is on.",
        Problem::Vanished => "It is gone from the sending device. Put it back, or leave it out.",
        Problem::Changed => "It changed while it was being sent. Retry when nothing writes to it.",
        Problem::ChangedSince => "It changed after it had arrived. Send it anew.",
        Problem::Link => "Links are not sent. Send what it leads to.",
        Problem::Special => "It is neither a file nor a folder, so it cannot be sent.",
        Problem::TooDeep => {
            "More than 128 folders lie in each other there. Send the inner ones by themselves."
        }
        Problem::Corrupt => "The content did not match its checksum. Retry.",
        Problem::NoSpace => "There is no room left on the disk. Make room there.",
        Problem::NoFiles => "The disk can hold no more files. Delete some there.",
        Problem::Quota => "The quota on that disk is used up. Make room, or have it raised.",
        Problem::TooLarge => "The file is too large for this disk. Save to another one.",
        Problem::ReadOnly => "The disk is read-only. Make it writable, or save to another one.",
        Problem::NotWritable => {
            "No permission to write there. Change the permission, or save elsewhere."
        }
        Problem::Gone => "The save folder was moved, removed or unplugged. Bring it back.",
        Problem::Name => "This disk cannot hold the name. Rename it.",
        Problem::Folder => "Its folder could not be made. See why that folder failed.",
        Problem::Other(detail) => return format!("{detail}."),
    }
    .to_owned()
}
