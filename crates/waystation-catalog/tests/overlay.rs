//! An operator's changes laid over the catalogue: what they add, replace and refuse.

use waystation_catalog::{
    Catalog, Changes, EndpointChange, ModelChange, Override, ProviderChange, RowError, Speed,
};
use waystation_core::{AuthScheme, DataPolicy, Modality, Price, PriceTier, Rates, Tokens, Trust};

#[expect(
    clippy::unwrap_used,
    reason = "without the catalogue there is nothing to test"
)]
fn catalog() -> Catalog {
    Catalog::bundled().unwrap()
}

#[expect(clippy::unwrap_used, reason = "the slug is legal")]
fn my_vllm() -> ProviderChange {
    ProviderChange {
        name: Some("My vLLM".into()),
        dialect: Some("openai-chat".parse().unwrap()),
        base_url: Some("http://10.0.0.5:8000/v1/".into()),
        ..ProviderChange::new("my-vllm".parse().unwrap())
    }
}

#[expect(clippy::unwrap_used, reason = "the change is meant to be refused")]
fn why(changes: Changes) -> (String, String) {
    let error = catalog().with(changes).map(|_| ()).unwrap_err();
    (error.at().unwrap_or_default().to_owned(), error.to_string())
}

#[test]
fn a_private_model_at_a_private_provider() {
    let mut model = ModelChange::new("acme/fast".parse().unwrap());
    model.context_length = Some(Tokens::new(131_072));
    let mut endpoint = EndpointChange::new("my-vllm".parse().unwrap());
    endpoint.tag = Some("my-vllm/turbo".parse().unwrap());
    endpoint.price = Price::simple("0.10".parse().unwrap(), "0.40".parse().unwrap());
    model.endpoints.push(endpoint);
    let changes = Changes {
        providers: vec![my_vllm()],
        models: vec![model],
        ..Changes::default()
    };
    let (catalog, warnings) = Catalog::empty().with(changes).unwrap();
    assert!(warnings.is_empty());
    let model = catalog.model("acme/fast").unwrap();
    let endpoint = model.endpoint("my-vllm/turbo").unwrap();
    assert_eq!(endpoint.id.as_str(), "acme/fast|my-vllm/turbo");
    assert_eq!(&*endpoint.upstream_model, "fast");
    assert_eq!(endpoint.context_length, model.context_length);
    assert_eq!(endpoint.trust, Trust::Firm);
    assert!(
        endpoint.input.has(Modality::Image),
        "unknown limits nothing"
    );
    let provider = catalog.provider("my-vllm").unwrap();
    assert_eq!(provider.upstream.base_url, "http://10.0.0.5:8000/v1");
    assert_eq!(provider.upstream.auth, AuthScheme::Bearer);
    assert_eq!(catalog.providers_named("my VLLM"), ["my-vllm"]);
}

#[test]
fn a_new_provider_must_say_where_it_is() {
    let provider = ProviderChange {
        base_url: None,
        ..my_vllm()
    };
    let (at, text) = why(Changes {
        providers: vec![provider],
        ..Changes::default()
    });
    assert_eq!(at, "providers.my-vllm.base_url");
    assert!(text.contains("`base_url` is required"), "{text}");
}

#[test]
fn a_known_model_gets_more_endpoints() {
    let id = "openai/gpt-5.4";
    let before = catalog().model(id).unwrap().endpoints.len();
    let mut model = ModelChange::new(id.parse().unwrap());
    model
        .endpoints
        .push(EndpointChange::new("my-vllm".parse().unwrap()));
    let changes = Changes {
        providers: vec![my_vllm()],
        models: vec![model.clone()],
        ..Changes::default()
    };
    let (changed, warnings) = catalog().with(changes).unwrap();
    assert!(warnings.is_empty());
    assert_eq!(changed.model(id).unwrap().endpoints.len(), before + 1);
    let price = &changed
        .model(id)
        .unwrap()
        .endpoint("my-vllm")
        .unwrap()
        .price;
    assert_eq!(
        price.rates.prompt, None,
        "an absent price is unknown, not zero"
    );

    model.endpoints = vec![EndpointChange::new("openai".parse().unwrap())];
    let changes = Changes {
        models: vec![model],
        ..Changes::default()
    };
    let (changed, warnings) = catalog().with(changes).unwrap();
    assert_eq!(changed.model(id).unwrap().endpoints.len(), before);
    assert!(warnings[0].to_string().contains("openai/gpt-5.4|openai"));
}

