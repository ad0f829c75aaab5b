//! One request and everything that can be seen of it from outside: what the client got, whom the
//! gateway asked, how long it took, and what the record says. What is not well-formed fails here.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::time::Instant;
use waystation_server::{app::App, config::Resolved};
use waystation_sim::{ReplayTransport, TokioClock};
use waystation_tests::{Event, Setup, Station, Streamed, Whole, ask};

/// What the client got.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seen {
    /// One complete answer.
    Answer {
        provider: String,
        text: String,
        finish: String,
    },
    /// A part of an answer, then one error in band.
    Broken {
        provider: String,
        text: String,
        kind: String,
    },
    /// No answer, one error: as a status, or in band when comments had gone out before.
    Error {
        status: u64,
        kind: String,
        in_band: bool,
    },
}

/// One request, seen from all sides.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) seen: Seen,
    /// The hosts that were asked, a letter each.
    pub(crate) asked: String,
    pub(crate) took: Duration,
    pub(crate) comments: usize,
    /// `error`, where there is one.
    pub(crate) error: Value,
    pub(crate) usage: Value,
    pub(crate) retry_after: Option<u64>,
    pub(crate) record: Value,
    /// `openrouter_metadata`, where there is one.
    pub(crate) metadata: Value,
    /// The body as it came.
    pub(crate) body: String,
}

/// A station with the mock providers. Hundreds are needed, so their configuration is read once.
pub(crate) fn station(upstream: ReplayTransport) -> Station {
    static MOCKS: OnceLock<Resolved> = OnceLock::new();
    let resolved = MOCKS.get_or_init(|| Setup::mocks().resolve().expect("a configuration"));
    let upstream = Arc::new(upstream);
    let transport = Arc::<ReplayTransport>::clone(&upstream);
    let app = App::with_clock(resolved.clone(), transport, Arc::new(TokioClock::new()));
    Station::new(app, upstream)
}

/// The same, where A, B and C are known to go on from given words.
pub(crate) fn going_on(upstream: ReplayTransport) -> Station {
    static MOCKS: OnceLock<Resolved> = OnceLock::new();
    let resolved = MOCKS.get_or_init(|| {
        let quirks = ["a", "b", "c"]
            .map(|slug| format!("[providers.{slug}]\nquirks = {{ prefill = 'plain' }}\n"));
        let setup = Setup::mocks().config(&quirks.concat());
        setup.resolve().expect("a configuration")
    });
    let upstream = Arc::new(upstream);
    let transport = Arc::<ReplayTransport>::clone(&upstream);
    let app = App::with_clock(resolved.clone(), transport, Arc::new(TokioClock::new()));
    Station::new(app, upstream)
}

/// Asks M with these members, streamed or whole, and looks at everything.
pub(crate) async fn exchange(station: &Station, streamed: bool, more: Value) -> Exchange {
    let (begin, before) = (Instant::now(), station.upstream().calls());
    let body = ask(more);
    let (mut exchange, id) = if streamed {
        of_stream(&station.stream(body).await)
    } else {
        of_whole(&station.chat(body).await)
    };
    exchange.took = begin.elapsed();
    exchange.asked = station.asked().split_off(before).concat();
    exchange.record = station.record(&id).await;
    assert_eq!(
        station.upstream().open(),
        0,
        "an upstream is still held: {exchange:?}"
    );
    exchange.check_record();
    exchange
}

fn of_whole(got: &Whole) -> (Exchange, String) {
    let id = got.header("x-generation-id").expect("an id").to_owned();
    let json = got.json();
    let seen = if got.status == 200 {
        assert_eq!(json["id"], id.as_str());
        assert_eq!(json["object"], "chat.completion");
        assert!(json.get("error").is_none(), "{json}");
        let choice = &json["choices"][0];
        Seen::Answer {
            provider: text(&json["provider"]),
            text: text(&choice["message"]["content"]),
            finish: text(&choice["finish_reason"]),
        }
    } else {
        refused(&got.error(got.status), false)
    };
    let exchange = Exchange::new(seen, &json, wait(got.header("retry-after")), got.text());
    (exchange, id)
}

