//! The hard filters: a table of small rules. A rule sees one endpoint at a time and can only drop
//! it, so the order of the table decides which reason is reported, never which endpoints survive.
//! Preferences, which only rearrange, are elsewhere.

use waystation_catalog::Model;
use waystation_core::{
    Ask, DataCollection, Endpoint, MaxPrice, Modalities, Quantization, ServiceTier, SortShortcut,
    Tokens, Usd, UsdPerMTok,
};

use crate::{
    Detail, Reason, World,
    ask::needed_input,
    detail::{BANNED, NOT_ALLOWED, Told, UNPRICED},
    entry::Variants,
    names::Names,
    shortcut::{admits, same},
};

/// All that rules look at beside the endpoint.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    /// The question itself.
    pub(crate) ask: &'a Ask,
    /// What it is asked in.
    pub(crate) world: &'a World<'a>,
    /// `provider.order`, matched.
    pub(crate) order: Names<'a>,
    /// `None` is no restriction, and so is an empty list.
    pub(crate) only: Option<Names<'a>>,
    /// `provider.ignore`, matched.
    pub(crate) ignore: Names<'a>,
    /// The operator's `only`; empty is no restriction.
    pub(crate) allowed: Names<'a>,
    /// The operator's `ignore`.
    pub(crate) banned: Names<'a>,
    /// Kinds of input that an endpoint itself must take.
    pub(crate) input: Modalities,
    /// Nobody wants to know why an endpoint is dropped.
    pub(crate) brief: bool,
    /// The rules that matter for it: a bit for each, by its place in the table.
    rules: u32,
}

/// What one entry of the question says of its own endpoints.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Of<'a> {
    /// Which rows of the model it means.
    pub(crate) variants: Variants<'a>,
    /// Its suffix, which may admit a tier.
    pub(crate) shortcut: Option<SortShortcut>,
    /// The model has usable flex endpoints, and flex was asked for.
    pub(crate) flex_only: bool,
    /// The model, which some rules ask more of than its endpoints say.
    pub(crate) model: &'a Model,
}

/// Why a rule drops an endpoint.
pub(crate) type Verdict = Result<(), (Reason, Detail)>;

type Rule = fn(&Question<'_>, &Of<'_>, &Endpoint) -> Verdict;

