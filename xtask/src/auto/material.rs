//! Everything that training looks at, in figures: the labelled prompts with their perturbations, and
//! the seeds of tasks.

use std::collections::BTreeSet;

use waystation_auto::{FEATURES, Task, figures};

use super::{
    examples::{self, Example},
    perturbation::{Dice, KINDS, perturbed},
};
use crate::failure::Failure;

/// The models whose gap is learned.
pub(crate) const STRONG: &str = "gpt-4-1106-preview";
pub(crate) const WEAK: &str = "mixtral-8x7b-instruct";

/// A prompt in figures, as it was written and then in each perturbation.
pub(crate) type Variants = Vec<[f32; FEATURES]>;

/// What is trained on.
pub(crate) struct Material {
    pub(crate) examples: Vec<Example>,
    pub(crate) figures: Vec<Variants>,
    pub(crate) models: Vec<String>,
    /// Prompts of known tasks.
    pub(crate) seeds: Vec<(Task, Variants)>,
}

// === impl Material ===

impl Material {
    pub(crate) fn read() -> Result<Self, Failure> {
        let examples = examples::read(&examples::folder())?;
        let names: BTreeSet<&String> = examples
            .iter()
            .flat_map(|example| example.scores.keys())
            .collect();
        let models = names.into_iter().cloned().collect();
        let mut dice = Dice::new(1);
        let figures = examples
            .iter()
            .map(|example| variants(&example.prompt, &mut dice))
            .collect();
        let seeds = seeds(&mut dice)?;
        Ok(Self {
            examples,
            figures,
            models,
            seeds,
        })
    }

    /// The place of a model.
    pub(crate) fn model(&self, name: &str) -> Result<usize, Failure> {
        let at = self.models.iter().position(|model| model == name);
        at.ok_or_else(|| Failure::new(format!("no outcomes of {name} in {}", examples::FOLDER)))
    }

    /// The examples that a question about them is true of.
    pub(crate) fn chosen(&self, wanted: impl Fn(&Example) -> bool) -> Vec<usize> {
        let all = self.examples.iter().enumerate();
        all.filter(|(_, example)| wanted(example))
            .map(|(at, _)| at)
            .collect()
    }

    /// The same without some examples.
    pub(crate) fn without(&self, held: impl Fn(&Example) -> bool) -> Self {
        let left = self.chosen(|example| !held(example));
        Self {
            examples: left.iter().map(|at| self.examples[*at].clone()).collect(),
            figures: left.iter().map(|at| self.figures[*at].clone()).collect(),
            models: self.models.clone(),
            seeds: self.seeds.clone(),
        }
    }

    /// Those with outcomes of both models, and the strong one's gain on each.
    pub(crate) fn gains(
        &self,
        chosen: &[usize],
        strong: &str,
        weak: &str,
    ) -> (Vec<usize>, Vec<f32>) {
        let gain = |at: &usize| {
            let scores = &self.examples[*at].scores;
            Some((*at, scores.get(strong)? - scores.get(weak)?))
        };
        chosen.iter().filter_map(gain).unzip()
    }
}

fn variants(prompt: &str, dice: &mut Dice) -> Variants {
    let mut all = vec![figures(prompt)];
    all.extend(
        KINDS
            .iter()
            .map(|kind| figures(&perturbed(prompt, kind, dice))),
    );
    all
}

fn seeds(dice: &mut Dice) -> Result<Vec<(Task, Variants)>, Failure> {
    let lines = include_str!("seeds.txt")
        .lines()
        .filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, prompt) = line.split_once(": ").unwrap_or_default();
            let task = Task::named(name)
                .ok_or_else(|| Failure::new(format!("no task of this name: {line}")))?;
            Ok((task, variants(&prompt.replace("\\n", "\n"), dice)))
        })
        .collect()
}

/// The task that a benchmark's prompts are, where that is plain.
pub(crate) fn task_of(example: &Example) -> Option<Task> {
    let subject = example.subject.as_str();
    match example.bench.as_str() {
        "math" | "math-l5" => Some(Task::Math),
        "mbpp" => Some(Task::CodeGeneration),
        "crux" => Some(Task::CodeExplanation),
        "agentverse-logicgrid" => Some(Task::Reasoning),
        "mmlu" | "mmlu-pro"
            if subject.ends_with("math")
                || subject.ends_with("mathematics")
                || subject == "abstract_algebra" =>
        {
            Some(Task::Math)
        }
        "mmlu" | "mmlu-pro"
            if matches!(
                subject,
                "computer science" | "logical_fallacies" | "econometrics"
            ) =>
        {
            None
        }
        "mmlu" | "mmlu-pro" | "arc-c" | "openbook_qa" | "natural_qa" => Some(Task::QaKnowledge),
        _ => None,
    }
}
