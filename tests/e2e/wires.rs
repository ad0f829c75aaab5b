//! The checklist's statements about requests and streams, held on every wire: what the native request
//! says, and what a client sees of replies that the simulator gives in each dialect and that are bent
//! on their way. What is only about the gateway's own language stands in `basics` and `streaming`.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::Method;
use serde_json::{Value, json};
use waystation_core::{HttpRequest, HttpStream, SendLimits, Transport, TransportError};
use waystation_sim::{Pacing, ReplayTransport, SimTransport, Simulator};
use waystation_tests::{Setup, Station, Streamed, asking};

const MODEL: &str = "acme/one";

/// One wire, and where its native requests say things.
#[derive(Debug)]
struct Wire {
    dialect: &'static str,
    model: &'static str,
    temperature: &'static str,
    limit: &'static str,
    /// The list of messages.
    messages: &'static str,
    /// What the event holds with which a stream begins to end.
    end: &'static str,
}

const WIRES: [Wire; 6] = [
    Wire {
        dialect: "openai-chat",
        model: "gpt-5.4",
        temperature: "/temperature",
        limit: "/max_completion_tokens",
        messages: "/messages",
        end: r#""finish_reason":""#,
    },
    Wire {
        dialect: "openai-responses",
        model: "gpt-5.4",
        temperature: "/temperature",
        limit: "/max_output_tokens",
        messages: "/input",
        end: "response.completed",
    },
    Wire {
        dialect: "anthropic-messages",
        model: "claude-sonnet-4-5",
        temperature: "/temperature",
        limit: "/max_tokens",
        messages: "/messages",
        end: "message_delta",
    },
    Wire {
        dialect: "gemini",
        model: "gemini-3.1-pro-preview",
        temperature: "/generationConfig/temperature",
        limit: "/generationConfig/maxOutputTokens",
        messages: "/contents",
        end: "finishReason",
    },
    Wire {
        dialect: "cohere-chat",
        model: "command-a-03-2025",
        temperature: "/temperature",
        limit: "/max_tokens",
        messages: "/messages",
        end: "message-end",
    },
    Wire {
        dialect: "bedrock-converse",
        model: "anthropic.claude-sonnet-4-v1:0",
        temperature: "/inferenceConfig/temperature",
        limit: "/inferenceConfig/maxTokens",
        messages: "/messages",
        end: "messageStop",
    },
];

/// What becomes of the pieces of a reply of the first host: of a stream, one is an event.
type Bend = Box<dyn Fn(Vec<Bytes>) -> Vec<Bytes> + Send + Sync>;

/// Simulated upstreams, with what was asked and given on the way.
struct Line {
    upstream: SimTransport,
    bend: Bend,
    sent: Mutex<Vec<HttpRequest>>,
    given: Mutex<Vec<u8>>,
}

/// A gateway over it, whose model is served by the hosts `one` and `two`, the first first.
struct Rig {
    station: Station,
    line: Arc<Line>,
}

// === impl Line ===

#[async_trait]
impl Transport for Line {
    async fn send(
        &self,
        request: HttpRequest,
        limits: SendLimits,
    ) -> Result<HttpStream, TransportError> {
        let first = request.url.host() == Some("one.mock");
        hold(&self.sent).push(request.clone());
        let HttpStream { head, mut body } = self.upstream.send(request, limits).await?;
        let mut pieces = Vec::new();
        while let Some(piece) = body.next().await {
            pieces.push(piece?);
        }
        if first {
            pieces = (self.bend)(pieces);
        }
        pieces
            .iter()
            .for_each(|piece| hold(&self.given).extend_from_slice(piece));
        let body = stream::iter(pieces.into_iter().map(Ok)).boxed();
        Ok(HttpStream { head, body })
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").finish_non_exhaustive()
    }
}

