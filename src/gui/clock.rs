//! Times of the day as people here read them.

use jiff::tz::TimeZone;
use jiff::{Timestamp, civil::Date};

/// The day of something, seen from now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Day {
    Today,
    Yesterday,
    Other { year: i16, month: i8, day: i8 },
}

fn local(at: u64) -> jiff::ZonedDateTime {
    let at = i64::try_from(at).ok();
    let at = at.and_then(|at| Timestamp::from_millisecond(at).ok());
    at.unwrap_or_default().to_zoned_datetime(TimeZone::system())
}

fn day_from(date: Date, today: Date) -> Day {
    if date == today {
        Day::Today
    } else if date.tomorrow().is_ok_and(|next| next == today) {
        Day::Yesterday
    } else {
        Day::Other {
            year: date.year(),
            month: date.month(),
            day: date.day(),
        }
    }
}

/// Of milliseconds since 1970.
pub fn day(at: u64) -> Day {
    let today = Timestamp::now().to_zoned_datetime(TimeZone::system());
    day_from(local(at).date(), today.date())
}

/// `14:02`, of milliseconds since 1970.
pub fn time(at: u64) -> String {
    local(at).strftime("%H:%M").to_string()
}

/// `2026-03-04 14.02.31`, as part of a file's name on any disk.
pub fn stamp() -> String {
    let now = Timestamp::now().to_zoned_datetime(TimeZone::system());
    now.strftime("%Y-%m-%d %H.%M.%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_told_from_today() {
        let date = |day| jiff::civil::date(2026, 3, day);
        assert_eq!(day_from(date(2), date(2)), Day::Today);
        assert_eq!(day_from(date(1), date(2)), Day::Yesterday);
        let other = Day::Other {
            year: 2026,
            month: 3,
            day: 3,
        };
        assert_eq!(day_from(date(3), date(2)), other);
        // A peer's or a disk's number is no reason to fall.
        let _ = (time(u64::MAX), day(u64::MAX));
    }
}