#[test]
fn wrong_changes_say_where_and_what() {
    let mut colon = ModelChange::new("acme/fast:v2".parse().unwrap());
    let (at, text) = why(Changes {
        models: vec![colon.clone()],
        ..Changes::default()
    });
    assert_eq!(at, "models[0].id");
    assert!(text.contains("\"acme/fast-v2\""), "{text}");

    colon.id = "acme/fast".parse().unwrap();
    colon
        .endpoints
        .push(EndpointChange::new("opnai".parse().unwrap()));
    let (at, text) = why(Changes {
        models: vec![colon.clone()],
        ..Changes::default()
    });
    assert_eq!(at, "models[0].endpoints[0].provider");
    assert!(text.contains("did you mean \"openai\"?"), "{text}");

    colon.endpoints[0] = EndpointChange::new("openai".parse().unwrap());
    colon.endpoints[0].price = Price::simple("1000".parse().unwrap(), "1".parse().unwrap());
    let (at, _) = why(Changes {
        models: vec![colon.clone()],
        ..Changes::default()
    });
    assert_eq!(at, "models[0].endpoints[0].price");

    colon.endpoints[0].price = Price::default();
    colon.endpoints.push(colon.endpoints[0].clone());
    let (at, text) = why(Changes {
        models: vec![colon.clone()],
        ..Changes::default()
    });
    assert_eq!(at, "models[0].endpoints[1].tag");
    assert!(text.contains("is there twice"), "{text}");

    colon.endpoints.clear();
    colon.context_length = Some(Tokens::ZERO);
    let (at, _) = why(Changes {
        models: vec![colon],
        ..Changes::default()
    });
    assert_eq!(at, "models[0].context_length");

    let nothing = Override {
        enabled: Some(false),
        ..Override::default()
    };
    let (at, text) = why(Changes {
        overrides: vec![nothing],
        ..Changes::default()
    });
    assert_eq!(at, "overrides[0].match");
    assert!(text.contains(&RowError::NoMatch.to_string()), "{text}");

    let aliases = [("fast".parse().unwrap(), "openai/gpt5.4".parse().unwrap())];
    let (_, text) = why(Changes {
        aliases: aliases.into(),
        ..Changes::default()
    });
    assert!(text.contains("did you mean \"openai/gpt-5.4\"?"), "{text}");
}

#[test]
fn an_override_patches_what_it_selects_and_nothing_else() {
    let base = catalog();
    let discount = Override {
        model: Some("anthropic/*".into()),
        provider: Some("Amazon Bedrock".into()),
        price_multiplier: Some("0.5".parse().unwrap()),
        upstream_model: Some("mine".into()),
        ..Override::default()
    };
    let changes = Changes {
        overrides: vec![discount],
        ..Changes::default()
    };
    let (changed, warnings) = base.with(changes).unwrap();
    assert!(warnings.is_empty());
    for (old, new) in base.models().zip(changed.models()) {
        for (old, new) in old.endpoints.iter().zip(&new.endpoints) {
            let hit = old.model.author() == "anthropic" && old.provider == "amazon-bedrock";
            assert_eq!(&*new.upstream_model == "mine", hit, "{}", old.id);
            let (Some(before), Some(after)) = (old.price.rates.prompt, new.price.rates.prompt)
            else {
                continue;
            };
            let expected = if hit {
                before.nanos() / 2
            } else {
                before.nanos()
            };
            assert_eq!(after.nanos(), expected, "{}", old.id);
        }
    }
}