#[expect(clippy::disallowed_methods, reason = "a test keeps what it saw")]
fn hold<T>(lock: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Rig ===

impl Rig {
    fn of(wire: &Wire) -> Self {
        Self::bent(wire, "", |pieces| pieces)
    }

    /// `more` goes into the rows of both endpoints; replies of the first are bent.
    fn bent(
        wire: &Wire,
        more: &str,
        bend: impl Fn(Vec<Bytes>) -> Vec<Bytes> + Send + Sync + 'static,
    ) -> Self {
        let mut config = format!(
            "[catalog]\nbundled = false\n[routing]\nsort = 'price'\n[[models]]\nid = '{MODEL}'\n\
             context_length = 128000\nmax_output_tokens = 8192\n"
        );
        for (slug, price) in [("one", "1"), ("two", "2")] {
            let (dialect, model) = (wire.dialect, wire.model);
            config.push_str(&format!(
                "[[models.endpoints]]\nprovider = '{slug}'\nmodel = '{model}'\n\
                 price = {{ prompt = '{price}', completion = '{price}' }}\n{more}\n\
                 [providers.{slug}]\nname = '{slug}'\ndialect = '{dialect}'\nauth = 'bearer'\n\
                 base_url = 'http://{slug}.mock'\napi_key = 'key-of-{slug}-do-not-tell'\n"
            ));
        }
        let simulator = Simulator::new(1).with_pacing(Pacing::Instant);
        let line = Arc::new(Line {
            upstream: SimTransport::new(simulator),
            bend: Box::new(bend),
            sent: Mutex::default(),
            given: Mutex::default(),
        });
        let app = Setup::empty()
            .config(&config)
            .app(Arc::<Line>::clone(&line));
        let station = Station::new(app, Arc::new(ReplayTransport::queue([])));
        Self { station, line }
    }

    /// Asks whole, and gives the body that left and the reply.
    async fn whole(&self, body: Value) -> (Value, Value) {
        let got = self.station.chat(body).await.ok();
        (self.last(), got)
    }

    async fn streamed(&self, more: Value) -> Streamed {
        self.station.stream(asking(MODEL, more)).await
    }

    /// The latest body that left.
    fn last(&self) -> Value {
        let sent = hold(&self.line.sent);
        serde_json::from_slice(&sent.last().expect("a request").body).expect("JSON")
    }

    fn asked(&self) -> Vec<String> {
        let sent = hold(&self.line.sent);
        let hosts = sent.iter().filter_map(|request| request.url.host());
        hosts
            .map(|host| host.trim_end_matches(".mock").to_owned())
            .collect()
    }
}

/// Every key of a value, at any depth.
fn keys(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                into.insert(key.clone());
                keys(value, into);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, into)),
        _ => {}
    }
}

/// Statement 11.
#[tokio::test(start_paused = true)]
async fn a_temperature_is_sent_when_there_is_one_and_never_invented() {
    for wire in &WIRES {
        let rig = Rig::of(wire);
        let (sent, _) = rig.whole(asking(MODEL, json!({}))).await;
        assert!(
            !sent.to_string().contains("temperature"),
            "{wire:?}: {sent}"
        );
        let (sent, _) = rig.whole(asking(MODEL, json!({"temperature": 1}))).await;
        assert_eq!(
            sent.pointer(wire.temperature),
            Some(&json!(1)),
            "{wire:?}: {sent}"
        );
    }
}

/// Statement 13.
#[tokio::test(start_paused = true)]
async fn of_two_limits_the_newer_one_is_sent_once_on_every_wire() {
    for wire in &WIRES {
        let both = json!({"max_tokens": 61, "max_completion_tokens": 53});
        let (sent, _) = Rig::of(wire).whole(asking(MODEL, both)).await;
        assert_eq!(
            sent.pointer(wire.limit),
            Some(&json!(53)),
            "{wire:?}: {sent}"
        );
        let text = sent.to_string();
        assert_eq!(
            (text.matches("53").count(), text.contains("61")),
            (1, false),
            "{text}"
        );
    }
}

