//! The `waystation` gateway as a library: configuration, environment, command line and the HTTP
//! rim. The binary only calls [`cli::run`].
//!
//! This is the one crate that knows every other one, and the only one that reads the environment,
//! opens files and listens. It decides nothing about routing and translates no dialect: that is
//! the work of the crates below it.

pub mod admin;
pub mod app;
pub mod auth;
mod auto_router;
pub mod banner;
pub mod body;
mod chance;
pub mod cli;
pub mod config;
pub mod connection;
pub mod credentials;
pub mod ending;
pub mod error;
pub mod explanation;
mod gate;
mod head;
pub mod log_line;
mod log_writer;
mod message;
pub mod metrics;
pub mod mock;
pub mod plugins;
pub mod preset;
pub mod reply;
pub mod rim;
pub mod routes;
pub mod sandbox;
pub mod serve;
pub mod telemetry;
mod workers;
