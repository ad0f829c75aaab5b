//! A search that the host runs itself, on every wire that has one: what was looked for, what the words
//! cite, and the count where there is one; whole and streamed alike.

use serde_json::{Value, json};

use crate::dialect::trial::{events, send, success, under, with};

const QUERY: &str = "Weather in Oslo?";
const URLS: [&str; 2] = [
    "https://example.com/weather-in-oslo",
    "https://example.org/weather-in-oslo",
];

fn asking(more: Value) -> Value {
    with(
        json!({"model": "m", "messages": [{"role": "user", "content": QUERY}]}),
        more,
    )
}

/// A place in a text.
fn place(index: &Value) -> usize {
    usize::try_from(index.as_u64().unwrap()).unwrap()
}

/// The sentence about a source, by characters.
fn sentence(text: &str, from: &Value, to: &Value) -> String {
    let (from, to) = (place(from), place(to));
    text.chars().skip(from).take(to - from).collect()
}

fn holds_two(text: &str, cited: &Value, inner: fn(&Value) -> &Value) {
    let cited = cited.as_array().unwrap();
    assert_eq!(cited.len(), 2, "{cited:?}");
    for (one, url) in cited.iter().zip(URLS) {
        assert_eq!(one["type"], "url_citation");
        let one = inner(one);
        assert_eq!(one["url"], url);
        let said = sentence(text, &one["start_index"], &one["end_index"]);
        assert!(
            said.starts_with("example.") && said.ends_with("simulated search."),
            "{said}"
        );
    }
}

#[test]
fn chat_completions_cite_in_annotations_however_the_host_is_asked() {
    let url = "https://sim.invalid/v1/chat/completions";
    for wish in [
        json!({"web_search_options": {}}),
        json!({"enable_search": true}),
        json!({"tools": [{"type": "web_search"}]}),
        json!({"tools": [{"type": "openrouter:web_search"}]}),
    ] {
        let body = asking(wish);
        let whole = success(&send(url, &body));
        let message = &whole["choices"][0]["message"];
        let text = message["content"].as_str().unwrap();
        holds_two(text, &message["annotations"], |one| &one["url_citation"]);
        let streamed = send(url, &with(body, json!({"stream": true})));
        let told: Vec<Value> = events(&streamed)
            .into_iter()
            .filter_map(|(_, event)| event.pointer("/choices/0/delta/annotations").cloned())
            .collect();
        assert_eq!(told, std::slice::from_ref(&message["annotations"]));
    }
    let plain = success(&send(url, &asking(json!({"enable_search": false}))));
    assert_eq!(plain["choices"][0]["message"]["annotations"], json!([]));
}

#[test]
fn some_hosts_list_their_sources_beside_the_choices() {
    let url = "https://sim.invalid/v1/chat/completions";
    let tool = json!({"tools": [{"type": "web_search", "web_search": {"enable": true}}]});
    for (wish, lists, on_every_chunk) in [
        (
            tool,
            [("web_search", "/0/link"), ("web_search", "/1/link")],
            false,
        ),
        (
            json!({"model": "sonar-pro"}),
            [("citations", "/0"), ("search_results", "/1/url")],
            true,
        ),
    ] {
        let body = asking(wish);
        let whole = success(&send(url, &body));
        assert_eq!(whole["choices"][0]["message"]["annotations"], json!([]));
        for ((list, at), address) in lists.into_iter().zip(URLS) {
            assert_eq!(whole[list].pointer(at), Some(&json!(address)));
        }
        let streamed = send(url, &with(body, json!({"stream": true})));
        let events = events(&streamed);
        let chunks: Vec<&Value> = events.iter().map(|(_, event)| event).collect();
        let listed = chunks
            .iter()
            .filter(|chunk| chunk[lists[0].0] == whole[lists[0].0]);
        let told = listed.count();
        let choices = |chunk: &&&Value| chunk["choices"].as_array().is_some_and(|c| !c.is_empty());
        let expected = if on_every_chunk {
            chunks.iter().filter(choices).count()
        } else {
            1
        };
        assert_eq!(told, expected);
        let text = serde_json::to_string(&chunks).unwrap();
        assert!(!text.contains("annotations"), "{text}");
    }
}

#[test]
fn responses_tell_of_a_search_as_an_item() {
    let url = "https://sim.invalid/v1/responses";
    let body = json!({"model": "m", "input": QUERY, "tools": [{"type": "web_search_preview"}]});
    let whole = success(&send(url, &body));
    let output = &whole["output"];
    assert_eq!(output[0]["type"], "web_search_call");
    assert_eq!(
        output[0]["action"],
        json!({"type": "search", "query": QUERY, "queries": [QUERY]})
    );
    let part = &output[1]["content"][0];
    let text = part["text"].as_str().unwrap();
    holds_two(text, &part["annotations"], |one| one);
    let streamed = events(&send(url, &with(body, json!({"stream": true}))));
    let of = |name: &str| -> Vec<&Value> {
        let named = streamed.iter().filter(|(named, _)| named == name);
        named.map(|(_, event)| event).collect()
    };
    for stage in ["in_progress", "searching", "completed"] {
        assert_eq!(
            of(&format!("response.web_search_call.{stage}"))[0]["item_id"],
            output[0]["id"]
        );
    }
    let told = of("response.output_text.annotation.added");
    let told: Value = told
        .iter()
        .map(|event| event["annotation"].clone())
        .collect();
    assert_eq!(told, part["annotations"]);
    assert_eq!(&of("response.completed")[0]["response"]["output"], output);
}

