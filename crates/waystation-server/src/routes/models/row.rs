//! One row of the list: a model as one of its ids names it, with the endpoints that this id means
//! and the best of them. Writes nothing.

use std::{borrow::Cow, cmp::Reverse};

use waystation_catalog::Model;
use waystation_core::{Endpoint, ServiceTier, Tokens};

use super::view::View;

/// A model under one of its ids.
pub(super) struct Row<'a> {
    /// The id that the row stands for: `author/slug`, `author/slug:variant`, or
    /// `~author/family-latest`.
    pub(super) id: Cow<'a, str>,
    /// Display name.
    pub(super) name: Cow<'a, str>,
    /// The permanent id.
    pub(super) canonical: Cow<'a, str>,
    /// The facts.
    pub(super) model: &'a Model,
    /// Who serves it under this id.
    pub(super) endpoints: Vec<&'a Endpoint>,
    /// The one that the row's price and limits are taken from.
    pub(super) best: Option<&'a Endpoint>,
    /// Promised context.
    pub(super) context: Option<Tokens>,
    /// The row stands for the newest of a family.
    pub(super) alias: bool,
    /// Requests can be served now.
    pub(super) available: bool,
}

// === impl Row ===

impl<'a> Row<'a> {
    /// The model itself.
    pub(super) fn plain(model: &'a Model, view: &View) -> Self {
        Self {
            id: model.id.as_str().into(),
            name: (&*model.name).into(),
            canonical: model.canonical_slug.as_str().into(),
            context: model.context_length,
            ..Self::meaning(model, None, view)
        }
    }

    /// A static variant. Its limits are those of its endpoints.
    pub(super) fn variant(model: &'a Model, variant: &str, view: &View) -> Self {
        let row = Self::meaning(model, Some(variant), view);
        let context = row.best.and_then(|best| best.context_length);
        Self {
            id: format!("{}:{variant}", model.id).into(),
            name: format!("{} ({variant})", model.name).into(),
            canonical: format!("{}:{variant}", model.canonical_slug).into(),
            context: context.or(model.context_length),
            ..row
        }
    }

    /// The newest of a family; `alias` without its `~`.
    pub(super) fn latest(alias: &str, target: &'a Model, view: &View) -> Self {
        let id = format!("~{alias}");
        Self {
            canonical: id.clone().into(),
            id: id.into(),
            name: format!("{} (latest)", target.name).into(),
            alias: true,
            ..Self::plain(target, view)
        }
    }

    fn meaning(model: &'a Model, variant: Option<&str>, view: &View) -> Self {
        let meant = |endpoint: &&Endpoint| endpoint.variant.as_deref() == variant;
        let endpoints: Vec<&Endpoint> = model.endpoints.iter().filter(meant).collect();
        Self {
            id: "".into(),
            name: "".into(),
            canonical: "".into(),
            context: None,
            best: best(&endpoints, model.id.author(), view),
            available: endpoints.iter().any(|endpoint| view.serves(endpoint)),
            model,
            endpoints,
            alias: false,
        }
    }

    /// Whether an endpoint of it is known to cost nothing.
    pub(super) fn is_free(&self) -> bool {
        self.endpoints
            .iter()
            .any(|endpoint| endpoint.price.is_free())
    }
}

/// The endpoint that stands for a row: one that can be used before others, then the more trusted,
/// one whose price is known, the cheaper, the maker's own. Service tiers are asked for and stand
/// for nothing.
fn best<'a>(endpoints: &[&'a Endpoint], author: &str, view: &View) -> Option<&'a Endpoint> {
    let plain = |tier: ServiceTier| matches!(tier, ServiceTier::Auto | ServiceTier::Default);
    let standing = endpoints
        .iter()
        .filter(|endpoint| endpoint.service_tier.is_none_or(plain));
    standing.copied().min_by_key(|endpoint| {
        let price = endpoint.price.rates.blended_x4();
        let own = endpoint.provider == author;
        let worth = (
            Reverse(view.serves(endpoint)),
            endpoint.trust,
            price.is_none(),
            price,
        );
        (worth, Reverse(own), endpoint.tag.as_str())
    })
}
