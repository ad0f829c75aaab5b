//! From a chat request to a routing question: which models, which wishes, how large. Of the catalogue
//! it reads only how large a prompt may be; whether the models exist is the plan's to say.

use std::borrow::Cow;

use waystation_catalog::{Catalog, Model};
use waystation_core::{
    Ask, ChatRequest, ErrorType, InvalidRequest, Json, Modalities, ModelRef, ProviderPreferences,
    ServiceTier, TokenCounter, Tokens,
};

use crate::RoutingPolicy;

/// The most bytes of JSON that one byte of text takes: `\\u0041`.
const BYTES_PER_ESCAPE: u64 = 6;

/// Reads the routing question of a chat request.
///
/// Presets are the caller's to merge before: a reference to one that is still there is refused.
/// Tokens are counted, in one pass over the text of the messages, only where that decides: where some
/// endpoint of the wanted models in `catalog` might not hold every prompt of so many bytes.
///
/// # Errors
/// [`InvalidRequest`] for a model id that cannot be, too many models, or no model at all.
pub fn ask(
    chat: &ChatRequest,
    tokens: &dyn TokenCounter,
    catalog: &Catalog,
    policy: &RoutingPolicy,
) -> Result<Ask, InvalidRequest> {
    let mut ask = Ask::default();
    ask.models = models(chat, policy)?;
    ask.wishes = ProviderPreferences::of(chat)?;
    ask.input = chat.input_modalities();
    if chat.get("modalities").is_some() {
        ask.output = chat.output_modalities();
    }
    ask.max_output = chat.max_output();
    let bytes = chat.prompt_bytes();
    ask.prompt_bytes = bytes;
    let first = ask.models.first();
    let first = first.and_then(|reference| one_model(reference, catalog));
    ask.prompt_at_least = match largest_in_doubt(&ask, tokens.bounds(bytes).1, catalog) {
        Some(limit) => {
            let low = |text: &str, limit| Some(tokens.count_till(text, limit));
            let low = count(chat, limit, low).unwrap_or(Tokens::ZERO);
            let alone = first.filter(|_| ask.models.len() == 1);
            let near = alone.filter(|model| is_near_a_limit(&ask, low, model));
            let exact = near.and_then(|model| exactly(chat, (model, limit), tokens));
            exact.unwrap_or(low)
        }
        None => tokens.bounds(bytes / BYTES_PER_ESCAPE).0,
    };
    let estimate = match first {
        Some(model) => tokens.estimate_of(&model.id, bytes),
        None => tokens.estimate(bytes),
    };
    ask.prompt_estimate = estimate.max(ask.prompt_at_least);
    ask.parameters = chat.parameters();
    let tier = chat.get("service_tier").and_then(Json::string);
    ask.service_tier = tier
        .and_then(|tier| tier.parse().ok())
        .filter(|tier| *tier != ServiceTier::Auto);
    Ok(ask)
}

/// `model` and `models`, most wanted first, without duplicates.
fn models(chat: &ChatRequest, policy: &RoutingPolicy) -> Result<Vec<ModelRef>, InvalidRequest> {
    let cap = policy.models_cap;
    let count = chat.models().count();
    if count > cap {
        let message = format!(
            "expected at most {cap} entries (the cap that [compat] models_cap sets), found {count}"
        );
        return Err(InvalidRequest::new("models", message));
    }
    let mut wanted: Vec<ModelRef> = Vec::with_capacity(count + 1);
    let mut add = |field: Cow<'static, str>, text: &str| {
        let reference = reference(&field, text)?;
        if !wanted.contains(&reference) {
            wanted.push(reference);
        }
        Ok::<(), InvalidRequest>(())
    };
    if let Some(model) = chat.model() {
        add("model".into(), &model)?;
    }
    for (at, model) in chat.models().enumerate() {
        add(format!("models[{at}]").into(), &model)?;
    }
    if wanted.is_empty() {
        match &policy.default_model {
            Some(model) => wanted.push(reference("[catalog] default_model", model)?),
            None => {
                let message = "is missing; expected a model id such as \"author/model\"";
                return Err(InvalidRequest::new("model", message));
            }
        }
    }
    Ok(wanted)
}

