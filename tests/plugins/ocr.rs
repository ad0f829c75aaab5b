//! `file-parser` through the gateway: scans, by the operator's OCR service, which here is a list of
//! replies at `ocr.mock`.

use serde_json::{Value, json};
use waystation_sim::{ReplayTransport, Reply, fixtures};
use waystation_tests::Station;

use crate::scene::{asked, parts, pdf, with};

const KEY: &str = "key-of-ocr-do-not-tell";

const CONFIG: &str = r#"
    [plugins.file-parser]
    mistral_ocr = { api_key = "key-of-ocr-do-not-tell", base_url = "http://ocr.mock", price = "0.002" }
"#;

fn pages(count: usize) -> Reply {
    let page = |n: usize| {
        let image = |i: usize| json!({"id": format!("img-{i}.jpeg"), "image_base64": format!("data:image/jpeg;base64,{n}{i}")});
        json!({"index": n, "markdown": format!("Page {n} ![img-0.jpeg](img-0.jpeg)"), "images": [image(0), image(1), image(2)]})
    };
    let pages: Vec<Value> = (0..count).map(page).collect();
    let body = json!({"pages": pages, "model": "m", "usage_info": {"pages_processed": count}});
    Reply::json(200, body.to_string())
}

fn station(ocr: Vec<Reply>, config: &str) -> Station {
    let say = || fixtures::answer("Read.", 5, 2);
    let upstream = ReplayTransport::hosts()
        .at("ocr.mock", ocr)
        .at("a.mock", vec![say(), say()])
        .at("b.mock", vec![say()])
        .at("c.mock", vec![say(), say()]);
    with(upstream, config, None).0
}

fn wanted() -> Value {
    json!({"plugins": [{"id": "file-parser", "pdf": {"engine": "mistral-ocr"}}]})
}

#[tokio::test(start_paused = true)]
async fn a_scan_is_read_by_the_service_when_the_request_asks_for_it() {
    let station = station(vec![pages(2)], CONFIG);
    let got = station
        .chat(asked("acme/text", &pdf(""), wanted()))
        .await
        .ok();
    let calls = station.upstream().requests();
    let (ask, chat) = (&calls[0], &calls[1]);
    assert_eq!(ask.url.to_string(), "http://ocr.mock/v1/ocr");
    assert_eq!(ask.headers["authorization"], format!("Bearer {KEY}"));
    let ask: Value = serde_json::from_slice(&ask.body).expect("JSON");
    assert_eq!(ask["document"]["type"], "document_url");
    assert_eq!(ask["image_limit"], 8);
    assert!(chat.url.to_string().starts_with("http://a.mock"));
    let parts = parts(&station);
    assert_eq!(parts.len(), 2, "images only for models that look at them");
    let text = parts[1]["text"].as_str().expect("text");
    assert!(text.contains("Page 0") && text.contains("Page 1"), "{text}");
    let note = &got["choices"][0]["message"]["annotations"][0]["file"];
    assert_eq!(note["content"].as_array().map(Vec::len), Some(1 + 6));
    assert_eq!(note["content"][1]["type"], "image_url");
}

/// At most eight pictures of a document, and at most eight in a request; the text stays.
#[tokio::test(start_paused = true)]
async fn pictures_go_to_models_that_look_within_their_limit() {
    let station = station(vec![pages(4), pages(2)], CONFIG);
    let mut body = asked("acme/eyes", &pdf(""), wanted());
    let second = asked("acme/eyes", &pdf(" "), json!({}))["messages"][0]["content"][1].clone();
    body["messages"][0]["content"]
        .as_array_mut()
        .expect("parts")
        .push(second);
    let got = station.chat(body.clone()).await.ok();
    let kinds = |parts: &[Value], kind: &str| parts.iter().filter(|p| p["type"] == kind).count();
    let sent = parts(&station);
    assert_eq!((kinds(&sent, "image_url"), kinds(&sent, "text")), (8, 3));
    let notes = got["choices"][0]["message"]["annotations"].clone();
    let held = |at: usize| {
        kinds(
            notes[at]["file"]["content"].as_array().unwrap(),
            "image_url",
        )
    };
    assert_eq!((held(0), held(1)), (8, 6));
    // Sent back, they take the place of asking again: the list of replies is at its end.
    let turns = body["messages"].as_array_mut().expect("messages");
    turns.push(json!({"role": "assistant", "content": "Read.", "annotations": notes}));
    turns.push(json!({"role": "user", "content": "And then?"}));
    station.chat(body).await.ok();
    assert_eq!(kinds(&parts(&station), "image_url"), 8);
}

