//! What a row says of the state it is in: words, colours, whether there is a bar.

use std::time::SystemTime;

use egui::{Color32, Ui};

use crate::gui::format::{duration, size, size_of, speed};
use crate::gui::panels::Scope;
use crate::gui::theme;
use crate::gui::view::{Row, RowState};
use crate::model::{Direction, Failure, Hold, Progress, Status, Summary, TransferState};

/// A number that changes faster cannot be read.
const SPEED_STANDS_SECONDS: f64 = 0.5;

/// How a row looks for the state it is in.
pub struct Looks {
    pub front: Color32,
    pub soft: Color32,
    pub badge: Option<String>,
    pub line: String,
    /// A sentence about what has to happen, which may not be cut.
    pub note: Option<String>,
    pub bar: bool,
    /// Where there is a plot of it.
    pub speed: String,
}

pub fn looks(ui: &Ui, scope: &Scope, row: &Row) -> Looks {
    let palette = theme::palette(ui);
    let texts = scope.texts;
    match &row.state {
        RowState::Kept(until) => {
            let left = until.duration_since(SystemTime::now()).unwrap_or_default();
            let days = left.as_secs().div_ceil(86_400);
            if row.failed_before > 0 {
                let line = match row.direction {
                    Direction::Send => (texts.kept_failed_send)(days),
                    Direction::Receive => (texts.kept_failed_receive)(row.peer.name.as_str(), days),
                };
                return Looks {
                    front: palette.danger,
                    soft: palette.danger_soft,
                    badge: Some((texts.badge_failed_items)(row.failed_before)),
                    line,
                    note: None,
                    bar: false,
                    speed: String::new(),
                };
            }
            let line = match row.direction {
                Direction::Send => (texts.kept_send)(days),
                Direction::Receive => (texts.kept_receive)(row.peer.name.as_str(), days),
            };
            Looks {
                front: palette.warn,
                soft: palette.warn_soft,
                badge: Some(texts.badge_interrupted.into()),
                line: bytes_held(scope, row),
                note: Some(line),
                bar: true,
                speed: String::new(),
            }
        }
        RowState::Active(state @ TransferState::Away) => Looks {
            front: palette.warn,
            soft: palette.warn_soft,
            badge: Some(texts.badge_queued.into()),
            line: (texts.state)(*state, row.peer.name.as_str()),
            note: None,
            bar: false,
            speed: String::new(),
        },
        RowState::Active(state @ TransferState::Interrupted) => Looks {
            front: palette.warn,
            soft: palette.warn_soft,
            badge: Some(texts.badge_interrupted.into()),
            line: bytes_held(scope, row),
            note: Some((texts.state)(*state, row.peer.name.as_str())),
            bar: true,
            speed: String::new(),
        },
        RowState::Active(_) if row.holds.any() => {
            let full = row.holds.lacks_room();
            Looks {
                front: palette.warn,
                soft: palette.warn_soft,
                badge: Some(match (full, row.queued()) {
                    (true, _) => texts.badge_full.into(),
                    (false, true) => texts.badge_queued.into(),
                    (false, false) => texts.badge_paused.into(),
                }),
                line: bytes_held(scope, row),
                note: Some(held(scope, row)),
                bar: true,
                speed: String::new(),
            }
        }
        RowState::Active(state) => {
            let moving = matches!(state, TransferState::Running | TransferState::Finishing);
            let now = match &row.progress {
                Some(progress) if moving && row.quiet_seconds == 0 => calm_speed(ui, progress),
                Some(_) | None => 0,
            };
            let now = (texts.speed)(&speed(now));
            let line = match (&row.progress, moving) {
                (Some(progress), true) if progress.total_bytes > 0 => {
                    running(scope, row, progress, *state, &now)
                }
                (_, _) => (texts.state)(*state, row.peer.name.as_str()),
            };
            Looks {
                front: palette.link,
                soft: palette.accent_soft,
                badge: None,
                line,
                note: None,
                bar: true,
                speed: now,
            }
        }
        RowState::Ended(summary) => {
            let (front, soft, badge) = match summary.status {
                Status::Arrived => {
                    let word = match row.direction {
                        Direction::Send => texts.badge_sent,
                        Direction::Receive => texts.badge_received,
                    };
                    (palette.ok, palette.ok_soft, format!("✓ {word}"))
                }
                Status::Problems => (
                    palette.danger,
                    palette.danger_soft,
                    (texts.badge_failed_items)(summary.failed),
                ),
                Status::Declined => (palette.warn, palette.warn_soft, texts.badge_declined.into()),
                Status::Cancelled(_) => (
                    palette.warn,
                    palette.warn_soft,
                    texts.badge_cancelled.into(),
                ),
                Status::Interrupted => (
                    palette.warn,
                    palette.warn_soft,
                    texts.badge_interrupted.into(),
                ),
                Status::Failed => (
                    palette.danger,
                    palette.danger_soft,
                    texts.badge_failed.into(),
                ),
            };
            Looks {
                front,
                soft,
                badge: Some(badge),
                line: ended(scope, row, summary),
                note: None,
                bar: false,
                speed: String::new(),
            }
        }
    }
}

