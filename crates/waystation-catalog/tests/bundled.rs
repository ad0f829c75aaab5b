//! What the embedded catalogue promises: it is complete, the seeds are pinned, each seed is served by
//! its vendor alone, and providers are found by the names that people write. Prices are not tested:
//! they are data.

use std::collections::BTreeSet;

use serde::Deserialize;
use waystation_catalog::{Catalog, Model};
use waystation_core::{AuthScheme, ChatPath, Tokens, Trust};

#[derive(Deserialize)]
struct Seeds {
    seed: Vec<Seed>,
}

#[derive(Deserialize)]
struct Seed {
    id: String,
    context_length: Option<u64>,
    vendors: Vec<String>,
}

#[expect(
    clippy::unwrap_used,
    reason = "without the catalogue there is nothing to test"
)]
fn catalog() -> Catalog {
    Catalog::bundled().unwrap()
}

#[expect(
    clippy::unwrap_used,
    reason = "without the seeds there is nothing to test"
)]
fn seeds() -> Vec<Seed> {
    toml::from_str::<Seeds>(include_str!("../data/seeds.toml"))
        .unwrap()
        .seed
}

fn served_by(model: &Model, provider: &str) -> bool {
    let plain = |endpoint: &&waystation_core::Endpoint| endpoint.variant.is_none();
    model
        .endpoints
        .iter()
        .filter(plain)
        .any(|endpoint| endpoint.provider == provider)
}

#[test]
fn the_catalogue_is_complete() {
    let catalog = catalog();
    assert_eq!(catalog.models().count(), 526);
    assert!(catalog.providers().count() >= 64);
    assert_eq!(
        catalog
            .models()
            .map(|model| model.endpoints.len())
            .sum::<usize>(),
        2027
    );
    assert_eq!(catalog.models().filter(|model| model.router).count(), 6);
    assert!(catalog.models().is_sorted_by_key(|model| &model.id));
    assert!(
        catalog
            .providers()
            .is_sorted_by_key(|provider| &provider.upstream.slug)
    );
    assert_eq!(catalog.version().len(), "2026-11-10".len());
}

#[test]
fn the_seeds_are_there_with_their_promised_contexts() {
    let catalog = catalog();
    assert_eq!(seeds().len(), 11);
    for seed in seeds() {
        let model = catalog.model(&seed.id).unwrap();
        assert_eq!(
            model.context_length.map(Tokens::get),
            seed.context_length,
            "{}",
            seed.id
        );
    }
    assert_eq!(
        catalog.model("openrouter/auto").unwrap().context_length,
        None
    );
}

#[test]
fn an_endpoint_keeps_its_own_limit_where_more_is_promised() {
    let catalog = catalog();
    let model = catalog.model("openai/gpt-5.4-mini").unwrap();
    assert_eq!(model.context_length, Some(Tokens::new(1_000_000)));
    let own = model.endpoint("openai").unwrap().context_length;
    assert_eq!(own, Some(Tokens::new(400_000)));
}

#[test]
fn each_vendor_alone_serves_its_seeds() {
    let catalog = catalog();
    for seed in seeds() {
        let model = catalog.model(&seed.id).unwrap();
        for vendor in &seed.vendors {
            assert!(
                served_by(model, vendor),
                "{vendor} does not serve {}",
                seed.id
            );
        }
    }
    let kimi = catalog.model("moonshotai/kimi-k2").unwrap();
    assert_eq!(kimi.endpoint("moonshotai").unwrap().trust, Trust::Maker);
}

#[test]
fn the_aggregator_alone_serves_all_of_its_rows() {
    let catalog = catalog();
    let mut rows = 0;
    for endpoint in catalog.models().flat_map(|model| &model.endpoints) {
        let aggregates = catalog
            .provider(endpoint.provider.as_str())
            .unwrap()
            .aggregator;
        assert_eq!(
            aggregates,
            endpoint.trust == Trust::Aggregator,
            "{}",
            endpoint.id
        );
        assert_eq!(aggregates, endpoint.billed_by_upstream, "{}", endpoint.id);
        rows += usize::from(aggregates);
        if aggregates {
            assert_eq!(endpoint.dialect, "openai-chat", "{}", endpoint.id);
        }
    }
    assert_eq!(rows, 436);
}

