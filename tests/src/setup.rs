//! Configurations for tests: TOML laid over a base, with an environment of the test's own.

use std::sync::Arc;

use toml::{Table, Value};
use waystation_core::Transport;
use waystation_server::{
    app::App,
    config::{self, ConfigErrors, Environment, Flags, Resolved},
};
use waystation_sim::{ReplayTransport, TokioClock};

use crate::Station;

/// A configuration that a [`Station`] starts from.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    config: Option<Table>,
    env: Vec<(String, String)>,
    flags: Flags,
}

/// The shelf of the contract's checklist (section 12): model M with providers A, B and C at 1, 2
/// and 3 dollars; models X (A at 1, B at 2) and Y (B at 0.5, C at 3). Cheapest first, so that every
/// test knows who is asked first.
const MOCKS: &str = r#"
[server]
listen = "127.0.0.1:0"
admin_listen = "off"
[catalog]
bundled = false
default_model = "acme/m"
[routing]
sort = "price"

[providers.a]
name = "A"
dialect = "openai-chat"
base_url = "http://a.mock/v1"
api_key = "key-of-a-do-not-tell"
[providers.b]
name = "B"
dialect = "openai-chat"
base_url = "http://b.mock/v1"
api_key = "key-of-b-do-not-tell"
[providers.c]
name = "C"
dialect = "openai-chat"
base_url = "http://c.mock/v1"
api_key = "key-of-c-do-not-tell"

[[models]]
id = "acme/m"
context_length = 128000
max_output_tokens = 16384
[[models.endpoints]]
provider = "a"
model = "m-at-a"
price = { prompt = "1", completion = "1" }
[[models.endpoints]]
provider = "b"
model = "m-at-b"
price = { prompt = "2", completion = "2" }
[[models.endpoints]]
provider = "c"
model = "m-at-c"
price = { prompt = "3", completion = "3" }

[[models]]
id = "acme/x"
context_length = 128000
[[models.endpoints]]
provider = "a"
model = "x-at-a"
price = { prompt = "1", completion = "1" }
[[models.endpoints]]
provider = "b"
model = "x-at-b"
price = { prompt = "2", completion = "2" }

[[models]]
id = "acme/y"
context_length = 128000
[[models.endpoints]]
provider = "b"
model = "y-at-b"
price = { prompt = "0.5", completion = "0.5" }
[[models.endpoints]]
provider = "c"
model = "y-at-c"
price = { prompt = "3", completion = "3" }
"#;

// === impl Setup ===

impl Setup {
    /// Neither a file nor an environment.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Mock providers A, B and C, the models M, X and Y, and no other.
    #[must_use]
    pub fn mocks() -> Self {
        Self::empty().config(MOCKS)
    }

    /// One model, `acme/one`, at one provider: `http://one.mock/v1`, with this price table.
    #[must_use]
    pub fn one(price: &str) -> Self {
        Self::empty().config(&format!(
            r#"
            [catalog]
            bundled = false
            [providers.one]
            name = "One"
            dialect = "openai-chat"
            base_url = "http://one.mock/v1"
            api_key = "key-of-one-do-not-tell"
            [[models]]
            id = "acme/one"
            [[models.endpoints]]
            provider = "one"
            model = "one"
            {price}
            "#
        ))
    }

    /// Lays TOML over what is there: tables merge, lists grow, other values are replaced.
    ///
    /// # Panics
    /// When the text is no TOML.
    #[must_use]
    pub fn config(mut self, toml: &str) -> Self {
        let more: Table = toml.parse().expect("TOML");
        merge(self.config.get_or_insert_default(), more);
        self
    }

    /// Adds a variable of the environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Changes the command line.
    #[must_use]
    pub fn flags(mut self, change: impl FnOnce(&mut Flags)) -> Self {
        change(&mut self.flags);
        self
    }

    /// What the server makes of it.
    ///
    /// # Errors
    /// Those of the configuration.
    pub fn resolve(&self) -> Result<Resolved, ConfigErrors> {
        let env: Environment = self.env.iter().cloned().collect();
        match &self.config {
            Some(table) => config::from_text("test.toml", &table.to_string(), &self.flags, &env),
            None => config::from_text("", "", &self.flags, &env),
        }
    }

    /// Starts a station whose upstreams answer from `upstream`.
    ///
    /// # Panics
    /// When the configuration is wrong: it is the test's.
    #[must_use]
    pub fn start(&self, upstream: ReplayTransport) -> Station {
        let upstream = Arc::new(upstream);
        Station::new(self.app(Arc::<ReplayTransport>::clone(&upstream)), upstream)
    }

    /// The gateway over any transport.
    ///
    /// # Panics
    /// When the configuration is wrong.
    #[must_use]
    pub fn app(&self, transport: Arc<dyn Transport>) -> Arc<App> {
        let resolved = self.resolve().unwrap_or_else(|errors| panic!("{errors}"));
        App::with_clock(resolved, transport, Arc::new(TokioClock::new()))
    }
}

fn merge(into: &mut Table, more: Table) {
    for (key, value) in more {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(known)), Value::Table(value)) => merge(known, value),
            (Some(Value::Array(known)), Value::Array(value)) => known.extend(value),
            (_, value) => drop(into.insert(key, value)),
        }
    }
}
