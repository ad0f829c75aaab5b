//! Facts that the operator or the catalogue states, as clients meet them over HTTP: caps on flat fees,
//! percentiles of what was measured, speeds that stand in for it, and licences.

use std::{sync::Arc, time::Duration};

use http::Method;
use serde_json::{Value, json};
use waystation_core::Transport;
use waystation_sim::{ReplayTransport, fixtures};
use waystation_tests::{Setup, Station, asking};

use crate::checklist::{M, hello, order, priced, shop};

/// Ten streams from A, then ten from B, each with the delay and the gap between its 80 words that
/// `pace` says of its number.
async fn measured(pace: fn(char, usize) -> (u64, u64)) -> Station {
    let upstream = ReplayTransport::answering(move |request, number| {
        let host = if request.url.host() == Some("a.mock") {
            'a'
        } else {
            'b'
        };
        let (delay, gap) = pace(host, number % 10);
        fixtures::answer_stream(&["word "; 80], 5, 80)
            .delay(delay)
            .gap(gap)
    });
    let (one, two) = (priced("1"), priced("2"));
    let station = shop(&[("a", &one), ("b", &two)]).start(upstream);
    for provider in ["A", "B"] {
        for _ in 0..10 {
            let body = asking(M, json!({"provider": {"only": [provider]}}));
            assert!(station.stream(body).await.finish().is_some());
        }
    }
    tokio::time::advance(Duration::from_millis(300)).await;
    station
}

/// Sorted by price, so that only a missed threshold puts B before A.
async fn wishing(station: &Station, mut wish: Value) -> Vec<String> {
    wish["sort"] = "price".into();
    order(station, M, json!({ "provider": wish })).await
}

#[tokio::test(start_paused = true)]
async fn s52_caps_on_the_fee_of_a_request_and_of_an_image_are_kept() {
    let fees = |request: &str, image: &str| {
        format!(
            "price = {{ prompt = \"1\", completion = \"1\", request = \"{request}\", image = \"{image}\" }}"
        )
    };
    let (dear, cheap, bare) = (fees("0.01", "0.002"), fees("0.001", "0.02"), priced("9"));
    let setup = shop(&[("a", &dear), ("b", &cheap), ("c", &bare)]);
    for (cap, served) in [
        (json!({"request": 0.001}), vec!["b", "c"]),
        (json!({"image": "0.002"}), vec!["a", "c"]),
        (
            json!({"request": "0.01", "image": 0.02}),
            vec!["a", "b", "c"],
        ),
        // What charges no such fee is below any cap of it.
        (json!({"request": 0, "image": 0}), vec!["c"]),
    ] {
        let station = setup.start(hello());
        let wish = json!({"provider": {"max_price": cap, "sort": "price"}});
        assert_eq!(order(&station, M, wish.clone()).await, served, "{cap}");
        let got = station.chat(asking(M, wish)).await.ok();
        assert_eq!(got["provider"], served[0].to_uppercase(), "{cap}");
    }
    let wish = json!({"provider": {"max_price": {"request": "0.0001"}, "ignore": ["C"]}});
    let refused = setup.start(hello()).chat(asking(M, wish)).await.error(404);
    assert_eq!(refused["availability"]["code"], "constraint_filtered");
}

#[tokio::test(start_paused = true)]
async fn s63_latency_is_in_seconds_and_every_cutoff_must_hold() {
    // Six of ten begin at once at A and four late; all of B's begin after half a second.
    let station = measured(|host, number| match (host, number) {
        ('a', 0..=5) => (100, 5),
        ('a', _) => (3_000, 5),
        _ => (500, 5),
    })
    .await;
    for (cutoff, expected) in [
        (json!(1), ["a", "b"]),
        (json!(0.3), ["a", "b"]),
        (json!(0.01), ["a", "b"]),
        (json!({"p50": 1}), ["a", "b"]),
        (json!({"p90": 1}), ["b", "a"]),
        (json!({"p50": 1, "p90": 1}), ["b", "a"]),
        (json!({"p50": 0.3, "p90": 1}), ["a", "b"]),
        (json!({"p50": 4, "p90": 4}), ["a", "b"]),
    ] {
        let wish = json!({"preferred_max_latency": cutoff});
        assert_eq!(wishing(&station, wish).await, expected, "{cutoff}");
    }
}

