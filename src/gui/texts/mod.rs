//! Every text of the window, in one typed table per language.
//!
//! A text that is missing in one language does not compile. Sentences with numbers or names are
//! functions, so that each language orders and counts as it must.

mod callers;
mod en;
mod hands;
mod settings;
mod unstarted;
mod wire;
mod zh;
mod zh_findings;

use std::net::IpAddr;

use super::clipboard::NoPicture;
use super::clock::Day;
use crate::engine::{Doing, Existing, ListenError, NotSaid, Talk};
use crate::model::address::AddressError;
use crate::model::{
    Allow, Bond, Failure, Finding, OnConflict, Presence, Problem, Severity, Symbol, TransferState,
};
use crate::settings::Language;

pub use callers::CallerTexts;
pub use en::ENGLISH;
pub use hands::HandsTexts;
pub use settings::SettingsTexts;
pub use unstarted::UnstartedTexts;
pub use wire::WireTexts;
pub use zh::CHINESE;

pub struct Texts {
    pub this_device: &'static str,
    pub rename: &'static str,
    pub settings: &'static str,
    pub done: &'static str,
    pub copy: &'static str,

    pub send: &'static str,
    pub drop_title: &'static str,
    pub drop_hint: &'static str,
    pub drop_now: &'static str,
    pub files: &'static str,
    pub folder: &'static str,
    pub pick_files_title: &'static str,
    pub pick_folder_title: &'static str,
    pub no_dialog: &'static str,
    pub path_label: &'static str,
    pub path_hint: &'static str,
    pub add: &'static str,
    pub counting: &'static str,
    pub remove: fn(&str) -> String,
    pub clear_list: &'static str,
    pub items: fn(u64) -> String,
    pub address_label: &'static str,
    pub address_hint: &'static str,
    pub address_error: fn(AddressError) -> &'static str,
    pub code_label: &'static str,
    pub code_hint: &'static str,
    pub recent: &'static str,
    pub send_nothing: &'static str,
    pub send_items: fn(u64) -> String,
    pub send_to: fn(&str) -> String,
    pub send_to_known: fn(&str) -> String,
    pub known_devices: &'static str,
    pub devices: &'static str,
    pub not_known: &'static str,
    pub send_to_away: fn(&str) -> String,
    pub send_when_on: fn(&str) -> String,
    pub need_receive: &'static str,
    pub set_network: &'static str,
    pub set_keep: &'static str,
    pub set_keep_hint: &'static str,
    pub keep_yes: &'static str,
    pub keep_no: &'static str,
    pub set_presence: &'static str,
    pub presence: fn(Presence) -> &'static str,
    pub presence_hint: fn(Presence) -> &'static str,
    pub receive_is_off: &'static str,
    pub not_here: &'static str,
    pub nobody_nearby: &'static str,
    pub why_nobody: &'static str,
    pub forget_address: &'static str,
    pub manage: &'static str,
    pub known: &'static str,
    /// Of a device that must be let in anew.
    pub forgotten_there: &'static str,
    pub more_devices: fn(u64) -> String,
    pub looking: &'static str,
    /// For the device at an address.
    pub looking_there: &'static str,
    pub copy_report: &'static str,
    pub copy_report_hint: &'static str,
    pub report_copied: &'static str,
    pub nothing_to_type: &'static str,
    pub not_known_yet: &'static str,
    pub known_only: &'static str,
    pub passphrase_label: &'static str,
    pub ask_without: &'static str,
    pub ask_hint: &'static str,
    pub remember_this: &'static str,
    pub remember_hint: &'static str,
    pub nothing_sent: &'static str,
    pub dont_connect: &'static str,
    pub pair_again: &'static str,
    pub keep_list: &'static str,
    pub keep_list_hint: &'static str,
    pub need_picks: &'static str,
    pub need_address: &'static str,
    pub need_code: &'static str,
    pub need_code_or_ask: &'static str,
    pub need_known: &'static str,
    pub need_passphrase: &'static str,
    /// The four words that the other screen is to show.
    pub symbols_question: &'static str,
    pub symbols_hint: fn(&str) -> String,
    pub symbols_yes: &'static str,
    pub symbols_no: &'static str,
    pub symbol: fn(Symbol) -> &'static str,

