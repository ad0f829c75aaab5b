//! Fits one small network to who answered which prompt well: figures to a latent place, from there a
//! logit for each model, by Adam over shuffled rows. It keeps the two outputs that the router needs. Which parts
//! they have in the difficulty is not decided here.

use waystation_auto::{FEATURES, Net, bent, cue_names, row};

use super::perturbation::Dice;

/// Passes over the rows, and rows a step.
const EPOCHS: usize = 16;
const BATCH: usize = 256;
const RATE: f32 = 0.002;
const DECAY: f32 = 0.001;

/// What a network is like, before it learns.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    /// Units of the two layers.
    hidden: usize,
    latent: usize,
    /// The share of figures that one row does not see.
    dropped: f32,
    /// The share of rows that are seen as they were written; of the others it is any variant.
    unvaried: f32,
    /// The places of the figures that it sees at all.
    seen: Vec<usize>,
}

/// Measures and cues of the wide networks: about the fifty that are told of the reference method, and four more.
const MEASURES: [usize; 20] = [
    0, 1, 2, 4, 5, 6, 7, 10, 11, 12, 13, 14, 18, 19, 21, 23, 26, 27, 28, 30,
];
const MORE_MEASURES: [usize; 4] = [31, 32, 33, 34];
const CUES: [&str; 27] = [
    "negated",
    "which",
    "howmany",
    "why",
    "compute",
    "prove",
    "chance",
    "algebra",
    "chemistry",
    "physics",
    "law",
    "medicine",
    "economics",
    "passage",
    "statements",
    "steps",
    "code",
    "writecode",
    "fiction",
    "translation",
    "summarising",
    "extraction",
    "roleplay",
    "formatting",
    "choose",
    "assume",
    "allabove",
];

/// One prompt for training.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Standardised figures: as it was written, then each perturbation.
    pub(crate) inputs: Vec<Vec<f32>>,
    /// Which model got how much of it right.
    pub(crate) labels: Vec<(usize, f32)>,
}

/// A layer with the state of its optimiser.
struct Layer {
    weights: Vec<Vec<f32>>,
    slope: Vec<Vec<f32>>,
    mean: Vec<Vec<f32>>,
    square: Vec<Vec<f32>>,
}

/// Where one row's signal went, kept for the way back.
struct Signal {
    input: Vec<f32>,
    hidden: Vec<f32>,
    latent: Vec<f32>,
    /// Of the latent units, before their bend.
    raw: Vec<f32>,
}

/// Fits a network over `rows`; `pair` is the strong and the weak model. Beside it the rows of all models.
pub(crate) fn fit(
    rows: &[&Row],
    models: usize,
    pair: (usize, usize),
    (form, seed): (&Form, u64),
) -> (Net, Vec<Vec<f32>>) {
    let mut dice = Dice::new(seed);
    let mut layers = [
        Layer::new(form.hidden, form.seen.len(), &mut dice),
        Layer::new(form.latent, form.hidden, &mut dice),
        Layer::new(models, form.latent, &mut dice),
    ];
    start_at_means(&mut layers[2], rows);
    let mut order: Vec<usize> = (0..rows.len()).collect();
    let mut step = 0_i32;
    for epoch in 0..EPOCHS {
        for last in (1..order.len()).rev() {
            order.swap(last, dice.below(last + 1));
        }
        let rate = RATE * (1.0 - 0.9 * small(epoch) / small(EPOCHS));
        for batch in order.chunks(BATCH) {
            for at in batch {
                learn(
                    &mut layers,
                    rows[*at],
                    (form, small(batch.len())),
                    &mut dice,
                );
            }
            step += 1;
            layers.iter_mut().for_each(|layer| layer.step(rate, step));
        }
    }
    let [hidden, latent, out] = layers.map(|layer| layer.weights);
    let net = Net {
        hidden: hidden.iter().map(|unit| form.whole(unit)).collect(),
        latent,
        out: vec![out[pair.0].clone(), out[pair.1].clone()],
    };
    (net, out)
}

/// Constants of the last layer: each model's own mean.
fn start_at_means(layer: &mut Layer, rows: &[&Row]) {
    let mut sums = vec![(1.0_f32, 2.0_f32); layer.weights.len()];
    for (model, score) in rows.iter().flat_map(|row| &row.labels) {
        sums[*model].0 += score;
        sums[*model].1 += 1.0;
    }
    for (unit, (right, all)) in layer.weights.iter_mut().zip(sums) {
        let share = (right / all).clamp(0.01, 0.99);
        let constant = unit.len() - 1;
        unit[constant] = (share / (1.0 - share)).ln();
        unit[..constant]
            .iter_mut()
            .for_each(|weight| *weight *= 0.35);
    }
}

