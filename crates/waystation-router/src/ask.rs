//! From a chat request to a routing question: which models, which wishes, how large. It looks at
//! no catalogue; whether the models exist is the plan's to say.

use std::borrow::Cow;

use waystation_core::{
    Ask, ChatRequest, ErrorType, InvalidRequest, Json, Modalities, ModelRef, ProviderPreferences,
    ServiceTier, TokenCounter, Tokens,
};

use crate::RoutingPolicy;

/// No prompt is counted further than this: beyond every context window there is.
const COUNTED: Tokens = Tokens::new(64_000_000);

/// Reads the routing question of a chat request.
///
/// Presets are the caller's to merge before: a reference to one that is still there is refused.
/// Takes one pass over the text of the messages.
///
/// # Errors
/// [`InvalidRequest`] for a model id that cannot be, too many models, or no model at all.
pub fn ask(
    chat: &ChatRequest,
    tokens: &dyn TokenCounter,
    policy: &RoutingPolicy,
) -> Result<Ask, InvalidRequest> {
    let mut ask = Ask::default();
    ask.models = models(chat, policy)?;
    ask.wishes = ProviderPreferences::of(chat)?;
    ask.input = chat.input_modalities();
    if chat.get("modalities").is_some() {
        ask.output = chat.output_modalities();
    }
    ask.prompt_at_least = at_least(chat, tokens);
    ask.prompt_estimate = tokens
        .estimate(chat.prompt_bytes())
        .max(ask.prompt_at_least);
    ask.max_output = chat.max_output();
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

/// The fewest tokens that the prompt can be taken for: texts counted low; tool calls and tools,
/// which providers rewrite more tersely, counted half.
fn at_least(chat: &ChatRequest, tokens: &dyn TokenCounter) -> Tokens {
    let half = |json: Json<'_>| Tokens::new(tokens.count_till(&json.text(), COUNTED).get() / 2);
    let messages = chat.messages().fold(Tokens::ZERO, |sum, message| {
        let calls = message.get("tool_calls").map_or(Tokens::ZERO, half);
        sum + tokens.count_till(&message.text(), COUNTED) + calls
    });
    messages + chat.get("tools").map_or(Tokens::ZERO, half)
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
    }

    fn read(members: &str) -> Result<Ask, InvalidRequest> {
        let body = format!(
            r#"{{"model": "a/b", "messages": [{{"role": "user", "content": "{}"}}]{members}}}"#,
            "x".repeat(400)
        );
        let chat = ChatRequest::parse(&body.into())?;
        ask(&chat, &FourBytes, &RoutingPolicy::default())
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
