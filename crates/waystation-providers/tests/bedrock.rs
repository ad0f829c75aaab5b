//! Every recorded exchange of Bedrock's Converse, read and written, against a second, small reading
//! of the same bytes by `serde_json`.
#![cfg(test)]

#[path = "support/bedrock.rs"]
mod bedrock;
#[path = "support/frame.rs"]
mod frame;
#[path = "support/heard.rs"]
mod heard;
#[path = "support/recorded.rs"]
mod recorded;
#[path = "support/reply.rs"]
mod reply;
#[path = "support/target.rs"]
mod target;

use std::{collections::BTreeMap, sync::Arc};

use frame::frame;
use heard::{Heard, in_order, message};
use recorded::Case;
use reply::{head, read};
use serde_json::{Value, json};
use target::{Host, chat};
use waystation_core::{Answer, ChatEvent, ErrorType, Quirks, UpstreamError};
use waystation_providers::BEDROCK_CONVERSE;

fn cases() -> Vec<Case> {
    recorded::cases("bedrock-converse", 33)
}

fn host(model: &str) -> Host {
    let mut host = Host::new("amazon-bedrock", "recorded").with(Quirks::default());
    host.upstream.base_url = "https://bedrock-runtime.us-east-1.amazonaws.com".into();
    host.endpoint.dialect = BEDROCK_CONVERSE.parse().unwrap();
    host.endpoint.upstream_model = Arc::from(model);
    host
}

/// What the host of a recording calls its model.
fn model(case: &Case) -> String {
    let path = case.meta["path"].as_str().unwrap();
    let name = path.split('/').nth(2).unwrap();
    name.replace("%3A", ":")
}

/// The body that a request to a model leaves as.
fn sent(model: &str, ask: &Value) -> Value {
    let body = host(model).encode(&chat(&ask.to_string())).request.body;
    serde_json::from_slice(&body).unwrap()
}

/// Reads a response in pieces of `size` bytes.
fn hear(case: &Case, bytes: &[u8], size: usize) -> (Vec<ChatEvent>, Result<(), UpstreamError>) {
    let ask = json!({"messages": [{"role": "user", "content": "Hi"}], "stream": case.streamed()});
    let mut headers = vec![("content-type", case.meta["content_type"].as_str().unwrap())];
    if let Some(kind) = case.meta["response_headers"]["x-amzn-errortype"].as_str() {
        headers.push(("x-amzn-errortype", kind));
    }
    let head = head(case.status(), &headers);
    let reader = host(&model(case)).encode(&chat(&ask.to_string())).reader;
    read(reader, &head, bytes.chunks(size))
}

#[test]
fn replies_say_what_they_say() {
    for case in cases().iter().filter(|case| case.status() == 200) {
        let (events, ended) = hear(case, &case.response, usize::MAX);
        ended.unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let expected = bedrock::witness(&case.response, case.streamed());
        assert_eq!(
            bedrock::compact(Heard::of(&events)),
            bedrock::compact(expected),
            "{}",
            case.name
        );
        in_order(&case.name, &events);
    }
}

#[test]
fn cutting_a_reply_does_not_change_it() {
    for case in cases() {
        let whole = hear(&case, &case.response, usize::MAX);
        for size in [1, 3, 64] {
            let cut = hear(&case, &case.response, size);
            assert_eq!(cut, whole, "{} by {size}", case.name);
        }
    }
}

#[test]
fn a_reply_that_breaks_off_is_never_a_clean_stop() {
    for case in cases().iter().filter(|case| case.status() == 200) {
        // The last frame of a stream has the counts; without it the reply is whole all the same.
        let ends = match case.streamed() {
            true => bedrock::ends(&case.response),
            false => vec![0, case.response.trim_ascii_end().len()],
        };
        let end = if case.streamed() {
            ends[ends.len() - 2]
        } else {
            ends[1]
        };
        let step = (end / 80).max(1);
        for at in (0..end).step_by(step).chain(end.saturating_sub(3)..end) {
            let (events, ended) = hear(case, &case.response[..at], 4096);
            assert!(ended.is_err(), "{} cut at {at} of {end}", case.name);
            let finished = events
                .iter()
                .any(|event| matches!(event, ChatEvent::Finish(_)));
            assert!(!finished, "{} cut at {at}", case.name);
        }
        if case.streamed() {
            let (events, ended) = hear(case, &case.response[..end], 4096);
            assert!(ended.is_ok(), "{}", case.name);
            assert!(matches!(events.last(), Some(ChatEvent::Finish(_))));
        }
    }
}

