//! Judges by past scores, without asking anybody, whether feedback would have made decisions better.
//! It reads what the records hold; it changes nothing.
//!
//! The estimate is inverse propensity scoring (Horvitz and Thompson, 1952; for policies: Bottou et al.,
//! 2013), with clipped weights and self-normalised beside it (Swaminathan and Joachims, 2015). Where
//! the record's choice had no chance to be another, the record cannot speak for another, and the
//! replay says so.

use waystation_core::{Json, ModelId, UnixMs};

use crate::{
    Task,
    arithmetic::{logistic, logit},
    experience::{Experience, Observation, Shifts},
};

/// The largest weight of one record in the clipped estimate.
const CLIP: f64 = 20.0;
/// With fewer records that speak for a policy, nothing is said of it.
const FEW: f64 = 30.0;
/// Of the choices of a policy at most this share may be ones that the record never tries.
const UNTRIED: f64 = 0.1;
/// A difference of so many standard errors is more than noise.
const CLEAR: f64 = 2.0;

/// One decision and the score of its answer, as the records hold it.
#[derive(Clone, Debug, PartialEq)]
pub struct Logged {
    task: Task,
    score: f64,
    at: UnixMs,
    /// Among the candidates.
    chosen: usize,
    candidates: Vec<Candidate>,
}

/// A model that could have been chosen.
#[derive(Clone, Debug, PartialEq)]
struct Candidate {
    model: ModelId,
    /// Its quality without feedback.
    quality: f32,
    /// What cost took off, or added.
    rest: f32,
    propensity: f64,
}

/// What a replay found.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Replay {
    /// Records that could be used.
    pub records: usize,
    /// The mean of their scores: what the decisions as they were made gave.
    pub mean: f64,
    /// The best candidate by the estimates alone.
    pub without: Estimate,
    /// The best one with what feedback had taught up to then.
    pub with: Estimate,
    /// How many choices the two have in different ways.
    pub differing: usize,
    /// Mean and standard error of what the second gives more, self-normalised and centred.
    pub gain: (f64, f64),
    /// What that means.
    pub verdict: Verdict,
}

/// What a way of choosing would have given.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Estimate {
    /// By inverse propensities: without bias, and noisy.
    pub ips: f64,
    /// The same with no weight above 20.
    pub clipped: f64,
    /// The same divided by the sum of weights; `None` where no record speaks for it.
    pub normalised: Option<f64>,
    /// The standard error of `ips`.
    pub error: f64,
    /// How many records of equal weight would tell as much.
    pub effective: f64,
    /// Records whose choice is the same.
    pub matched: usize,
    /// Choices that had no chance in the record: there `ips` counts them as nothing.
    pub untried: usize,
}

/// Whether feedback is to be switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Too few records speak for one of the two.
    TooFew,
    /// Too many choices were never tried: let the router explore first.
    Untried,
    /// Nothing would have been decided in another way.
    Same,
    /// The difference is noise.
    Noise,
    /// It gives more.
    Better,
    /// It gives less.
    Worse,
}

/// Sums over the records for one way of choosing.
#[derive(Debug, Default)]
struct Sums {
    weights: Vec<f64>,
    matched: usize,
    untried: usize,
}

// === impl Logged ===

impl Logged {
    /// Reads one record: `{"score", "at", "model", "choice": {"task_type", "candidates"}}`, as
    /// `GET /v1/feedback` writes it.
    ///
    /// # Errors
    /// Why the record cannot be used, in words that are the same for the same reason.
    pub fn read(record: Json<'_>) -> Result<Self, &'static str> {
        let score = record.get("score").and_then(Json::f64);
        let score = score.filter(|score| (0.0..=1.0).contains(score));
        let score = score.ok_or("no score from 0 to 1")?;
        let at = record.get("at").and_then(Json::u64).ok_or("no time")?;
        let choice = record.get("choice").filter(|choice| !choice.is_null());
        let choice = choice.ok_or("not chosen by the auto router")?;
        if choice.at(&["judge", "model"]).is_some() {
            return Err("chosen by a hosted judge");
        }
        let task = choice.get("task_type").and_then(Json::string);
        let task = task
            .and_then(|name| Task::named(&name))
            .ok_or("unknown task")?;
        let list = choice
            .get("candidates")
            .into_iter()
            .flat_map(Json::elements);
        let candidates: Option<Vec<Candidate>> = list.map(Candidate::read).collect();
        let candidates = candidates.ok_or("candidates without quality or propensity")?;
        let served = record.get("model").and_then(Json::string);
        let served = served.ok_or("no model")?;
        let first = candidates.first().ok_or("no candidates")?;
        if first.model.as_str() != &*served {
            return Err("answered by another model than the chosen one");
        }
        if first.propensity <= 0.0 {
            return Err("kept for its conversation or pinned");
        }
        Ok(Self {
            task,
            score,
            at: UnixMs::new(at),
            chosen: 0,
            candidates,
        })
    }

    /// What experience is to learn from it.
    #[must_use]
    pub fn observation(&self) -> Option<Observation> {
        let chosen = self.candidates.get(self.chosen)?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a share needs no more digits"
        )]
        let score = self.score as f32;
        Some(Observation {
            task: self.task,
            model: chosen.model.clone(),
            expected: chosen.quality,
            score,
            at: self.at,
        })
    }

    /// The best candidate where feedback has moved abilities by `shifts`. Of equals, the one that was likelier
    /// to go first: the router's own order had it before the others.
    fn best(&self, shifts: &Shifts) -> usize {
        let value = |one: &Candidate| {
            let shift = shifts.of(self.task, &one.model);
            let value = logistic(logit(one.quality) + shift) + one.rest;
            // Records have four digits.
            (f64::from((value * 10_000.0).round()), one.propensity)
        };
        let values = self.candidates.iter().map(value).enumerate();
        let start = (0, (f64::MIN, 0.0));
        let best = values.fold(
            start,
            |best, (at, value)| {
                if value > best.1 { (at, value) } else { best }
            },
        );
        best.0
    }
}

