//! The host that the fuzzed codecs speak to: made up, with everything that a host can do.

use waystation_core::{
    AuthScheme, DataPolicy, Endpoint, EndpointId, Lease, Modalities, ModelId, ParameterSet, Price,
    ProviderSlug, Quirks, Secret, Settings, Target, Trust, UnixMs, Upstream,
};

/// Everything that a target borrows.
pub(super) struct Host {
    upstream: Upstream,
    pub(super) endpoint: Endpoint,
    lease: Lease,
}

impl Host {
    pub(super) fn of(dialect: &str) -> Result<Self, String> {
        let text = |error: waystation_core::ParseNameError| error.to_string();
        let slug: ProviderSlug = "acme".parse().map_err(text)?;
        let model: ModelId = "acme/fast".parse().map_err(|_| "a model id".to_owned())?;
        let tag = "acme".parse().map_err(text)?;
        Ok(Self {
            upstream: Upstream {
                slug: slug.clone(),
                name: "Acme".into(),
                base_url: "https://api.example.com".into(),
                auth: AuthScheme::Bearer,
                quirks: Quirks {
                    think_tags: true,
                    ..Quirks::default()
                },
                settings: Settings {
                    region: Some("eu-west-1".into()),
                    ..Settings::default()
                },
            },
            endpoint: Endpoint {
                id: EndpointId::new(&model, &tag),
                model,
                provider: slug,
                tag,
                dialect: dialect.parse().map_err(text)?,
                upstream_model: "fast".into(),
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
            lease: Lease {
                credential: "fuzz".parse().map_err(text)?,
                secret: Some(Secret::new("sk-fuzz")),
                scheme: None,
            },
        })
    }

    pub(super) const fn target(&self) -> Target<'_> {
        Target {
            upstream: &self.upstream,
            endpoint: &self.endpoint,
            lease: &self.lease,
            now: UnixMs::new(0),
        }
    }
}
