//! Dates as people and models read them, in any time zone. Reads no clock and no zone files of the
//! machine: the zones are built in.

use jiff::{Timestamp, ZonedDateTime, tz::TimeZone};
use waystation_core::UnixMs;

/// `2026-11-22`, in UTC.
pub(crate) fn date(at: UnixMs) -> String {
    moment(at, TimeZone::UTC).date().to_string()
}

/// `2026-11-22T09:30:00+01:00`, in the zone of this name; `None` where there is no such zone.
pub(crate) fn in_zone(at: UnixMs, zone: &str) -> Option<String> {
    let zone = TimeZone::get(zone).ok()?;
    let moment = moment(at, zone);
    Some(moment.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
}

fn moment(at: UnixMs, zone: TimeZone) -> ZonedDateTime {
    let ms = i64::try_from(at.get()).unwrap_or(i64::MAX);
    let timestamp = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX);
    timestamp.to_zoned_datetime(zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_have_their_offsets_and_summers() {
        let at = UnixMs::new(1_784_000_000_000);
        assert_eq!(date(at), "2026-07-14");
        let told = |zone| in_zone(at, zone).unwrap_or_default();
        assert_eq!(told("UTC"), "2026-07-14T03:33:20+00:00");
        assert_eq!(told("Europe/Zurich"), "2026-07-14T05:33:20+02:00");
        assert_eq!(told("Asia/Kathmandu"), "2026-07-14T09:18:20+05:45");
        assert_eq!(in_zone(at, "Mars/Olympus"), None);
        assert!(date(UnixMs::new(u64::MAX)).starts_with("9999"));
    }
}
