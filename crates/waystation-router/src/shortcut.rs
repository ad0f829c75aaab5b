//! What a suffix on a model id means: a sort for its entry, and the service tiers that it admits.
//! Suffixes are split off ids in the vocabulary, not here.

use waystation_core::{Ask, ServiceTier, SortBy, SortShortcut};

/// The sort of a suffix. Source: API contract, section 4.2.
pub(crate) const fn sort_of(shortcut: SortShortcut) -> SortBy {
    match shortcut {
        SortShortcut::Floor => SortBy::Price,
        SortShortcut::Exacto => SortBy::Exacto,
        // A new suffix says in its own entry what it sorts by.
        _ => SortBy::Throughput,
    }
}

/// The suffix, where it still sorts: an explicit `sort` and an `order` are stronger.
pub(crate) fn in_force(shortcut: Option<SortShortcut>, ask: &Ask) -> Option<SortShortcut> {
    let overruled = ask.wishes.sort.is_some() || !ask.wishes.order.is_empty();
    shortcut.filter(|_| !overruled)
}

/// Whether the suffix admits endpoints of `tier`: `:nitro` priority ones, `:floor` flex ones,
/// unless it is overruled or the request says `service_tier: "default"`.
pub(crate) fn admits(shortcut: Option<SortShortcut>, ask: &Ask, tier: ServiceTier) -> bool {
    if ask.service_tier == Some(ServiceTier::Default) {
        return false;
    }
    match in_force(shortcut, ask) {
        Some(SortShortcut::Nitro) => same(tier, ServiceTier::Priority),
        Some(SortShortcut::Floor) => tier == ServiceTier::Flex,
        _ => false,
    }
}

/// Whether two words mean one tier: `fast` is another word for `priority`.
pub(crate) fn same(a: ServiceTier, b: ServiceTier) -> bool {
    let plain = |tier| match tier {
        ServiceTier::Fast => ServiceTier::Priority,
        other => other,
    };
    plain(a) == plain(b)
}
