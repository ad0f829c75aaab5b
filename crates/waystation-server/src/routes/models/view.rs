//! What one caller may see of the catalogue, and which of it can be used now. With client keys
//! configured, somebody without one sees the bundled catalogue only: neither the operator's models
//! and providers nor what the operator changed about others.

use std::sync::{Arc, OnceLock};

use waystation_catalog::{Catalog, Model};
use waystation_core::{DialectId, Endpoint, ModelRef, ProviderSlug, Tick};
use waystation_gateway::Snapshot;
use waystation_router::{HealthView, Measured};

use super::row::Row;
use crate::{
    app::App,
    auth::Caller,
    config::{Listing, MinTrust},
};

/// The bundled catalogue as it is without a config; unpacked when somebody without a key first asks.
static BUNDLED: OnceLock<Arc<Catalog>> = OnceLock::new();

/// Ids that this gateway answers itself, with any model that can be used.
const ROUTED_HERE: [&str; 2] = ["openrouter/auto", "openrouter/free"];

/// The variant that stands for the plain row. Source: API contract, section 4.2.
const BETA: &str = "beta";

/// The catalogue as one caller sees it.
pub(super) struct View {
    snapshot: Arc<Snapshot>,
    catalog: Arc<Catalog>,
    dialects: Vec<DialectId>,
    health: Arc<HealthView>,
    now: Tick,
    today: u64,
    anonymous: bool,
    available_only: bool,
    firm_only: bool,
}

// === impl View ===

impl View {
    /// What `caller` sees now.
    pub(super) fn of(app: &App, caller: &Caller) -> Self {
        let (live, snapshot) = (app.live(), app.gateway().snapshot());
        let anonymous = !live.keys.is_open() && caller.key.is_none();
        let now = app.gateway().parts().clock.now();
        Self {
            catalog: if anonymous {
                bundled()
            } else {
                Arc::clone(&snapshot.catalog)
            },
            dialects: app.gateway().parts().codecs.dialects().to_vec(),
            health: app.gateway().health().view(now.tick),
            now: now.tick,
            today: now.unix.seconds() / 86_400,
            anonymous,
            available_only: live.config.catalog.list == Listing::Available,
            firm_only: live.config.catalog.min_trust == MinTrust::Firm,
            snapshot,
        }
    }

    pub(super) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Whether `[catalog] list` keeps rows back that cannot be used.
    pub(super) const fn lists_available_only(&self) -> bool {
        self.available_only
    }

    /// The day, in days since 1970.
    pub(super) const fn today(&self) -> u64 {
        self.today
    }

    /// Whether a provider is enabled and has a credential, or needs none.
    pub(super) fn is_usable(&self, provider: &ProviderSlug) -> bool {
        self.snapshot.is_usable(provider)
    }

    /// Whether requests can go to `endpoint` as things stand.
    pub(super) fn serves(&self, endpoint: &Endpoint) -> bool {
        // Somebody without a key is shown the row as it is bundled; what counts is the row in use.
        let used = if self.anonymous {
            let model = self.snapshot.catalog.model(endpoint.model.as_str());
            model.and_then(|model| model.endpoint(endpoint.tag.as_str()))
        } else {
            Some(endpoint)
        };
        used.is_some_and(|used| {
            self.is_usable(&used.provider)
                && self.dialects.contains(&used.dialect)
                && (!self.firm_only || used.trust == waystation_core::Trust::Firm)
        })
    }

    /// What was measured of `endpoint`; never shown to somebody without a key.
    pub(super) fn measured(&self, endpoint: &Endpoint) -> Option<Measured> {
        if self.anonymous {
            return None;
        }
        self.health.of(&endpoint.id, self.now)
    }

    /// Every row: the models by id, each followed by its static variants, then the families'
    /// newest.
    pub(super) fn rows(&self) -> Vec<Row<'_>> {
        let mut rows = Vec::with_capacity(1_024);
        for model in self.models() {
            rows.push(self.plain(model));
            let variants = model.variants();
            rows.extend(
                variants
                    .into_iter()
                    .map(|variant| Row::variant(model, variant, self)),
            );
        }
        for (alias, target) in self.catalog.latest_aliases() {
            let target = self
                .catalog
                .model(target.as_str())
                .filter(|model| self.shows(model));
            rows.extend(target.map(|target| Row::latest(alias, target, self)));
        }
        let any = rows.iter().any(|row| row.available);
        let any_free = rows.iter().any(|row| row.available && row.is_free());
        for row in &mut rows {
            row.available |= match &*row.id {
                id if id == ROUTED_HERE[0] => any,
                id if id == ROUTED_HERE[1] => any_free,
                _ => false,
            };
        }
        rows
    }

    /// The row that a model reference means. Routing suffixes and presets change nothing about it.
    pub(super) fn row(&self, reference: &ModelRef) -> Option<Row<'_>> {
        let name = reference.name.as_ref()?;
        if reference.latest {
            let target = self
                .catalog
                .latest(name.as_str())
                .filter(|model| self.shows(model))?;
            return Some(Row::latest(name.as_str(), target, self));
        }
        if ROUTED_HERE.contains(&name.as_str()) {
            return self.rows().into_iter().find(|row| row.id == name.as_str());
        }
        let beta = name.variant() == Some(BETA);
        let found = self.catalog.find(name).or_else(|| {
            let base = if beta {
                self.catalog.resolve(&name.base())
            } else {
                None
            };
            base.map(|model| (model, None))
        });
        let (model, variant) = found.filter(|(model, _)| self.shows(model))?;
        Some(match variant {
            Some(variant) => Row::variant(model, variant, self),
            None => self.plain(model),
        })
    }

    fn plain<'a>(&'a self, model: &'a Model) -> Row<'a> {
        Row::plain(model, self)
    }

    fn models(&self) -> impl Iterator<Item = &Model> {
        self.catalog.models().filter(|model| self.shows(model))
    }

    /// Whether the caller may know of a model: somebody without a key only of a bundled one that
    /// the config leaves in and does not define anew.
    fn shows(&self, model: &Model) -> bool {
        let used = || self.snapshot.catalog.model(model.id.as_str());
        !self.anonymous || used().is_some_and(|used| !used.as_of.is_empty())
    }
}

fn bundled() -> Arc<Catalog> {
    let catalog = BUNDLED.get_or_init(|| {
        // The embedded form is checked before it is committed; showing nothing is the safe side.
        Arc::new(Catalog::bundled().unwrap_or_else(|_| Catalog::empty()))
    });
    Arc::clone(catalog)
}
