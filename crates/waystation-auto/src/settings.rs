//! What a request and the operator want of a router: which models, how dear, how good. It reads and
//! checks; choosing is `rank.rs`'s.

use waystation_core::{ChatRequest, InvalidRequest, Json, Kind, ModelId, RawJson};

use crate::matches;

/// How many patterns a list may have. Source: API contract, section 6.
const PATTERNS: usize = 1_024;
/// How long one of them may be.
const PATTERN_BYTES: usize = 1_024;
/// And all of them together.
const ALL_BYTES: usize = 65_536;

/// A router id that is answered here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Router {
    /// `openrouter/auto`.
    Auto,
    /// `openrouter/auto-beta`: the same, with settings of its own.
    AutoBeta,
    /// `openrouter/pareto-code`: the cheapest of those that code well enough.
    ParetoCode,
}

/// What the operator says about a router.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defaults {
    /// Settings as a request would spell them.
    pub options: Option<RawJson>,
    /// Whether what a request says is ignored.
    pub prevent_overrides: bool,
}

/// A band of costs: a fifth of the models each, the cheapest first. It leaves out what is cheaper as
/// well as what is dearer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CostTier {
    /// The cheapest fifth.
    Low,
    /// The next.
    Medium,
    /// The middle is below.
    High,
    /// Four fifths are cheaper at its end.
    XHigh,
    /// The dearest fifth.
    Max,
}

/// The settings for one request.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Settings {
    /// Patterns of the models to choose from; empty is all.
    pub allowed: Vec<String>,
    /// Patterns of models that are never chosen; stronger than `allowed`.
    pub excluded: Vec<String>,
    /// The band of costs.
    pub cost_tier: Option<CostTier>,
    /// From 0, quality alone, to 10, cost alone.
    pub tradeoff: Option<u8>,
    /// Whether the model of the last answer is kept.
    pub pin_model: bool,
    /// How good at code a model must be, from 0 to 1.
    pub min_coding_score: Option<f64>,
    /// USD per million tokens that the prompt may cost.
    pub max_price: Option<f64>,
    /// Prices are compared by the weighted average, not by the prompt's.
    pub weighted_price: bool,
}

// === impl Router ===

impl Router {
    /// The router that a model id stands for.
    #[must_use]
    pub fn of(id: &ModelId) -> Option<Self> {
        match id.as_str() {
            "openrouter/auto" | "waystation/auto" => Some(Self::Auto),
            "openrouter/auto-beta" | "waystation/auto-beta" => Some(Self::AutoBeta),
            "openrouter/pareto-code" | "waystation/pareto-code" => Some(Self::ParetoCode),
            _ => None,
        }
    }

    /// The id of the plugin that holds its settings.
    #[must_use]
    pub const fn plugin(self) -> &'static str {
        match self {
            Self::Auto => "auto-router",
            Self::AutoBeta => "auto-beta-router",
            Self::ParetoCode => "pareto-router",
        }
    }
}

// === impl CostTier ===

impl CostTier {
    /// From its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "low" => Self::Low,
            "medium" => Self::Medium,
            "high" => Self::High,
            "xhigh" => Self::XHigh,
            "max" => Self::Max,
            _ => return None,
        })
    }

    /// Where its band begins, in percent.
    #[must_use]
    pub const fn start(self) -> usize {
        match self {
            Self::Low => 0,
            Self::Medium => 20,
            Self::High => 40,
            Self::XHigh => 60,
            Self::Max => 80,
        }
    }
}

// === impl Settings ===

impl Settings {
    /// Those of `router` for a request: its entry over the operator's, member by member, unless the
    /// operator has the last word. The last entry of an id counts; one that says `enabled: false` is
    /// as good as none.
    ///
    /// # Errors
    /// [`InvalidRequest`] naming the member that makes no sense.
    pub fn of(
        router: Router,
        chat: &ChatRequest,
        defaults: &Defaults,
    ) -> Result<Self, InvalidRequest> {
        let mut settings = Self::default();
        if let Some(options) = &defaults.options {
            settings.lay(options.json(), router.plugin())?;
        }
        let entries = chat.get("plugins").into_iter().flat_map(Json::elements);
        let named = entries.enumerate().filter(|(_, entry)| {
            let id = entry.get("id").and_then(Json::string);
            id.as_deref() == Some(router.plugin())
        });
        let on = |entry: Json<'_>| entry.get("enabled").and_then(Json::bool) != Some(false);
        if let Some((at, entry)) = named.last().filter(|(_, entry)| on(*entry))
            && !defaults.prevent_overrides
        {
            settings.lay(entry, &format!("plugins[{at}]"))?;
        }
        Ok(settings)
    }

