//! An embedded auto router: it picks models for a prompt, without a network and without a clock.
#![doc = include_str!("../README.md")]

mod ability;
mod arithmetic;
mod decision;
mod experience;
mod pattern;
mod prompt;
mod rank;
mod ranker;
mod replay;
mod settings;
mod task;
mod weights;

pub use ability::{Abilities, Ability, Basis, Field, Override, Overrides, spelled};
pub use decision::{Decision, Scored};
pub use experience::{Counted, Experience, Learned, Observation, Shifts};
pub use pattern::matches;
pub use prompt::{FEATURES, cue_names, figures};
pub use rank::{AutoRouter, Operator, Usable};
pub use ranker::RouterSettings;
pub use replay::{Estimate, Logged, Replay, Verdict, replay};
pub use settings::{CostTier, Defaults, Router, Settings};
pub use task::{Features, Task};
pub use weights::{Blend, Net, Residual, Weights, bent, mean_gap, row};
