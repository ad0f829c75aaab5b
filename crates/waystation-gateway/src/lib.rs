//! Runs a routing plan. It decides nothing, translates nothing, and opens no socket.
#![doc = include_str!("../README.md")]

mod attempt;
mod calls;
mod chat;
mod clock;
mod codecs;
mod continuation;
mod echo;
mod error;
mod fallback;
mod judge;
mod ledger;
mod plugin_runs;
mod rank;
mod rest;
mod settle;
mod snapshot;
mod steps;
mod stream;

pub use chat::{Caller, Gateway, Parts};
pub use clock::TokioClock;
pub use codecs::Codecs;
pub use continuation::Continued;
pub use error::{AttemptReport, AttemptsFailed, GatewayError};
pub use judge::Judge;
pub use ledger::{KeyUsage, MemoryLedger};
pub use settle::Settled;
pub use snapshot::{Retries, Route, RouteLimits, Settings, Snapshot, Timeouts, Triggers};
pub use stream::{Batch, Reply};
