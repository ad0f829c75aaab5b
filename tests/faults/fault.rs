//! What upstreams do wrong: replies for the scripted transport, streamed and whole. What the gateway
//! makes of them is not said here.

use std::time::Duration;

use http::{StatusCode, header};
use serde_json::{Value, json};
use waystation_core::{Phase, Sent, TransportError};
use waystation_sim::{Reply, SimReply, fixtures};
use waystation_tests::{completion, event};

/// How many pieces an answer has, a token each.
pub(crate) const TOKENS: usize = 60;
/// A day and more: for ever, as far as any limit goes.
pub(crate) const EVER: u64 = 100_000_000;

/// The pieces of the answer of the upstream with this letter: `a0 a1 a2 …`.
pub(crate) fn pieces(letter: char) -> Vec<String> {
    (0..TOKENS).map(|n| format!("{letter}{n} ")).collect()
}

/// What the first `count` pieces say.
pub(crate) fn said(letter: char, count: usize) -> String {
    pieces(letter)[..count].concat()
}

/// The usage of every answer: 1,000 tokens in, 60 out.
pub(crate) fn usage() -> Value {
    json!({"prompt_tokens": 1000, "completion_tokens": TOKENS, "total_tokens": 1000 + TOKENS})
}

/// The event that says the role and nothing else.
pub(crate) fn role() -> String {
    event(json!({"role": "assistant", "content": ""}), None)
}

/// The event that says this text.
pub(crate) fn word(text: &str) -> String {
    event(json!({"content": text}), None)
}

/// The event that says that it is over, and why.
pub(crate) fn finish(reason: &str) -> String {
    event(json!({}), Some(reason))
}

/// The event with the counts.
pub(crate) fn counts() -> String {
    json!({"id": "chatcmpl-1", "choices": [], "usage": usage()}).to_string()
}

/// The texts of a proper stream: the role, 60 pieces, the finish, the counts, `[DONE]`.
pub(crate) fn texts(letter: char) -> Vec<String> {
    let words = pieces(letter);
    let words = words.iter().map(|piece| word(piece));
    let ends = [finish("stop"), counts(), "[DONE]".into()];
    std::iter::once(role()).chain(words).chain(ends).collect()
}

/// A proper answer.
pub(crate) fn good(letter: char, streamed: bool) -> Reply {
    if streamed {
        Reply::sse(texts(letter))
    } else {
        whole(&said(letter, TOKENS), "stop")
    }
}

/// A whole answer with this text and finish reason.
pub(crate) fn whole(text: &str, finish: &str) -> Reply {
    completion(
        json!({"role": "assistant", "content": text}),
        finish,
        usage(),
    )
}

/// The bytes of the first `count` events.
pub(crate) fn length(texts: &[String], count: usize) -> usize {
    texts[..count]
        .iter()
        .map(|text| text.len() + "data: \n\n".len())
        .sum()
}

/// A proper answer up to its 40th token; of a whole one, half the body.
fn until_40(letter: char, streamed: bool) -> (Reply, usize) {
    if streamed {
        let texts = texts(letter);
        let bytes = length(&texts, 41);
        (Reply::sse(texts), bytes)
    } else {
        (good(letter, false), 300)
    }
}

/// The connection closes after 40 tokens.
pub(crate) fn cut(streamed: bool) -> Reply {
    let (reply, bytes) = until_40('a', streamed);
    reply.cut_after(bytes)
}

/// Nothing comes after 40 tokens.
pub(crate) fn stall(streamed: bool) -> Reply {
    let (reply, bytes) = until_40('a', streamed);
    reply.stall_after(bytes)
}

/// A proper answer without its finish reason, that ends properly.
pub(crate) fn no_finish(streamed: bool) -> Reply {
    if streamed {
        let mut texts = texts('a');
        texts.remove(TOKENS + 1);
        Reply::sse(texts)
    } else {
        completion_of(&json!({
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "a0 "}}],
            "usage": usage(),
        }))
    }
}

