//! Simulated LLM upstreams, scripted faults and test fixtures for the waystation gateway.
//!
//! Opens no socket and knows no real provider.
#![doc = include_str!("../README.md")]

mod asked;
mod canned;
mod clock;
mod dialect;
mod draw;
pub mod faults;
pub mod fixtures;
mod mind;
mod pacing;
mod prompt;
mod replay;
mod reply;
mod schema;
mod search;
mod searxng;
mod simulator;
#[cfg(any(test, feature = "proptest"))]
pub mod strategies;
mod transport;

pub use canned::{CannedReply, CannedWire, STREAM_EVENTS};
#[cfg(feature = "paced")]
pub use clock::TokioClock;
pub use clock::{ManualClock, TEST_EPOCH_MS};
pub use dialect::dialects;
pub use pacing::Pacing;
pub use replay::{ReplayTransport, Reply};
pub use reply::{End, SIMULATED_HEADER, SimReply};
pub use searxng::SEARCH;
pub use simulator::Simulator;
pub use transport::SimTransport;
