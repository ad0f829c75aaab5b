//! Recorded traffic of real providers through the whole gateway, at any cut of the bytes: what a
//! client is shown must be what an independent reading of the recorded body says. Needs the
//! recordings beside the workspace and says so when they are absent.

use std::sync::Arc;

use serde_json::{Value, json};
use waystation_core::HttpRequest;
use waystation_sim::{ReplayTransport, Reply};
use waystation_tests::{Case, Reading, Setup, Station, Streamed, cases, reason};

/// One private model for each case, at a host of its own.
fn station(cases: &Arc<Vec<Case>>, cut: usize) -> Station {
    let mut config = String::from("[catalog]\nbundled = false\n");
    for at in 0..cases.len() {
        config.push_str(&format!(
            "[providers.case-{at}]\nname = 'Case {at}'\ndialect = 'openai-chat'\napi_key = 'not-a-real-key-{at}'\n\
             base_url = 'http://case-{at}.mock/v1'\n"
        ));
    }
    for at in 0..cases.len() {
        config.push_str(&format!(
            "[[models]]\nid = 'replay/case-{at}'\n[[models.endpoints]]\nprovider = 'case-{at}'\nmodel = 'recorded'\n"
        ));
    }
    let cases = Arc::clone(cases);
    Setup::empty()
        .config(&config)
        .start(ReplayTransport::answering(move |request, _| {
            let case = &cases[number(request)];
            let reply = Reply::json(case.status, case.reply.clone())
                .header("content-type", &case.content_type);
            if cut > 0 { reply.chunked(cut) } else { reply }
        }))
}

fn number(request: &HttpRequest) -> usize {
    let host = request.url.host().expect("a host");
    host.trim_start_matches("case-")
        .trim_end_matches(".mock")
        .parse()
        .expect("a case")
}

/// What a client is shown of one case.
async fn shown(station: &Station, at: usize, case: &Case) -> (u16, Streamed) {
    let mut body = case.request.clone();
    if !body.is_object() {
        body = json!({"messages": [{"role": "user", "content": "hi"}]});
    }
    // Nobody here is called as the recorded routing says.
    body.as_object_mut().expect("an object").remove("provider");
    body["model"] = json!(format!("replay/case-{at}"));
    body["stream"] = json!(case.streaming);
    let got = station.open(body).await.rest().await;
    (got.status, got)
}

/// Compares one case; gives what differs.
fn compare(case: &Case, status: u16, got: &Streamed) -> Option<String> {
    if case.status != 200 {
        let error: Value = serde_json::from_slice(&got.body).expect("JSON");
        let message = error["error"]["message"].as_str().unwrap_or_default();
        if status < 400 || error["error"]["code"] != status {
            return Some(format!("status {status}: {error}"));
        }
        // A refused credential is the gateway's own matter: its text may quote the key.
        let hidden = matches!(case.status, 401..=403);
        // What the gateway refuses by itself, it refuses in its own words.
        let own = status == 400 && error["error"]["param"].is_string();
        let reason = reason(&case.reply).filter(|_| !hidden && !own);
        let start = |text: &str| text.trim().chars().take(60).collect::<String>();
        return reason
            .filter(|reason| !message.contains(&start(reason)))
            .map(|reason| format!("{reason:?} is not in {message:?}"));
    }
    let want = Reading::of(&case.reply, case.streaming);
    if want.error.is_some() {
        return (!got.text().contains("\"error\""))
            .then(|| "an error in band is not told".to_owned());
    }
    if status != 200 {
        return Some(format!("status {status}: {}", got.text()));
    }
    if case.streaming && !got.text().ends_with("data: [DONE]\n\n") {
        return Some("the stream does not end with [DONE]".to_owned());
    }
    let own = Reading::of(&got.body, case.streaming);
    let mut differs = Vec::new();
    if own.text != want.text {
        differs.push(format!("text: {:?}, expected {:?}", own.text, want.text));
    }
    if own.calls != want.calls {
        differs.push(format!("calls: {:?}, expected {:?}", own.calls, want.calls));
    }
    if own.finish != want.finish {
        differs.push(format!(
            "finish: {:?}, expected {:?}",
            own.finish, want.finish
        ));
    }
    if want.tokens.is_some() && own.tokens != want.tokens {
        differs.push(format!(
            "tokens: {:?}, expected {:?}",
            own.tokens, want.tokens
        ));
    }
    (!differs.is_empty()).then(|| differs.join("\n  "))
}

