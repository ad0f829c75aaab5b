//! Single fields of rows: money, limits, words of a vocabulary, dates. What a row as a whole means is
//! not known here.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::Deserialize;
use serde::de::value::{Error as ValueError, StrDeserializer};
use waystation_core::{
    AuthScheme, Date, Modalities, Modality, ModelId, NativeSearch, Parameter, ParameterSet, Price,
    PriceTier, Quirks, Rates, Tokens, Usd, UsdPerMTok,
};

use crate::{
    RowError,
    source::{EndpointRow, PriceRow, Text},
};

/// From here up a price is a slip of the unit: 1000 USD per million tokens.
const DEAR: UsdPerMTok = UsdPerMTok::from_nanos(1_000_000_000_000);

pub(super) fn price(row: &EndpointRow<'_>) -> Result<Price, RowError> {
    let mut price = Price::default();
    price.rates = rates(&row.price)?;
    price.request = usd(row.price.request.as_ref())?;
    price.image = usd(row.price.image.as_ref())?;
    price.web_search = usd(row.price.web_search.as_ref())?;
    for tier in &row.tiers {
        let mut rates = Rates::default();
        rates.prompt = per_mtok(tier.prompt.as_deref())?;
        rates.completion = per_mtok(tier.completion.as_deref())?;
        rates.cache_read = per_mtok(tier.cache_read.as_deref())?;
        rates.cache_write = per_mtok(tier.cache_write.as_deref())?;
        price.tiers.push(PriceTier {
            above: Tokens::new(tier.above),
            rates,
        });
    }
    price.tiers.sort_by_key(|tier| tier.above);
    Ok(price)
}

fn rates(row: &PriceRow<'_>) -> Result<Rates, RowError> {
    let mut rates = Rates::default();
    rates.prompt = per_mtok(row.prompt.as_deref())?;
    rates.completion = per_mtok(row.completion.as_deref())?;
    rates.cache_read = per_mtok(row.cache_read.as_deref())?;
    rates.cache_write = per_mtok(row.cache_write.as_deref())?;
    rates.cache_write_1h = per_mtok(row.cache_write_1h.as_deref())?;
    rates.audio = per_mtok(row.audio.as_deref())?;
    rates.reasoning = per_mtok(row.reasoning.as_deref())?;
    Ok(rates)
}

/// Reads a price and refuses one that can only be a slip of the unit.
pub(crate) fn per_mtok(text: Option<&str>) -> Result<Option<UsdPerMTok>, RowError> {
    let Some(text) = text else {
        return Ok(None);
    };
    let price: UsdPerMTok = text.parse()?;
    if price >= DEAR {
        return Err(RowError::Dear {
            found: price.to_string(),
        });
    }
    Ok(Some(price))
}

fn usd(text: Option<&Text<'_>>) -> Result<Option<Usd>, RowError> {
    Ok(text.map(|text| text.parse()).transpose()?)
}

pub(crate) fn tokens(count: Option<u64>) -> Result<Option<Tokens>, RowError> {
    match count {
        Some(0) => Err(RowError::Zero),
        other => Ok(other.map(Tokens::new)),
    }
}

pub(crate) fn modalities<T: AsRef<str>>(names: &[T]) -> Result<Modalities, RowError> {
    names
        .iter()
        .map(|name| word::<Modality>(name.as_ref()))
        .collect()
}

pub(crate) fn parameters<T: AsRef<str>>(names: &[T]) -> Result<ParameterSet, RowError> {
    let named = |name: &T| {
        Parameter::named(name.as_ref()).ok_or_else(|| RowError::Unknown {
            expected: "a request parameter such as \"temperature\"".into(),
            found: name.as_ref().into(),
        })
    };
    names.iter().map(named).collect()
}

/// A word of one of core's vocabularies.
pub(crate) fn word<T: FromStr>(found: &str) -> Result<T, RowError>
where
    T::Err: fmt::Display,
{
    found.parse().map_err(|error: T::Err| {
        let text = error.to_string();
        let expected = text
            .strip_prefix("expected ")
            .and_then(|rest| rest.split_once(", found "));
        RowError::Unknown {
            expected: expected
                .map_or(text.as_str(), |(words, _)| words)
                .to_owned(),
            found: found.to_owned(),
        }
    })
}

