//! The plain request: shape, ids, keys, fields that are passed on and fields that are refused.

use serde_json::json;
use waystation_sim::{ReplayTransport, fixtures};
use waystation_tests::{Setup, ask};

/// Statement 1.
#[tokio::test(start_paused = true)]
async fn a_whole_reply_has_the_shape_that_clients_expect() {
    let station = Setup::mocks().start(ReplayTransport::queue([fixtures::answer("Hello", 5, 2)]));
    let got = station.chat(ask(json!({}))).await;
    let body = got.ok();
    assert!(body["id"].as_str().unwrap().starts_with("gen-"), "{body}");
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["model"], fixtures::M);
    assert_eq!(body["provider"], "A");
    assert_eq!(body["choices"].as_array().unwrap().len(), 1);
    let choice = &body["choices"][0];
    assert_eq!(choice["finish_reason"], "stop");
    assert_eq!(choice["native_finish_reason"], "stop");
    assert_eq!(choice["message"]["role"], "assistant");
    assert_eq!(choice["message"]["content"], "Hello");
    let usage = &body["usage"];
    assert_eq!((&usage["prompt_tokens"], &usage["completion_tokens"]), (&json!(5), &json!(2)));
    assert_eq!(usage["total_tokens"], 7);
}
