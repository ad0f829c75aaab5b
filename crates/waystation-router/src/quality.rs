//! How well endpoints call tools, compared within one model, from what this gateway has seen of them.
//! It moves nothing; the order does.

use waystation_core::{Parameter, SortBy};

use crate::{order::Candidate, rules::Question, shortcut::sort_of};

/// Fewer answers with tool calls than this say nothing of an endpoint.
const ENOUGH: u32 = 20;

/// Which groups of candidates are rated, and by what. Empty where nothing asks for it.
#[derive(Debug, Default)]
pub(crate) struct Quality {
    /// Models stay apart.
    apart: bool,
    /// The rated candidates: their group, and their shares; see [`Quality::of`] for the order.
    rated: Vec<(usize, Share)>,
}

/// What is known of one candidate's tool calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Calls {
    /// Nobody of its group is rated, or nobody asks.
    Untold,
    /// Others of its group are rated, it is not.
    Unrated,
    /// It is.
    Rated {
        /// Answers whose calls could not be made, in a million, one more of two more: what few
        /// answers say is held back.
        failing_ppm: u32,
        /// Its share of good answers is more than two standard deviations below the median of the
        /// others.
        poor: bool,
    },
}

/// A share of good answers, out of a number of them.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Share {
    good: f64,
    of: f64,
}

// === impl Quality ===

impl Quality {
    /// Rates `live`, where the request has tools or something sorts by quality.
    pub(crate) fn of(question: &Question<'_>, live: &[Candidate<'_>], apart: bool) -> Self {
        let (ask, policy) = (question.ask, question.world.policy);
        let tools = [Parameter::Tools, Parameter::ToolChoice];
        let asked = tools.into_iter().any(|tool| ask.parameters.has(tool))
            || [ask.wishes.sort, policy.sort].contains(&Some(SortBy::Exacto))
            || live
                .iter()
                .any(|c| c.shortcut.map(sort_of) == Some(SortBy::Exacto));
        let mut quality = Self {
            apart,
            rated: Vec::new(),
        };
        if asked {
            let rated = live.iter();
            let rated = rated.filter_map(|c| Some((quality.group(c), Share::of(c)?)));
            quality.rated = rated.collect();
            // By group, then from the worst to the best, so that medians are places.
            quality
                .rated
                .sort_by(|(a, x), (b, y)| a.cmp(b).then(x.good.total_cmp(&y.good)));
        }
        quality
    }

    /// How `candidate` stands.
    pub(crate) fn calls(&self, candidate: &Candidate<'_>) -> Calls {
        if self.rated.is_empty() {
            return Calls::Untold;
        }
        let group = self.group(candidate);
        let start = self.rated.partition_point(|(of, _)| *of < group);
        let end = self.rated.partition_point(|(of, _)| *of <= group);
        let rated = self.rated.get(start..end).unwrap_or_default();
        if rated.is_empty() {
            return Calls::Untold;
        }
        let Some(own) = Share::of(candidate) else {
            return Calls::Unrated;
        };
        Calls::Rated {
            failing_ppm: own.failing_ppm(),
            poor: median_of_others(rated, own).is_some_and(|baseline| own.is_poor(baseline)),
        }
    }

    /// Whom a candidate is held against: those of its model, or all where models are one list.
    const fn group(&self, candidate: &Candidate<'_>) -> usize {
        if self.apart { candidate.model_at } else { 0 }
    }
}

// === impl Share ===

impl Share {
    /// `None` for too few answers. One good and one bad answer are added to those that were seen, so
    /// that a share is never quite certain (Laplace's rule of succession).
    fn of(candidate: &Candidate<'_>) -> Option<Self> {
        let tools = candidate.known.tools;
        let good = f64::from(tools.requests.saturating_sub(tools.errors)) + 1.0;
        let of = f64::from(tools.requests) + 2.0;
        (tools.requests >= ENOUGH).then_some(Self {
            good: good / of,
            of,
        })
    }

    /// What a sort by quality compares.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share between 0 and 1 in parts per million fits"
    )]
    fn failing_ppm(self) -> u32 {
        ((1.0 - self.good) * 1_000_000.0) as u32
    }

    /// Two standard deviations of a share p of n are 2 × √(p (1 − p) / n); squared on both sides,
    /// so that platforms agree.
    fn is_poor(self, baseline: f64) -> bool {
        let below = baseline - self.good;
        below > 0.0 && below * below * self.of > 4.0 * baseline * (1.0 - baseline)
    }
}

/// The middle one of the good shares beside `own`, which is no part of what it is held against; of an
/// even number the lower of the two in the middle. `rated` goes from the worst to the best.
fn median_of_others(rated: &[(usize, Share)], own: Share) -> Option<f64> {
    let place = rated.iter().position(|(_, share)| *share == own)?;
    let middle = rated.len().checked_sub(2)? / 2;
    let middle = if middle >= place { middle + 1 } else { middle };
    rated.get(middle).map(|(_, share)| share.good)
}