/// Whether a question gives a rule anything to drop for.
type Matters = fn(&Question<'_>) -> bool;

/// Source of the order: API contract, section 3.4, behind what needs no request: the row, its
/// credential, its codec.
const RULES: &[(Matters, Rule)] = &[
    (always, is_of_the_variant),
    (always, has_credentials),
    (always, has_a_codec),
    (|q| q.only.is_some() || !q.allowed.is_empty(), is_in_only),
    (
        |q| !q.ignore.is_empty() || !q.banned.is_empty(),
        is_not_ignored,
    ),
    (|q| q.ask.wishes.zdr || q.world.policy.zdr, honours_zdr),
    (denies_collection, honours_data_collection),
    (|q| q.ask.wishes.enforce_distillable_text, may_be_distilled),
    (always, takes_and_gives_the_content),
    (
        |q| q.ask.wishes.quantizations.is_some(),
        has_a_wanted_quantization,
    ),
    (has_caps, is_within_max_price),
    (always, fits_the_context),
    (|q| q.ask.max_output.is_some(), gives_enough_output),
    (
        |q| q.ask.wishes.require_parameters,
        takes_required_parameters,
    ),
    (always, is_of_an_admitted_tier),
    (|q| q.world.policy.min_trust.is_some(), is_trusted_enough),
];

/// Holds `endpoint` against every rule that matters; the first that fails names the reason.
pub(crate) fn check(question: &Question<'_>, of: &Of<'_>, endpoint: &Endpoint) -> Verdict {
    let mut rest = question.rules;
    while let Some((_, rule)) = RULES.get(place(rest)) {
        rule(question, of, endpoint)?;
        rest &= rest - 1;
    }
    Ok(())
}

/// The place of the first rule of `rules`; one behind the table when there is none.
///
/// Bits come in the order of the table, so that the first rule that fails is the one to report.
const fn place(rules: u32) -> usize {
    rules.trailing_zeros() as usize
}

// The bits of a question, the last of which says that no rule is left.
const _: () = assert!(RULES.len() < 32, "a question has room for 31 rules");

/// For rules whose matter no question can leave out.
const fn always(_: &Question<'_>) -> bool {
    true
}

/// The client asks for it, or the operator does; neither can take back what the other asks for.
fn denies_collection(question: &Question<'_>) -> bool {
    question.ask.wishes.data_collection == Some(DataCollection::Deny)
        || question.world.policy.deny_data_collection
}

/// Whether the client or the operator caps any price.
fn has_caps(question: &Question<'_>) -> bool {
    let none = MaxPrice::default();
    question.ask.wishes.max_price != none || question.world.policy.max_price != none
}

// === impl Question ===

impl<'a> Question<'a> {
    /// Reads every list of names once, so that rules only compare.
    pub(crate) fn of(ask: &'a Ask, world: &'a World<'a>) -> Self {
        let (wishes, catalog) = (&ask.wishes, world.catalog);
        let names = |list: &'a [String]| Names::of(list, catalog);
        let mut question = Self {
            ask,
            world,
            order: names(&wishes.order),
            only: wishes
                .only
                .as_ref()
                .filter(|only| !only.is_empty())
                .map(|only| names(only)),
            ignore: names(&wishes.ignore),
            allowed: names(&world.policy.only),
            banned: names(&world.policy.ignore),
            input: needed_input(ask),
            brief: false,
            rules: 0,
        };
        for (at, (matters, _)) in RULES.iter().enumerate() {
            question.rules |= u32::from(matters(&question)) << at;
        }
        question
    }

    /// The tokens of output that there must be room for.
    fn wanted(&self) -> Tokens {
        match self.ask.max_output {
            Some(wanted) if !self.world.policy.clamp_max_tokens => wanted,
            _ => Tokens::ZERO,
        }
    }

    /// The tokens that prompt and wanted output come to at least.
    pub(crate) fn needed(&self) -> Tokens {
        self.ask.prompt_at_least + self.wanted()
    }
}

/// The endpoint goes, and this is why.
fn drop(reason: Reason, detail: impl Into<Detail>) -> Verdict {
    Err((reason, detail.into()))
}

/// Static variants enter only by their suffix.
fn is_of_the_variant(_: &Question<'_>, of: &Of<'_>, endpoint: &Endpoint) -> Verdict {
    if of.variants.mean(endpoint) {
        return Ok(());
    }
    match &endpoint.variant {
        Some(variant) => drop(Reason::Variant, Told::Variant(variant.clone())),
        None => drop(Reason::Variant, "not of the variant asked for"),
    }
}

/// An endpoint is a candidate when its provider has a credential, or needs none.
fn has_credentials(question: &Question<'_>, _: &Of<'_>, endpoint: &Endpoint) -> Verdict {
    if (question.world.usable)(&endpoint.provider) {
        return Ok(());
    }
    if question.brief {
        return drop(Reason::NoCredentials, "");
    }
    let provider = question.world.catalog.provider(endpoint.provider.as_str());
    match provider.and_then(|provider| provider.key_variable.as_ref()) {
        Some(variable) => drop(Reason::NoCredentials, Told::Set(variable.clone())),
        None => drop(
            Reason::NoCredentials,
            Told::Configure(endpoint.provider.clone()),
        ),
    }
}

/// What nobody can encode cannot be asked.
fn has_a_codec(question: &Question<'_>, _: &Of<'_>, endpoint: &Endpoint) -> Verdict {
    if question.world.dialects.contains(&endpoint.dialect) {
        return Ok(());
    }
    drop(Reason::Dialect, Told::Dialect(endpoint.dialect.clone()))
}

/// A client's `only` intersects with the operator's.
fn is_in_only(question: &Question<'_>, _: &Of<'_>, endpoint: &Endpoint) -> Verdict {
    if question
        .only
        .as_ref()
        .is_some_and(|only| !only.has(endpoint))
    {
        return drop(Reason::Only, "not named in provider.only");
    }
    if !question.allowed.is_empty() && !question.allowed.has(endpoint) {
        return drop(Reason::Only, NOT_ALLOWED);
    }
    Ok(())
}

/// A client's `ignore` unites with the operator's, and beats any `only`.
fn is_not_ignored(question: &Question<'_>, _: &Of<'_>, endpoint: &Endpoint) -> Verdict {
    if question.ignore.has(endpoint) {
        return drop(Reason::Ignore, "named in provider.ignore");
    }
    if question.banned.has(endpoint) {
        return drop(Reason::Ignore, BANNED);
    }
    Ok(())
}

/// Denied by the client or by the operator: only zero retention, or neither keeping nor training,
/// will do. What is unknown will not.
fn honours_data_collection(question: &Question<'_>, _: &Of<'_>, endpoint: &Endpoint) -> Verdict {
    if !denies_collection(question) || endpoint.policy.denies_collection() {
        return Ok(());
    }
    let known = endpoint.policy.training.is_some() || endpoint.policy.retained.is_some();
    drop(
        Reason::DataCollection,
        if known {
            "it keeps prompts or trains on them"
        } else {
            "nothing is known of what it does with prompts"
        },
    )
}

/// `zdr: false` cannot relax the operator's.
fn honours_zdr(question: &Question<'_>, _: &Of<'_>, endpoint: &Endpoint) -> Verdict {
    let wanted = question.ask.wishes.zdr || question.world.policy.zdr;
    if !wanted || endpoint.policy.zdr == Some(true) {
        return Ok(());
    }
    drop(Reason::Zdr, "zero data retention is not promised")
}

/// Other models may be trained on what the model writes. It is a fact of the model's licence, or the
/// operator's word; where nothing is known it does not hold, since a guard rail must not fail open.
fn may_be_distilled(question: &Question<'_>, of: &Of<'_>, _: &Endpoint) -> Verdict {
    if !question.ask.wishes.enforce_distillable_text {
        return Ok(());
    }
    let model = of.model;
    match (model.distillable, &model.license) {
        (Some(true), _) => Ok(()),
        (Some(false), None) => drop(
            Reason::Distillable,
            "the operator says that other models may not be trained on its text",
        ),
        (_, Some(license)) => drop(Reason::Distillable, Told::License(license.clone())),
        (None, None) => drop(
            Reason::Distillable,
            "no licence is known that lets other models be trained on its text",
        ),
    }
}

/// Every kind of content in the prompt that no plugin takes care of, and every kind that the answer
/// is to have.
fn takes_and_gives_the_content(
    question: &Question<'_>,
    _: &Of<'_>,
    endpoint: &Endpoint,
) -> Verdict {
    let lacks = |has: Modalities, wanted: Modalities| {
        let mut missing = wanted.iter().filter(|kind| !has.has(*kind));
        (!has.covers(wanted)).then(|| missing.next()).flatten()
    };
    if let Some(kind) = lacks(endpoint.input, question.input) {
        return drop(Reason::Modality, Told::NoInput(kind));
    }
    if let Some(kind) = lacks(endpoint.output, question.ask.output) {
        return drop(Reason::Modality, Told::NoOutput(kind));
    }
    Ok(())
}

/// `fp4` means its microscaled forms too, and so does `fp8`; an unknown format matches only
/// `unknown`. Source: API contract, section 3.1.
fn has_a_wanted_quantization(question: &Question<'_>, _: &Of<'_>, endpoint: &Endpoint) -> Verdict {
    use Quantization::{Fp4, Fp8, Mxfp4, Mxfp8, Nvfp4, Unknown};
    let wanted = question.ask.wishes.quantizations.as_ref();
    let Some(wanted) = wanted.filter(|wanted| !wanted.is_empty()) else {
        return Ok(());
    };
    let has = endpoint.quantization.unwrap_or(Unknown);
    let family = |of: Quantization| match of {
        Fp4 => matches!(has, Fp4 | Mxfp4 | Nvfp4),
        Fp8 => matches!(has, Fp8 | Mxfp8),
        other => has == other,
    };
    if wanted.iter().copied().any(family) {
        return Ok(());
    }
    drop(Reason::Quantization, Told::Format(has))
}

/// Of the client's caps and the operator's, each must hold.
fn is_within_max_price(question: &Question<'_>, _: &Of<'_>, endpoint: &Endpoint) -> Verdict {
    let prompt = question.ask.prompt_estimate;
    within(&question.ask.wishes.max_price, endpoint, prompt)?;
    within(&question.world.policy.max_price, endpoint, prompt)
}

/// An unknown price exceeds every cap; a component that is not billed costs nothing. Prices are
/// those of the step that the estimated prompt falls in. Source: API contract, section 3.3.
fn within(caps: &MaxPrice, endpoint: &Endpoint, prompt: Tokens) -> Verdict {
    if *caps == MaxPrice::default() {
        return Ok(());
    }
    let rates = endpoint.price.at(prompt);
    let (Some(input), Some(output)) = (rates.prompt, rates.completion) else {
        return drop(Reason::MaxPrice, UNPRICED);
    };
    let tokens = |what: &'static str, price: UsdPerMTok, cap: Option<UsdPerMTok>| match cap {
        Some(cap) if price > cap => drop(Reason::MaxPrice, Told::Over(what, price, cap)),
        _ => Ok(()),
    };
    let fee = |what, price: Option<Usd>, cap: Option<Usd>| match (price.unwrap_or_default(), cap) {
        (price, Some(cap)) if price > cap => drop(
            Reason::MaxPrice,
            Told::OverFee(what, Box::new((price, cap))),
        ),
        _ => Ok(()),
    };
    tokens("prompt", input, caps.prompt)?;
    tokens("completion", output, caps.completion)?;
    tokens("audio", rates.audio.unwrap_or_default(), caps.audio)?;
    fee("request", endpoint.price.request, caps.request)?;
    fee("image", endpoint.price.image, caps.image)
}