#[test]
fn a_flipped_bit_is_an_error() {
    for case in cases().iter().filter(|case| case.streamed()) {
        let mut broken = case.response.clone();
        let middle = broken.len() / 2;
        broken[middle] ^= 16;
        let (_, ended) = hear(case, &broken, 4096);
        assert!(
            ended.unwrap_err().message.contains("checksum"),
            "{}",
            case.name
        );
    }
}

#[test]
fn errors_give_the_upstreams_reason() {
    for case in cases().iter().filter(|case| case.status() != 200) {
        let (events, ended) = hear(case, &case.response, 7);
        let error = ended.expect_err(&case.name);
        let body: Value = serde_json::from_slice(&case.response).unwrap();
        assert!(
            error.message.contains(body["message"].as_str().unwrap()),
            "{}",
            case.name
        );
        assert!(events.is_empty());
        let (kind, code) = match case.status() {
            403 => (ErrorType::Authentication, "UnrecognizedClientException"),
            404 => (ErrorType::NotFound, "ResourceNotFoundException"),
            _ => (ErrorType::InvalidRequest, ""),
        };
        assert_eq!(error.kind, kind, "{}", case.name);
        assert_eq!(
            error.code.as_deref().unwrap_or_default(),
            code,
            "{}",
            case.name
        );
    }
}

#[test]
fn requests_say_what_recorded_clients_say() {
    for case in cases() {
        let native = case.request.as_ref().unwrap();
        let model = model(&case);
        let call = host(&model).encode(&chat(&bedrock::chat_of(native).to_string()));
        let path = call.request.url.path().replace("%3A", ":");
        let recorded = case.meta["path"].as_str().unwrap().replace("%3A", ":");
        assert_eq!(path, recorded.trim_end_matches("-stream"));
        let found: Value = serde_json::from_slice(&call.request.body).unwrap();
        assert_eq!(
            bedrock::plain(&found),
            bedrock::plain(native),
            "{}",
            case.name
        );
    }
}

/// The second turn of each recorded loop, made of what was decoded of the first.
#[test]
fn a_decoded_answer_goes_back_as_the_recorded_client_sent_it() {
    let cases = cases();
    let turn = |case: &Case| {
        let conversation = case.meta["conversation"].as_str().unwrap();
        let conversation = format!("{}/{conversation}", case.provider);
        (conversation, case.meta["turn"].as_u64().unwrap())
    };
    let by_turn: BTreeMap<_, &Case> = cases.iter().map(|case| (turn(case), case)).collect();
    let mut compared = 0;
    for ((conversation, turn), next) in &by_turn {
        let before = by_turn.get(&(conversation.clone(), turn - 1));
        let (Some(before), Some(native)) = (before, &next.request) else {
            continue;
        };
        let (events, ended) = hear(before, &before.response, 64);
        ended.unwrap();
        let mut ask = bedrock::chat_of(native);
        let messages = ask["messages"].as_array_mut().unwrap();
        let last = messages
            .iter()
            .rposition(|one| one["role"] == "assistant")
            .unwrap();
        messages[last] = message(&events);
        let found = bedrock::plain(&sent(&model(next), &ask));
        assert_eq!(
            found["messages"],
            bedrock::plain(native)["messages"],
            "{}",
            next.name
        );
        compared += 1;
        println!("{}", next.name);
    }
    assert!(compared >= 6 || cases.is_empty(), "{compared} loops");
}

