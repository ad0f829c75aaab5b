//! An embedded auto router: it picks models for a prompt, without a network and without a clock.
#![doc = include_str!("../README.md")]

mod arithmetic;
mod prompt;
mod rank;
mod task;
mod weights;

pub use prompt::{FEATURES, cue_names, figures};
pub use rank::{Rules, Scored, score};
pub use task::{Features, Task};
pub use weights::{Blend, Net, Weights, bent, row};
