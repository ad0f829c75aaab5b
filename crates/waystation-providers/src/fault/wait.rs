//! How long an upstream asks to be left alone: from headers, from the body, from its words. Only
//! durations are read; a date would need a clock.

use std::time::Duration;

use http::HeaderMap;
use waystation_core::{ErrorType, Json, ReplyHead};

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
    detailed(body).or_else(|| told(message))
}

/// `retry-after-ms`, else `retry-after` in seconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let millis = text("retry-after-ms").and_then(|text| in_millis(text, 1));
    millis
        .or_else(|| text("retry-after").and_then(|text| in_millis(text, 1_000)))
        .map(Duration::from_millis)
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
    const DAY: u64 = 86_400_000;
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