#[test]
fn the_last_override_wins_and_a_price_states_its_own_steps() {
    let mut price = Price::simple("9".parse().unwrap(), "9".parse().unwrap());
    let first = Override {
        model: Some("openai/gpt-5.4".into()),
        provider: Some("openai".into()),
        price: Some(price.clone()),
        ..Override::default()
    };
    price.rates = Rates::default();
    price.rates.prompt = Some("1".parse().unwrap());
    let rates = price.rates;
    price.tiers.push(PriceTier {
        above: Tokens::new(1000),
        rates,
    });
    let second = Override {
        price: Some(price.clone()),
        ..first.clone()
    };
    let changes = Changes {
        overrides: vec![first, second],
        ..Changes::default()
    };
    let (changed, _) = catalog().with(changes).unwrap();
    let own = &changed
        .model("openai/gpt-5.4")
        .unwrap()
        .endpoint("openai")
        .unwrap()
        .price;
    assert_eq!(own.rates.prompt, price.rates.prompt);
    assert_eq!(own.rates.completion, Some("9".parse().unwrap()));
    assert_eq!(own.tiers, price.tiers);
}

#[test]
fn an_endpoint_can_be_taken_away_and_a_miss_warns() {
    let off = Override {
        provider: Some("openrouter".into()),
        enabled: Some(false),
        ..Override::default()
    };
    let miss = Override {
        model: Some("acme/*".into()),
        ..off.clone()
    };
    let changes = Changes {
        overrides: vec![off, miss],
        ..Changes::default()
    };
    let (changed, warnings) = catalog().with(changes).unwrap();
    let left = changed.models().flat_map(|model| &model.endpoints);
    assert_eq!(
        left.filter(|endpoint| endpoint.provider == "openrouter")
            .count(),
        0
    );
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].at, "overrides[1]");
    assert!(warnings[0].message.contains("matches no endpoint"));
}

#[test]
fn a_provider_moves_with_all_of_its_wires() {
    let mut change = ProviderChange::new("openai".parse().unwrap());
    change.base_url = Some("http://localhost:9000/openai/v1/".into());
    change.policy = Some(DataPolicy {
        zdr: Some(true),
        ..DataPolicy::default()
    });
    let changes = Changes {
        providers: vec![change],
        ..Changes::default()
    };
    let (changed, _) = catalog().with(changes).unwrap();
    let provider = changed.provider("openai").unwrap();
    for dialect in ["openai-chat", "openai-responses"] {
        let upstream = provider.upstream_for(&dialect.parse().unwrap());
        assert_eq!(upstream.base_url, "http://localhost:9000/openai/v1");
    }
    let endpoint = changed
        .model("openai/gpt-5.4")
        .unwrap()
        .endpoint("openai")
        .unwrap();
    assert_eq!(endpoint.policy.zdr, Some(true));
}

#[test]
fn a_dialect_of_the_config_is_that_of_all_rows() {
    let mut change = ProviderChange::new("azure".parse().unwrap());
    change.dialect = Some("openai-responses".parse().unwrap());
    change
        .settings
        .values
        .insert("resource".into(), "mine".into());
    let changes = Changes {
        providers: vec![change],
        ..Changes::default()
    };
    let (changed, _) = catalog().with(changes).unwrap();
    let endpoint = changed
        .model("openai/gpt-5.4")
        .unwrap()
        .endpoint("azure")
        .unwrap();
    assert_eq!(endpoint.dialect, "openai-responses");
    let provider = changed.provider("azure").unwrap();
    assert_eq!(
        provider.upstream.base_url,
        "https://mine.openai.azure.com/openai/v1"
    );
    assert!(provider.unfilled(&endpoint.dialect).is_empty());
}

#[test]
fn a_region_fills_the_address_or_has_its_own() {
    let at = |slug: &str, region: &str| {
        let mut change = ProviderChange::new(slug.parse().unwrap());
        change.settings.region = Some(region.into());
        let changes = Changes {
            providers: vec![change],
            ..Changes::default()
        };
        let (changed, _) = catalog().with(changes).unwrap();
        changed.provider(slug).unwrap().upstream.base_url.clone()
    };
    assert_eq!(
        at("amazon-bedrock", "eu-west-1"),
        "https://bedrock-runtime.eu-west-1.amazonaws.com"
    );
    assert_eq!(
        at("google-vertex", "us-east5"),
        "https://us-east5-aiplatform.googleapis.com"
    );
    assert_eq!(
        at("google-vertex", "global"),
        "https://aiplatform.googleapis.com"
    );
}

