//! What routing needs to know of a request, and what others tell it.

use serde::{Deserialize, Serialize};

use crate::{
    EndpointId, Modalities, ModelId, ModelRef, ParameterSet, ProviderPreferences, RawJson,
    ServiceTier, Tokens,
};

/// A routing question. Embedders fill it by hand; the router's `ask` makes it from a chat request.
///
/// Another process may send it as JSON, where every member may be left out:
///
/// ```
/// use waystation_core::Ask;
///
/// let text = r#"{"models": ["acme/fast:floor"], "wishes": {"max_price": {"prompt": "0.5"}}}"#;
/// let ask: Ask = serde_json::from_str(text)?;
/// let back: Ask = serde_json::from_str(&serde_json::to_string(&ask)?)?;
/// assert_eq!(ask, back);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Ask {
    /// The models wanted, most wanted first, without duplicates.
    pub models: Vec<ModelRef>,
    /// The client's routing wishes.
    pub wishes: ProviderPreferences,
    /// Kinds of input in the prompt.
    pub input: Modalities,
    /// Images in the prompt, each of which some endpoints charge for.
    pub images: u64,
    /// Kinds of output wanted.
    pub output: Modalities,
    /// Bytes of text in the prompt; 0 where nobody said.
    pub prompt_bytes: u64,
    /// The fewest tokens that the prompt can be.
    pub prompt_at_least: Tokens,
    /// The prompt's size as estimated, for price steps.
    pub prompt_estimate: Tokens,
    /// The limit on output that was sent.
    pub max_output: Option<Tokens>,
    /// The parameters that were sent.
    pub parameters: ParameterSet,
    /// The service tier asked for.
    pub service_tier: Option<ServiceTier>,
    /// The endpoint that served this conversation before.
    pub sticky: Option<EndpointId>,
    /// How much of the prompt that endpoint has in its cache, where the conversation was recognised
    /// by its opening; `None` where the client named it, so that it stays whatever that costs.
    pub cached: Option<Tokens>,
    /// The auto router's order of models, where one was asked.
    pub ranking: Option<Ranking>,
    /// What plugins ask of the endpoint.
    pub hints: AskHints,
}

/// What plugins ask of the endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct AskHints {
    /// Kinds of input that must be taken natively, beyond those in the prompt.
    pub input: Modalities,
    /// Kinds of input in the prompt that a plugin takes care of.
    pub handled: Modalities,
    /// The prompt may be compressed, so a context of half its size will do.
    pub compressible: bool,
    /// Endpoints with a context of at most so many tokens compress by themselves; 0 is none of them.
    pub compressible_up_to: Tokens,
}

/// An order of models, best first, with what led to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ranking {
    /// The models, best first.
    pub models: Vec<ModelId>,
    /// The task that the prompt was taken for.
    pub task: Option<String>,
    /// What metadata says of the choice, a JSON object.
    pub data: Option<RawJson>,
}
