//! `catalog import`: facts from one object a line to rows of the source tree. It reads the folder it
//! is given and fetches nothing; no vendor is named here, since what differs between providers is
//! stated in `providers.toml`.
//!
//! Kept from the tree that is there: rows of known providers, whole; other spellings of ids; what no
//! import states (`description`, `canonical_slug`, licences, speeds); every field that a row names in `pinned`, and the
//! whole row where that says `row`. The context of a seed is pinned to the seed's.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use serde_json::value::RawValue;
use waystation_catalog::source::{
    EndpointRow, LatestRow, ModelRow, OffPeakRow, PriceRow, ProviderRow, SpeedRow, SpellingRow,
    Text, TierRow,
};
use waystation_core::{Usd, UsdPerMTok};

use super::{
    listing::{self, Charges, OffPeak, OneOrMany},
    tree::{Seed, Tree, order},
};
use crate::failure::Failure;

/// A row's `pinned` entry that keeps all of it.
const WHOLE_ROW: &str = "row";

/// Reads `from` over `old`; gives the new tree and what there is to tell.
pub(super) fn run(from: &Path, old: &Tree) -> Result<(Tree, Vec<String>), Failure> {
    let mut report = Vec::new();
    let mut providers = old.providers.clone();
    for provider in listing::lines::<listing::Provider>(&from.join("providers.jsonl"))? {
        if !providers.iter().any(|known| *known.slug == *provider.slug) {
            report.push(format!(
                "new provider {}: complete its row by hand",
                provider.slug
            ));
            providers.push(provider_row(provider));
        }
    }
    providers.sort_by(|a, b| a.slug.cmp(&b.slug));
    let own: HashMap<&str, &ProviderRow<'_>> = providers
        .iter()
        .map(|row| (row.slug.as_str(), row))
        .collect();
    let before: BTreeMap<&str, &ModelRow<'static>> = old
        .models
        .iter()
        .map(|row| (row.id.as_str(), row))
        .collect();
    let mut models = Vec::new();
    for model in listing::lines::<listing::Model>(&from.join("models.jsonl"))? {
        let id = model.id.clone();
        let mut row = model_row(model, &own).map_err(|why| Failure::new(format!("{id}: {why}")))?;
        if let Some(before) = before.get(id.as_str()) {
            keep(&mut row, before);
        }
        if let Some(seed) = old.seeds.iter().find(|seed| seed.id == id) {
            pin(&mut row, seed);
        }
        models.push(row);
    }
    for (id, row) in before {
        let gone = !models.iter().any(|new| *new.id == *id);
        if gone && row.pinned.iter().any(|field| **field == *WHOLE_ROW) {
            models.push(row.clone());
        } else if gone {
            report.push(format!("{id}: no longer listed; its row is gone"));
        }
    }
    for model in &mut models {
        model.endpoint.sort_by(|a, b| order(a).cmp(&order(b)));
    }
    models.sort_by(|a, b| a.id.cmp(&b.id));
    report.push(format!(
        "{} models, {} providers",
        models.len(),
        providers.len()
    ));
    let latest = latest(from, &old.latest)?;
    let (aliases, seeds) = (old.aliases.clone(), old.seeds.clone());
    let licenses = old.licenses.clone();
    // Which files there were is kept, so that those of authors without models go.
    let texts = old.texts.clone();
    Ok((
        Tree {
            models,
            providers,
            latest,
            aliases,
            licenses,
            seeds,
            texts,
        },
        report,
    ))
}

fn provider_row(from: listing::Provider) -> ProviderRow<'static> {
    let native = dialect(&from.api);
    let chat = from.also_api.iter().any(|api| api == CHAT);
    ProviderRow {
        slug: from.slug.into(),
        name: from.name.into(),
        aliases: texts(from.aliases),
        dialect: if chat {
            CHAT.into()
        } else {
            native.to_owned().into()
        },
        base_url: from.base_url.into(),
        auth: from.auth.into(),
        env: texts(from.env),
        aggregator: from.aggregator,
        docs: from.docs.map(Text::from),
        ..ProviderRow::default()
    }
}

const CHAT: &str = "openai-chat";