/// Statement 14.
#[tokio::test(start_paused = true)]
async fn words_of_the_assistant_at_the_end_are_the_last_message_on_every_wire() {
    for wire in &WIRES {
        let mut body = asking(MODEL, json!({}));
        body["messages"] = json!([{"role": "user", "content": "Say hello"},
            {"role": "assistant", "content": "Hel"}]);
        let (sent, _) = Rig::of(wire).whole(body).await;
        let messages = sent.pointer(wire.messages).and_then(Value::as_array);
        let last = messages.and_then(|list| list.last()).unwrap();
        let role = last["role"].as_str().unwrap();
        assert!(["assistant", "model"].contains(&role), "{wire:?}: {last}");
        assert!(last.to_string().contains(r#":"Hel""#), "{wire:?}: {last}");
    }
}

fn tools() -> Value {
    let tool = |name: &str, of: &str| {
        json!({"type": "function", "function": {"name": name, "description": of, "parameters":
            {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}})
    };
    json!([
        tool("get_weather", "The weather of a city"),
        tool("get_time", "The time in a city")
    ])
}

/// Statement 20.
#[tokio::test(start_paused = true)]
async fn calls_of_every_wire_stream_with_an_index_and_name_themselves_once() {
    for wire in &WIRES {
        for size in [1, 5, 1 << 20] {
            let rig = Rig::bent(wire, "", move |pieces| {
                let whole = pieces.concat();
                let pieces = whole.chunks(size).map(Bytes::copy_from_slice);
                pieces.collect()
            });
            let messages =
                json!([{"role": "user", "content": "The weather and the time in Zürich?"}]);
            let more = json!({"tools": tools(), "tool_choice": "required", "messages": messages});
            let got = rig.streamed(more).await;
            let chunks = got.chunks();
            let deltas: Vec<&Value> = chunks
                .iter()
                .filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].as_array())
                .flatten()
                .collect();
            let mut ids = BTreeSet::new();
            for (index, name) in ["get_weather", "get_time"].into_iter().enumerate() {
                let own = || deltas.iter().filter(|call| call["index"] == index);
                let said =
                    |key: &str| -> Vec<&Value> { own().filter_map(|call| call.get(key)).collect() };
                let named = own().filter_map(|call| call["function"].get("name"));
                assert_eq!(named.collect::<Vec<_>>(), [name], "{wire:?}");
                assert_eq!(
                    (said("id").len(), said("type")),
                    (1, vec![&json!("function")]),
                    "{wire:?}"
                );
                ids.insert(said("id")[0].to_string());
                let text = own().filter_map(|call| call["function"]["arguments"].as_str());
                let arguments: Value = serde_json::from_str(&text.collect::<String>()).unwrap();
                assert!(arguments["city"].is_string(), "{wire:?}: {arguments}");
            }
            assert_eq!(ids.len(), 2, "{wire:?}: {ids:?}");
            assert!(
                deltas
                    .iter()
                    .all(|call| call["index"].as_u64().is_some_and(|at| at < 2))
            );
            assert_eq!(got.finish().as_deref(), Some("tool_calls"), "{wire:?}");
        }
    }
}

/// Statement 24: a stream that closes where its end should be told, one that closes at once, and a
/// whole reply that does not say why it ended.
#[tokio::test(start_paused = true)]
async fn an_end_without_a_reason_is_an_error_or_somebody_elses_turn_on_every_wire() {
    for wire in &WIRES {
        let end = wire.end;
        let late = Rig::bent(wire, "", move |pieces| {
            let ends = |piece: &Bytes| String::from_utf8_lossy(piece).contains(end);
            let kept = pieces.into_iter().take_while(|piece| !ends(piece));
            kept.collect()
        });
        let got = late.streamed(json!({})).await;
        let chunks = got.chunks();
        let last = chunks.last().unwrap();
        assert_eq!(
            last["error"]["metadata"]["error_type"], "provider_unavailable",
            "{wire:?}: {last}"
        );
        assert_eq!(got.finish().as_deref(), Some("error"), "{wire:?}");
        assert_eq!(late.asked(), ["one"], "{wire:?}");

        let soon = Rig::bent(wire, "", |_| Vec::new());
        let got = soon.streamed(json!({})).await;
        assert_eq!(got.finish().as_deref(), Some("stop"), "{wire:?}");
        assert_eq!(soon.asked(), ["one", "two"], "{wire:?}");

        let whole = Rig::bent(wire, "", |pieces| {
            let mut reply: Value = serde_json::from_slice(&pieces.concat()).unwrap();
            for at in ["", "/choices/0", "/candidates/0"] {
                let place = reply.pointer_mut(at).and_then(Value::as_object_mut);
                if let Some(place) = place {
                    place.retain(|key, _| !key.to_lowercase().replace('_', "").ends_with("reason"));
                    place.remove("status");
                }
            }
            vec![reply.to_string().into()]
        });
        let (_, got) = whole.whole(asking(MODEL, json!({}))).await;
        assert_eq!(got["provider"], "two", "{wire:?}: {got}");
        assert_eq!(whole.asked()[0], "one", "{wire:?}");
    }
}

/// The pieces of a stream, with all of `noise` before each.
fn before_each(pieces: &[Bytes], noise: [&'static str; 3]) -> Vec<Bytes> {
    let noise = noise.map(|text| Bytes::from_static(text.as_bytes()));
    let with = |piece: &Bytes| noise.iter().chain([piece]).cloned().collect::<Vec<_>>();
    pieces.iter().flat_map(with).collect()
}

/// Statement 26, on the wires that have comments.
#[tokio::test(start_paused = true)]
async fn comments_of_no_wire_are_relayed() {
    for wire in WIRES
        .iter()
        .filter(|wire| wire.dialect != "bedrock-converse")
    {
        let plain = Rig::of(wire).streamed(json!({})).await;
        let noisy = Rig::bent(wire, "", |pieces| {
            let noise = [
                ": UPSTREAM PROCESSING\n\n",
                ":\n\n",
                ": data: {\"x\": 1}\n\n",
            ];
            let behind = noise.map(|line| Bytes::from_static(line.as_bytes()));
            let mut with = before_each(&pieces, noise);
            with.extend(behind);
            with
        });
        let got = noisy.streamed(json!({})).await;
        assert_eq!(got.content(), plain.content(), "{wire:?}");
        assert_eq!(got.comments(), 0, "{wire:?}");
        assert!(!got.text().contains("PROCESSING"), "{wire:?}");
        assert_eq!(got.chunks().len(), plain.chunks().len(), "{wire:?}");
    }
}

/// Events of sorts that nobody knows, and pings, are passed by.
#[tokio::test(start_paused = true)]
async fn unknown_events_of_no_wire_change_anything() {
    for wire in WIRES
        .iter()
        .filter(|wire| wire.dialect != "bedrock-converse")
    {
        let plain = Rig::of(wire).streamed(json!({})).await;
        let noisy = Rig::bent(wire, "", |pieces| {
            let noise = [
                "event: ping\ndata: {\"type\": \"ping\"}\n\n",
                "event: surprise\ndata: {\"type\": \"surprise\", \"x\": [1, {\"text\": \"no\"}]}\n\n",
                "data: {\"surprise\": {\"content\": \"no\"}}\n\n",
            ];
            before_each(&pieces, noise)
        });
        let got = noisy.streamed(json!({})).await;
        assert_eq!(got.content(), plain.content(), "{wire:?}");
        assert_eq!(got.usage(), plain.usage(), "{wire:?}");
        assert_eq!(got.finish(), plain.finish(), "{wire:?}");
    }
}

/// How the wires with events in text tell of a failure under a 200.
const FAILURES: [(&str, &str); 5] = [
    (
        "openai-chat",
        r#"{"error":{"message":"too many of us","type":"server_error","code":503}}"#,
    ),
    (
        "openai-responses",
        r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"too many of us"}}}"#,
    ),
    (
        "anthropic-messages",
        r#"{"type":"error","error":{"type":"overloaded_error","message":"too many of us"}}"#,
    ),
    (
        "gemini",
        r#"{"error":{"code":503,"message":"too many of us","status":"UNAVAILABLE"}}"#,
    ),
    (
        "cohere-chat",
        r#"{"type":"message-end","delta":{"finish_reason":"ERROR","error":"too many of us"}}"#,
    ),
];

