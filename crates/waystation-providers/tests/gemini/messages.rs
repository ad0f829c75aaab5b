//! What becomes of messages, part by part.

use serde_json::{Value, json};

use crate::{
    requests::{body, flash, refusal, third},
    studio,
    target::{Host, chat},
    vertex,
};

#[test]
fn messages_become_contents_and_an_instruction() {
    let sent = body(
        &flash(),
        &json!({"messages": [
            {"role": "system", "content": "One."},
            {"role": "user", "name": "Ada", "content": [{"type": "text", "text": "Hi"}, {"type": "text", "text": "!"}]},
            {"role": "developer", "content": [{"type": "text", "text": "Two."}]},
            {"role": "assistant", "content": null, "refusal": "No."},
            {"role": "assistant", "content": ""},
            {"role": "user", "content": "And?"},
            {"role": "assistant", "content": "Then"},
        ]}),
    );
    assert_eq!(
        sent["systemInstruction"],
        json!({"parts": [{"text": "One."}, {"text": "Two."}]})
    );
    assert_eq!(
        sent["contents"],
        json!([
            {"role": "user", "parts": [{"text": "Ada: Hi"}, {"text": "!"}]},
            {"role": "model", "parts": [{"text": "No."}]},
            {"role": "user", "parts": [{"text": "And?"}]},
            {"role": "model", "parts": [{"text": "Then"}]},
        ])
    );
    let alone = body(
        &flash(),
        &json!({"messages": [{"role": "system", "content": "Speak."}]}),
    );
    assert_eq!(
        alone["contents"],
        json!([{"role": "user", "parts": [{"text": "Speak."}]}])
    );
    assert!(alone.get("systemInstruction").is_none());
}

/// Messages of a round in which `a` and `b` are called and answered the other way round.
fn round(made: bool) -> Value {
    let ids = if made {
        ["gcall_0123456789abcdef_0", "gcall_0123456789abcdef_1"]
    } else {
        ["x1", "x2"]
    };
    let call = |id: &str, name: &str, text: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": text}});
    json!([
        {"role": "user", "content": "Go"},
        {"role": "assistant", "content": "So.", "tool_calls": [call(ids[0], "a", "{\"n\":1.0}"), call(ids[1], "b", "")]},
        {"role": "tool", "tool_call_id": ids[1], "content": "plain"},
        {"role": "tool", "tool_call_id": ids[0], "content": [
            {"type": "text", "text": "{\"ok\": true}"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        ]},
        {"role": "user", "content": "Well?"},
    ])
}

#[test]
fn results_of_a_round_stand_in_one_content_by_name() {
    let image = json!({"inlineData": {"mimeType": "image/png", "data": "AAAA"}});
    let sent = body(&third(), &json!({"messages": round(false)}));
    assert_eq!(
        sent["contents"][2],
        json!({"role": "user", "parts": [
            {"functionResponse": {"id": "x1", "name": "a", "response": {"ok": true}, "parts": [image]}},
            {"functionResponse": {"id": "x2", "name": "b", "response": {"output": "plain"}}},
        ]})
    );
    assert_eq!(sent["contents"].as_array().unwrap().len(), 4);
    let sent = body(&flash(), &json!({"messages": round(true)}));
    assert_eq!(
        sent["contents"].as_array().unwrap()[1..],
        [
            json!({"role": "model", "parts": [
                {"text": "So."},
                {"functionCall": {"name": "a", "args": {"n": 1.0}}},
                {"functionCall": {"name": "b", "args": {}}},
            ]}),
            json!({"role": "user", "parts": [
                {"functionResponse": {"name": "a", "response": {"ok": true}}},
                {"functionResponse": {"name": "b", "response": {"output": "plain"}}},
            ]}),
            json!({"role": "user", "parts": [image]}),
            json!({"role": "user", "parts": [{"text": "Well?"}]}),
        ]
    );
}

#[test]
fn a_result_without_a_call_is_refused_or_says_its_name() {
    let result = |members: Value| {
        let mut message = json!({"role": "tool", "tool_call_id": "nobody", "content": "[1]"});
        message
            .as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        json!({"messages": [{"role": "user", "content": "Hi"}, message]})
    };
    let refused = refusal(&flash(), &result(json!({})));
    assert!(
        refused.starts_with("messages[1].tool_call_id: \"nobody\" answers no earlier"),
        "{refused}"
    );
    let sent = body(&flash(), &result(json!({"name": "f"})));
    let response = json!({"id": "nobody", "name": "f", "response": {"output": "[1]"}});
    assert_eq!(
        sent["contents"][1]["parts"][0]["functionResponse"],
        response
    );
}

#[test]
fn arguments_that_are_no_object_go_inside_one() {
    let request = json!({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{broken"}},
    ]}]});
    let call = flash().encode(&chat(&request.to_string()));
    let sent: Value = serde_json::from_slice(&call.request.body).unwrap();
    assert_eq!(
        sent["contents"][1]["parts"][0]["functionCall"]["args"],
        json!({"arguments": "{broken"})
    );
    assert_eq!(
        call.notes[0].field,
        "messages[1].tool_calls[0].function.arguments"
    );
}

