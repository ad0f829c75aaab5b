//! What the list can be asked: filters, order and page, from the query string. Keys that are not
//! known are left alone, values that are not are refused by name. Source: API contract, section 8,
//! row "GET /models", and OpenRouter's reference of the parameters (2026-11).

use std::{collections::BTreeSet, fmt::Display, str::FromStr};

use axum::extract::Query as Pairs;
use http::Uri;
use waystation_core::{
    Modalities, Modality, Parameter, ParameterSet, ProviderSlug, Tokens, Usd, UsdPerMTok, nearest,
};

use super::{row::Row, sort::Sort, view::View};

/// Rows of a page that does not say how many.
const PAGE: usize = 500;
/// The most rows of one page.
const LARGEST_PAGE: usize = 1_000;
/// Femto-dollars per token in one nano-dollar.
const FEMTOS_PER_NANO: u128 = 1_000_000;

/// Kinds of output of models that are not for chat. No row has them.
const OTHER_OUTPUTS: [&str; 5] = [
    "embeddings",
    "rerank",
    "decisions",
    "speech",
    "transcription",
];
/// What models are used for. No row says so yet, so that each of them finds nothing.
const CATEGORIES: [&str; 12] = [
    "programming",
    "roleplay",
    "marketing",
    "marketing/seo",
    "technology",
    "science",
    "translation",
    "legal",
    "finance",
    "health",
    "trivia",
    "academia",
];
/// Member states of the European Union, ISO 3166.
const EU: [&str; 27] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT",
    "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
];
const US: [&str; 1] = ["US"];

/// What one request asks of the list.
#[derive(Debug)]
pub(super) struct Query {
    /// Rows to leave out at the start.
    pub(super) offset: usize,
    /// The most rows; `None` is all.
    pub(super) limit: Option<usize>,
    /// In which order.
    pub(super) sort: Sort,
    /// Names of providers of which one must serve the row.
    pub(super) providers: Vec<String>,
    nothing: bool,
    distillable: bool,
    parameters: ParameterSet,
    output: Option<Modalities>,
    input: Modalities,
    words: Vec<String>,
    context: Option<Tokens>,
    prompt: Bounds,
    completion: Bounds,
    arch: Option<String>,
    authors: Vec<String>,
    zdr: bool,
    region: Option<&'static [&'static str]>,
    min_age: Option<u64>,
    max_age: Option<u64>,
}

/// Bounds of a price per million tokens, inclusive.
#[derive(Clone, Copy, Debug, Default)]
struct Bounds {
    min: Option<Usd>,
    max: Option<Usd>,
}

/// A value that is none of those its key takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: expected {expected}, found {found:?}")]
pub(super) struct BadQuery {
    key: String,
    expected: String,
    found: String,
}

// === impl Query ===

impl Query {
    /// Reads a query string.
    ///
    /// # Errors
    /// [`BadQuery`] names the key whose value is wrong.
    pub(super) fn parse(raw: &str) -> Result<Self, BadQuery> {
        let unreadable = || BadQuery {
            key: "query string".into(),
            expected: "key=value pairs, percent-encoded UTF-8".into(),
            found: raw.into(),
        };
        let uri: Uri = format!("/?{raw}").parse().map_err(|_| unreadable())?;
        let pairs = Pairs::<Vec<(String, String)>>::try_from_uri(&uri).map_err(|_| unreadable())?;
        let mut query = Self::everything();
        let mut paged = false;
        for (key, value) in &pairs.0 {
            if !value.trim().is_empty() {
                query.take(key, value.trim())?;
                paged |= matches!(key.as_str(), "offset" | "limit");
            }
        }
        if paged {
            query.limit.get_or_insert(PAGE);
        }
        Ok(query)
    }

    /// The query that says nothing. Models that give text are what is wanted then.
    fn everything() -> Self {
        Self {
            offset: 0,
            limit: None,
            sort: Sort::Catalog,
            providers: Vec::new(),
            nothing: false,
            distillable: false,
            parameters: ParameterSet::EMPTY,
            output: Some(Modalities::TEXT),
            input: Modalities::NONE,
            words: Vec::new(),
            context: None,
            prompt: Bounds::default(),
            completion: Bounds::default(),
            arch: None,
            authors: Vec::new(),
            zdr: false,
            region: None,
            min_age: None,
            max_age: None,
        }
    }

