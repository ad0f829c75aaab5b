//! Trains the auto router's weights and says what they are worth. It reads labelled prompts and writes
//! `crates/waystation-auto/data`; the router itself is that crate's.

mod decision;
mod examples;
mod linear;
mod material;
mod measure;
mod network;
mod outcome;
mod perturbation;
mod pool;
mod report;
mod residual;
mod vocabulary;

use std::fs;

use waystation_auto::{Blend, Net, Task, Weights, mean_gap, row};

use crate::{failure::Failure, root};
use material::{Material, STRONG, WEAK, task_of};
use network::{Form, Row, small};

/// Networks of either kind whose mean is taken.
const NETS: u64 = 5;
/// What the parts of the difficulty count: networks, wide networks, length, hardness. Length and hardness hold
/// where the networks know nothing of a kind of prompt.
const PARTS: [f32; 4] = [0.5, 0.5, 0.5, 0.3];
/// The penalty of the hardness head.
const PENALTY: f64 = 0.05;
/// Prompts of one benchmark task among the seeds, and their weight there.
const BENCHMARKED: usize = 250;
const BENCHMARKED_WEIGHT: f32 = 0.15;

/// Trains on the split `train`, writes the weights and prints what they do on the split `dev`.
pub(crate) fn train() -> Result<(), Failure> {
    let material = Material::read()?;
    let chosen = material.chosen(|example| example.split == "train");
    let mut weights = fit(&material, &chosen, NETS)?;
    weights.tasks = tasks(&material, &weights, |_| true);
    let path = root::root().join("crates/waystation-auto/data/weights.bin");
    fs::write(&path, weights.to_bytes()).map_err(|error| Failure::at(&path, error))?;
    let table = root::root().join("crates/waystation-auto/data/measured.txt");
    fs::write(&table, outcome::table(&material)).map_err(|error| Failure::at(&table, error))?;
    println!("{}: {} bytes", path.display(), weights.to_bytes().len());
    report::dev(&material, weights)
}

/// Writes the words that training prompts use, which are never taken for misspelt others. They are part of the build
/// that trains, so that this comes first.
pub(crate) fn words() -> Result<(), Failure> {
    let examples = examples::read(&examples::folder())?;
    let path = root::root().join("crates/waystation-auto/data/known.txt");
    let text = vocabulary::known(&examples);
    fs::write(&path, &text).map_err(|error| Failure::at(&path, error))?;
    println!("{}: {} bytes", path.display(), text.len());
    Ok(())
}

/// Measures the weights of this build on the split `dev`, and whole decisions; then trains without some benchmark or subjects, and measures on those: what to expect of prompts that
/// nobody has seen. Writes nothing.
pub(crate) fn report() -> Result<(), Failure> {
    let material = Material::read()?;
    report::dev(&material, Weights::bundled().clone())?;
    report::decisions(&material)?;
    many(&material)?;
    report::held_out(&material)?;
    report::tasks(&material)
}

/// The part of the report that is about choosing among many models.
pub(crate) fn pools() -> Result<(), Failure> {
    many(&Material::read()?)
}

fn many(material: &Material) -> Result<(), Failure> {
    pool::known(material)?;
    pool::left_out(material)
}

/// Everything but the tasks, learned from the chosen examples.
fn fit(material: &Material, chosen: &[usize], nets: u64) -> Result<Weights, Failure> {
    let mut weights = Weights::default();
    standardise(material, chosen, &mut weights);
    let rows = training_rows(material, chosen, &weights);
    let pair = (material.model(STRONG)?, material.model(WEAK)?);
    let models = material.models.len();
    let all: Vec<&Row> = rows.iter().collect();
    let of_form = |form: &Form| -> (Vec<_>, Vec<_>) {
        let seeds = 1..=nets;
        seeds
            .map(|seed| network::fit(&all, models, pair, (form, seed)))
            .unzip()
    };
    let (fitted, outs) = of_form(&Form::narrow());
    weights.nets = fitted;
    weights.wide = of_form(&Form::wide()).0;
    weights.hardness = hardness(&rows, models);
    weights.blend = blend(material, chosen, &weights, &rows);
    if nets == NETS {
        let learned = residual::fit(material, chosen, &rows, (&weights, outs));
        weights.residual = learned;
    }
    Ok(weights)
}

/// Networks of the reference method, learned from the same examples as `weights`.
fn reference(
    material: &Material,
    chosen: &[usize],
    weights: &Weights,
) -> Result<Vec<Net>, Failure> {
    let rows = training_rows(material, chosen, weights);
    let rows: Vec<&Row> = rows.iter().collect();
    let pair = (material.model(STRONG)?, material.model(WEAK)?);
    let models = material.models.len();
    let form = Form::reference();
    let nets = (1..=3).map(|seed| network::fit(&rows, models, pair, (&form, seed)).0);
    Ok(nets.collect())
}

/// Mean and deviation of every figure.
fn standardise(material: &Material, chosen: &[usize], weights: &mut Weights) {
    let count = small(chosen.len());
    let width = waystation_auto::FEATURES;
    let (mut mean, mut scale) = (vec![0.0_f32; width], vec![0.0_f32; width]);
    let each = || chosen.iter().map(|at| &material.figures[*at][0]);
    for figures in each() {
        mean.iter_mut()
            .zip(figures)
            .for_each(|(mean, value)| *mean += value / count);
    }
    for figures in each() {
        for ((scale, value), mean) in scale.iter_mut().zip(figures).zip(&mean) {
            *scale += (value - mean) * (value - mean) / count;
        }
    }
    weights.scale = scale
        .into_iter()
        .map(|square| 1.0 / square.sqrt().max(0.05))
        .collect();
    weights.mean = mean;
}