/// Our name of a wire. One without a codec keeps its name and is never routed to.
fn dialect(api: &str) -> &str {
    match api {
        "cohere" | "cohere-v2-chat" => "cohere-chat",
        "gemini-generate-content" => "gemini",
        other => other,
    }
}

/// The wire of an endpoint: its provider's own where the endpoint speaks it, else the endpoint's
/// native one. A completions endpoint stays one whatever else it is said to speak.
fn choose(row: &listing::Endpoint, provider: &ProviderRow<'_>) -> Option<Text<'static>> {
    let native = dialect(&row.api);
    let own = provider.dialect.as_str();
    let speaks = native == own || row.also_api.iter().any(|api| dialect(api) == own);
    if speaks && !native.ends_with("-legacy") {
        return None;
    }
    Some(native.to_owned().into())
}

fn model_row(
    from: listing::Model,
    providers: &HashMap<&str, &ProviderRow<'_>>,
) -> Result<ModelRow<'static>, String> {
    let mut endpoint = Vec::new();
    for row in from.endpoints {
        let provider = providers
            .get(row.provider.as_str())
            .ok_or_else(|| format!("no provider is called {:?}", row.provider))?;
        let slug = row.provider.clone();
        endpoint.push(endpoint_row(row, provider).map_err(|why| format!("{slug}: {why}"))?);
    }
    let dates = endpoint.iter().filter_map(|row| row.seen.clone());
    let seen = dates
        .chain(from.openrouter_last_seen.map(Text::from))
        .max()
        .unwrap_or_default();
    Ok(ModelRow {
        id: from.id.into(),
        name: from.name.into(),
        created: from.created.map(Text::from),
        context_length: from.context_length,
        context_length_sources: from.context_length_sources,
        max_output: from.max_output_tokens,
        input: texts(from.input_modalities),
        output: texts(from.output_modalities),
        tokenizer: from.tokenizer.map(Text::from),
        reasoning: from.reasoning,
        parameters: texts(from.supported_parameters),
        parameters_derived: from.parameters_source == "derived",
        knowledge_cutoff: from.knowledge_cutoff.map(Text::from),
        expiration_date: from.expiration_date.map(Text::from),
        open_weights: from.open_weights,
        router: from.router,
        deprecated: from.deprecated,
        sources: texts(from.sources),
        seen,
        endpoint,
        ..ModelRow::default()
    })
}

fn endpoint_row(
    from: listing::Endpoint,
    provider: &ProviderRow<'_>,
) -> Result<EndpointRow<'static>, String> {
    let dialect = choose(&from, provider);
    // A note says that the listed price is not what is billed: it is unknown, which is never zero.
    let price = match from.pricing_note {
        Some(_) => PriceRow::default(),
        None => price(&from.pricing)?,
    };
    let mut tiers = Vec::new();
    for tier in &from.pricing_tiers {
        tiers.push(TierRow {
            above: tier.above,
            prompt: rate(tier.input.as_deref())?,
            completion: rate(tier.output.as_deref())?,
            cache_read: rate(tier.cache_read.as_deref())?,
            cache_write: rate(tier.cache_write.as_deref())?,
        });
    }
    let mut spellings = Vec::new();
    for name in &from.native_aliases {
        spellings.push(SpellingRow {
            model: name
                .native_model_id
                .clone()
                .ok_or("a native alias without a name")?
                .into(),
            prompt: rate(name.input.as_deref())?,
            completion: rate(name.output.as_deref())?,
        });
    }
    Ok(EndpointRow {
        provider: from.provider.into(),
        variant: from.variant.map(Text::from),
        model: from.native_model_id.into(),
        dialect,
        context_length: from.context_length,
        max_output: from.max_completion_tokens,
        quantization: from.quantization.map(Text::from),
        speed: SpeedRow::default(),
        price,
        tiers,
        batch: from
            .batch_pricing
            .as_ref()
            .map_or(Ok(PriceRow::default()), self::price)?,
        off_peak: from.off_peak.as_ref().map(off_peak).transpose()?,
        spellings,
        confidence: from.confidence.into(),
        reseller: from.reseller,
        trial: from.trial,
        stale: from.stale,
        volatile: from.volatile_price,
        retires: from.retires.map(Text::from),
        sources: texts(from.sources),
        seen: Some(from.last_seen.into()),
        pinned: Vec::new(),
    })
}