/// Prompt and wanted output must fit, unless a plugin makes them: how much too small an endpoint may
/// be then is a preference.
fn fits_the_context(question: &Question<'_>, _: &Of<'_>, endpoint: &Endpoint) -> Verdict {
    let hints = &question.ask.hints;
    let Some(limit) = endpoint.context_length else {
        return Ok(());
    };
    let needed = question.needed();
    let may = hints.compressible || limit <= hints.compressible_up_to;
    if needed <= limit || may && question.wanted() < limit {
        return Ok(());
    }
    drop(Reason::ContextLength, Told::Context(needed, limit))
}

/// A provider would refuse, or cut the answer short.
fn gives_enough_output(question: &Question<'_>, _: &Of<'_>, endpoint: &Endpoint) -> Verdict {
    match (question.ask.max_output, endpoint.max_output) {
        (Some(wanted), Some(limit))
            if wanted > limit && !question.world.policy.clamp_max_tokens =>
        {
            drop(Reason::MaxOutput, Told::Output(wanted, limit))
        }
        _ => Ok(()),
    }
}

/// The set of parameters that were sent, held against what the endpoint lists. Source: API
/// contract, section 3.4.
fn takes_required_parameters(question: &Question<'_>, _: &Of<'_>, endpoint: &Endpoint) -> Verdict {
    if !question.ask.wishes.require_parameters {
        return Ok(());
    }
    let mut sent = question.ask.parameters.iter();
    match sent.find(|parameter| !endpoint.parameters.takes(*parameter)) {
        Some(parameter) => drop(Reason::RequireParameters, Told::Parameter(parameter)),
        None => Ok(()),
    }
}

