//! What was learned of single models beyond their abilities, and the gate before it: it counts only for
//! prompts that lie where training prompts lie densely. On foreign prompts it is nothing, since there
//! it was measured to do harm.

use super::{Net, row};
use crate::Field;

/// No model is moved further, in logits.
const FARTHEST: f32 = 1.0;

/// Beliefs about single models.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Residual {
    /// The models, as the tables of abilities spell them.
    pub names: Vec<String>,
    /// For each network, a row for each model: from the second layer to a logit.
    pub outs: Vec<Vec<Vec<f32>>>,
    /// For each model, what those logits and the hardness come to on a usual prompt, by field.
    pub usual: Vec<Vec<f32>>,
    /// Places of training prompts, in standardised figures.
    pub centres: Vec<Vec<f32>>,
    /// For each, two squares of distances: up to the first a prompt is known, from the second on it is foreign.
    pub radii: Vec<Vec<f32>>,
}

/// A prompt as the residual sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Place {
    /// How dense training is there, from 0 to 1.
    gate: f32,
    /// The second layers.
    latents: Vec<Vec<f32>>,
    /// How hard it is for every model.
    hardness: f32,
}

// === impl Place ===

impl Place {
    /// How dense training is there, from 0 to 1.
    pub(crate) const fn density(&self) -> f32 {
        self.gate
    }
}

// === impl Residual ===

impl Residual {
    /// How dense training is at a prompt, from 0 to 1: by how near it is to the nearest centre, as the training
    /// prompts of that centre go.
    #[must_use]
    pub fn density(&self, input: &[f32]) -> f32 {
        let Some((at, far)) = self.nearest(input) else {
            return 0.0;
        };
        let radii = self.radii.get(at).map(Vec::as_slice);
        let Some([known, foreign]) = radii else {
            return 0.0;
        };
        ((foreign - far) / (foreign - known).max(f32::MIN_POSITIVE)).clamp(0.0, 1.0)
    }

    /// The nearest centre, the first of equals, and the square of its distance.
    #[must_use]
    pub fn nearest(&self, input: &[f32]) -> Option<(usize, f32)> {
        let far = self.centres.iter().map(|centre| distance(centre, input));
        far.enumerate().min_by(|(_, a), (_, b)| a.total_cmp(b))
    }

    /// What it needs to know of a prompt. Nothing where the gate is shut.
    pub(crate) fn place(&self, nets: &[Net], input: &[f32], hardness: f32) -> Place {
        let gate = self.density(input);
        let latents = nets.iter().filter(|_| gate > 0.0);
        Place {
            gate,
            latents: latents.map(|net| net.latent(input)).collect(),
            hardness,
        }
    }

    /// The place of a model among those that it knows.
    pub(crate) fn model(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    /// By how much each of these models is likelier to be right at this prompt than its ability says, in
    /// logits, less what they have in common; bounded, and as much of it as the gate lets through.
    pub(crate) fn of(&self, models: &[usize], place: &Place, field: Field) -> Vec<f32> {
        if place.gate <= 0.0 || models.len() < 2 {
            return vec![0.0; models.len()];
        }
        let beyond = |model: &usize| {
            let rows = self.outs.iter().filter_map(|rows| rows.get(*model));
            let logits = rows
                .zip(&place.latents)
                .map(|(out, latent)| row(out, latent));
            let count = crate::arithmetic::number(place.latents.len().max(1));
            let usual = self.usual.get(*model);
            let usual = usual.and_then(|by_field| by_field.get(field.place()));
            logits.sum::<f32>() / count + place.hardness - usual.copied().unwrap_or_default()
        };
        let all: Vec<f32> = models.iter().map(beyond).collect();
        let common = all.iter().sum::<f32>() / crate::arithmetic::number(all.len());
        let bounded = |one: f32| (one - common).clamp(-FARTHEST, FARTHEST) * place.gate;
        all.into_iter().map(bounded).collect()
    }

    /// Whether the rows are for networks of this form.
    pub(super) fn fits(&self, nets: &[Net], width: usize) -> bool {
        let models = self.names.len();
        let rows = |(rows, net): (&Vec<Vec<f32>>, &Net)| {
            rows.len() == models && rows.iter().all(|row| row.len() == net.latent.len() + 1)
        };
        self.outs.len() == nets.len()
            && self.outs.iter().zip(nets).all(rows)
            && self.usual.len() == models
            && self
                .usual
                .iter()
                .all(|usual| usual.len() == Field::ALL.len())
            && self.centres.iter().all(|centre| centre.len() == width)
            && self.radii.len() == self.centres.len()
    }
}

/// The square of a distance, eight lanes at a time in a fixed order.
fn distance(one: &[f32], other: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    for (one, other) in one.chunks(8).zip(other.chunks(8)) {
        for ((lane, one), other) in lanes.iter_mut().zip(one).zip(other) {
            *lane += (one - other) * (one - other);
        }
    }
    lanes.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn residual() -> Residual {
        Residual {
            names: vec!["one".into(), "two".into()],
            outs: vec![vec![vec![1.0, 0.0], vec![-1.0, 0.0]]],
            usual: vec![vec![0.0; 5], vec![0.0; 5]],
            centres: vec![vec![0.5], vec![9.0]],
            radii: vec![vec![1.0, 4.0], vec![0.1, 0.2]],
        }
    }

    fn place(gate: f32, latent: f32) -> Place {
        Place {
            gate,
            latents: vec![vec![latent]],
            hardness: 0.3,
        }
    }

    #[test]
    fn a_foreign_prompt_has_no_density_and_moves_nobody() {
        let residual = residual();
        assert!(residual.density(&[0.5]) > 0.99);
        assert!(residual.density(&[30.0]) < 1e-6);
        let between = residual.density(&[2.2]);
        assert!((0.01..0.99).contains(&between), "{between}");
        // The second centre's prompts lie closer together.
        assert!(residual.density(&[8.0]) < 1e-6);
        assert_eq!(
            residual.of(&[0, 1], &place(0.0, 0.5), Field::Math),
            [0.0, 0.0]
        );
    }

    #[test]
    fn what_models_have_in_common_counts_for_nobody_and_the_rest_is_bounded() {
        let residual = residual();
        let found = residual.of(&[0, 1], &place(1.0, 0.4), Field::Math);
        assert!((found[0] - 0.4).abs() < 1e-6 && (found[1] + 0.4).abs() < 1e-6);
        assert_eq!(
            residual.of(&[0, 1], &place(0.5, 90.0), Field::Math),
            [0.5, -0.5]
        );
        assert_eq!(residual.of(&[0], &place(1.0, 0.4), Field::Math), [0.0]);
    }
}