/// Before the first words somebody else answers; behind them the client is told the upstream's reason.
#[tokio::test(start_paused = true)]
async fn failures_in_band_are_told_or_somebody_elses_turn_on_every_wire() {
    for (dialect, failure) in FAILURES {
        let wire = WIRES.iter().find(|wire| wire.dialect == dialect).unwrap();
        let event = Bytes::from(format!("data: {failure}\n\n"));
        let (first, end) = (event.clone(), wire.end);
        let soon = Rig::bent(wire, "", move |_| vec![first.clone()]);
        let got = soon.streamed(json!({})).await;
        assert_eq!(got.finish().as_deref(), Some("stop"), "{dialect}");
        assert_eq!(soon.asked(), ["one", "two"], "{dialect}");
        let late = Rig::bent(wire, "", move |pieces| {
            let ends = |piece: &Bytes| String::from_utf8_lossy(piece).contains(end);
            let kept = pieces.into_iter().take_while(|piece| !ends(piece));
            kept.chain([event.clone()]).collect()
        });
        let got = late.streamed(json!({})).await;
        let chunks = got.chunks();
        let error = &chunks.last().unwrap()["error"];
        assert!(
            error["message"]
                .as_str()
                .unwrap()
                .contains("too many of us"),
            "{dialect}: {error}"
        );
        assert_eq!(got.finish().as_deref(), Some("error"), "{dialect}");
        assert_eq!(late.asked(), ["one"], "{dialect}");
    }
}

