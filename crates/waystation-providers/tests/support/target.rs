//! Targets for tests: a provider, an endpoint and a lease, with nothing odd about them.
#![allow(dead_code, reason = "each test binary uses what it needs")]

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use waystation_core::{
    AuthScheme, Call, ChatEvent, ChatRequest, DataPolicy, EncodeError, Endpoint, EndpointId, Lease,
    Modalities, ParameterSet, Price, Quirks, Reader, ReplyHead, Secret, Settings, Target, Trust,
    UnixMs, Upstream, UpstreamError,
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
            },
            lease: Lease {
                credential: "test".parse().unwrap(),
                secret: Some(Secret::new("sk-test-0123456789")),
            },
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

/// A head with these headers.
pub(crate) fn head(status: u16, headers: &[(&str, &str)]) -> ReplyHead {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        map.insert(name, HeaderValue::from_str(value).unwrap());
    }
    ReplyHead {
        status: StatusCode::from_u16(status).unwrap(),
        headers: map,
    }
}

/// What a reader makes of a body in pieces: its events, and how it ended.
pub(crate) fn read<'a>(
    mut reader: Box<dyn Reader>,
    head: &ReplyHead,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<ChatEvent>, Result<(), UpstreamError>) {
    let mut events = Vec::new();
    let run = || {
        reader.head(head)?;
        for piece in pieces {
            reader.push(&Bytes::copy_from_slice(piece), &mut events)?;
        }
        reader.finish(&mut events)
    };
    let ended = run();
    (events, ended)
}
