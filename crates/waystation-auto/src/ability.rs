//! What models can do, as far as is known: measured where outcomes or public benchmarks are at hand,
//! guessed from price and age where not, and in any case as the operator says. Guesses are pessimistic,
//! so that nobody is chosen for being unknown.

mod table;

pub(crate) use table::Compared;
pub use table::{Abilities, spelled};

use std::fmt;

use waystation_catalog::Model;
use waystation_core::Trust;

use crate::{
    Task,
    arithmetic::{log2, number},
    matches,
};

/// Of a guess and of a measure so many deviations are taken off.
const CAUTION: f32 = 0.5;
/// The deviation of a guess from price and age, in logits.
const GUESSED: f32 = 1.0;
/// No guess is better than this: nobody is taken for one of the best for its price.
const BEST_GUESS: f32 = 4.0;
/// A model of unknown price is taken for this much, in thousandths of a dollar per million tokens.
const UNPRICED: f32 = 50.0;
/// What an operator's own model without a date is taken for: 2025-07-01.
const CHOSEN: u64 = 1_751_328_000;
/// Midnight of 2023-07-01, from where age counts, and the seconds of a year.
const START: u64 = 1_688_169_600;
const YEAR: f32 = 31_557_600.0;

/// Groups of tasks that abilities are known for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// Anything.
    General,
    /// Writing and reading code.
    Code,
    /// Calculating and proving.
    Math,
    /// Knowing.
    Knowledge,
    /// Working things out.
    Reasoning,
}

/// What one model can do, in logits, and how sure that is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Ability {
    /// The estimate; 0 is even odds on a usual prompt.
    pub mean: f32,
    /// Its deviation.
    pub deviation: f32,
    /// Where it comes from.
    pub basis: Basis,
    /// What was measured for the task, where the operator gives a level as well.
    pub(crate) measured: Option<f32>,
    /// The operator says that it is this, and not only how well the model usually does.
    pub(crate) told: bool,
}

/// Where an ability comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Basis {
    /// The operator says so.
    Operator,
    /// Measured, by this source at this date.
    Measured(&'static str),
    /// Feedback moved it from there.
    Feedback,
    /// Guessed from price and age.
    Guessed,
}

/// Abilities as the operator says them: for patterns of ids, a quality from 0 to 1, of all tasks or of
/// one. The last that fits counts; one of a task goes before one of all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides(Vec<Override>);

/// One line of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    /// Which models.
    pub pattern: String,
    /// Which task; `None` is all.
    pub task: Option<Task>,
    /// The quality on a usual prompt, from 0 to 1.
    pub quality: f32,
}

/// What is known of a model whatever it is asked.
#[derive(Clone, Debug)]
pub(crate) enum Prior {
    /// A row of the tables.
    Row(&'static table::Row),
    /// A guess.
    Guess(Ability),
}

// === impl Field ===

impl Field {
    /// All, in the order of the table's columns.
    pub const ALL: [Self; 5] = [
        Self::General,
        Self::Code,
        Self::Math,
        Self::Knowledge,
        Self::Reasoning,
    ];

    /// What a task needs.
    #[must_use]
    pub fn of(task: Task) -> Self {
        match task {
            Task::Math | Task::DataAnalysis => Self::Math,
            Task::QaKnowledge | Task::ResearchReport | Task::Tutoring => Self::Knowledge,
            Task::Reasoning | Task::Planning | Task::AgentPlanning | Task::AgentTools => {
                Self::Reasoning
            }
            task if task.is_code() => Self::Code,
            _ => Self::General,
        }
    }

    /// The field whose figures stand in for it where it was not measured itself.
    const fn near(self) -> Option<Self> {
        match self {
            Self::Knowledge => Some(Self::Reasoning),
            Self::Reasoning => Some(Self::Knowledge),
            Self::General | Self::Code | Self::Math => None,
        }
    }

    /// Whether it is that field, or one that goes together with it.
    pub(crate) fn is_near(self, other: Self) -> bool {
        self == other || self.near() == Some(other)
    }

    /// Its place in the order of [`ALL`](Self::ALL).
    pub(crate) const fn place(self) -> usize {
        self.column() as usize
    }

