//! Dates as people and models read them, in any time zone. Reads no clock and no zone files of the
//! machine: the zones are built in.

use jiff::{Timestamp, ZonedDateTime, tz::TimeZone};
use waystation_core::UnixMs;

/// `2026-11-22`, in UTC.
pub(crate) fn date(at: UnixMs) -> String {
    moment(at, TimeZone::UTC).date().to_string()
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
    fn dates_are_told_in_utc() {
        let at = UnixMs::new(1_784_000_000_000);
        assert_eq!(date(at), "2026-07-14");
        assert!(date(UnixMs::new(u64::MAX)).starts_with("9999"));
    }
}
