//! The line of a request: the same, told by an event and written in one pass.

#![expect(clippy::disallowed_methods, reason = "a test keeps what it saw")]

use std::sync::Mutex;

use waystation_core::{GenerationId, UnixMs};

use super::*;
use crate::{log_line::JsonLines, log_writer};

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

fn entries() -> [Entry; 3] {
    let id = GenerationId::new(1_795_745_676_787, 7);
    let empty = Entry::new(id, UnixMs::new(1_795_745_676_787), "a \"name\"\n".into());
    let mut served = empty.clone();
    served.requested = "acme/fast:floor".into();
    served.request_id = Some("req-\"1\"\u{1f980}".into());
    served.key = Some("a \\ key".into());
    served.model = "acme/fast".parse().ok();
    served.endpoint = "acme/fast|one".parse().ok();
    served.router = "openrouter/auto".parse().ok();
    served.streamed = true;
    served.usage.prompt = waystation_core::Tokens::new(7);
    served.total = Some(Usd::from_femtos(1_500_000_000));
    served.spent.fee = Usd::from_femtos(1);
    served.seed = u64::MAX;
    served.finish = Some(FinishReason::Length);
    served.latency = Some(Duration::from_millis(80));
    served.generation_time = Some(Duration::from_secs(2));
    let mut failed = empty.clone();
    failed.requested = "acme/fast".into();
    failed.model = "acme/fast".parse().ok();
    failed.error = Some(ErrorType::Timeout);
    (failed.cancelled, failed.simulated) = (true, true);
    [empty, served, failed]
}

/// The line without its time, which is its first member.
fn timeless(line: &str) -> &str {
    line.split_once(',').unwrap().1
}

#[test]
fn a_line_that_is_written_is_the_line_of_the_event() {
    for entry in entries() {
        let written = Written::default();
        let to = written.clone();
        let log = tracing_subscriber::fmt()
            .event_format(JsonLines)
            .with_writer(move || to.clone())
            .finish();
        tracing::subscriber::with_default(log, || {
            assert!(!log_line::is_the_log(), "lines would go elsewhere");
            super::log(&entry);
        });
        let told = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let mut line = Vec::new();
        log_line::fill(&mut line, Level::INFO, |line| write(&entry, line));
        let line = String::from_utf8(line).unwrap();
        assert_eq!(timeless(&line), timeless(&told));
    }
}

#[test]
fn the_programs_own_log_is_known_and_its_filter_counts() {
    let log = |filter: &str| {
        tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
            .with_writer(log_writer::Lines)
            .event_format(JsonLines)
            .finish()
    };
    let kept = |filter: &str| {
        let [_, served, _] = entries();
        std::thread::spawn({
            let log = log(filter);
            move || {
                tracing::subscriber::with_default(log, || {
                    assert!(log_line::is_the_log());
                    log_writer::keep();
                    super::log(&served);
                    log_writer::taken()
                })
            }
        })
        .join()
        .unwrap()
    };
    assert_eq!(kept("warn"), b"");
    assert_eq!(kept("info,waystation_server::telemetry=error"), b"");
    assert_eq!(kept("off,[{cost}]=info").len(), kept("info").len());
    let line = String::from_utf8(kept("info")).unwrap();
    assert!(
        line.contains(r#""message":"request","generation":"gen-"#),
        "{line}"
    );
    assert!(
        line.ends_with("\"target\":\"waystation_server::telemetry\"}\n"),
        "{line}"
    );
}