/// What OCR costs stands apart from what the model costs, and is never billed unless asked for.
#[tokio::test(start_paused = true)]
async fn the_fee_is_told_apart() {
    let station = station(vec![pages(3)], CONFIG);
    let mut request = Station::request(
        http::Method::POST,
        "/v1/chat/completions",
        asked("acme/text", &pdf(""), wanted()).to_string(),
    );
    let name = http::HeaderName::from_static("x-openrouter-metadata");
    request
        .headers_mut()
        .insert(name, http::HeaderValue::from_static("enabled"));
    let got = station.whole(request).await.ok();
    let stages = got["openrouter_metadata"]["pipeline"]
        .as_array()
        .expect("stages");
    let ocr = stages
        .iter()
        .find(|stage| stage["data"]["engine"] == "mistral-ocr");
    let ocr = ocr.unwrap_or_else(|| panic!("{got}"));
    assert_eq!(ocr["data"]["pages"], 3);
    assert_eq!(ocr["cost_usd"].to_string(), "0.006");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_ends_the_request_and_nothing_is_sent_to_a_model() {
    for (reply, status, why) in [
        (Reply::json(503, "{}"), 502, "answered 503"),
        (Reply::json(401, "{}"), 502, "refuses the gateway's key"),
        (Reply::json(200, "{}"), 502, "without pages"),
        (
            Reply::json(200, r#"{"pages": [{"markdown": " "}]}"#),
            400,
            "no text",
        ),
    ] {
        let station = station(vec![reply], CONFIG);
        let error = station
            .chat(asked("acme/text", &pdf(""), wanted()))
            .await
            .error(status);
        let message = error["message"].as_str().expect("a message");
        assert!(
            message.contains(why) && message.contains("keel.pdf"),
            "{message}"
        );
        assert!(!message.contains("do-not-tell") && !message.contains("ocr.mock"));
        assert_eq!(station.upstream().calls(), 1);
    }
}

/// A service that fails says nothing of the endpoint, which was not asked: neither its circuit nor the
/// provider's credential suffers, and the request's record names no attempt at it.
#[tokio::test(start_paused = true)]
async fn a_service_that_fails_does_not_count_against_the_endpoint() {
    let down = (0..30).map(|_| Reply::json(503, "{}")).collect();
    let station = station(down, CONFIG);
    for _ in 0..30 {
        let body = asked("acme/text", &pdf(""), wanted());
        let error = station.chat(body).await.error(502);
        let message = error["message"].as_str().expect("a message");
        assert!(message.starts_with("file-parser: "), "{message}");
    }
    let plain = json!({"messages": [{"role": "user", "content": "Hi"}]});
    let body = waystation_tests::asking("acme/text", plain).to_string();
    let endpoints = station.get("/v1/models/acme/text/endpoints").await.ok();
    let uptime = &endpoints["data"]["endpoints"][0]["uptime_last_5m"];
    assert!(
        uptime.is_null(),
        "{uptime} of an endpoint that was never asked"
    );
    station.post(body).await.ok();
}

/// What costs money waits for an endpoint that needs it.
#[tokio::test(start_paused = true)]
async fn a_request_that_nobody_can_serve_is_not_read() {
    let station = station(vec![pages(1)], CONFIG);
    let mut body = asked("acme/text", &pdf(""), wanted());
    body["provider"] = json!({"max_price": {"prompt": 0.001}});
    station.chat(body).await.error(404);
    assert_eq!(station.upstream().calls(), 0);
}

/// A fallback gets what was read for the first endpoint; the stage and its fee are told once.
#[tokio::test(start_paused = true)]
async fn one_reading_serves_all_attempts() {
    let upstream = ReplayTransport::hosts()
        .at("ocr.mock", vec![pages(2)])
        .at("a.mock", vec![fixtures::error(500, "down")])
        .at("c.mock", vec![fixtures::answer("Read.", 5, 2)]);
    let (station, _) = with(upstream, CONFIG, None);
    let mut body = asked("acme/text", &pdf(""), wanted());
    body["models"] = json!(["acme/text", "acme/eyes"]);
    let mut request =
        Station::request(http::Method::POST, "/v1/chat/completions", body.to_string());
    let name = http::HeaderName::from_static("x-openrouter-metadata");
    request
        .headers_mut()
        .insert(name, http::HeaderValue::from_static("enabled"));
    let got = station.whole(request).await.ok();
    assert_eq!(station.asked(), ["ocr", "a", "c"]);
    let bodies = station.bodies();
    let text = |at: usize| bodies[at]["messages"][0]["content"][1]["text"].clone();
    assert_eq!(text(1), text(2));
    let images = |at: usize| bodies[at].to_string().matches("image_url\":{").count();
    assert_eq!((images(1), images(2)), (0, 6), "for who looks at them");
    let stages = got["openrouter_metadata"]["pipeline"].to_string();
    assert_eq!(stages.matches("mistral-ocr").count(), 2, "{stages}");
    assert_eq!(stages.matches("0.004").count(), 1, "{stages}");
}

/// Without a key, and for prompts that want no data kept, it is a 400 that names the fix.
#[tokio::test(start_paused = true)]
async fn a_service_that_may_not_be_asked_is_a_400_that_names_the_fix() {
    let refusal = async |config: &str, more: Value| {
        let station = station(vec![pages(1)], config);
        let mut body = asked("acme/text", &pdf(""), wanted());
        let members = body.as_object_mut().expect("an object");
        members.extend(more.as_object().expect("an object").clone());
        let error = station.chat(body).await.error(400);
        assert_eq!(station.upstream().calls(), 0);
        error["message"].as_str().expect("a message").to_owned()
    };
    let message = refusal("", json!({})).await;
    assert!(
        message.contains("[plugins.file-parser] mistral_ocr"),
        "{message}"
    );
    for private in [json!({"zdr": true}), json!({"data_collection": "deny"})] {
        let message = refusal(CONFIG, json!({ "provider": private })).await;
        assert!(message.contains("`zdr = true`"), "{message}");
    }
    let message = refusal(&format!("{CONFIG}\n[routing]\nzdr = true"), json!({})).await;
    assert!(message.contains("`zdr = true`"), "{message}");
}

/// A service that promises to keep nothing may be asked.
#[tokio::test(start_paused = true)]
async fn a_service_that_keeps_nothing_sees_private_prompts() {
    let config = CONFIG.replace("price", "zdr = true, price");
    let providers = r#"
        [providers.a]
        data_policy = { training = false, retention = "none", zdr = true }
    "#;
    let station = station(vec![pages(1)], &format!("{config}{providers}"));
    let mut body = asked("acme/text", &pdf(""), wanted());
    body["provider"] = json!({"zdr": true});
    station.chat(body).await.ok();
    assert_eq!(station.upstream().calls(), 2);
}

/// A scan without OCR names it.
#[tokio::test(start_paused = true)]
async fn a_scan_without_ocr_is_an_error_that_names_it() {
    let station = station(Vec::new(), CONFIG);
    let error = station
        .chat(asked("acme/text", &pdf(""), json!({})))
        .await
        .error(400);
    let message = error["message"].as_str().expect("a message");
    assert!(message.contains("mistral-ocr"), "{message}");
    assert_eq!(
        station.upstream().calls(),
        0,
        "never billed unless asked for"
    );
}
