//! Simulated upstreams of every dialect: one model, served by a provider for each dialect, and each
//! of them asked alone. What a client sees is the same whichever wire is behind it.

#![expect(clippy::disallowed_methods, reason = "a test keeps what it saw")]

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use serde_json::{Value, json};
use waystation_core::{HttpRequest, HttpStream, Modality, SendLimits, Transport, TransportError};
use waystation_server::app::App;
use waystation_sim::{Pacing, ReplayTransport, SimTransport, Simulator, faults::Script};
use waystation_tests::{Setup, Station, asking};

const MODEL: &str = "acme/polyglot";
/// What upstreams call it.
const NAME: &str = "polyglot-1";

/// A simulated upstream that remembers where it was asked.
struct Watched {
    upstream: SimTransport,
    paths: Mutex<Vec<String>>,
}

/// A gateway over it.
struct Rig {
    station: Station,
    upstream: Arc<Watched>,
    provider: &'static str,
}

// === impl Watched ===

#[async_trait]
impl Transport for Watched {
    async fn send(
        &self,
        request: HttpRequest,
        limits: SendLimits,
    ) -> Result<HttpStream, TransportError> {
        let path = request
            .url
            .path_and_query()
            .map_or("", |path| path.as_str())
            .to_owned();
        self.paths
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(path);
        self.upstream.send(request, limits).await
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched")
            .field("paths", &self.paths)
            .finish_non_exhaustive()
    }
}

// === impl Rig ===

impl Rig {
    /// A gateway whose model is served in this dialect alone.
    fn of(dialect: &'static str, upstream: &str, script: &str) -> Self {
        let config = format!(
            r#"
            [catalog]
            bundled = false
            [providers.{dialect}]
            name = "Acme"
            dialect = "{dialect}"
            base_url = "http://{dialect}.mock"
            auth = "bearer"
            api_key = "key-of-acme-do-not-tell"
            [[models]]
            id = "{MODEL}"
            context_length = 128000
            max_output_tokens = 8192
            supported_parameters = ["max_tokens", "temperature", "stop", "tools", "tool_choice", "reasoning", "response_format", "structured_outputs"]
            [[models.endpoints]]
            provider = "{dialect}"
            model = "{upstream}"
            price = {{ prompt = "1", completion = "2" }}
            "#
        );
        let setup = Setup::empty()
            .config(&config)
            .flags(|flags| flags.simulate = true);
        let resolved = setup.resolve().unwrap_or_else(|errors| panic!("{errors}"));
        assert!(resolved.simulated);
        let script: Script = script.parse().unwrap();
        let simulator = Simulator::new(1)
            .with_pacing(Pacing::Instant)
            .with_script(script);
        let upstream = Arc::new(Watched {
            upstream: SimTransport::new(simulator),
            paths: Mutex::default(),
        });
        let app = App::new(resolved, Arc::<Watched>::clone(&upstream));
        Self {
            station: Station::new(app, Arc::new(ReplayTransport::queue([]))),
            upstream,
            provider: dialect,
        }
    }

    fn body(&self, prompt: &str, more: Value) -> Value {
        let mut body = asking(MODEL, more);
        if body["messages"][0]["content"] == "Hi" {
            body["messages"] = json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": prompt}]);
        }
        body["provider"] = json!({"only": [self.provider]});
        body
    }