    pub receive: &'static str,
    pub receive_switch: &'static str,
    pub receive_off: &'static str,
    pub receive_off_title: &'static str,
    pub receive_starting: &'static str,
    /// Below that.
    pub receive_soon: &'static str,
    pub receive_on: &'static str,
    /// On, but of no use: only known devices may send and none is known; the firewall; too many wrong codes.
    pub receive_nobody: &'static str,
    pub receive_blocked: &'static str,
    pub receive_no_code: &'static str,
    pub pairing_code: &'static str,
    pub code_once: &'static str,
    pub code_rests: &'static str,
    pub hide: &'static str,
    pub show: &'static str,
    pub new_code: &'static str,
    pub addresses: &'static str,
    pub copy_link_hint: &'static str,
    pub more: &'static str,
    pub fewer: &'static str,
    pub save_to: &'static str,
    pub change: &'static str,
    pub open: &'static str,
    pub pick_save_title: &'static str,
    pub who_may: &'static str,
    pub allow: fn(Allow) -> &'static str,
    pub only_known: &'static str,
    pub only_known_nobody: &'static str,
    pub connected: &'static str,
    pub nobody: &'static str,
    pub doing: fn(Doing) -> &'static str,
    pub wrong_code: fn(IpAddr, u32) -> String,
    pub must_wait: fn(IpAddr) -> String,
    pub listen_error: fn(&ListenError) -> String,
    pub port_moved: fn(u16) -> String,
    pub try_again: &'static str,
    pub change_folder: &'static str,
    pub change_port: &'static str,

    pub offer_title: fn(&str) -> String,
    pub offer_proven: &'static str,
    pub offer_not_verified: &'static str,
    pub offer_same: &'static str,
    pub offer_unconfirmed: fn(&str) -> String,
    pub offer_remembers: fn(&str) -> String,
    pub offer_more: fn(u64) -> String,
    pub offer_into: fn(&str) -> String,
    pub offer_free: fn(&str) -> String,
    /// How much is free, and how much too little that is.
    pub offer_no_room: fn(&str, &str) -> String,
    pub offer_change: &'static str,
    /// What is there already: the first name, and what else.
    pub offer_exists: fn(&Existing) -> String,
    pub on_conflict: fn(OnConflict) -> &'static str,
    /// What a choice does, in a sentence.
    pub on_conflict_hint: fn(OnConflict) -> &'static str,
    pub accept: &'static str,
    pub accept_same: &'static str,
    pub decline: &'static str,
    pub block: &'static str,
    pub blocked: fn(&str) -> String,
    pub undo: &'static str,
    pub wants_to_be_remembered: fn(&str) -> String,
    pub remember: &'static str,
    pub no: &'static str,
    pub paired: fn(&str) -> String,
    pub remember_peer: fn(&str) -> String,
    pub remembered_here: fn(&str) -> String,

    pub talks: &'static str,
    pub talks_all: &'static str,
    pub talks_nobody: &'static str,
    pub talks_pick: &'static str,
    pub talks_empty: &'static str,
    pub talks_earlier: &'static str,
    pub talks_unread: fn(usize) -> String,
    pub talks_clear: &'static str,
    pub talks_clear_question: &'static str,
    pub talks_clear_yes: &'static str,
    pub talks_hint: &'static str,
    pub talks_field: &'static str,
    pub talks_say: &'static str,
    pub talks_files: &'static str,
    pub talks_paste: &'static str,
    /// What a pasted picture is called, by its date and time.
    pub picture_name: fn(&str) -> String,
    pub no_picture: fn(&NoPicture) -> String,
    pub talks_copy: &'static str,
    /// The device has proven itself; it is not remembered.
    pub talks_confirmed: &'static str,
    pub talks_too_long: &'static str,
    pub talks_waiting: fn(u64) -> String,
    pub not_said: fn(NotSaid) -> &'static str,
    pub talks_not_read: fn(&str) -> String,
    pub talk_state: fn(&Talk) -> &'static str,
    pub day: fn(&Day) -> String,
    pub delivery_waiting: &'static str,
    pub delivery_delivered: &'static str,
    pub delivery_not: &'static str,
    pub take_back: &'static str,
    /// What was not delivered.
    pub say_again: &'static str,
    pub open_link: &'static str,
    pub text_offer_title: fn(&str) -> String,
    pub text_offer_same: &'static str,
    pub text_offer_show: &'static str,
    pub text: &'static str,