fn training_rows(material: &Material, chosen: &[usize], weights: &Weights) -> Vec<Row> {
    let rows = chosen.iter();
    rows.map(|at| training_row(material, *at, weights))
        .collect()
}

fn training_row(material: &Material, at: usize, weights: &Weights) -> Row {
    let figures = material.figures[at].iter();
    let place = |name: &String| material.models.binary_search(name).unwrap_or_default();
    let scores = material.examples[at].scores.iter();
    Row {
        inputs: figures
            .map(|figures| weights.standardised(figures))
            .collect(),
        labels: scores.map(|(name, score)| (place(name), *score)).collect(),
    }
}

/// How much worse than usual models do on a prompt, in logits: what is left of the scores when each
/// model's mean is taken off, four times that (the slope of the logistic function in its middle).
fn hardness(rows: &[Row], models: usize) -> Vec<f32> {
    let mut sums = vec![(0.5_f32, 1.0_f32); models];
    for (model, score) in rows.iter().flat_map(|row| &row.labels) {
        sums[*model].0 += score;
        sums[*model].1 += 1.0;
    }
    let left = |row: &Row| {
        let over = row
            .labels
            .iter()
            .map(|(model, score)| sums[*model].0 / sums[*model].1 - score);
        4.0 * over.sum::<f32>() / small(row.labels.len())
    };
    let (mut inputs, mut wanted): (Vec<&[f32]>, Vec<f32>) = (Vec::new(), Vec::new());
    for row in rows {
        for input in row.inputs.iter().step_by(2) {
            inputs.push(input);
            wanted.push(left(row));
        }
    }
    linear::ridge(&inputs, &wanted, PENALTY)
}

/// Every part with mean 0 and deviation 1 over the training prompts, times what it counts; and the
/// whole with deviation 1.
fn blend(material: &Material, chosen: &[usize], weights: &Weights, rows: &[Row]) -> Blend {
    let of_rows = |part: &dyn Fn(&[f32]) -> f32| -> Vec<f32> {
        rows.iter().map(|row| part(&row.inputs[0])).collect()
    };
    let lengths = chosen.iter().map(|at| material.figures[*at][0][0]);
    let parts = [
        of_rows(&|input| mean_gap(&weights.nets, input)),
        of_rows(&|input| mean_gap(&weights.wide, input)),
        lengths.collect(),
        of_rows(&|input| row(&weights.hardness, input)),
    ];
    let spreads = parts.each_ref().map(|part| spread(part));
    let whole: Vec<f32> = (0..rows.len())
        .map(|at| {
            let each = parts.iter().zip(spreads).zip(PARTS);
            each.map(|((part, (mean, deviation)), counts)| (part[at] - mean) / deviation * counts)
                .sum()
        })
        .collect();
    let all = spread(&whole).1;
    let mut factors = [[0.0; 2]; PARTS.len()];
    for ((factor, (mean, deviation)), counts) in factors.iter_mut().zip(spreads).zip(PARTS) {
        *factor = [mean, counts / deviation / all];
    }
    Blend(factors)
}

/// Mean and deviation.
fn spread(values: &[f32]) -> (f32, f32) {
    let count = small(values.len());
    let mean = values.iter().sum::<f32>() / count;
    let square = values
        .iter()
        .map(|value| (value - mean) * (value - mean))
        .sum::<f32>()
        / count;
    (mean, square.sqrt().max(1e-6))
}

/// The task head, from the seeds that `taken` is true of and some prompts of benchmarks.
fn tasks(material: &Material, weights: &Weights, taken: impl Fn(usize) -> bool) -> Vec<Vec<f32>> {
    let place = |task: Task| Task::LEARNED.iter().position(|learned| *learned == task);
    let mut rows: Vec<(Vec<f32>, usize, f32)> = Vec::new();
    for (_, (task, variants)) in material
        .seeds
        .iter()
        .enumerate()
        .filter(|(at, _)| taken(*at))
    {
        for figures in variants {
            rows.extend(place(*task).map(|class| (weights.standardised(figures), class, 1.0)));
        }
    }
    let mut counts = [0; Task::LEARNED.len()];
    // A stride that is prime to the number of examples visits them mixed.
    for step in 0..material.examples.len() {
        let at = (step * 7_919) % material.examples.len();
        let class = task_of(&material.examples[at]).and_then(place);
        let Some(class) = class.filter(|_| material.examples[at].split == "train") else {
            continue;
        };
        if counts[class] < BENCHMARKED {
            counts[class] += 1;
            let input = weights.standardised(&material.figures[at][0]);
            rows.push((input, class, BENCHMARKED_WEIGHT));
        }
    }
    let rows: Vec<(&[f32], usize, f32)> = rows
        .iter()
        .map(|(input, class, weight)| (input.as_slice(), *class, *weight))
        .collect();
    linear::classes(&rows, Task::LEARNED.len(), 3)
}
