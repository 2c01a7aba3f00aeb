//! Every text of the window, in one typed table per language.
//!
//! A text that is missing in one language does not compile. Sentences with numbers or names are
//! functions, so that each language orders and counts as it must.

mod en;
mod zh;

use std::net::IpAddr;

use crate::engine::{Doing, Existing, ListenError};
use crate::model::address::AddressError;
use crate::model::{Failure, OnConflict, Problem, TransferState};
use crate::settings::Language;

pub use en::ENGLISH;
pub use zh::CHINESE;

pub struct Texts {
    pub this_device: &'static str,
    pub rename: &'static str,
    pub settings: &'static str,
    pub done: &'static str,
    pub copy: &'static str,
    pub copied: &'static str,

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
    pub keep_list: &'static str,
    pub need_picks: &'static str,
    pub need_address: &'static str,
    pub need_code: &'static str,

    pub receive: &'static str,
    pub receive_switch: &'static str,
    pub receive_off: &'static str,
    pub receive_off_title: &'static str,
    pub receive_starting: &'static str,
    pub receive_on: &'static str,
    pub pairing_code: &'static str,
    pub code_once: &'static str,
    pub hide: &'static str,
    pub show: &'static str,
    pub new_code: &'static str,
    pub addresses: &'static str,
    pub more: &'static str,
    pub fewer: &'static str,
    pub save_to: &'static str,
    pub change: &'static str,
    pub open: &'static str,
    pub pick_save_title: &'static str,
    pub connected: &'static str,
    pub nobody: &'static str,
    pub doing: fn(Doing) -> &'static str,
    pub wrong_code: fn(IpAddr, u32) -> String,
    pub listen_error: fn(&ListenError) -> String,
    pub port_moved: fn(u16) -> String,
    pub try_again: &'static str,

    pub offer_title: fn(&str) -> String,
    pub offer_proven: &'static str,
    pub offer_more: fn(u64) -> String,
    pub offer_into: fn(&str) -> String,
    pub offer_free: fn(&str) -> String,
    pub offer_no_room: fn(&str) -> String,
    pub offer_change: &'static str,
    /// What is there already: the first name, and what else.
    pub offer_exists: fn(&Existing) -> String,
    pub on_conflict: fn(OnConflict) -> &'static str,
    /// What a choice does, in a sentence.
    pub on_conflict_hint: fn(OnConflict) -> &'static str,
    pub accept: &'static str,
    pub decline: &'static str,

    pub transfers: &'static str,
    pub transfers_empty: &'static str,
    pub clear_finished: &'static str,
    pub names_and_more: fn(&str, u64) -> String,
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
    pub resume: &'static str,
    pub resume_now: &'static str,
    pub delete: &'static str,
    pub quiet: fn(u64) -> String,
    pub progress_label: fn(&str) -> String,
    pub cancel: &'static str,
    pub show_in_folder: &'static str,
    pub send_again: &'static str,
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

    pub stop_title: &'static str,
    pub stop_text: fn(u64) -> String,
    pub let_finish: &'static str,
    pub stop_now: &'static str,
    pub keep_on: &'static str,
    pub quit_title: &'static str,
    pub quit_text: fn(u64) -> String,
    pub quit_now: &'static str,
    pub keep_running: &'static str,

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
    pub settings_not_saved: fn(&str) -> String,
    pub settings_not_read: fn(&str) -> String,
}

/// The table for a setting; `System` follows the system's locale.
pub fn texts(language: Language) -> &'static Texts {
    match language {
        Language::English => &ENGLISH,
        Language::Chinese => &CHINESE,
        Language::System => {
            let locale = sys_locale::get_locale().unwrap_or_default();
            if locale.starts_with("zh") {
                &CHINESE
            } else {
                &ENGLISH
            }
        }
    }
}
