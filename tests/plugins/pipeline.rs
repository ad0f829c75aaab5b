//! What all plugins have in common: which there are, who turns them on, what else is refused.
//! Statement 125.

use serde_json::{Value, json};
use waystation_sim::{ReplayTransport, fixtures};
use waystation_tests::{Setup, Station, ask};

fn station(config: &str) -> Station {
    let answer = |_: &_, _| fixtures::answer("{a: 1}", 5, 2);
    Setup::mocks()
        .config(config)
        .start(ReplayTransport::answering(answer))
}

fn with(plugins: Value) -> Value {
    ask(json!({"plugins": plugins, "response_format": {"type": "json_object"}}))
}

/// Statement 125.
#[tokio::test(start_paused = true)]
async fn an_unknown_plugin_is_refused_with_the_known_ids() {
    let station = station("");
    let error = station
        .chat(with(json!([{"id": "response-heal"}])))
        .await
        .error(400);
    let message = error["message"].as_str().expect("a message");
    assert!(
        message.contains("response-healing") && message.contains("context-compression"),
        "{message}"
    );
    assert_eq!(error["param"], "plugins[0].id");
    assert_eq!(station.upstream().calls(), 0);
}

/// Statement 125.
#[tokio::test(start_paused = true)]
async fn enabled_false_turns_a_plugin_off() {
    let station = station("");
    let off = with(json!([{"id": "response-healing", "enabled": false}]));
    assert_eq!(station.chat(off).await.content(), "{a: 1}");
    let on = with(json!([{"id": "response-healing"}]));
    assert_eq!(station.chat(on).await.content(), r#"{"a": 1}"#);
}

/// A plugin that this build does not have is refused with those that it has, and may be turned off.
#[tokio::test(start_paused = true)]
async fn a_plugin_that_is_not_built_says_so() {
    let station = station("");
    for id in ["moderation", "fusion"] {
        let error = station.chat(with(json!([{"id": id}]))).await.error(400);
        let message = error["message"].as_str().expect("a message");
        assert!(
            message.contains(id) && message.contains("response-healing"),
            "{message}"
        );
        station
            .chat(with(json!([{"id": id, "enabled": false}])))
            .await
            .ok();
    }
}

#[tokio::test(start_paused = true)]
async fn the_operator_turns_a_plugin_on_for_everybody() {
    let healing = "[plugins.response-healing]\nenabled = true\n";
    let plain = ask(json!({"response_format": {"type": "json_object"}}));
    assert_eq!(station(healing).chat(plain).await.content(), r#"{"a": 1}"#);
    let off = with(json!([{"id": "response-healing", "enabled": false}]));
    assert_eq!(station(healing).chat(off.clone()).await.content(), "{a: 1}");
    let last_word = format!("{healing}prevent_overrides = true");
    assert_eq!(station(&last_word).chat(off).await.content(), r#"{"a": 1}"#);
}

#[tokio::test(start_paused = true)]
async fn an_option_that_makes_no_sense_names_its_entry() {
    let error = station("")
        .chat(with(json!([{"id": "response-healing", "stream": 3}])))
        .await
        .error(400);
    assert_eq!(error["param"], "plugins[0]");
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|m| m.contains("stream")),
        "{error}"
    );
}

/// Plugins that have nothing to do change nothing.
#[tokio::test(start_paused = true)]
async fn all_of_them_together_work() {
    let station = station("");
    let all = json!([{"id": "context-compression"}, {"id": "response-healing"}]);
    let got = station.chat(with(all)).await;
    assert_eq!(got.content(), r#"{"a": 1}"#);
    assert_eq!(got.header("x-waystation-compressed"), None);
}

/// Statement 126: file-parser, web, context-compression, the provider, response-healing, in this order,
/// with the specification's block.
#[tokio::test(start_paused = true)]
async fn the_four_plugins_work_in_the_documented_order() {
    let page = json!({"url": "https://1.example/", "title": "One", "content": "found ".repeat(30)});
    let found = waystation_sim::Reply::json(200, json!({"results": [page]}).to_string());
    let said = "```json\n{\"a\": \"https://1.example/\",}\n```";
    let upstream = ReplayTransport::hosts()
        .at("search.mock", [found])
        .at("a.mock", [fixtures::answer(said, 5, 2)]);
    let station = Setup::mocks()
        .config("[plugins.web]\nsearxng = { base_url = \"http://search.mock\" }")
        .start(upstream);
    let file = json!({"type": "file", "file": {"filename": "a.csv", "file_data": "data:text/csv;base64,YSxiCjEsMgo="}});
    let filler = "Nothing of interest here. ".repeat(30_000);
    let messages = json!([
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Start"},
        {"role": "assistant", "content": filler},
        {"role": "user", "content": [{"type": "text", "text": "What is new?"}, file]},
    ]);
    let plugins = json!([{"id": "web"}, {"id": "file-parser"}, {"id": "response-healing"}, {"id": "context-compression"}]);
    let body = ask(
        json!({"messages": messages, "plugins": plugins, "response_format": {"type": "json_object"}}),
    );
    let got = station.chat(body).await;
    let text = got.content();
    assert_eq!(text, r#"{"a": "https://1.example/"}"#);
    assert!(got.header("x-waystation-compressed").is_some());
    // The question alone was searched for, not the file.
    let form = String::from_utf8(station.sent()[0].body.to_vec()).unwrap();
    assert_eq!(form, "q=What+is+new%3F&format=json");
    let sent: Value = serde_json::from_slice(&station.sent()[1].body).unwrap();
    let sent = sent["messages"].as_array().unwrap();
    assert!(
        sent.iter()
            .all(|message| message.to_string().len() < 600_000),
        "compressed"
    );
    let last = sent.last().unwrap().to_string();
    let places = ["What is new?", "1 | 2", "https://1.example/"].map(|text| last.find(text));
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{places:?}: {last}"
    );
    // Annotations of both, the citation by the healed text.
    let notes = got.ok()["choices"][0]["message"]["annotations"].clone();
    let kinds: Vec<&str> = notes
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["file", "url_citation"]);
    assert_eq!(notes[1]["url_citation"]["start_index"], 7);
}
