//! HTTP transports of the waystation gateway. Nothing else of the project opens a connection outwards.
#![doc = include_str!("../README.md")]

mod failure;
mod guarded_fetcher;
mod reqwest_transport;

pub use guarded_fetcher::GuardedFetcher;
pub use reqwest_transport::{ReqwestTransport, TransportSetupError};