/// Adds one row's slopes. A row with many models counts less for each of them.
fn learn(layers: &mut [Layer; 3], row: &Row, (form, batch): (&Form, f32), dice: &mut Dice) {
    let at = if dice.share() < form.unvaried {
        0
    } else {
        dice.below(row.inputs.len())
    };
    let kept = 1.0 / (1.0 - form.dropped);
    let figures = &row.inputs[at];
    let input = form.seen.iter().map(|figure| {
        if dice.share() < form.dropped {
            0.0
        } else {
            figures[*figure] * kept
        }
    });
    let input = input.collect();
    let signal = forward(layers, input);
    let weight = 1.0 / (small(row.labels.len()).sqrt() * batch);
    let mut back = vec![0.0; signal.latent.len()];
    for (model, score) in &row.labels {
        let logit = self::row(&layers[2].weights[*model], &signal.latent);
        let share = 1.0 / (1.0 + (-logit).exp());
        let error = (share - score) * weight;
        layers[2].slope_of(*model, error, &signal.latent, &mut back);
    }
    for (slope, raw) in back.iter_mut().zip(&signal.raw) {
        let bend = 1.0 + raw.abs();
        *slope /= bend * bend;
    }
    let mut below = vec![0.0; signal.hidden.len()];
    for (unit, error) in back.iter().enumerate() {
        layers[1].slope_of(unit, *error, &signal.hidden, &mut below);
    }
    let mut unused = Vec::new();
    for (unit, error) in below.iter().enumerate() {
        if signal.hidden[unit] > 0.0 {
            layers[0].slope_of(unit, *error, &signal.input, &mut unused);
        }
    }
}

fn forward(layers: &[Layer; 3], input: Vec<f32>) -> Signal {
    let apply = |layer: &Layer, input: &[f32]| -> Vec<f32> {
        layer.weights.iter().map(|unit| row(unit, input)).collect()
    };
    let hidden: Vec<f32> = apply(&layers[0], &input)
        .into_iter()
        .map(|v| v.max(0.0))
        .collect();
    let raw = apply(&layers[1], &hidden);
    Signal {
        latent: raw.iter().map(|value| bent(*value)).collect(),
        input,
        hidden,
        raw,
    }
}

/// Counts here are far below 16 million.
#[expect(clippy::cast_precision_loss, reason = "see above")]
pub(crate) fn small(count: usize) -> f32 {
    count as f32
}

// === impl Form ===

impl Form {
    /// Every figure, and few units.
    pub(crate) fn narrow() -> Self {
        Self {
            hidden: 48,
            latent: 12,
            dropped: 0.3,
            unvaried: 0.4,
            seen: (0..FEATURES).collect(),
        }
    }

    /// Fewer figures, and more units.
    pub(crate) fn wide() -> Self {
        let mut seen = MEASURES.to_vec();
        seen.extend(MORE_MEASURES);
        seen.extend(cues());
        Self {
            hidden: 64,
            latent: 16,
            dropped: 0.0,
            unvaried: 0.4,
            seen,
        }
    }

    /// The reference method, to be held against: as it is told, but for the bend.
    pub(crate) fn reference() -> Self {
        Self {
            unvaried: 1.0,
            seen: MEASURES.into_iter().chain(cues()).collect(),
            ..Self::wide()
        }
    }

    /// A unit's weights for every figure, nothing for those that are not seen.
    fn whole(&self, unit: &[f32]) -> Vec<f32> {
        let mut whole = vec![0.0; FEATURES + 1];
        let places = self.seen.iter().chain([&FEATURES]);
        for (place, weight) in places.zip(unit) {
            whole[*place] = *weight;
        }
        whole
    }
}

/// The places of the cues of [`CUES`].
fn cues() -> impl Iterator<Item = usize> {
    let first = FEATURES - cue_names().len();
    let cues = cue_names().iter().enumerate();
    cues.filter(|(_, name)| CUES.contains(name))
        .map(move |(at, _)| first + at)
}

// === impl Layer ===

impl Layer {
    fn new(units: usize, width: usize, dice: &mut Dice) -> Self {
        let spread = 1.0 / small(width).sqrt();
        let unit = |dice: &mut Dice| -> Vec<f32> {
            let mut weights: Vec<f32> = (0..width).map(|_| dice.normal() * spread).collect();
            weights.push(0.0);
            weights
        };
        let zeros = vec![vec![0.0; width + 1]; units];
        Self {
            weights: (0..units).map(|_| unit(dice)).collect(),
            slope: zeros.clone(),
            mean: zeros.clone(),
            square: zeros,
        }
    }

    /// Adds the slopes of one unit, and what it passes back.
    fn slope_of(&mut self, unit: usize, error: f32, input: &[f32], back: &mut [f32]) {
        let (slope, weights) = (&mut self.slope[unit], &self.weights[unit]);
        for (slope, value) in slope.iter_mut().zip(input) {
            *slope += error * value;
        }
        slope[input.len()] += error;
        for (back, weight) in back.iter_mut().zip(weights) {
            *back += error * weight;
        }
    }

    /// One step of Adam (Kingma and Ba, 2015), with decay of all but the constants.
    fn step(&mut self, rate: f32, step: i32) {
        let (first, second) = (1.0 - 0.9_f32.powi(step), 1.0 - 0.999_f32.powi(step));
        for unit in 0..self.weights.len() {
            let constant = self.weights[unit].len() - 1;
            for at in 0..=constant {
                let weight = &mut self.weights[unit][at];
                let decay = if at < constant { DECAY * *weight } else { 0.0 };
                let slope = std::mem::take(&mut self.slope[unit][at]) + decay;
                let mean = &mut self.mean[unit][at];
                let square = &mut self.square[unit][at];
                *mean = 0.9 * *mean + 0.1 * slope;
                *square = 0.999 * *square + 0.001 * slope * slope;
                *weight -= rate * (*mean / first) / ((*square / second).sqrt() + 1e-8);
            }
        }
    }
}
