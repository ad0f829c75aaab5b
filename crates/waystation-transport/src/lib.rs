//! HTTP transports of the waystation gateway: the only crate that opens connections to upstreams.
//!
//! ```no_run
//! use waystation_transport::ReqwestTransport;
//!
//! let transport = ReqwestTransport::new()?;
//! # Ok::<(), waystation_transport::TransportSetupError>(())
//! ```

mod failure;
mod reqwest_transport;

pub use reqwest_transport::{ReqwestTransport, TransportSetupError};