/// A proper answer with an event in its midst that is no JSON; a whole one is none altogether.
pub(crate) fn malformed(streamed: bool) -> Reply {
    if streamed {
        let mut texts = texts('a');
        texts.insert(30, r#"{"id":"chatcmpl-1","choices":[{"delta":{"con"#.into());
        Reply::sse(texts)
    } else {
        Reply::json(
            200,
            r#"{"id":"chatcmpl-1","choices":[{"message":{"content":"a0 "}},}]"#,
        )
    }
}

/// A proper answer without `[DONE]`; a whole one has none anyway.
pub(crate) fn no_done(streamed: bool) -> Reply {
    if streamed {
        let mut texts = texts('a');
        texts.pop();
        Reply::sse(texts)
    } else {
        good('a', false)
    }
}

/// The role, then nothing; of a whole answer, its first bytes.
pub(crate) fn role_then_silence(streamed: bool) -> Reply {
    good('a', streamed).stall_after(if streamed { length(&texts('a'), 1) } else { 20 })
}

/// The head at once, then comments (a whole answer: blanks) every `every` seconds, `count` of them,
/// then the answer.
pub(crate) fn late(letter: char, streamed: bool, every: u64, count: usize) -> Reply {
    let kind = if streamed {
        "text/event-stream"
    } else {
        "application/json"
    };
    let comment = if streamed {
        ": PROCESSING\n\n"
    } else {
        "   \n"
    };
    let mut reply = SimReply::status(StatusCode::OK).with_header(header::CONTENT_TYPE, kind);
    for _ in 0..count {
        reply = reply.then(Duration::from_secs(every), comment);
    }
    let (last, rest): (Duration, Vec<String>) = if streamed {
        let events = texts(letter)
            .into_iter()
            .map(|text| format!("data: {text}\n\n"));
        (Duration::from_secs(every), events.collect())
    } else {
        let body = json!({"id": "chatcmpl-1", "usage": usage(), "choices": [{"index": 0,
            "message": {"role": "assistant", "content": said(letter, TOKENS)}, "finish_reason": "stop"}]});
        (Duration::from_secs(every), vec![body.to_string()])
    };
    let mut wait = last;
    for piece in rest {
        reply = reply.then(std::mem::take(&mut wait), piece);
    }
    reply.into()
}

/// Comments every 15 seconds and nothing else, for longer than any limit.
pub(crate) fn comments(streamed: bool) -> Reply {
    if streamed {
        late('a', true, 15, 400)
    } else {
        Reply::stream(": PROCESSING\n\n".repeat(400))
            .chunked(15)
            .gap(15_000)
    }
}

/// An error in band, this many events in.
pub(crate) fn in_band(letter: char, streamed: bool, error: &Value, events: usize) -> Reply {
    let failure = json!({ "error": error });
    if streamed {
        let mut texts = texts(letter);
        texts.truncate(events);
        texts.push(failure.to_string());
        Reply::sse(texts)
    } else if events == 0 {
        Reply::json(200, failure.to_string())
    } else {
        completion_of(
            &json!({"choices": [{"index": 0, "finish_reason": "error", "error": error,
            "message": {"role": "assistant", "content": said(letter, 5)}}]}),
        )
    }
}

/// The words of an answer that a filter ended after `tokens` tokens.
pub(crate) fn filtered(streamed: bool, tokens: usize) -> Reply {
    if streamed {
        let mut texts = texts('a');
        texts.drain(1 + tokens..=TOKENS);
        texts[1 + tokens] = finish("content_filter");
        Reply::sse(texts)
    } else {
        whole(&said('a', tokens), "content_filter")
    }
}

/// A 200 without anything in it, as a stream or whole.
pub(crate) fn nothing(streamed: bool) -> Reply {
    if streamed {
        Reply::stream("")
    } else {
        Reply::json(200, "")
    }
}

/// A proper reply that says nothing, in no tokens.
pub(crate) fn no_words(streamed: bool) -> Reply {
    let counts = json!({"prompt_tokens": 1000, "completion_tokens": 0, "total_tokens": 1000});
    if streamed {
        let counts = json!({"choices": [], "usage": counts}).to_string();
        Reply::sse([role(), finish("stop"), counts, "[DONE]".into()])
    } else {
        completion(json!({"role": "assistant", "content": ""}), "stop", counts)
    }
}

/// These bytes under this content type, with status 200.
pub(crate) fn page(kind: &str, body: impl Into<bytes::Bytes>) -> Reply {
    Reply::json(200, body).header("content-type", kind)
}

/// A 429, with a wait in seconds where there is one.
pub(crate) fn limited(wait: Option<u64>) -> Reply {
    let reply = fixtures::error(429, "slow down");
    match wait {
        Some(seconds) => reply.header("retry-after", &seconds.to_string()),
        None => reply,
    }
}

/// A failure with a code that says more than its status.
pub(crate) fn coded(status: u16, code: &str, message: &str) -> Reply {
    let error =
        json!({"error": {"message": message, "code": code, "type": "invalid_request_error"}});
    Reply::json(status, error.to_string())
}

/// An HTTP/2 GOAWAY that leaves the request behind unprocessed.
pub(crate) fn go_away() -> Reply {
    Reply::fail(TransportError {
        phase: Phase::Head,
        sent: Sent::Nothing,
        timed_out: false,
        message: "the connection is going away".into(),
    })
}

fn completion_of(json: &Value) -> Reply {
    Reply::json(200, json.to_string())
}
