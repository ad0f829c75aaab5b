//! Endpoints whose tool calls fail are tried last. Contract, section 3.5, 4, statement 72.

use serde_json::{Value, json};
use waystation_sim::{ReplayTransport, fixtures};
use waystation_tests::{Setup, Station, asking, completion};

/// Three equally priced providers; calls of tools at B cannot be read.
fn station() -> Station {
    let mut config = String::from("[catalog]\nbundled = false\n[[models]]\nid = \"acme/m\"\n");
    for slug in ["a", "b", "c"] {
        config.push_str(&format!(
            "[[models.endpoints]]\nprovider = \"{slug}\"\nmodel = \"m\"\n\
             price = {{ prompt = \"1\", completion = \"1\" }}\n"
        ));
    }
    for slug in ["a", "b", "c"] {
        config.push_str(&format!(
            "[providers.{slug}]\nname = \"{slug}\"\ndialect = \"openai-chat\"\n\
             base_url = \"http://{slug}.mock/v1\"\napi_key = \"key-of-{slug}\"\n"
        ));
    }
    Setup::empty()
        .config(&config)
        .start(ReplayTransport::answering(|request, _| {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            if body.get("tools").is_none() {
                return fixtures::answer("Hi", 5, 2);
            }
            let broken = request.url.host() == Some("b.mock");
            let arguments = if broken {
                "{\"city\": "
            } else {
                "{\"city\": \"Ulm\"}"
            };
            let call = json!({"id": "call_1", "type": "function",
                          "function": {"name": "weather", "arguments": arguments}});
            completion(
                json!({"role": "assistant", "content": null, "tool_calls": [call]}),
                "tool_calls",
                json!({"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}),
            )
        }))
}

fn tools(more: Value) -> Value {
    let mut body = asking("acme/m", more);
    body["tools"] = json!([{"type": "function", "function": {"name": "weather"}}]);
    body
}

/// How many of 60 requests B serves, once the health table has been read anew.
async fn at_b(station: &Station, body: &Value) -> usize {
    tokio::time::advance(std::time::Duration::from_millis(300)).await;
    let mut count = 0;
    for _ in 0..60 {
        count += usize::from(station.chat(body.clone()).await.ok()["provider"] == "b");
    }
    count
}

#[tokio::test(start_paused = true)]
async fn s72_with_tools_an_endpoint_that_breaks_its_calls_goes_last() {
    let station = station();
    // Until there is enough of it the draw goes on: this is where the samples come from.
    for _ in 0..120 {
        station.chat(tools(json!({}))).await.ok();
    }
    assert_eq!(at_b(&station, &tools(json!({}))).await, 0);
    // Without tools it is as good as any.
    assert!(at_b(&station, &asking("acme/m", json!({}))).await > 5);
    // An explicit sort switches it off: ties go by tag, so A is first, and B before C.
    let sorted = tools(json!({"provider": {"sort": "price", "ignore": ["a"]}}));
    assert_eq!(at_b(&station, &sorted).await, 60);
    // `:exacto` sorts by it.
    let mut exacto = tools(json!({"provider": {"ignore": ["a"]}}));
    exacto["model"] = json!("acme/m:exacto");
    assert_eq!(at_b(&station, &exacto).await, 0);
}

#[tokio::test(start_paused = true)]
async fn s72_until_there_are_enough_samples_exacto_is_the_default_draw() {
    let station = station();
    let exacto = asking("acme/m:exacto", json!({}));
    let count = at_b(&station, &exacto).await;
    assert!((5..=40).contains(&count), "{count}");
}