/// One entry, parsed. A preset that is still there was not merged, so there is none of that name.
fn reference(field: &str, text: &str) -> Result<ModelRef, InvalidRequest> {
    let reference: ModelRef = text
        .parse()
        .map_err(|error| InvalidRequest::new(field, format!("{error}")))?;
    match &reference.preset {
        Some(preset) => Err(InvalidRequest {
            kind: ErrorType::NotFound,
            field: field.into(),
            message: format!("there is no preset {:?}", preset.as_str()),
        }),
        None => Ok(reference),
    }
}

/// The largest context, among the endpoints of the wanted models, that a prompt of `most` tokens and
/// the wanted output might not fit. `None` when it fits all of them, whatever it says.
fn largest_in_doubt(ask: &Ask, most: Tokens, catalog: &Catalog) -> Option<Tokens> {
    let needed = most + ask.max_output.unwrap_or(Tokens::ZERO);
    let of = |model: &Model| {
        let limits = model.endpoints.iter().filter_map(|e| e.context_length);
        limits.filter(|limit| needed > *limit).max()
    };
    let mut largest = None;
    for reference in &ask.models {
        largest = largest.max(match one_model(reference, catalog) {
            Some(model) => of(model),
            // It stands for a choice among others.
            None => catalog.models().filter_map(of).max(),
        });
    }
    largest
}

/// The model that an entry stands for, where it stands for just one.
fn one_model<'a>(reference: &ModelRef, catalog: &'a Catalog) -> Option<&'a Model> {
    let name = reference.name.as_ref()?;
    if reference.latest {
        return catalog.latest(name.as_str());
    }
    let (model, _) = catalog.find(name)?;
    (!model.router).then_some(model)
}

/// Whether a low count leaves open if the prompt fits one of the model's endpoints: it is within a
/// quarter of a limit.
fn is_near_a_limit(ask: &Ask, low: Tokens, model: &Model) -> bool {
    let needed = (low + ask.max_output.unwrap_or(Tokens::ZERO)).get();
    let mut limits = model.endpoints.iter().filter_map(|e| e.context_length);
    limits.any(|limit| {
        let quarters = limit.get().saturating_mul(3)..=limit.get().saturating_mul(5);
        quarters.contains(&needed.saturating_mul(4))
    })
}

/// The tokens of the prompt by the model's own vocabulary, where that is at hand.
fn exactly(
    chat: &ChatRequest,
    (model, limit): (&Model, Tokens),
    tokens: &dyn TokenCounter,
) -> Option<Tokens> {
    let family = model.tokenizer.as_deref()?;
    count(chat, limit, |text, limit| {
        tokens.exact_till(&model.id, family, text, limit)
    })
}

/// The fewest tokens that the prompt can be taken for: texts as `till` counts them; tool calls and
/// tools, which providers rewrite more tersely, half. A prompt that comes to more than twice `limit`
/// is counted no further: that is enough to refuse it, and to say why.
fn count(
    chat: &ChatRequest,
    limit: Tokens,
    till: impl Fn(&str, Tokens) -> Option<Tokens>,
) -> Option<Tokens> {
    let enough = limit + limit;
    let till =
        |text: &str, sum: Tokens| till(text, Tokens::new(enough.get().saturating_sub(sum.get())));
    let half = |json: Json<'_>, sum| Some(Tokens::new(till(&json.text(), sum)?.get() / 2));
    let mut sum = match chat.get("tools") {
        Some(tools) => half(tools, Tokens::ZERO)?,
        None => Tokens::ZERO,
    };
    for message in chat.messages() {
        if sum > enough {
            break;
        }
        sum = sum + till(&message.text(), sum)?;
        if let Some(calls) = message.get("tool_calls") {
            sum = sum + half(calls, sum)?;
        }
    }
    Some(sum)
}

/// The kinds of input that an endpoint itself must take.
pub(crate) fn needed_input(ask: &Ask) -> Modalities {
    let own = ask
        .input
        .iter()
        .filter(|kind| !ask.hints.handled.has(*kind));
    own.chain(ask.hints.input.iter()).collect()
}

#[cfg(test)]
mod tests {
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

    fn read(members: &str) -> Result<Ask, InvalidRequest> {
        read_in(&catalog(&[100]), members)
    }

    fn read_in(catalog: &Catalog, members: &str) -> Result<Ask, InvalidRequest> {
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
}