/// A tier endpoint is used only when the request asks for its tier, names it in full, or has a
/// suffix that admits it. `flex` is kept to flex endpoints where there are any. Source: API
/// contract, section 9.4.
fn is_of_an_admitted_tier(question: &Question<'_>, of: &Of<'_>, endpoint: &Endpoint) -> Verdict {
    let ask = question.ask;
    let plain = |tier| matches!(tier, ServiceTier::Auto | ServiceTier::Default);
    let tier = endpoint.service_tier.filter(|tier| !plain(*tier));
    if of.flex_only && tier != Some(ServiceTier::Flex) {
        return drop(
            Reason::ServiceTier,
            "flex endpoints exist and flex was asked for",
        );
    }
    let Some(tier) = tier else {
        return Ok(());
    };
    let asked = ask.service_tier.is_some_and(|asked| {
        same(asked, tier) || (asked == ServiceTier::Ultrafast && same(tier, ServiceTier::Priority))
    });
    let named = question.order.has_exactly(endpoint)
        || question
            .only
            .as_ref()
            .is_some_and(|only| only.has_exactly(endpoint));
    if asked || named || admits(of.shortcut, ask, tier) {
        return Ok(());
    }
    drop(Reason::ServiceTier, Told::Tier(tier))
}

/// Trust is a rank; only the operator makes it a filter.
fn is_trusted_enough(question: &Question<'_>, _: &Of<'_>, endpoint: &Endpoint) -> Verdict {
    match question.world.policy.min_trust {
        Some(least) if endpoint.trust > least => {
            drop(Reason::Trust, Told::Trust(endpoint.trust, least))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
pub(crate) mod tests;
