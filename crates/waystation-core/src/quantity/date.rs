//! Days of the calendar: which day a number of days means, and which number a day is. Reads no clock,
//! knows no zones and no leap seconds.
//!
//! Years begin in March in the arithmetic, so that leap days stand at their end, and are counted in
//! eras of 400, which all have the same length. Source: Howard Hinnant, "chrono-Compatible Low-Level
//! Date Algorithms", `civil_from_days` and `days_from_civil`.

use std::{fmt, str::FromStr};

/// The days of 400 years.
const ERA: i64 = 146_097;
/// The days from 0000-03-01 to 1970-01-01.
const TO_UNIX: i64 = 719_468;

/// A day of the proleptic Gregorian calendar, such as `2026-11-22`. Only days that exist can be had.
///
/// ```
/// use waystation_core::Date;
///
/// let date: Date = "2024-02-29".parse()?;
/// assert_eq!((date.days(), Date::of_days(19_782)), (19_782, date));
/// assert!("2026-02-29".parse::<Date>().is_err());
/// # Ok::<(), waystation_core::ParseDateError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: i32,
    month: u8,
    day: u8,
}

/// A text is not `YYYY-MM-DD`, or no such day exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a date as YYYY-MM-DD")]
pub struct ParseDateError;

// === impl Date ===

impl Date {
    /// The day of this year, month (from 1) and day (from 1), where there is one.
    #[must_use]
    pub fn new(year: i32, month: u8, day: u8) -> Option<Self> {
        let date = Self { year, month, day };
        let days = i32::try_from(date.count()).ok()?;
        (Self::of_days(days) == date).then_some(date)
    }

    /// The day so many days after 1970-01-01, or before it.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "months, days and years of 32-bit days fit: a law"
    )]
    pub const fn of_days(days: i32) -> Self {
        let z = days as i64 + TO_UNIX;
        let (era, of_era) = (z.div_euclid(ERA), z.rem_euclid(ERA));
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let (month, next) = if shifted < 10 {
            (shifted + 3, 0)
        } else {
            (shifted - 9, 1)
        };
        Self {
            year: (year + era * 400 + next) as i32,
            month: month as u8,
            day: day as u8,
        }
    }

    /// The day of a time, in seconds since 1970. Times beyond all calendars are the last day there is.
    #[must_use]
    pub fn of_seconds(seconds: u64) -> Self {
        Self::of_days(i32::try_from(seconds / 86_400).unwrap_or(i32::MAX))
    }

    /// How many days it is after 1970-01-01; below zero before it.
    #[must_use]
    pub fn days(self) -> i32 {
        // Whatever way it was had, its number was of this kind.
        i32::try_from(self.count()).unwrap_or(i32::MAX)
    }

    /// Its midnight in seconds since 1970, where it is not before.
    #[must_use]
    pub fn seconds(self) -> Option<u64> {
        Some(u64::try_from(self.days()).ok()? * 86_400)
    }

    /// The year; year 0 is the one before year 1.
    #[must_use]
    pub const fn year(self) -> i32 {
        self.year
    }

    /// The month, from 1 to 12.
    #[must_use]
    pub const fn month(self) -> u8 {
        self.month
    }

    /// The day of the month, from 1 to 31.
    #[must_use]
    pub const fn day(self) -> u8 {
        self.day
    }

    fn count(self) -> i64 {
        let (month, day) = (i64::from(self.month), i64::from(self.day));
        let year = i64::from(self.year) - i64::from(month <= 2);
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        era * ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - TO_UNIX
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl FromStr for Date {
    type Err = ParseDateError;

    /// Reads `YYYY-MM-DD` with four digits of the year.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(3, '-');
        let mut number = |digits: usize| {
            let part = parts.next().filter(|part| part.len() == digits)?;
            let digits = part.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| part.parse::<u16>().ok()).flatten()
        };
        let read = (number(4), number(2), number(2));
        let (Some(year), Some(month), Some(day)) = read else {
            return Err(ParseDateError);
        };
        let small = |part: u16| u8::try_from(part).map_err(|_| ParseDateError);
        Self::new(i32::from(year), small(month)?, small(day)?).ok_or(ParseDateError)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_days_have_their_dates() {
        for (days, text) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (-25_567, "1900-01-01"),
            (11_016, "2000-02-29"),
            (20_779, "2026-11-22"),
            (47_541, "2100-03-01"),
            (2_932_896, "9999-12-31"),
        ] {
            assert_eq!(Date::of_days(days).to_string(), text);
            assert_eq!(text.parse::<Date>().unwrap().days(), days);
        }
        assert_eq!(Date::of_seconds(86_399).days(), 0);
        assert_eq!(Date::of_seconds(u64::MAX), Date::of_days(i32::MAX));
        assert_eq!(Date::of_days(-1).seconds(), None);
        for wrong in [
            "",
            "2026",
            "2026-1-01",
            "2026-13-01",
            "2026-00-10",
            "2026-02-30",
            "1900-02-29",
            "2026-01-01 ",
            "+026-01-01",
            "2026-01-0x",
        ] {
            assert_eq!(wrong.parse::<Date>(), Err(ParseDateError), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_day_is_its_number_and_its_number_is_the_day(days in any::<i32>()) {
            let date = Date::of_days(days);
            prop_assert_eq!(date.days(), days);
            prop_assert_eq!(Date::new(date.year(), date.month(), date.day()), Some(date));
        }

        /// The next day is the next of the month, or the first of the next month, and months are as
        /// long as the Gregorian rule says: written apart from the arithmetic above.
        #[test]
        fn days_follow_each_other(days in i32::MIN..i32::MAX) {
            let (date, next) = (Date::of_days(days), Date::of_days(days + 1));
            let (year, month) = (date.year(), date.month());
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                4 | 6 | 9 | 11 => 30,
                2 if leap => 29,
                2 => 28,
                _ => 31,
            };
            let expected = match (date.day() == length, month) {
                (false, _) => (year, month, date.day() + 1),
                (true, 12) => (year + 1, 1, 1),
                (true, _) => (year, month + 1, 1),
            };
            prop_assert_eq!((next.year(), next.month(), next.day()), expected);
            prop_assert!(date < next);
        }

        #[test]
        fn a_date_is_read_as_it_is_written(days in -719_528..=2_932_896) {
            let date = Date::of_days(days);
            prop_assert_eq!(date.to_string().parse::<Date>(), Ok(date));
        }

        #[test]
        fn only_days_that_exist_can_be_had(year in -9999..=9999, month in any::<u8>(), day in any::<u8>()) {
            if let Some(date) = Date::new(year, month, day) {
                prop_assert!((1..=12).contains(&month) && (1..=31).contains(&day));
                prop_assert_eq!((date.year(), date.month(), date.day()), (year, month, day));
            }
        }
    }
}
