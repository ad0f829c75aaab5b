//! The codec that most requests go through, and who it asks. Measures nothing itself.

use waystation_core::{Codec, Endpoint, Lease, Secret, Target, UnixMs, Upstream};
use waystation_sim::fixtures::{self, M};

/// Who is asked by the openai-chat codec.
pub struct Host {
    upstream: Upstream,
    endpoint: Endpoint,
    lease: Lease,
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

impl Host {
    /// The same host, speaking another dialect.
    ///
    /// # Panics
    /// When the name is none of a dialect.
    #[must_use]
    pub fn speaking(mut self, dialect: &str) -> Self {
        self.upstream.base_url = "http://sim.invalid".into();
        self.upstream.settings.region = Some("eu-west-1".into());
        self.endpoint.dialect = dialect.parse().unwrap();
        self
    }

    /// The first provider of the fixtures.
    ///
    /// # Panics
    /// Never: the fixtures have it.
    #[must_use]
    pub fn new() -> Self {
        let catalog = fixtures::catalog();
        Self {
            upstream: catalog.provider("a").unwrap().upstream.clone(),
            endpoint: catalog.model(M).unwrap().endpoints[0].clone(),
            lease: Lease::new("key".parse().unwrap(), Some(Secret::new("sk-1"))),
        }
    }

    /// As the codec wants it.
    #[must_use]
    pub fn target(&self) -> Target<'_> {
        Target {
            upstream: &self.upstream,
            endpoint: &self.endpoint,
            lease: &self.lease,
            now: UnixMs::new(0),
        }
    }
}

/// The openai-chat codec.
///
/// # Panics
/// Never: it is there.
#[must_use]
pub fn codec() -> &'static dyn Codec {
    waystation_providers::codec(&"openai-chat".parse().unwrap()).unwrap()
}
