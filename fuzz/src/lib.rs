//! What the targets here share with `cargo xtask fuzz`: the laws, and nothing else.

#[path = "../../xtask/src/fuzz/target.rs"]
pub mod target;
