//! What happened to every endpoint of a question: why it was dropped. It decides nothing.

use std::fmt;

use serde::{Deserialize, Serialize};
use waystation_core::{Endpoint, ModelId, Tag};

use crate::Detail;

/// Why an endpoint is not tried. Source: `interfaces`, "Explain".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// Another static variant (`:free`, `:fast`) than the one asked for.
    Variant,
    /// Its provider has no credential.
    NoCredentials,
    /// Its wire has no codec here.
    Dialect,
    /// Not among `only`.
    Only,
    /// Named in `ignore`.
    Ignore,
    /// `data_collection` is denied and it may collect.
    DataCollection,
    /// `zdr` is asked for and not promised.
    Zdr,
    /// Nobody says that its text may be distilled.
    Distillable,
    /// It cannot take or give a kind of content.
    Modality,
    /// Another number format than those asked for.
    Quantization,
    /// Above `max_price`, or of unknown price.
    MaxPrice,
    /// Prompt and wanted output do not fit.
    ContextLength,
    /// It gives less output than `max_tokens`.
    MaxOutput,
    /// It lacks a parameter that was sent, and `require_parameters` is set.
    RequireParameters,
    /// Of a service tier that nobody asked for, or not of the one that was.
    ServiceTier,
    /// Below the operator's `min_trust`.
    Trust,
    /// Others of its model support `tools`, `response_format` or `verbosity`; it does not.
    Parameters,
    /// Cut by `allow_fallbacks: false`.
    AllowFallbacks,
}

/// An endpoint that is not tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// The model.
    pub model: ModelId,
    /// The endpoint's tag.
    pub endpoint: Tag,
    /// Why.
    pub reason: Reason,
    /// The same with names and figures.
    pub detail: Detail,
}

/// The account of one plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Trace {
    /// Every endpoint of the wanted models that is not tried, once; of a plan
    /// [in brief](crate::plan_in_brief) those that a rule dropped may be among `others`.
    pub dropped: Vec<Dropped>,
    /// How many more are not tried, of which nobody asked for which and why.
    #[serde(skip_serializing_if = "is_none")]
    pub others: usize,
    /// What the client should know, a sentence each.
    pub notes: Vec<String>,
    /// Names in `order`, `only` and `ignore` that match no provider, as spelled.
    pub unmatched: Vec<String>,
}

// === impl Reason ===

impl Reason {
    /// The word in `explain`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Variant => "variant",
            Self::NoCredentials => "no_credentials",
            Self::Dialect => "dialect",
            Self::Only => "only",
            Self::Ignore => "ignore",
            Self::DataCollection => "data_collection",
            Self::Zdr => "zdr",
            Self::Distillable => "distillable",
            Self::Modality => "modality",
            Self::Quantization => "quantization",
            Self::MaxPrice => "max_price",
            Self::ContextLength => "context_length",
            Self::MaxOutput => "max_output",
            Self::RequireParameters => "require_parameters",
            Self::ServiceTier => "service_tier",
            Self::Trust => "trust",
            Self::Parameters => "parameters",
            Self::AllowFallbacks => "allow_fallbacks",
        }
    }

    /// The word in `error.availability.excluded_by`: the published one where there is one, else the
    /// reason itself. Source: API contract, section 2.4.
    #[must_use]
    pub const fn excluded_by(self) -> &'static str {
        match self {
            Self::Only => "allowed_providers",
            Self::Zdr => "data_policy:zdr",
            Self::DataCollection => "data_policy:training",
            other => other.as_str(),
        }
    }

    /// The member of the request (or of the config) that can be relaxed.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Variant | Self::NoCredentials | Self::Dialect => "model",
            Self::Only => "only",
            Self::Ignore => "ignore",
            Self::DataCollection => "data_collection",
            Self::Zdr => "zdr",
            Self::Distillable => "enforce_distillable_text",
            Self::Modality => "modalities",
            Self::Quantization => "quantizations",
            Self::MaxPrice => "max_price",
            Self::ContextLength => "messages",
            Self::MaxOutput => "max_tokens",
            Self::RequireParameters => "require_parameters",
            Self::ServiceTier => "service_tier",
            Self::Trust => "min_trust",
            Self::Parameters => "tools",
            Self::AllowFallbacks => "allow_fallbacks",
        }
    }

    /// Completes "2 endpoints …".
    pub(crate) const fn phrase(self) -> &'static str {
        match self {
            Self::Variant => "of another variant",
            Self::NoCredentials => "without credentials",
            Self::Dialect => "of a dialect that is not built",
            Self::Only => "not in provider.only",
            Self::Ignore => "in provider.ignore",
            Self::DataCollection => "that may collect data",
            Self::Zdr => "without zero data retention",
            Self::Distillable => "not known to allow distillation",
            Self::Modality => "without a kind of content that is needed",
            Self::Quantization => "not in provider.quantizations",
            Self::MaxPrice => "above provider.max_price",
            Self::ContextLength => "with too short a context",
            Self::MaxOutput => "with less output than max_tokens",
            Self::RequireParameters => "without a required parameter",
            Self::ServiceTier => "of another service tier",
            Self::Trust => "below min_trust",
            Self::Parameters => "without support for tools",
            Self::AllowFallbacks => "cut by allow_fallbacks: false",
        }
    }

    /// Whether the endpoint was no candidate to begin with, whatever the request says.
    pub(crate) const fn is_setup(self) -> bool {
        matches!(self, Self::Variant | Self::NoCredentials | Self::Dialect)
    }

    /// Whether the request's privacy wishes dropped it.
    pub(crate) const fn is_privacy(self) -> bool {
        matches!(self, Self::Zdr | Self::DataCollection)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl Trace ===

/// Whether there is none of them: then nothing is said.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde calls"
)]
const fn is_none(others: &usize) -> bool {
    *others == 0
}

impl Trace {
    /// How many endpoints are not tried.
    #[must_use]
    pub const fn not_tried(&self) -> usize {
        self.dropped.len() + self.others
    }

    /// Notes that `endpoint` is not tried.
    pub(crate) fn drop_endpoint(&mut self, endpoint: &Endpoint, reason: Reason, detail: Detail) {
        self.dropped.push(Dropped {
            model: endpoint.model.clone(),
            endpoint: endpoint.tag.clone(),
            reason,
            detail,
        });
    }
}
