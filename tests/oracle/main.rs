//! The routing engine held against a second one, and what clients see of its decisions. The second
//! engine is written from the contract alone: slow, in one line of thought, and without a line in
//! common with the first.

mod agreement;
mod checklist;
mod decision;
mod facts;
mod metadata;
mod operator;
mod specification;
mod sticky;
mod straight;
mod tools;
mod world;