    fn take(&mut self, key: &str, value: &str) -> Result<(), BadQuery> {
        let bad = |expected: &str| BadQuery::new(key, expected, value);
        let days = || number(key, value, "a number of days");
        match key {
            "offset" => self.offset = number(key, value, "a number of rows from 0 up")?,
            "limit" => {
                let limit = value
                    .parse()
                    .ok()
                    .filter(|limit| (1..=LARGEST_PAGE).contains(limit));
                self.limit = Some(limit.ok_or_else(|| bad("a number of rows from 1 to 1000"))?);
            }
            "sort" => {
                self.sort = Sort::named(value).ok_or_else(|| one_of(key, value, Sort::words()))?
            }
            "category" if CATEGORIES.contains(&value) => self.nothing = true,
            "category" => return Err(one_of(key, value, CATEGORIES)),
            "supported_parameters" => self.parameters = parameters(key, value, self.parameters)?,
            "output_modalities" => self.take_output(key, value)?,
            "input_modalities" => {
                for word in list(value) {
                    self.input = self.input.with(modality(key, word, &[])?);
                }
            }
            "q" => {
                self.words = value
                    .to_lowercase()
                    .split_whitespace()
                    .map(Into::into)
                    .collect()
            }
            "context" => {
                self.context = Some(Tokens::new(number(key, value, "a number of tokens")?))
            }
            "min_price" => self.prompt.min = Some(amount(key, value)?),
            "max_price" => self.prompt.max = Some(amount(key, value)?),
            "min_output_price" => self.completion.min = Some(amount(key, value)?),
            "max_output_price" => self.completion.max = Some(amount(key, value)?),
            "arch" => self.arch = Some(value.to_lowercase()),
            "model_authors" => self.authors.extend(list(value).map(str::to_lowercase)),
            "providers" => self.providers.extend(list(value).map(Into::into)),
            "distillable" => self.distillable = flag(key, value)?,
            "zdr" => self.zdr = flag(key, value)?,
            "region" => {
                self.region = match value {
                    "eu" => Some(&EU),
                    "us" => Some(&US),
                    _ => return Err(bad("eu or us")),
                };
            }
            "min_age_days" => self.min_age = Some(days()?),
            "max_age_days" => self.max_age = Some(days()?),
            _ => {}
        }
        Ok(())
    }

    /// Outputs of which a row must have one; `all` is no wish.
    fn take_output(&mut self, key: &str, value: &str) -> Result<(), BadQuery> {
        let mut wanted = Modalities::NONE;
        for word in list(value) {
            match word {
                "all" => {
                    self.output = None;
                    return Ok(());
                }
                other if OTHER_OUTPUTS.contains(&other) => {}
                word => wanted = wanted.with(modality(key, word, &OTHER_OUTPUTS)?),
            }
        }
        self.output = Some(wanted);
        Ok(())
    }

    /// Whether a row is asked for. `providers` are those that [`Self::providers`] means.
    pub(super) fn takes(
        &self,
        row: &Row<'_>,
        providers: &BTreeSet<&ProviderSlug>,
        view: &View,
    ) -> bool {
        let model = row.model;
        let author = model.id.author();
        !self.nothing
            && (!self.distillable || model.distillable == Some(true))
            && self
                .parameters
                .iter()
                .all(|wanted| model.parameters.has(wanted))
            && self
                .output
                .is_none_or(|output| output.iter().any(|kind| model.output.has(kind)))
            && model.input.covers(self.input)
            && self.words.iter().all(|word| names(row, word))
            && self
                .context
                .is_none_or(|least| row.context.is_some_and(|has| has >= least))
            && self
                .prompt
                .hold(row.best.and_then(|best| best.price.rates.prompt))
            && self
                .completion
                .hold(row.best.and_then(|best| best.price.rates.completion))
            && self.arch.as_ref().is_none_or(|arch| is_of(row, arch))
            && (self.authors.is_empty() || self.authors.iter().any(|wanted| wanted == author))
            && (self.providers.is_empty()
                || row
                    .endpoints
                    .iter()
                    .any(|endpoint| providers.contains(&endpoint.provider)))
            && (!self.zdr
                || row
                    .endpoints
                    .iter()
                    .any(|endpoint| endpoint.policy.zdr == Some(true)))
            && self
                .region
                .is_none_or(|places| is_served_in(row, places, view))
            && self.is_of_age(model.created, view.today())
    }

    /// A model of unknown age has neither the least nor the most.
    fn is_of_age(&self, created: Option<u64>, today: u64) -> bool {
        if self.min_age.is_none() && self.max_age.is_none() {
            return true;
        }
        let age = created.map(|created| today.saturating_sub(created / 86_400));
        age.is_some_and(|age| {
            self.min_age.is_none_or(|least| age >= least)
                && self.max_age.is_none_or(|most| age <= most)
        })
    }