    pub transfers: &'static str,
    pub transfers_empty: &'static str,
    pub clear_finished: &'static str,
    /// The first of them, and how many there are besides.
    pub names_and_more: fn(&str, u64) -> String,
    /// Several of them, and how many there are besides.
    pub names_and_others: fn(&str, u64) -> String,
    pub done_of: fn(u64, u64) -> String,
    pub bytes_of: fn(&str, &str) -> String,
    pub speed: fn(&str) -> String,
    pub left: fn(&str) -> String,
    pub hours_minutes: fn(u64, u64) -> String,
    pub minutes_seconds: fn(u64, u64) -> String,
    pub seconds: fn(u64) -> String,
    pub state: fn(TransferState, &str) -> String,
    /// How much of what was kept is compared.
    pub comparing: fn(&str, &str) -> String,
    pub kept_send: fn(u64) -> String,
    pub kept_receive: fn(&str, u64) -> String,
    pub kept_awake: &'static str,
    pub slept: &'static str,
    pub pause: &'static str,
    pub limit: &'static str,
    pub other_folder: &'static str,
    pub pause_all: &'static str,
    pub resume_all: &'static str,
    pub paused_by_us: &'static str,
    pub paused_by_peer: fn(&str) -> String,
    pub paused_by_both: fn(&str) -> String,
    pub turn_here: fn(&str) -> String,
    pub turn_there: fn(&str) -> String,
    /// How much more room is needed, if that is known.
    pub no_room_here: fn(Option<&str>) -> String,
    pub no_room_there: fn(&str, Option<&str>) -> String,
    /// The disk has room, but none for one more file; the person's share of it is used up.
    pub no_files_here: &'static str,
    pub no_files_there: fn(&str) -> String,
    pub no_quota_here: &'static str,
    pub no_quota_there: fn(&str) -> String,
    /// Names of what was picked for a send that waits.
    pub picks_gone: fn(&str) -> String,
    pub picks_changed: fn(&str) -> String,
    pub picks_between: &'static str,
    pub resume: &'static str,
    pub resume_now: &'static str,
    /// Of what has never begun.
    pub try_now: &'static str,
    pub delete: &'static str,
    pub quiet: fn(u64) -> String,
    pub progress_label: fn(&str) -> String,
    pub cancel: &'static str,
    pub show_in_folder: &'static str,
    pub send_again: &'static str,
    pub send_back: &'static str,
    pub details: &'static str,
    pub hide_details: &'static str,
    pub copy_paths: &'static str,
    pub retry_failed: &'static str,
    /// At the receiving end: only the sender can.
    pub peer_can_retry: fn(&str) -> String,
    pub kept_failed_send: fn(u64) -> String,
    pub kept_failed_receive: fn(&str, u64) -> String,
    pub filter_label: &'static str,
    pub filter_hint: &'static str,
    pub filter_finds_nothing: &'static str,
    /// So many of so many are listed.
    pub first_failed: fn(u64, u64) -> String,
    pub save_list: &'static str,
    pub save_list_title: &'static str,
    pub list_file_name: &'static str,
    pub list_saved: fn(&str) -> String,
    pub list_not_saved: fn(&str, &str) -> String,
    pub badge_received: &'static str,
    pub badge_sent: &'static str,
    pub badge_failed_items: fn(u64) -> String,
    pub badge_declined: &'static str,
    pub declined_here: &'static str,
    pub badge_cancelled: &'static str,
    pub badge_interrupted: &'static str,
    pub badge_paused: &'static str,
    pub badge_queued: &'static str,
    pub badge_full: &'static str,
    pub badge_failed: &'static str,
    pub finished_received: fn(&str, &str) -> String,
    pub finished_sent: fn(&str, &str) -> String,
    pub checked: &'static str,
    pub checked_safe: &'static str,
    pub some_failed: fn(u64, u64) -> String,
    pub some_skipped: fn(u64) -> String,
    pub failure: fn(&Failure) -> String,
    pub problem: fn(&Problem) -> String,
    pub command_failed: fn(&str, &str) -> String,

