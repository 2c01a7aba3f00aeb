//! To whom: a known device with one click, or an address, which unfolds what is needed there.

use egui::{Key, ScrollArea, TextEdit, Ui, vec2};
use lucide_icons::Icon;

use super::{Scope, Want};
use crate::engine::Command;
use crate::engine::KnownDevice;
use crate::gui::texts::Texts;
use crate::gui::view::{Draft, Entry};
use crate::gui::{theme, widgets};
use crate::model::{Bond, Failure, PeerAddress, Secret};

/// Nobody pauses that long within an address.
const LOOK_AFTER_SECONDS: f64 = 0.6;
/// Known devices in sight; the others are behind a word.
const MAX_CARDS: usize = 6;

/// What is kept between frames, besides the draft.
#[derive(Default)]
pub struct DestinationPanel {
    /// The person has left the address field, so that it may be judged.
    pub address_judged: bool,
    /// When the address was last typed at, until it is looked at.
    edited_at: Option<f64>,
    all_devices: bool,
}

/// A draft that can be sent.
#[derive(Debug)]
pub struct Ready {
    pub to: PeerAddress,
    pub secret: Option<Secret>,
    pub ask: bool,
}

/// Whether it can go, and if not, what is missing. `ask`: without a secret, where that is allowed.
pub fn ready(
    draft: &Draft,
    devices: &[KnownDevice],
    texts: &Texts,
    ask: bool,
) -> Result<Ready, &'static str> {
    if draft.picks.is_empty() {
        return Err(texts.need_picks);
    }
    if draft.address.trim().is_empty() {
        return Err(texts.need_address);
    }
    let to = draft.address.parse().map_err(texts.address_error)?;
    if draft.missed.is_some() {
        // The person has to say first what is to be done about that.
        return Err(texts.nothing_sent);
    }
    let (secret, ask) = match draft.entry(devices) {
        Entry::Known => (None, false),
        Entry::Closed => return Err(texts.need_known),
        Entry::Ask => (None, true),
        Entry::Secret { can_ask: true, .. } if ask => (None, true),
        Entry::Secret {
            passphrase,
            can_ask,
        } => {
            let missing = match (passphrase, can_ask) {
                (true, _) => texts.need_passphrase,
                (false, true) => texts.need_code_or_ask,
                (false, false) => texts.need_code,
            };
            let secret = Secret::new(&draft.code).map_err(|_missing| missing)?;
            (Some(secret), false)
        }
    };
    Ok(Ready { to, secret, ask })
}

pub fn destination_ui(
    ui: &mut Ui,
    scope: &mut Scope,
    draft: &mut Draft,
    devices: &[KnownDevice],
    panel: &mut DestinationPanel,
) {
    known_ui(ui, scope, draft, devices, panel);
    widgets::part(ui, "address", |ui| {
        address_ui(ui, scope, draft, devices, panel);
    });
    recent_ui(ui, scope, draft, devices);
    if draft.failure.is_some() {
        failure_ui(ui, scope, draft);
    } else {
        status_ui(ui, scope, draft, devices);
    }
    if draft.to().is_some() {
        widgets::part(ui, "entry", |ui| entry_ui(ui, scope, draft, devices));
    }
}

/// Those that can be sent to: with an address, and not blocked.
fn within_reach(devices: &[KnownDevice]) -> impl Iterator<Item = &KnownDevice> {
    devices.iter().filter(|device| {
        matches!(device.bond, Bond::Paired | Bond::ForgottenThere) && device.address.is_some()
    })
}

fn known_ui(
    ui: &mut Ui,
    scope: &mut Scope,
    draft: &mut Draft,
    devices: &[KnownDevice],
    panel: &mut DestinationPanel,
) {
    let texts = scope.texts;
    let all: Vec<_> = within_reach(devices).collect();
    if all.is_empty() {
        return;
    }
    ui.horizontal(|ui| {
        ui.label(widgets::muted(ui, texts.known_devices));
        let hidden = all.len().saturating_sub(MAX_CARDS);
        if hidden > 0 {
            let word = match panel.all_devices {
                true => texts.fewer.to_owned(),
                false => (texts.more_devices)(hidden as u64),
            };
            if widgets::link(ui, &word).clicked() {
                panel.all_devices = !panel.all_devices;
            }
        }
        if widgets::link(ui, texts.manage).clicked() {
            scope.want(Want::OpenKnown);
        }
    });
    if panel.all_devices {
        ScrollArea::vertical()
            .id_salt("known")
            .max_height(theme::LIST_HEIGHT)
            .min_scrolled_height(theme::LIST_HEIGHT)
            .auto_shrink([false, true])
            .show(ui, |ui| cards_ui(ui, texts, draft, &all));
    } else {
        // The chosen one stays in sight.
        let chosen = |device: &&&KnownDevice| is_chosen(draft, device);
        let mut shown: Vec<_> = all.iter().take(MAX_CARDS).copied().collect();
        if let Some(hidden) = all.iter().skip(MAX_CARDS).find(chosen) {
            shown.pop();
            shown.push(hidden);
        }
        cards_ui(ui, texts, draft, &shown);
    }
    ui.add_space(theme::GRID);
}

