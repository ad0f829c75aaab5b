//! What choosing among many models is worth beside the best mix of single ones: on prompts that the weights know, and on benchmarks
//! that were left out of everything. The measure is RouterBench's (arXiv 2403.12031).

use std::sync::Arc;

use waystation_auto::{
    Abilities, AutoRouter, Operator, Override, Overrides, Router, Scored, Weights,
};
use waystation_catalog::{Catalog, Changes, EndpointChange, ModelChange, ProviderChange};
use waystation_core::{ChatRequest, Price, ProviderSlug, RawJson};
use waystation_router::{RoutingPolicy, ask};
use waystation_tokens::ByteBounds;

use super::{NETS, examples::Example, fit, material::Material, outcome, tasks};
use crate::failure::Failure;

/// Tokens of an answer and characters of a token, where no cost was recorded.
const ANSWER: f64 = 400.0;
const CHARACTERS: f64 = 4.0;
/// Steps of the area under a curve.
const STEPS: u16 = 2_000;

/// A model and what a million tokens of prompt and answer cost, in thousandths of a dollar.
type Priced = (&'static str, u16, u16);

/// RouterBench's eleven.
const ELEVEN: [Priced; 11] = [
    ("gpt-4-1106-preview", 10_000, 30_000),
    ("mixtral-8x7b-instruct", 600, 600),
    ("claude-1", 8_000, 24_000),
    ("claude-2", 8_000, 24_000),
    ("claude-instant-1", 800, 2_400),
    ("gpt-3.5-turbo-1106", 1_000, 2_000),
    ("wizardlm-13b", 300, 300),
    ("codellama-34b-instruct", 776, 776),
    ("llama-2-70b-chat", 900, 900),
    ("mistral-7b-instruct-v0.1", 200, 200),
    ("yi-34b-chat", 800, 800),
];
/// The pair that RouteLLM asked.
const TWO: [Priced; 2] = [ELEVEN[0], ELEVEN[1]];
/// Ten that ZeroEval asked, of the cheapest to the dearest.
const TEN: [Priced; 10] = [
    ("o1-mini-2024-09-12", 3_000, 12_000),
    ("gpt-4o-2024-08-06", 2_500, 10_000),
    ("gpt-4o-mini-2024-07-18", 150, 600),
    ("claude-3-5-sonnet-20241022", 3_000, 15_000),
    ("claude-3-haiku-20240307", 250, 1_250),
    ("llama-3.1-70b-instruct", 520, 750),
    ("llama-3.1-8b-instruct", 50, 50),
    ("qwen2.5-72b-instruct", 400, 400),
    ("gpt-3.5-turbo-0125", 500, 1_500),
    ("deepseek-v2.5-0908", 140, 280),
];
/// Nine of the same without any that reasons.
const NINE: [Priced; 9] = [
    ("gpt-4o-2024-08-06", 2_500, 10_000),
    ("gpt-4o-mini-2024-07-18", 150, 600),
    ("claude-3-5-sonnet-20241022", 3_000, 15_000),
    ("claude-3-haiku-20240307", 250, 1_250),
    ("gpt-3.5-turbo-0125", 500, 1_500),
    ("llama-3.1-70b-instruct", 520, 750),
    ("gemma-2-27b-it", 270, 270),
    ("mistral-large-2", 2_000, 6_000),
    ("gemini-1.5-flash-exp-0827", 75, 300),
];
/// Four that MMLU-Pro has.
const FOUR: [Priced; 4] = [
    ("gemini-1.5-pro-002", 1_250, 5_000),
    ("gemini-1.5-flash-002", 75, 300),
    ("llama-3.1-70b-instruct", 520, 750),
    ("llama-3.1-8b-instruct", 50, 50),
];
/// LLMRouter's without two that answer in another form; at prices of which no two are the same.
const SEVEN: [Priced; 7] = [
    ("qwen2.5-7b-instruct", 40, 100),
    ("codegemma-7b", 70, 70),
    ("gemma-2-9b-it", 60, 60),
    ("llama-3.1-8b-instruct", 50, 50),
    ("mistral-7b-instruct-v0.3", 28, 54),
    ("llama-3.3-nemotron-super-49b-v1", 130, 400),
    ("llama-3.1-nemotron-51b-instruct", 300, 300),
];

/// Prompts of one benchmark and the models to choose from.
struct Pool {
    name: &'static str,
    /// Its source begins so.
    source: &'static str,
    bench: &'static str,
    /// Its subjects' letters add up to an even or an odd number; `None` is any.
    odd: Option<bool>,
    models: &'static [Priced],
}

/// What is known to the router.
#[derive(Clone, Copy)]
struct Known {
    weights: &'static Weights,
    abilities: &'static Abilities,
}

/// What the operator says of the models.
#[derive(Clone, Copy)]
enum Said {
    /// Nothing.
    Nothing,
    /// Their means over other benchmarks.
    Others,
    /// Their means on this one.
    This,
}

/// A cost and what it gives.
type Point = (f64, f64);

/// Outcomes of a pool: for each prompt and model its score and its cost, what the router estimates, and what that reaches.
#[derive(Default)]
struct Table {
    scores: Vec<Vec<f64>>,
    costs: Vec<Vec<f64>>,
    estimates: Vec<Vec<f64>>,
    reaches: Vec<Vec<f64>>,
}

const fn pool(
    name: &'static str,
    (source, bench): (&'static str, &'static str),
    models: &'static [Priced],
) -> Pool {
    Pool {
        name,
        source,
        bench,
        odd: None,
        models,
    }
}

const POOLS: [Pool; 13] = [
    pool("ARC of RouterBench", ("routerbench", "arc-c"), &ELEVEN),
    pool("MBPP of RouterBench", ("routerbench", "mbpp"), &ELEVEN),
    pool("MMLU, two models", ("routellm", "mmlu"), &TWO),
    pool("CRUX, ten models", ("zeroeval", "crux"), &TEN),
    pool("CRUX, nine", ("zeroeval", "crux"), &NINE),
    pool("MATH level 5, ten models", ("zeroeval", "math-l5"), &TEN),
    pool("MATH level 5, nine", ("zeroeval", "math-l5"), &NINE),
    pool("MMLU-Pro", ("mmlu-pro", "mmlu-pro"), &FOUR),
    pool("LLMRouter: MATH", ("ulab", "math"), &SEVEN),
    pool("LLMRouter: OpenBookQA", ("ulab", "openbook_qa"), &SEVEN),
    pool(
        "LLMRouter: Natural Questions",
        ("ulab", "natural_qa"),
        &SEVEN,
    ),
    pool("LLMRouter: MBPP", ("ulab", "mbpp"), &SEVEN),
    pool("LLMRouter: MMLU", ("ulab", "mmlu"), &SEVEN),
];

/// On prompts of benchmarks that the weights of this build have seen: those of the split `dev` where there are enough.
pub(crate) fn known(material: &Material) -> Result<(), Failure> {
    let known = Known {
        weights: Weights::bundled(),
        abilities: Abilities::bundled(),
    };
    for pool in &POOLS {
        let all = material.chosen(|example| pool.has(example));
        let dev = material.chosen(|example| pool.has(example) && example.split == "dev");
        let (split, chosen) = if dev.len() >= 80 && !pool.source.starts_with("ulab") {
            ("dev: ", dev)
        } else {
            ("", all)
        };
        pool.line(material, &chosen, split, known)?;
    }
    Ok(())
}

/// On benchmarks that nothing was learned from: neither weights, nor tasks, nor abilities.
pub(crate) fn left_out(material: &Material) -> Result<(), Failure> {
    let folds: [(&[&str], Option<bool>); 9] = [
        (&["arc-c"], None),
        (&["mbpp"], None),
        (&["mmlu"], None),
        (&["crux"], None),
        (&["math", "math-l5"], None),
        (&["mmlu-pro"], Some(false)),
        (&["mmlu-pro"], Some(true)),
        (&["openbook_qa"], None),
        (&["natural_qa"], None),
    ];
    for (benches, odd) in folds {
        let held = |example: &Example| {
            benches.contains(&example.bench.as_str()) && odd.is_none_or(|odd| odd == example.odd())
        };
        let left = material.without(held);
        let chosen = left.chosen(|example| example.split == "train");
        let mut weights = fit(&left, &chosen, NETS)?;
        weights.tasks = tasks(&left, &weights, |_| true);
        // As long as the task runs: a few of them.
        let known = Known {
            weights: Box::leak(Box::new(weights)),
            abilities: Box::leak(Box::new(Abilities::with_outcomes(Box::leak(
                outcome::table(&left).into_boxed_str(),
            )))),
        };
        for pool in POOLS.iter().filter(|pool| benches.contains(&pool.bench)) {
            let pool = Pool { odd, ..*pool };
            let chosen = material.chosen(|example| pool.has(example));
            let part = match odd {
                None => "left out: ",
                Some(false) => "left out, even subjects: ",
                Some(true) => "left out, odd subjects: ",
            };
            pool.line(material, &chosen, part, known)?;
        }
    }
    Ok(())
}

// === impl Pool ===

impl Pool {
    /// Whether a prompt is one of its.
    fn has(&self, example: &Example) -> bool {
        example.source.starts_with(self.source)
            && example.bench == self.bench
            && self.odd.is_none_or(|odd| odd == example.odd())
            && self
                .models
                .iter()
                .all(|(name, ..)| example.scores.contains_key(*name))
    }

    /// Prints what the router is worth, with three things that an operator may say.
    fn line(
        &self,
        material: &Material,
        chosen: &[usize],
        part: &str,
        known: Known,
    ) -> Result<(), Failure> {
        let mut found = Vec::new();
        for said in [Said::Nothing, Said::Others, Said::This] {
            let table = self.table(material, chosen, (known, said))?;
            if found.is_empty() {
                found.push(table.areas(&table.estimates));
            }
            found.push(table.areas(&table.reaches));
        }
        let more = found
            .iter()
            .map(|(router, without)| format!("{:+.3}", router - without));
        println!(
            "pool {part}{}: {} prompts, no router {:.3}; estimates alone; reaches with no prior, others' mean, own mean: {}",
            self.name,
            chosen.len(),
            found.first().map_or(0.0, |(_, without)| *without),
            more.collect::<Vec<_>>().join(" "),
        );
        Ok(())
    }

    /// What every model got, cost, and is said to be worth.
    fn table(
        &self,
        material: &Material,
        chosen: &[usize],
        (known, said): (Known, Said),
    ) -> Result<Table, Failure> {
        let wrong = |error: &dyn std::fmt::Display| Failure::new(error.to_string());
        let catalog = Arc::new(self.catalog()?);
        let mut operator = Operator::default();
        operator.levels = Overrides::new(self.levels(material, chosen, said));
        let pool: Vec<_> = catalog.models().map(|model| model.id.clone()).collect();
        let both = (known.weights, known.abilities);
        let router = AutoRouter::knowing(Arc::clone(&catalog), operator, both).reaching();
        let mut table = Table::default();
        for at in chosen {
            let example = &material.examples[*at];
            let content = RawJson::of(example.prompt.as_str());
            let content = String::from_utf8_lossy(content.bytes());
            let body = format!(
                r#"{{"model": "openrouter/auto", "messages": [{{"role": "user", "content": {content}}}]}}"#
            );
            let chat = ChatRequest::parse(&body.into()).map_err(|error| wrong(&error))?;
            let policy = RoutingPolicy::default();
            let ask = ask(&chat, &ByteBounds, &catalog, &policy).map_err(|error| wrong(&error))?;
            let settings = router
                .settings(Router::Auto, &chat)
                .map_err(|error| wrong(&error))?;
            let decision = router.decide(&ask, &chat, (Router::Auto, &settings), &pool);
            let find = |name: &str| decision.ranked.iter().find(|one| one.model.slug() == name);
            let names = || self.models.iter().map(|(name, ..)| *name);
            let of = |figure: fn(&Scored) -> f32| {
                let row = names().map(|name| find(name).map_or(0.0, figure));
                row.map(f64::from).collect()
            };
            table.estimates.push(of(|one| one.quality));
            let reaches = names().map(|name| find(name).map_or(0.0, |one| one.reach));
            table.reaches.push(reaches.collect());
            table.scores.push(
                names()
                    .map(|name| f64::from(example.scores[name]))
                    .collect(),
            );
            table
                .costs
                .push(self.models.iter().map(|one| cost(example, *one)).collect());
        }
        Ok(table)
    }

    /// What the operator says of each model.
    fn levels(&self, material: &Material, chosen: &[usize], said: Said) -> Vec<Override> {
        let mean = |at: &mut dyn Iterator<Item = usize>, name: &str| {
            let scores = at.filter_map(|at| material.examples[at].scores.get(name));
            let (sum, count) =
                scores.fold((0.0, 0.0), |(sum, count), score| (sum + score, count + 1.0));
            if count > 0.0 { sum / count } else { 0.5 }
        };
        let others =
            || (0..material.examples.len()).filter(|at| !self.has(&material.examples[*at]));
        let level = |name: &str| match said {
            Said::Nothing => None,
            Said::Others => Some(mean(&mut others(), name)),
            Said::This => Some(mean(&mut chosen.iter().copied(), name)),
        };
        let line = |(name, ..): &Priced| {
            Some(Override {
                pattern: format!("pool/{name}"),
                task: None,
                quality: level(name)?,
            })
        };
        self.models.iter().filter_map(line).collect()
    }

    /// A catalogue of these models alone.
    fn catalog(&self) -> Result<Catalog, Failure> {
        let wrong = |error: &dyn std::fmt::Display| Failure::new(error.to_string());
        let slug: ProviderSlug = "listed".parse().map_err(|error| wrong(&error))?;
        let mut provider = ProviderChange::new(slug.clone());
        provider.name = Some("Listed".into());
        provider.dialect = Some("openai-chat".parse().map_err(|error| wrong(&error))?);
        provider.base_url = Some("http://listed.invalid".into());
        let mut changes = Changes {
            providers: vec![provider],
            ..Changes::default()
        };
        for (name, prompt, completion) in self.models {
            let dollars =
                |thousandths: &u16| format!("{}", f64::from(*thousandths) / 1_000.0).parse();
            let prompt = dollars(prompt).map_err(|error| wrong(&error))?;
            let completion = dollars(completion).map_err(|error| wrong(&error))?;
            let mut endpoint = EndpointChange::new(slug.clone());
            endpoint.price = Price::simple(prompt, completion);
            let id = format!("pool/{name}")
                .parse()
                .map_err(|error| wrong(&error))?;
            let mut model = ModelChange::new(id);
            model.endpoints.push(endpoint);
            changes.models.push(model);
        }
        let (catalog, _) = Catalog::empty()
            .with(changes)
            .map_err(|error| wrong(&error))?;
        Ok(catalog)
    }
}

/// What one answer of a model cost, or would by its list price.
fn cost(example: &Example, (name, prompt, completion): Priced) -> f64 {
    let characters = u32::try_from(example.prompt.chars().count()).unwrap_or(u32::MAX);
    let tokens = f64::from(characters) / CHARACTERS;
    let listed = (tokens * f64::from(prompt) + ANSWER * f64::from(completion)) / 1e9;
    example.cost.get(name).copied().unwrap_or(listed)
}

// === impl Table ===

impl Table {
    /// The area under quality over cost of the router, and of the best mixes of single models, by hindsight.
    fn areas(&self, said: &[Vec<f64>]) -> (f64, f64) {
        let singles: Vec<Point> = mean(&self.costs)
            .into_iter()
            .zip(mean(&self.scores))
            .collect();
        let of = |pick: fn(f64, f64) -> f64, place: fn(&Point) -> f64| {
            singles.iter().map(place).reduce(pick).unwrap_or_default()
        };
        let (low, high) = (of(f64::min, |one| one.0), of(f64::max, |one| one.0));
        let (worst, best) = (of(f64::min, |one| one.1), of(f64::max, |one| one.1));
        let unit = (best - worst) / (high - low).max(1e-12);
        let weights = (-16..21).map(|step| unit * f64::from(step).mul_add(0.5, 0.0).exp2());
        let mut points: Vec<Point> = std::iter::once(0.0)
            .chain(weights)
            .map(|weight| self.at(weight, said, &singles))
            .collect();
        let cheapest = singles
            .iter()
            .copied()
            .min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        points.extend(cheapest);
        (area(points, (low, high)), area(singles, (low, high)))
    }

    /// Mean cost and score where cost counts so much, and every model costs what it does on the whole.
    fn at(&self, weight: f64, said: &[Vec<f64>], singles: &[Point]) -> Point {
        let count = f64::from(u32::try_from(said.len().max(1)).unwrap_or(u32::MAX));
        let (mut cost, mut score) = (0.0, 0.0);
        for ((said, costs), scores) in said.iter().zip(&self.costs).zip(&self.scores) {
            let worth = |at: usize| (said[at] - weight * singles[at].0, -singles[at].0);
            let best = (0..said.len()).rev().max_by(|a, b| {
                let (a, b) = (worth(*a), worth(*b));
                a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
            });
            let best = best.unwrap_or_default();
            cost += costs[best] / count;
            score += scores[best] / count;
        }
        (cost, score)
    }
}

/// Means by column.
fn mean(rows: &[Vec<f64>]) -> Vec<f64> {
    let count = f64::from(u32::try_from(rows.len().max(1)).unwrap_or(u32::MAX));
    let width = rows.first().map_or(0, Vec::len);
    let column = |at: usize| rows.iter().map(|row| row[at]).sum::<f64>() / count;
    (0..width).map(column).collect()
}

/// The area under the hull of points that never falls, as a mean quality between two costs.
fn area(mut points: Vec<Point>, (low, high): Point) -> f64 {
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut hull: Vec<Point> = Vec::new();
    for point in points {
        if hull.last().is_some_and(|last| point.1 <= last.1) {
            continue;
        }
        while let [.., a, b] = hull.as_slice() {
            if (b.1 - a.1) * (point.0 - a.0) > (point.1 - a.1) * (b.0 - a.0) {
                break;
            }
            hull.pop();
        }
        hull.push(point);
    }
    let at = |cost: f64| {
        let dearer = hull.partition_point(|point| point.0 < cost);
        match (dearer.checked_sub(1).map(|at| hull[at]), hull.get(dearer)) {
            (Some(a), Some(b)) => a.1 + (b.1 - a.1) * (cost - a.0) / (b.0 - a.0),
            (Some(a), None) => a.1,
            (None, _) => 0.0,
        }
    };
    let step = |at: u16| low + (high - low) * (f64::from(at) + 0.5) / f64::from(STEPS);
    (0..STEPS).map(|each| at(step(each))).sum::<f64>() / f64::from(STEPS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two models of costs 1 and 3: the dear one is right at every prompt, the cheap one at every other.
    fn table(said: impl Fn(usize) -> [f64; 2]) -> Table {
        Table {
            scores: (0..10).map(|at| vec![f64::from(at % 2), 1.0]).collect(),
            costs: vec![vec![1.0, 3.0]; 10],
            estimates: (0..10).map(|at| said(at).to_vec()).collect(),
            ..Table::default()
        }
    }

    fn areas(said: impl Fn(usize) -> [f64; 2]) -> (f64, f64) {
        let table = table(said);
        table.areas(&table.estimates)
    }

    #[test]
    fn a_router_that_tells_nothing_apart_is_a_mix_and_one_that_knows_is_better() {
        let (router, without) = areas(|_| [0.5, 0.9]);
        assert!((router - 0.75).abs() < 1e-3 && (without - 0.75).abs() < 1e-3);
        let knows = |at: usize| [if at % 2 == 1 { 1.0 } else { 0.0 }, 1.0];
        assert!(areas(knows).0 > 0.85);
        // Who says that the cheap one is better never finds the dear one.
        assert!((areas(|_| [0.9, 0.5]).0 - 0.5).abs() < 1e-3);
    }
}
