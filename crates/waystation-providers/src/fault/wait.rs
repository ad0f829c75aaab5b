//! How long an upstream asks to be left alone: from headers, from the body, from its words. No clock is
//! read: times are taken against the reply's own `date`.
//!
//! | of the reply | read as |
//! |---|---|
//! | `retry-after-ms`, `retry-after` | milliseconds; seconds, or a date (RFC 9110, section 10.2.3) |
//! | `details[].retryDelay` of the body | `31s` |
//! | "try again in …" of its words | `1m2.5s` |
//! | headers with `ratelimit` and `reset` in their name | the rest of the longest period whose `remaining` beside it is 0, or not there: `6m0s`, seconds, a time of RFC 3339, seconds or milliseconds since 1970 |

use std::time::Duration;

use waystation_core::{Date, ErrorType, Headers, Json, ReplyHead, UnixMs};

/// The longest wait that is believed, in milliseconds.
const DAY: u64 = 86_400_000;

/// The wait that a failure asks for: a header's at any failure, the body's and the words' only
/// where waiting helps, since "try again" is said of other things too.
pub(super) fn of(
    head: Option<&ReplyHead>,
    body: &[u8],
    message: &str,
    kind: ErrorType,
) -> Option<Duration> {
    if let Some(wait) = head.and_then(|head| retry_after(&head.headers)) {
        return Some(wait);
    }
    if !matches!(
        kind,
        ErrorType::RateLimitExceeded | ErrorType::ProviderOverloaded
    ) {
        return None;
    }
    let limits = || used_up(&head?.headers);
    detailed(body).or_else(|| told(message)).or_else(limits)
}

/// `retry-after-ms`, else `retry-after` in seconds or as a date.
fn retry_after(headers: &Headers) -> Option<Duration> {
    if let Some(millis) = text(headers, "retry-after-ms").and_then(|text| in_millis(text, 1)) {
        return Some(Duration::from_millis(millis));
    }
    let after = text(headers, "retry-after")?;
    let millis = in_millis(after, 1_000).or_else(|| {
        let till = http_date(after)?;
        Some(till.get().saturating_sub(date(headers)?.get()).min(DAY))
    });
    millis.map(Duration::from_millis)
}

/// What is left of the longest period whose limit is used up.
fn used_up(headers: &Headers) -> Option<Duration> {
    let waits = headers.iter().filter_map(|(name, _)| {
        let name = name.as_str();
        if !name.contains("ratelimit") || !name.contains("reset") {
            return None;
        }
        let remaining = text(headers, &name.replace("reset", "remaining"));
        let used_up = remaining.is_none_or(|left| left.trim() == "0");
        rest(text(headers, name)?, headers).filter(|wait| used_up && !wait.is_zero())
    });
    waits.max()
}

/// How long it is until a period ends, which is told as a duration or as a time.
fn rest(told: &str, headers: &Headers) -> Option<Duration> {
    /// From here up a number is a time, and from there up one in milliseconds.
    const TIMES: (u64, u64) = (1_000_000_000, 1_000_000_000_000);
    let told = told.trim();
    let number = told.parse::<u64>().ok();
    let till = match number {
        Some(number) if number >= TIMES.1 => Some(UnixMs::new(number)),
        Some(number) if number >= TIMES.0 => Some(UnixMs::new(number * 1_000)),
        _ => UnixMs::from_rfc3339(told),
    };
    if let Some(till) = till {
        let left = till.get().saturating_sub(date(headers)?.get());
        return Some(Duration::from_millis(left.min(DAY)));
    }
    let seconds = in_millis(told, 1_000).map(Duration::from_millis);
    seconds.or_else(|| spelled(told))
}

fn text<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// When the reply was made, by its own word.
fn date(headers: &Headers) -> Option<UnixMs> {
    http_date(text(headers, "date")?)
}

/// A time as `Sun, 06 Nov 1994 08:49:37 GMT`. Source: RFC 9110, section 5.6.7.
fn http_date(text: &str) -> Option<UnixMs> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (_, rest) = text.split_once(", ")?;
    let mut parts = rest.strip_suffix(" GMT")?.split(' ');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS.iter().position(|known| *known == month)? + 1;
    let date = Date::new(
        year.parse().ok()?,
        u8::try_from(month).ok()?,
        day.parse().ok()?,
    )?;
    UnixMs::from_rfc3339(&format!("{date}T{}Z", parts.next()?))
}

/// Google's `details[].retryDelay`: `"31s"`.
fn detailed(body: &[u8]) -> Option<Duration> {
    let json = Json::parse(body).ok()?;
    let root = json.elements().next().unwrap_or(json);
    let details = root.at(&["error", "details"])?;
    let delay = details
        .elements()
        .find_map(|detail| detail.get("retryDelay"))?;
    spelled(&delay.string()?)
}

