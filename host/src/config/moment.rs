//! Moments as people write them: `2026-01-01T00:00:00Z` (RFC 3339).

use std::fmt::Write;
use std::time::Duration;

use toml::value::{Datetime, Offset};

const SECONDS_A_DAY: i64 = 86_400;

/// How long after the Unix epoch that is; none if it is before, or names no time zone.
pub(super) fn parse(text: &str) -> Option<Duration> {
    text.trim().parse().ok().and_then(|written| since_epoch(&written))
}

/// The same of a moment that TOML has read.
pub(super) fn since_epoch(written: &Datetime) -> Option<Duration> {
    let (date, time) = (written.date?, written.time?);
    let minutes = match written.offset? {
        Offset::Z => 0,
        Offset::Custom { minutes } => i64::from(minutes),
    };
    let days = days(i64::from(date.year), i64::from(date.month), i64::from(date.day));
    let seconds = i64::from(time.hour) * 3_600 + i64::from(time.minute) * 60 + i64::from(time.second.unwrap_or(0));
    let seconds = days * SECONDS_A_DAY + seconds - minutes * 60;
    Some(Duration::new(u64::try_from(seconds).ok()?, time.nanosecond.unwrap_or(0)))
}

/// A moment so long after the Unix epoch, in UTC.
#[must_use]
pub fn show_moment(since: Duration) -> String {
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    let (year, month, day) = date(seconds / SECONDS_A_DAY);
    let rest = seconds % SECONDS_A_DAY;
    let mut text = format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}", rest / 3_600, rest / 60 % 60, rest % 60);
    if since.subsec_millis() > 0 {
        // A string takes what is written to it.
        let _ = write!(text, ".{:03}", since.subsec_millis());
    }
    text + "Z"
}

/// Days from the Unix epoch to a date of the Gregorian calendar. Years begin with March here, so that the leap day is the last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, month) = (year.div_euclid(400), (month + 9) % 12);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_counted_from_the_epoch() {
        assert_eq!(parse("1970-01-01T00:00:00Z"), Some(Duration::ZERO));
        assert_eq!(parse("2026-01-01T00:00:00Z"), Some(Duration::from_secs(1_767_225_600)));
        assert_eq!(parse("2026-01-01T01:00:00+01:00"), parse("2026-01-01T00:00:00Z"));
        assert_eq!(parse("2024-02-29T12:00:00.5Z"), Some(Duration::from_millis(1_709_208_000_500)));
        for wrong in ["2026-01-01", "2026-01-01T00:00:00", "noon", "1969-12-31T23:59:59Z", "2026-02-30T00:00:00Z"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_day_is_written_as_it_is_read() {
        for day in (0..60_000).step_by(13) {
            let moment = Duration::from_secs(day * 86_400 + 12_345);
            assert_eq!(parse(&show_moment(moment)), Some(moment), "day {day}");
        }
        assert_eq!(show_moment(Duration::from_millis(1_709_208_000_500)), "2024-02-29T12:00:00.500Z");
    }
}
