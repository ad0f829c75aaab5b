//! Model ids with suffixes, aliases and presets, as far as this build claims them.

use serde_json::{Value, json};
use waystation_sim::{ReplayTransport, Reply, fixtures};
use waystation_tests::{Setup, asking};

fn hello() -> ReplayTransport {
    ReplayTransport::answering(|_, _| fixtures::answer("Hello", 5, 2))
}

/// Statement 77.
#[tokio::test(start_paused = true)]
async fn s77_an_unknown_suffix_is_an_unknown_model() {
    let station = Setup::mocks().start(hello());
    for id in ["acme/m:zzz", "acme/m:nitro:zzz", "acme/m:zzz:floor"] {
        let error = station.chat(asking(id, json!({}))).await.error(400);
        assert_eq!(
            error["availability"]["code"], "model_not_found",
            "{id}: {error}"
        );
        assert_eq!(error["availability"]["requested_models"], json!([id]));
    }
    assert_eq!(station.upstream().calls(), 0);
}

/// Statement 80.
#[tokio::test(start_paused = true)]
async fn s80_two_sorting_suffixes_are_refused() {
    let station = Setup::mocks().start(hello());
    for id in ["acme/m:nitro:floor", "acme/m:floor:nitro"] {
        let error = station.chat(asking(id, json!({}))).await.error(400);
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains("nitro") && message.contains("floor"),
            "{message}"
        );
    }
}

/// Statement 74, and section 4.2: the response's model has no dynamic suffix.
#[tokio::test(start_paused = true)]
async fn s74_a_sorting_suffix_sorts_and_is_not_shown() {
    let setup = Setup::mocks().config("[routing]\nsort = 'throughput'");
    for id in [
        "acme/m:floor",
        "acme/m:nitro",
        "acme/m:exacto",
        "ACME/M:Floor",
    ] {
        let got = setup.start(hello()).chat(asking(id, json!({}))).await.ok();
        assert_eq!(got["model"], "acme/m", "{id}");
        if id.to_lowercase().ends_with("floor") {
            assert_eq!(got["provider"], "A", "{id}");
        }
    }
}

/// Statement 76, as far as a client sees it: each entry may have its own.
#[tokio::test(start_paused = true)]
async fn s76_entries_of_models_may_have_suffixes() {
    let station = Setup::mocks().start(hello());
    let body = json!({"models": ["acme/none:free", "acme/y:floor"],
        "messages": [{"role": "user", "content": "Hi"}]});
    let got = station.chat(body).await.ok();
    assert_eq!(
        (&got["model"], &got["provider"]),
        (&json!("acme/y"), &json!("B"))
    );
}

/// Statement 79: a static variant is its own row, stays in the name, and costs what it says.
#[tokio::test(start_paused = true)]
async fn s79_a_free_variant_keeps_its_name_and_costs_nothing() {
    let setup = Setup::empty().env("OPENROUTER_API_KEY", "an-openrouter-key");
    let resolved = setup.resolve().unwrap();
    let free = resolved
        .catalog
        .models()
        .find(|model| {
            let free = |e: &waystation_core::Endpoint| e.variant.as_deref() == Some("free");
            model
                .endpoints
                .iter()
                .any(|e| free(e) && e.provider == *"openrouter")
        })
        .map(|model| model.id.to_string())
        .expect("a free variant in the catalogue");
    let station = setup.start(hello());
    let got = station
        .chat(asking(&format!("{free}:free"), json!({})))
        .await
        .ok();
    assert_eq!(got["model"], format!("{free}:free"));
    assert_eq!(got["usage"]["cost"], 0);
    assert!(
        station.bodies()[0]["model"]
            .as_str()
            .unwrap()
            .ends_with(":free")
    );
}

/// Statement 81.
#[tokio::test(start_paused = true)]
async fn s81_an_alias_serves_under_the_models_own_id() {
    let setup = Setup::mocks().config("[aliases]\n\"my-model\" = \"acme/y\"");
    let got = setup
        .start(hello())
        .chat(asking("my-model", json!({})))
        .await
        .ok();
    assert_eq!(got["model"], "acme/y");
    let got = setup
        .start(hello())
        .chat(asking("my-model:floor", json!({})))
        .await
        .ok();
    assert_eq!(got["model"], "acme/y");
}