pub(super) fn auth(text: &str) -> Result<AuthScheme, RowError> {
    AuthScheme::deserialize(StrDeserializer::<ValueError>::new(text)).map_err(|_| {
        let expected =
            "`auth` to be bearer, x-api-key, api-key, x-goog-api-key, sigv4, google-oauth or none";
        RowError::Unknown {
            expected: expected.into(),
            found: text.into(),
        }
    })
}

/// What a provider's own search can be told about domains.
pub(super) fn native_search(text: &str) -> Result<NativeSearch, RowError> {
    NativeSearch::deserialize(StrDeserializer::<ValueError>::new(text)).map_err(|_| {
        RowError::Unknown {
            expected: "`search` to be plain, include, either or both".into(),
            found: text.into(),
        }
    })
}

pub(super) fn env_auth(
    row: &BTreeMap<Text<'_>, Text<'_>>,
) -> Result<BTreeMap<String, AuthScheme>, RowError> {
    let travels =
        |(variable, scheme): (&Text<'_>, &Text<'_>)| Ok((variable.to_string(), auth(scheme)?));
    row.iter().map(travels).collect()
}

pub(super) fn quirks(map: &serde_json::Map<String, serde_json::Value>) -> Result<Quirks, RowError> {
    Quirks::deserialize(map).map_err(|error| RowError::Unknown {
        expected: format!("`quirks` to be fields of `Quirks` ({error})"),
        found: serde_json::to_string(map).unwrap_or_default(),
    })
}

pub(super) fn id(text: &str) -> Result<ModelId, RowError> {
    Ok(text.parse()?)
}

pub(crate) fn no_provider<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> RowError {
    RowError::NoProvider {
        found: found.into(),
        nearest: waystation_core::nearest(found, known).map(Into::into),
    }
}

pub(crate) fn described(name: &str, input: Modalities, output: Modalities) -> String {
    let list = |set: Modalities| {
        let words: Vec<&str> = set.iter().map(Modality::as_str).collect();
        words.join(", ")
    };
    format!(
        "{name}: takes {} and answers with {}.",
        list(input),
        list(output)
    )
}

/// Midnight UTC of `YYYY-MM-DD`, or of the first day of `YYYY-MM`, in seconds since 1970.
pub(super) fn day(text: &str) -> Result<u64, RowError> {
    let whole = match text.len() {
        7 => format!("{text}-01"),
        _ => text.into(),
    };
    let date = whole.parse::<Date>().ok();
    date.and_then(Date::seconds)
        .ok_or_else(|| RowError::Unknown {
            expected: "a date, YYYY-MM-DD".into(),
            found: text.into(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_seconds() {
        assert_eq!(day("1970-01-01"), Ok(0));
        assert_eq!(day("2026-03-05"), Ok(1_772_668_800));
        assert_eq!(day("2024-02-29"), Ok(1_709_164_800));
        assert_eq!(day("2026-03"), day("2026-03-01"));
        for bad in [
            "",
            "2026",
            "2026-13-01",
            "2026-01-00",
            "26-01-01",
            "2026-01-01x",
            "a-b-c",
        ] {
            assert!(day(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn slips_are_refused() {
        assert!(matches!(per_mtok(Some("1000")), Err(RowError::Dear { .. })));
        assert!(per_mtok(Some("-1")).is_err());
        assert_eq!(per_mtok(None), Ok(None));
        assert_eq!(tokens(Some(0)), Err(RowError::Zero));
        let error = parameters(&["temprature"]).unwrap_err().to_string();
        assert!(error.contains("temprature"), "{error}");
        let error = modalities(&["smell"]).unwrap_err().to_string();
        assert_eq!(
            error,
            "expected one of text, image, file, audio, video, found \"smell\""
        );
    }
}
