//! What models can do, as far as is known: measured where outcomes or public benchmarks are at hand,
//! guessed from price and age where not, and in any case as the operator says. Guesses are pessimistic,
//! so that nobody is chosen for being unknown.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::LazyLock,
};

use waystation_catalog::Model;
use waystation_core::Trust;

use crate::{
    Task,
    arithmetic::{log2, number},
    matches,
};

/// The measured rows of this build.
static TABLE: LazyLock<HashMap<String, Row>> = LazyLock::new(table);

/// Of a guess and of a measure so many deviations are taken off.
const CAUTION: f32 = 0.5;
/// The deviation of a guess from price and age, in logits.
const GUESSED: f32 = 1.0;
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
}

/// Where an ability comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Basis {
    /// The operator says so.
    Operator,
    /// Measured, by this source at this date.
    Measured(String),
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

/// One measured row.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    /// By field; general is always there.
    logits: BTreeMap<u8, f32>,
    /// How unsure they are.
    deviation: f32,
    /// Who measured, and when.
    source: &'static str,
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

// === impl Ability ===

impl Ability {
    /// What is known of a model for a task that is `confidence` sure, from 0 to 1.
    ///
    /// The operator's word comes first, then a measured row, then the guess. What a row says of the
    /// task's field counts as much as the task is sure: where the kind of prompt is in doubt, models keep
    /// the order of their general abilities. That is the gate: on foreign prompts nobody gets ahead for
    /// what was measured on others.
    #[must_use]
    pub fn of(model: &Model, (task, confidence): (Task, f32), overrides: &Overrides) -> Self {
        if let Some(quality) = overrides.of(model.id.as_str(), task) {
            return Self {
                mean: crate::arithmetic::logit(quality),
                deviation: 0.0,
                basis: Basis::Operator,
            };
        }
        let name = plain(model.id.as_str());
        let row = TABLE.get(&name).or_else(|| TABLE.get(undated(&name)));
        match row {
            Some(row) => row.ability(Field::of(task), confidence),
            None => Self::guessed(model),
        }
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
            mean: -2.2 + 0.33 * log2(1.0 + price) + 0.6 * years + reasons,
            deviation: GUESSED,
            basis: Basis::Guessed,
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

// === impl Row ===

impl Row {
    /// Between the general column and the one of the field.
    fn ability(&self, field: Field, confidence: f32) -> Ability {
        let known = self.logits.get(&field.column());
        let general = self.logits.get(&Field::General.column());
        let general = general.copied().unwrap_or_default();
        let special = known.map_or(0.0, |known| known - general);
        Ability {
            mean: general + gate(confidence) * special,
            // What was measured of something else says less.
            deviation: if known.is_some() {
                self.deviation
            } else {
                self.deviation + 0.3
            },
            basis: Basis::Measured(self.source.to_owned()),
        }
    }
}

/// How much a field counts: nothing up to a confidence of a half, then more and more.
fn gate(confidence: f32) -> f32 {
    ((confidence - 0.5) * 2.0).clamp(0.0, 1.0)
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

/// An id as the tables spell it, so that the spellings of different houses meet: without author and variant, hyphens for dots and low lines.
pub(crate) fn plain(id: &str) -> String {
    let slug = id.split_once('/').map_or(id, |(_, slug)| slug);
    let slug = slug.split_once([':', '@']).map_or(slug, |(slug, _)| slug);
    slug.to_ascii_lowercase().replace(['.', '_'], "-")
}

/// The same without a date or a build number at its end.
pub(crate) fn undated(name: &str) -> &str {
    let mut rest = name;
    while let Some((head, tail)) = rest.rsplit_once('-') {
        let digits = tail.len() >= 2 && tail.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || (tail.len() == 2 && rest.len() == name.len() && !name.contains("-20")) {
            break;
        }
        rest = head;
    }
    rest
}

/// Reads `data/abilities.txt` and `data/measured.txt`; a row of the first counts more.
fn table() -> HashMap<String, Row> {
    let files = [
        include_str!("../data/measured.txt"),
        include_str!("../data/abilities.txt"),
    ];
    let mut table = HashMap::new();
    let lines = files.into_iter().flat_map(str::lines);
    for (name, row) in lines.filter(|line| !line.starts_with('#')).filter_map(row) {
        let short = undated(&name).to_owned();
        table.entry(short).or_insert_with(|| row.clone());
        table.insert(name, row);
    }
    table
}

/// `name | general code math knowledge reasoning | deviation | source`, where `-` is unknown.
fn row(line: &'static str) -> Option<(String, Row)> {
    let mut parts = line.split('|').map(str::trim);
    let (name, logits, deviation, source) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let columns = (0_u8..).zip(logits.split_whitespace());
    let logits = columns.filter_map(|(at, text)| Some((at, text.parse().ok()?)));
    let row = Row {
        logits: logits.collect(),
        deviation: deviation.parse().ok()?,
        source,
    };
    Some((plain(name), row))
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
            let ability = Ability::of(model, (Task::Math, 1.0), &Overrides::default());
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
    fn rows_are_found_with_and_without_a_date() {
        for name in [
            "gpt-4o-2024-08-06",
            "gpt-4o",
            "claude-3-5-sonnet-20241022",
            "gpt-4-1106-preview",
        ] {
            assert!(TABLE.contains_key(name), "{name}");
        }
        assert_eq!(undated("gpt-4o-2024-08-06"), "gpt-4o");
        assert_eq!(undated("claude-3-5-sonnet-20241022"), "claude-3-5-sonnet");
        assert_eq!(undated("o1-mini"), "o1-mini");
        assert_eq!(undated("llama-3-70b"), "llama-3-70b");
        assert_eq!(plain("acme/Fast_1.5:free"), "fast-1-5");
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