/// "Please try again in 1m2.5s".
fn told(message: &str) -> Option<Duration> {
    let (_, behind) = message.split_once("try again in ")?;
    spelled(behind)
}

/// The duration at the start of `text`: `7.66s`, `1m2.5s`, `500ms`, `20 seconds`.
fn spelled(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut millis = 0_u64;
    let mut found = false;
    loop {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, behind) = rest.split_at_checked(digits)?;
        let behind = behind.trim_start();
        let letters = behind
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(behind.len());
        let (unit, behind) = behind.split_at_checked(letters)?;
        let scale = match unit {
            "ms" | "milliseconds" => 1,
            "s" | "second" | "seconds" => 1_000,
            "m" | "min" | "minute" | "minutes" => 60_000,
            "h" | "hour" | "hours" => 3_600_000,
            _ => break,
        };
        let Some(part) = in_millis(number, scale) else {
            break;
        };
        (millis, found, rest) = (millis.saturating_add(part), true, behind);
    }
    found.then(|| Duration::from_millis(millis))
}

/// A decimal number of units of `scale` milliseconds, in milliseconds, rounded up; at most a day.
fn in_millis(text: &str, scale: u64) -> Option<u64> {
    let text = text.trim().trim_end_matches('.');
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let thousandths: u64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let part = thousandths.saturating_mul(scale).div_ceil(1_000);
    Some(whole.saturating_mul(scale).saturating_add(part).min(DAY))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, StatusCode};

    use super::*;

    const NOW: (&str, &str) = ("date", "Fri, 27 Nov 2026 09:00:00 GMT");

    /// The wait of a refusal with these headers, in milliseconds.
    fn wait(headers: &[(&str, &str)]) -> Option<u128> {
        let pairs = headers.iter().map(|(name, value)| {
            let name: HeaderName = name.parse().unwrap();
            (name, value.parse().unwrap())
        });
        let head = ReplyHead {
            status: StatusCode::TOO_MANY_REQUESTS,
            headers: pairs.collect(),
        };
        let wait = of(Some(&head), b"", "", ErrorType::RateLimitExceeded);
        wait.map(|wait| wait.as_millis())
    }

    #[test]
    fn retry_after_is_a_number_or_a_date() {
        let date = "Fri, 27 Nov 2026 09:00:30 GMT";
        for (headers, expected) in [
            (vec![("retry-after", "7")], Some(7_000)),
            (vec![("retry-after", "0.25")], Some(250)),
            (
                vec![("retry-after-ms", "40"), ("retry-after", "7")],
                Some(40),
            ),
            (vec![("retry-after", date), NOW], Some(30_000)),
            (vec![("retry-after", NOW.1), ("date", date)], Some(0)),
            (vec![("retry-after", date)], None),
            (vec![("retry-after", "soon"), NOW], None),
            (
                vec![("retry-after", "Fri, 31 Feb 2026 09:00:30 GMT"), NOW],
                None,
            ),
        ] {
            assert_eq!(wait(&headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn a_limit_that_is_used_up_says_when_its_period_ends() {
        let requests = ("x-ratelimit-reset-requests", "6m0s");
        let tokens = ("x-ratelimit-reset-tokens", "34ms");
        let none_left = ("x-ratelimit-remaining-tokens", "0");
        let some_left = ("x-ratelimit-remaining-requests", "249");
        for (headers, expected) in [
            (vec![requests, some_left, tokens, none_left], Some(34)),
            (vec![requests, tokens], Some(360_000)),
            (vec![requests, some_left], None),
            (vec![("x-ratelimit-reset-tokens", "0s"), none_left], None),
            (
                vec![("ratelimit-reset", "12"), ("ratelimit-remaining", "0")],
                Some(12_000),
            ),
            (
                vec![
                    ("acme-ratelimit-tokens-reset", "2026-11-27T09:00:20Z"),
                    ("acme-ratelimit-tokens-remaining", "0"),
                    NOW,
                ],
                Some(20_000),
            ),
            (
                vec![("x-ratelimit-reset", "1795770005000"), NOW],
                Some(5_000),
            ),
            (vec![("x-ratelimit-reset", "1795770005"), NOW], Some(5_000)),
            (vec![("x-ratelimit-reset", "1795770005")], None),
            (vec![requests, ("retry-after", "1")], Some(1_000)),
            (vec![("x-ratelimit-limit-requests", "30000"), NOW], None),
        ] {
            assert_eq!(wait(&headers), expected, "{headers:?}");
        }
    }
}