#[test]
fn exceptions_in_a_stream_are_errors() {
    let said = r#"{"message":"no"}"#;
    let long = r#"{"message":"Input is too long for requested model."}"#;
    for (name, body, kind) in [
        ("throttlingException", said, ErrorType::RateLimitExceeded),
        (
            "serviceUnavailableException",
            said,
            ErrorType::ProviderOverloaded,
        ),
        (
            "internalServerException",
            said,
            ErrorType::ProviderUnavailable,
        ),
        (
            "modelStreamErrorException",
            said,
            ErrorType::ProviderUnavailable,
        ),
        ("modelTimeoutException", said, ErrorType::Timeout),
        ("validationException", said, ErrorType::InvalidRequest),
        (
            "validationException",
            long,
            ErrorType::ContextLengthExceeded,
        ),
        ("newException", said, ErrorType::ProviderUnavailable),
    ] {
        let ask = chat(r#"{"messages":[{"role":"user","content":"Hi"}],"stream":true}"#);
        let event = [(":message-type", "event"), (":event-type", "messageStart")];
        let mut bytes = frame(&event, "{}");
        bytes.extend(frame(
            &[(":message-type", "exception"), (":exception-type", name)],
            body,
        ));
        let head = head(
            200,
            &[("content-type", "application/vnd.amazon.eventstream")],
        );
        let (events, ended) = read(host("m").encode(&ask).reader, &head, bytes.chunks(5));
        let error = ended.unwrap_err();
        assert_eq!(events.len(), 1);
        assert_eq!((error.kind, error.code.as_deref()), (kind, Some(name)));
        assert!(body.contains(&error.message));
    }
}

/// The shapes are those that users of Amazon's search have published: words in a block, their sources
/// in one of their own behind it, pages with an address and a host.
#[test]
fn sources_that_stand_behind_the_words_cite_them() {
    let web = |host: &str| json!({"location": {"web": {"url": format!("https://{host}/a"), "domain": host}}});
    let whole = json!({"output": {"message": {"role": "assistant", "content": [
        {"toolUse": {"toolUseId": "t1", "name": "nova_grounding", "input": {"query": "q"}, "type": "server_tool_use"}},
        {"toolResult": {"toolUseId": "t1", "content": [{"text": "[HIDDEN]"}], "status": "success",
            "type": "nova_grounding_result"}},
        {"text": "Größe."}, {"citationsContent": {"citations": [web("a.example"), web("b.example")]}},
        {"text": " Ende"}, {"citationsContent": {"citations": [web("c.example")]}}, {"text": "."}]}},
        "stopReason": "end_turn", "usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}});
    let content = whole["output"]["message"]["content"].as_array().unwrap();
    let event = |name: &str, payload: Value| {
        frame(
            &[(":message-type", "event"), (":event-type", name)],
            &payload.to_string(),
        )
    };
    let mut stream = event("messageStart", json!({"role": "assistant"}));
    for (index, block) in content.iter().enumerate() {
        let delta = |delta: &Value| json!({"contentBlockIndex": index, "delta": delta});
        if block.get("text").is_some() {
            stream.extend(event("contentBlockDelta", delta(block)));
        }
        for citation in block["citationsContent"]["citations"]
            .as_array()
            .into_iter()
            .flatten()
        {
            stream.extend(event(
                "contentBlockDelta",
                delta(&json!({"citation": citation})),
            ));
        }
        stream.extend(event(
            "contentBlockStop",
            json!({"contentBlockIndex": index}),
        ));
    }
    stream.extend(event("messageStop", json!({"stopReason": "end_turn"})));
    stream.extend(event("metadata", json!({"usage": whole["usage"]})));
    let expected = json!([
        ["a.example", 0, 6],
        ["b.example", 0, 6],
        ["c.example", 6, 11]
    ]);
    let body = whole.to_string().into_bytes();
    for (kind, bytes) in [
        ("application/json", body),
        ("application/vnd.amazon.eventstream", stream),
    ] {
        let streamed = kind.ends_with("eventstream");
        let ask = json!({"messages": [{"role": "user", "content": "Hi"}], "stream": streamed});
        let reader = host("amazon.nova-2-lite-v1:0")
            .encode(&chat(&ask.to_string()))
            .reader;
        let head = head(200, &[("content-type", kind)]);
        let (events, ended) = read(reader, &head, bytes.chunks(7));
        ended.unwrap();
        assert_eq!(message(&events)["content"], "Größe. Ende.", "{kind}");
        let answer = Answer::of(events);
        let annotations = answer.choices[0].annotations().unwrap();
        let annotations: Vec<Value> = serde_json::from_slice(annotations.bytes()).unwrap();
        let cited = annotations.iter().map(|one| {
            let one = &one["url_citation"];
            assert_eq!(
                one["url"],
                format!("https://{}/a", one["title"].as_str().unwrap())
            );
            json!([one["title"], one["start_index"], one["end_index"]])
        });
        assert_eq!(Value::Array(cited.collect()), expected, "{kind}");
    }
}

#[test]
fn claude_thinks_as_its_generation_does() {
    let ask = json!({"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 10000,
        "temperature": 0.5, "top_k": 5, "reasoning": {"max_tokens": 2000}});
    let body = sent("us.anthropic.claude-sonnet-4-5-20250929-v1:0", &ask);
    let thinking = json!({"type": "enabled", "budget_tokens": 2000});
    assert_eq!(
        body["additionalModelRequestFields"],
        json!({"thinking": thinking})
    );
    assert_eq!(body["inferenceConfig"], json!({"maxTokens": 10000}));
    let plain = json!({"messages": [{"role": "user", "content": "Hi"}], "top_k": 5, "stop": "x",
        "temperature": 0.5, "anthropic_beta": ["b"],
        "provider": {"options": {"amazon-bedrock": {"guardrailConfig": {"guardrailIdentifier": "g"}}}}});
    let body = sent("us.anthropic.claude-sonnet-4-5-20250929-v1:0", &plain);
    assert_eq!(
        body["additionalModelRequestFields"],
        json!({"top_k": 5, "anthropic_beta": ["b"]})
    );
    assert_eq!(
        body["inferenceConfig"],
        json!({"temperature": 0.5, "stopSequences": ["x"]})
    );
    assert_eq!(body["guardrailConfig"]["guardrailIdentifier"], "g");
    let nova = sent(
        "us.amazon.nova-2-lite-v1:0",
        &json!({"reasoning_effort": "minimal", "top_k": 5,
        "web_search_options": {}, "messages": [{"role": "user", "content": "Hi"}]}),
    );
    assert_eq!(
        nova["additionalModelRequestFields"],
        json!({"inferenceConfig": {"topK": 5},
        "reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}})
    );
    assert_eq!(
        nova["toolConfig"]["tools"],
        json!([{"systemTool": {"name": "nova_grounding"}}])
    );
}

#[test]
fn turns_alternate_and_begin_with_the_user() {
    let call =
        json!({"id": "call:1", "type": "function", "function": {"name": "f", "arguments": "no"}});
    let mark = json!({"type": "ephemeral", "ttl": "1h"});
    let ask = json!({"messages": [
        {"role": "system", "content": [{"type": "text", "text": "Be brief.", "cache_control": mark}]},
        {"role": "assistant", "content": "Hello.", "tool_calls": [call], "reasoning_details": [
            {"type": "reasoning.encrypted", "data": "seal", "format": "anthropic-claude-v1"},
            {"type": "reasoning.encrypted", "data": "c2VhbA==", "format": "bedrock-anthropic-claude-v1"},
            {"type": "reasoning.text", "text": "unsigned", "format": "anthropic-claude-v1"}]},
        {"role": "tool", "tool_call_id": "call:1", "content": ""},
        {"role": "user", "name": "Ada", "content": [{"type": "file", "file":
            {"filename": "a_b.pdf", "file_data": "data:application/pdf;base64,AA=="}}]},
        {"role": "user", "content": " "}],
        "response_format": {"type": "json_object"}});
    let body = sent("anthropic.claude-sonnet-4-5", &ask);
    assert_eq!(body["system"].as_array().unwrap().len(), 3);
    assert_eq!(
        body["system"][2],
        json!({"cachePoint": {"type": "default", "ttl": "1h"}})
    );
    let sealed = json!({"reasoningContent": {"redactedContent": "c2VhbA=="}});
    let expected = json!([
        {"role": "user", "content": [{"text": "(start)"}]},
        {"role": "assistant", "content": [sealed, sealed, {"text": "Hello."},
            {"toolUse": {"toolUseId": "call_1", "name": "f", "input": {"arguments": "no"}}}]},
        {"role": "user", "content": [
            {"toolResult": {"toolUseId": "call_1", "content": [{"text": "(empty)"}]}},
            {"text": "Ada:"},
            {"document": {"format": "pdf", "name": "a b", "source": {"bytes": "AA=="}}}]}]);
    assert_eq!(body["messages"], expected);
    // Earlier calls want tools to be there.
    assert_eq!(
        body["toolConfig"]["tools"],
        json!([{"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}])
    );
}

#[test]
fn sound_and_video_are_blocks_of_their_own() {
    let ask = json!({"messages": [{"role": "user", "content": [
        {"type": "text", "text": "What?"},
        {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
        {"type": "input_audio", "input_audio": {"data": "data:audio/mpeg;base64,AQ=="}},
        {"type": "input_audio", "input_audio": {"data": "s3://bucket/a.flac"}},
        {"type": "file", "file": {"file_data": "data:audio/ogg;base64,Ag=="}},
        {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,Aw=="}}]}]});
    let sent = sent("amazon.nova-2-omni-v1:0", &ask);
    let block = |kind: &str, format: &str, source: Value| json!({kind: {"format": format, "source": source}});
    let expected = json!([
        {"text": "What?"},
        block("audio", "wav", json!({"bytes": "AA=="})),
        block("audio", "mp3", json!({"bytes": "AQ=="})),
        block("audio", "flac", json!({"s3Location": {"uri": "s3://bucket/a.flac"}})),
        block("audio", "ogg", json!({"bytes": "Ag=="})),
        block("video", "mp4", json!({"bytes": "Aw=="})),
    ]);
    assert_eq!(sent["messages"][0]["content"], expected);
}

#[test]
fn what_the_host_cannot_fetch_is_refused() {
    for part in [
        json!({"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}),
        json!({"type": "input_audio", "input_audio": {"data": "AA==", "format": "midi"}}),
        json!({"type": "input_audio", "input_audio": {"data": "https://a.example/b.wav"}}),
        json!({"type": "file", "file": {"file_id": "f"}}),
        json!({"type": "file", "file": {"file_data": "data:application/zip;base64,AA=="}}),
    ] {
        let ask = json!({"messages": [{"role": "user", "content": [part]}]});
        let refused = host("m")
            .try_encode(&chat(&ask.to_string()))
            .unwrap_err()
            .to_string();
        assert!(
            refused.starts_with("messages[0].content[0]: expected"),
            "{refused}"
        );
    }
}

#[test]
#[cfg(feature = "bedrock")]
fn requests_are_signed_where_the_provider_wants_it() {
    let ask = chat(r#"{"messages":[{"role":"user","content":"Hi"}]}"#);
    let mut host = host("anthropic.claude-sonnet-4-5-v1:0");
    host.upstream.auth = waystation_core::AuthScheme::Sigv4;
    let refused = host.try_encode(&ask).unwrap_err().to_string();
    assert!(refused.contains("ID:KEY"), "{refused}");
    host.lease.secret = Some(waystation_core::Secret::new("AKID:key:token"));
    let signed = |host: &Host| {
        let request = host.encode(&ask).request;
        request.headers["authorization"]
            .to_str()
            .unwrap()
            .to_owned()
    };
    // The region of the address, unless the operator names one.
    let scope = "Credential=AKID/19700101/us-east-1/bedrock/aws4_request, \
                 SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=";
    assert!(signed(&host).contains(scope), "{}", signed(&host));
    host.upstream.settings.region = Some("eu-west-3".into());
    assert!(signed(&host).contains("/eu-west-3/bedrock/"));
    host.upstream.settings.region = None;
    host.upstream.base_url = "https://gateway.example".into();
    let refused = host.try_encode(&ask).unwrap_err().to_string();
    assert!(refused.starts_with("region is not usable"), "{refused}");
}
