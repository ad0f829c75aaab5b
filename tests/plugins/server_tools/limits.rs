//! How far tools may be used, and what happens there.

use serde_json::{Value, json};
use waystation_sim::{ReplayTransport, Reply, fixtures};
use waystation_tests::{Setup, Station};

use super::{SEARXNG, calls, pages, prompts, says, search, station, with};

fn look() -> Reply {
    calls(&[("web_search", r#"{"query": "q"}"#)])
}

/// A model that calls as long as it may: it says something only when it may not call.
fn eager() -> Station {
    let upstream = ReplayTransport::answering(|request, _| {
        if request.url.host() == Some("search.mock") {
            return pages(1);
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let may = body["tools"].is_array() && body["tool_choice"] != "none";
        if may { look() } else { says("Enough.") }
    });
    Setup::mocks().config(SEARXNG).start(upstream)
}

/// Contract, section 1.2: when it is hit with calls pending, they run, and one last turn follows with
/// tools disabled.
#[tokio::test(start_paused = true)]
async fn the_budget_of_calls_ends_in_a_turn_without_tools() {
    for (limit, turns) in [
        (json!({"max_tool_calls": 2}), 3),
        (json!({}), 31),
        (json!({"max_tool_calls": 0}), 1),
    ] {
        let station = eager();
        let got = station.chat(with(search(), limit)).await;
        assert_eq!(got.content(), "Enough.");
        let prompts = prompts(&station);
        assert_eq!(prompts.len(), turns);
        let executed = got.ok()["usage"]["server_tool_use_details"]["tool_calls_executed"].clone();
        assert_eq!(executed.as_u64().unwrap_or_default(), turns as u64 - 1);
    }
}

#[tokio::test(start_paused = true)]
async fn conditions_take_the_place_of_the_budget() {
    for (condition, turns) in [
        (json!({"type": "step_count_is", "step_count": 2}), 3),
        (
            json!({"type": "has_tool_call", "tool_name": "web_search"}),
            2,
        ),
        (json!({"type": "max_tokens_used", "max_tokens": 250}), 4),
        (
            json!({"type": "finish_reason_is", "reason": "tool_calls"}),
            2,
        ),
        (
            json!({"type": "max_cost", "max_cost_in_dollars": 0.0002}),
            3,
        ),
    ] {
        let station = eager();
        let stop = json!({"stop_server_tools_when": [condition], "max_tool_calls": 1});
        let got = station.chat(with(search(), stop)).await;
        assert_eq!(got.content(), "Enough.", "{condition}");
        assert_eq!(prompts(&station).len(), turns, "{condition}");
    }
    let wrong = json!({"stop_server_tools_when": [{"type": "never"}]});
    let error = eager().chat(with(search(), wrong)).await.error(400);
    assert_eq!(error["param"], "stop_server_tools_when[0].type");
}

/// Calls beyond the budget are answered, not run.
#[tokio::test(start_paused = true)]
async fn calls_beyond_the_budget_are_answered_and_not_run() {
    let two = calls(&[
        ("web_search", r#"{"query": "a"}"#),
        ("web_search", r#"{"query": "b"}"#),
    ]);
    let station = station([two, says("Hi")]);
    let got = station
        .chat(with(search(), json!({"max_tool_calls": 1})))
        .await
        .ok();
    let details =
        json!({"tool_calls_requested": 2, "tool_calls_executed": 1, "web_search_requests": 1});
    assert_eq!(got["usage"]["server_tool_use_details"], details);
    let messages = prompts(&station)[1]["messages"].clone();
    assert!(
        messages[3]["content"]
            .as_str()
            .unwrap()
            .contains("no more calls")
    );
}

/// `max_uses`, `max_results` and `max_total_results` of the tool itself.
#[tokio::test(start_paused = true)]
async fn the_tools_own_limits_hold() {
    let tool =
        |parameters: Value| json!([{"type": "openrouter:web_search", "parameters": parameters}]);
    let run = async |parameters: Value| {
        let station = station([look(), look(), says("Hi")]);
        let got = station.chat(with(tool(parameters), json!({}))).await.ok();
        let notes = got["choices"][0]["message"]["annotations"].clone();
        let told = prompts(&station)[2]["messages"][4]["content"].clone();
        (
            notes.as_array().map_or(0, Vec::len),
            told.as_str().unwrap().to_owned(),
        )
    };
    let (found, told) = run(json!({"max_uses": 1})).await;
    assert!(found == 3 && told.contains("no more searches"), "{told}");
    let (found, told) = run(json!({"max_total_results": 4})).await;
    assert!(
        found == 4 && told.contains("4.example") && !told.contains("5.example"),
        "{told}"
    );
    let (found, _) = run(json!({"max_results": 1})).await;
    assert_eq!(found, 2);
    let (_, told) = run(json!({"allowed_domains": ["9.example"]})).await;
    assert!(told.contains("nothing was found"), "{told}");
}

/// What goes wrong in a tool is for the model to read; the request goes on.
#[tokio::test(start_paused = true)]
async fn a_failure_of_a_tool_is_its_result() {
    for (arguments, told) in [
        (r#"{"query": "q"}"#, "searxng answered 503"),
        (r#"{"question": "q"}"#, "query: expected what to search for"),
        (r#"{"query": "#, "the arguments are not JSON"),
    ] {
        let upstream = ReplayTransport::hosts()
            .at("search.mock", [fixtures::error(503, "down")])
            .at("a.mock", [calls(&[("web_search", arguments)]), says("Hi")]);
        let station = Setup::mocks().config(SEARXNG).start(upstream);
        let got = station.chat(with(search(), json!({}))).await;
        assert_eq!(got.content(), "Hi");
        let message = prompts(&station)[1]["messages"][2]["content"].clone();
        assert!(message.as_str().unwrap().contains(told), "{message}");
    }
}

/// A private prompt's searches go nowhere that promises nothing.
#[tokio::test(start_paused = true)]
async fn private_prompts_are_not_searched_for_either() {
    let station = station([look()]);
    let body = with(search(), json!({"provider": {"data_collection": "deny"}}));
    let refused = station.chat(body).await;
    assert!(
        refused.status == 400 || refused.status == 404,
        "{}",
        refused.text()
    );
    assert_eq!(station.upstream().calls(), 0);
}

/// A tool that nobody can serve is left out, and the client is told; one that is named wrongly is refused.
#[tokio::test(start_paused = true)]
async fn a_search_without_anybody_who_searches_is_left_out_and_told() {
    let upstream = ReplayTransport::hosts().at("a.mock", [says("Hi")]);
    let station = Setup::mocks().start(upstream);
    let got = station
        .chat(with(search(), json!({"tool_choice": "auto"})))
        .await;
    assert_eq!(got.content(), "Hi");
    let warning = got.header("x-waystation-warning").unwrap();
    assert!(
        warning.contains("tools[0]: left out: web_unavailable"),
        "{warning}"
    );
    let sent = &prompts(&station)[0];
    assert!(
        sent["tools"].is_null() && sent["tool_choice"].is_null(),
        "{sent}"
    );
    let named = json!([{"type": "openrouter:web_search", "parameters": {"engine": "searxng"}}]);
    station.chat(with(named, json!({}))).await.error(400);
}

/// Several answers at once have no common conversation.
#[tokio::test(start_paused = true)]
async fn several_answers_are_refused() {
    let error = station([])
        .chat(with(search(), json!({"n": 2})))
        .await
        .error(400);
    assert_eq!(error["param"], "n");
}
