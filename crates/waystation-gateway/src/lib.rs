//! Runs a routing plan: attempts, deadlines, fallbacks, plugin order, settling.
//!
//! The router decides, the gateway does. It knows no wire, no plugin and no HTTP client: codecs,
//! plugins, transport, credentials, clock and ledger are handed to it by whoever composes it, so
//! that an embedder may bring their own and a test needs no socket.

mod attempt;
mod chat;
mod clock;
mod error;
mod fallback;
mod ledger;
mod rank;
mod settle;
mod snapshot;
mod stream;

pub use attempt::Codecs;
pub use chat::{Caller, Gateway, Parts};
pub use clock::TokioClock;
pub use error::{AttemptReport, AttemptsFailed, GatewayError};
pub use ledger::{KeyUsage, MemoryLedger};
pub use settle::Settled;
pub use snapshot::{Retries, Route, RouteLimits, Settings, Snapshot, Timeouts};
pub use stream::{Batch, Reply};
