//! A prompt, read into figures: first the text that counts (`text.rs`), then what can be counted in it
//! (`features.rs`, with the lists of `cues.rs` and `words.rs`, also where words are misspelt, `slips.rs`). What the
//! figures mean is learned.

mod cues;
mod features;
mod kind;
mod slips;
mod text;
mod words;

pub use cues::cue_names;
pub use features::FEATURES;
pub(crate) use features::Figures;
pub(crate) use kind::Kind;
pub(crate) use text::Text;

/// The figures of a prompt, as training takes them.
#[must_use]
pub fn figures(prompt: &str) -> [f32; FEATURES] {
    Figures::of(&Text::of(prompt)).values
}