    /// Its column in the tables, which never changes its meaning: rows are data.
    const fn column(self) -> u8 {
        match self {
            Self::General => 0,
            Self::Code => 1,
            Self::Math => 2,
            Self::Knowledge => 3,
            Self::Reasoning => 4,
        }
    }
}

// === impl Overrides ===

impl Overrides {
    /// From the operator's lines, in their order.
    #[must_use]
    pub const fn new(lines: Vec<Override>) -> Self {
        Self(lines)
    }

    /// The quality that the operator gives a model for a task.
    ///
    /// Later lines go before earlier ones.
    fn of(&self, id: &str, task: Task) -> Option<f32> {
        let fits = |line: &&Override| matches(&line.pattern, id);
        let mut lines = self.0.iter().rev().filter(fits);
        let exact = |line: &&Override| line.task == Some(task);
        let any = |line: &&Override| line.task.is_none();
        let line = lines.clone().find(exact).or_else(|| lines.find(any));
        line.map(|line| line.quality)
    }
}

// === impl Prior ===

impl Prior {
    /// What is known of a model before anything is asked: looked up once for a catalogue.
    pub(crate) fn of(model: &Model, known: &'static Abilities) -> Self {
        let row = known.row(model.id.as_str());
        row.map_or_else(|| Self::Guess(Ability::guessed(model)), Self::Row)
    }

    /// What the model can do at any task, with caution.
    pub(crate) fn general(&self) -> f32 {
        match self {
            Self::Row(row) => row.general() - CAUTION * row.deviation(),
            Self::Guess(guess) => guess.counted(),
        }
    }

    /// The measured row, where there is one.
    pub(crate) const fn row(&self) -> Option<&'static table::Row> {
        match self {
            Self::Row(row) => Some(row),
            Self::Guess(_) => None,
        }
    }
}

// === impl Ability ===

impl Ability {
    /// What is known of a model for a task whose field is `confidence` sure, from 0 to 1; `prior` is the model's.
    /// `compared` says in which columns the candidates are compared.
    ///
    /// The operator's word (`overrides`) comes first, then a measured row, then the guess. A level that the operator gives
    /// (`levels`) takes the place of both, and what was measured for the field stays beside it. What a row says of the
    /// task's field counts as much as the task is sure: where the kind of prompt is in doubt, models keep
    /// the order of their general abilities. That is the gate: on foreign prompts nobody gets ahead for
    /// what was measured on others.
    pub(crate) fn of(
        model: &Model,
        prior: Option<&Prior>,
        (task, confidence, compared): (Task, f32, Compared),
        (overrides, levels): (&Overrides, &Overrides),
    ) -> Self {
        if let Some(quality) = overrides.of(model.id.as_str(), task) {
            return Self {
                mean: crate::arithmetic::logit(quality),
                deviation: 0.0,
                basis: Basis::Operator,
                measured: None,
                told: true,
            };
        }
        let mut known = match prior {
            Some(Prior::Row(row)) => row.ability(Field::of(task), confidence, compared),
            Some(Prior::Guess(guess)) => guess.clone(),
            None => Self::guessed(model),
        };
        if let Some(level) = levels.of(model.id.as_str(), task) {
            let row = prior.and_then(Prior::row);
            let measured = row.filter(|row| row.knows(Field::of(task)));
            let measured = measured.map(|_| known.mean);
            known.mean = crate::arithmetic::logit(level);
            known.deviation = 0.0;
            known.measured = measured;
            known.basis = Basis::Operator;
        }
        known
    }

    /// The estimate with caution: what may be counted on.
    #[must_use]
    pub fn counted(&self) -> f32 {
        self.mean - CAUTION * self.deviation
    }

    /// From price and age: dearer and newer models are abler, on the whole. The slopes are
    /// set by hand: they give the order that published results of 2023 to 2025 have, and no more.
    fn guessed(model: &Model) -> Self {
        let price = price(model).map_or(UNPRICED, |nanos| thousandths(nanos / 4));
        // Of an operator's own model without a date nothing is known but that somebody chose it.
        let own = if model.as_of.is_empty() {
            CHOSEN
        } else {
            START
        };
        let age = model.created.unwrap_or(own).saturating_sub(START);
        let years = (number(usize::try_from(age).unwrap_or_default()) / YEAR).min(4.0);
        let reasons = if model.reasoning { 0.3 } else { 0.0 };
        Self {
            mean: (-2.2 + 0.33 * log2(1.0 + price) + 0.6 * years + reasons).min(BEST_GUESS),
            deviation: GUESSED,
            basis: Basis::Guessed,
            measured: None,
            told: false,
        }
    }
}

