//! The wire as an unmodified client would read it.

use serde_json::{Value, json};

use crate::dialect::trial::{
    Heard, events, faults_work, person, place, send, success, under, with,
};

const WHOLE: &str = "https://sim.invalid/v1beta/models/gemini-2.5-flash:generateContent";
const STREAM: &str =
    "https://sim.invalid/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse";

fn ask(prompt: &str, more: Value) -> Value {
    let body = json!({"systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [{"role": "user", "parts": [{"text": prompt}]}]});
    with(body, more)
}

fn config(more: Value) -> Value {
    under("generationConfig", more)
}

fn weather() -> Value {
    json!([{"functionDeclarations": [{"name": "get_weather", "description": "Weather at a place",
        "parametersJsonSchema": place()}]}, {"googleSearch": {}}])
}

/// Takes the candidate with this index out of a chunk, or a whole reply.
fn take(chunk: &Value, index: u64, heard: &mut Heard) {
    let candidates = chunk["candidates"].as_array().unwrap();
    for candidate in candidates.iter().filter(|one| one["index"] == index) {
        assert_eq!(candidate["content"]["role"], "model");
        for part in candidate["content"]["parts"].as_array().unwrap() {
            match (part.get("functionCall"), part["thought"] == true) {
                (Some(call), _) => heard.calls(&call["name"], &call["args"].to_string()),
                (None, true) => heard.thinks(&part["text"]),
                (None, false) => heard.says(&part["text"]),
            }
        }
        if let Some(reason) = candidate["finishReason"].as_str() {
            assert!(heard.finish.is_empty());
            heard.finish = reason.into();
        }
    }
    let usage = &chunk["usageMetadata"];
    let thoughts = usage["thoughtsTokenCount"].as_u64().unwrap_or_default();
    let written = usage["candidatesTokenCount"].as_u64().unwrap() + thoughts;
    let total = usage["promptTokenCount"].as_u64().unwrap() + written;
    assert_eq!(usage["totalTokenCount"], total);
    assert!(written >= heard.usage.1, "counts grow");
    heard.counts(&usage["promptTokenCount"], &json!(written));
}

fn whole(body: &Value, index: u64) -> Heard {
    let mut heard = Heard::default();
    take(&success(&send(WHOLE, body)), index, &mut heard);
    heard
}

fn streamed(body: &Value, index: u64) -> Heard {
    let mut heard = Heard::default();
    for (_, chunk) in events(&send(STREAM, body)) {
        take(&chunk, index, &mut heard);
    }
    heard
}

#[test]
fn streams_say_what_whole_replies_say() {
    let schema = json!({"responseMimeType": "application/json", "responseJsonSchema": person()});
    let thinking = |budget: i64| json!({"includeThoughts": true, "thinkingBudget": budget});
    for body in [
        ask("Grüße, 世界 🌍", json!({})),
        ask("Weather in Oslo?", json!({"tools": weather()})),
        ask("Think", config(json!({"thinkingConfig": thinking(-1)}))),
        ask("Ada is 36", config(schema)),
        ask("A long story", config(json!({"maxOutputTokens": 5}))),
        ask(
            "Why?",
            config(json!({"maxOutputTokens": 3, "thinkingConfig": thinking(9)})),
        ),
        ask("Twice", config(json!({"candidateCount": 2}))),
        ask("Hi", config(json!({"stopSequences": [" answer"]}))),
    ] {
        for index in 0..2 {
            let whole = whole(&body, index);
            assert_eq!(whole, streamed(&body, index), "{body}");
            assert!(whole.usage.0 > 0 && whole.usage.1 > 0);
        }
    }
    let twice = ask("Twice", config(json!({"candidateCount": 2})));
    assert_ne!(whole(&twice, 1).text, "");
    let reply = send(STREAM, &twice);
    assert!(
        reply
            .pieces
            .iter()
            .all(|(_, piece)| piece.ends_with(b"\r\n\r\n"))
    );
}

#[test]
fn without_events_a_stream_is_one_array() {
    let body = ask("Hi", json!({}));
    let reply = send(STREAM.strip_suffix("?alt=sse").unwrap(), &body);
    assert!(!reply.is_stream() && reply.pieces.len() > 3);
    let mut heard = Heard::default();
    for chunk in success(&reply).as_array().unwrap() {
        take(chunk, 0, &mut heard);
    }
    assert_eq!(heard, whole(&body, 0));
}

#[test]
fn replies_end_as_geminis_do() {
    assert!(whole(&ask("Hi", json!({})), 0).text.contains("simulated"));
    assert_eq!(whole(&ask("Hi", json!({})), 0).finish, "STOP");
    let cut = ask("Hi", config(json!({"maxOutputTokens": 2})));
    assert_eq!(whole(&cut, 0).finish, "MAX_TOKENS");
    let call = whole(&ask("Weather in Oslo?", json!({"tools": weather()})), 0);
    assert_eq!(call.finish, "STOP");
    assert_eq!(
        call.calls,
        [("get_weather".into(), json!({"city": "Oslo"}))]
    );
}

#[test]
fn functions_are_chosen_and_their_results_answered() {
    let mode = |mode: &str, names: Value| {
        json!({"tools": weather(), "toolConfig": {"functionCallingConfig":
            {"mode": mode, "allowedFunctionNames": names}}})
    };
    let forced = ask("Hello", mode("ANY", json!(["get_weather"])));
    assert_eq!(whole(&forced, 0).calls.len(), 1);
    assert!(
        whole(&ask("Weather?", mode("NONE", json!([]))), 0)
            .calls
            .is_empty()
    );
    // Gemini's third generation gives ids and signs its calls; snake case is understood.
    let url = WHOLE.replace("2.5-flash", "3-flash-preview");
    let snake = json!({"tools": [{"function_declarations": [{"name": "get_weather",
        "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}}}]}]});
    let part =
        success(&send(&url, &ask("Weather in Oslo?", snake)))["candidates"][0]["content"]["parts"]
            [0]
        .clone();
    assert!(part["functionCall"]["id"].is_string() && part["thoughtSignature"].is_string());
    assert_eq!(part["functionCall"]["args"], json!({"city": "Oslo"}));
    let mut body = ask("Weather in Oslo?", json!({"tools": weather()}));
    let contents = body["contents"].as_array_mut().unwrap();
    contents.push(json!({"role": "model", "parts": [part]}));
    let response = json!({"name": "get_weather", "response": {"celsius": 4}});
    contents.push(json!({"role": "user", "parts": [{"functionResponse": response}]}));
    assert!(whole(&body, 0).text.contains("celsius is 4"));
}

#[test]
fn thoughts_are_shown_when_included() {
    let asked =
        |thinking: Value| whole(&ask("Why?", config(json!({"thinkingConfig": thinking}))), 0);
    assert!(!asked(json!({"includeThoughts": true})).reasoning.is_empty());
    let hidden = asked(json!({"thinkingLevel": "high"}));
    let off = asked(json!({"thinkingBudget": 0}));
    assert!(hidden.reasoning.is_empty() && hidden.usage.1 > hidden.text.len().div_ceil(4) as u64);
    assert_eq!(off.usage.1, off.text.len().div_ceil(4) as u64);
}

#[test]
fn logprobs_cover_the_text() {
    let more = config(json!({"responseLogprobs": true, "logprobs": 2}));
    let reply = success(&send(WHOLE, &ask("Hi", more)));
    let candidate = &reply["candidates"][0];
    let chosen = candidate["logprobsResult"]["chosenCandidates"].as_array();
    let text: String = chosen
        .unwrap()
        .iter()
        .map(|one| one["token"].as_str().unwrap())
        .collect();
    assert_eq!(candidate["content"]["parts"][0]["text"], text);
}

#[test]
fn what_is_wrong_is_refused_by_name() {
    for (body, named) in [
        (json!([]), "body"),
        (json!({}), "contents"),
        (json!({"contents": [{"role": "queen"}]}), "contents[0].role"),
        (ask("Hi", config(json!(3))), "generationConfig"),
        (
            ask("Hi", config(json!({"maxOutputTokens": 0}))),
            "maxOutputTokens",
        ),
        (
            ask("Hi", config(json!({"candidateCount": 9}))),
            "candidateCount",
        ),
        (
            ask("Hi", json!({"tools": [{"functionDeclarations": [{}]}]})),
            "functionDeclarations[0].name",
        ),
        (
            ask(
                "Hi",
                json!({"toolConfig": {"functionCallingConfig": {"mode": "x"}}}),
            ),
            "functionCallingConfig.mode",
        ),
    ] {
        let reply = send(WHOLE, &body);
        assert_eq!(reply.head.status, 400, "{body}");
        let error: Value = serde_json::from_slice(&reply.body()).unwrap();
        assert_eq!(error["error"]["status"], "INVALID_ARGUMENT");
        assert!(
            error["error"]["message"].as_str().unwrap().contains(named),
            "{error}"
        );
    }
    let error = faults_work(STREAM, &ask("Hi", json!({})));
    assert_eq!(error["error"]["status"], "RESOURCE_EXHAUSTED");
}