    /// Those of one entry alone.
    ///
    /// # Errors
    /// [`InvalidRequest`] naming the member that makes no sense.
    pub fn read(entry: Json<'_>) -> Result<Self, InvalidRequest> {
        let mut settings = Self::default();
        settings.lay(entry, "")?;
        Ok(settings)
    }

    /// Whether the settings let this model be chosen.
    #[must_use]
    pub fn admit(&self, id: &ModelId) -> bool {
        let any =
            |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, id.as_str()));
        (self.allowed.is_empty() || any(&self.allowed)) && !any(&self.excluded)
    }

    /// Takes the members of one entry: those that are there replace what was known, `null` and members
    /// of other routers change nothing. `path` is where the entry stands, for errors.
    fn lay(&mut self, entry: Json<'_>, path: &str) -> Result<(), InvalidRequest> {
        let member = |key: &str| entry.get(key).filter(|value| !value.is_null());
        let field = |key: &str| {
            let joint = if path.is_empty() { "" } else { "." };
            format!("{path}{joint}{key}")
        };
        if let Some(list) = member("allowed_models") {
            self.allowed = patterns(list, &field("allowed_models"))?;
        }
        if let Some(list) = member("excluded_models") {
            self.excluded = patterns(list, &field("excluded_models"))?;
        }
        if let Some(value) = member("cost_tier") {
            let tier = value.string().and_then(|name| CostTier::named(&name));
            let wanted = "low, medium, high, xhigh or max";
            self.cost_tier = Some(tier.ok_or_else(|| expected(field("cost_tier"), wanted, value))?);
        }
        if let Some(value) = member("cost_quality_tradeoff") {
            let number = value.u64().and_then(|number| u8::try_from(number).ok());
            let number = number.filter(|number| *number <= 10);
            let path = field("cost_quality_tradeoff");
            self.tradeoff =
                Some(number.ok_or_else(|| expected(path, "a whole number from 0 to 10", value))?);
        }
        if let Some(value) = member("pin_model") {
            let path = field("pin_model");
            self.pin_model = value
                .bool()
                .ok_or_else(|| expected(path, "true or false", value))?;
        }
        if let Some(value) = member("min_coding_score") {
            let score = value.f64().filter(|score| (0.0..=1.0).contains(score));
            let path = field("min_coding_score");
            self.min_coding_score =
                Some(score.ok_or_else(|| expected(path, "a number from 0 to 1", value))?);
        }
        if let Some(value) = member("max_price") {
            let price = value.f64().filter(|price| *price >= 0.0);
            let path = field("max_price");
            self.max_price =
                Some(price.ok_or_else(|| expected(path, "USD per million tokens", value))?);
        }
        if let Some(value) = member("price_source") {
            self.weighted_price = match value.string().as_deref() {
                Some("prompt") => false,
                Some("weighted_avg") => true,
                _ => {
                    return Err(expected(
                        field("price_source"),
                        "prompt or weighted_avg",
                        value,
                    ));
                }
            };
        }
        Ok(())
    }
}

/// What was expected at a member, and what stands there.
fn expected(field: String, what: &str, found: Json<'_>) -> InvalidRequest {
    InvalidRequest::expected(field, what, found)
}

/// A list of patterns within its bounds.
///
/// # Errors
/// [`InvalidRequest`] naming the entry, or the list when it is too large.
fn patterns(list: Json<'_>, path: &str) -> Result<Vec<String>, InvalidRequest> {
    if list.kind() != Kind::Array {
        return Err(expected(
            path.to_owned(),
            "a list of model ids and patterns",
            list,
        ));
    }
    let (mut all, mut bytes) = (Vec::new(), 0);
    for (at, pattern) in list.elements().enumerate() {
        let text = pattern.string();
        let text = text.filter(|text| !text.is_empty() && text.len() <= PATTERN_BYTES);
        let Some(text) = text else {
            let what = "a pattern of 1 to 1,024 bytes, such as \"anthropic/*\"";
            return Err(expected(format!("{path}[{at}]"), what, pattern));
        };
        bytes += text.len();
        all.push(text.into_owned());
    }
    if all.len() > PATTERNS || bytes > ALL_BYTES {
        let message = format!(
            "expected at most {PATTERNS} patterns of {ALL_BYTES} bytes in all, found {} of {bytes}",
            all.len()
        );
        return Err(InvalidRequest::new(path.to_owned(), message));
    }
    Ok(all)
}
