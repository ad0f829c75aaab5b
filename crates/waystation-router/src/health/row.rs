//! One endpoint's health as plans see it, and as files and statistics spell it.

use serde::{Deserialize, Serialize};
use waystation_core::{EndpointId, ModelId, Tag, Tick};

use super::{
    HealthView,
    cell::Cell,
    sketch::Distribution,
    window::{Second, counts},
};

/// Fewest requests within 30 s that can make an outage. Source: API contract, section 3.5.
const OUTAGE_REQUESTS: u32 = 3;
/// Share of failures, in per cent, above which it is one.
const OUTAGE_PERCENT: u64 = 30;

/// A distribution. Percentiles say "this share of requests does at least this well": p90 of a
/// latency is the slow tail, and so is p90 of a throughput.
#[derive(Clone, Copy, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Percentiles {
    /// Half of the requests.
    pub p50: Option<f64>,
    /// Three quarters.
    pub p75: Option<f64>,
    /// Nine tenths.
    pub p90: Option<f64>,
    /// Nearly all.
    pub p99: Option<f64>,
}

/// How many, and how many of them failed: attempts of the last 30 seconds, or answers that called
/// tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recent {
    /// How many ended.
    pub requests: u32,
    /// How many of them failed through the endpoint's fault.
    pub errors: u32,
}

/// Answers with tool calls are counted up to here; then both counts are halved, so that what an
/// endpoint did long ago fades.
const FADING: u32 = 512;

/// What is known of one endpoint at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Measured {
    /// Seconds to the first token, over five minutes.
    pub latency: Option<Percentiles>,
    /// Tokens per second, over five minutes.
    pub throughput: Option<Percentiles>,
    /// The decayed mean of the last day, or what the catalogue expects, for when the five minutes
    /// are empty.
    pub latency_estimate: Option<f64>,
    /// Likewise.
    pub throughput_estimate: Option<f64>,
    /// Outcomes.
    pub last_30s: Recent,
    /// Answers that called tools, and those whose calls could not be made; older ones fade.
    pub tools: Recent,
    /// The breaker is open.
    pub open: bool,
}

/// One row of a `--health` file. Source: `interfaces`, "Explain".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthRow {
    /// The model.
    pub model: ModelId,
    /// The endpoint's tag.
    pub endpoint: Tag,
    /// Seconds to the first token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_s: Option<Percentiles>,
    /// Tokens per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throughput_tps: Option<Percentiles>,
    /// Outcomes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_30s: Option<Recent>,
    /// Answers that called tools, and those whose calls could not be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<Recent>,
    /// Seconds to the first token where the last five minutes say nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_estimate_s: Option<f64>,
    /// Tokens per second, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throughput_estimate_tps: Option<f64>,
    /// The breaker is open: an outage, whatever the counts say.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
}

/// One endpoint in a view.
#[derive(Clone, Debug)]
pub(super) enum Row {
    /// From traffic: evaluated when asked.
    Live {
        /// Percentiles and estimates as they were when the view was taken.
        measured: Measured,
        /// Outcomes by the second.
        seconds: Vec<Second>,
        /// All of them, which hold as long as the first of those seconds counts: nearly always, since
        /// views are soon taken anew.
        all: Recent,
        first: u64,
        /// Until when the breaker is open.
        open_until: Option<Tick>,
        /// Seconds after which nearly every first token was there.
        tail: Option<f64>,
    },
    /// From a file: always the same.
    Fixed(Measured),
}

// === impl Recent ===

impl Recent {
    /// What the seconds come to.
    fn of<'s>(seconds: impl Iterator<Item = &'s Second>) -> Self {
        seconds.fold(Self::default(), |sum, second| Self {
            requests: sum.requests + second.requests,
            errors: sum.errors + second.errors,
        })
    }

    /// Counts one more, halving what is there when it has become much.
    pub(super) fn add_fading(&mut self, good: bool) {
        if self.requests >= FADING {
            (self.requests, self.errors) = (self.requests / 2, self.errors / 2);
        }
        self.requests += 1;
        self.errors += u32::from(!good);
    }
}

// === impl Percentiles ===

impl Percentiles {
    /// The figures of a distribution; `None` of an empty one. `slow_is_low` turns it round: percentiles say
    /// which value that share of requests does *at least as well as*.
    ///
    /// Every figure is rounded: what is printed of such a figure reads back as the same one, so that a
    /// plan can be made again from its record.
    fn of(values: &Distribution, slow_is_low: bool) -> Option<Self> {
        let at = |share: u32| {
            let share = if slow_is_low { 100 - share } else { share };
            rounded(values.percentile(share))
        };
        Some(Self {
            p50: Some(at(50)?),
            p75: at(75),
            p90: at(90),
            p99: at(99),
        })
    }
}

/// To the millionth, see [`Percentiles::of`].
fn rounded(figure: Option<f64>) -> Option<f64> {
    figure.map(|figure| (figure * 1e6).round() / 1e6)
}

// === impl HealthRow ===

impl HealthRow {
    /// A row that says nothing of its endpoint yet.
    #[must_use]
    pub const fn new(model: ModelId, endpoint: Tag) -> Self {
        Self {
            model,
            endpoint,
            latency_s: None,
            throughput_tps: None,
            last_30s: None,
            tool_calls: None,
            latency_estimate_s: None,
            throughput_estimate_tps: None,
            open: false,
        }
    }

