//! The band of costs that a request is kept in. What the band is worth to it is the settings'.

use super::Candidate;

/// The width of a band, in percent.
const BAND: usize = 20;

/// Leaves the candidates of one fifth of the costs, or the nearest when there is none in it.
///
/// Candidates are placed by their order, not by their amounts: a fifth of the models, whatever they cost.
/// Those of unknown price are the dearest.
pub(super) fn keep_band(able: &mut Vec<Candidate<'_>>, start: usize) {
    let key = |candidate: &Candidate<'_>| {
        (
            candidate.cost.is_none(),
            candidate.cost,
            candidate.model.id.clone(),
        )
    };
    able.sort_by_cached_key(key);
    let count = able.len().max(1);
    // The middle of the band and of each candidate's share of the list, in tenths of a percent.
    let distance = |at: usize| ((2 * at + 1) * 500 / count).abs_diff(start * 10 + BAND * 5);
    let nearest = (0..able.len()).map(distance).min().unwrap_or_default();
    let mut at = 0;
    able.retain(|_| {
        let kept = distance(at) <= nearest.max(BAND * 5);
        at += 1;
        kept
    });
}
