//! To whom: a device nearby or a known one with one click, or an address, which unfolds what is needed there.

use egui::accesskit::Role;
use egui::{Key, TextEdit, Ui, vec2};
use lucide_icons::Icon;

pub use super::devices::{about, symbol};
use super::devices::{devices_ui, is_chosen};
use super::{Scope, Want};
use crate::engine::{Command, KnownDevice, Recent};
use crate::gui::format::{elide_middle, hours_since, set_from_left};
use crate::gui::texts::Texts;
use crate::gui::view::{Card, Draft, Entry, View, cards};
use crate::gui::{theme, widgets};
use crate::model::{Failure, PeerAddress, Secret};

/// What fits in a line.
const MAX_RECENT: usize = 4;

/// What is kept between frames, besides the draft.
#[derive(Default)]
pub struct DestinationPanel {
    /// The person has left the address field, so that it may be judged.
    pub address_judged: bool,
    /// When the address was last typed at, until it is looked at.
    pub(super) edited_at: Option<f64>,
    pub(super) all_devices: bool,
}

/// A draft that can be sent.
#[derive(Debug)]
pub struct Ready {
    pub to: PeerAddress,
    pub secret: Option<Secret>,
    pub ask: bool,
    /// It is known well enough to wait until it appears.
    pub wait: bool,
}

/// Whether it can go, and if not, what is missing. `ask`: without a secret, where that is allowed.
pub fn ready(
    draft: &Draft,
    around: &Around,
    texts: &Texts,
    ask: bool,
) -> Result<Ready, &'static str> {
    if draft.picks.is_empty() {
        return Err(texts.need_picks);
    }
    let devices = around.devices;
    let to = match around.chosen(draft) {
        Some(card) if card.out_of_reach() => return Err(texts.need_receive),
        Some(card) if draft.address.trim().is_empty() => PeerAddress::nowhere(card.id),
        None if draft.address.trim().is_empty() => return Err(texts.need_address),
        Some(_) | None => draft.address.parse().map_err(texts.address_error)?,
    };
    if draft.missed.is_some() {
        // The person has to say first what is to be done about that.
        return Err(texts.nothing_sent);
    }
    let (secret, ask) = way_in(draft, devices, texts, ask)?;
    Ok(Ready {
        to,
        secret,
        ask,
        wait: draft.entry(devices) == Entry::Known,
    })
}

/// What is shown at the door, and whether symbols are compared instead; or what is missing.
pub fn way_in(
    draft: &Draft,
    devices: &[KnownDevice],
    texts: &Texts,
    ask: bool,
) -> Result<(Option<Secret>, bool), &'static str> {
    match draft.entry(devices) {
        Entry::Known => Ok((None, false)),
        Entry::Closed => Err(texts.need_known),
        Entry::Ask => Ok((None, true)),
        Entry::Secret { can_ask: true, .. } if ask => Ok((None, true)),
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
            Ok((Some(secret), false))
        }
    }
}

/// Whom a person may pick from.
pub struct Around<'a> {
    pub devices: &'a [KnownDevice],
    pub cards: Vec<Card>,
    pub recent: &'a [Recent],
}

impl<'a> Around<'a> {
    pub fn of(view: &'a View) -> Self {
        Self {
            cards: cards(&view.devices, &view.nearby),
            devices: &view.devices,
            recent: &view.recent,
        }
    }

    /// The card of whoever was chosen.
    pub fn chosen(&self, draft: &Draft) -> Option<&Card> {
        self.cards.iter().find(|card| is_chosen(draft, card))
    }

    /// That of the card of whoever is chosen or was found.
    fn symbol(&self, draft: &Draft) -> Icon {
        let found = draft.looked().and_then(|found| found.as_ref().ok());
        let mut cards = self.cards.iter();
        let found = || cards.find(|card| found.is_some_and(|found| found.id == card.id));
        let card = self.chosen(draft).or_else(found);
        symbol(card.map(|card| card.system).unwrap_or_default())
    }
}

pub fn destination_ui(
    ui: &mut Ui,
    scope: &mut Scope,
    draft: &mut Draft,
    around: &Around,
    panel: &mut DestinationPanel,
) {
    let devices = around.devices;
    devices_ui(ui, scope, draft, around, panel);
    recent_ui(ui, scope, draft, around);
    if draft.failure.is_some() {
        failure_ui(ui, scope, draft);
    } else {
        let symbol = around.symbol(draft);
        status_ui(ui, scope, draft, devices, symbol);
    }
    // Nothing is typed for a known device: an empty part would take a gap.
    if draft.to().is_some() && draft.entry(devices) != Entry::Known {
        let texts = scope.texts;
        if widgets::part(ui, "entry", |ui| entry_ui(ui, texts, draft, devices)) {
            scope.want(Want::SendNow);
        }
    }
}

/// Asks what is taken there, if that is to be known now.
pub fn look_ui(scope: &mut Scope, draft: &mut Draft, devices: &[KnownDevice]) {
    if std::mem::take(&mut draft.look_now)
        && let Some(at) = draft.look_at(devices)
    {
        scope.want(Want::Engine(Command::LookAt(at)));
    }
}

fn recent_ui(ui: &mut Ui, scope: &mut Scope, draft: &mut Draft, around: &Around) {
    let carded = |recent: &&Recent| around.cards.iter().any(|card| card.id == recent.device);
    let recent = around.recent.iter().filter(|recent| !carded(recent));
    let recent: Vec<_> = recent.take(MAX_RECENT).collect();
    if recent.is_empty() {
        return;
    }
    let texts = scope.texts;
    ui.horizontal_top(|ui| {
        ui.label(widgets::muted(ui, texts.recent));
        widgets::flow(ui, |ui| {
            ui.spacing_mut().item_spacing.x = theme::SECTION;
            for recent in recent {
                recent_link(ui, scope, draft, recent);
            }
        });
    });
}