    /// The whole reply and the stream to the same request: both have every mark, and say the same.
    async fn both(&self, prompt: &str, more: Value) -> Value {
        let got = self.station.chat(self.body(prompt, more.clone())).await;
        let body = got.ok();
        assert_eq!(got.header("x-waystation-simulated"), Some("true"));
        assert_eq!(body["provider"], "Acme (simulated)");
        assert_eq!(body["model"], MODEL);
        let usage = &body["usage"];
        assert!(usage["prompt_tokens"].as_u64().unwrap() > 0, "{usage}");
        assert!(usage["completion_tokens"].as_u64().unwrap() > 0, "{usage}");
        assert_eq!(usage["cost"], 0, "{usage}");
        let streamed = self.station.stream(self.body(prompt, more)).await;
        assert_eq!(streamed.header("x-waystation-simulated"), Some("true"));
        let choice = &body["choices"][0];
        let content = choice["message"]["content"].as_str().unwrap_or_default();
        assert_eq!(streamed.content(), content);
        assert_eq!(
            streamed.finish().as_deref(),
            choice["finish_reason"].as_str()
        );
        let folded = streamed.usage();
        for count in ["prompt_tokens", "completion_tokens", "total_tokens", "cost"] {
            assert_eq!(folded[count], usage[count], "{count}");
        }
        let chunks = streamed.chunks();
        let deltas = || chunks.iter().map(|chunk| &chunk["choices"][0]["delta"]);
        let thought: String = deltas()
            .filter_map(|delta| delta["reasoning"].as_str())
            .collect();
        assert_eq!(
            thought,
            choice["message"]["reasoning"].as_str().unwrap_or_default()
        );
        let calls =
            deltas().filter_map(|delta| delta["tool_calls"][0]["function"]["arguments"].as_str());
        let called = choice["message"]["tool_calls"][0]["function"]["arguments"].as_str();
        assert_eq!(calls.collect::<String>(), called.unwrap_or_default());
        body
    }

    /// Every request went where the dialect sends it.
    fn went(&self, whole: &str, streamed: &str) {
        let paths = self
            .upstream
            .paths
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        assert!(paths.len() > 3, "{paths:?}");
        for (nth, path) in paths.iter().enumerate() {
            let expected = if nth % 2 == 0 { whole } else { streamed };
            assert_eq!(path, expected, "{nth}");
        }
    }
}