#[test]
fn signatures_go_back_where_they_stood() {
    let detail = |id: &str, data: &str| json!({"type": "reasoning.encrypted", "format": "google-gemini-v1", "id": id, "data": data});
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let model = |host: &Host, message: Value| {
        let request = json!({"messages": [{"role": "user", "content": "Hi"}, message]});
        body(host, &request)["contents"][1]["parts"].clone()
    };
    let parts = model(
        &third(),
        json!({
            "role": "assistant", "content": "Grüße, Welt", "reasoning": "unsigned",
            "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}],
            "reasoning_details": [
                {"type": "reasoning.text", "format": "google-gemini-v1", "text": "hm", "signature": "T=="},
                {"type": "reasoning.server_tool_call", "format": "google-gemini-v1", "tool_name": "executableCode", "arguments": "{\"code\":\"1\"}", "signature": "C="},
                {"type": "reasoning.server_tool_call", "format": "google-gemini-v1", "tool_name": "codeExecutionResult", "result": "{\"output\":\"1\"}"},
                detail("text-9-13", "W"), detail("text-13-13", "E"), detail("image-0", "I"), detail("c2", "F"),
                {"type": "reasoning.encrypted", "format": "openai-responses-v1", "id": "c1", "data": "not ours"},
            ],
            "tool_calls": [call("c1"), call("c2")],
        }),
    );
    assert_eq!(
        parts,
        json!([
            {"text": "hm", "thought": true, "thoughtSignature": "T=="},
            {"executableCode": {"code": "1"}, "thoughtSignature": "C="},
            {"codeExecutionResult": {"output": "1"}},
            {"text": "Grüße, "},
            {"text": "Welt", "thoughtSignature": "W"},
            {"text": "", "thoughtSignature": "E"},
            {"inlineData": {"mimeType": "image/png", "data": "AAAA"}, "thoughtSignature": "I"},
            {"functionCall": {"id": "c1", "name": "f", "args": {}}, "thoughtSignature": "skip_thought_signature_validator"},
            {"functionCall": {"id": "c2", "name": "f", "args": {}}, "thoughtSignature": "F"},
        ])
    );
    // Text that was edited since: the signature stays with what is left of it.
    let parts = model(
        &third(),
        json!({"role": "assistant", "content": "Oh", "reasoning_details": [detail("text-9-13", "W")]}),
    );
    assert_eq!(parts, json!([{"text": "Oh", "thoughtSignature": "W"}]));
    // Other gateways do not say what a signature stood on.
    let nameless = json!({"type": "reasoning.encrypted", "format": "google-gemini-v1", "id": null, "data": "N"});
    let parts = model(
        &third(),
        json!({"role": "assistant", "content": "Oh", "reasoning_details": [nameless], "tool_calls": [call("c1"), call("c2")]}),
    );
    assert_eq!(parts[1]["thoughtSignature"], "N");
    assert!(
        parts[0].get("thoughtSignature").is_none() && parts[2].get("thoughtSignature").is_none()
    );
    // The compatible endpoint's clients keep it beside the call.
    let mut own = call("c1");
    own["extra_content"] = json!({"google": {"thought_signature": "K"}});
    assert_eq!(
        model(&flash(), json!({"role": "assistant", "tool_calls": [own]}))[0]["thoughtSignature"],
        "K"
    );
    // Models that want none get none.
    let parts = model(
        &flash(),
        json!({"role": "assistant", "tool_calls": [call("c1")]}),
    );
    assert!(parts[0].get("thoughtSignature").is_none());
}