fn is_chosen(draft: &Draft, device: &KnownDevice) -> bool {
    let chosen = draft.chosen.as_ref();
    chosen.is_some_and(|chosen| chosen.id == device.id)
}

fn cards_ui(ui: &mut Ui, texts: &Texts, draft: &mut Draft, devices: &[&KnownDevice]) {
    let room = ui.available_width();
    let gap = theme::GAP;
    let in_a_row = ((room + gap) / (theme::DEVICE_WIDTH + gap))
        .floor()
        .max(1.0);
    let width = ((room - gap * (in_a_row - 1.0)) / in_a_row).floor();
    for row in devices.chunks(in_a_row as usize) {
        ui.horizontal(|ui| {
            for device in row {
                let chosen = is_chosen(draft, device);
                let about = match device.bond {
                    Bond::ForgottenThere => texts.forgotten_there,
                    Bond::Paired | Bond::Wished | Bond::Blocked => texts.known,
                };
                let name = device.shown().as_str();
                let card = widgets::device_card(ui, width, chosen, name, about);
                if card.clicked() {
                    if chosen {
                        draft.no_destination();
                    } else {
                        draft.choose(device);
                    }
                }
                if let Some(address) = &device.address {
                    card.on_hover_text(format!("{name}\n{address}"));
                }
            }
        });
    }
}

fn address_ui(
    ui: &mut Ui,
    scope: &mut Scope,
    draft: &mut Draft,
    devices: &[KnownDevice],
    panel: &mut DestinationPanel,
) {
    let texts = scope.texts;
    let width = ui.available_width();
    let label = ui.label(widgets::muted(ui, texts.address_label));
    let field = TextEdit::singleline(&mut draft.address)
        .hint_text(texts.address_hint)
        .align(egui::Align2::LEFT_CENTER)
        .min_size(vec2(width, theme::CONTROL_HEIGHT))
        .desired_width(width);
    let response = ui.add(field).labelled_by(label.id);
    let now = ui.input(|input| input.time);
    if response.changed() {
        panel.address_judged = false;
        panel.edited_at = Some(now);
        draft.edited();
    }
    let left = response.lost_focus();
    panel.address_judged |= left;
    let quiet = panel.edited_at.map(|at| now - at);
    let settled = quiet.is_some_and(|quiet| quiet >= LOOK_AFTER_SECONDS);
    if left || settled || draft.look_now {
        panel.edited_at = None;
        draft.look_now = false;
        if let Some(at) = draft.look_at(devices) {
            scope.want(Want::Engine(Command::LookAt(at)));
        }
    } else if let Some(quiet) = quiet {
        let wait = std::time::Duration::from_secs_f64(LOOK_AFTER_SECONDS - quiet);
        ui.ctx().request_repaint_after(wait);
    }
}

fn recent_ui(ui: &mut Ui, scope: &Scope, draft: &mut Draft, devices: &[KnownDevice]) {
    let carded = |address: &str| {
        within_reach(devices).any(|device| device.address.as_deref() == Some(address))
    };
    let recent: Vec<_> = draft.recent.iter().map(PeerAddress::to_string).collect();
    let recent: Vec<_> = recent.into_iter().filter(|text| !carded(text)).collect();
    if recent.is_empty() {
        return;
    }
    ui.horizontal_wrapped(|ui| {
        ui.label(widgets::muted(ui, scope.texts.recent));
        for text in recent {
            if widgets::link(ui, &text).clicked() {
                draft.go_to(text);
            }
        }
    });
}

/// Who is there, as far as that was found out.
fn status_ui(ui: &mut Ui, scope: &mut Scope, draft: &Draft, devices: &[KnownDevice]) {
    let texts = scope.texts;
    let palette = theme::palette(ui);
    let name = draft.name(devices);
    let entry = draft.entry(devices);
    if entry == Entry::Known && draft.chosen.is_some() {
        // Its card says so already.
        return;
    }
    if entry != Entry::Known
        && let Some(failure) = draft.look_failure()
    {
        let color = match failure {
            // It may be switched on in a moment.
            Failure::Refused { .. } | Failure::Unreachable { .. } | Failure::Busy => palette.muted,
            _no_use_to_send => palette.danger,
        };
        let text = (texts.failure)(failure);
        return failed(ui, scope, draft, failure, (color, &text));
    }
    let (symbol, color, about) = match (draft.looked(), entry) {
        (_, Entry::Known) => (Icon::Check, palette.ok, texts.nothing_to_type.to_owned()),
        (Some(Ok(_)), Entry::Closed) => (Icon::Lock, palette.warn, texts.known_only.to_owned()),
        (Some(Ok(_)), Entry::Secret { .. } | Entry::Ask) => {
            (Icon::Laptop, palette.muted, texts.not_known_yet.to_owned())
        }
        (None, _) if draft.looking() => {
            ui.label(widgets::muted(ui, texts.looking));
            return;
        }
        (None | Some(Err(_)), _) => return,
    };
    ui.horizontal_wrapped(|ui| {
        ui.label(widgets::icon(symbol, color));
        if let Some(name) = &name {
            let font = theme::strong_font(theme::BODY);
            let room = ui.available_width() * theme::NAME_SHARE;
            widgets::name_label(ui, name, font, palette.text, room);
        }
        let color = match entry {
            Entry::Closed => palette.warn,
            Entry::Known | Entry::Secret { .. } | Entry::Ask => palette.muted,
        };
        ui.colored_label(color, format!("· {about}"));
    });
}