fn tools() -> Value {
    json!([{"type": "function", "function": {"name": "get_weather", "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}])
}

/// Words, a call and its result, JSON of a schema, reasoning, the limit: whole and streamed.
async fn serves(dialect: &'static str, upstream: &str, whole: &str, streamed: &str) {
    let rig = Rig::of(dialect, upstream, "");
    let body = rig.both("What is a waystation?", json!({})).await;
    let choice = &body["choices"][0];
    assert_eq!(choice["finish_reason"], "stop");
    let text = choice["message"]["content"].as_str().unwrap();
    assert!(
        text.contains("simulated") && text.contains("What is a waystation?"),
        "{text}"
    );

    let body = rig
        .both(
            "What is the weather in Paris?",
            json!({"tools": tools(), "tool_choice": "required"}),
        )
        .await;
    let choice = &body["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    let call = choice["message"]["tool_calls"][0].clone();
    assert_eq!(call["function"]["name"], "get_weather");
    let arguments: Value =
        serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
    assert_eq!(arguments, json!({"city": "Paris"}));

    let messages = json!([{"role": "user", "content": "What is the weather in Paris?"},
        {"role": "assistant", "content": null, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": "{\"celsius\": 21}"}]);
    let body = rig
        .both("", json!({"tools": tools(), "messages": messages}))
        .await;
    let text = body["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(text.contains("celsius is 21"), "{text}");

    let schema = json!({"type": "json_schema", "json_schema": {"name": "w", "strict": true, "schema": {
        "type": "object", "additionalProperties": false, "required": ["city", "degrees"],
        "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}}}}});
    let body = rig
        .both(
            "It is 21 degrees in Paris",
            json!({"response_format": schema}),
        )
        .await;
    let said: Value =
        serde_json::from_str(body["choices"][0]["message"]["content"].as_str().unwrap()).unwrap();
    assert!(
        said["city"].is_string() && said["degrees"].is_i64(),
        "{said}"
    );

    let body = rig
        .both("Why?", json!({"reasoning": {"effort": "high"}}))
        .await;
    let message = &body["choices"][0]["message"];
    assert!(
        message["reasoning"]
            .as_str()
            .is_some_and(|text| !text.is_empty()),
        "{message}"
    );
    assert!(
        message["content"].as_str().unwrap().contains("simulated"),
        "{message}"
    );

    let body = rig.both("A long story", json!({"max_tokens": 5})).await;
    assert_eq!(body["choices"][0]["finish_reason"], "length");
    rig.went(whole, streamed);
}

/// A refusal is read from the wire's own envelope, and a stream that is cut is no clean end.
async fn fails(dialect: &'static str) {
    let rig = Rig::of(
        dialect,
        NAME,
        "[[rule]]\nmatch = { first = 1 }\nstatus = 400\n[[rule]]\ncut_after_events = 4",
    );
    let got = rig.station.chat(rig.body("Hello", json!({}))).await;
    let error = got.error(400);
    assert!(error.to_string().contains("scripted fault"), "{error}");
    let streamed = rig.station.stream(rig.body("Hello", json!({}))).await;
    let text = streamed.text();
    assert!(text.contains("\"error\""), "{text}");
}

#[tokio::test(start_paused = true)]
async fn openai_responses() {
    serves("openai-responses", NAME, "/responses", "/responses").await;
    fails("openai-responses").await;
}

#[tokio::test(start_paused = true)]
async fn anthropic_messages() {
    serves("anthropic-messages", NAME, "/v1/messages", "/v1/messages").await;
    fails("anthropic-messages").await;
}

#[tokio::test(start_paused = true)]
async fn gemini() {
    let at = "/v1beta/models/polyglot-1";
    let whole = format!("{at}:generateContent");
    let streamed = format!("{at}:streamGenerateContent?alt=sse");
    serves("gemini", NAME, &whole, &streamed).await;
    fails("gemini").await;
}

#[tokio::test(start_paused = true)]
async fn cohere_chat() {
    serves("cohere-chat", NAME, "/v2/chat", "/v2/chat").await;
    fails("cohere-chat").await;
}

/// The host's names of models say how they are asked to reason.
#[tokio::test(start_paused = true)]
async fn bedrock_converse() {
    let (name, at) = (
        "anthropic.claude-sonnet-4-v1:0",
        "/model/anthropic.claude-sonnet-4-v1%3A0",
    );
    let (whole, streamed) = (format!("{at}/converse"), format!("{at}/converse-stream"));
    serves("bedrock-converse", name, &whole, &streamed).await;
    fails("bedrock-converse").await;
}

/// Every provider of the bundled catalogue answers for the first of its models that answers in text,
/// once for each dialect in which it is asked.
#[tokio::test(start_paused = true)]
async fn every_provider_of_the_catalogue_answers_in_each_of_its_dialects() {
    let resolved = Setup::empty().resolve().unwrap();
    let mut asked = BTreeMap::new();
    let spoken = |id: &str| waystation_sim::dialects().any(|spoken| spoken == id);
    for model in resolved.catalog.models() {
        for endpoint in &model.endpoints {
            let dialect = endpoint.dialect.as_str();
            let writes = model.output.has(Modality::Text);
            if writes && spoken(dialect) {
                let key = (endpoint.provider.to_string(), dialect.to_owned());
                let tag = endpoint.tag.to_string();
                asked.entry(key).or_insert((model.id.to_string(), tag));
            }
        }
    }
    assert!(asked.len() > 50, "{asked:?}");
    let simulator = Simulator::new(1).with_pacing(Pacing::Instant);
    let app = App::new(resolved, Arc::new(SimTransport::new(simulator)));
    let station = Station::new(app, Arc::new(ReplayTransport::queue([])));
    for ((provider, dialect), (model, tag)) in asked {
        let body = asking(&model, json!({"provider": {"only": [tag]}}));
        let got = station.chat(body.clone()).await;
        assert_eq!(
            got.status,
            200,
            "{provider} {dialect} {model}: {}",
            got.text()
        );
        let text = got.content();
        assert!(text.contains("simulated"), "{provider} {dialect}: {text}");
        let streamed = station.stream(body).await;
        assert_eq!(streamed.content(), text, "{provider} {dialect}");
    }
}
