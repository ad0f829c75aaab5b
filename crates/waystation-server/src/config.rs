//! Configuration and environment, resolved into what the gateway starts with.
//!
//! [`resolve`] is the way in. The file is read as a tree (`document`), shaped into what is written
//! (`raw`), completed (`complete`, `providers`, `models`, `plugins`) and laid over the catalogue
//! (`resolved`). The process's environment is read in `environment` and nowhere else. Nothing here
//! listens, logs or watches files.
//!
//! ```
//! use waystation_server::config::{self, Environment, Flags};
//!
//! let env = Environment::from_iter([("GROQ_API_KEY", "gsk-1")]);
//! let toml = "[server]\nlisten = '127.0.0.1:0'";
//! let resolved = config::from_text("waystation.toml", toml, &Flags::default(), &env)?;
//! assert!(resolved.upstreams.keys().any(|slug| *slug == "groq"));
//!
//! let wrong = config::from_text("waystation.toml", "[server]\nlisen = 1", &Flags::default(), &env);
//! let message = wrong.err().map(|errors| errors.to_string()).unwrap_or_default();
//! assert_eq!(message, "waystation.toml:2: server.lisen: unknown key, did you mean `listen`?");
//! # Ok::<(), config::ConfigErrors>(())
//! ```

mod complete;
mod document;
mod environment;
mod failure;
mod listen;
mod mentions;
mod models;
mod plugins;
mod providers;
mod raw;
mod resolved;
mod settings;
mod shape;

pub use complete::Flags;
pub use environment::Environment;
pub use failure::{ConfigError, ConfigErrors, Place};
pub use listen::{Listen, ParseListenError};
pub use providers::Origin;
pub use resolved::{EnabledProvider, Resolved, Situation, from_text, resolve, simulates_by_itself};
pub use settings::{
    Auth, CatalogRules, ClientKey, Compat, Config, FallbackOn, Fetch, HIDDEN, Limits, Listing,
    MinTrust, PluginConfig, Retries, Routing, Server, Service, Sort, Timeouts,
};

#[cfg(test)]
mod tests;
