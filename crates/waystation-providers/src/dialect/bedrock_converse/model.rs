//! Whose model it is: what Converse has no member for, each maker spells in their own way.

use waystation_core::Endpoint;

/// The maker of a model, as far as requests differ by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// Anthropic's Claude.
    Claude,
    /// Amazon's Nova.
    Nova,
    /// OpenAI's open models.
    OpenAi,
    /// Anybody else's.
    Other,
}

// === impl Family ===

impl Family {
    /// The family by the host's name of the model (`us.anthropic.claude-sonnet-4-6`), else, for
    /// profiles with names of their own, by the model's id in the catalogue.
    pub(super) fn of(endpoint: &Endpoint) -> Self {
        const WORDS: [(&str, Family); 3] = [
            ("claude", Family::Claude),
            ("nova", Family::Nova),
            ("gpt", Family::OpenAi),
        ];
        let named = |name: &str| {
            let mut words = name.split(|c: char| !c.is_ascii_alphanumeric());
            let known = |word: &str| WORDS.into_iter().find(|(known, _)| *known == word);
            words.find_map(known).map(|(_, family)| family)
        };
        named(&endpoint.upstream_model)
            .or_else(|| named(endpoint.model.slug()))
            .unwrap_or(Self::Other)
    }

    /// Whether prompts can be marked for the cache.
    pub(super) const fn caches(self) -> bool {
        matches!(self, Self::Claude | Self::Nova)
    }

    /// How reasoning in the clear is marked.
    pub(super) const fn format(self) -> &'static str {
        match self {
            Self::Claude => "anthropic-claude-v1",
            Self::Nova | Self::OpenAi | Self::Other => "bedrock-converse-v1",
        }
    }

    /// How sealed reasoning is marked: its data are in another spelling than at the maker's.
    pub(super) const fn sealed_format(self) -> &'static str {
        match self {
            Self::Claude => "bedrock-anthropic-claude-v1",
            Self::Nova | Self::OpenAi | Self::Other => "bedrock-converse-v1",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use waystation_core::{
        DataPolicy, EndpointId, Modalities, ModelId, ParameterSet, Price, Tag, Trust,
    };

    use super::*;

    #[test]
    fn names_tell_families() {
        let family = |model: &str, named: &str| {
            let model: ModelId = model.parse().unwrap();
            let tag: Tag = "amazon-bedrock".parse().unwrap();
            Family::of(&Endpoint {
                id: EndpointId::new(&model, &tag),
                model,
                provider: "amazon-bedrock".parse().unwrap(),
                tag,
                dialect: "bedrock-converse".parse().unwrap(),
                upstream_model: Arc::from(named),
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
            })
        };
        let arn = "arn:aws:bedrock:us-east-1:1:application-inference-profile/x";
        assert_eq!(
            family("a/b", "eu.anthropic.claude-opus-4-6-v1"),
            Family::Claude
        );
        assert_eq!(family("anthropic/claude-opus-4.6", arn), Family::Claude);
        assert_eq!(
            family("amazon/nova-2-lite-v1", "us.amazon.nova-2-lite-v1:0"),
            Family::Nova
        );
        assert_eq!(
            family("openai/gpt-oss-120b", "openai.gpt-oss-120b-1:0"),
            Family::OpenAi
        );
        assert_eq!(family("a/b", "minimax.minimax-m2"), Family::Other);
    }
}
