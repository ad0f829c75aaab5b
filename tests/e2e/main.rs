//! The end-to-end tests: the whole gateway, asked as clients ask it. One module for each topic; a
//! test's doc names the statement of the API contract (section 12) that it holds. The harness is
//! the package's library.
//!
//! Time is tokio's and paused, upstreams are scripted, nothing listens: except in `sockets`, which
//! is about the sockets.

mod basics;
mod catalogue;
mod contributing;
mod dialects;
mod ending;
mod errors;
mod fallback;
mod limits;
mod models;
mod recordings;
mod records;
mod routing;
mod sdk_shapes;
mod simulation;
mod simulation_dialects;
mod simulation_search;
mod sockets;
mod streaming;
mod suffixes;
mod wires;
