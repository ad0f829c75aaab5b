//! `waystation: {continue: true}`: an answer that breaks off is gone on with by an endpoint that is known
//! to go on from given words. One text, one bill for all of it, and the seam told; off unless asked for.

use serde_json::{Value, json};
use waystation_sim::{ReplayTransport, Reply, fixtures};
use waystation_tests::{Setup, event, literal};

use crate::{
    exchange::{Exchange, Seen, exchange, going_on, station},
    fault::{EVER, TOKENS, counts, cut, finish, good, role, said, stall, texts},
};

/// A's replies; B's and C's are always good.
fn broken(a: impl IntoIterator<Item = Reply>) -> ReplayTransport {
    ReplayTransport::hosts()
        .at("a.mock", a)
        .at("b.mock", [good('b', true)])
        .at("c.mock", [good('c', true)])
}

fn down() -> Reply {
    fixtures::error(500, "down")
}

fn continued(more: Value) -> Value {
    let mut body = json!({"waystation": {"continue": true}});
    let more = more.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(more);
    body
}

fn text(got: &Exchange) -> &str {
    match &got.seen {
        Seen::Answer { text, .. } | Seen::Broken { text, .. } => text,
        Seen::Error { .. } => panic!("no text: {:?}", got.seen),
    }
}

fn is_broken(got: &Exchange) -> bool {
    matches!(&got.seen, Seen::Broken { text, .. } if *text == said('a', 40))
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_breaks_off_is_gone_on_with_and_says_so() {
    let station = going_on(broken([cut(true)]));
    let got = exchange(&station, true, continued(json!({"max_tokens": 500}))).await;
    let whole = format!("{}{}", said('a', 40), said('b', TOKENS));
    let (provider, finish) = ("B".to_owned(), "stop".to_owned());
    let seen = Seen::Answer {
        provider,
        text: whole,
        finish,
    };
    assert_eq!((&got.seen, got.asked.as_str()), (&seen, "ab"));
    // B is given A's words, without the space at their end, and less to write.
    let sent = &station.bodies()[1];
    let last = sent["messages"].as_array().unwrap().last().unwrap();
    assert_eq!(
        *last,
        json!({"role": "assistant", "content": said('a', 40).trim_end()})
    );
    assert_eq!(sent["max_tokens"], 500 - said('a', 40).trim_end().len() / 4);
    // Chunks name who gave them, and the end says where the seam is.
    let first = got.body.find("\"provider\":\"B\"").unwrap();
    assert!(
        got.body[..first].contains("a39 ") && !got.body[first..].contains("\"provider\":\"A\",\"m")
    );
    let from =
        json!([{"provider": "A", "endpoint": "acme/m|a", "error_type": "provider_unavailable"}]);
    assert_eq!(got.metadata, json!({"continued_from": from}));
    assert_eq!(got.record["continued_from"], json!(["acme/m|a"]));
}

#[tokio::test(start_paused = true)]
async fn both_parts_are_counted_and_billed_each_at_its_own_price() {
    let station = going_on(broken([cut(true)]));
    let got = exchange(&station, true, continued(json!({}))).await;
    // A counted nothing: its part is estimated, as for a client that goes away.
    let a = said('a', 40).len().div_ceil(4) as u64;
    let usage = &got.usage;
    assert_eq!(usage["completion_tokens"], a + TOKENS as u64);
    let a_prompt = usage["prompt_tokens"].as_u64().unwrap() - 1_000;
    assert!((1..20).contains(&a_prompt), "{usage}");
    assert_eq!(usage["estimated"], true);
    // A takes a dollar a million, B two.
    let millionths = |n: u64| format!("{}", n as f64 / 1e6);
    assert_eq!(
        literal(&got.body, "continued_cost"),
        millionths(a_prompt + a)
    );
    assert_eq!(
        literal(&got.body, "cost"),
        millionths(a_prompt + a + 2 * 1_060)
    );
    assert_eq!(
        got.record["continued_cost"],
        usage["cost_details"]["continued_cost"]
    );
    let names = got.record["provider_responses"].as_array().unwrap();
    let names: Vec<_> = names
        .iter()
        .map(|r| (&r["provider_name"], &r["error_type"]))
        .collect();
    let (a, b) = (json!("A"), json!("B"));
    assert_eq!(
        names,
        [(&a, &json!("provider_unavailable")), (&b, &Value::Null)]
    );
}

#[tokio::test(start_paused = true)]
async fn it_is_off_unless_it_is_asked_for() {
    let got = exchange(&going_on(broken([cut(true)])), true, json!({})).await;
    assert!(is_broken(&got) && got.asked == "a", "{:?}", got.seen);
    let no = json!({"waystation": {"continue": false}});
    let setup = Setup::mocks()
        .config("[retries]\ncontinue = true\n[providers.b]\nquirks = { prefill = 'plain' }\n");
    let got = exchange(&setup.start(broken([cut(true)])), true, no).await;
    assert!(is_broken(&got), "{:?}", got.seen);
    let got = exchange(&setup.start(broken([cut(true)])), true, json!({})).await;
    assert_eq!(
        text(&got),
        format!("{}{}", said('a', 40), said('b', TOKENS))
    );
}

#[tokio::test(start_paused = true)]
async fn only_endpoints_that_are_known_to_go_on_are_asked() {
    // Nobody is known to: the client is told so at once.
    let got = exchange(&station(broken([cut(true)])), true, continued(json!({}))).await;
    assert!(is_broken(&got) && got.asked == "a", "{:?}", got.seen);
    let setup = |models: &str| {
        Setup::mocks().config(&format!(
            "[providers.c]\nquirks = {{ prefill = 'prefix', prefill_models = ['{models}'] }}\n"
        ))
    };
    let station = setup("acme/m*").start(broken([cut(true)]));
    let got = exchange(&station, true, continued(json!({}))).await;
    assert_eq!(got.asked, "ac");
    let last = &station.bodies()[1]["messages"][1];
    assert_eq!(
        (&last["role"], &last["prefix"]),
        (&json!("assistant"), &json!(true))
    );
    let station = setup("acme/other").start(broken([cut(true)]));
    let got = exchange(&station, true, continued(json!({}))).await;
    assert!(is_broken(&got) && got.asked == "a", "{:?}", got.seen);
}

#[tokio::test(start_paused = true)]
async fn tools_json_reasoning_and_several_answers_are_never_gone_on_with() {
    let tool = json!({"type": "function", "function": {"name": "look"}});
    for more in [
        json!({"tools": [tool]}),
        json!({"response_format": {"type": "json_object"}}),
        json!({"n": 2}),
        json!({"logprobs": true}),
        json!({"reasoning": {"effort": "high"}}),
        json!({"provider": {"allow_fallbacks": false}}),
    ] {
        let got = exchange(
            &going_on(broken([cut(true)])),
            true,
            continued(more.clone()),
        )
        .await;
        assert!(is_broken(&got) && got.asked == "a", "{more} {:?}", got.seen);
    }
    let station = going_on(broken([cut(true)]));
    let body = waystation_tests::ask(continued(json!({"tools": [tool]})));
    let got = station.stream(body).await;
    let warning = got.header("x-waystation-warning").expect("a warning");
    assert!(
        warning.contains("without effect, since the request has tools"),
        "{warning}"
    );
    // Reasoning, calls and citations that come unasked end it too.
    for delta in [
        json!({"reasoning": "hm"}),
        json!({"tool_calls": [{"index": 0, "id": "x", "function": {"name": "f", "arguments": "{}"}}]}),
    ] {
        let mut begun = texts('a');
        begun.truncate(41);
        begun.insert(1, event(delta, None));
        let station = going_on(broken([Reply::sse(begun)]));
        let got = exchange(&station, true, continued(json!({}))).await;
        assert_eq!(got.asked, "a", "{:?}", got.seen);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_goes_on_and_breaks_off_again_is_gone_on_with_again() {
    let upstream = ReplayTransport::hosts()
        .at("a.mock", [cut(true), down()])
        .at("b.mock", [good('b', true).cut_after(900), good('b', true)])
        .at("c.mock", [down()]);
    let station = going_on(upstream);
    let got = exchange(&station, true, continued(json!({}))).await;
    // A, then B, which breaks off; then A and C, which fail, and B from where it was.
    let Seen::Answer { text, provider, .. } = &got.seen else {
        panic!("{:?}", got.seen)
    };
    assert!(
        text.starts_with(&format!("{}b0 b1", said('a', 40))),
        "{text}"
    );
    assert!(
        text.ends_with(&said(
            provider.to_lowercase().chars().next().unwrap(),
            TOKENS
        )),
        "{text}"
    );
    assert_eq!(got.metadata["continued_from"].as_array().unwrap().len(), 2);
    assert!(got.asked.len() <= 6, "{}", got.asked);
}

#[tokio::test(start_paused = true)]
async fn who_fell_silent_is_not_asked_again_and_the_first_error_is_told() {
    let only = continued(json!({"provider": {"only": ["A"]}}));
    let got = exchange(&going_on(broken([stall(true)])), true, only.clone()).await;
    assert!(is_broken(&got) && got.asked == "a", "{:?}", got.seen);
    assert_eq!(got.error["metadata"]["error_type"], "timeout");
    // One whose connection broke is: here it fails, and the client learns of the break.
    let replies = [cut(true), down(), down()];
    let got = exchange(&going_on(broken(replies)), true, only).await;
    assert!(is_broken(&got), "{:?}", got.seen);
    assert_eq!(got.error["metadata"]["error_type"], "provider_unavailable");
    assert_eq!((got.asked.as_str(), &got.usage["cost"]), ("aaa", &json!(0)));
    assert!(got.metadata.is_null(), "nobody went on: {}", got.metadata);
}

#[tokio::test(start_paused = true)]
async fn comments_go_out_while_somebody_is_asked_to_go_on() {
    let upstream = ReplayTransport::hosts()
        .at("a.mock", [cut(true)])
        .at("b.mock", [good('b', true).delay(40_000)]);
    let more = continued(json!({"provider": {"only": ["A", "B"]}}));
    let got = exchange(&going_on(upstream), true, more).await;
    assert_eq!(
        text(&got),
        format!("{}{}", said('a', 40), said('b', TOKENS))
    );
    assert_eq!((got.comments, got.asked.as_str()), (2, "ab"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_in_between_is_charged_for_what_there_was() {
    let upstream = ReplayTransport::hosts()
        .at("a.mock", [cut(true)])
        .at("b.mock", [good('b', true).delay(EVER)]);
    let station = going_on(upstream);
    let mut body = waystation_tests::ask(continued(json!({"stream": true})));
    body["provider"] = json!({"only": ["A", "B"]});
    let mut open = station.open(body).await;
    let id = open.headers()["x-generation-id"]
        .to_str()
        .unwrap()
        .to_owned();
    open.until("PROCESSING").await;
    assert_eq!(station.upstream().calls_to("b.mock"), 1);
    drop(open);
    assert_eq!(station.upstream().open(), 0);
    let record = station.record(&id).await;
    assert_eq!(record["cancelled"], true);
    let written = said('a', 40).len().div_ceil(4) as u64;
    assert_eq!(record["tokens_completion"], written, "{record}");
    assert!(
        record["total_cost"].as_f64() > Some(written as f64 / 1e6),
        "{record}"
    );
}

#[tokio::test(start_paused = true)]
async fn white_space_at_the_seam_stands_there_once() {
    let words = [" b0", " b1"].map(|text| event(json!({"content": text}), None));
    let mut reply = vec![role()];
    reply.extend(words);
    reply.extend([finish("stop"), counts(), "[DONE]".into()]);
    let upstream = ReplayTransport::hosts()
        .at("a.mock", [cut(true)])
        .at("b.mock", [Reply::sse(reply)]);
    let got = exchange(&going_on(upstream), true, continued(json!({}))).await;
    assert_eq!(text(&got), format!("{}b0 b1", said('a', 40)));
}

#[tokio::test(start_paused = true)]
async fn words_of_the_client_to_go_on_from_stay_in_front() {
    let station = going_on(broken([cut(true)]));
    let messages =
        json!([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "So: "}]);
    exchange(&station, true, continued(json!({ "messages": messages }))).await;
    let sent = &station.bodies()[1]["messages"];
    assert_eq!(
        sent[1]["content"],
        format!("So: {}", said('a', 40).trim_end())
    );
    assert_eq!(sent.as_array().unwrap().len(), 2);
}
