//! What the weights are worth: every figure with the one of the prompt's length beside it. It trains
//! for held-out sets; it writes nothing.

use waystation_auto::{Task, Weights, row};

use super::{
    decision::{Chooser, TRADEOFFS},
    examples::Example,
    fit,
    material::{Material, STRONG, WEAK, task_of},
    measure::{apgr, interval, unchanged},
    perturbation::KINDS,
    tasks as fit_tasks,
};
use crate::failure::Failure;

/// A pair of models to tell apart where the usual pair has no outcomes.
const LADDER: (&str, &str) = ("gpt-4o-2024-08-06", "gpt-3.5-turbo-0125");
const OPEN: (&str, &str) = (
    "llama-3.3-nemotron-super-49b-v1",
    "mistral-7b-instruct-v0.3",
);
/// Networks for a held-out set.
const NETS: u64 = 3;

/// The split `dev`, which nothing was trained on.
pub(crate) fn dev(material: &Material, weights: &Weights) {
    let chosen = material.chosen(|example| example.split == "dev");
    let mmlu: Vec<usize> =
        material.chosen(|example| example.split == "dev" && example.bench == "mmlu");
    one(
        material,
        weights,
        "dev: MMLU, seen subjects",
        &mmlu,
        (STRONG, WEAK),
    );
    let bench = |name: &'static str| {
        material.chosen(move |example| example.split == "dev" && example.bench == name)
    };
    one(material, weights, "dev: CRUX", &bench("crux"), LADDER);
    one(
        material,
        weights,
        "dev: MATH, level 5",
        &bench("math-l5"),
        LADDER,
    );
    one(material, weights, "dev: MATH", &bench("math"), OPEN);
    for (at, kind) in KINDS.iter().enumerate() {
        let score = |variant: usize| -> Vec<f32> {
            let figures = chosen.iter().map(|one| &material.figures[*one][variant]);
            figures.map(|figures| weights.difficulty(figures)).collect()
        };
        println!(
            "decisions unchanged under {kind}: {:.3}",
            unchanged(&score(0), &score(at + 1))
        );
    }
    let known = chosen
        .iter()
        .filter_map(|at| Some((*at, task_of(&material.examples[*at])?)));
    let known: Vec<(usize, Task)> = known.collect();
    let right = known
        .iter()
        .filter(|(at, task)| guess(weights, &material.figures[*at][0]) == *task);
    println!(
        "task of {} benchmark prompts right: {}",
        known.len(),
        right.count()
    );
}

/// How steady whole decisions are on the split `dev`.
pub(crate) fn decisions(material: &Material) -> Result<(), Failure> {
    let chooser = Chooser::new()?;
    let chosen = material.chosen(|example| example.split == "dev");
    let prompts: Vec<&str> = chosen
        .iter()
        .map(|at| material.examples[*at].prompt.as_str())
        .collect();
    for tradeoff in TRADEOFFS {
        let found = chooser.steadiness(&prompts, tradeoff)?;
        println!(
            "tradeoff {tradeoff}: {} models are chosen, the commonest {:.3}; unchanged model, task, side:",
            found.models, found.commonest
        );
        for (kind, same) in found.unchanged {
            println!(
                "  {kind}: {:.3} {:.3} {:.3}",
                same.first, same.task, same.side
            );
        }
    }
    Ok(())
}

/// Sets that nothing like them was trained on.
pub(crate) fn held_out(material: &Material) -> Result<(), Failure> {
    let usual = (STRONG, WEAK);
    for fold in 0..4 {
        let of_fold = |example: &Example| {
            let sum: u32 = example.subject.bytes().map(u32::from).sum();
            example.source == "routellm-mmlu" && sum % 4 == fold
        };
        let weights = without(material, of_fold)?;
        let name = format!("held out: MMLU subjects, part {} of 4", fold + 1);
        one(material, &weights, &name, &material.chosen(of_fold), usual);
    }
    let is_math = |example: &Example| task_of(example) == Some(Task::Math);
    let weights = without(material, is_math)?;
    let bench = |name: &'static str| material.chosen(move |example| example.bench == name);
    let school = material.chosen(|example| example.subject == "elementary_mathematics");
    one(
        material,
        &weights,
        "held out: school arithmetic",
        &school,
        usual,
    );
    one(material, &weights, "held out: MATH", &bench("math"), OPEN);
    one(
        material,
        &weights,
        "held out: MATH, level 5",
        &bench("math-l5"),
        LADDER,
    );
    let weights = without(material, |e| {
        matches!(e.bench.as_str(), "mmlu" | "mmlu-pro")
    })?;
    one(
        material,
        &weights,
        "held out: everything like MMLU",
        &bench("mmlu"),
        usual,
    );
    let weights = without(material, |e| {
        matches!(e.bench.as_str(), "arc-c" | "openbook_qa")
    })?;
    one(material, &weights, "held out: ARC", &bench("arc-c"), usual);
    let weights = without(material, |e| matches!(e.bench.as_str(), "mbpp" | "crux"))?;
    one(material, &weights, "held out: MBPP", &bench("mbpp"), usual);
    one(material, &weights, "held out: CRUX", &bench("crux"), LADDER);
    Ok(())
}

/// How many seeds get their task when they are not trained on, a fifth at a time.
pub(crate) fn tasks(material: &Material) -> Result<(), Failure> {
    let chosen = material.chosen(|example| example.split == "train");
    let mut weights = fit(material, &chosen, 0)?;
    let mut right = 0;
    let mut missed = std::collections::BTreeMap::<String, usize>::new();
    for part in 0..5 {
        weights.tasks = fit_tasks(material, &weights, |at| at % 5 != part);
        for (_, (task, variants)) in material
            .seeds
            .iter()
            .enumerate()
            .filter(|(at, _)| at % 5 == part)
        {
            let found = guess(&weights, &variants[0]);
            if found == *task {
                right += 1;
            } else {
                *missed
                    .entry(format!("{task} taken for {found}"))
                    .or_default() += 1;
            }
        }
    }
    println!(
        "task of {} seed prompts right when held out: {right}",
        material.seeds.len()
    );
    for (confusion, count) in missed.iter().filter(|(_, count)| **count > 1) {
        println!("  {count} x {confusion}");
    }
    Ok(())
}

fn without(material: &Material, held: impl Fn(&Example) -> bool) -> Result<Weights, Failure> {
    fit(material, &material.chosen(|example| !held(example)), NETS)
}

fn one(material: &Material, weights: &Weights, name: &str, chosen: &[usize], pair: (&str, &str)) {
    let (chosen, gains) = material.gains(chosen, pair.0, pair.1);
    let figures = || chosen.iter().map(|at| &material.figures[*at][0]);
    let scores: Vec<f32> = figures()
        .map(|figures| weights.difficulty(figures))
        .collect();
    let lengths: Vec<f32> = figures().map(|figures| figures[0]).collect();
    let (low, high) = interval(&gains, &scores);
    println!(
        "{name}: APGR {:.3}, {low:.3} to {high:.3} (by length alone {:.3}), {} prompts, {} against {}",
        apgr(&gains, &scores),
        apgr(&gains, &lengths),
        gains.len(),
        pair.0,
        pair.1,
    );
}

fn guess(weights: &Weights, figures: &[f32; waystation_auto::FEATURES]) -> Task {
    let input = weights.standardised(figures);
    let logits = weights.tasks.iter().map(|head| row(head, &input));
    let best = logits.enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b));
    best.and_then(|(at, _)| Task::LEARNED.get(at).copied())
        .unwrap_or(Task::Chat)
}