/// Statement 83.
#[tokio::test(start_paused = true)]
async fn s83_a_preset_fills_in_what_the_request_leaves_open() {
    let setup = Setup::mocks().config(
        "[presets.careful]\nmodel = 'acme/y'\ntemperature = 0.1\nmax_tokens = 7\n[presets.bare]\ntop_p = 0.5",
    );
    let sent = async |body: Value| {
        let station = setup.start(hello());
        let model = station.chat(body).await.ok()["model"].clone();
        (model, station.bodies().remove(0))
    };
    let messages = json!([{"role": "user", "content": "Hi"}]);
    for body in [
        json!({"model": "@preset/careful", "messages": messages}),
        json!({"preset": "careful", "messages": messages}),
        json!({"model": "acme/y@preset/careful", "messages": messages}),
    ] {
        let (model, sent) = sent(body.clone()).await;
        assert_eq!(model, "acme/y", "{body}");
        assert_eq!(
            (&sent["temperature"], &sent["max_tokens"]),
            (&json!(0.1), &json!(7)),
            "{body}"
        );
        assert!(sent.get("preset").is_none());
    }
    let own = json!({"model": "@preset/careful", "messages": messages, "temperature": 1});
    assert_eq!(sent(own).await.1["temperature"], 1);
    let (model, sent) =
        sent(json!({"model": "acme/m", "preset": "bare", "messages": messages})).await;
    assert_eq!((model, &sent["top_p"]), (json!("acme/m"), &json!(0.5)));
    let unknown = json!({"model": "@preset/nothing", "messages": messages});
    let error = setup.start(hello()).chat(unknown).await.error(404);
    assert!(
        error["message"].as_str().unwrap().contains("nothing"),
        "{error}"
    );
}

/// Decisions, "Ids in errors": a bare or a foreign id gets the right one as a suggestion.
#[tokio::test(start_paused = true)]
async fn bare_and_foreign_ids_get_the_right_one_proposed() {
    let station = Setup::empty()
        .env("OPENAI_API_KEY", "an-openai-key")
        .start(hello());
    for (id, right) in [
        ("gpt-5.4", "openai/gpt-5.4"),
        (
            "vertex_ai/gemini-3-flash-preview",
            "google/gemini-3-flash-preview",
        ),
        ("openai/gpt5.4", "openai/gpt-5.4"),
    ] {
        let error = station.chat(asking(id, json!({}))).await.error(400);
        assert!(
            error["message"].as_str().unwrap().contains(right),
            "{id}: {error}"
        );
    }
    let bare = Setup::empty()
        .env("OPENAI_API_KEY", "an-openai-key")
        .config("[catalog]\nbare_ids = true");
    let got = bare
        .start(hello())
        .chat(asking("gpt-5.4", json!({})))
        .await
        .ok();
    assert_eq!(got["model"], "openai/gpt-5.4");
}

/// Statement 78: a static variant and the suffix that searches, stacked.
#[tokio::test(start_paused = true)]
async fn s78_a_free_variant_goes_online() {
    let found = json!({"query": "q", "results": [{"url": "https://1.example/page",
        "title": "Page 1", "content": "What page 1 says.", "publishedDate": null}]});
    let upstream = ReplayTransport::answering(move |request, _| match request.url.host() {
        Some("search.mock") => Reply::json(200, found.to_string()),
        _ => fixtures::answer("Hello", 5, 2),
    });
    let station = Setup::empty()
        .config("[plugins.web]\nengine = 'searxng'\nsearxng = { base_url = 'http://search.mock' }")
        .env("OPENROUTER_API_KEY", "an-openrouter-key")
        .start(upstream);
    let got = station
        .chat(asking("openai/gpt-oss-20b:free:online", json!({})))
        .await
        .ok();
    assert_eq!(got["model"], "openai/gpt-oss-20b:free");
    let message = &got["choices"][0]["message"];
    assert_eq!(
        message["annotations"][0]["url_citation"]["url"],
        "https://1.example/page"
    );
    let sent = station.sent();
    let chat = sent.last().expect("the model was asked");
    let body: Value = serde_json::from_slice(&chat.body).expect("JSON");
    assert_eq!(body["model"], "openai/gpt-oss-20b:free");
    assert!(body["messages"].to_string().contains("What page 1 says."));
}
