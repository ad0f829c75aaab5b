//! Log lines as JSON: one flat object a line, written straight from the event's fields, or by whoever
//! has much to say (`write`). Made for events only; this program opens no spans. Where lines go is the
//! caller's, and for what is written without an event `log_writer.rs`'s.

use std::{
    cell::Cell,
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};
use waystation_core::{Date, ObjectWriter};

use crate::log_writer;

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
        let metadata = event.metadata();
        fill(&mut line, *metadata.level(), |object| {
            event.record(&mut Fields(object));
            object.string("target", metadata.target());
        });
        // Everything in it was text, and finding that so is quick.
        match std::str::from_utf8(&line) {
            Ok(line) => writer.write_str(line),
            Err(_) => writer.write_str(&String::from_utf8_lossy(&line)),
        }
    }
}

/// Whether the log is of such lines, and they go where [`write`] writes: what another log shall tell has
/// to be an event.
pub(crate) fn is_the_log() -> bool {
    tracing::dispatcher::get_default(|log| log.is::<JsonLines>() && log.is::<log_writer::Lines>())
}

/// Writes a line as an event with these fields would be, without one: an event's fields are a call
/// each, through four layers. The caller asks before whether the log wants it, and writes its own
/// target behind the fields.
pub(crate) fn write(level: Level, fields: impl Fn(&mut ObjectWriter<'_>)) {
    log_writer::write(|line| fill(line, level, &fields));
}

/// Appends a line of a time, a level and what `fields` writes.
pub(crate) fn fill(line: &mut Vec<u8>, level: Level, fields: impl FnOnce(&mut ObjectWriter<'_>)) {
    let mut object = ObjectWriter::open(line);
    let time = object.key("timestamp");
    time.push(b'"');
    write_time(now(), time);
    time.push(b'"');
    object.plain("level", level.as_str());
    fields(&mut object);
    object.close();
    line.push(b'\n');
}

#[expect(
    clippy::disallowed_methods,
    reason = "a log line tells the wall time, whatever clock requests are told"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

thread_local! {
    /// The last second that this thread told, and how: lines come many to a second.
    static SECOND: Cell<(u64, [u8; SECOND_LENGTH])> = const { Cell::new((0, *b"1970-01-01T00:00:00.")) };
}

/// Of a second's text, with the point behind it.
const SECOND_LENGTH: usize = 20;

/// Appends a time in UTC, to the microsecond. What is before 1970 is told as its beginning.
fn write_time(time: SystemTime, out: &mut Vec<u8>) {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, micros) = (since.as_secs(), since.subsec_micros());
    let (told, mut text) = SECOND.get();
    if told != seconds {
        text = second(seconds);
        SECOND.set((seconds, text));
    }
    out.extend_from_slice(&text);
    let [[a, b], [c, d], [e, f]] = [micros / 10_000, micros / 100 % 100, micros % 100].map(two);
    out.extend_from_slice(&[a, b, c, d, e, f, b'Z']);
}

/// A second in UTC, and a point.
fn second(seconds: u64) -> [u8; SECOND_LENGTH] {
    let date = Date::of_seconds(seconds);
    let clock = seconds % 86_400;
    let short = |value: u64| u32::try_from(value).unwrap_or_default();
    let year = u32::try_from(date.year()).unwrap_or_default();
    let (month, day) = (date.month().into(), date.day().into());
    let [[c, d], [y, z], [m, n], [d1, d2]] = [year / 100, year % 100, month, day].map(two);
    let [[h, i], [j, k], [s, t]] =
        [clock / 3_600, clock / 60 % 60, clock % 60].map(|v| two(short(v)));
    [
        c, d, y, z, b'-', m, n, b'-', d1, d2, b'T', h, i, b':', j, k, b':', s, t, b'.',
    ]
}

/// The last two digits.
fn two(value: u32) -> [u8; 2] {
    let digit = |value: u32| b'0' + u8::try_from(value % 10).unwrap_or_default();
    [digit(value / 10), digit(value)]
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
#[expect(clippy::disallowed_methods, reason = "a test keeps what it saw")]
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
