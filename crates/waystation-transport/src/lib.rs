//! HTTP transports of the waystation gateway. Nothing else of the project opens a connection outwards.
#![doc = include_str!("../README.md")]

mod failure;
mod guarded_fetcher;
mod http1;
mod reqwest_transport;
mod upstream_transport;

pub use guarded_fetcher::GuardedFetcher;
pub use http1::{Http1Transport, desk, field, framing};
pub use reqwest_transport::{ReqwestTransport, TransportSetupError};
pub use upstream_transport::UpstreamTransport;