/// Statement 27: each wire's own body, before anything else, and no credential in it.
#[tokio::test(start_paused = true)]
async fn the_body_that_left_is_shown_first_on_every_wire() {
    for wire in &WIRES {
        let rig = Rig::bent(wire, "", |_| Vec::new());
        let got = rig
            .streamed(json!({"debug": {"echo_upstream_body": true}}))
            .await;
        let chunks = got.chunks();
        let sent: Vec<Value> = hold(&rig.line.sent)
            .iter()
            .map(|request| serde_json::from_slice(&request.body).unwrap())
            .collect();
        assert_eq!(sent.len(), 2, "{wire:?}");
        for (chunk, sent) in chunks.iter().zip(&sent) {
            assert_eq!(chunk["debug"]["echo_upstream_body"], *sent, "{wire:?}");
        }
        assert!(
            chunks
                .iter()
                .skip(2)
                .all(|chunk| chunk.get("debug").is_none())
        );
        assert!(!got.text().contains("do-not-tell"), "{wire:?}");
        let (_, whole) = rig
            .whole(asking(
                MODEL,
                json!({"debug": {"echo_upstream_body": true}}),
            ))
            .await;
        assert_eq!(whole.get("debug"), None, "{wire:?}");
    }
}

/// Statement 28.
#[tokio::test(start_paused = true)]
async fn chunks_of_every_wire_have_one_name() {
    for wire in &WIRES {
        let chunks = Rig::of(wire).streamed(json!({})).await.chunks();
        for key in ["id", "model", "created", "provider", "object"] {
            let same = chunks.iter().all(|chunk| chunk[key] == chunks[0][key]);
            assert!(same && !chunks[0][key].is_null(), "{wire:?}: {key}");
        }
        assert_eq!(chunks[0]["model"], MODEL);
        assert!(chunks[0]["id"].as_str().unwrap().starts_with("gen-"));
    }
}