// === impl Candidate ===

impl Candidate {
    /// One candidate of a record; its quality is taken back to what it was without feedback.
    fn read(json: Json<'_>) -> Option<Self> {
        #[expect(clippy::cast_possible_truncation, reason = "four digits are written")]
        let figure = |key: &str| Some(json.get(key)?.f64()? as f32);
        let (decided, score) = (figure("quality")?, figure("score")?);
        let shift = figure("shift").unwrap_or_default();
        let quality = logistic(logit(decided) - shift);
        Some(Self {
            model: json.get("model")?.string()?.parse().ok()?,
            quality,
            rest: score - decided,
            propensity: json.get("propensity")?.f64()?,
        })
    }
}

// === impl Sums ===

impl Sums {
    /// Takes in one record, where this way of choosing takes the candidate at `choice`.
    fn add(&mut self, logged: &Logged, choice: usize) {
        let chance = |at: usize| logged.candidates.get(at).map_or(0.0, |one| one.propensity);
        let same = choice == logged.chosen;
        self.untried += usize::from(chance(choice) <= 0.0);
        self.matched += usize::from(same);
        let weight = if same { 1.0 / chance(choice) } else { 0.0 };
        self.weights.push(weight);
    }

    /// The estimates of all of it.
    fn estimate(&self, scores: &[f64]) -> Estimate {
        let count = float(scores.len().max(1));
        let sum = |value: &dyn Fn(f64, f64) -> f64| -> f64 {
            let pairs = self.weights.iter().zip(scores);
            pairs.map(|(weight, score)| value(*weight, *score)).sum()
        };
        let ips = sum(&|weight, score| weight * score) / count;
        let whole = sum(&|weight, _| weight);
        let squares = sum(&|weight, _| weight * weight);
        let spread = sum(&|weight, score| (weight * score - ips).powi(2)) / count;
        Estimate {
            ips,
            clipped: sum(&|weight, score| weight.min(CLIP) * score) / count,
            normalised: (whole > 0.0).then(|| ips * count / whole),
            error: (spread / count).sqrt(),
            effective: if squares > 0.0 {
                whole * whole / squares
            } else {
                0.0
            },
            matched: self.matched,
            untried: self.untried,
        }
    }
}

/// Replays records in the order of their times: each decision is made with what was learned before it,
/// then its score is learned from.
#[must_use]
pub fn replay(mut records: Vec<Logged>) -> Replay {
    records.sort_by_key(|record| record.at);
    let mut experience = Experience::default();
    let (mut without, mut with) = (Sums::default(), Sums::default());
    let (none, mut differing) = (Shifts::default(), 0);
    for record in &records {
        let plain = record.best(&none);
        let taught = record.best(&experience.shifts(record.at));
        differing += usize::from(plain != taught);
        without.add(record, plain);
        with.add(record, taught);
        if let Some(seen) = record.observation() {
            experience.note(&seen);
        }
    }
    let scores: Vec<f64> = records.iter().map(|record| record.score).collect();
    let mean = scores.iter().sum::<f64>() / float(scores.len().max(1));
    let gain = gain(&scores, mean, (&without.weights, &with.weights));
    let untried = with.untried;
    let (without, with) = (without.estimate(&scores), with.estimate(&scores));
    let verdict = if without.effective.min(with.effective) < FEW {
        Verdict::TooFew
    } else if differing == 0 {
        Verdict::Same
    } else if float(untried) > UNTRIED * float(records.len()) {
        Verdict::Untried
    } else if gain.0.abs() <= CLEAR * gain.1 {
        Verdict::Noise
    } else if gain.0 > 0.0 {
        Verdict::Better
    } else {
        Verdict::Worse
    };
    Replay {
        records: records.len(),
        mean,
        without,
        with,
        differing,
        gain,
        verdict,
    }
}

