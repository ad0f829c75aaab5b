//! Any script of faults over up to three endpoints, in any order: the client sees exactly one of
//! one complete answer from one endpoint, a prefix of one endpoint's answer with one well-formed
//! error, or one well-formed error. Attempts are bounded, and nothing is left open.

use std::time::Duration;

use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{TestCaseError, TestRunner},
};
use serde_json::json;
use tokio::runtime::Builder;
use waystation_core::Phase;
use waystation_sim::{ReplayTransport, Reply, fixtures};

use crate::{
    exchange::{Exchange, Seen, exchange, going_on, station},
    fault::{
        EVER, TOKENS, coded, finish, good, in_band, late, limited, no_words, nothing, page, said,
        texts, whole,
    },
};

/// One reply of one upstream.
#[derive(Clone, Debug)]
enum Step {
    Good,
    Limited(Option<u64>),
    Status(u16),
    Refused(Phase),
    Delayed(u64),
    Slow { every: u64, count: usize },
    Trickle(u64),
    Cut(usize),
    Stall(usize),
    NoFinish,
    NoDone,
    Stray(usize, &'static str),
    InBand { code: u16, events: usize },
    Filtered(usize),
    Coded(&'static str),
    Garbage(&'static str, &'static str),
    Nothing,
    NoWords,
    OtherWay,
}

/// What happens, and to what.
#[derive(Clone, Debug)]
struct Script {
    /// What each endpoint replies, the last one for ever; and the bytes of a piece.
    endpoints: Vec<(Vec<Step>, usize)>,
    streamed: bool,
    allow_fallbacks: bool,
    reasoning: bool,
    hedge: bool,
    continues: bool,
}

fn step() -> impl Strategy<Value = Step> {
    let status = prop::sample::select(vec![
        302, 400, 401, 402, 403, 404, 408, 409, 413, 418, 422, 500, 502, 503, 504, 524, 529,
    ]);
    let phase = prop::sample::select(vec![
        Phase::Socket,
        Phase::Dns,
        Phase::Connect,
        Phase::Tls,
        Phase::Send,
        Phase::Head,
    ]);
    let stray = prop::sample::select(vec![
        "{\"choices\":[{\"delta\":{\"con",
        "null",
        "[]",
        "{}",
        "\"text\"",
        "{\"choices\":null}",
        "{\"choices\":[{\"index\":0,\"delta\":{}}]}",
        "{\"type\":\"ping\"}",
    ]);
    let code = prop::sample::select(vec![
        "context_length_exceeded",
        "content_filter",
        "nonsense",
    ]);
    let kind = prop::sample::select(vec!["text/html", "application/json", "text/event-stream"]);
    let body = prop::sample::select(vec![
        "<html></html>",
        "no",
        "{",
        "null",
        "data: x\n\n",
        ": x\n\n",
    ]);
    let tokens = 0..=TOKENS;
    prop_oneof![
        4 => Just(Step::Good),
        2 => prop::option::of(0_u64..40).prop_map(Step::Limited),
        2 => status.prop_map(Step::Status),
        1 => phase.prop_map(Step::Refused),
        1 => prop::sample::select(vec![1_000, 9_999, 30_000, EVER]).prop_map(Step::Delayed),
        1 => (1_u64..70, 0_usize..12).prop_map(|(every, count)| Step::Slow { every, count }),
        1 => (1_u64..70_000).prop_map(Step::Trickle),
        3 => (0_usize..9_000).prop_map(Step::Cut),
        2 => (0_usize..9_000).prop_map(Step::Stall),
        1 => Just(Step::NoFinish),
        1 => Just(Step::NoDone),
        1 => (tokens.clone(), stray).prop_map(|(at, text)| Step::Stray(at, text)),
        2 => (prop::sample::select(vec![400, 401, 429, 500]), tokens.clone())
            .prop_map(|(code, events)| Step::InBand { code, events }),
        1 => tokens.prop_map(Step::Filtered),
        1 => code.prop_map(Step::Coded),
        2 => (kind, body).prop_map(|(kind, body)| Step::Garbage(kind, body)),
        1 => Just(Step::Nothing),
        1 => Just(Step::NoWords),
        1 => Just(Step::OtherWay),
    ]
}

fn script() -> impl Strategy<Value = Script> {
    let size = prop::sample::select(vec![1, 7, 100, 100_000]);
    let endpoint = (vec(step(), 1..4), size);
    let endpoints = vec(endpoint, 1..=3);
    (
        endpoints,
        any::<bool>(),
        prop::bool::weighted(0.8),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(endpoints, streamed, allow_fallbacks, reasoning, hedge)| Script {
                endpoints,
                streamed,
                allow_fallbacks,
                reasoning,
                hedge,
                continues: false,
            },
        )
}

/// Scripts whose answers may be gone on with.
fn continued() -> impl Strategy<Value = Script> {
    script().prop_map(|script| Script {
        streamed: true,
        continues: true,
        ..script
    })
}

// === impl Step ===

impl Step {
    fn reply(&self, letter: char, streamed: bool) -> Reply {
        match *self {
            Self::Good => good(letter, streamed),
            Self::Limited(wait) => limited(wait),
            Self::Status(status) => fixtures::error(status, "out of order"),
            Self::Refused(phase) => Reply::refuse(phase),
            Self::Delayed(ms) => good(letter, streamed).delay(ms),
            Self::Slow { every, count } => late(letter, streamed, every, count),
            Self::Trickle(ms) => good(letter, streamed).gap(ms),
            Self::Cut(bytes) => good(letter, streamed).cut_after(bytes),
            Self::Stall(bytes) => good(letter, streamed).stall_after(bytes),
            Self::NoFinish => without(letter, streamed, TOKENS + 1),
            Self::NoDone => without(letter, streamed, TOKENS + 3),
            Self::Stray(at, text) => {
                let mut texts = texts(letter);
                texts.insert(1 + at, text.to_owned());
                if streamed {
                    Reply::sse(texts)
                } else {
                    Reply::json(200, text)
                }
            }
            Self::InBand { code, events } => in_band(
                letter,
                streamed,
                &json!({"message": "boom", "code": code}),
                events,
            ),
            Self::Filtered(tokens) if streamed => {
                let mut texts = texts(letter);
                texts.drain(1 + tokens..=TOKENS);
                texts[1 + tokens] = finish("content_filter");
                Reply::sse(texts)
            }
            Self::Filtered(tokens) => whole(&said(letter, tokens), "content_filter"),
            Self::Coded(code) => coded(400, code, "this cannot be done"),
            Self::Garbage(kind, body) => page(kind, body),
            Self::Nothing => nothing(streamed),
            Self::NoWords => no_words(streamed),
            Self::OtherWay => good(letter, !streamed),
        }
    }
}

/// A stream without one of its events; a whole answer stays as it is.
fn without(letter: char, streamed: bool, event: usize) -> Reply {
    let mut texts = texts(letter);
    texts.remove(event);
    if streamed {
        Reply::sse(texts)
    } else {
        good(letter, false)
    }
}

async fn run(script: &Script) -> Exchange {
    let (mut transport, mut only) = (ReplayTransport::hosts(), Vec::new());
    for (letter, (steps, size)) in "abc".chars().zip(&script.endpoints) {
        let replies = steps.iter().map(|step| step.reply(letter, script.streamed));
        let replies: Vec<Reply> = replies.map(|reply| reply.chunked(*size)).collect();
        transport = transport.at(&fixtures::host(&letter.to_string()), replies);
        only.push(letter.to_ascii_uppercase().to_string());
    }
    let provider = json!({"only": only, "allow_fallbacks": script.allow_fallbacks});
    let mut more = json!({"provider": provider, "waystation": {"hedge": script.hedge, "continue": script.continues}});
    if script.reasoning {
        more["reasoning"] = json!({"effort": "high"});
    }
    let station = if script.continues {
        going_on(transport)
    } else {
        station(transport)
    };
    exchange(&station, script.streamed, more).await
}

fn check(script: &Script, got: &Exchange) -> Result<(), TestCaseError> {
    let full = |provider: &str| {
        said(
            provider.to_lowercase().chars().next().expect("a name"),
            TOKENS,
        )
    };
    match &got.seen {
        Seen::Answer {
            provider,
            text,
            finish,
        } => {
            let complete = match finish.as_str() {
                "stop" => *text == full(provider),
                "content_filter" => full(provider).starts_with(text),
                _ => false,
            };
            prop_assert!(complete, "one endpoint's complete answer: {:?}", got.seen);
            let last = got.asked.ends_with(&provider.to_lowercase());
            prop_assert!(script.hedge || last, "{}", got.asked);
        }
        Seen::Broken { provider, text, .. } => {
            let prefix = full(provider).starts_with(text) && !text.is_empty();
            prop_assert!(
                script.streamed && prefix,
                "one answer's prefix: {:?}",
                got.seen
            );
        }
        Seen::Error {
            status, in_band, ..
        } => {
            let known = [400, 404, 413, 422, 429, 502, 503, 504].contains(status);
            prop_assert!(known && (script.streamed || !in_band), "{:?}", got.seen);
            prop_assert_eq!(got.failures().len(), got.asked.len(), "{}", got.error);
        }
    }
    let most = if script.allow_fallbacks { 6 } else { 1 };
    prop_assert!((1..=most).contains(&got.asked.len()), "{}", got.asked);
    let longest = Duration::from_secs(900);
    prop_assert!(script.streamed || got.took <= longest, "{:?}", got.took);
    Ok(())
}

/// The parts of a text, each from one endpoint: its letter, and how many pieces it has. A part begins
/// with piece 0.
fn parts(text: &str) -> Vec<(char, usize)> {
    let mut parts: Vec<(char, usize)> = Vec::new();
    for piece in text.split_inclusive(' ') {
        let letter = piece.chars().next().expect("a letter");
        let at: usize = piece[1..].trim_end().parse().expect("a number");
        match parts.last_mut() {
            Some((last, count)) if at > 0 => {
                assert_eq!((*last, *count), (letter, at), "pieces in order: {text}");
                *count += 1;
            }
            _ => {
                assert_eq!(at, 0, "a part from its start: {text}");
                parts.push((letter, 1));
            }
        }
    }
    parts
}

/// With `continue` on, the text is one: parts of answers, in order, each from its start, the last one
/// complete or followed by an error; and the reply names every endpoint that gave a part.
fn check_continued(got: &Exchange) -> Result<(), TestCaseError> {
    let (provider, text, complete) = match &got.seen {
        Seen::Answer {
            provider,
            text,
            finish,
        } => (provider, text, finish == "stop"),
        Seen::Broken { provider, text, .. } => (provider, text, false),
        Seen::Error { .. } => return Ok(()),
    };
    let parts = parts(text);
    let from = got.metadata["continued_from"].as_array();
    let from = from.map(Vec::as_slice).unwrap_or_default();
    let named = from
        .iter()
        .map(|one| one["provider"].as_str().unwrap_or_default());
    let named: Vec<&str> = named.chain([provider.as_str()]).collect();
    let gave: Vec<String> = parts
        .iter()
        .map(|(letter, _)| letter.to_ascii_uppercase().to_string())
        .collect();
    // The last one may have nothing to add to what is there.
    let added = gave.len() == named.len();
    let heard = gave == named || gave == named[..named.len() - 1];
    prop_assert!(heard, "every part's endpoint is named: {named:?} {text}");
    let told = got.record["continued_from"].as_array().map_or(0, Vec::len);
    prop_assert_eq!(told, from.len(), "{}", got.record);
    let last = parts.last().map_or(0, |(_, count)| *count);
    let whole = !complete || !added || last == TOKENS;
    prop_assert!(whole, "the last part is complete: {text}");
    prop_assert!((1..=6).contains(&got.asked.len()), "{}", got.asked);
    let counted = got.usage["completion_tokens"].as_u64() > Some(0);
    prop_assert!(counted, "every part is counted: {}", got.usage);
    Ok(())
}

#[test]
fn with_continue_on_any_script_ends_in_one_text_that_says_who_gave_it() {
    let config = ProptestConfig::with_cases(300);
    let outcome = TestRunner::new(config).run(&continued(), |script| {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build();
        let got = runtime.expect("a runtime").block_on(run(&script));
        check_continued(&got)
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn any_script_of_faults_ends_in_one_answer_or_one_error() {
    let config = ProptestConfig::with_cases(300);
    let outcome = TestRunner::new(config).run(&script(), |script| {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build();
        let got = runtime.expect("a runtime").block_on(run(&script));
        check(&script, &got)
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}