/// Who was there, then where.
fn recent_link(ui: &mut Ui, scope: &mut Scope, draft: &mut Draft, recent: &Recent) {
    let texts = scope.texts;
    let address = recent.address.to_string();
    let name = recent.name.as_str();
    let fits = |name: &str| widgets::text_width(ui, name) <= theme::NAME_WIDTH;
    let short = elide_middle(name, fits);
    let response = widgets::link(ui, &format!("{} · {address}", set_from_left(&short)));
    widgets::named(&response, Role::Button, &format!("{name} · {address}"));
    if response.clicked() {
        draft.go_to(address);
    }
    let when = (texts.met)(hours_since(recent.last, std::time::SystemTime::now()));
    let response = response.on_hover_text(format!("{name} · {when}"));
    response.context_menu(|ui| {
        if widgets::link(ui, texts.forget_address).clicked() {
            let address = recent.address.clone();
            scope.want(Want::Engine(Command::ForgetRecent(address)));
            ui.close();
        }
    });
}

/// Who is there, as far as that was found out; `symbol` is that of the device.
pub fn status_ui(
    ui: &mut Ui,
    scope: &mut Scope,
    draft: &Draft,
    devices: &[KnownDevice],
    symbol: Icon,
) {
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
        failed(ui, scope, draft, failure, (color, &text));
        if draft.may_be_called() {
            ui.label(widgets::muted(ui, texts.callers.reach_hint).size(theme::SMALL));
        }
        return;
    }
    let (symbol, color, about) = match (draft.looked(), entry) {
        (_, Entry::Known) => (Icon::Check, palette.ok, texts.nothing_to_type.to_owned()),
        (Some(Ok(_)), Entry::Closed) => (Icon::Lock, palette.warn, texts.known_only.to_owned()),
        (Some(Ok(_)), Entry::Secret { .. } | Entry::Ask) => {
            (symbol, palette.muted, texts.not_known_yet.to_owned())
        }
        (None, _) if draft.looking() => {
            ui.label(widgets::muted(ui, texts.looking_there));
            return;
        }
        (None | Some(Err(_)), _) => return,
    };
    ui.horizontal_top(|ui| {
        ui.label(widgets::icon(symbol, color));
        widgets::flow(ui, |ui| {
            let about = format!("· {about}");
            ui.spacing_mut().item_spacing = vec2(theme::GRID, 0.0);
            if let Some(name) = &name {
                let font = theme::strong_font(theme::BODY);
                let line = ui.available_width();
                let rest = line - widgets::text_width(ui, &about) - theme::GRID;
                // What is said of it goes to a second line where there is hardly room for both.
                let room = match rest >= theme::NAME_WIDTH {
                    true => rest,
                    false => line,
                };
                widgets::name_label(ui, name, font, palette.text, room);
            }
            let color = match entry {
                Entry::Closed => palette.warn,
                Entry::Known | Entry::Secret { .. } | Entry::Ask => palette.muted,
            };
            ui.colored_label(color, about);
        });
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
        | Failure::Older { .. }
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
        | Failure::BlockedHere { .. }
        | Failure::NeverThere { .. }
        | Failure::TooManyWait
        | Failure::NotConfirmed
        | Failure::TooManyTalks
        | Failure::Declined
        | Failure::Cancelled(_)
        | Failure::NothingToSend
        | Failure::Disk(_)
        | Failure::PeerDisk(_)
        | Failure::Internal(_) => false,
    }
}

/// What has to be typed there, and whether this is to be the last time. True: Enter was pressed in it.
pub fn entry_ui(ui: &mut Ui, texts: &Texts, draft: &mut Draft, devices: &[KnownDevice]) -> bool {
    let mut entered = false;
    let (passphrase, typed) = match draft.entry(devices) {
        Entry::Known | Entry::Closed => return false,
        Entry::Ask => (false, false),
        Entry::Secret { passphrase, .. } => (passphrase, true),
    };
    // Before: what stands beside the field has the middle of its line.
    let usual = ui.spacing().interact_size.y;
    ui.spacing_mut().interact_size.y = theme::CONTROL_HEIGHT;
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
            let width = theme::CODE_WIDTH.min(ui.max_rect().width());
            let field = TextEdit::singleline(&mut draft.code)
                .hint_text(hint)
                .align(egui::Align2::LEFT_CENTER)
                .char_limit(Secret::MAX_BYTES)
                .min_size(vec2(width, theme::CONTROL_HEIGHT))
                .desired_width(width);
            let response = ui.add(field).labelled_by(label.id);
            if std::mem::take(&mut draft.focus_code) {
                response.request_focus();
            }
            if response.changed() {
                draft.forget_failure();
            }
            let enter = ui.input(|input| input.key_pressed(Key::Enter));
            entered = response.lost_focus() && enter;
        }
        // On a line of its own it needs no more than others.
        ui.spacing_mut().interact_size.y = usual;
        remember_box(ui, texts, &mut draft.remember);
    });
    ui.spacing_mut().interact_size.y = usual;
    if draft.remember {
        let hint = widgets::muted(ui, texts.remember_hint).size(theme::SMALL);
        ui.label(hint);
    }
    entered
}

pub fn remember_box(ui: &mut Ui, texts: &Texts, remember: &mut bool) {
    let response = widgets::checkbox(ui, remember, texts.remember_this);
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
