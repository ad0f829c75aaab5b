//! An embedded auto router that picks models for a prompt by rules alone.
#![doc = include_str!("../README.md")]

mod rank;
mod task;

pub use rank::{Rules, Scored, score};
pub use task::{Features, Task};