fn price(from: &Charges) -> Result<PriceRow<'static>, String> {
    Ok(PriceRow {
        prompt: rate(from.input.as_deref())?,
        completion: rate(from.output.as_deref())?,
        cache_read: rate(from.cache_read.as_deref())?,
        cache_write: rate(from.cache_write.as_deref())?,
        cache_write_1h: rate(from.cache_write_1h.as_deref())?,
        audio: rate(from.audio_input.as_deref())?,
        reasoning: rate(from.reasoning.as_deref())?,
        request: match &from.request {
            Some(text) => {
                let fee: Usd = text
                    .get()
                    .parse()
                    .map_err(|error| format!("request: {error}"))?;
                Some(fee.to_string().into())
            }
            None => None,
        },
        ..PriceRow::default()
    })
}

fn off_peak(from: &OffPeak) -> Result<OffPeakRow<'static>, String> {
    let mut windows = Vec::new();
    for window in &from.windows {
        let hours = match &window.hours_utc {
            OneOrMany::One(hours) => std::slice::from_ref(hours),
            OneOrMany::Many(hours) => hours,
        };
        let days = match (window.weekdays.first(), window.weekdays.last()) {
            (Some(first), Some(last)) => format!("{first}-{last}"),
            _ => return Err("off-peak hours without weekdays".into()),
        };
        windows.extend(
            hours
                .iter()
                .map(|hours| Text::from(format!("{days} {hours}"))),
        );
    }
    Ok(OffPeakRow {
        prompt: rate(from.input.as_deref())?,
        completion: rate(from.output.as_deref())?,
        cache_read: rate(from.cache_read.as_deref())?,
        windows,
    })
}

/// A price in its shortest exact spelling, from the number's own text.
fn rate(number: Option<&RawValue>) -> Result<Option<Text<'static>>, String> {
    let Some(number) = number else {
        return Ok(None);
    };
    let price: UsdPerMTok = number.get().parse().map_err(|error| format!("{error}"))?;
    Ok(Some(price.to_string().into()))
}

fn texts(from: Vec<String>) -> Vec<Text<'static>> {
    from.into_iter().map(Text::from).collect()
}

/// Keeps of the row before what an import does not state, and what is pinned.
fn keep(row: &mut ModelRow<'static>, before: &ModelRow<'static>) {
    if before.pinned.iter().any(|field| **field == *WHOLE_ROW) {
        *row = before.clone();
        return;
    }
    row.description.clone_from(&before.description);
    row.canonical_slug.clone_from(&before.canonical_slug);
    row.reasoning_mandatory = before.reasoning_mandatory;
    row.reasoning_source.clone_from(&before.reasoning_source);
    row.license.clone_from(&before.license);
    row.license_source.clone_from(&before.license_source);
    row.pinned.clone_from(&before.pinned);
    for field in &before.pinned {
        match field.as_str() {
            "name" => row.name.clone_from(&before.name),
            "created" => row.created.clone_from(&before.created),
            "context_length" => row.context_length = before.context_length,
            "max_output" => row.max_output = before.max_output,
            "input" => row.input.clone_from(&before.input),
            "output" => row.output.clone_from(&before.output),
            "tokenizer" => row.tokenizer.clone_from(&before.tokenizer),
            "reasoning" => row.reasoning = before.reasoning,
            "parameters" => row.parameters.clone_from(&before.parameters),
            "knowledge_cutoff" => row.knowledge_cutoff.clone_from(&before.knowledge_cutoff),
            "expiration_date" => row.expiration_date.clone_from(&before.expiration_date),
            "open_weights" => row.open_weights = before.open_weights,
            "deprecated" => row.deprecated = before.deprecated,
            _ => {}
        }
    }
    for old in &before.endpoint {
        let same =
            |new: &&mut EndpointRow<'_>| new.provider == old.provider && new.variant == old.variant;
        if let Some(new) = row.endpoint.iter_mut().find(same) {
            new.speed.clone_from(&old.speed);
        }
    }
    for old in before.endpoint.iter().filter(|old| !old.pinned.is_empty()) {
        let same =
            |new: &&mut EndpointRow<'_>| new.provider == old.provider && new.variant == old.variant;
        match row.endpoint.iter_mut().find(same) {
            Some(new) => keep_endpoint(new, old),
            None if old.pinned.iter().any(|field| **field == *WHOLE_ROW) => {
                row.endpoint.push(old.clone());
            }
            None => {}
        }
    }
}

