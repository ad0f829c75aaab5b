//! What feedback teaches: how much better or worse a model does at a task than was thought. It is
//! bounded in every way, it forgets, and it reads no clock: whoever brings a score says when.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use waystation_core::{ModelId, UnixMs};

use crate::{
    Task,
    arithmetic::{exp, number},
};

/// What was thought beforehand counts as much as so many outcomes at even odds.
const PRIOR: f32 = 100.0;
/// What such an outcome tells, in Fisher's information of a logit.
const INFORMATION: f32 = 0.25;
/// No model is moved further, in logits.
const FARTHEST: f32 = 1.0;
/// After so long a score counts half, in milliseconds: thirty days.
const HALF_LIFE: f32 = 2_592_000_000.0;
/// The most pairs of a task and a model that are remembered.
const PAIRS: usize = 4_096;
/// A pair that counts less than this much of a score is forgotten first.
const FORGOTTEN: f32 = 0.05;
/// So many scores of one client key count in a day.
const DAILY: u32 = 200;
/// A day, in milliseconds.
const DAY: u64 = 86_400_000;

/// One score of an answer, and what was expected of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// The task that the prompt was taken for.
    pub task: Task,
    /// Who answered.
    pub model: ModelId,
    /// The quality that was expected without any feedback, from 0 to 1.
    pub expected: f32,
    /// The score, from 0 to 1.
    pub score: f32,
    /// When it came.
    pub at: UnixMs,
}

/// What is learned from scores.
///
/// A model's shift at a task is one Newton step of a logistic model with a normal prior, from what was
/// thought of it: the scores less what was expected, over the prior's precision and the information
/// in them. What all models of a task have in common is taken off, since people who score kindly say
/// nothing about the order of models; one model alone is therefore never moved.
#[derive(Clone, Debug, Default)]
pub struct Experience {
    /// Never more than [`PAIRS`].
    sums: BTreeMap<(Task, ModelId), Sums>,
}

/// Decaying sums over the scores of one model at one task.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    /// Scores less what was expected.
    residual: f32,
    /// How many.
    weight: f32,
    /// What they tell.
    information: f32,
    /// When that was so.
    at: UnixMs,
}

/// How far models are moved, in logits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shifts(HashMap<(Task, ModelId), f32>);

/// Experience that is shared: written when a score comes, read by every decision.
#[derive(Debug, Default)]
pub struct Learned {
    /// Whoever gives a score waits for others who do; no decision does.
    writing: Mutex<Writing>,
    /// Replaced as a whole.
    shifts: ArcSwap<Shifts>,
}

/// What is written under the lock.
#[derive(Debug, Default)]
struct Writing {
    experience: Experience,
    /// By client key: the day, and how many scores counted. As many as there are keys.
    counts: HashMap<Option<Arc<str>>, (u64, u32)>,
}

/// Whether a score counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// It did.
    Yes,
    /// The key's scores of this day are used up.
    TooMany,
    /// There is no room for another task and model.
    Full,
}

// === impl Experience ===

impl Experience {
    /// Takes one score in; `false` where there is no room for its task and model.
    pub fn note(&mut self, seen: &Observation) -> bool {
        let key = (seen.task, seen.model.clone());
        if !self.sums.contains_key(&key) && self.sums.len() >= PAIRS {
            self.sums
                .retain(|_, sums| sums.at(seen.at).weight > FORGOTTEN);
            if self.sums.len() >= PAIRS {
                return false;
            }
        }
        let sums = self.sums.entry(key).or_default();
        let expected = seen.expected.clamp(0.01, 0.99);
        *sums = sums.at(seen.at);
        sums.residual += seen.score.clamp(0.0, 1.0) - expected;
        sums.weight += 1.0;
        sums.information += expected * (1.0 - expected);
        true
    }

    /// How far models are moved as of `now`.
    #[must_use]
    pub fn shifts(&self, now: UnixMs) -> Shifts {
        let mut tasks: BTreeMap<Task, (f32, f32)> = BTreeMap::new();
        for ((task, _), sums) in &self.sums {
            let (sums, whole) = (sums.at(now), tasks.entry(*task).or_default());
            *whole = (whole.0 + sums.residual, whole.1 + sums.weight);
        }
        let shift = |((task, model), sums): (&(Task, ModelId), &Sums)| {
            let sums = sums.at(now);
            let (residual, weight) = tasks.get(task).copied().unwrap_or_default();
            let common = residual / weight.max(f32::MIN_POSITIVE);
            let own = sums.residual - common * sums.weight;
            let step = own / (PRIOR * INFORMATION + sums.information);
            ((*task, model.clone()), step.clamp(-FARTHEST, FARTHEST))
        };
        Shifts(self.sums.iter().map(shift).collect())
    }
}

// === impl Sums ===

impl Sums {
    /// As they are later: scores fade.
    fn at(self, now: UnixMs) -> Self {
        let passed = now.get().saturating_sub(self.at.get());
        let passed = number(usize::try_from(passed).unwrap_or(usize::MAX));
        let kept = exp(-passed / HALF_LIFE * std::f32::consts::LN_2);
        Self {
            residual: self.residual * kept,
            weight: self.weight * kept,
            information: self.information * kept,
            at: self.at.max(now),
        }
    }
}

