//! Abilities of the models in the data: one number for each, and one for each field that the data has
//! of it, given how hard each benchmark is. It fits and prints; it judges no prompt.

use std::{collections::BTreeMap, fmt::Write as _};

use waystation_auto::Field;

use super::{material::Material, network::small};

/// Usual prompts are easier than benchmarks by so many logits: the scale's zero.
const EASIER: f32 = 1.0;
/// What differs between benchmarks of one field, in logits.
const BETWEEN: f32 = 0.2;
/// How strongly the ability in a field is held to the general one: as much as so many even outcomes.
const HELD: f32 = 8.0;
const ROUNDS: usize = 200;

/// Outcomes of one model on one benchmark.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    all: f32,
    right: f32,
}

/// The field that a benchmark is about.
pub(crate) fn field_of(bench: &str) -> Field {
    match bench {
        "mmlu" | "mmlu-pro" | "natural_qa" => Field::Knowledge,
        "arc-c" | "openbook_qa" | "agentverse-logicgrid" => Field::Reasoning,
        "mbpp" | "crux" => Field::Code,
        "math" | "math-l5" => Field::Math,
        _ => Field::General,
    }
}

/// The table, as the crate reads it: outcomes of the split `train`.
pub(crate) fn table(material: &Material) -> String {
    let mut counts: BTreeMap<(&str, &str), Count> = BTreeMap::new();
    for example in material
        .examples
        .iter()
        .filter(|example| example.split == "train")
    {
        for (model, score) in &example.scores {
            let count = counts.entry((model, &example.bench)).or_default();
            count.all += 1.0;
            count.right += score;
        }
    }
    let (general, hard) = general(&counts);
    let mut out = String::from(
        "# Abilities from outcomes, written by `cargo xtask auto train`: `name | general code math knowledge reasoning | deviation |\n\
         # source, date`, in logits; 0 is even odds on a usual prompt. What the outcomes are is in MODEL_CARD.md.\n",
    );
    for (model, ability) in &general {
        let of_model = || counts.iter().filter(|((name, _), _)| name == model);
        let mut line = String::new();
        for field in Field::ALL {
            let own: Vec<(Count, f32)> = of_model()
                .filter(|((_, bench), _)| field == field_of(bench))
                .map(|((_, bench), count)| (*count, hard[bench]))
                .collect();
            let _ = match field {
                Field::General => write!(line, "{:.2}", ability + EASIER),
                _ if own.is_empty() => write!(line, " -"),
                _ => write!(line, " {:.2}", within(*ability, &own) + EASIER),
            };
        }
        let information: f32 = of_model()
            .map(|((_, bench), count)| {
                let share = logistic(ability - hard[bench]);
                count.all * share * (1.0 - share)
            })
            .sum();
        let deviation = BETWEEN + 1.0 / information.max(1.0).sqrt();
        let _ = writeln!(
            out,
            "{model} | {line} | {deviation:.2} | outcomes, 2026-11-26"
        );
    }
    out
}

/// Ability of every model and hardness of every benchmark: Newton's steps in turn (Rasch's model).
fn general<'a>(
    counts: &BTreeMap<(&'a str, &'a str), Count>,
) -> (BTreeMap<&'a str, f32>, BTreeMap<&'a str, f32>) {
    let mut able: BTreeMap<&str, f32> = counts.keys().map(|(model, _)| (*model, 0.0)).collect();
    let mut hard: BTreeMap<&str, f32> = counts.keys().map(|(_, bench)| (*bench, 0.0)).collect();
    for _ in 0..ROUNDS {
        for (model, ability) in &mut able {
            let own = counts.iter().filter(|((name, _), _)| name == model);
            let own: Vec<(Count, f32)> = own
                .map(|((_, bench), count)| (*count, hard[bench]))
                .collect();
            *ability += step(*ability, &own, 0.0, 1.0);
        }
        for (bench, hardness) in &mut hard {
            let own = counts.iter().filter(|((_, name), _)| name == bench);
            let own: Vec<(Count, f32)> = own
                .map(|((model, _), count)| (*count, able[model]))
                .collect();
            let (slope, bend) = own
                .iter()
                .fold((0.0, 1.0), |(slope, bend), (count, ability)| {
                    let share = logistic(ability - *hardness);
                    (
                        slope + count.all * share - count.right,
                        bend + count.all * share * (1.0 - share),
                    )
                });
            *hardness += slope / bend;
        }
        let mean = hard.values().sum::<f32>() / small(hard.len());
        hard.values_mut().for_each(|hardness| *hardness -= mean);
    }
    (able, hard)
}

/// The ability on some benchmarks, held to the general one.
fn within(general: f32, own: &[(Count, f32)]) -> f32 {
    let mut ability = general;
    for _ in 0..30 {
        ability += step(ability, own, general, HELD);
    }
    ability
}

/// One step of Newton's towards the likeliest ability, with a prior at `centre`.
fn step(ability: f32, own: &[(Count, f32)], centre: f32, weight: f32) -> f32 {
    let start = (weight * 0.25 * (centre - ability), weight * 0.25);
    let (slope, bend) = own.iter().fold(start, |(slope, bend), (count, hard)| {
        let share = logistic(ability - hard);
        (
            slope + count.right - count.all * share,
            bend + count.all * share * (1.0 - share),
        )
    });
    (slope / bend).clamp(-1.0, 1.0)
}

fn logistic(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}