/// Who has to do something before it goes on.
fn held(scope: &Scope, row: &Row) -> String {
    let texts = scope.texts;
    let peer = row.peer.name.as_str();
    let need = |needed_bytes: u64| (needed_bytes > 0).then(|| size(needed_bytes));
    match (row.holds.here, row.holds.there) {
        (Some(Hold::Person), Some(Hold::Person)) => (texts.paused_by_both)(peer),
        (Some(Hold::Person), _) => texts.paused_by_us.to_owned(),
        (Some(Hold::Turn), _) => (texts.turn_here)(peer),
        (Some(Hold::NoRoom { needed_bytes }), _) => {
            (texts.no_room_here)(need(needed_bytes).as_deref())
        }
        (None, Some(Hold::NoRoom { needed_bytes })) => {
            (texts.no_room_there)(peer, need(needed_bytes).as_deref())
        }
        (Some(Hold::NoFiles), _) => texts.no_files_here.to_owned(),
        (None, Some(Hold::NoFiles)) => (texts.no_files_there)(peer),
        (Some(Hold::Quota), _) => texts.no_quota_here.to_owned(),
        (None, Some(Hold::Quota)) => (texts.no_quota_there)(peer),
        (None, Some(Hold::Turn)) => (texts.turn_there)(peer),
        (None, Some(Hold::Person) | None) => (texts.paused_by_peer)(peer),
    }
}

/// `7.7 of 18.4 GB`
fn bytes_held(scope: &Scope, row: &Row) -> String {
    match &row.progress {
        Some(progress) if progress.total_bytes > 0 => {
            let (done, all) = size_of(progress.bytes, progress.total_bytes);
            (scope.texts.bytes_of)(&done, &all)
        }
        Some(_) | None => String::new(),
    }
}

/// `7.7 of 18.4 GB · 94.2 MB/s · 1 min 54 s left`
fn running(
    scope: &Scope,
    row: &Row,
    progress: &Progress,
    state: TransferState,
    speed: &str,
) -> String {
    let texts = scope.texts;
    let (done, all) = size_of(progress.bytes, progress.total_bytes);
    let mut parts = vec![(texts.bytes_of)(&done, &all)];
    if progress.checked_bytes < progress.check_bytes {
        let (done, all) = size_of(progress.checked_bytes, progress.check_bytes);
        parts.push((texts.comparing)(&done, &all));
    }
    if row.quiet_seconds > 0 {
        parts.push((texts.quiet)(row.quiet_seconds));
    } else if state == TransferState::Finishing {
        parts.push((texts.state)(state, row.peer.name.as_str()));
    } else {
        parts.push(speed.to_owned());
        if let Some(left) = row.left {
            parts.push((texts.left)(&duration(texts, left)));
        }
    }
    parts.join(" · ")
}

/// The speed, the same for half a second.
fn calm_speed(ui: &Ui, progress: &Progress) -> u64 {
    let now = ui.input(|input| input.time);
    let fresh = (now, progress.bytes_per_second);
    ui.data_mut(|data| {
        let shown = data.get_temp_mut_or_insert_with(ui.scope_id().with("speed"), || fresh);
        if now - shown.0 >= SPEED_STANDS_SECONDS || now < shown.0 {
            *shown = fresh;
        }
        shown.1
    })
}

fn ended(scope: &Scope, row: &Row, summary: &Summary) -> String {
    let texts = scope.texts;
    match (summary.status, &summary.failure) {
        (Status::Arrived, _) => {
            let time = duration(texts, summary.elapsed);
            let bytes = size(summary.bytes);
            let done = match row.direction {
                Direction::Send => (texts.finished_sent)(&bytes, &time),
                Direction::Receive => (texts.finished_received)(&bytes, &time),
            };
            let checked = if row.safe {
                texts.checked_safe
            } else {
                texts.checked
            };
            let mut line = format!("{done} · {checked}");
            if summary.skipped > 0 {
                line = format!("{line} · {}", (texts.some_skipped)(summary.skipped));
            }
            line
        }
        (Status::Problems, _) => (texts.some_failed)(summary.failed, summary.entries),
        (Status::Declined, _) if row.direction == Direction::Receive => texts.declined_here.into(),
        (_, Some(failure)) => (texts.failure)(failure),
        // The badge has the word already.
        (Status::Declined, None) => (texts.failure)(&Failure::Declined),
        (Status::Cancelled(party), None) => (texts.failure)(&Failure::Cancelled(party)),
        (Status::Interrupted, None) => texts.badge_interrupted.into(),
        (Status::Failed, None) => texts.badge_failed.into(),
    }
}