fn of_stream(got: &Streamed) -> (Exchange, String) {
    let id = got.header("x-generation-id").expect("an id").to_owned();
    let wait = wait(got.header("retry-after"));
    if got.status != 200 {
        let json: Value = serde_json::from_slice(&got.body).expect("JSON");
        assert_eq!(json["error"]["code"], got.status, "{json}");
        let seen = refused(&json["error"], false);
        return (Exchange::new(seen, &json, wait, &got.text()), id);
    }
    let chunks = got.chunks();
    for chunk in &chunks {
        assert_eq!(chunk["object"], "chat.completion.chunk", "{chunk}");
        for key in ["id", "model", "created"] {
            assert_eq!(chunk[key], chunks[0][key], "{key} changes: {chunk}");
        }
        assert_eq!(chunk["id"], id.as_str());
    }
    let last = chunks.last().expect("a chunk");
    let mut providers: Vec<&Value> = chunks.iter().map(|chunk| &chunk["provider"]).collect();
    providers.dedup();
    let seams = last["openrouter_metadata"]["continued_from"].as_array();
    let seams = seams.map_or(0, Vec::len);
    let told = providers.len() <= 1 + seams;
    assert!(
        told,
        "another provider, and nothing says so: {}",
        got.text()
    );
    let errors = chunks
        .iter()
        .filter(|chunk| chunk.get("error").is_some())
        .count();
    let reasons: Vec<&Value> = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"].get(0))
        .map(|choice| &choice["finish_reason"])
        .filter(|reason| !reason.is_null())
        .collect();
    assert_eq!(reasons.len(), 1, "one finish reason: {}", got.text());
    let said = got.content();
    let seen = if errors == 0 {
        assert_eq!(last["choices"], json!([]), "the usage is last: {last}");
        Seen::Answer {
            provider: text(&last["provider"]),
            text: said,
            finish: text(reasons[0]),
        }
    } else {
        assert!(errors == 1 && last.get("error").is_some(), "{}", got.text());
        assert_eq!(last["choices"][0]["finish_reason"], "error");
        assert_eq!(last["choices"][0]["delta"]["content"], "");
        if chunks.len() == 1 {
            refused(&last["error"], true)
        } else {
            Seen::Broken {
                provider: text(&last["provider"]),
                text: said,
                kind: text(&last["error"]["metadata"]["error_type"]),
            }
        }
    };
    let mut exchange = Exchange::new(seen, last, wait, &got.text());
    exchange.comments = got
        .events
        .iter()
        .filter(|e| matches!(e, Event::Comment(_)))
        .count();
    (exchange, id)
}

/// An error object that must be complete.
fn refused(error: &Value, in_band: bool) -> Seen {
    assert!(!text(&error["message"]).is_empty(), "{error}");
    assert_eq!(
        error["error_type"], error["metadata"]["error_type"],
        "{error}"
    );
    assert_eq!(error["http_status"], error["code"], "{error}");
    Seen::Error {
        status: error["code"].as_u64().expect("a status"),
        kind: text(&error["error_type"]),
        in_band,
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn wait(header: Option<&str>) -> Option<u64> {
    header.map(|seconds| seconds.parse().expect("seconds"))
}

// === impl Exchange ===

impl Exchange {
    fn new(seen: Seen, json: &Value, retry_after: Option<u64>, body: &str) -> Self {
        Self {
            seen,
            asked: String::new(),
            took: Duration::ZERO,
            comments: 0,
            error: json["error"].clone(),
            usage: json["usage"].clone(),
            retry_after,
            record: Value::Null,
            metadata: json["openrouter_metadata"].clone(),
            body: body.to_owned(),
        }
    }

    /// The statuses of `previous_errors`.
    pub(crate) fn failures(&self) -> Vec<u64> {
        let list = self.error["metadata"]["previous_errors"].as_array();
        let status = |failure: &Value| failure["code"].as_u64().expect("a status");
        list.into_iter().flatten().map(status).collect()
    }

    /// The record agrees with what the client saw and with what was asked.
    fn check_record(&self) {
        let record = &self.record;
        assert_eq!(record["cancelled"], false, "{record}");
        let attempts = record["provider_responses"].as_array().expect("a list");
        // A provider that is known to be limited is on the list without having been asked; the last
        // one was, when it has shown something.
        let (last, shown) = (attempts.len() - 1, !record["provider_name"].is_null());
        let known = |(at, attempt): &(usize, &Value)| {
            let limited = attempt["error_type"] == "rate_limit_exceeded";
            limited && attempt["status"].is_null() && !(shown && *at == last)
        };
        let made = attempts
            .iter()
            .enumerate()
            .filter(|attempt| !known(attempt))
            .count();
        assert_eq!(made, self.asked.len(), "{} {record}", self.asked);
        let (provider, kind, cost) = match &self.seen {
            Seen::Answer { provider, .. } => (json!(provider), Value::Null, &self.usage["cost"]),
            // An end in an error costs nothing: API contract, section 9.1.
            Seen::Broken { provider, kind, .. } => (json!(provider), json!(kind), &json!(0)),
            Seen::Error { kind, .. } => (Value::Null, json!(kind), &json!(0)),
        };
        assert_eq!(record["provider_name"], provider, "{record}");
        assert_eq!(record["error_type"], kind, "{record}");
        assert_eq!(&record["total_cost"], cost, "{record}");
        if let Seen::Broken { .. } = self.seen {
            assert_eq!(self.usage["cost"], 0, "{}", self.usage);
            assert!(record["tokens_completion"].as_u64() > Some(0), "{record}");
        }
    }
}