    /// What the row says.
    fn measured(&self) -> Measured {
        Measured {
            latency: self.latency_s,
            throughput: self.throughput_tps,
            latency_estimate: self.latency_estimate_s,
            throughput_estimate: self.throughput_estimate_tps,
            last_30s: self.last_30s.unwrap_or_default(),
            tools: self.tool_calls.unwrap_or_default(),
            open: self.open,
        }
    }
}

// === impl Measured ===

impl Measured {
    /// A significant outage: at least 3 attempts in 30 s of which more than 30 % failed, or an open
    /// breaker.
    ///
    /// ```
    /// use waystation_router::{Measured, Recent};
    /// let mut measured = Measured::default();
    /// measured.last_30s = Recent { requests: 10, errors: 3 };
    /// assert!(!measured.outage());
    /// measured.last_30s.errors = 4;
    /// assert!(measured.outage());
    /// ```
    #[must_use]
    pub fn outage(&self) -> bool {
        let Recent { requests, errors } = self.last_30s;
        let failing = u64::from(errors) * 100 > u64::from(requests) * OUTAGE_PERCENT;
        self.open || (requests >= OUTAGE_REQUESTS && failing)
    }

    /// Median seconds to the first token: fresh, else of the last day.
    #[must_use]
    pub fn median_latency(&self) -> Option<f64> {
        self.latency
            .and_then(|latency| latency.p50)
            .or(self.latency_estimate)
    }

    /// Median tokens per second: fresh, else of the last day.
    #[must_use]
    pub fn median_throughput(&self) -> Option<f64> {
        self.throughput
            .and_then(|throughput| throughput.p50)
            .or(self.throughput_estimate)
    }
}

// === impl Row ===

impl Row {
    /// The row of a cell as it is at `now`; outcomes are kept by the second, to be counted later.
    pub(super) fn of(cell: &Cell, now: Tick) -> Self {
        let seconds = cell.recently.live(now);
        let (latency, throughput) = (cell.latency.lately(now), cell.throughput.lately(now));
        Self::Live {
            all: Recent::of(seconds.iter()),
            first: seconds
                .iter()
                .map(|slot| slot.second)
                .min()
                .unwrap_or(u64::MAX),
            measured: Measured {
                latency: Percentiles::of(&latency, false),
                throughput: Percentiles::of(&throughput, true),
                latency_estimate: rounded(cell.latency.estimate(now)),
                throughput_estimate: rounded(cell.throughput.estimate(now)),
                tools: cell.tools,
                ..Measured::default()
            },
            seconds,
            open_until: cell.breaker.open_until(),
            tail: latency.tail(),
        }
    }

    /// Seconds after which 95 of 100 first tokens were there; `None` with few, and from a file.
    pub(super) fn tail(&self) -> Option<f64> {
        match self {
            Self::Fixed(_) => None,
            Self::Live { tail, .. } => *tail,
        }
    }

    /// What the row says at `now`: an outage ends by itself, figures stay as they were.
    pub(super) fn at(&self, now: Tick) -> Measured {
        match self {
            Self::Fixed(measured) => *measured,
            Self::Live {
                measured,
                seconds,
                all,
                first,
                open_until,
                ..
            } => {
                let last_30s = if counts(*first, now) {
                    *all
                } else {
                    Recent::of(seconds.iter().filter(|slot| counts(slot.second, now)))
                };
                Measured {
                    last_30s,
                    open: open_until.is_some_and(|until| now < until),
                    ..*measured
                }
            }
        }
    }
}

// === impl HealthView ===

impl HealthView {
    /// A view that holds these rows and never ages. Of two rows for one endpoint the last counts.
    #[must_use]
    pub fn fixed(rows: impl IntoIterator<Item = HealthRow>) -> Self {
        let rows = rows.into_iter().map(|row| {
            let id = EndpointId::new(&row.model, &row.endpoint);
            (id, Row::Fixed(row.measured()))
        });
        Self {
            rows: rows.collect(),
            ..Self::default()
        }
    }

    /// One endpoint as a `--health` file spells it, for decision records and statistics.
    #[must_use]
    pub fn row(&self, model: &ModelId, tag: &Tag, now: Tick) -> Option<HealthRow> {
        self.row_of(&EndpointId::new(model, tag), (model, tag), now)
    }

    /// The same, where the id is at hand.
    pub(crate) fn row_of(
        &self,
        id: &EndpointId,
        (model, tag): (&ModelId, &Tag),
        now: Tick,
    ) -> Option<HealthRow> {
        let measured = self.of(id, now)?;
        let counted = |recent: Recent| (recent.requests > 0).then_some(recent);
        Some(HealthRow {
            latency_s: measured.latency,
            throughput_tps: measured.throughput,
            last_30s: counted(measured.last_30s),
            tool_calls: counted(measured.tools),
            latency_estimate_s: measured.latency_estimate,
            throughput_estimate_tps: measured.throughput_estimate,
            open: measured.open,
            ..HealthRow::new(model.clone(), tag.clone())
        })
    }
}