fn keep_endpoint(row: &mut EndpointRow<'static>, before: &EndpointRow<'static>) {
    row.pinned.clone_from(&before.pinned);
    for field in &before.pinned {
        match field.as_str() {
            WHOLE_ROW => row.clone_from(before),
            "model" => row.model.clone_from(&before.model),
            "dialect" => row.dialect.clone_from(&before.dialect),
            "context_length" => row.context_length = before.context_length,
            "max_output" => row.max_output = before.max_output,
            "quantization" => row.quantization.clone_from(&before.quantization),
            "price" => {
                row.price.clone_from(&before.price);
                row.tiers.clone_from(&before.tiers);
            }
            "confidence" => row.confidence.clone_from(&before.confidence),
            _ => {}
        }
    }
}

fn pin(row: &mut ModelRow<'static>, seed: &Seed) {
    if row.context_length != seed.context_length {
        let found = row.context_length;
        row.context_length_sources = row.context_length_sources.or(found);
        row.context_length = seed.context_length;
    }
    if !row.pinned.iter().any(|field| **field == *"context_length") {
        row.pinned.push("context_length".into());
    }
}

fn latest(from: &Path, old: &[LatestRow<'static>]) -> Result<Vec<LatestRow<'static>>, Failure> {
    let mut rows: Vec<LatestRow<'static>> = old.iter().filter(|row| row.pinned).cloned().collect();
    for alias in listing::lines::<listing::Alias>(&from.join("aliases.jsonl"))? {
        let name = alias.alias.trim_start_matches('~').to_owned();
        if rows.iter().any(|row| *row.name == *name) {
            continue;
        }
        let concluded = alias.target.is_some();
        rows.push(LatestRow {
            name: name.into(),
            target: alias.target.map(Text::from),
            source: concluded.then(|| "family name and equal price in one list".into()),
            seen: Some(alias.as_of.into()),
            pinned: false,
        });
    }
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(context: u64, pinned: &[&'static str]) -> ModelRow<'static> {
        let endpoint = EndpointRow {
            provider: "acme".into(),
            max_output: Some(context),
            pinned: pinned.iter().map(|field| Text::from(*field)).collect(),
            ..EndpointRow::default()
        };
        ModelRow {
            id: "acme/fast".into(),
            context_length: Some(context),
            max_output: Some(context),
            pinned: endpoint.pinned.clone(),
            endpoint: vec![endpoint],
            ..ModelRow::default()
        }
    }

    #[test]
    fn pinned_fields_are_kept_and_others_are_not() {
        let mut new = row(2, &[]);
        let before = ModelRow {
            description: Some("Fast.".into()),
            ..row(1, &["context_length"])
        };
        keep(&mut new, &before);
        assert_eq!((new.context_length, new.max_output), (Some(1), Some(2)));
        assert_eq!(new.description, before.description);
        assert_eq!(new.pinned, before.pinned);
        assert_eq!(new.endpoint[0].max_output, Some(2));

        let mut new = row(2, &[]);
        keep(&mut new, &row(1, &["row"]));
        assert_eq!(new, row(1, &["row"]));
    }

    #[test]
    fn prices_come_from_the_text_of_the_number() {
        let number = |text: &str| RawValue::from_string(text.into()).unwrap();
        let text = |number: &RawValue| rate(Some(number)).unwrap().unwrap().to_string();
        assert_eq!(text(&number("0.30")), "0.3");
        assert_eq!(text(&number("6e-05")), "0.00006");
        assert!(rate(Some(&number("\"free\""))).is_err());
        assert_eq!(rate(None), Ok(None));
    }
}
