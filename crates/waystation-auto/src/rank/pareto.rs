//! `openrouter/pareto-code`: the cheapest of the models that code well enough. It takes candidates as they are.

use waystation_catalog::Model;
use waystation_core::{Price, UsdPerMTok};

use super::{Candidate, Scored, Settings, logistic, scored};

/// From this score on the first tier of coding is meant. Source: API contract, section 6.
const CODES_WELL: f64 = 0.66;
/// From this one the second, below it the third.
const CODES: f64 = 0.33;
/// The best of a tier and so many of the same.
const OF_TIER: usize = 3;

/// The cheapest of the tier of coding that is asked for, and a few more of it.
///
/// A cap on the price takes the place of the tiers: then the ablest within it come first, and nobody when
/// there is none. Source: API contract, section 6.
pub(super) fn by_coding(able: &mut Vec<Candidate<'_>>, settings: &Settings) -> Vec<Scored> {
    let price = |candidate: &Candidate<'_>| price_of(candidate.model, settings.weighted_price);
    able.sort_by(|a, b| {
        b.ability
            .counted()
            .total_cmp(&a.ability.counted())
            .then_with(|| a.model.id.cmp(&b.model.id))
    });
    if let Some(cap) = settings.max_price {
        able.retain(|candidate| price(candidate).is_some_and(|price| price <= cap));
        able.truncate(OF_TIER);
    } else {
        keep_tier(able, settings.min_coding_score.unwrap_or(1.0));
        let dear = |candidate: &Candidate<'_>| price(candidate).unwrap_or(f64::MAX);
        able.sort_by(|a, b| {
            dear(a)
                .total_cmp(&dear(b))
                .then_with(|| a.model.id.cmp(&b.model.id))
        });
        able.truncate(OF_TIER);
    }
    let one = |candidate: &Candidate<'_>| {
        let quality = logistic(candidate.ability.counted());
        scored(candidate, quality, quality)
    };
    able.iter().map(one).collect()
}

/// Leaves one third of the candidates, which come best first; with fewer than three, the nearest one.
fn keep_tier(able: &mut Vec<Candidate<'_>>, wanted: f64) {
    let third = able.len().div_ceil(3);
    let skipped = if wanted >= CODES_WELL {
        0
    } else if wanted >= CODES {
        1
    } else {
        2
    };
    let start = (skipped * third).min(able.len().saturating_sub(1));
    able.drain(..start);
    able.truncate(third);
}

/// USD per million tokens of the prompt, or of prompt and completion as they are usually weighed.
fn price_of(model: &Model, weighted: bool) -> Option<f64> {
    let rates = model
        .endpoints
        .iter()
        .filter(|endpoint| endpoint.variant.is_none());
    let dollars = |price: UsdPerMTok| price.to_string().parse::<f64>().ok();
    let one = |price: &Price| {
        let prompt = dollars(price.rates.prompt?)?;
        let completion = dollars(price.rates.completion?)?;
        Some(if weighted {
            (3.0 * prompt + completion) / 4.0
        } else {
            prompt
        })
    };
    rates
        .filter_map(|endpoint| one(&endpoint.price))
        .min_by(f64::total_cmp)
}
