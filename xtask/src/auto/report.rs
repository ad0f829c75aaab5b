//! What the weights are worth: every figure with the one of the prompt's length beside it. It trains
//! for held-out sets; it writes nothing.

use waystation_auto::{Net, Task, Weights, mean_gap, row};

use super::{
    decision::{Chooser, TRADEOFFS},
    examples::Example,
    fit,
    material::{Material, STRONG, WEAK, task_of},
    measure::{apgr, interval, lead, unchanged},
    perturbation::KINDS,
    reference, tasks as fit_tasks,
};
use crate::failure::Failure;

/// A pair of models to tell apart where the usual pair has no outcomes.
const LADDER: (&str, &str) = ("gpt-4o-2024-08-06", "gpt-3.5-turbo-0125");
const OPEN: (&str, &str) = (
    "llama-3.3-nemotron-super-49b-v1",
    "mistral-7b-instruct-v0.3",
);
const HARDER: (&str, &str) = ("gemini-1.5-pro-002", "mixtral-8x7b-instruct-v0.1");
/// Networks for a held-out set.
const NETS: u64 = 3;

/// Prompts in the order of an estimate.
#[derive(Default)]
struct Order {
    /// How much more of each the strong model got right.
    gains: Vec<f32>,
    scores: Vec<f32>,
    /// Of each part of the difficulty: networks, wide networks, length, hardness.
    parts: [Vec<f32>; 4],
    /// Of the reference method.
    reference: Vec<f32>,
}

/// Weights, and beside them the reference method, learned from the same examples.
struct Learned {
    weights: Weights,
    reference: Vec<Net>,
}

/// The split `dev`, which nothing was trained on.
pub(crate) fn dev(material: &Material, weights: Weights) -> Result<(), Failure> {
    let taught = material.chosen(|example| example.split == "train");
    let learned = Learned::beside(material, &taught, weights)?;
    let weights = &learned.weights;
    let chosen = material.chosen(|example| example.split == "dev");
    let mmlu: Vec<usize> =
        material.chosen(|example| example.split == "dev" && example.bench == "mmlu");
    one(
        material,
        &learned,
        "dev: MMLU, seen subjects",
        &mmlu,
        (STRONG, WEAK),
    );
    let bench = |name: &'static str| {
        material.chosen(move |example| example.split == "dev" && example.bench == name)
    };
    one(material, &learned, "dev: CRUX", &bench("crux"), LADDER);
    one(
        material,
        &learned,
        "dev: MATH, level 5",
        &bench("math-l5"),
        LADDER,
    );
    one(material, &learned, "dev: MATH", &bench("math"), OPEN);
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
    Ok(())
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
    let mut together = Order::default();
    for fold in 0..4 {
        let of_fold = |example: &Example| {
            let sum: u32 = example.subject.bytes().map(u32::from).sum();
            example.source == "routellm-mmlu" && sum % 4 == fold
        };
        let weights = without(material, of_fold)?;
        let name = format!("held out: MMLU subjects, part {} of 4", fold + 1);
        let order = Order::of(material, &weights, &material.chosen(of_fold), usual);
        order.print(&name, usual);
        together.extend(order);
    }
    together.print("held out: those four parts together", usual);
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
    for (odd, name) in [
        (false, "held out: MMLU-Pro, even subjects"),
        (true, "held out: MMLU-Pro, odd subjects"),
    ] {
        let of_half = |example: &Example| example.bench == "mmlu-pro" && example.odd() == odd;
        let weights = without(material, of_half)?;
        one(material, &weights, name, &material.chosen(of_half), HARDER);
    }
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

fn without(material: &Material, held: impl Fn(&Example) -> bool) -> Result<Learned, Failure> {
    let chosen = material.chosen(|example| !held(example));
    Learned::beside(material, &chosen, fit(material, &chosen, NETS)?)
}

fn one(material: &Material, learned: &Learned, name: &str, chosen: &[usize], pair: (&str, &str)) {
    Order::of(material, learned, chosen, pair).print(name, pair);
}

// === impl Learned ===

