//! Log lines as JSON: one flat object a line, written straight from the event's fields. Made for events
//! only; this program opens no spans. Where lines go is the caller's.

use std::fmt;

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    registry::LookupSpan,
};
use waystation_core::ObjectWriter;

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
        let mut time = String::with_capacity(32);
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let mut line = Vec::with_capacity(768);
        let mut object = ObjectWriter::open(&mut line);
        object
            .string("timestamp", &time)
            .string("level", event.metadata().level().as_str());
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
    use std::sync::{Arc, Mutex};

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
