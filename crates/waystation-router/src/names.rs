//! Provider names as people write them in `order`, `only` and `ignore`, matched to endpoints. The
//! names themselves are the catalogue's.

use waystation_catalog::Catalog;
use waystation_core::{Endpoint, ProviderSlug};

/// A list of names, read once per plan.
#[derive(Debug, Default)]
pub(crate) struct Names<'a>(Vec<Name<'a>>);

#[derive(Debug)]
struct Name<'a> {
    /// As the client wrote it, for notes.
    spelled: &'a str,
    /// The same, folded.
    folded: String,
    /// The providers that the part before `/` means; more than one for `Google`.
    providers: Vec<&'a ProviderSlug>,
    /// What stands behind the first `/`, folded: `turbo` of `deepinfra/turbo`.
    variant: Option<String>,
}

// === impl Names ===

impl<'a> Names<'a> {
    /// Looks every name up once.
    pub(crate) fn of(spelled: &'a [String], catalog: &'a Catalog) -> Self {
        if spelled.is_empty() {
            return Self::default();
        }
        Self(spelled.iter().map(|name| Name::of(name, catalog)).collect())
    }

    /// Whether nothing is named.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first name that means `endpoint`. A base name means every endpoint of the provider, a
    /// name with a variant exactly that one.
    pub(crate) fn position(&self, endpoint: &Endpoint) -> Option<usize> {
        self.0.iter().position(|name| name.means(endpoint))
    }

    /// Whether any name means `endpoint`.
    pub(crate) fn has(&self, endpoint: &Endpoint) -> bool {
        self.position(endpoint).is_some()
    }

    /// Whether a name means exactly this endpoint, variant and all: what admits a service tier.
    pub(crate) fn has_exactly(&self, endpoint: &Endpoint) -> bool {
        let exact = |name: &&Name<'_>| name.variant.is_some() || name.providers.is_empty();
        self.0.iter().filter(exact).any(|name| name.means(endpoint))
    }

    /// Names that mean no endpoint among `endpoints`, and, with a variant, none of the whole
    /// catalogue either; with the word for what was not found. A provider that serves none of the
    /// wanted models is no typo.
    pub(crate) fn unmatched<'e>(
        &self,
        endpoints: &(impl Iterator<Item = &'e Endpoint> + Clone),
        catalog: &'e Catalog,
    ) -> Vec<(&'a str, &'static str)> {
        let missing = |name: &Name<'a>| {
            let what = match (&name.variant, name.providers.is_empty()) {
                (_, true) => "provider",
                (Some(_), false) => "endpoint",
                (None, false) => return None,
            };
            let everywhere = catalog
                .models()
                .flat_map(|model| &model.endpoints)
                .filter(|_| what == "endpoint");
            let found = endpoints.clone().chain(everywhere).any(|e| name.means(e));
            (!found).then_some((name.spelled, what))
        };
        self.0.iter().filter_map(missing).collect()
    }
}

// === impl Name ===

impl<'a> Name<'a> {
    /// Looks the provider up by the part before the first `/`.
    fn of(spelled: &'a str, catalog: &'a Catalog) -> Self {
        let (base, variant) = match spelled.split_once('/') {
            Some((base, variant)) => (base, Some(letters(variant).collect())),
            None => (spelled, None),
        };
        Self {
            spelled,
            folded: letters(spelled).collect(),
            providers: catalog.providers_named(base),
            variant,
        }
    }

    /// Whether this name means `endpoint`. Variants are compared folded, like providers.
    fn means(&self, endpoint: &Endpoint) -> bool {
        if self.providers.is_empty() {
            // Not a provider's name, but it may be an operator's own tag.
            return letters(endpoint.tag.as_str()).eq(self.folded.chars());
        }
        if !self.providers.contains(&&endpoint.provider) {
            return false;
        }
        let Some(variant) = &self.variant else {
            return true;
        };
        let tag = endpoint.tag.as_str();
        tag.split_once('/')
            .is_some_and(|(_, of_tag)| letters(of_tag).eq(variant.chars()))
    }
}

/// A name without case, and without the characters that people leave out. Source: API contract,
/// section 3.2.
fn letters(name: &str) -> impl Iterator<Item = char> {
    let lower = |c: char| match c {
        c if c.is_ascii() => c.to_ascii_lowercase(),
        c => c.to_lowercase().next().unwrap_or(c),
    };
    name.trim()
        .chars()
        .filter(|c| !matches!(c, ' ' | '_' | '.' | '-'))
        .map(lower)
}