    /// The query string of the next page, where `total` rows leave one.
    pub(super) fn next(&self, raw: &str, total: usize) -> Option<String> {
        let (limit, next) = (self.limit?, self.offset.checked_add(self.limit?)?);
        if next >= total {
            return None;
        }
        let page = |pair: &&str| !pair.starts_with("offset=") && !pair.starts_with("limit=");
        let mut kept: String = raw
            .split('&')
            .filter(|pair| !pair.is_empty())
            .filter(page)
            .collect::<Vec<_>>()
            .join("&");
        if !kept.is_empty() {
            kept.push('&');
        }
        Some(format!("{kept}offset={next}&limit={limit}"))
    }
}

/// Whether a word is part of the row's id or name.
fn names(row: &Row<'_>, word: &str) -> bool {
    row.id.contains(word) || row.name.to_lowercase().contains(word)
}

/// Whether a row is of a family: `llama` means `Llama3` and `Llama4`.
fn is_of(row: &Row<'_>, arch: &str) -> bool {
    row.model
        .tokenizer
        .as_deref()
        .is_some_and(|family| family.to_lowercase().starts_with(arch))
}

/// Whether a provider of the row is known to have a data centre in one of `places`.
fn is_served_in(row: &Row<'_>, places: &[&str], view: &View) -> bool {
    row.endpoints.iter().any(|endpoint| {
        let provider = view.catalog().provider(endpoint.provider.as_str());
        let there = provider
            .and_then(|provider| provider.datacenters.as_deref())
            .unwrap_or_default();
        there.iter().any(|place| places.contains(&&**place))
    })
}

fn list(value: &str) -> impl Iterator<Item = &str> {
    value
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
}

fn parameters(key: &str, value: &str, known: ParameterSet) -> Result<ParameterSet, BadQuery> {
    list(value).try_fold(known, |set, word| match Parameter::named(word) {
        Some(parameter) => Ok(set.with(parameter)),
        None => Err(one_of(
            key,
            word,
            Parameter::ALL.iter().map(|known| known.as_str()),
        )),
    })
}

fn modality(key: &str, word: &str, others: &[&'static str]) -> Result<Modality, BadQuery> {
    word.parse().map_err(|_| {
        let words = Modality::ALL.iter().map(|known| known.as_str());
        one_of(key, word, words.chain(others.iter().copied()))
    })
}

fn flag(key: &str, value: &str) -> Result<bool, BadQuery> {
    value
        .parse()
        .map_err(|_| BadQuery::new(key, "true or false", value))
}

fn number<N: FromStr>(key: &str, value: &str, expected: &str) -> Result<N, BadQuery> {
    value
        .parse()
        .map_err(|_| BadQuery::new(key, expected, value))
}

fn amount(key: &str, value: &str) -> Result<Usd, BadQuery> {
    let expected = "a price in dollars per million tokens such as 0.25";
    Usd::from_decimal_rounded(value).map_err(|_| BadQuery::new(key, expected, value))
}

/// A word that is none of `words`, with the nearest of them.
fn one_of<W: AsRef<str> + Display>(
    key: &str,
    found: &str,
    words: impl IntoIterator<Item = W>,
) -> BadQuery {
    let words: Vec<W> = words.into_iter().collect();
    let all = words
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    let near = nearest(found, words.iter().map(AsRef::as_ref));
    let near = near.map_or_else(String::new, |near| format!(" (did you mean {near}?)"));
    BadQuery::new(key, &format!("one of {all}{near}"), found)
}

// === impl Bounds ===

impl Bounds {
    /// Whether a price is within them. An unknown price is within no bounds but none.
    fn hold(self, price: Option<UsdPerMTok>) -> bool {
        if self.min.is_none() && self.max.is_none() {
            return true;
        }
        price.is_some_and(|price| {
            let price = Usd::from_femtos(u128::from(price.nanos()) * FEMTOS_PER_NANO);
            self.min.is_none_or(|min| price >= min) && self.max.is_none_or(|max| price <= max)
        })
    }
}

// === impl BadQuery ===

impl BadQuery {
    fn new(key: &str, expected: &str, found: &str) -> Self {
        let found = found.chars().take(100).collect();
        Self {
            key: key.into(),
            expected: expected.into(),
            found,
        }
    }
}
