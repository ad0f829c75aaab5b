//! Dates of spreadsheets: days since an epoch, shown as ISO 8601, with a time where there is one.
//!
//! There are two epochs: the usual one believes that 1900 was a leap year, for the sake of an older
//! program; that of 1904 comes from another machine. Zones are unknown to both.
//!
//! Source: ECMA-376, part 1, section 18.17.4.

use waystation_core::Date;

/// The days from 1899-12-30 to 1970-01-01.
const TO_UNIX: i64 = 25_569;

/// The days from 1899-12-30 to 1904-01-01.
const TO_1904: i64 = 1_462;

const SECONDS: i64 = 86_400;

/// Whether a number format shows dates or times: outside of quotes, brackets and escapes it speaks of
/// years, months, days, hours or seconds. `0 "days"` does not, `[h]:mm` does.
pub(super) fn is_format(code: &str) -> bool {
    let (mut quoted, mut bracket) = (false, false);
    let mut signs = code.chars();
    while let Some(sign) = signs.next() {
        match sign {
            '"' => quoted = !quoted,
            '\\' | '_' | '*' if !quoted => drop(signs.next()),
            '[' if !quoted => {
                // `[h]` counts hours; other brackets are colours, places and conditions.
                let inner: String = signs.clone().take_while(|sign| *sign != ']').collect();
                if matches!(
                    inner.to_ascii_lowercase().as_str(),
                    "h" | "hh" | "m" | "mm" | "s" | "ss"
                ) {
                    return true;
                }
                bracket = true;
            }
            ']' => bracket = false,
            'y' | 'Y' | 'd' | 'D' | 'h' | 'H' | 's' | 'S' | 'm' if !quoted && !bracket => {
                return !code.to_ascii_lowercase().starts_with("general");
            }
            _ => {}
        }
    }
    false
}

/// The date, the time or both that a number of days means; `None` for what is no date.
pub(super) fn from_serial(value: &str, from_1904: bool) -> Option<String> {
    let days: f64 = value.trim().parse().ok()?;
    if !(0.0..2_958_466.0).contains(&days) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
    let seconds = (days * 86_400.0).round() as i64;
    let (mut day, second) = (seconds.div_euclid(SECONDS), seconds.rem_euclid(SECONDS));
    let time = format!(
        "{:02}:{:02}:{:02}",
        second / 3600,
        second / 60 % 60,
        second % 60
    );
    if day == 0 && !from_1904 {
        return Some(time);
    }
    // Up to 1900-02-28 the first epoch counts a day less: it believes in 1900-02-29.
    if from_1904 {
        day += TO_1904;
    } else if day < 60 {
        day += 1;
    }
    let date = Date::of_days(i32::try_from(day - TO_UNIX).ok()?);
    Some(if second == 0 {
        date.to_string()
    } else {
        format!("{date} {time}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        let of = |value| from_serial(value, false).unwrap();
        assert_eq!(of("46025"), "2026-01-03");
        assert_eq!(of("60"), "1900-02-28");
        assert_eq!(of("61"), "1900-03-01");
        assert_eq!(of("1"), "1900-01-01");
        assert_eq!(of("46025.75"), "2026-01-03 18:00:00");
        assert_eq!(of("0.5"), "12:00:00");
        assert_eq!(from_serial("0", true).unwrap(), "1904-01-01");
        assert_eq!(from_serial("-1", false), None);
        assert_eq!(from_serial("1e300", false), None);
    }

    #[test]
    fn formats_of_dates_are_told_from_numbers() {
        for code in [
            "yyyy\\-mm\\-dd",
            "[h]:mm",
            "d. mmm yyyy",
            "mm:ss.0",
            "[$-409]m/d/yy",
        ] {
            assert!(is_format(code), "{code}");
        }
        for code in [
            "General",
            "0.00",
            "#,##0 \"days\"",
            "[Red]0",
            "0\\d",
            "[$USD] 0.00",
        ] {
            assert!(!is_format(code), "{code}");
        }
    }
}