/// Every case at one cut.
async fn replay(cut: usize) {
    let cases = Arc::new(cases("openai-chat"));
    if cases.is_empty() {
        return;
    }
    let station = station(&cases, cut);
    let mut wrong = Vec::new();
    for (at, case) in cases.iter().enumerate() {
        let (status, got) = shown(&station, at, case).await;
        if let Some(difference) = compare(case, status, &got) {
            wrong.push(format!("{}: {difference}", case.name));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} differ:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
    println!("{} recorded exchanges, pieces of {cut} bytes", cases.len());
}

#[tokio::test(start_paused = true)]
async fn recorded_exchanges_come_through_as_they_were_recorded() {
    replay(0).await;
}

#[tokio::test(start_paused = true)]
async fn recorded_exchanges_come_through_byte_by_byte() {
    replay(1).await;
}

#[tokio::test(start_paused = true)]
async fn recorded_exchanges_come_through_in_pieces_of_three() {
    replay(3).await;
}

#[tokio::test(start_paused = true)]
async fn recorded_exchanges_come_through_in_pieces_of_sixty_four() {
    replay(64).await;
}

/// Recorded requests leave with everything that they came with: messages, tools, parameters of the
/// vocabulary. What is only for gateways (cache marks, their own tools) stays here.
#[tokio::test(start_paused = true)]
async fn recorded_requests_leave_with_their_messages_and_tools_untouched() {
    let cases = Arc::new(cases("openai-chat"));
    if cases.is_empty() {
        return;
    }
    let station = station(&cases, 0);
    let mut wrong = Vec::new();
    let mut compared = 0;
    for (at, case) in cases.iter().enumerate() {
        let before = station.upstream().calls();
        shown(&station, at, case).await;
        let Some(sent) = station.bodies().into_iter().nth(before) else {
            continue;
        };
        for key in [
            "messages",
            "tools",
            "temperature",
            "seed",
            "top_p",
            "stop",
            "n",
            "logprobs",
        ] {
            let (was, is) = (essence(key, &case.request[key]), essence(key, &sent[key]));
            compared += usize::from(!was.is_null());
            if !was.is_null() && was != is {
                wrong.push(format!("{}: {key}: {is}, expected {was}", case.name));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(compared > 100);
}

/// A member without what the gateway may change: an empty list is none, `null` is absence, a tool
/// without a type is a function, reasoning and cache marks are for hosts that take them.
fn essence(key: &str, value: &Value) -> Value {
    let Some(list) = value
        .as_array()
        .filter(|_| matches!(key, "messages" | "tools"))
    else {
        return value.clone();
    };
    let own = |element: &&Value| {
        element["type"]
            .as_str()
            .is_none_or(|kind| !kind.contains(':'))
    };
    let plain = |element: &Value| {
        let mut element = without_marks(element);
        if let Some(object) = element.as_object_mut() {
            if key == "tools" {
                object.entry("type").or_insert_with(|| json!("function"));
            }
            object.retain(|name, _| !name.starts_with("reasoning"));
        }
        element
    };
    let list: Vec<Value> = list.iter().filter(own).map(plain).collect();
    if list.is_empty() {
        Value::Null
    } else {
        Value::Array(list)
    }
}

fn without_marks(value: &Value) -> Value {
    match value {
        Value::Array(list) => list.iter().map(without_marks).collect(),
        Value::Object(object) => {
            let kept = object
                .iter()
                .filter(|(name, value)| *name != "cache_control" && !value.is_null());
            kept.map(|(name, value)| (name.clone(), without_marks(value)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        }
        other => other.clone(),
    }
}
