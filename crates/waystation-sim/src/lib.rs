//! Simulated LLM upstreams, scripted faults and test fixtures for the waystation gateway.
//!
//! The same code serves `waystation serve --simulate`, `waystation mock` and every test, so that
//! what tests trust is what users can run. Nothing here opens a socket, reads a clock or draws
//! chance: replies are decided by the request and a seed.
//!
//! ```
//! use waystation_core::{HttpRequest, Json};
//! use waystation_sim::{Pacing, Simulator, faults::Script};
//!
//! let script: Script = "[[rule]]\nmatch = { nth = 1 }\nstatus = 429\nretry_after = 2".parse()?;
//! let upstream = Simulator::new(7).with_pacing(Pacing::Instant).with_script(script);
//!
//! let body = br#"{"model": "m", "messages": [{"role": "user", "content": "Hi"}]}"#;
//! let request = HttpRequest::post_json("https://sim.invalid/v1/chat/completions", body.as_slice().into())?;
//! assert_eq!(upstream.handle(&request).head.status, 429);
//! assert_eq!(upstream.handle(&request).head.status, 200);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod asked;
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
mod simulator;
#[cfg(any(test, feature = "proptest"))]
pub mod strategies;
mod transport;

#[cfg(feature = "paced")]
pub use clock::TokioClock;
pub use clock::{ManualClock, TEST_EPOCH_MS};
pub use pacing::Pacing;
pub use replay::{ReplayTransport, Reply};
pub use reply::{End, SIMULATED_HEADER, SimReply};
pub use simulator::Simulator;
pub use transport::SimTransport;