#[tokio::test(start_paused = true)]
async fn s64_the_ninetieth_percentile_of_throughput_is_the_slow_tail() {
    // Six of ten are fast at A and four slow; all of B's are between.
    let station = measured(|host, number| match (host, number) {
        ('a', 0..=5) => (100, 5),
        ('a', _) => (100, 100),
        _ => (100, 20),
    })
    .await;
    for (cutoff, expected) in [
        (json!({"p50": 30}), ["a", "b"]),
        (json!({"p90": 30}), ["b", "a"]),
        (json!({"p90": 5}), ["a", "b"]),
        (json!({"p50": 100, "p90": 5}), ["a", "b"]),
        (json!(100), ["a", "b"]),
    ] {
        let wish = json!({"preferred_min_throughput": cutoff});
        assert_eq!(wishing(&station, wish).await, expected, "{cutoff}");
    }
}

#[tokio::test(start_paused = true)]
async fn s76_a_suffix_of_one_entry_orders_that_entry_only() {
    let fast = |dollars: &str, tps: u32| {
        format!("{}\nspeed = {{ throughput_tps = {tps} }}", priced(dollars))
    };
    let (a, b) = (fast("1", 10), fast("2", 20));
    let more = format!(
        "[routing]\nsort = \"price\"\n[[models]]\nid = \"acme/n\"\n\
         [[models.endpoints]]\nprovider = \"a\"\n{a}\n[[models.endpoints]]\nprovider = \"b\"\n{b}\n"
    );
    let station = shop(&[("a", &a), ("b", &b)]).config(&more).start(hello());
    for (models, expected) in [
        (["acme/m:nitro", "acme/n"], ["b", "a", "a", "b"]),
        (["acme/m", "acme/n:nitro"], ["a", "b", "b", "a"]),
    ] {
        assert_eq!(
            order(&station, models[0], json!({"models": models})).await,
            expected
        );
    }
}

/// The tags by tokens per second, and by seconds to the first token.
async fn by_speed(station: &Station) -> (String, String) {
    let throughput = order(station, "acme/m:nitro", json!({})).await;
    let latency = order(station, M, json!({"provider": {"sort": "latency"}})).await;
    (throughput.concat(), latency.concat())
}

#[tokio::test(start_paused = true)]
async fn stated_speeds_stand_in_until_there_are_measured_ones() {
    let said = |figures: &str| format!("{}\nspeed = {{ {figures} }}", priced("1"));
    let setup = shop(&[
        ("a", &said("throughput_tps = 30, latency_s = 0.2")),
        ("b", &said("throughput_tps = 60, latency_s = 2.5")),
        ("c", &priced("1")),
    ]);
    let station = setup.start(ReplayTransport::answering(|_, _| {
        fixtures::answer_stream(&["word "; 80], 5, 80)
            .delay(4_000)
            .gap(5)
    }));
    // Empty windows: what is said orders, and who says nothing is last.
    let (throughput, latency) = by_speed(&station).await;
    assert_eq!((throughput.as_str(), latency.as_str()), ("bac", "abc"));
    // A is measured: its words come faster than it says, its first one later.
    let only_a = json!({"provider": {"only": ["A"]}});
    assert!(station.stream(asking(M, only_a)).await.finish().is_some());
    tokio::time::advance(Duration::from_millis(300)).await;
    let (throughput, latency) = by_speed(&station).await;
    assert_eq!((throughput.as_str(), latency.as_str()), ("abc", "bac"));
    // What is said meets no threshold: only what is measured does.
    let wish = json!({"sort": "price", "preferred_min_throughput": 50});
    assert_eq!(
        order(&station, M, json!({ "provider": wish })).await,
        ["a", "b", "c"]
    );
}