/// A failure, and, if more could be found out about it, the way to that.
fn failed(
    ui: &mut Ui,
    scope: &mut Scope,
    draft: &Draft,
    failure: &Failure,
    (color, text): (egui::Color32, &str),
) {
    let Some(to) = draft.to().filter(|_| is_puzzling(failure)) else {
        return widgets::sentence(ui, Icon::CircleAlert, color, text);
    };
    let why = scope.texts.why;
    if widgets::sentence_with_link(ui, Icon::CircleAlert, color, text, why) {
        scope.want(Want::OpenDoctor(Some(to)));
    }
}

/// The doctor may know more about it.
fn is_puzzling(failure: &Failure) -> bool {
    match failure {
        Failure::Unresolvable { .. }
        | Failure::Refused { .. }
        | Failure::Unreachable { .. }
        | Failure::NotRopeway { .. }
        | Failure::Busy
        | Failure::Version
        | Failure::Lost
        | Failure::Silent
        | Failure::Moved { .. }
        | Failure::Protocol(_) => true,
        Failure::Forgotten
        | Failure::Ourselves
        | Failure::SecretNeeded
        | Failure::WrongSecret
        | Failure::NotTheDevice { .. }
        | Failure::NotTheLinked { .. }
        | Failure::ForgottenThere { .. }
        | Failure::KnownOnly
        | Failure::NotConfirmed
        | Failure::Declined
        | Failure::Cancelled(_)
        | Failure::NothingToSend
        | Failure::Disk(_)
        | Failure::PeerDisk(_)
        | Failure::Internal(_) => false,
    }
}

/// What has to be typed there, and whether this is to be the last time.
fn entry_ui(ui: &mut Ui, scope: &mut Scope, draft: &mut Draft, devices: &[KnownDevice]) {
    let texts = scope.texts;
    let (passphrase, typed) = match draft.entry(devices) {
        Entry::Known | Entry::Closed => return,
        Entry::Ask => (false, false),
        Entry::Secret { passphrase, .. } => (passphrase, true),
    };
    ui.horizontal_wrapped(|ui| {
        if typed {
            let label = match passphrase {
                true => texts.passphrase_label,
                false => texts.code_label,
            };
            let hint = match passphrase {
                true => "",
                false => texts.code_hint,
            };
            let label = ui.label(widgets::muted(ui, label));
            let field = TextEdit::singleline(&mut draft.code)
                .hint_text(hint)
                .align(egui::Align2::LEFT_CENTER)
                .char_limit(Secret::MAX_BYTES)
                .min_size(vec2(theme::CODE_WIDTH, theme::CONTROL_HEIGHT))
                .desired_width(theme::CODE_WIDTH);
            let response = ui.add(field).labelled_by(label.id);
            if std::mem::take(&mut draft.focus_code) {
                response.request_focus();
            }
            if response.changed() {
                draft.forget_failure();
            }
            let enter = ui.input(|input| input.key_pressed(Key::Enter));
            if response.lost_focus() && enter {
                scope.want(Want::SendNow);
            }
        }
        remember_box(ui, texts, &mut draft.remember);
    });
    if draft.remember {
        let hint = widgets::muted(ui, texts.remember_hint).size(theme::SMALL);
        ui.label(hint);
    }
}

pub fn remember_box(ui: &mut Ui, texts: &Texts, remember: &mut bool) {
    let style = ui.style().clone();
    ui.spacing_mut().icon_spacing = theme::GRID;
    // It goes to the next line as a whole.
    ui.style_mut().wrap_mode = Some(egui::TextWrapMode::Extend);
    let response = ui.checkbox(remember, texts.remember_this);
    ui.set_style(style);
    widgets::focus_ring(ui, &response);
    response.on_hover_text(texts.remember_hint);
}

/// Why the last attempt did not begin, and the ways out.
fn failure_ui(ui: &mut Ui, scope: &mut Scope, draft: &mut Draft) {
    let texts = scope.texts;
    let palette = theme::palette(ui);
    let Some(failure) = &draft.failure else {
        return;
    };
    let text = (texts.failure)(failure);
    let Some(missed) = draft.missed.clone() else {
        let failure = failure.clone();
        return failed(ui, scope, draft, &failure, (palette.danger, &text));
    };
    widgets::inset(ui, palette.danger_soft, |ui| {
        widgets::sentence(ui, Icon::ShieldAlert, palette.danger, &text);
        ui.add_space(theme::GRID);
        ui.horizontal_wrapped(|ui| {
            if widgets::button(ui, texts.dont_connect).clicked() {
                draft.no_destination();
            }
            if widgets::button(ui, texts.pair_again).clicked() {
                scope.want(Want::PairAgain(missed));
            }
        });
    });
}
