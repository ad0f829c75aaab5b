//! The host's own search of the web, acted out by simulated upstreams: what a client is told of it is
//! the same whichever wire is behind the gateway, whole and streamed.

use std::sync::Arc;

use serde_json::{Value, json};
use waystation_server::app::App;
use waystation_sim::{Pacing, ReplayTransport, SimTransport, Simulator};
use waystation_tests::{Setup, Station, asking};

const MODEL: &str = "acme/finder";

/// Each wire with a search: its dialect, a model that has it there, and whether the wire counts.
const WIRES: [(&str, &str, bool); 5] = [
    ("openai-chat", "gpt-4o-search-preview", false),
    ("openai-responses", "gpt-5.4", true),
    ("anthropic-messages", "claude-sonnet-4-5", true),
    ("gemini", "gemini-3.1-pro-preview", true),
    ("bedrock-converse", "amazon.nova-premier-v1:0", false),
];

/// A gateway over simulated upstreams, whose model is served in this dialect alone.
fn station(dialect: &str, upstream: &str) -> Station {
    let config = format!(
        r#"
        [catalog]
        bundled = false
        [providers.acme]
        name = "Acme"
        dialect = "{dialect}"
        base_url = "http://acme.mock"
        auth = "bearer"
        api_key = "key-of-acme-do-not-tell"
        [[models]]
        id = "{MODEL}"
        context_length = 128000
        max_output_tokens = 8192
        supported_parameters = ["max_tokens", "tools", "tool_choice", "web_search_options"]
        [[models.endpoints]]
        provider = "acme"
        model = "{upstream}"
        price = {{ prompt = "1", completion = "2" }}
        "#
    );
    let setup = Setup::empty()
        .config(&config)
        .flags(|flags| flags.simulate = true);
    let resolved = setup.resolve().unwrap_or_else(|errors| panic!("{errors}"));
    let simulator = Simulator::new(1).with_pacing(Pacing::Instant);
    let app = App::new(resolved, Arc::new(SimTransport::new(simulator)));
    Station::new(app, Arc::new(ReplayTransport::queue([])))
}

/// The addresses that `annotations` cite; each has a title, and cites a sentence of `text`.
fn cited(annotations: &[Value], text: &str) -> Vec<String> {
    let urls = annotations.iter().map(|annotation| {
        assert_eq!(annotation["type"], "url_citation");
        let citation = &annotation["url_citation"];
        assert!(
            !citation["title"].as_str().unwrap().is_empty(),
            "{citation}"
        );
        let index = |key: &str| usize::try_from(citation[key].as_u64().unwrap()).unwrap();
        let (from, to) = (index("start_index"), index("end_index"));
        assert!(from < to, "{citation}");
        let said: String = text.chars().skip(from).take(to - from).collect();
        let url = citation["url"].as_str().unwrap();
        let host = url.strip_prefix("https://").unwrap().split('/').next();
        assert!(said.starts_with(host.unwrap()), "{citation}: {said}");
        assert!(said.ends_with("simulated search."), "{citation}: {said}");
        url.to_owned()
    });
    urls.collect()
}