#[test]
fn media_leave_in_bytes_or_as_addresses_that_the_host_fetches() {
    let part = |host: &Host, part: Value| {
        let request = json!({"messages": [{"role": "user", "content": [part]}]});
        body(host, &request)["contents"][0]["parts"][0].clone()
    };
    let inline = |kind: &str, data: &str| json!({"inlineData": {"mimeType": kind, "data": data}});
    let file = |kind: &str, url: &str| json!({"fileData": {"mimeType": kind, "fileUri": url}});
    let (studio, vertex) = (third(), vertex("gemini-2.5-flash"));
    for (host, sent, expected) in [
        (
            &studio,
            json!({"type": "image_url", "image_url": "data:image/webp;base64,AA=="}),
            inline("image/webp", "AA=="),
        ),
        (
            &studio,
            json!({"type": "image_url", "image_url": {"url": "https://a.b/c.PNG?x=.gif"}}),
            file("image/png", "https://a.b/c.PNG?x=.gif"),
        ),
        (
            &studio,
            json!({"type": "input_audio", "input_audio": {"data": "AA", "format": "m4a"}}),
            inline("audio/m4a", "AA"),
        ),
        (
            &studio,
            json!({"type": "input_audio", "input_audio": {"data": "AA", "format": "pcm16"}}),
            inline("audio/pcm", "AA"),
        ),
        (
            &studio,
            json!({"type": "video_url", "video_url": {"url": "https://youtu.be/x"}}),
            json!({"fileData": {"fileUri": "https://youtu.be/x"}}),
        ),
        (
            &vertex,
            json!({"type": "video_url", "video_url": {"url": "https://youtu.be/x"}}),
            file("video/mp4", "https://youtu.be/x"),
        ),
        (
            &vertex,
            json!({"type": "input_video", "video_url": {"url": "gs://b/x.mov"}}),
            file("video/quicktime", "gs://b/x.mov"),
        ),
        (
            &studio,
            json!({"type": "file", "file": {"filename": "a.csv", "file_data": "data:;base64,AA"}}),
            inline("text/csv", "AA"),
        ),
        (
            &studio,
            json!({"type": "file", "file": {"file_id": "https://generativelanguage.googleapis.com/v1beta/files/x"}}),
            file(
                "application/pdf",
                "https://generativelanguage.googleapis.com/v1beta/files/x",
            ),
        ),
    ] {
        assert_eq!(part(host, sent.clone()), expected, "{sent}");
    }
}

#[test]
fn media_that_the_host_cannot_be_given_are_refused_by_name() {
    let old = studio("gemini-2.0-flash");
    for (host, part, field) in [
        (
            third(),
            json!({"type": "video_url", "video_url": {"url": "https://a.b/c.mp4"}}),
            "video_url.url: AI Studio fetches videos from YouTube only",
        ),
        (
            third(),
            json!({"type": "image_url", "image_url": {"url": "http://a.b/c"}}),
            "image_url.url: expected a data URL or an https address",
        ),
        (
            third(),
            json!({"type": "image_url", "image_url": {"url": "gs://a/b"}}),
            "image_url.url: AI Studio fetches nothing from buckets",
        ),
        (
            old,
            json!({"type": "image_url", "image_url": {"url": "https://a.b/c"}}),
            "image_url.url: the model is given no addresses",
        ),
        (
            third(),
            json!({"type": "image_url", "image_url": {"url": "data:text/plain,hi"}}),
            "image_url.url: expected a data URL in base64",
        ),
        (
            third(),
            json!({"type": "input_audio", "input_audio": {"data": "https://a.b/c", "format": "wav"}}),
            "input_audio.data: expected sound in base64",
        ),
        (
            third(),
            json!({"type": "file", "file": {"file_id": "file-1"}}),
            "file: expected file_data",
        ),
        (
            third(),
            json!({"type": "hologram"}),
            ": the host has no parts of the type \"hologram\"",
        ),
    ] {
        let request = json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}, part]}]});
        let refused = refusal(&host, &request);
        let expected = format!(
            "messages[0].content[1]{}{field}",
            if field.starts_with(':') { "" } else { "." }
        );
        assert!(refused.starts_with(&expected), "{refused}");
    }
}