/// Statement 55: without `require_parameters`.
#[tokio::test(start_paused = true)]
async fn parameters_that_an_endpoint_lacks_are_in_no_wires_body() {
    let asked = json!({"temperature": 0.5, "top_p": 0.9, "top_k": 5, "seed": 7, "stop": ["x"],
        "frequency_penalty": 0.1, "presence_penalty": 0.1, "logit_bias": {"1": 1}, "tools": tools(),
        "tool_choice": "auto", "reasoning": {"effort": "high"}, "max_tokens": 90});
    let lacking = [
        "temperature",
        "top_p",
        "topP",
        "p",
        "top_k",
        "topK",
        "k",
        "seed",
        "stop",
        "stop_sequences",
        "stopSequences",
        "frequency_penalty",
        "frequencyPenalty",
        "presence_penalty",
        "logit_bias",
        "tools",
        "toolConfig",
        "tool_choice",
        "reasoning",
        "reasoning_effort",
        "thinking",
        "thinkingConfig",
    ];
    for wire in &WIRES {
        let rig = Rig::bent(wire, "supported_parameters = ['max_tokens']", |pieces| {
            pieces
        });
        let (sent, _) = rig.whole(asking(MODEL, asked.clone())).await;
        let mut found = BTreeSet::new();
        keys(&sent, &mut found);
        let found: Vec<_> = lacking.iter().filter(|key| found.contains(**key)).collect();
        assert!(found.is_empty(), "{wire:?}: {found:?} in {sent}");
        assert!(sent.to_string().contains("90"), "{wire:?}: {sent}");
    }
}

/// Statement 56: that it still runs is told.
#[tokio::test(start_paused = true)]
async fn tools_that_nobody_takes_are_left_out_with_a_note() {
    for wire in &WIRES {
        let rig = Rig::bent(wire, "supported_parameters = ['max_tokens']", |pieces| {
            pieces
        });
        let got = rig
            .station
            .chat(asking(MODEL, json!({"tools": tools()})))
            .await;
        assert_eq!(got.status, 200, "{wire:?}");
        let note = got.header("x-waystation-warning").unwrap();
        assert!(
            note.contains("tools: no endpoint of acme/one supports it"),
            "{note}"
        );
    }
}

/// Where a wire has no form for the answer that is asked for, a tool or an instruction stands for it,
/// and metadata says so.
#[tokio::test(start_paused = true)]
async fn a_form_that_a_wire_lacks_is_made_up_for_and_noted() {
    let schema = json!({"type": "object", "additionalProperties": false, "required": ["city"],
        "properties": {"city": {"type": "string"}}});
    let schema = json!({"type": "json_schema", "json_schema": {"name": "w", "strict": true, "schema": schema}});
    let plain = "supported_parameters = ['max_tokens', 'tools', 'tool_choice', 'response_format']";
    for (dialect, rows, more, left) in [
        // Models before structured outputs: a tool.
        (
            "anthropic-messages",
            plain,
            json!({"response_format": schema}),
            "input_schema",
        ),
        // Beside tools there are no formats here: an instruction with the schema.
        (
            "cohere-chat",
            "",
            json!({"response_format": schema, "tools": tools()}),
            "JSON Schema",
        ),
        // Only schemas have a form here: an instruction.
        (
            "bedrock-converse",
            "",
            json!({"response_format": {"type": "json_object"}}),
            "JSON object",
        ),
        (
            "anthropic-messages",
            "",
            json!({"response_format": {"type": "json_object"}}),
            "JSON object",
        ),
    ] {
        let wire = WIRES.iter().find(|wire| wire.dialect == dialect).unwrap();
        let rig = Rig::bent(wire, rows, |pieces| pieces);
        let body = asking(MODEL, more).to_string();
        let mut request = Station::request(Method::POST, "/v1/chat/completions", body);
        let enabled = "enabled".parse().unwrap();
        request
            .headers_mut()
            .insert("x-openrouter-metadata", enabled);
        let got = rig.station.whole(request).await.ok();
        let pipeline = got["openrouter_metadata"]["pipeline"].as_array();
        let notes = pipeline.unwrap_or_else(|| panic!("{dialect}: {got}"));
        let noted = |note: &&Value| note["type"] == "adapter" && note["name"] == "response_format";
        let note = notes
            .iter()
            .find(noted)
            .unwrap_or_else(|| panic!("{dialect}: {notes:?}"));
        assert!(
            !note["summary"].as_str().unwrap().is_empty(),
            "{dialect}: {note}"
        );
        let sent = rig.last().to_string();
        assert!(sent.contains(left), "{dialect}: {sent}");
    }
}

