//! An operator's patches to endpoints by selector, above all to prices; to models, what may be learnt
//! from their text.

use waystation_core::{Endpoint, Multiplier, ParseMoneyError, Price, Rates, UsdPerMTok};

use crate::{
    Catalog, CatalogError, Model, Override, RowError, Speed, Warning, catalog::Parts, load,
};

pub(super) fn override_rows(
    base: &Catalog,
    parts: &mut Parts,
    change: &Override,
    at: &str,
    warnings: &mut Vec<Warning>,
) -> Result<(), CatalogError> {
    if change.model.is_none() && change.provider.is_none() {
        return Err(RowError::NoMatch.at(format!("{at}.match")));
    }
    if let Some(price) = &change.price {
        check_price(price).map_err(|why| why.at(format!("{at}.price")))?;
    }
    let speed = change.speed.checked();
    speed.map_err(|why| why.at(at.to_owned()))?;
    if change.distillable.is_some() && change.provider.is_some() {
        let why = RowError::Unknown {
            expected: "`distillable` with a `match` of models only".into(),
            found: "one of a provider".into(),
        };
        return Err(why.at(format!("{at}.distillable")));
    }
    // Names of known providers, else the slug of one that the same config adds.
    let slugs: Option<Vec<&str>> = change.provider.as_deref().map(|name| {
        let known = base.providers_named(name);
        if known.is_empty() {
            vec![name]
        } else {
            known.iter().map(|slug| slug.as_str()).collect()
        }
    });
    let pattern = change.model.as_deref().map(str::to_ascii_lowercase);
    let mut hits = 0_usize;
    for model in &mut parts.models {
        if pattern
            .as_deref()
            .is_some_and(|pattern| !matches(pattern, model.id.as_str()))
        {
            continue;
        }
        let selected = |endpoint: &Endpoint| {
            slugs
                .as_ref()
                .is_none_or(|slugs| slugs.contains(&endpoint.provider.as_str()))
        };
        for endpoint in model
            .endpoints
            .iter_mut()
            .filter(|endpoint| selected(endpoint))
        {
            hits += 1;
            patch(endpoint, change)
                .map_err(|error| RowError::Money(error).at(format!("{at}.price_multiplier")))?;
        }
        expect(model, change.speed, selected);
        model.distillable = change.distillable.or(model.distillable);
        if change.enabled == Some(false) {
            model.endpoints.retain(|endpoint| !selected(endpoint));
        }
    }
    if hits == 0 {
        let message = "matches no endpoint and changes nothing".into();
        warnings.push(Warning {
            at: at.into(),
            message,
        });
    }
    Ok(())
}

/// States speeds of the selected endpoints over what was stated of them before.
fn expect(model: &mut Model, speed: Speed, selected: impl Fn(&Endpoint) -> bool) {
    if speed == Speed::default() {
        return;
    }
    for endpoint in model.endpoints.iter().filter(|endpoint| selected(endpoint)) {
        let known = model
            .speeds
            .iter()
            .position(|(tag, _)| *tag == endpoint.tag);
        let before = known
            .map(|at| model.speeds.swap_remove(at).1)
            .unwrap_or_default();
        let speed = Speed {
            throughput_tps: speed.throughput_tps.or(before.throughput_tps),
            latency_s: speed.latency_s.or(before.latency_s),
        };
        model.speeds.push((endpoint.tag.clone(), speed));
    }
}

fn patch(endpoint: &mut Endpoint, change: &Override) -> Result<(), ParseMoneyError> {
    if let Some(price) = &change.price {
        let own = &mut endpoint.price;
        own.rates = price.rates.over(own.rates);
        own.tiers.clone_from(&price.tiers);
        own.request = price.request.or(own.request);
        own.image = price.image.or(own.image);
        own.web_search = price.web_search.or(own.web_search);
    }
    if let Some(factor) = change.price_multiplier {
        scale(&mut endpoint.price, factor)?;
    }
    if let Some(name) = &change.upstream_model {
        endpoint.upstream_model = name.as_str().into();
    }
    Ok(())
}

fn scale(price: &mut Price, factor: Multiplier) -> Result<(), ParseMoneyError> {
    let scaled = |rate: Option<UsdPerMTok>| rate.map(|rate| rate.scaled(factor)).transpose();
    let scale_rates = |rates: &mut Rates| -> Result<(), ParseMoneyError> {
        rates.prompt = scaled(rates.prompt)?;
        rates.completion = scaled(rates.completion)?;
        rates.cache_read = scaled(rates.cache_read)?;
        rates.cache_write = scaled(rates.cache_write)?;
        rates.cache_write_1h = scaled(rates.cache_write_1h)?;
        rates.audio = scaled(rates.audio)?;
        rates.reasoning = scaled(rates.reasoning)?;
        Ok(())
    };
    scale_rates(&mut price.rates)?;
    for tier in &mut price.tiers {
        scale_rates(&mut tier.rates)?;
    }
    Ok(())
}

/// Whether `text` is `pattern`, in which `*` stands for any letters, none included. Linear in the
/// text for each star.
fn matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut pieces = pieces.peekable();
    if pieces.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        match rest.split_once(piece) {
            Some((_, tail)) => rest = tail,
            None => return false,
        }
    }
    true
}

pub(super) fn check_price(price: &Price) -> Result<(), RowError> {
    let steps = price.tiers.iter().map(|tier| &tier.rates);
    for rates in std::iter::once(&price.rates).chain(steps) {
        for rate in each_rate(*rates).into_iter().flatten() {
            load::per_mtok(Some(&rate.to_string()))?;
        }
    }
    Ok(())
}

const fn each_rate(rates: Rates) -> [Option<UsdPerMTok>; 7] {
    [
        rates.prompt,
        rates.completion,
        rates.cache_read,
        rates.cache_write,
        rates.cache_write_1h,
        rates.audio,
        rates.reasoning,
    ]
}
