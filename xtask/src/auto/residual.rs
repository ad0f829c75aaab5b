//! Fits what single models do beyond their abilities, and finds where training prompts lie, so that it
//! counts only there.

use std::collections::BTreeMap;

use waystation_auto::{Field, Residual, Weights, row, spelled};

use super::{
    material::Material,
    network::{Row, small},
    outcome::field_of,
    perturbation::Dice,
};

/// Places of training prompts, and passes to find them.
const CENTRES: usize = 192;
const PASSES: usize = 12;
/// Every so manieth prompt is used for that.
const STRIDE: usize = 2;
/// With fewer outcomes in a field, what is usual there is what is usual anywhere.
const FEW: f32 = 50.0;
/// Shares of the training prompts that count in full, and at all.
const KNOWN: f32 = 0.5;
const FOREIGN: f32 = 0.9;

/// From networks whose every row is at hand, one for each model.
pub(crate) fn fit(
    material: &Material,
    chosen: &[usize],
    rows: &[Row],
    (weights, outs): (&Weights, Vec<Vec<Vec<f32>>>),
) -> Residual {
    let names = material.models.iter().map(|name| spelled(name)).collect();
    let inputs: Vec<&[f32]> = rows.iter().map(|row| row.inputs[0].as_slice()).collect();
    let mut residual = Residual {
        names,
        usual: usual(material, chosen, &inputs, (weights, &outs)),
        outs,
        centres: centres(&inputs),
        radii: Vec::new(),
    };
    let mut far = vec![Vec::new(); residual.centres.len()];
    for (at, distance) in inputs.iter().filter_map(|input| residual.nearest(input)) {
        far[at].push(distance);
    }
    residual.radii = far.into_iter().map(radii).collect();
    residual
}

/// The radii of one centre, from the squared distances of its prompts. A centre without any knows nothing.
fn radii(mut far: Vec<f32>) -> Vec<f32> {
    far.sort_by(f32::total_cmp);
    let at = |share: f32| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a place in a list"
        )]
        let place = (share * small(far.len())) as usize;
        far.get(place).copied().unwrap_or(-1.0)
    };
    vec![at(KNOWN), at(FOREIGN)]
}

/// For each model and field, the mean of its logits and of the hardness over that field's prompts.
fn usual(
    material: &Material,
    chosen: &[usize],
    inputs: &[&[f32]],
    (weights, outs): (&Weights, &[Vec<Vec<f32>>]),
) -> Vec<Vec<f32>> {
    let models = material.models.len();
    let mut sums = vec![[(0.0_f32, 0.0_f32); Field::ALL.len() + 1]; models];
    for (input, at) in inputs.iter().zip(chosen) {
        let latents: Vec<Vec<f32>> = weights.nets.iter().map(|net| net.latent(input)).collect();
        let hardness = row(&weights.hardness, input);
        let field = field_of(&material.examples[*at].bench);
        let place = Field::ALL
            .iter()
            .position(|known| *known == field)
            .unwrap_or(0);
        for (model, sums) in sums.iter_mut().enumerate() {
            let logits = latents
                .iter()
                .zip(outs)
                .map(|(latent, out)| row(&out[model], latent));
            let logit = logits.sum::<f32>() / small(latents.len().max(1)) + hardness;
            for to in [place, Field::ALL.len()] {
                sums[to].0 += logit;
                sums[to].1 += 1.0;
            }
        }
    }
    let mean = |(sum, count): (f32, f32)| sum / count.max(1.0);
    sums.iter()
        .map(|sums| {
            let all = mean(sums[Field::ALL.len()]);
            let of = |at: usize| {
                if sums[at].1 < FEW {
                    all
                } else {
                    mean(sums[at])
                }
            };
            (0..Field::ALL.len()).map(of).collect()
        })
        .collect()
}

/// K-means (Lloyd, 1982), begun at prompts drawn by chance; a centre that nobody is near stays where it is.
fn centres(inputs: &[&[f32]]) -> Vec<Vec<f32>> {
    let mut dice = Dice::new(7);
    let mut centres: Vec<Vec<f32>> = (0..CENTRES)
        .map(|_| inputs[dice.below(inputs.len())].to_vec())
        .collect();
    let distance = |one: &[f32], other: &[f32]| -> f32 {
        one.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum()
    };
    for _ in 0..PASSES {
        let mut members: BTreeMap<usize, (Vec<f32>, f32)> = BTreeMap::new();
        for input in inputs.iter().step_by(STRIDE) {
            let far = centres
                .iter()
                .map(|centre| distance(centre, input))
                .enumerate();
            let nearest = far
                .min_by(|(_, a), (_, b)| a.total_cmp(b))
                .map_or(0, |(at, _)| at);
            let (sum, count) = members
                .entry(nearest)
                .or_insert_with(|| (vec![0.0; input.len()], 0.0));
            sum.iter_mut()
                .zip(*input)
                .for_each(|(sum, value)| *sum += value);
            *count += 1.0;
        }
        for (at, (sum, count)) in members {
            centres[at] = sum.into_iter().map(|value| value / count).collect();
        }
    }
    centres
}