/// What the deltas of a stream come to, as a client puts blocks of reasoning together.
fn folded(chunks: &[Value]) -> Vec<Value> {
    let mut blocks: Vec<Value> = Vec::new();
    let lists = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["reasoning_details"].as_array());
    for piece in lists.flatten() {
        let known = blocks
            .iter_mut()
            .find(|block| block["index"] == piece["index"]);
        let Some(block) = known else {
            blocks.push(piece.clone());
            continue;
        };
        for (key, value) in piece.as_object().unwrap() {
            match (key.as_str(), block[key].as_str(), value.as_str()) {
                ("text" | "summary", Some(before), Some(more)) => {
                    block[key] = json!(format!("{before}{more}"));
                }
                _ => block[key] = value.clone(),
            }
        }
    }
    blocks
}

/// The seals in native bytes: what stands in quotes behind these keys.
fn seals(bytes: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(bytes);
    let keys = [
        r#""signature":""#,
        r#""thoughtSignature":""#,
        r#""encrypted_content":""#,
    ];
    let found = keys.into_iter().flat_map(|key| text.split(key).skip(1));
    let seals = found.filter_map(|rest| rest.split('"').next());
    seals
        .filter(|seal| !seal.is_empty())
        .map(Into::into)
        .collect()
}

/// Statement 136, for a first turn that was streamed: every seal of it is in the second request.
#[tokio::test(start_paused = true)]
async fn seals_of_a_streamed_turn_go_back_as_they_came() {
    let sealing = [
        "openai-responses",
        "anthropic-messages",
        "gemini",
        "bedrock-converse",
    ];
    for wire in WIRES.iter().filter(|wire| sealing.contains(&wire.dialect)) {
        let rig = Rig::of(wire);
        let prompt = json!({"role": "user", "content": "The weather in Paris?"});
        let more = json!({"tools": tools(), "reasoning": {"max_tokens": 2000}, "max_tokens": 4000});
        let mut ask = more.clone();
        ask["messages"] = json!([prompt]);
        let got = rig.streamed(ask).await;
        let given = seals(&hold(&rig.line.given));
        assert!(!given.is_empty(), "{wire:?}: {}", got.text());
        let chunks = got.chunks();
        let mut calls: Vec<Value> = Vec::new();
        let deltas = chunks
            .iter()
            .filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].as_array());
        for piece in deltas.flatten() {
            let at = usize::try_from(piece["index"].as_u64().unwrap()).unwrap();
            match calls.get_mut(at) {
                None => calls.push(piece.clone()),
                Some(call) => {
                    let arguments = |of: &Value| {
                        of["function"]["arguments"]
                            .as_str()
                            .unwrap_or("")
                            .to_owned()
                    };
                    call["function"]["arguments"] = json!(arguments(call) + &arguments(piece));
                }
            }
        }
        let turn = json!({"role": "assistant", "content": got.content(), "tool_calls": calls,
            "reasoning_details": folded(&chunks)});
        let results = calls
            .iter()
            .map(|call| json!({"role": "tool", "tool_call_id": call["id"], "content": "rain"}));
        let mut next = asking(MODEL, more);
        next["messages"] = [prompt, turn].into_iter().chain(results).collect();
        let (sent, _) = rig.whole(next).await;
        let sent = sent.to_string();
        for seal in given {
            assert!(
                sent.contains(&format!("\"{seal}\"")),
                "{wire:?}: {seal} is not in {sent}"
            );
        }
    }
}
