//! Providers by the names that people write: slugs, display names, aliases. It compares letters and
//! digits only; deciding which providers a request may use is the router's work.

use std::collections::HashMap;

use waystation_core::ProviderSlug;

use crate::Provider;

/// Which providers a folded name means.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProviderNames(HashMap<Box<str>, Vec<ProviderSlug>>);

/// A name without what people spell differently: surrounding space, case, and space `_ . -` within.
pub(crate) fn fold(name: &str) -> String {
    name.trim()
        .chars()
        .filter(|c| !matches!(c, ' ' | '_' | '.' | '-'))
        .flat_map(char::to_lowercase)
        .collect()
}

// === impl ProviderNames ===

impl ProviderNames {
    /// Reads the names of `providers`. A slug goes before a display name, and that before an alias,
    /// so that what a provider is really called cannot be taken by another's alias.
    pub(crate) fn of(providers: &[Provider]) -> Self {
        let mut names: HashMap<Box<str>, (u8, Vec<ProviderSlug>)> = HashMap::new();
        for provider in providers {
            let slug = &provider.upstream.slug;
            let aliases = provider.aliases.iter().map(|alias| (2, &**alias));
            let own = [(0, slug.as_str()), (1, &*provider.upstream.name)];
            for (rank, name) in own.into_iter().chain(aliases) {
                let (best, slugs) = names.entry(fold(name).into()).or_insert((rank, Vec::new()));
                if rank < *best {
                    (*best, *slugs) = (rank, Vec::new());
                }
                if rank == *best && !slugs.contains(slug) {
                    slugs.push(slug.clone());
                }
            }
        }
        Self(
            names
                .into_iter()
                .map(|(name, (_, slugs))| (name, slugs))
                .collect(),
        )
    }

    pub(crate) fn get(&self, name: &str) -> &[ProviderSlug] {
        self.0.get(&*fold(name)).map_or(&[], Vec::as_slice)
    }
}
