//! The harness of the end-to-end tests: the whole gateway in one process, without sockets.
//!
//! A [`Setup`] is a configuration; [`Setup::start`] puts the real router over a transport that
//! answers from a script, under a clock that follows tokio's paused time. A [`Station`] is asked as
//! a client would ask it, and says afterwards what it sent upstream. No test is here.
//!
//! ```text
//! client's request ──► axum router ──► gateway ──► codec ──► ReplayTransport
//!       Whole, Streamed ◄──────────────────────────────────── scripted bytes
//! ```

pub mod hostile;
mod reading;
mod recorded;
mod setup;
mod shown;
mod station;
mod upstream;

pub use reading::{Reading, reason};
pub use recorded::{Case, cases, shared};
pub use setup::Setup;
pub use shown::{Event, Streamed, Whole, literal};
pub use station::{Opened, Station, ask, asking};
pub use upstream::{completion, event, tool_stream, with_usage};