    /// The connection doctor's dialog, and its tooltip.
    pub doctor: &'static str,
    pub doctor_hint: &'static str,
    pub doctor_address: &'static str,
    pub doctor_address_hint: &'static str,
    pub doctor_check: &'static str,
    pub this_computer: &'static str,
    /// A link beside what went wrong.
    pub why: &'static str,
    pub check_again: &'static str,
    pub problems_found: fn(usize) -> String,
    pub severity: fn(Severity) -> &'static str,
    pub finding: fn(&Finding) -> String,
    pub finding_next: fn(&Finding) -> Option<String>,
    pub copy_command: fn(&str) -> String,
    pub copy_the_command: &'static str,
    pub firewall_blocks: &'static str,

    /// All of these by how many transfers are being received.
    pub stop_title: fn(u64) -> &'static str,
    pub stop_text: fn(u64) -> String,
    pub let_finish: fn(u64) -> &'static str,
    pub stop_now: fn(u64) -> &'static str,
    pub keep_on: &'static str,
    pub give_up_title: &'static str,
    /// What has arrived, and whether it is here that it did.
    pub give_up_text: fn(&str, bool) -> String,
    pub give_up_back: &'static str,

    pub set_general: &'static str,
    pub no_known: &'static str,
    pub no_known_hint: &'static str,
    pub bond: fn(Bond) -> &'static str,
    /// So many hours ago.
    pub met: fn(u64) -> String,
    pub details_of: fn(&str) -> String,
    pub device_label: &'static str,
    pub rule: &'static str,
    pub rule_ask: &'static str,
    pub rule_accept: &'static str,
    pub rule_never: &'static str,
    pub rule_folder: &'static str,
    pub rule_size: &'static str,
    pub rule_size_hint: &'static str,
    pub rule_any_size: &'static str,
    pub size_unit: &'static str,
    pub forget: &'static str,
    pub forget_question: fn(&str) -> String,
    pub keep: &'static str,
    pub unblock: &'static str,

    pub set_name: &'static str,
    pub set_name_hint: &'static str,
    pub set_folder: &'static str,
    pub set_port: &'static str,
    pub set_port_hint: &'static str,
    pub set_speed: &'static str,
    pub set_speed_hint: &'static str,
    pub set_at_once: &'static str,
    pub set_at_once_hint: &'static str,
    pub no_limit: &'static str,
    pub speed_unit: &'static str,
    pub set_conflict: &'static str,
    pub set_theme: &'static str,
    pub set_language: &'static str,
    pub theme_system: &'static str,
    pub theme_light: &'static str,
    pub theme_dark: &'static str,
    pub language_system: &'static str,
    pub set_advanced: &'static str,
    pub set: SettingsTexts,
    pub wire: WireTexts,
    pub callers: CallerTexts,
    pub hands: HandsTexts,
    pub unstarted: UnstartedTexts,
    pub settings_not_saved: fn(&str) -> String,
    pub settings_not_read: fn(&str) -> String,
    pub devices_not_read: fn(&str) -> String,
}

/// The table for a setting; `System` follows the system's locale.
pub fn texts(language: Language) -> &'static Texts {
    if is_chinese(language) {
        &CHINESE
    } else {
        &ENGLISH
    }
}

pub fn is_chinese(language: Language) -> bool {
    match language {
        Language::English => false,
        Language::Chinese => true,
        Language::System => sys_locale::get_locale()
            .unwrap_or_default()
            .starts_with("zh"),
    }
}