#[test]
fn a_router_has_no_price_of_its_own() {
    for model in catalog().models().filter(|model| model.router) {
        for endpoint in &model.endpoints {
            assert_eq!(endpoint.price.rates.prompt, None, "{}", endpoint.id);
        }
    }
}

#[test]
fn tags_are_providers_or_their_variants() {
    for endpoint in catalog().models().flat_map(|model| &model.endpoints) {
        let tag = match &endpoint.variant {
            Some(variant) => format!("{}/{variant}", endpoint.provider),
            None => endpoint.provider.to_string(),
        };
        assert_eq!(endpoint.tag.as_str(), tag);
    }
}

fn named(name: &str) -> Vec<String> {
    catalog()
        .providers_named(name)
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn openai_is_found_by_name() {
    for name in ["OpenAI", "openai", " Open AI "] {
        assert_eq!(named(name), ["openai"]);
    }
}

#[test]
fn anthropic_is_found_by_name() {
    assert_eq!(named("Anthropic"), ["anthropic"]);
}

#[test]
fn google_is_both_of_its_houses() {
    for name in ["Google", "google"] {
        assert_eq!(named(name), ["google-ai-studio", "google-vertex"]);
    }
    assert_eq!(named("Google Vertex"), ["google-vertex"]);
    assert_eq!(named("google-ai-studio"), ["google-ai-studio"]);
}

#[test]
fn xai_is_found_by_name() {
    for name in ["xAI", "x-ai", "xai", "SpaceXAI"] {
        assert_eq!(named(name), ["xai"]);
    }
}

#[test]
fn qwen_is_found_by_name() {
    for name in ["Qwen", "Alibaba", "Alibaba Cloud"] {
        assert_eq!(named(name), ["alibaba"]);
    }
}

#[test]
fn moonshot_is_found_by_name() {
    for name in ["Moonshot", "Moonshot AI", "moonshotai"] {
        assert_eq!(named(name), ["moonshotai"]);
    }
}

#[test]
fn azure_is_found_by_name() {
    for name in ["Azure", "azure", "azure-openai"] {
        assert_eq!(named(name), ["azure"]);
    }
    assert_eq!(named("Z.AI"), ["z-ai"]);
    assert!(named("nobody").is_empty());
}

#[test]
fn a_wrong_id_gets_the_right_one() {
    let catalog = catalog();
    for (wrong, right) in [
        ("gpt-5.4", "openai/gpt-5.4"),
        (
            "vertex_ai/gemini-3.1-pro-preview",
            "google/gemini-3.1-pro-preview",
        ),
        ("openai/gpt5.4", "openai/gpt-5.4"),
        ("anthropic/claude-sonnet-4-6", "anthropic/claude-sonnet-4.6"),
        ("claude-opus-4-6", "anthropic/claude-opus-4.6"),
        (
            "bedrock/global.anthropic.claude-sonnet-4-6",
            "anthropic/claude-sonnet-4.6",
        ),
        ("xai/grok-4.20", "x-ai/grok-4.20"),
        ("Moonshot/Kimi-K2", "moonshotai/kimi-k2"),
        (
            "antropic/claude-opus-4.6:nitro",
            "anthropic/claude-opus-4.6",
        ),
    ] {
        assert_eq!(
            catalog.suggest(wrong).map(ToString::to_string).as_deref(),
            Some(right),
            "{wrong}"
        );
    }
    for nothing in ["", "/", "zzzzzzzzzzzzzzzz", &"q".repeat(100_000)] {
        assert_eq!(catalog.suggest(nothing), None);
    }
}

#[test]
fn ids_resolve_with_their_variant_and_without() {
    let catalog = catalog();
    let free = catalog
        .models()
        .find(|model| model.variants().contains(&"free"))
        .unwrap();
    let id = format!("{}:free", free.id).parse().unwrap();
    let (model, variant) = catalog.find(&id).unwrap();
    assert_eq!((&model.id, variant), (&free.id, Some("free")));
    let unknown = format!("{}:nonsense", free.id).parse().unwrap();
    assert!(catalog.resolve(&unknown).is_none());
    assert!(
        catalog
            .resolve(&"OpenAI/GPT-5.4".parse().unwrap())
            .is_some()
    );
}

#[test]
fn families_have_a_latest_model() {
    let catalog = catalog();
    let opus = catalog.latest("~anthropic/claude-opus-latest").unwrap();
    assert_eq!(opus.id.author(), "anthropic");
    assert!(catalog.latest("anthropic/claude-opus-latest").is_some());
    assert!(catalog.latest("nobody/none-latest").is_none());
    assert!(catalog.latest_aliases().count() >= 15);
}

#[test]
fn wires_are_chosen_as_decided() {
    let catalog = catalog();
    let of = |id: &str, tag: &str| {
        let model = catalog.model(id).unwrap();
        model.endpoint(tag).unwrap().dialect.to_string()
    };
    assert_eq!(of("openai/gpt-5.4", "openai"), "openai-chat");
    assert_eq!(of("openai/gpt-5.4", "azure"), "openai-chat");
    assert_eq!(
        of("anthropic/claude-sonnet-4.6", "anthropic"),
        "anthropic-messages"
    );
    assert_eq!(
        of("anthropic/claude-sonnet-4.6", "amazon-bedrock"),
        "bedrock-converse"
    );
    assert_eq!(
        of("anthropic/claude-sonnet-4.6", "google-vertex"),
        "anthropic-messages"
    );
    assert_eq!(
        of("google/gemini-3.1-pro-preview", "google-ai-studio"),
        "gemini"
    );
    assert_eq!(of("x-ai/grok-4.20", "xai"), "openai-chat");
    let wires: BTreeSet<(String, String)> = catalog
        .models()
        .flat_map(|model| &model.endpoints)
        .map(|endpoint| (endpoint.provider.to_string(), endpoint.dialect.to_string()))
        .collect();
    for (provider, dialect) in [
        ("minimax", "openai-chat"),
        ("mistral", "openai-chat"),
        ("cohere", "cohere-chat"),
        ("openai", "openai-responses"),
    ] {
        assert!(
            wires.contains(&(provider.into(), dialect.into())),
            "{provider} {dialect}"
        );
    }
    assert!(!wires.contains(&("minimax".into(), "anthropic-messages".into())));
}

#[test]
fn every_wire_has_an_address_that_its_codec_can_use() {
    let catalog = catalog();
    for endpoint in catalog.models().flat_map(|model| &model.endpoints) {
        let provider = catalog.provider(endpoint.provider.as_str()).unwrap();
        let upstream = provider.upstream_for(&endpoint.dialect);
        let url = &upstream.base_url;
        assert!(url.starts_with("https://") && !url.ends_with('/'), "{url}");
        let host_only = url.matches('/').count() == 2;
        let native = ["gemini", "bedrock-converse", "cohere-chat"];
        if native.contains(&endpoint.dialect.as_str()) {
            assert!(host_only, "{} has {url}", endpoint.id);
        }
        if endpoint.dialect == "openai-responses" {
            assert!(url.ends_with("/v1"), "{} has {url}", endpoint.id);
        }
        assert!(!url.ends_with("/v1") || endpoint.dialect != "anthropic-messages");
    }
    let azure = catalog.provider("azure").unwrap();
    assert_eq!(azure.upstream.auth, AuthScheme::ApiKey);
    assert_eq!(azure.upstream.quirks.chat_path, ChatPath::Azure);
    assert_eq!(azure.unfilled(&azure.dialect), ["resource"]);
}

#[test]
fn keys_have_one_provider_each() {
    let catalog = catalog();
    let mut seen = BTreeSet::new();
    for provider in catalog.providers() {
        assert!(
            provider.keyless || !provider.env.is_empty(),
            "{}",
            provider.upstream.slug
        );
        for variable in &provider.env {
            assert!(
                seen.insert(variable.clone()),
                "{variable} enables two providers"
            );
        }
    }
    for (slug, variable) in [
        ("moonshotai", "MOONSHOTAI_API_KEY"),
        ("google-ai-studio", "GOOGLE_API_KEY"),
        ("cohere", "CO_API_KEY"),
        ("together", "TOGETHER_AI_TOKEN"),
    ] {
        let provider = catalog.provider(slug).unwrap();
        assert!(
            provider.env.iter().any(|known| known == variable),
            "{variable}"
        );
    }
    assert!(catalog.provider("amazon-bedrock").unwrap().general_identity);
    assert!(catalog.provider("ollama").unwrap().keyless);
}
