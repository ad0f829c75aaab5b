//! Log lines as JSON: one flat object a line, written straight from the event's fields. Made for events
//! only; this program opens no spans. Where lines go is the caller's.

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};
use waystation_core::{Date, ObjectWriter};

/// Writes `{"timestamp", "level", ...the event's fields, "target"}`.
#[derive(Clone, Copy, Debug, Default)]
pub struct JsonLines;

/// The fields of one event, into one object.
struct Fields<'a, 'b>(&'a mut ObjectWriter<'b>);

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Vec::with_capacity(768);
        let mut object = ObjectWriter::open(&mut line);
        let time = object.key("timestamp");
        time.push(b'"');
        write_time(now(), time);
        time.push(b'"');
        object.string("level", event.metadata().level().as_str());
        event.record(&mut Fields(&mut object));
        object.string("target", event.metadata().target());
        object.close();
        line.push(b'\n');
        // Everything in it was text, and finding that so is quick.
        match std::str::from_utf8(&line) {
            Ok(line) => writer.write_str(line),
            Err(_) => writer.write_str(&String::from_utf8_lossy(&line)),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a log line tells the wall time, whatever clock requests are told"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

/// Appends a time in UTC, to the microsecond. What is before 1970 is told as its beginning.
fn write_time(time: SystemTime, out: &mut Vec<u8>) {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, micros) = (since.as_secs(), since.subsec_micros());
    let date = Date::of_seconds(seconds);
    let year = u64::try_from(date.year()).unwrap_or_default();
    let clock = seconds % 86_400;
    let digits = |value: u64, count: u32, out: &mut Vec<u8>| {
        for place in (0..count).rev() {
            let digit = value / 10_u64.pow(place) % 10;
            out.push(b'0' + u8::try_from(digit).unwrap_or_default());
        }
    };
    let parts = [
        (year, 4, b'-'),
        (date.month().into(), 2, b'-'),
        (date.day().into(), 2, b'T'),
        (clock / 3_600, 2, b':'),
        (clock / 60 % 60, 2, b':'),
        (clock % 60, 2, b'.'),
        (micros.into(), 6, b'Z'),
    ];
    for (value, count, behind) in parts {
        digits(value, count, out);
        out.push(behind);
    }
}

impl Visit for Fields<'_, '_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.string(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.number(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.raw(field.name(), value.to_string().as_bytes());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.bool(field.name(), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.0.raw(field.name(), value.to_string().as_bytes());
        } else {
            self.0.null(field.name());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.string(field.name(), &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, Mutex},
        time::Duration,
    };

    use super::*;

    /// What was written.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn times_are_told_as_the_logs_library_tells_them() {
        use tracing_subscriber::fmt::time::FormatTime as _;
        let told = |seconds: u64, micros: u64| {
            let mut out = Vec::new();
            let since = Duration::from_secs(seconds) + Duration::from_micros(micros);
            write_time(UNIX_EPOCH + since, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(told(0, 0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(told(951_782_399, 7), "2000-02-28T23:59:59.000007Z");
        assert_eq!(told(951_782_400, 999_999), "2000-02-29T00:00:00.999999Z");
        assert_eq!(told(951_868_800, 0), "2000-03-01T00:00:00.000000Z");
        assert_eq!(told(4_107_542_400, 0), "2100-03-01T00:00:00.000000Z");
        let mut theirs = String::new();
        tracing_subscriber::fmt::time::SystemTime
            .format_time(&mut Writer::new(&mut theirs))
            .unwrap();
        let shape = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "0");
        assert_eq!(shape(&theirs), shape(&told(0, 0)));
    }

    #[test]
    fn a_line_is_one_flat_object_of_its_fields() {
        let written = Written::default();
        let to = written.clone();
        let log = tracing_subscriber::fmt()
            .event_format(JsonLines)
            .with_writer(move || to.clone())
            .finish();
        tracing::subscriber::with_default(log, || {
            let absent: Option<&str> = None;
            tracing::info!(
                key = "a\"b\n",
                absent,
                count = 7_u64,
                less = -2_i64,
                share = 0.5,
                on = true,
                "said {}",
                1
            );
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        assert!(text.ends_with("}\n") && text.lines().count() == 1, "{text}");
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["message"], "said 1");
        assert_eq!(line["key"], "a\"b\n");
        assert_eq!((&line["count"], &line["less"]), (&7.into(), &(-2).into()));
        assert_eq!((&line["share"], &line["on"]), (&0.5.into(), &true.into()));
        assert!(line.get("absent").is_none(), "{text}");
        assert_eq!(line["target"], "waystation_server::log_line::tests");
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'), "{text}");
    }
}
