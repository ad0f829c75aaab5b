//! The pages that can be found: a file of made-up ones, read once.

use std::sync::OnceLock;

use serde::Deserialize;

/// One page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    pub(super) url: String,
    pub(super) title: String,
    pub(super) content: String,
    pub(super) published: Option<String>,
}

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pages {
    page: Vec<Page>,
}

/// All of them; the first says that the search is simulated.
pub(super) fn pages() -> &'static [Page] {
    static PAGES: OnceLock<Vec<Page>> = OnceLock::new();
    PAGES.get_or_init(|| {
        // A test reads the file; without it nothing could be found, which harms nobody.
        let pages: Pages =
            toml::from_str(include_str!("../../data/pages.toml")).unwrap_or_default();
        pages.page
    })
}

// === impl Page ===

impl Page {
    /// Host without `www.`, and path.
    pub(super) fn place(&self) -> (&str, &str) {
        let rest = self
            .url
            .split_once("://")
            .map_or(&*self.url, |(_, rest)| rest);
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        (host.strip_prefix("www.").unwrap_or(host), path)
    }
}