#[tokio::test(start_paused = true)]
async fn the_catalogues_speeds_order_hosts_that_nobody_has_measured() {
    let setup = Setup::empty()
        .env("GROQ_API_KEY", "gsk-1")
        .env("CEREBRAS_API_KEY", "csk-1")
        .env("DEEPINFRA_API_KEY", "d-1");
    let station = setup.start(hello());
    let tried = order(&station, "openai/gpt-oss-120b:nitro", json!({})).await;
    assert_eq!(tried[..2], ["cerebras", "groq"], "{tried:?}");
    // The operator knows better.
    let slower = "[catalog]\nproviders_from_env = true\n[[overrides]]\n\
                  match = { model = \"openai/gpt-oss-*\", provider = \"cerebras\" }\n\
                  speed = { throughput_tps = 20 }\n";
    let station = setup.config(slower).start(hello());
    let tried = order(&station, "openai/gpt-oss-120b:nitro", json!({})).await;
    assert_eq!(tried[..2], ["groq", "cerebras"], "{tried:?}");
}

#[tokio::test(start_paused = true)]
async fn only_models_whose_licence_lets_others_learn_serve_distillable_text() {
    let setup = Setup::empty()
        .env("GROQ_API_KEY", "gsk-1")
        .env("OPENAI_API_KEY", "sk-1");
    let wish = json!({"provider": {"enforce_distillable_text": true}});
    let station = setup.start(hello());
    let open = "openai/gpt-oss-20b";
    let got = station.chat(asking(open, wish.clone())).await.ok();
    assert_eq!(
        (&got["model"], &got["provider"]),
        (&json!(open), &json!("Groq"))
    );
    let closed = "openai/gpt-5.4";
    let refused = station.chat(asking(closed, wish.clone())).await.error(404);
    let why = &refused;
    assert_eq!(
        why["availability"]["excluded_by"],
        json!(["distillable"]),
        "{why}"
    );
    assert_eq!(
        why["availability"]["constraint"]["field"], "enforce_distillable_text",
        "{why}"
    );
    assert!(
        why["message"].as_str().unwrap().contains("[[overrides]]"),
        "{why}"
    );
    // A fallback may be learnt from where the first model may not.
    let mut both = wish.clone();
    both["models"] = json!([closed, open]);
    let got = station.chat(asking(closed, both)).await.ok();
    assert_eq!(got["model"], open);
    let listed = station.get("/v1/models?distillable=true").await.ok();
    let ids: Vec<&str> = (listed["data"].as_array().unwrap().iter())
        .map(|row| row["id"].as_str().unwrap())
        .collect();
    assert!(ids.contains(&open) && !ids.contains(&closed), "{ids:?}");
    // The operator's word counts for more than a licence, both ways.
    let own = format!(
        "[catalog]\nproviders_from_env = true\n\
         [[overrides]]\nmatch = {{ model = \"{closed}\" }}\ndistillable = true\n\
         [[models]]\nid = \"{open}\"\ndistillable = false\n"
    );
    let station = setup.config(&own).start(hello());
    let got = station.chat(asking(closed, wish.clone())).await.ok();
    assert_eq!(got["model"], closed);
    station.chat(asking(open, wish)).await.error(404);
}

#[tokio::test(start_paused = true)]
async fn what_nothing_serves_is_explained_with_its_strategy() {
    let station = shop(&[("a", &priced("1"))]).start(hello());
    for (model, strategy) in [(M, "direct"), ("openrouter/free", "free")] {
        let body = asking(model, json!({"provider": {"only": ["nobody"]}})).to_string();
        let request = Station::request(Method::POST, "/v1/route/explain", body);
        let told = station.whole(request).await.json();
        assert_eq!(
            (&told["strategy"], &told["attempts"]),
            (&json!(strategy), &json!([])),
            "{told}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_reloaded_configuration_brings_its_own_speeds() {
    let saying = |a: u32, b: u32| {
        let said = |tps: u32| format!("{}\nspeed = {{ throughput_tps = {tps} }}", priced("1"));
        shop(&[("a", &said(a)), ("b", &said(b))])
    };
    let upstream = Arc::new(hello());
    let app = saying(30, 60).app(Arc::clone(&upstream) as Arc<dyn Transport>);
    let station = Station::new(Arc::clone(&app), upstream);
    let nitro = || order(&station, "acme/m:nitro", json!({}));
    assert_eq!(nitro().await, ["b", "a"]);
    app.reload(saying(60, 30).resolve().unwrap());
    assert_eq!(nitro().await, ["a", "b"]);
}
