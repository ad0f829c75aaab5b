//! What dropped the endpoints of an entry, with figures, and what to relax. It only words what the
//! rules found.

use waystation_core::{Endpoint, Tokens};

use crate::{Dropped, Reason, Trace, entry::Entry, rules::Question};

/// The most names that a message lists.
const NAMED: usize = 4;

/// `2 above max_price.prompt 0.2`, `1 in provider.ignore`: most frequent first, equals in the order
/// of the rules.
pub(super) fn parts<'d>(dropped: impl Iterator<Item = &'d Dropped>) -> String {
    let mut counts: Vec<(Reason, String, usize)> = Vec::new();
    for dropped in dropped {
        let phrase = dropped.detail.phrase();
        let phrase = phrase.unwrap_or_else(|| dropped.reason.phrase().into());
        match counts.iter_mut().find(|(_, known, _)| *known == phrase) {
            Some((_, _, count)) => *count += 1,
            None => counts.push((dropped.reason, phrase, 1)),
        }
    }
    counts.sort_by(|(a, _, x), (b, _, y)| y.cmp(x).then(a.cmp(b)));
    let parts: Vec<String> = counts
        .iter()
        .map(|(_, phrase, count)| format!("{count} {phrase}"))
        .collect();
    parts.join(", ")
}

/// What would let an endpoint through that `reason` dropped: `; raise max_price: the cheapest is …`.
/// Empty where the message says it already.
pub(super) fn relax(
    reason: Reason,
    question: &Question<'_>,
    entry: &Entry<'_>,
    trace: &Trace,
) -> String {
    let dropped = || of_entry(reason, entry, trace);
    let some = |text: Option<String>| text.unwrap_or_default();
    match reason {
        Reason::MaxPrice => some(cheapest(question, &dropped())),
        Reason::MaxOutput => some(most(&dropped(), |e| e.max_output, "; the most is")),
        Reason::ContextLength => some(most(
            &dropped(),
            |endpoint| endpoint.context_length,
            "; the largest context is",
        )),
        Reason::Only => named("; provider.only may name", &dropped(), |e| {
            e.provider.to_string()
        }),
        Reason::Quantization => named("; provider.quantizations may have", &dropped(), |e| {
            e.quantization
                .map_or_else(|| "unknown".into(), |format| format.to_string())
        }),
        Reason::Zdr if question.world.policy.zdr => "; [routing] zdr asks for it".into(),
        Reason::Zdr => "; leave out provider.zdr to admit them".into(),
        Reason::DataCollection if question.world.policy.deny_data_collection => {
            "; [routing] data_collection asks for it".into()
        }
        Reason::DataCollection => "; leave out provider.data_collection to admit them".into(),
        Reason::Distillable => "; leave out provider.enforce_distillable_text, or set distillable \
             = true in [[overrides]] where you know better"
            .into(),
        Reason::RequireParameters => {
            "; leave out the parameter or provider.require_parameters to admit them".into()
        }
        Reason::ServiceTier => "; ask for their service_tier to admit them".into(),
        _ => String::new(),
    }
}

/// The endpoints of an entry that `reason` dropped.
fn of_entry<'a>(reason: Reason, entry: &Entry<'a>, trace: &Trace) -> Vec<&'a Endpoint> {
    let is = |endpoint: &Endpoint| {
        trace.dropped.iter().any(|dropped| {
            dropped.reason == reason
                && dropped.endpoint == endpoint.tag
                && dropped.model == endpoint.model
        })
    };
    let all = entry.targets.iter().flat_map(|t| &t.model.endpoints);
    all.filter(|endpoint| is(endpoint)).collect()
}

/// `; the most is 128000`.
fn most(
    endpoints: &[&Endpoint],
    of: impl Fn(&Endpoint) -> Option<Tokens>,
    head: &str,
) -> Option<String> {
    let most = endpoints.iter().filter_map(|endpoint| of(endpoint)).max()?;
    Some(format!("{head} {most}"))
}

/// `; provider.only may name azure or openai`: what the endpoints are, each once.
fn named(head: &str, endpoints: &[&Endpoint], of: impl Fn(&Endpoint) -> String) -> String {
    let mut names: Vec<String> = endpoints.iter().map(|endpoint| of(endpoint)).collect();
    names.sort_unstable();
    names.dedup();
    let more = if names.len() > NAMED { ", …" } else { "" };
    names.truncate(NAMED);
    if names.is_empty() {
        return String::new();
    }
    format!("{head} {}{more}", names.join(", "))
}

/// `; the cheapest is deepinfra at prompt 0.2, completion 0.6`.
fn cheapest(question: &Question<'_>, endpoints: &[&Endpoint]) -> Option<String> {
    let priced = endpoints.iter().filter_map(|endpoint| {
        let rates = endpoint.price.at(question.ask.prompt_estimate);
        Some((rates.blended_x4()?, endpoint, rates))
    });
    let (_, endpoint, rates) =
        priced.min_by(|(a, x, _), (b, y, _)| a.cmp(b).then_with(|| x.tag.cmp(&y.tag)))?;
    Some(format!(
        "; the cheapest is {} at prompt {}, completion {}",
        endpoint.tag, rates.prompt?, rates.completion?
    ))
}
