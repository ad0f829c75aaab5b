//! The orders in which rows can be wanted. A row without the wanted figure comes last, and equal
//! ones stay in the catalogue's order.

use std::cmp::Ordering;

use super::{row::Row, view::View};

/// An order of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// The catalogue's; also where an order is wanted for which there are no figures: popularity
    /// and benchmarks.
    Catalog,
    /// By the mean of prompt and answer price, low first.
    Cheapest,
    /// The same, high first.
    Dearest,
    /// By promised context, high first.
    Context,
    /// By median tokens per second of the fastest endpoint.
    Throughput,
    /// By median time to the first token of the quickest endpoint.
    Latency,
    /// By release, newest first.
    Newest,
}

/// The words, as OpenRouter's reference has them (2026-11).
const WORDS: &[(&str, Sort)] = &[
    ("pricing-low-to-high", Sort::Cheapest),
    ("pricing-high-to-low", Sort::Dearest),
    ("context-high-to-low", Sort::Context),
    ("throughput-high-to-low", Sort::Throughput),
    ("latency-low-to-high", Sort::Latency),
    ("newest", Sort::Newest),
    ("most-popular", Sort::Catalog),
    ("top-weekly", Sort::Catalog),
    ("intelligence-high-to-low", Sort::Catalog),
    ("coding-high-to-low", Sort::Catalog),
    ("agentic-high-to-low", Sort::Catalog),
    ("design-arena-elo-high-to-low", Sort::Catalog),
];

// === impl Sort ===

impl Sort {
    /// The order that a word means.
    pub(super) fn named(word: &str) -> Option<Self> {
        WORDS
            .iter()
            .find(|(known, _)| *known == word)
            .map(|(_, sort)| *sort)
    }

    /// Every word.
    pub(super) fn words() -> impl Iterator<Item = &'static str> {
        WORDS.iter().map(|(word, _)| *word)
    }
}

/// Brings `rows` into order.
pub(super) fn sort(rows: &mut Vec<Row<'_>>, by: Sort, view: &View) {
    match by {
        Sort::Catalog => {}
        Sort::Cheapest => by_key(rows, false, price),
        Sort::Dearest => by_key(rows, true, price),
        Sort::Context => by_key(rows, true, |row| row.context),
        Sort::Newest => by_key(rows, true, |row| row.model.created),
        Sort::Throughput => by_key(rows, true, |row| {
            let speeds = row
                .endpoints
                .iter()
                .filter_map(|at| view.measured(at)?.median_throughput());
            speeds.map(Figure).max()
        }),
        Sort::Latency => by_key(rows, false, |row| {
            let waits = row
                .endpoints
                .iter()
                .filter_map(|at| view.measured(at)?.median_latency());
            waits.map(Figure).min()
        }),
    }
}

fn price(row: &Row<'_>) -> Option<u128> {
    let rates = &row.best?.price.rates;
    Some(u128::from(rates.prompt?.nanos()) + u128::from(rates.completion?.nanos()))
}

/// Sorts by `key`, each looked up once; `None` comes last in either direction.
fn by_key<'a, K: Ord>(
    rows: &mut Vec<Row<'a>>,
    high_first: bool,
    key: impl Fn(&Row<'a>) -> Option<K>,
) {
    let mut keyed: Vec<_> = rows.drain(..).map(|row| (key(&row), row)).collect();
    keyed.sort_by(|(a, _), (b, _)| match (a, b) {
        (Some(a), Some(b)) if high_first => b.cmp(a),
        (Some(a), Some(b)) => a.cmp(b),
        (a, b) => a.is_none().cmp(&b.is_none()),
    });
    rows.extend(keyed.into_iter().map(|(_, row)| row));
}

/// A measured figure, in its total order.
#[derive(Clone, Copy, Debug)]
struct Figure(f64);

// === impl Figure ===

impl PartialEq for Figure {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Figure {}

impl PartialOrd for Figure {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Figure {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}
