//! What the API contract says of routing, held against plans on small catalogues of our own. Tests
//! are named after its sentences and carry its numbers.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected is to stop; clippy knows test functions, not their parts"
)]

mod account;
mod bundled;
mod fallbacks;
mod filters;
mod ids;
mod laws;
mod measured;
mod ordering;
mod town;
