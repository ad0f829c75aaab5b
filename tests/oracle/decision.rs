//! Decision records: a plan that was carried out is made again from them, bit for bit.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use waystation_router::DecisionRecord;
use waystation_server::explanation::{self, Given};
use waystation_sim::{ReplayTransport, fixtures};
use waystation_tests::{Setup, Station};

/// The record of a generation, as `GET /v1/generation?id=…&record=true` gives it.
async fn recorded(station: &Station, id: &str) -> Value {
    let got = station
        .get(&format!("/v1/generation?id={id}&record=true"))
        .await
        .ok();
    got["data"]["decision_record"].clone()
}

/// The plan made again in another process: a fresh gateway of the same configuration, which has
/// measured nothing.
async fn replayed(setup: &Setup, body: &Value, record: &Value) -> Value {
    let fresh = setup.start(ReplayTransport::hosts());
    // Another time of day, too.
    let record: DecisionRecord = serde_json::from_str(&record.to_string()).unwrap();
    let given = Given {
        record: Some(record),
        ..Given::default()
    };
    let body = body.to_string().into();
    let (explanation, refused) = explanation::of(fresh.app(), &body, &given).await;
    assert!(refused.is_none());
    serde_json::to_value(explanation).unwrap()
}

/// Who is asked for `body` when everybody is down, in order, and the plan from its record.
async fn both(setup: &Setup, station: &Station, body: &Value) -> (Vec<String>, Vec<String>) {
    let before = station.asked().len();
    let request = Station::request(Method::POST, "/v1/chat/completions", body.to_string());
    let got = station.whole(request).await;
    let id = got.header("x-generation-id").unwrap().to_owned();
    let asked = station.asked()[before..].to_vec();
    let plan = replayed(setup, body, &recorded(station, &id).await).await;
    let attempts = plan["attempts"].as_array().unwrap().iter();
    let tags = attempts
        .map(|one| one["endpoint"].as_str().unwrap().to_owned())
        .collect();
    (asked, tags)
}

fn crowd() -> Setup {
    let mut config = String::from(
        "[catalog]\nbundled = false\n[routing]\nexplore = 0.5\n[retries]\nmax_attempts = 20\n\
         [[models]]\nid = \"acme/m\"\nsupported_parameters = [\"tools\"]\n",
    );
    for number in 0..8 {
        config.push_str(&format!(
            "[[models.endpoints]]\nprovider = \"p{number}\"\nmodel = \"m\"\n\
             price = {{ prompt = \"{}\", completion = \"1\", cache_read = \"0.1\" }}\n",
            number + 1
        ));
    }
    for number in 0..8 {
        config.push_str(&format!(
            "[providers.p{number}]\nname = \"P{number}\"\ndialect = \"openai-chat\"\n\
             base_url = \"http://p{number}.mock/v1\"\napi_key = \"key-of-p{number}\"\n"
        ));
    }
    Setup::empty().config(&config)
}

#[tokio::test(start_paused = true)]
async fn every_plan_is_made_again_from_its_record() {
    let setup = crowd();
    // Streams of different speeds, and one call in seven fails: health, breakers and stickiness all
    // come into it.
    let station = setup.start(ReplayTransport::answering(|request, number| {
        let host = request.url.host().unwrap_or_default();
        let pace = u64::from(host.as_bytes()[1] - b'0') * 7 + 3;
        if number % 7 == 3 || host == "p2.mock" {
            return fixtures::error(500, "down");
        }
        let pieces = vec!["word "; 40];
        fixtures::answer_stream(&pieces, 2_000, 40)
            .delay(pace * 10)
            .gap(pace)
    }));
    let bodies = [
        json!({}),
        json!({"session_id": "s"}),
        json!({"provider": {"sort": "throughput"}}),
        json!({"provider": {"sort": "latency", "preferred_max_latency": 0.2}}),
        json!({"provider": {"preferred_min_throughput": {"p50": 60, "p90": 20}}}),
        json!({"provider": {"order": ["P5"], "allow_fallbacks": true}}),
        json!({"tools": [{"type": "function", "function": {"name": "look"}}]}),
    ];
    for round in 0..120 {
        let mut body = waystation_tests::asking("acme/m", bodies[round % bodies.len()].clone());
        body["stream"] = json!(true);
        if round % 3 == 0 {
            body["model"] = json!("acme/m:nitro");
        }
        tokio::time::advance(Duration::from_millis(400)).await;
        let (asked, planned) = both(&setup, &station, &body).await;
        // Attempts end with the first that serves, and pass over open circuits.
        let mut rest = planned.iter();
        let in_order = asked.iter().all(|host| rest.any(|tag| tag == host));
        assert!(in_order, "{round}: asked {asked:?}, planned {planned:?}");
        assert_eq!(planned.len(), 8);
    }
}

#[tokio::test(start_paused = true)]
async fn the_record_replays_to_the_same_json_twice_and_holds_no_prompt() {
    let setup = crowd();
    let station = setup.start(ReplayTransport::answering(|_, _| {
        fixtures::answer_stream(&["a", "b"], 5, 40)
            .delay(123)
            .gap(17)
    }));
    let body = json!({"model": "acme/m:nitro", "stream": true,
                      "messages": [{"role": "user", "content": "a very private word"}]});
    let mut last = Value::Null;
    for _ in 0..5 {
        tokio::time::advance(Duration::from_secs(1)).await;
        let request = Station::request(Method::POST, "/v1/chat/completions", body.to_string());
        let got = station.whole(request).await;
        let id = got.header("x-generation-id").unwrap().to_owned();
        last = recorded(&station, &id).await;
    }
    assert!(!last.to_string().contains("private"), "{last}");
    assert!(
        last["health"]
            .as_array()
            .is_some_and(|rows| !rows.is_empty()),
        "{last}"
    );
    let one = replayed(&setup, &body, &last).await;
    assert_eq!(one, replayed(&setup, &body, &last).await);
    // The figures come back as they were: what is read is what was written.
    let record: DecisionRecord = serde_json::from_str(&last.to_string()).unwrap();
    assert_eq!(serde_json::to_value(&record).unwrap(), last);
}

#[tokio::test(start_paused = true)]
async fn without_asking_for_it_a_generation_shows_no_decision_record() {
    let station = crowd().start(ReplayTransport::answering(|_, _| {
        fixtures::answer("Hi", 5, 2)
    }));
    let got = station
        .chat(waystation_tests::asking("acme/m", json!({})))
        .await
        .ok();
    let record = station.record(got["id"].as_str().unwrap()).await;
    assert!(record.get("decision_record").is_none());
}
