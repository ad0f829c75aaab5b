//! Targets for tests: a provider, an endpoint and a lease, with nothing odd about them.

use std::sync::Arc;

use bytes::Bytes;
use waystation_core::{
    AuthScheme, Call, ChatRequest, DataPolicy, EncodeError, Endpoint, EndpointId, Lease,
    Modalities, ParameterSet, Price, Quirks, Secret, Settings, Target, Trust, UnixMs, Upstream,
};

/// Everything that a target borrows.
pub(crate) struct Host {
    /// The provider.
    pub(crate) upstream: Upstream,
    /// The endpoint.
    pub(crate) endpoint: Endpoint,
    /// The credential.
    pub(crate) lease: Lease,
}

impl Host {
    /// A host called `slug` that calls its model `model`.
    pub(crate) fn new(slug: &str, model: &str) -> Self {
        let tag = slug.parse().unwrap();
        let id: waystation_core::ModelId = "acme/fast".parse().unwrap();
        Self {
            upstream: Upstream {
                slug: slug.parse().unwrap(),
                name: slug.into(),
                base_url: "https://api.example.com/v1".into(),
                auth: AuthScheme::Bearer,
                quirks: Quirks::default(),
                settings: Settings::default(),
            },
            endpoint: Endpoint {
                id: EndpointId::new(&id, &tag),
                model: id,
                provider: slug.parse().unwrap(),
                tag,
                dialect: "openai-chat".parse().unwrap(),
                upstream_model: Arc::from(model),
                price: Price::default(),
                context_length: None,
                max_output: None,
                parameters: ParameterSet::ALL,
                input: Modalities::TEXT,
                output: Modalities::TEXT,
                quantization: None,
                trust: Trust::Firm,
                policy: DataPolicy::default(),
                variant: None,
                service_tier: None,
                billed_by_upstream: false,
                search: None,
            },
            lease: Lease::new(
                "test".parse().unwrap(),
                Some(Secret::new("sk-test-0123456789")),
            ),
        }
    }

    /// The same with other quirks.
    pub(crate) fn with(mut self, quirks: Quirks) -> Self {
        self.upstream.quirks = quirks;
        self
    }

    /// Encodes a request for this host.
    pub(crate) fn try_encode(&self, chat: &ChatRequest) -> Result<Call, EncodeError> {
        let to = Target {
            upstream: &self.upstream,
            endpoint: &self.endpoint,
            lease: &self.lease,
            now: UnixMs::new(0),
        };
        let codec = waystation_providers::codec(&self.endpoint.dialect).unwrap();
        codec.encode(chat, &to)
    }

    /// Encodes a request that has a form.
    pub(crate) fn encode(&self, chat: &ChatRequest) -> Call {
        self.try_encode(chat).unwrap()
    }
}

/// A request, parsed.
pub(crate) fn chat(text: &str) -> ChatRequest {
    ChatRequest::parse(&Bytes::copy_from_slice(text.as_bytes())).unwrap()
}