#[test]
fn a_local_server_named_by_host_keeps_its_path() {
    let mut change = ProviderChange::new("ollama".parse().unwrap());
    change.base_url = Some("http://gpu.lan:11434".into());
    let changes = Changes {
        providers: vec![change],
        ..Changes::default()
    };
    let (changed, _) = catalog().with(changes).unwrap();
    let url = &changed.provider("ollama").unwrap().upstream.base_url;
    assert_eq!(url, "http://gpu.lan:11434/v1");
}

#[test]
fn an_alias_names_a_model_and_may_hide_one() {
    let aliases = [
        (
            "gpt-latest".parse().unwrap(),
            "openai/gpt-5.4".parse().unwrap(),
        ),
        (
            "openai/gpt-4o".parse().unwrap(),
            "openai/gpt-5.4".parse().unwrap(),
        ),
    ];
    let changes = Changes {
        aliases: aliases.into(),
        ..Changes::default()
    };
    let (changed, warnings) = catalog().with(changes).unwrap();
    for name in ["gpt-latest", "openai/gpt-4o"] {
        assert_eq!(
            changed.resolve(&name.parse().unwrap()).unwrap().id,
            "openai/gpt-5.4"
        );
    }
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].at.contains("openai/gpt-4o"));
}

#[test]
fn without_models_the_providers_stay() {
    let bare = catalog().without_models();
    assert_eq!(bare.models().count(), 0);
    assert_eq!(bare.providers().count(), catalog().providers().count());
    assert_eq!(bare.providers_named("OpenAI"), ["openai"]);
}

#[test]
fn an_override_states_speeds_and_whose_text_may_be_learnt_from() {
    let said = |at: &str, speed: Speed| Override {
        model: Some("openai/gpt-oss-120b".into()),
        provider: Some(at.into()),
        speed,
        ..Override::default()
    };
    let late = Speed {
        latency_s: Some(0.5),
        ..Speed::default()
    };
    let word = Override {
        model: Some("openai/gpt-5.4".into()),
        distillable: Some(true),
        ..Override::default()
    };
    let changes = Changes {
        overrides: vec![said("groq", late), said("deepinfra", late), word],
        ..Changes::default()
    };
    let (changed, warnings) = catalog().with(changes).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    let of = |catalog: &Catalog, tag: &str| {
        let id = format!("openai/gpt-oss-120b|{tag}");
        let found = catalog.speeds().find(|(known, _)| known.as_str() == id);
        found.map(|(_, speed)| speed)
    };
    let before = of(&catalog(), "groq").unwrap();
    assert_eq!(
        of(&changed, "groq").unwrap(),
        Speed {
            latency_s: Some(0.5),
            ..before
        }
    );
    assert_eq!(
        (of(&catalog(), "deepinfra"), of(&changed, "deepinfra")),
        (None, Some(late))
    );
    assert_eq!(of(&changed, "cerebras"), of(&catalog(), "cerebras"));
    assert_eq!(
        changed.model("openai/gpt-5.4").unwrap().distillable,
        Some(true)
    );
    assert_eq!(catalog().model("openai/gpt-5.4").unwrap().distillable, None);
}

#[test]
fn a_speed_that_cannot_be_and_a_word_about_a_provider_are_refused() {
    let wrong = |change: Override| {
        why(Changes {
            overrides: vec![change],
            ..Changes::default()
        })
    };
    for figure in [0.0, -1.0, f64::NAN, 1e6] {
        let (at, text) = wrong(Override {
            model: Some("openai/*".into()),
            speed: Speed {
                throughput_tps: Some(figure),
                ..Speed::default()
            },
            ..Override::default()
        });
        assert_eq!(at, "overrides[0]");
        assert!(text.contains("speed.throughput_tps"), "{text}");
    }
    let (at, _) = wrong(Override {
        provider: Some("openai".into()),
        distillable: Some(true),
        ..Override::default()
    });
    assert_eq!(at, "overrides[0].distillable");
}
