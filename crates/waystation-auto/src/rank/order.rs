//! The order of weighed candidates: the best first, of equals the steadiest, and the conversation's model
//! where it is kept. What they weigh is not decided here.

use std::cmp::Ordering;

use crate::Scored;

/// Candidates that are worse than the best by no more than this are as good: what is known of models and prompts
/// is not better. The first of them is the one that does best at a usual prompt, so that a slip of the pen does
/// not change who answers.
const EQUAL: f32 = 0.025;
/// Where cost counts little, less makes a difference: so much of what cost counts.
const EQUAL_OF_WEIGHT: f32 = 0.15;
/// The conversation's model stays though another is better by so much, and by so much more with its
/// prompt in a cache.
const KEPT: f32 = 0.05;
const CACHED: f32 = 0.05;
/// It also stays while it is among so many.
const TOP: usize = 3;

/// A candidate, weighed.
pub(super) struct Weighed {
    /// Free offers and unknown prices come after all others.
    pub(super) by_default: bool,
    /// Quality less cost at a usual prompt.
    pub(super) usual: f32,
    /// And at this one.
    pub(super) scored: Scored,
}

// === impl Weighed ===

impl Weighed {
    /// The best first, equals by their names.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        let (a, b) = (&self.scored, &other.scored);
        let order = other.by_default.cmp(&self.by_default);
        let order = order.then(b.score.total_cmp(&a.score));
        order.then_with(|| a.model.cmp(&b.model))
    }
}

/// Puts that candidate first which does best at a usual prompt, of those that are as good as the best.
///
/// `weight` is what cost counts against quality. The rest keeps its order.
///
/// Abilities are known to a few tenths of a logit at best, which is some hundredths of quality, so that nothing is lost that
/// anybody could measure. What is won: the choice hangs on the prompt only where the prompt makes a difference.
pub(super) fn steadiest_first(ranked: &mut [Weighed], weight: f32) {
    let Some((by_default, best)) = ranked.first().map(|one| (one.by_default, one.scored.score))
    else {
        return;
    };
    let equal = EQUAL.min(weight * EQUAL_OF_WEIGHT);
    let is_equal =
        |one: &&Weighed| one.by_default == by_default && best - one.scored.score <= equal;
    let count = ranked.iter().take_while(is_equal).count();
    let steady = |one: &(usize, &Weighed)| one.1.usual;
    let equals = ranked.iter().take(count).enumerate();
    // Of equals the earlier, which is the better at this prompt.
    let chosen = equals.rev().max_by(|a, b| steady(a).total_cmp(&steady(b)));
    let at = chosen.map_or(0, |(at, _)| at);
    if let Some(first) = ranked.get_mut(..=at) {
        first.rotate_right(1);
    }
}

/// Where the conversation's model stands, if it may stay: among the first few, or not much worse than
/// the first.
pub(super) fn kept(ranked: &[Scored], last: Option<&str>, cached: bool) -> Option<usize> {
    let near = KEPT + if cached { CACHED } else { 0.0 };
    let best = ranked.first()?.score;
    let at = ranked
        .iter()
        .position(|scored| Some(scored.model.as_str()) == last)?;
    let score = ranked.get(at)?.score;
    (at < TOP || best - score <= near).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Basis;

    fn weighed(name: &str, score: f32, usual: f32) -> Weighed {
        Weighed {
            by_default: true,
            usual,
            scored: Scored {
                model: format!("acme/{name}").parse().unwrap(),
                quality: score,
                reach: score.into(),
                deviation: 0.3,
                basis: Basis::Guessed,
                shift: 0.0,
                cost: None,
                score,
                propensity: 0.0,
            },
        }
    }

    fn order(mut ranked: Vec<Weighed>, weight: f32) -> Vec<String> {
        ranked.sort_by(Weighed::order);
        steadiest_first(&mut ranked, weight);
        let names = ranked.iter().map(|one| one.scored.model.slug().to_owned());
        names.collect()
    }

    #[test]
    fn of_those_as_good_as_the_best_the_one_that_does_best_at_a_usual_prompt_is_first() {
        let ranked = || {
            vec![
                weighed("best", 0.80, 0.1),
                weighed("near", 0.79, 0.2),
                weighed("steady", 0.780, 0.3),
                weighed("worse", 0.77, 0.9),
            ]
        };
        assert_eq!(order(ranked(), 0.4), ["steady", "best", "near", "worse"]);
        // Where cost counts little, a hundredth of quality counts.
        assert_eq!(order(ranked(), 0.02), ["best", "near", "steady", "worse"]);
        assert!(order(Vec::new(), 0.4).is_empty());
    }

    #[test]
    fn a_free_offer_is_never_as_good_as_the_best() {
        let mut free = weighed("free", 0.80, 0.9);
        free.by_default = false;
        let ranked = vec![weighed("paid", 0.79, 0.1), free];
        assert_eq!(order(ranked, 0.4), ["paid", "free"]);
    }

    #[test]
    fn a_prompt_in_a_cache_keeps_the_conversations_model_further_down() {
        let scores = [0.80, 0.79, 0.78, 0.77, 0.72];
        let ranked: Vec<Scored> = (0..)
            .zip(scores)
            .map(|(at, score)| weighed(&format!("m{at}"), score, 0.0).scored)
            .collect();
        assert_eq!(kept(&ranked, Some("acme/m4"), false), None);
        assert_eq!(kept(&ranked, Some("acme/m4"), true), Some(4));
        // Among the first few it stays in any case; who is no candidate does not.
        assert_eq!(kept(&ranked, Some("acme/m2"), false), Some(2));
        assert_eq!(kept(&ranked, Some("acme/gone"), true), None);
    }
}