/// API contract, section 7.1. The name of the city has characters of several bytes before the
/// sources, so that positions in bytes would be seen.
#[tokio::test(start_paused = true)]
async fn a_simulated_host_acts_out_its_own_search_on_every_wire_that_has_one() {
    let native = json!([{"id": "web", "engine": "native"}]);
    let tool = json!([{"type": "openrouter:web_search", "parameters": {"engine": "native"}}]);
    let expected = [
        "https://example.com/weather-in",
        "https://example.org/weather-in",
    ];
    for (dialect, upstream, counts) in WIRES {
        let station = station(dialect, upstream);
        for wish in [json!({"plugins": native}), json!({"tools": tool})] {
            let mut body = asking(MODEL, wish.clone());
            body["messages"] = json!([{"role": "user", "content": "Weather in Tromsø?"}]);
            let got = station.chat(body.clone()).await.ok();
            let message = &got["choices"][0]["message"];
            let text = message["content"].as_str().unwrap();
            let annotations = message["annotations"].as_array();
            let annotations = annotations.unwrap_or_else(|| panic!("{dialect} {wish}: {got}"));
            assert_eq!(cited(annotations, text), expected, "{dialect} {wish}");
            assert_eq!(message.get("tool_calls"), None, "{dialect} {wish}");
            assert_eq!(got["choices"][0]["finish_reason"], "stop", "{dialect}");
            let searches = |usage: &Value| usage["server_tool_use"]["web_search_requests"].as_u64();
            let count = counts.then_some(1);
            assert_eq!(searches(&got["usage"]), count, "{dialect} {wish}: {got}");

            let streamed = station.stream(body).await;
            assert_eq!(streamed.content(), text, "{dialect} {wish}");
            let chunks = streamed.chunks();
            let told: Vec<Value> = chunks
                .iter()
                .filter_map(|chunk| chunk["choices"][0]["delta"]["annotations"].as_array())
                .flatten()
                .cloned()
                .collect();
            assert_eq!(told, *annotations, "{dialect} {wish}");
            assert_eq!(searches(&streamed.usage()), count, "{dialect} {wish}");
        }
        let plain = asking(MODEL, json!({}));
        let got = station.chat(plain).await.ok();
        let message = &got["choices"][0]["message"];
        let none = message["annotations"].as_array().is_none_or(Vec::is_empty);
        assert!(none, "{dialect}: {message}");
        assert_eq!(
            got["usage"]["server_tool_use"]["web_search_requests"],
            Value::Null
        );
    }
}

/// Hosts that list their sources beside the choices do not say which words cite them.
#[tokio::test(start_paused = true)]
async fn sources_that_a_host_lists_beside_the_choices_are_cited_too() {
    let resolved = Setup::empty().flags(|flags| flags.simulate = true);
    let resolved = resolved
        .resolve()
        .unwrap_or_else(|errors| panic!("{errors}"));
    let simulator = Simulator::new(1).with_pacing(Pacing::Instant);
    let app = App::new(resolved, Arc::new(SimTransport::new(simulator)));
    let station = Station::new(app, Arc::new(ReplayTransport::queue([])));
    for (model, provider) in [("perplexity/sonar", "perplexity"), ("z-ai/glm-4.6", "z-ai")] {
        let wish = json!({"plugins": [{"id": "web", "engine": "native"}], "provider": {"only": [provider]}});
        let body = asking(model, wish);
        let got = station.chat(body.clone()).await.ok();
        let message = &got["choices"][0]["message"];
        let told = |annotations: &Value| -> Vec<Value> {
            let list = annotations
                .as_array()
                .unwrap_or_else(|| panic!("{model}: {got}"));
            let inner = list.iter().map(|one| one["url_citation"].clone());
            inner.collect()
        };
        let cited = told(&message["annotations"]);
        assert_eq!(cited.len(), 2, "{model}: {got}");
        for (one, host) in cited.iter().zip(["example.com", "example.org"]) {
            assert!(
                one["url"]
                    .as_str()
                    .unwrap()
                    .starts_with(&format!("https://{host}/"))
            );
            assert_eq!(one["title"], format!("A simulated page of {host}"));
            assert_eq!(
                (&one["start_index"], &one["end_index"]),
                (&json!(0), &json!(0))
            );
        }
        let streamed = station.stream(body).await;
        assert_eq!(streamed.content(), message["content"].as_str().unwrap());
        let chunks = streamed.chunks();
        let mut deltas = chunks
            .iter()
            .filter_map(|c| c["choices"][0]["delta"].get("annotations"));
        assert_eq!(told(deltas.next().unwrap()), cited, "{model}");
        assert_eq!(deltas.next(), None, "{model}");
    }
}