// === impl Shifts ===

impl Shifts {
    /// How far `model` is moved at `task`, in logits; 0 without scores.
    #[must_use]
    pub fn of(&self, task: Task, model: &ModelId) -> f32 {
        if self.0.is_empty() {
            return 0.0;
        }
        let key = (task, model.clone());
        self.0.get(&key).copied().unwrap_or_default()
    }
}

// === impl Learned ===

impl Learned {
    /// Takes in a score that the client of `key` gave.
    #[expect(
        clippy::disallowed_methods,
        reason = "who gives a score waits for others who do; no request for an answer passes here"
    )]
    pub fn note(&self, seen: &Observation, key: Option<&Arc<str>>) -> Counted {
        // The data is whole after every statement, so a panic elsewhere does not spoil it.
        let mut writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let today = seen.at.get() / DAY;
        let count = writing.counts.entry(key.cloned()).or_default();
        if count.0 != today {
            *count = (today, 0);
        }
        if count.1 >= DAILY {
            return Counted::TooMany;
        }
        count.1 += 1;
        if !writing.experience.note(seen) {
            return Counted::Full;
        }
        self.shifts
            .store(Arc::new(writing.experience.shifts(seen.at)));
        Counted::Yes
    }

    /// How far models are moved now.
    #[must_use]
    pub fn shifts(&self) -> Arc<Shifts> {
        self.shifts.load_full()
    }

    /// How many pairs of a task and a model are remembered, and at most.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "administration")]
    pub fn size(&self) -> (usize, usize) {
        let writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        (writing.experience.sums.len(), PAIRS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(model: &str, expected: f32, score: f32, day: u64) -> Observation {
        Observation {
            task: Task::Math,
            model: model.parse().unwrap(),
            expected,
            score,
            at: UnixMs::new(day * DAY),
        }
    }

    fn after(scores: &[(&str, f32)], times: u32) -> Shifts {
        let mut experience = Experience::default();
        for _ in 0..times {
            for (model, score) in scores {
                assert!(experience.note(&seen(model, 0.6, *score, 1)));
            }
        }
        experience.shifts(UnixMs::new(DAY))
    }

    fn of(shifts: &Shifts, model: &str) -> f32 {
        shifts.of(Task::Math, &model.parse().unwrap())
    }

    #[test]
    fn better_scores_than_others_move_a_model_up_a_little_and_never_far() {
        let few = after(&[("a/good", 1.0), ("a/bad", 0.0)], 5);
        assert!((0.05..0.15).contains(&of(&few, "a/good")), "{few:?}");
        assert!((of(&few, "a/good") + of(&few, "a/bad")).abs() < 1e-6);
        let many = after(&[("a/good", 1.0), ("a/bad", 0.0)], 10_000);
        assert!((of(&many, "a/good") - 1.0).abs() < 1e-6, "{many:?}");
        assert!((of(&many, "a/bad") + 1.0).abs() < 1e-6);
        assert!(many.of(Task::Chat, &"a/good".parse().unwrap()).abs() < 1e-6);
    }

    #[test]
    fn what_all_models_have_in_common_moves_nobody() {
        for kind in [0.0, 1.0] {
            let shifts = after(&[("a/one", kind), ("a/two", kind)], 100);
            assert!(of(&shifts, "a/one").abs() < 1e-5, "{shifts:?}");
        }
        assert!(of(&after(&[("a/one", 1.0)], 100), "a/one").abs() < 1e-5);
    }

    #[test]
    fn scores_fade_with_time() {
        let mut experience = Experience::default();
        for (model, score) in [("a/good", 1.0), ("a/bad", 0.0)] {
            (0..20).for_each(|_| assert!(experience.note(&seen(model, 0.5, score, 1))));
        }
        let now = of(&experience.shifts(UnixMs::new(DAY)), "a/good");
        let later = of(&experience.shifts(UnixMs::new(31 * DAY)), "a/good");
        // 10 of (25 + 5), then 5 of (25 + 2.5).
        assert!((now - 10.0 / 30.0).abs() < 1e-3 && (later - 5.0 / 27.5).abs() < 1e-3);
    }

    #[test]
    fn a_key_counts_only_so_often_a_day_and_pairs_are_bounded() {
        let learned = Learned::default();
        let key: Arc<str> = "k".into();
        for at in 0..DAILY + 5 {
            let counted = learned.note(&seen("a/b", 0.5, 1.0, 1), Some(&key));
            assert_eq!(counted == Counted::Yes, at < DAILY, "{at}");
        }
        let tomorrow = seen("a/b", 0.5, 1.0, 2);
        assert_eq!(learned.note(&tomorrow, Some(&key)), Counted::Yes);
        let mut experience = Experience::default();
        for at in 0..PAIRS + 10 {
            let noted = experience.note(&seen(&format!("a/m{at}"), 0.5, 1.0, 1));
            assert_eq!(noted, at < PAIRS);
        }
        // A year later all of them are forgotten.
        assert!(experience.note(&seen("a/new", 0.5, 1.0, 366)));
    }
}
