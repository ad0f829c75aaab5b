//! Facts of language models and their providers, as reviewed data.
#![doc = include_str!("../README.md")]

mod catalog;
mod change;
mod endpoints;
mod error;
mod load;
mod model;
mod name;
mod overlay;
mod provider;
mod sketch;
pub mod source;
mod speed;
mod suggest;

pub use catalog::Catalog;
pub use change::{Changes, EndpointChange, ModelChange, Override, ProviderChange, SettingsChange};
pub use endpoints::{Endpoints, SharedEndpoint};
pub use error::{CatalogError, RowError, Warning};
pub use model::Model;
pub use provider::Provider;
pub use speed::Speed;