/// Nano-dollars as thousandths of a dollar.
#[expect(
    clippy::cast_precision_loss,
    reason = "a guess takes no digits beyond the seventh"
)]
fn thousandths(nanos: u128) -> f32 {
    (nanos / 1_000) as f32 / 1_000.0
}

impl fmt::Display for Basis {
    /// As explanations print it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator => f.write_str("operator"),
            Self::Measured(source) => write!(f, "measured: {source}"),
            Self::Feedback => f.write_str("feedback"),
            Self::Guessed => f.write_str("guessed from price and age"),
        }
    }
}

/// The price of a model's cheapest endpoint among those of the firmest rank, prompt three times and
/// completion once: a reseller's offer or a trial says little of what a model is worth.
pub(crate) fn price(model: &Model) -> Option<u128> {
    let priced = model
        .endpoints
        .iter()
        .filter(|endpoint| endpoint.variant.is_none());
    priced
        .filter_map(|endpoint| Some((endpoint.trust, endpoint.price.rates.blended_x4()?)))
        .min_by_key(|(trust, price): &(Trust, u128)| (*trust, *price))
        .map(|(_, price)| price)
}

#[cfg(test)]
mod tests {
    use waystation_catalog::Catalog;

    use super::*;

    #[test]
    fn every_model_of_the_catalogue_has_an_ability_with_its_basis() {
        let catalog = Catalog::bundled().unwrap();
        let (mut measured, mut all) = (0, 0);
        for model in catalog.models() {
            let prior = Prior::of(model, Abilities::bundled());
            let task = (Task::Math, 1.0, Compared::Both);
            let none = Overrides::default();
            let ability = Ability::of(model, Some(&prior), task, (&none, &none));
            assert!(
                ability.mean.is_finite() && ability.deviation > 0.0,
                "{}",
                model.id
            );
            assert!(
                (-4.0..8.0).contains(&ability.counted()),
                "{} {ability:?}",
                model.id
            );
            measured += usize::from(matches!(ability.basis, Basis::Measured(_)));
            all += 1;
        }
        println!("{measured} of {all} measured");
        assert!(measured > 10, "{measured} of {all}");
    }

    #[test]
    fn a_level_takes_the_place_of_an_ability_and_what_was_measured_of_the_field_stays_beside_it() {
        let catalog = Catalog::bundled().unwrap();
        let model = catalog.model("openai/gpt-4o-mini").unwrap();
        let prior = Prior::of(model, Abilities::bundled());
        let none = Overrides::default();
        let of = |levels: &Overrides, task| {
            let task = (task, 1.0, Compared::Both);
            Ability::of(model, Some(&prior), task, (&none, levels))
        };
        let level = Overrides::new(vec![Override {
            pattern: "*".into(),
            task: None,
            quality: 0.5,
        }]);
        let told = of(&level, Task::CodeSql);
        assert!(told.mean.abs() < 1e-2 && told.basis == Basis::Operator);
        assert_eq!(told.measured, Some(of(&none, Task::CodeSql).mean));
        assert_eq!(of(&none, Task::CodeSql).measured, None);
        // It was never asked for knowledge, nor for reasoning.
        assert_eq!(of(&level, Task::QaKnowledge).measured, None);
    }

    #[test]
    fn the_operator_has_the_last_word_and_a_task_goes_before_all() {
        let line = |pattern: &str, task, quality| Override {
            pattern: pattern.into(),
            task,
            quality,
        };
        let overrides = Overrides::new(vec![
            line("a/*", Some(Task::Math), 0.9),
            line("a/*", None, 0.5),
            line("a/b", None, 0.6),
        ]);
        assert_eq!(overrides.of("a/b", Task::Chat), Some(0.6));
        assert_eq!(overrides.of("a/c", Task::Chat), Some(0.5));
        assert_eq!(overrides.of("a/b", Task::Math), Some(0.9));
        assert_eq!(overrides.of("b/b", Task::Math), None);
    }
}