#[test]
fn messages_cite_in_blocks_of_their_own_and_count() {
    let url = "https://sim.invalid/v1/messages";
    let tools = json!([{"type": "web_search_20250305", "name": "web_search"}]);
    let body = asking(json!({"max_tokens": 500, "tools": tools}));
    let whole = success(&send(url, &body));
    let content = whole["content"].as_array().unwrap();
    let kinds: Vec<&str> = content
        .iter()
        .map(|b| b["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds[..3],
        ["server_tool_use", "web_search_tool_result", "text"]
    );
    assert_eq!(content[0]["input"], json!({"query": QUERY}));
    assert_eq!(content[1]["tool_use_id"], content[0]["id"]);
    let pages = content[1]["content"].as_array().unwrap();
    assert!(pages.iter().zip(URLS).all(|(page, url)| page["url"] == url));
    let cited: Vec<&Value> = content
        .iter()
        .filter(|b| b["citations"][0].is_object())
        .collect();
    assert!(
        cited
            .iter()
            .zip(URLS)
            .all(|(b, url)| b["citations"][0]["url"] == url)
    );
    assert_eq!(cited.len(), 2);
    assert_eq!(whole["usage"]["server_tool_use"]["web_search_requests"], 1);
    let streamed = events(&send(url, &with(body, json!({"stream": true}))));
    let mut joined: Vec<Value> = Vec::new();
    let mut input = String::new();
    for (name, event) in &streamed {
        match &**name {
            "content_block_start" => joined.push(event["content_block"].clone()),
            "content_block_delta" => {
                let (delta, block) = (&event["delta"], joined.last_mut().unwrap());
                if let Some(text) = delta["text"].as_str() {
                    block["text"] = json!(block["text"].as_str().unwrap().to_owned() + text);
                } else if let Some(citation) = delta.get("citation") {
                    block["citations"]
                        .as_array_mut()
                        .unwrap()
                        .push(citation.clone());
                } else {
                    input += delta["partial_json"].as_str().unwrap();
                }
            }
            "message_delta" => assert_eq!(event["usage"], whole["usage"]),
            _ => {}
        }
    }
    joined[0]["input"] = serde_json::from_str(&input).unwrap();
    assert_eq!(joined, *content);
}

#[test]
fn gemini_grounds_its_last_chunk() {
    let url = "https://sim.invalid/v1beta/models/m:";
    for name in ["googleSearch", "google_search"] {
        let tool = under(name, json!({}));
        let body = json!({"contents": [{"parts": [{"text": QUERY}]}], "tools": [tool]});
        let whole = success(&send(&format!("{url}generateContent"), &body));
        let candidate = &whole["candidates"][0];
        let text = candidate["content"]["parts"][0]["text"].as_str().unwrap();
        let grounding = &candidate["groundingMetadata"];
        assert_eq!(grounding["webSearchQueries"], json!([QUERY]));
        for (nth, url) in URLS.into_iter().enumerate() {
            assert_eq!(grounding["groundingChunks"][nth]["web"]["uri"], url);
            let support = &grounding["groundingSupports"][nth];
            assert_eq!(support["groundingChunkIndices"], json!([nth]));
            let at = |key: &str| place(&support["segment"][key]);
            assert_eq!(
                text[at("startIndex")..at("endIndex")],
                *support["segment"]["text"].as_str().unwrap()
            );
        }
        let streamed = send(&format!("{url}streamGenerateContent?alt=sse"), &body);
        let told: Vec<Value> = events(&streamed)
            .into_iter()
            .filter_map(|(_, event)| {
                let found = event.pointer("/candidates/0/groundingMetadata");
                found.cloned()
            })
            .collect();
        assert_eq!(told, std::slice::from_ref(grounding));
    }
}

#[test]
fn converse_cites_in_blocks_of_their_own() {
    let url = "https://sim.invalid/model/amazon.nova/converse";
    let body = json!({"messages": [{"role": "user", "content": [{"text": QUERY}]}],
        "toolConfig": {"tools": [{"systemTool": {"name": "nova_grounding"}}]}});
    let whole = success(&send(url, &body));
    let content = whole["output"]["message"]["content"].as_array().unwrap();
    let used = &content[0]["toolUse"];
    assert_eq!(used["type"], "server_tool_use");
    assert_eq!(used["input"], json!({"query": QUERY}));
    assert_eq!(content[1]["toolResult"]["toolUseId"], used["toolUseId"]);
    assert_eq!(
        content[1]["toolResult"]["content"],
        json!([{"text": "[HIDDEN]"}])
    );
    let mut cited = Vec::new();
    for (block, before) in content.iter().skip(1).zip(content) {
        let Some(cites) = block.get("citationsContent") else {
            continue;
        };
        // The words stand in the block before, the source in one of its own.
        let said = before["text"].as_str().unwrap();
        assert!(said.ends_with("simulated search."), "{said}");
        assert_eq!(cites.get("content"), None);
        cited.push(cites["citations"][0]["location"]["web"]["url"].clone());
    }
    assert_eq!(cited, URLS);
}