impl Learned {
    fn beside(material: &Material, chosen: &[usize], weights: Weights) -> Result<Self, Failure> {
        let reference = reference(material, chosen, &weights)?;
        Ok(Self { weights, reference })
    }
}

// === impl Order ===

impl Order {
    /// By the difficulty of those that both models have outcomes on.
    fn of(material: &Material, learned: &Learned, chosen: &[usize], pair: (&str, &str)) -> Self {
        let weights = &learned.weights;
        let (chosen, gains) = material.gains(chosen, pair.0, pair.1);
        let mut order = Self {
            gains,
            ..Self::default()
        };
        for figures in chosen.iter().map(|at| &material.figures[*at][0]) {
            let input = weights.standardised(figures);
            let parts = [
                mean_gap(&weights.nets, &input),
                mean_gap(&weights.wide, &input),
                figures[0],
                row(&weights.hardness, &input),
            ];
            order.scores.push(weights.difficulty(figures));
            order.reference.push(mean_gap(&learned.reference, &input));
            for (of_all, part) in order.parts.iter_mut().zip(parts) {
                of_all.push(part);
            }
        }
        order
    }

    /// Takes in the prompts of another.
    fn extend(&mut self, other: Self) {
        self.gains.extend(other.gains);
        self.scores.extend(other.scores);
        self.reference.extend(other.reference);
        for (own, others) in self.parts.iter_mut().zip(other.parts) {
            own.extend(others);
        }
    }

    fn print(&self, name: &str, (strong, weak): (&str, &str)) {
        let (low, high) = interval(&self.gains, &self.scores);
        let (least, most) = lead(&self.gains, &self.scores, &self.parts[2]);
        let parts = self.parts.each_ref().map(|part| apgr(&self.gains, part));
        println!(
            "{name}: APGR {:.3}, {low:.3} to {high:.3}, more than length {least:+.3} to {most:+.3} (by length alone {:.3}; networks {:.3}, wide {:.3}, hardness {:.3}), {} prompts, {strong} against {weak}",
            apgr(&self.gains, &self.scores),
            parts[2],
            parts[0],
            parts[1],
            parts[3],
            self.gains.len(),
        );
        let (least, most) = lead(&self.gains, &self.scores, &self.reference);
        println!(
            "  the reference method {:.3}, more than it {least:+.3} to {most:+.3}",
            apgr(&self.gains, &self.reference)
        );
    }
}

fn guess(weights: &Weights, figures: &[f32; waystation_auto::FEATURES]) -> Task {
    let input = weights.standardised(figures);
    let logits = weights.tasks.iter().map(|head| row(head, &input));
    let best = logits.enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b));
    best.and_then(|(at, _)| Task::LEARNED.get(at).copied())
        .unwrap_or(Task::Chat)
}

#[cfg(test)]
mod tests {
    use waystation_auto::figures;

    use super::*;
    use crate::auto::examples;

    /// The floors lie a little below the card's figures. Prompts and weights are fixed, so that there is no noise.
    #[test]
    fn difficulty_is_worth_what_the_card_says_on_prompts_that_nothing_was_trained_on() {
        let folder = examples::folder();
        if !folder.is_dir() {
            println!("skipped: no labelled prompts in {}", examples::FOLDER);
            return;
        }
        let examples = examples::read(&folder).unwrap();
        for (bench, (strong, weak), floor) in [
            ("mmlu", (STRONG, WEAK), 0.64),
            ("math-l5", LADDER, 0.52),
            ("math", OPEN, 0.52),
            ("crux", LADDER, 0.60),
        ] {
            let dev = examples.iter();
            let dev = dev.filter(|one| one.split == "dev" && one.bench == bench);
            let outcomes = dev.filter_map(|one| {
                let gain = one.scores.get(strong)? - one.scores.get(weak)?;
                Some((gain, Weights::bundled().difficulty(&figures(&one.prompt))))
            });
            let (gains, scores): (Vec<f32>, Vec<f32>) = outcomes.unzip();
            let found = apgr(&gains, &scores);
            assert!(found >= floor, "{bench}: {found}");
        }
    }
}