/// Mean and standard error of the paired difference; scores are taken from their mean, so that
/// weights that do not sum to one count for neither.
fn gain(scores: &[f64], mean: f64, (without, with): (&[f64], &[f64])) -> (f64, f64) {
    let pairs = scores.iter().zip(without.iter().zip(with));
    let each: Vec<f64> = pairs
        .map(|(score, (without, with))| (with - without) * (score - mean))
        .collect();
    let count = float(each.len().max(1));
    let middle = each.iter().sum::<f64>() / count;
    let spread = each.iter().map(|one| (one - middle).powi(2)).sum::<f64>() / count;
    (middle, (spread / count).sqrt())
}

/// Counts here are far below what an f64 holds exactly.
#[expect(clippy::cast_precision_loss, reason = "see above")]
const fn float(count: usize) -> f64 {
    count as f64
}

impl Verdict {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::TooFew => "too few records speak for one of the two ways: nothing can be said",
            Self::Untried => {
                "too many choices were never tried in the records: set [plugins.auto-router] explore and collect more"
            }
            Self::Same => "feedback would have changed no decision",
            Self::Noise => "the difference is within noise: no reason to switch feedback on",
            Self::Better => "feedback would have given more than noise",
            Self::Worse => "feedback would have given less: leave it off",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two models that are thought equal but for `lead` of the first; the second is truly better.
    /// Chosen half and half, or the first always.
    fn records(count: u64, explored: bool) -> Vec<Logged> {
        let one = |at: u64| {
            let second = explored && at % 2 == 1;
            let (names, rests) = if second {
                (["a/two", "a/one"], [0.0, 0.02])
            } else {
                (["a/one", "a/two"], [0.02, 0.0])
            };
            let propensity = |first: bool| match (explored, first) {
                (true, _) => 0.5,
                (false, true) => 1.0,
                (false, false) => 0.0,
            };
            let candidate = |(at, (name, rest)): (usize, (&str, f32))| Candidate {
                model: name.parse().unwrap(),
                quality: 0.6,
                rest,
                propensity: propensity(at == 0),
            };
            let candidates = names.into_iter().zip(rests).enumerate();
            let right = if second {
                at % 10 != 1
            } else {
                at.is_multiple_of(4)
            };
            Logged {
                task: Task::Math,
                score: f64::from(u8::from(right)),
                at: UnixMs::new(at * 1_000),
                chosen: 0,
                candidates: candidates.map(candidate).collect(),
            }
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn a_better_model_is_found_where_it_was_tried() {
        let found = replay(records(1_000, true));
        assert_eq!(found.verdict, Verdict::Better, "{found:?}");
        // The first is right half of the times that it was chosen, the second four of five times.
        let value = |estimate: Estimate| estimate.normalised.unwrap();
        assert!((value(found.without) - 0.5).abs() < 0.02, "{found:?}");
        assert!(value(found.with) > 0.75, "{found:?}");
        assert!(found.with.untried == 0 && found.with.effective > 400.0);
    }

    #[test]
    fn what_was_never_tried_is_not_judged() {
        let few = replay(records(20, true));
        assert_eq!(few.verdict, Verdict::TooFew, "{few:?}");
        let found = replay(records(400, false));
        // One model alone is moved nowhere, so nothing differs.
        assert_eq!((found.verdict, found.differing), (Verdict::Same, 0));
        assert!((found.without.ips - found.mean).abs() < 1e-9);
    }

    #[test]
    fn records_that_say_too_little_are_refused_with_the_reason() {
        let read = |text: &str| Logged::read(Json::parse(text.as_bytes()).unwrap());
        let whole = r#"{"score": 1, "at": 5, "model": "a/b", "choice": {"task_type": "math", "candidates":
            [{"model": "a/b", "quality": 0.7, "score": 0.6, "propensity": 1, "shift": 0.2}]}}"#;
        let logged = read(whole).unwrap();
        let seen = logged.observation().unwrap();
        assert!((seen.expected - 0.656).abs() < 0.002, "{seen:?}");
        for (from, to, reason) in [
            ("\"score\": 1", "\"score\": 2", "no score from 0 to 1"),
            (
                "\"model\": \"a/b\", \"choice",
                "\"model\": \"a/c\", \"choice",
                "answered by another",
            ),
            ("math", "nonsense", "unknown task"),
            ("\"propensity\": 1", "\"propensity\": 0", "kept"),
            (
                "\"task_type\"",
                "\"judge\": {\"model\": \"a/b\"}, \"task_type\"",
                "judge",
            ),
        ] {
            let error = read(&whole.replace(from, to)).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
