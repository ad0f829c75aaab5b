//! Four estimates of a prompt's need as one: what each counts, by kind of prompt. The estimates are learned; what
//! they count on a kind is a rule.

use crate::prompt::Kind;

/// A mean to take off and a factor, for each of four parts: the networks, the wide networks, the logarithm of
/// the length, the hardness.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Blend(pub [[f32; 2]; 4]);

/// What answers add that combine the same words, so that several things are to be judged at once: weak models do
/// little better there than by guessing.
pub(super) const COMBINED: f32 = 0.8;

/// What the parts count on a kind of prompt.
struct Trust {
    /// Multiples of the blend.
    counts: [f32; 4],
    /// By how many bits prompts of the kind are usually shorter than others.
    shorter: f32,
}

// === impl Blend ===

impl Blend {
    /// The parts of a prompt of a kind, together.
    pub(super) fn of(&self, parts: [f32; 4], kind: Kind) -> f32 {
        let Trust { counts, shorter } = Trust::of(kind);
        let [nets, wide, length, hardness] = parts;
        let parts = [nets, wide, length + shorter, hardness].into_iter();
        let parts = parts.zip(self.0).zip(counts);
        parts.fold(0.0, |sum, ((part, [mean, factor]), count)| {
            sum + (part - mean) * factor * count
        })
    }
}

// === impl Trust ===

impl Trust {
    /// Of a story with numbers and of code, length says how many steps there are, whatever the words are. Of
    /// formulas it says how they are typeset, and hardness how advanced the subject is, which strong and weak models
    /// suffer from alike; a sentence with a blank is as long as it happens to be. Of open talk the networks have seen
    /// little, so that length counts more than where there are answers to choose from; and where there are very
    /// many, the answers make the length, and the networks know but few such questions.
    const fn of(kind: Kind) -> Self {
        let (counts, shorter) = match kind {
            Kind::Story | Kind::Code => ([0.6, 0.0, 4.0, 1.0], 0.8),
            Kind::Formulas => ([0.0, 2.0, 0.0, 0.0], 0.0),
            Kind::Cloze => ([1.0, 1.0, 0.0, 1.0], 0.0),
            Kind::Choice => ([1.0, 1.0, 1.0, 1.0], 0.0),
            Kind::ManyChoices => ([0.0, 0.0, 0.0, 1.0], 0.0),
            Kind::Open => ([1.0, 1.0, 1.6, 1.0], 0.0),
        };
        Self { counts, shorter }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLEND: Blend = Blend([[0.0, 1.0]; 4]);

    #[test]
    fn the_length_of_formulas_and_of_a_sentence_with_a_blank_counts_nothing() {
        for kind in [Kind::Formulas, Kind::Cloze, Kind::ManyChoices] {
            let of = |length: f32| BLEND.of([0.2, 0.3, length, 0.1], kind);
            assert!((of(2.0) - of(9.0)).abs() < 1e-6, "{kind:?}");
        }
        for kind in [Kind::Story, Kind::Code, Kind::Choice, Kind::Open] {
            let of = |length: f32| BLEND.of([0.2, 0.3, length, 0.1], kind);
            assert!(of(2.0) < of(9.0), "{kind:?}");
        }
    }

    /// So that they can be held against each other.
    #[test]
    fn stories_and_code_of_usual_length_are_no_easier_than_talk_of_that_length() {
        for kind in [Kind::Story, Kind::Code] {
            let story = BLEND.of([0.0, 0.0, -1.333, 0.0], kind);
            let talk = BLEND.of([0.0, 0.0, -1.333, 0.0], Kind::Open);
            assert!((story - talk).abs() < 0.01, "{kind:?}: {story} {talk}");
        }
    }
}
