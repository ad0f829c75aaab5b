//! Tests of the routing question: sizes, tiers, content, and when a prompt is counted.

use waystation_catalog::{Changes, EndpointChange, ModelChange, ProviderChange};
use waystation_core::ModelId;

use super::*;

/// Every four bytes a token.
struct FourBytes;

impl TokenCounter for FourBytes {
    fn bounds(&self, bytes: u64) -> (Tokens, Tokens) {
        (Tokens::new(bytes / 128), Tokens::new(bytes))
    }

    fn estimate(&self, bytes: u64) -> Tokens {
        Tokens::new(bytes / 4)
    }

    fn count_till(&self, text: &str, _: Tokens) -> Tokens {
        self.estimate(text.len() as u64)
    }

    fn exact_till(&self, _: &ModelId, family: &str, text: &str, _: Tokens) -> Option<Tokens> {
        (family == "Threes").then(|| Tokens::new(text.len() as u64 / 3))
    }
}

fn read(members: &str) -> Result<Box<Ask>, InvalidRequest> {
    read_in(&catalog(&[100]), members)
}

fn read_in(catalog: &Catalog, members: &str) -> Result<Box<Ask>, InvalidRequest> {
    let body = format!(
        r#"{{"model": "a/b", "messages": [{{"role": "user", "content": "{}"}}]{members}}}"#,
        "x".repeat(400)
    );
    let chat = ChatRequest::parse(&body.into())?;
    ask(&chat, &FourBytes, catalog, &RoutingPolicy::default())
}

/// What a prompt comes to by the counts for one model.
fn read_of(model: &Model, members: &str) -> Tokens {
    let body = format!(
        r#"{{"model": "a/b", "messages": [{{"role": "user", "content": "{}"}}]{members}}}"#,
        "x".repeat(400)
    );
    let chat = ChatRequest::parse(&body.into()).unwrap();
    let mut ask = Ask::default();
    ask.max_output = chat.max_output();
    let limit = model.endpoints[0].context_length.unwrap();
    let low = count(&chat, limit, |text, limit| {
        Some(FourBytes.count_till(text, limit))
    });
    let near = is_near_a_limit(&ask, low.unwrap(), model);
    let exact = near.then(|| exactly(&chat, (model, limit), &FourBytes));
    exact.flatten().or(low).unwrap()
}

/// `a/b` with endpoints of these contexts.
fn catalog(contexts: &[u64]) -> Catalog {
    let mut changes = Changes::default();
    let mut provider = ProviderChange::new("p".parse().unwrap());
    provider.name = Some("P".into());
    provider.dialect = Some("openai-chat".parse().unwrap());
    provider.base_url = Some("https://p.example/v1".into());
    changes.providers.push(provider);
    let mut model = ModelChange::new("a/b".parse().unwrap());
    for (at, context) in contexts.iter().enumerate() {
        let mut endpoint = EndpointChange::new("p".parse().unwrap());
        endpoint.tag = Some(format!("p/{at}").parse().unwrap());
        endpoint.context_length = Some(Tokens::new(*context));
        model.endpoints.push(endpoint);
    }
    changes.models.push(model);
    Catalog::empty().with(changes).unwrap().0
}

#[test]
fn a_prompt_that_fits_everywhere_by_its_bytes_is_not_counted() {
    let of = |contexts: &[u64], members: &str| {
        let ask = read_in(&catalog(contexts), members).unwrap();
        ask.prompt_at_least
    };
    // The prompt is 400 letters in quotes, and its role.
    assert_eq!(of(&[500, 1_000], ""), Tokens::ZERO);
    assert_eq!(of(&[200, 1_000], ""), Tokens::new(100));
    assert_eq!(
        of(&[500, 1_000], r#", "max_tokens": 600"#),
        Tokens::new(100)
    );
    assert_eq!(
        of(&[500, 1_000], r#", "models": ["openrouter/auto"]"#),
        Tokens::ZERO
    );
}

#[test]
fn near_a_limit_a_prompt_for_one_model_is_counted_by_its_own_vocabulary() {
    let of = |family: &str, context: u64, members: &str| {
        let mut models = catalog(&[context]).models().cloned().collect::<Vec<_>>();
        models[0].tokenizer = Some(family.into());
        let ask = read_of(&models[0], members);
        ask.get()
    };
    assert_eq!(of("Threes", 110, ""), 133);
    assert_eq!(of("Others", 110, ""), 100);
    assert_eq!(of("Threes", 60, ""), 100, "it is far too long");
    assert_eq!(of("Threes", 140, ""), 100, "it is far from too long");
    assert_eq!(of("Threes", 140, r#", "max_tokens": 30"#), 133);
}

#[test]
fn sizes_tiers_and_content_are_read() {
    let ask = read(r#", "max_tokens": 9, "service_tier": "flex", "modalities": ["text"]"#);
    let ask = ask.unwrap();
    assert_eq!(ask.prompt_at_least, Tokens::new(100));
    assert!(ask.prompt_estimate >= ask.prompt_at_least);
    assert_eq!(ask.max_output, Some(Tokens::new(9)));
    assert_eq!(ask.service_tier, Some(ServiceTier::Flex));
    assert_eq!(ask.output, Modalities::TEXT);
    assert_eq!(
        read(r#", "service_tier": "auto""#).unwrap().service_tier,
        None
    );
}

#[test]
fn a_bad_id_in_a_list_names_its_place() {
    let refused = read(r#", "models": ["a/c", "a b"]"#).unwrap_err();
    assert_eq!(refused.field, "models[1]");
    let refused = read(r#", "models": ["a/c@preset/nope"]"#).unwrap_err();
    assert_eq!(refused.kind, ErrorType::NotFound);
}

#[test]
fn one_look_at_the_messages_finds_what_two_passes_find() {
    for body in [
        r#"{"messages": [{"role": "user", "content": "Hi"}]}"#,
        r#"{"messages": [{"role": "user", "content": "Hi", "name": "x"}], "tools": [{"type": "function", "function": {"name": "f"}}]}"#,
        r#"{"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]}]}"#,
        r#"{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": null, "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}, {"role": "tool", "tool_call_id": "1", "content": "2"}], "response_format": {"type": "json_object"}}"#,
        r#"{"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": [{"type": "file", "file": {"file_data": "data:,x"}}]}]}"#,
    ] {
        let chat = ChatRequest::parse(&body.as_bytes().into()).unwrap();
        let passes = (chat.prompt_bytes(), chat.input_modalities());
        assert_eq!(survey(&chat), passes, "{body}");
    }
}

/// The short cut for ids of the catalogue is one.
#[test]
fn an_id_of_the_catalogue_is_read_as_its_text_is() {
    let catalog = Catalog::bundled().unwrap();
    let mut short = 0;
    for id in catalog.models().map(|model| model.id.as_str()) {
        for text in [id.to_owned(), format!("{id}:floor"), id.to_uppercase()] {
            let found = known(&text, &catalog);
            short += usize::from(found.is_some());
            assert!(
                found.is_none_or(|found| Ok(found) == text.parse()),
                "{text}"
            );
        }
    }
    assert!(short > catalog.models().count() / 2);
}
