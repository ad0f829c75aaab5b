//! From a chat request to a routing question: which models, which wishes, how large. Of the catalogue
//! it reads only how large a prompt may be; whether the models exist is the plan's to say.

use std::borrow::Cow;

use waystation_catalog::{Catalog, Model};
use waystation_core::{
    Ask, ChatRequest, Content, ErrorType, InvalidRequest, Json, Kind, Message, Modalities,
    Modality, ModelRef, ServiceTier, TokenCounter, Tokens,
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
) -> Result<Box<Ask>, InvalidRequest> {
    // On the heap from the beginning: it is large, and goes through many hands.
    let mut ask = Box::<Ask>::default();
    ask.models = models(chat, policy, catalog)?;
    may_stop_reasoning(chat, ask.models.first(), catalog)?;
    ask.wishes.read(chat)?;
    let (bytes, input) = survey(chat);
    ask.input = input;
    if input.has(Modality::Image) {
        ask.images = images(chat);
    }
    if chat.get("modalities").is_some() {
        ask.output = chat.output_modalities();
    }
    ask.max_output = chat.max_output();
    ask.prompt_bytes = bytes;
    let first = ask.models.first();
    let first = first.and_then(|reference| one_model(reference, catalog));
    let alone = first.filter(|_| ask.models.len() == 1);
    let wanted = ask.max_output.unwrap_or(Tokens::ZERO);
    let in_doubt = |needed| match alone {
        Some(model) => doubts(model, needed),
        None => in_doubt(&ask, needed, catalog),
    };
    let doubt = in_doubt(tokens.bounds(bytes).1 + wanted).and_then(|(least, _)| {
        let most = at_most(chat, (bytes, uncautious(least, wanted)), tokens);
        in_doubt(cautious(most + wanted))
    });
    ask.prompt_at_least = match doubt {
        Some((_, limit)) => {
            let low = |text: &str, limit| Some(tokens.count_till(text, limit));
            let low = count(chat, limit, low).unwrap_or(Tokens::ZERO);
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

/// [`ChatRequest::prompt_bytes`] and [`ChatRequest::input_modalities`] of messages whose contents are
/// texts, as nearly all are, in one look at each; of others, in two passes.
///
/// Whatever stands in a message beside its content is read by the model as it is, and counts as text
/// does; only a content in parts can hold anything else than text.
fn survey(chat: &ChatRequest) -> (u64, Modalities) {
    let mut bytes = 0;
    for key in ["tools", "response_format"] {
        bytes += chat.get(key).map_or(0, |value| value.bytes().len());
    }
    let parts = chat.may_have_parts();
    for message in chat.get("messages").into_iter().flat_map(Json::elements) {
        for (key, value) in message.members() {
            if parts && value.kind() == Kind::Array && key.is("content") {
                return (chat.prompt_bytes(), chat.input_modalities());
            }
            bytes += value.bytes().len();
        }
    }
    (u64::try_from(bytes).unwrap_or(u64::MAX), Modalities::TEXT)
}

/// The images in the contents of messages.
fn images(chat: &ChatRequest) -> u64 {
    let messages = chat.get("messages").into_iter().flat_map(Json::elements);
    let contents = messages.filter_map(|message| message.get("content"));
    let kinds = contents
        .flat_map(Json::elements)
        .filter_map(|part| part.get("type"));
    let count = kinds.filter(|kind| kind.is("image_url")).count();
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// `model` and `models`, most wanted first, without duplicates.
fn models(
    chat: &ChatRequest,
    policy: &RoutingPolicy,
    catalog: &Catalog,
) -> Result<Vec<ModelRef>, InvalidRequest> {
    let cap = policy.models_cap;
    let listed = chat.get("models").is_some();
    let count = if listed { chat.models().count() } else { 0 };
    if count > cap {
        let message = format!(
            "expected at most {cap} entries (the cap that [compat] models_cap sets), found {count}"
        );
        return Err(InvalidRequest::new("models", message));
    }
    let mut wanted: Vec<ModelRef> = Vec::with_capacity(count + 1);
    let mut add = |field: Cow<'static, str>, text: &str| {
        let reference = match known(text, catalog) {
            Some(reference) => reference,
            None => reference(&field, text)?,
        };
        if !wanted.contains(&reference) {
            wanted.push(reference);
        }
        Ok::<(), InvalidRequest>(())
    };
    if let Some(model) = chat.model() {
        add("model".into(), &model)?;
    }
    if listed {
        for (at, model) in chat.models().enumerate() {
            add(format!("models[{at}]").into(), &model)?;
        }
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

/// Refuses to switch off the reasoning of a model that cannot do without, where it is named itself.
/// A `latest` name stands for another model tomorrow, and a fallback is second choice: for those the
/// wish is brought down to the least that the model knows, when they are asked.
///
/// The field named is the one that was sent, of the four that say so. Source: API contract, section
/// 1.4.
///
/// # Errors
/// [`InvalidRequest`] that names the model and what to ask for instead.
fn may_stop_reasoning(
    chat: &ChatRequest,
    first: Option<&ModelRef>,
    catalog: &Catalog,
) -> Result<(), InvalidRequest> {
    let Some(reasoning) = chat.reasoning().filter(|wish| wish.wanted() == Some(false)) else {
        return Ok(());
    };
    let named = first.filter(|reference| !reference.latest);
    let Some(model) = named.and_then(|reference| one_model(reference, catalog)) else {
        return Ok(());
    };
    if !model.reasoning_mandatory {
        return Ok(());
    }
    let field = match (reasoning.effort, chat.get("reasoning_effort")) {
        (Some(_), Some(_)) => "reasoning_effort",
        (Some(_), None) => "reasoning.effort",
        (None, _) if reasoning.enabled.is_some() => "reasoning.enabled",
        (None, _) => "reasoning.max_tokens",
    };
    let message = format!(
        "{} always reasons; leave it out, or ask for the effort \"low\"",
        model.id
    );
    Err(InvalidRequest::new(field, message))
}

/// An entry that is a model's id and nothing more, as nearly all are: the name is shared with the
/// catalogue, and was read long ago. `None` says nothing.
fn known(text: &str, catalog: &Catalog) -> Option<ModelRef> {
    let model = catalog.model(text)?;
    // A row may be called what would be read as a suffix.
    let plain = !text.contains([':', '@', '~']);
    plain.then(|| ModelRef::of(model.id.clone()))
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

/// No fewer tokens than [`count`] finds: looked through much faster than counted, and no further than to
/// see that all `bytes` bytes come to `enough` at most. Each text has a share of those by its length.
///
/// A prompt of 400 kB before a context of 400,000 tokens is settled by its first half: English comes to
/// about half a token for each byte so counted, and the rest to one. Where the shares do not settle it,
/// every text is looked through to its end, and what comes out is the same as without them.
fn at_most(
    chat: &ChatRequest,
    (bytes, enough): (u64, Tokens),
    tokens: &dyn TokenCounter,
) -> Tokens {
    let share = |length: usize| {
        let length = u128::try_from(length).unwrap_or(u128::MAX);
        let share = length.saturating_mul(enough.get().into()) / u128::from(bytes.max(1));
        Tokens::new(u64::try_from(share).unwrap_or(u64::MAX))
    };
    let of = |json: Option<Json<'_>>| {
        let json = json.map(Json::bytes);
        json.map_or(Tokens::ZERO, |json| tokens.at_most(json, share(json.len())))
    };
    let of_message = |message: Message<'_>| {
        let text = match message.content() {
            Content::Absent => Tokens::ZERO,
            Content::Text(text) => of(Some(text)),
            parts @ Content::Parts(_) => {
                let texts = parts.parts().map(|part| of(part.json().get("text")));
                texts.fold(Tokens::ZERO, |sum, tokens| sum + tokens)
            }
        };
        text + of(message.get("tool_calls"))
    };
    let messages = chat.messages().map(of_message);
    messages.fold(of(chat.get("tools")), |sum, tokens| sum + tokens)
}

/// A third more: what is that far below a limit is neither above nor [near](is_near_a_limit) it.
const fn cautious(tokens: Tokens) -> Tokens {
    Tokens::new(tokens.get().saturating_add(tokens.get().div_ceil(3)))
}

/// The most tokens of a prompt that, with `wanted` of output and [cautiously](cautious), are within `limit`.
const fn uncautious(limit: Tokens, wanted: Tokens) -> Tokens {
    Tokens::new(
        (limit.get() / 4)
            .saturating_mul(3)
            .saturating_sub(wanted.get()),
    )
}

/// The smallest and the largest context, among the endpoints of the wanted models, that a prompt and an
/// output of `needed` tokens might not fit. `None` when they fit all of them, whatever they say.
fn in_doubt(ask: &Ask, needed: Tokens, catalog: &Catalog) -> Option<(Tokens, Tokens)> {
    let of = |model: &Model| doubts(model, needed);
    wider(ask.models.iter().filter_map(|reference| {
        match one_model(reference, catalog) {
            Some(model) => of(model),
            // It stands for a choice among others.
            None => wider(catalog.models().filter_map(of)),
        }
    }))
}

/// The same for one model.
fn doubts(model: &Model, needed: Tokens) -> Option<(Tokens, Tokens)> {
    let limits = model.endpoints.iter().filter_map(|e| e.context_length);
    let doubtful = limits.filter(|limit| needed > *limit);
    wider(doubtful.map(|limit| (limit, limit)))
}

/// The range that holds all `ranges`; `None` when there are none.
fn wider(ranges: impl Iterator<Item = (Tokens, Tokens)>) -> Option<(Tokens, Tokens)> {
    ranges.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// The model that an entry stands for, where it stands for just one.
///
/// `None` for routers (`openrouter/auto`, `openrouter/free`), which stand for a choice among many, and
/// for names that nobody knows, which the plan will refuse.
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
///
/// Dear beside the low count, and needed only [near a limit](is_near_a_limit): elsewhere both lead to
/// the same endpoints. The first question brings the vocabulary to hand for later ones, and is answered
/// by the low count.
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
    ask.input.without(ask.hints.handled).and(ask.hints.input)
}

#[cfg(test)]
mod tests;
